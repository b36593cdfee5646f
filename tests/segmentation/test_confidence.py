"""How sure the network was, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.imaging import Grid
from delineate.segmentation.confidence import Confidence
from delineate.segmentation.merge import Slab
from delineate.segmentation.model import Sampling
from delineate.segmentation.working import working_grid

GRID = Grid.regular((2, 1, 4), (5.0, 4.0, 3.0))
WORKING = working_grid(GRID, Sampling(orientation="SPL", fit="faces"), (1, 1, 1))


def _slab(logits: np.ndarray, fresh: int = 0) -> Slab:
    code = logits.argmax(axis=-1).astype(np.uint8)
    return Slab(0, fresh, (0, 0), logits.astype(np.float32), code, last=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_probability_volume_and_entropy_by_hand(threads: int) -> None:
    """Class 1 in four of eight samples: sure in the middle ones, nine to one at its ends.

    ::

        1 1 1 0        probabilities of class 1: .9  1  .9
        1 0 0 0                                  .9
    """
    share = np.array([[[0.9, 1 - 1e-9, 0.9, 1e-9]], [[0.9, 1e-9, 1e-9, 1e-9]]])
    logits = np.stack([np.log(1 - share), np.log(share)], -1)
    confidence = Confidence(WORKING, 2, False, threads)

    confidence.add(_slab(logits))

    sure = confidence.of(1)
    assert sure is not None
    assert sure.volume_ml == pytest.approx(4 * 5 * 4 * 3 / 1000)
    assert sure.probability == pytest.approx((3 * 0.9 + 1) / 4, abs=1e-5)
    one = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    # On the surface lie the second sample (above a 0), the third, and the one below.
    assert sure.border_entropy == pytest.approx(2 * one / 3, abs=1e-5)
    assert sure.agreement is None
    assert confidence.of(2) is None


def test_a_slice_that_is_repeated_counts_once() -> None:
    logits = np.zeros((2, 1, 4, 2))
    logits[..., 1] = 3
    confidence = Confidence(WORKING, 2, False, 1)

    confidence.add(_slab(logits, fresh=1))

    sure = confidence.of(1)
    assert sure is not None
    assert sure.volume_ml == pytest.approx(4 * 5 * 4 * 3 / 1000)


def test_the_agreement_of_flips_is_their_mean() -> None:
    logits = np.zeros((2, 1, 4, 3))
    logits[..., 1] = 3
    logits[0, ..., 2], logits[1, ..., 2] = 1.0, 0.5
    slab = Slab(0, 0, (0, 0), logits.astype(np.float32), np.ones((2, 1, 4), np.uint8), last=True)
    confidence = Confidence(WORKING, 2, False, 1)

    confidence.add(slab)

    sure = confidence.of(1)
    assert sure is not None
    assert sure.agreement == pytest.approx(0.75)


def test_a_region_counts_where_it_is_the_last_that_holds() -> None:
    """Two regions: the first in all samples, the second, nine to one, in those of slice 0."""
    logits = np.full((2, 1, 4, 2), 4.0)
    logits[0, ..., 1], logits[1, ..., 1] = np.log(9), -4.0
    code = np.array([[[3] * 4], [[1] * 4]], np.uint8)
    confidence = Confidence(WORKING, 2, True, 1)

    confidence.add(Slab(0, 0, (0, 0), logits.astype(np.float32), code, last=True))

    first, second = confidence.of(1), confidence.of(2)
    assert first is not None
    assert second is not None
    assert second.probability == pytest.approx(0.9, abs=1e-5)
    assert first.volume_ml == second.volume_ml == pytest.approx(4 * 5 * 4 * 3 / 1000)
