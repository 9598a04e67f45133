"""The prompt, on a terminal of its own."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from kestrel.assist import finished
from tests.events import creation, write

pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
ENTER, ALT_ENTER, CTRL_C, CTRL_D, TAB, F1 = "\r", "\x1b\r", "\x03", "\x04", "\t", "\x1bOP"
TIME = r"\d\.\d\d s"


class Terminal:
    """`kestrel` as a person sees it."""

    def __init__(self, folder: Path) -> None:
        environment = os.environ | {"XDG_STATE_HOME": str(folder / "state"), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.child = pexpect.spawn(
            sys.executable, ["-m", "kestrel"], env=environment, cwd=str(folder), encoding="utf-8", dimensions=(40, 120), timeout=30
        )
        self.sees("kestrel>")

    def types(self, keys: str) -> None:
        self.child.send(keys)

    def sees(self, pattern: str) -> str:
        """What was shown up to the pattern, without colours. Fails after a while."""
        self.child.expect(pattern)
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", f"{self.child.before}{self.child.after}")

    def leaves(self) -> int | None:
        self.types(CTRL_D)
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Terminal]]:
    started: list[Terminal] = []

    def one() -> Terminal:
        started.append(Terminal(tmp_path))
        return started[-1]

    yield one
    for terminal in started:
        terminal.child.close(force=True)


def test_a_hunt_over_several_lines(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.types(f"p = NEW process [{{'name': 'cmd.exe', 'pid': 7}},{ENTER}")
    terminal.sees(r"\.\.\.>")
    terminal.types(f"{{'name': 'ps.exe'}}]{ALT_ENTER}DISP p ATTR name{ENTER}")
    assert re.search(r"cmd\.exe\s+ps\.exe", terminal.sees(TIME))
    assert terminal.leaves() == 0


def test_completion_while_typing(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.types("GET proc")
    terminal.sees("a program that ran")
    terminal.types(f"{TAB}{CTRL_C}DISP x WHERE process:comm{TAB}")
    terminal.sees("command_line")
    terminal.types(CTRL_C)
    assert terminal.leaves() == 0


def test_help(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.types(f"?created{ENTER}")
    terminal.sees("process CREATED network-traffic")
    terminal.types(f"?process{ENTER}")
    terminal.sees("the number the operating system gave the process")
    terminal.types(f"?zzz{ENTER}")
    terminal.sees("no help")
    terminal.types(f"GET process WHERE name{F1}")
    terminal.sees("name: an attribute of process")
    terminal.types(CTRL_C)
    assert terminal.leaves() == 0


def test_mistakes_are_drawn_and_the_session_goes_on(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.types(f"p = NEW ['a.exe']{ENTER}")
    terminal.sees(TIME)
    terminal.types(f"DISP p ATTR nam{ENTER}")
    assert "did you mean `name`?" in terminal.sees(r"help: .*\n")
    terminal.types(f"DISP p ATTR name{ENTER}")
    assert "a.exe" in terminal.sees(TIME)
    assert terminal.leaves() == 0


def test_a_running_step_is_stopped_and_the_session_stays(start: Callable[[], Terminal], tmp_path: Path) -> None:
    write(tmp_path / "chain.json", [creation(n, parent=n - 1 if n > 1 else None) for n in range(1, 5000)])
    terminal = start()
    terminal.types(f"p = GET process FROM 'chain.json' WHERE pid = 101{ENTER}")
    terminal.sees(TIME)
    terminal.types(f"a = GET process FROM 'chain.json' d = JOIN a, a BY type, type{ENTER}")
    terminal.child.delaybeforesend = 0.5
    terminal.types(CTRL_C)
    terminal.sees("stopped")
    terminal.types(f"DISP d{ENTER}")
    terminal.sees("there is no variable `d`")
    terminal.types(f"c = FIND process CREATED BY p DISP c ATTR name{ENTER}")
    assert "p2.exe" in terminal.sees(TIME)
    assert terminal.leaves() == 0


def test_settings_with_mistakes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kestrel.yaml").write_text("display: {rowz: 20}")
    monkeypatch.setenv("KESTREL_CONFIG", str(tmp_path / "kestrel.yaml"))
    child = pexpect.spawn(sys.executable, ["-m", "kestrel"], encoding="utf-8", timeout=30)
    child.expect("there is no setting `display.rowz`")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1


def test_lines_are_remembered_for_the_user_alone(start: Callable[[], Terminal], tmp_path: Path) -> None:
    terminal = start()
    terminal.types(f"p = NEW ['remembered']{ENTER}")
    terminal.sees(TIME)
    assert terminal.leaves() == 0
    history = tmp_path / "state" / "kestrel" / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    again = start()
    again.types("\x1b[A")
    again.sees("remembered")
    again.types(CTRL_C)
    assert again.leaves() == 0


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("DISP p", True),
        ("p = NEW ['a'", False),
        ("p = GET process FROM x WHERE", False),
        ("p = GET process FROM x WHERE name = 'a' START t'2021-01-01' STOP", False),
        ("p = GET process FROM x WHERE # why\n  name = 'a'", True),
        ("p = GET process FROM x WHERE [name = 'a'", False),
        ("p = GET process FROM x WHERE\n", True),
        ("p = GETT process FROM x", True),
        ("?GET", True),
        ("", True),
    ],
)
def test_when_enter_runs_a_hunt(text: str, runs: bool) -> None:
    assert finished(text) is runs


def test_without_a_terminal_it_loads_nothing_of_the_prompt() -> None:
    code = "import sys, kestrel, kestrel.cli; print([m for m in ('prompt_toolkit', 'pygments', 'rich') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_words_of_other_shells(start: Callable[[], Terminal]) -> None:
    terminal = start()
    terminal.types(f"help{ENTER}")
    terminal.sees("FIND .*entities that stand in a relation")
    terminal.types(f"?{ENTER}")
    terminal.sees("FIND .*entities that stand in a relation")
    terminal.types(F1)
    terminal.sees("FIND .*entities that stand in a relation")
    terminal.types(f"help process{ENTER}")
    terminal.sees("the number the operating system gave the process")
    terminal.types(f"quit = NEW ['first.exe']{ENTER}")
    terminal.sees(TIME)
    terminal.types(f"quit{ENTER}")
    terminal.sees(r"name\s.*first\.exe")
    terminal.types(f"exit{ENTER}")
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 0
