"""Hunts in Python notebooks: `%load_ext kestrel`, then `%%kestrel` at the top of a cell or `%kestrel` before a line."""

from __future__ import annotations

import re
import signal
import sys
import threading
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.display import display

from kestrel.assist import Aside, aside
from kestrel.display.notebook import EMBEDDED, bundle
from kestrel.errors import HuntErrors
from kestrel.result import Result, Summary
from kestrel.running import STOPPED, Runner
from kestrel.session import Session
from kestrel.signals import Stopped

PARAMETER = re.compile(r"\$([^\W\d]\w*)")
GIVEN = re.compile(r"\$([^\W\d]\w*)\s*=(?!=)")
LARGE = 100_000
"""Variables of more entities become no DataFrame by themselves."""


@magics_class
class KestrelMagics(Magics):
    """One session for a Python notebook. `kestrel_session` is at hand in Python."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.names: dict[str, Any] = shell.user_ns
        self.session = Session(rows=EMBEDDED)
        self.interrupted = threading.Event()
        self.runner = Runner(self.session, self.interrupted)
        self.names["kestrel_session"] = self.session

    @line_cell_magic
    def kestrel(self, line: str, cell: str | None = None) -> None:
        """Run a hunt; show its results; put each new variable into Python as a DataFrame of that name.

        `$name` stands for the Python variable of that name: text, a number, a time, or a list, array or Series of these.
        """
        text = line if cell is None else f"{line}\n{cell}" if line.strip() else cell
        asked = aside(self.session, text)
        if asked and asked.hunt is None:
            self._answer(asked)
            return
        try:
            made = self._run(asked.hunt if asked and asked.hunt else text)
        except HuntErrors as error:
            raise UsageError(f"\n{error}") from None
        except Stopped:
            raise UsageError(STOPPED) from None
        for name in made:
            self._hand_over(name)

    def _answer(self, asked: Aside) -> None:
        """Answer a cell that asks for help or to leave. Raises UsageError where there is no help."""
        if asked.leave:
            print("The session ends with the notebook's kernel.")
        elif asked.help is None:
            raise UsageError(f"there is no help for `{asked.word}`")
        else:
            display({"text/plain": f"{asked.help.title}\n{asked.help.text}"}, raw=True)  # type: ignore[no-untyped-call]

    def _run(self, text: str) -> list[str]:
        """The names of the variables a hunt made. While it runs, Ctrl-C stops it and nothing else."""
        made: list[str] = []
        before = signal.signal(signal.SIGINT, lambda *_: self.interrupted.set())
        try:
            for result in self.runner.run(text, "cell", lambda known: print(known, file=sys.stderr), self._parameters(text)):
                if result is not None:
                    _show(result, self.session.settings.rows)
                if isinstance(result, Summary):
                    made = [m.name for m in result.variables]
        finally:
            signal.signal(signal.SIGINT, before)
        return made

    def _parameters(self, text: str) -> dict[str, Any]:
        """The Python values that the hunt names, but for those it gives itself."""
        names = dict.fromkeys(PARAMETER.findall(text))
        own = {*GIVEN.findall(text), *self.session.parameters}
        found = {n: self.names[n] for n in names if n in self.names and n not in own}
        return {n: v.tolist() if hasattr(v, "tolist") else v for n, v in found.items()}

    def _hand_over(self, name: str) -> None:
        handle = self.session[name]
        try:
            import pandas  # noqa: F401
        except ImportError:
            wanted = "`pip install 'kestrel-hunt[pandas]'`"
            print(f'without pandas `{name}` is no Python variable: {wanted}, or use `kestrel_session["{name}"].to_dicts()`', file=sys.stderr)
            return
        if len(handle) > LARGE:
            print(f'`{name}` is large: `kestrel_session["{name}"].to_pandas()` makes it a DataFrame', file=sys.stderr)
            return
        self.names[name] = handle.to_pandas()


def _show(result: Result, rows: int | None) -> None:
    display(bundle(result, rows), raw=True)  # type: ignore[no-untyped-call]


def load(shell: Any) -> None:
    """Give a Python notebook its magics."""
    shell.register_magics(KestrelMagics)
