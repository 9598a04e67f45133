"""The fast roads give the table that the general road gives (decision 003)."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import duckdb
import pytest

from kestrel.formats.format import log_formats
from kestrel.ingest import objects, reader
from kestrel.ingest.account import Account
from kestrel.ingest.reader import Reader
from tests.conftest import SHARED

WINDOWS = sorted((SHARED / "windows-flat").glob("*.ndjson.gz"))
WINLOGBEAT = sorted(SHARED.glob("winlogbeat[67]/*.ndjson.gz"))
ODD = [
    '{"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Image": ["C:\\\\a.exe", "C:\\\\b.exe"], "ProcessId": 7}',
    '{"EventID": 3, "Channel": "x", "winlog.channel": "Security", "winlog.event_id": 4624, "winlog": {"record_id": 4}}',
    '{"winlog": {"channel": "Security", "event_id": 4688, "event_data": {"NewProcessName": "C:\\\\z.exe", "NewProcessId": "0x10"}}}',
    '  {"EventID": 5, "Channel": "Microsoft-Windows-Sysmon/Operational", "ProcessId": 9}  ',
    '{"EventID": 10, "Channel": "Microsoft-Windows-Sysmon/Operational", "SourceProcessGuid": "a", "SourceProcessGUID": "b"}',
    '{"EventID": 1, "Channel": ',
    '{"something": "else"}',
    "[1, 2]",
    "",
    "null",
    '{"EventID": 1, "Channel": "a"} {"EventID": 2, "Channel": "b"}',
]


def table(files: list[Path], scratch: Path) -> tuple[list[str], Account]:
    """The records of some files as text, and what became of them."""
    account = Account()
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        read = Reader(con, scratch, None, lambda _: None, account)
        read.read(files, None)
        read.finish()
        found = con.execute("SELECT * EXCLUDE (src) FROM events")
        names = [column[0] for column in found.description or ()]
        rows = [json.dumps({n: str(v) for n, v in zip(names, row, strict=True) if v is not None}, sort_keys=True) for row in found.fetchall()]
    account.strange.sort()
    return sorted(rows), account


def both(files: list[Path], scratch: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many records there are, after both roads were compared."""
    passed: list[object] = []

    def taken(*given: Any) -> object:
        passed.append(objects.read_mixed(*given))
        return passed[-1]

    monkeypatch.setattr(reader, "read_mixed", taken)
    fast, known = table(files, scratch)
    assert passed and None not in passed, "the mixed road was not taken"
    with monkeypatch.context() as without:
        without.setattr(reader, "suits", lambda _: False)
        general, of_general = table(files, scratch)
    assert fast == general
    assert known == of_general
    return len(fast)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", ["windows-flat", "winlogbeat"])
def test_real_lines_and_odd_ones(kind: str, packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = WINDOWS if kind == "windows-flat" else WINLOGBEAT
    if not files:
        pytest.skip("the shared data are not here")
    chance = random.Random(kind)
    lines = [line for file in chance.sample(files, 3) for line in gzip.decompress(file.read_bytes()).decode().splitlines()[:600]]
    for odd in ODD * 2:
        lines.insert(chance.randrange(400, len(lines)), odd)
    mixed = tmp_path / ("mixed.ndjson.gz" if packed else "mixed.ndjson")
    with gzip.open(mixed, "wt", encoding="utf-8") if packed else mixed.open("w", encoding="utf-8") as sink:
        sink.write("\n".join(lines) + "\n")
    assert both([mixed], tmp_path, monkeypatch) > 500


def test_many_small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event = '{{"EventID": {0}, "Channel": "Microsoft-Windows-Sysmon/Operational", "ProcessId": {1}, "Image": "C:\\\\p{1}.exe"}}'
    files = []
    for number in range(30):
        file = tmp_path / f"f{number}.ndjson"
        lines = [event.format(1 + n % 3, n + number) for n in range(40)] + ODD[number % len(ODD) :][:2]
        file.write_text("\r\n".join(lines) if number % 5 == 0 else "\n".join(lines) + "\n" * (number % 3), encoding="utf-8")
        files.append(file)
    assert both(files, tmp_path, monkeypatch) > 1000


@pytest.mark.parametrize("name", [f.name for f in WINDOWS])
def test_the_marks_of_a_format_decide_alike(name: str) -> None:
    """The log format of the sample's records is the one that comes first in the order of trying."""
    (file,) = (f for f in WINDOWS if f.name == name)
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        records = [json.loads(next(lines)) for _ in range(20)]
    for record in records:
        assert [f.name for f in log_formats().values() if f.recognises(record)][:1] == ["windows-flat"]
