"""What each word of a hunt is coloured as."""

from __future__ import annotations

from importlib import resources

import pytest
from hypothesis import given
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Error, Keyword, Literal, Name, Number, Operator, String, _TokenType

from kestrel.syntax.highlight import KestrelLexer
from tests.syntax.test_complete import TEXTS


def coloured(text: str) -> list[tuple[str, _TokenType]]:
    return [(value, kind) for kind, value in KestrelLexer().get_tokens(text)]


@pytest.mark.parametrize(
    ("text", "word", "kind"),
    [
        ("p = GET process FROM x", "p", Name.Variable),
        ("p = q WHERE pid = 4", "p", Name.Variable),
        ("p = GET process FROM x", "GET", Keyword),
        ("p = get process from x", "from", Keyword),
        ("p = GET network-traffic FROM x", "network-traffic", Name.Class),
        ("FIND process CREATED BY p", "CREATED", Name.Function),
        ("FIND process CREATED BY p", "BY", Keyword),
        ("FIND process CREATED BY p", "p", Name),
        ("GET process FROM stixshifter://host101,lab", "stixshifter://host101,lab", Name.Namespace),
        ("GET process WHERE [process:name = 'a']", "process", Name.Class),
        ("GET process WHERE [process:name = 'a']", "name", Name.Attribute),
        ("GET process WHERE parent_ref.name NOT LIKE 'a'", "parent_ref.name", Name.Attribute),
        ("GET process WHERE parent_ref.name NOT LIKE 'a'", "LIKE", Operator.Word),
        ("GET process WHERE name = 'it\\'s' # ok", "it", String),
        ("GET process WHERE name = 'it\\'s' # ok", "\\'", String.Escape),
        ("GET process WHERE name = r'it\\'s' # ok", "r'it\\'s'", String),
        ("GET process WHERE [file:x_path = 'C:\\\\temp\\new']", "\\\\", String.Escape),
        ("GET process WHERE [file:x_path = 'C:\\\\temp\\new']", "temp\\new", String),
        ("GET process WHERE name = 'it\\'s' # ok", "# ok", Comment.Single),
        ("GET process WHERE pid IN (4, -5)", "-5", Number),
        ("GET process WHERE name = $who", "$who", Name.Variable.Global),
        ("GET process WHERE name = q.name", "name", Name.Attribute),
        ("GET process WHERE pid = 4 START t'2021-01-01' STOP 2021-01-02T00:00:00Z", "t'2021-01-01'", Literal.Date),
        ("GET process WHERE pid = 4 START t'2021-01-01' STOP 2021-01-02T00:00:00Z", "2021-01-02T00:00:00Z", Literal.Date),
        ("GET process WHERE pid = 4 LAST 3 days", "days", Keyword.Type),
        ("DISP p ATTR name, pid\nINFO p", "pid", Name.Attribute),
        ("DISP p ATTR name, pid\nINFO p", "INFO", Keyword),
        ("DISP p ATTR name SORT BY pid DESC AS TREE", "pid", Name.Attribute),
        ("DISP p ATTR name SORT BY pid DESC AS TREE", "DESC", Keyword),
        ("DISP p ATTR name SORT BY pid DESC AS TREE", "TREE", Keyword.Type),
        ("x = GROUP p BY BIN(first_observed, 5 minutes) WITH COUNT(pid) AS n", "first_observed", Name.Attribute),
        ("x = GROUP p BY BIN(first_observed, 5 minutes) WITH COUNT(pid) AS n", "COUNT", Name.Builtin),
        ("j = JOIN a, b BY pid, pid", "JOIN", Keyword),
        ("DISP TIMESTAMPED(p)", "TIMESTAMPED", Name.Builtin),
    ],
)
def test_words(text: str, word: str, kind: _TokenType) -> None:
    assert (word, kind) in coloured(text)


def test_the_demo_is_coloured_whole() -> None:
    text = (resources.files("kestrel.demo") / "hunt.hf").read_text(encoding="utf-8")
    assert all(kind is not Error for _, kind in coloured(text))


@given(TEXTS)
def test_no_text_is_lost(text: str) -> None:
    assert "".join(value for _, _, value in KestrelLexer().get_tokens_unprocessed(text)) == text


def test_pygments_finds_it() -> None:
    assert type(get_lexer_by_name("kestrel")) is type(get_lexer_for_filename("a.hf")) is KestrelLexer
