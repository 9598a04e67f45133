"""An error names what is really wrong with an index, and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Notice
from kestrel.sources.elastic import client, fetch
from tests.live.documents import HUNT, RANGE, process
from tests.live.fixtures import Profiled
from tests.servers.fault import JSON_TYPE, Say, error
from tests.servers.fixtures import Indexed
from tests.servers.index import Index
from tests.servers.proxy import Proxy
from tests.servers.server import Server


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT", 0.001)


@pytest.fixture
def index(server: Server, indexed: Indexed) -> Index:
    return indexed(server, [process(n) for n in range(3)])


def said(session: Session, hunt: str = HUNT) -> str:
    with pytest.raises(HuntErrors) as raised:
        session.run(hunt)
    return str(raised.value)


def notices(session: Session, hunt: str = HUNT) -> list[str]:
    return [r.message for r in session.run(hunt) if isinstance(r, Notice)]


@pytest.mark.parametrize("name", ["{}", "{}*", "alias-{}"])
def test_a_closed_index(server: Server, index: Index, profiled: Profiled, session: Session, name: str) -> None:
    server.ask("POST", "/_aliases", {"actions": [{"add": {"index": index.name, "alias": f"alias-{index.name}"}}]})
    server.ask("POST", f"/{index.name}/_close")
    profiled(server.url, name.format(index.name))
    text = said(session)
    assert "error[K0432]" in text and f"`{index.name}`" in text and ") is closed" in text and f"POST /{index.name}/_open" in text


def test_a_closed_index_among_others_is_named(server: Server, indexed: Indexed, index: Index, profiled: Profiled, session: Session) -> None:
    """A pattern passes it over."""
    other = indexed(server, [process(9)], f"{index.name}-other")
    server.ask("POST", f"/{index.name}/_close")
    profiled(server.url, f"{index.name}*")
    assert any(f"1 index is closed and cannot be searched: `{index.name}`" in text for text in notices(session))
    assert [r["name"] for r in session["x"].to_dicts()] == ["p9.exe"], other.name


@pytest.mark.parametrize("name", ["{}", "{}*"])
def test_an_index_blocked_for_reading(server: Server, index: Index, profiled: Profiled, session: Session, name: str) -> None:
    server.ask("PUT", f"/{index.name}/_settings", {"index.blocks.read": True})
    profiled(server.url, name.format(index.name))
    text = said(session)
    assert "error[K0432]" in text and f"`{index.name}`" in text and ") is blocked" in text and "`index.blocks.read`" in text
    assert "privilege" not in text


@pytest.mark.parametrize("times", [True, False], ids=["with a time", "without"])
@pytest.mark.parametrize("few", [1000, 1], ids=["few", "pages"])
def test_an_index_that_keeps_no_documents(
    server: Server, indexed: Indexed, profiled: Profiled, session: Session, monkeypatch: pytest.MonkeyPatch, times: bool, few: int
) -> None:
    monkeypatch.setattr(fetch, "FEW", few)
    mappings = {"_source": {"enabled": False}, "properties": {"@timestamp": {"type": "date" if times else "keyword"}}}
    index = indexed(server, [process(n) for n in range(3)], f"plain-source-{times}-{few}".lower(), mappings=mappings)
    profiled(server.url, index.name)
    text = said(session)
    assert "error[K0431]" in text and f"`{index.name}`" in text and "`_source` is disabled" in text


def test_fields_that_are_not_kept_are_named(server: Server, indexed: Indexed, profiled: Profiled, session: Session) -> None:
    mappings = {"_source": {"excludes": ["process.command_line", "unread.*"]}}
    profiled(server.url, indexed(server, [process(n) for n in range(3)], mappings=mappings).name)
    assert any("does not keep `process.command_line` (`_source` of its mapping)" in text for text in notices(session))
    assert {r["command_line"] for r in session["x"].to_dicts()} == {None}


def test_a_document_without_any_field_that_is_read(server: Server, indexed: Indexed, profiled: Profiled, session: Session) -> None:
    """It returns nothing, but that does not mean that `_source` is missing."""
    profiled(server.url, indexed(server, [process(0), {"other": 1}]).name)
    session.run(HUNT)
    assert [r["name"] for r in session["x"].to_dicts()] == ["p0.exe"]


@pytest.mark.parametrize("name", ["ecs-nothing-*", "alias-of-nothing"])
def test_a_name_of_nothing(server: Server, index: Index, profiled: Profiled, session: Session, name: str) -> None:
    profiled(server.url, name)
    text = said(session)
    assert "error[K0704]" in text and f"`{name}`" in text and f"`{index.name}`" in text


def test_an_alias_that_filters_everything_away(server: Server, index: Index, profiled: Profiled, session: Session) -> None:
    alias = {"index": index.name, "alias": f"none-of-{index.name}", "filter": {"term": {"event.code": 4711}}}
    server.ask("POST", "/_aliases", {"actions": [{"add": alias}]})
    profiled(server.url, f"none-of-{index.name}")
    assert any("has no documents" in text for text in notices(session, f"{HUNT} {RANGE}"))


DENIED = "action [{}] is unauthorized for API key id [x] of user [hunter] on indices [ecs]"
ANSWERS = {
    "read": (
        "/_search",
        error(403, "security_exception", DENIED.format("indices:data/read/search") + ", this action is granted by the index privileges [read,all]"),
        ["K0703", "the privilege `read` is missing"],
    ),
    "metadata": (
        "/_mapping",
        error(403, "security_exception", DENIED.format("indices:admin/mappings/get")),
        ["K0703", "the privilege `view_index_metadata` is missing"],
    ),
    "fields": (
        "/_field_caps",
        error(403, "security_exception", "no permissions for [indices:data/read/field_caps] and User [name=hunter]"),
        ["K0703", "the privilege `read` is missing"],
    ),
    "firewall": ("/_search", Say(403, b"<html>blocked by policy</html>"), ["K0703", "not from Elasticsearch or OpenSearch"]),
    "credentials": ("/_field_caps", error(401, "security_exception", "unable to authenticate user [hunter]"), ["K0703", "the key may have expired"]),
    "memory": (
        "/_search",
        error(429, "circuit_breaking_exception", "[parent] Data too large, data for [<http_request>] would be [1gb]", {"retry-after": "0"}),
        ["K0705", "it is out of memory", "lower `result_limit`"],
    ),
    "memory of a shard": (
        "/_search",
        Say(
            200,
            b'{"took": 1, "timed_out": false, "hits": {"total": {"value": 0}, "hits": []}, "_shards": {"total": 2, "successful": 1, "failed": 1, '
            b'"failures": [{"reason": {"type": "circuit_breaking_exception", "reason": "Data too large"}}]}}',
            JSON_TYPE,
        ),
        ["K0705", "1 of its 2 shards failed: Data too large"],
    ),
    "window": (
        "/_search?",
        error(400, "illegal_argument_exception", "Result window is too large, see the [index.max_result_window] index level setting"),
        ["K0706", "`index.max_result_window`", "lower `result_limit`"],
    ),
    "no point in time": ("keep_alive", Say(200, b"{}", JSON_TYPE), ["K0705", "for a point in time"]),
    "no number": ("/_search/?", Say(200, b'{"took": 1}', JSON_TYPE), ["K0705", "how many documents there are"]),
    "a list": ("/_field_caps", Say(200, b"[]", JSON_TYPE), ["K0705", "which fields its indices have"]),
    "no server": ("/", Say(200, b"<html>Welcome</html>"), ["K0705", "the answer is not JSON"]),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_an_answer_means(
    server: Server, index: Index, profiled: Profiled, session: Session, fronted: Callable[..., Proxy], monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(fetch, "FEW", 1)
    proxy = fronted(server, tls=False)
    profiled(proxy.url, index.name, auth={"api_key": "key"})
    path, fault, expected = ANSWERS[case]
    proxy.misbehave(fault, None, path=path)
    text = said(session)
    assert all(part in text for part in expected), text
    assert "help: " in text
