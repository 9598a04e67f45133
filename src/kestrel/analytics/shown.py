"""What a function of an analytic may return to be shown, as results."""

from __future__ import annotations

import io
import sys
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

from kestrel.analytics.contract import Shown
from kestrel.result import Picture, Table, Text

ROWS = 1000
"""Rows of a shown DataFrame that are kept; the result says how many there are."""


def is_frame(value: Any) -> bool:
    """Whether a value is a pandas DataFrame. pandas is not imported for it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame)


def show(name: str, value: Any) -> Shown | None:
    """A value as a result; None if it is nothing that can be shown.

    HTML is a text with a tag in it, or an object that knows its own (`_repr_html_`, `to_html`).
    """
    match value:
        case Table() | Text() | Picture():
            return value
        case str():
            return html(name, value) if "<" in value else Text(name, value)
        case _ if is_frame(value):
            return _frame(name, value)
        case _ if type(value).__module__.startswith("matplotlib."):
            return _figure(name, value)
    for method in ("_repr_html_", "to_html"):
        made = getattr(value, method, None)
        if callable(made) and not isinstance(value, type):
            text = made()
            if isinstance(text, str):
                return html(name, text)
    return None


def html(name: str, markup: str) -> Picture:
    """HTML, with the words in it for a terminal."""
    words = _Words()
    words.feed(markup)
    words.close()
    text = "\n".join(line for line in (" ".join(p.split()) for p in "".join(words.parts).split("\n")) if line)
    return Picture(name, text or f"HTML of {len(markup):,} characters", html=markup)


class _Words(HTMLParser):
    """The words of an HTML text, a line for each block."""

    BLOCKS = frozenset({"p", "div", "br", "li", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "section"})
    HIDDEN = frozenset({"script", "style", "svg", "head", "template"})

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in self.HIDDEN
        self.parts.append("\n" if tag in self.BLOCKS else "  " if tag in ("td", "th") else "")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = max(0, self.hidden - (tag in self.HIDDEN))

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def _figure(name: str, value: Any) -> Picture | None:
    """A matplotlib figure, or the one some axes stand in, as PNG. It is closed, so that nothing else shows it again."""
    figure = value if hasattr(value, "savefig") else getattr(value, "figure", None)
    if figure is None or not hasattr(figure, "savefig"):
        return None
    sink = io.BytesIO()
    figure.savefig(sink, format="png", bbox_inches="tight")
    titles = [t for t in (axes.get_title() for axes in figure.axes) if t]
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    return Picture(name, f"a figure{': ' + ', '.join(titles) if titles else ''} ({len(sink.getvalue()):,} bytes of PNG)", image=sink.getvalue())


def _frame(name: str, frame: Any) -> Table:
    """A DataFrame with its index, unless that only counts the rows."""
    if any(n is not None for n in frame.index.names):
        frame = frame.reset_index()
    rows = tuple(tuple(_cell(v) for v in row) for row in frame.head(ROWS).itertuples(index=False, name=None))
    return Table(name, tuple(str(c) for c in frame.columns), rows, len(frame))


def _cell(value: Any) -> Any:
    """A value without pandas or numpy in it; missing ones are None."""
    if isinstance(value, list | tuple):
        return [_cell(v) for v in value]
    if hasattr(value, "tolist"):
        return _cell(value.tolist())
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    if value is None or isinstance(value, str | datetime):
        return None if value != value else value
    missing = type(value).__name__ in ("NAType", "NaTType") or value != value
    return None if missing else value
