"""Segmentation with neural networks: `organs.ct`, and a detector for each installed model.

Cheap to import: torch and MONAI are loaded when a detector is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from delineate.plugins import DetectorSpec, Wants, Weights
from delineate.segmentation.model import Model
from delineate.segmentation.options import ModelOptions, OrganOptions
from delineate.segmentation.structures import ORGANS

__all__ = ["detector_of", "installed_detectors", "organs_ct"]

_SHIPPED = json.loads(
    (Path(__file__).parent / "models" / "organs_ct" / "model.json").read_text(encoding="utf-8")
)

organs_ct = DetectorSpec(
    id="organs.ct",
    title="Organs and bones on CT of the trunk",
    factory="delineate.segmentation.organs:OrganDetector",
    version=_SHIPPED["version"],
    wants=Wants(modalities=("CT",), unit="mm", dimensions=3, channels=0),
    gives="labelmap",
    categories=tuple(each.category for each in ORGANS if not each.auxiliary),
    options=OrganOptions,
    weights=(
        Weights(
            name="organs_ct/weights.safetensors",
            sha256=_SHIPPED["weights"][0]["sha256"],
            licence=_SHIPPED["licence"],
        ),
    ),
    memory_mb=1500,
    intended_use=_SHIPPED["intended_use"],
)


def installed_detectors() -> Iterator[DetectorSpec]:
    """A detector for each model folder that was added; one that is broken is left out.

    ``delineate models list`` says what is broken.
    """
    from delineate.segmentation.store import installed_models

    for each in installed_models():
        if each.model is not None and not each.shipped:
            yield detector_of(each.model, each.name)


def detector_of(model: Model, name: str) -> DetectorSpec:
    """The detector that a model folder makes.

    Parameters
    ----------
    model
        What the folder declares.
    name
        The detector's id is ``models.NAME``.
    """
    channels = max(channel for channel, _ in model.inputs) + 1
    return DetectorSpec(
        id=f"models.{name}",
        title=model.title or model.name,
        factory="delineate.segmentation.detector:ModelDetector",
        arguments={"folder": str(model.folder)},
        version=model.version,
        wants=Wants(
            modalities=(model.modality,) if model.modality else (),
            unit="mm" if model.sampling.orientation else None,
            channels=0 if channels == 1 else channels,
        ),
        gives="labelmap",
        categories=tuple(each.category for each in model.structures if not each.auxiliary),
        options=ModelOptions,
        weights=tuple(
            Weights(name=f"{name}/{file.name}", sha256=file.sha256, licence=model.licence)
            for file in model.weights
        ),
        memory_mb=2000,
        intended_use=model.intended_use,
    )
