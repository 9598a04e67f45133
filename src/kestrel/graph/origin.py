"""How a variable was made, and what the names in its statement referred to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

LONGEST = 200
"""Characters of a parameter's value that are shown."""
State = Literal["unchanged", "redefined", "gone"]


@dataclass(frozen=True)
class Named:
    """A variable or parameter (`$name`) that a statement names: its meaning at that time and, for a variable, how it was made."""

    name: str
    meaning: Any
    origin: Origin | None

    @property
    def text(self) -> str:
        """How it was made, or its value, truncated if it is long."""
        if self.origin:
            return self.origin.text
        value = str(self.meaning)
        return value if len(value) <= LONGEST else f"{value[:LONGEST]}..."

    def state(self, known: Mapping[str, Any]) -> State:
        """Whether the name still means what it meant."""
        if self.name not in known:
            return "gone"
        now = known[self.name]
        return "unchanged" if type(now) is type(self.meaning) and now == self.meaning else "redefined"


@dataclass(frozen=True)
class Origin:
    """`text`: the statement, and each APPLY that gave the variable more columns."""

    text: str
    inputs: tuple[Named, ...] = ()

    def applied(self, text: str, inputs: Sequence[Named]) -> Origin:
        """The same after an APPLY."""
        return Origin(f"{self.text}\n{text}", (*self.inputs, *inputs))

    def listed(self, known: Mapping[str, Any]) -> Iterator[tuple[Named, State]]:
        """Each input; if its name has been redefined, also the inputs of that input."""
        seen: set[tuple[str, str]] = set()
        pending = [*reversed(self.inputs)]
        while pending:
            one = pending.pop()
            key = one.name, one.text
            if key in seen:
                continue
            seen.add(key)
            state = one.state(known)
            yield one, state
            if state != "unchanged" and one.origin:
                pending += reversed(one.origin.inputs)
