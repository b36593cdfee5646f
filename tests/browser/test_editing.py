"""Contours corrected with the mouse, saved as a new version, and read back from its files."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from looking import Looking
from numpy.typing import NDArray
from PIL import Image as Picture

from delineate.formats import dicom, seg
from delineate.imaging import Grid, Image, place
from delineate.plugins.wire import grid_from_json

pytestmark = pytest.mark.browser

GRID = Grid.regular((12, 40, 48), (4.0, 2.0, 2.0), (-48.0, -40.0, 0.0))
ML = 4.0 * 2.0 * 2.0 / 1000
MAGENTA = (230, 0, 230)


@pytest.fixture(scope="module")
def found(url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Ids of jobs by detector, on a CT with a cube of 400 HU, 4 x 10 x 18 samples."""
    array = np.full(GRID.shape, -100, np.int16)
    array[4:8, 10:20, 12:30] = 400
    folder = tmp_path_factory.mktemp("series")
    return analysed(url, dicom.write_series(Image(array, GRID, "CT"), folder), "cube", "overlap")


def analysed(url: str, paths: Sequence[Path], *detectors: str, **options: float) -> dict[str, str]:
    """Upload a series and run detectors of these tests; ids of the jobs."""
    with httpx.Client(base_url=url, timeout=120) as client:
        files = [("files", (path.name, path.read_bytes())) for path in paths]
        image = client.post("/v1/images", files=files).raise_for_status().json()["id"]
        jobs = {}
        for name in detectors:
            asked = {"image_id": image, "detector": f"page.{name}", "options": options}
            jobs[name] = client.post("/v1/jobs", json=asked).raise_for_status().json()["id"]
        for job in jobs.values():
            assert '"done"' in client.get(f"/v1/jobs/{job}/events").text
        return jobs


class Editing:
    """The page while contours are edited."""

    def __init__(self, look: Looking) -> None:
        self.look, self.page = look, look.page

    def start(self, button: str = "edit-start") -> None:
        self.look.one(button).click()
        self.page.wait_for_selector("[data-testid=editing]")

    def choose(self, tool: str) -> None:
        self.look.one(f"edit-{tool}").click()

    def radius(self, step: int) -> None:
        self.look.one("edit-radius").fill(str(step))

    def at(self, plane: str, across: float, down: float) -> tuple[float, float]:
        """A place of the screen, given as parts of a pane's canvas."""
        box = self.page.locator(f'[data-plane="{plane}"] canvas[tabindex]').bounding_box()
        return box["x"] + across * box["width"], box["y"] + down * box["height"]

    def drag(self, plane: str, *places: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(plane, *places[0]))
        mouse.down()
        for one in places[1:]:
            mouse.move(*self.at(plane, *one), steps=6)
        mouse.up()
        self.look.settle()

    def ml(self, name: str) -> float:
        """How large a structure is told to be."""
        row = self.page.locator(f'[data-testid=edit-structure][data-name="{name}"] output')
        return float(row.inner_text().removesuffix(" ml").replace(",", ""))

    def kept(self, act: Callable[[], None]) -> None:
        """Do something and wait until the browser has kept it."""
        read = "() => document.querySelector('[data-testid=editing]').dataset.kept ?? ''"
        before = self.page.evaluate(read)
        act()
        self.page.wait_for_function(f"before => ({read})() !== before", arg=before)

    def save(self, comment: str) -> str:
        """Save; the id of the new version, once it is shown."""
        before = self.job()
        self.look.one("edit-comment").fill(comment)
        self.look.one("edit-save").click()
        self.page.wait_for_function("before => !location.hash.includes(before)", arg=before)
        self.look.state("shown", seconds=120)
        return self.job()

    def job(self) -> str:
        return str(self.page.evaluate("() => /job=([^&]*)/.exec(location.hash)[1]"))


