"""Entities of one type as records observe them, and the edges between them: views over `events`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kestrel.formats import expression
from kestrel.formats.transforms import quoted
from kestrel.graph.steps import AttributePath, Test
from kestrel.ingest.further import Further
from kestrel.ingest.sql import attribute_column, quoted_name
from kestrel.model.layout import ADDRESSES, OBJECTS, Edge, Role, layout
from kestrel.model.vocabulary import EntityType, Key, vocabulary

EVENT_COLUMNS = {"x-oca-asset.name": "host", "x-oca-event.created": "t"}
EVENT = "x-oca-event"
PARTED = 64
"""More than a type has roles: tells a role's number from that of the row, where a record has several."""


class Unread(Exception):
    """A column is needed that was not read with the others: the engine reads the rest and starts again. `table` is that of the records."""

    def __init__(self, column: str, table: str) -> None:
        super().__init__(column)
        self.column = column
        self.table = table


@dataclass(frozen=True, slots=True)
class Events:
    """The table of records of one dataset: its name in SQL, the columns it has, and those the files have beside them that
    were not read (yet)."""

    table: str
    columns: frozenset[str]
    unread: frozenset[str] = frozenset()
    further: Further = field(default_factory=Further)
    fields: Mapping[str, str] = field(default_factory=dict)
    """Fields of the records that were read again, by the attribute of events (`data.PATH`): for each a table of rec and value."""
    searches: Mapping[Test, str] = field(default_factory=dict)
    """The comparisons of any value that were made: each with a table of the keys of the records for which it holds."""

    def has(self, column: str) -> bool:
        """Whether a record can have the column. Raises Unread where it was left in the files."""
        if column in self.unread:
            raise Unread(column, self.table)
        return column in self.columns

    @property
    def part(self) -> str:
        """SQL of the number of a row among those of its record."""
        return "coalesce(part, 0)" if "part" in self.columns else "0"

    def place(self, role: int) -> str:
        """SQL of a number for a role that no other role or row of the record has."""
        return f"({role} + {PARTED} * {self.part})" if "part" in self.columns else str(role)

    @property
    def accounts(self) -> str:
        """The table of logins and their SIDs."""
        return self.table.replace(".events", ".accounts") if "." in self.table else "accounts"

    def with_fields(self, names: Iterable[str]) -> Events:
        """The same with a column for each of these fields, named by `field_column`."""
        wanted = {name: self.fields[name] for name in names if name in self.fields}
        if not wanted:
            return self
        shown = "".join(f", f{n}.value AS {field_column(name)}" for n, name in enumerate(wanted))
        joins = "".join(f" LEFT JOIN {table} f{n} ON f{n}.rec = e.rec" for n, table in enumerate(wanted.values()))
        return replace(self, table=f"(SELECT e.*{shown} FROM {self.table} e{joins})")


def field_column(name: str) -> str:
    """The column of a field that was read again."""
    return attribute_column(f"${name}")


def role_column(events: Events, role: Role, name: str) -> str | None:
    """SQL of a role's column, or None where no record can have it."""
    full = f"{role.name}.{name}"
    own = f'"{full}"' if not role.derived and events.has(full) else None
    match role.name, name:
        case "process", "created":
            creation = f"CASE WHEN {layout().created} THEN t END"
            return f"coalesce(CASE WHEN {own} <= t THEN {own} END, {creation}, {own})" if own else creation
        case "host", "hostname":
            return f"coalesce({own}, host)" if own else "host"
    special = EVENT_COLUMNS.get(f"{role.type}.{name}")
    if special:
        return special
    if role.derived:
        text = role.derived.get(name)
        if text is None:
            return None
        node = expression.top(text)
        base = [p for p, _ in expression.fields(node)]
        if not all(events.has(".".join(p)) for p in base):
            return None
        return expression.to_sql(node, lambda p: f'"{".".join(p)}"')
    return own


