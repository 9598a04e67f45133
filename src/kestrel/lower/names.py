"""What the names of a hunt stand for: types, variables, attributes. Every mistake is noted at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kestrel.errors import KestrelError
from kestrel.graph.steps import TABLE, AttributePath, Step, type_of
from kestrel.lower.actions import Notice
from kestrel.lower.columns import ANY, DATA, EVENT, ORIGINAL, columns_beside
from kestrel.lower.mistakes import AnyNotCompared, BadReference, MissingParameter, UnknownAttribute, UnknownType, UnknownVariable, WrongValue
from kestrel.model.vocabulary import EntityType, plain_name, vocabulary
from kestrel.syntax import tree
from kestrel.syntax.mistakes import BadEscape
from kestrel.text import Span

HALF = re.compile("[\ud800-\udfff]")
UNIQUE = "unique_x_"
"""The names that GROUP without WITH gives to columns of custom properties."""


@dataclass(frozen=True)
class Subject:
    """What a path without a type is of: an entity type, and the variable it is asked of where there is one."""

    type: str
    variable: str | None = None
    step: Step | None = None

    @property
    def entity(self) -> EntityType:
        return vocabulary().entity(self.type)


@dataclass
class Names:
    """Lookups in the scope of a cell. Mistakes are collected in `errors`."""

    scope: dict[str, Step]
    now: datetime
    parameters: dict[str, Any] = field(default_factory=dict)
    known_columns: Callable[[Step], Mapping[str, str] | None] = lambda _: None
    """The columns of a file, or of an analytic's answer, where they are known."""
    broken: set[str] = field(default_factory=set)
    """Variables whose own statement is wrong: what uses them is not reported too."""
    errors: list[KestrelError] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    """The parameters that were asked for."""
    inputs: dict[str, Any] = field(default_factory=dict)
    """The variables and parameters (`$name`) that the current statement names, and their values."""

    def type_named(self, word: tree.Word) -> EntityType | None:
        kind = vocabulary().type_named(word.text)
        if kind is None:
            self.errors.append(UnknownType(word.text, word.span))
        return kind

    def variable(self, word: tree.Word) -> Step | None:
        step = self.scope.get(word.text)
        if step is None and word.text not in self.broken:
            self.errors.append(UnknownVariable(word.text, self.scope, word.span))
        self.inputs[word.text] = step
        return step

    def subject(self, name: str, step: Step) -> Subject:
        return Subject(type_of(step), name, step)

    # -- attributes ----------------------------------------------------------------------------------------------

    def path(self, path: tree.Path, subject: Subject, compared: bool = False) -> AttributePath | None:
        """An attribute as written, of the subject or, with a type before it, of another entity. `compared`: in a pattern, where it may be ANY."""
        found = self._path(path, subject)
        if found and found.attribute == ANY and not compared:
            self.errors.append(AnyNotCompared(path.span))
            return None
        return found

    def _path(self, path: tree.Path, subject: Subject) -> AttributePath | None:
        if path.type is not None:
            other = vocabulary().type_named(path.type)
            if other is None:
                self.errors.append(UnknownType(path.type, path.span))
                return None
            if other.name != subject.type:
                return self.attribute(path.attribute, Subject(other.name), path.span)
        return self.attribute(path.attribute, subject, path.span)

    def attribute(self, attribute: str, subject: Subject, span: Span) -> AttributePath | None:
        """An attribute of the subject: a column its rows have beside their type's attributes, the model's, or by another name."""
        if not self.whole(attribute, span):
            return None
        found = self._found(attribute, subject, span)
        if found is None:
            self._unknown(attribute, subject, span)
        return found

    def _found(self, attribute: str, subject: Subject, span: Span) -> AttributePath | None:
        columns = columns_beside(subject.step, self.known_columns) if subject.step is not None else None
        own = columns.kinds.get(attribute) if columns else None
        of_model = resolve(attribute, subject.entity, span)
        if attribute.startswith(DATA) and columns and ORIGINAL in columns.kinds and subject.type != EVENT:
            return AttributePath(subject.type, (), _unlisted(attribute), False, span, "any")
        if own is not None:
            if of_model and of_model.known and of_model.text() == attribute:
                return of_model
            return AttributePath(subject.type, (), attribute, True, span, own)
        if of_model and (subject.type != TABLE or not of_model.known):
            return of_model
        alias = vocabulary().alias(attribute) if subject.type != TABLE else None
        if alias and (found := _aliased(alias, subject.entity, span)):
            return found
        if columns and (columns.is_open or (subject.type == TABLE and attribute.startswith(UNIQUE))):
            return AttributePath(subject.type, (), attribute, False, span, "any")
        return None

    def _unknown(self, attribute: str, subject: Subject, span: Span) -> None:
        """Name the first part that is wrong, of the type it is wrong for."""
        kind = subject.entity
        parts = attribute.split(".")
        while len(parts) > 1 and (target := kind.references.get(_bare(parts[0], kind))):
            kind = vocabulary().entity(target)
            parts = parts[1:]
        rest = ".".join(parts)
        if target := kind.references.get(_bare(rest, kind)):
            below = vocabulary().entity(target)
            self.errors.append(BadReference(kind.name, rest, [f"{rest}.{a}" for a in below.common], span))
            return
        columns = (
            columns_beside(subject.step, self.known_columns).kinds if subject.step is not None and len(parts) == attribute.count(".") + 1 else {}
        )
        self.errors.append(UnknownAttribute(kind.name, rest, span, subject.variable, columns))

    # -- text ----------------------------------------------------------------------------------------------------

    def whole(self, text: str, span: Span) -> bool:
        """Whether a text is one that can be written and stored: half of a surrogate pair is no character."""
        half = HALF.search(text)
        if half:
            self.errors.append(BadEscape(span))
        return half is None

    # -- parameters ----------------------------------------------------------------------------------------------

    def parameter(self, parameter: tree.Parameter) -> tree.Value | None:
        """The value given for `$name`, standing where the name stands."""
        if parameter.name not in self.parameters:
            self.errors.append(MissingParameter(parameter.name, self.parameters, parameter.span))
            return None
        self.used.add(parameter.name)
        self.inputs[f"${parameter.name}"] = self.parameters[parameter.name]
        try:
            return as_value(self.parameters[parameter.name], parameter.span)
        except TypeError:
            self.errors.append(WrongValue(f"${parameter.name}", "text, a number, a time, true, false or a list of these", parameter.span))
            return None


