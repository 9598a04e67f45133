"""A profile of a running server, as a hunter sets one up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

Profiled = Callable[..., str]


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
