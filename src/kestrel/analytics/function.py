"""A Python function as an analytic, called as Kestrel 1.x called it.

The function gets one DataFrame per variable: a row an entity, `id`, `type` and attributes, times in UTC. It returns the
DataFrames it changed, in the order of the variables, and what to show (see `shown.py`), one of these or a tuple of them:
`return df`, `return html`, `return df, figure`. A DataFrame beyond the number of variables is shown, too. Arguments are
environment variables while it is loaded and runs; those its signature names, it also gets by keyword, and by keyword alone
where a runtime could take their name for a setting.

It runs in this process: loaded anew each time, in the folder of its file, which is on `sys.path` meanwhile. Folder,
environment and path are set back afterwards. What it prints through `sys.stdout` and `sys.stderr` is captured.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import inspect
import io
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from kestrel.analytics.contract import AnalyticFailed, CannotStart, Input, Outcome, Shown, WrongInputs, WrongReturn
from kestrel.analytics.environment import as_environment, is_interpreted
from kestrel.analytics.settings import BadAnalyticProfile, Profile, profile
from kestrel.analytics.shown import is_frame, show
from kestrel.text import path_text

LOGGED = 1000
"""Lines of output that are kept."""
_ONE_AT_A_TIME = threading.RLock()
"""The folder, the environment and `sys.path` belong to the whole process."""


def function_named(name: str) -> Function:
    """The function a profile names. Raises UnknownAnalytic, BadAnalyticProfile."""
    found = profile("python", name)
    module, func = found.text("module", "~/analytics/enrich.py"), found.text("func", "analytics")
    return Function(found.uri, _file(found, module) or module, func, found.names("arguments", "MODEL_DIR"))


def _file(found: Profile, module: str) -> Path | None:
    """The file a profile's `module` is; None if it is a dotted name."""
    if not module.endswith(".py") and all(part.isidentifier() for part in module.split(".")):
        return None
    path = Path(module).expanduser()
    for candidate in (found.base / path, path.absolute()):
        if candidate.is_file():
            return candidate.resolve()
    raise BadAnalyticProfile(found.uri, f"there is no file `{path_text(found.base / path)}`", "`module` is a Python file or a dotted name")


