"""Who is the same process, by DESIGN.md section 3: one small log for each rule."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from tests.events import connection, creation, guid, write

Record = dict[str, Any]


def audit(number: int, pid: int, path: str, second: float, parent: int = 4, code: int = 4688, host: str = "h1.example.org") -> Record:
    """A Security record of a process start (4688) or end (4689), in winlogbeat 6 spelling, which has exact UTC times."""
    whole = int(second)
    record: Record = {
        "@timestamp": f"2021-01-01T00:{whole // 60:02d}:{whole % 60:02d}.{round((second - whole) * 1000):03d}Z",
        "event_id": code,
        "log_name": "Security",
        "computer_name": host,
        "record_number": str(number),
    }
    if code == 4688:
        fields = {"NewProcessId": hex(pid), "NewProcessName": path, "ProcessId": hex(parent), "ParentProcessName": "C:\\bin\\p0.exe"}
    else:
        fields = {"ProcessId": hex(pid), "ProcessName": path}
    return record | {"event_data": fields}


def processes(tmp_path: Path, records: list[Record], where: str = "pid > 0") -> list[dict[str, Any]]:
    path = write(tmp_path / "a.json", records)
    with Session() as session:
        session.run(f"p = GET process FROM '{path}' WHERE {where}")
        return session["p"].to_dicts()


def test_guids_in_two_cases_and_the_zero_guid(tmp_path: Path) -> None:
    zero = "{00000000-0000-0000-0000-000000000000}"
    records = [creation(1), connection(1, 1, ProcessGuid=guid(1).lower()), creation(2, ParentProcessGuid=zero, ParentProcessId="0")]
    assert {p["x_unique_id"] for p in processes(tmp_path, records)} == {guid(1), guid(2)}


def test_one_guid_on_two_hosts_is_two_processes(tmp_path: Path) -> None:
    assert len(processes(tmp_path, [creation(1), creation(1, Hostname="h2.example.org")])) == 2


@pytest.mark.parametrize(("names", "expected"), [(["h1"], 1), (["h1", "h1.other.org"], 3)])
def test_a_short_host_name_is_the_long_one_if_only_one_fits(tmp_path: Path, names: list[str], expected: int) -> None:
    records = [creation(1), *(connection(n, 1, Hostname=name) for n, name in enumerate(names))]
    assert len(processes(tmp_path, records)) == expected


def test_two_sensors_tell_of_one_start(tmp_path: Path) -> None:
    found = processes(tmp_path, [creation(10), audit(1, 110, "C:\\bin\\p10.exe", 10.3), audit(2, 110, "C:\\bin\\p10.exe", 30, code=4689)])
    assert [(p["x_unique_id"], p["number_observed"]) for p in found if p["name"] == "p10.exe"] == [(guid(10), 3)]


def test_a_start_of_another_time_or_name_is_another_process(tmp_path: Path) -> None:
    records = [creation(10), audit(1, 110, "C:\\bin\\p10.exe", 13), audit(2, 110, "C:\\bin\\other.exe", 20)]
    assert len(processes(tmp_path, records, "pid = 110")) == 3


def test_a_reused_pid_is_told_apart_by_time_and_name(tmp_path: Path) -> None:
    """The end of the first, a second late, is not the second's; the second ends on its own."""
    records = [
        creation(10),
        creation(20, "p10.exe", ProcessId="110"),
        creation(21, "q.exe", ProcessId="110"),
        audit(1, 110, "C:\\bin\\p10.exe", 19.5, code=4689),
        audit(2, 110, "C:\\bin\\q.exe", 40, code=4689),
    ]
    seen = {p["x_unique_id"]: p["number_observed"] for p in processes(tmp_path, records, "pid = 110")}
    assert seen == {guid(10): 2, guid(20): 1, guid(21): 2}


def test_records_long_after_the_end_are_another_process(tmp_path: Path) -> None:
    records = [creation(10), audit(1, 110, "C:\\bin\\p10.exe", 20, code=4689), audit(2, 110, "C:\\bin\\p10.exe", 100, code=4689)]
    assert len(processes(tmp_path, records, "pid = 110")) == 2


def test_a_pid_without_a_life_opens_one_for_each_name(tmp_path: Path) -> None:
    ends = [audit(n, 900, f"C:\\bin\\{name}.exe", 10 + n, code=4689) for n, name in enumerate("aabba")]
    assert sorted(p["number_observed"] for p in processes(tmp_path, ends)) == [1, 2, 2]


