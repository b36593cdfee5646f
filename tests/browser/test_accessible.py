"""The page for everybody: judged by axe-core, used by keys alone, in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from looking import Looking
from PIL import Image as Picture
from test_page import cube

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
# Visible texts and names in Latin letters, but for what is told to be English or to be a name.
LATIN = r"""() => {
  const found = [];
  const told = (text) => { if (/[A-Za-z]{3,}/.test(text ?? "")) found.push(text.trim()); };
  for (const element of document.querySelectorAll("body *")) {
    const elsewhere = element.closest("body :is([lang=en], [translate=no])");
    if (!element.checkVisibility() || elsewhere) continue;
    for (const name of ["aria-label", "title", "placeholder", "aria-valuetext"]) {
      told(element.getAttribute(name));
    }
    for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) told(node.data);
  }
  return found;
}"""
# Names of things, formats and keys, which no language has words of its own for.
NAMES = {
    *("delineate", "DICOM", "NIfTI", "NRRD", "MHA", "zip", "PNG", "JSON", "CSV", "GeoJSON", "COCO"),
    *("RTSTRUCT", "SEG", "SVG", "STL", "PLY", "GLB", "Cube", "left", "Nowhere", "Blob", "HTML"),
    *("photo", "dicom", "SPL", "PDF", "Ctrl", "Shift", "Page", "Down", "Home", "End", "Enter"),
    *("Esc", "Delete", "auto", "Cubes", "page"),
}


@pytest.fixture(scope="module")
def results(chromium: object, url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Fragments of the addresses of a result on a CT and of one on a photograph."""
    folder = tmp_path_factory.mktemp("access")
    Picture.new("RGB", (120, 100), (40, 120, 60)).save(folder / "photo.png")
    context = chromium.new_context()  # type: ignore[attr-defined]
    look = Looking(context.new_page(), url)
    found = {}
    for name, paths, detector in (
        ("ct", cube(folder=folder / "series"), "page.cube"),
        ("photo", [folder / "photo.png"], "page.blobs"),
    ):
        look.open()
        look.find(paths, detector)
        found[name] = look.page.url.partition("#")[2].partition("&")[0]
    context.close()
    return found


class Reader(Looking):
    """The page in a language and in light or dark colours."""

    def visit(self, language: str, fragment: str = "") -> None:
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/?lang={language}{fragment}")
        self.state("shown" if fragment else "idle")
        if not fragment:
            self.page.locator(".installed li").first.wait_for()
        self.settle()

    def violations(self) -> list[str]:
        """What axe-core finds, best practices included."""
        self.page.evaluate(AXE.read_text())
        found: list[dict[str, Any]] = self.page.evaluate(
            "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
        )
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            for node in one["nodes"]
        ]

    def untranslated(self) -> list[str]:
        told: list[str] = self.page.evaluate(LATIN)
        return [text for text in told if set(re.findall(r"[A-Za-z]{3,}", text)) - NAMES]


@pytest.fixture(params=["light", "dark"])
def reader(chromium: object, url: str, request: pytest.FixtureRequest) -> Iterator[Reader]:
    context = chromium.new_context(  # type: ignore[attr-defined]
        viewport={"width": 1280, "height": 800}, color_scheme=request.param
    )
    reader = Reader(context.new_page(), url)
    yield reader
    context.close()
    assert reader.complaints == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing_to_complain_about(
    reader: Reader, results: dict[str, str], language: str
) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; in web/ run: npm ci")
    reader.visit(language)
    assert reader.violations() == []
    reader.visit(language, f"#{results['photo']}")
    assert reader.violations() == []
    reader.one("edit-start").click()
    reader.page.wait_for_selector("[data-testid=editing]")
    assert reader.violations() == []
    reader.visit(language, f"#{results['ct']}&measure=length,0,5,4,4,5,4,9&slab=max,20")
    assert reader.violations() == []
    reader.page.keyboard.press("?")
    assert reader.violations() == []


@pytest.mark.parametrize("reader", ["dark"], indirect=True)
def test_axe_finds_nothing_before_a_detector_is_started(reader: Reader, tmp_path: Path) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; in web/ run: npm ci")
    reader.visit("zh")
    reader.upload(cube(folder=tmp_path / "series"))
    reader.state("report")
    assert reader.violations() == []
    assert reader.untranslated() == []


