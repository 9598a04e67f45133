"""One running server and the questions it answers."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.answer import ServerError, request


@dataclass(frozen=True)
class Server:
    kind: str
    version: str
    url: str
    pid: int
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def ask(self, method: str, path: str, body: bytes | str | object = None, *, timeout: float = 60) -> Any:
        """The JSON of an answer. Raises ServerError when its status is no success."""
        answer = request(self.url, method, path, body, timeout=timeout)
        if answer.status >= 300:
            raise ServerError(method, path, answer)
        return answer.json if answer.body.strip() else None

    @functools.cached_property
    def has_wildcard(self) -> bool:
        """Whether it knows the field type `wildcard`."""
        template = {"index_patterns": ["no-index-has-this-name"], "template": {"mappings": {"properties": {"x": {"type": "wildcard"}}}}}
        try:
            self.ask("POST", "/_index_template/_simulate", template)
        except ServerError:
            return False
        return True
