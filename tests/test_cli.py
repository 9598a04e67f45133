"""The command as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kestrel.cli import main
from kestrel.version import __version__
from tests.events import creation, write


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"kestrel {__version__}\n"


def test_a_failed_hunt_keeps_what_came_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write(tmp_path / "a.json", [creation(1), creation(2)])
    text = f"p = GET process FROM '{logs}' WHERE name = 'p1.exe'\nDISP p ATTR name\nq = GET process WHERE x_nothing = 1"
    assert main(["run", "-c", text, "--format", "json"]) == 1
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [o["kind"] for o in objects] == ["table", "error"]
    assert objects[0]["rows"] == [["p1.exe"]]
    assert (objects[1]["code"], objects[1]["line"]) == ("K0301", 3)


def test_mistakes_stop_the_hunt_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-c", "p = NEW ['a']\nDISP p ATTR nam, pidd"]) == 1
    shown = capsys.readouterr().err
    assert "process has no attribute `nam`" in shown and "process has no attribute `pidd`" in shown
    assert "did you mean `name`?" in shown


@pytest.mark.parametrize("arguments", [[], ["run"], ["nothing"], ["run", "none.hf"]])
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "kestrel", *arguments], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr and not done.stdout


def test_fmt_is_stable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hunt = tmp_path / "a.hf"
    hunt.write_text("# first\np=new ['a']\ndisp p attr name")
    assert main(["fmt", "-w", str(hunt)]) == 0
    assert hunt.read_text() == "# first\np = NEW ['a']\nDISP p ATTR name\n"
    assert main([str(hunt)]) == 0
    assert "a" in capsys.readouterr().out


def test_importing_kestrel_loads_no_extra() -> None:
    code = "import sys, kestrel, kestrel.cli; print([m for m in ('pandas', 'pyarrow', 'duckdb', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize(
    "arguments",
    [["-c", "p = NEW process ['a'] DISP p"], ["-c", "p = NEW process ['a'] DISP p", "--format", "json"], ["config"], ["fmt", "-c", "DISP x"]],
)
def test_an_output_that_cannot_be_written_is_named(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "kestrel", *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "kestrel: cannot write the output: No space left on device\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes differ")
def test_a_closed_pipe_is_status_141() -> None:
    command = [sys.executable, "-m", "kestrel", "-c", "p = NEW process ['a'] DISP p"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (141, b"")


def test_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    hunt = tmp_path / "hunt.hf"
    hunt.write_text("p=new process ['a']")
    hunt.chmod(0o640)

    def full(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("kestrel.whole.os.replace", full)
        assert main(["fmt", "-w", str(hunt)]) == 1
    assert capsys.readouterr().err == f"kestrel: cannot write {hunt}: No space left on device\n"
    assert hunt.read_text() == "p=new process ['a']" and [p.name for p in tmp_path.iterdir()] == ["hunt.hf"]
    assert main(["fmt", "-w", str(hunt)]) == 0
    assert hunt.read_text() == "p = NEW process ['a']\n" and hunt.stat().st_mode & 0o777 == 0o640


def test_a_huntbook_that_cannot_be_written_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "source": "p = NEW ['a']", "metadata": {}}]}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(book))
    assert main(["run", str(path), "--output", str(tmp_path / "none" / "b.ipynb")]) == 2
    assert main(["run", str(path), "--output", str(tmp_path)]) == 2
    for broken in (
        {**book, "metadata": []},
        {**book, "cells": [5]},
        {**book, "cells": [{"cell_type": "code", "source": ["a", 3]}]},
        {**book, "metadata": {"kernelspec": 1}},
    ):
        path.write_text(json.dumps(broken))
        assert main(["run", str(path)]) == 2
        assert "is not a Jupyter notebook" in capsys.readouterr().err
