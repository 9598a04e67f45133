"""Tree to text: the one standard form, as `kestrel fmt` prints it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_never

from kestrel.syntax import tree
from kestrel.syntax.grammar import EVERY
from kestrel.syntax.scanner import SOURCE
from kestrel.syntax.strings import written

INDENT = "    "
NARROW = 100


def to_text(hunt: tree.Hunt) -> str:
    """The hunt in standard form: a statement a line, long ones broken at their clauses; comments stay at their statement,
    and of empty lines between statements one is kept."""
    lines: list[str] = []

    def put(text: str, start: int) -> None:
        if lines and start in hunt.parted:
            lines.append("")
        lines.append(text)

    comments = sorted(hunt.comments, key=lambda c: c.span.start)
    for statement in hunt.statements:
        inside = [c for c in comments if not c.trailing and c.span.start < statement.span.end]
        for comment in inside:
            put(comment.text, comment.span.start)
        put(_statement(statement), statement.span.start)
        line_end = next((c for c in comments if c.trailing), None)
        comments = [c for c in comments if c not in inside]
        while line_end in comments and line_end and not _later(hunt, statement, line_end):
            lines[-1] += f"  {line_end.text}"
            comments.remove(line_end)
            line_end = next((c for c in comments if c.trailing), None)
    for comment in comments:
        put(comment.text, comment.span.start)
    return "\n".join(lines) + "\n" if lines else ""


def _later(hunt: tree.Hunt, statement: tree.Statement, comment: tree.Comment) -> bool:
    """Whether another statement stands between a statement and a comment."""
    return any(statement.span.end <= s.span.start < comment.span.start for s in hunt.statements if s is not statement)


def _statement(statement: tree.Statement) -> str:
    match statement:
        case tree.Assign(target, value):
            head = f"{target.text} = " if target else ""
            return head + _yielding(value, len(head))
        case tree.Give(name, given):
            return f"${name} = {_value(given)}"
        case tree.Apply(analytics, variables, arguments):
            text = f"APPLY {_source(analytics)} ON {', '.join(v.text for v in variables)}"
            return text + (" WITH " + ", ".join(f"{a.name}={_value(a.value)}" for a in arguments) if arguments else "")
        case tree.Save(variable, path, replace):
            return f"SAVE {variable.text} TO {_source(path)}" + (" REPLACE" if replace else "")
        case tree.Disp(expression, view):
            text = "DISP " + _expression(expression)
            return text + (f" AS {view}" if view else "")
        case tree.Info(variable):
            return f"INFO {variable.text}"
        case tree.InfoOfSource(source_text):
            return f"INFO {_source(source_text)}"
        case tree.Describe(variable, attribute):
            return f"DESCRIBE {variable.text}.{attribute.attribute}"
        case tree.Explain(variable):
            return f"EXPLAIN {variable.text}"
        case _:
            assert_never(statement)


def _yielding(value: tree.Yielding, column: int) -> str:
    match value:
        case tree.Get(kind, source_texts, where, time, limit):
            clauses = [f"FROM {', '.join(_source(p) for p in source_texts)}"] if source_texts else []
            clauses += _tail(where, time, limit)
            return _broken(f"GET {kind.text}", clauses, column)
        case tree.Find(kind, verb, by, variable, depth, where, time, limit):
            head = f"FIND {kind.text} {verb.text}{' BY' if by else ''} {variable.text}"
            return _broken(head, [f"DEPTH {depth}"] * (depth is not None) + _tail(where, time, limit), column)
        case tree.New(new_kind, rows):
            return f"NEW {new_kind.text + ' ' if new_kind else ''}[{', '.join(_row(r) for r in rows)}]"
        case tree.Load(path, load_kind):
            return f"LOAD {_source(path)}" + (f" AS {load_kind.text}" if load_kind else "")
        case tree.SortBy(variable, sort):
            return f"SORT {variable.text} {_sort(sort)}"
        case tree.Group(variable, keys, aggregations):
            text = f"GROUP {variable.text} BY {', '.join(_key(k) for k in keys)}"
            return text + (" WITH " + ", ".join(_aggregation(a) for a in aggregations) if aggregations else "")
        case tree.Join(left, right, keys):
            return f"JOIN {left.text}, {right.text}" + (f" BY {_path(keys[0])}, {_path(keys[1])}" if keys else "")
        case tree.Merge(operands):
            return " + ".join(o.text if isinstance(o, tree.Word) else _expression(o) for o in operands)
        case tree.Expression():
            return _expression(value)
        case _:
            assert_never(value)


def _broken(head: str, clauses: list[str], column: int) -> str:
    """On one line where it fits, else each clause on its own; a GET with a pattern keeps FROM beside it."""
    line = " ".join([head, *clauses])
    if column + len(line) <= NARROW:
        return line
    first = [head]
    if clauses and clauses[0].startswith("FROM"):
        first.append(clauses.pop(0))
    margin = "\n" + " " * column + INDENT
    return " ".join(first) + "".join(margin + c for c in clauses)


def _tail(where: tree.Pattern | None, time: tree.TimeClause | None, limit: tree.Limit | None) -> list[str]:
    found = []
    if where is not None:
        found.append(f"WHERE {_pattern(where)}")
    match time:
        case tree.Range(start, stop):
            found.append(f"START {_value(start)}" + (f" STOP {_value(stop)}" if stop else ""))
        case tree.Last(count, unit):
            found.append(f"LAST {_count(count)} {unit}")
        case None:
            pass
        case _:
            assert_never(time)
    return found + _limit(limit)


def _limit(limit: tree.Limit | None) -> list[str]:
    if limit is None:
        return []
    if limit.count == EVERY:
        return [f"OFFSET {_count(limit.offset)}"]
    return [f"LIMIT {_count(limit.count)}" + (f" OFFSET {_count(limit.offset)}" if limit.offset else "")]


def _count(count: int | tree.Parameter) -> str:
    return f"${count.name}" if isinstance(count, tree.Parameter) else str(count)


def _expression(expression: tree.Expression) -> str:
    name = expression.variable.text
    parts = [f"{expression.transform}({name})" if expression.transform else name]
    if expression.where is not None:
        parts.append(f"WHERE {_pattern(expression.where)}")
    if expression.attributes:
        parts.append("ATTR " + ", ".join(_path(p) for p in expression.attributes))
    if expression.sort:
        parts.append("SORT " + _sort(expression.sort))
    return " ".join(parts + _limit(expression.limit))


def _sort(sort: tree.Sort) -> str:
    return f"BY {_path(sort.attribute)} {'ASC' if sort.ascending else 'DESC'}"


def _key(key: tree.Path | tree.Bin) -> str:
    if isinstance(key, tree.Path):
        return _path(key)
    return f"BIN({_path(key.attribute)}, {_number(key.size)}{' ' + key.unit if key.unit else ''})"


def _aggregation(aggregation: tree.Aggregation) -> str:
    text = f"{aggregation.function}({_path(aggregation.attribute)})"
    return f"{text} AS {aggregation.name}" if aggregation.name else text


def _pattern(pattern: tree.Pattern) -> str:
    match pattern:
        case tree.Comparison(path, operator, value, negated, escape):
            text = f"{_path(path)} {'NOT ' if negated else ''}{operator} {_value(value)}"
            return f"{text} ESCAPE {written(escape)}" if escape else text
        case tree.IsNull(path, negated):
            return f"{_path(path)} IS {'NOT ' if negated else ''}NULL"
        case tree.And(parts):
            return " AND ".join(f"({_pattern(p)})" if isinstance(p, tree.Or | tree.And) else _pattern(p) for p in parts)
        case tree.Or(parts):
            return " OR ".join(f"({_pattern(p)})" if isinstance(p, tree.Or) else _pattern(p) for p in parts)
        case tree.Not(part):
            return f"NOT ({_pattern(part)})"
        case _:
            assert_never(pattern)


def _path(path: tree.Path) -> str:
    return f"{path.type}:{path.attribute}" if path.type else path.attribute


def _value(value: tree.Value) -> str:
    match value:
        case tree.Text(text):
            return written(text)
        case tree.Number(number):
            return _number(number)
        case tree.Boolean(flag):
            return "true" if flag else "false"
        case tree.Time(moment):
            return f"t'{_moment(moment)}'"
        case tree.Reference(variable, attribute):
            return f"{variable}.{attribute}"
        case tree.Parameter(name):
            return f"${name}"
        case tree.ListOf(items):
            return "(" + ", ".join(_value(i) for i in items) + ")"
        case _:
            assert_never(value)


def _number(number: int | float) -> str:
    return repr(number)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def _row(row: Any) -> str:
    if not isinstance(row, tuple):
        return _value(row)
    return "{" + ", ".join(f"{_quoted_name(n)}: {'null' if v is None else _value(v)}" for n, v in row) + "}"


def _quoted_name(name: str) -> str:
    return '"' + written(name)[1:-1].replace("\\'", "'").replace('"', '\\"') + '"'


def _source(source_text: tree.SourceText) -> str:
    match source_text.text:
        case tree.Parameter(name):
            return f"${name}"
        case str(text):
            plain = SOURCE.fullmatch(text) is not None and "," not in text and not source_text.quoted
            return text if plain else written(text)
