"""Entity types, attributes, references and verbs, with lookups that know what a misspelt one most likely meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from kestrel.config import packaged

EVERY_ENTITY = {
    "id": "VARCHAR",
    "type": "VARCHAR",
    "first_observed": "TIMESTAMP",
    "last_observed": "TIMESTAMP",
    "number_observed": "BIGINT",
}
"""The attributes of entities of all types, name to SQL type."""
TIMESTAMP = {"@timestamp": "first_observed"}
ADDRESS_TYPES = ("ipv4-addr", "ipv6-addr")
OPEN_COLUMN = {"further": "VARCHAR"}
"""The column, in every type, of the attributes that have no column of their own: a JSON object of names and values."""
FIELD = re.compile(r"\b[a-z_]+\b(?!\()")
"""The columns in the expression of an attribute."""
OTHER = re.compile(r"x-\w[\w-]{0,247}")
"""Names of types that the model does not know."""


@dataclass(frozen=True, slots=True)
class Key:
    """What identifies an entity if the first of its columns has a value (see `types.yaml`). For types without a role, `columns` are
    attributes."""

    columns: tuple[str, ...]
    tag: str = ""
    within_host: bool = False
    ignores_case: bool = False
    anywhere: str = ""
    login: str = ""
    attribute: str = ""
    read_from: str = ""

    @property
    def searched(self) -> tuple[str, ...]:
        """The columns in which a source is searched for a value of the key."""
        return (self.read_from,) if self.read_from else self.columns

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that have the values of the columns."""
        return (self.attribute,) if self.attribute else self.columns


@dataclass(frozen=True, slots=True)
class EntityType:
    """One type of `types.yaml`.

    columns: what is kept for a role, name to SQL type. attributes: name to the expression that computes it from
    the columns. canonical: attribute to the name of its canonical form. references: reference to the type it leads to.
    further: attributes kept together in the column `further`, name to value type. open: what the names of attributes begin
    with that only data knows, before a dot. keys: what identifies an entity, best first. id: `hash` (of the first key that has a
    value), `record` or `resolved`, from the columns `resolved_from`.
    """

    name: str
    main: str
    columns: Mapping[str, str]
    attributes: Mapping[str, str]
    canonical: Mapping[str, str]
    references: Mapping[str, str]
    synonyms: Mapping[str, str]
    further: Mapping[str, str] = field(default_factory=dict)
    open: frozenset[str] = frozenset()
    keys: tuple[Key, ...] = ()
    id: Literal["hash", "record", "resolved"] = "hash"
    resolved_from: tuple[str, ...] = ()

    @property
    def has_role(self) -> bool:
        """Whether records have roles for entities of this type alone."""
        return len(self.columns) > len(OPEN_COLUMN)

    @property
    def identifying(self) -> tuple[str, ...]:
        """The columns that decide which entity a record is about."""
        return self.resolved_from or tuple(c for key in self.keys for c in key.columns)

    @property
    def id_columns(self) -> tuple[str, ...]:
        """The columns of which a role must have one to have an identity."""
        return ("id",) if self.id == "resolved" else tuple(c for key in self.keys for c in key.columns) if self.has_role else ("type",)

    @property
    def value_tag(self) -> str | None:
        """The tag of ids that are a hash of the main attribute alone; None if more than that identifies an entity."""
        key = self.keys[0] if len(self.keys) == 1 and self.id == "hash" and self.has_role else None
        return key.tag if key and not key.within_host and not key.ignores_case else None

    def is_in_every_observation(self, name: str) -> bool:
        """Whether every observation of an entity has an attribute, as one of its keys or computed from one."""
        fields = FIELD.findall(self.attributes.get(name, ""))
        return name in EVERY_ENTITY or any(name == key.attribute or c in fields for key in self.keys for c in key.searched)

    def attribute(self, name: str) -> str | None:
        """The attribute a name stands for, or None."""
        name = self.synonyms.get(name, TIMESTAMP.get(name, name))
        return name if name in self.attributes or name in EVERY_ENTITY else None

    @property
    def common(self) -> list[str]:
        """The attributes that several log formats have; the others occur only in STIX."""
        return [a for a in self.attributes if a not in self.further] or list(self.attributes)

    def is_open(self, name: str) -> bool:
        """Whether an attribute of this name is known only from the data: a custom property (`x_...`), an entry of a STIX
        dictionary, any property of a custom type."""
        first = plain_name(name).partition(".")[0]
        return first.startswith("x_") or first in self.open or (self.name.startswith("x-") and not self.attributes)

    def kind(self, attribute: str) -> Literal["text", "number", "time", "any"]:
        """The value type of an attribute; `any` if it is known only from the data, and for true and false."""
        match self.further.get(attribute):
            case "text" | "number" | "time" as known:
                return known
            case "boolean":
                return "any"
        match EVERY_ENTITY.get(attribute) or self.columns.get(self.attributes.get(attribute, ""), "VARCHAR"):
            case "TIMESTAMP":
                return "time"
            case "VARCHAR":
                return "text"
            case _:
                return "number"


