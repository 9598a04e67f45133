"""Completion and help with a session behind them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kestrel import Session
from kestrel.assist import complete, help_at, learn, remember
from kestrel.syntax.offers import Item
from tests.events import connection, creation, write


def offered(session: Session, text: str) -> dict[str, Item]:
    return {i.text: i for i in complete(session, text, len(text)).items}


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "a.json", [creation(1), creation(2, parent=1), creation(3, parent=1, CommandLine=None), connection(1, 2)])


def test_variables_of_the_session(session: Session, logs: Path) -> None:
    for result in session.run(f"p = GET process FROM '{logs}' WHERE pid > 100  n = FIND network-traffic CREATED BY p"):
        remember(session, result)
    assert offered(session, "INFO ")["p"].detail == "process, 3 entities, 4 records"
    assert list(offered(session, "FIND network-traffic CREATED BY ")) == ["p"]
    assert "t'2021-01-01T00:00:01Z'" in offered(session, "GET process WHERE pid = 1 START ")


def test_how_full_attributes_are(session: Session, logs: Path) -> None:
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 100")
    assert not offered(session, "DISP p ATTR ")["command_line"].detail.startswith("in ")
    learn(session, lambda: True)
    assert not offered(session, "DISP p ATTR ")["command_line"].detail.startswith("in ")
    learn(session)
    found = offered(session, "DISP p ATTR ")
    assert found["command_line"].detail.startswith("in 67 %: ")
    assert list(found).index("name") < list(found).index("command_line") < list(found).index("x_exit_code")
    assert offered(session, "DISP p ATTR parent_ref.")["name"].detail.startswith("in 67 %: ")


def test_info_tells_how_full_attributes_are(session: Session, logs: Path) -> None:
    for result in session.run(f"p = GET process FROM '{logs}' WHERE pid > 100 INFO p"):
        remember(session, result)
    assert offered(session, "DISP p ATTR ")["command_line"].detail.startswith("in 67 %: ")


def test_what_is_known_goes_with_the_step(session: Session, logs: Path) -> None:
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 100")
    learn(session)
    session.run("p = p WHERE pid = 101")
    assert not offered(session, "DISP p ATTR ")["name"].detail.startswith("in ")
    session.run("p = NEW file ['a.exe']")
    assert {"x_path"} <= set(offered(session, "DISP p ATTR "))


def test_attributes_that_new_gives(session: Session) -> None:
    session.run("p = NEW process [{'name': 'a', 'x_mark': 'b'}, {'name': 'c'}]")
    assert offered(session, "DISP p ATTR ")["x_mark"].detail == "in 50 %"


def test_sources(session: Session, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "file")
    (logs.parent / "logs").mkdir()
    (logs.parent / ".hidden").touch()
    (logs.parent / "notes.txt").touch()
    found = list(offered(session, "GET process FROM "))
    schemes = ["demo://", "elastic://", "file://", "https://", "opensearch://", "stixshifter://"]
    assert found == ["stixshifter://lab", *schemes, "a.json", "logs/", "notes.txt"]
    assert list(offered(session, "GET process FROM '.h")) == [".hidden"]
    assert not offered(session, "GET process FROM 'none/")
    assert not offered(session, "GET process FROM '\x00")


def test_settings_that_cannot_be_read_are_no_trouble(session: Session, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = logs.parent / "stixshifter.yaml"
    bad.write_text("profiles: [")
    monkeypatch.setenv("KESTREL_STIXSHIFTER_CONFIG", str(bad))
    assert "file://" in offered(session, "GET process FROM ")


def test_the_words_of_the_model(session: Session) -> None:
    assert list(offered(session, "GET "))[:3] == ["process", "file", "directory"]
    assert "value" in offered(session, "GET network-traffic WHERE src_ref.")
    assert "CREATED BY" in offered(session, "FIND network-traffic ")
    assert "RESOLVED_TO BY" in offered(session, "FIND ipv6-addr ")
    found = help_at(session, "GET network-traffic WHERE dst_port = 1", 28)
    assert found and found.title == "dst_port: an attribute of network-traffic" and "addressed" in found.text


def test_completion_reads_nothing(session: Session) -> None:
    complete(session, "p = GET process FROM 'a.json' WHERE ", 36)
    assert session._engine is None
