"""Two ways to write one thing give one answer; what can be worked out from the shown rows in plain Python is what Python works out."""

from __future__ import annotations

import itertools
import math
import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kestrel import Session
from kestrel.engine.answers import Answers
from kestrel.errors import HuntErrors
from kestrel.graph.steps import AttributePath, type_of
from kestrel.model.vocabulary import vocabulary
from kestrel.result import Description, Info, Table
from kestrel.settings import Settings
from tests.events import creation, guid, write
from tests.fuzz.hunts import Hunt
from tests.fuzz.records import write_logs
from tests.fuzz.running import forget

Row = dict[str, Any]
TYPES = ("process", "process", "network-traffic", "file", "windows-registry-key", "user-account", "ipv4-addr", "domain-name", "x-oca-event")
SOURCES = ("flat.json", "beat.ndjson", "mixed.json", "flat.json, beat.ndjson", "empty.json")
RANGES = ("", "", " START 2021-01-01T00:30:00Z STOP 2021-01-01T02:00:00Z")
ENDINGS = ("csv", "csv.gz", "json", "json.zst", "ndjson", "ndjson.gz", "parquet", "parquet.gz")

seeds = st.integers(0, 10**6)
EXAMPLES = int(os.environ.get("KESTREL_EXAMPLES", "3"))
"""How many of each kind of hunt are compared; more find more."""
some = settings(max_examples=EXAMPLES, deadline=None)


class Laboratory:
    """A session over generated logs, and another one that has not seen what the first has."""

    def __init__(self, folder: Path, world: int) -> None:
        self.folder = folder
        write_logs(folder, Random(world))
        self.session, self.other = self.fresh(), self.fresh()

    def fresh(self) -> Session:
        session = Session(rows=None, settings=Settings(cache=None, rows=None))
        session.engine.con.execute("SET threads = 1")
        return session

    def ask(self, text: str, session: Session | None = None, **parameters: Any) -> dict[str, list[Row]]:
        """Every variable of a hunt as rows in the order of ids."""
        session = session or self.session
        forget(session)
        session.run(text.replace("@", f"{self.folder}/"), parameters=parameters)
        return {name: sorted(session[name].to_dicts(), key=lambda r: str(r["id"])) for name in session.scope}

    def outcome(self, text: str, session: Session | None = None, **parameters: Any) -> dict[str, list[Row]] | list[str]:
        """The same, or the codes of what is wrong with it."""
        try:
            return self.ask(text, session, **parameters)
        except HuntErrors as caught:
            return sorted(e.code for e in caught.errors)

    def ids(self, text: str, **parameters: Any) -> dict[str, set[str]] | None:
        """The ids of every variable of a hunt; None where something is wrong with it."""
        forget(self.session)
        try:
            self.session.run(text, parameters=parameters)
        except HuntErrors:
            return None
        engine = self.session.engine
        answers = Answers(engine)
        found = {}
        for name, step in self.session.scope.items():
            rows = answers.rows(answers.distinct(engine.evaluate(step), [AttributePath(type_of(step), (), "id")])[0])
            found[name] = {row[0] for row in rows}
        return found

    def shown(self, text: str) -> list[Any]:
        forget(self.session)
        return self.session.run(text.replace("@", f"{self.folder}/"))


@pytest.fixture(scope="module", params=(1, pytest.param(2, marks=pytest.mark.slow)))
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    yield from laboratory(tmp_path_factory.mktemp("laboratory"), request.param)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    yield from laboratory(tmp_path_factory.mktemp("family"), 1)


def laboratory(folder: Path, world: int) -> Iterator[Laboratory]:
    """Its folder is the working directory as long as it is used."""
    before = Path.cwd()
    made = Laboratory(folder, world)
    os.chdir(folder)
    yield made
    os.chdir(before)
    made.session.close()
    made.other.close()


def part(seed: int) -> tuple[Random, Hunt, str, str]:
    """Chance, a writer of patterns, a type and how all entities of it are asked."""
    chance = Random(seed)
    hunt = Hunt(chance)
    hunt.careless = False
    kind = chance.choice(TYPES)
    return chance, hunt, kind, f"GET {kind} FROM {chance.choice(SOURCES)}"


