"""A program as an analytic: it finds its variables in a folder and leaves there what it found (`exchange.py`).

The folder is its current one, and `KESTREL_DATA` names it. Arguments are environment variables; of Kestrel's own environment it
sees what `environment.py` lists and its profile names, and so no secret of another. Ending with any other code than 0 is a failure.
At its time limit, at Ctrl-C and at its end, whatever it started in its process group is ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kestrel.analytics.contract import AnalyticFailed, CannotStart, Input, Outcome, TimeLimit
from kestrel.analytics.environment import as_environment, passed
from kestrel.analytics.exchange import Exchange
from kestrel.analytics.settings import BadAnalyticProfile, profile

LOGGED = 1000
"""Lines of output that are kept, ..."""
TAIL = 1 << 20
"""... out of this many bytes at its end."""
FOLDER = "KESTREL_DATA"


def program_named(name: str) -> Program:
    """The program a profile names. Raises UnknownAnalytic, BadAnalyticProfile."""
    found = profile("exec", name)
    command = found.entry.get("command")
    if not isinstance(command, list) or not command or not all(isinstance(part, str | int | float) for part in command):
        raise BadAnalyticProfile(found.uri, "its `command` must be a list of the program and its arguments", "like `command: [python3, ./score.py]`")
    return Program(
        found.uri,
        tuple(_part(str(part), found.base) for part in command),
        found.time_limit(),
        found.names("arguments", "MODEL_DIR"),
        found.names("environment", "VT_API_KEY"),
    )


def _part(part: str, base: Path) -> str:
    if part.startswith("~/"):
        return str(Path(part).expanduser())
    return str(base / part) if part.startswith(("./", "../")) else part


@dataclass(frozen=True)
class Program:
    """A command, its time limit in seconds, the arguments it declares and the environment variables it needs."""

    name: str
    command: tuple[str, ...] = field(repr=False)
    time_limit: float
    declared: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()

    def check(self, types: Sequence[str], arguments: Collection[str]) -> None:
        """What the program takes, only it knows."""

    def run(self, inputs: Sequence[Input], arguments: Mapping[str, Any], scratch: Path) -> Outcome:
        environment = passed(self.environment) | as_environment(self.name, arguments, self.declared)
        exchange = Exchange.prepare(inputs, scratch)
        code, lines = run_to_end(self.name, self.command, exchange.folder, environment | {FOLDER: str(exchange.folder)}, self.time_limit)
        if code != 0:
            raise AnalyticFailed(self.name, ended(code), lines)
        return exchange.collect(self.name, lines)


def ended(code: int) -> str:
    """How a program ended, in words."""
    if code >= 0:
        return f"ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by the signal {signal.Signals(-code).name}"
    return f"was ended by the signal {-code}"


def run_to_end(name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> tuple[int, tuple[str, ...]]:
    """Exit code and last lines of output of a command. No shell is involved. Raises CannotStart, TimeLimit.

    Nothing of its process group is left running, however this returns.
    """
    log = folder.parent / "log"
    with log.open("wb") as sink:
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
            )
        except (OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError):
                raise CannotStart(name, f"there is no program `{command[0]}`", "is it installed, and on the PATH?") from None
            why = (
                (error.strerror or "the operating system refused it").lower()
                if isinstance(error, OSError)
                else "its command has a character that no command may have"
            )
            raise CannotStart(name, f"`{command[0]}`: {why}") from None
    _running[folder] = process
    try:
        return process.wait(seconds), last_lines(log)
    except subprocess.TimeoutExpired:
        raise TimeLimit(name, seconds, last_lines(log)) from None
    finally:
        del _running[folder]
        _end(process)
        process.wait()


_running: dict[Path, subprocess.Popen[bytes]] = {}
"""The running commands, by their folders."""


def stop_in(scratch: Path) -> None:
    """End the commands whose folders are below a folder, from any thread."""
    for folder, process in list(_running.items()):
        if folder.is_relative_to(scratch):
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a command and what it started in its process group."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def last_lines(log: Path) -> tuple[str, ...]:
    """The end of a program's output."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        return tuple(file.read().decode("utf-8", "replace").splitlines()[-LOGGED:])
