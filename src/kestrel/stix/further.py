"""The attributes of STIX objects without a column in their role: custom properties, and standard ones that occur only in STIX, as one JSON text.

Names are flat: an entry of a dictionary, an object in a list and what a reference leads to follow a dot
(`environment_variables.PATH`, `content_ref.mime_type`). A list of one value is that value. Source: STIX 2.1 section 6, STIX 2.0 part 4.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from kestrel.formats.transforms import CANONICAL
from kestrel.model.vocabulary import EntityType, vocabulary

Object = Mapping[str, Any]
STRUCTURE = frozenset({"type", "id", "spec_version", "defanged", "object_marking_refs", "granular_markings"})
"""Properties that describe the object and not what was observed."""
HASHES = {
    "".join(c for c in name.lower() if c.isalnum()): name
    for name in "MD5 SHA-1 SHA-224 SHA-256 SHA-384 SHA-512 SHA3-224 SHA3-256 SHA3-384 SHA3-512 IMPHASH SSDEEP TLSH".split()
}
"""Hash names, whatever punctuation producers write in them."""


def further(of: Object, graph: Mapping[str, Object]) -> dict[str, Any]:
    """`further`: the object's attributes that have no column of their own, as JSON; nothing where it has none."""
    kind = vocabulary().entity(str(of.get("type")))
    found: dict[str, list[Any]] = {}
    for name, value in _flat(of, graph):
        name = name if "_ref." in kind.synonyms.get(name, "") else kind.synonyms.get(name, name)
        if name in kind.further or (name not in kind.attributes and kind.is_open(name) and name.partition(".")[0] not in kind.references):
            found.setdefault(name, []).append(_canonical(kind, name, value))
    known = {name: values[0] if len(values) == 1 else values for name, values in found.items()}
    return {"further": json.dumps(known, ensure_ascii=False)} if known else {}


def key_of(of: Object) -> str | None:
    """The identity of an object of a type without a role: the properties that the model names for the type, else its
    STIX 2.1 id; None if each observation is a separate entity."""
    kind = vocabulary().entity(str(of.get("type")))
    known: dict[str, Any] = {}
    for name, value in _flat(of, {}):
        known.setdefault(name, _canonical(kind, name, value))
    for key in kind.keys:
        if key.columns[0] in known:
            return json.dumps([known.get(name) for name in key.columns], ensure_ascii=False)
    own = of.get("id")
    return own if isinstance(own, str) and "--" in own else None


def _flat(of: Object, graph: Mapping[str, Object]) -> Iterator[tuple[str, Any]]:
    """Name and value of each single value in an object, in the order in which they stand there."""
    for name, value in of.items():
        if name in STRUCTURE:
            continue
        if name.endswith(("_ref", "_refs")):
            yield from _referred(str(name), value, graph)
        elif name == "hashes" and isinstance(value, Mapping):
            for digest, text in value.items():
                yield f"hashes.{HASHES.get(''.join(c for c in str(digest).lower() if c.isalnum()), digest)}", text
        else:
            yield from _values(str(name), value)


def _referred(name: str, value: Any, graph: Mapping[str, Object]) -> Iterator[tuple[str, Any]]:
    """The properties of the object that a reference leads to, one step deep; the id itself if it is meaningful."""
    for key in value if isinstance(value, list) else [value]:
        if str(key) in graph:
            for inner, deeper in graph[str(key)].items():
                if inner not in STRUCTURE and not inner.endswith(("_ref", "_refs")):
                    yield from _values(f"{name}.{inner}", deeper)
        if isinstance(key, str) and "--" in key:
            yield name, key


def _values(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case Mapping():
            for inner, deeper in value.items():
                yield from _values(f"{name}.{inner}", deeper)
        case list():
            for one in value:
                yield from _values(name, one)
        case float() if not math.isfinite(value):
            yield name, str(value)
        case int() if abs(value) >= 2**63:
            yield name, str(value)
        case str() | int() | float() if value not in ("", "-"):
            yield name, value


def _canonical(kind: EntityType, name: str, value: Any) -> Any:
    form = kind.canonical.get(name)
    return CANONICAL[form](value) if form and isinstance(value, str) else value
