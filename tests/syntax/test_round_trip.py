"""Printing and parsing any tree gives it back; any text gives a tree or located mistakes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kestrel.errors import HuntErrors
from kestrel.syntax import parse, to_text, tree

words = st.sampled_from(["p", "tasks", "x1", "naïve", "tree", "depth", "any", "records", "chart", "desc", "отчёт"])
word = words.map(tree.Word)
attributes = st.sampled_from(["name", "pid", "parent_ref.name", "hashes.SHA-256", "values[*].name", "hashes.'a b'", "first_observed"])
path = st.builds(tree.Path, st.sampled_from([None, "process", "x-oca-asset"]), attributes)
own_path = st.builds(tree.Path, st.none(), attributes)
moment = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))
texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["C:\\temp\\new\\x.exe", "\\\\srv\\a\\", "'", '"', "\\", "\\??\\C:\\x", "a\nb", "C:\\a\n", "x C:\\a\tb", "\\\\s\n", "%_"]),
)
scalar: st.SearchStrategy[Any] = st.one_of(
    st.builds(tree.Text, texts),
    st.builds(tree.Number, st.one_of(st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False))),
    st.builds(tree.Boolean, st.booleans()),
    st.builds(tree.Time, moment),
    st.builds(tree.Reference, words, st.sampled_from(["pid", "parent_ref.name"])),
    st.builds(tree.Parameter, st.sampled_from(["host", "n1"])),
)
listed = st.lists(scalar, max_size=4).map(lambda items: tree.ListOf(tuple(items)))


def comparison(parts: tuple[tree.Path, str, Any, bool]) -> tree.Comparison:
    where, operator, value, negated = parts
    return tree.Comparison(where, operator, value, negated)  # type: ignore[arg-type]


compared = st.one_of(
    st.tuples(path, st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"]), scalar, st.booleans()),
    st.tuples(path, st.just("IN"), listed, st.booleans()),
).map(comparison)
pattern: st.SearchStrategy[Any] = st.recursive(
    st.one_of(compared, st.builds(tree.IsNull, path, st.booleans())),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda p: tree.And(tuple(p))),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: tree.Or(tuple(p))),
        st.builds(tree.Not, inner),
    ),
    max_leaves=5,
)
where = st.one_of(st.none(), pattern)
time = st.one_of(
    st.none(),
    st.builds(tree.Range, st.builds(tree.Time, moment), st.builds(tree.Time, moment)),
    st.builds(tree.Last, st.integers(0, 999), st.sampled_from(["DAY", "HOUR", "MINUTE", "SECOND"])),
)
limit = st.one_of(st.none(), st.builds(tree.Limit, st.integers(0, 10**6), st.integers(0, 9)))
kind = st.sampled_from(["process", "network-traffic", "x-oca-asset"]).map(tree.Word)
pool = st.one_of(
    st.sampled_from(["stixshifter://host101", "logs/*.json", "~/a.ndjson", "host101", "file:///tmp/a.json"]).map(tree.Pool),
    st.builds(tree.Pool, texts.filter(bool), st.just(True)),
)
sort = st.builds(tree.Sort, own_path, st.booleans())
expression = st.builds(
    tree.Expression,
    word,
    st.sampled_from([None, "TIMESTAMPED", "ADDOBSID", "RECORDS"]),
    where,
    st.lists(own_path, max_size=3).map(tuple),
    st.one_of(st.none(), sort),
    limit,
)
row = st.lists(st.tuples(attributes, st.one_of(st.none(), scalar)), min_size=1, max_size=3).map(tuple)
yielding: st.SearchStrategy[Any] = st.one_of(
    st.builds(tree.Get, kind, st.lists(pool, max_size=2).map(tuple), where, time, limit),
    st.builds(
        tree.Find,
        kind,
        st.sampled_from(["CREATED", "RESOLVED_TO", "LINKED"]).map(tree.Word),
        st.booleans(),
        word,
        st.sampled_from([None, 1, 3, "ANY"]),
        where,
        time,
        limit,
    ),
    st.builds(tree.New, st.one_of(st.none(), kind), st.one_of(st.lists(scalar, max_size=3), st.lists(row, max_size=3)).map(tuple)),
    st.builds(tree.Load, pool, st.one_of(st.none(), kind)),
    st.builds(tree.SortBy, word, sort),
    st.builds(tree.Join, word, word, st.one_of(st.none(), st.tuples(own_path, own_path))),
    st.lists(word, min_size=2, max_size=4).map(lambda v: tree.Merge(tuple(v))),
    expression,
)
statement: st.SearchStrategy[Any] = st.one_of(
    st.builds(tree.Assign, word, yielding),
    st.builds(tree.Disp, expression, st.sampled_from([None, "TREE", "TABLE"])),
    st.builds(tree.Info, word),
    st.builds(tree.Explain, word),
    st.builds(tree.Describe, word, own_path.filter(lambda p: "'" not in p.attribute)),
    st.builds(tree.Save, word, pool),
)
hunts = st.lists(statement, max_size=4).map(lambda s: tree.Hunt(tuple(s)))

HUNT = r"""
sp = GET process FROM stixshifter://host101 WHERE [process:name = 'svchost.exe']
     START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'
