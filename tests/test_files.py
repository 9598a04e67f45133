"""Whatever wraps or damages a log file: nothing is lost, and nothing is silently wrong."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import random
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.formats.readers.mending import expanded
from kestrel.ingest.account import Account
from kestrel.result import Notice, Summary, Table
from tests.events import creation

GOOD = [creation(n) for n in range(10)]
LINES = [json.dumps(r) for r in GOOD]
TEXT = "\n".join(LINES)


def hunt(path: Path | str) -> tuple[int, Account]:
    """How many processes a file shows, and what became of its records."""
    with Session() as session:
        session.run(f"p = GET process FROM {str(path)!r} WHERE name LIKE 'p%'")
        return len(session["p"]), next(iter(session.engine.datasets.snapshots.held.values())).account


def line(number: int, **fields: Any) -> str:
    return json.dumps(creation(number, **fields))


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("name", "content", "processes", "broken", "unknown", "duplicates"),
    [
        ("plain.json", TEXT.encode() + b"\n", 10, 0, 0, 0),
        ("no-line-end.ndjson", TEXT.encode(), 10, 0, 0, 0),
        ("array.json", b"[" + ",\n".join(LINES).encode() + b"]", 10, 0, 0, 0),
        ("pretty.json", json.dumps(GOOD, indent=2).encode(), 10, 0, 0, 0),
        ("one-after-another.json", "\n".join(json.dumps(r, indent=2) for r in GOOD).encode(), 10, 0, 0, 0),
        ("windows-lines.jsonl", "\r\n".join(LINES).encode(), 10, 0, 0, 0),
        ("both-line-ends.json", ("\r\n".join(LINES[:5]) + "\r\n" + "\n".join(LINES[5:])).encode(), 10, 0, 0, 0),
        ("blank-lines.json", ("\n\n" + "\n\n".join(LINES) + "\n \n").encode(), 10, 0, 0, 0),
        ("byte-order-mark.json", b"\xef\xbb\xbf" + TEXT.encode(), 10, 0, 0, 0),
        ("utf16.json", TEXT.encode("utf-16"), 10, 0, 0, 0),
        ("arrays-as-lines.json", (LINES[0] + "\n[" + ",".join(LINES[1:6]) + "]\n [" + ", ".join(LINES[6:]) + ", 5]\n").encode(), 10, 1, 0, 0),
        ("packed.json.gz", gzip.compress(TEXT.encode(), mtime=0), 10, 0, 0, 0),
        ("packed.json.zst", zstandard.compress(TEXT.encode()), 10, 0, 0, 0),
        ("packed-array.json.zst", zstandard.compress(b"[" + ",".join(LINES).encode() + b"]"), 10, 0, 0, 0),
        ("twice.json", (TEXT + "\n" + TEXT).encode(), 10, 0, 0, 10),
        ("broken-line.json", (LINES[0] + '\n{"EventID": 1, "Chan\n' + "\n".join(LINES[1:])).encode(), 10, 1, 0, 0),
        ("cut-at-the-end.json", TEXT[:-20].encode(), 9, 1, 0, 0),
        ("unknown-shape.json", (TEXT + '\n{"a": 1}\n[1]\n5\n').encode(), 10, 2, 1, 0),
        ("empty.json", b"", 0, 0, 0, 0),
        ("long-line-last.json", (TEXT + "\n" + line(50, CommandLine="x" * 50_000_000)).encode(), 11, 0, 0, 0),
        ("long-line-first.json", (line(50, CommandLine="x" * 5_000_000) + "\n" + TEXT).encode(), 11, 0, 0, 0),
        ("not-utf8.json", (TEXT + "\n" + line(51, CommandLine="ZZ")).encode().replace(b"ZZ", b"\xff\xfe"), 11, 0, 0, 0),
        ("deep.json", (TEXT + "\n" + line(52)[:-1] + ', "deep": ' + "[" * 100_000 + "]" * 100_000 + "}").encode(), 11, 0, 0, 0),
        ("zero-sign.json", (TEXT + "\n" + line(53, CommandLine="a\x00b")).encode(), 11, 0, 0, 0),
        ("utf16-be.json", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), 10, 0, 0, 0),
        ("utf16-without-mark.json", TEXT.encode("utf-16-le"), 10, 0, 0, 0),
        ("utf16-be-without-mark.json", ("[" + ",".join(LINES) + "]").encode("utf-16-be"), 10, 0, 0, 0),
        ("utf32.json", TEXT.encode("utf-32"), 10, 0, 0, 0),
        ("utf32-without-mark.json", TEXT.encode("utf-32-be"), 10, 0, 0, 0),
        ("mark-and-pretty-array.json", b"\xef\xbb\xbf" + json.dumps(GOOD, indent=4).replace("\n", "\r\n").encode(), 10, 0, 0, 0),
        ("old-mac.json", TEXT.replace("\n", "\r").encode(), 10, 0, 0, 0),
        ("side-by-side.json", "".join(LINES).encode(), 10, 0, 0, 0),
        ("side-by-side-below.json", (LINES[0] + "\n" + " ".join(LINES[1:])).encode(), 10, 0, 0, 0),
        ("wrong-name.json.gz", TEXT.encode(), 10, 0, 0, 0),
        ("wrong-name.json", gzip.compress(TEXT.encode(), mtime=0), 10, 0, 0, 0),
        ("wrong-name.zst", gzip.compress(TEXT.encode(), mtime=0), 10, 0, 0, 0),
        ("two-members.gz", b"".join(gzip.compress(t.encode() + b"\n", mtime=0) for t in LINES), 10, 0, 0, 0),
        ("two-frames.zst", b"".join(zstandard.compress(t.encode() + b"\n") for t in LINES), 10, 0, 0, 0),
        ("empty.gz", gzip.compress(b"", mtime=0), 0, 0, 0, 0),
        ("half-a-pair.json", (TEXT + "\n" + line(55, CommandLine="a ZZ b").replace("ZZ", "\\ud83d")).encode(), 11, 0, 0, 0),
        ("half-a-pair-in-an-array.json", ("[" + ",".join([*LINES, line(55, CommandLine="ZZ").replace("ZZ", "\\udc00")]) + "]").encode(), 11, 0, 0, 0),
        ("control-sign.json", (TEXT + "\n" + line(56, CommandLine="ZZ").replace("ZZ", "a\tb\x01\x07")).encode(), 11, 0, 0, 0),
        ("zeroes-at-the-end.json", TEXT.encode() + b"\n" + bytes(4096), 10, 1, 0, 0),
        ("huge-numbers.json", (TEXT + "\n" + line(57, Big=0)[:-2] + "9" * 400 + ', "Far": 1e999}').encode(), 11, 0, 0, 0),
        ("no-objects.json", ("[" + ", ".join([*LINES, "5", '"x"', "null", "true"]) + "]").encode(), 10, 4, 0, 0),
        ("broken-element.json", ("[" + ", ".join([*LINES[:5], '{"EventID": tru, "a": [{}, {}]}', *LINES[5:]]) + "]").encode(), 10, 1, 0, 0),
        ("open-element.json", ("[" + ",\n".join([*LINES[:5], '{"EventID": {1, "a": "b}', *LINES[5:]]) + "]").encode(), 10, 1, 0, 0),
        ("deep-element.json", ("[" + line(52)[:-1] + ', "deep": ' + "[" * 5_000 + "]" * 5_000 + "}," + ",".join(LINES) + "]").encode(), 11, 0, 0, 0),
        ("wrong-types.json", (TEXT + "\n" + line(54, ProcessId=[1, 2], Hashes={"a": 1}, UtcTime="nonsense")).encode(), 11, 0, 0, 0),
    ],
)
def test_every_record_is_accounted_for(tmp_path: Path, name: str, content: bytes, processes: int, broken: int, unknown: int, duplicates: int) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found, account = hunt(path)
    assert found == processes
    assert (account.broken, account.unknown, account.duplicates) == (broken, unknown, duplicates)
    assert account.read == account.kept + account.duplicates + account.unknown + account.broken


def test_damaged_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes((TEXT + "\n" + line(51, CommandLine="ZZ")).encode().replace(b"ZZ", b"\xff"))
    assert hunt(path)[1].mended == 1


@pytest.mark.parametrize("pack", [lambda b: gzip.compress(b, mtime=0), zstandard.compress], ids=["gzip", "zstd"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["lines", "array"])
def test_of_a_stream_that_is_cut_off_the_complete_records_are_read(tmp_path: Path, pack: Any, wrapped: bool) -> None:
    """The complete records are those that zlib and zstandard can unpack from the half."""
    lines = [line(n, CommandLine=random.Random(n).randbytes(200).hex()) for n in range(5_000)]
    packed = pack(("[" + ",\n".join(lines) + "]" if wrapped else "\n".join(lines)).encode())
    half = packed[: len(packed) // 2]
    (tmp_path / "half").write_bytes(half)
    unpacked = zlib.decompressobj(31) if packed[:2] == b"\x1f\x8b" else zstandard.ZstdDecompressor().decompressobj()
    there = {text.strip("[],") for text in unpacked.decompress(half).decode().split("\n")}
    complete = sum(text in there for text in lines)
    assert 1_000 < complete < 4_000
    found, account = hunt(tmp_path / "half")
    assert found == account.read == complete
    assert (list(account.cut_off.values()), account.broken) == ([complete], 0)


def test_an_array_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "half.json"
    path.write_text(("[" + ",\n".join(LINES))[:-20])
    found, account = hunt(path)
    assert (found, account.read, account.broken, account.cut_off) == (9, 9, 0, {str(path): 9})


def test_a_zip_that_is_cut_off_lacks_its_directory(tmp_path: Path) -> None:
    """Its first member is complete, its second ends early, and its third is missing."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            lines = [line(1_000 * number + n, CommandLine=random.Random(n).randbytes(200).hex()) for n in range(500)]
            archive.writestr(f"{number}.json", "\n".join(lines))
    path = tmp_path / "cut.zip"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    found, account = hunt(path)
    assert 600 < found < 900
    assert account.cut_off == {f"{path}: 1.json": found - 500}


