"""One value as text: the same in every display."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Any


def plain(value: Any) -> str:
    """A value as it is shown: times in UTC, missing ones empty, control and direction characters made visible."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return instant(value)
        case float():
            return number(value)
        case list() | tuple():
            return ", ".join(plain(v) for v in value)
        case _:
            return visible(str(value))


def number(value: float) -> str:
    """A number to three places after the point, a small one to four digits that say something; whole ones without a point."""
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return f"{value:.3f}".rstrip("0").rstrip(".") if 1 <= abs(value) < 2**53 else f"{value:.4g}"


def instant(value: datetime) -> str:
    """ISO 8601 in UTC with Z; milliseconds where there are any."""
    moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    digits = "milliseconds" if moment.microsecond % 1000 == 0 else "microseconds"
    text = moment.isoformat(timespec=digits if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def visible(text: str) -> str:
    """Text that cannot steer a terminal or turn its direction: such characters are written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\N{ZERO WIDTH JOINER}" else _escaped(c) for c in text)


def _escaped(sign: str) -> str:
    match sign:
        case "\n":
            return "\\n"
        case "\t":
            return "\\t"
        case "\r":
            return "\\r"
    code = ord(sign)
    if unicodedata.category(sign) == "Zs":
        return " "
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def wide(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian characters take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(text: str, width: int) -> list[str]:
    """A text on lines of at most `width` columns, broken at spaces, else after what divides paths and lists, else anywhere.
    Nothing but the spaces at a break is lost."""
    lines = []
    while wide(text) > width:
        end = fitting(text, width)
        at = max(_break(text, end), 1)
        lines.append(text[:at].rstrip(" "))
        text = text[at:].lstrip(" ")
    return [*lines, text] if text or not lines else lines


def fitting(text: str, width: int) -> int:
    """How many characters from the start fit into a width."""
    used = 0
    for number, sign in enumerate(text):
        used += wide(sign)
        if used > width:
            return number
    return len(text)


def _break(text: str, end: int) -> int:
    """Where to break before `end`: behind the last space, else the last divider, if that leaves a line worth having."""
    if text[end : end + 1] == " ":
        return end
    for dividers in (" ", "\\/,;&|"):
        at = max(text.rfind(sign, 0, end) for sign in dividers) + 1
        if at > end // 3:
            return at
    return end


def jsonable(value: Any) -> Any:
    """A value for JSON: times as text, lists as lists."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else None
        case datetime():
            return instant(value)
        case list() | tuple():
            return [jsonable(v) for v in value]
        case _:
            return str(value)


def counted(number: int, noun: str, after: str | None = None) -> str:
    """`1 record`, `2 records`; with `after`, `2 process entities`."""
    if after is not None:
        return f"{number:,} {noun}{' entity' if number == 1 else after}"
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
