"""The attack on host101: a scheduled updater that opens shells and calls home."""

from __future__ import annotations

from random import Random

from tools.simulator.deeds import Network
from tools.simulator.life import TASK_CONHOST, Life
from tools.simulator.plan import HUNTED_DAY
from tools.simulator.programs import SCHEDULE
from tools.simulator.world import DAYS, MINUTE, SECOND, SYSTEM, Process, at

HOME = ("9.148.5.93", 443)
COMMANDS = ('"{path}" /update /silent', '"{path}" /svc', '"{path}" /check /channel:stable')
SHELL = "powershell.exe -NoExit -Command -"


def attack(life: Life, network: Network) -> None:
    """amcet's runs on the host of this life, what they start and where they connect to."""
    plan = life.plan
    for day in range(DAYS):
        random = life.draw(f"amcet/{day}")
        begun = (_run(life, day, random) for _ in range(plan.amcets[day]))
        runs = [run for run in begun if run]
        hunted = day == HUNTED_DAY
        shells = random.sample(runs, min(plan.shells, len(runs)) if hunted else len(runs) // 2)
        beacons = random.sample(runs, min(plan.beacons, len(runs)) if hunted else len(runs) // 2)
        for run in runs:
            _children(life, run, shell=run in shells)
            if run in beacons:
                network.connect(run, run.start + random.randint(2, 20) * SECOND + random.randint(0, 999), HOME, "https")
    _night(life, network)


def _run(life: Life, day: int, random: Random) -> Process | None:
    command, lasting = random.choice(COMMANDS), random.randint(60, 240) * SECOND
    found = life.slot(life.draw(f"amcet/{day}/{len(life.processes)}"), day)
    return life.start("amcet.exe", found[1], found[0], lasting, command, SYSTEM) if found else None


def _children(life: Life, run: Process, shell: bool) -> None:
    random = life.draw(f"amcet/children/{run.start}")
    lasting = (run.end or run.start) - run.start - SECOND
    life.start("conhost.exe", run, run.start + random.randint(400, 900), lasting, TASK_CONHOST)
    if shell:
        begin = run.start + random.randint(1100, 3000)
        life.start("powershell.exe", run, begin, lasting - 3 * SECOND, SHELL).idle = True


def _night(life: Life, network: Network) -> None:
    """A run before midnight that connects, and opens its shell, on the hunted day: no task of that day."""
    scheduler = next(p for p in life.processes if p.command_line == SCHEDULE and p.alive(at(HUNTED_DAY, -0.2)))
    run = life.start("amcet.exe", scheduler, at(HUNTED_DAY, -0.15), 25 * MINUTE, COMMANDS[0], SYSTEM)
    life.start("conhost.exe", run, run.start + 655, 24 * MINUTE, TASK_CONHOST)
    life.start("powershell.exe", run, at(HUNTED_DAY, 0.07), 3 * MINUTE, SHELL).idle = True
    network.connect(run, at(HUNTED_DAY, 0.06), HOME, "https")
