"""Variables that are lists of rows: tables of GROUP, pairs of JOIN, one row a record. All work over frames of shown values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from kestrel.engine.comparison import Comparer, composed
from kestrel.engine.match import within_range
from kestrel.engine.variable import Flat, Variable, described, kind_of_type, named
from kestrel.engine.workspace import Evaluator, Workspace
from kestrel.formats.transforms import guid_key
from kestrel.graph.steps import (
    Aggregate,
    All,
    Any_,
    AttributePath,
    Complement,
    Group,
    Join,
    Key,
    Merge,
    Missing,
    Predicate,
    Refine,
    Rows,
    Test,
    paths,
)
from kestrel.ingest.observations import entity_type
from kestrel.ingest.sql import Statement, fresh
from kestrel.lower.columns import kind_of, model_attributes
from kestrel.model.vocabulary import EVERY_ENTITY

EVENT = ("event.code", "event.provider", "event.action")
"""Columns of RECORDS, as the record layout names them."""


def group(work: Workspace, evaluator: Evaluator, step: Group, variable: Variable) -> Variable:
    """One row for each combination of keys, in the order in which the first of its rows was seen."""
    others = [] if step.aggregates else _other_attributes(evaluator, variable, step.keys)
    wanted = [*(k.path for k in step.keys), *(a.path for a in step.aggregates), *others]
    frame = evaluator.frame(variable, wanted)
    types = dict(described(work.con, frame))
    place = {path: f"f{n}" for n, path in reversed(list(enumerate(wanted)))}
    shown = [(_binned(place[k.path], types[place[k.path]], k), k.name) for k in step.keys]
    grouped = ", ".join(str(n + 1) for n in range(len(shown)))
    if step.aggregates:
        shown += [(_aggregated(place[a.path], types[place[a.path]], a), a.name) for a in step.aggregates]
    else:
        shown.append(("count(*)", "count"))
        shown += [(f"nullif(count(DISTINCT {place[p]}), 0)", f"unique_{p.text()}") for p in others]
    columns = ", ".join(f"{sql} AS c{n}" for n, (sql, _) in enumerate(shown))
    table = fresh("grouped")
    work.con.execute(
        f"CREATE TEMP TABLE {table} AS SELECT row_number() OVER (ORDER BY first) AS n, n AS id, n AS rec, NULL::TIMESTAMP AS t, "
        f"* EXCLUDE (first) FROM (SELECT {columns}, min(place) AS first FROM {frame} GROUP BY {grouped})"
    )
    for name, sql in described(work.con, table):
        if sql == "HUGEINT" and not work.any(f"SELECT 1 FROM {table} WHERE {name} IS NOT NULL AND try_cast({name} AS BIGINT) IS NULL"):
            work.con.execute(f"ALTER TABLE {table} ALTER {name} TYPE BIGINT")
    return _variable(work, step, table, [name for _, name in shown])


def _other_attributes(evaluator: Evaluator, variable: Variable, keys: Sequence[Key]) -> list[AttributePath]:
    names = {k.path.text() for k in keys}
    return [p for p in evaluator.attributes_of(variable) if p.text() not in names]


def _variable(work: Workspace, step: Group | Merge, table: str, names: Sequence[str]) -> Variable:
    columns = named(work.con, table, [(f"c{n}", name) for n, name in enumerate(names)])
    pairs = work.table(f"SELECT id, rec, t FROM {table}")
    return Variable(step, "table", pairs, None, None, flat=Flat(table, columns))


def join(work: Workspace, evaluator: Evaluator, step: Join, left: Variable, right: Variable) -> Variable:
    """The entities of the left variable, one row for each pair, with what the right one has and they lack."""
    has = {*model_attributes(left.type), *EVERY_ENTITY, *left.columns}
    provided = [p for p in evaluator.attributes_of(right) if p.text() not in has]
    kept = list(left.flat.columns.items()) if left.flat else []
    a, b = evaluator.frame(left, [step.left_key]), evaluator.frame(right, [step.right_key, *provided])
    types = [dict(described(work.con, frame))["f0"] for frame in (a, b)]
    kinds = [kind_of_type(sql) for sql in types]
    alike = types[0] == types[1] or (kinds[0] == kinds[1] and kinds[0] != "any")
    shown = composed(work.con, b, "f0", ("a.f0", "b.f0")) if kinds == ["text", "text"] else ("a.f0", "b.f0")
    if all(entity_type(path.end).canonical.get(path.attribute) == "guid" for path in (step.left_key, step.right_key)):
        key = f"{guid_key('a.f0')} = {guid_key('b.f0')}"
    else:
        key = " = ".join(shown) if alike else "CAST(a.f0 AS VARCHAR) = CAST(b.f0 AS VARCHAR)"
    own = "".join(f", l.{column.sql} AS c{n}" for n, (_, column) in enumerate(kept))
    others = "".join(f", b.f{n + 1} AS c{len(kept) + n}" for n in range(len(provided)))
    rows = (
        f"JOIN {left.flat.table} l ON l.n = a.n"
        if left.flat
        else f"JOIN (SELECT id, NULL::UBIGINT AS rec, min(t) AS t FROM {left.table} GROUP BY id) l ON l.id = a.id"
    )
    table = fresh("joined")
    work.con.execute(
        f"CREATE TEMP TABLE {table} AS SELECT row_number() OVER (ORDER BY a.place, b.place) AS n, a.id, l.rec, l.t{own}{others} "
        f"FROM {a} a JOIN {b} b ON {key} {rows}"
    )
    names = [*(name for name, _ in kept), *(p.text() for p in provided)]
    columns = named(work.con, table, [(f"c{n}", name) for n, name in enumerate(names)])
    pairs = work.table(f"SELECT id, rec, t FROM {left.table} WHERE id IN (SELECT id FROM {table})")
    return replace(left, step=step, table=pairs, order=None, flat=Flat(table, columns, bool(left.flat and left.flat.by_record)))


def rows(work: Workspace, step: Rows, variable: Variable) -> Variable:
    """One row for each entity and counted record."""
    flat = variable.flat
    if flat and flat.by_record:
        source = f"{flat.table} r"
    elif flat:
        source = f"(SELECT f.* EXCLUDE (rec, t), v.rec, v.t FROM {flat.table} f JOIN {variable.table} v ON v.id = f.id) r"
    else:
        source = f"(SELECT DISTINCT 0 AS n, id, rec, t FROM {variable.table}) r"
    kept = [(name, f"r.{column.sql}") for name, column in flat.columns.items()] if flat else []
    added = [("first_observed", "r.t"), ("last_observed", "r.t"), ("number_observed", "1::BIGINT")]
    events = variable.dataset.events if variable.dataset else None
    known = [name for name in EVENT if step.transform == "RECORDS" and events and events.has(name)]
    summed = events is not None and events.has("last")
    if events and (known or summed):
        shown_of = [*(f'any_value("{c}") AS "{c}"' for c in known), *(("max(last) AS last", "max(number) AS number") if summed else ())]
        source += f" LEFT JOIN (SELECT rec, {', '.join(shown_of)} FROM {events.table} GROUP BY rec) e ON e.rec = r.rec"
    if summed:
        added[1:] = [("last_observed", "greatest(r.t, e.last)"), ("number_observed", "greatest(coalesce(e.number, 1), 1)::BIGINT")]
    if step.transform == "ADDOBSID":
        added.append(("observation_id", "'observed-data--' || CAST(CAST(md5(CAST(r.rec AS VARCHAR)) AS UUID) AS VARCHAR)"))
    if step.transform == "RECORDS":
        added += [(name, f'e."{name}"' if name in known else "NULL::VARCHAR") for name in EVENT]
    shown = [*((n, s) for n, s in kept if n not in dict(added)), *added]
    columns = ", ".join(f"{sql} AS c{n}" for n, (_, sql) in enumerate(shown))
    table = fresh("rows")
    work.con.execute(
        f"CREATE TEMP TABLE {table} AS SELECT row_number() OVER (ORDER BY r.t NULLS LAST, r.n, r.id, r.rec) AS n, "
        f"r.id, r.rec, r.t, {columns} FROM {source}"
    )
    held = named(work.con, table, [(f"c{n}", name) for n, (name, _) in enumerate(shown)])
    return replace(variable, step=step, order=None, flat=Flat(table, held, by_record=True))


def union(work: Workspace, step: Merge, inputs: Sequence[Variable]) -> Variable:
    """The distinct rows of tables, by the names of their columns."""
    names = list(dict.fromkeys(name for v in inputs for name in v.columns))
    parts = []
    for number, variable in enumerate(inputs):
        assert variable.flat is not None
        shown = [f"{c.sql if (c := variable.flat.columns.get(name)) else 'NULL'} AS c{n}" for n, name in enumerate(names)]
        parts.append(f"SELECT {', '.join(shown)}, {number} AS part, n FROM {variable.flat.table}")
    columns = ", ".join(f"c{n}" for n in range(len(names)))
    distinct = f"SELECT {columns}, min((part, n)) AS first FROM ({' UNION ALL '.join(parts)}) GROUP BY {columns}"
    table = work.table(
        f"SELECT row_number() OVER (ORDER BY first) AS n, n AS id, n AS rec, NULL::TIMESTAMP AS t, * EXCLUDE (first) FROM ({distinct})"
    )
    return _variable(work, step, table, names)


def refine(work: Workspace, evaluator: Evaluator, step: Refine, variable: Variable) -> Variable:
    """The rows of which the pattern holds, by their shown values, in the wanted order."""
    flat = variable.flat
    assert flat is not None
    wanted = list(dict.fromkeys([*(paths(step.where) if step.where is not None else ()), *((step.sort,) if step.sort else ())]))
    frame = evaluator.frame(variable, wanted)
    place = {path: f"f{n}" for n, path in enumerate(wanted)}
    kinds = {path: _kind(path, variable) for path in wanted}
    statement = Statement()
    condition = _condition(step.where, place, kinds, Comparer(work.con, evaluator.values_of), statement, frame) if step.where is not None else "true"
    if step.range:
        condition += f" AND {' AND '.join(within_range(step.range))}"
    order = "n"
    if step.sort:
        order = f"{place[step.sort]} {'ASC' if step.ascending else 'DESC'} NULLS LAST, n"
    cut = f" ORDER BY place LIMIT {'ALL' if step.limit is None else step.limit} OFFSET {step.offset}"
    places = f"SELECT n, row_number() OVER (ORDER BY {order}) AS place"
    kept = work.table(f"{places} FROM (SELECT f.*, r.t FROM {frame} f JOIN {flat.table} r USING (n)) WHERE {condition}{cut}", statement)
    table = work.table(f"SELECT k.place AS n, f.* EXCLUDE (n) FROM {flat.table} f JOIN {kept} k ON k.n = f.n")
    if flat.by_record or variable.type == "table":
        pairs = work.table(f"SELECT DISTINCT id, rec, t FROM {table}")
    else:
        pairs = work.table(f"SELECT id, rec, t FROM {variable.table} WHERE id IN (SELECT id FROM {table})")
    return replace(variable, step=step, table=pairs, range=step.range or variable.range, flat=replace(flat, table=table))


def _kind(path: AttributePath, variable: Variable) -> str:
    column = variable.columns.get(path.text())
    return column.kind if column and path.kind else kind_of(path)


def _condition(
    predicate: Predicate, place: dict[AttributePath, str], kinds: dict[AttributePath, str], comparer: Comparer, statement: Statement, frame: str
) -> str:
    """SQL that is true for the rows a predicate holds for; each row has one value of an attribute, or none."""
    match predicate:
        case Test(path, _, _, negated) if dict(described(comparer.con, frame))[place[path]].endswith("[]"):
            each = f"(SELECT n, unnest({place[path]}) AS x FROM {frame})"
            holds = comparer.condition("x", kinds[path], predicate, statement, each)
            some = f"n IN (SELECT n FROM {each} WHERE {holds})"
            return f"({place[path]} IS NOT NULL AND NOT {some})" if negated else some
        case Test(path, _, _, negated):
            x = place[path]
            holds = comparer.condition(x, kinds[path], predicate, statement, f"(SELECT {x} AS x FROM {frame})")
            return f"({x} IS NOT NULL AND NOT coalesce({holds}, false))" if negated else f"coalesce({holds}, false)"
        case Missing(path, negated):
            return f"{place[path]} IS {'NOT ' if negated else ''}NULL"
        case All(parts):
            return "(" + " AND ".join(_condition(p, place, kinds, comparer, statement, frame) for p in parts) + ")"
        case Any_(parts):
            return "(" + " OR ".join(_condition(p, place, kinds, comparer, statement, frame) for p in parts) + ")"
        case Complement(part):
            return f"NOT {_condition(part, place, kinds, comparer, statement, frame)}"
        case _:
            assert_never(predicate)


def _binned(x: str, sql: str, key: Key) -> str:
    if key.size is None:
        return x
    if key.is_time and sql == "VARCHAR":
        x, sql = f"try_cast({x} AS TIMESTAMP)", "TIMESTAMP"
    if kind_of_type(sql) == "time":
        size = int(key.size)
        return f"make_timestamp(CAST(floor(epoch_us({x}) / {size}) AS BIGINT) * {size})"
    number = x if kind_of_type(sql) == "number" else f"try_cast({x} AS DOUBLE)"
    if isinstance(key.size, int) and "INT" in sql:
        whole = f"CAST({x} AS HUGEINT)"  # floating point would round from 2^53 on
        return f"coalesce(try_cast({whole} - (({whole} % {key.size}) + {key.size}) % {key.size} AS {sql}), {x})"
    return f"floor({number} / {key.size!r}) * {key.size!r}"


def _aggregated(x: str, sql: str, one: Aggregate) -> str:
    number = x if kind_of_type(sql) == "number" else f"try_cast({x} AS DOUBLE)"
    match one.function:
        case "COUNT":
            return f"count({x})"
        case "NUNIQUE":
            return f"count(DISTINCT {x})"
        case "MIN":
            return f"min({x})"
        case "MAX":
            return f"max({x})"
        case "SUM":
            return f"coalesce(sum({number}), 0)"
        case "AVG":
            return f"avg({number})"
        case _:
            assert_never(one.function)
