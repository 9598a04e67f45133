"""Values: numbers, texts, times, lists, parameters and references."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Literal, cast

from kestrel.syntax import strings, tree
from kestrel.syntax.dialect_hints import LOOKALIKES, foreign
from kestrel.syntax.grammar import DEEPEST, RESERVED
from kestrel.syntax.mistakes import BadEscape, BadTime, DottedText, LookAlike, OpenString, StixOnly, TooDeep, Unexpected
from kestrel.syntax.scanner import BARE, ISO, NUMBER, REFERENCE, WORD, Scanner, canonical
from kestrel.text import Span


class Values(Scanner):
    """Reads values."""

    def _value(self) -> tree.Value:
        for opening, closing in (("(", ")"), ("[", "]")):
            if self._peek(opening):
                return self._list(opening, closing)
        return self._scalar()

    def _list(self, opening: str, closing: str) -> tree.ListOf:
        start = self.place
        self.depth += 1
        if self.depth > DEEPEST:
            raise TooDeep(Span(start, start + 1))
        self._take(opening)
        items: list[Any] = []
        while not self._peek(closing):
            self._still_open(opening, closing, start)
            value = self._value()
            items += value.items if isinstance(value, tree.ListOf) else [value]
            if not self._take(","):
                break
        self._close(opening, closing, start, f"`,` or `{closing}`")
        self.depth -= 1
        return tree.ListOf(tuple(items), self._since(start))

    def _scalar(self) -> tree.Scalar:
        start = self.place
        if re.compile(r"[tT]['\"]").match(self.text, start):
            return cast(tree.Time, self._time())
        if re.compile(r"[rR]?['\"]").match(self.text, start):
            return self._string()
        if re.compile(r"[hHbB]['\"]").match(self.text, start):
            raise StixOnly(f"{self.text[start].lower()}''", Span(start, start + 2))
        if self._peek("$"):
            return self._parameter()
        if match := ISO.match(self.text, start):
            return cast(tree.Time, self._time())
        if match := NUMBER.match(self.text, start):
            return self._number()
        reference = REFERENCE.match(self.text, start)
        if (reference and reference.group()[-1] in "'\"") or (reference and "[*]" in reference.group()):
            self._move(reference.end())
            return tree.Reference(reference["variable"], canonical(reference["attribute"]), Span(*reference.span()))
        match = BARE.match(self.text, start)
        if not match or match.group().upper() in RESERVED or foreign(match.group()[0]):
            self._fail("a value", (), "a list is written `(1, 2, 3)`" if self._peek("{") else None)
        text = match.group()
        span = Span(*match.span())
        self._move(match.end())
        if text.lower() in ("true", "false"):
            return tree.Boolean(text.lower() == "true", span)
        reference = REFERENCE.fullmatch(text)
        if reference:
            return tree.Reference(reference["variable"], canonical(reference["attribute"]), span)
        if "." in text and not text[0].isdigit() and not self.outside:
            raise DottedText(text, span)
        return tree.Text(text, span)

    def _number(self) -> tree.Number:
        match = NUMBER.match(self.text, self.place)
        if not match:
            self._fail("a number")
        self._move(match.end())
        text = match.group()
        span = Span(*match.span())
        if len(text) > 4000:
            raise Unexpected(text, "a number of fewer digits", span)
        if "x" in text.lower():
            value = int(text, 16)
            if value >= 10**4000:
                raise Unexpected(text, "a number of fewer digits", span)
            return tree.Number(value, span)
        if re.fullmatch(r"[-+]?\d+", text):
            return tree.Number(int(text), span)
        fraction = float(text)
        if fraction in (float("inf"), float("-inf")):
            raise Unexpected(text, "a smaller number", span)
        return tree.Number(fraction, span)

    def _time(self, clause: Literal["START", "STOP"] | None = None) -> tree.Time | tree.Parameter:
        """A time; the one of a clause, or of a comparison."""
        start = self.place
        if self._peek("$"):
            return self._parameter()
        if match := re.compile(r"[tT]?(['\"])([^'\"\n]*)\1").match(self.text, start):
            text = match.group(2)
        elif match := ISO.match(self.text, start):
            text = match.group()
        elif match := re.compile(r"[tT]?['\"]").match(self.text, start):
            raise OpenString(match.group()[-1], False, Span(start, match.end()))
        elif (
            (match := re.compile(r"[^\s()\[\]{},'\"$]+").match(self.text, start))
            and match.group().upper() not in RESERVED
            and not foreign(match.group())
        ):
            raise BadTime(match.group(), Span(*match.span()))
        else:
            self._fail("a time, like t'2021-04-03T00:00:00Z'")
        self._move(match.end())
        moment = _moment(text)
        if moment is None:
            raise BadTime(text, Span(start, match.end()))
        return tree.Time(moment, Span(start, match.end()))

    def _parameter(self) -> tree.Parameter:
        start = self.place
        match = WORD.match(self.text, start + 1)
        if not match:
            self._fail("a parameter name after `$`")
        self._move(match.end())
        return tree.Parameter(match.group(), Span(start, match.end()))

    def _string(self) -> tree.Text:
        start = self.place
        match = re.compile(r"([rR]?)(['\"])").match(self.text, start)
        assert match is not None
        raw, quote = bool(match.group(1)), match.group(2)
        body = re.compile(rf"(?:[^\\{quote}\n]|\\.)*", re.DOTALL).match(self.text, match.end())
        assert body is not None
        if self.text[body.end() : body.end() + 1] != quote:
            line = self.text[match.end() : body.end()]
            swallowed = f"\\{quote}" in line
            other = next((i for i, sign in enumerate(line) if LOOKALIKES.get(sign) in ("'", '"')), None)
            self.place = body.end()
            if other is not None and not swallowed:
                raise LookAlike(line[other], Span(match.end() + other, match.end() + other + 1), f"`{quote}`, as at the beginning of the text")
            raise OpenString(quote, swallowed, Span(start, match.end()))
        span = Span(start, body.end() + 1)
        self._move(body.end() + 1)
        text = body.group()
        if raw:
            return tree.Text(text, span)
        if self.brackets:
            return tree.Text(strings.in_pattern(text), span)
        try:
            value, spared = strings.outside(text)
        except ValueError:
            raise BadEscape(span) from None
        self.spared = self.spared or spared
        return tree.Text(value, span)


def _moment(text: str) -> datetime | None:
    """ISO 8601 as UTC; a fraction finer than microseconds is cut."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
