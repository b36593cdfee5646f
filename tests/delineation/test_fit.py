"""Images are brought to what a detector wants, and what it found is brought back."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from finders import ONE, TWO, spec
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import grids, labelmaps

from delineate.delineation.fit import demand_suitable, prepare, restore
from delineate.errors import UnsuitableImageError
from delineate.imaging import Grid, Image, LabelMap
from delineate.plugins import Field, Instance, Instances, Masks, Wants

ORIENTATIONS = [
    "".join(letters) for axes in permutations(("RL", "AP", "IS")) for letters in product(*axes)
]
SPACINGS = st.tuples(*[st.floats(0.4, 9.0)] * 3)
POINTS = st.tuples(*[st.floats(-2, 9)] * 3)


def image_of(labelmap: LabelMap) -> Image:
    return Image(labelmap.array, labelmap.grid, "CT")


@given(labelmaps(), st.sampled_from(ORIENTATIONS))
@settings(deadline=None, max_examples=50)
def test_turning_and_turning_back_changes_no_label(labelmap: LabelMap, wanted: str) -> None:
    turned = prepare(image_of(labelmap), Wants(orientation=wanted))
    found = LabelMap(turned.array, turned.grid, labelmap.categories)

    back = restore(found, labelmap.grid)

    assert turned.grid.orientation == wanted
    assert isinstance(back, LabelMap)
    assert back.grid is labelmap.grid
    np.testing.assert_array_equal(back.array, labelmap.array)


@given(labelmaps(), st.sampled_from(ORIENTATIONS))
@settings(deadline=None, max_examples=50)
def test_masks_and_fields_turn_back_the_same_way(labelmap: LabelMap, wanted: str) -> None:
    turned = prepare(image_of(labelmap), Wants(orientation=wanted))
    masks = Masks(np.stack([turned.array == 1, turned.array > 1]), turned.grid, (ONE, TWO))
    field = Field(turned.array.astype(np.float32), turned.grid, ONE, "label", 0.5)

    unmasked, unfielded = restore(masks, labelmap.grid), restore(field, labelmap.grid)

    np.testing.assert_array_equal(unmasked.array[0], labelmap.array == 1)  # type: ignore[union-attr]
    np.testing.assert_array_equal(unmasked.array[1], labelmap.array > 1)  # type: ignore[union-attr]
    np.testing.assert_array_equal(unfielded.array, labelmap.array)  # type: ignore[union-attr]


@given(grids(), SPACINGS, st.sampled_from((None, "SPL", "LAI")))
@settings(deadline=None, max_examples=50)
def test_what_covers_the_prepared_image_covers_the_image(
    grid: Grid, spacing: tuple[float, float, float], orientation: str | None
) -> None:
    image = Image(np.zeros(grid.shape, np.int16), grid)
    prepared = prepare(image, Wants(spacing_mm=spacing, orientation=orientation))
    full = LabelMap(np.ones(prepared.grid.shape, np.uint8), prepared.grid, {1: ONE})
    field = Field(np.full(prepared.grid.shape, 7.0), prepared.grid, ONE, "seven", 0.5)

    np.testing.assert_allclose(prepared.grid.spacing, spacing, rtol=1.1e-3)
    np.testing.assert_array_equal(restore(full, grid).array, 1)  # type: ignore[union-attr]
    np.testing.assert_allclose(restore(field, grid).array, 7.0)  # type: ignore[union-attr]


@given(grids(), SPACINGS, st.sampled_from(ORIENTATIONS), POINTS)
@settings(deadline=None, max_examples=50)
def test_an_instance_stays_where_it_is_in_the_world(
    grid: Grid,
    spacing: tuple[float, float, float],
    orientation: str,
    point: tuple[float, float, float],
) -> None:
    image = Image(np.zeros(grid.shape, np.uint8), grid)
    prepared = prepare(image, Wants(spacing_mm=spacing, orientation=orientation)).grid
    box = (point, (point[0] + 1.0, point[1] + 2.0, point[2] + 3.0))

    back = restore(Instances((Instance(ONE, 0.5, point=point, box=box),), prepared), grid)

    assert isinstance(back, Instances)
    (item,) = back.items
    assert item.point is not None
    assert item.box is not None
    np.testing.assert_allclose(grid.to_world(item.point), prepared.to_world(point), atol=1e-6)
    np.testing.assert_allclose(
        np.prod(np.diff(item.box, axis=0)) * grid.voxel_size, 6 * prepared.voxel_size, rtol=1e-6
    )


def test_a_polygon_goes_to_the_nearest_slice_or_becomes_its_box() -> None:
    grid = Grid.regular((4, 6, 8), (2.0, 1.0, 1.0))
    thick = grid.with_spacing((4.0, 1.0, 1.0))
    sagittal = grid.oriented("LSP")
    ring = np.array([[1, 1, 1], [1, 1, 3], [1, 3, 3]], float)

    def back(on: Grid) -> Instance:
        restored = restore(Instances((Instance(ONE, 1.0, polygon=ring),), on), grid)
        assert isinstance(restored, Instances)
        return restored.items[0]

    flat = back(thick).polygon
    assert flat is not None
    np.testing.assert_array_equal(flat, ring + np.array([1, 0, 0]))  # 2.5, to the even neighbour
    assert back(sagittal).polygon is None
    assert back(sagittal).box == ((1.0, 1.0, 1.0), (3.0, 3.0, 1.0))


def test_an_image_that_fits_already_comes_back_itself() -> None:
    grid = Grid.regular((4, 5, 6), (3.0, 1.0, 1.0))
    image = Image(np.zeros(grid.shape, np.int16), grid, "CT")

    assert prepare(image, Wants(orientation="SPL", spacing_mm=(3.001, 1.0, 1.0))) is image


def test_a_constant_image_stays_so_up_to_its_border() -> None:
    grid = Grid.regular((3, 9, 9), (5.0, 1.0, 1.0))
    image = Image(np.full(grid.shape, 40, np.int16), grid, "CT")

    prepared = prepare(image, Wants(spacing_mm=(2.5, 3.0, 3.0)))

    assert prepared.grid.shape == (6, 3, 3)
    np.testing.assert_allclose(prepared.array, 40.0)


def image(
    shape: tuple[int, ...] = (10, 5, 6),
    modality: str = "CT",
    unit: str = "mm",
    channels: tuple[str, ...] = (),
) -> Image:
    grid = Grid.regular(shape[:3], unit=unit)  # type: ignore[arg-type]
    return Image(np.zeros(shape[:3] + ((len(channels),) if channels else ())), grid, modality,
                 channels)  # fmt: skip


@pytest.mark.parametrize(
    ("wants", "given", "message"),
    [
        ({"modalities": ("CT",)}, image(modality="MR"),
         r"Echo \(test.echo\) wants CT, got modality MR; choose another detector or image"),
        ({"modalities": ("CT", "MR")}, image(modality="US"), "wants CT or MR, got modality US"),
        ({"modalities": ("CT",)}, image(modality="unknown"), "modality='CT' in read"),
        ({"unit": "mm"}, image(unit="px"), "an image of known scale .mm., got a picture in pixels"),
        ({"spacing_mm": (1, 1, 1)}, image(unit="px"), "an image of known scale"),
        ({"orientation": "SPL"}, image(unit="px"), "an image of known scale"),
        ({"unit": "px"}, image(), "wants a picture in pixels, got an image in mm"),
        ({"dimensions": 2}, image(), "a single slice or photograph, got 10 slices"),
        ({"dimensions": 3}, image((1, 5, 6)), "a volume of at least 2 slices, got 1; upload"),
        ({"min_slices": 12}, image(), "a volume of at least 12 slices, got 10"),
        ({"min_slices": 8, "orientation": "PSL"}, image(),
         "at least 8 slices, got 5 in the orientation it wants"),
        ({"channels": 3}, image(), "wants 3 channels, got a grey one"),
        ({"channels": 0}, image(channels=tuple("rgba")), "wants a grey image, got 4 channels"),
        ({"channels": 3}, image(channels=tuple("rgba")), "wants 3 channels, got 4 channels"),
    ],
)  # fmt: skip
def test_an_unsuitable_image_is_refused_with_what_is_wanted(
    wants: dict[str, object], given: Image, message: str
) -> None:
    with pytest.raises(UnsuitableImageError, match=message):
        demand_suitable(given, spec("Echo", **wants))


@pytest.mark.parametrize(
    ("wants", "given"),
    [
        ({}, image(unit="px", channels=tuple("rgb"))),
        ({"modalities": ("MR", "CT"), "unit": "mm", "dimensions": 3, "channels": 0}, image()),
        ({"min_slices": 6, "orientation": "LPS"}, image()),
        ({"dimensions": 2, "unit": "px", "channels": 3},
         image((1, 5, 6), "photo", "px", tuple("rgb"))),
    ],
)  # fmt: skip
def test_a_suitable_image_is_taken(wants: dict[str, object], given: Image) -> None:
    demand_suitable(given, spec("Echo", **wants))
