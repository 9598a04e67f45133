"""Kestrel: a language and a runtime for threat hunting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kestrel.version import __version__

__all__ = ["Session", "__version__"]

if TYPE_CHECKING:
    from kestrel.session import Session


def __getattr__(name: str) -> Any:
    if name == "Session":
        from kestrel.session import Session

        return Session
    raise AttributeError(f"module 'kestrel' has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext kestrel` runs in a Python notebook."""
    from kestrel.kernel.magic import load

    load(shell)
