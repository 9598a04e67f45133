"""What the indices say of their fields: which can be searched, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache, cached_property
from typing import Any

from kestrel.formats import expression
from kestrel.formats.expression import Node
from kestrel.formats.format import LogFormat, log_formats
from kestrel.formats.inverse import Pattern
from kestrel.formats.reading import CLOCKS

WORDS = frozenset({"keyword", "constant_keyword"})
NUMBERS = frozenset({"long", "integer", "short", "byte", "unsigned_long", "double", "float", "half_float", "scaled_float"})
TIMES = frozenset({"date", "date_nanos"})
CLOCK = "@timestamp"
NANOS = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 4, 11, 23, 47, 16, tzinfo=UTC))
"""The times that a field of type `date_nanos` can hold; a range beyond them is refused."""
INLINE = 64
"""So many values at most are asked for whatever their case; more are asked for as they are and in lower and upper case."""
MOST_CLAUSES = 16
"""Up to this number of patterns, each is a clause of its own."""
LONGEST = 900
"""Characters of a regular expression; `index.max_regex_length` is 1,000 by default."""
SPECIAL = re.compile(r'[.?+*|{}\[\]()"\\#@&<>~^$]')
"""Characters with a meaning in Lucene's regular expressions."""

Query = dict[str, Any]


def remote_formats() -> list[LogFormat]:
    """The log formats that documents of a server may have."""
    return [s for s in log_formats().values() if not s.of_bundles]


EXACT = WORDS | {"wildcard"}


@dataclass(frozen=True)
class Fields:
    """The searchable fields of some indices, each with its types (more than one where the indices do not agree).

    `partial`: fields that some of the indices do not have. `loose`: documents may have values that no field tells of, for some part of a
    mapping is not dynamic. `unsearchable`: fields that are there and cannot be searched.
    """

    types: Mapping[str, frozenset[str]]
    partial: frozenset[str] = frozenset()
    loose: bool = False
    unsearchable: frozenset[str] = frozenset()

    @classmethod
    def of(cls, answer: Any, mappings: Any) -> Fields:
        """From the answers of `_field_caps` (with `include_unmapped`) and `_mapping`."""
        known = answer.get("fields") or {}
        nested = tuple(f"{name}." for name, kinds in known.items() if "nested" in kinds)
        found, partial, hidden = {}, set(), set()
        for name, kinds in known.items():
            types = {kind: what for kind, what in kinds.items() if kind not in ("unmapped", "object")}
            if types and all(what.get("searchable") for what in types.values()) and not name.startswith(nested):
                found[name] = frozenset(types)
                if "unmapped" in kinds:
                    partial.add(name)
            elif types:
                hidden.add(name)
        return cls(found, frozenset(partial), _is_loose(mappings), frozenset(hidden))

    @property
    def holds_time(self) -> bool:
        """Whether the time of documents can be queried."""
        kinds = self.types.get(CLOCK, frozenset())
        return bool(kinds) and kinds <= TIMES

    def exists(self, name: str) -> Query | None:
        """Documents with a value of a field; None where that cannot be asked."""
        return {"exists": {"field": name}} if name in self.types else None

    def holds(self, name: str) -> Query | None:
        """Documents with a value of a field, or of one in it; None where that cannot be asked."""
        return {"exists": {"field": name}} if name in self.types or name in self._objects else None

    def signs(self, name: str) -> list[Query]:
        """Documents that surely have a value of a field, or of one in it. An object is known by those of its fields that recognise a log
        format: a server would count each of its fields as a clause."""
        if name in self.types:
            return [{"exists": {"field": name}}]
        marks = {".".join(path) for f in remote_formats() for group in f.marks for path in group}
        return [{"exists": {"field": m}} for m in sorted(marks) if m.startswith(f"{name}.") and m in self.types]

    @cached_property
    def _objects(self) -> frozenset[str]:
        """The names of the objects that fields are in."""
        return frozenset(name[:place] for name in self.types for place, character in enumerate(name) if character == ".")

    @cached_property
    def formats(self) -> list[LogFormat]:
        """The log formats that documents of these indices can have."""
        if self.loose:
            return remote_formats()
        return [f for f in remote_formats() if all(any(self.holds(".".join(p)) for p in group) for group in f.marks)]

    def indexed(self, name: str) -> Query | None:
        """Documents whose value of a field `fitting` looks at; None where it looks at none."""
        asked = self._asked(name)
        return {"exists": {"field": asked}} if asked else self.exists(name)

    def _asked(self, name: str) -> str | None:
        """The field or sub-field whose values are known as they are."""
        kinds = self.types.get(name, frozenset())
        if kinds and (kinds <= EXACT or kinds <= NUMBERS or kinds == {"ip"}):
            return name
        if kinds != {"text"}:
            return None
        return next((n for n in self.below(name) if self.types[n] <= EXACT and n not in self.partial), None)

    def below(self, name: str) -> list[str]:
        """The sub-fields of a field."""
        return self._below.get(name, [])

    @cached_property
    def _below(self) -> Mapping[str, list[str]]:
        """Sub-fields of text fields, by the field's name."""
        found: dict[str, list[str]] = {}
        for name in self.types:
            parent, _, _ = name.rpartition(".")
            if parent in self.types:
                found.setdefault(parent, []).append(name)
        return found

    def fitting(self, name: str, wanted: Pattern) -> Query | None:
        """Documents in which a field fits, and perhaps more; None where the field cannot be asked."""
        asked = self._asked(name)
        if asked is None:
            return self.exists(name) if "flattened" not in self.types.get(name, ()) else None
        kinds = self.types[asked]
        if kinds <= EXACT:
            return _of_text(asked, wanted)
        return _of_numbers(asked, wanted) if kinds <= NUMBERS else _of_addresses(asked, wanted)

    def holding_time(self, start: datetime | None, stop: datetime | None, slack: timedelta) -> Query | None:
        """Documents that may be in a time range: one of their clocks that can be queried is near it. The limits state their
        own format, because that of the mapping may differ."""
        if start is None and stop is None:
            return None
        first, end = _shifted(start, -slack), _shifted(stop, slack)
        clocks = []
        for path in _clock_fields():
            name = ".".join(path)
            kinds = self.types.get(name, frozenset())
            if kinds and kinds <= TIMES:
                limits = {k: v.isoformat().replace("+00:00", "Z") for k, v in (("gte", first), ("lt", end)) if v}
                if "date_nanos" in kinds:
                    limits = {k: _in_nanos(v).isoformat().replace("+00:00", "Z") for k, v in (("gte", first), ("lt", end)) if v}
                clocks.append((name, {"range": {name: {**limits, "format": "strict_date_optional_time"}}}))
            elif kinds and kinds <= WORDS and path in _sensor_clocks():
                limits = {k: f"{v:%Y-%m-%d %H:%M:%S}" for k, v in (("gte", first), ("lt", end)) if v and v.year >= 1000}
                written: Query = {"range": {name: limits}} if limits else {"exists": {"field": name}}
                clocks.append((name, written))
        if not any(self.types[name] <= TIMES for name, _ in clocks):
            return None
        without: Query = {"bool": {"must_not": [{"exists": {"field": name}} for name, _ in clocks]}}
        return any_of([*(query for _, query in clocks), without])


