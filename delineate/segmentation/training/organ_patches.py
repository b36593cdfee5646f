"""Training patches: a case seen through a random deformation, scanner and field of view.

All that touches samples is done on the device where the case lies. Left and right are never
mirrored: the network has to know the sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.phantom import STRUCTURE_OF_TISSUE, STRUCTURES, Tissue
from delineate.segmentation.training.deform import bent, offsets, rotation, sampled, smoothed
from delineate.segmentation.training.organ_cases import IGNORED, LabelledCase, PhantomCase
from delineate.segmentation.training.organ_scanner import dosed, limited, reenhanced, scanned

_KNEES_MM = -600.0
_TRUNK_MM = -400.0, 230.0

Case = PhantomCase | LabelledCase
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How strongly patches differ from their cases.

    Parameters
    ----------
    patch
        Samples along slice, row and column.
    spacing_mm
        Distance between the samples of a patch.
    scale_sd, rotation_sd_deg
        Standard deviations of size along each axis and of the turn about each axis.
    elastic_mm
        Standard deviations of a coarse (4 knots an axis) and a finer (8) displacement.
    slab_share, field_share
        How often only some slices, or only a part of the plane, are seen.
    """

    patch: tuple[int, int, int] = (64, 80, 96)
    spacing_mm: float = 4.0
    scale_sd: float = 0.1
    rotation_sd_deg: float = 8.0
    elastic_mm: tuple[float, float] = (12.0, 5.0)
    slab_share: float = 0.45
    field_share: float = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One patch: HU float32 and labels int64, both (slice, row, column), and what is known.

    ``known`` lies on the CPU, where the loss looks at it.
    """

    hu: torch.Tensor
    labels: torch.Tensor
    known: torch.Tensor


def draw_patch(case: Case, recipe: Recipe, rng: np.random.Generator) -> Patch:
    """Draw one patch of a case, on the device of the case."""
    device = case.tissue.device if isinstance(case, PhantomCase) else case.hu.device
    chance = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
    points, box = _points(case, recipe, rng, device)
    if isinstance(case, PhantomCase):
        tissue = case.tissue[box]
        hu = scanned(tissue, case, box, rng, chance)
        labels = _structures(device)[tissue.int()]
        known = torch.ones(len(STRUCTURES), dtype=torch.bool)
    else:
        labels = case.labels[box]
        hu = reenhanced(case.hu[box].float(), labels, rng, chance)
        known = torch.from_numpy(case.known.copy())
    hu = _blurred(hu, case.grid.spacing, rng)
    low = torch.tensor([float(part.start) for part in box]).to(device)
    seen = sampled(hu[None], points - low, "bilinear")[0]
    picked = sampled(labels.float()[None], points - low, "nearest")[0].long()
    shape = torch.tensor(case.grid.shape).to(device)
    outside = (points < -0.5) | (points > shape - 0.5)
    if isinstance(case, PhantomCase):  # air lies beside a body, more of it above and below
        outside = outside[..., :1]
    picked = picked.masked_fill(outside.any(-1), IGNORED)
    seen, picked = limited(seen, picked, recipe.slab_share, recipe.field_share, rng)
    return Patch(dosed(seen, rng, chance), picked, known)


@cache
def _structures(device: torch.device) -> torch.Tensor:
    """Label of each tissue, on a device."""
    table = STRUCTURE_OF_TISSUE.copy()
    table[Tissue.KIDNEY_CYST] = IGNORED
    return torch.from_numpy(table).to(device)


@cache
def _straight(patch: tuple[int, int, int], spacing_mm: float, device: torch.device) -> torch.Tensor:
    """Where the samples of a patch lie in itself, mm from its middle, ``(*patch, 3)``."""
    return offsets(patch, [spacing_mm] * 3).to(device)


def _points(
    case: Case, recipe: Recipe, rng: np.random.Generator, device: torch.device
) -> tuple[torch.Tensor, Box]:
    """Where the samples of a patch lie, in indices of the case, and the part they depend on."""
    spacing = np.asarray(case.grid.spacing)
    centre = _centre(case, recipe, rng)
    turn = rotation(rng.normal(0, np.deg2rad(recipe.rotation_sd_deg), 3))
    scale = np.exp(rng.normal(0, recipe.scale_sd, 3) + rng.normal(0, 0.6 * recipe.scale_sd))
    matrix = turn @ np.diag(scale) / spacing[:, None]
    linear = torch.from_numpy(matrix.T.astype(np.float32)).to(device)
    points = _straight(recipe.patch, recipe.spacing_mm, device) @ linear
    reach = np.abs(matrix) @ (recipe.spacing_mm * np.array(recipe.patch) / 2)
    for knots, amplitude in zip((4, 8), recipe.elastic_mm, strict=True):
        coarse = rng.normal(0, amplitude, (1, 3, knots, knots, knots))
        coarse /= spacing[:, None, None, None]
        reach += np.abs(coarse).max(axis=(0, 2, 3, 4))
        points += bent(recipe.patch, coarse.astype(np.float32), device)
    points += torch.from_numpy(centre.astype(np.float32)).to(device)
    shape = np.array(case.grid.shape)
    low = np.clip(np.floor(centre - reach).astype(int) - 2, 0, np.maximum(shape - 2, 0))
    high = np.clip(np.ceil(centre + reach).astype(int) + 3, np.minimum(low + 2, shape), shape)
    ends = [slice(int(a), int(b)) for a, b in zip(low, high, strict=True)]
    return points, (ends[0], ends[1], ends[2])


def _centre(case: Case, recipe: Recipe, rng: np.random.Generator) -> NDArray[np.float64]:
    """Index the patch is centred on: mostly in the trunk, where there is one."""
    shape = np.asarray(case.grid.shape)
    if isinstance(case, LabelledCase):
        return np.asarray((shape - 1) * rng.uniform(0.2, 0.8, 3))
    low, high = case.grid.affine[2, 3], case.grid.affine[2, 3] + shape[0] * case.grid.spacing[0]
    if low < _TRUNK_MM[0] and rng.random() < (0.9 if low > _KNEES_MM else 0.5):
        low, high = max(low, _TRUNK_MM[0]), min(high, _TRUNK_MM[1])
    z = rng.uniform(low, high)
    wide = 40 if rng.random() < 0.7 else 110
    x, y = rng.uniform(-wide, wide), rng.uniform(-0.6 * wide, 0.6 * wide)
    return case.grid.to_index([x, y, z])


def _blurred(
    hu: torch.Tensor, spacing: tuple[float, float, float], rng: np.random.Generator
) -> torch.Tensor:
    """Blur along each axis: kernel sharpness in the plane, slice thickness across it."""
    plane = rng.uniform(0.6, 2.6)
    across = rng.uniform(0.8, 4.0)
    for axis, sigma in enumerate((across, plane, plane)):
        sd = sigma / spacing[axis]
        taps = np.exp(-0.5 * (np.arange(-2, 3) / sd) ** 2)
        taps /= taps.sum()
        if taps[2] > 0.98:
            continue
        hu = smoothed(hu, taps, axis)
    return hu
