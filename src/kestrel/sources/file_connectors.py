"""The connectors whose records are in files: log files, and STIX bundles on this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kestrel.formats.format import bundle_format
from kestrel.graph.steps import Source
from kestrel.pushdown.request import Connector
from kestrel.sources.files import files_source
from kestrel.sources.profiles import BadProfile, Profile
from kestrel.sources.stixshifter.connector import connect as connect_stix_shifter


def log_files(found: Profile, uri: str) -> Source:
    """The connector `file`. Raises KestrelError."""
    log_format = found.connection.get("log_format", found.connection.get("shape"))
    clock = _clock(found.name, found.connection.get("clock"))
    return files_source(uri, _paths(found, found.connection.get("path")), log_format if isinstance(log_format, str) else None, clock)


def bundles(found: Profile, uri: str) -> Source | Connector:
    """The connector `stix_bundle`: a bundle on this machine is read like a log file, others by STIX-shifter. Raises KestrelError."""
    named = next((v for key in ("path", "url", "host") if (v := found.connection.get(key))), None)
    if any(isinstance(p, str) and "://" in p and not p.startswith("file:") for p in (named if isinstance(named, list) else [named])):
        return connect_stix_shifter(found, uri)
    return files_source(uri, _paths(found, named), bundle_format())


def _clock(name: str, value: object) -> str:
    """The UTC offset of local times, `+02:00`; empty if the profile leaves it to the records. Raises BadProfile."""
    if value is None:
        return ""
    if isinstance(value, str) and value.lower() in ("utc", "z"):
        return "+00:00"
    if isinstance(value, str) and (found := re.fullmatch(r"([+-])(\d\d?):?([0-5]\d)?", value)) and int(found[2]) <= 24:
        return f"{found[1]}{int(found[2]):02}:{found[3] or '00'}"
    raise BadProfile(name, "its `clock`", "must be `utc` or an offset like `+02:00`")


def _paths(found: Profile, path: Any) -> list[str]:
    """The paths and globs of a connection, one or a list. Raises BadProfile."""
    paths = [path] if isinstance(path, str) else path
    if not isinstance(paths, list) or not paths or not all(isinstance(p, str) and p for p in paths):
        raise BadProfile(found.name, "its connection", 'needs a path, like `{"path": "logs/*.json"}`')
    if found.base:
        return [p if p.startswith("file:") else str(found.base / Path(p).expanduser()) for p in paths]
    return paths
