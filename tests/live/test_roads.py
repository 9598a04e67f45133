"""One hunt, one answer: on a file, on a server that is asked for a whole time range, and on one that is asked for what each step needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kestrel import Session
from kestrel.result import Result, Summary, Table
from kestrel.text import batched
from tests.live.fixtures import Profiled
from tests.servers.fixtures import SAMPLE
from tests.servers.index import Index
from tests.servers.server import Server

DAY = "START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'"
HOST = "stixshifter://host101"
GETS = {
    "name": f"GET process FROM {HOST} WHERE name = 'powershell.exe' {DAY}",
    "name in another case": f"GET process FROM {HOST} WHERE name LIKE 'POWERSHELL%' {DAY}",
    "two comparisons": f"GET process FROM {HOST} WHERE name = 'svchost.exe' AND command_line LIKE '%-s Schedule%' {DAY}",
    "two kinds of record": f"GET process FROM {HOST} WHERE name = 'amcet.exe' AND opened_connection_refs.dst_port = 443 {DAY}",
    "one of two": f"GET process FROM {HOST} WHERE name IN ('amcet.exe', 'cmd.exe') OR pid = 4 {DAY}",
    "not": f"GET process FROM {HOST} WHERE name = 'svchost.exe' AND command_line NOT LIKE '%Schedule%' {DAY}",
    "missing": f"GET process FROM {HOST} WHERE name = 'svchost.exe' AND command_line IS NULL {DAY}",
    "parent": f"GET process FROM {HOST} WHERE parent_ref.name = 'explorer.exe' {DAY}",
    "parent's command line": f"GET process FROM {HOST} WHERE parent_ref.command_line LIKE '%-s Schedule%' {DAY}",
    "binary": f"GET process FROM {HOST} WHERE binary_ref.parent_directory_ref.path = 'C:\\\\Windows\\\\System32' AND name LIKE 'c%' {DAY}",
    "expression": f"GET process FROM {HOST} WHERE command_line MATCHES '(?i)forcev1$' {DAY}",
    "number": f"GET process FROM {HOST} WHERE pid > 9000 {DAY}",
    "user": f"GET process FROM {HOST} WHERE creator_user_ref.account_login = 'SYSTEM' AND name = 'cmd.exe' {DAY}",
    "another type": f"GET process FROM {HOST} WHERE [network-traffic:dst_port = 443] {DAY}",
    "traffic": f"GET network-traffic FROM {HOST} WHERE dst_port = 443 {DAY}",
    "traffic by address": f"GET network-traffic FROM {HOST} WHERE dst_ref.value = '9.148.5.93' {DAY}",
    "file": f"GET file FROM {HOST} WHERE name = 'powershell.exe' {DAY}",
    "file by folder": f"GET file FROM {HOST} WHERE parent_directory_ref.path LIKE 'C:\\\\Users\\\\%' {DAY}",
    "registry": f"GET windows-registry-key FROM {HOST} WHERE key LIKE '%\\\\Run%' {DAY}",
    "domain": f"GET domain-name FROM {HOST} WHERE value LIKE '%.com' {DAY}",
    "address": f"GET ipv4-addr FROM {HOST} WHERE value = '9.148.5.93' {DAY}",
    "user account": f"GET user-account FROM {HOST} WHERE account_login LIKE 'a%' {DAY}",
    "a night": f"GET process FROM {HOST} WHERE name = 'cmd.exe' START t'2021-04-02T22:00:00Z' STOP t'2021-04-03T02:00:00Z'",
}
FINDS = {
    "children": ("process", "GET process FROM {0} WHERE name = 'cmd.exe' {1}", "FIND process CREATED BY x"),
    "parents": ("process", "GET process FROM {0} WHERE name = 'amcet.exe' {1}", "FIND process CREATED x"),
    "descendants": ("process", "GET process FROM {0} WHERE command_line LIKE '%-s Schedule%' {1}", "FIND process CREATED BY x DEPTH ANY"),
    "two hops": ("process", "GET process FROM {0} WHERE name = 'explorer.exe' {1}", "FIND process CREATED BY x DEPTH 2"),
    "traffic": ("process", "GET process FROM {0} WHERE name = 'amcet.exe' {1}", "FIND network-traffic CREATED BY x"),
    "who connects": ("network-traffic", "GET network-traffic FROM {0} WHERE dst_ref.value = '9.148.5.93' {1}", "FIND process CREATED x"),
    "files written": ("process", "GET process FROM {0} WHERE name = 'powershell.exe' {1}", "FIND file WROTE BY x"),
    "who loaded": ("file", "GET file FROM {0} WHERE name = 'powershell.exe' {1}", "FIND process LOADED x"),
    "linked": ("process", "GET process FROM {0} WHERE name = 'amcet.exe' {1}", "FIND file LINKED x"),
    "owner": ("process", "GET process FROM {0} WHERE name = 'cmd.exe' {1}", "FIND user-account OWNED x"),
    "asked": ("process", "GET process FROM {0} WHERE name = 'powershell.exe' {1}", "FIND domain-name QUERIED BY x"),
    "resolved": ("domain-name", "GET domain-name FROM {0} WHERE value LIKE '%' {1}", "FIND ipv4-addr RESOLVED_TO BY x"),
    "filtered": ("process", "GET process FROM {0} WHERE name = 'cmd.exe' {1}", "FIND process CREATED BY x WHERE command_line LIKE '%ForceV1'"),
    "from an address": ("ipv4-addr", "NEW ipv4-addr ['9.148.5.93']", "FIND network-traffic ACCEPTED BY x"),
}
HUNTS = {name: f"x = {get}\nDISP x" for name, get in GETS.items()} | {
    f"FIND {name}": f"x = {get.format(HOST, DAY)}\n{f'w = GET process FROM {HOST} LIMIT 1 {DAY}' if 'NEW' in get else ''}\ny = {find}\nDISP y"
    for name, (_, get, find) in FINDS.items()
}
OTHER = {
    "SORT and GROUP": f"x = {GETS['name']}\ny = SORT x BY command_line ASC\nDISP y ATTR command_line\n"
    "g = GROUP x BY parent_ref.name WITH COUNT(pid) AS n\nDISP g",
    "union": f"x = {GETS['name']}\nz = {GETS['one of two']}\ny = x + z\nDISP y ATTR name, pid",
    "values of a variable": f"n = {GETS['traffic by address']}\n"
    f"x = GET process FROM {HOST} WHERE opened_connection_refs.src_port = n.src_port {DAY}\nDISP x",
    "another range": f"x = GET process FROM {HOST} WHERE name = 'explorer.exe' {DAY}\n"
    "y = FIND process CREATED BY x START t'2021-04-04T00:00:00Z' STOP t'2021-04-05T00:00:00Z'\nDISP y ATTR name, command_line",
    "limit": f"x = GET process FROM {HOST} WHERE name = 'svchost.exe' {DAY} LIMIT 7\nDISP x",
    "filter": f"x = {GETS['name']}\ny = GET process FROM x WHERE binary_ref.hashes.MD5 IS NOT NULL\nDISP y ATTR name, binary_ref.hashes.MD5",
    "records": f"x = {GETS['traffic by address']}\ny = RECORDS(x)\nDISP y ATTR dst_port, first_observed",
}


@pytest.fixture(scope="module")
def on_file() -> dict[str, Any]:
    """What each hunt gives on the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KESTREL_CACHE", "off")
        patch.setenv("STIXSHIFTER_HOST101_CONNECTOR", "file")
        patch.setenv("STIXSHIFTER_HOST101_CONNECTION", json.dumps({"path": str(SAMPLE)}))
        patch.setenv("STIXSHIFTER_HOST101_CONFIG", "{}")
        with Session(rows=None) as session:
            return {name: answers(session.run(hunt)) for name, hunt in (HUNTS | OTHER).items()}


