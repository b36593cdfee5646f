"""What is measured, put together, saved and linked on the planes of a volume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from looking import Looking
from PIL import Image as Picture
from test_page import cube

pytestmark = pytest.mark.browser

# The cube of `test_page`: 36 mm wide, 20 mm deep, 16 mm high, of 400 HU in -100 HU.
WIDE, DEEP, HIGH = 36.0, 20.0, 16.0
Place = tuple[float, float]


@pytest.fixture(scope="module")
def address(chromium: object, url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fragment of the address of a result on the cube."""
    context = chromium.new_context()  # type: ignore[attr-defined]
    look = Looking(context.new_page(), url)
    look.open()
    look.find(cube(folder=tmp_path_factory.mktemp("cube") / "series"), "page.cube")
    fragment = look.page.url.partition("#")[2].partition("&")[0]
    context.close()
    return str(fragment)


@pytest.fixture
def seen(look: Looking, address: str) -> Iterator[Looking]:
    """The cube's middle slice on all planes, without outlines and crosshair."""
    look.open(f"#{address}&at=5,14,20&outline=0&fill=0&cross=0")
    look.state("shown")
    look.settle()
    return look


def edges(look: Looking, plane: str) -> tuple[Place, Place]:
    """Upper left and lower right corner of what is white, in pixels of the page."""
    white = (look.pixels(plane) >= 250).all(axis=-1)
    # Letters and rulers are no white areas: only rows and columns with many white pixels count.
    rows = np.flatnonzero(white.sum(axis=1) > 20)
    columns = np.flatnonzero(white.sum(axis=0) > 20)
    box = look.page.locator(f'[data-plane="{plane}"] canvas').bounding_box()
    x, y = box["x"], box["y"]
    left, top = x + float(columns[0]), y + float(rows[0])
    return (left, top), (x + float(columns[-1]) + 1, y + float(rows[-1]) + 1)


def drag(look: Looking, start: Place, end: Place) -> None:
    look.page.mouse.move(*start)
    look.page.mouse.down()
    look.page.mouse.move(*end, steps=3)
    look.page.mouse.up()
    look.settle()


def measured(look: Looking) -> list[float]:
    values = look.one("measure").evaluate_all("rows => rows.map(row => row.dataset.value)")
    return [float(value.rstrip("°m ")) for value in values]


@pytest.mark.parametrize(
    ("plane", "key", "sides"),
    [("axial", "1", (WIDE, DEEP)), ("coronal", "2", (WIDE, HIGH)), ("sagittal", "3", (DEEP, HIGH))],
)
def test_lengths_and_angles_are_those_of_the_patient_on_every_plane(
    seen: Looking, plane: str, key: str, sides: tuple[float, float]
) -> None:
    seen.page.keyboard.press(key)
    seen.page.keyboard.press("s")  # sharp edges
    (left, top), (right, bottom) = edges(seen, plane)
    seen.page.keyboard.press("l")
    drag(seen, (left, top), (right, bottom))
    seen.page.keyboard.press("a")
    for place in ((right, bottom), (left, bottom), (right, top)):
        seen.page.mouse.click(*place)
    seen.settle()

    length, angle = measured(seen)
    assert length == pytest.approx(np.hypot(*sides), abs=0.4)
    assert angle == pytest.approx(np.degrees(np.arctan2(sides[1], sides[0])), abs=0.7)


def test_a_place_of_a_measurement_can_be_moved_and_the_measurement_deleted(seen: Looking) -> None:
    seen.page.keyboard.press("s")
    (left, top), (right, bottom) = edges(seen, "axial")
    seen.page.keyboard.press("l")
    drag(seen, (left, top), (right, bottom))
    drag(seen, (right, bottom), (right, top))
    assert measured(seen) == [pytest.approx(WIDE, abs=0.4)]
    yellow = seen.coloured("axial", (255, 225, 77), tolerance=10)
    assert yellow > 100

    seen.page.keyboard.press("ArrowDown")
    assert seen.coloured("axial", (255, 225, 77), tolerance=10) == 0  # it lies on its own slice
    seen.one("measure").locator(".go").click()
    seen.settle()
    assert seen.one("position").inner_text() == "6 / 12"
    seen.one("unmeasure").click()
    seen.settle()
    assert not seen.one("measures").is_visible()
    assert seen.coloured("axial", (255, 225, 77), tolerance=10) == 0


def test_a_length_is_measured_by_keys_alone(seen: Looking) -> None:
    for key in ("l", "Enter", *["Shift+ArrowRight"] * 6, *["Shift+ArrowDown"] * 3, "Enter"):
        seen.page.keyboard.press(key)
    seen.one("measure").wait_for()

    # 6 samples of 2 mm to the right, 3 of 2 mm down.
    assert measured(seen) == [pytest.approx(np.hypot(12, 6), abs=0.05)]
    seen.one("announced").filter(has_text="Place 2 of 2").wait_for()


