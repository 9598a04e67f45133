"""What an answer says about itself: whether it is complete, and why it failed."""

from __future__ import annotations

import re
from typing import Any


class Expired(Exception):
    """The point in time no longer exists."""


EXPIRED = "search_context_missing_exception"
UNFINISHED = ("skipped", "partial", "failed", "running")
"""States of clusters that answered only in part."""


def lacking(answer: Any) -> str | None:
    """Why an answer is incomplete, or None. Fields that older servers do not send are not required. Raises Expired."""
    if not isinstance(answer, dict):
        return "the answer is not a JSON object"
    if answer.get("timed_out") is True:
        return "it ran out of time and returned only a part of the answer"
    clusters = answer.get("_clusters")
    if isinstance(clusters, dict) and any(_number(clusters, part) for part in UNFINISHED):
        return f"{_clusters(clusters)} did not answer completely"
    shards = answer.get("_shards")
    if not isinstance(shards, dict):
        return None
    failures = [f for f in shards.get("failures") or () if isinstance(f, dict)] if isinstance(shards.get("failures"), list) else []
    kinds = [reason({"error": f.get("reason")}) for f in failures]
    if any(kind == EXPIRED for kind, _ in kinds):
        raise Expired
    total, failed = _number(shards, "total"), _number(shards, "failed")
    missing = max(failed, total - _number(shards, "successful") if "successful" in shards else 0)
    if not missing:
        return None
    why = next((text for _, text in kinds if text), "")
    return f"{missing} of its {total or '?'} shards failed{': ' + why if why else ''}"


def _number(of: dict[str, Any], name: str) -> int:
    value = of.get(name)
    return value if isinstance(value, int) else 0


def _clusters(known: dict[str, Any]) -> str:
    details = known.get("details")
    names = (
        [n for n, d in details.items() if isinstance(d, dict) and d.get("status") not in (None, "successful")] if isinstance(details, dict) else []
    )
    number = sum(_number(known, part) for part in UNFINISHED)
    return f"{number} of its {_number(known, 'total') or number} clusters{f' ({chr(44).join(sorted(names))})' if names else ''}"


def reason(answer: Any) -> tuple[str, str]:
    """The type of an error and its reason in the server's own words, shortened to a sentence."""
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, str):
        return "", error[:200]
    if not isinstance(error, dict):
        return "", ""
    root = error.get("root_cause")
    cause = root[0] if isinstance(root, list) and root and isinstance(root[0], dict) else error
    text = str(cause.get("reason") or error.get("reason") or "")
    text = re.sub(r" for REST request \[.*?\]", "", re.sub(r"\s+", " ", text))
    index = cause.get("index")
    if text == "closed" and isinstance(index, str):
        text = f"index [{index}] is closed"
    return str(cause.get("type") or error.get("type") or ""), text[:200]


def named_indices(text: str) -> list[str]:
    """The indices that a server's message names, as in `index [x] blocked by`."""
    return list(dict.fromkeys(re.findall(r"index(?:es)? \[([^\]]+)\]", text)))


def privilege(text: str) -> str | None:
    """The missing privilege, from the action that the server refuses, or as the server names it."""
    if found := re.search(r"granted by the (?:index|cluster) privileges? \[([^\],]+)", text):
        return found[1]
    action = re.search(r"\b(?:indices|cluster):[\w/:*]+", text)
    if not action:
        return None
    return next((p for start, p in PRIVILEGES if action[0].startswith(start)), None)


PRIVILEGES = (
    ("indices:data/read/", "read"),
    ("indices:admin/resolve", "view_index_metadata"),
    ("indices:admin/mappings", "view_index_metadata"),
    ("indices:admin/get", "view_index_metadata"),
    ("cluster:", "monitor"),
)
