"""What log format files and the model may do to a field: each transform is a template of SQL.

Empty text, `-` and the unknown process of Sysmon are no values. Nothing here takes text from a hunt or a log: arguments
are SQL that reads a column.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
NO_TEXT = "('', '-')"
NO_PATH = "('', '-', '<unknown process>', '&lt;unknown process&gt;')"
OF_LISTS = frozenset({"words", "items", "hash_list", "address_items", "item", "when_any", "audit_path"})

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
    """Without the prefixes that only affect path parsing: `\\\\?\\C:\\x` and `\\??\\C:\\x` are `C:\\x`, `\\\\?\\UNC\\server` is `\\\\server`."""
    plain = f"regexp_replace(regexp_replace({x}, '(?i)^\\\\(?:[\\\\?]\\?\\\\UNC|Device\\\\Mup)\\\\', '\\\\\\\\'), '^\\\\[\\\\?]\\?\\\\', '')"
    return f"CASE WHEN {x} IN {NO_PATH} THEN NULL WHEN starts_with({x}, '\\') THEN {plain} ELSE {x} END"


def basename(x: str) -> str:
    """What stands after the last separator. (DuckDB works out both sides of nullif, and what is costly is not written twice.)"""
    return f"CASE WHEN {x} = '' OR ends_with({x}, '\\') OR ends_with({x}, '/') THEN NULL ELSE parse_filename({x}, 'both_slash') END"


def name(x: str) -> str:
    """The basename of a path; a name may also contain a slash, like the kernel thread `kworker/0:1`."""
    is_name = f"contains({x}, '/') AND NOT contains({x}, '\\') AND {x}[1] NOT IN ('/', '.', '~') AND {x}[2] <> ':'"
    return f"CASE WHEN {x} IN {NO_PATH} THEN NULL WHEN {is_name} THEN {x} ELSE {basename(x)} END"


def dirname(x: str) -> str:
    return f"CASE WHEN contains({x}, '\\') OR contains({x}, '/') THEN nullif(parse_dirpath({x}, 'both_slash'), '') END"


def guid(x: str) -> str:
    """Upper case where it is shaped like a GUID, else as it is; the zero GUID is none."""
    return (
        f"CASE WHEN contains({x}, '{ZERO_GUID}') OR {x} = '{ZERO_GUID.replace('-', '')}' THEN NULL WHEN starts_with({x}, '{{') THEN upper({x}) "
        f"WHEN length({x}) = 36 AND regexp_full_match({x}, '[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}') THEN upper({x}) "
        f"ELSE {text(x)} END"
    )


def guid_key(x: str) -> str:
    """A stored unique id for comparison: a GUID with its braces, whether it was recorded with them or not."""
    return f"CASE WHEN length({x}) = 36 AND {x}[9] = '-' AND {x}[24] = '-' THEN '{{' || {x} || '}}' ELSE {x} END"


def whole(x: str, kind: str = "BIGINT") -> str:
    """A whole number from decimal or 0x text, including `12.0`. Other text gives NULL: DuckDB would round `3.7` to 4."""
    number = f"try_cast({x} AS DOUBLE)"
    rounded = f"contains({x}, '_') OR (contains({x}, '.') OR contains({x}, '-')) AND {number} IS DISTINCT FROM trunc({number})"
    return f"CASE WHEN {rounded} THEN NULL ELSE try_cast({x} AS {kind}) END"


def pid(x: str) -> str:
    """A whole number. A pid of 0 or less is not a process; it is dropped later, after identity has used it."""
    return whole(x)


def integer(x: str) -> str:
    return whole(x, "INTEGER")


def login(domain: str, user: str) -> str:
    """`DOMAIN\\name`, or the name alone."""
    return f"CASE WHEN {text(user)} IS NULL THEN NULL WHEN {text(domain)} IS NULL THEN {user} ELSE {domain} || '\\' || {user} END"


def sid(x: str) -> str:
    return f"nullif(upper({text(x)}), 'S-1-0-0')"


def sid_with(domain: str, user: str, x: str, other_domain: str, other_user: str, other: str) -> str:
    """The SID of the account whose name is present, else of the other one: two accounts of one event are never mixed."""
    same = f"lower({user}) = lower({other_user}) AND lower({domain}) IS NOT DISTINCT FROM lower({other_domain})"
    return f"CASE WHEN {text(user)} IS NULL THEN {sid(other)} WHEN {same} THEN coalesce({sid(x)}, {sid(other)}) ELSE {sid(x)} END"


def image(x: str) -> str:
    """The path of the program that a command line starts."""
    quoted_path = f'regexp_extract({x}, \'^\\s*"([^"]+)"\', 1)'
    bare = f"regexp_extract({x}, '(?i)^\\s*(.+?\\.(?:exe|sys|dll|com|bat|cmd|ps1|vbs|scr))(?:\\s|$)', 1)"
    found = f"coalesce(nullif({quoted_path}, ''), nullif({bare}, ''), nullif(split_part(trim({text(x)}), ' ', 1), ''))"
    return f"regexp_replace({found}, '(?i)^%(?:SystemRoot|windir)%\\\\', '\\\\SystemRoot\\\\')"


def pipe(x: str) -> str:
    """The path of a named pipe; an anonymous one has none."""
    return f"CASE WHEN starts_with({x}, '\\') THEN '\\\\.\\pipe' || {x} END"


def share(name: str, local: str, relative: str) -> str:
    """The path of what was accessed over a share: on the host itself where the share says which folder it is, a named pipe for `IPC$`."""
    below = f"nullif(ltrim(coalesce({relative}, ''), '\\'), '')"
    folder = f"rtrim({path(local)}, '\\')"
    return (
        f"CASE WHEN ends_with(upper({name}), 'IPC$') THEN '\\\\.\\pipe\\' || {below} "
        f"WHEN nullif({local}, '') IS NOT NULL THEN {folder} || coalesce('\\' || {below}, CASE WHEN ends_with({folder}, ':') THEN '\\' ELSE '' END) "
        f"ELSE {text(name)} || coalesce('\\' || {below}, '') END"
    )


def scanned(x: str) -> str:
    """The path of the first file of those that an antivirus names: `file:_C:\\x.exe; process:_pid:12`."""
    return f"nullif(regexp_extract({x}, '(?:file|containerfile):_([^;]+)', 1), '')"


def hashes(listed: str, md5: str, sha1: str, sha256: str, imphash: str) -> str:
    """One text `MD5=..,SHA1=..` in upper case from the list Sysmon writes and the single values ECS has."""
    named = (("MD5", md5), ("SHA1", sha1), ("SHA256", sha256), ("IMPHASH", imphash))
    singles = ", ".join(f"'{name}=' || upper({text(x)})" for name, x in named if x != "NULL")
    return f"nullif(concat_ws(',', upper({text(listed)}){', ' + singles if singles else ''}), '')"


def hash_list(x: str) -> str:
    """The same from a list of JSON objects with `algorithm` (`SHA-256`), or its number in OCSF, and `value`."""
    named = "upper(replace(json_extract_string(h, '$.algorithm'), '-', ''))"
    number = "CASE json_extract_string(h, '$.algorithm_id') WHEN '1' THEN 'MD5' WHEN '2' THEN 'SHA1' WHEN '3' THEN 'SHA256' END"
    kind = f"CASE WHEN {named} IN ('MD5', 'SHA1', 'SHA256', 'IMPHASH') THEN {named} ELSE {number} END"
    value = "upper(json_extract_string(h, '$.value'))"
    return f"nullif(array_to_string(list_transform(list_filter({x}, lambda h: json_valid(h)), lambda h: {kind} || '=' || {value}), ','), '')"


def inside(x: str, name: str) -> str:
    """A field of the JSON in a text, by its name or (with dots) path."""
    return f"json_extract_string(CASE WHEN json_valid({x}) THEN {x} END, '$.' || {name})"


def _of_element(x: str, *names: str) -> str:
    """The text of an element of XML that is written as JSON: itself, or one of these members of it."""
    inner = ", ".join(f"json_extract_string({x}, {quoted(name)})" for name in names)
    return f"CASE WHEN starts_with({x}, '{{') THEN coalesce({inner}) ELSE {text(x)} END"


def content(x: str) -> str:
    """The text of an element, which may stand beside its attributes."""
    return _of_element(x, '$."#text"', "$.Value")


def named(x: str) -> str:
    """The attribute `Name` of an element."""
    return _of_element(x, '$."#attributes".Name', '$."@Name"', "$.Name")


def timed(x: str) -> str:
    """The attribute `SystemTime` of an element."""
    return _of_element(x, '$."#attributes".SystemTime', '$."@SystemTime"', "$.SystemTime")


def times(x: str, factor: str) -> str:
    """A number multiplied by a constant, as text: `times(duration, 0.001)`."""
    return f"CAST(try_cast({x} AS DOUBLE) * CAST({factor} AS DOUBLE) AS VARCHAR)"


def when(x: str, result: str) -> str:
    """`result` if a field has a value: `when(conn_state, 'conn')`."""
    return f"CASE WHEN {x} IS NOT NULL THEN {result} END"


def filetime(x: str) -> str:
    """A time in units of 100 ns since 1601, as microseconds since 1970."""
    return f"CAST(try_cast({x} AS BIGINT) // 10 - 11644473600000000 AS VARCHAR)"


def before(x: str, mark: str) -> str:
    """The text before the first occurrence of another."""
    return f"split_part({x}, {mark}, 1)"


def item(x: str, name: str) -> str:
    """A field of the first object of a list, by its name or (with dots) path."""
    return f"json_extract_string({x}[1], '$.' || {name})"


def begun(number: str, time: str) -> str:
    """What identifies a process on its host: its pid and when it was created, in microseconds since 1970."""
    return f"CASE WHEN {pid(number)} > 0 THEN {pid(number)} || '@' || epoch_us({instant(time)}) END"


def in_folder(folder: str, file: str) -> str:
    """The path of a file from its name and a folder, where the folder may have the name at its end already."""
    lacks_name = f"{text(folder)} IS NOT NULL AND {text(file)} IS NOT NULL AND NOT ends_with(lower({folder}), lower({file}))"
    whole = f"CASE WHEN {lacks_name} THEN {joined(folder, file)}"
    return path(f"({whole} ELSE {text(folder)} END)")


def audit_path(paths: str, cwd: str) -> str:
    """The file that a system call is about: of the entries of Linux audit's PATH, the last that is no folder above it."""
    chosen = f"list_filter({paths}, lambda p: coalesce(json_extract_string(p, '$.nametype'), '') <> 'PARENT')[-1]"
    name = f"json_extract_string({chosen}, '$.name')"
    return f"CASE WHEN starts_with({name}, '/') THEN {name} WHEN {name} IS NOT NULL THEN coalesce({joined(cwd, name)}, {name}) END"


