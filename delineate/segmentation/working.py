"""Bring a CT of any orientation to the grid a network works on.

The working grid is aligned with the patient, whatever the scan was: one affine maps it to the
scan's indices, so that flipped, permuted, oblique and tilted (sheared) scans are one case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.errors import UnsuitableImageError
from delineate.imaging import Grid, Image

if TYPE_CHECKING:
    import torch

    from delineate.plugins import Monitor

MOST_SAMPLES = 48_000_000
_BLOCK_MM = 3.5
_SLAB_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Working:
    """A CT on its working grid.

    Attributes
    ----------
    hu
        float32 tensor, shape of `grid`.
    grid
        Axis-aligned LPS, at least one tile large.
    covered
        bool, same shape: whether the scan holds that sample, half a working step allowed. What
        lies beyond repeats the scan's border, since a network trained on whole bodies takes air
        above and below a thin scan for the end of the body.
    """

    hu: torch.Tensor
    grid: Grid
    covered: NDArray[np.bool_]


def working_grid(
    source: Grid, spacing_mm: tuple[float, float, float], at_least: tuple[int, int, int]
) -> Grid:
    """The smallest aligned grid around a scan, centred on it and no smaller than a tile.

    Raises
    ------
    UnsuitableImageError
        If it would hold more than `MOST_SAMPLES`: the spacing of such a scan is wrong.
    """
    ends = np.array(np.meshgrid(*((-0.5, n - 0.5) for n in source.shape), indexing="ij"))
    faces = source.to_world(ends.reshape(3, -1).T)
    low, high = faces.min(axis=0)[::-1], faces.max(axis=0)[::-1]
    step = np.asarray(spacing_mm)
    wanted = np.maximum(np.ceil((high - low) / step - 1e-6), at_least)
    if wanted.prod() > MOST_SAMPLES:
        size = " x ".join(f"{mm:.0f}" for mm in high - low)
        raise UnsuitableImageError(f"the scan spans {size} mm; its spacing is probably wrong")
    count = wanted.astype(int)
    origin = (low + high) / 2 - (count - 1) / 2 * step
    shape = (int(count[0]), int(count[1]), int(count[2]))
    return Grid.regular(shape, spacing_mm, (float(origin[2]), float(origin[1]), float(origin[0])))


def to_working(
    image: Image,
    spacing_mm: tuple[float, float, float],
    at_least: tuple[int, int, int],
    monitor: Monitor,
) -> Working:
    """Sample a CT on its working grid.

    Fine scans are averaged in blocks of about 3.5 mm first, slab by slab, so that noise is not
    aliased and no second copy of the scan is made; the blocks are then interpolated linearly.
    """
    import torch
    import torch.nn.functional as F  # noqa: N812

    grid = working_grid(image.grid, spacing_mm, at_least)
    factors = tuple(
        max(1, min(round(_BLOCK_MM / step), n))
        for step, n in zip(image.grid.spacing, image.grid.shape, strict=True)
    )
    blocks = _blocks(image.array, factors, monitor)
    index = _indices(grid, image.grid)
    size = torch.tensor(image.grid.shape, dtype=torch.float32)
    reach = torch.tensor([s / 2 for s in spacing_mm]) / torch.tensor(image.grid.spacing)
    covered = ((index >= -0.5 - reach) & (index <= size - 0.5 + reach)).all(-1)
    factor = torch.tensor(factors, dtype=torch.float32)
    place = (index - (factor - 1) / 2) / factor
    scale = (torch.tensor(blocks.shape, dtype=torch.float32) - 1).clamp_min(1)
    place = (place * 2 / scale - 1).flip(-1)
    hu = F.grid_sample(
        blocks[None, None], place[None], mode="bilinear", padding_mode="border", align_corners=True
    )
    return Working(hu[0, 0], grid, covered.numpy())


def _indices(grid: Grid, source: Grid) -> torch.Tensor:
    """Indices of the source at the samples of a grid, float32, shape (*grid.shape, 3)."""
    import torch

    matrix = source.inverse @ grid.affine
    total = torch.from_numpy(matrix[:3, 3].astype(np.float32))
    for axis, count in enumerate(grid.shape):
        shape = [1, 1, 1, 3]
        shape[axis] = count
        step = np.arange(count)[:, None] * matrix[None, :3, axis]
        total = total + torch.from_numpy(step.astype(np.float32)).reshape(shape)
    return total


def _blocks(array: NDArray[np.generic], factors: tuple[int, ...], monitor: Monitor) -> torch.Tensor:
    """Means over blocks, float32; blocks at the far ends are averaged over what there is."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    plane = int(np.prod(array.shape[1:])) * 4
    thick = max(1, _SLAB_BYTES // plane // factors[0]) * factors[0]
    slabs = []
    for start in range(0, array.shape[0], thick):
        monitor.checkpoint()
        slab = torch.from_numpy(array[start : start + thick].astype(np.float32))
        if max(factors) > 1:
            slab = F.avg_pool3d(slab[None, None], factors, ceil_mode=True, count_include_pad=False)[
                0, 0
            ]
        slabs.append(slab)
    return torch.cat(slabs).nan_to_num_(-1000.0).clamp_(-1024.0, 3071.0)
