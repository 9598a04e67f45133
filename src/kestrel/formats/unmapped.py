"""Event types that are mapped only as events: the names of their providers, and the entity types they can name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from kestrel.config import packaged

COMPANY = "microsoft-windows-"
OTHER_NAMES = {"security-auditing": "Security", "eventlog": "Eventlog"}


@cache
def provider_name(provider: str) -> str:
    """A provider as a notice names it: `Security` for `Microsoft-Windows-Security-Auditing`, without the channel behind a slash."""
    short = provider.partition("/")[0]
    if short.lower().startswith(COMPANY):
        short = short[len(COMPANY) :]
    return OTHER_NAMES.get(short.lower(), short)


def could_name(provider: str, code: str, type_name: str) -> bool:
    """Whether an event type that is mapped only as an event can name entities of a type, as far as is known."""
    codes = next((codes for name, codes in _table().items() if name.lower() == provider.lower()), {})
    return type_name in (codes.get(code) or codes.get("all") or ())


@cache
def _table() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    found = packaged("kestrel.formats", "unmapped-events.yaml")
    return {provider: {str(code): tuple(types) for code, types in codes.items()} for provider, codes in found.items()}
