"""Real connectors of STIX-shifter, installed once into a cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kestrel.sources.stixshifter.failures import InstallFailed
from kestrel.sources.stixshifter.installed import FOLDER_VARIABLE, install
from tests.live.fixtures import Profiled
from tests.servers.credential import api_key
from tests.servers.proxy import Proxy
from tests.servers.server import Server
from tests.servers.software import cache_folder, locked

KEY = {"id": "hunter-17", "api_key": "s3cr3t-key-of-the-hunter"}
Connector = Callable[[str], Path]
Asked = Callable[..., Proxy]


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch) -> Connector:
    """Makes a connector be there: the folder it is in. What cannot be installed is a skip, and a failure where servers are required."""

    def be_there(name: str) -> Path:
        folder = cache_folder() / "connectors"
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
        with locked(folder / f".{name}.lock"):
            try:
                return install(name, upgrade=False, known=lambda _: None).folder
            except InstallFailed as error:
                reason = str(error)
        if os.environ.get("KESTREL_REQUIRE_SERVERS") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

    return be_there


@pytest.fixture
def asked(connector: Connector, fronted: Callable[..., Proxy], profiled: Profiled) -> Asked:
    """A profile that asks an index by the real connector; the proxy before its server, which wants the key."""

    def make(server: Server, index: str, auth: dict[str, str] = KEY, options: dict[str, Any] | None = None, **connection: Any) -> Proxy:
        connector("elastic_ecs")
        proxy = fronted(server)
        proxy.admit(api_key(KEY["id"], KEY["api_key"]))
        whole = {"selfSignedCert": proxy.certificate, "options": {"native": False, **(options or {})}, **connection}
        profiled(proxy.url, index, auth=auth, **whole)
        return proxy

    return make
