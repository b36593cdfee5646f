"""How much memory a run needs and how much there is."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from delineate.segmentation.demands import Demands
from delineate.segmentation.engine import Plan
from delineate.segmentation.merge import Merger

__all__ = ["Estimate", "available_bytes", "estimate", "smaller_tile"]

Triple = tuple[int, int, int]

_SAMPLER_BYTES = 4 * 4 * 8_000_000
"""Copies of a part of the image that the sampler makes; see ``sampler._PART_SAMPLES``."""

_HELD, _BESIDE = 1.7, 0.8
_LARGEST_STEP, _LEAST_SIDE = 32, 16
_SHARE = 0.9  # of what is free; the rest is left to others


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take, above the loaded model and the image itself.

    Parameters
    ----------
    tiles
        How often the network runs.
    flop
        Floating-point operations of all of them.
    bytes
        Largest memory, labels on the image's grid included.
    seconds
        Time of the network; ``None`` where its speed is not known yet.
    """

    tiles: int
    flop: int
    bytes: int
    seconds: float | None


def estimate(
    plan: Plan,
    demands: Demands,
    channels: tuple[int, int],
    seconds_per_tile: float | None,
    *,
    collected: bool,
    batch: int = 1,
) -> Estimate:
    """Foretell what a plan takes.

    Parameters
    ----------
    plan
        What will be computed.
    demands
        Of the network, for one tile.
    channels
        Of its input and its output.
    seconds_per_tile
        Measured before, or ``None``.
    collected
        Whether all logits of the working grid are kept until the end.
    batch
        Tiles that are computed side by side.
    """
    shape, tile = plan.working.grid.shape, plan.working.tile
    plane = shape[1] * shape[2]
    # Freed blocks are kept for the next layer, so that more is held than is alive: measured, 1.7
    # times with torch and with OpenVINO, which holds its own copy of the weights as well, and 0.8
    # times for each further tile beside it.
    need = int((_HELD + _BESIDE * (batch - 1)) * demands.peak_bytes) + demands.weight_bytes
    need += batch * 2 * 4 * sum(channels) * int(np.prod(tile))
    need += 2 * 4 * channels[0] * plane * (tile[0] + 16)
    need += min(_SAMPLER_BYTES, 4 * 4 * int(np.prod(plan.working.source.shape)))
    need += Merger.bytes_needed(plan.box, tile, channels[1]) if plan.layers else 0
    need += int(np.prod(plan.working.source.shape))
    if collected:
        need += shape[0] * plane * (2 * 4 * channels[1] + 8)
    seconds = None if seconds_per_tile is None else plan.tiles * seconds_per_tile
    return Estimate(plan.tiles, plan.tiles * demands.flop, need, seconds)


def smaller_tile(tile: Triple) -> Triple | None:
    """The next smaller tile to try: its longest side cut to about half; ``None`` if there is none.

    Sides stay multiples of the largest power of two, up to 32, that they are multiples of, and
    none is cut below 16.
    """
    halves = []
    for size in tile:
        step = min(_LARGEST_STEP, size & -size)
        half = -(-(size // step) // 2) * step
        halves.append(half if half >= _LEAST_SIDE else size)
    shrunk = [size - half for size, half in zip(tile, halves, strict=True)]
    axis = int(np.argmax(shrunk))
    if shrunk[axis] == 0:
        return None
    smaller = list(tile)
    smaller[axis] = halves[axis]
    return smaller[0], smaller[1], smaller[2]


def available_bytes() -> int | None:
    """Memory that this process can still take; ``None`` where that cannot be known.

    The least of what the system has free, what is left of the limits of the process's control
    groups, and of its own limit (``RLIMIT_DATA``).
    """
    if sys.platform != "linux":
        return None
    found = [_free_of_system(), *_free_of_groups(), _free_of_limit()]
    known = [value for value in found if value is not None]
    return int(_SHARE * min(known)) if known else None


def _free_of_system() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _free_of_groups() -> list[int]:
    """Of the process's control group and those above it, version 2."""
    root = Path("/sys/fs/cgroup")
    groups = [root]
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::/"):
                own = root / line[4:].strip("/")
                groups += [own, *(each for each in own.parents if root in each.parents)]
    free = []
    for group in groups:
        with contextlib.suppress(OSError, ValueError):  # "max" is no number: there is no limit
            most = int((group / "memory.max").read_text())
            free.append(max(0, most - int((group / "memory.current").read_text())))
    return free


def _free_of_limit() -> int | None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return max(0, soft - int(line.split()[1]) * 1024)
    return soft
