"""Beacons among network traffic."""

from __future__ import annotations

import random
import statistics
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tools.simulator.story import HOME

from kestrel import Session
from kestrel.analytics import Outcome, find
from kestrel.errors import KestrelError
from kestrel.result import Table
from tests.analytics.variables import Given, table

START = datetime(2021, 1, 1)


def traffic(seconds: list[float], destination: str = "203.0.113.7", port: int | None = 443, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": f"network-traffic--{destination}-{port}-{n}",
            "first_observed": START + timedelta(seconds=s),
            "src_ref.value": "10.0.0.1",
            "dst_ref.value": destination,
            "dst_port": port,
            "src_port": 50_000 + n,
            "protocols[*]": "tcp",
        }
        | more
        for n, s in enumerate(seconds)
    ]


def detect(rows: list[dict[str, Any]], **arguments: Any) -> Outcome:
    return find("beacons").run([Given(rows, "network-traffic")], arguments, Path())


def only(outcome: Outcome) -> Any:
    """The score, interval and count that every row has."""
    found = {(row["x_beacon_score"], row["x_beacon_interval"], row["x_beacon_count"]) for row in table(outcome)}
    assert len(found) == 1
    return found.pop()


def test_clockwork_for_hours_is_certain() -> None:
    assert only(detect(traffic([60.0 * n for n in range(61)]))) == (100, 60.0, 61)


def test_the_score_is_what_the_manual_says() -> None:
    rng = random.Random(7)
    times = [0.0]
    for _ in range(15):
        times.append(times[-1] + 100 + rng.uniform(-30, 30))
    gaps = [b - a for a, b in pairwise(times)]
    middle = statistics.median(gaps)
    regularity = 1 - statistics.median(abs(g - middle) for g in gaps) / middle
    expected = round(100 * regularity * (16 / 20 * (times[-1] / 3600)) ** 0.5)
    score, interval, count = only(detect(traffic(times)))
    assert abs(score - expected) <= 1 and abs(interval - middle) < 0.01 and count == 16


def test_jitter_lowers_it_and_chance_has_none() -> None:
    rng = random.Random(1)
    jittered = [300 * n + rng.uniform(0, 60) for n in range(40)]
    chance = sorted(rng.expovariate(1) * 3000 for _ in range(40))
    scores = [only(detect(traffic(times)))[0] for times in ([300.0 * n for n in range(40)], jittered, chance)]
    assert scores[0] == 100 and 80 <= scores[1] < 100 and scores[2] < 60


def test_a_night_off_changes_little() -> None:
    assert only(detect(traffic([60.0 * n for n in range(60)] + [36_000 + 60.0 * n for n in range(60)])))[0] == 100


def test_a_burst_is_one_contact() -> None:
    bursts = [600.0 * n + k * 0.2 for n in range(20) for k in range(4)]
    assert only(detect(traffic(bursts))) == (100, 600.0, 20)
    assert only(detect(traffic(bursts), burst=0))[2] == 80


def test_few_contacts_are_no_beacon() -> None:
    assert only(detect(traffic([0, 60, 120, 180]))) == (0, 60.0, 4)
    assert only(detect(traffic([0, 60, 120, 180]), contacts=4))[0] > 0
    assert only(detect(traffic([5]))) == (0, None, 1)
    assert only(detect(traffic([5] * 30))) == (0, None, 1)


def test_series_are_apart() -> None:
    rows = traffic([60.0 * n for n in range(61)]) + traffic([1, 9, 400, 5000, 5100, 9000], port=80) + traffic([0, 10], "198.51.100.1")
    found = detect(rows)
    assert {row["x_beacon_count"] for row in table(found)} == {61, 6, 2}
    (shown,) = found.displays
    assert isinstance(shown, Table)
    assert shown.rows[0] == (100, "10.0.0.1", "203.0.113.7", 443, "tcp", 60.0, 61, START.replace(tzinfo=UTC), datetime(2021, 1, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("destination", ["127.0.0.1", "::1", "239.255.255.250", "255.255.255.255", "fe80::1", "ff02::fb", "169.254.1.1"])
def test_what_is_no_host_elsewhere_is_no_beacon(destination: str) -> None:
    assert only(detect(traffic([60.0 * n for n in range(61)], destination)))[0] == 0


def test_gaps_in_the_data() -> None:
    rows = traffic([60.0 * n for n in range(30)], port=None)
    rows += [{"id": "a"}, {"id": "b", "first_observed": None, "src_ref.value": "10.0.0.1", "dst_ref.value": "203.0.113.9"}]
    found = table(detect(rows))
    assert len(found) == 32 and found[0]["x_beacon_score"] > 0
    assert found[30] == {"id": "a", "x_beacon_score": None, "x_beacon_interval": None, "x_beacon_count": None}
    assert found[31]["x_beacon_score"] is None


@pytest.mark.parametrize("value", ["many", -1, True, float("nan"), None, [5], "2"])
def test_arguments_are_checked(value: Any) -> None:
    with pytest.raises(KestrelError) as caught:
        detect(traffic([1]), contacts=value)
    assert caught.value.code == "K0509" and "`contacts`" in caught.value.message


def test_unknown_arguments_name_the_known_ones() -> None:
    with pytest.raises(KestrelError) as caught:
        find("beacons").check(["network-traffic"], ["contact"])
    assert caught.value.code == "K0508"
    assert caught.value.hint == "did you mean `contacts`? it takes `contacts`, `burst`"


def test_a_beacon_of_random_intervals_is_what_one_host_alone_does_by_day_and_by_night() -> None:
    rng = random.Random(3)
    hosts = [f"10.0.0.{n}" for n in range(1, 9)]
    rows = traffic(sorted(rng.uniform(0, 3 * 86400) for _ in range(40)))
    for n, host in enumerate(hosts):
        work = [day * 86400 + rng.uniform(8, 17) * 3600 for day in range(3) for _ in range(20)]
        rows += traffic(sorted(work), "203.0.114.1", 443, **{"src_ref.value": host})
        rows += traffic(sorted(work), f"203.0.115.{n}", 443, **{"src_ref.value": host})
        rows += traffic(sorted(rng.uniform(0, 3 * 86400) for _ in range(60)), "10.0.9.9", 445, **{"src_ref.value": host})
    for n, row in enumerate(rows):
        row["id"] = f"network-traffic--{n}"
    by_destination: dict[str, int] = {}
    for row, found in zip(rows, table(detect(rows)), strict=True):
        by_destination[row["dst_ref.value"]] = max(found["x_beacon_score"], by_destination.get(row["dst_ref.value"], 0))
    beacon = by_destination.pop("203.0.113.7")
    assert beacon > 75 and max(by_destination.values()) < 70


def test_the_beacon_of_the_demo_comes_first() -> None:
    with Session() as session:
        shown = session.run("t = GET network-traffic FROM demo://host101 APPLY beacons ON t")
    first = next(r for r in shown if isinstance(r, Table)).rows[0]
    assert (first[2], first[3]) == HOME
