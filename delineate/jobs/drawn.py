"""Labels that people drew, taken in; images handed out as one file. Runs in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import UploadError
from delineate.jobs.looking import look
from delineate.jobs.masks import shown, write_volume
from delineate.jobs.reading import read_stored

__all__ = ["drawn", "header", "volume_file"]


def drawn(
    folder: str,
    name: str,
    image: Mapping[str, Any],
    max_bytes: int,
    max_files: int,
) -> dict[str, Any]:
    """Look into a label that was sent: a label map of any format, or the bare samples of one.

    Parameters
    ----------
    folder
        With the one file in ``parts``; see `looking.look`.
    name
        What its sender calls it. ``.bin``: 8 bits a sample and nothing else, slice by slice as a
        viewer has the image.
    image
        ``paths``, ``series``, ``reading`` and ``format`` of the image that it belongs to.
    max_bytes, max_files
        Limits once unpacked.

    Returns
    -------
    dict
        As `looking.look` has it. Its verdict may be ``refused``: layers that overlap are no image.

    Raises
    ------
    InputError
        If it holds no labels.
    """
    from delineate.formats.annotations import read_annotation

    (path,) = (Path(folder) / "parts").iterdir()
    if name.lower().endswith(".bin"):
        path = _with_header(path, image)
        name = path.name
    read_annotation(path)
    return look(folder, [name], max_bytes, max_files)


def _with_header(path: Path, image: Mapping[str, Any]) -> Path:
    """Bare samples as NRRD on the grid of their image."""
    grid = read_stored(image["paths"], image["series"], image["reading"]).grid
    order = shown(image, grid) if image["format"] == "dicom" else np.arange(grid.shape[0])
    samples = np.fromfile(path, np.uint8)
    expected = (len(order), *grid.shape[1:])
    if samples.size != np.prod(expected):
        raise UploadError(
            f"expected {np.prod(expected)} samples of 8 bits, the {expected} of the series, got "
            f"{samples.size} bytes"
        )
    if made_up := grid.shape[0] - len(np.unique(order[order >= 0])):
        raise UploadError(
            f"{made_up} slices of this image were interpolated and no viewer shows them, so that "
            "labels would have gaps; send the label as a file with its place in space"
        )
    labels = np.zeros(grid.shape, np.uint8)
    inside = order >= 0
    labels[order[inside]] = samples.reshape(expected)[inside]
    made = path.with_name("label.nrrd")
    write_volume(labels, grid, made, compress=True)
    path.unlink()
    return made


def volume_file(paths: list[str], series: str, reading: dict[str, Any], target: str) -> None:
    """Write a series as one NRRD file, as it lies in the patient; ``target`` appears whole."""
    image = read_stored(paths, series, reading)
    path = Path(target)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f"part-{path.name}")
    write_volume(image.array, image.grid, partial, compress=False)
    partial.rename(path)


def header(paths: list[str], names: Mapping[str, str], files: list[str]) -> dict[str, str]:
    """What a viewer shows of a DICOM series beside its picture: patient, study, date."""
    import pydicom

    wanted = set(files)
    path = next(one for one in map(Path, paths) if names.get(one.name, one.name) in wanted)
    keywords = ("Modality", "StudyDate", "StudyTime", "PatientID", "StudyInstanceUID")
    dataset = pydicom.dcmread(
        path, force=True, stop_before_pixels=True, specific_tags=[*keywords, "SeriesInstanceUID"]
    )
    return {keyword: str(dataset.get(keyword, "")) for keyword in (*keywords, "SeriesInstanceUID")}
