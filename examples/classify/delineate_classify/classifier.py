"""Benign or malignant, on synthetic speckle: the detector."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import Classifier as Network
from numpy.typing import NDArray
from safetensors.torch import load
from scipy import ndimage

from delineate import Image, Options
from delineate.errors import ModelError, UnsuitableImageError
from delineate.plugins import Classes, Detection
from delineate_classify import BENIGN, CARD, MALIGNANT, SIZE, UNCERTAIN, spec

__all__ = ["Classifier", "network", "prepared", "speckle"]

_WEIGHTS = Path(__file__).with_name("weights.safetensors")
_WINDOW = 7


def network() -> torch.nn.Module:
    """The network, untrained: ``(n, 1, 64, 64)`` to a logit each."""
    return Network(
        in_shape=(1, SIZE // 2, SIZE // 2),
        classes=1,
        channels=(8, 16, 32, 32),
        strides=(2, 2, 2, 2),
        num_res_units=1,
        norm="BATCH",
    )


def prepared(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Pictures ``(n, row, column)`` as the network takes them: means of 2 x 2 samples, -1 to 1."""
    scaled = torch.from_numpy(pictures.astype(np.float32))[:, None] / 127.5 - 1
    return torch.nn.functional.avg_pool2d(scaled, 2)


def speckle(picture: NDArray[np.uint8]) -> float:
    """Median standard deviation of the grey levels within windows of 7 x 7 samples.

    Fully developed speckle has 5.6 dB whatever it shows [1]_, here 28 of 255 levels less what the
    blur takes; other pictures have hardly ever as much everywhere.

    References
    ----------
    .. [1] Wagner et al., "Statistics of speckle in ultrasound B-scans", IEEE Trans. Sonics
       Ultrason. 30(3), 1983, doi:10.1109/T-SU.1983.31404
    """
    values = picture.astype(np.float64)
    mean = ndimage.uniform_filter(values, _WINDOW)
    square = ndimage.uniform_filter(values**2, _WINDOW)
    return float(np.median(np.sqrt(np.maximum(square - mean**2, 0))))


class Classifier:
    """A small network, its calibration and a band of probabilities in which it abstains."""

    def __init__(self) -> None:
        content = _WEIGHTS.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != CARD["sha256"]:
            raise ModelError(
                f"expected {_WEIGHTS.name} of sha256 {CARD['sha256']}, got {found}; install "
                "delineate-classify again",
                spec.id,
            )
        self._network = network()
        self._network.load_state_dict(load(content))
        self._network.eval()

    def detect(self, image: Image, options: Options) -> Detection:
        """Probabilities of the whole picture; ``uncertain`` is 1 where it abstains, else 0."""
        picture = np.clip(np.rint(image.array[0]), 0, 255).astype(np.uint8)
        self._demand_speckle(picture)
        with torch.inference_mode():
            logit = float(self._network(prepared(picture[None])))
        malignant = 1 / (1 + math.exp(-(CARD["slope"] * logit + CARD["offset"])))
        low, high = CARD["abstains"]
        abstains = low < malignant < high
        told = (
            f"abstains: the probability of malignant, {malignant:.2f}, lies between "
            f"{low:.2f} and {high:.2f}, where too many would be wrong"
        )
        found = {BENIGN: 1 - malignant, MALIGNANT: malignant, UNCERTAIN: float(abstains)}
        return Detection(Classes(found), remarks=(told,) if abstains else ())

    @staticmethod
    def _demand_speckle(picture: NDArray[np.uint8]) -> None:
        low, high = CARD["speckle"]
        if not low <= (found := speckle(picture)) <= high:
            raise UnsuitableImageError(
                f"expected the speckle of a phantom (a deviation of {low:.1f} to {high:.1f} grey "
                f"levels within {_WINDOW} x {_WINDOW} samples), got {found:.1f}; this classifier "
                "knows only pictures that delineate_classify.phantom makes"
            )
