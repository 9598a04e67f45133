"""Real records against what another project's parser made of them: each ECS field is equal, or the difference is explained.

The files `*_truth.ndjson` of ../shared/data/formats have a raw record and the ECS fields that another parser found in it. Neither reading is
right by itself. DIFFERENCES says in which cases they differ and why; as each names its fields and has a test of its own, a difference of a
new kind fails. WRONG lists what Kestrel gets wrong: an entry that no longer differs fails, too, and is to be removed.
"""

from __future__ import annotations

import json
import ntpath
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Table

# -- the sets, and how much of each is equal ---------------------------------------------------------------------------

FIGURES = {
    # file: (records, those that are read, fields that are equal)
    "auditd/sekoia_Beats_auditbeat": (8, 8, 86),
    "cloudtrail/sekoia_AWS_aws-cloudtrail": (9, 0, 0),
    "cloudtrail/sekoia_AWS_aws-flow-logs": (4, 0, 0),
    "crowdstrike-alerts/sekoia_CrowdStrike_crowdstrike_falcon": (16, 0, 0),
    "crowdstrike-fdr/sekoia_CrowdStrike_crowdstrike-telemetry": (29, 0, 0),
    "entra/sekoia_Azure_azure-ad": (14, 0, 0),
    "entra/sekoia_Microsoft_microsoft-entraid-graphapi": (33, 0, 0),
    "gcp/sekoia_GoogleCloud": (41, 0, 0),
    "github/sekoia_Github_github-audit-logs": (4, 0, 0),
    "harfanglab/sekoia_HarfangLab_harfanglab": (30, 6, 35),
    "kubernetes-audit/sekoia_Kubernetes_audit-log": (4, 0, 0),
    "m365/sekoia_Office365_o365": (38, 0, 0),
    "mde-advanced-hunting/sekoia_Microsoft_microsoft-365-defender": (35, 14, 199),
    "ocsf/sekoia_OCSF_ocsf": (19, 18, 36),
    "okta/sekoia_Okta_okta-system-logs": (5, 0, 0),
    "sentinel/sekoia_Azure_azure-windows": (7, 7, 59),
    "sentinel/sekoia_Microsoft_microsoft-sentinel": (3, 0, 0),
    "sentinelone/sekoia_SentinelOne_cloud_funnel2.0": (16, 0, 0),
    "suricata-eve/sekoia_Suricata_suricata": (9, 1, 1),
    "windows-nxlog/sekoia_Windows_windows": (53, 53, 327),
    "winlogbeat/sekoia_Beats_winlogbeat": (22, 22, 204),
}
"""Of formats that Kestrel does not read, no record is. Of Suricata, the one that is a document of Metricbeat is read."""

# -- ECS fields as attributes of events --------------------------------------------------------------------------------

