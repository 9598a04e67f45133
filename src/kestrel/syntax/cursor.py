"""Reading up to the cursor, word by word: where the text ends, what could be read there is offered."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kestrel.syntax.context import Context, Variable
from kestrel.syntax.grammar import CLAUSES, COMMANDS, RESERVED
from kestrel.syntax.offers import Fits, Offers, Owner, any_type
from kestrel.syntax.scanner import BARE, BETWEEN, TYPE, WORD

ASSIGNED = re.compile(r"\s*=(?!=)")
SORT_CLAUSE = re.compile(r"SORT(?=\s+(?:BY\b|B?\Z))", re.IGNORECASE)
STRING = re.compile(r"[rRtT]?(?P<quote>['\"])(?P<body>(?:(?!(?P=quote))[^\\\n]|\\.|\\\n)*)(?P<closed>(?P=quote))?")
LEXEME = re.compile(r"[^\s,()\[\]{}'\"#=<>!+]+|.", re.DOTALL)


class Reached(Exception):
    """The cursor: what could be offered is offered."""


class Cursor:
    """A place in a text that ends at the cursor, and what is offered there."""

    def __init__(self, text: str, place: int, context: Context, variables: Mapping[str, Variable]) -> None:
        self.text = text
        self.place = place
        self.context = context
        self.offers = Offers(text, context, variables)
        self.variables = self.offers.variables

    @property
    def at_cursor(self) -> bool:
        """Whether nothing stands here but the word being typed."""
        return self.place >= self.offers.last

    def move(self, place: int) -> None:
        """Go on at a place, after the white space and comments there."""
        found = BETWEEN.match(self.text, place)
        assert found is not None
        self.place = found.end()
        if self.place == len(self.text) and "#" in found.group().rpartition("\n")[2]:
            self.nothing()

    def nothing(self) -> None:
        """The cursor is where nothing can be offered."""
        self.offers.items.clear()
        raise Reached

    def sign(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.place)
        if found:
            self.move(self.place + len(sign))
        return found

    def need_sign(self, sign: str) -> None:
        """A character without which nothing can follow."""
        if self.at_cursor:
            self.offers.sign(sign)
            raise Reached
        self.sign(sign)

    def string(self) -> bool:
        """A quoted text, which may lack its closing quote; nothing is offered inside one."""
        found = STRING.match(self.text, self.place)
        if found is None:
            return False
        end = found.end() if found["closed"] else self.text.find("\n", found.end())
        if end < 0:
            self.nothing()
        self.move(end)
        return True

    def bare(self) -> bool:
        """A value without quotes, or a parameter."""
        if self.text.startswith("$", self.place):
            self.skip()
            return True
        found = BARE.match(self.text, self.place)
        if found is None or found.group().upper() in RESERVED:
            return False
        self.move(found.end())
        return True

    def skip(self) -> None:
        """Pass over one word, text or character."""
        if self.at_cursor:
            raise Reached
        if not self.string():
            found = LEXEME.match(self.text, self.place)
            assert found is not None
            self.move(found.end())

    def keyword(self, *words: str) -> str | None:
        """The keyword that stands here, and does not begin a statement; at the cursor they are offered."""
        if self.at_cursor:
            self.offers.words(words)
            return None
        found = WORD.match(self.text, self.place)
        if found is None:
            return None
        word = found.group().upper()
        if word == "SORT" and "SORT" not in words:
            word = "SORT BY" if SORT_CLAUSE.match(self.text, self.place) else ""
        if word not in words or (found.group().upper() not in RESERVED and self.is_assignment(found.end())):
            return None
        self.move(found.end())
        return word

    def need(self, word: str) -> None:
        """A keyword without which nothing can follow."""
        found = self.keyword(word)
        if found is None and self.at_cursor:
            raise Reached

    def name(self) -> str | None:
        """A name of the hunter's own, or a verb."""
        if self.at_cursor:
            raise Reached
        found = WORD.match(self.text, self.place)
        if found:
            self.move(found.end())
        return found.group() if found else None

    def type(self) -> str | None:
        if self.at_cursor:
            self.offers.types()
            raise Reached
        found = TYPE.match(self.text, self.place)
        if not found or found.group().upper() in RESERVED:
            return None
        self.move(found.end())
        return self.context.type_named(found.group())

    def variable(self, fits: Fits = any_type) -> str | None:
        if self.at_cursor:
            self.offers.variables_that(fits)
            raise Reached
        found = WORD.match(self.text, self.place)
        if not found or found.group().upper() in RESERVED:
            return None
        self.move(found.end())
        return found.group()

    def owner(self, name: str | None) -> Owner:
        known = self.variables.get(name or "")
        return Owner(known.type if known else None, name)

    def is_assignment(self, end: int) -> bool:
        return ASSIGNED.match(self.text, end) is not None

    def begins_line(self) -> bool:
        return not self.text[self.text.rfind("\n", 0, self.place) + 1 : self.place].strip()

    def begins_clause(self) -> bool:
        found = WORD.match(self.text, self.place)
        return found is not None and found.group().upper() in CLAUSES

    def begins_statement(self, lost: bool = False) -> bool:
        """Whether a command or `variable =` stands here; after something unreadable, the latter only where a line begins."""
        found = WORD.match(self.text, self.place)
        if found is None or self.at_cursor:
            return False
        if found.group().upper() in COMMANDS and not SORT_CLAUSE.match(self.text, self.place):
            return True
        return self.is_assignment(found.end()) and not (lost and not self.begins_line())
