"""What the processes do: connections, names asked for, files, modules, registry."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from random import Random

from tools.simulator.programs import KEYS, PROGRAMS, SITES, WRITTEN, Habit
from tools.simulator.world import (
    BEGIN,
    END,
    HOUR,
    MINUTE,
    SECOND,
    Connection,
    Deed,
    DnsQuery,
    FileWrite,
    Host,
    ImageLoad,
    Process,
    RegistryWrite,
    youngest,
)

SETTLED = 600
"""Milliseconds after its start before a process does anything."""
_NEIGHBOURS = (("ff02::1:3", 5355, "llmnr"), ("ff02::fb", 5353, "mdns"))
_SERVED = (
    (445, "System", "microsoft-ds"),
    (135, "RPCSS", "epmap"),
    (389, "lsass.exe", "ldap"),
    (1433, "sqlservr.exe", "ms-sql-s"),
)
"""Ports of a server: the program or service that serves them, what the port is called."""


class Network:
    """Who is connected with whom. Ports are taken in turn, as Windows does."""

    def __init__(self, hosts: tuple[Host, ...], processes: list[Process], seed: int) -> None:
        self.processes = processes
        self.hosts = {h.address: h for h in hosts}
        self.random = Random(f"{seed}/network")
        self.deeds: list[Deed] = []
        self._ports: dict[str, int] = defaultdict(lambda: self.random.randrange(49152, 60000))

    def port(self, host: Host) -> int:
        self._ports[host.label] += self.random.randint(1, 4)
        if self._ports[host.label] > 65535:
            self._ports[host.label] = 49152 + self.random.randrange(40)
        return self._ports[host.label]

    def connect(self, process: Process, moment: int, to: tuple[str, int], application: str) -> None:
        """One flow out of a host, seen once."""
        source = (process.host.address6 if ":" in to[0] else process.host.address, self.port(process.host))
        self.deeds.append(Connection(process, None, "tcp", source, to, (moment,), application))

    def visit(self, process: Process, moment: int, sites: str, asks: bool) -> None:
        """A flow to one of a kind of sites; `asks` says whether its name is asked for before."""
        name, aliases, addresses = self.random.choice(SITES[sites])
        if asks:
            self.deeds.append(DnsQuery(process, moment, name, aliases, addresses))
            moment += self.random.randint(15, 300)
        address = self.random.choice(addresses)
        if address in self.hosts:
            self._serve(process, moment, self.hosts[address])
        else:
            self.connect(process, moment, (address, 443 if self.random.random() < 0.9 else 80), "https")

    def _serve(self, process: Process, moment: int, server: Host) -> None:
        """A flow to another simulated host: one flow that both may log; some last, and are logged again."""
        port, serving, application = self.random.choice(_SERVED)
        there_too = (p for p in self.processes if p.host is server)
        acceptor = youngest((p for p in there_too if p.name == serving or f"-k {serving}" in p.command_line), moment)
        here = "::1" if process.host is server else process.host.address
        there = "::1" if process.host is server else server.address
        times = [moment]
        if self.random.random() < 0.1:
            times += [t for t in (moment + 25 * MINUTE, moment + 4 * HOUR) if process.alive(t) and process.host.up(t)]
        source = (here, self.port(process.host))
        self.deeds.append(Connection(process, acceptor, "tcp", source, (there, port), tuple(times), application))

    def resolver(self, process: Process) -> None:
        """The DNS client service asks the server, and calls the neighbourhood, there always from the same port."""
        host = process.host
        for moment in moments(self.random, process, (0, 0.35)):
            source = (host.address, self.random.randrange(49152, 65536))
            self.deeds.append(Connection(process, None, "udp", source, ("10.20.0.20", 53), (moment,), "domain"))
        for moment in moments(self.random, process, (0, 0.8)):
            group, port, application = self.random.choice(_NEIGHBOURS)
            ends = (host.address6, port), (group, port)
            if inbound := self.random.random() < 0.4:
                ends = ends[1], ends[0]
            self.deeds.append(Connection(process, None, "udp", *ends, (moment,), application, inbound))


def moments(random: Random, process: Process, often: tuple[float, float]) -> Iterator[int]:
    """Times at which a process does a thing it is wont to do so often: soon after its start, then per hour."""
    begin = max(process.start + SETTLED, BEGIN)
    end = min(process.end or END, END)
    if begin >= end:
        return
    hours = (end - begin) / HOUR
    if process.start >= BEGIN:
        for _ in range(_poisson(random, often[0])):
            yield random.randint(begin, min(end, begin + 40 * SECOND))
    for _ in range(_poisson(random, often[1] * hours)):
        moment = random.randint(begin, end)
        if process.host.up(moment):
            yield moment


def _poisson(random: Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    limit, product, number = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        number += 1
    return number


def do(network: Network, processes: list[Process], size: float, seed: int) -> None:
    """Every process does what it is wont to do."""
    for number, process in enumerate(processes):
        if process.idle or not process.origin_in:
            continue
        random = Random(f"{seed}/{process.host.label}/{process.start}/{number}")
        _act(network, process, PROGRAMS[process.name.lower()].habit, size, random)
        if process.command_line.endswith(("-s Dnscache", "-k NetworkService")):
            network.resolver(process)


def _act(network: Network, process: Process, habit: Habit, size: float, random: Random) -> None:
    deeds = network.deeds

    def often(rate: tuple[float, float]) -> Iterator[int]:
        return moments(random, process, (rate[0], rate[1] * size))

    for moment in often(habit.connects):
        network.visit(process, moment, habit.sites, asks=random.random() < 0.5)
    for moment in often(habit.queries):
        name, aliases, addresses = random.choice(SITES[habit.sites])
        deeds.append(DnsQuery(process, moment, name, aliases, addresses))
    for moment in often(habit.writes):
        folder = habit.folder.format(user=process.host.user.name)
        name = random.choice(WRITTEN)
        deeds.append(FileWrite(process, moment, f"{folder}\\{name.format(n=random.randint(1, 400))}"))
    for moment in often(habit.loads):
        module = random.choice(habit.modules or ("C:\\Windows\\System32\\wintrust.dll",))
        deeds.append(ImageLoad(process, moment, module.format(user=process.host.user.name)))
    for moment in often(habit.sets):
        for _ in range(random.choice((1, 1, 1, 2, 5))):  # a burst within one millisecond
            key, value, data = random.choice(KEYS)
            deeds.append(RegistryWrite(process, moment, key.replace("{sid}", process.host.user.sid), value, data))
