"""Shapes drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from delineate.phantom.anatomy import draw_anatomy, ranges
from delineate.phantom.canvas import Bend, Canvas
from delineate.phantom.diaphragm import Diaphragm
from delineate.phantom.scanner import Scanner
from delineate.phantom.wall import paint_body


def _straight(step: float = 2.0) -> Canvas:
    axis = np.arange(-40.0, 40.0 + step, step)
    return Canvas((axis, axis, axis), Bend(np.zeros((3, 24, 11, 11))))


def test_an_ellipsoid_has_its_volume() -> None:
    canvas = _straight()

    box, field = canvas.ellipsoid((0, 0, 0), (20, 15, 30))

    found = (field < 1).sum() * 8.0
    assert found == pytest.approx(4 / 3 * np.pi * 20 * 15 * 30, rel=0.02)
    assert canvas.tissue[box].shape == field.shape


def test_a_capsule_is_a_cylinder_with_round_ends() -> None:
    canvas = _straight()

    _, field = canvas.capsule((0, 0, -20), (0, 0, 20), 10.5)

    assert (field < 1).sum() * 8.0 == pytest.approx(
        np.pi * (10.5**2 * 40 + 4 / 3 * 10.5**3), rel=0.03
    )


def test_a_tube_of_one_piece_is_a_capsule() -> None:
    canvas = _straight()

    tube = canvas.tube([(-10, 0, 0), (10, 5, 0)], [8])
    box, field = canvas.capsule((-10, 0, 0), (10, 5, 0), 8)

    np.testing.assert_array_equal(tube[box] < 1, field < 1)
    assert (tube < 1).sum() == (field < 1).sum()


def test_a_bend_is_the_same_on_every_grid() -> None:
    bend = Bend.draw(np.random.default_rng(1), 5.0)
    fine = np.arange(-50.0, 50.0, 5.0)

    few, many = bend.at((fine[::2], fine[::2], fine[::2])), bend.at((fine, fine, fine))

    np.testing.assert_allclose(few, many[:, ::2, ::2, ::2], atol=1e-4)


def test_waves_are_the_same_on_every_grid_and_of_about_unit_variance() -> None:
    fine, coarse = (
        _straight(step).waves(np.random.default_rng(5), 8.0, 20.0) for step in (2.0, 4.0)
    )

    np.testing.assert_allclose(fine[::2, ::2, ::2], coarse, atol=1e-4)
    assert float(fine.std()) == pytest.approx(1, abs=0.25)


def test_rounding_keeps_planes_and_takes_corners() -> None:
    canvas = _straight()
    half = np.asarray(canvas.x < 1)
    corner = half & (canvas.y < 1) & (canvas.z < 1)

    np.testing.assert_array_equal(canvas.rounded(half, canvas.axes, 6.0), half)
    rounded = canvas.rounded(corner, canvas.axes, 6.0)
    assert (corner & ~rounded)[20, 20, 20]
    assert rounded[5, 5, 5]


def test_the_diaphragm_is_one_surface_highest_over_the_middle_of_each_side() -> None:
    axes = (np.array([0.0]), np.arange(-140.0, 141.0, 4.0), np.arange(-200.0, 201.0, 4.0))
    canvas = Canvas(axes, Bend(np.zeros((3, 24, 11, 11))))
    for seed in range(8):
        rng = np.random.default_rng(seed)
        anatomy = draw_anatomy(rng)
        frame = paint_body(canvas, anatomy, rng)
        diaphragm = Diaphragm.draw(canvas, anatomy, frame, rng)

        assert diaphragm.at(axes[2][40], axes[1][30]) == pytest.approx(
            float(diaphragm.height[0, 30, 40]), abs=0.01
        )
        wall = 0.97 * frame.cavity_half_width_mm
        for side in (-1, 1):
            crown = diaphragm.at(side * 0.5 * frame.cavity_half_width_mm, 0.0)
            assert crown > diaphragm.at(side * wall, 0.0) + 25
        assert diaphragm.at(-60, 0) > diaphragm.at(60, 0) - 20


def test_drawn_measures_lie_in_their_ranges() -> None:
    for seed in range(30):
        anatomy = draw_anatomy(np.random.default_rng(seed))
        for name, (low, high) in ranges().items():
            value = getattr(anatomy, name)
            assert low <= value
            assert value <= high or name in ("half_width_mm", "half_depth_mm")


def test_a_scanner_without_noise_keeps_a_uniform_body() -> None:
    exact = np.full((6, 20, 20), 40.0, np.float32)
    scanner = Scanner(noise_hu=0.0, texture_hu=0.0)

    image = scanner.acquire(exact, (5.0, 1.0, 1.0), np.random.default_rng(0))

    assert image.dtype == np.int16
    np.testing.assert_array_equal(image, 40)


def test_the_noise_of_a_scanner_is_as_strong_as_stated() -> None:
    exact = np.zeros((12, 60, 60), np.float32)
    scanner = Scanner(noise_hu=15.0, texture_hu=0.0)

    image = scanner.acquire(exact, (5.0, 1.0, 1.0), np.random.default_rng(0))

    assert float(image.std()) == pytest.approx(15, rel=0.05)
