"""Every real file there is: sample for sample what another reader makes of it, or refused.

SimpleITK reads DICOM, NRRD and MetaImage, nibabel NIfTI. The files are listed from the folder, so
that none is forgotten; of the 294 masks of two raters one a rater is taken.
"""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from delineate.errors import InputError
from delineate.formats import SeriesReport, inspect, read
from delineate.formats.dicom import Entry
from delineate.formats.sniff import kind_of
from delineate.imaging import Image

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FILES = sorted(path for path in SHARED_DATA.rglob("*") if path.is_file())
KINDS = {path: kind_of(path) for path in FILES}
ODD = SHARED_DATA / "odd_files"


def of_kind(*kinds: str) -> list[Path]:
    return [path for path in FILES if KINDS[path] in kinds]


def named(paths: list[Path]) -> list[Any]:
    return [pytest.param(path, id=str(path.relative_to(SHARED_DATA))) for path in paths]


FOLDERS = sorted({path.parent for path in of_kind("dicom") if ODD not in path.parents})
ODD_SLICES = [path for path in of_kind("dicom", "gzipped dicom") if ODD in path.parents]
MASKS = [path for path in of_kind("nrrd") if "masks_two_raters" in path.parts]
ONE_A_RATER = list({path.parts[-4]: path for path in MASKS}.values())
OTHERS = [path for path in of_kind("nrrd", "metaimage") if path not in MASKS]

# GDCM stacks the frames of these along a step of its own making.
UNLIKE = ("eCT_Supplemental.dcm", "philips_mprage.dcm.gz")


def test_the_lists_are_not_empty(shared_data: Path) -> None:
    assert len(FOLDERS) > 15
    assert len(ODD_SLICES) > 200
    assert len(OTHERS) + len(ONE_A_RATER) > 18
    assert len(of_kind("nifti")) > 20


def by_simpleitk(picture: Any) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Samples and LPS affine in index order ``(slice, row, column)``."""
    sitk = pytest.importorskip("SimpleITK")
    affine = np.eye(4)
    affine[:3, :3] = (np.array(picture.GetDirection()).reshape(3, 3) * picture.GetSpacing())[
        :, ::-1
    ]
    affine[:3, 3] = picture.GetOrigin()
    return sitk.GetArrayFromImage(picture), affine


def refused(paths: Path | list[Entry], report: SeriesReport) -> bool:
    """Whether a series cannot be read, and then that it says so both ways."""
    if report.verdict != "refused":
        return False
    assert report.problems
    assert report.advice
    with pytest.raises(InputError):
        read(paths, report.id)
    return True


def agrees(ours: Image, samples: NDArray[Any], affine: NDArray[np.float64]) -> None:
    assert ours.array.shape == samples.shape
    if ours.modality == "CT":  # padding is the one thing that is changed on purpose
        padded = (ours.array == -1024) & ((samples < -1024) | (samples > 3071))
        samples = np.where(padded, -1024, samples)
    np.testing.assert_array_equal(ours.array, samples.astype(ours.array.dtype))
    # The step to the next slice is the reader's own choice where there is none.
    kept = slice(0 if len(samples) > 1 else 1, 4)
    np.testing.assert_allclose(ours.grid.affine[:, kept], affine[:, kept], rtol=0, atol=1e-4)


@pytest.mark.parametrize("folder", named(FOLDERS))
def test_a_dicom_series(folder: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    files = [path for path in sorted(folder.iterdir()) if KINDS.get(path) == "dicom"]
    report = inspect(files)
    for one in report.series:
        if refused(files, one):  # type: ignore[arg-type]
            continue
        ours = read(files, one.id)
        reader = sitk.ImageSeriesReader()
        if len(one.files) == 1:
            picture = sitk.ReadImage(str(folder / one.files[0]))
        else:
            reader.SetFileNames([str(folder / name) for name in one.files])
            picture = reader.Execute()
        agrees(ours, *by_simpleitk(picture))


@pytest.mark.parametrize("path", named(ODD_SLICES))
def test_an_odd_dicom_file(path: Path, tmp_path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    report = inspect(path)
    if not report.series:
        assert report.verdict == "refused"
        assert report.ignored[0].reason
        return
    (one,) = report.series
    if refused(path, one):
        return
    ours = read(path)
    if path.name in UNLIKE:
        return
    plain = path
    if KINDS[path] == "gzipped dicom":
        plain = tmp_path / "plain.dcm"
        plain.write_bytes(gzip.decompress(path.read_bytes()))
    agrees(ours, *by_simpleitk(sitk.ReadImage(str(plain))))


@pytest.mark.parametrize("path", named(OTHERS + ONE_A_RATER))
def test_an_nrrd_or_metaimage(path: Path) -> None:
    sitk = pytest.importorskip("SimpleITK")
    (report,) = inspect(path).series
    if not refused(path, report):
        agrees(read(path, modality=None), *by_simpleitk(sitk.ReadImage(str(path))))


@pytest.mark.parametrize("path", named(of_kind("nifti")))
def test_a_nifti(path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    (report,) = inspect(path).series
    if refused(path, report):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = nibabel.load(path)
        samples = np.asanyarray(other.dataobj)
    samples = samples.reshape(samples.shape + (1,) * (3 - samples.ndim))[:, :, :].transpose(2, 1, 0)
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ other.affine[:, [2, 1, 0, 3]]

    agrees(read(path), samples, affine)
