"""What shape files and the model may do to a field: each transform is a template of SQL.

Empty text, `-` and the unknown process of Sysmon are no values. Nothing here takes text from a hunt or a log: arguments
are SQL that reads a column.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

ZERO_GUID = "{00000000-0000-0000-0000-000000000000}"
NO_TEXT = "('', '-')"
NO_PATH = "('', '-', '<unknown process>', '&lt;unknown process&gt;')"
OF_LISTS = frozenset({"words", "items"})

ROOTS = {
    "\\registry\\machine\\": "HKLM\\",
    "\\registry\\user\\": "HKU\\",
    "hkey_local_machine\\": "HKLM\\",
    "hkey_users\\": "HKU\\",
    "hkey_current_user\\": "HKCU\\",
    "hkey_classes_root\\": "HKCR\\",
    "hkey_current_config\\": "HKCC\\",
}


def quoted(text: str) -> str:
    """A constant of the vocabulary as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def text(x: str) -> str:
    return f"CASE WHEN {x} IN {NO_TEXT} THEN NULL ELSE {x} END"


def path(x: str) -> str:
    return f"CASE WHEN {x} IN {NO_PATH} THEN NULL ELSE {x} END"


def basename(x: str) -> str:
    """What stands after the last separator. (DuckDB works out both sides of nullif, and what is costly is not written twice.)"""
    return f"CASE WHEN {x} = '' OR ends_with({x}, '\\') OR ends_with({x}, '/') THEN NULL ELSE parse_filename({x}, 'both_slash') END"


def name(x: str) -> str:
    """The basename of what is a path."""
    return f"CASE WHEN {x} IN {NO_PATH} THEN NULL ELSE {basename(x)} END"


def dirname(x: str) -> str:
    return f"CASE WHEN contains({x}, '\\') OR contains({x}, '/') THEN nullif(parse_dirpath({x}, 'both_slash'), '') END"


def guid(x: str) -> str:
    """Upper case where it is shaped like a GUID, else as it is; the zero GUID is none."""
    return (
        f"CASE WHEN {x} = '{ZERO_GUID}' THEN NULL WHEN starts_with({x}, '{{') THEN upper({x}) "
        f"WHEN length({x}) = 36 AND regexp_full_match({x}, '[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}') THEN upper({x}) "
        f"ELSE {text(x)} END"
    )


def whole(x: str, kind: str = "BIGINT") -> str:
    """A whole number in decimal or 0x text, `12.0` among them. Other text is none: DuckDB would round `3.7` to 4."""
    number = f"try_cast({x} AS DOUBLE)"
    rounded = f"(contains({x}, '.') OR contains({x}, '-')) AND {number} IS DISTINCT FROM trunc({number})"
    return f"CASE WHEN {rounded} THEN NULL ELSE try_cast({x} AS {kind}) END"


def pid(x: str) -> str:
    """A whole number above 0: 0 is no process."""
    return f"nullif(greatest({whole(x)}, 0), 0)"


def integer(x: str) -> str:
    return whole(x, "INTEGER")


def login(domain: str, user: str) -> str:
    """`DOMAIN\\name`, or the name alone."""
    return f"CASE WHEN {text(user)} IS NULL THEN NULL WHEN {text(domain)} IS NULL THEN {user} ELSE {domain} || '\\' || {user} END"


def sid(x: str) -> str:
    return f"nullif(upper({text(x)}), 'S-1-0-0')"


def hashes(listed: str, md5: str, sha1: str, sha256: str, imphash: str) -> str:
    """One text `MD5=..,SHA1=..` in upper case from the list Sysmon writes and the single values ECS has."""
    named = (("MD5", md5), ("SHA1", sha1), ("SHA256", sha256), ("IMPHASH", imphash))
    singles = ", ".join(f"'{name}=' || upper({text(x)})" for name, x in named if x != "NULL")
    return f"nullif(concat_ws(',', upper({text(listed)}){', ' + singles if singles else ''}), '')"


def digest(listed: str, name: str) -> str:
    return f"nullif(regexp_extract({listed}, '(?:^|,)' || {name} || '=([0-9A-F]+)', 1), '')"


def protocol(x: str) -> str:
    return f"CASE {x} WHEN '6' THEN 'tcp' WHEN '17' THEN 'udp' WHEN '1' THEN 'icmp' WHEN '58' THEN 'ipv6-icmp' ELSE lower({text(x)}) END"


def direction(x: str) -> str:
    """`egress` (this host began it) or `ingress`, the words of ECS; %%14593 and %%14592 are those of Security 5156."""
    return (
        f"CASE WHEN lower({x}) IN ('true', 'outbound', 'egress', '%%14593') THEN 'egress' "
        f"WHEN lower({x}) IN ('false', 'inbound', 'ingress', '%%14592') THEN 'ingress' ELSE lower({text(x)}) END"
    )


def address(x: str) -> str:
    """An address without the IPv6 prefix of an IPv4 one; other IPv6 spellings are made one when the file was read."""
    return f"CASE WHEN contains({x}, ':') THEN regexp_replace(lower({x}), '^::ffff:([0-9.]+)$', '\\1') ELSE {text(x)} END"


def addresses(x: str) -> str:
    """The addresses among the answers of a DNS query, `type:  5 name;::ffff:10.0.0.1;`."""
    one = address("a")
    return (
        f"nullif(list_transform(list_filter(string_split({x}, ';'), lambda a: regexp_full_match(a, '[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*')), "
        f"lambda a: {one}), [])"
    )


def items(x: str) -> str:
    return f"nullif({x}, [])"


def words(x: str) -> str:
    return f"nullif(array_to_string({x}, ' '), '')"


