"""A connector at work: a child process that gets one job, tells what comes of it, and ends with us."""

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
    """A connector's interpreter with a job. Its end, whatever happens, ends what it has started."""

    def __init__(self, interpreter: Path, job: Mapping[str, Any]) -> None:
        environment = {k: v for k, v in os.environ.items() if PASSED.fullmatch(k)}
        self.process = subprocess.Popen(
            [str(interpreter), "-I", str(RUNNER)],
            env={"STIXSHIFTER_RETRY_MAX": "3", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.job = json.dumps(job).encode() + b"\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        self.process.wait()

    def events(self) -> Iterator[dict[str, Any]]:
        """What it tells, until it ends."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(self.job)
            self.process.stdin.flush()
        except OSError:
            return
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                yield json.loads(line)

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
    """Every secret of a profile, to be left out of what is told."""

    def __init__(self, connection: Mapping[str, Any], configuration: Mapping[str, Any]) -> None:
        found = set(_texts(configuration))
        found |= {base64.b64encode(f"{a}:{b}".encode()).decode() for a in found for b in found if len(found) < 20}
        for text in _texts(connection):
            found.update(re.findall(r"://([^/@\s]+)@", text))
            found.update(p for _, p in re.findall(r"://([^/@\s:]*):([^/@\s]+)@", text))
        self.found = sorted((f for f in found if len(f) > 2), key=len, reverse=True)

    def hidden(self, text: str) -> str:
        """A text without them, in one line and not too long."""
        for secret in self.found:
            text = text.replace(secret, "***")
        text = " ".join(text.split())
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
