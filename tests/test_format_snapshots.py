"""What `kestrel formats FILE` prints of real logs, as it was reviewed last. `python -m tests.test_format_snapshots --write [FILE ...]` renews it.

Of every sample of a log format, and of the smallest file of each other folder of the real logs. A file is named by its path among these.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from rich.console import Console

from kestrel import Session
from kestrel.display.terminal import show
from kestrel.errors import HuntErrors
from kestrel.result import Result, Table
from tests.conftest import SHARED
from tests.docs import WIDTH, stage, tidy

SNAPSHOTS = Path(__file__).parent / "snapshots" / "formats"
LARGEST = 5_000_000
"""The maximum size of a file in bytes."""


def logs() -> Iterable[str]:
    """The files of which there are snapshots."""
    for folder, found in groupby(_files(), key=lambda path: path.parent):
        files = list(found)
        yield from map(_name, files if folder.parent.name == "formats" else [min(files, key=lambda path: path.stat().st_size)])


def _files() -> list[Path]:
    """The files of the real logs by folder, but for those with readings of other parsers (see tests/truth/test_second_opinions.py)."""
    found = (p for p in SHARED.rglob("*") if p.is_file() and p.stat().st_size < LARGEST)
    return sorted((p for p in found if p.name != "MANIFEST.md" and not p.name.endswith("_truth.ndjson")), key=lambda p: (p.parent, p))


def _name(path: Path) -> str:
    return path.relative_to(SHARED).as_posix()


def printed(name: str) -> str:
    """What the command prints of a file, on both streams."""
    sink = io.StringIO()
    console = Console(file=sink, width=WIDTH, color_system=None)
    with contextlib.chdir(SHARED), Session() as session:
        try:
            for result in session.overview(name):
                show(console, _ordered(result))
        except HuntErrors as error:
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
    return tidy(sink.getvalue())


def _ordered(result: Result) -> Result:
    """A table of event types whose rows of one code and one number, of which the order is open, are in that of their meanings."""
    if not isinstance(result, Table) or result.variable != "event types":
        return result
    return replace(result, rows=tuple(row for _, rows in groupby(result.rows, key=lambda r: (*r[:2], r[3])) for row in sorted(rows, key=str)))


def snapshot(name: str) -> Path:
    return SNAPSHOTS / f"{name}.txt"


@pytest.mark.sampled(5)
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real logs are not here")
@pytest.mark.parametrize("name", list(logs()))
def test_what_is_printed_of_a_log(name: str) -> None:
    assert printed(name) == snapshot(name).read_text(encoding="utf-8")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real logs are not here")
def test_every_snapshot_has_a_log() -> None:
    assert {path.relative_to(SNAPSHOTS).as_posix().removesuffix(".txt") for path in SNAPSHOTS.rglob("*.txt")} == set(logs())


def write(names: Sequence[str]) -> None:
    """Renew the snapshots of files, or of all; those without a file are removed."""
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)):
        for name in names or list(logs()):
            snapshot(name).parent.mkdir(parents=True, exist_ok=True)
            snapshot(name).write_text(printed(name), encoding="utf-8")
    for path in SNAPSHOTS.rglob("*.txt"):
        if path.relative_to(SNAPSHOTS).as_posix().removesuffix(".txt") not in set(logs()):
            path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        sys.exit("usage: python -m tests.test_format_snapshots --write [FILE ...]")
    write(sys.argv[2:])
