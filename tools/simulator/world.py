"""What is true in the simulated network: hosts, accounts, processes and what they did.

Times are whole milliseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BEGIN = int(datetime(2021, 4, 2, tzinfo=UTC).timestamp()) * SECOND
"""The first moment of the log: three days follow."""
DAYS = 3
END = BEGIN + DAYS * DAY


def at(day: int, hour: float) -> int:
    """A moment of the log: days since its begin, and the hour of that day."""
    return BEGIN + day * DAY + round(hour * HOUR)


def iso(moment: int) -> str:
    """`2021-04-03T09:30:00.250Z`."""
    return datetime.fromtimestamp(moment / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment % SECOND:03d}Z"


def basename(path: str) -> str:
    return path.rsplit("\\", 1)[-1]


@dataclass(frozen=True)
class Account:
    domain: str
    name: str
    sid: str
    logon: str

    @property
    def login(self) -> str:
        return f"{self.domain}\\{self.name}"


SYSTEM = Account("NT AUTHORITY", "SYSTEM", "S-1-5-18", "0x3e7")
LOCAL_SERVICE = Account("NT AUTHORITY", "LOCAL SERVICE", "S-1-5-19", "0x3e5")
NETWORK_SERVICE = Account("NT AUTHORITY", "NETWORK SERVICE", "S-1-5-20", "0x3e4")


@dataclass(frozen=True)
class Sensing:
    """How a host's sensors are set up."""

    create_left_out: frozenset[str] = frozenset()
    """Programs whose start and end Sysmon does not log."""
    executables_only: bool = False
    """Sysmon logs the creation of executables and scripts only, and image loads from user-writable folders only."""
    audit_names_creator: bool = True
    """Security 4688 has the creator's program and the command line (Windows 10), or the creator's pid alone."""


@dataclass(frozen=True)
class Boot:
    """One run of a host, from power on to power off."""

    begin: int
    end: int | None
    number: int
    guid_early: int = 0
    """How much earlier than `begin` the start inside System's own GUID is."""


@dataclass(frozen=True)
class Host:
    label: str
    domain: str
    address: str
    address6: str
    machine: str
    """The first group of every Sysmon GUID of this host."""
    volume: int
    """Security 5156 shows drive C: as `\\device\\harddiskvolume<n>`."""
    user: Account
    sensing: Sensing
    boots: tuple[Boot, ...]
    awake: tuple[float, float] = (0, 24)
    """The hours of the day at which anything happens here."""
    lost: tuple[tuple[int, int], ...] = ()
    """Times whose records were lost."""
    short_until: int = 0
    """Until then the host called itself by its label alone."""

    @property
    def name(self) -> str:
        return f"{self.label}.{self.domain}"

    @property
    def machine_account(self) -> str:
        return f"{self.label.upper()}$"

    def up(self, moment: int) -> bool:
        """Whether something can happen here now."""
        hour = (moment - BEGIN) % DAY / HOUR
        running = any(b.begin <= moment and (b.end is None or moment < b.end) for b in self.boots)
        return running and self.awake[0] <= hour < self.awake[1]

    def recorded(self, moment: int) -> bool:
        """Whether a record of this moment reached the log."""
        return BEGIN <= moment < END and not any(a <= moment < b for a, b in self.lost)


@dataclass(eq=False)
class Process:
    """One process. Its pid and ids are given out when all starts and ends are known (`identify`)."""

    host: Host
    boot: Boot
    image: str
    command_line: str
    account: Account
    parent: Process | None
    start: int
    end: int | None
    folder: str = "C:\\Windows\\system32\\"
    sysmon: bool = True
    """Sysmon logs its start and end."""
    audited: bool = True
    """Security auditing logs its start and end."""
    origin_in: frozenset[str] = frozenset({"sysmon", "security"})
    """The sensors that log what it does; if none, it is known only as somebody's parent."""
    idle: bool = False
    """It does nothing but start and end."""
    twin: bool = False
    """Its creation was recorded under another GUID tail than everything it did later."""
    pid: int = 0
    guid: str = ""
    creation_guid: str = ""
    next_start: int | None = None
    """When the next process got its pid."""

    @property
    def name(self) -> str:
        return basename(self.image)

    def alive(self, moment: int) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


@dataclass(frozen=True, eq=False)
class Connection:
    """A flow between two ends, seen once or again and again."""

    process: Process
    acceptor: Process | None
    protocol: str
    source: tuple[str, int]
    destination: tuple[str, int]
    times: tuple[int, ...]
    application: str = ""
    inbound: bool = False
    """The source is not this process: it received the flow."""


@dataclass(frozen=True, eq=False)
class FileWrite:
    process: Process
    at: int
    path: str


@dataclass(frozen=True, eq=False)
class ImageLoad:
    process: Process
    at: int
    path: str


@dataclass(frozen=True, eq=False)
class RegistryWrite:
    process: Process
    at: int
    key: str
    value: str
    data: str


@dataclass(frozen=True, eq=False)
class DnsQuery:
    process: Process
    at: int
    name: str
    aliases: tuple[str, ...]
    addresses: tuple[str, ...]


Deed = Connection | FileWrite | ImageLoad | RegistryWrite | DnsQuery


@dataclass(frozen=True, eq=False)
class Record:
    """One log record: who did what, as one sensor of one host told it."""

    host: Host
    channel: str
    """`sysmon` or `security`."""
    code: str
    at: int
    actor: Process
    deed: Deed | None = None
    creator: Process | None = None
    """The parent it names, by the sensor's id (Sysmon 1) or by pid (Security 4688)."""
    number: int = 0
    """The record number, unique on host and channel."""


@dataclass(eq=False)
class World:
    """Everything that happened, and every record of it in the order of the log file."""

    seed: int
    hosts: list[Host]
    processes: list[Process] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    repeated: dict[int, int] = field(default_factory=dict)
    """Records that stand in the file twice: their place in `records`, and after how many lines they come again."""


def youngest(processes: Iterable[Process], moment: int) -> Process | None:
    """Of these processes the one started last, of those alive then."""
    return max((p for p in processes if p.alive(moment)), key=lambda p: p.start, default=None)
