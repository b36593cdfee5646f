"""An image goes through a detector and becomes findings."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from finders import CATEGORIES, ONE, spec
from hypothesis import given, settings
from strategies import labelmaps

from delineate.contour import fill, fill_all, measure
from delineate.delineation import Delineation, delineate, structures
from delineate.errors import Cancelled, OptionError, UnknownDetectorError, UnsuitableImageError
from delineate.imaging import Grid, Image, LabelMap
from delineate.plugins import Detection, Monitor, Options
from delineate.plugins.host import Host
from delineate.plugins.runner import InProcess

GRID = Grid.regular((3, 8, 9), (2.0, 1.0, 1.0), (100.0, -50.0, 7.0))


def image(grid: Grid = GRID) -> Image:
    """A small block of ones in the middle."""
    array = np.zeros(grid.shape, np.int16)
    array[1, 2:5, 3:7] = 1
    return Image(array, grid, "CT")


@given(labelmaps())
@settings(deadline=None, max_examples=50)
def test_filling_the_findings_gives_the_labels_back(labelmap: LabelMap) -> None:
    found = delineate(Image(labelmap.array, labelmap.grid), spec("Echo"))

    filled = fill_all(structures(found), labelmap.grid)
    np.testing.assert_array_equal(filled.array, labelmap.array)


@given(labelmaps())
@settings(deadline=None, max_examples=30)
def test_measurements_are_those_of_the_labels(labelmap: LabelMap) -> None:
    found = delineate(Image(labelmap.array, labelmap.grid), spec("Echo"))

    measured = measure(labelmap)
    for finding in found.findings:
        whole = labelmap.grid.voxel_size * measured[finding.id]["voxels"] / 1000
        assert finding.measurements["volume_ml"] == pytest.approx(whole, rel=1e-6)


def test_a_block_of_twelve_voxels() -> None:
    """Rows 2-4, columns 3-6 of the middle slice.

    ::

          3 4 5 6
        2 # # # #        12 voxels of 2 x 1 x 1 mm: 0.024 ml
        3 # # # #        one ring, 0.5 outside the outer centres
        4 # # # #
    """
    found = delineate(image(), spec("Echo"))

    first, second, third = found.findings
    assert [finding.category for finding in found.findings] == list(CATEGORIES)
    assert first.measurements["volume_ml"] == 0.024
    assert first.measurements["centroid_mm"] == [104.5, -47.0, 9.0]
    assert first.notes == ()
    assert first.score is None
    (ring,) = first.contours
    assert sorted(map(tuple, ring.points.tolist())) == [
        (102.5, -48.5, 9.0),
        (102.5, -45.5, 9.0),
        (106.5, -48.5, 9.0),
        (106.5, -45.5, 9.0),
    ]
    assert (second.contours, second.measurements["volume_ml"]) == ((), 0.0)
    assert third.measurements["mean_hu"] is None


def test_what_a_detector_measured_is_kept_beside_what_the_framework_measures() -> None:
    first, _ = delineate(image(), spec("Everything")).findings

    assert first.measurements["surprise"] == 0.1234568
    assert first.measurements["voxels"] == 3 * 8 * 9  # not the detector's word for it


def test_overlapping_masks_become_one_structure_each() -> None:
    found = delineate(image(), spec("Layers"))

    small, whole = found.findings
    assert (small.id, whole.id) == (1, 2)
    assert small.measurements["voxels"] == 12
    assert whole.measurements["voxels"] == 3 * 8 * 9
    assert (small.notes, whole.notes) == ((), ("cut by the field of view",))
    np.testing.assert_array_equal(fill(small.contours, GRID), image().array > 0)
    assert fill(whole.contours, GRID).all()


def test_instances_become_points_boxes_and_rings_in_the_world() -> None:
    point, box, ring = delineate(image(), spec("Corners")).findings

    assert (point.point, point.score, point.contours) == ((100.0, -50.0, 7.0), 0.5, ())
    assert box.box == ((107.5, -43.5, 10.0), (108.5, -42.5, 12.0))
    assert ring.contours[0].points.tolist() == [
        [100.0, -50.0, 7.0],
        [100.0, -43.0, 7.0],
        [108.0, -43.0, 7.0],
    ]
    assert ring.measurements == {"area_mm2": 28.0}


def test_classes_become_findings_with_a_score() -> None:
    found = delineate(image(), spec("Guess"))

    assert [(each.id, each.category.name, each.score) for each in found.findings] == [
        (1, "thing 1", 0.2),
        (2, "thing 2", 0.8),
    ]
    assert structures(found) == ()


def test_a_field_becomes_what_is_at_or_above_its_threshold() -> None:
    (finding,) = delineate(image(), spec("Odd")).findings

    assert finding.measurements["voxels"] == 12
    assert finding.measurements["meaning"] == "oddness"
    assert (finding.measurements["threshold"], finding.measurements["highest"]) == (0.5, 1.0)
    np.testing.assert_array_equal(fill(finding.contours, GRID), image().array > 0)


def test_a_restored_image_has_no_findings() -> None:
    found = delineate(image(), spec("Double"))

    assert found.findings == ()
    assert isinstance(found.output, Image)
    np.testing.assert_array_equal(found.output.array, image().array * 2)


def test_what_the_detector_says_of_its_finding_is_kept() -> None:
    found = delineate(image(), spec("Everything"))

    first, second = found.findings
    assert first.score == 0.1234568
    assert first.notes == ("cut by the field of view", "large")
    assert second.notes == ("missing",)
    assert found.notes == ("seen all",)
    assert found.provenance.device == "abacus"
    assert found.provenance.versions["beads"] == "10"


@pytest.mark.parametrize("name", ["Echo", "Apart", "Corners", "Odd"])
def test_the_wanted_form_changes_where_nothing_lies(name: str) -> None:
    as_it_is = delineate(image(), spec(name))

    turned = delineate(image(), spec(name, orientation="SAR"))

    for a, b in zip(as_it_is.findings, turned.findings, strict=True):
        assert a.measurements == b.measurements
        assert len(a.contours) == len(b.contours)
        if name == "Corners":  # "first" is another corner now
            continue
        assert (a.point, a.box) == (b.point, b.box)
        for one, other in zip(a.contours, b.contours, strict=True):
            np.testing.assert_array_equal(one.points, other.points)


def test_a_photograph_is_measured_in_pixels() -> None:
    grid = Grid.regular((1, 8, 9), unit="px")
    array = np.zeros((1, 8, 9), np.uint8)
    array[0, 2:5, 3:7] = 1

    finding = delineate(Image(array, grid, "photo"), spec("Echo")).findings[0]

    assert finding.measurements["area_px"] == 12.0
    assert finding.notes == ()


def test_provenance_says_how_it_came_about() -> None:
    given = image()

    made = delineate(given, spec("Echo")).provenance

    assert made.image_hash == given.content_hash
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made.created)
    assert made.seconds >= 0
    assert {"delineate", "python", "numpy"} <= set(made.versions)
    assert made.options == {}


def test_progress_rises_from_0_to_1_through_named_stages() -> None:
    told: list[tuple[float, str]] = []

    class Told(Monitor):
        def progress(self, fraction: float, stage: str = "") -> None:
            told.append((fraction, stage))

    delineate(image(), spec("Layers"), monitor=Told())

    assert told == sorted(told, key=lambda entry: entry[0])
    assert (told[0], told[-1]) == ((0.0, "preparing"), (1.0, "done"))
    assert all(stage for _, stage in told)


def test_it_can_be_cancelled() -> None:
    class Impatient(Monitor):
        @property
        def cancelled(self) -> bool:
            return True

    with pytest.raises(Cancelled):
        delineate(image(), spec("Echo"), monitor=Impatient())


def test_what_is_wrong_is_said_before_anything_is_computed() -> None:
    class Never:
        spec = spec("Echo", modalities=("MR",))

        def run(self, image: Image, options: Options, monitor: Monitor) -> Detection:
            raise AssertionError("must not run")

    never = Never()
    with pytest.raises(UnknownDetectorError, match="no-such"):
        delineate(image(), "no-such", runner=never)
    with pytest.raises(UnsuitableImageError, match="wants MR, got modality CT"):
        delineate(image(), never.spec, runner=never)
    with pytest.raises(OptionError, match="has no option 'x'"):
        delineate(image(), spec("Echo"), {"x": 1}, runner=never)
    with pytest.raises(ValueError, match="the runner is for detector"):
        delineate(image(), spec("Odd"), runner=never)


def test_options_of_another_detector_are_refused() -> None:
    class Own(Options):
        depth: int = 3

    own = replace(spec("Echo"), options=Own)

    assert delineate(image(), own, Own(depth=4)).provenance.options == {"depth": 4}
    assert delineate(image(), own, {"depth": "5"}).provenance.options == {"depth": 5}
    with pytest.raises(TypeError, match="as Own or a mapping, got Options"):
        delineate(image(), own, Options())


def test_in_a_process_of_its_own_it_finds_the_same() -> None:
    def essence(found: Delineation) -> list[Any]:
        return [
            (each.id, each.category, each.measurements, [ring.points.tolist() for ring in
             each.contours]) for each in found.findings
        ]  # fmt: skip

    with Host(spec("Echo")) as host:
        hosted = delineate(image(), spec("Echo"), runner=host)

    assert essence(hosted) == essence(delineate(image(), spec("Echo")))


def test_a_runner_keeps_its_detector() -> None:
    runner = InProcess(spec("Echo"))

    first = delineate(image(), spec("Echo"), runner=runner)
    again = delineate(image(), spec("Echo"), runner=runner)

    assert first.findings[0].category == again.findings[0].category == ONE


def test_what_reading_assumed_is_repeated_before_what_the_detector_remarks() -> None:
    noted = replace(image(), notes=("The file names no modality; it was stated to be CT.",))

    found = delineate(noted, spec("Everything"))

    assert found.notes == ("The file names no modality; it was stated to be CT.", "seen all")


def test_a_photograph_of_known_scale_has_areas_and_no_volumes() -> None:
    array = np.zeros((1, 8, 9), np.uint8)
    array[0, 2:5, 3:7] = 1
    picture = Image(array, Grid.regular(array.shape, (1.0, 0.5, 0.25)), "photo")

    (finding, *_) = delineate(picture, spec("Echo")).findings

    assert finding.measurements["area_mm2"] == 12 * 0.125
    assert "volume_ml" not in finding.measurements
