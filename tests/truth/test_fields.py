"""Every field of the records against independent readings of real files: `data.PATH`, and ANY, counted in plain Python.

A record counts once, whatever the number of its copies: each reader below says what tells two records apart.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.result import Table

DATA = Path(__file__).parents[2].parent / "shared" / "data"
HERE = pytest.mark.skipif(not DATA.is_dir(), reason="the real logs are not here")
Raw = dict[str, Any]


class Number(str):
    """A number as it is written."""


@dataclass(frozen=True)
class Log:
    """The records of a file, once each, and where in them the fields of an event are."""

    path: Path
    records: Sequence[Raw]
    at: tuple[str, ...] = ()

    def values(self, path: Sequence[str]) -> list[Any]:
        """What each record has in a field: looked for where the fields of an event are, then from the top."""
        return [first(within(within(r, self.at), path), within(r, path)) for r in self.records]

    def paths(self) -> list[tuple[str, ...]]:
        """The fields with scalar values or lists of them, the most frequent first."""
        seen: Counter[tuple[str, ...]] = Counter()
        others: set[tuple[str, ...]] = set()
        for record in self.records:
            payload = within(record, self.at)
            own = list(leaves(payload)) if isinstance(payload, dict) else []
            for path, value in own or leaves(record):
                seen[path] += bool(texts(value))
                if not is_plain(value) or not all(path) or is_long(value):
                    others.add(path)
        return [path for path, n in seen.most_common() if n and path not in others]


def first(*values: Any) -> Any:
    return next((v for v in values if v is not None), None)


def within(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def leaves(record: Raw, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*above, name))
        elif value is not None:
            yield (*above, name), value


def is_long(value: Any) -> bool:
    """A whole number of more digits than a floating-point number keeps: see the test of these."""
    return isinstance(value, Number) and re.fullmatch("-?[0-9]{16,}", value) is not None


def is_plain(value: Any) -> bool:
    return all(not isinstance(v, dict | list) for v in (value if isinstance(value, list) else [value]))


def text(value: Any) -> str | None:
    """A value as text: what `=` compares it with."""
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def texts(value: Any) -> list[str]:
    """The same of the elements of a list, which all match."""
    return [t for v in (value if isinstance(value, list) else [value]) if (t := text(v)) is not None]


def shown_text(value: Any) -> str | None:
    """The same of a value of a table."""
    return text(value)


def alike(value: str | None) -> str | None:
    """Decimal fractions as one number of the same precision, other text as it is."""
    return repr(float(value)) if value and re.fullmatch(r"-?[0-9]+\.[0-9]+(e-?[0-9]+)?|[0-9.]+e-[0-9]+", value) else value


def scalars(value: Any) -> Iterator[str]:
    """Every value in a record, at any depth."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from scalars(inner)
    elif value is not None:
        yield from texts(value)


def written(path: Sequence[str]) -> str:
    """A field in the language."""
    return "data." + ".".join(part if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", part) else f"'{part}'" for part in path)


def literal(value: str) -> str:
    """A raw text of the language, for values without quotes and line ends."""
    return f"r'{value}'"


def can_be_written(value: str) -> bool:
    return bool(value) and not re.search(r"['\n\r]|\\$", value) and value.isascii() and value.isprintable()


def like(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern.lower()).replace("%", ".*"), re.S)


def number(session: Session, hunt: str) -> int:
    """How many entities a hunt finds."""
    session.run(f"v = {hunt}")
    return len(session["v"])


def rows(session: Session, hunt: str, attributes: str = "") -> list[tuple[Any, ...]]:
    """The rows of the variable `v`."""
    chosen = f" ATTR {attributes}" if attributes else ""
    table = next(r for r in session.run(f"v = {hunt}\nDISP v{chosen} LIMIT 1000000") if isinstance(r, Table))
    return [tuple(row) for row in table.rows]


# -- readers -----------------------------------------------------------------------------------------------------------


