"""What tests ask for: the servers, indexes on them, and a proxy before them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
import zstandard

from tests.servers.index import Index
from tests.servers.lease import Lease, NotStarted
from tests.servers.proxy import Proxy
from tests.servers.server import Server
from tests.servers.software import KINDS, locked

SAMPLE = Path(__file__).parents[2] / "src" / "kestrel" / "demo" / "data" / "host101.ndjson.zst"


class Indexed(Protocol):
    def __call__(
        self,
        server: Server,
        documents: Iterable[Mapping[str, Any] | str] = (),
        index: str | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        mappings: Mapping[str, Any] | None = None,
    ) -> Index: ...


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Starts a server of a kind, or joins the one that runs for this test run; all workers share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "servers"
    leases: dict[str, Lease] = {}

    def start(kind: str) -> Server:
        if kind not in leases:
            leases[kind] = Lease.take(kind, folder / kind)
        return leases[kind].server

    try:
        yield start
    finally:
        for lease in leases.values():
            lease.give_back()


def start_or_skip(start: Callable[[str], Server], kind: str) -> Server:
    try:
        return start(kind)
    except NotStarted as failed:
        reason = str(failed)
    if os.environ.get("KESTREL_REQUIRE_SERVERS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest, start_server: Callable[[str], Server]) -> Server:
    """A test that asks for it runs once on each server."""
    return start_or_skip(start_server, request.param)


@pytest.fixture(scope="session")
def servers(start_server: Callable[[str], Server]) -> dict[str, Server]:
    """Both servers at once, by kind."""
    with ThreadPoolExecutor(len(KINDS)) as source_text:
        return dict(zip(KINDS, source_text.map(lambda kind: start_or_skip(start_server, kind), KINDS), strict=True))


@pytest.fixture
def indexed() -> Iterator[Indexed]:
    """Makes an index with documents in it; it is deleted after the test."""
    with ExitStack() as made:

        def make(
            server: Server,
            documents: Iterable[Mapping[str, Any] | str] = (),
            index: str | None = None,
            *,
            settings: Mapping[str, Any] | None = None,
            mappings: Mapping[str, Any] | None = None,
        ) -> Index:
            new = Index(server, index or f"ecs-{uuid.uuid4().hex[:12]}")
            new.create(settings=settings, mappings=mappings)
            made.callback(new.delete)
            new.add(documents)
            return new

        yield make


@pytest.fixture(scope="session")
def sample_documents() -> list[dict[str, Any]]:
    """The documents of the demo's sample, in the order of the file."""
    with zstandard.open(SAMPLE, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def sample(server: Server) -> Index:
    """The demo's sample in the index `ecs-sample`, loaded once for all tests: to read only."""
    return _sample_on(server)


@pytest.fixture(scope="session")
def start_sample() -> Callable[[Server], Index]:
    """The same for a server of the test's own choice."""
    return _sample_on


def _sample_on(server: Server) -> Index:
    index = Index(server, "ecs-sample")
    with locked(server.folder / "sample.lock"):
        if not (server.folder / "sample").exists():
            index.delete()
            index.create()
            with zstandard.open(SAMPLE, "rt", encoding="utf-8") as lines:
                index.add(lines)
            (server.folder / "sample").touch()
    return index


@pytest.fixture
def fronted() -> Iterator[Callable[..., Proxy]]:
    """Puts a proxy before a server: `fronted(server, names=..., tls=...)`; it is closed after the test."""
    with ExitStack() as opened:
        yield lambda server, **options: opened.enter_context(Proxy(server.url, **options))
