"""Which analytics are set up: `pythonanalytics.yaml`, in the user's configuration folder or where
`KESTREL_PYTHON_ANALYTICS_CONFIG` says. A file of Kestrel 1.x is read as it is; two more sections name programs and containers.

    profiles:                                   # python://enrich
      enrich:
        module: ~/analytics/enrich.py           # a file, or a dotted name that Python can import
        func: analytics
    exec:                                       # exec://cluster
      cluster:
        command: [python3, ./cluster.py]        # a list, never a shell line
        time_limit: 60                          # seconds; 600 unless given
        environment: [VT_API_KEY]               # environment variables it gets in addition to PATH, HOME and similar ones
        arguments: [MODEL_DIR]                  # argument names (after WITH) that a runtime could read as a setting
    docker:                                     # docker://score; without an entry: the image kestrel-analytics-score
      score:
        image: example/score:2
        time_limit: 60

Paths count from the folder of this file: those of modules (else from the current folder, as in 1.x), and the parts of a
command that begin with `./` or `../`. `~/` is the user's home. Names ignore case.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from kestrel.analytics.contract import UnknownAnalytic
from kestrel.config import load_yaml, settings_folder
from kestrel.errors import KestrelError

VARIABLE = "KESTREL_PYTHON_ANALYTICS_CONFIG"
SECTIONS = {"python": "profiles", "exec": "exec", "docker": "docker"}
"""The section of the file for each scheme."""
TIME_LIMIT = 600.0
"""Seconds an exec or docker analytic may take unless its profile says otherwise."""


class BadAnalyticProfile(KestrelError):
    code: ClassVar[str] = "K0503"

    def __init__(self, uri: str, why: str, hint: str | None = None) -> None:
        super().__init__(f"the analytic `{uri}` cannot be used: {why}", None, hint)


@dataclass(frozen=True)
class Profile:
    """One entry of the file. It may hold what is nobody's business and takes no part in printing."""

    uri: str
    entry: dict[str, Any] = field(repr=False)
    base: Path
    """Where relative paths count from."""

    def text(self, key: str, example: str) -> str:
        """A setting that must be text."""
        value = self.entry.get(key)
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise BadAnalyticProfile(self.uri, f"its profile in {settings_file()} needs a `{key}`", f"like `{key}: {example}`")
        return value

    def names(self, key: str, example: str) -> tuple[str, ...]:
        """A setting that is a list of names; empty if it is missing."""
        value = self.entry.get(key) or []
        if not isinstance(value, list) or not all(isinstance(v, str) and v and "=" not in v and "\0" not in v for v in value):
            raise BadAnalyticProfile(self.uri, f"its `{key}` is not a list of names", f"like `{key}: [{example}]`")
        return tuple(value)

    def time_limit(self) -> float:
        """In seconds."""
        value = self.entry.get("time_limit", TIME_LIMIT)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise BadAnalyticProfile(self.uri, "its `time_limit` is no number of seconds", "like `time_limit: 60`")
        return float(value)


def settings_file() -> Path:
    """Where `pythonanalytics.yaml` is, or would be."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else settings_folder() / "pythonanalytics.yaml"


def profile_names(kind: str) -> list[str]:
    """The names set up for a scheme, as written."""
    return sorted(_section(kind))


def is_set_up(kind: str, name: str) -> bool:
    """Whether a scheme has this name."""
    return name.lower() in (n.lower() for n in _section(kind))


def profile(kind: str, name: str) -> Profile:
    """The entry of a name. Raises UnknownAnalytic, BadAnalyticProfile."""
    uri = f"{kind}://{name}"
    for known, entry in _section(kind).items():
        if known.lower() == name.lower():
            if not isinstance(entry, dict):
                raise BadAnalyticProfile(uri, f"its entry in {settings_file()} is no mapping")
            return Profile(f"{kind}://{known}", entry, settings_file().absolute().parent)
    remedy = f"Add `{name}` to the section `{SECTIONS[kind]}` of {settings_file()} (`{VARIABLE}` says where that file is)"
    raise UnknownAnalytic(uri, [f"{kind}://{n}" for n in profile_names(kind)], remedy)


def _section(kind: str) -> dict[str, Any]:
    path = settings_file()
    if not path.is_file():
        return {}
    import yaml

    try:
        data = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise BadAnalyticProfile(f"{kind}://", f"{path} is not valid YAML text that can be read{line}") from None
    section = data.get(SECTIONS[kind]) if isinstance(data, dict) else None
    return {str(name): entry for name, entry in section.items()} if isinstance(section, dict) else {}
