"""What a step asks of its entities: tests on attributes, joined by and, or and complement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, assert_never

from kestrel.text import NOWHERE, Span

if TYPE_CHECKING:
    from kestrel.graph.steps import Step

Scalar = str | int | float | bool | datetime
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"]


@dataclass(frozen=True, slots=True)
class AttributePath:
    """An attribute of `type`, or of what its references lead to.

    `references`: each with the type it leads to. `type` is the entity type the path starts from; where it is not the
    step's own, the test is of another entity of the same record. `known` is False for a name only data can confirm.
    `kind` is how a column compares that the model does not know: `text`, `number`, `time`, or `any` where only data tell.
    """

    type: str
    references: tuple[tuple[str, str], ...]
    attribute: str
    known: bool = True
    span: Span = NOWHERE
    kind: str = ""

    @property
    def end(self) -> str:
        """The type that has the attribute."""
        return self.references[-1][1] if self.references else self.type

    def text(self) -> str:
        return ".".join([*(r for r, _ in self.references), self.attribute])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AttributePath) and (self.type, self.references, self.attribute) == (
            other.type,
            other.references,
            other.attribute,
        )

    def __hash__(self) -> int:
        return hash((self.type, self.references, self.attribute))


@dataclass(frozen=True, slots=True)
class ValuesOf:
    """The values of an attribute in a variable, looked up when the step runs."""

    step: Step
    path: AttributePath


@dataclass(frozen=True, slots=True)
class Test:
    """`path operator values`; `negated`: there is a value and none satisfies it. Values are in canonical form. `escape`: the
    character that makes the `%` or `_` after it literal in LIKE."""

    path: AttributePath
    operator: Operator
    values: tuple[Scalar | ValuesOf, ...]
    negated: bool = False
    escape: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no value; `negated`: there is one."""

    path: AttributePath
    negated: bool = False


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Any_:
    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Complement:
    part: Predicate


Predicate = Test | Missing | All | Any_ | Complement


def lenders(predicate: Predicate) -> Iterator[Step]:
    """The variables that a predicate takes values of."""
    match predicate:
        case Test():
            yield from (v.step for v in predicate.values if isinstance(v, ValuesOf))
        case Missing():
            return
        case All(parts) | Any_(parts):
            for part in parts:
                yield from lenders(part)
        case Complement(part):
            yield from lenders(part)
        case _:
            assert_never(predicate)


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
