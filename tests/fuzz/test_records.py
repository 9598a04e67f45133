"""A few of the mutated log lines; `python -m tests.fuzz records` reads as many as wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.mutations import every_line
from tests.fuzz.reading import run_some


@pytest.mark.slow
def test_a_mutated_line_gives_the_same_alone_and_among_others(tmp_path: Path) -> None:
    tally = run_some(1, 0, 25, tmp_path, every_line())
    assert not tally.faults, "\n".join(tally.faults)
    assert tally.counts["read"] > 8
    assert tally.counts["broken"] > 1
