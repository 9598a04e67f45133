"""winlogbeat's documents tell the same as the flat truth of the same events, its fields put flat by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from tests.truth.flat import ASK, HUNTS, Log, answers

FILES = (
    "winlogbeat6/empire_elevated_registry_2019-05-18183936.ndjson.gz",
    "winlogbeat6/empire_invoke_psremoting_2019-05-18211456.ndjson.gz",
    "winlogbeat7/covenant_msbuild_grunt_2019-10-27042312.ndjson.gz",
    "winlogbeat7/empire_kerberoast_2019-07-25200422.ndjson.gz",
    "winlogbeat7/interactive_taskmngr_lsass_dump_2019-10-27054517.ndjson.gz",
)
RUN_KEYS = "empire_persistence_registry_modification_run_keys_standard_user_2020-09-04030609.ndjson.gz"


def flat(document: dict[str, Any]) -> dict[str, Any]:
    """The record winlogbeat read, as a flat exporter would have written it; times are exact UTC."""
    log = document.get("winlog") or document
    return {
        **log.get("event_data", {}),
        "EventID": log["event_id"],
        "Channel": log.get("channel") or log.get("log_name"),
        "Hostname": log.get("computer_name"),
        "RecordNumber": log.get("record_id") or log.get("record_number"),
        "@timestamp": document["@timestamp"],
    }


def compare(logs: Path, truth: Path) -> int:
    """Every hunt of the flat truth, asked of other files; the number of answers that are not zero."""
    log, telling = Log(truth), 0
    with Session() as session:
        for steps in HUNTS:
            known = answers(log, steps)
            text = "\n".join(f"{variable} = {ASK[kind].format(argument)}" for variable, kind, argument in steps)
            session.run(text.replace("$FILE", f"'{logs}'"))
            assert {name: len(session[name]) for name in known} == known, text
            telling += sum(1 for n in known.values() if n)
    return telling


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", FILES)
def test_documents_without_modules(name: str, shared: Path, tmp_path: Path) -> None:
    truth = tmp_path / "flat.ndjson.gz"
    with gzip.open(shared / name, "rt", encoding="utf-8") as source, gzip.open(truth, "wt", encoding="utf-8") as target:
        for line in source:
            target.write(json.dumps(flat(json.loads(line))) + "\n")
    assert compare(shared / name, truth) > 5


def test_ecs_documents(shared: Path, tmp_path: Path) -> None:
    """One flat log rewritten as ECS: its Sysmon records give the same."""
    truth = tmp_path / "sysmon.ndjson.gz"
    with gzip.open(shared / "windows-flat" / RUN_KEYS, "rt", encoding="utf-8") as source, gzip.open(truth, "wt", encoding="utf-8") as target:
        for line in source:
            if "Sysmon" in str(json.loads(line).get("Channel")):
                target.write(line)
    assert compare(shared / "ecs-derived" / "DERIVED_ecs8_run_keys_sysmon.ndjson.gz", truth) > 5
