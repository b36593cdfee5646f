"""``delineate phantom``: a CT to try things on, of nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from delineate.cli.screen import errors, output
from delineate.errors import OptionError
from delineate.formats import dicom
from delineate.phantom import torso

__all__ = ["phantom", "write_phantom"]

SEED = 7
SPACING_MM = (4.0, 1.8, 1.8)
EXTENT_MM = (-330.0, 200.0)


def phantom(
    out: Annotated[Path, typer.Argument(help="Folder for the slices; must be new or empty.")],
    seed: Annotated[int, typer.Option(help="Another number, another body.", min=0)] = SEED,
) -> None:
    """Write a generated torso as a DICOM CT series: input to try things on, of no patient."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OptionError(
            f"expected a new or empty folder, and {out} holds something; name another"
        )
    with errors.status("generating a torso phantom"):
        files = write_phantom(out, seed)
    output.print(f"wrote {len(files)} slices to {out}", highlight=False, soft_wrap=True)


def write_phantom(folder: Path, seed: int = SEED) -> list[Path]:
    """Write a generated torso as a DICOM CT series; the same seed gives the same files."""
    image, _ = torso(seed, spacing_mm=SPACING_MM, extent_mm=EXTENT_MM)
    return dicom.write_series(image, folder)
