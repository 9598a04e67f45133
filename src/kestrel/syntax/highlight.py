"""The colours of a hunt: a Pygments lexer, which terminals, notebooks and documents share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pygments.lexer import RegexLexer, bygroups, default, include, words
from pygments.token import Comment, Keyword, Literal, Name, Number, Operator, Punctuation, String, Whitespace

from kestrel.syntax.grammar import AGGREGATIONS, CLAUSES, COMMANDS, JOINING, OTHER_WORDS, TRANSFORMS, UNITS, VIEWS, YIELDING
from kestrel.syntax.scanner import ATTRIBUTE, ISO, NUMBER, TYPE, WORD

TESTS = tuple(w for w in JOINING if w not in ("AND", "OR", "NOT"))
ESCAPE = r"ESCAPE(?=\s*[rR]?['\"])"
groups: Callable[..., Any] = bygroups
NAME, KIND, PATH = WORD.pattern, TYPE.pattern, ATTRIBUTE.pattern


class KestrelLexer(RegexLexer):
    """Hunts of Kestrel, in `.hf` files and notebook cells."""

    name = "Kestrel"
    aliases = ["kestrel", "huntflow"]
    filenames = ["*.hf"]
    mimetypes = ["text/x-kestrel"]
    flags = re.IGNORECASE | re.MULTILINE

    tokens = {
        "root": [
            include("blank"),
            (rf"^({NAME})(\s*)(=)(?!=)", groups(Name.Variable, Whitespace, Operator)),
            (rf"({NAME})(\s*)(=)(?=\s*(?:{'|'.join(YIELDING)})\b)", groups(Name.Variable, Whitespace, Operator)),
            (
                rf"\b(FIND)(\s+)({KIND})(\s+)({NAME})(?:(\s+)(BY)\b)?",
                groups(Keyword, Whitespace, Name.Class, Whitespace, Name.Function, Whitespace, Keyword),
            ),
            (rf"\b(GET|FIND|NEW)(\s+)({KIND})", groups(Keyword, Whitespace, Name.Class)),
            (r"\b(?:ATTR|BY)\b", Keyword, "paths"),
            (rf"({'|'.join(('BIN', *AGGREGATIONS))})(\s*)(\()", groups(Name.Builtin, Whitespace, Punctuation), "paths"),
            (rf"({'|'.join(TRANSFORMS)})(?=\s*\()", Name.Builtin),
            include("values"),
            (rf"({KIND})(:)(?=[^\W\d])", groups(Name.Class, Punctuation), "paths"),
            (rf"{PATH}(?=\s*(?:[=<>]|!=)|\s+(?:NOT\s+)?(?:{'|'.join(TESTS)})\b)", Name.Attribute),
            (words((*COMMANDS, *CLAUSES, *OTHER_WORDS), prefix=r"\b", suffix=r"\b"), Keyword),
            (words((*JOINING, "NULL"), prefix=r"\b", suffix=r"\b"), Operator.Word),
            (rf"\b{ESCAPE}", Operator.Word),
            (rf"({NAME})(\.)({PATH})", groups(Name, Punctuation, Name.Attribute)),
            (words((*VIEWS, *(u for u in UNITS if len(u) > 1)), prefix=r"\b", suffix=r"\b"), Keyword.Type),
            (NAME, Name),
            (r"[=<>!]=?|[+*/~-]", Operator),
            (r".", Punctuation),
        ],
        "blank": [(r"\s+", Whitespace), (r"#[^\n]*", Comment.Single)],
        "values": [
            (r"t'[^'\n]*'|t\"[^\"\n]*\"", Literal.Date),
            (r"r'(?:[^'\\\n]|\\.|\\\n)*'?|r\"(?:[^\"\\\n]|\\.|\\\n)*\"?", String),
            (r"'", String, "single"),
            (r'"', String, "double"),
            (r"[^\W\d][\w+.-]*://[^\s'\"#)\]]*", Name.Namespace),
            (r"\$[^\W\d]\w*", Name.Variable.Global),
            (ISO.pattern, Literal.Date),
            (NUMBER.pattern, Number),
            (r"(?:true|false)\b", Keyword.Constant),
        ],
        "single": [
            (r"\\[\\'\"]", String.Escape),
            (r"'", String, "#pop"),
            (r"\n", Whitespace, "#pop"),
            (r"(?:[^'\\\n]|\\(?![\\'\"])\n?)+", String),
        ],
        "double": [
            (r"\\[\\'\"]", String.Escape),
            (r'"', String, "#pop"),
            (r"\n", Whitespace, "#pop"),
            (r"(?:[^\"\\\n]|\\(?![\\'\"])\n?)+", String),
        ],
        "paths": [
            include("blank"),
            (rf"({KIND})(:)(?=[^\W\d])", groups(Name.Class, Punctuation)),
            (rf"(?!BIN\s*\()({PATH})(\s*)(,)", groups(Name.Attribute, Whitespace, Punctuation)),
            (rf"(?!BIN\s*\(){PATH}", Name.Attribute, "#pop"),
            default("#pop"),
        ],
    }
