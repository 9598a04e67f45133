"""The truth of flat Windows logs: the records, their clocks, and who is mentioned in them, in plain Python from the raw lines.

Shares no line with the runtime on purpose.
"""

from __future__ import annotations

import gzip
import json
import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

Raw = dict[str, Any]
ZERO = "00000000-0000-0000-0000-000000000000"
SYSMON = {1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 22, 23, 24, 25, 26, 27, 28, 29}
BY_NAME = {4689, 4656, 4658, 4660, 4661, 4663, 4670, 4673, 4674, 4703, 4985, 4648, 4624, 4625, 4657}
QUARTER, GRACE = 900, 60.0


@dataclass
class Life:
    """One process."""

    host: str
    pid: int | None
    start: float
    names: set[str] = field(default_factory=set)
    guids: set[str] = field(default_factory=set)
    last: float = 0.0
    end: float | None = None
    boot: float | None = None
    created: bool = False
    decoded: bool = False
    joined: bool = False
    shown: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)

    def alive(self, when: float) -> bool:
        return (self.end is None or when <= self.end + GRACE) and (self.boot is None or when < self.boot)


@dataclass
class Mention:
    """A process as one record tells of it."""

    host: str
    guid: str | None
    pid: int | None
    name: str | None
    when: float
    whole: bool
    code: int
    command: str | None = None
    life: Life | None = None

    @property
    def key(self) -> str | None:
        return self.name.lower() if self.name else None


@dataclass
class Event:
    code: int
    host: str
    when: float
    raw: Raw
    slots: dict[str, Mention]


def text(value: Any) -> str | None:
    word = "" if value is None else str(value).strip()
    return None if word in ("", "-") else word


def name_of(value: Any) -> str | None:
    word = text(value)
    if word is None or word.lower() in ("<unknown process>", "&lt;unknown process&gt;"):
        return None
    return re.split(r"[\\/]", word)[-1] or None


def pid_of(value: Any) -> int | None:
    word = text(value)
    return None if word is None else (int(word, 0) or None)


def guid_of(value: Any) -> str | None:
    word = (text(value) or "").strip("{}").upper()
    return None if word in ("", ZERO) else word


def inner(guid: str) -> float | None:
    """The seconds inside a Sysmon GUID."""
    parts = guid.split("-")
    return float(int(parts[2] + parts[1], 16)) if len(parts) == 5 else None


@cache
def moment(word: str) -> float:
    stamp = datetime.fromisoformat(word.strip().rstrip("Z"))
    return stamp.replace(tzinfo=UTC).timestamp()


def is_sysmon(raw: Raw) -> bool:
    return "sysmon" in str(raw.get("Channel") or raw.get("SourceName")).lower()


def code_of(raw: Raw) -> int:
    return int(raw.get("EventID") or 0)


def read(path: Path) -> tuple[list[Raw], dict[str, int]]:
    """The records of a file, once each, and how many lines were kept, said twice, or broken."""
    seen: set[Any] = set()
    rows: list[Raw] = []
    counts = {"kept": 0, "duplicates": 0, "broken": 0}
    with gzip.open(path, "rb") as lines:
        for line in lines:
            line = line.strip()
            if not line:
                continue
            try:
                raw = json.loads(line)
            except ValueError:
                counts["broken"] += 1
                continue
            number = raw.get("RecordNumber")
            key: Any = line
            if number is not None:
                host, channel = str(raw.get("Hostname")).lower(), str(raw.get("Channel")).lower()
                key = (host, channel, str(number), raw.get("EventTime") or raw.get("TimeCreated"))
            if key in seen:
                counts["duplicates"] += 1
                continue
            seen.add(key)
            counts["kept"] += 1
            rows.append(raw)
    return rows, counts


def whole_names(rows: list[Raw]) -> dict[str, str]:
    """Every host as written -> the host meant: a short name is the long one if only one has it."""
    spelled = {str(raw.get("Hostname") or "").lower() for raw in rows}
    long: dict[str, set[str]] = defaultdict(set)
    for host in spelled:
        if "." in host:
            long[host.split(".")[0]].add(host)
    return {host: next(iter(long[host])) if "." not in host and len(long[host]) == 1 else host for host in spelled}


