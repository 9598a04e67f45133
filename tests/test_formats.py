"""Log formats are data: the shipped ones, those of a user, and what is wrong with a definition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.engine import attributes
from kestrel.errors import HuntErrors
from kestrel.formats import definition, format
from kestrel.formats.definition import FOLDER_VARIABLE
from kestrel.formats.format import ambiguities, log_formats
from kestrel.formats.readers import mending
from kestrel.ingest import dataset
from tests.events import write

MINE = """name: mine
about: a log of my own
recognise: {has: [when, what.pid]}
host: machine
code: "'start'"
provider: "'Mine'"
record: number
sensors: {mine: {provider: [Mine]}}
clock: {otherwise: "times(when, 0.001)"}
events:
  mine:
    start:
      kind: process-create
      process.pid: pid(what.pid)
      process.name: name(what.program)
      process.command_line: text(inside(details, 'line'))
"""
RECORD = {"when": 1709632800000, "machine": "h", "number": 7, "what": {"pid": 12, "program": "/bin/ls"}, "details": json.dumps({"line": "ls -l"})}


def forget() -> None:
    """Let the next session read the definitions again."""
    for cached in (definition.definitions, format.log_formats, format.sensors, format.sensor_numbers, format.digest):
        cached.cache_clear()
    dataset._vocabulary.cache_clear()
    attributes._of_sensor.cache_clear()
    for held in vars(mending).values():
        if hasattr(held, "cache_clear") and getattr(held, "__module__", "") == mending.__name__:
            held.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the user's own log formats."""
    path = tmp_path / "formats"
    path.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(path))
    forget()
    yield path
    monkeypatch.undo()
    forget()


def rows(session: Session, hunt: str, name: str = "p") -> list[dict[str, Any]]:
    session.run(hunt)
    return session[name].to_dicts()


# -- shipped -------------------------------------------------------------------------------------------------------


def test_no_two_formats_recognise_a_record_by_equally_many_marks() -> None:
    assert list(ambiguities(log_formats().values())) == []


CONNECTION = {"ts": 1591367999.305988, "uid": "CMdzit1AMNsmfAIiQc", "proto": "udp", "service": "dns"}
ENDS = {"orig_h": "192.168.4.76", "orig_p": 36844, "resp_h": "192.168.4.1", "resp_p": 53}


@pytest.mark.parametrize("separator", [".", "_"])
def test_connections_of_zeek(tmp_path: Path, session: Session, separator: str) -> None:
    log = write(tmp_path / "conn.log", [CONNECTION | {f"id{separator}{name}": value for name, value in ENDS.items()}])
    (row,) = rows(session, f"p = GET network-traffic FROM '{log}' WHERE dst_port = 53")
    assert (row["src_ref.value"], row["src_port"], row["dst_ref.value"], row["protocols[*]"]) == ("192.168.4.76", 36844, "192.168.4.1", "udp")
    assert row["first_observed"].isoformat() == "2020-06-05T14:39:59.305988"


def test_the_originator_of_zeek_is_the_source_whatever_the_ports(tmp_path: Path, session: Session) -> None:
    ends = {"id.orig_h": "10.0.0.1", "id.orig_p": 80, "id.resp_h": "10.0.0.2", "id.resp_p": 50000}
    log = write(tmp_path / "conn.log", [CONNECTION | ends | {"proto": "tcp"}])
    (row,) = rows(session, f"p = GET network-traffic FROM '{log}'")
    assert (row["src_port"], row["dst_port"]) == (80, 50000)


