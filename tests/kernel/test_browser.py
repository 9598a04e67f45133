"""Huntbooks in a real browser, as a hunter uses them. Screenshots are kept in `build/screenshots`."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import zstandard

from kestrel.syntax.highlight import KestrelLexer
from tests.kernel.browser import CHROMIUM, Server, chromium
from tests.kernel.conftest import ROOT
from tests.kernel.rules import named
from tests.kernel.test_kernel import slow
from tests.servers.fixtures import SAMPLE

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: `apt-get install chromium`"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PICTURES = ROOT / "build" / "screenshots"
SCHEDULER = r"C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule"
HUNT = [
    "sp = GET process FROM demo://host101\n     WHERE [process:name = 'svchost.exe']\n"
    "     START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'",
    f"spschedule = GET process FROM sp WHERE [process:command_line = '{SCHEDULER}']",
    "tasks = FIND process CREATED BY spschedule\nDISP tasks ATTR name, pid, command_line",
]
HIGHLIGHTED = r"""# what did the scheduler start?
$day = t'2021-04-03T00:00:00Z'
sp = GET process FROM stixshifter://host101,lab, logs/*.json
     WHERE [process:name = 'it\'s' AND file:x_path LIKE 'C:\\temp%'] OR pid IN (4, -5, 0x1F)
     START $day STOP 2021-04-04T00:00:00Z LIMIT 5 OFFSET 2
