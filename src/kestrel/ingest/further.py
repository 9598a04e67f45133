"""Attributes without a column of their own: which of them the records have, their value types, and how they are read.

Each role has at most one column `further`, a JSON object of names and values (a list where an entity has several). It is there where a
log format fills it, so other logs do not have it; the table `further` lists its contents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import duckdb

from kestrel.formats.transforms import instant, quoted
from kestrel.model.layout import OBJECTS, layout

VALUE_TYPES = {"UBIGINT": "BIGINT", "BIGINT": "BIGINT", "HUGEINT": "DOUBLE", "UHUGEINT": "DOUBLE", "DOUBLE": "DOUBLE", "BOOLEAN": "BOOLEAN"}
DECLARED = {"text": "VARCHAR", "time": "TIMESTAMP", "boolean": "BOOLEAN"}
COMPARED = {"BIGINT": "number", "DOUBLE": "number"}


@dataclass(frozen=True, slots=True)
class ValueType:
    """The SQL type of an attribute's values in one role (VARCHAR if they mix text and other types), and whether some are
    lists."""

    sql: str
    is_list: bool
    is_mixed: bool = False

    def read(self, column: str, name: str, declared: str | None, every: Iterable[ValueType]) -> str:
        """SQL of the attribute as a column of its declared value type, else of the type that fits the values of all roles. A list
        gives a row for each value."""
        pointer = quoted("/" + name.replace("~", "~0").replace("/", "~1"))
        if not self.is_list:
            return _typed(f"json_extract_string({column}, {pointer})", declared, every)
        values = f"CASE json_type({column}, {pointer}) WHEN 'ARRAY' THEN json_extract_string(json_extract({column}, {pointer}), '$[*]') "
        values += f"ELSE [json_extract_string({column}, {pointer})] END"
        return f"unnest(list_transform(coalesce({values}, [NULL]), lambda v: {_typed('v', declared, every)}))"


@dataclass(frozen=True)
class Further:
    """The table `further` of a dataset: by role and type, the attributes and their value types."""

    attributes: Mapping[tuple[str, str], Mapping[str, ValueType]] = field(default_factory=dict)

    @property
    def types(self) -> Collection[str]:
        """The types of entities without a role of their own that the records have."""
        return {kind for role, kind in self.attributes if role == OBJECTS}

    def names(self, role: str, type_name: str) -> Collection[str]:
        """The attributes in the column of a role; for a role with several types, those of one type."""
        return self.attributes.get((role, type_name if role == OBJECTS else ""), {})

    def value_type(self, role: str, type_name: str, name: str) -> ValueType | None:
        """The type of an attribute's values, or None where no record has it."""
        return self.attributes.get((role, type_name if role == OBJECTS else ""), {}).get(name)

    def compared(self, type_name: str, name: str) -> str:
        """How the values of an attribute are compared: as numbers if all are numbers, else each by its own type."""
        known = self.value_types(type_name, name)
        return COMPARED.get(common(known), "any") if known else "any"

    def is_mixed(self, type_name: str, name: str) -> bool:
        """Whether some values of an attribute are numbers, and others are not."""
        known = self.value_types(type_name, name)
        return any(t.is_mixed for t in known) or (len({t.sql for t in known}) > 1 and common(known) == "VARCHAR")

    def value_types(self, type_name: str, name: str) -> list[ValueType]:
        """The value types of an attribute in the roles of a type."""
        roles = layout().roles_of("ipv4-addr" if type_name == "address" else type_name)
        return [t for s in roles if (t := self.value_type(s.name, s.type, name))]


def collect(con: duckdb.DuckDBPyConnection) -> None:
    """Make the table `further` from the columns of `events`; none if there are no such columns."""
    there = {r[0] for r in con.execute("SELECT name FROM pragma_table_info('events')").fetchall()}
    parts = []
    for role in layout().roles.values():
        column = role.derived.get("further") if role.derived else f"{role.name}.further"
        if column not in there:
            continue
        value = f'unnest("{column}")' if role.is_list else f'"{column}"'
        kind = f'unnest("{OBJECTS}.type")' if role.name == OBJECTS else "''"
        given = f'"{OBJECTS}.type"' if role.name == OBJECTS else f'"{column}"'
        parts.append(
            f"SELECT {quoted(role.name)} AS role, f.type, e.key AS name, e.type AS value_type, e.value FROM "
            f"(SELECT DISTINCT {kind} AS type, {value} AS further FROM events WHERE {given} IS NOT NULL) f LEFT JOIN json_each(f.further) e ON true"
        )
    if not parts:
        return
    single = "CASE WHEN value_type = 'ARRAY' THEN list_transform(json_extract(value, '$[*]'), lambda v: json_type(v)) ELSE [value_type] END"
    con.execute(
        "CREATE TABLE further AS SELECT role, type, name, list_sort(list_distinct(flatten(list(types)))) AS types, max(len(types)) > 1 AS is_list "
        f"FROM (SELECT role, type, name, {single} AS types FROM ({' UNION ALL '.join(parts)})) WHERE name IS NOT NULL OR type <> '' GROUP BY ALL"
    )


def stored(con: duckdb.DuckDBPyConnection, dataset: str) -> Further:
    """The contents of the table `further` of an attached dataset."""
    made = con.execute("SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND table_name = 'further'", [dataset]).fetchone()
    rows = con.execute(f"SELECT role, type, name, types, is_list FROM {dataset}.further ORDER BY ALL").fetchall() if made else []
    found: dict[tuple[str, str], dict[str, ValueType]] = {}
    for role, kind, name, types, is_list in rows:
        of = found.setdefault((role, kind), {})
        if name is not None:
            known = {VALUE_TYPES.get(t, "VARCHAR") for t in types}
            sql = common(ValueType(t, False) for t in known)
            of[name] = ValueType(sql, is_list, sql == "VARCHAR" and len(known) > 1)
    return Further(found)


def common(every: Iterable[ValueType]) -> str:
    """The SQL type that can hold several types."""
    types = {t.sql for t in every}
    return types.pop() if len(types) == 1 else "DOUBLE" if types == {"BIGINT", "DOUBLE"} else "VARCHAR"


def _typed(text: str, declared: str | None, every: Iterable[ValueType]) -> str:
    """The text of a value as its type."""
    if declared == "time":
        return instant(text)
    sql = DECLARED.get(declared or "") or common(every)
    if declared == "number" and sql not in ("BIGINT", "DOUBLE"):
        sql = "DOUBLE"
    return text if sql == "VARCHAR" else f"try_cast({text} AS {sql})"
