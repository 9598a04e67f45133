"""Quoted text: what its backslashes mean, and how it is written back."""

from __future__ import annotations

import re
import unicodedata

SIGNS = {"\\": "\\", "'": "'", '"': '"', "\n": "", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
ESCAPE = re.compile(
    r"\\(?:(?P<sign>[\\'\"abfnrtv\n])|(?P<octal>[0-7]{1,3})|(?P<hex>x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|N\{(?P<name>[^{}]+)\})"
)
DRIVE = re.compile(r"(?<![\w\\])[A-Za-z](?=:\\)")
SHARE = re.compile(r"\\\\|\\\?\?\\")
"""How a path without a drive begins: `\\\\` or `\\??\\`."""


def in_pattern(body: str) -> str:
    """Inside `[ ]`: only `\\\\`, `\\'` and `\\"` are escapes."""
    return re.sub(r"\\([\\'\"])", r"\1", body)


def outside(body: str) -> tuple[str, bool]:
    """Outside `[ ]`: Python's escapes; a backslash that begins none stays, and so do `\\t`, `\\n` and the like from where
    a Windows path begins. Also tells whether such an escape was met. Raises ValueError for one that names no character."""
    if "\\" not in body:
        return body, False
    path = _path_begins(body)
    spared = False

    def meant(match: re.Match[str]) -> str:
        nonlocal spared
        if match.start() >= path and match["sign"] not in ("\\", "'", '"', "\n"):
            spared = True
            return match.group()
        return _meant(match)

    return ESCAPE.sub(meant, body), spared


def _path_begins(body: str) -> int:
    """Where a Windows path begins, which goes on to the end of the text; past the end where there is none."""
    if SHARE.match(body):
        return 0
    drive = DRIVE.search(body)
    return drive.start() if drive else len(body)


def _meant(match: re.Match[str]) -> str:
    if match["sign"]:
        return SIGNS[match["sign"]]
    try:
        if match["name"]:
            return unicodedata.lookup(match["name"])
        return chr(int(match["octal"], 8) if match["octal"] else int(match["hex"][1:], 16))
    except (KeyError, ValueError, OverflowError) as error:
        raise ValueError(f"{match.group()} names no sign") from error


def written(text: str) -> str:
    """A string as the printer writes it: read back outside `[ ]` it is the same text."""
    body = text.replace("\\", "\\\\").replace("'", "\\'")
    if not text.isprintable():
        body = "".join(sign if sign.isprintable() else _escaped(sign) for sign in body)
        if any(m["sign"] not in ("\\", "'") for m in ESCAPE.finditer(body, _path_begins(body))):
            body = DRIVE.sub(lambda m: f"\\x{ord(m.group()):02x}", body)
            body = "\\x5c" + body[2:] if SHARE.match(body) else body
    return f"'{body}'"


def _escaped(sign: str) -> str:
    match sign:
        case "\n":
            return "\\n"
        case "\r":
            return "\\r"
        case "\t":
            return "\\t"
        case _:
            code = ord(sign)
            return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
