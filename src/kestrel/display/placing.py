"""Where the nodes of a graph stand: what acts on the entities of the variable to their left, what they act on to their right."""

from __future__ import annotations

from dataclasses import dataclass

from kestrel.result import Graph

ROW, HEAD, GAP = 24, 26, 10
"""Heights of a node, of the heading of a group, and of the space after a group."""
COLUMNS = (20, 330, 640)
WIDTH, NODE = 920, 250
"""Widths of the picture and of a node."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Left upper corners of the nodes, in their order, the headings of groups with theirs, and the height of all."""

    nodes: tuple[tuple[int, int], ...]
    headings: tuple[tuple[str, int, int], ...]
    height: int


def placed(graph: Graph) -> Placed:
    """The graph in three columns. Nodes of one relation stand together below its heading."""
    acting = {e.subject for e in graph.edges if graph.nodes[e.object].marked}
    columns: list[dict[str, list[int]]] = [{}, {}, {}]
    for place, node in enumerate(graph.nodes):
        column = 1 if node.marked else 0 if place in acting and " BY " not in node.find else 2
        heading = f"{graph.variable}: {node.type}" if node.marked else _heading(node.find, node.type)
        columns[column].setdefault(heading, []).append(place)
    tied: dict[int, list[int]] = {}
    for edge in graph.edges:
        tied.setdefault(edge.subject, []).append(edge.object)
        tied.setdefault(edge.object, []).append(edge.subject)
    nodes: dict[int, tuple[int, int]] = {}
    headings: list[tuple[str, int, int]] = []
    height = 0
    for column in (1, 0, 2):
        x, y = COLUMNS[column], GAP
        for heading, members in columns[column].items():
            headings.append((heading, x, y))
            y += HEAD
            # a node stands beside those it is tied to, so that lines cross little
            for place in sorted(members, key=lambda m: (_middle([nodes[t][1] for t in tied.get(m, ()) if t in nodes]), m)):
                nodes[place] = (x, y)
                y += ROW
            y += GAP
        height = max(height, y)
    return Placed(tuple(nodes[n] for n in range(len(graph.nodes))), tuple(headings), height + GAP)


def _middle(places: list[int]) -> float:
    return sum(places) / len(places) if places else 0.0


def _heading(find: str, kind: str) -> str:
    """`CREATED process` for what is created by the variable, `process CREATED` for what created it."""
    words = find.split()
    return f"{words[2]} {kind}" if "BY" in words else f"{kind} {words[2]}"
