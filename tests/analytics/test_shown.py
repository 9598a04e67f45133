"""What an analytic shows, on a terminal and as JSON."""

from __future__ import annotations

import base64
import io
import json

from rich.console import Console

from kestrel.analytics.shown import html
from kestrel.display.jsonlines import to_line
from kestrel.display.terminal import show
from kestrel.result import Picture, Result, Text


def printed(result: Result) -> str:
    sink = io.StringIO()
    show(Console(file=sink, width=80), result)
    return sink.getvalue()


def test_text_cannot_steer_a_terminal() -> None:
    assert printed(Text("exec://a", "one\n\ttwo \x1b[31m[bold]")) == "exec://a:\n  one\n          two \\x1b[31m[bold]\n\n"
    assert json.loads(to_line(Text("exec://a", "one\ntwo"))) == {"kind": "text", "name": "exec://a", "text": "one\ntwo"}


def test_html_has_its_words_on_a_terminal() -> None:
    picture = html("python://a", "<h1>Two &amp; more</h1><style>p {}</style><table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>")
    assert printed(picture) == "python://a:\n  Two & more\n  a b\n  c\n\n"
    assert html("python://a", "<canvas></canvas>").text == "HTML of 17 characters"


def test_an_image_as_json() -> None:
    found = json.loads(to_line(Picture("docker://a", "an image", image=b"\x89PNG")))
    image = base64.b64encode(b"\x89PNG").decode()
    assert found == {"kind": "picture", "name": "docker://a", "text": "an image", "html": None, "image": image, "svg": None}