def test_a_slab_shows_what_lies_on_other_slices(seen: Looking) -> None:
    seen.page.keyboard.press("Home")
    assert (seen.pixels("axial") >= 250).all(axis=-1).mean() < 0.01
    seen.one("slab").select_option("max")
    seen.one("thickness").fill("96")
    seen.one("thickness").press("Tab")
    bright = (seen.pixels("axial") >= 250).all(axis=-1).mean()
    assert bright > 0.05
    told = seen.page.locator('[data-plane="axial"] [data-testid=slab-told]')
    # Half of the slab is above the first slice and not there: 12 of the 24 slices of 4 mm.
    assert told.inner_text().split("\n")[0].startswith("MIP 48.0 mm")
    seen.point_at("axial", 0.45, 0.42)
    assert seen.one("readout").first.inner_text().startswith("MIP 400 HU")

    seen.one("slab").select_option("min")
    seen.point_at("axial", 0.45, 0.42)
    assert seen.one("readout").first.inner_text().startswith("MinIP -100 HU")
    seen.one("slab").select_option("mean")
    seen.point_at("axial", 0.45, 0.42)
    # 4 of 12 slices: (4 * 400 - 8 * 100) / 12.
    assert seen.one("readout").first.inner_text().startswith("Mean 66.67 HU")
    seen.page.keyboard.press("0")
    seen.settle()
    assert seen.one("slab").input_value() == "none"


def test_tools_zoom_and_window_by_dragging(seen: Looking) -> None:
    canvas = seen.page.locator(".pane.main canvas").bounding_box()
    x, y = canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2
    before = (seen.pixels("axial") >= 250).all(axis=-1).sum()
    seen.one("tool-zoom").click()
    drag(seen, (x, y), (x, y - 100))
    assert (seen.pixels("axial") >= 250).all(axis=-1).sum() > 1.5 * before
    seen.one("tool-window").click()
    drag(seen, (x, y), (x + 60, y + 30))
    assert seen.one("window").inner_text().split() == ["C", "80", "W", "480"]
    seen.page.keyboard.press("]")
    seen.page.keyboard.press("{")
    seen.settle()
    assert seen.one("window").inner_text().split() == ["C", "53.33", "W", "533.3"]


def test_the_address_brings_back_all_that_was_changed(seen: Looking) -> None:
    seen.page.keyboard.press("2")
    seen.page.keyboard.press("ArrowDown")
    seen.page.locator("[data-testid=preset][data-name=Bone]").click()
    seen.page.keyboard.press("t")
    seen.page.keyboard.press("+")
    for key in ("l", "i", *["Shift+ArrowLeft"] * 6, "i", "v"):
        seen.page.keyboard.press(key)
    seen.row("cube_left").get_by_role("checkbox").click()
    seen.page.mouse.move(0, 0)
    seen.page.wait_for_url("**hide=cube_left*")
    before = {plane: seen.pixels(plane) for plane in ("axial", "coronal", "sagittal")}
    fragment = seen.page.url.partition("#")[2]
    assert "diagnos" not in fragment

    seen.open(f"#{fragment}")
    seen.state("shown")
    seen.settle()
    assert seen.one("window").inner_text().split() == ["C", "500", "W", "2,000"]
    assert seen.one("position").inner_text() == "16 / 40"
    assert measured(seen) == [12.0]
    for plane, pixels in before.items():
        np.testing.assert_array_equal(seen.pixels(plane), pixels)


def test_a_picture_holds_what_is_seen_and_what_is_needed_to_read_it(
    seen: Looking, tmp_path: Path
) -> None:
    seen.one("outline").click()
    with seen.page.expect_download() as download:
        seen.one("picture").click()
    path = tmp_path / "picture.png"
    download.value.save_as(path)
    picture = np.asarray(Picture.open(path).convert("RGB"))
    axial = seen.pixels("axial")
    height, width, _ = axial.shape

    assert download.value.suggested_filename.startswith("delineate-")
    middle = np.s_[height // 4 : height // 2, width // 4 : width // 2]
    np.testing.assert_array_equal(picture[middle], axial[middle])
    assert near(picture, (230, 0, 230)).sum() > 100  # outlines

    def letters(part: np.ndarray) -> int:
        return int(near(part, (242, 209, 107)).sum())

    centre = np.s_[height // 2 - 20 : height // 2 + 20, : width // 10]
    assert letters(picture[centre]) > 20  # R at the left
    assert letters(axial[centre]) == 0  # which on the page is no part of the canvas
    strip = picture[height + 2 :]
    assert near(strip, (240, 182, 76)).sum() > 100  # not for diagnosis
    ruler = picture[height - 30 : height, width // 2 : width]
    assert near(ruler, (213, 218, 225)).sum() > 20


def near(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.asarray(np.abs(pixels.astype(int) - colour).max(axis=-1) <= 40)


def test_an_image_for_which_nothing_was_started_has_an_address(
    look: Looking, tmp_path: Path
) -> None:
    look.upload(cube(folder=tmp_path / "series"))
    look.state("report")
    look.open(f"#{look.page.url.partition('#')[2]}")

    look.state("report")
    assert "12 × 40 × 48" in look.one("report").inner_text()
