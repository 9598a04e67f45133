"""Text to tree: the language as it is written."""

from kestrel.syntax.parser import parse
from kestrel.syntax.printer import to_text

__all__ = ["parse", "to_text"]
