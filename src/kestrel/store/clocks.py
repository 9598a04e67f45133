"""When each record really was: clocks that are late, local or wrong, put right once per file.

Facts: `../shared/MEASURED.md`, section Clocks, repeated in docs/internals/identity.md.
"""

from __future__ import annotations

import duckdb

from kestrel.schemas.layout import layout
from kestrel.schemas.shape import DOUBTED, FAR


def correct(con: duckdb.DuckDBPyConnection) -> None:
    """Set `events.t` where the shape's log clock needs a correction that only the whole file can give."""
    row = con.execute('SELECT bool_or("$local" IS NOT NULL), bool_or("$printed" IS NOT NULL) FROM events').fetchone()
    local, printed = row or (False, False)
    if local:
        _apply(con, _from_receipt())
    if printed:
        _apply(con, _from_sensor())


def _apply(con: duckdb.DuckDBPyConnection, log_times: str) -> None:
    """`log_times` gives (row, kind, sensor_time, log): the corrected log time. The sensor's own clock wins, unless it is one
    that may be another and is far off."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE clock AS SELECT row, CASE WHEN sensor_time IS NULL OR (kind IN "
        f"({_doubted()}) AND abs(epoch_us(sensor_time) - epoch_us(log)) > {FAR}) THEN log ELSE sensor_time END AS t FROM ({log_times})"
    )
    con.execute("UPDATE events SET t = clock.t FROM clock WHERE events.rowid = clock.row AND clock.t IS NOT NULL")
    con.execute("DROP TABLE clock")


def _doubted() -> str:
    return ", ".join(str(layout().kind(k)) for k in DOUBTED)


def _from_receipt() -> str:
    """Local time without zone: the zone of a file and host is the least delay of receipt, to the quarter of an hour."""
    return (
        'SELECT e.rowid AS row, e.kind, e."$sensor_time" AS sensor_time, e."$local" + to_microseconds(z.zone) AS log FROM events e JOIN ('
        'SELECT src, host, CAST(round(min(epoch_us("$receipt") - epoch_us("$local")) / 900e6) * 900000000 AS BIGINT) AS zone '
        'FROM events WHERE "$local" IS NOT NULL AND "$receipt" IS NOT NULL GROUP BY ALL) z '
        'ON z.src = e.src AND z.host IS NOT DISTINCT FROM e.host WHERE e."$local" IS NOT NULL'
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
        "near AS (SELECT r.row, r.kind, r.printed, r.sensor_time, b.printed AS before, b.shift AS before_shift, a.printed AS after, "
        "a.shift AS after_shift FROM rows r "
        "ASOF LEFT JOIN sure b ON b.src = r.src AND b.host = r.host AND b.printed <= r.printed "
        "ASOF LEFT JOIN sure a ON a.src = r.src AND a.host = r.host AND a.printed >= r.printed) "
        "SELECT row, kind, sensor_time, printed + to_microseconds(CASE WHEN before IS NULL THEN after_shift WHEN after IS NULL "
        "THEN before_shift WHEN printed - before <= after - printed THEN before_shift ELSE after_shift END) AS log FROM near"
    )
