"""A profile of a running server, as a hunter sets one up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.servers.server import Server

Profiled = Callable[..., str]


def points_stay_open(server: Server, seconds: float = 30) -> bool:
    """Whether the server keeps points in time or scrolls; those of other tests on it end meanwhile."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        stats = server.ask("GET", "/_nodes/stats/indices/search")
        if not any(n["indices"]["search"]["open_contexts"] for n in stats["nodes"].values()):
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def profiled(monkeypatch: pytest.MonkeyPatch) -> Profiled:
    """Set the three variables of a profile; its URI. `auth` is its configuration's; what else is given stands in its connection."""

    def make(url: str, indices: str, name: str = "host101", auth: dict[str, str] | None = None, **connection: Any) -> str:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme == "https" else f"{parts.scheme}://{parts.hostname}"
        whole = {"host": host, "port": parts.port, "indices": indices, **connection}
        stem = f"STIXSHIFTER_{name.upper()}"
        monkeypatch.setenv(f"{stem}_CONNECTOR", "elastic_ecs")
        monkeypatch.setenv(f"{stem}_CONNECTION", json.dumps(whole))
        monkeypatch.setenv(f"{stem}_CONFIG", json.dumps({"auth": auth} if auth else {}))
        return f"stixshifter://{name}"

    return make
