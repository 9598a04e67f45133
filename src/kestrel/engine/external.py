"""Entities and attributes that come from elsewhere than records: as written by NEW, read by LOAD, or told by an analytic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from kestrel.engine.load import load, put_rows
from kestrel.engine.snapshots import NotHeld
from kestrel.engine.variable import Flat, Own, Variable, described, kind_of_type, named
from kestrel.engine.workspace import Evaluator, Workspace
from kestrel.errors import KestrelError
from kestrel.formats.transforms import instant, whole
from kestrel.graph.steps import TABLE, Applied, Load, New, content_id
from kestrel.ingest.database import EXACT, exact
from kestrel.ingest.file_states import Readings
from kestrel.ingest.observations import entity_type
from kestrel.ingest.sql import Statement, fresh, quoted_name
from kestrel.lower.columns import model_attributes
from kestrel.model.vocabulary import EVERY_ENTITY, EntityType, vocabulary
from kestrel.result import Notice
from kestrel.text import listed, path_text


class NoIds(KestrelError):
    code: ClassVar[str] = "K0305"
    part = "analytic"

    def __init__(self, analytic: str, variable: str) -> None:
        super().__init__(
            f"the answer of `{analytic}` for `{variable}` has no column `id`",
            None,
            "rows are matched by `id`: the analytic must return the column it was given",
        )


class UnknownRows(KestrelError):
    code: ClassVar[str] = "K0306"
    part = "analytic"

    def __init__(self, analytic: str, variable: str, ids: Sequence[str], number: int) -> None:
        super().__init__(
            f"the answer of `{analytic}` has {number:,} rows that are not in `{variable}`",
            None,
            f"the first of them: {listed(ids, 3)}; an analytic adds attributes to the rows it is given",
        )


class UnusableAnswer(KestrelError):
    code: ClassVar[str] = "K0307"
    part = "analytic"

    def __init__(self, analytic: str, why: str) -> None:
        super().__init__(
            f"the answer of `{analytic}` cannot be read as a table{why}", None, "an analytic returns a DataFrame, dictionaries, or a Parquet file"
        )


def new(work: Workspace, step: New) -> Variable:
    """Each row an entity of its own, or the one the records know by its main attribute."""
    names = list(dict.fromkeys(name for row in step.rows for name, _ in row))
    kind = entity_type(step.type)
    statement, rows_of = Statement(), [dict(row) for row in step.rows]
    listed = [f"unnest({statement.value([_as_text(row.get(name)) for row in rows_of])}::VARCHAR[]) AS v{n}" for n, name in enumerate(names)]
    cells = "".join(f", {_cell(f'v{n}', _new_type(kind, name))} AS c{n}" for n, name in enumerate(names))
    key = statement.value(content_id(step))
    identity = f"hash({key}, place)"
    if kind.value_tag and kind.main in names:
        main = f"v{names.index(kind.main)}"
        identity = f"CASE WHEN {main} IS NOT NULL THEN hash('{kind.value_tag}', {main}) ELSE {identity} END"
    places = f"unnest(range({statement.value(len(rows_of))}::BIGINT))::INTEGER AS place"
    table = work.table(
        f"SELECT {identity} AS id, hash('new', {key}, place) AS rec, NULL::TIMESTAMP AS t, place{cells} FROM (SELECT {', '.join([places, *listed])})",
        statement,
    )
    rows = work.table(f"SELECT id, rec, t FROM {table}")
    places = work.table(f"SELECT id, min(place) AS place FROM {table} GROUP BY id")
    own = Own(table, named(work.con, table, [(f"c{n}", name) for n, name in enumerate(names)]))
    return Variable(step, step.type, rows, None, None, own, places=places)


def load_file(work: Workspace, readings: Readings, step: Load) -> Variable:
    """The rows of a file: entities where it has a type, else a table."""
    con = work.con
    texts = [name for name, kind in model_attributes(step.type).items() if kind == "text"]
    for file, _, _ in readings.changed([step.file]):
        raise NotHeld(file)
    states = readings.states([step.file])
    raw = load(con, Path(step.path), texts, vocabulary().entity(step.type).main if step.type != TABLE else "value")
    readings.remember(states)
    names = [name for name, _ in described(con, raw)]
    if step.type == TABLE:
        columns = "".join(f", {quoted_name(name)} AS c{n}" for n, name in enumerate(names))
        table = work.table(f"SELECT rowid + 1 AS n, n AS id, n AS rec, NULL::TIMESTAMP AS t{columns} FROM {raw}")
        held = named(con, table, [(f"c{n}", name) for n, name in enumerate(names)])
        return Variable(step, TABLE, work.table(f"SELECT id, rec, t FROM {table}"), None, None, flat=Flat(table, held))
    return _loaded_entities(work, step, raw, names)


def _loaded_entities(work: Workspace, step: Load, raw: str, names: Sequence[str]) -> Variable:
    con, statement = work.con, Statement()
    types = dict(described(con, raw))
    own_key = f"hash({statement.value(step.path)}, rowid)"
    given_id = f"try_cast('0x' || nullif(split_part(CAST({quoted_name('id')} AS VARCHAR), '--', 2), '') AS UBIGINT)" if "id" in names else "NULL"
    model = vocabulary().entity(step.type)
    if model.value_tag and model.main in names:
        given_id = f"coalesce({given_id}, hash('{model.value_tag}', CAST({quoted_name(model.main)} AS VARCHAR)))"
    times = [as_time(quoted_name(n), types[n]) if n in names else "NULL::TIMESTAMP" for n in ("first_observed", "last_observed")]
    kept = [n for n in names if n not in EVERY_ENTITY]
    kinds = vocabulary().entity(step.type)
    columns = "".join(f", {_as_model(kinds, name, types[name])} AS c{n}" for n, name in enumerate(kept))
    loaded = work.table(
        f"SELECT coalesce({given_id}, {own_key}) AS id, {own_key} AS rec, {times[0]} AS t, "
        f"coalesce({times[1]}, {times[0]}) AS last, rowid AS place{columns} FROM {raw}",
        statement,
    )
    _account_lost(work, step, raw, kept, types)
    firsts = "".join(f", any_value(c{n}) AS c{n}" for n in range(len(kept)))
    table = work.table(f"SELECT id, min(rec) AS rec, min(t) AS t{firsts} FROM {loaded} GROUP BY id")
    own = Own(table, named(con, table, [(f"c{n}", name) for n, name in enumerate(kept)]))
    rows = work.table(f"SELECT id, rec, t FROM {loaded} UNION SELECT id, rec, last FROM {loaded}")
    places = work.table(f"SELECT id, min(place) AS place FROM {loaded} GROUP BY id")
    return Variable(step, step.type, rows, None, step.range, own, places=places)


def _account_lost(work: Workspace, step: Load, raw: str, names: Sequence[str], types: Mapping[str, str]) -> None:
    """Add a notice of how many values of a file do not have the type of the model and are left empty."""
    kind, kinds = vocabulary().entity(step.type), model_attributes(step.type)
    doubtful = [n for n in names if kinds.get(n) in ("number", "time")]
    if not doubtful:
        return
    lost = ", ".join(f"count(nullif(CAST({quoted_name(n)} AS VARCHAR), '')) - count({_as_model(kind, n, types[n])})" for n in doubtful)
    for name, number in zip(doubtful, work.con.execute(f"SELECT {lost} FROM {raw}").fetchone() or (), strict=True):
        if number > 0:
            wanted = "whole number" if kinds[name] == "number" else "time"
            verdict = f"value of `{name}` is not a {wanted} and is" if number == 1 else f"values of `{name}` are not {wanted}s and are"
            message = f"`{path_text(step.path)}`: {number:,} {verdict} left empty"
            work.notices.append(Notice("values-left-out", message, number))


def answer_of(work: Workspace, evaluator: Evaluator, step: Applied, name: str, answer: Any) -> Own | None:
    """Keep what an analytic returned for one of its inputs: a DataFrame, a Parquet file or dictionaries; None for nothing.
    Raises NoIds, UnknownRows, UnusableAnswer."""
    variable = evaluator.evaluate(step.input)
    if answer is None:
        return None
    con = work.con
    raw = _table_of(work, step, answer)
    types = dict(described(con, raw))
    names = list(types)
    if "id" not in names:
        raise NoIds(step.analytics, name)
    given = f"(SELECT {'n' if variable.type == TABLE else 'id'} AS id FROM {variable.flat.table if variable.flat else variable.table})"
    keyed = work.table(f"SELECT try_cast('0x' || split_part(CAST(id AS VARCHAR), '--', 2) AS UBIGINT) AS key, * FROM {raw}")
    strangers = f"FROM {keyed} WHERE key IS NULL OR key NOT IN (SELECT id FROM {given})"
    number = (con.execute(f"SELECT count(*) {strangers}").fetchone() or (0,))[0]
    if number:
        first = [str(r[0]) for r in con.execute(f"SELECT CAST(id AS VARCHAR) {strangers} LIMIT 3").fetchall()]
        raise UnknownRows(step.analytics, name, first, number)
    changed = [n for n in names if n not in EVERY_ENTITY and _tells_more(work, evaluator, variable, keyed, n)]
    kinds = vocabulary().entity(variable.type)
    columns = "".join(f", any_value({_as_model(kinds, n, types[n])}) AS c{i}" for i, n in enumerate(changed))
    table = work.table(f"SELECT key AS id, NULL::UBIGINT AS rec, NULL::TIMESTAMP AS t{columns} FROM {keyed} GROUP BY key")
    held = named(con, table, [(f"c{i}", n) for i, n in enumerate(changed)])
    return Own(table, held)


def _table_of(work: Workspace, step: Applied, answer: Any) -> str:
    """The answer as a table of ours."""
    con, table = work.con, fresh("answer")
    try:
        if isinstance(answer, Path):
            con.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM read_parquet(?, {EXACT})", [exact(answer)])
        elif isinstance(answer, list):
            rows = [dict(row) for row in answer]
            put_rows(con, table, list(dict.fromkeys(n for row in rows for n in row)) or ["id"], rows)
        else:
            con.register("answer_of_analytic", answer)
            try:
                con.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM answer_of_analytic")
            finally:
                con.unregister("answer_of_analytic")
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise UnusableAnswer(step.analytics, ": it is no Parquet file" if isinstance(answer, Path) else "") from error
    return table


def _tells_more(work: Workspace, evaluator: Evaluator, variable: Variable, answer: str, name: str) -> bool:
    """Whether a returned column has values that the variable's rows have not."""
    path = next((p for p in evaluator.attributes_of(variable) if p.text() == name), None)
    if path is None:
        return True
    frame = evaluator.frame(variable, [path])
    key = "n" if variable.type == TABLE else "id"
    known = f"a.{quoted_name(name)}"
    differs = (f"try_cast({known} AS {sql}) IS DISTINCT FROM try_cast(f.f0 AS {sql})" for sql in ("VARCHAR", "DOUBLE"))
    return work.any(f"SELECT 1 FROM {answer} a JOIN {frame} f ON f.{key} = a.key WHERE {' AND '.join(differs)}")


