"""A Jupyter server of the tests' own and a headless Chromium that looks at it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOKEN = "kestrel-tests"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"renameUntitledFileOnSave": False},
}


class Server:
    """JupyterLab and Notebook at an address of this machine, on the notebooks of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = Path(os.environ["JUPYTER_CONFIG_DIR"]) / "labconfig"
        config.mkdir(parents=True, exist_ok=True)
        (config / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        options = {
            "ServerApp.port": self.port,
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "IdentityProvider.token": TOKEN,
            "ServerApp.root_dir": folder,
        }
        self.log = (folder.parent / "server.log").open("w")
        command = [sys.executable, "-m", "jupyter", "lab", "--allow-root", *(f"--{name}={value}" for name, value in options.items())]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT, cwd=folder)
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(self.address("api/status"), timeout=5) as answer:
                if answer.status == 200:
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"the server does not answer: {(self.folder.parent / 'server.log').read_text()[-2000:]}")

    def address(self, path: str, *more: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}?" + "&".join([f"token={TOKEN}", *more])

    def stop_kernels(self) -> None:
        """Stop what a page leaves running."""
        for kernel in json.load(urllib.request.urlopen(self.address("api/kernels"), timeout=20)):
            urllib.request.urlopen(urllib.request.Request(self.address(f"api/kernels/{kernel['id']}"), method="DELETE"), timeout=20)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser of Playwright's that is Debian's own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
