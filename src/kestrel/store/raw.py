"""The raw lines of records: read again from the files, for the few that are shown."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import duckdb

from kestrel.graph.steps import Source
from kestrel.schemas.shape import Reading, Shape, shapes
from kestrel.schemas.transforms import quoted
from kestrel.scratch import prefix
from kestrel.store.lines import Part, batches, hold, lines_of
from kestrel.store.variable import fresh


def originals(con: duckdb.DuckDBPyConnection, sources: tuple[Source, ...], wanted: str) -> str:
    """A table of rec and line for the records in `wanted`, a table with a column rec. Of equal lines one is given."""
    found = fresh("found")
    con.execute(f"CREATE TEMP TABLE {found} (rec UBIGINT, line VARCHAR)")
    with tempfile.TemporaryDirectory(prefix=prefix()) as scratch:
        for source in sources:
            parts = (Part(0, Path(name), lines) for name in source.files for lines in lines_of(Path(name), Path(scratch)))
            for batch in batches(parts):
                hold(con, batch, Path(scratch))
                for shape in [shapes()[source.shape]] if source.shape else shapes().values():
                    con.execute(f"INSERT INTO {found} {_keyed(shape)} SEMI JOIN {wanted} w ON w.rec = k.rec")
    con.execute("DROP TABLE IF EXISTS raw_lines")
    table = fresh("lines")
    con.execute(f"CREATE TEMP TABLE {table} AS SELECT rec, min(line) AS line FROM {found} GROUP BY rec")
    return table


def _keyed(shape: Shape) -> str:
    """SELECT of the key and the line of every record of a shape in `raw_lines`."""
    reading = Reading(shape, wanted=())
    parsed = f"(SELECT l, from_json(l, {quoted(json.dumps(reading.structure))}) AS j, src FROM raw_lines WHERE valid)"
    rows = f"(SELECT * FROM {parsed} WHERE {reading.recognised('j')})"
    return f"SELECT k.rec, k.l FROM ({reading.select(rows, 'l', 'j', also='l')}) k"
