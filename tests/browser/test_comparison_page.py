"""Two results on one image beside each other, in a real browser on a real service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from looking import Looking
from PIL import Image as Picture

from delineate.formats import dicom, geojson, nifti, nrrd
from delineate.formats.marks import Mark
from delineate.imaging import Category, Grid, Image, LabelMap

pytestmark = pytest.mark.browser

GRID = Grid.regular((12, 40, 48), (4.0, 2.0, 2.0), (-48.0, -40.0, 0.0))
PLANES = ("axial", "coronal", "sagittal")
# Over white, as both cubes are in the window of soft tissue: 62 % sky blue, orange or purple, 25 %
# green.
ONLY_THIS, ONLY_OTHER, TWO_NAMES = (150, 208, 241), (239, 196, 97), (223, 172, 200)
IN_BOTH = (191, 231, 220)


def upload(url: str, files: list[Path]) -> str:
    with httpx.Client(base_url=url, timeout=120) as client:
        parts = [("files", (path.name, path.read_bytes())) for path in files]
        return str(client.post("/v1/images", files=parts).raise_for_status().json()["id"])


def run(url: str, image: str, threshold: float) -> str:
    with httpx.Client(base_url=url, timeout=120) as client:
        asked = {"image_id": image, "detector": "page.cube", "options": {"threshold": threshold}}
        job = str(client.post("/v1/jobs", json=asked).raise_for_status().json()["id"])
        assert '"done"' in client.get(f"/v1/jobs/{job}/events").text
        return job


def send(url: str, image: str, path: Path) -> Any:
    """Send a reference; the job it is kept as."""
    with httpx.Client(base_url=url, timeout=120) as client:
        address = f"/v1/images/{image}/references"
        answer = client.post(address, params={"name": path.name}, content=path.read_bytes())
        return answer.raise_for_status().json()


@pytest.fixture(scope="module")
def image(url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CT with a cube of 400 HU, and one of 250 HU at its side, of 4 x 10 x 18 and 4 x 10 x 9."""
    array = np.full(GRID.shape, -100, np.int16)
    array[4:8, 10:20, 12:30] = 400
    array[4:8, 10:20, 30:39] = 250
    folder = tmp_path_factory.mktemp("two")
    return upload(url, dicom.write_series(Image(array, GRID, "CT"), folder, seed="two"))


@pytest.fixture(scope="module")
def large(url: str, image: str) -> str:
    """Id of the job that found both cubes."""
    return run(url, image, 200)


@pytest.fixture(scope="module")
def small(url: str, image: str) -> str:
    """Id of the job that found the brighter one."""
    return run(url, image, 300)


def opened(look: Looking, job: str, against: str) -> None:
    look.open(f"#job={job}&against={against}")
    look.state("shown")
    look.page.wait_for_selector("[data-testid=comparison-table]")
    look.page.keyboard.press("x")  # the crosshair lies over what is counted
    look.go("cube_left")


def cells(look: Looking, name: str) -> list[str]:
    row = look.page.locator(f'[data-testid=comparison-table] tr[data-name="{name}"]')
    return [str(text) for text in row.locator("td").all_inner_texts()]


def test_differences_are_told_as_counted_by_hand(look: Looking, large: str, small: str) -> None:
    opened(look, large, small)

    # 1080 samples against 720, all of these in common, 16 cubic millimetres each; 9 columns of 2 mm
    # lie beyond the smaller one.
    assert cells(look, "cube_left") == ["0.800", "5.8", "0.0", "18.0"]
    assert "0.800" in look.one("comparison-table").locator("caption").inner_text()


def test_what_only_one_has_is_coloured_in_all_planes(look: Looking, large: str, small: str) -> None:
    opened(look, large, small)
    look.one("compare-differences").click()
    for plane in PLANES:
        look.page.keyboard.press("o")
        look.settle()
        only = {
            colour: look.coloured(plane, colour, tolerance=12)
            for colour in (ONLY_THIS, ONLY_OTHER, IN_BOTH)
        }
        look.page.keyboard.press("o")

        assert only[IN_BOTH] > 100 or plane == "sagittal"
        assert only[ONLY_OTHER] == 0
        if plane != "sagittal":  # the plane in the middle of the whole cuts the brighter one
            assert only[ONLY_THIS] == pytest.approx(only[IN_BOTH] / 2, rel=0.15)


