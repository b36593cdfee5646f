"""``delineate table``: the measurements of many results as one table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.screen import errors, output
from delineate.delineation.collect import case_of, result_folders
from delineate.errors import OptionError, UnreadableFileError
from delineate.formats.measurement_table import Case, write_table

__all__ = ["table"]


def table(
    result: Annotated[
        list[Path], typer.Argument(help="Folders of results, or folders that hold such folders.")
    ],
    out: Annotated[Path, typer.Option(help="What to write: a .csv or a .parquet.")],
) -> None:
    """Collect the measurements of results in one table, a line a number.

    A result that cannot be read is listed and left out; the exit code is then 3.
    """
    missing = [str(path) for path in result if not path.is_dir()]
    if missing:
        raise OptionError(f"expected folders of results, got {', '.join(missing[:5])}")
    broken: list[str] = []
    folders = result_folders(result)
    lines = write_table(_readable(folders, broken), out)
    good = len(folders) - len(broken)
    text = f"{out}: {lines} lines of {good} results"
    output.print(text, markup=False, highlight=False, soft_wrap=True)
    for message in broken:
        errors.print(message, markup=False, highlight=False, soft_wrap=True)
    if broken:
        errors.print(f"{len(broken)} of {len(folders)} results could not be read and are left out")
        raise typer.Exit(3)


def _readable(folders: dict[str, Path], broken: list[str]) -> Iterator[Case]:
    for name, folder in folders.items():
        try:
            yield case_of(name, folder)
        except UnreadableFileError as error:
            broken.append(str(error))