def ids(rows: list[Row]) -> set[str]:
    return {row["id"] for row in rows}


def own_pattern(hunt: Hunt, kind: str, chance: Random) -> str:
    """A comparison of the entities' own recorded attributes: no other entity of the record, nothing counted, no parameter."""
    while True:
        text = hunt._comparison(kind)
        if "$" not in text and "observed" not in text and text.split()[0].partition(":")[0] not in set(TYPES) - {kind} | {"file", "directory"}:
            return text


# -- steps ---------------------------------------------------------------------------------------------------------


@some
@given(seed=seeds)
def test_get_from_a_variable_is_a_filter_of_it(lab: Laboratory, seed: int) -> None:
    chance, hunt, kind, every = part(seed)
    pattern, first = hunt._pattern(kind), hunt._where(kind, 0.5) + chance.choice(RANGES)
    value = chance.choice(("cmd.exe", 4, ["cmd.exe", "svchost.exe"]))
    one = lab.outcome(f"v = {every}{first} x = GET {kind} FROM v WHERE {pattern}", name=value)
    two = lab.outcome(f"v = {every}{first} x = v WHERE {pattern}", name=value)
    assert one == two


@some
@given(seed=seeds)
def test_union_takes_each_once_and_in_any_order(lab: Laboratory, seed: int) -> None:
    _, hunt, kind, every = part(seed)
    text = f"a = {every} WHERE {own_pattern(hunt, kind, Random(seed))} b = {every} WHERE {own_pattern(hunt, kind, Random(seed + 1))}"
    found = lab.outcome(f"{text} aa = a + a aaa = aa + a ab = a + b ba = b + a aba = ab + a again = ab + ba")
    if isinstance(found, list):
        return
    assert found["aa"] == found["aaa"] == found["a"]
    assert found["ab"] == found["ba"] == found["aba"] == found["again"]
    assert ids(found["ab"]) == ids(found["a"]) | ids(found["b"])


@some
@given(seed=seeds)
def test_and_or_and_not_are_sets(lab: Laboratory, seed: int) -> None:
    chance, hunt, kind, every = part(seed)
    a, b = own_pattern(hunt, kind, chance), own_pattern(hunt, kind, chance)
    found = lab.ids(
        f"all = {every} a = {every} WHERE {a} b = {every} WHERE {b} both = {every} WHERE {a} AND {b} either = {every} WHERE {a} OR {b} "
        f"no = {every} WHERE NOT ({a}) ab = a WHERE {b} no2 = all WHERE NOT ({a}) a2 = all WHERE {a}"
    )
    if found is None:
        return
    whole = found["all"]
    assert found["both"] == found["a"] & found["b"] == found["ab"]
    assert found["either"] == found["a"] | found["b"]
    assert found["no"] == whole - found["a"] == found["no2"]
    assert found["a2"] == found["a"]


@some
@given(seed=seeds)
def test_a_negative_comparison_takes_those_with_values_and_none_that_fits(lab: Laboratory, seed: int) -> None:
    chance, hunt, kind, every = part(seed)
    attribute = hunt._attribute(kind)
    operator = chance.choice(("=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"))
    value = hunt._value(kind, attribute, operator)
    listed = f"({value})" if operator == "IN" else value
    negative = f"{attribute} NOT {operator} {listed}" if operator != "=" else f"{attribute} != {listed}"
    found = lab.ids(
        f"v = {every} valued = {every} WHERE {attribute} IS NOT NULL yes = {every} WHERE {attribute} {operator} {listed} "
        f"no = {every} WHERE {negative} none = {every} WHERE {attribute} IS NULL valued2 = v WHERE {attribute} IS NOT NULL "
        f"yes2 = v WHERE {attribute} {operator} {listed} "
        f"no2 = v WHERE {negative}",
        name="cmd.exe",
    )
    if found is None:
        return
    for v, y, n in (("valued", "yes", "no"), ("valued2", "yes2", "no2")):
        assert found[n] == found[v] - found[y]
        assert found[y] <= found[v]
    assert found["none"] == found["v"] - found["valued"]
    assert found["valued2"] == found["valued"]


