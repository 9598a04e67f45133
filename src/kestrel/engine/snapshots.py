"""The records of a session's files as they were when first read: variables do not change when the files do.

Small and medium files are kept as soon as they are read. From large ones only the columns that a cell needs are read at first; the others
come from a snapshot file, which is written in the background. Earlier content of a file is never replaced by its present content.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import duckdb

from kestrel.engine.remote import Remote
from kestrel.errors import KestrelError
from kestrel.formats.readers.packed import UnreadableFile, reason_of
from kestrel.graph.steps import Source, TimeRange
from kestrel.ingest.background import Writer, start_writing
from kestrel.ingest.dataset import Dataset, FilesChanged, Part, attach, combine, fingerprint, keep, key_of, open_dataset, size_of, write_cache
from kestrel.ingest.file_states import Readings
from kestrel.ingest.lines import weight
from kestrel.ingest.observations import Unread
from kestrel.ingest.sql import fresh
from kestrel.scratch import prefix
from kestrel.text import path_text


class ColumnNotRead(KestrelError):
    """A column of a large file is needed that was not read before the file changed."""

    code: ClassVar[str] = "K0370"

    def __init__(self, column: str, file: str) -> None:
        super().__init__(
            f"`{column}` was not read from `{path_text(file)}` before the file changed",
            None,
            "only the columns needed so far had been read; a new GET reads the file as it is now",
        )


class NotHeld(KestrelError):
    """The earlier records of a changed file are needed, but no variable refers to them any more."""

    code: ClassVar[str] = "K0371"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"what `{path_text(file)}` contained before it changed is no longer kept",
            None,
            "earlier content is kept only while a variable of the session refers to it; a new GET reads the file as it is now",
        )


class Snapshots:
    """Datasets by key, and what is needed to keep them complete."""

    def __init__(self, con: duckdb.DuckDBPyConnection, cache: Path | None, remote: Remote, readings: Readings) -> None:
        self.con, self.cache, self.remote, self.readings = con, cache, remote, readings
        self.held: dict[str, Dataset] = {}
        self.wanted: frozenset[str] | None = frozenset()
        """The columns of large files that are known to be needed; None for all."""
        self.reading: tuple[int, int, int] | None = None
        """While files are read: the bytes in total, of those finished, and of the current one."""
        self.completed: Callable[[Dataset], None] = lambda _: None
        """Told of a dataset whose remaining columns were read."""
        self._writers: dict[str, Writer] = {}
        self._stopped = threading.Event()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    # -- datasets ------------------------------------------------------------------------------------------------

    def of(self, sources: Sequence[Source], span: TimeRange | None) -> Dataset | None:
        """The records in the files of these sources together, read at most once. The content of a file at its first reading is kept."""
        if not sources:
            return None
        key = key_of(sources, span)
        if key not in self.held:
            changed = next(self.readings.changed(sources), None)
            self.held[key] = self._combined(sources, span) if changed else self._read(sources, span)
        return self.held[key]

    def _read(self, sources: Sequence[Source], span: TimeRange | None) -> Dataset:
        states = self.readings.states(sources)
        try:
            self.reading = (size_of(sources), 0, 0)
            repeated = any(s.place and self.remote.is_on_demand(s, span) for s in sources)
            ask = self.remote.ask_creations
            found = open_dataset(self.con, fresh("d"), sources, span, self.cache, self.wanted, self._begun, ask, repeated)
        except OSError as error:
            if error.filename not in {file for file, _ in states}:
                raise
            raise UnreadableFile(Path(error.filename), reason_of(error)) from error
        finally:
            self.reading = None
        self.readings.remember(states)
        return found

    def _combined(self, sources: Sequence[Source], span: TimeRange | None) -> Dataset:
        """The records of sources some of which changed: the kept records of those, and the content of the others."""
        here = {_files(s) for s in sources if not s.place}
        places = {s.place for s in sources if s.place}
        parts: list[Part] = []
        covered: set[Source] = set()
        for dataset in sorted(self.held.values(), key=lambda d: -len(d.sources)):
            own = {s for s in sources if not s.place and any(_files(s) == _files(o) for o in dataset.sources)}
            fits = all(s.place in places if s.place else _files(s) in here for s in dataset.sources)
            if fits and any(True for _ in self.readings.changed(own - covered)):
                self._complete_if_possible(dataset)
                parts.append(Part(dataset, frozenset(f for s in own for f in s.files) if dataset.is_live else None))
                covered |= own
        rest = [s for s in sources if s not in covered]
        for file, _, _ in self.readings.changed(rest):
            raise NotHeld(file)
        if rest and (more := self.of(rest, span)):
            self._complete_if_possible(more)
            parts.append(Part(more))
        return combine(self.con, fresh("d"), sources, span, parts)

    # -- columns of large files not read yet --------------------------------------------------------------------

    def complete(self, missing: Unread) -> None:
        """Read the remaining columns of a table of records. Raises ColumnNotRead."""
        self.wanted = None
        self._complete(next(d for d in self.held.values() if d.events.table == missing.table), missing.column)

    def _complete_if_possible(self, dataset: Dataset) -> None:
        if dataset.events.unread:
            with suppress(ColumnNotRead):
                self._complete(dataset, min(dataset.events.unread))

    def _complete(self, dataset: Dataset, column: str) -> None:
        whole = self._written(dataset) or self._read_again(dataset, column)
        old = dataset.name
        dataset.name, dataset.events, dataset.cached, dataset.account = whole.name, whole.events, whole.cached, whole.account
        self.completed(dataset)
        self.con.execute(f"DETACH {old}")

    def _written(self, dataset: Dataset) -> Dataset | None:
        """From its snapshot file, if one exists or is being written; waits for it."""
        writer = self._writers.get(dataset.key)
        if writer is None:
            return None
        self._stopped.clear()
        file = writer.finish(lambda seconds: not self._stopped.wait(seconds))
        if self._stopped.is_set():
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        return attach(self.con, fresh("d"), dataset.sources, dataset.span, file) if file else None

    def _read_again(self, dataset: Dataset, column: str) -> Dataset:
        """From the files themselves, if they are unchanged."""
        if dataset.is_live:
            return open_dataset(self.con, fresh("d"), dataset.sources, dataset.span, None, ask=self.remote.ask_creations)
        whole = None
        if dataset.snapshot is not None and fingerprint(dataset.sources) == dataset.snapshot:
            whole = self._read_whole(dataset)
        if whole is None:
            files = [f for s in dataset.sources for f in s.files]
            changed = next((file for file, _, _ in self.readings.changed(dataset.sources)), files[0])
            raise ColumnNotRead(column, changed)
        return whole

    def _read_whole(self, dataset: Dataset) -> Dataset | None:
        """All columns of files; None if they changed in the meantime."""
        if self.cache:
            try:
                write_cache(dataset.sources, self.cache, dataset.snapshot)
            except FilesChanged:
                return None
        whole = open_dataset(self.con, fresh("d"), dataset.sources, dataset.span, self.cache)
        if whole.snapshot == dataset.snapshot:
            return whole
        self.con.execute(f"DETACH {whole.name}")
        return None

    def begin_writing(self) -> None:
        """Start writing the remaining columns of large files in the background."""
        for dataset in self.held.values():
            self._begin_writing(dataset)

    def _begin_writing(self, dataset: Dataset) -> None:
        unwritten = dataset.events.unread and not dataset.is_live and dataset.key not in self._writers
        if not unwritten or dataset.snapshot is None or next(self.readings.changed(dataset.sources), None):
            return
        if self.cache:
            self._writers[dataset.key] = start_writing(dataset.sources, self.cache, dataset.snapshot)
            dataset.cached = True
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix=prefix())
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        self._writers[dataset.key] = start_writing(dataset.sources, folder, dataset.snapshot, private=True)

    # -- the end -------------------------------------------------------------------------------------------------

    def keep(self) -> None:
        """Keep what was read for the next session. Raises duckdb.Error, OSError."""
        for dataset in self.held.values():
            if not self.cache or dataset.cached or dataset.is_live or dataset.snapshot is None:
                continue
            if dataset.events.unread:
                self._begin_writing(dataset)
            else:
                keep(self.con, dataset, self.cache)

    def drop(self, needed: Collection[Source]) -> list[Source]:
        """Drop datasets of changed files whose sources are no longer needed; returns those sources."""
        gone = [s for d in self.held.values() for s in d.sources if s not in needed and next(self.readings.changed([s]), None)]
        for key, dataset in list(self.held.items()):
            if any(s in gone for s in dataset.sources):
                del self.held[key]
                self.con.execute(f"DETACH DATABASE IF EXISTS {dataset.name}")
                if writer := self._writers.pop(key, None):
                    writer.close()
        return gone

    def stop(self) -> None:
        """Give up waiting, from any thread."""
        self._stopped.set()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        if self._folder:
            self._folder.cleanup()
            self._folder = None

    # -- progress ------------------------------------------------------------------------------------------------

    def progress(self) -> tuple[int, float] | None:
        """While files are read: the bytes of all, and the fraction that is done. Safe from any thread."""
        if self.reading is None:
            return None
        whole, done, current = self.reading
        return whole, min(1.0, (done + current * max(0.0, self.con.query_progress() / 100)) / max(1, whole))

    def _begun(self, file: Path) -> None:
        if self.reading:
            whole, done, current = self.reading
            self.reading = (whole, done + current, weight(file))


def _files(source: Source) -> tuple[tuple[str, ...], str | None, str]:
    """The properties that distinguish sources of log files, independent of the address used."""
    return source.files, source.log_format, source.reading
