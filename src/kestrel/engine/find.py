"""What FIND finds: the edges between the entities of a variable and others, followed over one hop or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from kestrel.engine.available import check_type
from kestrel.engine.frames import limited
from kestrel.engine.match import Scope, matcher, within_range
from kestrel.engine.variable import Variable
from kestrel.engine.workspace import ValuesTable, Workspace
from kestrel.errors import KestrelError
from kestrel.graph.steps import Find, TimeRange
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.observations import Events, edges, observations, together
from kestrel.model.layout import OBJECTS, layout
from kestrel.model.vocabulary import ADDRESS_TYPES, vocabulary

ACTING = "process"
"""The role of the process that a record is about."""
BROAD = 16
"""So many hops are made for all entities at once; what is deeper is narrow, and is followed edge by edge."""


class CannotFollow(KestrelError):
    code: ClassVar[str] = "K0302"
    part = "variable"

    def __init__(self, type_name: str) -> None:
        main = vocabulary().entity(type_name).main
        super().__init__(
            f"the {type_name} entities of this variable are in no record, so nothing can be found from them",
            None,
            f"ask a source for them: `GET {type_name} FROM ... WHERE {main} = v.{main}`, with its own name for `v`",
        )


def find(work: Workspace, values_of: ValuesTable, step: Find, source: Variable, ids: str, dataset: Dataset, span: TimeRange | None) -> Variable:
    """The entities that the records of a dataset tie to a variable by the verb. `ids`: the rows of the variable with the ids of that dataset.
    Raises CannotFollow."""
    if source.own and work.any(f"SELECT 1 FROM {source.table}") and not _known(work, ids, source.type, dataset):
        raise CannotFollow(source.type)
    check_type(work, step.type, dataset.events)
    rows = reached(work, step, source.type, ids, dataset, span)
    variable = Variable(step, step.type, rows, dataset, span)
    if step.where is not None:
        found = matcher(work, values_of, step.type, Scope(dataset.events, within_range(span)), step.where, rows).match(step.where)
        variable = replace(variable, table=work.table(f"SELECT id, rec, t FROM {rows} WHERE id IN (SELECT id FROM {found.ids})", found.statement))
    return limited(work, variable, step.limit, 0)


def reached(work: Workspace, step: Find, type_name: str, ids: str, dataset: Dataset, span: TimeRange | None) -> str:
    """What the records tie to entities of a type, whatever more is required of it: a table of (id, rec, t)."""
    return _hops(work, _pairs(step, type_name, dataset.events, within_range(span)), ids, step)


def among(work: Workspace, variable: Variable) -> list[tuple[str, str, str]]:
    """Every relation between two entities of a variable that the records of its range show: (id, verb, id)."""
    if variable.dataset is None:
        return []
    events, within, ids = variable.dataset.events, within_range(variable.range), f"(SELECT id FROM {variable.table})"
    shown = [f"'{variable.type}--' || lower(printf('%016x', {side}))" for side in ("subject", "object")]
    found: list[tuple[str, str, str]] = []
    for verb in vocabulary().relations:
        chosen = [
            e for e in layout().edges if e.verb == verb and layout().holds(e.subject, variable.type) and layout().holds(e.object, variable.type)
        ]
        if chosen:
            both = f"subject IN {ids} AND object IN {ids} AND subject <> object"
            rows = f"SELECT DISTINCT {shown[0]}, {shown[1]} FROM ({edges(events, chosen, within)}) WHERE {both} ORDER BY ALL"
            found += [(subject, verb, thing) for subject, thing in work.con.execute(rows).fetchall()]
    return found


def _known(work: Workspace, ids: str, type_name: str, dataset: Dataset) -> bool:
    every = observations(dataset.events, type_name, [])
    return work.any(f"SELECT 1 FROM ({every}) WHERE id IN (SELECT id FROM {ids})")


def _pairs(step: Find, type_name: str, events: Events, within: Sequence[str]) -> str:
    """SELECT given, found, rec, t: the relation, seen from the input."""
    if step.verb == "LINKED":
        return _linked(step.type, type_name, events, within)
    subject, thing = (type_name, step.type) if step.by else (step.type, type_name)
    chosen = layout().between(subject, thing, step.verb)
    given, found = ("subject", "object") if step.by else ("object", "subject")
    select = f"SELECT {given} AS given, {found} AS found, rec, t FROM ({edges(events, chosen, within)})"
    return _of_family(select, step.type, events, within)


def _of_family(select: str, type_name: str, events: Events, within: Sequence[str]) -> str:
    """Of addresses, only those of the asked family."""
    if type_name not in ADDRESS_TYPES:
        return select
    return f"SELECT * FROM ({select}) WHERE found IN (SELECT id FROM ({observations(events, type_name, [], within)}))"


def _linked(found_type: str, given_type: str, events: Events, within: Sequence[str]) -> str:
    """One hop over any edge, either way; and standing in one record: with an object that has no edge there, and what the record's process
    did something to, even if no relation names it."""
    parts = []
    for given, found in (("subject", "object"), ("object", "subject")):
        chosen = layout().between(given_type, found_type) if given == "subject" else layout().between(found_type, given_type)
        parts.append(f"SELECT {given} AS given, {found} AS found, rec, t FROM ({edges(events, chosen, within)})")
    touched = {s for e in layout().edges for s in (e.subject, e.object)}
    acted = {(e.subject, e.object) for e in layout().edges if e.subject == ACTING and (e.kinds or e.object == "network")}
    for a in layout().roles_of(given_type):
        for b in layout().roles_of(found_type):
            alone = (a.name != b.name or a.name == OBJECTS) and (a.name not in touched or b.name not in touched)
            if alone or (a.name, b.name) in acted or (b.name, a.name) in acted:
                parts.append(f"SELECT subject AS given, object AS found, rec, t FROM ({together(events, [(a, b)], within)})")
    select = f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}) WHERE {'given <> found' if given_type == found_type else 'true'}"
    return _of_family(select, found_type, events, within)


def _hops(work: Workspace, pairs: str, ids: str, step: Find) -> str:
    """Rows found from the ids: over one edge, or over as many as are asked; cycles end."""
    if step.depth == 1:
        return work.table(f"SELECT DISTINCT found AS id, rec, t FROM ({pairs}) WHERE given IN (SELECT id FROM {ids})")
    graph = work.table(f"SELECT DISTINCT given, found, rec, t FROM ({pairs})")
    givers = work.table(f"SELECT DISTINCT id FROM {ids}")
    front, hops = givers, 1
    while (step.depth is None or hops < step.depth) and hops < BROAD:
        front = work.table(
            f"SELECT DISTINCT found AS id FROM {graph} WHERE given IN (SELECT id FROM {front}) AND found NOT IN (SELECT id FROM {givers})"
        )
        if not work.any(f"SELECT 1 FROM {front}"):
            break
        work.con.execute(f"INSERT INTO {givers} SELECT id FROM {front}")
        hops += 1
    if hops == BROAD and (step.depth is None or hops < step.depth):
        _go_on(work, graph, givers, front, None if step.depth is None else step.depth - hops)
    return work.table(f"SELECT DISTINCT found AS id, rec, t FROM {graph} WHERE given IN (SELECT id FROM {givers})")


def _go_on(work: Workspace, graph: str, givers: str, front: str, hops: int | None) -> None:
    """Add to `givers` what is reached from the front in so many hops more: edge by edge, for what is deep is narrow."""
    con = work.con
    known = {r[0] for r in con.execute(f"SELECT id FROM {givers}").fetchall()}
    latest = {r[0] for r in con.execute(f"SELECT id FROM {front}").fetchall()}
    after: dict[int, list[int]] = {}
    for given, found in con.execute(f"SELECT DISTINCT given, found FROM {graph} WHERE found NOT IN (SELECT id FROM {givers})").fetchall():
        after.setdefault(given, []).append(found)
    new: list[int] = []
    while latest and (hops is None or hops > 0):
        latest = {found for given in latest for found in after.get(given, ())} - known
        known |= latest
        new += latest
        hops = None if hops is None else hops - 1
    con.execute(f"INSERT INTO {givers} SELECT unnest(?::UBIGINT[])", [new])
