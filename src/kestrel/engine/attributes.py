"""The best value of each attribute of an entity: by the sensor's rank, then its create record, then time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby

from kestrel.engine.match import Scope
from kestrel.engine.variable import shown_as
from kestrel.formats.format import sensor_numbers, sensors
from kestrel.graph.steps import AttributePath
from kestrel.ingest.observations import PARTED, Events, inherent, observations, references
from kestrel.ingest.sql import Statement, attribute_column
from kestrel.model.layout import layout
from kestrel.model.vocabulary import EVERY_ENTITY

RANK = (
    "(((%s) * 32 + {role} %% %d * 2 + (CASE WHEN %s THEN 0 ELSE 1 END))::HUGEINT "
    "* 576460752303423488 + %s)::HUGEINT * 281474976710656 + (rec >> 32) * 65536 + least({role} // %d, 65535) AS rank"
)
"""Lower is better: the sensor, the role, whether it is a creation, the time (2^59 leaves room for the microseconds of years 1 to 9999;
none comes last); the record's key and the number of the row in the record break ties the same way every time."""
TIME = "coalesce(epoch_us(t) + 62135596800000000, 576460752303423487)"
LATEST = f"CASE WHEN unix AND t IS NOT NULL THEN 576460752303423487 - {TIME} ELSE {TIME} END"
"""On Linux the last observation decides the name of a process: exec changes it."""


def merged(statement: Statement, ids: str, type_name: str, paths: Sequence[AttributePath], scope: Scope) -> str:
    """A part of a statement with id and one column for each path (named by its text): the best value of each entity in `ids`, a table
    with a column id (and rec, t, for first_observed and the like)."""
    columns: dict[str, tuple[str, str]] = {}
    for (reference, target), group in groupby(sorted(paths, key=_first_hop), key=_first_hop):
        wanted = list(group)
        provided = scope.own.columns if scope.own else {}
        own = [p for p in wanted if p.references and p.text() in provided]
        for path in own:
            value = provided[path.text()].sql
            columns[path.text()] = f"(SELECT id, any_value({value}) AS value FROM {scope.own and scope.own.table} GROUP BY id)", "value"
        rest = [p for p in wanted if p not in own]
        if not reference:
            columns |= _direct(statement, ids, type_name, [p.attribute for p in rest], scope)
        elif rest and scope.events:
            columns |= _through(statement, ids, type_name, (reference, target), rest, scope)
    sources = {source: f"s{n}" for n, source in enumerate(dict.fromkeys(source for source, _ in columns.values()))}
    shown = ""
    for path in dict.fromkeys(paths):
        source, column = columns.get(path.text(), ("", ""))
        shown += f", {f'{sources[source]}.{column}' if source else 'NULL'} AS {shown_as(path)}"
    joins = "".join(f" LEFT JOIN {source} {name} ON {name}.id = i.id" for source, name in sources.items())
    return statement.part(f"SELECT i.id{shown} FROM (SELECT DISTINCT id FROM {ids}) i{joins}", "merged")


def _first_hop(path: AttributePath) -> tuple[str, str]:
    """The reference a path begins with and the type it leads to; empty where it is of the entity itself."""
    return path.references[0] if path.references else ("", "")


def _rank(events: Events) -> str:
    created = layout().created
    if events.has("unix"):
        return RANK % (_of_sensor(), PARTED, f"{created} OR unix", LATEST, PARTED)
    return RANK % (_of_sensor(), PARTED, created, TIME, PARTED)


@cache
def _of_sensor() -> str:
    """SQL of the rank of the sensor that wrote a record."""
    ranks = {number: sensors()[name].get("rank", 1) for name, number in sensor_numbers().items()}
    return f"CASE sensor {' '.join(f'WHEN {number} THEN {rank}' for number, rank in ranks.items() if rank != 1)} ELSE 1 END"


def _direct(statement: Statement, ids: str, type_name: str, names: Sequence[str], scope: Scope) -> dict[str, tuple[str, str]]:
    """Attributes of the entities themselves: by name, a FROM item with a column id, and the column of the value."""
    found = {n: (inherent(scope.events, ids, type_name, n), "value") for n in names if n in EVERY_ENTITY}
    stored = [n for n in names if n not in EVERY_ENTITY]
    if not stored:
        return found
    parts = []
    if scope.events:
        inner = observations(scope.events, type_name, stored, scope.conditions, [_rank(scope.events)])
        parts.append(f"SELECT * FROM ({inner}) WHERE id IN (SELECT id FROM {ids})")
    if scope.own:
        own = ", ".join(f"{scope.own.columns[n].sql if n in scope.own.columns else 'NULL'} AS {attribute_column(n)}" for n in stored)
        parts.append(f"SELECT id, rec, t, {own}, -1 AS rank FROM {scope.own.table} WHERE id IN (SELECT id FROM {ids})")
    if not parts:
        return found
    best = ", ".join(f"arg_min({attribute_column(n)}, rank) AS b{i}" for i, n in enumerate(stored))
    table = statement.part(f"SELECT id, {best} FROM ({' UNION ALL '.join(parts)}) GROUP BY id", "direct")
    return found | {n: (table, f"b{i}") for i, n in enumerate(stored)}


def _through(
    statement: Statement,
    ids: str,
    type_name: str,
    step: tuple[str, str],
    paths: Sequence[AttributePath],
    scope: Scope,
) -> dict[str, tuple[str, str]]:
    """The same for attributes behind a reference: of the entity the best record of it leads to."""
    reference, target = step
    assert scope.events is not None
    best = best_targets(statement, type_name, reference, scope, f"id IN (SELECT id FROM {ids})")
    targets = f"(SELECT target AS id, rec, t FROM {best})"
    below = [AttributePath(p.references[0][1], p.references[1:], p.attribute) for p in paths]
    table = merged(statement, targets, target, below, Scope(scope.events, scope.conditions))
    values = ", ".join(f"m.{shown_as(b)} AS v{n}" for n, b in enumerate(below))
    source = f"(SELECT b.id, {values} FROM {best} b JOIN {table} m ON m.id = b.target)"
    return {p.text(): (source, f"v{n}") for n, p in enumerate(paths)}


def best_targets(statement: Statement, type_name: str, reference: str, scope: Scope, where: str = "true") -> str:
    """A part of a statement with id, target, t, rec: whom the reference of each entity leads to by the best record of it."""
    assert scope.events is not None
    pairs = references(scope.events, type_name, reference, scope.conditions, [_rank(scope.events)])
    best = f"SELECT id, arg_min(target, rank) AS target, any_value(t) AS t, any_value(rec) AS rec FROM ({pairs}) WHERE {where} GROUP BY id"
    return statement.part(best, "best")
