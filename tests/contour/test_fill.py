"""Outlines to label maps: the round trip, a slow reference, edges through centres, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import grids, labelmaps

from delineate.contour import Contour, Structure, fill, fill_all, fill_layers, trace, trace_all
from delineate.errors import GeometryError, InputError
from delineate.imaging import Category, Grid, LabelMap

FLAT = Grid.regular((1, 8, 8))
SQUARE = ((0.5, 0.5), (3.5, 0.5), (3.5, 3.5), (0.5, 3.5))


def ring(*points: tuple[float, float], z: float = 0.0) -> Contour:
    """A contour through ``(column, row)`` on a grid of unit steps."""
    return Contour(np.array([(x, y, z) for x, y in points], dtype=float))


def holds(polygon: NDArray[np.float64], r: float, c: float) -> bool:
    """Even-odd by a ray towards lesser columns, an edge at a time: slow and plain."""
    inside = False
    for (r0, c0), (r1, c1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        (r0, c0), (r1, c1) = sorted(((r0, c0), (r1, c1)))
        if r0 <= r < r1 and c0 + (r - r0) * (c1 - c0) / (r1 - r0) <= c:
            inside = not inside
    return inside


@given(labelmaps())
def test_filling_the_traced_contours_gives_the_label_back(labelmap: LabelMap) -> None:
    for structure in trace_all(labelmap):
        filled = fill(structure.contours, labelmap.grid)

        assert filled.dtype == np.bool_
        np.testing.assert_array_equal(filled, labelmap.mask(structure.number))


@given(labelmaps())
def test_filling_all_structures_gives_the_label_map_back(labelmap: LabelMap) -> None:
    back = fill_all(trace_all(labelmap), labelmap.grid)

    np.testing.assert_array_equal(back.array, labelmap.array)
    assert back.categories == labelmap.categories


@given(labelmaps(), st.randoms(use_true_random=False))
def test_neither_order_nor_winding_nor_start_matters(labelmap: LabelMap, chance) -> None:
    contours = []
    for contour in trace(labelmap, 1):
        points = np.roll(contour.points, chance.randrange(9), axis=0)
        contours.append(Contour(points[:: chance.choice((1, -1))], chance.random() < 0.5))
    chance.shuffle(contours)

    np.testing.assert_array_equal(fill(contours, labelmap.grid), labelmap.mask(1))


@given(
    st.lists(
        st.lists(
            st.tuples(st.floats(-3, 11), st.floats(-3, 11))
            | st.tuples(st.integers(-1, 8), st.integers(-1, 8)),
            min_size=3,
            max_size=12,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_random_polygons_agree_with_the_plain_reference(polygons: list) -> None:
    rounded = [np.round(np.array(points, dtype=float), 6) for points in polygons]
    contours = [ring(*(tuple(point) for point in points)) for points in rounded]
    expected = np.zeros((8, 8), bool)
    for points in rounded:
        flipped = points[:, ::-1]
        expected ^= np.array([[holds(flipped, r, c) for c in range(8)] for r in range(8)])

    np.testing.assert_array_equal(fill(contours, FLAT)[0], expected)


@given(grids(), st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=9))
def test_triangles_round_a_point_share_no_sample_and_leave_none_out(
    grid: Grid, middles: list[tuple[int, int]]
) -> None:
    """A fan over the whole slice, its spokes often straight through sample centres."""
    size = 9.0
    corners = [(-1.0, -1.0), (-1.0, size), (size, size), (size, -1.0)]
    for row, column in middles:
        middle = (row / 2, column / 2)
        parts = [(middle, corners[i], corners[(i + 1) % 4]) for i in range(4)]
        count = np.zeros(grid.shape, int)
        for part in parts:
            points = grid.to_world(np.array([(0.0, r, c) for r, c in part]))
            count += fill([Contour(points)], grid)

        assert (count[0] == 1).all()
        assert not count[1:].any()


def test_an_edge_through_centres_belongs_to_the_side_of_lesser_indices() -> None:
    #   from (1, 1) to (3, 3): rows and columns 1 and 2 are inside, 3 is not
    square = ring((1, 1), (3, 1), (3, 3), (1, 3))

    assert np.argwhere(fill([square], FLAT)[0]).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_a_hole_drawn_as_one_ring_with_a_channel_is_a_hole() -> None:
    #   +-----------+
    #   |  +-----+  |      the channel runs to the hole and back on the same line
    #   |--+     |  |
    #   |  +-----+  |
    #   +-----------+
    keyhole = ring(
        (0.5, 0.5), (6.5, 0.5), (6.5, 6.5), (0.5, 6.5), (0.5, 3),
        (2.5, 3), (2.5, 4.5), (4.5, 4.5), (4.5, 2.5), (2.5, 2.5), (2.5, 3), (0.5, 3),
    )  # fmt: skip
    expected = np.zeros((8, 8), bool)
    expected[1:7, 1:7] = True
    expected[3:5, 3:5] = False

    np.testing.assert_array_equal(fill([keyhole], FLAT)[0], expected)


def test_an_island_in_a_hole_is_inside() -> None:
    squares = [ring((x, x), (7 - x, x), (7 - x, 7 - x), (x, 7 - x)) for x in (0.5, 1.5, 2.5)]

    assert np.count_nonzero(fill(squares, FLAT)) == 36 - 16 + 4


@pytest.mark.parametrize("reach", [1.0, 1e6, 1e300])
def test_what_reaches_beyond_the_slice_is_cut_off(reach: float) -> None:
    contour = ring((-reach, -reach), (3.5, -reach), (3.5, 2.5), (-reach, 2.5))

    filled = fill([contour], FLAT)[0]

    assert filled[:3, :4].all()
    assert np.count_nonzero(filled) == 12


@pytest.mark.parametrize("reach", [100.0, 1e6])
def test_slanted_edges_from_far_away_are_cut_off(reach: float) -> None:
    """The half plane of columns beyond the diagonal."""
    contour = ring((-reach, -reach), (reach, -reach), (reach, reach))

    np.testing.assert_array_equal(fill([contour], FLAT)[0], np.triu(np.ones((8, 8), bool)))


@pytest.mark.parametrize("reach", [1e20, 1e300])
def test_edges_beyond_what_a_float_resolves_do_no_harm(reach: float) -> None:
    contour = ring((-reach, -reach), (reach, -reach / 3), (reach, reach))

    assert fill([contour], FLAT).shape == FLAT.shape


def test_a_contour_absurdly_far_away_is_refused() -> None:
    with pytest.raises(GeometryError, match="contour 0 lies in the plane of slice"):
        fill([ring(*SQUARE, z=1e308)], Grid.regular((1, 8, 8), (1e-3, 1.0, 1.0)))


def test_a_contour_wholly_beside_the_slice_fills_nothing() -> None:
    for dx, dy in ((20, 0), (-20, 0), (0, 20), (0, -20)):
        contour = ring((dx, dy), (dx + 5, dy), (dx + 5, dy + 5), (dx, dy + 5))
        assert not fill([contour], FLAT).any()


def test_a_contour_beside_the_slice_does_not_hide_one_inside() -> None:
    inside = ring((0.5, 0.5), (3.5, 0.5), (3.5, 3.5), (0.5, 3.5))
    beside = ring((20.0, 0.5), (25.0, 0.5), (25.0, 3.5), (20.0, 3.5))

    np.testing.assert_array_equal(fill([inside, beside], FLAT), fill([inside], FLAT))


def test_no_contours_fill_nothing() -> None:
    assert not fill([], FLAT).any()
    assert fill_all([], FLAT).present() == ()


@pytest.mark.parametrize(("z", "number"), [(9.0, 0), (10.4, 0), (7.6, 0), (12.0, 1), (13.4, 1)])
def test_the_nearest_slice_takes_the_contour(z: float, number: int) -> None:
    grid = Grid.regular((2, 8, 8), (3.0, 1.0, 1.0), (0.0, 0.0, 9.0))

    filled = fill([ring(*SQUARE, z=z)], grid)

    assert np.flatnonzero(filled.any(axis=(1, 2))).tolist() == [number]


@pytest.mark.parametrize(("z", "place"), [(7.0, "-0.67"), (15.0, "2.00")])
def test_a_contour_outside_the_slices_is_refused(z: float, place: str) -> None:
    grid = Grid.regular((2, 8, 8), (3.0, 1.0, 1.0), (0.0, 0.0, 9.0))

    with pytest.raises(GeometryError, match=f"contour 1 lies in the plane of slice {place}"):
        fill([ring(*SQUARE, z=9.0), ring(*SQUARE, z=z)], grid)


def test_a_contour_off_the_planes_is_refused_beyond_the_tolerance() -> None:
    grid = Grid.regular((2, 8, 8), (3.0, 1.0, 1.0))

    assert fill([ring(*SQUARE, z=0.2)], grid, plane_tolerance_mm=0.25).any()
    with pytest.raises(GeometryError, match=r"contour 0 is up to 0\.300 mm from the plane"):
        fill([ring(*SQUARE, z=0.3)], grid, plane_tolerance_mm=0.25)


def test_a_contour_across_the_slices_is_refused() -> None:
    grid = Grid.regular((5, 8, 8))
    upright = Contour(np.array([(1.0, 1.0, 0.0), (5.0, 1.0, 0.0), (5.0, 1.0, 4.0)]))

    with pytest.raises(GeometryError, match="not parallel to the slices"):
        fill([upright], grid)


def test_contours_of_two_planes_are_not_taken_together() -> None:
    """Drawn every 1 mm, filled into slices 3 mm apart: even-odd would cancel them silently."""
    grid = Grid.regular((2, 8, 8), (3.0, 1.0, 1.0))

    with pytest.raises(GeometryError, match=r"1\.000 mm apart, but both are nearest to slice 1"):
        fill([ring(*SQUARE, z=z) for z in (0.0, 2.0, 3.0)], grid)


def test_structures_that_overlap_are_refused_by_name() -> None:
    one = Structure(1, Category("liver"), (ring(*SQUARE),))
    two = Structure(2, Category("spleen"), (ring((2.5, 2.5), (6.5, 2.5), (6.5, 4.5), (2.5, 4.5)),))

    with pytest.raises(InputError, match="'liver' and 'spleen' overlap in 1 samples"):
        fill_all([one, two], FLAT)


def test_structures_need_numbers_of_their_own() -> None:
    with pytest.raises(InputError, match="'liver' and 'spleen' both have the number 1"):
        fill_all([Structure(1, Category("liver")), Structure(1, Category("spleen"))], FLAT)
    with pytest.raises(InputError, match="from 1 to 65535"):
        fill_all([Structure(70000, Category("liver"))], FLAT)


def test_a_refusal_names_the_structure() -> None:
    with pytest.raises(GeometryError, match="structure 'liver': contour 0 lies in the plane"):
        fill_all([Structure(1, Category("liver"), (ring(*SQUARE, z=5.0),))], FLAT)


def test_numbers_above_255_make_a_label_map_of_two_bytes() -> None:
    labelmap = fill_all([Structure(300, Category("liver"), (ring(*SQUARE),))], FLAT)

    assert labelmap.array.dtype == np.uint16
    assert labelmap.present() == (300,)


@pytest.fixture(scope="module")
def abdomen(shared_data: Path) -> LabelMap:
    """A CT's 117 classes, predictions of TotalSegmentator, at 3 mm."""
    folder = shared_data / "ct_labelled" / "abdomen_3mm"
    image = SimpleITK.ReadImage(folder / "labels_v2_117classes_fast_model.nii.gz")
    names = json.loads((folder / "labels_v2_117classes.json").read_text())
    categories = {int(n): Category(str(name)) for n, name in names.items() if int(n)}
    array = SimpleITK.GetArrayFromImage(image).astype(np.uint8)
    return LabelMap(array, itk_grid(image), categories)


