"""Log formats against independent readings of real files: what the records say, counted in plain Python."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.result import Table

DATA = Path(__file__).parents[2].parent / "shared" / "data"
HERE = pytest.mark.skipif(not DATA.is_dir(), reason="the real logs are not here")


def files(pattern: str) -> list[Path]:
    return sorted(DATA.glob(pattern)) if DATA.is_dir() else []


def shown(session: Session, hunt: str, attributes: str) -> set[tuple[Any, ...]]:
    """The distinct rows of some attributes of the variable `v`."""
    table = next(r for r in session.run(f"v = {hunt}\nDISP v ATTR {attributes} LIMIT 100000") if isinstance(r, Table))
    return {tuple(row) for row in table.rows}


def text(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode("utf-8", "replace")


def name(path: str | None) -> str | None:
    return None if path in (None, "", "-", "<unknown process>") else re.split(r"[\\/]", path)[-1]


# -- EVTX --------------------------------------------------------------------------------------------------------------


def events(path: Path) -> Iterator[tuple[str, int, str, dict[str, str]]]:
    """Channel, code, host and fields of every record, from the reader's XML."""
    from evtx import PyEvtxParser

    records: Iterator[Any] = PyEvtxParser(str(path)).records()
    for record in records:
        root = ET.fromstring(record["data"])
        for part in root.iter():
            part.tag = part.tag.rpartition("}")[2]
        data = {d.get("Name") or "": d.text or "" for d in root.findall("EventData/Data")}
        yield root.findtext("System/Channel") or "", int(root.findtext("System/EventID") or 0), root.findtext("System/Computer") or "", data


@HERE
@pytest.mark.parametrize("path", files("evtx/*.evtx") + files("ecs/*.evtx") + files("formats/velociraptor/*.evtx"), ids=lambda p: p.name)
def test_event_logs(path: Path) -> None:
    found = list(events(path))
    sysmon = [(code, host, data) for channel, code, host, data in found if "Sysmon" in channel]
    created = {
        (f"{{{d['ProcessGuid'].strip('{}').upper()}}}", int(d["ProcessId"]), name(d["Image"]), d["CommandLine"], int(d["ParentProcessId"]))
        for code, _, d in sysmon
        if code == 1
    }
    written = {(host.lower(), d["TargetFilename"].lower()) for code, host, d in sysmon if code == 11 and d["TargetFilename"] not in ("", "-")}
    audited = {(int(d["NewProcessId"], 16), name(d["NewProcessName"])) for channel, code, _, d in found if (channel, code) == ("Security", 4688)}
    with Session() as session:
        assert len(shown(session, f"GET event FROM '{path}'", "id")) == len(found)
        rows = shown(session, f"GET process FROM '{path}'", "x_unique_id, pid, name, command_line, parent_ref.pid")
        ids = {f"{{{r[0].strip('{}').upper()}}}" if r[0] else r[0]: r for r in rows}
        assert {(guid, *ids[guid][1:]) for guid, *_ in created} == created
        assert {(r[1], r[2]) for r in rows} >= audited
        kinds = shown(session, f"GET event FROM '{path}' WHERE code = 11", "host_ref.hostname, file_ref.x_path") if written else set()
        assert {(h, p.lower()) for h, p in kinds if p} == written


# -- Zeek --------------------------------------------------------------------------------------------------------------


def zeek_records(path: Path) -> list[dict[str, Any]]:
    content = text(path)
    if not content.startswith("#separator"):
        return [json.loads(line) for line in content.splitlines() if line.strip()]
    fields: list[str] = []
    found = []
    for line in content.split("\n"):
        if line.startswith("#fields"):
            fields = line.split("\t")[1:]
        elif line and not line.startswith("#"):
            found.append({f: v for f, v in zip(fields, line.split("\t"), strict=True) if v != "-"})
    return found


ZEEK = [p for p in files("zeek/*") if p.stat().st_size < 500_000]


