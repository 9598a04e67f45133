"""Real log lines, or generated ones where there are none, and what can go wrong with each."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from tests.conftest import SHARED
from tests.fuzz.records import World, as_winlogbeat

FOLDERS = ("windows-flat", "winlogbeat6", "winlogbeat7", "ecs", "ecs-derived", "zeek", "sentinel", "cloud", "linux")
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, -(10**400), "99999999999999999999"),
    *("", "-", "x", "\x00", "é", "\U0001f985", "'", '"', "\\", "%", "::1%eth0", "a" * 5000),
    *([], ["a"], [1, "b"], {}, {"a": 1}, {"": 0}),
    *("2021-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:60Z", "{00000000-0000-0000-0000-000000000000}"),
)


def lines_of(folder: Path, number: int = 400) -> list[bytes]:
    """Lines of every line-based log in a folder of real data, up to a limit for each; generated lines without that folder."""
    found: list[bytes] = []
    for name in FOLDERS:
        for path in sorted((folder / name).glob("*")):
            if ".evtx" in path.name and "golden" not in path.name:
                continue
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
                found += [line.strip() for line in islice(stream, number) if line.startswith(b"{")]
    world = World(Random(1))
    flat = world.records(200)
    return [*found, *(json.dumps(r).encode() for r in [*flat, *map(as_winlogbeat, flat)])]


def mutated(line: bytes, chance: Random) -> bytes:
    """The line with one to three changes, still on one line."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        line = chance.choice(WAYS)(line, chance)
    return line.replace(b"\n", b" ").replace(b"\r", b" ")


def _of_record(change: Callable[[dict[str, Any], Random], Any]) -> Callable[[bytes, Random], bytes]:
    """A change of the parsed record as a change of its line; no change if the line is no longer a record."""

    def way(line: bytes, chance: Random) -> bytes:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return line
        if not isinstance(record, dict) or not record:
            return line
        changed = change(record, chance)
        return json.dumps(record if changed is None else changed, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")

    return way


def _place(record: dict[str, Any], chance: Random) -> tuple[dict[str, Any], str]:
    """An object in the record, and one of its names."""
    node = record
    while True:
        name = chance.choice(list(node))
        if isinstance(node[name], dict) and node[name] and chance.random() < 0.8:
            node = node[name]
        else:
            return node, name


def _value(record: dict[str, Any], chance: Random) -> None:
    node, name = _place(record, chance)
    node[name] = chance.choice(VALUES)


def _other_type(record: dict[str, Any], chance: Random) -> None:
    node, name = _place(record, chance)
    value = node[name]
    node[name] = chance.choice((str(value), [value], {"value": value}, [value, value], json.dumps(value)))


def _renamed(record: dict[str, Any], chance: Random) -> None:
    node, name = _place(record, chance)
    node[chance.choice((name.lower(), name.upper(), name + ".x", f"x.{name}", "", "10.0.0.1", "cmd.exe", "C:\\a.exe", "é"))] = node.pop(name)


def _removed(record: dict[str, Any], chance: Random) -> None:
    node, name = _place(record, chance)
    del node[name]


def _nested(record: dict[str, Any], chance: Random) -> Any:
    deep: Any = record
    if chance.random() < 0.5:
        for _ in range(chance.choice((1, 3, 200))):
            deep = {"a": deep}
        return deep
    node, name = _place(record, chance)
    for _ in range(chance.choice((1, 2, 200))):
        node[name] = {"a": node[name]}
    return None


def _dotted(record: dict[str, Any], chance: Random) -> None:
    """Members of inner objects as dotted names outside, some of them or all."""
    for name in [n for n, v in record.items() if isinstance(v, dict)]:
        inner = record[name]
        for member in [m for m in inner if chance.random() < 0.6]:
            record[f"{name}.{member}"] = inner.pop(member)
        if not inner and chance.random() < 0.5:
            del record[name]
        elif chance.random() < 0.1:
            record[name] = "a scalar"


def _twice(line: bytes, chance: Random) -> bytes:
    """Duplicate names."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(record, dict) or not record or not line.endswith(b"}"):
        return line
    again = {n: chance.choice(VALUES) for n in chance.sample(list(record), min(3, len(record)))}
    return line[:-1] + b", " + json.dumps(again).encode()[1:]


def _byte(line: bytes, chance: Random) -> bytes:
    if len(line) < 8:
        return line
    place = chance.randrange(4, len(line))
    return line[:place] + bytes((chance.randrange(256),)) + line[place + chance.choice((0, 1)) :]


def _cut(line: bytes, chance: Random) -> bytes:
    return line[: chance.randrange(1, len(line) + 1)]


def _half(line: bytes, chance: Random) -> bytes:
    """An unpaired surrogate or a control character in a string."""
    places = [n for n in range(1, len(line) - 1) if line[n : n + 2] == b'",']
    if not places:
        return line
    place = chance.choice(places)
    return line[:place] + chance.choice((b"\\ud83d", b"\\udc00", b"\\ud83d\\ud83d\\ude00", b"\x01", b"\t", b"\x07", b"\x00", b"\x1f")) + line[place:]


def _beside(line: bytes, chance: Random) -> bytes:
    return line + chance.choice((b"", b" ", b", ")) + chance.choice((line, b'{"a": 1}', b"x", b"}"))


WAYS: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(_of_record(change) for change in (_value, _value, _other_type, _renamed, _removed, _nested, _dotted, _dotted)),
    _twice,
    _byte,
    _byte,
    _cut,
    _half,
    _beside,
)


def every_line(folder: Path | None = None) -> list[bytes]:
    return lines_of(folder or SHARED)
