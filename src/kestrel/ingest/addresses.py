"""Identities that need all records: address spellings, device paths, accounts."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import duckdb

from kestrel.formats.transforms import canonical_address
from kestrel.ingest.database import insert
from kestrel.model.layout import layout

IPV4 = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])([.](25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}"


def normalise(con: duckdb.DuckDBPyConnection) -> list[str]:
    """One spelling for each address; invalid ones are dropped. Returns the columns of traffic ends that changed."""
    respelt = []
    for role in (s for s in layout().roles.values() if s.type == "address" and has_column(con, f"{s.name}.value")):
        column = f'"{role.name}.value"'
        each = f"unnest({column})" if role.is_list else column
        values = f"SELECT x FROM (SELECT DISTINCT {each} AS x FROM events) WHERE x IS NOT NULL AND NOT regexp_full_match(x, '{IPV4}')"
        changed = [(old, new) for (old,) in con.execute(values).fetchall() if (new := _address(old)) != old]
        if not changed:
            continue
        con.execute("CREATE OR REPLACE TEMP TABLE spelling (old VARCHAR, new VARCHAR)")
        insert(con, "spelling", [("VARCHAR", [old for old, _ in changed]), ("VARCHAR", [new for _, new in changed])])
        if role.is_list:
            spelt = f"SELECT rowid AS row, unnest({column}) AS x, generate_subscripts({column}, 1) AS place FROM events WHERE len({column}) > 0"
            con.execute(
                f"UPDATE events SET {column} = f.now FROM (SELECT row, list(CASE WHEN s.old IS NULL THEN e.x ELSE s.new END ORDER BY place) AS now "
                f"FROM ({spelt}) e LEFT JOIN spelling s ON s.old = e.x GROUP BY row) f WHERE events.rowid = f.row"
            )
        else:
            con.execute(f"UPDATE events SET {column} = s.new FROM spelling s WHERE events.{column} = s.old")
        con.execute("DROP TABLE spelling")
        if role.name.startswith("network."):
            respelt.append(column)
    return respelt


def _address(text: str) -> str | None:
    """The one spelling of an address, or None."""
    found = canonical_address(text)
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return None
    return found


def device_paths(con: duckdb.DuckDBPyConnection) -> None:
    """`\\device\\harddiskvolume2\\x` is `C:\\x` on a host where that is the one drive path that ends so, `\\SystemRoot\\x` the file of the
    Windows folder on its only drive with one, C: where none is recorded."""
    columns = [c for c in ('"process.binary.path"', '"parent.binary.path"', '"target.binary.path"', '"file.path"') if has_column(con, c)]
    _system_root(con, columns)
    devices = " UNION ".join(f"SELECT host, {c} AS path FROM events WHERE starts_with(lower({c}), '\\device\\harddiskvolume')" for c in columns)
    if not columns or con.execute(f"SELECT count(*) FROM ({devices})").fetchone() == (0,):
        return
    drives = " UNION ".join(f"SELECT host, {c} AS path FROM events WHERE {c}[2:3] = ':\\'" for c in columns)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE drives AS WITH devices AS (SELECT host, path, "
        "lower(regexp_replace(path, '(?i)^.device.harddiskvolume[0-9]+', '')) AS rest "
        f"FROM ({devices})), drives AS (SELECT host, lower(path[3:]) AS rest, path FROM ({drives})) "
        "SELECT d.host, d.path, min(p.path) AS drive FROM devices d JOIN drives p ON p.host = d.host AND p.rest = d.rest "
        "GROUP BY ALL HAVING count(DISTINCT lower(p.path)) = 1"
    )
    for column in columns:
        con.execute(f"UPDATE events SET {column} = d.drive FROM drives d WHERE events.host = d.host AND events.{column} = d.path")
    con.execute("DROP TABLE drives")


def _system_root(con: duckdb.DuckDBPyConnection, columns: Sequence[str]) -> None:
    rooted = [c for c in columns if con.execute(f"SELECT 1 FROM events WHERE starts_with(lower({c}), '\\systemroot\\') LIMIT 1").fetchone()]
    if not rooted:
        return
    folders = " UNION ".join(f"SELECT host, upper({c}[1]) AS drive FROM events WHERE lower({c}[2:20]) = ':\\windows\\system32\\'" for c in columns)
    con.execute(f"CREATE OR REPLACE TEMP TABLE roots AS SELECT host, min(drive) AS drive, count(*) AS number FROM ({folders}) GROUP BY host")
    for column in rooted:
        con.execute(
            f"UPDATE events SET {column} = f.drive || ':\\Windows' || {column}[12:] FROM (SELECT e.rowid AS row, coalesce(r.drive, 'C') AS drive "
            f"FROM events e LEFT JOIN roots r ON r.host = e.host WHERE starts_with(lower(e.{column}), '\\systemroot\\') "
            "AND coalesce(r.number, 1) = 1) f WHERE events.rowid = f.row"
        )
    con.execute("DROP TABLE roots")


def accounts(con: duckdb.DuckDBPyConnection) -> None:
    """`accounts`: the SID of a login, where the records that name both agree."""
    con.execute("CREATE TABLE accounts (login VARCHAR, sid VARCHAR)")
    pairs = [s for s in ("user", "account") if has_column(con, f"{s}.login") and has_column(con, f"{s}.sid")]
    if not pairs:
        return
    both = " UNION ALL ".join(
        f'SELECT lower("{s}.login") AS login, "{s}.sid" AS sid FROM events WHERE "{s}.login" IS NOT NULL AND "{s}.sid" IS NOT NULL' for s in pairs
    )
    con.execute(f"INSERT INTO accounts SELECT login, any_value(sid) FROM ({both}) GROUP BY login HAVING count(DISTINCT sid) = 1")


def has_column(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether `events` has a column, whose name may be in double quotes."""
    row = con.execute(
        "SELECT count(*) FROM duckdb_columns() WHERE table_name = 'events' AND column_name = ? AND database_name = current_database()",
        [name.strip('"')],
    ).fetchone()
    return row != (0,)
