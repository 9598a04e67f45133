"""Results and errors on the output of the command."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kestrel.display.output import takes_unicode
from kestrel.errors import Bug, HuntErrors, draw
from kestrel.text import Source

if TYPE_CHECKING:
    from kestrel.result import Result


class CannotPrint(Exception):
    """Standard output cannot be written; the sentence says why."""


class CannotSave(Exception):
    """A view could not be written; the sentence is for the user."""


def saver(folder: Path | None) -> Callable[[Result], None]:
    """What keeps the views of a hunt: nothing where no folder is named."""
    if folder is None:
        return lambda _: None
    from kestrel.display.saving import Saver

    def save(result: Result) -> None:
        try:
            kept.take(result)
        except OSError as error:
            raise CannotSave(f"{error.filename}: {error.strerror}") from error

    try:
        kept = Saver(folder)
    except OSError as error:
        raise CannotSave(f"{folder}: {error.strerror}") from error
    return save


def report(error: HuntErrors, form: str, show: Callable[[Result], None]) -> None:
    """Print the mistakes of a hunt."""
    from kestrel.session import failures

    for failure in failures(error):
        if form == "text":
            sys.stdout.flush()
            print(failure.make, file=sys.stderr)
        else:
            show(failure)


def shower(form: str) -> Callable[[Result], None]:
    """What prints a result. It raises BrokenPipeError, CannotPrint."""
    printed = _printer(form)

    def show(result: Result) -> None:
        try:
            printed(result)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CannotPrint(error.strerror or str(error)) from error

    return show


def _printer(form: str) -> Callable[[Result], None]:
    if form == "json":
        from kestrel.display.jsonlines import to_line

        def line(result: Result) -> None:
            sys.stdout.write(to_line(result, ascii=not takes_unicode()) + "\n")
            sys.stdout.flush()

        return line
    from rich.console import Console

    from kestrel.display.terminal import show

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise  # as a BrokenPipeError; rich would end the process

    console = Output(highlight=False, width=None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "160")))
    return lambda result: show(console, result)


def report_bug(source: Source, form: str, show: Callable[[Result], None]) -> None:
    """Print what is known of a bug in Kestrel; called where its exception is handled."""
    error = Bug()
    traceback.print_exc(file=sys.stderr)
    if form == "json":
        from kestrel.result import Failure

        show(Failure(error.code, error.message, error.hint, None, None, draw(source, error)))
    else:
        print(draw(source, error), file=sys.stderr)
