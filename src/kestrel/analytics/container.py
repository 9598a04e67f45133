"""A container as an analytic: the folder of `exchange.py` is its `/data`, arguments are its environment variables.

`docker://NAME` is the image `kestrel-analytics-NAME`, as in Kestrel 1.x, unless a profile names another. Images are never
fetched: what runs is what the hunter built or pulled. The client `docker` is run with a list of arguments.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kestrel.analytics.contract import AnalyticFailed, CannotStart, Input, Outcome
from kestrel.analytics.environment import as_environment, passed
from kestrel.analytics.exchange import Exchange
from kestrel.analytics.program import FOLDER, ended, run_to_end
from kestrel.analytics.settings import TIME_LIMIT, BadAnalyticProfile, is_set_up, profile

CLIENT = "docker"
PREFIX = "kestrel-analytics-"
WORD = r"[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*"
IMAGE = re.compile(rf"{WORD}(?:[:/@]{WORD})*")
NOT_STARTED = 125
"""The client's exit code where the container did not start (manual of `docker run`)."""


def container_named(name: str) -> Container:
    """The image of a profile, else the one of that name. Raises BadAnalyticProfile."""
    uri, image, seconds = f"docker://{name}", PREFIX + name.lower(), TIME_LIMIT
    declared: tuple[str, ...] = ()
    if is_set_up("docker", name):
        found = profile("docker", name)
        uri, seconds, declared = found.uri, found.time_limit(), found.names("arguments", "MODEL_DIR")
        image = found.text("image", "example/score:2") if "image" in found.entry else image
    if not IMAGE.fullmatch(image):
        raise BadAnalyticProfile(uri, f"`{image}` is no name of an image")
    return Container(uri, image, seconds, declared)


@dataclass(frozen=True)
class Container:
    """An image, the seconds its container may take, and the arguments it declares."""

    name: str
    image: str
    time_limit: float
    declared: tuple[str, ...] = ()

    def check(self, types: Sequence[str], arguments: Collection[str]) -> None:
        """What the container takes, only it knows."""

    def run(self, inputs: Sequence[Input], arguments: Mapping[str, Any], scratch: Path) -> Outcome:
        environment = as_environment(self.name, arguments, self.declared)
        client = passed(client=True)
        exchange = Exchange.prepare(inputs, scratch)
        own = PREFIX + secrets.token_hex(8)
        command = [CLIENT, "run", "--rm", "--pull=never", f"--name={own}", f"--mount=type=bind,source={exchange.folder.absolute()},target=/data"]
        command += [f"--env={FOLDER}=/data", *_handed_on(environment), self.image]
        try:
            code, lines = run_to_end(self.name, command, exchange.folder, {**_harmless(environment), **client}, self.time_limit)
        except CannotStart:
            raise
        except BaseException:
            self._remove(own)
            raise
        if code == NOT_STARTED:
            why = next((line for line in lines if line.startswith("docker: ")), ended(code))
            raise CannotStart(self.name, why, f"is the Docker engine running, and the image there? `docker image inspect {self.image}` tells")
        if code != 0:
            raise AnalyticFailed(self.name, ended(code), lines)
        return exchange.collect(self.name, lines)

    def _remove(self, container: str) -> None:
        """End the container: the engine keeps it running when its client is gone."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            command = [CLIENT, "rm", "--force", container]
            subprocess.run(command, env=passed(client=True), stdin=subprocess.DEVNULL, capture_output=True, timeout=30)


READ_BY_CLIENT = re.compile(
    r"PATH|HOME|TMP|TEMP|TMPDIR|USERPROFILE|(LOCAL)?APPDATA|SYSTEMROOT|PATHEXT|COMSPEC|GO[A-Z]+|\w+_PROXY|"
    r"(DOCKER|BUILDKIT|BUILDX|COMPOSE|CONTAINERD|OTEL|XDG|SSL|SSH|LD|DYLD|GLIBC|MALLOC)_\w+",
    re.IGNORECASE,
)
"""The variables that the client reads as its own settings: those of Docker, of Go programs, and of the dynamic linker."""


def _harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """The arguments that are safe in the environment of the client itself, where other users cannot see their values."""
    return {key: text for key, text in environment.items() if not READ_BY_CLIENT.fullmatch(key)}


def _handed_on(environment: Mapping[str, str]) -> list[str]:
    """The options that pass arguments to the container. Only those that would change the client's own behaviour are passed with their values,
    which other users of the machine can see."""
    return [f"--env={key}={text}" if READ_BY_CLIENT.fullmatch(key) else f"--env={key}" for key, text in environment.items()]
