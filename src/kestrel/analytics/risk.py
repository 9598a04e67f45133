"""`APPLY risk`: how much each process deserves a look, and why.

`x_risk_score` is 0 to 100, `x_risk_reasons` a list of sentences, each with its points and, where one applies, the ATT&CK
technique. `x_risk_explanation` says how the points make the score, and which rules for the same techniques did not hold.
The rules are data (`risk.yaml`). What an encoded PowerShell command says is decoded and judged as well.
A score is a reason to look, not a verdict; 0 means that no rule knows the process.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from kestrel.analytics.contract import Outcome
from kestrel.config import packaged
from kestrel.result import Table

SHOWN = 20
"""Processes of the table that is shown, the highest scores first."""
NEAR = 3
"""The rules without a match that an explanation lists: those that would add the most."""
LONGEST = 32_767
"""Characters of a command line that are checked: Windows has none that is longer."""
ENCODED = re.compile(r"\s[-/–—―]e(?:c|n[a-z]*)?\s+[\"']?([A-Za-z0-9+/]{16,}={0,2})", re.IGNORECASE)
DEVICE = re.compile(r"^(?:\\\\[?.]\\|\\\?\?\\)?(?:\\?device\\harddiskvolume\d+|[a-z]:)(?=\\)|^\\(?=systemroot\\)", re.IGNORECASE)
"""What stands before the folders of a Windows path."""
EXPRESSIONS = ("command_line", "parent_command_line", "path", "file")
NAMES = ("name", "parent")


@dataclass(frozen=True)
class Process:
    """What the rules look at. Names and paths are in lower case; each field has every value that stands for it, or none."""

    name: tuple[str, ...]
    parent: tuple[str, ...]
    file: tuple[str, ...]
    path: tuple[str, ...]
    command_line: tuple[str, ...]
    parent_command_line: tuple[str, ...]
    original: str


@dataclass(frozen=True)
class Reason:
    """A sentence and how much it weighs, 1 to 100."""

    points: int
    text: str
    technique: str | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.technique + ', ' if self.technique else ''}{self.points})"


@dataclass(frozen=True)
class Conditions:
    """Names and expressions, by field of a process: a name must be one of these, the expressions all be found in one value."""

    names: tuple[tuple[str, frozenset[str]], ...]
    expressions: tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Conditions:
        names = tuple((f, frozenset(_flat(entry[f]))) for f in NAMES if f in entry)
        found = ((f, _flat(entry[f])) for f in EXPRESSIONS if f in entry)
        return cls(names, tuple((f, tuple(re.compile(e, re.IGNORECASE) for e in expressions)) for f, expressions in found))

    def each(self, process: Process) -> Iterator[bool]:
        """For each condition whether it holds, the cheap ones first."""
        for field, wanted in self.names:
            yield not wanted.isdisjoint(getattr(process, field))
        for field, expressions in self.expressions:
            yield any(all(e.search(value) for e in expressions) for value in getattr(process, field))


@dataclass(frozen=True)
class Rule:
    """`when` must hold, one of `some` if there are any, and nothing of `unless`."""

    reason: Reason
    when: Conditions
    some: tuple[Conditions, ...]
    unless: Conditions

    def fits(self, process: Process) -> bool:
        return all(self.when.each(process)) and (not self.some or any(all(c.each(process)) for c in self.some)) and not any(self.unless.each(process))


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of `risk.yaml`."""
    return tuple(
        Rule(
            Reason(entry["points"], entry["reason"], entry.get("technique")),
            Conditions.of(entry),
            tuple(Conditions.of(alternative) for alternative in entry.get("any", ())),
            Conditions.of(entry.get("unless", {})),
        )
        for entry in packaged("kestrel.analytics", "risk.yaml")["rules"]
    )


