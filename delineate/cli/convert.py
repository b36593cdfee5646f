"""``delineate convert``: labels or outlines from one format to others."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from delineate import formats
from delineate.cli.drawn import Contours, Holes, Segments, Simplify, Smooth, formats_of, said
from delineate.cli.screen import errors, output
from delineate.errors import OptionError
from delineate.formats.annotations import read_annotation
from delineate.formats.conversion import drawing_of
from delineate.formats.drawing import EXACT, Drawing, Outlines
from delineate.formats.format import Choices
from delineate.formats.sidecar import NAME, Written, sidecar
from delineate.formats.table import FORMATS
from delineate.formats.writing import demand_series, write

__all__ = ["convert"]

_ENDINGS = tuple(ending for entry in FORMATS.values() for ending in entry.endings)


def convert(
    annotation: Annotated[
        Path,
        typer.Argument(
            help="Labels or outlines: NIfTI, NRRD, MetaImage, RTSTRUCT, DICOM SEG, GeoJSON, COCO, "
            "or a folder or zip of one mask an organ."
        ),
    ],
    to: Annotated[str, typer.Option("--to", help=f"Comma-separated: {','.join(FORMATS)}.")],
    out: Annotated[
        Path,
        typer.Option(help="The file to write; a folder (made where missing) for several formats."),
    ],
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            help="The image they belong to, as often as there are files: needed for DICOM objects "
            "and by files that hold outlines alone."
        ),
    ] = None,
    series: Annotated[
        str | None, typer.Option(help="Which one of the reference, where there are several.")
    ] = None,
    contours: Contours = "edge",
    smooth_mm: Smooth = 0.0,
    simplify_mm: Simplify = 0.0,
    holes: Holes = "rings",
    segments: Segments = "binary",
    plane_tolerance_mm: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="How far an outline may be from the slice it is taken for; half the slice "
            "distance if not given.",
        ),
    ] = None,
    made: Annotated[
        Literal["automatic", "semiautomatic", "manual"] | None,
        typer.Option(help="How the structures came about, where the file does not say so."),
    ] = None,
    resample: Annotated[
        bool,
        typer.Option(
            "--resample", help="Sample labels anew that lie on other samples than the reference's."
        ),
    ] = False,
) -> None:
    """Write labels or outlines in other formats, each checked by reading it back."""
    wanted = formats_of(to, list(FORMATS), "--to")
    if not wanted:
        raise OptionError(f"--to expects at least one of {', '.join(FORMATS)}")
    image = formats.read(reference, series) if reference else None
    if image is not None:
        demand_series(image, wanted)
    elif any(FORMATS[name].refers_to_series for name in wanted):
        raise OptionError(f"--to {to} needs --reference: the DICOM series that it refers to")
    how = Outlines(contours, smooth_mm, simplify_mm)
    read = read_annotation(
        annotation, image.grid if image is not None else None, plane_tolerance_mm
    )
    drawing = drawing_of(read, image, how, resample=resample, title=annotation.name, made=made)
    for note in (*read.notes, *drawing.notes):
        errors.print(note, markup=False, style="yellow")
    as_given = how == EXACT and (bool(read.structures) or not drawing.layers)
    drawn = None if as_given else how
    for line in _written(drawing, wanted, out, drawn, Choices(holes, segments)):
        output.print(line, markup=False, highlight=False, soft_wrap=True)


def _written(
    drawing: Drawing, wanted: list[str], out: Path, how: Outlines | None, choices: Choices
) -> list[str]:
    """Write all or nothing; gives a line for each file."""
    folder = out if len(wanted) > 1 or out.is_dir() or not out.suffix else out.parent
    if len(wanted) > 1 and out.name.lower().endswith(_ENDINGS) and not out.is_dir():
        raise OptionError(f"--out expects a folder for several formats, got the file {out.name}")
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--out expects a folder for several formats, and {folder} is a file")
    if folder != out and out.name == NAME:
        raise OptionError(f"{NAME} is where round trips are said; choose another name for --out")
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        files = {}
        for name in wanted:
            file = FORMATS[name].file if folder == out else out.name
            trip = write(drawing, name, scratch / file, choices)
            drawn = how if FORMATS[name].has_outlines else None
            files[file] = Written(scratch / file, name, drawn, trip, drawing.notes)
        (scratch / NAME).write_text(sidecar(folder, files), encoding="utf-8")
        for file in (*files, NAME):
            (scratch / file).replace(folder / file)
        return [said(folder / file, one.round_trip) for file, one in files.items()]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
