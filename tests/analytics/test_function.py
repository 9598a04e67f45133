"""Python functions as analytics, as Kestrel 1.x called them."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kestrel.analytics import Outcome, find
from kestrel.errors import KestrelError
from kestrel.result import Picture, Table, Text
from tests.analytics.conftest import Setup
from tests.analytics.variables import Given, processes, table


class Bench:
    """Runs the text of a module as `python://a`."""

    def __init__(self, setup: Setup, folder: Path) -> None:
        self.setup, self.folder = setup, folder / "analytics"
        self.folder.mkdir()

    def run(self, code: str, *inputs: Given, **arguments: Any) -> Outcome:
        (self.folder / "own.py").write_text(dedent(code), encoding="utf-8")
        self.setup(f"profiles: {{a: {{module: {self.folder / 'own.py'}, func: analytics}}}}")
        return find("python://a").run(inputs or (processes(),), arguments, self.folder)

    def mistake(self, code: str, *inputs: Given, **arguments: Any) -> KestrelError:
        with pytest.raises(KestrelError) as caught:
            self.run(code, *inputs, **arguments)
        return caught.value


@pytest.fixture
def bench(setup: Setup, tmp_path: Path) -> Bench:
    return Bench(setup, tmp_path)


# -- what 1.x promised -------------------------------------------------------------------------------------------


def test_a_variable_and_html(bench: Bench) -> None:
    found = bench.run("""
        def analytics(df):
            df["x_twice"] = df["pid"] * 2
            html = "<p>There are <b>%d</b></p><script>hidden()</script>" % len(df)
            return df, html
    """)
    assert list(table(found)["x_twice"]) == [0, 2, 4]
    assert list(table(found)["id"]) == ["process--0", "process--1", "process--2"]
    assert found.displays == (Picture("python://a", "There are 3", html="<p>There are <b>3</b></p><script>hidden()</script>"),)


def test_the_display_may_come_first_or_alone(bench: Bench) -> None:
    first = bench.run("def analytics(df): return '<p>x</p>', df")
    assert table(first) is not None and isinstance(first.displays[0], Picture)
    alone = bench.run("def analytics(df): return '<p>x</p>'")
    assert alone.tables == (None,) and isinstance(alone.displays[0], Picture)


def test_arguments_are_environment_variables_also_while_loading(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YPARAM", "before")
    code = """
        import os
        COLUMNS = os.environ["columns"].split(",")
        def analytics(df):
            df["x_got"] = "|".join([*COLUMNS, os.environ["YPARAM"], os.environ["n"], os.environ["on"], os.environ["t"]])
            os.environ["leaked"] = "1"
            del os.environ["n"]
            return df
    """
    for given in (["name", "pid"], ["other"]):
        found = bench.run(code, columns=given, YPARAM="now", n=2.5, on=True, t=datetime(2021, 1, 2))
        assert table(found)["x_got"][0] == "|".join([*given, "now", "2.5", "true", "2021-01-02T00:00:00Z"])
    assert os.environ["YPARAM"] == "before"
    assert not {"columns", "n", "leaked", "on", "t"} & set(os.environ)


def test_files_and_modules_beside_it_are_found(bench: Bench) -> None:
    (bench.folder / "words.txt").write_text("here", encoding="utf-8")
    (bench.folder / "helper.py").write_text("WORD = 'first'", encoding="utf-8")
    code = """
        import helper
        from pathlib import Path
        def analytics(df):
            return df.assign(x_word=helper.WORD + Path("words.txt").read_text())
    """
    before, path = Path.cwd(), list(sys.path)
    assert table(bench.run(code))["x_word"][0] == "firsthere"
    (bench.folder / "helper.py").write_text("WORD = 'the second'", encoding="utf-8")
    assert table(bench.run(code))["x_word"][0] == "the secondhere"
    assert Path.cwd() == before and sys.path == path and "helper" not in sys.modules


def test_type_and_times_are_there_as_pandas_code_expects(bench: Bench) -> None:
    found = bench.run(
        """
        import pandas as pd
        def analytics(df):
            assert df["type"].unique()[0] == "process"
            times = pd.to_datetime(df["first_observed"], utc=True).dt.tz_convert(None)
            df["x_minute"] = times.dt.minute
            return df
        """
    )
    assert list(table(found)["x_minute"]) == [0, 1, 2]
    assert table(found)["first_observed"][1] == datetime(2021, 1, 1, 0, 1)


def test_several_variables_of_which_fewer_return(bench: Bench) -> None:
    two = (processes(2), Given([{"id": "file--1", "name": "f"}], "file", "f"))
    found = bench.run("def analytics(a, b): return a.assign(x=len(b))", *two)
    assert list(table(found)["x"]) == [1, 1] and table(found, 1) is None
    found = bench.run("def analytics(a, b): return None, b.assign(x=len(a))", *two)
    assert table(found) is None and list(table(found, 1)["x"]) == [2]
    found = bench.run("def analytics(*all): return [f.assign(x=1) for f in all]", *two)
    assert [len(table(found)), len(table(found, 1))] == [2, 1]


# -- what is new -------------------------------------------------------------------------------------------------


def test_arguments_by_keyword(bench: Bench) -> None:
    code = "def analytics(df, limit=1, *, words): return df.assign(x=[str((limit, words))] * len(df))"
    assert table(bench.run(code, words=["a", 2], unknown="kept out"))["x"][0] == "(1, ['a', 2])"
    assert table(bench.run(code, words="w", limit=7))["x"][0] == "(7, 'w')"
    every = "def analytics(df, **given): return df.assign(x=str(sorted(given)))"
    assert table(bench.run(every, b=1, a=2))["x"][0] == "['a', 'b']"


def test_a_dotted_module(setup: Setup, bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "library" / "own_package"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "near.py").write_text("X = 'near'", encoding="utf-8")
    (package / "work.py").write_text("from .near import X\ndef analytics(df): return df.assign(x=X)", encoding="utf-8")
    monkeypatch.syspath_prepend(str(package.parent))
    setup("profiles: {a: {module: own_package.work, func: analytics}}")
    assert table(find("a").run([processes()], {}, tmp_path))["x"][0] == "near"
    setup("profiles: {a: {module: own_package.gone, func: analytics}}")
    with pytest.raises(KestrelError) as caught:
        find("a").run([processes()], {}, tmp_path)
    assert caught.value.code == "K0503"


def test_paths_count_from_the_settings(setup: Setup, tmp_path: Path) -> None:
    path = setup("profiles: {a: {module: near.py, func: f}}")
    (path.parent / "near.py").write_text("def f(df): return df", encoding="utf-8")
    assert len(table(find("a").run([processes()], {}, tmp_path))) == 3


def test_everything_that_can_be_shown(bench: Bench) -> None:
    found = bench.run("""
        import pandas as pd
        from matplotlib.figure import Figure

        class Map:
            def _repr_html_(self): return "<div>map</div>"

        def analytics(df):
            figure = Figure()
            axes = figure.subplots()
            axes.plot([1, 2])
            axes.set_title("Growth")
            counts = df.groupby("name").size().rename("n").to_frame()
            return df, figure, axes, Map(), "just words", counts, pd.DataFrame({"a": [1.5, None], "t": [pd.NaT, pd.Timestamp("2021-01-01")]})
    """)
    figure, axes, map_, words, counts, gaps = found.displays
    for picture in (figure, axes):
        assert isinstance(picture, Picture) and picture.image is not None
        assert picture.image.startswith(b"\x89PNG") and "Growth" in picture.text
    assert map_ == Picture("python://a", "map", html="<div>map</div>")
    assert words == Text("python://a", "just words")
    assert counts == Table("python://a", ("name", "n"), (("p0.exe", 1), ("p1.exe", 1), ("p2.exe", 1)), 3)
    assert gaps == Table("python://a", ("a", "t"), ((1.5, None), (None, datetime(2021, 1, 1))), 2)


def test_pyplot_figures_are_closed(bench: Bench) -> None:
    bench.run("""
        import matplotlib
        matplotlib.use("agg")
        import matplotlib.pyplot as plt
        def analytics(df):
            return df["pid"].plot.hist().get_figure()
    """)
    assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_a_frame_beyond_the_variables_is_shown_wherever_it_stands(bench: Bench) -> None:
    for order in ("df, other", "other, df"):
        found = bench.run(f"import pandas as pd\ndef analytics(df):\n    other = pd.DataFrame({{'k': [1]}})\n    return {order}")
        assert len(table(found)) == 3 and found.displays == (Table("python://a", ("k",), ((1,),), 1),)


def test_output_is_captured(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    found = bench.run("""
        import logging, sys
        logging.root.addHandler(logging.StreamHandler())
        def analytics(df):
            print("out")
            print("err", file=sys.stderr)
            logging.warning("logged")
            return df
    """)
    assert found.log == ("out", "err", "logged")
    assert capfd.readouterr() == ("", "")


def test_the_caller_keeps_its_rows(bench: Bench) -> None:
    given = processes()
    bench.run("def analytics(df):\n    del df['name']\n    return df", given)
    assert given.rows == processes().rows


# -- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_failure_names_itself_and_shows_its_last_lines(bench: Bench) -> None:
    found = bench.mistake("""
        def analytics(df):
            print("so far \\x1b[31m so good")
            return df["nothing"]
    """)
    assert found.code == "K0504" and found.message.startswith("the analytic `python://a` failed with KeyError; its last lines:\n")
    assert "so far" in found.message and "KeyError: 'nothing'" in found.message
    assert "\x1b" not in found.message and "kestrel/analytics" not in found.message


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("raise RuntimeError('on loading')", "RuntimeError"),
        ("def analytics(df): return (", "SyntaxError"),
        ("def analytics(df): exit(3)", "SystemExit"),
        ("class Odd:\n    def _repr_html_(self): raise OSError('odd')\ndef analytics(df): return Odd()", "OSError"),
        ("def analytics(df): raise __import__('kestrel.errors', fromlist=['x']).KestrelError('theirs')", "KestrelError"),
    ],
)
def test_every_way_to_fail(code: str, name: str, bench: Bench) -> None:
    before = (dict(os.environ), Path.cwd(), list(sys.path), sys.stdout, sys.stderr)
    found = bench.mistake(code, given="1")
    assert found.code == "K0504" and name in found.message
    after = dict(os.environ)
    assert (after, Path.cwd(), list(sys.path), sys.stdout, sys.stderr) == (
        before[0] | {"PYTEST_CURRENT_TEST": after["PYTEST_CURRENT_TEST"]},
        *before[1:],
    )


def test_a_missing_library_is_named(bench: Bench) -> None:
    assert "`no_such_library`" in (bench.mistake("import no_such_library").hint or "")


def test_an_interrupt_is_no_failure(bench: Bench) -> None:
    with pytest.raises(KeyboardInterrupt):
        bench.run("def analytics(df): raise KeyboardInterrupt", given="1")
    assert "given" not in os.environ


@pytest.mark.parametrize(
    ("returned", "part"),
    [
        ("None", "returned nothing"),
        ("()", "returned nothing"),
        ("(None, None)", "returned nothing"),
        ("42", "`int`"),
        ("(df, {'a': 1})", "`dict`"),
        ("df.drop(columns='id')", "without the column `id`"),
        ("df.assign(id=None)", "`id` is missing"),
        ("df.assign(id='same')", "stands twice"),
        ("df.rename(columns={'pid': 'name'})", "column names"),
        ("df.rename(columns={'pid': 7})", "column names"),
    ],
)
def test_what_cannot_be_taken_back(returned: str, part: str, bench: Bench) -> None:
    found = bench.mistake(f"def analytics(df): return {returned}")
    assert found.code == "K0506" and part in found.message and "python://a" in found.message


def test_an_id_in_the_index_is_an_id(bench: Bench) -> None:
    found = bench.run("def analytics(df): return df.set_index('id')[['pid']]")
    assert list(table(found).columns) == ["id", "pid"]


@pytest.mark.parametrize(
    ("signature", "count", "part"),
    [
        ("a, b", 1, "takes 2 variables, it was given 1"),
        ("a", 2, "takes 1 variable, it was given 2"),
        ("a, limit=3", 2, "takes 1 variable, it was given 2"),
        ("a, b=None", 3, "takes 1 to 2 variables, it was given 3"),
        ("a, b, *c", 1, "takes at least 2 variables, it was given 1"),
        ("a, *, must", 1, "needs the argument `must`"),
    ],
)
def test_variables_that_do_not_fit(signature: str, count: int, part: str, bench: Bench) -> None:
    found = bench.mistake(f"def analytics({signature}): return a", *[processes()] * count)
    assert found.code == "K0507" and part in found.message


def test_no_such_function(bench: Bench) -> None:
    assert bench.mistake("analytics = 3").code == "K0503"


@pytest.mark.parametrize(
    ("name", "value"), [("PATH", "/tmp"), ("LD_PRELOAD", "x.so"), ("pythonpath", "."), ("x", "a\0b"), ("x", "\ud800"), ("x", ["ok", "a\0"])]
)
def test_arguments_that_are_refused(name: str, value: Any, bench: Bench) -> None:
    assert bench.mistake("def analytics(df): return df", **{name: value}).code == "K0509"


def test_hostile_values_stay_values(bench: Bench) -> None:
    odd = "$(touch /tmp/x); `id` ' \" \n é 😀 %PATH%"
    found = bench.run("import os\ndef analytics(df): return df.assign(x=os.environ['odd'])", Given([{"id": "a", "name": odd}]), odd=odd)
    assert table(found)["x"][0] == odd and table(found)["name"][0] == odd


def test_display_objects_of_1_x(bench: Bench) -> None:
    found = bench.run("""
        import pandas as pd
        from matplotlib.figure import Figure
        from kestrel.codegen.display import DisplayDataframe, DisplayFigure, DisplayHtml
        def analytics(df):
            return df, DisplayHtml("<b>a</b>"), DisplayFigure(Figure()), DisplayDataframe(pd.DataFrame({"a": ["<i>"]}))
    """)
    html, figure, frame = found.displays
    assert html == Picture("python://a", "a", html="<b>a</b>")
    assert isinstance(figure, Picture) and (figure.html or "").startswith('<img src="data:image/png;base64,iVBOR')
    assert isinstance(frame, Picture) and "&lt;i&gt;" in (frame.html or "")
