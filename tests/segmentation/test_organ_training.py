"""The organ model's training: patches against their cases, the pool, and a run in small."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from delineate.errors import InputError, ModelError
from delineate.imaging import Grid
from delineate.phantom import STRUCTURES, Tissue
from delineate.phantom.store import store_torso
from delineate.segmentation.intensity import applied
from delineate.segmentation.model_file import read_model
from delineate.segmentation.structures import ORGANS
from delineate.segmentation.training import organ_run
from delineate.segmentation.training.organ_cases import (
    IGNORED,
    LabelledCase,
    PhantomCase,
    labelled_cases,
)
from delineate.segmentation.training.organ_patches import Recipe, draw_patch
from delineate.segmentation.training.organ_pool import Pool
from delineate.segmentation.training.organ_run import train_organs
from delineate.segmentation.training.organ_scanner import limited, scanned
from delineate.segmentation.training.organ_start import taken_over
from delineate.segmentation.training.organs import (
    WINDOWS,
    OrganPatches,
    Plan,
    Stage,
    publish,
    windowed,
)
from delineate.segmentation.training.trainer import fresh_network
from delineate.segmentation.weights import load_network

COARSE = (30.0, 20.0, 20.0)


def test_a_body_is_painted_once(tmp_path: Path) -> None:
    path = store_torso(tmp_path, 3, COARSE)
    stamp = path.stat().st_mtime_ns

    assert store_torso(tmp_path, 3, COARSE) == path
    assert path.stat().st_mtime_ns == stamp
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_pool_reads_what_is_there_and_paints_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = []

    def paint(folder: Path, seed: int) -> Path:
        painted.append(seed)
        return store_torso(folder, seed, COARSE)

    monkeypatch.setattr("delineate.segmentation.training.organ_pool.store_torso", paint)
    store_torso(tmp_path, 1, COARSE)
    with Pool(tmp_path, 3, painters=0) as pool:
        assert pool.gather() == 1
        pool.wait(least=40)
        assert len(pool.bodies) == 3
    assert painted == [0, 2]


def test_painters_that_die_are_told(tmp_path: Path) -> None:
    with Pool(tmp_path, 2, painters=1) as pool:
        for painter in pool._painters:
            painter.kill()
        with pytest.raises(InputError, match="painters had ended"):
            pool.wait(2)


def test_painters_share_the_bodies_and_end_with_the_pool(tmp_path: Path) -> None:
    with Pool(tmp_path, 2, painters=2) as pool:
        pool.wait(2)
        painters = pool._painters

    assert len(pool.bodies) == 2
    assert all(painter.poll() is not None for painter in painters)


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


def test_a_patch_that_is_not_bent_shows_its_case() -> None:
    """Ramps of HU along each axis come back with the spacing of the patch."""
    index = np.indices((20, 20, 20)).astype(np.int16)
    hu = torch.from_numpy(index[0] * 16 + index[1] * 4 + index[2])
    labels = torch.zeros(hu.shape, dtype=torch.uint8)
    known = np.ones(len(STRUCTURES), bool)
    case = LabelledCase(hu, labels, known, Grid.regular((20, 20, 20), (4.0, 4.0, 4.0)), "ramp")
    recipe = Recipe((5, 5, 5), 8.0, 0.0, 0.0, (0.0, 0.0), 0.0, 0.0)

    seen = [draw_patch(case, recipe, np.random.default_rng(seed)) for seed in range(30)]

    inside = [patch for patch in seen if (patch.labels == 0).all()]
    assert len(inside) > 3
    steps = torch.stack([patch.hu[1:].mean() - patch.hu[:-1].mean() for patch in inside])
    assert float(steps.median()) == pytest.approx(2 * 16, rel=0.1)


def test_a_labelled_case_says_nothing_beyond_its_edge() -> None:
    hu = torch.zeros((6, 6, 6), dtype=torch.int16)
    known = np.ones(len(STRUCTURES), bool)
    case = LabelledCase(hu, hu.byte(), known, Grid.regular((6, 6, 6)), "small")
    recipe = Recipe(patch=(16, 16, 16), spacing_mm=4.0, slab_share=0, field_share=0)

    patch = draw_patch(case, recipe, np.random.default_rng(1))

    assert (patch.labels == IGNORED).float().mean() > 0.9


def test_a_body_says_nothing_above_and_below_what_was_painted(bodies: list[PhantomCase]) -> None:
    recipe = Recipe(patch=(80, 8, 8), spacing_mm=14.0, slab_share=0, field_share=0)

    labels = draw_patch(bodies[0], recipe, np.random.default_rng(2)).labels

    assert (labels[0] == IGNORED).all() or (labels[-1] == IGNORED).all()
    assert set(labels.unique().tolist()) != {IGNORED}


@given(seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_what_a_field_of_view_hides_is_never_a_structure(seed: int) -> None:
    labels = torch.full((8, 10, 12), 3)
    rows = torch.arange(10.0)[:, None].expand(8, 10, 12).contiguous()

    hu, kept = limited(rows, labels, 1.0, 1.0, np.random.default_rng(seed))

    assert hu.shape == kept.shape == labels.shape
    assert set(kept.unique().tolist()) <= {0, 3, IGNORED}
    assert (kept[hu == -1000.0] != 3).all()


def test_tissues_of_a_scan_differ_as_tissues_do(bodies: list[PhantomCase]) -> None:
    body = bodies[0]
    whole = tuple(slice(0, size) for size in body.tissue.shape)
    means = []
    for seed in range(6):
        rng, chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        hu = scanned(body.tissue, body, whole, rng, chance)  # type: ignore[arg-type]
        kinds = (Tissue.LUNG_LEFT, Tissue.FAT, Tissue.MUSCLE, Tissue.CORTICAL_BONE)
        means.append([float(hu[body.tissue == kind].mean()) for kind in kinds])

    assert (np.diff(np.mean(means, axis=0)) > 50).all()
    assert np.std(means, axis=0).min() > 2


def test_windows_on_a_card_are_those_of_the_model_file() -> None:
    hu = np.linspace(-1500, 3000, 300, dtype=np.float32).reshape(5, 6, 10)

    made = windowed(torch.from_numpy(hu))

    expected = np.stack([applied(steps, hu) for steps in WINDOWS])
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-5)


def test_the_model_has_a_structure_for_each_label() -> None:
    assert tuple(each.category.name for each in ORGANS) == STRUCTURES[1:]


def test_a_run_needs_something_to_learn_from(tiny_plan: Plan) -> None:
    with pytest.raises(ValueError, match="at least one"):
        OrganPatches((), (), tiny_plan)


def test_labelled_cases_are_drawn_as_often_as_asked(
    bodies: list[PhantomCase], tiny_plan: Plan
) -> None:
    known = np.zeros(len(STRUCTURES), bool)
    known[0] = True
    hu = torch.zeros((6, 6, 6), dtype=torch.int16)
    real = LabelledCase(hu, hu.byte(), known, Grid.regular((6, 6, 6)), "small")
    patches = OrganPatches(bodies, [real], tiny_plan)

    for share in (0.0, 0.5, 1.0):
        drawn = [not bool(patches.draw(number, share)[2].all()) for number in range(60)]
        assert np.mean(drawn) == pytest.approx(share, abs=0.2)


def _run(
    out: Path, plan: Plan, pool: Path, lines: list[str] | None = None, start: Path | None = None
) -> None:
    say = (lambda _: None) if lines is None else lines.append
    bodies = {"pool": pool, "phantoms": 2, "painters": 0}
    train_organs(out, plan, **bodies, data=None, device="cpu", start=start, report=say)  # type: ignore[arg-type]


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    for seed in range(2):
        store_torso(tmp_path / "pool", seed, (14, 12, 12), (-420, 260))
    return tmp_path / "pool"


@pytest.fixture
def by_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock for which each step of learning takes a second, on whatever machine."""
    steps, learn = 0, organ_run._Run._learn

    def counted(run: organ_run._Run, stage: Stage) -> torch.Tensor:
        nonlocal steps
        steps += 1
        return learn(run, stage)

    monkeypatch.setattr(organ_run._Run, "_learn", counted)
    monkeypatch.setattr(organ_run, "time", SimpleNamespace(monotonic=lambda: float(steps)))


