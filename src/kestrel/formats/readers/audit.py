"""The Linux audit log as auditd writes it: several lines make one event, joined by the time and number they share. Each event becomes one
JSON object of the form that LAUREL writes (github.com/threathunters-io/laurel), so one log format reads both: a member for each type of
line, `PATH` and its like a list, arguments under `ARGV`, hexadecimal text decoded."""

from __future__ import annotations

import ipaddress
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from kestrel.text import lines_in

LINE = re.compile(
    r"(?:^|.*?\s)(?:node=(?P<node>\S+) )?type=(?P<type>[A-Z][A-Z0-9_]*|UNKNOWN\[\d+\]) msg=audit\((?P<id>[0-9.]+:[0-9]+)\):?\s*(?P<rest>.*)",
    re.DOTALL,
)
FIELD = re.compile(r"""([A-Za-z_][\w\[\]-]*)=("[^"]*"|'[^']*'|\{[^{}]*\}|\((?:null|none)\)|\S*)""")
ARGUMENT = re.compile(r"a(\d+)(?:\[(\d+)\])?$")
HEX = re.compile(r"(?:[0-9A-F]{2})+")
SINGLE = frozenset({"SYSCALL", "EXECVE", "CWD", "PROCTITLE"})
"""Types of which an event has one line; of all others it has a list."""
ENCODED = frozenset(
    "acct cmd comm cwd data dir exe file grantors grp id key name new ocomm old-chardev op path proctitle root-path saddr unit vm watch".split()
)
"""Fields whose text is in hexadecimal where it has a blank, a quote or a control character (linux-audit, field dictionary: encoded)."""
WAITING = 512
"""The number of events whose lines may be mixed with each other's."""
CALLS = {
    "c000003e": {
        2: "open", 42: "connect", 43: "accept", 44: "sendto", 49: "bind", 59: "execve", 62: "kill", 76: "truncate", 82: "rename", 83: "mkdir",
        84: "rmdir", 85: "creat", 86: "link", 87: "unlink", 88: "symlink", 90: "chmod", 91: "fchmod", 92: "chown", 101: "ptrace",
        175: "init_module", 176: "delete_module", 257: "openat", 258: "mkdirat", 260: "fchownat", 263: "unlinkat", 264: "renameat",
        268: "fchmodat", 288: "accept4", 313: "finit_module", 316: "renameat2", 322: "execveat", 437: "openat2",
    },
    "40000003": {
        5: "open", 8: "creat", 10: "unlink", 11: "execve", 15: "chmod", 26: "ptrace", 37: "kill", 38: "rename", 39: "mkdir", 40: "rmdir",
        92: "truncate", 128: "init_module", 129: "delete_module", 212: "chown", 295: "openat", 296: "mkdirat", 298: "fchownat", 301: "unlinkat",
        302: "renameat", 306: "fchmodat", 350: "finit_module", 353: "renameat2", 358: "execveat", 362: "connect", 364: "accept4", 437: "openat2",
    },
    "c00000b7": {
        34: "mkdirat", 35: "unlinkat", 38: "renameat", 45: "truncate", 52: "fchmod", 53: "fchmodat", 54: "fchownat", 56: "openat",
        105: "init_module", 106: "delete_module", 117: "ptrace", 129: "kill", 200: "bind", 202: "accept", 203: "connect", 206: "sendto",
        221: "execve", 242: "accept4", 273: "finit_module", 276: "renameat2", 281: "execveat", 437: "openat2",
    },
}  # fmt: skip
"""The names of system calls by architecture (x86-64, x86, ARM64) and number: those that name a file, an address or another process (the
kernel's tables, asm/unistd.h)."""
FAMILIES = {1: "local", 2: "inet", 10: "inet6", 16: "netlink"}


def is_audit(text: str) -> bool:
    """Whether a text begins with a line of the audit log, perhaps behind a syslog prefix or comments."""
    line = next((one for one in lines_in(text) if one.strip() and not one.startswith("#")), "")
    return " msg=audit(" in line and LINE.match(line) is not None