tasks = FIND process CREATED BY sp WHERE pid IN (1, sp.pid) OR NOT (name LIKE '%a') LIMIT 3  # these
n = NEW process [{"name": "cmd.exe", "pid": 12}, {"name": null}]
g = GROUP sp BY BIN(first_observed, 5 m) WITH COUNT(pid) AS n
APPLY python://x ON a WITH x=abc, y=[1,2]
DISP TIMESTAMPED(sp) ATTR name, pid SORT BY pid ASC LIMIT 2 OFFSET 1
"""


@settings(max_examples=250, deadline=None)
@given(hunts)
def test_any_tree_is_read_back_as_it_was(hunt: tree.Hunt) -> None:
    text = to_text(hunt)
    assert parse(text) == hunt
    assert to_text(parse(text)) == text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_a_tree_or_mistakes(text: str) -> None:
    reads_or_tells(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_hunts_give_a_tree_or_mistakes(data: st.DataObject) -> None:
    text = HUNT
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        end = min(len(text), place + data.draw(st.integers(0, 8)))
        put = data.draw(st.one_of(st.just(""), st.text(max_size=3), st.sampled_from(["(", ")", "[", "'", "WHERE ", "#", "=", ","])))
        text = text[:place] + put + text[end:]
    reads_or_tells(text)


def reads_or_tells(text: str) -> None:
    try:
        parse(text)
    except HuntErrors as mistakes:
        assert mistakes.errors and all(e.span is not None and 0 <= e.span.start <= len(text) for e in mistakes.errors)
        assert str(mistakes)


@pytest.mark.parametrize("text", ["x = a WHERE " + "(" * 10_000, "x = a WHERE " + "NOT " * 10_000, "x = a WHERE n IN " + "(" * 10_000])
def test_deep_brackets_are_told(text: str) -> None:
    with pytest.raises(HuntErrors) as caught:
        parse(text)
    assert caught.value.errors[0].code == "K0106"


def test_windows_paths_stay_as_written() -> None:
    inside = parse(r"x = GET process FROM a WHERE [name = 'C:\temp\new']")
    outside = parse(r"x = GET process FROM a WHERE name = 'C:\temp\new'")
    assert inside == outside
    assert outside.notices and not inside.notices


def test_every_statement_with_a_mistake_is_reported() -> None:
    with pytest.raises(HuntErrors) as caught:
        parse("a = GET process WHERE\nDISP p ATTR\nINFO\nx = NEW ['a']\n")
    assert [(e.code, caught.value.source.position(e.span.start)[0]) for e in caught.value.errors if e.span] == [
        ("K0101", 2),
        ("K0101", 3),
        ("K0101", 4),
    ]


def test_comments_and_empty_lines_stay_where_they_were() -> None:
    text = "# first\np = NEW ['a']  # why\n\n\n# then\nDISP p  # so\nINFO p\n# last\n"
    assert to_text(parse(text)) == "# first\np = NEW ['a']  # why\n\n# then\nDISP p  # so\nINFO p\n# last\n"


def test_comments_within_a_statement_are_kept() -> None:
    text = "p = GET process FROM a  # here\n    # there\n    WHERE name = 'x'  # done\nDISP p\n"
    printed = to_text(parse(text))
    assert [printed.count(c) for c in ("# here", "# there", "# done")] == [1, 1, 1]
    assert parse(printed) == parse(text)
