"""Log files to the table `events`: one row a record, one column for each attribute of each role."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from kestrel.formats.format import ENVELOPE, OPTIONAL, LogFormat, log_formats, recognise
from kestrel.formats.readers.packed import UnreadableFile
from kestrel.formats.reading import Reading
from kestrel.formats.transforms import quoted
from kestrel.ingest.account import Account
from kestrel.ingest.conversion import Lines
from kestrel.ingest.flows import FLOW, flow_id
from kestrel.ingest.identity import own_id
from kestrel.ingest.lines import Part, at_once, batches, hold, mend, parts_of, prepare, together
from kestrel.ingest.objects import OF_A_PASS, is_few, next_row, read_mixed, read_uniform, suits
from kestrel.ingest.tabular import read_table
from kestrel.model.layout import PROCESSES, layout

SAMPLE = 300
FIELDS = 40
"""The number of top-level fields of an unrecognised record that are kept."""
CLOCKS = ("$sensor_time", "$local", "$receipt", "$printed")


class Reader:
    """Creates the table `events` and fills it file by file, each of the log format it is said to have, or None. `wanted` columns of the layout
    only, or all that a log format met in them fills. `begun` is called with each file in turn. Nothing is resolved yet."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        scratch: Path,
        wanted: Collection[str] | None,
        begun: Callable[[Path], None],
        account: Account,
    ) -> None:
        self.con, self.scratch, self.wanted, self.begun, self.account = con, scratch, wanted, begun, account
        self.files = 0
        self.readable = 0
        """Files and archive members that could be read, including empty ones."""
        _create(con)

    def read(self, paths: Sequence[Path], log_format: LogFormat | None) -> range:
        """Add the records of files; the numbers of the files, which their records carry."""
        first = self.files
        self.files += len(paths)
        for parts in batches(self._parts(paths, first)):
            _read(self.con, parts, self.scratch, self.wanted, log_format, self.account)
            for part in parts:
                self.readable += part.lines.name not in self.account.unreadable
                part.lines.discard()
        return range(first, self.files)

    def finish(self) -> None:
        """Drop what only reading takes. Raises UnreadableFile if no file could be read."""
        for column in OF_A_PASS:
            self.con.execute(f'ALTER TABLE events DROP COLUMN "{column}"')
        if self.account.unreadable and not self.readable:
            raise UnreadableFile(*next(iter(self.account.unreadable.items())))

    def _parts(self, paths: Sequence[Path], first: int) -> Iterator[Part]:
        for number, path in enumerate(paths, first):
            self.begun(path)
            refused, empty = len(self.account.unreadable), True
            for part in parts_of(number, path, self.scratch, self.account.unreadable):
                empty = False
                yield part
            self.readable += empty and len(self.account.unreadable) == refused


def _create(con: duckdb.DuckDBPyConnection) -> None:
    """The empty table, with the columns that identity takes; the others come with the first records that may fill them."""
    spec = [
        *(f"{c} {kind}" for c, kind in ENVELOPE.items() if c not in OPTIONAL),
        "src UINTEGER",
        "sensor UTINYINT",
        "code INTEGER",
        *(f'"{c}" {kind}' for c, kind in OF_A_PASS.items()),
        *(f'"{c}" TIMESTAMP' for c in CLOCKS),
        *(f'"{s}.id" UBIGINT' for s in (*PROCESSES, "network")),
        *(f'"{s}.{c}" {layout().column_type(f"{s}.{c}")}' for s in PROCESSES for c in ("x_unique_id", "pid", "name")),
    ]
    con.execute(f"CREATE TABLE events ({', '.join(spec)})")


def _widen(con: duckdb.DuckDBPyConnection, columns: Collection[str]) -> None:
    """Give the table the columns it lacks: a log format costs nothing where none of its records is."""
    there = {r[0] for r in con.execute("SELECT name FROM pragma_table_info('events')").fetchall()}
    for column in sorted(set(columns) - there):
        con.execute(f'ALTER TABLE events ADD COLUMN "{column}" {ENVELOPE.get(column) or layout().column_type(column)}')


