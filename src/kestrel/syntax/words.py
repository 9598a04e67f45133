"""The words of the language, and where they are free to name something else."""

from __future__ import annotations

COMMANDS = ("GET", "FIND", "NEW", "LOAD", "SAVE", "SORT", "GROUP", "JOIN", "APPLY", "DISP", "INFO", "DESCRIBE", "EXPLAIN")
YIELDING = ("GET", "FIND", "NEW", "LOAD", "SORT", "GROUP", "JOIN")
CLAUSES = ("FROM", "WHERE", "START", "LAST", "LIMIT", "OFFSET", "ATTR", "SORT", "DEPTH", "AS")
TRANSFORMS = ("TIMESTAMPED", "ADDOBSID", "RECORDS")
VIEWS = ("TREE", "GRAPH", "TIMELINE", "CHART", "TABLE")
AGGREGATIONS = ("MIN", "MAX", "SUM", "AVG", "COUNT", "NUNIQUE")
OPERATORS = ("IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET")
OTHERS = ("BY", "STOP", "AND", "OR", "NOT", "IS", "NULL", "WITH", "ON", "TO", "ASC", "DESC", "ANY", "BIN")

RESERVED = frozenset(
    {*COMMANDS, *OPERATORS, "FROM", "WHERE", "ATTR", "LIMIT", "START", "STOP", "BY", "AND", "OR", "NOT", "IS"} - {"EXPLAIN"}
)
"""Words that name no variable, type or verb. Every other word is a keyword only where it can stand."""

KEYWORDS = frozenset({*COMMANDS, *CLAUSES, *TRANSFORMS, *VIEWS, *AGGREGATIONS, *OPERATORS, *OTHERS})

ATTRIBUTES_TOO = frozenset({"START"})
"""Reserved words that STIX also uses as attributes (`network-traffic:start`)."""

UNITS = {
    **dict.fromkeys(("D", "DAY", "DAYS"), "DAY"),
    **dict.fromkeys(("H", "HOUR", "HOURS"), "HOUR"),
    **dict.fromkeys(("M", "MINUTE", "MINUTES"), "MINUTE"),
    **dict.fromkeys(("S", "SECOND", "SECONDS"), "SECOND"),
}
