"""The analytics that ship with Kestrel: they need no network, no pandas and nothing to be set up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kestrel.analytics import beacons, indicators, risk
from kestrel.analytics.contract import BadArgument, Input, Outcome, UnknownArgument, WrongInputs

Work = Callable[[str, str, Sequence[Mapping[str, Any]], Mapping[str, Any]], Outcome]
"""(name of the variable, its type, its rows, arguments) to an outcome with one table."""


@dataclass(frozen=True)
class Parameter:
    """An argument it takes: what it is, and its value where none is given. Without one it must be given."""

    kind: type[float] | type[str]
    default: float | None = None
    least: float = 0


@dataclass(frozen=True)
class BuiltIn:
    """`types`: those it works on, None for every type. Several variables are worked on one by one."""

    name: str
    work: Work
    types: frozenset[str] | None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def check(self, types: Sequence[str], arguments: Collection[str]) -> None:
        for argument in arguments:
            if argument not in self.parameters:
                raise UnknownArgument(self.name, argument, list(self.parameters))
        for name, parameter in self.parameters.items():
            if parameter.default is None and name not in arguments:
                raise WrongInputs(self.name, f"needs the argument `{name}`", f"write `WITH {name}='...'`")
        if not types:
            raise WrongInputs(self.name, "needs a variable")
        for given in types:
            if self.types is not None and given not in self.types:
                raise WrongInputs(self.name, f"works on {' and '.join(sorted(self.types))}, not on {given}")

    def run(self, inputs: Sequence[Input], arguments: Mapping[str, Any], scratch: Path) -> Outcome:
        self.check([i.type for i in inputs], arguments)
        values = {n: self._value(n, p, arguments.get(n, p.default)) for n, p in self.parameters.items()}
        parts = [self.work(i.name, i.type, i.to_dicts(), values) for i in inputs]
        return Outcome(
            tuple(p.tables[0] for p in parts),
            tuple(d for p in parts for d in p.displays),
            tuple(line for p in parts for line in p.log),
        )

    def _value(self, name: str, parameter: Parameter, value: Any) -> Any:
        if parameter.kind is str:
            values = value if isinstance(value, list | tuple) else [value]
            if not values or not all(isinstance(v, str) and v for v in values):
                raise BadArgument(self.name, name, "must be text, or a list of texts")
            return tuple(values)
        try:
            number = float(value) if not isinstance(value, bool) else float("nan")
        except (TypeError, ValueError):
            number = float("nan")
        if not parameter.least <= number < float("inf"):
            raise BadArgument(self.name, name, f"must be a number, {parameter.least:g} or more")
        return number


BUILT_IN: dict[str, BuiltIn] = {
    "risk": BuiltIn("builtin://risk", risk.score, frozenset({"process"})),
    "beacons": BuiltIn(
        "builtin://beacons", beacons.detect, frozenset({"network-traffic"}), {"contacts": Parameter(float, 5, 3), "burst": Parameter(float, 1)}
    ),
    "indicators": BuiltIn("builtin://indicators", indicators.match, None, {"path": Parameter(str)}),
}
