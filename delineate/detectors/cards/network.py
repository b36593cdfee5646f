"""What runs a network for a card, and the detector around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from delineate.detectors.cards.card import Card
from delineate.detectors.cards.interpretation import InputPart, OutputPart
from delineate.detectors.cards.reading import Reader, reader_of
from delineate.detectors.cards.tensors import Frame, fill
from delineate.errors import BadDetectionError
from delineate.imaging import Image
from delineate.plugins import Detection, Monitor

__all__ = ["Network", "NetworkDetector", "wanted_outputs"]


class Network(Protocol):
    """One network, wherever it runs."""

    def run(
        self, tensor: NDArray[Any], outputs: Sequence[str], monitor: Monitor
    ) -> Mapping[str, NDArray[Any]]:
        """Outputs by name; of all names if none are asked for."""
        ...


class NetworkDetector:
    """Hands an image to a network, slice by slice or whole, and says what its outputs mean.

    Parameters
    ----------
    card
        Its categories, and what it says of input and output.
    taken, given
        Input and output.
    network
        What runs.
    device
        Where, for the record.
    """

    def __init__(
        self, card: Card, taken: InputPart, given: OutputPart, network: Network, device: str
    ) -> None:
        self._categories = tuple(each.category for each in card.categories)
        self._taken, self._given = taken, given
        self._network, self._device = network, device

    def detect_monitored(self, image: Image, options: Any, monitor: Monitor) -> Detection:
        """Find what the card declares; may be cancelled between slices."""
        reader = reader_of(
            self._given, self._categories, image, getattr(options, "threshold", None)
        )
        coloured = bool(image.channels)
        if self._taken.axes == 3:
            self._read(reader, 0, image.array, coloured, monitor)
        else:
            for number, plane in enumerate(image.array):
                monitor.progress(number / len(image.array), "looking at slices")
                monitor.checkpoint()
                self._read(reader, number, plane, coloured, monitor)
        return reader.detection(self._device)

    def _read(
        self,
        reader: Reader,
        number: int,
        samples: NDArray[Any],
        coloured: bool,
        monitor: Monitor,
    ) -> None:
        extent = samples.shape[: self._taken.axes]
        frame = Frame.of(self._taken, extent)
        tensor = fill(self._taken, samples, coloured, frame)
        outputs = self._network.run(tensor, wanted_outputs(self._given), monitor)
        for name, array in outputs.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise BadDetectionError(f"the network's output {name!r} holds NaN or infinity")
        channels_last = self._taken.layout[1] != "C"
        reader.read(number, frame, outputs, channels_last)


def wanted_outputs(given: OutputPart) -> tuple[str, ...]:
    """Names of the outputs that a card asks for; none: it takes the first."""
    names = (given.name, getattr(given, "scores", None), getattr(given, "labels", None))
    return tuple(name for name in names if name is not None)
