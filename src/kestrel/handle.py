"""A variable of a session for Python, and variables that come from Python."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kestrel.engine.answers import Answers
from kestrel.engine.evaluate import Engine
from kestrel.graph.steps import New, Step, type_of
from kestrel.model.vocabulary import EntityType, vocabulary
from kestrel.present import saved_columns


@dataclass(frozen=True)
class Handle:
    """A variable of a session, for Python."""

    engine_of_session: Callable[[], Engine]
    name: str
    step: Step

    @property
    def engine(self) -> Engine:
        return self.engine_of_session()

    def __len__(self) -> int:
        """The number of rows: one an entity, or those of a table, of JOIN, TIMESTAMPED, RECORDS and ADDOBSID."""
        return self.engine.rows(self.engine.evaluate(self.step))

    @property
    def type(self) -> str:
        """The entity type, or `table`."""
        return type_of(self.step)

    def to_arrow(self) -> Any:
        """An Arrow table: one row an entity, every attribute known. Needs the extra `arrow`. Raises ModuleNotFoundError."""
        _require("pyarrow", "arrow")
        return self._relation().to_arrow_table()

    def to_pandas(self) -> Any:
        """A pandas DataFrame: one row an entity, every attribute known. Needs the extra `pandas`. Raises ModuleNotFoundError."""
        _require("pandas", "pandas")
        return self._relation().df()

    def to_dicts(self) -> list[dict[str, Any]]:
        """A list of dictionaries: one an entity, every attribute known."""
        relation = self._relation()
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def to_parquet(self, path: Path) -> None:
        """The same as a Parquet file, its pages packed by gzip."""
        self._relation().write_parquet(str(path), compression="gzip")

    def _relation(self) -> Any:
        variable = self.engine.evaluate(self.step)
        return Answers(self.engine).relation(variable, saved_columns(self.engine, variable), keyed=True)


def _require(module: str, extra: str) -> None:
    """Raise ModuleNotFoundError, with the extra that provides a module, if it is not installed."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(f"there is no module `{module}`; `pip install 'kestrel-hunt[{extra}]'` installs it", name=module) from error


def given(value: Any) -> New:
    """A list of values or of dictionaries, a DataFrame or an Arrow table as a step; `(type, value)` gives its type. Raises ValueError."""
    kind, rows = value if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) else (None, value)
    if hasattr(rows, "to_pylist"):
        rows = rows.to_pylist()
    elif hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.astype(object).where(rows.notna(), None).to_dict("records")
    rows = list(rows)
    found = _type_of_rows(kind, rows)
    made = []
    for row in rows:
        cells = row if isinstance(row, dict) else {found.main: row}
        made.append(tuple((str(k), v) for k, v in cells.items() if k not in ("type", "id")))
    return New(found.name, tuple(made))


def _type_of_rows(kind: str | None, rows: Iterable[Any]) -> EntityType:
    """The type of rows from Python: the one named, else the one in the rows, else `process`."""
    said = {str(row["type"]) for row in rows if isinstance(row, dict) and isinstance(row.get("type"), str)}
    named = dict.fromkeys(([kind] if kind else []) + sorted(said))
    found = {entity.name: entity for name in named or ("process",) if (entity := vocabulary().type_named(name))}
    unknown = next((name for name in named if vocabulary().type_named(name) is None), None)
    if unknown is not None:
        raise ValueError(f"there is no entity type {unknown!r}")
    if len(found) > 1:
        raise ValueError(f"a variable has entities of one type, and these are {', '.join(found)}")
    return next(iter(found.values()))
