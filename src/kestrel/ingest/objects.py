"""The fast roads for newline-delimited JSON: one parallel pass over a file in which DuckDB parses each line once, for the log format that most
of the first lines have. Where all records have numbers and are of the event types of the first lines, the fields come straight from the file.
Otherwise they come from its lines, and what cannot be read that way is set aside for the general road: lines that are not JSON objects,
records of other log formats, dotted names that are paths, lists where log formats read one value."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Any

import duckdb

from kestrel.formats.format import LogFormat, excludes, log_formats
from kestrel.formats.readers import mending, unwrapping
from kestrel.formats.readers.packed import checking, compression
from kestrel.formats.reading import Reading, find, json_path, place
from kestrel.formats.transforms import quoted
from kestrel.ingest.conversion import LONG
from kestrel.ingest.database import EXACT, exact_literal
from kestrel.ingest.lines import TOGETHER, Part, at_once, measuring, together, validity, weight

ASIDE, SIZE = "$aside", "$size"
"""Columns of `events` for the time of a pass: a line that is set aside, and the bytes of each line."""
OF_A_PASS = {ASIDE: "VARCHAR", SIZE: "UINTEGER"}
FEW = 3
"""The number of event types for which a file is uniform."""
MANY = 40
"""Dotted names that are looked for as fields; where there are more, a search of the line is quicker to plan."""
COMMON = "zqjxkvbw_ygpfmucdlhrsnioate"
"""Letters of names, the rarest first."""
Insert = Callable[[duckdb.DuckDBPyConnection, str], int]
"""Adds the rows of a SELECT to `events`, and returns their number."""


class FirstPass:
    """How records of one log format are recognised and read without changing their lines. `reading`: what is read."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.log_format = reading.log_format

    def of_lines(self, lines: str, few: bool = False, also: str = "") -> str:
        """A SELECT of the columns over lines `l` with `src`, and of ASIDE and SIZE, and `also` another column of the lines. `few`: whether planning
        takes longer than reading the lines: then dotted names and lists are searched for in their text."""
        searched = few or len(self._spelt[1]) > MANY
        structure = self._undotted if searched else self.structure
        parsed = f"CASE WHEN starts_with(l, '{{') THEN try(from_json(l, {quoted(json.dumps(structure))})) END AS j"
        tests = [*self._format_tests("j."), *([f"NOT {mending.is_list_elsewhere()}"] if few else self._list_tests("j."))]
        names = mending.dotted() if few else mending.dotted_names(self._undotted | self._lacking)
        tests += [f"NOT regexp_matches(l, {quoted(names)})"] if searched else self._name_tests("j.", self._spelt[1])
        tests += [] if searched else [f"NOT contains(l, {quoted(_rare_end(first) + '.')})" for first in self._lacking]
        aside = f'CASE WHEN ({" AND ".join(tests)}) IS NOT true THEN l END AS "{ASIDE}"'
        rows = f'(SELECT *, {aside}, strlen(l)::UINTEGER AS "{SIZE}" FROM (SELECT *, {parsed} FROM {lines} WHERE l IS NOT NULL))'
        kept = ", ".join(filter(None, (f'"{ASIDE}"', f'"{SIZE}"', also)))
        return self.reading.select(rows, "l", "j", kept, lists_are_text=True, few=few)

    def tests(self, base: str) -> list[str]:
        """SQL of what is true for a record that can be read without its line. `base`: where the structure is."""
        return [*self._format_tests(base), *self._list_tests(base)]

    def events_of(self, lines: str) -> str:
        """A SELECT of the event types of lines `l`, each a sensor and a code."""
        tree: dict[str, Any] = {}
        for path in self.reading.of_event():
            place(tree, path, "VARCHAR")
        parsed = f"SELECT CASE WHEN starts_with(l, '{{') THEN try(from_json(l, {quoted(json.dumps(tree))})) END AS j, l FROM {lines}"
        columns = self.reading.event_columns(lambda path: self._of_line(tree, path))
        return f"SELECT DISTINCT {columns} FROM ({parsed})"

    @staticmethod
    def _of_line(tree: Mapping[str, Any], path: tuple[str, ...]) -> str:
        """SQL of a field of a line: from what was parsed, or from the line where another field has its name in another case."""
        if find(dict(tree), path) is not None:
            return ".".join(("j", *(f'"{part}"' for part in path)))
        return f"json_extract_string(l, {json_path(path)})"

    def of_file(self, part: Part) -> str:
        """A SELECT of the columns straight from a file. It fails at a record that has to be set aside."""
        others = [path for path in mending.of_record(files=True) if path[0] in self._lacking]
        structure, names = self.structure | {".".join(path): "VARCHAR" for path in others}, [f'"{".".join(path)}"' for path in others]
        fields = ", ".join(f"{quoted(n)}: {quoted(_sql_type(t))}" for n, t in structure.items())
        options = f"columns={{{fields}}}, maximum_object_size={LONG * 16}, compression={quoted(compression(part.lines.file))}"
        records = f"read_json({exact_literal(part.lines.file)}, {EXACT}, format='newline_delimited', {options})"
        tests = [*self._format_tests(""), *self._list_tests(""), *self._name_tests("", [*self._spelt[1], *names])]
        plain = f"CASE WHEN ({' AND '.join(tests)}) IS true THEN true ELSE error('a record to be set aside') END"
        return self.reading.select(f"(SELECT *, {part.number}::UINTEGER AS src FROM {records} WHERE {plain})", None, lists_are_text=True)

    @property
    def structure(self) -> dict[str, Any]:
        """What is parsed: the fields of the log format, and those that tell others; both also as dotted names."""
        return self._spelt[0]

    @cached_property
    def is_complete(self) -> bool:
        """Whether all fields that tell other log formats have a place in the structure."""
        return all(find(self._undotted, path) is not None for path in self._others())

    @cached_property
    def _spelt(self) -> tuple[dict[str, Any], list[str]]:
        """The fields to parse with their dotted names, and the SQL of those names."""
        return mending.spellings(self._undotted)

    @cached_property
    def _undotted(self) -> dict[str, Any]:
        tree: dict[str, Any] = _as_text(self.reading.structure)
        for path in self._others():
            place(tree, path, "VARCHAR")
        return tree

    @cached_property
    def _lacking(self) -> dict[str, Any]:
        """What log formats read below the fields that this one lacks."""
        return {path[0]: below for path in self.log_format.lacks if (below := mending.vocabulary().get(path[0]))}

    def _others(self) -> Iterator[tuple[str, ...]]:
        yield from self.log_format.lacks
        for other in self._tried_before():
            for group in other.marks:
                yield from group

    def _tried_before(self) -> Iterator[LogFormat]:
        """The log formats with more marks that could recognise a record of this one."""
        others = takewhile(lambda f: f is not self.log_format, log_formats().values())
        return (f for f in others if not excludes(f, self.log_format) and not excludes(self.log_format, f))

    def _format_tests(self, base: str) -> Iterator[str]:
        """SQL that is true for a record of the log format. `base`: where the structure is."""
        yield self._has_all(base, self.log_format.marks)
        yield from (f"{self._value(base, path)} IS NULL" for path in self.log_format.lacks)
        yield from (f"NOT ({self._has_all(base, other.marks)})" for other in self._tried_before())

    def _list_tests(self, base: str) -> Iterator[str]:
        """SQL that is true for a record with lists just where log formats read them."""
        yield f"NOT {mending.holds_list(self.reading.structure, base)}"
        for path, kind in mending.leaves(self.reading.structure):
            if kind.endswith("[]"):
                yield f"coalesce(starts_with({self._value(base, path)}, '['), true)"

    def _name_tests(self, base: str, names: Sequence[str]) -> Iterator[str]:
        """SQL that is true for a record without these dotted names of paths."""
        return (f"{base}{name} IS NULL" for name in names)

    def _has_all(self, base: str, groups: Sequence[Sequence[tuple[str, ...]]]) -> str:
        return " AND ".join(f"({' OR '.join(f'{self._value(base, path)} IS NOT NULL' for path in group)})" for group in groups)

    def _value(self, base: str, path: tuple[str, ...]) -> str:
        """SQL of the value of a field; where the structure has no place for it, what is NULL for lines without its name."""
        if find(self._undotted, path) is not None:
            return base + ".".join(f'"{part}"' for part in path)
        return f"nullif(contains(l, {quoted(path[-1] + chr(34))}), false)"


