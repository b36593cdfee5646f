"""What decides a run of training: written down when it begins, so that it goes on alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import InputError, OptionError
from delineate.segmentation.training.plan import split

__all__ = ["Options", "Split", "agreed", "splits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What may be chosen.

    Parameters
    ----------
    steps, batch, learning_rate, seed, checkpoint_every
        See `segmentation.training.schedule.Schedule`.
    side
        Rows and columns of a patch.
    channels
        Width of the network at each level: the first at half of a picture's rows and columns, each
        other at half of those before.
    zoom
        Patches are enlarged and shrunk by up to this factor.
    levels
        How often pictures are looked at, each time at half the size.
    size_px
        How long the things are; ``None``: see `pictures.usual_size`.
    within_px
        Most between a point that was set and one that was found; ``None``: the size.
    validation
        Share of the pictures kept back; not with folds.
    folds
        Parts of the pictures, each of which is kept back once; 0: none.
    traps
        Generated traps to learn from besides.
    rounds
        How often to learn, ``steps`` each time. From the second time on from points that were
        moved to where the network sees things; see `snapping`.
    base
        Folder of a model with the same network whose weights to begin with; ``None``: from nothing.
    name, title, licence
        Of the model.
    """

    steps: int = 3000
    batch: int = 12
    learning_rate: float = 2e-3
    seed: int = 1
    side: int = 96
    channels: tuple[int, ...] = (32, 64, 96, 128)
    zoom: float = 1.25
    levels: int = 1
    size_px: float | None = None
    within_px: float | None = None
    validation: float = 0.2
    folds: int = 0
    traps: int = 0
    rounds: int = 1
    base: str | None = None
    checkpoint_every: int = 50
    name: str = "points"
    title: str = ""
    licence: str = "not stated"

    def __post_init__(self) -> None:
        if self.zoom < 1 or not 1 <= self.levels <= 4 or len(self.channels) < 2:
            raise OptionError(
                "expected a zoom of 1 or more, 1 to 4 levels and two channels or more, got "
                f"{self.zoom}, {self.levels}, {self.channels}"
            )
        halvings = len(self.channels) - 1
        if self.side % 2**halvings or self.side < 32:
            raise OptionError(
                f"expected a patch of 32 or more that can be halved {halvings} times, got "
                f"{self.side}"
            )
        if not 1 <= self.rounds <= 9:
            raise OptionError(f"expected 1 to 9 rounds, got {self.rounds}")
        if self.folds == 1 or self.folds < 0:
            raise OptionError(f"expected two folds or more, or none, got {self.folds}")


@dataclass(frozen=True, slots=True)
class Split:
    """Names of pictures to learn from, and of those kept back."""

    training: tuple[str, ...]
    held: tuple[str, ...]


def splits(names: Sequence[str], options: Options) -> list[Split]:
    """What is learned from what: one split, or one for each fold and a last one of all pictures."""
    if not options.folds:
        training, held = split(names, options.validation, options.seed)
        return [Split(training, held)]
    if len(names) < options.folds:
        raise OptionError(f"{len(names)} pictures do not make {options.folds} folds; ask for less")
    order = np.random.default_rng([options.seed, 3]).permutation(sorted(names)).tolist()
    parts = [tuple(sorted(order[part :: options.folds])) for part in range(options.folds)]
    every = tuple(sorted(names))
    folds = [Split(tuple(name for name in every if name not in part), part) for part in parts]
    return [*folds, Split(every, ())]


def agreed(path: Path, options: Options, names: Sequence[str]) -> None:
    """Write the plan of a run, or see that it goes on as it began; it may become longer.

    Raises
    ------
    InputError
        Naming what differs from before.
    """
    now = json.loads(json.dumps({"options": asdict(options), "pictures": list(names)}))
    if path.exists():
        before = _read(path)
        longer = replace(options, steps=max(options.steps, before["options"]["steps"]))
        if longer != options:
            raise InputError(
                f"the run in {path.parent} has {before['options']['steps']} steps already; give "
                "as many or more"
            )
        differing = [
            f"{key} {before['options'].get(key)}, now {value}"
            for key, value in now["options"].items()
            if key != "steps" and before["options"].get(key) != value
        ]
        if before["pictures"] != now["pictures"]:
            differing.append("other pictures")
        if differing:
            raise InputError(
                f"the run in {path.parent} was started with {'; '.join(differing)}; leave that "
                "out, or start a new run in another folder"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
        return {"options": dict(content["options"]), "pictures": list(content["pictures"])}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no plan that can be read: {error}; start anew") from error
