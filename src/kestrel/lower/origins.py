"""Which of the sources that a loaded file names are used: those that the hunter named in a profile, in this session or in the session
that wrote the file."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from kestrel.graph.steps import Load, Source
from kestrel.lower.actions import Notice
from kestrel.text import listed, path_text

ByName = Callable[[str], Source | None]
"""The source of a URI that names a profile, or None."""


def with_known_sources(load: Load, opened: Collection[Source], by_name: ByName, is_own: Callable[[str], bool]) -> tuple[Load, list[Notice]]:
    """A LOAD with those of its sources that are known, as the hunter defined them: never with files or names that only the loaded
    file gives, unless `is_own` says that Kestrel wrote that file and it is unchanged."""
    known: list[Source] = []
    unknown: list[str] = []
    for claimed in load.sources:
        found = list(_known(claimed, opened, by_name))
        if not found and _is_here(claimed) and is_own(load.path):
            found = [claimed]
        known += found
        unknown += [] if found else [claimed.uri]
    notices = []
    if unknown:
        names = listed(dict.fromkeys(unknown), 3)
        notices.append(
            Notice(
                "unknown-source",
                f"`{path_text(load.path)}` says that its entities come from {names}: no profile and no source of this session has that name, "
                "so FIND does not search it; to include it, run `GET ... FROM` it first",
            )
        )
    return replace(load, sources=tuple(dict.fromkeys(known))), notices


def _known(claimed: Source, opened: Collection[Source], by_name: ByName) -> Iterator[Source]:
    alike = sorted(opened, key=lambda s: s.uri != claimed.uri)
    files = {os.path.realpath(f) for f in claimed.files}
    if same := next((s for s in alike if (files == _files(s) if files or s.files else s.uri == claimed.uri)), None):
        yield same
    elif named := by_name(claimed.uri):
        yield named
    elif files and files <= set().union(*map(_files, opened)):
        for file in claimed.files:
            holder = next(s for s in alike if os.path.realpath(file) in _files(s))
            yield Source(path_text(file), (file,), holder.log_format, clock=holder.clock)


def _is_here(source: Source) -> bool:
    """Whether a source is files that can be read."""
    return not source.place and bool(source.files) and all(map(os.path.isfile, source.files))


def _files(source: Source) -> set[str]:
    return {os.path.realpath(f) for f in source.files}
