"""What a hunt may read, write and run: sources are never overwritten, names are exact, file metadata are not trusted, secrets are not passed on."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import duckdb
import pytest

import kestrel
from kestrel import Session
from kestrel.analytics import container
from kestrel.analytics.environment import is_interpreted, passed
from kestrel.errors import HuntErrors
from kestrel.formats.transforms import integer, pid
from kestrel.result import Info, Notice, Summary, Table
from kestrel.sources.elastic.place import place_of
from kestrel.sources.profiles import BadProfile, Profile

NAMES = ["[a]", "[!a]", "[[a]]", "]x[", "x?", "*", "**", "{a,b}", "it's", 'd"q', "nl\nx", "back\\slash", "é😀", "a", "day=1/x", "[d]/x"]
"""File names that are patterns, or that have a meaning in SQL."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(number: int) -> dict[str, Any]:
    """A process `pNUMBER.exe` starts, created by p0.exe, which has no recorded parent."""
    guid = "{{3DDC5665-E7CD-5F51-0000-0000000000{:02}}}".format
    parent = {"ParentProcessGuid": guid(0), "ParentProcessId": "100", "ParentImage": "C:\\x\\p0.exe"} if number else {}
    return parent | {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "EventID": 1,
        "SourceName": "Microsoft-Windows-Sysmon",
        "Hostname": "h1",
        "RecordNumber": number,
        "EventTime": f"2021-04-03 00:00:{number:02}",
        "UtcTime": f"2021-04-03 00:00:{number:02}.000",
        "ProcessGuid": guid(number),
        "ProcessId": str(100 + number),
        "Image": f"C:\\x\\p{number}.exe",
        "CommandLine": "x",
    }


def write(path: Path, *numbers: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record(n)) + "\n" for n in numbers), encoding="utf-8")
    return path


def codes(session: Session, hunt: str, **parameters: Any) -> list[str]:
    """The codes of the errors of a hunt; none if it runs."""
    try:
        session.run(hunt, parameters=parameters)
    except HuntErrors as errors:
        return [e.code for e in errors.errors]
    return []


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no files with such names")
def test_every_file_name_is_that_file_alone(here: Path, session: Session) -> None:
    for number, name in enumerate(NAMES, start=1):
        write(here / "log" / f"{name}.json", number)
    for number, name in enumerate(NAMES, start=1):
        session.run("p = GET process FROM $f WHERE name != 'p0.exe'", parameters={"f": str(here / "log" / f"{name}.json")})
        assert [r["name"] for r in session["p"].to_dicts()] == [f"p{number}.exe"], name
    for ending in ("csv", "json", "ndjson.gz", "parquet"):
        for name in NAMES:
            (here / "out" / name).parent.mkdir(parents=True, exist_ok=True)
            session["x"] = [{"name": f"{name}.{ending}", "pid": 5}]
            session.run("SAVE x TO $f", parameters={"f": str(here / "out" / f"{name}.{ending}")})
        for name in NAMES:
            session.run("y = LOAD $f AS process", parameters={"f": str(here / "out" / f"{name}.{ending}")})
            rows = session["y"].to_dicts()
            assert [r["name"] for r in rows] == [f"{name}.{ending}"]
            assert "day" not in rows[0], "a folder `day=1` is no column"


def test_files_reach_the_database_by_one_door() -> None:
    """Every reader, ATTACH and COPY takes its file from `database.py`."""
    doors = re.compile(r"(read_csv|read_json|read_parquet|parquet_kv_metadata|ATTACH|COPY [^F]\S* TO)\b(?! or |\.)(?P<argument>.{0,40})")
    package = Path(kestrel.__file__).parent
    for path in sorted([*(package / "ingest").glob("*.py"), *(package / "engine").glob("*.py")]):
        text = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if '"""' not in line and "`" not in line)
        for found in doors.finditer(text):
            argument = found["argument"]
            assert re.match(r" ?\(?(\{exact_literal|\{path_literal|\{name\}|\?|':memory:')", argument), f"{path.name}: {found.group()}"


