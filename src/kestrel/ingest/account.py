"""What became of every record of a dataset, and the notices that report it.

read = mapped + duplicates + events_only + unrecognised + broken. Records without a usable time are inside these and counted once
more by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from kestrel.errors import KestrelError
from kestrel.formats.format import LogFormat, log_formats
from kestrel.formats.readers.packed import READ
from kestrel.formats.reading import paths_of
from kestrel.formats.unmapped import provider_name
from kestrel.ingest.observations import Events, entity_type
from kestrel.model.layout import layout
from kestrel.result import Notice
from kestrel.text import listed, path_text

SHOWN = 3
"""How many event types, or files of unrecognised records, a notice names."""
NAMED = 5
"""How many unreadable files a notice names."""
OWN = ("x-oca-event", "x-oca-asset")
"""Types of which every recognised record contains an entity."""


@dataclass
class Account:
    """Counts of records. `kept`: mapped records and those mapped only as events, which can be searched."""

    read: int = 0
    """Non-blank lines, or elements of arrays."""
    kept: int = 0
    duplicates: int = 0
    unknown: int = 0
    """In no known log format."""
    broken: int = 0
    """Not a record."""
    mended: int = 0
    several: int = 0
    """With a list of which only the first value is read."""
    events_only: int = 0
    """Recognised, but without entities other than the event and its host."""
    types: list[tuple[str, str, int, bool]] = field(default_factory=list)
    """For those: provider, code, number of records, and whether the log format maps this event type (then its fields are missing)."""
    timeless: int = 0
    """Without a time, or with one that cannot be read or is outside the years 1 to 9999."""
    shared_ids: int = 0
    """Unique ids that a sensor gave to several processes."""
    name_only: int = 0
    """Processes that are known only by name: one entity for each observation."""
    clocks: dict[str, list[str]] = field(default_factory=dict)
    """For each file whose printed times were corrected: the UTC offset of its local time, `-04:00`."""
    cut_off: dict[str, int] = field(default_factory=dict)
    """Files that end too early, and how many complete records each has."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Files and members of archives that cannot be read, and why."""
    strange: list[tuple[str, int, list[str]]] = field(default_factory=list)
    """Unrecognised records: file, number, top-level fields of one of them."""
    log_formats: dict[str, int] = field(default_factory=dict)

    @property
    def mapped(self) -> int:
        return self.kept - self.events_only

    @property
    def missed(self) -> int:
        """Records of event types that the log format maps, without any of the mapped fields."""
        return sum(number for _, _, number, known in self.types if known)


class NoKnownFormat(KestrelError):
    """There are records, but none in a known log format."""

    code: ClassVar[str] = "K0412"
    part = "source"

    def __init__(self, uri: str, account: Account) -> None:
        if account.unknown:
            one, name = account.unknown == 1, path_text(uri)
            said = f"the only record of {name} is not" if one else f"none of the {account.unknown:,} records of {name} is"
            super().__init__(f"{said} in a known log format", None, "; ".join(_strange(account)))
        else:
            one, name = account.broken == 1, path_text(uri)
            super().__init__(
                f"the only line of {name} is not a record" if one else f"none of the {account.broken:,} lines of {name} is a record", None, READ
            )


def check(account: Account, uri: str) -> None:
    """Raise NoKnownFormat if there are records but none can be searched."""
    if account.read and not account.kept and not account.duplicates:
        raise NoKnownFormat(uri, account)


