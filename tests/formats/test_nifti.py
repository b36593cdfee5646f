"""NIfTI: what is written is read back, and what others read is read alike."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as itk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from delineate.errors import ExportError, GeometryError, InputError, UnreadableFileError
from delineate.formats import nifti
from delineate.imaging import Category, Code, Grid, Image, LabelMap
from tests.strategies import grids, labelmaps

REAL = (
    "ct_labelled/abdomen_3mm/ct.nii.gz",
    "ct_labelled/abdomen_3mm/ct_sm.nii.gz",
    "ct_labelled/abdomen_3mm/labels_v1_104classes_fullres_model.nii.gz",
    "ct_labelled/abdomen_3mm/labels_v2_117classes_fast_model.nii.gz",
    "ct_series/head_oblique_nifti/CT_pitch.nii.gz",
    "odd_files/nibabel/anatomical.nii",
    "odd_files/nibabel/reoriented_anat_moved.nii",
    "odd_files/nibabel/resampled_anat_moved.nii",
    "odd_files/nibabel/standard.nii.gz",
    "rtstruct_sts/STS_002/CT_image.nii.gz",
    "rtstruct_sts/STS_007/CT_mask.nii.gz",
)


def saved(
    path: Path,
    array: NDArray[np.generic],
    affine: NDArray[np.float64] | None = None,
    **header: object,
) -> Path:
    """A file as nibabel writes it, with fields of its header set afterwards."""
    image = nib.Nifti1Image(array, np.eye(4) if affine is None else affine, dtype=array.dtype)
    image.header.set_xyzt_units(2)
    data = bytearray(image.to_bytes())
    fields = nib.Nifti1Header(bytes(data[:348]))
    for name, value in header.items():
        fields[name] = value
    data[:348] = fields.binaryblock
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@given(labelmaps(), st.sampled_from(("nii", "nii.gz")))
@settings(deadline=None, max_examples=60)
def test_a_written_label_map_is_read_back(labelmap: LabelMap, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels.{ending}"
        nifti.write_labels(labelmap, path)

        back = nifti.read_labels(path)

    np.testing.assert_array_equal(back.array, labelmap.array)
    assert back.grid.matches(labelmap.grid, tolerance=1e-3)
    assert back.categories == labelmap.categories


@given(grids(), st.sampled_from(("u1", "i1", "i2", "u2", "i4", "i8", "f4", "f8")))
@settings(deadline=None, max_examples=60)
def test_a_written_image_is_read_back_sample_for_sample(grid: Grid, kind: str) -> None:
    limits = (-1000, 3000) if kind[1] != "1" else (0, 127)
    array = np.random.default_rng(1).integers(*limits, grid.shape)
    image = Image((array * 0.5 if kind[0] == "f" else np.abs(array)).astype(kind), grid, "MR")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.nii.gz"
        nifti.write_image(image, path)

        back = nifti.read(path)

    np.testing.assert_array_equal(back.array, image.array)
    assert back.array.dtype == image.array.dtype or image.array.dtype.itemsize > 2
    assert back.modality == "MR"


@given(labelmaps())
@settings(deadline=None, max_examples=40)
def test_nibabel_and_itk_read_what_is_written(labelmap: LabelMap) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.nii.gz"
        nifti.write_labels(labelmap, path)
        theirs = nib.load(path)
        samples = np.asanyarray(theirs.dataobj)
        image = None if theirs.header["qform_code"] == 0 else itk.ReadImage(str(path))

    np.testing.assert_array_equal(samples.T, labelmap.array)
    corner = [n - 1 for n in labelmap.grid.shape]
    x, y, z = labelmap.grid.to_world(corner)
    np.testing.assert_allclose(theirs.affine @ [*corner[::-1], 1], (-x, -y, z, 1), atol=1e-3)
    if image is not None:  # ITK knows no sheared grids
        np.testing.assert_array_equal(itk.GetArrayFromImage(image), labelmap.array)
        place = image.TransformIndexToPhysicalPoint(corner[::-1])
        np.testing.assert_allclose(place, (x, y, z), atol=2e-3)


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_as_nibabel_and_itk_read_them(shared_data: Path, name: str) -> None:
    path = shared_data / name
    theirs, other = nib.load(path), itk.ReadImage(str(path))

    image = nifti.read(path)

    np.testing.assert_array_equal(image.array, np.asanyarray(theirs.dataobj).T)
    finite = np.nan_to_num(image.array)  # ITK makes NaN 0
    np.testing.assert_array_equal(finite, itk.GetArrayFromImage(other))
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    np.testing.assert_allclose(flip @ image.grid.affine[:, [2, 1, 0, 3]], theirs.affine, atol=1e-4)
    place = other.TransformIndexToPhysicalPoint((3, 2, 1))
    np.testing.assert_allclose(image.grid.to_world((1, 2, 3)), place, atol=1e-4)


def test_names_of_a_label_table_are_read(shared_data: Path) -> None:
    folder = shared_data / "ct_labelled" / "abdomen_3mm"

    labelmap = nifti.read_labels(folder / "labels_v2_117classes_fast_model.nii.gz")

    assert len(labelmap.categories) == 117
    assert labelmap.categories[5].name == "liver"


def test_names_colours_and_codes_survive(tmp_path: Path) -> None:
    categories = {
        3: Category("Niere é", (1, 2, 3), Code("64033007", "SCT", "Kidney"), "left"),
        7: Category("not found"),
    }
    labelmap = LabelMap(np.full((1, 2, 2), 3, np.uint8), Grid.regular((1, 2, 2)), categories)

    nifti.write_labels(labelmap, tmp_path / "a.nii.gz")

    assert nifti.read_labels(tmp_path / "a.nii.gz").categories == categories
    given_names = {3: Category("kidney")}
    assert nifti.read_labels(tmp_path / "a.nii.gz", given_names).categories == given_names


def test_a_picture_in_pixels_stays_one(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 3), unit="px")
    nifti.write_labels(LabelMap(np.ones((1, 2, 3), np.uint8), grid, {}), tmp_path / "a.nii.gz")
    nifti.write_image(Image(np.ones((1, 2, 3), np.uint8), grid), tmp_path / "b.nii")

    assert nifti.read_labels(tmp_path / "a.nii.gz").grid.matches(grid)
    assert nifti.read(tmp_path / "b.nii").grid.matches(grid)


def test_the_same_label_map_gives_the_same_bytes(tmp_path: Path) -> None:
    labelmap = LabelMap(
        np.eye(4, dtype=np.uint8)[None], Grid.regular((1, 4, 4)), {1: Category("a")}
    )

    nifti.write_labels(labelmap, tmp_path / "a.nii.gz")
    nifti.write_labels(labelmap, tmp_path / "b.nii.gz")

    head = (tmp_path / "a.nii.gz").read_bytes()
    assert head == (tmp_path / "b.nii.gz").read_bytes()
    assert head[3] == 0  # no name
    assert head[4:8] == b"\0\0\0\0"  # no time


def test_indices_and_directions_worked_by_hand(tmp_path: Path) -> None:
    """i grows to the right by 2 mm, j to the front by 3, k to the head by 4; R, A, S."""
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    affine[:3, 3] = (10, 20, 30)
    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)

    image = nifti.read(saved(tmp_path / "a.nii", array, affine))

    assert image.grid.shape == (4, 3, 2)
    assert image.grid.orientation == "SAR"
    assert image.array[3, 2, 1] == array[1, 2, 3]
    assert image.grid.to_world((0, 0, 0)).tolist() == [-10, -20, 30]
    assert image.grid.to_world((1, 1, 1)).tolist() == [-12, -23, 34]


@pytest.mark.parametrize(
    ("stored", "slope", "inter", "dtype"),
    [
        (np.array([0, 4000], np.uint16), 1, -1024, np.int16),
        (np.array([0, 65535], np.uint16), 1, -1024, np.int32),
        (np.array([-3, 5], np.int16), 2, 1, np.int16),
        (np.array([-3, 5], np.int16), 0, 7, np.int16),  # a slope of 0 means none
        (np.array([-3, 5], np.int16), 0.1, 0.3, np.float32),
        (np.array([-3, 5], np.int32), 0.1, 0.3, np.float64),
        (np.array([-3, 5], np.int32), 1, 0, np.int16),
        (np.array([-3, 1 << 20], np.int64), 1, 0, np.int32),
        (np.array([-3, 5], np.float32), 2, 1, np.float32),
        (np.array([-3, 5], np.float64), 1, 0, np.float64),
    ],
)
def test_scaled_samples_stay_whole_where_they_can(
    tmp_path: Path, stored: NDArray[np.generic], slope: float, inter: float, dtype: type
) -> None:
    path = saved(tmp_path / "a.nii", stored.reshape(2, 1, 1), scl_slope=slope, scl_inter=inter)

    array = nifti.read(path).array

    assert array.dtype == dtype
    expected = np.asanyarray(nib.load(path).dataobj).T
    np.testing.assert_array_equal(array, expected.astype(dtype))


@given(
    st.sampled_from(("u1", "i1", "u2", "i2", "u4", "i4", "i8")),
    st.sampled_from((1.0, -1.0, 3.0, -4096.0, 0.5, 0.001)),
    st.sampled_from((0.0, -1024.0, 70000.0, 0.25)),
    st.data(),
)
@settings(deadline=None, max_examples=60)
def test_scaled_samples_are_what_python_s_numbers_say(
    kind: str, slope: float, inter: float, data: st.DataObject
) -> None:
    limits = np.iinfo(kind)
    values = st.integers(max(limits.min, -(2**40)), min(limits.max, 2**40))
    stored = data.draw(hnp.arrays(kind, (2, 3, 2), elements=values))
    with tempfile.TemporaryDirectory() as folder:
        path = saved(Path(folder) / "a.nii", stored.T, scl_slope=slope, scl_inter=inter)
        array = nifti.read(path).array

    slope, inter = float(np.float32(slope)), float(np.float32(inter))
    if array.dtype.kind in "iu":
        exact = [int(one) * int(slope) + int(inter) for one in stored.ravel()]
        assert array.ravel().tolist() == exact
    else:
        exact = np.asarray([float(one) * slope + inter for one in stored.ravel().tolist()])
        np.testing.assert_array_equal(array.ravel(), exact.astype(array.dtype))
    assert (array.dtype.kind in "iu") == (slope.is_integer() and inter.is_integer())


def test_byte_order_and_version_do_not_matter(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    one, two = nib.Nifti1Header(endianness=">"), nib.Nifti2Header(endianness=">")
    for number, image in enumerate(
        (
            nib.Nifti1Image(array, np.eye(4), one, dtype=np.int16),
            nib.Nifti2Image(array, np.eye(4)),
            nib.Nifti2Image(array, np.eye(4), two, dtype=np.int16),
            nib.Nifti1Image(array[..., None], np.eye(4)),
        )
    ):
        path = tmp_path / f"{number}.nii.gz"
        image.to_filename(path)

        back = nifti.read(path)

        np.testing.assert_array_equal(back.array, array.T)
        assert back.array.dtype == np.dtype(np.int16)
        assert back.array.dtype.isnative


def test_a_flat_picture_gets_a_depth(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "a.nii", np.zeros((3, 2), np.uint8), np.diag([2.0, 2.0, 1.0, 1.0]), srow_z=0
    )

    grid = nifti.read(path).grid

    assert grid.shape == (1, 2, 3)
    assert grid.spacing == (1, 2, 2)


def test_a_ct_is_told_by_its_values_and_the_report_says_so(tmp_path: Path) -> None:
    hounsfield = np.full((4, 4, 4), -1000, np.int16)
    hounsfield[1:3] = 40
    hounsfield[1, 1, 1] = 900
    ct = saved(tmp_path / "ct.nii", hounsfield)
    other = saved(tmp_path / "other.nii", hounsfield + 1000)
    named = saved(tmp_path / "named.nii", hounsfield + 1000, descrip=b"CT of something")

    assert [nifti.read(path).modality for path in (ct, other, named)] == ["CT", "unknown", "CT"]
    (problem,) = nifti.report(ct).problems
    assert problem.code == "modality_assumed"
    assert nifti.report(ct).verdict == "usable"
    assert nifti.report(named).problems == ()


def test_samples_that_are_no_numbers_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii", np.array([[[1, np.nan, np.inf]]], np.float32))

    (problem,) = nifti.report(path).problems

    assert (problem.code, problem.message) == ("not_finite", "2 of 3 samples are NaN or infinite")


def test_missing_and_contradictory_orientations_are_told(tmp_path: Path) -> None:
    array = np.zeros((3, 3, 3), np.int16)
    silent = saved(tmp_path / "silent.nii", array, sform_code=0, qform_code=0)
    torn = saved(tmp_path / "torn.nii", array, qform_code=1, qoffset_x=5)
    metres = saved(tmp_path / "metres.nii", array, xyzt_units=1)

    reports = [nifti.report(path) for path in (silent, torn, metres)]

    codes = [[problem.code for problem in report.problems] for report in reports]
    assert codes == [["no_orientation"], ["form_disagreement"], ["unit"]]
    assert [report.verdict for report in reports] == ["corrected"] * 3
    assert reports[0].orientation == "SAR"
    assert nifti.read(torn).grid.to_world((0, 0, 0)).tolist() == [0, 0, 0]
    assert nifti.read(metres).grid.spacing == (1000, 1000, 1000)


def test_several_volumes_are_refused_with_their_number(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.nii.gz", np.zeros((2, 2, 2, 7), np.int16))

    with pytest.raises(GeometryError, match=r"7 volumes.*split"):
        nifti.read(path)
    report = nifti.report(path)
    assert (report.verdict, report.problems[0].code) == ("refused", "four_dimensional")


@pytest.mark.parametrize(
    "header", [{"srow_x": (0, 0, 0, 0)}, {"srow_y": (0, np.nan, 0, 0)}, {"srow_z": (1, 0, 0, 0)}]
)
def test_a_broken_affine_is_refused(tmp_path: Path, header: dict[str, object]) -> None:
    path = saved(tmp_path / "a.nii", np.zeros((2, 2, 2), np.int16), sform_code=1, **header)

    with pytest.raises(GeometryError):
        nifti.read(path)
    assert nifti.report(path).problems[0].code == "zero_affine"


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2, 2), np.complex64),
        np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")]),
    ],
)
def test_samples_that_are_no_real_numbers_are_refused(
    tmp_path: Path, array: NDArray[np.generic]
) -> None:
    with pytest.raises(UnreadableFileError, match="expected integers or floats"):
        nifti.read(saved(tmp_path / "a.nii", array))


def broken_files(folder: Path) -> dict[str, bytes]:
    plain = saved(folder / "good.nii", np.zeros((9, 9, 9), np.int16)).read_bytes()
    packed = gzip.compress(plain)
    huge = bytearray(plain)
    huge[40:48] = np.array([3, 32767, 32767, 32767], "<i2").tobytes()
    return {
        "empty": b"",
        "header cut": plain[:200],
        "no header": b"x" * 400,
        "samples cut": plain[:-1],
        "gzip cut": packed[:-9],
        "gzip cut in the header": packed[:15],
        "gzip without its checksum": packed[:-8],
        "gzip of another sum": packed[:-8] + b"\1\2\3\4" + packed[-4:],
        "gzip with damage": packed[:30] + b"\xff" * 8 + packed[38:],
        "gzip of nothing": gzip.compress(b""),
        "a promise of 70 TB": bytes(huge),
        "a packed promise of 70 TB": gzip.compress(bytes(huge)),
        "impossible sizes": plain[:40] + b"\3\0\0\0\1\0\1\0" + plain[48:],
        "unknown samples": plain[:70] + b"\xff\x7f" + plain[72:],
        "offset NaN": plain[:108] + np.float32(np.nan).tobytes() + plain[112:],
        "a pair": plain[:344] + b"ni1\0" + plain[348:],
        "Analyze": plain[:344] + b"\0\0\0\0" + plain[348:],
    }


def test_broken_files_are_unreadable_and_never_worse(tmp_path: Path) -> None:
    for name, content in broken_files(tmp_path).items():
        path = tmp_path / "broken.nii.gz"
        path.write_bytes(content)
        assert nifti.report(path).verdict == "refused", name
        with pytest.raises(UnreadableFileError):
            nifti.read(path)


@given(st.integers(0, 360), st.binary(min_size=1, max_size=4))
@settings(deadline=None, max_examples=150)
def test_no_damage_to_the_header_raises_anything_else(place: int, damage: bytes) -> None:
    image = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.eye(4))
    content = bytearray(image.to_bytes())
    content[place : place + len(damage)] = damage
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii"
        path.write_bytes(content)
        report = nifti.report(path)
        try:
            nifti.read(path)
        except InputError:
            assert report.verdict == "refused"
        else:
            assert report.verdict != "refused"


def test_labels_must_be_whole_numbers(tmp_path: Path) -> None:
    for value in (0.5, -1.0, 65536.0, np.nan):
        path = saved(tmp_path / "a.nii", np.full((2, 2, 2), value, np.float32))
        with pytest.raises(UnreadableFileError, match="no label map"):
            nifti.read_labels(path)
    path = saved(tmp_path / "a.nii", np.full((2, 2, 2), 300.0, np.float64))
    assert nifti.read_labels(path).categories == {300: Category("label 300")}


def test_what_nifti_cannot_hold_is_not_written(tmp_path: Path) -> None:
    grid = Grid.regular((1, 2, 2))
    photo = Image(np.zeros((1, 2, 2, 3), np.uint8), grid, "photo", ("red", "green", "blue"))

    with pytest.raises(ExportError, match="3"):
        nifti.write_image(photo, tmp_path / "a.nii")
    with pytest.raises(ExportError, match=r"\.nii"):
        nifti.write_labels(LabelMap(np.zeros((1, 2, 2), np.uint8), grid, {}), tmp_path / "a.img")
