"""The programs of the simulated network, and what each is wont to do."""

from __future__ import annotations

from dataclasses import dataclass

from tools.simulator.world import LOCAL_SERVICE, NETWORK_SERVICE, SYSTEM, Account, basename

SYSTEM32 = "C:\\Windows\\System32"
MICROSOFT = "Microsoft Corporation"
WINDOWS = "Microsoft® Windows® Operating System"


@dataclass(frozen=True)
class Habit:
    """How many deeds of each kind: (soon after the start, then per hour), mean numbers."""

    connects: tuple[float, float] = (0, 0)
    queries: tuple[float, float] = (0, 0)
    writes: tuple[float, float] = (0, 0)
    loads: tuple[float, float] = (0, 0)
    sets: tuple[float, float] = (0, 0)
    sites: str = "web"
    folder: str = "C:\\Windows\\Temp"
    modules: tuple[str, ...] = ()


IDLE = Habit()


@dataclass(frozen=True)
class Program:
    path: str
    description: str
    company: str = MICROSOFT
    product: str = WINDOWS
    version: str = "10.0.17763.1 (WinBuild.160101.0800)"
    habit: Habit = IDLE

    @property
    def name(self) -> str:
        return basename(self.path)


def _system(name: str, description: str, habit: Habit = IDLE) -> Program:
    return Program(f"{SYSTEM32}\\{name}", description, habit=habit)


_BROWSER = "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"
_OFFICE = "C:\\Program Files\\Microsoft Office\\root\\Office16"
_SERVES = Habit(connects=(0, 0.06), sets=(0, 0.07), sites="update")
_POLICY = Habit(connects=(1, 0), sets=(2, 0), sites="server")
_ONEDRIVE = "C:\\Users\\{user}\\AppData\\Local\\Microsoft\\OneDrive"
_UPDATES = Habit(connects=(1.2, 0), queries=(0.8, 0), sets=(0.6, 0), sites="update")

