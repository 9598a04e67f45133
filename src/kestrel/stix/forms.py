"""The STIX 2.1 rules for properties of cyber-observables: section 6, as far as the reference library accepts it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kestrel.model.vocabulary import vocabulary

HASHES = {
    "MD5": "[0-9a-fA-F]{32}",
    "SHA-1": "[0-9a-fA-F]{40}",
    "SHA-256": "[0-9a-fA-F]{64}",
    "SHA-512": "[0-9a-fA-F]{128}",
    "SHA3-256": "[0-9a-fA-F]{64}",
    "SHA3-512": "[0-9a-fA-F]{128}",
    "SSDEEP": "[a-zA-Z0-9/+:.]{1,128}",
    "TLSH": "[0-9a-fA-F]{70}",
    "IMPHASH": "[0-9a-fA-F]{32}",
}
"""Hash names and their formats, in the order in which one is chosen for an object's id."""
REGISTRY_TYPES = (
    "REG_NONE REG_SZ REG_EXPAND_SZ REG_BINARY REG_DWORD REG_DWORD_BIG_ENDIAN REG_DWORD_LITTLE_ENDIAN REG_LINK REG_MULTI_SZ "
    "REG_RESOURCE_LIST REG_FULL_RESOURCE_DESCRIPTION REG_RESOURCE_REQUIREMENTS_LIST REG_QWORD REG_INVALID_TYPE"
).split()
TEXTS = {
    "hex": "([0-9a-fA-F]{2})+",
    "base64": "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
    "encryption": "AES-256-GCM|ChaCha20-Poly1305|mime-type-indicated",
}
"""Text values with a restricted format."""


@dataclass(frozen=True, slots=True)
class Form:
    """The STIX 2.1 rules for a type: its properties (name to value kind), those of which it must have one or all, and
    those that make up its id (none: Kestrel chooses the id)."""

    properties: Mapping[str, str]
    one_of: tuple[str, ...]
    all_of: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()


KINDS = {
    "size": "count",
    "src_byte_count": "count",
    "dst_byte_count": "count",
    "src_packets": "count",
    "dst_packets": "count",
    "magic_number_hex": "hex",
    "payload_bin": "base64",
    "encryption_algorithm": "encryption",
    "languages": "texts",
    "received_lines": "texts",
}
"""Value kinds that are stricter than the model's value types."""


def _form(type_name: str, properties: Mapping[str, str], one_of: str = "", all_of: str = "", identity: str = "") -> Form:
    """A form with the attributes that occur only in STIX."""
    known = {"text": "text", "number": "integer", "time": "time", "boolean": "boolean"}
    further = {n: KINDS.get(n, known[k]) for n, k in vocabulary().types[type_name].further.items() if "." not in n}
    every = {**further, **properties}
    return Form(every, tuple(one_of.split() or every), tuple(all_of.split()), tuple(identity.split()))


FORMS = {
    "process": _form(
        "process",
        {"pid": "integer", "name": "text", "command_line": "text", "cwd": "text", "created_time": "time", "environment_variables": "entries"},
        "is_hidden pid command_line cwd created_time environment_variables image_ref parent_ref creator_user_ref opened_connection_refs",
    ),
    "file": _form("file", {"name": "text", "hashes": "hashes"}, "name hashes", "", "hashes name parent_directory_ref"),
    "directory": _form("directory", {"path": "text"}, "path", "", "path"),
    "network-traffic": _form(
        "network-traffic",
        {"protocols": "texts", "src_port": "port", "dst_port": "port", "ipfix": "entries"},
        "src_ref dst_ref",
        "protocols",
        "start end src_ref dst_ref src_port dst_port protocols",
    ),
    **{
        kind: _form(kind, {"value": "text"}, "value", "", "value")
        for kind in ("ipv4-addr", "ipv6-addr", "mac-addr", "url", "domain-name", "email-addr")
    },
    "user-account": _form(
        "user-account",
        {"user_id": "text", "account_login": "text", "display_name": "text"},
        "",
        "",
        "account_type user_id account_login",
    ),
    "windows-registry-key": _form("windows-registry-key", {"key": "text", "values": "values"}, "", "", "key values"),
    "software": _form("software", {}, "name", "", "name cpe swid vendor version"),
    "artifact": _form("artifact", {"hashes": "hashes"}, "payload_bin url", "", "hashes payload_bin"),
    "autonomous-system": _form("autonomous-system", {}, "number", "", "number"),
    "email-message": _form("email-message", {}, "", "is_multipart", "subject body"),
    "mutex": _form("mutex", {}, "name", "", "name"),
    "x509-certificate": _form("x509-certificate", {"hashes": "hashes"}, "", "", "hashes serial_number"),
}
DEFAULTS: dict[str, dict[str, Any]] = {"network-traffic": {"protocols": ["ip"]}, "email-message": {"is_multipart": False}}
"""Placeholders for required properties that were not recorded."""


def allowed(type_name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The properties of an object without those that STIX does not allow together with the others, and with those it then requires."""
    found = DEFAULTS.get(type_name, {}) | properties
    match type_name:
        case "network-traffic" if "end" in found:
            if found.get("is_active") is True or found["end"] < found.get("start", ""):
                del found["end"]
            else:
                found["is_active"] = False
        case "artifact" if "url" in found and ("payload_bin" in found or not found.get("hashes")):
            del found["url"]
        case "email-message" if found["is_multipart"] is True:
            found.pop("body", None)
    return found


def fits(value: Any, kind: str, key: str) -> bool:
    """Whether a property of this kind may have this value; `key`: its name inside the property."""
    match kind:
        case "integer":
            return type(value) is int
        case "count":
            return type(value) is int and value >= 0
        case "port":
            return type(value) is int and 0 <= value <= 65535
        case "boolean":
            return isinstance(value, bool)
        case "time":
            return isinstance(value, datetime) and value.tzinfo is not None
        case "hashes":
            return isinstance(value, str) and re.fullmatch(HASHES[key], value) is not None
        case "hex" | "base64" | "encryption":
            return isinstance(value, str) and value != "" and re.fullmatch(TEXTS[kind], value) is not None
        case "texts":
            return isinstance(value, str) or (isinstance(value, list) and len(value) > 1 and all(isinstance(v, str) for v in value))
        case "values":
            return isinstance(value, str) and (key != "data_type" or value in REGISTRY_TYPES)
        case "text":
            return isinstance(value, str)
        case _:
            return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))
