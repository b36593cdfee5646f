"""Learning from good pictures: the threshold's promise, the scores' geometry, flaws on metal."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from delineate import delineate
from delineate.cli import main
from delineate.detectors.surface.detector import AnomalyDetector, planes
from delineate.detectors.surface.learning import Plan, false_alarm_threshold, learn_good
from delineate.errors import InputError, ModelError, OptionError, UnsuitableImageError
from delineate.imaging import Grid, Image
from delineate.phantom.surfaces import FLAWS, Flaw, metal
from delineate.plugins import Field
from delineate.segmentation import detector_of
from delineate.segmentation.model import Model
from delineate.segmentation.model_file import describe_model
from delineate.segmentation.options import AnomalyOptions
from delineate.segmentation.texture_memory import TextureMemory

SIZE = (160, 224)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    good = [metal(seed, SIZE)[0] for seed in range(5)]
    return learn_good(good, tmp_path_factory.mktemp("metal"), Plan(name="metal", kept=200))


def command(*words: object) -> int:
    """Exit status of ``delineate WORDS``."""
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return int(left.value.code or 0)


def memory(seed: int = 0, kept: int = 50) -> TextureMemory:
    network = TextureMemory(channels=1, levels=3, kept=kept).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        good = network.features(torch.rand((1, 1, 96, 96), generator=generator))
        network.learn(good[0].flatten(1).T, generator)
    return network


@given(st.lists(st.floats(0, 1e3, width=32), min_size=1, max_size=40), st.floats(0.01, 0.9))
def test_a_threshold_is_exceeded_by_as_many_as_it_says(highest: list[float], share: float) -> None:
    threshold, rate = false_alarm_threshold(highest, share)

    count = len(highest)
    assert rate <= max(share, 1 / (count + 1)) + 1e-9
    above = sum(score >= threshold for score in highest)
    assert above <= rate * (count + 1) - 1 + 1e-9


def test_a_threshold_by_hand() -> None:
    scores = [4.0, 1.0, 3.0, 2.0]

    assert false_alarm_threshold(scores, 0.4) == (pytest.approx(3.0), pytest.approx(0.4))
    assert false_alarm_threshold(scores, 0.01) == (pytest.approx(4.0), pytest.approx(0.2))
    with pytest.raises(OptionError, match="share of false alarms"):
        false_alarm_threshold(scores, 1.0)


def test_new_scores_of_the_same_kind_exceed_the_threshold_as_often_as_promised() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.gumbel(size=(4000, 10))

    found = [false_alarm_threshold(row[:9].tolist(), 0.2) for row in drawn]

    assert {round(rate, 6) for _, rate in found} == {0.2}
    often = np.mean([row[9] >= bar for row, (bar, _) in zip(drawn, found, strict=True)])
    assert often == pytest.approx(0.2, abs=0.02)


def test_what_is_remembered_is_at_no_distance_and_more_memory_never_farther() -> None:
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn((400, 53), generator=generator)
    totals = []
    for kept in (10, 50, 400):
        network = TextureMemory(kept=kept).eval()
        network.learn(vectors, torch.Generator().manual_seed(0))
        apart = network._distance(vectors.T[None, :, None, :])
        totals.append(float(apart.max()))
        assert int((apart < 1e-2).sum()) >= kept

    assert all(a > b for a, b in pairwise(totals))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10), st.integers(0, 10))
def test_scores_move_along_with_the_picture(down: int, right: int) -> None:
    """By whole cells of 8 samples, and away from the border."""
    network = memory()
    picture = torch.rand((1, 1, 240, 240), generator=torch.Generator().manual_seed(5))
    rows, columns = 8 * down, 8 * right
    with torch.inference_mode():
        whole = network(picture)[0, 0]
        part = network(picture[:, :, rows : rows + 136, columns : columns + 136])[0, 0]

    torch.testing.assert_close(
        part[48:88, 48:88],
        whole[rows + 48 : rows + 88, columns + 48 : columns + 88],
        atol=2e-3,
        rtol=1e-3,
    )


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (37, 41), (64, 8)])
def test_pictures_of_any_size_have_a_score_for_each_sample(shape: tuple[int, int]) -> None:
    network = memory()

    with torch.inference_mode():
        scores = network(torch.rand((2, 1, *shape)))

    assert scores.shape == (2, 1, *shape)
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("flaw", FLAWS)
def test_flaws_on_metal_are_found_where_they_are(model: Model, flaw: Flaw) -> None:
    spec = detector_of(model, "metal")
    hit = 0
    for seed in range(700, 704):
        image, labels = metal(seed, SIZE, flaws=(flaw,))
        output = delineate(image, spec).output
        assert isinstance(output, Field)
        wrong = (output.array >= output.threshold) & (labels.array == 0)
        rows, columns = (np.flatnonzero(labels.array[0].any(axis=axis)) for axis in (1, 0))
        near = np.zeros(labels.array.shape, bool)
        near[
            0, max(0, rows[0] - 32) : rows[-1] + 33, max(0, columns[0] - 32) : columns[-1] + 33
        ] = True
        assert np.count_nonzero(wrong & ~near) <= 0.01 * wrong.size
        hit += bool((output.array[labels.array > 0] >= output.threshold).any())

    assert hit >= 3


def test_most_good_pictures_show_nothing(model: Model) -> None:
    spec = detector_of(model, "metal")

    found = [delineate(metal(seed, SIZE)[0], spec) for seed in range(500, 510)]
    shown = sum(any(each.contours for each in one.findings) for one in found)

    assert model.settings["false_alarms"] == pytest.approx(1 / 6, abs=1e-3)
    assert shown <= 5


def test_large_pictures_are_scored_tile_by_tile(model: Model) -> None:
    image, _ = metal(40, (260, 1200), flaws=("stain",))

    scores = delineate(image, detector_of(model, "metal")).output

    whole = AnomalyDetector(model.folder).detect(image, AnomalyOptions()).output
    assert isinstance(scores, Field)
    assert isinstance(whole, Field)
    away = np.abs(scores.array - whole.array)[:, :, :860]
    assert away.max() < 1e-3 * whole.array.max()


def test_a_threshold_may_be_given(model: Model) -> None:
    image, _ = metal(700, SIZE, flaws=("dent",))
    found = delineate(image, detector_of(model, "metal"), {"threshold": 500.0})

    assert not any(each.contours for each in found.findings)
    assert not any("good pictures" in note for note in found.notes)


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path) -> None:
    image = metal(0, SIZE)[0]
    grey = Image(image.array[..., 0], image.grid, "photo")
    tiny = Image(np.zeros((1, 8, 8), np.uint8), Grid.regular((1, 8, 8), unit="px"), "photo")
    plan = Plan(name="x")

    with pytest.raises(InputError, match="at least 3 good pictures, got 2"):
        learn_good([image, image], tmp_path, plan)
    with pytest.raises(InputError, match=r"picture 3 has 0 channels of uint8, the first 3 of"):
        learn_good([image, image, grey], tmp_path, plan)
    with pytest.raises(InputError, match="too small"):
        learn_good([tiny] * 3, tmp_path, plan)


def test_samples_of_another_range_and_models_of_another_kind_are_refused(
    model: Model, tmp_path: Path
) -> None:
    wide = np.full((1, 8, 8, 3), 4000, np.uint16)

    with pytest.raises(UnsuitableImageError, match="another range of values"):
        planes(model, wide)
    with pytest.raises(UnsuitableImageError, match="reads 3 channels, got 1"):
        planes(model, wide[..., 0])
    broken = json.loads((model.folder / "model.json").read_text())
    broken["settings"] = {}
    (tmp_path / "model.json").write_text(json.dumps(broken))
    with pytest.raises(ModelError, match="with a threshold in its settings"):
        AnomalyDetector(tmp_path)
    assert describe_model(model).finds == "anomalies"


def test_the_commands_learn_add_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DELINEATE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "good").mkdir()
    for seed in range(3):
        Pillow.fromarray(metal(seed, SIZE)[0].array[0]).save(tmp_path / "good" / f"{seed}.png")
    Pillow.fromarray(metal(700, SIZE, ("stain",))[0].array[0]).save(tmp_path / "stained.png")
    made, out = tmp_path / "steel", tmp_path / "results"

    assert command("train-good", tmp_path / "good", made, "--kept", 100) == 0
    assert "of good pictures about 25% show something" in capsys.readouterr().out
    assert command("models", "add", made) == 0
    told = ("--detector", "models.steel", "--out", out)
    assert command("run", tmp_path / "stained.png", *told) == 0

    assert "How many defects it finds is not known" in (made / "README.md").read_text()
    assert any(out.iterdir())
    assert command("train-good", tmp_path / "good", made) != 0
