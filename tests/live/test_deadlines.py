"""Every request has a deadline, whatever the answer does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.sources.elastic import client, fetch
from tests.live.documents import HUNT, process
from tests.live.fixtures import Profiled
from tests.servers.fault import Drip, DripHead, Endless, Fault, HangBody, HangHead
from tests.servers.fixtures import Indexed
from tests.servers.proxy import Proxy
from tests.servers.server import Server

REQUESTS = {"fields": "_field_caps", "mapping": "_mapping", "count": "/_search/?", "point": "keep_alive", "page": "/_search?"}
SLOW: dict[str, Fault] = {"head": HangHead(), "body": HangBody(), "drip": Drip(0.1), "headers": DripHead(0.1)}


@pytest.fixture
def proxy(server: Server, indexed: Indexed, fronted: Callable[..., Proxy], profiled: Profiled, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    monkeypatch.setattr(client, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(fetch, "FEW", 1)
    front = fronted(server, tls=False)
    profiled(front.url, indexed(server, [process(n) for n in range(20)]).name, options={"timeout": 0.5})
    return front


@pytest.mark.parametrize(("request_", "fault"), [(r, "drip") for r in REQUESTS if r != "mapping"] + [("page", f) for f in SLOW if f != "drip"])
def test_a_slow_answer_is_given_up(proxy: Proxy, session: Session, request_: str, fault: str) -> None:
    """Every byte arrives quickly, or none does: the whole answer has half a second."""
    proxy.misbehave(SLOW[fault], None, path=REQUESTS[request_])
    began = time.monotonic()
    with pytest.raises(HuntErrors, match=r"(?s)error\[K0701\].*no answer within 0.5 s.*help: use a shorter time"):
        session.run(HUNT)
    assert time.monotonic() - began < 15


def test_a_slow_answer_over_tls_is_given_up(
    server: Server, indexed: Indexed, session: Session, fronted: Callable[..., Proxy], profiled: Profiled
) -> None:
    front = fronted(server)
    profiled(front.url, indexed(server, [process(0)]).name, selfSignedCert=front.certificate, options={"timeout": 1})
    front.misbehave(Drip(0.2), None, path="/_search?")
    with pytest.raises(HuntErrors, match=r"error\[K0701\].*no answer within 1 s"):
        session.run(HUNT)


def test_a_slow_answer_is_asked_for_once_more(proxy: Proxy, session: Session) -> None:
    proxy.misbehave(Drip(0.1), path="/_search?")
    session.run(HUNT)
    assert len(session["x"]) == 20


@pytest.mark.parametrize("path", REQUESTS.values(), ids=REQUESTS)
def test_an_endless_answer_is_given_up(proxy: Proxy, session: Session, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """It is not read beyond a size limit, nor beyond its deadline."""
    monkeypatch.setattr(client, "LARGEST", 1 << 20)
    proxy.misbehave(Endless(), None, path=path)
    began = time.monotonic()
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT)
    text = str(raised.value)
    assert ("error[K0705]" in text and "larger than" in text) or ("error[K0701]" in text and "no answer within" in text)
    assert time.monotonic() - began < 30


def test_a_connection_is_used_again(proxy: Proxy, session: Session) -> None:
    """Deadlines apply to requests, not to connections."""
    for _ in range(3):
        session.run(HUNT)
        time.sleep(0.6)
    assert len(session["x"]) == 20


def test_every_answer_has_its_own_time(proxy: Proxy, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pages may take longer than the deadline of one."""
    slow: Callable[..., Any] = client.Client._send

    def send(self: Any, *arguments: Any) -> Any:
        time.sleep(0.1)
        return slow(self, *arguments)

    monkeypatch.setattr(client.Client, "_send", send)
    session.run(HUNT)
    assert len(session["x"]) == 20
