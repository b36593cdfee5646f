"""A scanner for training: HU of tissues, contrast, table, metal, noise and field of view."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from delineate.phantom import STRUCTURES, Tissue, draw_attenuation, draw_phase
from delineate.segmentation.training.organ_cases import IGNORED, PhantomCase

__all__ = ["dosed", "limited", "reenhanced", "scanned"]

_AIR_HU = -1000.0
_UNEVEN_HU: MappingProxyType[Tissue, tuple[float, float]] = MappingProxyType(
    {
        Tissue.AIR: (0, 4),
        Tissue.FAT: (3, 16),
        Tissue.MUSCLE: (4, 20),
        Tissue.GLAND: (10, 40),
        Tissue.SPONGY_BONE: (20, 110),
        Tissue.CORTICAL_BONE: (40, 160),
        Tissue.VERTEBRAL_MARROW: (20, 90),
        Tissue.VERTEBRAL_CORTEX: (30, 120),
        Tissue.RIB: (40, 140),
        Tissue.TOOTH: (100, 500),
        Tissue.LUNG_LEFT: (15, 80),
        Tissue.LUNG_RIGHT: (15, 80),
        Tissue.STOMACH_CONTENT: (3, 40),
        Tissue.BOWEL_CONTENT: (3, 50),
        Tissue.SMALL_BOWEL_CONTENT: (3, 40),
        Tissue.FOOD: (30, 160),
        Tissue.FAECES: (60, 320),
        Tissue.BOWEL_GAS: (0, 60),
    }
)
"""Range of the standard deviation of HU within a tissue; 2 to 9 for the others."""


def scanned(
    tissue: torch.Tensor,
    case: PhantomCase,
    box: tuple[slice, slice, slice],
    rng: np.random.Generator,
    chance: torch.Generator,
) -> torch.Tensor:
    """HU of a part of a body, drawn anew: contrast phase, uneven tissues, table, metal.

    Parameters
    ----------
    tissue
        The part, uint8 ``(slice, row, column)``.
    case, box
        Where it comes from.
    rng, chance
        Decide numbers, and whole volumes on the device.
    """
    table = draw_attenuation(rng, draw_phase(rng), case.osteopenia)
    if rng.random() < 0.4:  # odd patients, tube voltages and agents
        soft = (table > -60) & (table < 330)
        table[soft] += rng.normal(0, float(rng.choice([7, 14, 28])), int(soft.sum()))
    table[Tissue.AIR] = rng.uniform(-1024, -985)
    uneven = rng.uniform(2, 9, len(Tissue)).astype(np.float32)
    for kind, (low, high) in _UNEVEN_HU.items():
        uneven[kind] = rng.uniform(low, high)
    index = tissue.int()
    hu = _on(table, tissue)[index]
    fine = torch.randn(tissue.shape, device=tissue.device, generator=chance)
    coarse = _grown(torch.randn(_third(tissue), device=tissue.device, generator=chance), tissue)
    share = float(rng.uniform(0.2, 1.2))
    hu += (fine + share * coarse) * _on(uneven, tissue)[index]
    if rng.random() < 0.7:
        _lay_on_table(hu, tissue, case, box, rng)
    if rng.random() < 0.06:
        _put_metal(hu, case.grid.spacing, rng)
    return hu


def _on(table: NDArray[np.float32], like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(table.astype(np.float32)).to(like.device)


def _third(like: torch.Tensor) -> tuple[int, ...]:
    return tuple(max(2, size // 3) for size in like.shape)


def _grown(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    size = tuple(like.shape)
    return F.interpolate(values[None, None], size=size, mode="trilinear", align_corners=True)[0, 0]


def _lay_on_table(
    hu: torch.Tensor,
    tissue: torch.Tensor,
    case: PhantomCase,
    box: tuple[slice, slice, slice],
    rng: np.random.Generator,
) -> None:
    """Draw one to three curved plates into the air below the back."""
    step_y, step_x = case.grid.spacing[1:]
    y = case.grid.affine[1, 3] + step_y * np.arange(box[1].start, box[1].stop)
    x = (np.arange(box[2].start, box[2].stop) - case.grid.shape[2] / 2) * step_x
    # Bodies are painted with 55 mm of air behind the back.
    below = case.grid.affine[1, 3] + step_y * case.grid.shape[1] - 55 + rng.uniform(-14, 14)
    curve = rng.uniform(0, 0.0022)
    air = tissue == Tissue.AIR
    for _ in range(int(rng.integers(1, 4))):
        surface = below - curve * x**2
        thick = rng.uniform(2.5, 9)
        plate = (np.abs(y[:, None] - surface) < thick) & (np.abs(x) < rng.uniform(150, 280))
        where = torch.from_numpy(plate).to(hu.device) & air
        hu.masked_fill_(where, float(rng.uniform(-850, 60)))
        below += rng.uniform(12, 90)
        curve *= rng.uniform(0.3, 1.3)


def _put_metal(
    hu: torch.Tensor, spacing_mm: tuple[float, float, float], rng: np.random.Generator
) -> None:
    """Put a piece of metal somewhere, with the dark and bright streaks that it casts."""
    place = rng.uniform(0.2, 0.8, 3) * hu.shape
    away = [
        (torch.arange(size, device=hu.device) - float(at)) * step
        for size, at, step in zip(hu.shape, place, spacing_mm, strict=True)
    ]
    z, y, x = away[0][:, None, None], away[1][:, None], away[2]
    size = rng.uniform(4, 18, 3)
    plane = torch.hypot(y, x)
    streaks = torch.cos(int(rng.integers(3, 9)) * torch.atan2(y, x) + float(rng.uniform(0, 6)))
    fading = torch.exp(-plane / float(rng.uniform(25, 80))) * (z.abs() < size[0])
    hu += streaks * fading * float(rng.uniform(60, 500))
    inside = (z / size[0]) ** 2 + (y / size[1]) ** 2 + (x / size[2]) ** 2 < 1
    hu.masked_fill_(inside, float(rng.uniform(1500, 3071)))


def reenhanced(
    hu: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator, chance: torch.Generator
) -> torch.Tensor:
    """Shift the HU of each structure of a real CT, as if scanned at another phase."""
    if rng.random() < 0.3:
        return hu
    shift = rng.normal(0, 26, 256).astype(np.float32)
    shift[0] = rng.normal(0, 4)
    shift[IGNORED] = 0
    shift[[STRUCTURES.index("lung_left"), STRUCTURES.index("lung_right")]] *= 2
    uneven = rng.uniform(0, 12, 256).astype(np.float32)
    index = labels.int()
    moved = _on(shift, labels)[index]
    noise = _grown(torch.randn(_third(labels), device=hu.device, generator=chance), labels)
    moved = moved + noise * _on(uneven, labels)[index]
    return torch.where((hu > -300) | (moved.abs() > 30), hu + moved, hu)


def limited(
    hu: torch.Tensor,
    labels: torch.Tensor,
    slab_share: float,
    field_share: float,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hide what a short scan or a small field of view would not show."""
    if rng.random() < slab_share:
        hu, labels = _slab(hu, labels, rng)
    if rng.random() < field_share:
        hu, labels = _framed(hu, labels, rng) if rng.random() < 0.5 else _cut(hu, labels, rng)
    return hu, labels