@dataclass(frozen=True, slots=True)
class Relation:
    """A verb of FIND and the types it ties: subject acts on object."""

    verb: str
    passive: str | None
    pairs: tuple[tuple[str, str], ...]


class Vocabulary:
    """Lookups over `types.yaml`, `relations.yaml` and `aliases.yaml`."""

    def __init__(self) -> None:
        self.types: dict[str, EntityType] = {}
        for name, t in packaged("kestrel.model", "types.yaml").items():
            further = t.get("further", {})
            self.types[name] = EntityType(
                name,
                t["main"],
                t.get("columns", {}) | OPEN_COLUMN,
                t.get("attributes", {}) | dict.fromkeys(further, "open(further)"),
                t.get("canonical", {}),
                t.get("references", {}),
                t.get("synonyms", {}),
                further,
                frozenset(["extensions", *t.get("open", ())]),
                tuple(map(_key, t.get("keys", ()))),
                t.get("id", "hash"),
                tuple(t.get("resolved_from", ())),
            )
        self.relations = {
            verb: Relation(verb, r.get("passive"), tuple((a, b) for a, b in r["pairs"]))
            for verb, r in packaged("kestrel.model", "relations.yaml").items()
        }
        names = packaged("kestrel.model", "aliases.yaml")
        self.type_aliases: dict[str, str] = names["types"]
        self.aliases: dict[str, str] = names["attributes"]

    def type_named(self, name: str) -> EntityType | None:
        """The type a name stands for; of an unknown `x-` name one without attributes, for the data to confirm."""
        found = self.types.get(self.type_aliases.get(name, name))
        return _bare(name) if found is None and OTHER.fullmatch(name) else found

    def may_be_type(self, name: str) -> bool:
        """Whether a name is that of a type of the model, or of one known only from the data."""
        return name in self.types or OTHER.fullmatch(name) is not None

    @property
    def common(self) -> list[str]:
        """The types that several log formats have; the others occur only in STIX."""
        return [name for name in self.types if self.has_role(name)]

    def has_role(self, name: str) -> bool:
        """Whether records have roles of their own for entities of a type; the entities of all other types share one role."""
        return name in self.types and self.types[name].has_role

    def is_without_role(self, name: str) -> bool:
        """Whether entities of a type share a role with those of other types: custom types, and model types without a role."""
        return (name.startswith("x-") or name in self.types) and not self.has_role(name)

    def entity(self, name: str) -> EntityType:
        """The type of a step or of a reference's end: `address` stands for both families, a table has no attributes of its own."""
        return self.types.get("ipv4-addr" if name == "address" else name) or _bare(name)

    def can(self, verb: str, wanted: str, given: str, by: bool) -> bool:
        """Whether a record could show `FIND wanted verb [BY] given`."""
        subject, thing = (given, wanted) if by else (wanted, given)
        return verb == "LINKED" or any(_is(a, subject) and _is(b, thing) for a, b in self.relations[verb].pairs)

    def leading_from(self, given: str) -> list[str]:
        """What can be asked from entities of a type, as FIND would say it: `FIND file LOADED BY`."""
        found = []
        for relation in self.relations.values():
            for subject, thing in relation.pairs:
                if _is(subject, given):
                    found.append(f"FIND {thing} {relation.verb} BY")
                if _is(thing, given):
                    found.append(f"FIND {subject} {relation.verb}")
        return [f.replace("address", "ipv4-addr") for f in dict.fromkeys(found)]

    def relation(self, verb: str) -> Relation | None:
        return next((r for r in self.relations.values() if verb in (r.verb, r.passive)), None)

    def alias(self, written: str) -> tuple[str, str] | None:
        """Type and attribute that an ECS or OCSF name stands for (longest match first), or None."""
        parts = written.split(".")
        for n in range(len(parts), 0, -1):
            found = self.aliases.get(".".join(parts[:n]))
            if found:
                kind, _, attribute = found.partition(":")
                return kind, ".".join([attribute, *parts[n:]])
        return None


def _key(declared: Any) -> Key:
    if isinstance(declared, list):
        return Key(tuple(declared))
    texts = {name: declared[name] for name in ("tag", "anywhere", "login", "attribute", "read_from") if name in declared}
    return Key(tuple(declared["columns"]), within_host=declared.get("within") == "host", ignores_case=declared.get("ignore") == "case", **texts)


@cache
def _bare(name: str) -> EntityType:
    return EntityType(name, "name", {"type": "VARCHAR", "key": "VARCHAR"} | OPEN_COLUMN, {}, {}, {}, {})


def plain_name(name: str) -> str:
    """An attribute's name without the quotes of its parts and the indexes of lists: `x_a[*].'b'` is `x_a.b`."""
    return re.sub(r"\[[*0-9]*\]", "", name).replace("'", "")


def _is(pattern: str, kind: str) -> bool:
    return pattern == kind or (pattern == "address" and kind in ADDRESS_TYPES)


@cache
def vocabulary() -> Vocabulary:
    """The one vocabulary, read once."""
    return Vocabulary()
