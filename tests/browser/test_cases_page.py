"""The table of all results, in a real browser on a real service."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from looking import Looking
from PIL import Image as Picture
from test_accessible import AXE, NAMES, Reader, reader
from test_comparison_page import GRID, run, send, upload

from delineate.formats import dicom, nrrd
from delineate.imaging import Category, Image, LabelMap

__all__ = ["reader"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cases(url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two results and a reference on one CT, one result on another: ids of the jobs by name."""
    folder = tmp_path_factory.mktemp("cases")
    array = np.full(GRID.shape, -100, np.int16)
    array[4:8, 10:20, 12:30] = 400
    series = dicom.write_series(
        Image(array, GRID, "CT"), folder / "a", seed="cases", description="Anton's abdomen"
    )
    image = upload(url, series)
    jobs = {"first": run(url, image, 200), "second": run(url, image, 350)}
    half = (array > 0).astype(np.uint8)
    half[6:] = 0
    labels = LabelMap(half, GRID, {1: Category("cube_left")})
    nrrd.write_labels([labels], folder / "half.seg.nrrd")
    jobs["reference"] = send(url, image, folder / "half.seg.nrrd")["id"]
    array[2:9] = 400
    other = dicom.write_series(
        Image(array, GRID, "CT"), folder / "b", seed="other", description="Berta's belly"
    )
    jobs["other"] = run(url, upload(url, other), 200)
    return jobs


def listed(look: Looking) -> None:
    look.open("#cases")
    look.state("cases")
    # Rows are put anew when the titles of the detectors arrive.
    look.page.wait_for_selector("[data-testid=case]:has-text('Cubes')")


def row(look: Looking, job: str) -> object:
    return look.page.locator(f'[data-testid=case][data-id="{job}"]')


def order(look: Looking, cases: dict[str, str]) -> list[str]:
    """Names of these tests' cases as they are listed."""
    ids = look.page.locator("[data-testid=case]").evaluate_all("all => all.map(o => o.dataset.id)")
    names = {job: name for name, job in cases.items()}
    return [names[one] for one in ids if one in names]


def test_every_case_tells_what_came_of_it(look: Looking, cases: dict[str, str]) -> None:
    listed(look)
    told = row(look, cases["first"]).inner_text()

    for part in (
        "Anton's abdomen",
        "CT, 12 × 40 × 48",
        "Cubes",
        "Done",
        "Cube left",
        "1 not found",
    ):
        assert part in told
    assert "Reference" in row(look, cases["reference"]).inner_text()
    picture = row(look, cases["first"]).locator("img")
    look.page.wait_for_function(
        "one => one.complete && one.naturalWidth > 0", arg=picture.element_handle()
    )


def test_dice_against_the_reference_appears(look: Looking, cases: dict[str, str]) -> None:
    listed(look)
    dice = row(look, cases["first"]).get_by_test_id("dice")
    dice.scroll_into_view_if_needed()  # what is not seen is not measured
    look.page.wait_for_function("one => /\\d/.test(one.textContent)", arg=dice.element_handle())

    # Half of the cube: 2 * 360 / (360 + 720).
    assert dice.inner_text() == "0.667"
    assert row(look, cases["reference"]).get_by_test_id("dice").inner_text() == ""


def test_columns_sort_and_words_filter(look: Looking, cases: dict[str, str]) -> None:
    listed(look)
    assert order(look, cases) == ["other", "reference", "second", "first"]
    look.one("sort-when").click()
    assert order(look, cases) == ["first", "second", "reference", "other"]
    look.one("sort-image").click()
    assert order(look, cases)[-1] == "other"
    assert look.one("sort-image").locator("..").get_attribute("aria-sort") == "ascending"
    look.one("cases-filter").fill("berta cube")
    assert order(look, cases) == ["other"]
    look.one("cases-filter").fill("")
    look.one("cases-state").select_option("failed")
    assert order(look, cases) == []


def test_a_case_is_opened_by_keys(look: Looking, cases: dict[str, str]) -> None:
    listed(look)
    row(look, cases["other"]).locator("a").focus()
    look.page.keyboard.press("ArrowDown")
    look.page.keyboard.press("ArrowDown")
    look.page.keyboard.press("ArrowUp")
    look.page.keyboard.press("Enter")
    look.state("shown")

    assert f"job={cases['reference']}" in look.page.url


def test_a_case_that_arrives_leaves_the_keyboard_where_it_is(
    look: Looking, cases: dict[str, str], url: str
) -> None:
    look.page.clock.install()
    listed(look)
    row(look, cases["second"]).locator("a").focus()
    image = httpx.get(f"{url}/v1/jobs/{cases['other']}").raise_for_status().json()["image_id"]
    newest = run(url, image, 250)
    look.page.clock.run_for(40_000)  # the page looks again within 32 s
    look.page.wait_for_selector(f'[data-testid=case][data-id="{newest}"]')

    focused = look.page.evaluate("document.activeElement.closest('tr')?.dataset.id")
    assert focused == cases["second"]


def test_two_on_one_image_are_compared(look: Looking, cases: dict[str, str]) -> None:
    listed(look)
    row(look, cases["first"]).locator("a").focus()
    look.page.keyboard.press(" ")
    compare = look.one("cases-compare")
    assert compare.is_disabled()
    row(look, cases["other"]).get_by_role("checkbox").click()
    assert compare.is_disabled()
    row(look, cases["other"]).get_by_role("checkbox").click()
    row(look, cases["second"]).get_by_role("checkbox").click()
    compare.click()
    look.state("shown")
    look.page.wait_for_selector("[data-testid=comparison-table]")

    assert f"job={cases['second']}" in look.page.url
    assert look.one("compare-with").input_value() == cases["first"]


def test_a_photograph_is_a_case_too(look: Looking, cases: dict[str, str], tmp_path: Path) -> None:
    Picture.new("RGB", (110, 90), (50, 110, 70)).save(tmp_path / "trap.png")
    look.find([tmp_path / "trap.png"], "page.blobs")
    look.one("to-cases").click()
    look.state("cases")
    first = look.page.locator("[data-testid=case]").first

    assert "trap.png" in first.inner_text()
    assert "Blob" in first.inner_text()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_cases_comparison_and_surfaces_are_for_everybody(
    reader: Reader, cases: dict[str, str], language: str
) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; in web/ run: npm ci")
    reader.page.goto(f"{reader.url}/?lang={language}#cases")
    reader.page.wait_for_selector("[data-testid=case]")
    reader.one("cases-filter").fill("anton")  # others have names of their own
    assert reader.violations() == []
    assert language == "en" or untranslated(reader) == []
    reader.visit(language, f"#job={cases['first']}&against={cases['second']}")
    reader.page.wait_for_selector("[data-testid=comparison-table]")
    reader.one("compare-differences").click()
    reader.one("show-solid").click()
    reader.page.wait_for_selector(".solid[data-ready]")
    assert reader.violations() == []
    assert language == "en" or untranslated(reader) == []


def untranslated(reader: Reader) -> list[str]:
    ours = {"Dice", "Max", "Anton", "abdomen", "Berta", "belly", *NAMES}
    told = reader.untranslated()
    return [text for text in told if set(re.findall("[A-Za-z]{3,}", text)) - ours]
