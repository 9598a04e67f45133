"""Run by a connector's own interpreter: a profile and jobs on standard input, what comes of them on standard output, as JSON lines.

It needs nothing of Kestrel. When standard input ends, the work is given up. Nothing that the connector prints or logs gets out.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import logging
import os
import queue
import re
import signal
import threading
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

AT_ONCE = 4
"""Queries that are asked at the same time, unless the connector's manners say otherwise."""
WORTH = 2_000
"""Records of a page above which it is translated beside the others."""
PATIENCE = 3_600.0
"""Seconds to wait for the end of one search."""
IDENTITY = {
    "type": "identity",
    "id": "identity--8f2c7ad8-52a1-5b3a-9f2f-3f9f0d6b7a55",
    "name": "kestrel",
    "identity_class": "system",
    "created": "2020-01-01T00:00:00.000Z",
    "modified": "2020-01-01T00:00:00.000Z",
}
TIMEOUT = 60.0
"""Seconds to wait for one answer, unless the profile says otherwise."""
TRIES = 5
"""How often a connector may retry by itself within one call."""

TIME = {"valid_regex": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?$"}
LOOSER = {"domain-name.value": {"valid_regex": r"^[^\s/@:]+$"}, "first_observed": TIME, "last_observed": TIME}
"""STIX-shifter drops values that it thinks invalid, as names in upper case or with an underscore, and times with an offset."""

Job = Mapping[str, Any]
Page = list[tuple[bytes, Any]]
"""Records, each with what makes it one."""


class Failed(Exception):
    """The connector answered that it could not do it. `kind` is STIX-shifter's word for why, `asked` what it was asked."""

    def __init__(self, asked: str, kind: str, came: str) -> None:
        super().__init__(asked, kind, came)
        self.asked, self.kind, self.came = asked, kind, came


class Cut(Exception):
    """There is more than the connector hands over; `when` it is so at one time that no shorter range can part."""

    def __init__(self, most: int, when: str = "") -> None:
        super().__init__(most, when)
        self.most, self.when = most, when


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    logging.disable(logging.CRITICAL)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen_to_parent, args=(lines,), daemon=True).start()

    def tell(**what: Any) -> None:
        out.write(json.dumps(what, default=str) + "\n")
        out.flush()

    setting, work = json.loads(lines.get()), None
    while True:
        job = json.loads(lines.get())
        try:
            work = work or Work(setting, tell)
            tell(event="done", **asyncio.run(work.do(job)))
        except Failed as error:
            tell(event="failed", kind=error.kind, asked=error.asked, came=error.came)
        except Exception as error:
            tell(event="broke", came=f"{type(error).__name__}: {error}")


def _listen_to_parent(lines: queue.SimpleQueue[bytes]) -> None:
    """What the parent says, a line at a time. When it says no more, this process and the ones it has started end. Python's own buffer is not
    used: its lock, held while waiting, would be held for ever in a process that is started meanwhile."""
    rest = b""
    while piece := os.read(0, 1 << 16):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            lines.put(line)
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)


