"""The raw lines of records: read again from the files, for the few that are shown."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import duckdb

from kestrel.errors import KestrelError
from kestrel.formats.format import LogFormat, log_formats
from kestrel.formats.reading import Reading
from kestrel.formats.transforms import quoted
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.file_states import CLOSED, FOLDER, MISSING, state_of
from kestrel.ingest.lines import batches, hold, mend, parts_of, prepare
from kestrel.ingest.sql import fresh
from kestrel.scratch import prefix
from kestrel.text import path_text

BECAME = {MISSING: "has been deleted", FOLDER: "is no longer a file", CLOSED: "can no longer be opened"}
"""What happened to a file that can no longer be read, by its state."""
CHANGED = "has changed since it was read"


class NoRawLines(KestrelError):
    """The file with the raw lines has changed since the variable's records were read."""

    code: ClassVar[str] = "K0372"

    def __init__(self, variable: str, file: str, state: str) -> None:
        super().__init__(
            f"the raw lines of `{variable}` cannot be read again: `{path_text(file)}` {BECAME.get(state, CHANGED)}",
            None,
            "raw lines are not kept, all other attributes are" + ("" if state in BECAME else "; a new GET reads the file as it is now"),
        )


def originals(con: duckdb.DuckDBPyConnection, dataset: Dataset, wanted: str, variable: str) -> str:
    """A table of rec and line for the records in `wanted`, a table with a column rec. Of equal lines one is given. `variable`: whose
    records they are. Raises NoRawLines."""
    files = con.execute(
        f"SELECT DISTINCT f.src, f.path, f.log_format, f.state FROM {dataset.events.table} e SEMI JOIN {wanted} w ON w.rec = e.rec "
        f"JOIN {dataset.name}.files f ON f.src = e.src ORDER BY f.src"
    ).fetchall()
    before = [(path, state) for _, path, _, state in files if state is not None]
    _check(before, variable)
    found = fresh("found")
    con.execute(f"CREATE TEMP TABLE {found} (rec UBIGINT, line VARCHAR)")
    with tempfile.TemporaryDirectory(prefix=prefix()) as scratch:
        for log_format in dict.fromkeys(log_format for _, _, log_format, _ in files):
            parts = (part for _, path, s, _ in files if s == log_format for part in parts_of(0, Path(path), Path(scratch), {}))
            for batch in batches(parts):
                prepare(con)
                hold(con, batch, Path(scratch), {})
                mend(con, Path(scratch), [f for f in log_formats().values() if f.name in dataset.account.log_formats])
                for one in dict.fromkeys([*([log_formats()[log_format]] if log_format else []), *log_formats().values()]):
                    con.execute(f"INSERT INTO {found} {_keyed(one)} SEMI JOIN {wanted} w ON w.rec = k.rec")
                for part in batch:
                    part.lines.discard()
    con.execute("DROP TABLE IF EXISTS raw_lines")
    _check(before, variable)
    table = fresh("lines")
    con.execute(f"CREATE TEMP TABLE {table} AS SELECT rec, min(line) AS line FROM {found} GROUP BY rec")
    return table


def _check(before: Sequence[tuple[str, str]], variable: str) -> None:
    for file, state in before:
        if (now := state_of(file)) != state:
            raise NoRawLines(variable, file, now)


def _keyed(log_format: LogFormat) -> str:
    """SELECT of the key and the line of every record of a log_format in `raw_lines`."""
    reading = Reading(log_format, wanted=())
    columns = f"l, coalesce(original, l) AS line, coalesce(key, l) AS key, from_json(l, {quoted(json.dumps(reading.structure))}) AS j, src"
    parsed = f"(SELECT {columns} FROM raw_lines WHERE valid AND part IS NULL)"
    rows = f"(SELECT * FROM {parsed} WHERE {reading.recognised('j')})"
    return f"SELECT k.rec, k.line FROM ({reading.select(rows, 'l', 'j', also='line', key='key')}) k"
