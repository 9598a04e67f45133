"""Log files as lines of JSON that DuckDB can read, whatever they are wrapped in."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import duckdb

from kestrel.errors import KestrelError
from kestrel.schemas.transforms import quoted
from kestrel.store.bundles import documents, is_bundle
from kestrel.store.database import EXACT, exact_literal
from kestrel.text import path_text

LONG = 1 << 20
"""Lines longer than this many bytes take the careful road: DuckDB's line buffer is not made for them."""
SMALL = 8 << 20
"""Files of no more bytes are read together with others: planning to read one takes longer than reading it."""
TOGETHER = 64 << 20
"""Bytes that are read together."""
HEAD = 1 << 16
DAMAGED = "it is packed, and damaged or cut off"


class UnreadableFile(KestrelError):
    code: ClassVar[str] = "K0401"
    part = "source"

    def __init__(self, path: Path, why: str) -> None:
        hint = "Kestrel reads JSON log files: .json, .ndjson, .jsonl, plain or as .gz, .zst or .zip"
        super().__init__(f"cannot read `{path_text(path)}`: {why}", None, hint)


def trouble(error: OSError) -> str:
    """What the machine says of a file, in words."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "this user may not open it"
        case FileExistsError() | NotADirectoryError():
            return "a part of its path is a file, where a folder should be"
        case IsADirectoryError():
            return "it is a folder"
        case _:
            return (error.strerror or "the machine refuses it").lower()


@dataclass
class Lines:
    """The lines of one file: a FROM item with a column `l`, lines too long for it, and what had to be mended."""

    relation: str
    long: list[str] = field(default_factory=list)
    mended: int = 0
    further: int = 0
    """Lines that only carry on the record of the line before."""
    plain: Path | None = None
    """The file itself, where it is newline-delimited JSON that DuckDB can read without help."""


@dataclass(frozen=True, slots=True)
class Part:
    """The lines of one file, or of one member of an archive, and the number that their records carry."""

    number: int
    path: Path
    lines: Lines


def lines_of(path: Path, scratch: Path) -> list[Lines]:
    """How to read a file (a ZIP archive: each of its members). `scratch`: a folder for mended copies."""
    head = _head(path)
    if not head:
        return []
    if head.startswith(b"PK\x03\x04"):
        return [part for member in _unzipped(path, scratch) for part in lines_of(member, scratch)]
    text = _start(path)
    if is_bundle(_decoded_text(text)):
        return [_observed(path, scratch)]
    wide = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not wide and b"\x00" in text[:HEAD] and not text.lstrip(codecs.BOM_UTF8).lstrip().startswith((b"{", b"[")):
        raise UnreadableFile(
            path,
            "it is a binary file" if not text.startswith(b"ElfFile\x00") else "it is a Windows event log (EVTX), which this version does not read",
        )
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)):
        return [_copied(path, scratch, text)]
    first = text.lstrip()[:1]
    if first == b"[" or (first == b"{" and _is_spread(text)):
        return [_documents(path, scratch)]
    return [Lines(_csv(path), plain=path)]


def batches(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Small files together; large ones, and bundles of which a record has several lines, alone."""
    waiting: list[Part] = []
    size = 0
    for part in parts:
        more = weight(part.path)
        if more > SMALL or part.lines.further:
            yield [part]
            continue
        waiting.append(part)
        size += more
        if size > TOGETHER:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def weight(file: Path) -> int:
    """The bytes of a file, those of a packed one taken tenfold."""
    return file.stat().st_size * (10 if file.suffix in (".gz", ".zst", ".zip") else 1)


def hold(con: duckdb.DuckDBPyConnection, parts: Iterable[Part], scratch: Path) -> list[Lines]:
    """Take the lines of files into the table `raw_lines`: each with whether it is JSON (a blank one: neither) and the number of its file.
    Where DuckDB's line reader fails, or loses lines beyond its buffer without a word, they go by the careful road; the lines as they were
    read."""
    con.execute("CREATE OR REPLACE TEMP TABLE raw_lines (l VARCHAR, valid BOOLEAN, src UINTEGER)")
    return [_held(con, part, scratch) for part in parts]