def content(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8", "replace")


def loads(line: str) -> Any:
    return json.loads(line, parse_float=Number, parse_int=Number)


def of_lines(path: Path) -> list[Any]:
    return [loads(line) for line in content(path).splitlines() if line.strip()]


def once(records: Iterable[Raw], identity: Callable[[Raw], Any] = json.dumps) -> list[Raw]:
    found: dict[Any, Raw] = {}
    for record in records:
        found.setdefault(identity(record), record)
    return list(found.values())


def by_number(record: Raw) -> Any:
    if record.get("RecordNumber") is None:
        return json.dumps(record)
    time = record.get("EventTime") or record.get("TimeCreated")
    return str(record.get("Hostname")).lower(), str(record.get("Channel")).lower(), record["RecordNumber"], time


def flat(path: Path) -> Log:
    return Log(path, once(of_lines(path), by_number))


def beats(path: Path) -> Log:
    documents = of_lines(path)
    is_new = "winlog" in documents[0]

    def identity(d: Raw) -> Any:
        log = d.get("winlog", d)
        return log.get("computer_name"), log.get("channel") or log.get("log_name"), log.get("record_id") or log.get("record_number"), d["@timestamp"]

    return Log(path, once(documents, identity), ("winlog", "event_data") if is_new else ("event_data",))


def of_xml(element: str) -> Raw:
    """A Windows event; a character reference keeps the line ends, which XML would change."""
    element = element.replace("\r\n", "&#13;\n")
    root = ET.fromstring(element)
    for part in root.iter():
        part.tag = part.tag.rpartition("}")[2]
    head = root.find("System")
    system = {part.tag: part.text for part in (head if head is not None else ()) if part.text and part.text.strip() and not part.attrib}
    return {"EventData": {d.get("Name") or "": d.text or "" for d in root.findall("EventData/Data")}, "System": system}


def elements(path: Path) -> list[str]:
    from evtx import PyEvtxParser

    records: Iterator[Any] = PyEvtxParser(str(path)).records()
    return [record["data"] for record in records]


def event_log(path: Path) -> Log:
    return Log(path, [of_xml(e) for e in elements(path)], ("EventData",))


def syslog(path: Path) -> Log:
    """Those messages that are XML: some are cut off, or write `<` as it is."""
    found: list[Raw] = []
    for message in {r["SyslogMessage"] for r in of_lines(path)}:
        with suppress(ET.ParseError):
            found.append(of_xml(message))
    return Log(path, found, ("EventData",))


def zeek(path: Path) -> Log:
    lines = content(path).split("\n")
    if not lines[0].startswith("#separator"):
        return Log(path, once(of_lines(path)))
    found: list[Raw] = []
    names: list[str] = []
    for line in lines:
        if line.startswith("#fields"):
            names = line.split("\t")[1:]
        elif line and not line.startswith("#"):
            found.append({n: v for n, v in zip(names, line.split("\t"), strict=True) if v != "-"})
    return Log(path, once(found))


def audit(path: Path) -> Log:
    """Of each event of the kernel the fields of its system call."""
    found: dict[str, Raw] = {}
    for line in content(path).split("\n"):
        if head := re.match(r"(?:node=\S+ )?type=(\S+) msg=audit\(([0-9.:]+)\):? ?(.*)", line):
            kind, identity, rest = head.groups()
            event = found.setdefault(identity, {})
            if kind == "SYSCALL":
                event["SYSCALL"] = {n: decoded(n, v) for n, v in re.findall(r'(\w+)=("[^"]*"|\S+)', rest) if v not in ("(none)", "(null)", "?")}
    return Log(path, list(found.values()))


def decoded(name: str, value: str) -> str:
    is_text = name in ("comm", "exe", "key") and not value.startswith('"') and re.fullmatch("(?:[0-9A-F]{2})+", value)
    return bytes.fromhex(value).decode() if is_text else value.strip('"')


def wrapped(path: Path) -> Log:
    """Documents within hits, and rows within `properties`."""
    found: dict[str, Raw] = {}
    for line in of_lines(path):
        if "properties" in line:
            if line["properties"].get("ActionType") and line["properties"].get("DeviceId"):
                found[json.dumps(line)] = line["properties"]
        else:
            hits = line["hits"].get("hits", []) if "hits" in line else [line]
            found |= {json.dumps(hit["_source"]): hit["_source"] for hit in hits}
    return Log(path, list(found.values()))


def sentinel(path: Path) -> Log:
    return Log(path, once(r for r in of_lines(path) if "Type" in r))


def table(path: Path) -> Log:
    records = csv.DictReader(io.StringIO(content(path)))
    return Log(path, once({n: v for n, v in r.items() if v} for r in records))


LOGS: dict[str, Callable[[Path], Log]] = {
    "windows-flat/mimikatz_CVE-2020-1472_Unauthenticated_NetrServerAuthenticate2_2020-09-16233923.ndjson.gz": flat,
    "windows-flat/psh_lsass_memory_dump_comsvcs_2020-10-18T19500924.ndjson.gz": flat,
    "winlogbeat6/empire_elevated_registry_2019-05-18183936.ndjson.gz": beats,
    "winlogbeat7/covenant_msbuild_grunt_2019-10-27042312.ndjson.gz": beats,
    "ecs/security-windows2012r2-logon.evtx.golden.ndjson": beats,
    "evtx/sysmon_exec_from_vss_persistence.evtx": event_log,
    "formats/velociraptor/SecurityTasks.evtx": event_log,
    "sentinel/syslog_sysmon_log4shell_cve2021_44228_jndi_reference_2022-05-11181020.ndjson.gz": syslog,
    "sentinel/WindowsEvents.ndjson.gz": sentinel,
    "zeek/ocsf_raw_conn.log.gz": zeek,
    "zeek/apt29_day1_NASHUA_dce_rpc.json.gz": zeek,
    "formats/auditd/go-libaudit_audit-rhel7.log": audit,
    "formats/elastic-defend-macos/macos_attack_dataset.ndjson": wrapped,
    "formats/mde-advanced-hunting/sekoia_Microsoft_microsoft-365-defender_raw.log": wrapped,
    "csv-other/processes_on_host.csv.gz": table,
}
SOURCE = "windows-flat/psh_lsass_memory_dump_comsvcs_2020-10-18T19500924.ndjson.gz"
MORE = {"windows-flat/cmd_bitsadmin_download_psh_script_2020-10-2302365189.ndjson.gz": flat}
"""Logs of which only some questions are asked."""
EACH = pytest.mark.parametrize("name", LOGS)


FIELDS = 20
"""So many fields of each log are compared, the most frequent ones."""


# -- fields ------------------------------------------------------------------------------------------------------------


@HERE
@pytest.mark.sampled(2)
@EACH
def test_the_records_of_a_log(name: str) -> None:
    """Some of their fields and of their values, then all fields at once."""
    log = LOGS[name](DATA / name)
    with Session() as session:
        session.run(f"e = GET event FROM '{log.path}'")
        assert len(session["e"]) == len(log.records)
        compare_all_fields(session, log)
        compare_fields(session, log)
        if LOGS[name] in (event_log, syslog):
            compare_any_of_xml(session, log)
        elif LOGS[name] is not audit:
            compare_any(session, log)


def compare_fields(session: Session, log: Log) -> None:
    """Of a few fields the counts by GROUP, and the records with some of their values."""
    found = {path: log.values(path) for path in log.paths()[:FIELDS]}
    asked = chosen(found)
    for path in asked:
        counted = Counter(alike(next(iter(texts(v)), None)) for v in found[path])
        field = written(path)
        groups = rows(session, f"GROUP e BY {field} WITH COUNT(id) AS n", f"{field}, n")
        assert {alike(shown_text(v)): n for v, n in groups} == counted, field
        assert number(session, f"e WHERE {field} IS NULL") == sum(not texts(v) for v in found[path]), field
        filled = sum(bool(texts(v)) for v in found[path])
        for value in values_of(found[path]):
            having = sum(value in texts(v) for v in found[path])
            assert number(session, f"e WHERE {field} = {literal(value)}") == having, (field, value)
            if value is values_of(found[path])[0]:
                assert number(session, f"e WHERE {field} != {literal(value)}") == filled - having, (field, value)
            if re.fullmatch("[1-9][0-9]{0,9}", value):
                assert number(session, f"e WHERE {field} = {value}") == having, (field, value)


def compare_all_fields(session: Session, log: Log) -> None:
    paths = log.paths()[:FIELDS]
    for some in without_case(paths):
        shown = {tuple(alike(shown_text(v)) for v in row) for row in rows(session, "e", ", ".join(map(written, some)))}
        columns = [[alike(next(iter(texts(v)), None)) for v in log.values(path)] for path in some]
        assert shown == set(zip(*columns, strict=True))


def without_case(paths: Sequence[tuple[str, ...]]) -> list[list[tuple[str, ...]]]:
    """The paths, those that differ in case only apart from each other: a test of its own asks for them together."""
    parts: list[dict[str, tuple[str, ...]]] = [{}]
    for path in paths:
        key = written(path).lower()
        part = next((p for p in parts if key not in p), None)
        if part is None:
            parts.append(part := {})
        part[key] = path
    return [list(part.values()) for part in parts]


def chosen(found: dict[tuple[str, ...], list[Any]]) -> list[tuple[str, ...]]:
    """A few fields with several values each, spread over all."""
    several = [p for p, values in found.items() if 1 < len({tuple(texts(v)) for v in values}) < 200]
    return several[:: max(1, len(several) // 2)][:2]


def values_of(values: Iterable[Any]) -> list[str]:
    """The most frequent of the values, and a rare one."""
    counted = Counter(t for v in values for t in texts(v) if can_be_written(t)).most_common()
    return list(dict.fromkeys(value for value, _ in (*counted[:1], *counted[-1:])))


# -- any value ---------------------------------------------------------------------------------------------------------

PATTERN = "c:\\windows\\%s%.exe"
EXPRESSION = r"(?i)\\system32\\|ssl|tcp|^[0-9]{4}$"


def compare_any(session: Session, log: Log) -> None:
    every = [set(scalars(r)) for r in log.records]
    distinct = set().union(*every)

    def having(holds: Callable[[str], Any]) -> int:
        fits = {value for value in distinct if holds(value)}
        return sum(not values.isdisjoint(fits) for values in every)

    counted = Counter(value for values in every for value in values if can_be_written(value) and len(value) > 1)
    some = [value for value, n in sorted(counted.items(), key=lambda item: (item[1], item[0])) if n < len(every)] or sorted(counted)
    values = list(dict.fromkeys((some[0], some[len(some) // 2])))

    def compare(operator: str, opposite: str, value: str, expected: int) -> None:
        assert number(session, f"e WHERE ANY {operator} {value}") == expected, (operator, value)
        assert number(session, f"e WHERE ANY {opposite} {value}") == len(every) - expected, (opposite, value)

    pattern = like(PATTERN)
    compare("LIKE", "NOT LIKE", literal(PATTERN), having(lambda v: pattern.fullmatch(v.lower())))
    compare("MATCHES", "NOT MATCHES", literal(EXPRESSION), having(lambda v: re.search(EXPRESSION, v)))
    compare("=", "!=", literal(some[-1]), counted[some[-1]])
    compare("IN", "NOT IN", f"({', '.join(map(literal, values))})", having(lambda v: v in values))


def compare_any_of_xml(session: Session, log: Log) -> None:
    every = [[v.lower() for v in within(r, ("EventData",)).values()] for r in log.records]
    for pattern in ("%.exe", "%/var/%"):
        having = sum(any(like(pattern).fullmatch(v) for v in values) for values in every)
        assert number(session, f"e WHERE ANY LIKE {literal(pattern)}") == having, pattern


@HERE
def test_fields_in_a_text(tmp_path: Path) -> None:
    """Sentinel's table WindowsEvent has its payload as JSON in a text: each of its values counts for ANY, as it does for `data.PATH`."""
    source = event_log(DATA / "evtx/sysmon_exec_from_vss_persistence.evtx")
    path = tmp_path / "WindowsEvent.ndjson"
    common = {"Provider": "Microsoft-Windows-Sysmon", "Channel": "Microsoft-Windows-Sysmon/Operational", "Computer": "h"}
    with path.open("w", encoding="utf-8") as stream:
        for n, record in enumerate(source.records):
            payload, time = record["EventData"], record["EventData"]["UtcTime"].replace(" ", "T") + "Z"
            identity = {"EventID": int(record["System"]["EventID"]), "TimeGenerated": time, "EventRecordId": str(n)}
            stream.write(json.dumps({**common, **identity, "EventData": json.dumps(payload)}) + "\n")
    compare(Log(path, [{"EventData": r["EventData"]} for r in source.records], ("EventData",)))
    images = [r["EventData"].get("Image") for r in source.records]
    image, n = Counter(v for v in images if v).most_common(1)[0]
    every = [set(scalars(r["EventData"])) for r in source.records]
    with Session() as session:
        session.run(f"e = GET event FROM '{path}'")
        assert number(session, f"e WHERE data.Image = {literal(image)}") == n
        assert number(session, f"e WHERE ANY = {literal(image)}") == sum(image in v for v in every)


# -- questions of other types ------------------------------------------------------------------------------------------


def guid(value: str | None) -> str | None:
    bare = (value or "").strip("{}").upper()
    return bare if bare.strip("0-") else None


@HERE
@pytest.mark.parametrize(
    "name",
    [
        "windows-flat/cmd_bitsadmin_download_psh_script_2020-10-2302365189.ndjson.gz",
        "winlogbeat7/covenant_msbuild_grunt_2019-10-27042312.ndjson.gz",
        "evtx/sysmon_exec_from_vss_persistence.evtx",
    ],
)
def test_processes_by_two_fields_of_one_record(name: str) -> None:
    """What processes did to the registry and which modules they loaded, as Sysmon reports it: both values are of one record."""
    log = (LOGS | MORE)[name](DATA / name)
    hunts: dict[str, set[str | None]] = {}
    for first_name, second_name in (
        ("TargetObject", "EventType"),
        ("ImageLoaded", "Signed"),
        ("TargetFilename", "Image"),
        ("DestinationPort", "Initiated"),
    ):
        columns = zip(*(log.values((n,)) for n in (first_name, second_name, "ProcessGuid")), strict=True)
        known = [(a, b, guid(g)) for a, b, g in columns if a and b and guid(g) and can_be_written(a)]
        if not known:
            continue
        counted = Counter((a, text(b)) for a, b, _ in known).most_common()
        for a, b in {counted[0][0], counted[-1][0]}:
            expected = {g for x, y, g in known if (x, text(y)) == (a, b)}
            hunts[f"WHERE event:data.{first_name} = {literal(a)} AND event:data.{second_name} = '{b}'"] = expected
    assert hunts
    with Session() as session:
        for where, expected in hunts.items():
            assert {guid(g) for (g,) in rows(session, f"GET process FROM '{log.path}' {where}", "x_unique_id")} == expected, where


@HERE
def test_processes_by_any_value() -> None:
    log = event_log(DATA / "evtx/Sysmon_UACME_34.evtx")
    value = Counter(v for v in log.values(("Image",)) if v).most_common(1)[0][0]
    expected = {guid(r["EventData"].get("ProcessGuid")) for r in log.records if value in r["EventData"].values()}
    with Session() as session:
        found = {guid(g) for (g,) in rows(session, f"GET process FROM '{log.path}' WHERE event:ANY = {literal(value)}", "x_unique_id")}
        assert found >= expected


@HERE
def test_traffic_by_a_field() -> None:
    log = zeek(DATA / "zeek/ocsf_raw_conn.log.gz")
    states = Counter(r["conn_state"] for r in log.records)
    with Session() as session:
        for state in list(states)[:4]:
            found = rows(session, f"GET network-traffic FROM '{log.path}' WHERE event:data.conn_state = '{state}'", "src_port, dst_port")
            ports = {tuple(sorted((int(r["id.orig_p"]), int(r["id.resp_p"])))) for r in log.records if r["conn_state"] == state}
            assert {tuple(sorted(pair)) for pair in found} == ports


# -- rows of records ---------------------------------------------------------------------------------------------------


@HERE
@pytest.mark.parametrize(
    "name",
    ["winlogbeat7/covenant_msbuild_grunt_2019-10-27042312.ndjson.gz", "windows-flat/cmd_bitsadmin_download_psh_script_2020-10-2302365189.ndjson.gz"],
)
def test_rows_of_the_records_of_processes(name: str) -> None:
    """Of records in which only the acting process is named."""
    log = (LOGS | MORE)[name](DATA / name)
    columns = zip(*(log.values((n,)) for n in ("ProcessGuid", "UtcTime", "ImageLoaded", "TargetObject", "ProcessId")), strict=True)
    known = {(guid(g), time, loaded, key) for g, time, loaded, key, _ in columns if guid(g) and (loaded or key)}
    with Session() as session:
        hunt = "RECORDS(p) WHERE data.ImageLoaded IS NOT NULL OR data.TargetObject IS NOT NULL"
        session.run(f"p = GET process FROM '{log.path}'")
        found = rows(session, hunt, "x_unique_id, data.UtcTime, data.ImageLoaded, data.TargetObject")
        assert {(guid(g), *rest) for g, *rest in found if guid(g)} == known


# -- arrays, objects, quoted names, numbers ----------------------------------------------------------------------------


@HERE
def test_lists_match_by_any_element() -> None:
    log = wrapped(DATA / "formats/elastic-defend-macos/macos_attack_dataset.ndjson")
    for path in (("event", "category"), ("process", "args")):
        lists = log.values(path)
        several = Counter(t for v in lists for t in texts(v) if can_be_written(t))
        with Session() as session:
            session.run(f"e = GET event FROM '{log.path}'")
            for value in [v for v, _ in several.most_common()[::5]][:3]:
                expected = sum(value in texts(v) for v in lists)
                assert number(session, f"e WHERE {written(path)} = {literal(value)}") == expected, (path, value)
                none = sum(bool(texts(v)) and value not in texts(v) for v in lists)
                assert number(session, f"e WHERE {written(path)} != {literal(value)}") == none, (path, value)


@HERE
def test_rows_show_all_elements_of_a_list() -> None:
    log = wrapped(DATA / "formats/elastic-defend-macos/macos_attack_dataset.ndjson")
    expected = {tuple(texts(v)) for v in log.values(("process", "args")) if v}
    with Session() as session:
        session.run(f"e = GET event FROM '{log.path}'")
        found = {tuple(v) for (v,) in rows(session, "RECORDS(e)", "data.process.args") if v}
        assert found == expected


@HERE
def test_objects_are_json() -> None:
    log = wrapped(DATA / "formats/elastic-defend-macos/macos_attack_dataset.ndjson")
    expected = {json.dumps(json.loads(json.dumps(v)), sort_keys=True) for v in log.values(("host", "os")) if v}
    with Session() as session:
        session.run(f"e = GET event FROM '{log.path}'")
        found = {json.dumps(json.loads(v, parse_int=Number, parse_float=Number), sort_keys=True) for (v,) in rows(session, "e", "data.host.os") if v}
        assert found == expected


@HERE
def test_names_with_dots_are_quoted() -> None:
    log = zeek(DATA / "zeek/ocsf_raw_http.log.gz")
    hosts = Counter(r["id.resp_h"] for r in log.records)
    with Session() as session:
        session.run(f"e = GET event FROM '{log.path}'")
        assert dict(rows(session, "GROUP e BY data.'id.resp_h' WITH COUNT(id) AS n", "data.'id.resp_h', n")) == hosts
        for host, n in hosts.most_common(2):
            assert number(session, f"e WHERE data.'id.resp_h' = '{host}'") == n


@HERE
@pytest.mark.parametrize("name", [SOURCE, "winlogbeat7/covenant_msbuild_grunt_2019-10-27042312.ndjson.gz"])
def test_names_that_differ_in_case(name: str) -> None:
    """ProcessId is the one that the event is about, ProcessID that of the service that writes the log."""
    log = LOGS[name](DATA / name)
    expected = Counter(zip(*([text(v) for v in log.values((n,))] for n in ("ProcessId", "ProcessID")), strict=True))
    with Session() as session:
        session.run(f"e = GET event FROM '{log.path}'")
        groups = rows(session, "GROUP e BY data.ProcessId, data.ProcessID WITH COUNT(id) AS n", "data.ProcessId, data.ProcessID, n")
        assert {(shown_text(a), shown_text(b)): n for a, b, n in groups} == expected


@HERE
def test_numbers_by_size() -> None:
    log = zeek(DATA / "zeek/ocsf_raw_conn.log.gz")
    for name, limit in (("orig_bytes", 1000), ("duration", 1.5)):
        values = [float(r[name]) for r in log.records if name in r]
        with Session() as session:
            session.run(f"e = GET event FROM '{log.path}'")
            assert number(session, f"e WHERE data.{name} > {limit}") == sum(v > limit for v in values)
            assert number(session, f"e WHERE data.{name} <= {limit}") == sum(v <= limit for v in values)


@HERE
def test_long_whole_numbers_keep_their_digits() -> None:
    """The keywords of Windows events have 19 digits."""
    log = flat(DATA / "windows-flat/mimikatz_CVE-2020-1472_Unauthenticated_NetrServerAuthenticate2_2020-09-16233923.ndjson.gz")
    counted = Counter(text(v) for v in log.values(("Keywords",)))
    with Session() as session:
        session.run(f"e = GET event FROM '{log.path}'")
        groups = rows(session, "GROUP e BY data.Keywords WITH COUNT(id) AS n", "data.Keywords, n")
        assert {shown_text(v): n for v, n in groups} == counted
        for value, n in counted.items():
            assert number(session, f"e WHERE data.Keywords = '{value}'") == n
            assert number(session, f"e WHERE data.Keywords LIKE '{str(value)[:6]}%'") == sum(
                k for v, k in counted.items() if str(v).startswith(str(value)[:6])
            )


@pytest.mark.parametrize("values", [("10.1", "10.10", "10.0"), ("1e5", "12e3", "100000"), ("-007", "-7"), (".5", "0.5", "5.")], ids=lambda v: v[0])
def test_text_that_could_be_a_number_is_text(values: Sequence[str], tmp_path: Path) -> None:
    """Versions and identifiers: two texts are two values."""
    path = tmp_path / "a.ndjson"
    common = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Hostname": "h", "EventTime": "2021-01-01 00:00:00", "ProcessId": "7"}
    path.write_text("".join(json.dumps({**common, "RecordNumber": n, "Some": v}) + "\n" for n, v in enumerate(values)), encoding="utf-8")
    with Session() as session:
        session.run(f"e = GET event FROM '{path}'")
        assert {shown_text(v) for (v,) in rows(session, "e", "data.Some")} == set(values)
        assert len(rows(session, "GROUP e BY data.Some WITH COUNT(id) AS n")) == len(values)
        for value in values:
            assert number(session, f"e WHERE data.Some = '{value}'") == 1


def test_an_empty_list_is_no_value(tmp_path: Path) -> None:
    """It hides no other field of its record."""
    path = tmp_path / "a.ndjson"
    common = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Hostname": "h", "EventTime": "2021-01-01 00:00:00", "ProcessId": "7"}
    records = [{**common, "RecordNumber": n, "Some": v} for n, v in enumerate((["a", "b"], [], ["c"]))]
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    with Session() as session:
        assert sorted(rows(session, f"GET event FROM '{path}'", "data.RecordNumber, data.Some")) == [(0, "a"), (1, None), (2, "c")]
        assert number(session, "v WHERE data.Some IS NULL") == 1


def compare(log: Log) -> None:
    with Session() as session:
        session.run(f"e = GET event FROM '{log.path}'")
        assert len(session["e"]) == len(log.records)
        compare_all_fields(session, log)
        compare_fields(session, log)


# -- the same records in other forms -----------------------------------------------------------------------------------


def hits(path: Path, lines: Sequence[str]) -> Path:
    path = path / "hits.ndjson"
    path.write_text("".join(f'{{"_index": "x", "_id": "{n}", "_source": {line}}}\n' for n, line in enumerate(lines)), encoding="utf-8")
    return path


def behind_syslog(path: Path, lines: Sequence[str]) -> Path:
    path = path / "messages.log"
    path.write_text("".join(f"Oct 23 02:36:51 collector nxlog[77]: {line}\n" for line in lines), encoding="utf-8")
    return path


def in_a_text(path: Path, lines: Sequence[str]) -> Path:
    path = path / "messages.ndjson"
    path.write_text("".join(json.dumps({"message": line}) + "\n" for line in lines), encoding="utf-8")
    return path


def escaped(path: Path, lines: Sequence[str]) -> Path:
    """Every letter of names and values as an escape."""
    path = path / "escaped.ndjson"

    kept = [json.dumps({f"\x00{n}": f"\x00{v}" if isinstance(v, str) else v for n, v in json.loads(line).items()}) for line in lines]
    result = [re.sub(r'"\\u0000((?:[^"\\]|\\.)*)"', lambda m: '"' + letters(m[1]) + '"', line) for line in kept]
    path.write_text("".join(line + "\n" for line in result), encoding="utf-8")
    return path


def letters(inner: str) -> str:
    """The content of a JSON text with each letter that is no part of an escape written as one, and slashes escaped."""
    parts = re.findall(r"\\u[0-9a-fA-F]{4}|\\.|.", inner)
    return "".join(f"\\u{ord(p):04x}" if re.fullmatch("[A-Za-z]", p) else "\\/" if p == "/" else p for p in parts)


def zipped(path: Path, lines: Sequence[str]) -> Path:
    with zipfile.ZipFile(path / "a.zip", "w") as archive:
        middle = len(lines) // 2
        archive.writestr("x/one.ndjson", "\n".join(lines[:middle]))
        archive.writestr("x/two.ndjson.gz", gzip.compress("\n".join(lines[middle - 5 :]).encode()))
    return path / "a.zip"


def several_files(path: Path, lines: Sequence[str]) -> Path:
    """Two files with some records in common, and one in another format."""
    folder = path / "logs"
    folder.mkdir()
    (folder / "a.ndjson").write_text("\n".join(lines[:100]), encoding="utf-8")
    (folder / "b.ndjson").write_text("\n".join(lines[50:]), encoding="utf-8")
    return folder


FORMS = (hits, behind_syslog, in_a_text, escaped, zipped, several_files)


@HERE
@pytest.mark.sampled(2)
@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
def test_records_in_other_forms(form: Callable[[Path, Sequence[str]], Path], tmp_path: Path) -> None:
    lines = [line for line in content(DATA / SOURCE).splitlines() if line.strip()]
    path = form(tmp_path, lines)
    log = Log(path, flat(DATA / SOURCE).records)
    with Session() as session:
        session.run(f"e = GET event FROM '{log.path}'")
        assert len(session["e"]) == len(log.records)
        compare_all_fields(session, log)
        path_values = [v for v in log.values(("ImageLoaded",)) if v]
        value = Counter(path_values).most_common(1)[0][0]
        assert number(session, f"e WHERE data.ImageLoaded = {literal(value)}") == path_values.count(value)
        every = [set(scalars(r)) for r in log.records]
        assert number(session, f"e WHERE ANY = {literal(value)}") == sum(value in v for v in every)
        assert number(session, "e WHERE ANY LIKE '%/%'") == sum(any("/" in x for x in v) for v in every)


@HERE
def test_records_as_csv(tmp_path: Path) -> None:
    records = [{n: text(v) for n, v in r.items() if v is not None} for r in flat(DATA / SOURCE).records]
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(dict.fromkeys(n for r in records for n in r)))
        writer.writeheader()
        writer.writerows(records)
    compare(Log(path, [{n: v for n, v in r.items() if v} for r in records]))


@HERE
def test_records_as_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    records = [{n: text(v) for n, v in r.items() if v is not None} for r in flat(DATA / SOURCE).records]
    names = list(dict.fromkeys(n for r in records for n in r))
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({n: pyarrow.array([r.get(n) for r in records], pyarrow.string()) for n in names}), path)
    compare(Log(path, records))


@HERE
def test_an_event_log_as_xml(tmp_path: Path) -> None:
    source = DATA / "evtx/Sysmon_UACME_34.evtx"
    path = tmp_path / "a.xml"
    path.write_text("<Events>" + "\n".join(re.sub(r"<\?xml[^>]*\?>", "", e) for e in elements(source)) + "</Events>", encoding="utf-8")
    compare(Log(path, event_log(source).records, ("EventData",)))


@HERE
def test_two_log_formats_in_one_file(tmp_path: Path) -> None:
    """A field is looked for where the log format of its record keeps the fields of events."""
    plain = flat(DATA / SOURCE)
    nested = beats(DATA / "winlogbeat7/covenant_msbuild_grunt_2019-10-27042312.ndjson.gz")
    path = tmp_path / "a.ndjson"
    with path.open("w", encoding="utf-8") as stream:
        for log in (plain, nested):
            stream.write(content(log.path))
    with Session() as session:
        session.run(f"e = GET event FROM '{path}'\nDISP e ATTR data.TargetObject, data.EventType, data.Signed, data.DestinationPort")
        for name in ("TargetObject", "EventType", "Signed", "DestinationPort"):
            counted = Counter(text(v) for log in (plain, nested) for v in log.values((name,)))
            groups = rows(session, f"GROUP e BY data.{name} WITH COUNT(id) AS n", f"data.{name}, n")
            assert {shown_text(v): n for v, n in groups} == counted, name


@HERE
def test_a_field_that_no_record_has() -> None:
    path = DATA / SOURCE
    with Session() as session:
        with pytest.raises(Exception, match=r"K0310[\s\S]*did you mean `data.TargetObject`"):
            session.run(f"e = GET event FROM '{path}' WHERE data.TargetObjekt = 'x'")
        with pytest.raises(Exception, match=r"K0310[\s\S]*did you mean `data.TargetObject`"):
            session.run(f"e = GET event FROM '{path}' WHERE data.targetobject = 'x'")


@HERE
def test_the_second_run_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_CACHE", str(tmp_path / "cache"))
    log = flat(DATA / SOURCE)
    values = log.values(("TargetObject",))
    expected = sum(bool(v) for v in values)
    every = [set(scalars(r)) for r in log.records]
    having = sum(any("powershell" in v.lower() for v in values) for values in every)
    for _ in range(2):
        with Session() as session:
            assert number(session, f"GET event FROM '{log.path}' WHERE data.TargetObject LIKE '%'") == expected
            assert number(session, f"GET event FROM '{log.path}' WHERE ANY LIKE '%powershell%'") == having
