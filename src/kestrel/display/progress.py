"""What a long reading is doing, on a terminal's standard error; nothing is shown in the first second, nor to a file."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

PATIENCE = 1.0
"""Seconds before anything is shown."""


class Progress:
    """Shows what `ask` tells, (`bytes` or `records`, how many, the fraction that is done), while the block runs."""

    def __init__(self, ask: Callable[[], tuple[str, int, float] | None]) -> None:
        self.ask = ask
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stopped.set()
        if self.thread.is_alive():
            self.thread.join()

    def _watch(self) -> None:
        began: float | None = None
        shown, most = False, 0.0
        while not self.stopped.wait(0.2):
            known = self.ask()
            if known is None:
                if shown:
                    sys.stderr.write("\r\x1b[K")
                    sys.stderr.flush()
                began, shown, most = None, False, 0.0
                continue
            began = began or time.monotonic()
            seconds = time.monotonic() - began
            most = max(most, known[2])
            if seconds >= PATIENCE:
                sys.stderr.write(f"\r\x1b[K{line(known[0], known[1], most, seconds)}")
                sys.stderr.flush()
                shown = True
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def line(unit: str, size: int, fraction: float, seconds: float) -> str:
    """`reading 1.5 GB  46 %  620 MB/s  2 s left`, `fetching 120,000 records  46 %  21,000/s  3 s left`."""
    rate = size * fraction / max(seconds, 1e-6)
    if unit == "records":
        said, speed = f"fetching {size:,} records", f"{rate:,.0f}/s"
    else:
        said, speed = f"reading {size / 1e9:.1f} GB" if size >= 1e9 else f"reading {size / 1e6:.0f} MB", f"{rate / 1e6:,.0f} MB/s"
    if fraction <= 0:
        return f"{said}  {seconds:.0f} s"
    return f"{said}  {fraction:.0%}  {speed}  {seconds * (1 - fraction) / fraction:.0f} s left"
