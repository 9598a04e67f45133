"""The proxy lets through who has a key, and does wrong what it is told to."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.servers.answer import Answer, request
from tests.servers.credential import api_key, basic, bearer
from tests.servers.fault import (
    SHARDS_FAILED,
    TIMED_OUT,
    Change,
    Cut,
    Drip,
    DripHead,
    Endless,
    Garble,
    HangBody,
    HangHead,
    Refuse,
    Replace,
    Rewrite,
    internal_error,
    redirect,
    too_many_requests,
)
from tests.servers.index import Index
from tests.servers.proxy import Proxy
from tests.servers.server import Server

Fronted = Callable[..., Proxy]


@pytest.fixture
def proxy(server: Server, fronted: Fronted) -> Proxy:
    return fronted(server)


def ask(proxy: Proxy, path: str = "/", body: object = None, authorization: str | None = None, timeout: float = 30) -> Answer:
    headers = {"Authorization": authorization} if authorization else {}
    return request(proxy.url, "POST" if body is not None else "GET", path, body, headers=headers, timeout=timeout, context=proxy.context)


def test_answers_are_those_of_the_server(proxy: Proxy, server: Server) -> None:
    answer = ask(proxy)
    assert answer.json == server.ask("GET", "/")
    assert (answer.headers.get("x-elastic-product") == "Elasticsearch") == (server.kind == "elasticsearch")


@pytest.mark.parametrize("key", [api_key("id", "secret"), basic("hunter", "pass:word"), bearer("token")])
def test_only_the_right_key_passes(proxy: Proxy, key: str) -> None:
    proxy.admit(key)
    assert ask(proxy, authorization=key).status == 200
    for wrong, reason in [(None, "missing authentication credentials"), (key + "x", "unable to authenticate")]:
        refused = ask(proxy, authorization=wrong)
        assert refused.status == 401
        assert refused.json["error"]["type"] == "security_exception"
        assert reason in refused.json["error"]["reason"]
        assert "ApiKey" in refused.headers["www-authenticate"]


def test_a_known_key_may_be_forbidden(proxy: Proxy) -> None:
    proxy.forbid(api_key("id", "secret"))
    refused = ask(proxy, "/ecs-x/_search", {}, api_key("id", "secret"))
    assert refused.status == refused.json["status"] == 403
    assert "is unauthorized" in refused.json["error"]["reason"]


def test_the_key_stays_at_the_proxy_and_requests_are_kept(proxy: Proxy) -> None:
    body: dict[str, Any] = {"query": {"match_none": {}}}
    ask(proxy, "/_search?size=0", body, bearer("token"))
    (asked,) = proxy.asked("_search")
    assert (asked.method, asked.path, asked.json, asked.status) == ("POST", "/_search?size=0", body, 200)
    assert asked.headers["authorization"] == bearer("token")
    assert len(proxy.asked()) == 1


def test_a_stranger_does_not_trust_its_certificate(proxy: Proxy) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        request(proxy.url, "GET", "/", context=ssl.create_default_context())


def test_localhost_is_in_its_certificate(proxy: Proxy) -> None:
    assert request(proxy.url.replace("127.0.0.1", "localhost"), "GET", "/", context=proxy.context).status == 200


def test_certificate_may_be_of_another_name_or_expired(server: Server, fronted: Fronted) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        ask(fronted(server, names=["elsewhere.example"]))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        ask(fronted(server, expired=True))


def test_without_tls(server: Server, fronted: Fronted) -> None:
    plain = fronted(server, tls=False)
    assert plain.url.startswith("http://")
    assert ask(plain).status == 200


def test_refuses(proxy: Proxy) -> None:
    proxy.misbehave(Refuse())
    with pytest.raises((http.client.RemoteDisconnected, ssl.SSLEOFError, ConnectionResetError)):
        ask(proxy)
    assert [asked.status for asked in proxy.asked()] == [None]
    assert ask(proxy).status == 200
    proxy.close()
    with pytest.raises(ConnectionRefusedError):
        ask(proxy)


@pytest.mark.parametrize("fault", [HangHead(), HangBody()])
def test_hangs(proxy: Proxy, fault: HangHead | HangBody) -> None:
    proxy.misbehave(fault)
    with pytest.raises(TimeoutError):
        ask(proxy, timeout=2)
    assert ask(proxy).status == 200


@pytest.mark.parametrize("fault", [HangHead(0.3), HangBody(seconds=0.3)])
def test_goes_on_after_a_hang(proxy: Proxy, server: Server, fault: HangHead | HangBody) -> None:
    proxy.misbehave(fault)
    begin = time.monotonic()
    assert ask(proxy).json == server.ask("GET", "/")
    assert time.monotonic() - begin >= 0.3


def test_says_429_so_many_times(proxy: Proxy) -> None:
    proxy.misbehave(too_many_requests("7"), times=2)
    answers = [ask(proxy) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"


def test_fails_once_or_for_ever(proxy: Proxy) -> None:
    proxy.misbehave(internal_error())
    assert [ask(proxy).status for _ in range(2)] == [500, 200]
    proxy.misbehave(internal_error(), times=None)
    assert {ask(proxy).status for _ in range(4)} == {500}
    proxy.behave()
    assert ask(proxy).status == 200


def test_a_fault_may_be_for_one_path_and_for_later(proxy: Proxy) -> None:
    proxy.misbehave(internal_error(), path="_search", after=1)
    assert [ask(proxy, path).status for path in ("/", "/_search", "/", "/_search", "/_search")] == [200, 200, 200, 500, 200]


def test_cuts_a_body(proxy: Proxy) -> None:
    proxy.misbehave(Cut(after=25))
    with pytest.raises((http.client.IncompleteRead, ssl.SSLEOFError, ConnectionResetError)):
        ask(proxy)
    assert ask(proxy).status == 200


def test_garbles_a_body(proxy: Proxy) -> None:
    proxy.misbehave(Garble())
    with pytest.raises(json.JSONDecodeError):
        _ = ask(proxy).json


@pytest.mark.parametrize(
    ("fault", "part", "value"),
    [
        (TIMED_OUT, ("timed_out",), True),
        (SHARDS_FAILED, ("_shards", "failed"), 1),
        (Change({"hits": {"total": {"value": 7}}}), ("hits", "total", "value"), 7),
    ],
)
def test_changes_a_body(proxy: Proxy, fault: Change, part: tuple[str, ...], value: object) -> None:
    proxy.misbehave(fault, path="_search")
    answer: Any = ask(proxy, "/_search", {}).json
    assert "relation" in answer["hits"]["total"]
    for name in part:
        answer = answer[name]
    assert answer == value


def test_rewrites_and_replaces(proxy: Proxy) -> None:
    proxy.misbehave(Rewrite(lambda a: {"names": sorted(a)}))
    proxy.misbehave(Replace(b'"version"', b'"release"'))
    first, second = ask(proxy).json, ask(proxy).json
    assert "version" in first["names"] and "release" in second and "version" not in second


def test_drips(proxy: Proxy) -> None:
    """A byte at a time, and all of them."""
    proxy.misbehave(Drip(0.001))
    began = time.monotonic()
    answer = ask(proxy)
    assert answer.json["version"] and time.monotonic() - began >= 0.001 * len(answer.body)


@pytest.mark.parametrize("fault", [DripHead(0.01), Endless()])
def test_never_ends(server: Server, fronted: Fronted, fault: DripHead | Endless) -> None:
    plain = fronted(server, tls=False)
    plain.misbehave(fault)
    with socket.create_connection(("127.0.0.1", int(plain.url.rpartition(":")[2])), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        came = b""
        while len(came) < 300:
            came += connection.recv(4096)
    assert came.startswith(b"HTTP/1.1 200")


def test_redirects(proxy: Proxy) -> None:
    proxy.misbehave(redirect("https://elsewhere.example/"))
    answer = ask(proxy)
    assert (answer.status, answer.headers["location"]) == (302, "https://elsewhere.example/")


def test_a_client_that_hangs_in_the_handshake_holds_up_nobody(proxy: Proxy) -> None:
    host, port = proxy.url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port))):
        assert ask(proxy, timeout=20).status == 200


def test_serves_many_at_once(proxy: Proxy) -> None:
    proxy.misbehave(HangHead(1), times=8)
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as source_text:
        assert {answer.status for answer in source_text.map(lambda _: ask(proxy), range(8))} == {200}
    assert time.monotonic() - begin < 6
    assert len(proxy.asked()) == 8


def test_streams_large_bodies_and_keeps_connections(sample: Index, fronted: Fronted) -> None:
    proxy = fronted(sample.server)
    connection = http.client.HTTPSConnection(proxy.url.removeprefix("https://"), timeout=60, context=proxy.context)
    try:
        for _ in range(2):
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            connection.request("POST", f"/{sample.name}/_search", json.dumps({"size": 10_000, "_source": True}), headers)
            response = connection.getresponse()
            begun = response.read(1000)
            whole = begun + response.read()
            assert len(whole) > 10_000_000
            assert len(json.loads(whole)["hits"]["hits"]) == 10_000
    finally:
        connection.close()
    assert len(proxy.asked()) == 2


def test_a_bulk_goes_through(server: Server, proxy: Proxy) -> None:
    lines = "".join(f'{{"create":{{}}}}\n{{"n":{n}}}\n' for n in range(5000))
    assert not ask(proxy, "/ecs-bulk/_bulk?refresh=true", lines).json["errors"]
    assert len(server.ask("GET", "/ecs-bulk/_search?size=5000")["hits"]["hits"]) == 5000
    server.ask("DELETE", "/ecs-bulk")
