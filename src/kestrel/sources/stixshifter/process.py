"""A connector at work: a child process that gets jobs, tells what comes of them, and ends with us."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

RUNNER = Path(__file__).with_name("runner.py")
PASSED = re.compile(
    r"(PATH|HOME|LANG|LC_\w+|TZ|TMP|TEMP|TMPDIR|SYSTEMROOT|WINDIR|APPDATA|LOCALAPPDATA|USERPROFILE|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|"
    r"(HTTPS?|NO)_PROXY|STIX_SHIFTER_ENABLE_TRUST_ENV|STIXSHIFTER_(RETRY_MAX|CONNECT_TIMEOUT))",
    re.IGNORECASE,
)
"""The environment variables a connector sees: none of those that hold profiles."""


class Child:
    """A connector's interpreter with a profile. Its end, whatever happens, ends what it has started."""

    def __init__(self, interpreter: Path, setting: Mapping[str, Any]) -> None:
        environment = {k: v for k, v in os.environ.items() if PASSED.fullmatch(k)}
        self.process = subprocess.Popen(
            [str(interpreter), "-I", str(RUNNER)],
            env={"STIXSHIFTER_RETRY_MAX": "3", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._say(setting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        self.process.wait()

    def ask(self, job: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The messages about a job, until the job or the process ends."""
        assert self.process.stdout
        self._say(job)
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            yield event
            if event["event"] != "page":
                return

    def _say(self, what: Mapping[str, Any]) -> None:
        assert self.process.stdin
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(what).encode() + b"\n")
            self.process.stdin.flush()

    def stop(self) -> None:
        """End it and all it has started, from any thread."""
        if self.process.returncode is not None:
            return
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()


class Secrets:
    """Every secret of a profile, to be left out of messages."""

    def __init__(self, connection: Mapping[str, Any], configuration: Mapping[str, Any]) -> None:
        found = set(_texts(configuration))
        found |= {base64.b64encode(f"{a}:{b}".encode()).decode() for a in found for b in found if len(found) < 20}
        for text in _texts(connection):
            found.update(re.findall(r"://([^/@\s]+)@", text))
            found.update(p for _, p in re.findall(r"://([^/@\s:]*):([^/@\s]+)@", text))
        self.found = sorted((f for f in found if len(f) > 2), key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """A text without them."""
        for secret in self.found:
            text = text.replace(secret, "***")
        return text

    def said(self, text: str) -> str:
        """What somebody says, without them, in one line and not too long."""
        text = " ".join(self.hidden(text).split())
        return text if len(text) < 600 else text[:600] + "..."


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for part in value.values():
                yield from _texts(part)
        case list() | tuple():
            for part in value:
                yield from _texts(part)
        case int() | float() if not isinstance(value, bool):
            yield str(value)
        case _:
            return
