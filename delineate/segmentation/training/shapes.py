"""Patches, strides and networks that suit the images of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from delineate.errors import OptionError

__all__ = ["NETWORKS", "network_arguments", "patch_shape", "strides_of", "suited_network"]

NETWORKS = ("UNet", "DynUNet", "SegResNet")
"""Networks that are planned here; others are fine-tuned from a model that has them."""

_LEAST = 4  # samples along an axis of the coarsest level
_LEAST_LEVELS = 3  # of a DynUNet
_ANISOTROPIC = 2.0  # an axis is not halved while its steps are so much longer than the shortest

Triple = tuple[int, int, int]


def strides_of(
    patch: Sequence[float], spacing: Sequence[float], levels: int, *, whole: bool
) -> list[list[int]]:
    """How each level of a network halves its axes.

    An axis is halved while at least four samples remain and its steps are less than twice the
    shortest, so that the levels become isotropic (Isensee et al., "nnU-Net", Nat. Methods 18,
    2021, doi:10.1038/s41592-020-01008-z).

    Parameters
    ----------
    patch
        Samples along each axis.
    spacing
        Their steps.
    levels
        Of the network; there may be fewer.
    whole
        Halve only what is even, since the patch is not rounded any more.

    Returns
    -------
    list
        One entry for each level but the first, of 1 or 2 for each axis.
    """
    sizes, steps = np.array(patch, float), np.array(spacing, float)
    found = []
    for _ in range(levels - 1):
        halved = (sizes >= 2 * _LEAST) & (steps < _ANISOTROPIC * steps.min())
        if whole:
            halved &= sizes % 2 == 0
        if not halved.any():
            break
        stride = np.where(halved, 2, 1)
        sizes, steps = sizes / stride, steps * stride
        found.append(stride.tolist())
    return found


def patch_shape(
    extent: Triple, spacing: tuple[float, float, float], most: int, levels: int, dimensions: int
) -> Triple:
    """The patch nearest to a cube in mm that the images fill and memory bears.

    Parameters
    ----------
    extent
        Samples of a usual image, along the axes of the network's input.
    spacing
        Steps along them.
    most
        Samples of a patch, about.
    levels
        Of the network; each axis is a multiple of what it halves it by.
    dimensions
        2: one slice.
    """
    sizes, steps = np.array(extent, float), np.array(spacing, float)
    patch = np.ones(3)
    used = slice(3 - dimensions, 3)
    sizes[used] = np.maximum(sizes[used], 2 * _LEAST)
    free = list(range(3 - dimensions, 3))
    while free:
        edge = (most / patch.prod() * steps[free].prod()) ** (1 / len(free))
        short = [axis for axis in free if sizes[axis] <= edge / steps[axis]]
        if not short:
            patch[free] = edge / steps[free]
            break
        patch[short] = sizes[short]
        free = [axis for axis in free if axis not in short]
    total = np.ones(3)
    halvings = strides_of(patch[used].tolist(), steps[used].tolist(), levels, whole=False)
    if halvings:
        total[used] = np.prod(halvings, axis=0)
    patch = np.maximum(total * np.ceil(patch / total - 1e-6), 1)
    patch[used] = np.maximum(patch[used], 2 * _LEAST)
    a, b, c = (int(size) for size in patch)
    return a, b, c


def suited_network(
    dimensions: int,
    classes: int,
    channels: Sequence[int],
    patch: Triple,
    spacing: tuple[float, float, float],
) -> str:
    """A UNet, ten times as fast as a DynUNet; not where there are many classes.

    The last block of a UNet is as wide as there are classes, at full resolution.
    """
    first = 3 - dimensions
    levels = len(strides_of(patch[first:], spacing[first:], len(channels), whole=True)) + 1
    return "DynUNet" if classes > 2 * channels[0] and levels >= _LEAST_LEVELS else "UNet"


def network_arguments(
    name: str,
    dimensions: int,
    inputs: int,
    classes: int,
    channels: Sequence[int],
    patch: Triple,
    spacing: tuple[float, float, float],
) -> dict[str, Any]:
    """Arguments of a MONAI network that suits a patch.

    Raises
    ------
    OptionError
        If the network is not planned here, or a patch was asked for that it cannot halve.
    """
    first = 3 - dimensions
    strides = strides_of(patch[first:], spacing[first:], len(channels), whole=True)
    levels = len(strides) + 1
    shared = {"spatial_dims": dimensions, "in_channels": inputs, "out_channels": classes}
    if not strides:
        raise OptionError(
            f"a patch of {patch} cannot be halved for {len(channels)} levels; expected even sizes "
            f"of {2 * _LEAST} or more, and two levels or more"
        )
    if name == "UNet":
        return shared | {
            "channels": list(channels[:levels]),
            "strides": strides,
            "num_res_units": 1,
            "norm": "instance",
        }
    if name == "DynUNet":
        if levels < _LEAST_LEVELS:
            raise OptionError(
                f"DynUNet needs {_LEAST_LEVELS} levels, a patch of {patch} allows {levels}"
            )
        return shared | {
            "kernel_size": [[3] * dimensions] * levels,
            "strides": [[1] * dimensions, *strides],
            "upsample_kernel_size": strides,
            "filters": list(channels[:levels]),
        }
    if name == "SegResNet":
        even = [stride for stride in strides if min(stride) == 2]
        if not even:
            raise OptionError(f"SegResNet halves all axes; expected another patch than {patch}")
        return shared | {
            "init_filters": channels[0],
            "blocks_down": [1, *([2] * len(even))],
            "blocks_up": [1] * len(even),
        }
    raise OptionError(f"network is one of {', '.join(NETWORKS)}, got {name!r}")
