"""Ctrl-C and the signals that end a process, while a command runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from kestrel import scratch

PATIENCE = 2.0
"""Seconds after which a second signal ends the process at once."""
HEARD = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(Exception):
    """A hunt was stopped."""


class Signals:
    """Handles signals while a block runs. While a hunt runs in another thread, a signal sets `interrupted`, so that the hunt can be stopped
    cleanly; otherwise it raises KeyboardInterrupt for Ctrl-C and SystemExit for other signals. Ignored signals stay ignored."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()
        self.number = 0
        """The signal received, or 0."""
        self._hunting = False
        self._since = 0.0
        self._before: dict[int, Any] = {}

    @property
    def status(self) -> int:
        """The exit status of a process that was ended by a signal."""
        return 128 + (self.number or signal.SIGINT)

    @contextmanager
    def hunting(self) -> Iterator[None]:
        """While the block runs, signals do not raise: the caller checks `interrupted`."""
        self._hunting = True
        try:
            yield
        finally:
            self._hunting = False

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in HEARD:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _hear(self, number: int, _: FrameType | None) -> None:
        if self.number and self._hunting:
            if time.monotonic() - self._since > PATIENCE:
                scratch.clear()
                os._exit(self.status)
            return
        self.number, self._since = number, time.monotonic()
        self.interrupted.set()
        if not self._hunting:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(self.status)
