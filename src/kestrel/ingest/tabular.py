"""The fast road for Parquet and CSV: the fields of a log format come straight from the columns of the table, in one pass. The text of a row is
made only where it is needed: as the key of a record without number, and for rows that are set aside for the general road."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from kestrel.formats.reading import Reading
from kestrel.formats.transforms import quoted
from kestrel.ingest.conversion import Named
from kestrel.ingest.lines import Part
from kestrel.ingest.objects import ASIDE, SIZE, FirstPass, Insert, next_row, set_aside
from kestrel.ingest.sql import quoted_name


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a row: its SQL, its type, and what the fields in it are called in the file."""

    sql: str
    kind: Any
    names: Sequence[Named] = ()

    def inner(self, wanted: Iterable[str]) -> dict[str, Value] | None:
        """The fields of an object, by name; None for what is none."""
        if self.kind.id == "struct":
            children = self.kind.children
            names = [n.name for n in self.names] if len(self.names) == len(children) else [name for name, _ in children]
            below = [n.inner for n in self.names] if len(self.names) == len(children) else [()] * len(children)
            found = zip(names, children, below, strict=True)
            return {name: Value(f"{self.sql}.{quoted_name(as_read)}", kind, deeper) for name, (as_read, kind), deeper in found}
        if self.kind.id == "map":
            kind = dict(self.kind.children)["value"]
            return {name: Value(f"map_extract_value({self.sql}, {quoted(name)})", kind) for name in wanted}
        if str(self.kind) == "JSON":
            return {name: Value(f"json_extract({self.sql}, {quoted('$.' + json.dumps(name))})", self.kind) for name in wanted}
        return None

    def text(self) -> str:
        """SQL of the value as text."""
        if str(self.kind) == "JSON":
            return f"json_extract_string({self.sql}, '$')"
        if self.kind.id == "varchar":
            return self.sql
        return f"to_json({self.sql})::VARCHAR" if self.kind.id in ("list", "array", "struct", "map", "union") else f"CAST({self.sql} AS VARCHAR)"


class Columns:
    """The columns of a table by their names in the file."""

    def __init__(self, con: duckdb.DuckDBPyConnection, part: Part) -> None:
        described = con.sql(f"SELECT * FROM {part.lines.rows} LIMIT 0")
        of_file = zip(part.lines.names, described.columns, described.types, strict=True)
        self.values = {n.name: Value(f"t.{quoted_name(column)}", kind, n.inner) for n, column, kind in of_file}

    def struct(self, structure: Mapping[str, Any]) -> str:
        """SQL of a struct with these fields as text, over a row `t`."""
        return _struct(structure, self.values)

    def at(self, path: Sequence[str]) -> str:
        """SQL of the field at a path as text."""
        values: Mapping[str, Value] | None = self.values
        for place, name in enumerate(path, 1):
            value = (values or {}).get(name)
            if value is None or place == len(path):
                return value.text() if value else "NULL::VARCHAR"
            values = value.inner(path)
        return "NULL::VARCHAR"

    def fit(self, structure: Mapping[str, Any]) -> bool:
        """Whether no column is text where the log format reads fields of an object."""
        nested = ((name, kind) for name, kind in structure.items() if isinstance(kind, Mapping) and name in self.values)
        return all(self.values[name].inner(kind) is not None for name, kind in nested)


def _struct(structure: Mapping[str, Any], known: Mapping[str, Value]) -> str:
    return f"struct_pack({', '.join(f'{quoted_name(name)} := {_field(kind, known.get(name))}' for name, kind in structure.items())})"


def _field(kind: Any, value: Value | None) -> str:
    if isinstance(kind, Mapping):
        return _struct(kind, (value.inner(kind) if value else None) or {})
    return value.text() if value else "NULL::VARCHAR"


def read_table(con: duckdb.DuckDBPyConnection, part: Part, reading: Reading, insert: Insert) -> tuple[int, int] | None:
    """Read a table into `events`, and put what is set aside into `raw_lines`; the number of records read, and that of rows set aside. None,
    with nothing changed, where DuckDB cannot read the table, or lists stand where the log format reads one value."""
    new = f"rowid >= {next_row(con)}"
    con.execute("BEGIN")
    try:
        columns = Columns(con, part)
        if not columns.fit(reading.structure):
            con.execute("ROLLBACK")
            return None
        events = set(con.execute(f"SELECT DISTINCT {reading.event_columns(columns.at)} FROM {part.lines.rows} t").fetchall())
        first = FirstPass(Reading(reading.log_format, reading.wanted, events))
        tests = " AND ".join(first.tests("j."))
        aside = f'CASE WHEN ({tests}) IS NOT true THEN {part.lines.text} END AS "{ASIDE}"'
        rows = f'(SELECT *, {aside}, 0::UINTEGER AS "{SIZE}" FROM {_rows(part, first, columns)})'
        beside = {path: f'"$beside{n}"' for n, path in enumerate(sorted(first.reading.apart))}
        read = insert(con, first.reading.select(rows, part.lines.text, "j", f'"{ASIDE}", "{SIZE}"', lists_are_text=True, beside=beside))
    except duckdb.InterruptException:
        con.execute("ROLLBACK")
        raise
    except duckdb.Error:
        con.execute("ROLLBACK")
        return None
    if not part.lines.are_all(read):
        con.execute("ROLLBACK")
        return None
    aside_rows = set_aside(con, new)
    con.execute("COMMIT")
    return read - aside_rows, aside_rows


def _rows(part: Part, first: FirstPass, columns: Columns) -> str:
    """A FROM item of the rows: `t`, the fields as a struct, and those that have no place in it as columns of their own."""
    beside = "".join(f', {columns.at(path)} AS "$beside{n}"' for n, path in enumerate(sorted(first.reading.apart)))
    return f"(SELECT t, {columns.struct(first.structure)} AS j{beside}, {part.number}::UINTEGER AS src FROM {part.lines.rows} t)"
