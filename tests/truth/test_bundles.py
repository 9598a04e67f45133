"""STIX bundles: the runtime's answers are those of plain Python over the raw objects."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kestrel import Session
from tests.truth.bundles import Bundle, episodes

KNOWN = {
    "cb_observed_156": (156, {"process": 312, "network-traffic": 156}),
    "doctored-1k": (974, {"process": 1000, "network-traffic": 948}),
    "lab101": (533, {"process": 557, "network-traffic": 507}),
    "mixed-v4-v6": (10, {"process": 10, "network-traffic": 10}),
    "powershell_search_stix_result": (5, {"process": 10, "network-traffic": 0}),
    "test_bundle": (100, {"process": 0, "network-traffic": 100}),
    "test_bundle_nt_1": (5, {"process": 5, "network-traffic": 5}),
    "test_bundle_nt_2": (201, {"process": 203, "network-traffic": 198}),
}
"""Observed-data and objects of each bundle, counted once by hand."""
TYPES = (
    "process",
    "network-traffic",
    "file",
    "directory",
    "ipv4-addr",
    "ipv6-addr",
    "mac-addr",
    "url",
    "domain-name",
    "user-account",
    "x-oca-asset",
    "x-oca-event",
)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", KNOWN)
def test_a_bundle_holds_whom_it_holds(shared: Path, session: Session, name: str) -> None:
    path = shared / "stix" / f"{name}.json.gz"
    truth = Bundle(path)
    records, objects = KNOWN[name]
    assert len(truth.records) == records
    assert {kind: truth.objects[kind] for kind in objects} == objects
    found = {}
    for number, kind in enumerate(TYPES):
        session.run(f"v{number} = GET {kind} FROM '{path}'")
        found[kind] = len(session[f"v{number}"])
    assert found == {kind: truth.count(kind) for kind in TYPES}
    account = next(iter(session.engine.datasets.snapshots.held.values())).account
    assert (account.read, account.kept, account.log_formats) == (records, records, {"stix": records})


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", [n for n, (_, objects) in KNOWN.items() if objects["process"]])
def test_who_made_whom_and_spoke_with_whom(shared: Path, session: Session, name: str) -> None:
    path = shared / "stix" / f"{name}.json.gz"
    truth = Bundle(path)
    for process in sorted({m.name for m in truth.mentions if m.name}):
        session.run(
            f"p = GET process FROM '{path}' WHERE name = '{process}' c = FIND process CREATED BY p g = FIND process CREATED BY c "
            "n = FIND network-traffic CREATED BY p"
        )
        known = truth.named(process)
        children = truth.children(known)
        expected = {"p": len(known), "c": len(children), "g": len(truth.children(children)), "n": truth.traffic(known)}
        assert {v: len(session[v]) for v in expected} == expected, process


def test_the_scheduler_of_lab101(shared: Path, session: Session) -> None:
    """Every record of this bundle knows its host and, but for three, the sensor's id (on `x-ecs-process`); no process needs its
    pid to be found. Of the 464 flows one is half known: the source address of three logons."""
    path = shared / "stix" / "lab101.json.gz"
    session.run(
        f"s = GET process FROM '{path}' WHERE pid = 2224 c = FIND process CREATED BY s n = GET network-traffic FROM '{path}' "
        "whole = n WHERE dst_ref.value IS NOT NULL h = GET x-oca-asset FROM '{path}' WHERE hostname = 'winlaptop141'".replace("{path}", str(path))
    )
    assert [p["x_unique_id"] for p in session["s"].to_dicts()] == ["{8DFC401C-F801-5F96-2A00-000000001200}"]
    assert [p["command_line"] for p in session["s"].to_dicts()] == ["C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s Schedule"]
    assert (len(session["c"]), len(session["n"]), len(session["whole"])) == (18, 464, 463)
    assert [h["name"] for h in session["h"].to_dicts()] == ["winlaptop141.cloud.starx.com"]


def test_processes_of_an_unknown_host_are_told_apart_by_pid_and_name(shared: Path, session: Session) -> None:
    """doctored-1k names no host and no sensor's id. Its 1,000 process objects are 45 processes, by pid and name in the one source;
    43 pids, one of them with two names, one used twice by the same program."""
    truth = Bundle(shared / "stix" / "doctored-1k.json.gz")
    assert truth.count("process") == len({m.key for m in truth.mentions}) == 45
    assert {m.scope for m in truth.mentions} == {"(source)"}


def literal(value: object) -> str:
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", KNOWN)
def test_objects_of_custom_types_and_their_properties(shared: Path, session: Session, name: str) -> None:
    """None of these bundles gives such an object a STIX id, so each is an entity. For each property, the most frequent value is queried."""
    path = shared / "stix" / f"{name}.json.gz"
    expected = {}
    for kind, objects in Bundle(path).custom.items():
        expected[f"GET {kind} FROM '{path}'"] = len(objects)
        for attribute in sorted({a for o in objects for a, v in o.items() if isinstance(v, str | int) and a not in ("id", "type")}):
            known = Counter(o[attribute] for o in objects if attribute in o and o[attribute] not in ("", "-"))
            value, number = known.most_common(1)[0]
            expected[f"GET {kind} FROM '{path}' WHERE {attribute} = {literal(value)}"] = number
    session.run("\n".join(f"v{n} = {hunt}" for n, hunt in enumerate(expected)))
    assert {hunt: len(session[f"v{n}"]) for n, hunt in enumerate(expected)} == expected


ASKED = [
    ("x-oca-asset", "os_name"),
    ("x-oca-asset", "architecture"),
    ("x-oca-event", "module"),
    ("x-oca-event", "category"),
    ("x-oca-event", "event_type"),
    ("x-oca-event", "outcome"),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", KNOWN)
def test_properties_that_only_stix_has(shared: Path, session: Session, name: str) -> None:
    path = shared / "stix" / f"{name}.json.gz"
    truth = Bundle(path)
    expected = {
        f"GET {kind} FROM '{path}' WHERE {attribute} = {literal(value)}": number
        for kind, attribute in ASKED
        for value, number in truth.having(kind, attribute).items()
    }
    timed = {key for key, _ in truth.asked["network-traffic", "start"]}
    expected[f"GET network-traffic FROM '{path}' WHERE start IS NOT NULL"] = sum(episodes(truth.flows[key]) for key in timed)
    session.run("\n".join(f"v{n} = {hunt}" for n, hunt in enumerate(expected)))
    assert {hunt: len(session[f"v{n}"]) for n, hunt in enumerate(expected)} == expected
