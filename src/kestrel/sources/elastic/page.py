"""A page of documents. Each stays the JSON text that the server wrote: to take it apart and write it anew would take longer than to
fetch it."""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct, field, json

NOTHING = b"{}"


class Hit(Struct):
    """A document, where it is stored, and its place in the order of the pages."""

    index: str = field(name="_index")
    id: str = field(name="_id")
    source: Raw = field(name="_source", default=Raw(NOTHING))
    sort: list[Any] = []

    def line(self) -> bytes:
        """The document as a line of its own, with where it is stored, so that two with the same content are two."""
        text = bytes(self.source)
        if b"\n" in text or b"\r" in text:
            text = json.format(text, indent=-1)
        place, content = json.encode({"_index": self.index, "_id": self.id}), text[1:].lstrip()
        if not text.startswith(b"{") or content.startswith(b"}"):
            return place + b"\n"
        return b"%b,%b\n" % (place[:-1], content)


class Hits(Struct):
    """The documents of a page, and how many there are in all."""

    hits: list[Hit] = []
    total: dict[str, Any] = {}


class Page(Struct):
    """An answer with documents."""

    took: float = 0.0
    timed_out: bool = False
    shards: dict[str, Any] | None = field(name="_shards", default=None)
    hits: Hits = field(default_factory=Hits)

    @property
    def told(self) -> dict[str, Any]:
        """What the answer says of itself."""
        return {"took": self.took, "timed_out": self.timed_out, "_shards": self.shards}
