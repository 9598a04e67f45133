"""The parser and completion read one language: what is offered can be read, and what can be read is offered."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestrel.syntax import parse_partly
from kestrel.syntax.complete import complete
from kestrel.syntax.grammar import CLAUSES, CLAUSES_OF, COMMANDS, OTHER_WORDS, TESTS, VIEWS
from tests.examples import examples
from tests.syntax.test_complete import CONTEXT

KEYWORDS = frozenset({*COMMANDS, *CLAUSES, *OTHER_WORDS, *VIEWS, *TESTS, "AND", "OR", "IS", "NULL", "NOT"})
CLAUSE = {
    "FROM": "FROM stixshifter://host101",
    "WHERE": "WHERE name = 'a'",
    "START": "START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'",
    "LAST": "LAST 3 days",
    "LIMIT": "LIMIT 5",
    "OFFSET": "OFFSET 5",
    "ATTR": "ATTR name, pid",
    "SORT": "SORT BY pid ASC",
    "DEPTH": "DEPTH 2",
    "AS": "AS TABLE",
}
OTHERS = (
    "x = NEW process [{'name': 'a', 'pid': 3}, {'name': 'b'}]",
    "x = LOAD a.json AS process",
    "SAVE p TO found.csv REPLACE",
    "x = SORT p BY pid ASC",
    "x = GROUP p BY BIN(first_observed, 5 MINUTES), name WITH COUNT(pid) AS n, MAX(first_observed)",
    "x = JOIN p, n BY pid, dst_port",
    "APPLY scoring ON p, n WITH a=1, b='x'",
    "x = p WHERE name = 'a' + p WHERE pid = 3 + p",
    "DISP TIMESTAMPED(p) WHERE name IS NOT NULL AND (pid = 3 OR NOT name LIKE 'a!%' ESCAPE '!') ATTR name AS TREE",
    "DESCRIBE p.name",
    "INFO p",
    "EXPLAIN p",
)
"""The commands that take no clauses in any order."""
BEGINNING = {"GET": "x = GET process", "FIND": "x = FIND process CREATED BY p", "expression": "x = p", "DISP": "DISP p"}


@st.composite
def statements(draw: st.DrawFn) -> str:
    """A statement with some of its clauses, in any order, or one without."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(OTHERS))
    kind = draw(st.sampled_from(sorted(CLAUSES_OF)))
    chosen = draw(st.lists(st.sampled_from(CLAUSES_OF[kind]), unique=True))
    if {"START", "LAST"} <= set(chosen):
        chosen.remove("LAST")
    return " ".join([BEGINNING[kind], *(CLAUSE[name] for name in chosen)])


def mistake_before(text: str, place: int) -> bool:
    """Whether the parser reports a mistake in a text before a place."""
    _, errors, _ = parse_partly(text)
    return any(e.span is None or e.span.end <= place for e in errors)


def offered(text: str, *more: str) -> dict[str, int]:
    """The keywords that are offered at the end of a text, each with the place where it would begin. `more`: further kinds of items."""
    found = complete(text, len(text), CONTEXT)
    return {i.text: found.start for i in found.items if i.kind in ("keyword", "view", *more)}


@examples(160)
@given(statements())
def test_every_keyword_that_is_offered_can_be_read(statement: str) -> None:
    assert not parse_partly(statement)[1], statement
    for word, start in offered(f"{statement} ").items():
        text = f"{statement} "[:start] + word
        assert not mistake_before(f"{text} ", start), (statement, word)
        errors = parse_partly(f"{text} ")[1]
        assert all(e.span is not None and e.span.start >= start + len(word.rstrip("(")) for e in errors), (statement, word, errors)


@examples(160)
@given(statements())
def test_every_keyword_that_can_be_read_is_offered(statement: str) -> None:
    for found in re.finditer(r"(?<![\w'])[A-Z]+\b(?!')", statement):
        if found.start() and found.group() in KEYWORDS:
            words = [w.rstrip("(") for w in offered(statement[: found.start()], "operator")]
            assert any(found.group() in w.split() for w in words) or found.group() == "NOT", (statement[: found.start()], found.group(), words)


@pytest.mark.parametrize("statement", OTHERS)
def test_closing_brackets_and_needed_words_are_offered(statement: str) -> None:
    assert not parse_partly(statement)[1], statement
    for found in re.finditer(r"(?<=[\w'}])[\])}]", statement):
        items = complete(f"{statement[: found.start()]} ", found.start() + 1, CONTEXT).items
        assert found.group() in [i.text for i in items], statement[: found.start()]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("GET process WHERE pid = 4 WHERE ", "name"),
        ("DISP p FROM x WHERE ", "name"),
        ("FIND process WHERE ", "name"),
        ("GET process nonsense WHERE ", "name"),
        ("GET process WHERE ) pid 3 AND ", "name"),
        ("GET process WHERE pid IN (1 2 AND 3) AND ", "name"),
        ("GET process WHERE pid NULL = 3 OR ", "name"),
        ("DISP p LIMIT many ATTR ", "name"),
        ("DISP p AS PICTURE ATTR ", "name"),
        ("x = GROUP p name WITH COUNT(", "name"),
        ("x = p LIMIT 3 + p WHERE ", "name"),
        ("APPLY scoring p WITH a=", "p."),
    ],
)
def test_mistakes_before_the_cursor_are_passed_over(text: str, word: str) -> None:
    assert parse_partly(f"{text}{word.rstrip('.')}")[1], "this is no mistake"
    assert word in [i.text for i in complete(text, len(text), CONTEXT).items]


@pytest.mark.parametrize("kind", sorted(CLAUSES_OF))
def test_the_table_of_clauses_is_what_both_take(kind: str) -> None:
    words = {w.split()[0] for w in offered(f"{BEGINNING[kind]} ")}
    assert set(CLAUSES_OF[kind]) <= words
    for clause in CLAUSES_OF[kind]:
        assert not parse_partly(f"{BEGINNING[kind]} {CLAUSE[clause]}")[1], clause
