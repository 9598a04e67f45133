"""How Kestrel opens DuckDB: files are passed by their exact names, and its settings are fixed (decision 014)."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from kestrel.formats.transforms import quoted
from kestrel.scratch import prefix

PATTERN = re.compile(r"[*?\[]")
"""The characters that DuckDB's readers treat as a pattern; in brackets each is literal."""
EXACT = "hive_partitioning = false"
"""For every reader: a folder called `day=1` in a path adds no column `day`."""
TOGETHER = 20_000
"""The number of rows that are handed to DuckDB at once."""
CHANGED_LATER = ("preserve_insertion_order", "threads")
"""The settings that may change while Kestrel runs; neither opens a file or the network."""


def exact(path: str | Path) -> str:
    """The pattern that DuckDB's readers match against file names, for this one file."""
    return PATTERN.sub(r"[\g<0>]", os.path.abspath(path))


def exact_literal(*paths: str | Path) -> str:
    """The same as a SQL literal, of several files as a list: what `read_csv` and its like take."""
    literals = [quoted(exact(path)) for path in paths]
    return literals[0] if len(literals) == 1 else f"[{', '.join(literals)}]"


def path_literal(path: str | Path) -> str:
    """A path as a SQL literal where DuckDB does not treat it as a pattern: in ATTACH and COPY."""
    return quoted(os.path.abspath(path))


def insert(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[tuple[str, Sequence[Any]]]) -> None:
    """Add rows to a table, given as columns: the SQL type and the values of each. A hundred times as fast as `executemany`."""
    unnested = ", ".join(f"unnest(?::{kind}[])" for kind, _ in columns)
    for first in range(0, len(columns[0][1]), TOGETHER):
        con.execute(f"INSERT INTO {table} SELECT {unnested}", [list(values[first : first + TOGETHER]) for _, values in columns])


class PrivateFolder:
    """A new folder that only this user can enter. It is removed by `discard`, at the latest when Kestrel exits; `path` is None if no
    folder could be created."""

    def __init__(self) -> None:
        try:
            self.path: Path | None = Path(tempfile.mkdtemp(prefix=prefix()))
        except OSError:
            self.path = None
        self.discard = weakref.finalize(self, shutil.rmtree, self.path or "", ignore_errors=True)


def lock(con: duckdb.DuckDBPyConnection, folder: Path | None) -> None:
    """Fix the settings of a database: no extension is installed or loaded, no Python variable is a table, and data that do not fit into
    memory go below `folder` (None: nowhere)."""
    con.execute(f"SET temp_directory = {path_literal(folder / 'spill') if folder else quoted('')}")
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions", "python_enable_replacements"):
        con.execute(f"SET {setting} = false")
    con.execute("SET allow_extension_repositories = 'forbidden'")
    con.execute("SET allow_persistent_secrets = false")
    con.execute(f"SET allowed_configs = [{', '.join(map(quoted, CHANGED_LATER))}]")
    con.execute("SET lock_configuration = true")
