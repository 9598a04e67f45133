"""The smallest readable pieces of a hunt: what the parser reads by context, and a plain list of them for colouring and completion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kestrel.syntax.words import KEYWORDS
from kestrel.text import Span

_NAME = r"[^\W\d]\w*+"
_TYPE = rf"{_NAME}(?:-\w++)*+"
_PART = r"(?:[^\W\d]|@)[\w@]*+(?:-\w++)*+(?:\[\*\])?"
_QUOTED = r"'[^'\n]*+'|\"[^\"\n]*+\""
_ATTRIBUTE = rf"{_PART}(?:\.(?:{_PART}|{_QUOTED}))*+"
_NUMBER = r"[-+]?(?:0[xX][0-9a-fA-F]++|(?:[0-9]++(?:\.[0-9]++)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?)"
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]++)?)?(?:[Zz]|[-+][0-9]{2}:?[0-9]{2})?)?"
_SCHEME = r"[^\W\d][\w+.-]*+://"

SPACE = re.compile(r"[\s\ufeff]*+")
COMMENT = re.compile(r"#[^\n]*+")
NAME = re.compile(_NAME)
TYPE = re.compile(_TYPE)
PART = re.compile(_PART)
ATTRIBUTE = re.compile(_ATTRIBUTE)
PATH = re.compile(rf"(?:(?P<type>{_TYPE}):(?!//))?(?P<attribute>{_ATTRIBUTE})")
REFERENCE = re.compile(rf"(?P<variable>{_NAME})\.(?P<attribute>{_ATTRIBUTE})")
NUMBER = re.compile(rf"{_NUMBER}(?![\w.:/\\-])")
DIGITS = re.compile(r"[0-9]++")
ISO = re.compile(rf"{_ISO}(?![\w.:-])")
BARE = re.compile(r"[^\s,()\[\]{}'\"#=<>!$][^\s,()\[\]{}'\"#=<>!]*+")
BARE_GOES_ON = re.compile(r"[^\s,()\[\]{}'\"#=<>!]")
OPERATOR = re.compile(r"==|!=|<>|=>|=<|<=|>=|=|<|>")
URI = re.compile(rf"(?P<scheme>{_SCHEME})(?P<rest>[^\s'\"#,]++)")
FILE = re.compile(r"[\w./*~-]++")
RUN = re.compile(r"[^\s'\"#,]++")
STRING = re.compile(r"(?P<raw>[rR]?)(?:'(?P<single>(?:[^\\'\n]++|\\(?:\r\n|[\s\S]))*+)'|\"(?P<double>(?:[^\\\"\n]++|\\(?:\r\n|[\s\S]))*+)\")")
OPEN_STRING = re.compile(r"[rRtT]?(?P<quote>['\"])[^\n]*+")
TIME = re.compile(r"[tT](?:'(?P<single>[^'\n]*+)'|\"(?P<double>[^\"\n]*+)\")")
WORD_OR_SIGN = re.compile(r"[^\s,()\[\]{}'\"]++|[\s\S]")

Kind = Literal["comment", "string", "time", "number", "keyword", "word", "parameter", "uri", "sign", "error"]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text. `error` is an open string, or a sign that stands nowhere in the language."""

    kind: Kind
    text: str
    span: Span


_TOKEN = re.compile(
    rf"(?P<comment>{COMMENT.pattern})|(?P<time>{TIME.pattern.replace('?P<single>', '?:').replace('?P<double>', '?:')}|{ISO.pattern})"
    rf"|(?P<string>[rR]?(?:'(?:[^\\'\n]++|\\[\s\S])*+'|\"(?:[^\\\"\n]++|\\[\s\S])*+\"))|(?P<open>{OPEN_STRING.pattern.replace('?P<quote>', '?:')})"
    rf"|(?P<uri>{_SCHEME}[^\s'\"#]*+)|(?P<parameter>\${_NAME})|(?P<number>{NUMBER.pattern})|(?P<word>{_NAME}(?![\w.:/\\-])|{BARE.pattern})"
    rf"|(?P<sign>{OPERATOR.pattern}|[()\[\]{{}},+:=])|(?P<other>\S)"
)


def tokens(text: str) -> Iterator[Token]:
    """Everything but white space, in order. Never raises: what cannot be read is an `error` token."""
    for match in _TOKEN.finditer(text):
        yield Token(_kind(match.lastgroup or "other", match.group()), match.group(), Span(*match.span()))


def _kind(group: str, text: str) -> Kind:
    match group:
        case "comment" | "string" | "time" | "number" | "parameter" | "uri" | "sign":
            return group
        case "word" if text.upper() in KEYWORDS:
            return "keyword"
        case "word":
            return "sign" if text in ("+", ":") else "word"
        case _:
            return "error"
