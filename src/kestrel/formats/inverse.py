"""Log format expressions read backwards: what the fields of a record must be like for the value of an expression to fit.

Every answer takes in more than it must, never less: a source is asked with it, and the records that come are evaluated exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kestrel.formats.expression import Call, Field, First, Literal, Node
from kestrel.formats.transforms import ROOTS, canonical_address

PROTOCOLS = {"tcp": "6", "udp": "17", "icmp": "1", "ipv6-icmp": "58"}
DIRECTIONS = {"egress": ("true", "outbound", "%%14593"), "ingress": ("false", "inbound", "%%14592")}


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a value must be like, whatever its case: `=` one of the values; LIKE one of the patterns (`%`, `_`, and a backslash is an
    ordinary character); HOLDS one of the values somewhere; `>` and the like one number; EXISTS anything."""

    operator: str
    values: tuple[str | int | float, ...] = ()


LINK_LOCAL = re.compile(r"(?i)fe[89ab]")
"""IPv6 addresses that may be recorded with a zone."""
ANYTHING = Pattern("EXISTS")
Leaf = tuple[tuple[str, ...], Pattern]


def leaves(node: Node, wanted: Pattern) -> Iterator[Leaf]:
    """Fields and what one of them at least must be like. Nothing: it cannot be said by fields."""
    match node:
        case Field(path):
            yield path, wanted
        case First(parts):
            for part in parts:
                yield from leaves(part, wanted)
        case Call(name, arguments):
            for argument, before in _before(name, arguments, wanted):
                yield from leaves(argument, before)
        case Literal():
            return


def _before(name: str, arguments: Sequence[Node], wanted: Pattern) -> Iterator[tuple[Node, Pattern]]:
    """For some arguments of a transform: what one of them at least must be like."""
    if not arguments:
        return
    first = arguments[0]
    match name:
        case "text" | "lower" | "upper" | "sid" | "only_sid" | "no_sid" | "unless" | "items" | "listed":
            yield first, wanted
        case "sid_with":
            for one in (arguments[2], arguments[5]):
                yield one, wanted
        case "image":
            yield first, _reshaped(wanted, lambda v: [f"%{v}%"])
        case "path" | "object":
            yield first, wanted
            if wanted.operator in ("=", "LIKE"):
                yield first, _prefixed(wanted)
            if devices := tuple(d for v in _texts(wanted) if re.match(r"[A-Za-z]:", v) for d in _on_device(v, wanted.operator)):
                yield first, Pattern("LIKE", devices)
        case "name" | "basename" | "account" | "value_name" | "value_if":
            yield first, _endings(wanted)
        case "extension":
            yield first, _reshaped(wanted, lambda v: [f"%.{v}"])
        case "dirname" | "domain_of" | "key_of_value":
            yield first, _reshaped(wanted, lambda v: [f"{v}\\%", f"{v}/%"] if not v.endswith(("\\", "/")) else [f"{v}%"], keys=name == "key_of_value")
        case "key" | "key_object":
            yield first, _keyed(wanted)
        case "key_unless":
            yield first, _reshaped(wanted, lambda v: [v, f"{v}\\%"], keys=True)
        case "domain":
            yield first, _spelt(wanted, lambda v: (v, f"{v}."))
        case "guid":
            yield first, _spelt(wanted, guid_spellings)
        case "pid" | "integer":
            yield first, _numbers(wanted)
        case "protocol":
            yield first, _spelt(wanted, lambda v: (v, PROTOCOLS[v.lower()]) if v.lower() in PROTOCOLS else (v,))
        case "direction":
            yield first, _spelt(wanted, lambda v: (v, *DIRECTIONS.get(v.lower(), ())))
        case "address":
            yield first, _spelt(wanted, address_spellings)
            if zoned := tuple(f"{s}%" for v in _texts(wanted) if LINK_LOCAL.match(v) for s in address_spellings(v)):
                yield first, Pattern("LIKE", zoned) if wanted.operator == "=" else ANYTHING
        case "addresses":
            yield first, _holding(wanted)
        case "digest":
            yield first, _holding(wanted)
        case "hashes":
            yield first, wanted if wanted.operator == "HOLDS" else ANYTHING
            for single in arguments[1:]:
                yield single, Pattern("=", wanted.values) if wanted.operator == "HOLDS" else ANYTHING
        case "login":
            yield arguments[-1], _reshaped(wanted, lambda v: [v.rpartition("\\")[2]]) if wanted.operator == "=" else ANYTHING
        case "full_name":
            yield first, wanted
            yield arguments[1], _spelt(wanted, lambda v: (v, v.partition(".")[0]))
        case "joined":
            yield arguments[-1], _reshaped(wanted, lambda v: [v.replace("/", "\\").rpartition("\\")[2]]) if wanted.operator == "=" else ANYTHING
        case _:
            for argument in arguments:
                yield argument, ANYTHING


