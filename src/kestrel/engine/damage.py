"""What is wrong with a file that LOAD cannot read: found by looking at the file, with line and column where that can be told."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from kestrel.formats.readers.packed import DAMAGED, CutOff, Damaged, Trailing, blocks, reason_of
from kestrel.graph.formats import FileFormat
from kestrel.text import csv_rows, lines_in

LOOKED_AT = 64 << 20
"""The number of bytes that are checked of a larger file."""


def damage(path: Path, found: FileFormat) -> tuple[str, str | None]:
    """Why the file cannot be read, and what to do about it."""
    try:
        if found.kind == "parquet":
            return "it is not a Parquet file, or it is cut off", None
        if found.packed:
            with path.open("rb") as file:
                if not file.read(4).startswith({"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}[found.packed]):
                    return f"its name says {found.packed}, but it is not compressed with {found.packed}", None
        content = bytearray()
        for block in blocks(path):
            content += block[: LOOKED_AT - len(content)]
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8 text", "save it as UTF-8"
    except CutOff:
        return "its compressed data are cut off", None
    except Trailing:
        return "uncompressed data follow the end of its compressed data", None
    except Damaged:
        return DAMAGED, None
    except OSError as error:
        return reason_of(error), None
    match found.kind:
        case "csv":
            return next(
                _of_csv(text), "its rows have different numbers of fields"
            ), "a field that contains a comma or a line break must be in double quotes"
        case "ndjson":
            return next(_of_lines(text), "its lines are no objects"), 'every line is one object, like `{"name": "cmd.exe"}`'
        case "stix":
            return next(_of_json(text), "it is no STIX bundle"), None
        case _:
            return _of_array(text)


def _of_csv(text: str) -> Iterator[str]:
    reader = csv_rows(lines_in(text), strict=True)
    width = 0
    try:
        for row in reader:
            width = width or len(row)
            if row and len(row) != width:
                yield f"line {reader.line_num} has {len(row)} fields, and the first line {width}"
    except csv.Error:
        yield f"line {_open_quote(text)} has a quote that is never closed, or characters after one"


def _open_quote(text: str) -> int:
    """The line of the first record that cannot be read."""
    reader = csv_rows(lines_in(text), strict=True)
    last = 0
    with suppress(csv.Error):
        for _ in reader:
            last = reader.line_num
    return last + 1


def _of_lines(text: str) -> Iterator[str]:
    for number, line in enumerate((line.rstrip("\r\n") for line in lines_in(text)), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except ValueError as error:
                yield f"line {number}, column {getattr(error, 'colno', 1)} is no JSON"
            except RecursionError:
                yield f"line {number} is nested too deeply"
            else:
                if not isinstance(value, dict):
                    yield f"line {number} is no object"


def _of_array(text: str) -> tuple[str, str | None]:
    several = "a file of one object a line is called `.ndjson` or `.jsonl`"
    begins = text.lstrip("\ufeff \t\r\n")
    if begins[:1] == "{" and len(list(islice(_whole_lines(begins), 2))) == 2:
        return "it is no JSON array", several
    if why := next(_of_json(text), None):
        return why, None if begins[:1] == "[" else "a JSON file is an array of objects"
    value = json.loads(text)
    if not isinstance(value, list):
        return "it is no array", 'a JSON file is an array of objects: `[{"name": "cmd.exe"}]`'
    return "its rows are not objects with the same fields", 'a JSON file is an array of objects: `[{"name": "cmd.exe"}]`'


def _of_json(text: str) -> Iterator[str]:
    """Where a JSON text goes wrong."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) and text.strip():
            yield f"it is cut off after line {text.rstrip().count(chr(10)) + 1}"
        else:
            yield f"line {error.lineno}, column {error.colno} is no JSON"
    except RecursionError:
        yield "it is nested too deeply"


def _whole_lines(text: str) -> Iterator[str]:
    """Lines that are an object each."""
    for line in (one.rstrip("\r\n") for one in lines_in(text)):
        with suppress(ValueError, RecursionError):
            if isinstance(json.loads(line), dict):
                yield line
