"""The host of every entity, and the processes of files and registry keys, against the raw lines of flat Windows logs in plain Python."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from kestrel import Session
from kestrel.result import Table
from tests.truth.test_named import FILES, of, records, shown

pytestmark = pytest.mark.skipif(not FILES, reason="the real logs are not here")
SMALL = [path for path in FILES if path.stat().st_size < 1_000_000]


def base(path: str) -> str:
    return path.replace("/", "\\").rpartition("\\")[2]


def hosts(path: Path) -> dict[str, str]:
    """Each name of a host as it is written, with the only long name that begins with it."""
    names = {str(r["Hostname"]).lower() for r in records(path)}
    long = defaultdict(set)
    for name in names:
        if "." in name:
            long[name.partition(".")[0]].add(name)
    return {n: next(iter(long[n])) if "." not in n and len(long[n]) == 1 else n for n in names}


@pytest.mark.parametrize("path", SMALL, ids=lambda p: p.name.split(".")[0])
def test_processes_have_their_host(path: Path, session: Session) -> None:
    known = hosts(path)
    expected = {(r["ProcessGuid"].upper(), known[str(r["Hostname"]).lower()]) for r in records(path) if of(r, 1, source="Sysmon")}
    found = {(guid, host) for guid, host in shown(session, path, "process", "x_unique_id IS NOT NULL", "x_unique_id, host")}
    assert expected <= found
    for name in set(known.values()):
        one = {guid for guid, _ in shown(session, path, "process", f"x_unique_id IS NOT NULL AND host = '{name}'", "x_unique_id, host")}
        assert one == {guid for guid, host in found if host == name}


@pytest.mark.parametrize("path", SMALL, ids=lambda p: p.name.split(".")[0])
def test_files_and_keys_have_the_processes_that_touched_them(path: Path, session: Session) -> None:
    """By Sysmon alone: files that were created or loaded, and keys whose values were set."""
    touched: dict[str, dict[str, set[Any]]] = {"file": defaultdict(set), "key": defaultdict(set)}
    for r in records(path):
        name = base(str(r.get("Image") or "")).lower()
        if of(r, 11, source="Sysmon") or of(r, 7, source="Sysmon"):
            touched["file"][name].add(str(r.get("TargetFilename") or r.get("ImageLoaded")).lower())
        if of(r, 13, source="Sysmon") and r.get("TargetObject"):
            touched["key"][name].add(r["TargetObject"].rpartition("\\")[0].lower())
    for name in sorted(touched["file"])[:5]:
        where = f"process_ref.name = '{name}' AND event:provider LIKE '%Sysmon%' AND event:code IN ('7', '11')"
        matched = {p.lower() for (p,) in shown(session, path, "file", where.replace("= '", "LIKE '", 1), "x_path") if p}
        assert touched["file"][name] <= matched
    for name in sorted(touched["key"])[:5]:
        matched = {k.lower() for (k,) in shown(session, path, "windows-registry-key", f"process_ref.name LIKE '{name}'", "key")}
        assert touched["key"][name] <= matched


def test_the_host_is_shown_where_there_are_several(session: Session) -> None:
    path = max(FILES, key=lambda p: len(set(hosts(p).values())))
    assert len(set(hosts(path).values())) > 1
    one = next(iter(hosts(path).values()))
    for where, expected in (("name = 'svchost.exe'", True), (f"name = 'svchost.exe' AND host = '{one}'", False)):
        tables = [r for r in session.run(f"v = GET process FROM '{path}' WHERE {where}\nDISP v") if isinstance(r, Table)]
        assert ("host_ref.hostname" in tables[0].columns) == expected
