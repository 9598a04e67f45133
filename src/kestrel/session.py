"""The one object that knows everything: variables, the store and the sources. `run(text)` gives results."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any

from kestrel.errors import HuntErrors, KestrelError, draw
from kestrel.graph.predicate import AttributePath
from kestrel.graph.steps import New, Source, Step, sources_of
from kestrel.lower import Action, Define, Inform, Lowering, Notice, Show, lower, possible_from
from kestrel.model.vocabulary import vocabulary
from kestrel.result import Attribute, Failure, Info, Made, Result, Summary, Table
from kestrel.result import Notice as Told
from kestrel.settings import Settings, load_settings
from kestrel.sources.pool import is_profile, open_pool
from kestrel.syntax import parse, to_text
from kestrel.syntax.tree import Assign, Hunt
from kestrel.text import Source as Text

if TYPE_CHECKING:
    from kestrel.store.evaluate import Store, Variable


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
        self.origins: dict[str, str] = {}
        self.last_sources: tuple[Source, ...] = ()
        self._store: Store | None = None
        self._told: set[str] = set()

    # -- the pipeline --------------------------------------------------------------------------------------------

    def run(self, text: str, name: str = "<cell>") -> list[Result]:
        """Every result of a cell or file, the summary last if the settings want it. Raises HuntErrors; what came before stays in the session."""
        return list(self.stream(text, name))

    def stream(self, text: str, name: str = "<cell>") -> Iterator[Result]:
        """The same, each result as soon as it is there."""
        started = time.perf_counter()
        source = Text(text, name)
        hunt = parse(text, name)
        actions = self._lower(source, hunt)
        yield from self._settings_notices()
        for code, message in hunt.notices:
            yield Told(code, message)
        made: dict[str, Define] = {}
        if actions:
            self.store.expect(_columns(actions))
        for action in actions:
            try:
                yield from self._act(action, made)
            except KestrelError as error:
                error.span = error.span or getattr(action, "span", None)
                raise HuntErrors(source, [error]) from error
        if self.settings.summary:
            yield self._summary(made, started)

    def check(self, text: str, name: str = "<cell>") -> None:
        """Raise HuntErrors if the text has mistakes that can be seen before it runs. Nothing is run or remembered."""
        lower(Text(text, name), parse(text, name), self._lowering())

    def _lower(self, source: Text, hunt: Hunt) -> list[Action]:
        lowering = self._lowering()
        actions = lower(source, hunt, lowering)
        self.last_sources = lowering.last_sources
        for statement in hunt.statements:
            if isinstance(statement, Assign):
                name = statement.target.text if statement.target else self.settings.default_variable
                self.origins[name] = to_text(Hunt((statement,))).strip()
        return actions

    def _lowering(self) -> Lowering:
        scheme = self.settings.default_scheme
        opened, profiled = partial(open_pool, default_scheme=scheme), partial(is_profile, default_scheme=scheme)
        return Lowering(dict(self.scope), opened, datetime.now(UTC), self.last_sources, profiled, self.settings.default_variable)

    def _act(self, action: Action, made: dict[str, Define]) -> Iterator[Result]:
        match action:
            case Define(name, step):
                self.store.evaluate(step)
                self.scope[name] = step
                made[name] = action
                yield from self._accounts(step)
            case Show(step, columns, limit, name):
                yield from self._show(step, columns, limit, name)
            case Inform(step, name):
                yield self._info(step, name)
            case Notice(code, message):
                yield Told(code, message)

    # -- results -------------------------------------------------------------------------------------------------

    def _settings_notices(self) -> Iterator[Result]:
        """Once: what the settings file says in vain."""
        for notice in self.settings.notices:
            if notice.message not in self._told:
                self._told.add(notice.message)
                yield notice

    def _accounts(self, step: Step) -> Iterator[Result]:
        """Once for each set of files: what was not as it should be."""
        dataset = self.store.evaluate(step).dataset
        if dataset is None or dataset.key in self._told:
            return
        self._told.add(dataset.key)
        account = dataset.account
        if account.broken:
            yield Told("broken-lines", f"{account.broken:,} of {account.read:,} lines are no JSON and were left out", account.broken)
        if account.unknown:
            yield Told(
                "unknown-records",
                f"{account.unknown:,} of {account.read:,} records have a shape no mapping knows and were left out",
                account.unknown,
            )
        if account.duplicates:
            yield Told(
                "duplicates",
                f"{account.duplicates:,} of {account.read:,} records are there more than once and count once",
                account.duplicates,
            )
        if account.mended:
            yield Told(
                "mended-lines",
                f"{account.mended:,} lines were damaged text (not UTF-8, or cut) and were read as far as they go",
                account.mended,
            )

    def _show(self, step: Step, columns: tuple[AttributePath, ...], limit: int | None, name: str) -> Iterator[Result]:
        variable = self.store.evaluate(step)
        paths = columns or tuple(self._default_columns(variable))
        shown = limit if limit is not None else self.rows
        rows, total = self.store.table(variable, paths, shown)
        if limit is not None:
            total = min(total, limit)
        if not columns:
            kept = [i for i, p in enumerate(paths) if not rows or any(r[i] is not None for r in rows)]
            paths = tuple(paths[i] for i in kept)
            rows = [tuple(r[i] for i in kept) for r in rows]
        yield Table(name, tuple(p.text() for p in paths), tuple(rows), total)

    def _default_columns(self, variable: Variable) -> list[AttributePath]:
        """What DISP shows without ATTR: the type's own attributes and the most telling of its references', id last."""
        own = [p for p in self.store.attributes_of(variable) if not p.references or p.text() in TELLING]
        return [*own, AttributePath(variable.type, (), "id")]

    def _info(self, step: Step, name: str) -> Info:
        variable = self.store.evaluate(step)
        entities, records, first, last = self.store.counts(variable)
        paths = self.store.attributes_of(variable)
        attributes = tuple(Attribute(p.text(), n, x) for p, n, x in self.store.fullness(variable, paths))
        return Info(
            name,
            variable.type,
            entities,
            records,
            first,
            last,
            _uris(step),
            attributes,
            tuple(possible_from(variable.type)),
            self.origins.get(name, ""),
        )

    def _summary(self, made: dict[str, Define], started: float) -> Summary:
        found = []
        for name, action in made.items():
            variable = self.store.evaluate(action.step)
            entities, records, first, last = self.store.counts(variable)
            found.append(Made(name, variable.type, entities, records, first, last, _uris(action.step)))
        return Summary(tuple(found), round(time.perf_counter() - started, 3))

    # -- variables from Python -----------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Handle:
        """A variable. Raises KeyError."""
        return Handle(self, name, self.scope[name])

    def __contains__(self, name: object) -> bool:
        return name in self.scope

    def __setitem__(self, name: str, value: Any) -> None:
        """Bind a list of values or of dictionaries, a DataFrame or an Arrow table; `(type, value)` gives its type."""
        kind, rows = value if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) else (None, value)
        self.scope[name] = _given(kind, rows)
        self.origins[name] = f"{name} was given from Python"

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
    def store(self) -> Store:
        if self._store is None:
            from kestrel.store.evaluate import Store

            self._store = Store(self.settings.cache, self.settings.lent)
        return self._store

    def progress(self) -> tuple[int, float] | None:
        """While files are read: their bytes and the fraction done. For another thread to ask."""
        return self._store.progress() if self._store is not None else None

    def interrupt(self) -> None:
        """Stop the query that runs now, from any thread: the step that asked it fails, the session stays usable."""
        if self._store is not None:
            self._store.con.interrupt()

    def settle(self) -> str | None:
        """Write what was read to the cache, when results have been shown; why that could not be done, or None."""
        return self._store.settle() if self._store is not None else None

    def close(self) -> str | None:
        """The same, and free everything else."""
        trouble = self.settle()
        if self._store is not None:
            self._store.con.close()
            self._store = None
        return trouble

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _columns(actions: list[Action]) -> frozenset[str] | None:
    """What the actions need of large files; None for everything."""
    from kestrel.store.needs import needed

    steps: list[Step] = []
    shown: list[AttributePath] = []
    for action in actions:
        match action:
            case Define(_, step):
                steps.append(step)
            case Show(step, columns):
                if not columns:
                    return None
                steps.append(step)
                shown += columns
            case Inform():
                return None
            case Notice():
                pass
    return needed(steps, shown)


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
        """The number of entities."""
        store = self.session.store
        return store.counts(store.evaluate(self.step))[0]

    def to_arrow(self) -> Any:
        """An Arrow table: one row an entity, every attribute known. Needs the extra `arrow`."""
        return self._relation().to_arrow_table()

    def to_pandas(self) -> Any:
        """A pandas DataFrame: one row an entity, every attribute known. Needs the extra `pandas`."""
        return self._relation().df()

    def to_dicts(self) -> list[dict[str, Any]]:
        """A list of dictionaries: one an entity, every attribute known."""
        relation = self._relation()
        return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]

    def _relation(self) -> Any:
        store = self.session.store
        variable = store.evaluate(self.step)
        inherent = [AttributePath(variable.type, (), n) for n in ("id", "first_observed", "last_observed", "number_observed")]
        return store.relation(variable, [*inherent, *store.attributes_of(variable)])


def _given(kind: str | None, rows: Any) -> New:
    if hasattr(rows, "to_pylist"):
        rows = rows.to_pylist()
    elif hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.astype(object).where(rows.notna(), None).to_dict("records")
    found = vocabulary().type_named(kind or "process")
    if found is None:
        raise ValueError(f"there is no entity type {kind!r}")
    made = []
    for row in rows:
        cells = row if isinstance(row, dict) else {found.main: row}
        made.append(tuple((str(k), v) for k, v in cells.items() if k not in ("type", "id")))
    return New(found.name, tuple(made))


def _uris(step: Step) -> tuple[str, ...]:
    return tuple(s.uri for s in sources_of(step))


def failures(error: HuntErrors) -> list[Failure]:
    """The mistakes of a text as results."""
    found = []
    for e in error.errors:
        line, column = error.source.position(e.span.start) if e.span else (None, None)
        found.append(Failure(e.code, e.message, e.hint, line, column, draw(error.source, e)))
    return found
