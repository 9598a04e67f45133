"""A page of documents becomes lines that say the same, however the server spells them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.json import decode

from kestrel.sources.elastic.page import Page

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
    assert hit.line().count(b"\n") == 1
    assert json.loads(hit.line()) == {"_index": 'a"b', "_id": "c/ü", **json.loads(source)}
    assert hit.sort == [7, "x"]


@pytest.mark.parametrize("told", ['"_source": null, ', ""])
def test_a_document_without_source_has_its_place_only(told: str) -> None:
    answer = f'{{"hits": {{"hits": [{{"_index": "a", {told}"_id": "b"}}]}}}}'
    (hit,) = decode(answer.encode(), type=Page).hits.hits
    assert json.loads(hit.line()) == {"_index": "a", "_id": "b"}


@pytest.mark.parametrize("answer", [b"{}", b'{"took": 1}', b'{"took": 1, "hits": {}}'])
def test_a_page_may_be_empty(answer: bytes) -> None:
    page: Any = decode(answer, type=Page)
    assert page.hits.hits == [] and page.shards is None
