"""Tree to graph: names, types, attributes, values and time ranges resolved; every mistake reported at its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from kestrel.errors import HuntErrors, KestrelError
from kestrel.graph.formats import LISTS, SUFFIXES, format_of
from kestrel.graph.steps import (
    TABLE,
    Applied,
    AttributePath,
    Find,
    Get,
    Load,
    Merge,
    New,
    Refine,
    Rows,
    Scalar,
    Source,
    Step,
    TimeRange,
    columns_of,
    sources_of,
    type_of,
)
from kestrel.lower.actions import Action, Analyse, Define, Describe, Draw, Explain, Inform, Notice, Save, Show, Survey
from kestrel.lower.mistakes import (
    AppliedTwice,
    ImpossibleRelation,
    MixedSources,
    MixedTypes,
    NoIdentity,
    NoRecords,
    NoReference,
    NoSource,
    NotLocal,
    RowOfAnotherType,
    UnknownFormat,
    WrongParameter,
    WrongSource,
    WrongValue,
    no_relation,
)
from kestrel.lower.names import Subject
from kestrel.lower.origins import ByName, with_known_sources
from kestrel.lower.tables import Tables
from kestrel.model.vocabulary import ADDRESS_TYPES, EntityType, vocabulary
from kestrel.settings import Settings
from kestrel.syntax import tree
from kestrel.syntax.mistakes import TwiceGiven
from kestrel.syntax.parts import place_of
from kestrel.text import Source as Text
from kestrel.text import Span, nearest


def _no_file(path: str, kind: str | None) -> tuple[Load, list[Notice]]:
    return Load(path, TABLE), []


@dataclass
class Lowering(Tables):
    """Lowers one cell: `scope` are the variables known, `open_source` finds what a URI, path or profile names."""

    open_source: Callable[[str, bool], tuple[Source, ...]] = lambda _, __: ()
    last_sources: tuple[Source, ...] = ()
    is_profile: Callable[[str], bool] = lambda _: False
    default_variable: str = Settings.default_variable
    peek: Callable[[str, str | None], tuple[Load, list[Notice]]] = _no_file
    """What a saved file says about its rows (of the given type, if any), and the notices about that. Raises KestrelError."""
    by_name: ByName = lambda _: None
    current: Callable[[Source], Source] = lambda source: source
    """A source with what its files contain now."""
    is_own: Callable[[str], bool] = lambda _: False
    """Whether a file is as Kestrel wrote it."""
    check_target: Callable[[Save, Collection[str]], None] = lambda *_: None
    """Raises KestrelError for a file that may not be written. The files given are those that the cell reads."""
    opened: dict[Source, None] = field(default_factory=dict)
    """Every source of the session so far."""
    loaded: dict[str, None] = field(default_factory=dict)
    """Every file that was loaded in the session so far."""
    check_analytic: Callable[[str, Sequence[str], Collection[str]], None] = lambda *_: None
    """Raises KestrelError for an analytic that is not there, or that cannot take variables of these types or such arguments."""
    turns: dict[str, int] = field(default_factory=dict)
    asked: set[Step] = field(default_factory=set)
    """The steps that ask sources themselves."""
    """How often each APPLY was asked before, by its content."""
    outside: Collection[str] = ()
    """The parameters that are given from outside, which no `$name = value` changes."""
    given: dict[str, Any] = field(default_factory=dict)
    """What `$name = value` gives in this cell."""
    offline: bool = False
    """Whether a missing file to load is accepted."""
    saved: dict[str, Step | None] = field(default_factory=dict)
    """What this cell has written before the statement, by path; None where that statement is wrong."""

    def lower(self, hunt: tree.Hunt) -> list[Action]:
        """The actions of a cell in order. Mistakes are collected in `errors`; a statement with one gives no action."""
        actions: list[Action] = []
        for statement in hunt.statements:
            before = len(self.errors)
            self.inputs = {}
            action = self._statement(statement)
            actions += self.notices
            self.notices.clear()
            if action is not None and len(self.errors) == before:
                actions.append(action)
        return actions

    def _statement(self, statement: tree.Statement) -> Action | None:
        match statement:
            case tree.Assign(target, value):
                return self._define(target.text if target else self.default_variable, value, statement)
            case tree.Give():
                self._give(statement)
                return None
            case tree.Disp():
                return self._display(statement)
            case tree.InfoOfSource(source_text):
                return self._survey(source_text, statement.span)
            case tree.Info(variable) if variable.text not in self.scope and self.is_profile(variable.text):
                return self._survey(tree.SourceText(variable.text, False, variable.span), statement.span)
            case tree.Info(variable):
                known = self.variable(variable)
                return Inform(known, variable.text, statement.span) if known else None
            case tree.Describe(variable, attribute):
                known = self.variable(variable)
                path = self.path(attribute, self.subject(variable.text, known)) if known else None
                return Describe(known, path, variable.text, statement.span) if known and path else None
            case tree.Explain(variable):
                known = self.variable(variable)
                return Explain(known, variable.text, statement.span) if known else None
            case tree.Save(variable, source_text):
                known = self.variable(variable)
                file = self._file(source_text, SUFFIXES)
                written = file in self.saved
                if file is not None:
                    self.saved[file] = known
                if known is None or file is None:
                    return None
                found = format_of(file)
                if type_of(known) == TABLE and found and found.kind == "stix":
                    self.errors.append(NoIdentity("a STIX bundle", variable.text, variable.span))
                    return None
                return self._save(Save(known, file, variable.text, statement.span, statement.replace), written, source_text)
            case tree.Apply():
                return self._apply(statement)
            case _:
                assert_never(statement)

    def _save(self, save: Save, written: bool, source_text: tree.SourceText) -> Save | None:
        """A SAVE to a file that may be written. This is checked before anything runs, unless this cell writes the file earlier."""
        if not written:
            try:
                self.check_target(save, [*(f for s in self.opened for f in s.files), *self.loaded])
            except KestrelError as error:
                error.span = source_text.span
                self.errors.append(error)
                return None
        return save

    def _define(self, name: str, value: tree.Yielding, statement: tree.Assign) -> Define | None:
        step = self._yielding(value)
        if step is None:
            self.scope.pop(name, None)
            self.broken.add(name)
            return None
        self.scope[name] = step
        self.broken.discard(name)
        return Define(name, step, statement.span, tuple(self.inputs.items()))

    def _give(self, statement: tree.Give) -> None:
        """Set a parameter for what follows; what is given from outside wins."""
        value = self._plain(statement.value)
        if value is not None:
            self.given[statement.name] = value
            self.parameters = (
                {statement.name: value} | self.parameters if statement.name in self.outside else self.parameters | {statement.name: value}
            )

    def _plain(self, value: tree.Value) -> Any:
        """A value as Python; None, with a mistake, for one that only a run can tell."""
        match value:
            case tree.ListOf(items):
                found = [self._plain(i) for i in items]
                return None if None in found else found
            case tree.Parameter():
                known = self.parameter(value)
                return None if known is None else self._plain(known)
            case tree.Reference(variable, attribute, span) if variable not in self.scope:
                self.errors.append(NoReference(variable, attribute, self.scope, span))
                return None
            case tree.Reference(variable, attribute, span):
                self.errors.append(WrongValue(f"{variable}.{attribute}", "text, a number, a time, true, false or a list of these", span))
                return None
            case tree.Text(plain) | tree.Number(plain) | tree.Boolean(plain) | tree.Time(plain):
                return plain
            case _:
                assert_never(value)

    def _yielding(self, value: tree.Yielding) -> Step | None:
        match value:
            case tree.Get():
                return self._get(value)
            case tree.Find():
                return self._find(value)
            case tree.New():
                return self._new(value)
            case tree.Load():
                return self._load(value)
            case tree.Merge():
                return self._merge(value)
            case tree.Expression():
                return self._expression(value)
            case tree.SortBy(variable, sort):
                return self._expression(tree.Expression(variable, sort=sort, span=value.span))
            case tree.Group():
                return self._group(value)
            case tree.Join():
                return self._join(value)
            case _:
                assert_never(value)

    # -- entities from sources -----------------------------------------------------------------------------------

    def _get(self, get: tree.Get) -> Step | None:
        kind = self.type_named(get.type)
        span = self.time_range(get.time)
        limit, offset = self.cut(get.limit)
        named = [(source_text, step) for source_text in get.source_texts if (step := self._as_variable(source_text)) is not None]
        if named:
            return self._get_from_variables(get, kind, named, span, limit, offset)
        where = self.predicate(get.where, Subject(kind.name)) if get.where and kind else None
        sources: list[Source] = []
        for source_text in get.source_texts:
            if isinstance(source_text.text, str) and source_text.text in self.broken:
                return None
            sources += self._sources(source_text)
        found = tuple(dict.fromkeys(sources)) if get.source_texts else self.last_sources
        if not found:
            if not get.source_texts:
                self.errors.append(NoSource(get.type.span))
            return None
        self.last_sources = found
        self.opened |= dict.fromkeys(found)
        if kind is None:
            return None
        asked = Get(kind.name, found, where, span, None if offset else limit)
        self.asked.add(asked)
        return Refine(asked, limit=limit, offset=offset) if offset else asked

    def _get_from_variables(
        self,
        get: tree.Get,
        kind: EntityType | None,
        named: Sequence[tuple[tree.SourceText, Step]],
        span: TimeRange | None,
        limit: int | None,
        offset: int,
    ) -> Step | None:
        """GET FROM a variable filters it."""
        if len(named) < len(get.source_texts):
            other = next(p for p in get.source_texts if all(p is not q for q, _ in named))
            self.errors.append(MixedSources(str(named[0][0].text), str(other.text), other.span))
            return None
        for source_text, step in named:
            if type_of(step) == TABLE:
                self.errors.append(NoIdentity("GET", str(source_text.text), source_text.span))
                return None
            if kind and type_of(step) != kind.name and not {type_of(step), kind.name} <= set(ADDRESS_TYPES):
                self.errors.append(WrongSource(kind.name, str(source_text.text), type_of(step), source_text.span))
                return None
        source = named[0][1] if len(named) == 1 else Merge(tuple(step for _, step in named))
        before = len(self.errors)
        where = self.predicate(get.where, self.subject(str(named[0][0].text), source)) if get.where and kind else None
        if kind is None or len(self.errors) > before:
            return None
        return Refine(source, where, span, limit=limit, offset=offset)

    def _as_variable(self, source_text: tree.SourceText) -> Step | None:
        """The variable a bare name stands for; one that is a profile too is the variable, with a notice."""
        if not isinstance(source_text.text, str) or source_text.quoted:
            return None
        step = self.scope.get(source_text.text)
        if step is not None and self.is_profile(source_text.text):
            self.notices.append(Notice("name-of-both", f"`{source_text.text}` is a variable and a data source: the variable is meant"))
        if step is not None:
            self.inputs[source_text.text] = step
        return step

    def _survey(self, source_text: tree.SourceText, span: Span) -> Survey | None:
        found = self._sources(source_text)
        named = ", ".join(self._source_texts(source_text))
        return Survey(found, named, span) if found else None

    def _sources(self, source_text: tree.SourceText) -> tuple[Source, ...]:
        found: list[Source] = []
        for text in self._source_texts(source_text):
            path = _absolute(text)
            if path in self.saved:
                saved = self.saved[path]
                found += [Source(text, (path,), reading=saved.content)] if saved else []
                continue
            try:
                found += self.open_source(text, source_text.quoted)
            except KestrelError as error:
                error.span = source_text.span
                close = nearest(text, self.scope) if "://" not in text and not source_text.quoted else None
                if close:
                    error.hint = f"did you mean the variable `{close}`?"
                self.errors.append(error)
        return tuple(found)

    def _source_texts(self, source_text: tree.SourceText) -> list[str]:
        """What a pool names: more than one where a parameter is a list."""
        if isinstance(source_text.text, str):
            return [source_text.text] if self._nameable(source_text.text, source_text.span) else []
        given = self.parameter(source_text.text)
        items = given.items if isinstance(given, tree.ListOf) else (given,) if given else ()
        texts = [i.value for i in items if isinstance(i, tree.Text)]
        if len(texts) < len(items):
            self.errors.append(WrongParameter(source_text.text.name, "a data source or a file", source_text.span, "logs.json"))
        return [text for text in texts if self._nameable(text, source_text.span)]

    def _nameable(self, text: str, span: Span) -> bool:
        """Whether a text can be the name of a file."""
        if "\0" in text:
            self.errors.append(NotLocal(text, span))
            return False
        return self.whole(text, span)

    def _find(self, find: tree.Find) -> Step | None:
        kind = self.type_named(find.type)
        given = self.variable(find.variable)
        relation = vocabulary().relation(find.verb.text)
        if relation is None:
            self.errors.append(no_relation(find.verb.text, find.variable.text, find.verb.span))
        where = self.predicate(find.where, Subject(kind.name)) if find.where and kind else None
        span = self.time_range(find.time)
        limit, offset = self.cut(find.limit)
        if kind is None or given is None or relation is None:
            return None
        if type_of(given) == TABLE:
            self.errors.append(NoIdentity("FIND", find.variable.text, find.variable.span))
            return None
        if not vocabulary().can(relation.verb, kind.name, type_of(given), find.by):
            others = vocabulary().leading_from(type_of(given))
            span_of = find.type.span.to(find.variable.span)
            self.errors.append(ImpossibleRelation(kind.name, find.verb.text, find.by, type_of(given), find.variable.text, others, span_of))
            return None
        depth = None if find.depth == "ANY" else (find.depth or 1)
        sources = () if sources_of(given) else self.last_sources
        if not sources and not sources_of(given):
            self.errors.append(NoSource(find.type.span))
            return None
        if offset:
            return Refine(Find(kind.name, relation.verb, find.by, given, where, span, depth, None, sources), limit=limit, offset=offset)
        return Find(kind.name, relation.verb, find.by, given, where, span, depth, limit, sources)

    # -- entities and rows from elsewhere ------------------------------------------------------------------------

    def _new(self, new: tree.New) -> Step | None:
        kind = self._type_of_rows(new)
        if kind is None:
            return None
        rows: list[tuple[tuple[str, Scalar | None], ...]] = []
        for row in new.rows:
            if not isinstance(row, tuple):
                rows.append(((kind.main, self.single(row, AttributePath(kind.name, (), kind.main))),))
                continue
            cells: list[tuple[str, Scalar | None]] = []
            for name, value in row:
                if name == "type":
                    continue
                path = self.attribute(name, Subject(kind.name), value.span if value else new.span)
                if path is None:
                    return None
                if any(path.text() == other for other, _ in cells):
                    self.errors.append(TwiceGiven(f"`{name}`", value.span if value else new.span))
                cells.append((path.text(), self.single(value, path) if value is not None else None))
            rows.append(tuple(cells))
        return New(kind.name, tuple(rows))

    def _type_of_rows(self, new: tree.New) -> EntityType | None:
        """The type of the rows of NEW: from the statement, else from the rows, else `process`."""
        kind = self.type_named(new.type) if new.type else None
        if new.type and kind is None:
            return None
        for value in (v for row in new.rows if isinstance(row, tuple) for name, v in row if name == "type" and v is not None):
            given = self.parameter(value) if isinstance(value, tree.Parameter) else value
            if given is None:
                return None
            if not isinstance(given, tree.Text):
                self.errors.append(WrongValue("type", "text", value.span, 'write it like {"type": "file", "name": "a.exe"}'))
                return None
            own = self.type_named(tree.Word(given.value, value.span))
            if own is None:
                return None
            if kind and own.name != kind.name:
                self.errors.append(RowOfAnotherType(own.name, kind.name, new.type is not None, value.span))
                return None
            kind = own
        return kind or vocabulary().types["process"]

    def _load(self, load: tree.Load) -> Step | None:
        wanted = self.type_named(load.type) if load.type else None
        path = self._file(load.path, (*SUFFIXES, *LISTS))
        if path is None or (load.type and wanted is None):
            return None
        if path in self.saved:
            step = self.saved[path]
            if step is None:
                return None
            found = Load(path, type_of(step), sources_of(step), reading=step.content)
        else:
            try:
                claimed, notices = self.peek(path, wanted.name if wanted else None)
            except KestrelError as error:
                if self.offline:
                    return Load(path, wanted.name) if wanted else None
                error.span = load.path.span
                self.errors.append(error)
                return None
            self.loaded[path] = None
            found, unknown = with_known_sources(claimed, self.opened, self.by_name, self.is_own)
            found = replace(found, sources=tuple(map(self.current, found.sources)))
            self.notices += [*notices, *unknown]
        return replace(found, type=wanted.name) if wanted else found

    def _file(self, source_text: tree.SourceText, endings: Collection[str]) -> str | None:
        """The absolute path of a file to save or load, of a format that has one of these endings."""
        texts = self._source_texts(source_text)
        if len(texts) != 1:
            return None
        if "://" in texts[0].removeprefix("file://") or "\0" in texts[0]:
            self.errors.append(NotLocal(texts[0], source_text.span))
            return None
        path = _absolute(texts[0])
        found = format_of(path)
        if found is None or (found.kind == "text" and not set(endings) & set(LISTS)):
            self.errors.append(UnknownFormat(texts[0], endings, source_text.span))
            return None
        return path

    # -- variables from variables --------------------------------------------------------------------------------

    def _merge(self, merge: tree.Merge) -> Step | None:
        steps = [self.variable(o) if isinstance(o, tree.Word) else self._expression(o) for o in merge.operands]
        known = [s for s in steps if s is not None]
        if len(known) < len(steps):
            return None
        names = [o if isinstance(o, tree.Word) else o.variable for o in merge.operands]
        kinds = list(dict.fromkeys(type_of(s) for s in known))
        if len(kinds) > 1:
            table = next((v for v, s in zip(names, known, strict=True) if type_of(s) == TABLE), None)
            self.errors.append(NoIdentity("`+` with entities", table.text, table.span) if table else MixedTypes(kinds, merge.span))
            return None
        distinct = tuple(dict.fromkeys(known))
        return distinct[0] if len(distinct) == 1 else Merge(distinct)

    def _expression(self, expression: tree.Expression) -> Step | None:
        step = self.variable(expression.variable)
        if step is None:
            return None
        name = expression.variable.text
        if expression.transform:
            if type_of(step) == TABLE:
                self.errors.append(NoRecords(expression.transform, name, expression.variable.span))
                return None
            step = Rows(step, expression.transform)
        subject = self.subject(name, step)
        before = len(self.errors)
        where = self.predicate(expression.where, subject) if expression.where else None
        columns = tuple(p for a in expression.attributes if (p := self.path(a, subject)))
        sort = self.path(expression.sort.attribute, subject) if expression.sort else None
        limit, offset = self.cut(expression.limit)
        if len(self.errors) > before:
            return None
        plain = not (where or columns or sort or limit is not None or offset)
        ascending = expression.sort.ascending if expression.sort else False
        return step if plain else Refine(step, where, None, columns, sort, ascending, limit, offset)

    # -- what shows, and what others do --------------------------------------------------------------------------

    def _display(self, statement: tree.Disp) -> Show | Draw | None:
        step, shown = self._expression(statement.expression), statement.expression.variable
        if step is None:
            return None
        if statement.view is not None and statement.view != "TABLE":
            if type_of(step) == TABLE and statement.view != "CHART":
                self.errors.append(NoIdentity(f"DISP ... AS {statement.view}", shown.text, shown.span))
                return None
            return Draw(step, statement.view, columns_of(step), shown.text, statement.span)
        limit, offset = None, 0
        if isinstance(step, Refine) and (step.limit is not None or step.offset):
            limit, offset = step.limit, step.offset
            step = Refine(step.input, step.where, step.range, step.columns, step.sort, step.ascending)
        return Show(step, columns_of(step), limit, offset, shown.text, statement.span)

    def _apply(self, statement: tree.Apply) -> Analyse | None:
        before = len(self.errors)
        names = self._source_texts(statement.analytics)
        steps = [self.variable(v) for v in statement.variables]
        for name in names if all(steps) else ():
            try:
                self.check_analytic(name, [type_of(s) for s in steps if s], [a.name for a in statement.arguments])
            except KestrelError as error:
                error.span = place_of(error.part, statement) or statement.analytics.span
                self.errors.append(error)
        seen: set[str] = set()
        for variable in statement.variables:
            if variable.text in seen:
                self.errors.append(AppliedTwice(variable.text, variable.span))
            seen.add(variable.text)
        arguments = [(a.name, self.argument(a.value)) for a in statement.arguments]
        for n, argument in enumerate(statement.arguments):
            if any(argument.name == other.name for other in statement.arguments[:n]):
                self.errors.append(TwiceGiven(f"`{argument.name}`", argument.span))
        known = tuple(s for s in steps if s is not None)
        if len(self.errors) > before or len(known) < len(steps) or len(names) != 1:
            self.broken.update(v.text for v in statement.variables)
            return None
        given = tuple((name, value) for name, value in arguments if value is not None)
        question = Applied(known, 0, names[0], given).content
        turn = self.turns[question] = self.turns.get(question, -1) + 1
        versions = tuple(Applied(known, n, names[0], given, turn) for n in range(len(known)))
        for variable, version in zip(statement.variables, versions, strict=True):
            self.scope[variable.text] = version
        return Analyse(names[0], tuple(v.text for v in statement.variables), versions, statement.span, tuple(self.inputs.items()))


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path.removeprefix("file://")))


def lower(text: Text, hunt: tree.Hunt, lowering: Lowering, mistakes: Collection[KestrelError] = (), doubtful: Collection[str] = ()) -> list[Action]:
    """The actions of a cell, or HuntErrors with everything that is wrong with it.

    `mistakes` are those of the statements that could not be read, `doubtful` the names they may have changed."""
    lowering.broken.update(doubtful)
    for name in doubtful:
        lowering.scope.pop(name, None)
    actions = lowering.lower(hunt)
    lowering.errors = list({(e.code, e.span, e.message): e for e in [*mistakes, *lowering.errors]}.values())
    if mistakes or any(e.code.startswith("K04") for e in lowering.errors):  # a step that could not name its source made others lack one
        lowering.errors = [e for e in lowering.errors if not isinstance(e, NoSource)]
    lowering.errors = [e for e in lowering.errors if not (isinstance(e, NoReference) and _goes_on(e, mistakes))]
    if lowering.errors:
        raise HuntErrors(text, lowering.errors)
    return actions


def _goes_on(reference: NoReference, mistakes: Collection[KestrelError]) -> bool:
    """Whether what was read as a reference is the beginning of unquoted text whose next word could not be read."""
    end = reference.span.end if reference.span else 0
    return any(m.span is not None and m.span.start == end + 1 for m in mistakes)
