"""Containers as analytics: what the client is told, by a client that runs the image's program here; and a real engine where one is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest

from kestrel.analytics import Outcome, find
from kestrel.errors import KestrelError
from tests.analytics.conftest import Setup
from tests.analytics.variables import processes, table

CLIENT = """#!{python} -I
import json, os, sys, time
told = {{"arguments": sys.argv[1:], "x": os.environ.get("x")}}
with open({calls!r}, "a") as f:
    f.write(json.dumps(told) + "\\n")
if sys.argv[1] == "run":
    mount = next(a for a in sys.argv if a.startswith("--mount="))
    os.chdir(dict(p.partition("=")[::2] for p in mount[8:].split(","))["source"])
    exec(open({image!r}).read())
"""


class Bench:
    """`docker` on the PATH is a program that notes what it is told and runs `image` in the mounted folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls_file, self.image, self.scratch = folder / "calls", folder / "image.py", folder / "scratch"
        self.scratch.mkdir()
        client = folder / "bin" / "docker"
        client.parent.mkdir()
        client.write_text(CLIENT.format(python=sys.executable, calls=str(self.calls_file), image=str(self.image)), encoding="utf-8")
        client.chmod(0o755)
        monkeypatch.setenv("PATH", f"{client.parent}{os.pathsep}{os.environ['PATH']}")

    def run(self, uri: str, image: str, **arguments: Any) -> Outcome:
        self.image.write_text(image, encoding="utf-8")
        return find(uri).run([processes()], arguments, self.scratch)

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.calls_file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


WORK = """
import pandas
df = pandas.read_parquet("input/0.parquet.gz")
df.assign(x_seen=True)[["id", "x_seen"]].to_parquet("output/0.parquet.gz", compression="gzip")
print("done")
"""


def test_the_protocol_and_what_the_client_is_told(bench: Bench) -> None:
    found = bench.run("docker://score", WORK, x="a; touch /tmp/x")
    assert list(pandas.read_parquet(table(found))["x_seen"]) == [True, True, True] and found.log == ("done",)
    (call,) = bench.calls()
    known = call["arguments"]
    assert known[:3] == ["run", "--rm", "--pull=never"] and known[-1] == "kestrel-analytics-score"
    assert known[4].startswith("--mount=type=bind,source=") and known[4].endswith(",target=/data")
    assert "--env=x" in known and "--env=KESTREL_DATA=/data" in known
    assert call["x"] == "a; touch /tmp/x" and not any("touch" in part for part in known)


def test_a_profile_says_another_image(bench: Bench, setup: Setup) -> None:
    setup("docker: {Score: {image: 'registry.example:5000/team/score@sha256:00ff'}}")
    bench.run("docker://score", "pass")
    assert bench.calls()[0]["arguments"][-1] == "registry.example:5000/team/score@sha256:00ff"


def test_the_time_limit_removes_the_container(bench: Bench, setup: Setup) -> None:
    setup("docker: {score: {time_limit: 1}}")
    with pytest.raises(KestrelError) as caught:
        bench.run("docker://score", "time.sleep(60)")
    assert caught.value.code == "K0505"
    run, removal = (c["arguments"] for c in bench.calls())
    assert removal[:2] == ["rm", "--force"] and f"--name={removal[2]}" in run


@pytest.mark.parametrize(("code", "error"), [(125, "K0510"), (1, "K0504"), (137, "K0504")])
def test_how_it_ends(code: int, error: str, bench: Bench) -> None:
    with pytest.raises(KestrelError) as caught:
        bench.run("docker://score", f"print('docker: Error response: no such image'); sys.exit({code})")
    assert caught.value.code == error and "docker://score" in caught.value.message and "no such image" in caught.value.message


def test_no_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KestrelError) as caught:
        find("docker://score").run([processes()], {}, tmp_path)
    assert caught.value.code == "K0510"


def test_no_argument_steers_the_client(bench: Bench) -> None:
    with pytest.raises(KestrelError) as caught:
        bench.run("docker://score", "pass", DOCKER_HOST="tcp://203.0.113.9:2375")
    assert caught.value.code == "K0509"


def engine() -> bool:
    return shutil.which("docker") is not None and subprocess.run(["docker", "version"], capture_output=True).returncode == 0


@pytest.mark.skipif(not engine(), reason="no Docker engine answers here")
def test_a_real_engine_says_that_the_image_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KestrelError) as caught:
        find("docker://no-such-image-here").run([processes()], {}, tmp_path)
    assert caught.value.code == "K0510" and "kestrel-analytics-no-such-image-here" in caught.value.message
