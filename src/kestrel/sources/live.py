"""Live sources: what answers for a source that is a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from kestrel.graph.steps import Source
from kestrel.pushdown.request import Fetcher, Wanted
from kestrel.sources import plugin
from kestrel.sources.pool import GROUP as SOURCES
from kestrel.sources.pool import PROFILED
from kestrel.sources.profiles import is_native, profile

GROUP = "kestrel.live"
"""The entry-point group of live sources: for a scheme, a function of (uri, name) that gives a `Fetcher`."""


def fetcher(source: Source) -> Fetcher:
    """What fetches the records of a live source. Raises KestrelError."""
    scheme, _, name = source.uri.partition("://")
    entry = plugin.found(GROUP).get(scheme.lower())
    if entry is None:
        raise plugin.PluginFailed(plugin.found(SOURCES)[scheme.lower()], f"it names a server, but no plug-in of the group `{GROUP}` queries it")
    made: Fetcher = plugin.call(entry, None, source.uri, name)
    return made if entry.value.startswith("kestrel.") else cast(Fetcher, plugin.Guarded(entry, made))


def examine(source: Source) -> Iterator[tuple[str, str, str]]:
    """What was looked at of a live source, whether it is `good`, `weak` or `bad`, and what was found."""
    from kestrel.sources.elastic.doctor import examine as look
    from kestrel.sources.elastic.fetch import Elastic
    from kestrel.sources.stixshifter import doctor
    from kestrel.sources.stixshifter.fetch import Shifter

    found = fetcher(source)
    if isinstance(found, Elastic):
        for finding in look(found):
            yield finding.what, finding.state, finding.told
    elif isinstance(found, Shifter):
        yield from doctor.examine(found)
    else:
        size = found.size(Wanted())
        yield "records", "good", "it answers" if size.records is None else f"{size.records:,}"


def of_profile(uri: str, name: str) -> Fetcher:
    """The schemes whose names are profiles: `stixshifter` leaves it to the profile how it is asked, the others ask natively."""
    from kestrel.sources.elastic.fetch import Elastic
    from kestrel.sources.elastic.place import place_of
    from kestrel.sources.stixshifter.fetch import Shifter

    found = profile(name)
    if is_native(found) or not uri.lower().startswith(f"{PROFILED}://"):
        return Elastic(place_of(found))
    return Shifter(found)
