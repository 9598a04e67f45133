"""Data source profiles: what `stixshifter://NAME` stands for.

Three environment variables name one, as in Kestrel 1.x: STIXSHIFTER_NAME_CONNECTOR, _CONNECTION and _CONFIG (both JSON).
Else `stixshifter.yaml`, at `KESTREL_STIXSHIFTER_CONFIG` or in the user's configuration folder. Names ignore case.
`$NAME` in a value of the file is an environment variable, looked up when the profile is used.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kestrel.config import expand, load_yaml, settings_folder, wrong_line
from kestrel.errors import KestrelError
from kestrel.formats.format import bundle_format
from kestrel.graph.steps import Source
from kestrel.sources.files import files_source
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
        told = f"did you mean `{close}`? Known profiles: " if close else "known profiles: " if known else "no profile is set up"
        told += f"{listed(known)}. To add one, set "
        told += f"`{PREFIX}{upper}_CONNECTOR`, `{PREFIX}{upper}_CONNECTION` and `{PREFIX}{upper}_CONFIG`, or put `{name}` into {settings_file()}"
        told += "" if close else "; a file is named by its path, like `./logs.json`"
        super().__init__(f"there is no data source profile `{name}`", None, told)


class BadProfile(KestrelError):
    code: ClassVar[str] = "K0404"

    def __init__(self, name: str, where: str, why: str) -> None:
        super().__init__(f"{f'the profile `{name}`' if name else 'no profile'} can{'not' if name else ''} be used: {where} {why}")


class UnknownConnector(KestrelError):
    code: ClassVar[str] = "K0405"

    def __init__(self, name: str, connector: str) -> None:
        super().__init__(
            f"the profile `{name}` asks for the connector `{connector}`, and none can have that name",
            None,
            'the connector `file` reads log files: set the connection to `{"path": "logs/*.json"}`; others are those of STIX-shifter',
        )


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


def _clock(name: str, value: object) -> str:
    """The UTC offset of local times, `+02:00`; empty if the profile leaves it to the records. Raises BadProfile."""
    if value is None:
        return ""
    if isinstance(value, str) and value.lower() in ("utc", "z"):
        return "+00:00"
    if isinstance(value, str) and (found := re.fullmatch(r"([+-])(\d\d?):?([0-5]\d)?", value)) and int(found[2]) <= 24:
        return f"{found[1]}{int(found[2]):02}:{found[3] or '00'}"
    raise BadProfile(name, "its `clock`", "must be `utc` or an offset like `+02:00`")


def open_profile(uri: str, name: str) -> Source:
    """The source a profile describes."""
    found = profile(name)
    match found.connector:
        case "file":
            log_format = found.connection.get("log_format", found.connection.get("shape"))
            clock = _clock(name, found.connection.get("clock"))
            return files_source(uri, _paths(found, found.connection.get("path")), log_format if isinstance(log_format, str) else None, clock)
        case "stix_bundle" | "stix-bundle" if is_local_bundle(found):
            return files_source(uri, _paths(found, _bundle(found)), bundle_format())
        case "elastic_ecs" | "elastic" | "opensearch" if is_native(found):
            from kestrel.sources.elastic.place import place_of

            return Source(uri, (), place=place_of(found).address)
        case _:
            from kestrel.sources.stixshifter import installed
            from kestrel.sources.stixshifter.fetch import Shifter, address
            from kestrel.sources.stixshifter.trouble import NotInstalled

            if not installed.may_be(found.connector):
                raise UnknownConnector(name, found.connector)
            if not installed.is_here(found.connector):
                raise NotInstalled(found.connector, name)
            return Source(uri, (), place=address(Shifter(found).profile))


def _paths(found: Profile, path: Any) -> list[str]:
    """The paths and globs of a connection, one or a list. Raises BadProfile."""
    paths = [path] if isinstance(path, str) else path
    if not isinstance(paths, list) or not paths or not all(isinstance(p, str) and p for p in paths):
        raise BadProfile(found.name, "its connection", 'needs a path, like `{"path": "logs/*.json"}`')
    if found.base:
        return [p if p.startswith("file:") else str(found.base / Path(p).expanduser()) for p in paths]
    return paths


def _bundle(found: Profile) -> Any:
    """The location of a bundle: the connector's `url`, Kestrel 1.x's `host`, or a `path`."""
    return next((v for key in ("path", "url", "host") if (v := found.connection.get(key))), None)


def is_local_bundle(found: Profile) -> bool:
    """Whether a profile names STIX bundles on this machine, which Kestrel reads itself."""
    if found.connector not in ("stix_bundle", "stix-bundle"):
        return False
    named = _bundle(found)
    return not any(isinstance(p, str) and "://" in p and not p.startswith("file:") for p in (named if isinstance(named, list) else [named]))


def needs_connector(found: Profile) -> bool:
    """Whether a connector of STIX-shifter asks for a profile's records."""
    return found.connector != "file" and not is_native(found) and not is_local_bundle(found)


def is_native(found: Profile) -> bool:
    """Whether Kestrel asks the server itself: Elasticsearch and OpenSearch, unless an option says otherwise."""
    options = found.connection.get("options")
    asked = options.get("native", True) if isinstance(options, dict) else True
    return found.connector in ("elastic", "opensearch") or (found.connector == "elastic_ecs" and asked not in (False, "false", "False", 0))


def open_elastic(uri: str, name: str) -> Source:
    """The schemes `elastic` and `opensearch`: the same profiles, asked natively."""
    found = profile(name)
    from kestrel.sources.elastic.place import CONNECTORS, place_of

    if found.connector not in CONNECTORS:
        raise BadProfile(name, "its connector", f"is `{found.connector}`, and `{uri.partition(':')[0]}://` asks one of {listed(CONNECTORS)}")
    return Source(uri, (), place=place_of(found).address)