def itk_grid(image: SimpleITK.Image) -> Grid:
    """The grid of a SimpleITK image: LPS mm, array axes in reverse order."""
    affine = np.eye(4)
    steps = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, :3] = steps[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    columns, rows, slices = image.GetSize()
    return Grid((slices, rows, columns), affine)


def test_every_organ_of_a_real_ct_comes_back_exactly(abdomen: LabelMap) -> None:
    structures = trace_all(abdomen)

    assert len(structures) == 117
    assert sum(len(s.contours) > 0 for s in structures) == len(abdomen.present()) > 50
    np.testing.assert_array_equal(fill_all(structures, abdomen.grid).array, abdomen.array)


@pytest.mark.parametrize("patient", ["002", "003", "006", "007", "008", "019"])
def test_tumours_drawn_by_hand_fill_as_the_reference_says(shared_data: Path, patient: str) -> None:
    """IBSI's masks of the contours of Vallières et al., doi:10.7937/K9/TCIA.2015.7GO2GSKS."""
    folder = shared_data / "rtstruct_sts" / f"STS_{patient}"
    mask = SimpleITK.ReadImage(folder / "CT_mask.nii.gz")
    drawn = pydicom.dcmread(folder / "dicom_mask" / "RS.dcm")
    (tumour,) = [
        roi.ROINumber for roi in drawn.StructureSetROISequence if roi.ROIName == "GTV_Mass_CT"
    ]
    (item,) = [x for x in drawn.ROIContourSequence if x.ReferencedROINumber == tumour]
    contours = [
        Contour(np.array(x.ContourData, dtype=float).reshape(-1, 3)) for x in item.ContourSequence
    ]

    filled = fill(contours, itk_grid(mask))

    np.testing.assert_array_equal(filled, SimpleITK.GetArrayFromImage(mask) > 0)


@given(labelmaps(), labelmaps())
def test_layers_hold_every_structure_once_and_exactly(one: LabelMap, other: LabelMap) -> None:
    over = LabelMap(np.resize(other.array, one.array.shape), one.grid, {})
    structures = [
        *trace_all(one),
        *(Structure(s.number + 300, Category("b"), s.contours) for s in trace_all(over)),
    ]

    layers = fill_layers(structures, one.grid)

    for structure in structures:
        holding = [layer for layer in layers if structure.number in layer.categories]
        assert len(holding) == 1
        assert holding[0].categories[structure.number] == structure.category
        np.testing.assert_array_equal(
            holding[0].mask(structure.number), fill(structure.contours, one.grid)
        )
    named = [number for layer in layers for number in layer.categories]
    assert sorted(named) == sorted(structure.number for structure in structures)
    for layer in layers:
        assert set(layer.present()) <= set(layer.categories)


def test_layers_are_as_few_as_greedy_needs() -> None:
    a = Structure(1, Category("a"), (ring(*SQUARE),))
    b = Structure(2, Category("b"), (ring(*((x + 1, y) for x, y in SQUARE)),))
    c = Structure(3, Category("c"), (ring(*((x + 4, y + 4) for x, y in SQUARE)),))
    empty = Structure(4, Category("d"))

    layers = fill_layers((a, b, c, empty), FLAT)

    assert [sorted(layer.categories) for layer in layers] == [[1, 3, 4], [2]]
    assert [len(fill_layers(some, FLAT)) for some in ((), (a,), (a, c))] == [1, 1, 1]


def test_layers_refuse_two_structures_of_one_number() -> None:
    with pytest.raises(InputError, match="both have the number 1"):
        fill_layers((Structure(1, Category("a")), Structure(1, Category("b"))), FLAT)
