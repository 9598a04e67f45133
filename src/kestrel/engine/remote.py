"""What is held of live sources: the records of each time range that was asked for, as files, and whether they still are so."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from kestrel.errors import KestrelError
from kestrel.graph.steps import Source, TimeRange
from kestrel.pushdown.request import Connector, Cost, FetchRequest, FieldPredicate, Recogniser, Recognition, Size, TooMuch
from kestrel.scratch import prefix

CREATIONS = ("process-create",)
BATCH = 10_000
"""So many processes at once are asked for their creation."""


@dataclass
class Held:
    """The records of one source in one time range."""

    source: Source
    span: TimeRange | None
    size: Size
    files: list[str]
    on_demand: bool = False
    """Whether it is only what steps needed, and not all there is."""
    asked: set[FetchRequest] = field(default_factory=set)
    """Of one that is: what was requested."""
    failure: KestrelError | None = None
    """Why there is nothing, where others may answer for it."""


@dataclass
class Creations:
    """Creation records that were asked for by the unique ids of processes."""

    asked: set[str] = field(default_factory=set)
    files: list[str] = field(default_factory=list)


@dataclass
class Remote:
    """Everything that was fetched from servers in a session."""

    open: Callable[[Source], Connector]
    fetchers: dict[str, Connector] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    creations: dict[tuple[str, Any], Creations] = field(default_factory=dict)
    """By the place of a source and the time before which they were."""
    allow_partial: bool = False
    """Whether a source of several may fail: the others are then the answer, and `failures` says so."""
    failures: list[tuple[str, KestrelError]] = field(default_factory=list)
    """Sources that an answer lacks, since it was last asked."""
    recognised: dict[tuple[str, TimeRange | None, int], Recognition] = field(default_factory=dict)
    """Results about log formats, by a source's place, the time range, and how often the stored records were found to be outdated."""
    turns: dict[str, int] = field(default_factory=dict)
    """How often what is held of a source was found to be old."""
    progress: tuple[int, int] | None = None
    """While records are fetched: how many there are, and how many came."""
    all_fields: set[str] = field(default_factory=set)
    """The places of sources whose records are fetched whole, with fields that no log format maps."""
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def ask_all_fields(self, source: Source) -> None:
        """Fetch whole records of a source from now on; what is held of it lacks fields, and is fetched again when it is needed."""
        if source.place not in self.all_fields:
            self.all_fields.add(source.place)
            self.held = [h for h in self.held if h.source.place != source.place]
            self.creations = {key: known for key, known in self.creations.items() if key[0] != source.place}

    def fetcher(self, source: Source) -> Connector:
        if source.uri not in self.fetchers:
            self.fetchers[source.uri] = self.open(source)
        return self.fetchers[source.uri]

    def state(self, sources: Iterable[Source]) -> str:
        """What tells whether sources are as they were."""
        return "".join(f" {s.place} {self.turns.get(s.place, 0)}" for s in sources if s.place)

    def renew(self, sources: Sequence[Source], span: TimeRange | None) -> None:
        """Ask again whether what is held of this time is still what is there."""
        for held in [h for h in self.held if h.source in sources and h.span == span]:
            fetcher = self.fetcher(held.source)
            (size,) = (held.size,) if held.failure else self._together([(fetcher, partial(fetcher.size, FetchRequest.within(span)))])
            if size != held.size or held.failure:
                self.held.remove(held)
                self.creations = {key: known for key, known in self.creations.items() if key[0] != held.source.place}
                self.turns[held.source.place] = self.turns.get(held.source.place, 0) + 1

    def local(self, sources: Sequence[Source], span: TimeRange | None) -> tuple[Source, ...]:
        """The sources with the files that hold their records of this time; what is not held yet is fetched, from several sources at
        once. Raises KestrelError."""
        missing = [s for s in dict.fromkeys(sources) if s.place and self._found(s, span) is None]
        if missing:
            try:
                several = self.allow_partial and len(sources) > 1
                fetch = self._fetch_or_fail if several else self._fetch
                self.held += self._together([(self.fetcher(s), partial(fetch, s, span)) for s in missing])
            finally:
                self.progress = None
        lacking = [(h.source.uri, h.failure) for s in sources if s.place and (h := self._found(s, span)) and h.failure]
        if lacking and len(lacking) == len(sources):
            raise lacking[0][1]
        self.failures += [f for f in lacking if f not in self.failures]
        return tuple(self._with_files(s, span) if s.place else s for s in sources)

    def is_on_demand(self, source: Source, span: TimeRange | None) -> bool:
        """Whether only what steps need is fetched of a source in a time range."""
        held = self._found(replace(source, files=()), span)
        return held is not None and held.on_demand

    def fetch_more(self, source: Source, span: TimeRange | None, wanted: Sequence[FetchRequest]) -> None:
        """Fetch what was not fetched yet of such a source."""
        held = self._found(replace(source, files=()), span)
        assert held is not None and held.on_demand, "what is fetched as a whole needs nothing more"
        fetcher = self.fetcher(source)
        try:
            for new in [w for w in dict.fromkeys(wanted) if w not in held.asked]:
                self.progress = (0, 0)
                (files,) = self._together([(fetcher, partial(fetcher.fetch, self._as_wanted(source, new), self._place(), self._came))])
                held.files = self._added(held.files, files)
                held.asked.add(new)
        finally:
            self.progress = None

    def recognition(self, source: Source, span: TimeRange | None) -> Recognition | None:
        """Which documents of a time range are in a known log format, queried once; None if a source cannot say."""
        fetcher = self.fetcher(source)
        held = self._found(source, span)
        if not callable(getattr(fetcher, "recognition", None)) or held is None or held.failure:
            return None
        recogniser = cast(Recogniser, fetcher)
        key = (source.place, span, self.turns.get(source.place, 0))
        if key not in self.recognised:
            (self.recognised[key],) = self._together([(fetcher, partial(recogniser.recognition, FetchRequest.within(span)))])
        return self.recognised[key]

    def ask_creations(self, source: Source, ids: Sequence[str], span: TimeRange) -> list[str]:
        """Files with the creation records of processes that were created before the records at hand; only what was not asked yet is."""
        stop = span.until if self.is_on_demand(source, span) else span.start
        known = self.creations.setdefault((source.place, stop), Creations())
        new = [i for i in ids if i not in known.asked]
        fetcher = self.fetcher(source)
        for start in range(0, len(new), BATCH):
            part = tuple(new[start : start + BATCH])
            wanted = FetchRequest(None, stop, ((FieldPredicate(("process.x_unique_id",), "=", part),),), CREATIONS)
            (files,) = self._together([(fetcher, partial(fetcher.fetch, self._as_wanted(source, wanted), self._place(), lambda _: None))])
            known.files = self._added(known.files, files)
            known.asked.update(part)
        return known.files

    def cost(self) -> dict[str, Cost]:
        """What asking took so far, by source."""
        return {uri: replace(f.cost) for uri, f in self.fetchers.items()}

    def notes(self) -> list[str]:
        """Notices about what was fetched since the last call."""
        found = [f"`{uri}`: {text}" for uri, fetcher in self.fetchers.items() for text in fetcher.notices]
        for fetcher in self.fetchers.values():
            fetcher.notices.clear()
        return found

    def stop(self) -> None:
        """Give up what is fetched now, from any thread."""
        for fetcher in list(self.fetchers.values()):
            fetcher.stop()

    def close(self) -> None:
        if self._folder:
            self._folder.cleanup()
            self._folder = None

    # -- how -------------------------------------------------------------------------------------------------------

    def _found(self, source: Source, span: TimeRange | None) -> Held | None:
        """What is held of a time range, or of one around it."""
        return next((h for h in self.held if h.source == source and (h.span == span or (not h.on_demand and _covers(h.span, span)))), None)

    def _with_files(self, source: Source, span: TimeRange | None) -> Source:
        held = self._found(source, span)
        assert held is not None, "what was missing has been fetched"
        return replace(source, files=tuple(held.files))

    def _fetch(self, source: Source, span: TimeRange | None) -> Held:
        fetcher, wanted = self.fetcher(source), FetchRequest.within(span)
        size = fetcher.size(wanted)
        if size.records is not None:
            if size.records > fetcher.whole:
                return Held(source, span, size, [], on_demand=True)
            if size.records > fetcher.bound:
                raise TooMuch(source.uri, size.records, fetcher.bound)
            whole, done = self.progress or (0, 0)
            self.progress = (whole + size.records, done)
        elif self.progress is None:
            self.progress = (0, 0)
        files = fetcher.fetch(self._as_wanted(source, wanted), self._place(), self._came, size.records) if size.records != 0 else []
        return Held(source, span, size, [str(f) for f in files if f.stat().st_size])

    def _as_wanted(self, source: Source, request: FetchRequest) -> FetchRequest:
        return replace(request, all_fields=True) if source.place in self.all_fields else request

    def _added(self, files: list[str], more: Sequence[Path]) -> list[str]:
        """One file with what is in all of them: many small ones take long to read."""
        whole = Path(files[0]) if files else self._place() / "little-by-little.ndjson"
        with whole.open("ab") as target:
            for file in more:
                with file.open("rb") as source:
                    shutil.copyfileobj(source, target)
                file.unlink()
        return [str(whole)] if whole.stat().st_size else []

    def _fetch_or_fail(self, source: Source, span: TimeRange | None) -> Held:
        try:
            return self._fetch(source, span)
        except KestrelError as failure:
            return Held(source, span, Size(None, ""), [], failure=failure)

    def _came(self, records: int) -> None:
        if self.progress:
            self.progress = (max(self.progress[0], self.progress[1] + records), self.progress[1] + records)

    def _place(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix=prefix())
        return Path(tempfile.mkdtemp(dir=self._folder.name))

    def _together(self, calls: Sequence[tuple[Connector, Callable[[], Any]]]) -> list[Any]:
        """The answers of several calls made at once. The main thread waits in short steps, so that it can be interrupted; where one
        fails, or it is interrupted, the others are stopped."""
        answers: list[Any] = [None] * len(calls)
        troubles: list[BaseException] = []
        finished = [threading.Event() for _ in calls]

        def work(number: int, call: Callable[[], Any]) -> None:
            try:
                answers[number] = call()
            except BaseException as error:
                troubles.append(error)
            finally:
                finished[number].set()

        self._place()
        for number, (_, call) in enumerate(calls):
            threading.Thread(target=work, args=(number, call), daemon=True).start()
        try:
            while not all(f.is_set() for f in finished) and not troubles:
                next(f for f in finished if not f.is_set()).wait(0.05)
        finally:
            for event, (fetcher, _) in zip(finished, calls, strict=True):
                if not event.is_set():
                    fetcher.stop()
            for event in finished:
                event.wait(2)
        if troubles:
            raise troubles[0]
        return answers


def _covers(held: TimeRange | None, span: TimeRange | None) -> bool:
    return held is None or (span is not None and held.start <= span.start and span.stop <= held.stop)
