"""What stands between a profile and a hunt: is its connector here, does its server answer, can it ask, what does it bring."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from kestrel.errors import KestrelError
from kestrel.pushdown.request import Wanted
from kestrel.sources.stixshifter.fetch import Shifter
from kestrel.sources.stixshifter.installed import installed

NEEDED = ("process.x_unique_id", "process.pid", "process.name", "process.command_line", "parent.x_unique_id", "parent.pid", "parent.name")
"""Columns without which processes are not told apart, or not found by what hunters ask for most."""


def examine(source: Shifter) -> Iterator[tuple[str, str, str]]:
    """What was looked at, `good`, `weak` or `bad`, and what was found, until something makes the rest pointless."""
    here = next((c for c in installed() if c.name == source.connector), None)
    yield (
        ("connector", "good", f"{here.name} {here.version} in {here.folder}")
        if here
        else ("connector", "bad", f"{source.connector} is not installed: `kestrel connectors install {source.connector}`")
    )
    if not here:
        return
    try:
        brings = source.brings
    except KestrelError as error:
        yield "profile", "bad", _said(error)
        return
    try:
        source.ping()
        yield "server", "good", "it answers"
    except KestrelError as error:
        yield "server", "bad", _said(error)
    try:
        yield "pattern", "good", source.explain(Wanted(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)))
    except KestrelError as error:
        yield "pattern", "bad", _said(error)
    missing = [c for c in NEEDED if brings is not None and c not in brings]
    yield "attributes", "weak" if missing else "good", f"it never brings {', '.join(missing)}" if missing else "it brings what tells processes apart"


def _said(error: KestrelError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message
