"""The records of a set of files: read once, resolved once, kept in a snapshot file for later sessions."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from importlib import resources
from itertools import groupby
from pathlib import Path

import duckdb

from kestrel.formats.format import digest as definitions_digest
from kestrel.formats.format import log_formats
from kestrel.graph.steps import Source, TimeRange
from kestrel.ingest import addresses, cache, clocks, flows, further, identity
from kestrel.ingest.account import Account, count_events_only
from kestrel.ingest.database import insert, lock, path_literal
from kestrel.ingest.file_states import state_of
from kestrel.ingest.lines import weight
from kestrel.ingest.observations import Events
from kestrel.ingest.reader import Reader, _insert, _widen
from kestrel.ingest.sql import quoted_name
from kestrel.model.layout import PROCESSES, layout
from kestrel.scratch import prefix
from kestrel.version import __version__

LARGE = 256 << 20
"""Files of more bytes than this together are first read for the columns that are asked for; packed ones count tenfold."""

LARGE_FETCH = 32 << 20
"""The same of what was fetched: it is read once more by this session alone, and from no cache."""

AskCreations = Callable[[Source, Sequence[str], TimeRange], list[str]]
"""Brings files with the creation records of processes, by their unique ids, from before a time."""


@dataclass
class Dataset:
    """Resolved records under a name of their own in the session's database."""

    name: str
    sources: tuple[Source, ...]
    events: Events
    account: Account
    key: str
    cached: bool
    span: TimeRange | None = None
    """The time range that records of live sources are of."""
    snapshot: str | None = None
    """The name of the snapshot file of these records; None if a file changed while it was read."""

    @property
    def is_live(self) -> bool:
        """Whether some of the records come from a live source."""
        return any(s.place for s in self.sources)


def key_of(sources: Sequence[Source], span: TimeRange | None = None) -> str:
    """Equal for equal records: log files by their reading, live sources by what was fetched, and the time range."""
    digest = hashlib.sha256()
    if any(s.place for s in sources):
        digest.update(repr((sorted(s.place for s in sources), span)).encode())
    for source in sorted(sources, key=lambda s: (s.files, s.log_format or "", s.reading)):
        for name in source.files:
            fetched = os.stat(name) if source.place else None
            state = [fetched.st_size, fetched.st_mtime_ns] if fetched else source.reading
            digest.update(json.dumps([os.path.realpath(name), state, source.log_format, source.clock]).encode())
    return digest.hexdigest()[:40]


def fingerprint(sources: Sequence[Source]) -> str:
    """Equal for the same unchanged log files, read by the same version: the name of their snapshot file."""
    digest = hashlib.sha256(f"{__version__} {duckdb.__version__} {_vocabulary()}".encode())
    for source in sorted(sources, key=lambda s: (s.files, s.log_format or "")):
        for name in source.files:
            digest.update(json.dumps([os.path.realpath(name), state_of(name), source.log_format, source.clock]).encode())
    return digest.hexdigest()[:40]


@functools.cache
def _vocabulary() -> str:
    """A digest of everything that decides what is read out of a record."""
    digest = hashlib.sha256(definitions_digest().encode())
    for folder in ("formats", "formats/definitions", "formats/readers", "ingest", "model", "stix"):
        for part in sorted((resources.files("kestrel") / folder).iterdir(), key=lambda p: p.name):
            if part.name.endswith((".yaml", ".py")):
                digest.update(part.read_bytes())
    return digest.hexdigest()


def size_of(sources: Sequence[Source]) -> int:
    """Bytes of the files, those of packed ones taken tenfold."""
    return sum(weight(Path(f)) for s in sources for f in s.files)


