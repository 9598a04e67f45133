"""The colours of hunts for the JupyterLab extension, made from those of the Pygments lexer: `python -m tests.kernel.rules`.

Both then follow one table, `syntax/highlight.py`. What is written is `labextension/lib/rules.js`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pygments.lexer import words
from pygments.token import _TokenType

from kestrel.syntax.highlight import KestrelLexer

FILE = Path(__file__).parents[2] / "labextension" / "lib" / "rules.js"
LETTER, SIGN = r"\p{L}_", r"\p{L}\p{M}\p{N}_"
NAMES = {
    "Keyword": "keyword",
    "Keyword.Type": "view",
    "Keyword.Constant": "constant",
    "Operator.Word": "test",
    "Operator": "operator",
    "Punctuation": "sign",
    "Comment.Single": "comment",
    "Literal.String": "string",
    "Literal.String.Escape": "escape",
    "Literal.Date": "time",
    "Literal.Number": "number",
    "Name": "name",
    "Name.Variable": "made",
    "Name.Variable.Global": "parameter",
    "Name.Class": "type",
    "Name.Function": "verb",
    "Name.Builtin": "function",
    "Name.Attribute": "attribute",
    "Name.Namespace": "uri",
    "Text.Whitespace": "",
}
"""The class of each token: `kst-` and this."""


def named(token: _TokenType) -> str:
    return NAMES[str(token).removeprefix("Token.")]


def script(pattern: str) -> str:
    """A Python pattern as a JavaScript one (flags `iu`), for a place where a token begins."""
    text = pattern.removeprefix(r"\b").replace(r"\b", f"(?![{SIGN}])")
    text = re.sub(r"\[\^\\W\\d@?\]", lambda _: f"[{LETTER}]", text)
    text = re.sub(r"(\[[^\]]*?)\\w", lambda m: m[1] + SIGN, text)
    text = re.sub(r"\\w", lambda _: f"[{SIGN}]", text)
    return re.sub(r"\\(.)", lambda m: m[1] if m[1] in "'\"#@ " else m[0], text, flags=re.DOTALL)


def rule(given: Any) -> list[dict[str, Any]]:
    """A rule of the lexer: its pattern, the class of each group, and the state that follows."""
    if isinstance(given, str):
        return [{"include": str(given)}]
    if type(given).__name__ == "default":
        return [{"pattern": "", "classes": [], "next": given.state}]
    pattern, act, *after = given
    text = pattern.get() if isinstance(pattern, words) else pattern
    classes = [named(act)] if isinstance(act, _TokenType) else [named(t) for t in act.__closure__[0].cell_contents]
    made: dict[str, Any] = {"pattern": script(text.removeprefix("^")), "classes": classes}
    if text.startswith("^"):
        made["fresh"] = True
    if after:
        made["next"] = after[0]
    return [made]


def rules() -> str:
    """The text of rules.js."""
    states = {name: [one for given in found for one in rule(given)] for name, found in KestrelLexer.tokens.items()}
    head = "// Made by `python -m tests.kernel.rules` from src/kestrel/syntax/highlight.py: change it there.\n"
    return f"{head}export const rules = {json.dumps(states, indent=1, ensure_ascii=False)};\n"


if __name__ == "__main__":
    FILE.write_text(rules(), encoding="utf-8")
