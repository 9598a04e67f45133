"""Answers from a file of rows. A search is running when it is asked for the first time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from stix_shifter_utils.modules.base.stix_transmission.base_connector import BaseConnector

RUNNING: set[str] = set()


class Connector(BaseConnector):  # type: ignore[misc]
    def __init__(self, connection: dict[str, Any], configuration: dict[str, Any]) -> None:
        self.rows = Path(connection["path"])

    async def ping_connection(self) -> dict[str, Any]:
        return {"success": self.rows.exists()}

    async def create_query_connection(self, query: str) -> dict[str, Any]:
        RUNNING.add(query)
        return {"success": True, "search_id": query}

    async def create_status_connection(self, search_id: str, metadata: Any = None) -> dict[str, Any]:
        if search_id in RUNNING:
            RUNNING.discard(search_id)
            return {"success": True, "status": "RUNNING", "progress": 50}
        return {"success": True, "status": "COMPLETED", "progress": 100}

    async def create_results_connection(self, search_id: str, offset: int, length: int, metadata: Any = None) -> dict[str, Any]:
        query = json.loads(search_id)
        start, stop = re.findall(r"t'([^']+)'", query["pattern"])
        lines = [json.loads(line) for line in self.rows.read_text(encoding="utf-8").splitlines()]
        found = [row for row in lines if start <= row.get("time", start) <= stop][: query["limit"]]
        return {"success": True, "data": found[int(offset) : int(offset) + int(length)]}

    async def delete_query_connection(self, search_id: str) -> dict[str, Any]:
        return {"success": True}
