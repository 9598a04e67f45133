"""What each statement, clause and value of the language is read as."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from kestrel.syntax import parse, to_text, tree
from kestrel.syntax.tree import (
    Aggregation,
    And,
    Apply,
    Argument,
    Assign,
    Bin,
    Boolean,
    Comparison,
    Describe,
    Disp,
    Explain,
    Expression,
    Find,
    Get,
    Group,
    Info,
    IsNull,
    Join,
    Last,
    Limit,
    ListOf,
    Load,
    Merge,
    New,
    Not,
    Number,
    Or,
    Parameter,
    Path,
    Range,
    Reference,
    Save,
    Sort,
    SortBy,
    SourceText,
    Text,
    Time,
    Word,
)

DESIGN_HUNT = """
    sp    = GET process FROM stixshifter://host101
            WHERE [process:name = 'svchost.exe']
            START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'
    sched = GET process FROM sp WHERE command_line LIKE '%-s Schedule%'
    tasks = FIND process CREATED BY sched
    DISP tasks ATTR name, command_line
"""


def only(text: str) -> tree.Statement:
    (statement,) = parse(text).statements
    return statement


def yielded(text: str) -> Any:
    statement = only(text)
    assert isinstance(statement, Assign)
    return statement.value


def where(pattern: str) -> Any:
    return yielded(f"x = a WHERE {pattern}").where


def value(text: str) -> Any:
    found = where(f"name = {text}")
    assert isinstance(found, Comparison)
    return found.value


def at(path: str) -> Path:
    kind, _, attribute = path.rpartition(":")
    return Path(kind or None, attribute)


def equal(path: str, what: str | int) -> Comparison:
    return Comparison(at(path), "=", Text(what) if isinstance(what, str) else Number(what))


def utc(*parts: int) -> Time:
    year, month, day, *rest = parts
    return Time(datetime(year, month, day, *rest, tzinfo=UTC))  # type: ignore[arg-type, misc]


DAY = Range(utc(2021, 4, 3), utc(2021, 4, 4))
A, B, C, P, V, X = (Word(n) for n in ("a", "b", "c", "p", "v", "x"))
PROCESS = Word("process")
MERE = Expression(A)


def test_the_hunt_of_the_design() -> None:
    hunt = parse(DESIGN_HUNT)
    assert hunt.statements == (
        Assign(Word("sp"), Get(PROCESS, (SourceText("stixshifter://host101"),), equal("process:name", "svchost.exe"), DAY)),
        Assign(
            Word("sched"),
            Get(PROCESS, (SourceText("sp"),), Comparison(at("command_line"), "LIKE", Text("%-s Schedule%"))),
        ),
        Assign(Word("tasks"), Find(PROCESS, Word("CREATED"), True, Word("sched"))),
        Disp(Expression(Word("tasks"), attributes=(at("name"), at("command_line")))),
    )
    assert hunt.comments == () and hunt.notices == ()


STATEMENTS: list[tuple[str, tree.Statement]] = [
    # GET
    ("x = GET process WHERE pid = 4", Assign(X, Get(PROCESS, (), equal("pid", 4)))),
    ("GET process FROM a WHERE pid = 4", Assign(None, Get(PROCESS, (SourceText("a"),), equal("pid", 4)))),
    ("x = GET x-oca-asset FROM a", Assign(X, Get(Word("x-oca-asset"), (SourceText("a"),), None))),
    (
        "x = GET process FROM a WHERE pid = 4 LAST 3 days LIMIT 7",
        Assign(X, Get(PROCESS, (SourceText("a"),), equal("pid", 4), Last(3, "DAY"), Limit(7))),
    ),
    (
        "x = GET process FROM $pool WHERE pid = $pid START $from STOP $to LIMIT $n",
        Assign(
            X,
            Get(
                PROCESS,
                (SourceText(Parameter("pool")),),
                Comparison(at("pid"), "=", Parameter("pid")),
                Range(Parameter("from"), Parameter("to")),
                Limit(Parameter("n")),
            ),
        ),
    ),
    # FIND
    ("x = FIND process CREATED p", Assign(X, Find(PROCESS, Word("CREATED"), False, P))),
    ("x = FIND process created by p", Assign(X, Find(PROCESS, Word("CREATED"), True, P))),
    ("FIND file WRITTEN BY p", Assign(None, Find(Word("file"), Word("WRITTEN"), True, P))),
    ("x = FIND process CREATED BY p DEPTH 3", Assign(X, Find(PROCESS, Word("CREATED"), True, P, 3))),
    ("x = FIND process CREATED BY p DEPTH any", Assign(X, Find(PROCESS, Word("CREATED"), True, P, "ANY"))),
    (
        "x = FIND network-traffic LINKED p WHERE dst_port = 443 LAST 5 h LIMIT 2",
        Assign(X, Find(Word("network-traffic"), Word("LINKED"), False, P, None, equal("dst_port", 443), Last(5, "HOUR"), Limit(2))),
    ),
    # NEW
    ("x = NEW ['a', 'a']", Assign(X, New(None, (Text("a"), Text("a"))))),
    ('x = NEW process ["cmd.exe", 5]', Assign(X, New(PROCESS, (Text("cmd.exe"), Number(5))))),
    ("x = NEW []", Assign(X, New(None, ()))),
    (
        'x = NEW process [{"name": "cmd.exe", "pid": 123}, {"name": null, "x y": true, "refs": [1, [2]]}]',
        Assign(
            X,
            New(
                PROCESS,
                (
                    (("name", Text("cmd.exe")), ("pid", Number(123))),
                    (("name", None), ("x y", Boolean(True)), ("refs", ListOf((Number(1), Number(2))))),
                ),
            ),
        ),
    ),
    (r'x = NEW [{"binary_ref.name": "C:\temp\new.exe"}]', Assign(X, New(None, ((("binary_ref.name", Text(r"C:\temp\new.exe")),),)))),
    ("x = NEW process ['a',\n  'b',  # so\n  'c']", Assign(X, New(PROCESS, (Text("a"), Text("b"), Text("c"))))),
    ("x = NEW process [{'pid': $pid}]", Assign(X, New(PROCESS, ((("pid", Parameter("pid")),),)))),
    # LOAD and SAVE
    ("x = LOAD out/a-1.csv", Assign(X, Load(SourceText("out/a-1.csv")))),
    ("x = LOAD 'my file.parquet' AS process", Assign(X, Load(SourceText("my file.parquet", True), PROCESS))),
    ("x = LOAD https://host/a/b.csv AS network-traffic", Assign(X, Load(SourceText("https://host/a/b.csv"), Word("network-traffic")))),
    ("SAVE v TO ~/a.parquet.gz", Save(V, SourceText("~/a.parquet.gz"))),
    (r"SAVE v TO 'C:\new\tables\v.csv'", Save(V, SourceText(r"C:\new\tables\v.csv", True))),
    ("SAVE v TO $file", Save(V, SourceText(Parameter("file")))),
    # SORT
    ("x = SORT v BY pid", Assign(X, SortBy(V, Sort(at("pid"))))),
    ("x = SORT v BY pid ASC", Assign(X, SortBy(V, Sort(at("pid"), True)))),
    ("SORT v BY process:pid desc", Assign(None, SortBy(V, Sort(at("process:pid"))))),
    # GROUP
    ("x = GROUP v BY src_ref.value", Assign(X, Group(V, (at("src_ref.value"),)))),
    (
        "x = GROUP v BY name, BIN(first_observed, 5 minutes) WITH COUNT(pid) AS n, max(pid)",
        Assign(
            X,
            Group(
                V,
                (at("name"), Bin(at("first_observed"), 5, "MINUTE")),
                (Aggregation("COUNT", at("pid"), "n"), Aggregation("MAX", at("pid"))),
            ),
        ),
    ),
    ("x = GROUP v BY BIN(first_observed, 5m)", Assign(X, Group(V, (Bin(at("first_observed"), 5, "MINUTE"),)))),
    ("x = GROUP v BY BIN(dst_port, 1024)", Assign(X, Group(V, (Bin(at("dst_port"), 1024),)))),
    ("x = GROUP v BY bin", Assign(X, Group(V, (at("bin"),)))),
    *(
        (f"x = GROUP v BY name WITH {f.lower()}(pid)", Assign(X, Group(V, (at("name"),), (Aggregation(f, at("pid")),))))
        for f in ("MIN", "MAX", "SUM", "AVG", "COUNT", "NUNIQUE")
    ),
    # JOIN
    ("x = JOIN a, b BY pid, process:parent_ref.pid", Assign(X, Join(A, B, (at("pid"), at("process:parent_ref.pid"))))),
    ("x = JOIN a, b", Assign(X, Join(A, B))),
    # merge and expression
    ("x = a + b + c", Assign(X, Merge((A, B, C)))),
    ("x = a\n  + b", Assign(X, Merge((A, B)))),
    ("x = a WHERE pid = 1 + b", Assign(X, Merge((Expression(A, where=equal("pid", 1)), B)))),
    ("x = a + b where pid = 1 + c", Assign(X, Merge((A, Expression(B, where=equal("pid", 1)), C)))),
    ("x = a", Assign(X, MERE)),
    ("x = TIMESTAMPED(a)", Assign(X, Expression(A, "TIMESTAMPED"))),
    ("x = addobsid ( a )", Assign(X, Expression(A, "ADDOBSID"))),
    (
        "x = RECORDS(a) WHERE pid = 4 ATTR name, hashes.'SHA-256' SORT BY pid ASC LIMIT 5 OFFSET 2",
        Assign(
            X,
            Expression(A, "RECORDS", equal("pid", 4), (at("name"), at("hashes.SHA-256")), Sort(at("pid"), True), Limit(5, 2)),
        ),
    ),
    # APPLY
    ("APPLY python://a/b ON v", Apply(SourceText("python://a/b"), (V,))),
    (
        "APPLY docker://risk-score ON a, b WITH x=abc, y=[1,2], z=v.pid, limit='5'",
        Apply(
            SourceText("docker://risk-score"),
            (A, B),
            (
                Argument("x", Text("abc")),
                Argument("y", ListOf((Number(1), Number(2)))),
                Argument("z", Reference("v", "pid")),
                Argument("limit", Text("5")),
            ),
        ),
    ),
    # what is shown
    ("DISP v", Disp(Expression(V))),
    ("DISP v ATTR name, pid LIMIT 3", Disp(Expression(V, attributes=(at("name"), at("pid")), limit=Limit(3)))),
    ("DISP RECORDS(v) ATTR event.original", Disp(Expression(V, "RECORDS", attributes=(at("event.original"),)))),
    *((f"DISP v AS {view.lower()}", Disp(Expression(V), view)) for view in ("TREE", "GRAPH", "TIMELINE", "CHART", "TABLE")),
    ("INFO v", Info(V)),
    ("DESCRIBE v.pid", Describe(V, at("pid"))),
    ("DESCRIBE v.parent_ref.name", Describe(V, at("parent_ref.name"))),
    ("DESCRIBE v.hashes.'SHA-256'", Describe(V, at("hashes.SHA-256"))),
    ("EXPLAIN v", Explain(V)),
]


@pytest.mark.parametrize(("text", "statement"), STATEMENTS, ids=[t for t, _ in STATEMENTS])
def test_statement(text: str, statement: tree.Statement) -> None:
    assert only(text) == statement
    assert only(to_text(parse(text))) == statement


PATTERNS: list[tuple[str, tree.Pattern]] = [
    ("pid = 4", equal("pid", 4)),
    ("pid == 4", equal("pid", 4)),
    ("[process:pid = 4]", equal("process:pid", 4)),
    ("[ (pid = 4) ]", equal("pid", 4)),
    ("pid = 1 OR pid = 2 AND pid = 3", Or((equal("pid", 1), And((equal("pid", 2), equal("pid", 3)))))),
    ("(pid = 1 OR pid = 2) AND pid = 3", And((Or((equal("pid", 1), equal("pid", 2))), equal("pid", 3)))),
    ("pid = 1 AND pid = 2 AND pid = 3", And((equal("pid", 1), equal("pid", 2), equal("pid", 3)))),
    ("pid = 1 AND (pid = 2 AND pid = 3)", And((equal("pid", 1), And((equal("pid", 2), equal("pid", 3)))))),
    ("[pid = 1] OR [pid = 2]", Or((equal("pid", 1), equal("pid", 2)))),
    ("[pid = 1] AND pid = 2", And((equal("pid", 1), equal("pid", 2)))),
    ("NOT (pid = 1)", Not(equal("pid", 1))),
    ("NOT pid = 1", Not(equal("pid", 1))),
    ("NOT pid = 1 AND pid = 2", And((Not(equal("pid", 1)), equal("pid", 2)))),
    ("NOT [pid = 1 OR pid = 2]", Not(Or((equal("pid", 1), equal("pid", 2))))),
    ("NOT NOT (pid = 1)", Not(Not(equal("pid", 1)))),
    ("name NOT LIKE 'a%'", Comparison(at("name"), "LIKE", Text("a%"), True)),
    ("name NOT LIKE 'a!%' ESCAPE '!'", Comparison(at("name"), "LIKE", Text("a!%"), True, "!")),
    ("name like ('a!%', 'b') escape '!'", Comparison(at("name"), "LIKE", ListOf((Text("a!%"), Text("b"))), False, "!")),
    ("name NOT = 'a'", Comparison(at("name"), "=", Text("a"), True)),
    ("name not matches 'a+'", Comparison(at("name"), "MATCHES", Text("a+"), True)),
    ("name NOT IN ('a')", Comparison(at("name"), "IN", ListOf((Text("a"),)), True)),
    ("value ISSUBSET '10.0.0.0/8'", Comparison(at("value"), "ISSUBSET", Text("10.0.0.0/8"))),
    ("value NOT ISSUPERSET '::1/128'", Comparison(at("value"), "ISSUPERSET", Text("::1/128"), True)),
    ("name IS NULL", IsNull(at("name"))),
    ("name is not null", IsNull(at("name"), True)),
    *((f"pid{sign}4", Comparison(at("pid"), sign, Number(4))) for sign in ("=", "!=", "<", "<=", ">", ">=")),
    ("pid = (4)", Comparison(at("pid"), "IN", ListOf((Number(4),)))),
    ("pid = [4, 5]", Comparison(at("pid"), "IN", ListOf((Number(4), Number(5))))),
    ("pid != (4, 5)", Comparison(at("pid"), "IN", ListOf((Number(4), Number(5))), True)),
    ("pid NOT != (4)", Comparison(at("pid"), "IN", ListOf((Number(4),)))),
    ("pid IN (1, (2, [3, (4)]), 5)", Comparison(at("pid"), "IN", ListOf(tuple(Number(n) for n in range(1, 6))))),
    ("pid IN (1, v.pid)", Comparison(at("pid"), "IN", ListOf((Number(1), Reference("v", "pid"))))),
    ("pid IN $pids", Comparison(at("pid"), "IN", Parameter("pids"))),
    ("pid IN v.pid", Comparison(at("pid"), "IN", Reference("v", "pid"))),
    ("pid IN 4", Comparison(at("pid"), "IN", ListOf((Number(4),)))),
    ("pid = v.pid AND name = v.name", And((Comparison(at("pid"), "=", Reference("v", "pid")), Comparison(at("name"), "=", Reference("v", "name"))))),
    ("process:hashes.'SHA-256' = 'a'", equal("process:hashes.SHA-256", "a")),
    ("file:hashes.SHA-256 = 'a'", equal("file:hashes.SHA-256", "a")),
    ("hashes.\"SHA-256\" = 'a'", equal("hashes.SHA-256", "a")),
    ("extensions.'a b'.c = 'a'", equal("extensions.'a b'.c", "a")),
    ("windows-registry-key:values[*].name = 'a'", equal("windows-registry-key:values[*].name", "a")),
    ("opened_connection_refs[*].dst_port = 4", equal("opened_connection_refs[*].dst_port", 4)),
    ("@timestamp > t'2021-04-03T00:00:00Z'", Comparison(at("@timestamp"), ">", utc(2021, 4, 3))),
    ("name = 'a'  # why\n AND pid = 4", And((equal("name", "a"), equal("pid", 4)))),
]


@pytest.mark.parametrize(("text", "pattern"), PATTERNS, ids=[t for t, _ in PATTERNS])
def test_pattern(text: str, pattern: tree.Pattern) -> None:
    assert where(text) == pattern
    assert only(to_text(parse(f"x = a WHERE {text}"))) == Assign(X, Expression(A, where=pattern))


VALUES: list[tuple[str, tree.Value]] = [
    ("12", Number(12)),
    ("-3.5", Number(-3.5)),
    ("+7", Number(7)),
    (".5", Number(0.5)),
    ("1e3", Number(1000.0)),
    ("0x1F", Number(31)),
    ("true", Boolean(True)),
    ("False", Boolean(False)),
    ("abc", Text("abc")),
    ("10.0.0.1", Text("10.0.0.1")),
    ("10.0.0.0/8", Text("10.0.0.0/8")),
    ("fe80::1", Text("fe80::1")),
    ("5a", Text("5a")),
    ("a-b", Text("a-b")),
    ("v.pid", Reference("v", "pid")),
    ("v.parent_ref.name", Reference("v", "parent_ref.name")),
    ("v.hashes.SHA-256", Reference("v", "hashes.SHA-256")),
    ("v.hashes.'SHA-256'", Reference("v", "hashes.SHA-256")),
    ("v.values[*].name", Reference("v", "values[*].name")),
    ("'v.pid'", Text("v.pid")),
    ("$p", Parameter("p")),
    ("'$p'", Text("$p")),
    ("t'2021-04-03T00:00:00Z'", utc(2021, 4, 3)),
    ("2021-04-03T01:02:03.5Z", utc(2021, 4, 3, 1, 2, 3, 500_000)),
    ("'2021-04-03T00:00:00Z'", Text("2021-04-03T00:00:00Z")),
    ("''", Text("")),
    ("'# no comment'", Text("# no comment")),
    ('"it\'s"', Text("it's")),
    ("'日本 файл 🦅'", Text("日本 файл 🦅")),
    ("отчёт", Text("отчёт")),
]


@pytest.mark.parametrize(("text", "meant"), VALUES, ids=[t for t, _ in VALUES])
def test_value(text: str, meant: tree.Value) -> None:
    assert value(text) == meant


SVCHOST = r"C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule"

# literal, what it means outside [ ], what it means inside, whether outside a notice tells of spared escapes
STRINGS = [
    (rf"'{SVCHOST}'", SVCHOST, SVCHOST, False),
    (r"'C:\temp\new'", r"C:\temp\new", r"C:\temp\new", True),
    (r"'C:\\temp\\new'", r"C:\temp\new", r"C:\temp\new", False),
    (r"'c:\\temp\new'", r"c:\temp\new", r"c:\temp\new", True),
    (r"'C:\Users\x\bin\r.exe'", r"C:\Users\x\bin\r.exe", r"C:\Users\x\bin\r.exe", True),
    (r"'\\\\srv\share\temp'", r"\\srv\share\temp", r"\\srv\share\temp", True),
    (r"'cmd /c C:\temp\new.bat'", r"cmd /c C:\temp\new.bat", r"cmd /c C:\temp\new.bat", True),
    (r"'%C:\temp\%'", r"%C:\temp\%", r"%C:\temp\%", True),
    (r"'%\Users\%'", r"%\Users\%", r"%\Users\%", False),
    (r"'%\Notes\xlsx\users%'", r"%\Notes\xlsx\users%", r"%\Notes\xlsx\users%", False),
    (r"'a\tb'", "a\tb", r"a\tb", False),
    (r"'name:\tb'", "name:\tb", r"name:\tb", False),
    (r"'a\nb'", "a\nb", r"a\nb", False),
    (r"'\x41\u0042\U00000043\N{BULLET}\104'", "ABC\N{BULLET}D", r"\x41\u0042\U00000043\N{BULLET}\104", False),
    (r"'a\d+\.exe'", r"a\d+\.exe", r"a\d+\.exe", False),
    (r"'it\'s'", "it's", "it's", False),
    (r'"a \"b\""', 'a "b"', 'a "b"', False),
    (r"'a\\'", "a\\", "a\\", False),
    (r"r'C:\new\d'", r"C:\new\d", r"C:\new\d", False),
    (r"R'a\\b'", r"a\\b", r"a\\b", False),
]


@pytest.mark.parametrize(("literal", "outside", "inside", "known"), STRINGS, ids=[s[0] for s in STRINGS])
def test_string(literal: str, outside: str, inside: str, known: bool) -> None:
    assert value(literal) == Text(outside)
    assert where(f"[name = {literal}]").value == Text(inside)
    assert bool(parse(f"x = a WHERE name = {literal}").notices) == known
    assert not parse(f"x = a WHERE [name = {literal}]").notices


def test_spared_escapes_are_told_once() -> None:
    notices = parse(r"x = NEW ['C:\temp', 'C:\new']" + "\n" + r"y = NEW ['D:\a']").notices
    assert notices == (("path-escapes", r"backslashes in Windows paths stay as written; `\\` is one backslash"),)


POOLS: list[tuple[str, tuple[SourceText, ...]]] = [
    ("stixshifter://host101", (SourceText("stixshifter://host101"),)),
    ("stixshifter://a,b", (SourceText("stixshifter://a"), SourceText("stixshifter://b"))),
    ("stixshifter://a,b,elastic://c", (SourceText("stixshifter://a"), SourceText("stixshifter://b"), SourceText("elastic://c"))),
    ("stixshifter://a, stixshifter://b", (SourceText("stixshifter://a"), SourceText("stixshifter://b"))),
    ("stixshifter://a,stixshifter://b", (SourceText("stixshifter://a"), SourceText("stixshifter://b"))),
    ("file:///var/log/a.json", (SourceText("file:///var/log/a.json"),)),
    ("https://host/a.json", (SourceText("https://host/a.json"),)),
    ("'https://host/a.json?x=1,2'", (SourceText("https://host/a.json?x=1,2", True),)),
    ("logs/*.json", (SourceText("logs/*.json"),)),
    ("../a-b_c.ndjson, v", (SourceText("../a-b_c.ndjson"), SourceText("v"))),
    (r"'C:\temp\new.evtx'", (SourceText(r"C:\temp\new.evtx", True),)),
    ("host101", (SourceText("host101"),)),
    ("$pool", (SourceText(Parameter("pool")),)),
]


@pytest.mark.parametrize(("text", "source_texts"), POOLS, ids=[t for t, _ in POOLS])
def test_pool(text: str, source_texts: tuple[SourceText, ...]) -> None:
    statement = f"x = GET process FROM {text} WHERE pid = 4"
    assert yielded(statement).source_texts == source_texts
    assert yielded(to_text(parse(statement))).source_texts == source_texts


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'", DAY),
        ("start 2021-04-03T00:00:00Z stop 2021-04-04T00:00:00Z", DAY),
        ("START '2021-04-03T00:00:00Z' STOP \"2021-04-04T00:00:00Z\"", DAY),
        ("START 2021-04-03 STOP 2021-04-04", DAY),
        ("START 2021-04-03T02:00:00+02:00 STOP '2021-04-03 19:00:00-05:00'", DAY),
        ("START 2021-04-03T00:00 STOP 2021-04-04T00:00:00.0000009Z", DAY),
        ("START 2021-04-03", Range(utc(2021, 4, 3))),
        ("START T'2021-04-03T00:00:00.123456Z' STOP $stop", Range(utc(2021, 4, 3, 0, 0, 0, 123456), Parameter("stop"))),
        *((f"LAST 3 {u}", Last(3, "DAY")) for u in ("d", "D", "day", "DAYS")),
        *((f"last 3 {u}", Last(3, "HOUR")) for u in ("h", "hour", "hours")),
        *((f"LAST 3 {u}", Last(3, "MINUTE")) for u in ("m", "minute", "Minutes")),
        *((f"LAST 3 {u}", Last(3, "SECOND")) for u in ("s", "second", "seconds")),
        ("LAST 30d", Last(30, "DAY")),
        ("LAST $n hours", Last(Parameter("n"), "HOUR")),
    ],
)
def test_time(text: str, meant: tree.TimeClause) -> None:
    assert yielded(f"x = GET process FROM a WHERE pid = 4 {text}").time == meant


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = GET process FROM a WHERE pid = 4 LAST 1 d LIMIT 3", "x = GET process LIMIT 3 LAST 1 d WHERE pid = 4 FROM a"),
        ("x = GET process FROM a WHERE pid = 4 LIMIT 3", "x = GET process WHERE pid = 4 LIMIT 3 FROM a"),
        (
            "x = FIND process CREATED BY p DEPTH 2 WHERE pid = 4 LAST 1 d LIMIT 3",
            "x = FIND process CREATED BY p LIMIT 3 LAST 1 d WHERE pid = 4 DEPTH 2",
        ),
        (
            "DISP v WHERE pid = 4 ATTR name, pid SORT BY pid ASC LIMIT 3 OFFSET 1 AS TABLE",
            "DISP v AS TABLE LIMIT 3 OFFSET 1 SORT BY pid ASC ATTR name, pid WHERE pid = 4",
        ),
        ("x = v ATTR name LIMIT 3 OFFSET 1", "x = v OFFSET 1 ATTR name LIMIT 3"),
        ("x = v ATTR name LIMIT 3 OFFSET 1", "x = v LIMIT 3 ATTR name OFFSET 1"),
    ],
)
def test_clauses_come_in_any_order(one: str, other: str) -> None:
    assert parse(one) == parse(other)
    assert to_text(parse(other)).strip() == one.replace("LAST 1 d", "LAST 1 DAY")


@pytest.mark.parametrize("text", [t for t, _ in STATEMENTS if not set("'\"$") & set(t) and not t.endswith(" bin")])
def test_keywords_ignore_case(text: str) -> None:
    keywords = (
        "GET FIND NEW LOAD SAVE SORT GROUP JOIN APPLY DISP INFO DESCRIBE EXPLAIN FROM WHERE START STOP LAST LIMIT OFFSET ATTR BY ASC DESC "
        "AS TO ON WITH CREATED WRITTEN LINKED DEPTH ANY TIMESTAMPED RECORDS COUNT BIN"
    ).split()
    mixed = " ".join(w.swapcase() if w.upper() in keywords else w for w in text.split(" "))
    assert parse(mixed) == parse(text)


def test_variables_do_not_ignore_case() -> None:
    assert only("x = A") != only("x = a")


SOFT = ["tree", "graph", "timeline", "chart", "table", "depth", "any", "records", "timestamped", "addobsid", "last", "desc", "asc"]
SOFT += ["offset", "bin", "count", "max", "to", "on", "as", "with", "null", "true", "t", "r", "d", "days", "CREATED"]


@pytest.mark.parametrize("name", SOFT)
def test_extension_words_are_free_for_variables(name: str) -> None:
    hunt = parse(
        f"{name} = GET process FROM a WHERE pid = {name}.pid\n"
        f"x = {name}\n"
        f"{name} = FIND process CREATED BY {name}\n"
        f"{name} = SORT {name} BY pid\n"
        f"{name} = {name} + {name}\n"
        f"DISP {name}\n"
        f"{name} = GET process FROM {name} LIMIT 3\n"
        f"INFO {name}"
    )
    word = Word(name)
    assert hunt.statements == (
        Assign(word, Get(PROCESS, (SourceText("a"),), Comparison(at("pid"), "=", Reference(name, "pid")))),
        Assign(X, Expression(word)),
        Assign(word, Find(PROCESS, Word("CREATED"), True, word)),
        Assign(word, SortBy(word, Sort(at("pid")))),
        Assign(word, Merge((word, word))),
        Disp(Expression(word)),
        Assign(word, Get(PROCESS, (SourceText(name),), None, None, Limit(3))),
        Info(word),
    )


def test_extension_words_as_attributes() -> None:
    found = only("DISP records AS TREE ATTR depth, any, chart SORT BY tree LIMIT 3")
    attributes = (at("depth"), at("any"), at("chart"))
    assert found == Disp(Expression(Word("records"), attributes=attributes, sort=Sort(at("tree")), limit=Limit(3)), "TREE")


def test_sort_after_disp_is_a_clause_or_a_statement() -> None:
    assert len(parse("DISP v\nSORT BY pid").statements) == 1
    assert len(parse("DISP v\nSORT v BY pid").statements) == 2


def test_comments() -> None:
    hunt = parse("# first\nx = a  # second\n\n    # third\nDISP x WHERE name = 'a # b'#last")
    assert [(c.text, c.trailing) for c in hunt.comments] == [("# first", False), ("# second", True), ("# third", False), ("#last", True)]
    assert len(hunt.statements) == 2


@pytest.mark.parametrize("text", ["", " \n\t\n", "# only this", "\ufeff", "\r\n"])
def test_nothing_to_do(text: str) -> None:
    assert parse(text).statements == ()


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
def test_lines_break_anywhere(end: str) -> None:
    words = ["x", "=", "GET", "process", "FROM", "a", ",", "b", "WHERE", "(", "pid", "=", "4", ")", "LAST", "3", "d", "DISP", "x"]
    assert parse(end.join(words)) == parse("x = GET process FROM a, b WHERE (pid = 4) LAST 3 d\nDISP x")


def test_a_comment_may_stand_anywhere() -> None:
    words = ["x", "=", "GET", "process", "FROM", "a", ",", "b", "WHERE", "(", "pid", "IN", "(", "4", ")", ")", "LAST", "3", "d", "DISP", "x"]
    hunt = parse(" # why\n".join(words))
    assert hunt == parse("x = GET process FROM a, b WHERE (pid IN (4)) LAST 3 d\nDISP x")
    assert len(hunt.comments) == len(words) - 1


def test_every_node_knows_its_place() -> None:
    text = "sp = GET process FROM a  WHERE [process:name = 'x'] AND pid IN (1, v.pid)  LIMIT 3 # end\nDISP sp SORT BY pid ASC"
    get, disp = parse(text).statements

    def shown(node: Any) -> str:
        return text[node.span.start : node.span.end]

    assert isinstance(get, Assign) and isinstance(get.value, Get) and get.target and isinstance(disp, Disp)
    assert shown(get) == text.partition(" # end")[0]
    assert shown(get.target) == "sp"
    assert [shown(p) for p in get.value.source_texts] == ["a"]
    assert shown(get.value.where) == "[process:name = 'x'] AND pid IN (1, v.pid)"
    assert isinstance(get.value.where, And)
    named, listed = get.value.where.parts
    assert shown(named) == "process:name = 'x'"
    assert isinstance(listed, Comparison) and isinstance(listed.value, ListOf)
    assert [shown(listed.path), shown(listed.value), *map(shown, listed.value.items)] == ["pid", "(1, v.pid)", "1", "v.pid"]
    assert shown(get.value.limit) == "LIMIT 3"
    assert shown(disp.expression.sort) == "SORT BY pid ASC"


@pytest.mark.parametrize("text", [t for t, _ in STATEMENTS])
def test_spans_lie_within_their_parents(text: str) -> None:
    def check(node: Any, outer: Any) -> None:
        if isinstance(node, tuple):
            for part in node:
                check(part, outer)
        elif is_dataclass(node) and not isinstance(node, type):
            span = node.span  # type: ignore[attr-defined]
            assert outer.start <= span.start < span.end <= outer.end, (node, text[span.start : span.end])
            for each in fields(node):
                if each.name != "span":
                    check(getattr(node, each.name), span)

    hunt = parse(text)
    check(hunt.statements, hunt.span)


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "'" + "a" * MEGABYTE + "'",
        "'" + "\\\\" * (MEGABYTE // 2) + "'",
        "'C:" + "\\t" * (MEGABYTE // 2) + "'",
        "a" * MEGABYTE,
        "5" * MEGABYTE + "a",
        "a." * (MEGABYTE // 2) + "a",
        "(" + "1," * (MEGABYTE // 20) + "1)",
        "4" + " " * MEGABYTE,
        "4 #" + "a" * MEGABYTE,
        "4" + "\n" * MEGABYTE,
    ],
    ids=["string", "backslashes", "path", "word", "digits", "reference", "list", "spaces", "comment", "lines"],
)
def test_a_megabyte_is_read(text: str) -> None:
    hunt = parse(f"x = a WHERE name = {text}")
    assert parse(to_text(hunt)) == hunt
