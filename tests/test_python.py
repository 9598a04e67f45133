"""Kestrel from Python."""

from __future__ import annotations

from pathlib import Path

import pandas
import pyarrow
import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from tests.events import connection, creation, write


def test_a_variable_as_data(tmp_path: Path, session: Session) -> None:
    logs = write(tmp_path / "a.json", [creation(1), creation(2, parent=1)])
    session.run(f"p = GET process FROM '{logs}' WHERE name LIKE 'p%' q = p SORT BY pid ASC")
    frame = session["q"].to_pandas()
    assert list(frame["name"]) == ["p1.exe", "p2.exe"] and list(frame["pid"]) == [101, 102]
    assert session["q"].to_arrow().column("parent_ref.name").to_pylist() == [None, "p1.exe"]


@pytest.mark.parametrize(
    "value",
    [
        ["10.0.0.9", "10.0.0.8"],
        [{"value": "10.0.0.9"}, {"value": "10.0.0.8"}],
        pandas.DataFrame({"value": ["10.0.0.9", "10.0.0.8"]}),
        pyarrow.table({"value": ["10.0.0.9", "10.0.0.8"]}),
    ],
    ids=["list", "dictionaries", "DataFrame", "Arrow"],
)
def test_data_as_a_variable(value: object, tmp_path: Path, session: Session) -> None:
    logs = write(tmp_path / "a.json", [connection(1, 1, "10.0.0.9"), connection(2, 1, "10.0.0.7")])
    session["ips"] = ("ipv4-addr", value)
    session.run(f"n = GET network-traffic FROM '{logs}' WHERE dst_ref.value = ips.value m = FIND network-traffic ACCEPTED BY ips")
    assert (len(session["ips"]), len(session["n"]), len(session["m"])) == (2, 1, 1)


def test_a_new_process_cannot_be_followed(tmp_path: Path, session: Session) -> None:
    from kestrel.errors import HuntErrors

    logs = write(tmp_path / "a.json", [creation(1)])
    with pytest.raises(HuntErrors) as caught:
        session.run(f"x = GET process FROM '{logs}' WHERE pid > 0 p = NEW ['p1.exe'] c = FIND process CREATED BY p")
    assert [e.code for e in caught.value.errors] == ["K0302"]
    session.run("q = GET process WHERE name = p.name")
    assert len(session["q"]) == 1


def test_rows_from_python_say_their_type() -> None:
    with Session() as session:
        session["f"] = [{"type": "file", "name": "evil.exe"}, {"name": "bad.exe"}]
        assert session["f"].type == "file" and len(session["f"]) == 2
        with pytest.raises(ValueError, match="one type"):
            session["g"] = ("process", [{"type": "file", "name": "evil.exe"}])
        with pytest.raises(ValueError, match="fil"):
            session["h"] = [{"type": "fil", "name": "evil.exe"}]


def test_a_check_offline_passes_over_what_is_not_there() -> None:
    hunt = "p = GET process FROM missing.json, stixshifter://nobody WHERE name = 'a' q = LOAD gone.parquet r = FIND process CREATED BY q"
    with Session() as session:
        session.check(hunt, offline=True)
        with pytest.raises(HuntErrors):
            session.check(hunt)
        with pytest.raises(HuntErrors, match="K0203"):
            session.check(hunt.replace("name = 'a'", "nam = 'a'"), offline=True)
        with pytest.raises(HuntErrors, match="K0408"):
            session.check(hunt.replace("stixshifter", "stixshitfer"), offline=True)
