"""What a proxy can do wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refuse:
    """Closes the connection without a word."""


@dataclass(frozen=True)
class HangHead:
    """Asks nobody and says nothing for so long; then answers as usual."""

    seconds: float = 3600


@dataclass(frozen=True)
class HangBody:
    """Sends so many bytes of the body, and the rest so much later."""

    after: int = 20
    seconds: float = 3600


@dataclass(frozen=True)
class Cut:
    """Sends so many bytes of the body, then ends the connection."""

    after: int = 20


@dataclass(frozen=True)
class Garble:
    """Sends a body that is no JSON."""


@dataclass(frozen=True)
class Change:
    """Sends the body with these fields laid over it."""

    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Rewrite:
    """Sends the body after a function has changed it, as Python values."""

    change: Callable[[Any], Any]


@dataclass(frozen=True)
class Replace:
    """Sends the body with these bytes instead of those, everywhere."""

    old: bytes
    new: bytes


@dataclass(frozen=True)
class Drip:
    """Sends the body a byte at a time, with pauses."""

    seconds: float = 1


@dataclass(frozen=True)
class DripHead:
    """Sends endless headers without forwarding the request, one after each pause."""

    seconds: float = 1


@dataclass(frozen=True)
class Endless:
    """Sends an endless body without forwarding the request."""

    piece: bytes = b" " * 65_536


@dataclass(frozen=True)
class Say:
    """Asks nobody and answers this."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


JSON_TYPE = {"content-type": "application/json"}

Fault = Refuse | HangHead | HangBody | Cut | Garble | Change | Rewrite | Replace | Drip | DripHead | Endless | Say

TIMED_OUT = Change({"timed_out": True})
SHARDS_FAILED = Change(
    {
        "_shards": {
            "total": 2,
            "successful": 1,
            "failed": 1,
            "failures": [{"shard": 1, "index": "ecs", "node": "n", "reason": {"type": "no_shard_available_action_exception", "reason": "no shard"}}],
        }
    }
)


def error(status: int, kind: str, reason: str, headers: Mapping[str, str] | None = None) -> Say:
    """An error in the words of Elasticsearch."""
    cause = {"type": kind, "reason": reason}
    body = json.dumps({"error": {"root_cause": [cause], **cause}, "status": status}).encode()
    return Say(status, body, JSON_TYPE | dict(headers or {}))


def too_many_requests(retry_after: str = "1") -> Say:
    return error(429, "es_rejected_execution_exception", "rejected execution of coordinating operation", {"retry-after": retry_after})


def internal_error() -> Say:
    return error(500, "illegal_state_exception", "a fault made for the test")


def redirect(location: str, status: int = 302) -> Say:
    return Say(status, b"", {"location": location})


def changed(body: bytes, fields: Mapping[str, Any]) -> bytes:
    return json.dumps(_laid_over(json.loads(body), fields)).encode()


def _laid_over(base: Any, top: Any) -> Any:
    if isinstance(base, dict) and isinstance(top, Mapping):
        return base | {name: _laid_over(base.get(name), value) for name, value in top.items()}
    return top
