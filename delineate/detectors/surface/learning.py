"""Learn from good pictures alone what is normal, and from where on something is not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.detectors.surface.detector import planes
from delineate.errors import InputError, OptionError
from delineate.imaging import Category, Image
from delineate.segmentation.intensity import Affine
from delineate.segmentation.model import Model, Sampling, Tiles
from delineate.segmentation.model_file import UNWRITTEN, write_model
from delineate.segmentation.structures import Structure
from delineate.segmentation.texture_memory import TextureMemory

__all__ = ["Plan", "false_alarm_threshold", "learn_good"]

_LEAST_PICTURES = 3
_FOLDS = 5
_VECTORS = 30_000  # of all pictures together, that the memory is chosen from
_TILE, _OVERLAP = 1024, 0.125
_USE = "Finds what is unlike the good pictures that were shown; what it does not find may be there."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides a model.

    Parameters
    ----------
    name, title, licence
        Of the model.
    false_alarms
        Share of good pictures that may show something.
    levels, kept
        See `TextureMemory`.
    seed
        Decides which vectors are looked at.
    """

    name: str
    title: str = "Unlike good pictures"
    licence: str = "not stated"
    false_alarms: float = 0.1
    levels: int = 4
    kept: int = 1000
    seed: int = 1


def learn_good(
    pictures: Sequence[Image],
    folder: Path,
    plan: Plan,
    progress: Callable[[float], None] = lambda _: None,
) -> Model:
    """Learn, measure on pictures kept back in turn, and write a model folder.

    Parameters
    ----------
    pictures
        At least three, with the same channels (one or three), of what is looked at later and by
        the same camera.
    folder
        Of the model.
    plan
        See there.
    progress
        Told the share that is done.

    Raises
    ------
    InputError
        If there are fewer pictures, or they are not alike.
    """
    arrays = _alike(pictures)
    channels = arrays[0].shape[-1] if arrays[0].ndim == 4 else 1
    model = _described(plan, folder, channels, _white(arrays))
    inputs = [torch.from_numpy(planes(model, each)) for each in arrays]
    folds = min(_FOLDS, len(inputs))
    highest: list[float] = []
    for fold in range(folds):
        network = _learned(model, [x for n, x in enumerate(inputs) if n % folds != fold], plan)
        with torch.inference_mode():
            highest += [float(network(x).max()) for x in inputs[fold::folds]]
        progress((fold + 1) / (folds + 1))
    threshold, rate = false_alarm_threshold(highest, plan.false_alarms)
    network = _learned(model, inputs, plan)
    progress(1.0)
    settings = {"threshold": round(threshold, 4), "false_alarms": round(rate, 4)}
    training = {
        "pictures": len(inputs),
        "samples": int(sum(x.shape[-2] * x.shape[-1] for x in inputs)),
        "highest_scores_kept_back": [round(score, 3) for score in sorted(highest)],
        "asked_false_alarms": plan.false_alarms,
        "seed": plan.seed,
    }
    model = replace(model, settings=settings, training=training)
    return write_model(model, [network.state_dict()])


def false_alarm_threshold(highest: Sequence[float], share: float) -> tuple[float, float]:
    """Score that a good picture that was not learned from exceeds no more often than a share.

    Of ``n`` pictures kept back and a new one, each is as likely as the other to hold the k-th
    highest score; so a new one exceeds the k-th lowest of ``n`` with probability
    ``(n + 1 - k) / (n + 1)`` (split conformal prediction, Vovk et al., 2005).

    Parameters
    ----------
    highest
        Highest score of each picture kept back.
    share
        Wanted; what ``n`` pictures cannot bear out becomes ``1 / (n + 1)``.

    Returns
    -------
    threshold, share
        The score, and the share that it stands for.
    """
    if not 0 < share < 1:
        raise OptionError(f"expected a share of false alarms above 0 and below 1, got {share}")
    count = len(highest)
    place = min(count, math.ceil((count + 1) * (1 - share) - 1e-9))
    place = max(1, place)
    above = float(np.nextafter(np.float32(sorted(highest)[place - 1]), np.float32(np.inf)))
    return above, (count + 1 - place) / (count + 1)


def _alike(pictures: Sequence[Image]) -> list[NDArray[Any]]:
    if len(pictures) < _LEAST_PICTURES:
        raise InputError(
            f"expected at least {_LEAST_PICTURES} good pictures, got {len(pictures)}; the "
            "threshold comes from pictures that are kept back in turn"
        )
    first = pictures[0]
    for number, picture in enumerate(pictures, start=1):
        if picture.grid.shape[0] != 1 or len(picture.channels) not in (0, 1, 3):
            raise InputError(
                f"expected photographs in grey or RGB, picture {number} has {picture.array.shape}"
            )
        same = picture.channels == first.channels and picture.array.dtype == first.array.dtype
        if not same:
            raise InputError(
                f"expected pictures alike, picture {number} has {len(picture.channels)} channels "
                f"of {picture.array.dtype}, the first {len(first.channels)} of {first.array.dtype}"
            )
    return [picture.array for picture in pictures]


def _white(arrays: Sequence[NDArray[Any]]) -> float:
    """What stands for full brightness: the largest integer, or the largest sample."""
    if arrays[0].dtype.kind == "u":
        return float(np.iinfo(arrays[0].dtype).max)
    return max(1e-6, max(float(np.nanmax(np.abs(array))) for array in arrays))


def _described(plan: Plan, folder: Path, channels: int, white: float) -> Model:
    anomaly = Structure(
        Category("anomaly", colour=(213, 94, 0)),
        min_volume_ml=0.0,
        single=False,
        hu_range=(-1e6, 1e6),
        enclosed=False,
    )
    return Model(
        folder=folder,
        name=plan.name,
        title=plan.title,
        licence=plan.licence,
        intended_use=_USE,
        modality="photo",
        finds="anomalies",
        dimensions=2,
        network="TextureMemory",
        arguments={"channels": channels, "levels": plan.levels, "kept": plan.kept},
        weights=UNWRITTEN,
        sampling=Sampling(orientation=""),
        tiles=Tiles(shape=(1, _TILE, _TILE), overlap=_OVERLAP),
        inputs=tuple((channel, (Affine(0.0, white),)) for channel in range(channels)),
        activation="sigmoid",
        structures=(anomaly,),
    )


def _learned(model: Model, inputs: Sequence[torch.Tensor], plan: Plan) -> TextureMemory:
    """A network that has seen pictures ``(1, channel, row, column)``."""
    network = TextureMemory(**model.arguments).eval()
    generator = torch.Generator().manual_seed(plan.seed)
    share = max(1, _VECTORS // len(inputs))
    vectors = []
    with torch.inference_mode():
        for picture in inputs:
            found = network.features(picture)[0].flatten(1).T
            some = torch.randperm(len(found), generator=generator)[:share]
            vectors.append(found[some])
        every = torch.cat(vectors)
        if len(every) < plan.kept:
            raise InputError(
                f"the good pictures are too small: they give {len(every)} places to remember, "
                f"expected {plan.kept}; show larger ones, or keep fewer"
            )
        network.learn(every, generator)
    return network