@dataclass(frozen=True)
class Function:
    """`func` of a module, which is a file or a dotted name."""

    name: str
    module: Path | str
    func: str
    declared: tuple[str, ...] = ()

    def check(self, types: Sequence[str], arguments: Collection[str]) -> None:
        """What the function takes is only known when it is loaded."""

    def run(self, inputs: Sequence[Input], arguments: Mapping[str, Any], scratch: Path) -> Outcome:
        try:
            import pandas  # noqa: F401
        except ImportError:
            raise CannotStart(self.name, "it needs pandas, which is not installed", "pip install 'kestrel-hunt[pandas]'") from None
        frames = [_given(i) for i in inputs]
        by_keyword = [n for n in self._parameters() if n not in self.declared and is_interpreted(n)]
        environment = as_environment(self.name, {n: v for n, v in arguments.items() if n not in by_keyword}, self.declared)
        printed = io.StringIO()
        with _ONE_AT_A_TIME, self._stage(environment, printed):
            try:
                with self._loaded() as module:
                    function = self._function(module)
                    value = function(*frames, **self._keywords(function, len(frames), arguments))
                    tables, displays = sort_out(self.name, value, inputs)
            except (BadAnalyticProfile, WrongInputs, WrongReturn):
                raise
            except (Exception, SystemExit) as error:  # whatever a stranger's code can raise is that analytic's failure
                raise self._failure(error, printed) from error
        return Outcome(tables, displays, tuple(printed.getvalue().splitlines()[-LOGGED:]))

    def _parameters(self) -> list[str]:
        """The parameters of the function according to its source; none if the source cannot be read."""
        try:
            source = self.module if isinstance(self.module, Path) else Path(str(self._spec().origin))
            tree = ast.parse(source.read_bytes())
        except (OSError, SyntaxError, ValueError, ImportError):
            return []
        found = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == self.func)
        return [a.arg for n in found for a in (*n.args.args, *n.args.kwonlyargs)]

    def _function(self, module: ModuleType) -> Callable[..., Any]:
        found = getattr(module, self.func, None)
        if not callable(found):
            raise BadAnalyticProfile(self.name, f"`{self.module}` has no function `{self.func}`")
        return cast("Callable[..., Any]", found)

    def _failure(self, error: BaseException, printed: io.StringIO) -> AnalyticFailed:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith((__file__, "<frozen importlib")):
            trace = trace.tb_next
        known = "".join(traceback.format_exception(type(error), error, trace, chain=False)).splitlines()
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        hint = f"install the library `{missing}` where Kestrel is installed" if missing else None
        return AnalyticFailed(self.name, f"failed with {type(error).__name__}", [*printed.getvalue().splitlines()[-3:], *known[-7:]], hint)

    def _keywords(self, function: Callable[..., Any], given: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments the signature names. Raises WrongInputs if the variables do not fit what is left."""
        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError:
            return {}
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            named = dict(arguments)
        else:
            named = {p.name: arguments[p.name] for p in parameters if p.name in arguments and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in named]
        least = sum(p.default is p.empty for p in places)
        most = sum(p.default is p.empty or p.default is None for p in places)
        endless = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        if given < least or (given > most and not endless):
            wanted = f"at least {least}" if endless else str(least) if least == most else f"{least} to {most}"
            raise WrongInputs(self.name, f"takes {wanted} {'variable' if wanted == '1' else 'variables'}, it was given {given}")
        absent = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in named]
        if absent:
            raise WrongInputs(self.name, f"needs the argument `{absent[0]}`", f"write `WITH {absent[0]}=...`")
        return named

    # -- around the call -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _stage(self, environment: Mapping[str, str], printed: io.StringIO) -> Iterator[None]:
        """The folder, environment, path and output of the function; all of it is set back."""
        before, path, handlers = dict(os.environ), list(sys.path), list(logging.root.handlers)
        folder = self.module.parent if isinstance(self.module, Path) else None
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(printed))
            stack.enter_context(contextlib.redirect_stderr(printed))
            if folder:
                stack.enter_context(contextlib.chdir(folder))
                sys.path.append(str(folder))
            try:
                os.environ.update(environment)
                yield
            finally:
                for key in set(os.environ) - set(before):
                    del os.environ[key]
                os.environ.update(before)
                sys.path[:] = path
                logging.root.handlers[:] = handlers

    @contextlib.contextmanager
    def _loaded(self) -> Iterator[ModuleType]:
        """The module, executed anew: analytics of 1.x read their arguments where they are loaded.

        Modules beside its file are forgotten afterwards, so that two folders may each have a `helper.py`.
        """
        spec = self._spec()
        assert spec.loader is not None
        before = dict(sys.modules)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
            yield module
        finally:
            for key in [k for k, m in sys.modules.items() if k not in before and self._is_beside(m)]:
                del sys.modules[key]
            sys.modules.pop(spec.name, None)
            if spec.name in before:
                sys.modules[spec.name] = before[spec.name]

    def _spec(self) -> ModuleSpec:
        if isinstance(self.module, Path):
            spec = importlib.util.spec_from_file_location(f"kestrel_analytic_{self.module.stem}", self.module)
        else:
            spec = importlib.util.find_spec(self.module)
        if spec is None or spec.loader is None:
            raise BadAnalyticProfile(self.name, f"there is no module `{self.module}`", "`module` is a Python file or a dotted name")
        return spec

    def _is_beside(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        return isinstance(self.module, Path) and isinstance(file, str) and Path(file).is_relative_to(self.module.parent)


def _given(variable: Input) -> Any:
    """The DataFrame a function gets: with `type`, and with times that know they are UTC, as pandas code for 1.x expects."""
    frame = variable.to_pandas()
    if "type" not in frame.columns:
        frame.insert(0, "type", variable.type)
    for column in frame.select_dtypes("datetime").columns:
        frame[column] = frame[column].dt.tz_localize("UTC")
    return frame


def sort_out(name: str, value: Any, inputs: Sequence[Input]) -> tuple[tuple[Any, ...], tuple[Shown, ...]]:
    """Tables and displays of what a function returned. Raises WrongReturn.

    DataFrames are the variables, in order, as many as there are. If more come, those without `id` are none of them.
    """
    values = list(value) if isinstance(value, tuple | list) else [value]
    frames = [v for v in values if v is None or is_frame(v)]
    if not any(v is not None for v in values):
        raise WrongReturn(name, "returned nothing", "it should return a DataFrame for each variable, something to show, or both")
    variables = frames if len(frames) <= len(inputs) else [f for f in frames if f is None or "id" in _columns(f)][: len(inputs)]
    tables = [None if f is None else _table(name, f) for f in variables]
    displays = []
    for item in values:
        if item is None or any(item is v for v in variables):
            continue
        shown = show(name, item)
        if shown is None:
            raise WrongReturn(
                name,
                f"returned a `{type(item).__name__}`, which is neither a variable nor something to show",
                "it may return DataFrames, HTML text, a matplotlib figure, or an object that knows its HTML",
            )
        displays.append(shown)
    return (*tables, *[None] * (len(inputs) - len(tables))), tuple(displays)


def _columns(frame: Any) -> list[Any]:
    return [*frame.columns, *(n for n in frame.index.names if n is not None)]


def _table(name: str, frame: Any) -> Any:
    """A returned DataFrame that can be taken: `id` is a column and says of each row whose it is."""
    if "id" not in frame.columns and "id" in frame.index.names:
        frame = frame.reset_index()
    if "id" not in frame.columns:
        raise WrongReturn(
            name,
            "returned a DataFrame without the column `id`, so that its rows belong to nobody",
            "keep `id` of the DataFrame it is given; to show a DataFrame, return it after the variables",
        )
    if not frame.columns.is_unique or not all(isinstance(c, str) for c in frame.columns):
        raise WrongReturn(name, "returned a DataFrame whose column names are not text, each once")
    if frame["id"].isna().any() or not frame["id"].is_unique:
        raise WrongReturn(name, "returned a DataFrame in which an `id` is missing or stands twice", "one row an entity")
    frame = frame.copy()
    for column in frame.select_dtypes("datetimetz").columns:
        frame[column] = frame[column].dt.tz_convert("UTC").dt.tz_localize(None)
    return frame
