"""Help: what the thing under the cursor means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from kestrel.syntax.complete import complete
from kestrel.syntax.context import Context, Relation, Variable
from kestrel.syntax.grammar import COMMANDS
from kestrel.syntax.offers import Item, keywords, percent, summary

NAME = re.compile(r"[\w@$-]+(?:\[\*\])?")
READ = re.compile(r"^(?:[^'\"#\n]|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")*\Z", re.MULTILINE)
"""A line up to a place that is in no text and no comment."""
LISTED = 12


@dataclass(frozen=True, slots=True)
class Help:
    """`title` in one line, `text` in a few, about the text from `start` to `end`."""

    title: str
    text: str
    start: int
    end: int


def help_at(text: str, offset: int, context: Context) -> Help | None:
    """The help for the word at an offset (its end counts too), or None where there is nothing to say."""
    for start, end in _words_at(text, offset):
        word = text[start:end]
        at_end = complete(text[:end], end, context)
        named = [i for i in at_end.items if _names(i, text[at_end.start : end])]
        found = named[0] if named else None
        stated = _about(found, context) if found else _keyword(word.upper()) if READ.search(text, 0, start) else None
        if stated:
            return Help(*stated, at_end.start if found else start, end)
    return None


def overview() -> Help:
    """An overview of the commands, for help without a word."""
    width = max(map(len, COMMANDS))
    lines = [f"  {command:{width}}  {keywords()[command]['about']}" for command in COMMANDS]
    more = "`?word` or `help word` explains a command, a type, an attribute or a variable. A variable's name alone shows it."
    return Help("Hunts are statements like `p = GET process FROM logs.json WHERE name = 'cmd.exe'`", "\n".join([*lines, more]), 0, 0)


def help_on(word: str, context: Context) -> Help | None:
    """The help for a word that stands alone: a variable, a verb, a keyword, a type, else an attribute of the first type that
    has it."""
    known = context.variables.get(word)
    relation = context.relation(word.upper())
    if known:
        stated: tuple[str, str] | None = _variable(word, known, summary(known))
    elif relation:
        stated = _relation(relation, context)
    else:
        stated = _keyword(word.upper()) or _type(context.type_named(word.lower()), context) or _attribute(word, context)
    return Help(*stated, 0, len(word)) if stated else None


def _attribute(word: str, context: Context) -> tuple[str, str] | None:
    for name, kind in context.types.items():
        if word in kind.attributes:
            return _about(Item(word, "attribute", kind.attributes[word].about, name), context)
        if word in kind.references:
            return _about(Item(word, "reference", "", name), context)
    return None


def _words_at(text: str, offset: int) -> Iterator[tuple[int, int]]:
    """The word at an offset, then with the one after its dot (`hashes.MD5`)."""
    start = offset
    while start > 0 and NAME.fullmatch(text[start - 1]):
        start -= 1
    found = NAME.match(text, start)
    if found is None:
        return
    yield found.span()
    if text[found.end() : found.end() + 1] == "." and (after := NAME.match(text, found.end() + 1)):
        yield start, after.end()


def _names(item: Item, word: str) -> bool:
    bare = item.text.removesuffix(" BY").rstrip(".:(").removesuffix("[*]")
    return bare.casefold() == word.rstrip(".:").removesuffix("[*]").casefold()


def _about(item: Item, context: Context) -> tuple[str, str] | None:
    name = item.text.rstrip(".:(")
    match item.kind:
        case "type":
            return _type(context.type_named(name), context)
        case "attribute":
            return (f"{name}: an attribute of {item.of}", item.detail) if item.of else (name, item.detail)
        case "reference":
            reference = context.types[item.of].references[name.removesuffix("[*]")]
            attributes = ", ".join(f"{name}.{a}" for a in _first(context, reference.target))
            return f"{name}: {item.of} to {reference.target}", f"{reference.about}\n{attributes}"
        case "relation":
            relation = context.relation(name.removesuffix(" BY"))
            return _relation(relation, context) if relation else None
        case "variable":
            return _variable(name, context.variables.get(name), item.detail)
        case "keyword" | "operator" | "view":
            return _keyword(name)
        case "source" | "file" | "analytics" | "time" | "parameter":
            return name, item.detail or item.kind


def _keyword(name: str) -> tuple[str, str] | None:
    """What a keyword does; its first word stands for one of several."""
    name = next((k for k in keywords() if k == name or k.startswith(f"{name} ")), "")
    stated = keywords().get(name)
    if stated is None:
        return None
    lines = [stated["about"]]
    if "example" in stated:
        lines.append(f"for example: {stated['example']}")
    return stated.get("form", name), "\n".join(lines)


def _type(name: str, context: Context) -> tuple[str, str] | None:
    kind = context.types.get(name)
    if kind is None:
        return None
    width = max(map(len, [*kind.attributes, *kind.references]))
    lines = [f"  {n:{width}}  {a.about}" for n, a in kind.attributes.items()]
    lines += [f"  {n:{width}}  {r.about} ({r.target})" for n, r in kind.references.items()]
    return f"{name}: {kind.about}", "\n".join(lines)


def _relation(relation: Relation, context: Context) -> tuple[str, str]:
    verb = next(v for v, r in context.relations.items() if r is relation)
    lines = [f"  {subject} {verb} {thing}" for subject, thing in relation.pairs] or [f"  any type {verb} any type"]
    forms = (f"FIND T {verb} v: every T for which `T {verb} v`", f"FIND T {relation.passive or verb} BY v: every T for which `v {verb} T`")
    return f"{verb}: {relation.about}", "\n".join([*forms, *lines])


def _variable(name: str, known: Variable | None, detail: str) -> tuple[str, str]:
    lines = []
    if known and known.first_observed and known.last_observed:
        lines.append(f"observed from {known.first_observed:%Y-%m-%d %H:%M:%S} to {known.last_observed:%Y-%m-%d %H:%M:%S} UTC")
    if known:
        full = sorted(((a, s) for a, s in known.fullness.items() if s), key=lambda pair: -pair[1])
        lines += [f"  {attribute} {percent(share)}" for attribute, share in full[:LISTED]]
    return f"{name}: {detail}", "\n".join(lines) or "`INFO` tells more once it has run"


def _first(context: Context, name: str) -> list[str]:
    kind = context.types.get(name)
    return list(kind.attributes)[:LISTED] if kind else []
