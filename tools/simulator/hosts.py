"""The hosts of the simulated network: what they are, and which processes each of them runs."""

from __future__ import annotations

import string
from random import Random

from tools.simulator.life import CONHOST, Life
from tools.simulator.plan import Plan
from tools.simulator.programs import DESKTOP_SERVICES, GROUPED_SERVICES, SCHEDULE, SVCHOST
from tools.simulator.world import DAYS, MINUTE, NETWORK_SERVICE, SECOND, Account, Boot, Host, Process, Sensing, at

DOMAIN = "corp.example"
_SID = "S-1-5-21-2079883792-3656946353-945924832"
_LEFT_OUT = frozenset({"searchprotocolhost.exe", "searchfilterhost.exe", "backgroundtaskhost.exe", "usoclient.exe"})
"""Programs whose start and end common Sysmon configurations leave out."""

SCHEDULER_RESTART = at(0, 8.2)
LOST = (at(1, 11.05), at(1, 11.3))
"""Records of host101 that were lost; its scheduler was restarted meanwhile."""
LAPTOP_OFF = (at(1, 9.8), at(1, 13.1))
AUDIT_ONLY = frozenset({"security"})

HOST101 = Host(
    "host101",
    DOMAIN,
    "10.20.1.101",
    "fe80::8d2c:41aa:7f10:65",
    "8A2F41C7",
    2,
    Account("CORP", "mrossi", f"{_SID}-1104", "0x2d5a4b"),
    Sensing(create_left_out=_LEFT_OUT, executables_only=True),
    (Boot(at(-4, 6.9), None, 4),),
    lost=(LOST,),
)
HOST102 = Host(
    "host102",
    DOMAIN,
    "10.20.1.102",
    "fe80::19b3:5c02:e4d1:66",
    "1F90B36E",
    3,
    Account("CORP", "Зоя", f"{_SID}-1107", "0x3f10c2"),
    Sensing(create_left_out=_LEFT_OUT - {"usoclient.exe"}),
    (Boot(at(-2, 7.4), None, 9),),
)
SRV201 = Host(
    "srv201",
    DOMAIN,
    "10.20.0.20",
    "fe80::7c11:90ff:2b3e:14",
    "C05D7712",
    2,
    Account("CORP", "admin.田中", f"{_SID}-1120", "0x91be07"),
    Sensing(frozenset({"whoami.exe", "ipconfig.exe"}), executables_only=True, audit_names_creator=False),
    (Boot(at(-45, 2.1), None, 2),),
)
LAP301 = Host(
    "lap301",
    DOMAIN,
    "10.20.3.31",
    "fe80::c4e0:1d9a:33f7:1f",
    "6E3B0D58",
    4,
    Account("CORP", "jörg", f"{_SID}-1111", "0x4c77d9"),
    Sensing(create_left_out=_LEFT_OUT),
    (Boot(at(-1, 7.5), LAPTOP_OFF[0], 17), Boot(LAPTOP_OFF[1], None, 18, guid_early=37 * MINUTE)),
    awake=(7, 20),
    short_until=LAPTOP_OFF[1],
)
HOSTS = (HOST101, HOST102, SRV201, LAP301)


def populate(plan: Plan, seed: int) -> list[Life]:
    """The runs of all hosts, with their processes."""
    return [_host101(plan, seed), _host102(plan, seed), _srv201(plan, seed), *_lap301(plan, seed)]


def _host101(plan: Plan, seed: int) -> Life:
    """The hunted host: two restarts of its scheduler, of which one left no record."""
    life = Life(HOST101, HOST101.boots[0], plan, seed)
    life.power_on(DESKTOP_SERVICES, SVCHOST, SCHEDULE)
    first = life.service("-s Schedule")
    first.end, first.origin_in = SCHEDULER_RESTART, frozenset()
    second = life.start("svchost.exe", life.services, SCHEDULER_RESTART + 4210, None, SCHEDULE)
    if plan.scheduler_lost:
        second.end = LOST[0] + 100 * SECOND
        life.start("svchost.exe", life.services, LOST[0] + 107_330, None, SCHEDULE).origin_in = frozenset()
    for name in ("WdiServiceHost", "TrkWks"):
        life.service(name).origin_in = AUDIT_ONLY
    for day in range(DAYS):
        life.come_and_go(day)
        life.work(day)
        life.schedule(day, plan.tasks[day])
    return life


def _host102(plan: Plan, seed: int) -> Life:
    """Another desk: an older Windows, amcet started by hand, the scheduler's very command line a day too late."""
    life = Life(HOST102, HOST102.boots[0], plan, seed)
    life.power_on(GROUPED_SERVICES, SVCHOST, f"{SVCHOST} -k netsvcs -s Schedule")
    life.service("-s Schedule").end = at(2, 6.39)
    life.start("svchost.exe", life.services, at(2, 6.4), None, SCHEDULE)
    for name in ("UnistackSvcGroup", "LocalServiceAndNoImpersonation"):
        life.service(name).origin_in = AUDIT_ONLY
    for day in range(DAYS):
        life.come_and_go(day)
        life.work(day)
        life.schedule(day, round(30 * plan.size))
    for hour in (10.3, 15.7):
        run = life.start("amcet.exe", life.explorer, at(1, hour), 95 * SECOND, '"{path}" /check')
        life.start("conhost.exe", run, run.start + 600, 93 * SECOND, CONHOST)
    random = life.draw("odd")
    life.start("powershell.exe", life.explorer, at(1, 9.75), 40 * SECOND, _long_command(random))
    programs = ("chrome.exe", "WINWORD.EXE", "RuntimeBroker.exe")
    for process in random.sample([p for p in life.processes if p.sysmon and p.end and p.name in programs], 3):
        process.twin = True
    return life


def _srv201(plan: Plan, seed: int) -> Life:
    """A server of an older Windows, whose audit records name a creator by its pid alone."""
    life = Life(SRV201, SRV201.boots[0], plan, seed)
    life.power_on(GROUPED_SERVICES, SVCHOST, f"{SVCHOST} -k netsvcs -s Schedule")
    life.start(
        "sqlservr.exe",
        life.services,
        SRV201.boots[0].begin + 5 * MINUTE,
        None,
        '"{path}" -sSQLEXPRESS',
        NETWORK_SERVICE,
    )
    life.service("smbsvcs").origin_in = AUDIT_ONLY
    for day in range(DAYS):
        life.come_and_go(day)
        life.schedule(day, round(24 * plan.size))
        for moment in life.moments("admin", 4 * plan.size + 1, day, (7, 19)):
            life.console(life.explorer, moment, life.draw(f"admin/{moment}"))
    return life


def _lap301(plan: Plan, seed: int) -> list[Life]:
    """A laptop that sleeps at night, and boots anew in the middle of the hunted day, under its full name."""
    lives = []
    for boot in LAP301.boots:
        life = Life(LAP301, boot, plan, seed)
        life.power_on(DESKTOP_SERVICES, SVCHOST.lower(), SCHEDULE.lower().replace("schedule", "Schedule"))
        life.service("FontCache").origin_in = AUDIT_ONLY
        for day in range(DAYS):
            life.come_and_go(day)
            life.work(day)
            life.schedule(day, round(20 * plan.size))
        lives.append(life)
    return lives


def _long_command(random: Random) -> str:
    """A command line of 10,000 characters."""
    block = "".join(random.choices(string.ascii_letters + string.digits, k=400))
    return ("powershell.exe -NoProfile -EncodedCommand " + block * 25)[:10_000]


def processes(lives: list[Life]) -> list[Process]:
    return [p for life in lives for p in life.processes]
