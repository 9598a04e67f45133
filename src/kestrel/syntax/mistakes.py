"""What can be wrong with the text of a hunt before its meaning is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.text import Span, nearest

LONGEST_SHOWN = 40


def shown(text: str) -> str:
    """A piece of the hunt as a sentence names it: short, and without signs a terminal would obey."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: LONGEST_SHOWN + 1])
    return f"`{clean}`" if len(clean) <= LONGEST_SHOWN else f"`{clean[:LONGEST_SHOWN]}...`"


class Unexpected(KestrelError):
    """Something else stands where a word, name or sign of the language is needed."""

    code: ClassVar[str] = "K0101"

    def __init__(self, found: str, expected: str, span: Span, words: Iterable[str] = (), hint: str | None = None) -> None:
        close = nearest(found[:LONGEST_SHOWN], words) if found else None
        if close is not None and close.upper() != found.upper():
            hint = f"did you mean `{close}`?"
        super().__init__(f"expected {expected}, found {shown(found) if found else 'the end of the text'}", span, hint)


class OpenString(KestrelError):
    """A quote that is not closed on its line; `body` is what follows the opening quote."""

    code: ClassVar[str] = "K0102"

    def __init__(self, quote: str, body: str, raw: bool, span: Span) -> None:
        hint = f"close it with `{quote}`"
        if f"\\{quote}" in body:
            hint = f"`\\{quote}` does not close a text: write the last backslash twice, `\\\\{quote}`" + (", and leave out the r" if raw else "")
        super().__init__("this text has no closing quote on its line", span, hint)


class OpenBracket(KestrelError):
    """A bracket that is not closed before the next clause or statement."""

    code: ClassVar[str] = "K0103"

    def __init__(self, opening: str, closing: str, span: Span) -> None:
        super().__init__(f"this `{opening}` is never closed", span, f"add `{closing}`")


class BadTime(KestrelError):
    """A START, STOP or t'...' that is no ISO 8601 time."""

    code: ClassVar[str] = "K0104"

    def __init__(self, text: str, span: Span) -> None:
        super().__init__(f"{shown(text)} is no time", span, "write times as t'2021-04-03T00:00:00Z' (ISO 8601, UTC)")


class TwiceGiven(KestrelError):
    """A clause that already stands in the same statement."""

    code: ClassVar[str] = "K0105"

    def __init__(self, clause: str, span: Span) -> None:
        super().__init__(f"{clause} is given twice", span, "START ... STOP and LAST both give the time" if clause == "the time" else "keep one of them")


class TooDeep(KestrelError):
    """Brackets or NOTs inside each other, beyond what is read."""

    code: ClassVar[str] = "K0106"

    def __init__(self, deepest: int, span: Span) -> None:
        super().__init__("brackets are nested too deeply", span, f"at most {deepest} levels are read")


class ListForValue(KestrelError):
    """A list beside an operator that compares with one value."""

    code: ClassVar[str] = "K0107"

    def __init__(self, operator: str, span: Span) -> None:
        several = operator in ("LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET")
        hint = "join several comparisons with OR" if several else "IN compares with a list"
        super().__init__(f"`{operator}` compares with one value, this is a list", span, hint)


class Misplaced(KestrelError):
    """A clause that another command has."""

    code: ClassVar[str] = "K0108"

    def __init__(self, clause: str, command: str, takes: Iterable[str], span: Span) -> None:
        super().__init__(f"{command} takes no {clause}", span, f"it takes {', '.join(takes)}")


class BadEscape(KestrelError):
    """An escape like `\\N{...}` or `\\U...` that names no sign of Unicode."""

    code: ClassVar[str] = "K0109"

    def __init__(self, escape: str, span: Span) -> None:
        super().__init__(f"{shown(escape)} names no sign", span, "write a backslash as `\\\\`, or the text as r'...'")


class BadNumber(KestrelError):
    """A number of the wrong kind or size; `needed` says which is wanted."""

    code: ClassVar[str] = "K0110"

    def __init__(self, text: str, needed: str, span: Span) -> None:
        super().__init__(f"{shown(text)} is not {needed}", span)


class BadOperator(KestrelError):
    """An operator of another language."""

    code: ClassVar[str] = "K0111"

    def __init__(self, found: str, instead: str, span: Span) -> None:
        super().__init__(f"there is no operator `{found}`", span, f"write `{instead}`")


class TrailingComma(KestrelError):
    """A comma with nothing behind it."""

    code: ClassVar[str] = "K0112"

    def __init__(self, closing: str, span: Span) -> None:
        super().__init__(f"nothing stands between this comma and `{closing}`", span, "leave the comma out")


class EmptyList(KestrelError):
    """A list without values in a comparison."""

    code: ClassVar[str] = "K0113"

    def __init__(self, span: Span) -> None:
        super().__init__("this list is empty, so nothing could match it", span, "give at least one value; IS NULL asks for a missing one")


class ReservedName(KestrelError):
    """A word of the language used to name something."""

    code: ClassVar[str] = "K0114"

    def __init__(self, word: str, what: str, span: Span) -> None:
        super().__init__(f"`{word}` is a word of the language and cannot name {what}", span, f"another name is free, like `{word}_1`")


class UnquotedPath(KestrelError):
    """A file or address with signs that are read only between quotes."""

    code: ClassVar[str] = "K0115"

    def __init__(self, text: str, span: Span) -> None:
        super().__init__(f"{shown(text)} has signs that a path has only between quotes", span, f"write '{text[:LONGEST_SHOWN]}'" if text.isprintable() and "\\" not in text else "write it in quotes, as r'...'")


class NullCompared(KestrelError):
    """`= null`, which no value can equal."""

    code: ClassVar[str] = "K0116"

    def __init__(self, negated: bool, span: Span) -> None:
        super().__init__("a comparison with null holds for nothing", span, f"write IS {'NOT ' if negated else ''}NULL, or 'null' in quotes for the text")


class MixedRows(KestrelError):
    """NEW with plain values beside rows of attributes."""

    code: ClassVar[str] = "K0117"

    def __init__(self, span: Span) -> None:
        super().__init__("NEW takes values or rows of attributes, not both", span, 'write every row as {"name": "cmd.exe"}')


class StrayBracket(KestrelError):
    """A closing bracket without an opening one."""

    code: ClassVar[str] = "K0118"

    def __init__(self, closing: str, span: Span) -> None:
        super().__init__(f"this `{closing}` closes nothing", span, "leave it out, or open the bracket before it")


class TooManyMistakes(KestrelError):
    """Where reading stopped, because the text is most likely no hunt."""

    code: ClassVar[str] = "K0119"

    def __init__(self, most: int, span: Span) -> None:
        super().__init__(f"reading stopped after {most} mistakes", span)
