"""Labels as channels of another working grid."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from strategies import labelmaps

from delineate.imaging import Grid, LabelMap
from delineate.segmentation.cascade import PreviousLabels
from delineate.segmentation.model import Sampling
from delineate.segmentation.working import working_grid


@settings(max_examples=50)
@given(labelmaps(max_size=8))
def test_on_the_images_own_samples_each_label_is_its_channel(labelmap: LabelMap) -> None:
    working = working_grid(labelmap.grid, Sampling(orientation="SPL", fit="faces"), (1, 1, 1))
    if working.places is None:
        return
    previous = PreviousLabels(labelmap.array, 3, working)
    depth = working.grid.shape[0]

    whole = previous(0, depth)
    parts = np.concatenate([previous(k, k + 1) for k in range(depth)], axis=1)

    turned = working.turn(labelmap.array)
    for label in (1, 2, 3):
        np.testing.assert_array_equal(whole[label - 1], turned == label)
    np.testing.assert_array_equal(whole, parts)


@settings(max_examples=30)
@given(labelmaps(max_size=8))
def test_channels_exclude_each_other(labelmap: LabelMap) -> None:
    working = working_grid(labelmap.grid, Sampling(spacing_mm=(3.0, 4.0, 2.0)), (6, 6, 6))

    channels = PreviousLabels(labelmap.array, 3, working)(0, working.grid.shape[0])

    assert set(np.unique(channels)) <= {0.0, 1.0}
    assert channels.sum(axis=0).max() <= 1


def test_a_label_holds_from_one_half_on_by_hand() -> None:
    """Samples 0 0 1 1 at twice the step: shares 0 and 1; at half: 0 0 0 .25 .75 1 1 1."""
    array = np.array([[[0, 0, 1, 1]]], np.uint8)
    grid = Grid.regular(array.shape)
    for step, expected in ((2.0, [0, 1]), (0.5, [0, 0, 0, 0, 1, 1, 1, 1])):
        sampling = Sampling(orientation="SPL", spacing_mm=(None, None, step), fit="faces")
        working = working_grid(grid, sampling, (1, 1, 1))

        assert PreviousLabels(array, 1, working)(0, 1).ravel().tolist() == expected


def test_padding_holds_nothing() -> None:
    array = np.ones((2, 3, 3), np.uint8)
    sampling = Sampling(orientation="SPL", fit="faces")
    working = working_grid(Grid.regular(array.shape), sampling, (6, 3, 3))

    channels = PreviousLabels(array, 1, working)(0, 6)

    assert channels[0].any(axis=(1, 2)).tolist() == [False, False, True, True, False, False]
