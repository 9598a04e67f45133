"""The evaluation of steps: each becomes a variable, a table of (id, rec, t) over the resolved records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_never

import duckdb

from kestrel.engine import external, fields, frames, get, tables
from kestrel.engine.available import attribute_paths, check_attributes, unmapped
from kestrel.engine.datasets import Datasets
from kestrel.engine.find import find
from kestrel.engine.on_demand import OnDemand
from kestrel.engine.recognition import reasons
from kestrel.engine.variable import Own, Variable
from kestrel.engine.workspace import Workspace
from kestrel.graph.steps import (
    TABLE,
    Applied,
    AttributePath,
    Find,
    Get,
    Group,
    Join,
    Load,
    Merge,
    New,
    Predicate,
    Refine,
    Rows,
    Source,
    Step,
    TimeRange,
    ValuesOf,
    all_steps,
    content_id,
    inputs_of,
    paths,
    read_by,
    sources_of,
    tests,
    type_of,
)
from kestrel.ingest.database import PrivateFolder, lock
from kestrel.ingest.dataset import Dataset, configure
from kestrel.ingest.file_states import Readings
from kestrel.ingest.observations import entity_type, observations
from kestrel.ingest.sql import Statement, attribute_column
from kestrel.lower.columns import EVENT
from kestrel.model.vocabulary import EVERY_ENTITY
from kestrel.pushdown.projection import columns_of
from kestrel.pushdown.request import Connector
from kestrel.result import Notice

RECENT = 64
"""The number of variables that are kept, those used last: other steps are evaluated again when they are needed."""
MOST_ROWS = 10_000_000
"""The maximum number of rows in the tables of these variables, each of 24 bytes or more; the last one is kept whatever its size."""


def _no_fetcher(source: Source) -> Connector:
    raise AssertionError(f"there is nothing to fetch {source.uri} with")


class Engine:
    """Evaluates the steps of a session, each once.

    scope: the variables of the session, by name; subject: the one that the current statement is about. derived_range: what is added to the
    start and the stop of the records of a variable when `v.attr` limits the time of a GET. asked: GETs of a cell on servers, not yet checked
    for new records.
    """

    def __init__(
        self,
        cache: Path | None = None,
        derived_range: tuple[timedelta, timedelta] = (timedelta(0), timedelta(0)),
        scope: Mapping[str, Step] | None = None,
        fetcher: Callable[[Source], Connector] = _no_fetcher,
        readings: Readings | None = None,
    ) -> None:
        self.con = duckdb.connect()
        configure(self.con)
        self.folder = PrivateFolder()
        lock(self.con, self.folder.path)
        self.derived_range = derived_range
        self.scope = {} if scope is None else scope
        self.subject: str | None = None
        self.readings = readings or Readings()
        self.work = Workspace(self.con)
        self.datasets = Datasets(self.work, cache, fetcher, self.readings)
        self.remote = self.datasets.remote
        self.fields = fields.Fields(self.work.con, self.values_of)
        self.datasets.snapshots.completed = self.fields.widen
        self.on_demand = OnDemand(self.work, self.datasets, self)
        self.variables: dict[str, Variable] = {}
        self.answers: dict[str, Own | None] = {}
        """What analytics returned, by the content of the step."""
        self.asked: set[Step] = set()
        self._several: dict[str, bool] = {}
        """Whether the records of a table name more than one host."""
        self._counts: dict[str, tuple[int, int, datetime | None, datetime | None]] = {}

    # -- steps ---------------------------------------------------------------------------------------------------

    def evaluate(self, step: Step) -> Variable:
        """The variable of a step; equal steps are evaluated once."""
        self._renew(step)
        key = content_id(step) + self.remote.state(step.sources_looked_at)
        if key not in self.variables:
            variable = self.datasets.reading(lambda: self._evaluate(step))
            input_is_empty = isinstance(step, Find) and not self.counts(self.evaluate(step.input))[0]
            if isinstance(step, Get | Find):
                self.work.notices += reasons(self.remote, variable, not self.counts(variable)[0] and not input_is_empty)
            self.variables[key] = variable
            if isinstance(step, Get | Find | Refine) and step.where is not None:
                self._report_missing(step, variable)
        self.variables[key] = self.variables.pop(key)  # used last
        return self.variables[key]

    def _evaluate(self, step: Step) -> Variable:
        match step:
            case Get():
                span = step.range or self._derived_range(step.where)
                self._ask_all_fields(step.sources, step.where)
                self.on_demand.before_get(step, span)
                dataset = self.with_fields(self.datasets.of(step.sources, span), step.where)
                return get.get(self.work, self.values_of, step, dataset, span)
            case Find():
                return self._find(step)
            case New():
                return external.new(self.work, step)
            case Load():
                return external.load_file(self.work, self.readings, step)
            case Applied():
                return external.applied(self.work, step, self.evaluate(step.input), self.answers.get(step.content))
            case Merge():
                inputs = [self.evaluate(i) for i in step.inputs]
                return tables.union(self.work, step, inputs) if type_of(step) == TABLE else get.merge(self.work, self.datasets, step, inputs)
            case Refine():
                return self._refine(step)
            case Rows():
                return tables.rows(self.work, step, self.evaluate(step.input))
            case Group():
                return tables.group(self.work, self, step, self.evaluate(step.input))
            case Join():
                return tables.join(self.work, self, step, self.evaluate(step.left), self.evaluate(step.right))
            case _:
                assert_never(step)

    def _find(self, step: Find) -> Variable:
        source = self.evaluate(step.input)
        sources = tuple(dict.fromkeys([*sources_of(step.input), *step.sources]))
        span = step.range or source.range
        self._ask_all_fields(sources, step.where)
        self.on_demand.before_find(step, source, sources, span)
        dataset = self.datasets.of(sources, span)
        assert dataset is not None, "lowering gives every FIND a source"
        self.with_fields(dataset, step.where)
        return find(self.work, self.values_of, step, source, self.datasets.carried(source, dataset), dataset, span)

    def _refine(self, step: Refine) -> Variable:
        base = self._with_records(self.evaluate(step.input), (), step.where)
        if base.flat:
            return tables.refine(self.work, self, step, base)
        wanted = [*(paths(step.where) if step.where else ()), *([step.sort] if step.sort else ())]
        return get.refine(self.work, self.values_of, step, self.on_demand.completed(base, wanted))

    def _ask_all_fields(self, sources: Iterable[Source], where: Predicate | None) -> None:
        """Ask servers for whole records from now on, if a predicate needs fields of them that no log format maps."""
        for source in sources if fields.needed(where) else ():
            if source.place:
                self.remote.ask_all_fields(replace(source, files=()))

    def with_fields(self, dataset: Dataset | None, where: Predicate | None, wanted: Iterable[AttributePath] = (), name: str = "") -> Dataset | None:
        """A dataset with the fields of its records that a predicate and some attributes need."""
        if dataset is not None and fields.needed(where, wanted):
            every = [*wanted, *(paths(where) if where is not None else ())]
            self.work.notices += self.fields.provide(dataset, every, where, name or self.subject or "_")
        return dataset

    def _with_records(self, variable: Variable, wanted: Sequence[AttributePath], where: Predicate | None = None) -> Variable:
        """A variable over records with such fields."""
        dataset = variable.dataset
        if dataset is None or not fields.needed(where, wanted):
            return variable
        if dataset.is_live:
            self._ask_all_fields(dataset.sources, where)
            variable = self.on_demand.renewed(variable)
        self.with_fields(variable.dataset, where, wanted, self.name_of(variable.step))
        return variable

    def _derived_range(self, where: Predicate | None) -> TimeRange | None:
        """The time range of the records of the variables that a predicate takes values of, widened by a little."""
        range_sources = {v.step for test in (tests(where) if where else ()) for v in test.values if isinstance(v, ValuesOf)}
        spans = [self.counts(self.evaluate(step))[2:] for step in range_sources]
        known = [(first, last) for first, last in spans if first and last]
        if not known or len(known) < len(spans):
            return None
        before, after = self.derived_range
        return TimeRange(min(first for first, _ in known) + before, max(last for _, last in known) + after)

    def _renew(self, step: Step) -> None:
        """Of what a cell queries on servers anew: check whether the records that were fetched are still those that are there."""
        for asked in [s for s in all_steps(step) if s in self.asked] if self.asked else ():
            self.asked.discard(asked)
            if isinstance(asked, Get):
                self.remote.renew(asked.sources, asked.range or self._derived_range(asked.where))

    # -- variables -----------------------------------------------------------------------------------------------

    def values_of(self, values: ValuesOf) -> str:
        """Every recorded value of an attribute in a variable, as a table with a column `value`."""
        path = values.path
        variable = self._with_records(self.evaluate(values.step), [path])
        if variable.flat or path.references or path.attribute in EVERY_ENTITY:
            return self.work.table(f"SELECT DISTINCT f0 AS value FROM {self.frame(variable, [path])} WHERE f0 IS NOT NULL")
        scope = frames.scope_of(variable)
        name = path.attribute
        parts = []
        if scope.events and (not path.known or name in entity_type(variable.type).attributes):
            inner = observations(scope.events, variable.type, [name], scope.conditions)
            parts.append(f"SELECT id, {attribute_column(name)} AS value FROM ({inner})")
        if scope.own and name in scope.own.columns:
            parts.append(f"SELECT id, {scope.own.columns[name].sql} AS value FROM {scope.own.table}")
        check_attributes(self.work, [path], scope.own.columns if scope.own else {}, scope.events)
        every = " UNION ALL ".join(parts) or "SELECT 0::UBIGINT AS id, NULL::VARCHAR AS value"
        return self.work.table(f"SELECT DISTINCT value FROM ({every}) WHERE value IS NOT NULL AND id IN (SELECT id FROM {variable.table})")

    def frame(self, variable: Variable, wanted: Sequence[AttributePath], known: bool = False) -> str:
        """The variable as rows: a table of place (their order), n, id, and the wanted attributes as f0, f1, ..."""
        return self.select(variable, wanted, "SELECT * FROM {frame}", known)

    def select(self, variable: Variable, wanted: Sequence[AttributePath], select: str, known: bool = False) -> str:
        """A table of what a SELECT gives from such rows, which it calls `{frame}`."""
        if not known and not variable.flat:
            variable = self.on_demand.completed(variable, wanted)
        if not known:
            variable = self._with_records(variable, wanted)

        def made() -> str:
            statement = Statement()
            rows = frames.frame(self.work, statement, variable, wanted, self.name_of(variable.step))
            return self.work.table(select.format(frame=rows), statement)

        return self.datasets.reading(made)

    def counts(self, variable: Variable) -> tuple[int, int, datetime | None, datetime | None]:
        """Entities (rows, of a table), records, first and last time (UTC)."""
        if variable.type == TABLE:
            return (number := self.rows(variable)), number, None, None
        if variable.table not in self._counts:
            rows, end = variable.table, "t"
            if variable.dataset and (events := variable.dataset.events).has("last"):
                rows += f" LEFT JOIN (SELECT rec, max(last) AS last FROM {events.table} GROUP BY rec) USING (rec)"
                end = "greatest(t, last)"
            (row,) = self.work.fetch(f"SELECT count(DISTINCT id), count(DISTINCT rec), min(t), max({end}) FROM {rows}")
            first, last = (v.replace(tzinfo=UTC) if v else None for v in row[2:])
            self._counts[variable.table] = row[0], row[1], first, last
        return self._counts[variable.table]

    def rows(self, variable: Variable) -> int:
        """The rows that are shown: one an entity, or those of its list."""
        return self.counts(variable)[0] if variable.flat is None else self.work.count(variable.flat.table)

    def attributes_of(self, variable: Variable) -> list[AttributePath]:
        """Every attribute the rows can have: columns of their own, and what records give for the type, one reference deep."""
        found = self.datasets.reading(lambda: list(attribute_paths(variable)))
        if variable.type != EVENT and not self._has_several_hosts(variable):
            found = [p for p in found if p.text() != "host_ref.hostname"]
        known = {p.text() for p in found}
        own = [AttributePath(variable.type, (), name, kind=c.kind) for name, c in variable.columns.items()]
        return [p for p in own if p.text() not in known and p.text() not in EVERY_ENTITY] + found

    def _has_several_hosts(self, variable: Variable) -> bool:
        """Whether the records of a variable name more than one host."""
        if variable.dataset is None:
            return False
        events = variable.dataset.events
        if events.table not in self._several:
            self._several[events.table] = self._is_several(f"{events.table}")
        return self._several[events.table] and self._is_several(f"{events.table} SEMI JOIN {variable.table} v USING (rec)")

    def _is_several(self, records: str) -> bool:
        return self.work.fetch(f"SELECT count(DISTINCT host) > 1 FROM {records}") == [(True,)]

    def name_of(self, step: Step) -> str:
        """The name of a variable, or of the first one it is made from."""
        names = {s: n for n, s in self.scope.items()}
        if self.subject and self.subject in self.scope:
            names[self.scope[self.subject]] = self.subject
        while step not in names and (below := inputs_of(step)):
            step = below[0]
        return names.get(step, self.subject or "_")

    # -- notices -------------------------------------------------------------------------------------------------

    def report_missing(self, step: Step, asked: Iterable[AttributePath]) -> None:
        """Add a notice of each attribute that a server of a step never provides."""
        for source in [s for s in sources_of(step) if s.place]:
            provides = self.remote.fetcher(source).provides
            for path in dict.fromkeys(asked) if provides is not None else ():
                columns = set(columns_of(path)) if not path.kind and path.attribute not in EVERY_ENTITY else set()
                if columns and provides is not None and columns.isdisjoint(provides):
                    self.work.notices.append(Notice("not-brought", f"`{source.uri}` has no field for `{path.attribute}` of {path.end}"))

    def _report_missing(self, step: Get | Find | Refine, variable: Variable) -> None:
        assert step.where is not None
        self.report_missing(step, paths(step.where))
        asked = [path for path in paths(step.where) if path.text() not in variable.columns]
        if variable.dataset and not variable.flat:
            dataset = variable.dataset
            self.work.notices += self.datasets.reading(lambda: list(unmapped(self.work, dataset, asked)))

    # -- life ----------------------------------------------------------------------------------------------------

    def take(self, step: Applied, name: str, answer: Any) -> None:
        """Keep what an analytic returned for one of its inputs. Raises NoIds, UnknownRows, UnusableAnswer."""
        self.answers[step.content] = external.answer_of(self.work, self, step, name, answer)

    def forget(self, steps: Iterable[Step]) -> None:
        """Drop what files contained before they changed, unless one of the steps refers to it."""
        needed = {s for step in steps for s in read_by(step)}
        loaded = {s for v in self.variables.values() for s in v.step.files_looked_at} - needed
        gone = {*self.datasets.snapshots.drop(needed), *(s for s in loaded if any(True for _ in self.readings.changed([s])))}
        if gone:
            self.variables = {key: v for key, v in self.variables.items() if not gone.intersection(read_by(v.step))}

    def tidy(self, steps: Iterable[Step], shown: Iterable[str] = ()) -> None:
        """Free what was not used lately, and neither these steps nor the tables that are `shown` need. What came from outside (NEW, LOAD,
        answers of analytics) cannot be evaluated again, and stays as long as one of the steps is made from it."""
        below = {s for step in set(steps) for s in all_steps(step)}
        self.answers = {s.content: self.answers[s.content] for s in below if isinstance(s, Applied) and s.content in self.answers}
        sizes = self.work.sizes()
        kept: dict[str, Variable] = {}
        rows = 0
        for key, variable in reversed(self.variables.items()):
            rows += sum(sizes.get(table, 0) for table in variable.tables())
            is_recent = not kept or (len(kept) < RECENT and rows <= MOST_ROWS)
            if is_recent or (variable.step in below and isinstance(variable.step, New | Load | Applied)):
                kept[key] = variable
        self.variables = dict(reversed(kept.items()))
        self.fields.forget(self.datasets.snapshots.held)
        needed = {
            *shown,
            *self.fields.tables(),
            *(own.table for own in self.answers.values() if own),
            *(t for v in kept.values() for t in v.tables()),
        }
        self.work.discard(needed)
        self._counts = {table: counts for table, counts in self._counts.items() if table in needed}

    def interrupt(self) -> None:
        """Stop what runs now, from any thread."""
        self.datasets.stop()
        self.con.interrupt()

    def close(self) -> None:
        """Free everything."""
        self.remote.close()
        self.con.close()
        self.datasets.snapshots.close()
        self.folder.discard()