nt = find network-traffic created by sp depth any where dst_ref.value not issubset '10.0.0.0/8'
fl = FIND file WRITTEN BY sp
g = GROUP nt BY BIN(first_observed, 5 minutes), dst_ref.value WITH COUNT(dst_port) AS n, MAX(src_port)
j = JOIN sp, fl BY pid, x_unique_id
DISP TIMESTAMPED(sp) WHERE name = $who ATTR name, parent_ref.name, hashes.'SHA-256' SORT BY pid DESC AS TREE
DESCRIBE sp.name
APPLY risk ON sp WITH x=1, y=("a", 'b')
SAVE sp TO found.csv.gz
n = NEW process [{"name": "größe.exe", "pid": null}]  # end
"""


def taken_up(cell: Any, text: str) -> None:
    """Wait until an editor knows the text that was put into it: only then it is coloured whole."""
    wanted = "".join(text.split())
    words = "all => all.map(word => word.textContent).join('').replace(/\\s/g, '')"
    while cell.locator(".cm-line span[class*=kst-]").evaluate_all(words) != wanted:
        cell.page.wait_for_timeout(20)


class Lab:
    """A page on a Jupyter, and what it asked of whom."""

    def __init__(self, browser: Any, server: Server, width: int = 1280, zoom: float = 1) -> None:
        self.server = server
        context = browser.new_context(viewport={"width": round(width / zoom), "height": round(1000 / zoom)}, device_scale_factor=zoom)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.asked: list[str] = []
        self.broken: list[str] = []
        """Mistakes of scripts on the page."""
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))

    def new(self) -> None:
        """A new notebook of Kestrel, by its card."""
        self.page.goto(self.server.address("lab", "reset"))
        self.page.locator(".jp-LauncherCard[data-category='Notebook'][title='Kestrel']").click()
        self.ready()

    def open(self, name: str) -> None:
        self.page.goto(self.server.address(f"lab/tree/{name}", "reset"))
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for()

    def ready(self) -> None:
        """Wait for a kernel that is connected and idle: before it is connected, its sign says idle too."""
        connected = """async url => {
            const answer = await fetch(url)  // an error while the kernel starts is no list
            const found = answer.ok ? (await answer.json()).filter(k => k.connections) : []
            return found.length > 0 && found.every(k => k.execution_state === 'idle')
        }"""
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(state="attached")
        until = time.monotonic() + 60
        while not self.page.evaluate(connected, self.server.address("api/kernels")):
            assert time.monotonic() < until, "no kernel is connected and idle"
            self.page.wait_for_timeout(50)
        self.page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(state="attached")

    def cell(self, number: int) -> Any:
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def type(self, number: int, text: str) -> None:
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        taken_up(self.cell(number), text)

    def run(self, number: int, text: str) -> Any:
        """Type a cell, run it and wait for its end; its outputs."""
        from playwright.sync_api import expect

        self.type(number, text)
        self.page.keyboard.press("Shift+Enter")
        expect(self.cell(number).locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"), timeout=30_000)
        return self.cell(number).locator(".jp-OutputArea-output")

    def result(self, number: int, kind: str) -> Any:
        """What the extension drew of a kind in a cell."""
        found = self.cell(number).locator(f".kst[data-kind='{kind}']").last
        found.wait_for()
        return found

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")

    def theme(self, name: str) -> None:
        self.page.get_by_role("menuitem", name="Settings").click()
        self.page.locator(".lm-Menu-item", has_text="Theme").first.hover()
        self.page.locator(".lm-Menu-item", has_text=name).first.click()
        self.page.locator(f"body[data-jp-theme-name='{name}']").wait_for(state="attached")
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def close(self) -> None:
        elsewhere = [u for u in self.asked if urlsplit(u).hostname not in ("127.0.0.1", None)]
        self.page.context.close()
        self.server.stop_kernels()
        assert not elsewhere and not self.broken, (elsewhere, self.broken)


@pytest.fixture(scope="module")
def server(jupyter: Path) -> Iterator[Server]:
    folder = jupyter / "books"
    folder.mkdir()
    made = Server(folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture
def lab(browser: Any, server: Server) -> Iterator[Lab]:
    made = Lab(browser, server)
    yield made
    made.close()


def test_the_hunt_is_typed_and_run_cell_by_cell(lab: Lab) -> None:
    lab.new()
    for number, text in enumerate(HUNT):
        lab.run(number, text)
    table = lab.result(2, "table")
    assert "amcet.exe" in table.inner_text() and "1–20 of 124 rows" in table.inner_text()
    assert lab.result(2, "summary").locator("tbody tr").first.inner_text().split()[:4] == ["tasks", "process", "126", "238"]
    lab.run(3, "INFO tasks")
    assert "126 process entities, 238 records" in lab.result(3, "info").inner_text()
    lab.picture("hunt-light")
    lab.theme("JupyterLab Dark")
    lab.picture("hunt-dark")
    lab.theme("JupyterLab Light")


def test_a_new_notebook_by_the_menu_of_notebook(browser: Any, server: Server) -> None:
    page = browser.new_page()
    page.goto(server.address("tree"))
    page.get_by_role("menuitem", name="New").click()
    with page.context.expect_page() as opened:
        page.locator(".lm-Menu-item", has_text="Kestrel").first.click()
    book = opened.value
    book.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(state="attached")
    book.locator(".jp-CodeCell .cm-content").first.click()
    book.keyboard.insert_text("n = NEW ['a.exe']\nDISP n AS TREE")
    taken_up(book.locator(".jp-CodeCell").first, "n = NEW ['a.exe']\nDISP n AS TREE")
    book.keyboard.press("Shift+Enter")
    book.locator(".kst[data-kind='tree']").wait_for()
    assert book.locator(".cm-line .kst-keyword").first.inner_text() == "NEW"
    PICTURES.mkdir(parents=True, exist_ok=True)
    book.screenshot(path=PICTURES / "notebook-7.png")


def test_completion_and_help(lab: Lab) -> None:
    lab.new()
    lab.run(0, "tasks = GET process FROM demo://host101 WHERE parent_ref.name = 'amcet.exe'")
    lab.type(1, "DISP tasks ATTR na")
    lab.page.keyboard.press("Tab")
    lab.page.locator(".jp-Completer:not(.lm-mod-hidden)").wait_for()
    items = lab.page.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item")
    assert items.count() == 0 or "name" in items.first.inner_text()
    lab.picture("completion")
    lab.page.keyboard.press("Escape")
    lab.type(1, "DISP tasks ATTR command_line")
    lab.page.keyboard.press("Shift+Tab")
    lab.page.locator(".jp-Tooltip").wait_for()
    assert "command_line: an attribute of process" in lab.page.locator(".jp-Tooltip").inner_text()
    lab.picture("help")


def test_run_all_stops_at_the_cell_that_fails(lab: Lab) -> None:
    lab.new()
    lab.run(0, "n = NEW ['cmd.exe']")
    lab.type(1, "DISP n ATTR nam")
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("b")
    lab.type(2, "DISP n ATTR name")
    lab.page.get_by_role("menuitem", name="Run", exact=True).click()
    lab.page.locator(".lm-Menu-item", has_text="Run All Cells").first.click()
    error = lab.cell(1).locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")
    error.wait_for()
    lines = error.inner_text().split("\n")
    code = next(n for n, line in enumerate(lines) if line.startswith("1 |"))
    assert lines[code + 1].index("^^^") == lines[code].index("nam") and "did you mean `name`" in error.inner_text()
    lab.ready()
    assert lab.cell(2).locator(".jp-OutputArea-output").count() == 0
    lab.picture("error")


def test_a_slow_reading_is_interrupted_and_the_kernel_restarted(lab: Lab, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    file = slow(tmp_path)
    lab.new()
    lab.run(0, "kept = NEW ['cmd.exe']")
    lab.type(1, f"big = GET process FROM '{file}' WHERE name = 'p1.exe'")
    lab.page.keyboard.press("Shift+Enter")
    expect(lab.cell(1).locator(".jp-InputPrompt")).to_have_text("[*]:")
    lab.page.locator("[data-command='notebook:interrupt-kernel']").first.click()
    expect(lab.cell(1).locator(".jp-OutputArea-output").last).to_contain_text("stopped; the variables made before are still there")
    lab.run(2, "DISP kept ATTR name")
    assert "cmd.exe" in lab.result(2, "table").inner_text()
    lab.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    lab.page.locator(".lm-Menu-item", has_text="Restart Kernel…").first.click()
    lab.page.locator(".jp-Dialog .jp-mod-accept").click()
    lab.ready()
    assert "there is no variable `kept`" in lab.run(3, "DISP kept").last.inner_text()


def test_a_table_is_sorted_searched_paged_and_copied(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.new()
    rows = ", ".join(f'{{"name": "p{n % 7}.exe", "pid": {n}, "command_line": "run {n} {"x" * 200 if n == 3 else ""}"}}' for n in range(45))
    lab.run(0, f"n = NEW process [{rows}]")
    lab.run(1, "DISP n ATTR name, pid, command_line")
    table = lab.result(1, "table")
    first = table.locator("tbody tr").first
    note = table.locator(".kst-note")
    expect(note).to_have_text("1–20 of 45 rows")
    table.get_by_label("sort by pid").click()
    table.get_by_label("sort by pid").click()
    expect(first).to_contain_text("run 44")
    assert table.locator("th").nth(1).get_attribute("aria-sort") == "descending"
    table.get_by_label("next page").click()
    table.get_by_label("next page").click()
    expect(note).to_have_text("41–45 of 45 rows")
    long = table.locator(".kst-long .kst-button")
    assert "x" * 200 not in table.inner_text()
    long.click()
    expect(table).to_contain_text("x" * 200)
    table.get_by_role("searchbox").fill("RUN 4")
    expect(note).to_have_text("1–6 of 6 rows found of 45")
    table.get_by_text("copy CSV").click()
    expect(table.get_by_text("copied 6 rows")).to_be_visible()
    copied = lab.page.evaluate("navigator.clipboard.readText()").splitlines()
    assert copied[0] == "name,pid,command_line" and copied[1].startswith("p2.exe,44,run 44")
    lab.picture("table")


def test_further_rows_come_from_the_kernel_while_it_runs(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.new()
    lab.run(0, "p = GET process FROM demo://host101\nDISP TIMESTAMPED(p) ATTR first_observed, name, pid")
    table = lab.result(0, "table")
    note = table.locator(".kst-note")
    expect(note).to_have_text(re.compile(r"1–20 of \d,\d{3} rows|1–20 of \d\d,\d{3} rows"))
    total = int(note.inner_text().split(" of ")[1].split(" ")[0].replace(",", ""))
    assert total > 1000
    table.get_by_label("sort by pid").click()
    expect(table.locator("th").nth(2)).to_have_attribute("aria-sort", "ascending")
    expect(note).to_have_text(f"1–20 of {total:,} rows")
    expect(table.locator(".kst-warning")).to_have_text("")
    table.get_by_role("searchbox").fill("amcet.exe")
    expect(note).to_have_text(re.compile(r"of \d+ rows found"))
    lab.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    lab.page.locator(".lm-Menu-item", has_text=re.compile(r"^Shut Down Kernel")).first.click()
    expect(lab.page.locator(".jp-Toolbar-kernelName")).to_contain_text("No Kernel")
    table.get_by_role("searchbox").fill("svchost")
    expect(table.locator(".kst-warning")).to_contain_text("the first 1,000 of")


def test_pictures_are_seen_and_used(lab: Lab) -> None:
    from playwright.sync_api import expect

    lab.new()
    lab.run(0, "\n".join([*HUNT[:2], HUNT[2].splitlines()[0], "amcet = GET process FROM tasks WHERE name = 'amcet.exe'"]))
    lab.run(1, "DISP amcet AS TREE")
    tree = lab.result(1, "tree")
    before = tree.locator(".kst-node").count()
    assert tree.locator(".kst-node.kst-marked").count() == 24
    tree.locator(".kst-node").first.click()
    assert tree.locator(".kst-node").count() < before
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("ArrowDown")
    expect(tree.locator(".kst-node").nth(1)).to_be_focused()
    tree.get_by_role("searchbox").fill("powershell")
    expect(tree.locator(".kst-hit").first).to_be_visible()
    lab.picture("tree")

    lab.run(2, "DISP amcet AS GRAPH")
    graph = lab.result(2, "graph")
    node = graph.get_by_role("button", name=re.compile("^network-traffic 9.148.5.93:443")).first
    node.focus()
    lab.page.keyboard.press("Enter")
    expect(graph.locator(".kst-panel")).to_contain_text("FIND network-traffic CREATED BY amcet")
    expect(graph.locator(".kst-panel")).to_contain_text("dst_ref.value")
    assert graph.locator(".kst-edge.kst-lit").count() >= 1
    graph.get_by_role("checkbox").first.uncheck()
    expect(graph.get_by_role("button", name=re.compile("^process ")).first).to_be_hidden()
    graph.get_by_role("checkbox").first.check()
    graph.scroll_into_view_if_needed()
    lab.picture("graph")

    lab.run(3, "DISP amcet AS TIMELINE\nDISP amcet ATTR parent_ref.pid AS CHART")
    timeline = lab.result(3, "timeline")
    note = timeline.locator(".kst-note")
    expect(note).to_have_text(re.compile("^48 of 48 records"))
    box = timeline.locator("svg").bounding_box()
    lab.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    lab.page.mouse.up()
    expect(note).not_to_have_text(re.compile("^48 of"))
    timeline.locator("summary").click()
    expect(timeline.locator("tbody tr").first).to_contain_text("process-create")
    timeline.get_by_label("the whole time").click()
    expect(note).to_have_text(re.compile("^48 of 48 records"))
    chart = lab.result(3, "chart")
    chart.locator(".kst-bar-mark").first.focus()
    expect(chart.locator(".kst-panel")).to_contain_text("entities")
    timeline.locator("summary").click()
    timeline.locator("svg").scroll_into_view_if_needed()
    lab.picture("timeline")
    lab.theme("JupyterLab Dark")
    lab.picture("timeline-dark")
    graph.scroll_into_view_if_needed()
    lab.picture("graph-dark")
    lab.theme("JupyterLab Light")


def coloured(text: str) -> list[tuple[str, str]]:
    """The words of a hunt with their classes, by Pygments; neighbours of one class are one."""
    found: list[tuple[str, str]] = []
    for _, token, value in KestrelLexer().get_tokens_unprocessed(text):
        for part in value.split("\n"):
            if part.strip() and named(token):
                found.append((part.strip(), named(token)))
    return found


def test_words_have_the_classes_of_the_lexer(lab: Lab) -> None:
    (lab.server.folder / "colours.hf").write_text(HIGHLIGHTED, encoding="utf-8")
    lab.page.goto(lab.server.address("lab/tree/colours.hf", "reset"))
    lab.page.locator(".jp-FileEditor .kst-comment").first.wait_for()
    script = """lines => lines.flatMap(line => [...line.querySelectorAll('span')].filter(s => /kst-/.test(s.className))
      .map(s => [s.textContent.trim(), /kst-([a-z]+)/.exec(s.className)[1]]))"""
    shown = [(text, kind) for text, kind in lab.page.locator(".jp-FileEditor .cm-line").evaluate_all(script) if text]
    assert merged(shown) == merged(coloured(HIGHLIGHTED))
    lab.page.locator(".jp-FileEditor .cm-content").click()
    lab.page.keyboard.press("Control+Home")
    lab.page.keyboard.press("Control+/")
    assert lab.page.locator(".jp-FileEditor .cm-line").first.inner_text() == "what did the scheduler start?"
    lab.picture("flow")


def merged(words: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbours of one class as one word: editors and lexers part them otherwise."""
    found: list[tuple[str, str]] = []
    for text, kind in words:
        if found and found[-1][1] == kind:
            found[-1] = (found[-1][0] + text.replace(" ", ""), kind)
        else:
            found.append((text.replace(" ", ""), kind))
    return found


