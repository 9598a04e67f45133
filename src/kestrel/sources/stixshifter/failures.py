"""What can go wrong with a connector: which profile, what was asked, what came, what to try."""

from __future__ import annotations

from typing import ClassVar

from kestrel.errors import KestrelError


class ConnectorFailure(KestrelError):
    """It is about what stands after FROM."""

    part = "source"


class NotInstalled(ConnectorFailure):
    code: ClassVar[str] = "K0720"

    def __init__(self, connector: str, profile: str = "") -> None:
        of = f", which the profile `{profile}` asks for," if profile else ""
        hint = f"install it: `kestrel connectors install {connector}`"
        if connector.replace("-", "_") == "stix_bundle":
            hint += "; or download the bundle and give its path as the `url` of the connection: Kestrel reads it without a connector"
        super().__init__(f"the connector `{connector}`{of} is not installed", None, hint)


class InstallFailed(ConnectorFailure):
    code: ClassVar[str] = "K0721"

    def __init__(self, connector: str, why: str, hint: str) -> None:
        super().__init__(f"the connector `{connector}` could not be installed: {why}", None, hint)


class ConnectorBroke(ConnectorFailure):
    """It ended in the middle of its work, or answers what nobody understands."""

    code: ClassVar[str] = "K0722"

    def __init__(self, profile: str, connector: str, asked: str, came: str) -> None:
        super().__init__(
            f"the connector `{connector}` of the profile `{profile}` broke down when asked {asked}: {came}",
            None,
            f"install it anew: `kestrel connectors install {connector} --upgrade`",
        )


class NotTaken(ConnectorFailure):
    """The connector does not accept its profile."""

    code: ClassVar[str] = "K0723"

    def __init__(self, profile: str, connector: str, came: str) -> None:
        super().__init__(
            f"the connector `{connector}` does not take the profile `{profile}`: {came}",
            None,
            "its connection and configuration must be as the connector's own documentation tells",
        )


class NotTranslated(ConnectorFailure):
    code: ClassVar[str] = "K0724"

    def __init__(self, profile: str, connector: str, pattern: str, came: str) -> None:
        super().__init__(
            f"the connector `{connector}` of the profile `{profile}` has no query for {pattern}: {came}",
            None,
            "`dialects` and `mapping` in the `options` of its connection decide what it can ask for",
        )


class ConnectorUnreachable(ConnectorFailure):
    code: ClassVar[str] = "K0725"

    def __init__(self, profile: str, connector: str, asked: str, came: str) -> None:
        super().__init__(
            f"the connector `{connector}` cannot reach its server for the profile `{profile}`, {asked}: {came}",
            None,
            "check `host`, `port` or `url` of its connection, and that the machine can reach it",
        )


class TurnedAway(ConnectorFailure):
    code: ClassVar[str] = "K0726"

    def __init__(self, profile: str, connector: str, asked: str, came: str) -> None:
        super().__init__(
            f"the server rejected the credentials of the profile `{profile}` (connector `{connector}`), {asked}: {came}",
            None,
            "check `auth` in its configuration, and what its key or user may read",
        )


class CertificateRefused(ConnectorFailure):
    code: ClassVar[str] = "K0727"

    def __init__(self, profile: str, connector: str, came: str) -> None:
        super().__init__(
            f"the connector `{connector}` does not trust the TLS certificate of the server of the profile `{profile}`: {came}",
            None,
            "if it is yours, give its certificate as PEM text in `selfSignedCert` of the connection; `verify_cert: false` turns the check off",
        )


class ConnectorFailed(ConnectorFailure):
    """It answers that it could not do it."""

    code: ClassVar[str] = "K0728"

    def __init__(self, profile: str, connector: str, asked: str, came: str) -> None:
        slow = "timeout" in came.lower()
        super().__init__(
            f"the connector `{connector}` of the profile `{profile}` failed when asked {asked}: {came}",
            None,
            "raise `timeout` (seconds) in the `options` of its connection, or ask for a shorter time with START and STOP"
            if slow
            else "try again later, or with a shorter time range (START and STOP)",
        )


class CutOff(ConnectorFailure):
    """There are more records than the connector hands over, and they cannot be asked for in smaller parts."""

    code: ClassVar[str] = "K0729"

    def __init__(self, profile: str, connector: str, when: str, most: int) -> None:
        super().__init__(
            f"the connector `{connector}` of the profile `{profile}` hands over {most:,} records at once, and there are more {when}",
            None,
            "raise `result_limit` in the `options` of its connection (Elasticsearch: also `index.max_result_window` of the index)",
        )


class TooManyRecords(ConnectorFailure):
    code: ClassVar[str] = "K0730"

    def __init__(self, profile: str, connector: str, bound: int) -> None:
        super().__init__(
            f"the connector `{connector}` of the profile `{profile}` brings more than the {bound:,} records that one step may fetch",
            None,
            "ask for a shorter time with START and STOP, or raise `fetch_bound` in the `options` of the profile's connection",
        )
