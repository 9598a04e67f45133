"""The one object that knows everything: variables, the store and the sources. `run(text)` gives results."""

from __future__ import annotations

import hashlib
import importlib
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, assert_never
from weakref import WeakSet

from kestrel.engine.machine import machine_error
from kestrel.errors import HuntErrors, KestrelError, draw
from kestrel.graph.formats import format_of
from kestrel.graph.origin import Named, Origin
from kestrel.graph.predicate import AttributePath, ValuesOf
from kestrel.graph.steps import TABLE, Get, Load, New, Source, Step, content_id, range_of, read_by, read_for, sources_of, type_of
from kestrel.ingest.file_states import Readings
from kestrel.lower import Action, Analyse, Define, Describe, Draw, Explain, Inform, Lowering, Notice, Save, Show, lower
from kestrel.model.vocabulary import EntityType, vocabulary
from kestrel.pushdown.conditions import by_unique_ids, roles_of, wanted_by
from kestrel.pushdown.explanation import StepNames, graph_lines, queries, query_text
from kestrel.pushdown.query import RecordQuery
from kestrel.pushdown.request import Cost, Wanted
from kestrel.result import Asked, Attribute, Description, Explanation, Failure, Info, Input, Made, Result, Summary, Table, View
from kestrel.result import Notice as Told
from kestrel.scratch import prefix, sweep
from kestrel.settings import Settings, load_settings
from kestrel.sources.files import native
from kestrel.sources.live import examine, fetcher
from kestrel.sources.pool import UnknownScheme, is_profile, open_pool, profile_named
from kestrel.syntax import parse_partly, to_text
from kestrel.syntax.parts import place_of
from kestrel.syntax.tree import Assign, Hunt
from kestrel.text import Source as Text
from kestrel.text import Span, path_text

if TYPE_CHECKING:
    from kestrel.engine.answers import Answers
    from kestrel.engine.evaluate import Store
    from kestrel.engine.save import Files
    from kestrel.engine.variable import Variable

INHERENT = ("id", "type", "first_observed", "last_observed", "number_observed")


