"""`python -m tests.servers.measure` prints how long a server takes to start, its memory and how fast it takes documents."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil
import zstandard

from tests.servers.fixtures import SAMPLE
from tests.servers.index import Index
from tests.servers.lease import Lease
from tests.servers.software import KINDS, fetch


def measure(kind: str, folder: Path) -> str:
    software = fetch(kind)
    jars = sum(jar.stat().st_size for jar in (software.folder / "lib").iterdir())
    begin = time.monotonic()
    lease = Lease.take(kind, folder)
    started = time.monotonic() - begin
    try:
        speeds = []
        for number in range(2):
            index = Index(lease.server, f"ecs-measure-{number}")
            index.create()
            begin = time.monotonic()
            with zstandard.open(SAMPLE, "rt", encoding="utf-8") as lines:
                count = index.add(lines)
            speeds.append(count / (time.monotonic() - begin))
        memory = psutil.Process(lease.server.pid).memory_info().rss
        cost = f"jars {jars >> 20} MB, start {started:.1f} s, memory {memory >> 20} MB"
        return f"{kind} {software.version}: {cost}, documents a second {speeds[0]:.0f}, then {speeds[1]:.0f}"
    finally:
        lease.give_back()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            print(measure(kind, Path(folder) / kind))
