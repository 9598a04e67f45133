"""Makes sample data: `python -m tools.simulator --seed 7 --out FILE.ndjson.zst --truth FILE.json`.

`--story` alone makes the sample that ships with the package anew.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import zstandard

from tools.simulator import sensors, winlogbeat
from tools.simulator.deeds import Network, do
from tools.simulator.hosts import HOSTS, populate, processes
from tools.simulator.identify import identify
from tools.simulator.plan import STORY, make
from tools.simulator.story import attack
from tools.simulator.truth import truth
from tools.simulator.world import World

STORY_SEED = 103
SHIPPED = Path(__file__).parents[2] / "src" / "kestrel" / "demo" / "data" / "host101.ndjson.zst"
TRUTH = Path(__file__).parents[2] / "tests" / "simulate" / "host101.truth.json"
LEVEL, WINDOW = 19, 24
"""The compression level of the log file, and the base-2 logarithm of the bytes that are searched for repetitions."""


def simulate(seed: int, story: bool = False, size: float = 1.0) -> World:
    """Three days of four hosts. `story`: the plan of the shipped hunt; else one drawn from the seed, of that size."""
    plan = STORY if story else make(Random(f"{seed}/plan"), size)
    lives = populate(plan, seed)
    network = Network(HOSTS, processes(lives), seed)
    attack(lives[0], network)
    world = World(seed, list(HOSTS), processes(lives))
    identify(world.processes, seed)
    do(network, world.processes, plan.size, seed)
    world.deeds = network.deeds
    world.records = sensors.shipped(sensors.observe(world))
    world.repeated = sensors.repeats(world.records, seed)
    return world


def lines(world: World) -> Iterator[str]:
    """The log file: one JSON document per record, some of them once more a little later."""
    again: dict[int, list[str]] = defaultdict(list)
    for number, record in enumerate(world.records):
        line = winlogbeat.line(record)
        yield line
        if number in world.repeated:
            again[min(number + world.repeated[number], len(world.records) - 1)].append(line)
        yield from again.pop(number, ())


def packed(world: World) -> bytes:
    """The log file, compressed; the same bytes for the same world."""
    parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=WINDOW, enable_ldm=True)
    return zstandard.ZstdCompressor(compression_params=parameters).compress("".join(f"{line}\n" for line in lines(world)).encode())


def truth_text(world: World) -> str:
    """What is true of the world, as JSON with one process a line."""
    found = truth(world)
    rows = found["processes"]["rows"]
    found["processes"]["rows"] = []
    whole = json.dumps(found, ensure_ascii=False, indent=1)
    listed = ",\n".join("   " + json.dumps(row, ensure_ascii=False) for row in rows)
    return whole.replace('"rows": []', f'"rows": [\n{listed}\n  ]') + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m tools.simulator", description="Make sample data and its truth.")
    parser.add_argument("--seed", type=int, default=STORY_SEED)
    parser.add_argument("--size", type=float, default=1.0, help="how much goes on; 1 gives about 20,000 documents")
    parser.add_argument("--story", action="store_true", help="follow the plan of the shipped hunt")
    parser.add_argument("--out", type=Path, metavar="FILE.ndjson.zst", help="without it, the shipped sample and its truth")
    parser.add_argument("--truth", type=Path, metavar="FILE.json")
    given = parser.parse_args(arguments)
    if given.out is None:
        if not given.story or given.seed != STORY_SEED:
            parser.error("--out is needed")
        given.out, given.truth = SHIPPED, TRUTH
    world = simulate(given.seed, given.story, given.size)
    given.out.write_bytes(packed(world))
    if given.truth:
        given.truth.write_text(truth_text(world), encoding="utf-8")


if __name__ == "__main__":
    main()
