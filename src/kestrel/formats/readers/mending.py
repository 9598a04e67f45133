"""The text of one record as the reader needs it: JSON that DuckDB reads, with dotted names as the paths that log formats use.

A record may be written `{"process.pid": 3, "process": {"name": "x"}}`: both mean `process: {pid, name}`. A name with dots is a path
only if some log format reads that path, so a file name or an address used as a key stays one key. If a name has two values,
the first counts, at every depth; but an object that a path leads through takes precedence. `{"pid": [3]}` means `{"pid": 3}`
where log formats read one value, an empty list means no value, and a single value means `[value]` where they read a list. A record
`{"name": ["x", "y"]}` becomes two texts, `{"name": "x"}` and `{"name": "y"}`: the first is shown, and conditions match all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kestrel.formats.format import log_formats
from kestrel.formats.reading import Reading
from kestrel.formats.transforms import quoted

TEXT = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
CONTROL = re.compile(r"[\x00-\x1f]")
HALF = re.compile(r"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
SUSPECT = r"^[\x00-\x20]*[{\[]|^[^\"{]+\{|^[A-Za-z_][\w.@-]*=\S"
"""What an invalid line that can perhaps be mended begins with (RE2): JSON, JSON behind other text, or `key=value`."""
LONGEST = 1 << 17
"""Characters of all texts of a record with lists; values beyond them are not searched."""
BEHIND = "'\\'"
"""SQL of the character behind `[`: comparing is faster than `starts_with`."""
BETWEEN = re.compile(r"[ \t\r\n,\[\]]*")


class Number(str):
    """A number as it is written."""


def mended(line: str) -> list[str]:
    """The records of a line that DuckDB does not accept as JSON: unpaired surrogates become U+FFFD, control characters are escaped,
    several objects on one line, also in an array, are several records. Other values between them, and the rest after the last readable one,
    are unreadable records. Empty if there is no record."""
    text = HALF.sub(lambda m: m[1] or "\\ufffd", line)
    if CONTROL.search(text):
        text = TEXT.sub(lambda m: CONTROL.sub(lambda c: f"\\u{ord(c[0]):04x}", m[0]), text)
        text = text.strip("".join(map(chr, range(0x21))))
    found: list[str] = []
    place = 0
    decode = json.JSONDecoder().raw_decode
    try:
        while (place := BETWEEN.match(text, place).end()) < len(text):  # type: ignore[union-attr]
            _, end = decode(text, place)
            found.append(text[place:end])
            place = end
    except ValueError:
        found += [text[place:]] if found else []
    except RecursionError:
        return [text]
    return found if any(record.startswith("{") for record in found) else []


def is_damaged(line: str, records: Collection[str]) -> bool:
    """Whether a line has characters that JSON does not allow, or text between or after its records."""
    return CONTROL.search(line) is not None or HALF.sub(lambda m: m[1] or "", line) != line or not all(r.startswith("{") for r in records)


@dataclass(frozen=True, slots=True)
class Expanded:
    """A record as log formats read it. `texts`: the record with the first value of each list, then one text for each further value.
    `is_partial`: whether a list has values that no text has."""

    texts: tuple[str, ...]
    is_partial: bool = False


def expanded(line: str) -> Expanded:
    """A record with its dotted names as paths and its lists as log formats read them. Unchanged if it has neither, or if it is nested too
    deeply."""
    try:
        pairs = json.loads(line, object_pairs_hook=_Pairs, parse_int=Number, parse_float=Number, parse_constant=Number)
        if not isinstance(pairs, _Pairs):
            return Expanded((line,))
        record = _Record()
        record.place(record.tree, pairs, vocabulary(), ())
        texts = tuple(record.texts()) if record.is_changed else (line,)
        return Expanded(texts, record.is_partial)
    except (ValueError, RecursionError):
        return Expanded((line,))


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, in order, including duplicate names."""


class _Record:
    """A record as a tree. `apart`: values that were superseded, under their dotted names."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.apart: dict[str, Any] = {}
        self.is_changed = False
        self.is_partial = False
        self._lists: list[tuple[dict[str, Any], str, list[Any]]] = []
        """Where lists of several values were: the node, the name, and the values."""

    def texts(self) -> Iterator[str]:
        """The record with the first value of each list, and with each further one; a list without that many has its first value again.
        All of them together are at most as long as `LONGEST`, so that a hostile record cannot fill the memory."""
        size = 0
        for number in range(max((len(values) for _, _, values in self._lists), default=1)):
            for node, name, values in self._lists:
                node[name] = values[number] if number < len(values) else values[0]
            text = _written(_Pairs([*self.tree.items(), *self.apart.items()]))
            size += len(text)
            if number and size > LONGEST:
                self.is_partial = True
                return
            yield text

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
        several: list[Any] = []
        if type(value) is list and not rest and here in scalars() and not any(isinstance(v, list) for v in value):
            several = list(dict.fromkeys(v for v in value if v not in (None, "", "-")))
            value = several[0] if several else None
            self.is_changed = True
        elif value is not None and not rest and not isinstance(value, list) and here in lists():
            value = [value]
            self.is_changed = True
        if len(several) > 1 and name not in node:
            if here in of_record():
                self.is_partial = True
            else:
                self._lists.append((node, name, several))
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
    for log_format in log_formats().values():
        reading = Reading(log_format)
        for path in (*paths(reading.structure), *reading.apart):
            node = tree
            for part in path:
                node = node.setdefault(part, {})
    return tree


def paths(structure: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every path in a tree of names."""
    for name, kind in structure.items():
        yield (name,)
        if isinstance(kind, Mapping):
            yield from ((name, *path) for path in paths(kind))


