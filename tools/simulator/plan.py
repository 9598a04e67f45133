"""How much happens: fixed for the story, drawn for every other seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

HUNTED_DAY = 1
"""The day of the log the hunt asks for: 2021-04-03."""


@dataclass(frozen=True)
class Plan:
    size: float
    """Background activity of the users and services, 1 being that of the story."""
    scheduler_lost: bool
    """Whether host101's scheduler is restarted, on the hunted day, while records are lost."""
    tasks: tuple[int, int, int]
    """Scheduled tasks of host101 that are not amcet, by day."""
    amcets: tuple[int, int, int]
    """Scheduled runs of amcet, by day."""
    shells: int
    """How many runs of the hunted day start a shell."""
    beacons: int
    """How many runs of the hunted day call home."""
    on_demand: int
    """Services that come and go on host101 and host102, each day."""


STORY = Plan(
    size=1.0,
    scheduler_lost=True,
    tasks=(88, 102, 95),
    amcets=(13, 24, 17),
    shells=21,
    beacons=23,
    on_demand=13,
)


def make(random: Random, size: float) -> Plan:
    """A plan like the story's, of other numbers."""

    def some(low: int, high: int) -> int:
        return max(1, round(random.randint(low, high) * size))

    runs = some(10, 40)
    return Plan(
        size=size,
        scheduler_lost=random.random() < 0.7,
        tasks=(some(60, 110), some(60, 130), some(60, 110)),
        amcets=(some(5, 20), runs, some(5, 20)),
        shells=random.randint(0, runs),
        beacons=random.randint(0, runs),
        on_demand=some(5, 30),
    )
