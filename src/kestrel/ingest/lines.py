"""Log files as lines of JSON that DuckDB can read, whatever they are wrapped in."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb

from kestrel.formats.format import LogFormat
from kestrel.formats.readers import evtx, mending, unwrapping
from kestrel.formats.readers.archives import is_archive, members
from kestrel.formats.readers.packed import (
    DAMAGED,
    PARQUET,
    CutOff,
    Damaged,
    Room,
    Trailing,
    UnreadableFile,
    blocks,
    compression,
    head,
    start,
    unpacked,
)
from kestrel.formats.transforms import quoted
from kestrel.ingest.conversion import LINES_ONLY, LONG, Lines, copied, copy_as_csv, lines_as_csv, lines_of
from kestrel.text import path_text

SMALL = 8 << 20
"""Files of no more bytes are read together with others: planning to read one takes longer than reading it."""
TOGETHER = 64 << 20
"""Bytes that are read together."""
FETCHED = 10_000
"""The number of lines that are fetched from DuckDB at once for mending."""
ROW_GROUP = 122_880
"""Rows of a table that DuckDB gives to one thread."""
VECTOR = 2_048
"""Rows that are not worth another thread."""
SHARES = 8
"""Parts of a table that are planned one by one; more would take longer to plan than they save."""
BLANKS = "chr(9) || ' '"


@dataclass(frozen=True, slots=True)
class Part:
    """The lines of one file, or of one member of an archive, and the number that their records carry."""

    number: int
    path: Path
    lines: Lines


def parts_of(number: int, path: Path, scratch: Path, unreadable: dict[str, str]) -> Iterator[Part]:
    """The parts of a file (a ZIP archive: each of its members). `scratch`: a folder for copies. Parts that cannot be read are put into
    `unreadable`: name and reason."""
    try:
        for lines in _lines_of(path, scratch, unreadable):
            yield Part(number, path, lines)
    except UnreadableFile as error:
        unreadable[error.name] = error.why


def _lines_of(path: Path, scratch: Path, unreadable: dict[str, str]) -> Iterator[Lines]:
    name, room = path_text(path), Room(path, scratch)
    head(path)
    if not is_archive(path):
        if lines := _of_member(path, name, scratch, room, False):
            yield lines
        return
    for member in members(path, name, scratch, room):
        if member.file is None:
            unreadable[member.name] = member.why
            continue
        try:
            lines = _of_member(member.file, member.name, scratch, room, member.cut)
        except UnreadableFile as error:
            unreadable[error.name] = error.why
            member.file.unlink()
        else:
            if lines:
                lines.ours.append(member.file)
                yield lines


def _of_member(path: Path, name: str, scratch: Path, room: Room, cut: bool) -> Lines | None:
    """How to read one file. What DuckDB or the reader of its format cannot unpack is unpacked first. Raises UnreadableFile."""
    packed = compression(path)
    if packed not in ("xz", "bzip2") and not (packed != "none" and start(path).startswith((evtx.MAGIC, PARQUET))):
        return lines_of(path, name, scratch, room, cut)
    copy, ends_early = unpacked(path, name, scratch, room)
    try:
        lines = lines_of(copy, name, scratch, room, cut or ends_early)
    except UnreadableFile:
        copy.unlink()
        raise
    if lines is None:
        copy.unlink()
    else:
        lines.ours.append(copy)
    return lines


def batches(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Small files together; large ones, and bundles of which a record has several lines, alone."""
    waiting: list[Part] = []
    size = 0
    for part in parts:
        more = weight(part.lines.file)
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
    return file.stat().st_size * (10 if file.suffix in (".gz", ".zst", ".zip", ".xz", ".bz2", ".tgz") else 1)


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """The empty table `raw_lines`: lines, each with whether it is a record (a blank one: neither), the number of its file and, where it was
    mended or its dotted names are paths now, how it was written. A record with a list of several values where one is read has a line for
    each: the further ones have the number `part` from 1, and all of them a common `key`."""
    con.execute("CREATE OR REPLACE TEMP TABLE raw_lines (l VARCHAR, valid BOOLEAN, src UINTEGER, original VARCHAR, part UINTEGER, key VARCHAR)")


def hold(con: duckdb.DuckDBPyConnection, parts: Iterable[Part], scratch: Path, unreadable: dict[str, str]) -> list[Lines]:
    """Take the lines of files into the table `raw_lines`. Where DuckDB's line reader fails, or loses lines beyond its buffer without a word,
    they go by the careful road; the lines as they were read. What cannot be read is put into `unreadable`."""
    found: list[Lines] = []
    for part in parts:
        try:
            found.append(_held(con, part, scratch))
        except UnreadableFile as error:
            unreadable[error.name] = error.why
    return found


