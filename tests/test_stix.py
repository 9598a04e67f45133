"""Hunting in STIX bundles: whatever graph an observed-data holds, it is one record, and its objects are who they are."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Notice
from kestrel.stix import records as stix

Thing = dict[str, Any]
GUID = "{00000001-0001-5FEE-0000-00000000000%d}"
HOST: Thing = {"type": "x-oca-asset", "hostname": "H1", "name": "h1.example.org", "ip_refs": ["host-ip"]}


def observed(number: int, objects: dict[str, Thing], **fields: Any) -> Thing:
    """An observed-data of STIX 2.0, `number` seconds after midnight."""
    when = f"2021-01-01T00:{number // 60:02d}:{number % 60:02d}.000Z"
    times = {"first_observed": when, "last_observed": when, "number_observed": 1}
    return {"type": "observed-data", "id": f"observed-data--{number:08x}-0000-4000-8000-000000000000", **times, "objects": objects} | fields


def bundle(*records: Thing) -> Thing:
    identity = {"type": "identity", "id": "identity--00000000-0000-4000-8000-000000000000", "name": "test"}
    return {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000000", "spec_version": "2.0", "objects": [identity, *records]}


def process(pid: int, name: str, **fields: Any) -> Thing:
    return {"type": "process", "pid": pid, "name": name} | fields


def write(path: Path, *records: Thing) -> Path:
    path.write_text(json.dumps(bundle(*records)), encoding="utf-8")
    return path


CREATION = {
    "0": process(10, "a.exe", parent_ref="1", x_unique_id=GUID % 1, creator_user_ref="4", opened_connection_refs=["5", "6"], image_ref="9"),
    "1": process(9, "b.exe", x_unique_id=GUID % 2, binary_ref="2", command_line="b -x"),
    "2": {"type": "file", "name": "b.exe", "parent_directory_ref": "3", "hashes": {"MD5": "a" * 32, "SHA256": "b" * 64}},
    "3": {"type": "directory", "path": "C:\\Dir\\"},
    "4": {"type": "user-account", "user_id": "S-1-5-21-1-2-3-500", "account_login": "alice"},
    "5": {"type": "network-traffic", "src_ref": "7", "dst_ref": "8", "src_port": 1, "dst_port": 443, "protocols": ["ipv6", "tcp", "https"]},
    "6": {"type": "network-traffic", "src_ref": "7", "dst_ref": "8", "src_port": 2, "dst_port": 53, "protocols": ["udp"]},
    "7": {"type": "ipv6-addr", "value": "fe80:0:0:0:0:0:0:1"},
    "8": {"type": "ipv4-addr", "value": "::ffff:10.0.0.1"},
    "9": {"type": "file", "name": "a.exe", "x_path": "D:\\a.exe"},
    "10": HOST,
    "host-ip": {"type": "ipv4-addr", "value": "10.9.9.9"},
    "11": process(50, "c.exe", x_unique_id=GUID % 3),
    "12": {"type": "url", "value": "http://x/"},
    "13": {"type": "domain-name", "value": "Example.ORG.", "resolves_to_refs": ["8"]},
    "14": {"type": "domain-name", "value": "alone.example.org"},
    "15": {"type": "windows-registry-key", "key": "HKEY_LOCAL_MACHINE\\K", "values": [{"name": "v", "data": "1"}, {"name": "w", "data": "2"}]},
    "16": {"type": "mac-addr", "value": "AA-BB-CC-00-00-01"},
    "17": {"type": "user-account", "user_id": "1001", "account_login": "bob"},
    "18": {"type": "file", "name": "loose.txt"},
}


def embedded(tmp_path: Path) -> Path:
    return write(tmp_path / "a.stix.json", observed(1, CREATION, number_observed=3, last_observed="2021-01-01T00:01:01.000Z"))


def spread(tmp_path: Path) -> Path:
    """The same as STIX 2.1: the objects stand in the bundle, only some are named by the observed-data."""
    ids = {key: f"{o['type']}--{key.zfill(8)[:8]}-0000-4000-8000-00000000000a" for key, o in CREATION.items()}
    named = {k: v for k, v in ids.items() if k not in ("2", "3", "7")}
    objects = []
    for key, o in CREATION.items():
        refs = {n: [ids[r] for r in v] if isinstance(v, list) else ids[v] for n, v in o.items() if n.endswith(("_ref", "_refs"))}
        objects.append(o | refs | {"id": ids[key], "spec_version": "2.1"})
    record = observed(1, {}, number_observed=3, last_observed="2021-01-01T00:01:01.000Z", object_refs=[*named.values(), "file--not-there"])
    del record["objects"]
    return write(tmp_path / "b.stix.json", *objects[:9], record, *objects[9:])


@pytest.mark.parametrize("made", [embedded, spread])
def test_every_object_of_a_graph_is_found(tmp_path: Path, session: Session, made: Any) -> None:
    path = made(tmp_path)
    types = {
        "process": 3,
        "network-traffic": 2,
        "file": 3,
        "directory": 2,
        "ipv4-addr": 2,
        "ipv6-addr": 1,
        "url": 1,
        "domain-name": 2,
        "windows-registry-key": 1,
        "mac-addr": 1,
        "user-account": 2,
        "x-oca-asset": 1,
        "x-oca-event": 1,
    }
    found = {}
    for number, kind in enumerate(types):
        session.run(f"v{number} = GET {kind} FROM '{path}'")
        rows = session[f"v{number}"].to_dicts()
        found[kind] = len(rows)
        assert {r["number_observed"] for r in rows} == {3}, kind
        assert {str(r["last_observed"])[:19] for r in rows} == {"2021-01-01 00:01:01"}, kind
    assert found == types


def test_the_attributes_of_a_process_and_its_relations(tmp_path: Path, session: Session) -> None:
    path = embedded(tmp_path)
    session.run(
        f"p = GET process FROM '{path}' WHERE name = 'a.exe' b = FIND process CREATED p n = FIND network-traffic CREATED BY p "
        f"t = n WHERE dst_port = 443 u = FIND user-account OWNED p d = GET domain-name FROM '{path}' WHERE resolves_to_refs.value = '10.0.0.1' "
        "l = FIND url LINKED p m = FIND domain-name LINKED p h = FIND x-oca-asset LINKED n "
        f"k = GET windows-registry-key FROM '{path}' WHERE values[*].name = 'w'"
    )
    parent = session["b"].to_dicts()[0]
    assert parent["binary_ref.x_path"] == "C:\\Dir\\b.exe"
    assert parent["binary_ref.parent_directory_ref.path"] == "C:\\Dir"
    assert (parent["binary_ref.hashes.MD5"], parent["binary_ref.hashes.SHA-256"]) == ("A" * 32, "B" * 64)
    assert session["p"].to_dicts()[0]["binary_ref.x_path"] == "D:\\a.exe"
    assert session["p"].to_dicts()[0]["creator_user_ref.user_id"] == "S-1-5-21-1-2-3-500"
    assert len(session["n"]) == 2
    flow = session["t"].to_dicts()[0]
    assert (flow["src_ref.value"], flow["dst_ref.value"], flow["protocols[*]"], flow["x_application"]) == ("fe80::1", "10.0.0.1", "tcp", "https")
    assert [u["account_login"] for u in session["u"].to_dicts()] == ["alice"]
    assert [d["value"] for d in session["d"].to_dicts()] == ["example.org"]
    assert [d["value"] for d in session["m"].to_dicts()] == ["alone.example.org"]
    assert (len(session["l"]), len(session["h"]), len(session["k"])) == (1, 1, 1)
    assert session["h"].to_dicts()[0]["ip_refs.value"] == "10.9.9.9"
    assert session["k"].to_dicts()[0]["key"] == "HKLM\\K"


@pytest.mark.slow
def test_the_forms_a_bundle_may_come_in(tmp_path: Path) -> None:
    records = [observed(n, {"0": process(n + 1, "a.exe", x_unique_id=GUID % n)}) for n in range(3)]
    whole = bundle(*records)
    text = json.dumps(whole)
    forms = {
        "plain.json": text.encode(),
        "pretty.json": json.dumps(whole, indent=2).encode(),
        "sorted.json": json.dumps(whole, sort_keys=True).encode(),
        "objects-first.json": json.dumps({"objects": whole["objects"], "type": "bundle"}).encode(),
        "wide.json": text.encode("utf-16"),
        "marked.json": b"\xef\xbb\xbf" + text.encode(),
        "packed.json.gz": gzip.compress(text.encode()),
        "packed.json.zst": zstandard.compress(text.encode()),
        "several.json": "\n".join(json.dumps(bundle(r)) for r in records).encode(),
    }
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("one.json", text)
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
    for name in (*forms, "z.zip"):
        with Session() as session:
            session.run(f"p = GET process FROM '{tmp_path / name}'")
            assert len(session["p"]) == 3, name


def test_overlapping_bundles_double_nothing(tmp_path: Path, session: Session) -> None:
    first = write(tmp_path / "a.json", observed(1, CREATION), observed(2, {"0": process(5, "x.exe", x_unique_id=GUID % 7)}))
    write(tmp_path / "b.json", observed(1, CREATION))
    results = session.run(f"p = GET process FROM '{first}', '{tmp_path / 'b.json'}' n = GET network-traffic FROM '{tmp_path / '*.json'}'")
    assert (len(session["p"]), len(session["n"])) == (4, 2)
    assert next(r.message for r in results if isinstance(r, Notice) and r.code == "duplicates").startswith("1 of 3 records")


def test_variables_of_two_bundles_together_are_the_same_processes(tmp_path: Path, session: Session) -> None:
    """Several processes of one record, without host: each keeps its own when more records are known."""
    several = {"0": process(1, "a.exe"), "1": process(2, "b.exe"), "2": process(3, "c.exe")}
    first = write(tmp_path / "a.json", observed(1, several))
    second = write(tmp_path / "b.json", observed(2, several))
    session.run(f"a = GET process FROM '{first}' WHERE name = 'b.exe' b = GET process FROM '{second}' WHERE name = 'c.exe' c = a + b")
    assert sorted(p["name"] for p in session["c"].to_dicts()) == ["b.exe", "c.exe"]


def test_a_bundle_cut_short_is_read_as_far_as_it_goes(tmp_path: Path, session: Session) -> None:
    text = json.dumps(bundle(*(observed(n, {"0": process(n + 1, "a.exe", x_unique_id=GUID % n)}) for n in range(3))))
    path = tmp_path / "cut.json"
    path.write_text(text[:-120])
    session.run(f"p = GET process FROM '{path}'")
    account = next(iter(session.engine.datasets.snapshots.held.values())).account
    assert (len(session["p"]), account.read, account.broken, account.cut_off) == (2, 2, 0, {str(path): 2})


def test_a_pid_and_name_are_one_process_only_in_one_source_without_host(tmp_path: Path, session: Session) -> None:
    """No host is known: within a source pid and name tell a process, a creation begins another one; a pid alone tells nothing."""
    when = "2021-01-01T00:00:05.000Z"
    records = [
        observed(1, {"0": process(7, "a.exe")}),
        observed(2, {"0": process(7, "a.exe")}),
        observed(5, {"0": process(7, "a.exe", parent_ref="1", created=when), "1": process(6, "b.exe")}),
        observed(6, {"0": process(7, "a.exe")}),
        observed(7, {"0": {"type": "process", "pid": 7}}),
        observed(8, {"0": {"type": "process", "pid": 7}}),
    ]
    first = write(tmp_path / "a.json", *records)
    second = write(tmp_path / "b.json", observed(9, {"0": process(7, "a.exe")}))
    session.run(f"p = GET process FROM '{first}' WHERE name = 'a.exe' q = GET process FROM '{first}', '{second}' WHERE name = 'a.exe' ")
    session.run(f"alone = GET process FROM '{first}' WHERE name IS NULL c = FIND process CREATED p")
    assert sorted(p["number_observed"] for p in session["p"].to_dicts()) == [2, 2]
    assert (len(session["q"]), len(session["alone"]), len(session["c"])) == (3, 2, 1)


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"provider": "Microsoft-Windows-Sysmon", "code": 11}, 1),
        ({"provider": "Microsoft-Windows-Sysmon", "code": "12"}, 0),
        ({"provider": "auditd", "action": "opened", "category": [["file"]], "event_type": ["creation"]}, 1),
        ({"provider": "auditd", "action": "opened", "category": ["file"], "event_type": ["access"]}, 0),
    ],
)
def test_what_an_event_is_decides_what_a_process_did_to_a_file(tmp_path: Path, session: Session, event: Thing, found: int) -> None:
    objects = {
        "0": {"type": "x-oca-event", "process_ref": 1, "file_ref": "2"} | event,
        "1": process(4, "System"),
        "2": {"type": "file", "name": "f.etl", "parent_directory_ref": "3"},
        "3": {"type": "directory", "path": "/var/log"},
        "4": HOST,
    }
    path = write(tmp_path / "a.json", observed(1, objects))
    session.run(f"p = GET process FROM '{path}' f = FIND file CREATED BY p e = GET event FROM '{path}' WHERE file_ref.x_path = '/var/log/f.etl'")
    assert (len(session["f"]), len(session["e"])) == (found, 1)


def test_through_a_profile(tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTOR", "file")
    monkeypatch.setenv("STIXSHIFTER_LAB_CONNECTION", json.dumps({"path": str(embedded(tmp_path))}))
    session.run("p = GET process FROM stixshifter://LAB WHERE [process:name = 'a.exe' AND x-oca-asset:hostname = 'h1']")
    assert len(session["p"]) == 1


def test_hostile_values_and_graphs(tmp_path: Path, session: Session) -> None:
    """Cycles, references to nothing or to the wrong type, wrong types of values, odd signs: nothing falls, what is right is found."""
    objects: dict[str, Any] = {
        "0": process(1, "a'b\"\u202e<b>\ud800\u0007.exe", parent_ref="0", x_unique_id=GUID % 1, opened_connection_refs=["9", "4", 5]),
        "1": process(2, "p.exe", parent_ref="2", x_unique_id=GUID % 2, command_line="x" * 1_100_000),
        "2": process(3, "q.exe", parent_ref="1", x_unique_id=GUID % 3, binary_ref="4", created="never"),
        "3": {"type": "process", "pid": "many", "name": {"a": 1}, "parent_ref": ["x"], "child_refs": "1"},
        "4": {"type": "user-account", "user_id": ["x"]},
        "5": {"type": "network-traffic", "src_ref": "4", "protocols": "tcp", "src_port": "high"},
        "6": {"type": "windows-registry-key", "values": [3, None]},
        "7": {"type": "ipv4-addr", "value": None},
        "8": {"type": "file", "hashes": ["x"], "name": ""},
        "9": "no object",
        "10": {"type": 5},
        "11": {"type": "x-oca-event", "process_ref": "4", "provider": ["x"], "code": {"a": 1}, "category": {"a": 1}},
    }
    odd: Any = {"type": "observed-data", "id": None, "objects": 5, "object_refs": {"a": 1}, "first_observed": 7}
    path = write(tmp_path / "a.json", observed(1, objects), odd, {"type": "observed-data"})
    session.run(f"p = GET process FROM '{path}' c = FIND process CREATED BY p n = GET network-traffic FROM '{path}' f = GET file FROM '{path}'")
    assert {p["x_unique_id"] for p in session["p"].to_dicts()} == {GUID % n for n in (1, 2, 3)}
    assert (len(session["n"]), len(session["f"])) == (0, 0)


def test_every_row_of_a_record_has_its_own_part() -> None:
    rows = stix.rows(observed(1, CREATION), {})
    assert [r["observed"]["part"] for r in rows] == list(range(len(rows)))
    assert len({r["observed"]["id"] for r in rows}) == 1


def test_the_answers_of_a_query_as_stix_shifter_tells_them(tmp_path: Path, session: Session) -> None:
    """They stand in the traffic of the query; the registered domain was not asked for."""
    question = {"domain_ref": "2", "registered_domain_ref": "3"}
    record = {
        "0": process(10, "a.exe", opened_connection_refs=["1"]),
        "1": {"type": "network-traffic", "protocols": ["dns"], "extensions": {"dns-ext": {"question": question, "resolved_ip_refs": ["4", "5"]}}},
        "2": {"type": "domain-name", "value": "www.example.org"},
        "3": {"type": "domain-name", "value": "example.org"},
        "4": {"type": "ipv4-addr", "value": "192.0.2.1"},
        "5": {"type": "ipv6-addr", "value": "2001:db8::1"},
        "6": {"type": "x-oca-event", "process_ref": "0", "domain_ref": "2", "network_ref": "1"},
    }
    file = write(tmp_path / "a.json", observed(1, record))
    session.run(f"d = GET domain-name FROM {file} WHERE value LIKE '%' a = FIND ipv4-addr RESOLVED_TO BY d b = FIND ipv6-addr RESOLVED_TO BY d")
    assert [[r["value"] for r in session[name].to_dicts()] for name in "dab"] == [["www.example.org"], ["192.0.2.1"], ["2001:db8::1"]]


def test_properties_of_any_name_and_value(tmp_path: Path, session: Session) -> None:
    """Whatever a producer writes is read unchanged, or left out if it is not a value; nothing of it is mistaken for Kestrel's own data."""
    objects: dict[str, Any] = {
        "0": process(
            1, "a.exe", x_nan=float("nan"), x_big=10**40, x_null=None, x_empty="", x_list=[], x_nested=[[1, 2], [3]], x_dict={}, x_half="\ud800"
        ),
        "1": {"type": "x-bar", "further": "z", "x": [{"y": [{"z": 1}, {"z": 2}]}], "it's": 'a "quote"', "name": {"a": 1}},
        "2": {"type": "file", "name": "f", "size": "12", "hashes": {"MD5": 5, "SHA-256": None}},
        "3": {"type": "software"},
        "4": {"type": "x-fo'o", "name": "n"},
        "5": {"type": "ipv4-addr", "value": "1.1.1.1", "x_a": 1},
        "6": {"type": "domain-name", "value": "a.b", "x_a": 2, "resolves_to_refs": ["5"]},
        "7": {"type": "mac-addr", "value": "aa-bb-cc-00-00-01", "x_m": 3},
    }
    path = write(tmp_path / "a.json", observed(1, objects | {"8": "no object"}))
    found = {
        "process": "x_nested = 3 AND x_big LIKE '1000%'",
        "x-bar": "further = 'z' AND x[*].y[*].z = 2 AND name.a = 1",
        "file": "size = 12",
        "software": "name IS NULL",
        "ipv4-addr": "x_a = 1",
        "domain-name": "x_a = 2 AND resolves_to_refs.x_a = 1",
        "mac-addr": "x_m = 3",
    }
    session.run("\n".join(f"v{n} = GET {kind} FROM '{path}' WHERE {where}" for n, (kind, where) in enumerate(found.items())))
    assert {kind: len(session[f"v{n}"]) for n, kind in enumerate(found)} == dict.fromkeys(found, 1)
    (row,) = session["v1"].to_dicts()
    assert (row["it's"], row["further"]) == ('a "quote"', "z")


