"""Large images are cut, and nobody sees where."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from finders import CATEGORIES, ONE, spec
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from delineate.delineation import delineate
from delineate.delineation.tiling import cut, dressed
from delineate.errors import BadDetectionError, UnsuitableImageError
from delineate.imaging import Grid, Image, LabelMap
from delineate.plugins import (
    CountError,
    Detection,
    DetectorSpec,
    Instance,
    Instances,
    Options,
    Wants,
)
from delineate.plugins.runner import InProcess

PLAIN = np.eye(4)[[2, 1, 0, 3]]


def picture(array: np.ndarray[Any, Any]) -> Image:
    """A photograph in pixels."""
    channels = ("red", "green", "blue") if array.ndim == 4 else ()
    shape = (array.shape[0], array.shape[1], array.shape[2])
    return Image(array, Grid(shape, PLAIN, "px"), "photo", channels)


class Blobs:
    """Each connected patch of positive samples: its middle, or its box."""

    def __init__(self, shape: str = "point", jitter: float = 0.0) -> None:
        self.shape, self.jitter, self.calls = shape, jitter, 0

    def detect(self, image: Image, options: Options) -> Detection:
        self.calls += 1
        labels, count = ndimage.label(image.array > 0)
        items = []
        wobble = self.jitter * (-1) ** self.calls
        for place in ndimage.find_objects(labels):
            low = [part.start - 0.5 for part in place]
            high = [part.stop - 0.5 for part in place]
            middle = tuple((a + b) / 2 for a, b in zip(low, high, strict=True))
            if self.shape == "point":
                a, b, c = middle
                items.append(Instance(ONE, 0.5, point=(a, b + wobble, c - wobble)))
            elif self.shape == "box":
                items.append(Instance(ONE, 0.5, box=(tuple(low), tuple(high))))
            else:
                (_, t, left), (_, b, right) = low, high
                k = middle[0]
                ring = np.array([[k, t, left], [k, t, right], [k, b, right], [k, b, left]])
                items.append(Instance(ONE, 0.5, polygon=ring))
        numbers = range(1, count + 1)
        return Detection(
            Instances(tuple(items), image.grid), measurements={n: {"tile": 1.0} for n in numbers}
        )


class Finer:
    """Each sample four times within its slice."""

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift

    def detect(self, image: Image, options: Options) -> Image:
        array = image.array.repeat(2, axis=1).repeat(2, axis=2)
        affine = image.grid.affine @ np.diag([1.0, 0.5, 0.5, 1.0])
        affine[:3, 3] = image.grid.to_world([0.0, -0.25 + self.shift, -0.25])
        shape = (array.shape[0], array.shape[1], array.shape[2])
        return Image(array, Grid(shape, affine, image.grid.unit), image.modality)


def made(gives: Any, **wants: Any) -> DetectorSpec:
    return DetectorSpec(
        id="test.tiled",
        title="Tiled",
        factory="nowhere:Nothing",
        gives=gives,
        categories=CATEGORIES,
        wants=Wants(**wants),
    )


class Given(InProcess):
    """Runs a detector that is there already."""

    def __init__(self, declared: DetectorSpec, detector: Any) -> None:
        super().__init__(declared)
        self._detector = detector


def blobs_of(image: Image, detector: Any, **wants: Any) -> list[tuple[float, ...]]:
    declared = made("instances", **wants)
    found = delineate(image, declared, runner=Given(declared, detector)).output
    assert isinstance(found, Instances)
    assert found.grid.matches(image.grid)
    places = []
    for item in found.items:
        corners = item.polygon if item.polygon is not None else item.box or (item.point,)
        ends = np.concatenate([np.min(corners, axis=0), np.max(corners, axis=0)])
        places.append(tuple(np.round(ends, 6).tolist()))
    return sorted(places)


@st.composite
def cuttings(draw: st.DrawFn) -> tuple[tuple[int, int, int], Wants]:
    shape = tuple(draw(st.integers(1, 40)) for _ in range(3))
    tile = tuple(draw(st.integers(4, 16)) for _ in range(3))
    return shape, Wants(tile=tile, overlap=draw(st.integers(0, min(tile) // 2)))  # type: ignore[arg-type, return-value]


@given(cuttings())
def test_cores_fill_the_grid_once_and_tiles_share_the_overlap(
    cutting: tuple[tuple[int, int, int], Wants],
) -> None:
    shape, wants = cutting
    tiles = cut(shape, wants)
    covered = np.zeros(shape, int)

    for tile in tiles:
        assert tile.shape == wants.tile_shape(shape)
        covered[tile.core] += 1
        part = np.zeros(shape, int)[tile.box]
        assert part.shape == tile.shape
        assert part[tile.core_within].shape == np.zeros(shape)[tile.core].shape
    assert (covered == 1).all()
    for axis in range(3):
        ends = sorted({(tile.start[axis], tile.stop[axis]) for tile in tiles})
        assert all(stop - start >= wants.overlap for (_, stop), (start, _) in pairwise(ends))


@given(cuttings(), st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("name", ["Echo", "Layers", "Odd", "Double"])
def test_what_looks_at_samples_one_by_one_finds_the_same_in_tiles(
    name: str, cutting: tuple[tuple[int, int, int], Wants], seed: int
) -> None:
    shape, wants = cutting
    samples = np.random.default_rng(seed).random(shape).astype(np.float32) * 4 - 1
    image = Image(samples, Grid(shape, np.diag([2.0, 1.0, 3.0, 1.0])), "CT")

    whole = delineate(image, spec(name)).output
    tiled = delineate(image, spec(name, tile=wants.tile, overlap=wants.overlap)).output

    np.testing.assert_allclose(tiled.array, whole.array, rtol=1e-5, atol=1e-6)  # type: ignore[union-attr]
    assert tiled.grid.matches(whole.grid)  # type: ignore[union-attr]


@given(st.data())
@pytest.mark.parametrize("kind", ["point", "box", "polygon"])
def test_things_smaller_than_the_overlap_are_found_once(kind: str, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(20, 90)), data.draw(st.integers(20, 90))
    array = np.zeros((1, rows, columns), np.uint8)
    for _ in range(data.draw(st.integers(0, 25))):
        row, column = data.draw(st.integers(0, rows - 6)), data.draw(st.integers(0, columns - 6))
        if not array[0, max(0, row - 1) : row + 6, max(0, column - 1) : column + 6].any():
            array[0, row : row + data.draw(st.integers(1, 5)), column : column + 5] = 1
    image = picture(array)

    whole = blobs_of(image, Blobs(kind))
    tiled = blobs_of(image, Blobs(kind), tile=(1, 32, 32), overlap=12)

    assert tiled == whole


@pytest.mark.parametrize("shift", range(16))
def test_points_that_tiles_see_a_little_apart_are_one(shift: int) -> None:
    array = np.zeros((1, 64, 200), np.uint8)
    array[0, 20:23, 10 + shift :: 13] = 1  # thin bars, cut by no tile
    array[0, 20:23, 12 + shift :: 13] = 1
    image = picture(array)

    found = blobs_of(image, Blobs("point", jitter=0.4), tile=(1, 64, 48), overlap=16)

    assert len(found) == len(blobs_of(image, Blobs("point")))


def test_neighbours_stay_two_even_at_a_seam() -> None:
    array = np.zeros((1, 16, 80), np.uint8)
    array[0, 8, 38:43:2] = 1  # three, two samples apart, where tiles meet

    found = blobs_of(picture(array), Blobs("point"), tile=(1, 16, 48), overlap=16)

    assert [place[2] for place in found] == [38.0, 40.0, 42.0]


def test_a_thing_longer_than_the_overlap_is_one_box_around_all_of_it() -> None:
    array = np.zeros((1, 16, 100), np.uint8)
    array[0, 4:9, 5:95] = 1

    found = blobs_of(picture(array), Blobs("box"), tile=(1, 16, 40), overlap=10)

    assert found == [(-0.5, 3.5, 4.5, 0.5, 8.5, 94.5)]


def test_what_a_tile_sees_at_its_edge_alone_is_left_out() -> None:
    class Edgy:
        def detect(self, image: Image, options: Options) -> Instances:
            last = image.grid.shape[2] - 1.0
            return Instances((Instance(ONE, 0.9, point=(0.0, 4.0, last)),), image.grid)

    array = np.zeros((1, 16, 80), np.uint8)

    found = blobs_of(picture(array), Edgy(), tile=(1, 16, 48), overlap=16)

    assert [place[2] for place in found] == [79.0]


def test_a_finer_image_is_put_together_on_its_own_grid() -> None:
    array = np.random.default_rng(1).integers(0, 200, (1, 50, 70)).astype(np.uint8)
    image = picture(array)
    whole, parts = made("image"), made("image", tile=(1, 24, 24), overlap=8)

    expected = delineate(image, whole, runner=Given(whole, Finer())).output
    found = delineate(image, parts, runner=Given(parts, Finer())).output

    assert isinstance(expected, Image)
    assert isinstance(found, Image)
    assert found.grid.matches(expected.grid)
    np.testing.assert_array_equal(found.array, expected.array)


def test_finer_images_that_do_not_fit_together_are_refused() -> None:
    class Drifting(Finer):
        def detect(self, image: Image, options: Options) -> Image:
            self.shift += 0.1
            return super().detect(image, options)

    declared = made("image", tile=(1, 24, 24), overlap=8)

    with pytest.raises(BadDetectionError, match="do not lie on one grid"):
        delineate(
            picture(np.zeros((1, 50, 70), np.uint8)), declared, runner=Given(declared, Drifting())
        )


def test_scores_and_notes_of_labels_are_put_together() -> None:
    class Halves:
        def detect(self, image: Image, options: Options) -> Detection:
            labels = LabelMap((image.array > 0).astype(np.uint8), image.grid, {1: ONE})
            score = float(image.array.mean())
            return Detection(
                labels,
                scores={1: score},
                notes={1: ("seen",)},
                measurements={1: {"part": score}},
                overall={"mean": score},
                remarks=("looked",),
            )

    array = np.zeros((1, 8, 20), np.uint8)
    array[:, :, :10] = 1
    declared = made("labelmap", tile=(1, 8, 10))

    found = delineate(picture(array), declared, runner=Given(declared, Halves()))

    assert found.findings[0].score == 1.0  # all of the label is in the first tile
    assert found.findings[0].measurements["part"] == 1.0
    assert found.findings[0].notes[-1] == "seen"
    assert found.overall == {"mean": 0.5}
    assert found.notes == ("looked",)


def test_the_window_and_channels_wanted_are_brought_about() -> None:
    red = np.zeros((1, 2, 3, 3), np.uint8)
    red[..., 0] = 200
    grey = dressed(picture(red), Wants(channels=0, window=(0.0, 100.0)))
    colour = dressed(picture(np.full((1, 2, 3), 7, np.uint8)), Wants(channels=3))

    assert grey.array.dtype == np.float32
    np.testing.assert_allclose(grey.array, 0.6)  # 0.299 * 200 = 59.8, to the whole number
    np.testing.assert_array_equal(colour.array, np.full((1, 2, 3, 3), 7))
    assert colour.channels == ("red", "green", "blue")


def test_a_ct_is_not_made_colourful() -> None:
    image = Image(np.zeros((1, 4, 4), np.int16), Grid((1, 4, 4), np.eye(4)), "CT")

    with pytest.raises(UnsuitableImageError, match="3 channels"):
        delineate(image, spec("Echo", channels=3))


@pytest.mark.parametrize(
    ("wants", "reason"),
    [
        ({"min_size": (1, 9, 1)}, "at least 1 x 9 x 1 samples .*got 1 x 8 x 6"),
        ({"max_size": (1, 100, 5)}, "at most 1 x 100 x 5 samples .*got 1 x 8 x 6"),
    ],
)
def test_images_too_small_or_too_large_are_refused(wants: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsuitableImageError, match=reason):
        delineate(picture(np.zeros((1, 8, 6), np.uint8)), spec("Echo", **wants))


def test_a_count_comes_with_its_interval() -> None:
    array = np.zeros((1, 40, 40), np.uint8)
    array[0, ::10, ::10] = 1
    declared = DetectorSpec(
        id="test.count",
        title="Count",
        factory="nowhere:Nothing",
        gives="instances",
        categories=(ONE,),
        count_error=CountError(per_item=0.25, relative=0.1),
    )

    found = delineate(picture(array), declared, runner=Given(declared, Blobs()))

    # 16 of them: the variance is 0.25 * 16 + 1.6 ** 2 = 6.56, 1.96 deviations are 5.02
    assert found.overall == {"count": 16, "count_low": 11, "count_high": 21}