LAUNCH: dict[str, Any] = {
    "class_uid": 1007,
    "activity_id": 1,
    "type_uid": 100701,
    "time": 1615564094000,
    "metadata": {"version": "1.1.0", "uid": "a47bd2fb", "product": {"name": "Windows"}},
    "device": {"hostname": "DC1.example.org"},
    "actor": {"process": {"pid": 3948, "file": {"path": "C:\\Windows\\System32\\cmd.exe"}}, "user": {"domain": "EX", "name": "alice"}},
    "process": {
        "pid": 4696,
        "cmd_line": "reg save HKLM\\system x",
        "file": {"name": "reg.exe", "path": "C:\\Windows\\System32\\reg.exe", "hashes": [{"algorithm": "SHA-256", "value": "ab" * 32}]},
        "user": {"domain": "-", "name": "-"},
    },
}


def test_process_activity_of_ocsf(tmp_path: Path, session: Session) -> None:
    ended = LAUNCH | {"type_uid": 100702, "activity_id": 2, "time": 1615564095000, "metadata": LAUNCH["metadata"] | {"uid": "b"}}
    log = write(tmp_path / "ocsf.json", [LAUNCH, ended])
    (row,) = rows(session, f"p = GET process FROM '{log}' WHERE name = 'reg.exe'")
    assert (row["pid"], row["command_line"], row["number_observed"]) == (4696, "reg save HKLM\\system x", 2)
    assert (row["parent_ref.name"], row["parent_ref.pid"], row["creator_user_ref.display_name"]) == ("cmd.exe", 3948, "EX\\alice")
    assert row["binary_ref.hashes.SHA-256"] == "AB" * 32 and row["first_observed"].isoformat() == "2021-03-12T15:48:14"
    session.run("q = FIND process CREATED p")
    assert [r["name"] for r in session["q"].to_dicts()] == ["cmd.exe"]


