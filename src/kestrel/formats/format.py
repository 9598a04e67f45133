"""One log format: recognised in a record, and the rules by which its events fill the columns of the record layout."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations
from typing import Any, Literal

from kestrel.formats import expression
from kestrel.formats.definition import Definition, definitions, event_file
from kestrel.formats.expression import First, Node, Place

ENVELOPE = {
    "rec": "UBIGINT",
    "t": "TIMESTAMP",
    "host": "VARCHAR",
    "kind": "UTINYINT",
    "part": "UINTEGER",
    "last": "TIMESTAMP",
    "number": "BIGINT",
    "unix": "BOOLEAN",
    "one_host": "BOOLEAN",
}
"""What a record has beside its roles. Some log formats only: `part` tells the rows of one record apart (none is 0), `last` and `number` are
the time of the last and the number of the events it stands for, `unix` whether its host runs Linux or the like (none: not known, or
Windows), `one_host` whether all records of its file are of one host, which they need not name."""
OPTIONAL = ("part", "last", "number", "unix", "one_host")
ANY = "*"
"""Stands for every provider no other sensor of the log format names."""
OTHER = (0, 0)
"""The event of a record that no sensor of the event file wrote."""
FIRST_OWN, OWN_SENSORS = 100, 156
"""The numbers of sensors that declare none."""
TEXT_CODES = 1_000_000_000
"""The first of the numbers by which codes that are texts are held."""


@dataclass(frozen=True, slots=True)
class Rule:
    """For events of a sensor with this code (None: all that no other rule names), the column is that expression (None: it
    has no value)."""

    sensor: int
    code: int | None
    column: str
    node: Node | None


@dataclass(frozen=True, eq=False)
class LogFormat:
    """A log format as its definition says. `events`: by sensor and code, the event type and the columns that an event fills. `text_codes`:
    the numbers of codes that are texts."""

    definition: Definition
    events: Mapping[str, Mapping[int | Literal["all"], Mapping[str, Any]]]
    text_codes: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def envelope(self) -> Mapping[str, Any]:
        """The parts of the definition."""
        return self.definition.parts

    @property
    def of_bundles(self) -> bool:
        """Whether the records come from STIX bundles, taken apart into rows, and can have attributes that no definition names."""
        return self.envelope.get("reader") == "stix"

    @cached_property
    def place(self) -> Place:
        """Where the fields of events are."""
        return expression.place_of(self.envelope)

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Whether a parsed record is of this log format, if no other has more marks in it."""
        return all(any(_has(record, p) for p in group) for group in self.marks) and not any(_has(record, p) for p in self.lacks)

    @cached_property
    def marks(self) -> list[list[tuple[str, ...]]]:
        """Fields that tell the log format: of each group, at least one has a value."""
        rule = self.envelope["recognise"]
        groups = [[mark(p)] for p in rule.get("has", ())]
        return groups + ([[mark(p) for p in rule["any"]]] if rule.get("any") else [])

    @cached_property
    def lacks(self) -> list[tuple[str, ...]]:
        """Fields that no record of the log format has."""
        return [mark(p) for p in self.envelope["recognise"].get("lacks", ())]

    def event_of(self, record: Mapping[str, Any]) -> tuple[int, int]:
        """The sensor's number and the code of a parsed record; OTHER where no sensor of the event file wrote it, or this takes transforms."""
        named = [str(expression.to_value(node, record) or "").lower() for node in self.provider_fields]
        known = ((n, [p.lower() for p in self.providers(name)]) for name, n in self.sensors.items())
        sensor = next((n for n, providers in known if any(p in providers for p in named)), self.otherwise)
        code = expression.to_value(expression.top(self.envelope["code"]), record)
        try:
            return (sensor, self.text_codes.get(str(code)) or int(code)) if sensor else OTHER
        except (TypeError, ValueError):
            return OTHER

    def code_text(self, code: int) -> str:
        """A code as it is in records."""
        return next((text for text, number in self.text_codes.items() if number == code), str(code))

    @cached_property
    def sensors(self) -> dict[str, int]:
        """The number of each sensor of the log format; 0 stands for none of them."""
        return {name: sensor_numbers()[name] for name in self.envelope["sensors"]}

    @cached_property
    def provider_fields(self) -> tuple[Node, ...]:
        """The fields in which a record may name its provider: an unknown channel does not hide a known provider."""
        node = expression.top(str(self.envelope["provider"]))
        return node.parts if isinstance(node, First) else (node,)

    def providers(self, sensor: str) -> list[str]:
        """The providers under whose names a sensor writes."""
        found: list[str] = self.envelope["sensors"][sensor]["provider"]
        return found

    @cached_property
    def otherwise(self) -> int:
        """The number of the sensor that stands for every other provider; 0 where the log format has none."""
        return next((number for name, number in self.sensors.items() if ANY in self.providers(name)), 0)

    @cached_property
    def rules(self) -> list[Rule]:
        """What each column is for the events of each sensor."""
        return [
            Rule(self.sensors[sensor], None if code == "all" else code, column, expression.parse(str(text), self.place))
            for sensor, events in self.events.items()
            for code, columns in events.items()
            for column, text in columns.items()
            if column != "kind"
        ]

    def kind_of(self, sensor: str, code: int | Literal["all"]) -> str | dict[str, str] | None:
        """The kind of event of a code (`all`: of codes that have none): a name, or `by` a field and a name for each of its
        values. A code without a kind is of another one."""
        events = self.events.get(sensor, {})
        otherwise = "other" if code in events and code != "all" else None
        found: str | dict[str, str] | None = events.get(code, {}).get("kind", otherwise)
        return found

    @property
    def doubted(self) -> list[str]:
        """The event types whose sensor clock may be another one than the log's."""
        return list(self.envelope["clock"].get("doubted", ()))

    def clock(self, name: str) -> Node | None:
        text = self.envelope["clock"].get(name)
        return expression.top(text) if text else None

    def columns(self) -> set[str]:
        """Every column of the layout that some event of this log format fills."""
        own = {c for c in ENVELOPE if c not in OPTIONAL or c in self.envelope}
        return {r.column for r in self.rules if r.node is not None} | own | {"event.code", "event.provider", "event.action"}


