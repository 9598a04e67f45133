"""Connectors are installed, listed and checked; nothing of a failed installation stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kestrel import Session
from kestrel.cli import main
from kestrel.errors import HuntErrors
from kestrel.sources.stixshifter.failures import InstallFailed
from kestrel.sources.stixshifter.installed import folder, install, installed
from tests.stixshifter.conftest import Connector

HUNT = "x = GET process FROM stixshifter://lab WHERE pid > 0"


def lab(monkeypatch: pytest.MonkeyPatch, connector: str, **connection: object) -> None:
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", connector)
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps(connection))
    monkeypatch.setenv("STIXSHIFTER_LAB_CONFIG", json.dumps({"auth": {"id": "abc", "api_key": "s3cr3t-key"}}))


def failed(text: str) -> str:
    with Session() as session, pytest.raises(HuntErrors) as caught:
        session.run(text)
    return str(caught.value)


@pytest.mark.parametrize("name", ["qradar", "elastic_ecs"])
def test_a_connector_that_is_not_here_is_named_with_the_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab(monkeypatch, name, host="elastic.example.org", options={"native": False})
    known = failed(HUNT)
    assert f"error[K0720]: the connector `{name}`, which the profile `lab` asks for, is not installed" in known
    assert f"`kestrel connectors install {name}`" in known and "--> <cell>:1:22" in known


def test_a_name_that_is_none_is_no_connector(monkeypatch: pytest.MonkeyPatch) -> None:
    lab(monkeypatch, "../../etc")
    assert "error[K0405]" in failed(HUNT)
    with pytest.raises(InstallFailed, match="no name of a connector"):
        install("../../etc", False, lambda _: None)


@pytest.mark.slow
def test_what_cannot_be_installed_leaves_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert main(["connectors", "install", "stix_bundle"]) == 1
    known = capsys.readouterr().err
    assert "error[K0721]: the connector `stix_bundle` could not be installed" in known and "  = help: " in known
    assert list(folder().iterdir()) == [] and installed() == []
    monkeypatch.setenv("KESTREL_CONNECTORS", "/proc/none")
    assert main(["connectors", "install", "stix_bundle"]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_what_is_here_is_listed(connector: Connector, capsys: pytest.CaptureFixture[str]) -> None:
    place = connector("stix_bundle")
    assert main(["connectors", "list", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[0])["rows"]
    assert [r for r in rows if r[0] == "stix_bundle" and r[1][0].isdigit() and r[2] == str(place)]
    assert main(["connectors", "install", "STIX-bundle"]) == 0
    assert f"is in {place}" in capsys.readouterr().out


def test_its_packages_are_none_of_ours(connector: Connector) -> None:
    place = connector("stix_bundle")
    code = "import stix_shifter, sys; print(sys.prefix)"
    assert subprocess.run([str(place / "bin" / "python"), "-c", code], capture_output=True, text=True).stdout.strip() == str(place)
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 1


def test_an_environment_that_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without STIX-shifter in it."""
    place = folder() / "stix_bundle"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    lab(monkeypatch, "stix_bundle", url="http://127.0.0.1:9/x.json")
    known = failed(HUNT)
    assert "error[K0722]" in known and "No module named 'stix_shifter'" in known and "--upgrade" in known
    os.unlink(place / "bin" / "python")
    (place / "bin" / "python").symlink_to("/bin/false")
    assert "error[K0722]" in failed(HUNT)


def test_a_profile_is_checked(connector: Connector, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lab(monkeypatch, "elastic_ecs", host="127.0.0.1", port=9, indices="x", options={"native": False})
    assert main(["connectors", "check", "lab"]) == 1
    assert "is not installed" in capsys.readouterr().out
    connector("elastic_ecs")
    assert main(["connectors", "check", "lab", "--format", "json"]) == 1
    rows = {r[0]: r[1:] for r in json.loads(capsys.readouterr().out.splitlines()[0])["rows"]}
    assert [rows[name][0] for name in ("connector", "server", "pattern", "attributes")] == ["good", "bad", "good", "good"]
    assert "cannot reach" in rows["server"][1] and "process.pid:>=0" in rows["pattern"][1]
    assert "s3cr3t" not in repr(rows)
    lab(monkeypatch, "elastic_ecs", host="127.0.0.1", port=9, indices="x")
    assert main(["connectors", "check", "stixshifter://lab"]) == 0
    assert "needs no connector" in capsys.readouterr().out
    assert main(["connectors", "check", "nobody"]) == 1
    assert "K0403" in capsys.readouterr().err
