"""When each record really was: clocks that are late, local or wrong, put right once per file.

Facts: `../shared/MEASURED.md`, section Clocks, repeated in docs/internals/identity.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from kestrel.formats.format import log_formats
from kestrel.formats.reading import FAR
from kestrel.model.layout import layout


def correct(con: duckdb.DuckDBPyConnection, known: Mapping[int, str]) -> dict[int, list[str]]:
    """Set `events.t` where the log format's clock needs a correction that depends on the whole file. `known`: UTC offsets (`-04:00`) by
    file number, as configured. Returns those that were found."""
    row = con.execute('SELECT bool_or("$local" IS NOT NULL), bool_or("$printed" IS NOT NULL) FROM events').fetchone()
    local, printed = row or (False, False)
    con.execute("CREATE OR REPLACE TEMP TABLE known_clocks (src UINTEGER, shift BIGINT)")
    if known:
        con.executemany("INSERT INTO known_clocks VALUES (?, ?)", [(src, _shift(offset)) for src, offset in known.items()])
    offsets: dict[int, list[str]] = {}
    for log_times in [*([_from_receipt()] if local else []), *([_from_sensor()] if printed else [])]:
        for src, offset in _apply(con, log_times):
            if offset not in offsets.setdefault(src, []):
                offsets[src].append(offset)
    con.execute("DROP TABLE known_clocks")
    return offsets


def _shift(offset: str) -> int:
    """The correction to add to a local time, in microseconds."""
    minutes = int(offset[1:3]) * 60 + int(offset[4:6])
    return (-minutes if offset[0] == "+" else minutes) * 60_000_000


def _apply(con: duckdb.DuckDBPyConnection, log_times: str) -> list[tuple[int, str]]:
    """`log_times` gives (row, src, kind, sensor_time, log, shift): the corrected log time, and the correction in microseconds. The
    sensor's own clock takes precedence, unless it may be a different clock and is far off. Returns the files with offsets other than 0."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE clock AS SELECT row, src, shift, CASE WHEN sensor_time IS NULL OR (kind IN "
        f"({_doubted()}) AND abs(epoch_us(sensor_time) - epoch_us(log)) > {FAR}) THEN log ELSE sensor_time END AS t FROM ({log_times})"
    )
    con.execute("UPDATE events SET t = clock.t FROM clock WHERE events.rowid = clock.row AND clock.t IS NOT NULL")
    shifts = con.execute("SELECT src, -shift FROM clock WHERE shift <> 0 GROUP BY ALL ORDER BY src, count(*) DESC").fetchall()
    con.execute("DROP TABLE clock")
    return [(src, f"{'-' if shift < 0 else '+'}{abs(shift) // 3_600_000_000:02}:{abs(shift) // 60_000_000 % 60:02}") for src, shift in shifts]


def _doubted() -> str:
    return ", ".join(str(layout().kind(k)) for k in dict.fromkeys(k for f in log_formats().values() for k in f.doubted))


def _from_receipt() -> str:
    """Local time without zone: the zone of a file and host is the least delay of receipt, to the quarter of an hour."""
    return (
        'SELECT e.rowid AS row, e.src, e.kind, e."$sensor_time" AS sensor_time, '
        'e."$local" + to_microseconds(coalesce(k.shift, z.zone)) AS log, coalesce(k.shift, z.zone) AS shift '
        "FROM events e LEFT JOIN known_clocks k ON k.src = e.src LEFT JOIN ("
        'SELECT src, host, CAST(round(min(epoch_us("$receipt") - epoch_us("$local")) / 900e6) * 900000000 AS BIGINT) AS zone '
        'FROM events WHERE "$local" IS NOT NULL AND "$receipt" IS NOT NULL GROUP BY ALL) z '
        'ON z.src = e.src AND z.host IS NOT DISTINCT FROM e.host WHERE e."$local" IS NOT NULL AND coalesce(k.shift, z.zone) IS NOT NULL'
    )


def _from_sensor() -> str:
    """Local time said to be UTC: the offset is that of the nearest record, by printed time, whose sensor has a clock of
    its own (Sysmon's network and DNS events excepted: theirs may be another clock)."""
    return (
        'WITH sure AS (SELECT src, host, "$printed" AS printed, '
        'CAST(round((epoch_us("$sensor_time") - epoch_us("$printed")) / 900e6) * 900000000 AS BIGINT) AS shift FROM events '
        'WHERE "$sensor_time" IS NOT NULL AND "$printed" IS NOT NULL AND "$local" IS NULL '
        f"AND kind NOT IN ({_doubted()})), "
        'rows AS (SELECT rowid AS row, kind, src, host, "$printed" AS printed, "$sensor_time" AS sensor_time FROM events '
        'WHERE "$printed" IS NOT NULL AND "$local" IS NULL), '
        "near AS (SELECT r.row, r.src, r.kind, r.printed, r.sensor_time, b.printed AS before, b.shift AS before_shift, a.printed AS after, "
        "a.shift AS after_shift FROM rows r "
        "ASOF LEFT JOIN sure b ON b.src = r.src AND b.host = r.host AND b.printed <= r.printed "
        "ASOF LEFT JOIN sure a ON a.src = r.src AND a.host = r.host AND a.printed >= r.printed) "
        "SELECT row, src, kind, sensor_time, printed + to_microseconds(shift) AS log, shift FROM "
        "(SELECT near.*, CASE WHEN k.shift IS NOT NULL THEN k.shift WHEN before IS NULL THEN after_shift WHEN after IS NULL THEN before_shift "
        "WHEN printed - before <= after - printed THEN before_shift ELSE after_shift END AS shift "
        "FROM near LEFT JOIN known_clocks k ON k.src = near.src)"
    )
