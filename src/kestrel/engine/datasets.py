"""The datasets of a session: which records a step reads, fetched and read at most once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import TypeVar

import duckdb

from kestrel.engine.remote import Remote
from kestrel.engine.snapshots import Snapshots
from kestrel.engine.variable import Variable
from kestrel.engine.workspace import Workspace
from kestrel.graph.steps import Source, TimeRange
from kestrel.ingest.account import check
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.file_states import Readings
from kestrel.ingest.observations import Unread, entity_type, observations
from kestrel.pushdown.request import Connector

T = TypeVar("T")


class Datasets:
    """`remote`: what was fetched from servers. `snapshots`: the records of files, as they were when first read."""

    def __init__(self, work: Workspace, cache: Path | None, fetcher: Callable[[Source], Connector], readings: Readings) -> None:
        self.work = work
        self.remote = Remote(fetcher)
        self.snapshots = Snapshots(work.con, cache, self.remote, readings)

    def of(self, sources: Sequence[Source], span: TimeRange | None) -> Dataset | None:
        """The records of these sources together: all of log files, of servers those of the time range."""
        dataset = self.snapshots.of(self.remote.local(sources, span), span)
        if dataset and not dataset.is_live:
            check(dataset.account, ", ".join(s.uri for s in sources))
        return dataset

    def together(self, variables: Sequence[Variable]) -> Dataset | None:
        """The records of several variables together."""
        datasets = {v.dataset.key: v.dataset for v in variables if v.dataset}
        if len(datasets) <= 1:
            return next(iter(datasets.values()), None)
        sources = tuple(dict.fromkeys(s for d in datasets.values() for s in d.sources))
        return self.snapshots.of(sources, union([d.span for d in datasets.values()]))

    def carried(self, variable: Variable, dataset: Dataset | None) -> str:
        """The rows of a variable with the ids of another dataset: more records can show that two entities are one. Of records that are not
        in it, like those of another time range of a server, the ids stay: they come from content alone."""
        old = variable.dataset
        by_value = [key.columns for key in entity_type(variable.type).keys] == [("value",)]
        if dataset is None or old is None or old.key == dataset.key or by_value:
            return variable.table
        role = ["{role} AS role"]
        before = observations(old.events, variable.type, [], (), role)
        after = observations(dataset.events, variable.type, [], (), role)
        return self.work.table(
            f"SELECT DISTINCT coalesce(n.id, v.id) AS id, v.rec, v.t FROM {variable.table} v JOIN ({before}) o ON o.id = v.id AND o.rec = v.rec "
            f"LEFT JOIN ({after}) n ON n.rec = o.rec AND n.role = o.role"
        )

    def reading(self, answer: Callable[[], T]) -> T:
        """An answer, after the columns that it needs were read from their files."""
        while True:
            try:
                return answer()
            except Unread as missing:
                self.snapshots.complete(missing)

    def expect(self, columns: frozenset[str] | None) -> None:
        """Announce the columns that the next steps need (None: all), so that large files are read once for all of them."""
        known = self.snapshots.wanted
        self.snapshots.wanted = None if columns is None or known is None else known | columns

    def progress(self) -> tuple[str, int, float] | None:
        """What takes long at the moment: `bytes` that are read or `records` that are fetched, how many, and the fraction that is done.
        Safe from any thread."""
        if fetched := self.remote.progress:
            return "records", fetched[0], min(1.0, fetched[1] / max(1, fetched[0]))
        read = self.snapshots.progress()
        return ("bytes", *read) if read else None

    def keep(self) -> str | None:
        """Keep what was read for the next session; why that failed, or None."""
        try:
            self.snapshots.keep()
        except (duckdb.Error, OSError) as error:
            return str(error).splitlines()[0]
        return None

    def stop(self) -> None:
        """Stop fetching and waiting, from any thread."""
        self.remote.stop()
        self.snapshots.stop()


def union(spans: Sequence[TimeRange | None]) -> TimeRange | None:
    """The range that covers all of them; None, all time, if one of them is."""
    known = [s for s in spans if s]
    return reduce(TimeRange.union, known) if known and len(known) == len(spans) else None
