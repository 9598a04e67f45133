"""Variables for tests of analytics."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kestrel.analytics import Outcome


@dataclass
class Given:
    """A variable with these rows."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    type: str = "process"
    name: str = "v"

    def to_pandas(self) -> Any:
        import pandas

        return pandas.DataFrame(self.rows)

    def to_dicts(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.rows]

    def to_parquet(self, path: Path) -> None:
        self.to_pandas().to_parquet(path, compression="gzip")


def processes(count: int = 3) -> Given:
    rows = [{"id": f"process--{n}", "name": f"p{n}.exe", "pid": n, "first_observed": datetime(2021, 1, 1, 0, n)} for n in range(count)]
    return Given(rows)


def table(outcome: Outcome, number: int = 0) -> Any:
    """What an outcome returned for a variable."""
    return outcome.tables[number]
