"""A page of documents becomes lines that say the same, however the server spells them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.json import decode

from kestrel.sources.elastic.page import Page, read_page

SOURCES = {
    "as it was sent": '{"a": {"b": "x"},\n  "c": [1,\r\n 2.50]}',
    "a text with signs of its own": '{"a": "line\\nbreak \\u00e9 \\"_source\\":{} },{\\"_index\\":", "b": "é\u2028"}',
    "numbers no machine holds": '{"a": 123456789012345678901234567890, "b": 1.0000000000000000001}',
    "deep": '{"a": ' + "[" * 100 + "]" * 100 + "}",
    "its own place": '{"n": {"_index": "other", "_id": "0"}}',
    "nothing": "{}",
    "nothing, spread": "{ \n }",
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_document_is_one_line_with_its_place(source: str) -> None:
    answer = f'{{"took": 3, "hits": {{"hits": [{{"_index": "a\\"b", "_id": "c/ü", "_source": {source}, "sort": [7, "x"]}}]}}}}'
    (hit,) = decode(answer.encode(), type=Page).hits.hits
    line = hit.line()
    assert line is not None and line.count(b"\n") == 1
    assert json.loads(line) == {"_index": 'a"b', "_id": "c/ü", **json.loads(source)}
    assert hit.sort == [7, "x"]


@pytest.mark.parametrize(("source", "is_kept"), [('"_source": null, ', True), ('"_source": ["a"], ', True), ('"_source": "a", ', True), ("", False)])
def test_what_is_not_an_object_is_no_line(source: str, is_kept: bool) -> None:
    answer = f'{{"hits": {{"hits": [{{"_index": "a", {source}"_id": "b"}}]}}}}'
    (hit,) = decode(answer.encode(), type=Page).hits.hits
    assert hit.line() is None and hit.is_kept is is_kept


@pytest.mark.parametrize(
    ("written", "formatted", "expected"),
    [
        ("1709632800000", ["2024-03-05T10:00:00.000Z"], "2024-03-05T10:00:00.000Z"),
        ('"05/03/2024 10:00"', ["2024-03-05T10:00:00.000Z"], "2024-03-05T10:00:00.000Z"),
        ('"2024-03-05"', ["2024-03-05T00:00:00.000Z"], "2024-03-05T00:00:00.000Z"),
        ('"2024-03-05T10:00:00.123456789Z"', ["2024-03-05T10:00:00.123456789Z"], "2024-03-05T10:00:00.123456789Z"),
        ('"2024-03-05T12:00:00+02:00"', ["2024-03-05T10:00:00.000Z"], "2024-03-05T12:00:00+02:00"),
        ('"yesterday"', None, "yesterday"),
        ("null", None, None),
    ],
)
def test_a_time_is_what_the_server_understands_by_it(written: str, formatted: Any, expected: Any) -> None:
    known = f'"fields": {{"@timestamp": {json.dumps(formatted)}}}, ' if formatted else ""
    answer = f'{{"hits": {{"hits": [{{"_index": "a", "_id": "b", {known}"_source": {{"x": 1.50, "@timestamp": {written}, "y": [null]}}}}]}}}}'
    (hit,) = decode(answer.encode(), type=Page).hits.hits
    line = hit.line()
    assert line is not None
    assert json.loads(line) == {"_index": "a", "_id": "b", "x": 1.5, "@timestamp": expected, "y": [None]}


def page_of(*hits: bytes) -> bytes:
    return (
        b'{"took": 1, "timed_out": false, "_shards": {"total": 1, "successful": 1, "failed": 0}, "hits": {"total": {"value": 3}, "hits": [%b]}}'
        % (b", ".join(hits))
    )


GOOD = b'{"_index": "a", "_id": "1", "_source": {"x": 1}, "sort": [1]}'


@pytest.mark.parametrize(
    "bad",
    [
        b'{"_index": "a", "_id": "2", "_source": {"x": NaN}, "sort": [2]}',
        b'{"_index": "a", "_id": 2, "_source": {}}',
        b"7",
        b"null",
        b'{"_source": {}}',
    ],
)
def test_an_invalid_hit_costs_no_other(bad: bytes) -> None:
    page = read_page(page_of(GOOD, bad, GOOD))
    assert page is not None and len(page.hits.hits) + page.broken == 3 and page.shards == {"total": 1, "successful": 1, "failed": 0}
    assert [json.loads(h.line() or b"") for h in (page.hits.hits[0], page.hits.hits[-1])] == [{"_index": "a", "_id": "1", "x": 1}] * 2


@pytest.mark.parametrize("answer", [page_of(GOOD)[:-20], b"<html>", b'{"hits": {"hits": {}}}', b"[]", b"", b"\xff\xfe"])
def test_what_is_no_page_is_none(answer: bytes) -> None:
    assert read_page(answer) is None


@pytest.mark.parametrize("answer", [b"{}", b'{"took": 1}', b'{"took": 1, "hits": {}}'])
def test_a_page_may_be_empty(answer: bytes) -> None:
    page: Any = decode(answer, type=Page)
    assert page.hits.hits == [] and page.shards is None
