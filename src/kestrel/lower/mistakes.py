"""What can be wrong with the meaning of a hunt, seen before it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.graph.formats import PACKED
from kestrel.graph.steps import TABLE
from kestrel.lower.alias_hints import ENDING, FIELDS, TYPES, VERBS
from kestrel.lower.columns import ANY, DATA, EVENT_COLUMNS, model_attributes
from kestrel.model.vocabulary import EVERY_ENTITY, vocabulary
from kestrel.syntax.strings import written
from kestrel.text import Span, listed, nearest


class UnknownType(KestrelError):
    code: ClassVar[str] = "K0201"

    def __init__(self, name: str, span: Span) -> None:
        close = TYPES.get(name.lower()) or nearest(name, [*vocabulary().types, *vocabulary().type_aliases])
        hint = f"did you mean `{close}`?" if close else f"known types: {listed(vocabulary().common, 20)}"
        super().__init__(f"there is no entity type `{name}`", span, hint if name != "*" else f"one type at a time: {listed(vocabulary().types, 100)}")


class UnknownVariable(KestrelError):
    code: ClassVar[str] = "K0202"

    def __init__(self, name: str, known: Iterable[str], span: Span) -> None:
        known = list(known)
        close = nearest(name, known)
        hint = f"did you mean `{close}`?" if close else f"variables so far: {listed(known)}" if known else "no variable is defined yet"
        super().__init__(f"there is no variable `{name}`", span, hint)


class NoReference(UnknownVariable):
    """`variable.attribute` as a value, and there is no such variable."""

    def __init__(self, variable: str, attribute: str, known: Iterable[str], span: Span) -> None:
        super().__init__(variable, known, span)
        self.hint = (
            f"{self.hint} For text write {written(f'{variable}.{attribute}')}"
            if self.hint and self.hint.endswith("?")
            else (f"{self.hint}; for text write {written(f'{variable}.{attribute}')}")
        )


class UnknownAttribute(KestrelError):
    code: ClassVar[str] = "K0203"

    def __init__(self, kind: str, name: str, span: Span, variable: str | None = None, columns: Iterable[str] = ()) -> None:
        entity = vocabulary().entity(kind)
        own = list(dict.fromkeys([*columns, *entity.common]))
        meant = FIELDS.get(name.lower().replace("_", "").replace(".", ""), {}).get(kind)
        behind = [a for a in model_attributes(kind) if a not in own]
        close = meant or nearest(name, [*own, *entity.synonyms, *entity.further, *EVERY_ENTITY]) or nearest(name, behind)
        hint = f"did you mean `{close}`?" if close else f"its attributes: {listed(own, 20)}" if own else None
        if name in EVENT_COLUMNS and kind != TABLE:
            hint = f"the records have it: `RECORDS({variable or 'x'})`"
        elif name.startswith(DATA) or name.upper() == ANY:
            asked = f"`WHERE event:{name} ...` compares {'the values' if name.upper() == ANY else 'a field'} of its records"
            hint = asked if kind == TABLE or name.upper() == ANY else f"{asked}; `RECORDS({variable or 'x'})` has the fields as columns"
        elif variable and hint:
            hint += f"{'' if close else '.'} `INFO {variable}` lists them all"
        super().__init__(f"{kind} has no attribute `{name}`", span, hint)


class AnyNotCompared(KestrelError):
    """ANY where one value is needed."""

    code: ClassVar[str] = "K0239"

    def __init__(self, span: Span) -> None:
        hint = "it is compared in WHERE, by `=`, IN, LIKE or MATCHES: `ANY LIKE '%mimikatz%'`"
        super().__init__("ANY stands for every value of a record", span, hint)


class UnknownRelation(KestrelError):
    code: ClassVar[str] = "K0204"

    def __init__(self, verb: str, span: Span) -> None:
        close = VERBS.get(verb.upper()) or nearest(verb, vocabulary().relations)
        hint = f"did you mean `{close}`?" if close else f"the verbs are {listed(vocabulary().relations, 20)}"
        super().__init__(f"there is no relation `{verb}`", span, hint)


class NotRecorded(KestrelError):
    """A relation that no log records."""

    code: ClassVar[str] = "K0360"

    def __init__(self, verb: str, variable: str, span: Span) -> None:
        super().__init__(
            f"no log records which process ended another, so there is no relation `{verb}`",
            span,
            f"for processes that may have ended it: `FIND process ACCESSED {variable}`; for when it ended: "
            f"`FIND event LINKED {variable} WHERE code IN ('5', '4689')`",
        )


def no_relation(verb: str, variable: str, span: Span) -> KestrelError:
    """The error for an unknown verb."""
    return NotRecorded(verb, variable, span) if verb.upper() in ENDING else UnknownRelation(verb, span)


class ImpossibleRelation(KestrelError):
    code: ClassVar[str] = "K0205"

    def __init__(self, wanted: str, verb: str, by: bool, given: str, variable: str, others: Sequence[str], span: Span) -> None:
        sentence = f"{given} {verb} {wanted}" if by else f"{wanted} {verb} {given}"
        relation = vocabulary().relation(verb)
        fitting = [f"{o} {variable}" for o in others if o.split()[1] == wanted]
        if relation and vocabulary().can(relation.verb, wanted, given, not by):
            hint = f"did you mean `FIND {wanted} {verb}{'' if by else ' BY'} {variable}`?"
        elif fitting:
            hint = f"from {given} to {wanted}: {listed(fitting)}"
        else:
            hint = f"from {given} to {wanted} there is `FIND {wanted} LINKED {variable}`; `INFO {variable}` lists the relations that lead on"
        super().__init__(f"no record can show `{sentence}`", span, hint)


class WrongValue(KestrelError):
    """`value`: what was given, as text."""

    code: ClassVar[str] = "K0206"

    def __init__(self, attribute: str, kind: str, span: Span, hint: str | None = None, value: str | None = None) -> None:
        given = "this is not" if value is None else f"`{value[:40]}` is not"
        super().__init__(f"`{attribute}` is a {kind}, and {given}", span, hint)


class NotOne(KestrelError):
    code: ClassVar[str] = "K0227"

    def __init__(self, attribute: str, span: Span, hint: str) -> None:
        super().__init__(f"`{attribute}` takes one value, and this is a list", span, hint)


class WrongParameter(KestrelError):
    """`wanted`: what it stands for, in words."""

    code: ClassVar[str] = "K0228"

    def __init__(self, name: str, wanted: str, span: Span, example: str) -> None:
        super().__init__(f"`${name}` must be {wanted} here, but its value is not", span, f"give it like `-p {name}={example}`")


class NotAddress(KestrelError):
    code: ClassVar[str] = "K0229"

    def __init__(self, attribute: str, kind: str, operator: str, span: Span) -> None:
        super().__init__(f"{operator} compares addresses, and `{attribute}` is a {kind}", span, "ask for an address, like `dst_ref.value`")


class UnorderedText(KestrelError):
    """`attribute` is text; it was compared with a number, or a number with it."""

    code: ClassVar[str] = "K0207"

    def __init__(self, attribute: str, operator: str, span: Span) -> None:
        super().__init__(
            f"`{attribute}` is text and cannot be compared with a number by `{operator}`", span, "compare text with `=`, LIKE or MATCHES"
        )


class RowOfAnotherType(KestrelError):
    """A row of NEW names a type other than that of the statement or of an earlier row."""

    code: ClassVar[str] = "K0236"

    def __init__(self, own: str, other: str, by_statement: bool, span: Span) -> None:
        says = f"NEW says `{other}`" if by_statement else f"an earlier row has `{other}`"
        super().__init__(f"this row has the type `{own}`, but {says}", span, "a variable has entities of one type: use one NEW for each type")


class UnorderedFlag(KestrelError):
    code: ClassVar[str] = "K0237"

    def __init__(self, flag: str, operator: str, span: Span) -> None:
        super().__init__(f"`{flag}` has no order, so `{operator}` cannot compare it", span, f"use `= {flag}`")


class BadLike(KestrelError):
    code: ClassVar[str] = "K0238"

    def __init__(self, escape: str, span: Span) -> None:
        super().__init__(
            f"the ESCAPE character `{escape}` must be followed by `%`, `_` or itself",
            span,
            f"write `{escape}{escape}` for a literal `{escape}`",
        )


class BadExpression(KestrelError):
    code: ClassVar[str] = "K0208"

    def __init__(self, why: str, span: Span, foreign: bool = False) -> None:
        hint = None
        if foreign:
            hint = "expressions are those of RE2: no look-ahead, look-behind, back-references or possessive repetition"
        elif "`*`" in why:
            hint = "any run of characters is `.*` here, and `%` in LIKE"
        elif "closed" in why or "closes" in why:
            hint = "a bracket that is meant as it stands has a backslash before it: `\\(`"
        super().__init__(f"this MATCHES expression cannot be used: {why}", span, hint)


class BadNetwork(KestrelError):
    code: ClassVar[str] = "K0209"

    def __init__(self, value: str, span: Span) -> None:
        super().__init__(f"`{value}` is not a network", span, "write it as `10.0.0.0/8` or `fe80::/10`")


class WrongSource(KestrelError):
    code: ClassVar[str] = "K0210"

    def __init__(self, wanted: str, variable: str, kind: str, span: Span) -> None:
        super().__init__(
            f"`{variable}` holds {kind} entities, so GET {wanted} cannot filter it",
            span,
            f"to go from {kind} to {wanted} use FIND, e.g. `FIND {wanted} LINKED {variable}`",
        )


class MixedSources(KestrelError):
    code: ClassVar[str] = "K0226"

    def __init__(self, variable: str, other: str, span: Span) -> None:
        super().__init__(
            f"`{variable}` is a variable and `{other}` is not: FROM takes either",
            span,
            "ask in two steps and join them: `a + b`",
        )


class MixedTypes(KestrelError):
    code: ClassVar[str] = "K0211"

    def __init__(self, kinds: Iterable[str], span: Span) -> None:
        super().__init__(
            f"`+` joins variables of one type, these are {listed(kinds)}",
            span,
            "entities of two types stay in two variables; FIND leads from one to another",
        )


class NoIdentity(KestrelError):
    code: ClassVar[str] = "K0217"

    def __init__(self, command: str, variable: str, span: Span) -> None:
        super().__init__(
            f"`{variable}` is a table: its rows are not entities, so {command} cannot take it",
            span,
            "ask the variable that the table was made from",
        )


class NoRecords(KestrelError):
    code: ClassVar[str] = "K0218"

    def __init__(self, transform: str, variable: str, span: Span) -> None:
        super().__init__(f"`{variable}` is a table: its rows have no records, so {transform} cannot show them", span)


class NotNumbers(KestrelError):
    code: ClassVar[str] = "K0219"

    def __init__(self, function: str, attribute: str, kind: str, span: Span) -> None:
        super().__init__(f"{function} takes numbers, and `{attribute}` is a {kind}", span, "COUNT, NUNIQUE, MIN and MAX take any attribute")


class WrongBin(KestrelError):
    code: ClassVar[str] = "K0220"

    def __init__(self, attribute: str, kind: str, span: Span) -> None:
        hint = (
            "give a unit: `BIN({0}, 5 minutes)`"
            if kind == "time"
            else "BIN takes a number, or a time and a unit"
            if kind == "text"
            else "write `BIN({0}, 10)`"
        )
        why = "and this bin has no unit" if kind == "time" else "which has no bins" if kind == "text" else "and this bin has a unit of time"
        super().__init__(f"`{attribute}` is a {kind}, {why}", span, hint.format(attribute))


class TwoColumns(KestrelError):
    code: ClassVar[str] = "K0221"

    def __init__(self, name: str, span: Span, key: bool = False) -> None:
        hint = "name it once" if key else "give one another name: `MAX(pid) AS highest`"
        super().__init__(f"two columns would be called `{name}`", span, hint)


class NoKeys(KestrelError):
    code: ClassVar[str] = "K0222"

    def __init__(self, left: str, right: str, span: Span) -> None:
        super().__init__(f"{left} and {right} share no identity to join by", span, "name an attribute of each: `JOIN a, b BY pid, pid`")


class UnknownFormat(KestrelError):
    code: ClassVar[str] = "K0223"

    def __init__(self, path: str, endings: Iterable[str], span: Span) -> None:
        super().__init__(f"`{path}` does not end in a known file format", span, f"known endings: {listed(endings)}, each also with {listed(PACKED)}")


class OutOfRange(KestrelError):
    """`most`: the largest value the attribute can have, and, negated, the smallest."""

    code: ClassVar[str] = "K0231"

    def __init__(self, attribute: str, value: float, most: int, span: Span) -> None:
        if abs(value) <= most:
            super().__init__(f"`{attribute}` is a whole number, and `{value:g}` is not", span)
        else:
            shown = f"{value:,}" if isinstance(value, int) else f"{value:g}"
            sentence = f"`{attribute}` cannot be {shown}" if math.isfinite(value) else f"`{attribute}` cannot be as large as this number"
            super().__init__(sentence, span, f"it is at most {most:,}")


class NotLocal(KestrelError):
    code: ClassVar[str] = "K0230"

    def __init__(self, address: str, span: Span) -> None:
        super().__init__(f"`{address}` is not a local file", span, "SAVE and LOAD take a path, like `results/found.parquet`")


class NotEntities(KestrelError):
    code: ClassVar[str] = "K0224"

    def __init__(self, attribute: str, kind: str, variable: str, span: Span) -> None:
        if kind == TABLE:
            sentence = f"the rows of `{variable}` are not entities and have only columns"
            hint = f"test it before they are grouped; `INFO {variable}` lists the columns"
        else:
            sentence = f"the rows of `{variable}` know attributes of their {kind} only, and `{attribute}` is of another entity"
            hint = f"test it before: `GET {kind} FROM ... WHERE {'event:' if attribute == ANY else ''}{attribute} ...`"
        super().__init__(sentence, span, hint)


class AppliedTwice(KestrelError):
    code: ClassVar[str] = "K0225"

    def __init__(self, variable: str, span: Span) -> None:
        super().__init__(f"`{variable}` is given to the analytic twice", span)


class MissingParameter(KestrelError):
    code: ClassVar[str] = "K0213"

    def __init__(self, name: str, known: Iterable[str], span: Span) -> None:
        known = list(known)
        close = nearest(name, known)
        given = f"did you mean `${close}`? Else " if close else f"given are {listed(f'${k}' for k in known)}; " if known else ""
        super().__init__(f"parameter `${name}` has no value", span, f"{given}give it by `-p {name}=value`")


class BackwardRange(KestrelError):
    code: ClassVar[str] = "K0214"

    def __init__(self, span: Span) -> None:
        super().__init__("the time range ends before it starts", span, "START comes first and is included, STOP is not")


class NoSource(KestrelError):
    code: ClassVar[str] = "K0215"

    def __init__(self, span: Span) -> None:
        super().__init__("there is no data source to ask yet", span, "name one: `GET ... FROM stixshifter://NAME` or `FROM path/to/logs.json`")


class BadReference(KestrelError):
    code: ClassVar[str] = "K0216"

    def __init__(self, kind: str, name: str, known: Iterable[str], span: Span) -> None:
        super().__init__(
            f"`{name}` of {kind} leads to another entity and has no value of its own", span, f"name one of its attributes: {listed(known, 6)}"
        )
