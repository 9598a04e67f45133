"""The display objects of Kestrel 1.x, for analytics that return them. New ones return text, a figure or a DataFrame as it is."""

from __future__ import annotations

import base64
import io
from typing import Any


class AbstractDisplay:
    """Something that knows its HTML."""

    def to_html(self) -> str:
        raise NotImplementedError


class DisplayHtml(AbstractDisplay):
    def __init__(self, html: str) -> None:
        self.html = html

    def to_html(self) -> str:
        return self.html


class DisplayFigure(AbstractDisplay):
    """A matplotlib figure."""

    def __init__(self, figure: Any) -> None:
        self.figure = figure

    def to_html(self) -> str:
        sink = io.BytesIO()
        self.figure.savefig(sink, format="png", bbox_inches="tight")
        return f'<img src="data:image/png;base64,{base64.b64encode(sink.getvalue()).decode("ascii")}">'


class DisplayDataframe(AbstractDisplay):
    """A pandas DataFrame."""

    def __init__(self, dataframe: Any) -> None:
        self.dataframe = dataframe

    def to_html(self) -> str:
        return str(self.dataframe.to_html())
