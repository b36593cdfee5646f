"""`pests.count`: the conformance suite, classes by size, tiles, and the real bees."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw

from delineate import Grid, Image, delineate
from delineate.detectors.counting import spec
from delineate.detectors.counting.background import is_plain
from delineate.detectors.counting.detector import PointDetector
from delineate.detectors.counting.extent import lengths
from delineate.detectors.counting.finder import Finder
from delineate.detectors.counting.matching import matched
from delineate.detectors.counting.pests import MODELS
from delineate.detectors.counting.pictures import read_folder
from delineate.errors import ModelError, OptionError, UnsuitableImageError
from delineate.formats import read
from delineate.phantom.trap_cards import CARDS
from delineate.phantom.traps import trap
from delineate.plugins import Weights
from delineate.segmentation.model_file import read_model
from delineate.segmentation.organs import MODEL as ORGANS
from delineate.segmentation.weights import load_network
from delineate.testing import DetectorTests

BLACK = (25, 22, 20)


def drawn_trap(shape: tuple[int, int] = (320, 320), seed: int = 2) -> Image:
    return trap(
        seed, shape, background="yellow", kinds=("fly", "beetle"), length_px=20, count=12
    ).image


class TestPestsCount(DetectorTests):
    detector_id = "pests.count"
    # Its strides show, and it has learned of flips, but does not know them.
    equivariant: ClassVar[Mapping[str, float | None]] = {"flips": 0.25, "shift": 0.25, "tiles": 0.1}

    def sample(self) -> Image:
        return drawn_trap()


@pytest.mark.parametrize(("declared", "folder"), [*zip(spec.weights, MODELS.values(), strict=True)])
def test_the_weights_are_those_declared_and_small(declared: Weights, folder: Path) -> None:
    model = read_model(folder)

    load_network(model)
    assert declared.sha256 == model.weights[0].sha256
    assert (folder / model.weights[0].name).stat().st_size <= 5_000_000


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(sorted(CARDS)), st.floats(0.6, 1.1))
def test_an_even_card_is_plain_in_any_light(seed: int, name: str, light: float) -> None:
    """Unless it is covered: here a tenth is, with any colours."""
    rng = np.random.default_rng(seed)
    pixels = np.full((240, 320, 3), CARDS[name], float) * np.linspace(light, 0.9, 320)[:, None]
    pixels[rng.random((240, 320)) < 0.1] = rng.integers(0, 255, 3)

    assert is_plain(np.clip(pixels, 0, 255).astype(np.uint8))


def test_a_view_of_two_colours_and_more_is_a_scene() -> None:
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[:, :50], pixels[:, 50:80], pixels[:, 80:] = (
        (190, 150, 100),
        (60, 110, 50),
        (90, 120, 200),
    )

    assert not is_plain(pixels)


def test_generated_traps_are_plain_and_the_hive_is_not(shared_data: Path) -> None:
    traps = [trap(seed, (256, 256)).image.array[0] for seed in range(3_000_000, 3_000_020)]
    hive, _ = read_folder(shared_data / "counting" / "bees")

    assert sum(map(is_plain, traps)) >= 18
    assert not any(is_plain(each.pixels) for each in hive)


def test_what_lies_behind_may_be_told() -> None:
    """Another surface, another model."""
    told = {
        surface: [
            finding.score
            for finding in delineate(drawn_trap(), "pests.count", {"surface": surface}).findings
        ]
        for surface in ("auto", "card", "scene")
    }

    assert told["auto"] == told["card"] != told["scene"]


def test_a_model_of_labels_is_no_model_of_points() -> None:
    with pytest.raises(ModelError, match="finds points"):
        PointDetector(ORGANS)


def test_insects_on_traps_it_never_saw_are_found() -> None:
    hits = there = seen = 0
    for seed in range(77, 83):
        made = trap(
            seed, (320, 320), background="yellow", kinds=("beetle", "fly"), length_px=20, count=15
        )
        found = delineate(made.image, "pests.count")
        points = np.array([each.point for each in found.findings]).reshape(-1, 3)[:, 1::-1]
        hits += len(matched(points, made.points[:, 1:], 10.0))
        there, seen = there + len(made.points), seen + len(points)

    assert 2 * hits / (there + seen) >= 0.75


def test_a_picture_in_tiles_counts_as_the_whole() -> None:
    """Two tiles of 1024 columns with a seam, against one pass over all."""
    made = trap(9, (192, 1500), background="white", kinds=("beetle",), length_px=22, count=40)
    whole = Finder(read_model(MODELS["card"])).points(made.image.array[0])[0]

    found = delineate(made.image, "pests.count")

    tiled = np.array([finding.point for finding in found.findings])[:, 1::-1]
    assert abs(len(tiled) - len(whole)) <= 0.05 * len(whole)
    assert len(matched(tiled, whole[:, :2], 2.0)) >= 0.95 * len(whole)


def test_things_said_to_be_larger_are_found_where_they_are() -> None:
    made = trap(5, (256, 256), background="white", kinds=("beetle",), length_px=20, count=8)
    array = np.repeat(np.repeat(made.image.array, 3, axis=1), 3, axis=2)
    grid = Grid.regular((1, 768, 768), unit="px")
    large = Image(array, grid, "photo", ("red", "green", "blue"))

    found = delineate(large, "pests.count", {"scale": 3.0})

    points = np.array([finding.point for finding in found.findings])[:, 1::-1]
    assert len(matched(points, made.points[:, 1:] * 3 + 1, 24.0)) >= 6


def ellipses(*measures: tuple[float, float, float, float]) -> np.ndarray:
    """Dark ellipses on white, drawn by (row, column, length, turn in degrees)."""
    picture = Pillow.new("RGB", (300, 200), (235, 235, 230))
    for row, column, length, turn in measures:
        layer = Pillow.new("L", picture.size)
        half = length / 2, length / 5
        box = (column - half[0], row - half[1], column + half[0], row + half[1])
        ImageDraw.Draw(layer).ellipse(box, fill=255)
        layer = layer.rotate(turn, center=(column, row), resample=Pillow.Resampling.BICUBIC)
        picture.paste(BLACK, mask=layer)
    return np.asarray(picture)


@pytest.mark.parametrize("turn", [0, 30, 90])
@pytest.mark.parametrize("length", [10, 30, 60])
def test_the_length_of_an_ellipse_is_its_long_axis(length: float, turn: float) -> None:
    pixels = ellipses((100, 150, length, turn))

    measured = lengths(pixels, np.array([[101.0, 151.0]]), reach=70)

    np.testing.assert_allclose(measured, length, rtol=0.1, atol=1.5)


def test_neighbours_that_touch_are_measured_apart() -> None:
    pixels = ellipses((100, 130, 40, 0), (100, 172, 40, 0))

    measured = lengths(pixels, np.array([[100.0, 130], [100, 172]]), reach=60)

    np.testing.assert_allclose(measured, 40, atol=4)


def test_what_cannot_be_seen_has_no_length() -> None:
    assert lengths(np.full((50, 50, 3), 200, np.uint8), np.array([[25.0, 25]]), 20).tolist() == [1]


def of_sizes(unit: str) -> Image:
    """A moth of 12 mm, a fly of 4 mm and thrips of 1.4 mm at 8 pixels a millimetre."""
    array = ellipses((60, 90, 96, 0), (140, 90, 32, 40), (140, 230, 11, 70))[None]
    step = 1 / 8 if unit == "mm" else 1.0
    grid = Grid.regular(array.shape[:3], (1.0, step, step), unit=unit)  # type: ignore[arg-type]
    return Image(array, grid, "photo", ("red", "green", "blue"))


@pytest.mark.parametrize("unit", ["mm", "px"])
def test_classes_by_size_are_those_of_the_lengths(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = np.array([[60, 90, 0.9], [140, 90, 0.8], [140, 230, 0.7]])
    monkeypatch.setattr(Finder, "points", lambda *_: [places])
    options: dict[str, object] = {"classes": "size"}
    if unit == "px":
        options["px_per_mm"] = 8

    found = delineate(of_sizes(unit), "pests.count", options)

    assert [finding.category.name for finding in found.findings] == ["moth", "fly", "thrips"]
    lengths_mm = [finding.measurements["length_mm"] for finding in found.findings]
    np.testing.assert_allclose(lengths_mm, [12, 4, 1.4], rtol=0.15)


def test_classes_by_size_want_a_scale() -> None:
    with pytest.raises(UnsuitableImageError, match="px_per_mm"):
        delineate(of_sizes("px"), "pests.count", {"classes": "size"})
    options = {"classes": "size", "px_per_mm": 8, "fly_mm": 9}
    with pytest.raises(OptionError, match="fly_mm below moth_mm"):
        delineate(of_sizes("px"), "pests.count", options)


def test_a_ct_is_refused() -> None:
    image = Image(np.zeros((4, 8, 8), np.int16), Grid.regular((4, 8, 8)), "CT")

    with pytest.raises(UnsuitableImageError, match="photo"):
        delineate(image, "pests.count")


@pytest.mark.slow
def test_the_bees_that_it_learned_from_are_counted(shared_data: Path) -> None:
    """Not how well it does (see its card), but that the road from file to count holds."""
    folder = shared_data / "counting" / "bees"
    pictures, _ = read_folder(folder)
    hits = there = found = 0
    for picture in pictures[:6]:
        result = delineate(read(folder / picture.name), "pests.count")
        points = np.array([finding.point for finding in result.findings]).reshape(-1, 3)[:, 1::-1]
        hits += len(matched(points, picture.points, 20.0))
        there += len(picture.points)
        found += len(points)

    assert 2 * hits / (there + found) >= 0.65