def test_damage_within_a_stream_is_an_error(tmp_path: Path) -> None:
    """A checksum that does not fit, though every line is JSON: what the lines say cannot be trusted."""
    stored = bytearray(gzip.compress(TEXT.encode(), 0, mtime=0))
    place = stored.index(b"p0.exe")
    stored[place : place + 6] = b"p1.exe"
    (tmp_path / "a.json.gz").write_bytes(stored)
    with pytest.raises(HuntErrors, match="damaged") as caught:
        hunt(tmp_path / "a.json.gz")
    assert [e.code for e in caught.value.errors] == ["K0401"]


def test_what_follows_a_packed_stream_is_reported(tmp_path: Path) -> None:
    for name, pack in (("a.gz", gzip.compress), ("a.zst", zstandard.compress)):
        (tmp_path / name).write_bytes(pack(TEXT.encode()) + b"and more")
        found, account = hunt(tmp_path / name)
        assert (found, len(account.unreadable), account.broken) == (10, 1, 0)


def archive_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_of_an_archive_logs_are_read_and_the_others_named(tmp_path: Path) -> None:
    log, inner = TEXT.encode(), archive_of(tmp_path / "inner", **{"x.json": line(70).encode(), "y.json.gz": gzip.compress(line(71).encode())})
    path = archive_of(
        tmp_path / "a.zip",
        **{
            "a.json": log,
            "__MACOSX/._a.json": b"\x00\x05\x16\x07",
            "logs/.DS_Store": b"\x00\x00\x00\x01Bud1",
            "README.md": b"# Data\n\nof a test\n",
            "p.png": b"\x89PNG\r\n\x1a\n\x00",
            "../../evil.json": line(60).encode(),
            "/etc/evil.json": line(61).encode(),
            "n" * 300 + ".json": line(62).encode(),
            "empty.json": b"",
            "inner.zip": inner.read_bytes(),
        },
    )
    found, account = hunt(path)
    assert found == account.read == 10 + 3 + 2
    assert set(account.unreadable) == {f"{path}: README.md", f"{path}: p.png"}
    assert not (tmp_path.parent.parent / "evil.json").exists()


