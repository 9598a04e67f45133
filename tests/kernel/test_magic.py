"""Hunts in Python notebooks, in a real IPython."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from IPython.core.error import UsageError
from IPython.utils.capture import capture_output

from kestrel.display.notebook import DATA
from tests.kernel.test_kernel import slow

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture
def shell() -> Iterator[Any]:
    from IPython.core.interactiveshell import InteractiveShell

    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(colors="nocolor")
    made.run_line_magic("load_ext", "kestrel")
    yield made
    made.user_ns["kestrel_session"].close()
    InteractiveShell.clear_instance()


def run(shell: Any, cell: str) -> list[dict[str, Any]]:
    with capture_output() as captured:
        shell.run_cell_magic("kestrel", "", cell)
    return [o.data for o in captured.outputs]


def test_results_have_the_display_of_huntbooks(shell: Any) -> None:
    found = run(shell, "n = NEW ['a.exe', 'b.exe']\nDISP n ATTR name")
    assert [d[DATA]["kind"] for d in found] == ["table", "summary"]
    assert {"text/plain", "text/html", DATA} <= set(found[0])


def test_variables_become_data_frames(shell: Any) -> None:
    run(shell, "n = NEW ['a.exe', 'b.exe']")
    frame = shell.user_ns["n"]
    assert isinstance(frame, pandas.DataFrame) and sorted(frame["name"]) == ["a.exe", "b.exe"]


def test_python_values_stand_for_parameters(shell: Any) -> None:
    shell.user_ns |= {"wanted": ["b.exe"], "series": pandas.Series(["a.exe"]), "unused": object()}
    run(shell, "n = NEW ['a.exe', 'b.exe', 'c.exe']")
    assert run(shell, "DISP n WHERE name IN $wanted ATTR name")[0][DATA]["rows"] == [["b.exe"]]
    assert run(shell, "DISP n WHERE name IN $series ATTR name")[0][DATA]["rows"] == [["a.exe"]]


def test_a_line_is_a_hunt(shell: Any) -> None:
    with capture_output() as captured:
        shell.run_line_magic("kestrel", "n = NEW ['a.exe'] DISP n ATTR name")
    assert captured.outputs[0].data[DATA]["rows"] == [["a.exe"]]


def test_a_mistake_is_shown_with_its_place_and_no_traceback(shell: Any) -> None:
    with pytest.raises(UsageError, match="K0202") as caught:
        shell.run_cell_magic("kestrel", "", "DISP nobody")
    assert "^^^^^^" in str(caught.value)


def test_an_interrupt_stops_the_hunt_and_keeps_the_session(shell: Any, tmp_path: Path) -> None:
    file = slow(tmp_path)
    run(shell, "kept = NEW ['a.exe']")
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(UsageError, match="stopped"):
        shell.run_cell_magic("kestrel", "", f"big = GET process FROM '{file}' WHERE name = 'p1.exe'")
    assert run(shell, "DISP kept ATTR name")[0][DATA]["rows"] == [["a.exe"]]


def test_words_of_other_shells(shell: Any) -> None:
    run(shell, "n = NEW ['a.exe']")
    assert run(shell, "n")[0][DATA]["rows"][0][0] == "a.exe"
    assert "FIND" in run(shell, "help")[0]["text/plain"]
    assert "process" in run(shell, "?process")[0]["text/plain"]
    assert run(shell, "exit") == []
    with pytest.raises(UsageError):
        run(shell, "?zzz")
