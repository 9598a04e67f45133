"""Files that LOAD reads: CSV, JSON, NDJSON, Parquet and saved STIX bundles, plain or packed."""

from __future__ import annotations

import codecs
import json
import os
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from kestrel.engine.damage import damage
from kestrel.engine.metadata import NotValid, Origin, origin_in
from kestrel.engine.variable import described, kind_of_type
from kestrel.errors import KestrelError
from kestrel.formats.readers.packed import blocks, checking, opened
from kestrel.formats.readers.tables import table_of
from kestrel.formats.transforms import quoted
from kestrel.graph.formats import FileFormat, format_of
from kestrel.graph.steps import TABLE, Load
from kestrel.ingest.database import EXACT, exact_literal, insert
from kestrel.ingest.sql import fresh, quoted_name
from kestrel.lower.columns import model_attributes
from kestrel.model.vocabulary import EVERY_ENTITY, vocabulary
from kestrel.stix.bundle import NotAsWritten, rows_of
from kestrel.text import lines_in, nearest, path_text

PLAIN = "json"
"""The column DuckDB gives a JSON file without objects."""
FAITHFUL = {
    "BIGINT": "-?(0|[1-9][0-9]{0,18})",
    "DOUBLE": r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?",
    "BOOLEAN": "true|false",
    "DATE": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "TIMESTAMP": "[0-9]{4}-[0-9]{2}-[0-9]{2}.*",
    "TIMESTAMP WITH TIME ZONE": "[0-9]{4}-[0-9]{2}-[0-9]{2}.*",
}
"""How a value of a CSV file looks that is what it is said to be, by SQL type."""
NO_TYPE = '"NULL'
"""The type of a column without values begins so."""


class CannotLoad(KestrelError):
    code: ClassVar[str] = "K0409"
    part = "file"

    def __init__(self, path: Path, why: str, hint: str | None = None) -> None:
        names: list[str] = []
        with suppress(OSError):
            names = [] if os.path.exists(path) else [p.name for p in path.parent.iterdir() if p.is_file()]
        close = nearest(path.name, names, alike=0.75)
        super().__init__(f"cannot load `{path_text(path)}`: {why}", None, f"did you mean `{path_text(path.parent / close)}`?" if close else hint)


@dataclass(frozen=True)
class Peeked:
    """A LOAD as the file describes it: with the type, sources and range that it records. `columns`: each with its value type. `is_valid`:
    whether its metadata can be used."""

    step: Load
    columns: Mapping[str, str] = field(default_factory=dict)
    is_valid: bool = True


# -- reading -------------------------------------------------------------------------------------------------------


def load(con: duckdb.DuckDBPyConnection, path: Path, texts: Collection[str] = (), main: str = "value") -> str:
    """The rows of a file as a table, in the order of the file; the columns named in `texts` as they are written, and plain values in
    the column `main`.

    Raises CannotLoad, NotWritten."""
    table = fresh("file")
    if _is_bundle(path):
        try:
            put_rows(con, table, *_bundle_rows(path)[1:])
        except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.TypeMismatchException, OverflowError) as error:
            raise CannotLoad(path, "it is not a STIX bundle as Kestrel writes it", "`GET ... FROM` reads its records") from error
        return table
    with _reading(con, path, texts) as relation:
        con.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM {_plain_values(con, path, relation, main) or relation}")
    if [n for n, _ in described(con, table)] == [PLAIN] and con.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,):
        con.execute(f"CREATE OR REPLACE TEMP TABLE {table} (id VARCHAR)")
    return table


def peek(con: duckdb.DuckDBPyConnection, path: str, wanted: str | None = None) -> Peeked:
    """What is known of a file before its rows are read; plain values have the `wanted` type, if there is one. Raises CannotLoad,
    NotWritten."""
    file = Path(path)
    found = format_of(path)
    if _is_bundle(file):
        written, names, rows = _bundle_rows(file)
        return Peeked(Load(path, written), {n: kind_of_type(sql_type([row[n] for row in rows])) for n in names})
    stated, is_valid = Origin(), True
    with _reading(con, file) as relation:
        main = vocabulary().entity(wanted).main if wanted else "value"
        if _plain_values(con, file, relation, main):
            return Peeked(Load(path, wanted or TABLE), {main: "text"})
        columns = described(con, f"(SELECT * FROM {relation})")
        if found and found.kind == "parquet":
            try:
                stated = origin_in(con, file)
            except NotValid:
                is_valid = False
        kind = stated.type or _type_in(con, relation, dict(columns))
    if [n for n, _ in columns] == [PLAIN] and columns[0][1] == "JSON":  # an empty array
        return Peeked(Load(path, kind or "process", stated.sources, stated.range), {}, is_valid)
    return Peeked(Load(path, kind or TABLE, stated.sources, stated.range), {n: kind_of_type(t) for n, t in columns}, is_valid)


