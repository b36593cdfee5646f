"""Plan a run from its data and what was asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import InputError, OptionError
from delineate.imaging import Category, anatomy
from delineate.segmentation.intensity import Affine, Clip, Step, ZScore
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import UNWRITTEN
from delineate.segmentation.structures import Structure
from delineate.segmentation.training.fingerprint import Fingerprint
from delineate.segmentation.training.layouts import DataSet
from delineate.segmentation.training.plan import Options, Plan
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.training.shapes import network_arguments, patch_shape, suited_network

__all__ = ["INTENDED_USE", "make_plan"]

INTENDED_USE = "Research and software development. Not a medical device, not for diagnosis."

_CHANNELS = {3: (16, 32, 64, 128), 2: (16, 32, 64, 128, 256)}
_SAMPLES = {3: 64**3, 2: 256**2}  # of a patch: a gigabyte or so, and a second a step on two cores
_ON_A_CARD = 8
_BATCH = {3: 2, 2: 8}
_AXES = ("slices", "rows", "columns")


def make_plan(
    folder: Path,
    dataset: DataSet,
    found: Fingerprint,
    options: Options,
    cases: tuple[Sequence[str], Sequence[str]],
    base: Model | None,
    *,
    on_a_card: bool = False,
) -> Plan:
    """Plan a run.

    Parameters
    ----------
    folder
        Of the run.
    dataset, found
        What is learned from, and what was measured of it.
    options
        What was asked for.
    cases
        Names of those to learn from, and of those kept back.
    base
        The model that is tuned: its network, sampling and intensities are kept.
    on_a_card
        Plan for the memory of a graphics card.
    """
    structures = tuple(_structure(name, found.unit) for name in dataset.names.values())
    model = Model(
        folder=folder / "model",
        name=options.name or _slug(folder.resolve().name),
        title=", ".join(dataset.names.values())[:120],
        licence=options.licence or "not stated",
        intended_use=INTENDED_USE,
        modality=options.modality or _modality(found),
        structures=structures,
        weights=UNWRITTEN,
        training={
            "layout": dataset.layout,
            "cases": len(cases[0]),
            "cases_kept_back": len(cases[1]),
            "cases_with_label": dict(zip(dataset.names.values(), found.counts, strict=True)),
        },
        **(
            _as_data(found, options, len(structures) + 1, on_a_card)
            if base is None
            else _as_base(base, found, options, len(structures) + 1)
        ),
    )
    model = replace(model, mirror=_mirror(options.mirror, model, found))
    plain = Schedule()
    steps = options.steps or plain.steps
    schedule = replace(
        plain,
        batch=options.batch or _BATCH[model.dimensions],
        steps=steps,
        warmup=min(plain.warmup, steps // 10),
        learning_rate=options.learning_rate or plain.learning_rate / (1 if base is None else 4),
        seed=plain.seed if options.seed is None else options.seed,
        validate_every=options.validate_every or 0,
    )
    return Plan(
        options=options,
        schedule=schedule,
        model=model,
        numbers=tuple(dataset.names),
        training=tuple(cases[0]),
        validation=tuple(cases[1]),
    )


def _as_data(found: Fingerprint, options: Options, classes: int, on_a_card: bool) -> dict[str, Any]:
    dimensions = options.dimensions or (2 if found.is_flat else 3)
    if dimensions not in (2, 3):
        raise OptionError(f"dimensions is 2 or 3, got {dimensions}")
    letters, axes = ("SPL", [0, 1, 2]) if found.unit == "mm" else ("", [0, 1, 2])
    median = np.median(found.spacings, axis=0)
    if dimensions == 2 and letters:  # slices across the axis of the longest steps
        thick = int(np.argmin(found.shapes[0])) if found.is_flat else int(np.argmax(median))
        axes = [thick, *(axis for axis in axes if axis != thick)]
        letters = "".join(letters[axis] for axis in axes)
    native = [float(step) for step in median[axes].round(4)]
    steps = _three(options.spacing_mm, native)
    extents = found.shapes[:, axes] * found.spacings[:, axes] / steps
    extent = np.maximum(np.median(extents, axis=0).round(), 1).astype(int).tolist()
    channels = options.channels or _CHANNELS[dimensions]
    spacing = (steps[0], steps[1], steps[2])
    if options.patch is not None:
        wanted = [1] * (3 - len(options.patch)) + list(options.patch)
        patch = (wanted[0], wanted[1], wanted[2])
    else:
        most = _SAMPLES[dimensions] * (_ON_A_CARD if on_a_card else 1)
        patch = patch_shape(extent, spacing, most, len(channels), dimensions)
    if (dimensions == 2) != (patch[0] == 1) or min(patch) < 1 or len(options.patch or ()) > 3:
        raise OptionError(f"expected a patch of {dimensions} sizes above 1, got {options.patch}")
    kept = [None if options.spacing_mm is None and found.unit == "px" else step for step in steps]
    if dimensions == 2:
        kept[0] = None  # single slices are taken as they are
    name = options.network or suited_network(dimensions, classes, channels, patch, spacing)
    return {
        "dimensions": dimensions,
        "network": name,
        "arguments": network_arguments(
            name, dimensions, len(found.modalities), classes, channels, patch, spacing
        ),
        "sampling": Sampling(orientation=letters, spacing_mm=(kept[0], kept[1], kept[2])),
        "tiles": Tiles(shape=patch),
        "inputs": tuple((n, _steps(found, n)) for n in range(len(found.modalities))),
    }


def _as_base(base: Model, found: Fingerprint, options: Options, classes: int) -> dict[str, Any]:
    given = ("dimensions", "spacing_mm", "patch", "network", "channels")
    if changed := [name for name in given if getattr(options, name) is not None]:
        raise OptionError(
            f"{', '.join(changed)}: a model that is tuned keeps its own; leave that out"
        )
    if base.previous is not None or base.activation != "softmax":
        raise InputError(
            f"model {base.name} is one of a cascade, or finds regions that overlap; only models of "
            "labels that exclude each other are tuned"
        )
    if (most := max(channel for channel, _ in base.inputs) + 1) > len(found.modalities):
        raise InputError(
            f"model {base.name} reads {most} channels, the images have {len(found.modalities)}"
        )
    if bool(base.sampling.orientation) != (found.unit == "mm"):
        raise InputError(f"model {base.name} is for other images: these are in {found.unit}")
    return {
        "dimensions": base.dimensions,
        "network": base.network,
        "arguments": {**base.arguments, "out_channels": classes},
        "sampling": base.sampling,
        "tiles": base.tiles,
        "inputs": base.inputs,
    }


def _three(given: tuple[float, ...] | None, native: list[float]) -> list[float]:
    if given is None:
        return native
    if len(given) not in (1, 3) or min(given) <= 0:
        raise OptionError(f"expected a spacing of one or three positive numbers, got {given}")
    return list(given) * (3 // len(given))


def _steps(found: Fingerprint, channel: int) -> tuple[Step, ...]:
    """Fixed numbers for CT, whose values mean something; else those of each image."""
    values = found.intensities[channel]
    if found.modalities[channel] != "CT" or not values.size:
        return (ZScore(),)
    low, high = (float(each) for each in np.percentile(values, (0.5, 99.5)))
    if not low < high:
        return (ZScore(),)
    mean, deviation = float(values.mean()), max(float(values.std()), 1e-3)
    return Clip(round(low, 3), round(high, 3)), Affine(round(mean, 3), round(deviation, 3))


def _mirror(asked: str | None, model: Model, found: Fingerprint) -> tuple[int, ...]:
    first = 1 if model.dimensions == 2 else 0
    sided = any(each.category.laterality for each in model.structures) or any(
        re.search(r"left|right|(^|[ _.-])[lr]($|[ _.-])", each.category.name, re.IGNORECASE)
        for each in model.structures
    )
    letters = model.sampling.orientation
    if asked is None:
        if not letters:
            return (1, 2)
        across = next(axis for axis, letter in enumerate(letters) if letter in "LR")
        return () if sided or across < first else (across,)
    words = [] if asked == "none" else list(_AXES[first:]) if asked == "all" else asked.split(",")
    if not set(words) <= set(_AXES[first:]):
        raise OptionError(f"mirror is none, all or some of {','.join(_AXES[first:])}, got {asked}")
    return tuple(sorted(_AXES.index(word) for word in set(words)))


def _structure(name: str, unit: str) -> Structure:
    """A label of which nothing is taken for granted."""
    known = anatomy.category(name) if unit == "mm" else None
    category = Category(name) if known is None else replace(known, name=name)
    return Structure(
        category, min_volume_ml=0.0, single=False, hu_range=(-1e6, 1e6), enclosed=False
    )


def _modality(found: Fingerprint) -> str:
    alike = set(found.modalities)
    only = alike.pop() if len(alike) == 1 else "unknown"
    return "" if only == "unknown" else only


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"