def hostname(x: str) -> str:
    """A domain name without its port; an address is none."""
    bare = f"regexp_replace(lower({text(x)}), ':[0-9]+$', '')"
    return f"nullif(rtrim(CASE WHEN contains({x}, '.') AND regexp_matches({bare}, '[g-z]') AND NOT contains({bare}, ':') THEN {bare} END, '.'), '')"


def host_of(x: str) -> str:
    """The host in a URL, or the text itself."""
    return f"CASE WHEN contains({x}, '://') THEN regexp_extract({x}, '://(?:[^/@]*@)?([^/?#:]+)', 1) ELSE split_part({text(x)}, '/', 1) END"


def url(host: str, uri: str) -> str:
    """The URL of a request over HTTP."""
    return f"CASE WHEN contains({uri}, '://') THEN {uri} WHEN {text(host)} IS NOT NULL THEN 'http://' || {host} || coalesce({text(uri)}, '/') END"


def url_only(x: str) -> str:
    """A text that is a URL."""
    return f"CASE WHEN contains({x}, '://') THEN {x} END"


def key_of(path: str, value: str) -> str:
    """A registry key, from a path that ends in the name of a value, if there is one."""
    has_value = f"{text(value)} IS NOT NULL AND ends_with({path}, '\\' || {value})"
    return f"CASE WHEN {has_value} THEN {key(f'({path})[:-(length({value}) + 2)]')} ELSE {key(path)} END"


