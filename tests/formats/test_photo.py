"""Pictures: how large a pixel is, if anybody measured it; pages and depth."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import TiffImagePlugin

from delineate.errors import ExportError, OptionError, UnreadableFileError
from delineate.formats import inspect, photo, read
from delineate.imaging import Grid, Image

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photo")


@given(st.integers(20_000, 10_000_000), st.integers(20_000, 10_000_000))
@settings(max_examples=30)
def test_the_metres_of_a_png_are_the_scale(room: Path, across: int, down: int) -> None:
    # pHYs counts pixels a metre; 20 000 are 0.05 mm, finer than what programs write by default
    # but for 1000 (39 370 a metre) and so on.
    ends = (across * 0.0254, down * 0.0254)
    assume(not any(abs(end / usual - 1) < 0.01 for end in ends for usual in DEFAULTS))
    path = room / "a.png"
    Pillow.fromarray(PIXELS).save(path, dpi=ends)

    image = read(path)

    assert image.grid.unit == "mm"
    np.testing.assert_allclose(image.grid.spacing[1:], [1000 / down, 1000 / across], rtol=1e-5)
    np.testing.assert_array_equal(image.array[0], PIXELS)


DEFAULTS = (600, 720, 1000, 1200, 2400, 4800)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("dots", [72, 96, 150, 300, 600])
def test_a_resolution_that_programs_write_by_default_is_no_scale(
    tmp_path: Path, suffix: str, dots: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    Pillow.fromarray(PIXELS).save(path, dpi=(dots, dots))

    (report,) = inspect(path).series

    assert read(path).grid.unit == report.unit == "px"
    assert not report.scale_known
    (problem,) = report.problems
    assert problem.code == "scale"
    assert f"if it is, state {25.4 / dots:.3f}"[:20] in problem.message


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_another_resolution_is_the_scale(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Pillow.fromarray(PIXELS).save(path, dpi=(254, 508))

    (report,) = inspect(path).series
    image = read(path)

    assert (report.unit, report.scale_known, report.orientation) == ("mm", True, "")
    assert report.spacing_mm == pytest.approx((1, 0.05, 0.1), rel=1e-4)
    assert image.grid.spacing == pytest.approx((1, 0.05, 0.1), rel=1e-4)
    assert image.notes[0].startswith("The scale is the file's own: 0.05 x 0.1 mm a pixel")
    # x grows to the right, y downwards
    np.testing.assert_allclose(image.grid.to_world((0, 2, 3))[:2], [0.3, 0.1], rtol=1e-4)


def test_the_scale_of_a_turned_picture_is_turned_with_it(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif, dpi=(254, 508))

    image = read(tmp_path / "a.png")

    assert image.grid.shape == (1, 4, 3)
    assert image.grid.spacing[1:] == pytest.approx((0.1, 0.05), rel=1e-4)


def test_the_resolution_of_a_photograph_is_no_scale(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif.get_ifd(0x8769)[0x829D] = 2.8  # an f-number
    Pillow.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif, dpi=(254, 254))

    (report,) = inspect(tmp_path / "a.jpg").series

    assert report.unit == "px"
    assert "a camera wrote" in report.problems[0].message


@pytest.mark.parametrize(("unit", "spacing"), [("micron", 0.0005), ("mm", 0.5), ("pixel", None)])
def test_imagej_keeps_its_own_scale(tmp_path: Path, unit: str, spacing: float | None) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270], tags[282], tags[283], tags[296] = f"ImageJ=1.53t\nunit={unit}\n", 2.0, 2.0, 1
    Pillow.fromarray(PIXELS).save(tmp_path / "a.tif", tiffinfo=tags)

    grid = read(tmp_path / "a.tif").grid

    assert grid.unit == ("px" if spacing is None else "mm")
    assert grid.spacing[1] == pytest.approx(spacing or 1.0)


def test_a_picture_without_resolution_is_in_pixels_without_remark(tmp_path: Path) -> None:
    Pillow.fromarray(PIXELS).save(tmp_path / "a.png")

    (report,) = inspect(tmp_path / "a.png").series

    assert (report.unit, report.scale_known, report.problems) == ("px", False, ())


@pytest.mark.parametrize(
    ("stated", "spacing"), [(0.2, (0.2, 0.2)), ([0.2], (0.2, 0.2)), ((0.2, 0.3), (0.2, 0.3))]
)
def test_the_size_of_a_pixel_can_be_stated(
    tmp_path: Path, stated: float | list[float], spacing: tuple[float, float]
) -> None:
    Pillow.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(72, 72))

    image = read(tmp_path / "a.png", spacing_mm=stated)
    (report,) = inspect(tmp_path / "a.png", spacing_mm=stated).series

    assert image.grid.unit == report.unit == "mm"
    assert image.grid.spacing[1:] == report.spacing_mm[1:] == spacing
    assert image.notes == (
        f"The scale was stated, not read: {spacing[0]} x {spacing[1]} mm a pixel.",
    )
    assert [problem.code for problem in report.problems] == ["scale"]


@pytest.mark.parametrize("stated", [0.0, -1.0, float("nan"), [], [1.0, 2.0, 3.0, 4.0]])
def test_a_size_that_is_none_is_refused(tmp_path: Path, stated: float | list[float]) -> None:
    Pillow.fromarray(PIXELS).save(tmp_path / "a.png")

    for act in (read, inspect):
        with pytest.raises(OptionError, match="expected spacing_mm as one positive number"):
            act(tmp_path / "a.png", spacing_mm=stated)  # type: ignore[operator]


def test_a_scale_that_is_known_is_not_stated_again(tmp_path: Path) -> None:
    Pillow.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(254, 254))

    for act in (read, inspect):
        with pytest.raises(OptionError, match=r"the file says 0\.1 x 0\.1 mm a sample"):
            act(tmp_path / "a.png", spacing_mm=0.2)  # type: ignore[operator]


def test_a_tiff_of_several_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    other = Pillow.fromarray(PIXELS)
    other.save(path, save_all=True, append_images=[other, other])

    (report,) = inspect(path).series

    assert (report.verdict, report.slices) == ("refused", 3)
    assert [problem.code for problem in report.problems] == ["several_pages"]
    with pytest.raises(UnreadableFileError, match="holds 3 pages, expected one; save the page"):
        read(path)


def test_thumbnails_within_a_tiff_are_no_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    small = Pillow.fromarray(PIXELS[:1, :2])
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1  # reduced resolution
    small.encoderinfo = {"tiffinfo": tags}
    Pillow.fromarray(PIXELS).save(path, save_all=True, append_images=[small])

    np.testing.assert_array_equal(read(path).array[0], PIXELS)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_of_grey_are_kept(tmp_path: Path, suffix: str) -> None:
    deep = (PIXELS.astype(np.uint16) * 5000) + 7
    Pillow.fromarray(deep).save(tmp_path / f"a.{suffix}")

    image = read(tmp_path / f"a.{suffix}")
    (report,) = inspect(tmp_path / f"a.{suffix}").series

    assert image.array.dtype == np.uint16
    np.testing.assert_array_equal(image.array[0], deep)
    assert report.samples is not None
    assert report.samples.bits_stored == 16


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), ("red", "green", "blue")])
def test_samples_are_written_as_they_are(
    tmp_path: Path, dtype: type, channels: tuple[str, ...]
) -> None:
    grid = Grid.regular((1, 5, 7), unit="px")
    shape = (*grid.shape, *([3] if channels else []))
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, endpoint=True)
    image = Image(array.astype(dtype), grid, "photo", channels)

    for name in ("a.png", "b.png"):
        photo.write(image, tmp_path / name)

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    back = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, image.array[0])
    if dtype == np.uint8 or not channels:
        again = read(tmp_path / "a.png")
        np.testing.assert_array_equal(again.array, image.array)
        assert (again.channels, again.grid.unit) == (channels, "px")


def test_the_scale_is_written_beside_the_samples(tmp_path: Path) -> None:
    grid = Grid.regular((1, 3, 4), (1.0, 0.013, 0.02))

    photo.write(Image(PIXELS[None], grid, "photo"), tmp_path / "a.png")

    back = read(tmp_path / "a.png")
    np.testing.assert_allclose(back.grid.spacing[1:], grid.spacing[1:], rtol=1e-5)
    np.testing.assert_array_equal(back.array[0], PIXELS)


@pytest.mark.parametrize(
    ("array", "channels", "message"),
    [
        (np.zeros((2, 3, 4), np.uint8), (), "one slice, this image has 2"),
        (np.zeros((1, 3, 4, 2), np.uint8), ("a", "b"), "this image has 2 channels"),
        (np.zeros((1, 3, 4), np.float32), (), "8 or 16 bits.*float32"),
        (np.zeros((1, 3, 4), np.int16), (), "8 or 16 bits.*int16"),
    ],
)
def test_what_png_cannot_hold_is_refused(
    tmp_path: Path, array: np.ndarray, channels: tuple[str, ...], message: str
) -> None:
    image = Image(array, Grid.regular(array.shape[:3], unit="px"), "photo", channels)

    with pytest.raises(ExportError, match=f"{message}.*write NIfTI"):
        photo.write(image, tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
