"""Entities written as STIX 2.1: valid for the reference library, the same again for LOAD, and for GET."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kestrel import Session
from kestrel.model.layout import layout
from kestrel.model.vocabulary import vocabulary
from kestrel.stix.bundle import NotWritten, bundle_of, rows_of
from kestrel.stix.forms import FORMS
from tests.events import connection, creation, write
from tests.examples import examples

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import stix2

Row = dict[str, Any]
MADE = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)
FIRST = datetime(2021, 1, 1, 0, 0, 0, 1, UTC)


def entity(type_name: str, number: int, /, **attributes: Any) -> Row:
    fixed = {"id": f"{type_name}--{number:016x}", "type": type_name, "first_observed": FIRST, "last_observed": FIRST + timedelta(seconds=number)}
    return {**fixed, "number_observed": 1 + number, "host": "h1.example.org", **attributes}


SQL = {"text": "VARCHAR", "number": "BIGINT", "time": "TIMESTAMP", "boolean": "BOOLEAN"}


def sample(path: str, sql: str) -> Any:
    """A value an attribute may have in real data."""
    leaf = path.rpartition(".")[2]
    known = {"MD5": "A" * 32, "SHA-1": "B" * 40, "SHA-256": "C" * 64, "IMPHASH": "D" * 32, "data_type": "REG_SZ", "x_path": "C:\\a\\x.exe"}
    known |= {"SHA-512": "E" * 128, "SHA3-256": "F" * 64, "SHA3-512": "A" * 128, "SSDEEP": "3:a+b/c:D", "TLSH": "1" * 70}
    known |= {"magic_number_hex": "4d5a", "payload_bin": "VGVzdA==", "encryption_algorithm": "mime-type-indicated"}
    match sql:
        case "BOOLEAN":
            return False
        case "BIGINT" | "INTEGER":
            return 443
        case "TIMESTAMP":
            return FIRST
        case _:
            return known.get(leaf, f"some {leaf}")


def full_row(type_name: str, number: int = 1) -> Row:
    """An entity with every attribute of the model, and every one over one or two references."""
    found: Row = {}

    def fill(prefix: str, name: str, deep: int) -> None:
        kind = vocabulary().types["ipv4-addr" if name == "address" else name]
        for attribute, column in kind.attributes.items():
            if (name, attribute) != ("artifact", "url"):  # STIX takes no artifact with both a payload and an address
                found[prefix + attribute] = sample(prefix + attribute, kind.columns.get(column) or SQL[kind.further.get(attribute, "text")])
        for reference, target in kind.references.items() if deep else ():
            if deep == 1 and target == "network-traffic":
                continue  # it would have no address, and STIX takes no traffic without one
            fill(f"{prefix}{reference}.", target, deep - 1)

    fill("", type_name, 2)
    return entity(type_name, number, **found) | ({"host": found["hostname"]} if type_name == "x-oca-asset" else {})


def aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def check_valid(bundle: Row) -> None:
    """By the reference library: the whole, and every standard object's own properties without any leave for custom ones."""
    stix2.parse(json.dumps(bundle), allow_custom=True)
    for o in bundle["objects"]:
        if o["type"] in FORMS:
            own = {k: v for k, v in o.items() if not k.startswith("x_") and (o["type"], k) != ("process", "name")}
            if "hashes" in own:
                own["hashes"] = {k: v for k, v in own["hashes"].items() if k != "IMPHASH"}
            stix2.parse(own, allow_custom=False)


def there_and_back(bundle: Row) -> tuple[str, list[Row]]:
    return rows_of(json.loads(json.dumps(bundle)))


@pytest.mark.parametrize("type_name", sorted(vocabulary().types))
def test_every_type_with_every_attribute(type_name: str) -> None:
    bare = entity(type_name, 2)
    rows = [full_row(type_name), bare | dict.fromkeys(full_row(type_name).keys() - bare.keys())]
    bundle = bundle_of(type_name, rows, MADE)
    check_valid(bundle)
    assert there_and_back(bundle) == (type_name, rows)
    record = next(o for o in bundle["objects"] if o["type"] == "observed-data")
    assert "x_kestrel_values" not in record, "every attribute of the model has a place of its own"
    assert bundle == bundle_of(type_name, rows, MADE)


@pytest.mark.parametrize("type_name", sorted(vocabulary().types))
def test_no_rows_and_rows_without_anything(type_name: str) -> None:
    empty = bundle_of(type_name, [], MADE, ["id", "name"])
    check_valid(empty)
    assert there_and_back(empty) == (type_name, [])
    bare: Row = {"id": f"{type_name}--0000000000000001", "type": type_name, "first_observed": None, "last_observed": None, "number_observed": 0}
    bundle = bundle_of(type_name, [bare], MADE)
    check_valid(bundle)
    assert there_and_back(bundle) == (type_name, [bare])


