"""What a terminal or a pipe can take: its encoding and its width, whatever the environment says of them."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import MutableMapping

PLAIN = {"─": "-", "│": "|", "├": "+", "└": "+", "…": "...", "·": ".", "█": "#", "▏": "|", "–": "-", "−": "-", "‹": "<", "›": ">"}
PLAIN |= dict(zip("▁▂▃▄▅▆▇", "._-=+*%", strict=True))
"""What stands for the lines and blocks of text views where the encoding lacks them."""
NARROWEST, WIDEST = 20, 10_000


def prepare() -> None:
    """Let standard output and error take every character, and drop a width that is none from the environment."""
    codecs.register_error("kestrel", _replaced)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="kestrel")
    _settle_width(os.environ)


def takes_unicode() -> bool:
    """Whether standard output can write every character."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig", "utf16", "utf32")


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in text), error.end


def _settle_width(environment: MutableMapping[str, str]) -> None:
    """COLUMNS as a number that output can be fitted to, or not at all."""
    given = environment.get("COLUMNS", "").strip()
    if not given.isascii() or not given.isdigit() or not given.strip("0"):
        environment.pop("COLUMNS", None)
        return
    width = int(given) if len(given.lstrip("0")) <= len(str(WIDEST)) else WIDEST
    environment["COLUMNS"] = str(max(NARROWEST, min(width, WIDEST)))
