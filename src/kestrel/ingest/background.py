"""Snapshots of large files, written by a separate process, so that a hunt's answer does not wait for it.

The hunt read only the columns it needed. The writer reads all of them once more, with bounded memory, and moves the finished file into
place; if it is stopped before that, or a file changes in the meantime, only a folder is left to clean up. A snapshot for the cache is
finished even after the session has ended; a private one ends with the session.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from kestrel.graph.steps import Source

LOOK = 0.05
"""Seconds between two checks of a writer."""


@dataclass
class Writer:
    """A snapshot that is being written, or was. `private`: for this session alone, in a folder of its own."""

    target: Path
    process: subprocess.Popen[bytes]
    private: bool

    def finish(self, wait: Callable[[float], bool]) -> Path | None:
        """The file when it is finished, None if it could not be written. `wait` pauses, and returns whether to continue."""
        while not self.target.exists() and self.process.poll() is None and wait(LOOK):
            pass
        return self.target if self.target.exists() else None

    def close(self) -> None:
        """End a private writer and remove what it wrote; any other keeps running."""
        if self.private:
            self.process.kill()
            self.process.communicate()
            shutil.rmtree(self.target.parent, ignore_errors=True)
        elif self.process.poll() is None:
            self.process.returncode = 0  # it outlives this process; this avoids a ResourceWarning


def start_writing(sources: Sequence[Source], folder: Path, snapshot: str, private: bool = False) -> Writer:
    """Start writing the snapshot file of sources whose files are unchanged, without waiting."""
    task = json.dumps({"folder": str(folder), "snapshot": snapshot, "private": private, "sources": [asdict(s) for s in sources]})
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kestrel.ingest.background", task],
        stdin=subprocess.PIPE if private else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return Writer(folder / f"{snapshot}.duckdb", process, private)


def main(task: str) -> None:
    """Write the snapshot file of a task from `start_writing`; the exit status is 1 if its files have changed."""
    from kestrel.ingest.dataset import FilesChanged, write_cache

    asked = json.loads(task)
    folder = Path(asked["folder"])
    if hasattr(os, "nice"):
        os.nice(10)
    if asked["private"]:
        threading.Thread(target=_end_with_session, args=(folder,), daemon=True).start()
    try:
        write_cache([Source(**{**s, "files": tuple(s["files"])}) for s in asked["sources"]], folder, asked["snapshot"])
    except FilesChanged:
        sys.exit(1)
    if asked["private"] and os.name == "posix":
        os.execv(sys.executable, [sys.executable, "-P", "-c", GUARD, str(folder)])  # continues to wait without DuckDB, which needs little memory


GUARD = """
import os, shutil, sys
sys.stdin.buffer.read()
shutil.rmtree(sys.argv[1], ignore_errors=True)
try:
    os.rmdir(os.path.dirname(sys.argv[1]))
except OSError:
    pass
"""
"""Waits until the session has ended (then its end of the pipe is closed), and removes the given folder, and the parent folder
if that is empty."""


def _end_with_session(folder: Path) -> None:
    """Do the same while the snapshot is being written, then exit."""
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
