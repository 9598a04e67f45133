"""Windows events written as XML, each as the JSON that the EVTX reader gives: `System`, `EventData` and `UserData`, an element's attributes
under `#attributes` and its text under `#text`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

OPEN = re.compile(r"<(?:\w+:)?Event[\s>]")
CLOSE = re.compile(r"</(?:\w+:)?Event>")
DECLARES = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:x0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2[0-9]|3[01]));")
"""Characters that XML does not allow, as they are and as references."""
SPARE = 256
"""Characters at the end of a part in which the end of an event may begin."""
LONGEST = 1 << 24
"""Characters within which an event must end."""


def is_log(text: str) -> bool:
    """Whether a text begins with Windows events as XML, or with a line that has one behind other text."""
    line = text.lstrip().partition("\n")[0]
    if line.startswith(("{", "[")):
        return False  # XML in JSON is escaped
    found = OPEN.search(text)
    return found is not None and ((line.startswith("<") and not line.startswith(("<!", "<html"))) or CLOSE.search(line) is not None)


def is_event(text: str) -> bool:
    """Whether a text is one Windows event, or the `EventData` of one."""
    return text.lstrip().startswith(("<Event ", "<Event>", "<EventData", "<DataItem", "<UserData"))


def event(text: str) -> dict[str, Any] | None:
    """The event in a text; None if it is not well-formed. A text that declares entities is refused: they can be made to fill the memory."""
    if DECLARES.search(text):
        return None
    try:
        root = ElementTree.fromstring(FORBIDDEN.sub("\ufffd", text.strip()))
    except (ElementTree.ParseError, ValueError):
        return None
    match _name(root):
        case "EventData" | "UserData":
            return {"EventData": _event_data(root)}
        case "DataItem":  # of Log Analytics
            data = next((part for part in root.iter() if _name(part) == "EventData"), None)
            return None if data is None else {"EventData": _event_data(data)}
        case _:
            return _event(root)


def _event(root: ElementTree.Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in root:
        name = _name(part)
        found[name] = _event_data(part) if name == "EventData" else _tree(part)
    return found


def _event_data(part: ElementTree.Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    unnamed = []
    for child in part:
        value = "".join(child.itertext()) if len(child) else child.text or ""
        if name := child.get("Name"):
            found.setdefault(name, value)
        elif _name(child) == "Data":
            unnamed.append(value)
        else:
            found.setdefault(_name(child), value)
    if unnamed:
        found.setdefault("Data", {"#text": unnamed if len(unnamed) > 1 else unnamed[0]})
    return found


def _tree(part: ElementTree.Element) -> Any:
    attributes = {_local(name): value for name, value in part.attrib.items()}
    text = (part.text or "").strip()
    if not len(part):
        if not attributes:
            return text or None
        return {"#attributes": attributes, **({"#text": text} if text else {})}
    found: dict[str, Any] = {"#attributes": attributes} if attributes else {}
    for child in part:
        found.setdefault(_name(child), _tree(child))
    return found


def _name(part: ElementTree.Element) -> str:
    return _local(part.tag)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


class Events:
    """The events in a text that arrives in parts, each as JSON, whatever stands between them; one that is not well-formed as its text.
    `cut`: the text ends within an event."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts = parts
        self.cut = False

    def __iter__(self) -> Iterator[str]:
        text = ""
        for part in self._parts:
            searched = max(0, len(text) - SPARE)
            text += part
            end = 0
            for close in CLOSE.finditer(text, searched):
                begins = [found.start() for found in OPEN.finditer(text, end, close.start())]
                for begin, stop in pairwise((*begins, close.end())):
                    yield _line(text[begin:stop])
                end = close.end()
            text = text[end:] if len(text) - end < LONGEST else text[-LONGEST:]
        self.cut = OPEN.search(text) is not None


def _line(text: str) -> str:
    tree = event(text)
    return json.dumps(tree, ensure_ascii=False) if tree else " ".join(text.split())
