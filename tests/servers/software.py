"""What a server is made of: jars from Maven, the main class of ours, kept in a cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import platformdirs

KINDS = ("elasticsearch", "opensearch")
JAVA = Path(__file__).with_name("java")
POM = "{http://maven.apache.org/POM/4.0.0}"
FETCH_SECONDS = 900


class NotFetched(Exception):
    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"the software of {kind} is not to be had: {reason}")


@dataclass(frozen=True)
class Software:
    kind: str
    version: str
    main: str
    folder: Path

    @property
    def class_path(self) -> str:
        return f"{self.folder / 'classes'}:{self.folder / 'lib'}/*"


def cache_folder() -> Path:
    return Path(os.environ.get("KESTREL_SERVERS") or platformdirs.user_cache_path("kestrel-servers"))


def find(kind: str) -> Software:
    """The software as its pom names it, fetched or not. The folder's name tells the versions and the sources it was made from."""
    pom = JAVA / kind / "pom.xml"
    root = ElementTree.parse(pom).getroot()
    version = root.findtext(f"{POM}version", "")
    digest = hashlib.sha256()
    for source in [pom, *_sources(kind)]:
        digest.update(source.read_bytes())
    folder = cache_folder() / f"{kind}-{version}-{digest.hexdigest()[:8]}"
    return Software(kind, version, root.findtext(f"{POM}properties/{POM}main", ""), folder)


def fetch(kind: str) -> Software:
    """The software, fetched and compiled if it is not there yet. Raises NotFetched."""
    software = find(kind)
    if software.folder.is_dir():
        return software
    software.folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(software.folder.parent / f"{kind}.lock"):
        if not software.folder.is_dir():
            with tempfile.TemporaryDirectory(dir=software.folder.parent, prefix=f".{kind}-") as work:
                _make(kind, Path(work))
                shutil.move(Path(work) / "made", software.folder)
    return software


def java_program(name: str) -> str:
    """The path of `java` or `javac`. Raises FileNotFoundError."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(name, path=f"{home}/bin") if home else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"no `{name}` in {home + '/bin' if home else 'the path'}; Java 17 or newer is needed")
    return found


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the system drops the lock of a dead one."""
    with path.open("a+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def _sources(kind: str) -> list[Path]:
    return [*sorted(JAVA.glob("*.java")), *sorted((JAVA / kind).glob("*.java"))]


def _make(kind: str, work: Path) -> None:
    made = work / "made"
    shutil.copytree(JAVA / kind, work / "pom", ignore=shutil.ignore_patterns("*.java"))
    try:
        maven, javac = shutil.which("mvn"), java_program("javac")
    except FileNotFoundError as absent:
        raise NotFetched(kind, str(absent)) from absent
    if maven is None:
        raise NotFetched(kind, "no `mvn` in the path; Maven 3.8 or newer is needed")
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={made / 'lib'}"]
    _run(kind, [maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", str(work / "pom" / "pom.xml"), *goal])
    classes = ["-nowarn", "-proc:none", "--release", "17", "-cp", f"{made / 'lib'}/*", "-d", str(made / "classes")]
    _run(kind, [javac, *classes, *map(str, _sources(kind))])


def _run(kind: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired as slow:
        raise NotFetched(kind, f"{Path(command[0]).name} took longer than {FETCH_SECONDS} s") from slow
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "error" in line.lower()][:3]
        raise NotFetched(kind, f"{Path(command[0]).name} failed: " + " ".join(said))
