"""A reverse proxy before a server: TLS, the check of `Authorization`, an account of what was asked, and faults when told."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, assert_never
from urllib.parse import urlsplit

from tests.servers.certificate import LOOPBACK, Authority
from tests.servers.credential import CHALLENGES, unauthenticated, unauthorized
from tests.servers.fault import (
    JSON_TYPE,
    Change,
    Cut,
    Drip,
    DripHead,
    Endless,
    Fault,
    Garble,
    HangBody,
    HangHead,
    Refuse,
    Replace,
    Rewrite,
    Say,
    changed,
)

PIECE = 64 * 1024
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authenticate", "proxy-authorization", "host"}


@dataclass(frozen=True)
class Asked:
    """One request as it came in; `at` is in seconds of the monotonic clock, `status` is None where no answer was begun."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    status: int | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Plan:
    fault: Fault
    left: int | None
    skip: int
    path: str


class Proxy:
    """Serves on a free loopback port while it is entered."""

    def __init__(self, upstream: str, *, tls: bool = True, names: Sequence[str] = LOOPBACK, expired: bool = False) -> None:
        self.authority = Authority.of(names, expired=expired) if tls else None
        self._lock = threading.Lock()
        self._asked: list[Asked] = []
        self._plans: list[Plan] = []
        self._admitted: set[str] = set()
        self._forbidden: set[str] = set()
        self.closing = threading.Event()
        self._listener = _Listener(self, urlsplit(upstream).netloc, self.authority.context if self.authority else None)
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}, name="proxy")

    @property
    def url(self) -> str:
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self._listener.server_port}"

    @property
    def certificate(self) -> str:
        """The PEM text a client has to trust."""
        if self.authority is None:
            raise ValueError("a proxy without TLS has no certificate")
        return self.authority.pem

    @property
    def context(self) -> ssl.SSLContext | None:
        """What a client of Python's standard library needs to trust this proxy."""
        return ssl.create_default_context(cadata=self.authority.pem) if self.authority else None

    def admit(self, authorization: str) -> None:
        """From now on only requests with an admitted value of `Authorization` pass; until then all do."""
        with self._lock:
            self._admitted.add(authorization)

    def forbid(self, authorization: str) -> None:
        """This one is known, and may read nothing."""
        with self._lock:
            self._forbidden.add(authorization)

    def misbehave(self, fault: Fault, times: int | None = 1, *, path: str = "", after: int = 0) -> None:
        """Does this to so many requests (None: to all) whose path holds this text, the first few spared. Plans are taken in their order."""
        with self._lock:
            self._plans.append(Plan(fault, times, after, path))

    def behave(self) -> None:
        with self._lock:
            self._plans.clear()

    def asked(self, path: str = "") -> list[Asked]:
        """The requests so far whose path holds this text, the refused ones among them."""
        with self._lock:
            return [one for one in self._asked if path in one.path]

    def close(self) -> None:
        """From here on connections are refused. Raises what went wrong in the proxy itself."""
        if not self.closing.is_set():
            self.closing.set()
            self._listener.shutdown()
            self._listener.end_connections()
            self._listener.server_close()
            self._thread.join()
            if self._listener.errors:
                raise self._listener.errors[0]

    def note(self, asked: Asked) -> int:
        """Called before a client can know of an answer, so that a test never finds too few. Gives the number of the request."""
        with self._lock:
            self._asked.append(asked)
            return len(self._asked) - 1

    def note_status(self, number: int, status: int) -> None:
        with self._lock:
            self._asked[number] = dataclasses.replace(self._asked[number], status=status)

    def denial(self, authorization: str | None, path: str) -> Say | None:
        with self._lock:
            admitted = not (self._admitted or self._forbidden) or authorization in self._admitted
            forbidden = authorization in self._forbidden
        if forbidden:
            return Say(403, json.dumps(unauthorized(path)).encode(), JSON_TYPE)
        if not admitted:
            return Say(401, json.dumps(unauthenticated(authorization, path)).encode(), JSON_TYPE | {"www-authenticate": ", ".join(CHALLENGES)})
        return None

    def next_fault(self, path: str) -> Fault | None:
        with self._lock:
            for plan in self._plans:
                if plan.path not in path or plan.left == 0:
                    continue
                if plan.skip:
                    plan.skip -= 1
                    continue
                if plan.left is not None:
                    plan.left -= 1
                return plan.fault
        return None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the threads of the connections
    request_queue_size = 64

    def __init__(self, proxy: Proxy, upstream: str, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self.upstream = upstream
        self._context = context
        self.errors: list[BaseException] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The handshake is made in the connection's own thread: a client that hangs in it holds up nobody."""
        connection, address = super().get_request()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                _end(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is no error of the proxy; anything else is told when it is closed."""
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):
            self.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    _number: int

    def setup(self) -> None:
        super().setup()
        self._upstream = http.client.HTTPConnection(self.server.upstream, timeout=600)

    def finish(self) -> None:
        self._upstream.close()
        super().finish()

    def do_GET(self) -> None:
        at = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body, at)
        self._number = self.server.proxy.note(asked)
        self._serve(asked)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def _serve(self, asked: Asked) -> None:
        proxy = self.server.proxy
        fault = proxy.denial(asked.headers.get("authorization"), asked.path) or proxy.next_fault(asked.path)
        match fault:
            case Say():
                self._say(fault.status, fault.headers, fault.body)
            case Refuse():
                self._cut()
            case HangHead():
                self._hang(fault.seconds)
                self._pass_on(asked)
            case Garble() | Change() | Rewrite() | Replace():
                status, headers, body = self._whole(asked)
                self._say(status, headers, _altered(body, fault))
            case Drip():
                status, headers, body = self._whole(asked)
                self._head(status, headers | {"content-length": str(len(body))})
                for number in range(len(body)):
                    self.wfile.write(body[number : number + 1])
                    self._hang(fault.seconds)
            case DripHead():
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    self.wfile.write(b"X-Wait: 1\r\n")
                    self._hang(fault.seconds)
            case Endless():
                self._head(200, JSON_TYPE | {"transfer-encoding": "chunked"})
                while not proxy.closing.is_set():
                    self._send(fault.piece, chunked=True)
            case Cut():
                self._pass_on(asked, stop_at=fault.after)
                self._cut()
            case HangBody():
                self._pass_on(asked, stop_at=fault.after, stop_for=fault.seconds)
            case None:
                self._pass_on(asked)
            case _:
                assert_never(fault)

    def _pass_on(self, asked: Asked, stop_at: int | None = None, stop_for: float | None = None) -> None:
        """Streams the server's answer; it stops after so many bytes of the body, for good or for so many seconds."""
        response = self._ask(asked, {})
        length = response.getheader("Content-Length")
        framing = {"content-length": length} if length is not None else {"transfer-encoding": "chunked"}
        self._head(response.status, _end_to_end(response.getheaders()) | framing)
        sent = 0
        for piece in _pieces(response):
            if stop_at is not None and sent + len(piece) >= stop_at:
                self._send(piece[: stop_at - sent], chunked=length is None)
                if stop_for is None:
                    return
                self._hang(stop_for)
                piece, stop_at = piece[stop_at - sent :], None
            self._send(piece, chunked=length is None)
            sent += len(piece)
        if length is None:
            self.wfile.write(b"0\r\n\r\n")

    def _whole(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        response = self._ask(asked, {"accept-encoding": "identity"})
        return response.status, _end_to_end(response.getheaders()), response.read()

    def _ask(self, asked: Asked, more: Mapping[str, str]) -> http.client.HTTPResponse:
        headers = {name: value for name, value in asked.headers.items() if name not in HOP_BY_HOP | {"authorization"}}
        self._upstream.request(asked.method, asked.path, asked.body or None, headers | dict(more))
        return self._upstream.getresponse()

    def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._head(status, dict(headers) | {"content-length": str(len(body))})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.server.proxy.note_status(self._number, status)
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, piece: bytes, *, chunked: bool) -> None:
        if piece:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)

    def _hang(self, seconds: float) -> None:
        self.wfile.flush()
        if self.server.proxy.closing.wait(seconds):
            raise ConnectionAbortedError("the proxy was closed")

    def _cut(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        _end(self.connection)


def _altered(body: bytes, fault: Garble | Change | Rewrite | Replace) -> bytes:
    match fault:
        case Garble():
            return body[: len(body) // 2] + b"<html>"
        case Change():
            return changed(body, fault.fields)
        case Rewrite():
            return json.dumps(fault.change(json.loads(body))).encode()
        case Replace():
            return body.replace(fault.old, fault.new)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Below TLS: a proper end of TLS would tell the client that the answer is whole.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _end_to_end(headers: list[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers if name.lower() not in HOP_BY_HOP | {"content-length"}}


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while piece := response.read1(PIECE):
        yield piece
    response.close()  # so that the next request may use the connection; `read1` leaves it open
