"""How many published detection rules use only log sources and fields that Kestrel reads: `python -m benchmarks.rule_coverage FOLDER...`.

Each folder is a checkout of elastic/detection-rules, SigmaHQ/sigma or splunk/security_content. What Kestrel reads comes from its log formats
and its model; the tables here only say which log format reads what the rules call by another name. A log source or a field that is not
certain counts as not read. Only sources and fields are checked, not whether a hunt can express the rest of a rule (sequences, thresholds,
lookups). Deprecated rules are left out.

"Made for it": a log format maps this source's events to entities. "General log formats" also count: those that read every ECS document or
every Windows event, of which most are events only.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from kestrel.formats.expression import Call, Field, First, Literal, Node, top
from kestrel.formats.format import LogFormat, log_formats
from kestrel.model.layout import layout
from kestrel.model.vocabulary import FIELD, vocabulary

LISTED = 20
TEXT = "(text anywhere in the record)"
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotAnalysed(Exception):
    """A rule whose fields are not extracted, and why."""


# -- what Kestrel reads ------------------------------------------------------------------------------------------------

VALUES: dict[str, tuple[int, ...]] = {
    "address_items": (),
    "addresses": (),
    "begun": (),
    "hostname": (),
    "image": (),
    "is_value": (2,),
    "key_object": (0,),
    "key_of": (0,),
    "key_unless": (0,),
    "object": (0,),
    "sid_with": (2, 5),
    "unless": (0,),
    "value_if": (0,),
    "when": (),
    "when_any": (),
    "words": (),
}
"""The arguments of a transform whose values an attribute has, where not all are: others are conditions, or only a part of their value is
kept (`image` drops the arguments of a command line), or it is joined with others (`words`)."""
PARTS_OF_FIELDS = ("inside", "item")


@dataclass(frozen=True, eq=False)
class Event:
    """What an event type of a log format fills: columns of the record layout, its kinds, and the fields that become attributes."""

    columns: Mapping[str, Node]
    kinds: tuple[str, ...]
    fields: frozenset[str]

    def has(self, type_name: str, attribute: str) -> bool:
        """Whether the main role of an entity type has an attribute: `process`, `parent_ref.name`."""
        role = next((r.name for r in layout().roles_of(type_name) if "." not in r.name), None)
        if role is None:
            return False
        name = attribute
        while "." in name:
            reference, _, rest = name.partition(".")
            targets = layout().leads_to(role, reference)
            if not targets:
                break
            role, name = targets[0].target, rest
        kind = layout().type_of(role)
        expression = kind.attributes.get(kind.synonyms.get(name, name), "")
        return any(self._fills(role, column) for column in FIELD.findall(expression))

    def _fills(self, role: str, column: str) -> bool:
        derived = layout().roles[role].derived.get(column)
        columns = re.findall(r"[\w.]+\.\w+", derived) if derived else [f"{role}.{column}"]
        return any(c in self.columns for c in columns)


@cache
def event(format_name: str, sensor: str | None, code: str | None) -> Event:
    """An event type of a sensor. Without a code: what every event of the sensor has; without a sensor: what every record has."""
    log_format = log_formats()[format_name]
    number = log_format.sensors[sensor] if sensor else -1
    columns: dict[str, Node | None] = {r.column: r.node for r in log_format.rules if r.sensor == number and r.code is None}
    columns |= {r.column: r.node for r in log_format.rules if r.sensor == number and r.code is not None and log_format.code_text(r.code) == code}
    filled = {c: n for c, n in columns.items() if n is not None and not (isinstance(n, Call) and n.name == "none")}
    kinds: list[str] = []
    for found, columns_of_code in log_format.events.get(sensor or "", {}).items():
        if (code is None and found == "all") or (isinstance(found, int) and log_format.code_text(found) == code):
            kind = columns_of_code.get("kind")
            kinds = [v for k, v in kind.items() if k != "by"] if isinstance(kind, Mapping) else [str(kind)]
    fields = {f for column, node in filled.items() if _is_visible(column) for f in value_fields(node)}
    envelope = _envelope(log_format, sensor)
    if (host := log_format.envelope["host"]) != "none()":
        filled["host.hostname"] = top(str(host))
    return Event(filled, tuple(kinds), frozenset(fields | envelope))


def codes_of(format_name: str, sensor: str) -> list[str]:
    """The codes that a log format maps for a sensor."""
    log_format = log_formats()[format_name]
    return [log_format.code_text(c) for c in log_format.events.get(sensor, {}) if isinstance(c, int)]


def _is_visible(column: str) -> bool:
    """Whether an attribute has the value of a column."""
    role, _, name = column.rpartition(".")
    return any(name in FIELD.findall(expression) for expression in layout().type_of(role).attributes.values())


def _envelope(log_format: LogFormat, sensor: str | None) -> set[str]:
    """The fields of the host, code, provider, action and times of a record. Of alternatives only the first: it hides the others."""
    parts = log_format.envelope
    clock = parts["clock"]
    texts = [parts["code"], parts.get("writer") or parts["provider"], parts.get("action"), *(clock.get(c) for c in ("log", "otherwise", "local"))]
    texts.append(clock.get("sensor", {}).get(sensor))
    nodes = [top(str(t)) for t in texts if t and t != "none()"]
    found = {f for n in nodes for f in value_fields(n.parts[0] if isinstance(n, First) else n)}
    host = str(parts["host"])
    return found | (set(value_fields(top(host))) if host != "none()" else set())


def value_fields(node: Node) -> Iterator[str]:
    """The fields whose values an expression gives; without those that are only its conditions."""
    match node:
        case Field(path):
            yield ".".join(path)
        case First(parts):
            for part in parts:
                yield from value_fields(part)
        case Call(name, (Field(path), Literal(inner))) if name in PARTS_OF_FIELDS:
            yield ".".join((*path, inner))
        case Call(name, arguments):
            for n, argument in enumerate(arguments):
                if n in VALUES.get(name, range(len(arguments))):
                    yield from value_fields(argument)
        case Literal():
            return


# -- one rule ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Option:
    """Log sources that have a rule's records and that Kestrel reads, and which of the rule's fields are not attributes (`unmapped`) and not
    fields of the record either (`unread`). `is_general`: the records are read, but no log format is made for them."""

    sources: frozenset[str]
    is_general: bool
    unmapped: frozenset[str]
    unread: frozenset[str]


@dataclass(frozen=True)
class Rule:
    """A rule with its log sources. `ignorable`: fields that select the log or the event type, or that are shown and not compared."""

    options: tuple[Option, ...] = ()
    absent: frozenset[str] = frozenset()
    ignorable: frozenset[str] = frozenset()
    not_analysed: str = ""


# -- Elastic -----------------------------------------------------------------------------------------------------------

SELECTORS = frozenset(
    "event.category event.type event.kind event.module event.dataset data_stream.dataset agent.type "
    "host.os.type host.os.family host.os.platform host.os.name".split()
)
ECS = frozenset(
    "@timestamp agent client cloud container data_stream destination device dll dns ecs email error event faas file group host http labels "
    "log message network observer orchestrator organization package process registry related rule server service source tags threat tls url "
    "user user_agent volume vulnerability".split()
)
"""The first names of ECS fields (ECS field reference)."""
MULTI_FIELD = re.compile(r"\.(caseless|text|keyword|wildcard)$")
"""Another index of the same value."""
WINDOWS = ("winlog",)
ENDPOINT = ("Target", "Effective_process")


@dataclass(frozen=True)
class Index:
    """A data stream or Beat of Elastic: the log format and its sensors that read it, the codes of its events (none: every code of the
    sensors), and the first names of its own fields."""

    format: str
    sensors: tuple[str, ...]
    codes: tuple[str | None, ...] = ()
    own: tuple[str, ...] = ()
    is_general: bool = False

    def events(self) -> list[Event]:
        if not self.sensors:
            return [event(self.format, None, None)]
        return [event(self.format, s, c) for s in self.sensors for c in (self.codes or (None, *codes_of(self.format, s)))]


INDEXES = {
    "logs-endpoint.events.process": Index("ecs", ("ecs",), (None,), ENDPOINT),
    "logs-endpoint.events.network": Index("ecs", ("ecs",), (None,), ENDPOINT),
    "logs-endpoint.events.file": Index("ecs", ("ecs",), ("endpoint.events.file",), ENDPOINT),
    "logs-endpoint.events.registry": Index("ecs", ("ecs",), ("endpoint.events.registry",), ENDPOINT),
    "logs-endpoint.events.library": Index("ecs", ("ecs",), ("endpoint.events.library",), ENDPOINT),
    "logs-endpoint.events.security": Index("ecs", ("ecs",), (None,), ENDPOINT, is_general=True),
    "logs-endpoint.events.api": Index("ecs", ("ecs",), (None,), ENDPOINT, is_general=True),
    "logs-endpoint.events.device": Index("ecs", ("ecs",), (None,), ENDPOINT, is_general=True),
    "logs-endpoint.alerts": Index("ecs", ("ecs",), (None,), ENDPOINT, is_general=True),
    "auditbeat": Index("ecs", ("ecs",), (None, "file", "file_integrity"), ("auditd", "system")),
    "logs-auditd_manager.auditd": Index("ecs", ("ecs",), (None,), ("auditd",)),
    "packetbeat": Index("ecs", ("ecs",), (None,), ("icmp",)),
    "logs-network_traffic": Index("ecs", ("ecs",), (None,), ("icmp", "network_traffic")),
    "winlogbeat": Index("winlogbeat", ("sysmon", "security"), (), (*WINDOWS, "sysmon")),
    "winlogbeat-other": Index("winlogbeat", (), (), (*WINDOWS, "powershell"), is_general=True),
    "logs-windows.sysmon_operational": Index("winlogbeat", ("sysmon",), (), (*WINDOWS, "sysmon")),
    "logs-windows.forwarded": Index("winlogbeat", ("sysmon", "security"), (), (*WINDOWS, "sysmon")),
    "logs-windows.forwarded-other": Index("winlogbeat", (), (), (*WINDOWS, "powershell"), is_general=True),
    "logs-windows.powershell": Index("winlogbeat", (), (), (*WINDOWS, "powershell"), is_general=True),
    "logs-system.security": Index("winlogbeat", ("security",), (), WINDOWS),
    "logs-system.system": Index("winlogbeat", (), (), WINDOWS, is_general=True),
    "logs-system.application": Index("winlogbeat", (), (), WINDOWS, is_general=True),
}
INTEGRATION = re.compile(r"(?:logs-|filebeat)([a-z0-9_]*)")
"""Elastic's integrations and Filebeat write ECS documents: the log format `ecs` reads them all, though it is made for few."""
KINDS = {
    "process": ("process", "remote-thread"),
    "network": ("network", "dns"),
    "dns": ("dns",),
    "file": ("file", "object-access"),
    "registry": ("registry", "object-access"),
    "library": ("image-load",),
    "driver": ("driver-load", "image-load"),
    "authentication": ("logon",),
}
"""How the kinds of event begin that have a category of ECS."""


