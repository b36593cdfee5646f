"""Training: the loss against arithmetic, the patches against their cases, and a run in small."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.errors import InputError
from delineate.imaging import Grid
from delineate.phantom import STRUCTURES
from delineate.segmentation.training.loss import marginal_log_probabilities, segmentation_loss
from delineate.segmentation.training.organ_cases import (
    IGNORED,
    LabelledCase,
    PhantomCase,
    labelled_cases,
    phantom_pool,
)
from delineate.segmentation.training.organ_patches import Recipe, draw_patch
from delineate.segmentation.training.organs import OrganPatches, Plan, train_organs
from delineate.segmentation.training.schedule import Schedule
from delineate.segmentation.training.trainer import fresh_network, train


@pytest.fixture(scope="session")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> list[PhantomCase]:
    folder = tmp_path_factory.mktemp("pool")
    return phantom_pool(folder, 2, spacing_mm=(14, 12, 12), extent_mm=(-420, 260))


def test_a_pool_is_painted_once(tmp_path: Path) -> None:
    first = phantom_pool(tmp_path, 1, spacing_mm=(30, 20, 20))
    stamp = (tmp_path / "phantom_00000.npz").stat().st_mtime_ns
    again = phantom_pool(tmp_path, 1, spacing_mm=(30, 20, 20))

    np.testing.assert_array_equal(first[0].tissue, again[0].tissue)
    assert (tmp_path / "phantom_00000.npz").stat().st_mtime_ns == stamp


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**31))
def test_a_seed_gives_one_patch(bodies: list[PhantomCase], seed: int) -> None:
    recipe = Recipe(patch=(12, 10, 14), spacing_mm=20.0)

    first = draw_patch(bodies[0], recipe, np.random.default_rng(seed))
    second = draw_patch(bodies[0], recipe, np.random.default_rng(seed))

    assert first.hu.shape == first.labels.shape == (12, 10, 14)
    assert torch.isfinite(first.hu).all()
    torch.testing.assert_close(first.hu, second.hu, rtol=0, atol=0)
    assert set(first.labels.unique().tolist()) <= {*range(len(STRUCTURES)), IGNORED}


def test_patches_never_swap_left_and_right(bodies: list[PhantomCase]) -> None:
    recipe = Recipe(patch=(24, 16, 24), spacing_mm=20.0, slab_share=0, field_share=0)
    left, right = STRUCTURES.index("lung_left"), STRUCTURES.index("lung_right")
    seen = 0
    for seed in range(12):
        labels = draw_patch(bodies[seed % 2], recipe, np.random.default_rng(seed)).labels
        columns = [(labels == side).nonzero()[:, 2].float() for side in (left, right)]
        if min(map(len, columns)) > 20:
            seen += 1
            assert columns[0].mean() > columns[1].mean()
    assert seen >= 6


def test_a_labelled_case_says_nothing_beyond_its_edge() -> None:
    hu = np.zeros((6, 6, 6), np.int16)
    known = np.ones(len(STRUCTURES), bool)
    case = LabelledCase(hu, np.zeros(hu.shape, np.uint8), known, Grid.regular(hu.shape), "small")

    patch = draw_patch(case, Recipe(patch=(16, 16, 16), slab_share=0), np.random.default_rng(1))

    assert (patch.labels == IGNORED).float().mean() > 0.9


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
    draw = OrganPatches(bodies, (), tiny_plan)

    def run(folder: Path, stop_after: int | None = None) -> torch.nn.Module:
        network = fresh_network(tiny_plan.network, tiny_plan.arguments, seed=1)
        return train(network, draw, tiny_plan.schedule, folder, workers=0, stop_after=stop_after)

    whole = run(tmp_path / "whole")
    run(tmp_path / "killed", stop_after=10)
    with (tmp_path / "killed" / "log.csv").open("a") as stream:
        stream.write("11,9.9,0.1,0\n")  # logged after the last checkpoint
    resumed = run(tmp_path / "killed")

    losses = _losses(tmp_path / "whole")
    assert len(losses) == tiny_plan.schedule.steps
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:3])
    assert _losses(tmp_path / "killed") == pytest.approx(losses, rel=1e-3)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-4, atol=1e-6)


def test_a_run_needs_something_to_learn_from(tiny_plan: Plan) -> None:
    with pytest.raises(ValueError, match="at least one"):
        OrganPatches((), (), tiny_plan)


def test_the_command_line_writes_a_model_folder(
    bodies: list[PhantomCase], tiny_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from delineate.segmentation.model_file import read_model
    from delineate.segmentation.training import organs
    from delineate.segmentation.weights import load_network

    monkeypatch.setattr(organs, "phantom_pool", lambda *_, **__: bodies)
    plan = replace(tiny_plan, schedule=Schedule(steps=2, batch=1))

    train_organs(tmp_path, plan, pool=tmp_path, phantoms=2, data=None, workers=0)

    model = read_model(tmp_path / "model")
    assert load_network(model) is not None


def test_real_cases_are_read_with_their_sides(shared_data: Path) -> None:
    abdomen, chest = labelled_cases(shared_data / "ct_labelled")

    for case, left, right in (
        (abdomen, "kidney_left", "kidney_right"),
        (chest, "lung_left", "lung_right"),
    ):
        places = [np.nonzero(case.labels == STRUCTURES.index(n))[2].mean() for n in (left, right)]
        assert places[0] > places[1], case.name
    assert abdomen.known.all()
    assert chest.known.sum() == 3


def test_a_folder_without_labelled_cts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found neither"):
        labelled_cases(tmp_path)
