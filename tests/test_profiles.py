"""Data source profiles: three environment variables, or stixshifter.yaml."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from tests.events import creation, write

SECRET = "s3cr3t-key"


def mistakes(text: str) -> HuntErrors:
    with Session() as session, pytest.raises(HuntErrors) as caught:
        session.run(text)
    return caught.value


@pytest.mark.parametrize("name", ["host101", "HOST101", "Host101"])
def test_names_ignore_case(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTOR", "file")
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTION", json.dumps({"path": str(logs)}))
    session.run(f"p = GET process FROM stixshifter://{name} WHERE pid > 0 q = GET process FROM {name} WHERE pid > 0")
    assert (len(session["p"]), len(session["q"])) == (1, 1)


def test_the_settings_file_counts_paths_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    write(tmp_path / "a.json", [creation(1)])
    write(tmp_path / "b.json", [creation(2)])
    settings = tmp_path / "stixshifter.yaml"
    settings.write_text("profiles:\n  lab:\n    connector: file\n    connection: {path: ['a.json', 'b.json'], shape: windows-flat}\n")
    monkeypatch.setenv("KESTREL_STIXSHIFTER_CONFIG", str(settings))
    session.run("p = GET process FROM stixshifter://lab WHERE pid > 0")
    assert len(session["p"]) == 2


def test_an_unknown_profile_tells_what_there_is_and_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIXSHIFTER_HOST102_CONNECTOR", "file")
    shown = str(mistakes("p = GET process FROM stixshifter://host101 WHERE pid > 0"))
    assert "error[K0403]: there is no data source profile `host101`" in shown and "^" in shown
    for part in ("`host102`", "STIXSHIFTER_HOST101_CONNECTOR", "STIXSHIFTER_HOST101_CONNECTION", "STIXSHIFTER_HOST101_CONFIG"):
        assert part in shown


@pytest.mark.parametrize(
    ("connector", "connection", "code"),
    [
        ("file", "{path: x}", "K0404"),
        ("file", "[1]", "K0404"),
        ("file", "{}", "K0404"),
        ("nothing", "{}", "K0720"),
        ("no such", "{}", "K0405"),
        ("file", '{"path": "none.json"}', "K0402"),
    ],
)
def test_a_bad_profile_is_told_without_its_secrets(connector: str, connection: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", connector)
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", connection)
    monkeypatch.setenv("STIXSHIFTER_LAB_CONFIG", json.dumps({"auth": {"id": "x", "api_key": SECRET}}))
    error = mistakes("p = GET process FROM stixshifter://lab WHERE pid > 0")
    assert [e.code for e in error.errors] == [code]
    assert SECRET not in str(error)


def test_secrets_are_in_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    monkeypatch.setenv("KESTREL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "file")
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(logs)}))
    monkeypatch.setenv("STIXSHIFTER_LAB_CONFIG", json.dumps({"auth": {"api_key": SECRET}}))
    with Session() as session:
        session.run("p = GET process FROM stixshifter://lab WHERE pid > 0")
    kept = list((tmp_path / "cache").iterdir())
    assert kept and all(SECRET.encode() not in path.read_bytes() for path in kept)


def test_a_variable_wins_over_a_profile_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    logs = write(tmp_path / "a.json", [creation(1), creation(2)])
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "file")
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(logs)}))
    results = session.run("lab = GET process FROM stixshifter://lab WHERE pid = 101 p = GET process FROM lab WHERE pid > 0")
    assert len(session["p"]) == 1
    assert "name-of-both" in [getattr(r, "code", "") for r in results]


def test_a_changed_file_is_read_again(tmp_path: Path, session: Session) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
    write(logs, [creation(1), creation(2)])
    os.utime(logs, (1, 1))
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
    assert len(session["p"]) == 2


BUNDLE = {
    "type": "bundle",
    "id": "bundle--00000000-0000-4000-8000-000000000001",
    "objects": [
        {
            "type": "observed-data",
            "id": "observed-data--00000000-0000-4000-8000-000000000002",
            "first_observed": "2021-01-01T00:00:00Z",
            "last_observed": "2021-01-01T00:00:00Z",
            "number_observed": 1,
            "objects": {"0": {"type": "process", "pid": 12, "name": "a.exe", "x_foo": "bar"}},
        }
    ],
}


@pytest.mark.parametrize("key", ["path", "url", "host"])
@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_profile_of_a_bundle_on_this_machine_needs_no_connector(
    key: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    (tmp_path / "b 1.json").write_text(json.dumps(BUNDLE))
    named = form.format(tmp_path / "b 1.json").replace(" ", "%20" if "file" in form else " ")
    monkeypatch.setenv("STIXSHIFTER_BUNDLE_CONNECTOR", "stix_bundle")
    monkeypatch.setenv("STIXSHIFTER_BUNDLE_CONNECTION", json.dumps({key: named, "port": 443}))
    monkeypatch.setenv("STIXSHIFTER_BUNDLE_CONFIG", json.dumps({"auth": {"username": "hunter", "password": SECRET}}))
    session.run("p = GET process FROM stixshifter://bundle WHERE x_foo = 'bar'")
    assert [row["pid"] for row in session["p"].to_dicts()] == [12]


def test_a_bundle_in_the_settings_file_counts_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    (tmp_path / "b.json").write_text(json.dumps(BUNDLE))
    settings = tmp_path / "stixshifter.yaml"
    settings.write_text("profiles:\n  lab:\n    connector: stix_bundle\n    connection: {url: b.json}\n")
    monkeypatch.setenv("KESTREL_STIXSHIFTER_CONFIG", str(settings))
    session.run("p = GET process FROM stixshifter://lab WHERE pid > 0")
    assert len(session["p"]) == 1


@pytest.mark.parametrize(
    ("connection", "code", "known"),
    [
        ({"url": "https://example.org/b.json"}, "K0720", "download the bundle"),
        ({"host": "https://example.org/b.json", "port": 443}, "K0720", "kestrel connectors install stix_bundle"),
        ({}, "K0404", "needs a path"),
        ({"url": "none.json"}, "K0402", "none.json"),
    ],
)
def test_a_bundle_that_cannot_be_read_here(
    connection: dict[str, object], code: str, known: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KESTREL_CONNECTORS", str(tmp_path / "none"))
    monkeypatch.setenv("STIXSHIFTER_BUNDLE_CONNECTOR", "stix_bundle")
    monkeypatch.setenv("STIXSHIFTER_BUNDLE_CONNECTION", json.dumps(connection))
    shown = mistakes("p = GET process FROM stixshifter://bundle WHERE pid > 0")
    assert [e.code for e in shown.errors] == [code]
    assert known in str(shown)
