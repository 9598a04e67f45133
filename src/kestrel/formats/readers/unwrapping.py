"""Records that programs wrap into others: a search hit of Elasticsearch around a document, Splunk's `result` around an event, a text of JSON or
XML in the field of a collector. Wrappers are removed before the log format of a record is recognised, for files and servers alike.

A record that a log format recognises is left as it is. `LISTS` and `OBJECTS` are where the records stand in others; of a `MERGED` object the
fields around it belong to the record too, and of two values its own counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kestrel.formats.format import recognise
from kestrel.formats.readers import windows_xml

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
OBJECTS: tuple[Path, ...] = (("_source",), ("Event",), ("result",), ("message",), ("event",), ("log",), ("_raw",), ("data",), ("fields",))
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
LINE = re.compile(r"\s*([A-Za-z][\w ()-]*?)\s*:\s?(.*)")
"""A field in the message of a Windows event."""

_NAMES = sorted({path[-1] for path in (*LISTS, *OBJECTS, *MERGED)})
_TEXTS = sorted({path[-1] for path in TEXTS} | {"EventData"})
WRAPPED = f'"({"|".join(_NAMES)})"\\s*:\\s*[\\[{{]|"({"|".join(_TEXTS)})"\\s*:\\s*"\\s*(\\{{\\s*\\\\"|<|\\\\u003[cC])|"(win|StringInserts)"\\s*:'
"""A regular expression (RE2) that matches every line with a record that may be wrapped."""


def unwrapped(line: str) -> list[str]:
    """The records in a line of JSON; the line itself where its record is not wrapped."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return [line]
    if not isinstance(record, dict):
        return [line]
    found = list(records_in(record))
    return [line] if len(found) == 1 and found[0] is record else [json.dumps(r, ensure_ascii=False) for r in found]


def records_in(record: dict[str, Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    """The records in a parsed one; the record itself where it is not wrapped."""
    if depth < DEEPEST:
        inner = _mended(record) if recognise(record) else _inner(record)
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
    if "StringInserts" in record and isinstance(record.get("Message"), str) and (fields := fields_of(record["Message"])):
        return [{**fields, **{n: v for n, v in record.items() if n != "StringInserts"}}]
    return None


def _scalars(fields: Any) -> dict[str, Any]:
    return {n: v for n, v in fields.items() if not isinstance(v, dict | list)} if isinstance(fields, dict) else {}


def _inner(record: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The records in a record that no log format recognises; None if there are none."""
    for path in LISTS:
        found = _at(record, path)
        if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
            return found
    for path in TEXTS:
        text = _at(record, path)
        if isinstance(text, str) and (inner := _parsed(text)):
            return [inner]
    for path in MERGED:
        found = _at(record, path)
        if isinstance(found, dict) and found and recognise(merged := {**{n: v for n, v in record.items() if n != path[0]}, **found}):
            return [merged]
    if (event := _wazuh(record)) is not None:
        return [event]
    for path in OBJECTS:
        found = _at(record, path)
        if isinstance(found, dict) and found and any(recognise(r) for r in records_in(found, DEEPEST - 1)):
            return [found]
    return None


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
    for name, known in (("EventRecordID", "EventRecordID"), ("ProviderName", "Provider"), ("SystemTime", "TimeCreated")):
        if name in system:
            value = system.pop(name)
            system[known] = (
                {"#attributes": {"Name": value}}
                if known == "Provider"
                else {"#attributes": {"SystemTime": value}}
                if known == "TimeCreated"
                else value
            )
    return {"System": system, "EventData": {_capital(n): v for n, v in (win.get("eventdata") or {}).items()}}


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _at(record: Mapping[str, Any], path: Path) -> Any:
    value: Any = record
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def fields_of(message: str) -> dict[str, str]:
    """The fields in the message of a Sysmon event: `Name: value`, one a line."""
    found: dict[str, str] = {}
    for line in message.splitlines()[1:]:
        if match := LINE.fullmatch(line):
            found.setdefault(match[1], match[2])
    return found
