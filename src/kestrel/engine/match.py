"""Which entities satisfy a predicate, and which records show it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

import duckdb

from kestrel.engine.available import check_attributes
from kestrel.engine.comparison import Comparer
from kestrel.engine.variable import Own
from kestrel.engine.workspace import ValuesTable, Workspace
from kestrel.formats.transforms import guid_key
from kestrel.graph.steps import All, Any_, AttributePath, Complement, Missing, Predicate, Test, TimeRange, paths
from kestrel.ingest.observations import Events, entity_type, inherent, observations, references
from kestrel.ingest.sql import Statement, attribute_column
from kestrel.lower.columns import ANY, EVENT, kind_of
from kestrel.model.vocabulary import EVERY_ENTITY

SMALL = 200_000
"""Up to so many entities, further comparisons are made for these alone; for more that would cost more than it saves."""
FEW = 8
"""The maximum number of sets that are joined in one statement."""
MANY = 12
"""The maximum number of parts of a statement; more are evaluated first."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The records a step may look at, by conditions on `events`, and the attributes that entities brought themselves."""

    events: Events | None
    conditions: tuple[str, ...] = ()
    own: Own | None = None


@dataclass(frozen=True)
class Matched:
    """What satisfies a predicate: `ids`, a table with a column id, and `rows`, tables of (id, rec, t) in which comparisons hold. All are
    parts of the statement. `is_complete`: whether each entity is in one of the rows."""

    statement: Statement
    ids: str
    rows: tuple[str, ...]
    is_complete: bool


