"""What an analytic is given and what it gives back, and the mistakes every kind of analytic can make."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from kestrel.errors import KestrelError
from kestrel.result import Picture, Table, Text
from kestrel.text import listed, nearest

SCHEMES = ("python", "exec", "docker", "builtin")

Returned = Any
"""New attributes of a variable: a pandas DataFrame, a list of dictionaries, or the Path of a Parquet file. Every row has
the `id` of an entity; columns it came with may stand beside new ones. Times of a DataFrame are in UTC, without a zone."""

Shown = Table | Text | Picture


class Input(Protocol):
    """One variable as an analytic sees it: one row an entity, `id` and attributes by their dotted names, times in UTC."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    def to_pandas(self) -> Any: ...
    def to_dicts(self) -> list[dict[str, Any]]: ...
    def to_parquet(self, path: Path) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What an analytic found.

    tables: one for each input, None where it was not returned. displays: what it shows, in order.
    log: what it printed, the last lines of it.
    """

    tables: tuple[Returned | None, ...]
    displays: tuple[Shown, ...] = ()
    log: tuple[str, ...] = ()


class Analytic(Protocol):
    """Something APPLY can run. `name` is its URI, as errors say it."""

    @property
    def name(self) -> str: ...

    def check(self, types: Sequence[str], arguments: Collection[str]) -> None:
        """Raise WrongInputs or UnknownArgument for what can be seen before it runs: types of the variables, names of arguments."""

    def run(self, inputs: Sequence[Input], arguments: Mapping[str, Any], scratch: Path) -> Outcome:
        """Run it to its end. `scratch` is a folder that must live until the outcome's tables have been read.

        Arguments are text, numbers, booleans, times, or lists of these. Raises a KestrelError of this package.
        """


class UnknownScheme(KestrelError):
    code: ClassVar[str] = "K0501"

    def __init__(self, uri: str, scheme: str) -> None:
        close = nearest(scheme, SCHEMES)
        stated = f"did you mean `{close}://`? Known: " if close else "known: "
        super().__init__(f"no analytic is reached by `{scheme}://`", None, stated + listed(f"{s}://" for s in SCHEMES))


class UnknownAnalytic(KestrelError):
    """`remedy` says what to set for the name to be known."""

    code: ClassVar[str] = "K0502"

    def __init__(self, uri: str, known: Sequence[str], remedy: str) -> None:
        close = nearest(uri, known)
        stated = f"did you mean `{close}`? Known: {listed(known)}. " if close else f"known: {listed(known)}. " if known else "none is set up. "
        super().__init__(f"there is no analytic `{uri}`", None, stated + remedy)


class AnalyticFailed(KestrelError):
    """It ran and went wrong. `lines`: what it said last."""

    code: ClassVar[str] = "K0504"
    part = "analytic"

    def __init__(self, name: str, why: str, lines: Sequence[str], hint: str | None = None) -> None:
        super().__init__(f"the analytic `{name}` {why}{last(lines)}", None, hint)


class TimeLimit(KestrelError):
    code: ClassVar[str] = "K0505"
    part = "analytic"

    def __init__(self, name: str, seconds: float, lines: Sequence[str]) -> None:
        super().__init__(
            f"the analytic `{name}` was stopped after its time limit of {seconds:g} seconds{last(lines)}",
            None,
            "give it fewer entities, or raise `time_limit` in its profile",
        )


class WrongReturn(KestrelError):
    """What it gave back cannot be taken."""

    code: ClassVar[str] = "K0506"
    part = "analytic"

    def __init__(self, name: str, what: str, hint: str | None = None) -> None:
        super().__init__(f"the analytic `{name}` {what}", None, hint)


class WrongInputs(KestrelError):
    """The number or the types of the variables are not what it takes."""

    code: ClassVar[str] = "K0507"
    part = "analytic"

    def __init__(self, name: str, what: str, hint: str | None = None) -> None:
        super().__init__(f"the analytic `{name}` {what}", None, hint)


class UnknownArgument(KestrelError):
    code: ClassVar[str] = "K0508"
    part = "analytic"

    def __init__(self, name: str, argument: str, known: Sequence[str]) -> None:
        close = nearest(argument, known)
        stated = f"did you mean `{close}`? " if close else ""
        super().__init__(f"the analytic `{name}` takes no argument `{argument}`", None, stated + f"it takes {listed(known) or 'none'}")
        self.part = f"argument {argument}"


class BadArgument(KestrelError):
    code: ClassVar[str] = "K0509"
    part = "analytic"

    def __init__(self, name: str, argument: str, why: str, hint: str | None = None) -> None:
        super().__init__(f"the argument `{argument}` of the analytic `{name}` {why}", None, hint)
        self.part = f"argument {argument}"


class CannotStart(KestrelError):
    """The program, the container or the library it needs is not there."""

    code: ClassVar[str] = "K0510"
    part = "analytic"

    def __init__(self, name: str, why: str, hint: str | None = None) -> None:
        super().__init__(f"the analytic `{name}` cannot start: {why}", None, hint)


def last(lines: Sequence[str], count: int = 10, width: int = 200) -> str:
    """The last lines for an error's sentence, made harmless for a terminal; nothing if there are none."""
    shown = [line for line in lines if line.strip()][-count:]
    if not shown:
        return ""
    safe = ("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line.expandtabs(4)) for line in shown)
    return "; its last lines:" + "".join(f"\n    {line[:width]}{'...' if len(line) > width else ''}" for line in safe)
