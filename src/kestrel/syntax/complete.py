"""Completion: what may follow at any place in a hunt, whether it parses or not."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kestrel.syntax.context import Context, Variable
from kestrel.syntax.expect import bind, expected
from kestrel.syntax.grammar import YIELDING
from kestrel.syntax.offers import Item
from kestrel.syntax.scanner import STATEMENT, TYPE, WORD

MADE = re.compile(
    rf"\s*(?P<name>{WORD.pattern})\s*=\s*(?:(?P<command>{'|'.join(YIELDING)})\b\s*)?(?P<word>{TYPE.pattern})?(?:\s*\(\s*(?P<inner>{WORD.pattern}))?",
    re.IGNORECASE,
)
"""How a variable is made, as far as its type can be told from it."""
OPEN = re.compile(r"(?:\b(?:WHERE|AND|OR|NOT|WITH)|[(\[,=])\s*(?:#[^\n]*\s*)*\Z", re.IGNORECASE)
"""The end of a text after which `name = value` is no new statement."""
SORT_BY = re.compile(r"\s*SORT\s+BY\b", re.IGNORECASE)
NEAR = 200
REST = re.compile(r"\w*")


@dataclass(frozen=True, slots=True)
class Completion:
    """Each item may stand in place of the text from `start` to `end`; the likeliest is first."""

    start: int
    end: int
    items: tuple[Item, ...]


def complete(text: str, offset: int, context: Context) -> Completion:
    """What may stand at an offset. A word that is being typed there is to be replaced, also what of it follows."""
    before = text[:offset]
    place, variables = _before(before, context)
    offers = expected(before, place, context, variables)
    rest = REST.match(text, offset) if offers.start < offset and REST.fullmatch(text, offset - 1, offset) else None
    items = {i.text: i for i in reversed(offers.items)}
    return Completion(offers.start, rest.end() if rest else offset, tuple(reversed(items.values())))


def _before(text: str, context: Context) -> tuple[int, dict[str, Variable]]:
    """Where the last statement begins that surely is one, and the variables made before it."""
    place = 0
    variables = dict(context.variables)
    made: re.Match[str] | None = None
    for found in STATEMENT.finditer(text):
        start = found.start()
        now = MADE.match(text, start) if found.group().endswith("=") else None
        if (now and not now["command"] and OPEN.search(text, max(0, start - NEAR), start)) or SORT_BY.match(text, start):
            continue
        if made:
            _make(made, text[:start], context, variables)
        made, place = now, start
    return place, variables


def _make(made: re.Match[str], text: str, context: Context, variables: dict[str, Variable]) -> None:
    """Bind the variable that the end of `text` makes."""
    new: Variable | None
    word = made["word"] or ""
    match (made["command"] or "").upper():
        case "GET" | "FIND":
            new = Variable(context.type_named(word))
        case "NEW":
            new = Variable(context.type_named(word) if word else "process")
        case "LOAD" | "GROUP":
            new = expected(text, made.start(), context, variables).variables.get(made["name"])
        case _:
            source = variables.get(made["inner"] or word)
            new = Variable(source.type) if source else None
    bind(variables, made["name"], new)
