"""What Kestrel calls services, tasks, scripts, pipes, shares and access rights, against the raw lines of flat Windows logs in plain Python."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.result import Table

FLAT = Path(__file__).parents[2].parent / "shared" / "data" / "windows-flat"
FILES = sorted(FLAT.glob("*.gz")) if FLAT.is_dir() else []
pytestmark = pytest.mark.skipif(not FILES, reason="the real logs are not here")


def records(path: Path) -> Iterator[dict[str, Any]]:
    """Each record once: a collector may have written one twice."""
    seen: set[Any] = set()
    for line in filter(str.strip, gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()):
        record = json.loads(line)
        number = record.get("RecordNumber")
        key = (record.get("Hostname"), record.get("Channel"), number, record.get("UtcTime") or record.get("EventTime")) if number else line.strip()
        if key not in seen:
            seen.add(key)
            yield record


def shown(session: Session, path: Path, kind: str, where: str, attributes: str) -> list[tuple[Any, ...]]:
    """One row for each entity."""
    results = session.run(f"v = GET {kind} FROM '{path}' WHERE {where}\nDISP v ATTR id, {attributes} LIMIT 1000000")
    return [row[1:] for r in results if isinstance(r, Table) for row in r.rows]


def of(record: dict[str, Any], *codes: int, source: str = "") -> bool:
    return int(record.get("EventID") or 0) in codes and source in str(record.get("SourceName"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name.split(".")[0])
def test_events_have_their_names(path: Path, session: Session) -> None:
    services, tasks, rights = [], [], []
    for r in records(path):
        if of(r, 7045, source="Service Control Manager") or of(r, 4697, source="Security-Auditing"):
            services.append((str(r["EventID"]), r["ServiceName"], r.get("ImagePath") or r.get("ServiceFileName")))
        if of(r, 106, 140, 141, 200, 201, source="TaskScheduler") or of(r, 4698, 4699, 4700, 4701, 4702, source="Security-Auditing"):
            tasks.append((str(r["EventID"]), r.get("TaskName")))
        if of(r, 10, source="Sysmon") and r.get("GrantedAccess"):
            rights.append((r["GrantedAccess"], r.get("CallTrace")))
    assert sorted(shown(session, path, "event", "x_service_name IS NOT NULL", "code, x_service_name, x_service_command")) == sorted(services)
    assert sorted(shown(session, path, "event", "x_task_name IS NOT NULL", "code, x_task_name")) == sorted(t for t in tasks if t[1])
    found = shown(session, path, "event", "x_granted_access IS NOT NULL", "x_granted_access, x_call_trace")
    assert sorted(found, key=str) == sorted(rights, key=str)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name.split(".")[0])
def test_script_blocks_are_whole(path: Path, session: Session) -> None:
    blocks: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for r in records(path):
        if of(r, 4104, source="PowerShell") and r.get("ScriptBlockText"):
            blocks[str(r["Hostname"]).lower(), r["ScriptBlockId"]].setdefault(int(r["MessageNumber"]), r["ScriptBlockText"])
    expected = {(block, "".join(parts[n] for n in sorted(parts))) for (_, block), parts in blocks.items() if 1 in parts}
    found = set(shown(session, path, "event", "code = '4104'", "x_script_id, x_script"))
    assert expected <= found
    assert {block for block, _ in found} == {block for _, block in blocks}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name.split(".")[0])
def test_pipes_and_shares_are_files(path: Path, session: Session) -> None:
    pipes, shares = set(), set()
    for r in records(path):
        host, name = str(r["Hostname"]).lower(), r.get("PipeName") or ""
        if of(r, 17, 18, source="Sysmon") and name.startswith("\\"):
            pipes.add((host, f"\\\\.\\pipe{name}".lower()))
        if of(r, 5140, 5145, source="Security-Auditing"):
            share, local, relative = (
                r["ShareName"],
                (r.get("ShareLocalPath") or "").removeprefix("\\??\\"),
                (r.get("RelativeTargetName") or "").lstrip("\\"),
            )
            if share.upper().endswith("IPC$"):
                if relative:
                    pipes.add((host, f"\\\\.\\pipe\\{relative}".lower()))
            elif local:
                folder = local.rstrip("\\")
                shares.add((host, (f"{folder}\\{relative}" if relative else folder + "\\" if folder.endswith(":") else folder).lower()))
            else:
                shares.add((host, (f"{share}\\{relative}" if relative else share).lower()))
    found = shown(session, path, "file", r"x_path LIKE '\\.\pipe\%'", "host, x_path")
    assert {(host, path.lower()) for host, path in found} == pipes
    audited = shown(session, path, "file", "event:code IN ('5140', '5145')", "host, x_path")
    assert {(host, path.lower()) for host, path in audited} >= shares
