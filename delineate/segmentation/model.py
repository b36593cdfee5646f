"""What a learned model declares about itself: data, never code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite, prod
from pathlib import Path
from typing import Any, Literal, get_args

from delineate.imaging import axis_order
from delineate.segmentation.intensity import Step
from delineate.segmentation.structures import Structure

__all__ = [
    "Activation",
    "Finds",
    "Fit",
    "Method",
    "Model",
    "Sampling",
    "Tiles",
    "WeightsFile",
]

Fit = Literal["centre", "faces", "first"]
Method = Literal["average", "linear", "cubic"]
Activation = Literal["softmax", "sigmoid"]
Finds = Literal["labels", "points", "anomalies"]
Spacing = tuple[float | None, float | None, float | None]
Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How an image is brought to the grid that a network works on.

    Parameters
    ----------
    orientation
        Letters of the ends that the axes of the network's input grow towards, such as ``"SPL"``;
        empty: axes as the image stores them, for pictures.
    spacing_mm
        Step along each of these axes; ``None``: that of the image. In pixels for pictures.
    fit
        Where the samples lie. ``"centre"``: exact steps, centred on the image. ``"faces"``: as
        many steps as fit best, stretched so that the outer faces coincide with the image's (as
        nnU-Net). ``"first"``: exact steps from the centre of the image's first sample (as MONAI's
        ``Spacing``).
    method
        ``"average"``: means over blocks of about a step, interpolated linearly; nothing is
        aliased. ``"linear"``: linear interpolation between the nearest samples. ``"cubic"``:
        interpolating cubic B-spline (as nnU-Net).
    nearest_beyond
        With steps whose longest is more than so many times the shortest, the long axis is sampled
        by nearest neighbour, in the image and in the labels (nnU-Net: 3).
    crop
        ``"nonzero"``: only the box around samples that are not 0 is looked at, as nnU-Net does.
    normalise
        Whether intensities are normalised before or after sampling.
    """

    orientation: str = "SPL"
    spacing_mm: Spacing = (None, None, None)
    fit: Fit = "centre"
    method: Method = "average"
    nearest_beyond: float = inf
    crop: Literal["none", "nonzero"] = "none"
    normalise: Literal["before", "after"] = "after"

    def __post_init__(self) -> None:
        if self.orientation:
            axis_order("SPL", self.orientation)  # raises if it is none
        if len(self.spacing_mm) != 3 or not all(
            step is None or (isfinite(step) and step > 0) for step in self.spacing_mm
        ):
            raise ValueError(f"expected three positive spacings or null, got {self.spacing_mm}")
        _one_of("fit", self.fit, get_args(Fit))
        _one_of("method", self.method, get_args(Method))
        _one_of("crop", self.crop, ("none", "nonzero"))
        _one_of("normalise", self.normalise, ("before", "after"))
        if not self.nearest_beyond > 1:
            raise ValueError(f"expected nearest_beyond above 1, got {self.nearest_beyond}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiles:
    """How the working grid is cut for the network, and its answers are merged.

    Parameters
    ----------
    shape
        Samples that the network sees at once, in the axes of `Sampling.orientation`.
    overlap
        Share that neighbouring tiles have in common, 0 to below 1.
    placement
        ``"even"``: as many as are needed, evenly spread (as nnU-Net). ``"flush"``: at fixed
        steps, the last flush with the end (as MONAI).
    weight
        What an answer counts: ``"gaussian"`` (standard deviation an eighth of the tile, never
        below 0.001 of the middle, as MONAI), ``"nnunet"`` (the same around sample ``size // 2``,
        and next to nothing in the corners) or ``"constant"``.
    padding
        What surrounds an image smaller than a tile: its ``"edge"``, or ``"zero"`` in normalised
        values.
    """

    shape: Triple
    overlap: float = 0.5
    placement: Literal["even", "flush"] = "even"
    weight: Literal["gaussian", "nnunet", "constant"] = "gaussian"
    padding: Literal["edge", "zero"] = "edge"

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"expected a tile of three positive sizes, got {self.shape}")
        if max(self.shape) > _LONGEST_TILE or prod(self.shape) > _LARGEST_TILE:
            raise ValueError(
                f"expected tiles of at most {_LONGEST_TILE} samples a side and {_LARGEST_TILE} in "
                f"all, got {self.shape}"
            )
        if not 0 <= self.overlap < 1:
            raise ValueError(f"expected an overlap from 0 to below 1, got {self.overlap}")
        _one_of("placement", self.placement, ("even", "flush"))
        _one_of("weight", self.weight, ("gaussian", "nnunet", "constant"))
        _one_of("padding", self.padding, ("edge", "zero"))


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights beside the description: its name, and sha256 in hexadecimal.

    Safetensors, as they are or packed by xz (``.safetensors.xz``).
    """

    name: str
    sha256: str

    def __post_init__(self) -> None:
        plain = self.name and not set(self.name) & set("/\\:\0") and self.name[0] != "."
        if not plain or not self.name.endswith((".safetensors", ".safetensors.xz")):
            raise ValueError(
                f"expected the weights in a .safetensors file of the folder, got {self.name!r}"
            )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """What a model folder declares.

    Parameters
    ----------
    folder
        Where it lies.
    name, version, title, licence, intended_use, source
        For people; ``name`` of lower-case words joined by dots and dashes.
    modality
        Of the images it reads, such as ``"CT"``; empty for any.
    finds
        What the network's answers mean. ``"labels"``: which structure a sample belongs to.
        ``"points"``: for each structure a map that peaks where one of its things is.
        ``"anomalies"``: one map of how unlike anything good a sample is.
    settings
        Numbers that this meaning needs, such as the threshold of a peak; as JSON has them.
    dimensions
        2: the network sees single slices, and tiles are one slice thick.
    network, arguments
        See `networks.build_network`.
    weights
        One file, or several of the same network, whose logits are averaged.
    sampling, tiles
        See there.
    inputs
        For each channel of the network the channel of the image (counted from 0) and the steps
        that normalise it.
    activation
        ``"softmax"``: classes exclude each other, background first. ``"sigmoid"``: regions, one
        output each and no background; of those above one half the last one in order counts.
    structures
        In label order; the first has label 1, background is 0.
    outputs
        Of a sigmoid model: the label that each output of the network stands for, in the order in
        which later ones overrule earlier ones. Empty: 1, 2, 3 ...
    mirror
        Axes, counted from 0, along which the network was trained to be flipped.
    previous
        Model whose labels the network sees as further channels, one each (a cascade).
    metrics, training
        Whatever was measured and done, for people.
    """

    folder: Path
    name: str
    version: str = "1"
    title: str = ""
    licence: str
    intended_use: str
    source: str = ""
    modality: str = "CT"
    finds: Finds = "labels"
    settings: Mapping[str, Any] = field(default_factory=dict)
    dimensions: Literal[2, 3] = 3
    network: str
    arguments: Mapping[str, Any]
    weights: tuple[WeightsFile, ...]
    sampling: Sampling
    tiles: Tiles
    inputs: tuple[tuple[int, tuple[Step, ...]], ...]
    activation: Activation = "softmax"
    structures: tuple[Structure, ...]
    outputs: tuple[int, ...] = ()
    mirror: tuple[int, ...] = ()
    previous: Model | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [structure.category.name for structure in self.structures]
        if not names or len(set(names)) != len(names) or len(names) > _MOST_LABELS:
            raise ValueError(
                f"expected 1 to {_MOST_LABELS} labels with names of their own, got {names}"
            )
        if not self.weights or not self.inputs:
            raise ValueError("expected at least one file of weights and one input channel")
        _one_of("activation", self.activation, get_args(Activation))
        _one_of("dimensions", self.dimensions, (2, 3))
        _one_of("finds", self.finds, get_args(Finds))
        if self.finds != "labels" and self.activation != "sigmoid":
            raise ValueError(f"expected sigmoid for {self.finds}, got {self.activation}")
        if self.finds == "anomalies" and len(names) != 1:
            raise ValueError(f"expected one label for anomalies, got {names}")
        if self.dimensions == 2 and self.tiles.shape[0] != 1:
            raise ValueError(f"expected tiles of one slice, got {self.tiles.shape}")
        if not set(self.mirror) <= {0, 1, 2}:
            raise ValueError(f"expected axes from 0 to 2 to mirror, got {self.mirror}")
        if self.activation == "sigmoid" and len(self.region_labels) > _MOST_REGIONS:
            raise ValueError(f"expected at most {_MOST_REGIONS} regions, got {self.outputs}")
        if not set(self.outputs) <= set(range(1, len(names) + 1)):
            raise ValueError(f"expected outputs to be labels of {names}, got {self.outputs}")

    @property
    def classes(self) -> int:
        """Channels of the network's output."""
        if self.activation == "sigmoid":
            return len(self.region_labels)
        return len(self.structures) + 1

    @property
    def region_labels(self) -> tuple[int, ...]:
        """Of a sigmoid model: the label of each output."""
        return self.outputs or tuple(range(1, len(self.structures) + 1))

    @property
    def channels(self) -> int:
        """Channels of the network's input."""
        return len(self.inputs) + (len(self.previous.structures) if self.previous else 0)

    @property
    def key(self) -> str:
        """Hexadecimal name of exactly this network with these weights."""
        import hashlib
        import json

        content = [self.network, dict(self.arguments), [file.sha256 for file in self.weights]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


_LONGEST_TILE, _LARGEST_TILE = 4096, 1 << 26
_MOST_LABELS = 254
_MOST_REGIONS = 7


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}, got {value!r}")
