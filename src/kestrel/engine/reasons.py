"""Why an answer is empty, as far as that is known without another query to a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

from kestrel.engine.frames import scope_of
from kestrel.engine.match import Scope, matcher, within_range
from kestrel.engine.variable import Variable
from kestrel.engine.workspace import Evaluator, Workspace
from kestrel.formats.unmapped import could_name
from kestrel.graph.steps import All, Any_, Complement, Find, Get, Join, Missing, Predicate, Refine, Test, tests
from kestrel.ingest.account import types_text
from kestrel.ingest.observations import observations
from kestrel.lower.columns import kind_of
from kestrel.result import Notice
from kestrel.stix.records import TRANSPORTS
from kestrel.text import listed

ESCAPE = "\x01"


def reasons(work: Workspace, evaluator: Evaluator, variable: Variable) -> Iterator[Notice]:
    """Notices of what may explain that a variable has no entities."""
    step, dataset = variable.step, variable.dataset
    if isinstance(step, Join):
        yield from _never_equal(step)
    if dataset is None or not isinstance(step, Get | Find | Refine):
        return
    if text := _outside(work, variable):
        yield Notice("no-records-in-range", text)
        return
    where = step.where
    if where is not None and (folded := _ignoring_case(where)) is not None:
        yield from _of_case(work, evaluator, step, variable, folded)
    if where is not None and (names := _application_protocols(where)):
        text = f"`protocols[*]` is the transport protocol, like `tcp`; {listed(names)} may be in `x_application`"
        yield Notice("application-protocol", text)
    if isinstance(step, Find) and not evaluator.counts(evaluator.evaluate(step.input))[0]:
        yield Notice("empty-input", f"{evaluator.name_of(step.input)} is empty, so nothing is found from it")
        return
    if isinstance(step, Find) and step.verb == "LINKED" and step.where is None and (number := _of_type(work, variable)):
        entities = "entity, which is not" if number == 1 else "entities, but none is"
        yield Notice("not-linked", f"the records have {number:,} {step.type} {entities} related to the input", number)
    types = [t for t in dataset.account.types if could_name(t[0], t[1], variable.type)]
    if types and not isinstance(step, Refine):
        number = sum(t[2] for t in types)
        records = f"{number:,} record{'s' if number > 1 else ''} mapped only as events"
        details = tuple({"provider": p, "code": c, "records": n} for p, c, n, _ in types)
        yield Notice("events-only", f"no {variable.type} was found, but {records} could name one ({types_text(types)})", number, details)


def _outside(work: Workspace, variable: Variable) -> str | None:
    """The times of the records, if there are records but none is in the time range."""
    assert variable.dataset is not None
    table, span = variable.dataset.events.table, variable.range
    if (
        span is None
        or span.start >= span.stop
        or variable.dataset.is_live
        or work.any(f"SELECT 1 FROM {table} WHERE {' AND '.join(within_range(span))}")
    ):
        return None
    first, last = work.con.execute(f"SELECT min(t), max(t) FROM {table}").fetchone() or (None, None)
    if first is None:
        return None if not work.any(f"SELECT 1 FROM {table}") else "no record has a usable time, so none is in the time range"
    if last.replace(tzinfo=UTC) < span.start:
        return f"no record is in the time range: the records end at {_minute(last)}"
    if first.replace(tzinfo=UTC) >= span.stop:
        return f"no record is in the time range: the records begin at {_minute(first)}"
    return f"no record is in the time range: the records are from {_minute(first)} to {_minute(last)}"


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%MZ}"


def _of_case(work: Workspace, evaluator: Evaluator, step: Get | Find | Refine, variable: Variable, folded: Predicate) -> Iterator[Notice]:
    """How many entities there would be if case were ignored; for servers that is not known."""
    assert variable.dataset is not None
    if variable.dataset.is_live:
        yield Notice("case-differs", "`=` and IN are case-sensitive; LIKE ignores case")
        return
    if isinstance(step, Find):
        found, _, _, _ = evaluator.counts(evaluator.evaluate(replace(step, where=folded, limit=None)))
        if found:
            yield Notice("case-differs", f"0 {variable.type} entities match exactly, {found:,} if case is ignored: use LIKE", found)
        return
    base = evaluator.evaluate(step.input) if isinstance(step, Refine) else None
    scope = scope_of(base) if base else Scope(variable.dataset.events, within_range(variable.range))
    matched = matcher(work, evaluator.values_of, variable.type, scope, folded, base.table if base else None).match(folded)
    number = work.count(work.table(f"SELECT id FROM {matched.ids}", matched.statement))
    if number:
        yield Notice("case-differs", f"0 {variable.type} entities match exactly, {number:,} if case is ignored: use LIKE", number)


def _ignoring_case(predicate: Predicate) -> Predicate | None:
    """The same with every text equality as a comparison that ignores case; None if there is no such comparison."""
    changed = False

    def folded(part: Predicate) -> Predicate:
        nonlocal changed
        match part:
            case Test(operator="=" | "IN", negated=False) if kind_of(part.path) == "text" and all(isinstance(v, str) for v in part.values):
                changed = True
                return replace(part, operator="LIKE", values=tuple(_escaped(str(v)) for v in part.values), escape=ESCAPE)
            case All(parts):
                return All(tuple(folded(p) for p in parts))
            case Any_(parts):
                return Any_(tuple(folded(p) for p in parts))
            case Test() | Missing() | Complement():
                return part
            case _:
                assert_never(part)

    found = folded(predicate)
    return found if changed else None


def _application_protocols(predicate: Predicate) -> list[str]:
    """The names that `protocols[*]` is compared with and that are no transport protocol."""
    asked = (v for t in tests(predicate) if t.path.attribute == "protocols[*]" and not t.negated for v in t.values)
    return [v for v in dict.fromkeys(asked) if isinstance(v, str) and v.lower() not in TRANSPORTS and "%" not in v]


def _escaped(value: str) -> str:
    """A text as a LIKE pattern that matches only this text."""
    return "".join(ESCAPE + c if c in (ESCAPE, "%", "_") else c for c in value)


def _of_type(work: Workspace, variable: Variable) -> int:
    """How many entities of the type the records in range have."""
    assert variable.dataset is not None
    row = work.con.execute(
        f"SELECT count(DISTINCT id) FROM ({observations(variable.dataset.events, variable.type, [], within_range(variable.range))})"
    ).fetchone()
    return int(row[0]) if row else 0


def _never_equal(step: Join) -> Iterator[Notice]:
    kinds = [kind_of(path) for path in (step.left_key, step.right_key)]
    if kinds[0] != kinds[1] and "any" not in kinds:
        pair = f"`{step.left_key.text()}` is a {kinds[0]} and `{step.right_key.text()}` a {kinds[1]}"
        yield Notice("never-equal", f"{pair}: their values are never equal")
