"""Every field of the records, also those that no log format maps: `data.PATH` of events, and what ANY compares. They are read again from the
files when they are asked for, and kept for the session."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from kestrel.engine.comparison import Comparer
from kestrel.engine.raw import NoRawLines, files_of
from kestrel.errors import KestrelError
from kestrel.formats.format import LogFormat, log_formats, recognise
from kestrel.formats.transforms import quoted
from kestrel.graph.likes import characters
from kestrel.graph.steps import AttributePath, Predicate, Test, ValuesOf, paths, tests
from kestrel.ingest.again import RECORD, first_records, take
from kestrel.ingest.dataset import Dataset
from kestrel.ingest.further import Further, ValueType
from kestrel.ingest.sql import Statement, fresh
from kestrel.lower.columns import ANY, DATA, is_field
from kestrel.result import Notice
from kestrel.scratch import prefix
from kestrel.syntax.scanner import canonical
from kestrel.text import Span, listed, nearest

WHOLE = "0|-?[1-9][0-9]{0,17}"
"""Text that a number is written as, and no other text is the same number."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PLAIN = re.compile(r"[A-Za-z0-9_]{2,}")
"""Characters that JSON writes as they are, unless it escapes everything."""
ESCAPED = r"contains(l, '\u')"
ROLE = ("event", "")
"""Where the attributes of events are listed."""
VALUES = "unnest(list_concat(json_extract(l, '$..*'), coalesce(json_extract(payload, '$..*'), [])))"
"""Every value of a record, also of fields in a text with JSON."""


class NoSuchField(KestrelError):
    """A field of records (`data.PATH`) that no record has a value in. `known`: the fields that are there; None for records that have attributes
    only."""

    code: ClassVar[str] = "K0310"

    def __init__(self, name: str, known: Sequence[str] | None, span: Span | None) -> None:
        if known is None:
            hint: str | None = "records of STIX bundles are read as attributes alone; `INFO` lists those of a variable"
        else:
            close = nearest(name.removeprefix(DATA), [n for n in known if n != name.removeprefix(DATA)])
            there = [DATA + written for n in known if (written := as_written(n))]
            meant = close and as_written(close)
            hint = f"did you mean `{DATA}{meant}`?" if meant else f"the most frequent fields: {listed(there[:12])}" if there else None
        super().__init__(f"no record has a value in the field `{name}`", span, hint)


def as_written(name: str) -> str | None:
    """The name of a field as a hunt writes it; None for one that no quotes can hold."""
    return None if ('"' in name and "'" in name) or "\n" in name else canonical(f"'{name}'" if '"' in name else f'"{name}"')


@dataclass(frozen=True, slots=True)
class Field:
    """A table of rec and value: what the records have in one field."""

    table: str
    kind: ValueType


