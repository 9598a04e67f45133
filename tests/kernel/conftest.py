"""A Jupyter of the tests' own: no folder of the user's is seen or written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kestrel.kernel.install import install

ROOT = Path(__file__).parents[2]


def environment(folder: Path) -> dict[str, str]:
    """The variables of a Jupyter whose folders are all below one folder."""
    (folder / "kestrel.yaml").touch()
    return {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "lab-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "lab-workspaces"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PATH": str(folder / "share" / "jupyter"),
        "KESTREL_CACHE": "off",
        "KESTREL_CONFIG": str(folder / "kestrel.yaml"),
        "KESTREL_STIXSHIFTER_CONFIG": str(folder / "stixshifter.yaml"),
    }


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a Jupyter that knows the kernel; its variables are set for the processes that tests start."""
    folder = tmp_path_factory.mktemp("jupyter")
    before = dict(os.environ)
    os.environ |= environment(folder)
    install(folder)
    extension = folder / "share" / "jupyter" / "labextensions" / "kestrel-hunt"
    extension.parent.mkdir(parents=True)
    extension.symlink_to(ROOT / "labextension" / "static", target_is_directory=True)
    yield folder
    os.environ.clear()
    os.environ |= before
