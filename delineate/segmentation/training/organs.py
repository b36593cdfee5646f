"""The organ model: learned from generated bodies, and from labelled CTs where there are some."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from delineate.phantom import STRUCTURES
from delineate.segmentation.intensity import applied, window
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import UNWRITTEN, write_model
from delineate.segmentation.structures import ORGANS, Structure
from delineate.segmentation.training.organ_cases import labelled_cases, phantom_pool
from delineate.segmentation.training.organ_patches import Case, Recipe, draw_patch
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.training.trainer import Example, fresh_network, train

if TYPE_CHECKING:
    from torch import nn

__all__ = ["INTENDED_USE", "OrganPatches", "Plan", "publish", "train_organs", "unet_arguments"]

INTENDED_USE = "Research and software development. Not a medical device, not for diagnosis."

WINDOWS = (window(-1000.0, 800.0), window(-150.0, 250.0))
"""Steps of each channel of the network, of the same HU."""


def unet_arguments(channels: Sequence[int] = (24, 48, 96, 192)) -> dict[str, Any]:
    """Arguments of the shipped U-Net, or of one of another width."""
    return {
        "spatial_dims": 3,
        "in_channels": len(WINDOWS),
        "out_channels": len(STRUCTURES),
        "channels": list(channels),
        "strides": [2] * (len(channels) - 1),
        "num_res_units": 1,
        "norm": "instance",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides a run.

    Parameters
    ----------
    schedule, recipe
        See there.
    real_after, real_share
        From which step on, and how often, a labelled CT is drawn instead of a phantom.
    network, arguments
        See `networks.build_network`.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(steps=12_000))
    real_after: int = 0
    real_share: float = 0.25
    recipe: Recipe = field(default_factory=Recipe)
    network: str = "UNet"
    arguments: dict[str, Any] = field(default_factory=unet_arguments)


class OrganPatches:
    """Patches by number; the same number and seed always give the same patch.

    Parameters
    ----------
    phantoms, real
        What to learn from; either may be empty, not both.
    plan
        What is drawn, and how.
    """

    def __init__(self, phantoms: Sequence[Case], real: Sequence[Case], plan: Plan) -> None:
        if not phantoms and not real:
            raise ValueError("expected at least one phantom or labelled case, got none")
        self._phantoms, self._real = (phantoms, real) if phantoms else (real, ())
        self._plan = plan

    def __call__(self, number: int) -> Example:
        """Draw one."""
        import torch

        plan = self._plan
        rng = np.random.default_rng([plan.schedule.seed, number])
        share = plan.real_share if number // plan.schedule.batch >= plan.real_after else 0.0
        pool = self._real if self._real and rng.random() < share else self._phantoms
        patch = draw_patch(pool[int(rng.integers(len(pool)))], plan.recipe, rng)
        hu = patch.hu.numpy()
        inputs = torch.from_numpy(np.stack([applied(steps, hu) for steps in WINDOWS]))
        return inputs, patch.labels, patch.known


def train_organs(
    out: Path,
    plan: Plan,
    *,
    pool: Path,
    phantoms: int,
    data: Path | None,
    workers: int = 1,
) -> Model:
    """Paint or load the phantoms, read the labelled CTs, train and write the model folder."""
    from rich.progress import Progress

    with Progress() as bar:
        painting = bar.add_task("phantoms", total=phantoms)
        bodies = phantom_pool(pool, phantoms, progress=lambda _: bar.advance(painting))
        real = labelled_cases(data) if data is not None else []
        learning = bar.add_task("steps", total=plan.schedule.steps)
        network = train(
            fresh_network(plan.network, plan.arguments, plan.schedule.seed),
            OrganPatches(bodies, real, plan),
            plan.schedule,
            out,
            workers=workers,
            report=lambda step, loss: bar.update(
                learning, completed=step, description=f"loss {loss:.3f}"
            ),
        )
    summary = {
        "steps": plan.schedule.steps,
        "phantoms": phantoms,
        "labelled_cts": [case.name for case in real],
        "plan": json.loads(json.dumps(asdict(plan))),
    }
    return publish(network, plan, out / "model", summary)


def publish(
    network: nn.Module,
    plan: Plan,
    folder: Path,
    training: Mapping[str, Any],
    *,
    structures: Sequence[Structure] = ORGANS,
) -> Model:
    """Write a network that was trained on the trunk as a model folder; replaces what was there."""
    spacing = plan.recipe.spacing_mm
    model = Model(
        folder=folder,
        name="organs-ct",
        title="Organs and bones on CT of the trunk",
        licence="Apache-2.0",
        intended_use=INTENDED_USE,
        modality="CT",
        network=plan.network,
        arguments=plan.arguments,
        weights=UNWRITTEN,
        sampling=Sampling(orientation="SPL", spacing_mm=(spacing, spacing, spacing)),
        tiles=Tiles(shape=plan.recipe.patch, placement="flush"),
        inputs=tuple((0, steps) for steps in WINDOWS),
        structures=tuple(structures),
        training=training,
    )
    return write_model(model, [network.state_dict()])