def test_a_type_that_no_record_has_is_not_said_to_be_there(tmp_path: Path, session: Session) -> None:
    path = write(tmp_path / "a.json", observed(1, {"0": process(1, "a.exe", x_num=1), "1": {"type": "x-foo", "a": 1}}))
    notices = [r.code for r in session.run(f"a = GET artifact FROM '{path}' f = GET file FROM '{path}' WHERE size > 1") if isinstance(r, Notice)]
    assert notices == ["no-such-entities", "no-such-attribute"]
    for hunt, code, hint in (
        ("x-fo", "K0304", "`x-foo`"),
        ("process FROM '{}' WHERE x_nmu = 1", "K0301", "`x_num`"),
        ("x-foo FROM '{}' WHERE b = 1", "K0301", "`a`"),
    ):
        with pytest.raises(HuntErrors) as caught:
            session.run("v = GET " + (hunt if "FROM" in hunt else hunt + " FROM '{}'").format(path))
        assert [e.code for e in caught.value.errors] == [code] and hint in str(caught.value)


def test_what_stands_in_one_observation_is_linked(tmp_path: Path, session: Session) -> None:
    objects: dict[str, Thing] = {
        "0": {"type": "process", "name": "a.exe"},
        "1": {"type": "file", "name": "out.txt"},
        "2": {"type": "network-traffic", "protocols": ["tcp"], "src_ref": "3", "dst_ref": "4", "src_port": 50000, "dst_port": 443},
        "3": {"type": "ipv4-addr", "value": "10.0.0.1"},
        "4": {"type": "ipv4-addr", "value": ["10.0.0.2"]},
        "5": {"type": "windows-registry-key", "key": "HKLM\\A"},
    }
    logs = write(tmp_path / "a.json", observed(1, objects))
    session.run(f"p = GET process FROM '{logs}' WHERE name = 'a.exe'")
    for kind in ("file", "network-traffic", "windows-registry-key"):
        session.run(f"f = FIND {kind} LINKED p\nback = FIND process LINKED f")
        assert (len(session["f"]), len(session["back"])) == (1, 1)


