"""The text of one record as the reader needs it: JSON that DuckDB reads, with dotted names as the paths that log formats use.

A record may be written `{"process.pid": 3, "process": {"name": "x"}}`: both mean `process: {pid, name}`. A name with dots is a path
only if some log format reads that path, so a file name or an address used as a key stays one key. If a name has two values,
the first counts, at every depth; but an object that a path leads through takes precedence. `{"pid": [3]}` means `{"pid": 3}`
where log formats read one value: of a list that is its first value, and none of an empty one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from kestrel.schemas.shape import Reading, shapes

TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
CONTROL = re.compile(r"[\x00-\x1f]")
HALF = re.compile(r"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
SUSPECT = r"^[\x00-\x20]*\{"
"""The beginning of an invalid line that can perhaps be mended (RE2)."""
BETWEEN = re.compile(r"[ \t\r\n,]*")


class Number(str):
    """A number as it is written."""


def mended(line: str) -> list[str]:
    """The records of a line that DuckDB does not accept as JSON: unpaired surrogates become U+FFFD, control characters are escaped,
    several objects on one line are several records, and the rest after the last readable one is an unreadable record. Empty if there are none."""
    text = HALF.sub(lambda m: m[1] or "\\ufffd", line)
    if CONTROL.search(text):
        text = TEXT.sub(lambda m: CONTROL.sub(lambda c: f"\\u{ord(c[0]):04x}", m[0]), text)
        text = text.strip("".join(map(chr, range(0x21))))
    found: list[str] = []
    place = 0
    decode = json.JSONDecoder().raw_decode
    try:
        while place < len(text):
            value, end = decode(text, place)
            if not isinstance(value, dict):
                raise ValueError("no object")
            found.append(text[place:end])
            place = BETWEEN.match(text, end).end()  # type: ignore[union-attr]
    except ValueError:
        return [*found, text[place:]] if found else []
    except RecursionError:
        return [text]
    return found


def expanded(line: str) -> tuple[str, bool]:
    """A record with its dotted names as paths and, where log formats read one value, the first of a list; and whether such a list has more
    values. Unchanged if it has neither, or if it is nested too deeply."""
    try:
        pairs = json.loads(line, object_pairs_hook=_Pairs, parse_int=Number, parse_float=Number, parse_constant=Number)
        if not isinstance(pairs, _Pairs):
            return line, False
        record = _Record()
        record.place(record.tree, pairs, vocabulary(), ())
        text = _written(_Pairs([*record.tree.items(), *record.apart.items()])) if record.is_changed else line
    except (ValueError, RecursionError):
        return line, False
    return text, record.has_several


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, in order, including duplicate names."""