_PROGRAMS = [
    Program("System", "", company="", product=""),
    _system("smss.exe", "Windows Session Manager"),
    _system("csrss.exe", "Client Server Runtime Process"),
    _system("wininit.exe", "Windows Start-Up Application"),
    _system("winlogon.exe", "Windows Logon Application"),
    _system("services.exe", "Services and Controller app", Habit(sets=(2, 0.8))),
    _system("lsass.exe", "Local Security Authority Process", Habit(connects=(0, 0.5), sets=(0, 0.3), sites="server")),
    _system("dwm.exe", "Desktop Window Manager"),
    _system("spoolsv.exe", "Spooler SubSystem App", Habit(connects=(0, 0.1), sets=(0, 0.3), sites="server")),
    _system("svchost.exe", "Host Process for Windows Services", _SERVES),
    _system("SearchIndexer.exe", "Microsoft Windows Search Indexer", Habit(sets=(0, 0.5))),
    _system("SearchProtocolHost.exe", "Microsoft Windows Search Protocol Host"),
    _system("SearchFilterHost.exe", "Microsoft Windows Search Filter Host"),
    _system("backgroundTaskHost.exe", "Background Task Host", Habit(connects=(0.3, 0), sets=(0.4, 0))),
    _system("RuntimeBroker.exe", "Runtime Broker", Habit(sets=(0.5, 0))),
    _system("dllhost.exe", "COM Surrogate", Habit(sets=(0.3, 0))),
    _system("conhost.exe", "Console Window Host"),
    _system("cmd.exe", "Windows Command Processor", Habit(writes=(0.2, 0), folder="C:\\ProgramData\\backup")),
    _system("ipconfig.exe", "IP Configuration Utility"),
    _system("whoami.exe", "whoami - displays logged on user information"),
    _system("PING.EXE", "TCP/IP Ping Command"),
    _system("nltest.exe", "Microsoft Logon Server Test Utility", Habit(connects=(1, 0), sites="server")),
    _system("Robocopy.exe", "Microsoft Robocopy", Habit(connects=(1.5, 0), sites="server")),
    _system("notepad.exe", "Notepad"),
    _system("taskhostw.exe", "Host Process for Windows Tasks", Habit(sets=(1, 0.2))),
    _system("gpupdate.exe", "Microsoft® Group Policy Update Utility", _POLICY),
    _system("CompatTelRunner.exe", "Microsoft Compatibility Telemetry", _UPDATES),
    _system("DeviceCensus.exe", "Device Information", _UPDATES),
    _system("UsoClient.exe", "UsoClient", Habit(sets=(0.8, 0))),
    _system("sc.exe", "Service Control Manager Configuration Tool"),
    _system("rundll32.exe", "Windows host process (Rundll32)", Habit(sets=(0.6, 0))),
    _system("defrag.exe", "Disk Defragmenter Module", Habit(sets=(1, 0))),
    _system("dsregcmd.exe", "DSREG commandline tool", Habit(connects=(0.8, 0), sites="web")),
    _system("wsqmcons.exe", "Windows SQM Consolidator", Habit(sets=(0.6, 0))),
    _system("WindowsPowerShell\\v1.0\\powershell.exe", "Windows PowerShell", Habit(writes=(1, 0.3), sets=(0.3, 0))),
    _system("wbem\\WmiPrvSE.exe", "WMI Provider Host", Habit(sets=(0.5, 0))),
    Program("C:\\Windows\\explorer.exe", "Windows Explorer", habit=Habit(sets=(8, 4), connects=(0, 0.4))),
    Program(
        "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.2103.7-0\\MsMpEng.exe",
        "Antimalware Service Executable",
        habit=Habit(connects=(0, 0.6), queries=(0, 0.4), sets=(0, 0.8), sites="update"),
    ),
    Program(
        "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.2103.7-0\\MpCmdRun.exe",
        "Microsoft Malware Protection Command Line Utility",
        habit=Habit(
            loads=(1.5, 0),
            modules=("C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.2103.7-0\\MpClient.dll",),
        ),
    ),
    Program(
        _BROWSER,
        "Google Chrome",
        "Google LLC",
        "Google Chrome",
        "89.0.4389.114",
        Habit(
            connects=(2, 3),
            queries=(1.2, 2),
            writes=(0.3, 0.5),
            loads=(0.4, 0),
            folder="C:\\Users\\{user}\\Downloads",
            modules=("C:\\Users\\{user}\\AppData\\Local\\Google\\Chrome\\User Data\\WidevineCdm\\widevinecdm.dll",),
        ),
    ),
    Program(
        "C:\\Program Files (x86)\\Google\\Update\\GoogleUpdate.exe",
        "Google Installer",
        "Google LLC",
        "Google Update",
        "1.3.36.72",
        _UPDATES,
    ),
    Program(
        "C:\\Program Files (x86)\\Microsoft\\EdgeUpdate\\MicrosoftEdgeUpdate.exe",
        "Microsoft Edge Update",
        version="1.3.143.57",
        habit=_UPDATES,
    ),
    Program(
        _ONEDRIVE + "\\OneDriveStandaloneUpdater.exe",
        "Standalone Updater",
        version="21.052.0314.0001",
        habit=Habit(
            connects=(1, 0),
            queries=(1, 0),
            writes=(1, 0),
            loads=(2, 0),
            sites="update",
            folder=_ONEDRIVE + "\\Update",
            modules=(_ONEDRIVE + "\\21.052.0314.0001\\UpdateRingSettings.dll",),
        ),
    ),
    Program(
        "C:\\Users\\{user}\\AppData\\Local\\Microsoft\\Teams\\current\\Teams.exe",
        "Microsoft Teams",
        version="1.4.00.7174",
        habit=Habit(
            connects=(3, 2.5),
            queries=(2, 1.5),
            writes=(0.4, 0.1),
            loads=(2, 0),
            folder="C:\\Users\\{user}\\AppData\\Roaming\\Microsoft\\Teams",
            modules=(
                "C:\\Users\\{user}\\AppData\\Local\\Microsoft\\Teams\\current\\ffmpeg.dll",
                "C:\\Users\\{user}\\AppData\\Local\\Microsoft\\Teams\\current\\libEGL.dll",
            ),
        ),
    ),
    Program(
        f"{_OFFICE}\\OUTLOOK.EXE",
        "Microsoft Outlook",
        habit=Habit(connects=(4, 3), queries=(2, 1), sets=(4, 2), sites="mail"),
    ),
    Program(f"{_OFFICE}\\WINWORD.EXE", "Microsoft Word", habit=Habit(connects=(0.5, 0.3), sets=(5, 2), loads=(1, 0))),
    Program(f"{_OFFICE}\\EXCEL.EXE", "Microsoft Excel", habit=Habit(connects=(0.5, 0.2), sets=(5, 2))),
    Program(
        "C:\\Program Files\\7-Zip\\7zG.exe",
        "7-Zip GUI",
        "Igor Pavlov",
        "7-Zip",
        "19.00",
        Habit(writes=(2, 0), folder="C:\\Users\\{user}\\Desktop"),
    ),
    Program(
        "C:\\Program Files\\Inventory\\collect.exe",
        "Inventory Agent 資産管理",
        "Example Co., Ltd.",
        "Inventory",
        "5.0.2",
        Habit(connects=(1, 0), sets=(1.5, 0), sites="server"),
    ),
    Program(
        "C:\\inetpub\\sql\\sqlservr.exe",
        "SQL Server Windows NT - 64 Bit",
        habit=Habit(connects=(0, 0.4), sets=(0, 0.5), sites="server"),
    ),
    Program(
        "C:\\ProgramData\\Amcet\\amcet.exe",
        "Amcet Update Service",
        "Amcet Software",
        "Amcet Updater",
        "1.0.3.11",
        Habit(sets=(0.8, 0), loads=(0.9, 0), modules=("C:\\ProgramData\\Amcet\\amcore.dll",)),
    ),
]
PROGRAMS = {p.name.lower(): p for p in _PROGRAMS}

