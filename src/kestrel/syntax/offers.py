"""What is offered at the cursor: the known things that go on from what is typed, the likeliest first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal

from kestrel.config import packaged
from kestrel.syntax.context import Attribute, Context, EntityType, Variable
from kestrel.syntax.scanner import SOURCE, WORD

Kind = Literal[
    "keyword", "operator", "type", "variable", "attribute", "reference", "relation", "source", "file", "analytics", "time", "parameter", "view"
]
Fits = Callable[[str | None], bool]
"""Whether a variable of this type (None where only a run will tell) can stand here."""

READ = re.compile(r"(?:.*[\s,()\[\]{}'\"#=<>!+])?", re.DOTALL)
"""All but the word that touches the end."""
TYPED_TIME = re.compile(r"[tT]?['\"]?([^'\"\n]*)\Z")
PARAMETER = re.compile(r"\$([^\W\d]\w*)")
NEAR = 2000
"""How many characters before the cursor tell which variables were used last."""
FIELDS = "data."
"""How the names of fields of records begin."""
EVENT, ROWS = "x-oca-event", "event.original"
"""The type that has them, and a column that rows of RECORDS have, which have them too."""
SPANS = 4
"""How many variables lend their times."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that may stand at the cursor. `of`: the type whose attribute or reference it is."""

    text: str
    kind: Kind
    detail: str = ""
    of: str = ""


@dataclass
class Owner:
    """Whose attributes are meant: those of a type and, where it is known, of a variable."""

    type: str | None
    variable: str | None = None


@cache
def keywords() -> Mapping[str, Mapping[str, str]]:
    """What every keyword and operator does: `about` and, for some, `form` and `example`."""
    found: Mapping[str, Mapping[str, str]] = packaged("kestrel.syntax", "keywords.yaml")
    return found


def any_type(_: str | None) -> bool:
    return True


