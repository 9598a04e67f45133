"""A first draft of a log format from some of its records: what can be told by names and values of fields, to be looked over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MARKS = 3
"""The number of fields by which the draft recognises a record."""
TYPES = 40
"""The number of event types of which the draft has rules."""
EXAMPLE = 60
"""The number of characters of an example."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HOST = r"(host|computer|machine|device|agent|endpoint)([._]?(host)?name)?|hostname|(host|device)[._]fqdn"
TIME = r".*(time|timestamp|date|created|when|ts)"
CODE = r"(event|record|log|action|activity|message)?[._]?(type|name|action|id|code|class|kind|event|category|operation)([._]name)?"
NUMBER = r".*(record|event|message)[._]?(id|number|uid|guid|seq(uence)?)|id|uuid|uid|number|sequence"
KINDS = {
    r"proc.*(start|creat|exec|launch)|^(start|exec|fork|spawn)": "process-create",
    r"proc.*(end|stop|exit|term)": "process-end",
    r"net|conn|flow|socket|tcp|udp": "network",
    r"dns|quer(y|ies)|resol": "dns-query",
    r"(file|image).*(creat|writ|new)|^create.*file": "file-create",
    r"file.*(delet|remov)": "file-delete",
    r"(module|image|dll|library).*load": "image-load",
    r"reg.*(set|value|modif)": "registry-value",
    r"reg.*(delet|remov)": "registry-delete",
    r"reg": "registry-key",
    r"log.?o?n.*fail": "logon-failure",
    r"log.?o?n|auth|session": "logon",
}
"""What the name of an event type says of the kind of event, the first that fits."""
PARENT = r"(.*[._])?(parent|creator|ppid|initiator)"
COLUMNS: Sequence[tuple[str, str, str]] = (
    (r"(.*[._])?(parent|creator).*(guid|uid|uuid|unique.?id|entity.?id)", "parent.x_unique_id", "guid({})"),
    (r"(.*[._])?((parent|creator).*(pid|process.?id|\bid)|ppid|parent)", "parent.pid", "pid({})"),
    (r"(.*[._])?(parent|creator).*(cmd|command).*", "parent.command_line", "text({})"),
    (r"(.*[._])?(parent|creator).*(path|image|exe(cutable)?)", "parent.binary.path", "path({})"),
    (r"(.*[._])?(parent|creator).*name", "parent.name", "name({})"),
    (r"(.*[._])?(process|proc).*(guid|uid|uuid|unique.?id|entity.?id)", "process.x_unique_id", "guid({})"),
    (r"(.*[._])?(pid|process.?id|process.*\bid)", "process.pid", "pid({})"),
    (r"(.*[._])?(cmd|command|cmdline|commandline|command.?line|arguments|args)", "process.command_line", "text({})"),
    (r"(.*[._])?(current.?directory|working.?dir(ectory)?|cwd)", "process.cwd", "text({})"),
    (r"(.*[._])?(image|exe(cutable)?|program|(process|proc|image).*path)", "process.binary.path", "path({})"),
    (r"(.*[._])?(process|proc).*name", "process.name", "name({})"),
    (r"(.*[._])?(src|source|local|client|id\.orig)[._]?.*(ip|addr(ess)?|host|_h)", "network.src.value", "address({})"),
    (r"(.*[._])?(src|source|local|client|id\.orig)[._]?.*(port|_p)", "network.src_port", "integer({})"),
    (r"(.*[._])?(dst|dest(ination)?|remote|server|id\.resp)[._]?.*(ip|addr(ess)?|_h)", "network.dst.value", "address({})"),
    (r"(.*[._])?(dst|dest(ination)?|remote|server|id\.resp)[._]?.*(port|_p)", "network.dst_port", "integer({})"),
    (r"(.*[._])?(protocol|proto|transport)", "network.protocols", "protocol({})"),
    (r"(.*[._])?(query|question|domain|dns).*(name|query)?", "dns.value", "domain({})"),
    (r"(.*[._])?(target.?file|file).*(path|name)?|(.*[._])?target.*filename", "file.path", "path({})"),
    (r"(.*[._])?(reg(istry)?|target.?object|key).*(key|path|object)?", "registry.key", "key({})"),
    (r"(.*[._])?(user|account).?sid|(.*[._])?sid", "user.sid", "only_sid({})"),
    (r"(.*[._])?(user|account|login)([._]?name)?", "user.login", "text({})"),
)
"""What the name of a field says of the column that it fills, the first that fits."""


@dataclass
class Seen:
    """A field of the records: in how many it is, and its first values."""

    number: int = 0
    values: dict[str, None] = field(default_factory=dict)

    @property
    def example(self) -> str:
        text = next(iter(self.values), "")
        return text if len(text) <= EXAMPLE else f"{text[:EXAMPLE]}..."