@HERE
@pytest.mark.parametrize("path", ZEEK, ids=lambda p: p.name)
def test_zeek(path: Path) -> None:
    records = zeek_records(path)
    is_udp_or_tcp = "kerberos" not in path.name
    ends = set()
    for r in records:
        source = (r.get("id.orig_h") or r.get("id_orig_h"), int(r.get("id.orig_p", r.get("id_orig_p", -1))))
        target = (r.get("id.resp_h") or r.get("id_resp_h"), int(r.get("id.resp_p", r.get("id_resp_p", -1))))
        ends.add((r.get("proto", "tcp" if is_udp_or_tcp else None), *source, *target))
    queries = {r["query"].lower().rstrip(".") for r in records if "qtype" in r or "trans_id" in r if r.get("query")} - {"-", ""}
    with Session() as session:
        attributes = "protocols, src_ref.value, src_port, dst_ref.value, dst_port"
        rows = shown(session, f"GET network-traffic FROM '{path}'", attributes)
        assert {(*r[:1], *sorted([r[1:3], r[3:5]])) for r in rows} == {(*e[:1], *sorted([e[1:3], e[3:5]])) for e in ends}
        if queries:
            names = {r[0] for r in shown(session, f"GET domain-name FROM '{path}'", "value")}
            assert names == queries


# -- Microsoft Defender, Log Analytics ---------------------------------------------------------------------------------


