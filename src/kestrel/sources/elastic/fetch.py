"""The documents of a query, each exactly once: a point in time, several slices at once, page after page."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kestrel.ask.live import Cost, Size, TooMuch, Wanted
from kestrel.errors import KestrelError
from kestrel.sources.elastic.client import Client, Expired, TooLarge
from kestrel.sources.elastic.dsl import query_of, wanted_fields
from kestrel.sources.elastic.fields import Fields, Query
from kestrel.sources.elastic.place import Place
from kestrel.sources.elastic.trouble import NoSuchIndex, Refused, ServerFailed, Stopped
from kestrel.text import listed

KEEP = "2m"
"""How long a server keeps a point in time after each page."""
SLICES = 4
FEW = 1_000
"""So many documents are asked for in one request, without a point in time."""
WORTH = 10_000
"""Documents above which slices are fetched at once."""
HITS = "hits.hits._index,hits.hits._id,hits.hits._source,hits.hits.sort"
WHOLE = "took,timed_out,_shards.total,_shards.failed,_shards.failures,error,status"


class Elastic:
    """A live source: one cluster's indices, asked natively."""

    brings: frozenset[str] | None = None

    def __init__(self, place: Place) -> None:
        self.place = place
        self.notices: list[str] = []
        self.bound = place.bound
        self.whole = place.whole
        self.cost = Cost()
        self._client: Client | None = None
        self._fields: Fields | None = None

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(self.place)
        return self._client

    @property
    def fields(self) -> Fields:
        """What the indices say of their fields, asked once."""
        if self._fields is None:
            tops = sorted({f.split(".")[0] + ("" if "." not in f else ".*") for f in wanted_fields()})
            told = "fields.*.*.searchable,fields.*.*.type"
            path = f"{self.place.path}/_field_caps?fields={','.join(tops)}&include_unmapped=true&filter_path={told}"
            try:
                answer = self.client.ask("which fields its indices have", "GET", path)
                loose = self.client.ask("how its indices are laid out", "GET", f"{self.place.path}/_mapping?filter_path=**.dynamic,**.enabled")
            except NoSuchIndex:
                self._check_there()
                raise
            self._fields = Fields.of(answer, loose)
            if not self._fields.types:
                self._check_there()
        return self._fields

    def _check_there(self) -> None:
        """Raises NoSuchIndex, with those that are there, where one of the names is of none."""
        every = self.client.ask("which indices it has", "GET", "_resolve/index/*?filter_path=*.name")
        known = {e["name"] for part in ("aliases", "data_streams", "indices") for e in every.get(part, ())}
        for name in self.place.indices.split(","):
            if not name.startswith("-") and ":" not in name and not any(fnmatchcase(k, name) for k in known):
                raise NoSuchIndex(self.place.profile, self.place.url, name, listed(sorted(n for n in known if not n.startswith("."))))

    # -- what the store asks ---------------------------------------------------------------------------------------

    def size(self, wanted: Wanted) -> Size:
        """How many documents there may be, and what changes when one comes, goes or is written anew."""
        with self._timed():
            query = query_of(wanted, self.fields)
            body = {"size": 0, "track_total_hits": True, "query": query, "aggs": {"written": {"stats": {"field": "_seq_no"}}}}
            answer = self.client.ask("how many documents there are", "POST", f"{self.place.path}/_search", body)
            return Size(int(answer["hits"]["total"]["value"]), str(answer.get("aggregations", {}).get("written")))

    def fetch(self, wanted: Wanted, into: Path, told: Callable[[int], None], expected: int | None = None) -> Sequence[Path]:
        """Write the documents into one file, several slices at once. Raises TooMuch, and KestrelError for what the server does."""
        with self._timed():
            query, file = query_of(wanted, self.fields), into / "documents.ndjson"
            total = expected if expected and expected > FEW else self._few(query, file, told)
            if total is None:
                return [file]
            if total > self.bound:
                raise TooMuch(f"stixshifter://{self.place.profile}", total, self.bound)
            slices = SLICES if total > WORTH else 1
            for attempt in (1, 2):
                try:
                    self._fetch(query, file, slices, told)
                except Expired:
                    if attempt == 2:
                        raise ServerFailed(
                            self.place.profile, self.place.url, "for one page after another", "it gave up the point in time before all pages had come"
                        ) from None
                    told(0)
                else:
                    return [file]
        raise AssertionError("two attempts either answer or fail")

    def explain(self, wanted: Wanted) -> str:
        """The request, as JSON."""
        import json

        return f"POST {self.place.address}/_search {json.dumps(query_of(wanted, self.fields))}"

    def stop(self) -> None:
        """Give up what runs now."""
        if self._client is not None:
            self._client.stopped.set()

    # -- pages -----------------------------------------------------------------------------------------------------

    def _few(self, query: Query, file: Path, told: Callable[[int], None]) -> int | None:
        """Write all documents if one page holds them; else how many there are."""
        body = {"query": query, "size": FEW, "track_total_hits": True, "_source": list(wanted_fields())}
        try:
            found = self.client.page(f"{self.place.path}/_search?filter_path={WHOLE},hits.total,{HITS}", body).hits
        except TooLarge:
            return WORTH
        total = int(found.total.get("value", WORTH))
        if total != len(found.hits):
            return total
        file.write_bytes(b"".join(h.line() for h in found.hits))
        self.cost.records += total
        told(total)
        return None

    def _fetch(self, query: Query, file: Path, slices: int, told: Callable[[int], None]) -> None:
        """Every slice by a thread of its own. The main thread writes what comes, and waits in short steps, so that it can be interrupted."""
        done: queue.Queue[BaseException | list[bytes] | None] = queue.Queue()
        given_up = threading.Event()

        def work(point: Point, number: int) -> None:
            try:
                for page in point.pages(query, number, slices):
                    if given_up.is_set():
                        return
                    done.put(page)
                done.put(None)
            except BaseException as error:
                done.put(error)

        with self._point() as point, file.open("wb") as lines:
            threads = [threading.Thread(target=work, args=(point, n), daemon=True) for n in range(slices)]
            for thread in threads:
                thread.start()
            left = len(threads)
            try:
                while left:
                    try:
                        message = done.get(timeout=0.1)
                    except queue.Empty:
                        if self.client.stopped.is_set():
                            raise Stopped from None
                        continue
                    match message:
                        case None:
                            left -= 1
                        case list():
                            lines.writelines(message)
                            self.cost.records += len(message)
                            told(len(message))
                        case _:
                            raise message
            finally:
                given_up.set()

    @contextmanager
    def _point(self) -> Iterator[Point]:
        """A point in time that is closed in the end, whatever happens."""
        point = Point.open(self.client)
        try:
            yield point
        finally:
            point.close()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began, client = time.perf_counter(), self.client
        client.stopped.clear()
        queries, size, took = client.queries, client.bytes, client.took
        try:
            yield
        finally:
            self.cost.add(Cost(client.queries - queries, 0, client.bytes - size, time.perf_counter() - began, client.took - took))


