"""A page of documents. Each stays the JSON text that the server wrote: to take it apart and write it anew would take longer than to
fetch it."""

from __future__ import annotations

import json as tolerant
import re
from typing import Any

from msgspec import DecodeError, Raw, Struct, field, json

CLOCK = "@timestamp"
PLAIN = re.compile(rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"')
"""A time as JSON text that needs no conversion; any other is replaced by the server's own reading of it."""


class Hit(Struct):
    """A document, where it is stored, and its place in the order of the pages."""

    index: str = field(name="_index")
    id: str = field(name="_id")
    source: Raw = field(name="_source", default=Raw(b""))
    fields: dict[str, Any] = {}
    sort: list[Any] = []

    @property
    def is_kept(self) -> bool:
        """Whether the server stores the document at all (`_source`)."""
        return bool(bytes(self.source))

    def line(self) -> bytes | None:
        """The document as a line of its own, with where it is stored, so that two with the same content are two; None where it is not a
        JSON object."""
        text = bytes(self.source)
        if not text.startswith(b"{"):
            return None
        if time := self._time(text):
            text = _with_time(text, time)
        if b"\n" in text or b"\r" in text:
            text = json.format(text, indent=-1)
        place, content = json.encode({"_index": self.index, "_id": self.id}), text[1:].lstrip()
        if content.startswith(b"}"):
            return place + b"\n"
        return b"%b,%b\n" % (place[:-1], content)

    def _time(self, text: bytes) -> str | None:
        """The document's time as the server formats it, if its own format is ambiguous."""
        formatted = self.fields.get(CLOCK)
        if not isinstance(formatted, list) or not formatted or not isinstance(formatted[0], str):
            return None
        try:
            written = bytes(CLOCKS.decode(text).time)
        except (DecodeError, RecursionError):
            return None
        return None if PLAIN.fullmatch(written) else formatted[0]


class Clock(Struct):
    """The time of a document, as it is written."""

    time: Raw = field(name=CLOCK, default=Raw(b""))


CLOCKS = json.Decoder(Clock)


def _with_time(text: bytes, time: str) -> bytes:
    """A document with its time replaced; one that cannot be parsed is left unchanged."""
    try:
        document = json.decode(text)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return text
    return json.encode({**document, CLOCK: time})


class Hits(Struct):
    """The documents of a page, and how many there are in all."""

    hits: list[Hit] = []
    total: dict[str, Any] | int = {}
    """The number of documents; older servers give it without its relation."""

    @property
    def number(self) -> int | None:
        """How many documents there are in all; None if that is not known exactly."""
        if isinstance(self.total, int):
            return self.total
        value = self.total.get("value")
        return value if isinstance(value, int) and self.total.get("relation", "eq") == "eq" else None


class Page(Struct):
    """An answer with documents."""

    took: float = 0.0
    timed_out: bool = False
    shards: dict[str, Any] | None = field(name="_shards", default=None)
    clusters: dict[str, Any] | None = field(name="_clusters", default=None)
    point: str | None = field(name="pit_id", default=None)
    hits: Hits = field(default_factory=Hits)
    broken: int = 0
    """Hits that are not documents: without an index or an id."""

    @property
    def about(self) -> dict[str, Any]:
        """What the answer says about itself."""
        return {"took": self.took, "timed_out": self.timed_out, "_shards": self.shards, "_clusters": self.clusters}


PAGES = json.Decoder(Page)


def read_page(content: bytes) -> Page | None:
    """A page, or None if the answer is not one. An error in one document does not affect others."""
    try:
        return PAGES.decode(content)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return _piece_by_piece(content)


def _piece_by_piece(content: bytes) -> Page | None:
    try:
        answer = tolerant.loads(content.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    found = answer.get("hits") if isinstance(answer, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("hits"), list) or not isinstance(answer.get("_shards"), dict):
        return None
    hits = [hit for one in found["hits"] if (hit := _hit(one))]
    total = found.get("total")
    return Page(
        timed_out=answer.get("timed_out") is True,
        shards=answer["_shards"],
        clusters=answer["_clusters"] if isinstance(answer.get("_clusters"), dict) else None,
        point=answer["pit_id"] if isinstance(answer.get("pit_id"), str) else None,
        hits=Hits(hits, total if isinstance(total, dict | int) else {}),
        broken=len(found["hits"]) - len(hits),
    )


def _hit(found: Any) -> Hit | None:
    if not isinstance(found, dict) or not isinstance(found.get("_index"), str) or not isinstance(found.get("_id"), str):
        return None
    source = Raw(tolerant.dumps(found["_source"]).encode()) if "_source" in found else Raw(b"")
    fields, sort = found.get("fields"), found.get("sort")
    return Hit(found["_index"], found["_id"], source, fields if isinstance(fields, dict) else {}, sort if isinstance(sort, list) else [])