def _as_text(structure: Mapping[str, Any]) -> dict[str, Any]:
    """A raw structure in which every field is text: a list is its JSON."""
    return {name: _as_text(kind) if isinstance(kind, Mapping) else "VARCHAR" for name, kind in structure.items()}


def _rare_end(name: str) -> str:
    """The end of a name from its rarest letter on, but not much of it left out: a search for that is quickest."""
    return name[min(range(max(1, len(name) - 5)), key=lambda n: (COMMON.find(name[n]), n)) :]


def is_few(parts: Sequence[Part]) -> bool:
    """Whether planning how to read files takes longer than reading them."""
    return sum(weight(part.lines.file) for part in parts) <= TOGETHER


def suits(lines: Sequence[str]) -> bool:
    """Whether most of these lines can be read as they are."""
    return sum(mending.expanded(line).texts == (line,) == tuple(unwrapping.unwrapped(line)) for line in lines) * 2 > len(lines)


def read_uniform(
    con: duckdb.DuckDBPyConnection,
    part: Part,
    log_format: LogFormat,
    wanted: Collection[str] | None,
    records: Sequence[Mapping[str, Any]],
    insert: Insert,
) -> int | None:
    """Read a uniform newline-delimited file into `events`; the number of its records. `records`: the first ones. None, with nothing changed,
    where the file is not uniform."""
    events = {log_format.event_of(record) for record in records}
    first = FirstPass(Reading(log_format, wanted, events))
    if len(events) > FEW or not first.is_complete or {code for _, code in events} & set(first.reading.lossy()):
        return None
    new = f"rowid >= {next_row(con)}"
    whole = checking(part.lines.file)
    con.execute("BEGIN")
    try:
        read = insert(con, first.of_file(part))
        is_uniform = con.execute(f"SELECT count(*) = 0 FROM events WHERE {new} AND rec IS NULL").fetchone() == (True,)
        seen = con.execute(f"SELECT DISTINCT sensor, CASE WHEN sensor > 0 THEN code ELSE 0 END FROM events WHERE {new}").fetchall()
        if is_uniform and events.issuperset(seen) and whole():
            con.execute("COMMIT")
            return read
    except duckdb.InterruptException:
        con.execute("ROLLBACK")
        raise
    except duckdb.Error:
        pass
    con.execute("ROLLBACK")
    return None


