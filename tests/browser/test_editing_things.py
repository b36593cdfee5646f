"""Things on a photograph corrected with the mouse and the keyboard, saved as a new version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from looking import Looking
from PIL import Image as Picture

pytestmark = pytest.mark.browser

SHAPE = (120, 160)
# Of the detector: a point at (20, 20), a box of rows 20 to 39 and columns 60 to 99, a triangle.
POINT, BOX = (20.0, 20.0), (30.0, 80.0)


@pytest.fixture(scope="module")
def photograph(url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of a grey picture."""
    path = tmp_path_factory.mktemp("photograph") / "trap.png"
    Picture.fromarray(np.full(SHAPE, 40, np.uint8)).save(path)
    with httpx.Client(base_url=url, timeout=120) as client:
        files = [("files", (path.name, path.read_bytes()))]
        return str(client.post("/v1/images", files=files).raise_for_status().json()["id"])


@pytest.fixture
def found(url: str, photograph: str) -> str:
    """Id of a job of its own that found a point, a box and a polygon."""
    with httpx.Client(base_url=url, timeout=120) as client:
        asked = {"image_id": photograph, "detector": "page.blobs"}
        job = str(client.post("/v1/jobs", json=asked).raise_for_status().json()["id"])
        assert '"done"' in client.get(f"/v1/jobs/{job}/events").text
        return job


def result(url: str, job: str) -> dict[str, Any]:
    document: dict[str, Any] = httpx.get(f"{url}/v1/jobs/{job}/result").raise_for_status().json()
    return document


