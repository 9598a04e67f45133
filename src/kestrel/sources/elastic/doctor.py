"""What stands between a profile and a hunt: is the cluster there, does it let us in, what does it hold, what do shapes miss in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from kestrel.errors import KestrelError
from kestrel.schemas import expression
from kestrel.schemas.shape import Shape
from kestrel.sources.elastic.dsl import Events, of_events
from kestrel.sources.elastic.fetch import Elastic
from kestrel.sources.elastic.fields import NUMBERS, TIMES, WORDS, live_shapes

NEEDED = ("process.x_unique_id", "process.pid", "process.name", "process.command_line", "parent.x_unique_id", "parent.pid", "parent.name")
"""Columns without which processes are not told apart, or not found by what hunters ask for most."""
SEARCHABLE = WORDS | NUMBERS | TIMES | {"wildcard", "ip"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `state`: good, weak (works, with less than it could), or bad."""

    what: str
    state: Literal["good", "weak", "bad"]
    told: str


def examine(source: Elastic) -> Iterator[Finding]:
    """Everything that was found, until something makes the rest pointless."""
    client = source.client
    try:
        told = client.ask("what it is", "GET", "")
    except KestrelError as error:
        yield Finding("server", "bad", _said(error))
        return
    version = told.get("version") or {}
    kind = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
    yield Finding("server", "good", f"{source.place.url} answers: {kind} {version.get('number', 'of an unknown version')}")
    try:
        fields = source.fields
    except KestrelError as error:
        yield Finding("indices", "bad", _said(error))
        return
    where = f"{source.place.path}/_search"
    time_field = {"first": {"min": {"field": "@timestamp"}}, "last": {"max": {"field": "@timestamp"}}} if fields.exists("@timestamp") else {}
    body = {"size": 0, "track_total_hits": True, "aggs": {"indices": {"terms": {"field": "_index", "size": 1000}}, **time_field}}
    try:
        answer = client.ask("how much it has", "POST", where, body)
    except KestrelError as error:
        yield Finding("indices", "bad", _said(error))
        return
    found = {b["key"]: b["doc_count"] for b in answer["aggregations"]["indices"]["buckets"]}
    total = answer["hits"]["total"]["value"]
    if not total:
        yield Finding("indices", "bad", f"{source.place.indices}: no document is in them, or this user may see none")
        return
    listed = ", ".join(f"{name} ({count:,})" for name, count in sorted(found.items())[:10])
    yield Finding("indices", "good", f"{len(found)} with {total:,} documents: {listed}{', ...' if len(found) > 10 else ''}")
    yield _times(answer["aggregations"], bool(time_field))
    shapes = [(s, n) for s in live_shapes() if (n := _count(source, s))]
    known = sum(n for _, n in shapes)
    if not shapes:
        names = ", ".join(s.name for s in live_shapes())
        yield Finding("shapes", "bad", f"no document is of a shape Kestrel knows ({names})")
        return
    told_shapes = ", ".join(f"{s.name} ({n:,})" for s, n in shapes)
    strange = f"; {total - known:,} documents are of none and are left out" if known < total else ""
    yield Finding("shapes", "weak" if strange else "good", told_shapes + strange)
    for shape, _ in shapes:
        yield from _sensors(source, shape)
        yield from _fields(source, shape)


def _said(error: KestrelError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _times(told: dict[str, Any], asked: bool) -> Finding:
    if not asked:
        return Finding("times", "bad", "`@timestamp` is no date in the indices: no time can be asked for, and every hunt reads everything")
    first, last = (told[n].get("value_as_string") for n in ("first", "last"))
    return Finding("times", "good", f"{first} to {last} (`@timestamp`)")


def _count(source: Elastic, shape: Shape) -> int:
    query = of_events(shape, Events(0, None), source.fields)
    if query is None:
        return 0
    answer = source.client.ask("how many documents there are", "POST", f"{source.place.path}/_count", {"query": query})
    return int(answer["count"])


def _sensors(source: Elastic, shape: Shape) -> Iterator[Finding]:
    """How many documents each sensor of a shape wrote."""
    counts = []
    for name, number in shape.sensors.items():
        query = of_events(shape, Events(number, None), source.fields)
        if query is not None:
            answer = source.client.ask("how many documents there are", "POST", f"{source.place.path}/_count", {"query": query})
            counts.append((name, int(answer["count"])))
    told = ", ".join(f"{name} ({count:,})" for name, count in counts)
    yield Finding(f"{shape.name}: sensors", "good" if any(n for _, n in counts) else "weak", told or "which sensor wrote a document cannot be asked")


def _fields(source: Elastic, shape: Shape) -> Iterator[Finding]:
    """Which needed columns have no field that can be searched."""
    missing, slow = [], []
    for column in NEEDED:
        names = {".".join(p) for r in shape.rules if r.column == column and r.node is not None for p, _ in expression.fields(r.node)}
        there = {n: source.fields.types[n] for n in names if n in source.fields.types}
        if not names:
            continue
        if not there:
            missing.append(f"{column} ({' or '.join(sorted(names)[:3])})")
        elif not any(kinds <= SEARCHABLE for kinds in there.values()) and not any(source.fields.below(n) for n in there):
            kinds_of = ", ".join(f"{name} is {' or '.join(sorted(kinds))}" for name, kinds in sorted(there.items()))
            slow.append(f"{column} ({kinds_of})")
    if missing:
        yield Finding(f"{shape.name}: fields", "weak", f"no field that can be searched for {'; '.join(missing)}")
    if slow:
        yield Finding(
            f"{shape.name}: fields", "weak", f"of a type that is not searched exactly, so more is fetched and filtered here: {'; '.join(slow)}"
        )
    if not missing and not slow:
        yield Finding(f"{shape.name}: fields", "good", "what tells processes apart can be searched")
