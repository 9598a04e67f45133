"""Reading mutated log lines: each gives the same record alone and among others, without an internal error."""

from __future__ import annotations

import json
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.ingest.account import Account
from kestrel.ingest.dataset import configure
from kestrel.ingest.objects import OF_A_PASS
from kestrel.ingest.reader import Reader
from kestrel.ingest.sql import quoted_name
from kestrel.model.vocabulary import vocabulary
from kestrel.settings import Settings
from tests.fuzz.mutations import every_line, mutated
from tests.fuzz.running import Tally

TOGETHER = 100
"""Lines in one file."""
Rows = Counter[str]


def run_batch(seed: int, folder: Path | None, numbered: tuple[int, int]) -> Tally:
    batch, number = numbered
    with tempfile.TemporaryDirectory(prefix="fuzz-") as own:
        return run_some(seed, batch, number, Path(own), every_line(folder))


def run_some(seed: int, batch: int, number: int, own: Path, real: list[bytes]) -> Tally:
    """A number of mutated lines of one batch, in a separate folder."""
    chance = Random(f"{seed} {batch}")
    lines = [mutated(chance.choice(real), chance) for _ in range(number)]
    tally = Tally()
    tally.counts["records"] = number
    path = own / "lines.json"
    path.write_bytes(b"\n".join(lines))
    place = f"batch {batch}, seed {seed}"
    try:
        _compare(lines, path, own, tally, place)
        _hunt(path)
    except HuntErrors as caught:
        codes = [e.code for e in caught.errors]
        tally.codes.update(codes)
        if {"K0000", "K9999"} & set(codes):
            tally.faults.append(f"{place}\n{caught}")
    except Exception:
        tally.faults.append(f"{place}\n{traceback.format_exc()}")
    tally.counts["faults"] = len(tally.faults)
    return tally


def _compare(lines: list[bytes], path: Path, own: Path, tally: Tally, place: str) -> None:
    """The results for single lines must add up to the result for all of them."""
    together, account = read(path)
    if account.read != account.kept + account.unknown + account.broken:
        tally.faults.append(f"{place}: the account does not add up: {account}")
    alone, whole = Rows(), Account()
    by_row: dict[str, bytes] = {}
    for number, line in enumerate(lines):
        single = own / f"{number}.json"
        single.write_bytes(line)
        rows, one = read(single)
        single.unlink()
        for name in ("read", "kept", "unknown", "broken"):
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        alone += rows
        by_row |= dict.fromkeys(rows, line)
        tally.counts["read" if one.kept else "unknown" if one.unknown else "broken"] += 1
    for row in list((alone - together).keys())[:3]:
        tally.faults.append(f"{place}: this line gives another record alone\n{by_row[row]!r}\n{row}")
    if together - alone and not alone - together:
        tally.faults.append(f"{place}: records that no line gives alone\n{list((together - alone).keys())[:3]}")
    counts = [(a.read, a.kept, a.unknown, a.broken) for a in (whole, account)]
    if counts[0] != counts[1]:
        tally.faults.append(f"{place}: read, kept, unknown, broken are {counts[0]} alone and {counts[1]} together")


def read(path: Path) -> tuple[Rows, Account]:
    """The rows of a file before resolution, without empty values, and the counts of its lines."""
    account = Account()
    with duckdb.connect() as con, tempfile.TemporaryDirectory() as scratch:
        configure(con)
        con.execute("SET threads = 1")
        reader = Reader(con, Path(scratch), None, lambda _: None, account)
        reader.read([path], None)
        found = con.execute(f"SELECT * EXCLUDE ({', '.join(map(quoted_name, OF_A_PASS))}) FROM events")
        names = [column[0] for column in found.description or ()]
        return Rows(_text(names, row) for row in found.fetchall()), account


def _text(names: list[str], row: tuple[Any, ...]) -> str:
    return json.dumps({n: v for n, v in sorted(zip(names, row, strict=True)) if v is not None and n != "src"}, default=str)


def _hunt(path: Path) -> None:
    """Every type of entity, with its attributes and raw lines."""
    with Session(rows=None, settings=Settings(cache=None)) as session:
        for name in sorted(vocabulary().types):
            session.run(
                f"v = GET {name} FROM $path WHERE id IS NOT NULL DISP v DISP RECORDS(v) ATTR event.original INFO v", parameters={"path": str(path)}
            )
