"""What a step needs from its sources."""

from kestrel.pushdown.query import RecordQuery, Related
from kestrel.pushdown.rules import ask

__all__ = ["RecordQuery", "Related", "ask"]
