"""The organ model as a model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delineate.segmentation.intensity import window
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import UNWRITTEN, write_model
from delineate.segmentation.structures import ORGANS, Structure

if TYPE_CHECKING:
    from torch import nn

    from delineate.segmentation.train import Plan

__all__ = ["INTENDED_USE", "WINDOWS", "publish"]

INTENDED_USE = "Research and software development. Not a medical device, not for diagnosis."

WINDOWS = (window(-1000.0, 800.0), window(-150.0, 250.0))
"""Steps of each channel of the organ network, of the same HU."""


def publish(
    network: nn.Module,
    plan: Plan,
    folder: Path,
    training: Mapping[str, Any],
    *,
    name: str = "organs-ct",
    version: str = "1",
    structures: Sequence[Structure] = ORGANS,
    metrics: Mapping[str, Any] | None = None,
) -> Model:
    """Write a network that was trained on the trunk as a model folder; replaces what was there."""
    spacing = plan.recipe.spacing_mm
    model = Model(
        folder=folder,
        name=name,
        version=version,
        title="Organs and bones on CT of the trunk",
        licence="Apache-2.0",
        intended_use=INTENDED_USE,
        modality="CT",
        network=plan.network,
        arguments=plan.arguments,
        weights=UNWRITTEN,
        sampling=Sampling(
            orientation="SPL", spacing_mm=(spacing, spacing, spacing), method="average"
        ),
        tiles=Tiles(shape=plan.recipe.patch, overlap=0.5, placement="flush"),
        inputs=tuple((0, steps) for steps in WINDOWS),
        structures=tuple(structures),
        training=training,
        metrics=metrics or {},
    )
    return write_model(model, [network.state_dict()])
