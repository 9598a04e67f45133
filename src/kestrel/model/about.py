"""What the words of the model mean, in a sentence each (`about.yaml`)."""

from __future__ import annotations

from typing import Any

from kestrel.config import packaged
from kestrel.model.vocabulary import EVERY_ENTITY


def about_type(name: str) -> str:
    """What entities of a type of the model are."""
    return str(_texts()["types"][name]["about"])


def about_attribute(type_name: str, attribute: str) -> str:
    """What an attribute or a reference of a type tells, or an attribute of every entity."""
    if attribute in EVERY_ENTITY:
        return str(_texts()["every entity"][attribute])
    texts = _texts()["types"][type_name]
    return str(texts["attributes"].get(attribute) or texts["references"][attribute])


def about_verb(verb: str) -> str:
    """What the subject of a verb of FIND did to its object."""
    return str(_texts()["verbs"][verb])


def _texts() -> Any:
    return packaged("kestrel.model", "about.yaml")
