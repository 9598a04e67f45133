"""`APPLY indicators ON v WITH path='...'`: which entities a list of indicators knows.

The list is a CSV file or a STIX bundle; `path` may be several. A CSV file has a column `value` (or `indicator`, `ioc`), and may have a
`type` (`ip`, `domain`, `url`, `md5`, `filename`, ...; guessed where there is none) and a `label` (or `name`, `description`, `comment`);
one without such a column is one indicator a line. Defanged ones (`hxxp://1.2.3[.]4`) are mended, networks (`10.0.0.0/8`) hold
every address in them. Of a bundle, every `indicator` with a STIX pattern that is not revoked counts (`patterns.py`).

`x_indicator` lists what an entity fits, `x_indicator_source` the labels, in the same order. Attributes are its own (those of its
binary, its connections, its two ends), not its parent's, and what its command line mentions, encoded commands included.
"""

from __future__ import annotations

import csv
import ipaddress
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from kestrel.analytics.contract import Outcome
from kestrel.analytics.patterns import AROUND, WORDS, Facts, NotUnderstood, Test, folded, read
from kestrel.analytics.risk import LONGEST, decoded
from kestrel.errors import KestrelError
from kestrel.formats.transforms import canonical_address
from kestrel.model.vocabulary import vocabulary
from kestrel.result import Table, Text
from kestrel.text import csv_rows, lines_in, listed

SHOWN = 50
"""Matches of the table that is shown."""
VALUES = ("value", "indicator", "ioc", "ioc_value", "observable")
TYPES = ("type", "indicator_type", "ioc_type")
LABELS = ("label", "name", "description", "comment", "threat", "malware")
KINDS = {
    "address": "ip ipv4 ipv6 ip-src ip-dst ipv4-addr ipv6-addr ip:port cidr network address",
    "domain": "domain hostname fqdn domain-name host",
    "url": "url uri",
    "hash": "md5 sha1 sha256 sha-1 sha-256 hash imphash md5_hash sha1_hash sha256_hash filehash-md5 filehash-sha1 filehash-sha256",
    "name": "filename file file-name process process-name",
    "path": "path filepath file-path",
}
KIND_OF = {word: kind for kind, words in KINDS.items() for word in words.split()}
HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)
DOMAIN = re.compile(r"(?<![\w.-])(?:[\w-]{1,63}\.)+[a-z][a-z0-9-]{1,62}\.?", re.IGNORECASE)
FILES = frozenset(
    "exe dll sys ps1 bat cmd vbs vbe js jse hta wsf doc docx xls xlsx ppt pptx pdf zip rar txt tmp scr msi lnk py sh log dat bin iso".split()
)
"""Last parts of a name that make it a file, not a domain."""
MENTION = re.compile(rf"https?://[^\s\"'<>|)]+|(?<![\w.-])\d{{1,3}}(?:\.\d{{1,3}}){{3}}|\b(?:{HASH.pattern})\b|{DOMAIN.pattern}", re.IGNORECASE)
"""What a command line may mention. It reads what attackers write, and takes linear time."""
PART = re.compile(r"[^\W_]+")
NUMBERS = re.compile(r"\d\.\d")
IN_TEXT = frozenset({"address", "domain", "url", "hash"})
UNSEEN = frozenset({"id", "type", "first_observed", "last_observed", "number_observed"})


class BadIndicators(KestrelError):
    code: ClassVar[str] = "K0511"
    part = "argument path"

    def __init__(self, path: str, why: str, hint: str | None = None) -> None:
        super().__init__(f"the list of indicators `{path}` {why}", None, hint)


@dataclass(frozen=True)
class Indicator:
    """`text` is what it says, `label` whose or what it is."""

    text: str
    label: str