def mark(text: str) -> tuple[str, ...]:
    """A field of `recognise` as a path: `winlog.channel`, or `field('id.orig_h')` for a name with dots."""
    if text.startswith("field("):
        ((path, _),) = expression.fields(expression.top(text))
        return path
    return tuple(text.split("."))


def _has(record: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    value: Any = record
    for part in path:
        if not isinstance(value, Mapping):
            return False
        value = value.get(part)
    return value is not None


@cache
def log_formats() -> dict[str, LogFormat]:
    """Every log format by name, in the order in which they are tried: those with more marks first. Raises BadFormat."""
    found = [_log_format(d) for d in definitions().values()]
    return {f.name: f for f in sorted(found, key=lambda f: (-len(f.marks), f.name))}


def _log_format(definition: Definition) -> LogFormat:
    events = definition.parts["events"]
    if isinstance(events, str):
        events = event_file(events)
    if "kinds" in definition.parts:
        events = _with_kinds(events, event_file(definition.parts["kinds"]))
    texts = sorted({str(c) for codes in events.values() for c in codes if c != "all" and not isinstance(c, int)})
    numbers = {text: TEXT_CODES + n for n, text in enumerate(texts)}
    numbered = {
        sensor: {c if c == "all" or isinstance(c, int) else numbers[str(c)]: columns or {} for c, columns in codes.items()}
        for sensor, codes in events.items()
        if sensor in definition.parts["sensors"]
    }
    return LogFormat(definition, numbered, numbers)


def _with_kinds(events: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The events of a log format whose sensors' codes mean what another event file says; only the kinds are taken from it."""
    codes = {
        sensor: {code: {"kind": e["kind"]} for code, e in others[sensor].items() if code != "all" and "kind" in e}
        for sensor in events
        if sensor in others
    }
    return {sensor: {**codes.get(sensor, {}), **own} for sensor, own in events.items()}


def bundle_format() -> str:
    """The log format of STIX bundles."""
    return next(f.name for f in log_formats().values() if f.of_bundles)


@cache
def sensors() -> dict[str, Mapping[str, Any]]:
    """Every sensor of a log format by name, with what its definition says: its `rank` (0 is best, 1 if not stated) and whether the source of
    its network records is the initiator."""
    found: dict[str, dict[str, Any]] = {}
    for definition in definitions().values():
        for name, stated in definition.parts["sensors"].items():
            found.setdefault(name, {}).update({k: v for k, v in stated.items() if k != "provider"})
    return dict(found)


@cache
def sensor_numbers() -> dict[str, int]:
    """The number of each sensor, which is part of the keys of its records: the declared one, or one of 100 to 255 by the name."""
    found = {name: stated["number"] for name, stated in sensors().items() if "number" in stated}
    for name in sorted(sensors().keys() - found):
        wanted = zlib.crc32(name.encode()) % OWN_SENSORS
        free = (FIRST_OWN + (wanted + n) % OWN_SENSORS for n in range(OWN_SENSORS))
        found[name] = next(n for n in free if n not in found.values())
    return found


@cache
def digest() -> str:
    """A digest of all definitions: it changes if a record could be read otherwise."""
    stated = [[d.name, d.parts] for d in definitions().values()]
    return hashlib.sha256(json.dumps(stated, sort_keys=False, default=str).encode()).hexdigest()


def recognise(record: Mapping[str, Any]) -> LogFormat | None:
    """The log format of a parsed record, or None."""
    return next((s for s in log_formats().values() if s.recognises(record)), None)


def ambiguities(formats: Collection[LogFormat]) -> Iterator[str]:
    """Pairs of log formats with equally many marks that could both recognise one record, as neither says what its records lack."""
    for one, other in combinations(formats, 2):
        if len(one.marks) == len(other.marks) and not excludes(one, other) and not excludes(other, one):
            yield f"`{one.name}` and `{other.name}` have equally many marks: one of them must name a mark of the other in `lacks`"


def excludes(one: LogFormat, other: LogFormat) -> bool:
    """Whether each record of the other log format has a field that this one lacks."""
    return any(all(any(p[: len(lack)] == lack for lack in one.lacks) for p in group) for group in other.marks)
