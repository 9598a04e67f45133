"""How fast a notebook is: `python -m benchmarks.notebook`. A browser (Debian's Chromium) is needed for the last two figures."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel
from tests.events import creation, write
from tests.kernel.browser import CHROMIUM, Server, chromium
from tests.kernel.conftest import ROOT, environment
from tests.kernel.test_browser import Lab

from kestrel.kernel.install import install

ROUNDS = 5
ROWS = 100_000
NODES = 10_000


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ |= environment(folder)
        install(folder)
        extension = folder / "share" / "jupyter" / "labextensions" / "kestrel-hunt"
        extension.parent.mkdir(parents=True)
        extension.symlink_to(ROOT / "labextension" / "static", target_is_directory=True)
        _kernels()
        _completion()
        if CHROMIUM:
            _pages(folder)


def _kernels() -> None:
    """Ready, one after the other, so that both meet the same machine."""
    taken: dict[str, list[float]] = {"python3": [], "kestrel": []}
    for _ in range(ROUNDS):
        for name, times in taken.items():
            started = time.perf_counter()
            manager, client = start_new_kernel(kernel_name=name)
            times.append(time.perf_counter() - started)
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    bare, ours = (statistics.median(times) for times in taken.values())
    print(f"kernel ready: {ours:.2f} s, bare ipykernel {bare:.2f} s, ratio {ours / bare:.2f}")


def _completion() -> None:
    manager, client = start_new_kernel(kernel_name="kestrel")
    client.execute(
        "s0 = NEW process [{'name': 'cmd.exe', 'pid': 4}]\n" + "\n".join(f"s{i} = s{i - 1} WHERE pid = 4" for i in range(1, 200)), reply=True
    )
    taken = []
    for _ in range(25):
        started = time.perf_counter()
        client.complete("DISP s150 ATTR na", reply=True, timeout=20)
        taken.append((time.perf_counter() - started) * 1000)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    print(f"completion with 200 variables: {statistics.median(taken):.1f} ms, at most {max(taken):.1f} ms")


def _pages(folder: Path) -> None:
    books = folder / "books"
    books.mkdir()
    rows = books / "rows.ndjson"
    with rows.open("w") as out:
        out.writelines(json.dumps({"name": f"p{n % 500}.exe", "pid": n, "command_line": f"p{n % 500}.exe --run {n}"}) + "\n" for n in range(ROWS))
    write(
        books / "tree.json",
        [
            creation(n, parent=(n - 1) // 3 if n else None, UtcTime=f"2021-01-01 {n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}")
            for n in range(NODES)
        ],
    )
    server = Server(books)
    try:
        with chromium() as browser:
            lab = Lab(browser, server)
            lab.new()
            lab.run(0, "big = LOAD rows.ndjson AS process")
            lab.run(1, f"p = GET process FROM tree.json WHERE name = 'p{NODES // 2}.exe'")
            lab.run(2, "root = FIND process CREATED p DEPTH ANY")
            print(f"a table of {ROWS:,} rows, to its first page: {_shown(lab, 3, 'DISP big ATTR name, pid, command_line', 'table'):.2f} s")
            print(f"a tree of {NODES:,} nodes, to the page: {_shown(lab, 4, 'DISP root AS TREE', 'tree'):.2f} s")
            opened = _timed(lambda: lab.result(4, "tree").get_by_text("open all").click())
            print(f"every branch of it opened: {opened:.2f} s")
            lab.page.context.close()
    finally:
        server.close()


def _shown(lab: Any, cell: int, text: str, kind: str) -> float:
    lab.type(cell, text)

    def run() -> None:
        lab.page.keyboard.press("Shift+Enter")
        lab.result(cell, kind)

    return _timed(run)


def _timed(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
