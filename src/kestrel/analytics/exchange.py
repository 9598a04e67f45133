"""The folder through which Kestrel and a program or container exchange variables: the protocol of Kestrel 1.x.

    input/0.parquet.gz, input/1.parquet.gz, ...     the variables, in the order APPLY names them
    output/0.parquet.gz, ...                        those the analytic changed: rows with `id`, and their new attributes
    display/*                                       what it shows: .html, .txt, .png, .svg, in the order of their names

The files are Parquet, compressed inside by gzip. A Parquet file packed by gzip as a whole is taken back, too.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kestrel.analytics.contract import Input, Outcome, Shown, WrongReturn
from kestrel.analytics.shown import html
from kestrel.result import Picture, Text

MAGIC = b"PAR1"
GZIP = b"\x1f\x8b"
LARGEST = 50_000_000
"""Bytes of a file that is shown."""
TABLE = re.compile(r"(\d+)\.parquet(?:\.gz)?")


@dataclass(frozen=True)
class Exchange:
    """A new folder of that form, and the number of variables in it. Its parent is private to this user."""

    folder: Path
    count: int

    @classmethod
    def prepare(cls, inputs: Sequence[Input], scratch: Path) -> Exchange:
        """Write the variables. Anyone in a container may enter the folder and write to it, its parent shuts others out."""
        folder = Path(tempfile.mkdtemp(prefix="apply-", dir=scratch)) / "data"
        for part in ("input", "output", "display"):
            (folder / part).mkdir(parents=True)
        for number, variable in enumerate(inputs):
            variable.to_parquet(folder / "input" / f"{number}.parquet.gz")
        for part in ("output", "display"):
            (folder / part).chmod(0o777)
        return cls(folder, len(inputs))

    def collect(self, name: str, log: Sequence[str]) -> Outcome:
        """What the analytic left there. Raises WrongReturn."""
        tables: list[Path | None] = [None] * self.count
        for path in self._files("output"):
            if not (match := TABLE.fullmatch(path.name)):
                continue
            number = int(match[1])
            if number >= self.count:
                raise WrongReturn(name, f"returned `output/{path.name}`, but was given only {self.count} variables, counted from 0")
            tables[number] = self._parquet(name, path)
        displays, unknown = [], []
        for path in self._files("display"):
            if path.stat().st_size > LARGEST:
                raise WrongReturn(name, f"shows `display/{path.name}`, which is larger than {LARGEST // 1_000_000} MB")
            shown = _shown(name, path)
            if shown is None:
                unknown.append(f"display/{path.name} is left out: .html, .txt, .png and .svg are shown")
            else:
                displays.append(shown)
        return Outcome(tuple(tables), tuple(displays), (*log, *unknown))

    def _files(self, part: str) -> list[Path]:
        """Its regular files, by name. A link may lead out of the folder, and what a container planted is not followed."""
        folder = self.folder / part
        if folder.is_symlink() or not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.is_file(follow_symlinks=False) and not e.name.startswith("."))

    def _parquet(self, name: str, path: Path) -> Path:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        if packed:
            plain = self.folder.parent / path.name.removesuffix(".gz")
            try:
                with gzip.open(path, "rb") as source, plain.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
            except (OSError, EOFError) as error:
                raise WrongReturn(name, f"returned `output/{path.name}`, which is damaged: {error}") from None
            return self._checked(name, path, plain)
        return self._checked(name, path, path)

    def _checked(self, name: str, path: Path, plain: Path) -> Path:
        size = plain.stat().st_size
        with plain.open("rb") as file:
            head = file.read(4)
            file.seek(max(0, size - 4))
            whole = size > 8 and head == file.read(4) == MAGIC
        if not whole:
            raise WrongReturn(name, f"returned `output/{path.name}`, which is no Parquet file", 'write it with `to_parquet(compression="gzip")`')
        return plain


def _shown(name: str, path: Path) -> Shown | None:
    match path.suffix.lower():
        case ".html" | ".htm":
            return html(name, path.read_text(encoding="utf-8", errors="replace"))
        case ".txt":
            return Text(name, path.read_text(encoding="utf-8", errors="replace"))
        case ".png":
            data = path.read_bytes()
            if not data.startswith(b"\x89PNG\r\n\x1a\n"):
                raise WrongReturn(name, f"shows `display/{path.name}`, which is no PNG image")
            return Picture(name, f"the image {path.name} ({len(data):,} bytes of PNG)", image=data)
        case ".svg":
            data = path.read_bytes()
            return Picture(name, f"the drawing {path.name} ({len(data):,} bytes of SVG)", svg=data.decode("utf-8", "replace"))
    return None
