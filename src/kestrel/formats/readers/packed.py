"""The bytes of a file, unpacked: their compression, and what is wrong with them."""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import struct
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, ClassVar, Literal, cast

from kestrel.errors import KestrelError
from kestrel.text import path_text

HEAD = 1 << 16
BLOCK = 1 << 20
DAMAGED = "its compressed data are damaged"
CUT_OFF = "it is cut off before the end of its first record"
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
XZ = b"\xfd7zXZ\x00"
BZIP2 = b"BZh"
BZIP2_BLOCKS = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")
"""What follows the mark of a bzip2 file and its level: a block, or the end of an empty one."""
PARQUET = b"PAR1"
TAR = 257, b"ustar"
"""Where the header of a tar archive has its mark (POSIX, pax interchange format)."""
ZSTD_STARTS = (ZSTD, *(bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60)))
"""The first bytes of a Zstandard file: a frame of data, or one that is skipped (RFC 8878, section 3.1.2)."""
OTHERS = {
    b"7z\xbc\xaf": "it is a 7-Zip archive, which Kestrel does not read",
    b"Rar!": "it is a RAR archive, which Kestrel does not read",
    b"SQLite format 3\x00": "it is an SQLite database",
    b"\x89PNG": "it is an image",
    b"\xff\xd8\xff": "it is an image",
    b"GIF8": "it is an image",
    b"%PDF": "it is a PDF document",
}
"""Formats that Kestrel does not read, by their first bytes."""
RATIO = 200
"""Logs rarely compress to less than a hundredth. A file with a higher ratio than this is refused beyond `UNSUSPECTED` bytes."""
UNSUSPECTED = 1 << 30
RESERVE = 64 << 20
"""The number of bytes to leave free on the disk."""

Compression = Literal["none", "gzip", "zstd", "xz", "bzip2"]


READ = "Kestrel reads logs as JSON, EVTX, CSV, Parquet, XML, auditd and Zeek files, also in .gz, .zst, .xz, .bz2, .zip and .tar"


class UnreadableFile(KestrelError):
    code: ClassVar[str] = "K0401"
    part = "source"

    def __init__(self, path: Path | str, why: str) -> None:
        """`path`: of the file, or the name of a member of an archive as `member_name` writes it."""
        self.name, self.why = path_text(path), why
        super().__init__(f"cannot read `{self.name}`: {why}", None, READ)


class CutOff(Exception):
    """A compressed stream ends before its end marker."""


class Damaged(Exception):
    """A compressed stream cannot be unpacked from some position on."""


class Trailing(Exception):
    """Other data follow the end of a compressed stream."""


class Room:
    """How many more bytes may be unpacked from a file: limited by the compression ratio of logs and the free disk space."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self.path, self.scratch = path, scratch
        self.left = max(UNSUSPECTED, RATIO * path.stat().st_size)
        self._since = BLOCK

    def take(self, size: int) -> None:
        """Count bytes that are about to be written. Raises UnreadableFile."""
        self.left -= size
        self._since += size
        if self.left < 0:
            raise UnreadableFile(self.path, f"it unpacks to more than {RATIO} times its size, which no log does")
        if self._since >= BLOCK:
            self._since = 0
            self.check(size)

    def check(self, size: int) -> None:
        """Raise UnreadableFile unless the disk has space for this many bytes."""
        if shutil.disk_usage(self.scratch).free < size + RESERVE:
            raise UnreadableFile(self.path, f"there is not enough space to unpack it in `{tempfile.gettempdir()}`")


def reason_of(error: OSError) -> str:
    """The operating system's error for a file, in words."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "permission denied"
        case FileExistsError() | NotADirectoryError():
            return "a part of its path is a file, not a folder"
        case IsADirectoryError():
            return "it is a folder"
        case _:
            return (error.strerror or "the operating system refused it").lower()


def head(path: Path) -> bytes:
    """The first bytes of a file as stored. Raises UnreadableFile."""
    if any("\ud800" <= c <= "\udfff" for c in str(path)):
        raise UnreadableFile(path, "its name is not valid Unicode")
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise UnreadableFile(path, "it is a pipe or a device; a file is read more than once")
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise UnreadableFile(path, reason_of(error)) from error


def compression(path: Path) -> Compression:
    """The compression of a file, by its first bytes: its name may be wrong."""
    begin = head(path)
    if begin.startswith(GZIP):
        return "gzip"
    if begin.startswith(ZSTD_STARTS):
        return "zstd"
    return "xz" if begin.startswith(XZ) else "bzip2" if begin.startswith(BZIP2) and begin[3:4].isdigit() and begin[4:10] in BZIP2_BLOCKS else "none"


def opened(path: Path) -> IO[bytes]:
    """The content of a file as a stream of bytes, unpacked."""
    match compression(path):
        case "gzip":
            return cast(IO[bytes], gzip.open(path))
        case "zstd":
            import zstandard

            source: Any = _Until(path, zstd_end(path)[0])
            unpacked: Any = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True, closefd=True)
            return cast(IO[bytes], io.BufferedReader(unpacked))
        case "xz":
            import lzma

            return cast(IO[bytes], io.BufferedReader(cast(Any, lzma.open(path))))
        case "bzip2":
            import bz2

            return cast(IO[bytes], io.BufferedReader(cast(Any, bz2.open(path))))
        case _:
            return path.open("rb")


class _Until(io.RawIOBase):
    """The bytes of a file up to a position."""

    def __init__(self, path: Path, end: int) -> None:
        self.file, self.end = path.open("rb"), end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.file.read(min(len(buffer), self.end - self.file.tell()))
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self.file.close()
        super().close()


