"""Full disks, others' cache files, Ctrl-C, unusual terminals and faulty plug-ins: a correct answer or an error with a location, never a traceback."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kestrel import Session, scratch
from kestrel.cli import main
from kestrel.engine.machine import machine_error
from kestrel.errors import HuntErrors, KestrelError
from kestrel.graph.steps import Source
from kestrel.ingest import cache as caching
from kestrel.sources import plugin
from tests.events import connection, creation, write

HUNT = "p = GET process FROM '{}' WHERE pid > 0\nDISP p ATTR name"


# -- cache files --------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KESTREL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def processes(logs: Path) -> tuple[int, bool]:
    """The number of processes, and whether they came from the cache."""
    with Session() as session:
        session.run(HUNT.format(logs))
        return len(session["p"]), next(iter(session.engine.datasets.snapshots.held.values())).cached


def of_another_version(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[12:20] = (200).to_bytes(8, "little")
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def without(statement: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with duckdb.connect(str(file)) as con:
            con.execute(statement)

    return change


def a_folder(file: Path) -> None:
    file.unlink()
    (file / "inside").mkdir(parents=True)


def a_link(file: Path) -> None:
    other = file.with_name("other")
    file.rename(other)
    file.symlink_to(other)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda f: f.write_bytes(b""),
    "not DuckDB's": lambda f: f.write_text("no database" * 1000),
    "of another version": of_another_version,
    "cut": cut,
    "no table of accounts": without("DROP TABLE account"),
    "no table of events": without("DROP TABLE events"),
    "a column lacks": without('ALTER TABLE events DROP COLUMN "process.command_line"'),
    "no seal": without("DROP TABLE sealed"),
    "empty seal": without("DELETE FROM sealed"),
    "a folder": a_folder,
    "a link": a_link,
    "others may write": lambda f: f.chmod(0o666),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_a_cache_file_that_is_not_as_it_was_written_is_read_again(cache: Path, tmp_path: Path, damage: Callable[[Path], Any]) -> None:
    logs = write(tmp_path / "a.json", [creation(1), connection(1, 1)])
    assert processes(logs) == (1, False)
    damage(next(cache.glob("*.duckdb")))
    assert processes(logs) == (1, False)
    assert processes(logs) == (1, True)


def test_cache_files_are_private(cache: Path, tmp_path: Path) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    before = os.umask(0)
    try:
        processes(logs)
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert [stat.S_IMODE(f.stat().st_mode) for f in cache.iterdir()] == [0o600]


def test_a_file_of_another_user_is_not_trusted(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    processes(logs)
    file = next(cache.iterdir())
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with duckdb.connect() as con:
        assert not caching.attach(con, file, "d")
    assert file.exists()


# -- what killed processes leave ----------------------------------------------------------------------------------


def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_dead_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = [f"kestrel-{scratch.HOST}-{os.getpid()}-a", f"kestrel-elsewhere-{dead()}-b", "kestrel-c", "other"]
    for name in [*kept, f"kestrel-{scratch.HOST}-{dead()}-d"]:
        (tmp_path / name / "inside").mkdir(parents=True)
    scratch.sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(kept)


# -- signals ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that takes seconds to read."""
    return write(tmp_path_factory.mktemp("long") / "a.json", [creation(n) for n in range(60_000)])


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("delay", [0.4, 1.2, 2.5])
def test_a_signal_ends_a_command_without_a_traceback(long: Path, tmp_path: Path, sent: signal.Signals, status: int, delay: float) -> None:
    (tmp_path / "tmp").mkdir()
    environment = dict(os.environ) | {"TMPDIR": str(tmp_path / "tmp"), "KESTREL_CACHE": str(tmp_path / "cache")}
    text = "\n".join(f"p{n} = GET process FROM '{long}' WHERE name LIKE '%{n}%'\nDISP p{n}" for n in range(500))
    command = [sys.executable, "-m", "kestrel", "-c", text]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(delay)
        process.send_signal(sent)
        _, known = process.communicate(timeout=60)
    if process.returncode != -sent or "kestrel/session" in known:  # else the interpreter itself was starting
        assert process.returncode == status and "Traceback" not in known
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not [p for p in (tmp_path / "cache").glob("*") if p.suffix != ".duckdb"]


def test_an_interrupt_ends_the_program_of_an_analytic(tmp_path: Path) -> None:
    profiles = tmp_path / "analytics.yaml"
    profiles.write_text(f"exec:\n  slow:\n    command: [{sys.executable}, -c, \"open('{tmp_path}/on', 'w').close(); import time; time.sleep(60)\"]\n")
    environment = dict(os.environ) | {"KESTREL_PYTHON_ANALYTICS_CONFIG": str(profiles)}
    command = [sys.executable, "-m", "kestrel", "-c", "p = NEW process ['a'] APPLY exec://slow ON p"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "on").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, known = process.communicate(timeout=30)
    assert (process.returncode, known) == (130, "stopped\n")


