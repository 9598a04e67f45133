"""Which entities satisfy a predicate, and which records show it."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

import duckdb

from kestrel.graph.predicate import All, Any_, AttributePath, Complement, Missing, Predicate, Test, ValuesOf
from kestrel.lower import BadExpression
from kestrel.model.vocabulary import EVERY_ENTITY
from kestrel.store.mentions import Events, entity_type, mentions, references
from kestrel.store.query import Query

_names = itertools.count()


def fresh(prefix: str) -> str:
    """A name for a temporary table."""
    return f"{prefix}_{next(_names)}"


@dataclass(frozen=True, slots=True)
class Scope:
    """The records a step may look at: conditions on `events`, and rows a NEW or LOAD brought itself.

    `own`: a table with id, rec, t and attribute columns; `own_columns` their names.
    """

    events: Events | None
    conditions: tuple[str, ...] = ()
    own: str | None = None
    own_columns: frozenset[str] = frozenset()


@dataclass
class Matcher:
    """Evaluates one predicate for entities of one type. Leaves are materialised once, as tables of (id, rec, t)."""

    con: duckdb.DuckDBPyConnection
    type: str
    scope: Scope
    values_of: Callable[[ValuesOf], str]
    """Materialises the values of a variable's attribute; gives the name of a table with a column `value`."""
    within: str | None = None
    """A table of the only ids that matter, where the question is of a variable's entities."""
    leaves: list[str] = field(default_factory=list)

    def match(self, predicate: Predicate) -> tuple[str, list[str]]:
        """A table of ids, and the tables of rows in which comparisons hold."""
        ids = self._ids(predicate)
        return self._table(f"SELECT DISTINCT id FROM ({ids})", Query()), self.leaves

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
                own = [p for p in parts if not self._is_foreign(p)]
                foreign = [p for p in parts if self._is_foreign(p)]
                sets = [self._ids(p) for p in own]
                if foreign:
                    sets.append(self._by_records(foreign[0] if len(foreign) == 1 else All(tuple(foreign))))
                rest = " AND ".join(f"id IN ({other})" for other in sets[1:]) or "true"
                return f"SELECT id FROM ({sets[0]}) WHERE {rest}"
            case Any_(parts):
                return " UNION ".join(f"SELECT id FROM ({self._ids(p)})" for p in parts)
            case Complement(part):
                return f"SELECT id FROM ({self._universe()}) WHERE id NOT IN ({self._ids(part)})"
            case _:
                assert_never(predicate)

    def _is_foreign(self, predicate: Predicate) -> bool:
        """Whether every comparison is of another entity of the record."""
        return all(path.type != self.type for path in paths(predicate))

    def _universe(self) -> str:
        return f"SELECT id FROM {self._asked(None)}"

    def _asked(self, name: str | None) -> str:
        """A FROM item of the mentions of the entities in question (id, rec, t and, where asked, `name` as x)."""
        rows = self._rows_of(self.type, name)
        return f"(SELECT * FROM {rows} WHERE id IN (SELECT id FROM {self.within}))" if self.within else rows

    def _rows_of(self, type_name: str, name: str | None) -> str:
        """The same of all entities of a type."""
        parts = []
        if self.scope.events:
            inner = mentions(self.scope.events, type_name, [name] if name else [], self.scope.conditions)
            parts.append(f"SELECT id, rec, t{f', {chr(34)}{name}{chr(34)} AS x' if name else ''} FROM ({inner})")
        if self.scope.own and type_name == self.type and (name is None or name in self.scope.own_columns):
            parts.append(f"SELECT id, rec, t{f', {chr(34)}{name}{chr(34)} AS x' if name else ''} FROM {self.scope.own}")
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
        rows = self._table(f"SELECT id, rec, t FROM {self._asked(None)} WHERE id NOT IN (SELECT id FROM {valued})", Query())
        self.leaves.append(rows)
        return f"SELECT id FROM {rows}"

    # -- leaves --------------------------------------------------------------------------------------------------

    def _leaf(self, path: AttributePath, test: Test | None) -> str:
        """A table of (id, rec, t): mentions in which the test holds, or that have a value."""
        if path.type != self.type or path.references or path.attribute in EVERY_ENTITY:
            return self._follow(path.type, path.references, path, test)
        query = Query()
        condition = self._condition("x", path, test, query)
        return self._table(f"SELECT id, rec, t FROM {self._asked(path.attribute)} WHERE {condition}", query)

    def _follow(self, type_name: str, chain: Sequence[tuple[str, str]], path: AttributePath, test: Test | None) -> str:
        """The same for what references lead to, from the far end back."""
        if self.scope.own and path.text() in self.scope.own_columns and type_name == self.type and chain:
            query = Query()
            condition = self._condition("x", path, test, query)
            return self._table(f"SELECT id, rec, t FROM {self._rows_of(type_name, path.text())} WHERE {condition}", query)
        if not chain:
            query = Query()
            if path.attribute in EVERY_ENTITY:
                return self._table(self._inherent(type_name, path, test, query), query)
            condition = self._condition("x", path, test, query)
            return self._table(f"SELECT id, rec, t FROM {self._rows_of(type_name, path.attribute)} WHERE {condition}", query)
        (reference, target), rest = chain[0], chain[1:]
        below = self._follow(target, rest, path, test)
        if not self.scope.events:
            return self._table("SELECT 0::UBIGINT AS id, 0::UBIGINT AS rec, NULL::TIMESTAMP AS t WHERE false", Query())
        pairs = references(self.scope.events, type_name, reference, self.scope.conditions)
        return self._table(f"SELECT id, rec, t FROM ({pairs}) WHERE target IN (SELECT id FROM {below})", Query())

    def _inherent(self, type_name: str, path: AttributePath, test: Test | None, query: Query) -> str:
        """Tests of id, type, first_observed, last_observed, number_observed."""
        values = {
            "id": f"'{type_name}--' || lower(printf('%016x', id))",
            "type": f"'{type_name}'",
            "first_observed": "min(t) OVER (PARTITION BY id)",
            "last_observed": "max(t) OVER (PARTITION BY id)",
            "number_observed": "count(*) OVER (PARTITION BY id)",
        }
        inner = f"SELECT id, rec, t, {values[path.attribute]} AS x FROM {self._rows_of(type_name, None)}"
        return f"SELECT id, rec, t FROM ({inner}) WHERE {self._condition('x', path, test, query)}"

    def _condition(self, x: str, path: AttributePath, test: Test | None, query: Query) -> str:
        if test is None:
            return f"{x} IS NOT NULL"
        tables = [self.values_of(v) for v in test.values if isinstance(v, ValuesOf)]
        plain = [v for v in test.values if not isinstance(v, ValuesOf)]
        text = column_kind(path) == "text"
        shown = x if text else f"CAST({x} AS VARCHAR)"
        match test.operator:
            case "=" | "IN" | "!=":
                parts = []
                if len(plain) == 1:
                    parts.append(f"{x} = {query.value(plain[0])}")
                elif plain:
                    parts.append(f"{x} IN (SELECT unnest({query.value(list(plain))}))")
                parts += [f"{x} IN (SELECT value FROM {t})" for t in tables]
                return "(" + (" OR ".join(parts) or "false") + ")"
            case "<" | "<=" | ">" | ">=":
                parts = [f"{x} {test.operator} {query.value(v)}" for v in plain]
                parts += [f"{x} {test.operator} ANY (SELECT value FROM {t})" for t in tables]
                return "(" + " OR ".join(parts) + ")"
            case "LIKE":
                parts = [f"{shown} ILIKE {query.value(str(v))}" for v in plain]
                parts += [f"EXISTS (SELECT 1 FROM {t} WHERE {shown} ILIKE value)" for t in tables]
                return "(" + " OR ".join(parts) + ")"
            case "MATCHES":
                self._check_expressions(path, [str(v) for v in plain])
                return "(" + " OR ".join(f"regexp_matches({shown}, {query.value(str(v))})" for v in plain) + ")"
            case "ISSUBSET" | "ISSUPERSET":
                inside = self._networks(path, [str(v) for v in plain], test.operator == "ISSUBSET")
                return f"{x} IN (SELECT unnest({query.value(inside)}::VARCHAR[]))"
            case _:
                assert_never(test.operator)

    def _check_expressions(self, path: AttributePath, texts: Sequence[str]) -> None:
        """The engine has the last word on what an expression may hold. Raises BadExpression."""
        for text in texts:
            try:
                self.con.execute("SELECT regexp_matches('', ?)", [text])
            except duckdb.InvalidInputException as error:
                why = str(error).removeprefix("Invalid Input Error: ").splitlines()[0]
                raise BadExpression(why, path.span) from None

    def _networks(self, path: AttributePath, texts: Sequence[str], subset: bool) -> list[str]:
        """The addresses on record that are inside (or around) one of the networks."""
        wanted = [ipaddress.ip_network(t, strict=False) for t in texts]
        known = self.con.execute(f"SELECT DISTINCT x FROM {self._rows_of(path.end, path.attribute)} WHERE x IS NOT NULL").fetchall()
        return [value for (value,) in known if any(_related(value, n, subset) for n in wanted)]

    # -- records -------------------------------------------------------------------------------------------------

    def _by_records(self, predicate: Predicate) -> str:
        """Entities of the records in which comparisons of other entities hold, all in one record."""
        records = self._records(predicate)
        rows = self._table(f"SELECT id, rec, t FROM {self._asked(None)} WHERE rec IN ({records})", Query())
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
                return " INTERSECT ".join(f"SELECT rec FROM ({self._records(p)})" for p in parts)
            case Any_(parts):
                return " UNION ".join(f"SELECT rec FROM ({self._records(p)})" for p in parts)
            case Complement(part):
                return f"SELECT rec FROM {self._rows_of(self.type, None)} WHERE rec NOT IN ({self._records(part)})"
            case _:
                assert_never(predicate)

    def _table(self, select: str, query: Query) -> str:
        name = fresh("leaf")
        query.run(self.con, f"CREATE TEMP TABLE {name} AS {select}")
        return name


