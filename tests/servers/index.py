"""One index on a server, and how documents get into it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.answer import ServerError
from tests.servers.server import Server

BATCH = 2_000


class NotIndexed(Exception):
    def __init__(self, index: str, count: int, reasons: list[str]) -> None:
        super().__init__(f"{count} documents were not indexed in {index}: " + "; ".join(reasons))


@dataclass(frozen=True)
class Index:
    server: Server
    name: str

    @property
    def url(self) -> str:
        return f"{self.server.url}/{self.name}"

    def create(self, *, settings: Mapping[str, Any] | None = None, mappings: Mapping[str, Any] | None = None) -> None:
        """What is given here is laid over the template, if the index has a name that gets it."""
        body = {"settings": dict(settings or {}), "mappings": dict(mappings or {})}
        self.server.ask("PUT", f"/{self.name}", body)

    def add(self, documents: Iterable[Mapping[str, Any] | str], *, refresh: bool = True) -> int:
        """Indexes documents (mappings, or lines of JSON) by `_bulk`; `_id` in a mapping is its id. Safe in any thread. Raises NotIndexed."""
        count = 0
        for batch in _batches(documents):
            answer = self.server.ask("POST", f"/{self.name}/_bulk?filter_path=errors,items.*.error,items.*._id", batch.encode())
            if answer["errors"]:
                errors = [result["error"] for item in answer["items"] for result in item.values() if "error" in result]
                reasons = [f"{error['type']}: {error['reason']} {error.get('caused_by', {}).get('reason', '')}".strip() for error in errors[:3]]
                raise NotIndexed(self.name, len(errors), reasons)
            count += len(answer["items"])
        if refresh:
            self.refresh()
        return count

    def refresh(self) -> None:
        self.server.ask("POST", f"/{self.name}/_refresh")

    def count(self, query: Mapping[str, Any] | None = None) -> int:
        found: int = self.server.ask("POST", f"/{self.name}/_count", {"query": query or {"match_all": {}}})["count"]
        return found

    def search(self, body: Mapping[str, Any] | None = None, parameters: str = "") -> Any:
        return self.server.ask("POST", f"/{self.name}/_search" + (f"?{parameters}" if parameters else ""), body or {})

    def delete(self) -> None:
        try:
            self.server.ask("DELETE", f"/{self.name}")
        except ServerError as error:
            if error.status != 404:
                raise


def _batches(documents: Iterable[Mapping[str, Any] | str]) -> Iterator[str]:
    lines = map(_lines, documents)
    while batch := "".join(itertools.islice(lines, BATCH)):
        yield batch


def _lines(document: Mapping[str, Any] | str) -> str:
    if isinstance(document, str):
        return '{"create":{}}\n' + document.strip() + "\n"
    action = {"_id": document["_id"]} if "_id" in document else {}
    source = {name: value for name, value in document.items() if name != "_id"}
    return f"{json.dumps({'create': action})}\n{json.dumps(source)}\n"