PROCESS = {
    "name": "name",
    "pid": "pid",
    "entity_id": "x_unique_id",
    "command_line": "command_line",
    "working_directory": "cwd",
    "start": "created",
    "exit_code": "x_exit_code",
    "executable": "binary_ref.x_path",
    "hash.md5": "binary_ref.hashes.MD5",
    "hash.sha1": "binary_ref.hashes.SHA-1",
    "hash.sha256": "binary_ref.hashes.SHA-256",
    "pe.imphash": "binary_ref.hashes.IMPHASH",
    "pe.original_file_name": "binary_ref.x_software_ref.name",
    "pe.company": "binary_ref.x_software_ref.vendor",
    "pe.description": "binary_ref.x_description",
    "code_signature.subject_name": "binary_ref.x_code_signature_subject_name",
}
FILE = {
    "path": "x_path",
    "name": "name",
    "extension": "x_extension",
    "directory": "parent_directory_ref.path",
    "hash.md5": "hashes.MD5",
    "hash.sha1": "hashes.SHA-1",
    "hash.sha256": "hashes.SHA-256",
    "pe.imphash": "hashes.IMPHASH",
}
USER = {"name": "account_login", "domain": "x_domain", "id": "user_id"}
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    **{f"process.{name}": (f"process_ref.{attribute}",) for name, attribute in PROCESS.items()},
    **{f"process.parent.{name}": (f"parent_process_ref.{attribute}",) for name, attribute in PROCESS.items()},
    **{f"process.parent.user.{name}": (f"parent_process_ref.creator_user_ref.{attribute}",) for name, attribute in USER.items()},
    **{f"{of}.{name}": (f"file_ref.{attribute}",) for of in ("file", "dll") for name, attribute in FILE.items()},
    **{f"process.user.{name}": (f"process_ref.creator_user_ref.{attribute}", f"actor_user_ref.{attribute}") for name, attribute in USER.items()},
    **{f"user.{name}": (f"actor_user_ref.{attribute}",) for name, attribute in USER.items()},
    **{f"user.target.{name}": (f"user_ref.{attribute}",) for name, attribute in USER.items()},
    "process.ppid": ("parent_process_ref.pid",),
    "source.ip": ("network_ref.src_ref.value", "src_ref.value"),
    "source.port": ("network_ref.src_port", "x_local_port"),
    "destination.ip": ("network_ref.dst_ref.value",),
    "destination.port": ("network_ref.dst_port",),
    "network.transport": ("network_ref.protocols[*]",),
    "network.direction": ("network_ref.x_direction",),
    "network.protocol": ("network_ref.x_application",),
    "registry.key": ("registry_ref.key",),
    "registry.path": ("registry_ref.key", "registry_ref.values[*].name"),
    "registry.value": ("registry_ref.values[*].name",),
    "registry.data.strings": ("registry_ref.values[*].data",),
    "registry.data.type": ("registry_ref.values[*].data_type",),
    "dns.question.name": ("domain_ref.value",),
    "dns.resolved_ip": ("domain_ref.resolves_to_refs.value",),
    "sysmon.dns.status": ("domain_ref.x_status",),
    "host.name": ("host_ref.hostname",),
    "host.hostname": ("host_ref.hostname",),
    "event.code": ("code",),
    "event.provider": ("provider",),
    "event.action": ("action",),
    "event.outcome": ("x_outcome",),
    "@timestamp": ("created",),
}
"""Of several attributes, the first that has a value; a registry path is all of them."""
TEXT = re.compile("command_line|user.*(name|domain)|event.action|registry.data.strings")
"""Fields of which case counts."""


@dataclass(frozen=True)
class Field:
    """One ECS field of one record, as the other parser and as Kestrel have it."""

    record: Mapping[str, Any]
    """The raw record: values by path."""
    others: Mapping[str, Any]
    """Every ECS field of the record."""
    code: str
    name: str
    expected: Any
    found: Any

    def raw(self, name: str) -> Any:
        """A value of the raw record by its path, or by its name below anything; None if it has none, or one that stands for none."""
        paths = (path for path in self.record if path == name or path.endswith(f".{name}"))
        value = next((self.record[path] for path in paths), None)
        return None if value in ("", "-") else value

    @property
    def is_missing(self) -> bool:
        return self.found is None


# -- why they may differ -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """A kind of difference: its sets and fields as patterns, when a difference is of it, and why."""

    sets: str
    fields: str
    is_it: Callable[[Field], bool]
    why: str


LOGONS = ("4624", "4625", "4648")
EVENTS_ONLY = (
    *("4634", "4698", "4702", "4720", "4723", "4725", "4728", "4738", "4742", "4744", "4768", "4769", "4776", "4798", "4886", "5145"),
    *("1203", "6272"),  # AD FS and Network Policy Server, which write to the Security log
    *("39", "60", "61", "2500", "2946", "4103", "8002", "16403"),  # other logs
)
"""Codes of Windows events that Kestrel keeps as events, with the account that asked and nothing else."""
NOBODY = ("-", "s-1-0-0")


def number(value: Any) -> int | None:
    """A process id as Windows events write it, in decimal or as `0x...`; 0 stands for none."""
    return None if value is None else int(str(value), 0) or None


def pid(field: Field) -> int | None:
    """The id of the process that acted, among an event's own fields."""
    if field.code == "4688":
        return number(field.raw("NewProcessId"))
    names = ("SourceProcessId", "ProcessId", "process.pid")
    return next((found for n in names if (found := number(field.record.get(n) if "." in n else field.raw(n)))), None)


