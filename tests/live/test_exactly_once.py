"""Every document arrives exactly once: on equal timestamps, over pages and slices, and while others write."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from kestrel.pushdown.request import FetchRequest
from kestrel.sources.elastic.fetch import Elastic
from kestrel.sources.elastic.place import Place
from tests.servers.answer import ServerError
from tests.servers.fixtures import Indexed
from tests.servers.server import Server

MANY = 100_000
SAME = 30_000


def document(number: int) -> str:
    second = 0 if number < SAME else number
    stamp = f"2021-04-03T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"
    return json.dumps({"@timestamp": stamp, "event": {"code": "1"}, "winlog": {"event_id": 1, "channel": "Test", "record_id": number}})


def numbers(files: Any) -> list[int]:
    return [json.loads(line)["winlog"]["record_id"] for file in files for line in Path(file).read_text(encoding="utf-8").splitlines()]


def test_a_hundred_thousand_of_which_many_are_of_one_time(server: Server, indexed: Indexed, tmp_path: Path) -> None:
    index = indexed(server, map(document, range(MANY)))
    source = Elastic(Place("t", server.url, index.name))
    stop = threading.Event()

    def write() -> None:
        number = MANY
        while not stop.is_set():
            try:
                index.add([document(n) for n in range(number, number + 500)])
            except ServerError as error:
                assert error.status == 429, "a server may be busy, and nothing else"
            number += 500
            stop.wait(0.1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        known: list[int] = []
        found = numbers(source.fetch(FetchRequest(), tmp_path, known.append))
    finally:
        stop.set()
        writer.join()
    assert len(found) == len(set(found)), "none comes twice"
    assert set(range(MANY)) <= set(found), "none is lost"
    assert sum(known) == len(found) == source.cost.records


def test_pages_smaller_than_the_number_of_shards(server: Server, indexed: Indexed, tmp_path: Path) -> None:
    """Equal sequence numbers in many shards do not hold a page up."""
    index = indexed(server, map(document, range(600)), settings={"index": {"number_of_shards": 5}})
    source = Elastic(Place("t", server.url, index.name, page=3))
    assert sorted(numbers(source.fetch(FetchRequest(), tmp_path, lambda _: None))) == list(range(600))


def test_several_indices_at_once(server: Server, indexed: Indexed, tmp_path: Path) -> None:
    first, second = (indexed(server, map(document, part)) for part in (range(50), range(50, 120)))
    source = Elastic(Place("t", server.url, f"{first.name},{second.name}", page=7))
    assert sorted(numbers(source.fetch(FetchRequest(), tmp_path, lambda _: None))) == list(range(120))
