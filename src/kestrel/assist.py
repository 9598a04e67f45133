"""Completion and help in a session: what the language allows at a place, with what the session knows of its variables."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from itertools import groupby, islice
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from kestrel.errors import HuntErrors, KestrelError
from kestrel.graph.steps import New, Step, type_of
from kestrel.lower.columns import columns_beside
from kestrel.model.about import about_attribute, about_type, about_verb
from kestrel.model.vocabulary import ADDRESS_TYPES, EVERY_ENTITY, EntityType, vocabulary
from kestrel.result import Info, Made, Result, Summary
from kestrel.sources.files import PACKED, SUFFIXES
from kestrel.sources.opening import GROUP
from kestrel.sources.profiles import profile_names
from kestrel.syntax import complete as completing
from kestrel.syntax import context, parse
from kestrel.syntax import help as helping
from kestrel.syntax.mistakes import OpenBracket

if TYPE_CHECKING:
    from kestrel.session import Session

LISTED = 1000
"""The number of files of a folder that are checked, so that a large one takes no longer."""
COUNTED = 50_000
"""The attributes of a variable of more entities are not counted until INFO does."""

SAMPLE = 500
"""The records of a dataset whose fields are offered."""
OFFERED = 300
"""The number of fields that are offered of a dataset, those that most records have."""
_fields: WeakKeyDictionary[Session, dict[str, dict[str, float]]] = WeakKeyDictionary()
"""The fields of the first records of the datasets of each session, by the key of the dataset."""
_seen: WeakKeyDictionary[Session, dict[str, tuple[Step, context.Variable]]] = WeakKeyDictionary()
"""What is known of the variables of each session, each with the step it is known of."""


def complete(session: Session, text: str, offset: int) -> completing.Completion:
    """What may stand at an offset of a text that is about to run in the session. Nothing is evaluated, no data is read."""
    return completing.complete(text, offset, _context(session))


def help_at(session: Session, text: str, offset: int) -> helping.Help | None:
    """The help for the word at an offset, or None."""
    return helping.help_at(text, offset, _context(session))


def help_on(session: Session, word: str) -> helping.Help | None:
    """The help for a word that stands alone, or None."""
    return helping.help_on(word, _context(session))


LEAVING = frozenset({"exit", "quit", "exit()", "quit()"})
HELP = re.compile(r"help|help\(\)|\?+|\?+\s*(?P<word>.+?)[\s?]*|help\s+(?P<topic>[^\s=]\S*)|(?P<before>[\w@.$-]+)\s*\?+", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Aside:
    """An input that is not a hunt: a request to leave or for help (`help` is None if there is none for `word`), or the name of a
    variable; `hunt` then shows it."""

    word: str
    leave: bool = False
    hunt: str | None = None
    help: helping.Help | None = None


def aside(session: Session, text: str) -> Aside | None:
    """The request in an input that is not a hunt; None for a hunt. The name of a variable takes precedence over help."""
    word = text.strip()
    if word in session:
        return Aside(word, hunt=f"DISP {word}")
    if word.lower() in LEAVING:
        return Aside(word, leave=True)
    asked = HELP.fullmatch(word)
    if asked is None:
        return None
    about = asked["word"] or asked["topic"] or asked["before"]
    return Aside(about or word, help=help_on(session, about) if about else helping.overview())


def remember(session: Session, result: Result) -> None:
    """Keep what a result says about variables, for completion."""
    match result:
        case Summary(made):
            for m in made:
                _update(session, m.name, _counts(m))
        case Info():
            full = {a.name: a.count / max(1, result.entities) for a in result.attributes}
            _update(session, result.variable, replace(_counts(result), fullness=full))
        case _:
            pass


def learn(session: Session, stopped: Callable[[], bool] = lambda: False) -> None:
    """Count how full the attributes of the variables are, as long as nobody wants to stop it: for an idle moment.

    Only what is evaluated and read is counted. It uses the session's database, so nothing else may run meanwhile;
    `stopped` is asked a few times a second.
    """
    if not session.scope:
        return
    from kestrel.engine.answers import Answers
    from kestrel.engine.fields import first_fields

    engine = session.engine
    known = _fields.setdefault(session, {})
    for key, dataset in list(engine.datasets.snapshots.held.items()):
        if stopped():
            return
        if key not in known:
            known[key] = dict(first_fields(engine.con, dataset, SAMPLE, OFFERED))
    evaluated = {v.step: v for v in engine.variables.values()}
    for name, step in reversed(session.scope.items()):
        variable = evaluated.get(step)
        if variable is None or _known(session, name, step).fullness or (variable.dataset and variable.dataset.events.unread):
            continue
        entities, records, first, last = engine.counts(variable)
        if entities > COUNTED:
            continue
        full: dict[str, float] = {}
        for _, paths in groupby(engine.attributes_of(variable), lambda p: p.references):
            if stopped():
                return
            full |= {p.text(): n / max(1, entities) for p, n, _ in Answers(engine).fullness(variable, list(paths))}
        _update(session, name, context.Variable(None, full, entities, records, first, last))


def finished(text: str) -> bool:
    """Whether a text can run: an empty line ends it, or it can be read, or going on could not mend it."""
    if text.lstrip().startswith("?") or HELP.fullmatch(text.strip()) or not text.rpartition("\n")[2].strip():
        return True
    return state_of(text) != "incomplete"


def state_of(text: str) -> Literal["complete", "incomplete", "invalid"]:
    """Whether a text can be read, could be if it went on, or has a mistake that going on cannot mend."""
    try:
        parse(text)
    except HuntErrors as error:
        end = len(text.rstrip())
        more = any(isinstance(e, OpenBracket) or (e.span and e.span.start >= end) for e in error.errors)
        return "incomplete" if more else "invalid"
    return "complete"


# -- what is known ----------------------------------------------------------------------------------------------------


def _context(session: Session) -> context.Context:
    words = vocabulary()
    return context.Context(
        types=_types(),
        type_aliases=words.type_aliases,
        aliases=words.aliases,
        relations=_relations(),
        variables={n: _known(session, n, s) for n, s in list(session.scope.items())},
        schemes=_schemes(),
        profiles=_profiles,
        files=_files,
        fields=lambda: {n: share for known in _fields.get(session, {}).values() for n, share in known.items()},
        analytics=_analytics(),
    )


def _known(session: Session, name: str, step: Step) -> context.Variable:
    memory = _seen.setdefault(session, {})
    seen = memory.get(name)
    if seen is None or seen[0] is not step:
        columns = columns_beside(step, session.known_columns).kinds
        seen = memory[name] = (step, context.Variable(type_of(step), _written(step) or dict.fromkeys(columns, 1.0)))
    return seen[1]


def _update(session: Session, name: str, known: context.Variable) -> None:
    """Keep what is reported about a variable beside what is known; its type is the session's word."""
    step = session.scope.get(name)
    if step is not None:
        old = _known(session, name, step)
        _seen[session][name] = (step, replace(known, type=old.type, fullness=known.fullness or old.fullness))


