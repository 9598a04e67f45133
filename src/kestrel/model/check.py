"""One check that the model is consistent: types, identity, relations, aliases and the record layout name only what exists."""

from __future__ import annotations

from collections.abc import Iterator

from kestrel.model.layout import OBJECTS, layout
from kestrel.model.vocabulary import EntityType, vocabulary

RECORD = ("host",)
"""Columns of the record itself that a key may name."""


def inconsistencies() -> Iterator[str]:
    """What is wrong with the model, each with the file and the name that is concerned."""
    for kind in vocabulary().types.values():
        yield from _of_type(kind)
    yield from _of_relations()
    yield from _of_layout()
    for alias, (type_name, attribute) in ((a, t.split(":", 1)) for a, t in vocabulary().aliases.items()):
        if type_name not in vocabulary().types or not _has(vocabulary().types[type_name], attribute):
            yield f"aliases.yaml: `{alias}` stands for `{type_name}:{attribute}`, which does not exist"


def _of_type(kind: EntityType) -> Iterator[str]:
    place = f"types.yaml: {kind.name}"
    known = {*kind.columns, *RECORD} if kind.has_role else {*kind.further}
    for key in kind.keys:
        for column in (*key.columns, *(c for c in (key.login, key.read_from) if c)):
            if column not in known:
                yield f"{place}: its keys name `{column}`, which it does not have"
        if kind.has_role and kind.id == "hash" and not key.tag:
            yield f"{place}: the key {_listed(key.columns)} has no tag"
        for attribute in key.attributes if kind.has_role and not key.read_from else ():
            if not _has(kind, attribute):
                yield f"{place}: its keys name the attribute `{attribute}`, which it does not have"
    for column in kind.resolved_from:
        if column not in kind.columns:
            yield f"{place}: it is resolved from `{column}`, which it does not have"
    if (kind.id == "resolved") != bool(kind.resolved_from):
        yield f"{place}: `id: resolved` and `resolved_from` belong together"
    if kind.has_role and not kind.keys:
        yield f"{place}: it has a role but no keys"
    if not _has(kind, kind.main):
        yield f"{place}: its main attribute `{kind.main}` does not exist"
    for name in (*kind.canonical, *kind.synonyms.values()):
        if not _has(kind, name) and name not in kind.references:
            yield f"{place}: `{name}` does not exist"
    for reference, target in kind.references.items():
        if target != "address" and target not in vocabulary().types:
            yield f"{place}: `{reference}` leads to `{target}`, which is no type"


def _of_relations() -> Iterator[str]:
    edges = {(e.verb, layout().roles[e.subject].type, layout().roles[e.object].type) for e in layout().edges}
    pairs = {(r.verb, *pair) for r in vocabulary().relations.values() for pair in r.pairs}
    yield from (f"relations.yaml: no edge of layout.yaml is `{subject} {verb} {thing}`" for verb, subject, thing in sorted(pairs - edges))
    yield from (f"layout.yaml: no relation of relations.yaml is `{subject} {verb} {thing}`" for verb, subject, thing in sorted(edges - pairs))


def _of_layout() -> Iterator[str]:
    for role in layout().roles.values():
        if role.type not in ("address", "object") and role.type not in vocabulary().types:
            yield f"layout.yaml: `{role.name}` has the type `{role.type}`, which does not exist"
    for name, references in layout().references.items():
        kind = layout().type_of(name)
        for reference, leads in references.items():
            if reference not in kind.references:
                yield f"layout.yaml: `{kind.name}` has no reference `{reference}` (role `{name}`)"
            for target in (to.target for to in leads if to.target not in layout().roles):
                yield f"layout.yaml: `{name}.{reference}` leads to `{target}`, which is no role"
    for type_name in vocabulary().common:
        if not layout().roles_of(type_name) or layout().roles_of(type_name)[0].name == OBJECTS:
            yield f"layout.yaml: no role has the type `{type_name}`"


def _has(kind: EntityType, attribute: str) -> bool:
    """Whether a type has an attribute, also one behind references or known only from data."""
    first, _, rest = attribute.partition(".")
    if kind.attribute(attribute) or kind.is_open(attribute):
        return True
    target = kind.references.get(kind.synonyms.get(first, first))
    return bool(rest and target) and _has(vocabulary().entity(str(target)), rest)


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(f"`{c}`" for c in columns)
