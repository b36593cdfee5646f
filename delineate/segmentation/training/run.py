"""The whole road of ``delineate train``: from a folder of labelled images to a model folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from delineate.errors import InputError, OptionError
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import read_model, write_model
from delineate.segmentation.training.card import model_card
from delineate.segmentation.training.curves import draw_curves
from delineate.segmentation.training.fingerprint import fingerprint
from delineate.segmentation.training.layouts import CaseFiles, DataSet, find
from delineate.segmentation.training.pairs import read_pair
from delineate.segmentation.training.patches import Patches, Recipe
from delineate.segmentation.training.plan import Options, Plan, split, stored_plan
from delineate.segmentation.training.planning import make_plan
from delineate.segmentation.training.precision import Precision
from delineate.segmentation.training.samples import Sample, prepare
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.training.trainer import (
    CHECKPOINT,
    LOG,
    checkpoint_step,
    cut_log,
    train,
)
from delineate.segmentation.training.tuning import first_network
from delineate.segmentation.training.validation import COLUMNS, summary, validate

if TYPE_CHECKING:
    from rich.progress import Progress
    from torch import nn

__all__ = ["Data", "gathered", "train_model"]

PLAN, CASES, TABLE, CURVES = "plan.json", "cases", "validation.csv", "curves.png"
_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Data:
    """Cases by name, and which of them are kept back.

    ``kept`` is ``None`` where they are to be drawn from the others.
    """

    dataset: DataSet
    cases: Mapping[str, CaseFiles]
    kept: tuple[str, ...] | None = None


def gathered(
    folder: Path, names: Mapping[int, str] | None = None, validation: Path | None = None
) -> Data:
    """Find the cases of a data set, and those of validation where they have their own folder.

    Raises
    ------
    InputError
        If there are none, or the two folders do not name the same labels.
    """
    dataset = find(folder, names)
    cases = {case.name: case for case in dataset.cases}
    if validation is None:
        return Data(dataset, cases)
    other = find(validation, names)
    if dict(other.names) != dict(dataset.names):
        raise InputError(
            f"{validation} names the labels {dict(other.names)}, {folder} names them "
            f"{dict(dataset.names)}; expected the same"
        )
    held = {f"validation/{case.name}": case for case in other.cases}
    return Data(dataset, cases | held, tuple(held))


def train_model(
    data: Data,
    folder: Path,
    options: Options,
    *,
    workers: int = 1,
    device: str = "auto",
    progress: Progress | None = None,
) -> Model:
    """Plan, prepare, train, measure and write the model folder; or go on with what was begun.

    Parameters
    ----------
    data
        What to learn from.
    folder
        Of the run: `plan.json`, `cases`, `checkpoint.pt`, `log.csv`, `validation.csv`,
        `curves.png`, and in the end `model`.
    options
        What is asked for.
    workers
        Processes that draw patches.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    progress
        Shows how far it is.

    Raises
    ------
    InputError
        If the data cannot be used, or the run was begun with other options or cases.
    """
    precision = Precision.of(_device(device))
    folder.mkdir(parents=True, exist_ok=True)
    plan, base = _planned(data, folder, options, precision, progress)
    training, held = _prepared(data, folder, plan, progress)
    network, kept = first_network(plan.model, base, plan.schedule.seed)
    table = folder / TABLE
    cut_log(table, COLUMNS, checkpoint_step(folder / CHECKPOINT))

    def measure(network: nn.Module, step: int) -> None:
        validate(network, plan.model, held, precision, table, step)
        draw_curves(folder / LOG, table, folder / CURVES)

    task = progress.add_task("steps", total=plan.schedule.steps) if progress else None

    def report(step: int, loss: float) -> None:
        if progress is not None and task is not None:
            progress.update(task, completed=step, description=f"loss {loss:.3f}")

    network = train(
        network,
        Patches(training, _recipe(plan.model), plan.schedule.seed),
        plan.schedule,
        folder,
        dimensions=plan.model.dimensions,
        workers=workers,
        precision=precision,
        report=report,
        validate=measure,
    )
    cut_log(table, COLUMNS, plan.schedule.steps - 1)
    scores = validate(network, plan.model, held, precision, table, plan.schedule.steps)
    draw_curves(folder / LOG, table, folder / CURVES)
    return _written(plan, network, summary(scores), folder, kept)


def _device(name: str) -> torch.device:
    there = torch.cuda.is_available()
    if name not in ("auto", "cpu", "cuda") or (name == "cuda" and not there):
        raise OptionError(f"device is auto, cpu or cuda; got {name}, CUDA is there: {there}")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def _planned(
    data: Data,
    folder: Path,
    options: Options,
    precision: Precision,
    progress: Progress | None,
) -> tuple[Plan, Model | None]:
    """The plan of the run, new or as it was, and the model that is tuned."""
    path = folder / PLAN
    if path.exists():
        plan = stored_plan(path, options, list(data.cases))
        plan.write(path)
        return plan, _read_base(plan.options)
    base = _read_base(options)
    seed = Schedule().seed if options.seed is None else options.seed
    if data.kept is None:
        share = _SHARE if options.validation is None else options.validation
        cases = split(list(data.cases), share, seed)
    else:
        cases = tuple(name for name in data.cases if name not in data.kept), data.kept
    task = progress.add_task("looking at the cases", total=len(cases[0])) if progress else None

    def report(_: int) -> None:
        if progress is not None and task is not None:
            progress.advance(task)

    found = fingerprint([data.cases[name] for name in cases[0]], data.dataset, report)
    card = precision.device.type == "cuda"
    plan = make_plan(folder, data.dataset, found, options, cases, base, on_a_card=card)
    plan.write(path)
    return plan, base


def _read_base(options: Options) -> Model | None:
    return None if options.base is None else read_model(Path(options.base))


def _prepared(
    data: Data, folder: Path, plan: Plan, progress: Progress | None
) -> tuple[list[Sample], list[Sample]]:
    """Samples to learn from and samples kept back; those that are missing are made."""
    numbers = {name: number for number, name in enumerate(sorted(data.cases))}
    task = progress.add_task("preparing the cases", total=len(numbers)) if progress else None
    for name, number in numbers.items():
        sample = Sample(folder / CASES, number)
        if not sample.is_made():
            image, labels = read_pair(data.cases[name], data.dataset)
            prepare(image, labels, plan.model, sample)
        if progress is not None and task is not None:
            progress.advance(task)
    training, held = (
        [Sample(folder / CASES, numbers[name]) for name in names]
        for names in (plan.training, plan.validation)
    )
    return training, held


def _recipe(model: Model) -> Recipe:
    a, b, c = (1.0 if step is None else step for step in model.sampling.spacing_mm)
    return Recipe(
        shape=model.tiles.shape, spacing=(a, b, c), classes=model.classes, mirror=model.mirror
    )


def _written(
    plan: Plan, network: nn.Module, measured: dict[str, Any], folder: Path, kept: str
) -> Model:
    training = {**plan.model.training, "schedule": asdict(plan.schedule), "began_with": kept}
    model = replace(plan.model, training=training, metrics={"validation": measured})
    model = write_model(model, [network.state_dict()])
    shutil.copyfile(folder / CURVES, model.folder / CURVES)
    (model.folder / "README.md").write_text(model_card(plan, model, measured, kept), "utf-8")
    return model
