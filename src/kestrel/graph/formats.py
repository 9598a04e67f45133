"""What the name of a file says of its format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

SUFFIXES: dict[str, Literal["csv", "json", "ndjson", "parquet", "stix"]] = {
    ".csv": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".stix.json": "stix",
}
LISTS: dict[str, Literal["text"]] = {".txt": "text"}
"""What LOAD reads in addition: text with one value a line."""
PACKED: dict[str, Literal["gzip", "zstd"]] = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """`packed` is how the whole file is compressed; of a Parquet file, how its pages are (`.parquet.gz` as Kestrel 1.x means it)."""

    kind: Literal["csv", "json", "ndjson", "parquet", "stix", "text"]
    packed: Literal["gzip", "zstd"] | None = None


def format_of(path: str) -> FileFormat | None:
    """The format a file name stands for, or None."""
    name = PurePath(path).name.lower()
    packed = next((p for suffix, p in PACKED.items() if name.endswith(suffix)), None)
    if packed:
        name = name.rpartition(".")[0]
    found = next((kind for suffix, kind in sorted([*SUFFIXES.items(), *LISTS.items()], key=lambda s: -len(s[0])) if name.endswith(suffix)), None)
    return FileFormat(found, packed) if found else None
