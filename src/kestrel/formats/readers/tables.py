"""Tables as text (CSV, TSV and their like): what separates the columns and what they are called."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from kestrel.text import csv_rows, lines_in

DELIMITERS = (",", "\t", ";", "|")
NAME = re.compile(r"[A-Za-z_@#$][^\"{}<>=\n]{0,127}")
ZONE = re.compile(r"\s*[\[(]UTC[\])]$")
"""What Log Analytics puts behind the name of a column of times."""
WORDS = 5
"""The number of words from which a text is no name of a column."""
ROWS = 5
"""Rows that are compared with the header."""


@dataclass(frozen=True, slots=True)
class Table:
    """`names` of the columns; `skipped`: lines before the header."""

    delimiter: str
    names: tuple[str, ...]
    skipped: int


def table_of(begin: str) -> Table | None:
    """The table that a text begins, or None: a header of two names or more, and as many values in the rows after it."""
    lines = lines_in(begin)
    skipped = 0
    while skipped < len(lines) and (lines[skipped].startswith(("#TYPE ", "sep=")) or not lines[skipped].strip()):
        skipped += 1
    if skipped == len(lines) or lines[skipped].lstrip().startswith(("{", "[", "<")):
        return None
    whole = begin.endswith("\n")
    for delimiter in DELIMITERS:
        rows = list(islice(_rows(lines[skipped:], delimiter), ROWS + 1))
        header = rows[0] if rows else []
        following = rows[1:] if whole or len(rows) > ROWS else rows[1:-1]
        if len(header) > 1 and all(_is_name(n, i) for i, n in enumerate(header)) and all(len(row) == len(header) for row in following):
            names = (ZONE.sub("", text.strip()) or f"column {place}" for place, text in enumerate(header, 1))
            return Table(delimiter, tuple(unique(names, str)), skipped)
    return None


def _rows(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    try:
        yield from (row for row in csv_rows(lines, delimiter=delimiter) if row)
    except csv.Error:
        return


def _is_name(text: str, place: int) -> bool:
    name = text.strip()
    return (not name and place == 0) or (NAME.fullmatch(name) is not None and len(name.split()) <= WORDS)


def unique(names: Iterable[str], key: Callable[[str], str] = str.casefold) -> Iterator[str]:
    """Names of which the second and further ones that are equal have a number; `key`: what is compared, DuckDB folds the case."""
    seen: set[str] = set()
    for place, name in enumerate(names, 1):
        while key(name) in seen:
            name += f" {place}"
        seen.add(key(name))
        yield name


def has_rows(content: Callable[[], Iterable[bytes]], table: Table, number: int) -> bool:
    """Whether a table has this number of rows, by its lines, else (where values contain line ends) by the rules of CSV."""
    lines, last = 0, b"\n"
    for block in content():
        lines += block.count(b"\n")
        last = block[-1:]
    if lines + (last != b"\n") - 1 - table.skipped == number:
        return True
    text = codecs.iterdecode(content(), "utf-8", "replace")
    return sum(1 for row in csv_rows(lines_of(text), delimiter=table.delimiter) if row) - 1 - table.skipped == number


def lines_of(parts: Iterable[str]) -> Iterator[str]:
    """The lines of a text that arrives in parts, with their ends."""
    waiting = ""
    for part in parts:
        *lines, waiting = lines_in(waiting + part) or [""]
        yield from lines
    if waiting:
        yield from lines_in(waiting)


def records(lines: Iterable[str], table: Table) -> Iterator[dict[str, str] | str]:
    """The rows of a table as records without their empty values; a row with another number of values as its text."""
    source = iter(lines)
    for _ in range(table.skipped):
        next(source, None)
    rows = csv_rows(source, delimiter=table.delimiter)
    next(rows, None)
    for row in rows:
        if len(row) == len(table.names):
            yield {name: value for name, value in zip(table.names, row, strict=True) if value}
        elif any(row):
            yield table.delimiter.join(row)
