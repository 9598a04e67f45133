"""Small generated logs: every kind of event that the shapes know, in every spelling, with the oddities real logs have."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

Record = dict[str, Any]

HOSTS = ("h1.example.org", "H2")
NAMES = ("cmd.exe", "CMD.EXE", "svchost.exe", "a'b.exe", "100%_x.exe", "тест.exe", "System", "no name")
USERS = ("CORP\\alice", "NT AUTHORITY\\SYSTEM", "bob", "-", "")
ADDRESSES = ("10.0.0.1", "10.0.0.9", "192.168.1.7", "fe80:0:0:0:1:2:3:4", "::ffff:10.0.0.1", "2001:db8::1", "-", "300.1.1.1")
PATHS = ("C:\\Temp\\new.exe", "C:\\Windows\\a b.dll", "\\Device\\HarddiskVolume2\\Temp\\new.exe", "/usr/bin/x", "-", "a;b\"c'.txt")
KEYS = ("HKLM\\Software\\Run\\evil", "\\REGISTRY\\MACHINE\\SOFTWARE\\Run", "HKU\\S-1-5-21-1-2-3-1001\\Run", "HKLM")
DOMAINS = ("example.org", "EXAMPLE.org.", "xn--bcher-kva.example", "a.b.c", "-")
COMMANDS = ("", "-", "cmd.exe /c dir", "x -enc AAAA", 'say "it\'s" \\\\srv\\share', "日本語 \U0001f985", "a\tb\nc", "\u202etxt.exe", "100%")
SYSMON = "Microsoft-Windows-Sysmon/Operational"
ZERO = "{00000000-0000-0000-0000-000000000000}"


class World:
    """The processes of a few hosts, and records that tell of them."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.number = 0
        self.processes = [self._process(n) for n in range(chance.randint(1, 10))]

    def _process(self, number: int) -> Record:
        chance = self.chance
        start = 0x5FEE0000 + 60 * number
        return {
            "guid": f"{{0000000A-{number % 7:04X}-{start >> 16:04X}-{start & 0xFFFF:04X}-{number:012X}}}",
            "pid": chance.choice((4, 100 + number, 100 + number // 3)),
            "image": chance.choice(("C:\\bin\\", "c:\\BIN\\", "", "/usr/bin/")) + chance.choice(NAMES),
            "host": chance.choice(HOSTS),
        }

    def records(self, number: int) -> list[Record]:
        """So many flat records, in no order of time."""
        return [self._record() for _ in range(number)]

    def _record(self) -> Record:
        self.number += 1
        actor, other = self.chance.choice(self.processes), self.chance.choice(self.processes)
        code = self.chance.choice((1, 1, 1, 3, 3, 5, 7, 8, 10, 11, 12, 13, 14, 15, 22, 23, 4688, 4688, 4689, 5156, 4624, 4663, 4657, 999))
        record = self._head(code, actor["host"])
        record |= self._security(code, actor, other) if code > 1000 else self._sysmon(code, actor, other)
        if not self.chance.randrange(12):
            name = self.chance.choice(list(record))
            record[name] = self.chance.choice((None, "", "-", 0, "x", True, -1, "99999999999999999999", ["a"], {"b": 1}))
        return record

    def _head(self, code: int, host: str) -> Record:
        second = self.chance.randrange(3 * 3600)
        time = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        security = code > 1000
        head = {
            "EventID": self.chance.choice((code, str(code))) if not self.chance.randrange(8) else code,
            "Channel": "Security" if security else SYSMON,
            "Hostname": self.chance.choice((host, host.split(".")[0], host.upper())) if not self.chance.randrange(6) else host,
            "@timestamp": f"2021-01-01T{time}.{self.chance.randrange(1000):03d}Z",
            "RecordNumber": self.number,
        }
        if not security:
            head["UtcTime"] = f"2021-01-01 {time}.{self.chance.randrange(1000):03d}"
        return head

    def _actor(self, actor: Record) -> Record:
        return {"ProcessGuid": actor["guid"], "ProcessId": str(actor["pid"]), "Image": actor["image"], "User": self.chance.choice(USERS)}

    def _sysmon(self, code: int, actor: Record, other: Record) -> Record:
        choice = self.chance.choice
        match code:
            case 1:
                md5 = f"{self.chance.randrange(3):032X}"
                return self._actor(actor) | {
                    "CommandLine": choice(COMMANDS),
                    "Hashes": f"SHA1={md5}00000000,MD5={md5},SHA256={md5}{md5},IMPHASH={md5}",
                    "ParentProcessGuid": choice((other["guid"], other["guid"].lower(), ZERO, actor["guid"])),
                    "ParentProcessId": str(other["pid"]),
                    "ParentImage": other["image"],
                    "ParentCommandLine": choice(COMMANDS),
                    "LogonId": "0x3e7",
                    "CurrentDirectory": choice(("C:\\", "C:\\Temp\\", "")),
                }
            case 3:
                return self._actor(actor) | {
                    "Protocol": choice(("tcp", "udp")),
                    "Initiated": choice(("true", "false")),
                    "SourceIp": choice(ADDRESSES),
                    "SourcePort": choice(("50001", "50002", "-")),
                    "DestinationIp": choice(ADDRESSES),
                    "DestinationPort": choice(("443", "80", "22")),
                }
            case 7:
                return self._actor(actor) | {"ImageLoaded": choice(PATHS), "Hashes": "MD5=" + "AB" * 16, "Signature": "Example"}
            case 8 | 10:
                spelling = "Guid" if code == 8 else "GUID"
                return {
                    f"SourceProcess{spelling}": actor["guid"],
                    "SourceProcessId": str(actor["pid"]),
                    "SourceImage": actor["image"],
                    f"TargetProcess{spelling}": other["guid"],
                    "TargetProcessId": str(other["pid"]),
                    "TargetImage": other["image"],
                }
            case 11 | 15 | 23:
                return self._actor(actor) | {"TargetFilename": choice(PATHS)}
            case 12 | 13 | 14:
                kinds = {12: ("CreateKey", "DeleteKey", "DeleteValue"), 13: ("SetValue",), 14: ("RenameKey",)}
                return self._actor(actor) | {"EventType": choice(kinds[code]), "TargetObject": choice(KEYS), "Details": choice(COMMANDS)}
            case 22:
                answers = "type:  5 a.example;::ffff:10.0.0.9;fe80:0:0:0:1:2:3:4;"
                return self._actor(actor) | {"QueryName": choice(DOMAINS), "QueryStatus": "0", "QueryResults": choice((answers, "", "-", "10.0.0.1"))}
            case _:
                return self._actor(actor)

    def _security(self, code: int, actor: Record, other: Record) -> Record:
        choice = self.chance.choice
        subject = {"SubjectUserSid": choice(("S-1-5-18", "S-1-5-21-1-2-3-1001", "S-1-0-0")), "SubjectUserName": choice(("alice", "-"))}
        subject |= {"SubjectDomainName": choice(("CORP", "-"))}
        match code:
            case 4688:
                return subject | {
                    "NewProcessId": hex(actor["pid"]),
                    "NewProcessName": actor["image"],
                    "ProcessId": hex(other["pid"]),
                    "ParentProcessName": choice((other["image"], "")),
                    "CommandLine": choice(COMMANDS),
                }
            case 5156:
                return {
                    "ProcessID": str(actor["pid"]),
                    "Application": choice((actor["image"], "\\device\\harddiskvolume2\\bin\\cmd.exe")),
                    "Direction": choice(("%%14592", "%%14593")),
                    "SourceAddress": choice(ADDRESSES),
                    "SourcePort": "50001",
                    "DestAddress": choice(ADDRESSES),
                    "DestPort": "443",
                    "Protocol": choice(("6", "17", "1")),
                }
            case 4624:
                return subject | {"TargetUserName": "bob", "TargetDomainName": "CORP", "TargetUserSid": "S-1-5-21-1-2-3-1002", "ProcessId": "0x64"}
            case 4663:
                return subject | {"ObjectName": choice(PATHS + KEYS), "ObjectType": choice(("File", "Key")), "ProcessId": hex(actor["pid"])}
            case _:
                named = {"ProcessId": hex(actor["pid"]), "ProcessName": actor["image"], "Status": "0x0"}
                return subject | named | {"ObjectName": choice(KEYS), "ObjectValueName": "v", "NewValue": choice(COMMANDS)}


def as_winlogbeat(record: Record) -> Record:
    """A flat record as winlogbeat writes it without modules: the event's own fields under `winlog.event_data`."""
    outside = {"EventID", "Channel", "Hostname", "@timestamp", "RecordNumber"}
    winlog: Record = {"event_data": {k: v for k, v in record.items() if k not in outside}}
    for field, name in (("event_id", "EventID"), ("channel", "Channel"), ("computer_name", "Hostname"), ("record_id", "RecordNumber")):
        winlog[field] = record.get(name)
    return {"@timestamp": record.get("@timestamp"), "winlog": winlog}


ODD_LINES = ("", "{", "[]", '"x"', '{"EventID": 1}', "no JSON", '{"a": 1e999}', "\ufeff{}")
TABLES = {
    "plain.csv": "name,pid\ncmd.exe,4\n,\n",
    "odd.csv": 'name,x y,"a""b",select\n"a\nb",1,2,3\n日本,,-0.5,x\n',
    "types.csv": "id,type,name,first_observed\nprocess--00000000000000ff,process,cmd.exe,2021-01-01T00:00:00Z\nnonsense,process,x,never\n",
    "bare.csv": "",
    "list.json": '["cmd.exe", "x", "a\'b.exe"]',
    "rows.json": '[{"name": "cmd.exe", "pid": 4, "x_tags": ["a", "b"], "x_more": {"k": 1}}, {"name": null, "pid": "x"}]',
    "bad.json": '[{"name": ',
    "rows.ndjson": '{"value": "10.0.0.1"}\n{"value": "fe80::1"}\n',
    "bad.parquet": "PAR1",
}


def write_logs(folder: Path, chance: Random) -> None:
    """The files that generated hunts name: logs of several spellings, and tables for LOAD."""
    world = World(chance)
    flat, nested = world.records(60), [as_winlogbeat(r) for r in world.records(60)]
    mixed = [*flat[:20], *nested[:20], *flat[:10]]
    chance.shuffle(mixed)
    for name, records in (("flat.json", flat), ("beat.ndjson", nested), ("mixed.json", mixed), ("empty.json", [])):
        lines = [json.dumps(r, ensure_ascii=chance.random() < 0.5) for r in records]
        if name == "mixed.json":
            lines += ODD_LINES
        (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    for name, text in TABLES.items():
        (folder / name).write_text(text, encoding="utf-8")
