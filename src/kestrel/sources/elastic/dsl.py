"""What is wanted, in the query DSL of Elasticsearch and OpenSearch. A query may find more than what is wanted, never less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from kestrel.formats import expression
from kestrel.formats.expression import Node
from kestrel.formats.format import LogFormat, log_formats
from kestrel.formats.inverse import Pattern, leaves
from kestrel.formats.reading import SHOWN_ONLY
from kestrel.pushdown.request import FetchRequest, FieldPredicate
from kestrel.sources.elastic.fields import NOTHING, Fields, Query, any_of, remote_formats

SHORT = 256
"""Values of fewer characters are always indexed: the shortest `ignore_above` in use."""
OF_EVERY_RECORD = {"host": "host", "event.code": "code", "event.provider": "provider", "event.action": "action"}
"""Columns that a log format fills alike for every event, and the parts of its envelope that do."""
EVERYTHING: Query = {"match_all": {}}
CLAUSES = 1_000
"""A query with more clauses is sent without its conditions: OpenSearch refuses more than 1,024."""
SLACK = timedelta(minutes=5)
"""A document's clock may be this far from the time its record is taken to be of."""


def query_of(wanted: FetchRequest, fields: Fields) -> Query:
    """The documents that may be wanted."""
    must = [fields.holding_time(wanted.start, wanted.stop, SLACK)]
    if wanted.kinds:
        must.append(_of_kinds(wanted.kinds, fields))
    if wanted.any_of is not None:
        groups = [_all([_fitting(c, fields) for c in group]) for group in wanted.any_of]
        fitting = None if None in groups else any_of([g for g in groups if g is not None])
        must.append(fitting if _clauses([*must, fitting]) <= CLAUSES else None)
    return _all(must) or {"match_all": {}}


def _clauses(query: Any) -> int:
    """At most how many clauses of a query a server counts: the tests of fields, which may count twice (by index and by column)."""
    match query:
        case {"bool": dict(occurrences)}:
            return sum(_clauses(part) for part in occurrences.values())
        case list():
            return sum(map(_clauses, query))
        case {**tests}:
            return sum(1 if test == "exists" else 2 for test in tests)
        case _:
            return 0


def _all(queries: Sequence[Query | None]) -> Query | None:
    known = [q for q in queries if q is not None]
    if not known:
        return None
    return known[0] if len(known) == 1 else {"bool": {"filter": known}}


def _fitting(condition: FieldPredicate, fields: Fields) -> Query | None:
    """Documents in which a condition or one of its others may hold; None for all of them."""
    each = [_fitting_itself(c, fields) for c in (condition, *condition.others)]
    return None if None in each else any_of(_once([q for q in each if q is not None]))


def _fitting_itself(condition: FieldPredicate, fields: Fields) -> Query | None:
    wanted = Pattern(condition.operator, condition.values)
    found: list[Query] = []
    unseen: list[tuple[Query, list[Query]]] = []
    for log_format in fields.formats:
        for node, events in _expressions(log_format, condition.columns):
            asked, exist = [], []
            for path, pattern in dict.fromkeys(leaves(node, wanted)):
                name = ".".join(path)
                fitting, indexed = fields.fitting(name, pattern), fields.indexed(name)
                if fitting is not None and indexed is not None:
                    asked.append(fitting)
                    exist.append(indexed)
            found += asked
            if exist and not fields.loose and all(_is_short(p) for _, p in leaves(node, wanted)):
                continue
            written = of_events(log_format, events, fields) if not fields.loose else EVERYTHING if exist else None
            if written is None:
                return None
            if written != NOTHING:
                unseen.append((written, _once(exist)))
    found += _without(unseen)
    return any_of(_once(found)) if found else NOTHING


def _without(unseen: Sequence[tuple[Query, list[Query]]]) -> Iterator[Query]:
    """Documents of some events without any of some fields, for each pair of both: each kind of events is asked for once."""
    for events in _once([e for e, _ in unseen]):
        each = _once([{"fields": fields} for e, fields in unseen if e == events])
        lists = [item["fields"] for item in each]
        if [] in lists:
            yield events
        else:
            present = [any_of(fields) for fields in lists]
            yield {"bool": {"filter": [events], "must_not": lists[0] if len(lists) == 1 else [{"bool": {"filter": present}}]}}


def _is_short(pattern: Pattern) -> bool:
    """Whether no value too long to be indexed can fit."""
    bounded = pattern.operator == "=" or (pattern.operator == "LIKE" and all("%" not in str(v) for v in pattern.values))
    return bounded and all(not isinstance(v, str) or len(v) < SHORT for v in pattern.values)


def _once(queries: Sequence[Query]) -> list[Query]:
    found: list[Query] = []
    for query in queries:
        if query not in found:
            found.append(query)
    return found


@dataclass(frozen=True)
class Events:
    """Events of a sensor: of these codes, or (None) of all but the `others`."""

    sensor: int
    codes: tuple[int, ...] | None
    others: tuple[int, ...] = ()


