"""What EXPLAIN shows: how a variable is made, and what is queried for it from each source."""

from __future__ import annotations

from collections.abc import Mapping

from kestrel.engine.evaluate import Engine
from kestrel.graph.steps import Source, Step, range_of, type_of
from kestrel.pushdown.conditions import by_unique_ids, roles_of, wanted_by
from kestrel.pushdown.explanation import StepNames, graph_lines, queries, query_text
from kestrel.pushdown.projection import needed
from kestrel.pushdown.query import RecordQuery
from kestrel.pushdown.request import FetchRequest
from kestrel.result import Explanation
from kestrel.sources.files import native


def explain(engine: Engine, step: Step, name: str, scope: Mapping[str, Step]) -> Explanation:
    """The steps of a variable carry the names of the variables they are bound to, its own first."""
    names = StepNames({s: n for n, s in scope.items()} | {step: name})
    lines = graph_lines(step, names)
    asked = []
    for asking, query in queries(step):
        wanted = f"{names.of(asking)}: {query_text(query, names)}"
        asked += [(source.uri, wanted, _native(engine, asking, query, source)) for source in query.sources]
    return Explanation(name, tuple(lines), tuple(asked))


def _native(engine: Engine, step: Step, query: RecordQuery, source: Source) -> str:
    """What a source is queried for, in its own language."""
    if not source.place:
        return native(source, needed([step]))
    fetcher = engine.remote.fetcher(source)
    span = query.range
    if query.related:
        span = span or range_of(query.related.given)
        roles = [role.name for role in roles_of("process")]
        of_more = list(by_unique_ids(["..."], span, roles)) if type_of(query.related.given) == "process" else []
    else:
        of_more = wanted_by(query, span, None)
    whole = f"up to {fetcher.whole:,} records of this time, all: {fetcher.explain(FetchRequest.within(span))}"
    return "; ".join([whole, *(f"of more: {fetcher.explain(wanted)}" for wanted in of_more)])
