"""The steps of a hunt. Equal steps ask the same question, whatever the variables that name them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, assert_never

from kestrel.text import NOWHERE, Span, path_text

TABLE = "table"
"""The type of rows without identity: what GROUP gives, and LOAD of a file that names no entity type."""


FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
"""The ends of an open-ended range."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` (inclusive) to `stop` (exclusive), UTC. Without an end it is open-ended."""

    start: datetime = FIRST
    stop: datetime = LAST

    def within(self, other: TimeRange | None) -> TimeRange:
        """What lies in both; of ranges apart, an empty one."""
        if other is None:
            return self
        start = max(self.start, other.start)
        return TimeRange(start, max(start, min(self.stop, other.stop)))

    @property
    def since(self) -> datetime | None:
        """Its start; None if it is open."""
        return None if self.start == FIRST else self.start

    @property
    def until(self) -> datetime | None:
        """Its stop; None if it is open."""
        return None if self.stop == LAST else self.stop

    def union(self, other: TimeRange) -> TimeRange:
        return TimeRange(min(self.start, other.start), max(self.stop, other.stop))


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


def range_sources(predicate: Predicate) -> Iterator[Step]:
    """The variables that a predicate takes values of."""
    match predicate:
        case Test():
            yield from (v.step for v in predicate.values if isinstance(v, ValuesOf))
        case Missing():
            return
        case All(parts) | Any_(parts):
            for part in parts:
                yield from range_sources(part)
        case Complement(part):
            yield from range_sources(part)
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


@dataclass(frozen=True, slots=True)
class Source:
    """One place records come from: the URI it was asked by, and a description its room in `sources/` can open."""

    uri: str
    files: tuple[str, ...]
    log_format: str | None = None
    place: str = ""
    """Of a live source: where it is, without secrets. Its `files` are what was fetched of it."""
    clock: str = ""
    """The UTC offset of the local times printed in its files, `+02:00`, if a profile sets it."""
    reading: str = ""
    """Of log files: names the content they had when the statement was read (`ingest/file_states.py`). Equal files of another reading are
    another source."""


class Content:
    """What makes a step equal to another: its content, digested once from its own fields and its inputs' digests."""

    def __post_init__(self) -> None:
        _ = self.content, self.sources_below, self.sources_looked_at, self.files_looked_at

    @cached_property
    def content(self) -> str:
        return hashlib.sha256(_text(self, top=True).encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @cached_property
    def sources_below(self) -> tuple[Source, ...]:
        own = self.sources if isinstance(self, Get | Find | Load) else ()
        return tuple(dict.fromkeys([*(s for i in inputs_of(self) for s in i.sources_below), *own]))

    @cached_property
    def sources_looked_at(self) -> tuple[Source, ...]:
        """`sources_below`, and those of the variables that predicates take values of."""
        below = (s for i in (*inputs_of(self), *range_sources_of(self)) for s in i.sources_looked_at)
        return tuple(dict.fromkeys([*below, *self.sources_below]))

    @cached_property
    def files_looked_at(self) -> tuple[Source, ...]:
        """The files of LOAD that the answer depends on."""
        own = (self.file,) if isinstance(self, Load) else ()
        return tuple(dict.fromkeys([*(f for i in (*inputs_of(self), *range_sources_of(self)) for f in i.files_looked_at), *own]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)


@dataclass(frozen=True, eq=False)
class Get(Content):
    """Entities of a type from sources. Without a range it takes the span of the variables whose values its predicate uses."""

    type: str
    sources: tuple[Source, ...]
    where: Predicate | None
    range: TimeRange | None
    limit: int | None = None


@dataclass(frozen=True, eq=False)
class Find(Content):
    """`by`: the input acts, objects are asked; else the input is acted on, subjects are asked. Without a range of its own it
    is lent the one its input asked. `depth`: hops, None for as many as there are."""

    type: str
    verb: str
    by: bool
    input: Step
    where: Predicate | None
    range: TimeRange | None
    depth: int | None = 1
    limit: int | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, eq=False)
class New(Content):
    """Entities as written: each row attribute-value pairs."""

    type: str
    rows: tuple[tuple[tuple[str, Scalar | None], ...], ...]


@dataclass(frozen=True, eq=False)
class Load(Content):
    """The rows of a file that SAVE or another program wrote: `path` is absolute, `type` may be TABLE. `sources` and `range`
    are those the file tells of. `reading` names the content of the file, as in `Source`."""

    path: str
    type: str
    sources: tuple[Source, ...] = ()
    range: TimeRange | None = None
    reading: str = ""

    @property
    def file(self) -> Source:
        """The file itself, as a source."""
        return Source(self.path, (self.path,), reading=self.reading)


@dataclass(frozen=True, eq=False)
class Merge(Content):
    """The union of variables of one type."""

    inputs: tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Refine(Content):
    """A variable filtered, in an order, cut, or with fewer columns."""

    input: Step
    where: Predicate | None = None
    range: TimeRange | None = None
    columns: tuple[AttributePath, ...] = ()
    sort: AttributePath | None = None
    ascending: bool = False
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, eq=False)
class Rows(Content):
    """One row for each (entity, record) of a variable, with the record's time; RECORDS adds what the event was, ADDOBSID an
    id of the record."""

    input: Step
    transform: Literal["TIMESTAMPED", "ADDOBSID", "RECORDS"]


