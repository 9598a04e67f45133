"""The manual: its examples print what it says, its tables are the model's, its links lead somewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from kestrel.analytics.builtin import BUILT_IN
from kestrel.cli import COMMANDS as CLI_COMMANDS
from kestrel.model.vocabulary import vocabulary
from kestrel.syntax.grammar import COMMANDS, RESERVED
from tests.docs import FENCE, PAGES, ROOT, RUN, TABLES, blocks, made, run_page

LANGUAGE = ROOT / "docs" / "language"
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "docs" / "internals").rglob("*.md")]
LINK = re.compile(r"\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (?P<title>.+)$", re.MULTILINE)
SECTIONS = ["Synopsis", "Meaning", "Examples", "Errors"]
CODE = re.compile(r"K\d{4}")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("page", RUN, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_examples_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    for block, output, printed in run_page(page, tmp_path.resolve()):
        if output:
            assert output.body == printed, block.body


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_tables_are_those_of_the_model(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert made(text) == text, "run `python -m tests.docs --write`"


def test_every_table_stands_in_a_page() -> None:
    text = "\n".join(p.read_text(encoding="utf-8") for p in PAGES)
    assert all(f"<!-- {name} -->" in text for name in TABLES)


def test_every_command_has_its_page() -> None:
    index = (LANGUAGE / "index.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        name = {"LOAD": "load-save", "SAVE": "load-save"}.get(command, command.lower())
        text = (LANGUAGE / f"{name}.md").read_text(encoding="utf-8")
        assert f"({name}.md)" in index
        assert [m["title"] for m in HEADING.finditer(FENCE.sub("", text)) if m["title"] in SECTIONS] == SECTIONS, name


@pytest.mark.parametrize("page", sorted(p for p in LANGUAGE.glob("*.md") if p.name != "index.md"), ids=lambda p: p.name)
def test_every_page_has_its_sections(page: Path) -> None:
    found = [m["title"] for m in HEADING.finditer(FENCE.sub("", page.read_text(encoding="utf-8")))]
    assert [title for title in found if title in SECTIONS] == SECTIONS


def test_every_page_is_on_the_map() -> None:
    text = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        if page.parent.name in ("docs", "language") and page.name != "README.md":
            assert f"({page.relative_to(ROOT / 'docs')})" in text


@pytest.mark.parametrize("page", LINKED, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for match in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = match["target"].partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), match[0]
        if anchor:
            titles = HEADING.finditer(FENCE.sub("", file.read_text(encoding="utf-8")))
            assert anchor in {_anchor(m["title"]) for m in titles}, match[0]


def _anchor(title: str) -> str:
    """The name GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_error_codes_exist() -> None:
    known = {code for p in (ROOT / "src").rglob("*.py") for code in re.findall(r'code(?:: ClassVar\[str\])? = "(K\d{4})"', p.read_text())}
    for page in PAGES:
        assert set(CODE.findall(page.read_text(encoding="utf-8"))) <= known, page


def test_error_codes_are_links() -> None:
    for page in LANGUAGE.glob("*.md"):
        text = FENCE.sub("", page.read_text(encoding="utf-8"))
        for code in set(CODE.findall(text)):
            assert f"[{code}](../errors.md#{code.lower()})" in text, (page.name, code)


def test_verbs_keywords_analytics_and_commands_are_told() -> None:
    text = "\n".join(p.read_text(encoding="utf-8") for p in LANGUAGE.glob("*.md"))
    for word in (*RESERVED, *vocabulary().relations, *BUILT_IN):
        assert re.search(rf"\b{word}\b", text), word
    line = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    assert all(f"kestrel {command}" in line for command in CLI_COMMANDS)


def test_environment_variables_are_told() -> None:
    used = {v for p in (ROOT / "src").rglob("*.py") for v in re.findall(r'"(KESTREL_[A-Z_]+)"', p.read_text(encoding="utf-8"))}
    line = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8") + (LANGUAGE / "apply.md").read_text(encoding="utf-8")
    assert all(v in line for v in used)


def test_examples_have_outputs() -> None:
    """A page of a command shows what its examples print."""
    for page in LANGUAGE.glob("*.md"):
        found = blocks(page.read_text(encoding="utf-8"))
        assert any(b.language == "text" for b in found), page.name


def test_the_extras_of_the_manual_exist() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for page in PAGES:
        for extra in re.findall(r"kestrel-hunt\[(\w+)\]", page.read_text(encoding="utf-8")):
            assert extra in known, page