def test_the_settings_of_the_database_are_fixed(here: Path, session: Session) -> None:
    con = session.engine.con
    for statement in ("SET lock_configuration = false", "SET autoload_known_extensions = true", "SET memory_limit = '1TB'"):
        with pytest.raises(duckdb.InvalidInputException, match="locked"):
            con.execute(statement)
    rows = "SELECT name, value FROM duckdb_settings() WHERE name IN ('autoinstall_known_extensions', 'allow_community_extensions')"
    assert set(con.execute(rows).fetchall()) == {("autoinstall_known_extensions", "false"), ("allow_community_extensions", "false")}
    secret = [1]
    with pytest.raises(duckdb.Error):
        con.execute("SELECT * FROM secret")
    assert secret == [1]


def test_what_does_not_fit_into_memory_goes_to_a_private_folder(here: Path) -> None:
    with Session() as session:
        folder = session.engine.folder.path
        assert folder is not None and stat.S_IMODE(folder.stat().st_mode) == 0o700
        setting = session.engine.con.execute("SELECT current_setting('temp_directory')").fetchone()
        assert setting is not None and Path(setting[0]).is_relative_to(folder)
        session.run("x = NEW ['a']")
    assert not folder.exists() and not (here / ".tmp").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no files with such names")
def test_a_name_that_is_no_text_is_an_error(here: Path, session: Session) -> None:
    Path(os.fsdecode(b"\xff.json")).write_text("{}", encoding="utf-8")
    assert codes(session, "p = GET process FROM '*.json'") == ["K0401"]


# -- SAVE ----------------------------------------------------------------------------------------------------------


def test_a_source_is_never_overwritten_whatever_it_is_called(here: Path, session: Session) -> None:
    log = write(here / "log.ndjson", 1, 2)
    before = log.read_bytes()
    Path("link.ndjson").symlink_to("log.ndjson")
    Path("hard.ndjson").hardlink_to("log.ndjson")
    (here / "sub").mkdir()
    (here / "sub" / "up").symlink_to(here)
    session.run("p = GET process FROM log.ndjson")
    session.run("p = NEW ['nothing of it is left']")
    for name in ("log.ndjson", "./log.ndjson", str(log), "sub/../log.ndjson", "link.ndjson", "hard.ndjson", "sub/up/log.ndjson"):
        for end in ("", " REPLACE"):
            assert codes(session, f"SAVE p TO '{name}'{end}") == ["K0440"], name
    log.rename("rotated.ndjson")
    assert codes(session, "SAVE p TO rotated.ndjson REPLACE") == ["K0440"]
    assert (here / "rotated.ndjson").read_bytes() == before == (here / "hard.ndjson").read_bytes()


def test_a_file_of_a_profile_is_a_source(here: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here / "logs" / "a.json", 1)
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "file")
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(here / "logs" / "*.json")}))
    session.run("p = GET process FROM stixshifter://lab")
    assert codes(session, "SAVE p TO 'logs/a.json' REPLACE") == ["K0440"]


def test_what_kestrel_wrote_it_replaces_in_every_session(here: Path) -> None:
    endings = ("csv", "json", "ndjson", "parquet", "csv.gz", "ndjson.zst")
    for _ in range(2):
        with Session() as session:
            session.run("x = NEW ['a', 'b']\ng = GROUP x BY name WITH COUNT(name) AS n")
            for ending in endings:
                assert codes(session, f"SAVE g TO g.{ending}\nSAVE x TO x.{ending}") == []
            assert codes(session, "SAVE x TO x.stix.json") == []
    with Session() as session:
        session.run("x = NEW ['c']")
        with Path("g.csv").open("a", encoding="utf-8") as file:
            file.write("a note,1\n")
        assert codes(session, "SAVE x TO g.csv") == ["K0441"]
        assert codes(session, "SAVE x TO g.csv REPLACE") == []
        Path("empty.csv").touch()
        assert codes(session, "SAVE x TO empty.csv") == ["K0441"]