SVCHOST = "C:\\Windows\\system32\\svchost.exe"
SCHEDULE = f"{SVCHOST} -k netsvcs -p -s Schedule"

Service = tuple[str, Account]
"""What follows `svchost.exe -k`, and the account it runs as."""


def _each(group: str, account: Account, services: str) -> tuple[Service, ...]:
    return tuple((f"{group} -p -s {service}", account) for service in services.split())


DESKTOP_SERVICES: tuple[Service, ...] = (
    ("DcomLaunch -p", SYSTEM),
    ("RPCSS -p", NETWORK_SERVICE),
    *_each("DcomLaunch", SYSTEM, "LSM PlugPlay"),
    *_each("netsvcs", SYSTEM, "gpsvc ProfSvc SENS Themes UserManager Winmgmt ShellHWDetection"),
    *_each("netsvcs", SYSTEM, "LanmanServer TokenBroker wlidsvc BITS wuauserv UsoSvc lfsvc Appinfo"),
    *_each("LocalServiceNetworkRestricted", LOCAL_SERVICE, "EventLog Dhcp lmhosts wscsvc TimeBrokerSvc AudioSrv"),
    *_each("LocalService", LOCAL_SERVICE, "nsi EventSystem FontCache netprofm CDPSvc WdiServiceHost LicenseManager"),
    *_each("NetworkService", NETWORK_SERVICE, "Dnscache NlaSvc LanmanWorkstation CryptSvc DoSvc TermService"),
    *_each("LocalSystemNetworkRestricted", SYSTEM, "SysMain TrkWks NcbService StorSvc DeviceAssociationService PcaSvc"),
    ("LocalServiceNoNetworkFirewall -p", LOCAL_SERVICE),
    ("LocalServiceNoNetwork -p -s DPS", LOCAL_SERVICE),
    ("LocalServiceAndNoImpersonation -p -s SSDPSRV", LOCAL_SERVICE),
    ("utcsvc -p", SYSTEM),
    ("imgsvc", LOCAL_SERVICE),
    ("UnistackSvcGroup -s CDPUserSvc", SYSTEM),
    ("UnistackSvcGroup -s WpnUserService", SYSTEM),
    ("appmodel -p -s StateRepository", SYSTEM),
)
GROUPED_SERVICES: tuple[Service, ...] = (
    ("DcomLaunch", SYSTEM),
    ("RPCSS", NETWORK_SERVICE),
    ("netsvcs", SYSTEM),
    ("LocalService", LOCAL_SERVICE),
    ("LocalServiceNoNetwork", LOCAL_SERVICE),
    ("LocalServiceNetworkRestricted", LOCAL_SERVICE),
    ("LocalSystemNetworkRestricted", SYSTEM),
    ("NetworkService", NETWORK_SERVICE),
    ("NetworkServiceNetworkRestricted", NETWORK_SERVICE),
    ("LocalServiceAndNoImpersonation", LOCAL_SERVICE),
    ("utcsvc", SYSTEM),
    ("appmodel", SYSTEM),
    ("UnistackSvcGroup", SYSTEM),
    ("termsvcs", NETWORK_SERVICE),
    ("smbsvcs", SYSTEM),
    ("iissvcs", SYSTEM),
)
ON_DEMAND: tuple[Service, ...] = (
    ("wsappx -p -s ClipSVC", SYSTEM),
    ("wsappx -p -s AppXSvc", SYSTEM),
    ("netsvcs -p -s WerSvc", SYSTEM),
    ("swprv", SYSTEM),
    ("netsvcs -p -s sacsvr", SYSTEM),
    ("wusvcs -p -s WaaSMedicSvc", SYSTEM),
    ("LocalService -p -s fdPHost", LOCAL_SERVICE),
    ("netsvcs -p -s DsSvc", SYSTEM),
)
"""Services that come and go."""