def _held(con: duckdb.DuckDBPyConnection, part: Part, scratch: Path) -> Lines:
    lines = part.lines
    row = con.execute("SELECT coalesce(max(rowid) + 1, 0) FROM raw_lines").fetchone()
    first = int(row[0]) if row else 0
    try:
        _fill(con, part.number, lines)
        row = con.execute(f"SELECT coalesce(sum(strlen(l)), 0) FROM raw_lines WHERE rowid >= {first}").fetchone()
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        if lines.plain is None:
            raise
        row = None
    if lines.plain and row != (_size(lines.plain),):
        con.execute(f"DELETE FROM raw_lines WHERE rowid >= {first}")
        lines = _copied(lines.plain, scratch, _start(lines.plain))
        _fill(con, part.number, lines)
    return lines


def _fill(con: duckdb.DuckDBPyConnection, number: int, lines: Lines) -> None:
    source = lines.relation
    if lines.long:
        con.execute("CREATE OR REPLACE TEMP TABLE long_lines (l VARCHAR)")
        con.executemany("INSERT INTO long_lines VALUES (?)", [[text] for text in lines.long])
        source = f"(SELECT l FROM {source} UNION ALL SELECT l FROM long_lines)"
    valid = "CASE WHEN json_valid(l) THEN true WHEN trim(l) <> '' THEN false END"
    con.execute(f"INSERT INTO raw_lines SELECT l, {valid}, {number} FROM {source}")
    con.execute("DROP TABLE IF EXISTS long_lines")


def _size(path: Path) -> int:
    """The bytes of a file, unpacked, without line ends."""
    size = 0
    with opened(path) as stream:
        while block := stream.read(1 << 24):
            size += len(block) - block.count(b"\n") - block.count(b"\r")
    return size


def _csv(path: Path) -> str:
    return (
        f"read_csv({exact_literal(path)}, columns={{'l': 'VARCHAR'}}, delim='\x07', quote='', escape='', header=false, "
        f"{EXACT}, auto_detect=false, null_padding=false, compression={quoted(_compression(path))})"
    )


def _compression(path: Path) -> str:
    head = _head(path)
    return "gzip" if head.startswith(b"\x1f\x8b") else "zstd" if head.startswith(b"\x28\xb5\x2f\xfd") else "none"


def _head(path: Path) -> bytes:
    if any("\ud800" <= c <= "\udfff" for c in str(path)):
        raise UnreadableFile(path, "its name is no valid Unicode")
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise UnreadableFile(path, "it is a pipe or a device; a file is looked at more than once")
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        raise UnreadableFile(path, trouble(error)) from error


def opened(path: Path) -> IO[bytes]:
    """The file's content as a stream of bytes, unpacked."""
    match _compression(path):
        case "gzip":
            return cast(IO[bytes], gzip.open(path))
        case "zstd":
            import zstandard

            unpacked: Any = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True, closefd=True)
            return cast(IO[bytes], io.BufferedReader(unpacked))
        case _:
            return path.open("rb")


