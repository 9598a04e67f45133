"""Real connectors of STIX-shifter, installed once into a cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kestrel.sources.stixshifter.installed import FOLDER_VARIABLE, install
from kestrel.sources.stixshifter.trouble import InstallFailed
from tests.servers.software import cache_folder, locked

Connector = Callable[[str], Path]


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch) -> Connector:
    """Makes a connector be there: the folder it is in. What cannot be installed is a skip, and a failure where servers are required."""

    def be_there(name: str) -> Path:
        folder = cache_folder() / "connectors"
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
        with locked(folder / f".{name}.lock"):
            try:
                return install(name, upgrade=False, told=lambda _: None).folder
            except InstallFailed as error:
                reason = str(error)
        if os.environ.get("KESTREL_REQUIRE_SERVERS") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)

    return be_there
