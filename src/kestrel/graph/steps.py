"""The steps of a hunt. Equal steps ask the same question, whatever the variables that name them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal

from kestrel.graph.predicate import AttributePath, Predicate, Scalar


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` (inclusive) to `stop` (exclusive), UTC."""

    start: datetime
    stop: datetime

    def union(self, other: TimeRange) -> TimeRange:
        return TimeRange(min(self.start, other.start), max(self.stop, other.stop))


@dataclass(frozen=True, slots=True)
class Source:
    """One place records come from: the URI it was asked by, and a description its room in `sources/` can open."""

    uri: str
    files: tuple[str, ...]
    shape: str | None = None


@dataclass(frozen=True, slots=True)
class Get:
    """Entities of a type from sources. Without a range it is lent the span of the variables its predicate takes values of."""

    type: str
    sources: tuple[Source, ...]
    where: Predicate | None
    range: TimeRange | None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Find:
    """`by`: the input acts, objects are asked; else the input is acted on, subjects are asked. Without a range of its own it
    is lent the one its input asked."""

    type: str
    verb: str
    by: bool
    input: Step
    where: Predicate | None
    range: TimeRange | None
    depth: int | None = 1
    limit: int | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class New:
    """Entities as written: each row attribute-value pairs."""

    type: str
    rows: tuple[tuple[tuple[str, Scalar | None], ...], ...]


@dataclass(frozen=True, slots=True)
class Merge:
    inputs: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Refine:
    """A variable filtered, in an order, cut, or with fewer columns."""

    input: Step
    where: Predicate | None = None
    range: TimeRange | None = None
    columns: tuple[AttributePath, ...] = ()
    sort: AttributePath | None = None
    ascending: bool = False
    limit: int | None = None
    offset: int = 0
    transform: Literal["TIMESTAMPED", "ADDOBSID", "RECORDS"] | None = None


Step = Get | Find | New | Merge | Refine


def type_of(step: Step) -> str:
    match step:
        case Get() | Find() | New():
            return step.type
        case Refine():
            return type_of(step.input)
        case Merge():
            return type_of(step.inputs[0])


def sources_of(step: Step) -> tuple[Source, ...]:
    """Every source the entities stem from, in the order first asked."""
    match step:
        case Get():
            return step.sources
        case Find():
            return tuple(dict.fromkeys([*sources_of(step.input), *step.sources]))
        case Refine():
            return sources_of(step.input)
        case Merge():
            return tuple(dict.fromkeys(s for i in step.inputs for s in sources_of(i)))
        case New():
            return ()


def columns_of(step: Step) -> tuple[AttributePath, ...]:
    """The columns an ATTR kept; empty for all."""
    match step:
        case Refine():
            return step.columns or columns_of(step.input)
        case _:
            return ()


def inputs_of(step: Step) -> Iterator[Step]:
    match step:
        case Get() | New():
            return
        case Find() | Refine():
            yield step.input
        case Merge():
            yield from step.inputs


def content_id(step: Step) -> str:
    """The same for equal questions, in every session: a digest of the step's text form."""
    return hashlib.sha256(_text(step).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _text(node: Any) -> str:
    if is_dataclass(node):
        inner = ", ".join(f"{f.name}={_text(getattr(node, f.name))}" for f in fields(node) if f.name != "span")
        return f"{type(node).__name__}({inner})"
    if isinstance(node, tuple):
        return "(" + ", ".join(map(_text, node)) + ")"
    return repr(node)
