"""References that were sent, read onto their image; runs in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delineate.formats.derived import Made
from delineate.jobs import kept
from delineate.jobs.reading import read_stored

__all__ = ["reference"]


def reference(
    path: str,
    image: Mapping[str, Any],
    *,
    resample: bool,
    things: bool,
    made: Made | None,
    target: str,
) -> str:
    """Keep a reference as a result.

    Parameters
    ----------
    path
        The file: a label map, RTSTRUCT, DICOM SEG, GeoJSON, COCO, or a zip of masks.
    image
        ``paths``, ``series`` and ``reading`` of what it was drawn on, and its ``tenant``.
    resample
        Whether labels on other samples are sampled anew, or refused.
    things
        Whether each outline of a COCO file is a thing, or a part of an area.
    made
        How it came about, where its sender says so.
    target
        Folder to keep it in.

    Returns
    -------
    str
        The format.

    Raises
    ------
    InputError, GeometryError, UnreadableFileError
        If it holds nothing, or was not drawn on this image; or if a name in it
        tells the patient's, where the service keeps none.
    """
    from delineate.delineation.reference import reference_of
    from delineate.formats.annotations import read_annotation
    from delineate.jobs.reidentify import demand_nameless

    ground = read_stored(image["paths"], image["series"], image["reading"])
    annotation = read_annotation(Path(path), ground.grid, things=things)
    found = reference_of(annotation, ground, resample=resample, made=made)
    names = [one.category.name for one in found.findings]
    demand_nameless(names, image["tenant"], image["paths"], image["series"])
    kept.write(found, Path(target))
    return annotation.format
