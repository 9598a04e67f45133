"""STIX patterns of indicators, tested against one entity.

A pattern is read by Kestrel's own grammar: comparisons in `[ ]`, joined by AND, OR and NOT, with =, !=, <, >, IN, LIKE,
ISSUBSET and ISSUPERSET. What describes several observations (FOLLOWEDBY, WITHIN, ...) and MATCHES, whose expressions come from
strangers, is not understood. Text is compared without regard to case: lists of indicators spell as they like.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from kestrel.errors import HuntErrors
from kestrel.formats.transforms import canonical_address
from kestrel.model.vocabulary import ADDRESS_TYPES, vocabulary
from kestrel.syntax import parse, tree

Facts = Mapping[str, Sequence[Any]]
"""The values an entity has, by attribute."""
Test = Callable[[Facts], bool]

WORDS = "command_line words"
"""The place of addresses, domains and URLs that a command line mentions."""
MENTIONED = frozenset({*ADDRESS_TYPES, "domain-name", "url"})
AROUND = ("parent_ref.", "process_ref.", "host_ref.")
"""References to what an entity is not made of: an indicator of a file or an address is not one of everything on its host."""


class NotUnderstood(ValueError):
    """The pattern says something that cannot be tested here. For the callers in this package; a hunter reads a count."""


@dataclass(frozen=True)
class Pattern:
    """`test` tells whether an entity fits. `keys` is not empty where the pattern only asks whether an attribute has a value:
    the pairs of (attribute, folded value) of which one suffices, to be looked up instead of tested.
    """

    test: Test
    keys: frozenset[tuple[str, str]]


def read(text: str, type: str) -> Pattern:
    """A pattern, for entities of a type. Raises NotUnderstood."""
    if not text.strip().startswith("["):
        raise NotUnderstood(text)
    try:
        # the text is only read, never run: whatever else it holds makes it another tree than one GET with one pattern
        hunt = parse(f"v = GET process FROM x WHERE {text}")
    except HuntErrors:
        raise NotUnderstood(text) from None
    match hunt.statements:
        case (tree.Assign(value=tree.Get(where=pattern, time=None, limit=None)),) if pattern is not None and not hunt.comments:
            return Pattern(_test(pattern, type), frozenset(_keys(pattern, type) or ()))
    raise NotUnderstood(text)


def folded(value: Any) -> str:
    """The one spelling values are compared in."""
    return canonical_address(str(value)).casefold().rstrip(".")


def columns(path: tree.Path, type: str) -> tuple[str, ...]:
    """The attributes of an entity of a type that `type:path` may stand for.

    `file:hashes.MD5` of a process is its binary's; `ipv4-addr:value` of traffic is either end's. What only its parent has is not its own.
    """
    vocab = vocabulary()
    wanted = vocab.type_aliases.get(path.type, path.type) if path.type else type
    found = [WORDS] if wanted in MENTIONED and path.attribute == "value" and wanted != type else []
    found += [_spelt(prefix + path.attribute, type) for prefix in _prefixes(wanted, type)]
    return tuple(found)


def _prefixes(wanted: str, type: str, depth: int = 2) -> Iterator[str]:
    """How entities of one type are reached from another: `binary_ref.` from process to file."""
    if wanted == type or (type == "address" and wanted in MENTIONED):
        yield ""
    known = vocabulary().types.get(type)
    if known and depth:
        for reference, target in known.references.items():
            if f"{reference}." not in AROUND and wanted != type:
                yield from (f"{reference}.{rest}" for rest in _prefixes(wanted, target, depth - 1))


def _spelt(attribute: str, type: str) -> str:
    """A path with the model's own names: `image_ref.hashes.SHA256` is `binary_ref.hashes.SHA-256`."""
    known = vocabulary().types.get(type)
    if known is None:
        return attribute
    head, dot, rest = attribute.partition(".")
    head = known.synonyms.get(head, head)
    if dot and head in known.references:
        return f"{head}.{_spelt(rest, known.references[head])}"
    return known.attribute(attribute) or attribute


