"""The public contract, which a redesign may not change unnoticed: `python -m tests.test_contract` writes what it is now.

Commands and options, settings, environment variables, entry points, codes of errors and notices, the keys of `--format json`, the Python
interface, and the words of the language. A change is reviewed as a diff of contract.yaml, and is in the changelog.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

import kestrel
from kestrel import Session, cli
from kestrel.display.jsonlines import to_object
from kestrel.errors import Bug, HuntErrors
from kestrel.model.vocabulary import vocabulary
from kestrel.session import failures
from kestrel.settings import KEYS
from kestrel.syntax.offers import keywords
from tests.test_errors import mistakes

HERE = Path(__file__).with_name("contract.yaml")
SOURCES = Path(kestrel.__file__).parent
PROJECT = SOURCES.parents[1] / "pyproject.toml"
HUNT = """
p = GET process FROM demo://host101 WHERE parent_ref.name = 'amcet.exe'
n = FIND network-traffic CREATED BY p
r = RECORDS(p)
DISP p ATTR name, pid
DISP p AS TREE
DISP p AS GRAPH
DISP p AS TIMELINE
DISP p AS CHART
INFO p
DESCRIBE p.pid
EXPLAIN n
APPLY risk ON p
"""


def commands() -> dict[str, Any]:
    return dict(_options(cli._parser()))


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, Any]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from ((name, dict(_options(below))) for name, below in action.choices.items())
        elif not isinstance(action, argparse._HelpAction):
            name = "/".join(action.option_strings) or str(action.metavar or action.dest)
            yield name, sorted(map(str, action.choices)) if action.choices else "value" if action.nargs != 0 else "flag"


def notices() -> list[str]:
    """The codes of notices in the source: the first arguments of `Notice`, and of what makes one."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Notice", "Reported") and node.args:
                found |= {c.value for c in ast.walk(node.args[0]) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
    return sorted(found)


def variables() -> list[str]:
    """The environment variables that are named in the source; those of profiles begin with STIXSHIFTER_."""
    texts = (path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    return sorted({name for text in texts for name in re.findall(r"[\"'`$](KESTREL_[A-Z_]*[A-Z]|STIXSHIFTER_)", text)})


def entry_points() -> dict[str, Any]:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return {"scripts": sorted(project["scripts"]), **{group: sorted(names) for group, names in project["entry-points"].items()}}


def keys() -> dict[str, list[str]]:
    """Of each kind of result as JSON: the paths of its keys."""
    found: dict[str, set[str]] = {}
    with Session(rows=None) as session:
        objects = [to_object(r) for r in session.run(HUNT)]
        try:
            session.run("DISP p ATTR nam")
        except HuntErrors as error:
            objects += [to_object(f) for f in failures(error)]
    for one in objects:
        found.setdefault(one["kind"], set()).update(_paths(one))
    return {kind: sorted(paths) for kind, paths in sorted(found.items())}


def _paths(value: Any, at: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            if at.endswith(("statistics.", "nodes.attributes.")):
                continue
            yield f"{at}{name}"
            yield from _paths(below, f"{at}{name}.")
    elif isinstance(value, list):
        for below in value:
            yield from _paths(below, at)


def interface() -> dict[str, Any]:
    members = inspect.getmembers(Session, lambda m: callable(m) or isinstance(m, property))
    shown = {n: str(inspect.signature(m)) if callable(m) else "property" for n, m in members if not n.startswith("_")}
    return {"exports": sorted(kestrel.__all__), "Session": {name: re.sub(r" -> .*", "", text) for name, text in shown.items()}}


def language() -> dict[str, Any]:
    types = {name: sorted({*kind.attributes, *kind.references}) for name, kind in vocabulary().types.items()}
    return {"keywords": sorted(keywords()), "relations": sorted(vocabulary().relations), "types": types}


def contract() -> dict[str, Any]:
    return {
        "commands": commands(),
        "settings": {key.name: [key.kind.expected, key.former, key.variable] for key in KEYS.values()},
        "variables": variables(),
        "entry_points": entry_points(),
        "errors": sorted({c.code for c in mistakes()} | {Bug.code}),
        "notices": notices(),
        "json": keys(),
        "python": interface(),
        "language": language(),
    }


def test_the_public_contract_is_as_recorded() -> None:
    recorded = yaml.safe_load(HERE.read_text(encoding="utf-8"))
    for part, now in contract().items():
        assert now == recorded[part], f"{part} changed: see the first lines of tests/test_contract.py"


if __name__ == "__main__":
    HERE.write_text(yaml.safe_dump(contract(), sort_keys=False, allow_unicode=True, width=150), encoding="utf-8")
