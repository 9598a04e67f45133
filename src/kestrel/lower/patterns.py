"""Patterns to predicates: attributes resolved, values in the attribute's own kind and canonical form."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, datetime
from typing import assert_never

from kestrel.formats.transforms import CANONICAL, PIPES
from kestrel.graph.likes import can_escape, lookalikes
from kestrel.graph.steps import All, Any_, AttributePath, Complement, Missing, Predicate, Scalar, Test, ValuesOf
from kestrel.lower.actions import Notice
from kestrel.lower.columns import ANY, has_rows, kind_of
from kestrel.lower.expressions import LACKING, in_words
from kestrel.lower.mistakes import (
    AnyNotCompared,
    BadExpression,
    BadLike,
    BadNetwork,
    NoReference,
    NotAddress,
    NotEntities,
    NotOne,
    OutOfRange,
    UnorderedFlag,
    UnorderedText,
    WrongValue,
)
from kestrel.lower.names import Names, Subject
from kestrel.model.vocabulary import vocabulary
from kestrel.syntax import tree
from kestrel.syntax.dialect_hints import name_of
from kestrel.syntax.mistakes import BadEscape
from kestrel.syntax.strings import written
from kestrel.text import Span

HEXADECIMAL = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
WHOLE = re.compile(r"[+-]?[0-9]+")
DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\v": r"\v", "\t": r"\t", "\r": r"\r", "\n": r"\n"}
"""The control characters that Python's escapes write."""
MOST = {"BIGINT": 2**63 - 1, "INTEGER": 2**31 - 1}
"""The largest number a column of each SQL type holds."""


