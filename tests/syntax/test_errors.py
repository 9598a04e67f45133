"""What a hunter is told about a text too long for a line of the corpus; all other mistakes are in `tests/corpus/errors`."""

from __future__ import annotations

import pytest

from kestrel.errors import HuntErrors
from kestrel.syntax import parse


def test_a_long_line_is_shown_around_the_mistake() -> None:
    with pytest.raises(HuntErrors) as caught:
        parse("x = NEW ['" + "a" * 1_000_000 + "'] nonsense")
    lines = str(caught.value).splitlines()
    assert max(map(len, lines)) < 200
    assert "nonsense" in lines[3] and lines[4].index("^") == lines[3].index("nonsense")
