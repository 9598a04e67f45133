"""A live source asked through a STIX-shifter connector, which works in a process of its own."""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from kestrel.config import packaged
from kestrel.errors import KestrelError
from kestrel.pushdown.request import Cost, FetchRequest, Size
from kestrel.sources.elastic.failures import Stopped
from kestrel.sources.profiles import BadProfile, Profile
from kestrel.sources.stixshifter import provides
from kestrel.sources.stixshifter.failures import (
    CertificateRefused,
    ConnectorBroke,
    ConnectorFailed,
    ConnectorUnreachable,
    CutOff,
    NotInstalled,
    NotTaken,
    NotTranslated,
    TooManyRecords,
    TurnedAway,
)
from kestrel.sources.stixshifter.installed import interpreter
from kestrel.sources.stixshifter.pattern import Known, Pattern, apart, patterns_of
from kestrel.sources.stixshifter.process import Child, Secrets

BOUND = 2_000_000
"""Records that one step may fetch, unless the profile says otherwise."""
LIMIT = 100_000
"""Records of one query, unless the profile says otherwise: what has more is asked for in two halves of its time."""
FRESH = 10.0
"""Seconds for which what came is not asked for again."""
OURS = ("native", "fetch_bound", "fetch_whole", "verify_cert", "selfSignedCert")
"""Options of the connection that are Kestrel's own."""

ASKED = {"describe": "what it knows", "ping": "whether its server is there", "translate": "for a query"}
"""What a job asks, in words."""


