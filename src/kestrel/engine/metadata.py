"""The metadata in a Parquet file about the variable it was written from. Anyone can write that: it is checked and never trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from kestrel.formats.format import log_formats
from kestrel.formats.transforms import quoted
from kestrel.graph.steps import TABLE, Source, TimeRange
from kestrel.ingest.database import exact
from kestrel.model.vocabulary import vocabulary

MARK = "kestrel"
"""The key of the metadata in a Parquet file: type, sources, range."""
LONGEST = 4 << 20
"""The maximum size in bytes."""
MOST = 10_000
"""The maximum number of sources and files; a variable has far fewer."""


@dataclass(frozen=True)
class Origin:
    """What a file records about the variable it was written from."""

    type: str | None = None
    sources: tuple[Source, ...] = ()
    range: TimeRange | None = None


class NotValid(ValueError):
    """It is not as Kestrel writes it."""


def as_option(stated: Origin) -> str:
    """An entry of KV_METADATA, in SQL."""
    known = {
        "type": stated.type,
        "sources": [asdict(s) for s in stated.sources],
        "range": [stated.range.start.isoformat(), stated.range.stop.isoformat()] if stated.range else None,
    }
    return f"{MARK}: {quoted(json.dumps(known))}"


def origin_in(con: duckdb.DuckDBPyConnection, path: Path) -> Origin:
    """The metadata of a Parquet file; empty if it was not written by Kestrel. Raises NotValid."""
    rows = con.execute("SELECT value FROM parquet_kv_metadata(?) WHERE key = ?", [exact(path), MARK.encode()]).fetchall()
    if not rows:
        return Origin()
    if len(rows) > 1 or not isinstance(rows[0][0], bytes) or len(rows[0][0]) > LONGEST:
        raise NotValid
    try:
        known = json.loads(rows[0][0].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise NotValid from error
    if not isinstance(known, dict):
        raise NotValid
    return Origin(_type(known.get("type")), _sources(known.get("sources")), _range(known.get("range")))


def _type(value: Any) -> str:
    if not isinstance(value, str) or not (value == TABLE or vocabulary().may_be_type(value)):
        raise NotValid
    return value


def _sources(value: Any) -> tuple[Source, ...]:
    if not isinstance(value, list) or len(value) > MOST:
        raise NotValid
    return tuple(map(_source, value))


def _source(value: Any) -> Source:
    if not isinstance(value, Mapping):
        raise NotValid
    uri, files, place = value.get("uri"), value.get("files"), value.get("place", "")
    log_format = value.get("log_format", value.get("shape"))  # the name in files saved by Kestrel 2.0
    if not isinstance(uri, str) or not _is_name(uri) or not isinstance(files, list) or len(files) > MOST or not all(map(_is_name, files)):
        raise NotValid
    if not (log_format is None or log_format in [*log_formats()]) or not isinstance(place, str):
        raise NotValid
    return Source(uri, tuple(files), log_format, place)


def _is_name(value: Any) -> bool:
    """Whether a value can be the name of a file or a source, and can be displayed."""
    return isinstance(value, str) and 0 < len(value) < 10_000 and "\0" not in value and value.encode("utf-8", "replace").decode() == value


def _range(value: Any) -> TimeRange | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise NotValid
    try:
        moments = [datetime.fromisoformat(moment) for moment in value]
        if any(m.utcoffset() is None for m in moments):
            raise NotValid
        start, stop = (m.astimezone(UTC) for m in moments)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotValid from error
    if start > stop:
        raise NotValid
    return TimeRange(start, stop)
