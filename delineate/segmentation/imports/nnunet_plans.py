"""nnU-Net's ``plans.json``: how one configuration sees images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from delineate.errors import ModelError
from delineate.segmentation.imports.nnunet_network import read_network
from delineate.segmentation.imports.settings import Settings
from delineate.segmentation.intensity import Affine, Clip, MinMax, Step, ZScore
from delineate.segmentation.model import Sampling

__all__ = ["Plans", "read_plans"]

_MRI = ("mr", "mri", "t1", "t2", "flair", "adc", "dwi", "t1w", "t2w", "t1ce", "t1c", "t1gd", "pd")
_PICTURES = "NaturalImage2DIO"
_DEEPEST = 20
_SEPARATE = 3.0
"""nnU-Net resamples a long axis by itself from this ratio of spacings on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """What one configuration of a plan says, axes in the order that the network sees."""

    configuration: str
    dataset: str
    dimensions: Literal[2, 3]
    network: str
    arguments: Mapping[str, Any]
    sampling: Sampling
    patch: tuple[int, int, int]
    steps: tuple[tuple[Step, ...], ...]
    modality: str
    previous: str | None


def read_plans(
    plans: Mapping[str, Any], dataset: Mapping[str, Any], name: str, settings: Settings
) -> Plans:
    """Read one configuration, with what it inherits.

    Raises
    ------
    ModelError
        If something is missing or not understood.
    """
    try:
        return _read(plans, dataset, name, settings)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ModelError(f"plans.json, {name}: {type(error).__name__}: {error}") from error


def _read(
    plans: Mapping[str, Any], dataset: Mapping[str, Any], name: str, settings: Settings
) -> Plans:
    configuration = _inherited(plans["configurations"], name)
    preprocessor = configuration.get("preprocessor_name", "DefaultPreprocessor")
    if preprocessor != "DefaultPreprocessor":
        raise ModelError(f"plans.json, {name}: the preprocessor {preprocessor} is not understood")
    patch = [int(size) for size in configuration["patch_size"]]
    spacing = [float(step) for step in configuration["spacing"]]
    dimensions: Literal[2, 3] = 2 if len(patch) == 2 else 3
    if len(patch) != dimensions or len(spacing) != dimensions:
        raise ModelError(f"plans.json, {name}: expected 2 or 3 axes, got {patch} and {spacing}")
    network, arguments = read_network(configuration, dimensions)
    method, nearest_beyond = _resampling(configuration, name)
    channels = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(channels, Mapping) or not channels:
        raise ModelError("dataset.json has no channel_names")
    steps = (None, *spacing) if dimensions == 2 else tuple(spacing)
    return Plans(
        configuration=name,
        dataset=str(plans.get("dataset_name", "")),
        dimensions=dimensions,
        network=network,
        arguments=arguments,
        sampling=Sampling(
            orientation=_orientation(plans, dataset, settings),
            spacing_mm=(steps[0], steps[1], steps[2]),
            fit="faces",
            method=method,
            nearest_beyond=nearest_beyond,
            crop="nonzero",
            normalise="before",
        ),
        patch=(1, patch[0], patch[1]) if dimensions == 2 else (patch[0], patch[1], patch[2]),
        steps=_normalisation(plans, configuration, len(channels), settings),
        modality=_modality([str(each) for each in channels.values()]),
        previous=configuration.get("previous_stage"),
    )


