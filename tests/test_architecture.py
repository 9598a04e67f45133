"""The structure of the package: no module imports itself in a circle, and none is too long to read."""

from __future__ import annotations

import ast
from pathlib import Path

import kestrel

PACKAGE = Path(kestrel.__file__).parent
LONGEST = 600


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """What a module imports, also in functions and for types alone. `from package import module` is an import of the module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in known else node.module)
    return found & known.keys()


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Modules that reach themselves: a module is left out as soon as none that it imports is left."""
    left = {name: set(others) for name, others in graph.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    while free := [name for name in left if not any(name in others for others in left.values())]:
        for name in free:
            del left[name]
    return [[name, *sorted(others & left.keys())] for name, others in sorted(left.items())]


def test_no_module_imports_itself_in_a_circle() -> None:
    known = modules()
    graph = {name: imports(path, known) - {name} for name, path in known.items() if name != "kestrel"}
    assert circles(graph) == []


def test_no_file_is_too_long_to_read() -> None:
    assert {str(path): lines for path in PACKAGE.rglob("*.py") if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST} == {}


def test_no_process_takes_modules_from_the_current_folder() -> None:
    """`-m` and `-c` put the current folder first on the path, where the evidence is: a file `duckdb.py` there would be run."""
    started = [
        (path.name, [part.value if isinstance(part, ast.Constant) else None for part in node.elts])
        for path in modules().values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.List)
    ]
    python = [(name, parts) for name, parts in started if {"-m", "-c"} & {p for p in parts if p}]
    assert python
    assert [name for name, parts in python if not {"-P", "-I"} & {p for p in parts if p}] == []
