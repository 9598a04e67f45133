"""The known wrong answers of Kestrel 1.8 (LANGUAGE.md, Results): none may come back. Those of commands still to come follow
with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Table
from tests.events import connection, creation, write


@pytest.fixture
def logs(tmp_path: Path) -> str:
    """p0 creates p1, p2 and p3; p1 creates p4; p1 and p2 each open connections."""
    records = [creation(0), *(creation(n, parent=0) for n in (1, 2, 3)), creation(4, parent=1)]
    records += [connection(1, 1), connection(2, 1, port=80), connection(3, 2)]
    return f"'{write(tmp_path / 'a.json', records)}'"


def names(session: Session, variable: str) -> set[str]:
    return {row["name"] for row in session[variable].to_dicts()}


def records_of(session: Session, text: str) -> dict[str, tuple[int, int]]:
    summary = session.run(text)[-1]
    return {m.name: (m.entities, m.records) for m in summary.variables}  # type: ignore[union-attr]


def test_01_get_from_a_variable_keeps_to_the_variable(session: Session, logs: str) -> None:
    session.run(f"a = GET process FROM {logs} WHERE name IN ('p1.exe', 'p2.exe') b = GET process FROM a WHERE name LIKE 'p%'")
    assert names(session, "b") == {"p1.exe", "p2.exe"}


def test_02_limit_in_one_step_changes_no_other(session: Session, logs: str) -> None:
    session.run(f"a = GET process FROM {logs} WHERE name LIKE 'p%' LIMIT 2 b = GET process FROM {logs} WHERE name LIKE 'p%'")
    assert (len(session["a"]), len(session["b"])) == (2, 5)


def test_03_reading_the_same_data_twice_doubles_nothing(session: Session, logs: str) -> None:
    text = f"a = GET process FROM {logs}, {logs} WHERE name LIKE 'p%'"
    assert records_of(session, text)["a"] == records_of(session, text)["a"] == (5, 8)


def test_04_repetition_changes_no_record_count(session: Session, logs: str) -> None:
    text = f"a = GET process FROM {logs} WHERE name = 'p1.exe' c = FIND process CREATED BY a"
    assert records_of(session, text) == records_of(session, text)


def test_05_find_heeds_where_limit_and_time(session: Session, logs: str) -> None:
    session.run(
        f"a = GET process FROM {logs} WHERE name = 'p0.exe' b = FIND process CREATED BY a WHERE name != 'p2.exe' "
        "c = FIND process CREATED BY a LIMIT 1 d = FIND process CREATED BY a START 2021-01-01T00:00:02Z STOP 2021-01-01T00:00:03Z"
    )
    assert names(session, "b") == {"p1.exe", "p3.exe"}
    assert names(session, "c") == {"p1.exe"}
    assert names(session, "d") == {"p2.exe"}


def test_06_a_comparison_may_be_of_another_entity_of_the_record(session: Session, logs: str) -> None:
    session.run(f"a = GET process FROM {logs} WHERE network-traffic:dst_port = 443 b = GET process FROM {logs} WHERE network-traffic:dst_port = 80")
    assert names(session, "a") == {"p1.exe", "p2.exe"} and names(session, "b") == {"p1.exe"}


@pytest.mark.parametrize("name", ["отчёт.exe", "東京.exe", "a'b.exe", 'a"b.exe', "a;--.exe", "100%_.exe", "😀.exe", "\u202egpj.exe"])
def test_07_and_08_any_sign_may_stand_in_a_value(session: Session, tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "u.json", [creation(1, name), creation(2)])
    literal = "'" + name.replace("'", "\\'") + "'"
    shown = session.run(f"a = GET process FROM '{path}' WHERE name = {literal} DISP a ATTR name")
    tables = [r for r in shown if isinstance(r, Table)]
    assert tables[0].rows == ((name,),)


def test_09_a_misspelt_attribute_is_an_error(session: Session, logs: str) -> None:
    for text in ("DISP a ATTR nam", "b = a WHERE nam = 'x'", "b = a SORT BY nam"):
        with pytest.raises(HuntErrors) as caught:
            session.run(f"a = GET process FROM {logs} WHERE name = 'p1.exe' {text}")
        assert [e.code for e in caught.value.errors] == ["K0203"]
        assert "`name`" in str(caught.value)


def test_10_disp_limit_counts_distinct_rows_always_the_same(session: Session, logs: str) -> None:
    text = f"a = GET process FROM {logs} WHERE name LIKE 'p%' DISP a ATTR cwd, binary_ref.parent_directory_ref.path LIMIT 2"
    shown = [next(r for r in session.run(text) if isinstance(r, Table)) for _ in range(3)]
    assert shown[0].rows == ((None, "C:\\bin"),) and shown[0] == shown[1] == shown[2]


def test_11_like_ignores_case_and_equals_does_not(session: Session, logs: str) -> None:
    session.run(f"a = GET process FROM {logs} WHERE name LIKE 'P1.EXE' b = GET process FROM {logs} WHERE name = 'P1.EXE'")
    assert (len(session["a"]), len(session["b"])) == (1, 0)


def test_12_many_records_of_one_process_are_one_entity(session: Session, logs: str) -> None:
    assert records_of(session, f"a = GET process FROM {logs} WHERE name = 'p1.exe'")["a"] == (1, 4)


def test_16_what_came_before_an_error_stays(session: Session, logs: str) -> None:
    seen = []
    with pytest.raises(HuntErrors):
        for result in session.stream(f"a = GET process FROM {logs} WHERE name = 'p1.exe' DISP a ATTR name b = a WHERE x_nothing = 1"):
            seen.append(result)
    assert [type(r) for r in seen] == [Table]
    assert len(session["a"]) == 1
