"""Where in a statement the part stands that a mistake is about, for mistakes that are met while it runs."""

from __future__ import annotations

from kestrel.syntax import tree
from kestrel.text import Span


def place_of(part: str, statement: tree.Statement) -> Span | None:
    """`type`, `source`, `variable`, `file`, `analytic` or `argument NAME`; None where the statement has no such part."""
    found = _parts(statement.value if isinstance(statement, tree.Assign) else statement)
    return found.get(part)


def _parts(node: tree.Yielding | tree.Statement) -> dict[str, Span]:
    match node:
        case tree.Get(kind, source_texts):
            return {"type": kind.span} | ({"source": source_texts[0].span.to(source_texts[-1].span)} if source_texts else {})
        case tree.Find(kind, _, _, variable):
            return {"type": kind.span, "source": variable.span, "variable": variable.span}
        case tree.InfoOfSource(source_text):
            return {"source": source_text.span, "file": source_text.span}
        case tree.Load(path):
            return {"source": path.span, "file": path.span}
        case tree.Save(variable, path):
            return {"variable": variable.span, "source": variable.span, "file": path.span}
        case tree.Apply(analytics, variables, arguments):
            places = {f"argument {a.name}": a.span for a in arguments}
            return {"analytic": analytics.span, "variable": variables[0].span.to(variables[-1].span), **places}
        case tree.Expression(variable) | tree.SortBy(variable) | tree.Group(variable) | tree.Info(variable) | tree.Describe(variable):
            return {"source": variable.span, "variable": variable.span}
        case tree.Disp(expression):
            return _parts(expression)
        case _:
            return {}
