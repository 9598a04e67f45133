"""The cache folder: private files, each complete or absent, and used only if the user owns them and they are valid."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from kestrel import scratch
from kestrel.ingest.database import path_literal

OWN = re.compile(rf"[0-9a-f]{{40}}\..*|{scratch.NAME.pattern}", re.DOTALL)
"""The names of files that Kestrel writes to the cache."""
HEADER = 3 * 4096
"""Bytes of a DuckDB file before its blocks."""


class NotTrusted(OSError):
    """A cache folder or file belongs to another user, or others may write to it."""


def attach(con: duckdb.DuckDBPyConnection, file: Path, name: str) -> bool:
    """Attach a cache file read-only as `name`; False if there is no usable one. One that is damaged, or was written by
    another version, is removed."""
    if not os.path.lexists(file) or not _is_trusted(file):
        return False
    try:
        con.execute(f"ATTACH {path_literal(file)} AS {name} (READ_ONLY)")
        if _is_whole(con, file, name):
            return True
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        pass
    con.execute(f"DETACH DATABASE IF EXISTS {name}")
    discard(file)
    return False


def seal(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Record in an attached database which columns its tables have, so that an incomplete file is detected."""
    con.execute(f"CREATE OR REPLACE TABLE {name}.sealed AS SELECT ? AS columns", [json.dumps(_columns(con, name))])


def discard(file: Path) -> None:
    """Remove whatever has the name of a cache file; what cannot be removed is overwritten or ignored later."""
    with suppress(OSError):
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A path to write a cache file to, in a private folder beside it; at the end it is moved to its final name. Raises OSError."""
    private_folder(file.parent)
    with tempfile.TemporaryDirectory(prefix=scratch.prefix(), dir=file.parent) as folder:
        part = Path(folder) / "part.duckdb"
        yield part
        part.chmod(0o600)
        if file.is_dir() and not file.is_symlink():
            discard(file)
        os.replace(part, file)


def private_folder(folder: Path) -> None:
    """Make the folder, for the user alone, and remove what ended processes left in it. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":
        status = folder.stat()
        if status.st_uid != os.getuid():
            raise NotTrusted(f"the cache folder {folder} is another user's")
        if stat.S_IMODE(status.st_mode) & 0o077 and all(OWN.fullmatch(name) for name in _names(folder)):
            folder.chmod(0o700)
    sweep(folder)


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def sweep(folder: Path) -> None:
    """Remove what ended processes left half written in the cache folder."""
    scratch.sweep(folder)


def _is_trusted(file: Path) -> bool:
    """Whether the user owns the file and its folder, and nobody else can write to them."""
    if os.name != "posix":
        return True
    try:
        own, folder = file.lstat(), file.parent.stat()
    except OSError:
        return False
    writable = stat.S_IWGRP | stat.S_IWOTH
    return all(s.st_uid == os.getuid() and not s.st_mode & writable for s in (own, folder)) and not stat.S_ISLNK(own.st_mode)


def _is_whole(con: duckdb.DuckDBPyConnection, file: Path, name: str) -> bool:
    """Whether an attached file has all of its bytes, and the tables and columns that were recorded in it."""
    size = con.execute("SELECT block_size * total_blocks FROM pragma_database_size() WHERE database_name = ?", [name]).fetchone()
    sealed = con.execute(f"SELECT columns FROM {name}.sealed").fetchone()
    whole = size is not None and file.stat().st_size >= size[0] + HEADER
    return whole and sealed is not None and json.loads(sealed[0]) == _columns(con, name)


def _columns(con: duckdb.DuckDBPyConnection, name: str) -> list[list[str]]:
    """The tables and columns of an attached database with their types."""
    found = con.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = ? AND table_name <> 'sealed' ORDER BY ALL", [name]
    ).fetchall()
    return [list(row) for row in found]
