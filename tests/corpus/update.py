"""`python -m tests.corpus.update [files]`: write what comes of the hunts into their files; the diff is the review.

What a file expects already is renewed; a file that expects nothing yet gets its error, else its rows, else its counts.
Everything from the first expected key on is rewritten, so comments belong above it.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.corpus.case import EXPECTED, Case, answer, every_file, read

BEGIN = re.compile(rf"^(?:{'|'.join(EXPECTED)}):", re.MULTILINE)


def update(path: Path) -> bool:
    """Whether the file changed. What does not hold yet is left as it should be."""
    case = read(path)
    if case.xfail:
        return False
    with tempfile.TemporaryDirectory() as folder:
        found = answer(case, Path(folder))
    text = path.read_text(encoding="utf-8")
    begin = BEGIN.search(text)
    head = text[: begin.start()] if begin else text.rstrip("\n") + "\n"
    new = head + "".join(written(key, value) for key, value in wanted(case, found).items())
    if new != text:
        path.write_text(new, encoding="utf-8")
    return new != text


def wanted(case: Case, found: dict[str, Any]) -> dict[str, Any]:
    keys = set(case.expected) & set(found)
    if not case.expected:
        keys = {next(key for key in ("error", "rows", "counts") if key in found)}
    if "error" in found:
        keys.add("error")
    parts = {key: found[key] for key in EXPECTED if key in keys}
    for key, value in parts.items():
        asked = case.expected.get(key)
        if isinstance(value, dict) and isinstance(asked, dict):
            parts[key] = {k: value[k] for k in asked if k in value}
    return parts


def written(key: str, value: Any) -> str:
    """One expected key as YAML: texts as blocks, rows one a line."""
    match value:
        case str():
            return f"{key}: |\n" + "".join(f"  {line}\n" if line else "\n" for line in value.splitlines())
        case list() if value:
            return f"{key}:\n" + "".join(f"  - {_flow(item)}\n" for item in value)
        case dict() if value:
            return f"{key}:\n" + "".join(f"  {_flow(k)}: {_flow(v)}\n" for k, v in value.items())
        case _:
            return f"{key}: {_flow(value)}\n"


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.removesuffix("...\n").strip()


def main(names: Sequence[str]) -> None:
    for path in [Path(n).resolve() for n in names] or every_file():
        if update(path):
            print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
