"""Huntbooks without a browser: the cells of a notebook run in one session, and what they show goes into the file."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kestrel.assist import aside
from kestrel.display.notebook import EMBEDDED, bundle, failure_text
from kestrel.errors import HuntErrors
from kestrel.lower.names import as_value
from kestrel.result import Result
from kestrel.session import Session
from kestrel.syntax import to_text
from kestrel.syntax.tree import Give, Hunt
from kestrel.text import NOWHERE
from kestrel.version import __version__
from kestrel.whole import write_whole

DEFAULTS, INJECTED = "parameters", "injected-parameters"
"""The tags of the cell that holds parameters, and of the one after it that gives others: papermill's."""
LANGUAGE = {"name": "kestrel", "version": __version__, "mimetype": "text/x-kestrel", "file_extension": ".hf"}
LANGUAGE |= {"codemirror_mode": "kestrel", "pygments_lexer": "kestrel"}


class NoBook(Exception):
    """Why a file cannot be run as a huntbook, in a sentence for the user."""


class CellFailed(Exception):
    """A cell ended in a mistake: its number, counted from 1, and the mistake."""

    def __init__(self, number: int, error: HuntErrors) -> None:
        super().__init__(str(error))
        self.number = number
        self.error = error


def read_book(path: Path) -> dict[str, Any]:
    """A huntbook as JSON. Raises NoBook, OSError."""
    try:
        book = json.loads(path.read_text(encoding="utf-8"))
        form, cells, metadata = book["nbformat"], book["cells"], book["metadata"]
    except (ValueError, KeyError, TypeError) as error:
        raise NoBook(f"{path} is not a Jupyter notebook") from error
    if form != 4 or not isinstance(cells, list):
        raise NoBook(f"{path} is a notebook of format {form}; save it with Jupyter to renew it")
    if not isinstance(metadata, dict) or not all(map(_is_cell, cells)):
        raise NoBook(f"{path} is not a Jupyter notebook")
    kernel, info = ({} if metadata.get(name) is None else metadata[name] for name in ("kernelspec", "language_info"))
    if not isinstance(kernel, dict) or not isinstance(info, dict):
        raise NoBook(f"{path} is not a Jupyter notebook")
    language = kernel.get("language") or info.get("name") or kernel.get("name", "")
    if str(language).lower() not in ("kestrel", ""):
        raise NoBook(f"{path} is a notebook of {language}, not of Kestrel: run it with that kernel")
    return dict(book)


def write_book(book: Mapping[str, Any], path: Path) -> None:
    """Write a notebook file as Jupyter does. Raises OSError."""
    write_whole(path, json.dumps(book, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def _is_cell(cell: Any) -> bool:
    """Whether a cell has a type, and a source that is text or lines of text."""
    if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
        return False
    source = cell.get("source", "")
    return isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source))


def with_parameters(book: dict[str, Any], parameters: Mapping[str, Any]) -> list[str]:
    """Put a cell after the one of parameters, or at the top, that gives these. Returns the names no cell mentions."""
    cells = [c for c in book["cells"] if INJECTED not in _tags(c)] if parameters else book["cells"]
    if parameters:
        source = to_text(Hunt(tuple(Give(name, as_value(value, NOWHERE)) for name, value in parameters.items())))
        place = next((n + 1 for n, c in enumerate(cells) if DEFAULTS in _tags(c)), 0)
        cells.insert(place, _code_cell(book, source.rstrip("\n")))
    book["cells"] = cells
    texts = "\n".join(source_of(c) for c in cells if c["cell_type"] == "code" and INJECTED not in _tags(c))
    return [name for name in parameters if not re.search(rf"\${name}\b", texts)]


def run_book(
    book: dict[str, Any],
    folder: Path,
    show: Callable[[Result], None],
    session: Session | None = None,
    stream: Callable[[str, str], Iterator[Result]] | None = None,
) -> None:
    """Run the cells in a folder, each result into the book and to `show`. Raises CellFailed at the first that fails. `stream` runs the hunt
    of a cell in the session; who gives a session ends it.

    Outputs of before are dropped; so are the counts of cells that were not run.
    """
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    book["metadata"].setdefault("kernelspec", {"display_name": "Kestrel", "language": "kestrel", "name": "kestrel"})
    book["metadata"]["language_info"] = dict(LANGUAGE)
    cells = [c for c in book["cells"] if c["cell_type"] == "code" and source_of(c).strip()]
    with contextlib.chdir(folder), contextlib.nullcontext(session) if session else Session(rows=EMBEDDED) as hunt:
        for number, cell in enumerate(cells, start=1):
            cell["execution_count"] = number
            text = source_of(cell)
            asked = aside(hunt, text)
            if asked and asked.hunt is None:  # for interactive use only
                continue
            try:
                for result in (stream or hunt.stream)(asked.hunt if asked and asked.hunt else text, "cell"):
                    cell["outputs"].append({"output_type": "display_data", "data": _lines(bundle(result, hunt.settings.rows)), "metadata": {}})
                    show(result)
            except HuntErrors as error:
                make = failure_text(error).splitlines()
                first = error.errors[0]
                cell["outputs"].append({"output_type": "error", "ename": first.code, "evalue": first.message, "traceback": make})
                raise CellFailed(number, error) from error


def source_of(cell: Mapping[str, Any]) -> str:
    """The text of a cell, which a file may hold line by line."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return list(cell.get("metadata", {}).get("tags", []))


def _code_cell(book: Mapping[str, Any], source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": "code", "execution_count": None, "metadata": {"tags": [INJECTED]}, "outputs": [], "source": source}
    if book.get("nbformat_minor", 0) >= 5:
        cell["id"] = uuid.uuid4().hex[:8]
    return cell


def _lines(data: dict[str, Any]) -> dict[str, Any]:
    """Texts line by line, as notebooks hold them, so that a change of one line is one line."""
    return {mime: value.splitlines(keepends=True) if mime.startswith("text/") else value for mime, value in data.items()}
