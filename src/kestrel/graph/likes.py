"""LIKE patterns, and characters of a text that look like others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from kestrel.syntax.dialect_hints import INVISIBLE

TWINS = frozenset(
    "\u0430\u0441\u0435\u0456\u0458\u043e\u0440\u0455\u0443\u0445\u04bb\u0501\u051b\u051d\u0410\u0412\u0421\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u04ae"
    "\u03b1\u03bf\u03c1\u03bd\u03b9\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u0585\u0578\u057d"
)
"""Letters of Cyrillic, Greek and Armenian that look like Latin ones."""
WORD = re.compile(r"[^\W\d_]+")


def can_escape(pattern: str, escape: str) -> bool:
    """Whether every escape character of a LIKE pattern is followed by `%`, `_` or itself."""
    return next((False for character, escaped in characters(pattern, escape) if escaped and character not in ("%", "_", escape)), True)


def characters(pattern: str, escape: str) -> Iterator[tuple[str, bool]]:
    """The characters of a LIKE pattern, each with whether an escape character makes it literal."""
    left = iter(pattern)
    for character in left:
        yield (next(left, ""), True) if character == escape else (character, False)


def lookalikes(text: str) -> list[str]:
    """The characters of a text that cannot be seen, are another form of plain ones (full-width letters, ligatures), or are letters
    of another script that look like the Latin ones beside them."""
    if text.isascii():
        return []
    found = [s for s in text if s in INVISIBLE or (not s.isascii() and _is_form(s))]
    for word in WORD.findall(text):
        if any("a" <= s.lower() <= "z" for s in word):
            found += [s for s in word if s in TWINS]
    return list(dict.fromkeys(found))


def _is_form(sign: str) -> bool:
    """Whether a character is a compatibility form of ASCII characters."""
    plain = unicodedata.normalize("NFKC", sign)
    return plain != unicodedata.normalize("NFC", sign) and plain.isascii()
