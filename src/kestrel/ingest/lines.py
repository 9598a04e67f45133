"""Log files as lines of JSON that DuckDB can read, whatever they are wrapped in."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

from kestrel.formats.readers import mending
from kestrel.formats.readers.archives import members
from kestrel.formats.readers.documents import Documents, is_spread
from kestrel.formats.readers.packed import (
    CUT_OFF,
    DAMAGED,
    ZIP,
    CutOff,
    Damaged,
    Room,
    Trailing,
    UnreadableFile,
    blocks,
    compression,
    head,
    reason_of,
    start,
)
from kestrel.formats.readers.texts import BLANK, MARKS, Decoder, encoding_of, refusal
from kestrel.formats.transforms import quoted
from kestrel.ingest.database import EXACT, exact_literal
from kestrel.stix.reader import documents, is_bundle
from kestrel.text import path_text

LONG = 1 << 20
"""Lines longer than this many bytes take the careful road: DuckDB's line buffer is not made for them."""
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


@dataclass
class Lines:
    """The lines of one file: a FROM item with a column `l`, lines too long for it, and what had to be mended."""

    name: str
    """The name of the file or archive member in messages."""
    file: Path
    """The file that is read: the file itself, an unpacked member, or a copy."""
    relation: str
    long: list[str] = field(default_factory=list)
    mended: int = 0
    further: int = 0
    """Lines that only carry on the record of the line before."""
    plain: Path | None = None
    """The file itself, where it is newline-delimited JSON that DuckDB can read without help."""
    cut_off: int | None = None
    """The number of complete records, where the file or member ends too early."""
    trailing: bool = False
    """Whether uncompressed data follow the compressed data."""
    ours: list[Path] = field(default_factory=list)
    """Copies, which are not needed after the lines are read."""

    def discard(self) -> None:
        for file in self.ours:
            file.unlink(missing_ok=True)


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
    if not head(path).startswith(ZIP):
        if lines := _lines(path, path_text(path), scratch, Room(path, scratch)):
            yield lines
        return
    room = Room(path, scratch)
    for member in members(path, path_text(path), scratch, room):
        if member.file is None:
            unreadable[member.name] = member.why
            continue
        try:
            lines = _lines(member.file, member.name, scratch, room, member.cut)
        except UnreadableFile as error:
            unreadable[error.name] = error.why
            member.file.unlink()
        else:
            if lines:
                lines.ours.append(member.file)
                yield lines


def _lines(path: Path, name: str, scratch: Path, room: Room, cut: bool = False) -> Lines | None:
    """How to read one file; None if it is empty. `cut`: it is known to be cut off. Raises UnreadableFile."""
    begin = _named(start, path, name)
    if not begin:
        return None
    if why := refusal(begin):
        raise UnreadableFile(name, why)
    encoding = encoding_of(begin)
    text = begin.decode(encoding, "replace").lstrip(BLANK)
    if is_bundle(text):
        return _observed(path, name, scratch, room, cut)
    if text.startswith("[") or (text.startswith("{") and is_spread(text)):
        return _documents(path, name, scratch, room, cut)
    if cut or encoding != "utf-8" or begin.startswith(tuple(mark for mark, _ in MARKS)):
        return _copied(path, name, scratch, room, cut)
    return Lines(name, path, _csv(path), plain=path)


def _named(read: Any, path: Path, name: str) -> Any:
    """The result of reading a file with a function; if that fails, the error names the member."""
    try:
        return read(path)
    except UnreadableFile as error:
        raise UnreadableFile(name, error.why) from error


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
    return file.stat().st_size * (10 if file.suffix in (".gz", ".zst", ".zip") else 1)


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
        whole = are_whole({part.number: row or (0, 0)})
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        if lines.plain is None:
            raise
    if lines.plain and not whole:
        con.execute(f"DELETE FROM raw_lines WHERE rowid >= {first}")
        lines = _copied(lines.plain, lines.name, scratch, Room(lines.plain, scratch), False, lines.ours)
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


def mend(con: duckdb.DuckDBPyConnection, scratch: Path) -> tuple[int, int]:
    """Mend the lines that DuckDB does not accept as JSON but that can be read, and turn dotted names into paths and lists into what log
    formats read; returns how many lines were mended, and how many records have a list of which not all values are read."""
    suspect = f"NOT valid AND regexp_matches(l, {quoted(mending.SUSPECT)})"
    other = f"regexp_matches(l, {quoted(mending.dotted())}) OR {mending.is_list_elsewhere()}"
    changed = con.execute(f"SELECT rowid, l, valid FROM raw_lines WHERE CASE WHEN valid THEN {other} ELSE {suspect} END")
    number = partial = 0
    gone: list[int] = []
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=scratch, suffix=".mended", delete=False) as copy:
        long: list[tuple[int, int, int, str, str, str]] = []
        while rows := changed.fetchmany(FETCHED):
            for row, line, valid in rows:
                written = [line] if valid else mending.mended(line)
                records = [mending.expanded(record) for record in written]
                partial += sum(record.is_partial for record in records)
                if not records or [record.texts for record in records] == [(line,)]:
                    continue
                number += not valid and mending.is_damaged(line, written)
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
        con.execute(f"INSERT INTO mended_lines SELECT * FROM {_csv_copy(file, columns)}")
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


def _clean(text: str) -> str:
    return mending.CONTROL.sub("\ufffd", text)


def validity(line: str) -> str:
    """SQL: whether a line is a record, NULL for a blank one."""
    return f"CASE WHEN json_valid({line}) AND starts_with(ltrim({line}, {BLANKS}), '{{') THEN true WHEN trim({line}, {BLANKS}) <> '' THEN false END"