def _expressions(log_format: LogFormat, columns: Sequence[str]) -> Iterator[tuple[Node, Events]]:
    """Each expression that fills one of the columns, with the events for which it does."""
    for column in columns:
        if column in OF_EVERY_RECORD:
            if text := log_format.envelope.get(OF_EVERY_RECORD[column]):
                yield expression.top(text), Events(0, None)
            continue
        named: dict[int, set[int]] = {}
        by_node: dict[tuple[int, Node], set[int | None]] = {}
        for rule in log_format.rules:
            if rule.column == column:
                named.setdefault(rule.sensor, set()).update([] if rule.code is None else [rule.code])
                if rule.node is not None:
                    by_node.setdefault((rule.sensor, rule.node), set()).add(rule.code)
        for (sensor, node), codes in by_node.items():
            stated = tuple(sorted(c for c in codes if c is not None))
            yield node, Events(sensor, None, tuple(sorted(named[sensor] - set(stated)))) if None in codes else Events(sensor, stated)


def _of_kinds(kinds: Sequence[str], fields: Fields) -> Query | None:
    """Events of some kinds; None where their codes cannot be asked."""
    found: list[Query] = []
    for log_format in fields.formats:
        for sensor, number in log_format.sensors.items():
            codes = tuple(sorted(c for c in log_format.events.get(sensor, {}) if c != "all" and _may_be(log_format.kind_of(sensor, c), kinds)))
            query = of_events(log_format, Events(number, codes), fields) if codes else NOTHING
            if query is None:
                return None
            if query != NOTHING:
                found.append(query)
    if fields.loose:
        named = {".".join(path) for log_format in remote_formats() for path, _ in expression.fields(expression.top(str(log_format.envelope["code"])))}
        found.append({"bool": {"must_not": [q for c in sorted(named) if (q := fields.exists(c))]}})
    return any_of(_once(found)) if found else NOTHING


def _may_be(kind: str | dict[str, str] | None, kinds: Sequence[str]) -> bool:
    stated = [v for k, v in kind.items() if k != "by"] if isinstance(kind, dict) else [kind]
    return any(t in kinds for t in stated)


def of_events(log_format: LogFormat, events: Events, fields: Fields) -> Query | None:
    """Documents of some events of a log format; None where neither its codes nor its sensors can be asked, NOTHING where no document is of
    the log format."""
    found = _of_events(log_format, events, fields)
    lacks = [q for path in log_format.lacks for q in fields.signs(".".join(path))]
    if not lacks or found == NOTHING:
        return found
    return {"bool": {**({"filter": [found]} if found else {}), "must_not": lacks}}


def _of_events(log_format: LogFormat, events: Events, fields: Fields) -> Query | None:
    marks = [".".join(path) for group in log_format.marks for path in group]
    if not any(fields.exists(m) for m in marks) and _are_some(fields):
        return NOTHING
    code = list(
        leaves(
            expression.top(str(log_format.envelope["code"])),
            Pattern("=", tuple(map(log_format.code_text, events.codes if events.codes is not None else events.others))),
        )
    )
    must = [_one_of(code, fields)] if events.codes is not None else []
    must_not = [q for q in [_one_of(code, fields)] if q] if events.codes is None and events.others else []
    if events.sensor and events.sensor != log_format.otherwise:
        name = next(n for n, number in log_format.sensors.items() if number == events.sensor)
        must.append(_one_of(list(leaves(expression.top(log_format.envelope["provider"]), Pattern("=", tuple(log_format.providers(name))))), fields))
    known = [q for q in must if q is not None]
    if not known and not must_not:
        there = [q for m in marks if (q := fields.exists(m))]
        return any_of(there) if there else None
    if len(known) == 1 and not must_not:
        return known[0]
    return {"bool": {k: v for k, v in (("filter", known), ("must_not", must_not)) if v}}


def _one_of(asked: Sequence[tuple[tuple[str, ...], Pattern]], fields: Fields) -> Query | None:
    found = [q for path, pattern in asked if (q := fields.fitting(".".join(path), pattern))]
    return any_of(_once(found)) if found else None


def _are_some(fields: Fields) -> bool:
    """Whether a mark of any log format can be asked for."""
    return any(fields.exists(".".join(path)) for log_format in remote_formats() for group in log_format.marks for path in group)


def wanted_fields(formats: Sequence[LogFormat]) -> tuple[str, ...]:
    """Every field that these log formats read, as `_source` filters name them."""
    return _wanted_fields(tuple(f.name for f in formats))


@cache
def _wanted_fields(names: tuple[str, ...]) -> tuple[str, ...]:
    found: set[str] = set()
    for log_format in (log_formats()[name] for name in names):
        nodes = [r.node for r in log_format.rules if r.node is not None]
        envelope: dict[str, Any] = dict(log_format.envelope)
        nodes += [expression.top(str(envelope[p])) for p in ("host", "code", "provider", "record", *SHOWN_ONLY) if p in envelope]
        nodes += [expression.top(t) for n, t in envelope["clock"].items() if isinstance(t, str)]
        nodes += [expression.top(t) for t in envelope["clock"].get("sensor", {}).values()]
        for node in nodes:
            found.update(".".join(path) for path, _ in expression.fields(node))
        for events in log_format.events.values():
            for event in events.values():
                kind = event.get("kind")
                if isinstance(kind, dict):
                    parsed = expression.parse(kind["by"], log_format.place)
                    found.update(".".join(path) for path, _ in (expression.fields(parsed) if parsed else ()))
        found.update(".".join(path) for path in [*(p for group in log_format.marks for p in group), *log_format.lacks])
    return tuple(sorted(f for f in found if not any(other.startswith(f + ".") for other in found)))