@dataclass
class Part:
    """The fields of one event of a query, and its categories (none: not limited)."""

    categories: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def elastic(folder: Path) -> Iterator[Rule]:
    """The rules of elastic/detection-rules."""
    for file in sorted(f for name in ("rules", "rules_building_block") for f in (folder / name).rglob("*.toml")):
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        rule = data.get("rule")
        if rule is None or data["metadata"].get("maturity") == "deprecated" or "_deprecated" in file.parts:
            continue
        try:
            yield elastic_rule(rule)
        except NotAnalysed as why:
            yield Rule(not_analysed=str(why))


def elastic_rule(rule: Mapping[str, Any]) -> Rule:
    match rule["type"], rule.get("language"):
        case ("machine_learning" | "threat_match" as kind, _):
            raise NotAnalysed(kind.replace("_", " "))
        case _, "eql":
            parts = eql_parts(rule["query"])
        case _, "kuery":
            parts = [kql_part(rule["query"])]
        case _, language:
            raise NotAnalysed("ES|QL" if language == "esql" else str(language))
    further = {*rule.get("threshold", {}).get("field", ())} | {f for f in rule.get("new_terms", {}).get("value", ()) if rule["type"] == "new_terms"}
    further |= {c["field"] for c in rule.get("threshold", {}).get("cardinality", ())}
    for one in rule.get("filters", ()):
        further |= set(filter_fields(one.get("query", {})))
    for part in parts:
        part.fields = {MULTI_FIELD.sub("", f) for f in part.fields | further}
    codes = named_values(CODE, rule["query"])
    found = {name: [of_codes(i, codes) for i in indexes(name)] for name in rule.get("index", ())}
    made_for = {name: [i for i in known if not i.is_general] for name, known in found.items()}
    options = tuple(indexes_option(known, parts) for known in (made_for, found) if any(known.values()))
    return Rule(options, frozenset(name for name, known in found.items() if not known), SELECTORS)


