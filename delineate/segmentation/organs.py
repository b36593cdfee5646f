"""The detector `organs.ct`: organs and bones on CT of the trunk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.errors import OptionError, UnsuitableImageError
from delineate.imaging import Image, LabelMap
from delineate.plugins import Detection, Monitor
from delineate.segmentation.judge import Found, judge
from delineate.segmentation.model import Model, read_model
from delineate.segmentation.options import NAMES, OrganOptions
from delineate.segmentation.restore import restore
from delineate.segmentation.specks import without_specks
from delineate.segmentation.tiles import infer
from delineate.segmentation.working import to_working

if TYPE_CHECKING:
    import torch
    from torch import nn

MODEL = Path(__file__).parent / "models" / "organs_ct"

_LEAST_RANGE_HU = 200.0


class OrganDetector:
    """Segments the trunk with the model of a folder.

    Parameters
    ----------
    folder
        Model folder; the shipped one unless said otherwise.
    """

    def __init__(self, folder: Path = MODEL) -> None:
        self.model: Model = read_model(folder)
        self._network: nn.Module | None = None

    def detect(self, image: Image, options: OrganOptions) -> Detection:
        """Segment a CT; see `detect_monitored`."""
        return self.detect_monitored(image, options, Monitor())

    def detect_monitored(self, image: Image, options: OrganOptions, monitor: Monitor) -> Detection:
        """Segment a CT in HU of any orientation, spacing and extent.

        Parameters
        ----------
        image
            Grey CT on a grid in mm.
        options
            What to return and where to compute.
        monitor
            Told of progress; may cancel between tiles and slabs.

        Returns
        -------
        Detection
            A label map on the image's grid whose categories are the structures looked for, with the
            mean probability of those found as their scores. Nothing found is an empty map.
        """
        _check(image)
        device = _device(options.device)
        network = self._loaded(device)
        model = self.model
        monitor.progress(0.0, "resampling")
        working = to_working(image, model.spacing_mm, model.tile, monitor)
        logits = infer(
            network,
            working.hu,
            model.windows,
            model.tile,
            options.overlap,
            _Part(monitor, 0.05, 0.8),
            classes=len(model.structures) + 1,
            device=device,
        ).numpy()
        hu = working.hu.numpy()
        found = judge(logits, hu, model.structures, model.spacing_mm, working.covered)
        wanted = self._wanted(found, options)
        labels = restore(logits, working.grid, image.grid, _Part(monitor, 0.8, 1.0))
        labels = without_specks(_only(labels, wanted), model.structures)
        wanted_names = options.structures or NAMES
        categories = {
            label: each.category
            for label, each in enumerate(model.structures, start=1)
            if not each.auxiliary and each.category.name in wanted_names
        }
        return Detection(
            LabelMap(labels, image.grid, categories),
            scores={each.label: min(1.0, each.confidence) for each in wanted},
            device=str(device),
        )

    def _wanted(self, found: list[Found], options: OrganOptions) -> list[Found]:
        if not options.structures:
            return found
        names = [each.category.name for each in self.model.structures]
        return [each for each in found if names[each.label - 1] in options.structures]

    def _loaded(self, device: torch.device) -> nn.Module:
        if self._network is None:
            self._network = self.model.load_network()
        return self._network.to(device)


class _Part(Monitor):
    """A monitor for one part of the work."""

    def __init__(self, whole: Monitor, start: float, stop: float) -> None:
        self._whole, self._start, self._stop = whole, start, stop

    def progress(self, fraction: float, stage: str = "") -> None:
        self._whole.progress(self._start + fraction * (self._stop - self._start), stage)

    @property
    def cancelled(self) -> bool:
        return self._whole.cancelled


def _check(image: Image) -> None:
    if image.grid.unit != "mm" or image.channels:
        raise UnsuitableImageError("expected a grey CT whose size in mm is known")
    sample = image.array[:: max(1, image.array.shape[0] // 16), ::8, ::8]
    low, high = float(np.nanmin(sample)), float(np.nanmax(sample))
    if low >= -200 and high <= 300:
        raise UnsuitableImageError(
            f"expected Hounsfield units, got values from {low:.0f} to {high:.0f}; "
            "the rescale slope and intercept were probably not applied"
        )


def _device(name: str) -> torch.device:
    import torch

    if name == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if name == "cuda":
        raise OptionError("device is cuda, but torch sees no CUDA device; use auto or cpu")
    return torch.device("cpu")


def _only(labels: NDArray[np.uint8], wanted: list[Found]) -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for each in wanted:
        table[each.label] = each.label
    return np.take(table, labels)
