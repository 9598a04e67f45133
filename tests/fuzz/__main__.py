"""`python -m tests.fuzz N [SEED]`: run N generated hunts with every core. Faults are printed as they come, counts at the end."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.fuzz.running import TOGETHER, Tally, run_batch


def main(arguments: list[str]) -> int:
    wanted = int(arguments[0]) if arguments else 1000
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    started, whole = time.perf_counter(), Tally()
    sizes = [min(TOGETHER, wanted - begin) for begin in range(0, wanted, TOGETHER)]
    with ProcessPoolExecutor(os.cpu_count(), max_tasks_per_child=20) as pool:
        for done in as_completed([pool.submit(run_batch, seed, n, size) for n, size in enumerate(sizes)]):
            tally = done.result()
            for fault in tally.faults:
                print(fault, flush=True)
            whole.add(tally)
    seconds = time.perf_counter() - started
    told = ", ".join(f"{whole.counts[name]:,} {name}" for name in ("results", "mistakes", "failures", "faults"))
    print("codes: " + ", ".join(f"{code} {number:,}" for code, number in sorted(whole.codes.items())))
    print(f"{whole.counts['hunts']:,} hunts, seed {seed}: {told} in {seconds:,.0f} s")
    return 1 if whole.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
