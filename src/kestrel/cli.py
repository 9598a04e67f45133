"""The command `kestrel`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any

from kestrel.display.output import prepare
from kestrel.errors import HuntErrors, KestrelError, draw
from kestrel.printing import CannotPrint, CannotSave, report, report_bug, saver, shower
from kestrel.signals import Signals, Stopped
from kestrel.text import Source
from kestrel.version import __version__
from kestrel.whole import write_whole

if TYPE_CHECKING:
    from kestrel.result import Result
    from kestrel.session import Session

    Stream = Callable[..., Iterator[Result]]
    """Runs a hunt, its text, its name and its parameters, and yields its results."""

COMMANDS = ("run", "check", "fmt", "config", "check-source", "formats", "connectors", "demo", "kernel")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status: 0, 1 when a hunt failed, 2 for wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not _has_surroundings():
        return 1
    with Signals() as signals:
        try:
            prepare()
            options = _parser().parse_args(_expanded(given), argparse.Namespace(signals=signals))
            status = _act(options)
            sys.stdout.flush()
            return status
        except BrokenPipeError:
            _discard_output()
            return 141
        except CannotPrint as error:
            _discard_output()
            print(f"kestrel: cannot write the output: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            if error.filename is not None:
                raise
            _discard_output()
            print(f"kestrel: cannot write the output: {error.strerror or error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return signals.status


def _has_surroundings() -> bool:
    """Whether there is a standard output and a current folder, without which no command makes sense."""
    if sys.stdout is None:  # closed by the shell
        print("kestrel: standard output is closed", file=sys.stderr)
        return False
    try:
        Path.cwd()
    except OSError:
        print("kestrel: the current folder no longer exists", file=sys.stderr)
        return False
    return True


def _discard_output() -> None:
    """What is still in the buffer of standard output goes nowhere, so that nothing fails when Python exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _act(options: argparse.Namespace) -> int:
    if options.command is not None:
        return int(options.act(options))
    if sys.stdin.isatty() and sys.stdout.isatty():
        from kestrel.repl import interact

        return interact()
    _parser().print_usage(sys.stderr)
    return 2


def _expanded(given: list[str]) -> list[str]:
    """`kestrel FILE.hf` and `kestrel -c TEXT` are short for `kestrel run ...`."""
    first = given[0] if given else ""
    if first in ("-c", "-p", "-", "--format") or (first and not first.startswith("-") and first not in COMMANDS and _is_hunt(first)):
        return ["run", *given]
    return given


