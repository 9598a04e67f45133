"""The raw lines of records: read again from the files, for the few that are shown."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import duckdb

from kestrel.graph.steps import Source
from kestrel.schemas.shape import Reading, Shape, shapes
from kestrel.schemas.transforms import quoted
from kestrel.store.lines import Lines, careful, complete, lines_of
from kestrel.store.variable import fresh


def originals(con: duckdb.DuckDBPyConnection, sources: tuple[Source, ...], wanted: str) -> str:
    """A table of rec and line for the records in `wanted`, a table with a column rec. Of equal lines one is given."""
    found = fresh("found")
    con.execute(f"CREATE TEMP TABLE {found} (rec UBIGINT, line VARCHAR)")
    with tempfile.TemporaryDirectory(prefix="kestrel-") as scratch:
        for source in sources:
            for name in source.files:
                path = Path(name)
                for lines in lines_of(con, path, Path(scratch)):
                    kept = lines if complete(con, lines) else careful(path, Path(scratch))
                    for shape in [shapes()[source.shape]] if source.shape else shapes().values():
                        con.execute(f"INSERT INTO {found} {_keyed(con, kept, shape)} SEMI JOIN {wanted} w ON w.rec = k.rec")
    table = fresh("lines")
    con.execute(f"CREATE TEMP TABLE {table} AS SELECT rec, min(line) AS line FROM {found} GROUP BY rec")
    return table


def _keyed(con: duckdb.DuckDBPyConnection, lines: Lines, shape: Shape) -> str:
    """SELECT of the key and the line of every record of a shape."""
    reading = Reading(shape, wanted=())
    text = f"(SELECT l FROM {lines.relation} WHERE l IS NOT NULL AND json_valid(l))"
    if lines.long:
        con.execute("CREATE OR REPLACE TEMP TABLE long_lines (l VARCHAR)")
        con.executemany("INSERT INTO long_lines VALUES (?)", [[line] for line in lines.long])
        text = f"(SELECT l FROM {text} UNION ALL SELECT l FROM long_lines WHERE json_valid(l))"
    parsed = f"(SELECT l, from_json(l, {quoted(json.dumps(reading.structure))}) AS j, 0::USMALLINT AS src FROM {text})"
    rows = f"(SELECT * FROM {parsed} WHERE {reading.recognised('j')})"
    return f"SELECT k.rec, k.l FROM ({reading.select(rows, 'l', 'j', also='l')}) k"
