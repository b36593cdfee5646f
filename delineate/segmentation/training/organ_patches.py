"""Training patches: a case seen through a random deformation, scanner and field of view.

Left and right are never mirrored: the network has to know the sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from delineate.phantom import STRUCTURE_OF_TISSUE, STRUCTURES, Tissue, draw_attenuation, draw_phase
from delineate.segmentation.training.deform import (
    bent,
    bounds,
    offsets,
    rotation,
    sampled,
    smoothed,
)
from delineate.segmentation.training.organ_cases import IGNORED, LabelledCase, PhantomCase

Case = PhantomCase | LabelledCase


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

    patch: tuple[int, int, int] = (48, 48, 56)
    spacing_mm: float = 6.0
    scale_sd: float = 0.11
    rotation_sd_deg: float = 9.0
    elastic_mm: tuple[float, float] = (13.0, 5.0)
    slab_share: float = 0.38
    field_share: float = 0.22


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One patch: HU float32 and labels int64, both (slice, row, column), and what is known."""

    hu: torch.Tensor
    labels: torch.Tensor
    known: torch.Tensor


def draw_patch(case: Case, recipe: Recipe, rng: np.random.Generator) -> Patch:
    """Draw one patch of a case."""
    points = _points(case, recipe, rng)
    low, high = bounds(points, case.grid.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    if isinstance(case, PhantomCase):
        tissue = case.tissue[box]
        hu = _scan_tissue(tissue, case, box, rng)
        labels = STRUCTURE_OF_TISSUE[tissue]
        labels[tissue == Tissue.KIDNEY_CYST] = IGNORED
        known = np.ones(len(STRUCTURES), bool)
        beyond = 0
    else:
        hu = torch.from_numpy(case.hu[box].astype(np.float32))
        labels = case.labels[box]
        hu = _reenhanced(hu, labels, rng)
        known = case.known
        beyond = IGNORED
    hu = _blurred(hu, case.grid.spacing, rng)
    local = points - torch.tensor(low, dtype=torch.float32)
    seen = sampled(hu[None], local, "bilinear")[0]
    picked = sampled(torch.from_numpy(labels.astype(np.float32))[None], local, "nearest")[0].long()
    outside = ((points < -0.5) | (points > torch.tensor(case.grid.shape) - 0.5)).any(-1)
    picked[outside] = beyond
    seen, picked = _limited(seen, picked, recipe, rng)
    return Patch(_dosed(seen, rng), picked, torch.from_numpy(known.copy()))


def _points(case: Case, recipe: Recipe, rng: np.random.Generator) -> torch.Tensor:
    """Where the samples of a patch lie, in indices of the case, shape (*patch, 3)."""
    grid = case.grid
    spacing = np.asarray(grid.spacing)
    centre = _centre(case, recipe, rng)
    turn = rotation(rng.normal(0, np.deg2rad(recipe.rotation_sd_deg), 3))
    scale = np.exp(rng.normal(0, recipe.scale_sd, 3) + rng.normal(0, 0.6 * recipe.scale_sd))
    matrix = turn @ np.diag(scale)
    moved = offsets(recipe.patch, [recipe.spacing_mm] * 3) @ torch.from_numpy(
        matrix.T.astype(np.float32)
    )
    for knots, amplitude in zip((4, 8), recipe.elastic_mm, strict=True):
        coarse = rng.normal(0, amplitude, (1, 3, knots, knots, knots)).astype(np.float32)
        moved += bent(recipe.patch, coarse)
    return moved / torch.from_numpy(spacing.astype(np.float32)) + torch.from_numpy(
        centre.astype(np.float32)
    )


def _centre(case: Case, recipe: Recipe, rng: np.random.Generator) -> NDArray[np.float64]:
    """Index the patch is centred on: mostly in the trunk, often on a structure drawn first."""
    shape = np.asarray(case.grid.shape)
    if isinstance(case, LabelledCase):
        return np.asarray((shape - 1) * rng.uniform(0.2, 0.8, 3))
    low, high = case.grid.affine[2, 3], case.grid.affine[2, 3] + shape[0] * case.grid.spacing[0]
    z = (
        rng.uniform(max(low, -400), min(high, 230))
        if rng.random() < 0.82
        else rng.uniform(low, high)
    )
    x, y = rng.uniform(-75, 75), rng.uniform(-50, 50)
    return case.grid.to_index([x, y, z])


def _scan_tissue(
    tissue: NDArray[np.uint8],
    case: PhantomCase,
    box: tuple[slice, ...],
    rng: np.random.Generator,
) -> torch.Tensor:
    table = draw_attenuation(rng, draw_phase(rng), case.osteopenia)
    table[Tissue.AIR] = rng.uniform(-1024, -985)
    hu = torch.from_numpy(table[tissue])
    if rng.random() < 0.7:
        _lay_on_table(hu, tissue, case, box, rng)
    uneven = np.exp(rng.uniform(np.log(2), np.log(14)))
    noise = torch.from_numpy(rng.standard_normal(tissue.shape, dtype=np.float32))
    return hu + noise * float(uneven)


def _lay_on_table(
    hu: torch.Tensor,
    tissue: NDArray[np.uint8],
    case: PhantomCase,
    box: tuple[slice, ...],
    rng: np.random.Generator,
) -> None:
    """Draw one to three curved plates into the air below the back."""
    step_y, step_x = case.grid.spacing[1:]
    filled = np.flatnonzero((tissue != Tissue.AIR).any(axis=(0, 2)))
    back = float(filled[-1]) * step_y if filled.size else 0.5 * tissue.shape[1] * step_y
    y = np.arange(tissue.shape[1]) * step_y
    x = (np.arange(box[2].start, box[2].stop) - case.grid.shape[2] / 2) * step_x
    below = back + rng.uniform(-12, 12)
    curve = rng.uniform(0, 0.0022)
    for _ in range(int(rng.integers(1, 4))):
        surface = below - curve * x**2
        thick = rng.uniform(2.5, 9)
        plate = (np.abs(y[:, None] - surface) < thick) & (np.abs(x) < rng.uniform(150, 280))
        where = torch.from_numpy(plate & (tissue == Tissue.AIR))
        hu[where] = float(rng.uniform(-850, 60))
        below += rng.uniform(12, 90)
        curve *= rng.uniform(0.3, 1.3)


def _reenhanced(
    hu: torch.Tensor, labels: NDArray[np.uint8], rng: np.random.Generator
) -> torch.Tensor:
    """Shift the HU of each structure of a real CT, as if scanned at another phase."""
    if rng.random() < 0.4:
        return hu
    shift = rng.normal(0, 22, 256).astype(np.float32)
    shift[[0, IGNORED]] = 0
    shift[[STRUCTURES.index("lung_left"), STRUCTURES.index("lung_right")]] *= 2
    moved = torch.from_numpy(shift[labels])
    return torch.where((hu > -300) | (moved.abs() > 30), hu + moved, hu)


def _blurred(
    hu: torch.Tensor, spacing: tuple[float, float, float], rng: np.random.Generator
) -> torch.Tensor:
    """Blur along each axis: kernel sharpness in the plane, slice thickness across it."""
    plane = rng.uniform(0.8, 3.2)
    across = rng.uniform(0.8, 3.6)
    for axis, sigma in enumerate((across, plane, plane)):
        sd = sigma / spacing[axis]
        taps = np.exp(-0.5 * (np.arange(-2, 3) / sd) ** 2)
        taps /= taps.sum()
        if taps[2] > 0.98:
            continue
        hu = smoothed(hu, taps, axis)
    return hu


def _limited(
    hu: torch.Tensor, labels: torch.Tensor, recipe: Recipe, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hide what a short scan or a small field of view would not show."""
    depth = hu.shape[0]
    if rng.random() < recipe.slab_share:
        seen = int(np.clip(round(float(np.exp(rng.uniform(np.log(1.5), np.log(depth))))), 1, depth))
        first = int(rng.integers(0, depth - seen + 1))
        if rng.random() < 0.7:
            index = torch.arange(depth).clamp(first, first + seen - 1)
            hu = hu.index_select(0, index)
            hidden = torch.ones(depth, dtype=torch.bool)
            hidden[first : first + seen] = False
            labels = labels.index_select(0, index)
            if rng.random() < 0.5:
                labels[hidden] = IGNORED
        else:
            kept = torch.zeros(depth, dtype=torch.bool)
            kept[first : first + seen] = True
            hu, labels = hu.clone(), labels.clone()
            hu[~kept] = -1000.0
            labels[~kept] = 0
    if rng.random() < recipe.field_share:
        radius = float(rng.uniform(0.28, 0.5)) * hu.shape[2]
        middle = [n / 2 + float(rng.uniform(-5, 5)) for n in hu.shape[1:]]
        rows = (torch.arange(hu.shape[1]) - middle[0])[:, None]
        columns = (torch.arange(hu.shape[2]) - middle[1])[None]
        if rng.random() < 0.4:
            return _framed(hu, labels, rng)
        if rng.random() < 0.5:
            outside = rows.square() + columns.square() > radius**2
        else:
            outside = (rows.abs() > 0.85 * radius) | (columns.abs() > radius)
        hu, labels = hu.clone(), labels.clone()
        hu[:, outside] = -1000.0
        labels[:, outside] = 0
    return hu, labels


def _framed(
    hu: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Repeat the border of a small rectangle of the plane, as small scans are padded."""
    hidden = torch.zeros(labels.shape, dtype=torch.bool)
    for axis in (1, 2):
        size = hu.shape[axis]
        seen = int(rng.uniform(0.4, 0.9) * size)
        first = int(rng.integers(0, size - seen + 1))
        index = torch.arange(size).clamp(first, first + seen - 1)
        hu, labels = hu.index_select(axis, index), labels.index_select(axis, index)
        hidden = hidden.index_select(axis, index)
        edge = [slice(None)] * 3
        edge[axis] = slice(0, first)
        hidden[tuple(edge)] = True
        edge[axis] = slice(first + seen, None)
        hidden[tuple(edge)] = True
    if rng.random() < 0.7:
        labels = labels.masked_fill(hidden, IGNORED)
    return hu, labels


def _dosed(hu: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Calibration error, noise and slow shading."""
    noise = float(np.exp(rng.uniform(np.log(1.5), np.log(25))))
    out = hu * float(rng.normal(1, 0.03)) + float(rng.normal(0, 7))
    out += torch.from_numpy(rng.standard_normal(tuple(hu.shape), dtype=np.float32)) * noise
    slow = rng.normal(0, rng.uniform(0, 12), (1, 1, 4, 4, 4)).astype(np.float32)
    shading = F.interpolate(
        torch.from_numpy(slow), size=tuple(hu.shape), mode="trilinear", align_corners=True
    )[0, 0]
    return out + shading * (hu > -500)
