"""CSV and Parquet: every row is read, whatever its spelling, and a log gives the same answers in each form."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pytest
from pyarrow import parquet

from kestrel import Session
from kestrel.result import Notice, Table

DATA = Path(__file__).parents[1].parent / "shared" / "data"
HEAD = ["EventID", "Channel", "Hostname", "RecordNumber", "@timestamp", "UtcTime", "ProcessGuid", "ProcessId", "Image", "CommandLine"]


def row(number: int, command: str = "cmd /c x") -> list[Any]:
    guid = f"{{A1B2C3D4-ED20-65E6-0000-{number:012}}}"
    time = "2024-03-05 10:00:00.000"
    return [1, "Microsoft-Windows-Sysmon/Operational", "ws1", number, "2024-03-05T10:00:00Z", time, guid, number, "C:\\cmd.exe", command]


def text(rows: list[list[Any]], delimiter: str = ",", head: list[str] = HEAD, end: str = "\r\n") -> str:
    target = io.StringIO(newline="")
    table = csv.writer(target, delimiter=delimiter, lineterminator=end)
    table.writerow(head)
    table.writerows(rows)
    return target.getvalue()


ROWS = [row(number) for number in range(10, 20)]
TABLES: dict[str, tuple[bytes, int, int]] = {
    "commas": (text(ROWS).encode(), 10, 0),
    "tabs": (text(ROWS, "\t").encode(), 10, 0),
    "semicolons": (text(ROWS, ";", end="\n").encode(), 10, 0),
    "bars": (text(ROWS, "|").encode(), 10, 0),
    "one row": (text(ROWS[:1]).encode(), 1, 0),
    "no last line end": (text(ROWS).encode().rstrip(), 10, 0),
    "a byte order mark": (text(ROWS).encode("utf-8-sig"), 10, 0),
    "UTF-16": (text(ROWS).encode("utf-16"), 10, 0),
    "Latin-1": (text([row(1, "caf\xe9"), *ROWS]).encode("latin-1"), 11, 0),
    "a type before it": (("#TYPE Selected.System.Diagnostics\r\n" + text(ROWS)).encode(), 10, 0),
    "its delimiter before it": (("sep=;\n" + text(ROWS, ";")).encode(), 10, 0),
    "line ends in values": (text([row(1, 'cmd\n/c "a,b"\r\nc'), *ROWS]).encode(), 11, 0),
    "mixed line ends": ((text(ROWS[:5]) + text(ROWS[5:], end="\n").partition("\n")[2]).encode(), 10, 0),
    "blank lines": (text(ROWS).replace("\r\n", "\r\n\r\n").encode(), 10, 0),
    "an index": (text([[i, *r] for i, r in enumerate(ROWS)], head=["", *HEAD]).encode(), 10, 0),
    "zones in names": (text(ROWS, head=[f"{h} [UTC]" if h == "@timestamp" else h for h in HEAD]).encode(), 10, 0),
    "a name twice": (text([[*r, "x"] for r in ROWS], head=[*HEAD, "Image"]).encode(), 10, 0),
    "a long value": (text([row(1, "x" * 3_000_000), *ROWS]).encode(), 11, 0),
    "a long value in UTF-16": (text([row(1, "x" * 300_000), *ROWS]).encode("utf-16"), 11, 0),
    "carriage returns": (text(ROWS, end="\r").encode(), 10, 0),
    "quotes within values": ((text(ROWS) + ",".join(map(str, row(99, 'cmd "x" y'))) + "\r\n").encode(), 11, 0),
    "too few values": ((text(ROWS) + "1,2,3\r\n" + text([row(30)]).partition("\r\n")[2]).encode(), 11, 1),
    "cut off": (text(ROWS).encode()[:-60], 9, 1),
    "packed": (gzip.compress(text(ROWS).encode()), 10, 0),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_row_is_read(name: str, tmp_path: Path) -> None:
    content, number, broken = TABLES[name]
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with Session() as session:
        found = session.run(f"p = GET process FROM '{path}'")
        account = session.engine.evaluate(session["p"].step).dataset.account  # type: ignore[union-attr]
        assert len(session["p"]) == number
        assert account.broken == broken
        assert {r.code for r in found if isinstance(r, Notice)} <= ({"broken-lines"} if broken else {"mended-lines"})


def answers(path: Path) -> dict[str, set[tuple[Any, ...]]]:
    hunts = {
        "process": "name, pid, command_line, parent_ref.name, binary_ref.x_path",
        "file": "x_path",
        "network-traffic": "src_ref.value, src_port, dst_ref.value, dst_port",
        "windows-registry-key": "key, values[*].name",
        "user-account": "display_name, user_id",
    }
    found = {}
    with Session() as session:
        for kind, attributes in hunts.items():
            results = session.run(f"v = GET {kind} FROM '{path}'\nDISP v ATTR {attributes} LIMIT 100000")
            found[kind] = {tuple(map(folded, row)) for r in results if isinstance(r, Table) for row in r.rows}
    return found


def folded(value: Any) -> Any:
    """A value without its case: of several spellings in records of one time, any may be shown."""
    return value.casefold() if isinstance(value, str) else value


def as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


LOGS = (
    ["windows-flat/" + p.name for p in sorted((DATA / "windows-flat").glob("*"), key=lambda p: p.stat().st_size)[:2]]
    + ["winlogbeat7/covenant_msbuild_grunt_2019-10-27042312.ndjson.gz", "winlogbeat7/interactive_taskmngr_lsass_dump_2019-10-27054517.ndjson.gz"]
    if DATA.is_dir()
    else []
)


@pytest.mark.skipif(not LOGS, reason="the real logs are not here")
@pytest.mark.parametrize("name", LOGS)
def test_a_log_gives_the_same_answers_as_a_table(name: str, tmp_path: Path) -> None:
    path = DATA / name
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    records = [json.loads(line) for line in content.decode("utf-8").splitlines() if line.strip()]
    flat = "flat" in name
    columns = list(dict.fromkeys(n for r in records for n in r))
    values = {c: [as_text(r.get(c)) if flat or not isinstance(r.get(c), dict) else r[c] for r in records] for c in columns}
    expected = answers(path)
    if flat:
        parquet.write_table(pyarrow.table({c: pyarrow.array(v, pyarrow.string()) for c, v in values.items()}), tmp_path / "log.parquet")
        with (tmp_path / "log.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([columns, *zip(*values.values(), strict=True)])
        assert answers(tmp_path / "log.csv") == expected
    else:
        parquet.write_table(pyarrow.Table.from_pylist(records), tmp_path / "log.parquet")
        nested = duckdb.connect()
        nested.execute(f"COPY (SELECT * FROM read_json('{path}', sample_size = -1)) TO '{tmp_path}/maps.parquet' (FORMAT parquet)")
        assert answers(tmp_path / "maps.parquet") == expected
    assert answers(tmp_path / "log.parquet") == expected


def test_a_table_of_objects_as_text(tmp_path: Path) -> None:
    """Columns with JSON as text, as exports of data lakes have them."""
    event = dict(zip(HEAD, row(7), strict=True))
    con = duckdb.connect()
    con.execute("CREATE TABLE t (id INTEGER, message VARCHAR)")
    con.execute("INSERT INTO t VALUES (1, ?)", [json.dumps(event)])
    con.execute(f"COPY t TO '{tmp_path}/log.parquet' (FORMAT parquet)")
    with Session() as session:
        session.run(f"p = GET process FROM '{tmp_path}/log.parquet'")
        assert len(session["p"]) == 1


def test_a_damaged_parquet_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "log.parquet").write_bytes(b"PAR1" + b"\x00" * 100)
    with Session() as session, pytest.raises(Exception, match="K0401"):
        session.run(f"p = GET process FROM '{tmp_path}/log.parquet'")


@pytest.mark.parametrize("character", ["\u2028", "\u0085", "\x0b", "\x0c"])
def test_a_value_may_have_a_character_that_some_take_for_a_line_end(character: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(",".join(HEAD) + "\n" + "".join(",".join(map(str, row(n, f"cmd a{character}b"))) + "\n" for n in (1, 2)), encoding="utf-8")
    with Session() as session:
        session.run(f"p = GET process FROM '{path}'")
        assert len(session["p"]) == 2