def _slab(
    hu: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Some slices only: the ends repeated, or air."""
    depth = hu.shape[0]
    seen = int(np.clip(round(float(np.exp(rng.uniform(np.log(1.5), np.log(depth))))), 1, depth))
    first = int(rng.integers(0, depth - seen + 1))
    slices = torch.arange(depth, device=hu.device)
    hidden = (slices < first) | (slices >= first + seen)
    if rng.random() < 0.15:
        return (
            hu.masked_fill(hidden[:, None, None], _AIR_HU),
            labels.masked_fill(hidden[:, None, None], 0),
        )
    index = slices.clamp(first, first + seen - 1)
    hu, labels = hu.index_select(0, index), labels.index_select(0, index)
    if rng.random() < 0.5:
        labels = labels.masked_fill(hidden[:, None, None], IGNORED)
    return hu, labels


def _cut(
    hu: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Nothing beyond a circle or a rectangle of the plane."""
    radius = float(rng.uniform(0.28, 0.52)) * hu.shape[2]
    rows, columns = (
        torch.arange(size, device=hu.device) - size / 2 - float(rng.uniform(-6, 6))
        for size in hu.shape[1:]
    )
    if rng.random() < 0.5:
        outside = rows.square()[:, None] + columns.square() > radius**2
    else:
        outside = (rows.abs() > 0.85 * radius)[:, None] | (columns.abs() > radius)
    return hu.masked_fill(outside, _AIR_HU), labels.masked_fill(outside, 0)


def _framed(
    hu: torch.Tensor, labels: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Repeat the border of a small rectangle of the plane, as small scans are padded."""
    unsure = rng.random() < 0.7
    for axis in (1, 2):
        size = hu.shape[axis]
        seen = int(rng.uniform(0.5, 0.97) * size)
        first = int(rng.integers(0, size - seen + 1))
        place = torch.arange(size, device=hu.device)
        index = place.clamp(first, first + seen - 1)
        hu, labels = hu.index_select(axis, index), labels.index_select(axis, index)
        if unsure:
            hidden = (place < first) | (place >= first + seen)
            labels = labels.masked_fill(hidden[:, None] if axis == 1 else hidden, IGNORED)
    return hu, labels


def dosed(hu: torch.Tensor, rng: np.random.Generator, chance: torch.Generator) -> torch.Tensor:
    """Calibration error, noise and slow shading."""
    noise = float(np.exp(rng.uniform(np.log(1.5), np.log(28))))
    out = hu * float(rng.normal(1, 0.03)) + float(rng.normal(0, 7))
    out += torch.randn(hu.shape, device=hu.device, generator=chance) * noise
    slow = torch.randn((4, 4, 4), device=hu.device, generator=chance) * float(rng.uniform(0, 12))
    return out + _grown(slow, hu) * (hu > -500)
