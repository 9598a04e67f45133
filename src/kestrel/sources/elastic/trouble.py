"""What can go wrong between here and a cluster: which profile, what was asked, what came, what to try."""

from __future__ import annotations

from typing import ClassVar

from kestrel.errors import KestrelError


class LiveError(KestrelError):
    part = "source"


class MissingExtra(LiveError):
    code: ClassVar[str] = "K0700"

    def __init__(self, profile: str) -> None:
        super().__init__(
            f"the profile `{profile}` asks a server, which needs two more packages", None, "install them: `pip install 'kestrel-hunt[elastic]'`"
        )


class Unreachable(LiveError):
    """`lasting`: asking again at once will not help."""

    code: ClassVar[str] = "K0701"

    def __init__(self, profile: str, url: str, why: str, hint: str = "", lasting: bool = False) -> None:
        hint = hint or "check `host` and `port` of its connection, and that this machine can reach it"
        super().__init__(f"cannot reach {url} for the profile `{profile}`: {why}", None, hint)
        self.lasting = lasting


class NotTrusted(LiveError):
    code: ClassVar[str] = "K0702"

    def __init__(self, profile: str, url: str, why: str) -> None:
        hint = "if it is yours, give its certificate as PEM text in `selfSignedCert` of the connection; `verify_cert: false` in `options` looks away"
        super().__init__(f"{url} of the profile `{profile}` is not to be trusted: {why}", None, hint)


class NotAuthorised(LiveError):
    code: ClassVar[str] = "K0703"

    def __init__(self, profile: str, url: str, status: int, why: str, given: bool) -> None:
        if status == 403:
            hint = "its key or user must be allowed to read the indices and their mappings (privileges `read` and `view_index_metadata`)"
        elif given:
            hint = "check `auth` in its configuration: the key may have expired, or belong to another cluster"
        else:
            hint = "its configuration has no `auth`: give `id` and `api_key`, or `username` and `password`, or `access_token`"
        super().__init__(f"{url} turns the profile `{profile}` away ({status}{': ' + why if why else ''})", None, hint)


class NoSuchIndex(LiveError):
    code: ClassVar[str] = "K0704"

    def __init__(self, profile: str, url: str, indices: str, known: str) -> None:
        told = f"it has: {known}" if known else "check `indices` of its connection"
        super().__init__(f"{url} of the profile `{profile}` has no index `{indices}`", None, told)


class ServerFailed(LiveError):
    """It answers, and wrongly, also when asked again."""

    code: ClassVar[str] = "K0705"

    def __init__(self, profile: str, url: str, asked: str, came: str, hint: str = "ask again later, or for a shorter time: START and STOP") -> None:
        super().__init__(f"{url} of the profile `{profile}` was asked {asked} and did not answer: {came}", None, hint)


class Refused(LiveError):
    """It does not understand or allow what is asked."""

    code: ClassVar[str] = "K0706"

    def __init__(self, profile: str, url: str, asked: str, status: int, why: str) -> None:
        super().__init__(
            f"{url} of the profile `{profile}` was asked {asked} and refuses ({status}: {why})",
            None,
            "Kestrel asks Elasticsearch 7.10 and newer, and OpenSearch 2.4 and newer",
        )


class Redirected(LiveError):
    code: ClassVar[str] = "K0707"

    def __init__(self, profile: str, url: str, location: str) -> None:
        super().__init__(
            f"{url} of the profile `{profile}` sends on to {location}, where its keys do not go",
            None,
            "set `host` and `port` to where the cluster itself is",
        )


class Stopped(LiveError):
    code: ClassVar[str] = "K0709"

    def __init__(self) -> None:
        super().__init__("stopped while records were fetched; nothing of this step was kept")