@some
@given(seed=seeds)
def test_neither_order_nor_repetition_changes_an_answer(lab: Laboratory, seed: int) -> None:
    chance, hunt, kind, every = part(seed)
    one = f"a = {every}{hunt._where(kind, 0.8)}{chance.choice(RANGES)} b = a{hunt._where(kind, 0.8)} LIMIT 3"
    hunt.kinds = {}
    two = f"c = {every}{hunt._where(kind, 0.8)} LIMIT 2 d = FIND process LINKED c"
    first = lab.outcome(f"{one} {two} TIMESTAMPED(a)", name="cmd.exe")
    again = lab.outcome(f"{two} {one} {one} TIMESTAMPED(a)", lab.other, name="cmd.exe")
    if isinstance(first, list):
        assert isinstance(again, list) and set(again) == set(first)
        return
    assert isinstance(again, dict)
    assert first == again


@some
@given(value=st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.sampled_from(["cmd.exe", "a'b.exe", "100%_x.exe", "тест.exe"])))
def test_a_parameter_is_its_literal(lab: Laboratory, value: Any) -> None:
    literal = str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else quoted(value)
    for operator in ("=", "!=", "LIKE", "MATCHES"):
        text = f"p = GET process FROM flat.json WHERE name {operator} {{0}} q = p WHERE name IN ({{0}}, 'System') "
        text += "n = NEW [{0}] m = n WHERE name = {0}"
        one, two = lab.ids(text.format(literal)), lab.ids(text.format("$value"), value=value)
        assert one == two
        assert one is None or one["m"] == one["n"]
        text = "q = GET process FROM flat.json WHERE name IN {0} r = GET process FROM flat.json WHERE name {1} IN {0}"
        for no in ("", "NOT"):
            assert lab.ids(text.format(f"({literal}, 'System')", no)) == lab.ids(text.format("$value", no), value=[value, "System"])


def quoted(text: str) -> str:
    """A literal for any text: what cannot stand in it as it is by its number."""
    return "'" + "".join(c if c.isalnum() or c in " .%_" else f"\\U{ord(c):08x}" for c in text) + "'"


# -- rows in plain Python ------------------------------------------------------------------------------------------


def in_order(rows: list[Row], attribute: str, ascending: bool) -> list[str]:
    """The ids of rows sorted as SORT sorts: missing values last, then by first observation, then by id."""
    rows = sorted(rows, key=lambda r: (r["first_observed"] or datetime.max, r["id"]))
    having = [r for r in rows if r.get(attribute) is not None]
    having.sort(key=lambda r: r[attribute], reverse=not ascending)
    if not ascending:
        having = [r for _, group in itertools.groupby(having, key=lambda r: r[attribute]) for r in group]
    return [r["id"] for r in (*having, *(r for r in rows if r.get(attribute) is None))]


@some
@given(seed=seeds)
def test_sort_and_limit_are_those_of_python(lab: Laboratory, seed: int) -> None:
    chance, _, _, every = part(seed)
    every += chance.choice(RANGES)
    rows = lab.ask(f"v = {every}")["v"]
    names = sorted({name for row in rows for name in row if not isinstance(row[name], list)} - {"type"}) or ["id"]
    attribute, ascending = chance.choice(names), chance.random() < 0.5
    limit, offset = chance.randrange(6), chance.randrange(3)
    word = "ASC" if ascending else "DESC"
    expected = in_order(rows, attribute, ascending)
    results = lab.shown(
        f"v = {every} s = SORT v BY {attribute} {word} DISP s ATTR id c = s LIMIT {limit} OFFSET {offset} DISP c ATTR id "
        f"DISP v ATTR id SORT BY {attribute} {word} LIMIT {limit} OFFSET {offset}"
    )
    tables = [[row[0] for row in r.rows] for r in results if isinstance(r, Table)]
    assert tables[0] == expected
    assert tables[1] == tables[2] == expected[offset : offset + limit]