def identity(events: Events, role: Role) -> str | None:
    """SQL of the entity id of a role, NULL where the record has none; None where no record can have one."""
    if role.name == OBJECTS:
        return _object_identity(events, role)
    kind = entity_type(role.type)
    if kind.id == "record":
        return f"CASE WHEN {events.part} = 0 THEN rec END"
    if kind.id == "resolved":
        return role_column(events, role, "id")
    choices = [f"WHEN {value} IS NOT NULL THEN {_hashed(key, value)}" for key in kind.keys if (value := _key_value(events, role, key))]
    return f"CASE {' '.join(choices)} END" if choices else None


def _object_identity(events: Events, role: Role) -> str | None:
    if not events.has(f"{OBJECTS}.type") or role.type not in events.further.types:
        return None
    host = "coalesce(host, '')" if any(key.within_host for key in entity_type(role.type).keys) else "''"
    by_key = f"hash('object', item_type, {host}, item)"
    by_observation = f"hash('observation', item_type, rec, {events.part}, item_number)"
    return f"CASE WHEN item_type = {quoted(role.type)} THEN CASE WHEN item IS NOT NULL THEN {by_key} ELSE {by_observation} END END"


def _key_value(events: Events, role: Role, key: Key) -> str | None:
    """SQL of the value of a key, or None where no record can have one."""
    column = key.columns[0]
    value = "host" if column == "host" else role_column(events, role, column)
    if role.is_list and value:
        return "item"
    if key.login and role_column(events, role, key.login):
        return f"coalesce({value or 'NULL'}, {_accounts(role)}.{column})"
    return value


def _accounts(role: Role) -> str:
    """The table of logins as `from_role` joins it for a role."""
    return quoted_name(f"{role.name} accounts")


def _joined(events: Events, role: Role) -> str:
    """That join, for roles whose keys can come from other records; these report each login under at most one of them."""
    keys = entity_type(role.type).keys if role.name != OBJECTS else ()
    known = [(key.login, login) for key in keys if key.login and (login := role_column(events, role, key.login))]
    return "".join(f" LEFT JOIN {events.accounts} {_accounts(role)} ON {_accounts(role)}.{name} = lower({login})" for name, login in known)


def _hashed(key: Key, value: str) -> str:
    """SQL of the id that the value of a key gives."""
    compared = f"lower({value})" if key.ignores_case else value
    of_host = f"hash({quoted(key.tag)}, coalesce(host, ''), {compared})"
    anywhere = f"hash({quoted(key.tag)}, {compared})"
    if key.anywhere:
        return f"CASE WHEN starts_with({value}, {quoted(key.anywhere)}) THEN {anywhere} ELSE {of_host} END"
    return of_host if key.within_host else anywhere


def attribute(events: Events, role: Role, name: str, kind: EntityType) -> str | None:
    """SQL of an attribute of a role, or None where no record can have it."""
    if name in kind.further or name not in kind.attributes:
        return _further_attribute(events, role, name, kind)
    node = expression.parse(kind.attributes[name])
    assert node is not None
    columns = {p[-1] for p, _ in expression.fields(node)}
    if role.is_list:
        return expression.to_sql(node, lambda p: "item" if p[-1] == "value" else "NULL") if columns == {"value"} else None
    found = {c: role_column(events, role, c) for c in columns}
    if not any(found.values()):
        return None
    return expression.to_sql(node, lambda p: found[p[-1]] or "NULL")


def _further_attribute(events: Events, role: Role, name: str, kind: EntityType) -> str | None:
    """SQL of an attribute in the role's column `further`, with the type that its values have in all records; of a field that was read again."""
    if role.type == EVENT and name in events.fields:
        of_records = events.further.value_type(role.name, role.type, name)
        beside = field_column(name)
        return f"unnest(coalesce({beside}, [NULL]))" if of_records and of_records.is_list else beside
    column = role_column(events, role, "further")
    column = "item_further" if role.is_list and column else column
    known = events.further.value_type(role.name, role.type, name)
    if known is None or column is None:
        return None
    return known.read(column, name, kind.further.get(name), events.further.value_types(kind.name, name))


def has_attribute(events: Events, type_name: str, name: str) -> bool:
    """Whether a record can have an attribute of a type."""
    kind = entity_type(type_name)
    return any(identity(events, s) is not None and attribute(events, s, name, kind) is not None for s in layout().roles_of(kind.name))