def blocks(path: Path, size: int = BLOCK) -> Iterator[bytes]:
    """The content of a file, unpacked, block by block. Raises CutOff, Damaged or Trailing after the last block that can be read."""
    packed = compression(path)
    if packed in ("xz", "bzip2"):
        yield from _decompressed(path, packed, size)
        return
    with opened(path) as stream:
        source = cast(io.BufferedReader, stream)
        some = False
        while True:
            try:
                block = source.read1(size)
            except EOFError as error:
                raise CutOff from error
            except gzip.BadGzipFile as error:
                raise (Trailing if some and "Not a gzipped file" in str(error) else Damaged) from error
            except zlib.error as error:
                raise Damaged from error
            except Exception as error:
                if type(error).__name__ != "ZstdError":  # of a module that is imported only when needed
                    raise
                raise Damaged from error
            if not block:
                break
            some = True
            yield block
    if packed == "zstd" and (end := zstd_end(path)[1]) != "whole":
        raise CutOff if end == "cut" else Trailing


def _decompressed(path: Path, packed: str, size: int) -> Iterator[bytes]:
    """The same for xz and bzip2, whose readers lose what stands before the place where a file is cut off."""
    import bz2
    import lzma

    begin: Any = None
    with path.open("rb") as file:
        waiting = b""
        while block := waiting or file.read(size):
            waiting = b""
            begin = begin or (lzma.LZMADecompressor() if packed == "xz" else bz2.BZ2Decompressor())
            more = True
            while more:
                try:
                    found = begin.decompress(block, size)
                except (lzma.LZMAError, OSError, EOFError) as error:
                    raise Damaged from error
                if found:
                    yield found
                block, more = b"", not begin.eof and not begin.needs_input
            if begin.eof:
                waiting, begin = begin.unused_data.lstrip(b"\x00"), None
                if waiting and not waiting.startswith((XZ, BZIP2)):
                    raise Trailing
    if begin is not None:
        raise CutOff


def is_tar(begin: bytes) -> bool:
    """Whether a file that begins like this is a tar archive."""
    place, mark = TAR
    return begin[place : place + len(mark)] == mark


def unpacked(path: Path, name: str, folder: Path, room: Room) -> tuple[Path, bool]:
    """A copy of a packed file without its compression, and whether it ends too early. Raises UnreadableFile."""
    handle, target = tempfile.mkstemp(prefix="unpacked-", dir=folder)
    cut = False
    try:
        with open(handle, "wb") as copy:
            for block in blocks(path):
                room.take(len(block))
                copy.write(block)
    except CutOff:
        cut = True
    except Trailing:
        pass
    except Damaged as error:
        Path(target).unlink()
        raise UnreadableFile(name, DAMAGED) from error
    except OSError as error:
        Path(target).unlink()
        raise UnreadableFile(name, reason_of(error)) from error
    return Path(target), cut


def start(path: Path) -> bytes:
    """The first bytes of the content of a file, unpacked. Raises UnreadableFile if nothing can be unpacked."""
    found = b""
    try:
        for block in blocks(path, HEAD):
            found += block
            if len(found) >= HEAD:
                break
    except (CutOff, Trailing) as error:
        if not found:
            raise UnreadableFile(path, CUT_OFF) from error
    except Damaged as error:
        if not found:
            raise UnreadableFile(path, DAMAGED) from error
    return found[:HEAD]


def zstd_end(path: Path) -> tuple[int, Literal["whole", "cut", "trailing"]]:
    """Where a Zstandard file ends, by the sizes in the headers of its frames and blocks (RFC 8878, section 3.1), and how: most libraries
    treat a stream that is cut off as complete."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        end = file.seek(0)
        while end < size:
            magic = file.read(4)
            if magic[1:] == b"\x2a\x4d\x18" and 0x50 <= magic[0] <= 0x5F:
                length = file.read(4)
                if len(length) < 4 or file.seek(struct.unpack("<I", length)[0], io.SEEK_CUR) > size:
                    return size, "cut"
            elif magic == ZSTD:
                if not _skip_frame(file, size):
                    return size, "cut"
            else:
                return (size, "cut") if ZSTD.startswith(magic) else (end, "trailing")
            end = file.tell()
        return size, "whole"


def _skip_frame(file: IO[bytes], size: int) -> bool:
    """Seek to the end of a frame whose magic number was read; returns whether it is complete."""
    flags = file.read(1)
    if not flags:
        return False
    descriptor = flags[0]
    single = descriptor >> 5 & 1
    content = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    file.seek((0 if single else 1) + (0, 1, 2, 4)[descriptor & 3] + content, io.SEEK_CUR)
    while True:
        header = file.read(3)
        if len(header) < 3:
            return False
        number = int.from_bytes(header, "little")
        file.seek(1 if number >> 1 & 3 == 1 else number >> 3, io.SEEK_CUR)
        if file.tell() > size:
            return False
        if number & 1:
            end = file.seek(4 if descriptor >> 2 & 1 else 0, io.SEEK_CUR)
            return end <= size


def checking(path: Path) -> Callable[[], bool]:
    """Start a thread that checks what DuckDB does not: the checksums of a gzip stream, and whether a Zstandard stream is complete. Calling
    the result waits for it."""
    match compression(path):
        case "zstd":
            return lambda: zstd_end(path)[1] == "whole"
        case "gzip":
            whole: list[bool] = []

            def check() -> None:
                try:
                    for _ in blocks(path):
                        pass
                except (CutOff, Damaged, Trailing, OSError):
                    return
                whole.append(True)

            thread = threading.Thread(target=check, daemon=True)
            thread.start()

            def finished() -> bool:
                thread.join()
                return bool(whole)

            return finished
        case _:
            return lambda: True
