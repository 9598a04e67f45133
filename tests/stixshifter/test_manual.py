"""The manual's page of errors shows what a hunter sees when a connector cannot answer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.cli import main
from kestrel.errors import HuntErrors
from kestrel.sources.stixshifter.installed import folder
from tests.servers.certificate import Authority
from tests.servers.fault import internal_error
from tests.servers.fixtures import Indexed
from tests.servers.proxy import Proxy
from tests.servers.server import Server
from tests.stixshifter.conftest import Connector
from tests.test_errors import PAGE

HUNT = "x = GET process FROM stixshifter://host101 WHERE name = 'svchost.exe'"
PLACE = "elastic.example.org:9200"
AT = "2021-04-03T00:00:00.000Z"
Case = dict[str, Any]


def broken(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "elastic_ecs")], check=True)
    monkeypatch.setenv("KESTREL_CONNECTORS", str(tmp_path))
    return {}


def misspelt(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    return {"index": "winlogbeat-*"}


def mapped_to_nothing(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    return {"options": {"mapping": {"from_stix_map": {"x-machine": {"fields": {"state": ["machine.state"]}}}}}}


def gone(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    proxy.close()
    return {}


def wants_a_key(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    proxy.admit("ApiKey x")
    return {}


def self_signed(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    return {"selfSignedCert": Authority.of(["elastic.example.org"]).pem}


def failing(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    proxy.misbehave(internal_error(), None, path="_search")
    return {}


def crowded(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    return {}


def bounded(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Case:
    return {"options": {"fetch_bound": 100}}


CASES = {
    "K0722": broken,
    "K0723": misspelt,
    "K0724": mapped_to_nothing,
    "K0725": gone,
    "K0726": wants_a_key,
    "K0727": self_signed,
    "K0728": failing,
    "K0729": crowded,
    "K0730": bounded,
}


def sections() -> dict[str, str]:
    return {s[:5]: s for s in re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]}


@pytest.mark.parametrize("code", CASES)
def test_the_page_shows_it(
    code: str,
    connector: Connector,
    servers: dict[str, Server],
    indexed: Indexed,
    fronted: Callable[..., Proxy],
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    connector("elastic_ecs")
    documents = [{"@timestamp": AT, "process": {"pid": n}, "event": {"code": "1"}} for n in range(150)]
    window = 100 if code == "K0729" else 10_000
    index = indexed(servers["elasticsearch"], documents, settings={"index.max_result_window": window})
    proxy = fronted(servers["elasticsearch"])
    case = {"selfSignedCert": proxy.certificate, "options": {}} | CASES[code](proxy, monkeypatch, tmp_path)
    case["options"]["native"] = False
    host, port = proxy.url.partition("//")[2].split(":")
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTOR", "elastic_ecs")
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTION", json.dumps({"host": host, "port": int(port), "indices": index.name} | case))
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONFIG", json.dumps({"auth": {"id": "hunter", "api_key": "s3cr3t-key"}}))
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT, "hunt.hf")
    shown = str(raised.value).replace(f"{host}:{port}", PLACE).replace(f"('{host}', {port})", PLACE).replace(index.name, "winlogbeat")
    assert shown in sections().get(code, ""), shown
    assert HUNT in sections()[code] and "s3cr3t" not in shown


@pytest.mark.slow
def test_the_page_shows_what_cannot_be_installed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert main(["connectors", "install", "qradr"]) == 1
    shown = capsys.readouterr().err.strip()
    assert shown in sections().get("K0721", ""), shown
    assert list(folder().iterdir()) == []
