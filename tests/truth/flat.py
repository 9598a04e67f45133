"""The truth of flat Windows logs: the answers of hunts, in plain Python from the raw lines.

Shares no line with the runtime on purpose. `python -m tests.truth.flat --write` writes expected.yaml anew.
"""

from __future__ import annotations

import ipaddress
import sys
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.truth.lives import Processes
from tests.truth.records import Event, Raw, code_of, text

FLAT = Path(__file__).parents[2].parent / "shared" / "data" / "windows-flat"
PROTOCOLS = {"1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp"}
ROOTS = {"\\registry\\machine": "hklm", "\\registry\\user": "hku", "hkey_local_machine": "hklm", "hkey_users": "hku"}
EPISODE = 3600.0


class Log(Processes):
    """One file, and the questions a hunt asks of it."""

    def named(self, name: str) -> set[int]:
        return {id(life) for life in self.lives if name in life.shown}

    def commanded(self, part: str) -> set[int]:
        return {id(life) for life in self.lives if any(part.lower() in command.lower() for command in life.commands)}

    def families(self, codes: Iterable[int] = (1, 4688)) -> set[tuple[int, int]]:
        both = [e for e in self.events if e.code in codes and {"actor", "parent"} <= e.slots.keys()]
        return {(id(e.slots["parent"].life), id(e.slots["actor"].life)) for e in both}

    def children(self, of: set[int], codes: Iterable[int] = (1, 4688)) -> set[int]:
        return {child for parent, child in self.families(codes) if parent in of}

    def parents(self, of: set[int]) -> set[int]:
        return {parent for parent, child in self.families() if child in of}

    def doing(self, of: set[int], codes: set[int]) -> list[Event]:
        return [e for e in self.events if e.code in codes and "actor" in e.slots and id(e.slots["actor"].life) in of]

    def network(self, of: set[int]) -> set[Any]:
        pairs: dict[Any, list[Event]] = defaultdict(list)
        for event in self.events:
            if event.code in (3, 5156, 5157) and (pair := flow(event.raw)):
                pairs[pair, event.code == 5157].append(event)
        found: set[Any] = set()
        for pair, events in pairs.items():
            events.sort(key=lambda event: event.when)
            episode = 0
            for before, event in pairwise([events[0], *events]):
                episode += event.when - before.when > EPISODE
                if "actor" in event.slots and id(event.slots["actor"].life) in of:
                    found.add((pair, episode))
        return found

    def files(self, of: set[int]) -> set[Any]:
        return {(e.host, path.lower()) for e in self.doing(of, {11}) if (path := text(e.raw.get("TargetFilename")))}

    def modules(self, of: set[int]) -> set[Any]:
        return {(e.host, path.lower()) for e in self.doing(of, {7}) if (path := text(e.raw.get("ImageLoaded")))}

    def keys(self, of: set[int]) -> set[Any]:
        changed = self.doing(of, {12, 13, 14, 4657})
        renamed = {(e.host, rooted(key)) for e in changed if e.code == 14 and (key := text(e.raw.get("NewName")))}
        return {(e.host, key) for e in changed if (key := registry_key(e.raw))} | renamed


def address(value: Any) -> str | None:
    word = text(value)
    if word is None:
        return None
    ip = ipaddress.ip_address(word)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


def flow(raw: Raw) -> tuple[str, frozenset[Any]] | None:
    ends = [(address(raw.get("SourceIp") or raw.get("SourceAddress")), raw.get("SourcePort"))]
    ends.append((address(raw.get("DestinationIp") or raw.get("DestAddress")), raw.get("DestinationPort") or raw.get("DestPort")))
    known = [(ip, str(port)) for ip, port in ends if ip]
    kind = str(raw.get("Protocol")).lower()
    return (PROTOCOLS.get(kind, kind), frozenset(known)) if known else None


def registry_key(raw: Raw) -> str | None:
    key = text(raw.get("TargetObject") or raw.get("ObjectName"))
    if key is None:
        return None
    if code_of(raw) == 13 or (code_of(raw) == 12 and raw.get("EventType") == "DeleteValue"):
        key = key.rsplit("\\", 1)[0]
    return rooted(key)


def rooted(key: str) -> str:
    key = key.lower()
    for short, long in ROOTS.items():
        if key == short or key.startswith(short + "\\"):
            key = long + key[len(short) :]
    return key


# What is written down: per file, hunts as lines of (variable, question, its argument).

ASK = {
    "name": "GET process FROM $FILE WHERE name = '{}'",
    "command": "GET process FROM $FILE WHERE command_line LIKE '%{}%'",
    "children": "FIND process CREATED BY {}",
    "parents": "FIND process CREATED {}",
    "network": "FIND network-traffic CREATED BY {}",
    "files": "FIND file CREATED BY {}",
    "keys": "FIND windows-registry-key MODIFIED BY {}",
}
Steps = list[tuple[str, str, str]]


def family(name: str, *kinds: str) -> Steps:
    """Processes of a name, and one question each about them."""
    return [("p", "name", name), *((kind[0], kind, "p") for kind in kinds)]


SCHEDULE: Steps = [
    ("p", "command", "-s Schedule"),
    ("c", "children", "p"),
    ("n", "network", "p"),
    ("k", "keys", "p"),
    ("g", "children", "c"),
]
HUNTS: list[Steps] = [
    family("svchost.exe", "children", "network", "files", "keys"),
    family("services.exe", "children", "network", "keys"),
    family("lsass.exe", "network", "keys", "files", "parents"),
    family("powershell.exe", "network", "files", "keys", "children"),
    family("explorer.exe", "children", "keys", "files"),
    [("p", "name", "conhost.exe"), ("o", "parents", "p"), ("g", "parents", "o")],
    [("p", "name", "cmd.exe"), ("o", "parents", "p"), ("c", "children", "p"), ("f", "files", "p")],
    family("System", "network", "files", "children"),
    [("p", "command", "powershell"), ("o", "parents", "p"), ("n", "network", "p"), ("c", "children", "p")],
    [("p", "command", "svchost.exe -k netsvcs"), ("c", "children", "p"), ("k", "keys", "p")],
    [("p", "name", "WmiPrvSE.exe"), ("o", "parents", "p"), ("c", "children", "p"), ("n", "network", "p")],
    family("w3wp.exe", "network", "files", "children"),
    family("windowsazureguestagent.exe", "network", "children"),
    SCHEDULE,
]


def answers(log: Log, steps: Steps) -> dict[str, int]:
    sets: dict[str, set[Any]] = {}
    first = {"name": log.named, "command": log.commanded}
    for variable, kind, argument in steps:
        sets[variable] = first[kind](argument) if kind in first else getattr(log, kind)(sets[argument])
    return {variable: len(found) for variable, found in sets.items()}


def expected(folder: Path = FLAT) -> str:
    lines = ["# Written by `python -m tests.truth.flat --write`; do not edit."]
    for path in sorted(folder.glob("*.ndjson.gz")):
        log = Log(path)
        lines += [f"- file: {path.name}", "  counts: {" + ", ".join(f"{k}: {v}" for k, v in log.counts.items()) + "}", "  hunts:"]
        for steps in HUNTS:
            known = answers(log, steps)
            if known["p"]:
                lines.append("  - hunt: |")
                lines += [f"      {variable} = {ASK[kind].format(argument)}" for variable, kind, argument in steps]
                lines.append("    entities: {" + ", ".join(f"{k}: {v}" for k, v in known.items()) + "}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        Path(__file__).with_name("expected.yaml").write_text(expected(), encoding="utf-8")
    else:
        sys.stdout.write(expected())
