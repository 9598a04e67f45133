"""Entities as a STIX 2.1 bundle, and back: one observed-data for each entity, with the objects its attributes are of.

What STIX has a place for stands there, so that other tools (and `GET ... FROM` the file) see the entity; whatever that place does
not give back exactly is kept beside it in `x_kestrel_values`. Source: STIX 2.1, sections 2.9 (ids), 4.14, 5.1 and 6.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar

from kestrel.errors import KestrelError
from kestrel.model.vocabulary import vocabulary
from kestrel.stix.forms import FORMS, HASHES, Form, allowed, fits


class NotAsWritten(ValueError):
    """A bundle that `bundle_of` never gives."""


Row = Mapping[str, Any]
Object = dict[str, Any]

SCO = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
"""The namespace STIX 2.1 gives for the ids of cyber-observables."""
OWN = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/opencybersecurityalliance/kestrel-lang/stix-bundle")
ALONE = "x-kestrel-entity"
"""The object of an entity whose attributes make no object of its own type."""
PROPERTY = re.compile(r"x_[a-z0-9_]{1,248}")
OF_CUSTOM_TYPE = re.compile(r"[a-z][a-z0-9_]{2,249}")
ENTRY = re.compile(r"[A-Za-z0-9_-]{1,250}")
RESERVED = frozenset({"id", "type", "spec_version", "extensions", "object_marking_refs", "granular_markings", "defanged"})
OWN_REFERENCES = ("host_ref", "process_ref")
"""References of the model that only events have in STIX."""
STIX_NAMES = {
    ("process", "binary_ref"): "image_ref",
    ("process", "created"): "created_time",
    **{(t.name, r): f"x_{r}" for t in vocabulary().types.values() if not t.name.startswith("x-") for r in OWN_REFERENCES if r in t.references},
}
"""Properties STIX 2.1 calls otherwise than the model, or does not have."""
HOPS = {("file", "x_software_ref"): "software"}
"""References the model knows as part of an attribute's name."""


class NotWritten(KestrelError):
    """A bundle that is no saved variable."""

    code: ClassVar[str] = "K0411"

    def __init__(self) -> None:
        super().__init__("this STIX bundle was not saved by Kestrel", None, "ask it as a data source: `GET process FROM` its path")


def bundle_of(
    type_name: str,
    rows: Iterable[Row],
    made: datetime,
    columns: Sequence[str] = (),
    relations: Iterable[tuple[str, str, str]] = (),
) -> Object:
    """A STIX 2.1 bundle of entities of one type, ready for `json.dumps`; equal input gives an equal bundle.

    Each row: `id` (`process--` and 16 hexadecimal digits), `type`, `first_observed`, `last_observed` (UTC), `number_observed`,
    `host` (a name, or None) and attributes by their path, `parent_ref.name`. Values: text, numbers, booleans, times, lists and
    maps of those, or None. `made`: when the bundle is. `columns`: what there is even if no row is. `relations`:
    (id, verb, id) between entities of the rows.
    """
    every = list(rows)
    names = list(dict.fromkeys([*columns, *(name for row in every for name in row)]))
    written = _Written(type_name, names, made)
    for row in every:
        written.add(row)
    for subject, verb, thing in relations:
        written.relate(subject, verb, thing)
    objects = [written.about, *written.objects.values(), *written.records]
    return {"type": "bundle", "id": f"bundle--{_uuid(OWN, objects)}", "objects": objects}