def score(name: str, type: str, rows: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]) -> Outcome:
    """The scores of processes."""
    processes = [_process(row) for row in rows]
    rare = _rare(processes)
    judged = {process: tuple(_reasons(process)) for process in set(processes)}
    table, found = [], []
    for row, process in zip(rows, processes, strict=True):
        reasons = sorted([*judged[process], *rare(process)], key=lambda r: -r.points)
        total = combined(r.points for r in reasons)
        stated, why = [str(r) for r in reasons], explanation(total, reasons)
        table.append({"id": row["id"], "x_risk_score": total, "x_risk_reasons": stated or None} | ({"x_risk_explanation": why} if why else {}))
        if why:
            found.append((total, row.get("name"), row.get("command_line"), [*stated, why], row["id"]))
    found.sort(key=lambda f: (-f[0], str(f[4])))
    shown = Table(name, ("x_risk_score", "name", "command_line", "x_risk_reasons", "id"), tuple(found[:SHOWN]), len(found))
    return Outcome((table,), (shown,))


def explanation(total: int, reasons: Sequence[Reason]) -> str | None:
    """How the points of the matching rules combine to the score, and which rules of the same techniques did not match; None if no rule matches."""
    if not reasons:
        return None
    if len(reasons) == 1:
        text = f"all {total} points come from one rule"
    else:
        spared = " * ".join(f"{(100 - r.points) / 100:.2f}" for r in reasons)
        text = f"points add up like independent chances: 100 * (1 - {spared}) = {total}"
    held = {r.text for r in reasons}
    techniques = {r.technique for r in reasons if r.technique}
    others = sorted({r.reason for r in rules() if r.reason.technique in techniques and r.reason.text not in held}, key=lambda r: (-r.points, r.text))
    return f"{text}; not found: {'; '.join(map(str, others[:NEAR]))}" if others else text


def combined(points: Iterable[int]) -> int:
    """Points as independent chances: 50 and 50 are 75. From 0 to 100."""
    spared = 1.0
    for p in points:
        spared *= 1 - p / 100
    return round(100 * (1 - spared))


def _reasons(process: Process) -> Iterable[Reason]:
    """What the rules say of one process, each sentence once."""
    stated = set()
    for rule in rules():
        if rule.reason.text not in stated and rule.fits(process):
            stated.add(rule.reason.text)
            yield rule.reason
    yield from _masquerade(process)
    long = packaged("kestrel.analytics", "risk.yaml")["long"]
    length = len(process.command_line[0]) if process.command_line else 0
    if length > long["signs"] and not set(_flat(long["unless"])) & set(process.name):
        yield Reason(long["points"], f"{long['reason']}: {length:,} characters", long["technique"])


# -- disguise ----------------------------------------------------------------------------------------------------


def _masquerade(process: Process) -> Iterable[Reason]:
    rules = packaged("kestrel.analytics", "risk.yaml")["masquerade"]
    for name in process.file:
        known = rules["programs"].get(name)
        if known is None:
            like = _lookalike(name)
            if like:
                yield _disguise("lookalike", f"`{name}` {rules['lookalike']['reason']} `{like}`")
        elif process.path and not re.search(rules["everywhere"], process.path[0]):
            folder = process.path[0].rpartition("\\")[0]
            if "\\" in process.path[0] and folder not in known["folders"]:
                yield _disguise("place", f"`{name}` {rules['place']['reason']}: `{folder or chr(92)}`")
        if known and "parents" in known and process.parent and not set(process.parent) & set(known["parents"]):
            yield _disguise("parent", f"`{name}` {rules['parent']['reason']}, `{process.parent[0]}`")
        if process.original in rules["tools"] and name.removesuffix(".exe") != process.original.removesuffix(".exe").removesuffix(".c"):
            yield _disguise("renamed", f"`{name}` {rules['renamed']['reason']} `{process.original}`")


def _disguise(kind: str, text: str) -> Reason:
    entry = packaged("kestrel.analytics", "risk.yaml")["masquerade"][kind]
    return Reason(entry["points"], text, entry["technique"])


ALIKE = str.maketrans("0135іоесаѕрոı", "olesioecaspni")
"""Signs that are taken for others: digits, and letters of other scripts."""


