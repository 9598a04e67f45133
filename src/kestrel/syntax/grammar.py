"""The words of the language, and which clauses each command takes: one table for the parser, completion, colours and help."""

from __future__ import annotations

COMMANDS = ("GET", "FIND", "NEW", "LOAD", "SAVE", "SORT", "GROUP", "JOIN", "APPLY", "DISP", "INFO", "DESCRIBE", "EXPLAIN")
YIELDING = ("GET", "FIND", "NEW", "LOAD", "SORT", "GROUP", "JOIN")
TRANSFORMS = ("TIMESTAMPED", "ADDOBSID", "RECORDS")
CLAUSES = ("FROM", "WHERE", "START", "LAST", "LIMIT", "OFFSET", "ATTR", "SORT", "DEPTH", "AS", "WITH", "BY", "STOP")
VIEWS = ("TREE", "GRAPH", "TIMELINE", "CHART", "TABLE")
AGGREGATIONS = ("MIN", "MAX", "SUM", "AVG", "COUNT", "NUNIQUE")
JOINING = ("AND", "OR", "NOT", "IN", "LIKE", "MATCHES", "IS", "ISSUBSET", "ISSUPERSET")
RESERVED = frozenset({*COMMANDS, *JOINING, "FROM", "WHERE", "ATTR", "LIMIT", "START", "STOP", "BY"})
UNITS = {"D": "DAY", "DAY": "DAY", "H": "HOUR", "HOUR": "HOUR", "M": "MINUTE", "MINUTE": "MINUTE", "S": "SECOND", "SECOND": "SECOND"}
UNITS |= {f"{u}S": v for u, v in UNITS.items() if len(u) > 1}
DEEPEST = 100
EVERY = 2**62
"""The LIMIT of an OFFSET that stands alone."""

CLAUSES_OF = {
    "GET": ("FROM", "WHERE", "START", "LAST", "LIMIT"),
    "FIND": ("DEPTH", "WHERE", "START", "LAST", "LIMIT"),
    "expression": ("WHERE", "ATTR", "SORT", "LIMIT", "OFFSET"),
    "DISP": ("WHERE", "ATTR", "SORT", "LIMIT", "OFFSET", "AS"),
}
"""In any order, each once; START and LAST exclude each other, and STOP follows START."""
TIMES = frozenset({"START", "LAST"})
"""Clauses of which a statement has one."""
OTHER_WORDS = ("OFFSET", "ANY", "ON", "TO", "REPLACE", "ASC", "DESC")
"""Further words inside clauses and commands."""
OFFERED_UNITS = ("DAYS", "HOURS", "MINUTES", "SECONDS")
OFFERED_SPANS = ("1 HOUR", "1 DAY", "7 DAYS")
TESTS = ("IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET")
OPERATORS = {
    "text": ("=", "LIKE", "IN", "!=", "MATCHES", "NOT", "IS NULL", "IS NOT NULL", "ISSUBSET", "ISSUPERSET", "<", "<=", ">", ">="),
    "number": ("=", "IN", "!=", "<", "<=", ">", ">=", "NOT", "IS NULL", "IS NOT NULL", "LIKE", "MATCHES"),
    "time": ("=", "<", "<=", ">", ">=", "!=", "NOT", "IS NULL", "IS NOT NULL"),
    "any": ("=", "!=", "IN", "NOT", "IS NULL", "IS NOT NULL"),
}
"""The operators for each value type, the most common first."""