class Shifter:
    """A live source: one profile, asked by one connector."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.connector = profile.connector.replace("-", "_")
        self.connection, self.verify = _connection(profile)
        self.quirks: dict[str, Any] = quirks_of(self.connector)
        self.secrets = Secrets(profile.connection, profile.configuration)
        self.bound = _number(profile, "fetch_bound", BOUND)
        self.limit = _number(profile, "result_limit", LIMIT)
        self.whole = self.bound
        self.cost = Cost()
        self.notices: list[str] = []
        self._children: set[Child] = set()
        self._stopped = threading.Event()
        self._timeless = self._brought = 0
        self._everything = False
        self._turn, self._came = 0, 0.0

    # -- what the engine queries ------------------------------------------------------------------------------------

    def size(self, wanted: FetchRequest) -> Size:
        """A connector cannot tell; what came a moment ago counts as unchanged."""
        if time.monotonic() - self._came > FRESH:
            self._turn, self._came = self._turn + 1, time.monotonic()
        return Size(None, str(self._turn))

    def fetch(self, wanted: FetchRequest, into: Path, stated: Callable[[int], None], expected: int | None = None) -> Sequence[Path]:
        """Write the records as STIX bundles. What has more records than the connector hands over is asked for in halves of its time."""
        self._stopped.clear()
        self._timeless = self._brought = 0
        files: list[Path] = []
        with self._child() as child:
            patterns = self._patterns(child, wanted)
            while patterns:
                cut = self._round(child, patterns, into, stated, files)
                patterns = [half for pattern, most in cut for half in self._halves(pattern, most)]
        if self._timeless:
            self._note(f"{self._timeless:,} of its records tell no time, and are left out")
        self._came = time.monotonic()
        self._everything = bool(self.quirks.get("any_time"))
        return files

    def explain(self, wanted: FetchRequest) -> str:
        """The patterns, and what the connector makes of them."""
        self._stopped.clear()
        lines = []
        with self._child() as child:
            for pattern in self._patterns(child, wanted):
                answer = self._only(child, {"do": "translate", "patterns": [pattern.text()]})
                lines += [pattern.text(), *(self.secrets.hidden(str(q)) for q in answer["queries"][0])]
        return "\n".join(lines)

    def stop(self) -> None:
        """Give up what runs now."""
        self._stopped.set()
        for child in list(self._children):
            child.stop()

    # -- what `kestrel connectors check` asks ----------------------------------------------------------------------

    def ping(self) -> None:
        """Raises KestrelError where the server cannot be reached or turns us away."""
        self._stopped.clear()
        with self._child() as child:
            self._only(child, {"do": "ping"})

    @cached_property
    def described(self) -> dict[str, Any]:
        """What the connector's mappings know."""
        with self._child() as child:
            return self._only(child, {"do": "describe"})

    @cached_property
    def known(self) -> Known:
        """What it can ask for."""
        return Known.of(self.described, bool(self.quirks.get("across")))

    @cached_property
    def provides(self) -> frozenset[str] | None:
        """The columns of the record layout that its records can fill; None for any."""
        return provides.columns(self.described["makes"])

    # -- how -------------------------------------------------------------------------------------------------------

    def _patterns(self, child: Child, wanted: FetchRequest) -> list[Pattern]:
        """What is asked. Everything of the range, where the conditions cannot be asked for; nothing, where that would be all of the past:
        conditions without a start only complete what is known. A source that gives everything for any range has given that by then."""
        if self.quirks.get("any_time"):
            if wanted.any_of is not None and self._everything:
                return []
            wanted = FetchRequest()
        patterns = patterns_of(wanted, self.known)
        if patterns is None and wanted.start is None:
            self._note("it cannot ask for the creation of processes by their unique id, so what came before START is not completed")
            return []
        if patterns is None or wanted.any_of is None:
            patterns = patterns_of(FetchRequest(wanted.start, wanted.stop), self.known)
            if not patterns:
                raise NotTranslated(self.profile.name, self.connector, "any record", "its mapping knows no attribute that Kestrel asks for")
            parts = apart(patterns[0], self.known)
            if len(parts) > 1 and not self._translates(child, patterns[0]):
                return [p for p in parts if self._translates(child, p)] or patterns
        return patterns

    def _round(
        self, child: Child, patterns: Sequence[Pattern], into: Path, stated: Callable[[int], None], files: list[Path]
    ) -> list[tuple[Pattern, int]]:
        """Ask all patterns, and add the files that come. The patterns that have more than the connector hands over, and how much that is;
        what came of those is kept, for records are known again by their ids."""
        cut: list[tuple[Pattern, int]] = []
        for event in self._work(child, {"do": "fetch", "patterns": [p.text() for p in patterns], "folder": str(into)}, self._asked(patterns)):
            if event["event"] == "page":
                files.append(Path(event["file"]))
                self.cost.records += event["records"]
                self._timeless += event["timeless"]
                self._brought += event["records"]
                stated(event["records"])
                if self._brought > self.bound:
                    raise TooManyRecords(self.profile.name, self.connector, self.bound)
            else:
                self.cost.queries += event["calls"]
                self.cost.bytes += event["bytes"]
                for found in event["cut"]:
                    if found["when"]:
                        raise CutOff(self.profile.name, self.connector, found["when"], found["most"])
                    cut.append((patterns[found["pattern"]], found["most"]))
        return cut

    def _halves(self, pattern: Pattern, most: int) -> tuple[Pattern, ...]:
        found = pattern.halves()
        if not found:
            raise CutOff(self.profile.name, self.connector, pattern.span.words(), most)
        return found

    def _translates(self, child: Child, pattern: Pattern) -> bool:
        try:
            self._only(child, {"do": "translate", "patterns": [pattern.text()]})
        except NotTranslated:
            return False
        return True

    def _only(self, child: Child, job: dict[str, Any]) -> dict[str, Any]:
        """The answer to a job that tells nothing on its way."""
        (answer,) = self._work(child, job, "")
        return answer

    def _work(self, child: Child, job: dict[str, Any], asked: str) -> Iterator[dict[str, Any]]:
        """The messages of a child about a job; the last event is `done`. Raises KestrelError."""
        began, event = time.perf_counter(), {"event": "none"}
        words = ASKED.get(job["do"], f"for records {asked}")
        try:
            for event in child.ask(job):
                match event["event"]:
                    case "failed":
                        raise self._failure(event["kind"], event["asked"], event["came"], asked)
                    case "broke":
                        raise ConnectorBroke(self.profile.name, self.connector, words, self.secrets.said(event["came"]))
                yield event
        finally:
            self.cost.seconds += time.perf_counter() - began
        if self._stopped.is_set():
            raise Stopped
        if event["event"] != "done":
            raise ConnectorBroke(self.profile.name, self.connector, words, "it ended before it was done")

    @contextmanager
    def _child(self) -> Iterator[Child]:
        """The connector at work. It gets everything it must know through a pipe."""
        try:
            python = interpreter(self.connector)
        except NotInstalled:
            raise NotInstalled(self.connector, self.profile.name) from None
        setting = {
            "connector": self.connector,
            "connection": self.connection,
            "configuration": self.profile.configuration,
            "manners": self.quirks,
            "verify": self.verify,
            "limit": 0 if self.quirks.get("unlimited") else self.limit,
        }
        with Child(python, setting) as child:
            self._children.add(child)
            try:
                if self._stopped.is_set():
                    raise Stopped
                yield child
            finally:
                self._children.discard(child)

    def _asked(self, patterns: Sequence[Pattern]) -> str:
        more = f", by {len(patterns):,} patterns" if len(patterns) > 1 else ""
        return f"{patterns[0].span.words()}{more}"

    def _failure(self, kind: str, asked: str, came: str, pattern: str) -> KestrelError:
        """The error of what the connector answers, by STIX-shifter's word for it and what it says."""
        came = self.secrets.said(_plain(came))
        whole = " ".join(p for p in (asked, pattern) if p)
        name, low = self.profile.name, came.lower()
        match kind:
            case "profile":
                return NotTaken(name, self.connector, came)
            case "translation":
                return NotTranslated(name, self.connector, self.secrets.said(asked), came)
            case _ if "certificate" in low:
                return CertificateRefused(name, self.connector, came)
            case "authentication_fail" | "forbidden":
                return TurnedAway(name, self.connector, whole, came)
            case "service_unavailable":
                return ConnectorUnreachable(name, self.connector, whole, came)
            case _ if "cannot connect" in low:
                return ConnectorUnreachable(name, self.connector, whole, came)
            case _ if re.search(r"\b(401|403)\b|unauthori[sz]ed|forbidden", low):
                return TurnedAway(name, self.connector, whole, came)
            case _:
                return ConnectorFailed(name, self.connector, whole, came)

    def _note(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)