def applied(work: Workspace, step: Applied, variable: Variable, known: Own | None) -> Variable:
    """The input with what the analytic reported of it."""
    if known is None:
        return replace(variable, step=step)
    if variable.flat:
        return replace(variable, step=step, flat=_widened(work, variable.flat, known, "n" if variable.type == TABLE else "id"))
    return replace(variable, step=step, own=over(work, variable.own, known))


def _widened(work: Workspace, flat: Flat, known: Own, key: str) -> Flat:
    kept = {n: c for n, c in flat.columns.items() if n not in known.columns}
    shown = [f"f.{c.sql} AS c{i}" for i, c in enumerate(kept.values())]
    for i, (name, column) in enumerate(known.columns.items(), start=len(kept)):
        old = flat.columns.get(name)
        otherwise = f"f.{old.sql}" if old and old.kind == column.kind else "NULL"
        shown.append(f"CASE WHEN a.id IS NULL THEN {otherwise} ELSE a.{column.sql} END AS c{i}")
    table = work.table(f"SELECT f.n, f.id, f.rec, f.t, {', '.join(shown)} FROM {flat.table} f LEFT JOIN {known.table} a ON a.id = f.{key}")
    names = [(f"c{i}", name) for i, name in enumerate([*kept, *known.columns])]
    return replace(flat, table=table, columns=named(work.con, table, names))