def as_value(given: Any, span: Span) -> tree.Value:
    """A Python value as the language would write it. Raises TypeError for one it has no word for."""
    match given:
        case bool():
            return tree.Boolean(given, span)
        case int() | float():
            return tree.Number(given, span)
        case str():
            return tree.Text(given, span)
        case datetime():
            return tree.Time(given, span)
        case list() | tuple() | set() | frozenset():
            items: list[Any] = []
            for item in given:
                value = as_value(item, span)
                items += value.items if isinstance(value, tree.ListOf) else [value]
            return tree.ListOf(tuple(items), span)
        case _:
            raise TypeError(f"a parameter is text, a number, a time, true, false or a list of these, not {type(given).__name__}")


def resolve(attribute: str, kind: EntityType, span: Span) -> AttributePath | None:
    """An attribute path of a type by the model, or None."""
    start = kind.name
    chain: list[tuple[str, str]] = []
    parts = attribute.split(".")
    while True:
        rest = ".".join(parts)
        if "." in (meant := kind.synonyms.get(rest, "")):
            parts = meant.split(".")
            continue
        if kind.name == EVENT and (rest.startswith(DATA) or rest.upper() == ANY):
            return AttributePath(start, tuple(chain), ANY if rest.upper() == ANY else _unlisted(rest), False, span, "any")
        name = kind.attribute(rest) or kind.attribute(rest.replace("'", "")) or kind.attribute(plain_name(rest))
        if name:
            return AttributePath(start, tuple(chain), name, True, span)
        reference = _bare(parts[0], kind)
        if len(parts) > 1 and reference in kind.references:
            target = kind.references[reference]
            chain.append((reference, target))
            kind = vocabulary().entity(target)
            parts = parts[1:]
            continue
        if kind.is_open(rest):
            return AttributePath(start, tuple(chain), plain_name(rest), False, span, "any")
        return None


def _aliased(alias: tuple[str, str], kind: EntityType, span: Span) -> AttributePath | None:
    other = vocabulary().types[alias[0]]
    if kind.name == other.name:
        return resolve(alias[1], kind, span)
    if kind.name == "process" and other.name == "user-account":
        return resolve("creator_user_ref." + alias[1], kind, span)
    return resolve(alias[1], other, span)


def _unlisted(field: str) -> str:
    """The path of a field without the `[*]` of lists: any element may fit, with or without it."""
    return ".".join(p if p[:1] in "'\"" else p.removesuffix("[*]") for p in re.findall(r"'[^']*'|\"[^\"]*\"|[^.'\"]+", field))


def _bare(part: str, kind: EntityType) -> str:
    """A reference as the model names it, without the `[*]` of lists."""
    part = part.removesuffix("[*]")
    return kind.synonyms.get(part, part)
