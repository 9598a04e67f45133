"""Which records belong to one process: one mapping from mentions to entities, by the rules of docs/internals/design.md section 3.

A mention is (row, role). Most have the sensor's own id and are done when they are read. The rest know a pid: every
process gives a *life* (host, pid, name, start, end), and such a mention belongs to the life that was on at its time.
A process known only by its name is a separate entity for each observation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from kestrel.formats.transforms import guid_key
from kestrel.ingest.addresses import has_column
from kestrel.model.layout import PROCESSES, layout

START_TOLERANCE = 2_000_000
"""Two sensors' word of one start, microseconds apart at most."""
TWIN_TOLERANCE = 1_000_000
"""Starts of twin GUIDs, microseconds apart at most."""
SCOPE = "coalesce({0}host, 'source ' || {0}src)"
"""SQL of what a pid counts in: the host, or the source where no host is known (no host's name has a space)."""
GRACE = 60_000_000
"""Records of a process come this much after its end, microseconds."""


@dataclass(frozen=True, slots=True)
class Found:
    """Counts to report: ids that a sensor gave to several processes, and processes known only by name."""

    shared_ids: int = 0
    name_only: int = 0


def resolve(con: duckdb.DuckDBPyConnection) -> Found:
    """Give every process mention of `events` its entity id."""
    unix = _systems(con)
    hostless, timeless = con.execute("SELECT bool_or(host IS NULL), bool_or(t IS NULL) FROM events").fetchone() or (False, False)
    if hostless:
        _hostless(con)
    shared = _shared_ids(con)
    _Processes(con, unix).resolve()
    if hostless or timeless:
        _alone(con)
    return Found(shared, _by_name(con))


def own_id(role: str) -> str:
    """SQL of the id of a process by the sensor's own id, in records that name their host."""
    return f"hash(host, {_guid(role)})"


def _guid(role: str) -> str:
    """SQL of the sensor's own id of a process, in the form used for comparison."""
    return guid_key(f'"{role}.x_unique_id"')


def unite_hosts(con: duckdb.DuckDBPyConnection) -> None:
    """A short host name is the long one if exactly one long name begins with it; an IP address is no name."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE host_names AS WITH names AS (SELECT DISTINCT host FROM events WHERE host IS NOT NULL), "
        "long AS (SELECT split_part(host, '.', 1) AS short, min(host) AS long FROM names "
        "WHERE contains(host, '.') AND regexp_matches(host, '[^0-9.]') AND NOT contains(host, ':') "
        "GROUP BY 1 HAVING count(*) = 1) SELECT host, long FROM names JOIN long ON host = short"
    )
    if con.execute("SELECT count(*) FROM host_names").fetchone() != (0,):
        con.execute("UPDATE events SET host = host_names.long FROM host_names WHERE events.host = host_names.host")
        _rehash(con, "host IN (SELECT long FROM host_names)")
    con.execute("DROP TABLE host_names")


def _systems(con: duckdb.DuckDBPyConnection) -> bool:
    """Set `unix` to whether the host of a record runs a Unix-like system, by all of its records. Returns whether any does."""
    if not has_column(con, "unix"):
        return False
    scope = SCOPE.format("")
    hosts = f"SELECT {scope} FROM events GROUP BY ALL HAVING bool_or(unix) AND coalesce(bool_and(unix), true)"
    con.execute(f"CREATE OR REPLACE TEMP TABLE unix_hosts AS {hosts}")
    con.execute(f"UPDATE events SET unix = {scope} IN (FROM unix_hosts) WHERE unix IS NOT NULL OR {scope} IN (FROM unix_hosts)")
    con.execute("DROP TABLE unix_hosts")
    return con.execute("SELECT bool_or(unix) FROM events").fetchone() == (True,)


def _hostless(con: duckdb.DuckDBPyConnection) -> None:
    """A mention with a sensor's id and no host joins the host that alone has this id."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE owners AS SELECT guid, min(host) AS host FROM ("
        + " UNION ".join(f"SELECT {_guid(s)} AS guid, host FROM events WHERE host IS NOT NULL" for s in PROCESSES)
        + ") WHERE guid IS NOT NULL GROUP BY guid HAVING count(DISTINCT host) = 1"
    )
    for role in PROCESSES:
        con.execute(
            f'UPDATE events SET "{role}.id" = coalesce((SELECT hash(o.host, o.guid) FROM owners o WHERE o.guid = {_guid(role)}), '
            f"hash('source', src, {_guid(role)})) "
            f'WHERE host IS NULL AND "{role}.x_unique_id" IS NOT NULL'
        )
    con.execute("DROP TABLE owners")