class Patterns(Names):
    """Lowers what stands after WHERE, and single values."""

    def predicate(self, pattern: tree.Pattern, subject: Subject) -> Predicate | None:
        match pattern:
            case tree.Comparison():
                return self._comparison(pattern, subject)
            case tree.IsNull(path, negated):
                found = self._tested(path, subject)
                if found and found.attribute == ANY:
                    self.errors.append(AnyNotCompared(path.span))
                    return None
                return Missing(found, negated) if found else None
            case tree.And(parts):
                known = [p for part in parts if (p := self.predicate(part, subject))]
                return All(tuple(known)) if len(known) == len(parts) else None
            case tree.Or(parts):
                known = [p for part in parts if (p := self.predicate(part, subject))]
                return Any_(tuple(known)) if len(known) == len(parts) else None
            case tree.Not(part):
                inner = self.predicate(part, subject)
                return Complement(inner) if inner else None
            case _:
                assert_never(pattern)

    def _tested(self, path: tree.Path, subject: Subject) -> AttributePath | None:
        found = self.path(path, subject, compared=True)
        if found and found.type != subject.type and subject.step is not None and has_rows(subject.step):
            self.errors.append(NotEntities(found.text(), subject.type, subject.variable or "", path.span))
            return None
        return found

    def _comparison(self, comparison: tree.Comparison, subject: Subject) -> Predicate | None:
        path = self._tested(comparison.path, subject)
        if path is None:
            return None
        operator = comparison.operator
        negated = comparison.negated != (operator == "!=")
        if operator == "!=":
            operator = "="
        if path.attribute == ANY and operator not in ("=", "IN", "LIKE", "MATCHES"):
            self.errors.append(AnyNotCompared(comparison.path.span))
            return None
        before = len(self.errors)
        items = self._items(comparison.value)
        if len(self.errors) > before:
            return None
        if operator in ("<", "<=", ">", ">="):
            if flag := next((i for i in items if isinstance(i, tree.Boolean)), None):
                self.errors.append(UnorderedFlag("true" if flag.value else "false", operator, comparison.span))
                return None
            if kind_of(path) == "text" and any(isinstance(i, tree.Number) for i in items):
                self.errors.append(UnorderedText(path.text(), operator, comparison.span))
                return None
            if len(items) != 1:
                self.errors.append(NotOne(f"{path.text()} {operator}", comparison.value.span, "use IN for lists"))
                return None
        if operator in ("ISSUBSET", "ISSUPERSET") and kind_of(path) not in ("text", "any"):
            self.errors.append(NotAddress(path.text(), kind_of(path), operator, comparison.path.span))
            return None
        if comparison.escape:
            for item in items:
                if isinstance(item, tree.Text) and not can_escape(item.value, comparison.escape):
                    self.errors.append(BadLike(comparison.escape, item.span))
        found = [(v, i.span) for i in items if (v := self._value(i, path, operator)) is not None]
        if operator in ("=", "IN") and not negated:
            for value, span in found:
                self._fits_column(value, path, span)
        if len(self.errors) > before:
            return None
        values = tuple(value for value, _ in found)
        for item in items:
            self._doubt(item, path, operator)
            if operator in ("<", "<=", ">", ">=") and isinstance(item, tree.Reference):
                text = self._text_against_number(path, values)
                if text:
                    self.errors.append(UnorderedText(text, operator, comparison.span))
                    return None
        return Test(path, operator, values, negated, comparison.escape, comparison.value.span)

    def _text_against_number(self, path: AttributePath, values: tuple[Scalar | ValuesOf, ...]) -> str | None:
        """The one that is text where one side of a comparison is text and the other a number or a time."""
        for value in values:
            if isinstance(value, ValuesOf):
                kinds = kind_of(path), kind_of(value.path)
                if kinds[0] != kinds[1] and "text" in kinds and "any" not in kinds:
                    return (path if kinds[0] == "text" else value.path).text()
        return None

    def _doubt(self, item: tree.Scalar, path: AttributePath, operator: str) -> None:
        """Tell of a comparison that means something, and most likely something else than was wanted."""
        if not isinstance(item, tree.Text):
            return
        self._confusable(item)
        text = item.value
        bare = item.span.end - item.span.start == len(text)
        if bare and text in self.scope and operator in ("=", "IN"):
            self.notices.append(
                Notice("text-not-variable", f"`{text}` is a text here; the values of the variable are written `{text}.{path.attribute}`")
            )
        elif operator == "LIKE" and "*" in text and "%" not in text:
            self.notices.append(Notice("like-signs", f"`*` in `{text}` is an ordinary character: in LIKE, any run of characters is `%`"))
        elif operator in ("=", "IN") and "/" in text and vocabulary().entity(path.end).canonical.get(path.attribute) == "address":
            self.notices.append(Notice("network-not-address", f"no address is `{text}`: those inside a network are found by ISSUBSET"))

    def _confusable(self, item: tree.Scalar) -> None:
        """Report characters of a literal that look like others, and control characters, which are mostly a backslash that was read as the
        beginning of an escape: data that look the same may not be equal to it."""
        if isinstance(item, tree.Text) and (found := [s for s in ESCAPES if s in item.value]):
            named = ", ".join(f"`{ESCAPES[s]}`" for s in found)
            text = f"in {written(item.value)} {named} is read as a control character: for a backslash write `\\\\`, or the text as r'...'"
            self.notices.append(Notice("control-character", text))
        if isinstance(item, tree.Text) and (found := lookalikes(item.value)):
            named = ", ".join(f"`{s}` ({name_of(s)})" if s.isprintable() else name_of(s) for s in found[:5])
            self.notices.append(Notice("look-alike", f"{written(item.value)} has characters that look like others: {named}"))

    def _items(self, value: tree.Value) -> tuple[tree.Scalar, ...]:
        """The single values of a list, parameters replaced by what was given for them."""
        found: list[tree.Scalar] = []
        for item in value.items if isinstance(value, tree.ListOf) else (value,):
            if isinstance(item, tree.Text) and any("\ud800" <= sign <= "\udfff" for sign in item.value):
                self.errors.append(BadEscape(item.span))
        for item in value.items if isinstance(value, tree.ListOf) else (value,):
            given = self.parameter(item) if isinstance(item, tree.Parameter) else item
            match given:
                case None:
                    pass
                case tree.ListOf(items):
                    found += items
                case _:
                    found.append(given)
        for item in found:
            if isinstance(item, tree.Text):
                self.whole(item.value, item.span)
        return tuple(found)

    def single(self, value: tree.Value, path: AttributePath) -> Scalar | None:
        """One value of an attribute, as NEW gives it."""
        before = len(self.errors)
        items = self._items(value)
        if len(items) == 1 and isinstance(items[0], tree.Reference) and items[0].variable not in self.scope:
            self._reference(items[0])
            return None
        if len(items) != 1 or isinstance(items[0], tree.Reference):
            if len(self.errors) == before:
                self.errors.append(NotOne(path.text(), value.span, "write a row for each value"))
            return None
        found = self._value(items[0], path)
        if isinstance(found, ValuesOf):
            return None
        self._confusable(items[0])
        return found if self._fits_column(found, path, value.span) else None

    def _fits_column(self, value: Scalar | ValuesOf | None, path: AttributePath, span: Span) -> bool:
        """Whether the column of an attribute can hold a value; an error if it cannot, because then no record has it."""
        entity = vocabulary().entity(path.end)
        most = MOST.get(entity.columns.get(entity.attributes.get(path.attribute, ""), ""))
        if not path.kind and most and isinstance(value, int | float) and (abs(value) > most or value != int(value)):
            self.errors.append(OutOfRange(path.text(), value, most, span))
            return False
        return True

    def argument(self, value: tree.Value) -> Scalar | ValuesOf | tuple[Scalar | ValuesOf, ...] | None:
        """A value given to an analytic."""
        before = len(self.errors)
        found: list[Scalar | ValuesOf] = []
        for item in self._items(value):
            one: Scalar | ValuesOf | None
            match item:
                case tree.Reference():
                    one = self._reference(item)
                case tree.Time(moment):
                    one = moment.replace(tzinfo=None)
                case tree.Text(given) | tree.Number(given) | tree.Boolean(given):
                    one = given
                case _:
                    one = None
            if one is not None:
                found.append(one)
        if len(self.errors) > before:
            return None
        several = isinstance(value, tree.ListOf) or len(found) != 1
        return tuple(found) if several else found[0]

    def _reference(self, value: tree.Reference) -> ValuesOf | None:
        """The values of an attribute of a variable."""
        step = self.scope.get(value.variable)
        if step is None:
            if value.variable not in self.broken:
                self.errors.append(NoReference(value.variable, value.attribute, self.scope, value.span))
            return None
        self.inputs[value.variable] = step
        found = self.attribute(value.attribute, self.subject(value.variable, step), value.span)
        return ValuesOf(step, found) if found else None

    def _value(self, value: tree.Scalar, path: AttributePath, operator: str = "=") -> Scalar | ValuesOf | None:
        match value:
            case tree.Reference():
                return self._reference(value)
            case tree.Text(text):
                return self._literal(text, path, operator, value.span)
            case tree.Number(number):
                return self._literal(number, path, operator, value.span)
            case tree.Boolean(flag):
                return self._literal("true" if flag else "false", path, operator, value.span)
            case tree.Time(moment):
                return self._literal(moment, path, operator, value.span)
            case tree.Parameter():
                raise AssertionError("parameters are replaced before")
            case _:
                assert_never(value)

    def _literal(self, value: str | int | float | datetime, path: AttributePath, operator: str, span: Span) -> Scalar | None:
        """A literal in the attribute's own kind and canonical form."""
        if operator == "MATCHES":
            return self._regular(str(value), span)
        if operator in ("ISSUBSET", "ISSUPERSET"):
            return self._network(str(value), span)
        form = vocabulary().entity(path.end).canonical.get(path.attribute)
        if operator == "LIKE":
            return f"\\{value}" if form == "path" and str(value).startswith(PIPES) else str(value)
        match kind_of(path):
            case "number":
                return self._number(value, path, span)
            case "time":
                return self._moment(value, path, span)
            case "any":
                if isinstance(value, datetime):
                    return value.replace(tzinfo=None)
                return _in_range(value) if isinstance(value, int) else value
            case _:
                text = value.isoformat() if isinstance(value, datetime) else str(value)
                return CANONICAL[form](text) if form else text

    def _number(self, value: str | int | float | datetime, path: AttributePath, span: Span) -> Scalar | None:
        if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return _in_range(value)
        text = str(value)
        if HEXADECIMAL.fullmatch(text) or WHOLE.fullmatch(text):
            with contextlib.suppress(ValueError):  # Python converts up to 4,300 digits
                return _in_range(int(text, 16 if "x" in text.lower() else 10))
        number = float(text) if DECIMAL.fullmatch(text) else math.nan
        if not math.isfinite(number):
            self.errors.append(WrongValue(path.text(), "number", span, value=text))
            return None
        return int(number) if number.is_integer() and abs(number) < 2**63 else number

    def _moment(self, value: str | int | float | datetime, path: AttributePath, span: Span) -> Scalar | None:
        if isinstance(value, datetime):
            return value.replace(tzinfo=None)
        try:
            found = datetime.fromisoformat(str(value))
            found = found if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.errors.append(WrongValue(path.text(), "time", span, "write it as t'2021-04-03T00:00:00Z'", str(value)))
            return None
        return found.replace(tzinfo=None)

    def _regular(self, text: str, span: Span) -> str | None:
        """An RE2 expression. Reports what RE2 does not have; DuckDB decides about the rest."""
        found = LACKING.search(re.sub(r"\\\\", "", text))
        if found:
            self.errors.append(BadExpression(f"it has `{found.group()}`", span, foreign=True))
            return None
        try:
            re.compile(text)
        except re.error as error:
            why = in_words(error.msg)
            if why:
                self.errors.append(BadExpression(why, span))
                return None
        except (RecursionError, OverflowError):
            self.errors.append(BadExpression("it is too large", span))
            return None
        return text

    def _network(self, text: str, span: Span) -> str | None:
        import ipaddress

        try:
            return str(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            self.errors.append(BadNetwork(text, span))
            return None


def _in_range(number: int | float) -> int | float:
    """A number that the engine can hold: beyond 128 bits, the nearest float."""
    if abs(number) < 2**127:
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
