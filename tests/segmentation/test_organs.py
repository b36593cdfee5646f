"""The detector: the shipped suite first, then what it finds, and what it must not find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from delineate.errors import Cancelled, OptionError, UnsuitableImageError
from delineate.imaging import Grid, Image, LabelMap
from delineate.phantom import Phase, torso
from delineate.plugins import Detection, Monitor
from delineate.plugins.options import parse
from delineate.segmentation import organs_ct
from delineate.segmentation.options import NAMES, OrganOptions
from delineate.segmentation.organs import OrganDetector
from delineate.segmentation.specks import without_specks
from delineate.segmentation.structures import ORGANS
from delineate.testing import DetectorTests

SPACING = (5.0, 4.0, 4.0)


class TestOrgansOnCT(DetectorTests):
    detector_id = "organs.ct"
    equivariant: ClassVar = {"shift": 0.1}  # of the small structures, at 5 mm

    def sample(self) -> Image:
        return torso(901, SPACING, (-150.0, 130.0), phase=Phase.PORTAL)[0]


@pytest.fixture(scope="module")
def detector() -> OrganDetector:
    return OrganDetector()


@pytest.fixture(scope="module")
def patient() -> tuple[Image, LabelMap]:
    return torso(902, SPACING, (-170.0, 130.0), phase=Phase.PORTAL)


@pytest.fixture(scope="module")
def drawn(detector: OrganDetector, patient: tuple[Image, LabelMap]) -> Detection:
    return detector.detect(patient[0], OrganOptions())


def _dice(found: LabelMap, truth: LabelMap, name: str) -> float:
    number = NAMES.index(name) + 1
    a, b = found.mask(number), truth.mask(number)
    return 2 * float((a & b).sum()) / max(1.0, float(a.sum() + b.sum()))


def test_the_detector_draws_a_phantom_it_never_saw(
    drawn: Detection, patient: tuple[Image, LabelMap]
) -> None:
    truth = patient[1]

    for name in ("lung_left", "lung_right", "liver"):
        assert _dice(drawn.output, truth, name) > 0.85, name
    bony = [NAMES.index(name) + 1 for name in ("bones", "vertebrae")]
    found, there = (np.isin(labels.array, bony) for labels in (drawn.output, truth))
    assert 2 * (found & there).sum() > 0.7 * (found.sum() + there.sum())
    for label, score in drawn.scores.items():  # which of two bones it is may be less sure
        assert (0.4 if label in bony else 0.7) <= score <= 1


def _turned(image: Image, labels: LabelMap, order: tuple[int, int, int]) -> tuple[Image, LabelMap]:
    """The same patient stored with other axes, the second of them backwards."""
    affine = image.grid.affine.copy()
    affine[:3, :3] = affine[:3, list(order)]
    shape = tuple(image.grid.shape[axis] for axis in order)
    affine[:3, 3] += affine[:3, 1] * (shape[1] - 1)
    affine[:3, 1] *= -1
    grid = Grid(shape, affine)
    arrays = [np.flip(each.transpose(order), 1) for each in (image.array, labels.array)]
    return Image(arrays[0], grid, "CT"), LabelMap(arrays[1], grid, labels.categories)


def test_how_a_scan_is_stored_changes_nothing(
    detector: OrganDetector, patient: tuple[Image, LabelMap], drawn: Detection
) -> None:
    order = (1, 2, 0)
    image, _ = _turned(*patient, order)

    turned = detector.detect(image, OrganOptions()).output

    back = np.flip(turned.array, 1).transpose(np.argsort(order))
    assert float((back == drawn.output.array).mean()) > 0.995


def test_only_what_was_asked_for_is_returned(
    detector: OrganDetector, patient: tuple[Image, LabelMap]
) -> None:
    detection = detector.detect(patient[0], OrganOptions(structures=("liver", "spleen")))

    assert {each.name for each in detection.output.categories.values()} == {"liver", "spleen"}
    assert "liver" in _found(detection)
    assert _found(detection) <= {"liver", "spleen"}


def test_nothing_is_found_in_air_or_water(detector: OrganDetector) -> None:
    air = np.full((20, 60, 60), -1000, np.int16)
    pattern = np.random.default_rng(0).normal(-1000, 20, air.shape).astype(np.int16)

    plane = (np.arange(80) - 39.5) * 4.0
    water = np.full((24, 80, 80), -1000, np.int16)
    water[:, np.hypot(plane, plane[:, None]) < 135] = 2  # as large as a trunk

    for array in (air, pattern, water):
        grid = Grid.regular(array.shape, (5.0, 4.0, 4.0))
        detection = detector.detect(Image(array, grid, "CT"), OrganOptions())
        assert not detection.output.array.any()
        assert not detection.scores
        assert len(detection.output.categories) == len(NAMES)
        assert "No organ of the trunk was found; the scan may show none." in detection.remarks


def test_a_single_slice_is_accepted(
    detector: OrganDetector, patient: tuple[Image, LabelMap]
) -> None:
    image = patient[0]
    middle = image.array.shape[0] // 2
    grid = image.grid.crop((middle, 0, 0), (1, *image.grid.shape[1:]))

    detection = detector.detect(Image(image.array[middle : middle + 1], grid, "CT"), OrganOptions())

    assert detection.output.array.shape == grid.shape


def test_values_without_rescaling_are_refused(detector: OrganDetector) -> None:
    grid = Grid.regular((4, 8, 8), (5.0, 5.0, 5.0))

    with pytest.raises(UnsuitableImageError, match="Hounsfield"):
        detector.detect(Image(np.zeros(grid.shape, np.uint8), grid, "CT"), OrganOptions())


def test_an_unknown_structure_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match=r"names structures that there are not \(soul\)"):
        parse(organs_ct, {"structures": ["soul"]})


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_where_there_is_none(
    detector: OrganDetector, patient: tuple[Image, LabelMap]
) -> None:
    with pytest.raises(OptionError, match="no CUDA device"):
        detector.detect(patient[0], OrganOptions(device="cuda"))


def test_detecting_can_be_cancelled(
    detector: OrganDetector, patient: tuple[Image, LabelMap]
) -> None:
    class Impatient(Monitor):
        cancelled = True

    with pytest.raises(Cancelled):
        detector.detect_monitored(patient[0], OrganOptions(), Impatient())


def test_listing_the_detector_loads_neither_torch_nor_monai() -> None:
    code = "import delineate.segmentation, sys; print({'torch', 'monai'} & set(sys.modules))"

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "set()"


def test_every_structure_is_described() -> None:
    assert len(organs_ct.categories) == len(NAMES)
    for category in organs_ct.categories:
        assert category.code is not None
        assert category.code.scheme == "SCT"
        sided = category.name.endswith(("_left", "_right"))
        assert (category.laterality is not None) == sided


def test_no_organ_is_found_in_a_head(detector: OrganDetector, shared_data: Path) -> None:
    import pydicom

    slices = []
    for path in sorted((shared_data / "ct_series" / "head_tilted_ge").rglob("*.dcm")):
        header = pydicom.dcmread(path)
        values = header.pixel_array * float(header.RescaleSlope) + float(header.RescaleIntercept)
        slices.append((float(header.ImagePositionPatient[2]), values[::2, ::2]))
    array = np.stack([values for _, values in sorted(slices, key=lambda each: each[0])])
    grid = Grid.regular(array.shape, (5.6, 0.98, 0.98))

    detection = detector.detect(Image(array.astype(np.int16), grid, "CT"), OrganOptions())

    assert _found(detection) <= {"bones", "vertebrae"}


def test_grey_values_of_a_picture_are_refused(detector: OrganDetector, shared_data: Path) -> None:
    import nibabel

    path = next((shared_data / "ct_series" / "head_oblique_nifti").glob("*.nii*"))
    array = np.asanyarray(nibabel.load(path).dataobj)
    image = Image(array, Grid.regular(array.shape), "CT")

    with pytest.raises(UnsuitableImageError, match="Hounsfield"):
        detector.detect(image, OrganOptions())


def test_specks_go_and_structures_stay() -> None:
    """A lung with a speck of itself beside it, and bones, which come in pieces.

    ::

        1 1 1 1 1 1 0 1
        0 0 0 0 0 0 0 0
        b b 0 b 0 0 0 0
    """
    bones = [each.category.name for each in ORGANS].index("bones") + 1
    labels = np.zeros((1, 3, 8), np.uint8)
    labels[0, 0, [0, 1, 2, 3, 4, 5, 7]] = 1
    labels[0, 2, [0, 1, 3]] = bones
    expected = labels.copy()
    expected[0, 0, 7] = 0

    np.testing.assert_array_equal(without_specks(labels, ORGANS), expected)


def _found(detection: Detection) -> set[str]:
    assert isinstance(detection.output, LabelMap)
    return {detection.output.categories[label].name for label in detection.output.present()}
