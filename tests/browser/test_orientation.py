"""The letters at the edges of a plane are right, however the scan lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from looking import Looking

from delineate.formats import nifti
from delineate.imaging import Grid, Image

pytestmark = pytest.mark.browser

# Sides of the screen as (right, down).
SIDES = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}
CONVENTION = {
    "axial": {"left": "R", "right": "L", "top": "A", "bottom": "P"},
    "coronal": {"left": "R", "right": "L", "top": "S", "bottom": "I"},
    "sagittal": {"left": "A", "right": "P", "top": "S", "bottom": "I"},
}
# Where the bright ball of the phantom is, from the middle: left, in front, above.
BALL = np.array([24.0, -30.0, 18.0])
TOWARDS = {"L": BALL[0], "R": -BALL[0], "P": BALL[1], "A": -BALL[1], "S": BALL[2], "I": -BALL[2]}


def phantom(orientation: str, oblique: float = 0.0) -> Image:
    """A ball in a block of water, on a grid of any orientation, turned by some degrees."""
    turn, tip = np.radians(oblique), np.radians(oblique / 2)
    about_z = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    about_x = np.array([[1, 0, 0], [0, np.cos(tip), -np.sin(tip)], [0, np.sin(tip), np.cos(tip)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ Grid.regular((1, 1, 1), (4.0, 2.0, 2.5)).affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array((30, 60, 50)) - 1) / 2)
    grid = Grid((30, 60, 50), affine).oriented(orientation)
    places = grid.to_world(np.stack(np.indices(grid.shape), axis=-1))
    inside = np.linalg.norm(places - BALL, axis=-1) < 12
    return Image(np.where(inside, 1500, -50).astype(np.int16), grid, "CT")


@pytest.mark.parametrize(
    ("orientation", "oblique"),
    [("SPL", 0.0), ("IAR", 0.0), ("LSP", 0.0), ("ARI", 25.0)],
)
def test_the_ball_is_where_the_letters_say(
    look: Looking, tmp_path: Path, orientation: str, oblique: float
) -> None:
    path = tmp_path / "phantom.nii.gz"
    nifti.write_image(phantom(orientation, oblique), path)
    look.find([path], "page.cube", threshold="1000")
    look.go("cube_left")
    look.one("hide-all").click()
    look.one("crosshair").click()

    for plane, convention in CONVENTION.items():
        section = look.page.locator(f'[data-plane="{plane}"]')
        right, down = look.bright_centre(plane)
        for side, (x, y) in SIDES.items():
            letters = section.get_by_test_id(f"letter-{side}").inner_text()
            assert letters[0] == convention[side]
            shown = right * x + down * y
            if abs(shown) > 0.1:
                assert np.sign(shown) == np.sign(TOWARDS[letters[0]])
    corner = look.page.locator('[data-plane="axial"]').get_by_test_id("letter-left").inner_text()
    assert corner == ("RA" if oblique else "R")