def test_a_committed_huntbook_is_drawn_without_running(lab: Lab) -> None:
    from playwright.sync_api import expect

    shutil.copy(ROOT / "huntbooks" / "scheduled-task-hunt.ipynb", lab.server.folder)
    lab.open("scheduled-task-hunt.ipynb")
    expect(lab.page.locator(".kst[data-kind='chart']")).to_have_count(1)
    kinds = {k.get_attribute("data-kind") for k in lab.page.locator(".kst").all()}
    assert {"table", "info", "tree", "graph", "timeline", "chart", "summary"} <= kinds
    lab.page.locator(".kst[data-kind='table']").nth(1).get_by_role("searchbox").fill("amcet")
    expect(lab.page.locator(".kst[data-kind='table']").nth(1).locator(".kst-note")).to_contain_text("found")
    lab.page.locator(".kst[data-kind='graph']").scroll_into_view_if_needed()
    lab.picture("untrusted")


def test_a_timeline_shows_no_more_detail_than_it_has(lab: Lab) -> None:
    """With more records than the page lists, each bar covers whole intervals: no record disappears between two bars."""
    lab.new()
    lab.run(0, "p = GET process FROM demo://host101\nDISP p AS TIMELINE")
    timeline = lab.result(0, "timeline")
    for _ in range(12):
        timeline.get_by_label("closer").click()
    lanes = timeline.locator("svg text:not(.kst-quiet)").count()
    assert 1 <= timeline.locator("svg rect").count() <= lanes
    known = re.match(r"([\d,]+) of 20,095 records, (\S+) to (\S+)$", timeline.locator(".kst-note").inner_text())
    assert known
    number, first, last = int(known[1].replace(",", "")), *(datetime.fromisoformat(t) for t in known.groups()[1:])
    with zstandard.open(SAMPLE, "rt", encoding="utf-8") as lines:
        times = [datetime.fromisoformat(json.loads(line)["@timestamp"]) for line in set(lines)]
    second = timedelta(seconds=1)
    fewest, most = (sum(first - margin <= time <= last + margin for time in times) for margin in (-second, second))
    assert 0 < fewest <= number <= most and last - first < timedelta(minutes=10)
    timeline.get_by_label("earlier").click()
    timeline.get_by_label("the whole time").click()
    assert timeline.locator(".kst-note").inner_text().startswith("20,095 of 20,095 records")
    lab.picture("timeline-whole")


