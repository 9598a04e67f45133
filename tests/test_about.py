"""Every word of the model has a meaning that can be told, and no meaning is left over."""

from __future__ import annotations

from kestrel.config import packaged
from kestrel.model.about import about_attribute, about_type, about_verb
from kestrel.model.vocabulary import EVERY_ENTITY, vocabulary


def test_every_word_is_told() -> None:
    for name, kind in vocabulary().types.items():
        assert about_type(name)
        for attribute in (*kind.attributes, *kind.references, *EVERY_ENTITY):
            assert about_attribute(name, attribute)
    assert all(about_verb(verb) for verb in vocabulary().relations)


def test_nothing_else_is_told() -> None:
    known = packaged("kestrel.model", "about.yaml")
    assert set(known) == {"every entity", "types", "verbs"}
    assert set(known["every entity"]) == set(EVERY_ENTITY)
    assert set(known["verbs"]) == set(vocabulary().relations)
    assert set(known["types"]) == set(vocabulary().types)
    for name, texts in known["types"].items():
        kind = vocabulary().types[name]
        assert set(texts["attributes"]) == set(kind.attributes)
        assert set(texts.get("references", {})) == set(kind.references)
