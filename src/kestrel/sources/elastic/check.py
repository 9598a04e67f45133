"""The check of a cluster: does it answer, does it accept the credentials, which records does it have, and which fields are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kestrel.errors import KestrelError
from kestrel.formats import expression
from kestrel.formats.format import LogFormat
from kestrel.pushdown.request import FetchRequest, Finding, Recognition
from kestrel.sources.elastic.dsl import Events, of_events
from kestrel.sources.elastic.fetch import Elastic
from kestrel.sources.elastic.fields import NUMBERS, TIMES, WORDS, remote_formats
from kestrel.sources.elastic.recognise import recognition

NEEDED = ("process.x_unique_id", "process.pid", "process.name", "process.command_line", "parent.x_unique_id", "parent.pid", "parent.name")
"""Columns without which processes are not told apart, or not found by what hunters ask for most."""
SEARCHABLE = WORDS | NUMBERS | TIMES | {"wildcard", "ip"}


def examine(source: Elastic) -> Iterator[Finding]:
    """Everything that was found, until something makes the rest pointless."""
    client = source.client
    try:
        about = client.ask("what it is", "GET", "").get("version")
    except KestrelError as error:
        yield Finding("server", "bad", _said(error))
        return
    version = about if isinstance(about, dict) else {}
    kind = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
    yield Finding("server", "good", f"{source.place.url} answers: {kind} {version.get('number', 'of an unknown version')}")
    try:
        fields = source.fields
        total, stated = source.count({"match_all": {}}, {"indices": {"terms": {"field": "_index", "size": 1000}}})
        if not total:
            yield Finding("indices", "weak", f"{source.place.indices}: they have no documents, or none that this user may read")
            return
        yield _indices(stated, total)
        yield from (Finding("indices", "weak", notice) for notice in source.notices)
        source.notices.clear()
        found = recognition(source, FetchRequest())
    except KestrelError as error:
        yield Finding("indices", "bad", _said(error))
        return
    yield _times(found, fields.holds_time)
    yield _formats(found)
    for log_format in (s for s in remote_formats() if s.name in dict(found.formats)):
        try:
            yield from _sensors(source, log_format)
        except KestrelError as error:
            yield Finding(f"{log_format.name}: sensors", "bad", _said(error))
            return
        yield from _fields(source, log_format)


def _indices(stated: dict[str, Any], total: int) -> Finding:
    buckets = (stated.get("indices") or {}).get("buckets") or []
    found = {b["key"]: b["doc_count"] for b in buckets}
    listed = ", ".join(f"{name} ({count:,})" for name, count in sorted(found.items())[:10])
    return Finding("indices", "good", f"{len(found)} with {total:,} documents: {listed}{', ...' if len(found) > 10 else ''}")


def _formats(found: Recognition) -> Finding:
    """How many documents are of which log format, and what the others look like."""
    names = [s.name for s in remote_formats()]
    more = [
        *([f"the closest is {found.closest}"] if found.closest else []),
        *([f"one of them has the top-level fields {', '.join(found.fields)}"] if found.fields else []),
    ]
    number = found.sampled or found.total
    of = f"a sample of {number:,} documents" if found.sampled else f"{number:,} documents"
    strange = f"{found.unknown:,} of {of} {'is' if found.unknown == 1 else 'are'} in an unknown log format"
    if not found.formats:
        return Finding("log formats", "bad", "; ".join([f"{strange} ({', '.join(names)})", *more]))
    known = ", ".join(f"{name} ({count:,})" for name, count in found.formats)
    return Finding("log formats", "weak" if found.unknown else "good", "; ".join([known, *([strange, *more] if found.unknown else [])]))


def _said(error: KestrelError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _times(found: Recognition, asked: bool) -> Finding:
    if not asked:
        return Finding("times", "bad", "`@timestamp` is no date in the indices: no time can be asked for, and every hunt reads everything")
    return Finding("times", "good", f"{found.first or 'no time'} to {found.last or 'no time'} (`@timestamp`)")


def _sensors(source: Elastic, log_format: LogFormat) -> Iterator[Finding]:
    """How many documents each sensor of a log format wrote."""
    counts = []
    for name, number in log_format.sensors.items():
        query = of_events(log_format, Events(number, None), source.fields)
        if query is not None:
            counts.append((name, source.count(query)[0]))
    stated = ", ".join(f"{name} ({count:,})" for name, count in counts)
    yield Finding(
        f"{log_format.name}: sensors", "good" if any(n for _, n in counts) else "weak", stated or "the sensor of a document cannot be queried"
    )


def _fields(source: Elastic, log_format: LogFormat) -> Iterator[Finding]:
    """Which needed columns have no field that can be searched."""
    missing, slow = [], []
    for column in NEEDED:
        names = {".".join(p) for r in log_format.rules if r.column == column and r.node is not None for p, _ in expression.fields(r.node)}
        there = {n: source.fields.types[n] for n in names if n in source.fields.types}
        if not names:
            continue
        if not there:
            missing.append(f"{column} ({' or '.join(sorted(names)[:3])})")
        elif not any(kinds <= SEARCHABLE for kinds in there.values()) and not any(source.fields.below(n) for n in there):
            kinds_of = ", ".join(f"{name} is {' or '.join(sorted(kinds))}" for name, kinds in sorted(there.items()))
            slow.append(f"{column} ({kinds_of})")
    if missing:
        yield Finding(f"{log_format.name}: fields", "weak", f"no searchable field for {'; '.join(missing)}")
    if slow:
        yield Finding(
            f"{log_format.name}: fields", "weak", f"of a type that is not searched exactly, so more is fetched and filtered here: {'; '.join(slow)}"
        )
    if not missing and not slow:
        yield Finding(f"{log_format.name}: fields", "good", "the fields that identify processes can be searched")
