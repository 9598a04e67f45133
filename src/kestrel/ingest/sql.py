"""SQL as it is put together: text of our own vocabulary, and every value a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb


class Query:
    """Collects the values of one statement. Text is composed of our own names only; values never enter it."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def value(self, value: Any) -> str:
        """The placeholder of a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def values_of(self, values: Iterable[Any]) -> str:
        return ", ".join(self.value(v) for v in values)

    def run(self, con: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyConnection:
        return con.execute(text, self.values) if self.values else con.execute(text)


def quoted_name(name: str) -> str:
    """A name as SQL writes it, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'
