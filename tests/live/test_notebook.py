"""A slow server, asked from a notebook: the cell stops at once, and the session stays usable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.conftest import environment
from tests.kernel.test_kernel import Notebook
from tests.live.fixtures import Profiled
from tests.live.test_faults import HUNT, PAGE
from tests.servers.fault import HangHead
from tests.servers.index import Index
from tests.servers.proxy import Proxy
from tests.servers.server import Server
from tests.test_demo import EXPECTED

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture
def proxy(server: Server, fronted: Callable[..., Proxy]) -> Proxy:
    return fronted(server, tls=False)


@pytest.fixture
def notebook(proxy: Proxy, sample: Index, profiled: Profiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook whose kernel has the profile of the server."""
    from kestrel.kernel.install import install

    profiled(proxy.url, sample.name)
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    install(tmp_path)
    made = Notebook()
    yield made
    made.close()


def test_an_interrupt_in_the_middle_of_a_fetch(notebook: Notebook, proxy: Proxy) -> None:
    notebook.run("kept = NEW ['cmd.exe']")
    proxy.misbehave(HangHead(30), path=PAGE)

    def interrupt() -> None:
        while not proxy.asked(PAGE):
            time.sleep(0.02)
        notebook.manager.interrupt_kernel()

    threading.Thread(target=interrupt).start()
    began = time.monotonic()
    reply, _ = notebook.run(HUNT)
    assert reply["ename"] == "Stopped" and time.monotonic() - began < 20
    proxy.behave()
    assert notebook.outputs("DISP kept ATTR name")[0]["rows"] == [["cmd.exe"]]
    made = notebook.outputs(HUNT)[-1]["variables"]
    assert [(m["name"], m["entities"]) for m in made] == [("x", EXPECTED["sp"])]


def test_a_tree_of_what_a_server_holds(notebook: Notebook) -> None:
    tree = notebook.outputs(HUNT.replace("svchost.exe", "amcet.exe") + "\nDISP x AS TREE\nDISP x AS GRAPH\nDISP x AS TIMELINE\nDISP x AS CHART")
    kinds = [part["kind"] for part in tree if part["kind"] in ("tree", "graph", "timeline", "chart")]
    assert kinds == ["tree", "graph", "timeline", "chart"]
    nodes = next(part for part in tree if part["kind"] == "tree")["nodes"]
    assert any(n["label"].startswith("svchost.exe") for n in nodes) and sum(n["marked"] for n in nodes) > 20
