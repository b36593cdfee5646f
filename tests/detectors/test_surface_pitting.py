"""`defects.surface`: which regions are believed, and pits on photographs of ball screws."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.ndimage as ndimage
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from delineate import delineate, formats
from delineate.detectors.surface import PITTING, spec
from delineate.detectors.surface.regions import Region, believed_regions
from delineate.imaging import Image, LabelMap
from delineate.phantom.surfaces import metal
from delineate.segmentation.training.layouts import find
from delineate.segmentation.training.pairs import read_pair
from delineate.testing import DetectorTests

BSDATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "defects" / "bsdata"
needs_bsdata = pytest.mark.skipif(not BSDATA.is_dir(), reason=f"BSData is not there: {BSDATA}")

TOUCHING = np.zeros((3, 3, 3), bool)
TOUCHING[1] = True


def logits_of(drawing: str, sure: float = 0.9) -> NDArray[np.float32]:
    """``#`` is the defect with probability ``sure``, ``+`` with 0.6, ``.`` is none."""
    lines = drawing.split()
    odds = {"#": np.log(sure / (1 - sure)), "+": np.log(1.5), ".": -4.0}
    values = np.array([[odds[letter] for letter in line] for line in lines], np.float32)
    return np.stack([np.zeros_like(values), values])[:, None]


def test_small_and_unsure_regions_are_dropped_by_hand() -> None:
    logits = logits_of(
        """
        ##....#
        ##.....
        ..#..++
        .....++
        """
    )

    kept = believed_regions(logits, np.ones((1, 4, 7), bool), 0.5, 2, 0.7)

    assert kept == [Region(1, 5, pytest.approx(0.9))]  # joined by a corner
    assert (logits.argmax(axis=0)[0] == 1).astype(int).tolist() == [
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]


@given(
    hnp.arrays(np.float32, (3, 1, 7, 9), elements=st.floats(-5, 5, width=16)),
    st.floats(0.3, 0.9),
    st.integers(1, 8),
    st.floats(0.3, 0.95),
)
def test_what_is_left_is_large_and_sure_and_was_there_before(
    logits: NDArray[np.float32], level: float, least: int, sure: float
) -> None:
    original = logits.copy()
    probability = np.exp(original) / np.exp(original).sum(axis=0)
    assume((np.abs(probability - level) > 1e-5).all())
    before = np.where(probability.max(axis=0) > level, original.argmax(axis=0), 0)

    kept = believed_regions(logits, np.ones((1, 7, 9), bool), level, least, sure)

    for region in kept:
        assert region.samples >= least
        assert region.probability >= max(level, sure) - 1e-5
    after = logits.argmax(axis=0)
    assert ((after == before) | (after == 0)).all()
    assert np.count_nonzero(after) == sum(region.samples for region in kept)
    for label in (1, 2):
        mine = [region.samples for region in kept if region.label == label]
        was, count = ndimage.label(before == label, TOUCHING)
        good = [
            number
            for number in range(1, count + 1)
            if (was == number).sum() >= least
            and probability[label][was == number].mean() >= sure + 1e-5
        ]
        assert len(good) <= len(mine) <= count
        assert (logits[label][np.isin(was, good)] == original[label][np.isin(was, good)]).all()


def test_samples_beyond_the_picture_do_not_count() -> None:
    logits = logits_of("###. ###.")
    covered = np.ones((1, 2, 4), bool)
    covered[0, 1] = False

    assert believed_regions(logits.copy(), covered, 0.5, 4, 0.5) == []
    assert [each.samples for each in believed_regions(logits, covered, 0.5, 3, 0.5)] == [3]


def test_a_higher_level_draws_regions_tighter_by_hand() -> None:
    logits = logits_of(
        """
        +##+.++
        +##+.++
        """
    )

    kept = believed_regions(logits, np.ones((1, 2, 7), bool), 0.7, 2, 0.7)

    assert kept == [Region(1, 4, pytest.approx(0.9))]
    assert (logits.argmax(axis=0)[0] == 1).astype(int).tolist() == [[0, 1, 1, 0, 0, 0, 0]] * 2


def painted(seed: int) -> tuple[Image, NDArray[np.bool_]]:
    image, labels = metal(seed, (192, 256), flaws=("pitting",))
    return image, labels.array == 4


class TestSurface(DetectorTests):
    detector_id = "defects.surface"
    options: ClassVar[Mapping[str, object]] = {
        "mirror": True,
        "device": "cpu",
        "backend": "torch",
    }
    equivariant: ClassVar[Mapping[str, float | None]] = {"shift": 0.15}
    large_samples = 1_000_000

    def sample(self) -> Image:
        return metal(1, (320, 384), flaws=("pitting",))[0]


@pytest.mark.parametrize("seed", range(1, 5))
def test_painted_pitting_is_outlined(seed: int) -> None:
    image, drawn = painted(seed)

    found = delineate(image, spec, {"device": "cpu"})

    assert isinstance(found.output, LabelMap)
    mask = found.output.array == 1
    assert 2 * (mask & drawn).sum() / (mask.sum() + drawn.sum()) > 0.7
    assert found.findings[0].measurements["regions"] >= 1


@pytest.mark.parametrize("seed", [0, 3, 6])
def test_painted_metal_without_a_flaw_has_no_pitting(seed: int) -> None:
    found = delineate(metal(seed)[0], spec, {"device": "cpu"})

    assert isinstance(found.output, LabelMap)
    assert dict(found.output.categories) == {1: PITTING}
    assert not found.output.array.any()
    assert not any(finding.contours for finding in found.findings)


@needs_bsdata
def test_the_pits_it_learned_from_are_found_and_measured() -> None:
    """Its own training pictures: were rows and columns or colours swapped, none would be."""
    dataset = find(BSDATA)
    large = 0
    for case in dataset.cases[20:44:4]:
        image, drawn = read_pair(case, dataset)
        found = delineate(image, spec)
        assert isinstance(found.output, LabelMap)
        mask = found.output.array == 1
        overlap = 2 * (mask & (drawn == 1)).sum() / max(1, mask.sum() + (drawn == 1).sum())
        large += overlap > 0.5
        if mask.any():
            (finding,) = found.findings
            pieces, count = ndimage.label(mask, TOUCHING)
            assert finding.measurements["regions"] == count
            assert finding.measurements["largest_region_px"] == np.bincount(pieces.flat)[1:].max()
            assert finding.score is not None
            assert finding.score >= 0.9

    assert large >= 5


@needs_bsdata
def test_a_grey_picture_is_read_too() -> None:
    image = formats.read(BSDATA / "data" / "01_200908112126_462500_045_crop_1.jpg")
    grey = image.array.mean(axis=-1).round().astype(np.uint8)

    found = delineate(Image(grey, image.grid, "photo"), spec)

    assert found.findings
