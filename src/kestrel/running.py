"""A hunt that runs in a thread of its own, so that the main thread hears Ctrl-C and can stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import Any

from kestrel.assist import learn, remember
from kestrel.result import Result
from kestrel.session import Session
from kestrel.signals import Stopped

LOOK = 0.05
"""Seconds between two looks at what a hunt has found, and whether it is to stop."""
PATIENCE = 2.0
"""Seconds after which a notice says that stopping takes long."""
STOPPED = "stopped; the variables made before are still there"
SLOW = "still stopping: what is being read has to be read to its end"


class Work:
    """Something done in a thread of its own. It asks now and then whether to stop."""

    def __init__(self, act: Callable[[Callable[[], bool]], None]) -> None:
        self.act = act
        self.stopped = threading.Event()
        self.done = threading.Event()
        self.failure: BaseException | None = None
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        try:
            self.act(self.stopped.is_set)
        except BaseException as error:  # the waiting thread raises it
            self.failure = error
        finally:
            self.done.set()


class Runner:
    """Runs the hunts of one session, one after the other. `interrupted` is set, from anywhere, to stop the one that runs."""

    def __init__(self, session: Session, interrupted: threading.Event) -> None:
        self.session = session
        self.interrupted = interrupted
        self.idle: Work | None = None

    def run(self, text: str, name: str, slow: Callable[[str], None], parameters: Mapping[str, Any] | None = None) -> Iterator[Result | None]:
        """Each result of a hunt as soon as it is there, and None now and then while it works.

        `parameters` are the values of `$name`. `slow` is called once if the hunt takes long to stop. Raises Stopped, HuntErrors, and what
        else the hunt failed in.
        """
        self.settle()
        found: SimpleQueue[Result] = SimpleQueue()

        def hunt(stopped: Callable[[], bool]) -> None:
            for result in self.session.stream(text, name, parameters):
                found.put(result)
                if stopped():
                    raise Stopped

        self.interrupted.clear()
        _ = self.session.engine  # made here, so that there is something to interrupt as soon as the thread begins
        work = Work(hunt)
        since: float | None = None
        try:
            while not work.done.wait(LOOK):
                yield from self._taken(found)
                yield None
                if self.interrupted.is_set():
                    since = self._stop(work, since, slow)
            yield from self._taken(found)
        finally:  # even if the result could not be shown: two threads must not use the session
            while not work.done.is_set():
                self._stop(work, None, slow)
                work.done.wait(LOOK)
        self.session.freeze()
        if work.failure and work.stopped.is_set():
            raise Stopped from work.failure
        if work.failure:
            raise work.failure

    def rest(self) -> None:
        """Use the time until the next hunt to learn more of the variables."""
        self.idle = Work(lambda stopped: learn(self.session, stopped))

    def settle(self) -> None:
        """Have the idle moment's work stop; what it failed in is of no concern."""
        while self.idle and not self.idle.done.is_set():
            self.idle.stopped.set()
            self.session.interrupt()
            self.idle.done.wait(LOOK)
        self.idle = None

    def close(self) -> str | None:
        """Write what was read to the cache, unless interrupted, and end the session. Returns why it could not be written, or None."""
        self.settle()
        known: list[str | None] = []
        work = Work(lambda _: known.append(self.session.settle()))
        while not work.done.wait(LOOK):
            if self.interrupted.is_set():
                self.session.interrupt()
        self.session.free()
        if work.failure:
            raise work.failure
        return known[0]

    def _taken(self, found: SimpleQueue[Result]) -> Iterator[Result]:
        while True:
            try:
                result = found.get_nowait()
            except Empty:
                return
            remember(self.session, result)
            yield result

    def _stop(self, work: Work, since: float | None, slow: Callable[[str], None]) -> float:
        """Ask the work to stop, again and again: it may be between two queries. Returns since when it is asked, for ever
        later once a notice says that it takes long."""
        work.stopped.set()
        self.session.interrupt()
        now = time.monotonic()
        if since is not None and now - since > PATIENCE:
            slow(SLOW)
            return float("inf")
        return now if since is None else since
