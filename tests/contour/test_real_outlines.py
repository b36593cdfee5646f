"""Styles of contours on real label maps and on contours that people drew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from delineate.contour import (
    Contour,
    fill_all,
    plane_grid,
    reslice,
    simplify,
    smooth,
    trace,
    trace_all,
)
from delineate.contour.structure import Structure
from delineate.formats import nifti, rtstruct
from delineate.imaging import LabelMap


@pytest.fixture(scope="module")
def abdomen(shared_data: Path) -> LabelMap:
    """104 classes on 122 x 101 x 112 samples of 3 mm."""
    folder = shared_data / "ct_labelled" / "abdomen_3mm"
    return nifti.read_labels(folder / "labels_v2_117classes_fast_model.nii.gz")


@pytest.mark.parametrize("plane", ["axial", "sagittal", "coronal", "oblique"])
def test_every_style_fills_exactly_in_every_plane(abdomen: LabelMap, plane: str) -> None:
    if plane == "oblique":
        middle = abdomen.grid.corners.mean(axis=0)
        turned = reslice(abdomen, plane_grid(abdomen.grid, middle, (0.4, -0.3, 1.0), 2.0))
    else:
        turned = reslice(abdomen, plane)
    edge = trace_all(turned)
    half = 0.5 * float(np.hypot(*turned.grid.spacing[1:]))
    round_ = [
        Structure(s.number, s.category, smooth(s.contours, half, exact_on=turned.grid))
        for s in edge
    ]

    assert sum(len(s.contours) for s in edge) > 20
    for structures in (edge, trace_all(turned, style="midpoint"), round_):
        np.testing.assert_array_equal(fill_all(structures, turned.grid).array, turned.array)


def test_smooth_organs_are_valid_polygons_near_the_voxels(abdomen: LabelMap) -> None:
    (label,) = (n for n, c in abdomen.categories.items() if c.name == "liver")
    before = trace(abdomen, label)

    after = smooth(before, 2.0)

    for one, other in zip(before, after, strict=True):
        edge, curve = shapely.LinearRing(one.points), shapely.LinearRing(other.points)
        assert curve.is_simple
        assert shapely.hausdorff_distance(edge, curve, densify=0.2) <= 2.0
    areas = [
        sum(-c.area if c.is_hole else c.area for c in contours) for contours in (before, after)
    ]
    assert areas[1] == pytest.approx(areas[0], rel=0.01)


@pytest.mark.parametrize("patient", ["STS_002", "STS_007"])
@pytest.mark.parametrize("how", [simplify, smooth])
def test_drawn_contours_stay_within_the_tolerance(shared_data: Path, patient: str, how) -> None:
    drawn = rtstruct.read(shared_data / "rtstruct_sts" / patient / "dicom_mask" / "RS.dcm")
    before: list[Contour] = [c for s in drawn.structures for c in s.contours]

    after = how(before, 0.5)

    assert sum(len(c.points) for c in after) < sum(len(c.points) for c in before)
    for one, other in zip(before, after, strict=True):
        rings = shapely.LinearRing(one.points[:, :2]), shapely.LinearRing(other.points[:, :2])
        assert shapely.hausdorff_distance(*rings, densify=0.2) <= 0.5 + 1e-9
        assert rings[1].is_simple or not rings[0].is_simple
        np.testing.assert_allclose(other.points[:, 2], one.points[0, 2], atol=1e-6)
