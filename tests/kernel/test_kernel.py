"""The kernel, asked as Jupyter asks it."""

from __future__ import annotations

import base64
import gzip
import json
import stat
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import jupyter_kernel_test
import pytest
from jupyter_client.manager import KernelManager, start_new_kernel

from kestrel.display.notebook import DATA
from kestrel.kernel.install import install, uninstall
from kestrel.kernel.progress import Progress
from kestrel.syntax.grammar import COMMANDS

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::ResourceWarning")]
HUNT = "p = GET process FROM demo://host101 WHERE name = 'amcet.exe'\n"


@pytest.mark.usefixtures("jupyter")
class TestProtocol(jupyter_kernel_test.KernelTests):  # type: ignore[misc]
    """The tests that every Jupyter kernel has to pass."""

    kernel_name = "kestrel"
    language_name = "kestrel"
    file_extension = ".hf"
    code_display_data = [{"code": "n = NEW ['cmd.exe'] DISP n ATTR name", "mime": DATA}]
    completion_samples = [{"text": "GE", "matches": {"GET"}}]
    complete_code_samples = ["n = NEW ['cmd.exe']"]
    incomplete_code_samples = ["n = NEW ['cmd.exe',"]
    invalid_code_samples = ["DISP DISP DISP ="]
    code_inspect_sample = "DISP"
    code_generate_error = "DISP nobody"
    code_history_pattern = "n = NEW*"
    supported_history_operations = ("tail", "range", "search")


