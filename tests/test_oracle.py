"""Generated hunts over generated records: the runtime's answers are those of plain Python over all the records.

Every hunt runs by both roads, the one that reads everything first and the one that reads only what the hunt needs, and
over the records in another order and twice.
"""

from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kestrel import Session
from kestrel.ingest import dataset
from tests.events import connection, creation, guid, write

NAMES = ("cmd.exe", "CMD.EXE", "svchost.exe", "a'b.exe", "100%_x.exe", "тест.exe")
PORTS = (22, 443)

Record = dict[str, Any]
Entities = dict[str, dict[str, set[Any]]]


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Processes with parents among earlier ones, and connections of some; a few creations are missing."""
    number = draw(st.integers(1, 8))
    names = [draw(st.sampled_from(NAMES)) for _ in range(number)]
    parents = [draw(st.one_of(st.none(), st.integers(0, n - 1))) if n else None for n in range(number)]
    records = []
    for n in range(number):
        record = creation(n, names[n], CommandLine=draw(st.sampled_from(("", "-k netsvcs", "x -enc A", "C:\\Temp\\new.exe"))))
        if (parent := parents[n]) is not None:
            image = f"C:\\bin\\{names[parent]}"
            record |= {"ParentProcessGuid": guid(parent).lower(), "ParentProcessId": str(100 + parent), "ParentImage": image}
        if draw(st.integers(0, 4)):
            records.append(record)
    for n in range(draw(st.integers(0, 5))):
        process = draw(st.integers(0, number - 1))
        port = draw(st.sampled_from(PORTS))
        records.append(connection(n, process, port=port, Image=f"C:\\bin\\{names[process]}"))
    return records


def entities(records: list[Record]) -> Entities:
    """Every recorded value of every process, by GUID."""
    found: Entities = {}

    def mention(key: str, **values: Any) -> None:
        known = found.setdefault(key.upper(), {})
        for name, value in values.items():
            if value not in (None, ""):
                known.setdefault(name, set()).add(value)

    for r in records:
        mention(r["ProcessGuid"], name=r["Image"].rpartition("\\")[2], pid=int(r["ProcessId"]), command_line=r.get("CommandLine"))
        if "ParentProcessGuid" in r:
            mention(r["ParentProcessGuid"], name=r["ParentImage"].rpartition("\\")[2], pid=int(r["ParentProcessId"]))
            mention(r["ProcessGuid"], parent=r["ParentProcessGuid"].upper())
        if r["EventID"] == 3:
            mention(r["ProcessGuid"], port=int(r["DestinationPort"]))
    for values in found.values():
        values["parent_name"] = {n for p in values.get("parent", ()) for n in found[p].get("name", ())}
    return found


PATHS = {"name": "name", "pid": "pid", "command_line": "command_line", "parent_ref.name": "parent_name"}
Tree = tuple[Any, ...]

comparisons = st.one_of(
    st.tuples(st.sampled_from(["=", "!="]), st.sampled_from(["name", "parent_ref.name"]), st.sampled_from(NAMES)),
    st.tuples(st.sampled_from(["=", "!=", "<", ">="]), st.just("pid"), st.integers(99, 108)),
    st.tuples(
        st.sampled_from(["LIKE", "NOT LIKE"]),
        st.sampled_from(["name", "command_line", "parent_ref.name"]),
        st.sampled_from(["%c%", "cmd.ex_", "%_x%", "%\\temp\\%"]),
    ),
    st.tuples(st.sampled_from(["IN", "NOT IN"]), st.just("name"), st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)),
    st.tuples(st.just("MATCHES"), st.just("command_line"), st.sampled_from(["-(k|enc)", "^x", "[0-9]$"])),
    st.tuples(st.sampled_from(["IS NULL", "IS NOT NULL"]), st.sampled_from(list(PATHS)), st.none()),
    st.tuples(st.just("port"), st.none(), st.sampled_from(PORTS)),
)
patterns: st.SearchStrategy[Tree] = st.recursive(
    comparisons,
    lambda inner: st.one_of(st.tuples(st.just("AND"), inner, inner), st.tuples(st.just("OR"), inner, inner), st.tuples(st.just("NOT"), inner)),
    max_leaves=4,
)


def text(tree: Tree) -> str:
    match tree:
        case ("AND" | "OR" as word, left, right):
            return f"({text(left)}) {word} ({text(right)})"
        case ("NOT", part):
            return f"NOT ({text(part)})"
        case ("IS NULL" | "IS NOT NULL" as word, path, _):
            return f"{path} {word}"
        case ("port", _, value):
            return f"network-traffic:dst_port = {value}"
        case (operator, path, list() as values):
            return f"{path} {operator} ({', '.join(quoted(v) for v in values)})"
        case (operator, path, value):
            return f"{path} {operator} {quoted(value)}"
        case _:
            raise AssertionError(tree)


def quoted(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def holds(tree: Tree, known: dict[str, set[Any]]) -> bool:
    """The meaning of a pattern by DESIGN.md section 2, for one entity."""
    match tree:
        case ("AND", left, right):
            return holds(left, known) and holds(right, known)
        case ("OR", left, right):
            return holds(left, known) or holds(right, known)
        case ("NOT", part):
            return not holds(part, known)
        case ("port", _, value):
            return value in known.get("port", set())
        case (operator, path, value):
            values = known.get(PATHS[path], set())
            match operator:
                case "IS NULL":
                    return not values
                case "IS NOT NULL":
                    return bool(values)
                case "!=" | "NOT LIKE" | "NOT IN":
                    positive = {"!=": "=", "NOT LIKE": "LIKE", "NOT IN": "IN"}[operator]
                    return bool(values) and not any(satisfies(positive, v, value) for v in values)
                case _:
                    return any(satisfies(operator, v, value) for v in values)
        case _:
            raise AssertionError(tree)


def satisfies(operator: str, value: Any, wanted: Any) -> bool:
    match operator:
        case "=":
            return bool(value == wanted)
        case "<":
            return bool(value < wanted)
        case ">=":
            return bool(value >= wanted)
        case "IN":
            return value in wanted
        case "MATCHES":
            return re.search(wanted, value) is not None
        case _:
            expression = re.escape(wanted).replace("%", ".*").replace("_", ".")
            return re.fullmatch(expression, value, re.IGNORECASE | re.DOTALL) is not None


def answers(records: list[Record], hunt: str) -> dict[str, set[str]]:
    """The GUIDs (for traffic, the source ports) each variable holds."""
    with tempfile.TemporaryDirectory() as folder, Session(rows=None) as session:
        path = write(Path(folder) / "a.json", records)
        session.run(hunt.replace("$FILE", f"'{path}'"))
        found = {}
        for name in ("p", "q", "c", "parents", "n"):
            key = "src_port" if name == "n" else "x_unique_id"
            found[name] = {str(row.get(key)) for row in session[name].to_dicts()}
        return found


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(logs(), patterns, patterns, st.randoms(use_true_random=False))
def test_hunts_mean_what_all_the_records_say(records: list[Record], first: Tree, second: Tree, chance: random.Random) -> None:
    known = entities(records)
    p = {k for k, v in known.items() if holds(first, v)}
    q = {k for k in p if holds(second, known[k])}
    c = {k for k, v in known.items() if v.get("parent", set()) & p}
    parents = {g for k in p for g in known[k].get("parent", ())}
    n = {r["SourcePort"] for r in records if r["EventID"] == 3 and r["ProcessGuid"] in p}
    expected = {"p": p, "q": q, "c": c, "parents": parents, "n": n}
    hunt = (
        f"p = GET process FROM $FILE WHERE {text(first)} q = p WHERE {text(second)} c = FIND process CREATED BY p "
        "parents = FIND process CREATED p n = FIND network-traffic CREATED BY p"
    )
    again = [*records, *records]
    chance.shuffle(again)
    assert answers(records, hunt) == expected
    assert answers(again, hunt) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "LARGE", -1)
        assert answers(records, hunt) == expected
