"""Files of all kinds as lines of JSON: the lines of the file itself, rows of a table that DuckDB reads, or a copy with a line for each record."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

from kestrel.formats.readers import audit, evtx, mending, tables, windows_xml, zeek
from kestrel.formats.readers.documents import Documents, is_spread
from kestrel.formats.readers.packed import (
    CUT_OFF,
    DAMAGED,
    PARQUET,
    CutOff,
    Damaged,
    Room,
    Trailing,
    UnreadableFile,
    blocks,
    compression,
    reason_of,
    start,
)
from kestrel.formats.readers.texts import BLANK, MARKS, Decoder, encoding_of, refusal
from kestrel.formats.transforms import quoted
from kestrel.ingest.database import EXACT, exact_literal
from kestrel.ingest.sql import quoted_name
from kestrel.stix.reader import documents, is_bundle

LONG = 1 << 20
"""Lines longer than this many bytes take the careful road: DuckDB's line buffer is not made for them."""
LINES_ONLY = "columns={'l': 'VARCHAR'}, null_padding=false"


@dataclass(frozen=True, slots=True)
class Named:
    """A column of a table, or a field in one, by its name in the file. `inner`: the fields in it."""

    name: str
    inner: tuple[Named, ...] = ()


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
    """The file with the records, where it is newline-delimited JSON that DuckDB can read without help."""
    rows: str | None = None
    """A FROM item of the rows of a table, where the file is one that DuckDB reads itself."""
    text: str = ""
    """SQL of a row `t` of the table as a record."""
    names: Sequence[Named] = ()
    """What the columns of the table and the fields in them are called in the file: DuckDB renames those that differ only in case."""
    again: Callable[[], Lines] | None = None
    """How to read a table that DuckDB cannot read."""
    are_all: Callable[[int], bool] = lambda _: True
    """Whether a table has this number of rows: DuckDB can lose some without a word where line ends are mixed."""
    cut_off: int | None = None
    """The number of complete records, where the file or member ends too early."""
    damaged: int = 0
    """Places in the file that could not be read; the records behind them were."""
    trailing: bool = False
    """Whether uncompressed data follow the compressed data."""
    ours: list[Path] = field(default_factory=list)
    """Copies, which are not needed after the lines are read."""

    def discard(self) -> None:
        for file in self.ours:
            file.unlink(missing_ok=True)


def _file_as_csv(path: Path) -> str:
    return lines_as_csv([path], f"{LINES_ONLY}, compression={quoted(compression(path))}")


def copy_as_csv(path: Path, columns: Mapping[str, str] = MappingProxyType({"l": "VARCHAR"})) -> str:
    """The same for a copy that Kestrel wrote, with these columns."""
    listed = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in columns.items())
    return lines_as_csv([path], f"columns={{{listed}}}, compression='none', max_line_size={4 * LONG}")


def lines_as_csv(paths: Sequence[Path], options: str) -> str:
    return f"read_csv({exact_literal(*paths)}, {EXACT}, delim='\x07', quote='', escape='', header=false, auto_detect=false, {options})"


class _Copy:
    """A copy with one record a line, valid UTF-8 and no control characters that DuckDB's line reader cannot handle."""

    def __init__(self, name: str, scratch: Path, room: Room, ours: list[Path]) -> None:
        handle, path = tempfile.mkstemp(prefix="lines-", dir=scratch)
        self.file = Path(path)
        ours.append(self.file)
        self.lines = Lines(name, self.file, copy_as_csv(self.file), ours=ours)
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
        if not self.lines.long and not self.lines.further:
            self.lines.plain = self.file
        return self.lines


