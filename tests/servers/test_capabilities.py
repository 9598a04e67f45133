"""What each server can do is what the table says, and the README shows that table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers.answer import request
from tests.servers.index import Index
from tests.servers.server import Server

TABLE: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("capabilities.yaml").read_text(encoding="utf-8"))
DOCUMENTS = [
    {
        "_id": str(n),
        "@timestamp": f"2021-04-01T00:00:{n:02d}.123Z",
        "process": {"name": ["cmd.exe", "CMD.EXE", "powershell.exe", "powershell.exe"][n % 4], "pid": n, "command_line": f"end {n}"},
        "source": {"ip": f"10.0.0.{n}"},
    }
    for n in range(20)
]
DOCUMENTS[5]["process"] |= {"command_line": "x" * 2000 + " end 5"}  # type: ignore[operator]
DOCUMENTS[6] |= {"long": "y" * 2000, "lenient": "no number"}


@dataclass(frozen=True)
class Bench:
    """An index and a point in time on it, to try things on."""

    index: Index
    point: str

    def filled(self, part: Any) -> Any:
        match part:
            case dict():
                return {name: self.filled(value) for name, value in part.items()}
            case list():
                return [self.filled(value) for value in part]
            case "PIT":
                return {"id": self.point, "keep_alive": "1m"}
            case "LONG":
                return "a" * 1001
            case "CLAUSES":
                return [{"term": {"process.pid": n}} for n in range(1025)]
            case "NUMBERS":
                return list(range(65_537))
            case str():
                return part.replace("INDEX", self.index.name)
            case _:
                return part


@pytest.fixture(scope="module")
def bench(server: Server, worker_id: str) -> Iterator[Bench]:
    index = Index(server, f"ecs-bench-{worker_id}")
    index.create(settings={"number_of_shards": 2}, mappings={"properties": {"lenient": {"type": "long", "ignore_malformed": True}}})
    stream = {"index_patterns": [f"{index.name}-stream"], "priority": 600, "data_stream": {}}
    try:
        index.add(DOCUMENTS)
        if server.kind == "opensearch":
            server.ask("PUT", f"/_index_template/{index.name}", stream)
            point = server.ask("POST", f"/{index.name}/_search/point_in_time?keep_alive=5m")["pit_id"]
        else:
            point = server.ask("POST", f"/{index.name}/_pit?keep_alive=5m")["id"]
        yield Bench(index, point)
        if server.kind == "opensearch":
            server.ask("DELETE", f"/_data_stream/{index.name}-*")
            server.ask("DELETE", f"/_index_template/{index.name}")
    finally:
        for made in server.ask("GET", f"/{index.name}*"):
            Index(server, made).delete()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row["name"]).replace("`", ""))
def test_server_can_do_what_the_table_says(bench: Bench, row: dict[str, Any]) -> None:
    method, path, body = bench.filled(row["ask"])
    answer = request(bench.index.server.url, method, path, body)
    can = answer.status < 300
    if can and "hits" in row:
        can = len(answer.json.get("hits", {}).get("hits", [])) == row["hits"]
    assert can is row[bench.index.server.kind], json.dumps(answer.json)[:1000]


def test_readme_shows_the_table() -> None:
    lines = Path(__file__).with_name("README.md").read_text(encoding="utf-8").splitlines()
    shown = [line for line in lines if line.endswith((" yes |", " no |"))]
    assert shown == [f"| {row['name']} | {word(row['elasticsearch'])} | {word(row['opensearch'])} |" for row in TABLE]


def word(can: bool) -> str:
    return "yes" if can else "no"
