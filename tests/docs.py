"""The manual's examples: how a page is read, run and written back. `python -m tests.docs --write` renews every output.

A page is one session. Its fenced blocks are run in order, in a folder of the page's own:

    ```kestrel             a hunt; the sample data is `stixshifter://host101`
    ```kestrel error       a hunt that fails; without the second word a failure fails the test
    ```python              Python, all blocks of a page in one namespace
    ```console             lines `$ kestrel ...`, each followed by what it prints
    ```LANGUAGE file=NAME  a file that is written and not run
    ```text                what the block before it prints; a sentence may stand between

A summary is shown without its seconds. Between `<!-- NAME -->` and `<!-- end -->` stand tables made from the model.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console

from kestrel import Session
from kestrel.display.terminal import show
from kestrel.errors import HuntErrors
from kestrel.model.about import about_attribute, about_type, about_verb
from kestrel.model.vocabulary import EVERY_ENTITY, EntityType, vocabulary
from kestrel.result import Summary

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(p for p in (ROOT / "docs").rglob("*.md") if "internals" not in p.parts)])
RUN = [p for p in PAGES if p != ROOT / "docs" / "errors.md"]
"""Pages whose examples run in order; those of the error codes are cases of the corpus, and run there."""
WIDTH = 100
SENTENCE = 200
FOLDER = "/hunts"
"""What the folder of a page is called in its outputs."""
FENCE = re.compile(r"^```(?P<language>\w+)(?P<words>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"<!-- (?P<name>[\w ]+) -->\n.*?<!-- end -->", re.DOTALL)
TOOK = re.compile(r'(?<="seconds": )[\d.]+')
SECONDS = re.compile(r"^\d+\.\d\d s\n?\Z", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: `words` follow the language, `span` is where its body stands in the page."""

    language: str
    words: tuple[str, ...]
    body: str
    span: tuple[int, int]
    adjacent: bool
    """Whether at most a sentence parts it from the block before."""


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    found, before = [], -1
    for match in FENCE.finditer(text):
        between = text[before : match.start()]
        adjacent = before >= 0 and len(between) < SENTENCE and "\n#" not in between
        found.append(Block(match["language"], tuple(match["words"].split()), match["body"], match.span("body"), adjacent))
        before = match.end()
    return found


# -- running ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[None]:
    """The folder and the environment a page runs in; set back afterwards."""
    before, where = dict(os.environ), Path.cwd()
    (folder / "kestrel.yaml").touch()
    with resources.as_file(resources.files("kestrel.demo") / "data" / "host101.ndjson.zst") as data:
        try:
            for name in [n for n in os.environ if n.startswith(("STIXSHIFTER_", "KESTREL_"))]:
                del os.environ[name]
            os.environ |= {
                "STIXSHIFTER_HOST101_CONNECTOR": "file",
                "STIXSHIFTER_HOST101_CONNECTION": json.dumps({"path": str(data)}),
                "KESTREL_CONFIG": str(folder / "kestrel.yaml"),
                "KESTREL_CACHE": "off",
                "KESTREL_STIXSHIFTER_CONFIG": str(folder / "stixshifter.yaml"),
                "KESTREL_PYTHON_ANALYTICS_CONFIG": str(folder / "pythonanalytics.yaml"),
                "COLUMNS": str(WIDTH),
            }
            os.chdir(folder)
            yield
        finally:
            os.chdir(where)
            for name in set(os.environ) - set(before):
                del os.environ[name]
            os.environ.update(before)


def run_page(path: Path, folder: Path) -> Iterator[tuple[Block, Block | None, str]]:
    """Each block that is run, the block of its output where there is one, and what it printed."""
    found = blocks(path.read_text(encoding="utf-8"))
    names: dict[str, Any] = {}
    with stage(folder), Session() as session:
        for number, block in enumerate(found):
            named = next((w.removeprefix("file=") for w in block.words if w.startswith("file=")), None)
            after = found[number + 1] if number + 1 < len(found) else None
            output = after if after and after.language == "text" and after.adjacent else None
            if named:
                Path(named).parent.mkdir(parents=True, exist_ok=True)
                Path(named).write_text(block.body, encoding="utf-8")
                continue
            match block.language:
                case "kestrel":
                    printed = _hunt(session, block)
                case "python":
                    printed = _python(block, names)
                case "console" if block.body.startswith("$ kestrel"):
                    output, printed = block, _console(block)
                case _:
                    continue
            yield block, output, printed.replace(str(folder), FOLDER)


