"""Half precision, beginning with the weights of another model, and what Dice counts."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from delineate.errors import InputError, OptionError
from delineate.segmentation.model_file import read_model
from delineate.segmentation.training.organ_cases import IGNORED
from delineate.segmentation.training.plan import Options
from delineate.segmentation.training.precision import Precision
from delineate.segmentation.training.run import gathered, train_model
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.training.shapes import network_arguments
from delineate.segmentation.training.trainer import fresh_network, train
from delineate.segmentation.training.tuning import first_network
from delineate.segmentation.training.validation import dice, summary
from delineate.segmentation.weights import load_network


def _losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open(newline="") as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream)]


def test_a_cpu_computes_in_float32_and_half_precision_learns_too(tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    assert Precision.of(cpu).dtype is None
    arguments = network_arguments("UNet", 3, 1, 2, (4, 8), (8, 8, 8), (1.0, 1.0, 1.0))
    inputs = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = (inputs[0] > 0).long()
    ends = []
    for dtype in (None, torch.bfloat16):
        folder = tmp_path / str(dtype)
        train(
            fresh_network("UNet", arguments, 1),
            lambda _: (inputs, labels, torch.ones(2, dtype=torch.bool)),
            Schedule(steps=30, batch=2, learning_rate=0.02, warmup=2),
            folder,
            workers=0,
            precision=Precision(cpu, dtype),
        )
        losses = _losses(folder)
        assert losses[-1] < 0.5 * losses[0]
        ends.append(losses)
    assert ends[0] != ends[1]
    assert ends[0] == pytest.approx(ends[1], rel=0.2)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    arguments = network_arguments("UNet", 3, 1, 2, (4, 8), (8, 8, 8), (1.0, 1.0, 1.0))
    broken = torch.full((1, 8, 8, 8), float("nan"))
    labels = torch.zeros(8, 8, 8, dtype=torch.long)

    with pytest.raises(InputError, match="the loss became nan at step 1"):
        train(
            fresh_network("UNet", arguments, 1),
            lambda _: (broken, labels, torch.ones(2, dtype=torch.bool)),
            Schedule(steps=3, batch=1),
            tmp_path,
            workers=0,
        )


def test_tuning_keeps_all_weights_for_the_same_labels_and_all_but_the_head_for_others(
    ball_run: Path,
) -> None:
    base = read_model(ball_run / "model")
    state = load_network(base).state_dict()
    same, said = first_network(base, base, seed=5)
    renamed = replace(
        base,
        structures=tuple(
            replace(each, category=replace(each.category, name=f"other {number}"))
            for number, each in enumerate(base.structures)
        ),
    )
    other, told = first_network(renamed, base, seed=5)

    assert all(torch.equal(value, state[name]) for name, value in same.state_dict().items())
    assert "all of them" in said
    changed = {n for n, value in other.state_dict().items() if not torch.equal(value, state[n])}
    assert changed
    assert all(3 in state[name].shape for name in changed if "adn" not in name)
    assert f"{len(state) - len(changed)} of" in told


def test_a_tuned_run_begins_where_the_other_ended(
    ball_run: Path, ball_data: Path, tmp_path: Path
) -> None:
    base = str(ball_run / "model")
    options = Options(steps=2, base=base, validation=0.34)

    model = train_model(gathered(ball_data), tmp_path, options, workers=0)

    assert _losses(tmp_path)[0] < 0.6 * _losses(ball_run)[0]
    assert model.inputs == read_model(ball_run / "model").inputs
    assert "began with the weights of model" in (model.folder / "README.md").read_text()
    with pytest.raises(OptionError, match="patch: a model that is tuned keeps its own"):
        train_model(
            gathered(ball_data), tmp_path / "b", replace(options, patch=(8, 8, 8)), workers=0
        )


def test_dice_by_hand() -> None:
    """Drawn 1 1 0 2 ?, found 1 0 0 2 2: of label 1 one of two, of 2 the one that is known."""
    drawn = np.array([1, 1, 0, 2, IGNORED], np.uint8)
    found = np.array([1, 0, 0, 2, 2], np.uint8)

    assert dice(drawn, found, 1) == pytest.approx(2 / 3)
    assert dice(drawn, found, 2) == 1.0
    assert dice(drawn, found, 3) is None


def test_a_summary_leaves_out_what_is_not_there() -> None:
    scores = [{"a": 0.5, "b": None}, {"a": 1.0, "b": None}]

    told = summary(scores)

    assert told["dice"]["a"] == {"mean": 0.75, "lowest": 0.5, "cases": 2}
    assert told["dice"]["b"] == {"mean": None, "lowest": None, "cases": 0}
    assert told["mean"] == 0.75
    assert summary([]) == {"cases": 0}
