"""The members of ZIP and tar archives, one by one, each as a file of its own."""

from __future__ import annotations

import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from kestrel.formats.readers.packed import BLOCK, CUT_OFF, DAMAGED, HEAD, ZIP, Room, UnreadableFile, is_tar, opened, start
from kestrel.formats.readers.texts import refusal
from kestrel.text import path_text

DEPTH = 3
"""Archives are read to this depth of nesting."""
MACHINE_MADE = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that operating systems add to folders."""
ENCRYPTED = 1
OWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression methods whose data can be read even if they are cut off."""
LATER = 8
"""Flag of a member whose size follows its data."""
LOCAL = struct.Struct("<4sHHHHHLLLHH")


@dataclass(frozen=True, slots=True)
class Member:
    """A member as a file (None if it cannot be read, for the reason `why`). `cut`: its data end too early."""

    name: str
    file: Path | None = None
    why: str = ""
    cut: bool = False


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def members(path: Path, name: str, folder: Path, room: Room, depth: int = 1) -> Iterator[Member]:
    """The members of an archive and of archives in it, unpacked in `folder` one after another; the caller removes each.
    `name`: of the archive in messages. Raises UnreadableFile if no member can be found."""
    if depth > DEPTH:
        raise UnreadableFile(name, f"it is nested in {DEPTH} other archives")
    for member in _unpacked(path, name, folder, room):
        if member.file is None or not is_archive(member.file):
            yield member
            continue
        try:
            yield from members(member.file, member.name, folder, room, depth + 1)
        except UnreadableFile as error:
            yield Member(error.name, why=error.why)
        finally:
            member.file.unlink(missing_ok=True)


def is_archive(file: Path) -> bool:
    """Whether a file is a ZIP archive, or a tar archive, compressed or not."""
    with file.open("rb") as stream:
        if stream.read(4) in ZIP:
            return True
    try:
        return is_tar(start(file))
    except UnreadableFile:
        return False


def _unpacked(path: Path, name: str, folder: Path, room: Room) -> Iterator[Member]:
    with path.open("rb") as stream:
        is_zip = stream.read(4) in ZIP
    yield from (_of_zip if is_zip else _of_tar)(path, name, folder, room)


def _of_tar(path: Path, name: str, folder: Path, room: Room) -> Iterator[Member]:
    """The regular files of a tar archive, read from its beginning to its end."""
    try:
        with opened(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if not member.isreg() or _is_machine_made(member.name):
                    continue
                inner = _inside(name, member.name)
                content = archive.extractfile(member)
                if content is None:
                    continue
                try:
                    yield _written(content, inner, folder, room, member.size)
                except UnreadableFile as error:
                    yield Member(inner, why=error.why)
                except (tarfile.TarError, EOFError):
                    yield Member(inner, why=CUT_OFF)
                    return
    except (tarfile.TarError, EOFError):
        yield Member(name, why="it is a tar archive that is damaged or cut off")
    except (OSError, zlib.error) as error:
        raise UnreadableFile(name, DAMAGED) from error


def _of_zip(path: Path, name: str, folder: Path, room: Room) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, struct.error) as error:
        yield from _salvaged(path, name, folder, room, error)
        return
    with archive:
        for member in archive.infolist():
            if member.is_dir() or _is_machine_made(member.filename):
                continue
            yield _taken(archive, path, member, _inside(name, member.filename), folder, room)


def _inside(archive: str, member: str) -> str:
    """The name of a member in messages."""
    return f"{path_text(archive)}: {member}"


