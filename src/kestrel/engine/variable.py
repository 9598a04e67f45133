"""A variable as it is held: which entities and records, and what its rows have beside what records tell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from kestrel.graph.steps import AttributePath, Step, TimeRange
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.sql import attribute_column

NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*|BIGNUM")
NO_ROWS = "SELECT 0::UBIGINT AS id, 0::UBIGINT AS rec, NULL::TIMESTAMP AS t WHERE false"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of ours: its name in SQL, and how its values compare (`text`, `number`, `time`, `any`)."""

    sql: str
    kind: str


@dataclass(frozen=True)
class Own:
    """Attributes that came with the entities and not from records: a table of id, rec, t and columns, one row an entity."""

    table: str
    columns: Mapping[str, Column]


@dataclass(frozen=True)
class Flat:
    """The rows of a variable that is no list of entities: a table of n (their order), id, rec, t and columns of their own.

    `by_record`: each row is of one record, so it can tell of the event.
    """

    table: str
    columns: Mapping[str, Column]
    by_record: bool = False


@dataclass(frozen=True)
class Variable:
    """A frozen set of (entity, record) pairs: `table` has id, rec, t. `order` is how its entities are shown."""

    step: Step
    type: str
    table: str
    dataset: Dataset | None
    range: TimeRange | None
    own: Own | None = None
    order: tuple[AttributePath, bool] | None = None
    flat: Flat | None = None
    places: str | None = None
    """A table of id and place: the order of entities that were written or loaded, whatever the times they tell."""

    @property
    def columns(self) -> dict[str, Column]:
        """Every column the variable has beside what records tell, by name."""
        return {**(self.own.columns if self.own else {}), **(self.flat.columns if self.flat else {})}

    def tables(self) -> set[str]:
        """The tables that hold it."""
        return {t for t in (self.table, self.places, self.own and self.own.table, self.flat and self.flat.table) if t}


def kind_of_type(sql: str) -> str:
    """How values of a SQL type compare."""
    if NUMBERS.fullmatch(sql):
        return "number"
    return "time" if sql.startswith(("TIMESTAMP", "DATE")) else "text" if sql == "VARCHAR" else "any"


def described(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """Names and SQL types of the columns of a table."""
    return [(r[0], r[1]) for r in con.execute(f"DESCRIBE {table}").fetchall()]


def named(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[tuple[str, str]]) -> dict[str, Column]:
    """Columns of a table, given as (name in SQL, name for the hunter), with their kinds."""
    types = dict(described(con, table))
    return {name: Column(sql, kind_of_type(types[sql])) for sql, name in columns}


def shown_as(path: AttributePath) -> str:
    """The column that holds an attribute in a table of merged values: never a name of ours, and two names that differ in
    case only are two columns."""
    return attribute_column(f"={path.text()}")
