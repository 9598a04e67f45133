"""One process start in every wrapper and form in which programs pass it on: the same process is read each time."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kestrel import Session
from kestrel.result import Notice, Table

GUID = "{A1B2C3D4-ED20-65E6-0000-000000000041}"
FIELDS: dict[str, Any] = {
    "RuleName": "-",
    "UtcTime": "2024-03-05 10:00:00.000",
    "ProcessGuid": GUID,
    "ProcessId": "3333",
    "Image": "C:\\Windows\\System32\\cmd.exe",
    "CommandLine": 'cmd.exe /c "echo <a> & b"',
    "User": "CORP\\alice",
    "ParentProcessGuid": "{A1B2C3D4-E99C-65E6-0000-000000000001}",
    "ParentProcessId": "700",
    "ParentImage": "C:\\Windows\\explorer.exe",
}
CHANNEL = "Microsoft-Windows-Sysmon/Operational"
FLAT: dict[str, Any] = {"EventID": 1, "Channel": CHANNEL, "Hostname": "ws1", "RecordNumber": 1027, "@timestamp": "2024-03-05T10:00:00.000Z", **FIELDS}
BEAT: dict[str, Any] = {
    "@timestamp": "2024-03-05T10:00:00.000Z",
    "winlog": {"channel": CHANNEL, "event_id": "1", "computer_name": "ws1", "record_id": "1027", "event_data": FIELDS},
    "event": {"code": "1", "provider": "Microsoft-Windows-Sysmon"},
}
TREE: dict[str, Any] = {
    "System": {
        "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}},
        "EventID": 1,
        "TimeCreated": {"#attributes": {"SystemTime": "2024-03-05T10:00:00.000Z"}},
        "EventRecordID": 1027,
        "Channel": CHANNEL,
        "Computer": "ws1",
    },
    "EventData": FIELDS,
}
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


def escaped(text: str) -> str:
    return "".join(ESCAPES.get(c, c) for c in text)


DATA_XML = "".join(f"<Data Name='{name}'>{escaped(value)}</Data>" for name, value in FIELDS.items())
XML = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Sysmon'/><EventID>1</EventID>"
    "<TimeCreated SystemTime='2024-03-05T10:00:00.000000000Z'/><EventRecordID>1027</EventRecordID>"
    f"<Channel>{CHANNEL}</Channel><Computer>ws1</Computer></System><EventData>{DATA_XML}</EventData></Event>"
)
MESSAGE = "Process Create:\r\n" + "\r\n".join(f"{name}: {value}" for name, value in FIELDS.items())


def line(record: Any) -> str:
    return json.dumps(record) + "\n"


def arrays(record: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The `fields` of Kibana: dotted names, and a list for each value."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        found.update(arrays(value, f"{path}{name}.") if isinstance(value, dict) else {path + name: [value]})
    return found


def hit(source: Any) -> dict[str, Any]:
    return {"_index": "winlogbeat-1", "_id": "1", "_score": 1.0, "_source": source}


LOWER = {name[:1].lower() + name[1:]: value for name, value in FIELDS.items()}
TEXTS: dict[str, str] = {
    "plain": line(FLAT),
    "elasticsearch: hits": line(hit(BEAT)),
    "elasticsearch: a saved search": line({"took": 1, "timed_out": False, "hits": {"total": 1, "hits": [hit(BEAT)]}}),
    "elasticsearch: a saved search in lines": json.dumps({"took": 1, "hits": {"hits": [hit(BEAT)]}}, indent=2),
    "elasticsearch: an asynchronous search": line({"is_running": False, "response": {"hits": {"hits": [hit(BEAT)]}}}),
    "kibana: fields": line({"_index": "winlogbeat-1", "_id": "1", "fields": arrays(BEAT)}),
    "splunk: result": line({"preview": False, "offset": 0, "result": FLAT}),
    "splunk: _raw in JSON": line({"preview": False, "result": {"_time": "2024", "sourcetype": "x", "_raw": json.dumps(FLAT)}}),
    "splunk: _raw in XML": line({"preview": False, "result": {"_time": "2024", "_raw": XML}}),
    "splunk: _raw alone": line({"_raw": XML, "host": "ws1", "index": "main"}),
    "graylog": line({"messages": [{"message": FLAT, "index": "graylog_0"}]}),
    "graylog: one": line({"message": FLAT, "index": "graylog_0"}),
    "gelf": line({"version": "1.1", "host": "ws1", "short_message": "Process Create", "full_message": json.dumps(FLAT)}),
    "wazuh": line(
        {
            "timestamp": "2024-03-05T10:00:01.000+0000",
            "rule": {"level": 3},
            "agent": {"id": "001", "name": "ws1"},
            "data": {
                "win": {
                    "system": {
                        "providerName": "Microsoft-Windows-Sysmon",
                        "eventID": "1",
                        "systemTime": "2024-03-05T10:00:00.000Z",
                        "eventRecordID": "1027",
                        "channel": CHANNEL,
                        "computer": "ws1",
                    },
                    "eventdata": LOWER,
                }
            },
        }
    ),
    "fluent bit: message": line(
        {"ProviderName": "Microsoft-Windows-Sysmon", "EventID": 1, "Channel": CHANNEL, "Computer": "ws1", "TimeCreated": "2024-03-05 10:00:00 +0000",
         "EventRecordID": 1027, "Message": MESSAGE, "StringInserts": list(FIELDS.values())}
    ),
    "fluent bit: log": line({"date": 1709632800.0, "log": json.dumps(FLAT)}),
    "logstash": line({"@timestamp": "2024-03-05T10:00:02Z", "@version": "1", "host": "collector", "path": "/x", "message": json.dumps(FLAT)}),
    "the original event": line({"@version": "1", "event": {"original": XML}}),
    "azure: records": line({"records": [{"time": "2024-03-05T10:00:03Z", "category": "x", "properties": FLAT}]}),
    "azure: properties": line({"time": "2024-03-05T10:00:03Z", "category": "WindowsEventLogsTable", "properties": {"EventId": 1, "RawXml": XML}}),
    "sentinel: syslog": line({"TenantId": "t", "Computer": "ws1", "Facility": "user", "SyslogMessage": XML}),
    "sentinel: Event": line(
        {"TenantId": "t", "Source": "Microsoft-Windows-Sysmon", "EventLog": CHANNEL, "Computer": "ws1", "EventID": 1,
         "TimeGenerated": "2024-03-05T10:00:00Z", "EventData": f"<DataItem type='System.XmlData' time='2024' sourceHealthServiceId='x'><EventData xmlns='http://x'>{DATA_XML}</EventData></DataItem>"}
    ),
    "chainsaw": json.dumps([{"group": "Sigma", "kind": "individual", "document": {"kind": "evtx", "path": "x.evtx", "data": {"Event": TREE}}}]),
    "evtx_dump": line({"Event": TREE}),
    "velociraptor": line(
        {**TREE, "System": {**TREE["System"], "Provider": {"Name": "Microsoft-Windows-Sysmon"}, "EventID": {"Value": 1},
                            "TimeCreated": {"SystemTime": 1709632800.0}}, "Message": MESSAGE, "OSPath": "x.evtx"}
    ),
    "Hayabusa": line(
        {"Timestamp": "2024-03-05 10:00:00.000 +00:00", "RuleTitle": "Proc Exec", "Computer": "ws1", "Channel": "Sysmon", "EventID": 1,
         "RecordID": 1027, "Details": {"Cmdline": FIELDS["CommandLine"], "Proc": FIELDS["Image"], "User": FIELDS["User"], "PID": 3333, "PGUID": GUID,
                                       "ParentPID": 700, "ParentPGUID": FIELDS["ParentProcessGuid"], "ParentCmdline": "explorer.exe"}}
    ),
    "Velociraptor's artifacts": line(
        {"EventTime": "2024-03-05T10:00:00.000Z", "Computer": "ws1", "Channel": CHANNEL, "Provider": "Microsoft-Windows-Sysmon", "EventID": 1,
         "EventRecordID": 1027, "UserSID": "S-1-5-18", "EventData": FIELDS, "Message": MESSAGE, "OSPath": "x.evtx"}
    ),
    "EvtxECmd": line(
        {"RecordNumber": 1, "EventRecordId": "1027", "TimeCreated": "2024-03-05T10:00:00.0000000+00:00", "EventId": 1, "Level": "Info",
         "Provider": "Microsoft-Windows-Sysmon", "Channel": CHANNEL, "Computer": "ws1", "ProcessId": 2492, "PayloadData1": "x",
         "Payload": json.dumps({"EventData": {"Data": [{"@Name": name, "#text": value} for name, value in FIELDS.items()]}})}
    ),
    "Get-WinEvent": line(
        {"Id": 1, "Version": 5, "ProviderName": "Microsoft-Windows-Sysmon", "LogName": CHANNEL, "ProcessId": 2492, "RecordId": 1027,
         "TimeCreated": "/Date(1709632800000)/", "MachineName": "ws1", "Message": MESSAGE, "Properties": []}
    ),
    "XML": XML,
    "XML: a file of events": f"<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n<Events>\n{XML}\n</Events>\n",
    "XML: behind syslog": f"<14>Mar  5 10:00:00 ws1 MSWinEventLog {XML}\n",
    "JSON behind syslog": f"<14>Mar  5 10:00:00 ws1 sysmon: {line(FLAT)}",
    "JSON behind a time": f"2024-03-05T10:00:00Z ws1 {line(FLAT)}",
    "JSON in an array": json.dumps([FLAT]),
    "JSON in lines": json.dumps(FLAT, indent=4),
    "JSON side by side": json.dumps(FLAT) + json.dumps(FLAT),
    "JSON in JSON in JSON": line(hit({"message": json.dumps({"log": json.dumps(FLAT)})})),
    "CSV": ",".join(FLAT) + "\n" + ",".join('"' + str(v).replace('"', '""') + '"' for v in FLAT.values()) + "\n",
    "TSV": "\t".join(FLAT) + "\n" + "\t".join('"' + str(v).replace('"', '""') + '"' for v in FLAT.values()) + "\n",
    "CSV with dotted names": ",".join(arrays(BEAT)) + "\n" + ",".join('"' + str(v[0]).replace('"', '""') + '"' for v in arrays(BEAT).values()) + "\n",
}  # fmt: skip


def read(path: Path) -> tuple[list[tuple[Any, ...]], list[Notice]]:
    hunt = f"p = GET process FROM '{path}' WHERE name = 'cmd.exe'\nDISP p ATTR x_unique_id, pid, command_line, parent_ref.name, host_ref.hostname"
    with Session() as session:
        found = session.run(hunt.replace(", host_ref.hostname", ""))
    rows = [tuple(row) for r in found if isinstance(r, Table) for row in r.rows]
    return rows, [r for r in found if isinstance(r, Notice)]


EXPECTED = [(GUID, 3333, FIELDS["CommandLine"], "explorer.exe")]


@pytest.mark.parametrize("name", TEXTS)
def test_the_process_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(TEXTS[name], encoding="utf-8")
    rows, notices = read(path)
    assert [row[:3] for row in rows] == [EXPECTED[0][:3]]
    assert rows == EXPECTED or name == "Hayabusa"  # which does not write the parent's program
    assert {n.code for n in notices} <= {"duplicates"}


def tar(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return target.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(name, content)
    return target.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstandard.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zip": lambda c: zipped("a/log.json", c),
    "tar": lambda c: tar("a/log.json", c),
    "tar.gz": lambda c: gzip.compress(tar("a/log.json", c)),
    "tar.xz": lambda c: lzma.compress(tar("a/log.json", c)),
    "tar.zst": lambda c: zstandard.compress(tar("a/log.json", c)),
    "tar.bz2": lambda c: bz2.compress(tar("a/log.json", c)),
    "gz in zip": lambda c: zipped("log.json.gz", gzip.compress(c)),
    "xz in tar": lambda c: tar("log.json.xz", lzma.compress(c)),
    "tar.gz in zip": lambda c: zipped("x.tar.gz", gzip.compress(tar("log.json", c))),
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("form", ["plain", "XML", "CSV"])
def test_it_is_unpacked(kind: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"log.{kind.partition(' ')[0]}"
    path.write_bytes(PACKED[kind](TEXTS[form].encode()))
    rows, notices = read(path)
    assert (rows, notices) == (EXPECTED, [])


@pytest.mark.parametrize("kind", ["xz", "bz2", "tar", "tar.gz"])
def test_what_is_cut_off_is_told(kind: str, tmp_path: Path) -> None:
    many = "".join(line(FLAT | {"RecordNumber": n, "ProcessId": str(n)}) for n in range(5_000)).encode()
    whole = PACKED[kind](many)
    path = tmp_path / f"log.{kind}"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with Session() as session:
        try:
            found = session.run(f"e = GET event FROM '{path}'")
        except Exception as error:
            assert "cut off" in str(error) or "damaged" in str(error)
            return
        assert 0 < len(session["e"]) < 5_000
        assert any("cut off" in str(r) or "cut-off" in str(r) for r in found)


def test_a_folder_is_all_logs_in_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "log.json").write_text(line(FLAT), encoding="utf-8")
    (tmp_path / "a" / "b" / "conn.log.1").write_text(
        line(FLAT | {"RecordNumber": 1028, "ProcessId": "4444", "ProcessGuid": GUID.replace("41}", "42}")}), encoding="utf-8"
    )
    (tmp_path / "a" / "notes.txt").write_text("to be read later", encoding="utf-8")
    (tmp_path / "a" / ".hidden.json").write_text(line(FLAT | {"RecordNumber": 1029, "ProcessId": "5555"}), encoding="utf-8")
    rows, notices = read(tmp_path / "a")
    assert sorted(row[1] for row in rows) == [3333, 4444]
    assert notices == []


def test_a_field_that_a_log_format_knows_is_no_wrapper(tmp_path: Path) -> None:
    """A message that looks like another record: who writes it could hide his process otherwise."""
    path = tmp_path / "log.json"
    path.write_text(line({**FLAT, "message": json.dumps({**FLAT, "Image": "C:\\other.exe"}), "_source": BEAT}), encoding="utf-8")
    assert read(path)[0] == EXPECTED


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]>' + XML.replace("CORP", "&a;"),
        XML.replace("</EventData>", ""),
        "<Event>" * 5_000,
        '{"message": ' * 500 + "1" + "}" * 500,
    ],
    ids=["entities", "not well-formed", "never closed", "nested"],
)
def test_hostile_text_is_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "log.xml"
    path.write_text(text + "\n" + line(FLAT), encoding="utf-8")
    with Session() as session:
        try:
            found = session.run(f"e = GET event FROM '{path}'")
        except Exception as error:
            assert "K04" in str(error)
            return
        assert any(isinstance(r, Notice) for r in found)


EVENT_LOG = Path(__file__).parents[1].parent / "shared" / "data" / "evtx" / "PanacheSysmon_vs_AtomicRedTeam01.evtx"


@pytest.mark.skipif(not EVENT_LOG.exists(), reason="the real logs are not here")
@pytest.mark.parametrize(
    ("damage", "code"), [("cut off", "cut-off"), ("garbage", "unreadable-file"), ("an empty chunk", "unreadable-file"), ("packed", None)]
)
def test_what_is_lost_of_an_event_log_is_told(damage: str, code: str | None, tmp_path: Path) -> None:
    """Chunks of 64 kB follow a header of 4 kB; each has its own records."""
    content = bytearray(EVENT_LOG.read_bytes())
    second = 4096 + 65536
    match damage:
        case "cut off":
            del content[second + 65536 + 1000 :]
        case "garbage":
            content[second + 600 : second + 700] = b"\xff" * 100
        case "an empty chunk":
            content[second : second + 65536] = bytes(65536)
    path = tmp_path / "log.evtx"
    path.write_bytes(gzip.compress(bytes(content)) if damage == "packed" else bytes(content))
    with Session() as session:
        whole = session.run(f"a = GET event FROM '{EVENT_LOG}'\nb = GET event FROM '{path}'")
        assert 0 < len(session["b"]) <= len(session["a"])
        assert (len(session["b"]) == len(session["a"])) == (damage == "packed")
        assert {r.code for r in whole if isinstance(r, Notice)} == ({code} if code else set())


@pytest.mark.parametrize("values", [[], [{"Value": value} for value in FIELDS.values()]], ids=["no values", "values"])
@pytest.mark.parametrize("end", ["\u2028", "\n", "\r\n"])
def test_a_command_line_sets_no_other_field_of_a_message(end: str, values: list[dict[str, Any]], tmp_path: Path) -> None:
    message = MESSAGE.replace("echo", f"echo{end}User: CORP\\evil")
    path = tmp_path / "log.json"
    event = {"Id": 1, "ProviderName": "Microsoft-Windows-Sysmon", "LogName": CHANNEL, "RecordId": 1, "MachineName": "ws1", "Message": message}
    event["Properties"] = values
    path.write_text(line(event | {"TimeCreated": "/Date(1709632800000)/"}), encoding="utf-8")
    with Session() as session:
        session.run(f"u = GET user-account FROM '{path}' WHERE account_login = 'evil'")
        assert len(session["u"]) == 0
        session.run(f"v = GET user-account FROM '{path}' WHERE account_login = 'alice'")
        assert len(session["v"]) == (1 if values or end == "\u2028" else 0)


def test_hostile_text_takes_no_time_beyond_its_length() -> None:
    """Each took minutes, or would have: what is searched again from every place of a text grows with its square."""
    from kestrel.formats.readers import audit, unwrapping, windows_xml

    events = windows_xml.Events(["<Event>" * 200_000])
    assert list(events) == []
    assert events.cut
    assert not windows_xml.is_log("x" + "<Event>" * 200_000)
    assert unwrapping.fields_of("m\n" + "a" + " " * 1_000_000 + "b", []) == {}
    assert len(list(audit.Events(["type=SYSCALL msg=audit(1.0:1): " + "a={ " * 200_000]))) == 1


def test_an_event_that_is_not_closed_hides_none_behind_it() -> None:
    from kestrel.formats.readers import windows_xml

    broken, whole = windows_xml.Events([XML[:100], XML])
    assert broken == " ".join(XML[:100].split())
    assert json.loads(whole)["EventData"]["Image"] == FIELDS["Image"]


def test_a_packed_file_is_unpacked_in_parts(tmp_path: Path) -> None:
    from kestrel.formats.readers.packed import BLOCK, blocks

    for kind in ("xz", "bz2"):
        path = tmp_path / f"blanks.{kind}"
        path.write_bytes(PACKED[kind](b" " * (20 * BLOCK)))
        sizes = [len(block) for block in blocks(path)]
        assert (sum(sizes), max(sizes) <= BLOCK) == (20 * BLOCK, True)