def _shifted(time: datetime | None, by: timedelta) -> datetime | None:
    """A time somewhat earlier or later; None (no limit) if that is outside the calendar."""
    try:
        return None if time is None else time.astimezone(UTC) + by
    except OverflowError:
        return None


def _in_nanos(time: datetime) -> datetime:
    return min(max(time, NANOS[0]), NANOS[1])


def left_out(mappings: Any, wanted: Sequence[str]) -> dict[str, str]:
    """For each index, from the answer of `_mapping`: the wanted fields that `_source` leaves out."""
    found = {}
    for index, answer in mappings.items() if isinstance(mappings, dict) else ():
        rule = ((answer.get("mappings") or {}) if isinstance(answer, dict) else {}).get("_source")
        if not isinstance(rule, dict):
            continue
        excluded = [p for p in _patterns(rule.get("excludes")) if any(_concerns(p, name) for name in wanted)]
        included = _patterns(rule.get("includes"))
        if excluded:
            found[index] = ", ".join(f"`{p}`" for p in excluded)
        elif included and not all(any(_concerns(p, name) for p in included) for name in wanted):
            found[index] = f"fields other than {', '.join(f'`{p}`' for p in included)}"
    return found


def _patterns(value: Any) -> list[str]:
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]


def _concerns(pattern: str, name: str) -> bool:
    """Whether a `_source` pattern names a field, one of its parts, or an object that contains it."""
    return fnmatchcase(name, pattern) or name.startswith(f"{pattern}.") or pattern.startswith(f"{name}.")


@cache
def _sensor_clocks() -> frozenset[tuple[str, ...]]:
    """The fields in which sensors write their own time, as text."""
    texts = [text for log_format in remote_formats() for text in log_format.envelope["clock"].get("sensor", {}).values()]
    return frozenset(path for text in texts for path, _ in expression.fields(expression.top(text)))


