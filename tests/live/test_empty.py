"""An empty answer from a server comes with a report of what is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Notice, Result
from tests.live.documents import HUNT, RANGE, process
from tests.live.fixtures import Profiled
from tests.servers.fixtures import Indexed
from tests.servers.server import Server

URI = "stixshifter://host101"
STRANGE = {"message": "sshd: accepted", "log": {"level": "info"}, "kubernetes": {"pod": "x"}}
NEARLY = {"winlog": {"event_data": {"Image": "a.exe", "ProcessId": "4"}}, "agent": {"type": "winlogbeat"}}


def strange(number: int, **fields: Any) -> dict[str, Any]:
    return {"@timestamp": f"2024-03-05T11:00:{number:02}.000Z", **(fields or STRANGE)}


def known(results: list[Result]) -> list[Notice]:
    return [r for r in results if isinstance(r, Notice)]


@pytest.fixture(params=[1_000_000, 1], ids=["whole", "narrow"])
def prepare(request: pytest.FixtureRequest, server: Server, indexed: Indexed, profiled: Profiled) -> Callable[..., str]:
    """An index with documents, and its name; asked for a time range as a whole, or for what each step needs."""

    def make(*documents: dict[str, Any], **more: Any) -> str:
        index = indexed(server, documents, **more)
        profiled(server.url, index.name, options={"fetch_whole": request.param})
        return index.name

    return make


@pytest.mark.parametrize("hunt", [HUNT, f"{HUNT} {RANGE}", f"{HUNT} WHERE name = 'p1.exe' {RANGE}"])
def test_documents_of_no_known_format_are_an_error(prepare: Callable[..., str], session: Session, hunt: str) -> None:
    prepare(*(strange(n) for n in range(12)))
    with pytest.raises(HuntErrors) as raised:
        session.run(hunt)
    text = str(raised.value)
    assert "error[K0430]" in text and f"none of the 12 documents of `{URI}`" in text and "is in a known log format" in text
    assert "@timestamp, kubernetes, log, message" in text and "`winlogbeat`" in text
    assert "x" not in session


def test_some_documents_of_no_known_format_are_a_notice(prepare: Callable[..., str], session: Session) -> None:
    prepare(*(process(n) for n in range(5)), *(strange(n) for n in range(2)))
    found = known(session.run(f"{HUNT} WHERE name = 'nothing.exe' {RANGE}"))
    (text,) = [n.message for n in found if URI in n.message]
    assert f"2 of the 7 documents of `{URI}` in the time range are in an unknown log format" in text
    assert "@timestamp, kubernetes, log, message" in text


def test_the_closest_format_is_named(prepare: Callable[..., str], session: Session) -> None:
    prepare(*(strange(n, **NEARLY) for n in range(3)))
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT)
    assert "the closest log format is `winlogbeat`" in str(raised.value) and "@timestamp, agent, winlog" in str(raised.value)


def test_a_find_says_so_as_well(prepare: Callable[..., str], session: Session) -> None:
    prepare(process(0), strange(1))
    assert not [n for n in known(session.run(f"{HUNT} {RANGE}")) if "closest" in n.message]
    found = known(session.run("y = FIND network-traffic CREATED BY x"))
    assert any(f"1 of the 2 documents of `{URI}` in the time range is in an unknown log format" in n.message for n in found)
    assert not [n for n in known(session.run("z = FIND process CREATED y")) if URI in n.message], "of nothing, nothing can be found"


def test_an_empty_index_is_a_notice(prepare: Callable[..., str], session: Session) -> None:
    prepare()
    for hunt in (HUNT, f"{HUNT} {RANGE}"):
        found = known(session.run(hunt))
        assert [n.message for n in found if "no documents" in n.message] == [f"`{URI}` has no documents, or none that the API key or user may read"]
        assert len(session["x"]) == 0


def test_nothing_in_the_time_range_is_a_notice(prepare: Callable[..., str], session: Session) -> None:
    prepare(*(process(n) for n in range(5)))
    found = known(session.run(f"{HUNT} START t'2020-01-01T00:00:00Z' STOP t'2020-01-02T00:00:00Z'"))
    assert [n.message for n in found if URI in n.message] == [
        f"`{URI}` has no documents from 2020-01-01T00:00:00Z to 2020-01-02T00:00:00Z; "
        "its documents are from 2024-03-05T10:00:00.000Z to 2024-03-05T10:00:04.000Z"
    ]
    assert len(session["x"]) == 0


def test_known_documents_without_a_match_need_no_reason(prepare: Callable[..., str], session: Session) -> None:
    prepare(*(process(n) for n in range(5)))
    assert not [n for n in known(session.run(f"{HUNT} WHERE name = 'nothing.exe' {RANGE}")) if URI in n.message]


@pytest.mark.parametrize(
    "mappings",
    [
        {"dynamic": False, "properties": {"@timestamp": {"type": "date"}}},
        {"properties": {"@timestamp": {"type": "date"}, "winlog": {"type": "object", "enabled": False}}},
    ],
    ids=["nothing is indexed", "winlog is not"],
)
def test_formats_are_recognised_where_they_cannot_be_asked_for(prepare: Callable[..., str], session: Session, mappings: Any) -> None:
    """The documents themselves are checked."""
    prepare(*(process(n) for n in range(5)), strange(0), index=f"plain-{len(str(mappings))}", mappings=mappings)
    found = known(session.run(f"{HUNT} WHERE name = 'nothing.exe' {RANGE}"))
    assert any(f"1 of the 6 documents of `{URI}` in the time range is in an unknown log format" in n.message for n in found)


def test_names_with_dots_are_recognised(prepare: Callable[..., str], session: Session) -> None:
    prepare({"@timestamp": "2024-03-05T10:00:00.000Z", "winlog.event_id": 1, "winlog.channel": "Application", "winlog.computer_name": "pc1"})
    assert not [n for n in known(session.run(f"{HUNT} {RANGE}")) if "unknown log format" in n.message and "closest" in n.message]


def test_several_sources(server: Server, indexed: Indexed, profiled: Profiled, session: Session) -> None:
    """If one document is recognised, the other is only a notice."""
    profiled(server.url, indexed(server, [process(0)]).name, name="good")
    profiled(server.url, indexed(server, [strange(0)]).name, name="poor")
    hunt = f"x = GET process FROM stixshifter://good,stixshifter://poor WHERE name = 'nothing.exe' {RANGE}"
    found = known(session.run(hunt))
    assert any("the only document of `stixshifter://poor` in the time range is in an unknown log format" in n.message for n in found)
    with pytest.raises(HuntErrors, match="K0430"):
        session.run(hunt.replace("stixshifter://good,", ""))


@pytest.mark.parametrize(
    ("documents", "state", "says"),
    [
        ([process(0), process(1)], "good", ["winlogbeat (2)"]),
        ([process(0), strange(0)], "weak", ["winlogbeat (1)", "1 of 2 documents is in an unknown log format", "kubernetes"]),
        ([strange(0), strange(1)], "bad", ["2 of 2 documents are in an unknown log format", "kubernetes"]),
        ([strange(0, **NEARLY)], "bad", ["1 of 1 documents is in an unknown log format", "the closest is winlogbeat", "agent, winlog"]),
    ],
    ids=["known", "some", "strange", "nearly"],
)
def test_check_source_counts_each_format(
    server: Server, indexed: Indexed, profiled: Profiled, session: Session, documents: Any, state: str, says: list[str]
) -> None:
    profiled(server.url, indexed(server, documents).name)
    found = {what: (how, text) for what, how, text in session.examine("host101")}
    assert found["log formats"][0] == state and all(text in found["log formats"][1] for text in says), found["log formats"]


def test_check_source_of_an_empty_index_is_no_error(server: Server, indexed: Indexed, profiled: Profiled, session: Session) -> None:
    profiled(server.url, indexed(server).name)
    found = {what: how for what, how, _ in session.examine("host101")}
    assert found == {"server": "good", "indices": "weak"}