def _held(con: duckdb.DuckDBPyConnection, part: Part, scratch: Path) -> Lines:
    lines = part.lines
    row = con.execute("SELECT coalesce(max(rowid) + 1, 0) FROM raw_lines").fetchone()
    first = int(row[0]) if row else 0
    whole = False
    are_whole = measuring([part] if lines.plain else [])
    try:
        _fill(con, part.number, lines)
        row = con.execute(f"SELECT count(*), coalesce(sum(strlen(l)), 0) FROM raw_lines WHERE rowid >= {first}").fetchone()
        whole = are_whole({part.number: row or (0, 0)}) and lines.are_all(row[0] if row else 0)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        if lines.rows and lines.again is None:
            raise UnreadableFile(lines.name, DAMAGED) from error
        if lines.plain is None and lines.again is None:
            raise
    if (lines.plain or lines.again) and not whole:
        con.execute(f"DELETE FROM raw_lines WHERE rowid >= {first}")
        lines = lines.again() if lines.again else copied(lines, scratch)
        _fill(con, part.number, lines)
    return lines


def _fill(con: duckdb.DuckDBPyConnection, number: int, lines: Lines) -> None:
    source = lines.relation
    if lines.long:
        con.execute("CREATE OR REPLACE TEMP TABLE long_lines (l VARCHAR)")
        con.executemany("INSERT INTO long_lines VALUES (?)", [[text] for text in lines.long])
        source = f"(SELECT l FROM {source} UNION ALL SELECT l FROM long_lines)"
    con.execute(f"INSERT INTO raw_lines SELECT l, {validity('l')}, {number}, NULL, NULL, NULL FROM {source}")
    con.execute("DROP TABLE IF EXISTS long_lines")