class _Record:
    """A record as a tree. `apart`: values that were superseded, under their dotted names."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.apart: dict[str, Any] = {}
        self.is_changed = False
        self.has_several = False

    def place(self, node: dict[str, Any], pairs: _Pairs, known: Mapping[str, Any], at: tuple[str, ...]) -> None:
        """Put the members of an object at a path into a node. `known`: what log formats read below it."""
        seen: set[str] = set()
        for name, value in pairs:
            if name in seen:
                continue
            seen.add(name)
            path = _path(name, known)
            self.is_changed |= len(path) > 1
            self._set(node, path, value, known, at)

    def _set(self, node: dict[str, Any], path: tuple[str, ...], value: Any, known: Mapping[str, Any], at: tuple[str, ...]) -> None:
        name, *rest = path
        here, below = (*at, name), known.get(name) or {}
        if type(value) is list and (*at, *path) in scalars() and not any(isinstance(v, list) for v in value):
            values = [v for v in value if v not in (None, "", "-")]
            value = values[0] if values else None
            self.is_changed = True
            self.has_several |= len(set(values)) > 1
        if rest or (isinstance(value, _Pairs) and below):
            if not isinstance(node.get(name), dict):
                if name in node:
                    self._keep(here, node[name])
                node[name] = {}
            if rest:
                self._set(node[name], tuple(rest), value, below, here)
            else:
                self.place(node[name], value, below, here)
        elif name not in node:
            node[name] = value
        else:
            self._keep(here, value)

    def _keep(self, at: tuple[str, ...], value: Any) -> None:
        self.apart.setdefault(".".join(at), value)


def _path(name: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    """A name as a path, if log formats read that path or one below it."""
    parts = tuple(name.split("."))
    node = known
    for part in parts:
        if part not in node:
            return (name,)
        node = node[part]
    return parts


def _written(value: Any) -> str:
    match value:
        case Number():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return "{" + ", ".join(f"{json.dumps(n, ensure_ascii=False)}: {_written(v)}" for n, v in value.items()) + "}"
        case _Pairs():
            return "{" + ", ".join(f"{json.dumps(n, ensure_ascii=False)}: {_written(v)}" for n, v in value) + "}"
        case list():
            return "[" + ", ".join(map(_written, value)) + "]"
        case _:
            return json.dumps(value)


@cache
def vocabulary() -> Mapping[str, Any]:
    """Every path that a log format reads, as a tree of names."""
    tree: dict[str, Any] = {}
    for shape in shapes().values():
        reading = Reading(shape)
        for path in (*_paths(reading.structure), *reading.apart):
            node = tree
            for part in path:
                node = node.setdefault(part, {})
    return tree


def _paths(structure: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, kind in structure.items():
        yield (name,)
        if isinstance(kind, Mapping):
            yield from ((name, *path) for path in _paths(kind))


@cache
def scalars() -> frozenset[tuple[str, ...]]:
    """The paths at which log formats read one value, and none a list or what is below."""
    every = _kinds()
    return frozenset(path for path, _ in every) - {path for path, kind in every if kind.endswith("[]")} - _inner(vocabulary())


@cache
def _kinds() -> frozenset[tuple[tuple[str, ...], str]]:
    """Every path at which a log format reads a value, with its SQL type."""
    return frozenset(leaf for shape in shapes().values() for leaf in _leaves(Reading(shape).structure))


def _leaves(structure: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, kind in structure.items():
        if isinstance(kind, Mapping):
            yield from (((name, *path), leaf) for path, leaf in _leaves(kind))
        else:
            yield (name,), str(kind)


def _inner(tree: Mapping[str, Any], at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The paths that lead through an object."""
    found = {(*at, name) for name, below in tree.items() if below}
    return found.union(*(_inner(below, (*at, name)) for name, below in tree.items()))


@cache
def listed() -> str:
    """A regular expression (RE2) that matches lines with a list where a log format may read one value."""
    names = {path[-1] for path, _ in _kinds()} - {path[-1] for path, kind in _kinds() if kind.endswith("[]")}
    return f'"({"|".join(map(re.escape, sorted(names)))})"\\s*:\\s*\\['


def has_list(record: Mapping[str, Any], at: tuple[str, ...] = ()) -> bool:
    """Whether a record has a list where log formats read one value."""
    for name, value in record.items():
        if isinstance(value, list):
            if (*at, name) in scalars():
                return True
        elif isinstance(value, Mapping) and has_list(value, (*at, name)):
            return True
    return False


def holds_list(structure: Mapping[str, Any]) -> str:
    """SQL that is true for a row of the raw structure with a list where log formats read one value: JSON is text there."""
    fields = (".".join(f'"{part}"' for part in path) for path, _ in _leaves(structure) if path in scalars())
    return f"coalesce({' OR '.join(f'(starts_with({f}, chr(91)) AND ends_with({f}, chr(93)))' for f in fields) or 'false'}, false)"


@cache
def dotted() -> str:
    """A regular expression (RE2) that matches lines with a dotted name that may be a path."""

    def inner(tree: Mapping[str, Any]) -> Iterator[str]:
        for name, below in tree.items():
            if below:
                yield name
                yield from inner(below)

    return f'"({"|".join(map(re.escape, sorted(set(inner(vocabulary())))))})\\.[^"\\\\]+"\\s*:'


def spellings(structure: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The raw structure with every dotted spelling of its paths added as text, and the SQL of those fields."""
    whole, found = dict(structure), list[str]()
    _spell(whole, (), found)
    return whole, found


def _spell(tree: dict[str, Any], at: tuple[str, ...], found: list[str]) -> None:
    for name, kind in list(tree.items()):
        if isinstance(kind, dict):
            others = [".".join((name, *path)) for path in _paths(kind)]
            inner = dict(kind)
            _spell(inner, (*at, name), found)
            tree[name] = inner
            for other in others:
                if not any(other.casefold() == k.casefold() for k in tree):
                    tree[other] = "VARCHAR"
                    found.append(".".join(f'"{part}"' for part in (*at, other)))
