"""Pictures to train on: leaves that fall on each other, with edges of every size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["coarser", "leaves"]

_FINER = 3
_LEAVES = 600


def leaves(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """``(size, size)`` of 0 to 1: the dead-leaves model, which has the statistics of photographs.

    Discs, boxes and bars whose sizes follow a power law cover each other [1]_; some are shaded or
    grained. Drawn three times finer and averaged, as a sensor does.

    References
    ----------
    .. [1] Lee, Mumford, Huang, "Occlusion models for natural images", Int. J. Comput. Vis.
       41(1), 2001, doi:10.1023/A:1011109015675
    """
    n = size * _FINER
    picture = np.full((n, n), rng.uniform(), np.float32)
    for _ in range(_LEAVES):
        _drop(picture, rng)
    soft = ndimage.gaussian_filter(picture, rng.uniform(0.3, 0.9) * _FINER)
    noise = rng.normal(0, rng.uniform(0, 0.01), (size, size))
    seen = soft.reshape(size, _FINER, size, _FINER).mean(axis=(1, 3)) + noise
    return np.clip(seen, 0, 1).astype(np.float32)


def _drop(picture: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Let one leaf fall on a picture."""
    n = len(picture)
    radius = 4.0 / np.sqrt(rng.uniform((10 / n) ** 2, 1.0))
    y, x = rng.uniform(-0.1 * n, 1.1 * n, 2)
    turn, flat = rng.uniform(0, np.pi), rng.choice((1.0, 0.6, 0.15))
    round_, level, slope = rng.uniform() < 0.5, rng.uniform(), rng.normal(0, 0.15)
    grain = 0.08 * rng.standard_normal() if rng.uniform() < 0.3 else 0.0
    reach = 1.5 * radius
    top, left = max(0, int(y - reach)), max(0, int(x - reach))
    part = picture[top : max(0, int(y + reach) + 2), left : max(0, int(x + reach) + 2)]
    if not part.size:
        return
    rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
    rows, columns = rows + (top - y), columns + (left - x)
    along = columns * np.cos(turn) + rows * np.sin(turn)
    across = (rows * np.cos(turn) - columns * np.sin(turn)) / flat
    inside = np.hypot(along, across) if round_ else np.maximum(np.abs(along), np.abs(across))
    shade = level + slope * along / radius + grain * np.sign(np.sin(along) * np.sin(across * flat))
    np.copyto(part, np.clip(shade, 0, 1), where=inside < radius, casting="same_kind")


def coarser(fine: NDArray[np.float32]) -> NDArray[np.float32]:
    """``(..., h, w)`` at half the resolution: means of 2 x 2 samples, as larger pixels see it."""
    h, w = fine.shape[-2] // 2, fine.shape[-1] // 2
    cut = fine[..., : 2 * h, : 2 * w]
    return np.asarray(cut.reshape(*cut.shape[:-2], h, 2, w, 2).mean(axis=(-3, -1)))
