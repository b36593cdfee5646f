"""The verbs of delineate for the terminal.

Exit codes: 0 done, 2 wrong usage, 3 bad input or a file that cannot be read or written,
4 a detector failed, 130 interrupted.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer

from delineate.cli import (
    agree,
    batch,
    convert,
    correct,
    demo,
    detectors,
    dicomweb,
    doctor,
    evaluate,
    inspect,
    keys,
    ohif,
    phantom,
    plugin,
    purge,
    run,
    serve,
    table,
)
from delineate.cli.screen import errors
from delineate.errors import (
    Cancelled,
    DelineateError,
    DetectorError,
    InputError,
    MissingExtraError,
    NotFoundError,
    OptionError,
    SeriesChoiceError,
)

__all__ = ["exit_code", "main"]

EXIT_CODES: tuple[tuple[type[DelineateError], int], ...] = (
    (OptionError, 2),
    (SeriesChoiceError, 2),
    (NotFoundError, 2),
    (MissingExtraError, 2),
    (Cancelled, 130),
    (InputError, 3),
    (DetectorError, 4),
    (DelineateError, 1),
)


def exit_code(error: DelineateError) -> int:
    """The exit code of an error: that of the first class above that it belongs to."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def application() -> typer.Typer:
    """All verbs: those of this package and those that plugins add (``delineate.commands``)."""
    app = typer.Typer(
        name="delineate",
        help="Find things in images and leave them as outlines, numbers and standard files.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_top)
    app.command("detectors")(detectors.detectors)
    app.command("inspect")(inspect.inspect)
    app.command("run")(run.run)
    app.command("convert")(convert.convert)
    app.command("correct")(correct.correct)
    app.command("phantom")(phantom.phantom)
    app.command("table")(table.table)
    app.command("evaluate")(evaluate.score)
    app.command("batch")(batch.batch)
    app.command("agree")(agree.agree)
    app.command("serve")(serve.serve)
    app.command("worker")(serve.worker)
    app.command("purge")(purge.purge)
    app.add_typer(keys.keys, name="keys")
    app.command("audit")(keys.audit)
    app.command("doctor")(doctor.doctor)
    app.command("demo")(demo.demo)
    app.add_typer(plugin.plugin, name="plugin")
    app.add_typer(dicomweb.dicomweb, name="dicomweb")
    app.command("ohif")(ohif.ohif)
    for point in sorted(entry_points(group="delineate.commands"), key=lambda found: found.name):
        try:
            verb = point.load()
            if isinstance(verb, typer.Typer):
                app.add_typer(verb, name=point.name)
            else:
                app.command(point.name)(verb)
        except Exception as error:  # one broken plugin must not take the others
            errors.print(f"[yellow]the command {point.name} is left out: {error}[/]", style="dim")
    return app


def _print_version(asked: bool) -> None:
    if asked:
        from delineate import __version__

        sys.stdout.write(f"delineate {__version__}\n")
        raise typer.Exit


def _top(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code."""
    try:
        application()(arguments, prog_name="delineate")
    except DelineateError as error:
        _say(error)
        if isinstance(error, SeriesChoiceError):
            for series in error.series:
                _say("  " + "  ".join(f"{key}={value}" for key, value in series.items()))
        sys.exit(exit_code(error))
    except OSError as error:  # no such file, no permission, no room
        _say(error)
        sys.exit(3)


def _say(what: object) -> None:
    if isinstance(what, Exception):
        errors.print(f"[bold red]{type(what).__name__}[/]: ", end="")
    errors.print(str(what), markup=False, highlight=False, soft_wrap=True)