def lines_of(path: Path, name: str, scratch: Path, room: Room, cut: bool = False) -> Lines | None:
    """How to read one file; None if it is empty. `cut`: it is known to be cut off. Raises UnreadableFile."""
    begin = _named(start, path, name)
    if not begin:
        return None
    if why := refusal(begin):
        raise UnreadableFile(name, why)
    reading = _Conversion(path, name, scratch, room, cut)
    if begin.startswith(evtx.MAGIC):
        return reading.event_log()
    if begin.startswith(PARQUET):
        return reading.parquet()
    encoding = encoding_of(begin)
    text = begin.decode(encoding, "replace").lstrip(BLANK)
    if is_bundle(text):
        return reading.observed()
    if text.startswith("[") or (text.startswith("{") and is_spread(text)):
        return reading.documents()
    if zeek.is_zeek(text):
        return reading.of_lines(lambda lines: zeek.Records(lines))
    if audit.is_audit(text):
        return reading.of_lines(lambda lines: audit.Events(lines))
    if windows_xml.is_log(text):
        return reading.events()
    if table := tables.table_of(text):
        return reading.table(table, encoding == "utf-8" and not cut)
    if cut or encoding != "utf-8" or begin.startswith(tuple(mark for mark, _ in MARKS)):
        return reading.copied()
    return Lines(name, path, _file_as_csv(path), plain=path)


def _named(read: Any, path: Path, name: str) -> Any:
    """The result of reading a file with a function; if that fails, the error names the member."""
    try:
        return read(path)
    except UnreadableFile as error:
        raise UnreadableFile(name, error.why) from error


def copied(lines: Lines, scratch: Path) -> Lines:
    """A copy of a file that DuckDB cannot read as lines."""
    path = lines.plain or lines.file
    return _Conversion(path, lines.name, scratch, Room(path, scratch), False).copied(lines.ours)


class _Source:
    """Parts of a text up to where it can be read. `failure`: what ended it too early. Of lines that are cut off (`cut`: that is known) the last
    one is left out, unless it is whole."""

    def __init__(self, parts: Iterable[str], are_lines: bool, cut: bool) -> None:
        self._parts, self._are_lines, self._cut = parts, are_lines, cut
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[str]:
        last: str | None = None
        try:
            for part in self._parts:
                if last is not None:
                    yield last
                last = part
        except (CutOff, Damaged, Trailing) as error:
            self.failure = error
        is_cut = self._cut or isinstance(self.failure, CutOff)
        if last is not None and not (self._are_lines and is_cut and not mending.mended(last)):
            yield last


