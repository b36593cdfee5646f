"""The whole road of ``delineate train``: from a folder of labelled images to a model folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from delineate.errors import InputError, OptionError
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import describe_model, read_model, write_model
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
from delineate.segmentation.training.validation import COLUMNS, measure, note, summary

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
    samples = _prepared(data, folder, plan, progress)
    first, kept = first_network(plan.model, base, plan.schedule.seed)
    table = folder / TABLE
    cut_log(table, COLUMNS, checkpoint_step(folder / CHECKPOINT))

    def publish(network: nn.Module, step: int) -> Model:
        """Write the model as it is, measure it and draw the curves."""
        model = write_model(plan.model, [network.state_dict()])
        held = (read_pair(data.cases[name], data.dataset) for name in plan.validation)
        scores = measure(model, held, precision.device.type)
        note(table, step, scores)
        draw_curves(folder / LOG, table, folder / CURVES)
        return _described(plan, model, summary(scores), step, kept)

    with _shown(progress, "steps", plan.schedule.steps) as show:
        network = train(
            first,
            Patches(samples, _recipe(plan.model), plan.schedule.seed),
            plan.schedule,
            folder,
            dimensions=plan.model.dimensions,
            workers=workers,
            precision=precision,
            report=lambda step, loss: show(step, f"loss {loss:.3f}"),
            validate=publish,
        )
    cut_log(table, COLUMNS, plan.schedule.steps - 1)
    return publish(network, plan.schedule.steps)


@contextmanager
def _shown(
    progress: Progress | None, what: str, total: int
) -> Iterator[Callable[[int, str], None]]:
    """Give what tells of the steps that are done, if there is anybody to tell."""
    if progress is None:
        yield lambda _done, _what: None
        return
    task = progress.add_task(what, total=total)
    yield lambda done, now: progress.update(task, completed=done, description=now)


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
        plan = stored_plan(path, options, list(data.cases), data.dataset.names)
        plan.write(path)
        return plan, _read_base(plan.options)
    base = _read_base(options)
    seed = Schedule().seed if options.seed is None else options.seed
    if data.kept is None:
        share = _SHARE if options.validation is None else options.validation
        cases = split(list(data.cases), share, seed)
    else:
        cases = tuple(name for name in data.cases if name not in data.kept), data.kept
    looked_at = [data.cases[name] for name in cases[0]]
    with _shown(progress, "looking at the cases", len(looked_at)) as show:
        found = fingerprint(
            looked_at, data.dataset, lambda done: show(done + 1, "looking at the cases")
        )
    card = precision.device.type == "cuda"
    plan = make_plan(folder, data.dataset, found, options, cases, base, on_a_card=card)
    plan.write(path)
    return plan, base


def _read_base(options: Options) -> Model | None:
    return None if options.base is None else read_model(Path(options.base))


def _prepared(data: Data, folder: Path, plan: Plan, progress: Progress | None) -> list[Sample]:
    """Samples to learn from; those that are missing are made."""
    samples = [Sample(folder / CASES, number) for number in range(len(plan.training))]
    with _shown(progress, "preparing the cases", len(samples)) as show:
        for sample, name in zip(samples, plan.training, strict=True):
            if not sample.is_made():
                image, labels = read_pair(data.cases[name], data.dataset)
                prepare(image, labels, plan.model, sample)
            show(sample.number + 1, "preparing the cases")
    return samples


def _recipe(model: Model) -> Recipe:
    a, b, c = (1.0 if step is None else step for step in model.sampling.spacing_mm)
    shape, spacing = model.tiles.shape, (a, b, c)
    if model.dimensions == 2 and model.modality == "photo":
        return Recipe.of_picture(shape, spacing, model.classes, model.mirror)
    return Recipe(shape=shape, spacing=spacing, classes=model.classes, mirror=model.mirror)


def _described(plan: Plan, model: Model, measured: dict[str, Any], step: int, kept: str) -> Model:
    """Add to a model folder what is known of it: numbers, card, curves."""
    training = {
        **model.training,
        "steps": step,
        "schedule": asdict(plan.schedule),
        "began_with": kept,
    }
    model = describe_model(replace(model, training=training, metrics={"validation": measured}))
    shutil.copyfile(model.folder.parent / CURVES, model.folder / CURVES)
    (model.folder / "README.md").write_text(model_card(plan, model), "utf-8")
    return model
