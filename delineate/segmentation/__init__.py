"""Learned models: `organs.ct`, and a detector for each model folder that was added.

Cheap to import: torch and MONAI are loaded when a detector is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from delineate.plugins import CountError, DetectorSpec, Options, OutputKind, Task, Wants, Weights
from delineate.segmentation.model import Finds, Model
from delineate.segmentation.options import (
    AnomalyOptions,
    ModelOptions,
    OrganOptions,
    PointOptions,
)
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
            name=f"organs_ct/{_SHIPPED['weights'][0]['file']}",
            sha256=_SHIPPED["weights"][0]["sha256"],
            licence=_SHIPPED["licence"],
        ),
    ),
    memory_mb=2000,
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
    counted = model.settings.get("count_error")
    factory, gives, task, options = _KINDS[model.finds]
    return DetectorSpec(
        id=f"models.{name}",
        title=model.title or model.name,
        factory=factory,
        arguments={"folder": str(model.folder)},
        version=model.version,
        task=task,
        wants=_wants(model, 0 if channels == 1 else channels),
        gives=gives,
        categories=tuple(each.category for each in model.structures if not each.auxiliary),
        options=options,
        count_error=CountError(**counted) if counted else None,
        weights=tuple(
            Weights(name=f"{name}/{file.name}", sha256=file.sha256, licence=model.licence)
            for file in model.weights
        ),
        memory_mb=2000,
        intended_use=model.intended_use,
    )


def _wants(model: Model, channels: int) -> Wants:
    """What its detector wants; labels are sampled, cut and merged by the engine itself."""
    modalities = (model.modality,) if model.modality else ()
    if model.finds == "labels":
        unit: Literal["mm"] | None = "mm" if model.sampling.orientation else None
        return Wants(modalities=modalities, unit=unit, channels=channels)
    tile = model.tiles.shape
    return Wants(
        modalities=modalities,
        dimensions=2 if model.dimensions == 2 else None,
        channels=channels,
        tile=tile,
        overlap=round(model.tiles.overlap * min(tile[1:])),
    )


_KINDS: dict[Finds, tuple[str, OutputKind, Task, type[Options]]] = {
    "labels": (
        "delineate.segmentation.detector:ModelDetector",
        "labelmap",
        "segmentation",
        ModelOptions,
    ),
    "points": (
        "delineate.detectors.counting.detector:PointDetector",
        "instances",
        "counting",
        PointOptions,
    ),
    "anomalies": (
        "delineate.detectors.surface.detector:AnomalyDetector",
        "field",
        "anomaly",
        AnomalyOptions,
    ),
}
