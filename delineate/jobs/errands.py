"""What the API has done in a process of its own: reading strangers' files, importing plugins.

Run as ``python -m delineate.jobs.errands PARENT``: a JSON object a line on stdin, ``{"errand":
NAME, "with": {...}}``, is answered by a line ``{"answer": ...}`` or ``{"error": {...}}``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from delineate import errors
from delineate.errors import DelineateError, UnreadableFileError
from delineate.imaging import Grid, Image
from delineate.jobs import corrections, dicom_pictures, dicom_pixels, dicom_reading, samples
from delineate.jobs.drawn import drawn, header, volume_file
from delineate.jobs.lifeline import die_with
from delineate.jobs.log import configure
from delineate.jobs.looking import look, survey
from delineate.jobs.masks import mask
from delineate.jobs.reading import read_stored
from delineate.jobs.references import reference
from delineate.jobs.reidentify import reidentify
from delineate.jobs.settings import Settings

__all__ = ["main"]


def volume(paths: list[str], series: str, reading: dict[str, Any], target: str) -> None:
    """Write the samples of a series, gzipped, to ``target`` and what they are beside it."""
    image = read_stored(paths, series, reading)
    samples.write(image.array, image.grid, image.modality, Path(target))


def output(
    result: str, paths: list[str], series: str, reading: dict[str, Any], target: str
) -> None:
    """Write the samples of a result, a field or a restored image, as `volume` writes a series'."""
    from delineate import delineation
    from delineate.plugins import Field

    found = delineation.load(Path(result), read_stored(paths, series, reading)).output
    if not isinstance(found, Field | Image):
        raise errors.ExportError(
            "only a field and a restored image have samples of their own; "
            "/exports lists the formats that this result can be had in"
        )
    modality = found.modality if isinstance(found, Image) else "unknown"
    samples.write(found.array, found.grid, modality, Path(target))


def detectors() -> list[dict[str, Any]]:
    """What is installed."""
    from delineate.plugins import registry

    return [registry.describe(spec) for spec in registry.installed().specs]


def check(
    detector: str, options: dict[str, Any], series: dict[str, Any], modality: str | None
) -> dict[str, Any]:
    """Check that a detector exists, its options and, from its report, the series.

    ``modality`` is what it is stated to be, where its files do not say it.

    Returns
    -------
    dict
        ``options``: all with their values; ``images``: the ids that they name.
    """
    from delineate.delineation.fit import demand_suitable
    from delineate.formats.stated import agreed_modality
    from delineate.plugins import options as plugin_options
    from delineate.plugins import registry
    from delineate.plugins.reference import referenced

    spec = registry.find(detector)
    parsed = plugin_options.parse(spec, options)
    if modality is not None:
        guessed = any(one["code"] == "modality_assumed" for one in series["problems"])
        agreed = agreed_modality(series["modality"], modality, guessed=guessed)
        series = {**series, "modality": agreed}
    # How many channels there are is known only once it is read.
    demand_suitable(_pretended(series), replace(spec, wants=replace(spec.wants, channels=None)))
    return {
        "options": parsed.model_dump(mode="json"),
        "images": [one.name for one in referenced(parsed).values()],
    }


def _pretended(series: dict[str, Any]) -> Image:
    """An image of the shape, orientation and modality that a report states, without samples."""
    affine = np.eye(4)
    if series["orientation"]:
        for axis, (letter, step) in enumerate(
            zip(series["orientation"], series["spacing_mm"], strict=True)
        ):
            world = ("RL", "AP", "IS").index(next(p for p in ("RL", "AP", "IS") if letter in p))
            affine[:3, axis] = 0.0
            affine[world, axis] = step if letter in "LPS" else -step
    elif series["unit"] == "mm":  # a picture of known scale
        affine[:3, :3] = np.diag(series["spacing_mm"])[::-1]
    grid = Grid(tuple(series["shape"]), affine, series["unit"])
    return Image(np.broadcast_to(np.int16(0), grid.shape), grid, series["modality"])


def export(
    result: str,
    paths: list[str],
    series: str,
    reading: dict[str, Any],
    format: str,  # noqa: A002
    outlines: dict[str, Any],
    choices: dict[str, Any],
    folder: str,
) -> None:
    """Write a result in another format: ``file/NAME``, and ``round-trip.json`` beside it.

    Parameters
    ----------
    result
        Folder of the result.
    paths, series, reading
        The image.
    format
        One of the formats of results.
    outlines, choices
        How outlines are drawn and what formats leave open, as keywords.
    folder
        Where: appears whole or not at all. Its parent is made where it is missing.
    """
    from delineate import delineation
    from delineate.formats.drawing import Outlines
    from delineate.formats.format import Choices

    known = ", ".join(delineation.EXPORTS)
    if format not in delineation.EXPORTS:
        raise errors.ExportError(f"expected one of the formats {known}, got {format[:40]!r}")
    image = read_stored(paths, series, reading)
    found = delineation.load(Path(result), image)
    exports = Path(folder).parent
    exports.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=exports) as scratch:
        written = delineation.export(
            found, [format], Path(scratch), Outlines(**outlines), Choices(**choices)
        )[format]
        one = Path(scratch) / "one"
        (one / "file").mkdir(parents=True)
        written.rename(one / "file" / written.name)
        (Path(scratch) / delineation.SIDECAR).rename(one / "round-trip.json")
        try:
            one.rename(folder)
        except OSError:
            if not Path(folder).is_dir():  # else somebody was faster
                raise


_ERRANDS: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        *(look, survey, volume, output, detectors, check, export),
        *(mask, drawn, volume_file, header, reidentify, reference),
    )
} | {
    f"dicom_{one.__name__}": one
    for one in (
        *(dicom_reading.read, dicom_pixels.frames, dicom_pixels.plain, dicom_pixels.bulk),
        dicom_pictures.render,
    )
}
_ERRANDS["correction"] = corrections.taken_in


def _answer(line: str, errands: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    request = json.loads(line)
    try:
        return {"answer": errands[request["errand"]](**request["with"])}
    except DelineateError as error:
        extra = (
            {"series": list(error.series)} if isinstance(error, errors.SeriesChoiceError) else {}
        )
        return {"error": {"name": type(error).__name__, "message": str(error), **extra}}
    except MemoryError:
        return {"error": {"name": "UnreadableFileError", "message": "too large for the memory"}}
    except Exception as error:  # whatever a parser makes of a broken file
        name = (
            UnreadableFileError.__name__
            if request["errand"] in ("look", "survey", "drawn", "correction", "reference")
            else "DelineateError"
        )
        message = f"these files cannot be read ({type(error).__name__})"
        return {"error": {"name": name, "message": message}}


def main(parent: int, errands: Mapping[str, Callable[..., Any]] = _ERRANDS) -> None:
    """Answer until stdin ends."""
    die_with(parent)
    configure("errands", Settings.from_environment().quiet)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    for line in sys.stdin:
        answers.write(json.dumps(_answer(line, errands)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
