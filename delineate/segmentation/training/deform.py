"""Where the samples of a patch lie in its case: turned, scaled, bent; and what is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

__all__ = ["bent", "bounds", "offsets", "rotation", "sampled", "smoothed"]


def offsets(shape: Sequence[int], spacing: Sequence[float]) -> torch.Tensor:
    """Of the samples of a patch from its centre, in the unit of the spacing, ``(*shape, 3)``."""
    axes = [
        (torch.arange(n, dtype=torch.float32) - (n - 1) / 2) * step
        for n, step in zip(shape, spacing, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn about the first, second and third axis, in radians, ``(3, 3)``."""
    (a, b, c), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    first = np.array([[1, 0, 0], [0, a, -sa], [0, sa, a]])
    second = np.array([[b, 0, sb], [0, 1, 0], [-sb, 0, b]])
    third = np.array([[c, -sc, 0], [sc, c, 0], [0, 0, 1]])
    return np.asarray(first @ second @ third)


def bent(
    shape: Sequence[int], coarse: NDArray[np.float32], device: torch.device | str = "cpu"
) -> torch.Tensor:
    """A smooth displacement through knots ``(1, 3, slice, row, column)``: ``(*shape, 3)``."""
    knots = torch.from_numpy(coarse).to(device)
    fine = F.interpolate(knots, size=tuple(shape), mode="trilinear", align_corners=True)
    return fine[0].permute(1, 2, 3, 0)


def bounds(points: torch.Tensor, shape: Sequence[int]) -> tuple[list[int], list[int]]:
    """The part of a case, from first to before last, that samples at ``points`` depend on."""
    flat = points.reshape(-1, 3)
    first, last = flat.amin(0).floor().int().tolist(), flat.amax(0).ceil().int().tolist()
    low = [max(min(a - 2, n - 2), 0) for a, n in zip(first, shape, strict=True)]
    high = [max(min(b + 3, n), min(a + 2, n)) for b, n, a in zip(last, shape, low, strict=True)]
    return low, high


def sampled(values: torch.Tensor, points: torch.Tensor, mode: str) -> torch.Tensor:
    """Values at indices of an array; beyond it those of its border.

    Parameters
    ----------
    values
        float32 ``(channel, slice, row, column)``.
    points
        Indices, fractions allowed, ``(slice, row, column, 3)``.
    mode
        ``"bilinear"`` or ``"nearest"``.

    Returns
    -------
    Tensor
        ``(channel, slice, row, column)`` of the points.
    """
    size = torch.tensor(values.shape[1:], dtype=torch.float32).to(points.device)
    places = (points * 2 / (size - 1).clamp_min(1) - 1).flip(-1)
    return F.grid_sample(
        values[None], places[None], mode=mode, padding_mode="border", align_corners=True
    )[0]


def smoothed(values: torch.Tensor, taps: NDArray[np.float64], axis: int) -> torch.Tensor:
    """Values convolved with five taps along one axis; beyond the ends those of the ends."""
    length = values.shape[axis]
    total = torch.zeros_like(values)
    place = torch.arange(length, device=values.device)
    for shift, weight in zip(range(-2, 3), taps.tolist(), strict=True):
        total += values.index_select(axis, (place + shift).clamp_(0, length - 1)) * weight
    return total