def indexes(pattern: str) -> list[Index]:
    """The known indexes that a pattern of a rule names."""
    found = [index for name, index in INDEXES.items() if fnmatch(f"{name}-default", pattern) or pattern.startswith(name)]
    if not found and (integration := INTEGRATION.match(pattern)):
        found = [Index("ecs", ("ecs",), (None,), (integration[1],), is_general=True)]
    return found


def of_codes(index: Index, codes: set[str]) -> Index:
    """An index of Windows events, where a rule names the codes: only these, and general if no log format maps one of them."""
    if index.format == "ecs" or not codes or not index.sensors:
        return index
    mapped = {c for s in index.sensors for c in codes_of(index.format, s)}
    return replace(index, codes=tuple(sorted(codes)), is_general=not codes <= mapped)


def indexes_option(found: Mapping[str, Sequence[Index]], parts: Sequence[Part]) -> Option:
    """Each part must have its fields in one event type of the indexes, of which that with the fewest others is taken."""
    indexes = [i for known in found.values() for i in known]
    events = [e for i in indexes for e in i.events()]
    unmapped: set[str] = set()
    for part in parts:
        prefixes = tuple(p for c in part.categories for p in KINDS.get(c, ()))
        fitting = [e for e in events if not prefixes or any(k.startswith(prefixes) for k in e.kinds)]
        missing = [{f for f in part.fields if not ecs_has(e, f)} for e in fitting or [event(indexes[0].format, None, None)]]
        unmapped |= min(missing, key=lambda m: (len(m - SELECTORS), len(m)))
    known = ECS.union(*(i.own for i in indexes))
    return Option(
        frozenset(name for name, of_name in found.items() if of_name),
        all(i.is_general for i in indexes),
        frozenset(unmapped),
        frozenset(f for f in unmapped if f.partition(".")[0] not in known),
    )


def ecs_has(one: Event, name: str) -> bool:
    """Whether a field of an ECS document becomes an attribute: by its own name, or by the alias that a hunt would use."""
    alias = vocabulary().alias(name)
    return name in one.fields or (alias is not None and alias[0] != "x-oca-event" and one.has(*alias))


def filter_fields(query: Any) -> Iterator[str]:
    """The fields of a filter in Elasticsearch's JSON."""
    match query:
        case Mapping():
            for kind, inside in query.items():
                if kind in ("wildcard", "match", "match_phrase", "term", "terms", "range", "prefix", "regexp"):
                    yield from (f for f in inside if f != "boost")
                elif kind == "exists":
                    yield inside["field"]
                elif kind == "match_all":
                    continue
                elif kind in ("bool", "must", "must_not", "should", "filter"):
                    yield from filter_fields(inside)
                elif kind != "minimum_should_match":
                    raise NotAnalysed(f"filter `{kind}`")
        case list():
            for one in query:
                yield from filter_fields(one)
        case _:
            raise NotAnalysed("filter")


EQL = re.compile(
    r'(?P<skip>\s+|//[^\n]*|/\*.*?\*/)|(?P<text>"""(?:.*?)"""+|\??"(?:\\.|[^"\\])*"|\?\'[^\']*\')|`(?P<quoted>[^`]+)`'
    r"|(?P<word>\??[A-Za-z_@][\w@]*(?:\.(?:[A-Za-z_@0-9][\w@-]*|`[^`]+`))*(?:\[\d+\])?)|(?P<number>\d+(?:\.\d+)?\w*)|(?P<sign>[=!<>]=|[\[\](),|:~=<>+*/%.!-])",
    re.DOTALL,
)
EQL_WORDS = frozenset("and or not in like regex where sequence sample by with until true false null maxspan runs head tail unique filter".split())


def eql_parts(query: str) -> list[Part]:
    """The events of an EQL query: one for each `category where`; fields outside belong to all. Raises NotAnalysed."""
    tokens = scan(EQL, query, "EQL")
    common, parts = Part(), []
    current = common
    for n, (kind, value) in enumerate(tokens):
        following = tokens[n + 1][1] if n + 1 < len(tokens) else ""
        if following == "where" and kind in ("word", "text"):
            current = Part()
            parts.append(current)
            if (category := value.strip('"')) != "any":
                current.categories.add(category)
                current.fields.add("event.category")
        elif kind == "quoted" or (kind == "word" and value.lower() not in EQL_WORDS and following not in ("(", "~")):
            current.fields.add(re.sub(r"\[\d+\]$|`", "", value.removeprefix("?")))
        elif kind == "word" and following == "~" and value.lower() not in EQL_WORDS and not is_call(tokens, n):
            current.fields.add(value.removeprefix("?"))
    for part in parts:
        part.fields |= common.fields
        part.categories |= named_values(CATEGORY, query) if len(parts) == 1 and not part.categories else set()
    if not parts:
        raise NotAnalysed("EQL without an event")
    return parts


def is_call(tokens: Sequence[tuple[str, str]], n: int) -> bool:
    """Whether a name is that of a function that ignores case, `endswith~(...)`."""
    return [v for _, v in tokens[n + 1 : n + 3]] == ["~", "("]


KQL = re.compile(
    r'(?P<skip>\s+)|(?P<text>"(?:\\.|[^"\\])*")|(?P<word>(?:\\.|[^\s()"{}:<>\\])+)|(?P<sign>[<>]=?|[(){}:])',
    re.DOTALL,
)


