"""Read scans, photographs and results into napari."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from delineate.viewers.napari.layers import LayerData

if TYPE_CHECKING:
    from delineate.formats.annotations import Annotation
    from delineate.imaging import Image

__all__ = ["read_layers", "reader"]

_RESULT = "delineation.json"
Given = str | Sequence[str]


def reader(path: Given) -> Callable[[Given], list[LayerData]] | None:
    """Napari asks whether this can be read; looks at names and first bytes alone."""
    paths = _paths(path)
    if not paths or not all(one.exists() for one in paths):
        return None
    if any(one.suffix == ".json" and one.name != _RESULT for one in paths):
        return None
    return read_layers


def read_layers(path: Given) -> list[LayerData]:
    """The layers of what lies there.

    A folder of results (``delineation.json``) gives its labels, points or heat; labels and
    outlines of other programs give labels; all else is read as an image. An RTSTRUCT is placed on
    the series that it was drawn on, which must be open; a SEG finds its series if it is.
    """
    from delineate.errors import InputError

    paths = _paths(path)
    if len(paths) > 1:
        return _image(paths)
    if (folder := _result_folder(paths[0])) is not None:
        return _result(folder)
    if paths[0].is_dir():
        return _image(paths)
    try:
        return _annotation(paths[0])
    except InputError as no_labels:
        try:
            return _image(paths)
        except InputError as no_image:
            raise type(no_image)(f"{no_image}; and as labels: {no_labels}") from no_image


def _image(paths: list[Path]) -> list[LayerData]:
    from delineate import formats
    from delineate.viewers.napari.layers import image_layer

    image = formats.read(paths)
    return [image_layer(image, paths[0].name)]


def _annotation(path: Path) -> list[LayerData]:
    """Labels of a file that holds labels and no image: a SEG, an RTSTRUCT, a multi-label NRRD.

    Raises
    ------
    InputError
        If it is none.
    """
    from delineate.errors import UnreadableFileError
    from delineate.viewers.napari.layers import label_layer

    image, found = _placed(path)
    if found.format in ("nifti", "nrrd", "metaimage") and not _named(found.layers):
        raise UnreadableFileError("its numbers have no names; they may be grey values")
    return [label_layer(each, image, path.name) for each in found.layers]


def _placed(path: Path) -> tuple[Image | None, Annotation]:
    """An annotation, and the image among napari's layers that it says it was drawn on."""
    from delineate.errors import InputError
    from delineate.formats.annotations import read_annotation

    for image in _shown():
        try:
            found = read_annotation(path, image.grid)
        except InputError:
            continue
        if found.series_uid and found.series_uid == getattr(image.source, "series_uid", ""):
            return image, found
    return None, read_annotation(path)


def _shown() -> list[Image]:
    """The images behind the layers of the viewer that is open, the last one first."""
    from delineate.viewers.napari.layers import KEY

    napari = sys.modules.get("napari")
    viewer = None if napari is None else napari.current_viewer()
    layers = [] if viewer is None else viewer.layers
    known = (layer.metadata.get(KEY, {}).get("image") for layer in reversed(layers))
    return [image for image in known if image is not None]


def _named(layers: Sequence[object]) -> bool:
    names = [one.name for each in layers for one in each.categories.values()]  # type: ignore[attr-defined]
    return any(not name.startswith("label ") for name in names)


def _result(folder: Path) -> list[LayerData]:
    from delineate.delineation import load_output
    from delineate.imaging import Image, LabelMap
    from delineate.plugins.outputs import Field
    from delineate.viewers.napari.layers import image_layer, label_layer

    document, output = load_output(folder)
    title = document["detector"]["title"]
    if isinstance(output, LabelMap):
        return [label_layer(output, None, title)]
    if isinstance(output, Image):
        return [image_layer(output, title)]
    if isinstance(output, Field):
        counts = (output.array >= output.threshold).astype("uint8")
        held = LabelMap(counts, output.grid, {1: output.category})
        return [label_layer(held, None, title)]
    from delineate.errors import UnreadableFileError

    raise UnreadableFileError(
        f"a result of kind {document['detector']['gives']} is shown on its image; run the detector "
        "from the panel, or open its GeoJSON"
    )


def _result_folder(path: Path) -> Path | None:
    if path.name == _RESULT:
        return path.parent
    return path if (path / _RESULT).is_file() else None


def _paths(path: Given) -> list[Path]:
    return [Path(path)] if isinstance(path, str) else [Path(one) for one in path]
