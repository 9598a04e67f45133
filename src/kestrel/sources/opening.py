"""What may stand after FROM: a URI, a path, or the name of a profile.

Schemes are found through the entry-point group `kestrel.sources`: each a function of (uri, rest) that gives a `Source`.
"""

from __future__ import annotations

from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.graph.steps import Source
from kestrel.settings import Settings
from kestrel.sources import plugin
from kestrel.sources.files import files_source, looks_like_path
from kestrel.sources.profiles import profile_names
from kestrel.text import listed, nearest

GROUP = "kestrel.sources"
PROFILED = "stixshifter"
"""The scheme whose names are profiles."""
BY_PROFILE = (PROFILED, "elastic", "opensearch")
SAMPLE = "demo"
WEB = "https"


class DownloadsForbidden(KestrelError):
    code: ClassVar[str] = "K0416"

    def __init__(self, uri: str) -> None:
        hint = "`sources.allow_downloads: true` in the settings allows them"
        super().__init__(f"the settings forbid downloads, and `{uri.partition('?')[0].rpartition('@')[2]}` is not on this computer", None, hint)


class UnknownScheme(KestrelError):
    code: ClassVar[str] = "K0408"

    def __init__(self, scheme: str, known: list[str]) -> None:
        close = nearest(scheme, known)
        super().__init__(
            f"there is no kind of data source `{scheme}://`",
            None,
            f"did you mean `{close}://`?" if close else f"known kinds: {listed(known)}",
        )


def open_source(text: str, quoted: bool, default_scheme: str = Settings.default_scheme, downloads: bool = True) -> tuple[Source, ...]:
    """The sources that a pool names; a bare name is one of the default scheme. `downloads`: whether a file at an address may be downloaded.
    Raises KestrelError without a span."""
    scheme, separator, rest = text.partition("://")
    if scheme.lower() == WEB and not downloads:
        raise DownloadsForbidden(text)
    if separator:
        return tuple(_open(scheme.lower(), f"{scheme}://{name}", name) for name in _names(scheme, rest))
    if quoted or looks_like_path(text) or ("." in text and not is_profile(text, default_scheme)):
        return (files_source(text, [text]),)
    return (_open(default_scheme, f"{default_scheme}://{text}", text),)


def profile_named(uri: str) -> Source | None:
    """The source of a URI that names a profile (as currently configured) or the sample data; None for any other URI, and for a profile that
    cannot be used."""
    scheme, separator, name = uri.partition("://")
    if not separator or not (scheme.lower() == SAMPLE or (scheme.lower() in BY_PROFILE and name.lower() in profile_names())):
        return None
    try:
        return _open(scheme.lower(), uri, name)
    except KestrelError:
        return None


def is_profile(name: str, default_scheme: str = Settings.default_scheme) -> bool:
    """Whether a bare name is a profile of the default scheme."""
    return default_scheme == PROFILED and name.lower() in profile_names()


def _names(scheme: str, rest: str) -> list[str]:
    return [rest] if scheme.lower() in ("file", WEB) else [n.strip() for n in rest.split(",") if n.strip()]


def _open(scheme: str, uri: str, name: str) -> Source:
    known = plugin.found(GROUP)
    if scheme not in known:
        raise UnknownScheme(scheme, sorted(known))
    source: Source = plugin.call(known[scheme], Source, uri, name)
    return source
