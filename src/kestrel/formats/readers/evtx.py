"""The records of Windows event log files (EVTX), as the JSON that the Rust reader `evtx` makes of each: the content of `Event`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER, CHUNK = 4096, 65536
"""The bytes of a file's header, and of each chunk after it."""
CHUNKS = 42
"""Where the header has the number of chunks, in two bytes (libevtx, Windows XML Event Log format)."""
CHUNK_MAGIC = b"ElfChnk\x00"
MAGIC = b"ElfFile\x00"
BEGIN, END = '{"Event":', "}"


class EventLog:
    """The records of one file. `damaged`: how many places could not be read; what is behind them was read all the same."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = sum(begin == bytes(len(CHUNK_MAGIC)) for begin in self._chunks())

    @property
    def is_cut_off(self) -> bool:
        """Whether the file ends within a chunk, or before the last one that its header counts."""
        whole, rest = divmod(self.path.stat().st_size - HEADER, CHUNK)
        with self.path.open("rb") as file:
            file.seek(HEADER + whole * CHUNK)
            return whole < self._number() or (rest > 0 and file.read(len(CHUNK_MAGIC)) == CHUNK_MAGIC)

    def _number(self) -> int:
        """How many chunks the header counts."""
        with self.path.open("rb") as file:
            return int.from_bytes(file.read(HEADER)[CHUNKS : CHUNKS + 2], "little")

    def _chunks(self) -> Iterator[bytes]:
        """The first bytes of each: the reader passes over chunks that are empty without a word."""
        with self.path.open("rb") as file:
            for place in range(self._number()):
                file.seek(HEADER + place * CHUNK)
                yield file.read(len(CHUNK_MAGIC))

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
