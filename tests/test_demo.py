"""The scheduled-task hunt on the sample data: its answers are those of the simulation's own truth."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from typing import Any

import pytest

from kestrel import Session
from kestrel.result import Table

DEMO = resources.files("kestrel.demo")
EXPECTED = {"sp": 183, "spschedule": 2, "tasks": 126, "amcet": 24, "amcet_child": 45, "nt": 23, "amcet_cc": 0, "amcet_f": 2}
HUNT = (DEMO / "hunt.hf").read_text(encoding="utf-8")


@pytest.fixture
def host101(monkeypatch: pytest.MonkeyPatch) -> None:
    with resources.as_file(DEMO / "data" / "host101.ndjson.zst") as path:
        monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTOR", "file")
        monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTION", json.dumps({"path": str(path)}))
        monkeypatch.setenv("STIXSHIFTER_HOST101_CONFIG", "{}")


def counts(session: Session) -> dict[str, int]:
    return {name: len(session[name]) for name in EXPECTED}


def tables(results: list[Any]) -> dict[str, Table]:
    return {r.variable: r for r in results if isinstance(r, Table)}


def test_the_hunt_gives_the_story(host101: None, session: Session) -> None:
    shown = tables(session.run(HUNT))
    assert counts(session) == EXPECTED
    assert set(shown["amcet_child"].rows) == {
        ("conhost.exe", r"\??\C:\Windows\system32\conhost.exe 0xffffffff -ForceV1"),
        ("powershell.exe", "powershell.exe -NoExit -Command -"),
    }
    assert shown["nt"].rows == (("9.148.5.93", 443),)
    assert set(shown["amcet_f"].rows) == {
        ("conhost.exe", r"C:\Windows\System32"),
        ("powershell.exe", r"C:\Windows\System32\WindowsPowerShell\v1.0"),
    }
    assert shown["amcet_cc"].rows == () and shown["amcet_cc"].columns == ("name", "command_line")


def test_cells_give_the_same_as_one_text(host101: None, session: Session) -> None:
    from kestrel.syntax import parse, to_text
    from kestrel.syntax.tree import Hunt

    for statement in parse(HUNT).statements:
        session.run(to_text(Hunt((statement,))))
    assert counts(session) == EXPECTED


def test_the_direct_form(host101: None, session: Session) -> None:
    session.run(
        "s = GET process FROM stixshifter://host101 "
        r"WHERE [process:command_line = 'C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule'] "
        "START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z' "
        "t = FIND process CREATED BY s"
    )
    assert (len(session["s"]), len(session["t"])) == (2, 126)


def test_the_command_prints_one_object_a_line() -> None:
    done = subprocess.run([sys.executable, "-m", "kestrel", "demo", "--format", "json"], capture_output=True, text=True, check=True)
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert {o["kind"] for o in objects} == {"notice", "table", "info", "summary"}
    assert {v["name"]: v["entities"] for v in objects[-1]["variables"]} == EXPECTED


def test_a_cache_changes_no_answer(host101: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_CACHE", str(tmp_path))
    seen = []
    for _ in range(2):
        with Session() as session:
            seen.append([r for r in session.run(HUNT) if not hasattr(r, "seconds")])
            assert counts(session) == EXPECTED
    assert seen[0] == seen[1]
    assert [p.suffix for p in tmp_path.iterdir()] == [".duckdb"]