class Session:
    """A hunt in progress: its variables live as long as it does.

    with Session() as s:
        for result in s.run("p = GET process FROM logs.json WHERE name = 'cmd.exe'"): ...
        s["p"].to_pandas()
    """

    def __init__(self, rows: int | EllipsisType | None = ..., settings: Settings | None = None) -> None:
        """`rows` of a table are shown, None for all, as the settings say if not given. `settings` are read when first needed."""
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
        self._store: Store | None = None
        self._told: set[str] = set()
        self._scratch: Path | None = None
        """The folder of the running analytic."""
        self._files: Files | None = None
        self._tables: dict[str, tuple[str, tuple[int | None, int], list[int]]] = {}
        """The tables that were shown, by key: their name in the store, what LIMIT and OFFSET cut, and which columns are shown."""

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
        started = time.perf_counter()
        source = Text(text, name)
        hunt, actions = self._lower(source, parameters or {})
        yield from self._settings_notices()
        for code, message in hunt.notices:
            yield Told(code, message)
        made: dict[str, Define] = {}
        paid = self._store.live.cost() if self._store is not None else {}
        if actions:
            self.store.forget([*self.scope.values(), *(h.step for h in self._handles)])
            self.freeze()
            self.store.expect(_columns(actions))
            self.store.asked = set(self._asked)
        told = _Few()
        for action in actions:
            yield from self._changes()
            self.store.subject = getattr(action, "name", None)
            try:
                yield from self._act(action, made, told)
            except Exception as failure:
                yield from told.rest()
                error = failure if isinstance(failure, KestrelError) else machine_error(failure)
                if error is None:
                    raise
                whole = getattr(action, "span", None)
                error.span = error.span or _part(hunt, whole, error.part) or whole
                raise HuntErrors(source, [error]) from failure
        yield from told.rest()
        if self.settings.summary:
            yield self._summary(made, started, paid)

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
        found = open_pool(pool, quoted, default_scheme=self.settings.default_scheme)
        return tuple(map(self.readings.current, found))

    def _peek(self, path: str, kind: str | None) -> tuple[Load, list[Notice]]:
        """What a saved file says about its rows (of the given type, if any)."""
        from kestrel.engine.load import peek

        reading = self.readings.reading((path,))
        found = peek(self.store.con, path, kind)
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
        """The sources that a pool names; one that cannot be opened is kept as named. Raises UnknownScheme."""
        try:
            return open_pool(text, quoted, self.settings.default_scheme)
        except UnknownScheme:
            raise
        except KestrelError:
            return (Source(text, ()),)

    def known_columns(self, step: Step) -> Mapping[str, str] | None:
        """The columns of a file that was looked at, or of an analytic's answer that is there."""
        if isinstance(step, Load):
            same_file = (c for s, c in self._peeked.items() if isinstance(s, Load) and s.file == step.file)
            return self._peeked.get(step) or next(same_file, None)
        if self._store is None or step.content not in self._store.told:
            return None
        told = self._store.told[step.content]
        return {name: column.kind for name, column in told.columns.items()} if told else {}

    def _act(self, action: Action, made: dict[str, Define], told: _Few) -> Iterator[Result]:
        match action:
            case Define(name, step, span, inputs):
                self.store.evaluate(step)
                self.origins[name] = Origin(self._statements.get(span, name), self._named(inputs))
                self.scope[name] = step
                made[name] = action
                yield from told.add(self._accounts(step))
            case Show(step, columns, limit, offset, name):
                yield self._show(step, columns, limit, offset, name)
            case Draw():
                yield self._draw(action)
            case Inform(step, name):
                yield self._info(step, name)
            case Describe(step, path, name):
                yield self._describe(step, path, name)
            case Explain(step, name):
                yield self._explain(step, name)
            case Save():
                self._check_target(action, ())
                yield self._save(action.step, action.path, action.name)
            case Analyse():
                yield from self._analyse(action, made)
            case Notice(code, message):
                yield Told(code, message)
            case _:
                assert_never(action)
        for uri, failure in self.store.live.failures:
            yield Told("partial-answer", f"`{uri}` could not be asked, and the answer lacks what it has: {failure.message}")
        self.store.live.failures.clear()
        yield from (Told("source", text) for text in self.store.live.told())
        yield from self.store.notices
        self.store.notices.clear()

    def _analyse(self, action: Analyse, made: dict[str, Define]) -> Iterator[Result]:
        """Run an analytic; its names are bound to their new versions only when all of its answers could be taken."""
        from kestrel import analytics
        from kestrel.engine.external import Given

        analytic = analytics.find(action.analytics)
        inputs = [Handle(self, name, version.input) for name, version in zip(action.names, action.versions, strict=True)]
        arguments = {name: self._argument(value) for name, value in action.versions[0].arguments}
        with tempfile.TemporaryDirectory(prefix=prefix()) as scratch:
            self._scratch = Path(scratch)
            try:
                outcome = analytic.run(inputs, arguments, self._scratch)
                for name, version, answer in zip(action.names, action.versions, outcome.tables, strict=True):
                    Given(self.store).take(version, name, answer)
            finally:
                self._scratch = None
        text = f"APPLY {action.analytics} ON {', '.join(action.names)}"
        versions = dict(zip(action.names, action.versions, strict=True))
        before = {name: self.origins.get(name, Origin(name)) for name in versions}
        after = {name: before[name].applied(text, self._named((n, s) for n, s in action.inputs if n not in versions)) for name in versions}
        for name, version in versions.items():
            self.store.evaluate(version)
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
                table = self.store.values_of(value)
                return [row[0] for row in self.store.con.execute(f"SELECT value FROM {table} ORDER BY 1").fetchall()]
            case tuple():
                return [one for part in value for one in (self._argument(part) if isinstance(part, ValuesOf) else [part])]
            case _:
                return value

    # -- results -------------------------------------------------------------------------------------------------

    def _settings_notices(self) -> Iterator[Result]:
        """Once: what the settings file says in vain."""
        for notice in self.settings.notices:
            if notice.message not in self._told:
                self._told.add(notice.message)
                yield notice

    def _changes(self) -> Iterator[Result]:
        """Once for each content of a file: a notice that the file has changed since variables were made from it."""
        from kestrel.engine.raw import BECAME, CHANGED

        found: dict[str, list[str]] = {}
        for file, before, now in self.readings.changed({s: None for step in self.scope.values() for s in read_by(step)}):
            if f"{file} {before}" not in self._told:
                self._told.add(f"{file} {before}")
                found.setdefault(BECAME.get(now, CHANGED), []).append(file)
        for became, files in found.items():
            others = len(files) - 1
            more = f" and {others:,} other file{'s' if others > 1 else ''}" if others else ""
            verb = became.replace("is ", "are ").replace("has ", "have ").replace(" a file", " files") if others else became
            verb = verb.replace("it was", "they were") if others else verb
            text = f"`{path_text(files[0])}`{more} {verb}: existing variables keep what was read; GET and LOAD read files as they are now"
            yield Told("changed-file", text, len(files))

    def _accounts(self, step: Step) -> Iterator[Told]:
        """Once for each set of files and each server: what became of its records. For an empty variable: possible reasons."""
        from kestrel.engine.reasons import reasons
        from kestrel.ingest.account import notices

        variable = self.store.evaluate(step)
        entities = self.store.counts(variable)[0]
        if variable.dataset is not None:
            sources = tuple(s.uri for s in variable.dataset.sources)
            key = " ".join(sources) if variable.dataset.is_live else variable.dataset.key
            if key not in self._told:
                self._told.add(key)
                found = notices(variable.dataset.account, sources, variable.dataset.is_live)
                reported = "unknown-records" if variable.dataset.is_live and not entities else ""  # with the reasons, by the store
                yield from (n for n in found if n.code != reported)
        if not entities:
            yield from reasons(self.store, variable)

    def _show(self, step: Step, columns: tuple[AttributePath, ...], limit: int | None, offset: int, name: str) -> Table:
        variable = self.store.evaluate(step)
        paths = columns or tuple(self._default_columns(variable))
        self.store.tell_missing(step, columns)
        shown = limit if limit is not None else self.rows
        table, total = self.answers.distinct(variable, paths)
        rows = self.answers.rows(table, shown, offset) if paths else []
        total = max(0, total - offset)
        kept = list(range(len(paths)))
        if limit is not None:
            total = min(total, limit)
        if not columns:
            kept = [i for i in range(len(paths)) if not rows or any(r[i] is not None for r in rows)]
            paths = tuple(paths[i] for i in kept)
            rows = [tuple(r[i] for i in kept) for r in rows]
        key = _key(step, paths, limit, offset)
        self._tables[key] = (table, (limit, offset), kept)
        return Table(name, tuple(p.text() for p in paths), tuple(rows), total, key)

    def page(
        self, key: str, offset: int, count: int, sort: int | None = None, descending: bool = False, search: str = ""
    ) -> tuple[list[tuple[Any, ...]], int]:
        """`count` rows of a table that was shown, by its key, after the first `offset`, and how many there are: of those a cell
        of which has the searched text, in the order of a column. Raises KeyError, IndexError for what is not there."""
        table, within, columns = self._tables[key]
        order = None if sort is None else (columns[sort], descending)
        return self.answers.page(table, within, columns, order, search, count, offset)

    def _draw(self, action: Draw) -> View:
        from kestrel.engine.views import Pictures

        return Pictures(self.store).draw(action.view, self.store.evaluate(action.step), action.name, action.columns)

    def _default_columns(self, variable: Variable) -> list[AttributePath]:
        """What DISP shows without ATTR: the rows' own columns, the type's attributes and the most telling of its references', id last."""
        own = list(variable.flat.columns) if variable.flat else []
        listed = [AttributePath(variable.type, (), name, kind=variable.columns[name].kind) for name in own if name not in UNTOLD]
        known = {p.text() for p in listed}
        more = [p for p in self.store.attributes_of(variable) if p.text() not in known and (not p.references or p.text() in TELLING)]
        identity = [] if variable.type == TABLE else [AttributePath(variable.type, (), "id")]
        return [*listed, *more, *identity]

    def _info(self, step: Step, name: str) -> Info:
        variable = self.store.evaluate(step)
        entities, records, first, last = self.store.counts(variable)
        paths = self.store.attributes_of(variable)
        attributes = tuple(Attribute(p.text(), n, x) for p, n, x in self.answers.fullness(variable, paths))
        relations = () if variable.type == TABLE else tuple(vocabulary().leading_from(variable.type))
        origin = self.origins.get(name, Origin(""))
        known = {**self.scope, **{f"${n}": value for n, value in {**self.parameters, **self._passed}.items()}}
        inputs = tuple(Input(n.name, state, n.text) for n, state in origin.listed(known))
        changed = tuple(dict.fromkeys(file for file, _, _ in self.readings.changed(read_by(step))))
        rows = self.store.rows(variable) if variable.flat and variable.type != TABLE else None
        uris = read_for(step)
        return Info(name, variable.type, entities, records, first, last, uris, attributes, relations, origin.text, inputs, changed, rows)

    def _describe(self, step: Step, path: AttributePath, name: str) -> Description:
        variable = self.store.evaluate(step)
        found = self.answers.distribution(variable, path)
        statistics = {
            "rows" if variable.flat else "entities": found.rows,
            "missing": found.missing,
            "distinct": found.distinct,
            "lowest": found.lowest,
            "highest": found.highest,
            "mean": found.mean,
            "median": found.median,
            "standard deviation": found.spread,
        }
        return Description(name, path.text(), tuple((n, v) for n, v in statistics.items() if v is not None), found.frequent)

    def _explain(self, step: Step, name: str) -> Explanation:
        """How a variable is made. Steps carry the names of the variables they are bound to, the asked one first."""
        named = {s: n for n, s in self.scope.items()} | {step: name}
        names = StepNames(named)
        lines = graph_lines(step, names)
        asked = []
        for asking, query in queries(step):
            wanted = f"{names.of(asking)}: {query_text(query, names)}"
            asked += [(source.uri, wanted, self._native(asking, query, source)) for source in query.sources]
        return Explanation(name, tuple(lines), tuple(asked))

    def _native(self, step: Step, query: RecordQuery, source: Source) -> str:
        """What is asked of a source, in its own language."""
        if not source.place:
            from kestrel.pushdown.projection import needed

            return native(source, needed([step]))
        fetcher = self.store.live.fetcher(source)
        span = query.range
        if query.related:
            span = span or range_of(query.related.given)
            roles = [s.name for s in roles_of("process")]
            of_more = list(by_unique_ids(["..."], span, roles)) if type_of(query.related.given) == "process" else []
        else:
            of_more = wanted_by(query, span, None)
        whole = f"up to {fetcher.whole:,} records of this time, all: {fetcher.explain(Wanted.within(span))}"
        return "; ".join([whole, *(f"of more: {fetcher.explain(wanted)}" for wanted in of_more)])

    def _save(self, step: Step, path: str, name: str) -> Told:
        from kestrel.engine.metadata import Told as FileTold
        from kestrel.engine.save import save, save_bundle

        variable = self.store.evaluate(step)
        columns = self._saved_columns(variable)
        made = "" if Path(path).parent.exists() else f", in the new folder {path_text(Path(path).parent)}"
        found = format_of(path)
        if found and found.kind == "stix":
            save_bundle(Path(path), self.answers.bundle(variable, [*columns, *_ends(variable.type)]))
            number = self.store.rows(variable)
        else:
            told = FileTold(variable.type, sources_of(step), variable.range)
            number = save(self.store.con, self.answers.select(variable, columns), Path(path), told)
        self.files.written.add(Path(path))
        return Told("saved", f"{number:,} row{'' if number == 1 else 's'} of `{name}` saved in {path_text(path)}{made}", number)

    def _saved_columns(self, variable: Variable) -> list[AttributePath]:
        """What a file or a program outside is given: identity first, then every attribute."""
        own = variable.flat.columns if variable.flat else {}
        listed = [AttributePath(variable.type, (), n, kind=own[n].kind) for n in own if variable.type == TABLE or n not in INHERENT]
        inherent = [] if variable.type == TABLE else [AttributePath(variable.type, (), name) for name in INHERENT]
        known = {p.text() for p in (*listed, *inherent)}
        return [*inherent, *listed, *(p for p in self.store.attributes_of(variable) if p.text() not in known)]

    def _summary(self, made: dict[str, Define], started: float, paid: Mapping[str, Cost]) -> Summary:
        found = []
        for name, action in made.items():
            variable = self.store.evaluate(action.step)
            entities, records, first, last = self.store.counts(variable)
            found.append(Made(name, variable.type, entities, records, first, last, read_for(action.step)))
        costs = self._store.live.cost() if self._store is not None else {}
        since = {uri: cost.since(paid.get(uri)) for uri, cost in costs.items()}
        asked = tuple(Asked(u, c.queries, c.records, c.bytes, round(c.seconds, 3), round(c.server, 3)) for u, c in since.items() if c.queries)
        return Summary(tuple(found), round(time.perf_counter() - started, 3), asked)

    def examine(self, pool: str) -> Iterator[tuple[str, str, str]]:
        """What stands between a data source and a hunt: what was looked at, `good`, `weak` or `bad`, and what was found. `pool` is written
        as after FROM. Raises HuntErrors."""
        try:
            for source in self._open(pool, quoted=False):
                yield from examine(source) if source.place else self._examine_files(source)
        except KestrelError as error:
            raise HuntErrors(Text(pool), [error]) from error

    def _examine_files(self, source: Source) -> Iterator[tuple[str, str, str]]:
        from kestrel.ingest.account import findings

        yield "files", "good", native(source, None)
        self.store.expect(None)
        dataset = self.store.dataset((source,), None)
        assert dataset is not None
        yield from findings(dataset.account)
        first, last = self.store.con.execute(f"SELECT min(t), max(t) FROM {dataset.events.table}").fetchone() or (None, None)
        state = "good" if first else "bad" if dataset.account.kept else "weak"
        yield "times", state, f"{first:%Y-%m-%dT%H:%M:%SZ} to {last:%Y-%m-%dT%H:%M:%SZ}" if first else "no record has a time"

    # -- variables from Python -----------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Handle:
        """A variable. Raises KeyError."""
        handle = Handle(self, name, self.scope[name])
        self._handles.add(handle)
        return handle

    def __contains__(self, name: object) -> bool:
        return name in self.scope

    def __setitem__(self, name: str, value: Any) -> None:
        """Bind a list of values or of dictionaries, a DataFrame or an Arrow table; `(type, value)` gives its type."""
        kind, rows = value if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) else (None, value)
        self.scope[name] = _given(kind, rows)
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
    def answers(self) -> Answers:
        from kestrel.engine.answers import Answers

        return Answers(self.store)

    @property
    def store(self) -> Store:
        if self._store is None:
            from kestrel.engine.evaluate import Store

            sweep(Path(tempfile.gettempdir()))
            self._store = Store(self.settings.cache, self.settings.lent, scope=self.scope, fetcher=fetcher, readings=self.readings)
            self._store.live.allow_partial = self.settings.allow_partial
        return self._store

    def progress(self) -> tuple[str, int, float] | None:
        """What takes long at the moment: `bytes` that are read or `records` that are fetched, how many, and the fraction that is done.
        For another thread to ask."""
        return self._store.progress() if self._store is not None else None

    def interrupt(self) -> None:
        """Stop the query that runs now, from any thread: the step that asked it fails, the session stays usable."""
        if self._store is not None:
            self._store.interrupt()
        if scratch := self._scratch:
            from kestrel.analytics.program import stop_in

            stop_in(scratch)

    def freeze(self) -> None:
        """Start reading the remaining columns of large files in the background, for interactive sessions."""
        if self._store is not None:
            self._store.snapshots.begin_writing()

    def settle(self) -> str | None:
        """Write what was read to the cache, when results have been shown; why that could not be done, or None."""
        return self._store.settle() if self._store is not None else None

    def close(self) -> str | None:
        """The same, and free everything else."""
        trouble = self.settle()
        self.free()
        return trouble

    def free(self) -> None:
        """End the session; what was read and is not in the cache is discarded."""
        if self._store is not None:
            self._store.close()
            self._store = None
            self._tables.clear()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Few:
    """The notices of a cell about its records, as two lines at most: the first as soon as it is known, the others at the end."""

    def __init__(self) -> None:
        self.waiting: list[Told] = []
        self.begun = False

    def add(self, found: Iterable[Told]) -> Iterator[Told]:
        """Add notices; returns those to show now."""
        for notice in found:
            if self.begun:
                self.waiting.append(notice)
            else:
                self.begun = True
                yield notice

    def rest(self) -> Iterator[Told]:
        """The notices that were not shown, combined into one."""
        waiting, self.waiting = list({n.message: n for n in self.waiting}.values()), []
        if len(waiting) == 1:
            yield waiting[0]
        elif waiting:
            details = tuple({"code": n.code, "message": n.message, "count": n.count, "details": list(n.details)} for n in waiting)
            yield Told("records", "; ".join(n.message for n in waiting), len(waiting), details)


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
            case Explain() | Notice():
                pass
            case _:
                assert_never(action)
    return needed(steps, shown)


