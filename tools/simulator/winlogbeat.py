"""Records as winlogbeat 8 writes them: ECS documents with its Sysmon and Security modules' fields.

Which field goes where is from the ingest pipelines of elastic/beats, x-pack/winlogbeat/module (sysmon.yml and
security_standard.yml), and their golden files. Sysmon's `UtcTime` becomes `@timestamp` and leaves the event data.
Security 4688 keeps the creator's `ProcessId` in the event data beside `process.parent.pid`, while the new process's own
fields move. 5156 has no place in ECS and stays as it is. `user.id` of a Sysmon document is the account of the logging
service.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
import zlib
from typing import Any, assert_never

from tools.simulator.programs import PROGRAMS
from tools.simulator.world import (
    SYSTEM,
    Account,
    Connection,
    DnsQuery,
    FileWrite,
    Host,
    ImageLoad,
    Process,
    Record,
    RegistryWrite,
    basename,
    iso,
)

Document = dict[str, Any]

_CHANNELS = {"sysmon": "Microsoft-Windows-Sysmon/Operational", "security": "Security"}
_PROVIDERS = {
    "sysmon": ("Microsoft-Windows-Sysmon", "{5770385F-C22A-43E0-BF4C-06F5698FFBD9}"),
    "security": ("Microsoft-Windows-Security-Auditing", "{54849625-5478-4994-A5BA-3E3B0328C30D}"),
}
_EVENTS: dict[str, tuple[str, list[str], list[str], str, int]] = {
    "1": ("Process creation", ["process"], ["start"], "Process Create (rule: ProcessCreate)", 5),
    "3": (
        "Network connection",
        ["network"],
        ["start", "connection", "protocol"],
        "Network connection detected (rule: NetworkConnect)",
        5,
    ),
    "5": ("Process terminated", ["process"], ["end"], "Process terminated (rule: ProcessTerminate)", 3),
    "7": ("Image loaded", ["process"], ["change"], "Image loaded (rule: ImageLoad)", 3),
    "11": ("FileCreate", ["file"], ["creation"], "File created (rule: FileCreate)", 2),
    "13": (
        "RegistryEvent (Value Set)",
        ["configuration", "registry"],
        ["change"],
        "Registry value set (rule: RegistryEvent)",
        2,
    ),
    "22": ("DNSEvent (DNS query)", ["network"], ["connection", "protocol", "info"], "Dns query (rule: DnsQuery)", 5),
    "4688": ("created-process", ["process"], ["start"], "Process Creation", 2),
    "4689": ("exited-process", ["process"], ["end"], "Process Termination", 0),
    "5156": ("Filtering Platform Connection", [], [], "Filtering Platform Connection", 1),
}
"""Per event: action, categories, types, task, version."""
_SPACED = re.compile(r'(?:"[^"]*"|[^\s"])+')
"""Words of a command line as the Security module cuts them: at spaces outside quotes, which stay."""
_DWORD = re.compile(r"DWORD \((0x[0-9a-fA-F]{8})\)")
_QWORD = re.compile(r"QWORD \((0x[0-9a-fA-F]{8})-(0x[0-9a-fA-F]{8})\)")


def document(record: Record) -> Document:
    """One record as winlogbeat gives it to Elasticsearch."""
    whole = _envelope(record)
    body = _sysmon(record) if record.channel == "sysmon" else _security(record)
    whole["winlog"] |= body.pop("winlog", {})
    return whole | body


def line(record: Record) -> str:
    return json.dumps(document(record), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _chance(record: Record, what: str, one_in: int) -> bool:
    """Whether this record is one of those spelt the other way."""
    return zlib.crc32(f"{record.host.label}/{record.number}/{what}".encode()) % one_in == 0


def _computer(host: Host, record: Record) -> str:
    if record.at < host.short_until:
        return host.label.upper()
    return f"{host.label.upper()}.{host.domain}" if record.channel == "security" else host.name


def _envelope(record: Record) -> Document:
    action, categories, types, task, version = _EVENTS[record.code]
    provider, provider_id = _PROVIDERS[record.channel]
    event: Document = {
        "action": action,
        "code": record.code,
        "kind": "event",
        "module": record.channel,
        "provider": provider,
    }
    if categories:
        event |= {"category": categories, "type": types}
    computer = _computer(record.host, record)
    winlog: Document = {
        "channel": _CHANNELS[record.channel],
        "computer_name": computer,
        "event_id": record.code,
        "opcode": "Info",
        "process": {
            "pid": 4 if record.channel == "security" else 3196,
            "thread": {"id": 1764 + 4 * (record.number // 400 % 3)},
        },
        "provider_guid": provider_id,
        "provider_name": provider,
        "record_id": str(record.number),
        "task": task,
        "version": version,
    }
    if record.channel == "security":
        event["outcome"] = "success"
        winlog["keywords"] = ["Audit Success"]
    else:
        winlog["user"] = {
            "domain": SYSTEM.domain,
            "identifier": SYSTEM.sid,
            "name": SYSTEM.name,
            "type": "Well Known Group",
        }
    return {
        "@timestamp": iso(record.at),
        "agent": {"type": "winlogbeat", "version": "8.17.0"},
        "ecs": {"version": "8.17.0"},
        "event": event,
        "host": {"name": computer},
        "log": {"level": "information"},
        "winlog": winlog,
    }


# -- Sysmon ------------------------------------------------------------------------------------------------------------


def _sysmon(record: Record) -> Document:
    process = record.actor
    body: Document = {"process": _actor(record, process), "user": {"id": SYSTEM.sid}}
    match record.deed:
        case None if record.code == "1" and record.creator:
            body |= _creation(record, process, record.creator)
        case None:
            pass
        case Connection() as flow:
            body |= _with_user(body, process.account) | _network(record, flow)
            body["related"] = {
                "ip": sorted({body["source"]["ip"], body["destination"]["ip"]}),
                "user": [process.account.name],
            }
        case FileWrite() as deed:
            body["file"] = _file(deed.path)
            body["winlog"] = {"event_data": {"CreationUtcTime": iso(deed.at).replace("T", " ").rstrip("Z")}}
        case ImageLoad() as deed:
            body |= _module(record, deed)
        case RegistryWrite() as deed:
            body["registry"] = _registry(deed)
            body["winlog"] = {"event_data": {"EventType": "SetValue"}}
        case DnsQuery() as deed:
            body |= _dns(deed)
        case other:
            assert_never(other)
    return body


def _guid(record: Record, guid: str, what: str) -> str:
    return guid.lower() if _chance(record, what, 4) else guid


def _image(record: Record, path: str, what: str) -> str:
    """A program's path; records that are no creations sometimes spell the folder as the loader did."""
    if record.code not in ("1", "4688") and path.startswith("C:\\Windows\\") and _chance(record, what, 6):
        path = path.replace("C:\\Windows\\System32", "C:\\WINDOWS\\system32")
        return path.replace("C:\\Windows\\e", "C:\\WINDOWS\\E")
    return path


