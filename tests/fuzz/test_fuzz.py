"""A few of the generated hunts; `python -m tests.fuzz` runs as many as wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.running import run_some


@pytest.mark.parametrize("batch", range(2))
def test_generated_hunts_give_results_or_located_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.chdir(tmp_path)
    tally = run_some(1, batch, 60, tmp_path)
    assert not tally.faults, "\n".join(tally.faults)
    assert tally.counts["results"] > 12
