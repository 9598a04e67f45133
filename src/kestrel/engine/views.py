"""What DISP ... AS draws: the tree, the graph, the timeline and the chart of a variable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal, assert_never

from kestrel.engine.attributes import best_targets
from kestrel.engine.evaluate import Engine
from kestrel.engine.frames import scope_of
from kestrel.engine.match import Scope, within_range
from kestrel.engine.variable import Variable, described, kind_of_type
from kestrel.graph.steps import TABLE, AttributePath, sources_of
from kestrel.ingest.observations import edges, entity_type, observations
from kestrel.ingest.sql import Statement, fresh
from kestrel.model.layout import layout
from kestrel.model.vocabulary import ADDRESS_TYPES, vocabulary
from kestrel.result import Chart, Graph, GraphEdge, GraphNode, Lane, Moment, Timeline, Tree, TreeNode, View

NODES = 10_000
"""Nodes of a tree at most."""
BELOW = 1000
"""A chain of ancestors is followed so far."""
MARKED, BESIDE = 24, 12
"""Entities of a variable that a graph shows at most, and of what one relation leads to from them."""
PARTS = 480
"""Equal parts of a timeline."""
MOMENTS = 2000
"""The number of records that a timeline lists one by one."""
TOLD = 3
"""The number of entities of one record that a timeline names."""
BARS = 24
"""Bars of a chart that has one for each value."""
BINS = 40
"""About how many bins a chart of times or numbers has at most."""
DAY = 86400
TIME_SIZES = (1, 5, 15, 60, 300, 900, 3600, 14400, 43200, DAY, 7 * DAY, 30 * DAY, 365 * DAY, 3650 * DAY, 36500 * DAY, 365000 * DAY)
"""Sizes of bins of time, in seconds."""
TELLING = {
    "process": ("name", "pid", "command_line"),
    "file": ("name", "", "x_path"),
    "network-traffic": ("dst_ref.value", "dst_port", "src_ref.value"),
    "directory": ("path", "", ""),
    "user-account": ("display_name", "", "user_id"),
    "windows-registry-key": ("key", "", ""),
    "x-oca-event": ("code", "", "action"),
}
"""How entities are called in a picture: an attribute, one that tells like ones apart, and what is said besides."""

EARLIEST = int(datetime.min.replace(tzinfo=UTC).timestamp())

Called = tuple[str, str, str, str, datetime | None]
"""What a picture says of an entity: its id, its type, what it is called, what is said besides, and when it began or was first seen."""


@dataclass(frozen=True)
class Views:
    """The views of variables of an engine."""

    engine: Engine

    def draw(self, view: Literal["TREE", "GRAPH", "TIMELINE", "CHART"], variable: Variable, name: str, columns: Sequence[AttributePath] = ()) -> View:
        """A view of a variable, over what was read of its records. Of live sources only what entities are called is asked for."""
        if variable.dataset is None and variable.type != TABLE and (sources := sources_of(variable.step)):
            variable = replace(variable, dataset=self.engine.datasets.of(sources, variable.range))
        if variable.type != TABLE and not variable.flat:
            telling = [_path(variable.type, n) for n in _telling(variable.type) if n]
            variable = self.engine.on_demand.completed(variable, columns or telling)

        def make() -> View:
            match view:
                case "TREE":
                    return self.tree(variable, name, columns)
                case "GRAPH":
                    return self.graph(variable, name, columns)
                case "TIMELINE":
                    return self.timeline(variable, name, columns)
                case "CHART":
                    return self.chart(variable, name, columns)
                case _:
                    assert_never(view)

        return self.engine.datasets.reading(make)

    # -- AS TREE -------------------------------------------------------------------------------------------------

    def tree(self, variable: Variable, name: str, columns: Sequence[AttributePath] = ()) -> Tree:
        """The entities with their ancestors and descendants. Entities that are no processes hang below the processes that
        records tie to them."""
        marked = self._marked(variable)
        if variable.dataset is None:
            known = self._names(variable, marked[:NODES], columns)
            return Tree(name, variable.type, tuple(TreeNode(*known[n], marked=True, depth=0) for n in marked[:NODES]), len(marked))
        processes = self.engine.work.table(f"SELECT DISTINCT id FROM {variable.table}") if variable.type == "process" else None
        hung: dict[int, list[int]] = {}
        if processes is None:
            owners = self._owners(variable)
            for owner, thing in self._all(f"SELECT owner, id FROM {owners} ORDER BY owner, id"):
                hung.setdefault(owner, []).append(thing)
            processes = self.engine.work.table(f"SELECT DISTINCT owner AS id FROM {owners}")
        # upwards create records count from before the time range too, as for every attribute behind `parent_ref`
        up = self._parents(scope_of(variable))
        down = None
        if variable.type == "process":
            within = Scope(variable.dataset.events, within_range(variable.range))
            down = self._parents(within)
        family = self._family(processes, up, down)
        total = self._number(f"SELECT count(*) FROM {family}") + (0 if variable.type == "process" else len(marked))
        kept = [r[0] for r in self._all(f"SELECT id FROM {family} ORDER BY step, id LIMIT {NODES}")]
        above: dict[int, int] = {}
        for parents, steps in ((up, f"step < {BELOW}"), *(((down, f"step >= {BELOW}"),) if down else ())):
            above |= dict(self._all(f"SELECT id, target FROM {parents} WHERE id IN (SELECT id FROM {family} WHERE {steps})"))
        shown = set(kept) if variable.type == "process" else set(marked[:NODES])
        called = self._names(variable, [n for n in marked if n in shown], columns)
        others = [n for n in kept if variable.type != "process" or n not in called]
        called = self._names(self._as_processes(variable, family), others, columns if not hung else ()) | called
        marked = [n for n in marked if n in called]
        return Tree(name, variable.type, tuple(self._walk(kept, above, hung, marked, called)), total)

    def _parents(self, scope: Scope) -> str:
        """A table of (id, target): processes and their parents."""
        statement = Statement()
        best = best_targets(statement, "process", "parent_ref", scope, "id <> target")
        return self.engine.work.table(f"SELECT id, target FROM {best}", statement)

    def _owners(self, variable: Variable) -> str:
        """A table of (owner, id): the processes that records tie to each entity."""
        assert variable.dataset is not None
        chosen = [e for e in layout().edges if layout().roles[e.subject].type == "process" and layout().holds(e.object, variable.type)]
        chosen += [e for e in layout().edges if layout().roles[e.object].type == "process" and layout().holds(e.subject, variable.type)]
        forward = [e for e in chosen if layout().roles[e.subject].type == "process"]
        backward = [e for e in chosen if e not in forward]
        within = within_range(variable.range)
        pairs = (
            f"SELECT subject AS owner, object AS id FROM ({edges(variable.dataset.events, forward, within)}) "
            f"UNION SELECT object, subject FROM ({edges(variable.dataset.events, backward, within)})"
        )
        return self.engine.work.table(f"SELECT DISTINCT owner, id FROM ({pairs}) WHERE id IN (SELECT id FROM {variable.table})")

    def _family(self, ids: str, up: str, down: str | None) -> str:
        """A table of (id, step): the processes and what they descend from, the nearest first; then, from step BELOW on, what
        descends from them. `up` and `down` are tables of (id, target), children and their parents."""
        family = self.engine.work.table(f"SELECT id, 0 AS step FROM {ids}")
        self._follow(family, ids, up, "id", "target", range(1, BELOW))
        if down:
            self._follow(family, ids, down, "target", "id", count(BELOW))
        return family

    def _follow(self, family: str, front: str, pairs: str, near: str, far: str, steps: Iterable[int]) -> None:
        """Add to a family what a hop after the other leads to from the processes in `front`, over pairs from `near` to `far`."""
        for step in steps:
            beyond = f"SELECT DISTINCT {far} AS id FROM {pairs} WHERE {near} IN (SELECT id FROM {front}) AND {far} NOT IN (SELECT id FROM {family})"
            front = self.engine.work.table(beyond)
            if not self.engine.work.any(f"SELECT 1 FROM {front}"):
                return
            self.engine.con.execute(f"INSERT INTO {family} SELECT id, {step} FROM {front}")

    def _as_processes(self, variable: Variable, ids: str) -> Variable:
        """Processes that stand in the records of a variable's data, as a variable."""
        assert variable.dataset is not None
        scope = scope_of(variable)
        every = observations(variable.dataset.events, "process", [], scope.conditions)
        table = self.engine.work.table(f"SELECT DISTINCT id, rec, t FROM ({every}) WHERE id IN (SELECT id FROM {ids})")
        return Variable(variable.step, "process", table, variable.dataset, variable.range)

    def _walk(
        self,
        kept: Sequence[int],
        above: Mapping[int, int],
        hung: Mapping[int, Sequence[int]],
        marked: Sequence[int],
        called: Mapping[int, Called],
    ) -> Iterator[TreeNode]:
        """The nodes, parents first; of entities that hang below no process, each is a root."""
        present, chosen = set(kept), set(marked)
        children: dict[int, list[int]] = {}
        for child in kept:
            if (parent := above.get(child)) in present and parent is not None:
                children.setdefault(parent, []).append(child)
        done: set[int] = set()
        tied = {thing for things in hung.values() for thing in things}

        def order(ids: Iterable[int]) -> list[int]:
            return sorted(ids, key=lambda n: (called[n][4] or datetime.max.replace(tzinfo=UTC), n))

        roots = [n for n in kept if above.get(n) not in present] + [n for n in marked if n not in present and n not in tied]
        # what is in a circle of parents has no root: it begins at its first entity
        for root in [*order(roots), *order(kept)]:
            pending = [(root, 0)]
            while pending:
                node, depth = pending.pop()
                if node in done:
                    continue
                done.add(node)
                yield TreeNode(*called[node], marked=node in chosen, depth=depth)
                for thing in order(t for t in hung.get(node, ()) if t in called):
                    yield TreeNode(*called[thing], marked=True, depth=depth + 1)
                pending += [(child, depth + 1) for child in reversed(order(children.get(node, ())))]

    # -- AS GRAPH ------------------------------------------------------------------------------------------------

    def graph(self, variable: Variable, name: str, columns: Sequence[AttributePath] = ()) -> Graph:
        """The entities and what records tie to them, one step far."""
        every = self._marked(variable)
        marked = every[:MARKED]
        nodes: dict[tuple[str, int], GraphNode] = {}
        shown = self._facts(variable, marked, columns)
        for number in marked:
            find = f"GET {variable.type} FROM {name} WHERE id = '{_id(variable.type, number)}'"
            nodes[variable.type, number] = self._node(variable.type, number, shown, True, find)
        found: dict[GraphEdge, None] = {}
        left_out = [(f"DISP {name}", len(every) - len(marked))] if len(every) > len(marked) else []
        if variable.dataset is None:
            return Graph(name, variable.type, tuple(nodes.values()), (), tuple(left_out))
        ids = self._these(marked)
        place = {key: n for n, key in enumerate(nodes)}
        for verb, other, by in _relations(variable.type):
            pairs = self._pairs(variable, ids, verb, other, by)
            find = f"FIND {other} {verb}{' BY' if by else ''} {name}"
            neighbours = list(dict.fromkeys(thing for _, thing, _ in pairs))
            new = [n for n in neighbours if (other, n) not in place]
            if len(new) > BESIDE:
                left_out.append((find, len(new) - BESIDE))
                new = new[:BESIDE]
            if new:
                beside = self._of_type(variable, other, new)
                facts = self._facts(beside, new, ())
                for number in new:
                    place[other, number] = len(place)
                    nodes[other, number] = self._node(other, number, facts, False, find)
            for given, thing, records in pairs:
                if (other, thing) in place:
                    ends = place[variable.type, given], place[other, thing]
                    subject, object_ = ends if by else ends[::-1]
                    if subject != object_:
                        found[GraphEdge(subject, verb, object_, records)] = None
        return Graph(name, variable.type, tuple(nodes.values()), tuple(found), tuple(left_out))

    def _pairs(self, variable: Variable, ids: str, verb: str, other: str, by: bool) -> list[tuple[int, int, int]]:
        """(entity of the variable, entity tied to it, records), the earliest first."""
        assert variable.dataset is not None
        subject, thing = (variable.type, other) if by else (other, variable.type)
        chosen = layout().between(subject, thing, verb)
        given, found = ("subject", "object") if by else ("object", "subject")
        events, within = variable.dataset.events, within_range(variable.range)
        select = f"SELECT {given} AS given, {found} AS found, rec, t FROM ({edges(events, chosen, within)}) WHERE {given} IN (SELECT id FROM {ids})"
        if other in ADDRESS_TYPES:
            select = f"SELECT * FROM ({select}) WHERE found IN (SELECT id FROM ({observations(events, other, [], within)}))"
        return self._all(f"SELECT given, found, count(DISTINCT rec) FROM ({select}) GROUP BY 1, 2 ORDER BY min(t), 1, 2")

    def _of_type(self, variable: Variable, type_name: str, numbers: Sequence[int]) -> Variable:
        """Some entities that stand in the records of a variable's data, as a variable."""
        assert variable.dataset is not None
        every = observations(variable.dataset.events, type_name, [], within_range(variable.range))
        table = self.engine.work.table(f"SELECT DISTINCT id, rec, t FROM ({every}) WHERE id IN (SELECT id FROM {self._these(numbers)})")
        return Variable(variable.step, type_name, table, variable.dataset, variable.range)

    def _node(self, type_name: str, number: int, facts: Mapping[int, Sequence[tuple[str, Any]]], marked: bool, find: str) -> GraphNode:
        known = dict(facts[number])
        main, apart, _ = _telling(type_name)
        return GraphNode(_id(type_name, number), type_name, _called(known.get(main), known.get(apart), type_name), marked, tuple(facts[number]), find)

    def _facts(self, variable: Variable, numbers: Sequence[int], columns: Sequence[AttributePath]) -> dict[int, list[tuple[str, Any]]]:
        """The attributes of entities that have a value."""
        telling = _telling(variable.type)
        wanted = dict.fromkeys([*(_path(variable.type, p) for p in telling if p), *(columns or self.engine.attributes_of(variable))])
        paths = [p for p in wanted if not p.references or p.attribute in ("value", "name", "display_name") or p in columns]
        found: dict[int, list[tuple[str, Any]]] = {n: [] for n in numbers}
        for number, *values in self._rows(variable, numbers, paths):
            found[number] = [(p.text(), _time(v)) for p, v in zip(paths, values, strict=True) if v is not None]
        return found

    # -- AS TIMELINE ---------------------------------------------------------------------------------------------

    def timeline(self, variable: Variable, name: str, columns: Sequence[AttributePath] = ()) -> Timeline:
        """The records of the entities over time, by kind of event."""
        rows = f"SELECT rec, min(t) AS t, list_sort(list_distinct(list(id))) AS ids FROM {variable.table} WHERE t IS NOT NULL GROUP BY rec"
        kinds = "SELECT NULL::INTEGER AS kind, NULL::UBIGINT AS rec WHERE false"
        if variable.dataset:
            kinds = f"SELECT min(kind) AS kind, rec FROM {variable.dataset.events.table} GROUP BY rec"
        table = self.engine.work.table(f"SELECT r.ids, r.rec, r.t, coalesce(k.kind, -1) AS kind FROM ({rows}) r LEFT JOIN ({kinds}) k USING (rec)")
        first, last, total = self._all(f"SELECT min(t), max(t), count(*) FROM {table}")[0]
        if not total:
            return Timeline(name, variable.type, None, None, PARTS, (), (), 0)
        width = max(1, int((last - first).total_seconds() * 1e6) + 1)
        start = int(first.replace(tzinfo=UTC).timestamp() * 1_000_000)
        part = f"CAST(floor((epoch_us(t) - {start})::HUGEINT * {PARTS} / {width}) AS INTEGER)"
        counted: dict[int, list[tuple[int, int]]] = {}
        for kind, number, records in self._all(f"SELECT kind, least({part}, {PARTS - 1}), count(*) FROM {table} GROUP BY ALL ORDER BY ALL"):
            counted.setdefault(kind, []).append((number, records))
        order = sorted(counted, key=lambda k: (-sum(n for _, n in counted[k]), k))
        lanes = tuple(Lane(layout().kinds[k] if k >= 0 else "given", sum(n for _, n in counted[k]), tuple(counted[k])) for k in order)
        shown = self._all(f"SELECT ids[:{TOLD}], len(ids) - {TOLD}, t, kind FROM {table} ORDER BY t, ids, rec LIMIT {MOMENTS}")
        called = self._names(variable, list(dict.fromkeys(n for ids, *_ in shown for n in ids)), columns)
        moments = tuple(_moment([called[n] for n in ids], more, t, order.index(kind)) for ids, more, t, kind in shown)
        return Timeline(name, variable.type, _time(first), _time(last), PARTS, lanes, moments, total)

    # -- AS CHART ------------------------------------------------------------------------------------------------

    def chart(self, variable: Variable, name: str, columns: Sequence[AttributePath] = ()) -> Chart:
        """Without a column: the records over time. Of entities: how many have each value of a column. Of a table: the numbers
        of its first column that has some, by its first other one."""
        if variable.type == TABLE:
            return self._table_chart(variable, name, columns)
        if not columns:
            times = self.engine.work.table(f"SELECT t AS f0 FROM (SELECT DISTINCT rec, t FROM {variable.table})")
            return self._binned(name, "time", "records", times)
        frame = self.engine.frame(variable, columns)
        unit = "rows" if variable.flat else "entities"
        if len(columns) > 1:
            texts = ", ".join(f"CAST(f{n} AS VARCHAR)" for n in range(len(columns)))
            frame = self.engine.work.table(f"SELECT nullif(concat_ws(' · ', {texts}), '') AS f0 FROM {frame}")
        by = ", ".join(p.text() for p in columns)
        kind = kind_of_type(dict(described(self.engine.con, frame))["f0"])
        distinct = self._number(f"SELECT count(DISTINCT f0) FROM {frame}")
        if kind == "time" or (kind == "number" and distinct > BARS):
            return self._binned(name, by, unit, frame)
        return self._valued(name, by, unit, f"SELECT f0 AS label, 1 AS number FROM {frame}")

    def _table_chart(self, variable: Variable, name: str, columns: Sequence[AttributePath]) -> Chart:
        assert variable.flat is not None
        kinds = {n: c.kind for n, c in variable.flat.columns.items()}
        names = [p.text() for p in columns] or list(kinds)
        label = next((n for n in names if kinds[n] != "number"), names[0])
        number = next((n for n in names if n != label and kinds[n] == "number"), None)
        shown = [AttributePath(TABLE, (), n, kind=kinds[n]) for n in (label, number) if n]
        frame = self.engine.frame(variable, shown)
        value, unit = ("coalesce(f1, 0)", number) if number else ("1", "rows")
        if kinds[label] == "time":
            rows = self._all(f"SELECT f0, sum({value}) FROM {frame} WHERE f0 IS NOT NULL GROUP BY 1 ORDER BY 1")
            bars = tuple((_time(t), float(n)) for t, n in rows)
            return Chart(name, label, unit, bars, None, (0, 0.0), self._number(f"SELECT count(*) FROM {frame} WHERE f0 IS NULL"))
        return self._valued(name, label, unit, f"SELECT f0 AS label, {value} AS number FROM {frame}")

    def _valued(self, name: str, by: str, unit: str, select: str) -> Chart:
        """A bar for each value, the largest first; the rest is one sum."""
        rows = self._all(f"SELECT label, sum(number) FROM ({select}) WHERE label IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1")
        missing = self._number(f"SELECT count(*) FROM ({select}) WHERE label IS NULL")
        bars = tuple((_time(label), float(number)) for label, number in rows[:BARS])
        others = (len(rows) - len(bars), float(sum(number for _, number in rows[BARS:])))
        return Chart(name, by, unit, bars, None, others, missing)

    def _binned(self, name: str, by: str, unit: str, frame: str) -> Chart:
        """A bar for each bin of times or numbers; those without any in between are zero."""
        missing = self._number(f"SELECT count(*) FROM {frame} WHERE f0 IS NULL")
        low, high = self._all(f"SELECT min(f0), max(f0) FROM {frame}")[0]
        if low is None:
            return Chart(name, by, unit, (), None, (0, 0.0), missing)
        if isinstance(low, datetime):
            size = next((s for s in TIME_SIZES if (high - low).total_seconds() / s <= BINS), TIME_SIZES[-1])
            rows = dict(
                self._all(f"SELECT CAST(floor(epoch_us(f0) / {size * 1_000_000}) AS BIGINT), count(*) FROM {frame} WHERE f0 IS NOT NULL GROUP BY 1")
            )
            bars = tuple((_bin_start(n * size), float(rows.get(n, 0))) for n in range(min(rows), max(rows) + 1))
            return Chart(name, by, unit, bars, float(size), (0, 0.0), missing)
        width = _round_size((float(high) - float(low)) / BINS)
        counted = dict(self._all(f"SELECT CAST(floor(f0 / {width!r}) AS BIGINT), count(*) FROM {frame} WHERE f0 IS NOT NULL GROUP BY 1"))
        numbers = tuple((n * width, float(counted.get(n, 0))) for n in range(min(counted), max(counted) + 1))
        return Chart(name, by, unit, numbers, float(width), (0, 0.0), missing)

    # -- what entities are called --------------------------------------------------------------------------------

    def _marked(self, variable: Variable) -> list[int]:
        """The entities of a variable in their order."""
        frame = self.engine.frame(replace(variable, flat=None), [_path(variable.type, "id")], known=True)
        return [r[0] for r in self._all(f"SELECT id FROM {frame} ORDER BY place")]

    def _names(self, variable: Variable, numbers: Sequence[int], columns: Sequence[AttributePath]) -> dict[int, Called]:
        """For each entity: its id, type, what it is called, what is said besides, and when it began or was first seen."""
        main, apart, more = _telling(variable.type)
        begun = ["created"] if "created" in entity_type(variable.type).attributes else []
        names = [*(n for n in (main, apart) if n), "first_observed", *begun]
        said = list(columns) or ([_path(variable.type, more)] if more else [])
        paths = [*(_path(variable.type, n) for n in names), *said]
        found: dict[int, Called] = {n: (_id(variable.type, n), variable.type, variable.type, "", None) for n in numbers}
        for number, *values in self._rows(variable, numbers, paths):
            known = dict(zip(names, values, strict=False))
            details = [_shown(v) for v in values[len(names) :] if v is not None]
            time = known.get("created") or known.get("first_observed")
            called = _called(known[main], known.get(apart), variable.type)
            found[number] = (_id(variable.type, number), variable.type, called, " · ".join(details), _time(time))
        return found

    def _rows(self, variable: Variable, numbers: Sequence[int], paths: Sequence[AttributePath]) -> list[tuple[Any, ...]]:
        """(entity, values) of some of the entities."""
        if not numbers:
            return []
        chosen = self.engine.work.table(f"SELECT id, rec, t FROM {variable.table} WHERE id IN (SELECT id FROM {self._these(numbers)})")
        frame = self.engine.frame(replace(variable, table=chosen, flat=None, order=None, places=None), list(paths), known=True)
        columns = ", ".join(f"f{n}" for n in range(len(paths)))
        return self._all(f"SELECT id, {columns} FROM {frame}")

    def _these(self, numbers: Sequence[int]) -> str:
        """A table of some ids."""
        name = fresh("these")
        self.engine.con.execute(f"CREATE TEMP TABLE {name} AS SELECT unnest(?::UBIGINT[]) AS id", [list(numbers)])
        return name

    def _all(self, select: str) -> list[tuple[Any, ...]]:
        return self.engine.con.execute(select).fetchall()

    def _number(self, select: str) -> int:
        return int(self._all(select)[0][0])


