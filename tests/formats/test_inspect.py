"""Whatever is given is told by its content, and what is no image is ignored with its reason."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from delineate.errors import InputError, SeriesChoiceError, UnreadableFileError
from delineate.formats import Report, inspect, read
from delineate.formats.dicom import write_series
from delineate.imaging import Grid, Image


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small CT series."""
    samples = np.random.default_rng(3).integers(-1024, 2000, (4, 9, 8)).astype(np.int16)
    image = Image(samples, Grid.regular((4, 9, 8), (2.5, 0.7, 0.8)), "CT")
    folder = tmp_path_factory.mktemp("ct")
    write_series(image, folder)
    return folder


def reasons(report: Report) -> dict[str, str]:
    return {one.name: one.reason for one in report.ignored}


def test_what_is_no_image_is_ignored_with_its_reason(ct: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ct, tmp_path / "study"))
    (folder / "report.dcm").write_text("Findings: none\n")
    (folder / "notes.txt").write_text("text")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "._0001.dcm").write_bytes(b"\0\5\x16\7")
    (folder / "empty").write_bytes(b"")
    (folder / "noise").write_bytes(np.random.default_rng(1).bytes(4000))
    (folder / "again.dcm.gz").write_bytes(gzip.compress((ct / "0001.dcm").read_bytes()))
    (folder / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 100)
    Pillow.new("RGB", (4, 4)).save(folder / "screenshot.png")

    report = inspect(folder)

    assert report.verdict == "corrected"
    assert "1 broken DICOM file is left out" in report.advice
    assert [problem.code for one in report.series for problem in one.problems] == [
        "duplicate_instance",
        "broken_file",
    ]
    assert reasons(report) == {
        "report.dcm": "a text file, though its name ends in .dcm",
        "notes.txt": "a text file",
        ".DS_Store": "a file of the operating system",
        "._0001.dcm": "a file of the operating system",
        "empty": "empty",
        "noise": "of no format that is read (DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF)",
        "again.dcm.gz": "a second copy of slice 1",
        "broken.dcm": "a DICOM object without pixels (an unknown kind)",
        "screenshot.png": "a picture beside medical images",
    }
    assert read(folder).content_hash == read(ct).content_hash


def test_folders_are_searched_through(ct: Path, tmp_path: Path) -> None:
    for index, path in enumerate(sorted(ct.iterdir())):
        target = tmp_path / f"a{index % 2}" / "b" / f"{index}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)

    assert read(tmp_path).content_hash == read(ct).content_hash


def test_paths_may_be_text_and_lists_may_mix_files_and_folders(ct: Path, tmp_path: Path) -> None:
    files = sorted(ct.iterdir())
    for path in files[2:]:
        shutil.copy(path, tmp_path / path.name)

    image = read([str(files[1]), tmp_path, files[0]])

    assert image.content_hash == read(str(ct)).content_hash


@pytest.mark.parametrize("content", [b"", b"text", b"\0" * 5000])
def test_no_image_at_all_is_refused_with_advice(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    report = inspect(path)

    assert (report.verdict, report.series) == ("refused", ())
    assert report.advice == "No image was found; send a CT as DICOM files, NIfTI or NRRD."
    with pytest.raises(UnreadableFileError, match="expected an image"):
        read(path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert inspect(tmp_path).verdict == "refused"
    with pytest.raises(UnreadableFileError, match="no file at all"):
        read(tmp_path)


def test_a_path_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("mode", "suffix", "dtype", "channels"),
    [
        ("L", "png", np.uint8, ()),
        ("I;16", "png", np.uint16, ()),
        ("RGB", "png", np.uint8, ("red", "green", "blue")),
        ("RGBA", "png", np.uint8, ("red", "green", "blue")),
        ("P", "png", np.uint8, ("red", "green", "blue")),
        ("LA", "png", np.uint8, ()),
        ("1", "png", np.uint8, ()),
        ("RGB", "jpg", np.uint8, ("red", "green", "blue")),
        ("F", "tif", np.float32, ()),
        ("I;16", "tif", np.uint16, ()),
    ],
)
def test_a_picture_is_one_slice_in_pixels(
    tmp_path: Path, mode: str, suffix: str, dtype: type, channels: tuple[str, ...]
) -> None:
    path = tmp_path / f"picture.{suffix}"
    Pillow.new(mode, (7, 5)).save(path)

    image = read(path)
    (report,) = inspect(path).series

    assert (image.modality, image.grid.unit, image.channels) == ("photo", "px", channels)
    assert image.array.dtype == dtype
    assert image.grid.shape == report.shape == (1, 5, 7)
    assert (report.format, report.orientation, report.unit) == ("photo", "", "px")


def test_a_picture_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    # The sensor saw    1 2 3    and was held turned: upright it is    4 1
    #                   4 5 6                                          5 2
    #                                                                  6 3
    pixels = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(pixels).save(tmp_path / "a.png", exif=exif)

    image = read(tmp_path / "a.png")

    np.testing.assert_array_equal(image.array[0], [[4, 1], [5, 2], [6, 3]])
    assert inspect(tmp_path / "a.png").series[0].shape == (1, 3, 2)


def test_one_of_several_pictures_is_chosen_by_its_name(tmp_path: Path) -> None:
    for index in range(2):
        Pillow.new("L", (3, 3), index).save(tmp_path / f"{index}.png")

    with pytest.raises(SeriesChoiceError, match="2 series"):
        read(tmp_path)

    assert int(read(tmp_path, "1.png").array.max()) == 1


def test_a_broken_picture_is_refused(tmp_path: Path) -> None:
    Pillow.fromarray(np.random.default_rng(1).integers(0, 255, (99, 99), np.uint8)).save(
        tmp_path / "a.png"
    )
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[:2000])

    with pytest.raises(UnreadableFileError, match="picture"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha"])
def test_other_formats_are_told_by_content_too(tmp_path: Path, suffix: str) -> None:
    sitk = pytest.importorskip("SimpleITK")
    picture = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    sitk.WriteImage(picture, str(tmp_path / f"a.{suffix}"))
    plain = (tmp_path / f"a.{suffix}").rename(tmp_path / "file")

    image = read(plain)
    (report,) = inspect(plain).series

    np.testing.assert_array_equal(image.array, np.arange(60).reshape(3, 4, 5))
    assert report.shape == image.grid.shape
    assert report.id == "file"


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_is_changed_in_a_slice_only_input_errors_come_out(
    ct: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray((ct / "0002.dcm").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(128, len(content) - 150))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(content)

    report = inspect(path)
    try:
        image = read(path)
    except InputError:
        pass  # a usable report may still meet compressed pixels that are broken
    else:
        assert report.series[0].shape == image.grid.shape


def test_importing_formats_is_light() -> None:
    heavy = "('torch', 'pydicom', 'nibabel', 'SimpleITK', 'PIL', 'skimage')"
    code = f"import sys, delineate.formats; print([m for m in {heavy} if m in sys.modules])"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"
