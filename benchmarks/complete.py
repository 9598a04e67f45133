"""How long completion takes in a hunt of 500 statements with 200 variables in the session: `python -m benchmarks.complete`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

from kestrel import Session
from kestrel.assist import complete, help_at

STATEMENTS = 500
VARIABLES = 200
PLACES = (
    "p1",
    "s3 WHERE ",
    "v7 = GET ",
    "v7 = GET process FROM ",
    "v7 = FIND process CREATED BY ",
    "v7 = GET process FROM s5 WHERE name = 'cmd.exe' AND parent_ref.na",
    "v7 = GET process FROM s5 WHERE name = s199.",
    "DISP v250 ATTR name, ",
)


def main() -> None:
    with Session() as session:
        session.run("s0 = NEW process [{'name': 'cmd.exe', 'pid': 4}]\n" + "\n".join(f"s{i} = s{i - 1} WHERE pid = 4" for i in range(1, VARIABLES)))
        lines = [f"v{i} = GET process FROM s{i % VARIABLES} WHERE name = 'p{i}.exe' OR pid IN ({i}, s1.pid)" for i in range(STATEMENTS)]
        lines[1::3] = [f"v{i} = v{i - 1} WHERE name LIKE 'a%'  # {i}" for i in range(1, STATEMENTS, 3)]
        lines[2::3] = [f"DISP v{i - 1} WHERE name = 'x' ATTR name, pid" for i in range(2, STATEMENTS, 3)]
        hunt = "\n".join(lines) + "\n"
        started = time.perf_counter()
        complete(session, hunt, len(hunt))
        print(f"{'the first time':75} {(time.perf_counter() - started) * 1000:8.2f} ms")
        for place in PLACES:
            measure(place, partial(complete, session, hunt + place, len(hunt + place)))
        measure("help", partial(help_at, session, hunt, len(hunt) - 3))


def measure(what: str, once: Callable[[], object]) -> None:
    taken = []
    for _ in range(25):
        started = time.perf_counter()
        once()
        taken.append((time.perf_counter() - started) * 1000)
    print(f"{what:75} {statistics.median(taken):8.2f} ms")


if __name__ == "__main__":
    main()
