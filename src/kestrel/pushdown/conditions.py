"""Comparisons and identities of entities as conditions on the columns of the record layout: what a live source is asked by."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

from kestrel.formats import expression
from kestrel.formats.inverse import ANYTHING, Pattern, leaves
from kestrel.graph.likes import characters
from kestrel.graph.steps import Test, TimeRange, ValuesOf
from kestrel.model.layout import Role, layout
from kestrel.model.vocabulary import ADDRESS_TYPES, vocabulary
from kestrel.pushdown.query import RecordQuery
from kestrel.pushdown.request import FetchRequest, FieldPredicate
from kestrel.text import batched

MANY = 10_000
"""So many unique ids or numbers are asked for at once."""
MOST = 2**63
"""No server is queried for larger numbers: a comparison with one matches any value."""
FEW = 50
"""So many texts are: each may be spelt in another case, and stands in every field it may be in."""

EITHER_END = dict.fromkeys(("src_port", "dst_port"), ("src_port", "dst_port"))
"""Columns that are interchangeable: which end of traffic is its source is known only when all of its records are there."""

Lookup = Callable[[ValuesOf], Sequence[str | int | float]]


def wanted_by(query: RecordQuery, span: TimeRange | None, values: Lookup | None) -> list[FetchRequest]:
    """What brings the records of a query about attributes; `values` looks up those of a variable (None: they are not known yet)."""
    if query.any_of is None:
        return [_within(span, ((_any_of_type(query.type),),))]
    found = []
    for group in query.any_of:
        choices = [list(_conditions(test, values)) for test in group]
        found += [_within(span, (tuple(parts),)) for parts in product(*choices)]
    return found


def _within(span: TimeRange | None, groups: tuple[tuple[FieldPredicate, ...], ...], kinds: tuple[str, ...] = ()) -> FetchRequest:
    return FetchRequest(span.since if span else None, span.until if span else None, groups, kinds)


def _any_of_type(type_name: str) -> FieldPredicate:
    """Every record with an entity of a type."""
    columns = [c for role in roles_of(type_name) for c, _ in _columns(role, layout().type_of(role.name).columns, ANYTHING)]
    return FieldPredicate(tuple(dict.fromkeys(columns)), "EXISTS")


def _conditions(test: Test, values: Lookup | None) -> Iterator[FieldPredicate]:
    """A comparison as conditions, one of which holds where it does: its values in batches."""
    listed: list[str | int | float] = []
    accented: list[str | int | float] = []
    for value in test.values:
        if isinstance(value, ValuesOf) and values:
            listed += values(value)
        elif isinstance(value, str) and test.operator in ("=", "IN", "LIKE") and (not value.isascii() or test.escape):
            accented.append(_widened(value, test))
        elif isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MOST):
            listed.append(value)
        else:
            yield _condition(test, ANYTHING)
            return
    operator = {"IN": "=", "=": "=", "LIKE": "LIKE", ">": ">", ">=": ">=", "<": "<", "<=": "<="}.get(test.operator)
    if operator is None:
        yield _condition(test, ANYTHING)
        return
    for part in batched(listed, FEW) if listed or not accented else ():
        yield _condition(test, Pattern(operator, tuple(part)))
    for part in batched(accented, FEW):
        yield _condition(test, Pattern("LIKE", tuple(part)))


def _widened(value: str, test: Test) -> str:
    """A literal as a LIKE pattern without ESCAPE that matches every encoding of its accents, and possibly more."""
    composed = unicodedata.normalize("NFC", value)
    if not value.isascii() and composed.isascii():
        return "%"
    pattern = list(characters(composed, test.escape) if test.escape else ((s, test.operator != "LIKE") for s in composed))
    return "".join("%" if not s.isascii() or (s == "_" and not value.isascii()) else "_" if literal and s in "%_" else s for s, literal in pattern)


def _condition(test: Test, wanted: Pattern) -> FieldPredicate:
    """The records that describe an entity for which the comparison holds, in any role."""
    path = test.path
    text = vocabulary().entity(path.end).attributes.get(path.attribute)
    node = expression.parse(text) if text else None
    fits: dict[Pattern, list[str]] = {}
    for role in roles_of(path.end):
        known = (
            [(name, p) for field, p in leaves(node, wanted) for name in EITHER_END.get(field[-1], (field[-1],))]
            if node
            else [(c, ANYTHING) for c in layout().type_of(role.name).columns]
        )
        for name, pattern in known:
            for column, fitting in _columns(role, (name,), pattern):
                fits.setdefault(fitting, []).append(column)
    first, *rest = [FieldPredicate(tuple(dict.fromkeys(columns)), p.operator, p.values) for p, columns in fits.items()] or [
        FieldPredicate((), "EXISTS")
    ]
    return FieldPredicate(first.columns, first.operator, first.values, tuple(rest))


def _columns(role: Role, names: Sequence[str] | Mapping[str, str], wanted: Pattern) -> Iterator[tuple[str, Pattern]]:
    """Columns that hold what a role's are, or are computed from."""
    for name in names:
        if role.name == "host":
            yield "host", _with_short_names(wanted)
        elif not role.derived:
            yield f"{role.name}.{name}", wanted
        elif name in role.derived:
            for path, pattern in leaves(expression.top(role.derived[name]), wanted):
                yield ".".join(path), pattern