def _inherited(configurations: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A configuration over those that it inherits from."""
    layers: list[Mapping[str, Any]] = []
    wanted: Any = name
    while wanted is not None:
        if wanted not in configurations or len(layers) > _DEEPEST:
            raise ModelError(
                f"plans.json has no configuration {wanted}, or one that inherits from itself; it "
                f"has {', '.join(configurations)}"
            )
        layers.append(configurations[wanted])
        wanted = layers[-1].get("inherits_from")
    whole: dict[str, Any] = {}
    for layer in reversed(layers):
        whole.update(layer)
    return whole


def _resampling(
    configuration: Mapping[str, Any], name: str
) -> tuple[Literal["cubic", "linear"], float]:
    """Interpolation of the image, and the ratio of spacings beyond which one axis is nearest."""
    function = configuration.get("resampling_fn_data", "resample_data_or_seg_to_shape")
    options = dict(configuration.get("resampling_fn_data_kwargs", {}))
    order, order_z = options.pop("order", 3), options.pop("order_z", 0)
    separate = options.pop("force_separate_z", None)
    beyond = options.pop("separate_z_anisotropy_threshold", _SEPARATE)
    options.pop("is_seg", None)
    known = function == "resample_data_or_seg_to_shape" and not options
    if not known or order not in (1, 3) or order_z != 0 or separate not in (None, False):
        raise ModelError(
            f"plans.json, {name}: images are resampled by {function} with "
            f"{configuration.get('resampling_fn_data_kwargs')}, expected "
            "resample_data_or_seg_to_shape of order 1 or 3 with order_z 0"
        )
    return ("cubic" if order == 3 else "linear"), (
        float("inf") if separate is False else float(beyond)
    )


def _orientation(plans: Mapping[str, Any], dataset: Mapping[str, Any], settings: Settings) -> str:
    """Letters of the network's axes: those of the files, in the order of the plan."""
    order = [int(axis) for axis in plans.get("transpose_forward", (0, 1, 2))]
    if sorted(order) != [0, 1, 2]:
        raise ModelError(f"plans.json: expected transpose_forward to order 3 axes, got {order}")
    reader = str(plans.get("image_reader_writer", ""))
    if "orientation" not in settings and reader == _PICTURES:
        if order != [0, 1, 2]:
            raise ModelError("plans.json: pictures with swapped axes are not understood")
        return ""
    stored = settings.get("orientation")
    if stored is None:
        names = f"{plans.get('dataset_name', '')} {dataset.get('name', '')}".lower()
        if reader != "NibabelIOWithReorient" and "totalsegmentator" not in names:
            raise ModelError(
                "nnU-Net sees arrays as the training files store them, and a result folder does "
                "not say how that was. Give the ends that the axes (slice, row, column) of the "
                "arrays grow towards: --set orientation=SPL for files made of DICOM that keep its "
                "order (columns to the left, rows to the back, slices upwards), "
                "--set orientation=SAR for NIfTI stored as RAS. For a training image, "
                "nibabel.aff2axcodes(image.affine) read backwards is the answer"
            )
        stored = "SAR"
    if len(str(stored)) != 3:
        raise ModelError(f"expected an orientation of three letters, got {stored!r}")
    return "".join(str(stored)[axis] for axis in order)


def _normalisation(
    plans: Mapping[str, Any], configuration: Mapping[str, Any], channels: int, settings: Settings
) -> tuple[tuple[Step, ...], ...]:
    schemes = [str(each).rpartition(".")[2] for each in configuration["normalization_schemes"]]
    masks = list(configuration.get("use_mask_for_norm", [False] * channels))
    if len(schemes) != channels or len(masks) != channels:
        raise ModelError(f"plans.json: expected {channels} normalization_schemes, got {schemes}")
    numbers = plans.get(
        "foreground_intensity_properties_per_channel",
        plans.get("foreground_intensity_properties_by_modality", {}),
    )
    return tuple(
        _steps(scheme, bool(mask), numbers.get(str(channel), {}), settings)
        for channel, (scheme, mask) in enumerate(zip(schemes, masks, strict=True))
    )


def _steps(
    scheme: str, mask: bool, numbers: Mapping[str, Any], settings: Settings
) -> tuple[Step, ...]:
    if scheme == "CTNormalization":
        low, high = float(numbers["percentile_00_5"]), float(numbers["percentile_99_5"])
        return Clip(low, high), Affine(float(numbers["mean"]), max(float(numbers["std"]), 1e-8))
    if scheme == "ZScoreNormalization":
        if mask and settings.get("mask") != "nonzero":
            raise ModelError(
                "the images are normalised within a mask: what is not 0 in any channel, its holes "
                "filled. Here it can be all samples of the channel that are not 0, which is the "
                "same but for zeros within; accept that with --set mask=nonzero"
            )
        return (ZScore(nonzero=mask),)
    if scheme == "NoNormalization":
        return ()
    if scheme == "RescaleTo01Normalization":
        return (MinMax(0.0, 1.0),)
    if scheme == "RGBTo01Normalization":
        return (Affine(0.0, 255.0),)
    raise ModelError(f"plans.json: the normalisation {scheme} is not understood")


def _modality(channels: Sequence[str]) -> str:
    words = [name.strip().lower() for name in channels]
    if words == ["ct"]:
        return "CT"
    return "MR" if all(word.partition("_")[0] in _MRI for word in words) else ""