def _clock_fields() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for log_format in remote_formats():
        texts = [
            *log_format.envelope["clock"].get("sensor", {}).values(),
            *(log_format.envelope["clock"][c] for c in CLOCKS if c in log_format.envelope["clock"]),
        ]
        for text in texts:
            node: Node = expression.top(text)
            found += [path for path, _ in expression.fields(node)]
    return list(dict.fromkeys(found))


def any_of(queries: list[Query]) -> Query:
    """Documents that one of some queries finds."""
    return queries[0] if len(queries) == 1 else {"bool": {"should": queries, "minimum_should_match": 1}}


def _of_text(name: str, wanted: Pattern) -> Query:
    values = [str(v) for v in wanted.values]
    match wanted.operator:
        case "=" if len(values) <= INLINE:
            return any_of([{"term": {name: {"value": v, "case_insensitive": True}}} for v in values]) if values else NOTHING
        case "=":
            return {"terms": {name: list(dict.fromkeys(s for v in values for s in (v, v.lower(), v.upper())))}}
        case "LIKE":
            return _like(name, values)
        case "HOLDS":
            return _like(name, [f"%{v.replace('%', '_')}%" for v in values])
        case _:
            return {"exists": {"field": name}}


def _like(name: str, patterns: Sequence[str]) -> Query:
    """Documents in which a field matches one of the LIKE patterns. Many patterns become few regular expressions, because a server
    limits the clauses of a query (OpenSearch: 1,024)."""
    mergeable = [p for p in dict.fromkeys(patterns) if _is_mergeable(p)] if len(patterns) > MOST_CLAUSES else []
    found: list[Query] = [{"wildcard": {name: {"value": _wildcard(p), "case_insensitive": True}}} for p in patterns if p not in mergeable]
    for regular in _merged(mergeable):
        found.append({"regexp": {name: {"value": regular, "flags": "NONE", "case_insensitive": True}}})
    return any_of(found)


def _is_mergeable(pattern: str) -> bool:
    """Whether many patterns like this are a small automaton together: wildcards are at the ends only."""
    inner = pattern.strip("%")
    return "%" not in inner and not ("_" in inner and pattern.startswith("%")) and 0 < len(_regular(inner)) < LONGEST


def _merged(patterns: Sequence[str]) -> Iterator[str]:
    """Regular expressions that together match what the patterns do, none longer than a server allows. Patterns with wildcards at the same
    ends share them: `.*(a|b).*` is a small automaton, while that of `.*a.*|.*b.*` doubles with each part."""
    by_ends: dict[tuple[str, str], list[str]] = {}
    for pattern in patterns:
        ends = (".*" if pattern.startswith("%") else "", ".*" if pattern.endswith("%") else "")
        by_ends.setdefault(ends, []).append(_regular(pattern.strip("%")))
    for (before, after), parts in by_ends.items():
        batch: list[str] = []
        for part in parts:
            if batch and len("|".join([*batch, part])) > LONGEST:
                yield f"{before}({'|'.join(batch)}){after}"
                batch = []
            batch.append(part)
        yield f"{before}({'|'.join(batch)}){after}"


def _regular(text: str) -> str:
    """A text with the wildcard `_` as a regular expression of Lucene."""
    return SPECIAL.sub(r"\\\g<0>", text).replace("_", ".")


def _of_numbers(name: str, wanted: Pattern) -> Query:
    numbers = [v for v in wanted.values if isinstance(v, int | float)] + [int(v) for v in wanted.values if isinstance(v, str) and v.isdecimal()]
    match wanted.operator:
        case "=":
            return {"terms": {name: numbers}} if numbers else NOTHING
        case ">" | ">=" | "<" | "<=" if numbers:
            word = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}[wanted.operator]
            return {"range": {name: {word: numbers[0]}}}
        case _:
            return {"exists": {"field": name}}


def _of_addresses(name: str, wanted: Pattern) -> Query:
    import ipaddress

    if wanted.operator != "=":
        return {"exists": {"field": name}}
    found = []
    for value in wanted.values:
        try:
            found.append(str(ipaddress.ip_address(str(value).strip())))
        except ValueError:
            continue
    return {"terms": {name: list(dict.fromkeys(found))}} if found else NOTHING


NOTHING: Query = {"match_none": {}}


def _literal(value: str) -> str:
    return value.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _wildcard(pattern: str) -> str:
    """A pattern of LIKE in the server's spelling."""
    return _literal(pattern).replace("%", "*").replace("_", "?")


def _is_loose(mapping: Any) -> bool:
    """Whether some part of a mapping does not take up every field that comes."""
    if isinstance(mapping, dict):
        return any(
            (key == "dynamic" and str(value).lower() in ("false", "runtime")) or (key == "enabled" and value is False) or _is_loose(value)
            for key, value in mapping.items()
            if key != "_source"
        )
    return False
