"""Tree to graph: names, types, attributes, values and time ranges resolved; every mistake reported at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, assert_never

from kestrel.errors import HuntErrors, KestrelError
from kestrel.graph.predicate import All, Any_, AttributePath, Complement, Missing, Predicate, Scalar, Test, ValuesOf
from kestrel.graph.steps import Find, Get, Merge, New, Refine, Source, Step, TimeRange, columns_of, sources_of, type_of
from kestrel.model.vocabulary import ADDRESS_TYPES, EVERY_ENTITY, EntityType, vocabulary
from kestrel.schemas.transforms import CANONICAL
from kestrel.settings import Settings
from kestrel.syntax import tree
from kestrel.text import Source as Text
from kestrel.text import Span, listed, nearest


class UnknownType(KestrelError):
    code: ClassVar[str] = "K0201"

    def __init__(self, name: str, span: Span) -> None:
        close = nearest(name, [*vocabulary().types, *vocabulary().type_aliases])
        hint = f"did you mean `{close}`?" if close else f"known types: {listed(vocabulary().types)}"
        super().__init__(f"there is no entity type `{name}`", span, hint)


class UnknownVariable(KestrelError):
    code: ClassVar[str] = "K0202"

    def __init__(self, name: str, known: Iterable[str], span: Span) -> None:
        known = list(known)
        close = nearest(name, known)
        hint = f"did you mean `{close}`?" if close else f"variables so far: {listed(known)}" if known else "no variable is defined yet"
        super().__init__(f"there is no variable `{name}`", span, hint)


class UnknownAttribute(KestrelError):
    code: ClassVar[str] = "K0203"

    def __init__(self, kind: str, name: str, span: Span, variable: str | None = None) -> None:
        entity = vocabulary().types[kind]
        known = [*entity.attributes, *entity.references, *entity.synonyms, *EVERY_ENTITY]
        close = nearest(name, known)
        hint = f"did you mean `{close}`?" if close else f"its attributes: {listed(entity.attributes, 20)}"
        if variable:
            hint += f" `INFO {variable}` lists them all"
        super().__init__(f"{kind} has no attribute `{name}`", span, hint)


class UnknownRelation(KestrelError):
    code: ClassVar[str] = "K0204"

    def __init__(self, verb: str, span: Span) -> None:
        close = nearest(verb, vocabulary().relations)
        hint = f"did you mean `{close}`?" if close else f"the verbs are {listed(vocabulary().relations, 20)}"
        super().__init__(f"there is no relation `{verb}`", span, hint)


class ImpossibleRelation(KestrelError):
    code: ClassVar[str] = "K0205"

    def __init__(self, wanted: str, verb: str, by: bool, given: str, others: Sequence[str], span: Span) -> None:
        sentence = f"{given} {verb} {wanted}" if by else f"{wanted} {verb} {given}"
        hint = f"from {given} you can ask: {listed(others, 20)}" if others else None
        super().__init__(f"no record can show `{sentence}`", span, hint)


class WrongValue(KestrelError):
    code: ClassVar[str] = "K0206"

    def __init__(self, attribute: str, kind: str, span: Span, hint: str | None = None) -> None:
        super().__init__(f"`{attribute}` is a {kind}, and this is not", span, hint)


class UnorderedText(KestrelError):
    code: ClassVar[str] = "K0207"

    def __init__(self, attribute: str, operator: str, span: Span) -> None:
        super().__init__(
            f"`{attribute}` is text and cannot be compared with a number by `{operator}`", span, "compare text with `=`, LIKE or MATCHES"
        )


class BadExpression(KestrelError):
    code: ClassVar[str] = "K0208"

    def __init__(self, why: str, span: Span) -> None:
        super().__init__(
            f"this MATCHES expression cannot be used: {why}",
            span,
            "expressions are those of RE2: no look-ahead, look-behind or back-references",
        )


class BadNetwork(KestrelError):
    code: ClassVar[str] = "K0209"

    def __init__(self, value: str, span: Span) -> None:
        super().__init__(f"`{value}` is no network", span, "write it as `10.0.0.0/8` or `fe80::/10`")


class WrongPool(KestrelError):
    code: ClassVar[str] = "K0210"

    def __init__(self, wanted: str, variable: str, kind: str, span: Span) -> None:
        super().__init__(
            f"`{variable}` holds {kind} entities, so GET {wanted} cannot filter it",
            span,
            f"to go from {kind} to {wanted} use FIND, e.g. `FIND {wanted} LINKED {variable}`",
        )


class MixedTypes(KestrelError):
    code: ClassVar[str] = "K0211"

    def __init__(self, kinds: Iterable[str], span: Span) -> None:
        super().__init__(f"`+` joins variables of one type, these are {listed(kinds)}", span)


class NotYet(KestrelError):
    code: ClassVar[str] = "K0212"

    def __init__(self, command: str, span: Span) -> None:
        super().__init__(
            f"{command} is not available in this version",
            span,
            "available: GET, FIND, NEW, assignment with WHERE, ATTR, SORT BY and LIMIT, `+`, DISP and INFO",
        )


class MissingParameter(KestrelError):
    code: ClassVar[str] = "K0213"

    def __init__(self, name: str, span: Span) -> None:
        super().__init__(
            f"parameter `${name}` has no value",
            span,
            f"parameters are not available in this version; write the value in place of `${name}`",
        )


class BackwardRange(KestrelError):
    code: ClassVar[str] = "K0214"

    def __init__(self, span: Span) -> None:
        super().__init__("the time range ends before it starts", span, "START comes first and is included, STOP is not")


class NoSource(KestrelError):
    code: ClassVar[str] = "K0215"

    def __init__(self, span: Span) -> None:
        super().__init__("there is no data source to ask yet", span, "name one: `GET ... FROM stixshifter://NAME` or `FROM path/to/logs.json`")


class BadReference(KestrelError):
    code: ClassVar[str] = "K0216"

    def __init__(self, kind: str, name: str, known: Iterable[str], span: Span) -> None:
        super().__init__(
            f"`{name}` of {kind} leads to another entity and has no value of its own", span, f"name one of its attributes: {listed(known)}"
        )


# -- what lowering gives ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Define:
    """Bind a step to a name."""

    name: str
    step: Step
    span: Span


@dataclass(frozen=True, slots=True)
class Show:
    """Display a step's entities."""

    step: Step
    columns: tuple[AttributePath, ...]
    limit: int | None
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Inform:
    """Tell what a variable is."""

    step: Step
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the hunter should know, which is no mistake."""

    code: str
    message: str


Action = Define | Show | Inform | Notice


@dataclass
class Lowering:
    """Lowers one cell: `scope` are the variables known, `open_source` finds what a URI, path or profile names."""

    scope: dict[str, Step]
    open_source: Callable[[str, bool], tuple[Source, ...]]
    now: datetime
    last_sources: tuple[Source, ...] = ()
    profiles: Callable[[str], bool] = lambda _: False
    default_variable: str = Settings.default_variable
    broken: set[str] = field(default_factory=set)
    """Variables whose own statement is wrong: what uses them is not reported too."""
    errors: list[KestrelError] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def lower(self, hunt: tree.Hunt) -> list[Action]:
        """The actions of a cell in order. Mistakes are collected in `errors`; a statement with one gives no action."""
        actions: list[Action] = []
        for statement in hunt.statements:
            before = len(self.errors)
            action = self._statement(statement)
            actions += self.notices
            self.notices.clear()
            if action is not None and len(self.errors) == before:
                actions.append(action)
        return actions

    def _statement(self, statement: tree.Statement) -> Action | None:
        match statement:
            case tree.Assign(target, value):
                name = target.text if target else self.default_variable
                step = self._yielding(value)
                if step is not None:
                    self.scope[name] = step
                    self.broken.discard(name)
                    return Define(name, step, statement.span)
                self.scope.pop(name, None)
                self.broken.add(name)
                return None
            case tree.Disp(expression, view):
                if view not in (None, "TABLE"):
                    self.errors.append(NotYet(f"DISP ... AS {view}", statement.span))
                    return None
                step = self._expression(expression)
                if step is None:
                    return None
                limit = None
                if isinstance(step, Refine) and step.limit is not None and not step.offset:
                    limit = step.limit
                    step = Refine(step.input, step.where, step.range, step.columns, step.sort, step.ascending)
                return Show(step, columns_of(step), limit, expression.variable.text, statement.span)
            case tree.Info(variable):
                known = self._variable(variable)
                return Inform(known, variable.text, statement.span) if known else None
            case tree.Apply():
                self.errors.append(NotYet("APPLY", statement.span))
                return None
            case tree.Save():
                self.errors.append(NotYet("SAVE", statement.span))
                return None
            case tree.Describe():
                self.errors.append(NotYet("DESCRIBE", statement.span))
                return None
            case tree.Explain():
                self.errors.append(NotYet("EXPLAIN", statement.span))
                return None
            case _:
                assert_never(statement)

    def _yielding(self, value: tree.Yielding) -> Step | None:
        match value:
            case tree.Get():
                return self._get(value)
            case tree.Find():
                return self._find(value)
            case tree.New():
                return self._new(value)
            case tree.Merge():
                return self._merge(value)
            case tree.Expression():
                return self._expression(value)
            case tree.SortBy():
                self.errors.append(NotYet("SORT", value.span))
                return None
            case tree.Group():
                self.errors.append(NotYet("GROUP", value.span))
                return None
            case tree.Join():
                self.errors.append(NotYet("JOIN", value.span))
                return None
            case tree.Load():
                self.errors.append(NotYet("LOAD", value.span))
                return None
            case _:
                assert_never(value)

    # -- commands ------------------------------------------------------------------------------------------------

    def _get(self, get: tree.Get) -> Step | None:
        kind = self._type(get.type)
        span = self._time(get.time)
        limit = self._limit(get.limit)
        variables = [self._as_variable(p) for p in get.pools]
        chosen = [v for v in variables if v is not None]
        where = self._pattern(get.where, kind) if get.where and kind else None
        if chosen:
            if len(chosen) < len(get.pools):
                self.errors.append(
                    WrongPool(get.type.text, get.pools[0].text if isinstance(get.pools[0].text, str) else "", "other", get.pools[0].span)
                )
                return None
            for pool, step in zip(get.pools, chosen, strict=True):
                if kind and type_of(step) != kind.name and not {type_of(step), kind.name} <= {"ipv4-addr", "ipv6-addr"}:
                    self.errors.append(WrongPool(kind.name, str(pool.text), type_of(step), pool.span))
                    return None
            source = chosen[0] if len(chosen) == 1 else Merge(tuple(chosen))
            return Refine(source, where, span, limit=limit[0], offset=limit[1])
        sources: list[Source] = []
        for pool in get.pools:
            if isinstance(pool.text, str) and pool.text in self.broken:
                return None
            sources += self._sources(pool)
        found = tuple(dict.fromkeys(sources)) if get.pools else self.last_sources
        if not found:
            if not get.pools:
                self.errors.append(NoSource(get.type.span))
            return None
        self.last_sources = found
        if kind is None:
            return None
        return Get(kind.name, found, where, span, limit[0])

    def _as_variable(self, pool: tree.Pool) -> Step | None:
        """The variable a bare name stands for; one that is a profile too is the variable, with a notice."""
        if not isinstance(pool.text, str) or pool.quoted:
            return None
        step = self.scope.get(pool.text)
        if step is not None and self.profiles(pool.text):
            self.notices.append(Notice("name-of-both", f"`{pool.text}` is a variable and a data source: the variable is meant"))
        return step

    def _sources(self, pool: tree.Pool) -> tuple[Source, ...]:
        if isinstance(pool.text, tree.Parameter):
            self.errors.append(MissingParameter(pool.text.name, pool.text.span))
            return ()
        try:
            return self.open_source(pool.text, pool.quoted)
        except KestrelError as error:
            error.span = pool.span
            close = nearest(pool.text, self.scope) if "://" not in pool.text and not pool.quoted else None
            if close:
                error.hint = f"did you mean the variable `{close}`?"
            self.errors.append(error)
            return ()

    def _find(self, find: tree.Find) -> Step | None:
        kind = self._type(find.type)
        given = self._variable(find.variable)
        relation = vocabulary().relation(find.verb.text)
        if relation is None:
            self.errors.append(UnknownRelation(find.verb.text, find.verb.span))
        where = self._pattern(find.where, kind) if find.where and kind else None
        span = self._time(find.time)
        limit = self._limit(find.limit)
        if kind is None or given is None or relation is None:
            return None
        if not _possible(relation.verb, kind.name, type_of(given), find.by):
            others = possible_from(type_of(given))
            self.errors.append(ImpossibleRelation(kind.name, find.verb.text, find.by, type_of(given), others, find.type.span.to(find.variable.span)))
            return None
        depth = None if find.depth == "ANY" else (find.depth or 1)
        sources = () if sources_of(given) else self.last_sources
        if not sources and not sources_of(given):
            self.errors.append(NoSource(find.type.span))
            return None
        return Find(kind.name, relation.verb, find.by, given, where, span, depth, limit[0], sources)

    def _new(self, new: tree.New) -> Step | None:
        kind = self._type(new.type) if new.type else vocabulary().types["process"]
        if kind is None:
            return None
        rows: list[tuple[tuple[str, Scalar | None], ...]] = []
        for row in new.rows:
            if isinstance(row, tuple):
                cells = []
                for name, value in row:
                    if name in ("type",):
                        continue
                    path = self._path_of(name, kind, new.span)
                    if path is None:
                        return None
                    cells.append((path.text(), self._cell(value, path)))
                rows.append(tuple(cells))
            else:
                path = AttributePath(kind.name, (), kind.main)
                rows.append(((kind.main, self._cell(row, path)),))
        return New(kind.name, tuple(rows))

    def _cell(self, value: tree.Value | None, path: AttributePath) -> Scalar | None:
        if value is None:
            return None
        before = len(self.errors)
        found = self._value(value, path)
        if isinstance(found, ValuesOf):
            self.errors.append(WrongValue(path.text(), "single value", value.span))
        return None if len(self.errors) > before or isinstance(found, ValuesOf) else found

    def _merge(self, merge: tree.Merge) -> Step | None:
        steps = [self._variable(v) for v in merge.variables]
        known = [s for s in steps if s is not None]
        if len(known) < len(steps):
            return None
        kinds = list(dict.fromkeys(type_of(s) for s in known))
        if len(kinds) > 1:
            self.errors.append(MixedTypes(kinds, merge.span))
            return None
        distinct = tuple(dict.fromkeys(known))
        return distinct[0] if len(distinct) == 1 else Merge(distinct)

    def _expression(self, expression: tree.Expression) -> Step | None:
        step = self._variable(expression.variable)
        if expression.transform:
            self.errors.append(NotYet(expression.transform, expression.span))
            return None
        if step is None:
            return None
        kind = vocabulary().types[type_of(step)]
        where = self._pattern(expression.where, kind) if expression.where else None
        columns = tuple(p for a in expression.attributes if (p := self._own_path(a, kind, expression.variable.text, step)))
        sort = self._own_path(expression.sort.attribute, kind, expression.variable.text, step) if expression.sort else None
        limit, offset = self._limit(expression.limit)
        plain = not (where or columns or sort or limit is not None or offset)
        ascending = expression.sort.ascending if expression.sort else False
        return step if plain else Refine(step, where, None, columns, sort, ascending, limit, offset)

    # -- names ---------------------------------------------------------------------------------------------------

    def _type(self, word: tree.Word) -> EntityType | None:
        kind = vocabulary().type_named(word.text)
        if kind is None:
            self.errors.append(UnknownType(word.text, word.span))
        return kind

    def _variable(self, word: tree.Word) -> Step | None:
        step = self.scope.get(word.text)
        if step is None and word.text not in self.broken:
            self.errors.append(UnknownVariable(word.text, self.scope, word.span))
        return step

    def _own_path(self, path: tree.Path, kind: EntityType, variable: str, step: Step) -> AttributePath | None:
        given = _given_attributes(step)
        if path.type is None and path.attribute in given:
            return self._path_of(path.attribute, kind, path.span) or AttributePath(kind.name, (), path.attribute, True, path.span)
        return self._path(path, kind, variable)

    def _path(self, path: tree.Path, kind: EntityType, variable: str | None = None) -> AttributePath | None:
        """An attribute as written, of the step's type or, with a type before it, of another's."""
        if path.type is not None:
            other = vocabulary().type_named(path.type)
            if other is None:
                self.errors.append(UnknownType(path.type, path.span))
                return None
            return self._path_of(path.attribute, other, path.span)
        found = _resolve(path.attribute, kind, path.span)
        if found is None and (alias := vocabulary().alias(path.attribute)):
            found = self._aliased(alias, kind, path.span)
        if found is None:
            self._unknown(path.attribute, kind, path.span, variable)
        return found

    def _aliased(self, alias: tuple[str, str], kind: EntityType, span: Span) -> AttributePath | None:
        other = vocabulary().types[alias[0]]
        if kind.name == other.name:
            return _resolve(alias[1], kind, span)
        if kind.name == "process" and other.name == "user-account":
            return _resolve("creator_user_ref." + alias[1], kind, span)
        return _resolve(alias[1], other, span)

    def _path_of(self, attribute: str, kind: EntityType, span: Span) -> AttributePath | None:
        found = _resolve(attribute, kind, span)
        if found is None:
            self._unknown(attribute, kind, span, None)
        return found

    def _unknown(self, attribute: str, kind: EntityType, span: Span, variable: str | None) -> None:
        """Name the first part that is wrong, of the type it is wrong for."""
        parts = attribute.split(".")
        while len(parts) > 1 and (target := kind.references.get(_bare(parts[0], kind))):
            kind = vocabulary().types["ipv4-addr" if target == "address" else target]
            parts = parts[1:]
        rest = ".".join(parts)
        if _bare(rest, kind) in kind.references:
            target = kind.references[_bare(rest, kind)]
            below = vocabulary().types["ipv4-addr" if target == "address" else target]
            self.errors.append(BadReference(kind.name, rest, [f"{rest}.{a}" for a in below.attributes], span))
        else:
            self.errors.append(UnknownAttribute(kind.name, rest, span, variable))

    # -- patterns ------------------------------------------------------------------------------------------------

    def _pattern(self, pattern: tree.Pattern, kind: EntityType) -> Predicate | None:
        match pattern:
            case tree.Comparison():
                return self._comparison(pattern, kind)
            case tree.IsNull(path, negated):
                found = self._path(path, kind)
                return Missing(found, negated) if found else None
            case tree.And(parts):
                known = [p for part in parts if (p := self._pattern(part, kind))]
                return All(tuple(known)) if len(known) == len(parts) else None
            case tree.Or(parts):
                known = [p for part in parts if (p := self._pattern(part, kind))]
                return Any_(tuple(known)) if len(known) == len(parts) else None
            case tree.Not(part):
                inner = self._pattern(part, kind)
                return Complement(inner) if inner else None
            case _:
                assert_never(pattern)

    def _comparison(self, comparison: tree.Comparison, kind: EntityType) -> Predicate | None:
        path = self._path(comparison.path, kind)
        if path is None:
            return None
        operator = comparison.operator
        negated = comparison.negated != (operator == "!=")
        if operator == "!=":
            operator = "="
        items = comparison.value.items if isinstance(comparison.value, tree.ListOf) else (comparison.value,)
        if operator in ("<", "<=", ">", ">=") and _kind(path) == "text" and any(isinstance(i, tree.Number) for i in items):
            self.errors.append(UnorderedText(path.text(), operator, comparison.span))
            return None
        before = len(self.errors)
        values = tuple(v for i in items if (v := self._value(i, path, operator)) is not None)
        if len(self.errors) > before:
            return None
        return Test(path, operator, values, negated)

    def _value(self, value: tree.Value, path: AttributePath, operator: str = "=") -> Scalar | ValuesOf | None:
        match value:
            case tree.Reference(variable, attribute):
                step = self.scope.get(variable)
                if step is None:
                    if variable in self.broken:
                        return None
                    if operator == "=" and "." in f"{variable}.{attribute}" and not nearest(variable, self.scope):
                        return self._literal(f"{variable}.{attribute}", path, operator, value.span)
                    self.errors.append(UnknownVariable(variable, self.scope, value.span))
                    return None
                found = _resolve(attribute, vocabulary().types[type_of(step)], value.span)
                if found is None:
                    self._unknown(attribute, vocabulary().types[type_of(step)], value.span, variable)
                    return None
                return ValuesOf(step, found)
            case tree.Parameter(name):
                self.errors.append(MissingParameter(name, value.span))
                return None
            case tree.Text(text):
                return self._literal(text, path, operator, value.span)
            case tree.Number(number):
                return self._literal(number, path, operator, value.span)
            case tree.Boolean(flag):
                return self._literal("true" if flag else "false", path, operator, value.span)
            case tree.Time(moment):
                return self._literal(moment, path, operator, value.span)
            case tree.ListOf():
                self.errors.append(WrongValue(path.text(), "single value", value.span))
                return None
            case _:
                assert_never(value)

    def _literal(self, value: str | int | float | datetime, path: AttributePath, operator: str, span: Span) -> Scalar | None:
        """A literal in the attribute's own kind and canonical form."""
        if operator == "MATCHES":
            return self._expression_text(str(value), span)
        if operator in ("ISSUBSET", "ISSUPERSET"):
            return self._network(str(value), span)
        if operator == "LIKE":
            return str(value)
        match _kind(path):
            case "number":
                return self._number(value, path, span)
            case "time":
                return self._moment(value, path, span)
            case _:
                text = _text(value)
                form = vocabulary().types["ipv4-addr" if path.end == "address" else path.end].canonical.get(path.attribute)
                return CANONICAL[form](text) if form else text

    def _number(self, value: str | int | float | datetime, path: AttributePath, span: Span) -> Scalar | None:
        if isinstance(value, bool | int | float):
            return value if abs(value) < 2**63 else float(value)
        try:
            return int(str(value), 0)
        except ValueError:
            self.errors.append(WrongValue(path.text(), "number", span))
            return None

    def _moment(self, value: str | int | float | datetime, path: AttributePath, span: Span) -> Scalar | None:
        if isinstance(value, datetime):
            return value.astimezone(UTC).replace(tzinfo=None)
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.errors.append(WrongValue(path.text(), "time", span, "write it as t'2021-04-03T00:00:00Z'"))
            return None
        return (found if found.tzinfo is None else found.astimezone(UTC)).replace(tzinfo=None)

    def _expression_text(self, text: str, span: Span) -> str | None:
        """An RE2 expression. What RE2 lacks of others' is told here; the store's engine has the last word."""
        found = re.search(r"\(\?(?:=|!|<=|<!|>)|\\[1-9]|\(\?P=|\(\?\(|[*+?}]\+", re.sub(r"\\\\", "", text))
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

    # -- time and limits -----------------------------------------------------------------------------------------

    def _time(self, clause: tree.TimeClause | None) -> TimeRange | None:
        match clause:
            case None:
                return None
            case tree.Range(start, stop):
                if isinstance(start, tree.Parameter) or isinstance(stop, tree.Parameter):
                    for part in (start, stop):
                        if isinstance(part, tree.Parameter):
                            self.errors.append(MissingParameter(part.name, part.span))
                    return None
                if stop.value < start.value:
                    self.errors.append(BackwardRange(clause.span))
                    return None
                return TimeRange(start.value, stop.value)
            case tree.Last(count, unit):
                if isinstance(count, tree.Parameter):
                    self.errors.append(MissingParameter(count.name, count.span))
                    return None
                seconds = {"DAY": 86400, "HOUR": 3600, "MINUTE": 60, "SECOND": 1}[unit]
                try:
                    return TimeRange(self.now - timedelta(seconds=seconds * count), self.now)
                except OverflowError:
                    return TimeRange(datetime(1, 1, 1, tzinfo=UTC), self.now)
            case _:
                assert_never(clause)

    def _limit(self, limit: tree.Limit | None) -> tuple[int | None, int]:
        if limit is None:
            return None, 0
        for part in (limit.count, limit.offset):
            if isinstance(part, tree.Parameter):
                self.errors.append(MissingParameter(part.name, part.span))
                return None, 0
        assert isinstance(limit.count, int) and isinstance(limit.offset, int)
        return min(limit.count, 2**62), min(limit.offset, 2**62)


