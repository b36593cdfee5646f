"""Train a segmentation model and write its folder.

``python -m delineate.segmentation.train --help``, or ``delineate train``. A run that was killed
goes on from its last checkpoint when started again with the same folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from delineate.phantom import STRUCTURES
from delineate.segmentation.augment import Case, Recipe, draw_patch
from delineate.segmentation.cases import LabelledCase, labelled_cases, phantom_pool
from delineate.segmentation.intensity import applied
from delineate.segmentation.loss import segmentation_loss
from delineate.segmentation.networks import build_network
from delineate.segmentation.publish import WINDOWS, publish


def unet_arguments(channels: Sequence[int] = (24, 48, 96, 192)) -> dict[str, Any]:
    """Arguments of the shipped U-Net, or of one of another width."""
    return {
        "spatial_dims": 3,
        "in_channels": len(WINDOWS),
        "out_channels": len(STRUCTURES),
        "channels": list(channels),
        "strides": [2] * (len(channels) - 1),
        "num_res_units": 1,
        "norm": "instance",
    }


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides a training run.

    Parameters
    ----------
    steps, batch, learning_rate, weight_decay
        AdamW; the rate rises over `warmup` steps, stays, and falls as a cosine to zero over the
        last `cooldown` share of the steps, so that a run can be lengthened afterwards.
    average
        Decay of the running mean of the weights; the mean is what is kept.
    real_after, real_share
        From which step on, and how often, a labelled CT is drawn instead of a phantom.
    seed
        With the step it decides every patch.
    checkpoint_every
        Steps between checkpoints.
    """

    steps: int = 12_000
    batch: int = 2
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup: int = 200
    cooldown: float = 0.3
    average: float = 0.998
    real_after: int = 0
    real_share: float = 0.25
    seed: int = 1
    checkpoint_every: int = 100
    recipe: Recipe = field(default_factory=Recipe)
    network: str = "UNet"
    arguments: dict[str, Any] = field(default_factory=unet_arguments)

    def rate(self, step: int) -> float:
        """Learning rate at a step."""
        falling = max(1, round(self.steps * self.cooldown))
        start = self.steps - falling
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        fall = 1.0 if step < start else 0.5 * (1 + math.cos(math.pi * (step - start) / falling))
        return self.learning_rate * rise * fall


