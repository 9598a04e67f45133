"""The prompt: hunts are typed, and their results shown as they come."""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Iterator

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer
from prompt_toolkit.completion import Completion as Offer
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.styles import Style
from rich.console import Console
from rich.text import Text

from kestrel.assist import aside, complete, finished, help_at
from kestrel.config import state_folder
from kestrel.display.progress import Progress
from kestrel.display.terminal import show
from kestrel.errors import Bug, HuntErrors
from kestrel.running import STOPPED, Runner
from kestrel.session import Session, failures
from kestrel.settings import load_settings
from kestrel.signals import Stopped
from kestrel.syntax.help import Help, overview
from kestrel.syntax.highlight import KestrelLexer
from kestrel.text import Source
from kestrel.version import __version__

WELCOME = f"Kestrel {__version__}   F1 or ?word: help   Alt-Enter: new line   Ctrl-C: stop   Ctrl-D or exit: leave"
PROMPT, CONTINUED = "kestrel> ", "    ...> "
NAME = "<prompt>"
COLOURS = Style.from_dict(
    {
        "pygments.keyword": "bold",
        "pygments.operator.word": "bold",
        "pygments.name.class": "ansicyan",
        "pygments.name.function": "ansimagenta",
        "pygments.name.builtin": "ansimagenta",
        "pygments.name.attribute": "ansiblue",
        "pygments.name.namespace": "underline",
        "pygments.name.variable.global": "ansired",
        "pygments.literal.string": "ansigreen",
        "pygments.literal.date": "ansigreen",
        "pygments.literal.number": "ansigreen",
        "pygments.comment": "italic ansibrightblack",
    }
)
"""The terminal's own colours, which its owner can read on its own background."""


def interact() -> int:
    """Read and run hunts until the end of input. Returns the exit status: 1 where the settings have mistakes, else 0."""
    console = Console(highlight=False)
    try:
        session = Session(settings=load_settings())
    except HuntErrors as error:
        _fail(console, error)
        return 1
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    prompt = Repl(session, console, interrupted)
    try:
        prompt.loop()
    finally:
        interrupted.clear()
        reason_of = prompt.runner.close()
        signal.signal(signal.SIGINT, before)
    if reason_of:
        print(f"kestrel: what was read could not be kept for the next session ({reason_of})")
    return 0


class Repl:
    """A session at a terminal. `interrupted` is set by Ctrl-C while a hunt runs."""

    def __init__(self, session: Session, console: Console, interrupted: threading.Event) -> None:
        self.session = session
        self.console = console
        self.runner = Runner(session, interrupted)

    def loop(self) -> None:
        self.console.print(WELCOME, style="dim")
        prompt: PromptSession[str] = PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation=CONTINUED,
            history=_history(),
            lexer=PygmentsLexer(KestrelLexer),
            style=COLOURS,
            include_default_pygments_style=False,
            completer=SessionCompleter(self.session),
            key_bindings=self._keys(),
        )
        while True:
            try:
                text = prompt.prompt()
            except KeyboardInterrupt:
                continue
            except EOFError:
                break
            self.runner.settle()
            asked = aside(self.session, text)
            if asked and asked.leave:
                break
            if asked and asked.hunt is None:
                self._tell(asked.help)
            elif text.strip():
                self._run(asked.hunt if asked and asked.hunt else text)
                self.runner.rest()
        self.runner.settle()

    def _run(self, text: str) -> None:
        """Run a hunt and show what it finds. Ctrl-C stops the running step; variables made before stay."""
        try:
            with Progress(self.session.progress):
                for result in self.runner.run(text, NAME, lambda known: self.console.print(Text(known, style="yellow"))):
                    if result is not None:
                        show(self.console, result)
        except Stopped:
            self.console.print(Text(f"\n{STOPPED}", style="yellow"))
        except HuntErrors as error:
            _fail(self.console, error)
        except Exception as error:
            traceback.print_exception(error)
            _fail(self.console, HuntErrors(Source(text, NAME), [Bug()]))

    def _tell(self, help: Help | None) -> None:
        if help is None:
            self.console.print(Text("there is no help for this", style="dim"))
            return
        self.console.print(Text(help.title, style="bold"))
        self.console.print(Text(help.text))

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        typing = has_focus(DEFAULT_BUFFER)

        @keys.add("enter", filter=typing)
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.complete_state and buffer.complete_state.current_completion:
                buffer.complete_state = None
            elif not buffer.document.text_after_cursor.strip() and finished(buffer.text):
                buffer.validate_and_handle()
            else:
                buffer.newline()

        @keys.add("escape", "enter", filter=typing)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.newline()

        @keys.add("f1", filter=typing)
        def _(event: KeyPressEvent) -> None:
            document = event.current_buffer.document
            known = help_at(self.session, document.text, document.cursor_position) if document.current_line.strip() else overview()
            run_in_terminal(lambda: self._tell(known))

        return keys


class SessionCompleter(Completer):
    """Completion at the prompt: by itself while a word is typed, everywhere on Tab."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Offer]:
        text = document.text_before_cursor
        found = complete(self.session, text, len(text))
        typed = text[found.start :]
        if not (typed or text.endswith(".") or complete_event.completion_requested):
            return
        for item in found.items:
            yield Offer(item.text, found.start - len(text), display_meta=item.detail)


def _fail(console: Console, error: HuntErrors) -> None:
    for failure in failures(error):
        show(console, failure)


def _history() -> History:
    """The lines typed so far, of all sessions, for the user's eyes only; of this one where they cannot be kept."""
    file = state_folder() / "history"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(file)
