"""Hunts that once ended in another failure than a located mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from tests.events import connection, creation, write


@pytest.fixture
def logs(tmp_path: Path) -> str:
    return f"'{write(tmp_path / 'a.json', [creation(1), creation(2, parent=1), connection(1, 2)])}'"


@pytest.mark.parametrize("attribute", ["pid", "created", "first_observed", "number_observed"])
def test_no_number_or_time_is_inside_a_network(session: Session, logs: str, attribute: str) -> None:
    with pytest.raises(HuntErrors) as caught:
        session.run(f"p = GET process FROM {logs} WHERE {attribute} ISSUBSET '0.0.0.0/0'")
    assert [e.code for e in caught.value.errors] == ["K0229"]


@pytest.mark.parametrize(
    ("comparison", "found"),
    [("pid >= q.pid", {101, 102}), ("pid < q.first_observed", set()), ("created < q.pid", set()), ("name > q.name", {102})],
)
def test_an_order_holds_between_values_of_one_kind(session: Session, logs: str, comparison: str, found: set[int]) -> None:
    session.run(f"q = GET process FROM {logs} WHERE name = 'p1.exe' p = GET process FROM {logs} WHERE {comparison} t = q WHERE {comparison}")
    assert {row["pid"] for row in session["p"].to_dicts()} == found


def test_text_has_no_order_with_the_numbers_of_a_variable(session: Session, logs: str) -> None:
    with pytest.raises(HuntErrors) as caught:
        session.run(f"q = GET process FROM {logs} p = q WHERE name > q.pid")
    assert [e.code for e in caught.value.errors] == ["K0207"]


@pytest.mark.parametrize("text", ["name = '\\ud800'", "name LIKE $half", "name IN ('a', $half)", "x_a.'\ud800' = 1", "hashes.'\ud800' = 'a'"])
def test_half_a_sign_is_no_text(session: Session, logs: str, text: str) -> None:
    for hunt in (f"p = GET process FROM {logs} WHERE {text}", "p = NEW ['\\ud800']", 'p = NEW [{"name": "\\ud800"}]'):
        with pytest.raises(HuntErrors) as caught:
            session.run(hunt, parameters={"half": "\udfff"})
        assert {e.code for e in caught.value.errors} == {"K0109"}


@pytest.mark.parametrize("path", ["a\\x00.csv", "\\ud800.csv"])
def test_a_name_no_file_can_have_is_a_mistake(session: Session, logs: str, path: str) -> None:
    session.run(f"p = GET process FROM {logs}")
    for hunt in (f"SAVE p TO '{path}'", f"q = LOAD '{path}'", f"q = GET process FROM '{path}'", f"APPLY '{path}' ON p"):
        with pytest.raises(HuntErrors) as caught:
            session.run(hunt)
        assert caught.value.errors[0].code in ("K0230", "K0109")


@pytest.mark.parametrize(
    "number", ["'99999999999999999999999999999999999999999999999999'", "'0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'", "$huge", "-$huge"]
)
def test_a_number_beyond_every_pid_is_a_number(session: Session, logs: str, number: str) -> None:
    huge = -(10**400) if number.startswith("-") else 10**400
    given = {"huge": huge} if "$" in number else {}
    for operator, found in ((">", 0 if huge > 0 else 2), ("<", 2 if huge > 0 else 0)):
        session.run(f"p = GET process FROM {logs} WHERE pid {operator} {number.lstrip('-')}", parameters=given)
        assert len(session["p"]) == found
    with pytest.raises(HuntErrors) as caught:
        session.run(f"p = GET process FROM {logs} WHERE pid = {number.lstrip('-')}", parameters=given)
    assert [e.code for e in caught.value.errors] == ["K0231"]


@pytest.mark.parametrize(
    "text",
    [
        "p = GET process FROM $logs WHERE created > '0001-01-01T00:00:00+23:00'",
        'p = NEW [{"pid": 1.5}]',
        'p = NEW [{"pid": 99999999999999999999999}]',
        'p = NEW network-traffic [{"dst_port": 99999999999}]',
        "p = NEW [$none]",
        "p = NEW [$bytes]",
    ],
)
def test_a_value_no_record_can_hold_is_a_mistake(session: Session, logs: str, text: str) -> None:
    with pytest.raises(HuntErrors) as caught:
        session.run(text, parameters={"logs": logs.strip("'"), "none": None, "bytes": b"x"})
    assert [e.code for e in caught.value.errors] in (["K0206"], ["K0231"])


ODD_TEXTS = (
    "0x3e7",
    "007",
    "1e5",
    "1.50",
    "true",
    "2021-01-01T00:00:00Z",
    "2021-01-01",
    "12:00:00",
    "0A2B3C4D-0000-0000-0000-0123456789AB",
    "[a]",
    "{}",
)


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson", "parquet"])
@pytest.mark.parametrize("text", ODD_TEXTS)
def test_text_that_looks_like_something_else_is_saved_and_loaded_as_text(session: Session, tmp_path: Path, ending: str, text: str) -> None:
    file = f"'{tmp_path / 'p'}.{ending}'"
    session.run('p = NEW [{"name": $text, "command_line": $text, "x_unique_id": $text, "pid": 7}]', parameters={"text": text})
    session.run(f"SAVE p TO {file} q = LOAD {file}")
    assert session["q"].to_dicts()[0] | {"number_observed": 1} == session["p"].to_dicts()[0]


def test_numbers_and_times_of_a_csv_file_are_numbers_and_times(session: Session, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("n,h,f,when,word\n1,0x10,1.5,2021-01-01T00:00:00Z,a\n-2,007,2e3,2021-01-02T00:00:00Z,\n", encoding="utf-8")
    session.run(
        f"t = LOAD '{tmp_path / 't.csv'}' a = t WHERE n < 0 b = t WHERE h = '0x10' c = t WHERE when > t'2021-01-01T12:00:00Z' d = t WHERE f > 2"
    )
    assert [len(session[v]) for v in "abcd"] == [1, 1, 1, 1]
    assert session["b"].to_dicts()[0]["n"] == 1 and session["a"].to_dicts()[0]["h"] == "007"


def test_a_step_follows_the_files_of_the_values_it_compares_with(session: Session, tmp_path: Path) -> None:
    first, second, table = tmp_path / "first.json", tmp_path / "second.json", tmp_path / "table.csv"
    write(second, [creation(n) for n in range(6)])
    text = f"a = GET process FROM '{first}' b = GET process FROM '{second}' WHERE pid = a.pid t = LOAD '{table}' "
    text += f"c = GET process FROM '{second}' WHERE pid = t.pid d = b WHERE pid = t.pid"
    for number in (1, 3):
        write(first, [creation(n) for n in range(number, number + number)])
        table.write_text(f"pid\n{100 + number}\n", encoding="utf-8")
        session.run(text)
        found = {name: {row["pid"] for row in session[name].to_dicts()} for name in "abcd"}
        assert found["a"] == found["b"] == {100 + n for n in range(number, number + number)}
        assert found["c"] == found["d"] == {100 + number}


def test_values_of_values_of_values_take_no_time(session: Session, logs: str) -> None:
    steps = "a = b WHERE pid = a.pid OR pid = b.pid b = a WHERE pid IN (a.pid, b.pid) " * 20
    session.run(f"a = GET process FROM {logs} b = a {steps}")
    assert len(session["a"]) == len(session["b"]) == 2


@pytest.mark.slow
def test_a_thousand_comparisons_are_a_hunt(session: Session, logs: str) -> None:
    session.run(f"p = GET process FROM {logs}")
    for name, word, number in (("pid", "AND", 1050), ("network-traffic:dst_port", "AND", 510), ("name", "OR", 510)):
        sign = "=" if word == "OR" else "!="
        session.run(f"q = GET process FROM {logs} WHERE {f' {word} '.join(f'{name} {sign} 9{n:05}' for n in range(number))}")
        assert len(session["q"]) == {"pid": 2, "network-traffic:dst_port": 1, "name": 0}[name]


def test_a_range_may_begin_before_1970(session: Session, tmp_path: Path) -> None:
    path = write(tmp_path / "old.json", [creation(n, UtcTime=f"1969-12-31 23:59:59.{n}00") for n in (4, 5, 7)])
    session.run(f"p = GET process FROM '{path}' START 1969-12-31T23:59:59.5Z STOP 1969-12-31T23:59:59.7Z")
    session.run(f"q = GET process FROM '{path}' START 1960-01-01T00:00:00.000001Z STOP 9999-12-31T23:59:59.999999Z")
    assert [row["pid"] for row in session["p"].to_dicts()] == [105] and len(session["q"]) == 3


def test_no_line_of_a_csv_file_is_passed_over(session: Session, tmp_path: Path) -> None:
    (tmp_path / "ragged.csv").write_text("a,b\n1\n1,2,3\n4,5,6\n", encoding="utf-8")
    with pytest.raises(HuntErrors) as caught:
        session.run(f"t = LOAD '{tmp_path / 'ragged.csv'}'")
    assert [e.code for e in caught.value.errors] == ["K0409"]


def test_days_and_months_are_not_guessed(session: Session, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("day,when\n01/02/2021,2021-01-02\n03/04/2021,2021-01-03\n", encoding="utf-8")
    session.run(f"t = LOAD '{tmp_path / 't.csv'}' a = t WHERE day = '01/02/2021' b = t WHERE when = 2021-01-02")
    assert len(session["a"]) == len(session["b"]) == 1
