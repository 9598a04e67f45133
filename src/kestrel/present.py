"""What results show of a variable: tables and their pages, views, information, statistics, and the summary of a cell."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kestrel.engine.answers import Answers
from kestrel.engine.evaluate import Engine
from kestrel.engine.variable import Variable
from kestrel.engine.views import Views
from kestrel.formats.format import log_formats
from kestrel.graph.origin import Origin
from kestrel.graph.steps import TABLE, AttributePath, Step, columns_of, content_id, read_by, read_for
from kestrel.lower import Define, Draw
from kestrel.lower.columns import is_field
from kestrel.model.vocabulary import vocabulary
from kestrel.result import Asked, Attribute, Description, Info, Input, Made, Summary, Table, View

INHERENT = ("id", "type", "first_observed", "last_observed", "number_observed")
NOT_SHOWN = frozenset({"last_observed", "number_observed"})
"""Columns of one row a record that say nothing when the first is shown."""
SHOWN_BEHIND_REFERENCES = frozenset(
    {
        "parent_ref.name",
        "parent_ref.pid",
        "binary_ref.x_path",
        "creator_user_ref.display_name",
        "src_ref.value",
        "dst_ref.value",
        "parent_directory_ref.path",
        "host_ref.hostname",
    }
)
"""Attributes behind a reference that DISP shows without being asked."""
HELD = 24
"""The number of shown tables that are held; of older ones, a page is computed again."""


@dataclass
class _Shown:
    """A table that was shown: its rows as a table of the engine while they are held, and which of its columns are shown."""

    step: Step
    paths: tuple[AttributePath, ...]
    within: tuple[int | None, int]
    columns: list[int]
    table: str | None


class Tables:
    """The tables that a session showed, by their keys."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.answers = Answers(engine)
        self._shown: dict[str, _Shown] = {}

    def show(self, step: Step, columns: tuple[AttributePath, ...], limit: int | None, offset: int, name: str, most: int | None) -> Table:
        """A variable as a table: the given columns or those that have values; at most `most` rows, unless a limit is given."""
        variable = self.engine.evaluate(step)
        paths = columns or tuple(default_columns(self.engine, variable))
        self.engine.report_missing(step, columns)
        number = limit if limit is not None else most
        table: str | None = None
        few = self.answers.first(variable, paths, number, offset) if number is not None else None
        if few is not None:
            rows, total = few, self.engine.rows(variable)
        else:
            table, total = self.answers.distinct(variable, paths)
            rows = self.answers.rows(table, number, offset) if paths else []
        total = max(0, total - offset)
        if limit is not None:
            total = min(total, limit)
        kept = [i for i in range(len(paths)) if columns or not rows or any(r[i] is not None for r in rows)]
        shown = tuple(paths[i] for i in kept)
        key = _key(step, shown, limit, offset)
        self._shown.pop(key, None)
        self._shown[key] = _Shown(step, paths, (limit, offset), kept, table)
        for older in [*self._shown.values()][:-HELD]:
            older.table = None
        return Table(name, tuple(p.text() for p in shown), tuple(tuple(r[i] for i in kept) for r in rows), total, key)

    def page(self, key: str, offset: int, count: int, sort: int | None, descending: bool, search: str) -> tuple[list[tuple[Any, ...]], int]:
        """`count` rows of a shown table after the first `offset`, and how many there are: of those that have the searched text in a cell, in
        the order of a column. Raises KeyError, IndexError for what was not shown."""
        shown = self._shown[key]
        order = None if sort is None else (shown.columns[sort], descending)
        if shown.table is None:
            shown.table, _ = self.answers.distinct(self.engine.evaluate(shown.step), shown.paths)
        return self.answers.page(shown.table, shown.within, shown.columns, order, search, count, offset)

    def held(self) -> list[str]:
        """The tables of the engine that hold rows of shown tables."""
        return [shown.table for shown in self._shown.values() if shown.table]


def default_columns(engine: Engine, variable: Variable) -> list[AttributePath]:
    """What DISP shows without ATTR: the rows' own columns, the attributes of the type and some behind its references, the id last."""
    own = list(variable.flat.columns) if variable.flat else []
    listed = [AttributePath(variable.type, (), name, kind=variable.columns[name].kind) for name in own if name not in NOT_SHOWN]
    known = {p.text() for p in listed}
    every = engine.attributes_of(variable)
    more = [p for p in every if p.text() not in known and (not p.references or p.text() in SHOWN_BEHIND_REFERENCES)]
    return [*listed, *more, *([] if variable.type == TABLE else [AttributePath(variable.type, (), "id")])]


