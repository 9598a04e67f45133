"""Failures of the machine: no disk space, not enough memory, a file that cannot be opened. They are errors neither of the hunt nor of Kestrel."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.text import path_text

FULL = (errno.ENOSPC, errno.EDQUOT)
ROOM = re.compile(r"no space left|disk quota|failed to offload|max_temp_directory_size|could not write", re.IGNORECASE)
NAMED = re.compile(r'file "([^"]+)"')


class NoRoom(KestrelError):
    code: ClassVar[str] = "K0450"

    def __init__(self, path: str | None) -> None:
        where = f"`{path_text(path)}` cannot be written" if path else "a temporary file cannot be written"
        hint = f"free some space, or set TMPDIR (now {path_text(tempfile.gettempdir())}) to a folder on another disk"
        super().__init__(f"{where}: no space is left on the disk", None, hint)


class NoMemory(KestrelError):
    code: ClassVar[str] = "K0451"

    def __init__(self) -> None:
        super().__init__(
            "there is not enough memory for this step", None, "narrow it with START and STOP or WHERE, or set TMPDIR to a folder with more space"
        )


class MachineRefuses(KestrelError):
    code: ClassVar[str] = "K0452"

    def __init__(self, path: str | None, why: str) -> None:
        super().__init__(f"`{path_text(path)}`: {why}" if path else f"the operating system refused a required operation: {why}")


def machine_error(failure: Exception) -> KestrelError | None:
    """The machine error behind a failure; None if there is none."""
    if isinstance(failure, OSError):
        return _of_system(failure)
    if isinstance(failure, MemoryError):
        return NoMemory()
    import duckdb

    text = str(failure)
    if isinstance(failure, duckdb.OutOfMemoryException):
        return NoRoom(None) if ROOM.search(text) else NoMemory()
    if isinstance(failure, duckdb.IOException) and ROOM.search(text):
        named = NAMED.search(text)
        return NoRoom(named[1] if named else None)
    return None


def _of_system(failure: OSError) -> KestrelError | None:
    if failure.errno is None:
        return None
    path = os.fsdecode(failure.filename) if isinstance(failure.filename, str | bytes) else None
    if failure.errno in FULL:
        return NoRoom(path)
    return MachineRefuses(path, (failure.strerror or str(failure)).lower())
