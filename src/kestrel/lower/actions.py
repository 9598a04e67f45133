"""What a cell does, in order: the result of lowering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from kestrel.graph.steps import Applied, AttributePath, Source, Step
from kestrel.text import Span


@dataclass(frozen=True, slots=True)
class Define:
    """Bind a step to a name. `inputs`: the variables and parameters that the statement names, and what they were."""

    name: str
    step: Step
    span: Span
    inputs: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Show:
    """Display a step's rows: `limit` distinct ones of them, after the first `offset`."""

    step: Step
    columns: tuple[AttributePath, ...]
    limit: int | None
    offset: int
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Draw:
    """Display a step's entities as a picture: `columns` are the attributes it is to tell, none for the usual ones."""

    step: Step
    view: Literal["TREE", "GRAPH", "TIMELINE", "CHART"]
    columns: tuple[AttributePath, ...]
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Inform:
    """Tell what a variable is."""

    step: Step
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Survey:
    """Tell what is in data sources. `name`: as the hunt names them."""

    sources: tuple[Source, ...]
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Describe:
    """Tell how the values of one attribute are distributed."""

    step: Step
    path: AttributePath
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Explain:
    """Tell how a variable is made and which queries each source receives."""

    step: Step
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Save:
    """Write a variable to a file: `path` is absolute. `replace`: also over a file that Kestrel did not write."""

    step: Step
    path: str
    name: str
    span: Span
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Analyse:
    """Run an analytic over variables and bind each name to its new version."""

    analytics: str
    names: tuple[str, ...]
    versions: tuple[Applied, ...]
    span: Span
    inputs: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the hunter should know, which is no mistake."""

    code: str
    message: str


Action = Define | Show | Draw | Inform | Survey | Describe | Explain | Save | Analyse | Notice
