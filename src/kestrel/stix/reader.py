"""STIX bundles in a text, one object at a time: nothing as large as a bundle is ever held in memory but its text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from kestrel.stix import records as stix

SIGN = re.compile(r"[^ \t\r\n,]")
END = "}"
BROKEN = ""


def is_bundle(head: str) -> bool:
    """Whether a text begins as a STIX bundle: its type, its id or its first object says so, whichever comes first."""
    for name, value in _members(head):
        match name, value:
            case "type", "bundle":
                return True
            case "id", str() if value.startswith("bundle--"):
                return True
            case "objects", {"type": str(), "id": str(key)} if "--" in key:
                return True
            case (_, None) if name == END:
                return False
    return False


def documents(text: str) -> Iterator[list[Any]]:
    """The rows of each observed-data of the bundles. A place that cannot be read ends them, as a text."""
    apart = _objects(text) if '"object_refs"' in text else ()
    bundled = {o["id"]: o for o in apart if isinstance(o, dict) and isinstance(o.get("id"), str) and not stix.is_record(o)}
    for found in _objects(text):
        if stix.is_record(found):
            yield stix.rows(found, bundled)
        elif not isinstance(found, dict):
            yield [found]


def _objects(text: str) -> Iterator[Any]:
    return (value for name, value in _members(text) if name in ("objects", BROKEN))


def _members(text: str) -> Iterator[tuple[str, Any]]:
    """Name and value of the members of JSON objects that stand one after another, but of `objects` each element. END with None
    ends an object; BROKEN has the text that cannot be read."""
    decode = json.JSONDecoder(object_pairs_hook=_first_values).raw_decode
    place, inside = 0, ""
    while (place := _next(text, place)) < len(text):
        match inside, text[place]:
            case "", "{":
                place, inside = place + 1, "bundle"
            case "bundle", "}":
                place, inside = place + 1, ""
                yield END, None
            case "objects", "]":
                place, inside = place + 1, "bundle"
            case _:
                try:
                    value, place = decode(text, place)
                    if inside == "bundle":
                        name, place = str(value), _next(text, _next(text, place) + 1)
                        if name == "objects" and text[place] == "[":
                            place, inside = place + 1, "objects"
                            continue
                        value, place = decode(text, place)
                        yield name, value
                    else:
                        yield "objects", value
                except (ValueError, RecursionError, IndexError):
                    yield BROKEN, text[place : place + 1000].partition("\n")[0]
                    return


def _first_values(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of equal names the first counts."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else dict(reversed(pairs))


def _next(text: str, place: int) -> int:
    """The place of the next character that is no blank and no comma."""
    found = SIGN.search(text, place)
    return found.start() if found else len(text)