def guid_spellings(value: str) -> tuple[str, ...]:
    """Every way a log may spell a unique id: a GUID in either case, with braces or without; another id as it is."""
    bare = value.strip("{}")
    if len(bare) != 36 or bare.count("-") != 4:
        return (value,)
    return (f"{{{bare.upper()}}}", f"{{{bare.lower()}}}", bare.upper(), bare.lower())


def address_spellings(value: str) -> tuple[str, ...]:
    """Every way a log may spell an address."""
    import ipaddress

    found = canonical_address(value)
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return (value,)
    if address.version == 4:
        mapped = ipaddress.ip_address(f"::ffff:{found}")
        groups = ":".join(f"{int(g, 16):x}" for g in mapped.exploded.split(":"))
        return tuple(dict.fromkeys((found, f"::ffff:{found}", groups.replace("0:0:0:0:0:ffff", "::ffff"), groups, mapped.exploded)))
    groups = ":".join(f"{int(g, 16):x}" for g in address.exploded.split(":"))
    return tuple(dict.fromkeys((found, address.exploded, groups, value)))


def _on_device(path: str, operator: str) -> Iterator[str]:
    """A path as the kernel names it: the drive of `C:\\x` stands for a volume whose number is not known."""
    rest = path[2:] if operator == "LIKE" else escaped(path[2:])
    for number in ("_", "__"):
        yield f"\\device\\harddiskvolume{number}{rest}"


def _prefixed(wanted: Pattern) -> Pattern:
    """Paths with the prefixes that only affect how a path is parsed, and the Windows folder under its other name."""
    patterns = []
    for value in _texts(wanted):
        rest = value if wanted.operator == "LIKE" else escaped(value)
        if not rest.startswith("%"):
            patterns += [f"\\\\?\\{rest}", f"\\??\\{rest}"]
        if found := re.search(r"(?i)\\Windows\\", rest):
            patterns.append(f"\\SystemRoot\\{rest[found.end() :]}")
        elif wanted.operator == "LIKE" and re.match(r"(?i)[A-Z_]:(\\(W(i(n(d(o(w(s)?)?)?)?)?)?)?)?(%|_|$)", rest):
            patterns.append("\\SystemRoot\\%")
        if rest.startswith("\\\\"):
            patterns += [f"\\\\?\\UNC{rest[1:]}", f"\\Device\\Mup{rest[1:]}"]
    return Pattern("LIKE", tuple(patterns)) if patterns else wanted


def _texts(wanted: Pattern) -> list[str]:
    return [str(v) for v in wanted.values]


def _spelt(wanted: Pattern, spellings: Callable[[str], Sequence[str]]) -> Pattern:
    if wanted.operator != "=":
        return wanted if wanted.operator == "EXISTS" else ANYTHING
    return Pattern("=", tuple(dict.fromkeys(s for v in _texts(wanted) for s in spellings(v))))


def escaped(value: str) -> str:
    """A text as a pattern of LIKE that is it alone; a character that LIKE would read otherwise is any one character, which takes in more."""
    return value.replace("%", "_")


def _reshaped(wanted: Pattern, log_formats: Callable[[str], list[str]], keys: bool = False) -> Pattern:
    """Equal to a part: patterns of the whole."""
    if wanted.operator != "=":
        return ANYTHING
    values = [k for v in _texts(wanted) for k in (_key_spellings(v) if keys else (v,))]
    return Pattern("LIKE", tuple(p for v in values for p in log_formats(escaped(v))))


def _endings(wanted: Pattern) -> Pattern:
    """What stands after the last slash."""
    match wanted.operator:
        case "=":
            return _reshaped(wanted, lambda v: [v, f"%\\{v}", f"%/{v}"])
        case "LIKE":
            return Pattern("LIKE", tuple(p for v in _texts(wanted) for p in ([v] if v.startswith("%") else [v, f"%\\{v}", f"%/{v}"])))
        case _:
            return ANYTHING


def _holding(wanted: Pattern) -> Pattern:
    return Pattern("HOLDS", wanted.values) if wanted.operator == "=" else ANYTHING


def _key_spellings(value: str) -> list[str]:
    """A registry path with every root a log may give it."""
    longer = [long + value[len(short) :] for long, short in ROOTS.items() if value.lower().startswith(short.lower())]
    return [value, *longer]


def _keyed(wanted: Pattern) -> Pattern:
    match wanted.operator:
        case "=":
            return Pattern("=", tuple(k for v in _texts(wanted) for k in _key_spellings(v)))
        case "LIKE" if all(v.startswith("%") for v in _texts(wanted)):
            return wanted
        case _:
            return ANYTHING


def _numbers(wanted: Pattern) -> Pattern:
    """Equal numbers: also as hexadecimal text."""
    if wanted.operator != "=":
        return wanted if wanted.operator in (">", ">=", "<", "<=") else ANYTHING
    found: list[str | int | float] = []
    for value in wanted.values:
        try:
            number = int(value)
        except (ValueError, OverflowError):
            continue
        found += [number, f"0x{number:x}", f"0x{number:X}"] if number >= 0 else [number]
    return Pattern("=", tuple(found))
