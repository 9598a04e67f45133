"""Which analytic a name stands for, and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kestrel.analytics import find, names
from kestrel.errors import KestrelError
from tests.analytics.conftest import Setup

ALL = """
profiles:
  Enrich: {module: json, func: dumps}
  risk: {module: json, func: dumps}
exec:
  score: {command: [python3, -c, pass], token: s3cr3t}
docker:
  cluster: {image: "example/cluster:2", time_limit: 5}
"""


def mistake(uri: str) -> KestrelError:
    with pytest.raises(KestrelError) as caught:
        find(uri)
    assert caught.value.span is None
    return caught.value


def test_every_kind_of_name(setup: Setup) -> None:
    assert names() == ["beacons", "indicators", "risk"]
    setup(ALL)
    assert names() == ["beacons", "indicators", "risk", "python://Enrich", "python://risk", "exec://score", "docker://cluster"]
    assert [find(n).name for n in names()] == [
        "builtin://beacons",
        "builtin://indicators",
        "python://risk",
        "python://Enrich",
        "python://risk",
        "exec://score",
        "docker://cluster",
    ]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("PYTHON://ENRICH", "python://Enrich"),
        ("enrich", "python://Enrich"),
        ("builtin://Risk", "builtin://risk"),
        ("docker://other", "docker://other"),
    ],
)
def test_names_ignore_case_and_own_ones_go_first(uri: str, name: str, setup: Setup) -> None:
    setup(ALL)
    assert find(uri).name == name


@pytest.mark.parametrize(
    ("uri", "code", "parts"),
    [
        ("pyton://enrich", "K0501", ["did you mean `python://`?", "`docker://`"]),
        ("python://enrch", "K0502", ["did you mean `python://Enrich`?", "`profiles`", "pythonanalytics.yaml", "KESTREL_PYTHON_ANALYTICS_CONFIG"]),
        ("exec://scor", "K0502", ["did you mean `exec://score`?", "section `exec`"]),
        ("beacon", "K0502", ["did you mean `beacons`?"]),
        ("builtin://nothing", "K0502", ["`beacons`, `indicators`, `risk`"]),
        ("python://", "K0502", ["`python://Enrich`"]),
        ("docker://../../etc", "K0503", []),
        ("docker://a b", "K0503", []),
    ],
)
def test_what_is_not_there(uri: str, code: str, parts: list[str], setup: Setup) -> None:
    setup(ALL)
    found = mistake(uri)
    assert found.code == code
    for part in parts:
        assert part in (found.hint or ""), found.hint


@pytest.mark.parametrize(
    ("settings", "uri"),
    [
        ("profiles: {a: {func: f}}", "python://a"),
        ("profiles: {a: {module: 3, func: f}}", "python://a"),
        ("profiles: {a: {module: json}}", "python://a"),
        ("profiles: {a: {module: ./gone.py, func: f}}", "python://a"),
        ("profiles: {a: text}", "python://a"),
        ("profiles: {a: [", "python://a"),
        ("exec: {a: {command: python3 score.py}}", "exec://a"),
        ("exec: {a: {command: []}}", "exec://a"),
        ("exec: {a: {command: [a, [b]]}}", "exec://a"),
        ("exec: {a: {command: [a], time_limit: 0}}", "exec://a"),
        ("exec: {a: {command: [a], time_limit: true}}", "exec://a"),
        ("exec: {a: {command: [a], time_limit: .nan}}", "exec://a"),
        ("docker: {a: {image: --privileged}}", "docker://a"),
        ("docker: {a: {image: 3}}", "docker://a"),
    ],
)
def test_a_profile_that_cannot_be_used(settings: str, uri: str, setup: Setup) -> None:
    setup(settings)
    assert mistake(uri).code == "K0503"


def test_a_profile_is_never_printed(setup: Setup) -> None:
    setup(ALL)
    assert "s3cr3t" not in repr(find("exec://score")) and "s3cr3t" not in str(mistake("exec://scor"))


def test_finding_imports_nothing_heavy() -> None:
    heavy = "{'pandas', 'numpy', 'pyarrow', 'matplotlib', 'duckdb'}"
    code = f"import sys; from kestrel.analytics import find, names; names(); find('risk'); find('docker://x'); exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