_BACKUP = 'cmd.exe /c "C:\\Program Files\\Inventory\\backup.cmd" >nul 2>&1'
_REPORT = 'powershell.exe -NoProfile -ExecutionPolicy Bypass -File "C:\\Scripts\\Отчёт за апрель.ps1"'
TASKS: tuple[tuple[str, str, bool, int], ...] = (
    ("taskhostw.exe", "taskhostw.exe", True, 18),
    ("taskhostw.exe", "taskhostw.exe KEYROAMING", False, 6),
    ("taskhostw.exe", "taskhostw.exe Install $(Arg0)", True, 6),
    ("gpupdate.exe", "C:\\Windows\\system32\\gpupdate.exe /target:computer", True, 8),
    ("mpcmdrun.exe", '"{path}" Scan -ScheduleJob -ScanTrigger 55 -IdleScheduledJob', True, 6),
    ("googleupdate.exe", '"{path}" /ua /installsource scheduler', True, 12),
    ("microsoftedgeupdate.exe", '"{path}" /ua /installsource scheduler', True, 10),
    ("onedrivestandaloneupdater.exe", "{path}", False, 5),
    ("compattelrunner.exe", "C:\\Windows\\system32\\compattelrunner.exe -maintenance", True, 3),
    ("devicecensus.exe", "C:\\Windows\\system32\\devicecensus.exe UserCxt", True, 3),
    ("usoclient.exe", "C:\\Windows\\system32\\usoclient.exe StartScan", True, 7),
    ("sc.exe", "C:\\Windows\\system32\\sc.exe start wuauserv", True, 4),
    ("rundll32.exe", "C:\\Windows\\system32\\rundll32.exe /d acproxy.dll,PerformAutochkOperations", True, 2),
    ("defrag.exe", "C:\\Windows\\system32\\defrag.exe -c -h -o -$", True, 2),
    ("dsregcmd.exe", "C:\\Windows\\System32\\dsregcmd.exe", True, 4),
    ("cmd.exe", _BACKUP, True, 5),
    ("powershell.exe", _REPORT, False, 4),
    ("collect.exe", '"{path}" --部署 東京 --quiet', True, 4),
    ("wsqmcons.exe", "C:\\Windows\\System32\\wsqmcons.exe", True, 2),
)
"""Scheduled tasks: program, command line, whether as SYSTEM (else as the user), how often."""

