"""Which types and attributes the records of a dataset have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from kestrel.engine.variable import Column, Variable
from kestrel.engine.workspace import Workspace
from kestrel.errors import KestrelError
from kestrel.formats.format import log_formats
from kestrel.graph.steps import TABLE, AttributePath
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.observations import Events, attribute, can_have, entity_type, has_attribute
from kestrel.lower.columns import ANY, EVENT
from kestrel.model.layout import OBJECTS, Role, layout
from kestrel.model.vocabulary import EVERY_ENTITY, EntityType, vocabulary
from kestrel.result import Notice
from kestrel.text import Span, listed, nearest

BRIEF = {"process_ref": ("name", "pid"), "host_ref": ("hostname",)}
"""Of what such a reference leads to, these attributes alone are listed; others are shown when they are asked for."""


class NoSuchData(KestrelError):
    """An `x_` attribute that no record has."""

    code: ClassVar[str] = "K0301"

    def __init__(self, type_name: str, name: str, known: Sequence[str], span: Span | None) -> None:
        close = nearest(name, [*known, *entity_type(type_name).further])
        hint = f"did you mean `{close}`?" if close else f"known attributes: {listed(dict.fromkeys(known))}" if known else None
        super().__init__(f"no record has `{name}` of {type_name}", span, hint)


class NoSuchType(KestrelError):
    """A custom type that no record has. `there`: the custom types that records have."""

    code: ClassVar[str] = "K0304"
    part = "type"

    def __init__(self, name: str, there: Collection[str] = ()) -> None:
        close = nearest(name, [*sorted(there), *vocabulary().types])
        hint = f"did you mean `{close}`?" if close else f"known types: {listed(dict.fromkeys([*vocabulary().common, *sorted(there)]), 20)}"
        super().__init__(f"no record has an entity of type `{name}`", None, hint)


def check_type(work: Workspace, type_name: str, events: Events | None) -> None:
    """Add a notice if no record has a type that only data can confirm. Raises NoSuchType for a custom type."""
    if vocabulary().has_role(type_name) or (events and events.has(f"{OBJECTS}.type") and type_name in events.further.types):
        return
    if events and work.has_records(events):
        if type_name not in vocabulary().types:
            raise NoSuchType(type_name, events.further.types)
        work.notices.append(Notice("no-such-entities", f"no record here has an entity of type `{type_name}`"))
        return
    work.notices.append(Notice("unknown-type", f"no records were read, so it is unknown whether there are entities of type `{type_name}`"))


def check_attributes(work: Workspace, wanted: Iterable[AttributePath], columns: Mapping[str, Column], events: Events | None) -> None:
    """Raise NoSuchData for an attribute that only data can confirm, if there are data and none has it."""
    for path in wanted:
        if path.known or path.attribute == ANY or path.text() in columns or (events and has_attribute(events, path.end, path.attribute)):
            continue
        if columns or (events and work.has_records(events)):
            kind = entity_type(path.end)
            there = _only_in_data(events, layout().roles_of(kind.name), kind)
            raise NoSuchData(path.end, path.attribute, [*columns, *kind.common, *there], path.span)
        work.notices.append(Notice("unknown-attribute", f"there is no record to tell whether {path.end} has `{path.attribute}`"))


def unmapped(work: Workspace, dataset: Dataset, wanted: Iterable[AttributePath]) -> Iterator[Notice]:
    """Notices of attributes that no record of a dataset can have: records in STIX lack them, other log formats are not mapped to them."""
    others = [name for name in dataset.account.log_formats if not log_formats()[name].of_bundles]
    for path in dict.fromkeys(wanted):
        if not path.known or path.attribute in EVERY_ENTITY or can_have(dataset.events, path) or not work.has_records(dataset.events):
            continue
        text = f"no record here has `{path.text()}` of {path.type}"
        if others:
            text = f"Kestrel does not read `{path.text()}` of {path.type} from the log format{'s' if len(others) > 1 else ''} {listed(others)}"
        yield Notice("no-such-attribute", text)


def attribute_paths(variable: Variable) -> Iterator[AttributePath]:
    """The attributes that records give the entities of a variable, at most one reference deep."""
    if variable.type == TABLE:
        return
    kind = entity_type(variable.type)
    events = variable.dataset.events if variable.dataset else None
    roles = layout().roles_of(variable.type)
    for name in kind.attributes:
        if (variable.own and name in variable.own.columns) or (events and any(attribute(events, s, name, kind) for s in roles)):
            yield AttributePath(variable.type, (), name)
    yield from (AttributePath(variable.type, (), n, False, kind="any") for n in _only_in_data(events, roles, kind))
    for reference, target in kind.references.items():
        places = dict.fromkeys(to.target for s in roles for to in layout().leads_to(s.name, reference))
        targets = [layout().roles[t] for t in places]
        below = entity_type(target)
        provided = variable.own.columns if variable.own else {}
        brief = BRIEF.get(reference) if kind.name != EVENT else None
        for name in brief or below.attributes:
            recorded = events and any(attribute(events, t, name, below) for t in targets)
            if recorded or f"{reference}.{name}" in provided:
                yield AttributePath(variable.type, ((reference, target),), name)
        if brief:
            continue
        yield from (AttributePath(variable.type, ((reference, target),), n, False, kind="any") for n in _only_in_data(events, targets, below))
        for inner, deeper in below.references.items():
            if reference == inner or deeper != "directory":
                continue
            if (events and targets) or f"{reference}.{inner}.path" in provided:
                yield AttributePath(variable.type, ((reference, target), (inner, deeper)), "path")


def _only_in_data(events: Events | None, roles: Sequence[Role], kind: EntityType) -> list[str]:
    """The attributes of some roles that are known only from the records: custom properties and entries of dictionaries."""
    found = {n: None for s in roles for n in (events.further.names(s.name, s.type) if events else ()) if events and n not in events.fields}
    return sorted(n for n in found if n not in kind.attributes and n not in EVERY_ENTITY)
