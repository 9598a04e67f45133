"""What can be wrong with the text of a hunt before its meaning is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.text import Span, nearest


class Unexpected(KestrelError):
    code: ClassVar[str] = "K0101"

    def __init__(self, found: str, expected: str, span: Span, words: Iterable[str] = ()) -> None:
        shown = f"`{found[:40]}`" if found else "the end of the text"
        close = nearest(found, words) if found else None
        super().__init__(f"expected {expected}, found {shown}", span, f"did you mean `{close}`?" if close and close != found.upper() else None)


class OpenString(KestrelError):
    code: ClassVar[str] = "K0102"

    def __init__(self, quote: str, after_backslash: bool, span: Span) -> None:
        hint = f"write the last backslash twice: `\\\\{quote}`" if after_backslash else f"close it with {quote}"
        super().__init__("this text has no closing quote on its line", span, hint)


class OpenBracket(KestrelError):
    code: ClassVar[str] = "K0103"

    def __init__(self, opening: str, closing: str, span: Span) -> None:
        super().__init__(f"this `{opening}` is never closed", span, f"add `{closing}`")


class BadTime(KestrelError):
    code: ClassVar[str] = "K0104"

    def __init__(self, text: str, span: Span) -> None:
        super().__init__(f"`{text[:40]}` is no time", span, "write times as t'2021-04-03T00:00:00Z' (ISO 8601, UTC)")


class TwiceGiven(KestrelError):
    code: ClassVar[str] = "K0105"

    def __init__(self, clause: str, span: Span) -> None:
        super().__init__(f"{clause} is given twice", span)


class TooDeep(KestrelError):
    code: ClassVar[str] = "K0106"

    def __init__(self, span: Span) -> None:
        super().__init__("brackets are nested too deeply", span, "at most 100 levels are read")


class WrongOperand(KestrelError):
    code: ClassVar[str] = "K0107"

    def __init__(self, message: str, span: Span, hint: str) -> None:
        super().__init__(message, span, hint)


class Misplaced(KestrelError):
    code: ClassVar[str] = "K0108"

    def __init__(self, clause: str, command: str, takes: Iterable[str], span: Span) -> None:
        super().__init__(f"{command} takes no {clause}", span, f"it takes {', '.join(takes)}")


class BadEscape(KestrelError):
    code: ClassVar[str] = "K0109"

    def __init__(self, span: Span) -> None:
        super().__init__("this text has an escape that names no sign", span, "write a backslash as `\\\\`, or use r'...'")
