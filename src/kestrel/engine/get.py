"""GET, `+`, and the filters, orders and cuts of entities."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from kestrel.engine.available import check_type
from kestrel.engine.datasets import Datasets, union
from kestrel.engine.external import over
from kestrel.engine.frames import limited, scope_of
from kestrel.engine.match import Scope, matcher, within_range
from kestrel.engine.variable import NO_ROWS, Variable
from kestrel.engine.workspace import ValuesTable, Workspace
from kestrel.graph.steps import Get, Merge, Predicate, Refine, TimeRange
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.observations import observations


def get(work: Workspace, values_of: ValuesTable, step: Get, dataset: Dataset | None, span: TimeRange | None) -> Variable:
    """The entities of a dataset, in a time range, that satisfy the predicate."""
    scope = Scope(dataset.events if dataset else None, within_range(span))
    check_type(work, step.type, scope.events)
    if step.where is None:
        rows = work.table(observations(scope.events, step.type, [], scope.conditions) if scope.events else NO_ROWS)
    else:
        rows = _matching_rows(work, values_of, step.type, step.where, scope)
    return limited(work, Variable(step, step.type, rows, dataset, span), step.limit, 0)


def _matching_rows(work: Workspace, values_of: ValuesTable, type_name: str, where: Predicate, scope: Scope) -> str:
    """The rows in which a comparison holds for an entity that satisfies the whole predicate."""
    found = matcher(work, values_of, type_name, scope, where).match(where)
    every = observations(scope.events, type_name, [], scope.conditions) if scope.events else NO_ROWS
    if not found.is_complete:
        found.statement.settle(work.con)
    rows = " UNION ".join(f"SELECT id, rec, t FROM {leaf}" for leaf in found.rows) or NO_ROWS
    shown = work.table(f"SELECT id, rec, t FROM ({rows}) WHERE id IN (SELECT id FROM {found.ids})", found.statement)
    missing = f"SELECT id FROM {found.ids} WHERE id NOT IN (SELECT id FROM {shown})"
    if not found.is_complete and work.any(missing):
        work.con.execute(f"INSERT INTO {shown} SELECT DISTINCT id, rec, t FROM ({every}) WHERE id IN ({missing})")
    return shown


def refine(work: Workspace, values_of: ValuesTable, step: Refine, base: Variable) -> Variable:
    """The entities of a variable that satisfy a predicate, in an order, cut."""
    variable = replace(base, step=step)
    if step.range:
        kept = within_range(step.range)
        table = work.table(f"SELECT id, rec, t FROM {variable.table} WHERE {' AND '.join(kept)}")
        variable = replace(variable, table=table, range=step.range.within(base.range))
    if step.where is not None:
        found = matcher(work, values_of, variable.type, scope_of(variable), step.where, variable.table).match(step.where)
        rows = f"SELECT id, rec, t FROM {variable.table} WHERE id IN (SELECT id FROM {found.ids})"
        variable = replace(variable, table=work.table(rows, found.statement))
    if step.sort:
        variable = replace(variable, order=(step.sort, step.ascending))
    return limited(work, variable, step.limit, step.offset)


def merge(work: Workspace, datasets: Datasets, step: Merge, inputs: list[Variable]) -> Variable:
    """The entities of several variables together."""
    dataset = datasets.together(inputs)
    tables = [datasets.carried(v, dataset) for v in inputs]
    rows = work.table(" UNION ".join(f"SELECT id, rec, t FROM {t}" for t in tables))
    owned = [v.own for v in inputs if v.own]
    own = reduce(lambda a, b: over(work, a, b), owned) if owned else None
    return Variable(step, inputs[0].type, rows, dataset, union([v.range for v in inputs]), own)
