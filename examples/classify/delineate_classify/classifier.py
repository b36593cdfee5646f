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


def speckle(picture: NDArray[np.uint8]) -> dict[str, float]:
    """What tells speckle from other pictures, in what is left without the mean of 7 x 7 samples.

    Fully developed speckle has the same statistics whatever it shows [1]_: after the logarithm a
    deviation of 5.6 dB and a tail of dark samples; its grain is the blur of the probe.

    Returns
    -------
    dict
        ``deviation`` in grey levels (the median of windows), ``skewness``, and the correlation of
        samples so many rows or columns apart: ``rows_1``, ``rows_3``, ``columns_1``,
        ``columns_3``.

    References
    ----------
    .. [1] Wagner et al., "Statistics of speckle in ultrasound B-scans", IEEE Trans. Sonics
       Ultrason. 30(3), 1983, doi:10.1109/T-SU.1983.31404
    """
    values = picture.astype(np.float64)
    rest = values - ndimage.uniform_filter(values, _WINDOW)
    deviation = np.sqrt(np.maximum(ndimage.uniform_filter(rest**2, _WINDOW), 0))
    power = max(float((rest**2).mean()), 1e-9)
    found = {
        "deviation": float(np.median(deviation)),
        "skewness": float((rest**3).mean() / power**1.5),
    }
    for lag in (1, 3):
        found[f"rows_{lag}"] = float((rest[lag:] * rest[:-lag]).mean() / power)
        found[f"columns_{lag}"] = float((rest[:, lag:] * rest[:, :-lag]).mean() / power)
    return found


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
        for name, found in speckle(picture).items():
            low, high = CARD["speckle"][name]
            if not low <= found <= high:
                raise UnsuitableImageError(
                    f"expected the speckle of a phantom ({name} of {low:.2f} to {high:.2f}), got "
                    f"{found:.2f}; this classifier knows only pictures that "
                    "delineate_classify.phantom makes"
                )
