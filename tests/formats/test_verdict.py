"""What the report says of a series, and what uneven slices become: laws, then cases by hand."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from delineate.errors import (
    ExportError,
    GeometryError,
    OptionError,
    SeriesChoiceError,
    UnreadableFileError,
)
from delineate.formats import SeriesReport, inspect, read
from delineate.formats.derived import series_of
from delineate.formats.dicom import ResampledSource, write_series
from delineate.imaging import Grid, Image

ROWS, COLUMNS = 5, 6


def phantom(slices: int, affine: NDArray[np.float64] | None = None, seed: int = 1) -> Image:
    shape = (slices, ROWS, COLUMNS)
    samples = np.random.default_rng(seed).integers(-1000, 1500, shape).astype(np.int16)
    grid = Grid.regular(shape, (2.0, 0.7, 0.8)) if affine is None else Grid(shape, affine)
    return Image(samples, grid, "CT")


def tilted(degrees: float, step: float = 2.0) -> NDArray[np.float64]:
    """Planes turned about x, one every ``step`` mm along the bed."""
    turn, affine = np.radians(degrees), np.eye(4)
    affine[:3, 0] = 0, 0, step
    affine[:3, 1] = 0, 0.7 * np.cos(turn), 0.7 * np.sin(turn)
    affine[:3, 2] = 0.8, 0, 0
    return affine


def written(folder: Path, image: Image, places: Sequence[float] | None = None) -> list[Path]:
    """A series with its slices at other ``places``, counted in steps."""
    paths = write_series(image, folder)
    for index, path in enumerate(paths if places is not None else ()):
        assert places is not None
        dataset = pydicom.dcmread(path)
        position = image.grid.to_world((places[index], 0, 0))
        dataset.ImagePositionPatient = [f"{part:.6f}" for part in position]
        dataset.save_as(path)
    return paths


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verdict")


def fresh(room: Path) -> Path:
    folder = room / "series"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


@given(st.permutations(range(14)))
@settings(max_examples=30)
def test_the_order_of_files_changes_nothing_in_the_report(room: Path, order: list[int]) -> None:
    folder = room / "two"
    if not folder.exists():
        written(folder / "a", phantom(7), [0, 1, 2, 3.5, 4, 5, 6])
        written(folder / "b", phantom(5, tilted(12)))
        for name in ("note.txt", "a.txt"):
            (folder / name).write_text("text")
    files = sorted(folder.rglob("*.*"))

    report = inspect([files[index] for index in order])

    assert report.to_json() == inspect(files).to_json()


@given(st.sets(st.integers(0, 9), min_size=3))
@settings(max_examples=40)
def test_slices_missing_inside_are_always_seen(room: Path, kept: set[int]) -> None:
    paths = written(fresh(room), phantom(10))
    steps = set(np.diff(sorted(kept)).tolist())

    (report,) = inspect([paths[index] for index in kept]).series

    if len(steps) == 1:  # every second slice, say: nothing tells that others were there
        assert report.verdict == "usable"
    else:
        assert report.verdict == "refused"
        assert {problem.code for problem in report.problems} <= {"missing_slice", "uneven_spacing"}
        assert sum(one.count for one in report.spacings) == len(kept) - 1
        assert {one.mm for one in report.spacings} == {2.0 * step for step in steps}
        assert report.gaps


@given(st.floats(-40, 40).map(lambda angle: round(angle, 3)), st.floats(0.5, 8))
@settings(max_examples=40)
def test_a_tilt_of_any_angle_is_kept_and_stated(room: Path, degrees: float, step: float) -> None:
    image = phantom(4, tilted(degrees, step))
    folder = fresh(room)
    written(folder, image)

    back = read(folder)
    (report,) = inspect(folder).series

    np.testing.assert_array_equal(back.array, image.array)
    np.testing.assert_allclose(back.grid.affine, image.grid.affine, atol=1e-6)
    assert report.tilt_degrees == pytest.approx(abs(degrees), abs=0.06)
    assert report.spacings[0].mm == pytest.approx(step * np.cos(np.radians(degrees)), abs=1e-3)
    assert report.spacing_mm[0] == pytest.approx(step, abs=1e-5)


uneven_places = st.lists(st.sampled_from([1.0, 1.0, 1.0, 2.0, 3.0, 0.55, 1.75]), min_size=3).map(
    lambda gaps: [0.0, *np.cumsum([1.0, 1.0, *gaps]).tolist()]
)


@given(uneven_places, st.integers(-25, 25), st.booleans())
@settings(max_examples=60)
def test_uneven_slices_are_interpolated_along_the_step(
    room: Path, places: list[float], degrees: int, whole: bool
) -> None:
    image = phantom(len(places), tilted(degrees))
    folder = fresh(room)
    paths = written(folder, image, places)
    if not whole:
        for path in paths:
            dataset = pydicom.dcmread(path)
            dataset.RescaleSlope = "0.5"
            dataset.save_as(path)
    (report,) = inspect(folder, uneven="resample").series
    if report.verdict == "usable":
        assert set(np.diff(places)) == {1.0}
        return
    if report.verdict == "refused":
        steps = report.spacings
        assert max(one.mm for one in steps) > 4 * min(one.mm for one in steps if one.count > 1)
        return

    back = read(folder, uneven="resample")

    assert report.verdict == "corrected"
    assert report.shape == back.grid.shape
    # Every sample lies where the line through its place along the step passes the slices.
    along = image.grid.to_index(back.grid.to_world(corners(back.grid)))
    np.testing.assert_allclose(along[:, 1], corners(back.grid)[:, 1], atol=1e-5)
    np.testing.assert_allclose(along[:, 2], corners(back.grid)[:, 2], atol=1e-5)
    at = image.grid.to_index(back.grid.to_world([(k, 0, 0) for k in range(back.grid.shape[0])]))
    scale = 1.0 if whole else 0.5
    for row in range(ROWS):
        for column in range(COLUMNS):
            line = scale * image.array[:, row, column].astype(float)
            expected = np.interp(at[:, 0], places, line)
            off = 0.5 if whole else 1e-3
            np.testing.assert_allclose(back.array[:, row, column], expected, atol=off + 1e-3)
    rounding = 0.1 / 2.0  # a tenth of a millimetre, in steps
    assert at[0, 0] >= -rounding - 1e-6
    assert at[-1, 0] <= places[-1] + rounding + 1e-6


def corners(grid: Grid) -> NDArray[np.float64]:
    ends = np.array(np.meshgrid(*((0, n - 1) for n in grid.shape), indexing="ij"))
    return ends.reshape(3, -1).T.astype(float)


@given(st.sets(st.integers(0, 11), max_size=8), st.integers(0, 3))
@settings(max_examples=30)
def test_every_file_is_in_a_series_or_set_aside(room: Path, dropped: set[int], extra: int) -> None:
    folder = fresh(room)
    files = written(folder / "a", phantom(8)) + written(folder / "b", phantom(4, tilted(20)))
    for index in dropped:
        files[index].unlink()
    for number in range(extra):
        (folder / f"note{number}.txt").write_text("text")
    if extra and files[1].exists():
        shutil.copy(files[1], folder / "copy.dcm")
    given_names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}

    report = inspect(folder)

    told = [name for one in report.series for name in one.files]
    told += [one.name for one in report.ignored]
    assert sorted(told) == sorted(given_names)
    assert all(one.reason for one in report.ignored)


# Three slices 2 mm apart, then two 5 mm apart, by hand:
#
#     slice     1     2     3           4           5
#     mm        0     2     4           9          14       distances 2, 2, 5, 5
#     grid      0     1     2     3     4     5     6       every 2 mm: 6 is 3 + 2/5 of the way
#     mm        0     2     4     6     8    10    12       to 4, 10 is 4 + 1/5, 12 is 4 + 3/5
def test_two_parts_of_other_spacing_become_one_by_hand(tmp_path: Path) -> None:
    image = phantom(5)
    written(tmp_path, image, [0, 1, 2, 4.5, 7])
    a = image.array.astype(float)

    (report,) = inspect(tmp_path).series
    back = read(tmp_path, uneven="resample")

    assert (report.verdict, report.problems[0].code) == ("refused", "uneven_spacing")
    assert [(one.mm, one.count) for one in report.spacings] == [(2.0, 2), (5.0, 2)]
    assert [(gap.first, gap.second, gap.mm) for gap in report.gaps] == [
        ("slice 3", "slice 4", 5.0),
        ("slice 4", "slice 5", 5.0),
    ]
    assert report.shape == (5, ROWS, COLUMNS)
    assert report.spacing_mm == (2.0, 0.7, 0.8)
    assert report.field_of_view_mm[0] == 16.0
    assert report.orientation == "SPL"
    expected = [a[0], a[1], a[2]]
    expected += [a[2] + (a[3] - a[2]) * part for part in (0.4, 0.8)]
    expected += [a[3] + (a[4] - a[3]) * part for part in (0.2, 0.6, 1.0)]
    np.testing.assert_array_equal(back.array, np.rint(expected))
    assert back.grid.matches(Grid.regular((8, ROWS, COLUMNS), (2.0, 0.7, 0.8)))
    assert back.array.dtype == np.int16


def test_a_missing_slice_is_made_on_request_and_said(tmp_path: Path) -> None:
    image = phantom(6)
    written(tmp_path, image)[2].unlink()

    (report,) = inspect(tmp_path, uneven="resample").series
    back = read(tmp_path, uneven="resample")

    assert report.verdict == "corrected"
    assert report.advice == (
        "Slices are interpolated: distances of 2.00 mm (3 times), 4.00 mm (once) are brought to "
        "2.00 mm, the widest gap bridged is 4.00 mm; 5 of 5 slices stay as they are, 1 are made."
    )
    assert report.problems[0].code == "missing_slice"
    assert back.grid.matches(image.grid)
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(back.array[others], image.array[others])
    middle = (image.array[1].astype(float) + image.array[3]) / 2
    np.testing.assert_array_equal(back.array[2], np.rint(middle))
    assert back.notes == (report.advice,)


def test_what_was_interpolated_is_no_longer_that_series(tmp_path: Path) -> None:
    written(tmp_path, phantom(6))[2].unlink()

    back = read(tmp_path, uneven="resample")

    assert isinstance(back.source, ResampledSource)
    assert back.source.format == "dicom-resampled"
    with pytest.raises(ExportError, match=r"dicom-resampled; .* export NIfTI or GeoJSON"):
        series_of(back, "an RTSTRUCT")


@pytest.mark.parametrize(("missing", "good"), [(3, True), (4, False)])
def test_a_gap_of_more_than_three_slices_is_no_data(
    tmp_path: Path, missing: int, good: bool
) -> None:
    paths = written(tmp_path, phantom(12))
    for path in paths[4 : 4 + missing]:
        path.unlink()

    if good:
        assert read(tmp_path, uneven="resample").grid.shape[0] == 12
        return
    with pytest.raises(GeometryError, match="more than 3 slices to make up"):
        read(tmp_path, uneven="resample")
    (report,) = inspect(tmp_path, uneven="resample").series
    assert [problem.code for problem in report.problems] == ["gap_too_large", "missing_slice"]


def test_a_slice_beside_the_line_of_the_others_is_not_interpolated(tmp_path: Path) -> None:
    paths = written(tmp_path, phantom(6))
    dataset = pydicom.dcmread(paths[3])
    dataset.ImagePositionPatient[0] += 3
    dataset.save_as(paths[3])

    with pytest.raises(GeometryError, match=r"lies 3\.00 mm beside the line"):
        read(tmp_path, uneven="resample")


def test_an_even_series_is_the_same_either_way(tmp_path: Path) -> None:
    written(tmp_path, phantom(6, tilted(10)))

    assert read(tmp_path, uneven="resample").content_hash == read(tmp_path).content_hash
    assert inspect(tmp_path, uneven="resample").verdict == "usable"


def test_another_word_for_uneven_is_refused(tmp_path: Path) -> None:
    written(tmp_path, phantom(3))

    with pytest.raises(OptionError, match="'refuse' or 'resample', got 'smooth'"):
        read(tmp_path, uneven="smooth")  # type: ignore[arg-type]


def renamed(path: Path, to: Path, **values: object) -> None:
    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(dataset, name, value)
    to.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(to)


def test_the_same_picture_under_another_uid_is_read_once(tmp_path: Path) -> None:
    image = phantom(5)
    paths = written(tmp_path, image)
    renamed(paths[2], tmp_path / "again.dcm", SOPInstanceUID="1.2.3", InstanceNumber=99)

    report = inspect(tmp_path)

    assert report.verdict == "corrected"
    assert report.series[0].problems[0].code == "duplicate_position"
    assert report.advice == (
        "1 of the slices came twice, at one position with the same pixels; read once."
    )
    assert [(one.name, one.reason) for one in report.ignored] == [
        ("again.dcm", "the pixels of slice 3 at its position again")
    ]
    assert read(tmp_path).content_hash == image.content_hash


def test_another_picture_at_the_same_position_is_refused_also_on_request(tmp_path: Path) -> None:
    paths = written(tmp_path, phantom(5))
    renamed(
        paths[2],
        tmp_path / "other.dcm",
        SOPInstanceUID="1.2.3",
        PixelData=pydicom.dcmread(paths[3]).PixelData,
    )

    with pytest.raises(GeometryError, match="both lie at 4"):
        read(tmp_path, uneven="resample")

    (report,) = inspect(tmp_path).series
    assert [one.position_mm for one in report.duplicates] == [4.0]


def stray(folder: Path, *, localizer: bool = False, slices: int = 1) -> SeriesReport:
    """Write a volume of 5 slices and, beside it, slices of another series; that one's report."""
    written(folder / "volume", phantom(5))
    for path in written(folder / "stray", phantom(slices, seed=2)):
        if localizer:
            renamed(path, path, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    return min(inspect(folder).series, key=lambda one: one.slices)


@pytest.mark.parametrize(("localizer", "slices"), [(False, 1), (True, 2), (True, 4)])
def test_a_stray_slice_or_scout_beside_a_volume_is_set_aside_and_said(
    tmp_path: Path, localizer: bool, slices: int
) -> None:
    other = stray(tmp_path, localizer=localizer, slices=slices)

    report = inspect(tmp_path)

    assert read(tmp_path).content_hash == phantom(5).content_hash
    what = "a localizer" if localizer else "a single slice"
    assert other.set_aside == f"{what} beside a series of 5 slices; choose {other.id} to read it"
    assert other.set_aside in report.advice
    assert report.series[-1] == other
    assert read(tmp_path, other.id).grid.shape[0] == slices


def test_two_volumes_need_a_choice_whatever_lies_beside_them(tmp_path: Path) -> None:
    stray(tmp_path)
    written(tmp_path / "second", phantom(4, seed=3))

    with pytest.raises(SeriesChoiceError, match="2 series") as caught:
        read(tmp_path)

    assert sorted(str(one["slices"]) for one in caught.value.series) == ["4", "5"]


def test_two_single_slices_need_a_choice(tmp_path: Path) -> None:
    for seed in (1, 2):
        written(tmp_path / str(seed), phantom(1, seed=seed))

    with pytest.raises(SeriesChoiceError, match="2 series"):
        read(tmp_path)


def test_a_slice_of_another_pixel_spacing_is_left_out_and_said(tmp_path: Path) -> None:
    paths = written(tmp_path, phantom(6))
    renamed(paths[5], paths[5], PixelSpacing=[0.5, 0.5])

    report = inspect(tmp_path)

    assert report.series[0].verdict == "corrected"
    assert report.series[0].advice == "Left out: slice 6, of another pixel spacing."
    assert read(tmp_path).grid.shape[0] == 5


def test_gzipped_slices_are_read(tmp_path: Path) -> None:
    image = phantom(5)
    for path in written(tmp_path, image):
        path.with_suffix(".dcm.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()

    assert read(tmp_path).content_hash == image.content_hash
    assert inspect(tmp_path).series[0].files[0] == "0001.dcm.gz"


def test_a_gzipped_slice_cut_short_is_broken_and_said(tmp_path: Path) -> None:
    for path in written(tmp_path, phantom(5)):
        packed = gzip.compress(path.read_bytes())
        path.with_suffix(".dcm.gz").write_bytes(packed[: -9 if path.stem == "0005" else None])
        path.unlink()

    report = inspect(tmp_path)

    assert [problem.code for problem in report.series[0].problems] == ["broken_file"]
    assert report.ignored[0].reason.startswith("a gzipped DICOM file that is broken")
    assert read(tmp_path).grid.shape[0] == 4


def test_a_dicomdir_is_said_and_the_files_beside_it_are_read(tmp_path: Path) -> None:
    image = phantom(4)
    paths = written(tmp_path / "IMAGES", image)
    index = pydicom.Dataset()
    index.file_meta = pydicom.dataset.FileMetaDataset()
    index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    index.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    index.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    index.FileSetID = "DISC"
    index.DirectoryRecordSequence = []
    for path in paths:
        record = pydicom.Dataset()
        record.OffsetOfTheNextDirectoryRecord = 0xFFFFFFF0  # leads nowhere
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = ["IMAGES", path.stem]
        index.DirectoryRecordSequence.append(record)
    index.save_as(tmp_path / "DICOMDIR", enforce_file_format=True)

    report = inspect(tmp_path)

    assert {one.name: one.reason for one in report.ignored} == {
        "DICOMDIR": "a DICOMDIR, an index of other files"
    }
    assert read(tmp_path).content_hash == image.content_hash


@pytest.mark.parametrize("suffix", ["mhd", "nhdr"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_finds_its_samples_in_a_folder_and_in_a_zip(
    tmp_path: Path, suffix: str, packed: bool
) -> None:
    sitk = pytest.importorskip("SimpleITK")
    # The first samples look like the start of a DICOM file without preamble.
    samples = np.full((3, 40, 50), 8, np.int16)
    samples[0, 0, :4] = 8, 0, 4, 0
    folder = tmp_path / "scan"
    folder.mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(samples), str(folder / f"ct.{suffix}"))
    names = sorted(path.name for path in folder.iterdir())
    given_path = folder
    if packed:
        given_path = tmp_path / "scan.zip"
        with zipfile.ZipFile(given_path, "w") as archive:
            for name in names:
                archive.write(folder / name, f"a b/{name}")

    report = inspect(given_path)

    assert len(names) == 2
    assert report.ignored == ()
    (one,) = report.series
    assert sorted(Path(name).name for name in one.files) == names
    np.testing.assert_array_equal(read(given_path).array, samples)


def test_the_samples_of_a_header_that_was_sent_alone_are_missed(tmp_path: Path) -> None:
    (tmp_path / "ct.mhd").write_text(
        "NDims = 3\nDimSize = 2 2 2\nElementType = MET_SHORT\nElementSpacing = 1 1 1\n"
        "ElementDataFile = ct.raw\n"
    )

    with pytest.raises(UnreadableFileError, match="not next to it; send both"):
        read(tmp_path)


def test_a_radiograph_without_a_place_still_tells_its_size(tmp_path: Path) -> None:
    for path in written(tmp_path, phantom(3)):
        dataset = pydicom.dcmread(path)
        del dataset.ImagePositionPatient
        dataset.save_as(path)

    (report,) = inspect(tmp_path).series

    assert (report.verdict, report.problems[0].code) == ("refused", "missing_geometry")
    assert report.shape == (3, ROWS, COLUMNS)
    assert report.spacing_mm == (0.0, 0.7, 0.8)
    assert report.field_of_view_mm == (0.0, 3.5, 4.8)
    assert report.orientation == ""


def test_rescale_and_padding_are_told(tmp_path: Path) -> None:
    for index, path in enumerate(written(tmp_path, phantom(3))):
        renamed(path, path, RescaleSlope="2", RescaleIntercept=str(-index), BitsStored=16)
        dataset = pydicom.dcmread(path)
        dataset.add_new("PixelPaddingValue", "SS", -2000)
        dataset.save_as(path)

    (report,) = inspect(tmp_path).series

    assert report.samples is not None
    assert (report.samples.rescale, report.samples.slope) == ("per slice", None)
    assert report.samples.padding == (-2000, -2000)


def test_a_small_series_does_not_stand_in_for_a_refused_one(tmp_path: Path) -> None:
    small = stray(tmp_path, slices=4)
    paths = written(tmp_path / "ct", phantom(12))
    paths[5].unlink()

    report = inspect(tmp_path)

    assert report.verdict == "refused"
    assert "Send the whole series" in report.advice
    assert "4 slices beside a series of 11 slices that cannot be read" in report.advice
    with pytest.raises(SeriesChoiceError, match="of 11 slices, cannot be read: slice 5"):
        read(tmp_path)
    assert read(tmp_path, series=small.id).grid.shape[0] == 4


def test_a_refused_series_that_is_smaller_is_only_told(tmp_path: Path) -> None:
    written(tmp_path / "ct", phantom(12))
    paths = written(tmp_path / "other", phantom(6, seed=2))
    paths[2].unlink()

    assert inspect(tmp_path).verdict == "usable"
    assert read(tmp_path).grid.shape[0] == 12