def rows_of(bundle: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The type and the rows that were passed to `bundle_of`; every row has every column, None if it had no value. Raises NotWritten, and NotAsWritten
    where a bundle of Kestrel was changed into what it never writes."""
    listed = bundle.get("objects")
    objects = [o for o in listed if isinstance(o, dict)] if isinstance(listed, list) else []
    about = next((o for o in objects if "x_kestrel_type" in o), {})
    type_name, columns = about.get("x_kestrel_type"), about.get("x_kestrel_columns")
    if not isinstance(type_name, str) or not isinstance(columns, list):
        raise NotWritten
    if not vocabulary().may_be_type(type_name) or not all(isinstance(c, str) for c in columns):
        raise NotAsWritten
    known = {o["id"]: o for o in objects if isinstance(o.get("id"), str)}
    records = [o for o in objects if o.get("type") == "observed-data" and "x_kestrel_id" in o]
    try:
        return type_name, [dict(_row(record, known, columns)) for record in records]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise NotAsWritten from error


def _row(record: Object, known: Mapping[str, Object], columns: Sequence[str]) -> Iterator[tuple[str, Any]]:
    kept = record.get("x_kestrel_values", {})
    for name in columns:
        yield name, _decoded(kept[name]) if name in kept else _given_back(record, known, name)


def _given_back(record: Object, known: Mapping[str, Object], name: str) -> Any:
    """What a column is by the record's standard places."""
    refs = record["object_refs"]
    root = known.get(refs[0], {})
    match name:
        case "id":
            return record["x_kestrel_id"]
        case "type":
            return root.get("type")
        case "first_observed" | "last_observed":
            return _time(record[name])
        case "number_observed":
            return record[name]
        case "host":
            assets = [known[r] for r in (refs[-1:] if root.get("type") != "x-oca-asset" else refs[:1]) if r in known]
            return next((a.get("hostname") for a in assets if a.get("type") == "x-oca-asset"), None)
        case _:
            place = _place(root.get("type", ""), name) if root.get("type") != ALONE else None
            return place.look(root, known) if place else None


# -- places ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hop:
    """A reference by its STIX name, and the type it leads to (`address`: either family)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attribute stands: over references, then a property of a kind; `key`: inside it, where it is a map or list."""

    hops: tuple[Hop, ...]
    type: str
    property: str
    kind: str
    key: str = ""

    def look(self, root: Mapping[str, Any], known: Mapping[str, Object]) -> Any:
        """The value that stands there, or None."""
        at: Mapping[str, Any] = root
        for hop in self.hops:
            reference = at.get(hop.name)
            at = known.get(reference[0] if isinstance(reference, list) and reference else str(reference), {})
        value = at.get(self.property)
        match self.kind:
            case "time":
                return _time(value)
            case "hashes":
                return value.get(self.key) if isinstance(value, dict) else None
            case "texts":
                return value[0] if isinstance(value, list) and len(value) == 1 else value
            case "values":
                return value[0].get(self.key) if isinstance(value, list) and value else None
            case "entries":
                return value.get(self.key) if isinstance(value, dict) else None
            case _:
                return value


@lru_cache(maxsize=4096)
def _place(type_name: str, path: str) -> Place | None:
    """The place of an attribute, or None where STIX has none."""
    parts = path.split(".")
    hops = []
    while len(parts) > 1 and (there := _hop(type_name, parts[0].removesuffix("[*]"))):
        hops.append(there)
        type_name = there.type
        parts.pop(0)
    name, key = parts[0], ".".join(parts[1:])
    name = STIX_NAMES.get((type_name, name), name)
    form = FORMS["ipv4-addr" if type_name == "address" else type_name] if type_name == "address" or type_name in FORMS else None
    kind = form.properties.get(name.removesuffix("[*]")) if form else None
    match kind:
        case "hashes":
            return Place(tuple(hops), type_name, name, kind, key) if key in HASHES else None
        case "texts" if not key:
            return Place(tuple(hops), type_name, name.removesuffix("[*]"), kind)
        case "values" if key in ("name", "data", "data_type"):
            return Place(tuple(hops), type_name, name.removesuffix("[*]"), kind, key)
        case "entries" if ENTRY.fullmatch(key):
            return Place(tuple(hops), type_name, name, kind, key)
        case str() if not key:
            return Place(tuple(hops), type_name, name, kind)
    if name in RESERVED or name.endswith(("_ref", "_refs")) or kind:
        return None
    own = PROPERTY.fullmatch(name) or (form is None and (name in _attributes(type_name) or _is_custom(type_name, name)))
    if not own or (key and not ENTRY.fullmatch(key)):
        return None
    return Place(tuple(hops), type_name, name, "entries" if key else "time" if name in _times(type_name) else "any", key)


def _is_custom(type_name: str, name: str) -> bool:
    """Whether a property of a custom type may have this name."""
    return type_name not in vocabulary().types and OF_CUSTOM_TYPE.fullmatch(name) is not None


def _times(type_name: str) -> Iterable[str]:
    """The attributes of a non-STIX type that hold times."""
    known = vocabulary().types.get(type_name)
    return [n for n in known.attributes if known.kind(n) == "time"] if known else ()


def _hop(type_name: str, reference: str) -> Hop | None:
    known = vocabulary().types.get("ipv4-addr" if type_name == "address" else type_name)
    target = HOPS.get((type_name, reference)) or (known.references.get(known.synonyms.get(reference, reference)) if known else None)
    return Hop(STIX_NAMES.get((type_name, reference), reference), target) if target else None


def _attributes(type_name: str) -> Iterable[str]:
    known = vocabulary().types.get(type_name)
    return known.attributes if known else ()


# -- writing -----------------------------------------------------------------------------------------------------


@dataclass
class Draft:
    """An object as it is put together, before it has an id."""

    type: str
    properties: Object = field(default_factory=dict)
    refs: dict[str, Draft] = field(default_factory=dict)

    def put(self, place: Place, value: Any) -> None:
        at = self
        for hop in place.hops:
            at = at.refs.setdefault(hop.name, Draft(hop.type))
        match place.kind:
            case "time":
                at.properties[place.property] = _text(value)
            case "hashes":
                at.properties.setdefault(place.property, {})[place.key] = value
            case "texts":
                at.properties[place.property] = value if isinstance(value, list) else [value]
            case "values":
                at.properties.setdefault(place.property, [{}])[0][place.key] = value
            case "entries":
                if isinstance(entries := at.properties.setdefault(place.property, {}), dict):
                    entries[place.key] = value
            case _:
                at.properties[place.property] = value


class _Written:
    """The objects of a bundle while it grows; equal ones are one."""

    def __init__(self, type_name: str, columns: Sequence[str], made: datetime) -> None:
        self.type = type_name
        self.columns = columns
        self.made = made
        stated = {"name": "Kestrel", "identity_class": "system", "x_kestrel_type": type_name, "x_kestrel_columns": list(columns)}
        self.about = self._common("identity", stated)
        self.objects: dict[str, Object] = {}
        self.records: list[Object] = []
        self.roots: dict[str, str] = {}

    def add(self, row: Row) -> None:
        """The observed-data of an entity and its objects."""
        draft = Draft(self.type)
        for name in self.columns:
            place = _place(self.type, name)
            if place and row.get(name) is not None and fits(row[name], place.kind, place.key):
                draft.put(place, row[name])
        refs: list[str] = []
        entity = str(row["id"])
        root = self._object(draft, refs, entity) or self._object(Draft(ALONE, {"entity_type": self.type}), refs, entity)
        assert root is not None, "an object of our own type has no rules to break"
        self.roots[entity] = root
        refs = [root, *(r for r in dict.fromkeys(refs) if r != root)]
        host = row.get("host")
        if isinstance(host, str) and self.type != "x-oca-asset" and (asset := self._object(Draft("x-oca-asset", {"hostname": host}), [], "")):
            refs = [*(r for r in refs if r != asset), asset]
        first = _moment(row.get("first_observed"), self.made)
        number = row.get("number_observed")
        record = {
            "first_observed": _text(first),
            "last_observed": _text(max(first, _moment(row.get("last_observed"), first))),
            "number_observed": number if type(number) is int and 1 <= number <= 999_999_999 else 1,
            "object_refs": refs,
            "x_kestrel_id": entity,
        }
        kept = {name: _encoded(row.get(name)) for name in self.columns if not _same(row.get(name), _given_back(record, self.objects, name))}
        record |= {"x_kestrel_values": kept} if kept else {}
        self.records.append(self._common("observed-data", record))

    def relate(self, subject: str, verb: str, thing: str) -> None:
        """A relationship between two entities that were added."""
        stated = {"relationship_type": verb.lower().replace("_", "-"), "source_ref": self.roots[subject], "target_ref": self.roots[thing]}
        self.records.append(self._common("relationship", stated))

    def _common(self, kind: str, stated: Object) -> Object:
        """An object with the properties that all but the observables have."""
        moment = _text(self.made)[:23] + "Z"
        by = {} if kind == "identity" else {"created_by_ref": self.about["id"]}
        key = f"{kind}--{_uuid(OWN, [stated, moment])}"
        return {"type": kind, "spec_version": "2.1", "id": key, "created": moment, "modified": moment} | by | stated

    def _object(self, draft: Draft, refs: list[str], entity: str) -> str | None:
        """The id of the finished object, with those it refers to; None where it would break the rules of its type. `refs`
        takes the ids of all of them; `entity` makes the id where the type has no rule for it."""
        properties = dict(draft.properties)
        if draft.type == "process" and "name" in properties:
            draft.refs.setdefault("image_ref", Draft("file", {"name": properties["name"]}))
        if draft.type == "file" and "x_path" in properties:
            properties.setdefault("name", re.split(r"[\\/]", properties["x_path"])[-1] or properties["x_path"])
        for name, other in draft.refs.items():
            if (key := self._object(other, refs, "")) is not None:
                properties[name] = [key] if name.endswith("_refs") else key
        kind = draft.type
        if kind == "address":
            kind = "ipv6-addr" if ":" in str(properties.get("value")) else "ipv4-addr"
        properties = allowed(kind, properties)
        form = FORMS.get(kind)
        if form and not (any(p in properties for p in form.one_of) and all(p in properties for p in form.all_of)):
            return None
        stated = {"type": kind, "spec_version": "2.1", **properties}
        key = f"{kind}--{_standard(form, properties) or _uuid(OWN, [entity, stated])}"
        if self.objects.get(key, stated | {"id": key}) != stated | {"id": key}:
            key = f"{kind}--{_uuid(OWN, [entity, stated])}"
        self.objects[key] = stated | {"id": key}
        refs.append(key)
        return key


def _standard(form: Form | None, properties: Object) -> uuid.UUID | None:
    """The id STIX 2.1 gives an object: of those of its properties that tell it apart."""
    stated = {p: properties[p] for p in (form.identity if form else ()) if p in properties}
    if "hashes" in stated:
        first = next(name for name in HASHES if name in stated["hashes"])
        stated["hashes"] = {first: stated["hashes"][first]}
    return _uuid(SCO, stated) if stated else None


def _uuid(namespace: uuid.UUID, value: Any) -> uuid.UUID:
    """UUIDv5 of the canonical JSON (RFC 8785) of a value; text that is no Unicode (half a surrogate pair) has one too."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return uuid.UUID(bytes=hashlib.sha1(namespace.bytes + text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()[:16], version=5)


# -- values ------------------------------------------------------------------------------------------------------


def _moment(value: Any, otherwise: datetime) -> datetime:
    return value if isinstance(value, datetime) and value.tzinfo is not None else otherwise


def _text(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _encoded(value: Any) -> Any:
    """A value as JSON that can be told from every other."""
    match value:
        case datetime():
            return {"time": value.isoformat()}
        case float() if not math.isfinite(value):
            return {"number": repr(value)}
        case list() | tuple():
            return [_encoded(v) for v in value]
        case Mapping():
            return {"map": {str(k): _encoded(v) for k, v in value.items()}}
        case None | str() | bool() | int() | float():
            return value
        case _:
            return str(value)


def _decoded(value: Any) -> Any:
    match value:
        case {"time": str(text)}:
            return datetime.fromisoformat(text)
        case {"number": str(text)}:
            return float(text)
        case {"map": {**inside}}:
            return {k: _decoded(v) for k, v in inside.items()}
        case list():
            return [_decoded(v) for v in value]
        case _:
            return value


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or one != one) and (not isinstance(one, datetime) or one.tzinfo == other.tzinfo)
