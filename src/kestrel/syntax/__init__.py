"""Text to tree: the language as it is written."""

from kestrel.syntax.parser import parse, parse_partly, read_value
from kestrel.syntax.printer import to_text

__all__ = ["parse", "parse_partly", "read_value", "to_text"]