def open_dataset(
    con: duckdb.DuckDBPyConnection,
    name: str,
    sources: Sequence[Source],
    span: TimeRange | None,
    folder: Path | None,
    wanted: frozenset[str] | None = None,
    begun: Callable[[Path], None] = lambda _: None,
    ask: AskCreations | None = None,
    repeated: bool = False,
) -> Dataset:
    """Attach the records of the sources as `name`: from the cache, or read now. `wanted`: the columns that are enough
    where the files are large; None for all. `span`: the time range of the records of live sources; `ask`: for what brings creations
    from before it. `repeated`: a record may have been fetched more than once."""
    live = any(s.place for s in sources)
    name_in_cache = None if live else fingerprint(sources)
    if folder and name_in_cache and (found := attach(con, name, sources, span, folder / f"{name_in_cache}.duckdb")):
        return found
    if size_of(sources) <= (LARGE_FETCH if live else LARGE):
        wanted = None
    con.execute(f"ATTACH ':memory:' AS {name}")
    with tempfile.TemporaryDirectory(prefix=prefix()) as scratch:
        _build(con, name, sources, Path(scratch), wanted, begun, span, ask, repeated)
    found = _described(con, name, sources, span, cached=False)
    found.snapshot = name_in_cache if name_in_cache and fingerprint(sources) == name_in_cache else None
    return found


def attach(con: duckdb.DuckDBPyConnection, name: str, sources: Sequence[Source], span: TimeRange | None, file: Path) -> Dataset | None:
    """The records of a snapshot file, attached as `name`; None if there is no usable one."""
    if not cache.attach(con, file, name):
        return None
    found = _described(con, name, sources, span, cached=True)
    found.snapshot = file.stem
    return found


class FilesChanged(Exception):
    """A snapshot cannot be written: its files have changed."""


def write_cache(sources: Sequence[Source], folder: Path, expected: str | None = None) -> Path:
    """Read the sources straight into their snapshot file, with bounded memory: under a temporary name, then renamed, so that
    an incomplete file is never read. `expected`: the fingerprint the files must have. Raises FilesChanged."""
    key = fingerprint(sources)
    if expected not in (None, key):
        raise FilesChanged
    target = folder / f"{key}.duckdb"
    with cache.replacing(target) as part, duckdb.connect() as con:
        configure(con)
        con.execute("SET memory_limit = '1GB'")
        lock(con, part.parent)
        con.execute(f"ATTACH {path_literal(part)} AS part")
        _build(con, "part", sources, part.parent)
        cache.seal(con, "part")
        con.execute("DETACH part")
        if fingerprint(sources) != key:
            raise FilesChanged
    return target