@dataclass
class Fields:
    """What was read of the records of datasets, by their keys."""

    con: duckdb.DuckDBPyConnection
    values_of: Callable[[ValuesOf], str]
    known: dict[str, dict[str, Field]] = field(default_factory=dict)
    searches: dict[str, dict[Test, str]] = field(default_factory=dict)

    def provide(self, dataset: Dataset, wanted: Iterable[AttributePath], where: Predicate | None, name: str) -> list[Notice]:
        """Give a dataset the fields of its records that some attributes and comparisons need; a notice of each that no record of a server has.
        `name`: the variable that needs them, for errors. Raises NoRawLines, NoSuchField."""
        asked = [f for f in dict.fromkeys(p.attribute for p in wanted if is_field(p)) if f not in dataset.events.fields]
        searched = [replace(t, negated=False) for t in tests(where) if t.path.attribute == ANY] if where is not None else []
        missing = [f for f in asked if f not in self.known.setdefault(dataset.key, {})]
        notices = []
        for path in wanted if any(log_formats()[n].of_bundles for n in dataset.account.log_formats) else ():
            if is_field(path) or path.attribute == ANY:
                raise NoSuchField(path.attribute, None, path.span)
        if missing:
            self.known[dataset.key] |= self._read(dataset, missing, name)
            for lacking in [f for f in missing if f not in self.known[dataset.key]]:
                if not dataset.is_live:
                    span = next((p.span for p in wanted if p.attribute == lacking), None)
                    raise NoSuchField(lacking, self.names(dataset) if dataset.account.read else [], span)
                self.known[dataset.key][lacking] = Field(self._empty(), ValueType("VARCHAR", False))
                notices.append(Notice("no-such-field", f"no record that was fetched has `{lacking}`"))
        for test in searched:
            if test not in self.searches.setdefault(dataset.key, {}):
                self.searches[dataset.key][test] = self._search(dataset, test, name)
        if any(f in self.known[dataset.key] for f in asked) or any(t not in dataset.events.searches for t in searched):
            self.widen(dataset)
        return notices

    def widen(self, dataset: Dataset) -> None:
        """Give a dataset every field that was read of its records."""
        known, searches = self.known.get(dataset.key, {}), self.searches.get(dataset.key, {})
        if known or searches:
            further = dataset.events.further
            of_event = {**further.attributes.get(ROLE, {}), **{name: one.kind for name, one in known.items()}}
            tables = {name: one.table for name, one in known.items()}
            whole = Further({**further.attributes, ROLE: of_event})
            dataset.events = replace(dataset.events, further=whole, fields=tables, searches=dict(searches))

    def tables(self) -> set[str]:
        """The tables that are kept."""
        return {f.table for known in self.known.values() for f in known.values()} | {t for known in self.searches.values() for t in known.values()}

    def forget(self, held: Iterable[str]) -> None:
        """Forget what was read of datasets other than these."""
        kept = set(held)
        self.known = {key: known for key, known in self.known.items() if key in kept}
        self.searches = {key: known for key, known in self.searches.items() if key in kept}

    # -- reading -------------------------------------------------------------------------------------------------

    def _taken(self, dataset: Dataset, columns: Callable[[LogFormat], str], where: Callable[[LogFormat], str], name: str) -> str:
        with tempfile.TemporaryDirectory(prefix=prefix()) as scratch, files_of(self.con, dataset, name) as files:
            return take(self.con, files, dataset.account.log_formats, Path(scratch), columns, where)

    def _read(self, dataset: Dataset, names: Sequence[str], variable: str) -> dict[str, Field]:
        """The fields that some record has."""
        parts = {name: _parts(name.removeprefix(DATA)) for name in names}

        def columns(log_format: LogFormat) -> str:
            return ", ".join(f"{_value(log_format, parts[name]) if all(parts[name]) else 'NULL'} AS v{n}" for n, name in enumerate(names))

        def where(log_format: LogFormat) -> str:
            return " OR ".join(f"(contains(l, {quoted(_raw(parts[name][-1]))}) OR {ESCAPED})" for name in names)

        table = self._taken(dataset, columns, where, variable)
        found = {}
        for n, name in enumerate(names):
            values = f"(SELECT rec, min(v{n})::JSON AS v FROM {table} WHERE v{n} IS NOT NULL GROUP BY rec)"
            if one := self._field(values):
                found[name] = one
        self.con.execute(f"DROP TABLE {table}")
        return found

    def _field(self, values: str) -> Field | None:
        single = "CASE WHEN json_type(v) = 'ARRAY' THEN list_filter(json_extract(v, '$[*]'), lambda e: json_type(e) <> 'NULL') ELSE [v] END"
        table = fresh("field")
        self.con.execute(f"CREATE TEMP TABLE {table} AS SELECT rec, {single} AS list FROM {values}")
        each = f"SELECT unnest(list) AS one, len(list) AS number FROM {table}"
        texts = f"SELECT json_extract_string(one, '$') AS text, json_type(one) AS kind, number FROM ({each})"
        whole = f"regexp_full_match(text, {quoted(WHOLE)})"
        number = "kind IN ('DOUBLE', 'UBIGINT', 'BIGINT') AND length(text) < 18"
        asked = f"count(*), max(number) > 1, bool_and({whole}), bool_and({number}), bool_or({whole})"
        row = self.con.execute(f"SELECT {asked} FROM ({texts})").fetchone()
        if row is None or not row[0]:
            self.con.execute(f"DROP TABLE {table}")
            return None
        sql = "BIGINT" if row[2] else "DOUBLE" if row[3] else "VARCHAR"
        typed = f"list_transform(list, lambda v: CAST(json_extract_string(v, '$') AS {sql}))"
        value = typed if row[1] else f"({typed})[1]"
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT rec, {value} AS value FROM {table} WHERE len(list) > 0")
        return Field(table, ValueType(sql, bool(row[1]), sql == "VARCHAR" and bool(row[4])))

    def _empty(self) -> str:
        table = fresh("field")
        self.con.execute(f"CREATE TEMP TABLE {table} (rec UBIGINT, value VARCHAR)")
        return table

    def _search(self, dataset: Dataset, test: Test, variable: str) -> str:
        """A table of the keys of the records with a value for which a test holds."""
        comparer, statement = Comparer(self.con, self.values_of), Statement()
        may_hold = _may_hold(test)

        def columns(log_format: LogFormat) -> str:
            return f"{RECORD}, {f'{_root(log_format)}::VARCHAR' if log_format.place.is_text else 'NULL::VARCHAR'} AS payload"

        lines = self._taken(dataset, columns, lambda _: may_hold, variable)
        single = "json_type(v) NOT IN ('OBJECT', 'ARRAY', 'NULL')"
        values = f"(SELECT rec, json_extract_string(v, '$') AS x FROM (SELECT rec, {VALUES} AS v FROM {lines}) WHERE {single})"
        holds = comparer.condition("x", "any", test, statement, values)
        table = statement.table(self.con, f"SELECT DISTINCT rec FROM {values} WHERE {holds}")
        self.con.execute(f"DROP TABLE {lines}")
        return table

    def names(self, dataset: Dataset) -> list[str]:
        """The fields that the records have where `data.` begins, the most frequent first."""

        def columns(log_format: LogFormat) -> str:
            return f"list_concat(json_keys({_root(log_format)}), json_keys(l)) AS names" if log_format.place.at else "json_keys(l) AS names"

        table = self._taken(dataset, columns, lambda _: "true", "")
        rows = self.con.execute(f"SELECT name FROM (SELECT unnest(names) AS name FROM {table}) GROUP BY name ORDER BY count(*) DESC, name").fetchall()
        self.con.execute(f"DROP TABLE {table}")
        return [name for (name,) in rows]


