"""Snapshots of large files, written by a process of its own: a hunt's answer does not wait for it.

The hunt read only the columns it needed. The writer reads all of them once more, with bounded memory, and renames the finished file into
its place; if it is stopped before that, or a file changes meanwhile, nothing is left but a folder to sweep away. A snapshot for the cache is
finished after the session; one for the session alone ends with it.
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
"""Seconds between two looks at a writer."""


@dataclass
class Writer:
    """A snapshot that is being written, or was. `private`: for this session alone, in a folder of its own."""

    target: Path
    process: subprocess.Popen[bytes]
    private: bool

    def finish(self, wait: Callable[[float], bool]) -> Path | None:
        """The file when it is finished, None where it could not be written. `wait` pauses, and says whether to go on."""
        while not self.target.exists() and self.process.poll() is None and wait(LOOK):
            pass
        return self.target if self.target.exists() else None

    def close(self) -> None:
        """End a private writer and remove what it wrote; any other goes on by itself."""
        if self.private:
            self.process.kill()
            self.process.communicate()
            shutil.rmtree(self.target.parent, ignore_errors=True)
        elif self.process.poll() is None:
            self.process.returncode = 0  # it outlives this process, and nobody will ask


def start_writing(sources: Sequence[Source], folder: Path, snapshot: str, private: bool = False) -> Writer:
    """Begin to write the snapshot file of sources whose files are as they were, and do not wait."""
    task = json.dumps({"folder": str(folder), "snapshot": snapshot, "private": private, "sources": [asdict(s) for s in sources]})
    process = subprocess.Popen(
        [sys.executable, "-m", "kestrel.store.writing", task],
        stdin=subprocess.PIPE if private else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return Writer(folder / f"{snapshot}.duckdb", process, private)


def main(task: str) -> None:
    """Write the snapshot file that a task of `start_writing` asks for; the exit status is 1 where its files have changed."""
    from kestrel.store.dataset import FilesChanged, write_cache

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
        os.execv(sys.executable, [sys.executable, "-c", GUARD, str(folder)])  # the same without DuckDB: it needs little memory


GUARD = """
import os, shutil, sys
sys.stdin.buffer.read()
shutil.rmtree(sys.argv[1], ignore_errors=True)
try:
    os.rmdir(os.path.dirname(sys.argv[1]))
except OSError:
    pass
"""
"""Waits until the session is gone, however it ended (then its end of the pipe is closed), and removes the folder it is given, and the one around
it where that is empty."""


def _end_with_session(folder: Path) -> None:
    """Do the same while the snapshot is being written, and end."""
    sys.stdin.buffer.read()
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