def _shared_ids(con: duckdb.DuckDBPyConnection) -> int:
    """Two creations with one id and different pids are two processes; returns the number of such ids. Later records are assigned by id and
    pid; without a pid, to the latest start before them."""
    created = f'"process.id" IS NOT NULL AND "process.pid" > 0 AND kind = {layout().kind("process-create")}'
    ids = f'SELECT "process.id" FROM events WHERE {created} GROUP BY ALL HAVING min("process.pid") <> max("process.pid")'
    con.execute(f"CREATE OR REPLACE TEMP TABLE shared_ids AS {ids}")
    number = con.execute("SELECT count(*) FROM shared_ids").fetchone() or (0,)
    if number[0]:
        con.execute(
            'CREATE OR REPLACE TEMP TABLE starts AS SELECT "process.id" AS id, "process.pid" AS pid, min(t) AS start '
            f'FROM events WHERE {created} AND "process.id" IN (FROM shared_ids) GROUP BY ALL'
        )
        for role in PROCESSES:
            rows = f'(SELECT rowid AS row, "{role}.id" AS id, "{role}.pid" AS pid, t FROM events WHERE "{role}.id" IN (FROM shared_ids))'
            latest = "arg_max(s.pid, s.start) FILTER (s.start <= r.t)"
            con.execute(
                f"UPDATE events SET \"{role}.id\" = hash(f.id, 'pid', f.pid) FROM (SELECT r.row, r.id, "
                f"coalesce(any_value(r.pid) FILTER (r.pid > 0), {latest}, arg_min(s.pid, s.start)) AS pid FROM {rows} r JOIN starts s ON s.id = r.id "
                "GROUP BY r.row, r.id) f WHERE events.rowid = f.row"
            )
        con.execute("DROP TABLE starts")
    con.execute("DROP TABLE shared_ids")
    return int(number[0])


def _alone(con: duckdb.DuckDBPyConnection) -> None:
    """A pid without name, id and host, or without a time, cannot be matched: each observation is a separate process."""
    for n, role in enumerate(PROCESSES):
        con.execute(
            f'UPDATE events SET "{role}.id" = {_mention(con, n)} '
            f'WHERE "{role}.id" IS NULL AND "{role}.pid" > 0 AND (NOT {_has_host(con)} OR t IS NULL)'
        )


def _by_name(con: duckdb.DuckDBPyConnection) -> int:
    """The acting process of a record (in STIX also its parent), known only by a name: each observation is a separate process. Returns their
    number. A pid of 0 is not a process."""
    found = 0
    roles = PROCESSES[:2] if has_column(con, "part") else PROCESSES[:1]
    for n, role in enumerate(roles):
        in_stix = "" if n == 0 else " AND part IS NOT NULL"
        row = con.execute(
            f'UPDATE events SET "{role}.id" = {_mention(con, n)} WHERE "{role}.id" IS NULL AND "{role}.pid" IS NULL '
            f'AND "{role}.name" IS NOT NULL AND lower("{role}.name") <> \'system\'{in_stix}'
        ).fetchone()
        found += int(row[0]) if row else 0
    for role in PROCESSES:
        name = f'"{role}.name" = CASE WHEN "{role}.x_unique_id" IS NOT NULL THEN "{role}.name" END'
        con.execute(f'UPDATE events SET "{role}.pid" = NULL, {name} WHERE "{role}.pid" <= 0')
    return found


def _mention(con: duckdb.DuckDBPyConnection, role: int) -> str:
    """SQL of the id of an entity with a single observation."""
    return f"hash('mention', rec, {'coalesce(part, 0)' if has_column(con, 'part') else '0'}, {role})"