class _Conversion:
    """One file, and how it is read. `cut`: it is known to be cut off."""

    def __init__(self, path: Path, name: str, scratch: Path, room: Room, cut: bool) -> None:
        self.path, self.name, self.scratch, self.room, self.cut = path, name, scratch, room, cut

    def _decoder(self) -> Decoder:
        return Decoder(encoding_of(_named(start, self.path, self.name)))

    def _copy(self, records: Callable[[Iterator[str]], Iterable[str]], are_lines: bool, ours: list[Path] | None = None) -> Lines:
        """A copy with the records of the lines, or of other parts, of the file."""
        decoder = self._decoder()
        texts = decoder.lines(blocks(self.path)) if are_lines else decoder.texts(blocks(self.path))
        source = _Source(texts, are_lines, self.cut)
        with _Copy(self.name, self.scratch, self.room, [] if ours is None else ours) as copy:
            found = records(iter(source))
            for record in found:
                copy.put(record if are_lines else decoder.mend(record))
        copy.lines.trailing = isinstance(source.failure, Trailing)
        if isinstance(source.failure, Damaged):
            raise UnreadableFile(self.name, DAMAGED) from source.failure
        copy.lines.mended += decoder.mended
        return copy.finished(self.cut or isinstance(source.failure, CutOff) or getattr(found, "cut", False))

    def copied(self, ours: list[Path] | None = None) -> Lines:
        """A copy with the lines of the file."""
        return self._copy(lambda lines: lines, True, ours)

    def of_lines(self, records: Callable[[Iterator[str]], Iterable[str]]) -> Lines:
        return self._copy(records, True)

    def documents(self) -> Lines:
        """One line for each element of a JSON array, or each of several JSON texts one after another."""
        return self._copy(lambda parts: Documents(parts), False)

    def events(self) -> Lines:
        """One line for each Windows event in XML."""
        return self._copy(lambda parts: windows_xml.Events(parts), False)

    def event_log(self) -> Lines:
        """One line for each record of an EVTX file."""
        log = evtx.EventLog(self.path)
        with _Copy(self.name, self.scratch, self.room, []) as copy:
            try:
                for record in log:
                    copy.put(record)
            except (RuntimeError, OSError, ValueError) as error:
                raise UnreadableFile(self.name, "it is a Windows event log whose header is damaged") from error
        copy.lines.damaged = log.damaged
        return copy.finished(self.cut or log.is_cut_off)

    def parquet(self) -> Lines:
        """The rows of a Parquet file, read in place."""
        with duckdb.connect() as con:
            try:
                schema = con.execute(f"SELECT name, coalesce(num_children, 0) FROM parquet_schema({exact_literal(self.path)})").fetchall()
                columns = con.execute(f"DESCRIBE SELECT * FROM read_parquet({exact_literal(self.path)}, {EXACT})").fetchall()
            except duckdb.Error as error:
                raise UnreadableFile(self.name, DAMAGED) from error
        return self._table(f"read_parquet({exact_literal(self.path)}, {EXACT})", _named_fields(schema), [name for name, *_ in columns])

    def table(self, table: tables.Table, is_plain: bool) -> Lines:
        """The rows of a table as text."""
        if not is_plain:
            return self._rows(table)
        options = f"header=true, auto_detect=false, all_varchar=true, quote='\"', escape='\"', delim={quoted(table.delimiter)}, skip={table.skipped}"
        names = list(tables.unique(table.names))
        columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
        rows = f"read_csv({exact_literal(self.path)}, {EXACT}, {options}, columns={{{columns}}}, max_line_size={4 * LONG}, "
        rows += f"compression={quoted(compression(self.path))})"
        found = self._table(rows, [Named(name) for name in table.names], names)
        found.again = lambda: self._rows(table)
        found.are_all = lambda number: tables.has_rows(lambda: blocks(self.path), table, number)
        return found

    def _table(self, rows: str, names: Sequence[Named], columns: Sequence[str]) -> Lines:
        """`names`: of the columns in the file; `columns`: what DuckDB calls them."""
        values = ", ".join(f"{quoted(n.name)}, t.{quoted_name(column)}" for n, column in zip(names, columns, strict=True))
        text = f"json_object({values})::VARCHAR" if [n.name for n in names] != list(columns) else "to_json(t)::VARCHAR"
        return Lines(self.name, self.path, f"(SELECT {text} AS l FROM {rows} t)", rows=rows, text=text, names=names)

    def _rows(self, table: tables.Table) -> Lines:
        def found(parts: Iterator[str]) -> Iterator[str]:
            for record in tables.records(tables.lines_of(parts), table):
                yield record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)

        return self._copy(found, False)

    def observed(self) -> Lines:
        """A line for each row of each observed-data of STIX bundles."""
        cut = self.cut
        decoder = self._decoder()
        parts: list[str] = []
        trailing = False
        try:
            for part in decoder.texts(blocks(self.path)):
                self.room.take(len(part))
                parts.append(part)
        except CutOff:
            cut = True
        except Trailing:
            trailing = True
        except Damaged as error:
            raise UnreadableFile(self.name, DAMAGED) from error
        text = decoder.mend("".join(parts))
        cut = cut or not text.rstrip(BLANK).endswith("}")
        with _Copy(self.name, self.scratch, self.room, []) as copy:
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


def _named_fields(schema: Sequence[tuple[str, int]]) -> list[Named]:
    """The columns in the schema of a Parquet file, which lists its nodes in depth-first order, each with the number of its children."""
    nodes = iter(schema[1:])

    def some(number: int) -> tuple[Named, ...]:
        return tuple(Named(name, some(children)) for name, children in islice(nodes, number))

    return list(some(schema[0][1])) if schema else []
