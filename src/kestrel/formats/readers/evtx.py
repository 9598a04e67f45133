"""The records of Windows event log files (EVTX), as the JSON that the Rust reader `evtx` makes of each: the content of `Event`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAGIC = b"ElfFile\x00"
BEGIN, END = '{"Event":', "}"


class EventLog:
    """The records of one file. `damaged`: how many places could not be read; what is behind them was read all the same."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0

    def __iter__(self) -> Iterator[str]:
        """Each record on one line. Raises RuntimeError if the file has no readable header."""
        from evtx import PyEvtxParser

        records: Iterator[Any] = PyEvtxParser(str(self.path)).records_json()
        while True:
            try:
                record = next(records)
            except StopIteration:
                return
            except RuntimeError:  # the reader goes on behind a chunk that it cannot read, when it is asked again
                self.damaged += 1
                continue
            text = record["data"].replace("\n", " ")
            yield text[len(BEGIN) : -len(END)] if text.startswith(BEGIN) else text
