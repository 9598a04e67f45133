"""Results as text for a terminal, or for a file of plain text."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, assert_never

from kestrel.display import text_views
from kestrel.display.values import counted, fitting, instant, plain, visible, wide, wrapped
from kestrel.result import Chart, Description, Explanation, Failure, Graph, Info, Input, Notice, Picture, Result, Summary, Table, Timeline, Tree
from kestrel.result import Text as Words
from kestrel.text import path_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

GAP = 3
"""Signs between two columns."""
READABLE = 24
"""Signs a column keeps, if its values have so many, when there is no room for all; below that rows become blocks."""
LONGEST = 500
"""Signs of a value that are shown; what follows says how many it has."""
NAMES = 15
"""Columns of an empty table that are named."""
COUNTS = ("entities", "rows", "missing", "distinct")
"""Statistics of DESCRIBE that count, and are no values."""


def show(console: Console, result: Result) -> None:
    """Print one result."""
    for line in _render(result, max(20, console.width)):
        console.print(_harmless(line), highlight=False, soft_wrap=True)


def _harmless(part: Text) -> Text:
    """Text with every character visible that could steer the terminal: names and messages may hold what logs and hunts hold."""
    from rich.text import Text

    if part.plain.replace("\n", "").isprintable():
        return part
    return Text("\n".join(visible(line) for line in part.plain.split("\n")), style=part.style)


def _render(result: Result, width: int) -> Iterator[Text]:
    match result:
        case Table():
            yield from _table(result, width)
        case Info():
            yield from _info(result, width)
        case Description():
            yield from _description(result, width)
        case Explanation():
            yield from _explanation(result, width)
        case Summary():
            yield from _summary(result, width)
        case Notice():
            yield from _hanging(f"note[{result.code}]: ", result.message, width, "yellow")
        case Failure():
            yield _line(result.make, "red")
        case Words() | Picture():
            yield _line(f"{visible(result.name)}:", "bold")
            yield from (_line(f"  {visible(line)}") for line in result.text.expandtabs().splitlines())
            yield _line()
        case Tree() | Graph() | Timeline() | Chart():
            head, *rest = text_views.lines(result, width)
            yield _line(head, "bold")
            yield from (_line(line) for line in rest)
            yield _line()
        case _:
            assert_never(result)


def _line(text: str = "", style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style)


def _hanging(head: str, text: str, width: int, style: str = "") -> Iterator[Text]:
    """A text after its head; its further lines begin below its own beginning, or a little in where the head is long."""
    margin = wide(head) if wide(head) <= width // 3 else 4
    first, *more = wrapped(text, max(8, width - wide(head))) if margin == wide(head) else wrapped(head + text, width - margin)
    yield _line((head if margin == wide(head) else "") + first, style)
    yield from (_line(" " * margin + line, style) for line in more)


# -- tables -------------------------------------------------------------------------------------------------------


def _table(table: Table, width: int) -> Iterator[Text]:
    if not table.total:
        more = [f"{len(table.columns) - NAMES} more"] if len(table.columns) > NAMES else []
        names = ", ".join([*table.columns[:NAMES], *more])
        yield from _hanging(f"{table.variable}: ", "empty" + (f" ({names})" if names else ""), width)
        yield _line()
        return
    yield from _rows(table.columns, table.rows, width)
    if table.total > len(table.rows):
        yield from _hanging("", f"{len(table.rows):,} of {table.total:,} rows; `DISP ... LIMIT n` shows more", width, "dim")
    yield _line()


def _rows(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int, always: bool = False) -> Iterator[Text]:
    """A row a line, its long values on several; where the columns would be too narrow to read, a block of lines a row, unless
    it is to be a table always."""
    cells = [[_parts(value) for value in row] for row in rows]
    filled = [max((wide(", ".join(row[n])) for row in cells), default=0) for n in range(len(columns))]
    whole = [max(wide(name), most) for name, most in zip(columns, filled, strict=True)]
    room = width - GAP * (len(columns) - 1)
    if sum(whole) <= room:
        yield from _grid(columns, rows, [[[", ".join(parts)] for parts in row] for row in cells], whole)
        return
    broken = [max(wide(part) for part in _heading(name)) for name in columns]
    least = [max(name, min(READABLE, most)) for name, most in zip(broken, filled, strict=True)]
    if sum(least) > room:
        if len(columns) > 1 and not always:
            yield from _blocks(columns, cells, width)
            return
        least = [min(n, 8) for n in least]
    wanted = [max(name, most) for name, most in zip(broken, filled, strict=True)]
    widths = _shared(_shared(least, wanted, room), whole, room)
    yield from _grid(columns, rows, [[_fitted(row[n], widths[n]) for n in range(len(columns))] for row in cells], widths)


def _parts(value: Any) -> list[str]:
    """The values of a cell: several where it is a list."""
    parts = [plain(v) for v in value] if isinstance(value, list | tuple) and value else [plain(value)]
    return parts if len(parts) == 1 or len(", ".join(parts)) <= LONGEST else [_cut(p) for p in parts]


def _fitted(parts: Sequence[str], width: int) -> list[str]:
    """The lines of a cell; of a list that does not fit on one, each value begins a line of its own."""
    joined = ", ".join(parts)
    return [joined] if wide(joined) <= width else [line for part in parts for line in wrapped(_cut(part), width)]


def _shared(least: Sequence[int], wanted: Sequence[int], room: int) -> list[int]:
    """Widths that fill the room: each column its least, and up to a common level what it wants; the first ones the rest."""

    def at(level: int) -> list[int]:
        return [max(low, min(high, level)) for low, high in zip(least, wanted, strict=True)]

    level = bisect_right(range(max(wanted) + 1), room, key=lambda n: sum(at(n))) - 1
    widths = at(max(level, 0))
    for n in range(len(widths)):
        widths[n] += max(0, min(wanted[n] - widths[n], room - sum(widths)))
    return widths


def _heading(name: str) -> list[str]:
    """Where the name of a column may be broken: after its dots."""
    parts = name.split(".")
    return [*(f"{p}." for p in parts[:-1]), parts[-1]]


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Any]], cells: Sequence[Sequence[Sequence[str]]], widths: Sequence[int]) -> Iterator[Text]:
    right = [any(isinstance(row[n], int | float) for row in rows) for n in range(len(columns))]
    names = [_broken(name, width) for name, width in zip(columns, widths, strict=True)]
    tallest = max(len(lines) for lines in names)
    heads = [["", *lines][-tallest:] if len(lines) == tallest else [""] * (tallest - len(lines)) + lines for lines in names]
    yield from (_line(line, "bold") for line in _abreast(heads, widths, right))
    yield _line("─" * (sum(widths) + GAP * (len(widths) - 1)))
    for row in cells:
        yield from (_line(line) for line in _abreast(row, widths, right))


def _broken(name: str, width: int) -> list[str]:
    """The name of a column on as few lines as its width allows."""
    lines = [""]
    for part in _heading(name):
        if lines[-1] and wide(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return [piece for line in lines for piece in wrapped(line, width)]


def _abreast(cells: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    """The lines of cells that stand beside each other."""
    for number in range(max((len(lines) for lines in cells), default=0)):
        texts = [lines[number] if number < len(lines) else "" for lines in cells]
        yield (" " * GAP).join(_padded(t, w, r) for t, w, r in zip(texts, widths, right, strict=True)).rstrip()


def _padded(text: str, width: int, right: bool = False) -> str:
    blank = " " * (width - wide(text))
    return blank + text if right else text + blank


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[Sequence[str]]], width: int) -> Iterator[Text]:
    """Each row as lines of name and value; what is missing in a row is left out there."""
    margin = min(max(wide(name) for name in columns) + GAP, width // 2)
    for number, row in enumerate(rows, start=1):
        head = f"── {number:,} "
        yield _line(head + "─" * (width - wide(head)), "dim")
        for name, parts in zip(columns, row, strict=True):
            if any(parts):
                lines = _fitted(parts, width - margin)
                yield _named(name, lines[0], margin)
                yield from (_line(" " * margin + line) for line in lines[1:])
    yield from _hanging("", "a block a row: the columns do not fit beside each other; ATTR chooses some", width, "dim")


def _named(name: str, value: str, margin: int) -> Text:
    from rich.text import Text

    shown = _one_line(name, margin - 1)
    return Text.assemble((shown, "bold"), " " * (margin - wide(shown)), value)


def _cut(text: str, limit: int = LONGEST) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} characters)"


# -- what a variable is -------------------------------------------------------------------------------------------


def _info(info: Info, width: int) -> Iterator[Text]:
    from rich.text import Text

    number = counted(info.entities, "row") if info.type == "table" else f"{counted(info.entities, info.type, ' entities')}"
    records = "" if info.type == "table" else f", {counted(info.records, 'record')}"
    rows = f" in {counted(info.rows, 'row')}" if info.rows is not None else ""
    yield Text.assemble((info.variable, "bold"), f": {number}{rows}{records}")
    if info.first_observed:
        yield _line(f"  observed  {_span(info.first_observed, info.last_observed)}")
    if info.sources:
        yield from _hanging("  source    ", ", ".join(info.sources), width)
    for place, line in enumerate(info.origin.splitlines()):
        yield _line(f"  {'' if place else 'made by':<8}  {line}")
    for place, line in enumerate(input_lines(info.inputs)):
        yield from _hanging(f"  {'' if place else 'inputs':<8}  ", line, width)
    if info.changed_files:
        yield from _hanging("  changed   ", f"since they were read: {', '.join(map(path_text, info.changed_files))}", width)
    if info.attributes:
        yield _line()
        yield from _attributes(info, width)
    if info.relations:
        yield _line()
        yield _line(f"  FIND from here, as in `{info.relations[0]} {info.variable}`:")
        yield from _relations(info.relations, width)
    yield _line()


def input_lines(inputs: Sequence[Input]) -> Iterator[str]:
    """What a variable was made from: the unchanged names, then the earlier definition of each of the others."""
    if unchanged := [i.name for i in inputs if i.state == "unchanged"]:
        yield f"{', '.join(unchanged)} (unchanged since)"
    for one in inputs:
        if one.state != "unchanged":
            became = "redefined since" if one.state == "redefined" else "no longer defined"
            meant = " ".join(line.strip() for line in one.origin.splitlines())
            yield f"{one.name} ({became}); it was: {meant}"


def _attributes(info: Info, width: int) -> Iterator[Text]:
    """How full each attribute is, and a value cut to one line."""
    known = [a for a in info.attributes if a.count]
    unit = "rows" if info.type == "table" or info.rows is not None else "entities"
    widths = [max([len("attribute"), *(wide(a.name) for a in known)]), max(len(unit), len(f"{info.rows or info.entities:,}"))]
    room = max(READABLE, width - sum(widths) - 2 * GAP)
    rows = [(a.name, f"{a.count:,}", _one_line(plain(a.example), room)) for a in known]
    longest = max([len("most frequent"), *(wide(example) for _, _, example in rows)])
    yield _abreast_line(("attribute", unit, "most frequent"), (*widths, longest), "bold")
    yield _line("─" * (sum(widths) + longest + 2 * GAP))
    yield from (_abreast_line(row, (*widths, longest)) for row in rows)
    empty = [a.name for a in info.attributes if not a.count]
    if empty:
        yield _line()
        yield from _hanging("  never set: ", ", ".join(empty), width, "dim")


def _abreast_line(texts: Sequence[str], widths: Sequence[int], style: str = "") -> Text:
    """Three texts beside each other, the one in the middle to the right."""
    cells = (_padded(t, w, n == 1) for n, (t, w) in enumerate(zip(texts, widths, strict=True)))
    return _line((" " * GAP).join(cells).rstrip(), style)


def _one_line(text: str, width: int) -> str:
    return text if wide(text) <= width else text[: fitting(text, width - 1)] + "…"


def _relations(relations: Iterable[str], width: int) -> Iterator[Text]:
    """The verbs that lead on, each with the types it leads to."""
    found: dict[str, list[str]] = {}
    for relation in relations:
        _, kind, verb = relation.split(" ", 2)
        found.setdefault(verb, []).append(kind)
    margin = max(len(verb) for verb in found) + GAP
    for verb, kinds in found.items():
        yield from _hanging(f"    {verb:<{margin}}", ", ".join(kinds), width)


def _description(found: Description, width: int) -> Iterator[Text]:
    yield _line(f"{found.variable}.{found.attribute}", "bold")
    margin = max((len(name) for name, _ in found.statistics), default=0) + GAP
    for name, value in found.statistics:
        shown = f"{value:,}" if name in COUNTS else plain(value)
        yield from _hanging(f"  {name:<{margin}}", shown, width)
    if len(found.frequent) > 1 and all(number == 1 for _, number in found.frequent):
        yield _line("  every value occurs once")
    elif found.frequent:
        yield _line()
        rows = [(number, _cut(plain(value), 100)) for value, number in found.frequent]
        yield from _rows(("rows", "most frequent"), rows, width)
    yield _line()


def _explanation(found: Explanation, width: int) -> Iterator[Text]:
    from rich.text import Text

    yield Text.assemble((found.variable, "bold"), " is made by")
    for line in found.steps:
        name, equals, rest = line.partition(" = ")
        yield from _hanging(f"  {name}{equals}", rest, width)
    if found.queries:
        yield _line()
        yield _line("sent to each source")
    for source, wanted, native in found.queries:
        name, colon, rest = wanted.partition(": ")
        yield from _hanging(f"  {name}{colon}", rest, width)
        yield from _hanging(f"    {source}: ", native, width, "dim")
    yield _line()


def _summary(summary: Summary, width: int) -> Iterator[Text]:
    """What was made. Sources that are the same for all are shown once where there is no room for a column."""
    made = summary.variables
    if made:
        columns = ["variable", "type", "entities", "records"]
        rows: list[tuple[Any, ...]] = [(m.name, m.type, m.entities, m.records) for m in made]
        observed, sources = [_span(m.first_observed, m.last_observed) for m in made], [", ".join(m.sources) for m in made]
        once = None
        if any(observed):
            columns, rows = [*columns, "observed"], [(*row, span) for row, span in zip(rows, observed, strict=True)]
        if any(sources):
            whole = [(*row, source) for row, source in zip(rows, sources, strict=True)]
            if len(set(sources)) > 1 or _total([*columns, "source"], whole) <= width:
                columns, rows = [*columns, "source"], whole
            else:
                once = sources[0]
        yield from _rows(columns, rows, width, always=True)
        if once:
            yield from _hanging("source: ", once, width)
    for a in summary.asked:
        took = f"{a.seconds:.2f} s (the server {a.server:.2f} s)" if a.server else f"{a.seconds:.2f} s"
        queries, records = (
            f"{n:,} {word if n == 1 else words}" for n, word, words in ((a.queries, "query", "queries"), (a.records, "record", "records"))
        )
        yield from _hanging(f"{visible(a.source)}: ", f"{queries}, {records}, {a.bytes / 1e6:,.1f} MB, {took}", width, "dim")
    yield _line(f"{summary.seconds:.2f} s", "dim")


def _total(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """The width of a table with a line for each row."""
    widths = (max([wide(name), *(wide(plain(row[n])) for row in rows)]) for n, name in enumerate(columns))
    return sum(widths) + GAP * (len(columns) - 1)


def _span(first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return ""
    start, stop = instant(first.replace(microsecond=0)), instant(last.replace(microsecond=0))
    return start if start == stop else f"{start} to {stop[11:] if start[:10] == stop[:10] else stop}"
