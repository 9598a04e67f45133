"""The sample data: made anew it is the same, it is as nasty as promised, and its truth is what its records say."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import zstandard
from tools.simulator.__main__ import SHIPPED, STORY_SEED, TRUTH, lines, packed, simulate, truth_text
from tools.simulator.truth import truth
from tools.simulator.world import at

from tests.simulate.reading import Life, Reading

SEEDS = range(1, 10)
SMALL = 0.15
STORY = {
    "sp": 183,
    "spschedule": 2,
    "tasks": 126,
    "amcet": 24,
    "amcet_child": 45,
    "nt": 23,
    "amcet_cc": 0,
    "amcet_f": 2,
}


@cache
def shipped() -> list[str]:
    with zstandard.open(SHIPPED, "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n") for line in file]


@cache
def shipped_truth() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TRUTH.read_text(encoding="utf-8"))
    return found


@cache
def logged(seed: int) -> tuple[list[str], dict[str, Any]]:
    """A log and its truth: the story's, or one of a small plan drawn from the seed."""
    if seed == STORY_SEED:
        return shipped(), shipped_truth()
    world = simulate(seed, size=SMALL)
    return list(lines(world)), json.loads(truth_text(world))


@cache
def reading(seed: int) -> Reading:
    return Reading(logged(seed)[0])


# -- the same for the same seed ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_one_seed_gives_the_same_bytes_each_time() -> None:
    assert packed(simulate(7, size=SMALL)) == packed(simulate(7, size=SMALL))


def test_another_seed_gives_another_log_and_truth() -> None:
    assert logged(1)[0] != logged(2)[0]
    assert logged(1)[1]["hunt"] != logged(2)[1]["hunt"]


@pytest.mark.slow
def test_the_shipped_files_are_what_the_simulator_makes() -> None:
    world = simulate(STORY_SEED, story=True)
    assert list(lines(world)) == shipped()
    assert json.loads(truth_text(world)) == shipped_truth()


def test_the_shipped_log_is_small_enough() -> None:
    assert SHIPPED.stat().st_size <= 1_000_000
    assert 19_000 <= len(shipped()) <= 21_000


# -- the truth ---------------------------------------------------------------------------------------------------------


def test_the_story_has_its_numbers() -> None:
    assert {step: found["count"] for step, found in shipped_truth()["hunt"].items()} == STORY


@pytest.mark.parametrize("seed", [*SEEDS, STORY_SEED])
def test_a_reading_of_the_log_finds_what_is_true(seed: int) -> None:
    true = logged(seed)[1]["hunt"]
    for step, found in reading(seed).hunt().items():
        assert len(found) == true[step]["count"], step
        if "processes" in true[step]:
            expected = sorted((p["host"], p["pid"], p["name"].lower()) for p in true[step]["processes"])
            assert sorted((x.host, x.pid, x.name.lower()) for x in found) == expected, step


@pytest.mark.parametrize("seed", [*SEEDS, STORY_SEED])
def test_a_reading_of_the_log_finds_the_same_processes(seed: int) -> None:
    true, read = logged(seed)[1], reading(seed)
    assert len(read.processes(read.events)) == true["totals"]["process"]
    assert len(read.processes(read.day())) == true["range_totals"]["process"]
    expected = Counter((host, pid, name.lower()) for host, pid, name, *_ in true["processes"]["rows"])
    assert Counter((x.host.split(".")[0], x.pid, x.name.lower()) for x in read.processes(read.events)) == expected


@pytest.mark.parametrize("seed", [*SEEDS, STORY_SEED])
def test_a_reading_of_the_log_finds_the_same_children(seed: int) -> None:
    read = reading(seed)
    children: dict[Life, set[Life]] = defaultdict(set)
    for event in read.events:
        if parent := read.parents.get(id(event)):
            children[parent].add(read.actors[id(event)])
    expected = Counter((host, pid, n) for host, pid, _, _, _, _, n, _ in logged(seed)[1]["processes"]["rows"] if n)
    assert Counter((x.host.split(".")[0], x.pid, len(found)) for x, found in children.items()) == expected


def test_the_seeds_differ_in_every_step_that_can() -> None:
    for step in ("sp", "tasks", "amcet", "amcet_child", "nt"):
        assert len({logged(seed)[1]["hunt"][step]["count"] for seed in SEEDS}) > 2, step


def test_the_truth_of_another_day_is_another() -> None:
    world = simulate(3, size=SMALL)
    first = truth(world, at(0, 0), at(1, 0))
    assert first["hunt"]["tasks"]["processes"] != truth(world)["hunt"]["tasks"]["processes"]
    assert first["range_totals"] == truth(world)["by_day"][0]


