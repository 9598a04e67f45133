"""What may stand at the cursor: a hunt is read up to there as the parser reads it, passing over what is wrong.

Wherever something could be read and the text ends, it is offered. A word that touches the cursor is not read: it is the
beginning of what is offered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from kestrel.syntax.context import Attribute, Context, Variable
from kestrel.syntax.cursor import STRING, Cursor, Reached
from kestrel.syntax.grammar import (
    AGGREGATIONS,
    CLAUSES_OF,
    COMMANDS,
    OFFERED_SPANS,
    OFFERED_UNITS,
    OPERATORS,
    RESERVED,
    TESTS,
    TIMES,
    TRANSFORMS,
    UNITS,
    VIEWS,
    YIELDING,
)
from kestrel.syntax.offers import Item, Offers, Owner, follow, keywords
from kestrel.syntax.scanner import GIVEN, PATH, POOL, START_ATTRIBUTE, WORD

UNKNOWN = Attribute()

SIGN = re.compile(r"==|!=|<=|>=|=|<|>")
BIN = re.compile(r"BIN\s*\(", re.IGNORECASE)
TRANSFORM = re.compile(rf"(?:{'|'.join(TRANSFORMS)})\s*\(", re.IGNORECASE)
TYPED_PATH = re.compile(r"(?:[\w@.:-]|\[\*?\]?|(?<=\.)'[^'\n]*(?:'|\Z))*\Z")
TYPED_POOL = re.compile(r"(?:[^\W\d][\w+.-]*://[^\s'\"#]*|[^\s,'\"#]*)\Z")
OPEN_TIME = re.compile(r"[tT]?['\"][^'\"\n]*\Z")


def expected(text: str, place: int, context: Context, variables: Mapping[str, Variable]) -> Offers:
    """What may stand at the end of `text`, when a statement begins at `place` and these variables were made before."""
    reader = _Reader(text, place, context, variables)
    try:
        reader.move(place)
        while True:
            reader.statement()
    except Reached:
        return reader.offers


def bind(variables: dict[str, Variable], name: str, new: Variable | None) -> None:
    """A variable is made. What is known of one of that name and type is likely to hold of it too."""
    old = variables.pop(name, None)
    same = old is not None and new is not None and old.type == new.type is not None
    variables[name] = old if old and same else new or Variable(None)


class _Reader(Cursor):
    """Reads statements up to the cursor."""

    # -- statements ----------------------------------------------------------------------------------------------

    def statement(self) -> None:
        if self.at_cursor:
            self.offer_statement()
            raise Reached
        given = GIVEN.match(self.text, self.place)
        if given:
            self.move(given.end())
            self.value(Attribute())
            return
        word = WORD.match(self.text, self.place)
        if word and self.is_assignment(word.end()):
            self.move(word.end())
            self.sign("=")
            bind(self.variables, word.group(), self.yielding())
            return
        match self.keyword(*COMMANDS):
            case "APPLY":
                self.apply()
            case "SAVE":
                self.variable()
                self.need("TO")
                self.file()
                self.keyword("REPLACE")
            case "DISP":
                self.expression(display=True)
            case "INFO" | "EXPLAIN":
                self.variable()
            case "DESCRIBE":
                self.describe()
            case None:
                alone = word is not None and self.begins_line()
                self.skip()
                if alone and self.at_cursor:
                    self.offers.sign("=")
            case command:
                bind(self.variables, "_", self.command(command))

    def offer_statement(self) -> None:
        """Commands and variables, where a line begins: before the clauses that could go on, unless the line is indented."""
        clauses = self.offers.items
        if not self.begins_line() and (clauses or self.place == len(self.text)):
            return
        self.offers.items = []
        self.offers.words(COMMANDS)
        self.offers.variables_that()
        indented = self.text[self.place - 1 : self.place] not in ("", "\n")
        self.offers.items = clauses + self.offers.items if indented else self.offers.items + clauses

    def yielding(self) -> Variable | None:
        if self.at_cursor:
            self.offers.words(YIELDING)
            self.offers.variables_that()
            self.offers.words(TRANSFORMS, "(")
            raise Reached
        command = self.keyword(*YIELDING)
        return self.command(command) if command else self.expression()

    def command(self, command: str) -> Variable | None:
        readers: dict[str, Callable[[], Variable | None]] = {
            "GET": self.get,
            "FIND": self.find,
            "NEW": self.new,
            "LOAD": self.load,
            "SORT": self.sort_command,
            "GROUP": self.group,
            "JOIN": self.join,
        }
        return readers[command]()

    def get(self) -> Variable:
        owner = Owner(self.type())
        self.clauses(owner, CLAUSES_OF["GET"])
        return Variable(owner.type)

    def find(self) -> Variable:
        kind = self.type()
        if self.at_cursor:
            self.offers.verbs(kind)
            raise Reached
        verb = (self.name() or "").upper()
        ties = self.context.ties
        can = not self.at_cursor or ties(verb, kind, None, True)
        by = can and self.keyword("BY") is not None
        self.variable(lambda given: ties(verb, kind, given, by))
        self.clauses(Owner(kind), CLAUSES_OF["FIND"])
        return Variable(kind)

    def new(self) -> Variable:
        kind: str | None = "process"
        if not self.sign("["):
            kind = self.type()
            self.sign("[")
        while not self.sign("]"):
            if self.begins_statement():
                break
            if self.sign("{"):
                self.row(kind or "")
            elif not self.string():
                self.skip()
        return Variable(kind)

    def row(self, kind: str) -> None:
        """One row of NEW: attributes and their values."""
        while not self.sign("}"):
            if self.at_cursor:
                names = self.context.types[kind].attributes if kind in self.context.types else {}
                self.offers.add(Item(f'"{n}": ', "attribute", a.about, kind) for n, a in names.items())
                raise Reached
            if self.begins_statement():
                return
            if not self.string():
                self.skip()
            if self.sign(":") and not self.string():
                self.skip()
            self.sign(",")

    def load(self) -> Variable:
        self.file()
        return Variable(self.type() if self.keyword("AS") else None)

    def sort_command(self) -> Variable | None:
        name = self.variable()
        self.need("BY")
        self.sort_attribute(self.owner(name))
        return self.variables.get(name or "")

    def sort_attribute(self, owner: Owner) -> None:
        self.attribute(owner)
        self.keyword("ASC", "DESC")

    def group(self) -> Variable:
        owner = self.owner(self.variable())
        self.need("BY")
        columns: dict[str, float | None] = {}
        bins = [Item("BIN(", "keyword", keywords()["BIN"]["about"])]
        while True:
            binned = BIN.match(self.text, self.place)
            if binned:
                self.move(binned.end())
            name = self.attribute(owner, () if binned else bins)
            columns |= {name: None} if name else {}
            if binned:
                if self.sign(","):
                    self.number(OFFERED_UNITS)
                self.need_sign(")")
            if not self.sign(","):
                break
        if self.keyword("WITH"):
            columns |= self.aggregations(owner)
        return Variable(None, columns)

    def aggregations(self, owner: Owner) -> dict[str, float | None]:
        columns: dict[str, float | None] = {}
        while True:
            if self.at_cursor:
                self.offers.words(AGGREGATIONS, "(")
                raise Reached
            function = self.keyword(*AGGREGATIONS)
            if function is None or not self.sign("("):
                return columns
            name = f"{function.lower()}_{self.attribute(owner)}"
            self.need_sign(")")
            if self.keyword("AS"):
                name = self.name() or name
            columns[name] = None
            if not self.sign(","):
                return columns

    def join(self) -> Variable | None:
        left = self.variable()
        self.need_sign(",")
        right = self.variable()
        if self.keyword("BY"):
            self.attribute(self.owner(left))
            self.need_sign(",")
            self.attribute(self.owner(right))
        return self.variables.get(left or "")

    def apply(self) -> None:
        if TYPED_POOL.match(self.text, self.place):
            self.offers.add((Item(n, "analytics") for n in self.context.analytics), self.place)
            raise Reached
        self.bare_pool()
        self.need("ON")
        self.variable()
        while self.sign(","):
            self.variable()
        if self.keyword("WITH"):
            while self.name():
                self.sign("=")
                self.value(UNKNOWN)
                if not self.sign(","):
                    break

    def describe(self) -> None:
        if self.at_cursor and not self.offers.attributes_of_variable(self.place):
            self.offers.variables_that(after=".")
        self.skip()

    def expression(self, display: bool = False) -> Variable | None:
        if self.at_cursor:
            self.offers.variables_that()
            self.offers.words(TRANSFORMS, "(")
            raise Reached
        transform = TRANSFORM.match(self.text, self.place)
        if transform:
            self.move(transform.end())
        name = self.variable()
        if transform:
            self.need_sign(")")
        owner = self.owner(name)
        self.clauses(owner, CLAUSES_OF["DISP" if display else "expression"])
        while not display and self.sign("+"):
            self.clauses(self.owner(self.variable(lambda given: owner.type in (None, given))), ("WHERE",))
        return self.variables.get(name or "")

    # -- clauses -------------------------------------------------------------------------------------------------

    def clauses(self, owner: Owner, allowed: Sequence[str]) -> None:
        """Clauses in any order, each once; what is none of them is passed over up to the next statement."""
        left = ["SORT BY" if clause == "SORT" else clause for clause in allowed]
        lost = False
        while not self.begins_statement(lost) and not self.text.startswith("+", self.place):
            word = self.keyword(*left)
            if word:
                left = [w for w in left if w != word and not {w, word} <= TIMES]
                if word == "START":
                    left.append("STOP")
                self.clause(word, owner)
            elif self.at_cursor:
                return
            else:
                self.skip()
                lost = True

    def clause(self, word: str, owner: Owner) -> None:
        match word:
            case "FROM":
                self.pools(owner)
            case "WHERE":
                self.pattern(owner)
            case "START":
                self.time("START")
            case "STOP":
                self.time("STOP")
            case "LAST":
                if self.at_cursor:
                    self.offers.add(Item(s, "time", f"the {s.lower()} before now") for s in OFFERED_SPANS)
                self.number(OFFERED_UNITS)
            case "LIMIT":
                self.number()
                if self.keyword("OFFSET"):
                    self.number()
            case "OFFSET":
                self.number()
            case "ATTR":
                given: set[str] = set()
                while name := self.attribute(owner, without=given):
                    given.add(name)
                    if not self.sign(","):
                        return
            case "SORT BY":
                self.need("BY")
                self.sort_attribute(owner)
            case "DEPTH":
                if not self.keyword("ANY"):
                    self.number()
            case "AS":
                if self.at_cursor:
                    self.offers.words(VIEWS, kind="view")
                    raise Reached
                self.keyword(*VIEWS)

    def pools(self, owner: Owner) -> None:
        """What GET looks in. Where that is a variable, its attributes are meant."""
        while True:
            if not self.quoted_file():
                if TYPED_POOL.match(self.text, self.place):
                    self.offers.sources(owner.type, self.place)
                    raise Reached
                name = self.bare_pool()
                if name in self.variables:
                    owner.variable = name
            if not self.sign(","):
                return

    def file(self) -> None:
        """The file of LOAD and SAVE."""
        if self.quoted_file():
            return
        if TYPED_POOL.match(self.text, self.place):
            self.offers.files(self.place)
            raise Reached
        self.bare_pool()

    def bare_pool(self) -> str | None:
        """A source, file or analytics that is written without quotes."""
        if self.text.startswith("$", self.place):
            self.skip()
            return None
        found = POOL.match(self.text, self.place)
        if found is None or found.group().upper() in RESERVED:
            return None
        name = found.group().rstrip(",")
        self.move(self.place + len(name))
        return name

    def quoted_file(self) -> bool:
        """A quoted path; where the cursor is inside it, the files it may go on to name."""
        found = STRING.match(self.text, self.place)
        if found and not found["closed"] and "\n" not in self.text[found.end() :]:
            self.offers.files_in_quotes(found.start("body"))
            raise Reached
        return self.string()

    def number(self, units: Sequence[str] = ()) -> None:
        """A number, and a unit where there are some."""
        if self.at_cursor:
            self.offers.parameters()
            raise Reached
        self.bare()
        if units and self.at_cursor:
            self.offers.words(units)
            raise Reached
        if units:
            self.keyword(*UNITS)

    def time(self, which: Literal["START", "STOP"]) -> None:
        if self.at_cursor or OPEN_TIME.match(self.text, self.place):
            self.offers.parameters()
            self.offers.times(self.place, which)
            raise Reached
        if not self.string():
            self.bare()

    # -- patterns ------------------------------------------------------------------------------------------------

    def pattern(self, owner: Owner) -> None:
        """Comparisons, up to the next clause or statement."""
        closing: list[str] = []
        lost = False
        while True:
            self.opening(closing)
            self.comparison(owner)
            while not self.keyword("AND", "OR"):
                if closing and self.sign(closing[-1]):
                    closing.pop()
                elif closing and self.at_cursor:
                    self.offers.sign(closing[-1])
                    raise Reached
                elif self.at_cursor or self.begins_clause() or self.begins_statement(lost) or self.text.startswith("+", self.place):
                    return
                else:
                    self.skip()
                    lost = True

    def opening(self, closing: list[str]) -> None:
        """Brackets and NOT before a comparison."""
        while True:
            if self.sign("("):
                closing.append(")")
            elif self.sign("["):
                closing.append("]")
            elif self.at_cursor or not self.keyword("NOT"):
                return

    def comparison(self, owner: Owner) -> None:
        path = PATH.match(self.text, self.place)
        types = (Item(f"{n}:", "type", t.about) for n, t in self.context.types.items())
        name = self.attribute(owner, (*types, Item("NOT", "keyword", keywords()["NOT"]["about"])))
        if name is None or path is None:
            return
        kind, _, rest = follow(self.context, self.context.type_named(path["type"]) if path["type"] else owner.type, name)
        attribute = kind.attributes.get(rest.replace("'", ""), UNKNOWN) if kind else UNKNOWN
        if self.at_cursor:
            self.offers.words(OPERATORS[attribute.kind], kind="operator")
            raise Reached
        if self.keyword("IS"):
            if self.at_cursor:
                self.offers.words(("NULL", "NOT NULL"))
                raise Reached
            self.keyword("NOT")
            self.need("NULL")
            return
        self.keyword("NOT")
        sign = SIGN.match(self.text, self.place)
        if sign:
            self.move(sign.end())
        elif self.at_cursor:
            self.offers.words(TESTS)
            raise Reached
        else:
            test = self.keyword(*TESTS)
            if test is None:
                return
            self.value(attribute)
            if test == "LIKE" and self.keyword("ESCAPE"):
                self.escape()
            return
        self.value(attribute)

    def escape(self) -> None:
        """The character of ESCAPE."""
        if self.at_cursor:
            self.offers.sign("'!'")
            raise Reached
        self.string()

    def attribute(self, owner: Owner, also: Iterable[Item] = (), without: Iterable[str] = ()) -> str | None:
        """An attribute path, without the type before it."""
        if TYPED_PATH.match(self.text, self.place):
            self.offers.attributes(owner, self.place, also, without)
            raise Reached
        found = PATH.match(self.text, self.place)
        if not found or (found["type"] is None and found["attribute"].upper() in RESERVED and not START_ATTRIBUTE.match(self.text, self.place)):
            return None
        self.move(found.end())
        return found["attribute"]

    def value(self, attribute: Attribute) -> None:
        """A value, or a list of them."""
        closing: list[str] = []
        while True:
            if self.sign("("):
                closing.append(")")
            elif self.sign("["):
                closing.append("]")
            elif closing and self.sign(closing[-1]):
                closing.pop()
                if not closing:
                    return
            elif not closing:
                self.scalar(attribute)
                return
            elif self.begins_clause() or self.begins_statement(lost=True):
                return
            elif not self.sign(","):
                if not self.scalar(attribute):
                    self.skip()
                if self.at_cursor:
                    self.offers.sign(closing[-1])
                    raise Reached

    def scalar(self, attribute: Attribute) -> bool:
        """One value; whether there was one."""
        if attribute.kind == "time" and OPEN_TIME.match(self.text, self.place):
            self.offers.times(self.place)
            raise Reached
        if self.string():
            return True
        if self.at_cursor:
            if not self.offers.attributes_of_variable(self.place):
                self.offers.variables_that(after=".")
                self.offers.parameters()
                if attribute.kind == "time":
                    self.offers.times(self.place)
            raise Reached
        return self.bare()
