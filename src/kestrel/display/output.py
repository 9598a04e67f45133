"""The encoding and width of a terminal or a pipe, even if the environment is wrong about them."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import MutableMapping

PLAIN = {"─": "-", "│": "|", "├": "+", "└": "+", "…": "...", "·": ".", "█": "#", "▏": "|", "–": "-", "−": "-", "‹": "<", "›": ">"}
PLAIN |= dict(zip("▁▂▃▄▅▆▇", "._-=+*%", strict=True))
"""Replacements for the lines and blocks of text views in encodings that lack them."""
NARROWEST, WIDEST = 20, 10_000


def prepare() -> None:
    """Make standard output and error accept every character, and remove an invalid width from the environment."""
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
    """Keep COLUMNS only if it is a usable width."""
    given = environment.get("COLUMNS", "").strip()
    if not given.isascii() or not given.isdigit() or not given.strip("0"):
        environment.pop("COLUMNS", None)
        return
    width = int(given) if len(given.lstrip("0")) <= len(str(WIDEST)) else WIDEST
    environment["COLUMNS"] = str(max(NARROWEST, min(width, WIDEST)))
