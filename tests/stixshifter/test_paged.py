"""A connector as most are (`module/`): asynchronous, with numbered pages and a limit for each query."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.pushdown.request import FetchRequest, FieldPredicate
from kestrel.result import Notice
from kestrel.sources.profiles import profile
from kestrel.sources.stixshifter import fetch
from kestrel.sources.stixshifter.failures import CutOff
from tests.stixshifter.conftest import Connector

MODULE = Path(__file__).with_name("module")
SECRET = "s3cr3t-token"
Rows = Iterable[dict[str, Any]]
Served = Callable[..., None]


@pytest.fixture
def served(connector: Connector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """A profile that gives these rows by the connector `paged`: STIX-shifter as it is installed, and the module beside it."""
    installed = connector("stix_bundle")
    folder = tmp_path / "connectors"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "paged")], check=True)
    (packages,) = (folder / "paged").glob("lib/python*/site-packages")
    (packages / "here.pth").write_text(f"{MODULE}\n{next(installed.glob('lib/python*/site-packages'))}\n")
    monkeypatch.setenv("KESTREL_CONNECTORS", str(folder))

    def serve(rows: Rows, **options: Any) -> None:
        file = tmp_path / "rows.ndjson"
        file.write_text("".join(json.dumps(r) + "\n" for r in rows))
        monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "paged")
        monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(file), "options": options}))
        monkeypatch.setenv("STIXSHIFTER_LAB_CONFIG", json.dumps({"auth": {"token": SECRET}}))

    return serve


def rows(number: int, seconds: int = 1) -> Rows:
    for n in range(number):
        minute, second = divmod(n * seconds % 3600, 60)
        yield {"time": f"2021-04-03T{n * seconds // 3600:02}:{minute:02}:{second:02}.000Z", "name": f"p{n}.exe", "pid": 1000 + n, "user": "S-1-5-18"}


def names(wanted: FetchRequest, into: Path) -> list[str]:
    into.mkdir()
    files = fetch.Shifter(profile("lab")).fetch(wanted, into, lambda _: None)
    found = [o for f in files for o in json.loads(f.read_text())["objects"] if o["type"] == "observed-data"]
    assert len({o["id"] for o in found}) == len({(o["first_observed"], json.dumps(o["objects"])) for o in found})
    return sorted({p["name"] for o in found for p in o["objects"].values() if p["type"] == "process"})


def test_every_page_of_a_search_comes(served: Served, tmp_path: Path, session: Session) -> None:
    served(rows(5_000))
    session.run("x = GET process FROM stixshifter://lab WHERE pid > 0")
    assert len(session["x"]) == 5_000


def test_what_has_more_records_than_a_query_gives_is_asked_in_parts(served: Served, tmp_path: Path, session: Session) -> None:
    served(rows(2_000), result_limit=300)
    assert names(FetchRequest(), tmp_path / "into") == sorted(r["name"] for r in rows(2_000))
    session.run("x = GET process FROM stixshifter://lab WHERE pid > 0")
    assert len(session["x"]) == 2_000
    (account,) = [d.account for d in session.engine.datasets.snapshots.held.values()]
    assert account.kept == 2_000


def test_more_records_of_one_moment_than_a_query_gives_are_an_error(served: Served, tmp_path: Path) -> None:
    served(rows(500, seconds=0), result_limit=300)
    with pytest.raises(CutOff, match="hands over 300 records at once, and there are more from 2021"):
        names(FetchRequest(), tmp_path / "into")


def test_equal_records_are_one(served: Served, session: Session) -> None:
    served([*rows(10), *rows(10)])
    session.run("x = GET process FROM stixshifter://lab WHERE pid > 0")
    assert {r["number_observed"] for r in session["x"].to_dicts()} == {1}


def test_records_without_a_time_are_told(served: Served, session: Session) -> None:
    served([*rows(10), {"name": "x.exe", "pid": 1}])
    results = session.run("x = GET process FROM stixshifter://lab WHERE pid > 0")
    assert len(session["x"]) == 10
    assert "`stixshifter://lab`: 1 of its records tell no time, and are left out" in [r.message for r in results if isinstance(r, Notice)]


def test_types_are_asked_one_by_one_where_the_connector_cannot_do_it_together(served: Served, session: Session) -> None:
    served([*rows(100), {"time": "2021-04-03T05:00:00.000Z", "user": "S-1-5-19"}], narrow=True)
    session.run("x = GET process FROM stixshifter://lab WHERE pid > 0 y = GET user-account FROM stixshifter://lab WHERE user_id = 'S-1-5-19'")
    assert (len(session["x"]), len(session["y"])) == (100, 1)


def test_what_the_mapping_lacks_is_told(served: Served, session: Session) -> None:
    served(rows(10))
    results = session.run("x = GET process FROM stixshifter://lab WHERE command_line LIKE '%a%' AND name = 'p1.exe' DISP x ATTR pid, cwd")
    known = [r.message for r in results if isinstance(r, Notice)]
    assert [t for t in known if "has no field for" in t] == [
        "`stixshifter://lab` has no field for `command_line` of process",
        "`stixshifter://lab` has no field for `cwd` of process",
    ]


def test_creations_that_cannot_be_asked_for_are_told(served: Served, tmp_path: Path) -> None:
    served(rows(10))
    source = fetch.Shifter(profile("lab"))
    wanted = FetchRequest(None, None, ((FieldPredicate(("process.x_unique_id",), "=", ("A",)),),), ("process-create",))
    assert source.fetch(wanted, tmp_path, lambda _: None) == []
    assert "cannot ask for the creation" in source.notices[0]


def test_a_get_run_again_asks_again(served: Served, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "FRESH", 0.0)
    served(rows(10))
    text = "x = GET process FROM stixshifter://lab WHERE pid > 0"
    session.run(text)
    served(rows(20))
    assert len(session["x"]) == 10
    session.run(text)
    assert len(session["x"]) == 20
