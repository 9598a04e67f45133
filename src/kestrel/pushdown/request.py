"""Requests to a source that answers over the network, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from kestrel.errors import KestrelError
from kestrel.graph.steps import TimeRange


@dataclass(frozen=True, slots=True)
class FieldPredicate:
    """A record has, in one of these columns of the record layout, a value that fits. `operator`: `=` (one of `values`, whatever their
    case), LIKE (`%` and `_`), `>`, `>=`, `<`, `<=`, or EXISTS."""

    columns: tuple[str, ...]
    operator: str
    values: tuple[str | int | float, ...] = ()
    others: tuple[FieldPredicate, ...] = ()
    """Conditions any of which will do as well."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Records in `range` (None: all time; either end may be open) for which every condition of one group holds. `any_of` None: all
    records. `kinds`: those of these kinds of event only; none named: of any. `all_fields`: whole records, also with fields that no log format
    maps. A source may bring more, never fewer."""

    start: Any = None
    stop: Any = None
    any_of: tuple[tuple[FieldPredicate, ...], ...] | None = None
    kinds: tuple[str, ...] = ()
    all_fields: bool = False

    @classmethod
    def within(cls, span: TimeRange | None) -> FetchRequest:
        """Every record of a time range."""
        return cls(span.since, span.until) if span else cls()


@dataclass(frozen=True, slots=True)
class Size:
    """How many records a source has for what is wanted (None: it cannot tell), and what tells whether they are still the same."""

    records: int | None
    stamp: str


@dataclass(slots=True)
class Cost:
    """What asking took: queries sent, records and bytes that came, seconds of waiting; `server` are the seconds that the
    source says it worked."""

    queries: int = 0
    records: int = 0
    bytes: int = 0
    seconds: float = 0.0
    server: float = 0.0

    def add(self, other: Cost) -> None:
        self.queries += other.queries
        self.records += other.records
        self.bytes += other.bytes
        self.seconds += other.seconds
        self.server += other.server

    def since(self, before: Cost | None) -> Cost:
        """What was added."""
        old = before or Cost()
        return Cost(
            self.queries - old.queries, self.records - old.records, self.bytes - old.bytes, self.seconds - old.seconds, self.server - old.server
        )


class TooMuch(KestrelError):
    code: ClassVar[str] = "K0708"
    part = "source"

    def __init__(self, uri: str, records: int, bound: int) -> None:
        super().__init__(
            f"`{uri}` has {records:,} records to look at, and one step may fetch {bound:,}",
            None,
            "ask for a shorter time with START and STOP, or raise `fetch_bound` in the `options` of the profile's connection",
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: `state` is `good`, `weak` or `bad` (no hunt is possible)."""

    what: str
    state: Literal["good", "weak", "bad"]
    found: str


class Connector(Protocol):
    """A data source that is queried. Every method raises KestrelError if it cannot answer completely."""

    @property
    def address(self) -> str:
        """What distinguishes the source from others, without secrets."""
        ...

    cost: Cost
    bound: int
    """More records than this are not fetched for one step."""
    whole: int
    """Up to so many records, a time range is fetched as a whole; of more, what a step needs."""
    notices: list[str]
    """Notices about what was fetched; whoever shows them empties the list."""

    @property
    def provides(self) -> frozenset[str] | None:
        """The columns of the record layout that its records can fill; None: all that their log formats do."""
        ...

    def size(self, wanted: FetchRequest) -> Size:
        """How much there is."""
        ...

    def fetch(self, wanted: FetchRequest, into: Path, known: Callable[[int], None], expected: int | None = None) -> Sequence[Path]:
        """Write the records to files of a folder, one JSON document a line. `told` hears of records as they come; so many are
        `expected`."""
        ...

    def explain(self, wanted: FetchRequest) -> str:
        """What would be asked, in the source's own language."""
        ...

    def check(self) -> Iterator[Finding]:
        """What stands in the way of a hunt, and what the source has."""
        ...

    def stop(self) -> None:
        """Give up what runs now, from any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Recognition:
    """Which documents of a time range are in a known log format."""

    total: int
    """Documents in the time range."""
    everywhere: int
    """Documents at any time."""
    first: str
    last: str
    """The times of the first and the last document, as text; empty if they cannot be queried."""
    formats: tuple[tuple[str, int], ...]
    """Documents in the time range by log format; formats without documents are left out."""
    unknown: int
    """Documents in the time range that are in no known log format."""
    fields: tuple[str, ...] = ()
    """The top-level fields of one of these."""
    closest: str = ""
    """The closest log format; empty if none is close."""
    sampled: int = 0
    """If the formats cannot be counted by a query: the number of documents fetched to recognise them. The other numbers then refer to these."""


@runtime_checkable
class Recogniser(Protocol):
    """A remote source that can say which of its documents are in a known log format."""

    def recognition(self, wanted: FetchRequest) -> Recognition:
        """The documents of a time range. Raises KestrelError."""
        ...
