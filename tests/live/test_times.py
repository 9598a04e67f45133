"""A time is the one that the server reads, in whatever format the document has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.pushdown.request import FetchRequest, FieldPredicate
from kestrel.result import Notice
from kestrel.sources.connector import connector as fetcher
from kestrel.sources.elastic.recognise import expanded
from kestrel.sources.opening import open_source
from tests.live.documents import HUNT, RANGE, audited, process
from tests.live.fixtures import Profiled
from tests.servers.fixtures import Indexed
from tests.servers.server import Server

NOON = datetime(2024, 3, 5, 12, 0, tzinfo=UTC)
EPOCH = int(NOON.timestamp())
SPELLINGS: dict[str, tuple[dict[str, Any], Callable[[datetime], Any]]] = {
    "milliseconds": ({"type": "date"}, lambda t: int(t.timestamp() * 1000)),
    "milliseconds as text": ({"type": "date"}, lambda t: str(int(t.timestamp() * 1000))),
    "seconds": ({"type": "date", "format": "epoch_second"}, lambda t: int(t.timestamp())),
    "seconds as text": ({"type": "date", "format": "epoch_second"}, lambda t: str(int(t.timestamp()))),
    "day first": ({"type": "date", "format": "dd/MM/yyyy HH:mm:ss"}, lambda t: t.strftime("%d/%m/%Y %H:%M:%S")),
    "basic": ({"type": "date", "format": "basic_date_time_no_millis"}, lambda t: t.strftime("%Y%m%dT%H%M%SZ")),
    "offset": ({"type": "date"}, lambda t: (t + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")),
    "no zone": ({"type": "date"}, lambda t: t.strftime("%Y-%m-%dT%H:%M:%S")),
    "nanoseconds": ({"type": "date_nanos"}, lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.000000000Z")),
    "milliseconds of nanoseconds": ({"type": "date_nanos"}, lambda t: int(t.timestamp() * 1000)),
    "in a list": ({"type": "date"}, lambda t: [t.strftime("%Y-%m-%dT%H:%M:%SZ")]),
}


@pytest.fixture(params=[1_000_000, 1], ids=["whole", "narrow"])
def whole(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_time_in_any_spelling(server: Server, indexed: Indexed, profiled: Profiled, session: Session, spelling: str, whole: int) -> None:
    """Ten processes, an hour apart; a range gives those of its hours, with their times."""
    mapping, spell = SPELLINGS[spelling]
    documents = [audited(n, spell(NOON + timedelta(hours=n - 5))) for n in range(10)]
    index = indexed(server, documents, mappings={"properties": {"@timestamp": mapping}})
    profiled(server.url, index.name, options={"fetch_whole": whole})
    session.run(f"{HUNT} START t'2024-03-05T09:00:00Z' STOP t'2024-03-05T14:00:00Z'")
    found = {r["name"]: r["first_observed"] for r in session["x"].to_dicts()}
    expected = {f"a{n}.exe": NOON + timedelta(hours=n - 5) for n in range(2, 7)}
    assert {name: time.replace(tzinfo=UTC) for name, time in found.items()} == expected


def fetched(wanted: FetchRequest, folder: Path) -> list[dict[str, Any]]:
    """The documents that are fetched for a request to the profile."""
    source = fetcher(open_source("stixshifter://host101", quoted=False)[0])
    return [expanded(json.loads(line)) for file in source.fetch(wanted, folder, lambda _: None) for line in file.read_text().splitlines()]


def test_what_the_server_does_not_understand_stays_as_it_is(server: Server, indexed: Indexed, profiled: Profiled, tmp_path: Path) -> None:
    """A malformed time that the mapping accepts loses no document, whatever the range."""
    mappings = {"properties": {"@timestamp": {"type": "date", "ignore_malformed": True}}}
    profiled(server.url, indexed(server, [audited(0, "yesterday"), audited(1, None), process(2)], mappings=mappings).name)
    for wanted in (FetchRequest(), FetchRequest(NOON - timedelta(hours=12), NOON + timedelta(hours=12))):
        assert {str(d["@timestamp"]) for d in fetched(wanted, tmp_path)} == {"yesterday", "None", "2024-03-05T10:00:02.000Z"}


@pytest.mark.parametrize("kind", ["date", "date_nanos"])
@pytest.mark.parametrize(
    "range_",
    [
        "START t'1950-01-01T00:00:00Z' STOP t'2024-03-06T00:00:00Z'",
        "START t'2024-03-05T00:00:00Z' STOP t'2500-01-01T00:00:00Z'",
        "START t'0001-01-01T00:00:00Z' STOP t'9999-12-31T23:59:59Z'",
    ],
)
def test_a_range_beyond_what_the_mapping_holds(
    server: Server, indexed: Indexed, profiled: Profiled, session: Session, kind: str, range_: str, whole: int
) -> None:
    index = indexed(server, [process(n) for n in range(3)], mappings={"properties": {"@timestamp": {"type": kind}}})
    profiled(server.url, index.name, options={"fetch_whole": whole})
    session.run(f"{HUNT} {range_}")
    assert len(session["x"]) == 3


def test_indices_that_spell_differently(server: Server, indexed: Indexed, profiled: Profiled, session: Session, whole: int) -> None:
    """Behind one pattern, each with a mapping of its own."""
    some = list(SPELLINGS.values())
    for number, (mapping, spell) in enumerate(some):
        document = audited(number, spell(NOON + timedelta(minutes=number)))
        indexed(server, [document], f"spelt-{number}", mappings={"properties": {"@timestamp": mapping}})
    profiled(server.url, "spelt-*", options={"fetch_whole": whole})
    session.run(f"{HUNT} WHERE name LIKE 'a%' {RANGE}")
    found = {r["name"]: r["first_observed"].replace(tzinfo=UTC) for r in session["x"].to_dicts()}
    assert found == {f"a{n}.exe": NOON + timedelta(minutes=n) for n in range(len(some))}


def test_names_with_dots_are_found_and_fetched(server: Server, indexed: Indexed, profiled: Profiled, tmp_path: Path) -> None:
    """`{"process.pid": 3}` is `{"process": {"pid": 3}}` to a server: what is asked and which fields come do not differ."""
    nested = process(3)
    flat = {
        "@timestamp": nested["@timestamp"],
        **{f"process.{k}": v for k, v in nested["process"].items()},
        **{f"winlog.{k}": v for k, v in nested["winlog"].items() if k != "event_data"},
        "winlog.event_data": nested["winlog"]["event_data"],
        "event.code": 1,
        "secret.field": 1,
    }
    profiled(server.url, indexed(server, [flat, process(4)]).name)
    (document,) = fetched(FetchRequest(any_of=((FieldPredicate(("process.pid",), "=", (1003,)),),)), tmp_path)
    assert document["process"] == nested["process"] and document["winlog"] == nested["winlog"] and "secret" not in document


@pytest.mark.parametrize("name", ["PC1", "pc1"])
def test_the_host_is_the_events_computer(server: Server, indexed: Indexed, profiled: Profiled, session: Session, name: str, whole: int) -> None:
    """Forwarded events: `host.name` is the collector's, and the same for all."""
    profiled(server.url, indexed(server, [process(n) for n in range(6)]).name, options={"fetch_whole": whole})
    session.run(f"h = GET x-oca-asset FROM stixshifter://host101 WHERE hostname LIKE '{name}' {RANGE}")
    assert [r["hostname"].lower() for r in session["h"].to_dicts()] == ["pc1"]
    session.run(f"c = GET x-oca-asset FROM stixshifter://host101 WHERE hostname = 'collector' {RANGE}")
    assert len(session["c"]) == 0
    session.run("p = FIND process LINKED h")
    assert {r["name"] for r in session["p"].to_dicts()} == {"p1.exe", "p3.exe", "p5.exe"}


def test_no_date_is_said(server: Server, indexed: Indexed, profiled: Profiled, session: Session) -> None:
    """Without a mapped time a range is filtered locally, and a notice says why everything is fetched."""
    index = indexed(server, [process(n) for n in range(3)], "plain-times", mappings={"properties": {"@timestamp": {"type": "keyword"}}})
    profiled(server.url, index.name)
    known = [r.message for r in session.run(f"{HUNT} START t'2024-03-05T10:00:01Z' STOP t'2024-03-05T10:00:02Z'") if isinstance(r, Notice)]
    assert any("`@timestamp` is not mapped as a date" in text for text in known)
    assert [r["name"] for r in session["x"].to_dicts()] == ["p1.exe"]


def test_a_range_without_a_time_of_the_mapping_is_empty(server: Server, indexed: Indexed, profiled: Profiled, session: Session) -> None:
    profiled(server.url, indexed(server, [process(0)], mappings={"properties": {"@timestamp": {"type": "date_nanos"}}}).name)
    session.run(f"{HUNT} START t'2400-01-01T00:00:00Z' STOP t'2500-01-01T00:00:00Z'")
    assert len(session["x"]) == 0
