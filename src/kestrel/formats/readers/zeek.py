"""Zeek's own log format: values in columns, described by lines that begin with `#` (docs.zeek.org, Zeek TSV format logs)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
NUMBERS = ("count", "int", "port")
DECIMALS = ("double", "interval", "time")


def is_zeek(text: str) -> bool:
    return text.startswith("#separator ")


class Records:
    """The records of a log as JSON objects, each on one line, with the log's name as `_path`; a line with another number of columns than
    the description before it as it is."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        separator, set_separator, empty, unset = "\t", ",", "(empty)", "-"
        path, fields, types = "", [""], [""]
        for line in self._lines:
            if line.startswith("#"):
                name, _, rest = line[1:].partition(" " if line.startswith("#separator") else separator)
                match name:
                    case "separator":
                        separator = _text(rest)
                    case "set_separator":
                        set_separator = _text(rest)
                    case "empty_field":
                        empty = rest
                    case "unset_field":
                        unset = rest
                    case "path":
                        path = rest
                    case "fields":
                        fields = rest.split(separator)
                    case "types":
                        types = rest.split(separator)
                continue
            values = line.split(separator)
            if len(values) != len(fields) or len(types) != len(fields):
                yield line
                continue
            record: dict[str, Any] = {"_path": path}
            for field, kind, value in zip(fields, types, values, strict=True):
                if value != unset:
                    record[field] = _value(kind, value, set_separator, empty)
            yield json.dumps(record, ensure_ascii=False)


def _value(kind: str, value: str, separator: str, empty: str) -> Any:
    if kind.startswith(("set[", "vector[")):
        inner = kind[kind.index("[") + 1 : -1]
        return [] if value == empty else [_value(inner, part, separator, empty) for part in value.split(separator)]
    if value == empty:
        return ""
    try:
        if kind in NUMBERS:
            return int(value)
        if kind == "bool":
            return value == "T"
        return value if kind in DECIMALS else _text(value)
    except ValueError:
        return value


def _text(value: str) -> str:
    """A value with its escaped bytes."""
    return ESCAPED.sub(lambda m: bytes.fromhex(m[0].replace("\\x", "")).decode("utf-8", "replace"), value) if "\\x" in value else value
