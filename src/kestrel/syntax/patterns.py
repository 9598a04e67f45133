"""Patterns: comparisons of attributes, joined by AND, OR and NOT."""

from __future__ import annotations

import re
from typing import Any, cast

from kestrel.syntax import tree
from kestrel.syntax.dialect_hints import ADVICE
from kestrel.syntax.grammar import COMMANDS, DEEPEST, JOINING, RESERVED
from kestrel.syntax.mistakes import OpenBracket, StixOnly, TooDeep, TwoObservations, WrongOperand
from kestrel.syntax.scanner import OPERATOR, PATH, QUALIFIERS, START_ATTRIBUTE, canonical
from kestrel.syntax.values import Values
from kestrel.text import Span


class Patterns(Values):
    """Reads patterns."""

    def _pattern(self) -> tree.Pattern:
        start = self.place
        parts = [self._conjunction()]
        self._qualifier()
        while self._keyword("OR"):
            parts.append(self._conjunction())
            self._qualifier()
        return parts[0] if len(parts) == 1 else tree.Or(tuple(parts), self._since(start))

    def _conjunction(self) -> tree.Pattern:
        start = self.place
        before = self.observations
        parts = [self._term()]
        while joined := self._keyword("AND"):
            between = self.observations
            parts.append(self._term())
            if before < between < self.observations:
                raise TwoObservations("AND", joined.span)
        return parts[0] if len(parts) == 1 else tree.And(tuple(parts), self._since(start))

    def _term(self) -> tree.Pattern:
        start = self.place
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooDeep(Span(start, start + 1))
        try:
            if self._keyword("NOT"):
                return tree.Not(self._term(), self._since(start))
            for opening, closing in (("(", ")"), ("[", "]")):
                if self._take(opening):
                    inside = opening == "["
                    self.brackets += inside
                    part = self._pattern()
                    self._close_pattern(opening, closing, start)
                    self.brackets -= inside
                    self.observations += inside
                    return part
            return self._comparison()
        finally:
            self.depth -= 1

    def _close_pattern(self, opening: str, closing: str, start: int) -> None:
        """The end of brackets in a pattern."""
        if self._take(closing):
            return
        self._still_open(opening, closing, start)
        self._qualifier()
        if self._peek_word().upper() in ("START", "STOP") and not self._is_assignment():
            raise StixOnly(self._peek_word().upper(), self._word().span)
        if self._peek_word().upper() in COMMANDS:
            raise OpenBracket(opening, closing, Span(start, start + 1))
        self._fail(f"AND, OR or `{closing}`", ("AND", "OR"))

    def _qualifier(self) -> None:
        """Raise StixOnly if the pattern continues in a way that only STIX patterns can."""
        word = self._peek_word().upper()
        if word in QUALIFIERS and not self._is_assignment():
            raise StixOnly(word, self._word().span)

    def _comparison(self) -> tree.Pattern:
        start = self.place
        path = self._compared()
        if self._keyword("IS"):
            return tree.IsNull(path, self._not_null(), self._since(start))
        negated = bool(self._keyword("NOT"))
        operator = self._operator()
        if re.compile(r"NULL(?![\w.])", re.IGNORECASE).match(self.text, self.place):
            raise WrongOperand(
                f"NULL is no value that `{operator}` could compare with", self._word().span, f"write `IS {'NOT ' if operator == '!=' else ''}NULL`"
            )
        value = self._value()
        listed = isinstance(value, tree.ListOf)
        if operator == "IN" and not listed and self._peek(","):
            raise WrongOperand(
                "IN takes a list, which stands in parentheses", value.span.to(Span(self.place, self.place + 1)), "write `IN (1, 2, 3)`"
            )
        match operator:
            case "=" if listed:
                operator = "IN"
            case "!=" if listed:
                operator, negated = "IN", not negated
            case "IN" if not listed and not isinstance(value, tree.Reference | tree.Parameter):
                value = tree.ListOf((cast(Any, value),), value.span)
            case "IN" | "=" | "!=":
                pass
            case _ if listed and operator not in ("LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"):
                raise WrongOperand(f"`{operator}` compares with one value, this is a list", value.span, "use IN for lists")
        escape = self._escape(value) if operator == "LIKE" and self._keyword("ESCAPE") else ""
        return tree.Comparison(path, cast(tree.Operator, operator), value, negated, escape, self._since(start))

    def _compared(self) -> tree.Path:
        """The attribute that a comparison is about."""
        return self._path()

    def _not_null(self) -> bool:
        """NULL or NOT NULL; whether it is the latter."""
        negated = bool(self._keyword("NOT"))
        self._need("NULL", "NULL or NOT NULL", "for a value write `!=`" if negated else "for a value write `=`")
        return negated

    def _escape(self, value: tree.Value) -> str:
        """The character of ESCAPE."""
        found = self._quoted("a character in quotes", "write it like `LIKE '100!%' ESCAPE '!'`")
        if len(found.value) != 1 or found.value in "%_":
            raise WrongOperand("ESCAPE takes one character other than `%` and `_`", found.span, "write it like `LIKE '100!%' ESCAPE '!'`")
        for item in value.items if isinstance(value, tree.ListOf) else (value,):
            if isinstance(item, tree.Reference):
                raise WrongOperand("ESCAPE needs a literal pattern", item.span, "values of a variable are used as patterns without ESCAPE")
        return found.value

    def _quoted(self, expected: str, hint: str) -> tree.Text:
        """A text in quotes."""
        if not re.compile(r"[rR]?['\"]").match(self.text, self.place):
            self._fail(expected, (), hint)
        return self._string()

    def _paths(self) -> tuple[tree.Path, ...]:
        """The attributes of ATTR."""
        paths = [self._path()]
        while self._take(","):
            paths.append(self._path())
        return tuple(paths)

    def _operator(self) -> str:
        match = OPERATOR.match(self.text, self.place)
        if match:
            longest = re.compile(r"[=<>!~]+").match(self.text, self.place)
            assert longest is not None
            if longest.group() in ADVICE:
                raise WrongOperand(f"there is no operator `{longest.group()}`", Span(*longest.span()), ADVICE[longest.group()])
            self._move(match.end())
            return match.group().replace("==", "=")
        word = self._peek_word().upper()
        if word in ("IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"):
            self._word()
            return word
        hint = None
        if self.text[self.place : self.place + 1] in ("'", '"') or self._peek("("):
            hint = "an operator is required between an attribute and its value, like `name = 'cmd.exe'`"
        elif self._peek("["):
            hint = "all values of a list are meant by `[*]`"
        return self._fail("an operator (=, !=, <, >, IN, LIKE, MATCHES, IS NULL, ISSUBSET, ISSUPERSET)", JOINING, hint)

    def _path(self) -> tree.Path:
        match = PATH.match(self.text, self.place)
        if not match or (match["type"] is None and match["attribute"].upper() in RESERVED and not START_ATTRIBUTE.match(self.text, self.place)):
            hint = None
            if re.compile(r"'[\w.]+'\s*[=!<>]|\"[\w.]+\"\s*[=!<>]").match(self.text, self.place):
                hint = "an attribute is written without quotes, and stands before its value"
            elif re.compile(r"['\"\d]").match(self.text, self.place):
                hint = "every comparison names its attribute first: `pid = 1 OR pid = 2`, or `pid IN (1, 2)`"
            elif self._peek("*"):
                hint = "without ATTR every attribute that is not empty is shown"
            self._fail("an attribute", (), hint)
        self._move(match.end())
        return tree.Path(match["type"], canonical(match["attribute"]), Span(*match.span()))
