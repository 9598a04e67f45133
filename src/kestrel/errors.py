"""What can be wrong with a hunt: one record for every mistake, drawn under the hunter's own text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kestrel.text import Source, Span


class KestrelError(Exception):
    """A mistake a hunter can make, or trouble a request met.

    Subclasses have a fixed `code` (`K` and four digits) and build `message` (one sentence, lower-case start,
    no full stop) and, where possible, `hint` (what exists, or what to do) from typed arguments.
    `span` points into the hunt text; None where no text is to blame, or where it is raised while running: `part` then
    says which part of the statement it is about (`syntax/parts.py`).
    """

    code: ClassVar[str] = "K0000"
    part: str = ""

    def __init__(self, message: str, span: Span | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint


class Bug(KestrelError):
    """A fault of Kestrel, never of the hunt."""

    code = "K9999"

    def __init__(self) -> None:
        super().__init__("Kestrel failed; this is a bug in Kestrel, not in the hunt", None, "report it with the hunt and the lines above")


class HuntErrors(Exception):
    """Every mistake found in one text, reported together and in the order of the text."""

    def __init__(self, source: Source, errors: Sequence[KestrelError]) -> None:
        self.source = source
        self.errors = sorted(errors, key=lambda e: e.span.start if e.span else -1)
        super().__init__("\n".join(draw(source, e) for e in self.errors))


def draw(source: Source, error: KestrelError) -> str:
    """The error as text: sentence, place, the source line with carets, and the hint."""
    lines = [f"error[{error.code}]: {_shown(error.message)}"]
    if error.span is not None:
        number, column = source.position(error.span.start)
        text = source.line(number)
        margin = " " * len(str(number))
        width = max(1, min(error.span.end - error.span.start, len(text) - column + 1))
        shown, column = _window(text, column, width)
        lines += [
            f"{margin}--> {source.name}:{number}:{source.position(error.span.start)[1]}",
            f"{margin} |",
            f"{number} | {shown}",
            f"{margin} | {_blank(shown[: column - 1])}{'^' * min(width, max(1, len(shown) - column + 1))}",
        ]
        if error.hint:
            lines.append(f"{margin} = help: {_shown(error.hint)}")
    elif error.hint:
        lines.append(f"  = help: {_shown(error.hint)}")
    return "\n".join(lines)


def _window(text: str, column: int, width: int, limit: int = 160) -> tuple[str, int]:
    """The part of a very long line around the column, and the column in that part."""
    text = _shown(text)
    if len(text) <= limit:
        return text, column
    start = max(0, min(column - 1 - limit // 4, len(text) - limit))
    head = "..." if start else ""
    tail = "..." if start + limit < len(text) else ""
    return head + text[start : start + limit] + tail, column - start + len(head)


def _shown(text: str) -> str:
    """Text in which every character can be seen, one for one."""
    return text if text.isprintable() else "".join(c if c in "\t\n" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _blank(text: str) -> str:
    """White space as wide as the text, tabs kept, so that carets line up."""
    return "".join("\t" if c == "\t" else " " for c in text)
