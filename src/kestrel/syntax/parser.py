"""Text to tree, by recursive descent; every mistake is noted, and reading goes on at the next statement."""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

from kestrel.errors import HuntErrors, KestrelError
from kestrel.syntax import strings, tree
from kestrel.syntax.habits import ADVICE, LOOKALIKES, advice, foreign
from kestrel.syntax.mistakes import (
    NEXT,
    BadEscape,
    BadTime,
    BesidePlus,
    DottedText,
    LookAlike,
    Misplaced,
    OpenBracket,
    OpenString,
    StixOnly,
    TooDeep,
    TwiceGiven,
    TwoObservations,
    Unexpected,
    WrongOperand,
)
from kestrel.text import Source, Span, nearest

COMMANDS = ("GET", "FIND", "NEW", "LOAD", "SAVE", "SORT", "GROUP", "JOIN", "APPLY", "DISP", "INFO", "DESCRIBE", "EXPLAIN")
YIELDING = ("GET", "FIND", "NEW", "LOAD", "SORT", "GROUP", "JOIN")
TRANSFORMS = ("TIMESTAMPED", "ADDOBSID", "RECORDS")
CLAUSES = ("FROM", "WHERE", "START", "LAST", "LIMIT", "OFFSET", "ATTR", "SORT", "DEPTH", "AS", "WITH", "BY", "STOP")
VIEWS = ("TREE", "GRAPH", "TIMELINE", "CHART", "TABLE")
AGGREGATIONS = ("MIN", "MAX", "SUM", "AVG", "COUNT", "NUNIQUE")
JOINING = ("AND", "OR", "NOT", "IN", "LIKE", "MATCHES", "IS", "ISSUBSET", "ISSUPERSET")
RESERVED = frozenset({*COMMANDS, *JOINING, "FROM", "WHERE", "ATTR", "LIMIT", "START", "STOP", "BY"})
UNITS = {"D": "DAY", "DAY": "DAY", "H": "HOUR", "HOUR": "HOUR", "M": "MINUTE", "MINUTE": "MINUTE", "S": "SECOND", "SECOND": "SECOND"}
UNITS |= {f"{u}S": v for u, v in UNITS.items() if len(u) > 1}
DEEPEST = 100
EVERY = 2**62
"""The LIMIT of an OFFSET that stands alone."""

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
POOL = re.compile(r"[^\W\d][\w+.-]*://[^\s'\"#]+|(?:[\w./*~?-]|\[[^\]\s]*\])+")
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


def parse(text: str, name: str = "<hunt>") -> tree.Hunt:
    """The tree of a cell or file. Raises HuntErrors with every mistake found."""
    hunt, errors, _ = parse_partly(text)
    if errors:
        raise HuntErrors(Source(text, name), errors)
    return hunt


def parse_partly(text: str) -> tuple[tree.Hunt, list[KestrelError], frozenset[str]]:
    """The statements that can be read, the mistakes of the others, and every word of those."""
    parser = _Parser(text)
    hunt = parser.hunt()
    return hunt, parser.errors, frozenset(parser.broken)


Plain = str | int | float | bool | datetime | list["Plain"]


def read_value(text: str) -> Plain:
    """A value given from outside a hunt, as the language reads it: a number, a time, true or false, quoted text or a list.
    Anything else is the text itself, and so is a number whose spelling would be lost (`007`)."""
    parser = _Parser(text, outside=True)
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


