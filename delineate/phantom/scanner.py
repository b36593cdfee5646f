"""A simple scanner: partial volume, table, texture and noise, quantised to int16."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndimage
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scanner:
    """How sharp and how noisy a scan is.

    Parameters
    ----------
    blur_mm
        Standard deviation of the in-plane point spread, mm.
    noise_hu
        Standard deviation of the noise after reconstruction, HU.
    grain_mm
        Correlation length of that noise, mm.
    texture_hu
        Standard deviation of the slow unevenness of tissue, HU.
    """

    blur_mm: float = 0.8
    noise_hu: float = 12.0
    grain_mm: float = 1.2
    texture_hu: float = 4.0

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Scanner:
        """Draw a scanner from soft to sharp kernels and from low to high dose."""
        return cls(
            blur_mm=float(rng.uniform(0.5, 1.6)),
            noise_hu=float(np.exp(rng.uniform(np.log(4), np.log(28)))),
            grain_mm=float(rng.uniform(0.6, 2.2)),
            texture_hu=float(rng.uniform(1, 7)),
        )

    def acquire(
        self, hu: Floats, spacing_mm: tuple[float, float, float], rng: np.random.Generator
    ) -> NDArray[np.int16]:
        """Scan exact HU.

        Parameters
        ----------
        hu
            Shape (slice, row, column).
        spacing_mm
            Distances between samples in array order.
        rng
            Source of the noise.

        Returns
        -------
        ndarray of int16, same shape
            Clipped to [-1024, 3071], the range of a 12-bit scanner.
        """
        in_plane = [self.blur_mm / spacing_mm[1], self.blur_mm / spacing_mm[2]]
        image = ndimage.gaussian_filter(hu, [0.3, *in_plane], truncate=3)
        if self.texture_hu:
            image += self._noise(hu.shape, [9.0 / step for step in spacing_mm], rng) * np.where(
                hu > -300, np.float32(self.texture_hu), np.float32(0)
            )
        grain = [0.0, self.grain_mm / spacing_mm[1], self.grain_mm / spacing_mm[2]]
        image += self._noise(hu.shape, grain, rng) * np.float32(self.noise_hu)
        return np.asarray(np.clip(np.rint(image), -1024, 3071), np.int16)

    @staticmethod
    def _noise(shape: tuple[int, ...], sigma: list[float], rng: np.random.Generator) -> Floats:
        noise = rng.standard_normal(shape, dtype=np.float32)
        if max(sigma) > 0.1:
            noise = ndimage.gaussian_filter(noise, sigma, truncate=3)
        return np.asarray(noise / max(float(noise.std()), 1e-6), np.float32)
