"""Log files and bundles at `https://` addresses: each is downloaded once, into a folder that only this user can enter and that is removed
when Kestrel exits."""

from __future__ import annotations

import http.client
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import IO, Any, ClassVar
from urllib.parse import unquote, urlsplit

from kestrel.errors import KestrelError
from kestrel.graph.steps import Source
from kestrel.ingest.database import PrivateFolder
from kestrel.sources.files import files_source

SCHEME = "https"
SECONDS = 60
"""How long the server may be silent."""
BLOCK = 1 << 20
RESERVE = 64 << 20
"""The number of bytes to leave free on the disk."""
UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_downloaded: dict[str, Path] = {}
"""The file of each address."""


class DownloadFailed(KestrelError):
    code: ClassVar[str] = "K0415"
    part = "source"

    def __init__(self, uri: str, why: str, hint: str | None = None) -> None:
        super().__init__(f"cannot download `{public(uri)}`: {why}", None, hint)


def open_uri(uri: str, rest: str) -> Source:
    """The file at an address. Raises DownloadFailed."""
    if uri not in _downloaded or not _downloaded[uri].exists():
        _downloaded[uri] = _download(uri)
    return files_source(public(uri), [str(_downloaded[uri])])


def size_of(uri: str) -> int | None:
    """The bytes of what was downloaded from an address; None where nothing was."""
    file = _downloaded.get(uri)
    return file.stat().st_size if file and file.exists() else None


def public(uri: str) -> str:
    """An address without the user, the password and the parameters in it, which may be secrets."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects to other addresses of HTTPS only."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urlsplit(newurl).scheme.lower() != SCHEME:
            fp.close()
            raise DownloadFailed(req.full_url, "it redirects to an address without encryption")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@cache
def _folder() -> PrivateFolder:
    return PrivateFolder()


def _download(uri: str) -> Path:
    folder = _folder().path
    if folder is None:
        raise DownloadFailed(uri, "no temporary folder can be created")
    name = UNSAFE.sub("_", unquote(urlsplit(uri).path).rpartition("/")[2])[-80:] or "download"
    target = Path(tempfile.mkdtemp(dir=folder)) / name
    try:
        with urllib.request.build_opener(_OnlyHttps).open(uri, timeout=SECONDS) as answer, target.open("wb") as file:
            _copy(uri, answer, file)
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadFailed(uri, f"the server answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise DownloadFailed(uri, _why(error.reason)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadFailed(uri, "the address is not valid" if isinstance(error, http.client.InvalidURL) else _why(error)) from None
    return target


def _copy(uri: str, answer: Any, file: IO[bytes]) -> None:
    expected, size = answer.headers.get("Content-Length", ""), 0
    while block := answer.read(BLOCK):
        size += len(block)
        if shutil.disk_usage(file.name).free < RESERVE:
            raise DownloadFailed(uri, "there is not enough space for it")
        file.write(block)
    if expected.isdigit() and size != int(expected):
        raise DownloadFailed(uri, f"it ends after {size:,} of {int(expected):,} bytes")


def _why(error: object) -> str:
    text = str(getattr(error, "verify_message", None) or getattr(error, "strerror", None) or error or type(error).__name__)
    return f"{text[:1].lower()}{text[1:]}".splitlines()[0]
