"""The verbs of FIND and the record layout agree: every relation that FIND allows can occur in some record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kestrel.formats import expression
from kestrel.formats.format import LogFormat, log_formats
from kestrel.model.check import inconsistencies
from kestrel.model.layout import Edge, layout
from kestrel.model.vocabulary import Key, vocabulary

PAIRS = sorted({(verb, *pair) for verb, relation in vocabulary().relations.items() for pair in relation.pairs})
EDGES = [f"{e.subject} {e.verb} {e.object}" for e in layout().edges]


def test_the_model_is_consistent() -> None:
    assert list(inconsistencies()) == []


def test_an_inconsistency_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = vocabulary().types["file"]
    wrong = replace(kind, keys=(*kind.keys, Key(("inode",), "inode")), references={"parent_directory_ref": "folder"})
    monkeypatch.setitem(vocabulary().types, "file", wrong)
    monkeypatch.setitem(vocabulary().aliases, "file.inode", "file:inode")
    found = list(inconsistencies())
    assert "types.yaml: file: its keys name `inode`, which it does not have" in found
    assert "types.yaml: file: `parent_directory_ref` leads to `folder`, which is no type" in found
    assert "aliases.yaml: `file.inode` stands for `file:inode`, which does not exist" in found


def types_of(edge: Edge) -> tuple[str, str, str]:
    return edge.verb, layout().roles[edge.subject].type, layout().roles[edge.object].type


def test_every_edge_is_of_a_declared_relation() -> None:
    assert {types_of(e) for e in layout().edges} <= set(PAIRS)


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_every_pair_has_an_edge(pair: tuple[str, str, str]) -> None:
    assert pair in {types_of(e) for e in layout().edges}


def columns_of(slot: str, names: tuple[str, ...]) -> Iterator[str]:
    """The columns of events that fill one of a slot's."""
    derived = layout().roles[slot].derived
    for name in names:
        if name in derived:
            yield from (".".join(path) for path, _ in expression.fields(expression.top(derived[name])))
        elif not derived:
            yield f"{slot}.{name}"


def keys_of(role: str) -> tuple[str, ...]:
    """The columns of which a record must fill one to identify the entity in a role."""
    return tuple(c for key in vocabulary().entity(layout().roles[role].type).keys for c in key.columns)


def shown_by(shape: LogFormat, edge: Edge) -> bool:
    """Whether an event of a shape fills both ends, is of a kind that shows the edge, and can have what it must have."""
    kinds = {layout().kinds[k] for k in edge.kinds}
    ends = [set(columns_of(role, keys_of(role))) for role in (edge.subject, edge.object)]
    for sensor, events in shape.events.items():
        every = {c for c, e in events.get("all", {}).items() if c != "kind" and expression.parse(str(e), expression.EVERYTHING)}
        for code, columns in events.items():
            kind = shape.kind_of(sensor, code)
            may_be = {kind} if isinstance(kind, str) else set(kind.values()) if kind else set()
            filled = every | {c for c, e in columns.items() if c != "kind" and expression.parse(str(e), expression.EVERYTHING)}
            if (not kinds or kinds & may_be) and all(filled & end for end in ends) and set(edge.where) <= filled:
                return True
    return False


@pytest.mark.parametrize("number", range(len(EDGES)), ids=EDGES)
def test_some_record_can_show_it(number: int) -> None:
    assert any(shown_by(shape, layout().edges[number]) for shape in log_formats().values())
