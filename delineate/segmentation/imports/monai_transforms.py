"""MONAI's transforms around a network, as far as a model folder can say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from delineate.errors import ModelError
from delineate.segmentation.imports.monai_config import Config, bare_name
from delineate.segmentation.intensity import Affine, Clip, MinMax, Step, ZScore

__all__ = ["After", "Before", "read_after", "read_before"]

NEUTRAL = frozenset(
    {
        *("LoadImage", "EnsureType", "EnsureChannelFirst", "AddChannel", "ToTensor"),
        *("DeleteItems", "CastToType", "SaveImage", "ToDevice", "Identity", "SelectItems"),
        *("FromMetaTensor", "ToMetaTensor"),
    }
)
"""Transforms that change no value that matters here."""

_HARMLESS = frozenset(
    {"_target_", "_desc_", "_requires_", "keys", "allow_missing_keys", "lazy", "dtype"}
)
_WHOLE_IMAGE = (ZScore, MinMax)


@dataclass(slots=True)
class Before:
    """What happens to an image before the network: ``steps`` for each input channel.

    ``orientation`` is empty where the bundle leaves the axes as the file has them; ``normalise``
    says whether the steps come before or after the sampling.
    """

    orientation: str = ""
    spacing_mm: tuple[float, float, float] | None = None
    steps: list[list[Step]] = field(default_factory=list)
    normalise: str = "after"
    cropped: bool = False


@dataclass(slots=True)
class After:
    """What happens to the network's answer: its activation, and labels kept in one piece."""

    activation: str = ""
    single: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Transform:
    """One transform: its name without the ``d`` of those for dictionaries, and its arguments."""

    name: str
    where: str
    config: Config
    raw: Mapping[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        """An argument as plain data."""
        return self.config.plain(f"{self.where}#{key}") if key in self.raw else default

    def first(self, key: str) -> Any:
        """An argument, of the first of several keys if each has its own."""
        value = self.get(key)
        return value[0] if isinstance(value, list) and value else value

    def flag(self, key: str) -> bool:
        """Whether an argument is set; bundles also write ``"True"``."""
        value = self.first(key)
        if value not in (None, True, False, "True", "False", "true", "false"):
            raise ModelError(f"{self.where} has {key}={value!r}, expected true or false")
        return str(value).lower() == "true"

    def only(self, *known: str, **defaults: Any) -> None:
        """Refuse arguments other than these, unless they say what is assumed anyway."""
        for key in set(self.raw) - set(known) - _HARMLESS:
            if key not in defaults or self.get(key) not in (defaults[key], [defaults[key]]):
                raise ModelError(
                    f"{self.where} ({self.name}) has {key}={self.raw[key]!r}, which is not "
                    "understood"
                )


def read_before(config: Config, channels: int) -> Before:
    """Read ``preprocessing``.

    Raises
    ------
    ModelError
        If a transform is not understood, or its order makes a difference that cannot be said.
    """
    before = Before(steps=[[] for _ in range(channels)])
    for each in _transforms(config, "preprocessing"):
        if each.name in NEUTRAL:
            continue
        if each.name == "Orientation":
            _orient(each, before)
        elif each.name == "Spacing":
            _space(each, before)
        elif each.name == "CropForeground":
            each.only("source_key", "margin", "allow_smaller", "k_divisible", "mode")
            before.cropped = True
        elif each.name in _INTENSITY:
            _step(each, before)
        else:
            raise ModelError(
                f"{each.where} is {each.name}, which no model folder can say; what is understood: "
                f"{', '.join(sorted({'Orientation', 'Spacing', 'CropForeground', *_INTENSITY}))}"
            )
    return before


def read_after(config: Config) -> After:
    """Read ``postprocessing``: softmax with the largest, or sigmoid from one half."""
    after = After()
    threshold = False
    for each in _transforms(config, "postprocessing"):
        if each.name in NEUTRAL or each.name == "Invert":
            continue
        if each.name == "Activations":
            if each.flag("softmax") or each.flag("sigmoid"):
                after.activation = "softmax" if each.flag("softmax") else "sigmoid"
            each.only("softmax", "sigmoid", other=None)
        elif each.name == "AsDiscrete":
            each.only("argmax", "threshold", "to_onehot", rounding=None)
            threshold = each.first("threshold") is not None
            if each.first("threshold") not in (None, 0.5):
                raise ModelError(f"{each.where} has threshold {each.get('threshold')}, not 0.5")
            if each.flag("argmax"):
                after.activation = "softmax"
        elif each.name == "KeepLargestConnectedComponent":
            labels = each.get("applied_labels")
            if not isinstance(labels, list):
                labels = [1 if labels is None else labels]
            after.single = tuple(int(label) for label in labels)
        else:
            raise ModelError(
                f"{each.where} is {each.name}, which changes the answer and is not understood; "
                "to leave postprocessing aside say how labels exclude each other: "
                "--set activation=softmax (or sigmoid)"
            )
    if not after.activation or (threshold and after.activation != "sigmoid"):
        raise ModelError(
            "the postprocessing does not say whether labels exclude each other; give it: "
            "--set activation=softmax (or sigmoid)"
        )
    return after


def _transforms(config: Config, key: str) -> Iterator[_Transform]:
    """All that are not switched off; those of a ``Compose`` one by one."""
    listed, where = config.raw(key), key
    if isinstance(listed, dict):
        if bare_name(listed.get("_target_"), key) != "Compose":
            raise ModelError(f"{key} is {listed.get('_target_')}, expected Compose")
        where = f"{key}#transforms"
        listed = config.raw(where)
    if not isinstance(listed, list):
        config.plain(where)  # names an expression
        raise ModelError(f"{where} is no list of transforms")
    for number in range(len(listed)):
        place = f"{where}#{number}"
        raw = config.raw(place)
        if not isinstance(raw, dict):
            config.plain(place)
            raise ModelError(f"{place} is no transform")
        if "_disabled_" in raw and str(config.plain(f"{place}#_disabled_")).lower() == "true":
            continue
        name = bare_name(raw.get("_target_"), place)
        for suffix in ("Dict", "D", "d"):  # of transforms for dictionaries
            if name not in _KNOWN and name.removesuffix(suffix) in _KNOWN:
                name = name.removesuffix(suffix)
        raw = {key: value for key, value in raw.items() if key != "_disabled_"}
        yield _Transform(name, place, config, raw)


def _orient(each: _Transform, before: Before) -> None:
    each.only("axcodes", "labels", as_closest_canonical=False)
    if each.get("labels") not in (None, [["L", "R"], ["P", "A"], ["I", "S"]]):
        raise ModelError(f"{each.where} has labels of its own, which are not understood")
    if before.spacing_mm is not None:
        raise ModelError(f"{each.where}: Orientation comes after Spacing, expected it before")
    before.orientation = str(each.get("axcodes", "RAS"))


def _space(each: _Transform, before: Before) -> None:
    each.only(
        "pixdim",
        "padding_mode",
        "align_corners",
        "recompute_affine",
        "ensure_same_shape",
        "meta_keys",
        mode="bilinear",
        diagonal=False,
        scale_extent=False,
    )
    steps = each.get("pixdim")
    if not isinstance(steps, list) or len(steps) != 3 or not all(_positive(s) for s in steps):
        raise ModelError(f"{each.where} has pixdim {steps}, expected three positive numbers")
    before.spacing_mm = (float(steps[0]), float(steps[1]), float(steps[2]))
    if any(before.steps):
        before.normalise = "before"


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _step(each: _Transform, before: Before) -> None:
    if before.spacing_mm is not None and before.normalise == "before":
        raise ModelError(
            f"{each.where} ({each.name}) comes after Spacing, other steps of intensity before it; "
            "expected all on one side"
        )
    for channel, steps in enumerate(before.steps):
        new = _INTENSITY[each.name](each, channel, len(before.steps))
        if before.cropped and any(isinstance(step, _WHOLE_IMAGE) for step in new):
            raise ModelError(
                f"{each.where} ({each.name}) looks at the image that CropForeground left; only "
                "crops that change nothing but the margins are understood"
            )
        steps.extend(new)


def _range(each: _Transform, channel: int, channels: int) -> list[Step]:
    del channel, channels
    each.only("a_min", "a_max", "b_min", "b_max", "clip")
    low, high = float(each.get("a_min")), float(each.get("a_max"))
    to_low, to_high = each.get("b_min"), each.get("b_max")
    if to_low is None or to_high is None:
        clip, to_low, to_high = False, 0.0, 1.0
    else:
        clip = each.flag("clip")
    if not (low < high and to_low < to_high):
        raise ModelError(f"{each.where} turns the intensities round or flattens them")
    divide = (high - low) / (to_high - to_low)
    steps: list[Step] = [Clip(low, high)] if clip else []
    return [*steps, Affine(low - to_low * divide, divide)]


def _scale(each: _Transform, channel: int, channels: int) -> list[Step]:
    del channel
    each.only("minv", "maxv", "factor", "channel_wise")
    low, high = each.get("minv", 0.0), each.get("maxv", 1.0)
    if low is None and high is None:
        factor = each.get("factor")
        return [] if factor is None else [Affine(0.0, 1 / (1 + float(factor)))]
    if low is None or high is None:
        raise ModelError(f"{each.where} has one of minv and maxv, expected both")
    _each_channel(each, channels)
    return [MinMax(float(low), float(high))]


def _normalise(each: _Transform, channel: int, channels: int) -> list[Step]:
    each.only("subtrahend", "divisor", "nonzero", "channel_wise")
    nonzero = each.flag("nonzero")
    pair = [each.get("subtrahend"), each.get("divisor")]
    if pair == [None, None]:
        _each_channel(each, channels)
        return [ZScore(nonzero=nonzero)]
    if None in pair or nonzero:
        raise ModelError(
            f"{each.where} has subtrahend or divisor alone, or together with nonzero; expected "
            "both, of all samples"
        )
    subtract, divide = (
        value[channel] if isinstance(value, list) and each.flag("channel_wise") else value
        for value in pair
    )
    if not all(isinstance(value, (int, float)) for value in (subtract, divide)):
        raise ModelError(f"{each.where}: expected a number for each channel")
    return [Affine(float(subtract), float(divide) or 1.0)]


def _each_channel(each: _Transform, channels: int) -> None:
    if channels > 1 and not each.flag("channel_wise"):
        raise ModelError(
            f"{each.where} ({each.name}) looks at all {channels} channels together; expected "
            "channel_wise"
        )


_INTENSITY = {
    "ScaleIntensityRange": _range,
    "ScaleIntensity": _scale,
    "NormalizeIntensity": _normalise,
}
_KNOWN = (
    NEUTRAL
    | set(_INTENSITY)
    | {"Orientation", "Spacing", "CropForeground", "Invert", "Activations", "AsDiscrete"}
    | {"KeepLargestConnectedComponent"}
)
