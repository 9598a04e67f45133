"""However the indices lay out their documents, the answers are those of the documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from tests.live.fixtures import Profiled
from tests.live.test_roads import answers
from tests.servers.fixtures import Indexed
from tests.servers.server import Server

DAY = "START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'"
HUNT = f"""
a = GET process FROM stixshifter://host101 WHERE name = 'amcet.exe' {DAY}
b = GET process FROM stixshifter://host101 WHERE command_line LIKE '%NOEXIT%' {DAY}
c = GET process FROM stixshifter://host101 WHERE command_line MATCHES 'x{{100}}' OR parent_ref.pid = 4 {DAY}
d = GET network-traffic FROM stixshifter://host101 WHERE dst_ref.value = '9.148.5.93' {DAY}
e = FIND process CREATED BY a
f = FIND process CREATED d
DISP a ATTR name, command_line, pid
DISP b ATTR name, command_line, pid
DISP d
DISP e ATTR name, command_line, pid
"""
TEXT_AND_KEYWORD = {"properties": {"@timestamp": {"type": "date"}}}
SHORT = {
    "dynamic_templates": [{"text": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 40}}}],
    "properties": {"@timestamp": {"type": "date"}},
}
TEXT = {
    "dynamic_templates": [{"text": {"match_mapping_type": "string", "mapping": {"type": "text"}}}],
    "properties": {"@timestamp": {"type": "date"}},
}
UNSEARCHABLE = {"dynamic": False, "properties": {"@timestamp": {"type": "date"}}}
PARTLY = {
    "date_detection": False,
    "dynamic_templates": SHORT["dynamic_templates"],
    "properties": {"@timestamp": {"type": "date"}, "winlog": {"properties": {"event_data": {"type": "object", "enabled": False}}}},
}
NESTED = {"properties": {"@timestamp": {"type": "date"}, "process": {"type": "nested"}}}
LAYOUTS: Mapping[str, Mapping[str, Any]] = {
    "text with keyword": TEXT_AND_KEYWORD,
    "short keywords": SHORT,
    "text alone": TEXT,
    "nothing can be searched": UNSEARCHABLE,
    "event data cannot": PARTLY,
    "nested": NESTED,
}


@pytest.fixture(scope="module")
def some(sample_documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The documents of one host that day."""
    return [d for d in sample_documents if d["winlog"]["computer_name"].lower().startswith("host101") and d["@timestamp"].startswith("2021-04-03")]


@pytest.fixture(scope="module")
def expected(some: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the file of these documents answers."""
    path: Path = tmp_path_factory.mktemp("some") / "some.ndjson"
    path.write_text("".join(json.dumps(d) + "\n" for d in some), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KESTREL_CACHE", "off")
        with Session(rows=None) as session:
            return answers(session.run(HUNT.replace("stixshifter://host101", f"'{path}'")))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_layout(server: Server, indexed: Indexed, some: list[dict[str, Any]], profiled: Profiled, expected: Any, layout: str) -> None:
    index = indexed(server, some, f"plain-{layout.replace(' ', '-')}", mappings=LAYOUTS[layout], settings={"index.mapping.total_fields.limit": 3000})
    for whole in (1_000_000, 1):
        profiled(server.url, index.name, options={"fetch_whole": whole})
        with Session(rows=None) as session:
            assert answers(session.run(HUNT)) == expected, f"fetch_whole {whole}"


def test_several_layouts_behind_an_alias(server: Server, indexed: Indexed, some: list[dict[str, Any]], profiled: Profiled, expected: Any) -> None:
    """Indices that do not agree on their fields' types."""
    names = []
    for number, (_, mappings) in enumerate(LAYOUTS.items()):
        names.append(indexed(server, some[number :: len(LAYOUTS)], f"mixed-{number}", mappings=mappings).name)
    server.ask("POST", "/_aliases", {"actions": [{"add": {"indices": names, "alias": "mixed"}}]})
    for indices in ("mixed", "mixed-*", ",".join(names)):
        profiled(server.url, indices, options={"fetch_whole": 1})
        with Session(rows=None) as session:
            assert answers(session.run(HUNT)) == expected
