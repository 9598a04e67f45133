"""A hunt in progress. `run(text)`: parse, lower, act; what is shown, explained and saved is elsewhere."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, assert_never
from weakref import WeakSet

from kestrel.errors import HuntErrors, KestrelError, draw
from kestrel.graph.origin import Named, Origin
from kestrel.graph.steps import AttributePath, Get, Load, Source, Step, ValuesOf, read_by
from kestrel.ingest.file_states import Readings
from kestrel.lower import Action, Analyse, Define, Describe, Draw, Explain, Inform, Lowering, Notice, Save, Show, Survey, lower
from kestrel.result import Failure, Result, Table
from kestrel.result import Notice as Reported
from kestrel.scratch import prefix, sweep
from kestrel.settings import Settings, load_settings
from kestrel.sources.connector import check, connector
from kestrel.sources.files import as_log_format, native
from kestrel.sources.opening import WEB, UnknownScheme, is_profile, open_source, profile_named
from kestrel.syntax import parse_partly, to_text
from kestrel.syntax.parts import place_of
from kestrel.syntax.tree import Assign, Hunt
from kestrel.text import Source as Text
from kestrel.text import Span, path_text

if TYPE_CHECKING:
    from kestrel.engine.evaluate import Engine
    from kestrel.engine.save import Files
    from kestrel.handle import Handle
    from kestrel.present import Tables
    from kestrel.reports import CellNotices


class Session:
    """A hunt in progress: its variables live as long as it does.

    with Session() as s:
        for result in s.run("p = GET process FROM logs.json WHERE name = 'cmd.exe'"): ...
        s["p"].to_pandas()
    """

    def __init__(self, rows: int | EllipsisType | None = ..., settings: Settings | None = None, log_format: str | None = None) -> None:
        """`rows` of a table are shown, None for all, as the settings say if not given. `settings` are read when first needed. `log_format`:
        that of log files, where no profile names one and it is not to be recognised."""
        self.log_format = log_format
        self._rows = rows
        self._settings = settings
        self.scope: dict[str, Step] = {}
        self.origins: dict[str, Origin] = {}
        self._passed: dict[str, Any] = {}
        """The parameters given to the last run."""
        self.parameters: dict[str, Any] = {}
        """What `$name = value` gave so far."""
        self.last_sources: tuple[Source, ...] = ()
        self._handles: WeakSet[Handle] = WeakSet()
        self.readings = Readings()
        self._statements: dict[Span, str] = {}
        self._turns: dict[str, int] = {}
        self._asked: set[Step] = set()
        self._peeked: dict[Step, Mapping[str, str]] = {}
        self._engine: Engine | None = None
        self._tables: Tables | None = None
        self._reported: set[str] = set()
        self._addresses: list[str] = []
        """Where files were to be downloaded from."""
        self._scratch: Path | None = None
        """The folder of the running analytic."""
        self._files: Files | None = None

    # -- the pipeline --------------------------------------------------------------------------------------------

    def run(self, text: str, name: str = "<cell>", parameters: Mapping[str, Any] | None = None) -> list[Result]:
        """Every result of a cell or file, the summary last if the settings want it. `parameters` are the values of `$name`.

        Raises HuntErrors; what came before stays in the session."""
        try:
            return list(self.stream(text, name, parameters))
        finally:
            self.freeze()

    def stream(self, text: str, name: str = "<cell>", parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
        """The same, each result as soon as it is there."""
        from kestrel.reports import CellNotices

        started = time.perf_counter()
        source = Text(text, name)
        hunt, actions = self._lower(source, parameters or {})
        yield from self._settings_notices()
        yield from self._downloads()
        for code, message in hunt.notices:
            yield Reported(code, message)
        made: dict[str, Define] = {}
        paid = self._engine.remote.cost() if self._engine is not None else {}
        if actions:
            self._begin(actions)
        notices = CellNotices()
        for action in actions:
            try:
                yield from self._act(action, made, notices)
            except Exception as failure:
                yield from notices.rest()
                error = _error_of(failure)
                if error is None:
                    raise
                whole = getattr(action, "span", None)
                error.span = error.span or _part(hunt, whole, error.part) or whole
                raise HuntErrors(source, [error]) from failure
        yield from notices.rest()
        if self.settings.summary:
            from kestrel.present import summary

            yield summary(self._engine, made.values(), time.perf_counter() - started, paid)
        self._tidy()

    def _begin(self, actions: list[Action]) -> None:
        """Prepare the engine for the actions of a cell."""
        self.engine.forget(self._needed())
        self.freeze()
        self.engine.datasets.expect(_columns(actions))
        self.engine.asked = set(self._asked)

    def _needed(self) -> list[Step]:
        """The steps that variables and handles stand for."""
        return [*self.scope.values(), *(h.step for h in self._handles)]

    def _tidy(self) -> None:
        """Free what no variable and no shown table needs."""
        if self._engine is not None:
            self._engine.tidy(self._needed(), self._tables.held() if self._tables else ())

    def check(self, text: str, name: str = "<cell>", parameters: Mapping[str, Any] | None = None, offline: bool = False) -> None:
        """Raise HuntErrors if the text has mistakes that can be seen before it runs. Nothing is run or remembered. `offline`: missing files
        and data sources are not reported."""
        source = Text(text, name)
        hunt, mistakes, doubtful = parse_partly(text)
        lowering = self._lowering(parameters or {})
        if offline:
            lowering.offline, lowering.open_source = True, self._open_if_there
        lower(source, hunt, lowering, mistakes, doubtful)

    def _lower(self, source: Text, parameters: Mapping[str, Any]) -> tuple[Hunt, list[Action]]:
        hunt, mistakes, doubtful = parse_partly(source.text)
        lowering = self._lowering(parameters)
        actions = lower(source, hunt, lowering, mistakes, doubtful)
        self._passed = dict(parameters)
        self.last_sources = lowering.last_sources
        self._turns = lowering.turns
        if lowering.opened or lowering.loaded:
            self.files.remember(lowering.opened, lowering.loaded)
        self.parameters |= lowering.given
        self._asked = {s for s in lowering.asked if isinstance(s, Get) and any(source.place for source in s.sources)}
        self._statements = {s.span: to_text(Hunt((s,))).strip() for s in hunt.statements if isinstance(s, Assign)}
        unused = [Notice("unused-parameter", f"parameter `${n}` was given and no statement uses it") for n in parameters if n not in lowering.used]
        return hunt, [*unused, *actions]

    def _lowering(self, parameters: Mapping[str, Any]) -> Lowering:
        scheme = self.settings.default_scheme
        return Lowering(
            dict(self.scope),
            datetime.now(UTC),
            {**self.parameters, **parameters},
            self.known_columns,
            open_source=self._open,
            last_sources=tuple(map(self.readings.current, self.last_sources)),
            is_profile=partial(is_profile, default_scheme=scheme),
            default_variable=self.settings.default_variable,
            peek=self._peek,
            check_analytic=_check_analytic,
            turns=dict(self._turns),
            by_name=profile_named,
            is_own=lambda path: Path(path) in self.files.written,
            check_target=self._check_target,
            current=self.readings.current,
            opened=dict(self._files.opened) if self._files else {},
            loaded=dict(self._files.loaded) if self._files else {},
            outside=tuple(parameters),
        )

    def _open(self, pool: str, quoted: bool) -> tuple[Source, ...]:
        """The sources that a pool names, with what their files contain now."""
        found = open_source(pool, quoted, self.settings.default_scheme, self.settings.allow_downloads)
        if pool.lower().startswith(f"{WEB}://"):
            self._addresses.append(pool)
        return tuple(self.readings.current(as_log_format(source, self.log_format)) for source in found)

    def _peek(self, path: str, kind: str | None) -> tuple[Load, list[Notice]]:
        """What a saved file says about its rows (of the given type, if any)."""
        from kestrel.engine.load import peek

        reading = self.readings.reading((path,))
        found = peek(self.engine.con, path, kind)
        step = replace(found.step, reading=reading)
        self._peeked[step] = found.columns
        wrong = f"the type, sources and time range recorded in `{path_text(path)}` are not valid Kestrel metadata and are ignored"
        return step, [] if found.is_valid else [Notice("file-metadata", wrong)]

    @property
    def files(self) -> Files:
        """The files that this session reads and writes."""
        if self._files is None:
            from kestrel.engine.save import Files

            self._files = Files()
        return self._files

    def _check_target(self, save: Save, read: Collection[str]) -> None:
        """Raise KestrelError where a variable may not be saved; `read` are the files the session reads."""
        self.files.evidence.add(read)
        inputs = [f for source in read_by(save.step) for f in source.files]
        self.files.check(Path(save.path), save.replace or self.settings.replace, inputs)

    def _open_if_there(self, text: str, quoted: bool) -> tuple[Source, ...]:
        """The sources that a pool names; one that cannot be opened or would be downloaded is kept as named. Raises UnknownScheme."""
        try:
            return open_source(text, quoted, self.settings.default_scheme, downloads=False)
        except UnknownScheme:
            raise
        except KestrelError:
            return (Source(text, ()),)

    def known_columns(self, step: Step) -> Mapping[str, str] | None:
        """The columns of a file that was read, or of an analytic's answer that is there."""
        if isinstance(step, Load):
            same_file = (c for s, c in self._peeked.items() if isinstance(s, Load) and s.file == step.file)
            return self._peeked.get(step) or next(same_file, None)
        if self._engine is None or step.content not in self._engine.answers:
            return None
        answer = self._engine.answers[step.content]
        return {name: column.kind for name, column in answer.columns.items()} if answer else {}

    # -- what an action does -------------------------------------------------------------------------------------

    def _act(self, action: Action, made: dict[str, Define], notices: CellNotices) -> Iterator[Result]:
        from kestrel import explain, present, reports, saving

        yield from reports.of_changed_files(self.engine, self.scope.values(), self._reported)
        self.engine.subject = getattr(action, "name", None)
        match action:
            case Define(name, step, span, inputs):
                self.engine.evaluate(step)
                self.origins[name] = Origin(self._statements.get(span, name), self._named(inputs))
                self.scope[name] = step
                made[name] = action
                yield from notices.add(reports.of_records(self.engine, step, self._reported))
                yield from notices.add(reports.of_empty(self.engine, step), name)
            case Show(step, columns, limit, offset, name):
                yield self.tables.show(step, columns, limit, offset, name, self.rows)
            case Draw():
                yield present.draw(self.engine, action)
            case Inform(step, name):
                known = {**self.scope, **{f"${n}": value for n, value in {**self.parameters, **self._passed}.items()}}
                yield present.info(self.engine, step, name, self.origins.get(name, Origin("")), known)
            case Survey(sources, name):
                for source in sources:
                    yield from self._survey(source, name)
            case Describe(step, path, name):
                yield present.describe(self.engine, step, path, name)
            case Explain(step, name):
                yield explain.explain(self.engine, step, name, self.scope)
            case Save(step, target, name):
                self._check_target(action, ())
                yield saving.save_variable(self.engine, self.files, step, Path(target), name)
            case Analyse():
                yield from self._analyse(action, made)
            case Notice(code, message):
                yield Reported(code, message)
            case _:
                assert_never(action)
        yield from self._new_notices()

    def _new_notices(self) -> Iterator[Reported]:
        """What the last action has to report about its sources and data."""
        remote, work = self.engine.remote, self.engine.work
        for uri, failure in remote.failures:
            yield Reported("partial-answer", f"`{uri}` could not be asked, and the answer lacks what it has: {failure.message}")
        remote.failures.clear()
        yield from (Reported("source", text) for text in remote.notes())
        yield from work.notices
        work.notices.clear()

    def _analyse(self, action: Analyse, made: dict[str, Define]) -> Iterator[Result]:
        """Run an analytic; its names are bound to their new versions only when all of its answers could be taken."""
        from kestrel import analytics
        from kestrel.handle import Handle

        analytic = analytics.find(action.analytics)
        inputs = [Handle(self.get_engine, name, version.input) for name, version in zip(action.names, action.versions, strict=True)]
        arguments = {name: self._argument(value) for name, value in action.versions[0].arguments}
        with tempfile.TemporaryDirectory(prefix=prefix()) as scratch:
            self._scratch = Path(scratch)
            try:
                outcome = analytic.run(inputs, arguments, self._scratch)
                for name, version, answer in zip(action.names, action.versions, outcome.tables, strict=True):
                    self.engine.take(version, name, answer)
            finally:
                self._scratch = None
        text = f"APPLY {action.analytics} ON {', '.join(action.names)}"
        versions = dict(zip(action.names, action.versions, strict=True))
        before = {name: self.origins.get(name, Origin(name)) for name in versions}
        after = {name: before[name].applied(text, self._named((n, s) for n, s in action.inputs if n not in versions)) for name in versions}
        for name, version in versions.items():
            self.engine.evaluate(version)
            self.scope[name] = version
            others = [Named(n, v, before[n]) for n, v in versions.items() if n != name]
            self.origins[name] = replace(after[name], inputs=(*after[name].inputs, *others))
            made[name] = Define(name, version, action.span)
        yield from outcome.displays

    def _named(self, inputs: Iterable[tuple[str, Any]]) -> tuple[Named, ...]:
        """The names in a statement, each with its origin."""
        return tuple(Named(name, meaning, self.origins.get(name)) for name, meaning in inputs)

    def _argument(self, value: Any) -> Any:
        """An argument of an analytic as Python: the values of `v.attr` as a list."""
        match value:
            case ValuesOf():
                return [row[0] for row in self.engine.work.fetch(f"SELECT value FROM {self.engine.values_of(value)} ORDER BY 1")]
            case tuple():
                return [one for part in value for one in (self._argument(part) if isinstance(part, ValuesOf) else [part])]
            case _:
                return value

    # -- results -------------------------------------------------------------------------------------------------

    def _settings_notices(self) -> Iterator[Result]:
        """Once: what the settings file says in vain."""
        for notice in self.settings.notices:
            if notice.message not in self._reported:
                self._reported.add(notice.message)
                yield notice

    def _downloads(self) -> Iterator[Result]:
        """Once: what was downloaded, and its size."""
        for uri in [a for a in self._addresses if a not in self._reported]:
            from kestrel.sources import web

            self._reported.add(uri)
            if (size := web.size_of(uri)) is not None:
                yield Reported("downloaded", f"`{web.public(uri)}` was downloaded: {size / 1e6:,.1f} MB")

    def page(
        self, key: str, offset: int, count: int, sort: int | None = None, descending: bool = False, search: str = ""
    ) -> tuple[list[tuple[Any, ...]], int]:
        """`count` rows of a table that was shown, by its key, after the first `offset`, and how many there are: of those a cell
        of which has the searched text, in the order of a column. Raises KeyError, IndexError for what is not there."""
        return self.tables.page(key, offset, count, sort, descending, search)

    def examine(self, pool: str) -> Iterator[tuple[str, str, str]]:
        """What stands between a data source and a hunt: what was checked, `good`, `weak` or `bad`, and what was found. `pool` is written
        as after FROM. Raises HuntErrors."""
        try:
            for source in self._open(pool, quoted=False):
                yield from ((f.what, f.state, f.found) for f in check(source)) if source.place else self._examine_files(source)
        except KestrelError as error:
            raise HuntErrors(Text(pool), [error]) from error

    def overview(self, pool: str | None) -> Iterator[Result]:
        """What is in files, as tables: log formats, event types, hosts, entities, fields. Of a live source, what `examine` finds; of None, the
        log formats that can be read. Raises HuntErrors."""
        from kestrel.overview import known_formats

        if pool is None:
            yield known_formats()
            return
        try:
            for source in self._open(pool, quoted=False):
                yield from self._survey(source, pool)
        except KestrelError as error:
            raise HuntErrors(Text(pool), [error]) from error

    def draft(self, path: str) -> str:
        """A first draft of a log format for the records of a file, as the text of a definition. Raises HuntErrors."""
        from kestrel.overview import draft_of

        try:
            (source,) = self._open(path, quoted=True)
            return draft_of(self.engine, source)
        except KestrelError as error:
            raise HuntErrors(Text(path), [error]) from error

    def _survey(self, source: Source, name: str) -> Iterator[Result]:
        """What is in a data source, as tables."""
        from kestrel.overview import overview

        if source.place:
            rows = tuple((f.what, f.state, f.found) for f in check(source))
            yield Table(name, ("checked", "state", "found"), rows, len(rows))
        else:
            yield from overview(self.engine, source)

    def _examine_files(self, source: Source) -> Iterator[tuple[str, str, str]]:
        from kestrel.ingest.account import findings

        yield "files", "good", native(source, None)
        self.engine.datasets.expect(None)
        dataset = self.engine.datasets.of((source,), None)
        assert dataset is not None
        yield from findings(dataset.account)
        first, last = self.engine.work.fetch(f"SELECT min(t), max(t) FROM {dataset.events.table}")[0]
        state = "good" if first else "bad" if dataset.account.kept else "weak"
        yield "times", state, f"{first:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}" if first else "no record has a time"

    # -- variables from Python -----------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Handle:
        """A variable. Raises KeyError."""
        from kestrel.handle import Handle

        handle = Handle(self.get_engine, name, self.scope[name])
        self._handles.add(handle)
        return handle

    def __contains__(self, name: object) -> bool:
        return name in self.scope

    def __setitem__(self, name: str, value: Any) -> None:
        """Bind a list of values or of dictionaries, a DataFrame or an Arrow table; `(type, value)` gives its type."""
        from kestrel.handle import given

        self.scope[name] = given(value)
        self.origins[name] = Origin(f"{name} was given from Python")

    # -- life ----------------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """What the user set. Raises HuntErrors with the mistakes of the settings file."""
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    @property
    def rows(self) -> int | None:
        """Rows of a table that are shown unless LIMIT says otherwise; None for all."""
        return self.settings.rows if isinstance(self._rows, EllipsisType) else self._rows

    @property
    def engine(self) -> Engine:
        """What evaluates the steps; made when first needed."""
        if self._engine is None:
            from kestrel.engine.evaluate import Engine

            sweep(Path(tempfile.gettempdir()))
            self._engine = Engine(self.settings.cache, self.settings.lent, self.scope, connector, self.readings)
            self._engine.remote.allow_partial = self.settings.allow_partial
        return self._engine

    def get_engine(self) -> Engine:
        return self.engine

    @property
    def tables(self) -> Tables:
        """The tables that were shown."""
        if self._tables is None:
            from kestrel.present import Tables

            self._tables = Tables(self.engine)
        return self._tables

    def progress(self) -> tuple[str, int, float] | None:
        """What takes long at the moment: `bytes` that are read or `records` that are fetched, how many, and the fraction that is done.
        For another thread to ask."""
        return self._engine.datasets.progress() if self._engine is not None else None

    def interrupt(self) -> None:
        """Stop the query that runs now, from any thread: the step that asked it fails, the session stays usable."""
        if self._engine is not None:
            self._engine.interrupt()
        if scratch := self._scratch:
            from kestrel.analytics.program import stop_in

            stop_in(scratch)

    def freeze(self) -> None:
        """Start reading the remaining columns of large files in the background, for interactive sessions."""
        if self._engine is not None:
            self._engine.datasets.snapshots.begin_writing()

    def settle(self) -> str | None:
        """Write what was read to the cache, when results have been shown; why that could not be done, or None."""
        return self._engine.datasets.keep() if self._engine is not None else None

    def close(self) -> str | None:
        """The same, and free everything else."""
        reason_of = self.settle()
        self.free()
        return reason_of

    def free(self) -> None:
        """End the session; what was read and is not in the cache is discarded."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
            self._tables = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _error_of(failure: Exception) -> KestrelError | None:
    """The error to report for a failure; None if it is a bug."""
    from kestrel.engine.machine import machine_error

    return failure if isinstance(failure, KestrelError) else machine_error(failure)


def _columns(actions: list[Action]) -> frozenset[str] | None:
    """What the actions need of large files; None for everything."""
    from kestrel.pushdown.projection import needed

    steps: list[Step] = []
    shown: list[AttributePath] = []
    for action in actions:
        match action:
            case Define(_, step):
                steps.append(step)
            case Show(step, columns) if columns:
                steps.append(step)
                shown += columns
            case Describe(step, path):
                steps.append(step)
                shown.append(path)
            case Show() | Draw() | Inform() | Save() | Analyse():
                return None
            case Explain() | Notice() | Survey():
                pass
            case _:
                assert_never(action)
    return needed(steps, shown)


def _part(hunt: Hunt, whole: Span | None, part: str) -> Span | None:
    """The part of a statement that a mistake is about."""
    return next((place_of(part, s) for s in hunt.statements if s.span == whole), None)


def _check_analytic(name: str, types: Sequence[str], arguments: Collection[str]) -> None:
    from kestrel import analytics

    analytics.find(name).check(types, arguments)


def failures(error: HuntErrors) -> list[Failure]:
    """The mistakes of a text as results."""
    found = []
    for e in error.errors:
        line, column = error.source.position(e.span.start) if e.span else (None, None)
        found.append(Failure(e.code, e.message, e.hint, line, column, draw(error.source, e)))
    return found