HOSTILE = [
    "a'b\"c;--\\",
    "\x00\x01\x07\x1b[31m\r\n\t",
    "<script>alert(1)</script>&amp;",
    "\u202egpj.exe\u2066",
    "東京 тест 🦅",
    "\ud800",
    "",
    "x" * (1 << 20),
    "null",
    "2021-01-01T00:00:00Z",
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_comes_back_as_it_was(value: str) -> None:
    attributes = ("name", "command_line", "x_unique_id", "x_odd", "Odd Name", "binary_ref.x_path", "binary_ref.hashes.MD5", "hashes.SSDEEP", "host")
    rows = [entity("process", 1, **dict.fromkeys(attributes, value)), entity("process", 2)]
    rows[1] |= dict.fromkeys(attributes[:-1])
    bundle = bundle_of("process", rows, MADE)
    assert there_and_back(bundle) == ("process", rows)
    if "\ud800" not in value:
        check_valid(bundle)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        1 << 70,
        True,
        1.5,
        float("inf"),
        float("-inf"),
        [],
        ["a"],
        ["a", "b"],
        [1, [FIRST]],
        {"a": FIRST, "b": None},
        FIRST,
        datetime(2021, 1, 1),
    ],
)
def test_values_of_any_kind_come_back_as_they_were(value: Any) -> None:
    names = ("pid", "name", "created", "x_score", "opened_connection_refs.protocols[*]", "number_observed", "first_observed", "last_observed", "host")
    row = entity("process", 1) | dict.fromkeys(names, value)
    bundle = bundle_of("process", [row], MADE)
    check_valid(bundle)
    _, (back,) = there_and_back(bundle)
    assert back == row
    assert {k: type(v) for k, v in back.items()} == {k: type(v) for k, v in row.items()}


values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.lists(st.text(), max_size=3))
names = st.sampled_from(
    ["name", "pid", "x_a", "src_port", "protocols[*]", "src_ref.value", "values[*].data", "values[*].data_type", "id_ref", "extensions", "x"]
)


@examples(150)
@given(st.sampled_from(sorted(vocabulary().types)), st.lists(st.dictionaries(names, values), max_size=3))
def test_any_rows_come_back_as_they_were(type_name: str, given_rows: list[Row]) -> None:
    rows = [entity(type_name, n, **r) for n, r in enumerate(given_rows)]
    bundle = bundle_of(type_name, rows, MADE)
    check_valid(bundle)
    columns = dict.fromkeys(name for row in rows for name in row)
    assert there_and_back(bundle) == (type_name, [{c: row.get(c) for c in columns} for row in rows])


def test_ids_of_observables_are_those_of_the_standard() -> None:
    rows: dict[str, Row] = {
        "file": {"name": "a.exe", "hashes.SHA-256": "C" * 64, "hashes.MD5": "A" * 32, "parent_directory_ref.path": "C:\\тест"},
        "network-traffic": {"src_ref.value": "fe80::1", "dst_ref.value": "10.0.0.1", "src_port": 1, "dst_port": 2, "protocols[*]": "tcp"},
        "user-account": {"user_id": "S-1-5-18", "account_login": "SYSTEM"},
        "windows-registry-key": {"key": "HKLM\\K", "values[*].name": "v", "values[*].data": "1"},
        "domain-name": {"value": "example.org"},
        "url": {"value": "http://x/"},
    }
    for type_name, attributes in rows.items():
        for o in bundle_of(type_name, [entity(type_name, 1, **attributes)], MADE)["objects"]:
            if o["type"] in FORMS:
                assert stix2.parse({k: v for k, v in o.items() if k != "id"})["id"] == o["id"]


def test_relations_and_shared_objects() -> None:
    rows = [entity("process", n, pid=n, name="a.exe") | {"binary_ref.x_path": "C:\\a.exe"} for n in range(1, 4)]
    bundle = bundle_of("process", rows, MADE, relations=[(rows[0]["id"], "CREATED", rows[1]["id"]), (rows[1]["id"], "RESOLVED_TO", rows[2]["id"])])
    check_valid(bundle)
    kinds = Counter(o["type"] for o in bundle["objects"])
    assert kinds == {"identity": 1, "process": 3, "file": 1, "x-oca-asset": 1, "observed-data": 3, "relationship": 2}
    stated = {o["relationship_type"]: (o["source_ref"], o["target_ref"]) for o in bundle["objects"] if o["type"] == "relationship"}
    by_pid = {o["pid"]: o["id"] for o in bundle["objects"] if o["type"] == "process"}
    assert stated == {"created": (by_pid[1], by_pid[2]), "resolved-to": (by_pid[2], by_pid[3])}


