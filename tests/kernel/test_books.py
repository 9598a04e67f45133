"""Huntbooks: those of the repository, and how any is run without a browser."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, ScriptExporter

from kestrel.cli import main
from kestrel.display.notebook import DATA, unpacked
from kestrel.kernel.book import CellFailed, NoBook, read_book, run_book, source_of, with_parameters, write_book
from tests.kernel.conftest import ROOT

BOOKS = sorted((ROOT / "huntbooks").glob("*.ipynb"))
MOST = 300_000
"""Bytes of one output."""
TIMED = re.compile(r"\d+\.\d\d s")
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::ResourceWarning")]


def quiet(_: object) -> None:
    """Shows nothing."""


def shown(book: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What the cells show, without how long it took and the keys of tables, which hang on where the data is."""
    found = []
    for cell in book["cells"]:
        outputs = []
        for output in cell.get("outputs", []):
            data: dict[str, Any] = {mime: "".join(v) if isinstance(v, list) else v for mime, v in output.get("data", {}).items()}
            data |= {DATA: unpacked(data[DATA]) | {"seconds": 0, "key": ""}} if DATA in data else {}
            data |= {m: TIMED.sub("", data[m]) for m in ("text/plain", "text/html") if m in data}
            outputs.append({"type": output["output_type"], "data": data, "error": output.get("evalue")})
        found.append(outputs)
    return found


def book_of(*cells: str, tags: tuple[str, ...] = ()) -> dict[str, Any]:
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "kestrel", "language": "kestrel", "display_name": "Kestrel"}})
    made.cells = [nbformat.v4.new_code_cell(text) for text in cells]
    if tags:
        made.cells[0].metadata["tags"] = list(tags)
    return dict(json.loads(nbformat.writes(made)))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_a_huntbook_of_the_repository_shows_what_it_says(path: Path, tmp_path: Path) -> None:
    book = read_book(path)
    before = copy.deepcopy(book)
    run_book(book, tmp_path, quiet)
    assert shown(book) == shown(before), "run it again: `kestrel run BOOK --output BOOK`"
    nbformat.validate(nbformat.from_dict(before))
    assert max(len(json.dumps(o)) for c in before["cells"] for o in c.get("outputs", [])) < MOST


def test_there_are_the_hunt_and_six_tutorials() -> None:
    names = [p.stem for p in BOOKS]
    assert names == ["1-query", "2-inspect", "3-connect", "4-group", "5-apply", "6-fork-and-merge", "scheduled-task-hunt"]