@dataclass
class Matcher:
    """Evaluates one predicate for entities of one type. Comparisons become parts of one statement, as tables of (id, rec, t)."""

    con: duckdb.DuckDBPyConnection
    type: str
    scope: Scope
    comparer: Comparer
    rows: str | None = None
    """The (id, rec, t) of the variable that is filtered, if there is one."""
    within: str | None = None
    """A table of the only ids that matter, where narrowing to them is worth it."""
    leaves: list[str] = field(default_factory=list)
    statement: Statement = field(default_factory=Statement)

    def match(self, predicate: Predicate) -> Matched:
        """The entities for which a predicate holds."""
        ids = self.statement.part(f"SELECT DISTINCT id FROM ({self._ids(predicate)})", "ids")
        return Matched(self.statement, ids, tuple(self.leaves), not _has_complement(predicate))

    # -- entities ------------------------------------------------------------------------------------------------

    def _ids(self, predicate: Predicate) -> str:
        match predicate:
            case Test() | Missing() if predicate.path.type != self.type:
                return self._by_records(predicate)
            case Test():
                return self._test(predicate)
            case Missing():
                return self._missing(predicate)
            case All(parts):
                return self._all(parts)
            case Any_(parts):
                return self._folded([self._ids(p) for p in parts], _union)
            case Complement(part):
                return f"SELECT id FROM ({self._universe()}) WHERE id NOT IN ({self._ids(part)})"
            case _:
                assert_never(predicate)

    def _all(self, parts: Sequence[Predicate]) -> str:
        """What every part holds for. A selective comparison goes first: the others then look at its entities only."""
        own = sorted((p for p in parts if not self._is_foreign(p)), key=lambda p: not _is_selective(p))
        foreign = tuple(p for p in parts if self._is_foreign(p))
        matcher, sets = self, []
        for number, part in enumerate(own, start=1):
            sets.append(f"SELECT id FROM {self._part(f'SELECT DISTINCT id FROM ({matcher._ids(part)})')}")
            if matcher.within is None and _is_selective(part) and (number < len(own) or foreign):
                matcher = matcher.narrowed(sets[-1])
        if foreign:
            sets.append(matcher._by_records(foreign[0] if len(foreign) == 1 else All(foreign)))
        return self._folded(sets, _common)

    def _folded(self, sets: list[str], joined: Callable[[Sequence[str]], str]) -> str:
        """Sets joined to one. Many are joined a few at a time: the engine takes long to plan what is wide, and gives up in the end."""
        while len(sets) > FEW:
            sets = [f"SELECT * FROM {self._part(joined(sets[i : i + FEW]))}" for i in range(0, len(sets), FEW)]
            self.statement.settle(self.con)
        return joined(sets)

    def narrowed(self, ids: str) -> Matcher:
        """The same for the entities of a SELECT only, if they are few enough to be worth it."""
        table = self._part(ids)
        self.statement.settle(self.con)
        row = self.con.execute(f"SELECT count(*) FROM {table}").fetchone()
        return replace(self, within=table) if row and row[0] < SMALL else self

    def _is_foreign(self, predicate: Predicate) -> bool:
        """Whether every comparison is of another entity of the record. A complement is one of entities, not of records."""
        return not _has_complement(predicate) and all(path.type != self.type for path in paths(predicate))

    def _universe(self) -> str:
        return f"SELECT id FROM {self._asked(None)}"

    def _asked(self, name: str | None) -> str:
        """A FROM item of the observations of the entities in question (id, rec, t and, where asked, `name` as x)."""
        rows = self._rows_of(self.type, name)
        return f"(SELECT * FROM {rows} WHERE id IN (SELECT id FROM {self.within}))" if self.within else rows

    def _rows_of(self, type_name: str, name: str | None) -> str:
        """The same of all entities of a type."""
        parts = []
        if self.scope.events:
            inner = observations(self.scope.events, type_name, [name] if name else [], self.scope.conditions)
            parts.append(f"SELECT id, rec, t{f', {attribute_column(name)} AS x' if name else ''} FROM ({inner})")
        own = self.scope.own
        if own and type_name == self.type and (name is None or name in own.columns):
            parts.append(f"SELECT id, rec, t{f', {own.columns[name].sql} AS x' if name else ''} FROM {own.table}")
        if not parts:
            return "(SELECT 0::UBIGINT AS id, 0::UBIGINT AS rec, NULL::TIMESTAMP AS t, NULL AS x WHERE false)"
        return "(" + " UNION ALL ".join(parts) + ")"

    def _test(self, test: Test) -> str:
        positive = self._leaf(test.path, test)
        if not test.negated:
            self.leaves.append(positive)
            return f"SELECT id FROM {positive}"
        valued = self._leaf(test.path, None)
        self.leaves.append(valued)
        return f"SELECT id FROM {valued} WHERE id NOT IN (SELECT id FROM {positive})"

    def _missing(self, test: Missing) -> str:
        valued = self._leaf(test.path, None)
        if test.negated:
            self.leaves.append(valued)
            return f"SELECT id FROM {valued}"
        rows = self._part(f"SELECT id, rec, t FROM {self._asked(None)} WHERE id NOT IN (SELECT id FROM {valued})")
        self.leaves.append(rows)
        return f"SELECT id FROM {rows}"

    # -- leaves --------------------------------------------------------------------------------------------------

    def _leaf(self, path: AttributePath, test: Test | None) -> str:
        """A table of (id, rec, t): observations in which the test holds, or that have a value."""
        if path.attribute == ANY:
            return self._any(test)
        if path.type != self.type or path.references or path.attribute in EVERY_ENTITY:
            return self._follow(path.type, path.references, path, test)
        condition = self._condition(path.type, path, test)
        return self._part(f"SELECT id, rec, t FROM {self._asked(path.attribute)} WHERE {condition}")

    def _any(self, test: Test | None) -> str:
        """Observations of the records of which some value satisfies the test."""
        rows = self._asked(None) if self.type == EVENT else self._rows_of(EVENT, None)
        searches = self.scope.events.searches if self.scope.events else {}
        found = "true" if test is None else f"rec IN (SELECT rec FROM {searches[replace(test, negated=False)]})" if searches else "false"
        return self._part(f"SELECT id, rec, t FROM {rows} WHERE {found}")

    def _follow(self, type_name: str, chain: Sequence[tuple[str, str]], path: AttributePath, test: Test | None) -> str:
        """The same for what references lead to, from the far end back."""
        own = self.scope.own
        if own and path.text() in own.columns and path.type == self.type and chain == path.references and chain:
            x = own.columns[path.text()]
            known = f"(SELECT {x.sql} AS x FROM {own.table})"
            condition = self.comparer.condition("x", x.kind, test, self.statement, known) if test else "x IS NOT NULL"
            provided = f"SELECT id, rec, t FROM (SELECT id, rec, t, {x.sql} AS x FROM {own.table}) WHERE {condition}"
            recorded = self._follow_records(type_name, chain, path, test)
            return self._part(f"{provided} UNION ALL SELECT id, rec, t FROM {recorded}")
        return self._follow_records(type_name, chain, path, test)

    def _follow_records(self, type_name: str, chain: Sequence[tuple[str, str]], path: AttributePath, test: Test | None) -> str:
        if not chain:
            if path.attribute in EVERY_ENTITY:
                return self._part(self._inherent(type_name, path, test))
            condition = self._condition(type_name, path, test)
            return self._part(f"SELECT id, rec, t FROM {self._rows_of(type_name, path.attribute)} WHERE {condition}")
        (reference, target), rest = chain[0], chain[1:]
        below = self._follow(target, rest, path, test)
        if not self.scope.events:
            return self._part("SELECT 0::UBIGINT AS id, 0::UBIGINT AS rec, NULL::TIMESTAMP AS t WHERE false")
        pairs = references(self.scope.events, type_name, reference, self.scope.conditions)
        return self._part(f"SELECT id, rec, t FROM ({pairs}) WHERE target IN (SELECT id FROM {below})")

    def _inherent(self, type_name: str, path: AttributePath, test: Test | None) -> str:
        """Tests of id, type, first_observed, last_observed, number_observed: of a variable's own records where it is asked."""
        rows = self.rows if self.rows and type_name == self.type else self._rows_of(type_name, None)
        known = f"(SELECT id, value AS x FROM {inherent(self.scope.events, rows, type_name, path.attribute)})"
        condition = "x IS NOT NULL" if test is None else self.comparer.condition("x", kind_of(path), test, self.statement, known)
        return f"SELECT id, rec, t FROM {rows} SEMI JOIN (SELECT id FROM {known} WHERE {condition}) USING (id)"

    def _condition(self, type_name: str, path: AttributePath, test: Test | None) -> str:
        """SQL over a column x of the rows of a type."""
        if test is None:
            return "x IS NOT NULL"
        own = self.scope.own.columns.get(path.text()) if self.scope.own and path.type == self.type else None
        kind = own.kind if own and path.kind else kind_of(path)
        if kind == "any" and not own and self.scope.events:
            kind = self.scope.events.further.compared(type_name, path.attribute)
        key = guid_key if entity_type(type_name).canonical.get(path.attribute) == "guid" else None
        return self.comparer.condition("x", kind, test, self.statement, self._rows_of(type_name, path.attribute), key)

    # -- records -------------------------------------------------------------------------------------------------

    def _by_records(self, predicate: Predicate) -> str:
        """Entities of the records in which comparisons of other entities hold, all in one record."""
        records = self._records(predicate)
        rows = self._part(f"SELECT id, rec, t FROM {self._asked(None)} WHERE rec IN ({records})")
        self.leaves.append(rows)
        return f"SELECT id FROM {rows}"

    def _records(self, predicate: Predicate) -> str:
        match predicate:
            case Test():
                positive = self._leaf(predicate.path, predicate)
                if not predicate.negated:
                    return f"SELECT rec FROM {positive}"
                valued = self._leaf(predicate.path, None)
                return f"SELECT rec FROM {valued} WHERE rec NOT IN (SELECT rec FROM {positive})"
            case Missing():
                valued = self._leaf(predicate.path, None)
                if predicate.negated:
                    return f"SELECT rec FROM {valued}"
                return f"SELECT rec FROM {self._rows_of(self.type, None)} WHERE rec NOT IN (SELECT rec FROM {valued})"
            case All(parts):
                return self._folded([self._records(p) for p in parts], _intersection)
            case Any_(parts):
                return self._folded([self._records(p) for p in parts], _union)
            case Complement():
                raise AssertionError("complements are of entities")
            case _:
                assert_never(predicate)

    def _part(self, select: str) -> str:
        if len(self.statement.parts) >= MANY:
            self.statement.settle(self.con)
        return self.statement.part(select, "leaf")