def _with_short_names(wanted: Pattern) -> Pattern:
    """A pattern for hosts that also finds the records with the short form of a name."""
    if wanted.operator != "=":
        return wanted
    short = [v.partition(".")[0] for v in wanted.values if isinstance(v, str) and not v.replace(".", "").isdecimal()]
    return Pattern("=", tuple(dict.fromkeys([*wanted.values, *short])))


def roles_of(type_name: str) -> list[Role]:
    """The roles that may hold an entity of a type."""
    return layout().roles_of("ipv4-addr" if type_name in ADDRESS_TYPES else type_name)


def keys_of(type_name: str) -> tuple[tuple[str, ...], ...]:
    """Groups of columns that tell which entity an observation is of."""
    return tuple(key.searched for key in vocabulary().entity(type_name).keys) or (("value",),)


def by_keys(
    type_name: str, keys: Mapping[str, Sequence[str | int]], span: TimeRange | None, roles: Sequence[Role], kinds: tuple[str, ...] = ()
) -> Iterator[FetchRequest]:
    """What brings the records that have, in one of the roles, an entity with one of these values of its key columns."""
    if type_name == "network-traffic":
        ports = tuple(dict.fromkeys(v for values in keys.values() for v in values))
        yield _within(span, (tuple(FieldPredicate((f"network.{end}",), "=", ports) for end in ("src_port", "dst_port")),), kinds)
        return
    for group in keys_of(type_name):
        listed = list(dict.fromkeys(v for name in group for v in keys.get(name, ())))
        for part in batched(listed, MANY if all(isinstance(v, int) for v in listed) else FEW):
            fits: dict[Pattern, list[str]] = {}
            for role in roles:
                for column, pattern in _columns(role, group, Pattern("=", tuple(part))):
                    fits.setdefault(pattern, []).append(column)
            for pattern, columns in fits.items():
                yield _within(span, ((FieldPredicate(tuple(columns), pattern.operator, pattern.values),),), kinds)


def by_unique_ids(ids: Sequence[str], span: TimeRange | None, roles: Sequence[str]) -> Iterator[FetchRequest]:
    """What brings the records that have one of these processes, by the sensor's unique ids."""
    for part in batched(ids, MANY):
        yield _within(span, ((FieldPredicate(tuple(f"{s}.x_unique_id" for s in roles), "=", tuple(part)),),))


def by_pids(host: str, pids: Sequence[int], span: TimeRange | None, roles: Sequence[str]) -> Iterator[FetchRequest]:
    """What brings the records of a host with a process of one of these pids."""
    label = host.partition(".")[0]
    there = FieldPredicate(("host",), "=", tuple(dict.fromkeys((host, label))), (FieldPredicate(("host",), "LIKE", (f"{label}.%",)),))
    for part in batched(pids, MANY):
        yield _within(span, ((FieldPredicate(tuple(f"{s}.pid" for s in roles), "=", tuple(part)), there),))
