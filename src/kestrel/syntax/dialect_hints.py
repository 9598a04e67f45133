"""What hunters write who come from SQL, from other query languages or out of a word processor, and what stands for it here."""

from __future__ import annotations

import unicodedata

SHOWN = "a variable is shown by `DISP x ATTR name, pid`"
COMMENTS = "a comment begins with `#`"
WITHIN = "compare by `MATCHES 'expression'` (RE2)"

ADVICE = {
    # other languages' commands
    "SELECT": "entities are asked for by `x = GET process FROM source WHERE ...`, and shown by `DISP x ATTR name, pid`",
    "PRINT": SHOWN,
    "SHOW": SHOWN,
    "DISPLAY": SHOWN,
    "COUNT": "`INFO x` counts entities, `GROUP x BY name WITH COUNT(pid)` counts by value",
    "UNION": "variables of one type are joined by `a + b`",
    "-": "what one variable has beyond another is `x = a WHERE NOT (id IN b.id)`",
    "MINUS": "what one variable has beyond another is `x = a WHERE NOT (id IN b.id)`",
    "EXCEPT": "what one variable has beyond another is `x = a WHERE NOT (id IN b.id)`",
    "INTERSECT": "what two variables share is `x = a WHERE id IN b.id`",
    # other languages' clauses
    "ORDER": "rows are sorted by `DISP x SORT BY name ASC`",
    "HAVING": "filter the groups in a second step: `g = GROUP x BY name WITH COUNT(pid)`, then `h = g WHERE count_pid > 3`",
    "DISTINCT": "DISP shows distinct rows as it is",
    "TOP": "the first rows are taken by `LIMIT 10`",
    "HEAD": "the first rows are taken by `LIMIT 10`",
    "OFFSET": "OFFSET follows LIMIT: `LIMIT 10 OFFSET 5`",
    "BETWEEN": "for times write `START t'...' STOP t'...'`, for numbers `pid >= 1 AND pid <= 5`",
    "SINCE": "a time range is `START t'...' STOP t'...'` or `LAST 3 days`",
    "END": "a time range is `START t'...' STOP t'...'` or `LAST 3 days`",
    "ASCENDING": "write ASC",
    "DESCENDING": "write DESC, or nothing: SORT is descending",
    "DESCEND": "write DESC, or nothing: SORT is descending",
    "WITH": "WITH belongs to GROUP and APPLY",
    # operators
    "<>": "write `!=`",
    "=<": "write `<=`",
    "=>": "write `>=`",
    "~": WITHIN,
    "=~": WITHIN,
    "REGEX": WITHIN,
    "REGEXP": WITHIN,
    "RLIKE": WITHIN,
    "MATCH": WITHIN,
    "CONTAINS": "compare by `LIKE '%text%'`",
    "INCLUDES": "compare by `LIKE '%text%'`",
    "HAS": "compare by `LIKE '%text%'`",
    "STARTSWITH": "compare by `LIKE 'text%'`",
    "ENDSWITH": "compare by `LIKE '%text'`",
    "ILIKE": "write LIKE, which ignores case",
    "ESCAPE": "ESCAPE follows the text of LIKE: `LIKE '100!%' ESCAPE '!'`",
    "EQUALS": "write `=`",
    "EQ": "write `=`",
    "&&": "write AND",
    "&": "write AND",
    "||": "write OR",
    "|": "there are no pipes: each step names its result, and the next step uses that name",
    "XOR": "write `(a AND NOT (b)) OR (NOT (a) AND b)`",
    # characters
    ";": "a statement needs no `;`: the next one begins on a line of its own",
    "//": COMMENTS,
    "/*": COMMENTS,
    "--": COMMENTS,
    # aggregations and units
    "MEAN": "write AVG",
    "AVERAGE": "write AVG",
    "TOTAL": "write SUM",
    "MEDIAN": "the median of an attribute is shown by `DESCRIBE x.pid`",
    "UNIQUE": "the number of distinct values is NUNIQUE",
    "WEEK": "write it in days: a week is `7 days`",
    "WEEKS": "write it in days: a week is `7 days`",
    "MONTH": "write it in days: a month is about `30 days`",
    "MONTHS": "write it in days: a month is about `30 days`",
    "YEAR": "write it in days: a year is `365 days`",
    "YEARS": "write it in days: a year is `365 days`",
    "MIN": "minutes are written `m` or `minutes`",
    "MINS": "minutes are written `m` or `minutes`",
    "HRS": "hours are written `h` or `hours`",
    "SEC": "seconds are written `s` or `seconds`",
    "SECS": "seconds are written `s` or `seconds`",
}
"""What to write instead of a word (in capitals) or a character, where it can stand for nothing."""
BEGINNINGS = {
    "!": "write NOT: `NOT name = 'cmd.exe'`",
    "&&": ADVICE["&&"],
    "||": ADVICE["||"],
    "//": COMMENTS,
    "/*": COMMENTS,
    "--": COMMENTS,
    ";": ADVICE[";"],
    ".": "an attribute is shown by `DISP x ATTR name`, described by `DESCRIBE x.name`, and compared by `WHERE name = x.name`",
}
"""The same for what a word begins with."""

LOOKALIKES = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u0060\uff07", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d", "-"),
    **{chr(ord(sign) + 0xFEE0): sign for sign in "()[]{},:=<>!$+./*%_#"},
    "\u2260": "!=",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u3001": ",",
}
"""Signs that look like one of the language, each with that one."""
INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def advice(found: str) -> str | None:
    """What to write instead of a word or character that cannot stand where it was found, if that is known."""
    if known := ADVICE.get(found.upper()):
        return known
    return next((known for begin, known in BEGINNINGS.items() if found.startswith(begin)), None)


def foreign(found: str) -> str | None:
    """The first character of a text that only looks like one of the language, or cannot be seen; None if there is none."""
    return next((sign for sign in found if sign in LOOKALIKES or sign in INVISIBLE), None)


def name_of(sign: str) -> str:
    """What Unicode calls a character."""
    return unicodedata.name(sign, f"U+{ord(sign):04X}")