def _is_machine_made(name: str) -> bool:
    """Whether macOS or Windows added it: resource forks, folder settings."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return not parts or parts[0] == "__MACOSX" or parts[-1].startswith("._") or parts[-1] in MACHINE_MADE


def _taken(archive: zipfile.ZipFile, path: Path, member: zipfile.ZipInfo, name: str, folder: Path, room: Room) -> Member:
    if member.flag_bits & ENCRYPTED:
        return Member(name, why="it is protected by a password")
    try:
        if member.compress_type not in OWN:
            with archive.open(member) as other:
                return _written(other, name, folder, room, member.file_size)
        with path.open("rb") as file:
            file.seek(member.header_offset)
            *_, name_length, extra = LOCAL.unpack(file.read(LOCAL.size))
            file.seek(name_length + extra, 1)
            source = _Deflated(file, member.compress_size, member.compress_type)
            return _written(source, name, folder, room, member.file_size, member.CRC)
    except EOFError:
        return Member(name, why=CUT_OFF)
    except NotImplementedError:
        return Member(name, why="it uses a compression method that Kestrel does not read")
    except UnreadableFile as error:
        return Member(name, why=error.why)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, ValueError, struct.error):
        return Member(name, why=DAMAGED)
    except Exception as error:
        if type(error).__name__ != "LZMAError":  # the module is imported only for members compressed with it
            raise
        return Member(name, why=DAMAGED)


def _written(source: _Readable, name: str, folder: Path, room: Room, size: int, checksum: int | None = None) -> Member:
    """A member as a file, unless its first bytes show that it is not a log. Raises zlib.error if it is damaged."""
    begin = source.read(HEAD)
    if why := refusal(begin, archived=True):
        return Member(name, why=why)
    room.check(size)
    handle, target = tempfile.mkstemp(prefix="member-", dir=folder)
    sum_, cut = 0, False
    try:
        with open(handle, "wb") as copy:
            block = begin
            while block:
                room.take(len(block))
                sum_ = zlib.crc32(block, sum_)
                copy.write(block)
                try:
                    block = source.read(BLOCK)
                except EOFError:
                    cut, block = True, b""
        if checksum is not None and not cut and sum_ != checksum:
            raise zlib.error("the checksum does not match")
    except BaseException:
        Path(target).unlink(missing_ok=True)
        raise
    return Member(name, Path(target), cut=cut)


class _Deflated:
    """The data of a member of an archive whose directory is missing."""

    def __init__(self, file: IO[bytes], size: int | None, method: int) -> None:
        self.file, self.left, self.packed = file, size, method == zipfile.ZIP_DEFLATED
        self.inflate = zlib.decompressobj(-15)
        self.waiting = b""

    def read(self, size: int, /) -> bytes:
        """Raises EOFError if the data end too early, after returning what there was."""
        while True:
            if self.packed and self.inflate.eof:
                return b""
            if not self.packed and self.left == 0:
                return b""
            data = self.waiting or self.file.read(BLOCK if self.left is None else min(BLOCK, self.left))
            if not data:
                raise EOFError
            if not self.packed:
                self.left = (self.left or 0) - len(data)
                return data
            if not self.waiting and self.left is not None:
                self.left -= len(data)
            found = self.inflate.decompress(data, size)
            self.waiting = self.inflate.unconsumed_tail
            if self.inflate.eof and self.inflate.unused_data:
                self.file.seek(-len(self.inflate.unused_data), 1)
            if found:
                return found


def _salvaged(path: Path, name: str, folder: Path, room: Room, why: Exception) -> Iterator[Member]:
    """The members of an archive that is cut off (the directory at its end is missing), found by the header before each."""
    with path.open("rb") as file:
        found = False
        while len(header := file.read(LOCAL.size)) == LOCAL.size:
            magic, _, flags, method, _, _, _, packed, size, name_length, extra = LOCAL.unpack(header)
            if magic != ZIP[0]:
                break
            label = file.read(name_length).decode("utf-8" if flags >> 11 & 1 else "cp437", "replace")
            file.seek(extra, 1)
            whole = _inside(name, label)
            unknown = bool(flags & LATER)
            if flags & ENCRYPTED or method not in OWN or (unknown and method == zipfile.ZIP_STORED):
                yield Member(whole, why="it cannot be found in an archive that is damaged or cut off")
                return
            source = _Deflated(file, None if unknown else packed, method)
            begin = file.tell()
            if not label.endswith("/") and not _is_machine_made(label):
                try:
                    yield _written(source, whole, folder, room, size)
                except EOFError:
                    yield Member(whole, why=CUT_OFF)
                except UnreadableFile as error:
                    yield Member(whole, why=error.why)
                except zlib.error:
                    yield Member(whole, why=DAMAGED)
                    return
                found = True
            if unknown:
                try:
                    while source.read(BLOCK):
                        pass
                except (EOFError, zlib.error):
                    return
                file.seek(12 if file.read(4) == ZIP[2] else 8, 1)
            else:
                file.seek(begin + packed)
    if not found:
        raise UnreadableFile(name, "it is a ZIP archive that is damaged or cut off") from why
