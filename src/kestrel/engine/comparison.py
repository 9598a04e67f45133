"""One comparison as SQL: the same for attributes that records tell and for columns of rows."""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

import duckdb

from kestrel.engine.variable import described, kind_of_type
from kestrel.graph.likes import characters
from kestrel.graph.steps import Scalar, Test, ValuesOf
from kestrel.ingest.sql import Statement
from kestrel.lower.expressions import in_words
from kestrel.lower.mistakes import BadExpression


@dataclass(frozen=True)
class Comparer:
    """`values_of` materialises the values of a variable's attribute and gives the name of a table with a column `value`."""

    con: duckdb.DuckDBPyConnection
    values_of: Callable[[ValuesOf], str]

    def condition(self, x: str, kind: str, test: Test, statement: Statement, known: str, key: Callable[[str], str] | None = None) -> str:
        """SQL that is true where the positive form of the test holds for the column `x` of a kind. `known`: a FROM item whose
        column x has every value on record. `key`: the SQL that equality compares for a column; literals are already in this form."""
        tables = [self.values_of(v) for v in test.values if isinstance(v, ValuesOf)]
        plain = [v for v in test.values if not isinstance(v, ValuesOf)]
        fitting = [f for v in plain if (f := fit(v, kind)) is not None]
        shown = x if kind == "text" else f"CAST({x} AS VARCHAR)"
        match test.operator:
            case "=" | "IN" | "!=":
                x, parts = key(x) if key else x, []
                accented = [v for v in fitting if isinstance(v, str) and not v.isascii()]
                fitting = [v for v in fitting if v not in accented]
                if accented:
                    composed = [unicodedata.normalize("NFC", v) for v in accented]
                    parts.append(f"nfc_normalize({shown}) IN (SELECT unnest({statement.value(composed)}::VARCHAR[]))")
                if len(fitting) == 1:
                    parts.append(f"{_typed(x, kind, fitting[0])} = {statement.value(fitting[0])}")
                elif fitting and kind != "any":
                    parts.append(f"{x} IN (SELECT unnest({statement.value(list(fitting))}))")
                else:
                    parts += [f"{_typed(x, kind, v)} = {statement.value(v)}" for v in fitting]
                parts += [f"{x} IN (SELECT {key('value')} FROM {t})" if key else self._among(x, kind, t) for t in tables]
                return "(" + (" OR ".join(parts) or "false") + ")"
            case "<" | "<=" | ">" | ">=":
                parts = [f"{_typed(x, kind, v)} {test.operator} {statement.value(v)}" for v in fitting]
                parts += [f"{_ordered(x, kind)} {test.operator} ANY (SELECT {_ordered('value', kind)} FROM {t})" for t in tables]
                return "(" + (" OR ".join(parts) or "false") + ")"
            case "LIKE":
                parts = [_like(shown, str(v), test.escape, statement) for v in plain]
                parts += [self._like_one_of(shown, t) for t in tables]
                return "(" + (" OR ".join(parts) or "false") + ")"
            case "MATCHES":
                parts = [f"regexp_matches({shown}, {statement.value(e)})" for e in self._expressions(test, plain, tables)]
                return "(" + (" OR ".join(parts) or "false") + ")"
            case "ISSUBSET" | "ISSUPERSET":
                networks = [str(v) for v in plain] + [v for t in tables for v in self._values(t)]
                inside = self._related(networks, test.operator == "ISSUBSET", known)
                return f"{shown} IN (SELECT unnest({statement.value(inside)}::VARCHAR[]))"
            case _:
                assert_never(test.operator)

    def _among(self, x: str, kind: str, table: str) -> str:
        """Whether x is one of a table's values; of another kind they are compared as text."""
        if kind_of_type(described(self.con, table)[0][1]) == kind:
            value, x = composed(self.con, table, "value", ("value", x)) if kind == "text" else ("value", x)
            return f"{x} IN (SELECT {value} FROM {table})"
        return f"CAST({x} AS VARCHAR) IN (SELECT CAST(value AS VARCHAR) FROM {table})"

    def _like_one_of(self, x: str, table: str) -> str:
        """Whether a text matches one of a table's values as a pattern."""
        value, x = composed(self.con, f"(SELECT CAST(value AS VARCHAR) AS value FROM {table})", "value", ("value", x))
        return f"EXISTS (SELECT 1 FROM (SELECT CAST(value AS VARCHAR) AS value FROM {table}) WHERE {x} ILIKE {value})"

    def _values(self, table: str) -> list[str]:
        return [str(r[0]) for r in self.con.execute(f"SELECT value FROM {table}").fetchall()]

    def _expressions(self, test: Test, plain: Sequence[Scalar], tables: Sequence[str]) -> list[str]:
        """The engine has the last word on what an expression may hold. Raises BadExpression."""
        texts = [str(v) for v in plain] + [v for t in tables for v in self._values(t)]
        for text in texts:
            try:
                self.con.execute("SELECT regexp_matches('', ?)", [text])
            except duckdb.InvalidInputException as error:
                raise BadExpression(in_words(str(error)) or "it is no RE2 expression", test.span) from None
        return texts

    def _related(self, texts: Sequence[str], subset: bool, known: str) -> list[str]:
        """The addresses on record that are inside (or around) one of the networks."""
        wanted = []
        for text in texts:
            try:
                wanted.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                continue
        rows = self.con.execute(f"SELECT DISTINCT x FROM {known} WHERE x IS NOT NULL").fetchall()
        return [str(value) for (value,) in rows if any(_is_related(value, n, subset) for n in wanted)]