def test_what_has_two_names_is_in_neither_colour_nor_alike(
    look: Looking, url: str, image: str, large: str, tmp_path: Path
) -> None:
    labels = np.zeros(GRID.shape, np.uint8)
    labels[4:8, 10:20, 12:39] = 1
    nrrd.write_labels([LabelMap(labels, GRID, {1: Category("spleen")})], tmp_path / "a.seg.nrrd")
    opened(look, large, send(url, image, tmp_path / "a.seg.nrrd")["id"])
    look.one("compare-differences").click()
    look.page.keyboard.press("o")

    assert look.coloured("axial", TWO_NAMES, tolerance=12) > 100
    for colour in (ONLY_THIS, ONLY_OTHER, IN_BOTH):
        assert look.coloured("axial", colour, tolerance=12) == 0


def test_the_other_way_round_the_colours_change_places(
    look: Looking, large: str, small: str
) -> None:
    opened(look, small, large)
    look.one("compare-differences").click()
    look.page.keyboard.press("o")

    assert look.coloured("axial", ONLY_OTHER, tolerance=12) > 100
    assert look.coloured("axial", ONLY_THIS, tolerance=12) == 0
    assert cells(look, "cube_left") == ["0.800", "0.0", "5.8", "18.0"]


def test_what_is_hidden_is_not_compared(look: Looking, large: str, small: str) -> None:
    opened(look, large, small)
    look.one("compare-differences").click()
    look.one("hide-all").click()

    assert look.coloured("axial", ONLY_THIS, tolerance=12) == 0
    assert look.coloured("axial", IN_BOTH, tolerance=12) == 0


def test_a_line_is_swiped_over_the_two(look: Looking, large: str, small: str) -> None:
    opened(look, large, small)
    look.one("compare-both").click()
    both = look.pixels("axial")
    look.one("compare-this").click()
    this = look.pixels("axial")
    look.one("compare-other").click()
    other = look.pixels("axial")
    look.one("compare-swipe").click()
    assert (this != other).any()
    assert (both != this).any()

    for part in (0.9, 0.2):
        box = look.page.locator('[data-plane="axial"] canvas').bounding_box()
        middle = 0.5 if part == 0.9 else 0.9
        across = [box["x"] + at * box["width"] for at in (middle, part)]
        down = box["y"] + 0.9 * box["height"]
        look.page.mouse.move(across[0], down)
        look.page.mouse.down()
        look.page.mouse.move(across[1], down, steps=4)
        look.page.mouse.up()
        swiped = look.pixels("axial")
        height, width, _ = swiped.shape
        rows, at = slice(0, int(0.8 * height)), int(part * width)
        assert (swiped[rows, : at - 4] == other[rows, : at - 4]).all()
        assert (swiped[rows, at + 4 :] == this[rows, at + 4 :]).all()


def test_another_result_is_chosen_and_stands_in_the_address(
    look: Looking, large: str, small: str
) -> None:
    look.open(f"#job={large}")
    look.state("shown")
    look.page.wait_for_selector(
        f'[data-testid=compare-with] option[value="{small}"]', state="attached"
    )
    look.one("compare-with").select_option(small)
    look.page.wait_for_selector("[data-testid=comparison-table]")
    look.page.wait_for_function(f"() => location.hash.includes('against={small}')")

    look.one("compare-with").select_option("")
    look.page.wait_for_selector("[data-testid=comparison-table]", state="detached")
    look.page.wait_for_function("() => !location.hash.includes('against')")


def test_a_real_contour_and_its_mask_are_one(
    look: Looking, url: str, shared_data: Path, tmp_path: Path
) -> None:
    case = shared_data / "rtstruct_sts" / "STS_019"
    if not case.is_dir():
        pytest.skip("the soft-tissue sarcomas of ../shared/data are not here")
    image = upload(url, sorted((case / "dicom_image").iterdir()))
    drawn = send(url, image, case / "dicom_mask" / "RS.dcm")
    # The mask that others made of the same contour; its label has no name.
    mask = nifti.read_labels(case / "CT_mask.nii.gz")
    named = LabelMap(mask.array, mask.grid, {1: Category("GTV_Mass_CT")})
    nrrd.write_labels([named], tmp_path / "mask.seg.nrrd")

    look.open(f"#job={drawn['id']}")
    look.state("shown")
    look.page.set_input_files("[data-testid=reference-file]", str(tmp_path / "mask.seg.nrrd"))
    look.page.wait_for_selector("[data-testid=comparison-table]")

    assert cells(look, "GTV_Mass_CT") == ["1.000", "0.0", "0.0", "0.0"]
    look.one("compare-differences").click()
    look.go("GTV_Mass_CT")
    look.page.keyboard.press("o")
    assert look.coloured("axial", ONLY_THIS, tolerance=12) == 0
    assert look.coloured("axial", ONLY_OTHER, tolerance=12) == 0


