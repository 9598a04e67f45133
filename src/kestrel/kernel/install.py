"""The kernel in Jupyter's list: the file that says how it is started."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Literal

NAME = "kestrel"
LOGOS = ("logo-svg.svg",)
Place = Literal["user", "sys-prefix"] | Path


class CannotInstall(Exception):
    """Why the kernel cannot be installed or taken away, in a sentence for the user."""


def install(place: Place | None = None) -> Path:
    """Put the kernel into a place, by default where this interpreter's own Jupyter looks. Returns its folder.

    The kernel runs with the interpreter that installs it. Raises CannotInstall.
    """
    _check()
    folder = _folder(place or default_place())
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".kestrel-") as scratch:
            made = Path(scratch) / NAME
            made.mkdir(mode=0o755)
            (made / "kernel.json").write_text(json.dumps(specification(), indent=1) + "\n", encoding="utf-8")
            for logo in LOGOS:
                (made / logo).write_bytes((resources.files("kestrel.kernel") / logo).read_bytes())
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(made, folder)
    except OSError as error:
        raise _failure(folder, error) from error
    return folder


def uninstall(place: Place | None = None) -> Path | None:
    """Take the kernel away from a place. Returns its folder, or None where it was not there."""
    folder = _folder(place or default_place())
    if not folder.exists():
        return None
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise _failure(folder, error) from error
    return folder


def specification() -> dict[str, object]:
    """How Jupyter starts the kernel. The folder of a notebook is kept off the module path: what lies there is no part of Kestrel."""
    return {
        "argv": [sys.executable, "-P", "-m", "kestrel_jupyter_kernel", "-f", "{connection_file}"],
        "display_name": "Kestrel",
        "language": "kestrel",
        "interrupt_mode": "signal",
    }


def default_place() -> Place:
    """The environment where there is one, else the user's own folder."""
    environment = sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ
    return "sys-prefix" if environment else "user"


def _folder(place: Place) -> Path:
    if place == "user":
        from jupyter_core.paths import jupyter_data_dir

        return Path(jupyter_data_dir()) / "kernels" / NAME
    prefix = Path(sys.prefix) if place == "sys-prefix" else Path(place)
    return prefix / "share" / "jupyter" / "kernels" / NAME


def _check() -> None:
    try:
        import ipykernel  # noqa: F401
    except ImportError as error:
        raise CannotInstall(f"there is no module `{error.name}`; `pip install 'kestrel-hunt[jupyter]'` brings it") from error


def _failure(folder: Path, error: OSError) -> CannotInstall:
    return CannotInstall(f"{folder}: {error.strerror or error}; `--user`, `--sys-prefix` and `--prefix FOLDER` name other places")
