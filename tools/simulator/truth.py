"""What the hunt must find, known from what was simulated and of what there are records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tools.simulator.programs import SCHEDULE
from tools.simulator.world import (
    BEGIN,
    DAY,
    DAYS,
    HOUR,
    SYSTEM,
    Connection,
    DnsQuery,
    FileWrite,
    ImageLoad,
    Process,
    Record,
    RegistryWrite,
    World,
    at,
    iso,
)

Truth = dict[str, Any]
Pair = tuple[str, tuple[tuple[str, int], ...]]
"""Protocol and the two ends of a flow, in no order of who began it."""
Flow = tuple[Pair, int]
"""A pair and the number of its episode."""


def truth(world: World, begin: int = at(1, 0), end: int = at(2, 0)) -> Truth:
    """The answers to the hunt between two times, and the numbers of all that the records tell of. Ready for JSON."""
    inside = [r for r in world.records if begin <= r.at < end]
    return {
        "seed": world.seed,
        "range": [iso(begin), iso(end)],
        "documents": len(world.records) + len(world.repeated),
        "records": len(world.records),
        "records_by_code": _sorted(Counter(r.code for r in world.records)),
        "hunt": _hunt(world.records, inside),
        "range_totals": _totals(inside),
        "totals": _totals(world.records),
        "by_day": [_totals([r for r in world.records if (r.at - BEGIN) // DAY == day]) for day in range(DAYS)],
        "processes": _processes(world.records),
    }


# -- the hunt ----------------------------------------------------------------------------------------------------------


def _hunt(everything: list[Record], inside: list[Record]) -> Truth:
    services = {p for r in inside for p in _named(r) if p.name == "svchost.exe"}
    schedulers = {p for p in services if p.command_line == SCHEDULE and p in _commands(everything, inside)}
    tasks = _children(inside, schedulers)
    amcets = {p for p in tasks if p.name == "amcet.exe"}
    children = _children(inside, amcets)
    return {
        "sp": _found(services),
        "spschedule": _found(schedulers),
        "tasks": _found(tasks),
        "amcet": _found(amcets),
        "amcet_child": _found(children),
        "nt": _flows_found({f for r, f in _flows(inside).items() if r.actor in amcets}),
        "amcet_cc": _found(_children(inside, children)),
        "amcet_f": _files_found({f for r in inside for f in _linked(r, children)}),
    }


def _named(record: Record) -> Iterator[Process]:
    """The processes a record names by their program."""
    yield record.actor
    if record.creator and (record.channel == "sysmon" or record.host.sensing.audit_names_creator):
        yield record.creator


def _mentioned(record: Record) -> Iterator[Process]:
    yield record.actor
    if record.creator:
        yield record.creator


def _commands(everything: list[Record], inside: list[Record]) -> set[Process]:
    """The processes whose command line is known: by a record of the range, or by their creation, whenever that was."""
    known = {r.actor for r in everything if r.code == "1" or (r.code == "4688" and r.host.sensing.audit_names_creator)}
    return known | {r.creator for r in inside if r.code == "1" and r.creator}


def _children(records: Iterable[Record], parents: set[Process]) -> set[Process]:
    return {r.actor for r in records if r.creator in parents}


def _linked(record: Record, processes: set[Process]) -> Iterator[tuple[str, str]]:
    """The files one hop from these processes: their own images, the modules they loaded, the files they made."""
    for process in _named(record):
        if process in processes:
            yield record.host.name, process.image.lower()
    if record.actor in processes and isinstance(record.deed, FileWrite | ImageLoad):
        yield record.host.name, record.deed.path.lower()


def _found(processes: set[Process]) -> Truth:
    return {"count": len(processes), "processes": [_identity(p) for p in sorted(processes, key=_order)]}


def _order(process: Process) -> tuple[int, str, int]:
    return process.start, process.host.label, process.pid


def _identity(process: Process) -> Truth:
    found = {
        "host": process.host.name,
        "pid": process.pid,
        "name": process.name,
        "start": iso(process.start),
        "guid": process.guid,
    }
    return found | ({"creation_guid": process.creation_guid} if process.twin else {})


def _flows_found(flows: set[Flow]) -> Truth:
    listed = [{"protocol": p, "ends": [list(e) for e in ends], "episode": n} for (p, ends), n in sorted(flows)]
    return {"count": len(flows), "flows": listed}


def _files_found(files: set[tuple[str, str]]) -> Truth:
    return {"count": len(files), "files": [list(f) for f in sorted(files)]}


# -- everything --------------------------------------------------------------------------------------------------------


def _flows(records: Iterable[Record]) -> dict[Record, Flow]:
    """The flow of each record that has one: a pair of ends, anew after more than an hour without a record of it."""
    seen: dict[Pair, list[Record]] = defaultdict(list)
    for record in sorted(records, key=lambda r: r.at):
        if isinstance(record.deed, Connection):
            deed = record.deed
            seen[deed.protocol, tuple(sorted((deed.source, deed.destination)))].append(record)
    found = {}
    for pair, its in seen.items():
        episode = 0
        for before, record in zip([its[0], *its], its, strict=False):
            episode += record.at - before.at > HOUR
            found[record] = (pair, episode)
    return found


def _files(record: Record) -> Iterator[tuple[str, str]]:
    for process in _named(record):
        if _has_path(process):
            yield record.host.name, process.image.lower()
    if isinstance(record.deed, FileWrite | ImageLoad):
        yield record.host.name, record.deed.path.lower()


def _has_path(process: Process) -> bool:
    """All programs but System."""
    return "\\" in process.image


def _keys(record: Record) -> Iterator[tuple[str, str]]:
    if isinstance(record.deed, RegistryWrite):
        yield record.host.name, record.deed.key


def _domains(record: Record) -> Iterator[str]:
    if isinstance(record.deed, DnsQuery):
        yield record.deed.name.lower()


def _users(record: Record) -> Iterator[str]:
    """Sysmon 1 and 3 know a login; 4688 (the creator's) and 4689 a SID too, and call SYSTEM by the computer's name."""
    if record.channel == "sysmon":
        if record.code in ("1", "3"):
            yield record.actor.account.login
    elif record.code in ("4688", "4689"):
        asked = record.actor.parent if record.code == "4688" else record.actor
        assert asked is not None
        yield f"CORP\\{record.host.machine_account}" if asked.account is SYSTEM else asked.account.login


def _totals(records: list[Record]) -> Truth:
    def number(of: Callable[[Record], Iterable[object]]) -> int:
        return len({thing for r in records for thing in of(r)})

    return {
        "records": len(records),
        "process": number(_mentioned),
        "network-traffic": len(set(_flows(records).values())),
        "file": number(_files),
        "windows-registry-key": number(_keys),
        "domain-name": number(_domains),
        "user-account": number(_users),
        "x-oca-asset": number(lambda r: [r.host.name]),
        "processes_by_name": _sorted(Counter(p.name.lower() for p in {p for r in records for p in _mentioned(r)})),
        "images_without_path": sorted({(r.host.name, p.image) for r in records for p in _named(r) if not _has_path(p)}),
    }


def _processes(records: list[Record]) -> Truth:
    """Every process of which there is a record: how often it is mentioned, its children and its flows."""
    flows = _flows(records)
    mentions: Counter[Process] = Counter(p for r in records for p in _mentioned(r))
    children: dict[Process, set[Process]] = defaultdict(set)
    connections: dict[Process, set[Flow]] = defaultdict(set)
    for record in records:
        if record.creator:
            children[record.creator].add(record.actor)
        if record in flows:
            connections[record.actor].add(flows[record])
    columns = ["host", "pid", "name", "start", "guid", "mentions", "children", "flows"]
    rows = []
    for p in sorted(mentions, key=_order):
        numbers = mentions[p], len(children[p]), len(connections[p])
        rows.append([p.host.label, p.pid, p.name, iso(p.start), p.guid, *numbers])
    return {"columns": columns, "rows": rows}


def _sorted(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items()))
