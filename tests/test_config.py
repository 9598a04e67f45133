"""Settings: `kestrel.yaml`, the environment, and what `kestrel config` shows of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session, config, settings
from kestrel.cli import main
from kestrel.errors import HuntErrors, KestrelError
from kestrel.result import Notice, Summary, Table
from kestrel.settings import FORMER, KEYS, Settings, load_settings
from kestrel.sources.profiles import profile
from tests.events import creation, write

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
SECRET = "s3cr3t-key"

FULL_1X = """\
language:
  default_variable: "it"
  default_sort_order: "desc"
  default_datasource_schema: "stixshifter"
  default_analytics_schema: "python"
session:
  cache_directory_prefix: "kestrel-session-"
  local_database_path: "local.db"
  log_path: "session.log"
  show_execution_summary: false
prefetch:
  switch_per_command: {get: true, find: true}
  excluded_entities: [file, user-account]
  process_identification: {pid_and_name_time_begin_offset: -3600}
stixquery:
  timerange_start_offset: -60
  timerange_stop_offset: 120
  support_id: false
debug:
  env_var: "KESTREL_DEBUG"
  cache_directory_prefix: "kestrel-"
  session_exit_marker: "session.exited"
  maximum_exited_session: 3
"""
"""What a settings file of Kestrel 1.8 may hold."""

WriteFile = Callable[[str], Path]


@pytest.fixture
def kestrel_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteFile:
    def write_file(text: str) -> Path:
        path = tmp_path / "kestrel.yaml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("KESTREL_CONFIG", str(path))
        return path

    return write_file


def mistakes() -> list[KestrelError]:
    with pytest.raises(HuntErrors) as caught:
        load_settings()
    return list(caught.value.errors)


# -- where values come from -------------------------------------------------------------------------------------------


def test_without_a_file_everything_is_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KESTREL_CONFIG")
    monkeypatch.delenv("KESTREL_CACHE")
    monkeypatch.setattr(settings, "settings_folder", lambda: tmp_path)
    assert load_settings() == Settings()
    assert {row[2] for row in load_settings().listing()} == {"default"}
    (tmp_path / "kestrel.yaml").write_text("display: {rows: 3}")
    assert load_settings().rows == 3


def test_each_value_tells_where_it_came_from(kestrel_yaml: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kestrel_yaml("cache:\n  folder: kept\ndisplay:\n  rows: 7\n")
    monkeypatch.setenv("KESTREL_CACHE", "elsewhere")
    found = {name: (value, origin) for name, value, origin, _ in load_settings().listing()}
    assert found["cache.folder"] == ("elsewhere", "$KESTREL_CACHE")
    assert found["display.rows"] == (7, f"{path}:4")
    assert found["language.default_variable"] == ("_", "default")
    monkeypatch.delenv("KESTREL_CACHE")
    assert load_settings().cache == path.parent / "kept"


@pytest.mark.parametrize("word", ["off", "'off'", "OFF", "false", "none"])
def test_the_cache_is_off_however_yaml_reads_the_word(word: str, kestrel_yaml: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KESTREL_CACHE")
    kestrel_yaml(f"cache: {{folder: {word}}}")
    assert load_settings().cache is None
    assert ("cache.folder", "off") in [row[:2] for row in load_settings().listing()]


@pytest.mark.parametrize("text", ["", "# nothing\n", "display:\n", "display: {}\n"])
def test_a_file_may_say_nothing(text: str, kestrel_yaml: WriteFile) -> None:
    kestrel_yaml(text)
    assert load_settings().rows == 50


def test_environment_variables_in_values(kestrel_yaml: WriteFile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KESTREL_CACHE")
    monkeypatch.setenv("ROWS", "12")
    monkeypatch.setenv("SUMMARY", "false")
    monkeypatch.setenv("BASE", str(tmp_path))
    kestrel_yaml("display: {rows: $ROWS, summary: '${SUMMARY}'}\ncache: {folder: $BASE/a$$b$}")
    found = load_settings()
    assert (found.rows, found.summary, found.cache) == (12, False, tmp_path / "a$b$")


def test_a_value_from_the_environment_is_never_read_as_yaml(kestrel_yaml: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "x\ndisplay: {rows: 1}")
    kestrel_yaml("language: {default_variable: $NAME}")
    assert [e.code for e in mistakes()] == ["K0603"]


# -- Kestrel 1.x ------------------------------------------------------------------------------------------------------


def test_a_settings_file_of_kestrel_1_is_accepted_and_what_means_nothing_is_named(kestrel_yaml: WriteFile) -> None:
    kestrel_yaml(FULL_1X)
    found = load_settings()
    assert (found.default_variable, found.default_scheme, found.summary) == ("it", "stixshifter", False)
    assert (found.lent_start_offset, found.lent_stop_offset) == (-60, 120)
    named = [re.findall(r"`([a-z_.]+)` of Kestrel 1.x", n.message) for n in found.notices]
    assert named == [
        ["language.default_analytics_schema"],
        ["session.cache_directory_prefix"],
        ["session.local_database_path"],
        ["session.log_path"],
        ["prefetch.switch_per_command"],
        ["prefetch.excluded_entities"],
        ["prefetch.process_identification"],
        ["stixquery.support_id"],
        ["debug.env_var"],
        ["debug.cache_directory_prefix"],
        ["debug.session_exit_marker"],
        ["debug.maximum_exited_session"],
    ]


def test_an_ascending_sort_order_is_named(kestrel_yaml: WriteFile) -> None:
    kestrel_yaml("language: {default_sort_order: asc}")
    (notice,) = load_settings().notices
    assert "default_sort_order" in notice.message and "ASC" in notice.message


def test_a_session_tells_notices_once(kestrel_yaml: WriteFile) -> None:
    kestrel_yaml("session: {log_path: x}")
    with Session() as session:
        known = [[r.code for r in session.run("x = NEW ['a']") if isinstance(r, Notice)] for _ in range(2)]
    assert known == [["former-setting"], []]


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "line", "message", "hint"),
    [
        ("a: [", "K0601", 2, "cannot be read", None),
        ("- a\n- b", "K0601", 1, "cannot be read: line 1", None),
        ("a: 1\n---\nb: 2", "K0601", 2, "cannot be read", None),
        ("a: 2021-13-45", "K0601", None, "not valid YAML", None),
        ("a: !!python/name:os.system x", "K0601", 1, "cannot be read", None),
        ("a: &a\n  b: *a", "K0601", None, "cannot be read", None),
        ("display:\n  row: 3", "K0602", 2, "no setting `display.row`", "`display.rows`"),
        ("displai:\n  rows: 3", "K0602", 1, "no setting `displai`", "`display`"),
        ("rows: 3", "K0602", 1, "no setting `rows`", "`display.rows`"),
        ("language:\n  defalt_datasource_schema: x", "K0602", 2, "defalt_datasource_schema", "`language.default_source_scheme`"),
        ("xyz: 3", "K0602", 1, "no setting `xyz`", "`kestrel config`"),
        ("<<: {a: 1}", "K0602", 1, "no setting `<<`", None),
        ("display:\n\n  rows: many", "K0603", 3, "`display.rows` takes a whole number from 1", None),
        ("display: {rows: 0}", "K0603", 1, "whole number", None),
        ("display: {rows: 1.5}", "K0603", 1, "whole number", None),
        ("display: {rows: yes}", "K0603", 1, "whole number", None),
        ("display: {rows: }", "K0603", 1, "whole number", None),
        ("display: {rows: {a: 1}}", "K0603", 1, "whole number", None),
        ("display: {rows: [1]}", "K0603", 1, "whole number", None),
        ("display: 3", "K0603", 1, "`display` takes settings", None),
        ("display: {summary: maybe}", "K0603", 1, "`true` or `false`", None),
        ("lent_range: {start_offset: 5}", "K0603", 1, "seconds from -31622400 to 0", None),
        ("stixquery: {timerange_stop_offset: -5}", "K0603", 1, "`stixquery.timerange_stop_offset` takes", None),
        ("lent_range: {stop_offset: 99999999999999}", "K0603", 1, "seconds from 0", None),
        ("language: {default_variable: a b}", "K0603", 1, "name of a variable", None),
        ("language: {default_source_scheme: 'x://'}", "K0603", 1, "kind of data source", None),
        ("cache: {folder: 3}", "K0603", 1, "a folder, or `off`", None),
        ("cache: {folder: $NOT_SET_AT_ALL/x}", "K0604", 1, "`NOT_SET_AT_ALL`, which is not set", "`$$`"),
        ("display:\n  rows: 3\n  rows: 4", "K0606", 3, "`display.rows` in line 2", None),
        ("session: {show_execution_summary: true}\ndisplay: {summary: true}", "K0606", 2, "`session.show_execution_summary` in line 1", None),
    ],
)
def test_a_mistake_names_file_key_and_what_was_expected(
    text: str, code: str, line: int | None, message: str, hint: str | None, kestrel_yaml: WriteFile
) -> None:
    path = kestrel_yaml(text)
    (error,) = mistakes()
    assert error.code == code
    assert f"`{path}`" in error.message and message in error.message
    if line is not None:
        assert f"line {line}" in error.message
    if hint is not None:
        assert error.hint is not None and hint in error.hint


def test_all_mistakes_are_told_together_and_no_value_is_repeated(kestrel_yaml: WriteFile) -> None:
    kestrel_yaml(f"api_key: {SECRET}\ndisplay: {{rows: {SECRET}, summary: {SECRET}}}\ncache: {{folder: '${{NOT_SET}}{SECRET}'}}")
    found = mistakes()
    assert [e.code for e in found] == ["K0602", "K0603", "K0603", "K0604"]
    assert not any(SECRET in f"{e.message} {e.hint}" for e in found)


def test_a_named_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KESTREL_CONFIG", str(tmp_path / "none.yaml"))
    assert [e.code for e in mistakes()] == ["K0605"]
    monkeypatch.setenv("KESTREL_CONFIG", str(tmp_path))
    assert [e.code for e in mistakes()] == ["K0601"]
    (tmp_path / "latin.yaml").write_bytes(b"display: {rows: \xe4}")
    monkeypatch.setenv("KESTREL_CONFIG", str(tmp_path / "latin.yaml"))
    assert [e.code for e in mistakes()] == ["K0601"]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", [["run", "-c", "x = NEW ['a']"], ["config"]])
def test_the_command_reports_a_broken_settings_file(
    command: list[str], form: str, kestrel_yaml: WriteFile, capsys: pytest.CaptureFixture[str]
) -> None:
    kestrel_yaml("display: {rows: many}")
    assert main([*command, "--format", form]) == 1
    shown = capsys.readouterr()
    if form == "text":
        assert shown.err.startswith("error[K0603]") and not shown.out
    else:
        assert json.loads(shown.out)["code"] == "K0603" and not shown.err


# -- what the settings do ---------------------------------------------------------------------------------------------


def test_rows_shown(kestrel_yaml: WriteFile, tmp_path: Path) -> None:
    def rows(session: Session) -> int:
        (table,) = (r for r in session.run("x = NEW ['a', 'b', 'c'] DISP x ATTR name") if isinstance(r, Table))
        assert table.total == 3
        return len(table.rows)

    kestrel_yaml("display: {rows: 2}")
    assert rows(Session()) == 2
    assert rows(Session(rows=1)) == 1
    assert rows(Session(rows=None)) == 3
    assert rows(Session(settings=Settings(rows=1))) == 1
    kestrel_yaml("display: {rows: all}")
    assert rows(Session()) == 3


def test_the_summary_can_be_left_out(kestrel_yaml: WriteFile) -> None:
    kestrel_yaml("display: {summary: false}")
    assert not any(isinstance(r, Summary) for r in Session().run("x = NEW ['a']"))


def test_the_default_variable(kestrel_yaml: WriteFile) -> None:
    kestrel_yaml("language: {default_variable: it}")
    with Session() as session:
        session.run("NEW ['a'] DISP it ATTR name INFO it")
        assert "it" in session and "_" not in session and session.origins["it"].text.startswith("NEW")


def test_the_lent_range(kestrel_yaml: WriteFile, tmp_path: Path) -> None:
    """Ten processes, one a second: the third lends its second and what the settings add."""
    logs = write(tmp_path / "a.json", [creation(n) for n in range(1, 10)])
    hunt = f"one = GET process FROM '{logs}' WHERE name = 'p3.exe' near = GET process FROM '{logs}' WHERE name = one.name OR pid > 0"

    def near() -> list[int]:
        with Session() as session:
            session.run(hunt)
            return sorted(r["pid"] - 100 for r in session["near"].to_dicts() if r["name"])

    assert near() == list(range(1, 10))
    kestrel_yaml("lent_range: {start_offset: -1, stop_offset: 2.0}")
    assert [e.code for e in mistakes()] == ["K0603"]
    kestrel_yaml("lent_range: {start_offset: -1, stop_offset: 3}")
    assert near() == [2, 3, 4, 5]
    kestrel_yaml("stixquery: {timerange_start_offset: 0, timerange_stop_offset: 2}")
    assert near() == [3, 4]


def test_the_default_scheme(kestrel_yaml: WriteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "logs", [creation(1)])
    monkeypatch.chdir(tmp_path)
    hunt = "p = GET process FROM logs WHERE pid > 0"
    with Session() as session, pytest.raises(HuntErrors) as caught:
        session.run(hunt)
    assert [e.code for e in caught.value.errors] == ["K0403"]
    kestrel_yaml("language: {default_datasource_schema: file}")
    with Session() as session:
        session.run(hunt)
        assert len(session["p"]) == 1
    kestrel_yaml("language: {default_source_scheme: elsewhere}")
    with Session() as session, pytest.raises(HuntErrors) as caught:
        session.run(hunt)
    assert [e.code for e in caught.value.errors] == ["K0408"]


def test_the_cache_folder(kestrel_yaml: WriteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KESTREL_CACHE")
    logs = write(tmp_path / "a.json", [creation(1)])
    kestrel_yaml("cache: {folder: kept}")
    with Session() as session:
        session.run(f"p = GET process FROM '{logs}' WHERE pid > 0")
    assert list((tmp_path / "kept").iterdir())


# -- profiles ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def stixshifter_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "stixshifter.yaml"
    path.write_text(
        "profiles:\n"
        "  Lab:\n    connector: file\n    connection: {path: '${LOGS}/*.json'}\n    config: {auth: {api_key: $KEY, ids: [a$$b, $KEY]}}\n"
        "  other:\n    connector: file\n    connection: {path: $NOT_SET}\n"
        "  odd: 3\n"
        "  wrong: {connector: file, connection: [1]}\n"
    )
    monkeypatch.setenv("KESTREL_STIXSHIFTER_CONFIG", str(path))
    monkeypatch.setenv("KEY", SECRET)
    monkeypatch.setenv("LOGS", str(tmp_path))
    return path


@pytest.mark.usefixtures("stixshifter_yaml")
def test_a_profile_looks_its_variables_up_when_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.json", [creation(1)])
    with Session() as session:
        session.run("p = GET process FROM stixshifter://lab WHERE pid > 0")
        assert len(session["p"]) == 1
    assert profile("lab").configuration == {"auth": {"api_key": SECRET, "ids": ["a$b", SECRET]}}
    monkeypatch.setenv("KEY", "another")
    assert profile("lab").configuration["auth"]["api_key"] == "another"
    assert SECRET not in repr(profile("lab")) and "path" not in repr(profile("lab"))


@pytest.mark.usefixtures("stixshifter_yaml")
@pytest.mark.parametrize(("name", "code"), [("other", "K0604"), ("odd", "K0404"), ("wrong", "K0404")])
def test_a_profile_that_cannot_be_used(name: str, code: str) -> None:
    with Session() as session, pytest.raises(HuntErrors) as caught:
        session.run(f"p = GET process FROM stixshifter://{name} WHERE pid > 0")
    (error,) = caught.value.errors
    assert error.code == code and f"`{name}`" in error.message and error.span is not None


def tables(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    assert main(["config", "--format", "json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {o["variable"]: {row[0]: row[1:] for row in o["rows"]} for o in objects if o["kind"] == "table"}


def test_the_command_config(
    kestrel_yaml: WriteFile, stixshifter_yaml: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = kestrel_yaml("display: {rows: 9}\nsession: {log_path: x}")
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "elastic_ecs")
    monkeypatch.setenv("STIXSHIFTER_LAB_CONFIG", f'{{"auth": "{SECRET}"}}')
    shown = tables(capsys)
    assert set(shown["settings"]) == {k.name for k in KEYS.values()}
    assert shown["settings"]["display.rows"] == [9, f"{path}:1", KEYS["rows"].meaning]
    assert shown["files"] == {str(path): ["$KESTREL_CONFIG", True], str(stixshifter_yaml): ["$KESTREL_STIXSHIFTER_CONFIG", True]}
    assert shown["profiles"] == {
        "lab": ["elastic_ecs", "$STIXSHIFTER_LAB_CONNECTOR"],
        "odd": ["", str(stixshifter_yaml)],
        "other": ["file", str(stixshifter_yaml)],
        "wrong": ["file", str(stixshifter_yaml)],
    }
    assert main(["config"]) == 0
    text = capsys.readouterr().out
    assert "display.rows" in text and "note[former-setting]" in text and "elastic_ecs" in text
    assert SECRET not in text and "api_key" not in text and "NOT_SET" not in text


def test_a_broken_profiles_file_is_reported_after_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.yaml").write_text("profiles: [")
    monkeypatch.setenv("KESTREL_STIXSHIFTER_CONFIG", str(tmp_path / "s.yaml"))
    assert main(["config"]) == 1
    shown = capsys.readouterr()
    assert "display.rows" in shown.out and "error[K0404]" in shown.err


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_the_manual_names_every_key_variable_and_error() -> None:
    page = PAGE.read_text(encoding="utf-8")
    names = {n for k in KEYS.values() for n in (k.name, k.former, k.variable) if n} | set(FORMER)
    codes = {e.code for module in (config, settings) for e in vars(module).values() if isinstance(e, type) and issubclass(e, KestrelError)}
    files = {"KESTREL_CONFIG", "KESTREL_STIXSHIFTER_CONFIG", "KESTREL_PYTHON_ANALYTICS_CONFIG"}
    assert len(codes - {"K0000"}) == 6
    assert [n for n in sorted(names | codes - {"K0000"} | files) if f"`{n}`" not in page] == []
    for key in KEYS.values():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{key.name}` |"))
        assert key.former is None or key.former in row


def test_the_example_of_the_manual_is_accepted(kestrel_yaml: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KESTREL_CACHE")
    monkeypatch.setenv("SCRATCH", "/scratch")
    example = re.search(r"\n\n((?: {4}.*\n)+)", PAGE.read_text(encoding="utf-8"))
    assert example is not None
    kestrel_yaml(re.sub(r"(?m)^ {4}", "", example[1]))
    assert (load_settings().rows, load_settings().cache) == (20, Path("/scratch/kestrel"))


def test_no_setting_is_read_before_it_is_needed(kestrel_yaml: WriteFile) -> None:
    kestrel_yaml("not: [yaml")
    Session().close()
    code = "import sys, kestrel, kestrel.cli\ntry: kestrel.cli.main(['--version'])\nexcept SystemExit: pass\nprint('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
