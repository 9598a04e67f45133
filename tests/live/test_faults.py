"""What a network and a server can do wrong: asked again where that helps, else told; never an answer with a part missing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Notice
from kestrel.sources.elastic import client
from tests.live.fixtures import Profiled, points_stay_open
from tests.servers.credential import basic
from tests.servers.fault import (
    SHARDS_FAILED,
    TIMED_OUT,
    Change,
    Cut,
    Garble,
    HangBody,
    HangHead,
    Refuse,
    Say,
    error,
    internal_error,
    redirect,
    too_many_requests,
)
from tests.servers.index import Index
from tests.servers.proxy import Proxy
from tests.servers.server import Server
from tests.test_demo import EXPECTED

HUNT = "x = GET process FROM stixshifter://host101 WHERE name = 'svchost.exe' START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'"
SECRET = "-".join(["very", "s3cr3t"])
AUTH = {"id": "abc", "api_key": "s3cr3t-key"}
EXPIRED = error(404, "search_context_missing_exception", "No search context found for id [1]")
PAGE = "/_search?"


@pytest.fixture
def proxy(server: Server, fronted: Callable[..., Proxy]) -> Proxy:
    return fronted(server, tls=False)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are a tenth of what they are."""
    monkeypatch.setattr(client, "FIRST_WAIT", 0.02)


@pytest.mark.parametrize(
    "fault",
    [
        Refuse(),
        Cut(),
        Cut(2000),
        Garble(),
        internal_error(),
        error(503, "unavailable", "x"),
        too_many_requests("0"),
        TIMED_OUT,
        SHARDS_FAILED,
        EXPIRED,
    ],
    ids=lambda f: type(f).__name__,
)
def test_what_passes_is_asked_again(proxy: Proxy, sample: Index, profiled: Profiled, session: Session, fault: Any) -> None:
    profiled(proxy.url, sample.name, options={"result_limit": 2000})
    proxy.misbehave(fault, path=PAGE, after=1)
    session.run(HUNT)
    assert len(session["x"]) == EXPECTED["sp"]


def test_retry_after_is_heeded(proxy: Proxy, sample: Index, profiled: Profiled, session: Session) -> None:
    profiled(proxy.url, sample.name)
    proxy.misbehave(too_many_requests("1"), path=PAGE)
    session.run(HUNT)
    first, second = (a.at for a in proxy.asked(PAGE)[:2])
    assert second - first >= 1


@pytest.mark.parametrize(
    ("fault", "code", "known"),
    [
        (Cut(), "K0701", "the connection ended in the middle of an answer"),
        (Garble(), "K0705", "the answer is not JSON"),
        (internal_error(), "K0705", "a fault made for the test"),
        (too_many_requests("0"), "K0705", "it is overloaded"),
        (TIMED_OUT, "K0705", "it ran out of time"),
        (SHARDS_FAILED, "K0705", "1 of its 2 shards failed: no shard"),
        (EXPIRED, "K0705", "it closed the point in time"),
        (redirect("https://user:pass@elsewhere.example.org/login?token=s3cr3t"), "K0707", "https://elsewhere.example.org/login"),
        (error(400, "parsing_exception", "unknown query [x]"), "K0706", "unknown query"),
        (Say(200, b'{"took": 1}'), "K0705", "the answer is not a page of documents"),
    ],
)
def test_what_stays_is_told(proxy: Proxy, sample: Index, profiled: Profiled, session: Session, fault: Any, code: str, known: str) -> None:
    profiled(proxy.url, sample.name, auth=AUTH)
    proxy.misbehave(fault, None, path=PAGE)
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT)
    text = str(raised.value)
    assert f"error[{code}]" in text and known in text and "`host101`" in text and "help: " in text
    assert "s3cr3t" not in text and "pass" not in text.replace("passes", "")
    assert "x" not in session
    proxy.behave()
    session.run(HUNT)
    assert len(session["x"]) == EXPECTED["sp"], "the session is usable, and the answer is whole"


@pytest.mark.parametrize(("fault", "limit"), [(HangHead(), 1), (HangBody(), 1)], ids=["head", "body"])
def test_an_answer_that_never_comes(proxy: Proxy, sample: Index, profiled: Profiled, session: Session, fault: Any, limit: int) -> None:
    profiled(proxy.url, sample.name, options={"timeout": limit})
    proxy.misbehave(fault, None, path=PAGE)
    with pytest.raises(HuntErrors, match="no answer within 1 s"):
        session.run(HUNT)


def test_turned_away(server: Server, sample: Index, profiled: Profiled, session: Session, fronted: Callable[..., Proxy]) -> None:
    proxy = fronted(server, tls=False)
    proxy.admit("ApiKey right")
    proxy.forbid("ApiKey poor")
    for key, code, known in ((None, 401, "has no `auth`"), ("wrong", 401, "may have expired"), ("poor", 403, "must be allowed to read")):
        profiled(proxy.url, sample.name, auth={"api_key": key} if key else None)
        with Session() as session, pytest.raises(HuntErrors) as raised:
            session.run(HUNT)
        text = str(raised.value)
        assert "error[K0703]" in text and f"({code}: " in text and known in text


