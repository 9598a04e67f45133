"""The clauses of a statement."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from kestrel.syntax import tree
from kestrel.syntax.grammar import CLAUSES, EVERY, RESERVED, TIMES, UNITS, VIEWS
from kestrel.syntax.mistakes import Misplaced, TwiceGiven, Unexpected, WrongOperand
from kestrel.syntax.patterns import Patterns
from kestrel.syntax.scanner import NUMBER, SOURCE
from kestrel.text import Span


class Clauses(Patterns):
    """Reads clauses."""

    def _clauses(self, command: str, allowed: tuple[str, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while True:
            start = self.place
            left = _left(allowed, found)
            upper = self._clause_word(left, is_open(found.get("time")))
            joining = self.taken if found and self.taken in (("ASC", "DESC"), ("AND", "OR"), ("`,`",)) else ()
            stop = ("STOP",) if is_open(found.get("time")) else ()
            self.taken = (*joining, *stop, *("SORT BY" if c == "SORT" else c for c in left))
            if upper not in CLAUSES or self._is_assignment() or (upper == "SORT" and not self._is_sort_clause()):
                return found
            if upper not in allowed and not (upper == "STOP" and is_open(found.get("time"))):
                if upper in ("BY", "AS", "WITH", "STOP", "OFFSET") or upper not in CLAUSES:
                    if upper == "STOP":
                        raise Misplaced("STOP before START", command, ("START t'...' STOP t'...'",), self._word().span)
                    return found
                shown = ["SORT BY" if c == "SORT" else c for c in allowed if c != "OFFSET"]
                word = self._word()
                self._mistake(Misplaced("SORT BY" if upper == "SORT" else upper, command, shown, word.span))
            else:
                word = self._word()
            self.taken = ()
            if upper == "STOP":
                found["time"] = tree.Range(found["time"].start, self._time("STOP"), found["time"].span.to(self._since(start)))
                continue
            key = "time" if upper in TIMES else upper
            if upper in allowed and upper not in left:
                self._mistake(TwiceGiven("the time" if key == "time" else upper, word.span))
            before = found.get(key)
            found[key] = self._clause(upper, start, found)
            if key == "LIMIT" and before is not None:
                found[key] = tree.Limit(found[key].count, before.offset, before.span.to(found[key].span))
            if key == "OFFSET":
                limit = found.get("LIMIT")
                found["LIMIT"] = tree.Limit(limit.count if limit else EVERY, found.pop("OFFSET"), self._since(start))
            if key in ("WHERE", "ATTR"):
                self.taken = ("AND", "OR") if key == "WHERE" else ("`,`",)

    def _clause_word(self, left: Sequence[str], may_stop: bool) -> str:
        """The word here, in capitals: perhaps one of the clauses that are left, or STOP."""
        return self._peek_word().upper()

    def _clause(self, upper: str, start: int, found: dict[str, Any]) -> Any:
        match upper:
            case "FROM":
                return self._sources()
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
                return self._paths()
            case "SORT":
                return self._sort(start)
            case "DEPTH":
                return "ANY" if self._keyword("ANY") else self._hops()
            case "AS":
                return self._view_name()
            case _:
                raise AssertionError(upper)

    def _hops(self) -> int:
        hops = NUMBER.match(self.text, self.place)
        if not hops or not re.fullmatch("[0-9]+", hops.group()) or int(hops.group()) < 1:
            self._fail("a number of hops, or ANY", ("ANY",))
        self._move(hops.end())
        return int(hops.group())

    def _view_name(self) -> str:
        view = self._peek_word().upper()
        if view not in VIEWS:
            self._fail("a view (TREE, GRAPH, TIMELINE, CHART or TABLE)", VIEWS)
        self._word()
        return view

    def _range(self, start: int) -> tree.Range:
        first = self._time("START")
        stop = self._time("STOP") if self._keyword("STOP") else None
        return tree.Range(first, stop, self._since(start))

    def _last(self, start: int) -> tree.Last:
        count = self._parameter() if self._peek("$") else self._span_count()
        return tree.Last(count, cast(Any, self._unit()), self._since(start))

    def _span_count(self) -> int:
        """The number of LAST."""
        match = re.compile(r"[0-9]+(?![.\d])").match(self.text, self.place)
        if not match or len(match.group()) > 4000:
            self._fail("a whole number and a unit, like `LAST 3 days`")
        self._move(match.end())
        return int(match.group())

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

    def _sources(self) -> tuple[tree.SourceText, ...]:
        source_texts = list(self._split_source())
        while self._take(","):
            source_texts += self._split_source()
        return tuple(source_texts)

    def _split_source(self) -> list[tree.SourceText]:
        """`scheme://a,b` is two sources of one scheme."""
        source_text = self._source(several=True)
        text = source_text.text
        if not isinstance(text, str) or source_text.quoted or "://" not in text or text.startswith("file:"):
            return [source_text]
        scheme, _, rest = text.partition("://")
        if "/" in rest:
            return [source_text]
        return [tree.SourceText(f"{scheme}://{name}", False, source_text.span) for name in rest.split(",") if name]

    def _source(self, what: str = "a data source, a file or a variable", several: bool = False) -> tree.SourceText:
        start = self.place
        if self._peek("$"):
            parameter = self._parameter()
            return tree.SourceText(parameter, False, parameter.span)
        if self._peek("'") or self._peek('"'):
            string = self._string()
            return tree.SourceText(string.value, True, string.span)
        match = SOURCE.match(self.text, self.place)
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
        return tree.SourceText(text, False, self._since(start))

    def _sort(self, start: int) -> tree.Sort:
        self._need("BY", "BY and an attribute", "write it like `SORT x BY name ASC`")
        path = self._path()
        order = self._keyword("ASC", "DESC")
        ascending = order is not None and order.text.upper() == "ASC"
        self.taken = () if order else ("ASC", "DESC")
        if self._peek(","):
            raise WrongOperand("SORT takes one attribute", Span(self.place, self.place + 1), "name the one that matters most")
        return tree.Sort(path, ascending, self._since(start))


def _left(allowed: Sequence[str], found: Mapping[str, Any]) -> list[str]:
    """The clauses that may still follow."""
    limit = found.get("LIMIT")
    taken = {"START", "LAST"} if "time" in found else set()
    taken |= {key for key in found if key != "LIMIT"}
    if limit:
        taken |= ({"LIMIT"} if limit.count != EVERY else set()) | ({"OFFSET"} if limit.offset or limit.count == EVERY else set())
    return [clause for clause in allowed if clause not in taken]


def is_open(clause: tree.TimeClause | None) -> bool:
    """Whether a time is a START to which STOP may still be added."""
    return isinstance(clause, tree.Range) and clause.stop is None
