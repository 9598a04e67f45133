"""What a step asks of its sources: as little as is sure to be enough."""

from kestrel.ask.query import RecordQuery, Related
from kestrel.ask.rules import ask

__all__ = ["RecordQuery", "Related", "ask"]