def _test(pattern: tree.Pattern, type: str) -> Test:
    match pattern:
        case tree.And(parts):
            every = [_test(p, type) for p in parts]
            return lambda facts: all(t(facts) for t in every)
        case tree.Or(parts):
            some = [_test(p, type) for p in parts]
            return lambda facts: any(t(facts) for t in some)
        case tree.Not(part):
            inner = _test(part, type)
            return lambda facts: not inner(facts)
        case tree.IsNull(path, negated):
            asked = columns(path, type)
            return lambda facts: any(facts.get(c) for c in asked) is negated
        case tree.Comparison(escape=escape) if escape:
            raise NotUnderstood("ESCAPE")
        case tree.Comparison(path, operator, value, negated):
            return _comparison(columns(path, type), operator, _literals(value), negated)
        case _:
            assert_never(pattern)


def _literals(value: tree.Value) -> list[Any]:
    items = value.items if isinstance(value, tree.ListOf) else (value,)
    if any(isinstance(i, tree.Reference | tree.Parameter | tree.Time) for i in items):
        raise NotUnderstood("a value that is none of text, number and boolean")
    return [i.value for i in items if not isinstance(i, tree.Reference | tree.Parameter)]


def _comparison(asked: Sequence[str], operator: tree.Operator, literals: list[Any], negated: bool) -> Test:
    """Holds if any value satisfies it; a negative one, if there is a value and none satisfies the positive form."""
    if operator == "!=":
        operator, negated = "=", not negated
    holds = _single(operator, literals)

    def test(facts: Facts) -> bool:
        values = [v for c in asked for v in facts.get(c, ())]
        return bool(values) and any(holds(v) for v in values) is not negated

    return test


def _single(operator: tree.Operator, literals: list[Any]) -> Callable[[Any], bool]:
    """What one value must satisfy."""
    match operator:
        case "=" | "IN" | "!=":
            wanted = {folded(v) for v in literals}
            return lambda value: folded(value) in wanted
        case "LIKE":
            likes = [_like(str(v)) for v in literals]
            return lambda value: any(like(str(value)) for like in likes)
        case "ISSUBSET" | "ISSUPERSET":
            networks = [_network(v) for v in literals]
            return lambda value: any(_related(value, n, operator == "ISSUBSET") for n in networks)
        case "<" | "<=" | ">" | ">=":
            limit = literals[0]
            if not isinstance(limit, int | float):
                raise NotUnderstood(f"{operator} with text")
            orders: dict[str, Callable[[Any], bool]] = {
                "<": lambda v: v < limit,
                "<=": lambda v: v <= limit,
                ">": lambda v: v > limit,
                ">=": lambda v: v >= limit,
            }
            return lambda value: isinstance(value, int | float) and orders[operator](value)
        case "MATCHES":
            raise NotUnderstood("MATCHES")
        case _:
            assert_never(operator)


def _like(pattern: str) -> Callable[[str], bool]:
    """LIKE in time linear in the text: the parts between `%` are searched one after the other, from the left."""
    parts = pattern.split("%")
    first, *others = (re.compile("".join("." if c == "_" else re.escape(c) for c in part), re.IGNORECASE | re.DOTALL) for part in parts)

    def test(text: str) -> bool:
        found = first.match(text) if others else first.fullmatch(text)
        for part in others[:-1]:
            found = found and part.search(text, found.end())
        if not others or not found:
            return bool(found)
        start = len(text) - len(parts[-1])
        return start >= found.end() and bool(others[-1].match(text, start))

    return test


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(value: Any) -> Network:
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        raise NotUnderstood(str(value)) from None


def _related(value: Any, network: Network, subset: bool) -> bool:
    try:
        own: Any = ipaddress.ip_network(canonical_address(str(value)), strict=False)
    except ValueError:
        return False
    if own.version != network.version:
        return False
    return bool(own.subnet_of(network) if subset else own.supernet_of(network))


def _keys(pattern: tree.Pattern, type: str) -> list[tuple[str, str]] | None:
    """The pairs of which one suffices; None if the pattern asks for more."""
    match pattern:
        case tree.Or(parts):
            found: list[tuple[str, str]] = []
            for part in parts:
                keys = _keys(part, type)
                if keys is None:
                    return None
                found += keys
            return found
        case tree.Comparison(path, "=" | "IN", value, False):
            return [(c, folded(v)) for c in columns(path, type) for v in _literals(value)]
    return None