def can_have(events: Events, path: AttributePath) -> bool:
    """Whether a record can have an attribute, also one behind references."""
    roles = layout().roles_of(path.type)
    for reference, _ in path.references:
        roles = [layout().roles[to.target] for role in roles for to in layout().leads_to(role.name, reference)]
    kind = entity_type(path.end)
    return any(identity(events, s) is not None and attribute(events, s, path.attribute, kind) is not None for s in roles)


def entity_type(name: str) -> EntityType:
    return vocabulary().entity(name)


def family(type_name: str, value: str) -> str | None:
    """A condition that tells the two address types apart."""
    match type_name:
        case "ipv4-addr":
            return f"NOT contains({value}, ':')"
        case "ipv6-addr":
            return f"contains({value}, ':')"
        case _:
            return None


def from_role(events: Events, *roles: Role) -> str:
    """The FROM item whose rows are the observations in a role; or, of several roles, those of a record. At most one is a list."""
    shown: list[str] = []
    for role in (r for r in roles if r.is_list):
        names = {"item": "key" if role.name == OBJECTS else "value"}
        if events.has(f"{role.name}.further"):
            names["item_further"] = "further"
        shown += [f'unnest("{role.name}.{column}") AS {name}' for name, column in names.items()]
        if role.name == OBJECTS:
            shown += [f'unnest("{OBJECTS}.type") AS item_type', f'generate_subscripts("{OBJECTS}.type", 1) AS item_number']
    rows = f"(SELECT *, {', '.join(shown)} FROM {events.table})" if shown else events.table
    return rows + "".join(_joined(events, role) for role in roles)


def inherent(events: Events | None, rows: str, type_name: str, name: str) -> str:
    """A FROM item of (id, value): what every entity has by its rows of (id, rec, t). Some records stand for several events and
    know when the last of them was."""
    if events is not None and name in ("last_observed", "number_observed") and events.has("last"):
        records = f"(SELECT rec, max(last) AS last, max(number) AS number FROM {events.table} GROUP BY rec)"
        value = "max(greatest(t, last))" if name == "last_observed" else "sum(greatest(coalesce(number, 1), 1))::BIGINT"
        return f"(SELECT id, {value} AS value FROM (SELECT DISTINCT id, rec, t FROM {rows}) LEFT JOIN {records} USING (rec) GROUP BY id)"
    value = {
        "id": f"any_value('{type_name}--' || lower(printf('%016x', id)))",
        "type": f"'{type_name}'",
        "first_observed": "min(t)",
        "last_observed": "max(t)",
        "number_observed": "count(DISTINCT rec)",
    }[name]
    return f"(SELECT id, {value} AS value FROM {rows} GROUP BY id)"


def observations(
    events: Events,
    type_name: str,
    attributes: Sequence[str],
    where: Iterable[str] = (),
    extra: Sequence[str] = (),
    roles: Collection[str] | None = None,
) -> str:
    """SELECT id, rec, t, the attributes, and `extra` expressions: one row an observation. `{role}` names the role's number; in
    `extra`, where a record has several rows, plus PARTED times the row's."""
    kind = entity_type(type_name)
    parts = []
    for number, role in enumerate(layout().roles_of(type_name)):
        if roles is not None and role.name not in roles:
            continue
        id_sql = identity(events, role)
        if id_sql is None:
            continue
        found = [attribute(events, role, a, kind) for a in attributes]
        if attributes and roles is None and not any(found):
            continue
        conditions = [f"({id_sql}) IS NOT NULL", *(w.replace("{role}", str(number)) for w in where)]
        if type_name in ADDRESSES and (split := family(type_name, attribute(events, role, "value", kind) or "NULL")):
            conditions.append(split)
        columns = ", ".join(
            [
                f"{id_sql} AS id",
                "rec",
                "t",
                *(f"{sql or 'NULL'} AS {attribute_column(name)}" for name, sql in zip(attributes, found, strict=True)),
                *(e.replace("{role}", events.place(number)) for e in extra),
            ]
        )
        source = from_role(events.with_fields(attributes) if role.type == EVENT else events, role)
        parts.append(f"SELECT {columns} FROM {source} WHERE {' AND '.join(conditions)}")
    if not parts:
        nothing = ", ".join(
            ["0::UBIGINT AS id", "0::UBIGINT AS rec", "NULL::TIMESTAMP AS t", *(f"NULL AS {attribute_column(a)}" for a in attributes)]
        )
        extras = "".join(", NULL AS " + e.rpartition(" AS ")[2] for e in extra)
        return f"SELECT {nothing}{extras} WHERE false"
    return " UNION ALL ".join(parts)


