"""`APPLY beacons`: which network traffic calls home at regular intervals.

Traffic of one source to one destination, port and protocol is a series. Its contacts are the times (`first_observed`) of
its rows; those less than `burst` seconds after the one before belong to it (a page needs many connections). A series with at
least `contacts` of them is scored by

    100 * regularity * evidence
    regularity = 1 - MAD / median of the intervals between contacts, not below 0 (MAD: median absolute deviation)
    evidence   = the square root of  min(1, contacts / 20) * min(1, span / 1 hour)

so that a gap or a few late calls change little, and a handful of calls within a minute proves little. Columns:
`x_beacon_score` (0 to 100), `x_beacon_interval` (the median, seconds) and `x_beacon_count` (contacts), the same for every row
of a series. A destination that is no one host elsewhere (loopback, multicast, ...) is scored 0. Programs that ask for updates are
regular, too: the score finds clockwork, not malice.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from kestrel.analytics.contract import Outcome
from kestrel.result import Table

ENOUGH = 20
LONG = 3600.0
"""Contacts, and seconds from the first to the last, beyond which more prove nothing more."""
SHOWN = 20
"""Series of the table that is shown, the highest scores first."""

Series = tuple[str, str, Any, Any]
"""Source, destination, port, protocol."""


@dataclass(frozen=True)
class Rhythm:
    """What was found of a series: the score, the median interval in seconds, the number of contacts."""

    score: int
    interval: float | None
    count: int


def detect(name: str, type: str, rows: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]) -> Outcome:
    """The rhythm of network traffic."""
    times: dict[Series, list[float]] = defaultdict(list)
    for row in rows:
        key, moment = _series(row), _seconds(row.get("first_observed"))
        if key and moment is not None:
            times[key].append(moment)
    rhythms = {key: rhythm(found, arguments["burst"], arguments["contacts"]) for key, found in times.items()}
    rhythms = {key: r if _is_a_host(key[1]) else Rhythm(0, r.interval, r.count) for key, r in rhythms.items()}
    table = []
    for row in rows:
        key = _series(row)
        found = rhythms.get(key) if key else None
        table.append(
            {
                "id": row["id"],
                "x_beacon_score": found.score if found else None,
                "x_beacon_interval": found.interval if found else None,
                "x_beacon_count": found.count if found else None,
            }
        )
    best = sorted((k for k, r in rhythms.items() if r.score), key=lambda k: (-rhythms[k].score, str(k)))
    return Outcome((table,), (Table(name, COLUMNS, tuple(_shown(best[:SHOWN], rhythms, times)), len(best)),))


COLUMNS = (
    "x_beacon_score",
    "src_ref.value",
    "dst_ref.value",
    "dst_port",
    "protocols[*]",
    "x_beacon_interval",
    "x_beacon_count",
    "first_observed",
    "last_observed",
)


def _shown(keys: Sequence[Series], rhythms: Mapping[Series, Rhythm], times: Mapping[Series, list[float]]) -> Iterator[tuple[Any, ...]]:
    for key in keys:
        found, moments = rhythms[key], times[key]
        first, last = (datetime.fromtimestamp(m, UTC) for m in (min(moments), max(moments)))
        yield (found.score, *key, found.interval, found.count, first, last)


def rhythm(times: Sequence[float], burst: float, least: int) -> Rhythm:
    """The rhythm of contacts at these times, in seconds."""
    contacts: list[float] = []
    before = float("-inf")
    for moment in sorted(times):
        if moment - before >= burst:
            contacts.append(moment)
        before = moment
    intervals = [b - a for a, b in pairwise(contacts)]
    if not intervals:
        return Rhythm(0, None, len(contacts))
    middle = median(intervals)
    if len(contacts) < least or middle <= 0:
        return Rhythm(0, round(middle, 3), len(contacts))
    deviation = median([abs(i - middle) for i in intervals])
    regularity = max(0.0, 1 - deviation / middle)
    evidence = (min(1.0, len(contacts) / ENOUGH) * min(1.0, (contacts[-1] - contacts[0]) / LONG)) ** 0.5
    return Rhythm(round(100 * regularity * evidence), round(middle, 3), len(contacts))


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle."""
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _series(row: Mapping[str, Any]) -> Series | None:
    source, destination = _text(row.get("src_ref.value")), _text(row.get("dst_ref.value"))
    return (source, destination, row.get("dst_port"), _text(row.get("protocols[*]"))) if source and destination else None


def _text(value: Any) -> str:
    values = value if isinstance(value, list | tuple) else [value]
    return ", ".join(str(v) for v in values if v is not None)


def _seconds(value: Any) -> float | None:
    """A time as seconds since 1970; without a zone it is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _is_a_host(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    return not (found.is_loopback or found.is_multicast or found.is_unspecified or found.is_link_local or str(found) == "255.255.255.255")
