"""Arguments of APPLY as environment variables, the way of Kestrel 1.x."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kestrel.analytics.contract import BadArgument

GUARDED = re.compile(
    r"PATH|ENV|IFS|BASH_ENV|SHELLOPTS|HOME|TMPDIR|NODE_OPTIONS|(?:LD_|DYLD_|PYTHON|PERL5|RUBY|GIT_|DOCKER_|KESTREL_).*", re.IGNORECASE
)
"""Variables that decide which code runs or where: a hunt, which may be somebody else's, does not set them."""


def as_environment(name: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Each argument as text: lists joined by commas, times in ISO 8601, booleans in lower case. Raises BadArgument."""
    found = {}
    for key, value in arguments.items():
        if GUARDED.fullmatch(key):
            raise BadArgument(name, key, "has the name of an environment variable that decides how programs run")
        text = _text(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadArgument(name, key, "is no valid Unicode text") from None
        if "\0" in text:
            raise BadArgument(name, key, "has a zero byte in it")
        found[key] = text
    return found


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case list() | tuple():
            return ",".join(_text(v) for v in value)
        case _:
            return str(value)
