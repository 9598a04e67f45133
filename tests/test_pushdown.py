"""The queries to a source for literals with several spellings, and for open time ranges: they never return too little."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest

from kestrel.graph.steps import AttributePath, Operator, TimeRange
from kestrel.graph.steps import Test as Comparison
from kestrel.pushdown.conditions import wanted_by
from kestrel.pushdown.query import RecordQuery
from kestrel.pushdown.request import FetchRequest
from kestrel.sources.stixshifter.pattern import Span

NAME = AttributePath("process", (), "name")


def patterns(operator: Operator, *values: str, escape: str = "") -> list[tuple[str, tuple[Any, ...]]]:
    """The operators and values of every condition that a comparison of process names becomes."""
    query = RecordQuery((), "process", ((Comparison(NAME, operator, values, escape=escape),),), None)
    return [(c.operator, c.values) for wanted in wanted_by(query, None, None) for group in wanted.any_of or () for c in group]


def fits(text: str, condition: tuple[str, tuple[Any, ...]]) -> bool:
    """Whether a text is found, as a server reads `=` (case aside) and LIKE without an escape character."""
    operator, values = condition
    if operator == "=":
        return text.casefold() in [str(v).casefold() for v in values]
    assert operator == "LIKE"
    return any(re.fullmatch("".join({"%": ".*", "_": "."}.get(s, re.escape(s)) for s in str(v)), text, re.I | re.S) for v in values)


@pytest.mark.parametrize("written", ["caf\u00e9.exe", "cafe\u0301.exe", "CAF\u00c9.exe", "\u1ebfx.exe", "\u212a.exe"])
@pytest.mark.parametrize("operator", ["=", "IN", "LIKE"])
def test_a_literal_with_accents_finds_every_spelling(written: str, operator: Operator) -> None:
    asked = patterns(operator, written, "plain.exe")
    for form in ("NFC", "NFD"):
        assert any(fits(unicodedata.normalize(form, written), condition) for condition in asked)
    assert any(fits("plain.exe", condition) for condition in asked)
    assert any(fits("e\u0302\u0301x.exe" if "\u1ebf" in written else written, condition) for condition in asked)


def test_a_plain_literal_is_asked_as_it_is() -> None:
    assert patterns("=", "cmd.exe") == [("=", ("cmd.exe",))]


def test_an_escaped_sign_is_any_one_sign() -> None:
    asked = patterns("LIKE", "100!%!!x%", escape="!")
    assert any(fits("100%!xyz", condition) for condition in asked)
    assert not any(fits("100 and more !x", condition) for condition in asked)


def test_a_number_no_server_takes_is_any_number() -> None:
    query = RecordQuery((), "process", ((Comparison(AttributePath("process", (), "pid"), "<", (2**63,)),),), None)
    assert {c.operator for wanted in wanted_by(query, None, None) for group in wanted.any_of or () for c in group} == {"EXISTS"}


def test_an_open_range_has_no_end() -> None:
    start = datetime(2021, 4, 3, tzinfo=UTC)
    assert FetchRequest.within(TimeRange(start)) == FetchRequest(start, None)
    assert Span.around(FetchRequest.within(TimeRange(start))).words() == "from 2021-04-02T23:59:59.000Z on"
