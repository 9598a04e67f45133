"""Source text and the places in it: every error can point at the hunter's own line."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _csv import Reader

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range of character offsets in one `Source`."""

    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))


NOWHERE = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Source:
    """A cell or file of hunt text, with the name shown in errors (`triage.hf`, `<cell>`)."""

    text: str
    name: str = "<hunt>"

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1."""
        before = self.text[:offset]
        line = before.count("\n") + 1
        return line, offset - (before.rfind("\n") + 1) + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its line end."""
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


def path_text(path: str | Path) -> str:
    """A path as a hunter would write it: from the current folder where it is inside that."""
    inside = os.path.relpath(path) if Path(path).is_absolute() else str(path)
    return str(path) if inside.startswith("..") else inside


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known word a misspelt one most likely stands for, or None. `alike`: how much of it must be the same."""
    by_folded = {k.casefold(): k for k in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=alike)
    return by_folded[found[0]] if found else None


def listed(words: Iterable[str], limit: int = 12) -> str:
    """Words as a hint names them: `a`, `b`, `c` and 4 more."""
    words = list(words)
    shown = ", ".join(f"`{w}`" for w in words[:limit])
    return f"{shown} and {len(words) - limit} more" if len(words) > limit else shown


LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


def lines_in(text: str) -> list[str]:
    """The lines of a text with their ends, which are carriage returns and line feeds alone: `str.splitlines` also splits at characters that
    stand in values, like U+2028."""
    return [line for line in LINE.findall(text) if line]


def csv_rows(lines: Iterable[str], **dialect: Any) -> Reader:
    """Python's reader of CSV for values of any length up to 128 MB; its own limit of 128 kB holds for a whole process, whoever sets it."""
    import csv

    csv.field_size_limit(1 << 27)
    return csv.reader(lines, **dialect)


def batched(values: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    """The values in order, so many at a time."""
    for start in range(0, len(values), size):
        yield tuple(values[start : start + size])
