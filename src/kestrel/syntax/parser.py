"""Text to tree, by recursive descent; every mistake is noted, and reading goes on at the next statement."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn, cast

from kestrel.errors import HuntErrors, KestrelError
from kestrel.syntax import tree
from kestrel.syntax.clauses import Clauses
from kestrel.syntax.dialect_hints import ADVICE, LOOKALIKES, advice
from kestrel.syntax.grammar import AGGREGATIONS, CLAUSES, CLAUSES_OF, COMMANDS, EVERY, RESERVED, TRANSFORMS, YIELDING
from kestrel.syntax.mistakes import BesidePlus, LookAlike, TwoObservations, Unexpected, WrongOperand
from kestrel.syntax.scanner import AMOUNT, BETWEEN, FOUND, GIVEN, MISNAMED, REFERENCE, SOURCE, STATEMENT, WORD, canonical
from kestrel.text import Source, Span, nearest


def parse(text: str, name: str = "<hunt>") -> tree.Hunt:
    """The tree of a cell or file. Raises HuntErrors with every mistake found."""
    hunt, errors, _ = parse_partly(text)
    if errors:
        raise HuntErrors(Source(text, name), errors)
    return hunt


def parse_partly(text: str) -> tuple[tree.Hunt, list[KestrelError], frozenset[str]]:
    """The statements that can be read, the mistakes of the others, and every word of those."""
    parser = Parser(text)
    hunt = parser.hunt()
    return hunt, parser.errors, frozenset(parser.broken)


Plain = str | int | float | bool | datetime | list["Plain"]


def read_value(text: str) -> Plain:
    """A value given from outside a hunt, as the language reads it: a number, a time, true or false, quoted text or a list.
    Anything else is the text itself, and so is a number whose spelling would be lost (`007`)."""
    parser = Parser(text, outside=True)
    parser._space()
    try:
        value = parser._value()
    except KestrelError:
        return text
    return text if parser.place < len(text) else _plain(value, text)


def _plain(value: tree.Value, text: str) -> Plain:
    match value:
        case tree.ListOf(items):
            return [_plain(item, text[item.span.start : item.span.end]) for item in items]
        case tree.Number(number):
            return number if str(number) == text.strip() else text
        case tree.Text(found) | tree.Boolean(found) | tree.Time(found):
            return found
        case _:
            return text


class Parser(Clauses):
    """Reads statements; after a mistake, goes on at the next one."""

    def hunt(self) -> tree.Hunt:
        statements: list[tree.Statement] = []
        self.place = 1 if self.text.startswith("\ufeff") else 0
        self._space()
        starts = [m.start() for m in STATEMENT.finditer(self.text)]
        while self.place < len(self.text):
            began, mistakes = self.place, len(self.errors)
            self.began = began
            try:
                statements.append(self._statement())
            except KestrelError as error:
                self.errors.append(error)
                self._recover(began, starts)
                self.broken.update(WORD.findall(self.text, began, self.place))
            self.taken = self.taken if len(self.errors) == mistakes else ()
        comments = tuple(self.comments[k] for k in sorted(self.comments))
        notices = (("path-escapes", "backslashes in Windows paths stay as written; `\\\\` is one backslash"),) if self.spared else ()
        return tree.Hunt(tuple(statements), comments, notices, self._parted(statements, comments), Span(0, len(self.text)))

    def _parted(self, statements: list[tree.Statement], comments: tuple[tree.Comment, ...]) -> frozenset[int]:
        starts = [s.span.start for s in statements] + [c.span.start for c in comments]
        return frozenset(s for s in starts if re.search(r"\n[^\S\n]*\n[^\S\n]*$", self.text[max(0, s - 1000) : s]))

    def _recover(self, began: int, starts: list[int]) -> None:
        """Go on at the next line that begins a statement."""
        self.brackets = self.depth = 0
        after = max(self.place, began + 1)
        number = bisect.bisect_left(starts, after)
        self.place = starts[number] if number < len(starts) else len(self.text)
        self._space()

    def _statement(self) -> tree.Statement:
        start = self.place
        given = GIVEN.match(self.text, start)
        if given:
            self._move(given.end())
            return tree.Give(given["name"], self._value(), self._since(start))
        word = self._peek_word()
        upper = word.upper()
        if word and self._is_assignment():
            return self._assignment(start)
        if upper in YIELDING:
            return tree.Assign(None, self._yielding(), self._since(start))
        others: dict[str, Callable[[int], tree.Statement]] = {
            "APPLY": self._apply,
            "SAVE": self._save,
            "DISP": self._disp,
            "INFO": self._info,
            "DESCRIBE": self._describe,
            "EXPLAIN": lambda s: tree.Explain(self._variable(), self._since(s)),
        }
        if upper in others:
            self.taken = ()
            self._word()
            return others[upper](start)
        return self._no_statement()

    def _info(self, start: int) -> tree.Info | tree.InfoOfSource:
        if self._names_source():
            return tree.InfoOfSource(self._source("a variable, a data source or a file"), self._since(start))
        return tree.Info(self._variable(), self._since(start))

    def _names_source(self) -> bool:
        """Whether a data source or a file stands here and no variable."""
        source = SOURCE.match(self.text, self.place)
        return self._peek("'") or self._peek('"') or self._peek("$") or bool(source and ("/" in source.group() or "*" in source.group()))

    def _no_statement(self) -> NoReturn:
        """Something stands here that neither begins a statement nor goes on with the one before it."""
        if self.taken:
            self._qualifier()
            if joined := re.compile(r"(AND|OR)\s*\(*\s*\[", re.IGNORECASE).match(self.text, self.place):
                raise TwoObservations(joined[1].upper(), Span(*joined.span(1)))
        found = FOUND.match(self.text, self.place)
        word = found.group() if found else ""
        fresh_line = self._fresh_line()
        after_pattern = "AND" in self.taken
        if not fresh_line or nearest(word, self.taken) or (self.taken and advice(word) and not self._peek("SELECT")):
            hint = None
            if word == ")" or word == "]":
                hint = f"no bracket is open that this `{word}` could close"
            elif word == ",":
                hint = "a second condition is joined by AND" if after_pattern else "one at a time: the others have a statement of their own"
                if re.compile(r"LIMIT\s+\S+\s*$", re.IGNORECASE).search(self.text, max(0, self.place - 60), self.place):
                    hint = "to skip rows, use OFFSET: `LIMIT 10 OFFSET 5`"
            elif word == "+":
                hint = "`+` joins variables, in a statement of its own: `y = a + b`"
            elif word.upper() in CLAUSES and not ("AND" in self.taken or "LIMIT" in self.taken):
                hint = "name that first, `y = ...`, and go on from there"
            elif self.end == self.place and self.text[self.place - 1] in "'\"" and word[0].isalnum():
                hint = "a quote inside a text is written `\\\"` or `\\'`"
            elif after_pattern and not fresh_line and self.text[self.end - 1] not in "'\")]":
                hint = "a value with spaces stands in quotes: `'...'`"
            self._fail(" or ".join(filter(None, (", ".join(self.taken), "the next statement"))), (*self.taken, *COMMANDS), hint)
        misnamed = MISNAMED.match(self.text, self.place)
        hint = None
        if misnamed and misnamed.group(1):
            if misnamed.group(1) in LOOKALIKES:
                raise LookAlike(misnamed.group(1), Span(*misnamed.span(1)))
            hint = "a result is named by `x = ...`"
        elif misnamed:
            hint = "a name is one word of letters, digits and `_`, and begins with a letter"
        elif word.isidentifier() and self.text[self.place + len(word) :].split("\n", 1)[0].strip() == "":
            hint = f"a variable is shown by `DISP {word}`"
        self._fail("a command (GET, FIND, DISP, ...) or `variable = ...`", COMMANDS, hint)

    def _assignment(self, start: int) -> tree.Assign:
        name = self._name("a variable name")
        self._expect("=")
        return tree.Assign(name, self._yielding(), self._since(start))

    def _yielding(self) -> tree.Yielding:
        start = self.place
        self.taken = ()
        upper = self._yielding_word()
        readers: dict[str, Callable[[int], tree.Yielding]] = {
            "GET": self._get,
            "FIND": self._find,
            "NEW": self._new,
            "LOAD": self._load,
            "SORT": self._sort_by,
            "GROUP": self._group,
            "JOIN": self._join,
        }
        if upper in readers:
            self._word()
            return readers[upper](start)
        if not upper or upper in RESERVED or self._suspect():
            self._fail("GET, FIND, NEW, LOAD, SORT, GROUP, JOIN or a variable", YIELDING, self._no_command(upper))
        expression = self._expression()
        return self._merge(expression, start) if self._peek("+") else expression

    def _yielding_word(self) -> str:
        """The word here, in capitals: perhaps a command that makes a variable."""
        return self._peek_word().upper()

    def _no_command(self, upper: str) -> str | None:
        """What to say of a result that no command gives."""
        if upper in COMMANDS:
            return f"{upper} gives no variable: write it without `... =`"
        if upper or not re.compile(r"['\"\d.$-]").match(self.text, self.place):
            return None
        if self.text[self.text.rfind("\n", 0, self.place) + 1 : self.place].count("=") > 1:
            return "a second condition is joined by AND"
        return "a variable holds entities: `x = NEW ['cmd.exe']`; a value is given from outside, by `-p x=5`, and written `$x`"

    def _suspect(self) -> bool:
        """Whether the word here is a misspelt command: what follows on its line is no clause and no statement."""
        match = WORD.match(self.text, self.place)
        assert match is not None
        rest = re.compile(r"[^\S\n]+([^\W\d][\w-]*|\*)(?:(\s*=(?!=))|[^\S\n]+([^\W\d]\w*))?").match(self.text, match.end())
        if rest is None or rest.group(2) or rest.group(1).upper() in (*CLAUSES, *COMMANDS):
            return False
        word = unicodedata.normalize("NFKC", match.group()).upper()
        asked = (rest.group(3) or "").upper() in ("FROM", "BY") and rest.group(1).upper() not in ADVICE
        return bool(nearest(word, YIELDING) or word in ADVICE or asked)

    def _merge(self, first: tree.Expression, start: int) -> tree.Merge:
        """`+` and its operands; a WHERE belongs to the operand before it, and the last operand has none because that would be ambiguous."""
        operands = [self._operand(first)]
        while self._take("+"):
            operand = self._expression(beside=first)
            operands.append(self._operand(operand))
            if operand.where is not None and not self._peek("+"):
                self._no_where(operand)
        self.taken = ("`+`",)
        return tree.Merge(tuple(operands), self._since(start))

    def _no_where(self, last: tree.Expression) -> None:
        """The last operand has a WHERE."""
        after = BETWEEN.match(self.text, last.variable.span.end)
        assert after is not None
        self.place, self.taken = after.end(), ("`+`",)
        self._no_statement()

    def _operand(self, expression: tree.Expression) -> tree.Word | tree.Expression:
        """An operand of `+`. Raises BesidePlus for a clause that is not allowed there."""
        beside = {
            f"{expression.transform}( )": expression.transform,
            "ATTR": expression.attributes,
            "SORT BY": expression.sort,
            "OFFSET" if expression.limit and expression.limit.count == EVERY else "LIMIT": expression.limit,
        }
        clause = next((name for name, found in beside.items() if found), None)
        if clause:
            written = self.text[expression.span.start : expression.span.end]
            raise BesidePlus(clause, " ".join(written.split()), expression.span)
        return expression if expression.where is not None else expression.variable

    def _get(self, start: int) -> tree.Get:
        kind = self._type()
        self._about_type(kind)
        found = self._clauses("GET", CLAUSES_OF["GET"])
        return tree.Get(kind, found.get("FROM", ()), found.get("WHERE"), found.get("time"), found.get("LIMIT"), self._since(start))

    def _find(self, start: int) -> tree.Find:
        kind = self._type()
        example = f"write it like `FIND {kind.text} CREATED BY x`"
        verb = self._verb(kind, example)
        by = self._by(kind, verb)
        variable = self._related(kind, verb, by, example)
        self._about_type(kind)
        found = self._clauses("FIND", CLAUSES_OF["FIND"])
        verb = tree.Word(verb.text.upper(), verb.span)
        return tree.Find(kind, verb, by, variable, found.get("DEPTH"), found.get("WHERE"), found.get("time"), found.get("LIMIT"), self._since(start))

    def _about_type(self, kind: tree.Word) -> None:
        """The attributes that follow are those of a type."""

    def _about_variable(self, variable: tree.Word) -> None:
        """The attributes that follow are those of a variable."""

    def _verb(self, kind: tree.Word, hint: str) -> tree.Word:
        return self._name("a relation, like CREATED or LINKED", hint=hint)

    def _by(self, kind: tree.Word, verb: tree.Word) -> bool:
        return bool(self._keyword("BY"))

    def _related(self, kind: tree.Word, verb: tree.Word, by: bool, hint: str) -> tree.Word:
        """The variable of FIND."""
        return self._variable(hint)

    def _new(self, start: int) -> tree.New:
        example = 'a list, like `[\'cmd.exe\']` or `[{"name": "cmd.exe"}]`'
        if self._peek("{") or re.compile(r"['\"\d]").match(self.text, self.place):
            self._fail(example)
        kind = None if self._peek("[") else self._type()
        opening = self.place
        self._expect("[", example)
        rows: list[Any] = []
        while not self._peek("]"):
            self._still_open("[", "]", opening)
            rows.append(self._row(kind) if self._peek("{") else self._scalar())
            if rows and isinstance(rows[-1], tuple) != isinstance(rows[0], tuple):
                raise WrongOperand(
                    "NEW takes values or rows of attributes, not both", Span(opening, self.end), 'write every row as {"name": "cmd.exe"}'
                )
            if not self._take(","):
                break
        self._close("[", "]", opening, "`,` or `]`")
        return tree.New(kind, tuple(rows), self._since(start))

    def _row(self, kind: tree.Word | None) -> tuple[tuple[str, tree.Value | None], ...]:
        opening = self.place
        self._expect("{")
        cells: list[tuple[str, tree.Value | None]] = []
        while not self._peek("}"):
            self._still_open("{", "}", opening)
            name = self._cell_name(kind)
            self._expect(":", "`:`", 'write a row as {"name": "cmd.exe", "pid": 123}')
            null = re.compile(r"(?:null|none)(?![\w.])", re.IGNORECASE).match(self.text, self.place) is not None
            cells.append((name, None if null else self._value()))
            if null:
                self._word()
            if not self._take(","):
                break
        self._close("{", "}", opening, "`,` or `}`")
        return tuple(cells)

    def _cell_name(self, kind: tree.Word | None) -> str:
        """The attribute of a value in a row."""
        return self._string().value if self._peek("'") or self._peek('"') else self._path().attribute

    def _load(self, start: int) -> tree.Load:
        path = self._file()
        kind = self._type() if self._keyword("AS") else None
        return tree.Load(path, kind, self._since(start))

    def _sort_by(self, start: int) -> tree.SortBy:
        variable = self._variable("write it like `SORT x BY name ASC`")
        self._about_variable(variable)
        return tree.SortBy(variable, self._sort(start), self._since(start))

    def _group(self, start: int) -> tree.Group:
        example = "write it like `g = GROUP x BY name WITH COUNT(pid)`"
        variable = self._variable(example)
        self._about_variable(variable)
        self._need("BY", "BY and attributes to group by", example)
        self.taken = ("WITH",)
        keys = [self._group_key()]
        while self._take(","):
            keys.append(self._group_key())
        aggregations: list[tree.Aggregation] = []
        if self._keyword("WITH"):
            aggregations.append(self._aggregation())
            while self._take(","):
                aggregations.append(self._aggregation())
        return tree.Group(variable, tuple(keys), tuple(aggregations), self._since(start))

    def _group_key(self) -> tree.Path | tree.Bin:
        start = self.place
        if not self._function(("BIN",)):
            return self._path()
        self._expect("(")
        path = self._path()
        example = "the size of a bin: `BIN(pid, 100)`, `BIN(first_observed, 5 minutes)`"
        self._expect(",", f"`,` and {example}")
        amount = AMOUNT.match(self.text, self.place)
        if not amount:
            self._fail(example)
        self._move(amount.end())
        size = float(amount.group()) if "." in amount.group() else int(amount.group())
        if not 0 < size < 2**63:
            raise Unexpected(amount.group(), "a size above 0" if not size else "a smaller size", Span(*amount.span()))
        unit = None if self._peek(")") else self._bin_unit()
        if unit and not 1e-6 <= size * {"DAY": 86400, "HOUR": 3600, "MINUTE": 60, "SECOND": 1}[unit] <= 1e11:
            raise Unexpected(amount.group(), "a size from a millionth of a second to a million days", Span(*amount.span()))
        self._expect(")")
        return tree.Bin(path, size, cast(Any, unit), self._since(start))

    def _bin_unit(self) -> str:
        return self._unit()

    def _aggregation(self) -> tree.Aggregation:
        start = self.place
        word = self._aggregating()
        self._expect("(", f"`(attribute)`, like `{word}(pid)`")
        if self._peek("*"):
            self._fail("an attribute", (), "COUNT takes an attribute; GROUP without WITH has a column `count`")
        path = self._path()
        self._expect(")")
        self.taken = ("AS",)
        name = self._name("a name for the column").text if self._keyword("AS") else None
        return tree.Aggregation(cast(Any, word), path, name, self._since(start))

    def _aggregating(self) -> str:
        """The name of an aggregation."""
        word = self._peek_word().upper()
        if word not in AGGREGATIONS:
            self._fail("an aggregation (MIN, MAX, SUM, AVG, COUNT or NUNIQUE)", AGGREGATIONS)
        self._word()
        return word

    def _join(self, start: int) -> tree.Join:
        left = self._variable()
        self._expect(",", "`,` and a second variable", "write it like `JOIN a, b BY pid, pid`")
        right = self._variable()
        keys = None
        self.taken = ("BY",)
        if self._keyword("BY"):
            self._about_variable(left)
            first = self._path()
            self._expect(",", f"`,` and an attribute of `{right.text}`", "BY names one attribute of each variable, even if it is the same")
            self._about_variable(right)
            keys = (first, self._path())
            self.taken = ()
        elif self._peek_word().upper() in ("ON", "USING") and not self._is_assignment():
            self._fail("BY", (), "write it like `JOIN a, b BY pid, pid`")
        return tree.Join(left, right, keys, self._since(start))

    def _apply(self, start: int) -> tree.Apply:
        analytics = self._analytic()
        self._need("ON", "ON and the variables to analyse", "write it like `APPLY risk ON x`")
        variables = [self._variable()]
        while self._take(","):
            variables.append(self._variable())
        self.taken = ("WITH",)
        arguments: list[tree.Argument] = []
        if self._keyword("WITH"):
            arguments.append(self._argument())
            while self._take(","):
                arguments.append(self._argument())
        return tree.Apply(analytics, tuple(variables), tuple(arguments), self._since(start))

    def _argument(self) -> tree.Argument:
        start = self.place
        name = self._name("an argument, like x=1", allow_reserved=True)
        self._expect("=")
        return tree.Argument(name.text, self._value(), self._since(start))

    def _save(self, start: int) -> tree.Save:
        variable = self._variable()
        self._need("TO", "TO and a file", "write it like `SAVE x TO found.csv`")
        path = self._file()
        return tree.Save(variable, path, self._keyword("REPLACE") is not None, self._since(start))

    def _file(self) -> tree.SourceText:
        """The file of LOAD and SAVE."""
        return self._source("a file")

    def _analytic(self) -> tree.SourceText:
        return self._source("an analytic, like risk or python://NAME")

    def _disp(self, start: int) -> tree.Disp:
        expression = self._expression(display=True)
        return tree.Disp(expression, self._view, self._since(start))

    _view: Any = None

    def _describe(self, start: int) -> tree.Describe:
        word, path = self._reference()
        return tree.Describe(word, path, self._since(start))

    def _reference(self) -> tuple[tree.Word, tree.Path]:
        """`variable.attribute`."""
        match = REFERENCE.match(self.text, self.place)
        if not match:
            self._fail("a variable and its attribute", (), f"write it like `DESCRIBE {self._peek_word() or 'x'}.pid`")
        word = tree.Word(match["variable"], Span(*match.span("variable")))
        path = tree.Path(None, canonical(match["attribute"]), Span(*match.span("attribute")))
        self._move(match.end())
        return word, path

    def _operand_variable(self, beside: tree.Expression | None) -> tree.Word:
        """The variable of an expression. `beside`: the first operand of the `+` before it."""
        return self._variable()

    def _expression(self, display: bool = False, beside: tree.Expression | None = None) -> tree.Expression:
        start = self.place
        self._view = None
        upper = self._peek_word().upper()
        transform: Any = self._function(TRANSFORMS)
        if transform:
            opening = self.place
            self._expect("(")
            variable = self._variable()
            self._close("(", ")", opening, "`)`")
        else:
            follows = re.compile(r"[^\S\n]+([^\W\d]\w*)(?!\w|\s*=)").match(self.text, self.place + len(upper))
            if upper in TRANSFORMS and follows and follows.group(1).upper() not in (*CLAUSES, *COMMANDS):
                self._word()
                self._fail("`(`", (), f"write `{upper}({follows.group(1)})`")
            if upper and upper not in RESERVED and self._follows("("):
                self._fail("TIMESTAMPED, ADDOBSID or RECORDS before `(`", TRANSFORMS)
            variable = self._operand_variable(beside)
        self._about_variable(variable)
        found = self._clauses("DISP" if display else "an expression", CLAUSES_OF["DISP" if display else "expression"])
        self._view = found.get("AS")
        return tree.Expression(
            variable, transform, found.get("WHERE"), found.get("ATTR", ()), found.get("SORT"), found.get("LIMIT"), self._since(start)
        )
