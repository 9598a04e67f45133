"""Small Sysmon records for tests, as flat JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SYSMON = "Microsoft-Windows-Sysmon/Operational"


def guid(number: int) -> str:
    return f"{{00000001-{number:04X}-5FEE-0000-000000000001}}"


def creation(number: int, name: str | None = None, parent: int | None = None, **fields: Any) -> dict[str, Any]:
    """A Sysmon 1 of process `number`, one second after the one before."""
    name = name or f"p{number}.exe"
    record: dict[str, Any] = {
        "EventID": 1,
        "Channel": SYSMON,
        "Hostname": "h1.example.org",
        "UtcTime": f"2021-01-01 00:{number // 60:02d}:{number % 60:02d}.000",
        "RecordNumber": number,
        "ProcessGuid": guid(number),
        "ProcessId": str(100 + number),
        "Image": f"C:\\bin\\{name}",
        "CommandLine": f"{name} --run",
        "User": "CORP\\alice",
    }
    if parent is not None:
        record |= {"ParentProcessGuid": guid(parent), "ParentProcessId": str(100 + parent), "ParentImage": f"C:\\bin\\p{parent}.exe"}
    return record | fields


def connection(number: int, process: int, destination: str = "10.0.0.9", port: int = 443, **fields: Any) -> dict[str, Any]:
    """A Sysmon 3 of a process; `number` is its record number and its source port's offset."""
    return {
        "EventID": 3,
        "Channel": SYSMON,
        "Hostname": "h1.example.org",
        "UtcTime": f"2021-01-01 01:{number // 60 % 60:02d}:{number % 60:02d}.000",
        "RecordNumber": 10_000 + number,
        "ProcessGuid": guid(process),
        "ProcessId": str(100 + process),
        "Image": f"C:\\bin\\p{process}.exe",
        "Protocol": "tcp",
        "Initiated": "true",
        "SourceIp": "10.0.0.1",
        "SourcePort": str(50_000 + number),
        "DestinationIp": destination,
        "DestinationPort": str(port),
    } | fields


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path
