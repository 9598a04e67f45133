"""The connector `stix_bundle` reads a bundle over HTTP."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kestrel import Session
from kestrel.cli import main
from kestrel.errors import HuntErrors
from kestrel.result import Explanation
from tests.servers.fixtures import SAMPLE
from tests.stixshifter.conftest import Connector
from tests.test_demo import EXPECTED, HUNT, counts


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address under which the files of the test's folder are."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def observed() -> Iterator[dict[str, Any]]:
    """The records of the sample's second day as STIX 2.0, made by hand: processes, parents, files and connections."""
    with zstandard.open(SAMPLE, "rt", encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    seen = set()
    for document in documents:
        data = document["winlog"].get("event_data", {})
        key = (document["winlog"]["channel"], document["winlog"]["record_id"])
        if not document["@timestamp"].startswith("2021-04-03") or key in seen:
            continue
        seen.add(key)
        yield {
            "type": "observed-data",
            "id": f"observed-data--{len(seen):08}-0000-4000-8000-000000000000",
            "created": "2021-05-01T00:00:00.000Z",
            "modified": "2021-05-01T00:00:00.000Z",
            "first_observed": document["@timestamp"],
            "last_observed": document["@timestamp"],
            "number_observed": 1,
            "objects": dict(objects(document, data)),
        }


def objects(document: dict[str, Any], data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    event, process = document["event"], document.get("process", {})
    executable = process.get("executable") or data.get("Application")
    yield "0", {"type": "x-oca-asset", "hostname": document["host"]["name"]}
    yield (
        "1",
        {"type": "x-oca-event", "code": event["code"], "provider": event["provider"], "process_ref": "2"}
        | ({"file_ref": "6"} if "file" in document else {}),
    )
    main = {"type": "process", "pid": process.get("pid") or int(data.get("ProcessID", 0))}
    main |= {"x_unique_id": process["entity_id"]} if "entity_id" in process else {}
    main |= {"command_line": process["command_line"]} if "command_line" in process else {}
    if executable:
        folder, _, name = executable.rpartition("\\")
        main |= {"name": name, "binary_ref": "3"}
        yield "3", {"type": "file", "name": name, "parent_directory_ref": "4"}
        yield "4", {"type": "directory", "path": folder}
    parent = process.get("parent", {})
    if parent:
        stated = {"type": "process", "pid": parent.get("pid"), "name": parent.get("name"), "x_unique_id": parent.get("entity_id")}
        yield "5", {k: v for k, v in {**stated, "command_line": parent.get("command_line")}.items() if v is not None}
        main["parent_ref"] = "5"
    if "file" in document:
        folder, _, name = document["file"]["path"].rpartition("\\")
        yield "6", {"type": "file", "name": name, "parent_directory_ref": "7"}
        yield "7", {"type": "directory", "path": folder}
    if event["code"] in ("3", "5156"):
        ends = [document[side] for side in ("source", "destination")] if "source" in document else []
        addresses = [e["ip"] for e in ends] or [data["SourceAddress"], data["DestAddress"]]
        ports = [e["port"] for e in ends] or [int(data["SourcePort"]), int(data["DestPort"])]
        for key, address in zip("89", addresses, strict=True):
            yield key, {"type": "ipv6-addr" if ":" in address else "ipv4-addr", "value": address}
        protocol = document["network"]["transport"] if "network" in document else {"6": "tcp", "17": "udp"}[data["Protocol"]]
        traffic = {"type": "network-traffic", "src_ref": "8", "dst_ref": "9", "src_port": ports[0], "dst_port": ports[1], "protocols": [protocol]}
        yield "10", traffic
        main["opened_connection_refs"] = ["10"]
    yield "2", main


def serve(monkeypatch: pytest.MonkeyPatch, url: str, auth: dict[str, str] | None = None, options: dict[str, Any] | None = None) -> None:
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTOR", "stix_bundle")
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONNECTION", json.dumps({"url": url, "options": options or {}}))
    monkeypatch.setenv("STIXSHIFTER_HOST101_CONFIG", json.dumps({"auth": auth or {}}))


def test_the_hunt_on_a_bundle(connector: Connector, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    connector("stix_bundle")
    (tmp_path / "day.json").write_text(json.dumps({"type": "bundle", "id": "bundle--1", "spec_version": "2.0", "objects": list(observed())}))
    serve(monkeypatch, f"{served}/day.json")
    session.run(HUNT)
    assert counts(session) == EXPECTED


def test_a_bundle_of_stix_2_1(connector: Connector, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    connector("stix_bundle")
    stamp = {"spec_version": "2.1", "created": "2021-04-03T00:00:00Z", "modified": "2021-04-03T00:00:00Z"}
    ids = [f"process--0000000{n}-0000-4000-8000-000000000000" for n in range(3)]
    known: dict[str, Any] = {"type": "process", "spec_version": "2.1"}
    found = [{**known, "id": i, "pid": 10 + n, "command_line": f"run {n}"} for n, i in enumerate(ids)]
    for number, name in enumerate(ids):
        when = f"2021-04-03T0{number}:00:00Z"
        head = {"type": "observed-data", "id": f"observed-data--0000000{number}-0000-4000-8000-000000000000", **stamp}
        found.append({**head, "first_observed": when, "last_observed": when, "number_observed": 1, "object_refs": [name]})
    (tmp_path / "new.json").write_text(json.dumps({"type": "bundle", "id": "bundle--1", "objects": found}))
    serve(monkeypatch, f"{served}/new.json", options={"stix_2.1": True})
    session.run("x = GET process FROM stixshifter://host101 WHERE pid > 0 START t'2021-04-03T00:30:00Z' STOP t'2021-04-03T02:00:00Z'")
    assert [r["command_line"] for r in session["x"].to_dicts()] == ["run 1"]


def test_a_record_that_goes_on_after_stop(
    connector: Connector, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    """It is of the time at which it begins, as in a file."""
    connector("stix_bundle")
    times = {"first_observed": "2021-04-03T00:30:00Z", "last_observed": "2021-04-03T05:00:00Z", "number_observed": 4}
    record = next(observed()) | times
    (tmp_path / "long.json").write_text(json.dumps({"type": "bundle", "id": "bundle--1", "spec_version": "2.0", "objects": [record]}))
    serve(monkeypatch, f"{served}/long.json")
    session.run("x = GET process FROM stixshifter://host101 WHERE pid > 0 START t'2021-04-03T00:00:00Z' STOP t'2021-04-03T01:00:00Z'")
    assert len(session["x"]) > 0


def test_a_bundle_that_is_not_there(connector: Connector, served: str, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    connector("stix_bundle")
    serve(monkeypatch, f"{served}/none.json", auth={"username": "hunter", "password": "s3cr3t-pass"})
    with pytest.raises(HuntErrors) as caught:
        session.run("x = GET process FROM stixshifter://host101 WHERE pid > 0")
    assert "error[K0728]" in str(caught.value) and "404" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("command", [["connectors", "check"], ["check-source"]], ids=" ".join)
def test_a_profile_without_fault(
    command: list[str], connector: Connector, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connector("stix_bundle")
    (tmp_path / "day.json").write_text(json.dumps({"type": "bundle", "id": "bundle--1", "spec_version": "2.0", "objects": []}))
    serve(monkeypatch, f"{served}/day.json")
    assert main([*command, "host101", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[0])["rows"]
    assert [r[:2] for r in rows] == [[what, "good"] for what in ("connector", "server", "pattern", "attributes")]


def test_explain_shows_the_pattern(connector: Connector, served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    connector("stix_bundle")
    (tmp_path / "day.json").write_text(json.dumps({"type": "bundle", "id": "bundle--1", "spec_version": "2.0", "objects": []}))
    serve(monkeypatch, f"{served}/day.json")
    results = session.run(
        "x = GET process FROM stixshifter://host101 WHERE pid > 0 START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z' EXPLAIN x"
    )
    (asked,) = next(r for r in results if isinstance(r, Explanation)).queries
    assert "[process:name LIKE '%' OR" in asked[2] and "START t'1970-01-01T00:00:00.000Z' STOP" in asked[2]
    assert len(session["x"]) == 0
