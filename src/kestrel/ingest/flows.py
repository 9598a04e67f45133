"""Which records belong to one conversation, and which of its ends began it."""

from __future__ import annotations

from collections.abc import Collection

import duckdb

from kestrel.formats.format import sensor_numbers, sensors
from kestrel.ingest.addresses import has_column

EPISODE = 3_600_000_000
"""A flow without a record for longer than this, in microseconds, counts as a new one when it reappears."""
FLOW = ("network.protocols", "network.src.value", "network.src_port", "network.dst.value", "network.dst_port")


def flow_id(outcome: bool) -> str:
    """SQL of the protocol and the unordered pair of address and port, as one number; one address may be unknown. `outcome`: whether
    the records include blocked traffic, which is never merged with permitted traffic."""
    src, sp, dst, dp = '"network.src.value"', 'coalesce("network.src_port", -1)', '"network.dst.value"', 'coalesce("network.dst_port", -1)'
    protocol = "coalesce(\"network.protocols\", '')"
    if outcome:
        protocol = f"CASE WHEN \"network.x_outcome\" = 'blocked' THEN 'blocked ' || {protocol} ELSE {protocol} END"
    return (
        f"CASE WHEN {src} IS NULL AND {dst} IS NULL THEN NULL WHEN {src} < {dst} OR {src} IS NULL OR ({src} = {dst} AND {sp} <= {dp}) "
        f"THEN hash({protocol}, {src}, {sp}, {dst}, {dp}) ELSE hash({protocol}, {dst}, {dp}, {src}, {sp}) END"
    )


def resolve(con: duckdb.DuckDBPyConnection, respelt: Collection[str]) -> None:
    """Make `network.id` distinguish episodes of one pair, and give all records of a flow the end that began it as their source. `respelt`:
    the columns in which the spelling of some addresses changed after the ids were made."""
    if not all(has_column(con, c) for c in FLOW):
        return
    if respelt:
        con.execute(f'UPDATE events SET "network.id" = {flow_id(has_column(con, "network.x_outcome"))}')
    known = _Evidence(has_column(con, "network.x_direction"))
    con.execute(
        f'CREATE OR REPLACE TEMP TABLE several AS SELECT "network.id" AS id, epoch_us(max(t)) - epoch_us(min(t)) > {EPISODE} AS is_long, '
        f"min({LESSER}) <> max({LESSER}) OR bool_or({known.told} IS NULL AND {BY_PORT} = false) AS is_turned "
        'FROM events WHERE "network.id" IS NOT NULL GROUP BY ALL HAVING is_long OR is_turned'
    )
    long, turned = con.execute("SELECT bool_or(is_long), bool_or(is_turned) FROM several").fetchone() or (None, None)
    if turned:
        con.execute(
            'CREATE OR REPLACE TEMP TABLE ends AS SELECT rowid AS row FROM events WHERE "network.id" IN (SELECT id FROM several WHERE is_turned)'
        )
    if long:
        _episodes(con)
    if turned:
        _orient(con, known)
    con.execute("DROP TABLE several")


def _episodes(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "CREATE OR REPLACE TEMP TABLE later AS WITH seen AS ("
        'SELECT e.rowid AS row, e."network.id" AS id, t, '
        f"CASE WHEN epoch_us(t) - epoch_us(lag(t) OVER w) > {EPISODE} THEN 1 ELSE 0 END AS turn FROM events e "
        'SEMI JOIN (SELECT id FROM several WHERE is_long) long ON long.id = e."network.id" WINDOW w AS (PARTITION BY e."network.id" ORDER BY t)), '
        "numbered AS (SELECT row, id, t, sum(turn) OVER (PARTITION BY id ORDER BY t ROWS UNBOUNDED PRECEDING) AS episode FROM seen) "
        "SELECT row, hash(id, min(t) OVER (PARTITION BY id, episode)) AS id FROM numbered WHERE episode > 0"
    )
    con.execute('UPDATE events SET "network.id" = later.id FROM later WHERE events.rowid = later.row')
    con.execute("DROP TABLE later")


