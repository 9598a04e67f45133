"""`APPLY beacons`: which network traffic calls home at regular intervals.

Traffic of one source to one destination, port and protocol is a series. Its contacts are the times (`first_observed`) of
its rows; those less than `burst` seconds after the one before belong to it (a page needs many connections). A series with at
least `contacts` of them is scored by

    100 * (1 - (1 - clockwork) * (1 - persistence))

    clockwork   = regularity * the square root of  min(1, contacts / 20) * min(1, span / 1 hour)
    regularity  = 1 - MAD / median of the intervals between contacts, not below 0 (MAD: median absolute deviation)
    persistence = rarity * hours / 24 * the square root of  min(1, contacts / 20) * min(1, span / 1 day)
    rarity      = (1 - 1 / N) / n  for an address outside that n of the N sources contact, 0 for any other
    hours       = how many of the 24 hours of the day have a contact

so that a gap or a few late calls change little, and a handful of calls within a minute proves little. Beacons of today draw their
intervals at random: what gives those away is that one host alone calls an address outside, by day and by night. Where the traffic is of
one source only, rarity is not known and only clockwork counts. Columns: `x_beacon_score` (0 to 100), `x_beacon_interval` (the median,
seconds) and `x_beacon_count` (contacts), the same for every row of a series. A destination that is no one host elsewhere (loopback,
multicast, ...) is scored 0. Programs that ask for updates are regular, too: the score finds habits, not malice.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from kestrel.analytics.contract import Outcome
from kestrel.result import Table

ENOUGH = 20
LONG = 3600.0
"""Contacts, and seconds from the first to the last, beyond which more prove nothing more."""
DAY = 86400.0
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
    rarities = _rarities(times)
    rhythms = {key: rhythm(found, arguments["burst"], arguments["contacts"], rarities.get(key[1], 0.0)) for key, found in times.items()}
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


def _rarities(series: Iterable[Series]) -> dict[str, float]:
    """How rare each external destination is among the sources that contact any."""
    sources: dict[str, set[str]] = defaultdict(set)
    for source, destination, _, _ in series:
        if _is_outside(destination):
            sources[destination].add(source)
    every = len(set().union(*sources.values())) if sources else 0
    return {destination: (1 - 1 / every) / len(found) for destination, found in sources.items()}


def rhythm(times: Sequence[float], burst: float, least: int, rarity: float = 0.0) -> Rhythm:
    """The rhythm of contacts at these times, in seconds; `rarity` (0 to 1) of their destination."""
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
    enough, span = min(1.0, len(contacts) / ENOUGH), contacts[-1] - contacts[0]
    clockwork = regularity * (enough * min(1.0, span / LONG)) ** 0.5
    hours = len({int(c % DAY // 3600) for c in contacts})
    persistence = rarity * hours / 24 * (enough * min(1.0, span / DAY)) ** 0.5
    return Rhythm(round(100 * (1 - (1 - clockwork) * (1 - persistence))), round(middle, 3), len(contacts))


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


INTERNAL = [ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10")]
"""Address ranges that are not reachable from the internet."""


def _is_outside(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return _is_a_host(address) and not any(found in network for network in INTERNAL)


def _is_a_host(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    return not (found.is_loopback or found.is_multicast or found.is_unspecified or found.is_link_local or str(found) == "255.255.255.255")
