"""Small documents as winlogbeat writes them."""

from __future__ import annotations

from typing import Any

FIRST = "2024-03-05T10:00:00"
HUNT = "x = GET process FROM stixshifter://host101"
RANGE = "START t'2024-03-05T00:00:00Z' STOP t'2024-03-06T00:00:00Z'"


def process(number: int, time: Any = None, **fields: Any) -> dict[str, Any]:
    """The creation of a process, logged by Sysmon, a second after the one before."""
    seconds = f"2024-03-05T10:{number // 60:02}:{number % 60:02}"
    return {
        "@timestamp": f"{seconds}.000Z" if time is None else time,
        "event": {"code": 1, "provider": "Microsoft-Windows-Sysmon"},
        "host": {"name": "collector"},
        "winlog": {
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "provider_name": "Microsoft-Windows-Sysmon",
            "computer_name": f"PC{number % 2}",
            "record_id": number + 1,
            "event_id": 1,
            "event_data": {"UtcTime": f"{seconds.replace('T', ' ')}.000"},
        },
        "process": {
            "entity_id": f"{{00000000-0000-0000-0000-{number + 1:012}}}",
            "pid": 1000 + number,
            "executable": f"C:\\Windows\\p{number}.exe",
            "name": f"p{number}.exe",
            "command_line": f"p{number}.exe marker-{number:03}",
        },
        **fields,
    }


def audited(number: int, time: Any) -> dict[str, Any]:
    """The creation of a process, logged by Windows itself: with no time but the document's."""
    return {
        "@timestamp": time,
        "event": {"code": 4688, "provider": "Microsoft-Windows-Security-Auditing"},
        "winlog": {
            "channel": "Security",
            "provider_name": "Microsoft-Windows-Security-Auditing",
            "computer_name": "pc1",
            "record_id": number + 1,
            "event_id": 4688,
            "event_data": {"NewProcessId": hex(1000 + 4 * number), "NewProcessName": f"C:\\Windows\\a{number}.exe"},
        },
    }