def domain(x: str) -> str:
    return f"nullif(rtrim(lower({text(x)}), '.'), '')"


def key(x: str) -> str:
    """A registry path with the short root Windows logs use (HKLM, HKU, ...)."""
    cases = " ".join(
        f"WHEN starts_with(lower({x}), {quoted(long)}) THEN {quoted(short)} || substr({x}, {len(long) + 1})" for long, short in ROOTS.items()
    )
    return f"CASE WHEN {x} LIKE 'HK__\\%' OR {x} LIKE 'HKU\\%' THEN {x} {cases} ELSE {text(x)} END"


def key_of_value(x: str) -> str:
    return f"nullif(parse_dirpath({key(x)}, 'backslash'), '')"


def value_name(x: str) -> str:
    return f"nullif(parse_filename({x}, 'backslash'), '')"


def key_unless(x: str, field: str, value: str) -> str:
    return f"CASE WHEN {field} = {value} THEN {key_of_value(x)} ELSE {key(x)} END"


def value_if(x: str, field: str, value: str) -> str:
    return f"CASE WHEN {field} = {value} THEN {value_name(x)} END"


def object_path(x: str, kind: str, wanted: str) -> str:
    return f"CASE WHEN {kind} = {wanted} THEN {path(x)} END"


def key_object(x: str, kind: str) -> str:
    return f"CASE WHEN {kind} = 'Key' THEN {key(x)} END"


def only_sid(x: str) -> str:
    return f"CASE WHEN {x} ILIKE 'S-1-%' THEN {sid(x)} END"


def no_sid(x: str) -> str:
    """The id of an account where it is something else than a SID: a number, or a name."""
    return f"CASE WHEN {x} NOT ILIKE 'S-1-%' THEN {text(x)} END"


def full_name(name: str, hostname: str) -> str:
    """A host's whole name, lower-case: `name` where it is the host name with its domain, or alone."""
    whole, short = f"lower({text(name)})", f"lower({text(hostname)})"
    return f"CASE WHEN {short} IS NULL OR starts_with({whole}, {short} || '.') THEN {whole} ELSE {short} END"


def joined(directory: str, name: str) -> str:
    """A path from its parts, with the separator of the directory."""
    folder = text(directory)
    separator = f"CASE WHEN contains({folder}, '\\') OR {folder}[2:2] = ':' THEN '\\' ELSE '/' END"
    return f"CASE WHEN {folder} IS NOT NULL THEN rtrim({folder}, '\\/') || {separator} || {text(name)} END"


def instant(x: str) -> str:
    """A time as UTC; one with another zone than Z takes the longer way."""
    return f"CASE WHEN ends_with({x}, 'Z') THEN try_cast({x} AS TIMESTAMP) ELSE try_cast({x} AS TIMESTAMPTZ)::TIMESTAMP END"


def account(x: str) -> str:
    """The name without its domain."""
    return f"nullif(CASE WHEN contains({x}, '\\') THEN split_part({x}, '\\', -1) ELSE {x} END, '')"


def domain_of(x: str) -> str:
    return f"CASE WHEN contains({x}, '\\') THEN nullif(split_part({x}, '\\', 1), '') END"


def unless(x: str, mark: str) -> str:
    return f"CASE WHEN {mark} IS NULL THEN {x} END"


def extension(x: str) -> str:
    return f"nullif(lower(regexp_extract({x}, '\\.([^.\\\\/]+)$', 1)), '')"


def lower(x: str) -> str:
    return f"lower({x})"


TRANSFORMS: dict[str, Callable[..., str]] = {
    "text": text,
    "path": path,
    "name": name,
    "basename": basename,
    "dirname": dirname,
    "extension": extension,
    "guid": guid,
    "pid": pid,
    "integer": integer,
    "login": login,
    "sid": sid,
    "user_sid": lambda x: f"CASE WHEN starts_with({x}, 'S-1-5-21-') THEN upper({x}) END",
    "hashes": hashes,
    "digest": digest,
    "protocol": protocol,
    "direction": direction,
    "address": address,
    "addresses": addresses,
    "items": items,
    "words": words,
    "domain": domain,
    "key": key,
    "key_of_value": key_of_value,
    "value_name": value_name,
    "key_unless": key_unless,
    "value_if": value_if,
    "object": object_path,
    "key_object": key_object,
    "only_sid": only_sid,
    "no_sid": no_sid,
    "full_name": full_name,
    "joined": joined,
    "instant": instant,
    "account": account,
    "domain_of": domain_of,
    "lower": lower,
    "upper": lambda x: f"upper({x})",
    "unless": unless,
    "none": lambda: "NULL",
}


def canonical_address(value: str) -> str:
    """The one spelling of an address: IPv6 compressed, an IPv4 one in IPv6 clothes as IPv4. Other text as it is."""
    try:
        found = ipaddress.ip_address(value.strip().strip("[]"))
    except ValueError:
        return value
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def canonical_key(value: str) -> str:
    folded = value.lower()
    for long, short in ROOTS.items():
        if folded.startswith(long):
            return short + value[len(long) :]
    return value


CANONICAL: dict[str, Callable[[str], str]] = {
    "guid": lambda v: v.upper() if v.startswith("{") or (len(v) == 36 and v.count("-") == 4) else v,
    "upper": str.upper,
    "lower": str.lower,
    "address": canonical_address,
    "domain": lambda v: v.lower().rstrip("."),
    "mac": lambda v: v.lower().replace("-", ":"),
    "sid": lambda v: v.upper() if v.upper().startswith("S-1-") else v,
    "registry": canonical_key,
}
"""The same canonical forms for literals of a hunt, by the names of the model's `canonical`."""