class Work:
    """A connector with its profile."""

    def __init__(self, setting: Job, tell: Any) -> None:
        from stix_shifter.stix_translation.stix_translation import StixTranslation

        self.setting = setting
        self.tell = tell
        self.connector: str = setting["connector"]
        self.quirks: Job = setting["manners"]
        self.translation = StixTranslation()
        self.seen: set[bytes] = set()
        self.calls = self.bytes = self.files = 0
        self.source_text: ProcessPoolExecutor | None = None
        self.options: dict[str, Any] = dict(setting["connection"].get("options") or {})
        self.folder = ""
        self.deadline = TRIES * float(self.options.get("timeout") or TIMEOUT)
        if makes := self.quirks.get("to_stix"):
            whole = self.entry_point().get_results_translator(self.options.get("dialects") or None).map_data
            self.options["mapping"] = {**(self.options.get("mapping") or {}), "to_stix_map": _merged(whole, makes)}
        _listen(self)

    async def do(self, job: Job) -> dict[str, Any]:
        match job["do"]:
            case "describe":
                return self.describe()
            case "ping":
                answer = await self.transmission().ping_async()
                _check(answer, "whether its server is there")
                return {}
            case "translate":
                return {"queries": [await self.queries(p) for p in job["patterns"]]}
            case _:
                return await self.fetch(job["patterns"], job["folder"])

    def describe(self) -> dict[str, Any]:
        """What the connector's mappings know: by dialect the STIX paths it can ask for, the operators, and what it makes of records."""
        point = self.entry_point()
        dialects = list(self.options.get("dialects") or point.get_dialects())
        asks: dict[str, Any] = {}
        operators: set[str] = set()
        for dialect in dialects:
            translator = point.get_query_translator(dialect)
            asks[dialect] = {kind: sorted(known.get("fields", {})) for kind, known in translator.map_data.items() if isinstance(known, dict)}
            operators.update(getattr(translator, "map_operator", None) or ())
        makes = point.get_results_translator(dialects if self.options.get("dialects") else None).map_data
        return {"asks": asks, "operators": sorted(operators), "makes": makes}

    def entry_point(self) -> Any:
        module = import_module(f"stix_shifter_modules.{self.connector}.entry_point")
        from stix_shifter_utils.utils.param_validator import param_validator

        try:
            return module.EntryPoint(options=param_validator(self.connector, copy.deepcopy(self.options), "connection.options"))
        except ValueError as error:
            raise Failed("what it knows", "profile", _wrong_names(error)) from None

    def transmission(self) -> Any:
        from stix_shifter.stix_transmission.stix_transmission import StixTransmission

        connection, configuration = copy.deepcopy((self.setting["connection"], self.setting["configuration"]))
        made = StixTransmission(self.connector, connection, configuration)
        if made.init_error:
            error = made.init_error
            raise Failed("to begin", "profile", _wrong_names(error) if isinstance(error, ValueError) else str(error))
        return made

    async def queries(self, pattern: str) -> list[Any]:
        answer = await self.translation.translate_async(self.connector, "query", "{}", pattern, copy.deepcopy(self.options), 10_000)
        if not answer.get("queries"):
            raise Failed(pattern, "translation", str(answer.get("error") or "it gives none"))
        return list(answer["queries"])

    # -- fetching --------------------------------------------------------------------------------------------------

    async def fetch(self, patterns: Sequence[str], folder: str) -> dict[str, Any]:
        """Every pattern's records to files; `cut` tells of patterns that have more than the connector hands over."""
        turn = asyncio.Semaphore(self.quirks.get("at_once", AT_ONCE))
        calls, size, self.folder = self.calls, self.bytes, folder
        found = await asyncio.gather(*(self.of_pattern(number, pattern, turn) for number, pattern in enumerate(patterns)))
        return {"cut": [cut for cut in found if cut], "calls": self.calls - calls, "bytes": self.bytes - size}

    async def of_pattern(self, number: int, pattern: str, turn: asyncio.Semaphore) -> dict[str, Any] | None:
        """Every query of a pattern runs to its end, so that what counts as seen has been written."""
        queries = await self.queries(pattern)
        ends = await asyncio.gather(*(self.of_query(query, turn) for query in queries), return_exceptions=True)
        for failure in (e for e in ends if e is not None and not isinstance(e, Cut)):
            raise failure
        cut = next((e for e in ends if isinstance(e, Cut)), None)
        return {"pattern": number, "most": cut.most, "when": cut.when} if cut else None

    async def of_query(self, query: Any, turn: asyncio.Semaphore) -> None:
        """The pages of one query; while the next one comes, the last is translated."""
        async with turn:
            waiting: list[asyncio.Task[None]] = []
            try:
                async for page in self.pages(query):
                    if new := self.new(page):
                        waiting.append(asyncio.create_task(self.write(new)))
                    if len(waiting) > 2:
                        await waiting.pop(0)
            finally:
                await asyncio.gather(*waiting)

    async def pages(self, query: Any) -> AsyncIterator[Page]:
        transmission = self.transmission()
        started = await transmission.query_async(query)
        _check(started, "to search")
        search = started.get("search_id", query)
        await self.until_done(transmission, search)
        try:
            async for page in self.results(transmission, search):
                yield page
        finally:
            await transmission.delete_async(search)

    async def until_done(self, transmission: Any, search: Any) -> None:
        """Wait for a search that runs on the server."""
        began, pause, metadata = time.monotonic(), 0.2, None
        while True:
            answer = await transmission.status_async(search, metadata)
            _check(answer, "how far the search is")
            metadata = answer.get("metadata", metadata)
            state = str(answer.get("status", "COMPLETED")).upper().rpartition(".")[2]
            if state in ("ERROR", "CANCELED", "TIMEOUT"):
                raise Failed("how far the search is", "timeout" if state == "TIMEOUT" else "unknown", f"the search ended as {state}")
            if state == "COMPLETED" or int(answer.get("progress") or 0) >= 100:
                return
            if time.monotonic() - began > PATIENCE:
                raise Failed("how far the search is", "timeout", f"timeout: the search is not done after {PATIENCE:.0f} seconds")
            await asyncio.sleep(pause)
            pause = min(5.0, pause * 1.5)

    async def results(self, transmission: Any, search: Any) -> AsyncIterator[Page]:
        """Page after page until there is no more. Raises Cut where more is there than can be had."""
        size, limit = int(self.quirks["page"]), self.setting["limit"]
        offset, metadata, last, ties = 0, None, None, bool(self.quirks.get("ties"))
        while True:
            asked = [metadata[0] - 1, *metadata[1:]] if ties and metadata else metadata
            answer = await transmission.results_async(search, offset, size, asked)
            if str(answer.get("code")) == "no_results":
                return
            _check(answer, "for a page of records")
            page = answer.get("data") or []
            if not isinstance(page, list):
                raise Failed("for a page of records", "unknown", "what came is no list of records")
            before, metadata = metadata, answer.get("metadata")
            most = self.window(transmission, size)
            full = len(page) >= most
            if ties and full and (metadata is None or metadata == before):
                raise Cut(most, "of one millisecond" if metadata else "(`pagination` is off)")
            keys = [_key(record, self.quirks) for record in page]
            if keys == last and full:
                raise Cut(most)
            if not page or keys == last:
                return
            last = keys
            yield [(key, _without(record, self.quirks.get("leave_out") or ())) for key, record in zip(keys, page, strict=True)]
            offset += len(page)
            if limit and offset >= limit:
                raise Cut(limit)
            if ((ties or self.quirks.get("whole_pages")) and not full) or (before is not None and metadata is None):
                return

    def window(self, transmission: Any, size: int) -> int:
        """How many records a page has at most: what was asked for, or the server's own bound where the connector has found it."""
        results = vars(transmission.entry_point).get("_BaseEntryPoint__results_connector")
        found = getattr(results, "max_result_window", None)
        return min(size, found) if isinstance(found, int) and found > 0 else size

    def new(self, page: Page) -> Page:
        """The records that did not come yet."""
        found = []
        for key, record in page:
            if key not in self.seen:
                self.seen.add(key)
                found.append((key, record))
        return found

    async def write(self, keyed: Page) -> None:
        self.files += 1
        path = str(Path(self.folder) / f"{self.files}.json")
        work = (self.connector, self.options, [k for k, _ in keyed], [r for _, r in keyed], path)
        if len(keyed) <= WORTH:
            timeless = await _translated(*work)
        else:
            if self.source_text is None:
                self.source_text = ProcessPoolExecutor(min(AT_ONCE, os.cpu_count() or 1), get_context("spawn"))
            timeless = await asyncio.get_running_loop().run_in_executor(self.source_text, _translate, *work)
        self.tell(event="page", file=path, records=len(keyed), timeless=timeless)