class Events:
    """The events of lines; a line that is none of the audit log as it is."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        waiting: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        for line in self._lines:
            found = LINE.match(line)
            if not found:
                if line.strip() and not line.startswith("#"):
                    yield line
                continue
            kind, number, node = found["type"], found["id"], found["node"] or ""
            key = (node, number)
            if kind == "EOE":
                if key in waiting:
                    yield _written(waiting.pop(key))
                continue
            event = waiting.setdefault(key, {"ID": number, "TYPE": kind, **({"NODE": node} if node else {})})
            _add(event, kind, found["rest"])
            while len(waiting) > WAITING:
                yield _written(waiting.popitem(last=False)[1])
        for event in waiting.values():
            yield _written(event)


def _written(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False)


def _add(event: dict[str, Any], kind: str, rest: str) -> None:
    fields = _fields(kind, rest)
    if kind not in SINGLE:
        event.setdefault(kind, []).append(fields)
    elif kind == "EXECVE" and kind in event:
        event[kind]["ARGV"] += fields["ARGV"]
    else:
        event.setdefault(kind, fields)


def _fields(kind: str, rest: str) -> dict[str, Any]:
    """The fields of a line; those in the text of `msg` belong to it too, as what user programs report."""
    rest = rest.replace("\x1d", " ")
    found: dict[str, Any] = {}
    arguments: dict[tuple[int, int], str] = {}
    for name, value in FIELD.findall(rest):
        if name == "msg" and value[:1] in "'\"":
            for inner, text in FIELD.findall(value[1:-1]):
                found.setdefault(inner, _value(kind, inner, text))
        elif kind == "EXECVE" and (place := ARGUMENT.match(name)):
            arguments[int(place[1]), int(place[2] or 0)] = _text(value)
        elif not (kind == "EXECVE" and name.endswith("_len")):
            found.setdefault(name, _value(kind, name, value))
    if kind == "EXECVE":
        words: dict[int, str] = {}
        for (number, _), text in sorted(arguments.items()):
            words[number] = words.get(number, "") + text
        found["ARGV"] = [words[n] for n in sorted(words)]
    if kind == "PROCTITLE" and "proctitle" in found:
        found["ARGV"] = str(found["proctitle"]).split("\x00")
    if kind == "SYSCALL" and "SYSCALL" not in found and (call := _call(found)):
        found["SYSCALL"] = call
    if kind == "SOCKADDR" and (address := _address(str(found.get("saddr", "")))):
        found["SADDR"] = address
    return found


def _call(fields: dict[str, Any]) -> str | None:
    number = str(fields.get("syscall", ""))
    return CALLS.get(str(fields.get("arch")), {}).get(int(number)) if number.isdigit() else None


def _value(kind: str, name: str, value: str) -> Any:
    if kind == "SOCKADDR" and name == "saddr":
        return value
    return _decoded(value) if name in ENCODED else _plain(value)


def _plain(value: str) -> str | None:
    """A value without its quotes; what stands for none is None."""
    text = value[1:-1] if value[:1] in ("'", '"') and len(value) > 1 and value[0] == value[-1] else value
    return None if text in ("(null)", "?", "(none)", "") else text


def _decoded(value: str) -> str | None:
    """The same for a field that may be written in hexadecimal; text in quotes is not."""
    return bytes.fromhex(value).decode("utf-8", "replace") if len(value) > 1 and HEX.fullmatch(value) else _plain(value)


def _text(value: str) -> str:
    """An argument, which may be any text."""
    return bytes.fromhex(value).decode("utf-8", "replace") if HEX.fullmatch(value) else value.strip('"')


def _address(text: str) -> dict[str, Any] | None:
    """The address in the bytes of a `sockaddr` structure of Linux, written in hexadecimal: the family in the byte order of the host (little
    endian, else big), then for IPv4 port and address, for IPv6 port, flow label and address, for local sockets a path."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return None
    if len(data) < 2:
        return None
    family = data[0] or data[1]
    match FAMILIES.get(family):
        case "inet" if len(data) >= 8:
            return {"saddr_fam": "inet", "laddr": str(ipaddress.IPv4Address(data[4:8])), "lport": int.from_bytes(data[2:4], "big")}
        case "inet6" if len(data) >= 24:
            return {"saddr_fam": "inet6", "laddr": str(ipaddress.IPv6Address(data[8:24])), "lport": int.from_bytes(data[2:4], "big")}
        case "local":
            return {"saddr_fam": "local", "path": data[2:].split(b"\x00")[0].decode("utf-8", "replace")}
        case _:
            return None