def _relations(type_name: str) -> Iterator[tuple[str, str, bool]]:
    """Every relation from a type that records can show: verb, the other type, and whether the type is its subject."""
    every = [*vocabulary().types]
    seen: set[tuple[str, str, bool]] = set()
    for edge in layout().edges:
        for by, own, other in ((True, edge.subject, edge.object), (False, edge.object, edge.subject)):
            for kind in every if layout().holds(own, type_name) else ():
                if layout().holds(other, kind) and (edge.verb, kind, by) not in seen:
                    seen.add((edge.verb, kind, by))
                    yield edge.verb, kind, by


def _telling(type_name: str) -> tuple[str, str, str]:
    return TELLING.get(type_name, (entity_type(type_name).main, "", ""))


def _path(type_name: str, name: str) -> AttributePath:
    """An attribute of a type, or of what one of its references leads to."""
    reference, _, attribute = name.rpartition(".")
    if not reference:
        return AttributePath(type_name, (), attribute)
    return AttributePath(type_name, ((reference, entity_type(type_name).references[reference]),), attribute)


def _called(main: Any, apart: Any, type_name: str) -> str:
    name = _shown(main) if main is not None else type_name
    if apart is None:
        return name
    return f"{name}:{apart}" if type_name == "network-traffic" else f"{name} ({apart})"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _id(type_name: str, number: int) -> str:
    return f"{type_name}--{number:016x}"


def _time(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _moment(entities: Sequence[Called], more: int, time: Any, lane: int) -> Moment:
    """A record of entities, the first of which are named; `more` is how many are not."""
    label = ", ".join(called for _, _, called, _, _ in entities) + (f" and {more} more" if more > 0 else "")
    details = dict.fromkeys(detail for *_, detail, _ in entities if detail)
    return Moment(_time(time), lane, entities[0][0], label, " · ".join(details))


def _bin_start(seconds: int) -> datetime:
    """A time by its seconds since 1970, not before the first that can be written."""
    return datetime.fromtimestamp(max(seconds, EARLIEST), UTC)


def _round_size(least: float) -> int | float:
    """The next number of the form 1, 2 or 5 times a power of ten."""
    if least <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(least))
    size = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)
    return int(size) if size >= 1 else size
