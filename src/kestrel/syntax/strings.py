"""Quoted text: what its backslashes mean, and how it is written back."""

from __future__ import annotations

import ast
import re
import warnings

KNOWN = set("\\'\"abfnrtvxuUN01234567\n")
IN_PATHS = set("tnabfvrx")
PATH = re.compile(r"(?:[A-Za-z]:\\|\\\\|\\\?\?\\)")


def in_pattern(body: str) -> str:
    """Inside `[ ]`: only `\\\\`, `\\'` and `\\"` are escapes."""
    return re.sub(r"\\([\\'\"])", r"\1", body)


def outside(body: str) -> tuple[str, bool]:
    """Outside `[ ]`: Python's escapes; a backslash before a letter that makes none stays, and so do `\\t`, `\\n` and the
    like in what looks like a Windows path. Also tells whether such a path was met. Raises ValueError."""
    is_path = PATH.match(body) is not None
    spared = False
    parts: list[str] = []
    place = 0
    while place < len(body):
        sign = body[place]
        if sign != "\\" or place + 1 == len(body):
            parts.append("\\\\" if sign == "\\" else sign)
            place += 1
            continue
        after = body[place + 1]
        if after not in KNOWN or (is_path and (after in IN_PATHS or after in "uUN01234567")):
            spared = spared or (is_path and after in IN_PATHS)
            parts.append("\\\\" + after)
        else:
            parts.append("\\" + after)
        place += 2
    text = "".join(parts)
    if "\\" not in text:
        return text, False
    return _evaluated(text), spared


def _evaluated(text: str) -> str:
    """Python's own reading of escapes. Raises ValueError for one that names no sign."""
    quoted = text.replace("\\'", "'").replace("'", "\\'").replace("\r", "\\r")
    quoted = re.sub(r"(?<!\\)((?:\\\\)*)\n", r"\1\\n", quoted).replace("\x00", "\\x00")
    quoted = re.sub("[\ud800-\udfff]", lambda m: f"\\u{ord(m.group()):04x}", quoted)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval("'" + quoted + "'")
    except (SyntaxError, ValueError, UnicodeError) as error:
        raise ValueError(str(error)) from error
    return str(value)


def written(text: str) -> str:
    """A string as the printer writes it: read back outside `[ ]` it is the same text."""
    body = "".join(_escaped(sign) for sign in text)
    if PATH.match(body) and re.search(r"(?<!\\)(?:\\\\)*\\[^\\']", body):
        body = f"\\x{ord(text[0]):02x}" + "".join(_escaped(sign) for sign in text[1:])
    return f"'{body}'"


def _escaped(sign: str) -> str:
    match sign:
        case "\\":
            return "\\\\"
        case "'":
            return "\\'"
        case "\n":
            return "\\n"
        case "\r":
            return "\\r"
        case "\t":
            return "\\t"
        case _ if not sign.isprintable() and sign != " ":
            code = ord(sign)
            return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
        case _:
            return sign