def kql_part(query: str) -> Part:
    """The fields and categories of a KQL query. Raises NotAnalysed."""
    tokens = scan(KQL, query, "KQL")
    part, depth, values, nested = Part(named_values(CATEGORY, query)), 0, -1, ""
    expects_value = False
    for n, (kind, value) in enumerate(tokens):
        following = tokens[n + 1][1] if n + 1 < len(tokens) else ""
        if kind == "sign":
            match value:
                case "(":
                    depth += 1
                    values = depth if expects_value and values < 0 else values
                case ")":
                    values = -1 if depth == values else values
                    depth -= 1
                case "{":
                    if nested:
                        raise NotAnalysed("KQL with a nested query in another")
                    nested = f"{tokens[n - 2][1]}."
                case "}":
                    nested = ""
            expects_value = value in (":", "<", ">", "<=", ">=")
        elif values >= 0 or expects_value:
            expects_value = False
        elif following in (":", "<", ">", "<=", ">="):
            part.fields.add(nested + value.strip('"'))
        elif value.lower() not in ("and", "or", "not") and not is_value_word(tokens, n):
            part.fields.add(TEXT)
    return part


def is_value_word(tokens: Sequence[tuple[str, str]], n: int) -> bool:
    """Whether a word continues a value of several words: `name: visual studio`."""
    for kind, value in reversed(tokens[:n]):
        if kind == "sign":
            return value == ":"
        if value.lower() in ("and", "or", "not"):
            return False
    return False


CATEGORY = re.compile(r'\bevent\.category\s*(?::|==|\bin\b)\s*(\([^)]*\)|"?\w+)')
CODE = re.compile(r'\bevent\.code\s*(?::|==|\bin\b)\s*(\([^)]*\)|"?\w+)')


def named_values(pattern: re.Pattern[str], query: str) -> set[str]:
    """The values that a query names for a field."""
    return {v for found in pattern.findall(query) for v in re.findall(r"\w+", found) if v not in ("or", "and", "not")}


def scan(pattern: re.Pattern[str], text: str, language: str) -> list[tuple[str, str]]:
    """The tokens of a query without blanks and comments: their kinds and texts. Raises NotAnalysed."""
    found, place = [], 0
    while place < len(text):
        match = pattern.match(text, place)
        if match is None or match.end() == place:
            raise NotAnalysed(f"{language} that cannot be read")
        kind = match.lastgroup or ""
        if kind != "skip":
            found.append((kind, match[kind]))
        place = match.end()
    return found


# -- Sigma -------------------------------------------------------------------------------------------------------------

SYSMON = {
    code: frozenset(f"UtcTime {names}".split())
    for code, names in {
        "1": "RuleName ProcessGuid ProcessId Image FileVersion Description Product Company OriginalFileName CommandLine CurrentDirectory User "
        "LogonGuid LogonId TerminalSessionId IntegrityLevel Hashes ParentProcessGuid ParentProcessId ParentImage ParentCommandLine ParentUser",
        "2": "RuleName ProcessGuid ProcessId Image TargetFilename CreationUtcTime PreviousCreationUtcTime User",
        "3": "RuleName ProcessGuid ProcessId Image User Protocol Initiated SourceIsIpv6 SourceIp SourceHostname SourcePort SourcePortName "
        "DestinationIsIpv6 DestinationIp DestinationHostname DestinationPort DestinationPortName",
        "4": "State Version SchemaVersion",
        "5": "RuleName ProcessGuid ProcessId Image User",
        "6": "RuleName ImageLoaded Hashes Signed Signature SignatureStatus",
        "7": "RuleName ProcessGuid ProcessId Image ImageLoaded FileVersion Description Product Company OriginalFileName Hashes Signed Signature "
        "SignatureStatus User",
        "8": "RuleName SourceProcessGuid SourceProcessId SourceImage TargetProcessGuid TargetProcessId TargetImage NewThreadId StartAddress "
        "StartModule StartFunction SourceUser TargetUser",
        "9": "RuleName ProcessGuid ProcessId Image Device User",
        "10": "RuleName SourceProcessGUID SourceProcessId SourceThreadId SourceImage TargetProcessGUID TargetProcessId TargetImage GrantedAccess "
        "CallTrace SourceUser TargetUser",
        "11": "RuleName ProcessGuid ProcessId Image TargetFilename CreationUtcTime User",
        "12": "RuleName EventType ProcessGuid ProcessId Image TargetObject User",
        "13": "RuleName EventType ProcessGuid ProcessId Image TargetObject Details User",
        "14": "RuleName EventType ProcessGuid ProcessId Image TargetObject NewName User",
        "15": "RuleName ProcessGuid ProcessId Image TargetFilename CreationUtcTime Hash Contents User",
        "16": "Configuration ConfigurationFileHash",
        "17": "RuleName EventType ProcessGuid ProcessId PipeName Image User",
        "18": "RuleName EventType ProcessGuid ProcessId PipeName Image User",
        "19": "RuleName EventType Operation User EventNamespace Name Query",
        "20": "RuleName EventType Operation User Name Type Destination",
        "21": "RuleName EventType Operation User Consumer Filter",
        "22": "RuleName ProcessGuid ProcessId QueryName QueryStatus QueryResults Image User",
        "23": "RuleName ProcessGuid ProcessId User Image TargetFilename Hashes IsExecutable Archived",
        "25": "RuleName ProcessGuid ProcessId Image Type User",
        "26": "RuleName ProcessGuid ProcessId User Image TargetFilename Hashes IsExecutable",
        "27": "RuleName ProcessGuid ProcessId User Image Hashes TargetFilename",
        "29": "RuleName ProcessGuid ProcessId User Image Hashes TargetFilename",
        "255": "ID Description",
    }.items()
}
"""The fields of Sysmon's events (Sysmon manual, its event manifest)."""
CATEGORIES = {
    "process_creation": ("1",),
    "process_termination": ("5",),
    "process_access": ("10",),
    "process_tampering": ("25",),
    "create_remote_thread": ("8",),
    "create_stream_hash": ("15",),
    "dns_query": ("22",),
    "driver_load": ("6",),
    "file_change": ("2",),
    "file_event": ("11",),
    "file_delete": ("23", "26"),
    "file_block_executable": ("27",),
    "file_executable_detected": ("29",),
    "image_load": ("7",),
    "network_connection": ("3",),
    "pipe_created": ("17", "18"),
    "raw_access_thread": ("9",),
    "registry_add": ("12",),
    "registry_delete": ("12",),
    "registry_set": ("13",),
    "registry_rename": ("14",),
    "registry_event": ("12", "13", "14"),
    "sysmon_status": ("4", "16"),
    "sysmon_error": ("255",),
    "wmi_event": ("19", "20", "21"),
}
"""The codes of Sysmon's events for Sigma's categories (Sigma's taxonomy)."""
LINUX_CATEGORIES = ("process_creation", "file_event", "network_connection")
POWERSHELL = ("ps_script", "ps_module", "ps_classic_start", "ps_classic_provider_start")
SYSTEM = {"EventID": "System.EventID", "Provider_Name": "System.Provider", "Channel": "System.Channel", "Computer": "System.Computer"}
IN_SYSTEM = frozenset({*SYSTEM, "Level", "Keywords", "Task", "Opcode", "Version"})
WINDOWS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
UNNAMED = frozenset({"Data", "Message"})
"""`Data` holds the values of events without named fields; `Message` is text that Windows makes for display, and is not in the record."""
OTHER_SPELLING = frozenset({"windefend"})
"""Logs whose fields Sigma names otherwise than the record (`ThreatName` for `Threat Name`)."""
ZEEK_NAME = re.compile(r"\w[\w.]*")