def lower(text: Text, hunt: tree.Hunt, lowering: Lowering) -> list[Action]:
    """The actions of a cell, or HuntErrors with everything that is wrong with it."""
    actions = lowering.lower(hunt)
    if lowering.errors:
        raise HuntErrors(text, lowering.errors)
    return actions


def _bare(part: str, kind: EntityType) -> str:
    """A reference as the model names it, without the `[*]` of lists."""
    part = part.removesuffix("[*]")
    return kind.synonyms.get(part, part)


def _resolve(attribute: str, kind: EntityType, span: Span) -> AttributePath | None:
    """An attribute path of a type, or None."""
    start = kind.name
    chain: list[tuple[str, str]] = []
    parts = attribute.split(".")
    while True:
        rest = ".".join(parts)
        name = kind.attribute(rest) or kind.attribute(rest.replace("'", ""))
        if name:
            return AttributePath(start, tuple(chain), name, True, span)
        reference = _bare(parts[0], kind)
        if len(parts) > 1 and reference in kind.references:
            target = kind.references[reference]
            chain.append((reference, target))
            kind = vocabulary().types["ipv4-addr" if target == "address" else target]
            parts = parts[1:]
            continue
        if parts[0].startswith("x_"):
            return AttributePath(start, tuple(chain), rest, False, span)
        return None


