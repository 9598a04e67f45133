"""Every record of every real log is accounted for: the numbers of the account, counted in plain Python and by queries."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.model.vocabulary import vocabulary

DATA = Path(__file__).parents[2].parent / "shared" / "data"
LARGE = 3_000_000
"""The maximum size of a file in bytes (compressed, if it is): counting larger ones takes too long here."""
FILES = sorted(p for p in DATA.rglob("*") if p.is_file() and p.stat().st_size < LARGE and p.name != "MANIFEST.md") if DATA.is_dir() else []
OWN = ("x-oca-event", "x-oca-asset")


def text_of(path: Path) -> str | None:
    """A file as text; None if it is not text."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        return None if b"\x00" in content[:4096] or content.startswith(b"PAR1") else content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def other_records(path: Path, text: str | None) -> int | None:
    """How many records a file has in another form than JSON; None for JSON."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        return int(pyarrow.parquet.ParquetFile(path).metadata.num_rows)
    if path.suffix == ".evtx":
        from evtx import PyEvtxParser

        return sum(1 for _ in PyEvtxParser(str(path)).records_json())
    if text is None or text.lstrip()[:1] in ("{", "["):
        return None
    if ".csv" in path.name:
        return sum(1 for row in csv.reader(io.StringIO(text)) if row) - 1
    if text.startswith("#separator"):
        return sum(1 for line in text.splitlines() if line and not line.startswith("#"))
    lines = [line for line in text.split("\n") if line.strip() and line[0] != "#"]
    found = [re.search(r"(?:node=(\S+) )?type=(\S+) msg=audit\(([0-9.]+:[0-9]+)\)", line) for line in lines]
    if all(found):
        return len({(one[1], one[3]) for one in found if one and one[2] != "EOE"})
    return None


def records(text: str) -> tuple[int, int]:
    """How many records a file has that are JSON objects, and how many lines or elements are not."""
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict) and whole.get("type") == "bundle":
        return sum(o.get("type") == "observed-data" for o in whole["objects"]), 0
    elements = whole if isinstance(whole, list) else [whole] if isinstance(whole, dict) else list(lines(text))
    objects = sum(isinstance(e, dict) for e in elements)
    return objects, len(elements) - objects


def wrapped(text: str) -> bool:
    """Whether records of a file may hold others."""
    return any(name in text[:100_000] for name in ('"_source"', '"hits"', '"Event"', '"properties"', '"message"', '"SyslogMessage"'))


def lines(text: str) -> Iterator[Any]:
    for line in text.split("\n"):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                yield None


def keys(session: Session, path: Path, types: Iterator[str]) -> set[int]:
    """The records of entities of some types."""
    found: set[int] = set()
    for name in types:
        session.run(f"v = GET {name} FROM '{path}'")
        variable = session.engine.evaluate(session["v"].step)
        found.update(r[0] for r in session.engine.con.execute(f"SELECT DISTINCT rec FROM {variable.table}").fetchall())
    return found


@pytest.mark.sampled(5)
@pytest.mark.skipif(not FILES, reason="the real logs are not here")
@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(DATA)))
def test_the_account_adds_up(path: Path) -> None:
    text = text_of(path)
    with Session() as session:
        try:
            session.run(f"v = GET x-oca-event FROM '{path}'")
        except HuntErrors as error:
            code = error.errors[0].code
            assert code in ("K0401", "K0412")
            return
        dataset = session.engine.evaluate(session["v"].step).dataset
        assert dataset is not None
        account = dataset.account
        assert account.read == account.mapped + account.duplicates + account.events_only + account.unknown + account.broken
        if (other := other_records(path, text)) is not None:
            assert (account.read, account.broken) == (other, 0)
        elif text is not None and text.lstrip()[:1] in ("{", "[") and not account.mended and not wrapped(text):
            objects, others = records(text)
            assert (account.read, account.broken) == (objects + others, others)
        if text is not None and any(k in text for k in ('"objects"',)) and "stix" in account.log_formats:
            return  # objects other than observed-data are not records, and custom types are not listed here
        events = keys(session, path, iter(OWN[:1]))
        mapped = keys(session, path, (name for name in vocabulary().types if name not in OWN))
        assert (account.kept, account.mapped) == (len(events), len(mapped))
        assert sum(number for _, _, number, _ in account.types) == account.events_only
