"""Each of the six kinds on real pictures: what is drawn, what is told, what can be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from looking import Looking
from PIL import Image as Picture

pytestmark = pytest.mark.browser

MAGENTA, GREEN, BLUE = (230, 0, 230), (0, 158, 115), (86, 180, 233)
ORANGE = (230, 159, 0)
PICTURE = "picture"
DICOM_OR_MESH = {"rtstruct", "seg", "sr", "stl", "ply", "glb"}


@pytest.fixture
def bees(shared_data: Path) -> Path:
    """A photograph of a beehive, 768 x 1024, in colour."""
    return sorted((shared_data / "counting" / "bees").glob("*.jpg"))[0]


@pytest.fixture
def screw(shared_data: Path) -> Path:
    """A photograph of a ball screw, in colour."""
    return sorted((shared_data / "defects" / "bsdata" / "data").iterdir())[0]


@pytest.fixture
def board(shared_data: Path) -> tuple[Path, Path]:
    """A grey picture of a board with faults, and one of it without."""
    test = sorted((shared_data / "defects" / "deeppcb").rglob("*_test.jpg"))[0]
    return test, test.with_name(test.name.replace("_test", "_temp"))


def test_a_count_is_told_with_its_interval_and_by_category(look: Looking, bees: Path) -> None:
    look.find([bees], "page.many")
    told = look.one("count").inner_text()

    assert told.splitlines()[0] == "300"
    # The variance is 300 + (0.05 * 300)**2: 45 either way.
    assert "95 % interval 255 to 345" in told
    for name, colour in (("moth", MAGENTA), ("fly", GREEN), ("thrips", BLUE)):
        assert "100 found" in look.row(name).inner_text()
        assert look.row(name).get_attribute("data-drawn") == "100"
        assert look.coloured(PICTURE, colour) > 500
    assert look.page.locator("[data-testid=finding]").count() == 3
    assert "0.0125" in look.one("overall").inner_text()
    assert {"json", "csv", "coco", "geojson"} <= look.formats()
    assert not look.formats() & (DICOM_OR_MESH | {"nifti", "masks"})


def test_many_are_gone_through_one_by_one(look: Looking, bees: Path) -> None:
    look.find([bees], "page.many")
    look.go("fly")
    stepped = look.row("fly").get_by_test_id("stepped")
    assert stepped.inner_text() == "1 of 100"
    look.page.keyboard.press("n")
    look.settle()
    assert stepped.inner_text() == "2 of 100"
    for _ in range(2):
        look.page.keyboard.press("p")
    look.settle()
    assert stepped.inner_text() == "100 of 100"

    look.point_at(PICTURE)
    look.page.mouse.wheel(0, -900)  # on a photograph the wheel zooms
    look.page.keyboard.press("n")
    look.settle()
    pixels = look.pixels(PICTURE)
    height, width, _ = pixels.shape
    around = pixels[height // 2 - 12 : height // 2 + 13, width // 2 - 12 : width // 2 + 13]
    assert (around == 255).all(axis=-1).sum() > 40  # the mark of the one gone to, in the middle
    look.point_at(PICTURE)
    readout = look.one("readout").inner_text().splitlines()
    assert readout[-1] == "Fly 0.50"


def test_a_field_is_a_heat_map_with_a_threshold_of_its_own(look: Looking, screw: Path) -> None:
    look.find([screw], "page.unusual")
    assert "Distance from what is around" in look.one("heat").inner_text()
    assert "Outlined from 0.6 on" in look.one("heat").inner_text()
    shown = look.pixels(PICTURE)
    look.slide("heat-from", 100)
    half = look.pixels(PICTURE)
    assert "Colours from 0.5" in look.one("heat-told").inner_text()
    look.page.keyboard.press("m")
    plain = look.pixels(PICTURE)

    def differ(one: np.ndarray, other: np.ndarray) -> float:
        return float((one != other).any(axis=-1).mean())

    assert differ(shown, plain) > 0.3
    assert 0.001 < differ(half, plain) < 0.5 * differ(shown, plain)
    # The outline is that of the finding, wherever the slider is.
    assert look.coloured(PICTURE, MAGENTA) > 100
    assert look.row("unusual").get_attribute("data-drawn") != "0"
    look.point_at(PICTURE)
    assert look.one("readout").inner_text().splitlines()[2].startswith("score 0.")
    assert {"json", "masks", "png"} <= look.formats()


def test_a_field_whose_scores_do_not_come_is_shown_by_its_outline(
    look: Looking, screw: Path
) -> None:
    look.page.route("**/samples", lambda route: route.abort())
    look.find([screw], "page.unusual")

    assert "could not be fetched" in look.one("unshown").inner_text()
    assert look.page.get_by_test_id("heat").count() == 0
    assert look.coloured(PICTURE, MAGENTA) > 100
    look.complaints.clear()  # the browser tells that the request was cut off


def test_masks_that_overlap_are_both_drawn_and_both_told(look: Looking, bees: Path) -> None:
    look.find([bees], "page.overlap")
    for name, colour in (("pale", BLUE), ("dark", ORANGE)):
        assert look.coloured(PICTURE, colour) > 300
        assert "px" in look.row(name).inner_text()
    look.point_at(PICTURE)

    assert look.one("readout").inner_text().splitlines()[-2:] == ["Dark", "Pale"]
    assert "nifti" not in look.formats()
    assert {"masks", "coco"} <= look.formats()


def test_classes_are_bars_with_probabilities(look: Looking, bees: Path) -> None:
    look.find([bees], "page.whole")
    bars = look.one("class")

    assert bars.evaluate_all("bars => bars.map(bar => bar.dataset.name)") == [
        *("uncertain", "good", "bad")
    ]
    assert [text.split("\n")[1] for text in bars.all_inner_texts()] == ["100 %", "58 %", "42 %"]
    widths = bars.locator(".bar").evaluate_all(
        "bars => bars.map(bar => parseFloat(getComputedStyle(bar).backgroundSize))"
    )
    assert widths[1:] == pytest.approx([58, 42])
    assert look.one("remarks").inner_text() == "Abstains"
    assert look.page.locator("[data-testid=finding]").count() == 0
    assert not look.one("outline").is_visible()
    assert look.formats() == {"json", "csv", "png", "html"}


def test_a_restored_image_lies_over_its_source(look: Looking, board: tuple[Path, Path]) -> None:
    look.find([board[0]], "page.double")
    assert "1280 × 1280" in look.one("restored").inner_text()
    restored = look.pixels(PICTURE).astype(int)
    look.page.keyboard.press("r")
    source = look.pixels(PICTURE).astype(int)
    look.one("show-split").click()
    split = look.pixels(PICTURE).astype(int)

    height, width, _ = source.shape
    side = (width - height) // 2 + 4  # the picture is square, the pane is not
    inside = np.s_[40 : height - 90, side : width - side]
    # The detector inverts, so where both lie alike they add up to white.
    assert (np.abs(source + restored - 255)[inside].max(axis=-1) < 60).mean() > 0.97
    left, right = (
        np.s_[40 : height - 90, side : width // 2 - 4],
        np.s_[40 : height - 90, width // 2 + 4 : width - side],
    )
    for half, whole in ((left, source), (right, restored)):
        off = np.abs(split[half] - whole[half]).max(axis=-1)
        # A part of a picture is smoothed as the whole is, but for what the browser rounds.
        assert off.max() <= 32
        assert (off > 0).mean() < 1e-3
    assert {"json", "nifti"} <= look.formats()
    assert not look.formats() & {"csv", "masks", "coco", *DICOM_OR_MESH}


def test_the_divider_is_dragged(look: Looking, board: tuple[Path, Path]) -> None:
    look.find([board[0]], "page.double")
    look.one("show-split").click()
    before = look.pixels(PICTURE)
    look.point_at(PICTURE)
    look.page.mouse.down()
    look.point_at(PICTURE, across=0.25)
    look.page.mouse.up()
    after = look.pixels(PICTURE)

    quarter, middle = after.shape[1] // 4, after.shape[1] // 2
    assert (before[:, middle] == 255).all()  # the line
    assert (after[:, quarter] == 255).all()
    between = np.s_[40:-90, quarter + 8 : middle - 8]
    # What was source is the restored image now, and inverted.
    assert (np.abs(before[between].astype(int) + after[between] - 255) < 60).mean() > 0.95


def test_a_restored_volume_lies_over_all_planes(look: Looking, tmp_path: Path) -> None:
    from test_page import cube

    look.find(cube(folder=tmp_path / "series"), "page.double")
    for name in ("source", "restored"):
        look.one(f"show-{name}").click()
        for plane in ("axial", "coronal", "sagittal"):
            pixels = look.pixels(plane)
            bright = (pixels >= 250).all(axis=-1).mean()
            # The cube fills little of a plane; inverted, all around it is bright.
            assert (bright < 0.3) == (name == "source"), (name, plane)


def test_a_template_is_uploaded_in_the_form(look: Looking, board: tuple[Path, Path]) -> None:
    test, template = board
    look.upload([test])
    look.state("report")
    look.one("detector").select_option("page.compare")
    choice = look.page.locator("[data-name=template]").get_by_test_id("image")
    assert choice.locator("option").all_inner_texts() == ["None; upload one"]
    look.page.set_input_files("[data-name=template] [data-testid=image-file]", [str(template)])
    uploaded = choice.locator("option:checked").filter(has_text=template.name)
    uploaded.wait_for(state="attached")
    look.one("start").click()
    assert look.state("shown", "error") == "shown", look.page.inner_text("#app")

    expected = np.abs(
        np.asarray(Picture.open(test), float) - np.asarray(Picture.open(template), float)
    )
    area = int((expected / 255 >= 0.5).sum())
    told = look.row("unusual").inner_text().replace(",", "")
    assert f"{area} px" in told


def test_a_template_is_chosen_among_what_was_uploaded(
    look: Looking, board: tuple[Path, Path]
) -> None:
    test, template = board
    look.upload([template])
    look.state("report")
    look.page.get_by_role("button", name="New image").click()
    look.upload([test])
    look.state("report")
    look.one("detector").select_option("page.compare")
    choice = look.page.locator("[data-name=template]").get_by_test_id("image")
    choice.select_option(label=f"{template.name}, 640 × 640 pixels")
    look.one("start").click()

    assert look.state("shown", "error") == "shown", look.page.inner_text("#app")


def test_a_template_that_is_no_image_is_told_in_the_form(
    look: Looking, board: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague\n")
    look.upload([board[0]])
    look.state("report")
    look.one("detector").select_option("page.compare")
    look.page.set_input_files(
        "[data-name=template] [data-testid=image-file]", [str(tmp_path / "letter.txt")]
    )
    status = look.page.locator("[data-name=template] [role=status]")
    status.filter(has_text="image").wait_for()

    assert look.state("report") == "report"


def test_the_scale_of_a_photograph_is_stated(look: Looking, bees: Path) -> None:
    look.upload([bees])
    look.state("report")
    look.one("spacing").fill("tiny")
    look.one("set-spacing").click()
    look.page.locator(".scale .fault:not(:empty)").wait_for()
    look.one("spacing").fill("0.05")
    look.one("set-spacing").click()
    look.page.get_by_text("0.05 × 0.05 mm").wait_for()
    look.start("page.overlap")
    look.state("shown")

    # 115792 pixels of 0.0025 mm².
    assert "289 mm²" in look.row("pale").inner_text()
    look.point_at(PICTURE)
    assert look.one("readout").inner_text().splitlines()[1] == "19.2, 25.6 mm"
    assert "stated" in look.one("remarks").inner_text()
    assert not look.formats() & DICOM_OR_MESH  # a photograph has no depth


def test_the_example_that_classifies_is_seen(look: Looking, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    import subprocess
    import sys

    path = tmp_path / "phantom.png"
    made = [sys.executable, "-m", "delineate_classify.phantom", str(path), "--seed", "3"]
    subprocess.run(made, check=True, capture_output=True)
    look.find([path], "speckle.classify")
    shares = look.one("class").evaluate_all(
        "bars => Object.fromEntries(bars.map(bar => [bar.dataset.name, +bar.dataset.score]))"
    )

    assert shares["benign"] + shares["malignant"] == pytest.approx(1, abs=1e-5)
    assert shares["uncertain"] in (0, 1)
    assert "synthetic" in look.one("banner").inner_text()


def test_the_example_that_restores_is_seen(look: Looking, board: tuple[Path, Path]) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    look.find([board[0]], "restore.double")
    assert "640 × 640" in look.one("restored").inner_text()
    restored = look.pixels(PICTURE).astype(int)
    look.one("show-source").click()
    source = look.pixels(PICTURE).astype(int)

    assert 0.001 < (np.abs(restored - source).max(axis=-1) > 8).mean() < 0.2
    assert "not measured" in look.one("remarks").inner_text()
