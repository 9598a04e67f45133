"""Steps and record queries in words: what EXPLAIN shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from kestrel.graph.steps import (
    All,
    Any_,
    Applied,
    AttributePath,
    Complement,
    Find,
    Get,
    Group,
    Join,
    Load,
    Merge,
    Missing,
    New,
    Predicate,
    Refine,
    Rows,
    Scalar,
    Step,
    Test,
    TimeRange,
    ValuesOf,
    all_steps,
)
from kestrel.pushdown.query import RecordQuery
from kestrel.pushdown.rules import ask


class StepNames:
    """Names for the steps of a graph: the variable's where one is bound to it, else `#1`, `#2`."""

    def __init__(self, names: Mapping[Step, str]) -> None:
        self.names = dict(names)

    def of(self, step: Step) -> str:
        return self.names.setdefault(step, f"#{sum(n.startswith('#') for n in self.names.values()) + 1}")


def graph_lines(step: Step, names: StepNames) -> list[str]:
    """One line for each step a variable is made by, inputs first."""
    return [f"{names.of(s)} = {_step(s, names)}" for s in all_steps(step)]


def queries(step: Step) -> list[tuple[Step, RecordQuery]]:
    """The record queries of a variable, in the order in which they are asked."""
    return [(s, q) for s in all_steps(step) if (q := ask(s)) is not None]


def query_text(query: RecordQuery, names: StepNames) -> str:
    """What a source must return, in words."""
    span = _range(query.range)
    if query.related:
        span = span or f", in the time range of {names.of(query.related.given)}"
        shown = f" ({', '.join(query.related.kinds)})" if query.related.kinds else ""
        arrow = f"{query.related.verb}{' BY' if query.related.by else ''} {names.of(query.related.given)}"
        return f"records{shown} that show `{query.type} {arrow}`{span}"
    if query.any_of is None:
        text = f"all records with a {query.type}{span}"
    else:
        groups = [" AND ".join(predicate_text(t, query.type, names) for t in group) for group in query.any_of]
        text = f"records in which a {query.type} has {' or '.join(groups)}{span}"
    if query.completed:
        text += "; then the other records of these entities, by identity"
    return text + (f"; the first {query.limit:,} entities are enough" if query.limit is not None else "")


def _step(step: Step, names: StepNames) -> str:
    match step:
        case Get(kind, sources, where, span, limit):
            pattern = f" WHERE {predicate_text(where, kind, names)}" if where is not None else ""
            return f"GET {kind} FROM {', '.join(s.uri for s in sources)}{pattern}{_range(span)}{_cut(limit)}"
        case Find(kind, verb, by, given, where, span, depth, limit):
            far = "" if depth == 1 else f" DEPTH {depth or 'ANY'}"
            pattern = f" WHERE {predicate_text(where, kind, names)}" if where is not None else ""
            return f"FIND {kind} {verb}{' BY' if by else ''} {names.of(given)}{far}{pattern}{_range(span)}{_cut(limit)}"
        case New(kind, rows):
            return f"NEW {kind} of {len(rows):,} rows"
        case Load(path, kind):
            return f"LOAD {path} AS {kind}"
        case Merge(inputs):
            return " + ".join(names.of(i) for i in inputs)
        case Refine(given, where, span, columns, sort, ascending, limit, offset):
            text = names.of(given)
            text += f" WHERE {predicate_text(where, '', names)}" if where is not None else ""
            text += _range(span) + (f" ATTR {', '.join(c.text() for c in columns)}" if columns else "")
            text += f" SORT BY {sort.text()} {'ASC' if ascending else 'DESC'}" if sort else ""
            return text + _cut(limit, offset)
        case Rows(given, transform):
            return f"{transform}({names.of(given)})"
        case Group(given, keys, aggregates):
            made = ", ".join(f"{a.function}({a.path.text()}) AS {a.name}" for a in aggregates)
            return f"GROUP {names.of(given)} BY {', '.join(k.name for k in keys)}{' WITH ' + made if made else ''}"
        case Join(left, right, left_key, right_key):
            return f"JOIN {names.of(left)}, {names.of(right)} BY {left_key.text()}, {right_key.text()}"
        case Applied(inputs, index, analytics):
            return f"APPLY {analytics} ON {', '.join(names.of(i) for i in inputs)}: its results for {names.of(inputs[index])}"
        case _:
            assert_never(step)


def predicate_text(predicate: Predicate, kind: str, names: StepNames) -> str:
    """A predicate as the language writes it; paths of another type than `kind` with their type before them."""
    match predicate:
        case Test(path, operator, values, negated, escape):
            shown = ", ".join(_value(v, names) for v in values)
            listed = f"({shown})" if operator == "IN" or len(values) != 1 else shown
            word = "!=" if negated and operator == "=" else f"NOT {operator}" if negated else operator
            return f"{_path(path, kind)} {word} {listed}" + (f" ESCAPE {_value(escape, names)}" if escape else "")
        case Missing(path, negated):
            return f"{_path(path, kind)} IS {'NOT ' if negated else ''}NULL"
        case All(parts):
            return " AND ".join(f"({t})" if isinstance(p, Any_) else t for p in parts for t in [predicate_text(p, kind, names)])
        case Any_(parts):
            return " OR ".join(predicate_text(p, kind, names) for p in parts)
        case Complement(part):
            return f"NOT ({predicate_text(part, kind, names)})"
        case _:
            assert_never(predicate)


def _path(path: AttributePath, kind: str) -> str:
    return path.text() if path.type == kind or not kind else f"{path.type}:{path.text()}"


def _value(value: Scalar | ValuesOf, names: StepNames) -> str:
    match value:
        case ValuesOf(step, path):
            return f"{names.of(step)}.{path.text()}"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        case _:
            return f"t'{value.isoformat()}Z'"


def _range(span: TimeRange | None) -> str:
    if span is None:
        return ""
    start, stop = (m.isoformat().replace("+00:00", "Z") if m else "" for m in (span.since, span.until))
    return f" START t'{start or span.start.isoformat()}'" + (f" STOP t'{stop}'" if stop else "")


def _cut(limit: int | None, offset: int = 0) -> str:
    return (f" LIMIT {limit}" if limit is not None else "") + (f" OFFSET {offset}" if offset else "")
