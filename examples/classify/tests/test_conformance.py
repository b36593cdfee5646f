"""The suite that comes with delineate, and what a classifier that abstains has to keep."""

import json
from pathlib import Path

import numpy as np
import pytest
from delineate_classify import BENIGN, CARD, MALIGNANT, UNCERTAIN
from delineate_classify.classifier import Classifier, prepared, speckle
from delineate_classify.phantom import phantom, phantoms
from delineate_classify.train import calibrated, expected_calibration_error, fit, reliability
from PIL import Image as Picture

from delineate import Grid, Image, delineate
from delineate.errors import ModelError, UnsuitableImageError
from delineate.testing import DetectorTests

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
README = Path(__file__).resolve().parents[1] / "README.md"


def picture(array: np.ndarray) -> Image:
    return Image(array[None], Grid.regular((1, *array.shape), unit="px"), "photo")


def scores(array: np.ndarray) -> dict[str, float]:
    found = delineate(picture(array), "speckle.classify")
    return {finding.category.name: finding.score for finding in found.findings}


class TestClassifier(DetectorTests):
    detector_id = "speckle.classify"
    # Shadow lies below a shape: upside down it is another picture.
    equivariant = {"flips": None}  # noqa: RUF012

    def sample(self) -> Image:
        return picture(phantom("malignant", np.random.default_rng(3)))


def test_probabilities_are_calibrated_on_phantoms_never_seen() -> None:
    pictures, truth = phantoms(400, seed=99)
    model = Classifier()
    logits = model._network(prepared(pictures))[:, 0].detach().double().numpy()
    probability = calibrated(logits, CARD["slope"], CARD["offset"])
    low, high = CARD["abstains"]
    decided = (probability <= low) | (probability >= high)
    right = (probability > 0.5) == (truth > 0.5)

    assert right.mean() > 0.69  # the card's accuracy less four standard errors of 400
    assert right[decided].mean() > right.mean() + 0.05
    assert 0.3 < decided.mean() < 0.7
    assert abs(probability.mean() - 0.5) < 0.05
    # With 400 phantoms even a perfect calibration shows about 0.06.
    assert expected_calibration_error(reliability(probability, truth)) < 0.1


def test_the_largest_is_never_wrong_where_it_abstains() -> None:
    low, high = CARD["abstains"]
    kinds = set()
    for seed in range(12):
        found = scores(phantom("benign", np.random.default_rng(seed)))
        abstains = low < found[MALIGNANT.name] < high
        assert found[BENIGN.name] + found[MALIGNANT.name] == pytest.approx(1)
        assert found[UNCERTAIN.name] == float(abstains)
        assert (max(found, key=found.__getitem__) == UNCERTAIN.name) == abstains
        kinds.add(abstains)
    assert kinds == {True, False}


def test_abstaining_is_told_in_words() -> None:
    for seed in range(12):
        image = picture(phantom("benign", np.random.default_rng(seed)))
        found = delineate(image, "speckle.classify")
        uncertain = found.findings[2].score == 1
        assert bool(found.notes) == uncertain
        assert all("abstains" in note for note in found.notes)


@pytest.mark.parametrize("what", ["blank", "noise", "smooth", "text"])
def test_other_pictures_are_refused(what: str) -> None:
    row, column = np.mgrid[:128, :128]
    pictures = {
        "blank": np.full((128, 128), 90),
        "noise": np.random.default_rng(0).integers(0, 256, (128, 128)),
        "smooth": 128 + 80 * np.sin(row / 17) * np.cos(column / 11),
        "text": 255 * ((row // 8 + column // 16) % 2),
    }
    with pytest.raises(UnsuitableImageError, match="speckle of a phantom"):
        delineate(picture(pictures[what].astype(np.uint8)), "speckle.classify")


@pytest.mark.skipif(not DATA.is_dir(), reason="the real images of ../shared/data are not here")
def test_pieces_of_real_photographs_are_refused_and_new_phantoms_are_not() -> None:
    def taken(array: np.ndarray) -> bool:
        found = speckle(array)
        return all(low <= found[name] <= high for name, (low, high) in CARD["speckle"].items())

    rng = np.random.default_rng(0)
    for path in sorted((DATA / "counting" / "bees").glob("*.jpg")):
        grey = np.asarray(Picture.open(path).convert("L"))
        for _ in range(10):
            row, column = rng.integers(grey.shape[0] - 127), rng.integers(grey.shape[1] - 127)
            assert not taken(grey[row : row + 128, column : column + 128])
    assert all(taken(one) for one in phantoms(100, seed=7)[0])


def test_another_size_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(UnsuitableImageError, match="128"):
        delineate(picture(np.zeros((200, 128), np.uint8)), "speckle.classify")


def test_broken_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"other")
    monkeypatch.setattr("delineate_classify.classifier._WEIGHTS", tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="install"):
        Classifier()


def test_training_twice_gives_the_same_bytes() -> None:
    from safetensors.torch import save

    first, second = (save(dict(fit(60, 1).state_dict())) for _ in range(2))

    assert first == second


def test_the_calibration_error_by_hand() -> None:
    # Two bins: 0.15 with one of two malignant is 0.35 off, 0.95 with both is 0.05 off.
    table = reliability(np.array([0.1, 0.2, 0.95, 0.95]) * 1.0, np.array([0.0, 1.0, 1.0, 1.0]))

    assert [row["count"] for row in table] == [1, 1, 2]
    assert expected_calibration_error(table) == pytest.approx((0.1 + 0.8 + 2 * 0.05) / 4)


def test_the_readme_has_the_figures_of_the_card() -> None:
    text = README.read_text(encoding="utf-8")
    measured = CARD["measured"]

    for name in ("accuracy", "decided", "accuracy_decided", "ece_before", "ece"):
        assert f"{measured[name]:.3f}" in text, name
    for row in measured["reliability"]:
        assert f"| {row['count']} | {row['predicted']:.3f} | {row['observed']:.3f} |" in text
    assert json.dumps(CARD["abstains"]) in text
