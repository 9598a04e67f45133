"""The truth of STIX bundles: who is in them, in plain Python from the raw objects.

Shares no line with the runtime on purpose. Rules: DESIGN.md section 3. An entity is a key; equal keys are one entity.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

Thing = dict[str, Any]
TRANSPORT = {"tcp", "udp"}
EPISODE = 3600.0


@dataclass
class Mention:
    """A process as one observed-data tells of it."""

    scope: str
    when: float
    guid: str | None
    pid: int | None
    name: str | None
    command: str | None
    created: bool
    key: tuple[Any, ...] | None = None
    parent: Mention | None = None
    traffic: list[Any] = field(default_factory=list)


class Bundle:
    """One bundle with embedded objects (STIX 2.0), and the questions a hunt asks of it."""

    def __init__(self, path: Path) -> None:
        every = json.loads(gzip.decompress(path.read_bytes()))["objects"]
        self.records = [o for o in every if o["type"] == "observed-data"]
        self.mentions: list[Mention] = []
        self.things: dict[str, set[Any]] = defaultdict(set)
        self.flows: dict[Any, list[float]] = defaultdict(list)
        self.objects: dict[str, int] = defaultdict(int)
        self.custom: dict[str, list[Thing]] = defaultdict(list)
        self.asked: dict[tuple[str, str], list[tuple[Any, Any]]] = defaultdict(list)
        for record in self.records:
            self.read(record)
        self.identify()

    def read(self, record: Thing) -> None:
        objects: dict[str, Thing] = record["objects"]
        when = seconds(record["first_observed"])
        by_type: dict[str, list[Thing]] = defaultdict(list)
        for o in objects.values():
            by_type[o["type"]].append(o)
            self.objects[o["type"]] += 1
        event = by_type["x-oca-event"][0] if by_type["x-oca-event"] else {}
        host = host_of(by_type)
        for o in objects.values():
            if o["type"].startswith("x-") and o["type"] not in ("x-oca-asset", "x-oca-event"):
                self.custom[o["type"]].append(o)
        for asset in by_type["x-oca-asset"]:
            self.tell("x-oca-asset", host, asset)
        if event:
            self.tell("x-oca-event", record["id"], event)
        for traffic in by_type["network-traffic"]:
            self.tell("network-traffic", self.flow(traffic, objects), traffic)
        if host:
            self.things["x-oca-asset"].add(host)
        found = {}
        parents = {str(p["parent_ref"]) for p in by_type["process"] if "parent_ref" in p}
        for key, o in objects.items():
            if o["type"] == "process":
                made = not event and "parent_ref" in o and o.get("created") == record["first_observed"]
                found[key] = self.mention(o, objects, host, when, made)
        stated = by_type["x-ecs-process"][0] if by_type["x-ecs-process"] else {}
        about = str(event["process_ref"]) if event else next((k for k in found if k not in parents), "")
        for key, mention in found.items():
            parent = objects[key].get("parent_ref")
            mention.parent = found[parent] if parent else None
            mention.traffic = [self.flow(objects[str(r)], objects) for r in objects[key].get("opened_connection_refs", ())]
            if key == about:
                mention.guid = mention.guid or guid(stated.get("entity_id"))
                if mention.parent:
                    mention.parent.guid = mention.parent.guid or guid(stated.get("parent_entity_id"))
        self.mentions += found.values()
        for o in by_type["network-traffic"]:
            self.flows[self.flow(o, objects)].append(when)
        for kind in ("ipv4-addr", "ipv6-addr"):
            self.things[kind] |= {address(o["value"]) for o in by_type[kind]}
        for kind in ("url", "mac-addr", "domain-name"):
            self.things[kind] |= {o["value"].lower() for o in by_type[kind]}
        self.things["directory"] |= {(host, o["path"].lower()) for o in by_type["directory"]}
        self.things["file"] |= {file_key(o, objects, host) for o in by_type["file"]}
        domain = by_type["x-ecs-user"][0].get("domain", "-") if by_type["x-ecs-user"] else "-"
        for o in by_type["user-account"]:
            login = str(o.get("account_login", o["user_id"]))
            built_in = login.startswith("S-1-5-") and not login.startswith("S-1-5-21-")
            self.things["user-account"].add((host, login) if built_in else (login if domain == "-" else f"{domain}\\{login}").lower())

    def tell(self, kind: str, key: Any, of: Thing) -> None:
        """Record each single value of a property (each element of a list) with the entity that has it."""
        for name, value in of.items():
            self.asked[kind, name] += [(key, v) for v in singles(value)]

    def having(self, kind: str, name: str) -> dict[Any, int]:
        """How many entities have each value of a property."""
        holders: dict[Any, set[Any]] = defaultdict(set)
        for key, value in self.asked[kind, name]:
            holders[value].add(key)
        return {value: len(keys) for value, keys in holders.items()}

    def mention(self, process: Thing, objects: dict[str, Thing], host: str | None, when: float, created: bool) -> Mention:
        name = process.get("name") or (objects[process["binary_ref"]]["name"] if "binary_ref" in process else None)
        known = guid(process.get("x_unique_id"))
        return Mention(host or "(source)", when, known, process.get("pid"), name, process.get("command_line"), created)

    def flow(self, traffic: Thing, objects: dict[str, Thing]) -> Any:
        """Protocol and unordered pair; an end may be unknown."""
        ends = frozenset(
            (address(objects[traffic[f"{side}_ref"]]["value"]) if f"{side}_ref" in traffic else None, traffic.get(f"{side}_port"))
            for side in ("src", "dst")
        )
        return (tuple(p for p in traffic.get("protocols", ()) if p in TRANSPORT), ends)

    def identify(self) -> None:
        """A sensor's id with its scope; else scope, pid and name, with the lives that creations and gaps give."""
        loose: dict[Any, list[Mention]] = defaultdict(list)
        starts: dict[Any, list[tuple[float, str, Any]]] = defaultdict(list)
        for m in self.mentions:
            if m.guid:
                m.key = (m.scope, m.guid)
                starts[m.scope, m.pid].append((m.when, (m.name or "").lower(), m.key))
            elif m.pid and m.created:
                m.key = (m.scope, m.pid, (m.name or "").lower(), m.when)
                starts[m.scope, m.pid].append((m.when, (m.name or "").lower(), m.key))
            elif m.pid:
                loose[m.scope, m.pid].append(m)
        for spot, mentions in loose.items():
            run: tuple[str, Any] | None = None
            before = float("-inf")
            for m in sorted(mentions, key=lambda m: m.when):
                name = (m.name or "").lower()
                fit = [s for s in starts[spot] if s[0] <= m.when + 0.1 and s[1] == name]
                if fit:
                    m.key = max(fit)[2]
                    continue
                if run is None or run[0] != name or any(before < s[0] <= m.when for s in starts[spot]):
                    run = (name, (*spot, name, m.when))
                m.key, before = run[1], m.when

    # -- answers -------------------------------------------------------------------------------------------------

    def count(self, kind: str) -> int:
        match kind:
            case "process":
                return len({m.key for m in self.mentions if m.key})
            case "network-traffic":
                return sum(episodes(times) for times in self.flows.values())
            case "x-oca-event":
                return len(self.records)
            case _:
                return len(self.things[kind] - {None})

    def named(self, name: str) -> set[Any]:
        return {m.key for m in self.mentions if m.key and m.name == name}

    def children(self, of: set[Any]) -> set[Any]:
        return {m.key for m in self.mentions if m.parent and m.parent.key in of}

    def traffic(self, of: set[Any]) -> int:
        """Connections of some processes; the flows of a process are asked whole, with every episode it had part in."""
        seen: dict[Any, list[tuple[float, bool]]] = defaultdict(list)
        own = {(pair, m.when) for m in self.mentions if m.key in of for pair in m.traffic}
        for pair, times in self.flows.items():
            seen[pair] = [(when, (pair, when) in own) for when in sorted(times)]
        total = 0
        for times_of in seen.values():
            last, counted = float("-inf"), False
            for when, is_own in times_of:
                if when - last > EPISODE:
                    counted = False
                if is_own and not counted:
                    total, counted = total + 1, True
                last = when
        return total


