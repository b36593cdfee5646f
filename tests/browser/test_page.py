"""From an upload to outlines on the screen, in a real browser on a real service."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from looking import Looking
from page_detectors import MARKUP
from PIL import Image as Picture

from delineate.formats import dicom
from delineate.imaging import Grid, Image

pytestmark = pytest.mark.browser

MAGENTA = (230, 0, 230)


def cube(description: str = "", folder: Path = Path()) -> list[Path]:
    """A CT series of 12 slices with a cube of 400 HU on slices 4 to 7."""
    array = np.full((12, 40, 48), -100, np.int16)
    array[4:8, 10:20, 12:30] = 400
    grid = Grid.regular(array.shape, (4.0, 2.0, 2.0), (-48.0, -40.0, 0.0))
    return dicom.write_series(Image(array, grid, "CT"), folder, description=description)


@pytest.fixture
def series(tmp_path: Path) -> list[Path]:
    return cube(folder=tmp_path / "series")


def test_a_series_goes_in_and_outlines_are_drawn(look: Looking, series: list[Path]) -> None:
    look.upload(series)
    look.state("report")
    report = look.one("report")
    assert report.get_attribute("data-verdict") == "usable"
    assert "12 × 40 × 48" in report.inner_text()
    look.start("page.cube")
    look.state("shown")

    row = look.row("cube_left")
    assert row.get_attribute("data-contours") == "4"
    assert "Cube left" in row.inner_text()
    assert "11.5 ml" in row.inner_text()
    assert "400 HU" in row.inner_text()
    look.go("cube_left")
    assert row.get_attribute("data-drawn") == "1"
    for plane in ("axial", "coronal", "sagittal"):
        assert look.coloured(plane, MAGENTA) > 50
    assert look.page.locator("[data-testid=missing]").get_attribute("data-name") == "nowhere"
    assert "Not for diagnosis." in look.one("banner").inner_text()


def test_what_is_hidden_is_not_drawn(look: Looking, series: list[Path]) -> None:
    look.find(series, "page.cube")
    look.go("cube_left")
    look.row("cube_left").get_by_role("checkbox").click()

    assert look.coloured("axial", MAGENTA) == 0
    assert look.row("cube_left").get_attribute("data-drawn") == "0"

    look.one("show-all").click()
    assert look.coloured("axial", MAGENTA) > 50


def test_keys_wheel_and_slider_change_the_slice(look: Looking, series: list[Path]) -> None:
    look.find(series, "page.cube")
    position = look.one("position")
    assert position.inner_text() == "6 / 12"
    canvas = look.page.locator(".pane.main canvas")
    canvas.focus()
    for key, expected in (("ArrowDown", "7"), ("ArrowUp", "6"), ("PageUp", "1"), ("End", "12")):
        look.page.keyboard.press(key)
        look.settle()
        assert position.inner_text() == f"{expected} / 12"
    canvas.hover()
    look.page.mouse.wheel(0, -120)
    look.settle()
    assert position.inner_text() == "11 / 12"
    look.one("slice").fill("3")
    look.settle()
    assert position.inner_text() == "4 / 12"


def test_the_window_changes_by_preset_and_by_dragging(look: Looking, series: list[Path]) -> None:
    look.find(series, "page.cube")
    window = look.one("window")
    assert window.inner_text().split() == ["C", "40", "W", "400"]
    look.page.locator("[data-testid=preset][data-name=Lung]").click()
    look.settle()
    assert window.inner_text().split() == ["C", "-600", "W", "1,500"]
    look.page.keyboard.press("w")
    look.settle()
    assert window.inner_text().split() == ["C", "500", "W", "2,000"]
    look.page.locator(".pane.main canvas").hover()
    look.page.mouse.down(button="right")
    look.page.mouse.move(500, 300, steps=3)
    look.page.mouse.up(button="right")
    look.settle()
    assert window.inner_text().split() != ["C", "500", "W", "2,000"]


def test_the_sample_under_the_cursor_is_told(look: Looking, series: list[Path]) -> None:
    look.find(series, "page.cube")
    look.go("cube_left")
    box = look.page.locator(".pane.main canvas").bounding_box()
    # 48 by 40 samples of 2 mm fit the pane; the cube's middle is left of and above its centre.
    scale = min(box["width"] / 96, box["height"] / 80)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    look.page.mouse.move(x + (20.5 - 23.5) * 2 * scale, y + (14.5 - 19.5) * 2 * scale)
    look.settle()
    told = look.page.locator(".pane.main [data-testid=readout]").inner_text()

    assert told.splitlines() == ["400 HU", "-7.0, -11.0, 20.0 mm", "Cube left"]


def test_a_result_opens_again_by_its_address(look: Looking, series: list[Path]) -> None:
    look.find(series, "page.cube")
    look.page.keyboard.press("Home")
    look.page.wait_for_url("**/#job=*&slice=0")
    fragment = look.page.url.partition("#")[2].replace("slice=0", "slice=9")
    look.open(f"#{fragment}")
    look.state("shown")
    look.settle()

    assert look.one("position").inner_text() == "10 / 12"
    assert look.row("cube_left").get_attribute("data-contours") == "4"


def test_a_job_can_be_cancelled(look: Looking, series: list[Path]) -> None:
    look.upload(series)
    look.start("page.cube", seconds="500")
    look.one("stage").filter(has_text="Looking for cubes").wait_for()
    look.one("cancel").click()

    look.state("report")


def test_a_text_file_is_refused_with_a_reason(look: Looking, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear colleague, the images are on the disc.\n")
    look.upload([letter])
    look.state("error")

    assert len(look.one("error-message").inner_text()) > 20
    look.page.get_by_role("button", name="Choose another image").click()
    look.state("idle")


def test_an_option_that_cannot_be_is_told_beside_the_form(
    look: Looking, series: list[Path]
) -> None:
    look.upload(series)
    look.start("page.cube", seconds="-1")
    fault = look.page.locator(".fault:not(:empty)")
    fault.wait_for()

    assert "seconds" in fault.inner_text()


def test_files_can_be_dropped(look: Looking, series: list[Path]) -> None:
    look.page.evaluate(
        """files => {
          const data = new DataTransfer();
          for (const [name, bytes] of files) {
            data.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name));
          }
          window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
        }""",
        [[path.name, _base64(path)] for path in series],
    )

    look.state("report")
    assert look.one("series").count() == 1


def test_names_that_are_markup_stay_text(look: Looking, tmp_path: Path) -> None:
    files = cube(MARKUP, tmp_path / "series")
    note = tmp_path / f"{MARKUP.replace('/', '')}.txt"
    note.write_text("not an image")
    look.upload([*files, note])
    look.state("report")
    assert MARKUP in look.one("series").inner_text()
    look.one("ignored").locator("summary").click()
    assert "onerror" in look.one("ignored").inner_text()
    look.start("page.cube", names="markup")
    look.state("shown")
    look.page.locator("[data-testid=finding] .go").click()
    look.page.locator(".pane.main canvas").hover()
    look.settle()

    assert MARKUP in look.page.locator("[data-testid=finding]").inner_text()
    assert MARKUP in look.one("banner").inner_text()
    assert "<script>" in look.one("missing").inner_text()
    assert look.page.evaluate("window.executed") is None
    assert look.page.locator("img").count() == 0


def test_things_in_a_photograph_are_marked(look: Looking, tmp_path: Path) -> None:
    Picture.new("RGB", (120, 100), (40, 120, 60)).save(tmp_path / "photo.png")
    look.find([tmp_path / "photo.png"], "page.blobs")
    row = look.row("blob")

    assert "3 found" in row.inner_text()
    assert row.get_attribute("data-drawn") == "3"
    assert look.coloured("picture", MAGENTA) > 100
    assert look.coloured("picture", (40, 120, 60), tolerance=3) > 10_000
    assert look.page.locator(".letter").all_inner_texts() == ["", "", "", ""]


@pytest.mark.slow
def test_the_liver_of_a_real_scan_is_drawn(look: Looking, shared_data: Path) -> None:
    folder = shared_data / "ct_series" / "abdomen_crlm_1004" / "image"
    look.find(sorted(folder.iterdir()), "organs.ct")
    liver = look.row("liver")
    assert int(liver.get_attribute("data-contours")) > 10
    look.go("liver")
    look.one("hide-all").click()
    before = look.pixels("axial")
    liver.get_by_role("checkbox").click()
    after = look.pixels("axial")

    assert int(liver.get_attribute("data-drawn")) >= 1
    assert (before != after).any(axis=-1).mean() > 0.01


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_what_is_under_a_mouse_at_rest_changes_with_the_slice(
    look: Looking, series: list[Path]
) -> None:
    look.find(series, "page.cube")
    look.point_at("axial")
    readout = look.page.get_by_test_id("readout").first
    before = readout.inner_text()
    look.page.keyboard.press("ArrowUp")
    look.settle()
    after = readout.inner_text()

    assert before.splitlines()[1].split(", ")[:2] == after.splitlines()[1].split(", ")[:2]
    assert before.splitlines()[1] != after.splitlines()[1]
