"""Which documents are in a known log format: one search with a count for each format, and an example of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from kestrel.formats import expression
from kestrel.formats.format import LogFormat, recognise
from kestrel.pushdown.request import FetchRequest, Recognition
from kestrel.sources.elastic.fetch import Elastic
from kestrel.sources.elastic.fields import CLOCK, NOTHING, Fields, Query, any_of, remote_formats

EXAMPLES = 20
"""Unrecognised documents that are fetched as examples."""
SAMPLE = 500
"""Documents that are fetched if a query cannot distinguish the log formats."""
SHOWN = 12
"""Fields of an example that are shown."""


def recognition(source: Elastic, wanted: FetchRequest) -> Recognition:
    """Raises KestrelError."""
    fields = source.fields
    within = fields.holding_time(wanted.start, wanted.stop, timedelta(0)) or {"match_all": {}}
    each = formats(fields)
    number, stated = source.count({"match_all": {}}, _aggregations(fields, within, each))
    first, last = (str((stated.get(n) or {}).get("value_as_string") or "") for n in ("first", "last"))
    inner = stated.get("within") or {}
    total = int(inner.get("doc_count") or 0)
    if each is None:
        return _sampled(source, within, total, number, (first, last))
    buckets = (inner.get("formats") or {}).get("buckets") or {}
    counts = tuple((name, int(b["doc_count"])) for name, b in buckets.items() if b.get("doc_count"))
    unknown = total - sum(n for _, n in counts)
    found = Recognition(total, number, first, last, counts, unknown)
    if not unknown:
        return found
    examples = _documents(source, {"bool": {"filter": [within], "must_not": list(each.values())}}, EXAMPLES)
    if any(recognise(d) for d in examples):  # the mapping cannot be trusted: fields that it does not index are in the documents
        return _sampled(source, within, total, number, (first, last))
    return _described(found, examples)


def formats(fields: Fields) -> dict[str, Query] | None:
    """A query for the documents of each log format, by the same rules as for a single document; None if the mapping does not allow it."""
    if fields.loose:
        return None
    found: dict[str, Query] = {}
    for log_format in fields.formats:
        groups: list[Query] = []
        for group in log_format.marks:
            names = [".".join(path) for path in group]
            if any(name in fields.unsearchable for name in names):
                return None
            there = [q for name in names if (q := fields.holds(name))]
            groups.append(any_of(there) if there else NOTHING)
        lacks = [q for path in log_format.lacks if (q := fields.holds(".".join(path)))]
        found[log_format.name] = {"bool": {"filter": groups, **({"must_not": lacks} if lacks else {})}}
    return found


def _aggregations(fields: Fields, within: Query, each: Mapping[str, Query] | None) -> Query:
    """A document is counted for the first format that it matches."""
    counts: dict[str, Query] = {}
    for name, query in (each or {}).items():
        counts[name] = {"bool": {"filter": [query], "must_not": [q for n, q in (each or {}).items() if n in counts]}}
    ends: Query = {"first": {"min": {"field": CLOCK}}, "last": {"max": {"field": CLOCK}}} if fields.holds_time else {}
    formatted = {"format": "strict_date_optional_time"}
    ends = {name: {kind: {**of, **formatted} for kind, of in end.items()} for name, end in ends.items()}
    inner = {"aggs": {"formats": {"filters": {"filters": counts}}}} if counts else {}
    return {**ends, "within": {"filter": within, **inner}}


def _sampled(source: Elastic, within: Query, total: int, everywhere: int, ends: tuple[str, str]) -> Recognition:
    documents = _documents(source, within, SAMPLE)
    counts: dict[str, int] = {}
    strange = []
    for document in documents:
        log_format = recognise(document)
        if log_format:
            counts[log_format.name] = counts.get(log_format.name, 0) + 1
        else:
            strange.append(document)
    found = Recognition(total, everywhere, *ends, tuple(counts.items()), len(strange), sampled=len(documents))
    return _described(found, strange) if strange else found


def _described(found: Recognition, examples: Sequence[Mapping[str, Any]]) -> Recognition:
    """Adds an example: the one closest to a known format."""
    near = max(examples, key=lambda d: _likeness(d)[0], default={})
    names = sorted(near)
    shown = (*names[:SHOWN], f"{len(names) - SHOWN} more") if len(names) > SHOWN else tuple(names)
    return Recognition(found.total, found.everywhere, found.first, found.last, found.formats, found.unknown, shown, _likeness(near)[1], found.sampled)


def _likeness(document: Mapping[str, Any]) -> tuple[int, str]:
    """The log format closest to a document, and a score: by the fields that both have, first those by which the format is recognised."""
    best = (0, "")
    for log_format in remote_formats():
        if any(_at(document, path) is not None for path in log_format.lacks):
            continue
        marks = sum(any(_at(document, path) is not None for path in group) for group in log_format.marks)
        known = sum(_at(document, path) is not None for path in _read_by(log_format))
        best = max(best, (marks * 1_000 + known, log_format.name), key=lambda b: b[0])
    return best


def _read_by(log_format: LogFormat) -> set[tuple[str, ...]]:
    """The fields that a log format reads, without the time, which every format has."""
    return {path for r in log_format.rules if r.node is not None for path, _ in expression.fields(r.node) if path != (CLOCK,)}


def _at(document: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = document
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _documents(source: Elastic, query: Query, number: int) -> list[dict[str, Any]]:
    """Some documents of a query, with names that have dots as nested objects."""
    path = f"{source.place.path}/_search?allow_partial_search_results=false"
    answer = source.client.ask("for examples of its documents", "POST", path, {"query": query, "size": number})
    hits = (answer.get("hits") or {}).get("hits") or []
    return [expanded(h["_source"]) for h in hits if isinstance(h, dict) and isinstance(h.get("_source"), dict)]


def expanded(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document in which `{"a.b": 1}` is `{"a": {"b": 1}}`, as the server itself understands it."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        *outer, last = name.split(".")
        place = found
        for part in outer:
            inner = place.get(part)
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        value = expanded(value) if isinstance(value, Mapping) else value
        known = place.get(last)
        place[last] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    return found
