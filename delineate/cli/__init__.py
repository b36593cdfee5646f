"""The verbs of delineate for the terminal.

Exit codes: 0 done, 2 wrong usage, 3 bad input or a file that cannot be read or written,
4 a detector failed, 130 interrupted.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated

import typer

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


# Where the verbs are, in the order of the help. Each is imported when it is meant: all of them
# take a second.
_VERBS = {
    "detectors": "detectors",
    "inspect": "inspect",
    "run": "run",
    "convert": "convert",
    "correct": "correct",
    "phantom": "phantom",
    "table": "table",
    "evaluate": "evaluate:score",
    "batch": "batch",
    "agree": "agree",
    "serve": "serve",
    "worker": "serve:worker",
    "purge": "purge",
    "keys": "keys",
    "audit": "keys:audit",
    "doctor": "doctor",
    "demo": "demo",
    "plugin": "plugin",
    "dicomweb": "dicomweb",
    "ohif": "ohif",
}


def application(arguments: Sequence[str] = ()) -> typer.Typer:
    """All verbs: those of this package and those that plugins add (``delineate.commands``).

    Where the arguments begin with one of this package, that one alone.
    """
    app = typer.Typer(
        name="delineate",
        help="Find things in images and leave them as outlines, numbers and standard files.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_top)
    meant = arguments[0] if arguments else ""
    for name in [meant] if meant in _VERBS else _VERBS:
        module, _, verb = _VERBS[name].partition(":")
        _add(app, name, getattr(import_module(f"{__name__}.{module}"), verb or module))
    if meant in _VERBS:
        return app
    for point in sorted(entry_points(group="delineate.commands"), key=lambda found: found.name):
        try:
            _add(app, point.name, point.load())
        except Exception as error:  # one broken plugin must not take the others
            errors.print(f"[yellow]the command {point.name} is left out: {error}[/]", style="dim")
    return app


def _add(app: typer.Typer, name: str, verb: object) -> None:
    if isinstance(verb, typer.Typer):
        app.add_typer(verb, name=name)
    else:
        app.command(name)(verb)  # type: ignore[type-var]


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
    gc.set_threshold(10_000)  # looking for garbage after every 700 takes a tenth of the time
    given = sys.argv[1:] if arguments is None else arguments
    try:
        application(given)(given, prog_name="delineate")
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