def _named(path: str) -> Document:
    """`name` is what follows the last backslash; a path without one gives none."""
    return {"executable": path, "name": basename(path)} if "\\" in path else {"executable": path}


def _actor(record: Record, process: Process) -> Document:
    guid = process.creation_guid if record.code == "1" else process.guid
    named = _named(_image(record, process.image, "actor"))
    return {"entity_id": _guid(record, guid, "actor"), "pid": process.pid} | named


def _with_user(body: Document, account: Account) -> Document:
    return {"user": body["user"] | {"domain": account.domain, "name": account.name}}


def _creation(record: Record, process: Process, parent: Process) -> Document:
    known = PROGRAMS[process.name.lower()]
    hashes, imphash = _hashes(process.image)
    pe = {
        "company": known.company,
        "description": known.description,
        "file_version": known.version,
        "product": known.product,
    }
    actor = _actor(record, process) | {
        "args": _arguments(process.command_line),
        "command_line": process.command_line,
        "hash": hashes,
        "pe": {k: v for k, v in pe.items() if v} | {"imphash": imphash, "original_file_name": known.name},
        "working_directory": process.folder,
        "parent": {
            "args": _arguments(parent.command_line),
            "command_line": parent.command_line,
            "entity_id": _guid(record, parent.guid, "parent"),
            "pid": parent.pid,
        }
        | _named(parent.image),
    }
    actor["args_count"] = len(actor["args"])
    actor["parent"]["args_count"] = len(actor["parent"]["args"])
    data = {
        "Company": known.company,
        "Description": known.description,
        "FileVersion": known.version,
        "IntegrityLevel": "System" if process.account.sid.startswith("S-1-5-1") else "Medium",
        "LogonId": process.account.logon,
        "Product": known.product,
        "TerminalSessionId": "0" if process.account.sid.startswith("S-1-5-1") else "1",
    }
    return _with_user({"user": {"id": SYSTEM.sid}}, process.account) | {
        "process": actor,
        "related": {"hash": [*hashes.values(), imphash], "user": [process.account.name]},
        "winlog": {"event_data": {k: v for k, v in data.items() if v}},
    }


