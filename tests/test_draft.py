"""`kestrel formats new`: a draft is a definition, and reads the records that it was made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.formats.definition import _read as definition_of
from kestrel.formats.definition import definitions

DATA = Path(__file__).parents[1].parent / "shared" / "data"
RECORDS = [
    {"when": "2024-05-01T10:00:00Z", "machine": "PC-1", "event": "process_start", "id": 7, "p": {"pid": 10, "exe": "/bin/sh", "cmdline": "sh -c x"}},
    {"when": "2024-05-01T10:00:01Z", "machine": "PC-1", "event": "process_start", "id": 8, "p": {"pid": 11, "exe": "/bin/ls", "ppid": 10}},
    {
        "when": "2024-05-01T10:00:02Z",
        "machine": "PC-1",
        "event": "connect",
        "id": 9,
        "p": {"pid": 11},
        "proto": "tcp",
        "src_ip": "10.0.0.1",
        "src_port": 50000,
        "dst_ip": "192.0.2.1",
        "dst_port": 443,
    },
    {
        "when": "2024-05-01T10:00:03Z",
        "machine": "PC-1",
        "event": "file create",
        "id": 10,
        "p": {"pid": 11, "exe": "/bin/ls"},
        "file": {"path": "/tmp/x"},
    },
]


def test_a_draft_reads_its_records(tmp_path: Path) -> None:
    log, folder = tmp_path / "acme.ndjson", tmp_path / "formats"
    folder.mkdir()
    log.write_text("".join(json.dumps(r) + "\n" for r in RECORDS))
    with Session() as session:
        (folder / "acme.yaml").write_text(session.draft(str(log)))
    hunt = f"""
    p = GET process FROM '{log}' WHERE name = 'ls'
    t = FIND process CREATED p
    n = FIND network-traffic CREATED BY p
    f = FIND file CREATED BY p
    DISP t ATTR name, pid
    DISP n ATTR dst_ref.value, dst_port
    DISP f ATTR path, host
    """
    command = [sys.executable, "-P", "-m", "kestrel", "run", "--format", "json", "-c", hunt]
    done = subprocess.run(command, env={**os.environ, "KESTREL_FORMATS": str(folder)}, capture_output=True, text=True, check=True)
    rows = [r["rows"] for r in map(json.loads, done.stdout.splitlines()) if r.get("kind") == "table"]
    assert rows == [[["sh", 10]], [["192.0.2.1", 443]], [["/tmp/x", "pc-1"]]]


@pytest.mark.skipif(not DATA.is_dir(), reason="the real logs are not here")
def test_a_draft_of_any_log_is_a_definition() -> None:
    """Whatever names and values its fields have."""
    folders = [folder for folder in sorted((DATA / "formats").iterdir()) if folder.is_dir()]
    files = [next((f for f in sorted(folder.iterdir()) if f.is_file() and "truth" not in f.name), None) for folder in folders]
    drafted = 0
    with Session() as session:
        for file in filter(None, files):
            try:
                text = session.draft(str(file))
            except HuntErrors as error:
                assert error.errors[0].code in ("K0401", "K0402"), (file, error)
                continue
            name = text.split("\nname: ")[1].split("\n")[0]
            assert definition_of(f"{name}.yaml", text.replace(f"name: {name}", "name: a-draft", 1), False, definitions()).parts["events"]
            drafted += 1
    assert drafted > 5
