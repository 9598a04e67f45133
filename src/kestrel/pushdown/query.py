"""A record query: which records a source must return so that a step can be answered. It may return more, never fewer."""

from __future__ import annotations

from dataclasses import dataclass

from kestrel.graph.steps import Source, Step, Test, TimeRange


@dataclass(frozen=True)
class Related:
    """Records that show a relation with one of a variable's entities. `kinds` of event can show it; none named: any."""

    given: Step
    verb: str
    by: bool
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class RecordQuery:
    """Records in `range` (None: all time) in which, for some entity of `type`, every test of one of `any_of` holds.

    `any_of` None: no test can be asked, so every record with such an entity is. `related` asks for records that show a
    relation instead. `completed`: the entities that come are to be completed by their identity before the step is
    evaluated, for other records may say more of them. `limit`: so many entities are enough, in the order of time.
    """

    sources: tuple[Source, ...]
    type: str
    any_of: tuple[tuple[Test, ...], ...] | None
    range: TimeRange | None
    related: Related | None = None
    completed: bool = False
    limit: int | None = None
