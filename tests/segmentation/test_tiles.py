"""Where tiles go, and what their answers count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.segmentation.body import Body
from delineate.segmentation.tiles import plan_layers, tile_starts, tile_weights

PLACEMENTS = st.sampled_from(("even", "flush"))


@given(st.integers(1, 200), st.integers(1, 40), st.floats(0, 0.9), PLACEMENTS)
def test_tiles_cover_every_sample_and_stay_inside(
    size: int, tile: int, overlap: float, placement: str
) -> None:
    size = max(size, tile)
    starts = tile_starts(size, tile, overlap, placement)  # type: ignore[arg-type]

    covered = np.zeros(size, bool)
    for start in starts:
        assert 0 <= start <= size - tile
        covered[start : start + tile] = True
    assert covered.all()
    assert starts == sorted(set(starts))


@given(st.integers(1, 300), st.integers(4, 64), st.sampled_from((0.0, 0.25, 0.5, 0.75)))
def test_flush_tiles_are_those_of_monai(size: int, tile: int, overlap: float) -> None:
    from monai.data.utils import dense_patch_slices

    size = max(size, tile)
    interval = (tile if tile == size else max(1, int(tile * (1 - overlap))),)
    theirs = dense_patch_slices((size,), (tile,), interval)

    ours = tile_starts(size, tile, overlap, "flush")

    assert ours == sorted({each[0].start for each in theirs})


def test_even_tiles_are_those_of_nnunet_by_hand() -> None:
    """110 samples, tiles of 64, half overlapping: three, at 0, 23 and 46."""
    assert tile_starts(110, 64, 0.5, "even") == [0, 23, 46]
    assert tile_starts(64, 64, 0.5, "even") == [0]
    assert tile_starts(65, 64, 0.5, "even") == [0, 1]


@pytest.mark.parametrize("shape", [(8, 6, 10), (1, 9, 7)])
def test_gaussian_weights_are_those_of_monai(shape: tuple[int, int, int]) -> None:
    from monai.data.utils import compute_importance_map

    theirs = compute_importance_map(shape, mode="gaussian", sigma_scale=0.125).clamp(min=1e-3)

    np.testing.assert_allclose(tile_weights(shape, "gaussian"), theirs.numpy(), rtol=1e-5)
    assert (tile_weights(shape, "constant") == 1).all()


@pytest.mark.parametrize("shape", [(8, 6, 10), (16, 12, 7)])
def test_weights_of_nnunet_are_a_blurred_point(shape: tuple[int, int, int]) -> None:
    from scipy.ndimage import gaussian_filter

    point = np.zeros(shape)
    point[tuple(n // 2 for n in shape)] = 1
    blurred = gaussian_filter(point, [n / 8 for n in shape], mode="constant")

    ours = tile_weights(shape, "nnunet")
    theirs = blurred / blurred.max()
    there = theirs > 1e-8
    np.testing.assert_allclose(ours[there], theirs[there], rtol=1e-4)
    assert 0 < ours.min() < 1e-8 or there.all()


@st.composite
def _bodies(draw: st.DrawFn) -> tuple[tuple[int, int, int], tuple[int, int, int], Body]:
    shape = tuple(draw(st.integers(6, 40)) for _ in range(3))
    tile = tuple(draw(st.integers(1, n)) for n in shape)
    low, high = np.zeros((shape[0], 2), np.int64), np.zeros((shape[0], 2), np.int64)
    for number in range(shape[0]):
        if draw(st.booleans()):
            for axis in (0, 1):
                a, b = sorted(draw(st.integers(0, shape[axis + 1])) for _ in range(2))
                low[number, axis], high[number, axis] = a, b
    none = (high <= low).any(axis=1)
    low[none] = high[none] = 0
    return shape, tile, Body(low, high)  # type: ignore[return-value]


@given(_bodies(), st.floats(0, 0.75), PLACEMENTS)
def test_layers_cover_the_body(case: object, overlap: float, placement: str) -> None:
    shape, tile, body = case  # type: ignore[misc]

    layers = plan_layers(shape, tile, overlap, placement, body)  # type: ignore[arg-type]

    covered = np.zeros(shape, bool)
    for layer in layers:
        for row, column in layer.corners:
            box = (layer.start, row, column)
            assert all(0 <= a <= n - t for a, n, t in zip(box, shape, tile, strict=True))
            covered[tuple(slice(a, a + t) for a, t in zip(box, tile, strict=True))] = True
    for number, ((top, left), (bottom, right)) in enumerate(zip(body.low, body.high, strict=True)):
        assert covered[number, top:bottom, left:right].all()
    starts = [layer.start for layer in layers]
    assert starts == sorted(set(starts))


def test_no_body_needs_no_tiles() -> None:
    nothing = Body(np.zeros((9, 2), np.int64), np.zeros((9, 2), np.int64))

    assert plan_layers((9, 9, 9), (4, 4, 4), 0.5, "even", nothing) == ()
