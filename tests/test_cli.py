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
