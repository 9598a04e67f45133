"""What every test may ask for."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from kestrel import Session

pytest_plugins = ["tests.servers.fixtures", "tests.live.fixtures"]
SHARED = Path(__file__).parents[1].parent / "shared" / "data"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as where the tests run in the background: programs they start would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)


MARKED = {"server": {"start_server", "server", "servers", "connector"}, "browser": {"browser"}}
"""The markers of tests, by the fixtures they use."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker, fixtures in MARKED.items():
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)
        if "fuzz" in item.path.parts:
            item.add_marker("fuzz")
    _sample(items)


def _sample(items: list[pytest.Item]) -> None:
    """Of a test marked `sampled(n)`, all cases but each n-th count as slow."""
    seen: Counter[str] = Counter()
    for item in items:
        if mark := item.get_closest_marker("sampled"):
            test = item.nodeid.partition("[")[0]
            if seen[test] % mark.args[0]:
                item.add_marker("slow")
            seen[test] += 1


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's settings, profiles or cache, or what Kestrel wrote for them."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("KESTREL_CACHE", "off")
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    (folder / "kestrel.yaml").touch()
    monkeypatch.setenv("KESTREL_CONFIG", str(folder / "kestrel.yaml"))
    monkeypatch.setenv("KESTREL_STIXSHIFTER_CONFIG", str(folder / "stixshifter.yaml"))
    monkeypatch.delenv("KESTREL_FORMATS", raising=False)
    monkeypatch.setenv("KESTREL_CONNECTORS", str(folder / "connectors"))
    for scheme in ("HOST101", "LAB"):
        for part in ("CONNECTOR", "CONNECTION", "CONFIG"):
            monkeypatch.delenv(f"STIXSHIFTER_{scheme}_{part}", raising=False)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as s:
        yield s


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real logs; the test is skipped where they are not."""
    if not SHARED.is_dir():
        pytest.skip("the real logs (../shared/data) are not here")
    return SHARED
