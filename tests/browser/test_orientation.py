"""Letters inside a phantom read upright at their corners, and those at the edges are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from looking import Looking
from numpy.typing import NDArray

from delineate.formats import nifti
from delineate.imaging import Grid, Image

pytestmark = pytest.mark.browser

CONVENTION = {
    "axial": {"left": "R", "right": "L", "top": "A", "bottom": "P"},
    "coronal": {"left": "R", "right": "L", "top": "S", "bottom": "I"},
    "sagittal": {"left": "A", "right": "P", "top": "S", "bottom": "I"},
}
# Like no other and like none of their own reflections; they reach all sides of their boxes.
GLYPHS = {
    "F": "##### #.... #.... ####. #.... #.... #....",
    "G": ".#### #.... #.... #..## #...# #...# .####",
    "J": "..### ...#. ...#. ...#. ...#. #..#. .##..",
    "R": "####. #...# #...# ####. #.#.. #..#. #...#",
}
# Upper left, upper right, lower left, lower right of every plane.
CORNERS = {"F": (-1, -1), "G": (1, -1), "J": (-1, 1), "R": (1, 1)}
CELL_MM = 4.0
SHAPE, SPACING = (44, 100, 72), (2.5, 1.0, 1.5)
Bits = NDArray[np.bool_]


def bits(glyph: str) -> Bits:
    """``(7, 5)``, rows from the top."""
    return np.array([[cell == "#" for cell in row] for row in GLYPHS[glyph].split()])


def base(tilt: float, turned: float) -> NDArray[np.float64]:
    """Slices upwards, rows backwards, columns to the left; tilted, then turned, in degrees."""
    turn, tip = np.radians(turned), np.radians(turned / 2)
    about_z = np.array(
        [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    )
    about_x = np.array([[1, 0, 0], [0, np.cos(tip), -np.sin(tip)], [0, np.sin(tip), np.cos(tip)]])
    affine = np.eye(4)
    affine[:3, :3] = Grid.regular((1, 1, 1), SPACING).affine[:3, :3]
    affine[1, 0] = np.tan(np.radians(tilt)) * SPACING[0]
    affine[:3, :3] = about_z @ about_x @ affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    return affine


def written(across: NDArray[np.float64], down: NDArray[np.float64]) -> Bits:
    """Whether places, in mm to the right of and below the middle, are in a letter."""
    inside = np.zeros(across.shape, np.bool_)
    for glyph, (right, below) in CORNERS.items():
        column = np.floor((across - right * 24.0) / CELL_MM + 2.5).astype(int)
        row = np.floor((down - below * 28.0) / CELL_MM + 3.5).astype(int)
        within = (column >= 0) & (column < 5) & (row >= 0) & (row < 7)
        inside[within] |= bits(glyph)[row[within], column[within]]
    return inside


def phantom(orientation: str, tilt: float, turned: float) -> Image:
    """Letters in the corners of the three middle planes, on a grid of any orientation."""
    affine = base(tilt, turned)
    grid = Grid(SHAPE, affine).oriented(orientation)
    world = grid.to_world(np.stack(np.indices(grid.shape), axis=-1))
    index = world @ np.linalg.inv(affine)[:3, :3].T + (np.array(SHAPE) - 1) / 2
    slices, rows, columns = np.moveaxis((index - (np.array(SHAPE) - 1) / 2) * SPACING, -1, 0)
    lean = np.radians(tilt)
    found = (np.abs(slices) <= 2.6) & written(columns, rows)
    # Across the slices a tilted axis is longer, and on sagittal planes it leans backwards.
    found |= (np.abs(rows) <= 2.6) & written(columns, -slices / np.cos(lean))
    found |= (np.abs(columns) <= 2.6) & written(rows + slices * np.tan(lean), -slices)
    return Image(np.where(found, 1500, -50).astype(np.int16), grid, "CT")


def read(look: Looking, plane: str) -> dict[str, str]:
    """What stands in each corner of a plane, by the letter that should: it and how it lies."""
    enlarge = look.page.locator(f'[data-plane="{plane}"] .expand')
    if enlarge.is_visible():
        enlarge.click()
    pixels = look.pixels(plane).astype(int)
    white = (pixels >= 128).all(axis=-1) & (np.ptp(pixels, axis=-1) <= 3)  # rulers are bluish
    height, width = white.shape
    # Letters of the planes across this one show as a line in the middle.
    white[:, int(0.46 * width) : int(0.54 * width)] = False
    found = {}
    for glyph, (right, below) in CORNERS.items():
        part = np.s_[
            (height // 2 if below > 0 else 0) : (height if below > 0 else height // 2),
            (width // 2 if right > 0 else 0) : (width if right > 0 else width // 2),
        ]
        found[glyph] = recognised(white[part])
    return found


def recognised(white: Bits) -> str:
    """The letter in a picture: ``"F"``, ``"F mirrored"``, ``"F upside down"``, ``"F turned"``."""
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    if not rows.size:
        return "nothing"
    box = white[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if not 0.85 < (box.shape[1] / 5) / (box.shape[0] / 7) < 1.18:
        return f"something of {box.shape[1]} by {box.shape[0]} pixels"
    cells = [np.array_split(row, 5, axis=1) for row in np.array_split(box, 7, axis=0)]
    shares = np.array([[cell.mean() for cell in row] for row in cells])
    ways = {"": (1, 1), " mirrored": (1, -1), " upside down": (-1, 1), " turned": (-1, -1)}
    alike = {
        glyph + way: float(np.abs(shares - bits(glyph)[::down, ::across]).mean())
        for glyph in GLYPHS
        for way, (down, across) in ways.items()
    }
    best = min(alike, key=lambda name: alike[name])
    return best if alike[best] < 0.2 else "nothing that is known"


@pytest.mark.parametrize(
    ("orientation", "tilt", "turned"),
    [
        ("SPL", 0.0, 0.0),  # as scanners send them
        ("IAR", 0.0, 0.0),  # flipped along all axes
        ("LSP", 0.0, 0.0),  # sagittal slices
        ("ARI", 0.0, 25.0),  # oblique coronal slices, flipped
        ("SPL", 18.0, 0.0),  # a tilted gantry
    ],
)
def test_letters_read_upright_at_their_corners(
    look: Looking, tmp_path: Path, orientation: str, tilt: float, turned: float
) -> None:
    path = tmp_path / "phantom.nii.gz"
    image = phantom(orientation, tilt, turned)
    nifti.write_image(image, path)
    look.find([path], "page.cube", threshold="1000")
    look.one("hide-all").click()
    look.one("crosshair").click()
    expected = {glyph: glyph for glyph in GLYPHS}

    for plane, convention in CONVENTION.items():
        section = look.page.locator(f'[data-plane="{plane}"]')
        for side, letter in convention.items():
            told = section.get_by_test_id(f"letter-{side}").inner_text()
            assert told[0] == letter
            leans = (turned and plane == "axial") or (tilt and plane == "coronal" and side == "top")
            assert len(told) > 1 or not leans
        assert read(look, plane) == expected, plane

    # Away from the middle planes there is nothing, but a slab reaches back to them.
    shape, spacing = image.grid.shape, image.grid.spacing
    away = [n // 2 + round(6.5 / step) for n, step in zip(shape, spacing, strict=True)]
    job = look.page.url.partition("#")[2].partition("&")[0]
    look.open(f"#{job}&hide=cube_left&cross=0&at={','.join(map(str, away))}")
    look.state("shown")
    look.settle()
    assert {read(look, plane)["F"] for plane in CONVENTION} == {"nothing"}
    look.one("slab").select_option("max")
    look.one("thickness").fill("14")
    look.one("thickness").press("Tab")
    for plane in CONVENTION:
        assert read(look, plane) == expected, f"MIP, {plane}"
