"""SQL as it is composed: text of our own names, named parts that are evaluated once, and every value a parameter."""

from __future__ import annotations

import itertools
import re
from typing import Any

import duckdb

_names = itertools.count()


def fresh(prefix: str) -> str:
    """A name that no other table or part of a statement has."""
    return f"{prefix}_{next(_names)}"


def quoted_name(name: str) -> str:
    """A name as SQL writes it, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def attribute_column(name: str) -> str:
    """The column that holds an attribute, as SQL writes it: names that differ in case only are two columns."""
    return quoted_name(re.sub(r"[A-Z^]", lambda m: "^" + m.group().lower(), name))


class Statement:
    """One statement: its parts, in the order in which they were added, and the values of its parameters."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}
        self.values: dict[str, Any] = {}

    def value(self, value: Any) -> str:
        """The placeholder of a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def part(self, select: str, prefix: str = "part") -> str:
        """Name a SELECT, so that later parts and the statement can refer to it more than once; the name."""
        name = fresh(prefix)
        self.parts[name] = select
        return name

    def text(self, select: str) -> str:
        """A SELECT with the parts that it refers to."""
        used: dict[str, str] = {}
        read = set(_NAME.findall(select))
        for name, part in reversed(self.parts.items()):
            if name in read:
                used[name] = part
                read.update(_NAME.findall(part))
        if not used:
            return select
        return f"WITH {', '.join(f'{name} AS MATERIALIZED ({part})' for name, part in reversed(used.items()))} {select}"

    def run(self, con: duckdb.DuckDBPyConnection, select: str, before: str = "") -> duckdb.DuckDBPyConnection:
        """Run a SELECT; `before`: what stands before it, like INSERT INTO."""
        text = f"{before} {self.text(select)}"
        values = {name: self.values[name] for name in _PARAMETER.findall(text) if name in self.values}
        return con.execute(text, values) if values else con.execute(text)

    def table(self, con: duckdb.DuckDBPyConnection, select: str, prefix: str = "t") -> str:
        """Keep the rows of a SELECT as a temporary table; its name."""
        name = fresh(prefix)
        self.run(con, select, f"CREATE TEMP TABLE {name} AS")
        return name

    def settle(self, con: duckdb.DuckDBPyConnection) -> None:
        """Evaluate the parts now, as temporary tables of the same names."""
        parts, self.parts = self.parts, {}
        for name, part in parts.items():
            self.run(con, part, f"CREATE TEMP TABLE {name} AS")


_NAME = re.compile(r"\b[a-z]+_\d+\b")
_PARAMETER = re.compile(r"\$(p\d+)\b")
