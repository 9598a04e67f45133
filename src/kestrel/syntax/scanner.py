"""The text of a hunt as it is read: words, characters, white space and comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from kestrel.errors import KestrelError
from kestrel.syntax import tree
from kestrel.syntax.dialect_hints import LOOKALIKES, foreign
from kestrel.syntax.grammar import COMMANDS, RESERVED, YIELDING
from kestrel.syntax.mistakes import NEXT, LookAlike, OpenBracket, Unexpected
from kestrel.text import Span

SPACE = re.compile(r"\s*")
COMMENT = re.compile(r"#[^\n]*")
BETWEEN = re.compile(r"(?:\s+|#[^\n]*)*")
WORD = re.compile(r"[^\W\d]\w*")
TYPE = re.compile(r"[^\W\d]\w*(?:-\w+)*")
ATTRIBUTE = re.compile(r"[^\W\d@][\w@]*(?:-\w+)*(?:\[\*\])?(?:\.(?:[\w@]+(?:-\w+)*(?:\[\*\])?|'[^'\n]*'|\"[^\"\n]*\"))*")
PATH = re.compile(rf"(?:(?P<type>{TYPE.pattern}):(?!//))?(?P<attribute>{ATTRIBUTE.pattern}|@timestamp)")
NUMBER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![\w.:/\\-])")
ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[-+]\d\d:?\d\d)?)?(?![\w.:-])")
BARE = re.compile(r"[^\s,()\[\]{}'\"#=<>!$][^\s,()\[\]{}'\"#=<>!]*")
SOURCE = re.compile(r"[^\W\d][\w+.-]*://[^\s'\"#]+|(?:[\w./*~?-]|\[[^\]\s]*\])+")
OPERATOR = re.compile(r"==|!=|<>|<=|>=|=|<|>")
QUALIFIERS = ("FOLLOWEDBY", "WITHIN", "REPEATS")
"""Operators between and after observations in STIX patterns, which hunts do not support."""
AMOUNT = re.compile(r"[0-9]+(?:\.[0-9]+)?")
START_ATTRIBUTE = re.compile(r"start\b(?!\s*(?:t?['\"]|[0-9$]))", re.IGNORECASE)
"""`start` as the attribute of traffic: no time follows."""
REFERENCE = re.compile(rf"(?P<variable>{WORD.pattern})\.(?P<attribute>{ATTRIBUTE.pattern}|@timestamp)")
FOUND = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|[^\s,()\[\]{}'\"]+|.", re.DOTALL)
"""What a mistake shows of the text: a quoted text, a word, or a character."""
MISNAMED = re.compile(r"[^\W\d][^\n=]*?\s*(:=|<-|==|\uff1d)|[^\s=(]+(?:[^\S\n]*,[^\S\n]*[^\s=(]+)*[^\S\n]*=(?!=)")
"""What was meant to name a result."""
GIVEN = re.compile(rf"\$(?P<name>{WORD.pattern})\s*=(?!=)")
STATEMENT = re.compile(rf"^[^\S\n]*(?:(?:{'|'.join(COMMANDS)})\b|\$?{WORD.pattern}\s*=(?!=))", re.IGNORECASE | re.MULTILINE)
SAFE_PART = re.compile(r"[\w@]+(?:-\w+)*(?:\[\*\])?")


class Scanner:
    """A place in a text, and what was noticed on the way there."""

    def __init__(self, text: str, outside: bool = False) -> None:
        self.text = text
        self.outside = outside
        """Whether this is a value from outside a hunt, where there are no variables and a dot needs no quotes."""
        self.place = 0
        self.end = 0
        """Where the last thing read ended, before the white space after it."""
        self.brackets = 0
        self.observations = 0
        """The number of STIX observations, `[ ]`, read so far."""
        self.depth = 0
        self.errors: list[KestrelError] = []
        self.broken: set[str] = set()
        """Every word of the statements that have a mistake: what they would have made is not known."""
        self.began = 0
        """Where the statement that is read begins."""
        self.taken: tuple[str, ...] = ()
        """What could still follow in the statement that was read last."""
        self.comments: dict[int, tree.Comment] = {}
        self.spared = False

    def _is_assignment(self) -> bool:
        match = WORD.match(self.text, self.place)
        assert match is not None
        after = BETWEEN.match(self.text, match.end())
        assert after is not None
        return self.text[after.end() : after.end() + 1] == "=" and self.text[after.end() + 1 : after.end() + 2] != "="

    def _still_open(self, opening: str, closing: str, place: int) -> None:
        """Blame a bracket that nothing closes before the text, or the next statement, begins anew."""
        if self.place >= len(self.text) or (self._fresh_line() and not self._peek(closing) and STATEMENT.match(self.text, self.place)):
            raise OpenBracket(opening, closing, Span(place, place + 1))

    def _fresh_line(self) -> bool:
        """Whether nothing stands before this place on its line."""
        before = self.place - 1
        while before >= 0 and self.text[before] != "\n" and self.text[before].isspace():
            before -= 1
        return before < 0 or self.text[before] == "\n"

    def _mistake(self, error: KestrelError) -> None:
        """A mistake behind which reading can go on: completion passes over it."""
        raise error

    def _close(self, opening: str, closing: str, place: int, expected: str) -> None:
        """The end of brackets that were opened at a place."""
        self._still_open(opening, closing, place)
        if not self._take(closing):
            self._fail(expected)

    def _is_sort_clause(self) -> bool:
        return re.compile(r"SORT\s+BY\b", re.IGNORECASE).match(self.text, self.place) is not None

    def _type(self) -> tree.Word:
        if self._peek("*"):
            self._move(self.place + 1)
            return tree.Word("*", Span(self.end - 1, self.end))
        match = TYPE.match(self.text, self.place)
        if not match or match.group().upper() in RESERVED:
            self._fail("an entity type, like process", (), "the type comes first: `GET process FROM ... WHERE ...`" if match else None)
        self._move(match.end())
        return tree.Word(match.group(), Span(*match.span()))

    def _variable(self, hint: str | None = None) -> tree.Word:
        return self._name("a variable", hint=hint)

    def _name(self, what: str, allow_reserved: bool = False, hint: str | None = None) -> tree.Word:
        match = WORD.match(self.text, self.place)
        if not match or (not allow_reserved and match.group().upper() in RESERVED):
            if match and what == "a variable" and match.group().upper() in YIELDING and not hint:
                hint = f"name its result first: `x = {match.group().upper()} ...`"
            elif match and what == "a variable name":
                hint = f"`{match.group()}` is a word of the language"
            self._fail(what, (), hint)
        self._move(match.end())
        return tree.Word(match.group(), Span(*match.span()))

    def _word(self) -> tree.Word:
        match = WORD.match(self.text, self.place)
        assert match is not None
        self._move(match.end())
        return tree.Word(match.group(), Span(*match.span()))

    def _peek_word(self) -> str:
        match = WORD.match(self.text, self.place)
        return match.group() if match else ""

    def _follows(self, sign: str) -> bool:
        match = WORD.match(self.text, self.place)
        assert match is not None
        after = SPACE.match(self.text, match.end())
        return after is not None and self.text.startswith(sign, after.end())

    def _keyword(self, *words: str) -> tree.Word | None:
        """One of these keywords, taken, if it stands here and does not begin the next statement (`desc = ...`)."""
        word = self._peek_word().upper()
        here = word in words and (word in RESERVED or not self._is_assignment())
        return self._word() if here else None

    def _need(self, word: str, expected: str, hint: str | None = None) -> None:
        """A keyword without which the statement cannot go on."""
        if not self._keyword(word):
            self._fail(expected, (word,), hint)

    def _function(self, words: Sequence[str]) -> str | None:
        """The name of a function, taken if `(` follows it."""
        word = self._peek_word().upper()
        if word not in words or not self._follows("("):
            return None
        self._word()
        return word

    def _peek(self, sign: str) -> bool:
        return self.text.startswith(sign, self.place)

    def _take(self, sign: str) -> bool:
        if not self._peek(sign):
            return False
        self._move(self.place + len(sign))
        return True

    def _expect(self, sign: str, expected: str = "", hint: str | None = None) -> None:
        if not self._take(sign):
            self._fail(expected or f"`{sign}`", (), hint)

    def _move(self, place: int) -> None:
        self.place = self.end = place
        self._space()

    def _space(self) -> None:
        while True:
            match = SPACE.match(self.text, self.place)
            assert match is not None
            self.place = match.end()
            comment = COMMENT.match(self.text, self.place)
            if not comment:
                return
            trailing = bool(self.text[self.text.rfind("\n", 0, self.place) + 1 : self.place].strip())
            self.comments[self.place] = tree.Comment(comment.group().rstrip(), trailing, Span(*comment.span()))
            self.place = comment.end()

    def _since(self, start: int) -> Span:
        return Span(start, max(start, self.end))

    def _fail(self, expected: str, words: Iterable[str] = (), hint: str | None = None) -> NoReturn:
        match = FOUND.match(self.text, self.place)
        if match is None:
            end = len(self.text.rstrip())
            raise Unexpected("", expected, Span(end, end + 1), words, hint)
        found = match.group()
        if self.place > self.began and self._fresh_line() and STATEMENT.match(self.text, self.place):
            raise Unexpected(NEXT, expected, Span(self.end, self.end + 1), (), hint)
        if found[0] not in "'\"" and (sign := foreign(found)):
            self._look_alike(sign, found)
        raise Unexpected(found, expected, Span(self.place, self.place + len(found)), words, hint)

    def _look_alike(self, sign: str, found: str) -> NoReturn:
        """Tell of a character that only looks like one of the language; a text in curly quotes is shown as it should be."""
        place = self.place + found.index(sign)
        quote = LOOKALIKES.get(sign, "")
        if quote in ("'", '"'):
            text = next(
                (i for i in range(place + 1, len(self.text)) if LOOKALIKES.get(self.text[i]) == quote or self.text[i] in "'\"\n"), len(self.text)
            )
            if LOOKALIKES.get(self.text[text : text + 1]) == quote:
                raise LookAlike(sign, Span(place, text + 1), f"`{quote}{self.text[place + 1 : text]}{quote}`")
        raise LookAlike(sign, Span(place, place + 1))


def canonical(attribute: str) -> str:
    """An attribute path with quotes only around the parts that need them."""
    parts = re.findall(r"'[^']*'|\"[^\"]*\"|[^.'\"]+", attribute)
    return ".".join(_part(p) for p in parts)


def _part(part: str) -> str:
    bare = part[1:-1] if part[:1] in "'\"" else part
    return bare if SAFE_PART.fullmatch(bare) else f'"{bare}"' if "'" in bare else f"'{bare}'"