def is_of_the_service(field: Field) -> bool:
    """Whether the other parser took the id of the process that wrote the log, and Kestrel the event's own or none."""
    service = next((field.raw(n) for n in ("winlog.process.pid", "properties.Pid", "ProcessID") if field.raw(n) is not None), None)
    own = pid(field)
    return bool(field.expected == str(service) and field.found == (str(own) if own else None))


def folder(field: Field) -> str:
    """The folder of the program of which the field is, as the other parser has its path."""
    path = field.others.get(field.name.replace("working_directory", "executable")) or field.raw("InitiatingProcessFolderPath")
    return ntpath.dirname(str(path).casefold()).rstrip("\\")


def account(field: Field) -> Any:
    """The account with whose rights a log was written, as NXLog and winlogbeat name it beside the event."""
    names = {"user.name": ("AccountName",), "user.domain": ("Domain",), "user.id": ("UserID", "winlog.user.identifier")}[field.name]
    return next((field.record[n] for n in names if n in field.record), None)


def host(field: Field) -> str:
    """The host that an event names."""
    return str(field.raw("computer_name") or field.raw("Hostname")).casefold()


DIFFERENCES = (
    # Windows: processes
    Difference("windows-nxlog|winlogbeat|azure-windows", "process.pid", is_of_the_service, "the other parser's is the service that wrote the log"),
    Difference(
        "windows-nxlog",
        "process.pid",
        lambda f: f.is_missing and "ProcessID" in f.record and f"ProcessId: {f.expected}\r" in str(f.raw("Message")),
        "NXLog's own ProcessID displaced the event's ProcessId, which stands in the message alone, and messages are not read",
    ),
    Difference(
        "windows-nxlog",
        "process.parent.pid",
        lambda f: f.is_missing and f.raw("ProcessId") is None and f"Creator Process ID:\t{int(f.expected):#x}\r" in str(f.raw("Message")),
        "the same of the creator of a process",
    ),
    Difference(
        "azure-windows",
        "process.parent.pid",
        lambda f: f.is_missing and f.code in ("3", *LOGONS) and (number(f.expected) == number(f.raw("ProcessId"))),
        "the process of these events is no parent",
    ),
    Difference(
        "windows-nxlog|azure-windows|defender",
        "process.(parent.)?working_directory",
        lambda f: f.is_missing and (f.raw("CurrentDirectory") is None or "parent" in f.name) and f.expected.rstrip("\\") == folder(f),
        "the other parser's is the folder of the program; records have none of these",
    ),
    Difference(
        "windows-nxlog",
        "process.command_line",
        lambda f: f.expected == str(f.found).replace('"', "") and f.found == f.raw("CommandLine"),
        "the other parser leaves out the quotes",
    ),
    Difference(
        "windows-nxlog",
        "process.parent.command_line",
        lambda f: f.found == f.raw("ParentCommandLine") and f.expected == (f.raw("ParentImage") or f.raw("ParentProcessName")),
        "the other parser's is the path of the program",
    ),
    Difference("windows-nxlog", "process.(name|executable)", lambda f: f.is_missing and f.expected == "-", "`-` is no program"),
    Difference(
        "azure-windows",
        "process.command_line",
        lambda f: f.expected.lower() == str(f.found).replace('"', "").lower(),
        "the other parser leaves out the quotes and makes it lower-case",
    ),
    Difference(
        "auditbeat",
        "process.hash.*",
        lambda f: f.is_missing and not re.fullmatch("[0-9a-fA-F]+", str(f.expected)),
        "a digest is hexadecimal",
    ),
    Difference(
        "winlogbeat",
        "file.*",
        lambda f: f.code == "5145" and not f.is_missing,
        "what was accessed over a share is a file of the host: the folder of the share and the path in it",
    ),
    Difference(
        "windows-nxlog",
        "process.(name|executable|hash.*|pe.imphash)",
        lambda f: f.is_missing and f.code == "6",
        "a driver is a file; the other parser calls it the process",
    ),
    Difference(
        "winlogbeat",
        "process.parent.(pid|command_line)",
        lambda f: f.raw("process.entity_id") is not None and f.raw("process.entity_id") == f.raw("process.parent.entity_id"),
        "whoever made the record anonymous gave a process and its parent one id, so they are one",
    ),
    Difference(
        "windows-nxlog|winlogbeat|harfanglab",
        "(process.(name|executable|pid|ppid|command_line)|file.*|(source|destination).*|user.(name|domain|id))",
        lambda f: f.is_missing and f.code in EVENTS_ONLY,
        "Kestrel keeps these events as events only",
    ),
    # Windows: accounts
    Difference(
        "windows-nxlog|winlogbeat",
        "user.(name|domain|id)",
        lambda f: f.is_missing and comparable(f.name, account(f)) == f.expected and f.raw("SubjectUserName") is None,
        "the other parser's is the account of the service that wrote the log",
    ),
    Difference(
        "windows-nxlog|winlogbeat|azure-windows|harfanglab",
        "user.(target.)?(name|domain|id)",
        lambda f: f.is_missing and f.expected in NOBODY,
        "these stand for no account",
    ),
    Difference(
        "windows-nxlog",
        "user.target.*",
        lambda f: f.code == "4688" and f.expected in NOBODY and f.found == comparable("user.id", f.others[f.name.replace("target.", "")]),
        "a process created for no other account runs as that of its creator",
    ),
    Difference(
        "windows-nxlog|winlogbeat|harfanglab",
        "user.target.*",
        lambda f: f.code in EVENTS_ONLY and (f.found in (f.others.get(f.name.replace("target.", "")), f.raw("SubjectUserName"))),
        "of events about another account than the caller's, Kestrel reads that of logons alone",
    ),
    Difference(
        "winlogbeat",
        "user.name",
        lambda f: f.found == f.raw("SubjectUserName") == f"{f.expected}$",
        "the other parser leaves out the `$` of some accounts of computers",
    ),
    # Windows: hosts, times, outcomes, addresses
    Difference(
        "windows-nxlog|winlogbeat|harfanglab",
        "host.(host)?name",
        lambda f: (
            f.found == host(f)
            and f.expected in (host(f).partition(".")[0], str(f.record.get(f.name)).casefold(), str(f.raw("agent.hostname")).casefold())
        ),
        "the other parser's is the first part of the name, or the name of the agent; Kestrel has the name in the event",
    ),
    Difference(
        "winlogbeat",
        "@timestamp",
        lambda f: f.found == comparable(f.name, f.raw("UtcTime")) and f.expected == comparable(f.name, f.record["@timestamp"]),
        "Kestrel has Sysmon's own time, the other parser that of the log",
    ),
    Difference(
        "windows-nxlog|winlogbeat|azure-windows",
        "event.outcome",
        lambda f: f.is_missing and f.code not in LOGONS[:2],
        "the other parser's is whether Windows calls the record a success; Kestrel has the outcome of logons",
    ),
    Difference(
        "windows-nxlog|winlogbeat|azure-windows|harfanglab",
        "event.action",
        lambda f: f.code in LOGONS and f.expected.startswith("authentication_") and f.found in ("Logon", None),
        "the other parser's is made from the type of a logon",
    ),
    Difference("windows-nxlog", "network.transport", lambda f: (f.expected, f.found) == ("6", "tcp"), "a protocol by number and by name"),
    Difference("windows-nxlog", "(source.ip|network.transport)", lambda f: f.is_missing and f.code == "5154", "to listen on a port is no traffic"),
    Difference(
        "winlogbeat|azure-windows", "source.port", lambda f: f.is_missing and f.code in LOGONS, "Kestrel has no attribute for the port of a logon"
    ),
    Difference("winlogbeat", "network.protocol", lambda f: f.is_missing and f.code == "22", "a DNS query of Sysmon is no traffic"),
    Difference(
        "winlogbeat",
        "dns.resolved_ip",
        lambda f: f.found in f.expected and len(f.raw("dns.resolved_ip")) > 1,
        "of several addresses the first is shown",
    ),
    Difference("windows-nxlog", "registry.data.type", lambda f: f.is_missing and f.raw("Details") is not None, "the other parser guesses it"),
    # Defender
    Difference("defender", "process.(parent.)?pid", lambda f: f.is_missing and f.expected == "0", "0 stands for no process"),
    Difference(
        "defender",
        "(source|destination).ip",
        lambda f: f.is_missing and f.code == "NtAllocateVirtualMemoryApiCall" and f.raw("RemotePort") is None,
        "a call that allocates memory is no traffic",
    ),
    Difference(
        "defender",
        "network.protocol",
        lambda f: f.is_missing and f.expected == str(f.raw("Protocol") or f.raw("RequestProtocol")).casefold(),
        "the other parser's is the transport, or how a share was asked; Kestrel's is the application's",
    ),
    Difference(
        "defender",
        "file.directory",
        lambda f: f.expected == str(f.raw("FolderPath")).casefold() and f.found == ntpath.dirname(f.expected),
        "FolderPath is the path of the file; the other parser calls it the folder",
    ),
    Difference(
        "defender",
        "file.*",
        lambda f: f.is_missing and f.code == "ProcessCreated" and str(f.raw("FolderPath")).endswith(str(f.raw("FileName"))),
        "the file of a process that was created is its binary",
    ),
    Difference(
        "defender",
        "process.parent.code_signature.subject_name",
        lambda f: f.is_missing and f.raw("InitiatingProcessSignerType") == "Unknown",
        "who signed is not known",
    ),
    Difference(
        "defender", "event.outcome", lambda f: f.is_missing and f.code == "NtAllocateVirtualMemoryApiCall", "Kestrel has the outcome of logons"
    ),
    # OCSF
    Difference(
        "ocsf",
        "(?!@timestamp|event|host).*",
        lambda f: f.is_missing and f.record["class_uid"] != 1007,
        "Kestrel reads events of other classes than process activity as events only",
    ),
    Difference("ocsf", "event.action", lambda f: f.found == f.record["activity_name"] and f.expected == f.found.lower(), "case"),
    Difference(
        "ocsf",
        "event.provider",
        lambda f: (f.expected, f.found) == tuple(f.record[f"metadata.{n}"].casefold() for n in ("log_provider", "product.name")),
        "Kestrel's is the product",
    ),
    Difference("ocsf", "event.code", lambda f: f.found == str(f.record["type_uid"]), "Kestrel's is the number of class and activity"),
    Difference("ocsf", "event.outcome", lambda f: f.is_missing, "Kestrel has the outcome of logons, and reads those of other formats"),
    Difference("ocsf", "file.*", lambda f: f.is_missing and f.code == "100701", "the file of a process that was created is its binary"),
    Difference("ocsf", "(process.)?user.id", lambda f: f.is_missing and "s-1-" not in f.expected, "text that is no SID"),
)
"""The first that fits counts. Each is needed."""

