"""A hunt for many values finds the same on a server as in its documents, though servers limit the clauses of a query."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from kestrel import Session
from tests.live.documents import HUNT, RANGE, process
from tests.live.fixtures import Profiled
from tests.servers.fixtures import Indexed
from tests.servers.index import Index
from tests.servers.server import Server

NUMBER = 300
ODD = ".+*|{}[]()#@&<>~^$%_ '\u00e9-"
"""Characters with a meaning in wildcards or regular expressions."""


def name(number: int) -> str:
    return f"p{ODD[number % len(ODD)]}{number}.exe"


def folder(number: int) -> str:
    return f"C:\\Tools {number % 100}\\x{ODD[number % len(ODD)]}y"


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest().upper()


def document(number: int) -> dict[str, Any]:
    made = process(number)
    path = f"{folder(number)}\\{name(number)}"
    made["process"]["hash"] = {"sha256": digest(number).lower(), "md5": "0" * 32}
    made["process"] |= {"name": name(number), "executable": path, "command_line": f'"{path}" marker-{number:03}'}
    return made


@pytest.fixture
def index(server: Server, indexed: Indexed) -> Index:
    return indexed(server, [document(n) for n in range(NUMBER)])


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


WANTED = range(40, 260)
HUNTS = {
    "names": (f"name IN ({', '.join(quoted(name(n)) for n in WANTED)})", set(WANTED)),
    "names and folders": (
        f"name IN ({', '.join(quoted(name(n)) for n in WANTED)})"
        f" AND binary_ref.parent_directory_ref.path IN ({', '.join(quoted(folder(n)) for n in range(150, NUMBER))})",
        {n for n in WANTED if folder(n) in {folder(m) for m in range(150, NUMBER)}},
    ),
    "any of many patterns": (
        " OR ".join(f"command_line LIKE '%marker-{n:03}'" for n in WANTED),
        set(WANTED),
    ),
    "any of many parts": (" OR ".join(f"command_line LIKE '%ker-{n:03}%'" for n in range(60, 160)), set(range(60, 160))),
    "hashes": (f"binary_ref.hashes.SHA256 IN ({', '.join(quoted(digest(n)) for n in range(100, 160))})", set(range(100, 160))),
    "any of many names": (" OR ".join(f"name LIKE {quoted(f'%{n}.EX%')}" for n in range(100, 200)), set(range(100, 200))),
}


@pytest.mark.parametrize("hunt", HUNTS)
def test_many_values(server: Server, index: Index, profiled: Profiled, hunt: str) -> None:
    condition, expected = HUNTS[hunt]
    profiled(server.url, index.name, options={"fetch_whole": 1})
    with Session(rows=None) as session:
        session.run(f"{HUNT} WHERE {condition} {RANGE}")
        assert {row["pid"] - 1000 for row in session["x"].to_dicts()} == expected
