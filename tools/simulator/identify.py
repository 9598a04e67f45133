"""Which pid and which ids each process has. pids are used again, soon and often, as Windows does."""

from __future__ import annotations

from collections import defaultdict
from random import Random

from tools.simulator.world import BEGIN, MINUTE, SECOND, Process

REUSED = 0.65
"""How often a new process gets the pid of one that ended."""
SOON = 900
"""Milliseconds after the end of a process before its pid is given out again."""
SAME_PROGRAM = 10 * MINUTE
"""The same before another run of the same program gets it."""


def identify(processes: list[Process], seed: int) -> None:
    """Give every process its pid, its GUID, and the GUID its creation is recorded under."""
    by_host: dict[str, list[Process]] = defaultdict(list)
    for process in sorted(processes, key=lambda p: p.start):
        by_host[process.host.label].append(process)
    for label, found in by_host.items():
        _pids(found, Random(f"{seed}/{label}/pids"))
        _guids(found)


def _pids(processes: list[Process], random: Random) -> None:
    holder: dict[int, Process] = {}
    history: dict[tuple[int, str], Process] = {}
    fresh = list(range(400, 14_000, 4))
    random.shuffle(fresh)
    fresh = sorted(fresh[:600]) + fresh[600:]
    for process in processes:
        if process.name == "System":
            process.pid = 4
            continue
        free = [pid for pid, last in holder.items() if _usable(process, last, history.get((pid, process.name.lower())))]
        free.sort(key=lambda pid: -(holder[pid].end or 0))
        if free and random.random() < REUSED:
            process.pid = free[0] if random.random() < 0.65 else random.choice(free)
            holder[process.pid].next_start = process.start
        else:
            process.pid = fresh.pop(0)
        holder[process.pid] = process
        history[process.pid, process.name.lower()] = process


def _usable(process: Process, last: Process, namesake: Process | None) -> bool:
    """Whether a process may get the pid of `last`, given the last run of its own program under that pid.

    No log could tell two runs of one program under one pid apart if neither the end of the first nor the start of the
    second were in it.
    """
    if last.end is None or last.end + SOON > process.start:
        return False
    if namesake is None:
        return True
    if namesake.end is None or namesake.end + SAME_PROGRAM > process.start:
        return False
    return end_logged(namesake) and start_logged(process)


def start_logged(process: Process) -> bool:
    return (process.sysmon or process.audited) and process.host.recorded(process.start)


def end_logged(process: Process) -> bool:
    if process.end is None or process.end == process.boot.end:
        return False
    return (process.sysmon or process.audited) and all(process.host.recorded(process.end + n * SECOND) for n in (0, 4))


def _guids(processes: list[Process]) -> None:
    """`{<machine>-<low half>-<high half>-<counter>-<boot>}`: the halves are the second the process started."""
    counters: dict[int, int] = defaultdict(lambda: 6)
    for process in processes:
        counters[process.boot.number] += 1 if process.start >= BEGIN else 2
        second, counter = process.start // SECOND, counters[process.boot.number]
        if process.name == "System":
            second, counter = (process.boot.begin - process.boot.guid_early) // SECOND, 0x03EB
        process.guid = _guid(process, second, counter)
        process.creation_guid = _guid(process, second, counter + 0x4000) if process.twin else process.guid


def _guid(process: Process, second: int, counter: int) -> str:
    half, rest = f"{second:08X}"[4:], f"{second:08X}"[:4]
    ordinal = counter.to_bytes(2, "little").hex().upper()
    return f"{{{process.host.machine}-{half}-{rest}-{ordinal}-{process.boot.number:010X}00}}"
