"""Results as text for a terminal, or for a file of plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, assert_never

from kestrel.display.values import instant, plain, visible
from kestrel.result import Description, Explanation, Failure, Info, Notice, Picture, Result, Summary, Table
from kestrel.result import Text as Words

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def show(console: Console, result: Result) -> None:
    """Print one result."""
    for part in _render(result):
        console.print(_harmless(part), highlight=False, soft_wrap=isinstance(part, str))


def _harmless(part: RenderableType) -> RenderableType:
    """Text with every sign visible that could steer the terminal: names and messages may hold what logs and hunts hold."""
    from rich.text import Text

    if not isinstance(part, Text) or part.plain.replace("\n", "").isprintable():
        return part
    return Text("\n".join(visible(line) for line in part.plain.split("\n")), style=part.style)


def _render(result: Result) -> Iterator[RenderableType]:
    match result:
        case Table():
            yield from _table(result)
        case Info():
            yield from _info(result)
        case Description():
            yield from _description(result)
        case Explanation():
            yield from _explanation(result)
        case Summary():
            yield from _summary(result)
        case Notice():
            from rich.text import Text

            yield Text(f"note[{result.code}]: {result.message}", style="yellow")
        case Failure():
            from rich.text import Text

            yield Text(result.drawn, style="red")
        case Words():
            yield from _words(result.name, result.text)
        case Picture():
            yield from _words(result.name, result.text)
        case _:
            assert_never(result)


def _table(table: Table) -> Iterator[RenderableType]:
    from rich.text import Text

    if not table.total:
        yield Text(f"{table.variable}: empty" + (f" ({', '.join(table.columns)})" if table.columns else ""))
        yield Text("")
        return
    yield _grid(table.columns, table.rows)
    if table.total > len(table.rows):
        yield Text(f"{len(table.rows):,} of {table.total:,} rows; `DISP ... LIMIT n` shows more", style="dim")
    yield Text("")


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> RenderableType:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_edge=False)
    for number, name in enumerate(columns):
        numeric = any(isinstance(r[number], int | float) for r in rows)
        grid.add_column(Text(visible(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(_cut(plain(v))) for v in row))
    return grid


def _cut(text: str, limit: int = 500) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} signs)"


def _info(info: Info) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text.assemble((info.variable, "bold"), f": {counted(info.entities, info.type, ' entities')}, {counted(info.records, 'record')}")
    if info.first_observed:
        yield Text(f"  observed  {_span(info.first_observed, info.last_observed)}")
    if info.sources:
        yield Text(f"  source    {', '.join(info.sources)}")
    if info.origin:
        yield Text("  made by   " + info.origin.replace("\n", "\n            "))
    if info.attributes:
        yield Text("")
        rows = [(a.name, f"{a.count:,}", a.example) for a in info.attributes if a.count]
        yield _grid(("attribute", "entities with it", "most frequent"), [(n, _right(c), _cut(plain(x), 100)) for n, c, x in rows])
        empty = [a.name for a in info.attributes if not a.count]
        if empty:
            yield Text(f"  never set: {', '.join(empty)}", style="dim")
    if info.relations:
        yield Text("  from here: " + ", ".join(f"{r} {info.variable}" for r in info.relations))
    yield Text("")


def _description(found: Description) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(f"{found.variable}.{found.attribute}", style="bold")
    yield _grid(("statistic", "value"), [(name, plain(value)) for name, value in found.statistics])
    if found.frequent:
        yield Text("")
        yield _grid(("most frequent", "rows"), [(_cut(plain(value), 100), number) for value, number in found.frequent])
    yield Text("")


def _explanation(found: Explanation) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text.assemble((found.variable, "bold"), " is made by")
    for line in found.steps:
        yield Text("  " + line)
    if found.queries:
        yield Text("asked of each source")
    for source, wanted, native in found.queries:
        yield Text("  " + wanted)
        yield Text(f"    {source}: {native}", style="dim")


def _words(name: str, text: str) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(f"{visible(name)}:", style="bold")
    yield Text("\n".join(f"  {visible(line)}" for line in text.expandtabs().splitlines()))
    yield Text("")


def _right(text: str) -> str:
    return text.rjust(8)


def _summary(summary: Summary) -> Iterator[RenderableType]:
    from rich.text import Text

    if summary.variables:
        rows = [
            (
                m.name,
                m.type,
                m.entities,
                m.records,
                _span(m.first_observed, m.last_observed),
                ", ".join(m.sources),
            )
            for m in summary.variables
        ]
        yield _grid(("variable", "type", "entities", "records", "observed", "source"), rows)
    yield Text(f"{summary.seconds:.2f} s", style="dim")


def _span(first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return ""
    start, stop = instant(first.replace(microsecond=0)), instant(last.replace(microsecond=0))
    return start if start == stop else f"{start} to {stop[11:] if start[:10] == stop[:10] else stop}"


def counted(number: int, noun: str, after: str | None = None) -> str:
    """`1 record`, `2 records`; with `after`, `2 process entities`."""
    if after is not None:
        return f"{number:,} {noun}{' entity' if number == 1 else after}"
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