LESSER = (
    '("network.src.value" < "network.dst.value" OR ("network.src.value" = "network.dst.value" '
    'AND coalesce("network.src_port", -1) <= coalesce("network.dst_port", -1)))'
)
"""SQL: whether the recorded source is the end that comes first in the id of the flow."""
LOW = [f'(("network.src_port" < {bound}) <> ("network.dst_port" < {bound}))' for bound in (1024, 49152)]
BY_PORT = f'CASE WHEN {LOW[0]} THEN "network.dst_port" < 1024 WHEN {LOW[1]} THEN "network.dst_port" < 49152 END'
"""SQL: whether the recorded source is the one that began the flow, by the ports."""


class _Evidence:
    """What records say about who began a flow, by what the definitions of log formats state of their sensors."""

    def __init__(self, recorded: bool) -> None:
        direction = '"network.x_direction"' if recorded else "NULL"
        tests = {
            "always": "true",
            "of_tcp": f"({direction} = 'egress' OR ({direction} = 'ingress' AND \"network.protocols\" = 'tcp'))",
            "with_direction": f"{direction} IS NOT NULL",
        }
        of_sensors = {number: sensors()[name].get("source_is_initiator") for name, number in sensor_numbers().items()}
        order = list(tests)
        cases = [(order.index(kind), f"WHEN sensor = {n} AND {tests[kind]} THEN {order.index(kind)}") for n, kind in of_sensors.items() if kind]
        self.told = f"CAST(CASE {' '.join(case for _, case in sorted(cases))} END AS INTEGER)"
        """SQL of how good the evidence is that the recorded source began the flow: 1 is best; NULL for none."""


def _orient(con: duckdb.DuckDBPyConnection, known: _Evidence) -> None:
    """One direction for each flow, by the best evidence: what a sensor records as the initiator; else the only port below 1024, else the
    only one below 49152 is the destination; else the earliest record decides."""
    con.execute(
        'CREATE OR REPLACE TEMP TABLE ends AS SELECT e.rowid AS row, e."network.id" AS id, t, rec, '
        f"{LESSER} AS lesser, {known.told} AS told, {BY_PORT} AS by_port FROM events e JOIN ends n ON n.row = e.rowid "
        'WHERE "network.src.value" IS NOT NULL AND "network.dst.value" IS NOT NULL'
    )
    rank = "(coalesce(told, CASE WHEN by_port IS NULL THEN 4 ELSE 3 END), coalesce(epoch_us(t), 9223372036854775807), rec)"
    best = f"arg_min(lesser = coalesce(told IS NOT NULL OR by_port, true), {rank})"
    con.execute(f"CREATE OR REPLACE TEMP TABLE directed AS SELECT id, {best} AS lesser FROM ends GROUP BY id")
    pairs = [("network.src.value", "network.dst.value"), ("network.src_port", "network.dst_port"), ("network.src.further", "network.dst.further")]
    swapped = [f'"{to}" = "{of}"' for a, b in pairs if has_column(con, a) and has_column(con, b) for to, of in ((a, b), (b, a))]
    if has_column(con, "network.further"):
        renamed = '"network.further"'
        for old, new in (("src", "-"), ("dst", "src"), ("-", "dst")):  # only names: a colon follows, and no backslash precedes
            renamed = f"""regexp_replace({renamed}, '(^|[^\\\\])"{old}_(\\w+"\\s*:)', '\\1"{new}_\\2', 'g')"""
        swapped.append(f'"network.further" = {renamed}')
    con.execute(
        f"UPDATE events SET {', '.join(swapped)} FROM (SELECT e.row FROM ends e "
        "JOIN directed d ON d.id = e.id AND d.lesser <> e.lesser) f WHERE events.rowid = f.row"
    )
    con.execute("DROP TABLE ends")
    con.execute("DROP TABLE directed")