def fit(value: Scalar, kind: str) -> Scalar | None:
    """A value as one of a kind, or None where it can be none: `'1380'` is the number 1380."""
    match kind:
        case "text":
            return value.isoformat() if isinstance(value, datetime) else str(value)
        case "number":
            if isinstance(value, str):
                try:
                    number = float(value)
                except ValueError:
                    return None
                return int(value) if number.is_integer() and value.strip().lstrip("+-").isdigit() else number
            return None if isinstance(value, datetime) else value
        case "time":
            if isinstance(value, str):
                try:
                    moment = datetime.fromisoformat(value)
                    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)
                except (ValueError, OverflowError):
                    return None
            return value if isinstance(value, datetime) else None
        case _:
            return value


def composed(con: duckdb.DuckDBPyConnection, table: str, column: str, shown: tuple[str, str]) -> tuple[str, str]:
    """Both sides of a comparison with the column of a table, in one composition of accents if any of its values is not ASCII (a value that
    is ASCII has one composition only)."""
    if con.execute(f"SELECT 1 FROM {table} WHERE strlen({column}) <> length({column}) LIMIT 1").fetchone() is None:
        return shown
    return f"nfc_normalize({shown[0]})", f"nfc_normalize({shown[1]})"


ESCAPE = "\x1b"
"""The escape character in the SQL, whichever one the hunt uses."""


def _like(x: str, pattern: str, escape: str, statement: Statement) -> str:
    """Whether a text matches a pattern, ignoring case and, if the pattern is not ASCII, the composition of accents."""
    if not pattern.isascii():
        x, pattern = f"nfc_normalize({x})", unicodedata.normalize("NFC", pattern)
    if not escape:
        return f"{x} ILIKE {statement.value(pattern)}"
    known = (f"{ESCAPE}{sign}" if itself or sign == ESCAPE else sign for sign, itself in characters(pattern, escape))
    return f"{x} ILIKE {statement.value(''.join(known))} ESCAPE '{ESCAPE}'"


def _ordered(x: str, kind: str) -> str:
    """A column as `<` compares it with one of another origin: what is of another kind compares with nothing."""
    return f"try_cast({x} AS {({'text': 'VARCHAR', 'time': 'TIMESTAMP'}).get(kind, 'DOUBLE')})"


def _typed(x: str, kind: str, value: Scalar) -> str:
    """The column as SQL compares it with the value."""
    if kind != "any":
        return x
    if isinstance(value, bool | str):
        return f"CAST({x} AS VARCHAR)"
    return f"try_cast({x} AS {'TIMESTAMP' if isinstance(value, datetime) else 'DOUBLE'})"


def _is_related(value: Any, network: Any, subset: bool) -> bool:
    try:
        own = ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return False
    if own.version != network.version:
        return False
    return bool(own.subnet_of(network) if subset else own.supernet_of(network))
