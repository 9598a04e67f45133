"""What is wanted, as STIX patterns: one observation each. A pattern may find more than what is wanted, never less."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from kestrel.config import packaged
from kestrel.pushdown.request import FetchRequest, FieldPredicate

SLACK = timedelta(seconds=1)
"""Connectors cut times to seconds or milliseconds, and take STOP in or out."""
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2200, 1, 1, tzinfo=UTC)
TOGETHER = 100
"""So many values are asked for in one pattern: servers bound the clauses of a query."""


@dataclass(frozen=True)
class Known:
    """What a connector can ask for: STIX paths (None: any), operators (none: all), and whether one AND may hold several types."""

    paths: frozenset[str] | None = None
    operators: frozenset[str] = frozenset()
    across: bool = False

    @classmethod
    def of(cls, stated: Mapping[str, Any], across: bool) -> Known:
        """From what its mappings say: by dialect, type and attribute."""
        paths = {f"{kind}:{name}" for kinds in stated["asks"].values() for kind, names in kinds.items() for name in names}
        return cls(frozenset(paths) or None, frozenset(stated["operators"]), across)

    def has(self, path: str) -> bool:
        return self.paths is None or path in self.paths


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time with both ends in it."""

    start: datetime
    stop: datetime

    @classmethod
    def around(cls, wanted: FetchRequest) -> Span:
        """A range that holds what is wanted, whatever a connector does to its ends."""
        start = max(FIRST, wanted.start.astimezone(UTC) - SLACK) if wanted.start else FIRST
        stop = wanted.stop.astimezone(UTC) + 2 * SLACK if wanted.stop else LAST
        return cls(start.replace(microsecond=0), stop.replace(microsecond=0))

    def halves(self) -> tuple[Span, Span] | None:
        """Its two halves, which share a millisecond; None where it is too short."""
        half = (self.stop - self.start) / 2
        middle = self.start + half - timedelta(microseconds=(self.start + half).microsecond % 1000)
        return (Span(self.start, middle), Span(middle, self.stop)) if self.start < middle < self.stop else None

    def text(self) -> str:
        """As STIX qualifies an observation; three digits of a second, as the connectors take it."""
        return f"START t'{_moment(self.start)}' STOP t'{_moment(self.stop)}'"

    def words(self) -> str:
        """As it is shown."""
        if (self.start, self.stop) == (FIRST, LAST):
            return "of all time"
        start = f"from {_moment(self.start)} " if self.start != FIRST else ""
        return f"{start}to {_moment(self.stop)}" if self.stop != LAST else f"{start}on"


@dataclass(frozen=True, slots=True)
class Pattern:
    """An observation expression and its range."""

    comparisons: str
    span: Span

    def text(self) -> str:
        return f"[{self.comparisons}] {self.span.text()}"

    def halves(self) -> tuple[Pattern, ...]:
        return tuple(replace(self, span=s) for s in self.span.halves() or ())


def patterns_of(wanted: FetchRequest, known: Known) -> list[Pattern] | None:
    """The patterns that together find every wanted record; None where the conditions cannot be asked for."""
    span = Span.around(wanted)
    if wanted.any_of is None:
        return [Pattern(c, span) for c in [_any(everything(known))] if c]
    found: list[Pattern] = []
    for group in wanted.any_of:
        asked = [c for condition in group if (c := _comparisons(condition, known))]
        if not asked:
            return None
        chosen = min(asked, key=len)
        rest = [_any(c) for c in asked if c is not chosen and len(c) <= TOGETHER] if known.across else []
        if known.across and (kinds := _of_kinds(wanted.kinds, known)):
            rest.append(_any(kinds))
        for start in range(0, len(chosen), TOGETHER):
            found.append(Pattern(_all([_any(chosen[start : start + TOGETHER]), *rest]), span))
    return found


def everything(known: Known) -> list[str]:
    """Comparisons of which every record with data fulfils one."""
    vocabulary = _vocabulary()
    return [c for kind, names in vocabulary["every"].items() for name in names if (c := _exists(f"{kind}:{name}", known))]


def apart(pattern: Pattern, known: Known) -> list[Pattern]:
    """A pattern for everything as one for each type: for connectors that cannot ask for several at once."""
    by_type: dict[str, list[str]] = {}
    for comparison in everything(known):
        by_type.setdefault(comparison.partition(":")[0], []).append(comparison)
    return [replace(pattern, comparisons=_any(c)) for c in by_type.values()]


def literal(value: str | int | float) -> str:
    """A constant of a STIX pattern."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)


def _comparisons(condition: FieldPredicate, known: Known) -> list[str]:
    """Comparisons of which one holds wherever the condition does; none where that cannot be said."""
    found: list[str] = []
    vocabulary = _vocabulary()
    for column in condition.columns:
        paths = [p for p in vocabulary["paths"].get(column, ()) if known.has(p)]
        if not paths:
            return []
        for path in paths:
            number = path in vocabulary["numbers"]
            match condition.operator:
                case "EXISTS":
                    found += [c for c in [_exists(path, known)] if c]
                case "=":
                    spelt = [s for v in condition.values for s in _spellings(v, number, column in vocabulary["folded"])]
                    if len(spelt) < len(condition.values):
                        return []
                    found += [f"{path} = {literal(s)}" for s in dict.fromkeys(spelt)]
                case ">" | ">=" | "<" | "<=" if number:
                    found += [f"{path} {condition.operator} {literal(v)}" for v in condition.values if not isinstance(v, str)]
                case _:
                    return []
    for other in condition.others:
        as_well = _comparisons(other, known)
        if not as_well:
            return []
        found += as_well
    return found


def _spellings(value: str | int | float, number: bool, folded: bool) -> Iterator[str | int | float]:
    """The ways a value may be written that equals this one whatever its case; none where there are too many, or where STIX-shifter
    misreads it: it leaves the backslash before a quote where it is."""
    match value:
        case str() if not number and "'" not in value and (folded or value.upper() == value.lower()):
            yield from dict.fromkeys((value, value.upper(), value.lower()))
        case int() if number:
            yield value
        case _:
            return


def _exists(path: str, known: Known) -> str | None:
    if not known.has(path):
        return None
    if path in _vocabulary()["numbers"]:
        return f"{path} >= 0"
    can = next((o for o in ("Like", "Matches", "NotEqual") if not known.operators or f"ComparisonComparators.{o}" in known.operators), "Like")
    return {"Like": f"{path} LIKE '%'", "Matches": f"{path} MATCHES '.*'", "NotEqual": f"{path} != ''"}[can]


def _of_kinds(kinds: Sequence[str], known: Known) -> list[str]:
    """Comparisons of which one holds for every event of these kinds; none where that cannot be said."""
    stated = [_vocabulary()["kinds"].get(k) for k in kinds]
    if not stated or None in stated or not known.has("x-oca-event:code"):
        return []
    return [
        f"x-oca-event:{name} = {literal(v)}" for kind in stated for name, values in kind.items() if known.has(f"x-oca-event:{name}") for v in values
    ]


def _any(comparisons: Iterable[str]) -> str:
    return " OR ".join(comparisons)


def _all(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else " AND ".join(f"({p})" for p in parts)


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"


@cache
def _vocabulary() -> Any:
    return packaged("kestrel.sources.stixshifter", "attributes.yaml")
