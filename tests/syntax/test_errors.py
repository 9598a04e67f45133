"""What a hunter is told about text that cannot be read: state, then help."""

from __future__ import annotations

import pytest

from kestrel.errors import HuntErrors
from kestrel.syntax import parse


def told(text: str) -> str:
    with pytest.raises(HuntErrors) as caught:
        parse(text, "triage.hf")
    return str(caught.value)


COMMAND = "expected a command (GET, FIND, DISP, ...) or `variable = ...`"
YIELDING = "expected GET, FIND, NEW, LOAD, SORT, GROUP, JOIN or a variable"
OPERATOR = "expected an operator (=, !=, <, >, IN, LIKE, MATCHES, IS NULL, ISSUBSET, ISSUPERSET)"

# what is wrong, the hunt, sentence with its code, column, number of carets, help
MISTAKES: list[tuple[str, str, str, int, int, str | None]] = [
    ("misspelt command", "DIPS v", f"K0101]: {COMMAND}, found `DIPS`", 1, 4, "did you mean `DISP`?"),
    ("misspelt command after =", "x = GTE process FROM a", f"K0101]: {YIELDING}, found `GTE`", 5, 3, "did you mean `GET`?"),
    ("misspelt clause", "x = GET process FORM a", f"K0101]: {COMMAND}, found `FORM`", 17, 4, None),
    ("misspelt operator", "x = a WHERE name LIEK 'a'", f"K0101]: {OPERATOR}, found `LIEK`", 18, 4, "did you mean `LIKE`?"),
    (
        "misspelt view",
        "DISP v AS TREEE",
        "K0101]: expected a view (TREE, GRAPH, TIMELINE, CHART or TABLE), found `TREEE`",
        11,
        5,
        "did you mean `TREE`?",
    ),
    ("open string", "x = a WHERE name = 'abc", "K0102]: this text has no closing quote on its line", 20, 1, "close it with '"),
    (
        "last backslash takes the quote",
        r"x = a WHERE name = 'C:\temp\'",
        "K0102]: this text has no closing quote on its line",
        20,
        1,
        r"write the last backslash twice: `\\'`",
    ),
    ("open parenthesis", "x = a WHERE (pid = 4", "K0103]: this `(` is never closed", 13, 1, "add `)`"),
    ("open STIX pattern", "x = a WHERE [pid = 4", "K0103]: this `[` is never closed", 13, 1, "add `]`"),
    ("open list", "x = a WHERE pid IN (1, 2", "K0103]: this `(` is never closed", 20, 1, "add `)`"),
    (
        "no such month",
        "x = GET process FROM a START t'2021-13-03' STOP t'2021-04-04'",
        "K0104]: `2021-13-03` is no time",
        30,
        13,
        "write times as t'2021-04-03T00:00:00Z' (ISO 8601, UTC)",
    ),
    (
        "a word for a time",
        "x = GET process FROM a START yesterday STOP 2021-04-04",
        "K0101]: expected a time, like t'2021-04-03T00:00:00Z', found `yesterday`",
        30,
        9,
        None,
    ),
    ("START without STOP", "x = GET process FROM a START t'2021-04-03'", "K0101]: expected STOP and a time, found the end of the text", 43, 1, None),
    (
        "STOP without START",
        "x = GET process FROM a STOP t'2021-04-04'",
        "K0108]: GET takes no STOP without START",
        24,
        4,
        "it takes START t'...' STOP t'...'",
    ),
    ("LIMIT twice", "x = GET process FROM a LIMIT 3 LIMIT 4", "K0105]: LIMIT is given twice", 32, 5, None),
    (
        "two times",
        "x = GET process FROM a LAST 1 d START 2021-04-03 STOP 2021-04-04",
        "K0105]: the time is given twice",
        33,
        5,
        None,
    ),
    ("unknown unit", "x = GET process LAST 3 weeks", "K0101]: expected a unit: days, hours, minutes or seconds, found `weeks`", 24, 5, None),
    ("a word for a number", "x = a LIMIT many", "K0101]: expected a number, found `many`", 13, 4, None),
    (
        "clause of another command",
        "x = GET process FROM a SORT BY pid",
        "K0108]: GET takes no SORT",
        24,
        4,
        "it takes FROM, WHERE, START, LAST, LIMIT",
    ),
    ("SQL's unequal", "x = a WHERE pid <> 4", "K0107]: there is no operator `<>`", 17, 2, "write `!=`"),
    ("less than a list", "x = a WHERE pid < (1, 2)", "K0107]: `<` compares with one value, this is a list", 19, 6, "use IN for lists"),
    (
        "values and rows",
        "x = NEW ['a', {'name': 'b'}]",
        "K0107]: NEW takes values or rows of attributes, not both",
        9,
        19,
        'write every row as {"name": "cmd.exe"}',
    ),
    ("deep brackets", "x = a WHERE " + "(" * 101 + "pid = 4", "K0106]: brackets are nested too deeply", 113, 1, "at most 100 levels are read"),
    (
        "escape beyond Unicode",
        r"x = NEW ['\U99999999']",
        "K0109]: this text has an escape that names no sign",
        10,
        12,
        r"write a backslash as `\\`, or use r'...'",
    ),
    ("SORT without BY", "SORT v pid", "K0101]: expected BY and an attribute, found `pid`", 8, 3, None),
    ("SAVE without TO", "SAVE v a.csv", "K0101]: expected TO and a file, found `a.csv`", 8, 5, None),
    ("APPLY without ON", "APPLY python://x v", "K0101]: expected ON and the variables to analyse, found `v`", 18, 1, None),
    ("JOIN without comma", "x = JOIN a b", "K0101]: expected `,`, found `b`", 12, 1, None),
    ("DESCRIBE without attribute", "DESCRIBE v", "K0101]: expected a variable and its attribute, like `v.pid`, found `v`", 10, 1, None),
    (
        "unknown aggregation",
        "x = GROUP v BY name WITH MEAN(pid)",
        "K0101]: expected an aggregation (MIN, MAX, SUM, AVG, COUNT or NUNIQUE), found `MEAN`",
        26,
        4,
        None,
    ),
    ("no hops", "x = FIND process CREATED BY p DEPTH 0", "K0101]: expected a number of hops, or ANY, found `0`", 37, 1, None),
    ("keyword as variable", "get = NEW ['a']", "K0101]: expected a variable name, found `get`", 1, 3, None),
    ("nameless parameter", "x = a WHERE pid = $", "K0101]: expected a parameter name after `$`, found `$`", 19, 1, None),
    ("nothing after ATTR", "DISP v ATTR", "K0101]: expected an attribute, found the end of the text", 12, 1, None),
]


