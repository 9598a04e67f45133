"""Hunts in Python notebooks, in a real Python kernel that lacks optional packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from kestrel.display.notebook import DATA

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::ResourceWarning")]
LACKING = """
import importlib.abc, sys

class Lacking(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("ipywidgets", "pandas", "pyarrow"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Lacking())
"""
HUNT = "p = GET process FROM demo://host101 WHERE name = 'amcet.exe' DISP p ATTR name"


class Notebook:
    """The cells of a notebook and what they show."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.shown: list[dict[str, Any]] = []
        """What the last cell displayed."""

    def run(self, code: str) -> tuple[str, str]:
        """The status of a cell, and its text: what it prints and displays, and the sentence of its error."""
        texts: list[str] = []
        self.shown = []

        def take(message: dict[str, Any]) -> None:
            content = message["content"]
            self.shown += [content["data"]] if "data" in content else []
            texts.append(content.get("text", "") + content.get("data", {}).get("text/plain", "") + content.get("evalue", ""))

        reply = self.client.execute_interactive(code, output_hook=take, timeout=120)
        return reply["content"]["status"], "".join(texts)


@pytest.fixture(scope="module")
def notebook(jupyter: Path) -> Iterator[Notebook]:
    manager, client = start_new_kernel(kernel_name="python3")
    made = Notebook(client)
    assert made.run(LACKING)[0] == "ok"
    yield made
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_the_magic(notebook: Notebook) -> None:
    assert notebook.run("%load_ext kestrel")[0] == "ok"
    status, text = notebook.run(f"%%kestrel\n{HUNT}")
    assert status == "ok" and "amcet.exe" in text
    assert [d[DATA]["kind"] for d in notebook.shown] == ["notice", "table", "summary"]


def test_a_session(notebook: Notebook) -> None:
    status, text = notebook.run(f'from kestrel import Session\ns = Session()\nprint(s.run("""{HUNT}""")[-2].rows)')
    assert (status, text) == ("ok", "(('amcet.exe',),)\n")


@pytest.mark.parametrize(("method", "extra"), [("to_pandas", "pandas"), ("to_arrow", "arrow")])
def test_a_missing_package_is_named_with_its_extra(method: str, extra: str, notebook: Notebook) -> None:
    notebook.run(f'from kestrel import Session\ns = Session()\nr = s.run("""{HUNT}""")')
    status, text = notebook.run(f"s['p'].{method}()")
    assert status == "error" and f"pip install 'kestrel-hunt[{extra}]'" in text