def count_events_only(con: duckdb.DuckDBPyConnection, events: Events, account: Account) -> None:
    """Fill `events_only`, `types` and `timeless` of an account from the resolved records of the current database."""
    yielding = [
        f'"{role.name}.{column}" IS NOT NULL'
        for role in layout().roles.values()
        if role.type not in OWN and not role.derived and not role.name.startswith("host.")
        for column in entity_type(role.type).id_columns
        if f"{role.name}.{column}" in events.columns
    ]
    provider, code = (
        '"event.provider"' if "event.provider" in events.columns else "NULL",
        '"event.code"' if "event.code" in events.columns else "code",
    )
    kept = {"sensor": "sensor", "number": "code", "provider": provider, "code": code}
    each = f"SELECT rec, {', '.join(f'any_value({sql}) AS {name}' for name, sql in kept.items())} FROM events"
    if events.unread:  # an unread column may yield an entity: only records that no sensor of a log format wrote are certain
        yielding = ["sensor > 0"]
    other = (
        f"{each} GROUP BY rec HAVING NOT bool_or({' OR '.join(yielding)})"
        if "part" in events.columns
        else (f"SELECT sensor, code AS number, {provider} AS provider, {code} AS code FROM events WHERE NOT ({' OR '.join(yielding)})")
    )
    rows = con.execute(f"SELECT sensor, number, lower(provider), any_value(provider), code::VARCHAR, count(*) FROM ({other}) GROUP BY ALL").fetchall()
    found: dict[tuple[str, str], tuple[int, bool]] = {}
    for sensor, number, _, written, text, records in rows:
        name = provider_name(written) if written else _sensor_name(account, sensor)
        before, _ = found.get((name, text or ""), (0, False))
        found[name, text or ""] = (before + records, _is_mapped(account, sensor, number, events.unread))
    account.types = sorted(((p, c, n, known) for (p, c), (n, known) in found.items()), key=lambda t: (-t[2], t[0], t[1]))
    account.events_only = sum(t[2] for t in account.types)
    row = con.execute("SELECT count(DISTINCT rec) FROM events WHERE t IS NULL").fetchone()
    account.timeless = int(row[0]) if row else 0


def _sensor_name(account: Account, sensor: int) -> str:
    names = {number: name for log_format in _log_formats(account) for name, number in log_format.sensors.items()}
    return names.get(sensor, "").capitalize()


def _log_formats(account: Account) -> list[LogFormat]:
    return [log_formats()[name] for name in account.log_formats]


def _is_mapped(account: Account, sensor: int, code: int | None, unread: frozenset[str]) -> bool:
    """Whether a log format has rules of its own for an event type."""
    return not unread and any(
        rule.sensor == sensor and rule.code == code and not rule.column.startswith(("event.", "host.")) and rule.node is not None
        for log_format in _log_formats(account)
        for rule in log_format.rules
    )


# -- notices -----------------------------------------------------------------------------------------------------


def notices(account: Account, uris: Sequence[str], remote: bool) -> list[Notice]:
    """The notices about a dataset, the most important first. `remote`: its records were fetched and not read from a file."""
    return list(_notices(account, remote, ", ".join(Path(u).name if "://" not in u else u for u in uris)))