SITES: dict[str, tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = {
    "web": (
        ("www.example.com", (), ("93.184.216.34",)),
        ("Www.Bing.com", ("a-0001.a-afdentry.net.trafficmanager.net",), ("204.79.197.200", "13.107.21.200")),
        ("login.microsoftonline.com", ("a.privatelink.msidentity.com",), ("20.190.160.17", "40.126.32.134")),
        ("teams.microsoft.com", ("teams-msedge-net.s-0005.s-msedge.net",), ("52.113.194.132",)),
        ("fonts.gstatic.com", (), ("142.250.185.195", "2a00:1450:4001:82a::2003")),
        ("xn--d1acpjx3f.xn--p1ai", (), ("5.255.255.70",)),
        ("intranet.corp.example", (), ("10.20.0.20",)),
        ("cdn.jsdelivr.net", ("jsdelivr.map.fastly.net",), ("151.101.1.229", "151.101.65.229")),
    ),
    "update": (
        ("fe2.update.microsoft.com", ("fe2.update.microsoft.com.nsatc.net",), ("20.54.24.69", "20.54.24.148")),
        ("ctldl.windowsupdate.com", ("audownload.windowsupdate.nsatc.net",), ("93.184.221.240",)),
        ("update.googleapis.com", (), ("142.250.186.67",)),
        ("msedge.api.cdp.microsoft.com", ("api.cdp.microsoft.com",), ("20.50.64.25",)),
        ("wdcp.microsoft.com", ("wd-prod-cp.trafficmanager.net",), ("104.40.17.153",)),
    ),
    "mail": (("outlook.office365.com", ("ooc-g2.tm-4.office.com",), ("52.97.183.162", "40.101.92.18")),),
    "server": (("srv201.corp.example", (), ("10.20.0.20",)),),
}
"""Where programs of each kind go: name asked for, other names it has, addresses."""

_SERVICES = "HKLM\\System\\CurrentControlSet\\Services"
_MACHINE = "HKLM\\SOFTWARE\\Microsoft"
_TASK = f"{_MACHINE}\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tasks\\{{0F4C2A11-7D1F-4E7B-9C66-2B1B4F1D7A10}}"
_USER = "HKU\\{sid}\\Software\\Microsoft"
_EXPLORER = f"{_USER}\\Windows\\CurrentVersion\\Explorer"
KEYS: tuple[tuple[str, str, str], ...] = (
    (f"{_SERVICES}\\W32Time\\SecureTimeLimits", "SecureTimeHigh", "QWORD (0x01d6fe11-0x3f2eebc3)"),
    (f"{_SERVICES}\\BITS", "Start", "DWORD (0x00000003)"),
    (f"{_SERVICES}\\bam\\State\\UserSettings\\S-1-5-18", "Version", "DWORD (0x00000001)"),
    (f"{_MACHINE}\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update", "LastOnlineScanTime", "Binary Data"),
    (f"{_MACHINE}\\Windows Defender\\Signature Updates", "SignaturesLastUpdated", "Binary Data"),
    (_TASK, "DynamicInfo", "Binary Data"),
    (_TASK, "Path", "\\Microsoft\\Windows\\Обслуживание\\Отчёт"),
    (f"{_EXPLORER}\\RecentDocs\\.docx", "MRUListEx", "Binary Data"),
    (f"{_EXPLORER}\\UserAssist\\{{CEBFF5CD-ACE2-4F4F-9178-9926F41749EA}}\\Count", "HRZR_PGYFRFFVBA", "Binary Data"),
    (f"{_USER}\\Office\\16.0\\Common\\Отчёты", "Последний", "C:\\Users\\Public\\Документы\\Отчёт.docx"),
    (f"{_USER}\\Windows\\CurrentVersion\\Run", "OneDrive", '"C:\\Users\\Public\\OneDrive.exe" /background'),
    ("HKU\\.DEFAULT\\Software\\Microsoft\\IdentityCRL\\ExtendedProperties", "LID", "0018000D863156D2"),
)
"""Registry values that are written: key, value name, what Sysmon shows as the data."""

WRITTEN: tuple[str, ...] = (
    "setup.exe",
    "{n}.tmp",
    "__PSScriptPolicyTest_{n}.ps1",
    "Счёт-{n}.js",
    "見積書.exe",
    "Settings.json",
    "Update-{n}.exe",
    "helper.dll",
    "notes.docx",
    "חשבונית {n}.vbs",
    "🎉 party.bat",
    "data-{n}.log",
)
"""Names of files that programs write; `{n}` is a number."""
EXECUTABLE = frozenset({"exe", "dll", "ps1", "js", "vbs", "bat", "cmd"})
"""File types whose creation a lean Sysmon configuration logs."""
