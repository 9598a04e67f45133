"""The fast road for Parquet and CSV: the fields of a log format come straight from the columns of the table, in one pass. The text of a row is
made only where it is needed: as the key of a record without number, and for rows that are set aside for the general road."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import duckdb

from kestrel.formats.reading import Reading
from kestrel.ingest.conversion import TEXT_OF_ROW
from kestrel.ingest.lines import Part, validity
from kestrel.ingest.objects import ASIDE, SIZE, FirstPass, next_row

Insert = Callable[[duckdb.DuckDBPyConnection, str], int]


class Columns:
    """The columns of a table. Their names differ in more than their case, as DuckDB's do."""

    def __init__(self, con: duckdb.DuckDBPyConnection, rows: str) -> None:
        described = con.sql(f"SELECT * FROM {rows} LIMIT 0")
        self.types: dict[str, Any] = dict(zip(described.columns, described.types, strict=True))

    def struct(self, structure: Mapping[str, Any]) -> str:
        """SQL of a struct with these fields as text, over a row `t`."""
        return self._struct(structure, "t", self.types)

    def _struct(self, structure: Mapping[str, Any], base: str, types: Mapping[str, Any]) -> str:
        fields = []
        for name, kind in structure.items():
            known = types.get(name)
            value = f"{base}.{_quoted(name)}"
            if isinstance(kind, Mapping):
                inner = dict(known.children) if known is not None and known.id == "struct" else {}
                fields.append(f"{_quoted(name)} := {self._struct(kind, value, inner)}")
            else:
                fields.append(f"{_quoted(name)} := {'NULL::VARCHAR' if known is None else _text(value, known)}")
        return f"struct_pack({', '.join(fields)})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str, kind: Any) -> str:
    if kind.id == "varchar":
        return f"json_extract_string({value}, '$')" if str(kind) == "JSON" else value
    return f"to_json({value})::VARCHAR" if kind.id in ("list", "array", "struct", "map", "union") else f"CAST({value} AS VARCHAR)"


def read_table(con: duckdb.DuckDBPyConnection, part: Part, reading: Reading, insert: Insert) -> tuple[int, int] | None:
    """Read a table into `events`, and put what is set aside into `raw_lines`; the number of records read, and that of rows set aside. None,
    with nothing changed, where DuckDB cannot read the table, or lists stand where the log format reads one value."""
    new = f"rowid >= {next_row(con)}"
    con.execute("BEGIN")
    try:
        columns = Columns(con, str(part.lines.rows))
        if not _fits(reading.structure, columns.types):
            con.execute("ROLLBACK")
            return None
        events = set(con.execute(f"SELECT DISTINCT {reading.event_columns('j')} FROM {_rows(part, FirstPass(reading), columns)}").fetchall())
        first = FirstPass(Reading(reading.log_format, reading.wanted, events))
        tests = " AND ".join(first.tests("j."))
        aside = f'CASE WHEN ({tests}) IS NOT true THEN {TEXT_OF_ROW} END AS "{ASIDE}"'
        rows = f'(SELECT *, {aside}, 0::UINTEGER AS "{SIZE}" FROM {_rows(part, first, columns)})'
        read = insert(con, first.reading.select(rows, TEXT_OF_ROW, "j", f'"{ASIDE}", "{SIZE}"', lists_are_text=True))
    except duckdb.InterruptException:
        con.execute("ROLLBACK")
        raise
    except duckdb.Error:
        con.execute("ROLLBACK")
        return None
    row = con.execute(f'SELECT count("{ASIDE}") FROM events WHERE {new}').fetchone()
    aside_rows = int(row[0]) if row else 0
    if aside_rows:
        con.execute(f'INSERT INTO raw_lines BY NAME SELECT "{ASIDE}" AS l, {validity("l")} AS valid, src FROM events WHERE {new} AND l IS NOT NULL')
        con.execute(f'DELETE FROM events WHERE {new} AND "{ASIDE}" IS NOT NULL')
    con.execute("COMMIT")
    return read - aside_rows, aside_rows


def _rows(part: Part, first: FirstPass, columns: Columns) -> str:
    return f"(SELECT t, {columns.struct(first.structure)} AS j, {part.number}::UINTEGER AS src FROM {part.lines.rows} t)"


def _fits(structure: Mapping[str, Any], types: Mapping[str, Any]) -> bool:
    """Whether columns that the log format reads are of a form that can be read as they are: no text where it reads fields of an object."""
    return not any(isinstance(kind, Mapping) and name in types and types[name].id != "struct" for name, kind in structure.items())
