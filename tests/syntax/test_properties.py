"""Any tree is written and read back as it was; any text is a hunt or located mistakes, never another failure."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestrel.errors import HuntErrors
from kestrel.syntax import parse, to_text, tree
from tests.examples import examples

Strategy = st.SearchStrategy[Any]

NAMES = ["p", "Tasks", "x1", "_", "naïve", "отчёт", "tree", "graph", "chart", "depth", "any", "records", "timestamped", "last"]
NAMES += ["desc", "asc", "offset", "bin", "count", "to", "on", "as", "with", "null", "true", "t", "r", "days"]
HOSTILE = ["", " ", "'", '"', "\\", "\\'", "\\\\", "a\nb", "\r", "\t", "\x00", "\x7f", "\u200b", "\u2028", "\ud800", "\U0001f985", "#", "$x", "%_"]
HOSTILE += ["C:\\temp\\new.exe", "C:\\a\n", "C:\n", "x C:\\a\tb", "\\\\srv\\tools\\x", "\\\\s\n", "\\??\\C:\\x\t", "\\n:\\t", "\n:\\\t", "\\x41:\\\n"]
HOSTILE += ["v.pid", "true", "12", "t'2021-04-03'", "a' OR pid = 4", "日本", "\\N{BULLET}", "\\u0041", "\\101", "WHERE"]

name = st.sampled_from(NAMES)
word = name.map(tree.Word)
kind = st.sampled_from(["process", "network-traffic", "x-oca-asset", "tree"]).map(tree.Word)
plain = st.sampled_from(["name", "pid", "parent_ref.name", "hashes.SHA-256", "first_observed", "depth", "any", "event.original"])
attribute = st.one_of(plain, st.sampled_from(["values[*].name", "hashes.'a b'", "extensions.'a.b'.c", 'a."it\'s"']))
path = st.builds(tree.Path, st.sampled_from([None, "process", "x-oca-asset"]), attribute)
text = st.one_of(st.text(max_size=20), st.sampled_from(HOSTILE), st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join))
parameter = st.builds(tree.Parameter, st.sampled_from(["host", "n1", "имя"]))
moment = st.datetimes().map(lambda t: tree.Time(t.replace(tzinfo=UTC)))
scalar: Strategy = st.one_of(
    st.builds(tree.Text, text),
    st.builds(tree.Number, st.one_of(st.integers(), st.integers(-(10**3000), 10**3000), st.floats(allow_nan=False, allow_infinity=False))),
    st.builds(tree.Boolean, st.booleans()),
    moment,
    st.builds(tree.Reference, name, plain),
    parameter,
)
listed = st.lists(scalar, max_size=4).map(lambda items: tree.ListOf(tuple(items)))
comparison = st.one_of(
    st.builds(tree.Comparison, path, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), scalar, st.booleans()),
    st.builds(tree.Comparison, path, st.sampled_from(["LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"]), st.one_of(scalar, listed), st.booleans()),
    st.builds(tree.Comparison, path, st.just("LIKE"), text.map(tree.Text), st.booleans(), st.sampled_from(["!", "\\", "'", "\u00e9"])),
    st.builds(tree.Comparison, path, st.just("IN"), st.one_of(listed, parameter, st.builds(tree.Reference, name, plain)), st.booleans()),
)
pattern: Strategy = st.recursive(
    st.one_of(comparison, st.builds(tree.IsNull, path, st.booleans())),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda p: tree.And(tuple(p))),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: tree.Or(tuple(p))),
        st.builds(tree.Not, inner),
    ),
    max_leaves=6,
)
count = st.one_of(st.integers(0, 10**12), parameter)
where = st.one_of(st.none(), pattern)
span = st.one_of(
    st.none(),
    st.builds(tree.Range, st.one_of(moment, parameter), st.one_of(moment, parameter, st.none())),
    st.builds(tree.Last, count, st.sampled_from(["DAY", "HOUR", "MINUTE", "SECOND"])),
)
limit = st.one_of(st.none(), st.builds(tree.Limit, count))
paged = st.one_of(limit, st.builds(tree.Limit, count, count))
source_text = st.one_of(
    st.builds(tree.SourceText, st.sampled_from(["stixshifter://host101", "elastic://prod", "logs/*.json", "~/a.ndjson", "file:///tmp/a.json"])),
    st.builds(tree.SourceText, name),
    st.builds(tree.SourceText, text, st.just(True)),
    st.builds(tree.SourceText, parameter),
)
sort = st.builds(tree.Sort, path, st.booleans())
expression = st.builds(
    tree.Expression,
    word,
    st.sampled_from([None, "TIMESTAMPED", "ADDOBSID", "RECORDS"]),
    where,
    st.lists(path, max_size=3).map(tuple),
    st.one_of(st.none(), sort),
    paged,
)
filtered = scalar.map(lambda value: tree.Expression(tree.Word("p"), where=tree.Comparison(tree.Path(None, "pid"), "=", value)))
row = st.lists(st.tuples(st.one_of(attribute, text), st.one_of(st.none(), scalar, listed)), max_size=3).map(tuple)
rows = st.one_of(st.lists(scalar, max_size=3), st.lists(row, max_size=3)).map(tuple)
binned = st.builds(
    tree.Bin, path, st.one_of(st.integers(1, 10**5), st.sampled_from([0.5, 2.25])), st.sampled_from([None, "DAY", "HOUR", "MINUTE", "SECOND"])
)
aggregation = st.builds(tree.Aggregation, st.sampled_from(["MIN", "MAX", "SUM", "AVG", "COUNT", "NUNIQUE"]), path, st.one_of(st.none(), name))
verb = st.sampled_from(["CREATED", "RESOLVED_TO", "WRITTEN", "LINKED"]).map(tree.Word)
depth = st.one_of(st.none(), st.integers(1, 99), st.just("ANY"))
yielding: Strategy = st.one_of(
    st.builds(tree.Get, kind, st.lists(source_text, max_size=3).map(tuple), where, span, limit),
    st.builds(tree.Find, kind, verb, st.booleans(), word, depth, where, span, limit),
    st.builds(tree.New, st.one_of(st.none(), kind), rows),
    st.builds(tree.Load, source_text, st.one_of(st.none(), kind)),
    st.builds(tree.SortBy, word, sort),
    st.builds(tree.Group, word, st.lists(st.one_of(path, binned), min_size=1, max_size=3).map(tuple), st.lists(aggregation, max_size=3).map(tuple)),
    st.builds(tree.Join, word, word, st.one_of(st.none(), st.tuples(path, path))),
    st.tuples(st.lists(st.one_of(word, filtered), min_size=1, max_size=3), word).map(lambda v: tree.Merge((*v[0], v[1]))),
    expression,
)
standing = yielding.filter(lambda y: not isinstance(y, tree.Expression | tree.Merge))
argument = st.builds(tree.Argument, name, st.one_of(scalar, listed))
statement: Strategy = st.one_of(
    st.builds(tree.Assign, word, yielding),
    st.builds(tree.Assign, st.none(), standing),
    st.builds(tree.Give, name, st.one_of(scalar, listed)),
    st.builds(tree.Apply, source_text, st.lists(word, min_size=1, max_size=3).map(tuple), st.lists(argument, max_size=3).map(tuple)),
    st.builds(tree.Save, word, source_text, st.booleans()),
    st.builds(tree.Disp, expression, st.sampled_from([None, "TREE", "GRAPH", "TIMELINE", "CHART", "TABLE"])),
    st.builds(tree.Info, word),
    st.builds(tree.Describe, word, st.builds(tree.Path, st.none(), attribute)),
    st.builds(tree.Explain, word),
)
hunt = st.lists(statement, max_size=4).map(lambda s: tree.Hunt(tuple(s)))

HUNTS = [
    """
