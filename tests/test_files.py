"""Whatever wraps or damages a log file: nothing is lost, and nothing is silently wrong."""

from __future__ import annotations

import gzip
import json
import os
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.store.scan import Account
from tests.events import creation

GOOD = [creation(n) for n in range(10)]
LINES = [json.dumps(r) for r in GOOD]
TEXT = "\n".join(LINES)


def hunt(path: Path | str) -> tuple[int, Account]:
    """How many processes a file shows, and what became of its records."""
    with Session() as session:
        session.run(f"p = GET process FROM {str(path)!r} WHERE name LIKE 'p%'")
        return len(session["p"]), next(iter(session.store.datasets.values())).account


def line(number: int, **fields: Any) -> str:
    return json.dumps(creation(number, **fields))


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
        ("packed.json.gz", gzip.compress(TEXT.encode(), mtime=0), 10, 0, 0, 0),
        ("packed.json.zst", zstandard.compress(TEXT.encode()), 10, 0, 0, 0),
        ("packed-array.json.zst", zstandard.compress(b"[" + ",".join(LINES).encode() + b"]"), 10, 0, 0, 0),
        ("twice.json", (TEXT + "\n" + TEXT).encode(), 10, 0, 0, 10),
        ("broken-line.json", (LINES[0] + '\n{"EventID": 1, "Chan\n' + "\n".join(LINES[1:])).encode(), 10, 1, 0, 0),
        ("cut-at-the-end.json", TEXT[:-20].encode(), 9, 1, 0, 0),
        ("unknown-shape.json", (TEXT + '\n{"a": 1}\n[1]\n5\n').encode(), 10, 2, 1, 0),
        ("only-unknown.json", b'{"a": 1}\n{"b": 2}\n', 0, 0, 2, 0),
        ("empty.json", b"", 0, 0, 0, 0),
        ("long-line-last.json", (TEXT + "\n" + line(50, CommandLine="x" * 50_000_000)).encode(), 11, 0, 0, 0),
        ("long-line-first.json", (line(50, CommandLine="x" * 5_000_000) + "\n" + TEXT).encode(), 11, 0, 0, 0),
        ("not-utf8.json", (TEXT + "\n" + line(51, CommandLine="ZZ")).encode().replace(b"ZZ", b"\xff\xfe"), 11, 0, 0, 0),
        ("deep.json", (TEXT + "\n" + line(52)[:-1] + ', "deep": ' + "[" * 100_000 + "]" * 100_000 + "}").encode(), 11, 0, 0, 0),
        ("zero-sign.json", (TEXT + "\n" + line(53, CommandLine="a\x00b")).encode(), 11, 0, 0, 0),
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
    assert account.shapes == {"windows-flat": 10, "winlogbeat": 1}


def test_a_file_of_many_lines_may_mix_shapes(tmp_path: Path) -> None:
    """So many that several threads read them."""
    lines = [text for n in range(3_000) for text in (line(n), document(n), '{"a": 1}')]
    random.Random(1).shuffle(lines)
    path = tmp_path / "mixed.json"
    path.write_text("\n".join(lines))
    found, account = hunt(path)
    assert found == 6_000
    assert account.shapes == {"windows-flat": 3_000, "winlogbeat": 3_000}
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