def configure(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = false")
    con.execute("SET checkpoint_threshold = '1TB'")  # what is in memory is written nowhere; a checkpoint of it takes 0.5 s of 5
    with contextlib.suppress(duckdb.InvalidInputException):  # in a notebook DuckDB needs ipywidgets for this; without it progress is unknown
        con.execute("SET enable_progress_bar = true")
        con.execute("SET enable_progress_bar_print = false")


def keep(con: duckdb.DuckDBPyConnection, dataset: Dataset, folder: Path) -> None:
    """Write the records to the cache: under a temporary name, then renamed, so that no half file is ever read."""
    assert dataset.snapshot is not None, "files that changed while they were read have no snapshot"
    with cache.replacing(folder / f"{dataset.snapshot}.duckdb") as part:
        try:
            con.execute(f"ATTACH {path_literal(part)} AS kept")
            con.execute(f"COPY FROM DATABASE {dataset.name} TO kept")
            cache.seal(con, "kept")
        finally:
            con.execute("DETACH DATABASE IF EXISTS kept")
    dataset.cached = True


def _described(con: duckdb.DuckDBPyConnection, name: str, sources: Sequence[Source], span: TimeRange | None, cached: bool) -> Dataset:
    text = con.execute(f"SELECT account FROM {name}.account").fetchone()
    account = Account(**(json.loads(text[0]) if text else {}))
    return Dataset(name, tuple(sources), _events(con, name, f"{name}.events", account), account, key_of(sources, span), cached, span)


def _events(con: duckdb.DuckDBPyConnection, database: str, table: str, account: Account) -> Events:
    """The table of records of a database, its columns, and those that were not read from the files."""
    rows = con.execute("SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND table_name = 'events'", [database]).fetchall()
    columns = frozenset(r[0] for r in rows)
    in_files = frozenset().union(*(log_formats()[name].columns() for name in account.log_formats))
    return Events(table, columns, in_files - columns, further.stored(con, database))


def _build(
    con: duckdb.DuckDBPyConnection,
    name: str,
    sources: Sequence[Source],
    scratch: Path,
    wanted: frozenset[str] | None = None,
    begun: Callable[[Path], None] = lambda _: None,
    span: TimeRange | None = None,
    ask: AskCreations | None = None,
    repeated: bool = False,
) -> None:
    """Read and resolve the sources into the attached database `name`."""
    con.execute(f"USE {name}")
    try:
        files: list[tuple[Path, Source]] = []
        seen: set[str] = set()
        for source in sources:
            for file in source.files:
                if (real := os.path.realpath(file)) not in seen:
                    seen.add(real)
                    files.append((Path(file), source))
        live = {number for number, (f, _) in enumerate(files) if any(s.place and str(f) in s.files for s in sources)}
        _create_files(con, files, live)
        account = Account()
        reader = Reader(con, scratch, wanted, begun, account)
        for log_format, group in groupby(files, key=lambda f: f[1].log_format):
            reader.read([path for path, _ in group], log_formats()[log_format] if log_format else None)
        if live and span and ask:
            live |= _fetch_creations(con, sources, files, span, reader, ask)
        reader.finish()
        identity.unite_hosts(con)
        account.duplicates = _deduplicate(con)
        account.kept -= account.duplicates
        if repeated:
            account.read, account.duplicates = account.read - account.duplicates, 0
        known = {number: source.clock for number, (_, source) in enumerate(files) if source.clock}
        account.clocks = {str(files[src][0]): offsets for src, offsets in clocks.correct(con, known).items() if src < len(files)}
        con.execute("UPDATE events SET t = NULL WHERE t < TIMESTAMP '0001-01-01' OR t > TIMESTAMP '9999-12-31 23:59:59.999999'")
        if live and span:
            outside = _keep_to(con, span, live)
            account.read, account.kept = account.read - outside, account.kept - outside
        _resolve(con, addresses.normalise(con), account)
        count_events_only(con, _events(con, name, "events", account), account)
        _write_account(con, account)
    finally:
        con.execute("USE memory")


def _create_files(con: duckdb.DuckDBPyConnection, files: Sequence[tuple[Path, Source]], fetched: Collection[int]) -> None:
    """The table `files`: for each file number in the records, the file, its log format, and its state before it was read."""
    con.execute("CREATE TABLE files (src UINTEGER, path VARCHAR, log_format VARCHAR, state VARCHAR)")
    named = [(n, str(file).encode("utf-8", "replace").decode("utf-8"), file, source.log_format) for n, (file, source) in enumerate(files)]
    rows = [[n, name, log_format, None if n in fetched else state_of(str(file))] for n, name, file, log_format in named]
    if rows:
        insert(con, "files", list(zip(("UINTEGER", "VARCHAR", "VARCHAR", "VARCHAR"), zip(*rows, strict=True), strict=True)))


def _resolve(con: duckdb.DuckDBPyConnection, respelt: Collection[str], account: Account) -> None:
    """Resolve entities over all records. `respelt`: address columns that were changed since they were read."""
    listed = _set_aside(con)
    found = identity.resolve(con)
    account.shared_ids, account.name_only = found.shared_ids, found.name_only
    if listed:
        _put_back(con)
    addresses.device_paths(con)
    flows.resolve(con, respelt)
    addresses.accounts(con)
    _join_scripts(con)
    further.collect(con)


def _join_scripts(con: duckdb.DuckDBPyConnection) -> None:
    """Give the first record of a PowerShell script block the text of all its records. It loses its number, so that this is done once."""
    if not addresses.has_column(con, "event.script_number"):
        return
    columns = 'host, "event.x_script_id" AS id, "event.script_number" AS number, "event.x_script" AS text'
    parts = f'SELECT DISTINCT ON (host, id, number) {columns} FROM events WHERE "event.script_number" > 0 AND "event.x_script_id" IS NOT NULL'
    con.execute(
        "CREATE OR REPLACE TEMP TABLE scripts AS SELECT host, id, string_agg(text, '' ORDER BY number) AS text "
        f"FROM ({parts}) GROUP BY host, id HAVING count(*) > 1 AND min(number) = 1"
    )
    con.execute(
        'UPDATE events SET "event.x_script" = s.text, "event.script_number" = 0 FROM scripts s '
        'WHERE events."event.x_script_id" = s.id AND events.host IS NOT DISTINCT FROM s.host AND events."event.script_number" = 1'
    )
    con.execute("DROP TABLE scripts")


def _set_aside(con: duckdb.DuckDBPyConnection) -> bool:
    """Take the rows with the further values of lists out of the records; returns whether there are any. A process is identified by the
    first values alone, so that a record stands for one process."""
    if not addresses.has_column(con, "part"):
        return False
    further = "part > 0 AND rec IN (SELECT rec FROM events WHERE part IS NULL)"
    con.execute(f"CREATE OR REPLACE TEMP TABLE further_values AS SELECT * FROM events WHERE {further}")
    con.execute(f"DELETE FROM events WHERE {further}")
    return con.execute("SELECT count(*) > 0 FROM further_values").fetchone() == (True,)


def _put_back(con: duckdb.DuckDBPyConnection) -> None:
    """Add those rows again, with the processes of their records and what was corrected in these."""
    of_record = ["host", *(["unix"] if addresses.has_column(con, "unix") else []), *(f"{s}.id" for s in PROCESSES)]
    changed = [f'e."{c}" AS "{c}"' for c in of_record]
    changed += [f'CASE WHEN f."{s}.pid" > 0 THEN f."{s}.pid" END AS "{s}.pid"' for s in PROCESSES]
    con.execute(
        f"INSERT INTO events BY NAME SELECT f.* REPLACE ({', '.join(changed)}) FROM further_values f "
        "JOIN events e ON e.rec = f.rec AND e.part IS NULL"
    )
    con.execute("DROP TABLE further_values")


def _write_account(con: duckdb.DuckDBPyConnection, account: Account) -> None:
    con.execute("CREATE TABLE account AS SELECT ? AS account", [json.dumps(asdict(account))])


@dataclass(frozen=True)
class Part:
    """Records of a dataset to be copied into another: those of some files, or all."""

    dataset: Dataset
    files: frozenset[str] | None = None


RESOLVED = (*(f"{s}.id" for s in PROCESSES), "network.id")
"""Columns filled by identity resolution."""


def combine(con: duckdb.DuckDBPyConnection, name: str, sources: Sequence[Source], span: TimeRange | None, parts: Sequence[Part]) -> Dataset:
    """The records of several datasets together, attached as `name`: as if their files had been read together, but without reading them. A
    column that one of them did not read counts as not read."""
    con.execute(f"ATTACH ':memory:' AS {name}")
    con.execute(f"USE {name}")
    try:
        account = Account(log_formats={log_format: 0 for p in parts for log_format in p.dataset.account.log_formats})
        Reader(con, Path(), None, lambda _: None, account).finish()
        con.execute("CREATE TABLE files (src UINTEGER, path VARCHAR, log_format VARCHAR, state VARCHAR)")
        unread = frozenset().union(*(p.dataset.events.unread for p in parts))
        _widen(con, frozenset().union(*(p.dataset.events.columns for p in parts)) - unread)
        first = 0
        for part in parts:
            first = _take(con, part, unread, first)
        identity.unite_hosts(con)
        _deduplicate(con)
        _resolve(con, (), account)
        _write_account(con, Account(log_formats=account.log_formats))
    finally:
        con.execute("USE memory")
    return _described(con, name, sources, span, cached=True)


def _take(con: duckdb.DuckDBPyConnection, part: Part, unread: Collection[str], first: int) -> int:
    """Add records as they were before they were resolved, without columns that others lack, their files numbered from `first`; the
    next number."""
    old = part.dataset.name
    kept = sorted(part.dataset.events.columns - {"src", *RESOLVED, *unread})
    chosen = ""
    if part.files is not None:
        numbers = con.execute(f"SELECT src FROM {old}.files WHERE path IN (SELECT unnest(?::VARCHAR[]))", [sorted(part.files)]).fetchall()
        chosen = f" WHERE src IN ({', '.join(str(n) for (n,) in numbers) or 'NULL'})"
    columns = ", ".join(quoted_name(c) for c in kept)
    _insert(con, f"SELECT {columns}, src + {first}::UINTEGER AS src FROM {old}.events{chosen}")
    con.execute(f"INSERT INTO files SELECT src + {first}::UINTEGER, path, log_format, state FROM {old}.files{chosen}")
    row = con.execute(f"SELECT coalesce(max(src), 0) + 1 FROM (SELECT src FROM {old}.events UNION ALL SELECT src FROM {old}.files)").fetchone()
    return first + int(row[0]) if row else first


def _fetch_creations(
    con: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    files: Sequence[tuple[Path, Source]],
    span: TimeRange,
    reader: Reader,
    ask: AskCreations,
) -> set[int]:
    """Read the creation records, from before the span, of processes that the records tell of by their unique id; the numbers of
    the files with them."""
    created = layout().kind("process-create")
    provided: set[int] = set()
    for source in sources:
        numbers = [str(n) for n, (f, _) in enumerate(files) if source.place and str(f) in source.files]
        if not numbers:
            continue
        own = f"src IN ({', '.join(numbers)})"
        stated = " UNION ".join(f'SELECT "{s}.x_unique_id" AS id FROM events WHERE {own}' for s in PROCESSES)
        known = f'SELECT "process.x_unique_id" FROM events WHERE {own} AND kind = {created} AND "process.x_unique_id" IS NOT NULL'
        ids = [r[0] for r in con.execute(f"SELECT id FROM ({stated}) WHERE id IS NOT NULL AND id NOT IN ({known}) ORDER BY id").fetchall()]
        provided.update(reader.read([Path(f) for f in ask(source, ids, span)], None))
    return provided


def _keep_to(con: duckdb.DuckDBPyConnection, span: TimeRange, live: Collection[int]) -> int:
    """Drop what live sources brought from outside the span, but for the creations of processes that appear in it; the number of
    records dropped."""
    start, stop = (f"TIMESTAMP '{m.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'" for m in (span.start, span.stop))
    own = f"src IN ({', '.join(map(str, sorted(live)))})"
    within = f"t >= {start} AND t < {stop}"
    stated = " UNION ".join(f'SELECT "{s}.x_unique_id" FROM events WHERE {own} AND {within} AND "{s}.x_unique_id" IS NOT NULL' for s in PROCESSES)
    creation = f'kind = {layout().kind("process-create")} AND t < {start} AND "process.x_unique_id" IN ({stated})'
    row = con.execute(f"SELECT count(DISTINCT rec) FROM events WHERE {own} AND (({within}) OR ({creation})) IS NOT true").fetchone()
    con.execute(f"DELETE FROM events WHERE {own} AND (({within}) OR ({creation})) IS NOT true")
    return int(row[0]) if row else 0


def _deduplicate(con: duckdb.DuckDBPyConnection) -> int:
    """Drop all but one record of each key, and of its rows all but one of each part; the number of records dropped."""
    part = "coalesce(part, 0)" if addresses.has_column(con, "part") else "CAST(0 AS UINTEGER)"
    con.execute(f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT rec FROM events GROUP BY rec, {part} HAVING count(*) > 1")
    if con.execute("SELECT count(*) FROM repeated").fetchone() == (0,):
        return 0
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT rec, {part} AS place, min(rowid) AS first FROM events SEMI JOIN repeated USING (rec) "
        f"GROUP BY rec, {part}"
    )
    same = f"events.rec = r.rec AND {part} = r.place AND events.rowid <> r.first"
    dropped = con.execute(f"SELECT count(*) FROM events JOIN repeated r ON {same} WHERE r.place = 0").fetchone()
    con.execute(f"DELETE FROM events USING repeated r WHERE {same}")
    con.execute("DROP TABLE repeated")
    return int(dropped[0]) if dropped else 0