@cache
def scalars() -> frozenset[tuple[str, ...]]:
    """The paths at which log formats read one value, and none a list or what is below."""
    every = _kinds()
    return frozenset(path for path, _ in every) - {path for path, kind in every if kind.endswith("[]")} - _inner(vocabulary())


@cache
def lists() -> frozenset[tuple[str, ...]]:
    """The paths at which log formats read a list."""
    return frozenset(path for path, kind in _kinds() if kind.endswith("[]"))


@cache
def of_record(files: bool = False) -> frozenset[tuple[str, ...]]:
    """The paths that distinguish a record from others: its host, time, event type and number. Of a list there only the first value counts.
    `files`: not those of the rows of STIX bundles, which Kestrel writes."""
    return frozenset(path for f in log_formats().values() if not (files and f.of_bundles) for path in Reading(f).of_record())


@cache
def _kinds() -> frozenset[tuple[tuple[str, ...], str]]:
    """Every path at which a log format reads a value, with its SQL type."""
    return frozenset(leaf for log_format in log_formats().values() for leaf in leaves(Reading(log_format).structure))


def leaves(structure: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The fields of a raw structure, each with its SQL type."""
    for name, kind in structure.items():
        if isinstance(kind, Mapping):
            yield from (((name, *path), leaf) for path, leaf in leaves(kind))
        else:
            yield (name,), str(kind)


def _inner(tree: Mapping[str, Any], at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The paths that lead through an object."""
    found = {(*at, name) for name, below in tree.items() if below}
    return found.union(*(_inner(below, (*at, name)) for name, below in tree.items()))


@cache
def is_list_elsewhere() -> str:
    """SQL that is true for a line `l` with a list where a log format reads one value, or a single value where it reads a list."""
    several = {path[-1] for path in lists()}
    names = {path[-1] for path in scalars()}
    found = [_has(f'"({_any_of(names - several)})"\\s*:\\s*\\['), _has(f'"({_any_of(several - names)})"\\s*:\\s*[^\\[\\sn]')]
    for *above, name in sorted(p for p in scalars() if p[-1] in several and p in _read_from_files()):
        found.append(_at((*above, name), "\\[", "= 'ARRAY'"))
    for *above, name in sorted(p for p in lists() if p[-1] in names and p in _read_from_files()):
        found.append(_at((*above, name), "[^\\[\\s]", "NOT IN ('ARRAY', 'NULL')"))
    return f"({' OR '.join(found)})"


def _at(path: tuple[str, ...], begin: str, test: str) -> str:
    """SQL that tests the type of the value at a path of the line; the text is searched first, because that is faster."""
    contained = [f"contains(l, {quoted(json.dumps(part))})" for part in path[:-1]]
    pointer = quoted("$" + "".join(f".{json.dumps(part)}" for part in path))
    inner = [*contained, _has(f'"{re.escape(path[-1])}"\\s*:\\s*{begin}'), f"json_type(l, {pointer}) {test}"]
    return f"CASE WHEN {inner[-2]}{''.join(f' AND {c}' for c in contained)} THEN coalesce({inner[-1]}, false) ELSE false END"


def _has(expression: str) -> str:
    return f"regexp_matches(l, {quoted(expression)})"


def _any_of(names: Collection[str]) -> str:
    return "|".join(map(re.escape, sorted(names)))


@cache
def _read_from_files() -> frozenset[tuple[str, ...]]:
    """The paths of log formats; the rows of STIX bundles are written by Kestrel."""
    return frozenset(path for log_format in log_formats().values() if not log_format.of_bundles for path, _ in leaves(Reading(log_format).structure))


def holds_list(structure: Mapping[str, Any], base: str) -> str:
    """SQL that is true for a row with a list where log formats read one value: JSON is text there. `base`: where the structure is."""
    fields = (base + ".".join(f'"{part}"' for part in path) for path, _ in leaves(structure) if path in scalars())
    listed = (f"({f} >= '[' AND {f} < {BEHIND} AND ends_with({f}, ']'))" for f in fields)
    return f"coalesce({' OR '.join(listed) or 'false'}, false)"


@cache
def dotted() -> str:
    """A regular expression (RE2) that matches lines with a dotted name that may be a path."""
    return dotted_names(vocabulary())


def dotted_names(tree: Mapping[str, Any]) -> str:
    """The same for the paths of one tree of names."""

    def inner(below: Mapping[str, Any]) -> Iterator[str]:
        for name, deeper in below.items():
            if isinstance(deeper, Mapping) and deeper:
                yield name
                yield from inner(deeper)

    return f'"({_any_of(set(inner(tree)))})\\.[^"\\\\]+"\\s*:'


def spellings(structure: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The raw structure with every dotted spelling of its paths added as text, and the SQL of those fields."""
    whole, found = dict(structure), list[str]()
    _spell(whole, (), found)
    return whole, found


def _spell(tree: dict[str, Any], at: tuple[str, ...], found: list[str]) -> None:
    for name, kind in list(tree.items()):
        if isinstance(kind, dict):
            others = [".".join((name, *path)) for path in paths(kind)]
            inner = dict(kind)
            _spell(inner, (*at, name), found)
            tree[name] = inner
            for other in others:
                if not any(other.casefold() == k.casefold() for k in tree):
                    tree[other] = "VARCHAR"
                    found.append(".".join(f'"{part}"' for part in (*at, other)))
