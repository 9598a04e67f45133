"""The text in the bytes of a file: its encoding, its lines, and whether it is text at all."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Literal

from kestrel.formats.readers import audit, evtx, tables, windows_xml, zeek
from kestrel.formats.readers.packed import BZIP2, GZIP, HEAD, OTHERS, PARQUET, XZ, ZIP, ZSTD_STARTS, is_tar
from kestrel.text import lines_in

Encoding = Literal["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
MARKS: tuple[tuple[bytes, Encoding], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
ZEROES: dict[tuple[bool, ...], Encoding] = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
    (False, True, False, False): "utf-16-le",
    (True, False, False, False): "utf-16-be",
}
"""Which of the first four bytes are zero if a JSON text begins with an ASCII character (RFC 4627, section 3)."""
OPENING = tuple("{[ \t\r\n")
MARK = "\ufeff"
BLANK = " \t\r\n\x00" + MARK
ESCAPED = re.compile("[\udc80-\udcff]")
LONGEST = 1 << 27
"""The maximum length of a line in characters; longer ones are not records."""


def encoding_of(begin: bytes) -> Encoding:
    """The encoding of a text by its first bytes: a byte order mark, else how a JSON text begins."""
    for mark, encoding in MARKS:
        if begin.startswith(mark):
            return encoding
    found = ZEROES.get(tuple(byte == 0 for byte in begin[:4]))
    return found if found and begin[:4].decode(found, "replace")[:1] in OPENING else "utf-8"


def refusal(begin: bytes, archived: bool = False) -> str | None:
    """Why a file that begins like this cannot be a log, or None. `archived`: it is in an archive, where text without JSON is a note and
    no log."""
    if begin.startswith((GZIP, *ZSTD_STARTS, *ZIP, XZ, BZIP2, PARQUET, evtx.MAGIC)) or is_tar(begin):
        return None
    for magic, why in OTHERS.items():
        if begin.startswith(magic):
            return why
    text = begin[:HEAD].decode(encoding_of(begin), "replace").lstrip(BLANK)
    if "\x00" in text[:HEAD] and not text.startswith(("{", "[")):
        return "it is a binary file"
    if archived and not text and begin:
        return "it is a binary file"
    if archived and begin and not any(line.lstrip().startswith(("{", "[")) for line in lines_in(text)) and not _is_log(text):
        return "it is text without records"
    return None


def _is_log(text: str) -> bool:
    """Whether a text is a log in another form than JSON."""
    return zeek.is_zeek(text) or audit.is_audit(text) or windows_xml.is_log(text) or tables.table_of(text) is not None


class Decoder:
    """Bytes to text, block by block; `mended` counts the lines with bytes that are invalid in the encoding and were replaced by U+FFFD."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.mended = 0

    def texts(self, blocks: Iterable[bytes]) -> Iterator[str]:
        """The text without byte order mark. Exceptions of the blocks are passed on."""
        decoder = codecs.getincrementaldecoder(self.encoding)("surrogateescape" if self.encoding == "utf-8" else "replace")
        first = True
        for block in blocks:
            text = decoder.decode(block)
            yield text.removeprefix(MARK) if first else text
            first = first and not text
        if rest := decoder.decode(b"", True):
            yield rest

    def lines(self, blocks: Iterable[bytes]) -> Iterator[str]:
        """The lines, without line ends and surrounding blanks. Exceptions of the blocks are raised after the last line, which may then
        be incomplete."""
        waiting: list[str] = []
        size, failure = 0, None
        source = self.texts(blocks)
        while True:
            try:
                text = next(source)
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            first, *others = text.replace("\r", "\n").split("\n")
            if size < LONGEST:
                waiting.append(first)
                size += len(first)
            if others:
                yield self.mend("".join(waiting)).strip(BLANK)
                for line in others[:-1]:
                    yield self.mend(line).strip(BLANK)
                waiting, size = [others[-1]], len(others[-1])
        if size:
            yield self.mend("".join(waiting)).strip(BLANK)
        if failure:
            raise failure

    def mend(self, text: str) -> str:
        """Text with U+FFFD for undecodable bytes; each such text is counted."""
        if self.encoding != "utf-8":
            self.mended += "\ufffd" in text
        elif not text.isascii() and ESCAPED.search(text):
            self.mended += 1
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return text
