"""Which records belong to one conversation, and which of its ends began it."""

from __future__ import annotations

from collections.abc import Collection

import duckdb

from kestrel.store.addresses import has_column

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
    for column in respelt:
        same = flow_id(has_column(con, "network.x_outcome"))
        con.execute(f"UPDATE events SET \"network.id\" = {same} WHERE {column} IS NULL OR contains({column}, ':')")
    _episodes(con)
    _orient(con)


def _episodes(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        'CREATE OR REPLACE TEMP TABLE later AS WITH long AS (SELECT "network.id" AS id FROM events WHERE "network.id" IS NOT NULL '
        f"GROUP BY id HAVING epoch_us(max(t)) - epoch_us(min(t)) > {EPISODE}), "
        'seen AS (SELECT e.rowid AS row, e."network.id" AS id, t, '
        f"CASE WHEN epoch_us(t) - epoch_us(lag(t) OVER w) > {EPISODE} THEN 1 ELSE 0 END AS turn FROM events e "
        'SEMI JOIN long ON long.id = e."network.id" WINDOW w AS (PARTITION BY e."network.id" ORDER BY t)), '
        "numbered AS (SELECT row, id, t, sum(turn) OVER (PARTITION BY id ORDER BY t ROWS UNBOUNDED PRECEDING) AS episode FROM seen) "
        "SELECT row, hash(id, min(t) OVER (PARTITION BY id, episode)) AS id FROM numbered WHERE episode > 0"
    )
    if con.execute("SELECT count(*) FROM later").fetchone() != (0,):
        con.execute('UPDATE events SET "network.id" = later.id FROM later WHERE events.rowid = later.row')
    con.execute("DROP TABLE later")


LESSER = (
    '("network.src.value" < "network.dst.value" OR ("network.src.value" = "network.dst.value" '
    'AND coalesce("network.src_port", -1) <= coalesce("network.dst_port", -1)))'
)
"""SQL: whether the recorded source is the end that comes first in the id of the flow."""


def _orient(con: duckdb.DuckDBPyConnection) -> None:
    """One direction for each flow, by the best evidence: what Sysmon records as the initiator (it records the initiator of TCP as the
    source, whichever side it stands on; of UDP only where this host began), then Security 5156; else the only port below 1024, else
    the only one below 49152 is the destination; else the earliest record decides."""
    told = "CAST(NULL AS UTINYINT)"
    if has_column(con, "network.x_direction"):
        by_sysmon = "\"network.x_direction\" = 'egress' OR (\"network.x_direction\" = 'ingress' AND \"network.protocols\" = 'tcp')"
        told = f'CASE WHEN sensor = 1 AND ({by_sysmon}) THEN 1 WHEN sensor = 2 AND "network.x_direction" IS NOT NULL THEN 2 END'
    low = [f'(("network.src_port" < {bound}) <> ("network.dst_port" < {bound}))' for bound in (1024, 49152)]
    by_port = f'CASE WHEN {low[0]} THEN "network.dst_port" < 1024 WHEN {low[1]} THEN "network.dst_port" < 49152 END'
    con.execute(
        'CREATE OR REPLACE TEMP TABLE ends AS SELECT rowid AS row, "network.id" AS id, t, rec, '
        f"{LESSER} AS lesser, {told} AS told, {by_port} AS by_port "
        'FROM events WHERE "network.src.value" IS NOT NULL AND "network.dst.value" IS NOT NULL'
    )
    best = "arg_min(lesser = coalesce(told IS NOT NULL OR by_port, true), (coalesce(told, CASE WHEN by_port IS NULL THEN 4 ELSE 3 END), t, rec))"
    turned = "min(lesser) <> max(lesser) OR bool_or(told IS NULL AND by_port = false)"
    con.execute(f"CREATE OR REPLACE TEMP TABLE directed AS SELECT id, {best} AS lesser FROM ends GROUP BY id HAVING {turned}")
    if con.execute("SELECT count(*) FROM directed").fetchone() != (0,):
        con.execute(
            'UPDATE events SET "network.src.value" = "network.dst.value", "network.dst.value" = "network.src.value", '
            '"network.src_port" = "network.dst_port", "network.dst_port" = "network.src_port" FROM (SELECT e.row FROM ends e '
            "JOIN directed d ON d.id = e.id AND d.lesser <> e.lesser) f WHERE events.rowid = f.row"
        )
    con.execute("DROP TABLE ends")
    con.execute("DROP TABLE directed")
