"""The sample data as a data source of its own: `demo://host101`, with nothing to set up."""

from __future__ import annotations

from importlib import resources
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.graph.steps import Source
from kestrel.sources.files import files_source

SETS = {"host101": "host101.ndjson.zst"}


class NoSuchSample(KestrelError):
    code: ClassVar[str] = "K0429"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no sample data `{name}`", None, f"there is `demo://{next(iter(SETS))}`")


def open_uri(uri: str, rest: str) -> Source:
    """The sample data of a name. Raises NoSuchSample."""
    if rest.lower() not in SETS:
        raise NoSuchSample(rest)
    return files_source(uri, [str(resources.files("kestrel.demo") / "data" / SETS[rest.lower()])])
