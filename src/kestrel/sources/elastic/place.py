"""Where a cluster is and how it is asked, from a data source profile."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from kestrel.sources.profiles import BadProfile, Profile

CONNECTORS = ("elastic_ecs", "elastic", "opensearch")
TIMEOUT = 60.0
"""Seconds to wait for an answer, unless the profile says otherwise."""
BOUND = 2_000_000
"""Documents that one step may fetch, unless the profile says otherwise."""
WHOLE = 200_000
"""Documents of a time range up to which all are fetched, unless the profile says otherwise."""
PAGE = 5_000
"""Documents a page."""


@dataclass(frozen=True)
class Place:
    """One cluster and its indices. Secrets take no part in printing."""

    profile: str
    url: str
    """Scheme, host, port, and the path before the API, without a slash at its end."""
    indices: str
    authorization: str | None = field(default=None, repr=False)
    verify: bool = True
    certificate: str | None = field(default=None, repr=False)
    """PEM text of the certificate to trust; None: those the machine trusts."""
    timeout: float = TIMEOUT
    bound: int = BOUND
    whole: int = WHOLE
    page: int = PAGE

    @property
    def address(self) -> str:
        """The place without secrets, as it is shown."""
        return f"{self.url}/{self.indices}"

    @property
    def path(self) -> str:
        """The indices as a part of a URL."""
        return quote(self.indices, safe=",*-_.+<>:")


def place_of(profile: Profile) -> Place:
    """Raises BadProfile."""
    connection = profile.connection
    options = _mapping(profile, connection.get("options"), "its `options`")
    auth = _mapping(profile, profile.configuration.get("auth"), "its `auth`")
    certificate = connection.get("selfSignedCert", options.get("selfSignedCert"))
    verify = options.get("verify_cert", connection.get("verify_cert", True))
    if certificate is False:
        verify = False
    if isinstance(certificate, str) and "BEGIN CERTIFICATE" not in certificate:
        raise BadProfile(profile.name, "its `selfSignedCert`", "must be the certificate itself, as PEM text")
    return Place(
        profile.name,
        _url(profile),
        _indices(profile, connection.get("indices")),
        _authorization(profile, auth),
        verify not in (False, "false", "False", 0),
        certificate.replace("\\n", "\n") if isinstance(certificate, str) else None,
        _number(profile, options, "timeout", TIMEOUT),
        int(_number(profile, options, "fetch_bound", BOUND)),
        int(_number(profile, options, "fetch_whole", WHOLE)),
        min(10_000, int(_number(profile, options, "result_limit", PAGE))),
    )


def _mapping(profile: Profile, value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadProfile(profile.name, what, "must be an object, like `{...}`")
    return value


def _url(profile: Profile) -> str:
    host = profile.connection.get("host")
    if not isinstance(host, str) or not host.strip():
        raise BadProfile(profile.name, "its connection", 'needs a host, like `{"host": "elastic.example.org", "port": 9200, "indices": "logs-*"}`')
    given = host.strip() if "://" in host else f"https://{host.strip()}"
    try:
        parts = urlsplit(given)
        port = profile.connection.get("port", parts.port or (443 if "://" in host and parts.scheme == "https" else 9200))
        number = int(port)
    except (ValueError, TypeError):
        raise BadProfile(profile.name, "its `host` and `port`", "are not a valid address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not 0 < number < 65536:
        raise BadProfile(profile.name, "its `host` and `port`", "are not a valid address")
    if parts.username or parts.password:
        raise BadProfile(profile.name, "its `host`", "must not hold a user or password: they belong to `auth` in its configuration")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}:{number}{parts.path.rstrip('/')}"


def _indices(profile: Profile, value: Any) -> str:
    names = value if isinstance(value, list) else [value] if isinstance(value, str) else None
    found = [n.strip() for part in names or () if isinstance(part, str) for n in part.split(",") if n.strip()]
    if not found:
        raise BadProfile(profile.name, "its connection", 'needs the indices to ask, like `"indices": "winlogbeat-*"`')
    if any(re.search(r'[\s"/\\?#|]', n) or n.startswith("_") for n in found):
        raise BadProfile(profile.name, "its `indices`", "are not names of indices, data streams, aliases or patterns of these")
    return ",".join(found)


def _authorization(profile: Profile, auth: dict[str, Any]) -> str | None:
    def text(name: str) -> str | None:
        value = auth.get(name)
        if value is not None and not isinstance(value, str):
            raise BadProfile(profile.name, f"`{name}` of its `auth`", "must be text")
        if value and any(ord(c) < 32 or ord(c) == 127 for c in value):
            raise BadProfile(profile.name, f"`{name}` of its `auth`", "contains a line break or another control character")
        if value and any("\ud800" <= c <= "\udfff" for c in value):
            raise BadProfile(profile.name, f"`{name}` of its `auth`", "is not valid Unicode text")
        return value or None

    def plain(name: str) -> str | None:
        """Text that goes into the header directly, not in base64: ASCII, as HTTP requires (RFC 9110, section 5.5)."""
        value = text(name)
        if value and not value.isascii():
            raise BadProfile(
                profile.name, f"`{name}` of its `auth`", "has a character that is not allowed in an HTTP header; keys and tokens are ASCII"
            )
        return value

    if key := text("api_key"):
        identity = text("id")
        return "ApiKey " + (_packed(f"{identity}:{key}") if identity else str(plain("api_key")))
    if token := plain("access_token"):
        return f"Bearer {token}"
    if user := text("username"):
        return "Basic " + _packed(f"{user}:{text('password') or ''}")
    if auth:
        raise BadProfile(profile.name, "its `auth`", "needs `id` and `api_key`, or `username` and `password`, or `access_token`")
    return None


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _number(profile: Profile, options: dict[str, Any], name: str, otherwise: float) -> float:
    try:
        value = float(options.get(name, otherwise))
    except (TypeError, ValueError):
        value = 0
    if not 0 < value < 1e12:
        raise BadProfile(profile.name, f"`{name}` of its `options`", "must be a number above 0")
    return value
