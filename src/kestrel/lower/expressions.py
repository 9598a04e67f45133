"""What is wrong with a MATCHES expression, in words: two engines look at it, and neither speaks to hunters."""

from __future__ import annotations

import re

LACKING = re.compile(r"\(\?(?:=|!|<=|<!|>)|\\[1-9]|\(\?P=|\(\?\(|[*+?}]\+")
"""What expressions of other engines have and RE2 has not."""
WORDS = (
    (r"missing (?:closing )?\)", "a `(` is never closed"),
    (r"unbalanced parenthesis|unexpected \)", "a `)` closes nothing"),
    (r"unterminated character set|missing (?:closing )?\]", "a `[` is never closed"),
    (r"nothing to repeat|no argument for repetition operator", "a `*`, `+` or `?` has nothing before it to repeat"),
    (r"multiple repeat|bad repetition operator", "two repetitions follow each other"),
    (r"invalid repetition size", "it repeats something more than 1,000 times"),
    (r"min repeat greater than max repeat", "the second number of a repetition is less than the first"),
    (r"bad character range (\S+)", "the range `{}` is backward"),
    (r"invalid character class range: ?(\S+)", "there is no class of characters `{}`"),
    (r"invalid escape sequence: ?(\S+)", "`{}` has no meaning in it"),
    (r"trailing \\|bad escape \(end of pattern\)", "it ends in a backslash"),
    (r"(?:expression|pattern) too large", "it is too large"),
    (r"invalid (?:perl operator|named capture group): ?(\S+)", "it has `{}`, which RE2 lacks; a group is named by `(?P<name>...)`"),
)
"""By what Python's engine or RE2 says: what that means. `{}` is the part of the expression it names."""


def in_words(message: str) -> str | None:
    """What an engine says of an expression, said to a hunter; None where only the other engine can tell."""
    for pattern, words in WORDS:
        found = re.search(pattern, message)
        if found:
            return words.format(*found.groups())
    return None
