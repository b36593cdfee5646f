"""A result as a page to print."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from finders import GIVES, spec
from PIL import Image as Picture

from delineate.delineation import Delineation, delineate, export, report
from delineate.delineation.result import DetectorIdentity, Finding, Provenance
from delineate.imaging import Category, Grid, Image, LabelMap

MARKUP = '<img src=x onerror="alert(1)">'


class Read(HTMLParser):
    """What a browser makes of a page: elements with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> list[Picture.Image]:
        sources = [str(attributes["src"]) for tag, attributes in self.elements if tag == "img"]
        return [Picture.open(io.BytesIO(base64.b64decode(one.split(",", 1)[1]))) for one in sources]


def cubes(name: str = "liver") -> Delineation:
    """A cube of 300 HU that was found, and something that was not."""
    grid = Grid.regular((6, 20, 24), (4.0, 2.0, 2.0))
    array = np.full(grid.shape, -100, np.int16)
    array[1:4, 4:10, 6:18] = 300
    labels = LabelMap((array > 0).astype(np.uint8), grid, {1: Category(name, (230, 0, 230))})
    found = Finding(
        id=1,
        category=labels.categories[1],
        score=0.9,
        measurements={"voxels": 216, "volume_ml": 3.456, "mean_hu": 300.0},
        notes=("cut by the field of view",),
    )
    absent = Finding(id=2, category=Category("spleen"), measurements={"voxels": 0})
    return Delineation(
        image=Image(array, grid, "CT"),
        detector=DetectorIdentity(
            id="test.cubes",
            title=f"Cubes {name}",
            version="1",
            task="segmentation",
            gives="labelmap",
            intended_use="Tests.",
        ),
        output=labels,
        findings=(found, absent),
        provenance=Provenance(
            image_hash="sha256:0",
            created="2026-01-01T12:00:00Z",
            seconds=1.0,
            options={"threshold": 200},
            device="",
            weights=(),
            versions={"delineate": "0.1"},
        ),
    )


def page(found: Delineation, folder: Path) -> str:
    report.write(found, folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def test_numbers_flags_and_provenance_are_told(tmp_path: Path) -> None:
    text = Read(page(cubes(), tmp_path)).text

    for told in ("Not for diagnosis.", "Liver", "3.5", "300", "cut by the field of view", "Spleen"):
        assert told in text
    for told in ("test.cubes, version 1", "threshold = 200", "sha256:0", "delineate 0.1"):
        assert told in text


def test_each_structure_is_shown_in_three_planes_where_it_is(tmp_path: Path) -> None:
    read = Read(page(cubes(), tmp_path))
    pictures = read.pictures()

    # Samples 1 to 3, 4 to 9 and 6 to 17 along the axes: the first of each, counted from 1.
    for place in ("slice 2 of 6", "slice 5 of 20", "slice 7 of 24"):
        assert place in read.text
    assert len(pictures) == 3
    for picture in pictures:
        drawn = np.asarray(picture.convert("RGB"), int)
        assert (np.abs(drawn - (230, 0, 230)).max(axis=-1) < 90).sum() > 40


def test_the_page_needs_nothing_and_runs_nothing(tmp_path: Path) -> None:
    read = Read(page(cubes(MARKUP), tmp_path))

    assert MARKUP in read.text
    for tag, attributes in read.elements:
        assert tag not in ("script", "link", "iframe", "object")
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert str(attributes.get("src", "data:")).startswith("data:")


def test_the_style_is_the_one_that_is_allowed(tmp_path: Path) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", page(cubes(), tmp_path), re.DOTALL)

    digest = hashlib.sha256(style.encode()).digest()
    assert base64.b64encode(digest).decode() == report.style_hash()


@pytest.mark.parametrize("name", sorted(GIVES))
def test_results_of_every_kind_have_a_report(name: str, tmp_path: Path) -> None:
    array = np.zeros((3, 8, 9), np.int16)
    array[1, 2:5, 3:7] = 1
    found = delineate(Image(array, Grid.regular(array.shape, (2.0, 1.0, 1.0)), "CT"), spec(name))

    (first, again) = (export(found, ["html"], tmp_path / each)["html"] for each in "ab")

    assert first.read_bytes() == again.read_bytes()
    assert Read(first.read_text(encoding="utf-8")).pictures()