class Patches(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Patches by number; the same number and seed always give the same patch."""

    def __init__(self, phantoms: Sequence[Case], real: Sequence[Case], plan: Plan) -> None:
        self._phantoms, self._real, self._plan = phantoms, real, plan

    def __len__(self) -> int:
        return self._plan.steps * self._plan.batch

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        plan = self._plan
        rng = np.random.default_rng([plan.seed, number])
        share = plan.real_share if number // plan.batch >= plan.real_after else 0.0
        pool = self._real if self._real and rng.random() < share else self._phantoms
        patch = draw_patch(pool[int(rng.integers(len(pool)))], plan.recipe, rng)
        hu = patch.hu.numpy()
        inputs = torch.from_numpy(np.stack([applied(steps, hu) for steps in WINDOWS]))
        return inputs, patch.labels, patch.known


@dataclass(slots=True)
class _State:
    network: torch.nn.Module
    average: torch.nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".partial")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "step": self.step,
            },
            partial,
        )
        partial.replace(path)

    def load(self, path: Path) -> None:
        stored = torch.load(path, weights_only=True)
        self.network.load_state_dict(stored["network"])
        self.average.load_state_dict(stored["average"])
        self.optimiser.load_state_dict(stored["optimiser"])
        self.step = int(stored["step"])


def train(
    plan: Plan,
    phantoms: Sequence[Case],
    real: Sequence[LabelledCase],
    folder: Path,
    *,
    stop_after: int | None = None,
    workers: int = 1,
    report: Callable[[int, float], None] = lambda _step, _loss: None,
) -> torch.nn.Module:
    """Train, or go on training, and return the network with averaged weights.

    Parameters
    ----------
    plan
        What to do.
    phantoms, real
        What to learn from; either may be empty, not both.
    folder
        Holds `checkpoint.pt` and `log.csv`.
    stop_after
        End at this step with a checkpoint, as a killed run would.
    workers
        Processes that draw patches; 0 draws them in this one.
    report
        Called after each step with its number and loss.
    """
    if not phantoms and not real:
        raise ValueError("expected at least one phantom or labelled case, got none")
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = _fresh_state(plan, device)
    checkpoint, log = folder / "checkpoint.pt", folder / "log.csv"
    if checkpoint.exists():
        state.load(checkpoint)
    _cut_log(log, state.step)
    patches = Patches(phantoms or real, real if phantoms else (), plan)
    numbers = range(state.step * plan.batch, plan.steps * plan.batch)
    loader = DataLoader(
        patches,
        batch_size=plan.batch,
        sampler=list(numbers),
        num_workers=workers,
        prefetch_factor=6 if workers else None,
    )
    last = plan.steps if stop_after is None else min(plan.steps, stop_after)
    with log.open("a", newline="") as stream:
        writer = csv.writer(stream)
        for inputs, labels, known in _until(loader, last - state.step):
            rate = plan.rate(state.step)
            loss = _learn(
                state, plan, rate, (inputs.to(device), labels.to(device), known.to(device))
            )
            writer.writerow([state.step, f"{loss:.5f}", f"{rate:.6g}", f"{time.time():.1f}"])
            if state.step % plan.checkpoint_every == 0 or state.step == last:
                stream.flush()
                state.save(checkpoint)
            report(state.step, loss)
    return state.average


def _fresh_state(plan: Plan, device: torch.device) -> _State:
    torch.manual_seed(plan.seed)
    network = build_network(plan.network, plan.arguments).to(device)
    network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    average = build_network(plan.network, plan.arguments).to(device)
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
    )
    return _State(network, average, optimiser)


def _learn(
    state: _State, plan: Plan, rate: float, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> float:
    inputs, labels, known = batch
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    inputs = inputs.contiguous(memory_format=torch.channels_last_3d)
    loss = segmentation_loss(state.network(inputs), labels, known)
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 5.0)
    state.optimiser.step()
    state.step += 1
    decay = min(plan.average, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for mean, now in zip(
            state.average.state_dict().values(), state.network.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - decay)
            else:
                mean.copy_(now)
    return float(loss.detach())


def _until(loader: DataLoader[Any], count: int) -> Iterator[Any]:
    if count <= 0:
        return
    for number, batch in enumerate(loader, start=1):
        yield batch
        if number == count:
            return


def _cut_log(path: Path, step: int) -> None:
    """Drop what was logged after the checkpoint a run goes on from."""
    rows = []
    if path.exists():
        with path.open(newline="") as stream:
            rows = [row for row in csv.reader(stream) if row and row[0].isdigit()]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["step", "loss", "rate", "time"])
        writer.writerows(row for row in rows if int(row[0]) <= step)


def run(
    out: Path,
    plan: Plan,
    *,
    pool: Path,
    phantoms: int,
    data: Path | None,
    workers: int = 1,
) -> None:
    """Paint or load the phantoms, read the labelled CTs, train and write the model folder."""
    from rich.progress import Progress

    with Progress() as bar:
        painting = bar.add_task("phantoms", total=phantoms)
        bodies = phantom_pool(pool, phantoms, progress=lambda _: bar.advance(painting))
        real = labelled_cases(data) if data is not None else []
        learning = bar.add_task("steps", total=plan.steps)
        network = train(
            plan,
            bodies,
            real,
            out,
            workers=workers,
            report=lambda step, loss: bar.update(
                learning, completed=step, description=f"loss {loss:.3f}"
            ),
        )
    summary = {
        "steps": plan.steps,
        "phantoms": phantoms,
        "labelled_cts": [case.name for case in real],
        "plan": json.loads(json.dumps(asdict(plan))),
    }
    publish(network, plan, out / "model", summary)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m delineate.segmentation.train")
    parser.add_argument("out", type=Path, help="folder of the run: checkpoint, log and model")
    parser.add_argument("--pool", type=Path, help="folder of painted phantoms [OUT/pool]")
    parser.add_argument("--phantoms", type=int, default=220)
    parser.add_argument("--data", type=Path, help="folder with abdomen_3mm and chest_cip")
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--real-after", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args(arguments)
    plan = Plan(steps=chosen.steps, real_after=chosen.real_after)
    run(
        chosen.out,
        plan,
        pool=chosen.pool or chosen.out / "pool",
        phantoms=chosen.phantoms,
        data=chosen.data,
        workers=chosen.workers,
    )


if __name__ == "__main__":
    main()