def test_a_failure_leaves_nothing_behind(here: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.run("x = NEW ['a']\nSAVE x TO x.csv")
    Path("x.csv").chmod(0o600)
    before = Path("x.csv").read_bytes()

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("kestrel.engine.save.os.replace", refuse)
        assert codes(session, "SAVE x TO x.csv") == ["K0410"]
        assert codes(session, "SAVE x TO new/x.csv") == ["K0410"]
    assert Path("x.csv").read_bytes() == before and [p.name for p in here.iterdir()] == ["x.csv"]
    session.run("y = NEW ['b']\nSAVE y TO x.csv")
    assert stat.S_IMODE(Path("x.csv").stat().st_mode) == 0o600
    Path("folder.csv").mkdir()
    assert codes(session, "SAVE x TO folder.csv REPLACE") == ["K0410"]
    assert codes(session, "SAVE x TO '/no/such/folder/x.csv'") == ["K0410"]


def test_save_writes_through_a_link(here: Path, session: Session) -> None:
    Path("link.csv").symlink_to("target.csv")
    session.run("x = NEW ['a']\nSAVE x TO link.csv")
    assert Path("link.csv").is_symlink() and "a" in Path("target.csv").read_text(encoding="utf-8")


# -- metadata of loaded files -------------------------------------------------------------------------------------


def parquet(path: Path, metadata: Any, rows: str = "SELECT 'process--0000000000000001' AS id, 'process' AS type, 'a' AS name, 5 AS pid") -> None:
    known = (metadata if isinstance(metadata, str) else json.dumps(metadata)).replace("'", "''")
    with duckdb.connect() as con:
        con.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, KV_METADATA {{kestrel: '{known}'}})")


def says(**parts: Any) -> dict[str, Any]:
    """Metadata as Kestrel writes it, but for some parts of it and of its source."""
    source: dict[str, Any] = {"uri": "stixshifter://lab", "files": [], "shape": None, "place": ""}
    whole = {"type": "process", "sources": [source | {k: v for k, v in parts.items() if k in source}], "range": None}
    return whole | {k: v for k, v in parts.items() if k in whole}


NO_SOURCES: list[Any] = [None, {}, "x", [1], [{}]]
MALFORMED = [
    *("{", "[]", "1", "null", '"x"', "", "[" * 50_000, '{"type": "process", "sources": [], "range": NaN}', {}, {"type": "process"}),
    *(says(type=v) for v in (3, None, "nonsense", "PROCESS", "x-", "x-a' || 'b", "x-" + "a" * 300)),
    *(says(sources=v) for v in NO_SOURCES),
    *(says(uri=v) for v in (3, "", None, "a\0b", "a" * 20_000)),
    *(says(files=v) for v in ("x", [1], None, [""], ["a\0"])),
    *(says(shape=v) for v in ("no-such-shape", ["a"], 1)),
    *(says(range=v) for v in (1, [1, 2], ["x", "y"], ["2021-01-01T00:00:00Z"], ["2021-01-01T00:00:00", "2021-01-02T00:00:00"])),
    *(says(range=v) for v in (["2021-01-02T00:00:00Z", "2021-01-01T00:00:00Z"], ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])),
]