def edges(events: Events, found: Iterable[Edge], where: Iterable[str] = ()) -> str:
    """SELECT subject, object, rec, t: one row for each record that shows one of the edges."""
    roles = layout().roles
    parts = (_pair(events, roles[e.subject], roles[e.object], [*where, *_edge_conditions(events, e)], ("subject", "object")) for e in found)
    return _edges_of(parts)


def together(events: Events, pairs: Iterable[tuple[Role, Role]], where: Iterable[str] = ()) -> str:
    """The same for roles that occur in one record, without a particular relation."""
    by_record = "part" in events.columns
    return _edges_of((_together if by_record or (a.is_list and b.is_list) else _pair)(events, a, b, where, ("subject", "object")) for a, b in pairs)


def _edges_of(parts: Iterable[str | None]) -> str:
    return (
        " UNION ALL ".join(p for p in parts if p)
        or "SELECT 0::UBIGINT AS subject, 0::UBIGINT AS object, 0::UBIGINT AS rec, NULL::TIMESTAMP AS t WHERE false"
    )


def references(events: Events, type_name: str, reference: str, where: Iterable[str] = (), extra: Sequence[str] = ()) -> str:
    """SELECT id, target, rec, t: whom an entity's reference leads to, one row a record that shows it."""
    parts = []
    for number, role in enumerate(layout().roles_of(type_name)):
        for to in layout().leads_to(role.name, reference):
            placed = [w.replace("{role}", str(number)) for w in where]
            if to.kinds or to.others:
                placed.append(f"kind {'IN' if to.kinds else 'NOT IN'} ({', '.join(map(str, to.kinds or to.others))})")
            shown = [e.replace("{role}", events.place(number)) for e in extra]
            part = _pair(events, role, layout().roles[to.target], placed, ("id", "target"), shown)
            if part:
                parts.append(part)
    nothing = "SELECT 0::UBIGINT AS id, 0::UBIGINT AS target, 0::UBIGINT AS rec, NULL::TIMESTAMP AS t"
    nothing += "".join(", NULL AS " + e.rpartition(" AS ")[2] for e in extra)
    return " UNION ALL ".join(parts) or f"{nothing} WHERE false"


def _pair(events: Events, a: Role, b: Role, where: Iterable[str], names: tuple[str, str], extra: Sequence[str] = ()) -> str | None:
    first, second = identity(events, a), identity(events, b)
    if first is None or second is None:
        return None
    source = from_role(events, *((a,) if a.name == b.name else (a, b)))
    conditions = [f"({first}) IS NOT NULL", f"({second}) IS NOT NULL", *where]
    columns = ", ".join([f"{first} AS {names[0]}", f"{second} AS {names[1]}", "rec", "t", *extra])
    return f"SELECT {columns} FROM {source} WHERE {' AND '.join(conditions)}"


def _together(events: Events, a: Role, b: Role, where: Iterable[str], names: tuple[str, str]) -> str | None:
    """The same where the two stand in any rows of one record."""
    sides = []
    for role, name in zip((a, b), names, strict=True):
        id_sql = identity(events, role)
        if id_sql is None:
            return None
        conditions = " AND ".join([f"({id_sql}) IS NOT NULL", *where])
        sides.append(f"SELECT {id_sql} AS {name}, rec, t FROM {from_role(events, role)} WHERE {conditions}")
    return f"SELECT DISTINCT a.{names[0]}, b.{names[1]}, a.rec, a.t FROM ({sides[0]}) a JOIN ({sides[1]}) b ON b.rec = a.rec"


def _edge_conditions(events: Events, edge: Edge) -> list[str]:
    found = [f"kind IN ({', '.join(map(str, edge.kinds))})"] if edge.kinds else []
    for name, value in edge.where.items():
        found.append(f'"{name}" = {quoted(value)}' if events.has(name) else "false")
    return found
