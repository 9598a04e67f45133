"""One behaviour of the language as a YAML file: a hunt, the files it runs over, and what must come of it.

    hunt          one text, or a list of cells of one session
    data          file name: a list of records (written as JSON lines, or as an array where the name ends in `.array.json`), or
                  the text of the file; instead of the mapping the names of files in `tests/corpus/data`
    changes       number of a cell: what becomes of files before it runs, by name: their new content as under `data`, or null for a deleted one
    large         whether the files are read as large ones are: at first only the columns a cell needs
    parameters    name: value of `$name`
    environment   name: value of an environment variable
    xfail         why the case does not hold yet

then what is expected:

    error         the drawn text of every mistake; without it there must be none
    columns, rows of the last DISP
    counts        variable: [entities, records], at the end
    info          of the last INFO: what is listed of it
    describe      of the last DESCRIBE: its statistics, and its most frequent values
    explain       lines of the last EXPLAIN
    notices       what was told, in order
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from kestrel import Session
from kestrel.display.values import instant
from kestrel.errors import HuntErrors
from kestrel.ingest import dataset
from kestrel.result import Description, Explanation, Info, Notice, Result, Table

FOLDER = Path(__file__).parent
EXPECTED = ("error", "columns", "rows", "counts", "info", "describe", "explain", "notices")
GIVEN = ("hunt", "data", "changes", "large", "parameters", "environment", "xfail")


@dataclass(frozen=True)
class Case:
    path: Path
    hunt: str | list[str]
    data: dict[str, Any] | list[str] = field(default_factory=dict)
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    large: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    xfail: str = ""
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.path.relative_to(FOLDER).with_suffix(""))


def every_file() -> list[Path]:
    return sorted(FOLDER.rglob("*.yaml"))


def read(path: Path) -> Case:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = set(found) - {*GIVEN, *EXPECTED}
    if unknown:
        raise ValueError(f"{path}: what is {', '.join(sorted(unknown))}?")
    given = {key: value for key, value in found.items() if key in GIVEN}
    return Case(path, **given, expected={key: value for key, value in found.items() if key in EXPECTED})


def answer(case: Case, folder: Path) -> dict[str, Any]:
    """Everything that comes of the hunt, by the keys of `EXPECTED`, when it runs in the (empty) folder."""
    write_data(case.data, folder)
    cells = [case.hunt] if isinstance(case.hunt, str) else case.hunt
    results: list[Result] = []
    make: list[str] = []
    with standing_in(folder, case.environment), patch.object(dataset, "LARGE", -1 if case.large else dataset.LARGE), Session(rows=None) as session:
        for number, cell in enumerate(cells, start=1):
            write_data(case.changes.get(number, {}), folder)
            try:
                for result in session.stream(cell, "hunt.hf" if len(cells) == 1 else f"cell {number}", case.parameters):
                    results.append(result)
            except HuntErrors as errors:
                make.append(str(errors))
        counts = {name: list(session.engine.counts(session.engine.evaluate(step))[:2]) for name, step in session.scope.items()}
    found: dict[str, Any] = {"counts": counts, "notices": [r.message for r in results if isinstance(r, Notice)]}
    if make:
        found["error"] = "\n".join(make) + "\n"
    for result in results:
        match result:
            case Table():
                found["columns"] = list(result.columns)
                found["rows"] = [[plain(v) for v in row] for row in result.rows]
            case Info():
                found["info"] = {
                    "type": result.type,
                    "entities": result.entities,
                    "records": result.records,
                    "observed": [plain(result.first_observed), plain(result.last_observed)],
                    "sources": list(result.sources),
                    "attributes": {a.name: [a.count, plain(a.example)] for a in result.attributes},
                    "relations": list(result.relations),
                    "origin": result.origin,
                    "inputs": [[i.name, i.state, i.origin] for i in result.inputs],
                }
            case Description():
                statistics = {name: plain(value) for name, value in result.statistics}
                found["describe"] = {**statistics, "frequent": [[plain(value), number] for value, number in result.frequent]}
            case Explanation():
                found["explain"] = [*result.steps, *(f"{source} <- {wanted}" for source, wanted, _ in result.queries)]
            case _:
                pass
    return found


def plain(value: Any) -> Any:
    """A value as YAML writes it."""
    match value:
        case datetime():
            return instant(value)
        case list() | tuple():
            return [plain(v) for v in value]
        case _:
            return value


def write_data(data: dict[str, Any] | list[str], folder: Path) -> None:
    (folder / "kestrel.yaml").touch()
    if isinstance(data, list):
        for name in data:
            shutil.copy(FOLDER / "data" / name, folder / name)
        return
    for name, content in data.items():
        path = folder / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif name.endswith(".array.json"):
            path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        else:
            path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in content), encoding="utf-8")


@contextmanager
def standing_in(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """The folder as the current one, with settings of its own and nothing of the user's."""
    before, old = Path.cwd(), dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("STIXSHIFTER_", "KESTREL_")):
            del os.environ[name]
    os.environ |= {
        "KESTREL_CACHE": "off",
        "KESTREL_CONFIG": "kestrel.yaml",
        "KESTREL_STIXSHIFTER_CONFIG": "stixshifter.yaml",
        "KESTREL_PYTHON_ANALYTICS_CONFIG": "pythonanalytics.yaml",
    } | environment
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ |= old