WIDE = [
    "p = LOAD 'wide.csv' AS process\nDISP p",
    "tasks = GET process FROM demo://host101 WHERE parent_ref.name = 'amcet.exe'\nDISP tasks",
    "INFO tasks\nINFO p\nDESCRIBE p.name\nEXPLAIN tasks",
    "DISP tasks AS TREE\nDISP p ATTR command_line AS TREE",
    "DISP tasks AS GRAPH\nDISP tasks AS TIMELINE\nDISP p AS GRAPH",
    "DISP tasks ATTR command_line AS CHART\nDISP tasks ATTR created AS CHART\nDISP p ATTR name AS CHART",
    "DISP p ATTR nam",
]
"""Cells with results wider than any page: many columns, long lines, and text without break opportunities."""
BEYOND = """outputs => outputs.flatMap(output => {
  const right = output.closest('.jp-Cell').getBoundingClientRect().right + 0.5;
  const found = [];
  const look = node => {
    const box = node.getBoundingClientRect();
    if (box.width && box.right > right) {
      found.push(`${node.tagName} ${node.getAttribute('class')}: ${box.right} > ${right}`);
    }
    if (getComputedStyle(node).overflowX === 'visible') {
      [...node.children].forEach(look);
    }
  };
  look(output);
  return found;
})"""
"""The parts of outputs to the right of their cell; content inside a scrollable element is reachable."""


