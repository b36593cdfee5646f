"""`defects.compare`: laws on drawn boards, one board by hand, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from boards import board, photograph, planted
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from delineate import Delineation, Grid, Image, delineate
from delineate.detectors.compare import spec
from delineate.errors import OptionError, UnsuitableImageError
from delineate.plugins.host import Host
from delineate.testing import DetectorTests

KINDS = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
TEMPLATE = photograph(board())

rows = st.integers(90, 140)
traces = st.integers(0, 2)
kinds = st.sampled_from(KINDS)


def found(test: Image, template: Image = TEMPLATE, **options: Any) -> Delineation:
    return delineate(test, "defects.compare", {"template": template, **options})


def names_and_places(result: Delineation) -> list[tuple[str, float, float]]:
    """Name and middle ``(row, column)`` of each fault."""
    places = []
    for one in result.findings:
        assert one.box is not None
        (left, top, _), (right, bottom, _) = one.box
        places.append((one.category.name, (top + bottom) / 2, (left + right) / 2))
    return sorted(places)


def grey(array: np.ndarray[Any, Any]) -> Image:
    return Image(array[None], Grid.regular((1, *array.shape[:2]), unit="px"), "photo")


class TestCompare(DetectorTests):
    detector_id = "defects.compare"
    options: ClassVar[Mapping[str, object]] = {"template": TEMPLATE}
    equivariant: ClassVar[Mapping[str, float | None]] = {"flips": None}  # the template stays

    def sample(self) -> Image:
        changed, _ = planted(board(), "open", 110, 1)
        return photograph(planted(changed, "spur", 120, 2)[0])


@settings(max_examples=25, deadline=None)
@given(kinds, rows, traces)
def test_a_planted_fault_is_found_where_it_is_and_named(kind: str, row: int, trace: int) -> None:
    changed, place = planted(board(), kind, row, trace)

    ((name, at_row, at_column),) = names_and_places(found(photograph(changed)))

    assert name == kind
    assert np.hypot(at_row - place[0], at_column - place[1]) < 3


@settings(max_examples=10, deadline=None)
@given(st.floats(0.3, 1.0), st.floats(0, 60))
def test_a_board_equals_itself_in_any_light(gain: float, offset: float) -> None:
    same = photograph(board(), 200 * gain + offset, 60 * gain + offset)

    assert found(same).findings == ()


@settings(max_examples=10, deadline=None)
@given(kinds, rows, traces, st.floats(0.4, 1.0), st.floats(0, 50))
def test_brightness_and_contrast_change_nothing(
    kind: str, row: int, trace: int, gain: float, offset: float
) -> None:
    changed, _ = planted(board(), kind, row, trace)
    other = photograph(changed, 200 * gain + offset, 60 * gain + offset)

    places = names_and_places(found(photograph(changed)))

    for one, same in zip(names_and_places(found(other)), places, strict=True):
        assert one[0] == same[0]
        assert np.allclose(one[1:], same[1:], atol=1.0)


@settings(max_examples=8, deadline=None)
@given(kinds, st.integers(-12, 12), st.integers(-12, 12))
def test_a_shift_of_both_shifts_what_is_found(kind: str, down: int, right: int) -> None:
    changed, _ = planted(board(), kind, 110, 1)

    def shifted(image: Image) -> Image:
        return grey(np.roll(image.array[0], (down, right), (0, 1)))

    (before,) = names_and_places(found(photograph(changed)))
    (after,) = names_and_places(found(shifted(photograph(changed)), shifted(TEMPLATE)))

    assert after[0] == before[0]
    assert np.allclose(after[1:], (before[1] + down, before[2] + right), atol=0.6)


@settings(max_examples=12, deadline=None)
@given(kinds, st.floats(-2, 2), st.integers(-20, 20), st.integers(-20, 20))
def test_a_board_that_lies_askew_is_registered(
    kind: str, degrees: float, down: int, right: int
) -> None:
    changed, place = planted(board(), kind, 110, 1)
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(changed.shape) - 1) / 2
    offset = centre - turn @ (centre + np.array((down, right)))
    moved = ndimage.affine_transform(
        photograph(changed).array[0].astype(np.float32), turn, offset, order=1, cval=200
    )
    expected = np.linalg.inv(turn) @ (np.array(place) - offset)

    result = names_and_places(found(grey(np.rint(moved).astype(np.uint8))))

    assert [name for name, *_ in result] == [kind]
    assert np.hypot(*(np.array(result[0][1:]) - expected)) < 4


@pytest.mark.parametrize("kind", KINDS)
def test_polarity_shows_by_itself_or_is_said(kind: str) -> None:
    changed, _ = planted(board(), kind, 110, 1)
    test, template = photograph(changed, 60, 200), photograph(board(), 60, 200)

    for copper in ("auto", "bright"):
        ((name, *_),) = names_and_places(found(test, template, copper=copper))
        assert name == kind
    ((opposite, *_),) = names_and_places(found(test, template, copper="dark"))
    assert opposite != kind


def test_box_and_polygon_of_a_pin_hole_by_hand() -> None:
    """Nine samples square at rows 106 to 114, columns 226 to 234; its box has a margin of 10."""
    changed, _ = planted(board(), "pin-hole", 110, 0)

    (one,) = found(photograph(changed, blur=0)).findings

    assert one.category.name == "pin-hole"
    assert one.box is not None
    assert np.allclose(one.box, ((215.5, 95.5, -0.5), (244.5, 124.5, 0.5)))
    assert one.measurements["area_px"] == 81
    assert one.measurements["changed_samples"] == 81
    assert one.measurements["contrast"] == pytest.approx(1, abs=0.1)
    (wide,) = found(photograph(changed, blur=0), margin=0).findings
    assert wide.box is not None
    assert np.allclose(wide.box, ((225.5, 105.5, -0.5), (234.5, 114.5, 0.5)))


def test_a_piece_cut_off_is_open_and_a_hairline_is_found() -> None:
    copper = board()
    cut = copper.copy()
    cut[60:91, 180:189] = False  # a sliver of the plane's left edge, five samples wide
    cut[64:87, 180:185] = True
    hairline = copper.copy()
    hairline[110:112, 145:175] = True  # two samples high, near no edge

    assert [name for name, *_ in names_and_places(found(photograph(cut)))] == ["open"]
    (one,) = names_and_places(found(photograph(hairline, blur=0)))
    assert one[0] == "copper"


def test_an_edge_that_wanders_is_no_fault_unless_the_tolerance_says_so() -> None:
    wider = board()
    wider[30:180, 280:282] = True

    assert found(photograph(wider, blur=0)).findings == ()
    assert len(found(photograph(wider, blur=0), tolerance=0).findings) == 1


def test_a_faint_fault_is_found_by_less_contrast() -> None:
    changed, _ = planted(board(), "copper", 110, 1)
    clean = TEMPLATE.array[0].astype(np.float64)
    faint = clean + 0.4 * (photograph(changed).array[0] - clean)
    picture = grey(np.rint(faint).astype(np.uint8))

    assert found(picture).findings == ()
    assert [name for name, *_ in names_and_places(found(picture, contrast=0.3))] == ["copper"]


def test_light_that_falls_across_a_nearly_empty_board_is_no_fault() -> None:
    sparse = board()
    sparse[:, 140:] = sparse[205:] = False
    changed, _ = planted(sparse, "open", 110, 1)
    light = 1 - np.add.outer(np.linspace(0, 0.35, 260), np.linspace(0, 0.35, 300))
    shaded = grey(np.rint(photograph(changed).array[0] * light).astype(np.uint8))
    shaded_template = grey(np.rint(photograph(sparse).array[0] * light[::-1]).astype(np.uint8))

    for template in (photograph(sparse), shaded_template):
        result = found(shaded, template, copper="dark")
        assert [name for name, *_ in names_and_places(result)] == ["open"]


def test_colours_of_one_brightness_are_told_apart() -> None:
    changed, _ = planted(board(), "short", 110, 1)
    green, brown = np.array([40, 130, 60]), np.array([190, 62, 20])  # luminance 95 and 95

    def coloured(copper: np.ndarray[Any, Any]) -> Image:
        array = np.where(copper[..., None], brown, green).astype(np.uint8)[None]
        channels = ("red", "green", "blue")
        return Image(array, Grid.regular(array.shape[:3], unit="px"), "photo", channels)

    result = found(coloured(changed), coloured(board()))

    assert [name for name, *_ in names_and_places(result)] == ["short"]


def test_a_template_of_another_size_is_scaled_or_refused() -> None:
    changed, place = planted(board(), "open", 110, 1)
    twice = grey(np.kron(TEMPLATE.array[0], np.ones((2, 2), np.uint8)))

    ((name, row, column),) = names_and_places(found(photograph(changed), twice))

    assert name == "open"
    assert np.hypot(row - place[0], column - place[1]) < 3
    with pytest.raises(UnsuitableImageError, match="do not show the same part"):
        found(photograph(changed), grey(TEMPLATE.array[0][:, :150]))


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (grey(np.full((260, 300), 90, np.uint8)), "picture is blank"),
        (photograph(board()[::-1]), "do not show the same board"),
        (photograph(board()[:, ::-1]), "do not show the same board"),
        (photograph(board(), 60, 200), "do not show the same board"),
        (grey(np.random.default_rng(0).integers(0, 255, (260, 300), np.uint8)), "same board"),
        (grey(np.zeros((20, 20), np.uint8) + np.arange(20, dtype=np.uint8)), "at least 32"),
    ],
    ids=["blank", "upside down", "mirrored", "inverted", "noise", "tiny"],
)
def test_what_is_not_the_same_board_is_refused(test: Image, message: str) -> None:
    with pytest.raises(UnsuitableImageError, match=message):
        found(test)


def test_a_template_must_be_given() -> None:
    with pytest.raises(OptionError, match="template"):
        delineate(TEMPLATE, "defects.compare")


def test_what_lies_beyond_the_template_is_said() -> None:
    changed, _ = planted(board(), "open", 110, 1)
    moved = np.roll(photograph(changed).array[0], 15, axis=0)

    notes = " ".join(found(grey(moved)).notes)

    assert "lies beyond the template" in notes


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_large_pair_stays_within_the_memory_that_is_declared() -> None:
    changed, _ = planted(board(), "open", 110, 1)
    first = photograph(changed).array[0]
    template = grey(np.tile(TEMPLATE.array[0], (9, 9)))
    test = template.array[0].copy()
    test[: first.shape[0], : first.shape[1]] = first

    with Host(spec) as host:
        result = delineate(grey(test), spec, {"template": template}, runner=host)
        status = Path(f"/proc/{host.pid}/status").read_text()

    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    images_mb = 2 * test.nbytes / (1 << 20)
    assert [name for name, *_ in names_and_places(result)] == ["open"]
    assert int(peak) / 1024 <= spec.memory_needed_mb((1, *test.shape)) + images_mb