def _key(step: Step, paths: Sequence[AttributePath], limit: int | None, offset: int) -> str:
    """The same for the same question."""
    text = f"{content_id(step)} {[p.text() for p in paths]} {limit} {offset}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _ends(type_name: str) -> list[AttributePath]:
    """What STIX wants of a process's connections beside the attributes a variable lists: their addresses."""
    connections = ("opened_connection_refs", "network-traffic")
    ends = (("src_ref", "address"), ("dst_ref", "address")) if type_name == "process" else ()
    return [AttributePath(type_name, (connections, end), "value") for end in ends]


def _part(hunt: Hunt, whole: Span | None, part: str) -> Span | None:
    """The part of a statement that a mistake is about."""
    return next((place_of(part, s) for s in hunt.statements if s.span == whole), None)


def _check_analytic(name: str, types: Sequence[str], arguments: Collection[str]) -> None:
    from kestrel import analytics

    analytics.find(name).check(types, arguments)


UNTOLD = frozenset({"last_observed", "number_observed"})
"""Columns of one row a record that say nothing when the first is shown."""
TELLING = frozenset(
    {
        "parent_ref.name",
        "parent_ref.pid",
        "binary_ref.x_path",
        "creator_user_ref.display_name",
        "src_ref.value",
        "dst_ref.value",
        "parent_directory_ref.path",
    }
)
"""Attributes behind a reference that DISP shows without being asked."""


