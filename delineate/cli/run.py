"""``delineate run``: one image through one detector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from delineate import delineation, formats
from delineate.cli.screen import ProgressBar, errors, findings_table, output, progress_bar
from delineate.errors import ExportError, OptionError
from delineate.plugins import registry
from delineate.plugins.host import Host
from delineate.plugins.options import parse

__all__ = ["named_values", "run"]


def run(
    image: Annotated[list[Path], typer.Argument(help="A folder, a zip, or one or more files.")],
    detector: Annotated[str, typer.Option(help="Its id; see `delineate detectors`.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; made where it is missing.")],
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, as often as needed.")
    ] = None,
    export: Annotated[
        str, typer.Option(help=f"Comma-separated: {','.join(delineation.EXPORTS)}.")
    ] = "nifti,csv",
    series: Annotated[str | None, typer.Option(help="Which one, where there are several.")] = None,
    modality: Annotated[
        str | None, typer.Option(help="CT, MR, photo ...: for a file that does not say so.")
    ] = None,
) -> None:
    """Find things in an image and write them as files."""
    wanted = [name.strip() for name in export.split(",") if name.strip()]
    unknown = sorted(set(wanted) - set(delineation.EXPORTS))
    if unknown:
        raise OptionError(
            f"--export knows {', '.join(delineation.EXPORTS)}; got {', '.join(unknown)}"
        )
    spec = registry.find(detector)
    options = parse(spec, named_values(option or []))
    if out.exists() and not out.is_dir():
        raise OptionError(f"--out expects a folder, and {out} is a file; name another")
    with progress_bar() as progress, Host(spec) as host:
        task = progress.add_task("reading", total=1.0)
        read = formats.read(image if len(image) > 1 else image[0], series)
        if modality is not None:
            read = replace(read, modality=_stated(read.modality, modality))
        delineation.demand_exportable(read, wanted)
        found = delineation.delineate(
            read, spec, options, monitor=ProgressBar(progress, task), runner=host
        )
        progress.update(task, description="writing", completed=1.0)
        try:
            paths = delineation.export(found, wanted, out)
        except ExportError:
            delineation.export(found, [], out)  # the finding itself is never lost
            raise
    document = delineation.to_json(found)
    output.print(findings_table(document["findings"], f"{spec.title} ({spec.id})"))
    for path in paths.values():
        output.print(str(path), markup=False, highlight=False, soft_wrap=True)
    for note in document["notes"]:
        errors.print(note, markup=False, style="yellow")
    errors.print(spec.intended_use, markup=False, style="dim")


def _stated(found: str, modality: str) -> str:
    if found not in ("unknown", modality):
        raise OptionError(f"--modality says {modality}, and the file says {found}; leave it out")
    return modality


def named_values(pairs: list[str]) -> dict[str, str]:
    """``["a=1", "b=x=y"]`` as ``{"a": "1", "b": "x=y"}``."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise OptionError(f"--option expects NAME=VALUE, got {pair!r}")
        values[name.strip()] = value
    return values
