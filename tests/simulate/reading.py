"""The hunt by hand: plain Python over the JSON of the log, which knows nothing of the simulation."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

DAY = (datetime(2021, 4, 3, tzinfo=UTC), datetime(2021, 4, 4, tzinfo=UTC))
SCHEDULE = r"C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule"
Seen = tuple[str | None, int, str | None]
"""A process as a record tells of it: GUID, pid, program."""
Flow = frozenset[tuple[str, int]]


@dataclass
class Life:
    host: str
    pid: int
    name: str
    start: float
    end: float | None = None
    commands: set[str] = field(default_factory=set)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@dataclass
class Event:
    host: str
    at: float
    code: str
    actor: Seen
    parent: Seen | None
    document: dict[str, Any]


class Reading:
    """A log, read; every mention of a process in it, resolved to a life."""

    def __init__(self, lines: Iterable[str]) -> None:
        documents = [json.loads(line) for line in dict.fromkeys(lines)]
        names = {d["winlog"]["computer_name"].lower() for d in documents}
        long = {name.split(".")[0]: name for name in names if "." in name}
        self.events = sorted((_event(d, long) for d in documents), key=lambda e: e.at)
        self._by_guid: dict[tuple[str, str], Life] = {}
        self._by_name: dict[tuple[str, int, str], list[Life]] = defaultdict(list)
        self._known_to_sysmon()
        self._known_to_auditing()
        self.actors = {id(e): self._resolve(e, e.actor) for e in self.events}
        self.parents = {id(e): self._resolve(e, e.parent) for e in self.events if e.parent}
        self._completed()

    # -- whose record is it ----------------------------------------------------------------------------------------

    def _live(self, life: Life) -> Life:
        lives = self._by_name[life.host, life.pid, life.name.lower()]
        lives.append(life)
        lives.sort(key=lambda x: x.start)
        return life

    def _known_to_sysmon(self) -> None:
        created = [e for e in self.events if e.code == "1"]
        starts: dict[tuple[str, int, str, int], Life] = {}
        for event in created:
            guid, pid, name = event.actor
            assert guid and name
            life = self._live(Life(event.host, pid, name, event.at))
            self._by_guid[event.host, guid] = starts[event.host, pid, name.lower(), int(event.at)] = life
        for event in self.events:
            for guid, pid, name in (event.actor, event.parent or (None, 0, None)):
                if guid is None or name is None or (event.host, guid) in self._by_guid:
                    continue
                second = int(guid[15:19] + guid[10:14], 16)
                twin = starts.get((event.host, pid, name.lower(), second))
                self._by_guid[event.host, guid] = twin or self._live(Life(event.host, pid, name, second))
        for event in self.events:
            if event.code == "5" and event.actor[0]:
                self._by_guid[event.host, event.actor[0]].end = event.at

    def _known_to_auditing(self) -> None:
        for event in self.events:
            _, pid, name = event.actor
            if event.code == "4688" and name:
                lives = self._by_name[event.host, pid, name.lower()]
                if not any(abs(life.start - event.at) <= 2 for life in lives):
                    self._live(Life(event.host, pid, name, event.at))
        for event in self.events:
            _, pid, name = event.actor
            if event.code == "4689" and name:
                found = self._at(event.host, pid, name, event.at)
                if found and found.end is None:
                    found.end = event.at

    def _at(self, host: str, pid: int, name: str | None, at: float) -> Life | None:
        if name is None:
            under_pid = (xs for (h, p, _), xs in self._by_name.items() if (h, p) == (host, pid))
            lives = sorted((life for xs in under_pid for life in xs), key=lambda x: x.start)
        else:
            lives = self._by_name[host, pid, name.lower()]
        place = bisect_right([x.start for x in lives], at)
        found = lives[place - 1] if place else None
        return found if found and (found.end is None or at <= found.end + 60) else None

    def _resolve(self, event: Event, seen: Seen) -> Life:
        guid, pid, name = seen
        if guid:
            return self._by_guid[event.host, guid]
        found = self._at(event.host, pid, name, event.at)
        return found or self._live(Life(event.host, pid, name or "?", event.at))

    def _completed(self) -> None:
        """Command lines: of a creation at any time, of a parent on the day."""
        for event in self.events:
            process = event.document.get("process", {})
            if "command_line" in process:
                self.actors[id(event)].commands.add(process["command_line"])
            if "command_line" in process.get("parent", {}) and _on_the_day(event):
                self.parents[id(event)].commands.add(process["parent"]["command_line"])

    # -- the hunt --------------------------------------------------------------------------------------------------

    def processes(self, events: Iterable[Event]) -> set[Life]:
        return {life for e in events for life in (self.actors[id(e)], self.parents.get(id(e))) if life}

    def day(self) -> list[Event]:
        return [e for e in self.events if _on_the_day(e)]

    def children(self, parents: set[Life]) -> set[Life]:
        return {self.actors[id(e)] for e in self.day() if self.parents.get(id(e)) in parents}

    def hunt(self) -> dict[str, set[Any]]:
        services = {x for x in self.processes(self.day()) if x.name == "svchost.exe"}
        schedulers = {x for x in services if SCHEDULE in x.commands}
        tasks = self.children(schedulers)
        amcets = {x for x in tasks if x.name == "amcet.exe"}
        children = self.children(amcets)
        found = {"sp": services, "spschedule": schedulers, "tasks": tasks, "amcet": amcets, "amcet_child": children}
        flows = {f for e in self.day() if self.actors[id(e)] in amcets for f in _flow(e)}
        files = {f for e in self.day() for f in self._files(e, children)}
        return {**found, "nt": flows, "amcet_cc": self.children(children), "amcet_f": files}

    def _files(self, event: Event, processes: set[Life]) -> Iterator[tuple[str, str]]:
        """Images of these processes, and what they loaded or made."""
        process = event.document.get("process", {})
        if self.actors[id(event)] in processes:
            paths = [process.get("executable"), event.document.get("file", {}).get("path")]
            yield from ((event.host, p.lower()) for p in paths if p)
        if self.parents.get(id(event)) in processes and "executable" in process["parent"]:
            yield event.host, process["parent"]["executable"].lower()


def _on_the_day(event: Event) -> bool:
    return DAY[0].timestamp() <= event.at < DAY[1].timestamp()


def _event(document: dict[str, Any], long: dict[str, str]) -> Event:
    computer = document["winlog"]["computer_name"].lower()
    data = document["winlog"].get("event_data", {})
    process = document.get("process", {})
    parent: Seen | None = None
    if "parent" in process:
        parent = _seen(process["parent"])
    actor = _seen(process) if process else (None, int(data["ProcessID"]), data["Application"].rsplit("\\", 1)[-1])
    at = datetime.fromisoformat(document["@timestamp"]).timestamp()
    return Event(long.get(computer, computer), at, document["event"]["code"], actor, parent, document)


def _seen(process: dict[str, Any]) -> Seen:
    guid = process.get("entity_id")
    path = process.get("executable")
    return guid.upper() if guid else None, process["pid"], path.rsplit("\\", 1)[-1] if path else None


def _flow(event: Event) -> Iterator[Flow]:
    document, data = event.document, event.document["winlog"].get("event_data", {})
    if event.code == "3":
        yield frozenset((document[end]["ip"], document[end]["port"]) for end in ("source", "destination"))
    elif event.code == "5156":
        ends = (("SourceAddress", "SourcePort"), ("DestAddress", "DestPort"))
        yield frozenset((data[address], int(data[port])) for address, port in ends)