@dataclass(frozen=True)
class Handle:
    """A variable of a session, for Python."""

    session: Session
    name: str
    step: Step

    def __len__(self) -> int:
        """The number of rows: one an entity, or those of a table, of JOIN, TIMESTAMPED, RECORDS and ADDOBSID."""
        store = self.session.store
        return store.rows(store.evaluate(self.step))

    @property
    def type(self) -> str:
        """The entity type, or `table`."""
        return type_of(self.step)

    def to_arrow(self) -> Any:
        """An Arrow table: one row an entity, every attribute known. Needs the extra `arrow`. Raises ModuleNotFoundError."""
        _require("pyarrow", "arrow")
        return self._relation().to_arrow_table()

    def to_pandas(self) -> Any:
        """A pandas DataFrame: one row an entity, every attribute known. Needs the extra `pandas`. Raises ModuleNotFoundError."""
        _require("pandas", "pandas")
        return self._relation().df()

    def to_dicts(self) -> list[dict[str, Any]]:
        """A list of dictionaries: one an entity, every attribute known."""
        relation = self._relation()
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def to_parquet(self, path: Path) -> None:
        """The same as a Parquet file, its pages packed by gzip."""
        self._relation().write_parquet(str(path), compression="gzip")

    def _relation(self) -> Any:
        variable = self.session.store.evaluate(self.step)
        return self.session.answers.relation(variable, self.session._saved_columns(variable), keyed=True)


