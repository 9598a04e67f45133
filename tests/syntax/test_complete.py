"""What may follow at every kind of place, in text that parses and in text that does not."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestrel.syntax import parse
from kestrel.syntax.complete import Completion, complete
from kestrel.syntax.context import Attribute, Context, EntityType, Reference, Relation, Variable
from kestrel.syntax.grammar import AGGREGATIONS, CLAUSES_OF, COMMANDS, OFFERED_UNITS, OPERATORS, TRANSFORMS, VIEWS
from kestrel.syntax.help import Help, help_at
from kestrel.syntax.offers import keywords

EVERY = {"id": Attribute(), "first_observed": Attribute("when it was first seen", "time"), "number_observed": Attribute("", "number")}
TYPES = {
    "process": EntityType(
        "a program that ran",
        {"name": Attribute("its file name"), "pid": Attribute("its number", "number"), "command_line": Attribute(), **EVERY},
        {
            "parent_ref": Reference("process", "who started it"),
            "binary_ref": Reference("file"),
            "opened_connection_refs": Reference("network-traffic"),
        },
    ),
    "file": EntityType("a file", {"name": Attribute(), "hashes.MD5": Attribute("the MD5 digest"), **EVERY}),
    "network-traffic": EntityType("a conversation", {"dst_port": Attribute("", "number"), **EVERY}, {"dst_ref": Reference("ipv4-addr")}),
    "ipv4-addr": EntityType("an address", {"value": Attribute(), **EVERY}),
}
RELATIONS = {
    "CREATED": Relation((("process", "process"), ("process", "network-traffic")), about="began it"),
    "WROTE": Relation((("process", "file"),), "WRITTEN"),
    "LINKED": Relation(()),
}
FIRST, LAST = datetime(2021, 4, 3, 1, 2, 3, 500000, tzinfo=UTC), datetime(2021, 4, 4, tzinfo=UTC)
CONTEXT = Context(
    types=TYPES,
    type_aliases={"event": "x-oca-event"},
    aliases={"process.pid": "process:pid"},
    relations=RELATIONS,
    variables={
        "f": Variable("file"),
        "p": Variable("process", {"command_line": 1.0, "name": 0.5, "pid": 0.0, "parent_ref.pid": 1.0, "x_more": None}, 3, 5, FIRST, LAST),
        "n": Variable("network-traffic"),
    },
    schemes=("file", "stixshifter"),
    profiles=lambda: ["host101", "lab"],
    analytics=("scoring", "tagging"),
    parameters=("day",),
    files=lambda written: [f for f in ("a.json", "b c.json", "logs/", "logs/d.json") if f.startswith(written)],
    now=datetime(2022, 1, 2, 12, tzinfo=UTC),
)


def at(marked: str) -> Completion:
    """Completion where the `|` is."""
    before, after = marked.split("|")
    return complete(before + after, len(before), CONTEXT)


def offered(marked: str) -> list[str]:
    return [i.text for i in at(marked).items]


@pytest.mark.parametrize(
    ("marked", "there", "absent"),  # `~` is a space inside an item
    [
        # statements
        ("|", "GET FIND DISP p n f", "process AND"),
        ("p = NEW ['a']\n|", "GET DISP p", "name"),
        ("  gE|", "GET", "GROUP"),
        ("v|", "", "GET"),
        ("v |", "=", "GET"),
        ("v = |", "GET FIND p TIMESTAMPED(", "DISP process"),
        ("v = G|", "GET GROUP", "FIND p"),
        ("DISP p|", "p", "n WHERE"),
        ("INFO |", "p n f", "WHERE GET"),
        ("INFO p |", "", "GET WHERE"),
        ("x = NEW ['a'] DI|", "DISP", "DESCRIBE"),
        ("new1 = NEW file ['a']\nDISP n|", "new1 n", "p"),
        ("# new2 = NEW file ['a']\nDISP n|", "n", "new2"),
        # types
        ("GET |", "process file ipv4-addr event", "p GET"),
        ("v = GET NET|", "network-traffic", "process"),
        ("FIND |", "process", "CREATED"),
        ("NEW |", "process file", "name"),
        ("v = LOAD 'a.json' AS |", "file", "p"),
        # data sources
        ("GET process |", "FROM WHERE START LAST LIMIT", "DISP name"),
        ("GET process FROM |", "p stixshifter://host101 stixshifter:// file:// a.json logs/ 'b~c.json'", "n f GET"),
        ("GET process FROM stix|", "stixshifter://lab", "p"),
        ("GET process FROM la|", "lab", "stixshifter://lab"),
        ("GET process FROM stixshifter://host101,l|", "lab", "host101 logs/"),
        ("GET process FROM stixshifter://lab, |", "stixshifter://host101 p", ""),
        ("GET process FROM logs/|", "logs/d.json", "a.json"),
        ("GET process FROM '|", "a.json logs/", "p 'a.json'"),
        ("GET process FROM 'b c.json', p|", "p", "n"),
        ("GET process FROM 'lo| WHERE", "logs/", "a.json"),
        ("SAVE p TO |", "a.json logs/", "p"),
        ("SAVE p |", "TO", "WHERE"),
        ("x = LOAD 'logs/|", "logs/d.json", "a.json"),
        # relations
        ("FIND process |", "CREATED~BY CREATED WROTE LINKED", "WRITTEN~BY p LINKED~BY"),
        ("FIND file |", "WRITTEN~BY WROTE~BY LINKED", "CREATED WROTE"),
        ("FIND process cr|", "CREATED~BY CREATED", "WROTE"),
        ("FIND process CREATED |", "BY p n", "f"),
        ("FIND process CREATED BY |", "p", "n f"),
        ("FIND file WRITTEN |", "BY", "p n"),
        ("FIND file WRITTEN BY |", "p", "n f"),
        ("FIND network-traffic LINKED |", "p n f", "BY"),
        ("FIND process CREATED BY p |", "WHERE DEPTH START LAST LIMIT", "FROM"),
        ("FIND process CREATED BY p DEPTH |", "ANY", "WHERE"),
        ("q = GET process WHERE pid = 4\nFIND process CREATED BY |", "q p", "n"),
        # patterns
        ("GET process FROM p WHERE |", "name pid id parent_ref. opened_connection_refs[*]. process: file: NOT x_more", "AND p dst_port process.pid"),
        ("GET process WHERE na|", "name", "pid"),
        ("GET process WHERE NA|", "name", ""),
        ("GET process WHERE na|me = 'x'", "name", ""),
        ("GET process WHERE process.|", "process.pid", "name"),
        ("GET process WHERE [|", "name file:", "]"),
        ("GET process WHERE [file:|", "name hashes.MD5", "pid parent_ref."),
        ("GET process WHERE parent_ref.|", "name pid binary_ref.", "dst_port file: NOT"),
        ("GET process WHERE binary_ref.hashes.m|", "hashes.MD5", "name"),
        ("GET process WHERE opened_connection_refs[*].dst_ref.|", "value", "dst_port"),
        ("GET process WHERE name |", "= != LIKE IN MATCHES NOT IS~NULL", "AND name"),
        ("GET process WHERE name NOT |", "IN LIKE", "AND"),
        ("GET process WHERE name IS |", "NULL NOT~NULL", "IN"),
        ("GET process WHERE name IS NOT |", "NULL", "AND"),
        ("GET process WHERE name = |", "p. n. f. $day", "name AND"),
        ("GET process WHERE name = p.|", "name pid", "dst_port p."),
        ("GET process WHERE name = $|", "$day", "p."),
        ("GET process WHERE pid = $mine AND name = $|", "$mine $day", ""),
        ("GET process WHERE pid IN (1, |", "p.", "pid"),
        ("GET process WHERE pid IN (1 |", ")", "AND"),
        ("GET process WHERE pid IN (1, 2) |", "AND LIMIT", ")"),
        ("GET process WHERE name = 'x' |", "AND OR START LIMIT", "WHERE ]"),
        ("GET process WHERE [name = 'x' |", "AND OR ]", "LIMIT"),
        ("GET process WHERE (name = 'x' OR [pid = 3] |", "AND )", "] LIMIT"),
        ("GET process WHERE name = 'x' AND |", "pid NOT", "AND"),
        ("GET process WHERE first_observed > |", "t'2021-04-03T01:02:03Z'", "AND"),
        ("DISP p WHERE |", "name", "dst_port"),
        ("DISP TIMESTAMPED(p) WHERE |", "name", "dst_port"),
        ("x = n WHERE |", "dst_port", "pid"),
        # times
        ("x = p WHERE pid = 1 + |", "p", "AND LIMIT"),
        ("x = p WHERE name LIKE 'a!%' |", "ESCAPE AND LIMIT", "IN"),
        ("x = p WHERE name = 'a!%' |", "AND LIMIT", "ESCAPE"),
        ("GET process WHERE pid = 4 START |", "t'2021-04-03T01:02:03Z' t'2022-01-02T11:00:00Z' t'2022-01-01T12:00:00Z'", "STOP"),
        ("GET process WHERE pid = 4 START t'2021|", "t'2021-04-03T01:02:03Z'", "t'2022-01-01T12:00:00Z'"),
        ("GET process WHERE pid = 4 START 2021|", "t'2021-04-03T01:02:03Z'", "t'2022-01-01T12:00:00Z'"),
        ("GET process WHERE pid = 4 START t'2021-04-03T01:02:03Z' |", "STOP LIMIT", "LAST"),
        ("GET process WHERE pid = 4 START 2021-04-03 STOP |", "t'2021-04-04T00:00:01Z' t'2022-01-02T12:00:00Z'", "LIMIT"),
        ("GET process WHERE pid = 4 LAST 3 |", "DAYS HOURS", "LIMIT"),
        ("GET process WHERE pid = 4 LAST 3 d|", "DAYS", ""),
        ("GET process WHERE pid = 4 LAST 3 DAYS |", "LIMIT", "START DAYS"),
        # attributes
        ("DISP p |", "WHERE ATTR SORT~BY LIMIT AS", "FROM GET"),
        ("DISP p ATTR |", "name parent_ref.", "file: NOT"),
        ("DISP p ATTR name, |", "pid", "name"),
        ("DISP p ATTR name |", "WHERE AS", "pid"),
        ("DISP p ATTR parent_ref.name, parent_ref.|", "pid", "name"),
        ("DISP p SORT |", "BY", "WHERE"),
        ("DISP p SORT BY pid |", "ASC DESC LIMIT", "pid"),
        ("DISP p AS |", "TREE GRAPH TABLE", "WHERE"),
        ("DISP p ATTR name\n|", "GET DISP LIMIT", "name"),
        ("x = SORT p BY |", "pid", "DESC"),
        ("x = GROUP p BY |", "name BIN(", "NOT"),
        ("x = GROUP p BY BIN(first_observed, 5 |", "MINUTES", ""),
        ("x = GROUP p BY name |", "WITH", "BY"),
        ("x = GROUP p BY name WITH |", "COUNT( MAX(", "name"),
        ("x = GROUP p BY name WITH COUNT(|", "pid", "COUNT("),
        ("x = GROUP p BY name WITH COUNT(pid) AS n\nDISP x ATTR |", "name n", "pid"),
        ("x = JOIN p, n BY pid, |", "dst_port", "pid"),
        ("x = JOIN p, |", "n", "BY"),
        ("DESCRIBE |", "p.", "p"),
        ("DESCRIBE p.|", "name pid", "dst_port"),
        ("NEW process [{|", '"name":~ "pid":~', ""),
        # analytics
        ("APPLY |", "scoring tagging", "p"),
        ("APPLY sc|", "scoring", "tagging"),
        ("APPLY scoring |", "ON", "WITH"),
        ("APPLY scoring ON |", "p n", "ON"),
        ("APPLY scoring ON p |", "WITH", "ON"),
        ("APPLY scoring ON p WITH x=|", "p. $day", "x"),
        # text that does not parse
        ("p = GET process FROM WHERE na|", "name", ""),
        ("p = GET process WHERE name = AND pi|", "pid", ""),
        ("p = GET process WHERE name & pid = 3 AND na|", "name", ""),
        ("p = GET process WHERE name = 'open\nDISP p ATTR na|", "name", ""),
        ("p = GET process WHERE [pid = 3\nDISP p ATTR na|", "name", ""),
        (") ] nonsense ' } \nDISP n ATTR ds|", "dst_port", ""),
        ("GET process WHERE\nname = 'x' AND\npid = 3 AND na|", "name", ""),
        ("q = p WHERE pid = 3 AND (name = 'x'\n  OR command_line = 'y')\nDISP q ATTR na|", "name", ""),
        ("q = GET file WHERE na|\nDISP q ATTR name", "name", "pid"),
    ],
)
def test_what_follows(marked: str, there: str, absent: str) -> None:
    found = offered(marked)
    wanted, unwanted = ({w.replace("~", " ") for w in words.split()} for words in (there, absent))
    assert wanted <= set(found)
    assert not unwanted & set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "marked",
    ["DISP p WHERE name = 'na|", 'p = NEW ["na|me"]', "DISP p # na|", "# GE|", "DISP p WHERE name = 'a\\'b|", "DISP p WHERE name = r'na|\nDISP p"],
)
def test_nothing_in_texts_and_comments(marked: str) -> None:
    assert offered(marked) == []


def test_the_fullest_attributes_come_first() -> None:
    found = offered("DISP p ATTR |")
    assert found.index("command_line") < found.index("name") < found.index("id") < found.index("pid")
    details = {i.text: i.detail for i in at("DISP p ATTR |").items}
    assert details["name"] == "in 50 %: its file name" and details["command_line"] == "in 100 %"


def test_variables_used_last_come_first() -> None:
    assert offered("EXPLAIN |") == ["n", "p", "f"]
    assert offered("DISP f\nDISP p\nEXPLAIN |") == ["p", "f", "n"]
    assert offered("INFO |")[:4] == ["n", "p", "f", "stixshifter://host101"]


def test_verbs_that_a_variable_fits_come_first() -> None:
    only = Context(types=TYPES, relations=RELATIONS, variables={"f": Variable("file")})
    assert [i.text for i in complete("FIND process ", 13, only).items][:2] == ["WROTE", "LINKED"]


@pytest.mark.parametrize(
    ("marked", "replaced"),
    [
        ("DISP p ATTR na|me", "name"),
        ("DISP p ATTR |name", ""),
        ("DISP p ATTR parent_ref.na|", "na"),
        ("DISP p WHERE binary_ref.hashes.M| = 'x'", "hashes.M"),
        ("GET process FROM 'logs/d|'", "logs/d"),
        ("GET process FROM stixshifter://h|", "stixshifter://h"),
        ("GET process WHERE pid = 4 START t'20|", "t'20"),
        ("DISP p WHERE name = p.na|", "na"),
    ],
)
def test_what_is_replaced(marked: str, replaced: str) -> None:
    found = at(marked)
    assert marked.replace("|", "")[found.start : found.end] == replaced


@pytest.mark.parametrize(
    ("marked", "title", "known"),
    [
        ("D|ISP p", "DISP variable", "show the entities"),
        ("GET pro|cess", "process: a program that ran", "its file name"),
        ("GET process WHERE |name = 'x'", "name: an attribute of process", "its file name"),
        ("GET process WHERE parent_|ref.name = 'x'", "parent_ref: process to process", "who started it"),
        ("GET process WHERE parent_ref.na|me = 'x'", "name: an attribute of process", "its file name"),
        ("GET process WHERE binary_ref.hash|es.MD5 = 'x'", "hashes.MD5: an attribute of file", "the MD5 digest"),
        ("FIND process CRE|ATED BY p", "CREATED: began it", "process CREATED network-traffic"),
        ("FIND file WRITTEN| BY p", "WROTE", "process WROTE file"),
        ("GET process WHERE [na|me = 'x']", "name: an attribute of process", "its file name"),
        ("GET process WHERE file:|name = 'x'", "name: an attribute of file", ""),
        ("GET process FROM stixshifter://lab, la|b", "lab", "profile"),
        ("DISP p|", "p: process, 3 entities, 5 records", "command_line in 100 %"),
        ("q = GET file\nDISP q|", "q: file", "INFO"),
        ("DISP p WHERE name LI|KE 'x'", "LIKE", "ignoring case"),
        ("DISP p SO|RT BY name", "SORT BY attribute", "largest first"),
        ("DISP p WHERE name IS| NULL", "IS NULL", "has no value"),
    ],
)
def test_help(marked: str, title: str, known: str) -> None:
    before, after = marked.split("|")
    found = help_at(before + after, len(before), CONTEXT)
    assert isinstance(found, Help)
    assert found.title.startswith(title)
    assert known in found.text


@pytest.mark.parametrize("marked", ["|", "DISP p WHERE name = 'pr|ocess'", "# DI|SP p", "DISP p ATTR nothing|", "pid = |="])
def test_no_help(marked: str) -> None:
    before, after = marked.split("|")
    assert help_at(before + after, len(before), CONTEXT) is None


PIECES = st.sampled_from(
    """GET FIND NEW LOAD SAVE SORT GROUP JOIN APPLY DISP INFO DESCRIBE FROM WHERE ATTR BY AS WITH ON TO START STOP LAST LIMIT OFFSET DEPTH
    AND OR NOT IN LIKE IS NULL process file CREATED WRITTEN p n f x = == , ( ) [ ] { } ' " # \\ $day t' 2021-04-03 name parent_ref. p. file:
    hashes.'MD5' stixshifter://lab a.json COUNT( BIN( 3 DAYS :""".split()
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=string.printable, max_size=80),
    st.lists(st.one_of(PIECES, st.sampled_from(["\n", " "])), max_size=30).map(" ".join),
    st.lists(PIECES, max_size=30).map("".join),
)


