"""Records that programs wrap into others: a search hit of Elasticsearch around a document, Splunk's `result` around an event, a text of JSON or
XML in the field of a collector. Wrappers are removed before the log format of a record is recognised.

A record that a log format recognises is left as it is. `LISTS` and `OBJECTS` are where the records stand in others; of a `MERGED` object the
fields around it belong to the record too, and of two values its own counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kestrel.formats.format import LogFormat, recognise
from kestrel.formats.readers import windows_xml
from kestrel.formats.transforms import quoted
from kestrel.text import lines_in

Path = tuple[str, ...]
LISTS: tuple[Path, ...] = (
    ("hits", "hits"),
    ("response", "hits", "hits"),
    ("rawResponse", "hits", "hits"),
    ("records",),
    ("Records",),
    ("value",),
    ("events",),
    ("Events",),
    ("results",),
    ("messages",),
    ("logs",),
)
OBJECTS: tuple[Path, ...] = (
    ("_source",),
    ("Event",),
    ("result",),
    ("message",),
    ("event",),
    ("log",),
    ("_raw",),
    ("data",),
    ("document", "data"),
)
MERGED: tuple[Path, ...] = (("properties",), ("message",), ("log",), ("MESSAGE",), ("body",))
TEXTS: tuple[Path, ...] = (
    ("_raw",),
    ("result", "_raw"),
    ("message",),
    ("Message",),
    ("log",),
    ("msg",),
    ("@message",),
    ("MESSAGE",),
    ("SyslogMessage",),
    ("RawXml",),
    ("RawEventData",),
    ("properties", "RawXml"),
    ("event", "original"),
    ("event", "message"),
    ("full_message",),
    ("raw",),
    ("body",),
    ("data",),
)
"""Where a text may be the record: JSON, or the XML of a Windows event."""
DEEPEST = 4
"""The number of wrappers around a record."""
PREFIX = 512
"""The number of characters within which the JSON of a line begins."""
PAIR = re.compile(r"""([A-Za-z_][\w.@-]*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))""")
PAIRS = re.compile(r"[A-Za-z_][\w.@-]*=\S")
LINE = re.compile(r"\s{0,8}([A-Za-z][\w()-]*(?: [\w()-]+){0,5}) ?:\s?(.*)")
"""A field in the message of a Windows event."""

_NAMES = sorted({path[-1] for path in (*LISTS, *OBJECTS, *MERGED)})
_TEXTS = sorted({path[-1] for path in TEXTS} | {"EventData"})
_TEXT = '"\\s*(\\{\\s*\\\\"|<|\\\\u003[cC])'
"""A text that begins like JSON or XML."""
_OF_RECORDS = "|".join(name for name in _TEXTS if name != "EventData")
AROUND = f'"({"|".join(_NAMES)})"\\s*:\\s*[\\[{{]|"({_OF_RECORDS})"\\s*:\\s*{_TEXT}|"(win|fields|Payload|LogName)"\\s*:'
"""A regular expression (RE2) that matches every line with a record that may be wrapped."""
WITHIN = f'"EventData"\\s*:\\s*{_TEXT}|"StringInserts"\\s*:'
"""The same for a record of which some fields may stand in XML or in a message."""


def may_be_wrapped(formats: Iterable[LogFormat]) -> str:
    """SQL that is true for a line `l` with a record that may be wrapped. `formats`: the most frequent log formats, of whose records none is."""
    known = "".join(f" AND NOT ({' AND '.join(_recognised(f))})" for f in formats)
    return f"(regexp_matches(l, {quoted(WITHIN)}) OR (regexp_matches(l, {quoted(AROUND)}){known}))"


def _recognised(log_format: LogFormat) -> Iterator[str]:
    for group in log_format.marks:
        yield f"({' OR '.join(map(_exists, group))})"
    yield from (f"NOT {_exists(path)}" for path in log_format.lacks)


def _exists(path: Path) -> str:
    pointer = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
    return f"coalesce(json_type(l, {quoted(pointer)}) <> 'NULL', false)"


def unwrapped(line: str) -> list[str]:
    """The records in a line of JSON; the line itself where its record is not wrapped."""
    try:
        record = json.loads(line)
        found = list(records_in(record)) if isinstance(record, dict) else []
        if not found or (len(found) == 1 and found[0] is record):
            return [line]
        return [json.dumps(one, ensure_ascii=False) for one in found]
    except (ValueError, RecursionError):
        return [line]


def behind_prefix(line: str) -> str | None:
    """The JSON object behind what a program put before it, the time and the host of syslog for example; or the pairs of a line
    `key=value key="value"` as one; None if a line has neither."""
    begin = line.find("{")
    if 0 < begin <= PREFIX and '"' not in line[:begin]:
        try:
            if isinstance(json.loads(line[begin:]), dict):
                return line[begin:]
        except (ValueError, RecursionError):
            return None
    if PAIRS.match(line) and len(pairs := PAIR.findall(line)) > 2:
        return json.dumps({name: in_quotes or bare for name, in_quotes, bare in pairs}, ensure_ascii=False)
    return None


def records_in(record: dict[str, Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    """The records in a parsed one; the record itself where it is not wrapped."""
    if depth < DEEPEST:
        inner = _mended(record) if recognise(record) else _inner(record, depth)
        if inner is not None:
            for one in inner:
                yield from records_in(one, depth + 1) if one is not record else [one]
            return
    yield record


def _mended(record: dict[str, Any]) -> list[dict[str, Any]] | None:
    """A record of which some fields stand in the XML or the message of a recognised one, with these fields."""
    data = record.get("EventData")
    if isinstance(data, str) and windows_xml.is_event(data) and (event := windows_xml.event(data)):
        return [{**_scalars(event.get("EventData")), **record, "EventData": event.get("EventData")}]
    if "StringInserts" in record and isinstance(record.get("Message"), str) and (fields := fields_of(record["Message"], record["StringInserts"])):
        return [{**fields, **{n: v for n, v in record.items() if n != "StringInserts"}}]
    return None


def _scalars(fields: Any) -> dict[str, Any]:
    return {n: v for n, v in fields.items() if not isinstance(v, dict | list)} if isinstance(fields, dict) else {}


def _inner(record: dict[str, Any], depth: int) -> list[dict[str, Any]] | None:
    """The records in a record that no log format recognises; None if there are none."""
    for path in LISTS:
        found = _at(record, path)
        if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
            return found
    if (event := _of_other_tool(record)) is not None:
        return [event]
    for path in TEXTS:
        text = _at(record, path)
        if isinstance(text, str) and (inner := _parsed(text)):
            return [inner]
    for path in MERGED:
        found = _at(record, path)
        if isinstance(found, dict) and found and recognise(merged := {**{n: v for n, v in record.items() if n != path[0]}, **found}):
            return [merged]
    for path in OBJECTS:
        found = _at(record, path)
        if isinstance(found, dict) and found and any(recognise(r) for r in records_in(found, depth + 1)):
            return [found]
    return None


def _of_other_tool(record: dict[str, Any]) -> dict[str, Any] | None:
    """The record as tools write it that name its fields in their own way: Kibana, Wazuh, EvtxECmd, PowerShell's Get-WinEvent."""
    fields = record.get("fields")
    if "_index" in record and "_source" not in record and isinstance(fields, dict):
        return _nested(fields)
    if (event := _wazuh(record)) is not None:
        return event
    payload, message = record.get("Payload"), record.get("Message")
    if isinstance(payload, str) and "EventId" in record and isinstance(data := _at(_parsed(payload) or {}, ("EventData", "Data")), list):
        named = {one["@Name"]: one.get("#text") for one in data if isinstance(one, dict) and "@Name" in one}
        return _tree(record, named, "Provider", "EventId", "Channel", "Computer", "EventRecordId")
    if isinstance(message, str) and {"Id", "ProviderName", "LogName"} <= record.keys():
        values = [one.get("Value") for one in record.get("Properties") or () if isinstance(one, dict)]
        return _tree(record, fields_of(message, values), "ProviderName", "Id", "LogName", "MachineName", "RecordId")
    return None