def address_items(x: str) -> str:
    """The addresses of a list, which may have names too."""
    return f"nullif(list_transform(list_filter({x}, lambda a: {_is_address('a')}), lambda a: {address('a')}), [])"


def _is_address(x: str) -> str:
    return f"regexp_full_match({x}, '[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*(%.*)?')"


def is_value(x: str, value: str, result: str) -> str:
    """`result` if a field has a value: `is_value(activity_id, '1', 'start')`."""
    return f"CASE WHEN {x} = {value} THEN {result} END"


def digest(listed: str, name: str) -> str:
    return f"nullif(regexp_extract({listed}, '(?:^|,)' || {name} || '=([0-9A-F]+)(?:,|$)', 1), '')"


def protocol(x: str) -> str:
    return f"CASE {x} WHEN '6' THEN 'tcp' WHEN '17' THEN 'udp' WHEN '1' THEN 'icmp' WHEN '58' THEN 'ipv6-icmp' ELSE lower({text(x)}) END"


def direction(x: str) -> str:
    """`egress` (this host began it) or `ingress`, the words of ECS; %%14593 and %%14592 are those of Security 5156."""
    return (
        f"CASE WHEN {x} = 'true' THEN 'egress' WHEN lower({x}) IN ('true', 'outbound', 'egress', '%%14593') THEN 'egress' "
        f"WHEN lower({x}) IN ('false', 'inbound', 'ingress', '%%14592') THEN 'ingress' ELSE lower({text(x)}) END"
    )