@dataclass
class Known:
    """The indicators of every list, for entities of one type, so that most are looked up and few are tested."""

    type: str
    values: dict[tuple[str | None, str], list[Indicator]] = field(default_factory=lambda: defaultdict(list))
    """By kind (None: any attribute that is text) and value."""
    networks: dict[tuple[int, int], dict[int, list[Indicator]]] = field(default_factory=dict)
    """By IP version and length of the prefix, by the prefix."""
    pairs: dict[tuple[str, str], list[Indicator]] = field(default_factory=lambda: defaultdict(list))
    """By attribute and value."""
    tests: list[tuple[Test, Indicator]] = field(default_factory=list)
    count: int = 0
    not_understood: list[str] = field(default_factory=list)
    _fits: dict[tuple[str, Any], tuple[tuple[Indicator, str], ...]] = field(default_factory=dict)
    """By attribute and value (or WORDS and command line): the indicators, and the attribute that shows each."""

    def add_value(self, value: str, kind: str | None, label: str) -> None:
        value = refanged(value)
        kind = kind or _guess(value)
        indicator = Indicator(value, label)
        self.count += 1
        if kind == "address" and "/" in value:
            try:
                network = ipaddress.ip_network(value, strict=False)
            except ValueError:
                self.not_understood.append(value)
                return
            prefixes = self.networks.setdefault((network.version, network.prefixlen), {})
            prefixes.setdefault(int(network.network_address), []).append(indicator)
        else:
            self.values[kind, folded(value)].append(indicator)

    def add_pattern(self, pattern: str, label: str) -> None:
        self.count += 1
        try:
            found = read(pattern, self.type)
        except NotUnderstood:
            self.not_understood.append(pattern)
            return
        indicator = Indicator(pattern, label)
        for key in found.keys:
            self.pairs[key].append(indicator)
        if not found.keys:
            self.tests.append((found.test, indicator))

    def fitting(self, row: Mapping[str, Any]) -> Iterator[tuple[Indicator, str]]:
        """The indicators an entity fits, each with the attribute that shows it."""
        for attribute, value in row.items():
            if attribute in UNSEEN or attribute.startswith(AROUND):
                continue
            for one in value if isinstance(value, list | tuple) else (value,):
                if one is not None and one != "":
                    yield from self._fitting_value(attribute, one)
        for line in _lines(row):
            yield from self._fitting_line(line)
        if self.tests:
            facts = facts_of(row)
            yield from ((i, "pattern") for test, i in self.tests if test(facts))

    def _fitting_value(self, attribute: str, value: Any) -> Sequence[tuple[Indicator, str]]:
        """Those that a value fits; worked out once for each."""
        known = self._fits.get((attribute, value))
        if known is None:
            known = self._fits[attribute, value] = tuple(self._found(attribute, value))
        return known

    def _fitting_line(self, line: str) -> Sequence[tuple[Indicator, str]]:
        """Those that a command line mentions; worked out once for each, and only where it has a part of one of them."""
        known = self._fits.get((WORDS, line))
        if known is None:
            texts = [text for text in (line, *decoded(line)) if self._may_mention(text)]
            words = sorted({m.group() for text in texts for m in MENTION.finditer(text)})
            known = self._fits[WORDS, line] = tuple(hit for word in words for hit in self._found(WORDS, word))
        return known

    def _may_mention(self, text: str) -> bool:
        return not self._parts.isdisjoint(PART.findall(text.casefold())) or (bool(self.networks) and NUMBERS.search(text) is not None)

    @cached_property
    def _parts(self) -> frozenset[str]:
        """Of every indicator that a command line may mention, one part that is in each mention of it."""
        texts = [text for kind, text in self.values if kind is None or kind in IN_TEXT]
        texts += [text for attribute, text in self.pairs if attribute == WORDS]
        parts = (PART.findall(text) for text in texts)
        return frozenset(max(p[:-1] or p, key=len) for p in parts if p)

    def _found(self, attribute: str, value: Any) -> Iterator[tuple[Indicator, str]]:
        text = folded(value)
        kind = _kind(attribute, str(value))
        if attribute != WORDS and isinstance(value, str):
            yield from ((i, attribute) for i in self.values.get((None, text), ()))
        if kind and (attribute != WORDS or kind in IN_TEXT):
            yield from ((i, attribute) for i in self.values.get((kind, text), ()))
        if kind == "address":
            yield from ((i, attribute) for i in self._networks_of(text))
        yield from ((i, attribute) for i in self.pairs.get((attribute, text), ()))
        if attribute.endswith("_ref.value"):
            end = attribute.removesuffix("value") + "type"
            yield from ((i, end) for i in self.pairs.get((end, _address_type(value)), ()))

    def _networks_of(self, address: str) -> Iterator[Indicator]:
        found = ipaddress.ip_address(address)
        for (version, length), prefixes in self.networks.items():
            if version == found.version:
                rest = found.max_prefixlen - length
                yield from prefixes.get(int(found) >> rest << rest, ())


def match(name: str, type: str, rows: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any]) -> Outcome:
    """The indicators that entities fit. Raises BadIndicators."""
    known = Known(type)
    for path in arguments["path"]:
        load(path, known)
    entity = vocabulary().types.get(type)
    main = entity.main if entity else "value"
    table, shown = [], []
    for row in rows:
        found: dict[Indicator, str] = {}
        for indicator, attribute in known.fitting(row):
            found.setdefault(indicator, attribute)
        table.append({"id": row["id"], "x_indicator": [i.text for i in found] or None, "x_indicator_source": [i.label for i in found] or None})
        shown += [(i.text, i.label, attribute, row.get(main), row["id"]) for i, attribute in found.items()]
    columns = ("x_indicator", "x_indicator_source", "attribute", main, "id")
    displays: list[Table | Text] = [Table(name, columns, tuple(shown[:SHOWN]), len(shown))]
    if known.not_understood:
        left = f"{len(known.not_understood):,} of {known.count:,} indicators are left out, because they cannot be tested here: "
        displays.append(Text(name, left + listed(known.not_understood, 3)))
    return Outcome((table,), tuple(displays))


# -- entities ----------------------------------------------------------------------------------------------------