def _notices(account: Account, remote: bool, name: str) -> Iterator[Notice]:
    for file, complete in account.cut_off.items():
        yield Notice("cut-off", f"`{file}` is cut off after {_records(complete)}; the complete ones were read", complete)
    if account.unreadable:
        number = len(account.unreadable)
        files = [f"`{file}` ({why})" for file, why in account.unreadable.items()]
        more = f" and {number - NAMED:,} more" if number > NAMED else ""
        message = f"{number:,} file{'s' if number > 1 else ''} could not be read and {'were' if number > 1 else 'was'} skipped: "
        details = tuple({"file": file, "why": why} for file, why in account.unreadable.items())
        yield Notice("unreadable-file", f"{message}{', '.join(files[:NAMED])}{more}", number, details)
    if not account.read and not account.log_formats and not remote:
        yield Notice("no-records", f"{path_text(name)} has no records", 0)
    for used in (log_formats()[n] for n, records in account.log_formats.items() if records):
        if not used.definition.is_shipped:
            yield Notice("user-format", f"records were read as `{used.name}`, a log format that {used.definition.file} defines")
    if account.unknown:
        are, were = ("is", "was") if account.unknown == 1 else ("are", "were")
        message = f"{account.unknown:,} of {_records(account.read)} {are} in an unknown log format and {were} skipped"
        strange = (f"{message}: {'; '.join(_strange(account))}", tuple(_strange_details(account))) if not remote else (message, ())
        yield Notice("unknown-records", strange[0], account.unknown, strange[1])
    if account.broken:
        was = "is not a record and was" if account.broken == 1 else "are not records and were"
        yield Notice("broken-lines", f"{account.broken:,} of {account.read:,} lines {was} skipped", account.broken)
    if account.missed:
        stated = types_text([t for t in account.types if t[3]])
        have = "has" if account.missed == 1 else "have"
        message = f"{account.missed:,} of {_records(account.read)} {have} none of the fields that Kestrel reads for their event types ({stated})"
        yield Notice("fields-missing", f"{path_text(name)}: {message}", account.missed, tuple(_type_details(account, True)))
    others = [t for t in account.types if not t[3]]
    if others:
        yield Notice(
            "events-only", f"{path_text(name)}: {events_only_text(account)}", sum(t[2] for t in others), tuple(_type_details(account, False))
        )
    if account.timeless:
        have = "has" if account.timeless == 1 else "have"
        message = f"{account.timeless:,} of {_records(account.read)} {have} no usable time; time ranges exclude such records, and they come last"
        yield Notice("no-time", message, account.timeless)
    for text, corrected in corrected_clocks(account):
        yield Notice("clock-corrected", f"the printed times of {corrected} are local ({text}) and were corrected to UTC", len(account.clocks))
    if account.shared_ids:
        ids = f"{account.shared_ids:,} unique id{' was' if account.shared_ids == 1 else 's were'}"
        yield Notice("shared-ids", f"{ids} assigned to several processes by the sensor; pids distinguish these processes", account.shared_ids)
    if account.name_only:
        processes = "process is" if account.name_only == 1 else "processes are"
        yield Notice(
            "known-by-name", f"{account.name_only:,} {processes} known only by name; each observation counts as one process", account.name_only
        )
    if account.duplicates:
        are = "is a duplicate; it is" if account.duplicates == 1 else "are duplicates; each is"
        yield Notice("duplicates", f"{account.duplicates:,} of {_records(account.read)} {are} counted once", account.duplicates)
    if account.mended:
        lines = "line contains damaged text, and was" if account.mended == 1 else "lines contain damaged text, and were"
        yield Notice("mended-lines", f"{account.mended:,} {lines} read as far as possible", account.mended)
    if account.several:
        lists = "record has a list" if account.several == 1 else "records have lists"
        yield Notice("first-of-list", f"{account.several:,} {lists} of which Kestrel reads only the first values", account.several)


def _records(number: int) -> str:
    return f"{number:,} record{'' if number == 1 else 's'}"


def events_only_text(account: Account) -> str:
    """The records that Kestrel maps only as events, in a sentence."""
    others = [t for t in account.types if not t[3]]
    number = sum(t[2] for t in others)
    are = "is" if number == 1 else "are"
    if len(others) == 1:
        return f"{number:,} of {_records(account.read)} {are} of the event type {types_text(others)}, which Kestrel maps only as an event"
    return (
        f"{number:,} of {_records(account.read)} {are} of {len(others):,} event types that Kestrel maps only as events (most: {types_text(others)}); "
        "`kestrel check-source` lists all"
    )


def types_text(types: Sequence[tuple[str, str, int, bool]]) -> str:
    """The most frequent event types, `Security 4690, 5447, PowerShell 4103`."""
    by_provider: dict[str, list[str]] = {}
    for provider, code, _, _ in types[:SHOWN]:
        by_provider.setdefault(provider, []).append(code)
    return ", ".join(f"{provider} {', '.join(codes)}".strip() for provider, codes in by_provider.items())


def _type_details(account: Account, known: bool) -> Iterator[Mapping[str, Any]]:
    return ({"provider": p, "code": c, "records": n} for p, c, n, k in account.types if k == known)


