"""What tests of analytics may ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Setup = Callable[[str], Path]
"""Writes the settings file, and returns its path."""


@pytest.fixture(autouse=True)
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    path = tmp_path / "settings" / "pythonanalytics.yaml"
    path.parent.mkdir()
    monkeypatch.setenv("KESTREL_PYTHON_ANALYTICS_CONFIG", str(path))

    def write(text: str) -> Path:
        path.write_text(text, encoding="utf-8")
        return path

    return write
