"""The views of a hunt as files: a page and a drawing for each."""

from __future__ import annotations

from pathlib import Path

from kestrel.display.html import to_html
from kestrel.display.markup import element, html_text
from kestrel.display.svg import to_svg
from kestrel.display.text_views import headline
from kestrel.result import Chart, Graph, Result, Timeline, Tree
from kestrel.whole import write_whole

STYLE = "body { font: 14px sans-serif; color-scheme: light dark; margin: 2em } pre { font-size: 12px }"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a page may load: the drawings it holds itself."""


class Saver:
    """Writes each view it is given into a folder, numbered in the order of the hunt."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.number = 0

    def take(self, result: Result) -> list[Path]:
        """The files written for a result: none where it is no view. Raises OSError."""
        match result:
            case Tree() | Graph() | Timeline() | Chart():
                self.number += 1
                name = f"{self.number:02d}-{result.variable}-{type(result).__name__.lower()}"
                page, drawing = self.folder / f"{name}.html", self.folder / f"{name}.svg"
                write_whole(page, _page(headline(result), to_html(result)))
                write_whole(drawing, to_svg(result))
                return [page, drawing]
            case _:
                return []


def _page(title: str, body: str) -> str:
    head = html_text(
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", content=POLICY, **{"http-equiv": "Content-Security-Policy"}),
            element("title", title),
            element("style", STYLE),
        )
    )
    return f'<!doctype html>\n<html lang="en">{head}<body>{body}</body></html>\n'