def test_the_kernel_gives_the_same_outputs(jupyter: Path, tmp_path: Path) -> None:
    path = ROOT / "huntbooks" / "1-query.ipynb"
    book = nbformat.read(path, 4)
    NotebookClient(book, kernel_name="kestrel", resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert shown(json.loads(nbformat.writes(book))) == shown(read_book(path))


def test_parameters_are_injected_after_their_cell(folder: Path) -> None:
    path, output = folder / "book.ipynb", folder / "out.ipynb"
    write_book(
        book_of("$name = 'a.exe'\n$rows = 5", "n = NEW ['a.exe', 'b.exe']\nDISP n WHERE name = $name ATTR name LIMIT $rows", tags=("parameters",)),
        path,
    )
    assert main(["run", str(path), "-p", 'name=it\'s "b".exe', "--output", str(output)]) == 0
    book = read_book(output)
    assert [c["metadata"].get("tags") for c in book["cells"]] == [["parameters"], ["injected-parameters"], None]
    assert source_of(book["cells"][1]) == "$name = 'it\\'s \"b\".exe'"
    assert main(["run", str(output), "-p", "name=b.exe", "--output", str(output)]) == 0
    again = read_book(output)
    assert [source_of(c) for c in again["cells"]][1] == "$name = 'b.exe'" and len(again["cells"]) == 3
    table = unpacked(again["cells"][2]["outputs"][0]["data"][DATA])
    assert table["rows"] == [["b.exe"]]
    nbformat.validate(nbformat.from_dict(again))


def test_without_a_cell_of_parameters_they_come_first(folder: Path) -> None:
    book = book_of("n = NEW [$name]")
    assert with_parameters(book, {"name": "a.exe", "other": 1}) == ["other"]
    assert [source_of(c) for c in book["cells"]] == ["$name = 'a.exe'\n$other = 1", "n = NEW [$name]"]


def test_a_cell_that_fails_ends_the_run_and_its_error_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = folder / "book.ipynb", folder / "out.ipynb"
    write_book(book_of("n = NEW ['a.exe']\nDISP n ATTR name", "DISP n ATTR nam", "DISP n"), path)
    assert main(["run", str(path), "--output", str(output)]) == 1
    assert "cell 2 failed" in (known := capsys.readouterr().err) and "K0203" in known
    cells = read_book(output)["cells"]
    assert [len(c["outputs"]) for c in cells] == [2, 1, 0]
    assert cells[1]["outputs"][0]["output_type"] == "error" and any("^^^" in line for line in cells[1]["outputs"][0]["traceback"])
    assert cells[2]["execution_count"] is None


def test_a_book_without_output_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "book.ipynb"
    write_book(book_of("n = NEW ['a.exe']\nDISP n ATTR name"), path)
    before = path.read_text(encoding="utf-8")
    assert main(["run", str(path)]) == 0
    assert "a.exe" in capsys.readouterr().out and path.read_text(encoding="utf-8") == before


def test_files_are_found_from_the_folder_of_the_book(folder: Path) -> None:
    (folder / "books").mkdir()
    path = folder / "books" / "book.ipynb"
    write_book(book_of("n = NEW ['a.exe']\nSAVE n TO found.csv"), path)
    assert main(["run", str(path)]) == 0
    assert (folder / "books" / "found.csv").exists()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no json", "not a Jupyter notebook"),
        ("[]", "not a Jupyter notebook"),
        ('{"nbformat": 3, "cells": [], "metadata": {}}', "format 3"),
        ('{"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"name": "python3", "language": "python"}}}', "of python"),
    ],
)
def test_what_is_no_huntbook_is_told(folder: Path, capsys: pytest.CaptureFixture[str], text: str, word: str) -> None:
    (folder / "book.ipynb").write_text(text)
    with pytest.raises(NoBook, match=word):
        read_book(folder / "book.ipynb")
    assert main(["run", str(folder / "book.ipynb")]) == 2
    assert main(["run", str(folder / "none.ipynb")]) == 2
    assert word in capsys.readouterr().err


def test_a_failing_cell_is_named(folder: Path) -> None:
    with pytest.raises(CellFailed) as caught:
        run_book(book_of("", "DISP nobody"), folder, quiet)
    assert caught.value.number == 1


def test_a_huntbook_downloads_as_a_hunt_flow_that_runs(folder: Path) -> None:
    text, resources = ScriptExporter().from_filename(str(ROOT / "huntbooks" / "scheduled-task-hunt.ipynb"))
    assert resources["output_extension"] == ".hf"
    (folder / "hunt.hf").write_text(text, encoding="utf-8")
    assert main(["run", str(folder / "hunt.hf"), "--format", "json"]) == 0


@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_a_page_of_a_huntbook_asks_nobody(path: Path) -> None:
    page, _ = HTMLExporter(require_js_url="", mathjax_url="", mermaid_js_url="").from_filename(str(path))
    body = page[page.index("<body") :]
    results = "".join(re.findall(r'<div class="jp-RenderedHTMLCommon jp-RenderedHTML.*?</div>\n</div>', body, re.DOTALL))
    assert "<table>" in results and "<script" not in results
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', results)
    assert 'class="highlight hl-kestrel"' in body and '<span class="k">GET</span>' in body