def _type_in(con: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str]) -> str | None:
    """The entity type that the column `type` of a file gives for all rows; without rows, the one that fits its columns."""
    if "type" not in columns:
        return None
    types = con.execute(f"SELECT DISTINCT CAST(type AS VARCHAR) FROM (SELECT * FROM {relation}) WHERE type IS NOT NULL LIMIT 2").fetchall()
    if not types:
        return _type_of_columns(columns)
    entity = vocabulary().type_named(types[0][0]) if len(types) == 1 else None
    return entity.name if entity else None


def _type_of_columns(names: Mapping[str, str]) -> str | None:
    """The entity type that all the columns of an empty file are attributes of; of several the one it has most of."""
    fitting = [t for t in vocabulary().types if all(n in EVERY_ENTITY or n in model_attributes(t) for n in names)]
    return min(fitting, key=lambda t: len(model_attributes(t)), default=None)


def _plain_values(con: duckdb.DuckDBPyConnection, path: Path, relation: str, main: str) -> str | None:
    """A FROM item of the values of a list (text with one a line, JSON without objects) in one column; None for any other file.
    Raises CannotLoad for JSON of which some elements are objects and others are not."""
    found = format_of(str(path))
    assert found is not None
    if found.kind == "text":
        return f"(SELECT {PLAIN} AS {quoted_name(main)} FROM {relation})"
    if found.kind not in ("json", "ndjson") or [n for n, _ in described(con, f"(SELECT * FROM {relation})")] != [PLAIN]:
        return None
    form = "array" if found.kind == "json" else "newline_delimited"
    packed = quoted(found.packed or "none")
    objects = f"read_json_objects({exact_literal(path)}, {EXACT}, format = '{form}', compression = {packed}, maximum_object_size = 1073741824)"
    kinds = {str(k) for (k,) in con.execute(f"SELECT DISTINCT json_type(json) FROM {objects}").fetchall()} - {"NULL", "None"}
    if not kinds or kinds == {"OBJECT"}:
        return None
    if kinds & {"OBJECT", "ARRAY"}:
        raise CannotLoad(path, "its elements are neither all plain values nor all objects", 'write every element as {"name": "cmd.exe"}')
    return f"(SELECT json ->> '$' AS {quoted_name(main)} FROM {objects} WHERE json_type(json) <> 'NULL')"