def _hunt(session: Session, block: Block) -> str:
    sink = io.StringIO()
    console = Console(file=sink, width=WIDTH, color_system=None)
    failed = False
    try:
        for result in session.stream(block.body, "hunt.hf"):
            part = io.StringIO()
            show(Console(file=part, width=WIDTH, color_system=None), _placed(result))
            sink.write(SECONDS.sub("", part.getvalue()) if isinstance(result, Summary) else part.getvalue())
    except HuntErrors as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        failed = True
    if failed != ("error" in block.words):
        raise AssertionError(f"{block.body}\n{'fails' if failed else 'does not fail'}:\n{sink.getvalue()}")
    return tidy(sink.getvalue())


def _placed(value: Any) -> Any:
    """A result in which the page's folder has a name of fixed length, before it is laid out."""
    if isinstance(value, str):
        return value.replace(str(Path.cwd()), FOLDER)
    if isinstance(value, tuple):
        return tuple(map(_placed, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _placed(getattr(value, f.name)) for f in fields(value)})
    return value


def _python(block: Block, names: dict[str, Any]) -> str:
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink):
        exec(compile(block.body, "<example>", "exec"), names)
    return tidy(sink.getvalue())


def _console(block: Block) -> str:
    """The commands of a block, each with what it prints on both streams and, where it is not 0, its exit status."""
    lines = []
    for line in block.body.splitlines():
        if line.startswith("$ kestrel"):
            words = shlex.split(line.removeprefix("$ kestrel"))
            done = subprocess.run(
                [sys.executable, "-m", "kestrel", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
            )
            lines += [line, *TOOK.sub("0.1", SECONDS.sub("", tidy(done.stdout))).splitlines()]
            status = done.returncode
        elif line == "$ echo $?":
            lines += [line, str(status)]
    return "\n".join(lines) + "\n"


def tidy(text: str) -> str:
    """Without white space at the ends of lines and of the text."""
    text = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
    return f"{text}\n" if text else ""


# -- tables -------------------------------------------------------------------------------------------------------


def made(text: str) -> str:
    """A page with its tables made anew from the model."""
    return TABLE.sub(lambda m: f"<!-- {m['name']} -->\n{TABLES[m['name']]()}\n<!-- end -->", text)


def _verbs() -> str:
    """Every verb, what acts on what, and what it means."""
    rows = ["| verb | subject → object | meaning |", "|---|---|---|"]
    for relation in vocabulary().relations.values():
        passive = f", `{relation.passive} BY`" if relation.passive and relation.passive != relation.verb else ""
        pairs = "<br>".join(f"{_kind(a)} → {_kind(b)}" for a, b in relation.pairs) or "any → any"
        rows.append(f"| `{relation.verb}`{passive} | {pairs} | {_sentence(about_verb(relation.verb))} |")
    return "\n".join(rows)


def _kind(kind: str) -> str:
    return "ipv4-addr, ipv6-addr" if kind == "address" else kind


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _types() -> str:
    """Every type with its attributes and references."""
    parts = []
    for kind in vocabulary().types.values():
        others = [alias for alias, name in vocabulary().type_aliases.items() if name == kind.name]
        also = f" Also written {', '.join(f'`{a}`' for a in others)}." if others else ""
        lines = [f"### {kind.name}", "", f"{_sentence(about_type(kind.name))}{also} A plain value of NEW is its `{kind.main}`.", ""]
        lines += ["| attribute | kind | meaning |", "|---|---|---|"]
        lines += [
            f"| {_spellings(kind, name)} | {kind.kind(name).replace('any', 'true or false')} | {about_attribute(kind.name, name)} |"
            for name in kind.attributes
        ]
        lines += [f"| `{name}.…` | {_kind(target)} | {about_attribute(kind.name, name)} |" for name, target in kind.references.items()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _spellings(kind: EntityType, name: str) -> str:
    return ", ".join(f"`{n}`" for n in (name, *(s for s, n in kind.synonyms.items() if n == name and s != name)))


def _every() -> str:
    rows = ["| attribute | meaning |", "|---|---|"]
    return "\n".join([*rows, *(f"| `{name}` | {about_attribute('process', name)} |" for name in EVERY_ENTITY)])


def _aliases() -> str:
    rows = ["| name | means |", "|---|---|"]
    return "\n".join([*rows, *(f"| `{name}` | `{meant}` |" for name, meant in vocabulary().aliases.items())])


TABLES: dict[str, Callable[[], str]] = {"verbs": _verbs, "types": _types, "every entity": _every, "aliases": _aliases}


# -- writing ------------------------------------------------------------------------------------------------------


def written(path: Path) -> str:
    """A page with the outputs its blocks have now."""
    text = made(path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for _, output, printed in reversed(list(run_page(path, Path(folder).resolve()))):
            if output:
                text = text[: output.span[0]] + printed + text[output.span[1] :]
    return text


if __name__ == "__main__":
    if sys.argv[1:2] != ["--write"]:
        sys.exit("usage: python -m tests.docs --write [PAGE ...]")
    for page in [Path(p).resolve() for p in sys.argv[2:]] or RUN:
        page.write_text(written(page), encoding="utf-8")