class Editing:
    """The page while things are edited."""

    def __init__(self, look: Looking, job: str) -> None:
        self.look, self.page = look, look.page
        look.open(f"#job={job}")
        look.state("shown")
        self.start("edit-start")

    def start(self, button: str) -> None:
        self.look.one(button).click()
        self.page.wait_for_selector("[data-testid=editing]")

    def choose(self, tool: str) -> None:
        self.look.one(f"edit-{tool}").click()

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Where on the screen a sample lies: the picture fills its pane one way."""
        box = self.page.locator('[data-plane="picture"] canvas[tabindex]').bounding_box()
        scale = min(box["height"] / SHAPE[0], box["width"] / SHAPE[1])
        x = box["x"] + box["width"] / 2 + scale * (column + 0.5 - SHAPE[1] / 2)
        return x, box["y"] + box["height"] / 2 + scale * (row + 0.5 - SHAPE[0] / 2)

    def click(self, row: float, column: float) -> None:
        self.page.mouse.click(*self.place(row, column))
        self.look.settle()

    def drag(self, one: tuple[float, float], two: tuple[float, float]) -> None:
        self.page.mouse.move(*self.place(*one))
        self.page.mouse.down()
        self.page.mouse.move(*self.place(*two), steps=5)
        self.page.mouse.up()
        self.look.settle()

    def total(self) -> str:
        return str(self.look.one("edit-total").inner_text()).removesuffix(" in all")

    def save(self, comment: str = "") -> str:
        """Save and wait until the new version is shown; its id."""
        before = self.page.evaluate("location.hash")
        self.look.one("edit-comment").fill(comment)
        self.look.one("edit-save").click()
        self.page.wait_for_function("before => location.hash !== before", arg=before)
        self.look.state("shown")
        self.page.wait_for_selector("[data-testid=versions]")
        return str(self.page.evaluate("new URLSearchParams(location.hash.slice(1)).get('job')"))


def test_things_are_added_taken_away_and_saved_as_a_version(
    look: Looking, url: str, found: str
) -> None:
    editing = Editing(look, found)
    assert editing.total() == "3"

    editing.choose("mark")
    editing.click(100, 30)
    editing.drag((70, 100), (90, 140))
    editing.choose("remove")
    editing.click(*POINT)
    assert editing.total() == "4"
    job = editing.save("one was dirt")

    document = result(url, job)
    kinds = [(one["point"], one["box"], bool(one["contours"])) for one in document["findings"]]
    assert [(bool(p), bool(b), c) for p, b, c in kinds] == [
        (False, True, False),
        (False, False, True),
        (True, False, False),
        (False, True, False),
    ]
    # A screen's pixel is about a fifth of a sample here.
    assert kinds[2][0] == pytest.approx([30, 100, 0], abs=0.3)
    assert np.array(kinds[3][1]) == pytest.approx(
        np.array([[100, 70, -0.5], [140, 90, 0.5]]), abs=0.3
    )
    scores = [one["score"] for one in document["findings"]]
    assert scores == [0.8, 0.7, None, None]
    told = document["provenance"]["correction"]
    assert (told["of"], told["comment"]) == (found, "one was dirt")
    assert sorted(one["what"] for one in told["changes"]) == ["deleted", "drawn", "drawn"]
    assert look.one("count").locator("strong").inner_text() == "4"
    assert look.page.get_by_test_id("version").count() == 2


def test_a_kind_is_made_and_given_and_taken_back(look: Looking, url: str, found: str) -> None:
    editing = Editing(look, found)
    look.one("edit-kind-name").fill("white fly")
    look.one("edit-kind-add").click()
    editing.choose("rename")
    editing.click(*BOX)
    editing.click(*POINT)
    rows = look.page.get_by_test_id("edit-kind")
    assert rows.locator("output").all_inner_texts() == ["1", "2"]

    look.page.keyboard.press("Control+z")
    assert rows.locator("output").all_inner_texts() == ["2", "1"]
    job = editing.save()

    document = result(url, job)
    names = [one["category"]["name"] for one in document["findings"]]
    assert names == ["blob", "white fly", "blob"]
    assert document["findings"][1]["notes"] == ["corrected by hand"]
    assert document["overall"]["count_white_fly"] == 1


def test_without_a_mouse_things_are_set_and_taken(look: Looking, found: str) -> None:
    look.open(f"#job={found}")
    look.state("shown")
    look.go("blob")  # to the first of them
    editing_start = look.one("edit-start")
    editing_start.focus()
    look.page.keyboard.press("Enter")
    look.page.wait_for_selector("[data-testid=editing]")

    look.page.keyboard.press("Delete")
    assert look.one("edit-total").inner_text() == "2 in all"
    look.page.locator('[data-plane="picture"] canvas[tabindex]').focus()
    look.page.keyboard.press("a")
    look.page.keyboard.press("Space")
    assert look.one("edit-total").inner_text() == "3 in all"


def test_edits_that_were_not_saved_are_there_again(look: Looking, found: str) -> None:
    editing = Editing(look, found)
    editing.choose("remove")
    editing.click(*POINT)
    look.page.wait_for_selector("[data-testid=editing][data-kept]")
    look.one("edit-close").click()

    editing.start("edit-continue")

    assert editing.total() == "2"
    look.one("edit-close").click()
    look.one("edit-discard").click()
    editing.start("edit-start")
    assert editing.total() == "3"


@pytest.mark.slow
def test_a_false_alarm_among_real_bees_is_taken_away(
    look: Looking, url: str, shared_data: Path
) -> None:
    photograph = shared_data / "counting" / "bees" / "20180205_143023.jpg"
    if not photograph.is_file():
        pytest.skip("the bees of ../shared/data are not here")
    look.find([photograph], "pests.count")
    count = int(look.one("count").locator("strong").inner_text())
    look.go("insect")
    look.one("edit-start").click()
    look.page.wait_for_selector("[data-testid=editing]")
    look.page.keyboard.press("Delete")
    look.one("edit-save").click()
    told = "count => document.querySelector('[data-testid=count] strong')?.textContent === count"
    look.page.wait_for_function(told, arg=str(count - 1))
    job = look.page.evaluate("new URLSearchParams(location.hash.slice(1)).get('job')")

    document = result(url, str(job))
    assert document["overall"]["count"] == count - 1
    assert "count_low" not in document["overall"]  # the interval was the detector's
    assert all(one["score"] is not None for one in document["findings"])
