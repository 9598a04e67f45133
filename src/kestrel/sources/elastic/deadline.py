"""Connections with a deadline for the whole answer instead of for each read: a server that sends one byte a second would never
reach a timeout for single reads."""

from __future__ import annotations

import io
import socket
import time
from typing import TYPE_CHECKING, Any, cast

import urllib3

if TYPE_CHECKING:
    from ssl import SSLContext


class _BoundedReader(io.RawIOBase):
    """The data that arrive on a socket before its deadline."""

    def __init__(self, bounded: BoundedSocket) -> None:
        super().__init__()
        self._bounded = bounded
        self._stream = bounded.socket.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._bounded.prepare()
        read: int | None = self._stream.readinto(buffer)
        return read

    def close(self) -> None:
        self._stream.close()
        super().close()


class BoundedSocket:
    """A socket whose `settimeout` limits the total time of all reads that follow."""

    def __init__(self, inner: socket.socket) -> None:
        self.socket = inner
        self._deadline: float | None = None

    def settimeout(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self.socket.settimeout(seconds)

    def prepare(self) -> None:
        """Let the next read wait until the deadline at most. Raises TimeoutError."""
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self.socket.settimeout(left)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self), 1 << 16)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.socket, name)


class _Connection(urllib3.connection.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = cast(socket.socket, BoundedSocket(self.sock))


class _SecureConnection(urllib3.connection.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = cast(socket.socket, BoundedSocket(self.sock))


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def bounded_pool(context: SSLContext | None, connections: int) -> urllib3.PoolManager:
    """A pool of such connections, which does not retry by itself."""
    source_text = urllib3.PoolManager(maxsize=connections, retries=False, ssl_context=context)
    source_text.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return source_text
