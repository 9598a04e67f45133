"""Time: what a range takes in, what lends it, and what is known beyond it (DESIGN.md section 2, Time and Completion)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kestrel import Session
from tests.events import connection, creation, write


def at(second: float) -> str:
    return (datetime(2021, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def logs(tmp_path: Path) -> str:
    """Creations p1..p5 at second 1..5 (p4 and p5 by p1), and a connection of p1 at second 10."""
    records = [creation(n, parent=1 if n > 3 else None) for n in range(1, 6)]
    records.append(connection(1, 1, UtcTime="2021-01-01 00:00:10.000"))
    return f"'{write(tmp_path / 'a.json', records)}'"


def names(session: Session, variable: str) -> list[str]:
    return sorted(row["name"] for row in session[variable].to_dicts())


def test_start_is_included_and_stop_is_not(session: Session, logs: str) -> None:
    session.run(f"p = GET process FROM {logs} WHERE pid > 0 START {at(2)} STOP {at(4)}")
    assert names(session, "p") == ["p2.exe", "p3.exe"]


def test_no_range_is_all_time(session: Session, logs: str) -> None:
    session.run(f"p = GET process FROM {logs} WHERE pid > 0")
    assert len(session["p"]) == 5


def test_last_counts_from_now(session: Session, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    records = [creation(n, UtcTime=(now - timedelta(hours=h)).strftime("%Y-%m-%d %H:%M:%S.000")) for n, h in ((1, 1), (2, 50))]
    session.run(f"p = GET process FROM '{write(tmp_path / 'b.json', records)}' WHERE pid > 0 LAST 2 days")
    assert names(session, "p") == ["p1.exe"]


def test_find_is_lent_the_range_that_was_asked(session: Session, logs: str) -> None:
    """p5 is created after STOP; p1 itself is found in the range by being the parent of p4."""
    session.run(f"p = GET process FROM {logs} WHERE name = 'p1.exe' START {at(3)} STOP {at(5)} c = FIND process CREATED BY p")
    assert (names(session, "p"), names(session, "c")) == (["p1.exe"], ["p4.exe"])
    session.run(f"d = FIND process CREATED BY p START {at(0)} STOP {at(60)}")
    assert names(session, "d") == ["p4.exe", "p5.exe"]


def test_what_the_create_record_before_start_says_is_known_to_later_steps(session: Session, logs: str) -> None:
    """The connection alone is in range and knows no command line: GET does not see it, a filter of the variable does."""
    span = f"START {at(9)} STOP {at(11)}"
    session.run(f"a = GET process FROM {logs} WHERE command_line = 'p1.exe --run' {span} p = GET process FROM {logs} WHERE name = 'p1.exe' {span}")
    session.run("q = p WHERE command_line = 'p1.exe --run'")
    assert (len(session["a"]), len(session["p"]), len(session["q"])) == (0, 1, 1)
    assert session["p"].to_dicts()[0]["command_line"] == "p1.exe --run"


def test_a_time_on_a_variable_filters_its_records(session: Session, logs: str) -> None:
    session.run(f"p = GET process FROM {logs} WHERE pid > 0 q = GET process FROM p WHERE pid > 0 START {at(2)} STOP {at(3)}")
    assert names(session, "q") == ["p2.exe"]


def test_a_reference_lends_the_range_of_its_variable_widened(session: Session, tmp_path: Path) -> None:
    records = [creation(1), connection(1, 1, UtcTime="2021-01-01 00:04:00.000"), connection(2, 1, UtcTime="2021-01-01 09:00:00.000")]
    path = write(tmp_path / "c.json", records)
    session.run(
        f"p = GET process FROM '{path}' WHERE command_line IS NOT NULL "
        f"n = GET network-traffic FROM '{path}' WHERE process:pid = p.pid m = GET network-traffic FROM '{path}' WHERE dst_port = 443"
    )
    assert (len(session["n"]), len(session["m"])) == (1, 2)


def test_limit_takes_the_earliest_and_offset_goes_on(session: Session, logs: str) -> None:
    session.run(f"p = GET process FROM {logs} WHERE pid > 0 LIMIT 2 q = GET process FROM {logs} WHERE pid > 0 r = q LIMIT 2 OFFSET 3")
    assert (names(session, "p"), names(session, "r")) == (["p1.exe", "p2.exe"], ["p4.exe", "p5.exe"])


def test_depth_follows_to_the_end_and_cycles_are_safe(session: Session, tmp_path: Path) -> None:
    records = [creation(0, parent=3), creation(1, parent=0), creation(2, parent=1), creation(3, parent=2), creation(9)]
    path = write(tmp_path / "d.json", records)
    session.run(f"p = GET process FROM '{path}' WHERE name = 'p0.exe' a = FIND process CREATED BY p DEPTH 2 b = FIND process CREATED BY p DEPTH ANY")
    assert names(session, "a") == ["p1.exe", "p2.exe"]
    assert names(session, "b") == ["p0.exe", "p1.exe", "p2.exe", "p3.exe"]
