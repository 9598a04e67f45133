"""SAVE as a STIX 2.1 bundle: valid by the stix2 library, and read back to the same entities by LOAD and by GET."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import stix2

from kestrel import Session
from kestrel.errors import HuntErrors
from tests.events import connection, creation, guid, write

RECORDS = [
    creation(1, "svchost.exe"),
    creation(2, "amcet.exe", parent=1, CommandLine='amcet.exe --say "<b>мир</b>\\x" \u202e %_;'),
    creation(3, "conhost.exe", parent=2),
    connection(1, 2),
    connection(2, 2, destination="fe80::1", port=8443),
]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return write(tmp_path / "logs.json", RECORDS)


def ids(session: Session, name: str) -> set[str]:
    return {row["id"] for row in session[name].to_dicts()}


def test_a_bundle_is_valid_and_comes_back_the_same(session: Session, logs: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.stix.json"
    session.run(f"p = GET process FROM '{logs}' WHERE pid > 0\nSAVE p TO '{path}'\nl = LOAD '{path}'\ng = GET process FROM '{path}' WHERE pid > 0")
    objects = stix2.parse(json.loads(path.read_text()), allow_custom=True).objects
    assert sum(o["type"] == "observed-data" for o in objects) == 3
    shown = {(o["source_ref"], o["target_ref"]) for o in objects if o["type"] == "relationship"}
    assert len(shown) == 2, "1 created 2, and 2 created 3"
    assert ids(session, "p") == ids(session, "l") == ids(session, "g")
    known = {row["x_unique_id"]: row["command_line"] for row in session["l"].to_dicts()}
    assert known == {guid(r): record["CommandLine"] for r, record in enumerate(RECORDS[:3], start=1)}


def test_what_a_loaded_bundle_holds_can_be_followed(session: Session, logs: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.stix.json.gz"
    session.run(f"p = GET process FROM '{logs}' WHERE name = 'amcet.exe'\nSAVE p TO '{path}'")
    assert json.loads(gzip.decompress(path.read_bytes()))["type"] == "bundle"
    session.run(f"l = LOAD '{path}'\na = FIND network-traffic CREATED BY p\nb = FIND network-traffic CREATED BY l")
    assert len(session["b"]) == 2 and ids(session, "a") == ids(session, "b")


def test_an_empty_variable_and_a_table(session: Session, logs: Path, tmp_path: Path) -> None:
    path = tmp_path / "e.stix.json"
    session.run(f"e = GET file FROM '{logs}' WHERE name = 'nothing'\nSAVE e TO '{path}'\nl = LOAD '{path}'\nDISP l ATTR name")
    assert len(session["l"]) == 0 and session["l"].type == "file"
    with pytest.raises(HuntErrors) as caught:
        session.run(f"p = GET process FROM '{logs}' WHERE pid > 0\nt = GROUP p BY name\nSAVE t TO '{path}'")
    assert [e.code for e in caught.value.errors] == ["K0217"]


def test_a_bundle_of_others_is_no_saved_variable(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "other.stix.json"
    path.write_text('{"type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d", "objects": []}')
    with pytest.raises(HuntErrors) as caught:
        session.run(f"l = LOAD '{path}'")
    assert [e.code for e in caught.value.errors] == ["K0411"] and caught.value.errors[0].span is not None
