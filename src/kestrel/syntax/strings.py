"""Quoted text: what its backslashes mean, and how it is written back."""

from __future__ import annotations

import re

PATH = re.compile(r"[A-Za-z]:\\|\\\\|\\\?\?\\")
"""How text that looks like a Windows path begins, as written."""

ESCAPE = re.compile(
    r"\\(?:(?P<line>\r?\n)|(?P<itself>[\\'\"])|(?P<octal>[0-7]{1,3})|x(?P<two>[0-9a-fA-F]{2})|u(?P<four>[0-9a-fA-F]{4})"
    r"|U(?P<eight>[0-9a-fA-F]{8})|N\{(?P<name>[^{}]*)\}|(?P<control>[abfnrtv]))"
)
CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def in_pattern(body: str) -> str:
    """Inside `[ ]`: only `\\\\`, `\\'` and `\\"` are escapes."""
    return re.sub(r"\\([\\'\"])", r"\1", body)


def outside(body: str) -> tuple[str, bool]:
    """Outside `[ ]`: Python's escapes; a backslash that makes none stays. In what looks like a Windows path only `\\\\`, `\\'`,
    `\\"` and a line's end are escapes; the second value tells whether that spared one. Raises ValueError with an escape that
    names no sign."""
    if "\\" not in body:
        return body, False
    is_path = PATH.match(body) is not None
    spared = False

    def meaning(match: re.Match[str]) -> str:
        nonlocal spared
        if is_path and match.lastgroup not in ("line", "itself"):
            spared = True
            return match.group()
        return _sign(match)

    return ESCAPE.sub(meaning, body), spared


def _sign(match: re.Match[str]) -> str:
    group = match.lastgroup or ""
    value = match[group]
    match group:
        case "line":
            return ""
        case "itself":
            return value
        case "control":
            return CONTROL[value]
        case "octal":
            return chr(int(value, 8))
        case "name":
            return _named(value, match.group())
        case _:
            return _numbered(int(value, 16), match.group())


def _numbered(number: int, escape: str) -> str:
    if number > 0x10FFFF:
        raise ValueError(escape)
    return chr(number)


def _named(name: str, escape: str) -> str:
    import unicodedata  # large, and few hunts name a sign

    try:
        return unicodedata.lookup(name)
    except KeyError:
        raise ValueError(escape) from None


def written(text: str) -> str:
    """A string as the printer writes it: read back outside `[ ]` it is the same text."""
    body = "".join(_written(sign) for sign in text)
    if not text.isprintable() and PATH.match(body):
        body = f"\\x{ord(text[0]):02x}" + "".join(_written(sign) for sign in text[1:])  # so that it is not read as a path
    return f"'{body}'"


def _written(sign: str) -> str:
    match sign:
        case "\\" | "'":
            return "\\" + sign
        case "\n":
            return "\\n"
        case "\r":
            return "\\r"
        case "\t":
            return "\\t"
        case _ if sign.isprintable():
            return sign
        case _:
            code = ord(sign)
            return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
