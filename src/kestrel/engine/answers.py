"""What is shown or handed out of a variable: its rows, how full its attributes are, how their values are distributed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from kestrel.engine.evaluate import Engine
from kestrel.engine.find import among
from kestrel.engine.frames import first
from kestrel.engine.variable import Variable, described, kind_of_type
from kestrel.graph.steps import TABLE, AttributePath
from kestrel.ingest.sql import quoted_name
from kestrel.stix.bundle import bundle_of

MOST_FREQUENT = 10


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the values of one attribute are spread over a variable's rows. `lowest` to `spread` are None where they say nothing."""

    rows: int
    missing: int
    distinct: int
    lowest: Any
    highest: Any
    mean: float | None
    median: float | None
    spread: float | None
    frequent: tuple[tuple[Any, int], ...]


@dataclass(frozen=True)
class Answers:
    """The answers about variables of an engine."""

    engine: Engine

    def distinct(self, variable: Variable, wanted: Sequence[AttributePath]) -> tuple[str, int]:
        """A table of place and the wanted attributes as f0, f1, ...: the distinct rows, each at the place of its first; and
        how many there are."""
        if not wanted:
            return self.engine.work.table("SELECT 0 AS place WHERE false"), 0
        columns = ", ".join(f"f{n}" for n in range(len(wanted)))
        table = self.engine.select(variable, wanted, f"SELECT {columns}, min(place) AS place FROM {{frame}} GROUP BY ALL")
        return table, self.engine.work.count(table)

    def first(self, variable: Variable, wanted: Sequence[AttributePath], number: int, offset: int) -> list[tuple[Any, ...]] | None:
        """The wanted attributes of `number` entities after the first `offset`, computed for these alone. None if rows can be equal: then
        which ones are shown depends on all of them."""
        if variable.flat or not any(p.attribute == "id" and not p.references for p in wanted):
            return None
        few = first(self.engine.work, variable, number, offset)
        table = self.engine.frame(few, wanted)
        return self.engine.work.fetch(f"SELECT {', '.join(f'f{n}' for n in range(len(wanted)))} FROM {table} ORDER BY place")

    def rows(self, table: str, limit: int | None = None, offset: int = 0) -> list[tuple[Any, ...]]:
        """Rows of such a table in their order, `limit` of them after `offset`."""
        return self.engine.con.execute(f"SELECT * EXCLUDE (place) FROM {_cut(table, limit, offset)} ORDER BY place").fetchall()

    def page(
        self, table: str, within: tuple[int | None, int], shown: Sequence[int], sort: tuple[int, bool] | None, search: str, limit: int, offset: int
    ) -> tuple[list[tuple[Any, ...]], int]:
        """Some columns of such a table, of the rows `within` (limit, offset): those of which a cell has the searched text,
        in the order of a column (its number, whether descending); `limit` of them after `offset`, and how many there are."""
        kinds = dict(described(self.engine.con, table))
        condition = " OR ".join(f"contains(lower({_text(f'f{n}', kinds[f'f{n}'])}), lower($search))" for n in shown) if search else "true"
        parameters = {"search": search} if search else {}
        found = f"FROM {_cut(table, *within)} WHERE {condition}"
        total = self.engine.con.execute(f"SELECT count(*) {found}", parameters).fetchone()
        order = f"f{sort[0]} {'DESC' if sort[1] else 'ASC'} NULLS LAST, place" if sort else "place"
        columns = ", ".join(f"f{n}" for n in shown)
        rows = self.engine.con.execute(f"SELECT {columns} {found} ORDER BY {order} LIMIT {limit} OFFSET {offset}", parameters).fetchall()
        return rows, total[0] if total else 0

    def select(self, variable: Variable, wanted: Sequence[AttributePath], keyed: bool = False) -> str:
        """A SELECT of all rows in order, a column for each wanted attribute, named by its text. `keyed`: the rows of a table have
        an `id` of their own."""
        wanted = [p for p in wanted if not (keyed and variable.type == TABLE and p.text().casefold() == "id")]
        frame = self.engine.frame(variable, wanted, known=True)
        names = [f"f{n} AS {quoted_name(p.text())}" for n, p in enumerate(wanted)]
        if keyed and variable.type == TABLE:
            names.insert(0, "printf('table--%016x', n) AS id")
        return f"SELECT {', '.join(names)} FROM {frame} ORDER BY place"

    def relation(self, variable: Variable, wanted: Sequence[AttributePath], keyed: bool = False) -> duckdb.DuckDBPyRelation:
        """The same as a DuckDB relation."""
        return self.engine.con.sql(self.select(variable, wanted, keyed))

    def bundle(self, variable: Variable, wanted: Sequence[AttributePath]) -> dict[str, Any]:
        """The entities as a STIX 2.1 bundle, with the relations among them that records show."""
        relation = self.relation(variable, wanted)
        names = [p.text() for p in wanted]
        hosts = self._hosts(variable)
        rows = []
        for values in relation.fetchall():
            row = {n: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for n, v in zip(names, values, strict=True)}
            rows.append(row | {"host": hosts.get(str(row["id"]))})
        return bundle_of(variable.type, rows, datetime.now(UTC), names, among(self.engine.work, variable))

    def _hosts(self, variable: Variable) -> dict[str, str]:
        """The host of each entity that a record of it names, by id."""
        if variable.dataset is None:
            return {}
        shown = f"'{variable.type}--' || lower(printf('%016x', v.id))"
        records = f"{variable.table} v JOIN {variable.dataset.events.table} e ON e.rec = v.rec"
        return dict(self.engine.con.execute(f"SELECT {shown}, min(e.host) FROM {records} WHERE e.host IS NOT NULL GROUP BY v.id").fetchall())

    def fullness(self, variable: Variable, wanted: Sequence[AttributePath]) -> list[tuple[AttributePath, int, Any]]:
        """For each attribute: how many rows have it, and its most frequent value."""
        if not wanted:
            return []
        frame, con = self.engine.frame(variable, wanted, known=True), self.engine.con
        counted = con.execute(f"SELECT {', '.join(f'count(f{n})' for n in range(len(wanted)))} FROM {frame}").fetchone() or ()
        found = []
        for n, path in enumerate(wanted):
            most = f"SELECT f{n} FROM {frame} WHERE f{n} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
            row = con.execute(most).fetchone() if counted[n] else None
            found.append((path, counted[n], row[0] if row else None))
        return found

    def distribution(self, variable: Variable, path: AttributePath) -> Distribution:
        """How the values of an attribute are spread."""
        frame, con = self.engine.frame(variable, [path]), self.engine.con
        kind = kind_of_type(dict(described(con, frame))["f0"])
        ends = "min(f0), max(f0)" if kind in ("number", "time") else "NULL, NULL"
        middle = "avg(f0), median(f0), stddev_samp(f0)" if kind == "number" else "NULL, NULL, NULL"
        row = con.execute(f"SELECT count(*), count(*) - count(f0), count(DISTINCT f0), {ends}, {middle} FROM {frame}").fetchone()
        assert row is not None
        rows, missing, distinct, lowest, highest, mean, middle_value, spread = row
        frequent = con.execute(
            f"SELECT f0, count(*) FROM {frame} WHERE f0 IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_FREQUENT}"
        ).fetchall()
        return Distribution(
            rows, missing, distinct, lowest, highest, mean, middle_value, spread, tuple((value, number) for value, number in frequent)
        )


def _cut(table: str, limit: int | None, offset: int) -> str:
    return f"(SELECT * FROM {table} ORDER BY place LIMIT {'ALL' if limit is None else int(limit)} OFFSET {int(offset)})"


def _text(column: str, sql: str) -> str:
    """SQL of a value as it is shown, for searching."""
    if kind_of_type(sql) == "time":
        return f"strftime({column}, '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f"coalesce(CAST({column} AS VARCHAR), '')"
