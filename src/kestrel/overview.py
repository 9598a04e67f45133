"""What is in a data source: its log formats, event types, entities, hosts and fields, as tables."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kestrel.engine.evaluate import Engine
from kestrel.formats.draft import draft
from kestrel.formats.format import log_formats, recognise
from kestrel.formats.readers.packed import UnreadableFile
from kestrel.formats.reading import paths_of
from kestrel.formats.unmapped import provider_name
from kestrel.graph.steps import Get, Source
from kestrel.ingest.account import corrected_clocks
from kestrel.ingest.again import first_records
from kestrel.model.layout import layout
from kestrel.model.vocabulary import vocabulary
from kestrel.result import Table
from kestrel.scratch import prefix

SAMPLE = 500
"""Records of which the fields are listed."""
OWN = ("x-oca-event", "x-oca-asset")
"""Types of entities that every record names."""


def known_formats() -> Table:
    """The log formats that can be read, and where those of users are from."""
    rows = tuple((f.name, f.envelope.get("about", ""), "" if f.definition.is_shipped else f.definition.file) for f in log_formats().values())
    return Table("log formats", ("log format", "what it reads", "from"), tuple(sorted(rows)), len(rows))


def overview(engine: Engine, source: Source) -> Iterator[Table]:
    """What the records of files are, and what of them is read. Raises KestrelError."""
    engine.datasets.expect(None)
    dataset = engine.datasets.of((source,), None)
    assert dataset is not None
    events = dataset.events.table

    def fetch(sql: str) -> list[tuple[Any, ...]]:
        return engine.work.fetch(sql)

    account = dataset.account
    yield _table("log formats", ("log format", "records"), [(n, c) for n, c in account.log_formats.items()])
    others = {
        "in an unknown log format": account.unknown,
        "lines that are not records": account.broken,
        "duplicates, counted once": account.duplicates,
    }
    if any(others.values()):
        yield _table("not read", ("what", "records"), [(what, number) for what, number in others.items() if number])
    kinds = list(layout().kinds)
    types = fetch(f'SELECT "event.provider", "event.code", kind, count(*) FROM {events} GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3')
    named = [(provider_name(p or ""), c, kinds[k] if k is not None else "", n) for p, c, k, n in types]
    yield _table("event types", ("provider", "code", "what it shows", "records"), named)
    hosts = fetch(f"SELECT host, min(t), max(t), count(*) FROM {events} GROUP BY host ORDER BY 4 DESC, 1")
    yield _table("hosts", ("host", "first", "last", "records"), [(h, _time(a), _time(b), n) for h, a, b, n in hosts])
    if clocks := list(corrected_clocks(account)):
        yield _table("clocks", ("local time of", "corrected from"), [(files.replace("`", ""), offset) for offset, files in clocks])
    counts = ((name, engine.rows(engine.evaluate(Get(name, (source,), None, None)))) for name in vocabulary().types if name not in OWN)
    yield _table("entities", ("type", "entities"), [(name, number) for name, number in counts if number])
    yield _table("fields", ("field", f"of the first {SAMPLE} records", "read"), _fields(engine, source))


def draft_of(engine: Engine, source: Source) -> str:
    """A first draft of a log format for the first records of files. Raises UnreadableFile."""
    with tempfile.TemporaryDirectory(prefix=prefix()) as scratch:
        records = list(first_records(engine.con, [Path(f) for f in source.files], Path(scratch), SAMPLE))
    if not records:
        raise UnreadableFile(source.uri, "it has no records")
    stem = Path(source.files[0]).name.partition(".")[0].lower()
    return draft(re.sub("[^a-z0-9]+", "-", stem).strip("-") or "mine", records)


def _table(name: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    return Table(name, columns, tuple(rows), len(rows))


def _time(time: Any) -> str | None:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}" if time is not None else None


def _fields(engine: Engine, source: Source) -> list[tuple[Any, ...]]:
    """The fields of the first records: in how many each stands, and whether the log format of one of them reads it."""
    counts: Counter[str] = Counter()
    read: set[str] = set()
    with tempfile.TemporaryDirectory(prefix=prefix()) as scratch:
        records = list(first_records(engine.con, [Path(f) for f in source.files], Path(scratch), SAMPLE))
    for record in records:
        log_format = recognise(record)
        known = {".".join(path) for path in paths_of(log_format)} if log_format else set()
        for name in _leaves(record, known):
            counts[name] += 1
            if name in known:
                read.add(name)
    return [(name, number, "yes" if name in read else "no") for name, number in sorted(counts.items(), key=lambda c: (c[0] not in read, -c[1], c[0]))]


def _leaves(record: Mapping[str, Any], known: set[str], at: str = "") -> Iterator[str]:
    for name, value in record.items():
        path = f"{at}.{name}" if at else name
        if isinstance(value, dict) and path not in known:
            yield from _leaves(value, known, path)
        elif value not in (None, "", [], {}):
            yield path
