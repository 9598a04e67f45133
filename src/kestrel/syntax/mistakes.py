"""Mistakes in the text of a hunt, found before its meaning is checked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.syntax.dialect_hints import ADVICE, INVISIBLE, LOOKALIKES, advice, name_of
from kestrel.syntax.strings import written as quoted
from kestrel.text import Span, nearest

NEXT = "the next statement"
"""What was found where a statement ends too early."""


class Unexpected(KestrelError):
    """`words`: what the found one may be a misspelling of. `hint`: what to say where it is none."""

    code: ClassVar[str] = "K0101"

    def __init__(self, found: str, expected: str, span: Span, words: Iterable[str] = (), hint: str | None = None) -> None:
        shown = found if found == NEXT else f"`{found[:40]}`" if found else "the end of the text"
        plain = unicodedata.normalize("NFKC", found)
        close = nearest(plain, words) if len(found) > 2 and plain.isidentifier() else None
        meant = f"did you mean `{close}`?" if close and close != found.upper() else None
        super().__init__(f"expected {expected}, found {shown}", span, ADVICE.get(found.upper()) or meant or hint or advice(found))


class LookAlike(KestrelError):
    """`text`: what the character stands in, as it would be written."""

    code: ClassVar[str] = "K0110"

    def __init__(self, sign: str, span: Span, text: str | None = None) -> None:
        if sign in INVISIBLE:
            super().__init__(f"a character that cannot be seen stands here: {name_of(sign)}", span, "delete it: it came along with copied text")
            return
        meant = LOOKALIKES[sign]
        kind = "quote" if meant in "'\"" else "character"
        hint = f"write {text or f'`{meant}`'}; word processors and web pages change such characters"
        super().__init__(f"`{sign}` ({name_of(sign)}) is not the {kind} `{meant}`", span, hint)


class OpenString(KestrelError):
    code: ClassVar[str] = "K0102"

    def __init__(self, quote: str, after_backslash: bool, span: Span) -> None:
        hint = f"write the last backslash twice: `\\\\{quote}`" if after_backslash else f"close it with `{quote}`"
        super().__init__("this text has no closing quote on its line", span, hint)


class OpenBracket(KestrelError):
    code: ClassVar[str] = "K0103"

    def __init__(self, opening: str, closing: str, span: Span) -> None:
        super().__init__(f"this `{opening}` is never closed", span, f"add `{closing}`")


class BadTime(KestrelError):
    code: ClassVar[str] = "K0104"

    def __init__(self, text: str, span: Span) -> None:
        relative = text.lower() in ("now", "today", "yesterday", "now()")
        hint = "to count back from now write `LAST 1 day`" if relative else "write times as t'2021-04-03T00:00:00Z' (ISO 8601, UTC)"
        super().__init__(f"`{text[:40]}` is not a time", span, hint)


class TwiceGiven(KestrelError):
    code: ClassVar[str] = "K0105"

    def __init__(self, clause: str, span: Span) -> None:
        super().__init__(f"{clause} is given twice", span)


class TooDeep(KestrelError):
    code: ClassVar[str] = "K0106"

    def __init__(self, span: Span) -> None:
        super().__init__("brackets are nested too deeply", span, "at most 100 levels are read")


class WrongOperand(KestrelError):
    code: ClassVar[str] = "K0107"

    def __init__(self, message: str, span: Span, hint: str) -> None:
        super().__init__(message, span, hint)


class Misplaced(KestrelError):
    code: ClassVar[str] = "K0108"

    def __init__(self, clause: str, command: str, takes: Iterable[str], span: Span) -> None:
        super().__init__(f"{command} takes no {clause}", span, f"it takes {', '.join(takes)}")


class BesidePlus(KestrelError):
    """`written`: the operand as written in the hunt."""

    code: ClassVar[str] = "K0232"

    def __init__(self, clause: str, written: str, span: Span) -> None:
        hint = f"write it as its own statement, `y = {written[:60]}`, and use `y` here; only WHERE is allowed there, before `+`"
        super().__init__(f"{clause} is not allowed next to `+`", span, hint)


class DottedText(KestrelError):
    """Text with a dot that cannot be a reference, because no variable can have such a name."""

    code: ClassVar[str] = "K0233"

    def __init__(self, text: str, span: Span) -> None:
        super().__init__(f"`{text[:40]}` contains a dot and needs quotes", span, f"quote text that contains a dot: {quoted(text)}")


class TwoObservations(KestrelError):
    code: ClassVar[str] = "K0234"

    def __init__(self, word: str, span: Span) -> None:
        together = "`a + b` combines them" if word == "OR" else "FIND and `v.attribute` relate the results"
        super().__init__(
            f"{word} joins two observations `[ ]`, but a pattern describes one entity",
            span,
            f"put both conditions in one bracket, `[a {word} b]`, or write one GET for each: {together}",
        )


class StixOnly(KestrelError):
    """A part of STIX patterns that the language does not support."""

    code: ClassVar[str] = "K0235"

    INSTEAD: ClassVar[Mapping[str, str]] = {
        "FOLLOWEDBY": "write one GET for each, the second with `first_observed > a.first_observed`",
        "WITHIN": "write a time range after the pattern: `START t'...' STOP t'...'` or `LAST 5 MINUTES`",
        "REPEATS": "use `number_observed >= 5` for repeated observations; `GROUP x BY name` counts the entities with each value",
        "START": "write the time after the whole pattern: `WHERE [...] START t'...' STOP t'...'`",
        "STOP": "write the time after the whole pattern: `WHERE [...] START t'...' STOP t'...'`",
        "h''": "attributes hold text: write the value as it is shown, like '0a1b'",
        "b''": "attributes hold text: write the value as it is shown, like '0a1b'",
    }

    def __init__(self, word: str, span: Span) -> None:
        inside = word in ("START", "STOP")
        super().__init__(
            f"{word} is not allowed inside a pattern" if inside else f"{word} in STIX patterns is not supported", span, self.INSTEAD[word]
        )


class BadEscape(KestrelError):
    code: ClassVar[str] = "K0109"

    def __init__(self, span: Span) -> None:
        super().__init__("this text has an escape that names no character", span, "write a backslash as `\\\\`, or use r'...'")
