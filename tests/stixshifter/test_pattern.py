"""STIX patterns of what is wanted, read by another parser of STIX."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stix2.pattern_visitor import create_pattern_object

from kestrel.pushdown.request import FetchRequest, FieldPredicate
from kestrel.sources.stixshifter.pattern import TOGETHER, Known, Pattern, Span, apart, everything, literal, patterns_of

DAY = (datetime(2021, 4, 3, tzinfo=UTC), datetime(2021, 4, 4, tzinfo=UTC))
ANY = Known()
GUID = "{3DDC5665-E7CD-5F51-0000-001000000000}"


def parsed(pattern: Pattern) -> Any:
    return create_pattern_object(pattern.text(), version="2.1")


def values(of: Any) -> list[Any]:
    """Every constant of a parsed observation expression."""
    found = []
    for part in getattr(of, "operands", [of]):
        found += values(part) if hasattr(part, "operands") and not hasattr(part, "rhs") else [part.rhs.value]
    return found


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_every_text_is_a_constant_of_its_value(text: str) -> None:
    found = create_pattern_object(f"[process:name = {literal(text)}]", version="2.1")
    assert re.sub(r"\\(.)", r"\1", found.operand.rhs.value) == text


def test_everything_is_one_observation_in_a_range() -> None:
    (pattern,) = patterns_of(FetchRequest(*DAY), ANY) or []
    read = parsed(pattern)
    assert read.observation_expression.operand.operator == "OR"
    assert pattern.text().endswith("START t'2021-04-02T23:59:59.000Z' STOP t'2021-04-04T00:00:02.000Z'")


@given(st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)), st.integers(0, 10**12), st.integers(-12, 12))
def test_a_range_holds_what_is_wanted(start: datetime, length: int, offset: int) -> None:
    begin = start.replace(tzinfo=timezone(timedelta(hours=offset)))
    end = begin + timedelta(microseconds=length)
    span = Span.around(FetchRequest(begin, end))
    assert span.start <= begin and end <= span.stop
    assert span.start.utcoffset() == span.stop.utcoffset() == timedelta(0)


def test_halves_leave_no_gap() -> None:
    span, steps = Span.around(FetchRequest(*DAY)), 0
    while halves := span.halves():
        first, second = halves
        assert (first.start, first.stop, second.stop) == (span.start, second.start, span.stop) and first.stop.microsecond % 1000 == 0
        span, steps = first, steps + 1
    assert steps > 20 and span.stop - span.start <= timedelta(milliseconds=2)
    assert Span(DAY[0], DAY[0] + timedelta(milliseconds=1)).halves() is None


def test_only_what_the_mapping_knows_is_asked() -> None:
    known = Known(frozenset({"process:name", "process:pid", "ipv4-addr:value", "process:x_strange"}))
    assert everything(known) == ["process:name LIKE '%'", "process:pid >= 0", "ipv4-addr:value LIKE '%'"]
    assert everything(Known(frozenset({"process:name"}), frozenset({"ComparisonComparators.Matches"}))) == ["process:name MATCHES '.*'"]


def test_each_type_may_have_a_pattern_of_its_own() -> None:
    known = Known(frozenset({"process:name", "process:pid", "ipv4-addr:value"}))
    (whole,) = patterns_of(FetchRequest(*DAY), known) or []
    assert [p.comparisons for p in apart(whole, known)] == ["process:name LIKE '%' OR process:pid >= 0", "ipv4-addr:value LIKE '%'"]


def test_identities_are_asked_in_every_spelling_and_in_parts() -> None:
    ids = tuple(f"{{3DDC5665-E7CD-5F51-{n:04X}-001000000000}}" for n in range(120))
    wanted = FetchRequest(None, DAY[0], ((FieldPredicate(("process.x_unique_id",), "=", ids),),), ("process-create",))
    patterns = patterns_of(wanted, ANY) or []
    assert len(patterns) == -(-240 // TOGETHER)
    asked = {v for p in patterns for v in values(parsed(p).observation_expression.operand)}
    assert asked == {*ids, *(i.lower() for i in ids)}


def test_kinds_are_asked_where_one_and_may_hold_several_types() -> None:
    wanted = FetchRequest(None, DAY[0], ((FieldPredicate(("process.x_unique_id",), "=", (GUID,)),),), ("process-create",))
    (narrow,) = patterns_of(wanted, Known(across=True)) or []
    assert "AND (x-oca-event:code = '1' OR x-oca-event:category = 'start'" in narrow.comparisons
    (wide,) = patterns_of(wanted, Known(across=False)) or []
    assert "x-oca-event" not in wide.comparisons


@pytest.mark.parametrize(
    "condition",
    [
        FieldPredicate(("process.command_line",), "=", ("x",)),
        FieldPredicate(("process.x_unique_id",), "LIKE", ("%x%",)),
        FieldPredicate(("process.name",), "=", ("Cmd.exe",)),
        FieldPredicate(("process.pid",), "=", ("not a number",)),
        FieldPredicate(("process.x_unique_id", "process.name"), "=", (GUID,)),
    ],
)
def test_what_cannot_be_said_without_losing_something_is_not_said(condition: FieldPredicate) -> None:
    assert patterns_of(FetchRequest(*DAY, ((condition,),)), ANY) is None
    both = patterns_of(FetchRequest(*DAY, ((condition, FieldPredicate(("process.pid",), "=", (4,))),)), ANY) or []
    assert [p.comparisons for p in both] == ["process:pid = 4"]


def test_what_will_do_as_well_is_asked_too_or_nothing_is() -> None:
    pid = FieldPredicate(("process.pid",), "=", (4,))
    both = patterns_of(FetchRequest(*DAY, ((FieldPredicate(("parent.pid",), ">", (9,), (pid,)),),)), ANY) or []
    assert [p.comparisons for p in both] == ["process:parent_ref.pid > 9 OR process:pid = 4"]
    name = FieldPredicate(("process.name",), "LIKE", ("a%",))
    assert patterns_of(FetchRequest(*DAY, ((FieldPredicate(("parent.pid",), ">", (9,), (pid, name)),),)), ANY) is None
