"""Which columns a cell will look at: what need not be read is left in the files.

Only a guess that saves time: a column that is missing after all is read when it is asked for (`observations.Unread`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kestrel.formats import expression
from kestrel.graph.steps import (
    Applied,
    AttributePath,
    Find,
    Get,
    Group,
    Join,
    Predicate,
    Refine,
    Rows,
    Step,
    ValuesOf,
    inputs_of,
    paths,
    range_sources_of,
    tests,
    type_of,
)
from kestrel.model.layout import layout
from kestrel.model.vocabulary import EVERY_ENTITY, vocabulary


def needed(steps: Iterable[Step], shown: Iterable[AttributePath] = ()) -> frozenset[str] | None:
    """The columns that identity, the steps' relations and tests, and the shown attributes take; None for all of them."""
    found = set(_identity("process"))
    reached: set[Step] = set()
    pending = list(steps)
    while pending:
        step = pending.pop()
        if step in reached:
            continue
        reached.add(step)
        if isinstance(step, Join | Applied) or (isinstance(step, Group) and not step.aggregates):
            return None
        found.update(_of_step(step))
        pending += [*inputs_of(step), *range_sources_of(step)]
    for path in shown:
        found.update(_of_path(path))
    return frozenset(found)


def _of_step(step: Step) -> Iterator[str]:
    yield from _identity(type_of(step))
    match step:
        case Get(where=where) | Find(where=where) | Refine(where=where) if where is not None:
            yield from _of_predicate(where)
        case _:
            pass
    match step:
        case Refine(columns=columns, sort=sort):
            for path in (*columns, *((sort,) if sort else ())):
                yield from _of_path(path)
        case Group(keys=keys, aggregates=aggregates):
            for path in (*(k.path for k in keys), *(a.path for a in aggregates)):
                yield from _of_path(path)
        case Rows(transform="RECORDS"):
            yield from ("event.code", "event.provider", "event.action")
        case _:
            pass


def _of_predicate(where: Predicate) -> Iterator[str]:
    for path in paths(where):
        yield from _of_path(path)
    for test in tests(where):
        for value in test.values:
            if isinstance(value, ValuesOf):
                yield from _of_path(value.path)


def _of_path(path: AttributePath) -> Iterator[str]:
    if path.kind:
        return
    yield from _identity(path.type)
    for _, target in path.references:
        yield from _identity(target)
    yield from columns_of(path)


def columns_of(path: AttributePath) -> Iterator[str]:
    """The columns any of which gives the attribute itself a value."""
    kind = vocabulary().entity(path.end)
    text = kind.attributes.get(path.attribute, "open(further)")
    node = expression.parse(text) if path.attribute not in EVERY_ENTITY else None
    if node is not None:
        names = [field[-1] for field, _ in expression.fields(node)]
        yield from _columns(path.end, names)


def _identity(type_name: str) -> Iterator[str]:
    kind = vocabulary().entity(type_name)
    if type_name == "network-traffic":
        yield from _columns("address", vocabulary().entity("address").identifying)
    yield from _columns(type_name, [c for c in kind.identifying if c != "host"] if kind.has_role else ("type", "key", "further"))


def _columns(type_name: str, names: Iterable[str]) -> Iterator[str]:
    names = list(names)
    for role in layout().roles_of("ipv4-addr" if type_name == "address" else type_name):
        for name in names:
            if not role.derived:
                yield f"{role.name}.{name}"
            elif name in role.derived:
                for field, _ in expression.fields(expression.top(role.derived[name])):
                    yield ".".join(field)
