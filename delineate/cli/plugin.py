"""``delineate plugin``: begin a detector, and try whether it keeps the laws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from delineate import formats
from delineate.cli.package import write_package
from delineate.cli.run import named_values
from delineate.cli.screen import errors, output
from delineate.errors import OptionError
from delineate.plugins import OutputKind, registry
from delineate.plugins.options import parse
from delineate.plugins.reference import referenced
from delineate.testing.check import Verdict, check, suite_of

__all__ = ["plugin"]

plugin = typer.Typer(help="Begin a detector, and try one that is installed.", no_args_is_help=True)

_COLOURS = {"passed": "green", "failed": "red", "not applicable": "dim"}
_FAILED = 4


@plugin.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Id of the detector to be, such as leaf-spots.")],
    gives: Annotated[OutputKind, typer.Option(help="What it returns.")] = "labelmap",
    folder: Annotated[
        Path | None, typer.Option(help="Where to; new or empty. By default ./NAME.")
    ] = None,
) -> None:
    """Write a small package with a detector that works, for you to change."""
    place = folder if folder is not None else Path(name)
    for path in write_package(name, gives, place):
        output.print(str(path), markup=False, highlight=False, soft_wrap=True)
    errors.print(
        f"next: pip install -e '{place}[test]' && pytest {place} && delineate plugin check {name}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


@plugin.command("check")
def check_detector(
    detector: Annotated[str, typer.Argument(help="Its id; see `delineate detectors`.")],
    image: Annotated[
        Path | None, typer.Option(help="In which it finds something; else one is generated.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, as often as needed.")
    ] = None,
    equivariant: Annotated[
        list[str] | None,
        typer.Option(
            help="flips, permutations, shift or tiles = the share of what is found that may "
            "differ, or none where it may change anything; 0.02 unless given."
        ),
    ] = None,
) -> None:
    """Try all laws that a detector has to keep; exit code 4 if it breaks one."""
    spec = registry.find(detector)
    values: dict[str, object] = dict(named_values(option or []))
    for name, reference in referenced(parse(spec, values)).items():
        values[name] = formats.read(reference.name)
    sample = None if image is None else formats.read(image)
    suite = suite_of(detector, sample, values, _shares(equivariant or []))
    verdicts = []
    with errors.status(f"trying {detector}") as status:
        for verdict in check(suite):
            verdicts.append(verdict)
            status.update(f"trying {detector}: {len(verdicts)} laws")
    output.print(_table(verdicts, f"{spec.title} ({spec.id})"))
    counts = Counter[str](verdict.outcome for verdict in verdicts)
    output.print(", ".join(f"{counts[outcome]} {outcome}" for outcome in _COLOURS), highlight=False)
    if counts["failed"]:
        raise typer.Exit(_FAILED)


def _shares(pairs: list[str]) -> dict[str, float | None]:
    shares: dict[str, float | None] = {}
    for name, text in named_values(pairs).items():
        try:
            share = None if text.strip() == "none" else float(text)
        except ValueError:
            share = -1.0
        if name not in ("flips", "permutations", "shift", "tiles") or not (
            share is None or 0 <= share <= 1
        ):
            raise OptionError(
                "--equivariant expects flips, permutations, shift or tiles = a share from 0 to 1 "
                f"or none, got {name}={text}"
            )
        shares[name] = share
    return shares


def _table(verdicts: list[Verdict], title: str) -> Table:
    table = Table("law", "", "why, and what to do", title=title, title_justify="left")
    for one in verdicts:
        lines = [Text(line) for line in (one.reason, one.advice) if line]
        outcome = Text(one.outcome, _COLOURS[one.outcome])
        table.add_row(one.law, outcome, Text("\n").join(lines))
    return table
