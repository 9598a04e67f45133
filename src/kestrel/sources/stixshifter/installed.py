"""Where connectors live: each with its own Python environment in the user's data folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from kestrel.sources.stixshifter.failures import InstallFailed, NotInstalled
from kestrel.sources.stixshifter.process import PASSED

FOLDER_VARIABLE = "KESTREL_CONNECTORS"
SHARED = ("stix-shifter", "stix-shifter-utils")
NAME = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")
OF_PIP = re.compile(r"PIP_\w+|ALL_PROXY|XDG_\w+|CC|CXX|CFLAGS|LDFLAGS", re.IGNORECASE)
"""The environment variables that pip sees in addition to those of connectors: for its index and for builds."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A connector that is here, and the version of its package."""

    name: str
    version: str
    folder: Path


def folder() -> Path:
    """The folder of all connectors: `KESTREL_CONNECTORS`, else one in the user's data folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("kestrel")) / "connectors"


def plain(name: str) -> str:
    """A connector's name as its module has it. Raises InstallFailed where it cannot be one."""
    found = name.strip().lower().replace("-", "_").removeprefix("stix_shifter_modules_")
    if not NAME.fullmatch(found):
        raise InstallFailed(name, "that is no name of a connector", "names are like `elastic_ecs`, `qradar` or `splunk`")
    return found


def may_be(name: str) -> bool:
    """Whether a connector can have this name."""
    return NAME.fullmatch(name.replace("-", "_")) is not None


def is_here(name: str) -> bool:
    """Whether a connector is installed."""
    return _python(folder() / name.replace("-", "_")).exists()


def package(name: str) -> str:
    return f"stix-shifter-modules-{name.replace('_', '-')}"


def interpreter(name: str) -> Path:
    """The Python of an installed connector. Raises NotInstalled."""
    found = _python(folder() / name)
    if not found.exists():
        raise NotInstalled(name)
    return found


def installed() -> list[Installed]:
    """Every connector that is here, by name."""
    places = sorted(folder().iterdir()) if folder().is_dir() else []
    return [Installed(p.name, _version(p) or "?", p) for p in places if NAME.fullmatch(p.name) and _python(p).exists()]


def install(name: str, upgrade: bool, known: Callable[[str], None]) -> Installed:
    """Make a connector's environment from PyPI's packages, or renew it. What fails leaves nothing behind, and an environment that was
    there as it was. `told` hears what is done. Raises InstallFailed."""
    name = plain(name)
    target = folder() / name
    if _python(target).exists() and not upgrade:
        return Installed(name, _version(target) or "?", target)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder()))
    except OSError as error:
        why = f"{folder()} cannot be written ({error.strerror})"
        raise InstallFailed(name, why, f"set `{FOLDER_VARIABLE}` to a folder that can be") from None
    try:
        known(f"making an environment for {name}")
        _run(name, [sys.executable, "-P", "-m", "venv", str(made)])
        known(f"installing {package(name)}")
        _run(name, [str(_python(made)), "-P", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *SHARED, package(name)])
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return Installed(name, _version(target) or "?", target)


def _python(place: Path) -> Path:
    return place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _version(place: Path) -> str | None:
    paths = [str(p) for p in [*place.glob("lib/python*/site-packages"), *place.glob("Lib/site-packages")]]
    wanted = package(place.name)
    found = (d for d in distributions(path=paths) if d.metadata["Name"].lower().replace("_", "-") == wanted)
    return next((d.version for d in found), None)


def _run(name: str, command: list[str]) -> None:
    environment = {k: v for k, v in os.environ.items() if PASSED.fullmatch(k) or OF_PIP.fullmatch(k)}
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise InstallFailed(name, f"{command[0]} does not start ({error.strerror})", "it needs a working Python") from None
    if done.returncode:
        raise InstallFailed(name, *_reason(name, done.stdout + done.stderr))


def _reason(name: str, said: str) -> tuple[str, str]:
    """What pip or venv says, in one line, and what to do."""
    lines = [re.sub(r"(\w+://)[^/\s@]*@", r"\1", line.strip()) for line in said.splitlines() if line.strip()]
    if "ensurepip is not available" in said or "No module named venv" in said:
        return "this Python cannot make environments", "install what it needs for that: on Debian and Ubuntu the package `python3-venv`"
    known = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if any("No matching distribution" in line for line in known) and not any("Connection" in line for line in lines):
        return f"there is no package `{package(name)}` for this Python", "connectors are listed in the documentation of STIX-shifter"
    return (known or lines or ["it says no more"])[-1], "pip must reach its package index: see `pip config list`"
