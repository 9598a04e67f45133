"""Results as HTML that does nothing, whatever the logs and the analytics say."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from kestrel.display.html import LONGEST, ROWS, to_html
from kestrel.display.markup import html_text
from kestrel.display.notebook import DATA, bundle, packed, unpacked
from kestrel.display.sanitizer import cleaned
from kestrel.result import (
    Asked,
    Attribute,
    Description,
    Explanation,
    Failure,
    Info,
    Made,
    Notice,
    Picture,
    Result,
    Summary,
    Table,
    Text,
)

BAD = "<script>alert(1)</script><img src='http://x.example/y' onerror=z>&\u202e\x1b[2J"
NOW = datetime(2021, 4, 3, 1, 2, 3, 456000, tzinfo=UTC)
RESULTS: list[Result] = [
    Table(BAD, (BAD, "n"), ((BAD, 1), ([BAD, BAD], None)), 2, BAD),
    Table(BAD, (BAD,), (), 0),
    Info(BAD, "process", 2, 3, NOW, NOW, (BAD,), (Attribute(BAD, 1, BAD), Attribute(BAD, 0, None)), (f"FIND process {BAD}",), BAD),
    Description(BAD, BAD, (("entities", 2), ("lowest", BAD)), ((BAD, 2),)),
    Explanation(BAD, (BAD,), ((BAD, BAD, BAD),)),
    Summary((Made(BAD, BAD, 1, 1, NOW, None, (BAD,)),), 0.5, (Asked(BAD, 1, 2, 3, 0.1, 0.0),)),
    Notice("code", BAD),
    Failure("K0001", BAD, BAD, 1, 1, BAD),
    Text(BAD, BAD),
    Picture(BAD, BAD),
    Picture(BAD, BAD, html=f"<table><tr><td onclick='x()'>{BAD}</td></tr></table><a href='http://x.example'>link</a>"),
    Picture(BAD, BAD, svg=f"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>{BAD}"),
    Picture(BAD, BAD, image=b"\x89PNG"),
]


class Reader(HTMLParser):
    """The tags and the attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: type(r).__name__)
def test_no_text_becomes_markup(result: Result) -> None:
    page = Reader(to_html(result))
    assert not page.tags & {"script", "iframe", "a", "svg", "style", "link", "object", "form"}
    assert all(value.startswith("data:image/") for name, value in page.attributes if name in ("src", "href"))
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "\u202e" not in page.words and "\x1b" not in page.words


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: type(r).__name__)
def test_every_result_has_its_siblings(result: Result) -> None:
    found = bundle(result)
    image = isinstance(result, Picture) and result.image is not None
    assert {"text/plain", "image/png" if image else "text/html"} <= set(found)
    assert (DATA in found) == (not isinstance(result, Picture))
    assert "\x1b" not in found["text/plain"]


def test_a_table_writes_its_first_rows_and_says_so() -> None:
    page = Reader(to_html(Table("v", ("n",), tuple((n,) for n in range(ROWS + 5)), 900)))
    assert f"{ROWS} of 900 rows" in page.words and str(ROWS) not in page.words.replace(f"{ROWS} of 900 rows", "")


def test_a_long_value_opens() -> None:
    value = "x" * LONGEST + "the end"
    page = Reader(to_html(Table("v", ("a",), ((value,),), 1)))
    assert "details" in page.tags and value in page.words


def test_numbers_stand_to_the_right_and_missing_values_are_empty() -> None:
    text = to_html(Table("v", ("pid", "name"), ((1, None), (None, "a")), 2))
    assert text.count("text-align:right") == 3 and "None" not in text


def test_times_are_utc() -> None:
    assert "2021-04-03T01:02:03.456Z" in to_html(Table("v", ("t",), ((NOW,),), 1))


def test_what_an_analytic_draws_keeps_what_shows_something() -> None:
    text = html_text(cleaned("<h2>Found</h2><ul><li>one<li>two</ul><p style='background:url(http://x)'>a &amp; b<br>c</p></section><b>bold"))
    page = Reader(text)
    assert {"h2", "ul", "li", "p", "br", "b"} <= page.tags and "a & b" in page.words
    assert "http" not in text and "style" not in text


def test_what_stands_in_a_script_is_left_out() -> None:
    assert Reader(html_text(cleaned("before<script>if (a < b) { x('</b>') }</script>after"))).words == "beforeafter"


def test_packing_loses_nothing_and_is_the_same_every_time() -> None:
    data = {"kind": "table", "rows": [[f"größe {n}", n, None] for n in range(2000)]}
    assert unpacked(packed(data)) == data and packed(data) == packed(data) and set(packed(data)) == {"kind", "packed"}
    assert packed({"kind": "notice", "code": "x"}) == {"kind": "notice", "code": "x"}