@pytest.mark.parametrize(("text", "sentence", "column", "width", "hint"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_mistake(text: str, sentence: str, column: int, width: int, hint: str | None) -> None:
    drawn = [f"error[{sentence}", f" --> triage.hf:1:{column}", "  |", f"1 | {text}", "  | " + " " * (column - 1) + "^" * width]
    if hint:
        drawn.append(f"  = help: {hint}")
    assert told(text) == "\n".join(drawn)


def test_a_mistake_points_into_its_own_line() -> None:
    assert (
        told("# a hunt\nx = GET process FROM a\n\tWHERE pid <> 4\n")
        == """\
error[K0107]: there is no operator `<>`
 --> triage.hf:3:12
  |
3 | \tWHERE pid <> 4
  | \t          ^^
  = help: write `!=`"""
    )


def test_every_statement_with_a_mistake_is_told_once_and_in_order() -> None:
    assert (
        told("x = GET process LIMIT many\ny = NEW ['a']\nDIPS y\nINFO y\n")
        == f"""\
error[K0101]: expected a number, found `many`
 --> triage.hf:1:23
  |
1 | x = GET process LIMIT many
  |                       ^^^^
error[K0101]: {COMMAND}, found `DIPS`
 --> triage.hf:3:1
  |
3 | DIPS y
  | ^^^^
  = help: did you mean `DISP`?"""
    )


def test_a_long_line_is_shown_around_the_mistake() -> None:
    lines = told("x = NEW ['" + "a" * 1_000_000 + "'] nonsense").splitlines()
    assert max(map(len, lines)) < 200
    assert "nonsense" in lines[3] and lines[4].index("^") == lines[3].index("nonsense")
