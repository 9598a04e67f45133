"""Steps to variables: every step becomes a table of (id, rec, t), evaluated over the resolved records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import ClassVar, TypeVar, assert_never

import duckdb

from kestrel.engine import recognition
from kestrel.engine.attributes import merged
from kestrel.engine.comparison import Comparer
from kestrel.engine.external import Given
from kestrel.engine.find import Finder
from kestrel.engine.match import SMALL, Matcher, Scope, moment, within_range
from kestrel.engine.on_demand import Narrow
from kestrel.engine.raw import originals
from kestrel.engine.remote import Live
from kestrel.engine.snapshots import Snapshots
from kestrel.engine.tables import ORIGINAL, RowLists
from kestrel.engine.variable import NO_ROWS, Column, Own, Variable, fresh, shown_as
from kestrel.errors import KestrelError
from kestrel.graph.predicate import AttributePath, Predicate, ValuesOf, paths, tests
from kestrel.graph.steps import (
    TABLE,
    Applied,
    Find,
    Get,
    Group,
    Join,
    Load,
    Merge,
    New,
    Refine,
    Rows,
    Source,
    Step,
    TimeRange,
    all_steps,
    content_id,
    inputs_of,
    read_by,
    sources_of,
    type_of,
)
from kestrel.ingest.account import check
from kestrel.ingest.database import PrivateFolder, lock
from kestrel.ingest.dataset import Dataset, configure
from kestrel.ingest.file_states import Readings
from kestrel.ingest.observations import Events, Unread, attribute, can_have, entity_type, has_attribute, observations
from kestrel.ingest.sql import quoted_name
from kestrel.model.layout import OBJECTS, Role, layout
from kestrel.model.vocabulary import EVERY_ENTITY, EntityType, vocabulary
from kestrel.pushdown.projection import columns_of
from kestrel.pushdown.request import Fetcher
from kestrel.result import Notice
from kestrel.text import Span, listed, nearest

T = TypeVar("T")


class NoSuchData(KestrelError):
    """An `x_` attribute that no record has."""

    code: ClassVar[str] = "K0301"

    def __init__(self, type_name: str, name: str, known: Sequence[str], span: Span | None) -> None:
        close = nearest(name, [*known, *entity_type(type_name).further])
        hint = f"did you mean `{close}`?" if close else f"known attributes: {listed(dict.fromkeys(known))}" if known else None
        super().__init__(f"no record has `{name}` of {type_name}", span, hint)


class NoSuchType(KestrelError):
    """A custom type that no record has. `there`: the custom types that records have."""

    code: ClassVar[str] = "K0304"
    part = "type"

    def __init__(self, name: str, there: Collection[str] = ()) -> None:
        close = nearest(name, [*sorted(there), *vocabulary().types])
        hint = f"did you mean `{close}`?" if close else f"known types: {listed(dict.fromkeys([*vocabulary().common, *sorted(there)]), 20)}"
        super().__init__(f"no record has an entity of type `{name}`", None, hint)


def _no_fetcher(source: Source) -> Fetcher:
    raise AssertionError(f"nothing was said to fetch {source.uri} with")


@dataclass
class Store:
    """Everything known in a session: datasets and the steps evaluated over them."""

    cache: Path | None = None
    lent: tuple[timedelta, timedelta] = (timedelta(0), timedelta(0))
    """What is added to the start and the stop of the span of a variable's records when `v.attr` lends it."""
    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    scope: Mapping[str, Step] = field(default_factory=dict)
    """The variables of the session, by name."""
    subject: str | None = None
    """The variable that the current statement is about."""
    variables: dict[str, Variable] = field(default_factory=dict)
    told: dict[str, Own | None] = field(default_factory=dict)
    """What analytics returned, by the content of the step it was returned for."""
    notices: list[Notice] = field(default_factory=list)
    """What is to be told of the data since it was last asked."""

    readings: Readings = field(default_factory=Readings)
    """What files contained when they were read."""
    fetcher: Callable[[Source], Fetcher] = _no_fetcher
    """What fetches the records of a live source."""
    asked: set[Step] = field(default_factory=set)
    """Steps that a cell asks of live sources, and that were not looked at yet."""

    def __post_init__(self) -> None:
        configure(self.con)
        self.folder = PrivateFolder()
        lock(self.con, self.folder.path)
        self.live = Live(self.fetcher)
        self.snapshots = Snapshots(self.con, self.cache, self.live, self.readings)
        self.narrow = Narrow(self)

    def expect(self, columns: frozenset[str] | None) -> None:
        """Tell which columns the next steps need, so that large files are read once for all of them."""
        known = self.snapshots.wanted
        self.snapshots.wanted = None if columns is None or known is None else known | columns

    # -- datasets ------------------------------------------------------------------------------------------------

    @property
    def datasets(self) -> Mapping[str, Dataset]:
        """The datasets that are held, by key."""
        return self.snapshots.held

    def dataset(self, sources: Sequence[Source], span: TimeRange | None) -> Dataset | None:
        """The records of these sources together: all of log files, of live sources those of the time range. Fetched and read at most
        once."""
        dataset = self.snapshots.of(self.live.local(sources, span), span)
        if dataset and not dataset.is_live:
            check(dataset.account, ", ".join(s.uri for s in sources))
        return dataset

    def together(self, variables: Sequence[Variable]) -> Dataset | None:
        """The records of several variables together."""
        datasets = {v.dataset.key: v.dataset for v in variables if v.dataset}
        if len(datasets) <= 1:
            return next(iter(datasets.values()), None)
        sources = tuple(dict.fromkeys(s for d in datasets.values() for s in d.sources))
        return self.snapshots.of(sources, _whole([d.span for d in datasets.values()]))

    def progress(self) -> tuple[str, int, float] | None:
        """What takes long at the moment: `bytes` that are read or `records` that are fetched, how many, and the fraction that is done.
        Safe from any thread."""
        if fetched := self.live.progress:
            return "records", fetched[0], min(1.0, fetched[1] / max(1, fetched[0]))
        read = self.snapshots.progress()
        return ("bytes", *read) if read else None

    def interrupt(self) -> None:
        """Stop what runs now, from any thread."""
        self.live.stop()
        self.snapshots.stop()
        self.con.interrupt()

    def settle(self) -> str | None:
        """Keep what was read for the next session; why it could not be kept, or None."""
        try:
            self.snapshots.keep()
        except (duckdb.Error, OSError) as error:
            return str(error).splitlines()[0]
        return None

    def close(self) -> None:
        """Free everything."""
        self.live.close()
        self.con.close()
        self.snapshots.close()
        self.folder.discard()

    def forget(self, steps: Iterable[Step]) -> None:
        """Drop what files contained before they changed, unless one of the steps refers to it."""
        needed = {s for step in steps for s in read_by(step)}
        loaded = {s for v in self.variables.values() for s in v.step.files_looked_at} - needed
        gone = {*self.snapshots.drop(needed), *(s for s in loaded if any(True for _ in self.readings.changed([s])))}
        if not gone:
            return
        old = {key: v for key, v in self.variables.items() if gone.intersection(read_by(v.step))}
        self.variables = {key: v for key, v in self.variables.items() if key not in old}
        kept = {t for v in self.variables.values() for t in v.tables()} | {own.table for own in self.told.values() if own}
        for table in {t for v in old.values() for t in v.tables()} - kept:
            self.con.execute(f"DROP TABLE IF EXISTS {table}")

    # -- steps ---------------------------------------------------------------------------------------------------

    def evaluate(self, step: Step) -> Variable:
        """The variable of a step; equal steps are evaluated once."""
        self._ask_again(step)
        key = content_id(step) + self.live.state(step.sources_looked_at)
        if key not in self.variables:
            variable = self._reading(lambda: self._evaluate(step))
            self.notices += recognition.reasons(self, step, variable)
            self.variables[key] = variable
            if isinstance(step, Get | Find | Refine) and step.where is not None:
                self.tell_missing(step, paths(step.where))
                dataset, own = self.variables[key].dataset, self.variables[key].columns
                asked = [path for path in paths(step.where) if path.text() not in own]
                if not self.variables[key].flat:
                    self._reading(lambda: self._tell_unmapped(dataset, asked))
        return self.variables[key]

    def _tell_unmapped(self, dataset: Dataset | None, asked: Iterable[AttributePath]) -> None:
        """Add a notice of attributes that no record of the dataset can have: records in STIX lack them, other log formats are not mapped
        to them."""
        if dataset is None or not self.any(f"SELECT 1 FROM {dataset.events.table}"):
            return
        others = [name for name in dataset.account.log_formats if name != "stix"]
        for path in dict.fromkeys(asked):
            if not path.known or path.attribute in EVERY_ENTITY or can_have(dataset.events, path):
                continue
            text = f"no record here has `{path.text()}` of {path.type}"
            if others:
                text = f"Kestrel does not read `{path.text()}` of {path.type} from the log format{'s' if len(others) > 1 else ''} {listed(others)}"
            self.notices.append(Notice("no-such-attribute", text))

    def tell_missing(self, step: Step, asked: Iterable[AttributePath]) -> None:
        """Note the attributes that a live source of a step never brings."""
        for source in [s for s in sources_of(step) if s.place]:
            brings = self.live.fetcher(source).brings
            for path in dict.fromkeys(asked) if brings is not None else ():
                columns = set(columns_of(path)) if not path.kind and path.attribute not in EVERY_ENTITY else set()
                if columns and brings is not None and columns.isdisjoint(brings):
                    self.notices.append(Notice("not-brought", f"`{source.uri}` never brings `{path.attribute}` of {path.end}"))

    def _ask_again(self, step: Step) -> None:
        """Of what a cell asks of live sources anew: whether what is held of them is still what is there."""
        for asked in [s for s in all_steps(step) if s in self.asked] if self.asked else ():
            self.asked.discard(asked)
            if isinstance(asked, Get):
                self.live.renew(asked.sources, asked.range or self._lent(asked.where))

    def _reading(self, answer: Callable[[], T]) -> T:
        """An answer, after reading what was left in the files if it needs that."""
        while True:
            try:
                return answer()
            except Unread as missing:
                self.snapshots.complete(missing)

    def _evaluate(self, step: Step) -> Variable:
        match step:
            case Get():
                return self._get(step)
            case Find():
                return Finder(self).find(step)
            case New():
                return Given(self).new(step)
            case Load():
                return Given(self).load(step)
            case Applied():
                return Given(self).applied(step)
            case Merge():
                return self._merge(step)
            case Refine():
                return self._refine(step)
            case Rows():
                return RowLists(self).rows(step)
            case Group():
                return RowLists(self).group(step)
            case Join():
                return RowLists(self).join(step)
            case _:
                assert_never(step)

    def _get(self, step: Get) -> Variable:
        span = step.range or self._lent(step.where)
        self.narrow.before_get(step, span)
        dataset = self.dataset(step.sources, span)
        scope = Scope(dataset.events if dataset else None, within_range(span))
        self.check_type(step.type, scope.events)
        if step.where is None:
            rows = self.table(observations(scope.events, step.type, [], scope.conditions) if scope.events else NO_ROWS)
        else:
            rows = self._matching_rows(step.type, step.where, scope)
        return self.limited(Variable(step, step.type, rows, dataset, span), step.limit, 0)

    def check_type(self, type_name: str, events: Events | None) -> None:
        """A type the model does not know is for the data to confirm."""
        if vocabulary().has_role(type_name) or (events and events.has(f"{OBJECTS}.type") and type_name in events.further.types):
            return
        if events and self.any(f"SELECT 1 FROM {events.table}"):
            if type_name not in vocabulary().types:
                raise NoSuchType(type_name, events.further.types)
            self.notices.append(Notice("no-such-entities", f"no record here has an entity of type `{type_name}`"))
            return
        self.notices.append(Notice("unknown-type", f"no records were read, so it is unknown whether there are entities of type `{type_name}`"))

    def _lent(self, where: Predicate | None) -> TimeRange | None:
        """The span of the records of the variables a predicate takes values of, widened by a little."""
        lenders = {v.step for test in (tests(where) if where else ()) for v in test.values if isinstance(v, ValuesOf)}
        spans = [self.counts(self.evaluate(step))[2:] for step in lenders]
        known = [(first, last) for first, last in spans if first and last]
        if not known or len(known) < len(spans):
            return None
        before, after = self.lent
        return TimeRange(min(first for first, _ in known) + before, max(last for _, last in known) + after)

    def _matching_rows(self, type_name: str, where: Predicate, scope: Scope) -> str:
        """The rows in which a comparison holds for an entity that satisfies the whole predicate."""
        matcher = self.matcher(type_name, scope, where)
        ids, leaves = matcher.match(where)
        if leaves:
            rows = " UNION ".join(f"SELECT id, rec, t FROM {leaf}" for leaf in leaves)
            rows = f"SELECT id, rec, t FROM ({rows}) WHERE id IN (SELECT id FROM {ids})"
            shown = self.table(rows)
            missing = f"SELECT id FROM {ids} WHERE id NOT IN (SELECT id FROM {shown})"
        else:
            shown, missing = self.table(NO_ROWS), f"SELECT id FROM {ids}"
        if self.any(missing) and scope.events:
            every = observations(scope.events, type_name, [], scope.conditions)
            self.con.execute(f"INSERT INTO {shown} SELECT DISTINCT id, rec, t FROM ({every}) WHERE id IN ({missing})")
        return shown

    def matcher(self, type_name: str, scope: Scope, where: Predicate, rows: str | None = None) -> Matcher:
        """What finds the entities of a predicate: of `rows`, a table of (id, rec, t), or of all."""
        self._check_known(paths(where), scope.own.columns if scope.own else {}, scope.events)
        within = rows if rows and self._count(rows) < SMALL else None
        return Matcher(self.con, type_name, scope, Comparer(self.con, self.values_of), rows, within)

    def _check_known(self, wanted: Iterable[AttributePath], columns: Mapping[str, Column], events: Events | None) -> None:
        """A name that only data can confirm is a mistake where there are data and none has it."""
        for path in wanted:
            if path.known or path.text() in columns or (events and has_attribute(events, path.end, path.attribute)):
                continue
            if columns or (events and self.any(f"SELECT 1 FROM {events.table}")):
                kind = entity_type(path.end)
                there = _only_in_data(events, layout().roles_of(kind.name), kind)
                raise NoSuchData(path.end, path.attribute, [*columns, *kind.common, *there], path.span)
            self.notices.append(Notice("unknown-attribute", f"there is no record to tell whether {path.end} has `{path.attribute}`"))

    def values_of(self, values: ValuesOf) -> str:
        """Every recorded value of an attribute in a variable, as a table with a column `value`."""
        variable = self.evaluate(values.step)
        path = values.path
        if variable.flat or path.references or path.attribute in EVERY_ENTITY:
            frame = self.frame(variable, [path])
            return self.table(f"SELECT DISTINCT f0 AS value FROM {frame} WHERE f0 IS NOT NULL")
        scope = self.scope_of(variable)
        name = path.attribute
        parts = []
        if scope.events and (not path.known or name in entity_type(variable.type).attributes):
            inner = observations(scope.events, variable.type, [name], scope.conditions)
            parts.append(f"SELECT id, {quoted_name(name)} AS value FROM ({inner})")
        if scope.own and name in scope.own.columns:
            parts.append(f"SELECT id, {scope.own.columns[name].sql} AS value FROM {scope.own.table}")
        self._check_known([path], scope.own.columns if scope.own else {}, scope.events)
        every = " UNION ALL ".join(parts) or "SELECT 0::UBIGINT AS id, NULL::VARCHAR AS value"
        return self.table(f"SELECT DISTINCT value FROM ({every}) WHERE value IS NOT NULL AND id IN (SELECT id FROM {variable.table})")

    def listed(self, values: ValuesOf) -> list[str | int | float]:
        """The same as a list; times as text."""
        rows = self.con.execute(f"SELECT value FROM {self.values_of(values)} ORDER BY 1").fetchall()
        return [v if isinstance(v, str | int | float) else str(v) for (v,) in rows]

    def _merge(self, step: Merge) -> Variable:
        inputs = [self.evaluate(i) for i in step.inputs]
        if type_of(step) == TABLE:
            return RowLists(self).union(step, inputs)
        dataset = self.together(inputs)
        tables = [self.carried(v, dataset) for v in inputs]
        rows = self.table(" UNION ".join(f"SELECT id, rec, t FROM {t}" for t in tables))
        owned = [v.own for v in inputs if v.own]
        own = reduce(Given(self).over, owned) if owned else None
        return Variable(step, inputs[0].type, rows, dataset, _whole([v.range for v in inputs]), own)

    def carried(self, variable: Variable, dataset: Dataset | None) -> str:
        """The rows of a variable with the ids of another dataset: where more records are known, so may be more of who is whom. Of records
        that are not in it, as those of another time range of a live source, the ids stay: they come from content alone."""
        same = dataset is None or variable.dataset is None or variable.dataset.key == dataset.key
        if same or [k.columns for k in entity_type(variable.type).keys] == [("value",)] or dataset is None or variable.dataset is None:
            return variable.table
        role = ["{role} AS role"]
        old = observations(variable.dataset.events, variable.type, [], (), role)
        new = observations(dataset.events, variable.type, [], (), role)
        return self.table(
            f"SELECT DISTINCT coalesce(n.id, v.id) AS id, v.rec, v.t FROM {variable.table} v JOIN ({old}) o ON o.id = v.id AND o.rec = v.rec "
            f"LEFT JOIN ({new}) n ON n.rec = o.rec AND n.role = o.role"
        )

    def _refine(self, step: Refine) -> Variable:
        base = self.evaluate(step.input)
        if base.flat:
            return RowLists(self).refine(step, base)
        base = self.narrow.completed(base, [*(paths(step.where) if step.where else ()), *([step.sort] if step.sort else ())])
        variable = replace(base, step=step)
        if step.range:
            kept = within_range(step.range)
            variable = replace(variable, table=self.table(f"SELECT id, rec, t FROM {variable.table} WHERE {' AND '.join(kept)}"), range=step.range)
        if step.where is not None:
            ids, _ = self.matcher(variable.type, self.scope_of(base), step.where, variable.table).match(step.where)
            variable = replace(variable, table=self.table(f"SELECT id, rec, t FROM {variable.table} WHERE id IN (SELECT id FROM {ids})"))
        if step.sort:
            variable = replace(variable, order=(step.sort, step.ascending))
        return self.limited(variable, step.limit, step.offset)

    def limited(self, variable: Variable, limit: int | None, offset: int) -> Variable:
        """The first entities, in the variable's order, else of first observation, then identity."""
        if limit is None and not offset:
            return variable
        order = self._ordered(variable)
        kept = f"SELECT id FROM {order} ORDER BY place LIMIT {'ALL' if limit is None else int(limit)} OFFSET {int(offset)}"
        return replace(variable, table=self.table(f"SELECT id, rec, t FROM {variable.table} WHERE id IN ({kept})"))

    # -- what others ask of a variable ---------------------------------------------------------------------------

    def scope_of(self, variable: Variable) -> Scope:
        """What is known of a variable's entities: the records of its range, and their create records from before it."""
        conditions: tuple[str, ...] = ()
        if variable.range:
            kind = layout().kind
            created = f"kind IN ({kind('process-create')}, {kind('process-create-audit')})"
            conditions = (
                f"(t >= {moment(variable.range.start)} OR ({created} AND {{role}} = 0))",
                f"t < {moment(variable.range.stop)}",
            )
        return Scope(variable.dataset.events if variable.dataset else None, conditions, variable.own)

    def _ordered(self, variable: Variable) -> str:
        """A table of (id, place): the order in which entities are shown."""
        if variable.order:
            path, ascending = variable.order
            values = merged(self.con, variable.table, variable.type, [path], self.scope_of(variable))
            value = f"any_value(m.{shown_as(path)})"
            direction = "ASC" if ascending else "DESC"
            order = f"{value} {direction} NULLS LAST"
            if variable.dataset and variable.dataset.events.further.is_mixed(path.end, path.attribute):
                order = f"try_cast({value} AS DOUBLE) {direction} NULLS LAST, {order}"
            return self.table(
                f"SELECT v.id, row_number() OVER (ORDER BY {order}, min(v.t) NULLS LAST, v.id) AS place "
                f"FROM {variable.table} v JOIN {values} m ON m.id = v.id GROUP BY v.id"
            )
        if variable.places:
            held = f"(SELECT DISTINCT id FROM {variable.table})"
            return self.table(
                f"SELECT v.id, row_number() OVER (ORDER BY p.place, v.id) AS place FROM {held} v JOIN {variable.places} p ON p.id = v.id"
            )
        return self.table(f"SELECT id, row_number() OVER (ORDER BY min(t) NULLS LAST, id) AS place FROM {variable.table} GROUP BY id")

    def frame(self, variable: Variable, wanted: Sequence[AttributePath], known: bool = False) -> str:
        """The variable as rows: a table of place (their order), n, id, and the wanted attributes as f0, f1, ...

        One row an entity, or a row of its list; each attribute as its best value. `known`: as far as it is known, and no source is
        asked for more.
        """
        if not known and not variable.flat:
            variable = self.narrow.completed(variable, wanted)
        return self._reading(lambda: self._frame(variable, wanted))

    def _frame(self, variable: Variable, wanted: Sequence[AttributePath]) -> str:
        flat = variable.flat
        events = variable.dataset.events if variable.dataset and variable.type != TABLE else None
        self._check_known(wanted, variable.columns, events)
        listed = {p: flat.columns[p.text()] for p in wanted if p.text() in flat.columns} if flat else {}
        raw = [p for p in wanted if flat and flat.by_record and p.text() == ORIGINAL]
        of_entity = list(dict.fromkeys(p for p in wanted if p not in listed and p not in raw))
        joins, shown = "", {}
        for path, column in listed.items():
            shown[path] = f"r.{column.sql}"
        if of_entity and variable.type != TABLE:
            joins += f" LEFT JOIN {merged(self.con, variable.table, variable.type, of_entity, self.scope_of(variable))} m ON m.id = r.id"
            shown |= {p: f"m.{shown_as(p)}" for p in of_entity}
        if raw and flat and variable.dataset:
            lines = originals(self.con, variable.dataset, flat.table, self.name_of(variable.step))
            joins += f" LEFT JOIN {lines} l ON l.rec = r.rec"
            shown |= dict.fromkeys(raw, "l.line")
        columns = "".join(f", {shown.get(p, 'NULL::VARCHAR')} AS f{n}" for n, p in enumerate(wanted))
        rows = f"(SELECT n AS place, * FROM {flat.table})" if flat else f"(SELECT place, place AS n, id FROM {self._ordered(variable)})"
        return self.table(f"SELECT r.place, r.n, r.id{columns} FROM {rows} r{joins}")

    def counts(self, variable: Variable) -> tuple[int, int, datetime | None, datetime | None]:
        """Entities (rows, of a table), records, first and last time (UTC)."""
        if variable.type == TABLE:
            return (number := self.rows(variable)), number, None, None
        row = self.con.execute(f"SELECT count(DISTINCT id), count(DISTINCT rec), min(t), max(t) FROM {variable.table}").fetchone()
        assert row is not None
        first, last = (v.replace(tzinfo=UTC) if v else None for v in row[2:])
        return row[0], row[1], first, last

    def rows(self, variable: Variable) -> int:
        """The rows that are shown: one an entity, or those of its list."""
        if variable.flat is None:
            return self.counts(variable)[0]
        return self._count(variable.flat.table)

    def attributes_of(self, variable: Variable) -> list[AttributePath]:
        """Every attribute the rows can have: columns of their own, and what records give for the type, one reference deep."""
        found = self._reading(lambda: list(self._attribute_paths(variable)))
        known = {p.text() for p in found}
        own = [AttributePath(variable.type, (), name, kind=c.kind) for name, c in variable.columns.items()]
        return [p for p in own if p.text() not in known and p.text() not in EVERY_ENTITY] + found

    def _attribute_paths(self, variable: Variable) -> Iterator[AttributePath]:
        if variable.type == TABLE:
            return
        kind = entity_type(variable.type)
        events = variable.dataset.events if variable.dataset else None
        roles = layout().roles_of(variable.type)
        for name in kind.attributes:
            if (variable.own and name in variable.own.columns) or (events and any(attribute(events, s, name, kind) for s in roles)):
                yield AttributePath(variable.type, (), name)
        yield from (AttributePath(variable.type, (), n, False, kind="any") for n in _only_in_data(events, roles, kind))
        for reference, target in kind.references.items():
            places = dict.fromkeys(to.target for s in roles for to in layout().leads_to(s.name, reference))
            targets = [layout().roles[t] for t in places]
            below = entity_type(target)
            brought = variable.own.columns if variable.own else {}
            for name in below.attributes:
                recorded = events and any(attribute(events, t, name, below) for t in targets)
                if recorded or f"{reference}.{name}" in brought:
                    yield AttributePath(variable.type, ((reference, target),), name)
            yield from (AttributePath(variable.type, ((reference, target),), n, False, kind="any") for n in _only_in_data(events, targets, below))
            for inner, deeper in below.references.items():
                if reference == inner or deeper != "directory":
                    continue
                if (events and targets) or f"{reference}.{inner}.path" in brought:
                    yield AttributePath(variable.type, ((reference, target), (inner, deeper)), "path")

    def name_of(self, step: Step) -> str:
        """The name of a variable, or of the first one it is made from."""
        names = {s: n for n, s in self.scope.items()}
        if self.subject and self.subject in self.scope:
            names[self.scope[self.subject]] = self.subject
        while step not in names and (below := inputs_of(step)):
            step = below[0]
        return names.get(step, self.subject or "_")

    # -- small things --------------------------------------------------------------------------------------------

    def table(self, select: str) -> str:
        """The rows of a SELECT, kept as a table; its name."""
        name = fresh("t")
        self.con.execute(f"CREATE TEMP TABLE {name} AS {select}")
        return name

    def any(self, select: str) -> bool:
        """Whether a SELECT gives a row."""
        return self.con.execute(f"SELECT 1 FROM ({select}) LIMIT 1").fetchone() is not None

    def _count(self, table: str) -> int:
        row = self.con.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0


def _only_in_data(events: Events | None, roles: Sequence[Role], kind: EntityType) -> list[str]:
    """The attributes of some roles that are known only from the records: custom properties and entries of dictionaries."""
    found = {n: None for s in roles for n in (events.further.names(s.name, s.type) if events else ())}
    return sorted(n for n in found if n not in kind.attributes and n not in EVERY_ENTITY)


def _whole(spans: Sequence[TimeRange | None]) -> TimeRange | None:
    """The span that takes in all of them; None, all time, if one of them is."""
    known = [s for s in spans if s]
    return reduce(TimeRange.union, known) if known and len(known) == len(spans) else None