def _strange(account: Account) -> Iterator[str]:
    """Unrecognised records, a sentence for each file: their fields, and the log formats that are closest to them."""
    for file, number, names in account.strange[:SHOWN]:
        closest = listed([name for name, _ in closest_formats(names)[:2]])
        fields = f"with the fields {listed(names[:8])}" if names else "without fields"
        yield f"{number:,} from `{Path(file).name}` {fields} (closest log format{': ' if closest else ': none'}{closest})"
    if len(account.strange) > SHOWN:
        yield f"and records from {len(account.strange) - SHOWN:,} more files"


def _strange_details(account: Account) -> Iterator[Mapping[str, Any]]:
    for file, number, names in account.strange:
        yield {"file": file, "records": number, "fields": names, "closest": [n for n, _ in closest_formats(names)[:2]]}


def closest_formats(names: Sequence[str]) -> list[tuple[str, float]]:
    """The log formats that share most of the given top-level fields, the closest first, and the fraction they share."""
    scores = []
    for log_format in log_formats().values():
        known = {path[0].casefold() for path in paths_of(log_format)}
        scores.append((log_format.name, sum(n.casefold() in known for n in names) / max(1, len(names))))
    return sorted((s for s in scores if s[1] >= 0.2), key=lambda s: -s[1])


def _clock_name(offset: str) -> str:
    """An offset in words: one beyond all time zones is that of a clock that counts to 12 without AM or PM."""
    hours = int(offset[:3])
    return f"UTC{offset}" if abs(hours) <= 14 else f"UTC{hours + (12 if hours < 0 else -12):+03}{offset[3:]} on a 12-hour clock without AM and PM"


def corrected_clocks(account: Account) -> Iterator[tuple[str, str]]:
    """The offsets of clocks that were corrected, and the files of each."""
    by_offset: dict[str, list[str]] = {}
    for file, offsets in account.clocks.items():
        by_offset.setdefault(" and ".join(map(_clock_name, offsets)), []).append(Path(file).name)
    for text, files in by_offset.items():
        yield text, listed(files, SHOWN)


def findings(account: Account) -> Iterator[tuple[str, str, str]]:
    """What `kestrel check-source` reports about the records of files: what was checked, `good`, `weak` or `bad`, and the finding."""
    formats = ", ".join(f"{name} ({number:,})" for name, number in account.log_formats.items())
    yield "log formats", "good" if formats else "weak", formats or "there are no records"
    counts = {
        "mapped": account.mapped,
        "duplicates": account.duplicates,
        "only events": account.events_only,
        "unrecognised": account.unknown,
        "broken": account.broken,
    }
    weak = account.unknown or account.broken or account.missed or not account.mapped
    state = "bad" if account.missed and not account.mapped else "weak" if weak else "good"
    yield "records", state, f"{account.read:,} read: " + ", ".join(f"{number:,} {what}" for what, number in counts.items())
    for text in _strange(account):
        yield "unrecognised", "weak", text
    for file, complete in account.cut_off.items():
        yield "cut off", "weak", f"`{file}` after {_records(complete)}"
    for file, why in account.unreadable.items():
        yield "unreadable", "weak", f"`{file}`: {why}"
    for known, what, rating in ((True, "fields missing", "bad" if not account.mapped else "weak"), (False, "only events", "good")):
        by_provider: dict[str, list[str]] = {}
        for provider, code, number, is_known in account.types:
            if is_known == known:
                by_provider.setdefault(provider, []).append(f"{code} ({number:,})")
        for provider, codes in by_provider.items():
            yield what, rating, f"{provider} {', '.join(codes)}".strip()
    for text, files in corrected_clocks(account):
        yield "clock", "weak", f"the printed times of {files} are local ({text}) and are corrected to UTC; `clock` in a profile overrides that"
    if account.timeless:
        yield "times", "weak", f"{account.timeless:,} records have no usable time"
    if account.name_only:
        yield "processes", "weak", f"{account.name_only:,} are known only by name; each observation counts as one process"