def _read(
    con: duckdb.DuckDBPyConnection,
    parts: Sequence[Part],
    scratch: Path,
    wanted: Collection[str] | None,
    given: LogFormat | None,
    account: Account,
) -> None:
    prepare(con)
    done = [*_read_plain(con, [p for p in parts if p.lines.plain], wanted, given, account), *_read_tables(con, parts, wanted, given, account)]
    held = [part for part in parts if part not in done]
    if not held and con.execute("SELECT 1 FROM raw_lines LIMIT 1").fetchone() is None:
        return
    lines = hold(con, held, scratch, account.unreadable)
    _note(account, lines)
    mended, several = mend(con, scratch, formats_of(sample(con, "raw_lines")))
    account.mended += mended
    account.several += several
    others = [given] if given else formats_of(sample(con, "raw_lines"))
    _read_lines(con, lines, {p.number: p.path for p in parts}, others, wanted, account)


def _read_plain(
    con: duckdb.DuckDBPyConnection, parts: Sequence[Part], wanted: Collection[str] | None, given: LogFormat | None, account: Account
) -> Sequence[Part]:
    """Read newline-delimited files by a fast road; those that were read, though some lines may be set aside."""
    first = sample(con, together(parts)) if parts else []
    found = [given] if given else formats_of(first)
    if found and suits(first) and (read := _read_fast(con, parts, found, first, wanted)):
        _add(account, found[0], read[0], [part.lines for part in parts])
        return parts
    return []


def _read_tables(
    con: duckdb.DuckDBPyConnection, parts: Sequence[Part], wanted: Collection[str] | None, given: LogFormat | None, account: Account
) -> Iterator[Part]:
    """The same for tables."""
    for part in parts:
        first = sample(con, together([part])) if part.lines.rows else []
        found = [given] if given else formats_of(first)
        if not found or not suits(first):
            continue
        reading = Reading(found[0], wanted)
        _widen(con, reading.wanted)
        if read := read_table(con, part, reading, _insert):
            _add(account, found[0], read[0], [part.lines])
            yield part


def _add(account: Account, log_format: LogFormat, number: int, lines: Sequence[Lines]) -> None:
    account.read += number
    account.kept += number
    account.log_formats[log_format.name] = account.log_formats.get(log_format.name, 0) + number
    _note(account, lines)


def _note(account: Account, lines: Sequence[Lines]) -> None:
    """Note what was wrong with files while they were turned into lines."""
    account.cut_off |= {part.name: part.cut_off for part in lines if part.cut_off is not None}
    account.unreadable |= {f"{part.name}, data after its end": "it is not compressed" for part in lines if part.trailing}
    account.unreadable |= {f"{part.name}, {part.damaged} of its chunks": "damaged" for part in lines if part.damaged}
    account.mended += sum(part.mended for part in lines)


def _read_fast(
    con: duckdb.DuckDBPyConnection, parts: Sequence[Part], found: Sequence[LogFormat], first: Sequence[str], wanted: Collection[str] | None
) -> tuple[int, int] | None:
    """Read newline-delimited files of the first of these log formats; the number of records, and of lines that were set aside."""
    _widen(con, Reading(found[0], wanted).wanted)
    records = [record for record in map(_parsed, first) if isinstance(record, dict)]
    if len(parts) == len(found) == 1 and len(records) == len(first) and not is_few(parts):
        number = read_uniform(con, parts[0], found[0], wanted, records, _insert)
        if number is not None:
            return number, 0
    return read_mixed(con, parts, Reading(found[0], wanted), _insert)


