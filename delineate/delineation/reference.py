"""A reference: what somebody drew, as a result on its image that others are compared with."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from delineate import __version__
from delineate.delineation.findings import findings
from delineate.delineation.result import Delineation, DetectorIdentity, Provenance
from delineate.formats.annotations import Annotation
from delineate.formats.conversion import drawing_of
from delineate.formats.derived import Made
from delineate.formats.drawing import Drawing
from delineate.imaging import Image, LabelMap
from delineate.plugins import Detection, Instances, Masks, OutputKind
from delineate.plugins.marked import instances

__all__ = ["REFERENCE", "reference_of"]

REFERENCE = "reference"
"""Stands in a reference where results have the id of their detector."""


def reference_of(
    annotation: Annotation,
    image: Image,
    *,
    resample: bool = False,
    made: Made | None = None,
) -> Delineation:
    """Put what a file says on its image, outlined and measured as what a detector finds.

    Parameters
    ----------
    annotation
        Labels or outlines; where it has none, points and boxes.
    image
        What they were drawn on.
    resample
        Whether labels on other samples than the image's are sampled anew, or refused.
    made
        How it came about; by default as the file says.

    Raises
    ------
    GeometryError
        If the labels' samples are not those of the image, or a label lies outside it.
    InputError
        If the file holds nothing, or was drawn in another frame of reference.
    """
    drawn = drawing_of(annotation, image, resample=resample, made=made)
    output, kind = _held(drawn, image)
    return Delineation(
        image=image,
        detector=DetectorIdentity(
            id=REFERENCE,
            title=f"Reference ({annotation.format})",
            version="1",
            task="detection" if kind == "instances" else "segmentation",
            gives=kind,
            intended_use="Drawn outside of this service; to compare with.",
        ),
        output=output,
        findings=findings(Detection(output), image),
        provenance=Provenance(
            image_hash=image.content_hash,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=0.0,
            options={"format": annotation.format, "made": drawn.made},
            device="",
            weights=(),
            versions={"delineate": __version__},
        ),
        notes=tuple(
            dict.fromkeys((*image.notes, *annotation.notes, *drawn.notes, *_left_out(drawn, kind)))
        ),
    )


def _held(drawn: Drawing, image: Image) -> tuple[LabelMap | Masks | Instances, OutputKind]:
    """Areas where there are some, else the things one by one."""
    if not any(layer.present() for layer in drawn.layers) and drawn.marks:
        return instances(drawn.marks, image.grid), "instances"
    areas = _together(drawn.layers)
    return areas, "labelmap" if isinstance(areas, LabelMap) else "masks"


def _left_out(drawn: Drawing, kind: OutputKind) -> tuple[str, ...]:
    """That the file has things besides its areas."""
    if kind == "instances" or not drawn.marks:
        return ()
    return (
        f"{len(drawn.marks)} points and boxes of the file were left out, for it holds areas; give "
        "them in a file of their own, or take each outline for a thing",
    )


def _together(layers: tuple[LabelMap, ...]) -> LabelMap | Masks:
    """One label map where nothing overlaps, else a mask a structure."""
    if len(layers) == 1:
        return layers[0]
    placed = [
        (layer, label, category) for layer in layers for label, category in layer.categories.items()
    ]
    masks = np.stack([layer.array == label for layer, label, _ in placed])
    return Masks(masks, layers[0].grid, tuple(category for _, _, category in placed))
