"""Entity types, attributes, references and verbs, with lookups that know what a misspelt one most likely meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from kestrel.config import packaged

EVERY_ENTITY = {
    "id": "VARCHAR",
    "type": "VARCHAR",
    "first_observed": "TIMESTAMP",
    "last_observed": "TIMESTAMP",
    "number_observed": "BIGINT",
}
"""The attributes of entities of all types, name to SQL type."""
ADDRESS_TYPES = ("ipv4-addr", "ipv6-addr")
OTHER = re.compile(r"x-\w[\w-]{0,247}")
"""Names of types that the model does not know."""


@dataclass(frozen=True, slots=True)
class EntityType:
    """One type of `types.yaml`.

    columns: what the store keeps for a slot, name to SQL type. attributes: name to the expression that computes it from
    the columns. canonical: attribute to the name of its canonical form. references: reference to the type it leads to.
    """

    name: str
    main: str
    columns: Mapping[str, str]
    attributes: Mapping[str, str]
    canonical: Mapping[str, str]
    references: Mapping[str, str]
    synonyms: Mapping[str, str]

    def attribute(self, name: str) -> str | None:
        """The attribute a name stands for, or None."""
        name = self.synonyms.get(name, name)
        return name if name in self.attributes or name in EVERY_ENTITY else None

    def kind(self, attribute: str) -> Literal["text", "number", "time"]:
        """What the values of an attribute are."""
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
            self.types[name] = EntityType(
                name,
                t["main"],
                t["columns"],
                t["attributes"],
                t.get("canonical", {}),
                t.get("references", {}),
                t.get("synonyms", {}),
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
        """Whether a name is that of a type, or of one that only the data know."""
        return name in self.types or OTHER.fullmatch(name) is not None

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


@cache
def _bare(name: str) -> EntityType:
    return EntityType(name, "name", {}, {}, {}, {}, {})


def _is(pattern: str, kind: str) -> bool:
    return pattern == kind or (pattern == "address" and kind in ADDRESS_TYPES)


@cache
def vocabulary() -> Vocabulary:
    """The one vocabulary, read once."""
    return Vocabulary()
