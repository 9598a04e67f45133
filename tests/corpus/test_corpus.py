"""Every YAML file under this folder holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.case import Case, answer, every_file, read

CASES = [read(path) for path in every_file()]


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name, marks=pytest.mark.xfail(reason=c.xfail, strict=True) if c.xfail else ()) for c in CASES])
def test_corpus(case: Case, tmp_path: Path) -> None:
    found = answer(case, tmp_path)
    assert case.expected, "the case expects nothing"
    assert found.get("error", "") == case.expected.get("error", "")
    for key, expected in case.expected.items():
        got = found.get(key)
        if isinstance(expected, dict):
            got = {k: v for k, v in got.items() if k in expected} if isinstance(got, dict) else got
        assert got == expected, key