@cache
def _lookalike(name: str) -> str | None:
    """The program of Windows that a name imitates: one slip of the pen away, or the same but for characters that look alike."""
    rules = packaged("kestrel.analytics", "risk.yaml")["masquerade"]
    stem = name.removesuffix(".exe")
    if not name.endswith(".exe") or name in rules["honest"] or len(stem) < 4:
        return None
    for known in rules["programs"]:
        real = known.removesuffix(".exe")
        if stem.translate(ALIKE) == real.translate(ALIKE) or (len(real) > 5 and _one_slip(stem, real)):
            return str(known)
    return None


def _one_slip(a: str, b: str) -> bool:
    """Whether one letter more, less, changed, or two neighbours swapped make one word the other."""
    if a == b or abs(len(a) - len(b)) > 1:
        return False
    head = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[head:], b[head:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and len(a) > 1 and a[2:] == b[2:])


# -- rare --------------------------------------------------------------------------------------------------------


def _rare(processes: Sequence[Process]) -> Callable[[Process], Iterable[Reason]]:
    """What tells of a process whether it is the only child of its name among many of its parent."""
    rule = packaged("kestrel.analytics", "risk.yaml")["rare"]
    pairs = Counter((p.parent[0], p.file[0]) for p in processes if p.parent and p.file)
    children = Counter(parent for parent, _ in pairs.elements())
    names = Counter(parent for parent, _ in pairs)

    def reasons(process: Process) -> Iterable[Reason]:
        if process.parent and process.file:
            parent, child = process.parent[0], process.file[0]
            if pairs[parent, child] == 1 and children[parent] >= max(rule["children"], rule["alike"] * names[parent]):
                yield Reason(rule["points"], f"`{child}` {rule['reason']}: the only one among {children[parent]} children of `{parent}`")

    return reasons


# -- a row as the rules see it -----------------------------------------------------------------------------------


def _process(row: Mapping[str, Any]) -> Process:
    path = tuple(_path(v) for v in _values(row, "binary_ref.x_path", "binary_ref.path"))
    file = tuple(v.lower().rpartition("\\")[2] for v in _values(row, "name", "binary_ref.name"))[:1] or tuple(p.rpartition("\\")[2] for p in path)
    original = next(iter(_values(row, "binary_ref.x_software_ref.name")), "").lower()
    parent = tuple(v.lower().rpartition("\\")[2] for v in _values(row, "parent_ref.name"))
    lines = tuple(line[:LONGEST] for line in _values(row, "command_line"))
    return Process(
        tuple(sorted({*file, original, original + ".exe"} - {"", ".exe"})),
        parent[:1],
        file,
        path[:1],
        (*lines, *(d for line in lines for d in decoded(line))),
        tuple(line[:LONGEST] for line in _values(row, "parent_ref.command_line")),
        original,
    )


def decoded(command_line: str) -> list[str]:
    """What the encoded commands of PowerShell in a command line say (base64 of UTF-16LE)."""
    found = []
    for match in ENCODED.finditer(command_line):
        text = match[1]
        try:
            found.append(base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-16-le"))
        except (binascii.Error, UnicodeDecodeError):
            continue
    return found


def _path(value: str) -> str:
    """A path in lower case without what stands for its drive: `\\windows\\system32\\cmd.exe`."""
    folded = DEVICE.sub("", value).lower()
    return "\\windows\\" + folded.removeprefix("systemroot\\") if folded.startswith("systemroot\\") else folded


def _values(row: Mapping[str, Any], *columns: str) -> tuple[str, ...]:
    """The texts of the first of these columns that has any."""
    for column in columns:
        value = row.get(column)
        values = value if isinstance(value, list | tuple) else [value]
        texts = tuple(v for v in values if isinstance(v, str) and v)
        if texts:
            return texts
    return ()


def _flat(names: Any) -> list[str]:
    """A list of names in which other lists may stand."""
    if isinstance(names, str):
        return [names]
    return [n for item in names for n in _flat(item)]
