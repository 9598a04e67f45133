"""Running a generated hunt: what may come of it, and what may not."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from kestrel import Session
from kestrel.display.jsonlines import to_line
from kestrel.errors import HuntErrors
from kestrel.settings import Settings
from tests.fuzz.hunts import Hunt, given_parameters
from tests.fuzz.records import write_logs

TOGETHER = 500
"""Hunts over the same records in one session."""


@dataclass
class Tally:
    """What came of the hunts: `results`, `mistakes` seen before running, `failures` told while running, and faults."""

    counts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.counts += other.counts
        self.codes += other.codes
        self.faults += other.faults


def run_batch(seed: int, numbered: tuple[int, int]) -> Tally:
    """A batch, given as its number and its size, in a folder of its own, with nobody's settings."""
    batch, number = numbered
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        os.environ["KESTREL_CONFIG"] = str(Path(folder) / "kestrel.yaml")
        Path(os.environ["KESTREL_CONFIG"]).touch()
        try:
            return run_some(seed, batch, number, Path(folder))
        finally:
            os.chdir("/")


def run_some(seed: int, batch: int, number: int, folder: Path) -> Tally:
    """So many hunts of one batch, in `folder`, which becomes the working directory."""
    os.chdir(folder)
    write_logs(folder, Random(f"{seed} {batch}"))
    tally = Tally()
    settings = Settings(cache=None)
    with Session(settings=settings) as session:
        session.engine.con.execute("SET threads = 1")
        for n in range(number):
            chance = Random(f"{seed} {batch} {n}")
            text, parameters = Hunt(chance).text(), given_parameters(chance)
            forget(session)
            try:
                outcome = run_one(session, text, parameters, tally.codes)
            except Exception:
                outcome = "faults"
                tally.faults.append(f"hunt {n} of batch {batch}, seed {seed}\n{text}\n{parameters}\n{traceback.format_exc()}")
            tally.counts["hunts"] += 1
            tally.counts[outcome] += 1
            for file in folder.glob("saved.*"):
                file.unlink()
    return tally


def forget(session: Session) -> None:
    """A session as if nothing had been said in it; what it has read it keeps."""
    session.scope.clear()
    session.origins.clear()
    session.last_sources = ()


def run_one(session: Session, text: str, parameters: dict[str, Any], codes: Counter[str] | None = None) -> str:
    """`results`, `mistakes` (seen before anything ran) or `failures` (while running). Raises for whatever may not be."""
    begun = False
    try:
        for result in _begun(session, text, parameters):
            begun = begun or result is not None
            if result is not None:
                to_line(result)
    except HuntErrors as caught:
        assert caught.errors and str(caught)
        for error in caught.errors:
            assert error.code not in ("K0000", "K9999"), error
            assert error.message, error
            assert error.span is not None and 0 <= error.span.start <= len(text) and error.span.start <= error.span.end <= len(text) + 1, error
            if codes is not None:
                codes[error.code] += 1
        return "failures" if begun or session.scope else "mistakes"
    return "results"


def _begun(session: Session, text: str, parameters: dict[str, Any]) -> Iterator[Any]:
    yield from session.stream(text, parameters=parameters)
    for name in sorted(session.scope)[:1] if len(text) % 40 == 0 else ():
        session[name].to_dicts()
