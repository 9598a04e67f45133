"""What a hunter reads when a hunt is wrong: the whole text, for mistakes hunters make."""

from __future__ import annotations

from pathlib import Path

import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from tests.events import creation, write

X = "x = NEW ['a']\n"

CASES = {
    "a misspelt attribute": (
        X + "DISP x ATTR nam, pid",
        """\
error[K0203]: process has no attribute `nam`
 --> t.hf:2:13
  |
2 | DISP x ATTR nam, pid
  |             ^^^
  = help: did you mean `name`? `INFO x` lists them all""",
    ),
    "a misspelt type": (
        X + "y = FIND network-trafic CREATED BY x",
        """\
error[K0201]: there is no entity type `network-trafic`
 --> t.hf:2:10
  |
2 | y = FIND network-trafic CREATED BY x
  |          ^^^^^^^^^^^^^^
  = help: did you mean `network-traffic`?""",
    ),
    "a misspelt variable": (
        "tasks = NEW ['a']\nINFO task",
        """\
error[K0202]: there is no variable `task`
 --> t.hf:2:6
  |
2 | INFO task
  |      ^^^^
  = help: did you mean `tasks`?""",
    ),
    "a misspelt relation": (
        X + "y = FIND process CREATE BY x",
        """\
error[K0204]: there is no relation `CREATE`
 --> t.hf:2:18
  |
2 | y = FIND process CREATE BY x
  |                  ^^^^^^
  = help: did you mean `CREATED`?""",
    ),
    "a variable of another type": (
        X + "y = GET file FROM x",
        """\
error[K0210]: `x` holds process entities, so GET file cannot filter it
 --> t.hf:2:19
  |
2 | y = GET file FROM x
  |                   ^
  = help: to go from process to file use FIND, e.g. `FIND file LINKED x`""",
    ),
    "text compared with a number": (
        X + "y = x WHERE name > 5",
        """\
error[K0207]: `name` is text and cannot be compared with a number by `>`
 --> t.hf:2:13
  |
2 | y = x WHERE name > 5
  |             ^^^^^^^^
  = help: compare text with `=`, LIKE or MATCHES""",
    ),
    "an expression of another engine": (
        X + "y = x WHERE name MATCHES '(?=a)b'",
        """\
error[K0208]: this MATCHES expression cannot be used: it has `(?=`
 --> t.hf:2:26
  |
2 | y = x WHERE name MATCHES '(?=a)b'
  |                          ^^^^^^^^
  = help: expressions are those of RE2: no look-ahead, look-behind or back-references""",
    ),
    "no network": (
        "x = NEW ipv4-addr ['10.0.0.1']\ny = x WHERE value ISSUBSET '10.0.0.0/99'",
        """\
error[K0209]: `10.0.0.0/99` is no network
 --> t.hf:2:28
  |
2 | y = x WHERE value ISSUBSET '10.0.0.0/99'
  |                            ^^^^^^^^^^^^^
  = help: write it as `10.0.0.0/8` or `fe80::/10`""",
    ),
    "two mistakes in one statement": (
        X + "y = FIND process CREATED BY x START 2021-01-02 STOP 2021-01-01",
        """\
error[K0215]: there is no data source to ask yet
 --> t.hf:2:10
  |
2 | y = FIND process CREATED BY x START 2021-01-02 STOP 2021-01-01
  |          ^^^^^^^
  = help: name one: `GET ... FROM stixshifter://NAME` or `FROM path/to/logs.json`
error[K0214]: the time range ends before it starts
 --> t.hf:2:31
  |
2 | y = FIND process CREATED BY x START 2021-01-02 STOP 2021-01-01
  |                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  = help: START comes first and is included, STOP is not""",
    ),
    "a path that ends in a backslash": (
        "x = NEW ['C:\\temp\\']",
        """\
error[K0102]: this text has no closing quote on its line
 --> t.hf:1:10
  |
1 | x = NEW ['C:\\temp\\']
  |          ^
  = help: write the last backslash twice: `\\\\'`""",
    ),
    "a parameter": (
        "x = NEW [$name]",
        """\
error[K0213]: parameter `$name` has no value
 --> t.hf:1:10
  |
1 | x = NEW [$name]
  |          ^^^^^
  = help: Give it by `-p name=value`""",
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_the_whole_message(text: str, expected: str, session: Session) -> None:
    with pytest.raises(HuntErrors) as caught:
        session.run(text, "t.hf")
    assert str(caught.value) == expected
    assert "x" not in session and "tasks" not in session


def test_mistakes_of_a_cell_are_reported_together_and_drag_no_other(session: Session) -> None:
    with pytest.raises(HuntErrors) as caught:
        session.run("a = GET process FROM nowhere WHERE nam = 1\nb = FIND process CREATED BY a\nDISP b ATTR name\nINFO c")
    assert sorted(e.code for e in caught.value.errors) == ["K0202", "K0203", "K0403"]


def test_the_engine_has_the_last_word_on_expressions(session: Session, tmp_path: Path) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    with pytest.raises(HuntErrors) as caught:
        session.run(f"p = GET process FROM '{logs}' WHERE name MATCHES '\\\\p{{Foo}}'")
    assert [e.code for e in caught.value.errors] == ["K0208"] and caught.value.errors[0].span is not None


def test_an_unknown_x_attribute_is_checked_against_the_data(session: Session, tmp_path: Path) -> None:
    logs = write(tmp_path / "a.json", [creation(1)])
    with pytest.raises(HuntErrors) as caught:
        session.run(f"p = GET process FROM '{logs}' WHERE x_uniq_id = 'a'")
    assert "no record has `x_uniq_id`" in str(caught.value) and "`x_unique_id`" in str(caught.value)
