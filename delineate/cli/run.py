"""``delineate run``: one image through one detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from delineate import delineation, formats
from delineate.cli.drawn import Contours, Holes, Segments, Simplify, Smooth, formats_of
from delineate.cli.reading import SpacingMm, Uneven, sample_size
from delineate.cli.remote import KeyFile, Resume, Server, connected, found_there
from delineate.cli.screen import ProgressBar, errors, findings_table, output, progress_bar
from delineate.errors import ExportError, OptionError
from delineate.formats.drawing import Outlines
from delineate.formats.format import Choices
from delineate.formats.writing import demand_series
from delineate.plugins import registry
from delineate.plugins.host import Host
from delineate.plugins.options import parse
from delineate.plugins.reference import resolved

__all__ = ["named_values", "run"]

_SHAPES = ("nifti", "masks", "coco")


def run(
    image: Annotated[list[Path], typer.Argument(help="A folder, a zip, or one or more files.")],
    detector: Annotated[str, typer.Option(help="Its id; see `delineate detectors`.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; made where it is missing.")],
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, as often as needed.")
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            help=f"Comma-separated: {','.join(delineation.EXPORTS)}. By default csv and the first "
            f"of {', '.join(_SHAPES)} that fits what was found."
        ),
    ] = None,
    series: Annotated[str | None, typer.Option(help="Which one, where there are several.")] = None,
    modality: Annotated[
        str | None, typer.Option(help="CT, MR, photo ...: for a file that does not say so.")
    ] = None,
    contours: Contours = "edge",
    smooth_mm: Smooth = 0.0,
    simplify_mm: Simplify = 0.0,
    holes: Holes = "rings",
    segments: Segments = "binary",
    uneven: Uneven = "refuse",
    spacing_mm: SpacingMm = None,
    server: Server = None,
    key_file: KeyFile = None,
    resume: Resume = None,
) -> None:
    """Find things in an image and write them as files."""
    wanted = formats_of(export, list(delineation.EXPORTS), "--export") if export else []
    how, choices = Outlines(contours, smooth_mm, simplify_mm), Choices(holes, segments)
    values = named_values(option or [])
    reading: dict[str, Any] = {"uneven": uneven, "spacing_mm": sample_size(spacing_mm)}
    if out.exists() and not out.is_dir():
        raise OptionError(f"--out expects a folder, and {out} is a file; name another")
    with progress_bar() as progress:
        task = progress.add_task("reading", total=1.0)
        if server is not None:
            with connected(server, key_file) as service:
                found = found_there(
                    service, image, detector, values, reading, series, modality, resume,
                    progress, task,
                )  # fmt: skip
        else:
            found = _found_here(
                image, detector, values, reading, series, modality, wanted, progress, task
            )
        progress.update(task, description="writing", completed=1.0)
        wanted = wanted or _fitting(found)
        try:
            paths = delineation.export(found, wanted, out, how, choices)
        except ExportError:
            delineation.export(found, [], out)  # the finding itself is never lost
            raise
    document = delineation.to_json(found)
    title = f"{found.detector.title} ({found.detector.id})"
    output.print(findings_table(document["findings"], title))
    for path in paths.values():
        output.print(str(path), markup=False, highlight=False, soft_wrap=True)
    for note in document["notes"]:
        errors.print(note, markup=False, style="yellow")
    errors.print(found.detector.intended_use, markup=False, style="dim")


def _found_here(
    paths: list[Path],
    detector: str,
    values: dict[str, str],
    reading: dict[str, Any],
    series: str | None,
    modality: str | None,
    wanted: list[str],
    progress: Progress,
    task: TaskID,
) -> delineation.Delineation:
    spec = registry.find(detector)
    options = parse(spec, values)
    with Host(spec) as host:
        read = formats.read(
            paths if len(paths) > 1 else paths[0], series, modality=modality, **reading
        )
        demand_series(read, wanted)
        options = resolved(options, formats.read)
        return delineation.delineate(
            read, spec, options, monitor=ProgressBar(progress, task), runner=host
        )


def _fitting(found: delineation.Delineation) -> list[str]:
    """What is written where nobody asked for anything."""
    possible = delineation.exportable(found)
    shapes = [name for name in _SHAPES if name in possible][:1]
    return shapes + [name for name in ("picture", "csv", "overall") if name in possible]


def named_values(pairs: list[str]) -> dict[str, str]:
    """``["a=1", "b=x=y"]`` as ``{"a": "1", "b": "x=y"}``."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise OptionError(f"--option expects NAME=VALUE, got {pair!r}")
        values[name.strip()] = value
    return values
