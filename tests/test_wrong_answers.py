"""The known wrong answers of Kestrel 1.8: none may come back. Their numbers are those of the list they were found in."""

from __future__ import annotations

from pathlib import Path

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Notice, Table
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


def test_13_find_follows_one_row_a_record_too(session: Session, logs: str) -> None:
    for transform in ("TIMESTAMPED", "RECORDS", "ADDOBSID"):
        session.run(
            f"a = GET process FROM {logs} WHERE name = 'p1.exe' t = {transform}(a) b = FIND process CREATED BY t "
            "n = FIND network-traffic CREATED BY t"
        )
        assert names(session, "b") == {"p4.exe"}
        assert {row["src_port"] for row in session["n"].to_dicts()} == {50001, 50002}


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "json", "ndjson", "parquet"])
def test_14_an_empty_variable_is_saved_and_loaded(session: Session, logs: str, tmp_path: Path, ending: str) -> None:
    file = f"'{tmp_path / 'empty'}.{ending}'"
    session.run(f"a = GET process FROM {logs} WHERE name = 'nobody.exe' SAVE a TO {file}")
    session.run(f"b = LOAD {file} c = b WHERE name = 'x' d = FIND process CREATED BY b g = GROUP b BY name")
    assert session["b"].type == "process"
    assert [len(session[v]) for v in "abcdg"] == [0] * 5
    shown = next(r for r in session.run("DISP b ATTR name, pid") if isinstance(r, Table))
    assert (shown.columns, shown.rows, shown.total) == (("name", "pid"), (), 0)


MISTAKES = {
    "JOIN": [
        "j = JOIN a, a BY name, nothing",
        "j = JOIN a, n",
        "j = JOIN a, missing BY name, name",
        "j = JOIN a, n BY pid",
        "g = GROUP a BY name j = JOIN g, a",
    ],
    "DESCRIBE": ["DESCRIBE a.nothing", "DESCRIBE a", "DESCRIBE missing.pid", "DESCRIBE a.parent_ref"],
    "GROUP": [
        "g = GROUP a BY nothing",
        "g = GROUP a BY name WITH SUM(name)",
        "g = GROUP a BY name WITH FREQUENCY(pid)",
        "g = GROUP a BY BIN(name, 5)",
        "g = GROUP a BY BIN(first_observed, 5)",
        "g = GROUP a BY name b = FIND process CREATED BY g",
        "g = GROUP a BY BIN(pid, 0)",
    ],
    "SAVE": ["SAVE a TO somewhere", "SAVE missing TO 'x.csv'", "SAVE a TO '/dev/null/x.csv'", "SAVE a TO 'x.docx'", "SAVE a TO $path"],
    "LOAD": ["b = LOAD 'there-is-none.csv'", "b = LOAD $text", "b = LOAD $bytes", "b = LOAD $folder", "b = LOAD $csv AS proces", "b = LOAD $parquet"],
    "regexes": [
        "b = a WHERE name MATCHES '('",
        "b = a WHERE name MATCHES '(?=x)'",
        "b = a WHERE name MATCHES '(a)\\\\1'",
        "b = a WHERE name MATCHES '[z-a]'",
    ],
    "JSON": ['b = NEW process [{"name": }]', 'b = NEW process [{"name": "x",]', 'b = NEW [1, {"name": "x"}]', 'b = NEW process [{"pid": "x"}]'],
}


@pytest.mark.parametrize("text", [pytest.param(text, id=f"{command}-{n}") for command, texts in MISTAKES.items() for n, text in enumerate(texts)])
def test_15_a_mistake_is_told_in_words_of_the_hunt(session: Session, logs: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "text.json").write_text('[{"name": "x"', encoding="utf-8")
    (tmp_path / "bytes.csv").write_bytes(b'name,pid\n\xff\xfe,\x00\n"x')
    (tmp_path / "good.csv").write_text("name\nx\n", encoding="utf-8")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 is no Parquet file")
    (tmp_path / "folder.csv").mkdir()
    places = {"text": "text.json", "bytes": "bytes.csv", "csv": "good.csv", "parquet": "bad.parquet", "folder": "folder.csv"}
    given = {name: str(tmp_path / file) for name, file in places.items() if f"${name}" in text}
    session.run(f"a = GET process FROM {logs} WHERE name = 'p1.exe' n = FIND network-traffic CREATED BY a")
    with pytest.raises(HuntErrors) as caught:
        session.run(text, parameters=given)
    for error in caught.value.errors:
        assert error.code not in ("K0000", "K9999") and error.message
        assert error.span is not None and 0 <= error.span.start < error.span.end <= len(text) + 1
    assert "Traceback" not in str(caught.value) and "duckdb" not in str(caught.value).lower()
    assert names(session, "a") == {"p1.exe"}


@pytest.mark.parametrize("line", ['{"EventID": 1, "Chan', "no JSON", '{"EventID": 1}', "[]", '"text"', "\x00", "{" * 5000])
def test_15_a_broken_line_of_a_log_is_counted_and_no_error(session: Session, tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "broken.json", [creation(1)])
    path.write_text(path.read_text(encoding="utf-8") + line + "\n" + line, encoding="utf-8")
    results = session.run(f"a = GET process FROM '{path}'")
    assert names(session, "a") == {"p1.exe"}
    assert [r.count for r in results if isinstance(r, Notice)] == [2]


def test_16_what_came_before_an_error_stays(session: Session, logs: str) -> None:
    seen = []
    with pytest.raises(HuntErrors):
        for result in session.stream(f"a = GET process FROM {logs} WHERE name = 'p1.exe' DISP a ATTR name b = a WHERE x_nothing = 1"):
            seen.append(result)
    assert [type(r) for r in seen] == [Table]
    assert len(session["a"]) == 1
