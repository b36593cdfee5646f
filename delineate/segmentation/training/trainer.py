"""The one loop of training: whatever is learned from, and a run that was killed goes on."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from delineate.errors import InputError
from delineate.segmentation.networks import build_network
from delineate.segmentation.training.loss import segmentation_loss
from delineate.segmentation.training.precision import Precision
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.wrappers import Slicewise

__all__ = ["CHECKPOINT", "LOG", "Example", "checkpoint_step", "cut_log", "fresh_network", "train"]

CHECKPOINT, LOG = "checkpoint.pt", "log.csv"
COLUMNS = ("step", "loss", "rate", "time")

Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Inputs float32 ``(channel, slice, row, column)``, and what the loss compares the logits with: by
default labels int64 ``(slice, row, column)``, and which classes they would show, bool."""

Objective = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(slots=True)
class _State:
    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    step: int = 0

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".partial")
        stored = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
        }
        torch.save(stored, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        stored = torch.load(path, weights_only=True)
        self.network.load_state_dict(stored["network"])
        self.average.load_state_dict(stored["average"])
        self.optimiser.load_state_dict(stored["optimiser"])
        if stored["scaler"]:
            self.scaler.load_state_dict(stored["scaler"])
        self.step = int(stored["step"])


class _Numbered(Dataset[Example]):
    """Examples by number, as a loader wants them."""

    def __init__(self, draw: Callable[[int], Example], count: int) -> None:
        self._draw, self._count = draw, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Example:
        return self._draw(number)


def fresh_network(name: str, arguments: dict[str, Any], seed: int) -> nn.Module:
    """Build a network whose first weights are decided by a seed."""
    torch.manual_seed(seed)
    return build_network(name, arguments)


def train(
    network: nn.Module,
    draw: Callable[[int], Example],
    schedule: Schedule,
    folder: Path,
    *,
    dimensions: int = 3,
    workers: int = 1,
    stop_after: int | None = None,
    precision: Precision | None = None,
    objective: Objective = segmentation_loss,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
    validate: Callable[[nn.Module, int], object] = lambda _network, _step: None,
) -> nn.Module:
    """Train, or go on training, and return the network with averaged weights.

    Parameters
    ----------
    network
        With the weights to begin with; of a run that goes on they come from its checkpoint.
    draw
        Gives an example by its number; always the same one.
    schedule
        How long and how fast.
    folder
        Holds `checkpoint.pt` and `log.csv`.
    dimensions
        2: the network takes single slices, and examples are one slice thick.
    workers
        Processes that draw examples; 0 draws them in this one.
    stop_after
        End at this step with a checkpoint, as a killed run would.
    precision
        Where and in which type to compute. By default a card, if there is one, in half precision.
    objective
        The loss of logits, given the other two parts of the examples.
    report
        Called after each step with its number and loss.
    validate
        Called with the averaged network and the step each ``schedule.validate_every`` steps,
        before the checkpoint; the end of the run is the caller's.

    Raises
    ------
    InputError
        If the loss is no longer a number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if precision is None:
        precision = Precision.of(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    state = _begun(network, schedule, precision, dimensions)
    checkpoint, log = folder / CHECKPOINT, folder / LOG
    if checkpoint.exists():
        state.load(checkpoint)
    cut_log(log, COLUMNS, state.step)
    loader = DataLoader(
        _Numbered(draw, schedule.steps * schedule.batch),
        batch_size=schedule.batch,
        sampler=range(state.step * schedule.batch, schedule.steps * schedule.batch),
        num_workers=workers,
        prefetch_factor=6 if workers else None,
        pin_memory=precision.device.type == "cuda",
    )
    last = schedule.steps if stop_after is None else min(schedule.steps, stop_after)
    step = Slicewise(state.network) if dimensions == 2 else state.network
    with log.open("a", newline="") as stream:
        writer = csv.writer(stream)
        for batch in _until(loader, last - state.step):
            rate = schedule.rate(state.step)
            loss = _learn(state, step, schedule, rate, batch, precision, objective)
            writer.writerow([state.step, f"{loss:.5f}", f"{rate:.6g}", f"{time.time():.1f}"])
            stream.flush()
            if _due(schedule, state.step):
                validate(state.average, state.step)
            if state.step % schedule.checkpoint_every == 0 or state.step == last:
                state.save(checkpoint)
            report(state.step, loss)
    return state.average


def _begun(network: nn.Module, schedule: Schedule, precision: Precision, dimensions: int) -> _State:
    layout = torch.channels_last if dimensions == 2 else torch.channels_last_3d
    network = network.to(precision.device).to(memory_format=layout)  # type: ignore[call-overload]
    average = copy.deepcopy(network).requires_grad_(requires_grad=False).eval()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    return _State(network.train(), average, optimiser, precision.scaler())


def _learn(
    state: _State,
    step: nn.Module,
    schedule: Schedule,
    rate: float,
    batch: Example,
    precision: Precision,
    objective: Objective,
) -> float:
    inputs, labels, known = (part.to(precision.device, non_blocking=True) for part in batch)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    # Whatever a network draws (dropout) is that of the step, so that a killed run goes on alike.
    torch.manual_seed(schedule.seed * 1_000_003 + state.step)
    inputs = inputs.contiguous(memory_format=torch.channels_last_3d)
    with precision.autocast():
        logits = step(inputs)
    loss = objective(logits, labels, known)
    state.optimiser.zero_grad(set_to_none=True)
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    state.scaler.unscale_(state.optimiser)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    state.step += 1
    value = float(loss.detach())
    if not math.isfinite(value):
        raise InputError(
            f"the loss became {value} at step {state.step}; start again in a new folder with a "
            f"learning rate below {schedule.learning_rate:g}, and look for values that are no "
            "numbers in the images"
        )
    _average(state, min(schedule.average, (1 + state.step) / (10 + state.step)))
    return value


def _average(state: _State, decay: float) -> None:
    with torch.no_grad():
        for mean, now in zip(
            state.average.state_dict().values(), state.network.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - decay)
            else:
                mean.copy_(now)


def _due(schedule: Schedule, step: int) -> bool:
    every = schedule.validate_every
    return every > 0 and step % every == 0 and step < schedule.steps


def _until(loader: DataLoader[Any], count: int) -> Iterator[Any]:
    if count <= 0:
        return
    for number, batch in enumerate(loader, start=1):
        yield batch
        if number == count:
            return


def checkpoint_step(path: Path) -> int:
    """The step that a run goes on from; 0 without a checkpoint."""
    return int(torch.load(path, weights_only=True)["step"]) if path.exists() else 0


def cut_log(path: Path, columns: tuple[str, ...], step: int) -> None:
    """Drop what a table by steps says of those after the checkpoint that a run goes on from.

    Parameters
    ----------
    path
        CSV, made if it is not there.
    columns
        Its header, the step first. Rows of another length were being written when a run died.
    step
        The last to keep.
    """
    rows = []
    if path.exists():
        with path.open(newline="") as stream:
            rows = [row for row in csv.reader(stream) if len(row) == len(columns)]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(row for row in rows if row[0].isdigit() and int(row[0]) <= step)
