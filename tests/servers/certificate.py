"""Certificates made for one test."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import trustme

LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Authority:
    """A certificate authority nobody trusts but the test; `pem` is what a client has to be given."""

    pem: str
    context: ssl.SSLContext

    @classmethod
    def of(cls, names: Sequence[str] = LOOPBACK, *, expired: bool = False) -> Authority:
        """An authority and, in the server's context, a certificate for these names."""
        authority = trustme.CA()
        now = datetime.datetime.now(datetime.UTC)
        start, end = (now - datetime.timedelta(days=2), now + datetime.timedelta(days=-1 if expired else 1))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names, not_before=start, not_after=end).configure_cert(context)
        return cls(authority.cert_pem.bytes().decode(), context)
