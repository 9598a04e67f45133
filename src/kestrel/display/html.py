"""Results as HTML that does nothing: no script, no style sheet, no request. It reads well where nothing else may run."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, assert_never
from xml.etree.ElementTree import Element

from kestrel.display.markup import append, element, html_text
from kestrel.display.sanitizer import cleaned
from kestrel.display.svg import to_svg
from kestrel.display.terminal import input_lines
from kestrel.display.text_views import headline, lines, moment
from kestrel.display.values import counted, instant, plain
from kestrel.result import (
    Chart,
    Description,
    Explanation,
    Failure,
    Graph,
    Info,
    Notice,
    Picture,
    Result,
    Summary,
    Table,
    Text,
    Timeline,
    Tree,
    TreeNode,
)
from kestrel.text import path_text

ROWS = 50
"""Rows of a table that are written at most."""
LONGEST = 160
"""Signs of a value that are shown at once; the whole value opens."""
NODES = 400
"""Nodes of a tree that are written at most."""
LEFT, RIGHT = "text-align:left;vertical-align:top", "text-align:right;vertical-align:top"
QUIET = "color:gray"


def to_html(result: Result) -> str:
    """A result as a piece of an HTML page."""
    return html_text(element("div", *_parts(result)))


def _parts(result: Result) -> Iterable[Element | str]:
    match result:
        case Table():
            return _table(result)
        case Info():
            return _info(result)
        case Description():
            return _description(result)
        case Explanation():
            return _explanation(result)
        case Summary():
            return _summary(result)
        case Notice():
            return [element("p", element("b", f"note[{result.code}]"), f": {result.message}")]
        case Failure():
            return [element("pre", result.make)]
        case Text():
            return [element("b", f"{result.name}:"), element("pre", result.text)]
        case Picture():
            return _picture(result)
        case Tree():
            return [element("p", headline(result)), *_tree(result)]
        case Graph() | Timeline() | Chart():
            text = "\n".join(lines(result, 110))
            return [image(to_svg(result), headline(result)), element("details", element("summary", "as text"), element("pre", text))]
        case _:
            assert_never(result)


# -- tables -------------------------------------------------------------------------------------------------------


def _table(table: Table) -> list[Element | str]:
    if not table.total:
        columns = f" ({', '.join(table.columns)})" if table.columns else ""
        return [element("p", element("b", table.variable), f": empty{columns}")]
    shown = table.rows[:ROWS]
    found: list[Element | str] = [grid(table.columns, shown)]
    if table.total > len(shown):
        found.append(element("p", f"{len(shown):,} of {table.total:,} rows", style=QUIET))
    return found


def grid(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Element:
    """A table of values; numbers stand to the right, long texts open."""
    numbers = [_numeric([r[n] for r in rows]) for n in range(len(columns))]
    sides = [RIGHT if number else LEFT for number in numbers]
    head = element("tr", *(element("th", name, style=side) for name, side in zip(columns, sides, strict=True)))
    body = (element("tr", *(element("td", _value(v), style=side) for v, side in zip(row, sides, strict=True))) for row in rows)
    return element("table", element("thead", head), element("tbody", *body))


def _numeric(values: Sequence[Any]) -> bool:
    """Whether a column holds numbers, and nothing else."""
    known = [v for v in values if v is not None]
    return bool(known) and all(isinstance(v, int | float) for v in known)


def _value(value: Any) -> Element | str:
    text = plain(value)
    if len(text) <= LONGEST:
        return text
    return element("details", element("summary", f"{text[:LONGEST]}…"), text)


# -- what a variable is -------------------------------------------------------------------------------------------


def _info(info: Info) -> list[Element | str]:
    number = counted(info.entities, "row") if info.type == "table" else counted(info.entities, info.type, " entities")
    records = "" if info.type == "table" else f", {counted(info.records, 'record')}"
    facts = [
        ("observed", span(info.first_observed, info.last_observed)),
        ("source", ", ".join(info.sources)),
        ("made by", info.origin),
        *(("" if place else "inputs", line) for place, line in enumerate(input_lines(info.inputs))),
        ("changed since read", ", ".join(map(path_text, info.changed_files))),
        ("never set", ", ".join(a.name for a in info.attributes if not a.count)),
    ]
    rows = (
        element("tr", element("th", name, style=LEFT), element("td", element("code", text) if name == "made by" else text, style=LEFT))
        for name, text in facts
        if text
    )
    rows_of = f" in {counted(info.rows, 'row')}" if info.rows is not None else ""
    unit = "rows" if info.type == "table" or info.rows is not None else "entities"
    attributes = [(a.name, a.count, a.example) for a in info.attributes if a.count]
    return [
        element("p", element("b", info.variable), f": {number}{rows_of}{records}"),
        element("table", element("tbody", *rows)),
        *([grid(("attribute", unit, "most frequent"), attributes)] if attributes else []),
        *(
            [
                element(
                    "details",
                    element("summary", f"FIND from here, as in {info.relations[0]} {info.variable}"),
                    element("ul", *(element("li", element("code", f"FIND {r.removeprefix('FIND ')} {info.variable}")) for r in info.relations)),
                )
            ]
            if info.relations
            else []
        ),
    ]


def _description(found: Description) -> list[Element | str]:
    rows = (element("tr", element("th", name, style=LEFT), element("td", plain(value), style=RIGHT)) for name, value in found.statistics)
    frequent = [(number, value) for value, number in found.frequent]
    return [
        element("p", element("b", f"{found.variable}.{found.attribute}")),
        element("table", element("tbody", *rows)),
        *([grid(("rows", "most frequent"), frequent)] if frequent else []),
    ]


def _explanation(found: Explanation) -> list[Element | str]:
    asked = [(wanted, source, query) for source, wanted, query in found.queries]
    return [
        element("p", element("b", found.variable), " is made by"),
        element("pre", "\n".join(found.steps)),
        *([grid(("records", "source", "query"), asked)] if asked else []),
    ]


def _summary(summary: Summary) -> list[Element | str]:
    columns = ("variable", "type", "entities", "records", "observed", "source")
    rows = [(m.name, m.type, m.entities, m.records, span(m.first_observed, m.last_observed), ", ".join(m.sources)) for m in summary.variables]
    kept = [n for n in range(len(columns)) if any(r[n] not in ("", None) for r in rows)]
    table = [grid([columns[n] for n in kept], [[r[n] for n in kept] for r in rows])] if rows else []
    asked = [(a.source, a.queries, a.records, a.bytes, a.seconds) for a in summary.asked]
    live = [grid(("asked", "queries", "records", "bytes", "seconds"), asked)] if asked else []
    return [*table, *live, element("p", f"{summary.seconds:.2f} s", style=QUIET)]


def span(first: datetime | None, last: datetime | None) -> str:
    """A time range in seconds; one moment alone."""
    if first is None or last is None:
        return ""
    start, stop = instant(first.replace(microsecond=0)), instant(last.replace(microsecond=0))
    return start if start == stop else f"{start} to {stop}"


def _picture(picture: Picture) -> list[Element | str]:
    """What an analytic drew, as an image, or of its own HTML what does nothing."""
    name = element("b", f"{picture.name}:")
    if picture.image is not None:
        data = f"data:image/png;base64,{base64.b64encode(picture.image).decode('ascii')}"
        return [name, element("br"), element("img", src=data, alt=picture.text, style="max-width:100%")]
    if picture.svg:
        return [name, element("br"), image(picture.svg, picture.text)]
    return [name, cleaned(picture.html) if picture.html else element("pre", picture.text)]


def image(svg: str, alt: str) -> Element:
    """A drawing as an image: nothing in it runs, and nothing is fetched."""
    data = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return element("img", src=f"data:image/svg+xml;base64,{data}", alt=alt, style="max-width:100%")


# -- trees --------------------------------------------------------------------------------------------------------


def _tree(tree: Tree) -> list[Element | str]:
    """Nested parts that open and close; what leads to an entity of the variable is open."""
    nodes = tree.nodes[:NODES]
    leading = _leading(nodes)
    top: list[Element | str] = []
    inside: list[Element] = []
    for place, node in enumerate(nodes):
        parent = place + 1 < len(nodes) and nodes[place + 1].depth > node.depth
        line = [element("b", f"* {node.label}") if node.marked else node.label]
        more = "  ".join([*([moment(node.time)] if node.time else []), node.detail[:LONGEST]])
        line.append(element("span", f"  {more}", style=QUIET))
        made = element("details", element("summary", *line), open="open" if place in leading else None) if parent else element("div", *line)
        made.set("style", "margin-left:1.2em")
        if node.depth:
            append(inside[node.depth - 1], made)
        else:
            top.append(made)
        inside = [*inside[: node.depth], made]
    if tree.total > len(nodes):
        top.append(element("p", f"{tree.total - len(nodes):,} more", style=QUIET))
    return top


def _leading(nodes: Sequence[TreeNode]) -> set[int]:
    """The nodes below which a marked one stands."""
    found: set[int] = set()
    path: list[int] = []
    for place, node in enumerate(nodes):
        path = [*path[: node.depth], place]
        if node.marked:
            found.update(path[:-1])
    return found