sp    = GET process FROM stixshifter://host101
        WHERE [process:name = 'svchost.exe']
        START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'
sched = GET process FROM sp WHERE command_line LIKE '%-s Schedule%'
tasks = FIND process CREATED BY sched
DISP tasks ATTR name, command_line
""",
    r"""
# who wrote it
p = GET process FROM stixshifter://a,b, logs/*.json WHERE (name IN ('a', ("b")) OR NOT (pid >= 0x1F)) AND path = 'C:\temp\new' LAST 3 days
c = FIND network-traffic CREATED BY p DEPTH ANY WHERE dst_ref.value NOT ISSUBSET '10.0.0.0/8' LIMIT 5  # outside
g = GROUP c BY BIN(first_observed, 5m), dst_port WITH COUNT(src_port) AS n, MAX(dst_port)
n = NEW process [{"name": "cmd.exe", "pid": 12}, {"name": null}]
j = JOIN p, n BY pid, parent_ref.pid
u = p + n + $x
APPLY python://score ON p, c WITH x=abc, y=[1,2], z=p.pid
SAVE p TO 'out dir/p.parquet'
DISP TIMESTAMPED(p) WHERE hashes.'SHA-256' IS NOT NULL ATTR name, pid SORT BY pid ASC LIMIT 2 OFFSET 1 AS TABLE
DESCRIBE p.pid
EXPLAIN p
""",
]
PIECES = ["(", ")", "[", "]", "{", "}", "'", '"', "\\", ",", "=", "==", "#", "$", "+", "t'", "r'", "://", "\n", "\r", "\t", "\ufeff", "0x", "1e999"]
PIECES += [" WHERE ", " AND ", " NOT ", " FROM ", " LIMIT ", " OFFSET ", " START ", " LAST ", " BY ", " AS ", " SORT ", "GET ", "DISP ", "x = "]


def reads_or_tells(text: str) -> None:
    """A hunt that is written and read back as it was, or mistakes that lie within the text."""
    try:
        read = parse(text)
    except HuntErrors as mistakes:
        assert mistakes.errors and str(mistakes)
        assert all(e.span is not None and 0 <= e.span.start <= len(text) for e in mistakes.errors)
        return
    comes_back(read)


def comes_back(hunt: tree.Hunt) -> None:
    written = to_text(hunt)
    assert parse(written) == hunt
    assert to_text(parse(written)) == written


@examples(400)
@given(hunt)
def test_any_tree_comes_back(hunt: tree.Hunt) -> None:
    comes_back(hunt)


@examples(400)
@given(text, st.sampled_from(["x = a WHERE name = {}", "x = NEW [{}]", "DISP a WHERE name IN ({}, 'b')", "x = LOAD {}"]))
def test_any_string_comes_back(value: str, frame: str) -> None:
    written = to_text(tree.Hunt((tree.Disp(tree.Expression(tree.Word("v"), where=tree.IsNull(tree.Path(None, "name")))),)))
    assert written == "DISP v WHERE name IS NULL\n"
    literal = to_text(tree.Hunt((tree.Assign(None, tree.New(None, (tree.Text(value),))),)))[len("NEW [") : -len("]\n")]
    assert "\n" not in literal
    comes_back(parse(frame.format(literal)))
    assert not parse(frame.format(literal)).notices


@examples(400)
@given(st.text(max_size=80))
def test_any_text_reads_or_tells(text: str) -> None:
    reads_or_tells(text)


@examples(400)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(NAMES), text), max_size=20).map("".join))
def test_any_heap_of_words_reads_or_tells(text: str) -> None:
    reads_or_tells(text)


@examples(600)
@given(st.data())
def test_a_damaged_hunt_reads_or_tells(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(HUNTS))
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = min(len(text), begin + data.draw(st.integers(0, 8)))
        put = data.draw(st.one_of(st.just(""), st.just(text[begin:end] * 2), st.sampled_from(PIECES), st.text(max_size=3)))
        text = text[:begin] + put + text[end:]
    reads_or_tells(text)


@pytest.mark.parametrize("opening", ["(", "[", "NOT ", "NOT (", "n IN (", "n IN [", "a = 1 AND ("])
def test_ten_thousand_levels_are_told_at_once(opening: str) -> None:
    with pytest.raises(HuntErrors) as caught:
        parse("x = a WHERE " + opening * 10_000)
    assert caught.value.errors
