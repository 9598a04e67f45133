"""The small expressions of log format files, `guid(ecs.process.entity_id | ProcessGuid)`, as SQL over a raw record."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from kestrel.formats import transforms


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the raw record, as a path from the top."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A transform of `transforms.TRANSFORMS` and its arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class First:
    """The first alternative that has a value."""

    parts: tuple[Node, ...]


Node = Field | Literal | Call | First


@dataclass(frozen=True, slots=True)
class Place:
    """Where a log format keeps the fields of an event: under the path `at`, which may be a text with JSON in it (`is_text`). `ecs`: whether
    the fields of ECS stand beside them. `own`: the field of a record whose names may be those of the program that collected it."""

    at: tuple[str, ...] = ()
    is_text: bool = False
    ecs: bool = False
    own: str = ""


TOP = Place()
EVERYTHING = Place(ecs=True)


def place_of(parts: Mapping[str, Any]) -> Place:
    """The place that a definition states: `at: EventData`, or `at: json(EventData)`."""
    at = str(parts.get("at") or "")
    is_text = at.startswith("json(") and at.endswith(")")
    path = at[5:-1] if is_text else at
    return Place(tuple(path.split(".")) if path else (), is_text, bool(parts.get("ecs")), str(parts.get("own") or ""))


@cache
def parse(text: str, place: Place = TOP) -> Node | None:
    """The expression for a log format; None if no part of it can apply to the log format. Raises SyntaxError, ValueError."""
    return _node(ast.parse(text, mode="eval").body, place)


def _node(tree: ast.expr, place: Place) -> Node | None:
    match tree:
        case ast.BinOp(op=ast.BitOr()):
            parts = [p for side in (tree.left, tree.right) for p in _alternatives(side, place)]
            return First(tuple(parts)) if len(parts) > 1 else (parts[0] if parts else None)
        case ast.Constant(value=str() | int() | float() as value) if not isinstance(value, bool):
            return Literal(str(value))
        case ast.Call(func=ast.Name(id="field"), args=[ast.Constant(value=str(text))]):
            return Field((text,))
        case ast.Call(func=ast.Name(id="own"), args=[inner]):
            node = _node(inner, place)
            return Call("unless", (node, Field((place.own,)))) if place.own and node is not None else node
        case ast.Call(func=ast.Name(id=name), args=arguments):
            nodes = [_node(a, place) for a in arguments]
            if nodes and all(n is None or isinstance(n, Literal) for n in nodes) and any(n is None for n in nodes):
                return None
            return Call(name, tuple(n or Call("none", ()) for n in nodes))
        case ast.Name() | ast.Attribute():
            path = _path(tree)
            if path[0] == "ecs":
                return Field(path[1:]) if place.ecs else None
            if place.is_text:
                return Call("inside", (Field(place.at), Literal(".".join(path))))
            return Field(place.at + path)
        case _:
            raise ValueError(f"`{ast.unparse(tree)}` cannot be read in an expression")


def _alternatives(tree: ast.expr, place: Place) -> list[Node]:
    node = _node(tree, place)
    return [] if node is None else list(node.parts) if isinstance(node, First) else [node]


def _path(tree: ast.expr) -> tuple[str, ...]:
    match tree:
        case ast.Attribute():
            return (*_path(tree.value), tree.attr)
        case ast.Name():
            return (tree.id,)
        case _:
            raise ValueError("a field path is made of names and dots")


def top(text: str) -> Node:
    """An expression of a log format's envelope: every path counts from the top of the record."""
    node = parse(text)
    if node is None:
        raise ValueError(f"{text!r} names nothing")
    return node


def calls(node: Node) -> Iterator[Call]:
    """Every transform in an expression."""
    match node:
        case Call(_, arguments):
            yield node
            for argument in arguments:
                yield from calls(argument)
        case First(parts):
            for part in parts:
                yield from calls(part)
        case Field() | Literal():
            return


def fields(node: Node, kind: str = "VARCHAR") -> Iterator[tuple[tuple[str, ...], str]]:
    """Every field an expression reads, with the SQL type it wants."""
    match node:
        case Field(path):
            yield path, kind
        case Call(name, arguments):
            for argument in arguments:
                yield from fields(argument, "VARCHAR[]" if name in transforms.OF_LISTS else "VARCHAR")
        case First(parts):
            for part in parts:
                yield from fields(part, kind)
        case Literal():
            return


def to_value(node: Node, record: Mapping[str, Any]) -> Any:
    """The value of an expression without transforms, `a.b | c`, in a parsed record."""
    match node:
        case Field(path):
            value: Any = record
            for part in path:
                value = value.get(part) if isinstance(value, Mapping) else None
            return value
        case First(parts):
            return next((v for p in parts if (v := to_value(p, record)) not in (None, "")), None)
        case Literal(text):
            return text
        case Call():
            return None


def to_sql(node: Node, read: Callable[[tuple[str, ...]], str], named: Callable[[Node], str | None] = lambda _: None, are_texts: bool = False) -> str:
    """The expression as SQL; `read` gives the SQL that reads a field. `named`: the name of a column that has the value of a part. `are_texts`: the
    fields are, so that an empty one is no value where there is another. All names come from log format files."""
    if (name := named(node)) is not None:
        return name
    match node:
        case Field(path):
            return read(path)
        case Literal(text):
            return transforms.quoted(text)
        case Call(function, arguments):
            return transforms.TRANSFORMS[function](*(to_sql(a, read, named, are_texts) for a in arguments))
        case First(parts):
            values = [to_sql(p, read, named, are_texts) for p in parts]
            if are_texts:
                values[:-1] = [f"nullif({v}, '')" if isinstance(p, Field) else v for v, p in zip(values[:-1], parts, strict=False)]
            return f"coalesce({', '.join(values)})"