def over(work: Workspace, own: Own | None, known: Own) -> Own:
    """What was told last over what came before."""
    if own is None:
        return known
    names = list(dict.fromkeys([*own.columns, *known.columns]))
    shown = []
    for i, name in enumerate(names):
        old, new = own.columns.get(name), known.columns.get(name)
        sql = f"o.{old.sql}" if old else "NULL"
        shown.append((f"CASE WHEN a.id IS NULL THEN {sql} ELSE a.{new.sql} END" if new else sql) + f" AS c{i}")
    table = work.table(
        f"SELECT coalesce(o.id, a.id) AS id, o.rec, o.t, {', '.join(shown)} FROM {own.table} o FULL JOIN {known.table} a ON a.id = o.id"
    )
    return Own(table, named(work.con, table, [(f"c{i}", name) for i, name in enumerate(names)]))


def _as_text(value: Any) -> str | None:
    """A value of a row as text that DuckDB casts to the type of its column."""
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case datetime():
            return value.isoformat(sep=" ")
        case _:
            return str(value)


def _cell(text: str, sql: str) -> str:
    """SQL of a text as the type of its column; NULL if it does not fit that type."""
    match sql:
        case "BIGINT":
            return whole(text)
        case "TIMESTAMP":
            return f"try_cast({text} AS TIMESTAMP)"
        case _:
            return f"CAST({text} AS {sql})"


