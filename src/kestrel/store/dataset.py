"""The records of a set of files: read once, resolved once, kept in a cache file for the next session."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import duckdb

from kestrel.graph.steps import Source
from kestrel.schemas.shape import shapes
from kestrel.schemas.transforms import quoted
from kestrel.store import addresses, clocks, identity
from kestrel.store.mentions import Events
from kestrel.store.scan import Account, read_files
from kestrel.version import __version__

LARGE = 256 << 20
"""Files of more bytes than this together are first read for the columns that are asked for; packed ones count tenfold."""


@dataclass
class Dataset:
    """Resolved records under a name of their own in the session's database."""

    name: str
    sources: tuple[Source, ...]
    events: Events
    account: Account
    key: str
    cached: bool


def fingerprint(sources: Sequence[Source]) -> str:
    """The same for the same files, unchanged, read by the same version: their paths, sizes and times of change."""
    digest = hashlib.sha256(f"{__version__} {duckdb.__version__} {_vocabulary()}".encode())
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


def weight(file: Path) -> int:
    return file.stat().st_size * (10 if file.suffix in (".gz", ".zst", ".zip") else 1)


def open_dataset(
    con: duckdb.DuckDBPyConnection,
    name: str,
    sources: Sequence[Source],
    cache: Path | None,
    wanted: frozenset[str] | None = None,
    begun: Callable[[Path], None] = lambda _: None,
) -> Dataset:
    """Attach the records of the sources as `name`: from the cache, or read now. `wanted`: the columns that are enough
    where the files are large; None for all."""
    key = fingerprint(sources)
    kept = cache / f"{key}.duckdb" if cache else None
    if kept and kept.exists():
        try:
            con.execute(f"ATTACH {quoted(str(kept))} AS {name} (READ_ONLY)")
            return _described(con, name, sources, key, cached=True)
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            kept.unlink(missing_ok=True)
    if size_of(sources) <= LARGE:
        wanted = None
    con.execute(f"ATTACH ':memory:' AS {name}")
    with tempfile.TemporaryDirectory(prefix="kestrel-") as scratch:
        _build(con, name, sources, Path(scratch), wanted, begun)
    return _described(con, name, sources, key, cached=False)


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
        con.execute(f"ATTACH {quoted(str(part))} AS part")
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
        con.execute(f"ATTACH {quoted(temporary)} AS kept")
        con.execute(f"COPY FROM DATABASE {dataset.name} TO kept")
        con.execute("DETACH kept")
        os.replace(temporary, cache / f"{dataset.key}.duckdb")
    except (duckdb.Error, OSError):
        con.execute("DETACH DATABASE IF EXISTS kept")
        Path(temporary).unlink(missing_ok=True)
        raise
    dataset.cached = True


def _described(con: duckdb.DuckDBPyConnection, name: str, sources: Sequence[Source], key: str, cached: bool) -> Dataset:
    rows = con.execute("SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND table_name = 'events'", [name]).fetchall()
    text = con.execute(f"SELECT account FROM {name}.account").fetchone()
    fields = json.loads(text[0]) if text else {}
    columns = frozenset(r[0] for r in rows)
    account = Account(**fields)
    in_files = frozenset().union(*(shapes()[name].columns() for name in account.shapes))
    return Dataset(name, tuple(sources), Events(f"{name}.events", columns, in_files - columns), account, key, cached)


def _build(
    con: duckdb.DuckDBPyConnection,
    name: str,
    sources: Sequence[Source],
    scratch: Path,
    wanted: frozenset[str] | None = None,
    begun: Callable[[Path], None] = lambda _: None,
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
        account = read_files(con, [(f, shapes()[s] if s else None) for f, s in files], scratch, wanted, begun)
        account.duplicates = _deduplicate(con)
        account.kept -= account.duplicates
        clocks.correct(con)
        addresses.normalise(con)
        identity.resolve(con)
        addresses.device_paths(con)
        addresses.flows(con)
        addresses.accounts(con)
        con.execute("CREATE TABLE account AS SELECT ? AS account", [json.dumps(asdict(account))])
    finally:
        con.execute("USE memory")


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
