"""Tables, blocks and wrapped values on terminals of several widths."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len
from rich.console import Console

from kestrel.display.terminal import show
from kestrel.display.values import plain, wrapped
from kestrel.result import Attribute, Explanation, Info, Made, Result, Summary, Table

LINE = 'powershell.exe -NoProfile -ExecutionPolicy Bypass -File "C:\\Scripts\\Отчёт за апрель.ps1" --部署 東京 --部署 東京'
GUID = "{8A2F41C7-0370-6068-D301-000000000400}"
COLUMNS = ("name", "pid", "command_line", "x_unique_id", "created", "parent_ref.name", "binary_ref.x_path", "x_risk_reasons", "id")
ROW = (
    "powershell.exe",
    1140,
    LINE,
    GUID,
    datetime(2021, 4, 2, 2, 20, 12, tzinfo=UTC),
    "svchost.exe",
    r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
    ["the task scheduler starts a script (T1053.005, 30)", "PowerShell is told to bypass its execution policy (T1059.001, 15)"],
    "process--a68c35ca74338c12",
)
BARE = ("System", 4, None, None, None, None, None, None, "process--0000000000000004")
WIDTHS = (20, 40, 80, 120, 200, 400)


def printed(result: Result, width: int = 80) -> list[str]:
    sink = io.StringIO()
    show(Console(file=sink, width=width), result)
    return sink.getvalue().split("\n")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = printed(Table("p", COLUMNS, (ROW, BARE), 2), width)
    assert max(map(cell_len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


def test_columns_that_fit_are_a_table() -> None:
    lines = printed(Table("p", ("name", "pid"), (("cmd.exe", 4), ("部署.exe", 1234)), 2))
    assert lines == [
        "name        pid",
        "───────────────",
        "cmd.exe       4",
        "部署.exe   1234",
        "",
        "",
    ]


def test_long_values_go_on_below_themselves() -> None:
    lines = printed(Table("p", ("name", "command_line"), (("a.exe", "a.exe " + "--option " * 12),), 1), 60)
    assert lines[2:4] == ["a.exe   a.exe --option --option --option --option --option", "        --option --option --option --option --option"]


def test_names_of_columns_are_broken_at_their_dots_where_there_is_little_room() -> None:
    table = Table("p", ("name", "parent_ref.binary_ref.x_path", "command_line"), (("a.exe", "b.exe", LINE),), 1)
    assert [line[:28].rstrip() for line in printed(table, 50)[:3]] == ["        parent_ref.", "        binary_ref.", "name    x_path        comman"]


def test_a_list_that_does_not_fit_has_a_line_for_each_value() -> None:
    table = Table("p", ("name", "why"), (("a.exe", ["one reason of some length", "another reason"]),), 1)
    assert printed(table, 40)[2:4] == ["a.exe   one reason of some length", "        another reason"]
    assert printed(table, 60)[2] == "a.exe   one reason of some length, another reason"


def test_columns_too_narrow_to_read_are_a_block_a_row() -> None:
    lines = printed(Table("p", COLUMNS, (ROW, BARE), 7), 80)
    assert lines[0] == "── 1 " + "─" * 75
    assert lines[1:4] == [
        "name                powershell.exe",
        "pid                 1140",
        "command_line        powershell.exe -NoProfile -ExecutionPolicy Bypass -File",
    ]
    second = lines.index("── 2 " + "─" * 75)
    assert lines[second + 1 : second + 4] == ["name                System", "pid                 4", "id                  process--0000000000000004"]
    assert lines[second + 4 :] == [
        "a block a row: the columns do not fit beside each other; ATTR chooses some",
        "2 of 7 rows; `DISP ... LIMIT n` shows more",
        "",
        "",
    ]
    packed = "".join("".join(lines).split())
    assert all("".join(plain(value).split()) in packed for value in ROW if not isinstance(value, list))


def test_a_very_long_value_is_cut_and_its_length_told() -> None:
    assert "... (10,000 characters)" in "".join(printed(Table("p", ("name",), (("x" * 10_000,),), 1)))


@pytest.mark.parametrize("width", WIDTHS)
def test_wrapping_loses_nothing_but_spaces(width: int) -> None:
    for text in (LINE, GUID, "", "   ", "東" * 50, "a" * 99 + " b", r"C:\very\long" * 20):
        lines = wrapped(text, width)
        assert max(map(cell_len, lines)) <= width
        assert "".join("".join(lines).split()) == "".join(text.split())


def test_paths_break_behind_their_dividers() -> None:
    assert wrapped(r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe", 40) == [
        "C:\\Windows\\System32\\WindowsPowerShell\\",
        "v1.0\\powershell.exe",
    ]


@pytest.mark.parametrize(("value", "text"), [(4832.384615, "4832.385"), (0.000123456, "0.0001235"), (12.0, "12"), (-1.5, "-1.5"), (1e300, "1e+300")])
def test_numbers(value: float, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize("width", (80, 200))
def test_info_has_a_line_for_each_attribute(width: int) -> None:
    attributes = (Attribute("command_line", 1, LINE), Attribute("binary_ref.parent_directory_ref.path", 1, "C:\\"), Attribute("cwd", 0, None))
    relations = ("FIND process CREATED BY", "FIND file CREATED BY", "FIND process CREATED")
    info = Info("p", "process", 1, 2, None, None, ("file://a.json",), attributes, relations, "p = GET process")
    lines = printed(info, width)
    assert max(map(cell_len, lines)) <= width
    assert sum("command_line" in line for line in lines) == 1
    assert "    CREATED BY   process, file" in lines and "    CREATED      process" in lines
    assert any(line.endswith("…") for line in lines) == (width < 120)


def test_a_table_has_rows() -> None:
    assert printed(Info("g", "table", 3, 3, None, None, (), (), (), ""))[0] == "g: 3 rows"


def test_the_summary_tells_one_source_once_where_there_is_little_room() -> None:
    made = tuple(
        Made(name, "process", 3, 4, datetime(2021, 4, 3, tzinfo=UTC), datetime(2021, 4, 3, 1, tzinfo=UTC), ("stixshifter://host101",))
        for name in "ab"
    )
    narrow, broad = printed(Summary(made, 1.0), 80), printed(Summary(made, 1.0), 120)
    assert "source: stixshifter://host101" in narrow and narrow[2].endswith("2021-04-03T00:00:00Z to 01:00:00Z")
    assert broad[0].endswith("source") and broad[2].endswith("stixshifter://host101")


def test_explanations_hang_from_their_names() -> None:
    steps = ("p = GET process FROM file://a.json WHERE " + " OR ".join(f"name = 'process{n}.exe'" for n in range(4)),)
    lines = printed(Explanation("p", steps, ()), 60)
    assert lines[1].startswith("  p = GET process") and lines[2].startswith("      ")
