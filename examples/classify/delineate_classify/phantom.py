"""Synthetic ultrasound: a shape in fully developed speckle. It looks like no patient.

``python -m delineate_classify.phantom FILE.png --kind malignant --seed 3`` writes one.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from delineate_classify import SIZE

__all__ = ["Kind", "phantom", "phantoms"]

Kind = Literal["benign", "malignant"]

_DYNAMIC_RANGE_DB = 50.0
_RESOLUTION = (0.9, 1.6)  # samples, along and across the beam


def phantom(kind: Kind, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One picture ``(row, column)``, the probe at the top.

    How irregular the outline is, how tall the shape and how much shadow lies below it all grow
    with one hidden number ``s`` from 0 to 1, drawn from Beta(2, 4) for benign and Beta(4, 2) for
    malignant shapes. The two overlap on purpose: given ``s``, malignant has the probability
    ``s**2 / (s**2 + (1 - s)**2)``, and nobody can be right more often than 81.25 %.
    """
    s = rng.beta(2, 4) if kind == "benign" else rng.beta(4, 2)
    inside, below = _shape(s, rng)
    decibels = 3.0 * ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 14) * 14
    decibels -= rng.uniform(9, 16) * ndimage.gaussian_filter(inside.astype(float), 0.7)
    decibels += (4.0 - 12.0 * s) * ndimage.gaussian_filter(below.astype(float), 2.0)
    scatterers = rng.standard_normal((2, SIZE, SIZE)) * 10 ** (decibels / 20)
    echo = np.stack([ndimage.gaussian_filter(part, _RESOLUTION) for part in scatterers])
    envelope = np.hypot(*echo)
    level = 20 * np.log10(envelope / np.quantile(envelope, 0.995) + 1e-6)
    scaled = 255 * (1 + np.clip(level, -_DYNAMIC_RANGE_DB, 0) / _DYNAMIC_RANGE_DB)
    return np.rint(scaled).astype(np.uint8)


def phantoms(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """As many pictures ``(n, row, column)``, every second one malignant (1)."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % 2
    pictures = [phantom("malignant" if one else "benign", rng) for one in truth]
    return np.stack(pictures), truth.astype(np.float32)


def _shape(s: float, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The shape, and what lies in its shadow."""
    rows, columns = np.mgrid[:SIZE, :SIZE].astype(float)
    centre = rng.uniform(0.38, 0.56) * SIZE, rng.uniform(0.4, 0.6) * SIZE
    tall = np.exp(np.log(0.65) * (1 - s) + np.log(1.25) * s + rng.normal(0, 0.08))
    radius = rng.uniform(15, 23)
    y = (rows - centre[0]) / np.sqrt(tall)
    x = (columns - centre[1]) * np.sqrt(tall)
    angle = np.arctan2(y, x)
    edge = np.ones_like(angle)
    for waves in range(3, 13):
        size = (0.012 + 0.085 * s) * rng.uniform(0.3, 1.0) * (3 / waves) ** 0.3
        edge += size * np.cos(waves * angle + rng.uniform(0, 2 * np.pi))
    inside = np.hypot(y, x) < radius * np.maximum(edge, 0.3)
    below = np.logical_or.accumulate(inside, axis=0) & ~inside
    return inside, below


def main() -> None:
    """Write one phantom as a picture."""
    from PIL import Image as Picture

    parser = argparse.ArgumentParser(description="Write a synthetic speckle phantom.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--kind", choices=("benign", "malignant"), default="malignant")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    Picture.fromarray(phantom(asked.kind, np.random.default_rng(asked.seed))).save(asked.file)


if __name__ == "__main__":
    main()
