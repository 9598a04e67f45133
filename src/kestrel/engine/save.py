"""Files that SAVE writes: completely or not at all, and never over evidence."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from kestrel.config import state_folder
from kestrel.engine.metadata import Origin, as_option
from kestrel.errors import KestrelError
from kestrel.formats.readers.packed import reason_of
from kestrel.graph.formats import FileFormat, format_of
from kestrel.graph.steps import Source
from kestrel.ingest.database import path_literal
from kestrel.text import nearest, path_text

REMEMBERED = 20_000
"""The number of written files that Kestrel remembers; the oldest are forgotten first."""


class CannotSave(KestrelError):
    code: ClassVar[str] = "K0410"
    part = "file"

    def __init__(self, path: Path, why: str, hint: str = "the file that was there, if any, is as it was") -> None:
        super().__init__(f"cannot save to `{path_text(path)}`: {why}", None, hint)


class SavedOverSource(KestrelError):
    code: ClassVar[str] = "K0440"
    part = "file"

    def __init__(self, path: Path, source: str) -> None:
        named = f"`{path_text(path)}`" if os.path.abspath(path) == os.path.abspath(source) else f"`{path_text(path)}` (`{path_text(source)}`)"
        super().__init__(f"{named} is a source of this session and is never overwritten", None, "save to another file")


class SavedOverOther(KestrelError):
    code: ClassVar[str] = "K0441"
    part = "file"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"`{path_text(path)}` exists and was not written by Kestrel, or has changed since",
            None,
            "save to another file, or add `REPLACE` at the end of the statement to replace this one",
        )


# -- which files may be replaced -----------------------------------------------------------------------------------


@dataclass
class Written:
    """The files that Kestrel wrote: in this session by device and inode, in all sessions by a digest of their content."""

    ledger: Path = field(default_factory=lambda: state_folder() / "saved")
    here: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """Size and modification time of those of this session, by device and inode."""

    def add(self, path: Path) -> None:
        """A file that was written just now."""
        status = path.stat()
        self.here[status.st_dev, status.st_ino] = (status.st_size, status.st_mtime_ns)
        with suppress(OSError):
            self.ledger.parent.mkdir(parents=True, exist_ok=True)
            lines = self._lines()
            if len(lines) >= REMEMBERED:
                self.ledger.write_text("".join(line + "\n" for line in lines[-REMEMBERED // 2 :]), encoding="ascii")
            handle = os.open(self.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(handle, "w", encoding="ascii") as ledger:
                ledger.write(f"{status.st_size} {_digest(path)}\n")

    def of_this_session(self, path: Path) -> bool:
        """Whether this session wrote a file and it is unchanged."""
        status = path.stat()
        return self.here.get((status.st_dev, status.st_ino)) == (status.st_size, status.st_mtime_ns)

    def __contains__(self, path: Path) -> bool:
        """Whether Kestrel wrote a file, in this session or another, and it is unchanged."""
        if self.of_this_session(path):
            return True
        size = path.stat().st_size
        alike = {line for line in self._lines() if line.startswith(f"{size} ")}
        with suppress(OSError):
            return bool(alike) and f"{size} {_digest(path)}" in alike
        return False

    def _lines(self) -> list[str]:
        try:
            return self.ledger.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return []


@dataclass
class Evidence:
    """The files that are sources in a session, however they are named later: by path, link or another spelling."""

    names: set[str] = field(default_factory=set)
    paths: dict[str, str] = field(default_factory=dict)
    """The names used for them, by real path."""
    inodes: dict[tuple[int, int], str] = field(default_factory=dict)

    def add(self, names: Collection[str]) -> None:
        for name in [n for n in names if n not in self.names]:
            self.names.add(name)
            real = os.path.realpath(name)
            self.paths.setdefault(real, name)
            with suppress(OSError):
                status = os.stat(real)
                self.inodes[status.st_dev, status.st_ino] = name

    def named(self, path: Path) -> str | None:
        """The source that an existing file is, or None."""
        if found := self.paths.get(os.path.realpath(path)):
            return found
        status = path.stat()
        inode = (status.st_dev, status.st_ino)
        if found := self.inodes.get(inode):
            return found
        return next((name for real, name in self.paths.items() if _inode(real) == inode), None)


@dataclass
class Files:
    """The files that a session reads and writes."""

    opened: dict[Source, None] = field(default_factory=dict)
    """Every source, including those whose variables are gone."""
    loaded: dict[str, None] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    written: Written = field(default_factory=Written)

    def remember(self, opened: Mapping[Source, None], loaded: Mapping[str, None]) -> None:
        """Add sources and loaded files to the known ones."""
        self.evidence.add([*(f for s in opened if s not in self.opened for f in s.files), *loaded])
        self.opened |= opened
        self.loaded |= loaded

    def check(self, path: Path, replace: bool, inputs: Collection[str]) -> None:
        """Raise CannotSave, SavedOverSource or SavedOverOther where a file may not be written. A file that this session wrote may be
        written again even if it was read since, unless the variable itself comes from it: `inputs` are the files it comes from."""
        try:
            status = os.stat(path)
        except OSError as error:
            _check_folder(path, error)
            return
        if not stat.S_ISREG(status.st_mode):
            raise CannotSave(path, "it is a folder" if stat.S_ISDIR(status.st_mode) else "it is not a regular file")
        own = Evidence()
        own.add(inputs)
        source = own.named(path) or (None if self.written.of_this_session(path) else self.evidence.named(path))
        if source:
            raise SavedOverSource(path, source)
        if not replace and path not in self.written:
            raise SavedOverOther(path)


def _check_folder(path: Path, error: OSError) -> None:
    """Raise CannotSave for a file in a missing folder that SAVE does not create."""
    folder = Path(os.path.realpath(path)).parent
    if folder.is_dir():
        if not isinstance(error, FileNotFoundError):
            raise CannotSave(path, reason_of(error)) from error
        return
    missing = folder
    while not os.path.lexists(missing.parent):
        missing = missing.parent
    if os.path.lexists(missing) or not missing.parent.is_dir():
        raise CannotSave(path, reason_of(NotADirectoryError())) from error
    with suppress(OSError):
        close = nearest(missing.name, [p.name for p in missing.parent.iterdir() if p.is_dir()], alike=0.75)
        if close:
            raise CannotSave(path, f"there is no folder `{path_text(missing)}`", f"did you mean `{path_text(missing.parent / close)}`?") from error
    if missing != folder or not missing.is_relative_to(os.path.realpath(os.curdir)):
        hint = "SAVE creates only one new folder, directly below the current one"
        raise CannotSave(path, f"there is no folder `{path_text(missing)}`", hint) from error


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- writing -------------------------------------------------------------------------------------------------------


def save(con: duckdb.DuckDBPyConnection, select: str, path: Path, known: Origin) -> int:
    """Write the rows of a SELECT; returns their number. The file is written completely or not at all. Raises CannotSave."""
    found = format_of(str(path))
    assert found is not None, "lowering knows the formats"
    with _whole_or_not(path) as part:
        row = con.execute(f"COPY ({select}) TO {path_literal(part)} ({_options(found, known)}, USE_TMP_FILE false)").fetchone()
    return int(row[0]) if row else 0


def save_bundle(path: Path, bundle: Mapping[str, Any]) -> None:
    """Write a STIX bundle, completely or not at all. Raises CannotSave."""
    found = format_of(str(path))
    with _whole_or_not(path) as part:
        content = json.dumps(bundle, indent=1).encode("ascii")
        part.write_bytes(_packed(content, found.packed if found else None))


def _packed(content: bytes, codec: str | None) -> bytes:
    match codec:
        case "gzip":
            return gzip.compress(content)
        case "zstd":
            import zstandard

            return bytes(zstandard.ZstdCompressor().compress(content))
        case _:
            return content


@contextmanager
def _whole_or_not(path: Path) -> Iterator[Path]:
    """A temporary path to write a file to, moved to the target (that of a link, if the path is one) when it is complete. It
    keeps the permissions of an existing file. A missing folder is created, and removed on failure. Raises CannotSave."""
    target = Path(os.path.realpath(path))
    made = False
    try:
        if not target.parent.exists():
            target.parent.mkdir()
            made = True
        handle, name = tempfile.mkstemp(prefix=".kestrel-", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        if made:
            target.parent.rmdir()
        raise CannotSave(path, reason_of(error)) from error
    part = Path(name)
    try:
        yield part
        with suppress(OSError):
            part.chmod(stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_mask())
        os.replace(part, target)
    except duckdb.InterruptException:
        raise
    except (duckdb.Error, OSError) as error:
        raise CannotSave(path, _refusal(error)) from error
    finally:
        part.unlink(missing_ok=True)
        if made and not target.exists():
            with suppress(OSError):
                target.parent.rmdir()


def _refusal(error: duckdb.Error | OSError) -> str:
    if isinstance(error, OSError):
        return reason_of(error)
    return "no space left on device" if "No space left" in str(error) else "the operating system refused to write it"


def _options(found: FileFormat, known: Origin) -> str:
    packed = found.packed or "none"
    match found.kind:
        case "csv":
            return f"FORMAT csv, HEADER true, COMPRESSION {packed}"
        case "json":
            return f"FORMAT json, ARRAY true, COMPRESSION {packed}"
        case "ndjson":
            return f"FORMAT json, COMPRESSION {packed}"
        case _:
            codec = {"gzip": "gzip", "zstd": "zstd"}.get(packed, "snappy")
            return f"FORMAT parquet, COMPRESSION {codec}, KV_METADATA {{{as_option(known)}}}"


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
