"""What was read is kept: atomically, keyed by what the files are, and never in the way of an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from kestrel import Session
from kestrel.ingest import dataset
from kestrel.sources.files import files_source
from tests.events import connection, creation, write


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KESTREL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def hunt(logs: Path) -> tuple[int, bool, str | None]:
    """The number of processes, whether they came from the cache, and what closing said."""
    session = Session()
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0 n = FIND network-traffic CREATED BY p")
    found, cached = len(session["p"]), next(iter(session.engine.datasets.snapshots.held.values())).cached
    return found, cached, session.close()


def test_the_second_session_reads_the_cache(tmp_path: Path, cache: Path) -> None:
    logs = write(tmp_path / "a.json", [creation(1), connection(1, 1)])
    assert [hunt(logs) for _ in range(2)] == [(1, False, None), (1, True, None)]
    assert [p.suffix for p in cache.iterdir()] == [".duckdb"]


def test_a_changed_file_is_not_the_cached_one(tmp_path: Path, cache: Path) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    hunt(logs)
    write(logs, [creation(1), creation(2)])
    assert hunt(logs) == (2, False, None)


def test_a_damaged_cache_file_is_read_anew(tmp_path: Path, cache: Path) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    hunt(logs)
    next(cache.iterdir()).write_bytes(b"no database" * 1000)
    assert hunt(logs) == (1, False, None)
    assert hunt(logs) == (1, True, None)


def test_a_cache_that_cannot_be_written_is_told_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    monkeypatch.setenv("KESTREL_CACHE", str(logs))
    found, _, reason_of = hunt(logs)
    assert found == 1 and reason_of


def test_the_writer_of_large_files_gives_the_same(tmp_path: Path, cache: Path) -> None:
    logs = write(tmp_path / "a.json", [creation(1), creation(2, parent=1), connection(1, 1)])
    source = files_source(str(logs), [str(logs)])
    path = dataset.write_cache([source], cache)
    assert list(cache.iterdir()) == [path]
    assert hunt(logs) == (2, True, None)


def test_columns_left_in_a_large_file_are_read_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = write(tmp_path / "a.json", [creation(1), creation(2, parent=1)])
    monkeypatch.setattr(dataset, "LARGE", -1)
    with Session() as session:
        session.run(f"p = GET process FROM '{logs}' WHERE name = 'p2.exe'")
        assert next(iter(session.engine.datasets.snapshots.held.values())).events.unread
        session.run("q = p WHERE cwd IS NULL AND creator_user_ref.account_login = 'alice' c = FIND process CREATED p DISP q")
        assert (len(session["q"]), len(session["c"])) == (1, 1)
        assert not next(iter(session.engine.datasets.snapshots.held.values())).events.unread