@some
@given(seed=seeds)
def test_group_counts_what_the_shown_rows_say(lab: Laboratory, seed: int) -> None:
    chance, _, _, every = part(seed)
    flat = chance.random() < 0.3
    made = f"v = {every}" + (" w = TIMESTAMPED(v)" if flat else " w = v WHERE id IS NOT NULL")
    rows = lab.ask(made)["w"]
    names = sorted({n for row in rows for n in row if not isinstance(row[n], list)} - {"type"}) or ["id"]
    key, other = chance.choice(names), chance.choice(names)
    values = [row[key] for row in rows if row[key] is not None] if rows else []
    size, unit = chance.choice((1, 7, 60, 1000)), ""
    binned = bool(values) and not isinstance(values[0], str)
    if binned and isinstance(values[0], datetime):
        unit = chance.choice((" s", " minutes", " hours"))
    by = f"BIN({key}, {size}{unit})" if binned else key
    numeric = all(isinstance(row[other], int) for row in rows if row[other] is not None) and any(row[other] is not None for row in rows)
    functions = ["COUNT", "NUNIQUE", "MIN", "MAX", *(["SUM", "AVG"] if numeric else [])]
    results = lab.shown(
        f"{made} g = GROUP w BY {by} WITH {', '.join(f'{f}({other}) AS c{f}' for f in functions)} DISP g ATTR {key}{'_bin' if binned else ''}, "
        + ", ".join(f"c{f}" for f in functions)
    )
    table = next(r for r in results if isinstance(r, Table))
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        groups.setdefault(bin_of(row[key], size, unit) if binned else row[key], []).append(row[other])
    expected: set[tuple[Any, ...]] = set()
    for value, held in groups.items():
        known = [v for v in held if v is not None]
        stated = {
            "COUNT": len(known),
            "NUNIQUE": len(set(known)),
            "MIN": min(known, default=None),
            "MAX": max(known, default=None),
            "SUM": sum(known) if numeric else None,
            "AVG": statistics.fmean(known) if known and numeric else None,
        }
        expected.add((value, *(rounded(stated[f]) for f in functions)))
    assert Counter((row[0], *(rounded(v) for v in row[1:])) for row in table.rows) == Counter(expected)


def rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def bin_of(value: Any, size: int, unit: str) -> Any:
    if value is None:
        return None
    if isinstance(value, datetime):
        step = timedelta(seconds=size * {" s": 1, " minutes": 60, " hours": 3600}[unit])
        start = datetime(1970, 1, 1)
        return start + (value - start) // step * step
    return value // size * size


@some
@given(seed=seeds)
def test_describe_tells_what_python_tells(lab: Laboratory, seed: int) -> None:
    chance, _, _, every = part(seed)
    rows = lab.ask(f"v = {every}")["v"]
    names = sorted({n for row in rows for n in row if not isinstance(row[n], list)}) or ["id"]
    attribute = chance.choice(names)
    stated = next(r for r in lab.shown(f"v = {every} DESCRIBE v.{attribute}") if isinstance(r, Description))
    found = dict(stated.statistics)
    values = [row[attribute] for row in rows if row.get(attribute) is not None]
    assert (found["entities"], found["missing"], found["distinct"]) == (len(rows), len(rows) - len(values), len(set(values)))
    ranked = sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))[:10]
    assert list(stated.frequent) == ranked
    if values and not isinstance(values[0], str):
        assert (found["lowest"], found["highest"]) == (min(values), max(values))
    if values and isinstance(values[0], int):
        assert math.isclose(found["mean"], statistics.fmean(values), rel_tol=1e-9)
        assert math.isclose(found["median"], statistics.median(values), rel_tol=1e-9)
        if len(values) > 1:
            assert math.isclose(found["standard deviation"], statistics.stdev(values), rel_tol=1e-9, abs_tol=1e-9)


