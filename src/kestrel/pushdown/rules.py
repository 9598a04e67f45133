"""How a step becomes a record query: what can be asked soundly, and no more than that.

An entity is the sum of its records, so two comparisons of one AND may hold in two of them. They share a query only where
every kind of event that tells the rarer attribute in a role also tells the commoner one; else the most selective of them is
asked, and the entities that come are completed by identity. Negative comparisons, NOT and IS NULL are never asked: a record
that was not fetched might speak against them. Nor is what no record tells: ids, and what is counted over all records.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from kestrel.formats import expression
from kestrel.formats.format import log_formats
from kestrel.graph.steps import All, Any_, AttributePath, Complement, Find, Get, Missing, Predicate, Step, Test, sources_of, type_of
from kestrel.model.layout import layout
from kestrel.model.vocabulary import EVERY_ENTITY, vocabulary
from kestrel.pushdown.query import RecordQuery, Related

UNKNOWN = 1_000
"""The rarity of an attribute behind a reference: nothing is known of it."""
Groups = tuple[tuple[Test, ...], ...]
SELECTIVE = ("=", "IN", "ISSUBSET", "LIKE", "MATCHES", "ISSUPERSET", ">", ">=", "<", "<=", "!=")
"""Operators, the one that most likely leaves the least first."""


def ask(step: Step) -> RecordQuery | None:
    """The record query of a step; None for steps that ask no source."""
    match step:
        case Get(kind, sources, where, span, limit):
            groups = _groups(where, kind) if where is not None else None
            return RecordQuery(sources, kind, groups, span, completed=groups is not None, limit=limit if where is None else None)
        case Find(kind, verb, by, given, _, span):
            return RecordQuery(sources_of(step), kind, None, span, Related(given, verb, by, _kinds_of(verb, by, kind, type_of(given))))
        case _:
            return None


def _groups(predicate: Predicate, kind: str) -> Groups | None:
    """Tests to ask: the records in which all of one group hold are enough. None where only all records are."""
    match predicate:
        case Test(path) | Missing(path) if path.attribute in EVERY_ENTITY:
            return None
        case Test(negated=False):
            return ((predicate,),)
        case Test() | Missing(negated=False) | Complement():
            return None
        case Missing(path):
            return ((Test(path, "LIKE", ("%",)),),)
        case Any_(parts):
            found = [_groups(p, kind) for p in parts]
            return None if any(g is None for g in found) else tuple(dict.fromkeys(t for g in found if g for t in g))
        case All(parts):
            askable = [g for p in parts if (g := _groups(p, kind)) is not None]
            return _together(askable, kind) if askable else None


def _together(askable: Sequence[Groups], kind: str) -> Groups:
    """Of several things that must all hold: those that one record shows together, else the most selective one."""
    single = [g[0] for g in askable if len(g) == 1]
    if not single:
        return min(askable, key=lambda groups: max(_cost(g) for g in groups))
    best = min(single, key=_cost)
    shared = list(best)
    for other in single:
        if other is not best and all(_tested_with(a.path, b.path, kind) for a in best for b in other):
            shared += [t for t in other if t not in shared]
    return (tuple(shared),)


def _cost(group: Sequence[Test]) -> tuple[int, int]:
    """Lower is more selective: by the operator, then by how rare the attribute is."""
    return min((SELECTIVE.index(t.operator), len(_kinds_telling(t.path)) or UNKNOWN) for t in group)


def _tested_with(rarer: AttributePath, commoner: AttributePath, kind: str) -> bool:
    """Whether every kind of event that tells the first attribute of an entity tells the second one too."""
    if rarer.type != kind or commoner.type != kind or not rarer.known or not commoner.known:
        return False
    first, second = _kinds_telling(rarer), _kinds_telling(commoner)
    return bool(first) and first <= second


@cache
def _kinds_telling(path: AttributePath) -> frozenset[tuple[str, int, int]]:
    """(role, sensor, code) of every event that tells an attribute itself; none where it is behind a reference or computed."""
    if path.references or path.attribute in EVERY_ENTITY:
        return frozenset()
    text = vocabulary().entity(path.type).attributes.get(path.attribute)
    node = expression.parse(text) if text else None
    if node is None:
        return frozenset()
    names = {field[-1] for field, _ in expression.fields(node)}
    found: set[tuple[str, int, int]] = set()
    for role in layout().roles_of(path.type):
        columns = {f"{role.name}.{name}" for name in names}
        for log_format in log_formats().values():
            for rule in log_format.rules:
                if rule.column in columns and rule.node is not None:
                    codes = [rule.code] if rule.code is not None else _codes_of(log_format.name, rule.sensor)
                    found.update((role.name, rule.sensor, code) for code in codes)
    return frozenset(found)


@cache
def _codes_of(format_name: str, sensor: int) -> tuple[int, ...]:
    log_format = log_formats()[format_name]
    name = next(n for n, number in log_format.sensors.items() if number == sensor)
    return tuple(code for code in log_format.events.get(name, {}) if code != "all")


def _kinds_of(verb: str, by: bool, wanted: str, given: str) -> tuple[str, ...]:
    """The kinds of event that show a relation; none named where any may."""
    if verb == "LINKED":
        return ()
    subject, thing = (given, wanted) if by else (wanted, given)
    edges = [e for e in layout().edges if e.verb == verb and layout().roles[e.subject].type == subject and layout().roles[e.object].type == thing]
    if not edges or any(not e.kinds for e in edges):
        return ()
    return tuple(dict.fromkeys(layout().kinds[k] for e in edges for k in e.kinds))
