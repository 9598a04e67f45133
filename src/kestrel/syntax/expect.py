"""What may stand at the cursor: the parser reads a statement up to there, and whatever it could read where the text ends is offered.

Mistakes are passed over: a thing that is missing is taken for read, anything else that is wrong is skipped. A word that touches the cursor
is not read: it is the beginning of what is offered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NoReturn, TypeVar

from kestrel.errors import KestrelError
from kestrel.syntax import tree
from kestrel.syntax.context import Attribute, Context, Variable
from kestrel.syntax.grammar import (
    AGGREGATIONS,
    CLAUSES,
    COMMANDS,
    OFFERED_SPANS,
    OFFERED_UNITS,
    OPERATORS,
    RESERVED,
    TESTS,
    TRANSFORMS,
    VIEWS,
    YIELDING,
)
from kestrel.syntax.mistakes import Unexpected
from kestrel.syntax.offers import Item, Offers, Owner, any_type, follow
from kestrel.syntax.parser import Parser
from kestrel.syntax.scanner import WORD
from kestrel.text import Span

SORT_CLAUSE = re.compile(r"SORT(?=\s+(?:BY\b|\Z))", re.IGNORECASE)
STRING = re.compile(r"[rRtT]?(?P<quote>['\"])(?P<body>(?:(?!(?P=quote))[^\\\n]|\\.|\\\n)*)(?P<closed>(?P=quote))?")
LEXEME = re.compile(r"[^\s,()\[\]{}'\"#=<>!+]+|.", re.DOTALL)
TYPED_PATH = re.compile(r"(?:[\w@.:-]|\[\*?\]?|(?<=\.)'[^'\n]*(?:'|\Z))*\Z")
TYPED_SOURCE = re.compile(r"(?:[^\W\d][\w+.-]*://[^\s'\"#]*|[^\s,'\"#]*)\Z")
OPEN_TIME = re.compile(r"[tT]?['\"][^'\"\n]*\Z")
NOT_A_VALUE = ")]},+"

Read = TypeVar("Read")
Instead = TypeVar("Instead")


class Reached(Exception):
    """The cursor: what could be offered is offered."""


def expected(text: str, place: int, context: Context, variables: Mapping[str, Variable]) -> Offers:
    """What may stand at the end of `text`, when a statement begins at `place` and these variables were made before."""
    return _AtCursor(text, place, context, variables).read()


def bind(variables: dict[str, Variable], name: str, new: Variable | None) -> None:
    """A variable is made. What is known of one of that name and type is likely to hold of it too."""
    old = variables.pop(name, None)
    same = old is not None and new is not None and old.type == new.type is not None
    variables[name] = old if old and same else new or Variable(None)


class _AtCursor(Parser):
    """The parser, over a text that ends before the word which touches the cursor."""

    def __init__(self, text: str, place: int, context: Context, variables: Mapping[str, Variable]) -> None:
        self.offers = Offers(text, context, variables)
        super().__init__(text[: self.offers.last])
        self.whole = text
        """The text with that word."""
        self.context = context
        self.variables = self.offers.variables
        self.owner = Owner(None)
        """Whose attributes are meant."""
        self.value_of = Attribute()
        """The attribute that a value is compared with."""
        self.is_new = self.is_operand = False
        """Whether the values of NEW, or an operand after `+`, are read."""
        self.unlikely: list[Item] = []
        """What is offered last."""
        self.place = place

    def read(self) -> Offers:
        try:
            self._move(self.place)
            while True:
                self._read_statement()
        except Reached:
            self.offers.items += self.unlikely
        return self.offers

    @property
    def at_end(self) -> bool:
        return self.place >= len(self.text)

    # -- statements ----------------------------------------------------------------------------------------------

    def _read_statement(self) -> None:
        if self.at_end:
            self._offer_statement()
            raise Reached
        began = self.began = self.place
        self.value_of = Attribute()
        try:
            statement = self._statement()
        except KestrelError:
            if self.place == began:
                self._skip()
            while not self.at_end and not self._begins_statement(lost=True):
                self._skip()
            return
        if isinstance(statement, tree.Assign) and (statement.target or not isinstance(statement.value, tree.Expression | tree.Merge)):
            bind(self.variables, statement.target.text if statement.target else "_", self._made(statement.value))

    def _made(self, value: tree.Yielding) -> Variable | None:
        """The variable that a statement makes, as far as its text tells."""
        match value:
            case tree.Get(kind) | tree.Find(kind):
                return Variable(self.context.type_named(kind.text) or None)
            case tree.New(kind):
                return Variable(self.context.type_named(kind.text) if kind else "process")
            case tree.Load(_, kind):
                return Variable(self.context.type_named(kind.text) if kind else None)
            case tree.Group(_, keys, aggregations):
                columns = [k.attribute.attribute if isinstance(k, tree.Bin) else k.attribute for k in keys]
                columns += [a.name or f"{a.function.lower()}_{a.attribute.attribute}" for a in aggregations]
                return Variable(None, dict.fromkeys(filter(None, columns)))
            case tree.SortBy(variable) | tree.Join(variable) | tree.Expression(variable):
                return self.variables.get(variable.text)
            case tree.Merge(operands):
                first = operands[0]
                return self.variables.get(first.text if isinstance(first, tree.Word) else first.variable.text)

    def _offer_statement(self) -> None:
        """Commands and variables, where a line begins: before the clauses that could go on, unless the line is indented."""
        clauses = self.offers.items
        if not self._begins_line() and (clauses or self.place == len(self.whole)):
            return
        self.offers.items = []
        self.offers.words(COMMANDS)
        self.offers.variables_that()
        indented = self.text[self.place - 1 : self.place] not in ("", "\n")
        self.offers.items = clauses + self.offers.items if indented else self.offers.items + clauses

    def _no_statement(self) -> NoReturn:
        alone = WORD.match(self.text, self.place) is not None and self._begins_line()
        self._skip()
        if self.at_end:
            if alone:
                self.offers.sign("=")
            raise Reached
        raise Unexpected("", "", Span(self.place, self.place))

    def _yielding_word(self) -> str:
        if self.at_end:
            self.offers.words(YIELDING)
            self.offers.variables_that()
            self.offers.words(TRANSFORMS, "(")
            raise Reached
        return super()._yielding_word()

    def _suspect(self) -> bool:
        return False

    def _new(self, start: int) -> tree.New:
        self.is_new = True
        try:
            return super()._new(start)
        finally:
            self.is_new = False

    def _cell_name(self, kind: tree.Word | None) -> str:
        if self.at_end:
            known = self.context.types.get(self.context.type_named(kind.text) if kind else "process")
            names = known.attributes if known else {}
            self.offers.add(Item(f'"{n}": ', "attribute", a.about, kind.text if kind else "process") for n, a in names.items())
            raise Reached
        return self._passing(lambda: super(_AtCursor, self)._cell_name(kind), "")

    def _aggregating(self) -> str:
        if self.at_end:
            self.offers.words(AGGREGATIONS, "(")
            raise Reached
        return self._passing(super()._aggregating, AGGREGATIONS[0])

    def _expression(self, display: bool = False, beside: tree.Expression | None = None) -> tree.Expression:
        self.is_operand = beside is not None
        found = super()._expression(display, beside)
        self.is_operand = False
        return found

    def _operand(self, expression: tree.Expression) -> tree.Word | tree.Expression:
        return expression.variable

    def _no_where(self, last: tree.Expression) -> None:
        return

    # -- variables, types and relations --------------------------------------------------------------------------

    def _about_type(self, kind: tree.Word) -> None:
        self.owner = Owner(self.context.type_named(kind.text) or None)

    def _about_variable(self, variable: tree.Word) -> None:
        self.owner = Owner(self._type_of(variable), variable.text)

    def _type_of(self, variable: tree.Word) -> str | None:
        known = self.variables.get(variable.text)
        return known.type if known else None

    def _type(self) -> tree.Word:
        if self.at_end:
            self.offers.types()
            raise Reached
        return self._passing(super()._type, self._nothing_here())

    def _name(self, what: str, allow_reserved: bool = False, hint: str | None = None) -> tree.Word:
        if self.at_end:
            raise Reached
        return self._passing(lambda: super(_AtCursor, self)._name(what, allow_reserved, hint), self._nothing_here())

    def _variable(self, hint: str | None = None, fits: Callable[[str | None], bool] = any_type) -> tree.Word:
        if self.at_end:
            self.offers.variables_that(fits)
            raise Reached
        return super()._variable(hint)

    def _names_source(self) -> bool:
        """Where the text ends, a variable can stand, or a source: both are offered as sources."""
        self.owner.type = None if self.at_end else self.owner.type
        return self.at_end or super()._names_source()

    def _operand_variable(self, beside: tree.Expression | None) -> tree.Word:
        first = self._type_of(beside.variable) if beside else None
        return self._variable(None, lambda given: first in (None, given))

    def _verb(self, kind: tree.Word, hint: str) -> tree.Word:
        if self.at_end:
            self.offers.verbs(self.context.type_named(kind.text) or None)
            raise Reached
        return super()._verb(kind, hint)

    def _by(self, kind: tree.Word, verb: tree.Word) -> bool:
        return (not self.at_end or self._ties(kind, verb, None, True)) and super()._by(kind, verb)

    def _related(self, kind: tree.Word, verb: tree.Word, by: bool, hint: str) -> tree.Word:
        return self._variable(hint, lambda given: self._ties(kind, verb, given, by))

    def _ties(self, kind: tree.Word, verb: tree.Word, given: str | None, by: bool) -> bool:
        return self.context.ties(verb.text.upper(), self.context.type_named(kind.text) or None, given, by)

    def _reference(self) -> tuple[tree.Word, tree.Path]:
        if self.at_end:
            if not self.offers.attributes_of_variable(self.place):
                self.offers.variables_that(after=".")
            raise Reached
        return self._passing(super()._reference, (self._nothing_here(), self._no_path()))

    # -- clauses -------------------------------------------------------------------------------------------------

    def _clause_word(self, left: Sequence[str], may_stop: bool) -> str:
        """The next clause; what is none is passed over, up to the next statement."""
        if self.is_operand:
            left = [clause for clause in left if clause == "WHERE"]
        lost = False
        while not self.at_end:
            if self._begins_statement(lost) or self._peek("+"):
                return ""
            word = self._peek_word().upper()
            if (word in CLAUSES and word not in ("BY", "WITH", "AS", "OFFSET", "STOP")) or word in left or (word == "STOP" and may_stop):
                return word
            self._skip()
            lost = True
        self.offers.words(["SORT BY" if clause == "SORT" else clause for clause in left])
        self.offers.words(["STOP"] if may_stop else [])
        return ""

    def _is_sort_clause(self) -> bool:
        return SORT_CLAUSE.match(self.text, self.place) is not None

    def _view_name(self) -> str:
        if self.at_end:
            self.offers.words(VIEWS, kind="view")
            raise Reached
        return self._passing(super()._view_name, "")

    def _hops(self) -> int:
        return self._passing(super()._hops, 1)

    def _count(self) -> int | tree.Parameter:
        if self.at_end:
            self.offers.parameters()
            raise Reached
        return self._passing(super()._count, 0)

    def _span_count(self) -> int:
        if self.at_end:
            self.offers.add(Item(s, "time", f"the {s.lower()} before now") for s in OFFERED_SPANS)
            self.offers.parameters()
            raise Reached
        return self._passing(super()._span_count, 1)

    def _unit(self) -> str:
        if self.at_end:
            self.offers.words(OFFERED_UNITS)
            raise Reached
        return self._passing(super()._unit, "DAY")

    def _bin_unit(self) -> str:
        if self.at_end:
            self.offers.words(OFFERED_UNITS)
            self.offers.sign(")")
            raise Reached
        return super()._bin_unit()

    def _source(self, what: str = "", several: bool = False) -> tree.SourceText:
        source_text = self._place_of_data(lambda place: self.offers.sources(self.owner.type, place), several)
        if source_text.text in self.variables:
            self.owner.variable = str(source_text.text)
        return source_text

    def _file(self) -> tree.SourceText:
        return self._place_of_data(self.offers.files)

    def _analytic(self) -> tree.SourceText:
        return self._place_of_data(lambda place: self.offers.add((Item(n, "analytics") for n in self.context.analytics), place))

    def _place_of_data(self, offer: Callable[[int], None], several: bool = False) -> tree.SourceText:
        """A source, file or analytic. Where the cursor is inside quotes, the files that the path may go on to name are offered."""
        found = STRING.match(self.whole, self.place)
        if found and not found["closed"] and "\n" not in self.whole[found.end() :]:
            self.offers.files_in_quotes(found.start("body"))
            raise Reached
        if not found and TYPED_SOURCE.match(self.whole, self.place):
            offer(self.place)
            raise Reached
        return self._passing(lambda: super(_AtCursor, self)._source(several=several), tree.SourceText("", False, self._nothing_here().span))

    # -- patterns and values -------------------------------------------------------------------------------------

    def _term(self) -> tree.Pattern:
        part = self._passing(super()._term, tree.IsNull(self._no_path(), False, self._nothing_here().span))
        lost = False
        while not (self.at_end or self._begins_clause() or self._begins_statement(lost) or self._peek_word().upper() in ("AND", "OR")):
            if self._peek("+") or (self.depth and self.text[self.place] in ")]"):
                break
            self._skip()
            lost = True
        return part

    def _compared(self) -> tree.Path:
        path = self._attribute([Item(f"{n}:", "type", t.about) for n, t in self.context.types.items()])
        kind, _, rest = follow(self.context, self.context.type_named(path.type) if path.type else self.owner.type, path.attribute)
        self.value_of = kind.attributes.get(rest.replace("'", ""), Attribute()) if kind else Attribute()
        if self.at_end:
            self.offers.words(OPERATORS[self.value_of.kind], kind="operator")
            raise Reached
        return path

    def _not_null(self) -> bool:
        if self.at_end:
            self.offers.words(("NULL", "NOT NULL"))
            raise Reached
        return super()._not_null()

    def _operator(self) -> str:
        if self.at_end:
            self.offers.words(TESTS)
            raise Reached
        return self._passing(super()._operator, "=")

    def _quoted(self, expected: str, hint: str) -> tree.Text:
        if self.at_end:
            self.offers.sign("'!'")
            raise Reached
        return super()._quoted(expected, hint)

    def _path(self) -> tree.Path:
        return self._attribute()

    def _paths(self) -> tuple[tree.Path, ...]:
        found: list[tree.Path] = []
        while not found or self._take(","):
            found.append(self._attribute(without=[path.attribute for path in found]))
        return tuple(found)

    def _attribute(self, also: Iterable[Item] = (), without: Iterable[str] = ()) -> tree.Path:
        if TYPED_PATH.match(self.whole, self.place):
            self.offers.attributes(self.owner, self.place, also, without)
            raise Reached
        return self._passing(super()._path, self._no_path())

    def _scalar(self) -> tree.Scalar:
        if self.value_of.kind == "time" and OPEN_TIME.match(self.whole, self.place):
            self.offers.times(self.place)
            raise Reached
        if self.at_end:
            self._offer_values()
            raise Reached
        return self._passing(super()._scalar, tree.Text("", self._nothing_here().span))

    def _offer_values(self) -> None:
        if self.is_new:
            self.offers.parameters()
        elif not self.offers.attributes_of_variable(self.place):
            self.offers.variables_that(after=".")
            self.offers.parameters()
            if self.value_of.kind == "time":
                self.offers.times(self.place)

    def _time(self, clause: Literal["START", "STOP"] | None = None) -> tree.Time | tree.Parameter:
        if self.at_end or OPEN_TIME.match(self.whole, self.place):
            self.offers.parameters()
            self.offers.times(self.place, clause)
            raise Reached
        return self._passing(lambda: super(_AtCursor, self)._time(clause), tree.Time(datetime.now(UTC), self._nothing_here().span))

    def _string(self) -> tree.Text:
        """A text, which may lack its closing quote; nothing is offered inside one."""
        found = STRING.match(self.text, self.place)
        assert found is not None
        end = found.end() if found["closed"] else self.text.find("\n", found.end())
        if end < 0:
            self._offer_nothing()
        self._move(end)
        return tree.Text(found["body"], Span(found.start(), end))

    # -- words and characters ------------------------------------------------------------------------------------

    def _keyword(self, *words: str) -> tree.Word | None:
        if self.at_end:
            self._offer(words, last=words == ("NOT",))
            return None
        return super()._keyword(*words)

    def _need(self, word: str, expected: str, hint: str | None = None) -> None:
        if not self._keyword(word) and self.at_end:
            raise Reached

    def _function(self, words: Sequence[str]) -> str | None:
        if self.at_end:
            if not self.is_operand:
                self._offer([f"{word}(" for word in words], last=True)
            return None
        return super()._function(words)

    def _offer(self, words: Sequence[str], last: bool = False) -> None:
        before = len(self.offers.items)
        for word in words:
            self.offers.words([word.rstrip("(")], "(" if word.endswith("(") else "")
        if last:
            self.unlikely += self.offers.items[before:]
            del self.offers.items[before:]

    def _expect(self, sign: str, expected: str = "", hint: str | None = None) -> None:
        if self.at_end:
            self.offers.sign(sign)
            raise Reached
        self._take(sign)

    def _close(self, opening: str, closing: str, place: int, expected: str) -> None:
        """The end of brackets; what stands before it is passed over, up to the next clause or statement."""
        while not self._take(closing):
            if self.at_end:
                self.offers.sign(closing)
                raise Reached
            if self._begins_clause() or self._begins_statement(lost=True):
                return
            self._skip()

    def _close_pattern(self, opening: str, closing: str, start: int) -> None:
        self._close(opening, closing, start, "")

    def _still_open(self, opening: str, closing: str, place: int) -> None:
        if not self.at_end:
            super()._still_open(opening, closing, place)

    def _space(self) -> None:
        super()._space()
        if self.at_end and any(comment.span.end == len(self.text) for comment in self.comments.values()):
            self._offer_nothing()

    def _offer_nothing(self) -> NoReturn:
        self.offers.items.clear()
        self.unlikely.clear()
        raise Reached

    # -- mistakes ------------------------------------------------------------------------------------------------

    def _mistake(self, error: KestrelError) -> None:
        return

    def _fail(self, expected: str, words: Iterable[str] = (), hint: str | None = None) -> NoReturn:
        if self.at_end:
            raise Reached
        super()._fail(expected, words, hint)

    def _passing(self, read: Callable[[], Read], instead: Instead) -> Read | Instead:
        """What is read, or something instead where that is wrong: it is passed over, unless the thing is merely missing."""
        try:
            return read()
        except KestrelError:
            word = self._peek_word().upper()
            missing = word in RESERVED or word in CLAUSES or self._begins_statement(lost=True)
            if not self.at_end and not missing and self.text[self.place] not in NOT_A_VALUE:
                self._skip()
            return instead

    def _skip(self) -> None:
        """Pass over one word, text or character."""
        if self.at_end:
            raise Reached
        if STRING.match(self.text, self.place):
            self._string()
            return
        found = LEXEME.match(self.text, self.place)
        assert found is not None
        self._move(found.end())

    def _nothing_here(self) -> tree.Word:
        return tree.Word("", Span(self.place, self.place))

    def _no_path(self) -> tree.Path:
        return tree.Path(None, "", Span(self.place, self.place))

    def _begins_line(self) -> bool:
        return not self.text[self.text.rfind("\n", 0, self.place) + 1 : self.place].strip()

    def _begins_clause(self) -> bool:
        return self._peek_word().upper() in CLAUSES

    def _begins_statement(self, lost: bool = False) -> bool:
        """Whether a command or `variable =` stands here; after something unreadable, the latter only where a line begins."""
        word = self._peek_word().upper()
        if not word:
            return False
        if word in COMMANDS and not (word == "SORT" and self._is_sort_clause()):
            return True
        return self._is_assignment() and not (lost and not self._begins_line())