def _kind(path: AttributePath) -> str:
    """`text`, `number` or `time`."""
    if path.attribute in EVERY_ENTITY:
        return {"first_observed": "time", "last_observed": "time", "number_observed": "number"}.get(path.attribute, "text")
    kind = vocabulary().types["ipv4-addr" if path.end == "address" else path.end]
    sql = kind.columns.get(kind.attributes.get(path.attribute, ""), "VARCHAR")
    return "time" if sql == "TIMESTAMP" else "text" if sql == "VARCHAR" else "number"


def _text(value: str | int | float | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _given_attributes(step: Step) -> set[str]:
    match step:
        case New():
            return {name for row in step.rows for name, _ in row}
        case Refine():
            return _given_attributes(step.input)
        case Merge():
            return {n for i in step.inputs for n in _given_attributes(i)}
        case _:
            return set()


def _is(pattern: str, kind: str) -> bool:
    return pattern == kind or (pattern == "address" and kind in ADDRESS_TYPES)


def _possible(verb: str, wanted: str, given: str, by: bool) -> bool:
    if verb == "LINKED":
        return True
    subject, thing = (given, wanted) if by else (wanted, given)
    return any(_is(a, subject) and _is(b, thing) for a, b in vocabulary().relations[verb].pairs)


def possible_from(given: str) -> list[str]:
    """What can be asked from entities of a type, as FIND would say it."""
    found = []
    for relation in vocabulary().relations.values():
        for subject, thing in relation.pairs:
            if _is(subject, given):
                found.append(f"FIND {thing} {relation.verb} BY")
            if _is(thing, given):
                found.append(f"FIND {subject} {relation.verb}")
    return [f.replace("address", "ipv4-addr") for f in dict.fromkeys(found)]