def _new_type(kind: EntityType, name: str) -> str:
    """The SQL type of an attribute given by NEW."""
    if name in kind.further:
        return {"number": "BIGINT", "time": "TIMESTAMP"}.get(kind.further[name], "VARCHAR")
    if name in kind.attributes:
        return kind.columns.get(kind.attributes[name], "VARCHAR")
    leaf = name.rpartition(".")[2]
    for other in vocabulary().types.values():
        if leaf in other.attributes and other.attributes[leaf] in other.columns and "." in name:
            return other.columns[other.attributes[leaf]]
    return "VARCHAR"


def _as_model(kind: EntityType, name: str, sql: str) -> str:
    """A column of a file or an answer (of a SQL type), as the SQL type that the model has for the attribute."""
    column = quoted_name(name)
    match model_attributes(kind.name).get(name):
        case "number":
            return as_whole(column, sql)
        case "time":
            return as_time(column, sql)
        case "text":
            return f"try_cast({column} AS VARCHAR)"
        case _:
            return column


def as_whole(column: str, sql: str) -> str:
    """A column of a SQL type as whole numbers; anything else is NULL."""
    match kind_of_type(sql), sql:
        case "number", "DOUBLE" | "FLOAT":
            return f"CASE WHEN {column} = trunc({column}) THEN try_cast({column} AS BIGINT) END"
        case "number", _ if sql.startswith("DECIMAL"):
            return f"CASE WHEN {column} = trunc({column}) THEN try_cast({column} AS BIGINT) END"
        case "number", _:
            return f"try_cast({column} AS BIGINT)"
        case _, "BOOLEAN":
            return "NULL::BIGINT"
        case _:
            return whole(f"CAST({column} AS VARCHAR)")


def as_time(column: str, sql: str) -> str:
    """A column of a SQL type as times in UTC, in the years 1 to 9999; anything else is NULL."""
    moment = f"try_cast({column} AS TIMESTAMP)" if kind_of_type(sql) == "time" else instant(f"CAST({column} AS VARCHAR)")
    return f"CASE WHEN {moment} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999' THEN {moment} END"
