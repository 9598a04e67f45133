"""Patterns to predicates: attributes resolved, values in the attribute's own kind and canonical form."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import assert_never

from kestrel.graph.predicate import All, Any_, AttributePath, Complement, Missing, Predicate, Scalar, Test, ValuesOf
from kestrel.lower.columns import has_rows, kind_of
from kestrel.lower.mistakes import BadExpression, BadNetwork, NotEntities, UnknownVariable, UnorderedText, WrongValue
from kestrel.lower.names import Names, Subject
from kestrel.model.vocabulary import vocabulary
from kestrel.schemas.transforms import CANONICAL
from kestrel.syntax import tree
from kestrel.text import Span, nearest

LACKING = re.compile(r"\(\?(?:=|!|<=|<!|>)|\\[1-9]|\(\?P=|\(\?\(|[*+?}]\+")
"""What expressions of other engines have and RE2 has not."""


class Patterns(Names):
    """Lowers what stands after WHERE, and single values."""

    def predicate(self, pattern: tree.Pattern, subject: Subject) -> Predicate | None:
        match pattern:
            case tree.Comparison():
                return self._comparison(pattern, subject)
            case tree.IsNull(path, negated):
                found = self._tested(path, subject)
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
        found = self.path(path, subject)
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
        before = len(self.errors)
        items = self._items(comparison.value)
        if len(self.errors) > before:
            return None
        if operator in ("<", "<=", ">", ">="):
            if kind_of(path) == "text" and any(isinstance(i, tree.Number) for i in items):
                self.errors.append(UnorderedText(path.text(), operator, comparison.span))
                return None
            if len(items) != 1:
                self.errors.append(WrongValue(path.text(), "single value", comparison.value.span, "use IN for lists"))
                return None
        values = tuple(v for i in items if (v := self._value(i, path, operator)) is not None)
        if len(self.errors) > before:
            return None
        if operator[0] in "<>" and kind_of(path) == "text" and any(isinstance(v, ValuesOf) and kind_of(v.path) == "number" for v in values):
            self.errors.append(UnorderedText(path.text(), operator, comparison.span))
            return None
        return Test(path, operator, values, negated)

    def _items(self, value: tree.Value) -> tuple[tree.Scalar, ...]:
        """The single values of a list, parameters replaced by what was given for them."""
        found: list[tree.Scalar] = []
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
        if len(items) != 1 or isinstance(items[0], tree.Reference):
            if len(self.errors) == before:
                self.errors.append(WrongValue(path.text(), "single value", value.span))
            return None
        found = self._value(items[0], path)
        if isinstance(found, ValuesOf):
            return None
        if found is not None and kind_of(path) == "number" and not _is_whole(found, path):
            self.errors.append(WrongValue(path.text(), "whole number", value.span))
            return None
        return found

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

    def _reference(self, value: tree.Reference) -> ValuesOf | str | None:
        """The values of an attribute of a variable; where there is none of that name, text with a dot in it."""
        step = self.scope.get(value.variable)
        if step is None:
            if value.variable in self.broken:
                return None
            if not nearest(value.variable, self.scope):
                return f"{value.variable}.{value.attribute}"
            self.errors.append(UnknownVariable(value.variable, self.scope, value.span))
            return None
        found = self.attribute(value.attribute, self.subject(value.variable, step), value.span)
        return ValuesOf(step, found) if found else None

    def _value(self, value: tree.Scalar, path: AttributePath, operator: str = "=") -> Scalar | ValuesOf | None:
        match value:
            case tree.Reference(variable, _):
                if operator != "=" and variable not in self.scope and variable not in self.broken:
                    self.errors.append(UnknownVariable(variable, self.scope, value.span))
                    return None
                found = self._reference(value)
                return self._literal(found, path, operator, value.span) if isinstance(found, str) else found
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
        if operator == "LIKE":
            return str(value)
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
                form = vocabulary().entity(path.end).canonical.get(path.attribute)
                return CANONICAL[form](text) if form else text

    def _number(self, value: str | int | float | datetime, path: AttributePath, span: Span) -> Scalar | None:
        if isinstance(value, bool | int | float):
            return _in_range(value)
        text = str(value)
        try:
            return _in_range(int(text, 0))
        except ValueError:
            pass
        try:
            number = float(text)
            return int(number) if number.is_integer() and abs(number) < 2**63 else number
        except ValueError:
            self.errors.append(WrongValue(path.text(), "number", span))
            return None

    def _moment(self, value: str | int | float | datetime, path: AttributePath, span: Span) -> Scalar | None:
        if isinstance(value, datetime):
            return value.replace(tzinfo=None)
        try:
            found = datetime.fromisoformat(str(value))
            found = found if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.errors.append(WrongValue(path.text(), "time", span, "write it as t'2021-04-03T00:00:00Z'"))
            return None
        return found.replace(tzinfo=None)

    def _regular(self, text: str, span: Span) -> str | None:
        """An RE2 expression. What RE2 lacks of others' is told here; the store's engine has the last word."""
        found = LACKING.search(re.sub(r"\\\\", "", text))
        if found:
            self.errors.append(BadExpression(f"it has `{found.group()}`", span))
            return None
        try:
            re.compile(text)
        except re.error as error:
            if "global flags not at the start" not in str(error) and "unknown extension" not in str(error) and "bad escape" not in str(error):
                self.errors.append(BadExpression(str(error), span))
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
    """A number as the engine can hold it: beyond 64 bits as the nearest float."""
    if abs(number) < 2**63:
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _is_whole(value: Scalar, path: AttributePath) -> bool:
    """Whether a number can be the value of an attribute that is recorded: all of those are whole."""
    kind = vocabulary().entity(path.end)
    bits = 31 if kind.columns.get(kind.attributes.get(path.attribute, "")) == "INTEGER" else 63
    return isinstance(value, int) and abs(value) < 2**bits