@pytest.fixture
def editing(look: Looking, found: dict[str, str]) -> Editing:
    look.open(f"#job={found['cube']}")
    look.state("shown")
    look.go("cube_left")
    editing = Editing(look)
    editing.start()
    return editing


def labels_of(url: str, job: str, folder: Path, grid: Grid = GRID) -> NDArray[Any]:
    """The labels of a job's SEG, by number of the segment, on its image's grid."""
    content = httpx.get(f"{url}/v1/jobs/{job}/exports/seg", timeout=120).raise_for_status().content
    path = folder / f"{job}.dcm"
    path.write_bytes(content)
    return place(seg.read_labels(path), grid).array


def test_a_stroke_is_drawn_undone_saved_and_read_back(
    look: Looking, editing: Editing, tmp_path: Path
) -> None:
    assert editing.ml("cube_left") == pytest.approx(4 * 180 * ML, rel=0.01)
    first = editing.job()
    before = look.coloured("axial", MAGENTA)
    editing.radius(60)
    editing.drag("axial", (0.5, 0.4), (0.75, 0.75))
    more = editing.ml("cube_left")
    assert more > 4 * 180 * ML
    assert look.coloured("axial", MAGENTA) > before
    look.page.keyboard.press("Control+z")
    look.settle()
    assert editing.ml("cube_left") == pytest.approx(4 * 180 * ML, rel=0.01)
    assert look.coloured("axial", MAGENTA) == before
    look.page.keyboard.press("Control+Shift+z")
    look.settle()
    assert editing.ml("cube_left") == more
    second = editing.save("the lower corner was missing")
    labels, old = (labels_of(look.url, job, tmp_path) for job in (second, first))
    changed = np.argwhere(labels != old)
    assert len(np.unique(changed[:, 0])) == 1  # the one slice that was drawn on
    assert (labels == 1).sum() * ML == pytest.approx(more, rel=0.01)
    assert (labels[old == 1] == 1).all()
    document = httpx.get(f"{look.url}/v1/jobs/{second}/result").json()
    told = document["provenance"]["correction"]
    assert (told["of"], told["comment"]) == (first, "the lower corner was missing")
    # The outlines that were drawn here are those that the service draws.
    assert "corrected by hand" in look.row("cube_left").inner_text()
    rois = pydicom.dcmread(
        io.BytesIO(httpx.get(f"{look.url}/v1/jobs/{second}/exports/rtstruct").content)
    ).StructureSetROISequence
    assert [one.ROIGenerationAlgorithm for one in rois] == ["SEMIAUTOMATIC", "AUTOMATIC"]


def test_the_versions_are_listed_and_each_is_opened(look: Looking, editing: Editing) -> None:
    first = editing.job()
    editing.choose("eraser")
    editing.drag("axial", (0.5, 0.4), (0.52, 0.42))
    second = editing.save("less")
    rows = look.one("version")
    rows.nth(1).wait_for()
    ids = [one.get_attribute("data-job") for one in rows.all()]
    assert ids[0] == first
    assert ids[-1] == second  # between them those of other tests
    assert "less" in rows.last.inner_text()
    assert rows.last.get_attribute("aria-current") == "true"
    rows.nth(0).get_by_role("link").click()
    look.page.wait_for_function("id => location.hash.includes(id)", arg=first)
    look.state("shown")
    assert "corrected by hand" not in look.row("cube_left").inner_text()


