"""The views of DISP ... AS as SVG drawings that stand alone: no script, no font and no picture from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import assert_never
from xml.etree.ElementTree import Element

from kestrel.display.markup import append, element, svg_text
from kestrel.display.placing import COLUMNS, NODE, ROW, WIDTH, placed
from kestrel.display.text_views import bar_name, cut, headline, moment, notes
from kestrel.display.values import plain
from kestrel.result import Chart, Graph, GraphEdge, Timeline, Tree, View

INK, QUIET, LINE, PAPER = "#1f2328", "#59636e", "#c8ccd0", "#ffffff"
COLOURS = {
    "process": "#0072b2",
    "file": "#e69f00",
    "network-traffic": "#009e73",
    "ipv4-addr": "#56b4e9",
    "ipv6-addr": "#56b4e9",
    "user-account": "#cc79a7",
    "windows-registry-key": "#d55e00",
    "domain-name": "#8a6d00",
}
"""Colours of types that every eye can tell apart (Okabe and Ito); a picture never tells a type by colour alone."""
OTHER = "#6e7781"
ROWS = 300
"""Nodes of a tree that are drawn."""
DAY = 86400
STEPS = (1, 5, 15, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 365 * DAY, 3650 * DAY, 36500 * DAY, 365000 * DAY)
LATEST = datetime.max.replace(tzinfo=UTC)


def to_svg(view: View) -> str:
    """The view as the text of an SVG document, named for those who hear it."""
    match view:
        case Tree():
            body, height = _tree(view)
        case Graph():
            body, height = _graph(view)
        case Timeline():
            body, height = _timeline(view)
        case Chart():
            body, height = _values(view) if view.size is None and not _timed(view) else _bins(view)
        case _:
            assert_never(view)
    named = {"aria-label": headline(view)}
    root = element("svg", element("title", headline(view)), xmlns="http://www.w3.org/2000/svg", width=WIDTH, height=height, role="img")
    root.attrib |= {"viewBox": f"0 0 {WIDTH} {height}", "font-family": "sans-serif", "font-size": "12", "fill": INK} | named
    append(root, element("rect", width=WIDTH, height=height, fill=PAPER, rx=6))
    for part in body:
        append(root, part)
    return svg_text(root)


def _text(x: float, y: float, text: str, **more: object) -> Element:
    return element("text", text, x=_n(x), y=_n(y), **more)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


# -- trees --------------------------------------------------------------------------------------------------------


def _tree(tree: Tree) -> tuple[list[Element], int]:
    body: list[Element] = []
    last: list[int] = []
    for row, node in enumerate(tree.nodes[:ROWS]):
        x, y = 16 + node.depth * 18, 18 + row * 20
        last = [*last[: node.depth], y]
        if node.depth and len(last) > node.depth:
            body.append(element("path", d=f"M{x - 12} {last[node.depth - 1] + 6}V{y}H{x - 4}", fill="none", stroke=LINE))
        colour = COLOURS.get(node.type, OTHER)
        body.append(element("circle", cx=x, cy=y, r=4, fill=colour if node.marked else PAPER, stroke=colour))
        weight = "bold" if node.marked else None
        room = max(10, (WIDTH - x - 20) // 7)
        label = element("text", cut(("* " if node.marked else "") + node.label, room), x=x + 10, y=y + 4, font_weight=weight)
        more = "  ".join([*([moment(node.time)] if node.time else []), node.detail])
        left = room - len(node.label) - 4
        if left > 12:
            append(label, element("tspan", cut(f"  {more}", left), fill=QUIET, font_weight="normal"))
        append(label, element("title", node.detail or node.label))
        body.append(label)
    shown = min(ROWS, len(tree.nodes))
    height = 24 + shown * 20
    if tree.total > shown:
        body.append(_text(16, height, f"{tree.total - shown:,} more", fill=QUIET))
        height += 14
    return body, height


# -- graphs -------------------------------------------------------------------------------------------------------


def _graph(graph: Graph) -> tuple[list[Element], int]:
    place = placed(graph)
    body = [_edge(graph, edge, place.nodes) for edge in graph.edges]
    body += [_text(x, y + 18, heading, font_weight="bold", fill=QUIET) for heading, x, y in place.headings]
    for node, (x, y) in zip(graph.nodes, place.nodes, strict=True):
        colour = COLOURS.get(node.type, OTHER)
        box = element("rect", x=x, y=y, width=NODE, height=ROW - 4, rx=4, fill="#f6f8fa", stroke=colour, stroke_width=3 if node.marked else 1)
        name = _text(x + 8, y + 14, shortened(node.label, 32), font_weight="bold" if node.marked else None)
        body.append(element("g", element("title", f"{node.type} {node.label}"), box, name))
    height = place.height
    for find, number in graph.left_out:
        body.append(_text(COLUMNS[0], height + 6, f"{find} leads to {number:,} more", fill=QUIET))
        height += 18
    return body, height


def shortened(text: str, limit: int) -> str:
    """A text that keeps its end, which tells paths and keys apart."""
    return text if len(text) <= limit else f"{text[: limit // 3]}…{text[-(limit - limit // 3 - 1) :]}"


def _edge(graph: Graph, edge: GraphEdge, nodes: tuple[tuple[int, int], ...]) -> Element:
    (ax, ay), (bx, by) = nodes[edge.subject], nodes[edge.object]
    ay, by = ay + ROW // 2 - 2, by + ROW // 2 - 2
    if ax == bx:
        d = f"M{ax + NODE} {ay}C{ax + NODE + 40} {ay} {bx + NODE + 40} {by} {bx + NODE} {by}"
    else:
        left, right = (ax + NODE, bx) if ax < bx else (ax, bx + NODE)
        middle = (left + right) // 2
        d = f"M{left} {ay}C{middle} {ay} {middle} {by} {right} {by}"
    known = f"{graph.nodes[edge.subject].label} {edge.verb} {graph.nodes[edge.object].label} ({edge.records})"
    return element("path", element("title", known), d=d, fill="none", stroke="#8c959f", stroke_opacity="0.6")


# -- timelines ----------------------------------------------------------------------------------------------------


def _timeline(timeline: Timeline) -> tuple[list[Element], int]:
    if timeline.first is None or timeline.last is None:
        return [_text(16, 26, headline(timeline))], 40
    left, right, row, parts = 190, WIDTH - 60, 34, 160
    body: list[Element] = []
    most = 1
    lanes = []
    for lane in timeline.lanes:
        counts = [0] * parts
        for part, number in lane.parts:
            counts[part * parts // timeline.parts] += number
        most = max(most, *counts)
        lanes.append(counts)
    step = (right - left) / parts
    for number, (lane, counts) in enumerate(zip(timeline.lanes, lanes, strict=True)):
        base = 14 + (number + 1) * row
        colour = list(COLOURS.values())[number % len(COLOURS)]
        body.append(_text(left - 10, base - 6, cut(lane.name, 26), text_anchor="end"))
        body.append(_text(right + 8, base - 6, f"{lane.records:,}", fill=QUIET))
        body.append(element("path", d=f"M{left} {base}H{right}", stroke=LINE))
        for place, records in enumerate(counts):
            if records:
                high = 4 + 22 * math.log1p(records) / math.log1p(most)
                title = element("title", f"{lane.name}: {records:,}")
                body.append(
                    element("rect", title, x=_n(left + place * step), y=_n(base - high), width=_n(max(step - 0.5, 1)), height=_n(high), fill=colour)
                )
    height = 14 + len(timeline.lanes) * row + 34
    body += _time_axis(timeline.first, timeline.last, left, right, height - 26)
    return body, height


def _time_axis(first: datetime, last: datetime, left: int, right: int, y: int) -> Iterator[Element]:
    whole = max((last - first).total_seconds(), 1e-6)
    for time, name in ticks(first, last):
        x = left + (time - first).total_seconds() / whole * (right - left)
        yield element("path", d=f"M{_n(x)} {y}V{y + 5}", stroke=QUIET)
        yield _text(x, y + 18, name, text_anchor="middle", fill=QUIET, font_size="11")


def ticks(first: datetime, last: datetime, most: int = 7) -> list[tuple[datetime, str]]:
    """Round times of a span (UTC) and how an axis calls them; the first tick of a day is called by its date."""
    seconds = (last - first).total_seconds()
    step = next((s for s in STEPS if seconds / s <= most), STEPS[-1])
    start = math.ceil(first.timestamp() / step) * step
    times = [datetime.fromtimestamp(at, UTC) for at in range(start, math.floor(last.timestamp()) + 1, step)[: most + 2]]
    found: list[tuple[datetime, str]] = []
    day = None
    for time in times:
        clock = f"{time:%H:%M}" if step >= 60 else f"{time:%H:%M:%S}"
        found.append((time, f"{time:%Y-%m-%d}" if step >= 86400 else clock if time.date() == day else f"{time:%m-%d} {clock}"))
        day = time.date()
    return found or [(first, moment(first))]


# -- charts -------------------------------------------------------------------------------------------------------


def _timed(chart: Chart) -> bool:
    return bool(chart.bars) and isinstance(chart.bars[0][0], datetime)


def _values(chart: Chart) -> tuple[list[Element], int]:
    """A bar to the right for each value."""
    left, room, row = 270, WIDTH - 270 - 90, 24
    most = max((number for _, number in chart.bars), default=0) or 1
    body = [_text(16, 24, headline(chart), font_weight="bold")]
    for place, (label, number) in enumerate(chart.bars):
        y = 38 + place * row
        name = bar_name(label)
        long = max(0.0, number / most * room)
        shown = element("text", cut(name, 38), element("title", name), x=left - 8, y=y + 14, text_anchor="end")
        body += [shown, element("rect", x=left, y=y + 2, width=_n(long), height=row - 6, fill="#0072b2", rx=2)]
        body.append(_text(left + long + 6, y + 14, plain(number), fill=QUIET))
    height = 44 + len(chart.bars) * row
    return _noted(chart, body, height)


def _bins(chart: Chart) -> tuple[list[Element], int]:
    """A column for each bin."""
    left, right, top, base = 60, WIDTH - 50, 40, 230
    body = [_text(16, 24, headline(chart), font_weight="bold")]
    most = max((number for _, number in chart.bars), default=0) or 1
    step = (right - left) / max(1, len(chart.bars))
    for part in (0, 0.5, 1):
        y = base - part * (base - top)
        body += [
            element("path", d=f"M{left} {_n(y)}H{right}", stroke=LINE),
            _text(left - 6, y + 4, plain(most * part), text_anchor="end", fill=QUIET),
        ]
    every = max(1, math.ceil(len(chart.bars) / 8))
    for place, (label, number) in enumerate(chart.bars):
        x, high = left + place * step, number / most * (base - top)
        title = element("title", f"{bar_name(label)}: {plain(number)}")
        body.append(element("rect", title, x=_n(x + 1), y=_n(base - high), width=_n(max(1, step - 2)), height=_n(max(0, high)), fill="#0072b2"))
        if place % every == 0 and not isinstance(label, datetime):
            body.append(_text(x, base + 18, plain(label), fill=QUIET, font_size="11"))
    if _timed(chart):
        first, last = chart.bars[0][0], chart.bars[-1][0]
        whole = timedelta(seconds=max(chart.size or 0, 1))
        body += _time_axis(first, last + min(whole, LATEST - last), left, right, base)
    return _noted(chart, body, base + 32)


def _noted(chart: Chart, body: list[Element], height: int) -> tuple[list[Element], int]:
    for note in notes(chart):
        body.append(_text(16, height + 6, note, fill=QUIET))
        height += 18
    return body, height + 4
