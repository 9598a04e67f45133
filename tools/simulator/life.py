"""One run of one host, from power on to power off: which processes start, and when they end."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tools.simulator.plan import Plan
from tools.simulator.programs import ON_DEMAND, PROGRAMS, SVCHOST, TASKS, Service
from tools.simulator.world import END, HOUR, MINUTE, SECOND, SYSTEM, Account, Boot, Host, Process, at, youngest

CONHOST = "\\??\\C:\\Windows\\system32\\conhost.exe 0x4"
TASK_CONHOST = "\\??\\C:\\Windows\\system32\\conhost.exe 0xffffffff -ForceV1"

_CORE = (
    (
        "csrss.exe",
        "smss.exe",
        "%SystemRoot%\\system32\\csrss.exe ObjectDirectory=\\Windows SharedSection=1024,20480,768",
    ),
    ("wininit.exe", "smss.exe", "wininit.exe"),
    ("winlogon.exe", "smss.exe", "winlogon.exe"),
    ("services.exe", "wininit.exe", "C:\\Windows\\system32\\services.exe"),
    ("lsass.exe", "wininit.exe", "C:\\Windows\\system32\\lsass.exe"),
    ("dwm.exe", "winlogon.exe", '"dwm.exe"'),
    ("spoolsv.exe", "services.exe", "C:\\Windows\\System32\\spoolsv.exe"),
    ("SearchIndexer.exe", "services.exe", "C:\\Windows\\system32\\SearchIndexer.exe /Embedding"),
    ("MsMpEng.exe", "services.exe", '"{path}"'),
)
_COM = (
    ("RuntimeBroker.exe", "C:\\Windows\\System32\\RuntimeBroker.exe -Embedding"),
    ("dllhost.exe", "C:\\Windows\\system32\\DllHost.exe /Processid:{{E10F6C3A-F1AE-4ADC-AA9D-2FE65525666E}}"),
    ("backgroundTaskHost.exe", '"{path}" -ServerName:CortanaUI.AppXy7vb4pc2dr3kc93kfc509b1d0arkfb2x.mca'),
    ("WmiPrvSE.exe", "C:\\Windows\\system32\\wbem\\wmiprvse.exe -Embedding"),
)
_DOCUMENTS = (
    ("WINWORD.EXE", '"{path}" /n "C:\\Users\\{user}\\Documents\\Отчёт за март.docx"'),
    ("EXCEL.EXE", '"{path}" "C:\\Users\\{user}\\Documents\\売上 2021-03.xlsx"'),
    ("notepad.exe", '"{path}" C:\\Users\\{user}\\Desktop\\רשימה.txt'),
    ("7zG.exe", '"{path}" x -o"C:\\Users\\{user}\\Desktop" "C:\\Users\\{user}\\Downloads\\🎁.zip"'),
)
_TYPED = (
    ("ipconfig.exe", "ipconfig /all"),
    ("whoami.exe", "whoami /groups"),
    ("PING.EXE", "ping -n 4 10.20.0.20"),
    ("nltest.exe", "nltest /dsgetdc:corp.example"),
    ("Robocopy.exe", 'robocopy C:\\Daten "\\\\srv201\\share\\Übergabe – März" /e'),
)


class Life:
    """The processes of one run of a host, in the making."""

    services: Process
    explorer: Process

    def __init__(self, host: Host, boot: Boot, plan: Plan, seed: int) -> None:
        self.host, self.boot, self.plan, self.seed = host, boot, plan, seed
        self.processes: list[Process] = []

    def draw(self, topic: str) -> Random:
        """Random numbers for one topic, which no other topic's numbers depend on."""
        return Random(f"{self.seed}/{self.host.label}/{self.boot.number}/{topic}")

    def start(
        self,
        program: str,
        parent: Process | None,
        moment: int,
        lasting: int | None,
        command: str,
        account: Account | None = None,
    ) -> Process:
        """A new process; it lasts so many milliseconds, or until the host goes down."""
        known, user = PROGRAMS[program.lower()], self.host.user
        image = known.path.format(user=user.name)
        account = account or (parent.account if parent else SYSTEM)
        down = self.boot.end
        lasts = lasting is not None and moment + lasting < (END + HOUR if down is None else down - 2 * SECOND)
        logged = program.lower() not in self.host.sensing.create_left_out
        process = Process(
            self.host,
            self.boot,
            image,
            command.format(path=image, user=user.name),
            account,
            parent,
            moment,
            moment + lasting if lasts and lasting is not None else down,
            folder=f"C:\\Users\\{user.name}\\" if account is user else "C:\\Windows\\system32\\",
            sysmon=logged,
            audited=not logged or self.draw(f"audited {len(self.processes)}").random() < 0.93,
        )
        self.processes.append(process)
        return process

    def power_on(self, services: Sequence[Service], prefix: str, scheduler: str) -> None:
        """System, the session processes and the services. All but the first program are older than the sensors."""
        random = self.draw("boot")
        moment = self.boot.begin
        core: dict[str, Process] = {}

        def begin(program: str, parent: Process | None, command: str, account: Account = SYSTEM) -> None:
            nonlocal moment
            moment += random.randint(700, 2400)
            core[program] = self.start(program, parent, moment, None, command, account)

        begin("System", None, "System")
        begin("smss.exe", core["System"], "\\SystemRoot\\System32\\smss.exe")
        for program, parent, command in _CORE:
            begin(program, core[parent], command)
        for group, account in services:
            begin("svchost.exe", core["services.exe"], f"{prefix} -k {group}", account)
        begin("svchost.exe", core["services.exe"], scheduler)
        for process in self.processes:
            process.sysmon, process.audited = process.name == "smss.exe", False
        self.services = core["services.exe"]
        moment += 8 * SECOND
        begin("explorer.exe", core["winlogon.exe"], "C:\\Windows\\Explorer.EXE", self.host.user)
        self.explorer = core["explorer.exe"]
        self.explorer.sysmon = self.explorer.audited = True

    def service(self, part: str) -> Process:
        """The youngest service whose command line has this part."""
        return next(p for p in reversed(self.processes) if p.name == "svchost.exe" and part in p.command_line)

    def open(self, moment: int) -> bool:
        """Whether a process may start now: the host is up, in this run, and will be for a while."""
        begin, end = self.boot.begin + 3 * MINUTE, self.boot.end
        inside = begin < moment and (end is None or moment < end - 3 * MINUTE)
        return inside and self.host.up(moment) and self.host.up(moment + 3 * MINUTE)

    def moments(self, topic: str, number: float, day: int, hours: tuple[float, float] = (0.1, 23.9)) -> list[int]:
        """So many times of a day, less those at which the host is not up."""
        random = self.draw(f"{topic}/{day}")
        return sorted(t for t in (at(day, random.uniform(*hours)) for _ in range(round(number))) if self.open(t))

    def come_and_go(self, day: int) -> None:
        """Services on demand, brokers and workers that Windows starts all day long."""
        random = self.draw(f"windows/{day}")
        for moment in self.moments("on demand", self.plan.on_demand, day):
            group, account = random.choice(ON_DEMAND)
            lasting = random.randint(2, 40) * MINUTE
            self.start("svchost.exe", self.services, moment, lasting, f"{SVCHOST} -k {group}", account)
        com = next(p for p in self.processes if "-k DcomLaunch" in p.command_line)
        for moment in self.moments("com", 34 * self.plan.size, day):
            program, command = random.choice(_COM)
            self.start(program, com, moment, random.randint(5, 400) * SECOND, command)
        indexer = next(p for p in self.processes if p.name == "SearchIndexer.exe")
        for moment in self.moments("search", 14 * self.plan.size, day):
            self.start(
                "SearchProtocolHost.exe",
                indexer,
                moment,
                70 * SECOND,
                '"{path}" Global\\UsGthrFltPipeMssGthrPipe1_ 1 -2147483646',
            )
            self.start("SearchFilterHost.exe", indexer, moment, 70 * SECOND, '"{path}" 0 804 808 816 8192 812')

    def work(self, day: int) -> None:
        """A user's day: mail, browser, documents, a console now and then."""
        random = self.draw(f"work/{day}")
        scale = self.plan.size
        for program in ("OUTLOOK.EXE", "Teams.exe"):
            for moment in self.moments(program, 1, day, (8, 9.5)):
                self.start(program, self.explorer, moment, random.randint(4, 8) * HOUR, '"{path}"')
        for moment in self.moments("browser", 3 * scale + 0.5, day, (8.5, 16)):
            browser = self.start("chrome.exe", self.explorer, moment, random.randint(40, 160) * MINUTE, '"{path}"')
            for tab in range(5, 5 + random.randint(2, 7)):
                kind = random.choice(("renderer", "utility", "gpu-process"))
                command = f'"{{path}}" --type={kind} --lang=de --renderer-client-id={tab}'
                later = moment + random.randint(1, 170) * SECOND
                self.start("chrome.exe", browser, later, random.randint(1, 30) * MINUTE, command)
        for moment in self.moments("documents", 7 * scale, day, (8.5, 17.5)):
            program, command = random.choice(_DOCUMENTS)
            self.start(program, self.explorer, moment, random.randint(1, 50) * MINUTE, command)
        for moment in self.moments("console", 3 * scale + 0.5, day, (9, 17)):
            self.console(self.explorer, moment, random)

    def console(self, desk: Process, moment: int, random: Random) -> None:
        """A command window and what is typed into it."""
        lasting = random.randint(4, 14) * MINUTE
        shell = self.start("cmd.exe", desk, moment, lasting, '"C:\\Windows\\system32\\cmd.exe"')
        self.start("conhost.exe", shell, moment + random.randint(400, 900), lasting - 2 * SECOND, CONHOST)
        moment += random.randint(4_000, 20_000)
        for _ in range(random.randint(1, 4)):
            program, command = random.choice(_TYPED)
            lasting = random.randint(800, 9_000)
            self.start(program, shell, moment, lasting, command)
            moment += lasting + random.choice((random.randint(1_000, 2_500), random.randint(8_000, 40_000)))

    def schedule(self, day: int, number: int) -> None:
        """The scheduled tasks of a day, mixed by their weights."""
        random = self.draw(f"tasks/{day}")
        weights = [t[3] for t in TASKS]
        chosen = [t for t in TASKS for _ in range(number * t[3] // sum(weights))]
        chosen += random.choices(TASKS, weights, k=number - len(chosen))
        for program, command, as_system, _ in chosen:
            found = self.slot(random, day)
            if found is None:
                continue
            moment, scheduler = found
            lasting = random.choice((random.randint(1_200, 30_000), random.randint(30_000, 900_000)))
            task = self.start(program, scheduler, moment, lasting, command, SYSTEM if as_system else self.host.user)
            if program in ("cmd.exe", "powershell.exe"):
                later = moment + random.randint(400, 700)
                self.start("conhost.exe", task, later, max(lasting - 800, 1000), TASK_CONHOST)

    def slot(self, random: Random, day: int) -> tuple[int, Process] | None:
        """When a task of the day can run and is recorded, often on the full minute; and the scheduler of that time."""
        schedulers = [p for p in self.processes if p.name == "svchost.exe" and "-s Schedule" in p.command_line]
        for _ in range(100):
            moment = at(day, random.uniform(0.1, 23.9))
            moment -= moment % MINUTE if random.random() < 0.35 else 0
            scheduler = youngest(schedulers, moment - MINUTE)
            kept = all(self.host.recorded(m) for m in (moment, moment + 2 * MINUTE))
            if scheduler and scheduler.alive(moment) and kept and self.open(moment):
                return moment, scheduler
        return None
