"""How documents in ECS are indexed: the template, as far as a server knows its types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.servers.server import Server

NAME = "kestrel-ecs"


def template(server: Server) -> dict[str, Any]:
    """The index template in the types of this server."""
    read: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("template.yaml").read_text(encoding="utf-8"))
    return read if server.has_wildcard else _without_wildcard(read)


def put_template(server: Server) -> None:
    server.ask("PUT", f"/_index_template/{NAME}", template(server))


def _without_wildcard(tree: Any) -> Any:
    """Where a server has no `wildcard`, such a field is a keyword, and what is longer than 1,024 characters is only in `_ignored`."""
    match tree:
        case {"type": "wildcard", **rest}:
            return {"type": "keyword", "ignore_above": 1024, **rest}
        case dict():
            return {name: _without_wildcard(part) for name, part in tree.items()}
        case list():
            return [_without_wildcard(part) for part in tree]
        case _:
            return tree
