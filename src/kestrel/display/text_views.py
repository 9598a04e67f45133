"""The views of DISP ... AS as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, assert_never

from kestrel.display.values import counted, fitting, instant, plain, visible, wide
from kestrel.result import Chart, Graph, Timeline, Tree, TreeNode, View

LINES = 200
"""Nodes of a tree that are drawn as text."""
NAMED = 5
"""Entities of one relation that are named."""
BLOCKS = "▁▂▃▄▅▆▇█"


def lines(view: View, width: int) -> Iterator[str]:
    """The view on lines of at most `width` columns; the first one says what it is."""
    match view:
        case Tree():
            return _tree(view, width)
        case Graph():
            return _graph(view, width)
        case Timeline():
            return _timeline(view, width)
        case Chart():
            return _chart(view, width)
        case _:
            assert_never(view)


def headline(view: View) -> str:
    """What a view shows, in one line: also what a picture of it is called for those who cannot see it."""
    match view:
        case Tree():
            marked = sum(n.marked for n in view.nodes)
            return f"tree of {view.variable}: {view.total:,} {'entity' if view.total == 1 else 'entities'}, {marked:,} of them marked with *"
        case Graph():
            marked = sum(n.marked for n in view.nodes)
            return f"graph of {view.variable}: {marked:,} {view.type} and {len(view.nodes) - marked:,} around them, {len(view.edges):,} relations"
        case Timeline():
            when = f" from {moment(view.first)} to {moment(view.last)}" if view.first and view.last else ""
            return f"timeline of {view.variable}: {counted(view.total, 'record')}{when}"
        case Chart():
            return f"chart of {view.variable}: {view.unit} by {view.by}"
        case _:
            assert_never(view)


# -- trees --------------------------------------------------------------------------------------------------------


def _tree(tree: Tree, width: int) -> Iterator[str]:
    yield headline(tree)
    for node, stem in zip(tree.nodes[:LINES], stems(tree.nodes[:LINES]), strict=True):
        facts = [moment(node.time)] if node.time else []
        text = "  ".join([f"{stem}{'* ' if node.marked else ''}{visible(node.label)}", *facts, visible(node.detail)])
        yield cut(text.rstrip(), width)
    if tree.total > min(LINES, len(tree.nodes)):
        yield f"… {tree.total - min(LINES, len(tree.nodes)):,} more"


def stems(nodes: Sequence[TreeNode]) -> list[str]:
    """The branches before each node of a walk."""
    found = [""] * len(nodes)
    open_below: set[int] = set()
    for place in range(len(nodes) - 1, -1, -1):
        depth = nodes[place].depth
        open_below = {d for d in open_below if d <= depth}
        if depth:
            found[place] = "".join("│  " if d in open_below else "   " for d in range(1, depth)) + ("├─ " if depth in open_below else "└─ ")
            open_below.add(depth)
    return found


# -- graphs -------------------------------------------------------------------------------------------------------


def _graph(graph: Graph, width: int) -> Iterator[str]:
    yield headline(graph)
    around: dict[int, dict[str, list[str]]] = {}
    for edge in graph.edges:
        if graph.nodes[edge.subject].marked:
            head = f"{edge.verb} {graph.nodes[edge.object].type}"
            around.setdefault(edge.subject, {}).setdefault(head, []).append(graph.nodes[edge.object].label)
        if graph.nodes[edge.object].marked:
            head = f"{graph.nodes[edge.subject].type} {edge.verb} it"
            around.setdefault(edge.object, {}).setdefault(head, []).append(graph.nodes[edge.subject].label)
    for place, node in enumerate(graph.nodes):
        if node.marked:
            yield cut(f"* {visible(node.label)}", width)
            for head, names in around.get(place, {}).items():
                shown = ", ".join(visible(n) for n in names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
                yield cut(f"    {head}: {shown}", width)
    for find, number in graph.left_out:
        yield f"{find} leads to {number:,} more"


# -- timelines ----------------------------------------------------------------------------------------------------


def _timeline(timeline: Timeline, width: int) -> Iterator[str]:
    yield headline(timeline)
    if not timeline.lanes or timeline.first is None or timeline.last is None:
        return
    margin = max(len(lane.name) for lane in timeline.lanes) + 2
    most_room = max(10, min(96, width - margin - 10))
    room = next(n for n in range(most_room, 0, -1) if timeline.parts % n == 0)  # each character then stands for the same number of parts
    for lane in timeline.lanes:
        counts = [0] * room
        for part, number in lane.parts:
            counts[part * room // timeline.parts] += number
        most = max(counts)
        strip = "".join(BLOCKS[min(7, n * 8 // (most + 1))] if n else "·" for n in counts)
        yield f"{lane.name:<{margin}}{strip} {lane.records:,}"
    start, stop = moment(timeline.first), moment(timeline.last)
    yield " " * margin + start + " " * max(1, room - len(start) - len(stop)) + stop


# -- charts -------------------------------------------------------------------------------------------------------


def _chart(chart: Chart, width: int) -> Iterator[str]:
    yield headline(chart)
    names = [cut(visible(bar_name(label)), max(10, width // 3)) for label, _ in chart.bars]
    margin = max((wide(n) for n in names), default=0)
    most = max((number for _, number in chart.bars), default=0)
    room = max(10, min(60, width - margin - 14))
    for name, (_, number) in zip(names, chart.bars, strict=True):
        bar = "█" * round(number / most * room) if most > 0 and number > 0 else ""
        yield f"{name}{' ' * (margin - wide(name))}  {bar or ('▏' if number else '')} {plain(number)}".rstrip()
    yield from notes(chart)


def notes(chart: Chart) -> Iterable[str]:
    """What the bars of a chart do not show."""
    if chart.others[0]:
        yield f"{chart.others[0]:,} more values: {plain(chart.others[1])}"
    if chart.missing:
        yield f"{chart.missing:,} without a value"


def bar_name(label: Any) -> str:
    """A value, or the start of a bin; times to the second."""
    return moment(label) if isinstance(label, datetime) else plain(label)


def moment(time: datetime) -> str:
    """A time to the second."""
    return instant(time.replace(microsecond=0))


def cut(text: str, width: int) -> str:
    return text if wide(text) <= width else text[: fitting(text, width - 1)] + "…"