def _has_host(con: duckdb.DuckDBPyConnection) -> str:
    """SQL: whether the host of a record is known, or is that of all records of its file."""
    return "(host IS NOT NULL OR coalesce(one_host, false))" if has_column(con, "one_host") else "(host IS NOT NULL)"


def _rehash(con: duckdb.DuckDBPyConnection, where: str) -> None:
    for role in PROCESSES:
        con.execute(f'UPDATE events SET "{role}.id" = {own_id(role)} WHERE "{role}.x_unique_id" IS NOT NULL AND {where}')


class _Processes:
    """The stages of the mapping, each a table or an update."""

    def __init__(self, con: duckdb.DuckDBPyConnection, unix: bool) -> None:
        self.con = con
        self.unix = unix
        self.created_known = [s for s in PROCESSES if has_column(con, f"{s}.created")]
        kind = layout().kind
        self.create, self.audit_create = kind("process-create"), kind("process-create-audit")
        self.end, self.audit_end = kind("process-end"), kind("process-end-audit")

    def resolve(self) -> None:
        pids = self._pid_mentions()
        self._started()
        self._twins()
        if pids:
            self._lives()
            self._audited_starts()
            self._ends()
            self._boots()
            self._named()
            self._opened()
            self._nameless()
            self._write()
        for table in self._tables():
            self.con.execute(f"DROP TABLE IF EXISTS {table}")

    def _tables(self) -> Iterator[str]:
        yield from ("asked", "candidates", "created", "others", "twins", "lives", "pid_mentions", "found", "boots", "opened", "audited", "untrusted")

    def _name(self, role: str) -> str:
        """SQL of the name that distinguishes processes with one pid: none on Linux, where exec changes the name of a process."""
        return f"CASE WHEN unix THEN '' ELSE lower(\"{role}.name\") END" if self.unix else f'lower("{role}.name")'

    def _created(self, role: str) -> str:
        """SQL of when a process was created, according to its record; it may have been logged later."""
        return f'CASE WHEN "{role}.created" <= t THEN "{role}.created" END' if role in self.created_known else "CAST(NULL AS TIMESTAMP)"

    def _pid_mentions(self) -> bool:
        """The mentions that know a pid and no id of the sensor; where no host is known, only with a name, or of a log of one host."""
        parts = " UNION ALL ".join(
            f'SELECT rowid AS row, {n} AS role, {SCOPE.format("")} AS host, "{s}.pid" AS pid, {self._name(s)} AS name, t, '
            f'{"kind" if n == 0 else "0"} AS kind, "$local" IS NOT NULL AND "$sensor_time" IS NULL AS coarse, '
            f"coalesce({self._created(s)}, t) AS start "
            f'FROM events WHERE "{s}.id" IS NULL AND "{s}.pid" > 0 AND t IS NOT NULL AND ({_has_host(self.con)} OR "{s}.name" IS NOT NULL)'
            for n, s in enumerate(PROCESSES)
        )
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE pid_mentions AS {parts}")
        return self.con.execute("SELECT count(*) > 0 FROM pid_mentions").fetchone() == (True,)

    def _started(self) -> None:
        """`others`: processes the sensor names and whose creation it did not see, by id, with what is known of them."""
        con = self.con
        con.execute(
            f'CREATE OR REPLACE TEMP TABLE created AS SELECT "process.id" AS id FROM events WHERE kind = {self.create} AND "process.id" IS NOT NULL'
        )
        parts = " UNION ALL ".join(
            f'SELECT "{s}.id" AS id, {SCOPE.format("")} AS host, src, {_guid(s)} AS guid, "{s}.pid" AS pid, {self._name(s)} AS name, t, '
            + f"{self._created(s)} AS created, "
            + (f"kind = {self.end}" if n == 0 else "false")
            + f' AS ended FROM events WHERE "{s}.id" IS NOT NULL'
            + (f" AND kind <> {self.create}" if n == 0 else "")
            for n, s in enumerate(PROCESSES)
        )
        con.execute(
            "CREATE OR REPLACE TEMP TABLE others AS SELECT id, min(host) AS host, min(src) AS src, min(guid) AS guid, "
            "min(pid) AS pid, min(name) AS name, min(t) AS first, max(t) AS last, min(created) AS created, "
            "max(t) FILTER (ended) AS ended "
            f"FROM ({parts}) WHERE id NOT IN (SELECT id FROM created) GROUP BY id"
        )

    def _inner(self, guid: str) -> str:
        """The start a Sysmon GUID holds: its third group after its second, seconds since 1970."""
        return f"make_timestamp(try_cast('0x' || substr({guid}, 16, 4) || substr({guid}, 11, 4) AS BIGINT) * 1000000)"

    def _untrusted(self) -> str:
        """SQL: the sources whose own creations do not confirm the time inside the GUID."""
        inner = self._inner(_guid("process"))
        return (
            f"SELECT src FROM events WHERE kind = {self.create} AND {_guid('process')} LIKE '{{%' GROUP BY src "
            f"HAVING avg(CASE WHEN abs(epoch_us({inner}) - epoch_us(t)) <= {START_TOLERANCE} THEN 1 ELSE 0 END) < 0.9"
        )

    def _twins(self) -> None:
        """One start under two GUIDs: the creation's, and the one of all later records (MEASURED: one sensor did that)."""
        con = self.con
        con.execute("CREATE OR REPLACE TEMP TABLE twins (id UBIGINT, twin UBIGINT)")
        if con.execute("SELECT count(*) FROM others WHERE length(guid) = 38").fetchone() == (0,):
            return
        inner = self._inner("o.guid")
        con.execute(
            "INSERT INTO twins SELECT o.id, min(e.id) FROM others o JOIN ("
            f'SELECT "process.id" AS id, host, "process.pid" AS pid, {self._name("process")} AS name, {_guid("process")} AS guid, t '
            f'FROM events WHERE kind = {self.create} AND "process.id" IS NOT NULL) e '
            "ON e.host = o.host AND e.pid = o.pid AND e.name = o.name AND substr(e.guid, 1, 9) = substr(o.guid, 1, 9) "
            f"WHERE length(o.guid) = 38 AND abs(epoch_us({inner}) - epoch_us(date_trunc('second', e.t))) <= {TWIN_TOLERANCE} "
            f'AND NOT (o.ended IS NOT NULL AND e.id IN (SELECT "process.id" FROM events WHERE kind = {self.end})) '
            "GROUP BY o.id HAVING count(DISTINCT e.id) = 1"
        )
        if con.execute("SELECT count(*) FROM twins").fetchone() != (0,):
            for role in PROCESSES:
                con.execute(f'UPDATE events SET "{role}.id" = twins.twin FROM twins WHERE events."{role}.id" = twins.id')
            con.execute("DELETE FROM others WHERE id IN (SELECT id FROM twins)")

    def _lives(self) -> None:
        """`lives`: one for each process the sensor named."""
        con = self.con
        con.execute("CREATE OR REPLACE TEMP TABLE asked AS SELECT DISTINCT host, pid FROM pid_mentions")
        con.execute(
            "CREATE OR REPLACE TEMP TABLE candidates AS SELECT DISTINCT id FROM ("
            + " UNION ALL ".join(
                f'SELECT e."{s}.id" AS id FROM events e SEMI JOIN asked a ON a.pid = e."{s}.pid" AND a.host = {SCOPE.format("e.")} '
                f'WHERE e."{s}.id" IS NOT NULL'
                for s in PROCESSES
            )
            + ")"
        )
        uncreated = con.execute("SELECT count(*) FROM others WHERE id IN (SELECT id FROM candidates)").fetchone() != (0,)
        con.execute(f"CREATE OR REPLACE TEMP TABLE untrusted AS {self._untrusted() if uncreated else 'SELECT 0 AS src WHERE false'}")
        trusted = "src NOT IN (SELECT src FROM untrusted)"
        inner = self._inner("guid")
        mentions = " UNION ALL ".join(
            f'SELECT "{s}.id" AS id, "{s}.pid" AS pid, {self._name(s)} AS name, t, '
            + (f"kind = {self.end}" if n == 0 else "false")
            + f' AS ended FROM events WHERE "{s}.id" IN (SELECT id FROM candidates)'
            for n, s in enumerate(PROCESSES)
        )
        con.execute(
            "CREATE OR REPLACE TEMP TABLE lives AS "
            f'SELECT e."process.id" AS id, min({SCOPE.format("e.")}) AS host, coalesce(min(e."process.pid"), min(m.pid)) AS pid, '
            f"coalesce(min({self._name('process')}), min(m.name)) AS name, min(coalesce({self._created('process')}, e.t)) AS start, "
            "min(m.ended) AS ended, min(m.last) AS last FROM events e JOIN (SELECT id, min(pid) AS pid, min(name) AS name, "
            f"max(t) FILTER (ended) AS ended, max(t) AS last FROM ({mentions}) GROUP BY id) m "
            'ON m.id = e."process.id" '
            f'WHERE e.kind = {self.create} AND e."process.id" IN (SELECT id FROM candidates) AND e.t IS NOT NULL GROUP BY e."process.id" '
            "UNION ALL SELECT id, host, pid, name, "
            f"CASE WHEN created IS NOT NULL THEN created WHEN {trusted} AND length(guid) = 38 AND {inner} <= first + INTERVAL 2 SECOND THEN {inner} "
            "ELSE first END, "
            "ended, last FROM others WHERE id IN (SELECT id FROM candidates)"
        )
        con.execute("DELETE FROM lives WHERE pid IS NULL OR start IS NULL")

    def _audited_starts(self) -> None:
        """Creations without a sensor's id, as Security 4688: the start a sensor has seen too, or a life of its own."""
        con = self.con
        con.execute(
            "CREATE OR REPLACE TEMP TABLE audited AS SELECT a.row, a.host, a.pid, a.name, a.start AS t, "
            "arg_min(l.id, abs(epoch_us(l.start) - epoch_us(a.start))) AS id FROM pid_mentions a LEFT JOIN lives l "
            "ON l.host = a.host AND l.pid = a.pid AND l.name IS NOT DISTINCT FROM a.name "
            f"AND abs(epoch_us(l.start) - epoch_us(a.start)) <= {START_TOLERANCE} "
            f"WHERE a.role = 0 AND a.kind IN ({self.create}, {self.audit_create}) GROUP BY ALL"
        )
        con.execute("UPDATE audited SET id = hash('life', host, pid, coalesce(name, ''), epoch_us(t)) WHERE id IS NULL")
        con.execute(
            "INSERT INTO lives SELECT id, min(host), min(pid), min(name), min(t), NULL, min(t) FROM audited "
            "WHERE id NOT IN (SELECT id FROM lives) GROUP BY id"
        )
        con.execute("CREATE OR REPLACE TEMP TABLE found AS SELECT row, 0 AS role, id FROM audited")

    def _asof(self, mentions: str, on_name: bool, tolerant: bool) -> str:
        """SELECT (row, role, id) of mentions that fall into a life."""
        early = "m.t + (CASE WHEN m.coarse THEN INTERVAL 1 SECOND ELSE INTERVAL 100 MILLISECOND END)" if tolerant else "m.t"
        name = "AND l.name = m.name " if on_name else ""
        return (
            f"SELECT m.row, m.role, l.id FROM (SELECT *, {early} AS until FROM {mentions} m) m ASOF JOIN lives l "
            f"ON l.host = m.host AND l.pid = m.pid {name}AND l.start <= m.until "
            f"WHERE (l.ended IS NULL OR m.t <= l.ended + to_microseconds({GRACE})) "
            "AND NOT EXISTS (SELECT 1 FROM boots b WHERE b.host = m.host AND b.t > l.last AND b.t <= m.t)"
            if self._booted
            else f"SELECT m.row, m.role, l.id FROM (SELECT *, {early} AS until FROM {mentions} m) m ASOF JOIN lives l "
            f"ON l.host = m.host AND l.pid = m.pid {name}AND l.start <= m.until "
            f"WHERE l.ended IS NULL OR m.t <= l.ended + to_microseconds({GRACE})"
        )

    _booted = False

    def _ends(self) -> None:
        """Security 4689 ends the life it falls into."""
        con = self.con
        ends = f"(SELECT * FROM pid_mentions WHERE role = 0 AND kind = {self.audit_end} AND name IS NOT NULL)"
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE opened AS SELECT f.id, min(m.t) AS ended FROM ({self._asof(ends, True, True)}) f "
            "JOIN pid_mentions m ON m.row = f.row AND m.role = f.role GROUP BY f.id"
        )
        con.execute("UPDATE lives SET ended = opened.ended FROM opened WHERE lives.id = opened.id AND lives.ended IS NULL")

    def _boots(self) -> None:
        """When a host's System process or machine part is a new one, lives not seen since are over."""
        con = self.con
        mentions = " UNION ALL ".join(
            f'SELECT host, "{s}.pid" AS pid, {_guid(s)} AS guid, t FROM events WHERE length("{s}.x_unique_id") IN (36, 38)' for s in PROCESSES
        )
        con.execute(
            "CREATE OR REPLACE TEMP TABLE boots AS WITH firsts AS ("
            f"SELECT host, 'system' AS what, guid, min(t) AS t FROM ({mentions}) WHERE pid = 4 GROUP BY ALL UNION ALL "
            f"SELECT host, 'machine', substr(guid, 1, 9), min(t) FROM ({mentions}) GROUP BY ALL) "
            "SELECT DISTINCT host, t FROM firsts QUALIFY row_number() OVER (PARTITION BY host, what ORDER BY t) > 1"
        )
        self._booted = con.execute("SELECT count(*) > 0 FROM boots").fetchone() == (True,)

    def _named(self) -> None:
        self.con.execute(f"INSERT INTO found {self._asof(self._pending('name IS NOT NULL'), True, True)}")

    def _pending(self, where: str) -> str:
        return f"(SELECT m.* FROM pid_mentions m ANTI JOIN found f ON f.row = m.row AND f.role = m.role WHERE {where})"

    def _opened(self) -> None:
        """Observations outside every lifetime open one: consecutive ones of a host and pid with one name belong to one, until it ends."""
        con = self.con
        con.execute(
            "CREATE OR REPLACE TEMP TABLE opened AS WITH pending AS MATERIALIZED ("
            f"SELECT row, role, host, pid, name, t, role = 0 AND kind IN ({self.end}, {self.audit_end}) AS ended "
            f"FROM {self._pending('name IS NOT NULL')}), "
            "seen AS (SELECT row, role, host, pid, name, t, ended, 0 AS cut FROM pending UNION ALL "
            f"SELECT NULL, NULL, host, pid, name, t + to_microseconds({GRACE + 1}), false, 1 FROM pending WHERE ended UNION ALL "
            "SELECT NULL, NULL, l.host, l.pid, l.name, l.start, false, 1 FROM lives l SEMI JOIN pending p ON p.host = l.host AND p.pid = l.pid), "
            "marked AS (SELECT *, CASE WHEN cut = 1 OR name IS DISTINCT FROM lag(name) OVER w OR lag(cut) OVER w = 1 THEN 1 ELSE 0 END AS turn "
            "FROM seen WINDOW w AS (PARTITION BY host, pid ORDER BY t, row NULLS FIRST)), "
            "runs AS (SELECT *, sum(turn) OVER (PARTITION BY host, pid ORDER BY t, row NULLS FIRST ROWS UNBOUNDED PRECEDING) AS run FROM marked) "
            "SELECT row, role, host, pid, name, t, ended, hash('life', host, pid, name, epoch_us(min(t) OVER (PARTITION BY host, pid, run))) AS id "
            "FROM runs WHERE cut = 0"
        )
        con.execute("INSERT INTO found SELECT row, role, id FROM opened")
        con.execute("INSERT INTO lives SELECT id, min(host), min(pid), min(name), min(t), max(t) FILTER (ended), max(t) FROM opened GROUP BY id")

    def _nameless(self) -> None:
        con = self.con
        con.execute(f"INSERT INTO found {self._asof(self._pending('name IS NULL'), False, False)}")
        con.execute(
            "INSERT INTO found SELECT row, role, hash('life', host, pid, '', epoch_us(min(t) OVER (PARTITION BY host, pid))) "
            f"FROM {self._pending('true')}"
        )

    def _write(self) -> None:
        for n, role in enumerate(PROCESSES):
            self.con.execute(
                f'UPDATE events SET "{role}.id" = found.id FROM (SELECT row, id FROM found WHERE role = {n}) found WHERE events.rowid = found.row'
            )
