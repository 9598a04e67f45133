"""Where things are kept and what the environment says: the only reader of environment variables and settings files."""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any


def load_yaml(text: str) -> Any:
    """A YAML text as plain Python data. Raises yaml.YAMLError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)


@cache
def packaged(package: str, name: str) -> Any:
    """A YAML file that ships in the package."""
    return load_yaml((resources.files(package) / name).read_text(encoding="utf-8"))


def cache_folder() -> Path | None:
    """Where read files are kept between runs; None when `KESTREL_CACHE` is `off`."""
    named = os.environ.get("KESTREL_CACHE")
    if named and named.lower() in {"off", "0", "none", "false"}:
        return None
    if named:
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("kestrel"))


def settings_folder() -> Path:
    """The user's configuration folder of Kestrel."""
    import platformdirs

    return Path(platformdirs.user_config_dir("kestrel"))


def state_folder() -> Path:
    """Where Kestrel keeps what the user did, as the lines typed at the prompt."""
    import platformdirs

    return Path(platformdirs.user_state_dir("kestrel"))
