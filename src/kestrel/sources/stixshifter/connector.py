"""Connectors of STIX-shifter, as connectors of Kestrel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.pushdown.request import Finding
from kestrel.sources.profiles import Profile
from kestrel.sources.stixshifter import check, installed
from kestrel.sources.stixshifter.failures import NotInstalled
from kestrel.sources.stixshifter.fetch import Shifter, address


class UnknownConnector(KestrelError):
    code: ClassVar[str] = "K0405"

    def __init__(self, name: str, connector: str) -> None:
        super().__init__(
            f"the profile `{name}` asks for the connector `{connector}`, and none can have that name",
            None,
            'the connector `file` reads log files: set the connection to `{"path": "logs/*.json"}`; others are those of STIX-shifter',
        )


class ShifterConnector(Shifter):
    """One profile, queried by one connector of STIX-shifter in a process of its own."""

    @property
    def address(self) -> str:
        return address(self.profile)

    def check(self) -> Iterator[Finding]:
        yield from check.examine(self)


def connect(found: Profile, uri: str) -> ShifterConnector:
    """Raises UnknownConnector, NotInstalled, BadProfile."""
    if not installed.may_be(found.connector):
        raise UnknownConnector(found.name, found.connector)
    if not installed.is_here(found.connector):
        raise NotInstalled(found.connector, found.name)
    return ShifterConnector(found)
