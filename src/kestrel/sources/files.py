"""Log files named by a path, a glob or a folder's worth of globs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

from kestrel.errors import KestrelError
from kestrel.formats.format import log_formats
from kestrel.graph.steps import Source
from kestrel.text import listed, nearest

LARGE = 256 << 20
"""Files of more bytes together are first read for the columns that are asked for."""
SUFFIXES = (".json", ".ndjson", ".jsonl", ".log", ".evtx", ".csv", ".tsv", ".parquet", ".xml")
PACKED = (".gz", ".zst", ".zip", ".xz", ".bz2", ".tar", ".tgz")
ROTATED = re.compile(r"\.log[.-][0-9.-]+$")
"""What log rotation puts behind the name of a log."""


class NoSuchFile(KestrelError):
    code: ClassVar[str] = "K0402"

    def __init__(self, path: str) -> None:
        if glob.has_magic(path):
            super().__init__(f"no file matches `{path}`", None, "`*` stands for any name in one folder, `**` for any folders below")
            return
        folder = Path(os.path.expanduser(path)).parent
        names = sorted(p.name for p in folder.iterdir()) if os.access(folder, os.R_OK) and folder.is_dir() else []
        close = nearest(Path(path).name, names, alike=0.75)
        hint = f"did you mean `{folder / close}`?" if close else "paths are relative to the folder Kestrel was started in"
        super().__init__(f"there is no file `{path}`", None, hint)


class IsFolder(KestrelError):
    code: ClassVar[str] = "K0406"

    def __init__(self, path: str) -> None:
        super().__init__(f"`{path}` is a folder without log files", None, f"Kestrel reads files whose names end in {listed(SUFFIXES + PACKED, 20)}")


class UnknownLogFormat(KestrelError):
    code: ClassVar[str] = "K0407"

    def __init__(self, name: str) -> None:
        close = nearest(name, log_formats())
        super().__init__(
            f"there is no log format `{name}`", None, f"did you mean `{close}`?" if close else f"known log formats: {listed(log_formats())}"
        )


def files_source(uri: str, paths: list[str], log_format: str | None = None, clock: str = "") -> Source:
    """One source over all files the paths and globs name; `clock`: the UTC offset of their local times. Raises NoSuchFile, IsFolder,
    UnknownLogFormat."""
    if log_format is not None and log_format not in log_formats():
        raise UnknownLogFormat(log_format)
    found: list[str] = []
    for path in paths:
        found += expand(path)
    return Source(uri, tuple(dict.fromkeys(found)), log_format, clock=clock)


def as_log_format(source: Source, name: str | None) -> Source:
    """A source of log files whose profile names no log format, read as one. Raises UnknownLogFormat."""
    if name is None or source.place or source.log_format:
        return source
    if name not in log_formats():
        raise UnknownLogFormat(name)
    return replace(source, log_format=name)


def expand(path: str) -> list[str]:
    """The files that a path or glob names, sorted, as absolute paths; of a folder, the logs in it."""
    if path.startswith("file:"):
        path = unquote(re.sub(r"^file:(//(localhost(?=/))?)?", "", path))
    full = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(full):
        if not (logs := sorted(_logs_below(full))):
            raise IsFolder(path)
        return logs
    if os.path.exists(full):
        return [full]
    folder, name = os.path.split(full)
    if os.path.isdir(folder):  # a folder of this very name, though it may contain brackets
        full = os.path.join(glob.escape(folder), name)
    found = sorted(p for p in glob.glob(full, recursive=True) if os.path.isfile(p)) if glob.has_magic(full) else []
    if not found:
        raise NoSuchFile(path)
    return found


def _logs_below(folder: str) -> Iterator[str]:
    """The files of a folder, and of the folders in it, whose names are those of logs. Hidden ones are left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in names:
            bare = name.lower()
            if not name.startswith(".") and (bare.endswith(SUFFIXES + PACKED) or ROTATED.search(bare)):
                yield os.path.join(place, name)


def looks_like_path(text: str) -> bool:
    """Whether a pool written without quotes is a path and not a name."""
    return "/" in text or text.startswith(("~", ".")) or glob.has_magic(text) or text.lower().endswith(SUFFIXES + PACKED)


def open_uri(uri: str, rest: str) -> Source:
    """The scheme `file`."""
    return files_source(uri, [uri])


def native(source: Source, columns: Collection[str] | None) -> str:
    """What reading the files means: every record of them is read, for some columns of the record layout or for all."""
    size = sum(os.stat(f).st_size for f in source.files if os.path.exists(f))
    log_format = f", as {source.log_format}" if source.log_format else ""
    named = ", ".join(sorted(columns)) if columns is not None and size > LARGE else "every column a log format maps"
    return f"read {len(source.files):,} file{'s' if len(source.files) != 1 else ''} ({size / 1e6:,.1f} MB{log_format}) for {named}"
