"""Fields of documents that no log format maps: from a server as from the file."""

from __future__ import annotations

from typing import Any

import pytest

from kestrel import Session
from tests.live.fixtures import Profiled
from tests.live.test_hunt import DAY, on_file
from tests.servers.index import Index
from tests.servers.server import Server

HUNT = f"""
a = GET event FROM stixshifter://host101 WHERE data.LogonId = '0x3e5' {DAY}
b = GET process FROM stixshifter://host101 WHERE name = 'svchost.exe' AND event:data.IntegrityLevel = 'System' {DAY}
c = GET event FROM stixshifter://host101 WHERE ANY LIKE '%-EncodedCommand%' {DAY}
d = GET event FROM stixshifter://host101 WHERE code = '1' {DAY}
e = d WHERE data.TerminalSessionId = 1
f = GET process FROM stixshifter://host101 WHERE event:data.IntegrityLevel = 'Medium' {DAY}
g = GET process FROM stixshifter://host101 WHERE event:ANY LIKE '%-EncodedCommand%' {DAY}
r = RECORDS(b)
s = r WHERE data.LogonId = '0x3e7'
"""


def answers(session: Session) -> dict[str, Any]:
    """What each variable has: the ids of its entities and the number of its records; and the rows of one."""
    session.run(HUNT)
    shown = session.run("DISP d ATTR id, data.LogonId, data.Company, data.winlog.channel")
    found: dict[str, Any] = {n: {row["id"] for row in session[n].to_dicts()} for n in "abcdefg"}
    return found | {"s": len(session["s"]), "shown": set(getattr(shown[0], "rows", ()))}


@pytest.mark.parametrize("whole", [1_000_000, 1], ids=["whole", "narrow"])
def test_the_same_as_on_the_file(server: Server, sample: Index, profiled: Profiled, monkeypatch: pytest.MonkeyPatch, whole: int) -> None:
    profiled(server.url, sample.name, options={"fetch_whole": whole})
    with Session() as session:
        live = answers(session)
    on_file(monkeypatch)
    with Session() as session:
        read = answers(session)
    assert all(read[name] for name in "abcdefg") and read["s"]
    assert live == read


def test_a_field_that_no_document_has_is_a_notice(server: Server, sample: Index, profiled: Profiled) -> None:
    profiled(server.url, sample.name)
    with Session() as session:
        told = session.run(f"x = GET event FROM stixshifter://host101 WHERE data.Nothing = 1 {DAY}")
        assert any(getattr(r, "code", "") == "no-such-field" and "data.Nothing" in r.message for r in told)  # type: ignore[union-attr]
        assert len(session["x"]) == 0


def test_shown_after_documents_were_fetched_without_it(server: Server, sample: Index, profiled: Profiled) -> None:
    profiled(server.url, sample.name)
    with Session() as session:
        session.run(f"p = GET event FROM stixshifter://host101 WHERE code = '1' {DAY}")
        rows = getattr(session.run("DISP p ATTR data.LogonId")[0], "rows", ())
        assert {value for (value,) in rows} >= {"0x3e7", "0x3e5"}