def _is_hunt(name: str) -> bool:
    return name.endswith((".hf", ".ipynb")) or Path(name).is_file()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kestrel",
        description="Hunt for threats in entities and relations, over the logs you have. Without arguments, `kestrel` opens a prompt; "
        "`kestrel FILE.hf` and `kestrel -c TEXT` run a hunt.",
    )
    parser.add_argument("--version", action="version", version=f"kestrel {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    run = commands.add_parser(
        "run", help="run a hunt flow or a huntbook", description="Run a hunt flow (.hf) or a huntbook (.ipynb); results appear as they come."
    )
    _hunt_arguments(run)
    _parameter_argument(run)
    _format_argument(run)
    _log_format_argument(run)
    run.add_argument("--save-views", dest="views", metavar="FOLDER", type=Path, help="write every view (DISP ... AS) as HTML and SVG there")
    run.add_argument("--output", metavar="BOOK", type=Path, help="for a huntbook: write it with its results to this file instead of printing them")
    run.set_defaults(act=_run)

    check = commands.add_parser(
        "check", help="find mistakes without running", description="Report every mistake that can be seen before a hunt runs."
    )
    _hunt_arguments(check)
    _parameter_argument(check)
    check.add_argument("--offline", action="store_true", help="missing files and data sources are not reported")
    check.set_defaults(act=_check)

    fmt = commands.add_parser("fmt", help="print a hunt in its standard form", description="Print a hunt in its standard form.")
    _hunt_arguments(fmt)
    fmt.add_argument("-w", "--write", action="store_true", help="write it back to the file")
    fmt.set_defaults(act=_fmt)

    config = commands.add_parser(
        "config",
        help="show the settings and data source profiles",
        description="Show every setting with its value and where that came from, the settings files, and the data source profiles.",
    )
    _format_argument(config)
    config.set_defaults(act=_config)

    source = commands.add_parser(
        "check-source",
        help="check that a data source is ready for a hunt",
        description="Check a data source: is it reachable, does it accept the credentials, which records does it have, and which fields are missing.",
    )
    source.add_argument("name", metavar="NAME", help="a profile, a URI or a path, as it stands after FROM")
    _format_argument(source)
    _log_format_argument(source)
    source.set_defaults(act=_check_source)

    formats = commands.add_parser(
        "formats",
        help="list the log formats, or what is in a data source",
        description="List the log formats. Of a data source: its log formats, event types, hosts, entities and fields, and which fields are read. "
        "`kestrel formats new FILE` writes a first draft of a log format for the records of a file.",
    )
    formats.add_argument("name", metavar="NAME", nargs="?", help="a path, a profile or a URI, as it stands after FROM; or `new`")
    formats.add_argument("sample", metavar="FILE", nargs="?", help="after `new`: a file with records of an unknown log format")
    _format_argument(formats)
    _log_format_argument(formats)
    formats.set_defaults(act=_formats)

    connectors = commands.add_parser(
        "connectors",
        help="install, list and check the connectors of STIX-shifter",
        description="The connectors of STIX-shifter, each in a Python environment of its own.",
    )
    deeds = connectors.add_subparsers(dest="deed", metavar="ACTION", required=True)
    install = deeds.add_parser("install", help="install one from PyPI", description="Install a connector from PyPI.")
    install.add_argument("name", metavar="NAME", help="the connector, as a profile names it: elastic_ecs, qradar, ...")
    install.add_argument("--upgrade", action="store_true", help="install it anew, in its newest version")
    install.set_defaults(act=_install_connector)
    here = deeds.add_parser("list", help="list those that are installed", description="List the connectors that are installed.")
    _format_argument(here)
    here.set_defaults(act=_list_connectors)
    looked = deeds.add_parser(
        "check",
        help="check the connector of a profile",
        description="Check whether the connector of a profile is installed, reaches its server and can query it.",
    )
    looked.add_argument("name", metavar="PROFILE", help="a profile, or stixshifter://PROFILE")
    _format_argument(looked)
    looked.set_defaults(act=_check_connector)

    demo = commands.add_parser(
        "demo",
        help="run the scheduled-task hunt on sample data",
        description="Run the scheduled-task hunt on sample data that ships with Kestrel.",
    )
    _format_argument(demo)
    demo.set_defaults(act=_demo)

    kernel = commands.add_parser(
        "kernel",
        help="put the Jupyter kernel where Jupyter finds it",
        description="Install or uninstall the Jupyter kernel; by default in this Python environment, else for this user.",
    )
    acts = kernel.add_subparsers(dest="what", metavar="ACTION", required=True)
    for name, about in (("install", "install the kernel"), ("uninstall", "take the kernel away")):
        act = acts.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        where = act.add_mutually_exclusive_group()
        where.add_argument("--user", dest="place", action="store_const", const="user", help="for this user")
        where.add_argument("--sys-prefix", dest="place", action="store_const", const="sys-prefix", help="in this Python environment")
        where.add_argument("--prefix", dest="place", metavar="FOLDER", type=Path, help="in FOLDER/share/jupyter/kernels")
    kernel.set_defaults(act=_kernel)
    return parser


def _hunt_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("file", nargs="?", metavar="FILE", help="a hunt flow (.hf), or - for standard input; `run` also takes a huntbook (.ipynb)")
    where.add_argument("-c", dest="text", metavar="TEXT", help="the hunt itself")


def _parameter_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-p",
        dest="parameters",
        metavar="NAME=VALUE",
        action="append",
        type=_parameter,
        default=[],
        help="what `$NAME` stands for in the hunt; may be repeated",
    )


