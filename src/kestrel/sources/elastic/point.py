"""A point in time of some indices, and every document in it that a query finds: each exactly once, or an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kestrel.errors import KestrelError
from kestrel.sources.elastic.client import COMPLETE, COUNT, Client, TooLarge
from kestrel.sources.elastic.failures import Refused, ServerFailed
from kestrel.sources.elastic.fields import Query
from kestrel.sources.elastic.page import Hit, Page

KEEP = "2m"
"""How long a server keeps a point in time after each page."""
LARGEST_PAGE = 10_000
ABOUT = "took,timed_out,_shards,_clusters,pit_id,error,status"
"""What an answer says about itself."""
PAGE = f"_search?{COMPLETE}&filter_path={ABOUT},hits.total,hits.hits"


class Inexact(Exception):
    """The pages do not match the point in time; the text says how."""


class Point:
    """A point in time: Elasticsearch's, or OpenSearch's."""

    def __init__(self, client: Client, identity: str, path: str, key: str, formatted: Query, wanted: Sequence[str]) -> None:
        """`formatted`: the part of a request for times as text; `wanted`: the fields to fetch."""
        self.client = client
        self.identity = identity
        self.path = path
        self.key = key
        self.formatted = formatted
        self.wanted = wanted

    @classmethod
    def open(cls, client: Client, formatted: Query, wanted: Sequence[str]) -> Point:
        """Open one. Both servers have the same function under different paths, and refuse the path they do not know."""
        asked, place = "for a point in time", client.place
        for path, key, more in (("_pit", "id", ""), ("_search/point_in_time", "pit_id", "&allow_partial_pit_creation=false")):
            try:
                answer = client.ask(asked, "POST", f"{place.path}/{path}?keep_alive={KEEP}{more}")
            except Refused:
                if key == "pit_id":
                    raise
                continue
            identity = answer.get(key)
            if not isinstance(identity, str):
                raise client.failed(asked, "its answer has none")
            return cls(client, identity, path, key, formatted, wanted)
        raise AssertionError("the last one is there, or refused")

    def close(self) -> None:
        try:
            self.client.ask(
                "to close a point in time", "DELETE", self.path, {self.key: self.identity if self.key == "id" else [self.identity]}, last=True
            )
        except KestrelError:
            return  # it expires by itself after KEEP

    def count(self, query: Query) -> int:
        """How many documents there are. Raises KestrelError, Expired, Inexact."""
        asked = "how many documents there are"
        try:
            page = self._asked(COUNT, {"query": query, "size": 0, "track_total_hits": True}, asked)
        except TooLarge:
            raise self.client.failed(asked, "its answer is too large") from None
        if page.hits.number is None:
            raise Inexact("it does not say how many documents there are")
        return page.hits.number

    def pages(self, query: Query, number: int, slices: int) -> Iterator[Page]:
        """The documents of one slice, page after page.

        Elasticsearch orders by `_shard_doc`, which is unique. Elsewhere `_seq_no` is unique in a shard alone: the documents of a
        page's last number may be cut, so they are left for the next page. Every page must begin after the one before it, which a page that
        comes a second time does not. Raises KestrelError, Expired, Inexact.
        """
        unique = self.key == "id"
        body: dict[str, Any] = {
            "query": query,
            "sort": ["_shard_doc" if unique else "_seq_no"],
            "track_total_hits": False,
            "_source": list(self.wanted),
            **self.formatted,
        }
        if slices > 1:
            body["slice"] = {"id": number, "max": slices} | ({} if unique else {"field": "_seq_no"})
        size = self.client.place.page
        while True:
            body["size"] = size
            try:
                page = self._asked(PAGE, body)
            except TooLarge:
                if size == 1:
                    raise self._cannot("for a single document", "it is larger than 256 MB", "leave its index out of `indices`") from None
                size = max(1, size // 8)
                continue
            hits = page.hits.hits
            came = len(hits) + page.broken
            if came > size:
                raise Inexact(f"a page of {size:,} documents has {came:,}")
            full = came == size
            _check_order(hits, body.get("search_after"), unique)
            if full and not unique and hits:
                last = hits[-1].sort
                kept = [h for h in hits if h.sort != last]
                if not kept:
                    if size == LARGEST_PAGE:
                        raise self._cannot("for one page after another", f"it has more than {LARGEST_PAGE:,} shards", "name fewer indices")
                    size = min(LARGEST_PAGE, size * 2)
                    continue
                page.hits.hits = hits = kept
            if came:
                yield page
            if not full:
                return
            if not hits:
                raise Inexact("a page contains no valid document")
            body["search_after"] = hits[-1].sort

    def _asked(self, path: str, body: dict[str, Any], asked: str = "for a page of documents") -> Page:
        page = self.client.page(path, body | {"pit": {"id": self.identity, "keep_alive": KEEP}}, asked)
        if page.point:
            self.identity = page.point
        return page

    def _cannot(self, asked: str, came: str, hint: str) -> ServerFailed:
        return self.client.failed(asked, came, hint)


def _check_order(hits: list[Hit], after: list[Any] | None, unique: bool) -> None:
    """Raises Inexact if a document occurs twice, or a page does not begin after the one before."""
    if len({(h.index, h.id) for h in hits}) < len(hits):
        raise Inexact("a page contains a document twice")
    before = after
    try:
        for hit in hits:
            if not hit.sort or (before is not None and (hit.sort < before or (hit.sort == before and (unique or before is after)))):
                raise Inexact("a page was repeated or is out of order")
            before = hit.sort
    except TypeError:
        raise Inexact("a page is out of order") from None
