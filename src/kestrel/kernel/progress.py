"""What a long reading is doing, in the output of a cell. Nothing of it stays: the next result takes its place."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from kestrel.display.progress import line

PATIENCE = 0.5
"""Seconds before anything is shown."""
STEP = 0.25
"""Seconds between two updates."""


class Progress:
    """Shows what `ask` tells, (`bytes` or `records`, how many, the fraction that is done), by messages that `send` sends."""

    def __init__(self, ask: Callable[[], tuple[str, int, float] | None], send: Callable[[str, dict[str, Any]], None]) -> None:
        self.ask = ask
        self.send = send
        self.began: float | None = None
        self.last = 0.0
        self.most = 0.0
        self.size = 0
        self.unit = "bytes"
        self.shown: str | None = None
        """The id of the display that shows progress now."""

    def look(self, now: float) -> None:
        """See how far it is, at a time of the monotonic clock."""
        known = self.ask()
        if known is None:
            return
        self.began = self.began or now
        if known[0] != self.unit:
            self.unit, self.most = known[0], 0.0
        self.size, self.most = known[1], max(self.most, known[2])
        if now - self.began < PATIENCE or now - self.last < STEP:
            return
        self.last = now
        self._show({"text/plain": line(self.unit, self.size, self.most, now - self.began)})

    def replace(self, data: dict[str, Any]) -> None:
        """A result is there: it takes the place of what is shown."""
        if self.shown:
            self._show(data)
        else:
            self.send("display_data", {"data": data, "metadata": {}})
        self.began, self.shown, self.most = None, None, 0.0

    def end(self) -> None:
        """The cell is done. Where no result came after a reading, its display says in the past tense what was read."""
        if self.shown and self.began is not None:
            seconds = time.monotonic() - self.began
            whole = f"{self.size:,} records" if self.unit == "records" else f"{self.size / 1e6:,.0f} MB"
            self._show({"text/plain": f"{self.most:.0%} of {whole} in {seconds:.1f} s"})

    def _show(self, data: dict[str, Any]) -> None:
        content = {"data": data, "metadata": {}}
        if self.shown is None:
            self.shown = uuid.uuid4().hex
            self.send("display_data", content | {"transient": {"display_id": self.shown}})
        else:
            self.send("update_display_data", content | {"transient": {"display_id": self.shown}})