def _start(path: Path) -> bytes:
    try:
        with opened(path) as stream:
            return stream.read(HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(path, DAMAGED) from error
    except Exception as error:  # zstandard has an error class of its own
        if type(error).__name__ != "ZstdError":
            raise
        raise UnreadableFile(path, DAMAGED) from error


def _is_spread(text: bytes) -> bool:
    """Whether a file that begins with an object spreads it over several lines."""
    line, _, rest = text.lstrip().partition(b"\n")
    if not rest:
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return line.rstrip() == b"{" or (line.count(b"{") > line.count(b"}") and rest.lstrip()[:1] == b'"')
    return False


def _unzipped(path: Path, scratch: Path) -> Iterator[Path]:
    try:
        with zipfile.ZipFile(path) as archive:
            for number, member in enumerate(m for m in archive.infolist() if not m.is_dir()):
                target = scratch / f"{path.name}.{number}.{Path(member.filename).name}"
                with archive.open(member) as source, target.open("wb") as copy:
                    while block := source.read(1 << 20):
                        copy.write(block)
                yield target
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise UnreadableFile(path, "it is a ZIP archive that is damaged or locked by a password") from error


def _copied(path: Path, scratch: Path, text: bytes) -> Lines:
    """A copy with one record a line, clean UTF-8 and no control sign that DuckDB's line reader would stumble over."""
    encoding = "utf-16" if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    target = scratch / f"{path.name}.{abs(hash(path))}.lines"
    found = Lines(_csv_copy(target))
    with opened(path) as stream, target.open("w", encoding="utf-8", newline="\n") as copy:
        try:
            for line in _decoded(stream, encoding, found):
                if len(line) > LONG:
                    found.long.append(line)
                else:
                    copy.write(line + "\n")
        except (OSError, EOFError) as error:
            found.mended += 1
            copy.write(f"(the file ends early: {error})\n".replace("\x07", ""))
    return found


def _csv_copy(path: Path) -> str:
    return (
        f"read_csv({exact_literal(path)}, columns={{'l': 'VARCHAR'}}, delim='\x07', quote='', escape='', header=false, "
        f"{EXACT}, auto_detect=false, compression='none', max_line_size={4 * LONG})"
    )


def _decoded(stream: IO[bytes], encoding: str, found: Lines) -> Iterator[str]:
    if encoding == "utf-16":
        for text in codecs.getreader("utf-16")(stream, "replace"):
            if text := _clean(text):
                yield text
        return
    for raw in stream:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("utf-8-sig", errors="replace")
            found.mended += 1
        text = _clean(text)
        if text:
            yield text


def _clean(text: str) -> str:
    return text.strip(" \t\r\n\x00\ufeff").replace("\r", " ").replace("\x07", "\ufffd").replace("\x00", "\ufffd")


def _documents(path: Path, scratch: Path) -> Lines:
    """A copy with one line for each element of a JSON array, or each of several JSON texts one after another."""
    return _written(path, scratch, _split(_text(path)))


def _observed(path: Path, scratch: Path) -> Lines:
    """A copy with a line for each row of each observed-data of STIX bundles."""
    further = 0

    def told() -> Iterator[Any]:
        nonlocal further
        for rows in documents(_text(path)):
            further += len(rows) - 1
            yield from rows

    lines = _written(path, scratch, told())
    return replace(lines, further=further)


def _text(path: Path) -> str:
    with opened(path) as stream:
        try:
            content = stream.read()
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile(path, DAMAGED) from error
    return _decoded_text(content)


def _decoded_text(content: bytes) -> str:
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def _written(path: Path, scratch: Path, told: Iterable[Any]) -> Lines:
    """A copy with a line for each document; texts are written as they are."""
    target = scratch / f"{path.name}.{abs(hash(path))}.documents"
    found = Lines(_csv_copy(target))
    with target.open("w", encoding="utf-8", newline="\n") as copy:
        for document in told:
            line = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
            line = _clean(line.encode("utf-8", "replace").decode("utf-8"))
            if len(line) > LONG:
                found.long.append(line)
            else:
                copy.write(line + "\n")
    return found


def _split(text: str) -> Iterator[Any]:
    """Records of an array or of concatenated JSON texts; what cannot be read is given as it is, as text."""
    decoder = json.JSONDecoder()
    place, end = 0, len(text)
    in_array = False
    while True:
        while place < end and text[place] in " \t\r\n,":
            place += 1
        if place >= end:
            return
        if text[place] in "[]" and (not in_array or text[place] == "]"):
            in_array = text[place] == "["
            place += 1
            continue
        try:
            document, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            cut = text.find("\n", place)
            cut = end if cut < 0 else cut
            yield text[place:cut]
            place = cut
        else:
            yield document