WRONG = {
    ("harfanglab/sekoia_HarfangLab_harfanglab", "authentication_2.json", "@timestamp"): (
        RECEIPT
        := "HarfangLab's documents are taken for those of winlogbeat 6; their @timestamp is that of receipt, the event's is @event_create_date"
    ),
    ("harfanglab/sekoia_HarfangLab_harfanglab", "event_log.json", "@timestamp"): RECEIPT,
    ("harfanglab/sekoia_HarfangLab_harfanglab", "test_cn_fields_.json", "@timestamp"): RECEIPT,
    ("harfanglab/sekoia_HarfangLab_harfanglab", "wineventlog4.json", "@timestamp"): RECEIPT,
    ("mde-advanced-hunting/sekoia_Microsoft_microsoft-365-defender", "test_devices_events_script_content.json", "file.hash.sha256"): (
        "a file of which a row has the digest alone is lost"
    ),
    ("windows-nxlog/sekoia_Windows_windows", "process_creation2.json", "process.parent.name"): (
        NAME := "a parent of which a record has the name alone is lost"
    ),
    ("windows-nxlog/sekoia_Windows_windows", "process_creation2.json", "process.parent.executable"): NAME,
}
"""What Kestrel gets wrong: set, record and field, and what is wrong."""


# -- reading -----------------------------------------------------------------------------------------------------------