@pytest.mark.slow
def test_a_locked_member_and_a_bomb_are_named(tmp_path: Path) -> None:
    """The bomb is not unpacked: a gigabyte and a half of blanks after one record."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", TEXT)
        with archive.open("bomb.json", "w") as bomb:
            bomb.write(line(60).encode() + b"\n")
            for _ in range(1100):
                bomb.write(b" " * (1 << 20))
        archive.writestr("locked.json", TEXT)
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    before = shutil.disk_usage(tmp_path).free
    found, account = hunt(path)
    assert found == 10
    assert set(account.unreadable) == {f"{path}: bomb.json", f"{path}: locked.json"}
    assert "200 times" in account.unreadable[f"{path}: bomb.json"]
    assert "password" in account.unreadable[f"{path}: locked.json"]
    assert before - shutil.disk_usage(tmp_path).free < 1 << 30


def test_an_unreadable_file_is_named_beside_others_and_an_error_alone(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(TEXT)
    (tmp_path / "b.json").write_bytes(bytes(range(256)) * 20)
    found, account = hunt(tmp_path / "*.json")
    assert (found, account.unreadable) == (10, {str(tmp_path / "b.json"): "it is a binary file"})
    with Session() as session:
        results = session.run(f"p = GET process FROM {str(tmp_path / '*.json')!r}")
    assert "b.json` (it is a binary file)" in next(r.message for r in results if isinstance(r, Notice) and r.code == "unreadable-file")
    (tmp_path / "a.json").unlink()
    with pytest.raises(HuntErrors, match="binary"):
        hunt(tmp_path / "*.json")


def rows(path: Path, attributes: str) -> list[tuple[Any, ...]]:
    with Session(rows=None) as session:
        results = session.run(f"p = GET process FROM {str(path)!r} WHERE pid > 0 DISP p ATTR {attributes}")
        return [row for r in results if isinstance(r, Table) for row in r.rows]


@pytest.mark.parametrize("wrapped", ["{}", "[{}]", "[\n{}\n]"], ids=["line", "array", "spread"])
def test_of_two_equal_names_the_first_counts(tmp_path: Path, wrapped: str) -> None:
    path = tmp_path / "a.json"
    flat = line(1)[:-1] + ', "CommandLine": "first", "CommandLine": "second"}'
    path.write_text(wrapped.replace("{}", flat))
    first = json.loads(line(1)).get("CommandLine", "first")
    assert rows(path, "command_line") == [(first,)]
    deep = document(1).replace('"pid": 6', '"pid": 6, "command_line": "first", "command_line": "second", "pid": 9')
    path.write_text(wrapped.replace("{}", deep))
    assert rows(path, "pid, command_line") == [(6, "first")]


def test_names_with_dots_are_paths_on_every_line(tmp_path: Path) -> None:
    """The first 400 lines are nested; every later one has another part of it dotted."""
    nested = [document(n) for n in range(400)]
    later = [json.loads(document(n)) for n in range(400, 404)]
    later[0]["process.pid"] = later[0]["process"].pop("pid")
    later[1]["winlog.event_id"] = later[1]["winlog"].pop("event_id")
    later[2] = {f"{k}.{n}": v for k, inner in later[2].items() if isinstance(inner, dict) for n, v in inner.items()} | {"@timestamp": "2021-01-01"}
    later[3]["process.command_line"] = "x"
    path = tmp_path / "a.json"
    path.write_text("\n".join([*nested, *map(json.dumps, later)]))
    assert sorted(rows(path, "pid, command_line")) == [(5 + n, "x" if n == 403 else None) for n in range(404)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"process.pid": 3, "process": {"name": "x"}}', {"process": {"pid": 3, "name": "x"}}),
        ('{"process": {"parent.pid": 3}}', {"process": {"parent": {"pid": 3}}}),
        ('{"process.parent": {"pid": 3}, "process.parent.name": "x"}', {"process": {"parent": {"pid": 3, "name": "x"}}}),
        ('{"process.pid": 3, "10.0.0.1": 4, "cmd.exe": 5, "process.exe": 6}', {"process": {"pid": 3}, "10.0.0.1": 4, "cmd.exe": 5, "process.exe": 6}),
        ('{"process.pid": 3, "process.pid": 4}', {"process": {"pid": 3}}),
        ('{"file.path": "x", "file": {"hash.md5": 1.50}}', {"file": {"path": "x", "hash": {"md5": 1.5}}}),
    ],
)
def test_dotted_names(line: str, expected: dict[str, Any]) -> None:
    assert json.loads(expanded(line).texts[0]) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"process": {"pid": [3], "name": ["x"]}}', [{"process": {"pid": 3, "name": "x"}}]),
        ('{"process.pid": [3]}', [{"process": {"pid": 3}}]),
        ('{"process.pid": [3, 4]}', [{"process": {"pid": 3}}, {"process": {"pid": 4}}]),
        ('{"process": {"name": []}}', [{"process": {"name": None}}]),
        ('{"process": {"name": ["-", "x", "x"]}}', [{"process": {"name": "x"}}]),
        ('{"process": {"name": ["x", "y"], "pid": [3]}}', [{"process": {"name": "x", "pid": 3}}, {"process": {"name": "y", "pid": 3}}]),
        (
            '{"process": {"name": ["x", "y"]}, "user": {"name": ["a", "b", "c"]}}',
            [{"process": {"name": n}, "user": {"name": u}} for n, u in (("x", "a"), ("y", "b"), ("x", "c"))],
        ),
        ('{"process": {"args": "x", "pid": 3}}', [{"process": {"args": ["x"], "pid": 3}}]),
        ('{"dns.grouped.ip": "10.0.0.1"}', [{"dns": {"grouped": {"ip": ["10.0.0.1"]}}}]),
        ('{"dns": {"resolved_ip": null}, "tags": ["a"]}', [{"dns": {"resolved_ip": None}, "tags": ["a"]}]),
        ('{"process": {"name": [["x"]]}}', [{"process": {"name": [["x"]]}}]),
        ('{"process": {"name": [{"a": 1}, {"a": 1}]}}', [{"process": {"name": [{"a": 1}, {"a": 1}]}}]),
    ],
)
def test_lists_and_single_values(line: str, expected: list[dict[str, Any]]) -> None:
    found = expanded(line)
    assert ([json.loads(text) for text in found.texts], found.is_partial) == (expected, False)


@pytest.mark.parametrize("late", [0, 700], ids=["in the sample", "after the sample"])
def test_lists_in_a_log_file(tmp_path: Path, late: int) -> None:
    """The first value is shown and all match, whether the first lists come among the records by which the reader decides how to read, or
    after them."""
    lines = [line(n) for n in range(late)]
    lines += [
        line(late, CommandLine=["one"], ProcessId=["777"]),
        line(late + 1, CommandLine=["-", "first", "second"]),
        line(late + 2, CommandLine=[]),
    ]
    (tmp_path / "log.json").write_text("\n".join(lines) + "\n")
    with Session() as session:
        results = session.run(f"p = GET process FROM {str(tmp_path / 'log.json')!r}")
        made = next(r for r in results if isinstance(r, Summary)).variables[0]
        assert (made.entities, made.records) == (late + 3, late + 3)
        for value in ("first", "second"):
            results += session.run(f"q = p WHERE command_line IN ('one', '{value}') DISP q ATTR pid, command_line")
    tables = [set(r.rows) for r in results if isinstance(r, Table)]
    assert tables == [{(777, "one"), (100 + late + 1, "first")}] * 2
    assert not [r for r in results if isinstance(r, Notice)]


@pytest.mark.parametrize("write", [json.dumps, lambda records: "\n".join(map(json.dumps, records))], ids=["array", "lines"])
def test_a_record_with_lists_is_one_record_and_one_process(tmp_path: Path, write: Callable[[list[Any]], str]) -> None:
    """Of a process the first values are shown and all match; files and flows are identified by their values."""
    made: dict[str, Any] = {"Image": ["C:\\a\\one.exe", "C:\\b\\two.exe"], "ProcessId": [11, 12]}
    traffic: dict[str, Any] = {
        "EventID": 3,
        "SourceIp": "10.9.9.9",
        "DestinationIp": ["10.0.0.1", "10.0.0.2"],
        "DestinationPort": 443,
        "RecordNumber": 77,
    }
    path = tmp_path / "log.json"
    path.write_text(write([creation(0, **made), creation(0, **made, **traffic)]))
    assert rows(path, "name, pid") == [("one.exe", 11)]
    with Session() as session:
        results = session.run(
            f"p = GET process FROM {str(path)!r} WHERE name = 'two.exe' AND pid = 12 f = FIND file LOADED BY p n = FIND network-traffic CREATED BY p"
        )
        summary = [(m.name, m.entities, m.records) for r in results if isinstance(r, Summary) for m in r.variables]
        assert summary == [("p", 1, 2), ("f", 2, 2), ("n", 2, 1)]
        assert {row["name"] for row in session["f"].to_dicts()} == {"one.exe", "two.exe"}


def test_of_hosts_and_times_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(line(0, Hostname=["first.example.org", "second.example.org"]) + "\n" + line(1, CommandLine=[str(n) for n in range(1_500)]) + "\n")
    with Session() as session:
        results = session.run(f"p = GET process FROM {str(path)!r} a = GET x-oca-asset FROM {str(path)!r}")
        assert [r.count for r in results if isinstance(r, Notice) and r.code == "first-of-list"] == [2]
        assert len(session["p"]) == 2
        assert "second.example.org" not in {row["hostname"] for row in session["a"].to_dicts()}


@pytest.mark.parametrize(("field", "attribute"), [("ProcessId", "pid"), ("Image", "name"), ("ProcessGuid", "x_unique_id")])
def test_one_late_list_of_any_field(tmp_path: Path, field: str, attribute: str) -> None:
    path = tmp_path / "log.json"
    records = [creation(n) for n in range(600)]
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    expected = sorted(rows(path, f"command_line, {attribute}"))
    records[500][field] = [records[500][field]]
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    assert sorted(rows(path, f"command_line, {attribute}")) == expected
    assert len(expected) == 600 and None not in {value for _, value in expected}


def test_an_object_wins_over_a_scalar_and_the_scalar_is_kept() -> None:
    assert json.loads(expanded('{"process": "x", "process.pid": 3}').texts[0], object_pairs_hook=list) == [
        ("process", [("pid", 3)]),
        ("process", "x"),
    ]


def test_raw_lines_are_shown_as_they_were_written(tmp_path: Path) -> None:
    half = line(1, CommandLine="a ZZ").replace("ZZ", "\\ud83d")
    dotted = document(2).replace('"process": {', '"process.command_line": "x", "process": {')
    for wrapped in ("{}\n{}", "[{}, {}]"):
        path = tmp_path / "a.json"
        path.write_text(wrapped.replace("{}", half, 1).replace("{}", dotted, 1))
        with Session() as session:
            results = session.run(f"p = GET process FROM {str(path)!r} WHERE pid > 0 DISP RECORDS(p) ATTR event.original")
        assert {row[0] for r in results if isinstance(r, Table) for row in r.rows} == {half, dotted}


def test_a_zip_is_read_member_by_member(tmp_path: Path) -> None:
    path = tmp_path / "logs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/one.json", "\n".join(LINES[:5]))
        archive.writestr("two.json", "[" + ",".join(LINES[5:]) + "]")
    assert hunt(path)[0] == 10


def test_several_files_and_globs_overlap_without_counting_twice(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("\n".join(LINES[:7]))
    (tmp_path / "b.json").write_text("\n".join(LINES[4:]))
    found, account = hunt(tmp_path / "*.json")
    assert (found, account.duplicates) == (10, 3)


def test_small_files_are_read_together_and_each_as_it_would_be_alone(tmp_path: Path) -> None:
    """Every file has ten processes of its own, in another wrapping or with another damage."""

    def ten(file: int) -> list[str]:
        return [line(100 * file + n) for n in range(10)]

    def text(file: int) -> bytes:
        return "\n".join(ten(file)).encode()

    contents = {
        "a-lines.json": text(1),
        "b-array.json": b"[" + ",".join(ten(2)).encode() + b"]",
        "c-packed.json.gz": gzip.compress(text(3), mtime=0),
        "d-utf16.json": text(4).decode().encode("utf-16"),
        "e-broken.json": b'{"EventID": 1, "Chan\n' + text(5),
        "f-not-utf8.json": text(6) + b"\n" + line(690, CommandLine="ZZ").encode().replace(b"ZZ", b"\xff\xfe"),
        "g-long.json": line(790, CommandLine="x" * 5_000_000).encode() + b"\n" + text(7),
        "h-unknown.json": b'{"a": 1}\n' + text(8),
        "i-empty.json": b"",
        "j-blank.json": b"\n \n" + text(9) + b"\n\n",
        "k-twice.json": text(1),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "l-members.json.zip", "w") as archive:
        archive.writestr("one.json", text(10))
        archive.writestr("two.json", text(11) + b"\n" + line(1190, CommandLine="ZZ").encode().replace(b"ZZ", b"\xff\xfe"))
    processes, account = hunt(tmp_path / "*.json*")
    assert processes == 9 * 10 + 2 + 2 * 10 + 1
    assert (account.broken, account.unknown, account.duplicates, account.mended) == (1, 1, 10, 2)
    assert account.read == account.kept + account.duplicates + account.unknown + account.broken == processes + 12


def document(number: int) -> str:
    """A creation on another host, as winlogbeat writes it."""
    return json.dumps(
        {
            "@timestamp": "2021-01-01T00:00:00.000Z",
            "event": {"code": "1"},
            "winlog": {
                "event_id": "1",
                "channel": "Microsoft-Windows-Sysmon/Operational",
                "computer_name": "h2",
                "record_id": str(number),
            },
            "process": {"entity_id": f"{{00000002-{number:04X}-5FEE-0000-000000000001}}", "pid": 5 + number, "executable": "C:\\p.exe"},
        }
    )


def test_a_file_may_mix_shapes(tmp_path: Path) -> None:
    path = tmp_path / "mixed.json"
    path.write_text(TEXT + "\n" + document(7) + "\n")
    found, account = hunt(path)
    assert found == 11
    assert account.log_formats == {"windows-flat": 10, "winlogbeat": 1}


def test_a_file_of_many_lines_may_mix_shapes(tmp_path: Path) -> None:
    """So many that several threads read them."""
    lines = [text for n in range(3_000) for text in (line(n), document(n), '{"a": 1}')]
    random.Random(1).shuffle(lines)
    path = tmp_path / "mixed.json"
    path.write_text("\n".join(lines))
    found, account = hunt(path)
    assert found == 6_000
    assert account.log_formats == {"windows-flat": 3_000, "winlogbeat": 3_000}
    assert (account.read, account.unknown, account.broken, account.duplicates) == (9_000, 3_000, 0, 0)


@pytest.mark.parametrize(
    ("name", "content", "code"), [("a.bin", bytes(range(256)) * 20, "K0401"), ("cut.json.gz", gzip.compress(b"{}", mtime=0)[:12], "K0401")]
)
def test_what_cannot_be_read_is_an_error_with_a_place(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(HuntErrors) as caught:
        hunt(path)
    assert [e.code for e in caught.value.errors] == [code]
    assert caught.value.errors[0].span is not None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this machine has no named pipes")
def test_a_pipe_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(HuntErrors, match="it is a pipe or a device") as caught:
        hunt(tmp_path / "pipe.json")
    assert [e.code for e in caught.value.errors] == ["K0401"]


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none.json", "K0402"), (tmp_path, "K0406"), (tmp_path / "no*.json", "K0402")):
        with pytest.raises(HuntErrors) as caught:
            hunt(path)
        assert caught.value.errors[0].code == code


@pytest.mark.parametrize("pack", [lambda b: gzip.compress(b, mtime=0), zstandard.compress], ids=["gz", "zst"])
def test_a_table_that_is_cut_off_is_not_loaded_as_a_whole_one(tmp_path: Path, pack: Any) -> None:
    """Cut so that what can be unpacked of it may end with a whole line."""
    packed = pack("".join(f"{random.Random(n).randbytes(30).hex()}\n" for n in range(20_000)).encode())
    path = tmp_path / ("names.csv.gz" if packed[:2] == b"\x1f\x8b" else "names.csv.zst")
    path.write_bytes(packed[: len(packed) // 2])
    with Session() as session, pytest.raises(HuntErrors, match="cut off"):
        session.run(f"p = LOAD {str(path)!r}")