class _Parser:
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

    # -- statements ----------------------------------------------------------------------------------------------

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
            "INFO": lambda s: tree.Info(self._variable(), self._since(s)),
            "DESCRIBE": self._describe,
            "EXPLAIN": lambda s: tree.Explain(self._variable(), self._since(s)),
        }
        if upper in others:
            self.taken = ()
            self._word()
            return others[upper](start)
        return self._no_statement()

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

    def _is_assignment(self) -> bool:
        match = WORD.match(self.text, self.place)
        assert match is not None
        after = BETWEEN.match(self.text, match.end())
        assert after is not None
        return self.text[after.end() : after.end() + 1] == "=" and self.text[after.end() + 1 : after.end() + 2] != "="

    def _assignment(self, start: int) -> tree.Assign:
        name = self._name("a variable name")
        self._expect("=")
        return tree.Assign(name, self._yielding(), self._since(start))

    def _yielding(self) -> tree.Yielding:
        start = self.place
        self.taken = ()
        upper = self._peek_word().upper()
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
            operand = self._expression()
            operands.append(self._operand(operand))
            if operand.where is not None and not self._peek("+"):
                after = BETWEEN.match(self.text, operand.variable.span.end)
                assert after is not None
                self.place, self.taken = after.end(), ("`+`",)
                self._no_statement()
        self.taken = ("`+`",)
        return tree.Merge(tuple(operands), self._since(start))

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
        found = self._clauses("GET", ("FROM", "WHERE", "START", "LAST", "LIMIT"))
        return tree.Get(kind, found.get("FROM", ()), found.get("WHERE"), found.get("time"), found.get("LIMIT"), self._since(start))

    def _find(self, start: int) -> tree.Find:
        kind = self._type()
        example = f"write it like `FIND {kind.text} CREATED BY x`"
        verb = self._name("a relation, like CREATED or LINKED", hint=example)
        by = bool(self._keyword("BY"))
        variable = self._name("a variable", hint=example)
        found = self._clauses("FIND", ("DEPTH", "WHERE", "START", "LAST", "LIMIT"))
        verb = tree.Word(verb.text.upper(), verb.span)
        return tree.Find(kind, verb, by, variable, found.get("DEPTH"), found.get("WHERE"), found.get("time"), found.get("LIMIT"), self._since(start))

    def _new(self, start: int) -> tree.New:
        example = 'a list, like `[\'cmd.exe\']` or `[{"name": "cmd.exe"}]`'
        if self._peek("{") or re.compile(r"['\"\d]").match(self.text, self.place):
            self._fail(example)
        kind = None if self._peek("[") else self._type()
        opening = self.place
        if not self._take("["):
            self._fail(example)
        rows: list[Any] = []
        while not self._peek("]"):
            self._still_open("[", "]", opening)
            rows.append(self._row() if self._peek("{") else self._scalar())
            if rows and isinstance(rows[-1], tuple) != isinstance(rows[0], tuple):
                raise WrongOperand(
                    "NEW takes values or rows of attributes, not both", Span(opening, self.end), 'write every row as {"name": "cmd.exe"}'
                )
            if not self._take(","):
                break
        self._still_open("[", "]", opening)
        if not self._take("]"):
            self._fail("`,` or `]`")
        return tree.New(kind, tuple(rows), self._since(start))

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

    def _row(self) -> tuple[tuple[str, tree.Value | None], ...]:
        opening = self.place
        self._expect("{")
        cells: list[tuple[str, tree.Value | None]] = []
        while not self._peek("}"):
            self._still_open("{", "}", opening)
            name = self._string().value if self._peek("'") or self._peek('"') else self._path().attribute
            if not self._take(":"):
                self._fail("`:`", (), 'write a row as {"name": "cmd.exe", "pid": 123}')
            null = re.compile(r"(?:null|none)(?![\w.])", re.IGNORECASE).match(self.text, self.place) is not None
            cells.append((name, None if null else self._value()))
            if null:
                self._word()
            if not self._take(","):
                break
        self._still_open("{", "}", opening)
        if not self._take("}"):
            self._fail("`,` or `}`")
        return tuple(cells)

    def _load(self, start: int) -> tree.Load:
        path = self._pool("a file")
        kind = self._type() if self._keyword("AS") else None
        return tree.Load(path, kind, self._since(start))

    def _sort_by(self, start: int) -> tree.SortBy:
        variable = self._name("a variable", hint="write it like `SORT x BY name ASC`")
        return tree.SortBy(variable, self._sort(start), self._since(start))

    def _sort(self, start: int) -> tree.Sort:
        if not self._keyword("BY"):
            self._fail("BY and an attribute", ("BY",), "write it like `SORT x BY name ASC`")
        path = self._path()
        ascending = False
        if self._keyword("ASC"):
            ascending = True
        else:
            self._keyword("DESC")
        self.taken = () if ascending else ("ASC", "DESC")
        if self._peek(","):
            raise WrongOperand("SORT takes one attribute", Span(self.place, self.place + 1), "name the one that matters most")
        return tree.Sort(path, ascending, self._since(start))

    def _group(self, start: int) -> tree.Group:
        variable = self._name("a variable", hint="write it like `g = GROUP x BY name WITH COUNT(pid)`")
        if not self._keyword("BY"):
            self._fail("BY and attributes to group by", ("BY",), "write it like `g = GROUP x BY name WITH COUNT(pid)`")
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
        if not (self._peek_word().upper() == "BIN" and self._follows("(")):
            return self._path()
        self._word()
        self._expect("(")
        path = self._path()
        example = "the size of a bin: `BIN(pid, 100)`, `BIN(first_observed, 5 minutes)`"
        if not self._take(","):
            self._fail(f"`,` and {example}")
        amount = AMOUNT.match(self.text, self.place)
        if not amount:
            self._fail(example)
        self._move(amount.end())
        size = float(amount.group()) if "." in amount.group() else int(amount.group())
        if not 0 < size < 2**63:
            raise Unexpected(amount.group(), "a size above 0" if not size else "a smaller size", Span(*amount.span()))
        unit = self._unit() if not self._peek(")") else None
        if unit and not 1e-6 <= size * {"DAY": 86400, "HOUR": 3600, "MINUTE": 60, "SECOND": 1}[unit] <= 1e11:
            raise Unexpected(amount.group(), "a size from a millionth of a second to a million days", Span(*amount.span()))
        self._expect(")")
        return tree.Bin(path, size, cast(Any, unit), self._since(start))

    def _aggregation(self) -> tree.Aggregation:
        start = self.place
        word = self._peek_word().upper()
        if word not in AGGREGATIONS:
            self._fail("an aggregation (MIN, MAX, SUM, AVG, COUNT or NUNIQUE)", AGGREGATIONS)
        self._word()
        example = f"`({{}})`, like `{word}(pid)`"
        if not self._take("("):
            self._fail(example.format("attribute"))
        if self._peek("*"):
            self._fail("an attribute", (), "COUNT takes an attribute; GROUP without WITH has a column `count`")
        path = self._path()
        self._expect(")")
        self.taken = ("AS",)
        name = self._name("a name for the column").text if self._keyword("AS") else None
        return tree.Aggregation(cast(Any, word), path, name, self._since(start))

    def _join(self, start: int) -> tree.Join:
        left = self._variable()
        if not self._take(","):
            self._fail("`,` and a second variable", (), "write it like `JOIN a, b BY pid, pid`")
        right = self._variable()
        keys = None
        self.taken = ("BY",)
        if self._keyword("BY"):
            first = self._path()
            if not self._take(","):
                self._fail(f"`,` and an attribute of `{right.text}`", (), "BY names one attribute of each variable, even if it is the same")
            keys = (first, self._path())
            self.taken = ()
        elif self._peek_word().upper() in ("ON", "USING") and not self._is_assignment():
            self._fail("BY", (), "write it like `JOIN a, b BY pid, pid`")
        return tree.Join(left, right, keys, self._since(start))

    def _apply(self, start: int) -> tree.Apply:
        analytics = self._pool("an analytic, like risk or python://NAME")
        if not self._keyword("ON"):
            self._fail("ON and the variables to analyse", ("ON",), "write it like `APPLY risk ON x`")
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
        if not self._keyword("TO"):
            self._fail("TO and a file", ("TO",), "write it like `SAVE x TO found.csv`")
        path = self._pool("a file")
        return tree.Save(variable, path, self._keyword("REPLACE") is not None, self._since(start))

    def _disp(self, start: int) -> tree.Disp:
        expression = self._expression(display=True)
        return tree.Disp(expression, self._view, self._since(start))

    _view: Any = None

    def _describe(self, start: int) -> tree.Describe:
        match = REFERENCE.match(self.text, self.place)
        if not match:
            self._fail("a variable and its attribute", (), f"write it like `DESCRIBE {self._peek_word() or 'x'}.pid`")
        word = tree.Word(match["variable"], Span(*match.span("variable")))
        path = tree.Path(None, _canonical(match["attribute"]), Span(*match.span("attribute")))
        self._move(match.end())
        return tree.Describe(word, path, self._since(start))

    def _expression(self, display: bool = False) -> tree.Expression:
        start = self.place
        self._view = None
        transform: Any = None
        upper = self._peek_word().upper()
        if upper in TRANSFORMS and self._follows("("):
            transform = upper
            self._word()
            opening = self.place
            self._expect("(")
            variable = self._variable()
            self._still_open("(", ")", opening)
            if not self._take(")"):
                self._fail("`)`")
        else:
            follows = re.compile(r"[^\S\n]+([^\W\d]\w*)(?!\w|\s*=)").match(self.text, self.place + len(upper))
            if upper in TRANSFORMS and follows and follows.group(1).upper() not in (*CLAUSES, *COMMANDS):
                self._word()
                self._fail("`(`", (), f"write `{upper}({follows.group(1)})`")
            if upper and upper not in RESERVED and self._follows("("):
                self._fail("TIMESTAMPED, ADDOBSID or RECORDS before `(`", TRANSFORMS)
            variable = self._variable()
        allowed = ("WHERE", "ATTR", "SORT", "LIMIT", "OFFSET", *(("AS",) if display else ()))
        found = self._clauses("DISP" if display else "an expression", allowed)
        self._view = found.get("AS")
        return tree.Expression(
            variable, transform, found.get("WHERE"), found.get("ATTR", ()), found.get("SORT"), found.get("LIMIT"), self._since(start)
        )

    # -- clauses -------------------------------------------------------------------------------------------------

    def _clauses(self, command: str, allowed: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        own = {"START": "time", "LAST": "time"}
        while True:
            start = self.place
            upper = self._peek_word().upper()
            joining = self.taken if found and self.taken in (("ASC", "DESC"), ("AND", "OR"), ("`,`",)) else ()
            stop = ("STOP",) if is_open(found.get("time")) else ()
            self.taken = (*joining, *stop, *("SORT BY" if c == "SORT" else c for c in allowed if own.get(c, c) not in found))
            if upper not in CLAUSES or self._is_assignment() or (upper == "SORT" and not self._is_sort_clause()):
                return found
            if upper not in allowed and not (upper == "STOP" and is_open(found.get("time"))):
                if upper in ("BY", "AS", "WITH", "STOP", "OFFSET") or upper not in CLAUSES:
                    if upper == "STOP":
                        raise Misplaced("STOP before START", command, ("START t'...' STOP t'...'",), self._word().span)
                    return found
                shown = ["SORT BY" if c == "SORT" else c for c in allowed if c != "OFFSET"]
                raise Misplaced("SORT BY" if upper == "SORT" else upper, command, shown, self._word().span)
            word = self._word()
            self.taken = ()
            if upper == "STOP":
                found["time"] = tree.Range(found["time"].start, self._time(), found["time"].span.to(self._since(start)))
                continue
            key = "time" if upper in ("START", "LAST") else upper
            if key in found and not (key == "LIMIT" and found[key].count == EVERY):
                raise TwiceGiven("the time" if key == "time" else upper, word.span)
            before = found.get(key)
            found[key] = self._clause(upper, start, found)
            if key == "LIMIT" and before is not None:
                found[key] = tree.Limit(found[key].count, before.offset, before.span.to(found[key].span))
            if key == "OFFSET":
                limit = found.get("LIMIT")
                found["LIMIT"] = tree.Limit(limit.count if limit else EVERY, found.pop("OFFSET"), self._since(start))
            if key in ("WHERE", "ATTR"):
                self.taken = ("AND", "OR") if key == "WHERE" else ("`,`",)

    def _is_sort_clause(self) -> bool:
        return re.compile(r"SORT\s+BY\b", re.IGNORECASE).match(self.text, self.place) is not None

    def _clause(self, upper: str, start: int, found: dict[str, Any]) -> Any:
        match upper:
            case "FROM":
                return self._pools()
            case "WHERE":
                return self._pattern()
            case "START":
                return self._range(start)
            case "LAST":
                return self._last(start)
            case "LIMIT":
                count = self._count()
                offset = self._count() if self._keyword("OFFSET") else 0
                return tree.Limit(count, offset, self._since(start))
            case "OFFSET":
                return self._count()
            case "ATTR":
                paths = [self._path()]
                while self._take(","):
                    paths.append(self._path())
                return tuple(paths)
            case "SORT":
                return self._sort(start)
            case "DEPTH":
                if self._keyword("ANY"):
                    return "ANY"
                hops = NUMBER.match(self.text, self.place)
                if not hops or not re.fullmatch("[0-9]+", hops.group()) or int(hops.group()) < 1:
                    self._fail("a number of hops, or ANY", ("ANY",))
                self._move(hops.end())
                return int(hops.group())
            case "AS":
                view = self._peek_word().upper()
                if view not in VIEWS:
                    self._fail("a view (TREE, GRAPH, TIMELINE, CHART or TABLE)", VIEWS)
                self._word()
                return view
            case _:
                raise AssertionError(upper)

    def _range(self, start: int) -> tree.Range:
        first = self._time()
        stop = self._time() if self._keyword("STOP") else None
        return tree.Range(first, stop, self._since(start))

    def _last(self, start: int) -> tree.Last:
        count = self._parameter() if self._peek("$") else None
        if count is None:
            match = re.compile(r"[0-9]+(?![.\d])").match(self.text, self.place)
            if not match or len(match.group()) > 4000:
                self._fail("a whole number and a unit, like `LAST 3 days`")
            self._move(match.end())
            return tree.Last(int(match.group()), cast(Any, self._unit()), self._since(start))
        return tree.Last(count, cast(Any, self._unit()), self._since(start))

    def _unit(self) -> str:
        unit = UNITS.get(self._peek_word().upper())
        if unit is None:
            self._fail("a unit: days, hours, minutes or seconds", [u.lower() for u in UNITS])
        self._word()
        return unit

    def _count(self) -> int | tree.Parameter:
        if self._peek("$"):
            return self._parameter()
        start = self.place
        if not NUMBER.match(self.text, start):
            self._fail("a whole number")
        number = self._number()
        if not isinstance(number.value, int) or number.value < 0:
            raise Unexpected(self.text[start : self.end], "a whole number, 0 or more", Span(start, self.end))
        return number.value

    def _pools(self) -> tuple[tree.Pool, ...]:
        pools = list(self._split_pool())
        while self._take(","):
            pools += self._split_pool()
        return tuple(pools)

    def _split_pool(self) -> list[tree.Pool]:
        """`scheme://a,b` is two sources of one scheme."""
        pool = self._pool(several=True)
        text = pool.text
        if not isinstance(text, str) or pool.quoted or "://" not in text or text.startswith("file:"):
            return [pool]
        scheme, _, rest = text.partition("://")
        if "/" in rest:
            return [pool]
        return [tree.Pool(f"{scheme}://{name}", False, pool.span) for name in rest.split(",") if name]

    def _pool(self, what: str = "a data source, a file or a variable", several: bool = False) -> tree.Pool:
        start = self.place
        if self._peek("$"):
            parameter = self._parameter()
            return tree.Pool(parameter, False, parameter.span)
        if self._peek("'") or self._peek('"'):
            string = self._string()
            return tree.Pool(string.value, True, string.span)
        match = POOL.match(self.text, self.place)
        if not match or match.group().upper() in RESERVED:
            self._fail(what)
        text = match.group()
        if "://" in text:
            cut = re.search(r",(?=[^\W\d][\w+.-]*://)", text)
            text = text[: cut.start()] if cut else text
            if not several or "/" in text.partition("://")[2]:
                text = text.split(",", 1)[0] if several else text
            text = text.rstrip(",")
        self._move(start + len(text))
        return tree.Pool(text, False, self._since(start))

    # -- patterns ------------------------------------------------------------------------------------------------

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
                    if not self._peek(closing):
                        self._still_open(opening, closing, start)
                        self._qualifier()
                        if self._peek_word().upper() in ("START", "STOP") and not self._is_assignment():
                            raise StixOnly(self._peek_word().upper(), self._word().span)
                        if self._peek_word().upper() in COMMANDS:
                            raise OpenBracket(opening, closing, Span(start, start + 1))
                        self._fail(f"AND, OR or `{closing}`", ("AND", "OR"))
                    self.brackets -= inside
                    self.observations += inside
                    self._take(closing)
                    return part
            return self._comparison()
        finally:
            self.depth -= 1

    def _qualifier(self) -> None:
        """Raise StixOnly if the pattern continues in a way that only STIX patterns can."""
        word = self._peek_word().upper()
        if word in QUALIFIERS and not self._is_assignment():
            raise StixOnly(word, self._word().span)

    def _comparison(self) -> tree.Pattern:
        start = self.place
        path = self._path()
        if self._keyword("IS"):
            negated = bool(self._keyword("NOT"))
            if not self._keyword("NULL"):
                self._fail("NULL or NOT NULL", ("NULL",), "for a value write `!=`" if negated else "for a value write `=`")
            return tree.IsNull(path, negated, self._since(start))
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

    def _escape(self, value: tree.Value) -> str:
        """The character of ESCAPE."""
        if not re.compile(r"[rR]?['\"]").match(self.text, self.place):
            self._fail("a character in quotes", (), "write it like `LIKE '100!%' ESCAPE '!'`")
        found = self._string()
        if len(found.value) != 1 or found.value in "%_":
            raise WrongOperand("ESCAPE takes one character other than `%` and `_`", found.span, "write it like `LIKE '100!%' ESCAPE '!'`")
        for item in value.items if isinstance(value, tree.ListOf) else (value,):
            if isinstance(item, tree.Reference):
                raise WrongOperand("ESCAPE needs a literal pattern", item.span, "values of a variable are used as patterns without ESCAPE")
        return found.value

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
        return tree.Path(match["type"], _canonical(match["attribute"]), Span(*match.span()))

    # -- values --------------------------------------------------------------------------------------------------

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
        self._still_open(opening, closing, start)
        if not self._peek(closing):
            self._fail(f"`,` or `{closing}`")
        self._take(closing)
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
            return tree.Reference(reference["variable"], _canonical(reference["attribute"]), Span(*reference.span()))
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
            return tree.Reference(reference["variable"], _canonical(reference["attribute"]), span)
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

    def _time(self) -> tree.Time | tree.Parameter:
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

    # -- words and characters -----------------------------------------------------------------------------------------

    def _type(self) -> tree.Word:
        if self._peek("*"):
            self._move(self.place + 1)
            return tree.Word("*", Span(self.end - 1, self.end))
        match = TYPE.match(self.text, self.place)
        if not match or match.group().upper() in RESERVED:
            self._fail("an entity type, like process", (), "the type comes first: `GET process FROM ... WHERE ...`" if match else None)
        self._move(match.end())
        return tree.Word(match.group(), Span(*match.span()))

    def _variable(self) -> tree.Word:
        return self._name("a variable")

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

    def _keyword(self, word: str) -> tree.Word | None:
        """The keyword, taken, if it stands here and does not begin the next statement (`desc = ...`)."""
        here = self._peek_word().upper() == word and (word in RESERVED or not self._is_assignment())
        return self._word() if here else None

    def _peek(self, sign: str) -> bool:
        return self.text.startswith(sign, self.place)

    def _take(self, sign: str) -> bool:
        if not self._peek(sign):
            return False
        self._move(self.place + len(sign))
        return True

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            self._fail(f"`{sign}`")

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


def is_open(clause: tree.TimeClause | None) -> bool:
    """Whether a time is a START to which STOP may still be added."""
    return isinstance(clause, tree.Range) and clause.stop is None


def _canonical(attribute: str) -> str:
    """An attribute path with quotes only around the parts that need them."""
    parts = re.findall(r"'[^']*'|\"[^\"]*\"|[^.'\"]+", attribute)
    return ".".join(_part(p) for p in parts)


def _part(part: str) -> str:
    bare = part[1:-1] if part[:1] in "'\"" else part
    return bare if SAFE_PART.fullmatch(bare) else f'"{bare}"' if "'" in bare else f"'{bare}'"


def _moment(text: str) -> datetime | None:
    """ISO 8601 as UTC; a fraction finer than microseconds is cut."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
