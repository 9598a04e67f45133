"""The records in JSON text that does not have one record a line: array elements, or objects one after another, in any layout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

BETWEEN = re.compile(r"[\s,\x00\ufeff]*")
NEXT = re.compile(r"(?:[,\]]\s*|\n\s*)(?=\{)")
"""The pattern at which a record may begin after one that cannot be read."""
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[\]{}]')
LINE_END = re.compile(r"\s*[\r\n]\s*")
CLOSES = {"{": "}", "[": "]"}
LONGEST = 1 << 26
"""The number of characters within which a record must end."""
SPAN = 1 << 20
"""The number of characters searched for the end of a broken record."""
SIDE_BY_SIDE = 1 << 15
"""The length of a line from which objects side by side are not treated as a missing line break."""
STRICT = json.JSONDecoder()
LENIENT = json.JSONDecoder(strict=False)
"""Accepts control characters in strings."""


class Documents:
    """The records of a text that arrives in parts. `cut`: the text ends within an array or a record; that record is left out."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts = iter(parts)
        self._text = ""
        self._ended = False
        self.cut = False

    def __iter__(self) -> Iterator[str]:
        """Each record as written, on one line; unreadable text up to the next record is returned as it is."""
        place, in_array = 0, False
        while True:
            place = BETWEEN.match(self._text, place).end()  # type: ignore[union-attr]
            if place >= len(self._text):
                if self._more(place):
                    place = 0
                    continue
                self.cut = in_array
                return
            if self._text[place] in "[]" and (not in_array or self._text[place] == "]"):
                in_array = self._text[place] == "["
                place += 1
                continue
            end = self._end(place)
            while end is None and len(self._text) - place < LONGEST and self._more(place):
                place = 0
                end = self._end(place)
            if end is None:
                end = self._next(place, in_array)
                if end is None:
                    self.cut = True
                    return
            yield LINE_END.sub(" ", self._text[place:end]).strip()
            place = end

    def _more(self, place: int) -> bool:
        """Drop the text before a position and read at least one more part; returns whether there was more."""
        wanted = max(1, len(self._text) - place)
        found: list[str] = []
        while wanted > 0 and not self._ended:
            try:
                part = next(self._parts)
            except StopIteration:
                self._ended = True
            else:
                found.append(part)
                wanted -= len(part)
        if found:
            self._text = self._text[place:] + "".join(found)
        return bool(found)

    def _end(self, place: int) -> int | None:
        """The end of the record at a position; None if it is not in the text read so far."""
        for decoder in (STRICT, LENIENT):
            try:
                end = decoder.raw_decode(self._text, place)[1]
            except json.JSONDecodeError as error:
                if not error.msg.startswith("Invalid control character"):
                    break
            except (ValueError, RecursionError):
                break
            else:
                return end if end < len(self._text) or self._ended or self._text[end - 1] in '}]"' else None
        return _closing(self._text, place)

    def _next(self, place: int, in_array: bool) -> int | None:
        """The end of an unreadable record: before the next readable one; None if there is none."""
        for tried, found in enumerate(NEXT.finditer(self._text, place + 1)):
            if tried > 1000:
                break
            if (end := self._end(found.end())) is not None and _is_record(self._text[found.end() : end]):
                return found.end() if self._text[found.start()] != "]" else found.start()
        if in_array or self._text[place] == "{":
            return None
        found_end = self._text.find("\n", place)
        return len(self._text) if found_end < 0 else found_end


def _closing(text: str, place: int) -> int | None:
    """The end of a properly nested object or array; None if it is not nearby."""
    if text[place] not in "{[":
        return None
    waiting: list[str] = []
    for token in TOKEN.finditer(text, place, place + SPAN):
        sign = token[0]
        if sign in CLOSES:
            waiting.append(CLOSES[sign])
        elif sign in ("}", "]"):
            if waiting.pop() != sign:
                return None
            if not waiting:
                return token.end()
    return None


def _is_record(text: str) -> bool:
    try:
        return isinstance(json.loads(text, strict=False), dict)
    except RecursionError:
        return True
    except ValueError:
        return False


def is_spread(text: str) -> bool:
    """Whether text that begins with an object (or part of one) spreads it over several lines, or has many on one long line."""
    text = text.lstrip()
    line, _, rest = text.partition("\n")
    try:
        end = STRICT.raw_decode(text)[1]
    except json.JSONDecodeError as error:
        return bool(rest.strip()) and error.pos > len(line) + 1
    except (ValueError, RecursionError):
        return False
    return end > len(line) or (not rest and len(text) > SIDE_BY_SIDE and line[end:].lstrip()[:1] == "{")
