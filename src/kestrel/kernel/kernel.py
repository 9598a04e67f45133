"""The Jupyter kernel: cells in, results out."""

from __future__ import annotations

import fnmatch
import html
import signal
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from ipykernel.kernelbase import Kernel
from traitlets import Float

from kestrel.assist import Aside, aside, complete, help_at, state_of
from kestrel.display.notebook import EMBEDDED, bundle, failure_text
from kestrel.errors import Bug, HuntErrors
from kestrel.kernel.pages import page
from kestrel.kernel.progress import Progress
from kestrel.running import STOPPED, Runner
from kestrel.session import Session
from kestrel.signals import Stopped
from kestrel.syntax.help import Help
from kestrel.text import Source
from kestrel.version import __version__

NAME = "cell"
ICONS = {
    "type": "class",
    "relation": "function",
    "attribute": "property",
    "reference": "property",
    "variable": "instance",
    "keyword": "keyword",
    "operator": "keyword",
    "view": "keyword",
    "source": "module",
    "file": "path",
    "analytics": "function",
    "parameter": "param",
    "time": "text",
}
"""What completion offers, in Jupyter's words for it: they choose the icon."""
LEAVE = "The session ends when its kernel is shut down."
PAGES = "kestrel.page"
"""The comm on which a table on screen asks for further rows."""


