"""Requests to a cluster: each is answered completely before its deadline, or fails with an actionable error."""

from __future__ import annotations

import ipaddress
import random
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kestrel.errors import KestrelError
from kestrel.sources.elastic.answer import EXPIRED, Expired, lacking, named_indices, privilege, reason
from kestrel.sources.elastic.failures import (
    IndexNotReadable,
    MissingExtra,
    NoSource,
    NoSuchIndex,
    NotAuthorised,
    NotTrusted,
    Redirected,
    Refused,
    ServerFailed,
    Stopped,
    Unreachable,
)
from kestrel.sources.elastic.place import Place

if TYPE_CHECKING:
    from kestrel.sources.elastic.page import Page

ATTEMPTS = 5
FIRST_WAIT = 0.2
"""Seconds before it is asked the second time; three times as many before each further one."""
CONNECT = 10.0
"""Seconds to wait for a connection."""
LAST = 5.0
"""Seconds that closing a point in time may take; otherwise it expires by itself."""
PATIENCE = 60.0
"""The longest wait that `Retry-After` may ask for, in seconds."""
LARGEST = 256 << 20
"""Bytes of an answer that are read; a page that is larger is asked for in smaller ones."""
PASSING = (429, 500, 502, 503, 504)
"""Statuses that may be others soon."""
COMPLETE = "allow_partial_search_results=false"
"""A search fails if a part of the answer would be missing."""
COUNT = f"_search/?{COMPLETE}"
"""A search that only counts; the slash distinguishes it from page fetches in the logs of a server or proxy."""
TIMEOUTS = 2
"""How often a request may time out: each attempt takes as long as the profile allows."""


class TooLarge(Exception):
    """An answer of more bytes than are read at once."""


