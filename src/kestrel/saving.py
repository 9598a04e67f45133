"""What SAVE does: a variable as a file."""

from __future__ import annotations

from pathlib import Path

from kestrel.engine.answers import Answers
from kestrel.engine.evaluate import Engine
from kestrel.engine.metadata import Origin
from kestrel.engine.save import Files, save, save_bundle
from kestrel.graph.formats import format_of
from kestrel.graph.steps import Step, sources_of
from kestrel.present import ends_of_connections, saved_columns
from kestrel.result import Notice
from kestrel.text import path_text


def save_variable(engine: Engine, files: Files, step: Step, path: Path, name: str) -> Notice:
    """Save the rows of a variable in the format that the file's name says."""
    variable = engine.evaluate(step)
    columns = saved_columns(engine, variable)
    made = "" if path.parent.exists() else f", in the new folder {path_text(path.parent)}"
    found = format_of(str(path))
    if found and found.kind == "stix":
        save_bundle(path, Answers(engine).bundle(variable, [*columns, *ends_of_connections(variable.type)]))
        number = engine.rows(variable)
    else:
        number = save(engine.con, Answers(engine).select(variable, columns), path, Origin(variable.type, sources_of(step), variable.range))
    files.written.add(path)
    return Notice("saved", f"{number:,} row{'' if number == 1 else 's'} of `{name}` saved in {path_text(path)}{made}", number)
