"""How YAML and the environment are read, and where the user's settings files are."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

from kestrel.errors import KestrelError

REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.ASCII)
"""What stands for something else in a value of a settings file: `$$`, `$NAME`, `${NAME}`."""


class MissingVariable(KestrelError):
    code: ClassVar[str] = "K0604"

    def __init__(self, where: str, name: str) -> None:
        super().__init__(
            f"{where} names the environment variable `{name}`, which is not set",
            None,
            f"set `{name}`; a dollar sign of its own is written `$$`",
        )


def expand(value: Any, where: str) -> Any:
    """A value of a settings file with `$NAME` and `${NAME}` replaced from the environment, and `$$` by a dollar.

    Text inside lists and mappings is expanded too; what is no text stays. `where` opens the sentence of
    MissingVariable, which is raised for a variable that is not set.
    """

    def replaced(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["bare"] or found["braced"]
        if name not in os.environ:
            raise MissingVariable(where, name)
        return os.environ[name]

    match value:
        case str():
            return REFERENCE.sub(replaced, value)
        case list():
            return [expand(v, where) for v in value]
        case dict():
            return {k: expand(v, where) for k, v in value.items()}
        case _:
            return value


def load_yaml(text: str) -> Any:
    """A YAML text as plain Python data. Raises yaml.YAMLError."""
    import yaml

    return yaml.load(text, Loader=_loader())


@dataclass(frozen=True, slots=True)
class Entry:
    """One `name: value` of a YAML mapping and its line, counted from 1. The value of a mapping is a tuple of entries."""

    name: str
    value: Any
    line: int


def yaml_entries(text: str) -> tuple[Entry, ...]:
    """The entries of a YAML text in its order, repeated ones too; none where the text is empty.

    Raises yaml.YAMLError, also where the text is no mapping, and ValueError for a date that is none.
    """
    import yaml

    loader = _loader()(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return ()
        if not isinstance(root, yaml.MappingNode):
            raise yaml.MarkedYAMLError(problem="no mapping", problem_mark=root.start_mark)
        return _entries(loader, root)
    finally:
        loader.dispose()


def _entries(loader: Any, mapping: Any) -> tuple[Entry, ...]:
    import yaml

    return tuple(
        Entry(
            str(name.value),
            _entries(loader, value) if isinstance(value, yaml.MappingNode) else loader.construct_object(value, deep=True),
            name.start_mark.line + 1,
        )
        for name, value in mapping.value
    )


def _loader() -> Any:
    """PyYAML's loader of plain data: the fast one where it is built in."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def wrong_line(error: Exception) -> int | None:
    """The line at which YAML goes wrong, counted from 1; None where the error does not tell."""
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else None


@cache
def packaged(package: str, name: str) -> Any:
    """A YAML file that ships in the package."""
    return load_yaml((resources.files(package) / name).read_text(encoding="utf-8"))


def settings_folder() -> Path:
    """The user's configuration folder of Kestrel."""
    import platformdirs

    return Path(platformdirs.user_config_dir("kestrel"))


def state_folder() -> Path:
    """Where Kestrel keeps what the user did, as the lines typed at the prompt."""
    import platformdirs

    return Path(platformdirs.user_state_dir("kestrel"))
