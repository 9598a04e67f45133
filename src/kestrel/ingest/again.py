"""Records read again from their files, for what is not kept of them: raw lines, fields that no log format maps, every value.

Each record has the key that it had when it was first read (decision 008), by the same roads: lines that can be read as they are in one
parallel pass, the others after they were mended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from kestrel.formats.format import LogFormat, log_formats
from kestrel.formats.reading import Reading
from kestrel.formats.transforms import quoted
from kestrel.ingest.lines import Part, at_once, batches, hold, measuring, mend, parts_of, prepare, together, validity
from kestrel.ingest.objects import ASIDE, FirstPass, suits
from kestrel.ingest.reader import formats_of, sample
from kestrel.ingest.sql import fresh

ORIGINAL, RECORD = "line", "l"
"""A record as it is written in its file, and as it is read: mended, without wrappers, its dotted names as paths."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a dataset, and the log format that its source gives it."""

    path: Path
    log_format: str | None


def take(
    con: duckdb.DuckDBPyConnection,
    files: Sequence[File],
    formats: Collection[str],
    scratch: Path,
    columns: Callable[[LogFormat], str],
    where: Callable[[LogFormat], str],
) -> str:
    """A table of the key `rec` and `columns` of each record of some files for which `where` holds, both SQL over ORIGINAL and RECORD. `formats`: the
    log formats of the records. `scratch`: a folder for copies. The files must be as they were when their records were first read."""
    table = fresh("taken")
    taking = _Taking(con, table, scratch, [f for f in log_formats().values() if f.name in formats], columns, where)
    for given, group in groupby(files, key=lambda f: f.log_format):
        for batch in batches(part for file in group for part in parts_of(0, file.path, scratch, {})):
            taking.take(batch, log_formats()[given] if given else None)
            for part in batch:
                part.lines.discard()
    con.execute("DROP TABLE IF EXISTS raw_lines")
    if not taking.made:
        con.execute(f"CREATE TEMP TABLE {table} AS SELECT 0::UBIGINT AS rec, {taking.nothing()} WHERE false")
    return table


def first_records(con: duckdb.DuckDBPyConnection, paths: Sequence[Path], scratch: Path, number: int) -> Iterator[dict[str, Any]]:
    """The first records of files, as they are read."""
    left = number
    for path in paths:
        for part in parts_of(0, path, scratch, {}):
            prepare(con)
            lines = f"SELECT l FROM {part.lines.relation} WHERE l IS NOT NULL LIMIT {left}"
            con.execute(f"INSERT INTO raw_lines SELECT l, {validity('l')}, 0, NULL, NULL, NULL FROM ({lines})")
            mend(con, scratch, ())
            found = con.execute(f"SELECT l FROM raw_lines WHERE valid AND part IS NULL LIMIT {left}").fetchall()
            con.execute("DROP TABLE raw_lines")
            part.lines.discard()
            yield from (json.loads(line) for (line,) in found)
            left -= len(found)
            if left <= 0:
                return


@dataclass
class _Taking:
    con: duckdb.DuckDBPyConnection
    table: str
    scratch: Path
    formats: Sequence[LogFormat]
    columns: Callable[[LogFormat], str]
    where: Callable[[LogFormat], str]
    made: bool = False

    def take(self, parts: Sequence[Part], given: LogFormat | None) -> None:
        prepare(self.con)
        left = [part for batch in self._as_they_are(parts, given) for part in batch]
        hold(self.con, left, self.scratch, {})
        mend(self.con, self.scratch, formats_of(sample(self.con, "raw_lines")))
        for log_format in [given] if given else self.formats:
            reading = Reading(log_format, wanted=())
            j = f"from_json(l, {quoted(json.dumps(reading.structure))}) AS j"
            kept = f"l, coalesce(original, l) AS {ORIGINAL}, coalesce(key, l) AS key, src, {j}"
            parsed = f"SELECT {kept} FROM {at_once(self.con, 'raw_lines')} WHERE valid AND part IS NULL"
            rows = f"(SELECT * FROM ({parsed}) WHERE {reading.recognised('j', 'l')})"
            self._add(f"({reading.select(rows, 'l', 'j', also=f'l, {ORIGINAL}', key='key')})", log_format)
            if log_format is not self.formats[-1]:
                again = f"SELECT rowid AS row, l, {j} FROM raw_lines WHERE valid AND part IS NULL"
                self.con.execute(f"DELETE FROM raw_lines WHERE rowid IN (SELECT row FROM ({again}) WHERE {reading.recognised('j', 'l')})")

    def nothing(self) -> str:
        """SQL of the columns of no record."""
        return f"* FROM (SELECT {self.columns(self.formats[0]) if self.formats else 'NULL AS none'} FROM (SELECT NULL AS l, NULL AS {ORIGINAL}))"

    def _as_they_are(self, parts: Sequence[Part], given: LogFormat | None) -> Iterator[Sequence[Part]]:
        """Take what can be read without changing a line; what is left to the general road."""
        plain = [p for p in parts if p.lines.plain]
        for few in (plain, *([p] for p in parts if p.lines.rows)):
            if few and not self._pass(few, given):
                yield few
        yield [p for p in parts if not p.lines.plain and not p.lines.rows]

    def _pass(self, parts: Sequence[Part], given: LogFormat | None) -> bool:
        lines = together(parts)
        first = sample(self.con, lines)
        found = [given] if given else formats_of(first)
        if not found or not suits(first):
            return False
        try:
            are_whole = measuring([p for p in parts if p.lines.plain])
            counted = f"SELECT src, count(*), sum(strlen(l)) FROM {lines} WHERE l IS NOT NULL GROUP BY src"
            sizes = {src: (number, size) for src, number, size in self.con.execute(counted).fetchall()}
            if not are_whole(sizes) or not all(p.lines.are_all(sizes.get(p.number, (0, 0))[0]) for p in parts if p.lines.rows):
                return False
            chosen = FirstPass(Reading(found[0], wanted=())).of_lines(lines, also=RECORD)
            # No WHERE: a condition over what is set aside would parse each line once for every field in it.
            kept = f"SELECT *, l AS {ORIGINAL} FROM (SELECT * REPLACE (CASE WHEN {self.where(found[0])} THEN l END AS l) FROM ({chosen}))"
            one = fresh("pass")
            self.con.execute(
                f'CREATE TEMP TABLE {one} AS SELECT rec, "{ASIDE}" AS aside, src, l IS NOT NULL AS holds, {self.columns(found[0])} FROM ({kept})'
            )
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            return False
        self.con.execute(f"INSERT INTO raw_lines BY NAME SELECT aside AS l, {validity('aside')} AS valid, src FROM {one} WHERE aside IS NOT NULL")
        self._put(f"SELECT * EXCLUDE (aside, src, holds) FROM {one} WHERE aside IS NULL AND holds")
        self.con.execute(f"DROP TABLE {one}")
        return True

    def _add(self, rows: str, log_format: LogFormat) -> None:
        self._put(f"SELECT rec, {self.columns(log_format)} FROM {rows} WHERE {self.where(log_format)}")

    def _put(self, select: str) -> None:
        self.con.execute(f"INSERT INTO {self.table} {select}" if self.made else f"CREATE TEMP TABLE {self.table} AS {select}")
        self.made = True
