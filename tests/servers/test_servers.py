"""Both servers hold the sample and answer about it what plain Python says; they start once, and end with their last user."""

from __future__ import annotations

import fnmatch
import ipaddress
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.servers.answer import ServerError
from tests.servers.fixtures import Indexed, start_or_skip
from tests.servers.index import Index, NotIndexed
from tests.servers.lease import Lease, NotStarted
from tests.servers.server import Server
from tests.servers.software import KINDS, find

Document = dict[str, Any]


def values(document: Document, field: str) -> list[Any]:
    part: Any = document
    for name in field.split("."):
        part = part.get(name) if isinstance(part, dict) else None
    return part if isinstance(part, list) else [] if part is None else [part]


def some(field: str, test: Callable[[Any], bool]) -> Callable[[Document], bool]:
    return lambda document: any(test(value) for value in values(document, field))


def test_server_says_what_it_is(server: Server) -> None:
    root = server.ask("GET", "/")
    assert root["version"]["number"] == server.version == find(server.kind).version
    assert (root["version"].get("distribution") == "opensearch") == (server.kind == "opensearch")
    assert server.ask("GET", "/_cluster/health")["status"] in ("green", "yellow")
    assert "started" in server.log.read_text()


def test_servers_run_side_by_side(servers: dict[str, Server]) -> None:
    assert tuple(servers) == KINDS
    assert len({server.url for server in servers.values()}) == 2


def test_sample_is_there_whole(sample: Index, sample_documents: list[Document]) -> None:
    assert sample.count() == len(sample_documents) > 20_000


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"term": {"process.name": "cmd.exe"}}, some("process.name", lambda v: v == "cmd.exe")),
        ({"term": {"process.name": {"value": "CMD.exe", "case_insensitive": True}}}, some("process.name", lambda v: v.lower() == "cmd.exe")),
        ({"terms": {"event.code": ["1", "4688", "3"]}}, some("event.code", lambda v: v in {"1", "4688", "3"})),
        ({"wildcard": {"process.executable": "*System32*"}}, some("process.executable", lambda v: fnmatch.fnmatchcase(v, "*System32*"))),
        ({"regexp": {"process.name": "(cmd|powershell).exe"}}, some("process.name", lambda v: bool(re.fullmatch("(cmd|powershell).exe", v)))),
        ({"prefix": {"registry.path": "HKLM"}}, some("registry.path", lambda v: v.startswith("HKLM"))),
        ({"range": {"process.pid": {"gte": 1000, "lt": 2000}}}, some("process.pid", lambda v: 1000 <= v < 2000)),
        (
            {"range": {"@timestamp": {"gte": "2021-04-02T00:00:00Z", "lt": "2021-04-03T00:00:00Z"}}},
            some("@timestamp", lambda v: "2021-04-02T00:00:00" <= v < "2021-04-03T00:00:00"),
        ),
        (
            {"range": {"source.ip": {"gte": "10.20.1.0", "lte": "10.20.1.200"}}},
            some("source.ip", lambda v: ":" not in v and v >= "10.20.1.0" and 0 <= int(v.split(".")[3]) <= 200 and v.startswith("10.20.1.")),
        ),
        (
            {"term": {"source.ip": "fe80::/16"}},
            some("source.ip", lambda v: ipaddress.ip_address(v) in ipaddress.ip_network("fe80::/16")),
        ),
        ({"exists": {"field": "process.parent.pid"}}, some("process.parent.pid", lambda v: True)),
        (
            {
                "bool": {
                    "filter": [{"term": {"event.code": "1"}}],
                    "must_not": [{"term": {"process.name": "cmd.exe"}}],
                    "should": [{"wildcard": {"process.parent.name": "*e*"}}, {"exists": {"field": "no.such.field"}}],
                    "minimum_should_match": 1,
                }
            },
            lambda d: d["event"]["code"] == "1" and d["process"].get("name") != "cmd.exe" and "e" in d["process"].get("parent", {}).get("name", ""),
        ),
        ({"term": {"winlog.event_data.LogonId": "0x3e7"}}, some("winlog.event_data.LogonId", lambda v: v == "0x3e7")),
    ],
    ids=lambda part: next(iter(part)) if isinstance(part, dict) else "",
)
def test_query_finds_what_python_finds(sample: Index, sample_documents: list[Document], query: Document, holds: Callable[[Document], bool]) -> None:
    expected = sum(map(holds, sample_documents))
    assert sample.count(query) == expected


def test_field_types_are_those_of_ecs(sample: Index) -> None:
    fields = sample.server.ask("GET", f"/{sample.name}/_field_caps?fields=*")["fields"]
    kind = {name: next(iter(kinds)) for name, kinds in fields.items()}
    # Both name the wildcard type by its family; what the field is, the mapping tells.
    types = {
        "@timestamp": "date",
        "source.ip": "ip",
        "dns.resolved_ip": "ip",
        "related.ip": "ip",
        "process.pid": "long",
        "process.parent.pid": "long",
        "destination.port": "long",
        "process.name": "keyword",
        "process.command_line.text": "text",
        "event.code": "keyword",
        "winlog.event_data.DestPort": "keyword",
        "winlog.record_id": "keyword",
    }
    assert {name: kind[name] for name in types} == types
    mapping = sample.server.ask("GET", f"/{sample.name}/_mapping")[sample.name]["mappings"]["properties"]["process"]["properties"]["command_line"]
    assert mapping["type"] == ("wildcard" if sample.server.has_wildcard else "keyword")