def answers(results: list[Result]) -> Any:
    """What tables show, and what was made. Two things hang on which records are known, also on files: the id of a process that no
    record names by more than its pid (its life begins with its first mention), and the case in which a Windows path is shown."""
    shown = [(r.variable, r.columns, sorted(map(_plain(r.columns), r.rows)), r.total) for r in results if isinstance(r, Table)]
    made = [m for r in results if isinstance(r, Summary) for m in r.variables if m.name != "w"]
    return shown, [(m.name, m.type, m.entities, m.records, m.first_observed, m.last_observed) for m in made]


def _plain(columns: tuple[str, ...]) -> Any:
    return lambda row: [str(v).casefold() for c, v in zip(columns, row, strict=True) if c != "id"]


@pytest.mark.parametrize("whole", [1_000_000, 1], ids=["whole", "narrow"])
def test_the_same_as_on_the_file(server: Server, sample: Index, profiled: Profiled, on_file: dict[str, Any], whole: int) -> None:
    """Several hunts a session: what was asked before changes no answer."""
    profiled(server.url, sample.name, options={"fetch_whole": whole})
    wrong = {}
    for some in batched(list((HUNTS | OTHER).items()), 6):
        with Session(rows=None) as session:
            for name, hunt in some:
                found = answers(session.run(hunt))
                if found != on_file[name]:
                    wrong[name] = (found, on_file[name])
    assert not wrong, "\n".join(f"{name}: {found[1]} and not {expected[1]}" for name, (found, expected) in wrong.items())


@pytest.mark.parametrize("name", ["name", "parent", "FIND children", "FIND linked", "FIND who loaded", "two kinds of record"])
def test_alone_it_is_the_same(server: Server, sample: Index, profiled: Profiled, on_file: dict[str, Any], name: str) -> None:
    profiled(server.url, sample.name, options={"fetch_whole": 1})
    with Session(rows=None) as session:
        assert answers(session.run((HUNTS | OTHER)[name])) == on_file[name]


@pytest.mark.parametrize("kind", ["process", "network-traffic", "file"])
def test_a_few_are_found_without_reading_all(server: Server, sample: Index, profiled: Profiled, kind: str) -> None:
    """LIMIT gives the same first entities, from a part of the records."""
    hunt = f"x = GET {kind} FROM {HOST} LIMIT 3 START t'2021-04-02T00:00:00Z' STOP t'2021-04-05T00:00:00Z'\nDISP x"
    found, cost = [], []
    for whole in (1_000_000, 1):
        profiled(server.url, sample.name, options={"fetch_whole": whole})
        with Session(rows=None) as session:
            results = session.run(hunt)
            found.append(answers(results))
            cost.append(next(r for r in results if isinstance(r, Summary)).asked[0].records)
    assert found[0] == found[1]
    assert cost[1] < cost[0] / 1.5
