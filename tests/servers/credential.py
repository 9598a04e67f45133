"""Who may ask: the values of the header `Authorization`, and how Elasticsearch turns others away."""

from __future__ import annotations

import base64
from typing import Any

CHALLENGES = ['Basic realm="security", charset="UTF-8"', 'Bearer realm="security"', "ApiKey"]


def api_key(identity: str, secret: str) -> str:
    return "ApiKey " + base64.b64encode(f"{identity}:{secret}".encode()).decode()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def bearer(token: str) -> str:
    return f"Bearer {token}"


def unauthenticated(authorization: str | None, path: str) -> dict[str, Any]:
    """The body of a 401."""
    match (authorization or "").partition(" ")[0].lower():
        case "":
            reason = f"missing authentication credentials for REST request [{path}]"
        case "apikey":
            reason = f"unable to authenticate with provided credentials and anonymous access is not allowed for this request [{path}]"
        case _:
            reason = f"unable to authenticate user for REST request [{path}]"
    return _security_exception(401, reason, {"header": {"WWW-Authenticate": CHALLENGES}})


def unauthorized(path: str) -> dict[str, Any]:
    """The body of a 403."""
    index = path.strip("/").split("/")[0] or "*"
    reason = (
        f"action [indices:data/read/search] is unauthorized for user [kestrel] on indices [{index}], "
        "this action is granted by the index privileges [read,all]"
    )
    return _security_exception(403, reason, {})


def _security_exception(status: int, reason: str, more: dict[str, Any]) -> dict[str, Any]:
    error = {"type": "security_exception", "reason": reason, **more}
    return {"error": {"root_cause": [error], **error}, "status": status}
