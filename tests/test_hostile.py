"""Hostile values in hunts and in logs come through unharmed: quotes, wildcards, control and direction signs, HTML, a megabyte."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kestrel import Session
from kestrel.display.jsonlines import to_line
from kestrel.display.terminal import show
from kestrel.errors import HuntErrors
from kestrel.graph.steps import sources_of
from kestrel.result import Table
from kestrel.session import failures
from tests.events import SYSMON, creation, guid, write

LONG = "x" * 500_000 + "'%_\\" + "я" * 500_000
HOSTILE = (
    "'",
    '"',
    "''",
    '"; DROP TABLE events; --',
    "' OR '1'='1",
    "a;b",
    "100%",
    "a_b",
    "%_%",
    "back\\slash\\",
    "\\'",
    "\\\\srv\\share$\\t\\n",
    "C:\\temp\\new\\x.exe",
    "$name",
    "${HOME} `id` $(id)",
    "{0} %s {x}",
    "tab\tnew\nline\rreturn",
    "\x1b[31mred\x1b[0m\x07",
    "\x01\x7f\x9b",
    "\u202egpj.exe",
    "\u2066a\u2069\u200b\u2028",
    "<script>alert('x')</script>",
    "&lt;b&gt; &amp;",
    "[link](javascript:x) [bold red]rich[/]",
    "東京 отчёт 😀",
    "e\u0301 é",
    "null",
    "None",
    "true",
    "NaN",
    "0x3e7",
    "007",
    "1e5",
    "2021-01-01T00:00:00Z",
    "v.pid",
    "p0.name",
    "WHERE name = 'x'",
    "# no comment",
    "a,b\nc",
    " spaces ",
    "=1+1",
)
SHORT = [v for v in HOSTILE if not {"/", "\\"} & set(v)]
"""Values that can be the name of an image: the last part of a path."""


def literal(text: str, sign: str = "'", bracketed: bool = False) -> str:
    """A value as a careful hunter writes it in quotes. Within brackets only quotes and backslashes are escaped."""
    body = text.replace("\\", "\\\\").replace(sign, "\\" + sign)
    return sign + (body if bracketed else body.replace("\n", "\\n").replace("\r", "\\r")) + sign


def path_literal(text: str) -> str:
    """A value whatever it holds, every sign that is not a letter by its number."""
    return "'" + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + "'"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session in which `$logs` has, for each value, a process with it as command line, folder and user, and records that name
    a file, a registry value and a host by it."""
    folder = tmp_path_factory.mktemp("hostile")
    records: list[dict[str, Any]] = []
    for n, value in enumerate((*HOSTILE, LONG)):
        records.append(creation(n, CommandLine=value, User=value, CurrentDirectory=value, ParentCommandLine=value))
        records[-1] |= {"ParentProcessGuid": guid(900 + n), "ParentImage": "C:\\bin\\parent.exe", "ParentProcessId": str(3000 + n)}
        tells = {"Channel": SYSMON, "Hostname": f"host{n}{value.lower()}", "UtcTime": f"2021-01-01 02:{n:02d}:00.000", "ProcessGuid": guid(n)}
        tells |= {"Image": "C:\\bin\\x.exe", "ProcessId": str(100 + n)}
        records.append(tells | {"EventID": 11, "RecordNumber": 1000 + n, "TargetFilename": f"C:\\d{n}\\{value}"})
        registry = {"EventID": 13, "RecordNumber": 2000 + n, "TargetObject": f"HKLM\\k{n}\\v", "Details": value, "EventType": "SetValue"}
        records.append(tells | registry)
    path = write(folder / "hostile's %_ \u202e;.json", records)
    with Session(rows=None) as session:
        session.run(
            "p = GET process FROM $logs WHERE pid < 1000 f = GET file FROM $logs r = GET windows-registry-key FROM $logs",
            parameters={"logs": str(path)},
        )
        yield session