def _union(sets: Sequence[str]) -> str:
    return " UNION ".join(f"(SELECT * FROM ({s}))" for s in sets)


def _common(sets: Sequence[str]) -> str:
    rest = " AND ".join(f"id IN ({other})" for other in sets[1:]) or "true"
    return f"SELECT id FROM ({sets[0]}) WHERE {rest}"


def _intersection(sets: Sequence[str]) -> str:
    return " INTERSECT ".join(f"(SELECT * FROM ({s}))" for s in sets)


def _has_complement(predicate: Predicate) -> bool:
    match predicate:
        case All(parts) | Any_(parts):
            return any(_has_complement(p) for p in parts)
        case _:
            return isinstance(predicate, Complement)


def _is_selective(predicate: Predicate) -> bool:
    """A comparison that likely leaves few entities."""
    return isinstance(predicate, Test) and not predicate.negated and predicate.operator in ("=", "IN", "LIKE", "MATCHES", "ISSUBSET")


def within_range(span: TimeRange | None) -> tuple[str, ...]:
    """Conditions on `t`; none for all time. The texts are those of datetimes, never of a hunt."""
    if span is None:
        return ()
    start, stop = (f"t {sign} {moment(end)}" if end else "" for sign, end in ((">=", span.since), ("<", span.until)))
    return tuple(filter(None, (start, stop))) or ("t IS NOT NULL",)


def moment(value: datetime) -> str:
    return f"make_timestamp({(value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)})"


def matcher(work: Workspace, values_of: ValuesTable, type_name: str, scope: Scope, where: Predicate, rows: str | None = None) -> Matcher:
    """What finds the entities of a predicate: of `rows`, a table of (id, rec, t), or of all. Raises NoSuchData."""
    check_attributes(work, paths(where), scope.own.columns if scope.own else {}, scope.events)
    within = rows if rows and work.count(rows) < SMALL else None
    return Matcher(work.con, type_name, scope, Comparer(work.con, values_of), rows, within)