@pytest.mark.parametrize(
    ("options", "more", "known"),
    [
        ({}, {}, "it is not signed by a known authority"),
        ({"names": ["other.example.org"]}, {"selfSignedCert": True}, "its certificate is of another"),
        ({"expired": True}, {"selfSignedCert": True}, "its certificate has expired"),
    ],
)
def test_certificates_that_are_not_to_be_trusted(
    server: Server, sample: Index, profiled: Profiled, session: Session, fronted: Callable[..., Proxy], options: Any, more: Any, known: str
) -> None:
    proxy = fronted(server, **options)
    profiled(proxy.url, sample.name, auth=AUTH, **({"selfSignedCert": proxy.certificate} if more else {}))
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT)
    assert "error[K0702]" in str(raised.value) and known in str(raised.value)
    assert all("authorization" not in {k.lower() for k in a.headers} for a in proxy.asked())
    profiled(proxy.url, sample.name, auth=AUTH, options={"verify_cert": False})
    with Session() as careless:
        careless.run(HUNT)
        assert len(careless["x"]) == EXPECTED["sp"]


def test_a_page_of_gigabytes_is_not_read(proxy: Proxy, sample: Index, profiled: Profiled, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page above the limit is asked for in smaller ones, until they fit."""
    monkeypatch.setattr(client, "LARGEST", 200_000)
    profiled(proxy.url, sample.name)
    session.run(HUNT)
    assert len(session["x"]) == EXPECTED["sp"]
    sizes = [a.json["size"] for a in proxy.asked(PAGE) if a.method == "POST"]
    assert sizes[0] == 5000 and min(sizes) < 1000


def test_one_source_of_two_that_fails_is_named(proxy: Proxy, server: Server, sample: Index, profiled: Profiled, session: Session) -> None:
    profiled(server.url, sample.name, name="good")
    profiled(proxy.url, sample.name, name="poor")
    proxy.misbehave(internal_error(), None, path=PAGE)
    with pytest.raises(HuntErrors, match="`poor`"):
        session.run(HUNT.replace("stixshifter://host101", "stixshifter://good,stixshifter://poor"))


def test_interrupting_leaves_no_point_in_time_and_a_usable_session(
    proxy: Proxy, server: Server, sample: Index, profiled: Profiled, session: Session
) -> None:
    profiled(proxy.url, sample.name)
    proxy.misbehave(HangHead(20), path=PAGE)

    def stop() -> None:
        while not proxy.asked(PAGE):
            time.sleep(0.02)
        session.interrupt()

    threading.Thread(target=stop).start()
    began = time.monotonic()
    with pytest.raises(HuntErrors, match="K0709"):
        session.run(HUNT)
    assert time.monotonic() - began < 10
    assert not points_stay_open(server)
    proxy.behave()
    session.run(HUNT)
    assert len(session["x"]) == EXPECTED["sp"]


def test_ctrl_c_on_the_command_line(proxy: Proxy, server: Server, sample: Index, profiled: Profiled) -> None:
    profiled(proxy.url, sample.name)
    proxy.misbehave(HangHead(20), path=PAGE)
    with subprocess.Popen([sys.executable, "-m", "kestrel", "-c", HUNT], stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        while not proxy.asked(PAGE):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, known = process.communicate(timeout=15)
    assert process.returncode == 130 and known.strip() == "stopped"
    assert not points_stay_open(server)


def test_secrets_show_nowhere(server: Server, sample: Index, profiled: Profiled, session: Session, fronted: Callable[..., Proxy]) -> None:
    """Not in results, EXPLAIN, errors, tracebacks or what objects print of themselves."""
    proxy = fronted(server, tls=False)
    proxy.admit("nothing")
    profiled(proxy.url, sample.name, auth={"username": "hunter", "password": SECRET})
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT)
    shown = [str(raised.value), repr(raised.getrepr(style="long", showlocals=True)), repr(session.engine.remote), str(session.engine.remote.fetchers)]
    assert not any(re.search(f"{SECRET}|{basic('hunter', SECRET).split()[1]}", text) for text in shown)


def test_more_than_the_bound_is_not_fetched(proxy: Proxy, sample: Index, profiled: Profiled, session: Session) -> None:
    profiled(proxy.url, sample.name, options={"fetch_bound": 1000})
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT)
    assert "error[K0708]" in str(raised.value) and "START and STOP" in str(raised.value)
    assert proxy.asked("pit") == proxy.asked("point_in_time") == []


def test_changed_counts_are_no_loss(proxy: Proxy, sample: Index, profiled: Profiled, session: Session) -> None:
    """A count that is wrong moves progress alone."""
    profiled(proxy.url, sample.name)
    proxy.misbehave(Change({"hits": {"total": {"value": 3}}}), path="/ecs-sample/_search")
    session.run(HUNT)
    assert len(session["x"]) == EXPECTED["sp"]


def test_a_partial_answer_says_so(
    proxy: Proxy, server: Server, sample: Index, profiled: Profiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "kestrel.yaml"
    settings.write_text("sources: {allow_partial: true}")
    monkeypatch.setenv("KESTREL_CONFIG", str(settings))
    profiled(server.url, sample.name, name="good")
    profiled(proxy.url, sample.name, name="poor")
    proxy.misbehave(internal_error(), None, path=PAGE)
    hunt = HUNT.replace("stixshifter://host101", "stixshifter://good,stixshifter://poor")
    with Session() as session:
        (known,) = [r for r in session.run(hunt) if isinstance(r, Notice) and r.code == "partial-answer"]
        assert "`stixshifter://poor`" in known.message and "a fault made for the test" in known.message
        assert len(session["x"]) == EXPECTED["sp"]
        assert any(isinstance(r, Notice) and r.code == "partial-answer" for r in session.run("y = FIND process CREATED BY x"))
        proxy.behave()
        assert not any(isinstance(r, Notice) and r.code == "partial-answer" for r in session.run(hunt))
    proxy.misbehave(internal_error(), None, path=PAGE)
    with Session() as session, pytest.raises(HuntErrors, match="`poor`"):
        session.run(hunt.replace("stixshifter://good,", ""))
