"""Programs as analytics: a real process, a real folder."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas
import psutil
import pytest

from kestrel.analytics import Outcome, find
from kestrel.errors import KestrelError
from kestrel.result import Picture, Text
from tests.analytics.conftest import Setup
from tests.analytics.variables import Given, processes, table


class Bench:
    """Runs the text of a Python script as `exec://a`."""

    def __init__(self, setup: Setup, folder: Path) -> None:
        self.setup, self.scratch = setup, folder / "scratch"
        self.scratch.mkdir()

    def run(self, script: str, *inputs: Given, limit: float = 30, **arguments: Any) -> Outcome:
        path = self.setup(f"exec: {{a: {{command: ['{sys.executable}', -I, ./own.py], time_limit: {limit}}}}}")
        (path.parent / "own.py").write_text(dedent(script), encoding="utf-8")
        return find("exec://a").run(inputs or (processes(),), arguments, self.scratch)

    def mistake(self, script: str, *inputs: Given, **options: Any) -> KestrelError:
        with pytest.raises(KestrelError) as caught:
            self.run(script, *inputs, **options)
        assert "exec://a" in caught.value.message
        return caught.value


@pytest.fixture
def bench(setup: Setup, tmp_path: Path) -> Bench:
    return Bench(setup, tmp_path)


def read(path: Any) -> Any:
    return pandas.read_parquet(path)


def test_variables_come_and_go_as_parquet(bench: Bench) -> None:
    found = bench.run(
        """
        import pandas
        a = pandas.read_parquet("input/0.parquet.gz")
        b = pandas.read_parquet("input/1.parquet.gz")
        a["x_other"] = len(b)
        a[["id", "x_other"]].to_parquet("output/0.parquet.gz", compression="gzip")
        print("read", len(a))
        """,
        processes(3),
        processes(2),
    )
    assert read(table(found)).to_dict("list") == {"id": ["process--0", "process--1", "process--2"], "x_other": [2, 2, 2]}
    assert table(found, 1) is None and found.displays == () and found.log == ("read 3",)
    assert table(found).is_relative_to(bench.scratch)


def test_a_file_packed_by_gzip_as_a_whole(bench: Bench) -> None:
    found = bench.run("""
        import gzip, pandas, io
        plain = io.BytesIO()
        pandas.read_parquet("input/0.parquet.gz").to_parquet(plain)
        with gzip.open("output/0.parquet.gz", "wb") as f:
            f.write(plain.getvalue())
    """)
    assert list(read(table(found))["pid"]) == [0, 1, 2]


def test_what_it_shows(bench: Bench) -> None:
    found = bench.run("""
        from pathlib import Path
        Path("display/2.html").write_text("<h1>Title</h1>")
        Path("display/1.txt").write_text("plain é", encoding="utf-8")
        Path("display/3.svg").write_text("<svg/>")
        Path("display/4.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\n...")
        Path("display/5.csv").write_text("a,b")
    """)
    text, html, svg, png = found.displays
    assert text == Text("exec://a", "plain é")
    assert isinstance(html, Picture) and (html.html, html.text) == ("<h1>Title</h1>", "Title")
    assert isinstance(svg, Picture) and svg.svg == "<svg/>"
    assert isinstance(png, Picture) and png.image == b"\x89PNG\r\n\x1a\n..."
    assert "display/5.csv" in found.log[-1]


def test_arguments_are_environment_variables_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    odd = f"$(touch {tmp_path}/made); `id` ' \" \n é 😀"
    found = bench.run(
        """
        import os, sys
        sys.stdout.reconfigure(encoding="utf-8")
        print(repr(os.environ["odd"]), os.environ["many"], sys.argv[1:], os.environ["KESTREL_DATA"] == os.getcwd())
        """,
        odd=odd,
        many=["a", 1],
    )
    assert found.log == (f"{odd!r} a,1 [] True",)
    assert not (tmp_path / "made").exists() and "odd" not in os.environ


def test_a_failure_shows_its_last_lines(bench: Bench) -> None:
    found = bench.mistake("for n in range(50): print('line', n)\nraise RuntimeError('the end')")
    assert found.code == "K0504" and "ended with code 1; its last lines:" in found.message
    assert "RuntimeError: the end" in found.message and "line 3\n" not in found.message


def test_a_signal_has_a_name(bench: Bench) -> None:
    assert "SIGSEGV" in bench.mistake("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").message


def ended(pid: int) -> bool:
    """Whether a process is gone within two seconds."""
    for _ in range(40):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
open({path!r}, "w").write(str(child.pid))
print("started", flush=True)
"""


def test_the_time_limit_ends_the_whole_group(bench: Bench, tmp_path: Path) -> None:
    found = bench.mistake(CHILD.format(path=str(tmp_path / "pid")) + "time.sleep(60)", limit=2)
    assert found.code == "K0505" and "time limit of 2 seconds" in found.message and "started" in found.message
    assert ended(int((tmp_path / "pid").read_text()))


def test_nothing_is_left_running_after_a_good_end(bench: Bench, tmp_path: Path) -> None:
    bench.run(CHILD.format(path=str(tmp_path / "pid")))
    assert ended(int((tmp_path / "pid").read_text()))


def test_an_interrupt_ends_it(bench: Bench, tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        bench.run(CHILD.format(path=str(tmp_path / "pid")) + "time.sleep(60)")
    assert ended(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ("open('output/0.parquet.gz', 'w').write('id,x\\n1,2')", "no Parquet"),
        ("open('output/0.parquet.gz', 'w')", "no Parquet"),
        ("open('output/0.parquet.gz', 'wb').write(b'PAR1PAR1')", "no Parquet"),
        ("open('output/0.parquet.gz', 'wb').write(b'\\x1f\\x8b broken')", "damaged"),
        ("open('output/1.parquet.gz', 'wb').write(b'PAR1')", "only 1 variable"),
        ("open('display/a.png', 'w').write('no image')", "no PNG"),
    ],
)
def test_what_cannot_be_taken_back(script: str, part: str, bench: Bench) -> None:
    found = bench.mistake(script)
    assert found.code == "K0506" and part in found.message


def test_links_are_not_followed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    found = bench.run(f"""
        import os, shutil
        os.symlink({str(tmp_path / "secret.txt")!r}, "display/a.txt")
        os.mkfifo("display/b.txt")
        shutil.rmtree("output")
        os.symlink({str(tmp_path)!r}, "output")
    """)
    assert found.displays == () and found.tables == (None,)


def test_a_program_that_is_not_there(setup: Setup, tmp_path: Path) -> None:
    setup("exec: {a: {command: [no-such-program]}}")
    with pytest.raises(KestrelError) as caught:
        find("exec://a").run([processes()], {}, tmp_path)
    assert caught.value.code == "K0510" and "no-such-program" in caught.value.message


def test_a_flood_of_output_keeps_its_end(bench: Bench) -> None:
    found = bench.run("for n in range(300000): print('x' * 20, n)")
    assert len(found.log) == 1000 and found.log[-1].endswith(" 299999")


def test_arguments_that_are_refused(bench: Bench) -> None:
    for name in ("PATH", "LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "KESTREL_DATA"):
        assert bench.mistake("", **{name: "x"}).code == "K0509"
