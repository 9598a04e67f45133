"""The tree of a hunt: frozen nodes, each with the span of the text it came from.

Spans take no part in equality, so a printed and reparsed tree equals the first one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from kestrel.text import NOWHERE, Span


def _span() -> Span:
    return field(default=NOWHERE, compare=False, repr=False)


# -- values ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """A string, quoted or a bare word. `value` is what it means, not how it was spelt."""

    value: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Number:
    value: int | float
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Time:
    """`t'...'` or a bare ISO 8601 time: an aware datetime in UTC, to the microsecond."""

    value: datetime
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Reference:
    """`var.attr` used as a value: the values of that attribute in the variable."""

    variable: str
    attribute: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name`: a value given from outside the hunt."""

    name: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values; nested lists are flattened by the parser."""

    items: tuple[Scalar, ...]
    span: Span = _span()


Scalar = Text | Number | Boolean | Time | Reference | Parameter
Value = Scalar | ListOf

# -- patterns ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Path:
    """`[type:]attr[.attr...]`. `type` is None where none was written.

    `attribute` is canonical: dotted parts; a part with other characters than letters, digits, `_`, `-`, `[*]` is in single
    quotes (`hashes.'a b'`); `hashes.'SHA-256'` and `hashes.SHA-256` both become `hashes.SHA-256`.
    """

    type: str | None
    attribute: str
    span: Span = _span()


Operator = Literal["=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path [NOT] op value`. `==` is `=`; `= (list)` is `IN`; `!= (list)` is `NOT IN`. `escape`: the character that makes the `%`
    or `_` after it literal in LIKE; empty for none."""

    path: Path
    operator: Operator
    value: Value
    negated: bool = False
    escape: str = ""
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class IsNull:
    """`path IS NULL`, or IS NOT NULL where negated."""

    path: Path
    negated: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class And:
    """Two or more parts; nested Ands written without parentheses are one flat And."""

    parts: tuple[Pattern, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Pattern, ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT ( pattern )`: the complement."""

    part: Pattern
    span: Span = _span()


Pattern = Comparison | IsNull | And | Or | Not

# -- clauses -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Range:
    """`START t [STOP t]`. `stop` is None where the range is open-ended."""

    start: Time | Parameter
    stop: Time | Parameter | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Last:
    """`LAST n unit`, the unit canonical."""

    count: int | Parameter
    unit: Literal["DAY", "HOUR", "MINUTE", "SECOND"]
    span: Span = _span()


TimeClause = Range | Last


@dataclass(frozen=True, slots=True)
class Limit:
    """`LIMIT n [OFFSET m]`."""

    count: int | Parameter
    offset: int | Parameter = 0
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SourceText:
    """One thing after FROM, as written: a URI, a path, or a bare name (a variable or a profile)."""

    text: str | Parameter
    quoted: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Sort:
    """`SORT BY attr [ASC|DESC]`; descending unless ASC."""

    attribute: Path
    ascending: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Word:
    """A name in the text with its place: an entity type, a verb, a variable."""

    text: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Expression:
    """`[TRANSFORM](var) | var [WHERE] [ATTR] [SORT BY] [LIMIT]`."""

    variable: Word
    transform: Literal["TIMESTAMPED", "ADDOBSID", "RECORDS"] | None = None
    where: Pattern | None = None
    attributes: tuple[Path, ...] = ()
    sort: Sort | None = None
    limit: Limit | None = None
    span: Span = _span()


# -- statements --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Get:
    type: Word
    source_texts: tuple[SourceText, ...]
    where: Pattern | None
    time: TimeClause | None = None
    limit: Limit | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Find:
    """`verb` is upper-case; `by` tells whether BY was written. `depth`: hops, "ANY", or None for one hop."""

    type: Word
    verb: Word
    by: bool
    variable: Word
    depth: int | Literal["ANY"] | None = None
    where: Pattern | None = None
    time: TimeClause | None = None
    limit: Limit | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class New:
    """Rows as given: each a plain value (for the type's main attribute) or attribute-value pairs in written order."""

    type: Word | None
    rows: tuple[Scalar, ...] | tuple[tuple[tuple[str, Value | None], ...], ...]
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Load:
    path: SourceText
    type: Word | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class SortBy:
    """The command `SORT var BY attr`."""

    variable: Word
    sort: Sort
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Bin:
    """`BIN(attr, n [unit])`."""

    attribute: Path
    size: int | float
    unit: Literal["DAY", "HOUR", "MINUTE", "SECOND"] | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Aggregation:
    """`agg(attr) [AS name]`."""

    function: Literal["MIN", "MAX", "SUM", "AVG", "COUNT", "NUNIQUE"]
    attribute: Path
    name: str | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Group:
    variable: Word
    keys: tuple[Path | Bin, ...]
    aggregations: tuple[Aggregation, ...] = ()
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Join:
    """`keys` is None where BY was left out."""

    left: Word
    right: Word
    keys: tuple[Path, Path] | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Merge:
    """`a + b WHERE pattern + c`: each operand a variable, or an expression that has WHERE and no other clause."""

    operands: tuple[Word | Expression, ...]
    span: Span = _span()


Yielding = Get | Find | New | Load | SortBy | Group | Join | Merge | Expression


@dataclass(frozen=True, slots=True)
class Assign:
    """`v = ...`; `target` is None where the command stands alone and its result is `_`."""

    target: Word | None
    value: Yielding
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Argument:
    """`x=value` of APPLY."""

    name: str
    value: Value
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Apply:
    analytics: SourceText
    variables: tuple[Word, ...]
    arguments: tuple[Argument, ...] = ()
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Save:
    """`SAVE variable TO path [REPLACE]`."""

    variable: Word
    path: SourceText
    replace: bool = False
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Give:
    """`$name = value`: what `$name` stands for from here on, unless it is given from outside."""

    name: str
    value: Value
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Disp:
    expression: Expression
    view: Literal["TREE", "GRAPH", "TIMELINE", "CHART", "TABLE"] | None = None
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Info:
    variable: Word
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class InfoOfSource:
    """INFO of files or of a data source."""

    source_text: SourceText
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Describe:
    variable: Word
    attribute: Path
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Explain:
    variable: Word
    span: Span = _span()


Statement = Assign | Give | Apply | Save | Disp | Info | InfoOfSource | Describe | Explain


@dataclass(frozen=True, slots=True)
class Hunt:
    """A whole cell or file. `comments` are kept apart, each with its place, for the printer."""

    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    notices: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """Code and sentence of what was read in a way that should be told."""
    parted: frozenset[int] = field(default=frozenset(), compare=False)
    """Where statements and comments begin that had an empty line before them."""
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Comment:
    """`# ...` to the end of its line, the character included. `trailing`: it follows a statement on its line."""

    text: str
    trailing: bool = False
    span: Span = _span()