def at_once(con: duckdb.DuckDBPyConnection, table: str) -> str:
    """A FROM item of a temporary table that several threads have a part of: DuckDB gives rows that are few to it to one thread."""
    rows, threads = con.execute(f"SELECT coalesce(max(rowid) + 1, 0), current_setting('threads') FROM {table}").fetchone() or (0, 1)
    number = min(threads, SHARES, rows // VECTOR)
    if number < 2 or rows > ROW_GROUP * number:
        return table
    cuts = [rows * n // number for n in range(number + 1)]
    return f"({' UNION ALL '.join(f'SELECT * FROM {table} WHERE rowid >= {a} AND rowid < {b}' for a, b in pairwise(cuts))})"


def measuring(parts: Sequence[Part]) -> Callable[[Mapping[int, tuple[int, int]]], bool]:
    """Start to measure newline-delimited files, the packed ones in a thread. Calling the result with the lines and bytes found in each tells
    whether these are all lines of the files."""
    files: dict[int, list[Path]] = {}
    for part in parts:
        files.setdefault(part.number, []).append(part.lines.file)
    measured: dict[Path, int | None] = {}

    def measure() -> None:
        for part in parts:
            if compression(part.lines.file) != "none":
                measured[part.lines.file] = _measured(part.lines.file)

    def fits(file: Path, number: int, size: int) -> bool:
        return file not in measured and _fits(file, number, size)

    def are_whole(found: Mapping[int, tuple[int, int]]) -> bool:
        thread.join()
        for src, own in files.items():
            number, size = found.get(src, (0, 0))
            if len(own) == 1 and fits(own[0], number, size):
                continue
            sizes = [measured[file] if file in measured else _measured(file) for file in own]
            if None in sizes or sum(filter(None, sizes)) != size:
                return False
        return True

    thread = threading.Thread(target=measure, daemon=True)
    thread.start()
    return are_whole


def _fits(file: Path, number: int, size: int) -> bool:
    """Whether a file that is not packed has just so many bytes, and one character for the end of each line."""
    begin = start(file)
    ends = begin.find(b"\n")
    return ends >= 0 and begin[ends - 1 : ends] != b"\r" and file.stat().st_size - size in (number, number - 1)


def _measured(file: Path) -> int | None:
    """The bytes of all lines of a file, without the characters that end them; None if it is damaged."""
    found = 0
    try:
        for block in blocks(file, 1 << 24):
            found += len(block) - block.count(b"\n") - block.count(b"\r")
    except (CutOff, Damaged, Trailing, OSError):
        return None
    return found


def mend(con: duckdb.DuckDBPyConnection, scratch: Path, formats: Iterable[LogFormat]) -> tuple[int, int]:
    """Mend the lines that DuckDB does not accept as JSON but that can be read, remove wrappers, and turn dotted names into paths and lists into
    what log formats read. `formats`: those of many lines, in which no wrappers are searched for. Returns how many lines were mended, and how many
    records have a list of which not all values are read."""
    suspect = f"NOT valid AND regexp_matches(l, {quoted(mending.SUSPECT)})"
    other = f"regexp_matches(l, {quoted(mending.dotted())}) OR {mending.is_list_elsewhere()} OR {unwrapping.may_be_wrapped(formats)}"
    changed = con.execute(f"SELECT rowid, l, valid FROM raw_lines WHERE CASE WHEN valid THEN {other} ELSE {suspect} END")
    number = partial = 0
    gone: list[int] = []
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=scratch, suffix=".mended", delete=False) as copy:
        long: list[tuple[int, int, int, str, str, str]] = []
        while rows := changed.fetchmany(FETCHED):
            for row, line, valid in rows:
                written = [one for text in ([line] if valid else _mended(line)) for one in unwrapping.unwrapped(text)]
                records = [mending.expanded(record) for record in written]
                partial += sum(record.is_partial for record in records)
                if not records or [record.texts for record in records] == [(line,)]:
                    continue
                number += not valid and line.lstrip()[:1] in ("{", "[", "\x00") and mending.is_damaged(line, written)
                gone.append(row)
                for original, record in zip(written, records, strict=True):
                    key = hashlib.md5(original.encode("utf-8", "replace"), usedforsecurity=False).hexdigest() if len(record.texts) > 1 else ""
                    kept = _clean(original) if len(written) > 1 and record.texts != (original,) else ""
                    for part, text in enumerate(map(_clean, record.texts)):
                        fields = (row, part, int(len(written) > 1), key, "" if part else kept, text)
                        if len(text) + len(kept) > LONG:
                            long.append(fields)
                        else:
                            copy.write("\x07".join(map(str, fields)) + "\n")
    file = Path(copy.name)
    if gone:
        columns = {"number": "BIGINT", "part": "UINTEGER", "several": "BIGINT", "key": "VARCHAR", "kept": "VARCHAR", "l": "VARCHAR"}
        con.execute(f"CREATE OR REPLACE TEMP TABLE mended_lines ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
        con.execute(f"INSERT INTO mended_lines SELECT * FROM {copy_as_csv(file, columns)}")
        if long:
            con.executemany("INSERT INTO mended_lines VALUES (?, ?, ?, ?, ?, ?)", [list(one) for one in long])
        original = "CASE WHEN m.part = 0 THEN coalesce(nullif(m.kept, ''), CASE WHEN m.several = 0 THEN r.l END) END"
        con.execute(
            f"INSERT INTO raw_lines SELECT m.l, {validity('m.l')}, r.src, {original}, nullif(m.part, 0), nullif(m.key, '') "
            "FROM mended_lines m JOIN raw_lines r ON r.rowid = m.number"
        )
        con.execute("DELETE FROM raw_lines WHERE rowid IN (SELECT number FROM mended_lines)")
        con.execute("DROP TABLE mended_lines")
    file.unlink()
    return number, partial


def _mended(line: str) -> list[str]:
    """The records of a line that is not JSON."""
    behind = unwrapping.behind_prefix(line)
    return [behind] if behind else mending.mended(line)


def _clean(text: str) -> str:
    return mending.CONTROL.sub("\ufffd", text)


def validity(line: str) -> str:
    """SQL: whether a line is a record, NULL for a blank one."""
    return f"CASE WHEN json_valid({line}) AND starts_with(ltrim({line}, {BLANKS}), '{{') THEN true WHEN trim({line}, {BLANKS}) <> '' THEN false END"


def together(parts: Sequence[Part]) -> str:
    """A FROM item of the records `l` of files, as lines of JSON, each with the number `src` of its file."""
    if len(parts) == 1 or any(part.lines.rows for part in parts):
        return f"({' UNION ALL '.join(f'SELECT l, {part.number}::UINTEGER AS src FROM {part.lines.relation}' for part in parts)})"
    packed = {compression(part.lines.file) for part in parts}
    options = f"{LINES_ONLY}, filename='$file', compression={quoted(packed.pop() if len(packed) == 1 else 'auto_detect')}"
    numbers = ", ".join(f"{quoted(os.path.abspath(part.lines.file))}: {part.number}" for part in parts)
    relation = lines_as_csv([part.lines.file for part in parts], options)
    return f'(SELECT l, map_extract(MAP {{{numbers}}}, "$file")[1]::UINTEGER AS src FROM {relation})'
