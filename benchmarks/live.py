"""How fast records come from a server: `python -m benchmarks.live [elasticsearch|opensearch]`.

Beside a bare loop that asks for the same pages and slices and decodes them, and no more; and beside STIX-shifter's own connector,
which fetches and translates the same (through a proxy of ours, as it speaks TLS only). Every figure is the median of five runs of one
session with one running server; 100,000 documents of the simulator's kind.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import zstandard
from tests.servers.fixtures import SAMPLE
from tests.servers.index import Index
from tests.servers.lease import Lease
from tests.servers.proxy import Proxy
from tests.servers.software import cache_folder

from kestrel import Session
from kestrel.formats.format import log_formats
from kestrel.pushdown.request import FetchRequest
from kestrel.result import Summary
from kestrel.sources.elastic.dsl import wanted_fields
from kestrel.sources.profiles import profile
from kestrel.sources.stixshifter.fetch import Shifter
from kestrel.sources.stixshifter.installed import FOLDER_VARIABLE, install

RUNS = 5
MANY = 100_000
SLICES = 4
PAGE = 5_000


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "elasticsearch"
    os.environ["KESTREL_CACHE"] = "off"
    with tempfile.TemporaryDirectory(prefix="kestrel-bench-") as folder:
        lease = Lease.take(kind, Path(folder))
        try:
            measure(lease.server)
        finally:
            lease.give_back()


def measure(server: Any) -> None:
    large, sample = Index(server, "ecs-large"), Index(server, "ecs-sample")
    for index, documents in ((large, many()), (sample, lines())):
        index.delete()
        index.create()
        index.add(documents)
    print(f"{server.kind} {server.version}, {MANY:,} documents")
    set_profile(server.url, large.name)
    bare, whole = [], []
    for _ in range(RUNS):
        bare.append(timed(lambda: bare_loop(server.url, large.name)))
        whole.append(timed(load))
    report("a bare loop", bare)
    report("fetched and loaded", whole, bare)
    report("by STIX-shifter, fetched and translated", by_connector(server.url, large.name), whole)
    set_profile(server.url, sample.name)
    report("the scheduled-task hunt, beyond `took`", [hunt() for _ in range(RUNS)])


def report(what: str, seconds: list[float], beside: list[float] | None = None) -> None:
    median = statistics.median(seconds)
    ratio = f"  {median / statistics.median(beside):5.2f} x the line above" if beside else ""
    print(f"{what:42} {median:6.2f} s{ratio}", flush=True)


def set_profile(url: str, index: str, **connection: Any) -> None:
    host, _, port = url.rpartition(":")
    os.environ["STIXSHIFTER_HOST101_CONNECTOR"] = "elastic_ecs"
    os.environ["STIXSHIFTER_HOST101_CONNECTION"] = json.dumps({"host": host, "port": int(port), "indices": index, **connection})
    os.environ["STIXSHIFTER_HOST101_CONFIG"] = "{}"


def by_connector(url: str, index: str) -> list[float]:
    """Seconds of the real `elastic_ecs`, installed as `kestrel connectors install` does."""
    os.environ[FOLDER_VARIABLE] = str(cache_folder() / "connectors")
    install("elastic_ecs", upgrade=False, known=lambda _: None)
    with Proxy(url) as proxy:
        set_profile(proxy.url.removeprefix("https://"), index, selfSignedCert=proxy.certificate, options={"native": False})
        return [timed(translate) for _ in range(RUNS)]


def translate() -> None:
    came: list[int] = []
    with tempfile.TemporaryDirectory(prefix="kestrel-bench-") as folder:
        Shifter(profile("host101")).fetch(FetchRequest(), Path(folder), came.append)
    if sum(came) != len(set(many())):  # it counts documents that are equal in everything as one
        raise SystemExit(f"the connector brought {sum(came):,} documents")


def lines() -> Iterator[str]:
    with zstandard.open(SAMPLE, "rt", encoding="utf-8") as file:
        yield from file


def many() -> Iterator[str]:
    """The sample several times, each time on other hosts."""
    number = 0
    copy = 0
    while number < MANY:
        for line in lines():
            if number == MANY:
                return
            yield re.sub(r"\b(?i:host|srv|lap)(?=\d{3}\b)", rf"\g<0>{copy}", line)
            number += 1
        copy += 1


def timed(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def load() -> None:
    with Session() as session:
        session.run("x = GET process FROM stixshifter://host101 WHERE name = 'amcet.exe'")


def hunt() -> float:
    """Seconds of the hunt that the server was not working."""
    text = (resources.files("kestrel.demo") / "hunt.hf").read_text(encoding="utf-8")
    began = time.perf_counter()
    with Session() as session:
        summary = next(r for r in session.run(text) if isinstance(r, Summary))
    return time.perf_counter() - began - sum(a.server for a in summary.asked)


def bare_loop(url: str, index: str) -> None:
    """All documents of an index, in pages of several slices at once, decoded."""
    import orjson
    import urllib3

    source_text = urllib3.PoolManager(maxsize=SLICES)

    def ask(method: str, path: str, body: Any = None) -> Any:
        sent = orjson.dumps(body) if body is not None else None
        response = source_text.request(method, f"{url}/{path}", body=sent, headers={"content-type": "application/json"})
        return orjson.loads(response.data)

    opened = ask("POST", f"{index}/_pit?keep_alive=1m")
    unique = "id" in opened
    identity = opened["id"] if unique else ask("POST", f"{index}/_search/point_in_time?keep_alive=1m")["pit_id"]
    counts = [0] * SLICES

    def work(number: int) -> None:
        body: dict[str, Any] = {
            "size": PAGE,
            "query": {"match_all": {}},
            "pit": {"id": identity, "keep_alive": "1m"},
            "sort": ["_shard_doc" if unique else "_seq_no"],
            "slice": {"id": number, "max": SLICES} | ({} if unique else {"field": "_seq_no"}),
            "track_total_hits": False,
            "_source": list(wanted_fields([log_formats()["winlogbeat"]])),
        }
        while (
            hits := ask("POST", "_search?filter_path=hits.hits._index,hits.hits._id,hits.hits._source,hits.hits.sort", body)
            .get("hits", {})
            .get("hits")
        ):
            counts[number] += len(hits)
            body["search_after"] = hits[-1]["sort"]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(SLICES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ask("DELETE", "_pit" if unique else "_search/point_in_time", {"id": identity} if unique else {"pit_id": [identity]})
    if sum(counts) != MANY:
        raise SystemExit(f"the bare loop found {sum(counts):,} documents")


if __name__ == "__main__":
    main()