def found(session: Session, text: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of the last table."""
    return list([r for r in session.run(text, parameters=parameters) if isinstance(r, Table)][-1].rows)


def number_of(value: str) -> int:
    return (*HOSTILE, LONG).index(value)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("value", [*HOSTILE, pytest.param(LONG, id="long")])
def test_a_value_is_found_by_every_way_to_write_it(hostile: Session, value: str) -> None:
    pids = [(100 + number_of(value),)]
    ways = [
        f"= {literal(value)}",
        f"= {literal(value, chr(34))}",
        f"== {path_literal(value)}",
        "= $v",
        f"IN ({literal(value)}, 'nothing')",
        "IN $list",
    ]
    ways += [f"NOT IN ({', '.join(literal(v) for v in (*HOSTILE, LONG) if v != value)})", "MATCHES $expression"]
    given = {"v": value, "list": ["nothing", value], "expression": f"(?s)^{re.escape(value)}\\z" if len(value) < 1000 else "^x{200}x{200}"}
    for way in ways:
        used = {name: given[name] for name in given if f"${name}" in way}
        assert found(hostile, f"DISP p WHERE command_line {way} ATTR pid", **used) == pids, way
    for sign in "'\"":
        if "\n" not in value and "\r" not in value:
            assert found(hostile, f"DISP p WHERE [process:command_line = {literal(value, sign, True)}] ATTR pid") == pids
    assert found(hostile, "DISP p WHERE command_line = p.command_line AND parent_ref.command_line = $v ATTR pid", v=value) == pids
    assert found(hostile, "DISP p WHERE creator_user_ref.display_name = $v ATTR pid", v=value) == pids
    assert found(hostile, "DISP p WHERE cwd = $v ATTR command_line", v=value) == [(value,)]


@pytest.mark.parametrize("value", [v for v in HOSTILE if not {"%", "_", "\\"} & set(v)])
def test_like_takes_all_but_its_wildcards_as_they_are(hostile: Session, value: str) -> None:
    pids = [(100 + n,) for n, v in enumerate(HOSTILE) if v.lower() == value.lower()]
    assert found(hostile, "DISP p WHERE command_line LIKE $v ATTR pid", v=value) == pids
    assert found(hostile, f"DISP p WHERE command_line LIKE {literal(value)} ATTR pid") == pids
    inside = [(100 + n,) for n, v in enumerate(HOSTILE) if value.lower() in v.lower()]
    assert found(hostile, "DISP p WHERE command_line LIKE $v AND pid < $long ATTR pid", v=f"%{value}%", long=100 + len(HOSTILE)) == inside


def test_the_backslash_is_no_escape_of_like(hostile: Session) -> None:
    assert found(hostile, "DISP p WHERE command_line LIKE 'back\\\\slash\\\\' ATTR command_line") == [("back\\slash\\",)]
    assert found(hostile, "DISP p WHERE command_line LIKE '100\\\\%' ATTR command_line") == []
    assert found(hostile, "DISP p WHERE command_line LIKE 'c:\\temp\\%.exe' ATTR command_line") == [("C:\\temp\\new\\x.exe",)]


def test_files_registry_values_and_hosts_keep_their_names(hostile: Session) -> None:
    files = {row["x_path"] for row in hostile["f"].to_dicts()}
    assert {f"C:\\d{n}\\{value}" for n, value in enumerate((*HOSTILE, LONG))} <= files
    data = {row["values[*].data"] for row in hostile["r"].to_dicts()}
    assert data == {*HOSTILE, LONG}
    for n, value in enumerate((*HOSTILE, LONG)):
        assert found(hostile, "DISP f WHERE path = $v ATTR path", v=f"C:\\d{n}\\{value}") == [(f"C:\\d{n}\\{value}",)]
        assert found(hostile, "DISP r WHERE values[*].data = $v ATTR key", v=value) == [(f"HKLM\\k{n}",)]
        if value == value.strip() and not n % 6:
            text = "a = GET file FROM $logs WHERE x-oca-asset:hostname = $v DISP a WHERE path LIKE 'C:\\d%' ATTR path"
            rows = found(hostile, text, v=f"HOST{n}{value}".replace("É", "é"), logs=sources_of(hostile["f"].step)[0].files[0])
            assert rows == [(f"C:\\d{n}\\{value}",)]


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson.gz", "parquet"])
def test_everything_saved_is_loaded_as_it_was(hostile: Session, tmp_path: Path, ending: str) -> None:
    for name in ("p", "f", "r"):
        path = str(tmp_path / f"it's; %s {name} \u202e日本.{ending}")
        hostile.run(f"SAVE {name} TO $path l = LOAD $path", parameters={"path": path})
        assert Path(path).exists()
        rows = [
            sorted(({k: v for k, v in row.items() if v is not None} for row in hostile[n].to_dicts()), key=lambda r: r["id"]) for n in (name, "l")
        ]
        for row in (*rows[0], *rows[1]):
            del row["number_observed"]
        assert rows[0] == rows[1]
    assert {row["command_line"] for row in hostile["p"].to_dicts() if row.get("command_line") and row["pid"] < 1000} == {*HOSTILE, LONG}


def test_new_takes_every_value(session: Session) -> None:
    for value in (*HOSTILE, LONG[:1000]):
        for text in (literal(value), path_literal(value), "$v"):
            session.run(f"n = NEW [{text}] m = NEW [{{{literal('name', chr(34))}: {text}}}]", parameters={"v": value} if text == "$v" else {})
            assert [row["name"] for n in "nm" for row in session[n].to_dicts()] == [value, value]
        session.run("n = NEW ['x'] s = n WHERE name = $v", parameters={"v": value})
        assert not len(session["s"])


@pytest.mark.parametrize("value", SHORT)
def test_a_column_may_have_any_name(session: Session, tmp_path: Path, value: str) -> None:
    name = value.replace("'", "’")
    (tmp_path / "t.json").write_text(json.dumps([{name: 1, "other": "a"}, {name: 2, "other": "b"}]), encoding="utf-8")
    session.run(f"t = LOAD '{tmp_path / 't.json'}'")
    assert [name in row for row in session["t"].to_dicts()] == [True, True]
    table = next(r for r in session.run("DISP t") if isinstance(r, Table))
    assert name in table.columns
    printed(table)


def printed(*results: Any) -> str:
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=False, color_system=None)
    for result in results:
        show(console, result)
    return out.getvalue()


STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def test_the_terminal_is_not_steered(hostile: Session, tmp_path: Path) -> None:
    results = hostile.run(
        "DISP p WHERE pid < 141 ATTR command_line, cwd DISP f WHERE x_path LIKE 'C:\\d__\\%' INFO f DESCRIBE p.command_line EXPLAIN p "
        "e = p WHERE command_line = '\x1b]0;x\x07\u202e' EXPLAIN e DISP e SAVE e TO $path",
        parameters={"path": str(tmp_path / "\x1b[31m\u202e.csv")},
    )
    text = printed(*results)
    assert not STEERING.search(text), STEERING.findall(text)
    assert "\\u202egpj.exe" in text and "\\x1b[31mred" in text and "<script>" in text and "[bold red]rich[/]" in text


@pytest.mark.parametrize("value", ["\x1b[31m\x07", "\u202egpj", "\x9b31m", "\u2066\u2028"])
def test_a_mistake_does_not_steer_the_terminal(hostile: Session, value: str) -> None:
    texts = [f"x = p WHERE name = '{value}' AND nam = 1", f"x = LOAD '{value}.csv'", f"x = GET process FROM '{value}.json'", f"x = {value}"]
    texts += [f"DISP p ATTR hashes.'{value}'", f"x = p WHERE src ISSUBSET '{value}'", f"x = r WHERE key ISSUBSET '{value}'", f"APPLY '{value}' ON p"]
    for text in texts:
        with pytest.raises(HuntErrors) as caught:
            hostile.run(text)
        shown = printed(*failures(caught.value)) + str(caught.value)
        assert not STEERING.search(shown.replace("\n", "")), (text, shown)


def test_a_result_as_json_holds_the_value_itself(hostile: Session) -> None:
    for result in hostile.run("DISP p ATTR command_line"):
        back = json.loads(to_line(result))
        if isinstance(result, Table):
            assert {row[0] for row in back["rows"] if row[0]} == {*HOSTILE, LONG}
        assert "\n" not in to_line(result)
