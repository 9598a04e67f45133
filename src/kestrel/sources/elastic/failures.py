"""What can go wrong between here and a cluster: which profile, what was asked, what came, what to try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kestrel.errors import KestrelError
from kestrel.text import listed


class LiveError(KestrelError):
    part = "source"


class MissingExtra(LiveError):
    code: ClassVar[str] = "K0700"

    def __init__(self, profile: str) -> None:
        super().__init__(
            f"the profile `{profile}` asks a server, which needs two more packages", None, "install them: `pip install 'kestrel-hunt[elastic]'`"
        )


class Unreachable(LiveError):
    """`lasting`: a retry will not help. `slow`: the answer was not complete in time."""

    code: ClassVar[str] = "K0701"

    def __init__(self, profile: str, url: str, why: str, hint: str = "", lasting: bool = False, slow: bool = False) -> None:
        hint = hint or "check `host` and `port` of its connection, and that this machine can reach it"
        super().__init__(f"cannot reach {url} for the profile `{profile}`: {why}", None, hint)
        self.lasting = lasting
        self.slow = slow


class NotTrusted(LiveError):
    code: ClassVar[str] = "K0702"

    def __init__(self, profile: str, url: str, why: str) -> None:
        hint = "if it is yours, give its certificate as PEM text in `selfSignedCert` of the connection; `verify_cert: false` turns the check off"
        super().__init__(f"{url} of the profile `{profile}` has a TLS certificate that is not trusted: {why}", None, hint)


class NotAuthorised(LiveError):
    code: ClassVar[str] = "K0703"

    def __init__(self, profile: str, url: str, status: int, why: str, given: bool, privilege: str | None = None, from_server: bool = True) -> None:
        """`privilege`: the missing one, if the server names it. `from_server`: whether the answer is from Elasticsearch or OpenSearch
        and not from something in between."""
        if status == 403 and not from_server:
            hint = "this answer is not from Elasticsearch or OpenSearch: a proxy or firewall may block the request"
        elif status == 403 and privilege:
            hint = f"the privilege `{privilege}` is missing: its key or user must be allowed to read the indices (`read`) "
            hint += "and their mappings (`view_index_metadata`)"
        elif status == 403:
            hint = "its key or user must be allowed to read the indices and their mappings (privileges `read` and `view_index_metadata`)"
        elif given:
            hint = "check `auth` in its configuration: the key may have expired, or belong to another cluster"
        else:
            hint = "its configuration has no `auth`: give `id` and `api_key`, or `username` and `password`, or `access_token`"
        super().__init__(f"{url} rejected the credentials of the profile `{profile}` ({status}{': ' + why if why else ''})", None, hint)


class NoSuchIndex(LiveError):
    code: ClassVar[str] = "K0704"

    def __init__(self, profile: str, url: str, indices: str, known: str) -> None:
        stated = f"it has: {known}" if known else "check `indices` of its connection"
        super().__init__(f"{url} of the profile `{profile}` has no index `{indices}`", None, stated)


class ServerFailed(LiveError):
    """It gives a wrong answer, also when the request is repeated."""

    code: ClassVar[str] = "K0705"

    def __init__(self, profile: str, url: str, asked: str, came: str, hint: str = "") -> None:
        hint = hint or "try again later, or with a shorter time range (START and STOP)"
        super().__init__(f"{url} of the profile `{profile}` was asked {asked} and gave no usable answer: {came}", None, hint)


class Refused(LiveError):
    """It does not understand or allow what is asked."""

    code: ClassVar[str] = "K0706"

    def __init__(self, profile: str, url: str, asked: str, status: int, why: str, hint: str = "") -> None:
        super().__init__(
            f"{url} of the profile `{profile}` was asked {asked} and refuses ({status}: {why})",
            None,
            hint or "Kestrel supports Elasticsearch 7.10 and later, and OpenSearch 2.4 and later",
        )


class Redirected(LiveError):
    code: ClassVar[str] = "K0707"

    def __init__(self, profile: str, url: str, location: str) -> None:
        super().__init__(
            f"{url} of the profile `{profile}` redirects to {location}; credentials are not sent there",
            None,
            "set `host` and `port` to where the cluster itself is",
        )


class Stopped(LiveError):
    code: ClassVar[str] = "K0709"

    def __init__(self) -> None:
        super().__init__("stopped while records were fetched; nothing of this step was kept")


class NoSource(LiveError):
    code: ClassVar[str] = "K0431"

    def __init__(self, profile: str, url: str, indices: Sequence[str]) -> None:
        super().__init__(
            f"{_named(indices)} of the profile `{profile}` ({url}) {'do' if len(indices) > 1 else 'does'} not store the documents: "
            "`_source` is disabled in the mapping",
            None,
            "remove it from `indices` in its connection, or reindex its documents with `_source` enabled",
        )


class IndexNotReadable(LiveError):
    """`state`: closed or blocked."""

    code: ClassVar[str] = "K0432"

    def __init__(self, profile: str, url: str, indices: Sequence[str], state: str, why: str = "") -> None:
        if state == "closed":
            hint = f"open it (`POST /{indices[0] if indices else 'INDEX'}/_open`), or remove it from `indices` in its connection"
        else:
            hint = "remove the block from its settings (`index.blocks.read`), or remove it from `indices` in its connection"
        verb = "are" if len(indices) > 1 else "is"
        super().__init__(f"{_named(indices)} of the profile `{profile}` ({url}) {verb} {state}{f' ({why})' if why else ''}", None, hint)


def _named(indices: Sequence[str]) -> str:
    return f"the {'indices' if len(indices) > 1 else 'index'} {listed(indices)}" if indices else "an index"
