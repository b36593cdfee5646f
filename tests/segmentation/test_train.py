"""Training: the loss against arithmetic, and a run in small."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from delineate.segmentation.training.loss import marginal_log_probabilities, segmentation_loss
from delineate.segmentation.training.organ_cases import IGNORED, PhantomCase
from delineate.segmentation.training.organs import OrganPatches, Plan
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.training.trainer import Example, fresh_network, train


def test_the_loss_of_a_certain_and_right_network_is_nearly_nothing() -> None:
    labels = torch.randint(0, 14, (1, 6, 6, 6), generator=torch.Generator().manual_seed(1))
    logits = torch.nn.functional.one_hot(labels, 14).movedim(-1, 1).float() * 60

    loss = segmentation_loss(logits, labels, torch.ones(1, 14, dtype=torch.bool))

    assert float(loss) < 1e-3


def test_ignored_samples_do_not_count() -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(1, 14, 4, 4, 4, generator=generator)
    labels = torch.randint(0, 14, (1, 4, 4, 4), generator=generator)
    labels[0, :2] = IGNORED
    known = torch.ones(1, 14, dtype=torch.bool)
    changed = logits.clone()
    changed[0, :, :2] += torch.randn(14, 2, 4, 4, generator=generator)

    first, second = (segmentation_loss(each, labels, known) for each in (logits, changed))

    torch.testing.assert_close(first, second)


def test_unknown_structures_count_as_background_by_hand() -> None:
    """Probabilities .5 background, .3 liver (unknown), .2 lung (known)."""
    logits = torch.tensor([0.5, 0.3, 0.2]).log().reshape(1, 3, 1, 1, 1)
    known = torch.tensor([[True, False, True]])

    merged = marginal_log_probabilities(logits, known).exp().flatten()

    torch.testing.assert_close(merged, torch.tensor([0.8, 0.0, 0.2]))


def test_the_rate_rises_stays_and_falls() -> None:
    plan = Schedule(steps=100, warmup=10, cooldown=0.3)
    rates = [plan.rate(step) for step in range(100)]

    assert rates[0] < rates[5] < rates[10] == rates[69] == plan.learning_rate
    assert rates[70:] == sorted(rates[70:], reverse=True)
    assert rates[-1] < 0.01 * plan.learning_rate


def _losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open(newline="") as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream)]


def test_training_lowers_the_loss_and_a_killed_run_ends_the_same(
    bodies: list[PhantomCase], tiny_plan: Plan, tmp_path: Path
) -> None:
    patches = OrganPatches(bodies, (), tiny_plan)
    schedule = Schedule(steps=20, batch=1, learning_rate=1e-2, warmup=2, checkpoint_every=5)

    def draw(number: int) -> Example:
        return patches.draw(number, 0.0)

    def run(folder: Path, stop_after: int | None = None) -> torch.nn.Module:
        network = fresh_network(tiny_plan.network, tiny_plan.arguments, seed=1)
        return train(network, draw, schedule, folder, workers=0, stop_after=stop_after)

    whole = run(tmp_path / "whole")
    run(tmp_path / "killed", stop_after=10)
    with (tmp_path / "killed" / "log.csv").open("a") as stream:
        stream.write("11,9.9,0.1,0\n")  # logged after the last checkpoint
    resumed = run(tmp_path / "killed")

    losses = _losses(tmp_path / "whole")
    assert len(losses) == schedule.steps
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])
    assert _losses(tmp_path / "killed") == pytest.approx(losses, rel=1e-3)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-4, atol=1e-6)
