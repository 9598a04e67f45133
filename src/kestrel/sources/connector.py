"""Connectors: what queries a data source, and how a profile names one.

A connector is found by its name in the entry-point group `kestrel.connectors`: a function of (profile, uri) that gives a `Connector`, or
a `Source` of files where its records are in files. Any other name is that of a connector of STIX-shifter. An exception in a connector of
another package is reported as that connector's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from kestrel.graph.steps import Source
from kestrel.pushdown.request import Connector, Cost, FetchRequest, FieldPredicate, Finding, Size
from kestrel.sources import plugin
from kestrel.sources.opening import GROUP as SOURCES
from kestrel.sources.profiles import BadProfile, Profile, profile

__all__ = ["BadProfile", "BaseConnector", "Connector", "Cost", "FetchRequest", "FieldPredicate", "Finding", "Profile", "Size", "Source"]

GROUP = "kestrel.connectors"
FORMER_GROUP = "kestrel.live"
"""The entry-point group of schemes that are servers without a profile: a function of (uri, name) that gives a `Connector`."""


class BaseConnector:
    """A connector with everything but `size` and `fetch`: it is limited to two million records a step, and fetches a time range as a whole."""

    bound = 2_000_000
    whole = 2_000_000
    provides: frozenset[str] | None = None

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.cost = Cost()
        self.notices: list[str] = []

    @property
    def address(self) -> str:
        return f"{self.profile.connector} {self.profile.name}"

    def size(self, request: FetchRequest) -> Size:
        raise NotImplementedError

    def fetch(self, request: FetchRequest, folder: Path, progress: Callable[[int], None], expected: int | None = None) -> Sequence[Path]:
        raise NotImplementedError

    def explain(self, request: FetchRequest) -> str:
        return "every record of the time range"

    def check(self) -> Iterator[Finding]:
        found = self.size(FetchRequest())
        yield Finding("records", "good", "it answers" if found.records is None else f"{found.records:,}")

    def stop(self) -> None:
        """There is nothing to stop."""


def connect(found: Profile, uri: str) -> Source | Connector:
    """What a profile's connector gives. Raises KestrelError."""
    entry = plugin.found(GROUP).get(found.connector.lower().replace("-", "_"))
    if entry is None:
        from kestrel.sources.stixshifter.connector import connect as connect_stix_shifter

        return connect_stix_shifter(found, uri)
    made = plugin.call(entry, None, found, uri)
    if isinstance(made, Source) or plugin.is_own(entry):
        return cast("Source | Connector", made)
    if not callable(getattr(made, "fetch", None)):
        raise plugin.PluginFailed(entry, f"it returned a `{type(made).__name__}`, not a `Connector`")
    return cast(Connector, plugin.Guarded(entry, made))


def open_profile(uri: str, name: str) -> Source:
    """The scheme `stixshifter`: the source that a profile describes. Raises KestrelError."""
    made = connect(profile(name), uri)
    return made if isinstance(made, Source) else Source(uri, (), place=made.address)


def connector_of(uri: str, name: str) -> Connector:
    """The connector of a profile whose records are not in files."""
    made = connect(profile(name), uri)
    if isinstance(made, Source):
        raise BadProfile(name, "it", "reads files now, and its records were fetched before")
    return made


def connector(source: Source) -> Connector:
    """What fetches the records of a source. Raises KestrelError."""
    scheme, _, name = source.uri.partition("://")
    entry = plugin.found(FORMER_GROUP).get(scheme.lower())
    if entry is None:
        raise plugin.PluginFailed(
            plugin.found(SOURCES)[scheme.lower()], f"it names a server, but no plug-in of the group `{FORMER_GROUP}` queries it"
        )
    made: Any = plugin.call(entry, None, source.uri, name)
    return made if plugin.is_own(entry) else cast(Connector, plugin.Guarded(entry, made))


def check(source: Source) -> Iterator[Finding]:
    """What stands in the way of a hunt on a source that is queried, and what it has. Raises KestrelError."""
    found = connector(source)
    if callable(getattr(found, "check", None)):
        yield from found.check()
    else:
        size = found.size(FetchRequest())
        yield Finding("records", "good", "it answers" if size.records is None else f"{size.records:,}")
