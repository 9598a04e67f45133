"""DISP ... AS: what is drawn, held against plain Python over the records it was drawn from."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

import pytest
import zstandard

from kestrel import Session
from kestrel.cli import main
from kestrel.display.html import to_html
from kestrel.display.jsonlines import to_line
from kestrel.display.notebook import DATA, bundle, unpacked
from kestrel.display.placing import ROW, placed
from kestrel.display.svg import ticks, to_svg
from kestrel.display.text_views import lines
from kestrel.errors import HuntErrors
from kestrel.ingest import dataset
from kestrel.result import Chart, Graph, Lane, Timeline, Tree, View
from tests.events import connection, creation, guid, write

HOSTILE = "<script>alert(1)</script><img src=http://x/y onerror=z>\u202e\x1b[31m'\"&.exe"


def view(session: Session, text: str) -> View:
    return next(r for r in session.run(text) if isinstance(r, Tree | Graph | Timeline | Chart))


def tree(session: Session, text: str) -> Tree:
    found = view(session, text)
    assert isinstance(found, Tree)
    return found


@pytest.fixture
def forest(tmp_path: Path) -> tuple[Path, dict[int, int | None]]:
    """A log of processes, and the parent of each."""
    chance = random.Random(7)
    parents: dict[int, int | None] = {n: None if n < 3 else chance.randrange(n) for n in range(120)}
    return write(tmp_path / "log.json", [creation(n, parent=p) for n, p in parents.items()]), parents


def ancestors(number: int, parents: dict[int, int | None]) -> list[int]:
    found = []
    while (above := parents[number]) is not None:
        found.append(number := above)
    return found


# -- trees --------------------------------------------------------------------------------------------------------


def test_a_tree_has_the_ancestors_and_descendants_and_nothing_else(session: Session, forest: tuple[Path, dict[int, int | None]]) -> None:
    log, parents = forest
    marked = {17, 40, 41, 90}
    names = ", ".join(f"'p{n}.exe'" for n in marked)
    found = tree(session, f"v = GET process FROM '{log}' WHERE name IN ({names})\nDISP v AS TREE")
    expected = marked | {a for n in marked for a in ancestors(n, parents)} | {n for n in parents if marked & set(ancestors(n, parents))}
    shown = {n.label.split(" ")[0]: n for n in found.nodes}
    assert set(shown) == {f"p{n}.exe" for n in expected} and found.total == len(found.nodes) == len(expected)
    assert {name for name, n in shown.items() if n.marked} == {f"p{n}.exe" for n in marked}
    path: list[str] = []
    for node in found.nodes:
        name = node.label.split(" ")[0]
        path = [*path[: node.depth], name]
        chain = ancestors(int(name[1:-4]), parents)
        assert path == [*(f"p{a}.exe" for a in reversed(chain)), name]


def test_siblings_stand_in_the_order_of_time_with_command_line_and_time(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(5, parent=1), creation(3, parent=1)])
    found = tree(session, f"v = GET process FROM '{log}' WHERE name = 'p1.exe'\nDISP v AS TREE")
    assert [(n.label, n.detail, n.time, n.depth) for n in found.nodes] == [
        ("p1.exe (101)", "p1.exe --run", datetime(2021, 1, 1, 0, 0, 1, tzinfo=UTC), 0),
        ("p3.exe (103)", "p3.exe --run", datetime(2021, 1, 1, 0, 0, 3, tzinfo=UTC), 1),
        ("p5.exe (105)", "p5.exe --run", datetime(2021, 1, 1, 0, 0, 5, tzinfo=UTC), 1),
    ]


def test_a_circle_of_parents_ends(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1, parent=2), creation(2, parent=1), creation(3, parent=2)])
    found = tree(session, f"v = GET process FROM '{log}' WHERE name = 'p3.exe'\nDISP v AS TREE")
    assert sorted(n.label for n in found.nodes) == ["p1.exe (101)", "p2.exe (102)", "p3.exe (103)"]


def test_a_long_chain_is_a_tree(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(n, parent=n - 1 if n else None) for n in range(400)])
    found = tree(session, f"v = GET process FROM '{log}' WHERE name = 'p200.exe'\nDISP v AS TREE")
    assert [n.depth for n in found.nodes] == list(range(400))
    assert "p399.exe" in to_html(found)


def test_connections_hang_below_their_processes(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1), connection(1, 2), connection(2, 1, "10.0.0.7", 80)])
    found = tree(session, f"v = GET network-traffic FROM '{log}' WHERE dst_port = 443\nDISP v AS TREE")
    assert [(n.label, n.marked, n.depth) for n in found.nodes] == [("p1.exe (101)", False, 0), ("p2.exe (102)", False, 1), ("10.0.0.9:443", True, 2)]


def test_descendants_are_of_the_time_that_was_asked(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1), creation(30, parent=1), creation(31, parent=30)])
    found = tree(session, f"v = GET process FROM '{log}' WHERE name = 'p30.exe' START 2021-01-01T00:00:20Z STOP 2021-01-02T00:00:00Z\nDISP v AS TREE")
    assert [n.label for n in found.nodes] == ["p1.exe (101)", "p30.exe (130)", "p31.exe (131)"]


# -- graphs -------------------------------------------------------------------------------------------------------


def test_a_graph_has_every_relation_around_the_variable(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1), creation(3, parent=2), creation(9), connection(1, 2)])
    found = view(session, f"v = GET process FROM '{log}' WHERE name = 'p2.exe'\nDISP v AS GRAPH")
    assert isinstance(found, Graph)
    named = {(found.nodes[e.subject].label, e.verb, found.nodes[e.object].label, e.records) for e in found.edges}
    assert named >= {
        ("p1.exe (101)", "CREATED", "p2.exe (102)", 1),
        ("p2.exe (102)", "CREATED", "p3.exe (103)", 1),
        ("p2.exe (102)", "CREATED", "10.0.0.9:443", 1),
        ("p2.exe (102)", "LOADED", "p2.exe", 3),
        ("CORP\\alice", "OWNED", "p2.exe (102)", 1),
    }
    assert "p9.exe (109)" not in {n.label for n in found.nodes}
    assert [n.label for n in found.nodes if n.marked] == ["p2.exe (102)"]


def test_the_find_of_a_node_leads_to_it(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1), creation(3, parent=2), connection(1, 2)])
    found = view(session, f"v = GET process FROM '{log}' WHERE name = 'p2.exe'\nDISP v AS GRAPH")
    assert isinstance(found, Graph)
    for node in found.nodes:
        table = session.run(f"n = {node.find}\nDISP n ATTR id LIMIT 100")[0]
        assert node.id in {row[0] for row in table.rows}, node  # type: ignore[union-attr]


def test_what_a_graph_leaves_out_is_told(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1), *(creation(n, parent=1) for n in range(2, 60))])
    found = view(session, f"v = GET process FROM '{log}' WHERE name = 'p1.exe'\nDISP v AS GRAPH")
    assert isinstance(found, Graph)
    children = [n for n in found.nodes if n.find == "FIND process CREATED BY v"]
    assert ("FIND process CREATED BY v", 58 - len(children)) in found.left_out


def test_nodes_of_a_graph_stand_apart(session: Session, forest: tuple[Path, dict[int, int | None]]) -> None:
    log, _ = forest
    found = view(session, f"v = GET process FROM '{log}' WHERE pid < 130\nDISP v AS GRAPH")
    assert isinstance(found, Graph)
    places = placed(found).nodes
    assert len(set(places)) == len(found.nodes)
    assert all(abs(a[1] - b[1]) >= ROW for n, a in enumerate(places) for b in places[n + 1 :] if a[0] == b[0])


# -- timelines and charts -----------------------------------------------------------------------------------------


def test_a_timeline_counts_every_record_by_its_kind(session: Session, tmp_path: Path) -> None:
    records = [creation(1), creation(2), connection(1, 1), connection(2, 1), connection(3, 1)]
    log = write(tmp_path / "log.json", records)
    found = view(session, f"v = GET process FROM '{log}' WHERE name = 'p1.exe'\nDISP v AS TIMELINE")
    assert isinstance(found, Timeline)
    assert [(lane.name, lane.records) for lane in found.lanes] == [("network", 3), ("process-create", 1)]
    assert all(sum(n for _, n in lane.parts) == lane.records for lane in found.lanes)
    assert (found.total, len(found.moments)) == (4, 4)
    assert [m.time for m in found.moments] == sorted(m.time for m in found.moments)
    assert (found.first, found.last) == (datetime(2021, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(2021, 1, 1, 1, 0, 3, tzinfo=UTC))


def test_a_record_of_several_entities_counts_once(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1), creation(3, parent=2)])
    found = view(session, f"v = GET process FROM '{log}'\nDISP v AS TIMELINE")
    assert isinstance(found, Timeline)
    assert (found.total, [(lane.name, lane.records) for lane in found.lanes]) == (3, [("process-create", 3)])
    known = [sorted(m.label.split(", ")) for m in found.moments]
    assert known == [["p1.exe (101)"], ["p1.exe (101)", "p2.exe (102)"], ["p2.exe (102)", "p3.exe (103)"]]


def test_the_timeline_of_the_demo_counts_its_lines(session: Session) -> None:
    with zstandard.open(str(resources.files("kestrel.demo") / "data" / "host101.ndjson.zst"), "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in set(lines)]
    codes = Counter((r["event"]["provider"], str(r["event"]["code"])) for r in records)
    found = view(session, "p = GET process FROM demo://host101\nDISP p AS TIMELINE")
    assert isinstance(found, Timeline)
    assert found.total == len(records) == 20_095
    assert sorted(lane.records for lane in found.lanes) == sorted(codes.values())


def test_each_sign_of_a_timeline_stands_for_as_many_parts(session: Session, tmp_path: Path) -> None:
    found = Timeline("v", "process", datetime(2021, 1, 1, tzinfo=UTC), datetime(2021, 1, 2, tzinfo=UTC), 480, (), (), 480)
    lane = Lane("network", 480, tuple((n, 1) for n in range(480)))
    for width in range(20, 140):
        strip = list(lines(replace(found, lanes=(lane,)), width))[1].split()[1]
        assert len(set(strip)) == 1 and 480 % len(strip) == 0


def test_a_chart_of_ten_thousand_years_has_few_bars(session: Session, tmp_path: Path) -> None:
    times = ("0001-01-01T00:00:00Z", "2021-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
    rows = [{"value": f"10.0.0.{n}", "x_when": when} for n, when in enumerate(times)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    found = view(session, f"v = LOAD '{tmp_path}/a.json' AS ipv4-addr\nDISP v ATTR x_when AS CHART")
    assert isinstance(found, Chart) and len(found.bars) <= 41 and sum(n for _, n in found.bars) == 3
    assert to_svg(found) and list(lines(found, 80))


def test_a_chart_counts_the_values_of_an_attribute(session: Session, tmp_path: Path) -> None:
    numbers = [1, 1, 1, 2, 2, 3, *range(10, 50)]
    log = write(tmp_path / "log.json", [creation(n, name=f"x{number}.exe") for n, number in enumerate(numbers)])
    found = view(session, f"v = GET process FROM '{log}'\nDISP v ATTR name AS CHART")
    assert isinstance(found, Chart)
    expected = Counter(f"x{n}.exe" for n in numbers)
    assert dict(found.bars) == {label: expected[label] for label, _ in found.bars}
    assert found.bars[:3] == (("x1.exe", 3), ("x2.exe", 2), ("x10.exe", 1))
    assert found.others == (len(expected) - len(found.bars), sum(expected.values()) - sum(n for _, n in found.bars))


def test_a_chart_without_an_attribute_counts_records_over_time(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(n) for n in (0, 1, 2, 20, 35)])
    found = view(session, f"v = GET process FROM '{log}'\nDISP v AS CHART")
    assert isinstance(found, Chart) and found.size == 1
    start = datetime(2021, 1, 1, tzinfo=UTC)
    counted = Counter({(label - start).total_seconds(): number for label, number in found.bars if number})
    assert counted == {0: 1, 1: 1, 2: 1, 20: 1, 35: 1} and len(found.bars) == 36


def test_numbers_fall_into_round_bins(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(n) for n in range(300)])
    found = view(session, f"v = GET process FROM '{log}'\nDISP v ATTR pid AS CHART")
    assert isinstance(found, Chart) and found.size == 10
    assert sum(n for _, n in found.bars) == 300 and [b for b, _ in found.bars] == list(range(100, 400, 10))


def test_a_chart_of_a_table_shows_its_numbers(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(n, name="ab"[n % 2] + ".exe") for n in range(5)])
    found = view(session, f"v = GET process FROM '{log}'\ng = GROUP v BY name WITH MAX(pid) AS most\nDISP g AS CHART")
    assert isinstance(found, Chart)
    assert (found.by, found.unit, found.bars) == ("name", "most", (("a.exe", 104), ("b.exe", 103)))


def test_every_view_of_nothing_is_a_view(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1)])
    session.run(f"v = GET process FROM '{log}' WHERE name = 'none'\nn = NEW ['a.exe']")
    for kind in ("TREE", "GRAPH", "TIMELINE", "CHART"):
        for name in ("v", "n"):
            found = view(session, f"DISP {name} AS {kind}")
            assert list(lines(found, 80)) and to_html(found) and to_svg(found)


@pytest.mark.parametrize("kind", ["TREE", "GRAPH", "TIMELINE"])
def test_a_table_has_no_picture_of_entities(session: Session, kind: str) -> None:
    session.run("x = NEW ['a', 'b']\ng = GROUP x BY name")
    with pytest.raises(HuntErrors) as caught:
        session.run(f"DISP g AS {kind}")
    assert caught.value.errors[0].code == "K0217"


def test_a_loaded_variable_has_its_tree(tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1), creation(3, parent=2)])
    with Session() as first:
        expected = view(first, f"v = GET process FROM '{log}' WHERE name = 'p2.exe'\nSAVE v TO '{tmp_path}/v.parquet'\nDISP v AS TREE")
    with Session() as second:
        assert view(second, f"v = LOAD '{tmp_path}/v.parquet'\nDISP v AS TREE") == expected


@pytest.mark.parametrize("kind", ["TREE", "GRAPH", "TIMELINE", "CHART"])
@pytest.mark.parametrize("text", ["TIMESTAMPED(v)", "RECORDS(v)", "v WHERE pid > 0 SORT BY pid LIMIT 2", "j"])
def test_rows_of_entities_have_views(session: Session, tmp_path: Path, kind: str, text: str) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1), connection(1, 2)])
    session.run(f"v = GET process FROM '{log}'\nj = JOIN v, v BY pid, pid")
    assert list(lines(view(session, f"DISP {text} AS {kind}"), 80))


@pytest.mark.parametrize("kind", ["TREE", "GRAPH", "TIMELINE", "CHART"])
def test_a_view_reads_the_columns_it_needs_of_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1), creation(3, parent=2), connection(1, 2)])
    cells = [f"v = GET process FROM '{log}' WHERE name = 'p2.exe'\nDISP v ATTR name", f"DISP v AS {kind}"]
    with Session() as whole:
        expected = [whole.run(text) for text in cells][1][0]
    monkeypatch.setattr(dataset, "LARGE", -1)
    with Session() as parted:
        assert [parted.run(text) for text in cells][1][0] == expected


# -- how they are written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["TREE", "GRAPH", "TIMELINE", "CHART", "TABLE"])
def test_what_a_log_says_is_never_markup(session: Session, tmp_path: Path, kind: str) -> None:
    image = "C:\\bin\\" + HOSTILE.replace("/", "_")
    log = write(tmp_path / "log.json", [creation(1, Image=image, CommandLine=HOSTILE), creation(2, parent=1, CommandLine=HOSTILE)])
    session.run(f"v = GET process FROM '{log}'")
    result = session.run(f"DISP v ATTR command_line AS {kind}")[0]
    found = bundle(result)
    assert "<script" not in found["text/html"] and "<img src=http" not in found["text/html"] and "\u202e" not in found["text/html"]
    assert "\x1b" not in found["text/plain"] and "\u202e" not in found["text/plain"]
    if not isinstance(result, Tree | Graph | Timeline | Chart):
        return
    drawing = ElementTree.fromstring(to_svg(result))
    tags = {e.tag.rpartition("}")[2] for e in drawing.iter()}
    assert tags <= {"svg", "title", "rect", "text", "tspan", "path", "circle", "g"}
    assert not any("href" in name or name.startswith("on") for e in drawing.iter() for name in e.attrib)


@pytest.mark.parametrize("kind", ["TREE", "GRAPH", "TIMELINE", "CHART"])
def test_json_holds_the_whole_view(session: Session, forest: tuple[Path, dict[int, int | None]], kind: str) -> None:
    log, _ = forest
    found = view(session, f"v = GET process FROM '{log}' WHERE pid < 130\nDISP v AS {kind}")
    line = json.loads(to_line(found))
    assert line["kind"] == kind.lower() and unpacked(bundle(found)[DATA])["kind"] == kind.lower()
    sizes = {"TREE": "nodes", "GRAPH": "nodes", "TIMELINE": "lanes", "CHART": "bars"}
    assert len(line[sizes[kind]]) == len(getattr(found, sizes[kind]))


def test_a_picture_has_a_name_for_those_who_hear_it(session: Session, tmp_path: Path) -> None:
    log = write(tmp_path / "log.json", [creation(1, ProcessGuid=guid(1))])
    found = view(session, f"v = GET process FROM '{log}'\nDISP v AS TIMELINE")
    drawing = ElementTree.fromstring(to_svg(found))
    assert drawing.attrib["role"] == "img" and "1 record from" in drawing.attrib["aria-label"]


def test_ticks_are_round_times_inside_the_span() -> None:
    first, last = datetime(2021, 1, 1, 22, 10, tzinfo=UTC), datetime(2021, 1, 2, 3, 40, tzinfo=UTC)
    assert [name for _, name in ticks(first, last)] == ["01-01 23:00", "01-02 00:00", "01:00", "02:00", "03:00"]


def test_views_are_saved_as_files_that_stand_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write(tmp_path / "log.json", [creation(1), creation(2, parent=1)])
    hunt = f"v = GET process FROM '{log}'\nDISP v AS TREE\nDISP v AS CHART\nDISP v"
    assert main(["run", "-c", hunt, "--save-views", str(tmp_path / "views")]) == 0
    names = sorted(p.name for p in (tmp_path / "views").iterdir())
    assert names == ["01-v-tree.html", "01-v-tree.svg", "02-v-chart.html", "02-v-chart.svg"]
    for file in (tmp_path / "views").iterdir():
        text = file.read_text(encoding="utf-8")
        assert "<script" not in text and "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "p2.exe" in (tmp_path / "views" / "01-v-tree.html").read_text(encoding="utf-8")


def test_a_folder_of_views_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["run", "-c", "n = NEW ['a'] DISP n AS CHART", "--save-views", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err