def sigma(folder: Path) -> Iterator[Rule]:
    """The rules of SigmaHQ/sigma."""
    folders = [f for f in sorted(folder.glob("rules*")) if f.name != "rules-placeholder"]
    for file in sorted(f for one in folders for f in one.rglob("*.yml")):
        for rule in yaml.load_all(file.read_text(encoding="utf-8"), Loader=Loader):
            if rule.get("status") in ("deprecated", "unsupported"):
                continue
            if "detection" not in rule:
                yield Rule(not_analysed="correlation")
                continue
            yield sigma_rule(rule)


def sigma_rule(rule: Mapping[str, Any]) -> Rule:
    names: set[str] = set()
    codes: set[str] = set()
    for name, selection in rule["detection"].items():
        if name not in ("condition", "timeframe"):
            for one, value in sigma_items(selection):
                plain, _, modifiers = one.partition("|")
                names.add(plain or TEXT)
                if "fieldref" in modifiers:
                    names |= set(value if isinstance(value, list) else [value])
                if plain == "EventID":
                    codes |= {str(v) for v in (value if isinstance(value, list) else [value])}
    source = rule["logsource"]
    product, category, service = (source.get(p) for p in ("product", "category", "service"))
    name = "/".join(filter(None, (product, category, service)))
    match product, category, service:
        case ("windows", str(), None) if category in CATEGORIES:
            return sigma_windows(name, "sysmon", CATEGORIES[category], names)
        case ("linux", str(), None) if category in LINUX_CATEGORIES:
            return sigma_windows(name, "sysmon", CATEGORIES[category], names)
        case ("windows", str(), None) if category in POWERSHELL:
            return sigma_windows(name, None, (), names)
        case "windows", None, "sysmon":
            return sigma_windows(name, "sysmon", sorted(codes), names)
        case "windows", None, "security":
            return sigma_windows(name, "security", sorted(codes), names)
        case "windows", None, str():
            return sigma_windows(name, None, (), names, service in OTHER_SPELLING)
        case "zeek", None, str():
            known = service in codes_of("zeek", "zeek")
            return option_rule(
                name, not known, names, [event("zeek", "zeek", service if known else None)], str, lambda f: ZEEK_NAME.fullmatch(f) is not None
            )
        case "linux", None, "auditd":
            events = [event("auditd", "auditd", c) for c in (None, *codes_of("auditd", "auditd"))]
            return option_rule(name, False, names, events, "SYSCALL.{}".format, lambda f: False)
        case _:
            return Rule(absent=frozenset({name}))