def read_mixed(con: duckdb.DuckDBPyConnection, parts: Sequence[Part], reading: Reading, insert: Insert) -> tuple[int, int] | None:
    """Read newline-delimited files into `events`, and put what is set aside into `raw_lines`; the number of records read, and that of lines
    set aside. None, with nothing changed, where DuckDB cannot read all lines of the files."""
    new = f"rowid >= {next_row(con)}"
    are_whole = measuring([part for part in parts if part.lines.plain])
    con.execute("BEGIN")
    try:
        first = FirstPass(reading)
        if is_few(parts):
            con.execute(f"CREATE OR REPLACE TEMP TABLE few_lines AS SELECT * FROM {together(parts)}")
            lines = at_once(con, "few_lines")
            events = set(con.execute(first.events_of(lines)).fetchall())
            read = insert(con, FirstPass(Reading(reading.log_format, reading.wanted, events)).of_lines(lines, few=True))
            con.execute("DROP TABLE few_lines")
        else:
            read = insert(con, first.of_lines(together(parts)))
    except duckdb.InterruptException:
        con.execute("ROLLBACK")
        raise
    except duckdb.Error:
        con.execute("ROLLBACK")
        return None
    found = con.execute(f'SELECT src, count(*), sum("{SIZE}") FROM events WHERE {new} GROUP BY src').fetchall()
    if not are_whole({src: (number, size) for src, number, size in found}):
        con.execute("ROLLBACK")
        return None
    aside = set_aside(con, new)
    con.execute("COMMIT")
    return read - aside, aside


def set_aside(con: duckdb.DuckDBPyConnection, new: str) -> int:
    """Move what is set aside from `events` into `raw_lines`; how many lines. `new`: SQL that is true for the rows of the pass."""
    con.execute(f'INSERT INTO raw_lines BY NAME SELECT "{ASIDE}" AS l, {validity("l")} AS valid, src FROM events WHERE {new} AND l IS NOT NULL')
    row = con.execute(f'DELETE FROM events WHERE {new} AND "{ASIDE}" IS NOT NULL').fetchone()
    return int(row[0]) if row else 0


def next_row(con: duckdb.DuckDBPyConnection) -> int:
    """The number of the row that `events` gets next."""
    row = con.execute("SELECT coalesce(max(rowid) + 1, 0) FROM events").fetchone()
    return int(row[0]) if row else 0


def _sql_type(kind: Any) -> str:
    if isinstance(kind, dict):
        return "STRUCT(" + ", ".join(f'"{n}" {_sql_type(t)}' for n, t in kind.items()) + ")"
    return str(kind)