# -- nastiness ---------------------------------------------------------------------------------------------------------


@cache
def documents() -> list[dict[str, Any]]:
    return [json.loads(line) for line in shipped()]


def test_some_lines_stand_in_the_file_twice() -> None:
    assert 0.005 < 1 - len(set(shipped())) / len(shipped()) < 0.02
    logs = [d["winlog"] for d in documents()]
    keys = {(w["computer_name"].split(".")[0].lower(), w["channel"], w["record_id"]) for w in logs}
    assert len(keys) == len(set(shipped()))


def test_every_promised_event_is_there() -> None:
    codes = Counter(d["event"]["code"] for d in documents())
    assert set(codes) == {"1", "3", "5", "7", "11", "13", "22", "4688", "4689", "5156"}
    assert min(codes.values()) > 100


def test_a_guid_is_spelt_in_two_cases() -> None:
    spelt = defaultdict(set)
    for document in documents():
        if guid := document.get("process", {}).get("entity_id"):
            spelt[guid.upper()].add(guid)
    assert sum(len(s) == 2 for s in spelt.values()) > 200


def test_a_file_is_spelt_in_two_cases() -> None:
    spelt = defaultdict(set)
    for document in documents():
        if path := document.get("process", {}).get("executable"):
            spelt[path.lower()].add(path)
    assert len(spelt["c:\\windows\\system32\\conhost.exe"]) == 2


def test_one_command_line_has_ten_thousand_signs() -> None:
    long = {c for d in documents() if len(c := d.get("process", {}).get("command_line", "")) > 2_000}
    assert [len(c) for c in long] == [10_000]


def test_scripts_of_many_languages_are_there() -> None:
    whole = "".join(shipped())
    assert all(sign in whole for sign in ("Отчёт", "見積書", "חשבונית", "🎉", "Зоя", "田中"))


def test_many_records_share_their_time_and_the_file_is_in_no_strict_order() -> None:
    times = [d["@timestamp"] for d in documents()]
    assert sum(n for n in Counter(times).values() if n > 1) > 1_000
    assert times != sorted(times)


def test_pids_are_used_again() -> None:
    lives = defaultdict(list)
    for life in reading(STORY_SEED).processes(reading(STORY_SEED).events):
        lives[life.host, life.pid].append(life)
    again = [sorted(ls, key=lambda x: x.start) for ls in lives.values() if len(ls) > 1]
    gaps = [(a.name == b.name, b.start - a.end) for ls in again for a, b in pairwise(ls) if a.end]
    assert sum(same for same, _ in gaps) > 5
    assert sum(not same and gap < 3 for same, gap in gaps) > 5


def test_the_second_scheduler_is_known_only_as_a_parent() -> None:
    first, second = shipped_truth()["hunt"]["spschedule"]["processes"]
    creations = {d["process"]["entity_id"].upper() for d in documents() if d["event"]["code"] == "1"}
    actors = {d["process"]["entity_id"].upper() for d in documents() if "entity_id" in d.get("process", {})}
    parents = {d["process"]["parent"]["entity_id"].upper() for d in documents() if d["event"]["code"] == "1"}
    assert first["guid"] in creations and first["start"] < "2021-04-03"
    assert second["guid"] in parents - actors


def test_other_hosts_and_days_have_what_the_hunt_must_leave_out() -> None:
    amcet = [d for d in documents() if d["event"]["code"] == "1" and d["process"]["name"] == "amcet.exe"]
    where = {(d["host"]["name"].split(".")[0], d["@timestamp"][:10]) for d in amcet}
    assert where >= {("host101", f"2021-04-0{day}") for day in (2, 3, 4)} | {("host102", "2021-04-03")}
    schedulers = {p["guid"] for p in shipped_truth()["hunt"]["spschedule"]["processes"]}
    command = r"C:\Windows\system32\svchost.exe -k netsvcs -p -s Schedule"
    others = [d["process"] for d in documents() if d.get("process", {}).get("command_line") == command]
    assert {p["entity_id"].upper() for p in others if "entity_id" in p} - schedulers


def test_host101_logs_no_file_and_no_module_that_a_lean_configuration_leaves_out() -> None:
    host101 = [d for d in documents() if d["host"]["name"].lower().startswith("host101")]
    made = [d["file"]["extension"] for d in host101 if d["event"]["code"] == "11"]
    loaded = [d["file"]["path"].lower() for d in host101 if d["event"]["code"] == "7"]
    assert made and set(made) <= {"exe", "dll", "ps1", "js", "vbs", "bat", "cmd"}
    assert loaded and all(p.startswith(("c:\\users\\", "c:\\programdata\\", "c:\\windows\\temp\\")) for p in loaded)