# Of things: sky blue only here, orange only there, green in both.
THINGS = {"this": (86, 180, 233), "other": (230, 159, 0), "both": (0, 158, 115)}


@pytest.fixture(scope="module")
def photograph(url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A grey picture of 120 rows and 160 columns."""
    path = tmp_path_factory.mktemp("photograph") / "trap.png"
    Picture.fromarray(np.full((120, 160), 40, np.uint8)).save(path)
    return upload(url, [path])


@pytest.fixture(scope="module")
def found(url: str, photograph: str) -> str:
    """Id of the job that found a point, a box and a polygon."""
    with httpx.Client(base_url=url, timeout=120) as client:
        asked = {"image_id": photograph, "detector": "page.blobs"}
        job = str(client.post("/v1/jobs", json=asked).raise_for_status().json()["id"])
        assert '"done"' in client.get(f"/v1/jobs/{job}/events").text
        return job


def drawn(folder: Path) -> Path:
    """Somebody's points: near that of the detector, in its box, and one that it has not found."""
    path = folder / "points.geojson"
    places = [(24.0, 20.0, 0.0), (78.0, 30.0, 0.0), (130.0, 100.0, 0.0)]
    marks = [Mark(number, Category("blob"), point=at) for number, at in enumerate(places, 1)]
    geojson.write((), Grid.regular((1, 120, 160), unit="px"), path, marks)
    return path


def test_things_of_two_results_are_told_apart(look: Looking, found: str, tmp_path: Path) -> None:
    look.open(f"#job={found}")
    look.state("shown")
    assert look.coloured("picture", THINGS["both"], tolerance=12) == 0

    look.page.set_input_files("[data-testid=reference-file]", str(drawn(tmp_path)))
    look.page.wait_for_selector("[data-testid=comparison-table]")

    assert cells(look, "blob") == ["3", "3", "2", "0.67", "0.67", "0.67"]
    assert "0.667" in look.one("comparison-table").locator("caption").inner_text()
    for colour in THINGS.values():
        assert look.coloured("picture", colour, tolerance=12) > 10
    look.one("compare-this").click()
    assert look.coloured("picture", THINGS["both"], tolerance=12) == 0

    # From one difference to the next, and around: the polygon is higher up than their point.
    told = [look.one("difference-told").inner_text()]
    for button in ("next", "next", "next", "previous"):
        look.one(f"difference-{button}").click()
        told.append(look.one("difference-told").inner_text())
    here, there = "Blob, only in this result", "Blob, only in the other"
    assert told == [
        "2 differences",
        *(f"1 of 2: {here}", f"2 of 2: {there}", f"1 of 2: {here}", f"2 of 2: {there}"),
    ]


def test_how_near_things_have_to_be_is_asked(
    look: Looking, url: str, found: str, photograph: str, tmp_path: Path
) -> None:
    reference = send(url, photograph, drawn(tmp_path))["id"]
    look.open(f"#job={found}&against={reference}")
    look.state("shown")
    look.page.wait_for_selector("[data-testid=comparison-table]")

    look.one("compare-within").fill("3")
    look.one("compare-within").press("Enter")
    look.page.wait_for_function(
        "() => document.querySelector('[data-testid=compare-within]')?.value === '3'"
    )
    look.page.wait_for_selector("[data-testid=comparison-table] caption:has-text('0.333')")

    assert cells(look, "blob")[2] == "1"


def test_things_are_compared_on_the_list_of_cases(
    look: Looking, url: str, found: str, photograph: str, tmp_path: Path
) -> None:
    send(url, photograph, drawn(tmp_path))
    look.open("#cases")
    row = look.page.locator(f'[data-testid=case][data-id="{found}"]')
    look.one("cases-filter").fill("trap.png")  # those that are not seen are not measured

    look.page.wait_for_selector(
        f'[data-testid=case][data-id="{found}"] [data-testid=dice]:has-text("0.667")'
    )
    assert row.locator("input").is_enabled()
