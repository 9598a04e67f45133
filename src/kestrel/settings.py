"""What a user may set: every key with its type, default and meaning, and how `kestrel.yaml` and the environment give it.

A key is declared once, as a field of `Settings`. Reading, `kestrel config`, the hints of the errors and the check of the
manual's page all follow from that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from kestrel.config import Entry, expand, settings_folder, wrong_line, yaml_entries
from kestrel.errors import HuntErrors, KestrelError
from kestrel.result import Notice
from kestrel.text import Source, nearest

FILE_VARIABLE = "KESTREL_CONFIG"
YEAR = 366 * 24 * 3600


class UnreadableSettings(KestrelError):
    code: ClassVar[str] = "K0601"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"the settings file `{path}` cannot be read: {why}", None, "it is a YAML mapping, like `display: {rows: 20}`")


class UnknownKey(KestrelError):
    code: ClassVar[str] = "K0602"

    def __init__(self, where: str, name: str, known: Sequence[str]) -> None:
        by_last = {k.rpartition(".")[2]: k for k in known}
        last = nearest(name.rpartition(".")[2], by_last)
        close = nearest(name, known) or (by_last[last] if last else None)
        super().__init__(f"{where}: there is no setting `{name}`", None, f"did you mean `{close}`?" if close else "`kestrel config` lists them all")


class WrongSetting(KestrelError):
    code: ClassVar[str] = "K0603"

    def __init__(self, where: str, name: str, expected: str) -> None:
        super().__init__(f"{where}: `{name}` takes {expected}")


class NoSettingsFile(KestrelError):
    code: ClassVar[str] = "K0605"

    def __init__(self, path: Path) -> None:
        super().__init__(f"`{FILE_VARIABLE}` names the settings file `{path}`, which is not there", None, f"make it, or unset `{FILE_VARIABLE}`")


class SetTwice(KestrelError):
    code: ClassVar[str] = "K0606"

    def __init__(self, where: str, name: str, other: str, line: int) -> None:
        super().__init__(f"{where}: `{name}` was set already, by `{other}` in line {line}", None, "keep one of them")


# -- the keys -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """What values a key takes, in words, and how one is read: `read` raises ValueError. `nothing` is how None is written."""

    expected: str
    read: Callable[[Any], Any]
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """A setting: its name in `kestrel.yaml`, its name in Kestrel 1.x where that was another, a variable that wins over the file."""

    name: str
    kind: Kind
    meaning: str
    former: str | None = None
    variable: str | None = None


def _key(kind: Kind, name: str, meaning: str, default: Any, former: str | None = None, variable: str | None = None) -> Any:
    """A field of `Settings`. A function as default is asked for each new value."""
    metadata = {"key": Key(name, kind, meaning, former, variable)}
    return field(default_factory=default, metadata=metadata) if callable(default) else field(default=default, metadata=metadata)


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = int(value) if isinstance(value, str) else value
        if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
            raise ValueError
        return number

    return read


def _rows(value: Any) -> int | None:
    return None if value == "all" else _whole(1, 10**9)(value)


def _yes_or_no(value: Any) -> bool:
    found = {"true": True, "false": False}.get(str(value).lower())
    if found is None:
        raise ValueError
    return found


def _matching(pattern: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return read


def _folder(value: Any) -> Path | None:
    """YAML reads `off` as false, so both are that word."""
    if value is False or (isinstance(value, str) and value.lower() in {"off", "0", "none", "false"}):
        return None
    if not isinstance(value, str) or not value:
        raise ValueError
    return Path(os.path.expanduser(value))


def _user_cache_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("kestrel"))


VARIABLE = Kind("the name of a variable, such as `_`", _matching(r"[^\W\d]\w*"))
SCHEME = Kind("the name of a kind of data source, such as `stixshifter`", _matching(r"[a-z][a-z0-9+.-]*"))
SECONDS_BEFORE = Kind(f"a whole number of seconds from {-YEAR} to 0", _whole(-YEAR, 0))
SECONDS_AFTER = Kind(f"a whole number of seconds from 0 to {YEAR}", _whole(0, YEAR))
ROWS = Kind("a whole number from 1 to 1000000000, or `all`", _rows, nothing="all")
YES_OR_NO = Kind("`true` or `false`", _yes_or_no)
FOLDER = Kind("a folder, or `off`", _folder, nothing="off")


@dataclass(frozen=True)
class Settings:
    """The value of every setting, where those that are no default came from, and what is to be told about the file."""

    default_variable: str = _key(VARIABLE, "language.default_variable", "the variable that takes the result of a command without `v =`", "_")
    default_scheme: str = _key(
        SCHEME,
        "language.default_source_scheme",
        "the kind of data source that a bare name after FROM means",
        "stixshifter",
        former="language.default_datasource_schema",
    )
    lent_start_offset: int = _key(
        SECONDS_BEFORE,
        "lent_range.start_offset",
        "where the time range that `var.attr` lends starts: seconds from the variable's first record",
        -300,
        former="stixquery.timerange_start_offset",
    )
    lent_stop_offset: int = _key(
        SECONDS_AFTER,
        "lent_range.stop_offset",
        "where the time range that `var.attr` lends stops: seconds from the variable's last record",
        300,
        former="stixquery.timerange_stop_offset",
    )
    allow_partial: bool = _key(
        YES_OR_NO, "sources.allow_partial", "whether a step over several live sources may answer without one that fails; a notice says so", False
    )
    allow_downloads: bool = _key(YES_OR_NO, "sources.allow_downloads", "whether FROM may download files from `https://` addresses", True)
    rows: int | None = _key(ROWS, "display.rows", "how many rows of a table are shown unless LIMIT says otherwise", 50)
    summary: bool = _key(
        YES_OR_NO, "display.summary", "whether a summary of the new variables follows the results", True, former="session.show_execution_summary"
    )
    replace: bool = _key(
        YES_OR_NO, "save.replace", "whether SAVE replaces files that Kestrel did not write, as `REPLACE` does; never a source of the session", False
    )
    cache: Path | None = _key(
        FOLDER, "cache.folder", "where read files are kept between runs; `off` keeps none", _user_cache_folder, variable="KESTREL_CACHE"
    )
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """By field: `PATH:LINE` or `$VARIABLE`."""
    notices: tuple[Notice, ...] = field(default=(), compare=False)

    @property
    def lent(self) -> tuple[timedelta, timedelta]:
        """What is added to the start and to the stop of a derived time range."""
        return timedelta(seconds=self.lent_start_offset), timedelta(seconds=self.lent_stop_offset)

    def listing(self) -> Iterator[tuple[str, Any, str, str]]:
        """For every key: its name, its value as `kestrel.yaml` would write it, where that came from, its meaning."""
        for name, key in KEYS.items():
            value = getattr(self, name)
            written = key.kind.nothing if value is None else str(value) if isinstance(value, Path) else value
            yield key.name, written, self.origins.get(name, "default"), key.meaning


KEYS: dict[str, Key] = {f.name: f.metadata["key"] for f in fields(Settings) if "key" in f.metadata}
"""Every key, by its field of `Settings`."""

NAMES: dict[str, str] = {name: f for f, key in KEYS.items() for name in (key.name, key.former) if name}
"""The fields by every name they may have in `kestrel.yaml`."""


@dataclass(frozen=True, slots=True)
class Former:
    """Why a key of Kestrel 1.x has no meaning here. `held`: the one value that holds here always, and so needs no notice."""

    why: str
    held: str | None = None


_NO_PREFETCH = Former("there is no prefetch: each step asks for what it needs")
_NO_DEBUG = Former("there is no debug mode")
_NO_OFFSETS = Former("which records belong to one process is not decided by offsets")

FORMER: dict[str, Former] = {
    "language.default_sort_order": Former("SORT is descending unless it says ASC", held="desc"),
    "language.default_analytics_schema": Former("a name without a scheme is a Python function that is set up, else a built-in analytic"),
    "session.cache_directory_prefix": Former("a session has no folder of its own; `cache.folder` says where read files are kept"),
    "session.local_database_path": Former("the variables of a session are kept in memory"),
    "session.log_path": Former("no log file is written"),
    "session.debug_env_var_name": _NO_DEBUG,
    "prefetch.get": _NO_PREFETCH,
    "prefetch.find": _NO_PREFETCH,
    "prefetch.switch_per_command": _NO_PREFETCH,
    "prefetch.excluded_entities": _NO_PREFETCH,
    "prefetch.process_identification": _NO_OFFSETS,
    "prefetch.process_name_change_timerange_start_offset": _NO_OFFSETS,
    "prefetch.process_name_change_timerange_stop_offset": _NO_OFFSETS,
    "prefetch.process_lifespan_start_offset": _NO_OFFSETS,
    "prefetch.process_lifespan_stop_offset": _NO_OFFSETS,
    "stixquery.support_id": Former("an entity's own id is always used"),
    "debug.env_var": _NO_DEBUG,
    "debug.cache_directory": _NO_DEBUG,
    "debug.cache_directory_prefix": _NO_DEBUG,
    "debug.session_exit_marker": _NO_DEBUG,
    "debug.maximum_exited_session": _NO_DEBUG,
    "datasources": Former("profiles of data sources are kept in `stixshifter.yaml`"),
    "analytics": Former("analytics are set up in `pythonanalytics.yaml`"),
}
"""Keys of Kestrel 1.x (all its releases) that have no meaning here."""

SECTIONS = tuple(dict.fromkeys(name.rpartition(".")[0] for name in (*NAMES, *FORMER) if "." in name))


# -- reading ------------------------------------------------------------------------------------------------------


def settings_file() -> Path:
    """Where `kestrel.yaml` is, or would be."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named).expanduser() if named else settings_folder() / "kestrel.yaml"