def test_a_lasso_adds_cuts_and_fills_in_every_plane(look: Looking, editing: Editing) -> None:
    whole = editing.ml("cube_left")
    square = ((0.45, 0.38), (0.55, 0.38), (0.55, 0.45), (0.45, 0.45), (0.45, 0.39))
    editing.choose("cut")
    editing.drag("axial", *square)
    cut = editing.ml("cube_left")
    assert cut < whole
    editing.look.one("edit-holes").click()
    assert editing.ml("cube_left") == whole
    editing.choose("add")
    for plane in ("coronal", "sagittal"):
        before = editing.ml("cube_left")
        editing.drag(plane, (0.1, 0.1), (0.4, 0.1), (0.4, 0.4), (0.1, 0.4), (0.1, 0.12))
        assert editing.ml("cube_left") > before
    before = editing.ml("cube_left")
    for corner in ((0.2, 0.6), (0.3, 0.6), (0.3, 0.8)):
        look.page.mouse.click(*editing.at("axial", *corner))
    assert editing.ml("cube_left") == before
    look.page.keyboard.press("Enter")
    assert editing.ml("cube_left") > before
    look.page.mouse.click(*editing.at("axial", 0.2, 0.6))
    look.page.keyboard.press("Escape")
    look.page.keyboard.press("Enter")


def test_structures_are_added_named_and_deleted(
    look: Looking, editing: Editing, tmp_path: Path
) -> None:
    look.one("edit-add-structure").click()
    row = look.page.locator("[data-testid=edit-structure]").last
    entry = row.locator("input[type=text]")
    entry.fill("spleen")
    entry.press("Enter")
    editing.radius(50)
    editing.drag("axial", (0.25, 0.6), (0.3, 0.65))
    look.page.get_by_role("button", name="Delete Nowhere").click()
    job = editing.save("")
    names = [
        one["category"] for one in httpx.get(f"{look.url}/v1/jobs/{job}/result").json()["findings"]
    ]
    assert [one["name"] for one in names] == ["cube_left", "spleen"]
    assert names[1]["code"]["meaning"] == "Spleen"
    assert set(np.unique(labels_of(look.url, job, tmp_path))) == {0, 1, 2}


def test_edits_that_are_not_saved_are_asked_about_and_offered_again(
    look: Looking, editing: Editing
) -> None:
    whole = editing.ml("cube_left")
    editing.kept(lambda: editing.drag("axial", (0.5, 0.4), (0.75, 0.75)))
    drawn = editing.ml("cube_left")
    address = look.page.url
    asked: list[str] = []
    look.page.remove_listener("dialog", look.dialog)
    look.page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    look.page.get_by_role("button", name="New image").click()
    assert "not saved" in asked[0]
    assert look.page.url == address
    assert editing.ml("cube_left") == drawn
    # As if the tab had crashed: it is opened anew, and nobody is asked.
    look.page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    look.page.goto("about:blank")
    assert asked[1:] == ["beforeunload"]
    look.page.goto(address)
    look.state("shown")
    look.one("edit-continue").wait_for()
    editing.start("edit-continue")
    assert editing.ml("cube_left") == drawn
    assert drawn > whole
    look.one("edit-close").click()
    look.one("edit-discard").click()
    look.one("edit-start").wait_for()
    editing.start()
    assert editing.ml("cube_left") == whole


def test_keys_choose_tools_and_draw_at_the_crosshair(look: Looking, editing: Editing) -> None:
    look.page.locator('[data-plane="axial"] canvas[tabindex]').focus()
    for key, tool in (("e", "eraser"), ("d", "add"), ("k", "cut"), ("q", "none"), ("b", "brush")):
        look.page.keyboard.press(key)
        assert look.one(f"edit-{tool}").get_attribute("aria-pressed") == "true"
    before = editing.ml("cube_left")
    look.page.keyboard.press("e")
    look.page.keyboard.press("Space")
    erased = editing.ml("cube_left")
    assert erased < before
    look.page.keyboard.press("]")
    look.page.keyboard.press("Space")
    assert editing.ml("cube_left") < erased
    look.page.keyboard.press("Control+z")
    assert editing.ml("cube_left") == erased


def test_axe_finds_nothing_to_complain_about_in_the_panel(look: Looking, editing: Editing) -> None:
    axe = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.exists():
        pytest.skip("axe-core is not installed; in web/ run: npm ci")
    look.page.evaluate(axe.read_text())
    broken = look.page.evaluate(
        "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
    )
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in broken] == []


