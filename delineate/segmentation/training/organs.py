"""The organ model: learned from generated bodies, and from labelled CTs where there are some."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from delineate.phantom import STRUCTURES
from delineate.segmentation.intensity import window
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import UNWRITTEN, write_model
from delineate.segmentation.structures import ORGANS, Structure
from delineate.segmentation.training.organ_patches import Case, Recipe, draw_patch

if TYPE_CHECKING:
    import torch

__all__ = [
    "INTENDED_USE",
    "OrganPatches",
    "Plan",
    "Stage",
    "publish",
    "unet_arguments",
    "windowed",
]

INTENDED_USE = "Research and software development. Not a medical device, not for diagnosis."

ENDS = ((-1000.0, 800.0), (-150.0, 250.0))
"""Lowest and highest HU of each channel of the network, of the same samples."""

WINDOWS = tuple(window(low, high) for low, high in ENDS)


def windowed(hu: torch.Tensor) -> torch.Tensor:
    """Inputs of the network ``(channel, *hu.shape)``, as `WINDOWS` make them."""
    import torch

    return torch.stack(
        [(hu.clamp(low, high) - (low + high) / 2) / ((high - low) / 2) for low, high in ENDS]
    )


def unet_arguments(features: Sequence[int] = (16, 40, 72, 104, 128)) -> dict[str, Any]:
    """Arguments of the shipped U-Net, or of one of another width."""
    stages = len(features)
    return {
        "dimensions": 3,
        "input_channels": len(ENDS),
        "num_classes": len(STRUCTURES),
        "features_per_stage": list(features),
        "kernel_sizes": [3] * stages,
        "strides": [1] + [2] * (stages - 1),
        "n_conv_per_stage": [1] + [2] * (stages - 1),
        "n_conv_per_stage_decoder": [1] * (stages - 1),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A part of a run, by the clock: the rate falls as a cosine to zero within it.

    Parameters
    ----------
    name
        Of the model folder that it ends with.
    seconds
        Of learning; what was learned before a run was killed counts.
    learning_rate
        At first, after a short rise.
    real_share
        How often a labelled CT is drawn instead of a phantom.
    """

    name: str
    seconds: float
    learning_rate: float
    real_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides a run.

    Parameters
    ----------
    stages, recipe
        See there.
    batch
        Patches a step.
    average
        Decay of the running mean of the weights; the mean is what is kept.
    checkpoint_every_s
        Seconds between checkpoints.
    seed
        With the number of a patch it decides all that is drawn from the cases there are.
    network, arguments
        See `networks.build_network`.
    """

    stages: tuple[Stage, ...]
    recipe: Recipe = field(default_factory=Recipe)
    batch: int = 4
    average: float = 0.9985
    weight_decay: float = 1e-4
    warmup: int = 150
    checkpoint_every_s: float = 30.0
    seed: int = 1
    network: str = "PlainConvUNet"
    arguments: dict[str, Any] = field(default_factory=unet_arguments)

    @classmethod
    def of(
        cls, seconds: float, *, with_real: bool, on_a_card: bool, batch: int | None = None
    ) -> Plan:
        """Phantoms alone for three fifths of the time, then labelled CTs too, if there are any.

        A processor learns at 6 mm, where a step takes a fifth of the time.
        """
        recipe = Recipe() if on_a_card else Recipe(patch=(48, 48, 64), spacing_mm=6.0)
        first = Stage(name="model-phantoms", seconds=0.6 * seconds, learning_rate=2e-3)
        last = Stage(name="model", seconds=0.4 * seconds, learning_rate=1e-3, real_share=0.3)
        alone = Stage(name="model", seconds=seconds, learning_rate=2e-3)
        return cls(
            stages=(first, last) if with_real else (alone,),
            recipe=recipe,
            batch=batch or (6 if on_a_card else 2),
        )


class OrganPatches:
    """Patches by number; the same number, seed and cases always give the same patch.

    Parameters
    ----------
    phantoms, real
        What to learn from; either may be empty, not both. ``phantoms`` may grow.
    plan
        What is drawn, and how.
    """

    def __init__(self, phantoms: Sequence[Case], real: Sequence[Case], plan: Plan) -> None:
        if not phantoms and not real:
            raise ValueError("expected at least one phantom or labelled case, got none")
        self._phantoms, self._real, self._plan = phantoms, real, plan

    def draw(
        self, number: int, real_share: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs ``(channel, slice, row, column)``, labels, and what is known of the case."""
        rng = np.random.default_rng([self._plan.seed, number])
        real = bool(self._real) and (rng.random() < real_share or not self._phantoms)
        pool = self._real if real else self._phantoms
        patch = draw_patch(pool[int(rng.integers(len(pool)))], self._plan.recipe, rng)
        return windowed(patch.hu), patch.labels, patch.known

    def batch(
        self, first: int, real_share: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """A batch of patches from a number on."""
        import torch

        drawn = [self.draw(first + each, real_share) for each in range(self._plan.batch)]
        inputs, labels, known = (torch.stack(parts) for parts in zip(*drawn, strict=True))
        return inputs, labels, known


def publish(
    state: Mapping[str, torch.Tensor],
    plan: Plan,
    folder: Path,
    training: Mapping[str, Any],
    *,
    structures: Sequence[Structure] = ORGANS,
) -> Model:
    """Write a network that was trained on the trunk as a model folder; replaces what was there.

    Parameters
    ----------
    state
        Its weights; they are stored in half precision, and computed with in single precision.
    plan, training
        How they came about.
    folder
        Of the model.
    structures
        In label order.
    """
    spacing = plan.recipe.spacing_mm
    model = Model(
        folder=folder,
        name="organs-ct",
        version="3",
        title="Organs and bones on CT of the trunk",
        licence="Apache-2.0",
        intended_use=INTENDED_USE,
        modality="CT",
        network=plan.network,
        arguments=plan.arguments,
        weights=UNWRITTEN,
        sampling=Sampling(orientation="SPL", spacing_mm=(spacing, spacing, spacing)),
        tiles=Tiles(shape=plan.recipe.patch, overlap=0.35, placement="even"),
        inputs=tuple((0, steps) for steps in WINDOWS),
        structures=tuple(structures),
        training={**training, "plan": json.loads(json.dumps(asdict(plan)))},
    )
    return write_model(model, [{name: value.half() for name, value in state.items()}])