def defender_rows() -> list[dict[str, Any]]:
    path = DATA / "formats/mde-advanced-hunting/sekoia_Microsoft_microsoft-365-defender_raw.log"
    return [json.loads(line)["properties"] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


@HERE
@pytest.mark.parametrize("form", ["event hub", "json", "csv"])
def test_defender(form: str, tmp_path: Path) -> None:
    rows = [r for r in defender_rows() if r.get("ActionType") and r.get("DeviceId")]
    file = tmp_path / ("rows.csv" if form == "csv" else "rows.json")
    if form == "csv":
        names = list(dict.fromkeys(n for r in rows for n in r))
        with file.open("w", newline="", encoding="utf-8") as stream:
            table = csv.DictWriter(stream, names)
            table.writeheader()
            table.writerows(rows)
    else:
        wrap = (lambda r: {"time": "2024-01-01T00:00:00Z", "category": "AdvancedHunting-X", "properties": r}) if form == "event hub" else dict
        file.write_text("".join(json.dumps(wrap(r)) + "\n" for r in rows), encoding="utf-8")
    actors = {
        (r["InitiatingProcessId"], r["InitiatingProcessFileName"])
        for r in rows
        if r.get("InitiatingProcessId") and r.get("InitiatingProcessFileName")
    }
    created = {(r["ProcessId"], r["FileName"], r["ProcessCommandLine"]) for r in rows if r["ActionType"] == "ProcessCreated"}
    remote = {r["RemoteIP"] for r in rows if "Connection" in r["ActionType"] and r.get("RemoteIP")}
    with Session() as session:
        assert len(shown(session, f"GET event FROM '{file}'", "id")) == len({json.dumps(r) for r in rows})
        found = shown(session, f"GET process FROM '{file}'", "pid, name, command_line")
        assert {(p, n) for p, n, _ in found} >= actors
        assert found >= created
        ends = shown(session, f"GET network-traffic FROM '{file}'", "src_ref.value, dst_ref.value")
        assert {a for pair in ends for a in pair} >= remote


@HERE
def test_a_table_of_security_events_as_csv() -> None:
    path = DATA / "csv-other/processes_on_host.csv.gz"
    rows = list(csv.DictReader(io.StringIO(text(path))))
    with Session() as session:
        found = shown(session, f"GET process FROM '{path}'", "pid, name, command_line, parent_ref.pid")
        created = {(int(r["NewProcessId"], 16), name(r["NewProcessName"]), r["CommandLine"] or None, int(r["ProcessId"], 16)) for r in rows}
        assert found >= created


# -- Elastic Defend ----------------------------------------------------------------------------------------------------


@HERE
def test_elastic_defend() -> None:
    path = DATA / "formats/elastic-defend-macos/macos_attack_dataset.ndjson"
    documents = []
    for line in path.read_text(encoding="utf-8").splitlines():
        hit = json.loads(line)
        documents += [h["_source"] for h in hit.get("hits", {}).get("hits", [])] if "hits" in hit else [hit["_source"]]
    processes = [d["process"] for d in documents if d.get("process", {}).get("pid") and d.get("event", {}).get("module") == "endpoint"]
    expected = {(p["entity_id"], p["pid"]) for p in processes if p.get("entity_id")}
    with Session() as session:
        found = shown(session, f"GET process FROM '{path}'", "x_unique_id, pid")
        assert found >= expected
        lines = {p["command_line"] for p in processes if p.get("command_line")}
        assert {r[0] for r in shown(session, f"GET process FROM '{path}'", "command_line")} >= lines


# -- Linux audit -------------------------------------------------------------------------------------------------------


def hexadecimal(value: str) -> str:
    return bytes.fromhex(value).decode() if re.fullmatch("(?:[0-9A-F]{2})+", value) else value.strip('"')


def renamed(calls: dict[str, dict[str, str]], number: str) -> bool:
    """Whether a process had another name in the same millisecond: then one of them is shown."""
    one, time = calls[number], number.partition(":")[0]
    return any(c["pid"] == one["pid"] and c["exe"] != one["exe"] and n.partition(":")[0] == time for n, c in calls.items())


@HERE
@pytest.mark.parametrize("path", files("linux/*.log") + files("formats/auditd/laurel_*.txt") + files("formats/auditd/go*.log"), ids=lambda p: p.name)
def test_the_audit_log(path: Path) -> None:
    calls, arguments = {}, {}
    for line in text(path).replace("\x1d", " ").split("\n"):
        if not (head := re.match(r"(?:node=(\S+) )?type=(SYSCALL|EXECVE) msg=audit\(([0-9.:]+)\): (.*)", line)):
            continue
        _, kind, number, rest = head.groups()
        if kind == "SYSCALL":
            calls[number] = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', rest))
        else:
            arguments[number] = [hexadecimal(v) for n, v in re.findall(r'\b(a\d+)=("[^"]*"|\S+)', rest)]
    if not calls:
        pytest.skip("no system calls in it")
    acting = {int(c["pid"]) for c in calls.values()} | {int(c["ppid"]) for c in calls.values()}
    started = {
        (int(calls[n]["pid"]), name(hexadecimal(calls[n]["exe"])), " ".join(a) or None)
        for n, a in arguments.items()
        if n in calls and calls[n].get("success") == "yes" and not renamed(calls, n)
    }
    with Session() as session:
        found = shown(session, f"GET process FROM '{path}'", "pid, name, command_line")
        assert {p for p, *_ in found} >= acting - {0}
        assert found >= started


@HERE
@pytest.mark.parametrize("path", files("formats/auditd/laurel_*.txt") + files("formats/auditd/go*.log"), ids=lambda p: p.name)
def test_the_processes_of_an_audit_log_without_hosts(path: Path) -> None:
    """Each call of execve that succeeds begins a process; a pid that is met before, or never calls it, is one more."""
    head = r"^type=SYSCALL msg=audit\(([0-9.]+):(\d+)\): arch=c000003e syscall=(\d+) success=(\w+).*? ppid=(\d+) pid=(\d+)"
    lines = [line for line in text(path).replace("\x1d", " ").split("\n") if "type=SYSCALL" in line]
    calls = [m.groups() for line in lines if (m := re.match(head, line))]
    others = [line for line in text(path).split("\n") if re.search(r"\b(o?pid)=", line) and "type=SYSCALL" not in line]
    if not calls or others or len(calls) < len(lines) or len({call[:2] for call in calls}) < len(calls):
        pytest.skip("its calls are those of another processor or of a named host, are repeated, or other lines name processes")
    processes, met = 0, set()
    for _, _, call, success, parent, pid in sorted(calls, key=lambda c: (float(c[0]), int(c[1]))):
        begins = call == "59" and success == "yes"
        processes += begins + (parent != "0" and parent not in met) + (not begins and pid not in met and pid != parent)
        met |= {parent, pid}
    with Session() as session:
        assert len(shown(session, f"GET process FROM '{path}'", "id")) == processes


# -- one log in several forms ------------------------------------------------------------------------------------------


@HERE
def test_an_event_log_and_its_json_are_one_log() -> None:
    for stem in ("sysmon-9.01", "sysmon-10.2-dns"):
        path = DATA / "ecs"
        with Session() as session:
            whole = shown(session, f"GET event FROM '{path}/{stem}.evtx'", "id")
            both = shown(session, f"GET event FROM '{path}/{stem}*'", "id")
            assert whole == both
            assert shown(session, f"GET process FROM '{path}/{stem}.evtx'", "id") == shown(session, f"GET process FROM '{path}/{stem}*'", "id")
