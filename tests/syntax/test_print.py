"""What `kestrel fmt` keeps of the hunter's own layout, and how Windows paths are read inside and outside `[ ]`."""

from __future__ import annotations

from kestrel.syntax import parse, to_text


def test_windows_paths_stay_as_written() -> None:
    inside = parse(r"x = GET process FROM a WHERE [name = 'C:\temp\new']")
    outside = parse(r"x = GET process FROM a WHERE name = 'C:\temp\new'")
    assert inside == outside
    assert outside.notices and not inside.notices


def test_comments_and_empty_lines_stay_where_they_were() -> None:
    text = "# first\np = NEW ['a']  # why\n\n\n# then\nDISP p  # so\nINFO p\n# last\n"
    assert to_text(parse(text)) == "# first\np = NEW ['a']  # why\n\n# then\nDISP p  # so\nINFO p\n# last\n"


def test_comments_within_a_statement_are_kept() -> None:
    text = "p = GET process FROM a  # here\n    # there\n    WHERE name = 'x'  # done\nDISP p\n"
    printed = to_text(parse(text))
    assert [printed.count(c) for c in ("# here", "# there", "# done")] == [1, 1, 1]
    assert parse(printed) == parse(text)
