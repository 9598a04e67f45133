"""Which columns of the record layout a connector can fill, read off its own mapping from records to STIX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kestrel.formats import expression
from kestrel.formats.format import bundle_format, log_formats
from kestrel.stix import records as stix

SAMPLES = {"ipv4-addr": "192.0.2.1", "ipv6-addr": "2001:db8::1", "mac-addr": "00:00:5e:00:53:01"}
LISTS = ("protocols", "category")
ENVELOPE = frozenset({"host", "event.code", "event.provider", "event.action"})


def columns(makes: Mapping[str, Any]) -> frozenset[str] | None:
    """The columns that a record with every field of the mapping would fill; None where there is no mapping: any column."""
    if not makes:
        return None
    graph = dict(_objects(makes))
    for event in (o for o in graph.values() if o["type"] == "x-oca-event"):
        event["category"] = ["process", "start"]
    filled = {path for part in _parts(graph) for row in stix.rows(_observed(part), {}) for path in _paths(row, ())}
    return ENVELOPE | {
        rule.column
        for rule in log_formats()[bundle_format()].rules
        if rule.node is not None and any(path in filled for path, _ in expression.fields(rule.node))
    }


def _observed(graph: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "observed-data", "id": "observed-data--0", "first_observed": "2020-01-01T00:00:00Z", "objects": graph}


def _parts(graph: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The whole graph, and the graph with each object as the only one of its type: some objects tell of others only then."""
    yield graph
    for key, only in graph.items():
        yield {k: o for k, o in graph.items() if k == key or o["type"] != only["type"]}


def _objects(makes: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """An object for each tag of the mapping, with every property it may get."""
    found: dict[str, dict[str, Any]] = {}
    stated = list(_keys(makes))
    for key in stated:
        kind, _, name = key["key"].partition(".")
        if name:
            found.setdefault(key.get("object") or key["key"], {"type": kind})
    for key in stated:
        kind, _, name = key["key"].partition(".")
        if not name:
            continue
        of = found[key.get("object") or key["key"]]
        *outer, last = name.split(".")
        for part in outer:
            of = of.setdefault(part, {})
        refs = key.get("references")
        if refs:
            known = [r for r in (refs if isinstance(refs, list) else [refs]) if r in found]
            of[last] = [*of.get(last, ()), *known] if last.endswith("_refs") else of.get(last) or next(iter(known), "")
        elif last == "values":
            of[last] = [{"name": "1", "data": "1", "data_type": "1"}]
        else:
            of.setdefault(last, ["tcp"] if last in LISTS else SAMPLES.get(kind, "1"))
    yield from found.items()


def _keys(of: Any) -> Iterator[Mapping[str, Any]]:
    """Every leaf of a mapping that makes a property."""
    if isinstance(of, list):
        for part in of:
            yield from _keys(part)
    elif isinstance(of, Mapping):
        if isinstance(of.get("key"), str):
            yield of
        else:
            for part in of.values():
                yield from _keys(part)


def _paths(of: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(of, Mapping):
        for name, value in of.items():
            yield from _paths(value, (*path, str(name)))
    elif of not in (None, "", []):
        yield path