@dataclass(frozen=True, slots=True)
class Key:
    """What rows are grouped by: an attribute, or its values in bins of `size` (microseconds for times)."""

    path: AttributePath
    size: int | float | None = None
    is_time: bool = False
    """Whether the size has a unit of time."""

    @property
    def name(self) -> str:
        return self.path.text() if self.size is None else f"{self.path.text()}_bin"


Function = Literal["MIN", "MAX", "SUM", "AVG", "COUNT", "NUNIQUE"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One column of a GROUP."""

    function: Function
    path: AttributePath
    name: str


@dataclass(frozen=True, eq=False)
class Group(Content):
    """A table: one row for each combination of keys. Without aggregates: the number of rows, and of distinct values of
    every other attribute."""

    input: Step
    keys: tuple[Key, ...]
    aggregates: tuple[Aggregate, ...] = ()


@dataclass(frozen=True, eq=False)
class Join(Content):
    """The entities of `left`, one row for each pair of equal keys, with the attributes of `right` that `left` lacks."""

    left: Step
    right: Step
    left_key: AttributePath
    right_key: AttributePath


Argument = Scalar | ValuesOf | tuple[Scalar | ValuesOf, ...]


@dataclass(frozen=True, eq=False)
class Applied(Content):
    """A variable with the columns an analytic gave it: the `index`-th of its inputs. `turn` counts how often this very
    question was asked in the session before: an analytic may answer otherwise each time."""

    inputs: tuple[Step, ...]
    index: int
    analytics: str
    arguments: tuple[tuple[str, Argument], ...]
    turn: int = 0

    @property
    def input(self) -> Step:
        return self.inputs[self.index]


Step = Get | Find | New | Load | Merge | Refine | Rows | Group | Join | Applied


def type_of(step: Step) -> str:
    """The entity type of a step's rows, or TABLE."""
    while True:
        match step:
            case Get() | Find() | New() | Load():
                return step.type
            case Refine() | Rows() | Applied():
                step = step.input
            case Join():
                step = step.left
            case Merge():
                step = step.inputs[0]
            case Group():
                return TABLE
            case _:
                assert_never(step)


def sources_of(step: Step) -> tuple[Source, ...]:
    """Every source the entities stem from, in the order first asked."""
    return step.sources_below


def read_by(step: Step) -> tuple[Source, ...]:
    """Every source and every loaded file that a step's answer depends on, including those of the values it compares with."""
    return (*step.sources_looked_at, *step.files_looked_at)


def read_for(step: Step) -> tuple[str, ...]:
    """What the rows of a step were read from: sources by their URIs, a loaded file by its path, even if it names other sources."""
    found: dict[str, None] = {}
    done: set[Step] = set()
    pending = [step]
    while pending:
        part = pending.pop(0)
        match part:
            case Load(path=path):
                found[path_text(path)] = None
            case Get() | Find():
                found |= dict.fromkeys(s.uri for s in part.sources_below)
            case _:
                pending += [i for i in inputs_of(part) if i not in done]
        done.add(part)
    return tuple(found)


def range_of(step: Step) -> TimeRange | None:
    """The time range a step asks, its own or the one it is lent by its input; None: all time, or not known before it runs."""
    while isinstance(step, Find | Refine | Rows | Applied):
        if isinstance(step, Find | Refine) and step.range:
            return step.range
        step = step.input
    return step.range if isinstance(step, Get | Load) else None


def columns_of(step: Step) -> tuple[AttributePath, ...]:
    """The columns an ATTR kept; empty for all."""
    while isinstance(step, Refine):
        if step.columns:
            return step.columns
        step = step.input
    return ()


def inputs_of(step: Step | Content) -> tuple[Step, ...]:
    """The steps whose entities or rows a step takes."""
    match step:
        case Find() | Refine() | Rows() | Group() | Applied():
            return (step.input,)
        case Merge():
            return step.inputs
        case Join():
            return (step.left, step.right)
        case _:
            return ()


def range_sources_of(step: Step | Content) -> tuple[Step, ...]:
    """The steps whose values a step compares with."""
    match step:
        case Get(where=where) | Find(where=where) | Refine(where=where) if where is not None:
            return tuple(dict.fromkeys(range_sources(where)))
        case _:
            return ()


def all_steps(*steps: Step) -> Iterator[Step]:
    """The steps and everything they are made from, each once, inputs first."""
    done: set[Step] = set()
    pending = list(reversed(steps))
    while pending:
        step = pending[-1]
        below = [s for s in inputs_of(step) if s not in done]
        if below:
            pending += reversed(below)
            continue
        pending.pop()
        if step not in done:
            done.add(step)
            yield step


def content_id(step: Step) -> str:
    """The same for equal questions, in every session."""
    return step.content


def _text(node: Any, top: bool = False) -> str:
    if isinstance(node, Content) and not top:
        return node.content
    if is_dataclass(node):
        inner = ", ".join(f"{f.name}={_text(getattr(node, f.name))}" for f in fields(node) if f.name != "span")
        return f"{type(node).__name__}({inner})"
    if isinstance(node, tuple):
        return "(" + ", ".join(map(_text, node)) + ")"
    return repr(node)
