"""What Sysmon and Windows security auditing log of it all, and what they miss."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from random import Random

from tools.simulator.programs import EXECUTABLE
from tools.simulator.world import (
    LOCAL_SERVICE,
    NETWORK_SERVICE,
    SECOND,
    Connection,
    Deed,
    DnsQuery,
    FileWrite,
    ImageLoad,
    Process,
    Record,
    RegistryWrite,
    World,
    basename,
)

LAG = 300
"""Milliseconds security auditing is behind Sysmon, at most."""
LATE = 3 * SECOND
"""Milliseconds by which word of an exit or a connection may come late."""
_WRITABLE = ("c:\\users\\", "c:\\programdata\\", "c:\\windows\\temp\\")
_BOTH = ("sysmon", "security")
_UNAUDITED = (LOCAL_SERVICE, NETWORK_SERVICE)


def observe(world: World) -> list[Record]:
    """All records of the world, numbered by host and channel, in order of time."""
    records: list[Record] = []
    for process in world.processes:
        random = Random(f"{world.seed}/seen/{process.guid}")
        records += _creation(process, random) + _end(process, random)
    for number, deed in enumerate(world.deeds):
        records += _deed(deed, Random(f"{world.seed}/deed/{number}"))
    records = [r for r in records if r.host.recorded(r.at) and r.channel in r.actor.origin_in]
    return _numbered(_known_creators(records), world.seed)


def _creation(process: Process, random: Random) -> list[Record]:
    found = []
    parent = process.parent
    if process.sysmon and parent:
        found.append(Record(process.host, "sysmon", "1", process.start, process, creator=parent))
    if process.audited and parent and parent.account not in _UNAUDITED:
        lag = random.choice((0, random.randint(0, LAG)))
        found.append(Record(process.host, "security", "4688", process.start + lag, process, creator=parent))
    return found


def _end(process: Process, random: Random) -> list[Record]:
    found: list[Record] = []
    if process.end is None:
        return found
    if process.end == process.boot.end:  # the host goes down: Sysmon gets some of it into its log
        if process.sysmon and random.random() < 0.4:
            found.append(Record(process.host, "sysmon", "5", process.end - random.randint(1, 1900), process))
        return found
    if process.sysmon:
        found.append(Record(process.host, "sysmon", "5", process.end, process))
    if process.audited and process.account not in _UNAUDITED:
        late = random.choice((random.randint(0, LAG), random.randint(0, LATE)))
        if not process.sysmon and process.next_start:
            late = min(late, max(0, process.next_start - process.end - 200))
        found.append(Record(process.host, "security", "4689", process.end + late, process))
    return found


def _deed(deed: Deed, random: Random) -> list[Record]:
    process = deed.process
    sensing = process.host.sensing
    match deed:
        case Connection():
            return [r for moment in deed.times for r in _flow(deed, moment, random)]
        case FileWrite():
            listed = basename(deed.path).rsplit(".", 1)[-1] in EXECUTABLE or not sensing.executables_only
            return [Record(process.host, "sysmon", "11", deed.at, process, deed)] if listed else []
        case ImageLoad():
            listed = deed.path.lower().startswith(_WRITABLE) or not sensing.executables_only
            return [Record(process.host, "sysmon", "7", deed.at, process, deed)] if listed else []
        case RegistryWrite():
            return [Record(process.host, "sysmon", "13", deed.at, process, deed)]
        case DnsQuery():
            return [Record(process.host, "sysmon", "22", deed.at, process, deed)]


def _flow(deed: Connection, moment: int, random: Random) -> list[Record]:
    """Both ends of a flow may be simulated; each end's host logs it by Sysmon, by auditing, or by both."""
    found = []
    for process in (deed.process, deed.acceptor):
        if process is None or not process.origin_in:
            continue
        sensors: tuple[str, ...] = random.choice((_BOTH, _BOTH, ("sysmon",), ("security",)))
        if process is deed.process and len(process.origin_in) == 1:
            sensors = tuple(process.origin_in)
        for channel in sensors:
            late = random.randint(0, LATE if channel == "sysmon" else LAG)
            code = "3" if channel == "sysmon" else "5156"
            found.append(Record(process.host, channel, code, moment + late, process, deed))
    return found


def _known_creators(records: list[Record]) -> list[Record]:
    """A bare pid of a creator that no other record could explain is left out of the audit record."""
    known: set[Process] = set()
    for record in records:
        if record.channel == "sysmon" or record.code == "4688":
            known.add(record.actor)
        if record.channel == "sysmon" and record.creator:
            known.add(record.creator)

    def unknown(record: Record) -> bool:
        bare = record.code == "4688" and not record.host.sensing.audit_names_creator
        return bare and record.creator not in known

    return [replace(r, creator=None) if unknown(r) else r for r in records]


def _numbered(records: list[Record], seed: int) -> list[Record]:
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    random = Random(f"{seed}/numbers")
    found = []
    for record in sorted(records, key=lambda r: r.at):
        log = (record.host.label, record.channel)
        numbers[log] = (numbers[log] or random.randrange(20_000, 900_000)) + random.choice((1, 1, 1, 1, 2, 3))
        found.append(replace(record, number=numbers[log]))
    return found


def shipped(records: list[Record]) -> list[Record]:
    """In the order of the file: every host sends what it has every few seconds, one channel after the other."""
    hold = {"sysmon": 5 * SECOND, "security": 7 * SECOND}
    batch = {id(r): (r.at // hold[r.channel] + 1) * hold[r.channel] for r in records}
    return sorted(records, key=lambda r: (batch[id(r)], r.host.label, r.channel, r.number))


def repeats(records: list[Record], seed: int) -> dict[int, int]:
    """Records sent twice, about one in a hundred: their places, and after how many lines they come again."""
    random = Random(f"{seed}/repeats")
    return {n: random.randint(0, 60) for n in range(len(records)) if random.random() < 0.01}
