"""STIX observed-data as flat documents of the log format `stix`: its graph of objects taken apart into rows.

One row for each process with its parent, binary, user and (a row each) connections; the other objects stand in the first
row or, where that would tell of a relation nobody recorded, in rows of their own. Source: STIX 2.0 part 4, STIX 2.1
sections 4.14 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import zip_longest
from typing import Any

from kestrel.config import packaged
from kestrel.formats.transforms import canonical_address
from kestrel.model.vocabulary import vocabulary
from kestrel.stix.further import further, key_of

Object = Mapping[str, Any]
Row = dict[str, Any]

ADDRESSES = ("ipv4-addr", "ipv6-addr")
TRANSPORTS = frozenset({"tcp", "udp", "icmp", "icmp6", "ipv6-icmp", "igmp", "sctp", "gre", "esp"})
CARRIERS = frozenset({"ip", "ipv4", "ipv6", "ethernet", "-", ""})
"""Words of `protocols` that tell no conversation from another."""
DIGESTS = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "imphash": "imphash"}
SUBJECTS = {"process": "process", "user": "user-account", "network": "network-traffic", "file": "file"}
LISTS = {"ipv4-addr": "addresses", "ipv6-addr": "addresses", "mac-addr": "macs", "domain-name": "names", "url": "urls"}
"""Types of one value: as many as there are stand together in one row."""


def is_record(value: object) -> bool:
    """Whether an object of a bundle is an observed-data."""
    return isinstance(value, Mapping) and value.get("type") == "observed-data"


def rows(observed: Object, bundled: Mapping[str, Object]) -> list[Row]:
    """The documents of an observed-data, in the order of their part number; at least one.

    `bundled`: the objects of the bundle by id, for `object_refs` (STIX 2.1).
    """
    embedded = observed.get("objects")
    graph = {str(k): _single(v) for k, v in embedded.items() if isinstance(v, Mapping)} if isinstance(embedded, Mapping) else {}
    graph |= {key: _single(bundled[key]) for key in _closure(_texts(observed.get("object_refs")), bundled)}
    return _Record(observed, graph).rows()


ONE_VALUE = frozenset(
    "name value pid command_line cwd path key account_login user_id display_name src_port dst_port hostname created size mime_type".split()
)
"""Properties that STIX defines as one value, whatever the type of the object."""


def _single(of: Object) -> Object:
    """An object in which a list is its first value where STIX has one value: some producers write lists everywhere."""
    lists = {k: v[0] for k, v in of.items() if k in ONE_VALUE and isinstance(v, list) and v and not isinstance(v[0], list | Mapping)}
    return {**of, **lists} if lists else of


def _closure(keys: Iterable[str], bundled: Mapping[str, Object]) -> Iterator[str]:
    """The keys that are in the bundle, and all that those refer to."""
    seen: set[str] = set()
    waiting = list(keys)
    for key in waiting:  # which grows
        if key not in seen and key in bundled:
            seen.add(key)
            yield key
            waiting += [r for name, value in bundled[key].items() if name.endswith(("_ref", "_refs")) for r in _texts(value)]


def _texts(value: object) -> list[str]:
    """References: one or a list, as text (some producers write the keys of STIX 2.0 as numbers)."""
    return [str(v) for v in (value if isinstance(value, list) else [value]) if isinstance(v, str | int) and not isinstance(v, bool)]


class _Record:
    """One observed-data: who is whose parent, and which objects a row has taken."""

    def __init__(self, observed: Object, graph: Mapping[str, Object]) -> None:
        self.observed = observed
        self.graph = graph
        self.by_type: dict[str, list[str]] = {}
        for key, o in graph.items():
            self.by_type.setdefault(str(o.get("type")), []).append(key)
        self.event = next((graph[key] for key in self._of_type("x-oca-event")), {})
        self.stated = {r for name, value in self.event.items() if name.endswith("_ref") for r in _texts(value)}
        self.parent_of = dict(self._parents())
        self.taken: set[str] = set()
        self.resolved = dict(self._resolved())
        self.subject = {what: self._about(what) for what in SUBJECTS}

    def _of_type(self, *types: str) -> list[str]:
        return [key for kind in types for key in self.by_type.get(kind, ())]

    def _refs(self, of: Object, name: str, *types: str) -> list[str]:
        """What an object's references of a name lead to, where the record has it and it is of one of the types."""
        return [r for r in _texts(of.get(name)) if r in self.graph and self.graph[r].get("type") in types]

    def _ref(self, of: Object, name: str, *types: str) -> str | None:
        return next(iter(self._refs(of, name, *types)), None)

    def _parents(self) -> Iterator[tuple[str, str]]:
        for key in self._of_type("process"):
            for child in self._refs(self.graph[key], "child_refs", "process"):
                yield child, key
        started, by = (self._ref(self.event, name, "process") for name in ("process_ref", "parent_process_ref"))
        if started and by:
            yield started, by
        for key in self._of_type("process"):
            if parent := self._ref(self.graph[key], "parent_ref", "process"):
                yield key, parent

    def _resolved(self) -> Iterator[tuple[str, list[str]]]:
        """Domains and the addresses they resolve to, as STIX-shifter tells of them in the traffic of the query. The domain that the asked
        one is registered under is part of its name, and no other that was asked."""
        for key in self._of_type("network-traffic"):
            extensions = self.graph[key].get("extensions")
            query = extensions.get("dns-ext") if isinstance(extensions, Mapping) else None
            question = query.get("question") if isinstance(query, Mapping) else None
            if isinstance(query, Mapping) and isinstance(question, Mapping):
                asked = self._ref(question, "domain_ref", "domain-name")
                self.taken.update(r for r in self._refs(question, "registered_domain_ref", "domain-name") if r != asked)
                if asked:
                    yield asked, self._refs(query, "resolved_ip_refs", *ADDRESSES)

    def _about(self, what: str) -> str | None:
        """The object the record is about: the event's, else the only one of its type; of processes the first that is no parent."""
        if stated := self._ref(self.event, f"{what}_ref", SUBJECTS[what]):
            return stated
        found = self._of_type(SUBJECTS[what])
        if what == "process":
            parents = set(self.parent_of.values())
            return next((key for key in found if key not in parents), next(iter(found), None))
        return found[0] if len(found) == 1 else None

    # -- rows ----------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        host = self._host()
        found = list(self._processes()) or [self._roles(user=self._ref(self.event, "user_ref", "user-account"))]
        standing = list(self._standing())
        if not self.subject["process"] and standing:
            found[0] |= standing.pop(0)
        found[0] |= self._alone() | self._things()
        found += standing
        event = _plain(self.event) | further(self.event, self.graph)
        for part, row in enumerate(found):
            row["observed"] = {
                "id": self.observed.get("id"),
                "part": part,
                "first": self.observed.get("first_observed") or self.observed.get("created"),
                "last": self.observed.get("last_observed"),
                "number": self.observed.get("number_observed"),
            }
            row["host"] = host
            row["event"] = {"provider": event.get("provider")}
        found[0]["event"] = event
        found[0]["observed"]["kind"] = self._kind()
        return found

    def _processes(self) -> Iterator[Row]:
        """The process the record is about, then the others that say more than a parent can."""
        main = self.subject["process"]
        parents = set(self.parent_of.values())
        for key in sorted(self._of_type("process"), key=lambda k: k != main):
            process = self.graph[key]
            more = self._refs(process, "opened_connection_refs", "network-traffic") or self._ref(process, "creator_user_ref", "user-account")
            if key == main or key not in parents or key in self.parent_of or more:
                yield from self._of_process(key, key == main)

    def _of_process(self, key: str, main: bool) -> Iterator[Row]:
        process = self.graph[key]
        row: Row = {"process": self._process(key)}
        if parent := self.parent_of.get(key):
            row["parent"] = self._process(parent)
        user = self._ref(process, "creator_user_ref", "user-account")
        if user := user or (self._ref(self.event, "user_ref", "user-account") if main else None):
            row["user"] = self._account(user)
        connections = [*self._refs(process, "opened_connection_refs", "network-traffic"), *self._touched(key, "network-traffic")]
        changes = [change for touched in self._touched(key, "windows-registry-key") for change in self._registry(touched)]
        if main:
            connections += self._refs(self.event, "network_ref", "network-traffic")
            changes += [change for key in self._refs(self.event, "registry_ref", "windows-registry-key") for change in self._registry(key)]
        file = self._ref(self.event, "file_ref", "file") if main else None
        domain = self._ref(self.event, "domain_ref", "domain-name") if main else None
        beside = self._roles(file=file or next(iter(self._touched(key, "file")), None), dns=domain)
        for connection, change in zip_longest(dict.fromkeys(connections), changes) if connections or changes else [(None, None)]:
            yield (change or {}) | row | self._roles(network=connection) | beside
            beside = {}

    def _touched(self, process: str, kind: str) -> list[str]:
        """What a saved variable says a process touched."""
        return [key for key in self._of_type(kind) if self._ref(self.graph[key], "x_process_ref", "process") == process]

    def _roles(self, **keys: str | None) -> Row:
        """The roles that have an object; with a domain name come the addresses it resolves to."""
        read = {"network": self._network, "file": self._file, "dns": self._take, "user": self._account}
        return {role: read[role](key) for role, key in keys.items() if key} | self._answers(keys.get("dns"))

    def _standing(self) -> Iterator[Row]:
        """Rows of what no process has taken, one of each type a row; what the event is about comes first."""
        domains = [key for key in self._left("domain-name") if self._answering(key)]
        columns: list[list[Row]] = [
            [change for key in self._left("windows-registry-key") for change in self._registry(key)],
            [{"network": self._network(key)} for key in self._left("network-traffic")],
            [self._roles(dns=key) for key in domains],
            [{"file": self._file(key)} for key in self._left("file")],
            [{"account": self._account(key)} for key in self._left("user-account")],
            [{"directory": {"path": self.graph[key].get("path")} | self._further(key)} for key in self._left("directory")],
        ]
        for together in zip_longest(*columns):
            yield {role: value for row in together if row for role, value in row.items()}

    def _left(self, *types: str) -> list[str]:
        return sorted((key for key in self._of_type(*types) if key not in self.taken), key=lambda k: k not in self.stated)

    def _alone(self) -> Row:
        """Lists of the values that are part of nothing else."""
        found: Row = {}
        for kinds in dict.fromkeys(LISTS.values()):
            found |= self._values(kinds, self._left(*(kind for kind, name in LISTS.items() if name == kinds)))
        return found

    def _values(self, name: str, keys: Iterable[str]) -> Row:
        """Values as a list, and the further attributes of the objects as a parallel list, if there are any."""
        known = [(value, self._further(key).get("further")) for key in keys if (value := _canonical(self.graph[key]))]
        stated = {f"{name}_further": [more for _, more in known]} if any(more for _, more in known) else {}
        return {name: [value for value, _ in known]} | stated if known else {}

    def _things(self) -> Row:
        """The objects of types without a role of their own: custom types, and STIX types without a place in the record layout."""
        known = [(kind, key) for kind, keys in self.by_type.items() if vocabulary().is_without_role(kind) for key in keys]
        if not known:
            return {}
        stated = [further(self.graph[key], self.graph).get("further") for _, key in known]
        return {"objects": {"type": [kind for kind, _ in known], "key": [key_of(self.graph[key]) for _, key in known], "further": stated}}

    # -- objects -------------------------------------------------------------------------------------------------

    def _take(self, key: str) -> Row:
        """An object's own plain properties; it is not repeated on its own."""
        self.taken.add(key)
        return _plain(self.graph[key]) | self._further(key)

    def _further(self, key: str) -> Row:
        return further(self.graph[key], self.graph)

    def _process(self, key: str) -> Row:
        found = self._take(key)
        found.setdefault("created", found.pop("created_time", None))
        binary = self._ref(self.graph[key], "image_ref", "file") or self._ref(self.graph[key], "binary_ref", "file")
        found["binary"] = self._file(binary) if binary else {}
        main = self.subject["process"]
        if key == main:
            found = self._companions("process") | {k: v for k, v in found.items() if v is not None}
            found["binary"] = self._companions("binary") | found["binary"]
        if main and key == self.parent_of.get(main):
            found = self._companions("parent") | found
        return found

    def _file(self, key: str) -> Row:
        found = self._take(key)
        if directory := self._ref(self.graph[key], "parent_directory_ref", "directory"):
            folder = self._take(directory)
            found |= {"directory": folder.get("path"), "directory_further": folder.get("further")}
        hashes = self.graph[key].get("hashes")
        for name, value in hashes.items() if isinstance(hashes, Mapping) else ():
            kind = DIGESTS.get(str(name).lower().replace("-", "").replace("_", ""))
            if kind and isinstance(value, str) and value.strip("0-"):
                found[kind] = value
        if software := self._ref(self.graph[key], "x_software_ref", "software"):
            maker = self._take(software)
            found |= {"x_original_name": maker.get("name"), "x_company": maker.get("vendor")}
        return self._companions("file") | found if key == self.subject["file"] else found

    def _account(self, key: str) -> Row:
        found = self._take(key)
        return self._companions("user") | found if key == self.subject["user"] else found

    def _network(self, key: str) -> Row:
        found = self._take(key)
        for side in ("src", "dst"):
            if end := self._ref(self.graph[key], f"{side}_ref", *ADDRESSES):
                self.taken.add(end)
                found[side] = _canonical(self.graph[end])
                found[f"{side}_further"] = self._further(end).get("further")
        found["transport"], found["application"] = _protocols(self.graph[key].get("protocols"))
        if "x_application" in found:
            found["application"] = found["x_application"]
        return self._companions("network") | found if key == self.subject["network"] else found

    def _answers(self, key: str | None) -> Row:
        """The addresses a domain name resolves to."""
        found = self._answering(key) if key else []
        self.taken.update(found)
        return self._values("answers", found)

    def _answering(self, key: str) -> list[str]:
        return list(dict.fromkeys([*self._refs(self.graph[key], "resolves_to_refs", *ADDRESSES), *self.resolved.get(key, ())]))

    def _registry(self, key: str) -> Iterator[Row]:
        """A row for each value of a key; one for a key without values."""
        found = self._take(key)
        user = self._ref(self.graph[key], "creator_user_ref", "user-account")
        creator = {"user": self._account(user)} if user else {}
        values = [_plain(v) for v in self.graph[key].get("values") or () if isinstance(v, Mapping)]
        for value in values or [{}]:
            yield {"registry": found | value} | creator

    def _host(self) -> Row:
        """The computer the record is of."""
        found = self._companions("host")
        for asset in self._of_type("x-oca-asset")[:1]:
            for name, types, place in (("ip_refs", ADDRESSES, "ips"), ("mac_refs", ("mac-addr",), "macs")):
                keys = self._refs(self.graph[asset], name, *types)
                self.taken.update(keys)
                found |= self._values(place, keys)
            found |= self._further(asset)
        return {name: value for name, value in found.items() if value}

    def _companions(self, what: str) -> Row:
        """What product-specific objects of the record tell of one of its objects, where there is only one of their type."""
        found: Row = {}
        for kind, stated in _vocabulary()["companions"].items():
            there = self._of_type(kind) if what in stated else []
            if len(there) == 1:
                own = _plain(self.graph[there[0]])
                found |= {name: own[source] for name, source in stated[what].items() if source in own}
        return found

    def _kind(self) -> str | None:
        """The kind of event by what the record says itself; where it is of no event, a process that was created at its very
        time by a known parent is a creation."""
        categories, types = (_words(self.event.get(name)) for name in ("category", "event_type"))
        known = _vocabulary()["categories"]
        for category in categories:
            for kind in types:
                if kind in known.get(category, {}):
                    return str(known[category][kind])
        action = str(self.event.get("action") or "").lower().replace("_", " ").replace("-", " ")
        if found := next((known for words, known in _vocabulary()["actions"].items() if action.startswith(words)), None):
            return str(found)
        main = self.subject["process"]
        if self.event or main is None or main not in self.parent_of:
            return None
        started = self.graph[main].get("created_time") or self.graph[main].get("created")
        return "process-create" if started and started == self.observed.get("first_observed") else None


