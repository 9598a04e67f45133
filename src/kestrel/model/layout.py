"""The record layout: which roles a record may have, how they refer to each other, and what kinds of event there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from kestrel.config import packaged
from kestrel.model.vocabulary import EntityType, vocabulary

ADDRESSES = ("ipv4-addr", "ipv6-addr")
PROCESSES = ("process", "parent", "target")
"""The roles of processes."""
OBJECTS = "objects"
"""The role of entities whose type has none of its own."""


@dataclass(frozen=True, slots=True)
class Role:
    """One entity as described by one record. `derived`: its columns, computed from other roles' (expression texts)."""

    name: str
    type: str
    is_list: bool
    derived: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Edge:
    """`subject` `verb` `object` in one record, shown by records of these kinds (none: by all that have both roles)."""

    subject: str
    verb: str
    object: str
    kinds: tuple[int, ...]
    where: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reference:
    """The target of a reference in one record: for these event types, or for all except `others` (both empty: for every record)."""

    target: str
    kinds: tuple[int, ...] = ()
    others: tuple[int, ...] = ()


class Layout:
    """Lookups over `layout.yaml`."""

    def __init__(self) -> None:
        data = packaged("kestrel.model", "layout.yaml")
        lists = set(data["lists"])
        self.roles: dict[str, Role] = {}
        for name, what in data["roles"].items():
            derived = what["columns"] if isinstance(what, dict) else {}
            kind = what["type"] if isinstance(what, dict) else what
            self.roles[name] = Role(name, kind, name in lists, derived)
        self.kinds: list[str] = data["kinds"]
        self.references = {
            role: {name: tuple(self._reference(r) for r in (known if isinstance(known, list) else [known])) for name, known in named.items()}
            for role, named in data["references"].items()
        }
        self.edges = [
            Edge(e[0], e[1], e[2], tuple(self.kind(k) for k in options.get("kinds", ())), options.get("where", {}))
            for e in data["edges"]
            for options in [e[3] if len(e) > 3 else {}]
        ]

    def _reference(self, known: str | Mapping[str, Any]) -> Reference:
        if isinstance(known, str):
            return Reference(known)
        return Reference(known["to"], *(tuple(self.kind(k) for k in known.get(part, ())) for part in ("kinds", "except")))

    def leads_to(self, role: str, reference: str) -> tuple[Reference, ...]:
        """The roles an attribute of a role refers to; none where it has no such reference."""
        return self.references.get(role, {}).get(reference, ())

    def kind(self, name: str) -> int:
        return self.kinds.index(name)

    @property
    def created(self) -> str:
        """SQL that is true for a record of the creation of a process."""
        return f"kind IN ({self.kind('process-create')}, {self.kind('process-create-audit')})"

    def roles_of(self, type_name: str) -> list[Role]:
        """The roles that may hold an entity of this type; both address types share theirs, and all types without one of their own."""
        if vocabulary().is_without_role(type_name):
            return [replace(self.roles[OBJECTS], type=type_name)]
        wanted = "address" if type_name in ADDRESSES else type_name
        return [s for s in self.roles.values() if s.type == wanted]

    def holds(self, role: str, type_name: str) -> bool:
        """Whether a role may hold an entity of a type."""
        kind = self.roles[role].type
        return kind == type_name or (kind == "address" and type_name in ADDRESSES)

    def between(self, subject: str, thing: str, verb: str | None = None) -> list[Edge]:
        """The edges from entities of one type to those of another; of one verb, or of all."""
        return [e for e in self.edges if verb in (None, e.verb) and self.holds(e.subject, subject) and self.holds(e.object, thing)]

    def type_of(self, role: str) -> EntityType:
        return vocabulary().entity(self.roles[role].type)

    def column_type(self, column: str) -> str:
        """The SQL type of `role.column`."""
        if column in ("host", "event.code", "event.provider", "event.action"):
            return "VARCHAR"
        role, _, name = column.rpartition(".")
        sql = self.type_of(role).columns[name]
        return sql + "[]" if self.roles[role].is_list else sql


@cache
def layout() -> Layout:
    """The one layout, read once."""
    return Layout()
