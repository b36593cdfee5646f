"""The detectors: one that learned from polygons, one that learned from good pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.surface import MODEL, PITTING, SurfaceOptions
from delineate.detectors.surface.regions import Region, believed_regions
from delineate.errors import ModelError, UnsuitableImageError
from delineate.imaging import Image, LabelMap
from delineate.plugins import Detection, Field, Monitor
from delineate.segmentation.intensity import applied
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import read_model
from delineate.segmentation.options import AnomalyOptions, ModelOptions
from delineate.segmentation.segmenter import Segmenter
from delineate.segmentation.weights import load_network
from delineate.segmentation.working import Working

__all__ = ["MEANING", "AnomalyDetector", "SurfaceDetector", "planes"]

MEANING = "distance of the texture to the nearest one of good pictures"
_WHITE = 1.5  # full brightness is 1; of pictures without a fixed range a little more may come


class SurfaceDetector:
    """Outlines defects by a U-Net, and believes regions that are large and sure enough.

    Parameters
    ----------
    folder
        Model folder; the shipped one unless said otherwise.
    """

    def __init__(self, folder: str | Path = MODEL) -> None:
        self._segmenter = Segmenter(read_model(Path(folder)))

    def detect_monitored(
        self, image: Image, options: SurfaceOptions, monitor: Monitor
    ) -> Detection:
        """Outline the defects of a photograph.

        Returns
        -------
        Detection
            A label map; score: the mean probability; measured: the number of ``regions`` and the
            samples of the ``largest_region_px``.
        """
        asked = ModelOptions(device=options.device, backend=options.backend, mirror=options.mirror)
        kept: list[Region] = []

        def review(logits: NDArray[np.float32], _: NDArray[np.float32], working: Working) -> None:
            kept[:] = believed_regions(
                logits,
                working.covered(0, logits.shape[1]),
                options.outline_at,
                options.min_area_px,
                options.min_probability,
            )

        found = self._segmenter.run(image, asked, monitor, review=review)
        labels = LabelMap(found.labels, image.grid, {1: PITTING})
        if not kept:
            return Detection(labels, remarks=found.remarks, device=found.device)
        samples = sum(region.samples for region in kept)
        score = sum(region.samples * region.probability for region in kept) / samples
        measured = {
            "regions": float(len(kept)),
            "largest_region_px": float(kept[0].samples),
            "least_region_probability": min(region.probability for region in kept),
        }
        return Detection(
            labels,
            scores={1: min(1.0, score)},
            measurements={1: measured},
            remarks=found.remarks,
            device=found.device,
        )


class AnomalyDetector:
    """Says how unlike anything good each sample of a picture is.

    Parameters
    ----------
    folder
        Model folder that ``delineate train-good`` made.
    """

    def __init__(self, folder: str | Path) -> None:
        self.model: Model = read_model(Path(folder))
        if self.model.finds != "anomalies" or "threshold" not in self.model.settings:
            raise ModelError(
                f"{folder} finds {self.model.finds}; expected a model of anomalies with a "
                "threshold in its settings, as delineate train-good makes it"
            )
        self._network = load_network(self.model)

    def detect(self, image: Image, options: AnomalyOptions) -> Detection:
        """Score each sample; the framework cuts large pictures and merges the scores."""
        import torch

        there = torch.cuda.is_available() and options.device != "cpu"
        device = torch.device("cuda" if there else "cpu")
        network = self._network.to(device)
        with torch.inference_mode():
            inputs = torch.from_numpy(planes(self.model, image.array))
            scores = [network(part[None, :, None].to(device))[0, 0, 0].cpu() for part in inputs]
        settings = self.model.settings
        threshold = options.threshold or float(settings["threshold"])
        remarks = (
            ()
            if options.threshold
            else (
                f"Of good pictures of the size and kind that was learned from, about "
                f"{settings['false_alarms']:.0%} show something all the same.",
            )
        )
        category = self.model.structures[0].category
        field = Field(torch.stack(scores).numpy(), image.grid, category, MEANING, threshold)
        return Detection(field, remarks=remarks, device=str(device))


def planes(model: Model, array: NDArray[Any]) -> NDArray[np.float32]:
    """Inputs of the network, ``(slice, channel, row, column)``, of samples as an image has them.

    Raises
    ------
    UnsuitableImageError
        If there are other channels, or samples brighter than full brightness was.
    """
    samples = array if array.ndim == 4 else array[..., None]
    if samples.shape[-1] != len(model.inputs):
        raise UnsuitableImageError(
            f"model {model.name} reads {len(model.inputs)} channels, got {samples.shape[-1]}"
        )
    inputs = np.stack(
        [applied(steps, samples[..., channel]) for channel, steps in model.inputs], axis=1
    )
    if inputs.size and inputs.max() > _WHITE:
        raise UnsuitableImageError(
            f"model {model.name} learned from pictures of another range of values: the brightest "
            f"sample here is {inputs.max():.3g} times what was full brightness there"
        )
    return inputs