def leaves(value: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for name, below in value.items():
        if isinstance(below, Mapping):
            yield from leaves(below, f"{at}{name}.")
        else:
            yield f"{at}{name}", below


def values(message: str) -> dict[str, Any]:
    """The values of a raw record by path, those of an event in XML among them."""
    found = dict(leaves(json.loads(message)))
    if xml := found.get("properties.RawXml"):
        root = ET.fromstring(xml)
        for part in root.iter():
            found |= {f"RawXml.{part.tag.rpartition('}')[2]}.{name}": value for name, value in part.items()}
            if name := part.get("Name"):
                found[f"RawXml.Data.{name}"] = part.text
    return found


def events(session: Session, path: Path, attributes: list[str]) -> dict[str, Any] | None:
    """Attributes of the only event of a file; None if its log format is not known."""
    try:
        results = session.run(f"e = GET event FROM '{path}'\nDISP e ATTR {', '.join(attributes)}")
    except HuntErrors as error:
        assert error.errors[0].code == "K0412"
        return None
    table = next(r for r in results if isinstance(r, Table))
    (row,) = table.rows
    return dict(zip(table.columns, row, strict=True))


def comparable(name: str, value: Any) -> Any:
    """A value without what does not count in a comparison: lists of one, types, braces of ids and, of most fields, case."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else sorted(map(str, value))
    if value is None:
        return None
    if name in ("@timestamp", "process.start", "process.parent.start"):
        return value.replace(tzinfo=None) if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=None)
    text = str(value)
    return text if TEXT.search(name) else text.casefold()


def fields(expected: Mapping[str, Any], record: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Field]:
    for name, value in expected.items():
        if name not in ATTRIBUTES:
            continue
        found = [row[a] for a in ATTRIBUTES[name] if row[a] is not None]
        one = "\\".join(found) if name == "registry.path" else next(iter(found), None)
        if name == "registry.key" and (hive := expected["registry.hive"]) and not str(value).startswith(hive):
            value = f"{hive}\\{value}"
        yield Field(record, expected, str(row["code"]), name, comparable(name, value), comparable(name, one))


def explanation(set_: str, field: Field) -> Difference | None:
    """Which difference one of a set is."""
    return next((d for d in DIFFERENCES if re.search(d.sets, set_) and re.fullmatch(d.fields, field.name) and d.is_it(field)), None)


def read(session: Session, records: list[dict[str, Any]], folder: Path) -> Iterator[tuple[str, list[Field]]]:
    """The name and the fields of each record that is read, each from a file of its own."""
    for place, one in enumerate(records):
        expected, message = dict(leaves(one["expected"])), one["input"]["message"]
        path = folder / f"{place}.json"
        path.write_text(message + "\n", encoding="utf-8")
        attributes = sorted({"code", *(a for f in expected for a in ATTRIBUTES.get(f, ()))})
        if row := events(session, path, attributes):
            yield Path(one["_file"]).name, list(fields(expected, values(message), row))


@pytest.mark.parametrize("set_", [pytest.param(n, marks=[pytest.mark.slow] * (read > 10)) for n, (_, read, _) in FIGURES.items()])
def test_every_field_is_equal_or_explained(set_: str, shared: Path, tmp_path: Path) -> None:
    lines = (shared / "formats" / f"{set_}_truth.ndjson").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    is_read = FIGURES[set_][1] > 0
    if not is_read:
        path = tmp_path / "all.log"
        path.write_text("\n".join(one["input"]["message"] for one in records) + "\n", encoding="utf-8")
    with Session() as session:
        found = list(read(session, records, tmp_path)) if is_read else []
        assert is_read or events(session, path, ["code"]) is None
    different = [(file, f) for file, listed in found for f in listed if f.expected != f.found]
    wrong = [(file, f.name) for file, f in different if (set_, file, f.name) in WRONG]
    why = [(file, f, explanation(set_, f)) for file, f in different if (set_, file, f.name) not in WRONG]
    assert [(file, f.code, f.name, f.expected, f.found) for file, f, explained in why if explained is None] == []
    assert [d for d in DIFFERENCES if re.search(d.sets, set_) and d not in [explained for *_, explained in why]] == [], "not needed here"
    assert sorted(wrong) == sorted((file, name) for of, file, name in WRONG if of == set_), "some are right now"
    equal = sum(f.expected == f.found for _, listed in found for f in listed)
    assert (len(records), len(found), equal) == FIGURES[set_]