def _translate(connector: str, options: dict[str, Any], keys: Sequence[bytes], records: list[Any], path: str) -> int:
    logging.disable(logging.CRITICAL)
    return asyncio.run(_translated(connector, options, keys, records, path))


async def _translated(connector: str, options: dict[str, Any], keys: Sequence[bytes], records: list[Any], path: str) -> int:
    """Write records as a STIX bundle. An observed-data without an id of its own gets one by its key, so that a record is the same
    however often it comes. The number of records that tell no time."""
    from stix_shifter.stix_translation.stix_translation import StixTranslation
    from stix_shifter_utils.stix_translation.src.json_to_stix import observable

    observable.properties.update(LOOSER)
    own = [isinstance(r, dict) and r.get("type") == "observed-data" for r in records]
    plain = json.loads(json.dumps(records, default=str))
    bundle = await StixTranslation().translate_async(connector, "results", dict(IDENTITY), plain, copy.deepcopy(options))
    if not isinstance(bundle, dict) or "objects" not in bundle:
        raise Failed("to read what came", "results", str((bundle or {}).get("error") or "it gives no bundle"))
    observed = [o for o in bundle["objects"] if o.get("type") == "observed-data"]
    if len(observed) == len(keys):
        for number, (key, record) in enumerate(zip(keys, observed, strict=True)):
            if not own[number]:
                record["id"] = f"observed-data--{uuid.UUID(bytes=key, version=5)}"
    elif not any(own):
        raise Failed("to read what came", "results", f"of {len(keys):,} records it makes {len(observed):,}")
    timeless = {id(o) for o in observed if not any(own) and o.get("first_observed") == o.get("created") == o.get("modified")}
    bundle["objects"] = [o for o in bundle["objects"] if id(o) not in timeless]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(bundle, file, default=str)
    return len(timeless)


def _key(record: Any, quirks: Job) -> bytes:
    """What makes two records one: the natural key where the record has all of it, else its whole content."""
    names = quirks.get("key")
    natural = [_at(record, name) for name in names] if names else []
    content = natural if natural and None not in natural else record
    return hashlib.blake2b(json.dumps(content, sort_keys=True, default=str).encode(), digest_size=16).digest()