def _plain(came: str) -> str:
    """What STIX-shifter says, without what only its programmers need."""
    came = re.sub(r"^\w+ connector error => ", "", came)
    if came.startswith("{") and (reason := re.search(r"""['"]reason['"]: (['"])(.*?)\1""", came)):
        return reason[2]
    if verified := re.search(r"certificate verify failed: [^('\]]*", came):
        return verified[0].strip()
    came = re.sub(r" ssl:(<[^>]*>|True|False|default)", "", came)
    return re.sub(r"^client_connector_error: \((.*)\)$", r"\1", came, flags=re.DOTALL)


def quirks_of(connector: str) -> dict[str, Any]:
    """How a connector behaves."""
    stated = packaged("kestrel.sources.stixshifter", "quirks.yaml")
    return {**stated["otherwise"], **stated.get(connector, {})}


def address(profile: Profile) -> str:
    """Where a profile leads, without secrets."""
    connection = profile.connection
    stated = str(connection.get("host") or connection.get("url") or profile.name)
    stated = re.sub(r"://[^/@\s]*@", "://", stated).partition("?")[0]
    port, indices = connection.get("port"), connection.get("indices")
    return f"{profile.connector} {stated}{f':{port}' if port else ''}{f'/{indices}' if isinstance(indices, str) else ''}"


def _connection(profile: Profile) -> tuple[dict[str, Any], bool]:
    """The connection as the connector takes it, and whether certificates are checked. Raises BadProfile."""
    connection = copy.deepcopy(profile.connection)
    options = connection.get("options") or {}
    if not isinstance(options, dict):
        raise BadProfile(profile.name, "its `options`", "must be an object, like `{...}`")
    certificate = connection.pop("selfSignedCert", options.get("selfSignedCert"))
    verify = options.get("verify_cert", connection.pop("verify_cert", True)) not in (False, "false", "False", 0) and certificate is not False
    if isinstance(certificate, str) and certificate:
        if "BEGIN CERTIFICATE" not in certificate:
            raise BadProfile(profile.name, "its `selfSignedCert`", "must be the certificate itself, as PEM text")
        connection["selfSignedCert"] = certificate.replace("\\n", "\n")
    host = connection.get("host")
    if isinstance(host, str) and "://" in host and profile.connector.replace("-", "_") == "stix_bundle":
        connection.setdefault("url", host)  # as in Kestrel 1.x
    elif isinstance(host, str):
        if host.startswith("http://"):
            raise BadProfile(profile.name, "its `host`", "begins with `http://`, and STIX-shifter's connectors speak HTTPS")
        connection["host"] = host.removeprefix("https://").rstrip("/")
    port = connection.get("port")
    if isinstance(port, str) and port.isdecimal():
        connection["port"] = int(port)
    connection["options"] = {k: v for k, v in options.items() if k not in OURS}
    connection["options"]["result_limit"] = _number(profile, "result_limit", LIMIT)
    return connection, verify


def _number(profile: Profile, name: str, otherwise: int) -> int:
    options = profile.connection.get("options")
    value = options.get(name, otherwise) if isinstance(options, dict) else otherwise
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise BadProfile(profile.name, f"`{name}` of its `options`", "must be a number above 0")
    return number