@some
@given(seed=seeds)
def test_there_is_a_row_for_each_entity_and_counted_record(lab: Laboratory, seed: int) -> None:
    chance, hunt, kind, every = part(seed)
    transform = chance.choice(("TIMESTAMPED", "RECORDS", "ADDOBSID"))
    text = f"v = {every} WHERE {own_pattern(hunt, kind, chance)}{chance.choice(RANGES)} t = {transform}(v)"
    found = lab.outcome(text)
    if isinstance(found, list):
        return
    assert Counter(row["id"] for row in found["t"]) == Counter({row["id"]: row["number_observed"] for row in found["v"]})
    for row in found["v"]:
        times = [r["first_observed"] for r in found["t"] if r["id"] == row["id"] and r["first_observed"]]
        assert (row["first_observed"], row["last_observed"]) == (min(times, default=None), max(times, default=None))


# -- files ---------------------------------------------------------------------------------------------------------


@some
@given(seed=seeds)
def test_what_is_saved_is_loaded(lab: Laboratory, seed: int) -> None:
    chance, hunt, kind, every = part(seed)
    made = f"v = {every}{chance.choice(('', ' WHERE id IS NULL', f' WHERE {own_pattern(hunt, kind, chance)}'))}"
    try:
        want = lab.ask(made)["v"]
    except HuntErrors:
        return
    ways = vocabulary().leading_from(kind) or ["FIND process LINKED"]
    for ending in chance.sample(ENDINGS, 3):
        lab.session.run(f"SAVE v TO 'there.{ending}'")
        follow = chance.choice(ways)
        found = lab.ask(f"{made} w = LOAD 'there.{ending}'{'' if want else f' AS {kind}'} f = {follow} v g = {follow} w")
        assert lab.session["w"].type == kind
        assert [stated(row) for row in found["w"]] == [stated(row) for row in want], ending
        assert found["f"] == found["g"] or every.endswith("empty.json")


def stated(row: Row) -> Row:
    """What a row says: missing columns and missing values are one. How often it was seen is not for a file to tell."""
    return {name: value for name, value in row.items() if value is not None and name != "number_observed"}


# -- relations -----------------------------------------------------------------------------------------------------


@st.composite
def families(draw: st.DrawFn) -> list[Row]:
    """Processes, each with one parent: itself, one before or after it, one never seen otherwise, or none."""
    number = draw(st.integers(1, 9))
    records = []
    for n in range(number):
        parent = draw(st.one_of(st.none(), st.integers(0, number - 1), st.integers(50, 52)))
        records.append(creation(n, parent=parent))
        if parent is not None and draw(st.booleans()):
            del records[-1]["ParentImage"]
    return records


@some
@given(records=families(), start=st.integers(0, 8))
def test_find_is_a_join_and_any_depth_is_find_again_and_again(family: Laboratory, records: list[Row], start: int) -> None:
    path = write(family.folder / "family.json", records)
    every = f"GET process FROM '{path}'"
    steps = f"all = {every} v = {every} WHERE x_unique_id = '{guid(start)}' s0 = v"
    for way, name in (("CREATED BY", "down"), ("CREATED", "up")):
        steps += f" {name}0 = v"
        for n in range(1, 12):
            steps += f" {name}{n} = FIND process {way} {name}{n - 1}"
        steps += f" {name}Any = FIND process {way} v DEPTH ANY {name}3d = FIND process {way} v DEPTH 3"
        steps += f" {name}All = {' + '.join(f'{name}{n}' for n in range(1, 12))} {name}Three = {name}1 + {name}2 + {name}3"
    found = family.ids(f"{steps} j = JOIN all, v BY parent_ref.id, id k = JOIN v, all BY id, parent_ref.id")
    assert found is not None
    parents = {guid(int(r["RecordNumber"])): r.get("ParentProcessGuid") for r in records}
    known = {*parents, *(p for p in parents.values() if p)}
    names = {row["id"]: row["x_unique_id"] for row in family.session["all"].to_dicts()}
    assert set(names.values()) == known
    assert found["j"] == found["down1"]
    assert {names[i] for i in found["down1"]} == {c for c, p in parents.items() if p == guid(start)}
    assert found["k"] == (found["v"] if found["down1"] else set())
    for one, two in (("downAny", "downAll"), ("down3d", "downThree"), ("upAny", "upAll"), ("up3d", "upThree")):
        rows = [sorted(family.session[name].to_dicts(), key=lambda r: str(r["id"])) for name in (one, two)]
        assert rows[0] == rows[1]
    below: set[str] = set()
    front = {guid(start)} & known
    while front:
        front = {c for c, p in parents.items() if p in front} - below
        below |= front
    assert {names[i] for i in found["downAny"]} == below