# -- terminals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8", "koi8-r"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_every_encoding_can_show_every_value(tmp_path: Path, encoding: str, form: str) -> None:
    names = ["größe.exe", "東京.exe", "😀.exe", "a\u0301.exe"]
    logs = write(tmp_path / "a.json", [creation(n, name=name) for n, name in enumerate(names)])
    text = f"p = GET process FROM '{logs}'\nDISP p ATTR name\nDISP p ATTR name AS CHART\nDISP p AS TREE"
    command = [sys.executable, "-m", "kestrel", "-c", text, "--format", form]
    done = subprocess.run(command, env=dict(os.environ) | {"PYTHONIOENCODING": encoding}, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode(encoding)
    if form == "json":
        table = json.loads(shown.splitlines()[0])
        assert sorted(r[0] for r in table["rows"]) == sorted(names)
    else:
        assert all(name in shown or name.encode("ascii", "backslashreplace").decode() in shown or encoding != "ascii" for name in names)


@pytest.mark.parametrize("columns", ["0", "1", "-5", "7", "999999999999", "1" * 5000, "wide", "", " 80 ", "8.5", "²"])
def test_every_value_of_columns_gives_the_answer(tmp_path: Path, columns: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    logs = write(tmp_path / "a.json", [creation(1), creation(2, parent=1), connection(1, 1)])
    monkeypatch.setenv("COLUMNS", columns)
    views = "".join(f"\nDISP p AS {kind}" for kind in ("TREE", "GRAPH", "TIMELINE", "CHART"))
    assert main(["run", "-c", f"{HUNT.format(logs)}\nDISP p\nINFO p\nEXPLAIN p{views}"]) == 0
    shown = capsys.readouterr()
    assert "p2.exe" in shown.out and not shown.err


# -- the machine --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), "K0450"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "K0450"),
        (duckdb.IOException('Could not write file "/tmp/x": No space left on device'), "K0450"),
        (duckdb.OutOfMemoryException("failed to offload data block of size 256.0 KiB"), "K0450"),
        (duckdb.OutOfMemoryException("could not allocate block"), "K0451"),
        (MemoryError(), "K0451"),
        (PermissionError(errno.EACCES, "Permission denied", "/tmp/x"), "K0452"),
        (ValueError("a fault of Kestrel"), None),
        (duckdb.InternalException("a fault of Kestrel"), None),
    ],
)
def test_what_the_machine_refuses_is_no_fault_of_kestrel(failure: Exception, code: str | None) -> None:
    found = machine_error(failure)
    assert (found.code if found else None) == code


def test_a_full_disk_is_an_error_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])

    def full(*_: Any, **__: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(HuntErrors) as raised:
        session.run(HUNT.format(logs))
    assert [(e.code, e.span is not None) for e in raised.value.errors] == [("K0450", True)]
    monkeypatch.undo()
    session.run(HUNT.format(logs))
    assert len(session["p"]) == 1


# -- plug-ins -----------------------------------------------------------------------------------------------------


def raising(uri: str, name: str) -> Source:
    raise LookupError("no such\nthing")


def exiting(uri: str, name: str) -> Source:
    sys.exit(3)


def refusing(uri: str, name: str) -> Source:
    raise Refused


def nothing(uri: str, name: str) -> None:
    return None


def remote(uri: str, name: str) -> Source:
    return Source(uri, (), place="there")


class Refused(KestrelError):
    code = "K9998"

    def __init__(self) -> None:
        super().__init__("the plug-in refuses")


NUMBER = 7


class Broken:
    bound, whole, provides = 10, 10, None

    def __getattr__(self, name: str) -> Any:
        raise ZeroDivisionError("of a fetcher")


def broken(uri: str, name: str) -> Broken:
    return Broken()


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Schemes of plug-ins that fail in different ways."""
    functions = {"raises": "raising", "nothing": "nothing", "number": "NUMBER", "lost": "no_such_function", "refuses": "refusing"}
    functions |= {"exits": "exiting", "remote": "remote", "alone": "remote"}
    sources = {n: EntryPoint(n, f"{__name__}:{f}", "kestrel.sources") for n, f in functions.items()}
    sources["gone"] = EntryPoint("gone", "no_such_module:f", "kestrel.sources")
    fetchers = {"remote": EntryPoint("remote", f"{__name__}:broken", "kestrel.live")}
    monkeypatch.setattr(plugin, "found", lambda group: sources if group == "kestrel.sources" else fetchers)
    return iter([None])


@pytest.mark.parametrize(
    ("scheme", "part"),
    [
        ("raises", "LookupError: no such"),
        ("exits", "SystemExit: 3"),
        ("nothing", "returned a `NoneType`, not a `Source`"),
        ("number", "`int`, not a function"),
        ("lost", "AttributeError"),
        ("gone", "ModuleNotFoundError"),
        ("remote", "ZeroDivisionError: of a fetcher"),
        ("alone", "no plug-in of the group `kestrel.live`"),
    ],
)
def test_a_plug_in_that_fails_is_named(plugged: None, session: Session, scheme: str, part: str) -> None:
    with pytest.raises(HuntErrors) as raised:
        session.run(f"p = GET process FROM {scheme}://x WHERE pid > 0")
    (error,) = raised.value.errors
    assert error.code == "K0453" and part in error.message and error.span is not None and "is not part of Kestrel" in (error.hint or "")


def test_a_mistake_that_a_plug_in_reports_is_its_own(plugged: None, session: Session) -> None:
    with pytest.raises(HuntErrors, match="K9998"):
        session.run("p = GET process FROM refuses://x WHERE pid > 0")
