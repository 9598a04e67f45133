"""A page that is short, repeated or broken is fetched again, or is an error; it never shortens the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Notice
from kestrel.sources.elastic import client, fetch
from tests.live.documents import HUNT, process
from tests.live.fixtures import Profiled
from tests.servers.fault import Change, Fault, Replace, Rewrite
from tests.servers.fixtures import Indexed
from tests.servers.index import Index
from tests.servers.proxy import Proxy
from tests.servers.server import Server

NUMBER = 100
PAGES = "/_search?"
COUNTS = "/_search/?"
Hits = list[dict[str, Any]]


@pytest.fixture(scope="module", params=["few", "pages", "slices"])
def road(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, road: str) -> None:
    """Waits are short. `few`: one request has all documents; `pages`: a point in time in pages of 30; `slices`: in several slices."""
    monkeypatch.setattr(client, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(fetch, "FEW", 1000 if road == "few" else 10)
    monkeypatch.setattr(fetch, "WORTH", 50 if road == "slices" else 10_000)


@pytest.fixture
def index(server: Server, indexed: Indexed) -> Index:
    return indexed(server, [process(n) for n in range(NUMBER)])


@pytest.fixture
def proxy(server: Server, index: Index, fronted: Callable[..., Proxy], profiled: Profiled, road: str) -> Proxy:
    front = fronted(server, tls=False)
    profiled(front.url, index.name, options={"result_limit": 10 if road == "slices" else 30})
    return front


def hits(change: Callable[[Hits], Any]) -> Rewrite:
    def rewrite(answer: Any) -> Any:
        if "hits" in answer:
            change(answer["hits"].setdefault("hits", []))
        return answer

    return Rewrite(rewrite)


class Again:
    """Every page is the first one."""

    def __init__(self) -> None:
        self.first: Any = None

    def __call__(self, answer: Any) -> Any:
        if "error" in answer:
            return answer
        self.first = self.first or answer
        return self.first


def duplicate(found: Hits) -> None:
    if len(found) > 1:
        found[1] = found[0]


def turn(found: Hits) -> None:
    found.reverse()
    del found[:1]


SHORT: dict[str, Callable[[], Fault]] = {
    "the last hit is missing": lambda: hits(lambda h: h and h.pop()),
    "one is missing": lambda: hits(lambda h: h and h.pop(len(h) // 2)),
    "all are missing": lambda: hits(lambda h: h.clear()),
    "one comes twice": lambda: hits(duplicate),
    "one is added": lambda: hits(lambda h: h.append({**h[0], "_id": "new"}) if h else None),
    "in another order": lambda: hits(turn),
}
PARTS: dict[str, Fault] = {
    "a shard is missing": Change({"_shards": {"total": 5, "successful": 4, "failed": 0}}),
    "a cluster was skipped": Change({"_clusters": {"total": 2, "successful": 1, "skipped": 1}}),
    "a cluster gave a part": Change({"_clusters": {"total": 2, "successful": 1, "skipped": 0, "partial": 1}}),
    "out of time": Change({"timed_out": True}),
}


@pytest.mark.parametrize("fault", SHORT)
def test_what_comes_short_once_is_asked_again(proxy: Proxy, session: Session, fault: str) -> None:
    proxy.misbehave(SHORT[fault](), path=PAGES)
    session.run(HUNT)
    assert len(session["x"]) == NUMBER


@pytest.mark.parametrize("fault", SHORT)
def test_what_stays_short_is_an_error(proxy: Proxy, session: Session, fault: str) -> None:
    proxy.misbehave(SHORT[fault](), None, path=PAGES)
    with pytest.raises(HuntErrors, match=r"error\[K0705\]"):
        session.run(HUNT)
    assert "x" not in session
    proxy.behave()
    session.run(HUNT)
    assert len(session["x"]) == NUMBER


def test_a_page_that_comes_again_is_an_error(proxy: Proxy, session: Session, road: str) -> None:
    proxy.misbehave(Rewrite(Again()), None, path=PAGES)
    if road == "few":
        session.run(HUNT)
        assert len(session["x"]) == NUMBER
        return
    with pytest.raises(HuntErrors, match=r"error\[K0705\]"):
        session.run(HUNT)


def test_a_document_of_two_pages_is_an_error(proxy: Proxy, session: Session, road: str) -> None:
    proxy.misbehave(hits(lambda h: h and h[0].update(_id="same")), None, path=PAGES)
    if road == "few":
        session.run(HUNT)
        assert len(session["x"]) == NUMBER
        return
    with pytest.raises(HuntErrors, match="two pages contain the same document"):
        session.run(HUNT)


@pytest.mark.parametrize("failed", [{"failed_indices": 1}, {"failures": [{"indices": ["a"], "failure": {"error": {"type": "x"}}}]}])
def test_fields_that_an_index_did_not_tell_are_an_error(proxy: Proxy, session: Session, failed: dict[str, Any]) -> None:
    proxy.misbehave(Change(failed), None, path="/_field_caps")
    with pytest.raises(HuntErrors, match="of its indices did not answer"):
        session.run(HUNT)


def test_fewer_than_the_point_in_time_counts_is_an_error(proxy: Proxy, session: Session, road: str) -> None:
    """The count is one too high."""
    proxy.misbehave(Rewrite(lambda a: a | {"hits": a["hits"] | {"total": {"value": NUMBER + 1, "relation": "eq"}}}), None, path=COUNTS)
    if road == "few":
        session.run(HUNT)
        assert len(session["x"]) == NUMBER
        return
    with pytest.raises(HuntErrors, match="counts 101 documents, but its pages have 100"):
        session.run(HUNT)


@pytest.mark.parametrize("path", [PAGES, COUNTS])
@pytest.mark.parametrize("fault", PARTS)
def test_a_part_of_an_answer_is_asked_for_again(proxy: Proxy, session: Session, fault: str, path: str) -> None:
    proxy.misbehave(PARTS[fault], path=path)
    session.run(HUNT)
    assert len(session["x"]) == NUMBER
    proxy.misbehave(PARTS[fault], None, path=path)
    with Session() as other, pytest.raises(HuntErrors, match=r"error\[K0705\]"):
        other.run(HUNT)


def test_what_older_servers_do_not_say_is_no_lack(proxy: Proxy, session: Session) -> None:
    def older(answer: Any) -> Any:
        if "hits" not in answer:
            return answer
        answer = {k: v for k, v in answer.items() if k not in ("timed_out", "_clusters", "pit_id")}
        return answer | {"_shards": {k: v for k, v in answer["_shards"].items() if k not in ("successful", "skipped")}}

    proxy.misbehave(Rewrite(older), None, path="/_search")
    session.run(HUNT)
    assert len(session["x"]) == NUMBER


def test_no_search_takes_a_part_for_the_whole(proxy: Proxy, session: Session) -> None:
    session.run(HUNT + " WHERE name = 'nothing.exe'")
    searches = [a for a in proxy.asked("/_search") if "point_in_time" not in a.path]
    assert searches and all("allow_partial_search_results=false" in a.path for a in searches)
    known = [a.path for a in searches if "filter_path=" in a.path]
    assert all({"_shards", "_clusters", "timed_out"} <= set(path.partition("filter_path=")[2].split(",")) for path in known)


@pytest.mark.parametrize("source", [[1, 2], "text", None, 7, True])
def test_an_invalid_document_costs_no_other(proxy: Proxy, index: Index, session: Session, source: Any) -> None:
    place = ""

    def spoil(found: Hits) -> None:
        nonlocal place
        if len(found) > 3:
            found[3]["_source"] = source
            place = f"{index.name}/{found[3]['_id']}"

    proxy.misbehave(hits(spoil), path=PAGES)
    known = [r.message for r in session.run(HUNT) if isinstance(r, Notice)]
    assert len(session["x"]) == NUMBER - 1
    assert any("1 document is not a JSON object and was skipped" in text and place in text for text in known)


@pytest.mark.parametrize(
    "new", [b"marker-\xff07", b"marker-\\ud80007", b'marker-007", "x": NaN, "y": "'], ids=["not UTF-8", "half a character", "NaN"]
)
def test_a_document_with_unreadable_text_costs_no_other(proxy: Proxy, session: Session, new: bytes) -> None:
    proxy.misbehave(Replace(b"marker-007", new), None, path=PAGES)
    known = [r for r in session.run(HUNT) if isinstance(r, Notice)]
    names = {r["name"] for r in session["x"].to_dicts()}
    assert {f"p{n}.exe" for n in range(NUMBER) if n != 7} <= names
    assert "p7.exe" in names or any(n.count == 1 for n in known), json.dumps([n.message for n in known])


def test_a_hit_that_is_none_is_counted(proxy: Proxy, session: Session) -> None:
    proxy.misbehave(hits(lambda h: h.__setitem__(3, {"sort": h[3].get("sort")}) if len(h) > 3 else None), path=PAGES)
    known = [r.message for r in session.run(HUNT) if isinstance(r, Notice)]
    assert len(session["x"]) == NUMBER - 1
    assert any("1 document is not a JSON object and was skipped" in text for text in known)
