"""Live sources with more records than are fetched as a whole: each step brings what it needs, and what tells who is who.

The answer is that of all records of the time range. A GET brings the records in which its comparisons may hold, then every other
record of the entities that may satisfy it; a FIND those that may show the relation. Processes are always completed: by the
sensor's unique id, and by host and pid, for a record may know no more, and others bound the lives of that pid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kestrel.engine.datasets import Datasets
from kestrel.engine.find import reached
from kestrel.engine.match import Scope, matcher, within_range
from kestrel.engine.variable import Variable
from kestrel.engine.workspace import Evaluator, Workspace
from kestrel.graph.steps import All, Any_, AttributePath, Find, Get, Predicate, Source, TimeRange, ValuesOf, paths, tests
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.observations import entity_type, observations, references
from kestrel.model.layout import PROCESSES, Role, layout
from kestrel.pushdown.conditions import by_keys, by_pids, by_unique_ids, keys_of, roles_of, wanted_by
from kestrel.pushdown.query import RecordQuery
from kestrel.pushdown.request import FetchRequest
from kestrel.pushdown.rules import ask

PARTS = 1024
"""The first part of a time range that is read for a few entities is this fraction of it."""

HOST = "x-oca-asset"
"""What a reference to it says is in every record of an entity, so its other records, all of a host, need not be brought."""


class OnDemand:
    """Fetches what steps need of sources that are too large to be fetched as a whole."""

    def __init__(self, work: Workspace, datasets: Datasets, evaluator: Evaluator) -> None:
        self.work, self.datasets, self.evaluator = work, datasets, evaluator

    def before_get(self, step: Get, span: TimeRange | None) -> None:
        """The records in which comparisons may hold, and those of the entities for which the pattern may."""
        sources = self._on_demand(step.sources, span)
        query = ask(step) if sources else None
        if query is None:
            return
        if query.limit is not None and span is not None:
            self._first(sources, step, query, span, query.limit)
            return
        self._fetch(sources, span, wanted_by(query, span, self._listed))
        where = step.where
        if where is None or query.any_of is None:
            return
        behind = [test.path.end for group in query.any_of for test in group if test.path.references]
        for kind in (k for k in dict.fromkeys(behind) if k != HOST):
            related = [
                replace(t, path=AttributePath(kind, (), t.path.attribute), negated=False) for g in query.any_of for t in g if t.path.end == kind
            ]
            self._complete_matching(sources, step.sources, span, kind, Any_(tuple(related)))
        asked: Predicate = Any_(tuple(All(group) for group in query.any_of))
        if step.type in ("process", "network-traffic") or _spans_records(where):
            self._complete_matching(sources, step.sources, span, step.type, asked)

    def _first(self, sources: Sequence[Source], step: Get, query: RecordQuery, span: TimeRange, limit: int) -> None:
        """The first entities of a type alone: parts of the time range, each twice as long as the ones before, until they are there.
        Whatever else there is was first recorded later."""
        now = max(datetime.now(UTC), span.start) + timedelta(days=1)
        begun, length = span.start, (min(span.stop, now) - span.start) / PARTS
        while True:
            end = begun + length if begun < now and length < span.stop - begun else span.stop
            self._fetch(sources, span, wanted_by(query, TimeRange(begun, end), self._listed))
            dataset = self.datasets.of(step.sources, span)
            assert dataset is not None
            inner = observations(dataset.events, step.type, [], within_range(TimeRange(span.start, end)))
            ids = self._ids(f"(SELECT id FROM ({inner}) GROUP BY id ORDER BY min(t), id LIMIT {limit})")
            if len(ids) >= limit or end >= span.stop:
                self._complete(sources, dataset, span, step.type, ids)
                return
            begun, length = end, end - span.start

    def before_find(self, step: Find, source: Variable, every: Sequence[Source], span: TimeRange | None) -> None:
        """The records that may show the relation, hop after hop, and those of the processes found."""
        sources = self._on_demand(every, span)
        if not sources:
            return
        given = source.type
        roles, kinds = self._shown_by(step, given)
        if source.own and not source.dataset:
            self._fetch(sources, span, by_keys(given, self._own_keys(source), span, roles))
        elif source.dataset and source.dataset.span != span:
            self._ask_for(sources, span, given, source.dataset, self._rows(source.dataset, given, self._ids(source.table)), roles, kinds)
        done: set[int] = set()
        hops = 0
        while step.depth is None or hops < step.depth:
            dataset = self.datasets.of(every, span)
            assert dataset is not None
            front = self._ids(self.datasets.carried(source, dataset) if not hops else self._found(step, source, dataset, every, span, hops))
            new = front - done
            if not new:
                return
            done |= new
            self._complete(sources, dataset, span, given, new, roles, kinds)
            hops += 1
        dataset = self.datasets.of(every, span)
        assert dataset is not None
        if step.type == "process" or (step.where is not None and _spans_records(step.where)):
            self._complete(sources, dataset, span, step.type, self._ids(self._found(step, source, dataset, every, span, step.depth or 1)))

    def completed(self, variable: Variable, wanted: Sequence[AttributePath]) -> Variable:
        """The variable over enough records to show these attributes."""
        dataset = variable.dataset
        if dataset is None or not dataset.is_live:
            return variable
        sources = [s for s in dataset.sources if s.place and self.datasets.remote.is_on_demand(s, dataset.span)]
        if not sources or not any(_is_elsewhere(p, variable.type) for p in wanted):
            return variable
        ids = self._ids(variable.table)
        self._complete(sources, dataset, dataset.span, variable.type, ids)
        for (reference, kind), of in _by_reference(wanted).items():
            if any(len(p.references) > 1 or not entity_type(kind).is_in_every_observation(p.attribute) for p in of):
                self._complete(sources, dataset, dataset.span, kind, self._related(variable, reference))
        return self.renewed(variable)

    def renewed(self, variable: Variable) -> Variable:
        """The variable over all records of its sources that are held now."""
        dataset = variable.dataset
        assert dataset is not None
        whole = self.datasets.of([replace(s, files=()) if s.place else s for s in dataset.sources], dataset.span)
        if whole is None or whole.key == dataset.key:
            return variable
        table = self.datasets.carried(variable, whole)
        return replace(variable, dataset=whole, table=table)

    # -- what is brought -------------------------------------------------------------------------------------------

    def _on_demand(self, sources: Sequence[Source], span: TimeRange | None) -> list[Source]:
        if not any(s.place for s in sources):
            return []
        self.datasets.remote.local(sources, span)
        return [s for s in sources if s.place and self.datasets.remote.is_on_demand(s, span)]

    def _fetch(self, sources: Sequence[Source], span: TimeRange | None, wanted: Iterable[FetchRequest]) -> None:
        every = list(wanted)
        for source in sources:
            self.datasets.remote.fetch_more(source, span, every)

    def _complete_matching(self, sources: Sequence[Source], every: Sequence[Source], span: TimeRange | None, kind: str, predicate: Predicate) -> None:
        """All records of the entities of a type for which a predicate holds in what is there."""
        dataset = self.evaluator.with_fields(self.datasets.of(every, span), predicate)
        assert dataset is not None
        scope = Scope(dataset.events, within_range(span))
        found = matcher(self.work, self.evaluator.values_of, kind, scope, predicate).match(predicate)
        self._complete(sources, dataset, span, kind, self._ids(self.work.table(f"SELECT id FROM {found.ids}", found.statement)))

    def _complete(
        self,
        sources: Sequence[Source],
        dataset: Dataset,
        span: TimeRange | None,
        kind: str,
        ids: set[int],
        roles: Sequence[Role] | None = None,
        kinds: tuple[str, ...] = (),
    ) -> None:
        """All records of some entities of a type (but for processes: in these roles, of these kinds)."""
        if not ids:
            return
        rows = self._rows(dataset, kind, ids)
        if kind != "process":
            self._ask_for(sources, span, kind, dataset, rows, roles or roles_of(kind), kinds)
            return
        known: tuple[list[str], dict[str, list[int]]] | None = None
        while known != (stated := self._processes(dataset, rows)):
            known = stated
            self._ask_for(sources, span, kind, dataset, rows, (), ())
            whole = self.datasets.of([replace(s, files=()) if s.place else s for s in dataset.sources], span)
            assert whole is not None
            rows = self._grown(rows, whole) if whole.key != dataset.key else rows
            dataset = whole

    def _ask_for(
        self, sources: Sequence[Source], span: TimeRange | None, kind: str, known: Dataset, rows: str, roles: Sequence[Role], kinds: tuple[str, ...]
    ) -> None:
        """Bring the records of the entities of some observations, by what the known records tell of who they are."""
        if kind != "process":
            self._fetch(sources, span, by_keys(kind, self._keys(known, kind, rows), span, roles, kinds))
            return
        unique, lives = self._processes(known, rows)
        self._fetch(sources, span, by_unique_ids(unique, span, PROCESSES))
        for host, pids in lives.items():
            self._fetch(sources, span, by_pids(host, pids, span, PROCESSES))

    def _listed(self, values: ValuesOf) -> list[str | int | float]:
        """The values of a variable's attribute; times as text."""
        rows = self.work.fetch(f"SELECT value FROM {self.evaluator.values_of(values)} ORDER BY 1")
        return [v if isinstance(v, str | int | float) else str(v) for (v,) in rows]

    # -- who they are ----------------------------------------------------------------------------------------------

    def _ids(self, table: str) -> set[int]:
        return {r[0] for r in self.work.con.execute(f"SELECT DISTINCT id FROM {table}").fetchall()}

    def _rows(self, dataset: Dataset, kind: str, ids: set[int]) -> str:
        """A table of rec and role of the observations of some entities."""
        wanted = self.work.table("SELECT NULL::UBIGINT AS id WHERE false")
        self.work.con.execute(f"INSERT INTO {wanted} SELECT unnest(?::UBIGINT[])", [sorted(ids)])
        inner = observations(dataset.events, kind, [], (), ["{role} AS role"])
        return self.work.table(f"SELECT DISTINCT rec, role FROM ({inner}) SEMI JOIN {wanted} USING (id)")

    def _grown(self, rows: str, dataset: Dataset) -> str:
        """All observations of the processes that observations are of, now that more is known."""
        inner = observations(dataset.events, "process", [], (), ["{role} AS role"])
        ids = f"SELECT DISTINCT id FROM ({inner}) SEMI JOIN {rows} USING (rec, role)"
        return self.work.table(f"SELECT DISTINCT rec, role FROM ({inner}) WHERE id IN ({ids})")

    def _keys(self, dataset: Dataset, kind: str, rows: str) -> dict[str, list[str | int]]:
        """The values of the key columns of the entities of some observations, wherever they stand."""
        found: dict[str, set[str | int]] = {}
        for number, role in enumerate(roles_of(kind)):
            for name in (n for group in keys_of(kind) for n in group):
                column = "host" if role.name == "host" else f'"{role.name}.{name}"' if dataset.events.has(f"{role.name}.{name}") else None
                if role.derived or column is None:
                    continue
                value = f"unnest({column})" if role.is_list else column
                select = f"SELECT DISTINCT {value} FROM {dataset.events.table} SEMI JOIN (SELECT rec FROM {rows} WHERE role = {number}) USING (rec)"
                found.setdefault(name, set()).update(r[0] for r in self.work.con.execute(select).fetchall() if r[0] is not None)
            if role.derived:
                for name in role.derived:
                    found.setdefault(name, set()).update(self._derived(dataset, kind, rows, name))
        return {name: sorted(values, key=str) for name, values in found.items()}

    def _derived(self, dataset: Dataset, kind: str, rows: str, name: str) -> list[str]:
        inner = observations(dataset.events, kind, [name], (), ["{role} AS role"])
        select = f'SELECT DISTINCT "{name}" FROM ({inner}) SEMI JOIN {rows} USING (rec, role) WHERE "{name}" IS NOT NULL'
        return [r[0] for r in self.work.con.execute(select).fetchall()]

    def _own_keys(self, variable: Variable) -> dict[str, list[str | int]]:
        """The values of the key columns that entities brought themselves."""
        own = variable.own
        assert own is not None
        found: dict[str, list[str | int]] = {}
        for key in (k for k in entity_type(variable.type).keys if not k.read_from):
            for attribute, name in zip(key.attributes, key.columns, strict=True):
                if attribute in own.columns:
                    select = f"SELECT DISTINCT {own.columns[attribute].sql} FROM {own.table}"
                    found.setdefault(name, []).extend(r[0] for r in self.work.con.execute(select).fetchall() if r[0] is not None)
        return found

    def _processes(self, dataset: Dataset, rows: str) -> tuple[list[str], dict[str, list[int]]]:
        """The unique ids of the processes of some observations, and the pids they had, by host."""
        unique: set[str] = set()
        lives: dict[str, set[int]] = {}
        for number, role in enumerate(roles_of("process")):
            select = (
                f'SELECT DISTINCT host, "{role.name}.x_unique_id", "{role.name}.pid" FROM {dataset.events.table} '
                f"SEMI JOIN (SELECT rec FROM {rows} WHERE role = {number}) USING (rec)"
            )
            for host, identity, pid in self.work.con.execute(select).fetchall():
                if identity:
                    unique.add(identity)
                if host and pid:
                    lives.setdefault(host, set()).add(pid)
        return sorted(unique), {host: sorted(pids) for host, pids in sorted(lives.items())}

    def _related(self, variable: Variable, reference: str) -> set[int]:
        """What a variable's entities refer to."""
        assert variable.dataset is not None
        pairs = references(variable.dataset.events, variable.type, reference, ())
        select = f"SELECT DISTINCT target FROM ({pairs}) WHERE id IN (SELECT id FROM {variable.table}) AND target IS NOT NULL"
        return {r[0] for r in self.work.con.execute(select).fetchall()}

    # -- relations -------------------------------------------------------------------------------------------------

    def _shown_by(self, step: Find, given: str) -> tuple[list[Role], tuple[str, ...]]:
        """The roles in which the given entities show the relation, and the kinds of event that do; none named: any."""
        if step.verb == "LINKED":
            return roles_of(given), ()
        side = "subject" if step.by else "object"
        names = [s.name for s in roles_of(given)]
        chosen = [e for e in layout().edges if e.verb == step.verb and getattr(e, side) in names]
        kinds = () if not chosen or any(not e.kinds for e in chosen) else tuple(dict.fromkeys(layout().kinds[k] for e in chosen for k in e.kinds))
        return [layout().roles[n] for n in dict.fromkeys(getattr(e, side) for e in chosen)], kinds

    def _found(self, step: Find, source: Variable, dataset: Dataset, every: Sequence[Source], span: TimeRange | None, depth: int) -> str:
        """What is found so far, as a table with a column id."""
        return reached(self.work, replace(step, depth=depth), source.type, self.datasets.carried(source, dataset), dataset, span)


def _spans_records(where: Predicate) -> bool:
    """Whether it may take several records of an entity to satisfy a predicate."""
    compared = list(paths(where))
    positive = [t for t in tests(where) if not t.negated]
    return len(compared) > 1 or len(positive) < len(compared) or any(p.references for p in compared)


def _is_elsewhere(path: AttributePath, kind: str) -> bool:
    """Whether other records than those at hand may tell an attribute. Of processes, all are at hand; accounts stand in too many."""
    end = path.references[-1][1] if path.references else kind
    return end != "user-account" and not (kind == "process" and not path.references) and not entity_type(end).is_in_every_observation(path.attribute)


def _by_reference(wanted: Iterable[AttributePath]) -> dict[tuple[str, str], list[AttributePath]]:
    """The paths that lead elsewhere, by their first reference."""
    found: dict[tuple[str, str], list[AttributePath]] = {}
    for path in wanted:
        if path.references and path.references[0][1] != "user-account":
            found.setdefault(path.references[0], []).append(path)
    return found
