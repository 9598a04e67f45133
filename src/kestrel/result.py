"""What was found, not how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """Distinct rows of a DISP. `total`: how many there are; `rows` may be the first of them. Missing values are None.

    `key`: names the table in its session, which can give the other rows; empty where there is none to ask.
    """

    variable: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int
    key: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a variable: how many entities or rows have it, and its most frequent value."""

    name: str
    count: int
    example: Any


@dataclass(frozen=True, slots=True)
class Input:
    """A variable or parameter (`$name`) that a statement names: whether it has the same meaning now (`unchanged`, `redefined`,
    `gone`), and what it meant then: its statement, or its value."""

    name: str
    state: str
    origin: str


@dataclass(frozen=True, slots=True)
class Info:
    """What a variable is. Times are UTC; `relations` are those that FIND can follow; `origin` is how it was made, from which `inputs`.
    `changed_files`: those that no longer contain what was read from them."""

    variable: str
    type: str
    entities: int
    records: int
    first_observed: datetime | None
    last_observed: datetime | None
    sources: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    relations: tuple[str, ...]
    origin: str
    inputs: tuple[Input, ...] = ()
    changed_files: tuple[str, ...] = ()
    rows: int | None = None
    """For a list of rows about entities (TIMESTAMPED, RECORDS, JOIN): the number of rows. Attributes then count rows."""


@dataclass(frozen=True, slots=True)
class Description:
    """How the values of an attribute are spread over the rows of a variable.

    `statistics`: names and values, those that say something for this kind of attribute. `frequent`: values and how many
    rows have them, the most frequent first.
    """

    variable: str
    attribute: str
    statistics: tuple[tuple[str, Any], ...]
    frequent: tuple[tuple[Any, int], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a variable is made, and which queries each source receives. Nothing was run to find it out.

    `steps`: one line each, inputs first. `queries`: for each source asked its URI, what must be returned, and the query in
    the source's own language.
    """

    variable: str
    steps: tuple[str, ...]
    queries: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Made:
    """A new variable of a cell, for the summary."""

    name: str
    type: str
    entities: int
    records: int
    first_observed: datetime | None
    last_observed: datetime | None
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """The requests of a cell to a remote source: queries sent, records and bytes that came, seconds of waiting, and the seconds that the source
    says it worked."""

    source: str
    queries: int
    records: int
    bytes: int
    seconds: float
    server: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a cell made, its requests to remote sources, and how long it took, in seconds."""

    variables: tuple[Made, ...]
    seconds: float
    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the data the hunter should know: counted, and no mistake of the hunt."""

    code: str
    message: str
    count: int = 1
    details: tuple[Mapping[str, Any], ...] = ()
    """The full data behind the message; shown only as JSON."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One mistake, with its place in the text (counted from 1) and drawn."""

    code: str
    message: str
    hint: str | None
    line: int | None
    column: int | None
    make: str


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text that an analytic shows. `name` says whose it is."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Something an analytic shows that a terminal cannot: HTML, a PNG image or an SVG drawing, as the analytic made it.

    `text` is what can be said of it without drawing it. The markup is as trusted as the analytic.
    """

    name: str
    text: str
    html: str | None = None
    image: bytes | None = None
    svg: str | None = None


# -- views of DISP ... AS -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TreeNode:
    """An entity in a tree, `depth` edges below its root. `marked`: it is of the variable. `time` is when it began, or was first seen."""

    id: str
    type: str
    label: str
    detail: str
    time: datetime | None
    marked: bool
    depth: int


@dataclass(frozen=True, slots=True)
class Tree:
    """Entities with what they descend from and what descends from them: nodes in the order of a walk, parents first.

    `total`: how many nodes there are; `nodes` may be fewer.
    """

    variable: str
    type: str
    nodes: tuple[TreeNode, ...]
    total: int


@dataclass(frozen=True, slots=True)
class GraphNode:
    """An entity in a graph. `find` is the command that leads to it and its like from the variable."""

    id: str
    type: str
    label: str
    marked: bool
    attributes: tuple[tuple[str, Any], ...]
    find: str


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """`subject` verb `object`, by their numbers among the nodes, and how many records show it."""

    subject: int
    verb: str
    object: int
    records: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The entities of a variable and those that records tie to them. `left_out`: what leads to more, and how many more."""

    variable: str
    type: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    left_out: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of event on a timeline: how many records, and how many in each of the equal parts of the whole time that has any."""

    name: str
    records: int
    parts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """One record on a timeline: when (UTC), on which lane, and of which entities of the variable: `label` names the first of them,
    `id` is that of the very first."""

    time: datetime
    lane: int
    id: str
    label: str
    detail: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The distinct records of a variable's entities over time. `moments` are the first of `total`; the lanes count all of them."""

    variable: str
    type: str
    first: datetime | None
    last: datetime | None
    parts: int
    lanes: tuple[Lane, ...]
    moments: tuple[Moment, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Chart:
    """How many `unit`s have each value of `by`, or fall into each bin of it: bars of (value or start of the bin, number).

    `size`: of a bin, seconds for times; None where each value has its bar. `others`: values that have no bar, and their number;
    `missing`: how many have no value.
    """

    variable: str
    by: str
    unit: str
    bars: tuple[tuple[Any, float], ...]
    size: float | None
    others: tuple[int, float]
    missing: int


View = Tree | Graph | Timeline | Chart
Result = Table | Info | Description | Explanation | Summary | Notice | Failure | Text | Picture | View