def _parameter(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    from kestrel.syntax import read_value

    return name, read_value(value)


def _format_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text for people (default), or one JSON object a line")


def _log_format_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log-format", metavar="NAME", help="read log files as this log format, where no profile names one")


# -- commands ---------------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> int:
    if options.text is None and options.file.endswith(".ipynb"):
        return _run_book(options)
    if options.output:
        print("kestrel: --output is for huntbooks (.ipynb)", file=sys.stderr)
        return 2
    source = _read(options)
    return 2 if source is None else _hunt(source, options, dict(options.parameters), options.views)


def _run_book(options: argparse.Namespace) -> int:
    from kestrel.kernel.book import CellFailed, NoBook, read_book, run_book, with_parameters, write_book

    path = Path(options.file)
    try:
        book = read_book(path)
        save = saver(options.views.absolute() if options.views else None)
    except (NoBook, CannotSave) as error:
        print(f"kestrel: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"kestrel: cannot read {path}: {error.strerror or error}", file=sys.stderr)
        return 2
    for name in with_parameters(book, dict(options.parameters)):
        print(f"note[unused-parameter]: parameter `${name}` was given and no cell uses it", file=sys.stderr)
    show = (lambda _: None) if options.output else shower(options.format)
    output = options.output.absolute() if options.output else None
    if output and (why := _obstacle(output)):
        print(f"kestrel: cannot write {options.output}: {why}", file=sys.stderr)
        return 2

    def take(result: Result) -> None:
        show(result)
        save(result)

    try:
        with _hunting(options.signals, 1000 if output else ...) as (session, stream):
            run_book(book, path.absolute().parent, take, session, stream)
        return 0
    except CellFailed as failed:
        print(f"cell {failed.number} failed:", file=sys.stderr)
        report(failed.error, "text" if output else options.format, show)
        return 1
    except CannotSave as error:
        print(f"kestrel: {error}", file=sys.stderr)
        return 1
    except (BrokenPipeError, CannotPrint):
        raise
    except Exception:
        report_bug(Source(""), "text", show)
        return 1
    finally:
        if output:
            write_book(book, output)


def _obstacle(path: Path) -> str | None:
    """Why a file cannot be written, as far as can be known before."""
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    return None if os.access(path if path.exists() else path.parent, os.W_OK) else "permission denied"


def _demo(options: argparse.Namespace) -> int:
    folder = resources.files("kestrel.demo")
    text = (folder / "hunt.hf").read_text(encoding="utf-8")
    with resources.as_file(folder / "data" / "host101.ndjson.zst") as data:
        os.environ["STIXSHIFTER_HOST101_CONNECTOR"] = "file"
        os.environ["STIXSHIFTER_HOST101_CONNECTION"] = f'{{"path": {_json_text(str(data))}}}'
        if options.format == "text":
            print(text.rstrip() + "\n")
        return _hunt(Source(text, "hunt.hf"), options)


def _json_text(text: str) -> str:
    import json

    return json.dumps(text)


def _check(options: argparse.Namespace) -> int:
    source = _read(options)
    if source is None:
        return 2
    from kestrel.session import Session

    try:
        Session().check(source.text, source.name, dict(options.parameters), options.offline)
    except HuntErrors as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _fmt(options: argparse.Namespace) -> int:
    source = _read(options)
    if source is None:
        return 2
    from kestrel.syntax import parse, to_text

    try:
        text = to_text(parse(source.text, source.name))
    except HuntErrors as error:
        print(error, file=sys.stderr)
        return 1
    if options.write and options.file not in (None, "-"):
        try:
            write_whole(Path(options.file), text)
        except OSError as error:
            print(f"kestrel: cannot write {options.file}: {error.strerror}", file=sys.stderr)
            return 1
    else:
        sys.stdout.write(text)
    return 0


def _config(options: argparse.Namespace) -> int:
    show = shower(options.format)
    try:
        for result in _configuration():
            show(result)
    except HuntErrors as error:
        report(error, options.format, show)
        return 1
    except KestrelError as error:
        report(HuntErrors(Source(""), [error]), options.format, show)
        return 1
    return 0


def _kernel(options: argparse.Namespace) -> int:
    from kestrel.kernel.install import CannotInstall, install, uninstall

    try:
        if options.what == "install":
            print(f"kernel `kestrel` is in {install(options.place)}")
        else:
            folder = uninstall(options.place)
            print(f"kernel `kestrel` is gone from {folder}" if folder else "kernel `kestrel` is not installed there")
    except CannotInstall as error:
        print(f"kestrel: {error}", file=sys.stderr)
        return 1
    return 0


def _configuration() -> Iterator[Result]:
    """The settings, the files they may stand in, the profiles (never what they say), and what the settings file says in vain."""
    from kestrel.result import Table
    from kestrel.settings import FILE_VARIABLE, load_settings, settings_file
    from kestrel.sources import profiles

    settings = load_settings()
    keys = tuple(settings.listing())
    yield Table("settings", ("key", "value", "from", "meaning"), keys, len(keys))
    named = ((settings_file(), FILE_VARIABLE), (profiles.settings_file(), profiles.FILE_VARIABLE))
    files = tuple((str(path), f"${variable}" if os.environ.get(variable) else "default", os.path.exists(path)) for path, variable in named)
    yield Table("files", ("file", "from", "exists"), files, len(files))
    known = tuple((p.name, p.connector, p.origin) for p in profiles.profiles_set_up())
    yield Table("profiles", ("profile", "connector", "from"), known, len(known))
    yield from settings.notices


def _check_source(options: argparse.Namespace) -> int:
    """1 where something makes hunting impossible."""
    from kestrel.result import Table
    from kestrel.session import Session

    show = shower(options.format)
    with Session(log_format=options.log_format) as session:
        try:
            rows = tuple(session.examine(options.name))
        except HuntErrors as error:
            report(error, options.format, show)
            return 1
    show(Table(options.name, ("checked", "state", "found"), rows, len(rows)))
    return 1 if any(state == "bad" for _, state, _ in rows) else 0


def _formats(options: argparse.Namespace) -> int:
    from kestrel.session import Session

    show = shower(options.format)
    with Session(log_format=options.log_format) as session:
        try:
            if options.sample is not None and options.name != "new":
                print("error: one name is needed; `kestrel formats new FILE` writes a first draft of a log format", file=sys.stderr)
                return 2
            if options.sample is not None:
                print(session.draft(options.sample), end="")
                return 0
            for table in session.overview(options.name):
                show(table)
        except HuntErrors as error:
            report(error, options.format, show)
            return 1
    return 0


def _install_connector(options: argparse.Namespace) -> int:
    from kestrel.sources.stixshifter.installed import install

    try:
        done = install(options.name, options.upgrade, lambda text: print(text, flush=True))
    except KestrelError as error:
        print(draw(Source(""), error), file=sys.stderr)
        return 1
    print(f"{done.name} {done.version} is in {done.folder}")
    return 0


def _list_connectors(options: argparse.Namespace) -> int:
    from kestrel.result import Table
    from kestrel.sources.stixshifter.installed import installed

    rows = tuple((c.name, c.version, str(c.folder)) for c in installed())
    shower(options.format)(Table("connectors", ("connector", "version", "folder"), rows, len(rows)))
    return 0


def _check_connector(options: argparse.Namespace) -> int:
    """1 where something makes hunting impossible."""
    from kestrel.result import Table
    from kestrel.sources.connector import connect
    from kestrel.sources.profiles import profile
    from kestrel.sources.stixshifter.connector import ShifterConnector
    from kestrel.sources.stixshifter.failures import NotInstalled

    show = shower(options.format)
    try:
        found = profile(options.name.removeprefix("stixshifter://"))
        try:
            made = connect(found, f"stixshifter://{found.name}")
        except NotInstalled:
            made = ShifterConnector(found)
        if not isinstance(made, ShifterConnector):
            print(f"`{options.name}` needs no connector: `kestrel check-source {options.name}` looks at it")
            return 0
        rows = tuple((f.what, f.state, f.found) for f in made.check())
    except KestrelError as error:
        report(HuntErrors(Source(""), [error]), options.format, show)
        return 1
    show(Table(options.name, ("checked", "state", "found"), rows, len(rows)))
    return 1 if any(state == "bad" for _, state, _ in rows) else 0


def _read(options: argparse.Namespace) -> Source | None:
    if options.text is not None:
        return Source(options.text, "<command line>")
    if options.file.endswith(".ipynb"):
        print(f"kestrel: {options.file} is a huntbook; `kestrel run` runs it, and this command takes hunt flows (.hf)", file=sys.stderr)
        return None
    try:
        if options.file == "-":
            return Source(sys.stdin.buffer.read().decode("utf-8"), "<stdin>")
        return Source(Path(options.file).read_bytes().decode("utf-8-sig").replace("\r\n", "\n"), options.file)
    except OSError as error:
        print(f"kestrel: cannot read {options.file}: {error.strerror or error}", file=sys.stderr)
    except UnicodeDecodeError:
        print(f"kestrel: {'standard input' if options.file == '-' else options.file} is not UTF-8 text", file=sys.stderr)
    return None


def _hunt(source: Source, options: argparse.Namespace, parameters: Mapping[str, Any] | None = None, views: Path | None = None) -> int:
    show = shower(options.format)
    with _hunting(options.signals, log_format=getattr(options, "log_format", None)) as (_, stream):
        try:
            save = saver(views)
            for result in stream(source.text, source.name, parameters):
                show(result)
                save(result)
            return 0
        except HuntErrors as error:
            report(error, options.format, show)
            return 1
        except (Stopped, BrokenPipeError, CannotPrint):
            raise
        except CannotSave as error:
            print(f"kestrel: {error}", file=sys.stderr)
            return 1
        except Exception:
            report_bug(source, options.format, show)
            return 1


@contextmanager
def _hunting(signals: Signals, rows: int | EllipsisType | None = ..., log_format: str | None = None) -> Iterator[tuple[Session, Stream]]:
    """A session and the function that runs hunts in it, until the block ends. A signal stops the hunt and then the command."""
    from kestrel.display.progress import Progress
    from kestrel.running import Runner
    from kestrel.session import Session

    session = Session(rows, log_format=log_format)
    runner = Runner(session, signals.interrupted)

    def stream(text: str, name: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
        for result in runner.run(text, name, lambda _: None, parameters):
            if result is not None:
                yield result
            if signals.number:
                signals.interrupted.set()

    with signals.hunting():
        try:
            with Progress(session.progress):
                yield session, stream
        except Stopped:
            pass
        finally:
            if (reason_of := runner.close()) and not signals.number:
                print(f"kestrel: the records could not be cached for the next run ({reason_of})", file=sys.stderr)
    if signals.number:
        raise KeyboardInterrupt
