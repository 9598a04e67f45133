"""Results for a notebook: text, HTML and data of our own, side by side; the front end shows the best it can."""

from __future__ import annotations

import base64
import gzip
import io
import json
from dataclasses import replace
from typing import Any

from kestrel.display.html import to_html
from kestrel.display.jsonlines import to_object
from kestrel.display.placing import NODE, ROW, WIDTH, placed
from kestrel.errors import HuntErrors
from kestrel.result import Graph, Picture, Result, Table

DATA = "application/vnd.kestrel.v1+json"
"""The MIME type that the JupyterLab extension draws."""
EMBEDDED = 1000
"""Rows of a table that are kept in a notebook at most."""
COLUMNS = 120
SMALL = 4000
"""Signs of JSON from which on it is packed."""


def bundle(result: Result, text_rows: int | None = 50) -> dict[str, Any]:
    """A result by MIME type. `text_rows`: rows of a table in its text, None for all that are embedded."""
    if isinstance(result, Table):
        result = replace(result, rows=result.rows[:EMBEDDED])
    found: dict[str, Any] = {"text/plain": plain_text(_shortened(result, text_rows))}
    if isinstance(result, Picture) and result.image is not None:
        return found | {"image/png": base64.b64encode(result.image).decode("ascii")}
    found["text/html"] = to_html(result)
    if not isinstance(result, Picture):
        found[DATA] = packed(to_object(result) | _besides(result))
    return found


def plain_text(result: Result) -> str:
    """What a terminal of no colours shows."""
    from rich.console import Console

    from kestrel.display.terminal import show

    sink = io.StringIO()
    show(Console(file=sink, width=COLUMNS, color_system=None, force_jupyter=False), result)
    return sink.getvalue().rstrip("\n")


def packed(data: dict[str, Any]) -> dict[str, Any]:
    """A JSON object as it is where it is small; else its kind, and all of it as base64 of gzip. The same in every run."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if len(text) <= SMALL:
        return json.loads(text)  # type: ignore[no-any-return]
    return {"kind": data["kind"], "packed": base64.b64encode(gzip.compress(text, mtime=0)).decode("ascii")}


def unpacked(data: dict[str, Any]) -> dict[str, Any]:
    """The way back."""
    return json.loads(gzip.decompress(base64.b64decode(data["packed"]))) if "packed" in data else data


def failure_text(error: HuntErrors) -> str:
    """The mistakes drawn with their carets, their first lines in red."""
    lines = [f"\x1b[31m{line}\x1b[0m" if line.startswith("error[") else line for line in str(error).splitlines()]
    return "\n".join(lines)


def _shortened(result: Result, rows: int | None) -> Result:
    return replace(result, rows=result.rows[:rows]) if isinstance(result, Table) and rows is not None else result


def _besides(result: Result) -> dict[str, Any]:
    """What the extension needs that a program does not: the key that further rows are asked by, the places of nodes."""
    match result:
        case Table():
            return {"key": result.key}
        case Graph():
            place = placed(result)
            size = {"width": WIDTH, "node": NODE, "row": ROW, "height": place.height}
            return {"places": [list(p) for p in place.nodes], "headings": [list(h) for h in place.headings], **size}
        case _:
            return {}