def _hashes(path: str) -> tuple[dict[str, str], str]:
    """Made-up digests of a file, the same wherever the file is met."""
    text = path.lower().encode()
    hashes = {"md5": hashlib.md5(text).hexdigest(), "sha256": hashlib.sha256(text).hexdigest()}
    return hashes, hashlib.md5(b"imports " + text).hexdigest()


def _arguments(command: str) -> list[str]:
    """A command line in words, by the rules of Windows in so far as the simulated ones need them."""
    words, word, quoted = [], "", False
    for sign in command:
        if sign == '"':
            quoted = not quoted
        elif sign in " \t" and not quoted:
            words += [word] if word else []
            word = ""
        else:
            word += sign
    return words + ([word] if word else [])


def _network(record: Record, flow: Connection) -> Document:
    (source, source_port), (destination, destination_port) = flow.source, flow.destination
    inward = flow.inbound or record.actor is not flow.process
    network = {
        "community_id": _community(flow),
        "direction": "ingress" if inward else "egress",
        "protocol": flow.application,
        "transport": flow.protocol,
        "type": "ipv6" if ":" in source else "ipv4",
    }
    return {
        "destination": {"ip": _long(destination), "port": destination_port},
        "network": {k: v for k, v in network.items() if v},
        "source": {"ip": _long(source), "port": source_port},
    }


def _long(address: str) -> str:
    """Sysmon writes IPv6 without `::`, as `fe80:0:0:0:...`."""
    if ":" not in address:
        return address
    return ":".join(f"{int(group, 16):x}" for group in ipaddress.ip_address(address).exploded.split(":"))


def _community(flow: Connection) -> str:
    """Community ID, version 1 (https://github.com/corelight/community-id-spec)."""
    ends = sorted((ipaddress.ip_address(a).packed, p) for a, p in (flow.source, flow.destination))
    protocol = {"tcp": 6, "udp": 17}[flow.protocol]
    ports = b"".join(p.to_bytes(2, "big") for _, p in ends)
    packed = b"\0\0" + ends[0][0] + ends[1][0] + bytes((protocol, 0)) + ports
    return "1:" + base64.b64encode(hashlib.sha1(packed).digest()).decode()


def _file(path: str) -> Document:
    folder, _, name = path.rpartition("\\")
    return {"directory": folder, "extension": path.rpartition(".")[2], "name": name, "path": path}


def _module(record: Record, deed: ImageLoad) -> Document:
    path = deed.path.replace("C:\\ProgramData", "c:\\programdata") if _chance(record, "module", 5) else deed.path
    hashes, imphash = _hashes(deed.path)
    known = PROGRAMS[deed.process.name.lower()]
    pe = {
        "company": known.company,
        "description": known.description,
        "file_version": known.version,
        "product": known.product,
    }
    signature = {"status": "Valid", "subject_name": known.company, "valid": True}
    data = {
        "Company": known.company,
        "Description": known.description,
        "FileVersion": known.version,
        "Product": known.product,
    }
    return {
        "file": _file(path) | {"code_signature": signature, "hash": hashes, "pe": pe | {"imphash": imphash}},
        "related": {"hash": [*hashes.values(), imphash]},
        "winlog": {"event_data": data | {"Signature": known.company, "SignatureStatus": "Valid", "Signed": "true"}},
    }


def _registry(deed: RegistryWrite) -> Document:
    path = f"{deed.key}\\{deed.value}"
    hive, _, key = path.partition("\\")
    kind, text = "REG_SZ", deed.data
    if double := _DWORD.fullmatch(deed.data):
        kind, text = "SZ_DWORD", str(int(double[1], 16))
    elif quad := _QWORD.fullmatch(deed.data):
        kind, text = (
            "SZ_QWORD",
            str((int(quad[1], 16) << 8) + int(quad[2], 16)),
        )  # a shift by 8 is what the pipeline does
    elif deed.data == "Binary Data":
        kind = "REG_BINARY"
    return {"data": {"strings": [text], "type": kind}, "hive": hive, "key": key, "path": path, "value": deed.value}


