"""The raw lines of records: read again from the files, for the few that are shown."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import duckdb

from kestrel.errors import KestrelError
from kestrel.ingest.again import ORIGINAL, File, take
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.file_states import CLOSED, FOLDER, MISSING, state_of
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
    with tempfile.TemporaryDirectory(prefix=prefix()) as scratch, files_of(con, dataset, variable, wanted) as files:
        found = take(con, files, dataset.account.log_formats, Path(scratch), lambda _: ORIGINAL, lambda _: f"rec IN (SELECT rec FROM {wanted})")
    table = fresh("lines")
    con.execute(f"CREATE TEMP TABLE {table} AS SELECT rec, min({ORIGINAL}) AS line FROM {found} GROUP BY rec")
    con.execute(f"DROP TABLE {found}")
    return table


@contextmanager
def files_of(con: duckdb.DuckDBPyConnection, dataset: Dataset, variable: str, wanted: str | None = None) -> Iterator[list[File]]:
    """The files that a dataset was read from, or those of the records in `wanted` (a table with a column rec), while they are as they were
    then. Raises NoRawLines."""
    chosen = f" WHERE src IN (SELECT src FROM {dataset.events.table} e SEMI JOIN {wanted} w ON w.rec = e.rec)" if wanted else ""
    files = con.execute(f"SELECT path, log_format, state FROM {dataset.name}.files{chosen} ORDER BY src").fetchall()
    before = [(path, state) for path, _, state in files if state is not None]
    _check(before, variable)
    yield [File(Path(path), log_format) for path, log_format, _ in files]
    _check(before, variable)


def _check(before: Sequence[tuple[str, str]], variable: str) -> None:
    for file, state in before:
        if (now := state_of(file)) != state:
            raise NoRawLines(variable, file, now)
