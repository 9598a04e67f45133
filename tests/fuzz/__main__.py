"""`python -m tests.fuzz N [SEED]`: run N generated hunts with every core. `python -m tests.fuzz records N [SEED [FOLDER]]`: read N mutated
log lines (FOLDER: of real data, else `../shared/data`). Failures are printed as they occur, counts at the end."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path

from tests.fuzz import reading
from tests.fuzz.running import TOGETHER, Tally, run_batch


def main(arguments: list[str]) -> int:
    return _records(arguments[1:]) if arguments[:1] == ["records"] else _hunts(arguments)


def _records(arguments: list[str]) -> int:
    wanted = int(arguments[0]) if arguments else 20_000
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    folder = Path(arguments[2]) if len(arguments) > 2 else None
    started, whole = time.perf_counter(), Tally()
    sizes = [min(reading.TOGETHER, wanted - begin) for begin in range(0, wanted, reading.TOGETHER)]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as source_text:
        for tally in source_text.imap_unordered(partial(reading.run_batch, seed, folder), enumerate(sizes)):
            for fault in tally.faults:
                print(fault, flush=True)
            whole.add(tally)
    known = ", ".join(f"{whole.counts[name]:,} {name}" for name in ("read", "unknown", "broken", "faults"))
    print(f"{whole.counts['records']:,} lines, seed {seed}: {known} in {time.perf_counter() - started:,.0f} s")
    return 1 if whole.faults else 0


def _hunts(arguments: list[str]) -> int:
    wanted = int(arguments[0]) if arguments else 1000
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    started, whole = time.perf_counter(), Tally()
    sizes = [min(TOGETHER, wanted - begin) for begin in range(0, wanted, TOGETHER)]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=10) as source_text:
        for tally in source_text.imap_unordered(partial(run_batch, seed), enumerate(sizes)):
            for fault in tally.faults:
                print(fault, flush=True)
            whole.add(tally)
            if not whole.counts["hunts"] % 5000:
                print(f"{whole.counts['hunts']:,} hunts, {len(whole.faults):,} faults", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - started
    known = ", ".join(f"{whole.counts[name]:,} {name}" for name in ("results", "mistakes", "failures", "faults"))
    print("codes: " + ", ".join(f"{code} {number:,}" for code, number in sorted(whole.codes.items())))
    print(f"{whole.counts['hunts']:,} hunts, seed {seed}: {known} in {seconds:,.0f} s")
    return 1 if whole.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
