"""Who uses a server, and so how long it runs: the first user starts it, the last one ends it.

Every user holds a shared lock on `users.lock` in the server's folder. The system drops the locks of a process that dies,
and the server looks at them itself every second (java/Lease.java), so a killed test run leaves no server behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TextIO

import psutil

from tests.servers.answer import ServerError
from tests.servers.mapping import put_template
from tests.servers.server import Server
from tests.servers.software import NotFetched, Software, fetch, java_program, locked

START_SECONDS = 120
END_SECONDS = 20
HEAP = "1g"


class NotStarted(Exception):
    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind} does not start: {reason}")


class Lease:
    """A share in the server of one kind in one folder."""

    def __init__(self, server: Server, users: TextIO) -> None:
        self.server = server
        self._users = users

    @classmethod
    def take(cls, kind: str, folder: Path) -> Lease:
        """Starts the server if nobody did. Raises NotStarted; what failed once in a folder is not tried again there."""
        folder.mkdir(parents=True, exist_ok=True)
        failure = folder / "failure.txt"
        with locked(folder / "start.lock"):
            if failure.exists():
                raise NotStarted(kind, failure.read_text())
            users = (folder / "users.lock").open("a+")
            try:
                fcntl.lockf(users, fcntl.LOCK_SH)
                return cls(_running(kind, folder) or _start(kind, folder), users)
            except (NotFetched, FileNotFoundError, StartFailure) as reason:
                users.close()
                failure.write_text(str(reason))
                raise NotStarted(kind, str(reason)) from reason
            except BaseException:
                users.close()
                raise

    def give_back(self) -> None:
        """The last user ends the server and removes its data; the log stays."""
        try:
            fcntl.lockf(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
        else:
            (self.server.folder / "port").unlink(missing_ok=True)
            _end(self.server.pid)
            shutil.rmtree(self.server.folder / "data", ignore_errors=True)
        finally:
            self._users.close()


class StartFailure(Exception):
    pass


def _running(kind: str, folder: Path) -> Server | None:
    port = folder / "port"
    if not port.exists():
        return None
    try:
        return _server(kind, folder, int(port.read_text()), int((folder / "pid").read_text()))
    except OSError:
        port.unlink(missing_ok=True)
        return None


def _server(kind: str, folder: Path, port: int, pid: int) -> Server:
    url = f"http://127.0.0.1:{port}"
    found = Server(kind, "", url, pid, folder).ask("GET", "/")
    return Server(kind, found["version"]["number"], url, pid, folder)


def _start(kind: str, folder: Path) -> Server:
    software = fetch(kind)
    (folder / "sample").unlink(missing_ok=True)
    for name in ("data", "config", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    deadline = time.monotonic() + START_SECONDS
    with (folder / "server.log").open("ab") as log:
        # Its own process group: an interrupt at the keyboard ends the tests, and these end the server.
        process = subprocess.Popen(
            _command(software, folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=_environment(), start_new_session=True
        )
    (folder / "pid").write_text(str(process.pid))
    try:
        while not (folder / "port").exists():
            if process.poll() is not None:
                raise StartFailure(f"it ended with {process.returncode}; {_last_words(folder)}")
            if time.monotonic() > deadline:
                raise StartFailure(f"it was not there after {START_SECONDS} s; {_last_words(folder)}")
            time.sleep(0.1)
        server = _server(kind, folder, int((folder / "port").read_text()), process.pid)
        server.ask("GET", f"/_cluster/health?wait_for_status=yellow&timeout={max(1, int(deadline - time.monotonic()))}s", timeout=START_SECONDS)
        put_template(server)
    except BaseException as failed:
        _end(process.pid)
        if isinstance(failed, ServerError | OSError):
            raise StartFailure(f"{failed}; {_last_words(folder)}") from failed
        raise
    # The process outlives this object on purpose: others may use it when this user is gone.
    process.returncode = 0
    return server


def _command(software: Software, folder: Path) -> list[str]:
    opens = [word for name in ("nio", "lang") for word in ("--add-opens", f"java.base/java.{name}=ALL-UNNAMED")]
    return [
        java_program("java"),
        f"-Xms{HEAP}",
        f"-Xmx{HEAP}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # a server that lives for minutes never earns back what its better compiler costs
        f"-Dlog4j.configurationFile={Path(__file__).with_name('java') / 'log4j2.properties'}",
        "-Dlog4j2.disable.jmx=true",
        "-Dio.netty.noUnsafe=true",
        "-Djna.nosys=true",
        "-Des.distribution.type=tar",
        "-Dopensearch.distribution.type=tar",
        f"-Djava.io.tmpdir={folder / 'data'}",
        *opens,
        "--add-opens",
        "java.base/sun.nio.ch=ALL-UNNAMED",
        "-cp",
        software.class_path,
        software.main,
        str(folder),
    ]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS")}


def _last_words(folder: Path) -> str:
    lines = (folder / "server.log").read_text(errors="replace").splitlines()
    return f"the log {folder / 'server.log'} ends with: " + " | ".join(lines[-5:])


def _end(pid: int) -> None:
    """Ends a server at once (its data is thrown away) and waits until it is gone, or is nothing but its parent's to note."""
    deadline = time.monotonic() + END_SECONDS
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.kill()
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.05)
