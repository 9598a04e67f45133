"""What completion and help know beside the text: the vocabulary, the variables, and what lies outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a type and what it tells. `kind` is that of its values."""

    about: str = ""
    kind: Literal["text", "number", "time", "any"] = "text"


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute that leads to an entity of the type `target`."""

    target: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class EntityType:
    """A type: its attributes, those that every entity has last, and its references."""

    about: str
    attributes: Mapping[str, Attribute]
    references: Mapping[str, Reference] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Relation:
    """A verb of FIND. `pairs`: the types of subject and object; none for one that ties any types."""

    pairs: tuple[tuple[str, str], ...]
    passive: str | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable. `type` is None where only a run will tell; numbers and times (UTC) are None until they are known.

    `fullness`: attributes that are known of it beyond its type's, or how full they are (0 to 1, None where not known).
    """

    type: str | None
    fullness: Mapping[str, float | None] = field(default_factory=dict)
    entities: int | None = None
    records: int | None = None
    first_observed: datetime | None = None
    last_observed: datetime | None = None


def _nothing(_: str = "") -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Context:
    """`variables` come oldest first. `files` lists the paths that begin with a text, folders with a `/` at their end.

    `type_aliases`: other names of types. `aliases`: other names of attributes (ECS, OCSF), each `type:attribute`.
    """

    types: Mapping[str, EntityType] = field(default_factory=dict)
    type_aliases: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, Relation] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    schemes: Iterable[str] = ()
    profiles: Callable[[], Iterable[str]] = _nothing
    analytics: Iterable[str] = ()
    parameters: Iterable[str] = ()
    files: Callable[[str], Iterable[str]] = _nothing
    fields: Callable[[], Mapping[str, float]] = dict
    """The fields of the records that were read, as a hunt writes them, each with the share of the records that have it."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def type_named(self, name: str) -> str:
        """The type a name stands for; the name itself where none is known."""
        return self.type_aliases.get(name, name)

    def relation(self, verb: str) -> Relation | None:
        """The relation of a verb in its active or passive form."""
        return self.relations.get(verb) or next((r for r in self.relations.values() if r.passive == verb), None)

    def ties(self, verb: str, wanted: str | None, given: str | None, by: bool) -> bool:
        """Whether `FIND wanted verb [BY] given` can be asked; a type that is None may be any. LINKED needs no BY."""
        relation = self.relation(verb)
        if relation is None:
            return True
        if not relation.pairs:
            return not by or given is not None
        if not by and verb not in self.relations:
            return False
        pairs = ((thing, subject) if by else (subject, thing) for subject, thing in relation.pairs)
        return any(wanted in (found, None) and given in (known, None) for found, known in pairs)
