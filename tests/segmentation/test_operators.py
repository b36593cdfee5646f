"""Sampling along one axis, against scipy, scikit-image and numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.transform import resize

from delineate.segmentation.operators import averaging, cubic, linear, nearest, reach

SIZES = st.integers(1, 60)


def _places(old: int, new: int) -> np.ndarray:
    """Where samples lie that share the outer faces."""
    return (np.arange(new) + 0.5) * old / new - 0.5


@given(SIZES, SIZES, st.integers(0, 1000))
def test_cubic_is_the_resizing_of_nnunet(old: int, new: int, seed: int) -> None:
    line = np.random.default_rng(seed).normal(size=(old, 2))

    plain = resize(line, (new, 2), order=3, mode="edge", anti_aliasing=False, clip=False)

    np.testing.assert_allclose(cubic(_places(old, new), old) @ line, plain, atol=3e-6)


@given(SIZES, st.lists(st.floats(-5, 65), min_size=1, max_size=20), st.integers(0, 1000))
def test_linear_is_numpys_interpolation(old: int, places: list[float], seed: int) -> None:
    line = np.random.default_rng(seed).normal(size=old)

    plain = np.interp(places, np.arange(old), line)

    np.testing.assert_allclose(linear(np.array(places), old) @ line, plain, atol=1e-5)


@given(SIZES, st.integers(1, 9), st.lists(st.floats(-5, 65), min_size=1, max_size=20))
def test_every_way_keeps_a_constant_constant(old: int, block: int, places: list[float]) -> None:
    at = np.array(places)

    for rows in (nearest(at, old), linear(at, old), averaging(at, old, block)):
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
        assert (rows >= 0).all()
    np.testing.assert_allclose(cubic(at, old).sum(axis=1), 1, atol=1e-5)


def test_blocks_are_averaged_by_hand() -> None:
    """Blocks of two of ``0 2 4 6 8``: means 1, 5 and 8 at the places 0.5, 2.5 and 4.5."""
    rows = averaging(np.array([0.5, 1.5, 2.5, 4.5, 9.0]), 5, 2)

    np.testing.assert_allclose(rows @ np.arange(0.0, 10.0, 2), [1, 3, 5, 8, 8], atol=1e-6)


def test_halves_go_up_to_the_next_sample() -> None:
    np.testing.assert_array_equal(
        nearest(np.array([-3.0, 0.49, 0.5, 1.5, 7.0]), 3) @ np.arange(3), [0, 0, 1, 2, 2]
    )


@pytest.mark.parametrize("method", [cubic, linear])
def test_a_slab_needs_a_slab(method: object) -> None:
    rows = method(_places(400, 100), 400)  # type: ignore[operator]

    low, high = reach(rows[50:60])

    assert high - low < 80
    assert low < 205 < high < 270
    assert not rows[50:60, :low].any()
    assert not rows[50:60, high:].any()
