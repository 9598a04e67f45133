"""What a table on screen asks of the kernel that made it: rows that the notebook does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kestrel.display.values import jsonable
from kestrel.session import Session

MOST = 1000
"""Rows of one answer at most."""


def page(session: Session, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of a table that the session showed, and how many there are; `unknown` where it showed none of that key.

    `asked`: key, offset, count, and where wanted sort (the number of a column), descending, search (text that a cell has).
    """
    try:
        sort = None if asked.get("sort") is None else int(asked["sort"])
        found = session.page(
            str(asked.get("key")),
            max(0, int(asked.get("offset", 0))),
            max(0, min(MOST, int(asked.get("count", 0)))),
            sort,
            bool(asked.get("descending")),
            str(asked.get("search") or ""),
        )
    except (KeyError, IndexError, TypeError, ValueError):
        return {"unknown": True}
    rows, total = found
    return {"rows": [[jsonable(v) for v in row] for row in rows], "total": total}