def _dns(deed: DnsQuery) -> Document:
    labels = deed.name.split(".")
    answers = [{"data": a, "type": "CNAME"} for a in deed.aliases]
    answers += [{"data": a, "type": "AAAA" if ":" in a else "A"} for a in deed.addresses]
    question = {"name": deed.name, "registered_domain": ".".join(labels[-2:]), "top_level_domain": labels[-1]}
    if len(labels) > 2:
        question["subdomain"] = ".".join(labels[:-2])
    return {
        "dns": {"answers": answers, "question": question, "resolved_ip": list(deed.addresses)},
        "network": {"protocol": "dns"},
        "related": {"hosts": [*deed.aliases, deed.name], "ip": list(deed.addresses)},
        "sysmon": {"dns": {"status": "SUCCESS"}},
    }


# -- Security ----------------------------------------------------------------------------------------------------------


def _security(record: Record) -> Document:
    match record.code, record.deed:
        case "4688", None:
            return _audited_creation(record)
        case "4689", None:
            subject = _subject(record.host, record.actor.account)
            actor = {"pid": record.actor.pid} | _named(_image(record, record.actor.image, "actor"))
            return _by(subject) | {
                "process": actor,
                "winlog": {"event_data": {"Status": "0x0"} | subject, "logon": _logon(subject)},
            }
        case "5156", Connection() as flow:
            return {"winlog": {"event_data": _filtered(record, flow)}}
    raise AssertionError(f"no Security record {record.code}")


def _subject(host: Host, account: Account) -> dict[str, str]:
    """The account that asked: the system is shown as the computer's own account."""
    name, domain = (host.machine_account, "CORP") if account is SYSTEM else (account.name, account.domain)
    return {
        "SubjectDomainName": domain,
        "SubjectLogonId": account.logon,
        "SubjectUserName": name,
        "SubjectUserSid": account.sid,
    }


def _by(subject: dict[str, str]) -> Document:
    name = subject["SubjectUserName"]
    user = {"domain": subject["SubjectDomainName"], "id": subject["SubjectUserSid"], "name": name}
    return {"related": {"user": [name]}, "user": user}


def _logon(subject: dict[str, str]) -> Document:
    return {"id": subject["SubjectLogonId"]}


def _audited_creation(record: Record) -> Document:
    """4688: Windows 10 names the creator's program and the command line; older ones give the creator's pid alone."""
    process, parent = record.actor, record.actor.parent
    assert parent is not None
    subject = _subject(record.host, parent.account)
    full = record.host.sensing.audit_names_creator
    creator = record.creator.pid if record.creator else 0
    actor: Document = {"pid": process.pid, "parent": {"pid": creator}} | _named(process.image)
    data = subject | {"ProcessId": hex(creator), "TokenElevationType": "%%1936"}
    body = _by(subject)
    if full:
        words = _SPACED.findall(process.command_line)
        actor |= {"args": words, "args_count": len(words), "command_line": process.command_line}
        actor["parent"] |= _named(parent.image)
        data |= {"CommandLine": process.command_line, "MandatoryLabel": "S-1-16-8192"}
        data |= {"TargetDomainName": "-", "TargetLogonId": "0x0", "TargetUserName": "-", "TargetUserSid": "S-1-0-0"}
        body["user"]["effective"] = {"id": "S-1-0-0"}
    return body | {
        "process": actor,
        "winlog": {"event_data": data, "logon": _logon(subject), "version": 2 if full else 1},
    }


def _filtered(record: Record, flow: Connection) -> dict[str, str]:
    """5156: pid in decimals, the program by the device path in small letters, addresses in their short form."""
    image, device = record.actor.image, f"\\device\\harddiskvolume{record.host.volume}"
    inward = flow.inbound or record.actor is not flow.process
    return {
        "Application": image.lower().replace("c:", device, 1) if "\\" in image else image,
        "DestAddress": flow.destination[0],
        "DestPort": str(flow.destination[1]),
        "Direction": "%%14592" if inward else "%%14593",
        "FilterRTID": "71577",
        "LayerName": "%%14610" if inward else "%%14611",
        "LayerRTID": "46" if inward else "48",
        "ProcessID": str(record.actor.pid),
        "Protocol": {"tcp": "6", "udp": "17"}[flow.protocol],
        "RemoteMachineID": "S-1-0-0",
        "RemoteUserID": "S-1-0-0",
        "SourceAddress": flow.source[0],
        "SourcePort": str(flow.source[1]),
    }