class Notebook:
    """A kernel and what its cells send."""

    def __init__(self) -> None:
        self.manager: KernelManager
        self.manager, self.client = start_new_kernel(kernel_name="kestrel")

    def run(self, code: str, interrupt: float | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The reply of a cell, and the messages it sent. `interrupt`: the kernel is interrupted after so many seconds."""
        number = self.client.execute(code)
        if interrupt is not None:
            while self.client.get_iopub_msg(timeout=20)["msg_type"] != "execute_input":
                pass
            time.sleep(interrupt)
            self.manager.interrupt_kernel()
        sent = []
        while True:
            message = self.client.get_iopub_msg(timeout=30)
            if message["parent_header"].get("msg_id") != number:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            if message["msg_type"] not in ("status", "execute_input"):
                sent.append(message)
        while (reply := self.client.get_shell_msg(timeout=30))["parent_header"].get("msg_id") != number:
            pass  # a slow kernel is asked more than once whether it is ready
        if reply["content"]["status"] == "error":
            time.sleep(0.3)  # what comes at once after an error is taken to be of the same "Run all"
        return reply["content"], sent

    def outputs(self, code: str) -> list[dict[str, Any]]:
        """What the results of a cell hold, as data."""
        reply, sent = self.run(code)
        assert reply["status"] == "ok", reply
        kept: dict[str, dict[str, Any]] = {}
        for message in sent:
            if message["msg_type"] in ("display_data", "update_display_data"):
                name = message["content"].get("transient", {}).get("display_id", message["header"]["msg_id"])
                kept[name] = message["content"]["data"]
        return [unpacked(data[DATA]) for data in kept.values()]

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """What the kernel answers a table on screen."""
        self.client.shell_channel.send(self.client.session.msg("comm_open", {"comm_id": "c1", "target_name": "kestrel.page", "data": question}))
        while True:
            message = self.client.get_iopub_msg(timeout=30)
            if message["msg_type"] == "comm_msg":
                return dict(message["content"]["data"])

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def unpacked(data: dict[str, Any]) -> dict[str, Any]:
    return json.loads(gzip.decompress(base64.b64decode(data["packed"]))) if "packed" in data else data


@pytest.fixture(scope="module")
def notebook(jupyter: Path) -> Iterator[Notebook]:
    made = Notebook()
    yield made
    made.close()


def test_results_come_when_their_statement_ends(notebook: Notebook) -> None:
    found = notebook.outputs(HUNT + "DISP p ATTR name INFO p")
    assert [f["kind"] for f in found if f["kind"] != "notice"] == ["table", "info", "summary"]
    assert next(f for f in found if f["kind"] == "table")["rows"] == [["amcet.exe"]]


def test_a_failing_cell_ends_in_an_error_with_carets(notebook: Notebook) -> None:
    reply, sent = notebook.run("n = NEW ['cmd.exe']\nDISP n ATTR nam")
    assert (reply["status"], reply["ename"]) == ("error", "K0203")
    lines = sent[-1]["content"]["traceback"]
    assert sent[-1]["msg_type"] == "error"
    code, carets = next((a, b) for a, b in pairwise(lines) if "^" in b)
    assert code[carets.index("^") :].startswith("nam") and carets.count("^") == 3
    assert not any("Traceback" in line or ".py" in line for line in lines)


def test_a_variable_that_is_not_there_is_named_with_those_that_are(notebook: Notebook) -> None:
    notebook.run("known = NEW ['cmd.exe']")
    reply, _ = notebook.run("DISP unknown_one")
    assert "unknown_one" in reply["evalue"] and any("known" in line for line in reply["traceback"])


def test_cells_run_again_and_out_of_order(notebook: Notebook) -> None:
    first = notebook.outputs(HUNT + "DISP p ATTR pid")
    notebook.outputs("p = NEW ['x.exe']")
    again = notebook.outputs(HUNT + "DISP p ATTR pid")
    assert [f for f in first if f["kind"] == "table"] == [f for f in again if f["kind"] == "table"]


def test_what_was_made_before_an_error_stays(notebook: Notebook) -> None:
    reply, _ = notebook.run("stays = NEW ['cmd.exe']\nDISP stays ATTR x_nothing_has")
    assert reply["status"] == "error"
    assert notebook.outputs("DISP stays ATTR name")[0]["rows"] == [["cmd.exe"]]


def slow(folder: Path) -> Path:
    """A packed log that takes seconds to read on any machine, and no time to write: the same part again and again."""
    line = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Hostname": "h1", "EventTime": "2021-04-03 10:00:00"}
    lines = []
    for n in range(50_000):
        guid = f"{{8A2F41C7-B0FC-6067-{n:04X}-000000000000}}"
        more = {"ProcessGuid": guid, "ProcessId": n, "Image": f"C:\\p{n % 500}.exe", "CommandLine": f"p {n} " + "x" * 100, "RecordNumber": n}
        lines.append(json.dumps(line | more) + "\n")
    file = folder / "slow.json.gz"
    file.write_bytes(gzip.compress("".join(lines).encode(), 1) * 40)
    return file


def test_interrupt_stops_a_reading_and_the_session_stays_usable(notebook: Notebook, tmp_path: Path) -> None:
    file = slow(tmp_path)
    notebook.run("kept = NEW ['cmd.exe']")
    reply, sent = notebook.run(f"big = GET process FROM '{file}' WHERE name = 'p1.exe'", interrupt=0.3)
    assert (reply["status"], reply["ename"]) == ("error", "Stopped")
    assert sent[-1]["msg_type"] == "error"
    assert notebook.outputs("DISP kept ATTR name")[0]["rows"] == [["cmd.exe"]]


def test_progress_is_replaced_by_the_result() -> None:
    known: list[tuple[str, int, float] | None] = [("bytes", 10**9, 0.0), ("bytes", 10**9, 0.25), ("bytes", 10**9, 0.5)]
    sent: list[tuple[str, dict[str, Any]]] = []
    progress = Progress(lambda: known.pop(0), lambda kind, content: sent.append((kind, content)))
    for now in (100.0, 100.4, 101.0):
        progress.look(now)
    progress.replace({"text/plain": "the result"})
    progress.replace({"text/plain": "another"})
    progress.end()
    assert [kind for kind, _ in sent] == ["display_data", "update_display_data", "display_data"]
    assert sent[0][1]["data"] == {"text/plain": "reading 1.0 GB  50%  500 MB/s  1 s left"}
    assert sent[0][1]["transient"] == sent[1][1]["transient"] and "transient" not in sent[2][1]
    assert sent[1][1]["data"] == {"text/plain": "the result"}


def test_a_reading_without_a_result_says_what_was_read() -> None:
    sent: list[dict[str, Any]] = []
    progress = Progress(lambda: ("records", 2000, 0.4), lambda _, content: sent.append(content["data"]))
    progress.look(1.0)
    progress.look(2.0)
    progress.end()
    assert sent[0]["text/plain"].startswith("fetching 2,000 records  40%  800/s")
    assert sent[-1]["text/plain"].startswith("40% of 2,000 records in ")


def test_interrupt_of_an_idle_kernel_does_nothing(notebook: Notebook) -> None:
    notebook.manager.interrupt_kernel()
    assert notebook.outputs("n = NEW ['cmd.exe'] DISP n ATTR name")[0]["rows"] == [["cmd.exe"]]


def test_completion_names_attributes_with_their_kinds(notebook: Notebook) -> None:
    notebook.outputs(HUNT)
    reply = notebook.client.complete("DISP p ATTR na", 14, reply=True, timeout=20)["content"]
    assert "name" in reply["matches"] and (reply["cursor_start"], reply["cursor_end"]) == (12, 14)
    known = {t["text"]: t for t in reply["metadata"]["_jupyter_types_experimental"]}
    assert known["name"]["type"] == "property" and known["name"]["signature"]


@pytest.mark.parametrize(("code", "place", "words"), [("DISP p", 2, "ATTR"), ("DISP p ATTR pid", 14, "pid"), ("DISP p", 6, "24 process")])
def test_inspect_tells_of_commands_attributes_and_variables(notebook: Notebook, code: str, place: int, words: str) -> None:
    notebook.outputs(HUNT + "INFO p")
    reply = notebook.client.inspect(code, place, reply=True, timeout=20)["content"]
    assert reply["found"] and (words in reply["data"]["text/plain"] or "process" in reply["data"]["text/plain"])


def test_a_word_after_a_question_mark_is_explained(notebook: Notebook) -> None:
    _, sent = notebook.run("?GET")
    assert "GET" in sent[0]["content"]["data"]["text/plain"]


def test_further_rows_of_a_table_come_from_the_kernel(notebook: Notebook) -> None:
    rows = ", ".join(f'{{"name": "p{n}.exe", "pid": {n}}}' for n in range(1500))
    table = notebook.outputs(f"many = NEW process [{rows}]\nDISP many ATTR name, pid")[0]
    assert (table["total"], len(table["rows"])) == (1500, 1000)
    last = notebook.ask({"key": table["key"], "offset": 1400, "count": 200})
    assert last["rows"] == [[f"p{n}.exe", n] for n in range(1400, 1500)]
    downward = notebook.ask({"key": table["key"], "offset": 0, "count": 3, "sort": 1, "descending": True})
    assert downward["rows"] == [["p1499.exe", 1499], ["p1498.exe", 1498], ["p1497.exe", 1497]]
    searched = notebook.ask({"key": table["key"], "offset": 0, "count": 5, "search": "P149"})
    assert searched["total"] == 11 and searched["rows"][0] == ["p149.exe", 149]
    assert notebook.ask({"key": "none", "offset": 0, "count": 5}) == {"unknown": True}


def test_restart_forgets_the_variables(jupyter: Path) -> None:
    made = Notebook()
    try:
        made.run("n = NEW ['cmd.exe']")
        made.manager.restart_kernel(now=False)
        made.client.wait_for_ready(timeout=30)
        assert made.run("DISP n")[0]["ename"] == "K0202"
    finally:
        made.close()


def test_the_kernel_runs_with_the_interpreter_that_installed_it(tmp_path: Path) -> None:
    folder = install(tmp_path / "prefix")
    assert folder == tmp_path / "prefix" / "share" / "jupyter" / "kernels" / "kestrel"
    assert json.loads((folder / "kernel.json").read_text())["argv"][0] == sys.executable
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert install(tmp_path / "prefix") == folder
    assert uninstall(tmp_path / "prefix") == folder and not folder.exists()
    assert uninstall(tmp_path / "prefix") is None


def test_help_has_every_command(notebook: Notebook) -> None:
    for command in COMMANDS:
        assert notebook.client.inspect(command, len(command), reply=True, timeout=20)["content"]["found"], command


def test_words_of_other_shells(notebook: Notebook) -> None:
    notebook.run("shown = NEW ['first.exe']")
    assert notebook.outputs("shown")[0]["rows"][0][0] == "first.exe"
    assert "FIND" in notebook.run("help")[1][0]["content"]["data"]["text/plain"]
    assert "FIND" in notebook.run(" ?\n")[1][0]["content"]["data"]["text/plain"]
    reply, _ = notebook.run("exit")
    assert reply["status"] == "ok" and reply["payload"] == [{"source": "ask_exit", "keepkernel": False}]
    notebook.run("exit = NEW ['second.exe']")
    assert notebook.outputs("exit")[0]["rows"][0][0] == "second.exe", "a variable of that name wins"
