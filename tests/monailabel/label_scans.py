"""Scans of every direction, and the same as a viewer reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from label_detectors import BANDS
from numpy.typing import NDArray

from delineate.imaging import Grid, Image

# Columns are the steps of slice, row and column.
_TURN = np.array([[0.2, 0.1, 0.97], [0.15, 0.98, -0.13], [0.97, -0.17, -0.18]])
TURNED = np.linalg.qr(_TURN)[0] * np.sign(np.diag(np.linalg.qr(_TURN)[1]))
STEPS = np.diag([3.0, 0.8, 0.7])
DIRECTIONS = {
    "straight": np.eye(3)[:, ::-1] @ STEPS,
    "reversed": np.eye(3)[:, ::-1] @ np.diag([-3.0, 0.8, 0.7]),
    "oblique": TURNED @ STEPS,
    "oblique and reversed": TURNED @ np.diag([-3.0, 0.8, 0.7]),
    "feet first": np.diag([1.0, 1.0, -1.0]) @ np.eye(3)[:, ::-1] @ np.diag([3.0, 0.8, -0.7]),
}


def scan(direction: str = "straight", shape: tuple[int, int, int] = (5, 7, 9)) -> Image:
    """A CT without any symmetry."""
    affine = np.eye(4)
    affine[:3, :3] = DIRECTIONS[direction]
    affine[:3, 3] = (-12.5, 20.0, 33.0)
    samples = np.random.default_rng(7).integers(-1000, 400, shape)
    return Image(samples.astype(np.int16), Grid(shape, affine), "CT")


DENSE = {9: 1, 1: 2, 5: 3}  # bone, fat, soft: the order in which they are declared


def banded(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """The labels that clients are to see."""
    labels = np.zeros(samples.shape, np.uint8)
    for own, (low, high) in BANDS.items():
        labels[(samples >= low) & (samples < high)] = DENSE[own]
    return labels
