"""Steps to variables: every step becomes a table of (id, rec, t), evaluated over the resolved records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar, TypeVar, assert_never

import duckdb

from kestrel.errors import KestrelError
from kestrel.graph.predicate import AttributePath, Predicate, ValuesOf
from kestrel.graph.steps import Find, Get, Merge, New, Refine, Source, Step, TimeRange, content_id, sources_of
from kestrel.model.vocabulary import ADDRESS_TYPES, EVERY_ENTITY, vocabulary
from kestrel.schemas.layout import Edge, layout
from kestrel.store.dataset import Dataset, configure, fingerprint, keep, open_dataset, size_of, weight, write_cache
from kestrel.store.match import Matcher, Scope, fresh, moment, moments, paths, tests
from kestrel.store.mentions import Events, Unread, attribute, edges, entity_type, mentions
from kestrel.store.merge import merged, shown_as
from kestrel.store.query import Query
from kestrel.store.writing import start_writing
from kestrel.text import Span, nearest

T = TypeVar("T")
SMALL = 200_000
"""A variable of fewer rows narrows what a filter of it looks at; a larger one would cost more than it saves."""


class NoSuchData(KestrelError):
    """An `x_` attribute that no record has."""

    code: ClassVar[str] = "K0301"

    def __init__(self, type_name: str, name: str, known: Sequence[str], span: Span | None) -> None:
        close = nearest(name, known)
        super().__init__(f"no record has `{name}` of {type_name}", span, f"did you mean `{close}`?" if close else None)


class CannotFollow(KestrelError):
    code: ClassVar[str] = "K0302"

    def __init__(self, type_name: str) -> None:
        super().__init__(
            f"the {type_name} entities of this variable are in no record, so nothing can be found from them",
            None,
            "ask the source for them first: `GET ... WHERE name = v.name`",
        )


@dataclass(frozen=True)
class Variable:
    """A frozen set of (entity, record) pairs.

    `table`: (id, rec, t). `own`: a table of attributes that came with NEW. `order`: as the entities are shown.
    """

    step: Step
    type: str
    table: str
    dataset: Dataset | None
    range: TimeRange | None
    own: str | None = None
    own_columns: frozenset[str] = frozenset()
    order: tuple[AttributePath, bool] | None = None


@dataclass
class Store:
    """Everything known in a session: datasets and the steps evaluated over them."""

    cache: Path | None = None
    lent: tuple[timedelta, timedelta] = (timedelta(0), timedelta(0))
    """What is added to the start and the stop of the span of a variable's records when `v.attr` lends it."""
    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)

    wanted: frozenset[str] | None = frozenset()
    """The columns that are known to be needed of large files; None for all."""
    reading: tuple[int, int, int] | None = None
    """While files are read: the bytes of all, of those done, and of the one being read."""

    def __post_init__(self) -> None:
        configure(self.con)

    def expect(self, columns: frozenset[str] | None) -> None:
        """Tell which columns the next steps need, so that large files are read once for all of them."""
        self.wanted = None if columns is None or self.wanted is None else self.wanted | columns

    # -- datasets ------------------------------------------------------------------------------------------------

    def dataset(self, sources: Sequence[Source]) -> Dataset | None:
        """The records of these sources together, read at most once."""
        if not sources:
            return None
        key = fingerprint(sources)
        if key not in self.datasets:
            self.reading = (size_of(sources), 0, 0)
            try:
                self.datasets[key] = open_dataset(self.con, fresh("d"), sources, self.cache, self.wanted, self._begun)
            finally:
                self.reading = None
        return self.datasets[key]

    def progress(self) -> tuple[int, float] | None:
        """While files are read: their bytes, and the fraction of them that is done. Safe from any thread."""
        if self.reading is None:
            return None
        whole, done, current = self.reading
        return whole, min(1.0, (done + current * max(0.0, self.con.query_progress() / 100)) / max(1, whole))

    def _begun(self, file: Path) -> None:
        if self.reading:
            whole, done, current = self.reading
            self.reading = (whole, done + current, weight(file))

    def complete(self) -> None:
        """Read the columns that were left in the files. Variables stay: ids and keys come from content alone."""
        self.wanted = None
        for dataset in self.datasets.values():
            if dataset.events.unread:
                old = dataset.name
                if self.cache:
                    write_cache(dataset.sources, self.cache)
                whole = open_dataset(self.con, fresh("d"), dataset.sources, self.cache)
                dataset.name, dataset.events, dataset.cached = whole.name, whole.events, whole.cached
                self.con.execute(f"DETACH {old}")

    def settle(self) -> str | None:
        """Keep what was read for the next session; why it could not be kept, or None."""
        try:
            self._keep()
        except (duckdb.Error, OSError) as error:
            return str(error).splitlines()[0]
        return None

    def _keep(self) -> None:
        for dataset in self.datasets.values():
            if not self.cache or dataset.cached:
                continue
            if dataset.events.unread:
                start_writing(dataset.sources, self.cache)
                dataset.cached = True
            else:
                keep(self.con, dataset, self.cache)

    # -- steps ---------------------------------------------------------------------------------------------------

    def evaluate(self, step: Step) -> Variable:
        """The variable of a step; equal steps are evaluated once, as long as their files stay as they are."""
        key = content_id(step) + fingerprint(sources_of(step))
        if key not in self.variables:
            self.variables[key] = self._reading(lambda: self._evaluate(step))
        return self.variables[key]

    def _reading(self, answer: Callable[[], T]) -> T:
        """An answer, after reading what was left in the files if it needs that."""
        try:
            return answer()
        except Unread:
            self.complete()
            return answer()

    def _evaluate(self, step: Step) -> Variable:
        match step:
            case Get():
                return self._get(step)
            case Find():
                return self._find(step)
            case New():
                return self._new(step)
            case Merge():
                return self._merge(step)
            case Refine():
                return self._refine(step)
            case _:
                assert_never(step)

    def _get(self, step: Get) -> Variable:
        dataset = self.dataset(step.sources)
        span = step.range or self._lent(step.where)
        scope = Scope(dataset.events if dataset else None, _within(span))
        if step.where is None:
            rows = self._table(mentions(scope.events, step.type, [], scope.conditions) if scope.events else _no_rows())
        else:
            rows = self._matching_rows(step.type, step.where, scope)
        return self._limited(Variable(step, step.type, rows, dataset, span), step.limit, 0)

    def _lent(self, where: Predicate | None) -> TimeRange | None:
        """The span of the records of the variables a predicate takes values of, widened by a little."""
        lenders = {v.step for test in (tests(where) if where else ()) for v in test.values if isinstance(v, ValuesOf)}
        spans = [self.counts(self.evaluate(step))[2:] for step in lenders]
        known = [(first, last) for first, last in spans if first and last]
        if not known or len(known) < len(spans):
            return None
        before, after = self.lent
        return TimeRange(min(first for first, _ in known) + before, max(last for _, last in known) + after)

    def _matching_rows(self, type_name: str, where: Any, scope: Scope) -> str:
        """The rows in which a comparison holds for an entity that satisfies the whole predicate."""
        matcher = self._matcher(type_name, scope, where)
        ids, leaves = matcher.match(where)
        if leaves:
            rows = " UNION ".join(f"SELECT id, rec, t FROM {leaf}" for leaf in leaves)
            rows = f"SELECT id, rec, t FROM ({rows}) WHERE id IN (SELECT id FROM {ids})"
            shown = self._table(rows)
            missing = f"SELECT id FROM {ids} WHERE id NOT IN (SELECT id FROM {shown})"
        else:
            shown, missing = self._table(_no_rows()), f"SELECT id FROM {ids}"
        if self._any(missing) and scope.events:
            every = mentions(scope.events, type_name, [], scope.conditions)
            self.con.execute(f"INSERT INTO {shown} SELECT DISTINCT id, rec, t FROM ({every}) WHERE id IN ({missing})")
        return shown

    def _matcher(self, type_name: str, scope: Scope, where: Any, within: str | None = None) -> Matcher:
        self._check_known(where, scope)
        return Matcher(self.con, type_name, scope, self._values_of, within if within and self._count(within) < SMALL else None)

    def _check_known(self, where: Any, scope: Scope) -> None:
        for path in paths(where):
            if not path.known and path.text() not in scope.own_columns and scope.events and self._any(f"SELECT 1 FROM {scope.events.table}"):
                raise NoSuchData(path.end, path.attribute, list(entity_type(path.end).attributes), path.span)

    def _values_of(self, values: ValuesOf) -> str:
        """Every recorded value of an attribute in a variable, as a table with a column `value`."""
        variable = self.evaluate(values.step)
        if not values.path.references and values.path.attribute not in EVERY_ENTITY:
            scope = self.scope_of(variable)
            parts = []
            name = values.path.attribute
            if scope.events:
                parts.append(f'SELECT id, "{name}" AS value FROM ({mentions(scope.events, variable.type, [name], scope.conditions)})')
            if scope.own and name in scope.own_columns:
                parts.append(f'SELECT id, "{name}" AS value FROM {scope.own}')
            if parts:
                return self._table(
                    f"SELECT DISTINCT value FROM ({' UNION ALL '.join(parts)}) WHERE value IS NOT NULL AND id IN (SELECT id FROM {variable.table})"
                )
        table = merged(self.con, variable.table, variable.type, [values.path], self.scope_of(variable))
        return self._table(f"SELECT DISTINCT {shown_as(values.path)} AS value FROM {table} WHERE {shown_as(values.path)} IS NOT NULL")

    def _find(self, step: Find) -> Variable:
        source = self.evaluate(step.input)
        sources = tuple(dict.fromkeys([*sources_of(step.input), *step.sources]))
        dataset = self.dataset(sources)
        assert dataset is not None, "lowering gives every FIND a source"
        ids = self._carried(source, dataset)
        if self._any(f"SELECT 1 FROM {source.table}") and source.own and not self._known(ids, source.type, dataset):
            raise CannotFollow(source.type)
        span = step.range or source.range
        pairs = self._pairs(step, source.type, dataset.events, _within(span))
        rows = self._hops(pairs, ids, step)
        variable = Variable(step, step.type, rows, dataset, span)
        if step.where is not None:
            scope = Scope(dataset.events, _within(span))
            kept, _ = self._matcher(step.type, scope, step.where, rows).match(step.where)
            variable = replace(variable, table=self._table(f"SELECT id, rec, t FROM {rows} WHERE id IN (SELECT id FROM {kept})"))
        return self._limited(variable, step.limit, 0)

    def _known(self, ids: str, type_name: str, dataset: Dataset) -> bool:
        every = mentions(dataset.events, type_name, [])
        return self._any(f"SELECT 1 FROM ({every}) WHERE id IN (SELECT id FROM {ids})")

    def _pairs(self, step: Find, type_name: str, events: Events, within: Sequence[str]) -> str:
        """SELECT given, found, rec, t: the relation, seen from the input."""
        if step.verb == "LINKED":
            return self._linked(step.type, type_name, events, within)
        subject, thing = (type_name, step.type) if step.by else (step.type, type_name)
        chosen = [e for e in layout().edges if e.verb == step.verb and _is(e.subject, subject) and _is(e.object, thing)]
        given, found = ("subject", "object") if step.by else ("object", "subject")
        select = f"SELECT {given} AS given, {found} AS found, rec, t FROM ({edges(events, chosen, within)})"
        return self._of_family(select, step.type, events, within)

    def _of_family(self, select: str, type_name: str, events: Events, within: Sequence[str]) -> str:
        """Of addresses, only those of the asked family."""
        if type_name not in ADDRESS_TYPES:
            return select
        return f"SELECT * FROM ({select}) WHERE found IN (SELECT id FROM ({mentions(events, type_name, [], within)}))"

    def _linked(self, found_type: str, given_type: str, events: Events, within: Sequence[str]) -> str:
        """One hop over any edge, either way; and standing in one record with an object that has no edge there."""
        parts = []
        for given, found in (("subject", "object"), ("object", "subject")):
            chosen = [
                e
                for e in layout().edges
                if _is(e.subject, given_type if given == "subject" else found_type) and _is(e.object, given_type if given == "object" else found_type)
            ]
            parts.append(f"SELECT {given} AS given, {found} AS found, rec, t FROM ({edges(events, chosen, within)})")
        touched = {s for e in layout().edges for s in (e.subject, e.object)}
        for a in layout().slots_of(given_type):
            for b in layout().slots_of(found_type):
                if a.name != b.name and (a.name not in touched or b.name not in touched):
                    pair = Edge(a.name, "LINKED", b.name, (), {})
                    parts.append(f"SELECT subject AS given, object AS found, rec, t FROM ({edges(events, [pair], within)})")
        select = f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}) WHERE {'given <> found' if given_type == found_type else 'true'}"
        return self._of_family(select, found_type, events, within)

    def _hops(self, pairs: str, ids: str, step: Find) -> str:
        """Rows found from the ids: over one edge, or over as many as are asked; cycles end."""
        if step.depth == 1:
            return self._table(f"SELECT DISTINCT found AS id, rec, t FROM ({pairs}) WHERE given IN (SELECT id FROM {ids})")
        graph = self._table(f"SELECT given, found, rec, t FROM ({pairs})")
        rows = self._table(_no_rows())
        seen = self._table("SELECT 0::UBIGINT AS id WHERE false")
        front, hops = ids, 0
        while step.depth is None or hops < step.depth:
            new = self._table(f"SELECT found AS id, rec, t FROM {graph} WHERE given IN (SELECT id FROM {front})")
            self.con.execute(f"INSERT INTO {rows} SELECT id, rec, t FROM {new}")
            front = self._table(f"SELECT DISTINCT id FROM {new} WHERE id NOT IN (SELECT id FROM {seen})")
            if not self._any(f"SELECT 1 FROM {front}"):
                break
            self.con.execute(f"INSERT INTO {seen} SELECT id FROM {front}")
            hops += 1
        return self._table(f"SELECT DISTINCT id, rec, t FROM {rows}")

    def _new(self, step: New) -> Variable:
        names = list(dict.fromkeys(name for row in step.rows for name, _ in row))
        kind = entity_type(step.type)
        table = fresh("given")
        columns = ", ".join(f'"{n}" {_new_type(kind, n)}' for n in names)
        self.con.execute(f"CREATE TEMP TABLE {table} (id UBIGINT, rec UBIGINT, t TIMESTAMP{', ' + columns if columns else ''})")
        mark = content_id(step)
        for number, row in enumerate(step.rows):
            values = dict(row)
            query = Query()
            key = query.value(mark)
            place = query.value(number)
            own = {"x-oca-asset": "asset", "domain-name": "domain", "ipv4-addr": "address", "ipv6-addr": "address"}.get(step.type)
            if own and values.get(kind.main) is not None:
                id_sql = f"hash('{own}', {query.value(values[kind.main])})"
            else:
                id_sql = f"hash({key}, {place}::INTEGER)"
            given = "".join(f", {query.value(values.get(n))}" for n in names)
            text = f"INSERT INTO {table} SELECT {id_sql}, hash('new', {key}, {place}::INTEGER), NULL{given}"
            query.run(self.con, text)
        rows = self._table(f"SELECT id, rec, t FROM {table}")
        return Variable(step, step.type, rows, None, None, table, frozenset(names))

    def _merge(self, step: Merge) -> Variable:
        inputs = [self.evaluate(i) for i in step.inputs]
        dataset = self.dataset(sources_of(step))
        tables = [self._carried(v, dataset) for v in inputs]
        rows = self._table(" UNION ".join(f"SELECT id, rec, t FROM {t}" for t in tables))
        owned = [v for v in inputs if v.own]
        columns = frozenset(c for v in owned for c in v.own_columns)
        own = None
        if owned:
            parts = []
            for v in owned:
                shown = ", ".join(f'"{c}"' if c in v.own_columns else f'NULL AS "{c}"' for c in sorted(columns))
                parts.append(f"SELECT id, rec, t{', ' + shown if shown else ''} FROM {v.own}")
            own = self._table(" UNION ".join(parts))
        return Variable(step, inputs[0].type, rows, dataset, _whole([v.range for v in inputs]), own, columns)

    def _carried(self, variable: Variable, dataset: Dataset | None) -> str:
        """The rows of a variable with the ids of another dataset: where more records are known, so may be more of who is
        whom."""
        if dataset is None or variable.dataset is None or variable.dataset.key == dataset.key:
            return variable.table
        slot = ["{slot} AS slot"]
        old = mentions(variable.dataset.events, variable.type, [], (), slot)
        new = mentions(dataset.events, variable.type, [], (), slot)
        return self._table(
            f"SELECT DISTINCT n.id, v.rec, v.t FROM {variable.table} v JOIN ({old}) o ON o.id = v.id AND o.rec = v.rec "
            f"JOIN ({new}) n ON n.rec = o.rec AND n.slot = o.slot"
        )

    def _refine(self, step: Refine) -> Variable:
        base = self.evaluate(step.input)
        variable = replace(base, step=step)
        if step.range:
            kept = " AND ".join(moments(step.range.start, step.range.stop))
            variable = replace(variable, table=self._table(f"SELECT id, rec, t FROM {variable.table} WHERE {kept}"), range=step.range)
        if step.where is not None:
            ids, _ = self._matcher(variable.type, self.scope_of(base), step.where, variable.table).match(step.where)
            variable = replace(variable, table=self._table(f"SELECT id, rec, t FROM {variable.table} WHERE id IN (SELECT id FROM {ids})"))
        if step.sort:
            variable = replace(variable, order=(step.sort, step.ascending))
        return self._limited(variable, step.limit, step.offset)

    def _limited(self, variable: Variable, limit: int | None, offset: int) -> Variable:
        """The first entities, in the variable's order, else of first observation, then identity."""
        if limit is None and not offset:
            return variable
        order = self.ordered(variable)
        kept = f"SELECT id FROM {order} ORDER BY place LIMIT {'ALL' if limit is None else int(limit)} OFFSET {int(offset)}"
        return replace(variable, table=self._table(f"SELECT id, rec, t FROM {variable.table} WHERE id IN ({kept})"))

    # -- answers -------------------------------------------------------------------------------------------------

    def scope_of(self, variable: Variable) -> Scope:
        """What is known of a variable's entities: the records of its range, and their create records from before it."""
        conditions: tuple[str, ...] = ()
        if variable.range:
            kind = layout().kind
            created = f"kind IN ({kind('process-create')}, {kind('process-create-audit')})"
            conditions = (
                f"(t >= {moment(variable.range.start)} OR ({created} AND {{slot}} = 0))",
                f"t < {moment(variable.range.stop)}",
            )
        return Scope(variable.dataset.events if variable.dataset else None, conditions, variable.own, variable.own_columns)

    def ordered(self, variable: Variable) -> str:
        """A table of (id, place): the order in which entities are shown."""
        if variable.order:
            path, ascending = variable.order
            values = merged(self.con, variable.table, variable.type, [path], self.scope_of(variable))
            direction = "ASC" if ascending else "DESC"
            return self._table(
                f"SELECT v.id, row_number() OVER (ORDER BY any_value(m.{shown_as(path)}) {direction} NULLS LAST, min(v.t) NULLS LAST, v.id) AS place "
                f"FROM {variable.table} v JOIN {values} m ON m.id = v.id GROUP BY v.id"
            )
        return self._table(f"SELECT id, row_number() OVER (ORDER BY min(t) NULLS LAST, id) AS place FROM {variable.table} GROUP BY id")

    def counts(self, variable: Variable) -> tuple[int, int, datetime | None, datetime | None]:
        """Entities, records, first and last time (UTC)."""
        row = self.con.execute(f"SELECT count(DISTINCT id), count(DISTINCT rec), min(t), max(t) FROM {variable.table}").fetchone()
        assert row is not None
        first, last = (v.replace(tzinfo=UTC) if v else None for v in row[2:])
        return row[0], row[1], first, last

    def table(self, variable: Variable, columns: Sequence[AttributePath], limit: int | None = None) -> tuple[list[tuple[Any, ...]], int]:
        """Distinct rows of the columns in the variable's order, the first `limit` of them, and how many there are."""
        select = self._reading(lambda: self._shown(variable, columns))
        distinct = self._table(f"SELECT {', '.join(f'c{i}' for i in range(len(columns)))}, min(place) AS place FROM ({select}) GROUP BY ALL")
        total = self.con.execute(f"SELECT count(*) FROM {distinct}").fetchone()
        tail = f" LIMIT {limit}" if limit is not None else ""
        rows = self.con.execute(f"SELECT * EXCLUDE (place) FROM {distinct} ORDER BY place{tail}").fetchall()
        return rows, total[0] if total else 0

    def _shown(self, variable: Variable, columns: Sequence[AttributePath]) -> str:
        """SELECT c0, c1, ... and place: one row an entity."""
        order = self.ordered(variable)
        values = merged(self.con, variable.table, variable.type, columns, self.scope_of(variable))
        shown = ", ".join(f"m.{shown_as(p)} AS c{i}" for i, p in enumerate(columns))
        return f"SELECT {shown}, o.place FROM {values} m JOIN {order} o ON o.id = m.id"

    def relation(self, variable: Variable, columns: Sequence[AttributePath]) -> duckdb.DuckDBPyRelation:
        """All entities, one row each, as a DuckDB relation in order."""
        select = self._reading(lambda: self._shown(variable, columns))
        names = ", ".join(f'c{i} AS "{p.text()}"' for i, p in enumerate(columns))
        return self.con.sql(f"SELECT {names} FROM ({select}) ORDER BY place")

    def fullness(self, variable: Variable, columns: Sequence[AttributePath]) -> list[tuple[AttributePath, int, Any]]:
        """For each attribute: how many entities have it, and its most frequent value."""
        if not columns:
            return []
        values = self._reading(lambda: merged(self.con, variable.table, variable.type, columns, self.scope_of(variable)))
        found = []
        for path in columns:
            value = shown_as(path)
            counted = self.con.execute(f"SELECT count({value}) FROM {values}").fetchone() or (0,)
            most = self.con.execute(f"SELECT {value} FROM {values} WHERE {value} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1").fetchone()
            found.append((path, counted[0], most[0] if most else None))
        return found

    def attributes_of(self, variable: Variable) -> list[AttributePath]:
        """Every attribute the records can give for this type, one reference deep."""
        found = self._reading(lambda: list(self._attribute_paths(variable)))
        extra = [AttributePath(variable.type, (), c) for c in sorted(variable.own_columns)]
        known = {p.text() for p in found}
        return [p for p in extra if p.text() not in known] + found

    def _attribute_paths(self, variable: Variable) -> Iterator[AttributePath]:
        kind = entity_type(variable.type)
        events = variable.dataset.events if variable.dataset else None
        slots = layout().slots_of(variable.type)
        for name in kind.attributes:
            if name in variable.own_columns or (events and any(attribute(events, s, name, kind) for s in slots)):
                yield AttributePath(variable.type, (), name)
        for reference, target in kind.references.items():
            targets = {layout().references.get(s.name, {}).get(reference) for s in slots} - {None}
            below = entity_type(target)
            for name in below.attributes:
                if events and any(attribute(events, layout().slots[str(t)], name, below) for t in targets):
                    yield AttributePath(variable.type, ((reference, target),), name)
            for inner, deeper in below.references.items():
                if reference == inner or deeper != "directory":
                    continue
                if events and targets:
                    yield AttributePath(variable.type, ((reference, target), (inner, deeper)), "path")

    # -- small things --------------------------------------------------------------------------------------------

    def _table(self, select: str) -> str:
        name = fresh("t")
        self.con.execute(f"CREATE TEMP TABLE {name} AS {select}")
        return name

    def _count(self, table: str) -> int:
        row = self.con.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    def _any(self, select: str) -> bool:
        return self.con.execute(f"SELECT 1 FROM ({select}) LIMIT 1").fetchone() is not None


def _within(span: TimeRange | None) -> tuple[str, ...]:
    return moments(span.start, span.stop) if span else ()


def _whole(spans: Sequence[TimeRange | None]) -> TimeRange | None:
    """The span that takes in all of them; None, all time, if one of them is."""
    known = [s for s in spans if s]
    return reduce(TimeRange.union, known) if known and len(known) == len(spans) else None


def _no_rows() -> str:
    return "SELECT 0::UBIGINT AS id, 0::UBIGINT AS rec, NULL::TIMESTAMP AS t WHERE false"


def _is(slot: str, type_name: str) -> bool:
    kind = layout().slots[slot].type
    return kind == type_name or (kind == "address" and type_name in ADDRESS_TYPES)


def _new_type(kind: Any, name: str) -> str:
    """The SQL type of an attribute given by NEW."""
    if name in kind.attributes:
        return str(kind.columns.get(kind.attributes[name], "VARCHAR"))
    leaf = name.rpartition(".")[2]
    for other in vocabulary().types.values():
        if leaf in other.attributes and other.attributes[leaf] in other.columns and "." in name:
            return str(other.columns[other.attributes[leaf]])
    return "VARCHAR"