def sample(con: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    """The first lines of a relation; none where DuckDB cannot read those."""
    try:
        return [line for (line,) in con.execute(f"SELECT l FROM {relation} WHERE l IS NOT NULL LIMIT {SAMPLE}").fetchall()]
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return []


def formats_of(lines: Sequence[str]) -> list[LogFormat]:
    """The log formats of some records, the most frequent first."""
    records = (r for r in map(_parsed, lines) if isinstance(r, dict))
    seen = Counter(log_format.name for r in records if (log_format := recognise(r)))
    return [log_formats()[name] for name, _ in seen.most_common()]


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _insert(con: duckdb.DuckDBPyConnection, select: str) -> int:
    """Add rows to `events`, with the ids that a record gives by itself; the number added."""
    ids = [
        f'CASE WHEN "{s}.x_unique_id" IS NOT NULL AND host IS NOT NULL THEN {own_id(s)} END AS "{s}.id"'
        for s in PROCESSES
        if f'"{s}.x_unique_id"' in select
    ]
    if all(f'"{c}"' in select for c in FLOW):
        ids.append(flow_id('"network.x_outcome"' in select) + ' AS "network.id"')
    row = con.execute(f"INSERT INTO events BY NAME SELECT *{''.join(', ' + i for i in ids)} FROM ({select})").fetchone()
    return int(row[0]) if row else 0


def _read_lines(
    con: duckdb.DuckDBPyConnection,
    lines: Sequence[Lines],
    paths: Mapping[int, Path],
    found: Sequence[LogFormat],
    wanted: Collection[str] | None,
    account: Account,
) -> None:
    """The general road: every line that is held is read, whatever its log format; the most frequent log formats first."""
    counted = "SELECT count(valid), count(*) FILTER (NOT valid), count(part) FROM raw_lines"
    read, broken, values = con.execute(counted).fetchone() or (0, 0, 0)
    further = sum(part.further for part in lines)
    left = read - broken
    for log_format in log_formats().values():
        if not left:
            break
        reading = Reading(log_format, wanted)
        parsed = f"SELECT l, src, part, key, from_json(l, {quoted(json.dumps(reading.structure))}) AS j FROM {at_once(con, 'raw_lines')} WHERE valid"
        rows = f"(SELECT * FROM ({parsed}) WHERE {reading.recognised('j', 'l')})"
        if log_format not in found and con.execute(f"SELECT 1 FROM {rows} LIMIT 1").fetchone() is None:
            continue
        _widen(con, [*reading.wanted, *(["part"] if values else [])])
        before = next_row(con)
        also = "part" if values and "part" not in log_format.envelope else ""
        added = _insert(con, reading.select(rows, "l", "j", also, "coalesce(key, l)" if values else None))
        if added:
            more = con.execute(f"SELECT count(part) FROM events WHERE rowid >= {before}").fetchone() if also else None
            account.log_formats[log_format.name] = account.log_formats.get(log_format.name, 0) + added - further - (more[0] if more else 0)
        left -= added
        if added and left:
            unread = f"SELECT l, true AS valid, src, part, key FROM ({parsed}) WHERE ({reading.recognised('j', 'l')}) IS NOT true"
            con.execute(f"CREATE OR REPLACE TEMP TABLE raw_lines AS {unread}")
    if left and values:
        con.execute("DELETE FROM raw_lines WHERE part IS NOT NULL")
        left = _lines_left(con)
    account.read += read - further - values
    account.broken += broken
    account.unknown += left
    if left:
        account.strange += _unrecognised(con, paths)
    account.kept += read - further - values - broken - left
    con.execute("DROP TABLE raw_lines")


def _lines_left(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("SELECT count(*) FROM raw_lines WHERE valid").fetchone()
    return int(row[0]) if row else 0


def _unrecognised(con: duckdb.DuckDBPyConnection, paths: Mapping[int, Path]) -> list[tuple[str, int, list[str]]]:
    """The remaining records: for each file, their number and the top-level fields of one of them."""
    rows = con.execute("SELECT src, count(*), arg_min(l, rowid) FROM raw_lines WHERE valid GROUP BY src ORDER BY 2 DESC").fetchall()
    found = []
    for src, number, line in rows:
        record = _parsed(line)
        found.append((str(paths[src]), number, list(record)[:FIELDS] if isinstance(record, dict) else []))
    return found
