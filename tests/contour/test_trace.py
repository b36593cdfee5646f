"""Label maps to outlines: what must hold for every mask, then masks worked by hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from strategies import labelmaps

from delineate.contour import Contour, Structure, fill, index_points, trace, trace_all
from delineate.imaging import Category, Grid, LabelMap

Edge = tuple[int, int, int, int]


def drawn(picture: str) -> LabelMap:
    """A label map of one slice, from lines of digits and dots."""
    rows = [
        [int(x.replace(".", "0")) for x in line.split()] for line in picture.split("\n") if line
    ]
    array = np.array([rows], np.uint8)
    return LabelMap(array, Grid.regular(array.shape), {})


def corners(contour: Contour, grid: Grid) -> NDArray[np.int64]:
    """Lattice corners ``(row, column)``: corner (0, 0) is the outer corner of sample (0, 0)."""
    _, points = index_points(contour, grid)
    whole = np.rint(points + 0.5).astype(int)
    np.testing.assert_allclose(points + 0.5, whole, atol=1e-5)
    return whole


def edges(ring: NDArray[np.int64]) -> Iterator[Edge]:
    """Steps of length one along a ring."""
    for (r, c), (r1, c1) in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
        assert (r == r1) != (c == c1), "neither a row nor a column"
        steps = max(abs(r1 - r), abs(c1 - c))
        dr, dc = (r1 - r) // steps, (c1 - c) // steps
        for i in range(steps):
            yield r + i * dr, c + i * dc, dr, dc


def cracks(mask: NDArray[np.bool_]) -> set[Edge]:
    """Every edge between inside and outside, walked with the inside on the right hand."""
    found = set()
    padded = np.pad(mask, 1)
    for r, c in np.argwhere(mask).tolist():
        if not padded[r + 1, c]:
            found.add((r + 1, c, -1, 0))
        if not padded[r, c + 1]:
            found.add((r, c, 0, 1))
        if not padded[r + 1, c + 2]:
            found.add((r, c + 1, 1, 0))
        if not padded[r + 2, c + 1]:
            found.add((r + 1, c + 1, 0, -1))
    return found


def sample_on_the_right(ring: NDArray[np.int64]) -> tuple[int, int]:
    (r, c), (r1, c1) = ring[0], ring[1]
    dr, dc = int(np.sign(r1 - r)), int(np.sign(c1 - c))
    return r + (dr - 1 + dc) // 2 if dr else r + (0 if dc > 0 else -1), (
        c + (0 if dr < 0 else -1) if dr else c + (dc - 1) // 2
    )


def signed_area(ring: NDArray[np.int64]) -> float:
    rows, columns = ring.T
    return float(np.sum(columns * np.roll(rows, -1) - np.roll(columns, -1) * rows)) / 2


@given(labelmaps())
def test_rings_are_exactly_the_cracks_each_walked_once(labelmap: LabelMap) -> None:
    for structure in trace_all(labelmap):
        walked: list[tuple[int, Edge]] = []
        for contour in structure.contours:
            k, _ = index_points(contour, labelmap.grid)
            walked += [(k, edge) for edge in edges(corners(contour, labelmap.grid))]
        mask = labelmap.mask(structure.number)
        expected = {(k, edge) for k in range(len(mask)) for edge in cracks(mask[k])}

        assert len(walked) == len(expected)
        assert set(walked) == expected


@given(labelmaps())
def test_rings_pass_no_corner_twice_and_turn_at_every_one(labelmap: LabelMap) -> None:
    for structure in trace_all(labelmap):
        for contour in structure.contours:
            ring = corners(contour, labelmap.grid)
            steps = np.roll(ring, -1, axis=0) - ring

            assert len(np.unique(ring, axis=0)) == len(ring)
            assert ((steps[:, 0] == 0) != np.roll(steps[:, 0] == 0, -1)).all()


@given(labelmaps())
def test_outer_rings_are_the_components_and_their_holes_follow(labelmap: LabelMap) -> None:
    for structure in trace_all(labelmap):
        mask = labelmap.mask(structure.number)
        outers = [[] for _ in mask]
        component = 0
        for contour in structure.contours:
            k, _ = index_points(contour, labelmap.grid)
            ring = corners(contour, labelmap.grid)
            names, _ = ndimage.label(mask[k])
            here = names[sample_on_the_right(ring)]
            if contour.is_hole:
                assert here == component
                assert signed_area(ring) < 0
            else:
                component = here
                outers[k].append(here)
                assert signed_area(ring) > 0
        for k, plane in enumerate(mask):
            _, count = ndimage.label(plane)
            assert outers[k] == list(range(1, count + 1))  # scipy too counts in raster order


@given(labelmaps())
def test_contours_go_from_the_first_slice_to_the_last(labelmap: LabelMap) -> None:
    for structure in trace_all(labelmap):
        slices = [index_points(contour, labelmap.grid)[0] for contour in structure.contours]

        assert slices == sorted(slices)
        assert set(slices) == set(np.flatnonzero(labelmap.mask(structure.number).any(axis=(1, 2))))


@given(labelmaps())
def test_area_is_the_number_of_samples_times_the_area_of_one(labelmap: LabelMap) -> None:
    for structure in trace_all(labelmap):
        area = sum(-c.area if c.is_hole else c.area for c in structure.contours)
        samples = np.count_nonzero(labelmap.mask(structure.number))

        assert area == pytest.approx(samples * labelmap.grid.pixel_area, rel=1e-6, abs=1e-9)


@given(labelmaps())
def test_one_label_is_traced_as_all_of_them_are(labelmap: LabelMap) -> None:
    for structure in trace_all(labelmap):
        alone = trace(labelmap, structure.number)

        assert [c.is_hole for c in alone] == [c.is_hole for c in structure.contours]
        for one, other in zip(alone, structure.contours, strict=True):
            np.testing.assert_array_equal(one.points, other.points)


@given(labelmaps(max_size=12), st.integers(2, 5), st.sampled_from(("edge", "midpoint")))
def test_the_number_of_workers_changes_no_bit(labelmap: LabelMap, workers: int, style: str) -> None:
    alone, together = trace_all(labelmap, style), trace_all(labelmap, style, workers)

    assert [s.number for s in alone] == [s.number for s in together]
    for one, other in zip(alone, together, strict=True):
        assert len(one.contours) == len(other.contours)
        for a, b in zip(one.contours, other.contours, strict=True):
            assert (a.is_hole, a.points.tobytes()) == (b.is_hole, b.points.tobytes())
        assert same(other.contours, trace(labelmap, one.number, style, workers))


@given(labelmaps(), st.permutations(range(1, 4)))
def test_the_numbers_of_labels_do_not_matter(labelmap: LabelMap, names: list[int]) -> None:
    table = np.array([0, *(300 * n for n in names)], np.uint16)
    renamed = LabelMap(table[labelmap.array], labelmap.grid, {})

    for label, name in enumerate(names, 1):
        assert same(trace(labelmap, label), trace(renamed, 300 * name))


@given(labelmaps(), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_margin_changes_nothing(labelmap: LabelMap, margin: list[int]) -> None:
    before, after = margin[:3], margin[3:]
    shape = tuple(a + n + b for a, n, b in zip(before, labelmap.grid.shape, after, strict=True))
    wider = LabelMap(
        np.pad(labelmap.array, list(zip(before, after, strict=True))),
        labelmap.grid.crop((-before[0], -before[1], -before[2]), shape),
        {},
    )

    assert same(trace(labelmap, 1), trace(wider, 1))


@given(labelmaps(), st.sampled_from((0, 1, 2)))
def test_flipped_samples_on_a_flipped_grid_have_the_same_outlines(
    labelmap: LabelMap, axis: int
) -> None:
    affine = labelmap.grid.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (labelmap.grid.shape[axis] - 1)
    affine[:3, axis] *= -1
    flipped = LabelMap(np.flip(labelmap.array, axis), Grid(labelmap.grid.shape, affine), {})

    def undirected(contours: tuple[Contour, ...]) -> set[tuple[int, ...]]:
        """Slice and middle, in half steps, of every step of the rings."""
        found = [(c, corners(c, labelmap.grid)) for c in contours]
        return {
            (index_points(c, labelmap.grid)[0], 2 * r + dr, 2 * q + dq)
            for c, ring in found
            for r, q, dr, dq in edges(ring)
        }

    assert undirected(trace(labelmap, 1)) == undirected(trace(flipped, 1))


@given(labelmaps(), st.integers(0, 2))
def test_memory_layout_does_not_matter(labelmap: LabelMap, axis: int) -> None:
    odd = np.empty(labelmap.array.size + 3, np.uint8)[3:].reshape(labelmap.array.shape)
    odd[...] = labelmap.array
    fortran = np.asfortranarray(labelmap.array)

    for array in (odd, fortran, odd[::-1][::-1]):
        assert same(trace(labelmap, 1), trace(LabelMap(array, labelmap.grid, {}), 1))


def same(one: tuple[Contour, ...], other: tuple[Contour, ...]) -> bool:
    return len(one) == len(other) and all(
        a.is_hole == b.is_hole
        and a.points.shape == b.points.shape
        and np.allclose(a.points, b.points, rtol=0, atol=1e-8)
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("columns", [8, 9, 61, 64, 128, 200])
@pytest.mark.parametrize("step", [1, 300])
@pytest.mark.parametrize("density", [0.01, 0.6, 0.97])
def test_wide_slices_come_back_exactly(columns: int, step: int, density: float) -> None:
    """With labels of one byte and of two; eight bytes are looked at together."""
    rng = np.random.default_rng(columns)
    shape = (3, 37, columns)
    array = (rng.random(shape) < density) * rng.integers(1, 3, shape) * step
    labelmap = LabelMap(array, Grid.regular(shape), {})

    for structure in trace_all(labelmap):
        back = fill(structure.contours, labelmap.grid)
        np.testing.assert_array_equal(back, labelmap.mask(structure.number))


def test_labels_that_go_on_in_the_next_row_have_a_ring_of_their_own() -> None:
    #  . . 1        the last sample of a row and the first of the next
    #  1 . .        follow each other in memory, not in the slice
    labelmap = drawn(". . . . . . . 1\n1 . . . . . . .")

    assert [corners(c, labelmap.grid).tolist() for c in trace(labelmap, 1)] == [
        [[0, 7], [0, 8], [1, 8], [1, 7]],
        [[1, 0], [1, 1], [2, 1], [2, 0]],
    ]


def test_a_single_sample() -> None:
    #     0   1   2
    #   0 +   +   +
    #       .   .
    #   1 +   +---+       one sample, four corners, half a sample from its centre
    #       . | 1 |
    #   2 +   +---+
    labelmap = drawn(". .\n. 1")

    (contour,) = trace(labelmap, 1)

    assert not contour.is_hole
    assert contour.points.tolist() == [
        [0.5, 0.5, 0.0],
        [1.5, 0.5, 0.0],
        [1.5, 1.5, 0.0],
        [0.5, 1.5, 0.0],
    ]


def test_a_ring_with_a_hole() -> None:
    #     0   1   2   3
    #   0 +-----------+
    #     | 1   1   1 |
    #   1 +   +---+   +
    #     | 1 | . | 1 |
    #   2 +   +---+   +
    #     | 1   1   1 |
    #   3 +-----------+
    labelmap = drawn("1 1 1\n1 . 1\n1 1 1")

    outer, hole = trace(labelmap, 1)

    assert not outer.is_hole
    assert corners(outer, labelmap.grid).tolist() == [[0, 0], [0, 3], [3, 3], [3, 0]]
    assert hole.is_hole
    assert corners(hole, labelmap.grid).tolist() == [[1, 2], [1, 1], [2, 1], [2, 2]]
    assert outer.area - hole.area == 8


def test_samples_that_meet_at_a_corner_are_apart() -> None:
    #   +---+
    #   | 1 | .
    #   +---+---+       two rings that touch at one corner
    #     . | 1 |
    #       +---+
    labelmap = drawn("1 .\n. 1")

    rings = [corners(contour, labelmap.grid).tolist() for contour in trace(labelmap, 1)]

    assert rings == [[[0, 0], [0, 1], [1, 1], [1, 0]], [[1, 1], [1, 2], [2, 2], [2, 1]]]


def test_holes_that_meet_at_a_corner_are_two() -> None:
    #   1  1  1  1
    #   1 |.| 1  1
    #   1  1 |.| 1     each passes the corner they share once
    #   1  1  1  1
    labelmap = drawn("1 1 1 1\n1 . 1 1\n1 1 . 1\n1 1 1 1")

    outer, *holes = trace(labelmap, 1)

    assert outer.area == 16
    assert [(hole.is_hole, hole.area) for hole in holes] == [(True, 1.0), (True, 1.0)]


def test_a_bay_that_closes_at_a_corner_is_a_hole() -> None:
    #   1  1  1
    #   1 |.| 1
    #   1  1 |.       the hole touches the outer ring at one corner
    labelmap = drawn("1 1 1\n1 . 1\n1 1 .")

    outer, hole = trace(labelmap, 1)

    assert (outer.is_hole, outer.area, len(outer.points)) == (False, 8.0, 6)
    assert (hole.is_hole, hole.area, len(hole.points)) == (True, 1.0, 4)


def test_an_island_in_a_hole_comes_after_the_hole() -> None:
    #   1 1 1 1 1
    #   1 . . . 1       outer 25, its hole 9,
    #   1 . 1 . 1       then the island 1 as an outer ring of its own
    #   1 . . . 1
    #   1 1 1 1 1
    labelmap = drawn("1 1 1 1 1\n1 . . . 1\n1 . 1 . 1\n1 . . . 1\n1 1 1 1 1")

    assert [(c.is_hole, c.area) for c in trace(labelmap, 1)] == [
        (False, 25.0),
        (True, 9.0),
        (False, 1.0),
    ]


def test_two_components_keep_their_holes() -> None:
    #   1 1 1 . 1 1 1
    #   1 . 1 . 1 . 1      the holes begin in the same row,
    #   1 1 1 . 1 1 1      yet each follows its own outer ring
    labelmap = drawn("1 1 1 . 1 1 1\n1 . 1 . 1 . 1\n1 1 1 . 1 1 1")

    assert [(c.is_hole, c.points[:, 0].min()) for c in trace(labelmap, 1)] == [
        (False, -0.5),
        (True, 0.5),
        (False, 3.5),
        (True, 4.5),
    ]


def test_a_hole_filled_by_another_label_is_a_hole_all_the_same() -> None:
    #   1 1 1
    #   1 2 1
    #   1 1 1
    one, two = trace_all(drawn("1 1 1\n1 2 1\n1 1 1"))

    assert [(c.is_hole, c.area) for c in one.contours] == [(False, 9.0), (True, 1.0)]
    assert [(c.is_hole, c.area) for c in two.contours] == [(False, 1.0)]


def test_structures_are_all_categories_and_all_labels_that_are_there() -> None:
    array = np.zeros((1, 2, 3), np.uint16)
    array[0, 0, 0], array[0, 1, 2] = 700, 3
    labelmap = LabelMap(
        array, Grid.regular((1, 2, 3)), {9: Category("spleen"), 3: Category("liver")}
    )

    structures = trace_all(labelmap)

    assert [(s.number, s.category.name, len(s.contours)) for s in structures] == [
        (3, "liver", 1),
        (9, "spleen", 0),
        (700, "label 700", 1),
    ]
    assert all(isinstance(s, Structure) for s in structures)


@pytest.mark.parametrize("label", [0, -1, 65536])
def test_background_and_numbers_that_are_no_label_are_refused(label: int) -> None:
    with pytest.raises(ValueError, match="label from 1 to 65535"):
        trace(drawn("1"), label)


def test_less_than_one_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one worker, got 0"):
        trace_all(drawn("1"), workers=0)


def test_an_absent_label_has_no_contours() -> None:
    assert trace(drawn("1 ."), 2) == ()
    assert trace(drawn("1 ."), 300) == ()


def test_numba_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, delineate.contour; sys.exit('numba' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
