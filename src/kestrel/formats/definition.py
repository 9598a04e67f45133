"""The files that define log formats: where they come from, how one extends another, and what is wrong with one.

Shipped definitions are in the package; further ones in the folder `KESTREL_FORMATS`, or `formats` in the user's configuration folder, and
in packages with an entry point of the group `kestrel.formats`. Never from archives or folders of data: who writes those could hide
his traces.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any, ClassVar

from kestrel.config import Entry, load_yaml, settings_folder, wrong_line, yaml_entries
from kestrel.errors import KestrelError
from kestrel.formats import expression, transforms
from kestrel.model.layout import layout
from kestrel.text import listed, nearest

FOLDER_VARIABLE = "KESTREL_FORMATS"
GROUP = "kestrel.formats"
EXPRESSIONS = ("host", "code", "provider", "writer", "record", "action", "part", "last", "number", "unix", "one_host", "own")
OTHER_PARTS = ("recognise", "sensors", "clock", "events", "kinds", "at", "ecs", "reader", "companions", "categories", "actions")
PARTS = ("name", "about", "extends", "replaces", *EXPRESSIONS, *OTHER_PARTS)
REQUIRED = ("recognise", "host", "code", "provider", "record", "sensors", "clock", "events")
OF_SENSOR = ("provider", "number", "rank", "source_is_initiator")
INITIATOR = ("always", "of_tcp", "with_direction")
OF_CLOCK = ("sensor", "local", "receipt", "printed", "log", "otherwise", "doubted")


class BadFormat(KestrelError):
    """A mistake in the definition of a log format."""

    code: ClassVar[str] = "K0414"

    def __init__(self, file: str, line: int | None, why: str, hint: str | None = None) -> None:
        super().__init__(f"{file}{f', line {line}' if line else ''}: {why}", None, hint)


@dataclass(frozen=True)
class Definition:
    """A definition with what it extends filled in. `file`: where it was read; `is_shipped`: from the package."""

    name: str
    parts: Mapping[str, Any]
    file: str
    is_shipped: bool


@cache
def definitions() -> dict[str, Definition]:
    """All definitions by name. Raises BadFormat."""
    folder = resources.files("kestrel.formats") / "definitions"
    found: dict[str, Definition] = {}
    texts = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    for name in sorted(texts, key=lambda n: ("\nextends:" in texts[n], n)):
        definition = _read(name, texts[name], True, found)
        found[definition.name] = definition
    own: dict[str, Definition] = {}
    for file in _further_files():
        definition = _read(str(file), file.read_text(encoding="utf-8"), False, found | own)
        if other := own.get(definition.name):
            raise BadFormat(str(file), 1, f"`{definition.name}` is defined already, by {other.file}", "give it another name")
        own[definition.name] = definition
    return found | own


def _further_files() -> Iterator[Path]:
    named = os.environ.get(FOLDER_VARIABLE)
    folders = [Path(named) if named else settings_folder() / "formats"]
    folders += [Path(str(resources.files(point.value))) for point in metadata.entry_points(group=GROUP)]
    if named and not folders[0].is_dir():
        raise BadFormat(named, None, "there is no such folder", f"it is named by `{FOLDER_VARIABLE}`")
    for folder in folders:
        yield from sorted(folder.glob("*.yaml"))


@cache
def event_file(name: str) -> dict[str, Any]:
    """The events of an event file that ships, with its text codes and numbers as they are written."""
    text = (resources.files("kestrel.formats") / f"{name}.yaml").read_text(encoding="utf-8")
    return _Checked(f"{name}.yaml", text).events()


@cache
def sensor_file(name: str) -> dict[str, Any]:
    """The sensors of a file that ships."""
    found: dict[str, Any] = load_yaml((resources.files("kestrel.formats") / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def _read(file: str, text: str, is_shipped: bool, known: Mapping[str, Definition]) -> Definition:
    return _Checked(file, text).definition(is_shipped, known)


class _Checked:
    """One file, with the lines of its entries."""

    def __init__(self, file: str, text: str) -> None:
        import yaml

        self.file = file
        try:
            self.entries = yaml_entries(text)
        except (yaml.YAMLError, ValueError) as error:
            raise BadFormat(file, wrong_line(error), "it is not valid YAML") from error
        self.anchored = load_yaml(text) if text.strip() else {}

    def wrong(self, line: int | None, why: str, hint: str | None = None) -> BadFormat:
        return BadFormat(self.file, line, why, hint)

    # -- a definition ----------------------------------------------------------------------------------------------

    def definition(self, is_shipped: bool, known: Mapping[str, Definition]) -> Definition:
        lines = {e.name: e.line for e in self.entries}
        for entry in self.entries:
            self._is_known(entry.name, PARTS, entry.line, "part of a log format")
        parts: dict[str, Any] = dict(self.anchored)
        name = parts.get("name")
        if not isinstance(name, str) or not name:
            raise self.wrong(None, "it has no `name`")
        base = parts.get("extends") or parts.get("replaces")
        if base is not None and base not in known:
            close = nearest(str(base), known)
            hint = f"did you mean `{close}`?" if close else f"log formats: {listed(known)}"
            raise self.wrong(lines.get("extends") or lines.get("replaces"), f"there is no log format `{base}`", hint)
        if name in known and known[name].is_shipped and base != name:
            raise self.wrong(lines["name"], f"`{name}` is a log format that ships with Kestrel", f"write `extends: {name}` or `replaces: {name}`")
        if isinstance(parts.get("sensors"), str):
            parts["sensors"] = self._sensors(parts["sensors"], lines.get("sensors"))
        if parts.get("extends"):
            parts = _extended(known[str(base)].parts, parts)
        for part in REQUIRED:
            if part not in parts:
                raise self.wrong(None, f"it has no `{part}`", f"a log format has {listed(REQUIRED, 12)}")
        self._check_parts(parts, lines)
        return Definition(name, parts, self.file, is_shipped)

    def _sensors(self, name: str, line: int | None) -> dict[str, Any]:
        if not (resources.files("kestrel.formats") / f"{name}.yaml").is_file():
            raise self.wrong(line, f"there is no file of sensors `{name}`", "`windows-sensors` has those of Windows events")
        return sensor_file(name)

    def _check_parts(self, parts: Mapping[str, Any], lines: Mapping[str, int]) -> None:
        for part in EXPRESSIONS:
            if part in self.anchored:
                self.check_expression(parts[part], lines.get(part))
        rule = parts["recognise"]
        if not isinstance(rule, Mapping) or not (rule.get("has") or rule.get("any")) or not {*rule} <= {"has", "any", "lacks"}:
            raise self.wrong(lines.get("recognise"), "`recognise` takes lists of fields, `has`, `any` and `lacks`, and at least one of the first two")
        for entry in self._inside("sensors"):
            for inner in entry.value if isinstance(entry.value, tuple) else ():
                self._is_known(inner.name, OF_SENSOR, inner.line, "part of a sensor")
                if inner.name == "source_is_initiator":
                    self._is_known(str(inner.value), INITIATOR, inner.line, "value of `source_is_initiator`")
        for entry in self._inside("clock"):
            self._is_known(entry.name, OF_CLOCK, entry.line, "clock")
            if entry.name == "doubted":
                for kind in entry.value:
                    self._is_known(str(kind), layout().kinds, entry.line, "event type")
            elif isinstance(entry.value, str):
                self.check_expression(entry.value, entry.line)
        if isinstance(parts["events"], Mapping) and "events" in lines:
            self._check_events(self._inside("events"), parts["sensors"])

    def _inside(self, part: str) -> tuple[Entry, ...]:
        found = next((e.value for e in self.entries if e.name == part), ())
        return found if isinstance(found, tuple) else ()

    # -- events ----------------------------------------------------------------------------------------------------

    def events(self) -> dict[str, Any]:
        """Sensors, their codes (or `all`), and the columns that each event fills."""
        self._check_events(self.entries, None)
        return dict(self.anchored)

    def _check_events(self, entries: Sequence[Entry], sensors: Mapping[str, Any] | None) -> None:
        columns = {f"{role.name}.{c}" for role in layout().roles.values() if not role.derived for c in layout().type_of(role.name).columns}
        for sensor in entries:
            if sensors is not None:
                self._is_known(sensor.name, sensors, sensor.line, "sensor of this log format")
            for code in sensor.value if isinstance(sensor.value, tuple) else ():
                for column in code.value if isinstance(code.value, tuple) else ():
                    if column.name == "<<":
                        continue
                    if column.name == "kind":
                        kinds = [v.value for v in column.value if v.name != "by"] if isinstance(column.value, tuple) else [column.value]
                        for kind in kinds:
                            self._is_known(str(kind), layout().kinds, column.line, "event type")
                    else:
                        self._is_known(column.name, columns, column.line, "column of the record layout")
                        self.check_expression(column.value, column.line)

    def check_expression(self, text: Any, line: int | None) -> None:
        """Raise BadFormat for an expression that cannot be read."""
        try:
            node = expression.parse(str(text), expression.EVERYTHING)
        except SyntaxError as error:
            raise self.wrong(line, f"`{text}` is not an expression", "write it like `text(User | SourceUser)`") from error
        except ValueError as error:
            raise self.wrong(line, str(error)) from error
        for call in expression.calls(node) if node else ():
            self._is_known(call.name, transforms.TRANSFORMS, line, "transform")
            if not _takes(transforms.TRANSFORMS[call.name], len(call.arguments)):
                number = len(inspect.signature(transforms.TRANSFORMS[call.name]).parameters)
                raise self.wrong(line, f"`{call.name}` takes {number} argument{'' if number == 1 else 's'}, not {len(call.arguments)}")

    def _is_known(self, name: str, known: Any, line: int | None, what: str) -> None:
        if name not in known:
            close = nearest(name, list(known))
            hint = f"did you mean `{close}`?" if close else f"known: {listed(known, 12)}"
            raise self.wrong(line, f"there is no {what} `{name}`", hint)


def _takes(transform: Callable[..., str], number: int) -> bool:
    try:
        inspect.signature(transform).bind(*[""] * number)
    except TypeError:
        return False
    return True


def _extended(base: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a definition over those that it extends; mappings are combined, lists and texts replaced."""
    found = dict(base)
    for name, value in parts.items():
        known = found.get(name)
        if name == "events" and isinstance(value, Mapping) and isinstance(known, str):
            known = event_file(known)
        found[name] = _extended(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return found
