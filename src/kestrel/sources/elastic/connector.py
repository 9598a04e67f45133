"""Elasticsearch and OpenSearch as connectors: queried natively, unless a profile wants STIX-shifter."""

from __future__ import annotations

from collections.abc import Iterator

from kestrel.graph.steps import Source
from kestrel.pushdown.request import Connector, FetchRequest, Finding, Recognition
from kestrel.sources.elastic.check import examine
from kestrel.sources.elastic.fetch import Elastic
from kestrel.sources.elastic.place import CONNECTORS, place_of
from kestrel.sources.elastic.recognise import recognition
from kestrel.sources.profiles import BadProfile, Profile, profile
from kestrel.sources.stixshifter.connector import connect as connect_stix_shifter
from kestrel.text import listed


class ElasticConnector(Elastic):
    """The indices of one cluster."""

    @property
    def address(self) -> str:
        return self.place.address

    def recognition(self, wanted: FetchRequest) -> Recognition:
        """Which documents of a time range are in a known log format."""
        with self.timed():
            return recognition(self, wanted)

    def check(self) -> Iterator[Finding]:
        yield from examine(self)


def connect(found: Profile, uri: str) -> Connector:
    """The connectors `elastic_ecs`, `elastic` and `opensearch`. Raises KestrelError."""
    options = found.connection.get("options")
    wanted = options.get("native", True) if isinstance(options, dict) else True
    if found.connector == "elastic_ecs" and wanted in (False, "false", "False", 0):
        return connect_stix_shifter(found, uri)
    return ElasticConnector(place_of(found))


def open_natively(uri: str, name: str) -> Source:
    """The schemes `elastic` and `opensearch`: the same profiles, always queried natively. Raises KestrelError."""
    return Source(uri, (), place=connect_natively(uri, name).address)


def connect_natively(uri: str, name: str) -> ElasticConnector:
    """What fetches the records of such a source. Raises KestrelError."""
    found = profile(name)
    if found.connector not in CONNECTORS:
        raise BadProfile(name, "its connector", f"is `{found.connector}`, and `{uri.partition(':')[0]}://` asks one of {listed(CONNECTORS)}")
    return ElasticConnector(place_of(found))
