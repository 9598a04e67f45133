"""Variables are frozen: they do not change when the files that they were made from do."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kestrel import Session
from kestrel.display.html import to_html
from kestrel.display.jsonlines import to_object
from kestrel.errors import HuntErrors
from kestrel.ingest import dataset
from kestrel.ingest import file_states as readings
from kestrel.ingest.background import Writer
from kestrel.result import Info, Notice, Table
from kestrel.scratch import sweep
from tests.events import connection, creation, write

OLD = [creation(1), creation(2, parent=1, User="CORP\\bob"), connection(1, 2)]
NEW = [creation(3, parent=1), creation(4), connection(2, 4)]


def rewritten(logs: Path) -> None:
    write(logs, NEW)


def rotated(logs: Path) -> None:
    logs.rename(logs.with_suffix(".1"))
    write(logs, NEW)


def replaced(logs: Path) -> None:
    write(logs.with_suffix(".new"), NEW).replace(logs)


def truncated(logs: Path) -> None:
    os.truncate(logs, logs.read_bytes().index(b"\n") + 10)


def emptied(logs: Path) -> None:
    os.truncate(logs, 0)


def deleted(logs: Path) -> None:
    logs.unlink()


def appended(logs: Path) -> None:
    write(logs, [*OLD, *NEW])


def disguised(logs: Path) -> None:
    """Different content of equal size in the same file, with the old mtime."""
    before = logs.stat()
    logs.write_bytes(logs.read_bytes().replace(b"p2.exe", b"q2.exe"))
    os.utime(logs, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (logs.stat().st_size, logs.stat().st_mtime_ns, logs.stat().st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


def a_folder(logs: Path) -> None:
    logs.unlink()
    logs.mkdir()


def retargeted(logs: Path) -> None:
    """A link whose target changes to another file (`link`)."""
    other = write(logs.with_suffix(".other"), NEW)
    logs.unlink()
    logs.symlink_to(other)


CHANGES = [rewritten, rotated, replaced, truncated, emptied, deleted, appended, disguised, a_folder, retargeted]
NOW = {
    rewritten: {"p1.exe", "p3.exe", "p4.exe"},
    rotated: {"p1.exe", "p3.exe", "p4.exe"},
    replaced: {"p1.exe", "p3.exe", "p4.exe"},
    truncated: {"p1.exe"},
    emptied: set(),
    appended: {"p1.exe", "p2.exe", "p3.exe", "p4.exe"},
    disguised: {"p1.exe", "q2.exe"},
    retargeted: {"p1.exe", "p3.exe", "p4.exe"},
}
"""The processes of the changed file; none if it cannot be read."""


@pytest.fixture(params=["off", "cache"])
def cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KESTREL_CACHE", "off" if request.param == "off" else str(tmp_path / "cache"))
    return str(request.param)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return write(tmp_path / "a.json", OLD)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(rows=None) as made:
        yield made


def rows(session: Session, text: str) -> list[tuple[Any, ...]]:
    found = [r for r in session.run(text) if isinstance(r, Table)]
    return list(found[-1].rows)


def notices(session: Session, text: str) -> list[str]:
    return [r.message for r in session.run(text) if isinstance(r, Notice)]


def failure(session: Session, text: str) -> str:
    with pytest.raises(HuntErrors) as caught:
        session.run(text)
    return str(caught.value)


def names(session: Session, variable: str) -> set[Any]:
    return {name for (name,) in rows(session, f"DISP {variable} ATTR name")}


def pause(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def snapshots_written(session: Session) -> None:
    """Wait for what is written in the background."""
    for writer in session.engine.datasets.snapshots._writers.values():
        assert writer.finish(pause)


WAYS = [
    *((change, "off", False) for change in CHANGES),
    *((change, "cache", False) for change in (rewritten, deleted, disguised)),
    *((change, "off", True) for change in (rewritten, truncated, appended, disguised)),
    *((change, "cache", True) for change in (rewritten, deleted)),
]


@pytest.mark.parametrize(("change", "cache", "large"), WAYS, indirect=["cache"])
def test_a_variable_stays_what_it_was(
    change: Callable[[Path], None], large: bool, cache: str, logs: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(dataset, "LARGE", -1)
    path = logs
    if change is retargeted:
        path = logs.with_name("link.json")
        path.symlink_to(logs)
    session.run(f"p = GET process FROM '{path}' WHERE name LIKE 'p%'")
    snapshots_written(session)
    change(path)
    known = notices(session, "a = p WHERE pid > 0")
    assert len(known) == 1 and path.name in known[0]
    assert notices(session, "b = p WHERE pid > 1") == []
    assert rows(session, "DISP p ATTR name, command_line SORT BY pid DESC") == [("p2.exe", "p2.exe --run"), ("p1.exe", "p1.exe --run")]
    assert rows(session, "DISP p ATTR creator_user_ref.account_login SORT BY creator_user_ref.account_login ASC") == [("alice",), ("bob",)]
    assert rows(session, "c = FIND process CREATED BY p DISP c ATTR name") == [("p2.exe",)]
    assert rows(session, "n = FIND network-traffic CREATED BY p DISP n ATTR src_port") == [(50001,)]
    error = failure(session, "DISP RECORDS(p) ATTR event.original")
    assert "K0372" in error and "`p`" in error and path.name in error
    if change not in NOW:
        assert "K040" in failure(session, f"q = GET process FROM '{path}'")
        assert "K0401" in failure(session, "q = GET process")
    else:
        session.run(f"q = GET process FROM '{path}' r = GET process")
        assert names(session, "q") == names(session, "r") == NOW[change]
    assert names(session, "p") == {"p1.exe", "p2.exe"}


def test_a_changed_file_is_another_one_for_everything_new(cache: str, logs: Path, session: Session) -> None:
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
    rewritten(logs)
    session.run(f"q = GET process FROM '{logs}' WHERE pid > 0")
    lines = rows(session, "DISP RECORDS(q) ATTR event.original")
    assert {line for (line,) in lines} == set(logs.read_text().splitlines())
    assert rows(session, "j = JOIN p, q BY name, name DISP j ATTR name") == [("p1.exe",)]
    assert names(session, "p") == {"p1.exe", "p2.exe"}
    assert rows(session, "both = p + q DISP both ATTR name SORT BY name ASC") == [("p1.exe",), ("p2.exe",), ("p3.exe",), ("p4.exe",)]
    assert rows(session, "c = FIND process CREATED BY both DISP c ATTR name") == [("p2.exe",), ("p3.exe",)]
    assert rows(session, "n = FIND network-traffic CREATED BY both DISP n ATTR src_port") == [(50001,), (50002,)]
    assert len(session["both"]) == 4
    assert "K0372" in failure(session, "DISP RECORDS(both) ATTR event.original")


def test_records_of_two_contents_together_are_as_in_one_file(cache: str, tmp_path: Path, session: Session) -> None:
    """Security knows a pid, Sysmon the process: entities are resolved over both contents, with each record once."""
    exit_record = {
        "EventID": 4689,
        "Channel": "Security",
        "Hostname": "h1.example.org",
        "EventTime": "2021-01-01 00:00:10",
        "@timestamp": "2021-01-01T00:00:10.000Z",
        "RecordNumber": 77,
        "ProcessId": "0x66",
        "ProcessName": "C:\\bin\\p2.exe",
        "Status": "0x0",
    }
    logs = write(tmp_path / "a.json", OLD)
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
    write(logs, [exit_record, OLD[0]])
    session.run(f"q = GET process FROM '{logs}' WHERE pid > 0 both = p + q")
    together = write(tmp_path / "b.json", [*OLD, exit_record])
    session.run(f"whole = GET process FROM '{together}' WHERE pid > 0")
    engine = session.engine
    assert engine.counts(engine.evaluate(session.scope["both"])) == engine.counts(engine.evaluate(session.scope["whole"]))


def test_a_change_between_two_sources_of_one_find(cache: str, tmp_path: Path, session: Session) -> None:
    """Records of a changed file and of another one, never read together before."""
    a, b = write(tmp_path / "a.json", [creation(1)]), write(tmp_path / "b.json", [creation(2, parent=1)])
    session.run(f"p = GET process FROM '{a}' WHERE pid > 0 q = GET process FROM '{b}' WHERE name = 'p2.exe'")
    rewritten(a)
    assert rows(session, "r = p + q s = FIND process CREATED r DISP s ATTR name, command_line") == [("p1.exe", "p1.exe --run")]


def test_what_a_glob_names_changes_in_part(cache: str, tmp_path: Path, session: Session) -> None:
    a, b = write(tmp_path / "a.json", [creation(1)]), write(tmp_path / "b.json", [creation(2)])
    session.run(f"p = GET process FROM '{tmp_path}/?.json' WHERE pid > 0 q = p WHERE name = 'p2.exe'")
    rewritten(a)
    known = notices(session, "DISP p ATTR name")
    assert len(known) == 1 and "a.json" in known[0] and "b.json" not in known[0]
    assert rows(session, "DISP RECORDS(q) ATTR event.original") == [(b.read_text().strip(),)]
    assert "a.json" in failure(session, "DISP RECORDS(p) ATTR event.original")
    session.run(f"r = GET process FROM '{tmp_path}/?.json' WHERE pid > 0")
    assert names(session, "r") == {"p1.exe", "p2.exe", "p3.exe", "p4.exe"}


def test_a_cell_run_again_reads_what_is_there(cache: str, logs: Path, session: Session) -> None:
    cell = f"p = GET process FROM '{logs}' WHERE pid > 0"
    session.run(cell)
    session.run("kept = p WHERE name = 'p2.exe'")
    appended(logs)
    session.run(cell)
    assert names(session, "p") == {"p1.exe", "p2.exe", "p3.exe", "p4.exe"}
    assert rows(session, "DISP kept ATTR name, pid") == [("p2.exe", 102)]


def test_an_unchanged_file_is_read_once(cache: str, logs: Path, session: Session) -> None:
    for name in ("p", "q", "r"):
        session.run(f"{name} = GET process FROM '{logs}' WHERE pid > 0")
    assert len(session.engine.datasets.snapshots.held) == 1
    assert session.scope["p"] == session.scope["q"] == session.scope["r"]


def test_a_loaded_file_is_frozen_too(cache: str, tmp_path: Path, logs: Path, session: Session) -> None:
    saved = tmp_path / "p.csv"
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0 SAVE p TO '{saved}' a = LOAD '{saved}'")
    session.run(f"b = LOAD '{saved}'")
    saved.write_text("name,pid\nother.exe,5\n")
    assert any("p.csv" in text for text in notices(session, "DISP a ATTR name"))
    assert names(session, "a") == names(session, "b") == {"p1.exe", "p2.exe"}
    session.run(f"c = LOAD '{saved}' AS process")
    assert names(session, "c") == {"other.exe"}
    saved.unlink()
    assert names(session, "a") == {"p1.exe", "p2.exe"}


def test_files_saved_and_loaded_in_one_cell_are_what_was_saved_last(cache: str, tmp_path: Path, session: Session) -> None:
    saved = tmp_path / "x.csv"
    found = rows(
        session,
        f"a = NEW process ['one'] b = NEW process ['two'] SAVE a TO '{saved}' x = LOAD '{saved}' SAVE b TO '{saved}' y = LOAD '{saved}' "
        "z = x + y DISP z ATTR name",
    )
    assert found == [("one",), ("two",)]


def test_find_from_a_saved_variable_asks_the_file_as_it_is(cache: str, tmp_path: Path, logs: Path, session: Session) -> None:
    saved = tmp_path / "p.parquet"
    session.run(f"p = GET process FROM '{logs}' WHERE name = 'p1.exe' SAVE p TO '{saved}'")
    rewritten(logs)
    session.run(f"l = LOAD '{saved}'")
    assert rows(session, "c = FIND process CREATED BY l DISP c ATTR name") == [("p3.exe",)]
    assert rows(session, "d = FIND process CREATED BY p DISP d ATTR name") == [("p2.exe",)]


# -- large files ---------------------------------------------------------------------------------------------------


def test_a_column_that_was_not_read_before_the_change_is_an_error(cache: str, logs: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "LARGE", -1)
    cells = session.stream(f"p = GET process FROM '{logs}' WHERE pid > 0")
    assert [type(r).__name__ for r in cells] == ["Summary"]  # by `stream` nothing is written behind the answer
    rewritten(logs)
    error = failure(session, "x = p WHERE name = 'p1.exe' DISP p ATTR command_line")
    assert "K0370" in error and "command_line" in error and logs.name in error
    assert names(session, "p") == {"p1.exe", "p2.exe"}
    session.run(f"q = GET process FROM '{logs}' WHERE pid > 0 both = p + q")
    assert names(session, "both") == {"p1.exe", "p2.exe", "p3.exe", "p4.exe"}
    assert rows(session, "DISP q ATTR command_line WHERE name = 'p4.exe'") == [("p4.exe --run",)]


def test_a_snapshot_of_a_changing_file_is_not_kept(tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kestrel.sources.files import files_source

    real = dataset._build

    def changing(*given: Any, **more: Any) -> None:
        real(*given, **more)
        rewritten(logs)

    monkeypatch.setattr(dataset, "_build", changing)
    with pytest.raises(dataset.FilesChanged):
        dataset.write_cache([files_source("a", [str(logs)])], tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_not_cached(tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_CACHE", str(tmp_path / "cache"))
    real = dataset._build

    def changing(*given: Any, **more: Any) -> None:
        real(*given, **more)
        rewritten(logs)

    with Session() as session:
        monkeypatch.setattr(dataset, "_build", changing)
        session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
        monkeypatch.setattr(dataset, "_build", real)
        assert len(notices(session, "q = p")) == 1
        assert names(session, "p") == {"p1.exe", "p2.exe"}
    assert not (tmp_path / "cache").exists()


def test_waiting_for_a_snapshot_can_be_interrupted(tmp_path: Path, logs: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_CACHE", "off")
    monkeypatch.setattr(dataset, "LARGE", -1)
    for _ in session.stream(f"p = GET process FROM '{logs}' WHERE pid > 0"):
        pass
    (key,) = session.engine.datasets.snapshots.held
    never = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.PIPE)
    session.engine.datasets.snapshots._writers[key] = Writer(tmp_path / "never" / "written.duckdb", never, private=True)
    timer = threading.Timer(0.5, session.interrupt)
    timer.start()
    with pytest.raises(duckdb.InterruptException):
        session.run("DISP p ATTR command_line")
    timer.join()
    assert names(session, "p") == {"p1.exe", "p2.exe"}


def test_nothing_private_is_left_behind(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_CACHE", "off")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(dataset, "LARGE", -1)
    with Session() as session:
        session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
        (writer,) = session.engine.datasets.snapshots._writers.values()
        assert writer.private
    assert writer.process.returncode is not None
    assert list((tmp_path / "temporary").iterdir()) == []


HELD = """
import sys, time
from kestrel import Session
from kestrel.ingest import dataset
dataset.LARGE = -1
session = Session()
session.run(f"p = GET process FROM '{sys.argv[1]}' WHERE pid > 0")
(writer,) = session.engine.datasets.snapshots._writers.values()
writer.finish(lambda seconds: time.sleep(seconds) is None)
print(writer.target, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(os.name != "posix", reason="processes end otherwise")
def test_nothing_private_is_left_behind_after_a_kill(logs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = os.environ | {"KESTREL_CACHE": "off", "TMPDIR": str(folder)}
    with subprocess.Popen([sys.executable, "-c", HELD, str(logs)], stdout=subprocess.PIPE, text=True, env=environment) as session:
        assert session.stdout
        assert Path(session.stdout.readline().strip()).exists()
        session.kill()
    deadline = time.monotonic() + 60
    while list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
        sweep(folder)  # as the next start of Kestrel does
    assert list(folder.iterdir()) == []


# -- the state of a file -------------------------------------------------------------------------------------------


def test_a_change_in_the_middle_of_a_large_file_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"a" * 4 * readings.WINDOW)
    before, status = readings.state_of(str(file)), file.stat()
    with file.open("r+b") as content:
        content.seek(2 * readings.WINDOW)
        content.write(b"b")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert readings.state_of(str(file)) != before


def test_rights_alone_are_no_change_of_a_small_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a", OLD)
    before = readings.state_of(str(file))
    file.chmod(0o400)
    assert readings.state_of(str(file)) == before


def test_a_file_that_may_no_longer_be_opened(logs: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_CACHE", "off")
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
    real = Path.open

    def refused(path: Path, *given: Any, **more: Any) -> Any:
        if path == logs:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *given, **more)

    logs.chmod(0)
    monkeypatch.setattr(Path, "open", refused)
    assert "opened" in notices(session, "DISP p ATTR name")[0]
    assert names(session, "p") == {"p1.exe", "p2.exe"}
    assert "K0372" in failure(session, "DISP RECORDS(p) ATTR event.original")
    assert "K0401" in failure(session, f"q = GET process FROM '{logs}'")


def test_states_are_remembered_only_when_they_cannot_hide_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a", OLD)
    opened: list[str] = []
    real = readings._digest

    def counted(path: str, status: os.stat_result) -> str:
        opened.append(path)
        return real(path, status)

    monkeypatch.setattr(readings, "_digest", counted)
    for _ in range(3):
        readings.state_of(str(file))
    assert len(opened) == 3, "a file that has just changed is looked into each time"
    monkeypatch.setattr(time, "time_ns", lambda: file.stat().st_ctime_ns + readings.SETTLED + 1)
    for _ in range(3):
        readings.state_of(str(file))
    assert len(opened) == 4


# -- memory --------------------------------------------------------------------------------------------------------


def test_contents_that_no_variable_refers_to_are_dropped(cache: str, logs: Path, session: Session) -> None:
    def tables() -> int:
        row = session.engine.con.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'events'").fetchone()
        return int(row[0]) if row else 0

    session.run(f"first = GET process FROM '{logs}' WHERE pid > 0")
    sizes = []
    for number in range(10, 16):
        write(logs, [creation(number)])
        session.run(f"p = GET process FROM '{logs}' WHERE pid > 0 q = p WHERE pid > 1")
        assert names(session, "q") == {f"p{number}.exe"}
        sizes.append(len(session.engine.variables))
    assert names(session, "first") == {"p1.exe", "p2.exe"}
    assert tables() == len(session.engine.datasets.snapshots.held) == 2
    assert sizes[2:] == [sizes[2]] * 4


def test_a_handle_keeps_what_it_stands_for(cache: str, logs: Path, session: Session) -> None:
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
    handle = session["p"]
    rewritten(logs)
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
    session.run("DISP p ATTR name")
    assert {row["name"] for row in handle.to_dicts()} == {"p1.exe", "p2.exe"}
    del handle
    session.run("DISP p ATTR name")
    assert len(session.engine.datasets.snapshots.held) == 1


def test_records_that_were_read_only_with_others_are_no_longer_held(tmp_path: Path, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a record that is in both files, one is kept: after one file has changed it is unknown which of them had it."""
    monkeypatch.setenv("KESTREL_CACHE", "off")
    saved, other = tmp_path / "p.parquet", write(tmp_path / "b.json", OLD)
    with Session() as before:
        before.run(f"p = GET process FROM '{logs}' WHERE name = 'p1.exe' SAVE p TO '{saved}'")
    with Session() as session:
        session.run(f"l = LOAD '{saved}' both = GET process FROM '{logs}', '{other}' WHERE pid > 0")
        rewritten(logs)
        error = failure(session, "c = FIND process CREATED BY l")
        assert "K0371" in error and logs.name in error
        assert len(session["both"]) == 2


# -- INFO ----------------------------------------------------------------------------------------------------------


def info(session: Session, variable: str) -> Info:
    (found,) = (r for r in session.run(f"INFO {variable}") if isinstance(r, Info))
    return found


def test_info_says_whether_the_inputs_still_mean_what_they_meant(logs: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_CACHE", "off")
    session.run(f"$low = 100 p = GET process FROM '{logs}' WHERE pid > $low")
    session.run("o = p WHERE name = 'p1.exe'")
    session.run("c = FIND process CREATED BY p WHERE pid != o.pid")
    assert [(i.name, i.state) for i in info(session, "c").inputs] == [("p", "unchanged"), ("o", "unchanged")]
    session.run("p = p WHERE name = 'p2.exe'")
    found = info(session, "c")
    meant = session.origins["o"].inputs[0].text
    assert meant.split() == f"p = GET process FROM '{logs}' WHERE pid > $low".split()
    assert [(i.name, i.state, i.origin) for i in found.inputs if i.state != "unchanged"] == [("p", "redefined", meant)]
    assert ("$low", "unchanged") in [(i.name, i.state) for i in found.inputs]
    assert next((i.name, i.state, i.origin) for i in info(session, "p").inputs) == ("p", "redefined", meant)
    session.run("$low = 5")
    assert ("$low", "redefined", "100") in [(i.name, i.state, i.origin) for i in info(session, "c").inputs]
    assert {"name": "p", "state": "redefined", "origin": meant} in to_object(found)["inputs"]
    assert "redefined since" in to_html(found)


def test_info_of_an_unchanged_repetition(logs: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_CACHE", "off")
    get = f"p = GET process FROM '{logs}' WHERE pid > 0"
    session.run(get)
    session.run("c = FIND process CREATED BY p")
    session.run(get)
    assert [i.state for i in info(session, "c").inputs] == ["unchanged"]
    rewritten(logs)
    session.run(get)
    found = info(session, "c")
    assert [i.state for i in found.inputs] == ["redefined"]
    assert found.changed_files == (str(logs),) and to_object(found)["changed_files"] == [str(logs)]
    assert info(session, "p").changed_files == ()


def test_info_tells_of_the_statement_that_ran(logs: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for a later statement nor for a failed one."""
    monkeypatch.setenv("KESTREL_CACHE", "off")
    results = session.run(f"p = GET process FROM '{logs}' WHERE pid > 0 INFO p p = p WHERE pid > 101")
    assert [r.origin.split() for r in results if isinstance(r, Info)] == [f"p = GET process FROM '{logs}' WHERE pid > 0".split()]
    failure(session, "p = p WHERE x_nothing = 1")
    assert info(session, "p").origin == "p = p WHERE pid > 101"
