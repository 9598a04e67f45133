"""Every mistake has a code, a place in the manual and a hunt in the corpus."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import kestrel
from kestrel.errors import Bug, KestrelError
from tests.corpus.case import every_file, read

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"


def mistakes() -> list[type[KestrelError]]:
    """Every class of mistake that is made anywhere in the package."""
    for module in pkgutil.walk_packages(kestrel.__path__, "kestrel."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return sorted(_below(KestrelError), key=lambda c: c.code)


def _below(kind: type[KestrelError]) -> Iterator[type[KestrelError]]:
    for found in kind.__subclasses__():
        if found.__module__.startswith("kestrel.") and "code" in vars(found):
            yield found
        yield from _below(found)


def examples() -> dict[str, str]:
    """What the corpus says: each drawn mistake with the hunt it is about."""
    return {case.expected.get("error", "").strip(): _text(case.hunt) for case in map(read, every_file())}


def _text(hunt: str | list[str]) -> str:
    """A hunt as the manual shows it: its cells one after another."""
    return "\n\n".join(cell.strip() for cell in ([hunt] if isinstance(hunt, str) else hunt))


def test_every_mistake_has_a_code_of_its_own() -> None:
    codes = Counter(c.code for c in mistakes())
    assert {c: n for c, n in codes.items() if n > 1} == {}
    assert all(re.fullmatch(r"K\d{4}", c) and c != "K0000" for c in codes)


LIVE = {"K0430", "K0431", "K0432", *(f"K07{number:02}" for number in (*range(10), *range(21, 31)))}
"""Codes of live sources: they are met in tests/live and tests/stixshifter."""
MACHINE = {"K0450", "K0451", "K0452", "K0453"}
"""Codes that a hunt alone cannot cause: tests/test_platform.py covers them."""
ELSEWHERE = LIVE | MACHINE | {"K0371", "K0414"}
"""All of those, one that needs a file saved by another session (tests/test_frozen.py covers it), and one of definitions of log formats,
which are read once in a process (tests/test_formats.py)."""


def test_the_manual_lists_exactly_the_codes_there_are() -> None:
    listed = re.findall(r"^### (K\d{4})$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == sorted(c.code for c in mistakes())


def test_every_example_of_the_manual_is_in_the_corpus() -> None:
    known = examples()
    sections = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for section in sections:
        hunt = re.search(r"```kestrel\n(.*?)\n```", section, re.DOTALL)
        shown = re.search(r"```text\n(.*?)\n```", section, re.DOTALL)
        if section.startswith(Bug.code):
            continue
        if section[:5] in ELSEWHERE:
            continue
        assert hunt and shown, section[:40]
        assert shown.group(1).startswith(f"error[{section[:5]}]")
        assert known.get(shown.group(1)) == hunt.group(1), section[:40]


def test_the_corpus_has_every_code_a_hunt_can_meet() -> None:
    met = set(re.findall(r"^error\[(K\d{4})\]", "\n".join(examples()), re.MULTILINE))
    assert met == {c.code for c in mistakes()} - {Bug.code} - ELSEWHERE
