"""Notices about the data of a session: what became of the records, which files changed, and why an answer is empty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from kestrel.engine.evaluate import Engine
from kestrel.engine.raw import BECAME, CHANGED
from kestrel.engine.reasons import reasons
from kestrel.graph.steps import Step, read_by
from kestrel.ingest.account import notices
from kestrel.result import Notice
from kestrel.text import path_text


class CellNotices:
    """The notices of a cell about its records, as two lines at most: the first as soon as it is known, the others at the end."""

    def __init__(self) -> None:
        self.waiting: list[Notice] = []
        self.begun = False

    def add(self, found: Iterable[Notice], about: str = "") -> Iterator[Notice]:
        """Add notices; returns those to show now. `about`: the variable that those shown later are about."""
        for notice in found:
            if self.begun:
                self.waiting.append(replace(notice, message=f"{about}: {notice.message}") if about else notice)
            else:
                self.begun = True
                yield notice

    def rest(self) -> Iterator[Notice]:
        """The notices that were not shown, combined into one."""
        waiting, self.waiting = list({n.message: n for n in self.waiting}.values()), []
        if len(waiting) == 1:
            yield waiting[0]
        elif waiting:
            details = tuple({"code": n.code, "message": n.message, "count": n.count, "details": list(n.details)} for n in waiting)
            yield Notice("records", "; ".join(n.message for n in waiting), len(waiting), details)


def of_records(engine: Engine, step: Step, reported: set[str]) -> Iterator[Notice]:
    """What became of the records of a variable, unless that is in `reported` already."""
    variable = engine.evaluate(step)
    entities = engine.counts(variable)[0]
    if variable.dataset is not None:
        sources = tuple(s.uri for s in variable.dataset.sources)
        key = " ".join(sources) if variable.dataset.is_live else variable.dataset.key
        if key not in reported:
            reported.add(key)
            found = notices(variable.dataset.account, sources, variable.dataset.is_live)
            with_reasons = "unknown-records" if variable.dataset.is_live and not entities else ""
            yield from (n for n in found if n.code != with_reasons)


def of_empty(engine: Engine, step: Step) -> Iterator[Notice]:
    """For an empty variable: possible reasons."""
    variable = engine.evaluate(step)
    if not engine.counts(variable)[0]:
        yield from reasons(engine.work, engine, variable)


def of_changed_files(engine: Engine, steps: Iterable[Step], reported: set[str]) -> Iterator[Notice]:
    """Once for each content of a file: that the file has changed since variables were made from it."""
    found: dict[str, list[str]] = {}
    for file, before, now in engine.readings.changed({s: None for step in steps for s in read_by(step)}):
        if f"{file} {before}" not in reported:
            reported.add(f"{file} {before}")
            found.setdefault(BECAME.get(now, CHANGED), []).append(file)
    for became, files in found.items():
        others = len(files) - 1
        more = f" and {others:,} other file{'s' if others > 1 else ''}" if others else ""
        verb = became.replace("is ", "are ").replace("has ", "have ").replace(" a file", " files") if others else became
        verb = verb.replace("it was", "they were") if others else verb
        text = f"`{path_text(files[0])}`{more} {verb}: existing variables keep what was read; GET and LOAD read files as they are now"
        yield Notice("changed-file", text, len(files))