def test_a_boot_ends_what_was_not_seen_since(tmp_path: Path) -> None:
    """After the host's System process is a new one, the old pid is another process."""
    system: dict[str, Any] = {"Image": "System", "ProcessId": "4"}
    records = [
        creation(10),
        connection(1, 1, **system, UtcTime="2021-01-01 00:00:05.000"),
        connection(2, 2, **system, UtcTime="2021-01-01 00:05:00.000"),
        audit(1, 110, "C:\\bin\\p10.exe", 400, code=4689),
    ]
    assert len(processes(tmp_path, records, "name = 'p10.exe'")) == 2


def test_twin_guids_of_one_start_are_one_process(tmp_path: Path) -> None:
    """The creation under one GUID, all later records under another with the same start."""
    seconds = int(datetime(2021, 1, 1, 0, 0, 10, tzinfo=UTC).timestamp())
    text = f"{seconds:08X}"
    first, later = (f"{{00000001-{text[4:]}-{text[:4]}-{tail}-000000000001}}" for tail in ("AAAA", "BBBB"))
    records = [creation(10, ProcessGuid=first), connection(1, 10, ProcessGuid=later), connection(2, 10, ProcessGuid=later)]
    found = processes(tmp_path, records)
    assert [p["number_observed"] for p in found] == [3]


def test_pid_0_is_no_process(tmp_path: Path) -> None:
    assert processes(tmp_path, [audit(1, 0, "C:\\bin\\x.exe", 5, code=4689)], "name = 'x.exe'") == []


def flows(tmp_path: Path, records: list[Record]) -> int:
    path = write(tmp_path / "a.json", records)
    with Session() as session:
        session.run(f"n = GET network-traffic FROM '{path}'")
        return len(session["n"])


def test_a_flow_is_one_whoever_saw_it_and_a_new_one_after_an_hour(tmp_path: Path) -> None:
    ends = {"SourceIp": "10.0.0.9", "SourcePort": "443", "DestinationIp": "10.0.0.1", "DestinationPort": "50001"}
    other_side = connection(2, 2, Hostname="h2", Initiated="false", UtcTime="2021-01-01 01:00:02.000") | ends
    later = connection(1, 1, UtcTime="2021-01-01 02:00:03.000", RecordNumber=99)
    assert flows(tmp_path, [connection(1, 1), other_side]) == 1
    assert flows(tmp_path, [connection(1, 1), other_side, later]) == 2


def test_addresses_of_many_spellings_are_one(tmp_path: Path) -> None:
    spelt = ["fe80:0:0:0:0:0:0:1", "FE80::1", "fe80:0000:0000:0000:0000:0000:0000:0001"]
    records = [connection(n, 1, address, SourcePort="50000") for n, address in enumerate(spelt)]
    records += [connection(10 + n, 1, address, SourcePort="50001") for n, address in enumerate(["::ffff:10.1.1.1", "10.1.1.1"])]
    assert flows(tmp_path, records) == 2


def test_a_device_path_is_the_drive_path_that_alone_fits(tmp_path: Path) -> None:
    device = "\\device\\harddiskvolume2\\bin\\p1.exe"
    records = [creation(1), connection(1, 1, Image=device), connection(2, 2, Image="\\device\\harddiskvolume2\\bin\\else.exe")]
    path = write(tmp_path / "a.json", records)
    with Session() as session:
        session.run(f"f = GET file FROM '{path}'")
        assert {f["x_path"] for f in session["f"].to_dicts()} == {"C:\\bin\\p1.exe", "\\device\\harddiskvolume2\\bin\\else.exe"}


def test_an_audit_log_without_hosts_is_of_one_host(tmp_path: Path) -> None:
    """`node=` is there only if auditd is told to write it: a pid is one process in the file, and in another file another one."""
    lines = [
        'type=SYSCALL msg=audit(1609459200.000:1): arch=c000003e syscall=59 success=yes exit=0 ppid=100 pid=200 comm="bash" exe="/usr/bin/bash"',
        'type=SYSCALL msg=audit(1609459202.000:3): arch=c000003e syscall=59 success=yes exit=0 ppid=200 pid=201 comm="cat" exe="/usr/bin/cat"',
        'type=SYSCALL msg=audit(1609459203.000:4): arch=c000003e syscall=42 success=yes exit=0 ppid=200 pid=201 comm="cat" exe="/usr/bin/cat"',
    ]
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "b.log").write_text("".join(f"{line}\n" for line in lines).replace("1609459", "1609460"))
    with Session() as session:
        session.run(
            f"p = GET process FROM '{tmp_path}/a.log' q = GET process FROM '{tmp_path}/*.log' c = FIND process CREATED BY q WHERE name = 'cat'"
        )
        found = sorted((row["name"] or "", row["pid"], row.get("parent_ref.name")) for row in session["p"].to_dicts())
        assert found == [("", 100, None), ("bash", 200, None), ("cat", 201, "bash")]
        assert (len(session["q"]), len(session["c"])) == (6, 2)
