"""The records of a set of files: read once, resolved once, kept in a cache file for the next session."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path

import duckdb

from kestrel.graph.steps import Source, TimeRange
from kestrel.schemas.layout import layout
from kestrel.schemas.shape import shapes
from kestrel.store import addresses, clocks, identity
from kestrel.store.database import lock, path_literal
from kestrel.store.lines import weight
from kestrel.store.mentions import Events
from kestrel.store.scan import Account, Reader
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

    @property
    def is_live(self) -> bool:
        """Whether some of the records come from a live source."""
        return any(s.place for s in self.sources)


def fingerprint(sources: Sequence[Source], span: TimeRange | None = None) -> str:
    """The same for the same files, unchanged, read by the same version: their paths, sizes and times of change. Live sources: what was
    fetched of them, and the time range."""
    digest = hashlib.sha256(f"{__version__} {duckdb.__version__} {_vocabulary()}".encode())
    if any(s.place for s in sources):
        digest.update(repr((sorted(s.place for s in sources), span)).encode())
    for source in sorted(sources, key=lambda s: (s.files, s.shape or "")):
        for name in source.files:
            status = os.stat(name)
            digest.update(json.dumps([os.path.realpath(name), status.st_size, status.st_mtime_ns, source.shape]).encode())
    return digest.hexdigest()[:40]


@cache
def _vocabulary() -> str:
    """A digest of everything that decides what is read out of a record."""
    digest = hashlib.sha256()
    for package in ("kestrel.schemas", "kestrel.model", "kestrel.store"):
        for part in sorted(resources.files(package).iterdir(), key=lambda p: p.name):
            if part.name.endswith((".yaml", ".py")):
                digest.update(part.read_bytes())
    for shape in sorted((resources.files("kestrel.schemas") / "shapes").iterdir(), key=lambda p: p.name):
        digest.update(shape.read_bytes())
    return digest.hexdigest()


def size_of(sources: Sequence[Source]) -> int:
    """Bytes of the files, those of packed ones taken tenfold."""
    return sum(weight(Path(f)) for s in sources for f in s.files)


def open_dataset(
    con: duckdb.DuckDBPyConnection,
    name: str,
    sources: Sequence[Source],
    span: TimeRange | None,
    cache: Path | None,
    wanted: frozenset[str] | None = None,
    begun: Callable[[Path], None] = lambda _: None,
    ask: AskCreations | None = None,
    repeated: bool = False,
) -> Dataset:
    """Attach the records of the sources as `name`: from the cache, or read now. `wanted`: the columns that are enough
    where the files are large; None for all. `span`: the time range of the records of live sources; `ask`: for what brings creations
    from before it. `repeated`: a record may have been fetched more than once."""
    key = fingerprint(sources, span)
    kept = cache / f"{key}.duckdb" if cache else None
    if kept and kept.exists():
        try:
            con.execute(f"ATTACH {path_literal(kept)} AS {name} (READ_ONLY)")
            return _described(con, name, sources, span, key, cached=True)
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            kept.unlink(missing_ok=True)
    if size_of(sources) <= (LARGE_FETCH if any(s.place for s in sources) else LARGE):
        wanted = None
    con.execute(f"ATTACH ':memory:' AS {name}")
    with tempfile.TemporaryDirectory(prefix="kestrel-") as scratch:
        _build(con, name, sources, Path(scratch), wanted, begun, span, ask, repeated)
    return _described(con, name, sources, span, key, cached=False)


def write_cache(sources: Sequence[Source], cache: Path) -> Path:
    """Read the sources straight into their cache file, with bounded memory: under a temporary name, then renamed, so that
    no half file is ever read."""
    key = fingerprint(sources)
    target = cache / f"{key}.duckdb"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kestrel-", dir=cache) as scratch, duckdb.connect() as con:
        configure(con)
        part = Path(scratch) / "part.duckdb"
        con.execute("SET memory_limit = '1GB'")
        lock(con, Path(scratch))
        con.execute(f"ATTACH {path_literal(part)} AS part")
        _build(con, "part", sources, Path(scratch))
        con.execute("DETACH part")
        os.replace(part, target)
    return target


def configure(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = false")
    con.execute("SET enable_progress_bar = true")
    con.execute("SET enable_progress_bar_print = false")


def keep(con: duckdb.DuckDBPyConnection, dataset: Dataset, cache: Path) -> None:
    """Write the records to the cache: under a temporary name, then renamed, so that no half file is ever read."""
    cache.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f"{dataset.key}.", suffix=".part", dir=cache)
    os.close(handle)
    os.unlink(temporary)
    try:
        con.execute(f"ATTACH {path_literal(temporary)} AS kept")
        con.execute(f"COPY FROM DATABASE {dataset.name} TO kept")
        con.execute("DETACH kept")
        os.replace(temporary, cache / f"{dataset.key}.duckdb")
    except (duckdb.Error, OSError):
        con.execute("DETACH DATABASE IF EXISTS kept")
        Path(temporary).unlink(missing_ok=True)
        raise
    dataset.cached = True


def _described(con: duckdb.DuckDBPyConnection, name: str, sources: Sequence[Source], span: TimeRange | None, key: str, cached: bool) -> Dataset:
    rows = con.execute("SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND table_name = 'events'", [name]).fetchall()
    text = con.execute(f"SELECT account FROM {name}.account").fetchone()
    fields = json.loads(text[0]) if text else {}
    columns = frozenset(r[0] for r in rows)
    account = Account(**fields)
    in_files = frozenset().union(*(shapes()[name].columns() for name in account.shapes))
    return Dataset(name, tuple(sources), Events(f"{name}.events", columns, in_files - columns), account, key, cached, span)


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
        files: list[tuple[Path, str | None]] = []
        seen: set[str] = set()
        for source in sources:
            for file in source.files:
                if (real := os.path.realpath(file)) not in seen:
                    seen.add(real)
                    files.append((Path(file), source.shape))
        live = {number for number, (f, _) in enumerate(files) if any(s.place and str(f) in s.files for s in sources)}
        account = Account()
        reader = Reader(con, scratch, wanted, begun, account)
        for shape, group in groupby(files, key=lambda f: f[1]):
            reader.read([path for path, _ in group], shapes()[shape] if shape else None)
        if live and span and ask:
            live |= _bring_creations(con, sources, files, span, reader, ask)
        account.duplicates = _deduplicate(con)
        account.kept -= account.duplicates
        if repeated:
            account.read, account.duplicates = account.read - account.duplicates, 0
        clocks.correct(con)
        if live and span:
            outside = _keep_to(con, span, live)
            account.read, account.kept = account.read - outside, account.kept - outside
        addresses.normalise(con)
        identity.resolve(con)
        addresses.device_paths(con)
        addresses.flows(con)
        addresses.accounts(con)
        con.execute("CREATE TABLE account AS SELECT ? AS account", [json.dumps(asdict(account))])
    finally:
        con.execute("USE memory")


PROCESSES = ("process", "parent", "target")


def _bring_creations(
    con: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    files: Sequence[tuple[Path, str | None]],
    span: TimeRange,
    reader: Reader,
    ask: AskCreations,
) -> set[int]:
    """Read the creation records, from before the span, of processes that the records tell of by their unique id; the numbers of
    the files with them."""
    created = layout().kind("process-create")
    brought: set[int] = set()
    for source in sources:
        numbers = [str(n) for n, (f, _) in enumerate(files) if source.place and str(f) in source.files]
        if not numbers:
            continue
        own = f"src IN ({', '.join(numbers)})"
        told = " UNION ".join(f'SELECT "{s}.x_unique_id" AS id FROM events WHERE {own}' for s in PROCESSES)
        known = f'SELECT "process.x_unique_id" FROM events WHERE {own} AND kind = {created} AND "process.x_unique_id" IS NOT NULL'
        ids = [r[0] for r in con.execute(f"SELECT id FROM ({told}) WHERE id IS NOT NULL AND id NOT IN ({known}) ORDER BY id").fetchall()]
        brought.update(reader.read([Path(f) for f in ask(source, ids, span)], None))
    return brought


def _keep_to(con: duckdb.DuckDBPyConnection, span: TimeRange, live: Collection[int]) -> int:
    """Drop what live sources brought from outside the span, but for the creations of processes that are told of in it; the number of
    records dropped."""
    start, stop = (f"TIMESTAMP '{m.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'" for m in (span.start, span.stop))
    own = f"src IN ({', '.join(map(str, sorted(live)))})"
    within = f"t >= {start} AND t < {stop}"
    told = " UNION ".join(f'SELECT "{s}.x_unique_id" FROM events WHERE {own} AND {within} AND "{s}.x_unique_id" IS NOT NULL' for s in PROCESSES)
    creation = f'kind = {layout().kind("process-create")} AND t < {start} AND "process.x_unique_id" IN ({told})'
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
