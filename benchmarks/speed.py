"""How fast Kestrel is beside hand-written yardsticks: `make bench`, or `python -m benchmarks.speed [MILLIONS]`.

Data from ../shared/bench/gen_events.py (1 million creations and 1 million connections are about 1.5 GB); every figure is
the median of five runs of one session, whole processes unless it says otherwise. Ratios count: machines are noisy.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BENCH = Path(__file__).parents[2] / "shared" / "bench"
HUNT = Path(__file__).with_name("hunt.hf")
KESTREL = [sys.executable, "-m", "kestrel"]
REAL_HUNT = """a = GET process FROM "$FILE" WHERE name = 'svchost.exe' AND command_line LIKE '%-s %'
b = FIND process CREATED BY a
n = FIND network-traffic CREATED BY b
DISP n ATTR src_ref.value, dst_ref.value, dst_port
"""
RUNS = 5


def main() -> None:
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    if not BENCH.is_dir():
        sys.exit("the yardsticks (../shared/bench) are not here")
    small()
    with tempfile.TemporaryDirectory(prefix="kestrel-bench-") as name:
        folder = Path(name)
        data = folder / "data"
        run([sys.executable, str(BENCH / "gen_events.py"), str(data), str(int(millions * 1_000_000))])
        hunt = folder / "hunt.hf"
        hunt.write_text(HUNT.read_text().replace("$DIR", str(data)))
        whole_processes(folder, data, hunt)
        real(folder)
        smaller = folder / "session"
        run([sys.executable, str(BENCH / "gen_events.py"), str(smaller), str(int(millions * 700_000))])
        in_session(smaller)


def small() -> None:
    """What should feel immediate; before anything large is written, which the machine would still be busy with."""
    report("demo hunt, cold", median(lambda: run([*KESTREL, "demo"], cache="off")))
    report("kestrel --version", median(lambda: run([*KESTREL, "--version"])))
    report("kestrel check, 10 lines", median(lambda: run([*KESTREL, "check", "-c", "p = NEW ['a'] " + "DISP p ATTR name\n" * 9])))


def whole_processes(folder: Path, data: Path, hunt: Path) -> None:
    reference = median(lambda: run([sys.executable, str(BENCH / "hunt_reference.py"), str(data)]))
    cold = median(lambda: run([*KESTREL, "run", str(hunt)], cache="off"))
    report("hunt, cold", cold, reference, "hunt_reference.py")
    loading = median(lambda: run([sys.executable, str(BENCH / "load_reference.py"), str(data), str(folder / "reference.duckdb")]))
    written = median(lambda: write_cache(folder, data))
    report("cache written", written, loading, "load_reference.py")
    report("hunt, warm", median(lambda: run([*KESTREL, "run", str(hunt)], cache=str(folder / "cache"))))
    report("peak memory, cold (MB)", peak([*KESTREL, "run", str(hunt)], "off"))


def real(folder: Path) -> None:
    """Real logs of many event types, spellings and providers (741,388 records, 1.6 GB)."""
    events, hunt = folder / "real.ndjson", folder / "real.hf"
    run([sys.executable, str(BENCH / "real_events.py"), str(events)])
    hunt.write_text(REAL_HUNT.replace("$FILE", str(events)))
    reference = median(lambda: run([sys.executable, str(BENCH / "real_reference.py"), str(events)]))
    report("real logs, cold", median(lambda: run([*KESTREL, "run", str(hunt)], cache="off")), reference, "real_reference.py")
    report("real logs, peak memory, cold (MB)", peak([*KESTREL, "run", str(hunt)], "off"))
    events.unlink()


def write_cache(folder: Path, data: Path) -> float:
    shutil.rmtree(folder / "cache", ignore_errors=True)
    code = (
        "import sys; from pathlib import Path; from kestrel.sources.files import files_source; "
        "from kestrel.ingest.dataset import write_cache; "
        "write_cache([files_source(sys.argv[1], [sys.argv[1]])], Path(sys.argv[2]))"
    )
    return run([sys.executable, "-c", code, f"{data}/*.ndjson", str(folder / "cache")])


def in_session(data: Path) -> None:
    """Steps of one session over 1.4 million records (for each million asked), in milliseconds."""
    from kestrel import Session

    os.environ["KESTREL_CACHE"] = "off"
    with Session() as session:
        session.run(f"p = GET process FROM '{data}/*.ndjson' WHERE name LIKE '%.exe' n = GET network-traffic WHERE dst_port > 0")
        names = iter(range(10**6))

        def step(text: str) -> Callable[[], float]:
            def once() -> float:
                started = time.perf_counter()
                session.run(text.replace("<n>", str(next(names))))
                return (time.perf_counter() - started) * 1000

            return once

        report("filter step, in a session (ms)", median(step("f = p WHERE name = 'winword.exe' AND pid != <n>")))
        session.run("s = p WHERE name = 'svchost.exe' AND command_line LIKE '%-s BITS'")
        report("FIND process, in a session (ms)", median(step("g = FIND process CREATED BY s WHERE pid != <n>")))
        report("FIND network-traffic, in a session (ms)", median(step("g = FIND network-traffic CREATED BY s WHERE dst_port != <n>")))


def environment(cache: str) -> dict[str, str]:
    """That of this process, but that Python keeps what it compiled, as where Kestrel is installed."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"KESTREL_CACHE": cache}


def run(command: list[str], cache: str = "off") -> float:
    """Seconds a command takes. Raises CalledProcessError."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment(cache))
    return time.perf_counter() - started


def peak(command: list[str], cache: str) -> float:
    """The largest resident memory of a command, in MB."""
    code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True, env=environment(cache))
    return int(done.stdout) / 1024


def median(once: Callable[[], float]) -> float:
    return statistics.median(once() for _ in range(RUNS))


def report(what: str, value: float, yardstick: float | None = None, name: str = "") -> None:
    beside = f"   {value / yardstick:5.2f} x {name} ({yardstick:.2f})" if yardstick else ""
    print(f"{what:42} {value:8.2f}{beside}", flush=True)


if __name__ == "__main__":
    main()
