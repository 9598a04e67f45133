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
    """Shows what `ask` tells, (bytes to read, fraction read), while the block runs."""

    def __init__(self, ask: Callable[[], tuple[int, float] | None]) -> None:
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
            told = self.ask()
            if told is None:
                if shown:
                    sys.stderr.write("\r\x1b[K")
                    sys.stderr.flush()
                began, shown, most = None, False, 0.0
                continue
            began = began or time.monotonic()
            seconds = time.monotonic() - began
            most = max(most, told[1])
            if seconds >= PATIENCE:
                sys.stderr.write(f"\r\x1b[K{line(told[0], most, seconds)}")
                sys.stderr.flush()
                shown = True
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def line(size: int, fraction: float, seconds: float) -> str:
    """`reading 1.5 GB  46 %  620 MB/s  2 s left`."""
    amount = f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
    if fraction <= 0:
        return f"reading {amount}  {seconds:.0f} s"
    left = seconds * (1 - fraction) / fraction
    return f"reading {amount}  {fraction:.0%}  {size * fraction / max(seconds, 1e-6) / 1e6:,.0f} MB/s  {left:.0f} s left"
