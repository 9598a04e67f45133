"""How the records of one log format are read as SQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from kestrel.formats import expression
from kestrel.formats.expression import Field, First, Node
from kestrel.formats.format import ENVELOPE, OPTIONAL, LogFormat, Rule
from kestrel.formats.transforms import instant, quoted
from kestrel.model.layout import Layout, layout

CLOCKS = ("local", "receipt", "printed", "log", "otherwise")
SHOWN_ONLY = {"action": "event.action", "writer": "event.provider"}
"""Parts of a definition that serve one column, and are left unread without it."""
FAR = 60_000_000
"""A doubted clock further than this from the log's, in microseconds, is not believed."""


SqlOf = Callable[[Node], str]


class Reading:
    """How the records of one log format are read as SQL: the raw structure to parse, and each column over it.

    `wanted`: the columns of the layout to read; None for all that the log format fills. `events`: the only (sensor, code) pairs
    that come (the reader checks that no other did); None for all. Every declared field costs time, though no record may
    have it, and so does every test of what event a record is.
    """

    def __init__(self, log_format: LogFormat, wanted: Collection[str] | None = None, events: Collection[tuple[int, int]] | None = None) -> None:
        self.log_format = log_format
        self.events = events
        self.rules = [r for r in log_format.rules if events is None or _concerns(r, events)]
        self.layout: Layout = layout()
        every = log_format.columns()
        self.wanted = every if wanted is None else every & {*wanted, *ENVELOPE}

    @cached_property
    def structure(self) -> dict[str, Any]:
        """Raw fields as a tree of names, leaves SQL types. Two fields whose names differ only in case cannot both
        stand in it (DuckDB folds the case of struct fields): the later ones are in `apart`."""
        tree: dict[str, Any] = {}
        for path, kind in self._fields():
            place(tree, path, kind)
        return tree

    @cached_property
    def apart(self) -> set[tuple[str, ...]]:
        """Fields the structure has no place for: they are read from the line itself."""
        return {path for path, _ in self._fields() if find(self.structure, path) is None}

    @cached_property
    def _lists_apart(self) -> set[tuple[str, ...]]:
        """Those of them in which a list is read."""
        return {path for path, kind in self._fields() if kind.endswith("[]")} & self.apart

    def _fields(self) -> Iterator[tuple[tuple[str, ...], str]]:
        envelope = self.log_format.envelope
        for part in SHOWN_ONLY:
            if part in envelope and SHOWN_ONLY[part] in self.wanted:
                yield from expression.fields(expression.top(str(envelope[part])))
        yield from self._record_fields()
        for rule in self.rules:
            if rule.column in self.wanted and rule.node is not None:
                yield from expression.fields(rule.node)
        for group in self.log_format.marks:
            yield from ((path, "VARCHAR") for path in group)

    def _record_fields(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """The fields of a record's host, number, times and event type."""
        envelope = self.log_format.envelope
        for part in ("host", "code", "provider", "record", *OPTIONAL):
            if part in envelope:
                yield from expression.fields(expression.top(str(envelope[part])))
        for clock in envelope["clock"].get("sensor", {}).values():
            yield from expression.fields(expression.top(clock))
        for part in CLOCKS:
            if node := self.log_format.clock(part):
                yield from expression.fields(node)
        for sensor, code in [*self._known_events(), *((sensor, "all") for sensor in self.log_format.sensors)]:
            kind = self.log_format.kind_of(sensor, code)
            if isinstance(kind, dict) and (node := self._parse(kind["by"])):
                yield from expression.fields(node)

    def of_record(self) -> Iterator[tuple[str, ...]]:
        """The paths of these fields."""
        return (path for path, _ in self._record_fields())

    def of_event(self) -> Iterator[tuple[str, ...]]:
        """The fields that tell the event type of a record."""
        for node in (*self.log_format.provider_fields, expression.top(str(self.log_format.envelope["code"]))):
            yield from (path for path, _ in expression.fields(node))

    def _known_events(self) -> Iterator[tuple[str, int | Literal["all"]]]:
        """Sensor and code of every event to be ready for."""
        for sensor, number in self.log_format.sensors.items():
            for code in self.log_format.events.get(sensor, {}):
                if code != "all" and (self.events is None or (number, code) in self.events):
                    yield sensor, code

    def _parse(self, text: str) -> Node | None:
        return expression.parse(text, self.log_format.place)

    # -- SQL -----------------------------------------------------------------------------------------------------

    def select(
        self,
        rows: str,
        line: str | None,
        base: str = "",
        also: str = "",
        key: str | None = None,
        lists_are_text: bool = False,
        few: bool = False,
        beside: Mapping[tuple[str, ...], str] | None = None,
    ) -> str:
        """A SELECT of the layout's columns over `rows`, a FROM item with `src` and the raw structure.

        `line`: SQL of the raw line where the rows have it (for fields `apart`). `key`: SQL of the text that is the key of a record without
        record number; None: the line.
        `base`: SQL of the struct that holds the structure; empty where its top fields are columns. `also`: a column of the
        rows to keep. `lists_are_text`: whether the structure has the JSON of a list where a list is read.
        `beside`: SQL of fields `apart`, where the rows have them as columns.
        `few`: whether planning takes longer than reading the rows. Then every value is worked out once, also for rows that do not need it.
        """

        def read(path: tuple[str, ...]) -> str:
            if beside and path in beside:
                kind = next(k for p, k in self._fields() if p == path)
                return f"from_json({beside[path]}, {quoted(json.dumps([kind[:-2]]))})" if kind.endswith("[]") else beside[path]
            if path in self.apart:
                if line is None:
                    return "NULL"
                if path in self._lists_apart:
                    return f"from_json(json_extract({line}, {json_path(path)}), '[\"VARCHAR\"]')"
                return f"json_extract_string({line}, {json_path(path)})"
            field = (base + "." if base else "") + ".".join(f'"{p}"' for p in path)
            kind = find(self.structure, path)
            return (
                f"from_json({field}, {quoted(json.dumps([kind[:-2]]))})"
                if lists_are_text and isinstance(kind, str) and kind.endswith("[]")
                else field
            )

        fields: dict[Node, str] = {}

        def named(node: Node) -> str | None:
            """The column of a field, or of the first of several that has a value: it is worked out once."""
            parts = node.parts if isinstance(node, First) else (node,)
            if not few or any(not isinstance(p, Field) or p.path in self.apart for p in parts):
                return None
            return fields.setdefault(node, f'"${len(fields)}"')

        def of(node: Node) -> str:
            return expression.to_sql(node, read, named, are_texts=True)

        def sql(text: str) -> str:
            return of(expression.top(text))

        envelope = self.log_format.envelope
        inner = [
            f'{self._sensor([of(node) for node in self.log_format.provider_fields])} AS "$sensor"',
            f'{self._code(sql(str(envelope["code"])))} AS "$code"',
        ]
        clocks = {n: of(node) for n in CLOCKS if (node := self.log_format.clock(n))}
        sensor_time = self._sensor_time({self.log_format.sensors[s]: sql(f) for s, f in envelope["clock"].get("sensor", {}).items()})
        outer = [f'{instant(sensor_time) if sensor_time != "NULL" else "CAST(NULL AS TIMESTAMP)"} AS "$sensor_time"']
        for name in ("local", "receipt", "printed"):
            time = instant(clocks[name]) if name in clocks else "CAST(NULL AS TIMESTAMP)"
            if name == "receipt" and "local" in clocks:
                time = f"CASE WHEN {clocks['local']} IS NOT NULL THEN {time} END"
            outer.append(f'{time} AS "${name}"')
        key_time = self._key_time(sensor_time, clocks)
        last = instant(clocks["log"]) if "log" in clocks else instant(clocks["otherwise"])
        time = f'coalesce({self._believed(last) if "log" in clocks else chr(34) + "$sensor_time" + chr(34)}, "$local", "$printed", {last})'
        record, host = sql(str(envelope["record"])), sql(str(envelope["host"]))
        whole = f"md5_number_lower({key or line})" if key or line else "NULL"  # `hash` of long texts has collisions (decision 003)
        channel = f'CASE WHEN "$sensor" = 0 THEN lower({sql(str(envelope["provider"]))}) END'
        # One record may be there with the short and with the long name of its host. No name ends in a digit after a dot, addresses do.
        machine = f"CASE WHEN ({host})[-1] BETWEEN '0' AND '9' THEN {host} ELSE split_part({host}, '.', 1) END"
        rec = f'CASE WHEN {record} IS NOT NULL THEN hash({machine}, "$sensor", {channel}, {record}, {key_time}) ELSE {whole} END'
        columns = {
            "rec": rec,
            "t": '"$time"',
            "host": host,
            "kind": self._kind(of),
            **{c: f"try_cast({sql(envelope[c])} AS {ENVELOPE[c]})" for c in OPTIONAL if c in envelope},
            "event.code": sql(str(envelope["code"])),
            "event.provider": sql(str(envelope.get("writer", envelope["provider"]))),
            "event.action": sql(str(envelope["action"])) if envelope.get("action") else "NULL",
            **self._columns(of),
        }
        kept = [f'{x} AS "{c}"' for c, x in columns.items() if c in self.wanted]
        corrected = 'CASE WHEN "$local" IS NOT NULL OR "$printed" IS NOT NULL THEN "$sensor_time" END AS "$sensor_time"'
        chosen = (
            f'SELECT src, {f"{also}, " if also else ""}{", ".join(kept)}, "$sensor" AS sensor, "$code" AS code, '
            f'{corrected}, "$local", "$receipt", "$printed" FROM '
            f'(SELECT *, {time} AS "$time" FROM (SELECT *, {", ".join(outer)} FROM (SELECT *, {", ".join(inner)} FROM '
        )
        shared = (f"{expression.to_sql(node, read, are_texts=True)} AS {name}" for node, name in fields.items() if name in chosen)
        return f"{chosen}(SELECT {', '.join(['*', *shared])} FROM {rows}))))"

    @staticmethod
    def _key_time(sensor_time: str, clocks: Mapping[str, str]) -> str:
        """SQL of the time that distinguishes records with one number: exact clocks to the millisecond, so that it is the same in every log
        format of one log; other clocks, and text that cannot be read as a time, as they are written."""
        exact = [] if sensor_time == "NULL" else ['CAST(epoch_ms("$sensor_time") AS VARCHAR)', sensor_time]
        written = [clocks[n] for n in ("local", "printed") if n in clocks]
        log = [f"CAST(epoch_ms({instant(clocks['log'])}) AS VARCHAR)", clocks["log"]] if "log" in clocks else []
        return f"coalesce({', '.join([*exact, *written, *log, *([clocks['otherwise']] if 'otherwise' in clocks else [])])})"

    def event_columns(self, read: Callable[[tuple[str, ...]], str]) -> str:
        """SQL of the sensor and the code of a record; `read` gives the SQL of a field of `of_event`."""

        def sql(node: Node) -> str:
            return expression.to_sql(node, read, are_texts=True)

        code = self._code(sql(expression.top(str(self.log_format.envelope["code"]))))
        return f"{self._sensor([sql(n) for n in self.log_format.provider_fields])}, {code}"

    def _code(self, code: str) -> str:
        """SQL of the number of an event's code."""
        number = f"try_cast({code} AS INTEGER)"
        texts = " ".join(f"WHEN {quoted(text)} THEN {n}" for text, n in self.log_format.text_codes.items())
        return f"CASE {code} {texts} ELSE {number} END" if texts else number

    def _believed(self, log: str) -> str:
        """The sensor's time, unless it is of an event whose clock may be another one and is far from the log's exact time."""
        doubted = " OR ".join(
            f'("$sensor" = {self.log_format.sensors[sensor]} AND "$code" = {code})'
            for sensor, events in self.log_format.events.items()
            for code in events
            if code != "all" and events[code].get("kind") in self.log_format.doubted
        )
        far = f'abs(epoch_us("$sensor_time") - epoch_us({log})) > {FAR}'
        return f'CASE WHEN ({doubted}) AND {far} THEN NULL ELSE "$sensor_time" END' if doubted else '"$sensor_time"'

    def recognised(self, base: str = "", line: str | None = None) -> str:
        """SQL that is true for a row of this log format. `line`: SQL of the raw line, if rows of other log formats are among them that this
        one is distinguished from by fields that it lacks."""
        prefix = base + "." if base else ""
        tests = [
            " OR ".join(f"{prefix}{'.'.join(chr(34) + p + chr(34) for p in path)} IS NOT NULL" for path in group) for group in self.log_format.marks
        ]
        for path in self.log_format.lacks if line else ():
            names = " AND ".join(f"contains({line}, {quoted(json.dumps(part))})" for part in path)
            tests.append(f"NOT ({names} AND coalesce(json_type({line}, {json_path(path)}) <> 'NULL', false))")
        return " AND ".join(f"({t})" for t in tests)

    def lossy(self) -> list[int]:
        """Codes of events that have fields `apart`, which only the raw line can give."""
        return sorted(
            {r.code for r in self.rules if r.code is not None and r.node is not None and any(p in self.apart for p, _ in expression.fields(r.node))}
        )

    def _sensor_time(self, clocks: Mapping[int, str]) -> str:
        """The clock of the sensor that wrote the record."""
        if not clocks:
            return "NULL"
        if self.events is not None and {sensor for sensor, _ in self.events} == clocks.keys() and len(clocks) == 1:
            return next(iter(clocks.values()))
        return f'CASE "$sensor" {" ".join(f"WHEN {s} THEN {sql}" for s, sql in clocks.items())} END'

    def _sensor(self, fields: Sequence[str]) -> str:
        """The number of the sensor; the spelling of the event file is tried before the costlier ones."""
        sensors = {number: self.log_format.providers(name) for name, number in self.log_format.sensors.items() if number != self.log_format.otherwise}
        as_written = " ".join(f"WHEN {f} IN ({', '.join(map(quoted, names))}) THEN {s}" for f in fields for s, names in sensors.items())
        folded = " ".join(
            f"WHEN lower({f}) IN ({', '.join(quoted(n.lower()) for n in names)}) THEN {s}" for f in fields for s, names in sensors.items()
        )
        return f"CASE {as_written} {folded} ELSE {self.log_format.otherwise} END" if sensors else str(self.log_format.otherwise)

    def _kind(self, of: SqlOf) -> str:
        whens: dict[int, list[str]] = {}
        for sensor, code in self._known_events():
            kind = self._kind_number(self.log_format.kind_of(sensor, code), of)
            whens.setdefault(self.log_format.sensors[sensor], []).append(f"WHEN {code} THEN {kind}")
        whole = {}
        for sensor, number in self.log_format.sensors.items():
            known = self.log_format.kind_of(sensor, "all")
            other = self._kind_number(known, of) if known else "0"
            codes = whens.get(number)
            whole[number] = f'CASE "$code" {" ".join(codes)} ELSE {other} END' if codes else other
        sensors = " ".join(f"WHEN {number} THEN {kind}" for number, kind in whole.items())
        return f'CAST(CASE "$sensor" {sensors} ELSE 0 END AS UTINYINT)'

    def _kind_number(self, kind: Any, of: SqlOf) -> str:
        if isinstance(kind, str):
            return str(self.layout.kind(kind))
        node = self._parse(kind["by"])
        otherwise = str(self.layout.kind(kind[""]))
        if node is None:
            return otherwise
        whens = " ".join(f"WHEN {quoted(v)} THEN {self.layout.kind(k)}" for v, k in kind.items() if v not in ("by", ""))
        return f"CASE {of(node)} {whens} ELSE {otherwise} END"

    def _columns(self, of: SqlOf) -> dict[str, str]:
        """Each column as one CASE over the events that fill it; where all that come fill it alike, as it is."""
        cases: dict[str, dict[str, list[Rule]]] = {}
        for rule in sorted(self.rules, key=lambda r: r.code is None):
            if rule.column in self.wanted:
                sql = of(rule.node) if rule.node else "NULL"
                cases.setdefault(rule.column, {}).setdefault(f"{'all ' if rule.code is None else ''}{sql}", []).append(rule)
        found = {}
        for column, by_sql in cases.items():
            filled = self._filled_alike(list(by_sql.items()))
            whens = " ".join(f"WHEN {_events(rules)} THEN {sql.removeprefix('all ')}" for sql, rules in by_sql.items())
            found[column] = f"CAST({filled or f'CASE {whens} END'} AS {self.layout.column_type(column)})"
        return found

    def _filled_alike(self, cases: Sequence[tuple[str, list[Rule]]]) -> str | None:
        """The one expression that fills a column for every event that comes, or None."""
        if self.events is None:
            return None
        chosen = {next((sql.removeprefix("all ") for sql, rules in cases if any(_is_for(r, e) for r in rules)), None) for e in self.events}
        return chosen.pop() if len(chosen) == 1 else None


def paths_of(log_format: LogFormat) -> frozenset[tuple[str, ...]]:
    """Every field that is read from a raw record."""
    return frozenset(path for path, _ in Reading(log_format)._fields())


def _is_for(rule: Rule, event: tuple[int, int]) -> bool:
    return rule.sensor == event[0] and rule.code in (None, event[1])


def _concerns(rule: Rule, events: Collection[tuple[int, int]]) -> bool:
    return (rule.sensor, rule.code) in events or (rule.code is None and any(sensor == rule.sensor for sensor, _ in events))


def _events(rules: list[Rule]) -> str:
    by_sensor: dict[int, list[int]] = {}
    for rule in rules:
        by_sensor.setdefault(rule.sensor, []).extend([] if rule.code is None else [rule.code])
    return " OR ".join(
        f'("$sensor" = {s} AND "$code" IN ({", ".join(map(str, sorted(set(codes))))}))' if codes else f'"$sensor" = {s}'
        for s, codes in by_sensor.items()
    )


def json_path(path: tuple[str, ...]) -> str:
    """A path of fields as JSON path."""
    return quoted("$" + "".join(f'."{p}"' for p in path))


def place(tree: dict[str, Any], path: tuple[str, ...], kind: str) -> None:
    """Put a field into a raw structure, unless there is one whose name differs only in case."""
    head, rest = path[0], path[1:]
    folded = head.casefold()
    taken = head if head in tree else next((k for k in tree if len(k) == len(head) and k.casefold() == folded), None)
    if taken is not None and (taken != head or isinstance(tree[taken], dict) != bool(rest)):
        return
    if rest:
        place(tree.setdefault(head, {}), rest, kind)
    else:
        tree.setdefault(head, kind)


def find(tree: dict[str, Any], path: tuple[str, ...]) -> Any:
    """What a raw structure has at a path, or None."""
    for part in path:
        if not isinstance(tree, dict) or part not in tree:
            return None
        tree = tree[part]
    return tree