def address(x: str) -> str:
    """An address without its zone and without the IPv6 prefix of an IPv4 one; other spellings of IPv6 are unified and invalid
    addresses dropped after the file has been read."""
    mapped = f"regexp_replace(lower({x}), '^::ffff:([0-9.]+)$', '\\1')"
    return f"CASE WHEN contains({x}, '%') THEN split_part({x}, '%', 1) WHEN contains({x}, ':') THEN {mapped} ELSE {text(x)} END"


def addresses(x: str) -> str:
    """The addresses among the answers of a DNS query, `type:  5 name;::ffff:10.0.0.1;`. Every answer ends in a semicolon: what
    follows the last one was cut off."""
    one = address("a")
    answers = f"CASE WHEN contains({x}, ';') THEN string_split({x}, ';')[:-2] ELSE [{x}] END"
    return f"nullif(list_transform(list_filter({answers}, lambda a: {_is_address('a')}), lambda a: {one}), [])"


def items(x: str) -> str:
    """A list in which placeholders for missing values become NULL; every element keeps its position."""
    return f"nullif(list_transform({x}, lambda a: CASE WHEN a IN {NO_TEXT} THEN NULL ELSE a END), [])"


def listed(x: str) -> str:
    """A list of one value."""
    return f"CASE WHEN {x} IS NOT NULL THEN [{x}] END"


def words(x: str) -> str:
    """The arguments as one text; `-` is no argument."""
    return f"nullif(array_to_string(list_filter({x}, lambda a: a NOT IN {NO_TEXT}), ' '), '')"


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