def rounded(seconds: float) -> float:
    return float(round(seconds / QUARTER) * QUARTER)


def clock(rows: list[Raw], hosts: dict[str, str]) -> list[float]:
    """The corrected UTC second of every record, by its place."""
    zones: dict[str, float] = {}
    anchors: dict[str, list[tuple[float, float]]] = defaultdict(list)
    owner = [hosts[str(raw.get("Hostname") or "").lower()] for raw in rows]
    for raw, host in zip(rows, owner, strict=True):
        if raw.get("EventTime") and raw.get("@timestamp"):
            gap = moment(raw["@timestamp"]) - moment(raw["EventTime"])
            zones[host] = min(gap, zones.get(host, gap))
        elif raw.get("TimeCreated") and is_sysmon(raw) and raw.get("UtcTime") and code_of(raw) not in (3, 22):
            printed = moment(raw["TimeCreated"])
            anchors[host].append((printed, rounded(moment(raw["UtcTime"]) - printed)))
    for pairs in anchors.values():
        pairs.sort()
    result: list[float] = []
    for raw, host in zip(rows, owner, strict=True):
        if raw.get("EventTime"):
            log = moment(raw["EventTime"]) + rounded(zones.get(host, 0.0))
        else:
            log = moment(raw.get("TimeCreated") or raw["@timestamp"])
            if pairs := anchors.get(host, []):
                spot = bisect_left(pairs, (log, -1e9))
                near = min(pairs[max(0, spot - 1) : spot + 1], key=lambda pair: abs(pair[0] - log))
                log += near[1]
        if is_sysmon(raw) and raw.get("UtcTime"):
            own = moment(raw["UtcTime"])
            if code_of(raw) not in (3, 22) or abs(own - log) <= 60:
                log = own
        result.append(log)
    return result


def slots(raw: Raw, host: str, when: float) -> dict[str, Mention]:
    code = code_of(raw)
    found: dict[str, Mention] = {}
    whole = "EventTime" in raw and not (is_sysmon(raw) and raw.get("UtcTime"))

    def add(slot: str, guid: Any, pid: Any, image: Any, command: Any = None) -> None:
        mention = Mention(host, guid_of(guid), pid_of(pid), name_of(image), when, whole, code, text(command))
        by_name = slot == "actor" and text(pid) is None and mention.key not in (None, "system")
        if mention.guid or mention.pid or by_name:
            found[slot] = mention

    if is_sysmon(raw):
        if code in (8, 10):
            for slot, side in (("actor", "Source"), ("target", "Target")):
                guid = raw.get(f"{side}ProcessGUID") or raw.get(f"{side}ProcessGuid")
                add(slot, guid, raw.get(f"{side}ProcessId"), raw.get(f"{side}Image"))
        elif code in SYSMON:
            command = raw.get("CommandLine") if code == 1 else None
            add("actor", raw.get("ProcessGuid"), raw.get("ProcessId"), raw.get("Image"), command)
        if code == 1:
            add("parent", raw.get("ParentProcessGuid"), raw.get("ParentProcessId"), raw.get("ParentImage"), raw.get("ParentCommandLine"))
    elif str(raw.get("Channel")).lower() == "security":
        if code == 4688:
            add("actor", None, raw.get("NewProcessId"), raw.get("NewProcessName"), raw.get("CommandLine"))
            add("parent", None, raw.get("ProcessId"), raw.get("ParentProcessName"))
        elif code in (5154, 5156, 5157, 5158):
            pid = raw.get("ProcessId") or (raw.get("ProcessID") if "EventTime" not in raw else None)
            add("actor", None, pid, raw.get("Application"))
        elif code in BY_NAME:
            add("actor", None, raw.get("ProcessId"), raw.get("ProcessName"))
    return found
