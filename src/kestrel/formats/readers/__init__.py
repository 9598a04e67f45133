"""Bytes to raw records: compression, archives, encodings, JSON in any layout."""
