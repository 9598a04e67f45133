"""Results as JSON, one object a line."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, assert_never

from kestrel.display.values import jsonable
from kestrel.result import (
    Chart,
    Description,
    Explanation,
    Failure,
    Graph,
    GraphNode,
    Info,
    Notice,
    Picture,
    Result,
    Summary,
    Table,
    Text,
    Timeline,
    Tree,
)


def to_line(result: Result, ascii: bool = False) -> str:
    """One line of JSON, without its line end."""
    return json.dumps(to_object(result), ensure_ascii=ascii).encode("utf-8", "replace").decode("utf-8")


def to_object(result: Result) -> dict[str, Any]:
    match result:
        case Table():
            rows = [[jsonable(v) for v in row] for row in result.rows]
            return {"kind": "table", "variable": result.variable, "columns": list(result.columns), "rows": rows, "total": result.total}
        case Info():
            return {
                "kind": "info",
                "variable": result.variable,
                "type": result.type,
                "entities": result.entities,
                "records": result.records,
                "first_observed": jsonable(result.first_observed),
                "last_observed": jsonable(result.last_observed),
                "sources": list(result.sources),
                "attributes": [{"name": a.name, "entities": a.count, "example": jsonable(a.example)} for a in result.attributes],
                "relations": list(result.relations),
                "origin": result.origin,
                "inputs": [{"name": i.name, "state": i.state, "origin": i.origin} for i in result.inputs],
                "changed_files": list(result.changed_files),
                **({"rows": result.rows} if result.rows is not None else {}),
            }
        case Description():
            return {
                "kind": "description",
                "variable": result.variable,
                "attribute": result.attribute,
                "statistics": {name: jsonable(value) for name, value in result.statistics},
                "frequent": [[jsonable(value), number] for value, number in result.frequent],
            }
        case Explanation():
            asked = [{"source": source, "records": wanted, "query": native} for source, wanted, native in result.queries]
            return {"kind": "explanation", "variable": result.variable, "steps": list(result.steps), "queries": asked}
        case Summary():
            made = [
                {
                    "name": m.name,
                    "type": m.type,
                    "entities": m.entities,
                    "records": m.records,
                    "first_observed": jsonable(m.first_observed),
                    "last_observed": jsonable(m.last_observed),
                    "sources": list(m.sources),
                }
                for m in result.variables
            ]
            asked = [asdict(a) for a in result.asked]
            return {"kind": "summary", "variables": made, "seconds": result.seconds} | ({"asked": asked} if asked else {})
        case Notice():
            notice = {"kind": "notice", "code": result.code, "message": result.message, "count": result.count}
            return notice | ({"details": [dict(d) for d in result.details]} if result.details else {})
        case Failure():
            return {
                "kind": "error",
                "code": result.code,
                "message": result.message,
                "hint": result.hint,
                "line": result.line,
                "column": result.column,
            }
        case Text():
            return {"kind": "text", "name": result.name, "text": result.text}
        case Picture():
            image = base64.b64encode(result.image).decode("ascii") if result.image is not None else None
            return {"kind": "picture", "name": result.name, "text": result.text, "html": result.html, "image": image, "svg": result.svg}
        case Tree():
            nodes = [_named(n, ("id", "type", "label", "detail", "time", "marked", "depth")) for n in result.nodes]
            return {"kind": "tree", "variable": result.variable, "type": result.type, "nodes": nodes, "total": result.total}
        case Graph():
            return {
                "kind": "graph",
                "variable": result.variable,
                "type": result.type,
                "nodes": [_node(n) for n in result.nodes],
                "edges": [[e.subject, e.verb, e.object, e.records] for e in result.edges],
                "left_out": [{"find": find, "entities": number} for find, number in result.left_out],
            }
        case Timeline():
            return {
                "kind": "timeline",
                "variable": result.variable,
                "type": result.type,
                "first": jsonable(result.first),
                "last": jsonable(result.last),
                "parts": result.parts,
                "lanes": [{"name": lane.name, "records": lane.records, "parts": [list(p) for p in lane.parts]} for lane in result.lanes],
                "moments": [_named(m, ("time", "lane", "id", "label", "detail")) for m in result.moments],
                "total": result.total,
            }
        case Chart():
            return {
                "kind": "chart",
                "variable": result.variable,
                "by": result.by,
                "unit": result.unit,
                "bars": [[jsonable(label), _whole(number)] for label, number in result.bars],
                "size": result.size,
                "others": {"values": result.others[0], "number": _whole(result.others[1])},
                "missing": result.missing,
            }
        case _:
            assert_never(result)


def _named(part: Any, names: Sequence[str]) -> dict[str, Any]:
    return {n: jsonable(getattr(part, n)) for n in names}


def _node(node: GraphNode) -> dict[str, Any]:
    attributes = {name: jsonable(value) for name, value in node.attributes}
    return {"id": node.id, "type": node.type, "label": node.label, "marked": node.marked, "attributes": attributes, "find": node.find}


def _whole(number: float) -> int | float:
    """A whole number without a point."""
    return int(number) if number.is_integer() else number
