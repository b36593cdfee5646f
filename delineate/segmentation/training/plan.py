"""What decides a run: written down when it begins, so that it goes on alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from delineate.errors import InputError, OptionError
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import model_from_json, model_json
from delineate.segmentation.training.schedule import Schedule

__all__ = ["Options", "Plan", "split", "stored_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; ``None``: as suits the data.

    Parameters
    ----------
    dimensions
        2: a network for single slices.
    spacing_mm
        Steps along the axes of the network's input.
    patch
        Samples along them.
    network, channels
        Of `shapes.NETWORKS`, and its width at each level.
    mirror
        ``"none"``, ``"all"``, or some of ``"slices,rows,columns"``.
    steps, batch, learning_rate, seed, validate_every
        See `schedule.Schedule`.
    validation
        Share of the cases kept back.
    modality, name, licence
        Of the model.
    base
        Folder of the model that is tuned.
    """

    dimensions: int | None = None
    spacing_mm: tuple[float, ...] | None = None
    patch: tuple[int, ...] | None = None
    network: str | None = None
    channels: tuple[int, ...] | None = None
    mirror: str | None = None
    steps: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    seed: int | None = None
    validate_every: int | None = None
    validation: float | None = None
    modality: str | None = None
    name: str | None = None
    licence: str | None = None
    base: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that decides a run.

    Parameters
    ----------
    options
        What was asked for.
    schedule
        See there.
    model
        What the run ends in, its weights unwritten.
    numbers
        Of the labels in the files, in label order.
    training, validation
        Names of the cases; they stay in the folder of the run.
    """

    options: Options
    schedule: Schedule
    model: Model
    numbers: tuple[int, ...]
    training: tuple[str, ...]
    validation: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        content = {
            "options": asdict(self.options),
            "schedule": asdict(self.schedule),
            "model": model_json(self.model),
            "numbers": self.numbers,
            "training": self.training,
            "validation": self.validation,
        }
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
        partial.replace(path)


def stored_plan(
    path: Path, options: Options, names: Sequence[str], labels: Mapping[int, str]
) -> Plan:
    """Read the plan of a run that goes on.

    Parameters
    ----------
    path
        Of `plan.json`.
    options
        What is asked for now: what is left out is as before, and steps may become more.
    names, labels
        Of the cases that are there now, and of the numbers in them.

    Raises
    ------
    InputError
        If something else is asked for than before, or the cases are others.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        before = {key: _tupled(value) for key, value in content["options"].items()}
        plan = Plan(
            options=Options(**before),
            schedule=Schedule(**content["schedule"]),
            model=model_from_json(path.parent / "model", content["model"]),
            numbers=tuple(content["numbers"]),
            training=tuple(content["training"]),
            validation=tuple(content["validation"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no plan that can be read: {error}; start anew") from error
    used = _used(plan)
    differing = []
    for key, value in asdict(options).items():
        if value is None or value in (before[key], used.get(key)):
            continue
        if key == "steps" and value > plan.schedule.steps:
            plan = replace(plan, schedule=replace(plan.schedule, steps=value))
            continue
        differing.append(f"{key} {used.get(key, before[key])}, now {value}")
    if differing:
        raise InputError(
            f"the run in {path.parent} was started with {'; '.join(differing)}; leave that out, or "
            "start a new run in another folder"
        )
    if set(names) != {*plan.training, *plan.validation}:
        raise InputError(
            f"the run in {path.parent} was started with {len(plan.training)} cases and "
            f"{len(plan.validation)} of validation; other cases are there now, start a new run in "
            "another folder"
        )
    called = [each.category.name for each in plan.model.structures]
    if dict(labels) != (learned := dict(zip(plan.numbers, called, strict=True))):
        raise InputError(
            f"the run in {path.parent} was started with the labels {learned}, now they are "
            f"{dict(labels)}; start a new run in another folder"
        )
    return plan


def _used(plan: Plan) -> dict[str, Any]:
    """What options came to where they were left out."""
    schedule, model = plan.schedule, plan.model
    names = ("steps", "batch", "learning_rate", "seed", "validate_every")
    return {name: getattr(schedule, name) for name in names} | {
        "dimensions": model.dimensions,
        "spacing_mm": model.sampling.spacing_mm,
        "patch": model.tiles.shape,
        "network": model.network,
        "name": model.name,
        "licence": model.licence,
    }


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def split(names: Sequence[str], share: float, seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Cases to learn from and cases kept back; the same names and seed give the same.

    Of two cases or more at least one is kept back, unless the share is 0.
    """
    if not 0 <= share < 1:
        raise OptionError(f"expected a share for validation from 0 to below 1, got {share}")
    names = sorted(names)
    count = min(len(names) - 1, max(1, round(share * len(names)))) if share else 0
    order = np.random.default_rng([seed, 2]).permutation(len(names))
    kept = {names[int(position)] for position in order[:count]}
    return tuple(name for name in names if name not in kept), tuple(sorted(kept))