class Offers:
    """The things offered at the end of `text`. `start`: where the text that they replace begins."""

    def __init__(self, text: str, context: Context, variables: Mapping[str, Variable]) -> None:
        self.text = text
        self.context = context
        self.variables = dict(variables)
        read = READ.match(text)
        assert read is not None
        self.last = read.end()
        """Where the word begins that touches the cursor."""
        self.start = self.last
        self.items: list[Item] = []

    def add(self, items: Iterable[Item], start: int | None = None) -> None:
        """Those items that go on from the text between `start` (the last word) and the cursor."""
        self.start = self.last if start is None else start
        typed = self.text[self.start :].casefold()
        self.items += [i for i in items if i.text.casefold().startswith(typed)]

    def words(self, words: Iterable[str], after: str = "", kind: Kind = "keyword") -> None:
        """Keywords, each with `after` behind it."""
        self.add(Item(w + after, kind, keywords().get(w, {}).get("about", "")) for w in words)

    def sign(self, sign: str) -> None:
        self.add([Item(sign, "operator")])

    # -- variables and relations ---------------------------------------------------------------------------------

    def variables_that(self, fits: Fits = any_type, after: str = "", start: int | None = None) -> None:
        """The variables whose type fits, those used last first."""
        fitting = ((n, self.variables[n]) for n in self._recent())
        self.add((Item(n + after, "variable", summary(v)) for n, v in fitting if fits(v.type)), start)

    def _recent(self) -> list[str]:
        used = reversed(WORD.findall(self.text[max(0, self.last - NEAR) : self.last]))
        return list(dict.fromkeys([*(w for w in used if w in self.variables), *reversed(self.variables)]))

    def types(self) -> None:
        self.add(Item(n, "type", t.about) for n, t in self.context.types.items())
        self.add(Item(n, "type", f"another name of {t}") for n, t in self.context.type_aliases.items())

    def verbs(self, kind: str | None) -> None:
        """The verbs that can lead to a type, first those for which there is a variable."""
        held = {v.type for v in self.variables.values()} - {None}
        ready: list[Item] = []
        others: list[Item] = []
        for verb, relation in self.context.relations.items():
            for word, by in ((relation.passive or verb, True), (verb, True), (verb, False)):
                if self.context.ties(verb, kind, None, by):
                    item = Item(f"{word} BY" if by else word, "relation", relation.about)
                    (ready if any(self.context.ties(verb, kind, given, by) for given in held) else others).append(item)
        self.add(ready + others)

    # -- attributes ----------------------------------------------------------------------------------------------

    def attributes(self, owner: Owner, start: int, also: Iterable[Item] = (), without: Iterable[str] = ()) -> None:
        """Attributes and references of the type that the path so far leads to, first those that most entities have.

        `also` may stand where a path begins.
        """
        type_name, colon, path = self.text[start:].rpartition(":")
        if colon:
            kind_name = self.context.type_named(type_name)
            owner = Owner(kind_name, owner.variable if kind_name == owner.type else None)
        known = self.variables.get(owner.variable or "")
        if owner.type == EVENT or (known and not colon and ROWS in known.fullness):
            self._fields(path, start + len(type_name) + len(colon))
        kind, name, rest = follow(self.context, owner.type, path)
        start = len(self.text) - len(rest)
        before = path[: len(path) - len(rest)]
        references = kind.references if kind else {}
        fullness = {k.removeprefix(before): v for k, v in known.fullness.items() if k.startswith(before)} if known else {}
        own = dict(kind.attributes) if kind else {}
        for full in fullness:
            if full.partition(".")[0] not in references:
                own.setdefault(full, Attribute())
        left = [n for n in own if before + n not in without]
        left.sort(key=lambda n: _rank(fullness.get(n)))
        self.add((Item(n, "attribute", _told(fullness.get(n), own[n].about), name) for n in left), start)
        self.add((Item(f"{n}[*]." if n.endswith("_refs") else f"{n}.", "reference", r.about, name) for n, r in references.items()), start)
        if not before and not colon:
            self.add(also, start)
            if rest:
                self.add((Item(n, "attribute", f"another name of {a}") for n, a in self.context.aliases.items()), start)

    def _fields(self, path: str, start: int) -> None:
        """Fields of the records, after `data.`."""
        if path.startswith(FIELDS):
            items = (Item(FIELDS + name, "attribute", _told(full, "")) for name, full in self.context.fields().items())
            self.add(items, start)
        elif FIELDS.startswith(path):
            self.add([Item(FIELDS, "reference", "a field of the record")], start)

    def attributes_of_variable(self, start: int) -> bool:
        """The attributes of a variable, after `variable.`; whether that stands at `start`."""
        name, dot, _ = self.text[start:].partition(".")
        known = self.variables.get(name)
        if not dot or known is None:
            return False
        self.attributes(Owner(known.type, name), start + len(name) + 1)
        return True

    # -- what lies outside the hunt ------------------------------------------------------------------------------

    def sources(self, kind: str | None, start: int) -> None:
        """What may stand after FROM: variables of the type, profiles, kinds of source, files."""
        written = self.text[start:]
        profiles = list(self.context.profiles())
        if "://" in written and "," in written:
            self.add((Item(p, "source", "profile") for p in profiles), start + written.rindex(",") + 1)
            return
        self.variables_that(lambda given: kind is None or given in (None, kind), start=start)
        self.add((Item(f"stixshifter://{p}", "source", "profile") for p in profiles), start)
        if written:
            self.add((Item(p, "source", "profile") for p in profiles), start)
        self.add((Item(f"{s}://", "source", "kind of data source") for s in self.context.schemes), start)
        self.files(start)

    def files(self, start: int) -> None:
        """Files whose path begins as written; one with a character that a bare path cannot have is quoted."""
        self.parameters()
        self.start = start
        written = self.text[start:]
        if "$" in written or "://" in written:
            return
        for path in self.context.files(written):
            bare = SOURCE.fullmatch(path) and ("/" in path or "." in path)
            if bare or _quotable(path):
                self.items.append(_file(path if bare else f"'{path}'", path))

    def files_in_quotes(self, start: int) -> None:
        """The same where the path began with a quote."""
        self.start = start
        self.items += [_file(p, p) for p in self.context.files(self.text[start:]) if _quotable(p)]

    def parameters(self) -> None:
        """The parameters that are given, and those the hunt names."""
        named = PARAMETER.findall(self.text, 0, self.last)
        self.add(Item(f"${p}", "parameter") for p in dict.fromkeys([*self.context.parameters, *named]))

    def times(self, start: int, which: Literal["START", "STOP"] | None = None) -> None:
        """First and last moments of variables, now, an hour and a day ago, as far as they go on from what is typed."""
        typed = TYPED_TIME.match(self.text, start)
        self.start = start
        found: dict[str, Item] = {}
        for moment, stated in self._moments(which):
            text = moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
            if typed and text.startswith(typed.group(1).upper()):
                found.setdefault(text, Item(f"t'{text}'", "time", stated))
        self.items += found.values()

    def _moments(self, which: Literal["START", "STOP"] | None) -> Iterator[tuple[datetime, str]]:
        known = ((n, self.variables[n]) for n in self._recent())
        spans = [(n, v.first_observed, v.last_observed) for n, v in known if v.first_observed and v.last_observed]
        for name, first, last in spans[:SPANS]:
            if which != "STOP":
                yield first, f"the first record of {name}"
            if which != "START":
                yield last + timedelta(seconds=1), f"after the last record of {name}"
        if which != "START":
            yield self.context.now, "now"
        yield self.context.now - timedelta(hours=1), "an hour ago"
        yield self.context.now - timedelta(days=1), "a day ago"


def follow(context: Context, type_name: str | None, path: str) -> tuple[EntityType | None, str, str]:
    """The type that a path's references lead to, its name, and the rest of the path."""
    name = type_name or ""
    kind = context.types.get(name)
    while kind and "." in path:
        head, _, tail = path.partition(".")
        reference = kind.references.get(head.removesuffix("[*]"))
        if reference is None:
            break
        name, kind, path = reference.target, context.types.get(reference.target), tail
    return kind, name, path


def summary(variable: Variable) -> str:
    """`process, 12 entities, 40 records`, as far as it is known."""
    parts = [variable.type or "table"]
    if variable.entities is not None:
        parts.append(f"{variable.entities:,} {'entity' if variable.entities == 1 else 'entities'}")
    if variable.records is not None:
        parts.append(f"{variable.records:,} {'record' if variable.records == 1 else 'records'}")
    return ", ".join(parts)


def _rank(share: float | None) -> tuple[int, float]:
    """Attributes that are full come first, those never set last."""
    return (1, 0) if share is None else (0, -share) if share else (2, 0)


def _told(share: float | None, about: str) -> str:
    return about if share is None else f"{percent(share)}: {about}" if about else percent(share)


def percent(share: float) -> str:
    """`in 93 %`; only what is in all is 100, only what is in none is 0."""
    number = round(share * 100)
    return f"in {min(99, max(1, number)) if 0 < share < 1 else number} %"


def _quotable(path: str) -> bool:
    """Whether a path means itself in quotes."""
    return path.isprintable() and not set(path) & {"'", '"', "\\"}


def _file(text: str, path: str) -> Item:
    return Item(text, "file", "folder" if path.endswith("/") else "file")