def _without(record: Any, rules: Sequence[Job]) -> Any:
    """A record without the fields that, in records of its kind, say something else than their name."""
    for rule in rules:
        if _at(record, rule["where"]) in rule["is"]:
            outer, _, last = rule["field"].rpartition(".")
            of = _at(record, outer)
            record.pop(rule["field"], None)
            if isinstance(of, dict):
                of.pop(last, None)
    return record


def _at(record: Any, name: str) -> Any:
    """A field of a record; objects may be nested or their names written with dots."""
    if not isinstance(record, dict):
        return None
    if name in record:
        return record[name]
    head, _, rest = name.partition(".")
    return _at(record.get(head), rest) if rest else None


def _merged(one: Any, other: Any) -> Any:
    """Two mappings as one; where both say something, the first."""
    if not isinstance(one, dict) or not isinstance(other, dict) or "key" in one:
        return one
    return {**other, **{k: _merged(v, other[k]) if k in other else v for k, v in one.items()}}


def _check(answer: Any, asked: str) -> None:
    if isinstance(answer, dict) and answer.get("success"):
        return
    known = answer if isinstance(answer, dict) else {}
    raise Failed(asked, str(known.get("code") or "unknown"), str(known.get("error") or "it says no more"))


def _wrong_names(error: Exception) -> str:
    """What STIX-shifter's check of a profile finds, without the values."""
    found = error.args[0] if error.args else None
    if not isinstance(found, dict):
        return str(error)
    missing = [str(n) for n in found.get("missing_params") or ()]
    strange = sorted(_names(found.get("unexpected_params") or {}))
    parts = [f"it lacks {', '.join(f'`{n}`' for n in missing)}"] if missing else []
    return "; ".join([*parts, *([f"it has no {', '.join(f'`{n}`' for n in strange)}"] if strange else [])])


def _names(of: Any, before: str = "") -> list[str]:
    if not isinstance(of, dict) or not of:
        return [before]
    return [name for k, v in of.items() for name in _names(v, f"{before}.{k}" if before else str(k))]


def _listen(work: Work) -> None:
    """Count what STIX-shifter's own HTTP client asks, refuse answers that are not whole, and let it look away from certificates or ask
    for more fields where that is wanted."""
    import ssl

    from stix_shifter_utils.stix_transmission.utils.RestApiClientAsync import RestApiClientAsync as Client

    made, call = Client.__init__, Client.call_api

    def make(self: Any, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        if not work.setting["verify"]:
            self.ssl_context.check_hostname = False
            self.ssl_context.verify_mode = ssl.CERT_NONE

    async def ask(self: Any, endpoint: str, method: str, headers: Any = None, cookies: Any = None, data: Any = None, **named: Any) -> Any:
        if endpoint.endswith("/_search"):
            endpoint += "?allow_partial_search_results=false"
        asked = call(self, endpoint, method, headers, cookies, _wider(data, work.quirks.get("fetch")), **named)
        try:
            answer = await asyncio.wait_for(asked, work.deadline)
        except TimeoutError:
            raise Exception(f"timeout: no complete answer within {work.deadline:g} seconds") from None
        body = answer.read() or b""
        work.calls += 1
        work.bytes += len(body)
        if body.startswith(b'{"took"') and _is_partial(body[:4_000]):
            raise Exception("the answer is not complete: a part of the server timed out, failed or was skipped")
        return answer

    Client.__init__, Client.call_api = make, ask


def _is_partial(head: bytes) -> bool:
    """Whether Elasticsearch says, at the beginning of an answer, that a part of it is missing."""
    if re.search(rb'"timed_out"\s*:\s*true', head):
        return True
    shards, clusters = _numbers(head, b"_shards"), _numbers(head, b"_clusters")
    lost = any(clusters.get(name) for name in (b"skipped", b"partial", b"failed", b"running"))
    return lost or bool(shards.get(b"failed")) or shards.get(b"successful", 0) < shards.get(b"total", 0) * (b"successful" in shards)


def _numbers(head: bytes, name: bytes) -> dict[bytes, int]:
    found = re.search(rb'"%b"\s*:\s*\{([^{}]*)' % name, head)
    return {k: int(v) for k, v in re.findall(rb'"(\w+)"\s*:\s*(\d+)', found[1])} if found else {}


def _wider(data: Any, fields: Sequence[str] | None) -> Any:
    """A search that brings more fields of each record."""
    if not fields or not isinstance(data, str) or '"_source"' not in data:
        return data
    body = json.loads(data)
    body["_source"]["includes"] += fields
    return json.dumps(body)


if __name__ == "__main__":
    main()