def test_times_are_those_of_utc(lab: Laboratory) -> None:
    rows = lab.ask("v = GET process FROM flat.json")["v"]
    shown = lab.ask(f"v = GET process FROM flat.json WHERE first_observed >= t'{datetime(2021, 1, 1, 1, tzinfo=UTC).isoformat()}'")["v"]
    assert ids(shown) == {r["id"] for r in rows if r["first_observed"] >= datetime(2021, 1, 1, 1)}


@some
@given(seed=seeds)
def test_what_two_sources_give_together_is_what_both_give(lab: Laboratory, seed: int) -> None:
    chance, _, kind, _ = part(seed)
    span = chance.choice(RANGES)
    found = lab.ask(
        f"a = GET {kind} FROM flat.json{span} b = GET {kind} FROM beat.ndjson{span} ab = a + b both = GET {kind} FROM flat.json, beat.ndjson{span} "
        f"ta = TIMESTAMPED(ab) tb = TIMESTAMPED(both)"
    )
    assert found["ab"] == found["both"]
    assert [(r["id"], r["first_observed"]) for r in found["ta"]] == [(r["id"], r["first_observed"]) for r in found["tb"]]
    assert ids(lab.ask(f"a = GET {kind} FROM flat.json b = GET {kind} FROM beat.ndjson, flat.json ab = a + b")["ab"]) == ids(
        lab.ask(f"b = GET {kind} FROM flat.json, beat.ndjson")["b"]
    )


@some
@given(seed=seeds)
def test_a_range_of_a_variable_is_that_of_its_records(lab: Laboratory, seed: int) -> None:
    chance, _, kind, every = part(seed)
    start = datetime(2021, 1, 1) + timedelta(milliseconds=chance.randrange(3 * 3_600_000))
    stop = start + timedelta(milliseconds=chance.randrange(3_600_000))
    span = f"START t'{start.isoformat()}Z' STOP t'{stop.isoformat()}Z'"
    found = lab.ask(f"v = {every} t = TIMESTAMPED(v) one = {every} {span} two = GET {kind} FROM v {span}")
    inside = {r["id"] for r in found["t"] if r["first_observed"] and start <= r["first_observed"] < stop}
    assert ids(found["one"]) == ids(found["two"]) == inside
    assert found["one"] == found["two"]


def scalars(rows: list[Row]) -> list[str]:
    """The attributes of some rows that have single values."""
    return sorted({n for row in rows for n in row if row[n] is not None and not isinstance(row[n], list)} - {"type"}) or ["id"]


@some
@given(seed=seeds)
def test_disp_shows_the_distinct_rows_in_order(lab: Laboratory, seed: int) -> None:
    chance, _, _, every = part(seed)
    made = f"v = {every}" + chance.choice(("", " v = TIMESTAMPED(v)"))
    rows = lab.ask(made)["v"]
    names = [chance.choice(scalars(rows)) for _ in range(chance.randint(1, 3))]
    ordered = sorted(rows, key=lambda r: (r["first_observed"] or datetime.max, r["id"]))
    distinct = list(dict.fromkeys(tuple(r.get(n) for n in names) for r in ordered))
    limit, offset = chance.randrange(8), chance.randrange(4)
    shown = lab.shown(f"{made} DISP v ATTR {', '.join(names)} DISP v ATTR {', '.join(names)} LIMIT {limit} OFFSET {offset}")
    whole, cut = (r for r in shown if isinstance(r, Table))
    assert (list(whole.rows), whole.total) == (distinct, len(distinct))
    assert list(cut.rows) == distinct[offset : offset + limit]