class KestrelKernel(Kernel):
    """One session, and the cells that run in it.

    A cell runs in a thread of its own, and SIGINT only sets an event that the main thread sees: whatever library the cell
    is in, it stops, and the session stays usable.
    """

    stop_on_error_timeout = Float(0.2, config=True, help="seconds after an error in which cells that come are taken to be of the same run of all")
    implementation = "kestrel"
    implementation_version = __version__
    banner = f"Kestrel {__version__}: hunt for threats in entities and relations"
    language_info = {
        "name": "kestrel",
        "version": __version__,
        "mimetype": "text/x-kestrel",
        "file_extension": ".hf",
        "codemirror_mode": "kestrel",
        "pygments_lexer": "kestrel",
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.hunt = Session(rows=EMBEDDED)
        self.interrupted = threading.Event()
        self.runner = Runner(self.hunt, self.interrupted)
        self.turn = threading.Lock()
        """Held while the session works."""
        self.history: list[str] = []
        for kind, act in (("comm_open", self._comm_open), ("comm_msg", _nothing), ("comm_close", _nothing)):
            self.shell_handlers[kind] = act

    # -- interrupt -----------------------------------------------------------------------------------------------

    def pre_handler_hook(self) -> None:
        """Before each message: Ctrl-C is heard, and raises nothing."""
        if threading.current_thread() is threading.main_thread():
            self.saved_sigint_handler = signal.signal(signal.SIGINT, lambda *_: self.interrupted.set())

    def post_handler_hook(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self.saved_sigint_handler)

    # -- cells ---------------------------------------------------------------------------------------------------

    async def do_execute(
        self, code: str, silent: bool, store_history: bool = True, user_expressions: Any = None, allow_stdin: bool = False, **_: Any
    ) -> dict[str, Any]:
        """Run a cell; each result is sent when its statement ends."""
        if store_history and code.strip():
            self.history.append(code)
        send = _no_output if silent else self._send
        with self.turn:
            asked = aside(self.hunt, code)
            failed = self._answer(asked, send) if asked and asked.hunt is None else self._run(asked.hunt if asked and asked.hunt else code, send)
        if failed:
            send("error", failed)
            return {"status": "error", "execution_count": self.execution_count, **failed}
        payload = [{"source": "ask_exit", "keepkernel": False}] if asked and asked.leave else []
        return {"status": "ok", "execution_count": self.execution_count, "payload": payload, "user_expressions": {}}

    def _run(self, code: str, send: Callable[[str, dict[str, Any]], None]) -> dict[str, Any] | None:
        """Run the hunt of a cell. Returns the content of its error message, or None."""
        progress = Progress(self.hunt.progress, send)
        try:
            for result in self.runner.run(code, NAME, lambda known: send("stream", {"name": "stderr", "text": f"{known}\n"})):
                if result is None:
                    progress.look(time.monotonic())
                else:
                    progress.replace(bundle(result, self.hunt.settings.rows))
        except Stopped:
            return _failed("Stopped", STOPPED, f"\x1b[33m{STOPPED}\x1b[0m")
        except HuntErrors as error:
            return _failed(error.errors[0].code, error.errors[0].message, failure_text(error))
        except Exception as error:
            self.log.error("%s", "".join(traceback.format_exception(error)))
            bug = HuntErrors(Source(code, NAME), [Bug()])
            return _failed(Bug.code, bug.errors[0].message, failure_text(bug))
        finally:
            progress.end()
        self.runner.rest()
        return None

    def _answer(self, asked: Aside, send: Callable[[str, dict[str, Any]], None]) -> dict[str, Any] | None:
        """Answer a cell that asks for help or to leave. Returns the content of its error message, or None."""
        if asked.leave:
            send("stream", {"name": "stdout", "text": f"{LEAVE}\n"})
        elif asked.help is None:
            sentence = f"there is no help for `{asked.word}`"
            return _failed("NoHelp", sentence, sentence)
        else:
            send("display_data", {"data": _help(asked.help), "metadata": {}})
        return None

    def _send(self, kind: str, content: dict[str, Any]) -> None:
        self.send_response(self.iopub_socket, kind, content)  # type: ignore[no-untyped-call]

    # -- help while typing ---------------------------------------------------------------------------------------

    async def do_complete(self, code: str, cursor_pos: int) -> dict[str, Any]:
        """What may stand at the cursor."""
        found = complete(self.hunt, code, cursor_pos)
        types = [
            {
                "start": found.start,
                "end": found.end,
                "text": i.text,
                "type": ICONS.get(i.kind, i.kind),
                "signature": i.detail,
            }
            for i in found.items
        ]
        return {
            "status": "ok",
            "matches": [i.text for i in found.items],
            "cursor_start": found.start,
            "cursor_end": found.end,
            "metadata": {"_jupyter_types_experimental": types},
        }

    async def do_inspect(self, code: str, cursor_pos: int, detail_level: int = 0, omit_sections: Any = ()) -> dict[str, Any]:
        """The help for the word at the cursor."""
        known = help_at(self.hunt, code, cursor_pos)
        data = _help(known) if known else {}
        return {"status": "ok", "found": known is not None, "data": data, "metadata": {}}

    async def do_is_complete(self, code: str) -> dict[str, Any]:
        """Whether Enter runs a line of a console; an empty line always does."""
        state = "complete" if not code.rpartition("\n")[2].strip() and code.strip() else state_of(code)
        return {"status": state, "indent": "    "} if state == "incomplete" else {"status": state}

    async def do_history(
        self,
        hist_access_type: str,
        output: bool,
        raw: bool,
        session: int | None = None,
        start: int | None = None,
        stop: int | None = None,
        n: int | None = None,
        pattern: str | None = None,
        unique: bool = False,
    ) -> dict[str, Any]:
        """The cells that were run since the kernel started."""
        cells = list(enumerate(self.history, start=1))
        if hist_access_type == "range":
            cells = cells[max(0, (start or 1) - 1) : None if stop is None else max(0, stop - 1)]
        elif hist_access_type == "search":
            cells = [(number, text) for number, text in cells if fnmatch.fnmatchcase(text, pattern or "*")]
            if unique:
                last = {text: number for number, text in cells}
                cells = sorted((number, text) for text, number in last.items())
        if hist_access_type != "range" and n is not None:
            cells = cells[-n:] if n > 0 else []
        return {"status": "ok", "history": [(0, number, (text, None) if output else text) for number, text in cells]}

    # -- further rows of a table ---------------------------------------------------------------------------------

    def _comm_open(self, stream: Any, ident: Any, parent: Mapping[str, Any]) -> None:
        """Answer one question of a table on screen, and end the conversation."""
        content = parent["content"]
        number = content["comm_id"]
        if content.get("target_name") == PAGES:
            with self.turn:
                self.runner.settle()
                answer = page(self.hunt, content.get("data", {}))
            self._send("comm_msg", {"comm_id": number, "data": answer})
        self._send("comm_close", {"comm_id": number, "data": {}})

    # -- the end -------------------------------------------------------------------------------------------------

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        """Keep what was read for the next session."""
        self.runner.settle()
        self.hunt.close()
        return {"status": "ok", "restart": restart}


def _nothing(stream: Any, ident: Any, parent: Any) -> None:
    """A message that asks for nothing."""


def _no_output(kind: str, content: dict[str, Any]) -> None:
    """What a silent cell sends."""


def _failed(name: str, sentence: str, make: str) -> dict[str, Any]:
    return {"ename": name, "evalue": sentence, "traceback": make.splitlines()}


def _help(known: Help) -> dict[str, str]:
    """Help as text, and as HTML whose second part keeps its columns."""
    rest = f"<pre style='margin:4px 0 0 0'>{html.escape(known.text)}</pre>"
    return {"text/plain": f"{known.title}\n{known.text}", "text/html": f"<b>{html.escape(known.title)}</b>{rest}"}
