"""The check of a profile that STIX-shifter queries: is its connector installed, does its server answer, which attributes does it have."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from kestrel.errors import KestrelError
from kestrel.pushdown.request import FetchRequest, Finding
from kestrel.sources.stixshifter.fetch import Shifter
from kestrel.sources.stixshifter.installed import installed

NEEDED = ("process.x_unique_id", "process.pid", "process.name", "process.command_line", "parent.x_unique_id", "parent.pid", "parent.name")
"""Columns without which processes are not told apart, or not found by what hunters ask for most."""


def examine(source: Shifter) -> Iterator[Finding]:
    """What was checked, `good`, `weak` or `bad`, and what was found, until something makes the rest pointless."""
    here = next((c for c in installed() if c.name == source.connector), None)
    if not here:
        yield Finding("connector", "bad", f"{source.connector} is not installed: `kestrel connectors install {source.connector}`")
        return
    yield Finding("connector", "good", f"{here.name} {here.version} in {here.folder}")
    try:
        provides = source.provides
    except KestrelError as error:
        yield Finding("profile", "bad", _said(error))
        return
    try:
        source.ping()
        yield Finding("server", "good", "it answers")
    except KestrelError as error:
        yield Finding("server", "bad", _said(error))
    try:
        yield Finding("pattern", "good", source.explain(FetchRequest(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC))))
    except KestrelError as error:
        yield Finding("pattern", "bad", _said(error))
    missing = [c for c in NEEDED if provides is not None and c not in provides]
    known = f"it never brings {', '.join(missing)}" if missing else "it brings what tells processes apart"
    yield Finding("attributes", "weak" if missing else "good", known)


def _said(error: KestrelError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message
