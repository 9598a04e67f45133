"""The documents of a query, each exactly once: a point in time, several slices at once, page after page."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from kestrel.errors import KestrelError
from kestrel.pushdown.request import Cost, FetchRequest, Size, TooMuch
from kestrel.sources.elastic.answer import Expired
from kestrel.sources.elastic.client import COUNT, Client, TooLarge
from kestrel.sources.elastic.dsl import query_of, wanted_fields
from kestrel.sources.elastic.failures import IndexNotReadable, NoSource, NoSuchIndex, Stopped
from kestrel.sources.elastic.fields import Fields, Query, left_out, remote_formats
from kestrel.sources.elastic.place import Place
from kestrel.text import listed

if TYPE_CHECKING:
    from kestrel.sources.elastic.page import Page
    from kestrel.sources.elastic.point import Point

SLICES = 4
NAMES = 3_000
"""Characters of field names in one request: Elasticsearch takes addresses of up to 4,096 bytes."""
FEW = 1_000
"""So many documents are asked for in one request, without a point in time."""
WORTH = 10_000
"""Documents above which slices are fetched at once."""
ATTEMPTS = 3
"""How often the documents of a time range are fetched if their number differs from the count."""
FORMATTED: Query = {"fields": [{"field": "@timestamp", "format": "strict_date_optional_time_nanos"}]}
"""Requests the time as text: the document itself may have it in any format that the mapping allows."""


class Elastic:
    """A live source: one cluster's indices, asked natively."""

    provides: frozenset[str] | None = None

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
            layout = f"{self.place.path}/_mapping?filter_path=**.dynamic,**.enabled,**._source"
            try:
                answer = self._capabilities()
                mappings = self.client.ask("how its indices are laid out", "GET", layout)
            except NoSuchIndex:
                self._check_there()
                raise
            found = Fields.of(answer, mappings)
            self._check_open()
            if not found.types:
                self._check_there()
            self.notices += self._limits(found, mappings)
            self._fields = found
        return self._fields

    def _capabilities(self) -> dict[str, Any]:
        """What the indices say of the fields that any log format reads. The names go into several requests, as an address has a maximum
        length."""
        tops = sorted({f.split(".")[0] + ("" if "." not in f else ".*") for f in wanted_fields(remote_formats())})
        stated = "fields.*.*.searchable,fields.*.*.type,failed_indices,failures.failure.error.type"
        asked, known = "which fields its indices have", dict[str, Any]()
        while tops:
            number = max(1, sum(1 for length in accumulate(len(name) + 1 for name in tops) if length <= NAMES))
            names, tops = tops[:number], tops[number:]
            path = f"{self.place.path}/_field_caps?fields={','.join(names)}&include_unmapped=true&filter_path={stated}"
            answer = self.client.ask(asked, "GET", path)
            if not isinstance(answer, dict):
                continue
            if failed := answer.get("failed_indices") or answer.get("failures"):
                raise self.client.failed(asked, f"{failed if isinstance(failed, int) else 'some'} of its indices did not answer")
            known |= answer.get("fields") or {}
        return {"fields": known}

    def _check_there(self) -> None:
        """Raises NoSuchIndex, with those that are there, where one of the names is of none."""
        path = "_resolve/index/*?expand_wildcards=open,closed&filter_path=*.name"
        every = self.client.ask("which indices it has", "GET", path)
        known = {e["name"] for part in ("aliases", "data_streams", "indices") for e in every.get(part, ())}
        for name in self.place.indices.split(","):
            if not name.startswith("-") and ":" not in name and not any(fnmatchcase(k, name) for k in known):
                raise NoSuchIndex(self.place.profile, self.place.url, name, listed(sorted(n for n in known if not n.startswith("."))))

    def _check_open(self) -> None:
        """A notice of closed indices, which a pattern skips silently. Raises IndexNotReadable if there are no others. Does nothing
        if that cannot be queried."""
        path = f"_resolve/index/{self.place.path}?expand_wildcards=open,closed&filter_path=indices.name,indices.attributes,data_streams.name"
        try:
            answer = self.client.ask("which of its indices are closed", "GET", path)
        except Stopped:
            raise
        except KestrelError:
            return
        every = {i["name"]: "closed" in (i.get("attributes") or ()) for i in answer.get("indices") or () if isinstance(i, dict) and "name" in i}
        closed = sorted(name for name, is_closed in every.items() if is_closed)
        if closed and len(closed) == len(every) and not answer.get("data_streams"):
            raise IndexNotReadable(self.place.profile, self.place.url, closed, "closed")
        if closed:
            number = "1 index is" if len(closed) == 1 else f"{len(closed):,} indices are"
            self.notices.append(f"{number} closed and cannot be searched: {listed(closed)}")

    def _limits(self, fields: Fields, mappings: Any) -> Iterator[str]:
        """What the mapping makes impossible."""
        if fields.types and not fields.holds_time:
            yield "`@timestamp` is not mapped as a date, so documents of all times are fetched and filtered here"
        for index, lost in left_out(mappings, wanted_fields(fields.formats)).items():
            yield f"the index `{index}` does not keep {lost} (`_source` of its mapping), so these fields are missing from its documents"

    # -- what the engine queries ------------------------------------------------------------------------------------

    def size(self, wanted: FetchRequest) -> Size:
        """How many documents there may be, and what changes when one comes, goes or is written anew."""
        with self.timed():
            query = query_of(wanted, self.fields)
            aggregation = {"written": {"stats": {"field": "_seq_no"}}}
            number, stated = self.count(query, aggregation)
            return Size(number, str(stated.get("written")))

    def count(self, query: Query, aggregations: Query | None = None) -> tuple[int, dict[str, Any]]:
        """How many documents a query finds, and the results of the aggregations. Raises KestrelError."""
        asked = "how many documents there are"
        body = {"size": 0, "track_total_hits": True, "query": query, **({"aggs": aggregations} if aggregations else {})}
        answer = self.client.ask(asked, "POST", f"{self.place.path}/{COUNT}", body)
        hits, stated = answer.get("hits"), answer.get("aggregations") or {}
        total = hits.get("total") if isinstance(hits, dict) else None
        number = total.get("value") if isinstance(total, dict) else total
        if not isinstance(number, int) or not isinstance(stated, dict):
            raise self.client.failed(asked, "its answer has no number of documents")
        return number, stated

    def fetch(self, wanted: FetchRequest, into: Path, stated: Callable[[int], None], expected: int | None = None) -> Sequence[Path]:
        """Write the documents into one file, several slices at once. Raises TooMuch, and KestrelError for what the server does."""
        with self.timed():
            query, file = query_of(wanted, self.fields), into / "documents.ndjson"
            total = expected if expected and expected > FEW else self._few(query, file, stated, wanted.all_fields)
            if total is None:
                return [file]
            if total > self.bound:
                raise TooMuch(f"stixshifter://{self.place.profile}", total, self.bound)
            self._fetch_exactly(query, file, SLICES if total > WORTH else 1, stated, wanted.all_fields)
            return [file]

    def explain(self, wanted: FetchRequest) -> str:
        """The request, as JSON."""
        import json

        return f"POST {self.place.address}/_search {json.dumps(query_of(wanted, self.fields))}"

    def stop(self) -> None:
        """Give up what runs now."""
        if self._client is not None:
            self._client.stopped.set()

    # -- pages -----------------------------------------------------------------------------------------------------

    def _few(self, query: Query, file: Path, stated: Callable[[int], None], all_fields: bool) -> int | None:
        """Write all documents if one page holds them; else how many there are. Raises KestrelError."""
        from kestrel.sources.elastic.point import PAGE

        body = {"query": query, "size": FEW, "track_total_hits": True, "_source": self._wanted(all_fields), **self._formatted}
        try:
            page = self.client.page(f"{self.place.path}/{PAGE}", body)
        except TooLarge:
            return self._counted(query)
        except Expired:
            raise self.client.failed("for a page of documents", "it no longer has the search context") from None
        hits, total = page.hits.hits, page.hits.number
        if total != len(hits) + page.broken or len({(h.index, h.id) for h in hits}) < len(hits):
            return self._counted(query) if total is None else max(total, len(hits))
        with file.open("wb") as lines:
            left_out = self._write(page, lines)
        self._report(left_out)
        stated(total)
        return None

    def _counted(self, query: Query) -> int:
        """How many documents there are, for a server that did not say so with its first page. Raises KestrelError."""
        from kestrel.sources.elastic.point import Inexact

        try:
            with self._point() as point:
                return point.count(query)
        except (Expired, Inexact) as wrong:
            raise self.client.failed("how many documents there are", str(wrong) or "it no longer has the search context") from None

    def _fetch_exactly(self, query: Query, file: Path, slices: int, stated: Callable[[int], None], all_fields: bool) -> None:
        """Write all documents of one point in time: as many as it counts, each once; if that fails, start again."""
        from kestrel.sources.elastic.point import Inexact

        wrong = ""
        for _ in range(ATTEMPTS):
            try:
                self._report(self._fetch(query, file, slices, stated, all_fields))
            except Expired:
                wrong = "it closed the point in time before all pages were fetched"
            except Inexact as inexact:
                wrong = str(inexact)
            else:
                return
            stated(0)
        raise self.client.failed("for one page after another", wrong)

    def _fetch(self, query: Query, file: Path, slices: int, stated: Callable[[int], None], all_fields: bool) -> list[str]:
        """Fetch each slice in its own thread. The main thread writes the results, and waits in short steps so that it can be interrupted.
        Returns the documents that were left out. Raises Expired, Inexact."""
        from kestrel.sources.elastic.point import Inexact

        done: queue.Queue[BaseException | Page | None] = queue.Queue()
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

        left_out: list[str] = []
        came = 0
        seen: set[int] = set()
        with self._point(all_fields) as point, file.open("wb") as lines:
            counted = point.count(query)
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
                        case BaseException():
                            raise message
                        case _:
                            left_out += self._write(message, lines)
                            number = len(message.hits.hits) + message.broken
                            came += number
                            seen.update(hash((h.index, h.id)) for h in message.hits.hits)
                            stated(number)
                            if came > counted:
                                break
            finally:
                given_up.set()
        if came != counted:
            raise Inexact(f"the point in time counts {counted:,} documents, but its pages have {'more' if came > counted else f'{came:,}'}")
        if len(seen) + left_out.count("?") != came:
            raise Inexact("two pages contain the same document")
        return left_out

    def _write(self, page: Page, lines: BinaryIO) -> list[str]:
        """Write the documents of a page, one a line; returns the locations of those that are not JSON objects. Raises NoSource."""
        left_out = ["?"] * page.broken
        for hit in page.hits.hits:
            line = hit.line()
            if line is not None:
                lines.write(line)
            elif hit.is_kept:
                left_out.append(f"{hit.index}/{hit.id}")
            else:
                raise NoSource(self.place.profile, self.place.url, [hit.index])
        self.cost.records += len(page.hits.hits) + page.broken
        return left_out

    def _report(self, left_out: Sequence[str]) -> None:
        """A notice of documents that are not JSON objects."""
        if left_out:
            first = next((f" (the first: {name})" for name in left_out if name != "?"), "")
            of = "1 document is not a JSON object and was" if len(left_out) == 1 else f"{len(left_out):,} documents are not JSON objects and were"
            self.notices.append(f"{of} skipped{first}")

    def _wanted(self, all_fields: bool) -> list[str]:
        """The fields of documents that are fetched, as `_source` filters name them."""
        return ["*"] if all_fields else list(wanted_fields(self.fields.formats))

    @property
    def _formatted(self) -> Query:
        """The part of a request for times as text."""
        return FORMATTED if self.fields.holds_time else {}

    @contextmanager
    def _point(self, all_fields: bool = False) -> Iterator[Point]:
        """A point in time that is closed in the end, whatever happens."""
        from kestrel.sources.elastic.point import Point

        point = Point.open(self.client, self._formatted, self._wanted(all_fields))
        try:
            yield point
        finally:
            point.close()

    @contextmanager
    def timed(self) -> Iterator[None]:
        began, client = time.perf_counter(), self.client
        client.stopped.clear()
        queries, size, took = client.queries, client.bytes, client.took
        try:
            yield
        finally:
            self.cost.add(Cost(client.queries - queries, 0, client.bytes - size, time.perf_counter() - began, client.took - took))