def _counts(known: Info | Made) -> context.Variable:
    return context.Variable(None, {}, known.entities, known.records, known.first_observed, known.last_observed)


def _written(step: Step) -> dict[str, float]:
    """How full the attributes are that NEW gives."""
    if not isinstance(step, New):
        return {}
    counts = Counter(name for row in step.rows for name, value in row if value is not None)
    return {name: count / len(step.rows) for name, count in counts.items()}


@cache
def _types() -> dict[str, context.EntityType]:
    return {name: _type(kind) for name, kind in vocabulary().types.items()}


def _type(kind: EntityType) -> context.EntityType:
    attributes = {n: context.Attribute(about_attribute(kind.name, n), kind.kind(n)) for n in (*kind.attributes, *EVERY_ENTITY)}
    references = {r: context.Reference(_targets(t)[0], about_attribute(kind.name, r)) for r, t in kind.references.items()}
    return context.EntityType(about_type(kind.name), attributes, references)


@cache
def _relations() -> dict[str, context.Relation]:
    return {verb: context.Relation(_pairs(r.pairs), r.passive, about_verb(verb)) for verb, r in vocabulary().relations.items()}


def _pairs(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((a, b) for subject, thing in pairs for a in _targets(subject) for b in _targets(thing))


def _targets(name: str) -> tuple[str, ...]:
    """The types that a name of the model stands for."""
    return ADDRESS_TYPES if name == "address" else (name,)


@cache
def _schemes() -> tuple[str, ...]:
    return tuple(sorted({e.name for e in entry_points(group=GROUP)}))


def _profiles() -> list[str]:
    """The profiles that are set up; a settings file that cannot be read names none, and tells when it is used."""
    try:
        return profile_names()
    except KestrelError:
        return []


def _analytics() -> list[str]:
    """Everything APPLY can name; a settings file that cannot be read names none, and tells when it is used."""
    from kestrel import analytics

    try:
        return analytics.names()
    except KestrelError:
        return []


def _files(written: str) -> list[str]:
    """The paths that begin with a text: log files first, then folders, then others. Hidden ones only where asked for."""
    folder, separator, name = written.rpartition("/")
    try:
        with os.scandir(os.path.expanduser(folder + separator) or ".") as entries:
            found = [e for e in islice(entries, LISTED) if e.name.startswith(name) and (name or not e.name.startswith("."))]
            named = [(_rank(e), f"{folder}{separator}{e.name}{'/' if e.is_dir() else ''}") for e in found]
    except (OSError, ValueError):
        return []
    return [path for _, path in sorted(named)]


def _rank(entry: os.DirEntry[str]) -> int:
    return 0 if entry.name.lower().endswith(SUFFIXES + PACKED) else 1 if entry.is_dir() else 2