def _require(module: str, extra: str) -> None:
    """Raise ModuleNotFoundError, with the extra that provides a module, where it is not installed."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ModuleNotFoundError(f"there is no module `{module}`; `pip install 'kestrel-hunt[{extra}]'` installs it", name=module) from error


def _given(kind: str | None, rows: Any) -> New:
    if hasattr(rows, "to_pylist"):
        rows = rows.to_pylist()
    elif hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.astype(object).where(rows.notna(), None).to_dict("records")
    rows = list(rows)
    found = _type_of_rows(kind, rows)
    made = []
    for row in rows:
        cells = row if isinstance(row, dict) else {found.main: row}
        made.append(tuple((str(k), v) for k, v in cells.items() if k not in ("type", "id")))
    return New(found.name, tuple(made))


def _type_of_rows(kind: str | None, rows: Iterable[Any]) -> EntityType:
    """The type of rows from Python: the one named, else the one in the rows, else `process`."""
    said = {str(row["type"]) for row in rows if isinstance(row, dict) and isinstance(row.get("type"), str)}
    named = dict.fromkeys(([kind] if kind else []) + sorted(said))
    found = {entity.name: entity for name in named or ("process",) if (entity := vocabulary().type_named(name))}
    unknown = next((name for name in named if vocabulary().type_named(name) is None), None)
    if unknown is not None:
        raise ValueError(f"there is no entity type {unknown!r}")
    if len(found) > 1:
        raise ValueError(f"a variable has entities of one type, and these are {', '.join(found)}")
    return next(iter(found.values()))


def failures(error: HuntErrors) -> list[Failure]:
    """The mistakes of a text as results."""
    found = []
    for e in error.errors:
        line, column = error.source.position(e.span.start) if e.span else (None, None)
        found.append(Failure(e.code, e.message, e.hint, line, column, draw(error.source, e)))
    return found