@pytest.mark.parametrize("metadata", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_metadata_is_reported_and_ignored(here: Path, session: Session, metadata: Any) -> None:
    parquet(here / "x.parquet", metadata)
    results = session.run("x = LOAD x.parquet\nDISP x ATTR name\nINFO x")
    assert [r.code for r in results if isinstance(r, Notice)] == ["file-metadata"]
    assert next(r.rows for r in results if isinstance(r, Table)) == (("a",),)
    assert session["x"].type == "process"  # its column `type` says so


def test_sources_of_a_file_are_those_the_hunter_named(here: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file claims to come from the profile, and lists other files for it."""
    good, evil = write(here / "good.ndjson", 0, 1), write(here / "evil.ndjson", 2, 3)
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "file")
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(good)}))
    session.run("p = GET process FROM good.ndjson WHERE name = 'p0.exe'")
    parent = session["p"].to_dicts()[0]["id"]
    rows = f"SELECT '{parent}' AS id, 'process' AS type, 'p0.exe' AS name"
    for name, uri in (("profile", "stixshifter://lab"), ("other", "stixshifter://prod"), ("path", "/var/log/x.json")):
        parquet(here / f"{name}.parquet", says(uri=uri, files=[str(evil)]), rows)
    with Session() as fresh:
        results = fresh.run("q = LOAD profile.parquet\nc = FIND process CREATED BY q\nDISP c ATTR name\nINFO q")
        assert next(r.rows for r in results if isinstance(r, Table)) == (("p1.exe",),)
        summary, info = next(r for r in results if isinstance(r, Summary)), next(r for r in results if isinstance(r, Info))
        assert {v.name: v.sources for v in summary.variables} == {"q": ("profile.parquet",), "c": ("stixshifter://lab",)}
        assert info.sources == ("profile.parquet",)
    for name in ("other", "path"):
        with Session() as fresh:
            results = fresh.run(f"q = LOAD {name}.parquet")
            assert [r.code for r in results if isinstance(r, Notice)] == ["unknown-source"]
            assert codes(fresh, "c = FIND process CREATED BY q") == ["K0215"]
            fresh.run("e = GET process FROM evil.ndjson")  # now the hunter has named it
            results = fresh.run(f"q = LOAD {name}.parquet\nc = FIND process CREATED BY q")
            assert [r.code for r in results if isinstance(r, Notice)] == []
            assert {v.name: v.sources for r in results if isinstance(r, Summary) for v in r.variables}["c"] == ("evil.ndjson",)


def test_what_kestrel_wrote_keeps_its_sources_in_another_session(here: Path, session: Session) -> None:
    write(here / "log.ndjson", 0, 1)
    session.run("p = GET process FROM log.ndjson WHERE name = 'p0.exe'\nSAVE p TO p.parquet")
    with Session() as fresh:
        results = fresh.run("q = LOAD p.parquet\nc = FIND process CREATED BY q\nDISP c ATTR name")
        assert next(r.rows for r in results if isinstance(r, Table)) == (("p1.exe",),)
    with duckdb.connect() as con:  # the same words, but of another hand
        row = con.execute("SELECT decode(value) FROM parquet_kv_metadata('p.parquet') WHERE key = 'kestrel'").fetchone()
        assert row is not None
        con.execute(f"COPY (SELECT * FROM 'p.parquet') TO 'q.parquet' (FORMAT parquet, KV_METADATA {{kestrel: '{row[0]}', note: 'x'}})")
    with Session() as fresh:
        assert [r.code for r in fresh.run("q = LOAD q.parquet") if isinstance(r, Notice)] == ["unknown-source"]
    (here / "log.ndjson").rename("moved.ndjson")
    with Session() as fresh:
        assert [r.code for r in fresh.run("q = LOAD p.parquet") if isinstance(r, Notice)] == ["unknown-source"]


COLUMNS = [
    *(
        "SELECT 1 AS id, 'a' AS name",
        "SELECT [1] AS id",
        "SELECT {'a': 1} AS name, 'x' AS first_observed",
        "SELECT 'a'::BLOB AS name, 'x'::BLOB AS id",
    ),
    *("SELECT uuid() AS id, INTERVAL 1 DAY AS created", "SELECT TIMESTAMP '290000-01-01' AS first_observed", "SELECT MAP {'a': 1} AS pid"),
    *("SELECT 'infinity'::TIMESTAMP AS first_observed", "SELECT 'nan'::DOUBLE AS pid", "SELECT 12345678901234567890123::HUGEINT AS pid"),
    *(
        "SELECT 'process--ffffffffffffffffffff' AS id",
        "SELECT DATE '2020-01-01' AS last_observed, TIME '00:00' AS first_observed",
        "SELECT NULL AS id",
    ),
]


@pytest.mark.parametrize("rows", COLUMNS)
@pytest.mark.parametrize("kind", ["process", "network-traffic", "x-foo", "table"])
def test_columns_of_other_types_are_read_shown_and_saved(here: Path, session: Session, rows: str, kind: str) -> None:
    parquet(here / "x.parquet", says(type=kind, sources=[]), rows)
    results = session.run("x = LOAD x.parquet\nDISP x\nINFO x\nSAVE x TO y.csv\nSAVE x TO y.parquet")
    assert len(session["x"]) == len(session["x"].to_dicts()) == 1
    assert any(isinstance(r, Info) for r in results)
    if kind != "table":
        session.run("SAVE x TO y.stix.json\ny = LOAD y.stix.json\nDISP y")


@pytest.mark.parametrize(
    "part", ["x_kestrel_type", "x_kestrel_columns", "x_kestrel_id", "x_kestrel_values", "object_refs", "first_observed", "id", "type"]
)
def test_a_changed_bundle_is_read_or_refused(here: Path, session: Session, part: str) -> None:
    session["x"] = [{"name": "a", "pid": 5, "x_list": ["a"]}, {"name": "b"}]
    session.run("SAVE x TO x.stix.json")
    bundle = json.loads(Path("x.stix.json").read_text(encoding="utf-8"))
    for value in (None, 1, "", "x-a' || 'b", [], [1], {}, {"a": 1}, {"name": {"time": "x"}}, ["name", "NAME"], True):
        changed = {**bundle, "objects": [{**o, part: value} if part in o else o for o in bundle["objects"]]}
        Path("y.stix.json").write_text(json.dumps(changed), encoding="utf-8")
        assert set(codes(session, "y = LOAD y.stix.json\nDISP y")) <= {"K0409", "K0411"}, value


def test_a_type_in_a_file_never_enters_a_statement(here: Path, session: Session) -> None:
    Path("x.csv").write_text("type,name\nx-a' || getenv('HOME') || 'b,c\n", encoding="utf-8")
    results = session.run("x = LOAD x.csv\nDISP x")
    assert session["x"].type == "table"
    assert next(r.rows for r in results if isinstance(r, Table)) == (("x-a' || getenv('HOME') || 'b", "c"),)


# -- counts and numbers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    ["JOIN a, b BY name, name", "TIMESTAMPED(p)", "RECORDS(p)", "ADDOBSID(p)", "GROUP p BY pid", "GROUP t BY name, pid", "JOIN g, g BY name, name"],
)
def test_every_count_of_rows_is_the_same(here: Path, session: Session, step: str) -> None:
    write(here / "log.ndjson", *range(6))
    session["a"] = [{"name": "n", "pid": n} for n in range(1, 4)]
    session["b"] = [{"name": "n", "x_b": n} for n in range(3)]
    session.run("p = GET process FROM log.ndjson\nt = TIMESTAMPED(p)\ng = GROUP p BY pid, name WITH COUNT(name) AS n")
    results = session.run(f"v = {step}\nINFO v\nDESCRIBE v.name" if step[-3:] != "pid" else f"v = {step}\nINFO v\nDESCRIBE v.pid")
    info = next(r for r in results if isinstance(r, Info))
    described = next(dict(r.statistics) for r in results if hasattr(r, "statistics"))
    rows = len(session["v"].to_dicts())
    assert rows == len(session["v"]) == described["rows"] == (info.entities if info.type == "table" else info.rows)
    if info.type == "table":
        assert next(v.entities for r in results if isinstance(r, Summary) for v in r.variables) == rows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((t, None) for t in ("3.7", "3.70", ".5", "15e-1", "1e-3", "true", "", "-", "nan", "inf", "12abc", "9223372036854775808", "1e30", "0x")),
        *(("-5", -5), ("0", 0)),  # no processes: identity drops them
        *(("4.0", 4), ("3704", 3704), ("0x71c", 1820), (" 12 ", 12), ("1e3", 1000), ("9223372036854775807", 9223372036854775807)),
    ],
)
def test_a_pid_is_a_whole_number(text: str, expected: int | None) -> None:
    with duckdb.connect() as con:
        row = con.execute(f"SELECT {pid('x')}, {integer('x')} FROM (SELECT $1 AS x)", [text]).fetchone()
    assert row is not None and row[0] == expected
    assert row[1] == (expected if expected is None or expected < 2**31 else None)


def test_numbers_from_python_are_not_rounded(session: Session) -> None:
    for value, expected in ((3.7, None), (4.0, 4), (True, None), (2**70, None), (float("nan"), None), ("3.7", None), ("0x10", 16), ("abc", None)):
        session["x"] = [{"name": "a", "pid": value}]
        assert session["x"].to_dicts()[0]["pid"] == expected, value


# -- the environment of programs -----------------------------------------------------------------------------------


def test_programs_see_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STIXSHIFTER_LAB_CONFIG", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "HTTPS_PROXY", "KESTREL_CONFIG", "PYTHONPATH", "PGPASSWORD"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("DOCKER_HOST", "unix:///x")
    assert "secret" not in passed().values() and "DOCKER_HOST" not in passed()
    assert passed(["GITHUB_TOKEN"])["GITHUB_TOKEN"] == "secret"
    assert passed(client=True)["DOCKER_HOST"] == "unix:///x" and "PATH" in passed()


RUNTIMES = """JAVA_TOOL_OPTIONS _JAVA_OPTIONS OPENSSL_CONF HTTPS_PROXY https_proxy no_proxy ALL_PROXY NODE_PATH NODE_OPTIONS
    LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES PYTHONPATH pythonpath PYTHONSTARTUP BASH_ENV ENV IFS PS4 PERL5LIB PERLLIB
    RUBYOPT RUBYLIB GIT_SSH_COMMAND GCONV_PATH LOCPATH GLIBC_TUNABLES MALLOC_CHECK_ DOTNET_STARTUP_HOOKS SSLKEYLOGFILE
    CURL_CA_BUNDLE npm_config_registry PIP_INDEX_URL LUA_INIT PHPRC R_PROFILE CLASSPATH EDITOR PAGER BROWSER
    PROMPT_COMMAND ZDOTDIR GODEBUG GOFLAGS RUSTFLAGS MAKEFLAGS CDPATH INPUTRC TERMINFO HOSTALIASES PATH path HOME TMPDIR
    SHELLOPTS DOCKER_HOST KESTREL_CACHE STIXSHIFTER_LAB_CONFIG AWS_PROFILE LANG TZ DISPLAY COLUMNS
    PSModulePath COMPlus_EnableDiagnostics DOTNET_gcServer GHCRTS OCAMLRUNPARAM CAMLRUNPARAM PLTCOLLECTS RPROFILE KRB5CCNAME
    RANDFILE HISTFILE FCEDIT histchars CC PATHEXT ComSpec SystemRoot windir USERPROFILE MAKEFILES RUSTC NULLCMD""".split()


def test_arguments_have_names_that_no_runtime_interprets() -> None:
    assert [n for n in RUNTIMES if not is_interpreted(n)] == []
    harmless = "x n k N X unit method columns threshold score_column XPARAM YPARAM METHOD TOP10 name contacts max_distance".split()
    assert [n for n in harmless if is_interpreted(n)] == []


def test_values_of_arguments_are_not_on_the_command_line_of_a_container() -> None:
    """Other users of the machine can see that."""
    assert container._handed_on({"API_KEY": "s3cret", "score": "3", "DOCKER_HOST": "x"}) == ["--env=API_KEY", "--env=score", "--env=DOCKER_HOST=x"]


# -- credentials and extras ----------------------------------------------------------------------------------------


def authorization(**auth: str) -> str | None:
    return place_of(Profile("lab", "elastic", {"host": "localhost", "port": 9200, "indices": "x"}, {"auth": auth})).authorization


def test_credentials_of_any_characters_work_or_are_refused() -> None:
    basic = authorization(username="jürgen", password="пароль😀")
    assert basic is not None and b64decode(basic.removeprefix("Basic ")).decode() == "jürgen:пароль😀"
    key = authorization(id="ключ", api_key="sécret")
    assert key is not None and b64decode(key.removeprefix("ApiKey ")).decode() == "ключ:sécret"
    for auth in ({"api_key": "ключ"}, {"access_token": "tökén"}, {"username": "a", "password": "\ud800"}, {"id": "\ud800", "api_key": "x"}):
        with pytest.raises(BadProfile) as caught:
            authorization(**auth)
        assert all(secret not in str(caught.value) for secret in auth.values() if len(secret) > 2)


def test_a_missing_library_is_named_with_its_extra(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session["x"] = ["a"]
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"kestrel-hunt\[pandas\]"):
        session["x"].to_pandas()
    with pytest.raises(ImportError, match=r"kestrel-hunt\[arrow\]"):
        session["x"].to_arrow()
