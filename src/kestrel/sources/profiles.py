"""Data source profiles: what `stixshifter://NAME` stands for.

Three environment variables name one, as in Kestrel 1.x: STIXSHIFTER_NAME_CONNECTOR, _CONNECTION and _CONFIG (both JSON).
Else `stixshifter.yaml`, at `KESTREL_STIXSHIFTER_CONFIG` or in the user's configuration folder. Names ignore case.
`$NAME` in a value of the file is an environment variable, looked up when the profile is used.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kestrel.config import expand, load_yaml, settings_folder, wrong_line
from kestrel.errors import KestrelError
from kestrel.text import listed, nearest

PREFIX = "STIXSHIFTER_"
FILE_VARIABLE = "KESTREL_STIXSHIFTER_CONFIG"


@dataclass(frozen=True)
class Profile:
    """A named data source. `connection` and `configuration` may hold secrets and take no part in printing."""

    name: str
    connector: str
    connection: dict[str, Any] = field(repr=False)
    configuration: dict[str, Any] = field(default_factory=dict, repr=False)
    base: Path | None = None
    """Where relative paths of the connection count from: the folder of the settings file, else the current one."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A profile that is set up, without what it says: `origin` is `$VARIABLE` or the path of the settings file."""

    name: str
    connector: str
    origin: str


class UnknownProfile(KestrelError):
    code: ClassVar[str] = "K0403"

    def __init__(self, name: str, known: list[str]) -> None:
        close = nearest(name, known)
        upper = name.upper()
        stated = f"did you mean `{close}`? Known profiles: " if close else "known profiles: " if known else "no profile is set up"
        stated += f"{listed(known)}. To add one, set "
        stated += f"`{PREFIX}{upper}_CONNECTOR`, `{PREFIX}{upper}_CONNECTION` and `{PREFIX}{upper}_CONFIG`, or put `{name}` into {settings_file()}"
        stated += "" if close else "; a file is named by its path, like `./logs.json`"
        super().__init__(f"there is no data source profile `{name}`", None, stated)


class BadProfile(KestrelError):
    code: ClassVar[str] = "K0404"

    def __init__(self, name: str, where: str, why: str) -> None:
        super().__init__(f"{f'the profile `{name}`' if name else 'no profile'} can{'not' if name else ''} be used: {where} {why}")


def settings_file() -> Path:
    """Where `stixshifter.yaml` is, or would be."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named).expanduser() if named else settings_folder() / "stixshifter.yaml"


def profile_names() -> list[str]:
    """Every profile that is set up, in lower case."""
    return [p.name for p in profiles_set_up()]


def profiles_set_up() -> list[Listing]:
    """Every profile that is set up, by its name in lower case, with its connector as it was written. Raises BadProfile."""
    found = {}
    for name, entry in _from_file().items():
        connector = entry.get("connector") if isinstance(entry, dict) else None
        found[str(name).lower()] = Listing(str(name).lower(), str(connector or ""), str(settings_file()))
    for variable, connector in os.environ.items():
        upper = variable.upper()
        if connector and upper.startswith(PREFIX) and upper.endswith("_CONNECTOR"):
            name = upper[len(PREFIX) : -len("_CONNECTOR")].lower()
            found[name] = Listing(name, connector, f"${variable}")
    return sorted(found.values(), key=lambda p: p.name)


def profile(name: str) -> Profile:
    """The profile of a name in any case. Raises UnknownProfile, BadProfile."""
    environment = {k.upper(): v for k, v in os.environ.items()}
    stem = PREFIX + name.upper()
    connector = environment.get(f"{stem}_CONNECTOR")
    if connector:
        connection = _json(name, f"{stem}_CONNECTION", environment.get(f"{stem}_CONNECTION", "{}"))
        configuration = _json(name, f"{stem}_CONFIG", environment.get(f"{stem}_CONFIG", "{}"))
        return Profile(name, connector, connection, configuration)
    for known, entry in _from_file().items():
        if str(known).lower() == name.lower():
            return _read(name, entry)
    raise UnknownProfile(name, profile_names())


def _read(name: str, entry: Any) -> Profile:
    """A profile of the settings file, its environment variables looked up. Raises BadProfile, MissingVariable."""
    file = settings_file()
    if not isinstance(entry, dict) or not isinstance(entry.get("connector"), str):
        raise BadProfile(name, str(file), "must give it a `connector` and a `connection`")
    parts = [entry.get(part) or {} for part in ("connection", "config")]
    if not all(isinstance(part, dict) for part in parts):
        raise BadProfile(name, str(file), "must give its `connection` and `config` as mappings")
    connector, connection, configuration = expand([entry["connector"], *parts], f"the profile `{name}` in `{file}`")
    if entry.get("clock") is not None:
        connection = {"clock": entry["clock"], **connection}
    return Profile(name, connector, connection, configuration, file.parent)


def _json(name: str, variable: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        where = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadProfile(name, f"`{variable}`", f"is not valid JSON (the error is{where})") from None
    if not isinstance(value, dict):
        raise BadProfile(name, f"`{variable}`", 'must be a JSON object, like `{"path": "logs.json"}`')
    return value


def _from_file() -> dict[str, Any]:
    path = settings_file()
    if not path.is_file():
        return {}
    import yaml

    try:
        data = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = wrong_line(error)
        raise BadProfile("", f"`{path}`", f"is not valid YAML (line {line})" if line else "is not valid YAML") from None
    profiles = data.get("profiles") if isinstance(data, dict) else None
    return profiles if isinstance(profiles, dict) else {}
