"""What can be wrong with the text of a hunt before its meaning is looked at."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.syntax.habits import ADVICE, INVISIBLE, LOOKALIKES, advice, name_of
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
    """`text`: what the sign stands in, as it would be written."""

    code: ClassVar[str] = "K0110"

    def __init__(self, sign: str, span: Span, text: str | None = None) -> None:
        if sign in INVISIBLE:
            super().__init__(f"a sign that cannot be seen stands here: {name_of(sign)}", span, "delete it: it came along with copied text")
            return
        meant = LOOKALIKES[sign]
        kind = "quote" if meant in "'\"" else "sign"
        hint = f"write {text or f'`{meant}`'}; word processors and web pages change such signs"
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
        super().__init__(f"`{text[:40]}` is no time", span, hint)


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


class BadEscape(KestrelError):
    code: ClassVar[str] = "K0109"

    def __init__(self, span: Span) -> None:
        super().__init__("this text has an escape that names no sign", span, "write a backslash as `\\\\`, or use r'...'")