def draft(name: str, records: Sequence[Mapping[str, Any]]) -> str:
    """The text of a definition called `name`."""
    fields: dict[str, Seen] = {}
    for record in records:
        for path, value in _leaves(record):
            seen = fields.setdefault(path, Seen())
            seen.number += 1
            if len(seen.values) < 2 * TYPES:
                seen.values.setdefault(str(value))
    whole = [f for f, seen in fields.items() if seen.number == len(records)]
    host, time, number = _named(HOST, fields), _time(fields, whole), _named(NUMBER, {f: s for f, s in fields.items() if len(s.values) > 1})
    code = _code(fields, whole)
    marks = [f for f in dict.fromkeys([code, time, host, *whole]) if f in whole][:MARKS]
    often = marks or sorted(fields, key=lambda f: -fields[f].number)[:MARKS]
    used = {f for f in (host, time, number, code) if f}
    lines = [
        f"# A first draft, made from {len(records):,} records: names and values were guessed from. Look over every line.",
        f"name: {name}",
        f"about: records of {name}",
        f"recognise: {{{'has' if marks else 'any'}: [{', '.join(json.dumps(_mark(f)) for f in often)}]}}",
        f"host: {f'lower(text({_field(host)}))' if host else 'none()   # no field looks like the name of a host'}",
        f"code: {_field(code) if code else quoted_text('event') + '   # no field looks like an event type'}",
        f"provider: {quoted_text(name)}",
        f"record: {_field(number) if number else 'none()'}   # what, with host and time, distinguishes a record from others",
        "sensors:",
        f"  {name}: {{provider: [{name}]}}",
        f"clock: {{otherwise: {_field(time) if time else quoted_text('')}}}{'' if time else '   # no field looks like a time'}",
        "events:",
        f"  {name}:",
    ]
    for value in list(fields[code].values)[:TYPES] if code else ["event"]:
        own = [r for r in records if not code or str(_value(r, code)) == value]
        there = dict.fromkeys(path for r in own for path, _ in _leaves(r))
        columns = _columns(f for f in there if f not in (host, time, number, code))
        used.update(f for f, _, _ in columns)
        word = value if re.fullmatch("[0-9]+|[A-Za-z][A-Za-z0-9_-]*", value) else json.dumps(value)
        lines.append(f"    {word}:   # {len(own):,} record{'' if len(own) == 1 else 's'}")
        lines.append(f"      kind: {_kind(value)}")
        lines += [f"      {column}: {transform.format(_field(f))}" for f, column, transform in columns]
    left = [f for f in fields if f not in used]
    if left:
        lines += ["# Not used, each with a value:"]
        lines += [f"#   {f}: {json.dumps(fields[f].example, ensure_ascii=False)}" for f in sorted(left, key=lambda f: -fields[f].number)]
    return "\n".join(lines) + "\n"


def quoted_text(text: str) -> str:
    """A text as an expression in YAML."""
    return json.dumps(f"'{text}'")


def _leaves(value: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        path = f"{at}.{_part(name)}" if at else _part(name)
        if isinstance(inner, Mapping):
            yield from _leaves(inner, path)
        elif inner not in (None, "", []):
            yield path, inner


def _part(name: str) -> str:
    return name if NAME.fullmatch(name) else f"<{name}>"


def _value(record: Mapping[str, Any], path: str) -> Any:
    return next((value for found, value in _leaves(record) if found == path), None)


def _mark(path: str) -> str:
    return path if "<" not in path else f"field('{path.replace('<', '').replace('>', '')}')"


def _field(path: str) -> str:
    """A field as an expression writes it."""
    return path if "<" not in path else _mark(path)


def _plain(path: str) -> str:
    """A name to compare: `ProcessId` is `process_id`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.replace("<", "").replace(">", ""))
    return spaced.lower()


def _named(pattern: str, fields: Mapping[str, Any]) -> str | None:
    """The field with the shortest path whose name fits."""
    fitting = [f for f in fields if re.fullmatch(pattern, _plain(f)) or re.fullmatch(pattern, _plain(f).rpartition(".")[2])]
    return min(fitting, key=lambda f: (f.count("."), len(f)), default=None)


def _time(fields: Mapping[str, Seen], whole: Sequence[str]) -> str | None:
    """The field of all records that is a time by its values, and at best by its name."""
    times = [f for f in whole if all(map(_is_time, list(fields[f].values)[:5]))]
    return _named(TIME, dict.fromkeys(times)) or next(iter(times), None)


def _is_time(text: str) -> bool:
    try:
        if re.fullmatch(r"\d{10}(\.\d+)?|\d{13}", text):
            return True
        datetime.fromisoformat(text)
        return len(text) >= 10 and not text.isdecimal()
    except ValueError:
        return False


def _code(fields: Mapping[str, Seen], whole: Sequence[str]) -> str | None:
    """The field of all records with few values that looks like an event type."""
    few = {f: fields[f] for f in whole if 1 <= len(fields[f].values) <= TYPES and not _is_time(next(iter(fields[f].values), ""))}
    named = {f: s for f, s in few.items() if re.fullmatch(CODE, _plain(f)) or re.fullmatch(CODE, _plain(f).rpartition(".")[2])}
    telling = [f for f, s in named.items() if any(_kind(v) != "other" for v in s.values)]
    return min(telling or named, key=lambda f: (f.count("."), -len(fields[f].values), len(f)), default=None)


def _kind(code: str) -> str:
    return next((kind for pattern, kind in KINDS.items() if re.search(pattern, _plain(code))), "other")


def _columns(fields: Iterable[str]) -> list[tuple[str, str, str]]:
    """Fields, each with the column that it seems to fill and its expression; a column once. The name of a process may be that of its file."""
    taken: set[str] = set()
    found: list[tuple[str, str, str]] = []
    for path in sorted(fields, key=lambda f: (f.count("."), len(f))):
        for pattern, column, transform in COLUMNS:
            if re.fullmatch(pattern, _plain(path)):
                if column not in taken:
                    taken.add(column)
                    found.append((path, column, transform))
                break
    named = {column.removesuffix(".binary.path"): path for path, column, _ in found if column.endswith(".binary.path")}
    return found + [(path, f"{role}.name", "name({})") for role, path in named.items() if f"{role}.name" not in taken]
