"""The real connector `elastic_ecs` against running servers, through TLS and with an API key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from kestrel import Session
from kestrel.errors import HuntErrors
from kestrel.pushdown.request import FetchRequest, FieldPredicate
from kestrel.result import Notice
from kestrel.sources.profiles import profile
from kestrel.sources.stixshifter.failures import CutOff, TooManyRecords
from kestrel.sources.stixshifter.fetch import Shifter
from tests.servers import fault
from tests.servers.credential import api_key
from tests.servers.fixtures import Indexed
from tests.servers.index import Index
from tests.servers.server import Server
from tests.stixshifter.conftest import KEY, Asked
from tests.test_demo import EXPECTED, HUNT, counts

DAY = "START t'2021-04-03T00:00:00Z' STOP t'2021-04-04T00:00:00Z'"
RANGE = FetchRequest(datetime(2021, 4, 3, tzinfo=UTC), datetime(2021, 4, 4, tzinfo=UTC))


def source() -> Shifter:
    return Shifter(profile("host101"))


def records(files: Sequence[Path]) -> list[dict[str, Any]]:
    """The records in bundles."""
    found = [o for f in files for o in json.loads(f.read_text(encoding="utf-8"))["objects"]]
    return [o for o in found if o["type"] == "observed-data"]


def documents(files: Sequence[Path]) -> list[str]:
    return [r["id"] for r in records(files)]


def failed(text: str) -> str:
    with Session() as session, pytest.raises(HuntErrors) as caught:
        session.run(text)
    return str(caught.value)


# -- right answers ---------------------------------------------------------------------------------------------------


def test_the_hunt_gives_its_numbers(server: Server, sample: Index, asked: Asked) -> None:
    asked(server, sample.name)
    with Session() as session:
        session.run(HUNT)
        assert counts(session) == EXPECTED


def test_every_record_of_a_range_comes_once(
    server: Server, sample: Index, asked: Asked, sample_documents: list[dict[str, Any]], tmp_path: Path
) -> None:
    asked(server, sample.name)
    found = documents(source().fetch(FetchRequest(), tmp_path, lambda _: None))
    keys = {(d["winlog"]["channel"], d["winlog"]["record_id"], d["@timestamp"]) for d in sample_documents}
    assert len(found) == len(set(found)) == len(keys)


def of_one_time(number: int, at: str) -> list[dict[str, Any]]:
    return [{"@timestamp": at, "host": {"name": "h1"}, "process": {"pid": n, "name": "a.exe"}, "event": {"code": "1"}} for n in range(number)]


def test_records_of_one_time_at_the_end_of_a_page_are_not_lost(server: Server, indexed: Indexed, asked: Asked, tmp_path: Path) -> None:
    """Pages of 100 records, and groups of up to 90 with one time."""
    times = [f"2021-04-03T00:00:{s:02}.000Z" for s in range(20)]
    every = [d for n, at in enumerate(times) for d in of_one_time(50 + n % 5 * 10, at)]
    index = indexed(server, every, settings={"index.max_result_window": 100})
    asked(server, index.name)
    found = documents(source().fetch(RANGE, tmp_path, lambda _: None))
    assert len(found) == len(set(found)) == len(every)


def test_more_records_of_one_time_than_a_page_holds_are_an_error(server: Server, indexed: Indexed, asked: Asked, tmp_path: Path) -> None:
    index = indexed(server, of_one_time(150, "2021-04-03T00:00:00.000Z"), settings={"index.max_result_window": 100})
    asked(server, index.name)
    with pytest.raises(CutOff, match="hands over 100 records at once, and there are more of one millisecond"):
        source().fetch(RANGE, tmp_path, lambda _: None)


def test_a_page_larger_than_the_largest_group_of_one_time_brings_it(server: Server, indexed: Indexed, asked: Asked, tmp_path: Path) -> None:
    every = [*of_one_time(12_000, "2021-04-03T00:00:00.000Z"), *of_one_time(9_000, "2021-04-03T00:00:01.000Z")]
    index = indexed(server, every, settings={"index.max_result_window": 15_000})
    asked(server, index.name)
    found = documents(source().fetch(RANGE, tmp_path, lambda _: None))
    assert len(found) == len(set(found)) == len(every)


def test_a_text_with_quotes_and_backslashes_is_asked_for_as_it_is(server: Server, indexed: Indexed, asked: Asked, tmp_path: Path) -> None:
    """The `x_unique_id` of some sensors is any text."""
    strange = ["it's", 'say "no"', "C:\\a\\b", "\\", "(a) OR b", "a*b?", "'; DROP", "ünïcode ☃", "a:b/c [d] {e}"]
    every = [
        {"@timestamp": "2021-04-03T00:00:00Z", "process": {"pid": n, "entity_id": text}, "event": {"code": "1"}} for n, text in enumerate(strange)
    ]
    index = indexed(server, every, mappings={"properties": {"process": {"properties": {"entity_id": {"type": "keyword"}}}}})
    asked(server, index.name)
    for number, text in enumerate(strange):
        folder = tmp_path / str(number)
        folder.mkdir()
        wanted = FetchRequest(RANGE.start, RANGE.stop, ((FieldPredicate(("process.x_unique_id",), "=", (text,)),),))
        found = [o.get("x_unique_id") for r in records(source().fetch(wanted, folder, lambda _: None)) for o in r["objects"].values()]
        assert text in found, text
        assert len(found) < 6 or "'" in text, "STIX-shifter misreads a quote, so everything is asked for then"


def test_what_stix_shifter_thinks_invalid_is_kept(server: Server, indexed: Indexed, asked: Asked, session: Session) -> None:
    """Names in upper case and with underscores, and a time with an offset."""
    asked_for = ["Www.Example.COM", "_ldap._tcp.corp.example", "plain.example"]
    every = [{"@timestamp": "2021-04-03T02:00:00+02:00", "dns": {"question": {"name": n}}, "event": {"code": "22"}} for n in asked_for]
    asked(server, indexed(server, every).name)
    session.run("x = GET domain-name FROM stixshifter://host101 WHERE value LIKE '%' START t'2021-04-03T00:00:00Z' STOP t'2021-04-03T00:00:01Z'")
    assert {r["value"] for r in session["x"].to_dicts()} == {n.lower() for n in asked_for}


def test_a_field_the_connector_never_brings_is_named(server: Server, sample: Index, asked: Asked, session: Session) -> None:
    asked(server, sample.name)
    results = session.run(f"x = GET process FROM stixshifter://host101 WHERE x_integrity_level = 'High' AND pid > 0 {DAY} DISP x ATTR cwd, name")
    known = [r.message for r in results if isinstance(r, Notice)]
    assert "`stixshifter://host101` has no field for `x_integrity_level` of process" in known
    assert not any("`name`" in t or "`pid`" in t for t in known)


def test_a_creation_before_start_is_known(
    server: Server, sample: Index, asked: Asked, session: Session, sample_documents: list[dict[str, Any]]
) -> None:
    asked(server, sample.name)
    start = "2021-04-03T12:00:00Z"
    session.run(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 START t'{start}' STOP t'2021-04-03T12:30:00Z'")
    found = {r["x_unique_id"].upper(): r["command_line"] for r in session["x"].to_dicts() if r.get("x_unique_id") and r.get("command_line")}
    earlier = {
        d["process"]["entity_id"].upper(): d["process"]["command_line"]
        for d in sample_documents
        if d["event"]["code"] == "1" and d["event"]["provider"].endswith("Sysmon") and d["@timestamp"] < start
    }
    shown = [i for i in found if i in earlier]
    assert shown and all(found[i] == earlier[i] for i in shown)


# -- faults ----------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_turned_away_without_being_told(server: Server, sample: Index, asked: Asked) -> None:
    asked(server, sample.name, auth={"id": "x1", "api_key": "s3cr3t-other"})
    known = failed(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 {DAY}")
    assert "error[K0726]" in known and "`host101`" in known and "--> <cell>:1:22" in known
    assert "s3cr3t" not in known


def test_a_certificate_nobody_knows_is_refused(server: Server, sample: Index, asked: Asked) -> None:
    asked(server, sample.name, selfSignedCert="")
    assert "error[K0727]" in failed(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 {DAY}")
    asked(server, sample.name, selfSignedCert="", options={"verify_cert": False})
    with Session() as session:
        session.run(f"x = GET process FROM stixshifter://host101 WHERE name = 'amcet.exe' {DAY}")
        assert len(session["x"]) == EXPECTED["amcet"] + 3


def test_where_nobody_listens(server: Server, sample: Index, asked: Asked) -> None:
    asked(server, sample.name).close()
    assert "error[K0725]" in failed(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 {DAY}")


MISSING = fault.Change({"_shards": {"total": 3, "successful": 2, "failed": 0}})
SKIPPED = fault.Rewrite(lambda a: {"took": 1, "_clusters": {"total": 2, "successful": 1, "skipped": 1}, **a})


@pytest.mark.parametrize(
    "wrong",
    [fault.SHARDS_FAILED, MISSING, SKIPPED, fault.TIMED_OUT, fault.internal_error(), fault.Garble(), fault.Cut()],
    ids=lambda w: type(w).__name__,
)
def test_a_part_of_an_answer_is_never_taken_for_the_whole(server: Server, sample: Index, asked: Asked, wrong: fault.Fault) -> None:
    asked(server, sample.name).misbehave(wrong, None, path="_search")
    known = failed(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 {DAY}")
    assert "error[K07" in known and "`host101`" in known and ("for a page of records" in known or "to read what came" in known)


def test_an_error_that_passes_is_asked_again(server: Server, sample: Index, asked: Asked, session: Session) -> None:
    asked(server, sample.name).misbehave(fault.internal_error(), 1, path="_search")
    session.run(f"x = GET process FROM stixshifter://host101 WHERE name = 'amcet.exe' {DAY}")
    assert len(session["x"]) > 0


def test_a_server_that_says_nothing(server: Server, sample: Index, asked: Asked) -> None:
    asked(server, sample.name, options={"timeout": 2}).misbehave(fault.HangHead(), None, path="_search")
    known = failed(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 {DAY}")
    assert "error[K0728]" in known and "raise `timeout`" in known


@pytest.mark.parametrize("slow", [fault.Drip(0.3), fault.DripHead(0.3)], ids=lambda w: type(w).__name__)
def test_a_server_that_sends_a_byte_at_a_time(server: Server, sample: Index, asked: Asked, slow: fault.Fault) -> None:
    asked(server, sample.name, options={"timeout": 1}).misbehave(slow, None, path="_search")
    known = failed(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 {DAY}")
    assert "error[K07" in known and "raise `timeout`" in known


def test_more_than_the_bound_is_an_error(server: Server, sample: Index, asked: Asked, tmp_path: Path) -> None:
    asked(server, sample.name, options={"fetch_bound": 1000})
    with pytest.raises(TooManyRecords, match="1,000"):
        source().fetch(RANGE, tmp_path, lambda _: None)


def test_what_the_connector_does_not_take_is_told_without_values(server: Server, sample: Index, asked: Asked) -> None:
    asked(server, sample.name, auth={**KEY, "passphrase": "s3cr3t-more"}, options={"strange": 1})
    known = failed(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 {DAY}")
    assert ("error[K0723]" in known and "`configuration.auth.passphrase`" in known) or "`strange`" in known
    assert "s3cr3t" not in known


def test_a_mapping_without_anything_to_ask_for(server: Server, sample: Index, asked: Asked) -> None:
    nothing = {"from_stix_map": {"x-strange": {"fields": {"y": ["z"]}}}}
    asked(server, sample.name, options={"mapping": nothing})
    assert "error[K0724]" in failed(f"x = GET process FROM stixshifter://host101 WHERE pid > 0 {DAY}")


# -- secrets, and nothing left behind --------------------------------------------------------------------------------


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "runner.py" in " ".join(p.cmdline()) or "spawn_main" in " ".join(p.cmdline())]


@pytest.fixture
def watched() -> Iterator[list[str]]:
    """Command lines and environments of all child processes while a test runs."""
    seen: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for child in psutil.Process().children(recursive=True):
                try:
                    seen.append(" ".join(child.cmdline()) + repr(child.environ()))
                except psutil.Error:
                    continue
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    yield seen
    done.set()
    thread.join()


def test_no_secret_shows_anywhere(server: Server, sample: Index, asked: Asked, session: Session, watched: list[str], capfd: Any) -> None:
    asked(server, sample.name)
    results = session.run(f"x = GET process FROM stixshifter://host101 WHERE name = 'amcet.exe' {DAY} EXPLAIN x INFO x DISP x")
    ours = [w for w in watched if "runner.py" in w]
    known = (
        repr(results) + repr(source().profile) + "".join(capfd.readouterr()) + "".join(w for w in watched if "runner.py" in w or "spawn_main" in w)
    )
    assert ours and "process:name LIKE" in known, "the child was seen, and EXPLAIN shows the pattern"
    for secret in (KEY["api_key"], KEY["id"], api_key(KEY["id"], KEY["api_key"]).removeprefix("ApiKey ")):
        assert secret not in known


def test_stopping_leaves_no_process_and_the_session_usable(server: Server, sample: Index, asked: Asked) -> None:
    proxy = asked(server, sample.name)
    proxy.misbehave(fault.HangHead(60), 1, path="_search")
    text = f"x = GET process FROM stixshifter://host101 WHERE name = 'amcet.exe' {DAY}"
    with Session() as session:
        threading.Timer(4, session.interrupt).start()
        began = time.monotonic()
        with pytest.raises(HuntErrors, match="K0709"):
            session.run(text)
        assert time.monotonic() - began < 30
        assert children() == []
        session.run(text)
        assert len(session["x"]) > 0
    assert children() == []


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_the_child_ends_with_its_parent(server: Server, sample: Index, asked: Asked, end: signal.Signals) -> None:
    """Whatever ends it."""
    proxy = asked(server, sample.name)
    proxy.misbehave(fault.HangHead(60), None, path="_search")
    text = f"x = GET process FROM stixshifter://host101 WHERE name = 'amcet.exe' {DAY}"
    parent = subprocess.Popen(
        [sys.executable, "-m", "kestrel", "-c", text], env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(300):
        if proxy.asked("_search"):
            break
        time.sleep(0.1)
    found = psutil.Process(parent.pid).children(recursive=True)
    assert found
    parent.send_signal(end)
    parent.wait(20)
    _, alive = psutil.wait_procs(found, timeout=10)
    assert alive == []
