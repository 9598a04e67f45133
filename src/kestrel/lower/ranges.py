"""Time ranges and limits: the meaning of START, STOP, LAST, LIMIT and OFFSET."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from kestrel.graph.steps import FIRST, LAST, TimeRange
from kestrel.lower.actions import Notice
from kestrel.lower.mistakes import BackwardRange, WrongParameter
from kestrel.lower.patterns import Patterns
from kestrel.syntax import tree

SECONDS = {"DAY": 86400, "HOUR": 3600, "MINUTE": 60, "SECOND": 1}
MOST = 2**62
"""A larger LIMIT has no effect."""


class Ranges(Patterns):
    """Lowers times and limits."""

    def time_range(self, clause: tree.TimeClause | None) -> TimeRange | None:
        match clause:
            case None:
                return None
            case tree.Range(first, last):
                start, stop = self._moment_of(first), self._moment_of(last) if last else LAST
                if start is None or stop is None:
                    return None
                if stop < start:
                    self.errors.append(BackwardRange(clause.span))
                    return None
                if stop == start:
                    self._no_time("START and STOP are the same time")
                return TimeRange(start, stop)
            case tree.Last(count, unit):
                number = self._whole(count)
                if number is None:
                    return None
                if number == 0:
                    self._no_time(f"`LAST 0 {unit}S` begins and ends now")
                try:
                    return TimeRange(self.now - timedelta(seconds=SECONDS[unit] * number), self.now)
                except OverflowError:
                    return TimeRange(FIRST, self.now)
            case _:
                assert_never(clause)

    def _no_time(self, why: str) -> None:
        self.notices.append(Notice("empty-range", f"{why}: no record is in this time range"))

    def _moment_of(self, given: tree.Time | tree.Parameter) -> datetime | None:
        value: Any = self.parameter(given) if isinstance(given, tree.Parameter) else given
        match value:
            case None:
                return None
            case tree.Time(moment):
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            case tree.Text(text):
                try:
                    moment = datetime.fromisoformat(text)
                    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
                except (ValueError, OverflowError):
                    pass
        self.errors.append(WrongParameter(getattr(given, "name", ""), "a time", given.span, "2021-04-03T00:00:00Z"))
        return None

    def _whole(self, given: int | tree.Parameter) -> int | None:
        if isinstance(given, int):
            return given
        value = self.parameter(given)
        if isinstance(value, tree.Number) and isinstance(value.value, int) and value.value >= 0:
            return value.value
        if value is not None:
            self.errors.append(WrongParameter(given.name, "a whole number", given.span, "10"))
        return None

    def cut(self, limit: tree.Limit | None) -> tuple[int | None, int]:
        if limit is None:
            return None, 0
        count, offset = self._whole(limit.count), self._whole(limit.offset)
        return None if count is None or count >= MOST else count, min(offset or 0, MOST)