class Point:
    """A point in time: Elasticsearch's, or OpenSearch's."""

    def __init__(self, client: Client, identity: str, path: str, key: str) -> None:
        self.client = client
        self.identity = identity
        self.path = path
        self.key = key

    @classmethod
    def open(cls, client: Client) -> Point:
        """Ask for one. Both have the same meaning under different paths: what one does not know, it refuses."""
        asked, place = "for a point in time", client.place
        try:
            answer = client.ask(asked, "POST", f"{place.path}/_pit?keep_alive={KEEP}")
            return cls(client, answer["id"], "_pit", "id")
        except Refused:
            answer = client.ask(asked, "POST", f"{place.path}/_search/point_in_time?keep_alive={KEEP}")
            return cls(client, answer["pit_id"], "_search/point_in_time", "pit_id")

    def close(self) -> None:
        try:
            self.client.ask(
                "to close a point in time", "DELETE", self.path, {self.key: self.identity if self.key == "id" else [self.identity]}, last=True
            )
        except (KestrelError, Expired):
            return  # it ends by itself after KEEP

    def pages(self, query: Query, number: int, slices: int) -> Iterator[list[bytes]]:
        """The documents of one slice, page after page, each a line.

        Elasticsearch orders by `_shard_doc`, which is unique. Elsewhere `_seq_no` is unique in a shard alone: the documents of a
        page's last number may be cut, so they are left for the next page.
        """
        unique = self.key == "id"
        place = self.client.place
        size = place.page
        body: dict[str, Any] = {
            "query": query,
            "pit": {"id": self.identity, "keep_alive": KEEP},
            "sort": ["_shard_doc" if unique else "_seq_no"],
            "track_total_hits": False,
            "_source": list(wanted_fields()),
        }
        if slices > 1:
            body["slice"] = {"id": number, "max": slices} | ({} if unique else {"field": "_seq_no"})
        while True:
            body["size"] = size
            try:
                page = self.client.page(f"_search?filter_path={WHOLE},{HITS}", body)
            except TooLarge:
                if size == 1:
                    raise ServerFailed(
                        self.client.place.profile,
                        self.client.place.url,
                        "for a single document",
                        "it is larger than 256 MB",
                        "leave its index out of `indices`",
                    ) from None
                size = max(1, size // 8)
                continue
            hits = page.hits.hits
            if page.shards is None:
                raise ServerFailed(place.profile, place.url, "for a page of documents", "what came is no page of documents")
            full = len(hits) == size
            if full and not unique:
                last = hits[-1].sort
                kept = [h for h in hits if h.sort != last]
                if not kept:
                    size = min(10_000, size * 2) if size < 10_000 else size
                    if len(hits) == 10_000:
                        raise ServerFailed(
                            self.client.place.profile,
                            self.client.place.url,
                            "for one page after another",
                            "it has more than 10,000 shards",
                            "name fewer indices",
                        )
                    continue
                hits = kept
            if hits:
                body["search_after"] = hits[-1].sort
                yield [h.line() for h in hits]
            if not full:
                return