@cache
def _vocabulary() -> Any:
    """The words of products that the log format's file explains."""
    return packaged("kestrel.formats", "definitions/stix.yaml")


def _plain(of: Object) -> Row:
    """The properties that are one value; the references and lists are followed by their own names."""
    return {k: v for k, v in of.items() if isinstance(v, str | int | float) and not isinstance(v, bool) and not k.endswith(("_ref", "further"))}


def _words(value: object) -> list[str]:
    """The texts in a list that may hold lists."""
    if isinstance(value, list):
        return [word for v in value for word in _words(v)]
    return [value] if isinstance(value, str) else []


def _canonical(of: Object) -> str | None:
    value = of.get("value")
    if not isinstance(value, str) or value in ("", "-"):
        return None
    match of.get("type"):
        case "ipv4-addr" | "ipv6-addr":
            return canonical_address(value)
        case "mac-addr":
            return value.lower().replace("-", ":")
        case "domain-name":
            return value.lower().rstrip(".") or None
        case _:
            return value


def _protocols(value: object) -> tuple[str | None, str | None]:
    """The transport protocol and the application's, of a list from the lowest to the highest or the other way round."""
    words = [w.lower() for w in _words(value) if w.lower() not in CARRIERS]
    transport = next((w for w in words if w in TRANSPORTS), words[-1] if words else None)
    return transport, next((w for w in words if w != transport), None)
