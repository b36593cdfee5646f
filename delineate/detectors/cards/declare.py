"""From a card to the declaration of a detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from pydantic import Field

from delineate.detectors.cards.card import Card
from delineate.detectors.cards.interpretation import (
    BoxesOutput,
    InputPart,
    LabelsOutput,
    MasksOutput,
    OutputPart,
    PeaksOutput,
)
from delineate.detectors.cards.remote_options import options_of
from delineate.errors import ModelError
from delineate.plugins import DetectorSpec, Options, OutputKind, Task, Wants, Weights

__all__ = ["ThresholdOptions", "detector_of"]

_TASKS: Mapping[OutputKind, Task] = MappingProxyType(
    {
        "labelmap": "segmentation",
        "masks": "segmentation",
        "instances": "detection",
        "classes": "classification",
        "field": "anomaly",
        "image": "restoration",
    }
)
_PACKAGE = "delineate.detectors.cards"
_ANY_SLICES = 1 << 16


class ThresholdOptions(Options):
    """Options of networks whose outputs are probabilities."""

    threshold: float | None = Field(
        None, ge=0, le=1, description="Least probability of a finding; by default the card's."
    )


def detector_of(card: Card, folder: Path) -> DetectorSpec:
    """The detector that a stored card makes.

    Parameters
    ----------
    card
        As `store.add` left it: with what it has been filled in by files and servers.
    folder
        Where it lies, its files beside it.

    Raises
    ------
    ModelError
        If something has not been filled in, or the card contradicts itself.
    """
    if card.gives is None:
        raise ModelError(
            f"the card {card.id} does not say what it gives; have it filled in: delineate cards "
            "add CARD"
        )
    try:
        return DetectorSpec(
            id=card.id,
            title=card.title,
            factory=_factory(card),
            arguments={"folder": str(folder)},
            categories=tuple(each.category for each in card.categories),
            version=card.version,
            task=card.task or _TASKS[card.gives],
            wants=_wants(card),
            gives=card.gives,
            options=_options(card),
            weights=_weights(card),
            memory_mb=card.memory_mb,
            memory_bytes_per_sample=card.memory_bytes_per_sample,
            count_error=card.count_error,
            intended_use=card.intended_use,
        )
    except (ValueError, TypeError) as error:
        raise ModelError(f"the card {card.id} makes no detector: {error}") from error


def _factory(card: Card) -> str:
    if card.onnx is not None:
        return f"{_PACKAGE}.onnx_detector:OnnxDetector"
    if card.kserve is not None:
        return f"{_PACKAGE}.kserve:KserveDetector"
    if card.monailabel is not None:
        return f"{_PACKAGE}.monailabel:MonaiLabelDetector"
    return f"{_PACKAGE}.service:ServiceDetector"


def _wants(card: Card) -> Wants:
    """What the card wants, and what its network or its server cannot do without."""
    if card.monailabel is not None:
        return replace(card.wants, unit="mm", channels=0)
    network = card.onnx or card.kserve
    if network is None or network.input.fit == "stretch" or card.wants.tile is not None:
        return card.wants
    return _cut(card.wants, network.input)


def _cut(wants: Wants, taken: InputPart) -> Wants:
    """Tiles as large as a network of fixed size takes, an eighth of them shared."""
    if taken.size is None:
        return wants
    if taken.axes == 3:
        tile = (taken.size[0], taken.size[1], taken.size[2])
    else:
        tile = (_ANY_SLICES, taken.size[0], taken.size[1])
    shared = min((size for size in tile if size > 1), default=0) // 8
    return replace(wants, tile=tile, overlap=wants.overlap or shared)


def _options(card: Card) -> type[Options]:
    if card.delineate is not None:
        return options_of(card.id, card.delineate.options_schema or {})
    network = card.onnx or card.kserve
    if network is not None and _has_threshold(network.output):
        return ThresholdOptions
    return Options


def _has_threshold(given: OutputPart) -> bool:
    if isinstance(given, LabelsOutput):
        return given.activation == "sigmoid"
    return isinstance(given, MasksOutput | PeaksOutput | BoxesOutput)


def _weights(card: Card) -> tuple[Weights, ...]:
    if card.delineate is not None:
        return tuple(
            Weights(name=one["name"], sha256=one["sha256"], licence=one["licence"])
            for one in card.delineate.weights
        )
    if card.onnx is None:
        return ()
    return tuple(
        Weights(name=f"{card.id}/{one.file}", sha256=one.sha256 or "", licence=card.licence)
        for one in card.onnx.files
    )
