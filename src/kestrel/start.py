"""The command `kestrel`, which can be stopped before anything else is imported."""

import os
import signal
from types import FrameType


def main() -> int:
    """Run the command; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    from kestrel.cli import main as command

    return command()


def _leave(number: int, _: FrameType | None) -> None:
    os.write(2, b"stopped\n")
    os._exit(128 + number)