@pytest.mark.usefixtures("by_steps")
def test_a_run_learns_writes_a_model_after_each_stage_and_is_not_done_again(
    tiny_plan: Plan, pool: Path, tmp_path: Path
) -> None:
    stages = (
        Stage(name="model-phantoms", seconds=60.0, learning_rate=1e-2),
        Stage(name="model", seconds=6.0, learning_rate=1e-3),
    )
    plan, out = replace(tiny_plan, stages=stages), tmp_path / "run"

    _run(out, plan, pool)

    with (out / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    losses = [float(row["loss"]) for row in rows if row["stage"] == "model-phantoms"]
    assert len(losses) > 5
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:2])
    for name in ("model-phantoms", "model"):
        assert load_network(read_model(out / name)) is not None
    lines: list[str] = []
    _run(out, plan, pool, lines)
    assert len(lines) == 1  # it only says that there is nothing left to do


def test_a_run_that_was_interrupted_goes_on_where_it_was(
    tiny_plan: Plan, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(name="model", seconds=1.0, learning_rate=1e-3)
    plan, out = replace(tiny_plan, stages=(stage,)), tmp_path / "run"
    steps = 0
    learn = organ_run._Run._learn

    def interrupted(run: organ_run._Run, stage: Stage) -> torch.Tensor:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise KeyboardInterrupt
        return learn(run, stage)

    with monkeypatch.context() as patched:
        patched.setattr(organ_run._Run, "_learn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            _run(out, plan, pool)
    assert read_model(out / "model").training["steps"] == 3
    lines: list[str] = []
    _run(out, plan, pool, lines)

    assert "goes on at step 3" in lines[0]
    assert read_model(out / "model").training["steps"] > 3


def test_a_run_may_begin_with_a_model_that_knows_fewer_structures(
    tiny_plan: Plan, pool: Path, tmp_path: Path
) -> None:
    """One whose bones still held the vertebrae, written before those had a label."""
    fewer = [each for each in ORGANS if each.category.name != "vertebrae"]
    old = replace(tiny_plan, arguments={**tiny_plan.arguments, "num_classes": len(ORGANS)})
    network = fresh_network(old.network, old.arguments, seed=5)
    model = publish(network.state_dict(), old, tmp_path / "old", {}, structures=fewer)
    fresh = fresh_network(tiny_plan.network, tiny_plan.arguments, seed=6)

    fresh.load_state_dict(taken_over(model, fresh.state_dict()))

    tiles = torch.randn((1, 2, 16, 16, 16), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, after = load_network(model)(tiles), fresh.eval()(tiles)
    known = ["background", *(each.category.name for each in fewer)]
    for label, name in enumerate(STRUCTURES):
        source = known.index("bones" if name == "vertebrae" else name)
        torch.testing.assert_close(after[:, label], before[:, source])
    short = replace(tiny_plan, stages=(replace(tiny_plan.stages[0], seconds=0.05),))
    _run(tmp_path / "run", short, pool, start=model.folder)
    told = read_model(tmp_path / "run" / "model").training
    assert told["began_with"] == model.weights[0].sha256


def test_a_model_of_another_network_cannot_begin_a_run(tiny_plan: Plan, tmp_path: Path) -> None:
    network = fresh_network(tiny_plan.network, tiny_plan.arguments, seed=5)
    model = publish(network.state_dict(), tiny_plan, tmp_path / "old", {})
    other = {name: value[..., :1] for name, value in network.state_dict().items()}

    with pytest.raises(ModelError, match="cannot begin this one"):
        taken_over(model, other)


def test_a_run_with_another_plan_is_refused(tiny_plan: Plan, pool: Path, tmp_path: Path) -> None:
    _run(
        tmp_path / "run",
        replace(tiny_plan, stages=(replace(tiny_plan.stages[0], seconds=0.05),)),
        pool,
    )

    with pytest.raises(InputError, match="another plan"):
        _run(tmp_path / "run", tiny_plan, pool)


def test_labelled_cases_are_stored_and_read_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    hu = torch.from_numpy(rng.integers(-1000, 1000, (4, 5, 6)).astype(np.int16))
    known = rng.random(len(STRUCTURES)) < 0.5
    case = LabelledCase(hu, (hu > 0).byte(), known, Grid.regular((4, 5, 6), (2.0, 3.0, 4.0)), "a")

    case.write(tmp_path / "a.npz")
    (again,) = labelled_cases(tmp_path)

    assert again.name == "a"
    assert again.grid.matches(case.grid)
    torch.testing.assert_close(again.hu, case.hu)
    torch.testing.assert_close(again.labels, case.labels)
    np.testing.assert_array_equal(again.known, known)


def test_real_cases_are_read_with_their_sides(shared_data: Path) -> None:
    abdomen, chest = labelled_cases(shared_data / "ct_labelled")

    for case, left, right in (
        (abdomen, "kidney_left", "kidney_right"),
        (chest, "lung_left", "lung_right"),
    ):
        places = [
            np.nonzero(case.labels.numpy() == STRUCTURES.index(name))[2].mean()
            for name in (left, right)
        ]
        assert places[0] > places[1], case.name
    assert abdomen.known.all()
    assert chest.known.sum() == 3


def test_a_folder_without_labelled_cts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        labelled_cases(tmp_path)