class Client:
    """One cluster; many threads may ask at once."""

    def __init__(self, place: Place) -> None:
        try:
            import msgspec
            import urllib3

            from kestrel.sources.elastic.deadline import bounded_pool
            from kestrel.sources.elastic.page import read_page
        except ImportError:
            raise MissingExtra(place.profile) from None
        self.place = place
        self._page: Callable[[bytes], Page | None] = read_page
        self._value, self._written = msgspec.json.Decoder(), msgspec.json.encode
        self.stopped = threading.Event()
        self.reached = False
        """Whether it ever answered: if not, what is wrong with the address will not pass."""
        self.queries, self.bytes, self.took = 0, 0, 0.0
        self._counting = threading.Lock()
        self._http: Any = urllib3
        if not place.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)  # its user has decided so
        self._source = bounded_pool(self._trust() if place.url.startswith("https") else None, 8)

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        try:
            if self.place.certificate:
                context = ssl.create_default_context(cadata=self.place.certificate)
        except ssl.SSLError:
            raise NotTrusted(self.place.profile, self.place.url, "the certificate in `selfSignedCert` cannot be read") from None
        if not self.place.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def ask(self, asked: str, method: str, path: str, body: Any = None, last: bool = False) -> dict[str, Any]:
        """The answer as a JSON object. `asked` describes the request in errors. `last`: sent only once, also after a stop.
        Raises KestrelError."""
        try:
            answer: dict[str, Any] = self._ask(asked, method, path, body, last, self._read)
        except TooLarge:
            raise self.failed(asked, f"its answer is larger than {LARGEST >> 20} MB") from None
        except Expired:
            raise self.failed(asked, "it closed the point in time") from None
        return answer

    def page(self, path: str, body: Any, asked: str = "for a page of documents") -> Page:
        """Documents, each as the text received. Raises KestrelError, TooLarge, Expired."""
        page: Page = self._ask(asked, "POST", path, body, False, self._page)
        return page

    def failed(self, asked: str, came: str, hint: str = "") -> ServerFailed:
        """The error of an answer that cannot be used."""
        return ServerFailed(self.place.profile, self.place.url, asked, came, hint)

    def _ask(self, asked: str, method: str, path: str, body: Any, last: bool, read: Callable[[bytes], Any]) -> Any:
        reason_of: KestrelError = Stopped()
        timeouts = 0
        for attempt in range(1 if last else ATTEMPTS):
            if self.stopped.is_set() and not last:
                raise Stopped()
            wait = 0.0
            try:
                status, headers, content = self._send(method, path, body, min(self.place.timeout, LAST) if last else self.place.timeout)
            except (self._http.exceptions.HTTPError, OSError, ssl.SSLError) as error:
                reason_of = self._unreached(error)
                if isinstance(reason_of, NotTrusted) or (isinstance(reason_of, Unreachable) and reason_of.lasting and not self.reached):
                    raise reason_of from None
                timeouts += isinstance(reason_of, Unreachable) and reason_of.slow
                if timeouts == TIMEOUTS:
                    raise reason_of from None
            else:
                self.reached = True
                if 200 <= status < 300:
                    answer = read(content)
                    wrong = "the answer is not JSON" if answer is None else self._lacking(answer, read)
                    if wrong is None:
                        return answer
                    reason_of = self.failed(asked, wrong)
                else:
                    reason_of = self._turned_away(asked, status, headers, content)
                    if status not in PASSING:
                        raise reason_of
                    wait = _retry_after(headers.get("retry-after"))
            if attempt < ATTEMPTS - 1:
                self.stopped.wait(max(wait, FIRST_WAIT * 3**attempt * random.uniform(0.7, 1.3)))
        raise Stopped() if self.stopped.is_set() else reason_of

    def _read(self, content: bytes) -> Any:
        try:
            return self._value.decode(content)
        except (ValueError, RecursionError):
            return None

    def _lacking(self, answer: Any, read: Callable[[bytes], Any]) -> str | None:
        """Why an answer is incomplete, or None; the server's working time for complete answers is added up."""
        about = answer.about if read is self._page else answer
        if read is self._page and about["_shards"] is None:
            return "the answer is not a page of documents"
        wrong = lacking(about)
        took = about.get("took") if isinstance(about, dict) else None
        if wrong is None and isinstance(took, int | float):
            with self._counting:
                self.took += took / 1000
        return wrong

    def _send(self, method: str, path: str, body: Any, seconds: float) -> tuple[int, Any, bytes]:
        headers = {"accept": "application/json"}
        if not _is_near(self.place.url):
            headers["accept-encoding"] = "gzip"
        if body is not None:
            headers["content-type"] = "application/json"
        if self.place.authorization:
            headers["authorization"] = self.place.authorization
        response = self._source.request(
            method,
            f"{self.place.url}/{path}",
            body=self._written(body) if body is not None else None,
            headers=headers,
            redirect=False,
            preload_content=False,
            timeout=self._http.Timeout(connect=min(CONNECT, seconds), read=seconds),
        )
        whole = False
        try:
            parts, size = [], 0
            for part in response.stream(1 << 16, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > LARGEST:
                    raise TooLarge
            whole = True
        finally:
            if not whole:
                response.close()
            response.release_conn()
        with self._counting:
            self.queries += 1
            self.bytes += size
        return response.status, response.headers, b"".join(parts)

    def _unreached(self, error: Exception) -> KestrelError:
        exceptions, profile, url = self._http.exceptions, self.place.profile, self.place.url
        cause = error
        while isinstance(cause, exceptions.MaxRetryError) and cause.reason:
            cause = cause.reason
        match cause:
            case exceptions.SSLError() | ssl.SSLError():
                return self._not_trusted(str(cause))
            case exceptions.NameResolutionError():
                return Unreachable(profile, url, "the host name cannot be resolved", lasting=True)
            case exceptions.NewConnectionError() | ConnectionRefusedError():
                return Unreachable(profile, url, "the connection was refused: is a server listening there?", lasting=True)
            case exceptions.ConnectTimeoutError():
                return Unreachable(profile, url, f"no connection within {min(CONNECT, self.place.timeout):g} s", lasting=True)
            case exceptions.ReadTimeoutError() | TimeoutError():
                return Unreachable(
                    profile,
                    url,
                    f"no answer within {self.place.timeout:g} s",
                    "use a shorter time range, or raise `timeout` in the `options` of its connection",
                    slow=True,
                )
            case exceptions.DecodeError():
                return Unreachable(profile, url, "the compressed response is damaged", "is there a proxy in between?")
            case _:
                return Unreachable(
                    profile,
                    url,
                    "the connection ended in the middle of an answer",
                    "a server that speaks TLS needs `https://`; one that does not, `http://`",
                )

    def _not_trusted(self, known: str) -> KestrelError:
        profile, url = self.place.profile, self.place.url
        if "WRONG_VERSION_NUMBER" in known or "RECORD_LAYER" in known:
            return Unreachable(
                profile,
                url,
                "it does not speak TLS",
                f"if it is meant to be plain HTTP, set `host` to `{url.replace('https://', 'http://', 1)}`",
                lasting=True,
            )
        for sign, meaning in (
            ("Hostname mismatch", "its certificate is of another name"),
            ("IP address mismatch", "its certificate is of another address"),
            ("doesn't match", "its certificate is of another name"),
            ("expired", "its certificate has expired"),
            ("self-signed", "it is not signed by a known authority"),
            ("self signed", "it is not signed by a known authority"),
            ("unable to get local issuer", "it is not signed by a known authority"),
        ):
            if sign in known:
                return NotTrusted(profile, url, meaning)
        if "CERTIFICATE_VERIFY_FAILED" in known:
            return NotTrusted(profile, url, "its certificate cannot be verified")
        return Unreachable(profile, url, "the secure connection broke")

    def _turned_away(self, asked: str, status: int, headers: Any, content: bytes) -> KestrelError:
        profile, url = self.place.profile, self.place.url
        kind, why = reason(self._read(content))
        if status in (301, 302, 303, 307, 308):
            return Redirected(profile, url, _without_secrets(headers.get("location") or "nowhere"))
        if kind == "index_closed_exception" or "index closed" in why:
            return IndexNotReadable(profile, url, named_indices(why), "closed")
        if kind == "cluster_block_exception" or "blocked by: [" in why:
            return IndexNotReadable(profile, url, named_indices(why), "blocked", why)
        if "_source is disabled" in why:
            return NoSource(profile, url, named_indices(why))
        if status in (401, 403):
            return NotAuthorised(profile, url, status, why, self.place.authorization is not None, privilege(why), bool(kind))
        if status == 404 and kind == "index_not_found_exception":
            return NoSuchIndex(profile, url, self.place.indices, "")
        if status == 404 and (kind in (EXPIRED, "search_phase_execution_exception") or EXPIRED in content.decode(errors="replace")):
            raise Expired
        came = f"{status}{': ' + why if why else ''}"
        if kind == "circuit_breaking_exception":
            return self.failed(
                asked, f"it is out of memory ({came})", "lower `result_limit` in the `options` of its connection, or use a shorter time range"
            )
        if status == 429:
            return self.failed(asked, f"it is overloaded ({came})")
        if status >= 500:
            return self.failed(asked, f"it failed ({came})")
        return Refused(profile, url, asked, status, why or "no reason given", _cause(kind, why))


def _cause(kind: str, why: str) -> str:
    """What to do about a refused request, if its reason shows that; else empty."""
    if "too_many_clauses" in kind or "too many clauses" in why.lower() or "maxClauseCount" in why:
        return "compare with fewer values, or raise `indices.query.bool.max_clause_count` of the cluster"
    if "max_result_window" in why:
        return "lower `result_limit` in the `options` of its connection to what the index allows (`index.max_result_window`)"
    if "max_terms_count" in why:
        return "compare with fewer values, or raise `index.max_terms_count` of the index"
    if kind == "parse_exception" and "date" in why:
        return "START and STOP must be times that the mapping of `@timestamp` can hold"
    return ""


def _retry_after(text: str | None) -> float:
    """Seconds to wait."""
    try:
        return min(PATIENCE, max(0.0, float(text or 0)))
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            return min(PATIENCE, max(0.0, parsedate_to_datetime(text or "").timestamp() - time.time()))
        except (TypeError, ValueError):
            return 0.0


def _without_secrets(location: str) -> str:
    try:
        parts = urlsplit(location)
        return (
            f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}" if parts.hostname else location.partition("?")[0]
        )
    except ValueError:
        return "another place"


def _is_near(url: str) -> bool:
    """Whether packing would cost more than it saves: on the machine itself."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