def singles(value: Any) -> list[Any]:
    """The values in a list that may hold lists."""
    return [v for inner in value for v in singles(inner)] if isinstance(value, list) else [value]


def seconds(text: str) -> float:
    whole, _, part = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{part or 0}")


def address(text: str) -> str:
    ip = ipaddress.ip_address(text)
    return str(getattr(ip, "ipv4_mapped", None) or ip)


def guid(text: str | None) -> str | None:
    return text.upper() if text and text.startswith("{") else text or None


def host_of(by_type: dict[str, list[Thing]]) -> str | None:
    """The whole name of the record's computer. Not its id: in test_bundle_nt_2 three names share one (cloned machines)."""
    for asset in by_type["x-oca-asset"]:
        name, short = str(asset.get("name", "")).lower(), str(asset["hostname"]).lower()
        return name if name.startswith(short + ".") else short
    for device in by_type["x-cbcloud"]:
        return str(device["device_name"]).lower()
    return None


def file_key(file: Thing, objects: dict[str, Thing], host: str | None) -> Any:
    """Host and path, else hash, else host and name. A hash of zeros (Carbon Black's word for an unknown one) is none."""
    if "parent_directory_ref" in file:
        return (host, f"{objects[file['parent_directory_ref']]['path']}\\{file['name']}".lower())
    hashes = [h for kind in ("SHA-256", "SHA-1", "MD5") if (h := file.get("hashes", {}).get(kind, "").strip("0"))]
    return hashes[0] if hashes else (host, file["name"].lower())


def episodes(times: list[float]) -> int:
    ordered = sorted(times)
    return 1 + sum(b - a > EPISODE for a, b in pairwise(ordered))
