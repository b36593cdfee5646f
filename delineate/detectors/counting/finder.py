"""Run a network that gives peak maps over a picture, and read the points off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from delineate.detectors.counting.peaks import apart, local_maxima
from delineate.segmentation.backends.choose import pick_device
from delineate.segmentation.backends.eager import Eager
from delineate.segmentation.intensity import Step, applied, fixed
from delineate.segmentation.model import Model
from delineate.segmentation.weights import load_network

__all__ = ["Finder", "PointSettings"]

_ROUND = 32  # sides are padded to multiples, for networks that halve up to five times
_LEAST_SIDE = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSettings:
    """Numbers of a model that finds points; `Model.settings`.

    Parameters
    ----------
    size_px
        How long the things were that it learned from.
    sigma
        Of the Gaussians that it learned, as a share of that.
    threshold
        Least height of a peak that counts.
    distance
        Within so many samples of a map only the highest counts.
    levels
        Maps of a picture: at its own size, at half of it, a quarter ...
    zoom
        Up to how many times larger and smaller things were shown to it.
    count_error
        Of `plugins.CountError`, if it was measured.
    """

    size_px: float
    sigma: float = 0.2
    threshold: float = 0.3
    distance: float = 2.5
    levels: int = 1
    zoom: float = 1.5
    count_error: Mapping[str, float] | None = None

    @classmethod
    def of(cls, model: Model) -> PointSettings:
        """Those of a model."""
        return cls(**dict(model.settings))

    def to_json(self) -> dict[str, Any]:
        """As `Model.settings` has them; what was not measured is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class Finder:
    """Finds points with the network of a model folder.

    Parameters
    ----------
    model
        One that finds points on pictures.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, model: Model, device: str = "auto") -> None:
        self.model, self.settings = model, PointSettings.of(model)
        self._backend = Eager(load_network(model), pick_device(device))

    @property
    def device(self) -> str:
        """Where it computes."""
        return str(self._backend.device)

    def points(
        self, pixels: NDArray[np.uint8], threshold: float | None = None, scale: float = 1.0
    ) -> list[NDArray[np.float64]]:
        """Find the points of each category.

        Parameters
        ----------
        pixels
            ``(row, column, 3)``.
        threshold
            Least height; by default that of the settings.
        scale
            How many times larger things are here than in training: the picture is resampled.

        Returns
        -------
        list of ndarray
            For each category ``(n, 3)``: row, column, height from 0 to 1; the highest first.
        """
        settings = self.settings
        least = settings.threshold if threshold is None else threshold
        maps = list(self._maps(pixels, scale))
        reaches = [settings.distance * step for step, _ in maps]
        found: list[NDArray[np.float64]] = []
        for number in range(self.model.classes):
            by_map = []
            for step, heat in maps:
                peaks = local_maxima(heat[number], least, settings.distance)
                peaks[:, :2] = (peaks[:, :2] + 0.5) * step - 0.5
                peaks[:, :2] = np.clip(peaks[:, :2], 0, np.array(pixels.shape[:2]) - 1)
                by_map.append(peaks)
            found.append(apart(by_map, reaches))
        return found

    def _maps(
        self, pixels: NDArray[np.uint8], scale: float
    ) -> Iterator[tuple[float, NDArray[np.float32]]]:
        """Pixels of the picture in one sample of a map, and the map ``(category, row, column)``."""
        given = [_given(pixels[..., channel], steps) for channel, steps in self.model.inputs]
        values = torch.from_numpy(np.stack(given))[None]
        if scale != 1:
            sides = [max(1, round(side / scale)) for side in pixels.shape[:2]]
            values = F.interpolate(values, sides, mode="bilinear", antialias=True)
        for level in range(self.settings.levels):
            if level and min(values.shape[2:]) < 2 * _LEAST_SIDE:
                return
            if level:
                values = F.avg_pool2d(values, 2, ceil_mode=True, count_include_pad=False)
            yield scale * 2**level, self._heat(values)

    def _heat(self, values: torch.Tensor) -> NDArray[np.float32]:
        rows, columns = values.shape[2:]
        padding = (0, -columns % _ROUND, 0, -rows % _ROUND)
        padded = F.pad(values, padding, mode="replicate")[:, :, None].contiguous()
        logits = self._backend.run(padded)[0, :, 0, :rows, :columns]
        return np.asarray(logits.sigmoid().cpu().numpy())


def _given(channel: NDArray[np.uint8], steps: Sequence[Step]) -> NDArray[np.float32]:
    """A channel as the network is given it: float32."""
    values = channel.astype(np.float32)
    return applied(fixed(steps, lambda: [values]), values)
