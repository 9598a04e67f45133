"""The scheduled-task hunt against running servers gives what it gives on a file: the truth of the simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Explanation, Summary
from kestrel.syntax import parse, to_text
from kestrel.syntax.tree import Hunt
from tests.live.fixtures import Profiled, points_stay_open
from tests.servers.credential import api_key, basic, bearer
from tests.servers.fixtures import SAMPLE, Indexed
from tests.servers.index import Index
from tests.servers.server import Server
from tests.test_demo import EXPECTED, HUNT, counts, tables

DAY = "START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'"


def on_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTOR", "file")
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTION", json.dumps({"path": str(SAMPLE)}))


def test_the_hunt_gives_its_rows(server: Server, sample: Index, profiled: Profiled, monkeypatch: pytest.MonkeyPatch) -> None:
    profiled(server.url, sample.name)
    with Session() as session:
        live = tables(session.run(HUNT))
        assert counts(session) == EXPECTED
        records = {name: session.engine.counts(session.engine.evaluate(session.scope[name])) for name in EXPECTED}
    on_file(monkeypatch)
    with Session() as session:
        read = tables(session.run(HUNT))
        assert {name: session.engine.counts(session.engine.evaluate(session.scope[name])) for name in EXPECTED} == records
    assert {name: set(t.rows) for name, t in live.items()} == {name: set(t.rows) for name, t in read.items()}


def test_cells_give_the_same_as_one_text(server: Server, sample: Index, profiled: Profiled) -> None:
    profiled(server.url, sample.name)
    with Session() as session:
        for statement in parse(HUNT).statements:
            session.run(to_text(Hunt((statement,))))
        assert counts(session) == EXPECTED


@pytest.mark.parametrize("scheme", ["stixshifter", "elastic", "opensearch", "ELASTIC"])
def test_the_first_failing_pattern_of_the_story_works(server: Server, sample: Index, profiled: Profiled, session: Session, scheme: str) -> None:
    profiled(server.url, sample.name)
    pattern = r"[process:command_line = 'C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule']"
    session.run(f"x = GET process FROM {scheme}://host101 WHERE {pattern} {DAY}")
    assert len(session["x"]) == 2


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"id": "abc", "api_key": "s3cr3t-key"}, api_key("abc", "s3cr3t-key")),
        ({"username": "hunter", "password": "s3cr3t-pass"}, basic("hunter", "s3cr3t-pass")),
        ({"access_token": "s3cr3t-token"}, bearer("s3cr3t-token")),
        ({"api_key": "YWJjOnMzY3IzdC1rZXk="}, "ApiKey YWJjOnMzY3IzdC1rZXk="),
    ],
)
def test_every_way_to_authenticate_over_tls(
    server: Server, sample: Index, profiled: Profiled, fronted: Any, session: Session, auth: dict[str, str], expected: str
) -> None:
    proxy = fronted(server)
    proxy.admit(expected)
    profiled(proxy.url, sample.name, auth=auth, selfSignedCert=proxy.certificate)
    results = session.run(f"x = GET process FROM stixshifter://host101 WHERE name = 'svchost.exe' {DAY}\nEXPLAIN x\nINFO x")
    assert len(session["x"]) == EXPECTED["sp"]
    assert "s3cr3t" not in repr(results)


def test_the_summary_and_explain_tell_what_was_asked(server: Server, sample: Index, profiled: Profiled, session: Session) -> None:
    profiled(server.url, sample.name)
    results = session.run(f"x = GET process FROM stixshifter://host101 WHERE name = 'amcet.exe' {DAY}\nEXPLAIN x")
    (asked,) = next(r for r in results if isinstance(r, Summary)).asked
    assert asked.source == "stixshifter://host101"
    assert asked.records > 0 and asked.queries > 2 and asked.bytes > 1000 and asked.server > 0 and asked.seconds > 0
    (explained,) = next(r for r in results if isinstance(r, Explanation)).queries
    assert f"POST {server.url}/{sample.name}/_search" in explained[2]
    again = session.run("y = x WHERE name = 'amcet.exe'")
    assert next(r for r in again if isinstance(r, Summary)).asked == ()


def test_a_get_run_again_asks_again(server: Server, indexed: Indexed, sample_documents: list[dict[str, Any]], profiled: Profiled) -> None:
    index = indexed(server, sample_documents[:3000])
    profiled(server.url, index.name)
    hunt = "x = GET process FROM stixshifter://host101 WHERE name = 'svchost.exe'"
    with Session() as session:
        session.run(hunt)
        before = len(session["x"])
        index.add(sample_documents[3000:9000])
        assert len(session["x"]) == before, "a variable stays as it is"
        session.run(hunt)
        after = len(session["x"])
    with Session() as session:
        session.run(hunt)
        assert len(session["x"]) == after > before


def test_twice_the_documents_change_no_count(server: Server, indexed: Indexed, sample_documents: list[dict[str, Any]], profiled: Profiled) -> None:
    index = indexed(server, sample_documents)
    index.add(sample_documents)
    profiled(server.url, index.name)
    with Session() as session:
        session.run(HUNT)
        assert counts(session) == EXPECTED


def test_a_creation_before_start_is_known(
    server: Server, sample: Index, profiled: Profiled, session: Session, sample_documents: list[dict[str, Any]]
) -> None:
    """Processes that live in the afternoon and were created before it have their command lines."""
    start = "2021-04-03T12:00:00"
    created: dict[str, str] = {}
    for d in sample_documents:
        if d["event"].get("code") in ("1", 1) and d["@timestamp"] < start:
            created[d["process"]["entity_id"].upper()] = d["process"].get("command_line", "")
    later = {d["process"]["entity_id"].upper() for d in sample_documents if d["event"].get("code") in ("3", 3) and d["@timestamp"] >= start}
    expected = {guid: created[guid] for guid in later & created.keys()}
    assert expected
    profiled(server.url, sample.name)
    session.run(f"x = GET process FROM stixshifter://host101 START t'{start}Z' STOP t'2021-04-05T00:00:00Z'")
    found = {r["x_unique_id"]: r["command_line"] for r in session["x"].to_dicts() if r["x_unique_id"] in expected}
    assert found == expected


def test_several_sources_are_one_answer(
    servers: dict[str, Server], profiled: Profiled, sample_documents: list[dict[str, Any]], session: Session, indexed: Indexed
) -> None:
    """Each server has half of the documents; entities of both are one."""
    halves = {"elasticsearch": sample_documents[::2], "opensearch": sample_documents[1::2]}
    for kind, half in halves.items():
        profiled(servers[kind].url, indexed(servers[kind], half).name, name=kind[:4])
    session.run(HUNT.replace("stixshifter://host101", "stixshifter://elas,stixshifter://open"))
    assert counts(session) == EXPECTED


def test_a_file_and_a_server_together(server: Server, sample: Index, profiled: Profiled, session: Session) -> None:
    profiled(server.url, sample.name)
    session.run(HUNT.replace("stixshifter://host101", f"stixshifter://host101,'{SAMPLE}'"))
    assert counts(session) == EXPECTED


@pytest.mark.parametrize("missing", ["ecs-not-there", "ecs-sample,ecs-not-there"])
def test_an_index_that_is_not_there_is_named(server: Server, sample: Index, profiled: Profiled, session: Session, missing: str) -> None:
    profiled(server.url, missing)
    with pytest.raises(HuntErrors) as error:
        session.run("x = GET process FROM stixshifter://host101")
    text = str(error.value)
    assert "error[K0704]" in text and "`ecs-not-there`" in text and "ecs-sample" in text.partition("help")[2]


def test_a_session_leaves_nothing_behind(server: Server, sample: Index, profiled: Profiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    profiled(server.url, sample.name)
    with Session() as session:
        session.run(HUNT)
    assert list(tmp_path.iterdir()) == []
    assert not points_stay_open(server)