def sigma_items(selection: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a selection, with their modifiers and values; keywords have none."""
    match selection:
        case Mapping():
            yield from selection.items()
        case list():
            for one in selection:
                yield from sigma_items(one)
        case _:
            yield "", selection


def sigma_windows(name: str, sensor: str | None, codes: Sequence[str], names: set[str], other_spelling: bool = False) -> Rule:
    """A rule for Windows events: those of one sensor, whose fields may be in any of the events that the rule names."""
    mapped = codes_of("windows-event", sensor) if sensor else []
    unmapped = [c for c in codes if c not in mapped]
    is_general = not codes or bool(unmapped)
    if sensor == "security" and unmapped:
        name = f"{name} {unmapped[0]}"
    events = [event("windows-event", sensor, c) for c in codes] or [event("windows-event", sensor, None)]
    in_sysmon = frozenset[str]().union(*(SYSMON.get(c, frozenset()) for c in codes)) if sensor == "sysmon" else None

    def is_in_record(one: str) -> bool:
        if one in IN_SYSTEM:
            return True
        if in_sysmon is not None:
            return one in in_sysmon
        return not other_spelling and one not in UNNAMED and WINDOWS_NAME.fullmatch(one) is not None

    return option_rule(name, is_general, names, events, lambda f: SYSTEM.get(f, f"EventData.{f}"), is_in_record)


def option_rule(
    name: str, is_general: bool, names: Iterable[str], events: Sequence[Event], path: Callable[[str], str], is_in_record: Callable[[str], bool]
) -> Rule:
    """A rule with one log source. `path`: where a field stands in the record."""
    unmapped = frozenset(f for f in names if not any(path(f) in e.fields for e in events))
    return Rule((Option(frozenset({name}), is_general, unmapped, frozenset(f for f in unmapped if not is_in_record(f))),))


# -- Splunk ------------------------------------------------------------------------------------------------------------

PROCESS = {
    "process_name": "process:name",
    "process": "process:command_line",
    "process_path": "process:binary_ref.x_path",
    "process_id": "process:pid",
    "process_guid": "process:x_unique_id",
    "process_hash": "process:binary_ref.hashes.SHA-256",
    "process_integrity_level": "process:x_integrity_level",
    "process_current_directory": "process:cwd",
    "original_file_name": "process:binary_ref.x_software_ref.name",
    "parent_process_name": "process:parent_ref.name",
    "parent_process": "process:parent_ref.command_line",
    "parent_process_path": "process:parent_ref.binary_ref.x_path",
    "parent_process_id": "process:parent_ref.pid",
    "parent_process_guid": "process:parent_ref.x_unique_id",
    "user": "process:creator_user_ref.account_login",
    "dest": "x-oca-asset:hostname",
}
ACTOR = {name: PROCESS[name] for name in ("process_id", "process_guid", "process_name", "process_path", "user", "dest")}
DATA_MODELS: dict[str, Mapping[str, str]] = {
    "processes": PROCESS,
    "filesystem": {**ACTOR, "file_path": "file:x_path", "file_name": "file:name", "file_hash": "file:hashes.SHA-256"},
    "registry": {
        **ACTOR,
        "registry_path": "windows-registry-key:key",
        "registry_key_name": "windows-registry-key:key",
        "registry_value_name": "windows-registry-key:values[*].name",
        "registry_value_data": "windows-registry-key:values[*].data",
        "registry_value_type": "windows-registry-key:values[*].data_type",
    },
    "all_traffic": {
        **{name: PROCESS[name] for name in ("process_id", "process_guid", "user")},
        "src": "network-traffic:src_ref.value",
        "src_ip": "network-traffic:src_ref.value",
        "src_port": "network-traffic:src_port",
        "dest": "network-traffic:dst_ref.value",
        "dest_ip": "network-traffic:dst_ref.value",
        "dest_port": "network-traffic:dst_port",
        "transport": "network-traffic:protocols[*]",
    },
    "dns": {"query": "domain-name:value", "answer": "domain-name:resolves_to_refs.value", "src": "x-oca-asset:hostname"},
}
"""Fields of Splunk's data models (Common Information Model) as Kestrel's attributes; those that are not here count as not read."""
MODEL_OF_KIND = {"process": "processes", "file": "filesystem", "registry": "registry", "network": "all_traffic", "dns": "dns"}
MODEL_OF_KIND |= dict.fromkeys(("image", "pipe", "driver", "object"), "processes")
OTHER_MODELS = frozenset("web authentication all_changes all_risk ids_attacks all_email all_certificates all_sessions alerts vulnerabilities".split())
OF_SPLUNK = frozenset("source sourcetype index eventtype tag splunk_server host _time".split())
"""Fields that select a log in Splunk, and the host and time that every event has."""
OF_EVENT = {"EventCode": "EventID", "EventID": "EventID", "Computer": "Computer", "dest": "Computer", "Channel": "Channel"}


def splunk(folder: Path) -> Iterator[Rule]:
    """The detections of splunk/security_content."""
    macros = {}
    for file in sorted((folder / "macros").glob("*.yml")):
        macro = yaml.load(file.read_text(encoding="utf-8"), Loader=Loader)
        if not macro.get("arguments"):
            macros[macro["name"]] = str(macro["definition"])
    sources = {}
    for file in sorted((folder / "data_sources").glob("*.yml")):
        source = yaml.load(file.read_text(encoding="utf-8"), Loader=Loader)
        sources[source["name"]] = frozenset(map(str, source.get("fields") or ()))
    for file in sorted((folder / "detections").rglob("*.yml")):
        rule = yaml.load(file.read_text(encoding="utf-8"), Loader=Loader)
        if rule["status"] == "deprecated":
            continue
        try:
            yield splunk_rule(rule, macros, sources)
        except NotAnalysed as why:
            yield Rule(not_analysed=str(why))


def splunk_rule(rule: Mapping[str, Any], macros: Mapping[str, str], sources: Mapping[str, frozenset[str]]) -> Rule:
    """Each of a detection's data sources is an option; `A AND B` needs both."""
    search = spl_without_macros(rule["search"], macros)
    compared, shown = model_fields(search) if re.search(r"\|\s*tstats\b", search) else search_fields(search)
    options, absent = [], set()
    for name in rule.get("data_source") or [unnamed_source(rule["search"])]:
        known = [splunk_events(one, sources) for one in name.split(" AND ")]
        if any(k is None for k in known):
            absent.add(name)
            continue
        unmapped, unread = set(), set()
        for one in compared | shown:
            if not any(splunk_has(e, one) for k in known if k for e in k.events):
                unmapped.add(one)
                if not any(one in k.fields for k in known if k):
                    unread.add(one)
        is_general = any(k.is_general for k in known if k)
        options.append(Option(frozenset({name}), is_general, frozenset(unmapped), frozenset(unread)))
    return Rule(tuple(options), frozenset(absent), frozenset(shown - compared))


def unnamed_source(search: str) -> str:
    """A name for the log source of a detection that states none."""
    found = re.search(r"(?i)datamodel\s*[=:]?\s*\"?(\w+)", search)
    macro = MACRO.search(search)
    return f"not stated: data model {found[1]}" if found else f"not stated: `{macro[1]}`" if macro else "not stated"


@dataclass(frozen=True)
class SplunkSource:
    """The event types of a data source, and the fields of its records that the add-on does not make."""

    events: tuple[Event, ...]
    fields: frozenset[str]
    is_general: bool = False


def splunk_events(name: str, sources: Mapping[str, frozenset[str]]) -> SplunkSource | None:
    """What Kestrel reads of a data source by its name; None: nothing."""
    full_name = name.replace("Windows Security", "Windows Event Log Security")
    listed = frozenset(f for f in sources.get(full_name, ()) if re.fullmatch(r"[A-Z][A-Za-z0-9]*", f))
    if found := re.fullmatch(r"Sysmon(?: for Linux)? EventID (\d+)", name):
        is_known = found[1] in codes_of("windows-event", "sysmon")
        return SplunkSource((event("windows-event", "sysmon", found[1]),), SYSMON.get(found[1], frozenset()), not is_known)
    if found := re.fullmatch(r"Windows (?:Event Log )?Security (\d+)", name):
        is_known = found[1] in codes_of("windows-event", "security")
        return SplunkSource((event("windows-event", "security", found[1]),), listed, not is_known)
    if re.fullmatch(r"Windows Event Log \w+ \d+|Powershell Script Block Logging 4104", name):
        return SplunkSource((event("windows-event", None, None),), listed, True)
    if name.startswith("Linux Auditd "):
        return SplunkSource(tuple(event("auditd", "auditd", c) for c in (None, *codes_of("auditd", "auditd"))), frozenset())
    if name == "Bro":
        return SplunkSource((event("zeek", "zeek", None),), frozenset())
    return None


def splunk_has(one: Event, name: str) -> bool:
    """Whether a field of a data model, or of an event as Splunk's add-ons name it, is an attribute."""
    model, _, plain = name.rpartition(".")
    if model and model in DATA_MODELS:
        attribute = DATA_MODELS[model].get(plain)
        return attribute is not None and one.has(*attribute.split(":", 1))
    if name in OF_EVENT:
        return SYSTEM[OF_EVENT[name]] in one.fields
    if f"EventData.{name}" in one.fields or f"SYSCALL.{name}" in one.fields or name in one.fields:
        return True
    models = {MODEL_OF_KIND[k.partition("-")[0]] for k in one.kinds if k.partition("-")[0] in MODEL_OF_KIND}
    return any(name in DATA_MODELS[m] and one.has(*DATA_MODELS[m][name].split(":", 1)) for m in models)


OF_LOG = re.compile(r"(?i)\bChannel\s*=\s*\"?\w+\"?")
"""The channel in macros that select a log."""
MACRO = re.compile(r"`(\w+)(\([^`]*\))?`")


def spl_without_macros(search: str, macros: Mapping[str, str]) -> str:
    """A search with the text of its macros. Those that take arguments only convert times or drop prefixes; filters are empty."""
    search = re.sub(r"```.*?```", " ", search, flags=re.DOTALL)
    for _ in range(5):
        search = MACRO.sub(lambda m: " " if m[2] or m[1].endswith("_filter") else f" {OF_LOG.sub(' ', macros.get(m[1], ''))} ", search)
    return re.sub(r"\|\s*(?=\||\]|$)", "", search)


STRING = re.compile(r'"(?:\\.|[^"\\])*"')
MODEL_FIELD = re.compile(r"\b([A-Za-z_]+)\.(\w+)")


def model_fields(search: str) -> tuple[set[str], set[str]]:
    """The fields of data models that a search compares, and those it shows or groups by. Raises NotAnalysed."""
    plain = STRING.sub('""', search)
    if re.search(r"\[\s*(?!\|)(?!search\s+\|)", plain) or re.search(r"\b(inputlookup|mstats|map|append|appendpipe)\b", plain):
        raise NotAnalysed("SPL with a data model and other searches")
    plain = re.sub(r"(?i)datamodel\s*[=:]?\s*[\w.]+", " ", plain)
    compared: set[str] = set()
    for clause in re.findall(r"(?is)\bwhere\b(.*?)(?=\bby\b|\||\]|$)", plain):
        compared |= model_names(clause)
    if not (found := model_names(plain)):
        raise NotAnalysed("SPL without fields of a data model")
    return compared, found - compared


def model_names(text: str) -> set[str]:
    names = {f"{m.lower()}.{f}" for m, f in MODEL_FIELD.findall(text) if m.lower() in DATA_MODELS or m.lower() in OTHER_MODELS}
    return names - {f"{m}.{m}" for m in OTHER_MODELS}


SPL = re.compile(r"""(?P<skip>\s+)|(?P<text>"(?:\\.|[^"\\])*")|'(?P<quoted>[^']*)'|(?P<sign>[!=<>]=?|[|\[\](),])|(?P<word>[^\s"'|\[\](),=<>!]+)""")
NAME = re.compile(r"[A-Za-z_][\w{}:]*(?:\.[A-Za-z_][\w{}:]*)*")
EXPRESSION_WORDS = frozenset("and or not in like xor is true false null as by span".split())
SHOWING = frozenset("table fields dedup sort fillnull mvexpand bucket bin iplocation head tail reverse makemv".split())
Token = tuple[str, str]


class SearchFields:
    """The fields of a search in SPL, command by command, without those that it computes."""

    def __init__(self) -> None:
        self.compared: set[str] = set()
        self.shown: set[str] = set()
        self.computed: set[str] = set()

    def use(self, names: Iterable[str], to: set[str]) -> None:
        to |= {n for n in names if n not in self.computed and n not in OF_SPLUNK and n != "*"}

    def command(self, tokens: Sequence[Token]) -> None:
        """Raises NotAnalysed."""
        name, rest = tokens[0][1].lower(), tokens[1:]
        match name:
            case "search":
                self.search(rest)
            case "where":
                self.use(expression_names(rest), self.compared)
            case "eval":
                for one in split(rest):
                    self.use(expression_names(one[2:]), self.compared)
                    self.computed.add(one[0][1])
            case "stats" | "eventstats" | "streamstats":
                self.stats(rest)
            case "rename":
                for one in split(rest):
                    self.use([one[0][1]], self.shown)
                    self.computed.add(one[-1][1].strip('"'))
            case "rex" | "regex":
                named = [rest[n - 1][1] for n, (_, v) in enumerate(rest) if v in ("=", "!=") and rest[n - 1][1] not in ("field", "max_match", "mode")]
                named += [rest[n + 2][1] for n, (_, v) in enumerate(rest[:-2]) if v == "field" and rest[n + 1][1] == "="]
                self.use(named or [TEXT], self.compared)
                self.computed |= {g for _, v in rest for g in re.findall(r"\(\?P?<(\w+)>", v)}
            case "lookup":
                self.lookup(rest[1:])
            case _ if name in SHOWING:
                self.use((v for n, (k, v) in enumerate(rest) if NAME.fullmatch(v) and not is_option(rest, n)), self.shown)
                self.computed |= {"City", "Country", "Region", "lat", "lon"} if name == "iplocation" else set()
            case _:
                raise NotAnalysed(f"SPL with `{name}`")

    def search(self, tokens: Sequence[Token]) -> None:
        n = 0
        while n < len(tokens):
            kind, value = tokens[n]
            following = tokens[n + 1][1] if n + 1 < len(tokens) else ""
            if following in ("=", "!=", "<", ">", "<=", ">="):
                self.use([value.strip('"')], self.compared)
                n += 3
            elif following.upper() == "IN":
                self.use([value], self.compared)
                n = next((i for i in range(n, len(tokens)) if tokens[i][1] == ")"), len(tokens)) + 1
            elif kind == "sign" or value.upper() in ("AND", "OR", "NOT") or value == "*":
                n += 1
            else:
                self.use([TEXT], self.compared)
                n += 1

    def stats(self, tokens: Sequence[Token]) -> None:
        grouped, depth = False, 0
        for n, (kind, value) in enumerate(tokens):
            following = tokens[n + 1][1] if n + 1 < len(tokens) else ""
            depth += (value == "(") - (value == ")")
            if value.lower() == "by":
                grouped = True
            elif n and tokens[n - 1][1].lower() == "as":
                self.computed.add(value.strip('"'))
            elif kind == "sign" or value.lower() == "as" or following == "(":
                continue
            elif grouped:
                self.use([value.strip('"')] if kind != "word" or NAME.fullmatch(value) else [], self.shown)
            elif depth:
                self.use(expression_names([(kind, value)]), self.shown)
            else:
                self.computed.add(value)
        self.computed |= {"count"}

    def lookup(self, tokens: Sequence[Token]) -> None:
        is_output = False
        for n, (kind, value) in enumerate(tokens):
            following = tokens[n + 1][1].lower() if n + 1 < len(tokens) else ""
            if value.lower() in ("output", "outputnew"):
                is_output = True
            elif kind == "sign" or value.lower() == "as" or is_option(tokens, n):
                continue
            elif is_output:
                self.computed.add(value)
            elif following != "as":
                self.use([value], self.compared)


def search_fields(search: str) -> tuple[set[str], set[str]]:
    """The fields of a search without a data model: those it compares, and those it shows or groups by. Raises NotAnalysed."""
    tokens = scan(SPL, search, "SPL")
    if any(v in ("[", "]") for k, v in tokens if k == "sign"):
        raise NotAnalysed("SPL with a search in another")
    found = SearchFields()
    commands = list(split(tokens, "|"))
    if not commands or tokens[0][1] == "|":
        raise NotAnalysed("SPL that begins with a command")
    found.search(commands[0])
    for one in commands[1:]:
        found.command(one)
    return found.compared, found.shown - found.compared


def split(tokens: Sequence[Token], at: str = ",") -> Iterator[Sequence[Token]]:
    """Tokens between separators that stand in no parentheses."""
    depth, start = 0, 0
    for n, (kind, value) in enumerate(tokens):
        if kind == "sign":
            depth += (value == "(") - (value == ")")
            if value == at and (depth <= 0 or at == "|"):
                if n > start:
                    yield tokens[start:n]
                start = n + 1
    if len(tokens) > start:
        yield tokens[start:]


def is_option(tokens: Sequence[Token], n: int) -> bool:
    """Whether a word belongs to an option, `span=1h`."""
    return "=" in (tokens[n - 1][1] if n else "", tokens[n + 1][1] if n + 1 < len(tokens) else "")


def expression_names(tokens: Sequence[Token]) -> Iterator[str]:
    """The fields in an expression of `where` and `eval`."""
    for n, (kind, value) in enumerate(tokens):
        following = tokens[n + 1][1] if n + 1 < len(tokens) else ""
        if kind == "quoted":
            yield value
        elif kind == "word" and not (following == "(" and NAME.fullmatch(value)):
            yield from (v for v in NAME.findall(value) if v.lower() not in EXPRESSION_WORDS and not value[0].isdigit())


# -- the report --------------------------------------------------------------------------------------------------------


def report(name: str, ignorable: str, rules: Sequence[Rule]) -> None:
    """Print how many rules are read, and what is missing in the others."""
    analysed = [r for r in rules if not r.not_analysed]
    print(f"\n{name}: {len(rules):,} rules, {len(analysed):,} of them analysed")
    for why, number in Counter(r.not_analysed for r in rules if r.not_analysed).most_common(8):
        print(f"  {number:6,}  not analysed: {why}")
    print(f"\n  {'':64}{'log format':>14}{'also general':>14}\n  {'rules of which Kestrel reads':64}{'made for it':>14}{'log formats':>14}")
    line("the log source", analysed, lambda o, r: True)
    line("(a) and every field is an attribute", analysed, lambda o, r: not o.unmapped)
    if ignorable:
        line(f"    ... without fields that {ignorable}", analysed, lambda o, r: o.unmapped <= r.ignorable)
    line("(a+b) and every field is an attribute or `data.PATH`", analysed, lambda o, r: not o.unread)
    nothing: frozenset[str] = frozenset()
    top_list("log sources that are not read (rules that have no other)", ((r.absent, nothing) for r in analysed if not r.options))
    general = [r for r in analysed if r.options and all(o.is_general for o in r.options)]
    top_list("log sources read by a general log format only", ((frozenset(s for o in r.options for s in o.sources), nothing) for r in general))
    best = [(min(r.options, key=lambda o: (len(o.unread), len(o.unmapped), o.is_general)), r.ignorable) for r in analysed if r.options]
    top_list("fields that no attribute has", ((o.unmapped, ignorable) for o, ignorable in best))
    top_list("fields that `data.PATH` does not read either", ((o.unread, ignorable) for o, ignorable in best))


def line(text: str, rules: Sequence[Rule], fits: Callable[[Option, Rule], bool]) -> None:
    both = sum(any(fits(o, r) for o in r.options) for r in rules)
    made = sum(any(fits(o, r) and not o.is_general for o in r.options) for r in rules)
    print(f"  {text:64}{made:14,}{both:14,}")


def top_list(title: str, found: Iterable[tuple[Iterable[str], frozenset[str]]]) -> None:
    """The most frequent names, with the number of rules, and of rules that lack nothing else but what can be ignored."""
    rules: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for names, ignorable in found:
        lacking = set(names)
        rules.update(lacking)
        if len(lacking - ignorable) == 1:
            alone.update(lacking - ignorable)
    if rules:
        print(f"\n  {title}: rules, and rules that lack nothing else")
        for name, number in sorted(rules.items(), key=lambda item: (-item[1], item[0]))[:LISTED]:
            print(f"  {number:6,} {alone[name]:6,}  {name}")


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("python -m benchmarks.rule_coverage FOLDER...: folders of elastic/detection-rules, SigmaHQ/sigma, splunk/security_content")
    for argument in sys.argv[1:]:
        folder = Path(argument)
        if (folder / "rules_building_block").is_dir():
            report("Elastic", "select log, event type and system", list(elastic(folder)))
        elif (folder / "detections").is_dir():
            report("Splunk", "are only shown or grouped by", list(splunk(folder)))
        elif (folder / "rules").is_dir():
            report("Sigma", "", list(sigma(folder)))
        else:
            sys.exit(f"{folder} has none of the folders `rules_building_block`, `detections` and `rules`")


if __name__ == "__main__":
    main()
