"""One hunt, one answer: by the real connector `elastic_ecs` as on the file."""

from __future__ import annotations

from typing import Any

from kestrel import Session
from tests.live.test_roads import HUNTS, OTHER, answers, on_file
from tests.servers.index import Index
from tests.servers.server import Server
from tests.stixshifter.conftest import Asked

__all__ = ["on_file"]


def test_the_same_entities_and_records_as_on_the_file(server: Server, sample: Index, asked: Asked, on_file: dict[str, Any]) -> None:
    """The rows differ in the attributes that the connector never brings."""
    asked(server, sample.name)
    wrong = []
    with Session(rows=None) as session:
        for name, hunt in (HUNTS | OTHER).items():
            made = [m[:4] for m in answers(session.run(hunt))[1]]
            expected = [m[:4] for m in on_file[name][1]]
            if made != expected:
                wrong.append(f"{name}: {made} and not {expected}")
    assert not wrong, "\n".join(wrong)