def test_a_bundle_of_others_is_not_loaded() -> None:
    with pytest.raises(NotWritten):
        rows_of({"type": "bundle", "objects": [{"type": "identity", "id": "identity--1"}, 5]})


@pytest.mark.slow
def test_get_from_a_written_bundle_finds_the_same_entities(tmp_path: Path, session: Session) -> None:
    """By the general rules: host and sensor's id, or host, pid, name and start."""
    logs = write(tmp_path / "a.json", [creation(1), creation(2, parent=1), creation(3, parent=9), *(connection(n, 2) for n in range(4))])
    for type_name in ("process", "network-traffic", "file", "user-account", "x-oca-asset", "ipv4-addr"):
        session.run(f"v = GET {type_name} FROM '{logs}'")
        rows = [{k: aware(v) for k, v in row.items()} for row in session["v"].to_dicts()]
        assert rows
        bundle = bundle_of(type_name, (row | {"host": "h1.example.org"} for row in rows), MADE)
        check_valid(bundle)
        saved = tmp_path / f"{type_name}.stix.json"
        saved.write_text(json.dumps(bundle))
        session.run(f"w = GET {type_name} FROM '{saved}'")
        again = {row["id"]: {k: aware(v) for k, v in row.items()} for row in session["w"].to_dicts()}
        for row in rows:
            found = again[row["id"]]
            assert (found["number_observed"], found["last_observed"]) >= (row["number_observed"], row["last_observed"])
            moving = ("first_observed", "last_observed", "number_observed")
            # a connection known without its addresses is no object STIX takes: LOAD has it, GET cannot
            same = [k for k in row if k not in moving and not k.startswith("opened_connection_refs.") and row[k] is not None]
            assert {k: found.get(k) for k in same} == {k: row[k] for k in same}


def test_every_type_can_be_written() -> None:
    roles = {s.type for s in layout().roles.values()} - {"address", "object"}
    assert roles | set(vocabulary().types) == set(FORMS) | {"x-oca-asset", "x-oca-event"}


def test_what_stix_does_not_allow_together_is_kept_all_the_same() -> None:
    rows = [
        entity("network-traffic", 1, **{"src_ref.value": "10.0.0.1", "start": FIRST, "end": FIRST - timedelta(seconds=1), "is_active": None}),
        entity("network-traffic", 2, **{"src_ref.value": "10.0.0.1", "start": FIRST, "end": FIRST, "is_active": True}),
        entity("network-traffic", 3, **{"src_ref.value": "10.0.0.1", "start": None, "end": FIRST, "is_active": None}),
    ]
    bundle = bundle_of("network-traffic", rows, MADE)
    check_valid(bundle)
    assert there_and_back(bundle) == ("network-traffic", rows)
    found = [entity("artifact", 1, url="http://x/a", payload_bin="VGVzdA=="), entity("artifact", 2, url="http://x/a", payload_bin=None)]
    mails = [
        entity("email-message", 1, subject="s", is_multipart=True, body="b"),
        entity("email-message", 2, subject="s", is_multipart=None, body="b"),
    ]
    for type_name, others in (("artifact", found), ("email-message", mails)):
        bundle = bundle_of(type_name, others, MADE)
        check_valid(bundle)
        assert there_and_back(bundle) == (type_name, others)


def test_a_custom_type_and_the_entries_of_dictionaries() -> None:
    row = entity("x-foo", 1, **{"severity": 7, "x_int": 5, "name": "zz", "data.a": "b", "x_list": ["a", "b"]})
    bundle = bundle_of("x-foo", [row], MADE)
    check_valid(bundle)
    assert there_and_back(bundle) == ("x-foo", [row])
    found = next(o for o in bundle["objects"] if o["type"] == "x-foo")
    assert (found["severity"], found["x_int"], found["name"], found["data"]) == (7, 5, "zz", {"a": "b"})
    row = entity("process", 1, pid=3, **{"environment_variables.PATH": "C:\\", "x_foo": "bar"})
    bundle = bundle_of("process", [row], MADE)
    check_valid(bundle)
    found = next(o for o in bundle["objects"] if o["type"] == "process")
    assert (found["environment_variables"], found["x_foo"]) == ({"PATH": "C:\\"}, "bar")
    assert there_and_back(bundle) == ("process", [row])