def walk(index: Index, slices: int, size: int) -> Iterator[str]:
    """The ids of all documents by a point in time, `search_after` and slices, as each server spells them."""
    server = index.server
    if server.kind == "opensearch":
        path, end, tie = "_search/point_in_time", "pit_id", "_id"
    else:
        path, end, tie = "_pit", "id", "_shard_doc"
    point = server.ask("POST", f"/{index.name}/{path}?keep_alive=1m")[end]
    for number in range(slices):
        after: Document = {}
        while True:
            body = {"size": size, "_source": False, "pit": {"id": point, "keep_alive": "1m"}, "sort": [{"@timestamp": "asc"}, {tie: "asc"}]}
            part = {"slice": {"id": number, "max": slices}} if slices > 1 else {}
            hits = server.ask("POST", "/_search", body | part | after)["hits"]["hits"]
            if not hits:
                break
            yield from (hit["_id"] for hit in hits)
            after = {"search_after": hits[-1]["sort"]}
    server.ask("DELETE", f"/{path}", {end: [point] if server.kind == "opensearch" else point})


@pytest.mark.parametrize("slices", [1, 3])
def test_a_point_in_time_gives_every_document_once(sample: Index, sample_documents: list[Document], slices: int) -> None:
    ids = list(walk(sample, slices, 4_000))
    assert len(ids) == len(set(ids)) == len(sample_documents)


def test_a_point_in_time_does_not_see_what_comes_later(server: Server, indexed: Indexed) -> None:
    index = indexed(server, [{"@timestamp": f"2021-04-01T00:00:{n:02d}Z"} for n in range(50)], settings={"number_of_shards": 2})
    pages = walk(index, 1, 10)
    first = [next(pages) for _ in range(10)]
    adding = threading.Thread(target=index.add, args=([{"@timestamp": f"2021-04-01T00:01:{n:02d}Z"} for n in range(50)],))
    adding.start()
    adding.join()
    assert index.count() == 100
    assert len({*first, *pages}) == 50


def test_documents_are_seen_after_a_refresh(server: Server, indexed: Indexed) -> None:
    index = indexed(server, [{"_id": "one", "@timestamp": "2021-04-01T00:00:00Z"}])
    assert index.add([{"@timestamp": "2021-04-01T00:00:01Z"}], refresh=False) == 1
    assert index.count() == 1
    index.refresh()
    assert index.count() == 2
    assert index.search({"sort": ["@timestamp"]})["hits"]["hits"][0]["_id"] == "one"


def test_what_is_not_indexed_is_told(server: Server, indexed: Indexed) -> None:
    index = indexed(server)
    with pytest.raises(NotIndexed, match=r"1 documents were not indexed.*no address"):
        index.add([{"source": {"ip": "10.0.0.1"}}, {"source": {"ip": "no address"}}])
    with pytest.raises(ServerError, match="already_exists"):
        index.create()


@pytest.mark.parametrize("time", ["once", "again"])
def test_index_is_gone_after_its_test(server: Server, indexed: Indexed, worker_id: str, time: str) -> None:
    assert indexed(server, [{"time": time}], f"ecs-gone-{worker_id}").count({"term": {"time": time}}) == 1


def test_an_index_may_have_a_mapping_of_its_own(server: Server, indexed: Indexed) -> None:
    name = f"plain-{os.getpid()}"
    index = indexed(server, [{"address": "10.0.0.1"}], name, mappings={"properties": {"address": {"type": "ip"}}})
    assert index.count({"term": {"address": "10.0.0.0/8"}}) == 1


TAKE = """
import sys, time
from pathlib import Path
from tests.servers.lease import Lease
lease = Lease.take(sys.argv[1], Path(sys.argv[2]))
print(lease.server.pid, flush=True)
if sys.argv[3] == "die":
    time.sleep(600)
lease.give_back()
"""


def user(server_kind: str, folder: Path, end: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", TAKE, server_kind, str(folder), end], stdout=subprocess.PIPE, text=True)


def test_a_second_user_joins_and_does_not_end_the_server(server: Server) -> None:
    with user(server.kind, server.folder, "leave") as other:
        out, _ = other.communicate(timeout=60)
    assert int(out) == server.pid
    assert server.ask("GET", "/")["version"]["number"] == server.version


@pytest.mark.usefixtures("server")
def test_a_server_ends_when_its_only_user_is_killed(server: Server, tmp_path: Path) -> None:
    with user(server.kind, tmp_path, "die") as only:
        assert only.stdout is not None
        process = psutil.Process(int(only.stdout.readline()))
        only.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not (tmp_path / "port").exists()


def test_what_keeps_a_server_from_starting_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("KESTREL_SERVERS", str(tmp_path / "cache"))
    for _ in range(2):
        with pytest.raises(NotStarted, match=r"opensearch does not start: .*no `javac` in"):
            Lease.take("opensearch", tmp_path / "server")
        monkeypatch.delenv("JAVA_HOME", raising=False)


def test_a_missing_server_is_a_skip_or_where_they_are_required_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(kind: str) -> Server:
        raise NotStarted(kind, "no Java")

    monkeypatch.delenv("KESTREL_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="opensearch does not start: no Java"):
        start_or_skip(start, "opensearch")
    monkeypatch.setenv("KESTREL_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="opensearch does not start: no Java"):
        start_or_skip(start, "opensearch")
