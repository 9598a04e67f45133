"""The runtime against what plain Python counts in the same raw logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kestrel import Session
from tests.truth.flat import Log

ENTRIES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("expected.yaml").read_text(encoding="utf-8"))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["file"].split(".")[0] for entry in ENTRIES])
def test_flat(entry: dict[str, Any], shared: Path) -> None:
    path = shared / "windows-flat" / entry["file"]
    if not path.is_file():
        pytest.skip(f"{entry['file']} is not here")
    differences: list[str] = []
    with Session() as session:
        for item in entry["hunts"]:
            session.run(item["hunt"].replace("$FILE", "'" + str(path).replace("'", "\\'") + "'"))
            for name, count in item["entities"].items():
                found = len(session[name])
                if found != count:
                    differences.append(f"{name}: {found}, truth {count}, in\n{item['hunt']}")
        account = next(iter(session.engine.datasets.snapshots.held.values())).account
        counted = {"kept": account.kept, "duplicates": account.duplicates, "broken": account.broken}
    if counted != entry["counts"]:
        differences.append(f"lines: {counted}, truth {entry['counts']}")
    assert not differences, "\n".join(differences)


BY_SYSMON = {
    "empire_persistence_registry_modification_run_keys_standard_user_2020-09-04030609": 7,
    "metasploit_sharpdump_lsass_memory_dump": 10,
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("file", "by_sysmon"), BY_SYSMON.items())
def test_sysmon_alone(file: str, by_sysmon: int, shared: Path) -> None:
    """Measured by hand: the children of the Schedule service by Sysmon's creations only."""
    path = shared / "windows-flat" / f"{file}.ndjson.gz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here")
    log = Log(path)
    assert len(log.children(log.commanded("-s Schedule"), {1})) == by_sysmon
