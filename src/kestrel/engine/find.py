"""What FIND finds: the edges between the entities of a variable and others, followed over one hop or many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from kestrel.engine.match import Scope, within_range
from kestrel.engine.variable import Variable
from kestrel.errors import KestrelError
from kestrel.graph.steps import Find, TimeRange, sources_of
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.observations import Events, edges, observations, together
from kestrel.model.layout import OBJECTS, layout
from kestrel.model.vocabulary import ADDRESS_TYPES, vocabulary

if TYPE_CHECKING:
    from kestrel.engine.evaluate import Store

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


@dataclass(frozen=True)
class Finder:
    """Evaluates FIND."""

    store: Store

    def find(self, step: Find) -> Variable:
        """The entities that the records tie to the input by the verb."""
        source = self.store.evaluate(step.input)
        sources = tuple(dict.fromkeys([*sources_of(step.input), *step.sources]))
        span = step.range or source.range
        self.store.narrow.before_find(step, source, sources, span)
        dataset = self.store.dataset(sources, span)
        assert dataset is not None, "lowering gives every FIND a source"
        ids = self.store.carried(source, dataset)
        if self.store.any(f"SELECT 1 FROM {source.table}") and source.own and not self._known(ids, source.type, dataset):
            raise CannotFollow(source.type)
        self.store.check_type(step.type, dataset.events)
        pairs = self._pairs(step, source.type, dataset.events, within_range(span))
        rows = self._hops(pairs, ids, step)
        variable = Variable(step, step.type, rows, dataset, span)
        if step.where is not None:
            scope = Scope(dataset.events, within_range(span))
            kept, _ = self.store.matcher(step.type, scope, step.where, rows).match(step.where)
            variable = replace(variable, table=self.store.table(f"SELECT id, rec, t FROM {rows} WHERE id IN (SELECT id FROM {kept})"))
        return self.store.limited(variable, step.limit, 0)

    def reached(self, step: Find, source: Variable, dataset: Dataset, span: TimeRange | None) -> str:
        """What the records of a dataset tie to a variable, whatever more is asked of it: a table with a column id."""
        pairs = self._pairs(step, source.type, dataset.events, within_range(span))
        return self._hops(pairs, self.store.carried(source, dataset), step)

    def among(self, variable: Variable) -> list[tuple[str, str, str]]:
        """Every relation between two entities of a variable that the records of its range show: (id, verb, id)."""
        if variable.dataset is None:
            return []
        events, within, ids = variable.dataset.events, within_range(variable.range), f"(SELECT id FROM {variable.table})"
        shown = [f"'{variable.type}--' || lower(printf('%016x', {side}))" for side in ("subject", "object")]
        found: list[tuple[str, str, str]] = []
        for verb in vocabulary().relations:
            chosen = [e for e in layout().edges if e.verb == verb and _is(e.subject, variable.type) and _is(e.object, variable.type)]
            if chosen:
                both = f"subject IN {ids} AND object IN {ids} AND subject <> object"
                rows = f"SELECT DISTINCT {shown[0]}, {shown[1]} FROM ({edges(events, chosen, within)}) WHERE {both} ORDER BY ALL"
                found += [(subject, verb, thing) for subject, thing in self.store.con.execute(rows).fetchall()]
        return found

    def _known(self, ids: str, type_name: str, dataset: Dataset) -> bool:
        every = observations(dataset.events, type_name, [])
        return self.store.any(f"SELECT 1 FROM ({every}) WHERE id IN (SELECT id FROM {ids})")

    def _pairs(self, step: Find, type_name: str, events: Events, within: Sequence[str]) -> str:
        """SELECT given, found, rec, t: the relation, seen from the input."""
        if step.verb == "LINKED":
            return self._linked(step.type, type_name, events, within)
        subject, thing = (type_name, step.type) if step.by else (step.type, type_name)
        chosen = [e for e in layout().edges if e.verb == step.verb and _is(e.subject, subject) and _is(e.object, thing)]
        given, found = ("subject", "object") if step.by else ("object", "subject")
        select = f"SELECT {given} AS given, {found} AS found, rec, t FROM ({edges(events, chosen, within)})"
        return self._of_family(select, step.type, events, within)

    def _of_family(self, select: str, type_name: str, events: Events, within: Sequence[str]) -> str:
        """Of addresses, only those of the asked family."""
        if type_name not in ADDRESS_TYPES:
            return select
        return f"SELECT * FROM ({select}) WHERE found IN (SELECT id FROM ({observations(events, type_name, [], within)}))"

    def _linked(self, found_type: str, given_type: str, events: Events, within: Sequence[str]) -> str:
        """One hop over any edge, either way; and standing in one record: with an object that has no edge there, and what the record's process
        did something to, even if no relation names it."""
        parts = []
        for given, found in (("subject", "object"), ("object", "subject")):
            chosen = [
                e
                for e in layout().edges
                if _is(e.subject, given_type if given == "subject" else found_type) and _is(e.object, given_type if given == "object" else found_type)
            ]
            parts.append(f"SELECT {given} AS given, {found} AS found, rec, t FROM ({edges(events, chosen, within)})")
        touched = {s for e in layout().edges for s in (e.subject, e.object)}
        acted = {(e.subject, e.object) for e in layout().edges if e.subject == ACTING and (e.kinds or e.object == "network")}
        for a in layout().roles_of(given_type):
            for b in layout().roles_of(found_type):
                alone = (a.name != b.name or a.name == OBJECTS) and (a.name not in touched or b.name not in touched)
                if alone or (a.name, b.name) in acted or (b.name, a.name) in acted:
                    parts.append(f"SELECT subject AS given, object AS found, rec, t FROM ({together(events, [(a, b)], within)})")
        select = f"SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}) WHERE {'given <> found' if given_type == found_type else 'true'}"
        return self._of_family(select, found_type, events, within)

    def _hops(self, pairs: str, ids: str, step: Find) -> str:
        """Rows found from the ids: over one edge, or over as many as are asked; cycles end."""
        store = self.store
        if step.depth == 1:
            return store.table(f"SELECT DISTINCT found AS id, rec, t FROM ({pairs}) WHERE given IN (SELECT id FROM {ids})")
        graph = store.table(f"SELECT DISTINCT given, found, rec, t FROM ({pairs})")
        givers = store.table(f"SELECT DISTINCT id FROM {ids}")
        front, hops = givers, 1
        while (step.depth is None or hops < step.depth) and hops < BROAD:
            front = store.table(
                f"SELECT DISTINCT found AS id FROM {graph} WHERE given IN (SELECT id FROM {front}) AND found NOT IN (SELECT id FROM {givers})"
            )
            if not store.any(f"SELECT 1 FROM {front}"):
                break
            store.con.execute(f"INSERT INTO {givers} SELECT id FROM {front}")
            hops += 1
        if hops == BROAD and (step.depth is None or hops < step.depth):
            self._go_on(graph, givers, front, None if step.depth is None else step.depth - hops)
        return store.table(f"SELECT DISTINCT found AS id, rec, t FROM {graph} WHERE given IN (SELECT id FROM {givers})")

    def _go_on(self, graph: str, givers: str, front: str, hops: int | None) -> None:
        """Add to `givers` what is reached from the front in so many hops more: edge by edge, for what is deep is narrow."""
        con = self.store.con
        known = {r[0] for r in con.execute(f"SELECT id FROM {givers}").fetchall()}
        reached = {r[0] for r in con.execute(f"SELECT id FROM {front}").fetchall()}
        after: dict[int, list[int]] = {}
        for given, found in con.execute(f"SELECT DISTINCT given, found FROM {graph} WHERE found NOT IN (SELECT id FROM {givers})").fetchall():
            after.setdefault(given, []).append(found)
        new: list[int] = []
        while reached and (hops is None or hops > 0):
            reached = {found for given in reached for found in after.get(given, ())} - known
            known |= reached
            new += reached
            hops = None if hops is None else hops - 1
        con.execute(f"INSERT INTO {givers} SELECT unnest(?::UBIGINT[])", [new])


def _is(role: str, type_name: str) -> bool:
    kind = layout().roles[role].type
    return kind == type_name or (kind == "address" and type_name in ADDRESS_TYPES)
