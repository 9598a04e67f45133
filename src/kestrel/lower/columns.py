"""Which columns the rows of a step have beside the attributes of their type, as far as can be known before it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from kestrel.graph.steps import TABLE, Applied, AttributePath, Find, Get, Group, Join, Load, Merge, New, Refine, Rows, Step, type_of
from kestrel.model.vocabulary import vocabulary

ORIGINAL = "event.original"
"""The raw line of a record: read again from its file."""
EVENT_COLUMNS = {"event.code": "text", "event.provider": "text", "event.action": "text", ORIGINAL: "text"}
"""What RECORDS adds."""
EVENT, DATA, ANY = "x-oca-event", "data.", "ANY"
"""The type of events, how the names of fields of their records begin, and the word for any value of a record."""
ROW_COLUMNS = {"first_observed": "time", "last_observed": "time", "number_observed": "number"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Names, each with its kind (`text`, `number`, `time`, `any`). `is_open`: there may be others, which only data can tell."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    is_open: bool = False

    def and_(self, other: Columns) -> Columns:
        return Columns({**other.kinds, **self.kinds}, self.is_open or other.is_open)


def columns_beside(step: Step, known: Callable[[Step], Mapping[str, str] | None]) -> Columns:
    """The columns of a step. `known` tells those of a file or of an analytic's answer where that is there already."""
    while isinstance(step, Refine):
        step = step.input
    match step:
        case Get() | Find():
            return Columns()
        case New():
            entity = vocabulary().entity(step.type)
            return Columns({name: entity.kind(name) if "." not in name else "any" for row in step.rows for name, _ in row})
        case Load():
            found = known(step)
            return Columns({}, True) if found is None else Columns(found)
        case Applied():
            found = known(step)
            below = columns_beside(step.input, known)
            return below.and_(Columns({}, True) if found is None else Columns(found))
        case Rows():
            added = ROW_COLUMNS | ({"observation_id": "text"} if step.transform == "ADDOBSID" else {})
            added |= EVENT_COLUMNS if step.transform == "RECORDS" else {}
            return Columns(added).and_(columns_beside(step.input, known))
        case Group():
            return _of_group(step, known)
        case Join():
            left, right = columns_beside(step.left, known), columns_beside(step.right, known)
            return left.and_(right).and_(Columns(dict(model_attributes(type_of(step.right))), _only_data_knows(type_of(step.right))))
        case Merge():
            merged = Columns()
            for part in step.inputs:
                if type_of(step) == TABLE or not has_rows(part):
                    merged = merged.and_(columns_beside(part, known))
            return merged
        case _:
            assert_never(step)


def _of_group(step: Group, known: Callable[[Step], Mapping[str, str] | None]) -> Columns:
    keys = {k.name: kind_of(k.path) for k in step.keys}
    if step.aggregates:
        counting = ("COUNT", "NUNIQUE", "SUM", "AVG")
        return Columns(keys | {a.name: "number" if a.function in counting else kind_of(a.path) for a in step.aggregates})
    below = columns_beside(step.input, known)
    others = [*below.kinds, *model_attributes(type_of(step.input))]
    unique = {f"unique_{name}": "number" for name in others if name not in keys}
    return Columns({**keys, "count": "number", **unique}, below.is_open or _only_data_knows(type_of(step.input)))


def _only_data_knows(kind: str) -> bool:
    """Whether a type is a custom type, whose attributes are known only from the data."""
    return kind.startswith("x-") and kind not in vocabulary().types


def has_rows(step: Step) -> bool:
    """Whether the variable is a list of rows, and not one row an entity."""
    while isinstance(step, Refine | Applied):
        step = step.input
    match step:
        case Rows() | Group() | Join():
            return True
        case Load():
            return step.type == TABLE
        case Merge():
            return type_of(step) == TABLE
        case Get() | Find() | New():
            return False
        case _:
            assert_never(step)


def model_attributes(kind: str) -> dict[str, str]:
    """The attributes of a type and of what its references lead to, by their text, with their kinds."""
    if kind == TABLE:
        return {}
    entity = vocabulary().entity(kind)
    found: dict[str, str] = {name: entity.kind(name) for name in entity.attributes}
    for reference, target in entity.references.items():
        below = vocabulary().entity(target)
        found |= {f"{reference}.{name}": below.kind(name) for name in below.attributes}
        for deeper, end in below.references.items():
            if end == "directory":
                found[f"{reference}.{deeper}.path"] = "text"
    return found


def is_field(path: AttributePath) -> bool:
    """Whether an attribute is a field of the record of an event, or of the record that a row is of."""
    return path.attribute.startswith(DATA) and not path.known and not path.references


def kind_of(path: AttributePath) -> str:
    """How the values of a path compare: `text`, `number`, `time`, or `any` where only data tell."""
    return path.kind or vocabulary().entity(path.end).kind(path.attribute)