def _tree(record: Mapping[str, Any], fields: Mapping[str, Any], provider: str, code: str, channel: str, computer: str, number: str) -> dict[str, Any]:
    """A Windows event of whose parts these are the names in a record."""
    system = {"EventID": record[code], "Channel": record.get(channel), "Computer": record.get(computer), "EventRecordID": record.get(number)}
    times = {"Provider": {"Name": record.get(provider)}, "TimeCreated": {"SystemTime": record.get("TimeCreated")}}
    return {"System": {**system, **times}, "EventData": dict(fields)}


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as nested ones, and lists of one value as the value."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        *outer, last = name.split(".")
        place = found
        for part in outer:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                break
            place = inner
        else:
            place.setdefault(last, value[0] if isinstance(value, list) and len(value) == 1 else value)
    return found


def _parsed(text: str) -> dict[str, Any] | None:
    """The record that a text is, or None."""
    begin = text.lstrip()[:1]
    if begin == "<":
        return windows_xml.event(text) if windows_xml.is_event(text) else None
    if begin != "{":
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found else None


def _wazuh(record: dict[str, Any]) -> dict[str, Any] | None:
    """The Windows event in an alert of Wazuh, whose names begin in lower case."""
    win = _at(record, ("data", "win"))
    if not isinstance(win, dict) or not isinstance(win.get("system"), dict):
        return None
    system = {_capital(n): v for n, v in win["system"].items()}
    system |= {"Provider": {"Name": system.pop("ProviderName", None)}, "TimeCreated": {"SystemTime": system.pop("SystemTime", None)}}
    return {"System": system, "EventData": {_capital(n): v for n, v in (win.get("eventdata") or {}).items()}}


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _at(record: Mapping[str, Any], path: Path) -> Any:
    value: Any = record
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def fields_of(message: str, values: Any) -> dict[str, str]:
    """The fields in the message of a Sysmon event: `Name: value`, one a line. A command line may have line ends, and what looks like fields
    in it. `values`: those of the event, by which such fields are left out; without them a name with two values has none."""
    known = {str(value) for value in values} if isinstance(values, list) else set()
    found: dict[str, set[str]] = {}
    for line in lines_in(message)[1:]:
        if match := LINE.fullmatch(line.rstrip("\r\n")):
            whole = next((v for v in known if "\n" in v and match[2] and v.startswith(match[2])), match[2])
            found.setdefault(match[1], set()).add(whole)
    chosen = {name: {v for v in each if v in known} or each for name, each in found.items()}
    return {name: each.pop() for name, each in chosen.items() if len(each) == 1}
