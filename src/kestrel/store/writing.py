"""The cache of large files, written by a process of its own: a hunt's answer does not wait for it.

The hunt read only the columns it needed. The writer reads all of them once more, with bounded memory, and renames the
finished file into its place; if it is stopped before that, nothing is left but a folder to sweep away.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from kestrel.graph.steps import Source


def start_writing(sources: Sequence[Source], cache: Path) -> None:
    """Begin to write the cache file of the sources, and do not wait."""
    task = json.dumps({"cache": str(cache), "sources": [asdict(s) for s in sources]})
    subprocess.Popen(
        [sys.executable, "-m", "kestrel.store.writing", task],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main(task: str) -> None:
    """Write the cache file that a task of `start_writing` asks for."""
    from kestrel.store.dataset import write_cache

    told = json.loads(task)
    write_cache([Source(s["uri"], tuple(s["files"]), s["shape"]) for s in told["sources"]], Path(told["cache"]))


if __name__ == "__main__":
    main(sys.argv[1])
