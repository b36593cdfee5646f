"""What results, images and labels are in a notebook: pictures, a table, slices to go through."""

from __future__ import annotations

import base64
import io
import json
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from delineate.delineation import Delineation, delineate
from delineate.errors import MissingExtraError
from delineate.imaging import Category, Grid, Image, LabelMap
from delineate.plugins import DetectorSpec, Instance, Instances, Options
from delineate.viewers.jupyter import Scroller, register
from delineate.viewers.jupyter.pages import SHOWN

EVIL = "</script><b>liver"


class Block:
    """Finds what is bright, and looks for something that is not there."""

    def detect(self, image: Image, options: Options) -> LabelMap:
        categories = {1: Category(EVIL), 2: Category("spleen")}
        return LabelMap((image.array > 100).astype(np.uint8), image.grid, categories)


class Points:
    """Finds two things."""

    def detect(self, image: Image, options: Options) -> Instances:
        ant = Category("ant")
        found = [Instance(ant, score=0.9, point=place) for place in ((0, 5, 5), (0, 12, 20))]
        return Instances(tuple(found), image.grid)


def ct(slices: int = 6) -> Image:
    array = np.full((slices, 20, 30), -50, np.int16)
    array[1:4, 5:9, 3:12] = 300
    return Image(array, Grid.regular(array.shape, (5.0, 2.0, 2.0)), "CT")


def found(image: Image | None = None, detector: type = Block) -> Delineation:
    named = {Block: (Category(EVIL), Category("spleen")), Points: (Category("ant"),)}
    spec = DetectorSpec(
        id="test.shown",
        title="Shown & told",
        factory=f"{__name__}:{detector.__name__}",
        categories=named[detector],
        gives="labelmap" if detector is Block else "instances",
    )
    return delineate(image or ct(), spec)


def shown(value: Any) -> tuple[str, str]:
    """HTML and text."""
    in_full, in_short = SHOWN[type(value).__module__, type(value).__name__]
    return in_full(value), in_short(value)


def pictures(html: str) -> list[Pillow.Image]:
    packed = re.findall(r"data:image/\w+;base64,([\w+/=]+)", html)
    return [Pillow.open(io.BytesIO(base64.b64decode(one))) for one in packed]


def held(scroller: Scroller) -> dict[str, Any]:
    """What the page has to draw."""
    (text,) = re.findall(r"const held = (.*);\n", scroller.page())
    value: dict[str, Any] = json.loads(text)
    return value


def test_a_result_is_a_sheet_and_a_table() -> None:
    html, text = shown(found())

    (sheet,) = pictures(html)
    assert np.ptp(np.asarray(sheet.convert("RGB")).astype(int), axis=-1).max() > 60  # outlines
    assert "Shown &amp; told" in html
    assert "2.2 ml" in html  # 3 x 4 x 9 samples of 20 mm3
    assert "300.0 HU" in html
    assert "not found" in html
    assert text == "<Delineation by test.shown of CT, 30 × 20 × 6 samples of 2 × 2 × 5 mm: " + (
        "1 found, 1 not found>"
    )


def test_an_image_and_labels_show_themselves() -> None:
    image = ct()
    labels = LabelMap((image.array > 100).astype(np.uint8), image.grid, {1: Category("liver")})

    for value, told in ((image, "<Image, CT"), (labels, "<LabelMap, 30 × 20 × 6")):
        html, text = shown(value)
        assert len(pictures(html)) == 1
        assert text.startswith(told)
    assert "2.2 ml" in shown(labels)[0]


def test_names_are_text_and_never_code() -> None:
    html, _ = shown(found())
    page = Scroller(found()).page()

    assert EVIL not in html
    assert page.count("</script>") == 1


def test_html_is_well_formed_and_asks_for_nothing() -> None:
    for html in (shown(found())[0], Scroller(found())._repr_html_(), Scroller(found()).page()):
        Balanced().check(html)
        links = re.findall(r'(?:src|href)="(?!data:)([^"]+)', unescape(html))
        assert not any(one.startswith(("http", "//")) for one in links)


class Balanced(HTMLParser):
    """Every element that is opened is closed."""

    def check(self, html: str) -> None:
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("img", "meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_slices_are_in_order_of_the_eye_with_their_outlines() -> None:
    told = held(Scroller(found(), width=300))

    assert told["size"] == [300, 200]
    assert told["letters"] == "RLAP"
    captions = [caption for caption, _, _ in told["slices"]]
    assert captions[0].startswith("slice 6 of 6 ")  # from the head downwards
    assert [len(shapes) for _, _, shapes in told["slices"]] == [0, 0, 1, 1, 1, 0]
    ((thing, path),) = told["slices"][2][2]
    assert told["things"][thing][0] == EVIL
    corners = np.array([pair.split(",") for pair in path[1:-1].split()], float)
    np.testing.assert_allclose(corners.min(axis=0), (30, 50))  # 10 pixels a sample
    np.testing.assert_allclose(corners.max(axis=0), (120, 90))


def test_the_picture_below_the_outline_is_the_slice() -> None:
    _, packed, _ = held(Scroller(found(), width=300))["slices"][2]

    picture = np.asarray(Pillow.open(io.BytesIO(base64.b64decode(packed))).convert("L"))

    assert picture[55:85, 35:115].min() > 240
    assert picture[120:, :].max() < 130


def test_many_slices_are_thinned_and_the_ends_stay() -> None:
    told = held(Scroller(ct(50), most=7, width=60))

    captions = [caption for caption, _, _ in told["slices"]]
    assert len(captions) == 7
    assert captions[0].startswith("slice 50 of 50 ")
    assert captions[-1].startswith("slice 1 of 50 ")


def test_points_on_a_photograph_are_rings() -> None:
    array = np.zeros((1, 24, 32, 3), np.uint8)
    grid = Grid.regular((1, 24, 32), unit="px")
    photo = Image(array, grid, "photo", ("red", "green", "blue"))

    told = held(Scroller(found(photo, Points), width=320))

    ((_, _, shapes),) = told["slices"]
    assert [place[:2] for _, place in shapes] == [[55.0, 55.0], [205.0, 125.0]]
    assert told["things"] == [["ant", Category("ant").hex_colour]]


def test_labels_are_drawn_on_an_image_and_nothing_else_is_taken() -> None:
    image = ct()
    labels = LabelMap((image.array > 100).astype(np.uint8), image.grid, {1: Category("liver")})

    assert held(Scroller(image, labels))["things"][0][0] == "liver"
    with pytest.raises(TypeError, match="expected a Delineation, or an Image"):
        Scroller(labels)  # type: ignore[arg-type]


def test_outside_a_notebook_it_says_so() -> None:
    with pytest.raises(MissingExtraError, match="expected to run in IPython"):
        register()


@pytest.mark.browser
def test_the_slider_scrolls_and_the_list_hides(chromium: Any, tmp_path: Path) -> None:
    frame = Scroller(found(), width=300)._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!doctype html><body>{frame}", encoding="utf-8")
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda one: complaints.append(one.text))
    page.goto((tmp_path / "notebook.html").as_uri())
    inside = page.frame_locator("iframe")
    slider, paths = inside.get_by_label("slice", exact=True), inside.locator("path")

    slider.fill("0")
    assert paths.count() == 0
    inside.get_by_role("button", name=EVIL).click()
    assert slider.input_value() == "3"
    assert paths.count() == 2  # with its halo
    slider.press("ArrowRight")
    assert "slice 2 of 6 " in inside.locator("#caption").inner_text()
    inside.get_by_label(f"show {EVIL}").uncheck()
    assert paths.count() == 0
    page.close()
    assert complaints == []
