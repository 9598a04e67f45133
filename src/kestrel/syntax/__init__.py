"""Text to tree: the language as it is written."""