def saved_columns(engine: Engine, variable: Variable) -> list[AttributePath]:
    """What a file or a program outside gets: identity first, then every attribute."""
    own = variable.flat.columns if variable.flat else {}
    listed = [AttributePath(variable.type, (), n, kind=own[n].kind) for n in own if variable.type == TABLE or n not in INHERENT]
    inherent = [] if variable.type == TABLE else [AttributePath(variable.type, (), name) for name in INHERENT]
    known = {p.text() for p in (*listed, *inherent)}
    fields = [p for p in columns_of(variable.step) if is_field(p)]
    return [*inherent, *listed, *(p for p in engine.attributes_of(variable) if p.text() not in known), *fields]


def draw(engine: Engine, action: Draw) -> View:
    """A tree, graph, timeline or chart of a variable."""
    return Views(engine).draw(action.view, engine.evaluate(action.step), action.name, action.columns)


def info(engine: Engine, step: Step, name: str, origin: Origin, known: Mapping[str, Any]) -> Info:
    """What is known about a variable. `origin`: how it was made; `known`: what the names in that statement stand for now."""
    variable = engine.evaluate(step)
    entities, records, first, last = engine.counts(variable)
    paths = engine.attributes_of(variable)
    attributes = tuple(Attribute(p.text(), n, x) for p, n, x in Answers(engine).fullness(variable, paths))
    relations = () if variable.type == TABLE else tuple(vocabulary().leading_from(variable.type))
    inputs = tuple(Input(n.name, state, n.text) for n, state in origin.listed(known))
    changed = tuple(dict.fromkeys(file for file, _, _ in engine.readings.changed(read_by(step))))
    rows = engine.rows(variable) if variable.flat and variable.type != TABLE else None
    account = variable.dataset.account if variable.dataset else None
    own = [f.definition for n in (account.log_formats if account else ()) if not (f := log_formats()[n]).definition.is_shipped]
    read_as = "".join(f", read as `{d.name}` ({d.file})" for d in own)
    sources = tuple(f"{uri}{read_as}" for uri in read_for(step))
    return Info(name, variable.type, entities, records, first, last, sources, attributes, relations, origin.text, inputs, changed, rows)


def describe(engine: Engine, step: Step, path: AttributePath, name: str) -> Description:
    """The statistics and the most frequent values of an attribute."""
    variable = engine.evaluate(step)
    found = Answers(engine).distribution(variable, path)
    statistics = {
        "rows" if variable.flat else "entities": found.rows,
        "missing": found.missing,
        "distinct": found.distinct,
        "lowest": found.lowest,
        "highest": found.highest,
        "mean": found.mean,
        "median": found.median,
        "standard deviation": found.spread,
    }
    return Description(name, path.text(), tuple((n, v) for n, v in statistics.items() if v is not None), found.frequent)


def summary(engine: Engine | None, made: Collection[Define], seconds: float, paid: Mapping[str, Any]) -> Summary:
    """The variables that a cell made, and what its queries to servers cost. `paid`: their cost before the cell."""
    found = []
    for action in made if engine else ():
        assert engine is not None
        variable = engine.evaluate(action.step)
        found.append(Made(action.name, variable.type, *engine.counts(variable), read_for(action.step)))
    costs = engine.remote.cost() if engine else {}
    since = {uri: cost.since(paid.get(uri)) for uri, cost in costs.items()}
    asked = tuple(Asked(u, c.queries, c.records, c.bytes, round(c.seconds, 3), round(c.server, 3)) for u, c in since.items() if c.queries)
    return Summary(tuple(found), round(seconds, 3), asked)


def ends_of_connections(type_name: str) -> Iterable[AttributePath]:
    """What STIX requires of the connections of a process beside the attributes that a variable lists: their addresses."""
    connections = ("opened_connection_refs", "network-traffic")
    ends = (("src_ref", "address"), ("dst_ref", "address")) if type_name == "process" else ()
    return [AttributePath(type_name, (connections, end), "value") for end in ends]


def _key(step: Step, paths: Sequence[AttributePath], limit: int | None, offset: int) -> str:
    """The same for the same question."""
    text = f"{content_id(step)} {[p.text() for p in paths]} {limit} {offset}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
