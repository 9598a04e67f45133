"""The truth of flat Windows logs: which mentions are one process, in plain Python from the raw lines.

Shares no line with the runtime on purpose.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tests.truth.records import Event, Life, Mention, clock, code_of, inner, is_sysmon, read, slots, whole_names


class Processes:
    """One file: its events, and the processes behind every mention."""

    def __init__(self, path: Path) -> None:
        rows, self.counts = read(path)
        hosts = whole_names(rows)
        self.events: list[Event] = []
        for raw, when in zip(rows, clock(rows, hosts), strict=True):
            host = hosts[str(raw.get("Hostname") or "").lower()]
            self.events.append(Event(code_of(raw), host, when, raw, slots(raw, host, when)))
        self.mentions = [mention for event in self.events for mention in event.slots.values()]
        self.lives: list[Life] = []
        self.by_pid: dict[tuple[str, int], list[Life]] = defaultdict(list)
        self.identify()

    def identify(self) -> None:
        self.guid_lives()
        self.join_twins()
        for life in self.lives:
            self.index(life)
        self.audit_creations()
        self.boots()
        loose = sorted((m for m in self.mentions if m.life is None and m.pid), key=lambda m: m.when)
        ends = [m for m in loose if m.code == 4689]
        for mention in ends:
            if ended := self.find(mention):
                ended.end = max(mention.when, ended.end or mention.when)
        for mention in loose:
            mention.life = self.find(mention) if mention.name else None
        self.own_lives([m for m in loose if m.life is None and m.name])
        for mention in self.mentions:
            if mention.life is None and not mention.pid:  # known by its name alone: a process of its own observation
                mention.life = Life(mention.host, None, mention.when)
        nameless = [m for m in loose if m.life is None]
        for mention in nameless:
            mention.life = self.find(mention)
        self.own_lives([m for m in nameless if m.life is None])
        for mention in self.mentions:
            if mention.life is not None:
                mention.life.shown |= {mention.name} if mention.name else set()
                mention.life.commands |= {mention.command} if mention.command else set()
        self.lives = list({id(m.life): m.life for m in self.mentions if m.life is not None}.values())

    def index(self, life: Life) -> None:
        if life.pid is not None:
            self.by_pid[life.host, life.pid].append(life)

    def guid_lives(self) -> None:
        groups: dict[tuple[str, str], list[Mention]] = defaultdict(list)
        creations = [event for event in self.events if event.code == 1 and is_sysmon(event.raw)]
        creating = {id(event.slots["actor"]) for event in creations if "actor" in event.slots}
        for mention in self.mentions:
            if mention.guid:
                groups[mention.host, mention.guid].append(mention)
        right = [abs((inner(m.guid) or 0) - m.when) <= 2 for m in self.mentions if m.guid and id(m) in creating]
        trusted = not right or sum(right) * 2 > len(right)
        for (host, guid), members in groups.items():
            first = min(m.when for m in members)
            pids = Counter(m.pid for m in members if m.pid)
            life = Life(host, pids.most_common(1)[0][0] if pids else None, first, guids={guid}, last=max(m.when for m in members))
            life.names = {m.key for m in members if m.key}
            started = [m.when for m in members if id(m) in creating]
            decoded = inner(guid)
            if started:
                life.start, life.created = min(started), True
            elif trusted and decoded is not None and decoded <= first + 2:
                life.start, life.decoded = decoded, True
            ended = [m.when for m in members if m.code == 5]
            life.end = max(ended) if ended else None
            for mention in members:
                mention.life = life
            self.lives.append(life)

    def join_twins(self) -> None:
        near: dict[Any, list[Life]] = defaultdict(list)
        for life in self.lives:
            for name in life.names:
                near[life.host, life.pid, name, next(iter(life.guids)).split("-")[0]].append(life)
        into: dict[int, Life] = {}
        for group in near.values():
            for one in group:
                for two in group:
                    twin = one.created and not two.created and abs(one.start - two.start) <= 1 and not (one.end and two.end)
                    if twin and one.pid is not None:
                        into[id(two)] = one
                        one.names |= two.names
                        one.guids |= two.guids
                        one.last, one.end = max(one.last, two.last), one.end or two.end
        for mention in self.mentions:
            if mention.life is not None:
                mention.life = into.get(id(mention.life), mention.life)
        self.lives = [life for life in self.lives if id(life) not in into]

    def audit_creations(self) -> None:
        """4688 tells of a life Sysmon knows, or opens one."""
        created = sorted((e for e in self.events if e.code == 4688 and "actor" in e.slots), key=lambda e: e.when)
        for event in created:
            mention = event.slots["actor"]
            near = [
                life
                for life in self.by_pid[mention.host, mention.pid or 0]
                if mention.key in life.names and abs(life.start - mention.when) <= 2 and not life.joined and (life.created or life.decoded)
            ]
            if near:
                life: Life = min(near, key=lambda other: abs(other.start - mention.when))
            else:
                life = Life(mention.host, mention.pid, mention.when, {mention.key} if mention.key else set(), created=True)
                self.index(life)
            life.joined, life.last = True, max(life.last, mention.when)
            mention.life = life

    def boots(self) -> None:
        firsts: dict[str, dict[str, float]] = defaultdict(dict)
        for mention in self.mentions:
            if mention.guid and (mention.pid == 4 or mention.key == "system"):
                known = firsts[mention.host]
                known[mention.guid] = min(mention.when, known.get(mention.guid, mention.when))
        self.booted = {host: sorted(times.values())[1:] for host, times in firsts.items()}
        for lives in self.by_pid.values():
            for life in lives:
                life.boot = next((when for when in self.booted.get(life.host, []) if when > life.last), None)

    def find(self, mention: Mention) -> Life | None:
        """The life of a mention that knows only a pid: the latest start not after it, if that has not ended."""
        slack = 0.0 if mention.name is None else 1.0 if mention.whole else 0.1
        fit = [
            life
            for life in self.by_pid.get((mention.host, mention.pid or 0), [])
            if life.start <= mention.when + slack and (mention.name is None or mention.key in life.names)
        ]
        if not fit:
            return None
        life = max(fit, key=lambda other: other.start)
        return life if life.alive(mention.when) else None

    def own_lives(self, loose: list[Mention]) -> None:
        """Mentions in a row without a life, with one name, are one life."""
        open_lives: dict[tuple[str, int], Life] = {}
        for mention in loose:
            spot = (mention.host, mention.pid or 0)
            life = open_lives.get(spot)
            since = life.last if life else 0.0
            other = any(since < known.start <= mention.when for known in self.by_pid.get(spot, []) if known is not life)
            boot = any(since < when <= mention.when for when in self.booted.get(mention.host, []))
            if life is None or other or boot or life.names != ({mention.key} if mention.key else set()) or not life.alive(mention.when):
                life = open_lives[spot] = Life(mention.host, mention.pid, mention.when, {mention.key} if mention.key else set())
                self.index(life)
            life.last = max(life.last, mention.when)
            if mention.code == 4689:
                life.end = mention.when
            mention.life = life
