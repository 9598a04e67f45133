"""`kestrel formats`: the log formats, and what is in data."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.cli import main
from kestrel.formats.format import log_formats
from kestrel.result import Table

DATA = Path(__file__).parents[1].parent / "shared" / "data"


def tables(path: Path | str | None) -> dict[str, Table]:
    with Session() as session:
        return {t.variable: t for t in session.overview(None if path is None else str(path)) if isinstance(t, Table)}


def test_every_log_format_is_listed() -> None:
    assert [row[0] for row in tables(None)["log formats"].rows] == sorted(log_formats())


@pytest.mark.skipif(not DATA.is_dir(), reason="the real logs are not here")
def test_event_types_hosts_and_fields_are_counted() -> None:
    path = DATA / "ecs" / "sysmon-10.2-dns.evtx.golden.ndjson"
    records: list[dict[str, Any]] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = tables(path)
    assert found["log formats"].rows == (("winlogbeat", len(records)),)
    assert Counter({code: n for _, code, _, n in found["event types"].rows}) == Counter(str(r["winlog"]["event_id"]) for r in records)
    assert {h: n for h, _, _, n in found["hosts"].rows} == dict(Counter(r["winlog"]["computer_name"].lower() for r in records))
    fields = {name: (number, read) for name, number, read in found["fields"].rows}
    assert fields["winlog.computer_name"] == (len(records), "yes")
    assert fields["winlog.api"] == (sum("api" in r["winlog"] for r in records), "no")


@pytest.mark.skipif(not DATA.is_dir(), reason="the real logs are not here")
def test_a_hunt_asks_the_same(tmp_path: Path) -> None:
    """By INFO of a path, of a glob, and of the URI of a profile; corrected clocks are listed."""
    path = next(iter(sorted((DATA / "windows-flat").glob("*sharpdump*"))))
    asked = tables(path)
    with Session() as session:
        hunted = {t.variable: t for t in session.run(f"INFO '{path}'") if isinstance(t, Table)}
        assert {n: t.rows for n, t in hunted.items()} == {n: t.rows for n, t in asked.items()}
        assert asked["clocks"].rows[0][0] == path.name
        assert any(isinstance(t, Table) and t.variable == "hosts" for t in session.run(f"INFO {path.parent}/*sharpdump*"))
        assert any(isinstance(t, Table) and t.rows == (("winlogbeat", 20307),) for t in session.run("INFO demo://host101"))


def test_the_manual_lists_the_log_formats() -> None:
    page = (Path(__file__).parents[1] / "docs" / "log-formats.md").read_text(encoding="utf-8")
    table = page.partition("| log format | what it reads |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)) == set(log_formats())


def test_a_file_in_no_known_format_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": 1}\n', encoding="utf-8")
    assert main(["formats", str(path)]) == 1
    assert "K0412" in capsys.readouterr().err
    assert main(["formats"]) == 0
