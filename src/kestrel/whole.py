"""Text files that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a text file in UTF-8: under a temporary name in its folder, then renamed, so that a full disk or a signal leaves the file as it
    was. A link keeps its target, and a file its permissions. Raises OSError, which names the path."""
    target = Path(os.path.realpath(path))
    part = ""
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        handle, part = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        if target.exists():
            shutil.copymode(target, part)
        else:
            Path(part).chmod(0o666 & ~_umask())
        os.replace(part, target)
    except OSError as error:
        if part:
            with suppress(OSError):
                os.unlink(part)
        raise OSError(error.errno, error.strerror, str(path)) from error


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
