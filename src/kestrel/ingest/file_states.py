"""The content of files when they were read, and whether it has changed since.

A file's state is its size, time of change, inode and a digest of its head and tail; for a file with more between the two also the
ctime, which programs cannot set back.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from kestrel.graph.steps import Source

WINDOW = 1 << 16
"""The number of bytes at the head and at the tail of a file that the digest of its state covers."""
SETTLED = 2_000_000_000
"""Nanoseconds since its last change after which a file is compared by its times alone: no file system clock is coarser."""
MISSING, FOLDER, CLOSED = "missing", "not a file", "closed"
"""States of files that cannot be read."""

_known: dict[str, tuple[tuple[int, ...], str]] = {}
"""States by path, each with the stat result of the file at that moment."""


def state_of(path: str) -> str:
    """Equal as long as the file has the same content. Never fails: a missing file has a state too."""
    try:
        status = os.stat(path)
    except OSError:
        return MISSING
    if not stat.S_ISREG(status.st_mode):
        return FOLDER
    outside = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
    if path in _known and _known[path][0] == outside:
        return _known[path][1]
    now = time.time_ns()
    try:
        state = _digest(path, status)
    except OSError:
        return CLOSED
    if os.name == "posix" and now - status.st_ctime_ns > SETTLED:
        _known[path] = outside, state
    return state


def _digest(path: str, status: os.stat_result) -> str:
    between = status.st_size > 2 * WINDOW
    known = [status.st_size, status.st_mtime_ns, status.st_ino, *([status.st_ctime_ns] if between else [])]
    digest = hashlib.sha256(repr(known).encode())
    with Path(path).open("rb") as file:
        digest.update(file.read(WINDOW))
        file.seek(max(WINDOW, status.st_size - WINDOW))
        digest.update(file.read(WINDOW))
    return digest.hexdigest()[:32]


class Readings:
    """The states of the files of a session at the time they were read."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], str] = {}
        """By path and reading."""

    def current(self, source: Source) -> Source:
        """A source of log files with its current reading. Equal content has an equal reading."""
        if source.place:
            return source
        return replace(source, reading=self.reading(source.files))

    def reading(self, files: Iterable[str]) -> str:
        """An identifier of the current content of files."""
        return hashlib.sha256(repr([(f, state_of(f)) for f in files]).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def states(self, sources: Iterable[Source]) -> dict[tuple[str, str], str]:
        """The states of the files of sources, for `remember`: call it before the files are read."""
        return {(file, s.reading): state_of(file) for s in sources if not s.place for file in s.files}

    def remember(self, states: Mapping[tuple[str, str], str]) -> None:
        """Keep the states that files had when they were read; the first state of each is kept."""
        self._read = {**states, **self._read}

    def changed(self, sources: Iterable[Source]) -> Iterator[tuple[str, str, str]]:
        """The files that have changed since they were read: path, earlier state and current state."""
        for source in sources:
            for file in source.files if not source.place else ():
                before = self._read.get((file, source.reading))
                if before is not None and (now := state_of(file)) != before:
                    yield file, before, now

    def forget(self, source: Source) -> None:
        """Forget the states of files that are no longer needed."""
        for file in source.files:
            self._read.pop((file, source.reading), None)