def test_what_cannot_be_saved_is_told_and_stays(look: Looking, editing: Editing) -> None:
    editing.drag("axial", (0.5, 0.4), (0.75, 0.75))
    drawn = editing.ml("cube_left")
    look.page.route("**/corrections", lambda route: route.abort())
    look.one("edit-save").click()
    told = look.one("edit-told")
    look.page.wait_for_function("() => document.querySelector('[data-testid=edit-told].fault')")
    assert "your edits are still here" in told.inner_text()
    assert editing.ml("cube_left") == drawn
    look.page.unroute("**/corrections")
    look.complaints.clear()
    editing.save("again")


def test_structures_that_overlap_are_not_edited(look: Looking, found: dict[str, str]) -> None:
    look.open(f"#job={found['overlap']}")
    look.state("shown")
    look.one("edit-start").click()
    note = look.page.get_by_text("overlap and cannot be edited")
    note.wait_for()
    assert not look.one("editing").count()


def test_a_fault_on_a_photograph_is_corrected(look: Looking, url: str, tmp_path: Path) -> None:
    array = np.full((120, 160, 3), 90, np.uint8)
    array[40:60, 50:80] = 250
    Picture.fromarray(array).save(tmp_path / "part.png")
    first = analysed(url, [tmp_path / "part.png"], "unusual")["unusual"]
    look.open(f"#job={first}")
    look.state("shown")
    editing = Editing(look)
    editing.start()
    row = look.page.locator("[data-testid=edit-structure] output")
    before = int(row.inner_text().removesuffix(" px").replace(",", ""))
    editing.choose("add")
    editing.drag("picture", (0.6, 0.6), (0.8, 0.6), (0.8, 0.8), (0.6, 0.8), (0.6, 0.62))
    after = int(row.inner_text().removesuffix(" px").replace(",", ""))
    assert after > before
    document = httpx.get(f"{url}/v1/jobs/{editing.save('one more')}/result").json()
    (finding,) = document["findings"]
    assert finding["measurements"]["voxels"] == after
    (change,) = document["provenance"]["correction"]["changes"]
    assert (change["added"], change["added_ml"]) == (after - before, None)
    assert document["detector"]["gives"] == "labelmap"


@pytest.mark.slow
def test_an_organ_of_a_real_scan_is_corrected(
    look: Looking, url: str, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "ct_series" / "abdomen_crlm_1004" / "image"
    first = analysed(url, sorted(folder.iterdir()), "cube", threshold=180.0)["cube"]
    look.open(f"#job={first}&slice=20")
    look.state("shown")
    editing = Editing(look)
    editing.start()
    editing.radius(45)
    editing.choose("add")
    editing.drag("axial", (0.3, 0.35), (0.42, 0.3), (0.5, 0.4), (0.42, 0.5), (0.3, 0.45))
    editing.choose("brush")
    look.one("edit-sphere").check()
    editing.drag("coronal", (0.4, 0.4), (0.55, 0.5))
    editing.choose("eraser")
    editing.drag("sagittal", (0.5, 0.4), (0.55, 0.6))
    told = editing.ml("cube_left")
    second = editing.save("the liver's edge")
    document = httpx.get(f"{url}/v1/jobs/{second}/result", timeout=120).json()
    measured = document["findings"][0]["measurements"]["volume_ml"]
    assert measured == pytest.approx(told, rel=1e-3, abs=0.6)
    grid = grid_from_json(document["image"]["grid"])
    labels, old = (labels_of(url, job, tmp_path, grid) for job in (second, first))
    assert (labels == 1).sum() == document["findings"][0]["measurements"]["voxels"]
    change = document["provenance"]["correction"]["changes"][0]
    assert change["added"] == ((labels == 1) & (old != 1)).sum() > 5_000
    assert change["removed"] == ((labels != 1) & (old == 1)).sum() > 0
