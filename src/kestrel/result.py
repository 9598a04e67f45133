"""What was found, not how it looks."""

from __future__ import annotations

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
    """One attribute of a variable: how many entities have it, and its most frequent value."""

    name: str
    count: int
    example: Any


@dataclass(frozen=True, slots=True)
class Info:
    """What a variable is. Times are UTC; `relations` lead on from here; `origin` tells how it was made."""

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
    """How a variable is made, and what is asked of whom. Nothing was run to find it out.

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
class Summary:
    """What a cell made, and how long it took, in seconds."""

    variables: tuple[Made, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about the data the hunter should know: counted, and no mistake of the hunt."""

    code: str
    message: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """One mistake, with its place in the text (counted from 1) and drawn."""

    code: str
    message: str
    hint: str | None
    line: int | None
    column: int | None
    drawn: str


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


Result = Table | Info | Description | Explanation | Summary | Notice | Failure | Text | Picture
