"""Every ECS and OCSF name stands for an attribute that the model has, and the names that analysts use are among them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kestrel.lower.names import resolve
from kestrel.model.vocabulary import vocabulary
from kestrel.text import NOWHERE


@pytest.mark.parametrize("name", sorted(vocabulary().aliases))
def test_a_name_stands_for_an_attribute(name: str) -> None:
    kind, _, attribute = vocabulary().aliases[name].partition(":")
    path = resolve(attribute, vocabulary().types[kind], NOWHERE)
    assert path and (path.known or vocabulary().entity(path.end).is_open(path.attribute))


@pytest.mark.parametrize(
    ("name", "meant"),
    {
        "registry.path": "windows-registry-key:key",
        "url.full": "url:value",
        "host.ip": "x-oca-asset:ip_refs.value",
        "dns.resolved_ip": "domain-name:resolves_to_refs.value",
        "process.exit_code": "process:x_exit_code",
        "actor.user.name": "user-account:account_login",
        "reg_key.path": "windows-registry-key:key",
        "process.parent.working_directory": "process:parent_ref.cwd",
        "actor.process.parent_process.file.path": "process:parent_ref.binary_ref.x_path",
        "file.size": "file:size",
        "source.bytes": "network-traffic:src_byte_count",
    }.items(),
)
def test_what_a_name_stands_for(name: str, meant: str) -> None:
    assert ":".join(vocabulary().alias(name) or ()) == meant


SINGLE = ("ecs", "ocsf")
ELSEWHERE = {
    "process.executable": "binary_ref.x_path",
    "host.name": "hostname",
    "user.name": "account_login",
    "file.directory": "parent_directory_ref.path",
    "registry.path": "key",
    "process.parent.executable": "parent_ref.binary_ref.x_path",
    "process.parent_process.file.path": "parent_ref.binary_ref.x_path",
    "event.start": "start",
}
"""The attributes of fields of which the facts use a part, or which they use for a second attribute."""


def facts(shared: Path) -> list[dict[str, Any]]:
    every = yaml.safe_load((shared.parent / "field_facts.yaml").read_text(encoding="utf-8"))["entities"]
    return [fact for of in every.values() for fact in of]


def test_the_checked_names_of_fields(shared: Path) -> None:
    """For each checked fact that maps one plain field to an attribute of the model: the field is a name for it."""
    missing = []
    for fact in facts(shared):
        kind, _, attribute = str(fact["stix"]).partition(":")
        known = vocabulary().types.get(kind)
        path = resolve(attribute, known, NOWHERE) if known else None
        if path is None or not path.known:
            continue
        for field in (str(fact.get(dialect)) for dialect in SINGLE):
            if not re.fullmatch(r"\w+(\.\w+)+", field) or field == "network.transport":
                continue
            alias = vocabulary().alias(field)
            found = alias and resolve(alias[1], vocabulary().types[alias[0]], NOWHERE)
            if field in ELSEWHERE and found and found.text() == ELSEWHERE[field]:
                continue
            if not found or found.attribute.rpartition("_refs.")[2] != path.attribute:
                missing.append((field, fact["stix"], alias))
    assert not missing, "\n".join(map(str, missing))