def together(parts: Sequence[Part]) -> str:
    """A FROM item of the lines `l` of newline-delimited files, each with the number `src` of its file."""
    if len(parts) == 1:
        return f"(SELECT l, {parts[0].number}::UINTEGER AS src FROM {parts[0].lines.relation})"
    packed = {compression(part.lines.file) for part in parts}
    options = f"{_LINES}, filename='$file', compression={quoted(packed.pop() if len(packed) == 1 else 'auto_detect')}"
    numbers = ", ".join(f"{quoted(os.path.abspath(part.lines.file))}: {part.number}" for part in parts)
    relation = _lines_as_csv([part.lines.file for part in parts], options)
    return f'(SELECT l, map_extract(MAP {{{numbers}}}, "$file")[1]::UINTEGER AS src FROM {relation})'


_LINES = "columns={'l': 'VARCHAR'}, null_padding=false"


def _csv(path: Path) -> str:
    return _lines_as_csv([path], f"{_LINES}, compression={quoted(compression(path))}")


def _csv_copy(path: Path, columns: Mapping[str, str] = MappingProxyType({"l": "VARCHAR"})) -> str:
    """The same for a copy that Kestrel wrote, with these columns."""
    listed = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
    return _lines_as_csv([path], f"columns={{{listed}}}, compression='none', max_line_size={4 * LONG}")


def _lines_as_csv(paths: Sequence[Path], options: str) -> str:
    return f"read_csv({exact_literal(*paths)}, {EXACT}, delim='\x07', quote='', escape='', header=false, auto_detect=false, {options})"


class _Copy:
    """A copy with one record a line, valid UTF-8 and no control characters that DuckDB's line reader cannot handle."""

    def __init__(self, name: str, scratch: Path, room: Room, ours: list[Path]) -> None:
        handle, path = tempfile.mkstemp(prefix="lines-", dir=scratch)
        self.file = Path(path)
        ours.append(self.file)
        self.lines = Lines(name, self.file, _csv_copy(self.file), ours=ours)
        self.room = room
        self.written = 0
        self._stream = open(handle, "w", encoding="utf-8", newline="\n")  # noqa: SIM115 (closed by __exit__)

    def __enter__(self) -> _Copy:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def put(self, line: str) -> None:
        """Add a line; a blank one is left out."""
        if not line:
            return
        records = [line]
        if mending.CONTROL.search(line):
            records = mending.mended(line)
            self.lines.mended += bool(records)
        for record in records or [mending.CONTROL.sub("\ufffd", line)]:
            self._add(mending.CONTROL.sub("\ufffd", record))

    def _add(self, record: str) -> None:
        self.written += 1
        if len(record) > LONG:
            self.lines.long.append(record)
        else:
            self.room.take(len(record) + 1)
            try:
                self._stream.write(record + "\n")
            except OSError as error:
                raise UnreadableFile(self.lines.name, reason_of(error)) from error

    def finished(self, cut: bool) -> Lines:
        """The lines of the copy. `cut`: the file ends too early; raises UnreadableFile if it has no complete record."""
        if cut:
            self.lines.cut_off = self.written - self.lines.further
            if not self.written:
                raise UnreadableFile(self.lines.name, CUT_OFF)
        return self.lines


def _copied(path: Path, name: str, scratch: Path, room: Room, cut: bool, ours: list[Path] | None = None) -> Lines:
    """A copy of a file that has a line for each record."""
    decoder = Decoder(encoding_of(_named(start, path, name)))
    with _Copy(name, scratch, room, [] if ours is None else ours) as copy:
        last = ""
        try:
            for line in decoder.lines(blocks(path)):
                copy.put(last)
                last = line
        except CutOff:
            cut = True
        except Trailing:
            copy.lines.trailing = True
        except Damaged as error:
            raise UnreadableFile(name, DAMAGED) from error
        if not cut or mending.mended(last):
            copy.put(last)
    copy.lines.mended += decoder.mended
    return copy.finished(cut)


def _documents(path: Path, name: str, scratch: Path, room: Room, cut: bool) -> Lines:
    """A copy with one line for each element of a JSON array, or each of several JSON texts one after another."""
    decoder = Decoder(encoding_of(_named(start, path, name)))
    found = Documents(decoder.texts(blocks(path)))
    with _Copy(name, scratch, room, []) as copy:
        for record in found:
            copy.put(decoder.mend(record))
    match found.failure:
        case None:
            pass
        case CutOff():
            cut = True
        case Trailing():
            copy.lines.trailing = True
        case Damaged():
            raise UnreadableFile(name, DAMAGED) from found.failure
        case _:
            raise found.failure
    copy.lines.mended += decoder.mended
    return copy.finished(cut or found.cut)


def _observed(path: Path, name: str, scratch: Path, room: Room, cut: bool) -> Lines:
    """A copy with a line for each row of each observed-data of STIX bundles."""
    decoder = Decoder(encoding_of(_named(start, path, name)))
    parts: list[str] = []
    trailing = False
    try:
        for part in decoder.texts(blocks(path)):
            room.take(len(part))
            parts.append(part)
    except CutOff:
        cut = True
    except Trailing:
        trailing = True
    except Damaged as error:
        raise UnreadableFile(name, DAMAGED) from error
    text = decoder.mend("".join(parts))
    cut = cut or not text.rstrip(BLANK).endswith("}")
    with _Copy(name, scratch, room, []) as copy:
        for rows in documents(text):
            if cut and isinstance(rows[0], str):
                continue
            copy.lines.further += len(rows) - 1
            for row in rows:
                line = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)
                copy.put(line.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    copy.lines.mended += decoder.mended
    copy.lines.trailing = trailing
    return copy.finished(cut)