@some
@given(seed=seeds)
def test_join_pairs_the_rows_of_equal_keys(lab: Laboratory, seed: int) -> None:
    chance, _, kind, every = part(seed)
    other = chance.choice((kind, "process", "file"))
    made = f"a = {every} b = GET {other} FROM {chance.choice(SOURCES)}" + chance.choice(("", " b = TIMESTAMPED(b)"))
    found = lab.ask(made)
    keys = chance.choice(scalars(found["a"])), chance.choice(scalars(found["b"]))
    if chance.randrange(2) and set(scalars(found["a"])) & set(scalars(found["b"])):
        keys = (chance.choice(sorted(set(scalars(found["a"])) & set(scalars(found["b"])))),) * 2
    joined = lab.ask(f"{made} j = JOIN a, b BY {keys[0]}, {keys[1]}")["j"]
    pairs = [(x, y) for x in found["a"] for y in found["b"] if x.get(keys[0]) is not None and same(x[keys[0]], y.get(keys[1]))]
    assert Counter(r["id"] for r in joined) == Counter(x["id"] for x, _ in pairs)
    provided = {n for r in joined for n in r} - {n for r in found["a"] for n in r}
    held = {n for _, y in pairs for n in y if y[n] is not None}
    assert {n for n in provided if any(r[n] is not None for r in joined)} <= held


def same(one: Any, two: Any) -> bool:
    return one == two if isinstance(one, type(two)) or two is None else str(one) == str(two)


@some
@given(seed=seeds)
def test_a_filter_of_rows_tests_what_they_show(lab: Laboratory, seed: int) -> None:
    chance, _, _, every = part(seed)
    made = f"v = {every} t = {chance.choice(('TIMESTAMPED(v)', 'JOIN v, v BY id, id', 'RECORDS(v)'))}"
    rows = lab.ask(made)["t"]
    name = chance.choice(scalars(rows))
    values = sorted({r[name] for r in rows if r.get(name) is not None}) or ["x"]
    value = chance.choice(values)
    literal = f"t'{value.isoformat()}Z'" if isinstance(value, datetime) else quoted(value) if isinstance(value, str) else str(value)
    tests: dict[str, Callable[[Any], bool]] = {"=": lambda v: v == value, "!=": lambda v: v != value}
    if not isinstance(value, str):
        tests |= {"<": lambda v: v < value, ">=": lambda v: v >= value}
    for operator, holds in tests.items():
        found = lab.ask(f"{made} w = t WHERE {name} {operator} {literal} x = t WHERE NOT ({name} {operator} {literal}) n = t WHERE {name} IS NULL")
        wanted = [r for r in rows if r.get(name) is not None and holds(r[name])]
        assert Counter(r["id"] for r in found["w"]) == Counter(r["id"] for r in wanted)
        assert len(found["x"]) == len(rows) - len(wanted)
        assert len(found["n"]) == sum(r.get(name) is None for r in rows)


@some
@given(seed=seeds)
def test_info_counts_what_is_there(lab: Laboratory, seed: int) -> None:
    chance, hunt, kind, every = part(seed)
    made = f"v = {every} WHERE {own_pattern(hunt, kind, chance)}"
    try:
        rows = lab.ask(made)["v"]
    except HuntErrors:
        return
    stated = next(r for r in lab.shown(f"{made} INFO v") if isinstance(r, Info))
    assert stated.entities == len(rows)
    for attribute in stated.attributes:
        values = [r[attribute.name] for r in rows if r.get(attribute.name) is not None]
        assert attribute.count == len(values), attribute
        if values and not isinstance(values[0], list):
            most = max(Counter(values).values())
            assert attribute.example == min(v for v, n in Counter(values).items() if n == most)
