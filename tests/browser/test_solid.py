"""Surfaces in three dimensions, in a real browser that draws them in software."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looking import Looking
from numpy.typing import NDArray
from PIL import Image as Picture
from test_comparison_page import GRID, run, send, upload

from delineate.formats import dicom
from delineate.imaging import Image

pytestmark = pytest.mark.browser

NO_WEBGL = """() => {
  const original = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    return kind.startsWith("webgl") ? null : original.call(this, kind, ...rest);
  };
}"""


@pytest.fixture(scope="module")
def job(url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of a job that found a cube at the right, behind and below of the volume's middle."""
    array = np.full(GRID.shape, -100, np.int16)
    array[1:4, 24:34, 6:16] = 400
    folder = tmp_path_factory.mktemp("solid")
    image = upload(url, dicom.write_series(Image(array, GRID, "CT"), folder, seed="solid"))
    return run(url, image, 200)


def show(look: Looking, job: str) -> None:
    ask(look, job)
    assert look.one("solid-told").all_inner_texts() == []


def ask(look: Looking, job: str) -> None:
    look.open(f"#job={job}")
    look.state("shown")
    look.one("show-solid").click()
    look.page.wait_for_selector(".solid[data-ready], [data-testid=solid-told]")


def seen(look: Looking) -> NDArray[np.uint8]:
    """What the pane shows; a drawing buffer cannot be read afterwards."""
    look.page.wait_for_timeout(400)
    return np.asarray(Picture.open(io.BytesIO(look.one("solid").screenshot())).convert("RGB"))


def magenta(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    red, green, blue = (pixels[..., i].astype(int) for i in range(3))
    found: NDArray[np.bool_] = (red - green > 50) & (blue - green > 50)
    return found


def middle(mask: NDArray[np.bool_]) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.mean()), float(rows.mean())


def letters(look: Looking) -> str:
    sides = ("left", "right", "top", "bottom")
    return "".join(str(look.one(f"solid-{side}").inner_text())[:1] for side in sides)


def test_surfaces_are_fetched_when_asked_for_and_follow_the_list(look: Looking, job: str) -> None:
    fetched: list[str] = []
    look.page.on("request", lambda request: fetched.append(request.url))
    look.open(f"#job={job}")
    look.state("shown")
    assert not [one for one in fetched if "scene" in one or "glb" in one]

    look.one("show-solid").click()
    look.page.wait_for_selector(".solid[data-ready]")
    assert len([one for one in fetched if one.endswith("/exports/glb")]) == 1
    look.one("solid-slices").click()
    drawn = magenta(seen(look)).sum()
    assert drawn > 200
    look.row("cube_left").get_by_role("checkbox").click()
    assert magenta(seen(look)).sum() == 0
    look.one("show-all").click()
    assert magenta(seen(look)).sum() == drawn
    look.one("solid-opacity").fill("30")
    faint = seen(look)
    assert faint[magenta(faint)].mean() < 130


def test_the_patient_is_seen_from_every_end(look: Looking, job: str) -> None:
    show(look, job)
    told = {}
    for end in "APLRSI":
        look.one(f"from-{end}").click()
        look.page.wait_for_timeout(300)
        told[end] = letters(look)

    # Left, right, top and bottom of the pane.
    assert told == {
        "A": "RLSI",
        "P": "LRSI",
        "L": "APSI",
        "R": "PASI",
        "S": "LRAP",
        "I": "RLAP",
    }


def test_the_slices_are_where_the_surface_is(look: Looking, job: str) -> None:
    """The cube lies at the right and low: its slice is below the middle, seen from the front."""
    show(look, job)
    look.one("solid-slices").click()
    look.one("from-A").click()
    frame = np.array([0xF2, 0xD1, 0x6B])  # of the axial slice
    look.go("cube_left")
    inside = seen(look)
    line = (np.abs(inside.astype(int) - frame).max(axis=-1) < 120).mean(axis=1) > 0.1
    (rows,) = np.nonzero(line[: int(0.7 * len(line))])  # the tools lie below
    _, down = middle(magenta(inside))

    assert abs(float(rows.mean()) - down) < 0.1 * inside.shape[0]


def test_a_click_on_a_surface_goes_to_it(look: Looking, job: str) -> None:
    show(look, job)
    look.one("solid-slices").click()
    assert look.one("position").inner_text() == "6 / 12"
    x, y = middle(magenta(seen(look)))
    look.one("solid").click(position={"x": x, "y": y})
    look.settle()

    # From the front: slices 1 to 3, and the cube's first row, 24; as people count.
    assert look.one("position").inner_text() in ("2 / 12", "3 / 12", "4 / 12")
    assert look.page.locator('[data-plane="coronal"] .caption').inner_text() == "25 / 40"


def test_it_is_turned_by_keys_and_by_dragging(look: Looking, job: str) -> None:
    show(look, job)
    front = seen(look)
    look.one("solid").focus()
    for _ in range(6):
        look.page.keyboard.press("ArrowRight")
    turned = seen(look)
    assert (front != turned).any()
    assert letters(look) != "RLSI"
    assert look.one("position").inner_text() == "6 / 12"
    box = look.one("solid").bounding_box()
    look.page.mouse.move(box["x"] + 100, box["y"] + 60)
    look.page.mouse.down()
    look.page.mouse.move(box["x"] + 150, box["y"] + 60, steps=5)
    look.page.mouse.up()
    assert (seen(look) != turned).any()


def test_without_webgl_a_sentence_says_so(look: Looking, job: str) -> None:
    look.page.add_init_script(f"({NO_WEBGL})()")
    ask(look, job)

    assert "WebGL" in look.one("solid-told").inner_text()
    assert look.coloured("axial", (230, 0, 230)) >= 0


def test_a_real_tumour_has_a_surface_and_a_report(
    look: Looking, url: str, shared_data: Path
) -> None:
    case = shared_data / "rtstruct_sts" / "STS_019"
    if not case.is_dir():
        pytest.skip("the soft-tissue sarcomas of ../shared/data are not here")
    image = upload(url, sorted((case / "dicom_image").iterdir()))
    drawn: Any = send(url, image, case / "dicom_mask" / "RS.dcm")
    show(look, drawn["id"])
    look.one("solid-slices").click()
    pixels = seen(look)
    coloured = np.ptp(pixels.astype(int), axis=-1) > 40
    assert coloured.sum() > 300

    with look.page.expect_popup() as popup:
        look.one("report-link").click()
    page = popup.value
    page.wait_for_load_state()
    assert page.locator("img").count() == 3
    assert page.evaluate("[...document.images].every(one => one.naturalWidth > 100)")
    assert "Not for diagnosis." in page.inner_text("body")
    # Its style is let in by its hash.
    border = "getComputedStyle(document.querySelector('.warning')).borderTopWidth"
    assert page.evaluate(border) != "0px"