SYSMON = {"UtcTime": "2024-03-05 10:00:00.000", "ProcessGuid": "{A1B2C3D4-ED20-65E6-0000-000000000041}", "ProcessId": 3333}
SYSMON |= {
    "Image": "C:\\Windows\\System32\\cmd.exe",
    "CommandLine": "cmd.exe /c whoami",
    "ParentProcessId": "700",
    "ParentImage": "C:\\x\\explorer.exe",
}


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
def test_windows_events_of_sentinel(tmp_path: Path, session: Session, as_text: bool) -> None:
    envelope = {"TimeGenerated": "2024-03-05T10:00:01Z", "Computer": "WS1.example.org", "Provider": "Microsoft-Windows-Sysmon", "EventID": 1}
    channel = {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventRecordId": "9", "Type": "WindowsEvent"}
    log = write(tmp_path / "export.json", [envelope | channel | {"EventData": json.dumps(SYSMON) if as_text else SYSMON}])
    (row,) = rows(session, f"p = GET process FROM '{log}' WHERE name = 'cmd.exe'")
    assert (row["pid"], row["parent_ref.name"], row["first_observed"].isoformat()) == (3333, "explorer.exe", "2024-03-05T10:00:00")


def test_security_events_of_sentinel(tmp_path: Path, session: Session) -> None:
    event = {"EventID": 4688, "Channel": "Security", "EventSourceName": "Microsoft-Windows-Security-Auditing", "Computer": "WS1", "EventData": ""}
    process = {"NewProcessId": "0x100", "NewProcessName": "C:\\x\\cmd.exe", "ProcessId": "0x50", "ParentProcessName": "C:\\x\\explorer.exe"}
    log = write(tmp_path / "export.json", [event | process | {"TimeGenerated": "2024-03-05T10:00:00.123Z", "EventOriginId": "e1"}])
    (row,) = rows(session, f"p = GET process FROM '{log}' WHERE name = 'cmd.exe'")
    assert (row["pid"], row["parent_ref.pid"], row["first_observed"].isoformat()) == (256, 80, "2024-03-05T10:00:00.123000")


# -- of a user -----------------------------------------------------------------------------------------------------


def test_a_format_of_the_user_is_one_file(folder: Path, tmp_path: Path, session: Session) -> None:
    (folder / "mine.yaml").write_text(MINE, encoding="utf-8")
    log = write(tmp_path / "log.json", [RECORD])
    results = session.run(f"p = GET process FROM '{log}' INFO p")
    (row,) = session["p"].to_dicts()
    assert (row["name"], row["pid"], row["command_line"], row["first_observed"].isoformat()) == ("ls", 12, "ls -l", "2024-03-05T10:00:00")
    assert any("mine.yaml defines" in str(getattr(r, "message", "")) for r in results)
    assert any("read as `mine`" in str(getattr(r, "sources", "")) for r in results)


def test_a_format_is_never_read_from_beside_the_data(folder: Path, tmp_path: Path, session: Session) -> None:
    (tmp_path / "mine.yaml").write_text(MINE, encoding="utf-8")
    log = write(tmp_path / "log.json", [RECORD])
    with pytest.raises(HuntErrors, match="K0412"):
        session.run(f"p = GET process FROM '{log}'")


def test_a_format_extends_a_shipped_one(folder: Path, tmp_path: Path, session: Session) -> None:
    (folder / "own-flat.yaml").write_text(
        "name: windows-flat\nextends: windows-flat\nevents: {sysmon: {1: {process.cwd: text(Folder)}}}\n", encoding="utf-8"
    )
    event = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Hostname": "h", "@timestamp": "2024-03-05T10:00:00Z"}
    log = write(tmp_path / "log.json", [event | SYSMON | {"Folder": "C:\\here"}])
    (row,) = rows(session, f"p = GET process FROM '{log}' WHERE name = 'cmd.exe'")
    assert (row["cwd"], row["command_line"]) == ("C:\\here", "cmd.exe /c whoami")


WRONG = {
    "a part that does not exist": ("recognise:", "recognize:", "line 3: there is no part of a log format `recognize`", "did you mean `recognise`?"),
    "a shipped name": ("name: mine", "name: zeek", "line 1: `zeek` is a log format that ships with Kestrel", "write `extends: zeek`"),
    "no such column": ("process.pid:", "process.pdi:", "line 14: there is no column of the record layout `process.pdi`", "`process.pid`?"),
    "no such transform": ("name(what", "nam(what", "line 15: there is no transform `nam`", "did you mean `name`?"),
    "no such event type": ("process-create", "process-creation", "line 13: there is no event type `process-creation`", "`process-create`?"),
    "no such sensor": ("  mine:\n", "  their:\n", "line 11: there is no sensor of this log format `their`", "known: `mine`"),
    "an expression that is none": ("pid(what.pid)", "pid(what.pid", "line 14: `pid(what.pid` is not an expression", "write it like"),
    "too many arguments": ("pid(what.pid)", "pid(what.pid, 1)", "line 14: `pid` takes 1 argument, not 2", ""),
    "a part that is missing": ("host: machine\n", "", "it has no `host`", "a log format has"),
    "no YAML": ("about: a", "about: [a", "it is not valid YAML", ""),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_in_a_definition_is_located(folder: Path, tmp_path: Path, session: Session, wrong: str) -> None:
    old, new, message, hint = WRONG[wrong]
    (folder / "mine.yaml").write_text(MINE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(HuntErrors, match="K0414") as raised:
        session.run(f"p = GET process FROM '{write(tmp_path / 'log.json', [RECORD])}'")
    assert f"{folder / 'mine.yaml'}" in str(raised.value) and message in str(raised.value) and hint in str(raised.value)


def test_a_folder_that_is_missing_is_an_error(folder: Path, tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    forget()
    with pytest.raises(HuntErrors, match=r"K0414.*there is no such folder"):
        session.run(f"p = GET process FROM '{write(tmp_path / 'log.json', [RECORD])}'")


def test_a_format_is_chosen_by_name(tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [{"EventID": 1, "TimeGenerated": "2024-03-05T10:00:01Z", "EventData": SYSMON, "Provider": "x"}])
    with Session(log_format="windows-flt") as session, pytest.raises(HuntErrors, match="did you mean `windows-flat`"):
        session.run(f"p = GET process FROM '{log}'")
