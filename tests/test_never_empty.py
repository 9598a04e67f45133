"""What the records contain is found, or Kestrel reports what it does not know. Each test reasons from the few records that it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Notice, Table
from tests.events import connection, creation, guid, write

SECURITY = {"Channel": "Security", "SourceName": "Microsoft-Windows-Security-Auditing", "Hostname": "h1.example.org"}


def security(number: int, code: int, **fields: Any) -> dict[str, Any]:
    return {"EventID": code, "RecordNumber": number, "@timestamp": f"2021-01-01T02:00:{number % 60:02d}.000Z", **SECURITY, **fields}


class Log:
    """A session over one file of records."""

    def __init__(self, path: Path, records: list[dict[str, Any]]) -> None:
        self.path = write(path / "log.json", records)
        self.session = Session(rows=None)
        self.notices: list[Notice] = []

    def run(self, text: str) -> list[Any]:
        found = self.session.run(text.replace("$LOG", f"'{self.path}'"))
        self.notices += [r for r in found if isinstance(r, Notice)]
        return found

    def count(self, statement: str) -> int:
        self.run(f"counted = {statement}")
        return len(self.session["counted"])

    def rows(self, statement: str, attributes: str) -> list[tuple[Any, ...]]:
        found = self.run(f"shown = {statement}\nDISP shown ATTR {attributes}")
        return next(list(r.rows) for r in found if isinstance(r, Table))

    def codes(self) -> set[str]:
        return {d["code"] for n in self.notices for d in (n.details if n.code == "records" else ({"code": n.code},))}


# -- times -------------------------------------------------------------------------------------------------------

SAME = [
    1609466400,
    1609466400000,
    "1609466400",
    "1609466400000",
    "1609466400000000",
    "/Date(1609466400000)/",
    "2021-01-01T03:00:00+0100",
    "2021-01-01T03:00:00,000+01:00",
    "20210101T020000Z",
    "20210101T020000.000+0000",
    "Fri, 01 Jan 2021 03:00:00 +0100",
    "1 Jan 21 02:00:00 GMT",
    "Thu, 31 Dec 2020 21:00:00 EST",
    "2021-01-01T03:00+01",
    "2021-01-01 03:00 +01:00",
    "2021-01-01T05:00:00 +03",
    "2021-01-01 02:00:00",
    "2021-01-01T02:00:00.0000000Z",
]


@pytest.mark.parametrize("written", SAME, ids=str)
def test_a_time_in_every_spelling(written: object, tmp_path: Path) -> None:
    log = Log(tmp_path, [security(1, 4688, NewProcessId="0x10", NewProcessName="C:\\a.exe") | {"@timestamp": written}])
    (row,) = log.rows("GET process FROM $LOG START 2021-01-01T01:59:59Z STOP 2021-01-01T02:00:01Z", "first_observed")
    assert row[0].isoformat()[:19] == "2021-01-01T02:00:00"


NO_TIME = [
    "2016-12-31T23:59:60Z",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T23:59:59-05:00",
    "0000-01-01T00:00:00Z",
    "50000-01-01T00:00:00Z",
    "yesterday",
    "",
    None,
    "99999999999999999999999",
]


@pytest.mark.parametrize("written", NO_TIME, ids=str)
def test_a_record_without_a_usable_time_keeps_its_attributes(written: object, tmp_path: Path) -> None:
    strange = security(1, 4688, NewProcessId="0x10", NewProcessName="C:\\a.exe", CommandLine="a --x") | {"@timestamp": written}
    log = Log(tmp_path, [strange, security(2, 4688, NewProcessId="0x20", NewProcessName="C:\\b.exe")])
    assert log.rows("GET process FROM $LOG", "name, command_line") == [("b.exe", None), ("a.exe", "a --x")]
    assert log.rows("GET process FROM $LOG LIMIT 1", "name") == [("b.exe",)]
    assert log.count("GET process FROM $LOG START 2000-01-01T00:00:00Z STOP 2030-01-01T00:00:00Z") == 1
    assert "no-time" in log.codes()


def test_a_pid_alone_without_a_time_joins_nothing(tmp_path: Path) -> None:
    """The creation opens its own process; the handle record knows a pid and no time."""
    timeless = {"@timestamp": None}
    opened = security(2, 4658, ProcessId="0x10", ProcessName="C:\\a.exe") | timeless
    log = Log(tmp_path, [security(1, 4688, NewProcessId="0x10", NewProcessName="C:\\a.exe"), opened])
    assert log.count("GET process FROM $LOG WHERE pid = 16") == 2


def test_a_profile_sets_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"EventTime": "2021-01-01 04:00:00", **security(1, 4688, NewProcessId="0x10", NewProcessName="C:\\a.exe")}
    path = write(tmp_path / "log.json", [record | {"@timestamp": None}])
    for clock, expected in (("utc", "04:00:00"), ("+02:00", "02:00:00"), ("-0330", "07:30:00")):
        monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "file")
        monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(path), "clock": clock}))
        with Session() as session:
            found = session.run("p = GET process FROM stixshifter://lab\nDISP p ATTR first_observed")
        assert next(r for r in found if isinstance(r, Table)).rows[0][0].isoformat()[11:19] == expected
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(path), "clock": "noon"}))
    with Session() as session, pytest.raises(HuntErrors, match="clock"):
        session.run("p = GET process FROM stixshifter://lab")
    settings = tmp_path / "stixshifter.yaml"
    settings.write_text(json.dumps({"profiles": {"own": {"connector": "file", "clock": "-16:00", "connection": {"path": str(path)}}}}))
    monkeypatch.setenv("KESTREL_STIXSHIFTER_CONFIG", str(settings))
    with Session() as session:
        found = session.run("p = GET process FROM stixshifter://own\nDISP p ATTR first_observed")
    assert next(r for r in found if isinstance(r, Table)).rows[0][0].isoformat()[11:19] == "20:00:00"


# -- who ---------------------------------------------------------------------------------------------------------


def test_a_guid_is_the_same_without_braces_and_in_any_case(tmp_path: Path) -> None:
    bare = guid(1).strip("{}").lower()
    log = Log(tmp_path, [creation(1), creation(2, ParentProcessGuid=bare, ParentProcessId="101"), connection(1, 1, ProcessGuid=bare)])
    assert log.count("GET process FROM $LOG") == 2
    assert log.count("FIND process CREATED BY counted") == 1
    for written in (bare, bare.upper(), f"{{{bare}}}"):
        assert log.count(f"GET process FROM $LOG WHERE x_unique_id = '{written}'") == 1
        assert log.count(f"GET process FROM $LOG WHERE x_unique_id != '{written}'") == 1


@pytest.mark.parametrize("zero", ["{00000000-0000-0000-0000-000000000000}", "00000000-0000-0000-0000-000000000000"])
def test_the_zero_guid_is_no_id(zero: str, tmp_path: Path) -> None:
    log = Log(tmp_path, [creation(1, ProcessGuid=zero), creation(2, ProcessGuid=zero)])
    assert log.count("GET process FROM $LOG") == 2


def test_one_guid_of_two_creations_with_different_pids(tmp_path: Path) -> None:
    """Later records go by id and pid; one without a pid to the latest start before it."""
    shared = {"ProcessGuid": guid(1)}
    records = [creation(1), creation(2) | shared, connection(1, 1, ProcessId="102"), connection(2, 1, ProcessId=None)]
    log = Log(tmp_path, records)
    assert log.rows("GET process FROM $LOG", "pid, name") == [(101, "p1.exe"), (102, "p2.exe")]
    assert log.count("GET process FROM $LOG WHERE pid = 102") == 1
    assert log.count("FIND network-traffic CREATED BY counted") == 2
    assert "shared-ids" in log.codes()


def test_processes_known_only_by_name(tmp_path: Path) -> None:
    """One entity for each observation, and none for a missing name or pid 0."""
    named = [security(n, 4670, ProcessName="C:\\a.exe") for n in (1, 2)]
    nothing = [
        security(3, 4670, ProcessName="-"),
        security(4, 4670, ProcessName="System"),
        security(5, 4670, ProcessName="C:\\b.exe", ProcessId="0x0"),
    ]
    log = Log(tmp_path, [*named, *nothing])
    assert log.count("GET process FROM $LOG") == 2
    assert "known-by-name" in log.codes()
    again = Log(tmp_path, list(reversed([*named, *nothing])))
    log.run("p = GET process FROM $LOG")
    again.run("p = GET process FROM $LOG")
    assert {r["id"] for r in log.session["p"].to_dicts()} == {r["id"] for r in again.session["p"].to_dicts()}


def test_logons(tmp_path: Path) -> None:
    caller = {"SubjectUserSid": "S-1-5-18", "SubjectUserName": "H1$", "SubjectDomainName": "CORP"}
    target = {"TargetUserSid": "S-1-5-21-1-2-3-1001", "TargetUserName": "alice", "TargetDomainName": "CORP", "LogonType": "10"}
    process = {"ProcessId": "0x10", "ProcessName": "C:\\Windows\\System32\\svchost.exe"}
    log = Log(tmp_path, [security(1, 4624, **caller, **target, **process, IpAddress="::ffff:10.0.0.7"), security(2, 4625, **caller, **target)])
    wanted = "user_ref.account_login, actor_user_ref.account_login, src_ref.value, x_logon_type, x_outcome"
    assert log.rows("GET event FROM $LOG WHERE code = '4624'", wanted) == [("alice", "H1$", "10.0.0.7", "10", "success")]
    assert log.rows("GET event FROM $LOG WHERE x_outcome = 'failure'", "user_ref.account_login, src_ref.value") == [("alice", None)]
    log.run("a = GET user-account FROM $LOG WHERE account_login = 'alice'")
    assert log.count("FIND process OWNED BY a") == 0
    log.run("b = GET user-account FROM $LOG WHERE account_login = 'H1$'")
    assert log.count("FIND process OWNED BY b") == 1


def test_two_accounts_of_one_event_are_never_mixed(tmp_path: Path) -> None:
    caller = {"SubjectUserSid": "S-1-5-18", "SubjectUserName": "H1$", "SubjectDomainName": "CORP"}
    target = {"TargetUserSid": "S-1-0-0", "TargetUserName": "alice", "TargetDomainName": "CORP"}
    log = Log(tmp_path, [security(1, 4688, NewProcessId="0x10", NewProcessName="C:\\a.exe", **caller, **target)])
    assert log.rows("GET process FROM $LOG", "creator_user_ref.account_login, creator_user_ref.user_id") == [("alice", None)]


# -- what --------------------------------------------------------------------------------------------------------


def test_ports_that_are_listened_on_are_no_traffic(tmp_path: Path) -> None:
    listening = {
        "ProcessId": "500",
        "Application": "\\device\\harddiskvolume2\\a.exe",
        "SourceAddress": "0.0.0.0",
        "SourcePort": "4444",
        "Protocol": "6",
    }
    log = Log(tmp_path, [security(1, 5154, **listening), security(2, 5158, **listening)])
    assert log.rows("GET process FROM $LOG WHERE event:x_local_port = 4444", "pid") == [(500,)]
    assert log.count("GET network-traffic FROM $LOG") == 0


def test_blocked_traffic_is_never_that_which_was_permitted(tmp_path: Path) -> None:
    ends = {"SourceAddress": "10.0.0.1", "SourcePort": "50000", "DestAddress": "10.0.0.9", "DestPort": "443", "Protocol": "6", "Direction": "%%14593"}
    process = {"ProcessId": "500", "Application": "C:\\a.exe"}
    log = Log(tmp_path, [security(1, 5156, **process, **ends), security(2, 5157, **process, **ends)])
    assert sorted(log.rows("GET network-traffic FROM $LOG", "x_outcome, number_observed"), key=str) == [("blocked", 1), (None, 1)]


def test_a_renamed_key_is_known_by_both_names(tmp_path: Path) -> None:
    event = creation(1) | {"EventID": 14, "EventType": "RenameKey", "TargetObject": "HKLM\\SOFTWARE\\Old", "NewName": "HKLM\\SOFTWARE\\New"}
    value = creation(2) | {"EventID": 14, "EventType": "RenameValue", "TargetObject": "HKLM\\SOFTWARE\\K\\a", "NewName": "HKLM\\SOFTWARE\\K\\b"}
    log = Log(tmp_path, [event, value])
    keys = {key for (key,) in log.rows("GET windows-registry-key FROM $LOG", "key")}
    assert keys == {"HKLM\\SOFTWARE\\Old", "HKLM\\SOFTWARE\\New", "HKLM\\SOFTWARE\\K"}
    assert log.count("GET process FROM $LOG") == 2
    assert log.count("FIND windows-registry-key MODIFIED BY counted") == 3


@pytest.mark.parametrize(
    "spelling", ["C:\\Windows\\Temp\\x.exe", "\\\\?\\C:\\Windows\\Temp\\x.exe", "\\??\\c:\\windows\\temp\\X.exe", "\\SystemRoot\\Temp\\x.exe"]
)
def test_one_path_in_every_spelling(spelling: str, tmp_path: Path) -> None:
    first = creation(1) | {"EventID": 11, "TargetFilename": "C:\\Windows\\Temp\\x.exe"}
    log = Log(tmp_path, [first, creation(2) | {"EventID": 11, "TargetFilename": spelling}])
    assert log.count("GET file FROM $LOG WHERE name = 'x.exe' OR name = 'X.exe'") == 1
    for literal in ("C:\\Windows\\Temp\\x.exe", "\\\\?\\C:\\Windows\\Temp\\x.exe", "\\??\\C:\\Windows\\Temp\\x.exe", "\\SystemRoot\\Temp\\x.exe"):
        assert log.count(f"GET file FROM $LOG WHERE x_path = r'{literal}'") == 1


def test_a_name_with_a_slash_is_no_path(tmp_path: Path) -> None:
    log = Log(tmp_path, [creation(1, Image="kworker/0:1"), creation(2, Image="/usr/bin/sed")])
    assert log.rows("GET process FROM $LOG", "name") == [("kworker/0:1",), ("sed",)]


def test_what_is_cut_off_or_no_address_is_no_address(tmp_path: Path) -> None:
    query = creation(1) | {"EventID": 22, "QueryName": "x.example", "QueryResults": "type:  5 y.example;::ffff:10.0.0.7;fe80::1%12;::ffff:10.0."}
    log = Log(tmp_path, [query, security(2, 4624, IpAddress="LOCAL", TargetUserName="alice")])
    assert log.rows("GET ipv4-addr FROM $LOG", "value") == [("10.0.0.7",)]
    assert log.rows("GET ipv6-addr FROM $LOG", "value") == [("fe80::1",)]


@pytest.mark.parametrize("channel", ["ForwardedEvents", "Some-Collector/Log"])
def test_an_unknown_channel_hides_no_provider(channel: str, tmp_path: Path) -> None:
    log = Log(tmp_path, [creation(1, Channel=channel, SourceName="Microsoft-Windows-Sysmon")])
    assert log.count("GET process FROM $LOG WHERE name = 'p1.exe'") == 1


# -- the direction of traffic ------------------------------------------------------------------------------------

ENDS = {"Protocol": "udp", "SourceIp": "10.0.0.53", "SourcePort": "53", "DestinationIp": "10.0.0.1", "DestinationPort": "60000"}


def flow(number: int, **fields: str) -> dict[str, Any]:
    """UDP from 10.0.0.53 port 53 to 10.0.0.1 port 60000, as recorded."""
    return connection(number, 1) | ENDS | fields


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([flow(1, Initiated="false")], ("10.0.0.1", 53)),  # the only port below 1024
        ([flow(1, Initiated="true")], ("10.0.0.53", 60000)),  # the sensor says so
        ([flow(1, Initiated="false"), flow(2, Initiated="true")], ("10.0.0.53", 60000)),
        ([flow(1, Initiated="false", SourcePort="5353")], ("10.0.0.1", 5353)),  # the only port below 49152
        ([flow(1, Initiated="false", SourcePort="60001")], ("10.0.0.53", 60000)),  # the earliest record
        ([flow(1, Initiated="false", Protocol="tcp", SourcePort="1000")], ("10.0.0.53", 60000)),  # TCP: as recorded
    ],
)
def test_traffic_has_one_direction(records: list[dict[str, Any]], expected: tuple[str, int], tmp_path: Path) -> None:
    for order in (records, list(reversed(records))):
        log = Log(tmp_path, order)
        assert log.rows("GET network-traffic FROM $LOG", "src_ref.value, dst_port") == [expected]
        assert log.count(f"GET network-traffic FROM $LOG WHERE dst_port = {expected[1]}") == 1
        assert log.count(f"GET network-traffic FROM $LOG WHERE src_port = {expected[1]}") == 0


# -- an empty answer ---------------------------------------------------------------------------------------------


def test_an_empty_answer_says_why(tmp_path: Path) -> None:
    log = Log(tmp_path, [creation(1), {**creation(2), "EventID": 4104, "Channel": "Microsoft-Windows-PowerShell/Operational"}])
    log.run("p = GET process FROM $LOG WHERE name = 'P1.EXE'")
    assert {"events-only", "case-differs"} <= log.codes()
    log.run("q = GET process FROM $LOG START 2022-01-01T00:00:00Z STOP 2023-01-01T00:00:00Z")
    assert "no-records-in-range" in log.codes()
    messages = " ".join(n.message for n in log.notices)
    assert "1 if case is ignored" in messages and "the records end at 2021-01-01T00:00Z" in messages


def test_what_a_log_format_is_not_mapped_to_is_said(tmp_path: Path) -> None:
    log = Log(tmp_path, [creation(1)])
    log.run("h = GET host FROM $LOG WHERE host.ip = '10.0.0.1'\ne = GET event FROM $LOG WHERE event.outcome = 'success'")
    messages = [d["message"] for n in log.notices for d in (n.details if n.code == "records" else ({"message": n.message},))]
    assert [m.partition(" from ")[0] for m in messages] == [
        "Kestrel does not read `ip_refs.value` of x-oca-asset",
        "Kestrel does not read `outcome` of x-oca-event",
    ]


def test_why_find_is_empty(tmp_path: Path) -> None:
    log = Log(tmp_path, [creation(1), creation(2, parent=1)])
    log.run("none = GET process FROM $LOG WHERE pid = 7\nf = FIND process CREATED BY none")
    assert "empty-input" in log.codes() and "none is empty" in " ".join(n.message for n in log.notices)
    log.run("p = GET process FROM $LOG WHERE pid = 101\nf = FIND process CREATED BY p WHERE name = 'P2.exe'")
    assert "case-differs" in log.codes()


@pytest.mark.parametrize("code", [27, 28])
def test_the_process_of_a_blocked_file_is_linked_to_it(code: int, tmp_path: Path) -> None:
    log = Log(tmp_path, [creation(1) | {"EventID": code, "TargetFilename": "C:\\blocked.exe"}])
    log.run("f = GET file FROM $LOG WHERE name = 'blocked.exe'\np = FIND process LINKED f\ng = FIND file LINKED p")
    assert [row["name"] for row in log.session["p"].to_dicts()] == ["p1.exe"]
    assert {row["name"] for row in log.session["g"].to_dicts()} == {"p1.exe", "blocked.exe"}


def test_records_of_no_known_format_are_an_error_and_an_empty_file_is_none(tmp_path: Path) -> None:
    log = Log(tmp_path, [{"kind": "Pod"}])
    with pytest.raises(HuntErrors, match="K0412"):
        log.run("p = GET process FROM $LOG")
    empty = Log(tmp_path, [])
    assert empty.count("GET process FROM $LOG") == 0 and "no-records" in empty.codes()


def test_at_most_two_lines_a_cell(tmp_path: Path) -> None:
    odd = [security(n, 1000 + n) for n in range(30)]
    log = Log(tmp_path, [creation(1), creation(1), *odd, {"kind": "Pod"}, security(40, 4688, NewProcessId="0x1") | {"@timestamp": None}])
    found = log.run("p = GET process FROM $LOG WHERE name = 'P1.EXE'\nq = GET file FROM $LOG WHERE name = 'NO'\nr = GET process FROM $LOG")
    notices = [r for r in found if isinstance(r, Notice)]
    assert len(notices) == 2 and {d["code"] for d in notices[1].details} >= {"events-only", "no-time", "duplicates"}


def test_an_application_protocol_is_not_looked_for_in_silence(tmp_path: Path, session: Session) -> None:
    flow = {"ts": 1591367999.3, "uid": "C1", "id.orig_h": "10.0.0.1", "id.orig_p": 4000, "id.resp_h": "10.0.0.2", "id.resp_p": 80}
    log = tmp_path / "conn.log"
    log.write_text(json.dumps(flow | {"proto": "tcp", "service": "http"}) + "\n", encoding="utf-8")
    results = session.run(f"n = GET network-traffic FROM '{log}' WHERE protocols[*] = 'http'")
    assert not len(session["n"])
    assert any("`http` may be in `x_application`" in str(getattr(r, "message", "")) for r in results)
