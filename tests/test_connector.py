"""The connector of the manual: a table of SQLite is hunted on like a log file."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Explanation
from kestrel.sources import connector, plugin
from tests.events import creation, guid

PAGE = Path(__file__).parents[1] / "docs" / "writing-connectors.md"
EVENTS = [creation(n, ProcessGuid=guid(n)) for n in range(1, 6)]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A database of five process creations, and a profile `lab` of the manual's connector, as an installed package would bring it."""
    (example,) = re.findall(r"```python file=sqlite_connector.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "sqlite_connector.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sqlite_connector", raising=False)
    entry = EntryPoint("sqlite", "sqlite_connector:connect", connector.GROUP)
    shipped = plugin.found
    monkeypatch.setattr(plugin, "found", lambda group: shipped(group) | ({"sqlite": entry} if group == connector.GROUP else {}))
    path = tmp_path / "logs.db"
    with sqlite3.connect(path) as con:
        con.execute("CREATE TABLE events (time TEXT, record TEXT)")
        for event in EVENTS:
            con.execute("INSERT INTO events VALUES (?, ?)", [f"{str(event['UtcTime']).replace(' ', 'T')}000Z", json.dumps(event)])
    con.close()
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "sqlite")
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(path)}))
    yield path
    sys.modules.pop("sqlite_connector", None)


def test_the_example_is_short() -> None:
    (example,) = re.findall(r"```python file=sqlite_connector.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(example.splitlines()) <= 60


def test_a_hunt_on_a_database(database: Path, session: Session) -> None:
    session.run("p = GET process FROM lab WHERE pid > 0")
    with sqlite3.connect(database) as con:
        assert len(session["p"]) == con.execute("SELECT count(DISTINCT json_extract(record, '$.ProcessGuid')) FROM events").fetchone()[0]
    con.close()


def test_a_time_range_is_queried_in_the_database(database: Path, session: Session) -> None:
    times = sorted(str(e["UtcTime"]).replace(" ", "T") + "Z" for e in EVENTS)
    results = session.run(f"p = GET process FROM lab START t'{times[1]}' STOP t'{times[3]}' EXPLAIN p")
    assert len(session["p"]) == 2
    (explanation,) = [r for r in results if isinstance(r, Explanation)]
    assert "SELECT record FROM events WHERE time >= ? AND time < ?" in str(explanation.queries if hasattr(explanation, "queries") else explanation)


def test_the_same_answer_as_from_a_file(database: Path, tmp_path: Path, session: Session) -> None:
    log = tmp_path / "log.json"
    log.write_text("".join(json.dumps(e) + "\n" for e in EVENTS), encoding="utf-8")
    session.run(f"a = GET process FROM lab\nb = GET process FROM '{log}'")
    first, second = (sorted(row["id"] for row in session[name].to_dicts()) for name in "ab")
    assert first == second and len(first) >= 5


def test_the_check_of_the_source(database: Path, session: Session) -> None:
    assert list(session.examine("lab")) == [("records", "good", "5")]


def test_a_mistake_in_the_profile_is_reported(database: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", "{}")
    with pytest.raises(HuntErrors, match="K0404"):
        session.run("p = GET process FROM lab")


def test_an_exception_is_reported_as_the_connectors(database: Path, session: Session) -> None:
    database.unlink()
    with pytest.raises(HuntErrors, match="K0453") as raised:
        session.run("p = GET process FROM lab")
    assert "`sqlite` failed: OperationalError" in str(raised.value)