def _lines(con: duckdb.DuckDBPyConnection, path: Path, found: FileFormat) -> str:
    """A table of the lines of a text, each without the space around it; without empty lines and those that begin with `#`.
    Raises CannotLoad."""
    content = _content(path, found)
    try:
        text = content.decode("utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise CannotLoad(path, "it is not UTF-8 text") from error
    lines = [line.strip() for line in re.split(r"\r\n|\r|\n", text)]
    table = fresh("lines")
    values = [line for line in lines if line and not line.startswith("#")]
    con.execute(f"CREATE TEMP TABLE {table} AS SELECT unnest(?::VARCHAR[]) AS {PLAIN}", [values])
    return table


def _is_bundle(path: Path) -> bool:
    found = format_of(str(path))
    return found is not None and found.kind == "stix" and os.path.isfile(path)


def _bundle_rows(path: Path) -> tuple[str, list[str], list[dict[str, Any]]]:
    """Type, columns and rows of a saved STIX bundle. Raises CannotLoad, NotWritten."""
    found = format_of(str(path))
    assert found is not None
    content = _content(path, found)
    try:
        bundle = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CannotLoad(path, *damage(path, found)) from error
    try:
        kind, rows = rows_of(bundle if isinstance(bundle, dict) else {})
        names = list(dict.fromkeys(name for row in rows for name in row))
        if "" in names or len({n.casefold() for n in names}) < len(names) or (rows and not names):
            raise NotAsWritten
    except NotAsWritten as error:
        raise CannotLoad(path, "it is not a STIX bundle as Kestrel writes it", "`GET ... FROM` reads its records") from error
    return kind, names, rows


def _content(path: Path, found: FileFormat) -> bytes:
    """A whole file, unpacked. Raises CannotLoad."""
    try:
        with opened(path) as stream:
            return stream.read()
    except Exception as error:  # zstandard has an error class of its own
        if not isinstance(error, OSError | EOFError | ValueError | zlib.error) and type(error).__name__ != "ZstdError":
            raise
        raise CannotLoad(path, *damage(path, found)) from error


def put_rows(con: duckdb.DuckDBPyConnection, table: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Create a table of rows given as mappings; each column of the type that holds its values."""
    names = names or ["id"]
    columns = [[row.get(n) for row in rows] for n in names]
    types = [sql_type(values) for values in columns]
    con.execute(f"CREATE TEMP TABLE {table} ({', '.join(f'{quoted_name(n)} {kind}' for n, kind in zip(names, types, strict=True))})")
    if not rows:
        return
    if all(kind != "VARCHAR" or all(v is None or type(v) is str for v in values) for values, kind in zip(columns, types, strict=True)):
        insert(con, table, list(zip(types, columns, strict=True)))
    else:  # what DuckDB itself makes text of
        con.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", [list(row) for row in zip(*columns, strict=True)])


def sql_type(values: Sequence[Any]) -> str:
    """The SQL type that holds some Python values."""
    kinds = {type(v) for v in values if v is not None}
    if kinds <= {bool}:
        return "BOOLEAN" if kinds else "VARCHAR"
    if kinds <= {int, bool}:
        return "BIGINT"
    if kinds <= {int, float, bool}:
        return "DOUBLE"
    if kinds <= {list, tuple}:
        return sql_type([one for v in values if v is not None for one in v]) + "[]"
    return "TIMESTAMP" if {k.__name__ for k in kinds} == {"datetime"} else "VARCHAR"


@contextmanager
def _reading(con: duckdb.DuckDBPyConnection, path: Path, texts: Collection[str] = ()) -> Iterator[str]:
    """A FROM item of a file's rows; rows keep their order, and what DuckDB says of the file is said as a mistake of the hunt."""
    found = format_of(str(path))
    if not os.path.exists(path):
        raise CannotLoad(path, "there is no such file")
    if found is None or not os.path.isfile(path):
        why = (
            "its name does not end in a known file format"
            if found is None
            else "it is a folder"
            if os.path.isdir(path)
            else "it is not a regular file"
        )
        raise CannotLoad(path, why)
    if found.packed and not checking(path)():
        raise CannotLoad(path, *damage(path, found))
    con.execute("SET preserve_insertion_order = true")
    try:
        yield _relation(con, found, path, texts)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise CannotLoad(path, *damage(path, found)) from error
    finally:
        con.execute("SET preserve_insertion_order = false")


def _relation(con: duckdb.DuckDBPyConnection, found: FileFormat, path: Path, texts: Collection[str]) -> str:
    name, packed = f"{exact_literal(path)}, {EXACT}", quoted(found.packed or "none")
    match found.kind:
        case "csv":
            dialect = "header = true, skip = 0, quote = '\"', escape = '\"', sample_size = -1, max_line_size = 268435456"
            read = f"read_csv({name}, compression = {packed}, delim = {quoted(_delimiter(path))}, {dialect}"
            return read + _spared(_altered(con, f"{read}, all_varchar = true)", _sniffed(con, f"{read})"), texts)) + ")"
        case "json":
            return _json(con, f"read_json({name}, format = 'array', compression = {packed}, maximum_object_size = 1073741824", texts)
        case "ndjson":
            return _json(con, f"read_json({name}, format = 'newline_delimited', compression = {packed}, maximum_object_size = 1073741824", texts)
        case "text":
            return _lines(con, path, found)
        case _:
            return f"read_parquet({name})"


def _delimiter(path: Path) -> str:
    """What separates the columns of a CSV file: a comma, unless its header has none."""
    begin = next(iter(blocks(path)), b"").decode("utf-8-sig", "replace")
    header = next(iter(lines_in(begin)), "")
    table = None if "," in header else table_of(begin)
    return table.delimiter if table else ","


def _sniffed(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    return dict(described(con, f"(SELECT * FROM {relation})"))


def _altered(con: duckdb.DuckDBPyConnection, written: str, types: Mapping[str, str], texts: Collection[str]) -> list[str]:
    """The columns of a CSV file that are text, or of which a value would be another if it were read as what it looks like:
    `0x3e7` and `007` are no numbers. `written`: the file with every value as it is."""
    found = [n for n, t in types.items() if t != "VARCHAR" and (n in texts or t == "TIME")]
    doubtful = [(n, e) for n, t in types.items() if n not in found and (e := FAITHFUL.get(t))]
    if doubtful:
        checks = ", ".join(f"bool_and(regexp_full_match({quoted_name(n)}, {quoted(e)}))" for n, e in doubtful)
        row = con.execute(f"SELECT {checks} FROM {written}").fetchone() or ()
        found += [n for (n, _), faithful in zip(doubtful, row, strict=True) if faithful is False]
    return found


def _spared(names: Collection[str]) -> str:
    listed = ", ".join(f"{quoted(n)}: 'VARCHAR'" for n in names)
    return f", types = {{{listed}}}" if names else ""


def _json(con: duckdb.DuckDBPyConnection, read: str, texts: Collection[str]) -> str:
    """A JSON file, of which text that looks like a time or a UUID stays text where it is one."""
    types = _sniffed(con, f"{read}, sample_size = -1)")
    altered = {n for n, t in types.items() if t in ("TIME", "UUID") or (n in texts and t.startswith(("TIMESTAMP", "DATE")))}
    if not altered:
        return f"{read}, sample_size = -1)"
    known = (f"{quoted(n)}: {quoted('VARCHAR' if n in altered or t.startswith(NO_TYPE) else t)}" for n, t in types.items())
    return f"{read}, columns = {{{', '.join(known)}}})"