def facts_of(row: Mapping[str, Any]) -> Facts:
    """What an entity has of its own, and what its command line mentions."""
    facts: dict[str, list[Any]] = {}
    for attribute, value in row.items():
        if attribute in UNSEEN or attribute.startswith(AROUND):
            continue
        values = [v for v in (value if isinstance(value, list | tuple) else [value]) if v is not None and v != ""]
        if values:
            facts[attribute] = values
        if attribute.endswith("_ref.value"):
            facts[attribute.removesuffix("value") + "type"] = [_address_type(v) for v in values]
    words = {m.group() for line in _lines(row) for text in (line, *decoded(line)) for m in MENTION.finditer(text)}
    if words:
        facts[WORDS] = sorted(words)
    return facts


def _lines(row: Mapping[str, Any]) -> list[str]:
    """The command lines of an entity."""
    value = row.get("command_line")
    values = value if isinstance(value, list | tuple) else [value]
    return [str(v)[:LONGEST] for v in values if v is not None and v != ""]


def _address_type(value: Any) -> str:
    try:
        return f"ipv{ipaddress.ip_address(canonical_address(str(value))).version}-addr"
    except ValueError:
        return "domain-name"


def _kind(attribute: str, value: str) -> str | None:
    """What kind of value an attribute has."""
    if attribute == WORDS:
        return _guess(value)
    if "hashes." in attribute:
        return "hash"
    match attribute.rpartition(".")[2]:
        case "value":
            return "address" if _is_address(value) else "url" if "://" in value else "domain"
        case "hostname":
            return "domain"
        case "name":
            return "name"
        case "path" | "x_path":
            return "path"
    return None


# -- lists -------------------------------------------------------------------------------------------------------


def load(path: str, known: Known) -> None:
    """Add the indicators of a file. Raises BadIndicators."""
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise BadIndicators(path, "cannot be read: there is no such file", "paths are relative to the folder Kestrel was started in") from None
        why = (error.strerror or "the operating system refused it").lower() if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadIndicators(path, f"cannot be read: {why}") from None
    before = known.count
    if re.match(r"\s*(?:\[\s*)?\{", text):
        _load_stix(path, text, known)
    else:
        _load_csv(path, text, known)
    if known.count == before:
        raise BadIndicators(path, "has no indicator in it")


def _load_stix(path: str, text: str, known: Known) -> None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise BadIndicators(path, "is no JSON") from None
    objects = data.get("objects", [data]) if isinstance(data, dict) else data
    for item in objects if isinstance(objects, list) else []:
        if not isinstance(item, dict) or item.get("type") != "indicator" or item.get("revoked") is True:
            continue
        if isinstance(item.get("pattern"), str) and item.get("pattern_type", "stix") == "stix":
            known.add_pattern(item["pattern"], str(item.get("name") or item.get("id") or Path(path).name))


def _load_csv(path: str, text: str, known: Known) -> None:
    lines = [line for line in lines_in(text) if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return
    delimiter = max(",;\t", key=lines[0].count)
    try:
        table = list(csv_rows(lines, delimiter=delimiter, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise BadIndicators(path, f"is no CSV: {error}") from None
    header = [cell.strip().lower() for cell in table[0]]
    value, kind, label = (next((header.index(n) for n in names if n in header), None) for names in (VALUES, TYPES, LABELS))
    if value is None:
        if len(header) > 1:
            raise BadIndicators(path, "has no column `value`", f"its columns: {listed(header)}")
        value, kind, label = 0, None, None
    else:
        table = table[1:]
    for cells in table:
        typed = _cell(cells, kind).lower()
        words = (typed.split("|"), _cell(cells, value).split("|"))
        parts = list(zip(*words, strict=True)) if "|" in typed and len(words[0]) == len(words[1]) else [(typed, _cell(cells, value))]
        for one, text in parts:
            if text:
                known.add_value(text, KIND_OF.get(one), _cell(cells, label) or Path(path).name)


def _cell(cells: Sequence[str], number: int | None) -> str:
    return cells[number].strip() if number is not None and number < len(cells) else ""


def refanged(value: str) -> str:
    """An indicator as it is, where it was written so that nobody clicks on it."""
    value = re.sub(r"[\[({](?:\.|dot)[\])}]", ".", value, flags=re.IGNORECASE).replace("[:]", ":").replace("[://]", "://").replace("[@]", "@")
    return re.sub(r"^h(?:xx|tt|XX)p(?=s?://)", "http", value, flags=re.IGNORECASE)


def _guess(value: str) -> str | None:
    """The kind of an indicator without a type; None for what may stand anywhere."""
    if _is_address(value) or _is_network(value):
        return "address"
    if "://" in value:
        return "url"
    if HASH.fullmatch(value):
        return "hash"
    if DOMAIN.fullmatch(value) and value.rstrip(".").rpartition(".")[2].lower() not in FILES:
        return "domain"
    return None


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(canonical_address(value))
    except ValueError:
        return False
    return True


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "/" in value