def load_settings() -> Settings:
    """What the settings file and the environment say; the environment wins. Raises HuntErrors with every mistake of both."""
    reading = _Reading(settings_file())
    try:
        reading.file()
        reading.environment()
    except KestrelError as error:
        reading.errors.append(error)
    if reading.errors:
        raise HuntErrors(Source("", str(reading.path)), reading.errors)
    return Settings(**reading.values, origins=reading.origins, notices=tuple(reading.notices))


@dataclass
class _Reading:
    path: Path
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    given: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By field: under which name and in which line the file gave it."""
    notices: list[Notice] = field(default_factory=list)
    errors: list[KestrelError] = field(default_factory=list)

    def file(self) -> None:
        import yaml

        try:
            entries = yaml_entries(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            if os.environ.get(FILE_VARIABLE):
                raise NoSettingsFile(self.path) from error
            return
        except OSError as error:
            raise UnreadableSettings(self.path, error.strerror or "it cannot be opened") from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            line = wrong_line(error)
            raise UnreadableSettings(self.path, f"line {line} is wrong" if line else "it is not valid YAML in UTF-8") from None
        self._entries(entries)

    def environment(self) -> None:
        for name, key in KEYS.items():
            if key.variable and (value := os.environ.get(key.variable)):
                self._value(name, key.name, value, f"`{key.variable}`", f"${key.variable}")

    def _entries(self, entries: Sequence[Entry], section: str = "") -> None:
        for entry in entries:
            name = f"{section}.{entry.name}" if section else entry.name
            where = f"`{self.path}` line {entry.line}"
            if name in NAMES:
                self._entry(name, entry, where)
            elif name in FORMER:
                former = FORMER[name]
                if former.held is None or entry.value != former.held:
                    self.notices.append(Notice("former-setting", f"{where}: `{name}` of Kestrel 1.x has no meaning here: {former.why}"))
            elif name not in SECTIONS:
                self.errors.append(UnknownKey(where, name, [*(k.name for k in KEYS.values()), *SECTIONS]))
            elif isinstance(entry.value, tuple):
                self._entries(entry.value, name)
            elif entry.value is not None:
                self.errors.append(WrongSetting(where, name, "settings, each in a line below it"))

    def _entry(self, name: str, entry: Entry, where: str) -> None:
        known = NAMES[name]
        if known in self.given:
            self.errors.append(SetTwice(where, name, *self.given[known]))
            return
        self.given[known] = (name, entry.line)
        try:
            value = expand(entry.value, where)
        except KestrelError as error:
            self.errors.append(error)
            return
        self._value(known, name, value, where, f"{self.path}:{entry.line}")
        folder = self.values.get(known)
        if isinstance(folder, Path):
            self.values[known] = self.path.parent / folder

    def _value(self, known: str, name: str, value: Any, where: str, origin: str) -> None:
        kind = KEYS[known].kind
        try:
            self.values[known] = kind.read(value)
            self.origins[known] = origin
        except ValueError:
            self.errors.append(WrongSetting(where, name, kind.expected))
