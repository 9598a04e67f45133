"""A variable as rows: its entities in order, each with the best value of every wanted attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kestrel.engine.attributes import merged
from kestrel.engine.available import check_attributes
from kestrel.engine.match import Scope, moment
from kestrel.engine.raw import originals
from kestrel.engine.variable import Variable, shown_as
from kestrel.engine.workspace import Workspace
from kestrel.graph.steps import TABLE, AttributePath
from kestrel.ingest.sql import Statement
from kestrel.lower.columns import EVENT, ORIGINAL, is_field
from kestrel.model.layout import layout


def scope_of(variable: Variable) -> Scope:
    """What is known of a variable's entities: the records of its range, and their create records from before it."""
    conditions: tuple[str, ...] = ()
    if variable.range:
        conditions = (
            f"(t >= {moment(variable.range.start)} OR ({layout().created} AND {{role}} = 0))",
            f"t < {moment(variable.range.stop)}",
        )
    return Scope(variable.dataset.events if variable.dataset else None, conditions, variable.own)


def ordered(statement: Statement, variable: Variable) -> str:
    """A part of a statement with (id, place): the order in which the entities of a variable are shown."""
    if variable.order:
        path, ascending = variable.order
        values = merged(statement, variable.table, variable.type, [path], scope_of(variable))
        value = f"any_value(m.{shown_as(path)})"
        direction = "ASC" if ascending else "DESC"
        order = f"{value} {direction} NULLS LAST"
        if variable.dataset and variable.dataset.events.further.is_mixed(path.end, path.attribute):
            order = f"try_cast({value} AS DOUBLE) {direction} NULLS LAST, {order}"
        return statement.part(
            f"SELECT v.id, row_number() OVER (ORDER BY {order}, min(v.t) NULLS LAST, v.id) AS place "
            f"FROM {variable.table} v JOIN {values} m ON m.id = v.id GROUP BY v.id",
            "ordered",
        )
    if variable.places:
        held = f"(SELECT DISTINCT id FROM {variable.table})"
        return statement.part(
            f"SELECT v.id, row_number() OVER (ORDER BY p.place, v.id) AS place FROM {held} v JOIN {variable.places} p ON p.id = v.id", "ordered"
        )
    return statement.part(f"SELECT id, row_number() OVER (ORDER BY min(t) NULLS LAST, id) AS place FROM {variable.table} GROUP BY id", "ordered")


def limited(work: Workspace, variable: Variable, limit: int | None, offset: int) -> Variable:
    """The first entities, in the variable's order, or else by first observation, then id."""
    if limit is None and not offset:
        return variable
    statement = Statement()
    order = ordered(statement, variable)
    kept = f"SELECT id FROM {order} ORDER BY place LIMIT {'ALL' if limit is None else int(limit)} OFFSET {int(offset)}"
    return replace(variable, table=work.table(f"SELECT id, rec, t FROM {variable.table} WHERE id IN ({kept})", statement))


def first(work: Workspace, variable: Variable, number: int, offset: int) -> Variable:
    """A variable of entities, with only `number` of them after the first `offset`, in the same order."""
    statement = Statement()
    order = ordered(statement, variable)
    places = work.table(f"SELECT id, place FROM {order} ORDER BY place LIMIT {number} OFFSET {offset}", statement)
    kept = work.table(f"SELECT id, rec, t FROM {variable.table} WHERE id IN (SELECT id FROM {places})")
    return replace(variable, table=kept, order=None, places=places)


def frame(work: Workspace, statement: Statement, variable: Variable, wanted: Sequence[AttributePath], name: str) -> str:
    """A part of a statement with place (the order of the rows), n, id, and the wanted attributes as f0, f1, ...: one row an entity, or a row
    of the variable's list. `name`: the variable's. Raises NoSuchData, NoRawLines."""
    flat = variable.flat
    events = variable.dataset.events if variable.dataset and variable.type != TABLE else None
    of_rows = [p for p in wanted if flat and flat.by_record and is_field(p)]
    check_attributes(work, [replace(p, type=EVENT) if p in of_rows else p for p in wanted], variable.columns, events)
    listed = {p: flat.columns[p.text()] for p in wanted if p.text() in flat.columns} if flat else {}
    raw = [p for p in wanted if flat and flat.by_record and p.text() == ORIGINAL]
    of_entity = list(dict.fromkeys(p for p in wanted if p not in listed and p not in raw and p not in of_rows))
    joins, shown = "", {path: f"r.{column.sql}" for path, column in listed.items()}
    if of_entity and variable.type != TABLE:
        joins += f" LEFT JOIN {merged(statement, variable.table, variable.type, of_entity, scope_of(variable))} m ON m.id = r.id"
        shown |= {p: f"m.{shown_as(p)}" for p in of_entity}
    if raw and flat and variable.dataset:
        joins += f" LEFT JOIN {originals(work.con, variable.dataset, flat.table, name)} l ON l.rec = r.rec"
        shown |= dict.fromkeys(raw, "l.line")
    if of_rows and flat and events:
        for n, path in enumerate(p for p in dict.fromkeys(of_rows) if p.attribute in events.fields):
            joins += f" LEFT JOIN {events.fields[path.attribute]} d{n} ON d{n}.rec = r.rec"
            shown[path] = f"d{n}.value"
    columns = "".join(f", {shown.get(p, 'NULL::VARCHAR')} AS f{n}" for n, p in enumerate(wanted))
    rows = f"(SELECT n AS place, * FROM {flat.table})" if flat else f"(SELECT place, place AS n, id FROM {ordered(statement, variable)})"
    return statement.part(f"SELECT r.place, r.n, r.id{columns} FROM {rows} r{joins}", "frame")
