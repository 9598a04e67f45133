"""Temporary folders, named by the machine and the process that use them, so that what a killed process left can be removed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from pathlib import Path

HOST = re.sub(r"\W", "_", platform.node())[:40] or "here"
NAME = re.compile(r"kestrel-(?P<host>\w+)-(?P<process>\d+)-.*", re.DOTALL)


def prefix() -> str:
    """The prefix of every temporary file and folder of this process."""
    return f"kestrel-{HOST}-{os.getpid()}-"


def sweep(folder: Path) -> None:
    """Remove the user's temporary files and folders that ended processes of this machine left."""
    if os.name != "posix":
        return
    try:
        paths = list(folder.iterdir())
    except OSError:
        return
    for path in paths:
        found = NAME.fullmatch(path.name)
        if found and found["host"] == HOST and not _runs(int(found["process"])):
            _remove(path)


def clear() -> None:
    """Remove the temporary folders of this process, which is about to end."""
    for path in Path(tempfile.gettempdir()).glob(f"{prefix()}*"):
        _remove(path)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    """Remove what belongs to the user; a link is removed, never its target."""
    try:
        if path.lstat().st_uid != os.getuid():
            return
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    except OSError:
        return