@pytest.mark.parametrize("reader", ["light"], indirect=True)
def test_no_text_is_left_in_english(reader: Reader, results: dict[str, str]) -> None:
    reader.visit("zh")
    assert reader.page.get_attribute("html", "lang") == "zh-Hans"
    assert reader.untranslated() == []
    assert reader.one("banner").inner_text() == "不得用于诊断。"
    reader.visit("zh", f"#{results['photo']}")
    assert reader.untranslated() == []
    reader.one("edit-start").click()
    reader.page.wait_for_selector("[data-testid=editing]")
    assert reader.untranslated() == []
    reader.visit("zh", f"#{results['ct']}&measure=length,0,5,4,4,5,4,9&slab=max,20")
    assert reader.untranslated() == []
    reader.page.keyboard.press("?")
    reader.settle()
    assert reader.untranslated() == []

    # The law can fail: in English, much is left.
    reader.visit("en", f"#{results['ct']}")
    assert len(reader.untranslated()) > 20


@pytest.mark.parametrize("reader", ["light"], indirect=True)
def test_language_and_colours_are_chosen_and_kept(reader: Reader, results: dict[str, str]) -> None:
    reader.open(f"#{results['ct']}&slice=9")
    reader.state("shown")
    reader.one("language").click()
    reader.page.locator("html[lang=zh-Hans]").wait_for()
    reader.state("shown")
    assert reader.one("position").inner_text() == "10 / 12"  # where it was
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = reader.page.evaluate(ground)
    reader.one("theme").click()
    dark = reader.page.evaluate(ground)
    assert dark != light
    reader.page.reload()
    reader.state("shown")

    assert reader.page.get_attribute("html", "lang") == "zh-Hans"
    assert reader.page.evaluate(ground) == dark


@pytest.mark.parametrize("reader", ["light"], indirect=True)
def test_everything_is_reached_by_the_tab_key_and_seen_there(
    reader: Reader, results: dict[str, str]
) -> None:
    reader.visit("en", f"#{results['ct']}")
    wanted = reader.page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], input, select, canvas[tabindex]")]
            .filter(e => e.checkVisibility() && !e.disabled && e.type !== "file").length"""
    )
    reader.page.evaluate("() => document.activeElement.blur()")
    reached, unseen = set(), []
    for _ in range(wanted + 5):
        reader.page.keyboard.press("Tab")
        number, name, outline = reader.page.evaluate(
            """() => {
              const all = [...document.querySelectorAll("*")];
              const style = getComputedStyle(document.activeElement);
              const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
              const name = document.activeElement.outerHTML.slice(0, 120);
              return [all.indexOf(document.activeElement), name, seen];
            }"""
        )
        reached.add(number)
        if not outline and not name.startswith("<body"):
            unseen.append(name)

    assert unseen == []
    # Radio buttons of a group are one stop; nothing else is left out.
    assert len(reached) >= wanted - 3


@pytest.mark.parametrize("reader", ["light"], indirect=True)
def test_nothing_is_pushed_out_of_a_narrow_window(
    reader: Reader, results: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / f"{'a_very_long_name_' * 6}.png"
    Picture.new("RGB", (120, 100), (40, 120, 60)).save(path)
    reader.visit("en")
    reader.find([path], "page.blobs")
    for width in (1280, 1024):
        reader.page.set_viewport_size({"width": width, "height": 800})
        reader.settle()
        for test in ("language", "findings", "picture"):
            box = reader.one(test).bounding_box()
            assert box["x"] + box["width"] <= width
        assert "Not for diagnosis." in reader.one("banner").inner_text()
        warning = reader.one("banner").locator("strong").bounding_box()
        assert warning["width"] > 100


@pytest.mark.parametrize("reader", ["light"], indirect=True)
def test_what_keys_change_is_read_out(reader: Reader, results: dict[str, str]) -> None:
    reader.visit("en", f"#{results['ct']}&slice=3")
    reader.page.keyboard.press("ArrowDown")
    reader.one("announced").filter(has_text="Axial 5 of 12, Cube left").wait_for()
    label = reader.page.locator('[data-plane="axial"] canvas').get_attribute("aria-label")

    assert label.startswith("Axial: slice 5 of 12")
