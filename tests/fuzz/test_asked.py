"""What a step asks of its sources is enough: every record that its answer rests on comes, or comes by completion.

The query is evaluated in plain Python over the raw records: a mention is what one record tells of one process.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kestrel import Session
from kestrel.graph import steps
from kestrel.pushdown import RecordQuery, ask
from tests.events import connection, creation, guid, write
from tests.test_oracle import NAMES, PORTS, Record, Tree, patterns, quoted, satisfies, text

Origin = dict[str, Any]


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """As in the oracle's, with one name to a process: what tells a process by two names is told by no single record."""
    number = draw(st.integers(1, 8))
    names = [draw(st.sampled_from(NAMES)) for _ in range(number)]
    records = []
    for n in range(number):
        record = creation(n, names[n], CommandLine=draw(st.sampled_from(("-k netsvcs", "x -enc A", "C:\\Temp\\new.exe"))))
        if n and draw(st.booleans()):
            parent = draw(st.integers(0, n - 1))
            record |= {"ParentProcessGuid": guid(parent), "ParentProcessId": str(100 + parent), "ParentImage": f"C:\\bin\\{names[parent]}"}
        if draw(st.integers(0, 4)):
            records.append(record)
    for n in range(draw(st.integers(0, 5))):
        process = draw(st.integers(0, number - 1))
        records.append(connection(n, process, port=draw(st.sampled_from(PORTS)), Image=f"C:\\bin\\{names[process]}"))
    return records


def mentions(record: Record) -> list[tuple[str, Origin]]:
    """The processes a record tells of, by GUID, each with what it tells of it."""
    actor: Origin = {
        "name": record["Image"].rpartition("\\")[2],
        "pid": int(record["ProcessId"]),
        "command_line": record.get("CommandLine") or None,
        "dst_port": int(record["DestinationPort"]) if record["EventID"] == 3 else None,
    }
    found = [(record["ProcessGuid"], actor)]
    if "ParentProcessGuid" in record:
        parent = {"name": record["ParentImage"].rpartition("\\")[2], "pid": int(record["ParentProcessId"])}
        actor |= {"parent_ref.name": parent["name"]}
        found.append((record["ParentProcessGuid"], parent | {"dst_port": actor["dst_port"]}))
    return found


def shows(known: Origin, test: steps.Test) -> bool:
    value = known.get(test.path.text())
    if value is None:
        return False
    operator = "=" if test.operator == "IN" else test.operator
    value = str(value) if operator == "LIKE" else value
    return any(satisfies(operator, value, wanted) for wanted in test.values)


def comes(record: Record, query: RecordQuery) -> set[str]:
    """The processes that a record is asked for."""
    moment = datetime.fromisoformat(record["UtcTime"]).replace(tzinfo=UTC)
    if query.range and not query.range.start <= moment < query.range.stop:
        return set()
    return {key for key, known in mentions(record) if query.any_of is None or any(all(shows(known, t) for t in group) for group in query.any_of)}


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(logs(), st.lists(patterns, min_size=1, max_size=3), st.booleans())
def test_every_process_of_an_answer_is_in_a_record_that_is_asked_for(records: list[Record], trees: list[Tree], ranged: bool) -> None:
    span = " START 2021-01-01T00:00:02Z STOP 2021-01-01T01:00:03Z" if ranged else ""
    with tempfile.TemporaryDirectory() as folder, Session(rows=None) as session:
        path = write(Path(folder) / "a.json", records)
        for tree in trees:
            session.run(f"p = GET process FROM {quoted(path)} WHERE {text(tree)}{span}")
            query = ask(session["p"].step)
            assert query is not None
            asked = {key for record in records for key in comes(record, query)}
            assert {row["x_unique_id"] for row in session["p"].to_dicts()} <= asked
            assert query.any_of is None or query.completed


def test_what_no_record_tells_is_not_asked() -> None:
    """Ids, and what is counted over all the records of an entity."""
    with tempfile.TemporaryDirectory() as folder, Session() as session:
        path = write(Path(folder) / "a.json", [creation(1), connection(1, 1)])
        for comparison in ("number_observed = 2", "id LIKE 'process--%'", "last_observed > 2021-01-01T00:30:00Z", "first_observed IS NOT NULL"):
            session.run(f"p = GET process FROM '{path}' WHERE {comparison} q = GET process FROM '{path}' WHERE {comparison} AND name = 'p1.exe'")
            assert len(session["p"]) == len(session["q"]) == 1
            alone, together = ask(session["p"].step), ask(session["q"].step)
            assert alone and alone.any_of is None
            assert together and together.any_of and [[t.path.text() for t in group] for group in together.any_of] == [["name"]]