def first_fields(con: duckdb.DuckDBPyConnection, dataset: Dataset, records: int, number: int) -> Iterator[tuple[str, float]]:
    """The fields of the first records of a dataset as a hunt writes them, each with the share of these records that have it; none where its
    files are no longer as they were."""
    counts: Counter[str] = Counter()
    seen = 0
    with tempfile.TemporaryDirectory(prefix=prefix()) as scratch, suppress(NoRawLines), files_of(con, dataset, "") as files:
        for record in first_records(con, [f.path for f in files], Path(scratch), records):
            seen += 1
            log_format = recognise(record)
            if log_format is not None and not log_format.of_bundles:
                counts.update(set(_names(record, log_format.place.at)))
    for name, having in counts.most_common(number):
        if written := as_written(name):
            yield written, having / seen


def _names(record: Mapping[str, Any], at: Sequence[str]) -> Iterator[str]:
    yield from record
    inner: Any = record
    for part in at:
        inner = inner.get(part) if isinstance(inner, dict) else None
    if at and isinstance(inner, dict):
        yield from inner


def needed(where: Predicate | None, wanted: Iterable[AttributePath] = ()) -> bool:
    """Whether a step needs fields of records that are not kept."""
    return any(is_field(p) or p.attribute == ANY for p in [*wanted, *(paths(where) if where is not None else ())])


def _parts(name: str) -> list[str]:
    """The names of a path as it is written: `a.'b.c'` is a and b.c."""
    return [part[1:-1] if part[:1] in "'\"" else part for part in re.findall(r"'[^']*'|\"[^\"]*\"|[^.'\"]+", name)]


def _at(parts: Sequence[str]) -> str:
    """A path as a JSON pointer: it can hold every name."""
    return quoted("".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts))


def _root(log_format: LogFormat) -> str:
    """SQL of the object in which a log format keeps the fields of an event."""
    place = log_format.place
    if not place.is_text:
        return f"json_extract(l, {_at(place.at)})"
    text = f"json_extract_string(l, {_at(place.at)})"
    return f"CASE WHEN json_valid({text}) THEN {text}::JSON ELSE json_extract(l, {_at(place.at)}) END"


def _value(log_format: LogFormat, parts: Sequence[str]) -> str:
    """SQL of a field as JSON: from where the log format keeps the fields of an event, else from the top of the record."""
    found = list(_below("l", parts))
    if log_format.place.at:
        found = [*_below(_root(log_format), parts), _text(f"json_extract(l, {_at(['.'.join([*log_format.place.at, *parts])])})"), *found]
    return f"coalesce({', '.join(found)})" if len(found) > 1 else found[0]


def _below(of: str, parts: Sequence[str]) -> Iterator[str]:
    """SQL of a field in an object; also of that of all objects of a list on the way."""
    yield _text(f"json_extract({of}, {_at(parts)})")
    if all(NAME.fullmatch(part) for part in parts):
        for cut in range(1, len(parts)):
            path = f"{'.'.join(parts[:cut])}[*].{'.'.join(parts[cut:])}"
            yield f"nullif(to_json(json_extract({of}, {quoted('$.' + path)}))::VARCHAR, '[]')"


def _text(value: str) -> str:
    return f"nullif({value}::VARCHAR, 'null')"


def _raw(name: str) -> str:
    """The longest part of a name that JSON writes as it is."""
    return max(PLAIN.findall(name), key=len, default="")


def _may_hold(test: Test) -> str:
    """SQL that is true for every line `l` with a value for which a test holds, and for some others."""
    literals: list[str] = []
    for value in test.values:
        if not isinstance(value, str) or test.operator == "MATCHES":
            return "true"
        text = value
        if test.operator == "LIKE":
            text = "".join(sign if not wild else "\x00" for sign, wild in _signs(text, test.escape))
        literal = max(PLAIN.findall(text), key=len, default="")
        if not literal or not text.isascii():
            return "true"
        literals.append(literal)
    return " OR ".join([*(f"l ILIKE {quoted('%' + s.replace('_', '%') + '%')}" for s in dict.fromkeys(literals)), ESCAPED])


def _signs(pattern: str, escape: str) -> Iterable[tuple[str, bool]]:
    """The characters of a LIKE pattern, each with whether it stands for others."""
    if escape:
        return ((sign, sign in "%_" and not itself) for sign, itself in characters(pattern, escape))
    return ((sign, sign in "%_") for sign in pattern)
