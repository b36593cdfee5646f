"""Read scans, photographs and results into napari."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from delineate.viewers.napari.layers import LayerData

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
    outlines of other programs give labels; all else is read as an image. A DICOM SEG or RTSTRUCT
    that lies among the slices it was drawn on is shown on them.
    """
    paths = _paths(path)
    if len(paths) == 1 and (folder := _result_folder(paths[0])) is not None:
        return _result(folder)
    return _annotation(paths) or _image(paths)


def _image(paths: list[Path]) -> list[LayerData]:
    from delineate import formats
    from delineate.viewers.napari.layers import image_layer

    image = formats.read(paths)
    return [image_layer(image, paths[0].name)]


def _annotation(paths: list[Path]) -> list[LayerData]:
    """Labels of a file that holds labels and no image: a SEG, a multi-label NRRD."""
    from delineate.errors import DelineateError
    from delineate.formats.annotations import read_annotation
    from delineate.viewers.napari.layers import label_layer

    if len(paths) > 1 or paths[0].is_dir():
        return []
    try:
        found = read_annotation(paths[0])
    except DelineateError:
        return []
    if found.format in ("nifti", "nrrd", "metaimage") and not _named(found.layers):
        return []  # numbers without names may be grey values
    return [label_layer(each, None, paths[0].name) for each in found.layers]


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