def test_the_start_of_a_process_is_its_own_and_not_when_it_was_logged(tmp_path: Path, session: Session) -> None:
    event = {"type": "x-oca-event", "action": "process_started", "process_ref": "0"}
    started = observed(3, {"0": process(5, "a", created="2020-12-31T23:00:00Z"), "1": HOST, "2": event, "host-ip": CREATION["host-ip"]})
    session.run(f"p = GET process FROM '{write(tmp_path / 'a.json', started)}' WHERE created = t'2020-12-31T23:00:00Z'")
    assert len(session["p"]) == 1


def test_on_linux_the_last_name_is_shown(tmp_path: Path, session: Session) -> None:
    host = {"type": "x-oca-asset", "hostname": "h1", "os_platform": "linux"}
    seen = [observed(n, {"0": process(100, name, command_line=f"{name} x"), "1": host}) for n, name in enumerate(("sh", "python3"))]
    session.run(f"p = GET process FROM '{write(tmp_path / 'a.json', *seen)}' WHERE name = 'sh'")
    assert [(row["name"], row["command_line"]) for row in session["p"].to_dicts()] == [("python3", "python3 x")]


def test_turning_a_flow_changes_names_and_no_values(tmp_path: Path, session: Session) -> None:
    flow = {"type": "network-traffic", "protocols": ["tcp"], "src_ref": "1", "dst_ref": "2", "src_port": 443, "dst_port": 50000}
    flow |= {"src_packets": 3, "dst_packets": 9, "x_flags": "-S", "x_iface": "src_eth0"}
    seen = observed(1, {"0": flow, "1": {"type": "ipv4-addr", "value": "10.0.0.1"}, "2": {"type": "ipv4-addr", "value": "10.0.0.2"}})
    session.run(f"n = GET network-traffic FROM '{write(tmp_path / 'a.json', seen)}'")
    (row,) = session["n"].to_dicts()
    assert [row[name] for name in ("src_port", "src_packets", "dst_packets", "x_flags", "x_iface")] == [50000, 9, 3, "-S", "src_eth0"]
