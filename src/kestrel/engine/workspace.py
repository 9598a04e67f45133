"""Where steps are evaluated: the session's database, its temporary tables, and what is to be reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import duckdb

from kestrel.engine.variable import Variable
from kestrel.graph.steps import AttributePath, Predicate, Step, ValuesOf
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.observations import Events
from kestrel.ingest.sql import Statement
from kestrel.result import Notice

ValuesTable = Callable[[ValuesOf], str]
"""Materialises the values of a variable's attribute: the name of a table with a column `value`."""


@dataclass
class Workspace:
    """The database of a session. `notices`: what is to be reported about the data since they were last shown."""

    con: duckdb.DuckDBPyConnection
    notices: list[Notice] = field(default_factory=list)
    _filled: dict[str, bool] = field(default_factory=dict)

    def table(self, select: str, statement: Statement | None = None) -> str:
        """Keep the rows of a SELECT as a temporary table; its name."""
        return (statement or Statement()).table(self.con, select)

    def any(self, select: str) -> bool:
        """Whether a SELECT gives a row."""
        return self.con.execute(f"SELECT 1 FROM ({select}) LIMIT 1").fetchone() is not None

    def has_records(self, events: Events) -> bool:
        """Whether a dataset has records at all."""
        if events.table not in self._filled:
            self._filled[events.table] = self.any(f"SELECT 1 FROM {events.table}")
        return self._filled[events.table]

    def count(self, table: str) -> int:
        """The number of rows of a table."""
        return int(self.fetch(f"SELECT count(*) FROM {table}")[0][0])

    def fetch(self, select: str) -> list[tuple[Any, ...]]:
        return self.con.execute(select).fetchall()

    def sizes(self) -> dict[str, int]:
        """The number of rows of each temporary table."""
        return dict(self.fetch("SELECT table_name, estimated_size FROM duckdb_tables() WHERE temporary"))

    def discard(self, kept: Set[str]) -> None:
        """Drop every temporary table but these."""
        for name in self.sizes().keys() - kept:
            self.con.execute(f"DROP TABLE {name}")


class Evaluator(Protocol):
    """What the evaluation of one step needs of other steps and variables."""

    def evaluate(self, step: Step) -> Variable:
        """The variable of a step."""

    def values_of(self, values: ValuesOf) -> str:
        """Every value of an attribute in a variable, as a table with a column `value`."""

    def frame(self, variable: Variable, wanted: Sequence[AttributePath], known: bool = False) -> str:
        """The rows of a variable as a table: place (their order), n, id, and the wanted attributes as f0, f1, ..., each as its best value.
        `known`: as far as it is known, without another query to a source."""

    def with_fields(self, dataset: Dataset | None, where: Predicate | None) -> Dataset | None:
        """A dataset with the fields of its records that a predicate needs."""

    def attributes_of(self, variable: Variable) -> list[AttributePath]:
        """Every attribute the rows of a variable can have."""

    def counts(self, variable: Variable) -> tuple[int, int, datetime | None, datetime | None]:
        """Entities (rows, of a table), records, first and last time (UTC)."""

    def name_of(self, step: Step) -> str:
        """The name of a variable, or of the first one it is made from."""