@pytest.mark.parametrize(("width", "zoom"), [(1280, 1), (1920, 1), (1280, 1.5), (1920, 1.5)])
def test_no_output_is_wider_than_its_cell(browser: Any, server: Server, width: int, zoom: float) -> None:
    (server.folder / "wide.csv").write_text(f"name,command_line,pid\n{'x' * 3000},{'a long line ' * 200},4\n", encoding="utf-8")
    lab = Lab(browser, server, width, zoom)
    lab.new()
    for number, text in enumerate(WIDE):
        lab.run(number, text)
        outputs = lab.cell(number).locator(".jp-OutputArea-output")
        assert outputs.count()
        outputs.locator("details").evaluate_all("all => all.forEach(details => { details.open = true; })")
        assert outputs.evaluate_all(BEYOND) == []
        lab.cell(number).scroll_into_view_if_needed()
        lab.picture(f"wide-{width}-{round(zoom * 100)}-{number}")
    lab.close()


def test_without_the_extension_the_html_reads_well(browser: Any, jupyter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "books").mkdir()
    shutil.copy(ROOT / "huntbooks" / "scheduled-task-hunt.ipynb", tmp_path / "books")
    config = tmp_path / "config"
    (config / "labconfig").mkdir(parents=True)
    (config / "labconfig" / "page_config.json").write_text('{"disabledExtensions": {"kestrel-hunt": true}}')
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(config))
    server = Server(tmp_path / "books")
    try:
        lab = Lab(browser, server)
        lab.open("scheduled-task-hunt.ipynb")
        html = lab.page.locator(".jp-RenderedHTML")
        html.first.wait_for()
        assert lab.page.locator(".kst").count() == 0
        assert lab.page.locator(".jp-RenderedHTML details summary", has_text="svchost.exe").count() >= 1
        images = lab.page.locator(".jp-RenderedHTML img")
        assert images.count() == 3
        assert images.evaluate_all("all => all.every(i => i.complete && i.naturalWidth > 100 && i.src.startsWith('data:') && i.alt)")
        assert lab.page.locator(".jp-OutputArea script").count() == 0
        cell = lab.page.locator(".jp-RenderedHTML td", has_text="taskhostw.exe").first
        assert cell.evaluate("c => getComputedStyle(c).textAlign") == "left"
        cell.scroll_into_view_if_needed()
        lab.page.wait_for_timeout(500)
        lab.picture("untrusted-html")
        lab.close()
    finally:
        server.close()


def test_a_page_made_by_nbconvert_asks_nobody(browser: Any, tmp_path: Path) -> None:
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(require_js_url="", mathjax_url="", mermaid_js_url="")
    text, _ = exporter.from_filename(str(ROOT / "huntbooks" / "scheduled-task-hunt.ipynb"))
    file = tmp_path / "hunt.html"
    file.write_text(text, encoding="utf-8")
    asked: list[str] = []
    page = browser.new_page(viewport={"width": 1100, "height": 1000})
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert page.locator("table").count() > 5 and page.locator("details").count() > 3
    assert all(u.startswith(("file:", "data:")) for u in asked), asked
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "nbconvert.png", full_page=True)