def access(mask: str, listed: str) -> str:
    """`read` if the rights that were used include ReadData, ListDirectory or Query key value: bit 0x1 of the mask of Security
    4663; without a mask, the codes of these rights in its list (Microsoft's documentation of event 4663)."""
    codes = f"regexp_matches({listed}, '%%44(16|32)')"
    return f"CASE WHEN coalesce(try_cast({mask} AS BIGINT) & 1 = 1, {codes}) THEN 'read' END"


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
    """A time as UTC, or NULL: ISO 8601 with a zone or (UTC) without, also in its basic form; seconds, milliseconds, microseconds or
    nanoseconds since 1970; `/Date(milliseconds)/`; RFC 822. Years 1 to 9999 only. The most common format is tried first."""
    plain = f"{x}[17] = ':' AND (length({x}) = 19 OR (length({x}) = 23 AND {x}[20] = '.'))"
    common = f"{x}[5] = '-' AND {x} >= '0001' AND (ends_with({x}, 'Z') OR ({plain}))"
    other = _within_years(_other_instant(f"trim({x})"))
    return f"coalesce(CASE WHEN {common} THEN try_cast({x} AS TIMESTAMP) END, CASE WHEN {x} IS NOT NULL THEN {other} END)"


def _within_years(time: str) -> str:
    """A time if it is in the years 1 to 9999: a zone may move one out of them."""
    return f"list_filter([{time}], lambda t: t BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999')[1]"


DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
AMERICAN = {"EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700"}
"""The zones that RFC 822 names."""
ZONE = "( ?(Z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2})?))?"


def _other_instant(x: str) -> str:
    iso = f"regexp_replace(replace(replace(upper({x}), ',', '.'), 'GMT', 'Z'), ' ([+-][0-9:]+|Z|UTC)$', '\\1')"
    basic = f"regexp_replace({iso}, '^([0-9]{{4}})([0-9]{{2}})([0-9]{{2}})(T?)([0-9]{{2}})?([0-9]{{2}})?([0-9]{{2}})?', '\\1-\\2-\\3T\\5:\\6:\\7')"
    mail = [f"{day}%d %b {year} %H:%M:%S %z" for day in ("%a, ", "") for year in ("%y", "%Y")]
    dated = f"regexp_extract({x}, '^/Date[(](-?[0-9]+)', 1)"
    zone = f"regexp_replace({x}, ' (UT|GMT|UTC|Z)$', ' +0000')"
    for name, offset in AMERICAN.items():
        zone = f"replace({zone}, ' {name}', ' {offset}')"
    return (
        f"CASE WHEN regexp_full_match({x}, '(?i){DATE}([T ][0-9:]+([.,][0-9]+)?)?{ZONE}') AND {x} >= '0001' "
        f"THEN try_cast({iso} AS TIMESTAMPTZ)::TIMESTAMP "
        f"WHEN regexp_full_match({x}, '(?i)[0-9]{{8}}(T?[0-9]{{6}}([.,][0-9]+)?{ZONE})?') AND {x} >= '0001' THEN coalesce("
        f"try_cast(CASE WHEN length({x}) = 8 THEN {basic}[:10] ELSE {basic} END AS TIMESTAMPTZ)::TIMESTAMP, {_epoch(x)}) "
        f"WHEN regexp_full_match({x}, '-?[0-9]{{9,19}}([.][0-9]*)?|[0-9][.][0-9]+[eE][+]?[0-9]{{1,2}}') THEN {_epoch(x)} "
        f"WHEN starts_with({x}, '/Date(') THEN {_epoch(dated, milliseconds_only=True)} "
        f"WHEN contains({x}, ':') THEN try_strptime({zone}, {mail})::TIMESTAMP END"
    )


def _epoch(x: str, milliseconds_only: bool = False) -> str:
    """A number since 1970: its size decides between seconds and fractions of them."""
    number = f"try_cast({x} AS DECIMAL(38, 9))"
    seconds, milliseconds = (f"floor({number} * {factor})" for factor in (1_000_000, 1_000))
    by_size = (
        f"CASE WHEN abs({number}) < 1e11 THEN {seconds} WHEN abs({number}) < 1e14 THEN {milliseconds} WHEN abs({number}) < 1e17 THEN floor({number}) "
        f"ELSE try_cast({x} AS HUGEINT) // 1000 END"
    )
    micros = f"try_cast({milliseconds if milliseconds_only else by_size} AS BIGINT)"
    return f"CASE WHEN {micros} BETWEEN -62135596800000000 AND 253402300799999999 THEN make_timestamp({micros}) END"


