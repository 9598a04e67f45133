"""Data sources from other packages: a failure in one is reported as a failure of that package."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar

from kestrel.errors import KestrelError

OPTIONAL = frozenset({"recognition", "check"})
"""The methods that a fetcher may lack."""


class PluginFailed(KestrelError):
    code: ClassVar[str] = "K0453"
    part = "source"

    def __init__(self, entry: EntryPoint, why: str) -> None:
        package = f" of the package {entry.dist.name} {entry.dist.version}" if entry.dist else ""
        super().__init__(
            f"the data source plug-in `{entry.name}` failed: {why}",
            None,
            f"`{entry.value}`{package} is not part of Kestrel: report this to its authors",
        )


def found(group: str) -> dict[str, EntryPoint]:
    """The plug-ins of a group by name."""
    return {e.name: e for e in entry_points(group=group)}


def is_own(entry: EntryPoint) -> bool:
    """Whether a plug-in is part of Kestrel."""
    return entry.value.startswith("kestrel.")


def call(entry: EntryPoint, expected: type[Any] | None, *arguments: Any) -> Any:
    """What the function of a plug-in returns, which must be of a type where one is expected. Raises PluginFailed, KestrelError."""
    opener = guarded(entry, entry.load)()
    if not callable(opener):
        raise PluginFailed(entry, f"it is a `{type(opener).__name__}`, not a function")
    result = guarded(entry, opener)(*arguments)
    if expected is not None and not isinstance(result, expected):
        raise PluginFailed(entry, f"it returned a `{type(result).__name__}`, not a `{expected.__name__}`")
    return result


def guarded(entry: EntryPoint, act: Callable[..., Any]) -> Callable[..., Any]:
    """A function of a plug-in whose failures become PluginFailed; Kestrel's own errors pass through."""
    if is_own(entry):
        return act

    def guard(*arguments: Any, **named: Any) -> Any:
        try:
            return act(*arguments, **named)
        except KestrelError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginFailed(entry, _said(error)) from error

    return guard


class Guarded:
    """A fetcher of a plug-in, each method of which is guarded."""

    def __init__(self, entry: EntryPoint, inner: Any) -> None:
        vars(self)["_entry"], vars(self)["_inner"] = entry, inner

    def __getattr__(self, name: str) -> Any:
        if name in OPTIONAL and not guarded(self._entry, hasattr)(self._inner, name):
            raise AttributeError(name)
        value = guarded(self._entry, getattr)(self._inner, name)
        return guarded(self._entry, value) if callable(value) else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._inner, name, value)


def _said(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
