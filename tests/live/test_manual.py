"""The manual's page of errors shows what a hunter sees when a live source cannot answer."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.sources.elastic import client
from tests.live.fixtures import Profiled
from tests.servers.fault import HangHead, error, internal_error, redirect
from tests.servers.fixtures import Indexed
from tests.servers.index import Index
from tests.servers.proxy import Proxy
from tests.servers.server import Server
from tests.test_errors import PAGE

HUNT = "x = GET process FROM stixshifter://host101 WHERE name = 'svchost.exe'"
PLACE = "elastic.example.org:9200"


def lacks_packages(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    return {}


def is_gone(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    proxy.close()
    return {}


def is_self_signed(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"selfSignedCert": None}


def wants_a_key(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    proxy.admit("ApiKey x")
    return {}


def lacks_the_index(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"indices": "ecs-host101"}


def fails(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    proxy.misbehave(internal_error(), None, path="/_search?")
    return {}


def refuses(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    proxy.misbehave(error(400, "illegal_argument_exception", "unknown parameter [keep_alive]"), None, path="/_search?")
    return {}


def sends_on(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    proxy.misbehave(redirect("https://login.example.org/?next=%2F"), None)
    return {}


def has_too_much(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"options": {"fetch_bound": 10_000}}


def is_stopped(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    proxy.misbehave(HangHead(5), None, path="/_search?")
    return {"stop": True}


def at_once(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return {}


STRANGE = {"@timestamp": "2024-03-05T10:00:00Z", "kubernetes": {"pod": "web"}, "message": "started"}
INDICES: dict[str, dict[str, Any]] = {
    "K0430": {"index": "ecs-containers", "documents": [STRANGE, STRANGE]},
    "K0431": {"index": "ecs-without-source", "documents": [STRANGE], "mappings": {"_source": {"enabled": False}}},
    "K0432": {"index": "ecs-2019", "documents": [STRANGE]},
}
"""Separate indices, for errors in an index."""

CASES = {
    "K0430": at_once,
    "K0431": at_once,
    "K0432": at_once,
    "K0700": lacks_packages,
    "K0701": is_gone,
    "K0702": is_self_signed,
    "K0703": wants_a_key,
    "K0704": lacks_the_index,
    "K0705": fails,
    "K0706": refuses,
    "K0707": sends_on,
    "K0708": has_too_much,
    "K0709": is_stopped,
}


@pytest.mark.parametrize("code", CASES)
def test_the_page_shows_it(
    code: str,
    servers: dict[str, Server],
    start_sample: Callable[[Server], Index],
    profiled: Profiled,
    fronted: Callable[..., Proxy],
    session: Session,
    indexed: Indexed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT", 0.01)
    server = servers["elasticsearch"]
    sample = start_sample(server)
    proxy = fronted(server)
    name = indexed(server, **INDICES[code]).name if code in INDICES else sample.name
    if code == "K0432":
        server.ask("POST", f"/{name}/_close")
    options = {"selfSignedCert": proxy.certificate, "indices": name} | CASES[code](proxy, monkeypatch)
    indices, stop = options.pop("indices"), options.pop("stop", False)
    profiled(proxy.url, indices, **{k: v for k, v in options.items() if v is not None})
    if stop:
        threading.Thread(target=_stop_when_asked, args=(session, proxy)).start()
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT, "hunt.hf")
    shown = str(raised.value).replace(proxy.url.partition("//")[2], PLACE)
    shown = re.sub(r"`ecs-[0-9a-f]{12}`, ", "", shown)  # indices of tests that run at the same time
    sections = {s[:5]: s for s in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]}
    assert shown in sections.get(code, ""), shown
    assert HUNT in sections[code]


def _stop_when_asked(session: Session, proxy: Proxy) -> None:
    while not proxy.asked("/_search?"):
        time.sleep(0.02)
    session.interrupt()