def unix(system: str, where: str) -> str:
    """Whether a host runs a Unix-like system, by its system name, else by a path on it; NULL if neither is known."""
    return (
        f"CASE WHEN {text(system)} IS NOT NULL THEN NOT starts_with(lower({system}), 'win') "
        f"WHEN starts_with({where}, '/') THEN true WHEN contains({where}, '\\') THEN false END"
    )


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
    "sid_with": sid_with,
    "image": image,
    "pipe": pipe,
    "share": share,
    "scanned": scanned,
    "hashes": hashes,
    "hash_list": hash_list,
    "inside": inside,
    "content": content,
    "named": named,
    "timed": timed,
    "when": when,
    "when_any": when,
    "filetime": filetime,
    "before": before,
    "item": item,
    "begun": begun,
    "in_folder": in_folder,
    "audit_path": audit_path,
    "hostname": hostname,
    "host_of": host_of,
    "url": url,
    "url_only": url_only,
    "key_of": key_of,
    "address_items": address_items,
    "times": times,
    "is_value": is_value,
    "digest": digest,
    "protocol": protocol,
    "direction": direction,
    "address": address,
    "addresses": addresses,
    "items": items,
    "listed": listed,
    "words": words,
    "domain": domain,
    "key": key,
    "key_of_value": key_of_value,
    "value_name": value_name,
    "key_unless": key_unless,
    "value_if": value_if,
    "object": object_path,
    "key_object": key_object,
    "access": access,
    "only_sid": only_sid,
    "no_sid": no_sid,
    "full_name": full_name,
    "joined": joined,
    "instant": instant,
    "account": account,
    "domain_of": domain_of,
    "lower": lower,
    "upper": lambda x: f"upper({x})",
    "unix": unix,
    "unless": unless,
    "none": lambda: "NULL",
    "open": lambda x: x,
}


ADDRESS_LIKE = re.compile(r"[0-9a-fA-F:.]*[.:][0-9a-fA-F:.]*")


def canonical_address(value: str) -> str:
    """The one spelling of an address: IPv6 compressed, an IPv4 one in IPv6 clothes as IPv4. Other text as it is."""
    text = value.strip().strip("[]").partition("%")[0]
    if not ADDRESS_LIKE.fullmatch(text):
        return value
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return value
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def canonical_guid(value: str) -> str:
    """A GUID in upper case with braces, as `guid_key` writes it; any other id unchanged."""
    if len(value) == 36 and value.count("-") == 4:
        return f"{{{value.upper()}}}"
    return value.upper() if value.startswith("{") else value


def canonical_key(value: str) -> str:
    folded = value.lower()
    for long, short in ROOTS.items():
        if folded.startswith(long):
            return short + value[len(long) :]
    return value


PIPES = "\\.\\"
"""How the path of a pipe begins without its first backslash, which is an escape in strings."""


def canonical_path(value: str) -> str:
    """A path without the prefixes that only affect path parsing, as `path` writes it; `\\SystemRoot` as the folder it stands for, and that of a
    pipe with both of its first backslashes."""
    value = f"\\{value}" if value.startswith(PIPES) else value
    plain = re.sub(r"(?i)^\\(?:[\\?]\?\\UNC|Device\\Mup)\\", r"\\\\", value)
    return re.sub(r"(?i)^\\SystemRoot\\", r"C:\\Windows\\", re.sub(r"^\\[\\?]\?\\", "", plain))


CANONICAL: dict[str, Callable[[str], str]] = {
    "guid": canonical_guid,
    "upper": str.upper,
    "lower": str.lower,
    "address": canonical_address,
    "domain": lambda v: v.lower().rstrip("."),
    "mac": lambda v: v.lower().replace("-", ":"),
    "sid": lambda v: v.upper() if v.upper().startswith("S-1-") else v,
    "registry": canonical_key,
    "path": canonical_path,
}
"""The same canonical forms for literals of a hunt, by the names of the model's `canonical`."""
