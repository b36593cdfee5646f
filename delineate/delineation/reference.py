"""A reference: what somebody drew, as a result on its image that others are compared with."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from delineate import __version__
from delineate.delineation.findings import findings
from delineate.delineation.result import Delineation, DetectorIdentity, Provenance
from delineate.errors import InputError
from delineate.formats.annotations import Annotation
from delineate.formats.conversion import drawing_of
from delineate.formats.derived import Made
from delineate.imaging import Image, LabelMap
from delineate.plugins import Detection, Masks, OutputKind

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
        Labels or outlines.
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
        If the file holds no labels and no outlines, or was drawn in another frame of reference.
    """
    drawn = drawing_of(annotation, image, resample=resample, made=made)
    if not drawn.layers:
        raise InputError(
            f"expected labels or outlines to compare with, got points and boxes alone "
            f"({annotation.format})"
        )
    output = _together(drawn.layers)
    kind: OutputKind = "labelmap" if isinstance(output, LabelMap) else "masks"
    return Delineation(
        image=image,
        detector=DetectorIdentity(
            id=REFERENCE,
            title=f"Reference ({annotation.format})",
            version="1",
            task="segmentation",
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
        notes=tuple(dict.fromkeys((*image.notes, *annotation.notes, *drawn.notes))),
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