def paths(predicate: Predicate) -> Iterator[AttributePath]:
    """Every attribute a predicate tests."""
    match predicate:
        case Test() | Missing():
            yield predicate.path
        case All(parts) | Any_(parts):
            for part in parts:
                yield from paths(part)
        case Complement(part):
            yield from paths(part)
        case _:
            assert_never(predicate)


def tests(predicate: Predicate) -> Iterator[Test]:
    """Every comparison of a predicate."""
    match predicate:
        case Test():
            yield predicate
        case Missing():
            return
        case All(parts) | Any_(parts):
            for part in parts:
                yield from tests(part)
        case Complement(part):
            yield from tests(part)
        case _:
            assert_never(predicate)


def column_kind(path: AttributePath) -> str:
    """`text`, `number` or `time`: how an attribute compares."""
    match path.attribute:
        case "first_observed" | "last_observed":
            return "time"
        case "number_observed":
            return "number"
        case "id" | "type":
            return "text"
    kind = entity_type(path.end)
    sql = kind.columns.get(kind.attributes.get(path.attribute, ""), "VARCHAR")
    return "time" if sql == "TIMESTAMP" else "text" if sql == "VARCHAR" else "number"


def _related(value: Any, network: Any, subset: bool) -> bool:
    try:
        own = ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return False
    if own.version != network.version:
        return False
    return bool(own.subnet_of(network) if subset else own.supernet_of(network))


def moments(start: datetime | None, stop: datetime | None) -> tuple[str, ...]:
    """Conditions on `t`; the texts are those of datetimes, never of a hunt."""
    found = []
    if start:
        found.append(f"t >= {moment(start)}")
    if stop:
        found.append(f"t < {moment(stop)}")
    return tuple(found)


def moment(value: datetime) -> str:
    return f"make_timestamp({int(value.timestamp()) * 1_000_000 + value.microsecond})"
