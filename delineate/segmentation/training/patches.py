"""Patches of prepared cases: seen from elsewhere, by another scanner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.segmentation.training.appearance import tinted, varied
from delineate.segmentation.training.deform import bent, bounds, offsets, rotation, sampled
from delineate.segmentation.training.organ_cases import IGNORED
from delineate.segmentation.training.samples import Sample
from delineate.segmentation.training.trainer import Example

__all__ = ["Patches", "Recipe"]

Triple = tuple[int, int, int]

_FLAT = 3.0  # slices so many times as thick as their pixels are not turned out of their plane


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How patches are drawn.

    Parameters
    ----------
    shape
        Samples along slice, row and column; one slice for 2-D networks.
    spacing
        Steps between them, of which the ratios matter.
    classes
        Labels, background included.
    mirror
        Axes along which half of the patches are flipped.
    still_share
        How often a patch is neither turned nor scaled nor bent.
    scale_sd, rotation_sd_deg
        Standard deviations of size along each axis and of the turn about each axis.
    bend_sd
        Those of a coarse (4 knots an axis) and a finer (8) displacement, as shares of the patch.
    labelled_share
        How often a patch is centred on a sample of a label, drawn first (nnU-Net: a third).
    off_centre
        How far such a sample may lie from the centre along each axis, as a share of the patch.
    colours
        Whether the channels are colours of one light, which may change.
    """

    shape: Triple
    spacing: tuple[float, float, float]
    classes: int
    mirror: tuple[int, ...] = ()
    still_share: float = 0.3
    scale_sd: float = 0.12
    rotation_sd_deg: float = 12.0
    bend_sd: tuple[float, float] = (0.025, 0.008)
    labelled_share: float = 1 / 3
    off_centre: float = 0.0
    colours: bool = False

    @classmethod
    def of_picture(
        cls,
        shape: Triple,
        spacing: tuple[float, float, float],
        classes: int,
        mirror: tuple[int, ...],
    ) -> Recipe:
        """For photographs: small things seen from nearer or farther, anywhere, in any light."""
        return cls(
            shape=shape,
            spacing=spacing,
            classes=classes,
            mirror=mirror,
            scale_sd=0.2,
            labelled_share=0.5,
            off_centre=0.35,
            colours=True,
        )


class Patches:
    """Patches by number; the same number and seed always give the same patch.

    Parameters
    ----------
    samples
        What to draw from.
    recipe
        How.
    seed
        Of the run.
    """

    def __init__(self, samples: Sequence[Sample], recipe: Recipe, seed: int) -> None:
        if not samples:
            raise ValueError("expected at least one case to learn from, got none")
        self._samples, self._recipe, self._seed = tuple(samples), recipe, seed

    def __call__(self, number: int) -> Example:
        """Draw one."""
        rng = np.random.default_rng([self._seed, number])
        sample = self._samples[int(rng.integers(len(self._samples)))]
        values, labels = sample.inputs, sample.labels
        points = self._points(labels.shape, _centre(sample, self._recipe, rng), rng)
        low, high = bounds(points, labels.shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        local = points - torch.tensor(low, dtype=torch.float32)
        part = torch.from_numpy(values[(slice(None), *box)].astype(np.float32))
        drawn = torch.from_numpy(labels[box].astype(np.float32))
        picked = sampled(drawn[None], local, "nearest")[0].long()
        outside = ((points < -0.5) | (points > torch.tensor(labels.shape) - 0.5)).any(-1)
        picked[outside] = IGNORED
        known = torch.ones(self._recipe.classes, dtype=torch.bool)
        seen = sampled(part, local, "bilinear")
        if self._recipe.colours:
            seen = tinted(seen, rng)
        return varied(seen, rng), picked, known

    def _points(
        self, shape: Sequence[int], centre: NDArray[np.float64], rng: np.random.Generator
    ) -> torch.Tensor:
        """Indices of the patch's samples in its case, ``(slice, row, column, 3)``."""
        recipe = self._recipe
        spacing = np.asarray(recipe.spacing)
        matrix = np.eye(3)
        still = rng.random() < recipe.still_share
        free = np.array([size > 1 for size in recipe.shape])
        if not still:
            angles = rng.normal(0, np.deg2rad(recipe.rotation_sd_deg), 3)
            if not free[0] or spacing[0] > _FLAT * spacing[1:].min():
                angles[1:] = 0
            scale = np.exp(rng.normal(0, recipe.scale_sd, 3) + rng.normal(0, recipe.scale_sd / 2))
            matrix = rotation(angles) @ np.diag(np.where(free, scale, 1.0))
        flips = [-1.0 if axis in recipe.mirror and rng.random() < 0.5 else 1.0 for axis in range(3)]
        matrix = matrix @ np.diag(flips)
        moved = offsets(recipe.shape, recipe.spacing) @ torch.from_numpy(
            matrix.T.astype(np.float32)
        )
        if not still:
            extent = np.asarray(recipe.shape) * spacing * free
            for knots, share in zip((4, 8), recipe.bend_sd, strict=True):
                sizes = [knots if each else 1 for each in free]
                coarse = rng.normal(0, share, (1, 3, *sizes)) * extent[None, :, None, None, None]
                moved += bent(recipe.shape, coarse.astype(np.float32))
        return moved / torch.from_numpy(spacing.astype(np.float32)) + torch.from_numpy(
            centre.astype(np.float32)
        )


def _centre(sample: Sample, recipe: Recipe, rng: np.random.Generator) -> NDArray[np.float64]:
    """Index that a patch is centred on; patches with an even number of samples between two."""
    shape, patch = np.asarray(sample.labels.shape), np.asarray(recipe.shape)
    places = sample.places
    if len(places) and rng.random() < recipe.labelled_share:
        present = np.unique(places[:, 0])
        label = present[int(rng.integers(len(present)))]
        there = places[places[:, 0] == label, 1:]
        centre = there[int(rng.integers(len(there)))] + (patch % 2 - 1) / 2
        if recipe.off_centre:
            reach = recipe.off_centre * np.where(patch > 1, patch, 0)
            centre = centre + rng.uniform(-reach, reach).round()
        return np.asarray(centre)
    room = np.maximum(shape - patch, 0)
    first = np.array([int(rng.integers(each + 1)) for each in room])
    first = np.where(shape >= patch, first, (shape - patch) // 2)
    return first + (patch - 1) / 2