@given(TEXTS, st.data())
def test_any_text_has_an_answer(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    found = complete(text, offset, CONTEXT)
    assert 0 <= found.start <= offset <= found.end <= len(text)
    assert len({i.text for i in found.items}) == len(found.items)
    known = help_at(text, offset, CONTEXT)
    assert known is None or (known.title and 0 <= known.start <= offset <= known.end <= len(text))


def test_every_keyword_is_told() -> None:
    operators = {o for kind in OPERATORS.values() for o in kind}
    clauses = {"SORT BY" if c == "SORT" else c for allowed in CLAUSES_OF.values() for c in allowed}
    used = {*COMMANDS, *TRANSFORMS, *VIEWS, *AGGREGATIONS, *clauses, *OFFERED_UNITS, *operators}
    assert used | {"STOP", "OFFSET", "BY", "AS", "WITH", "ON", "TO", "ANY", "AND", "OR", "ASC", "DESC", "BIN", "ESCAPE"} == set(keywords())
    assert all("form" in keywords()[c] and "example" in keywords()[c] for c in COMMANDS)


@pytest.mark.parametrize("word", [w for w, known in keywords().items() if "example" in known])
def test_the_examples_of_keywords_are_read(word: str) -> None:
    assert parse(keywords()[word]["example"]).statements
