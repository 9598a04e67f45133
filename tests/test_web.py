"""Files at `https://` addresses, from a real server with a certificate of its own."""

from __future__ import annotations

import gzip
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.result import Notice
from kestrel.settings import Settings

RECORD = {
    "EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Hostname": "h", "UtcTime": "2024-03-05 10:00:00.000",
    "ProcessGuid": "{A1B2C3D4-ED20-65E6-0000-000000000041}", "ProcessId": 3333, "Image": "C:\\cmd.exe", "@timestamp": "2024-03-05T10:00:00Z",
}  # fmt: skip
LOG = gzip.compress((json.dumps(RECORD) + "\n").encode())


class Handler(http.server.BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        match self.path.partition("?")[0]:
            case "/logs/one.json.gz":
                self._answer(LOG, len(LOG))
            case "/short.json.gz":
                self._answer(LOG[:20], len(LOG))
            case "/plain":
                self.send_response(302)
                self.send_header("Location", "http://localhost/x.json")
                self.end_headers()
            case _:
                self.send_error(404, "Not Found")

    def _answer(self, content: bytes, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    Handler.asked.clear()
    with http.server.ThreadingHTTPServer(("localhost", 0), Handler) as found:
        found.socket = context.wrap_socket(found.socket, server_side=True)
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"https://localhost:{found.server_port}"
        found.shutdown()


def test_a_log_at_an_address_is_downloaded_once_and_its_size_is_told(server: str) -> None:
    address = f"{server}/logs/one.json.gz?token=SECRET"
    with Session() as session:
        first = session.run(f"p = GET process FROM '{address}'")
        second = session.run(f"q = GET process FROM '{address}' WHERE name = 'cmd.exe'")
        assert (len(session["p"]), len(session["q"])) == (1, 1)
    assert len(Handler.asked) == 1
    told = [r.message for r in first if isinstance(r, Notice) and r.code == "downloaded"]
    assert told == [f"`{server}/logs/one.json.gz` was downloaded: 0.0 MB"]
    assert not [r for r in second if isinstance(r, Notice) and r.code == "downloaded"]
    assert "SECRET" not in repr(first) + repr(second)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/none.json", "the server answered 404 Not Found"),
        ("/short.json.gz", "it ends after 20 of"),
        ("/plain", "it redirects to an address without encryption"),
    ],
)
def test_a_download_that_fails_is_an_error(server: str, path: str, why: str) -> None:
    with Session() as session, pytest.raises(HuntErrors, match=why) as caught:
        session.run(f"p = GET process FROM '{server}{path}?token=SECRET'")
    assert caught.value.errors[0].code == "K0415"
    assert "SECRET" not in str(caught.value.errors[0])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the server gives up its side
def test_a_server_with_an_unknown_certificate_is_not_trusted(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with Session() as session, pytest.raises(HuntErrors, match="unable to get local issuer certificate"):
        session.run(f"p = GET process FROM '{server}/logs/one.json.gz?other'")


def test_settings_can_forbid_downloads(server: str) -> None:
    with Session(settings=Settings(allow_downloads=False)) as session, pytest.raises(HuntErrors) as caught:
        session.run(f"p = GET process FROM '{server}/logs/one.json.gz'")
    assert caught.value.errors[0].code == "K0416"
    assert not Handler.asked


def test_checking_a_hunt_downloads_nothing(server: str) -> None:
    with Session() as session:
        session.check(f"p = GET process FROM '{server}/logs/one.json.gz'", offline=True)
    assert not Handler.asked
