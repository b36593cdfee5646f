"""Labels lie on the samples that the client has, in its order: in space for 3D Slicer, as bare
samples for OHIF.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from label_scans import DIRECTIONS, banded, scan
from numpy.typing import NDArray
from service import Service

from delineate import formats
from delineate.formats import dicom
from delineate.imaging import Grid, Image


def asked(facade: Service, model: str, params: dict[str, Any] | None = None, **query: str) -> Any:
    """Answer of ``/infer``."""
    return facade.client.post(
        f"/monailabel/infer/{model}",
        params=query,
        files={"params": (None, json.dumps(params or {}), "application/json")},
    )


def from_slicer(facade: Service, image: str, folder: Path, **params: Any) -> SimpleITK.Image:
    """What Slicer reads."""
    wanted = {"result_extension": ".nrrd", "result_dtype": "uint8", **params}
    answer = asked(facade, "label.bands", wanted, image=image)
    assert answer.status_code == 200, answer.text
    content = answer.content.split(b'filename="')[1].split(b"\r\n\r\n", 1)[1]
    path = folder / "labels.nrrd"
    path.write_bytes(content.rsplit(b"\r\n--", 1)[0])
    return SimpleITK.ReadImage(str(path))


def from_ohif(facade: Service, image: str) -> tuple[dict[str, str], NDArray[np.uint8]]:
    """The fields of the header and the bare samples: OHIF looks at nothing else."""
    wanted = {
        "result_extension": ".nrrd",
        "result_dtype": "uint8",
        "result_compress": False,
        "restore_label_idx": False,
    }
    answer = asked(facade, "label.bands", wanted, image=image, output="image")
    assert answer.status_code == 200, answer.text
    head, body = answer.content.split(b"\n\n", 1)
    fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    return fields, np.frombuffer(body, np.uint8)


def as_viewers_sort(files: list[Path]) -> NDArray[Any]:
    """Samples of a series in the order in which cornerstone makes a volume of it."""
    slices = [pydicom.dcmread(path) for path in files]
    row, column = np.reshape(slices[0].ImageOrientationPatient, (2, 3)).astype(float)
    normal = np.cross(row, column)
    slices.sort(key=lambda one: float(np.dot(one.ImagePositionPatient, normal)))
    return np.stack(
        [one.pixel_array * one.RescaleSlope + one.RescaleIntercept for one in slices]
    ).astype(int)


def on_the_grid(labels: SimpleITK.Image, grid: Grid) -> bool:
    size = np.array(labels.GetSize())[::-1]
    steps = np.reshape(labels.GetDirection(), (3, 3)) * labels.GetSpacing()
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = steps[:, ::-1], labels.GetOrigin()
    return grid.matches(Grid((int(size[0]), int(size[1]), int(size[2])), affine), 1e-6)


@pytest.fixture(params=sorted(DIRECTIONS))
def series(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[Path], str]:
    """Files of a series, sent in no order, and its UID."""
    direction = request.param
    files = dicom.write_series(scan(direction), tmp_path / "series", seed=f"ml {direction}")
    shuffled = [files[index] for index in (3, 0, 4, 1, 2)]
    return shuffled, str(pydicom.dcmread(files[0]).SeriesInstanceUID)


def test_slicer_and_ohif_see_the_same_labels_of_a_series_in_any_direction(
    facade: Service, series: tuple[list[Path], str], tmp_path: Path
) -> None:
    files, uid = series
    facade.upload(files).raise_for_status()
    image = formats.read(files)

    labels = from_slicer(facade, uid, tmp_path)
    fields, bare = from_ohif(facade, uid)

    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(labels), banded(image.array))
    assert on_the_grid(labels, image.grid)
    assert (fields["encoding"], fields["type"]) == ("raw", "unsigned char")
    np.testing.assert_array_equal(bare.reshape(image.grid.shape), banded(as_viewers_sort(files)))


@pytest.mark.parametrize("direction", ["oblique and reversed", "feet first"])
def test_a_volume_that_slicer_sends_gets_labels_on_its_own_samples(
    facade: Service, tmp_path: Path, direction: str
) -> None:
    image = scan(direction)
    volume = SimpleITK.GetImageFromArray(image.array)
    steps = image.grid.affine[:3, 2::-1]
    spacing = np.linalg.norm(steps, axis=0)
    volume.SetSpacing(spacing.tolist())
    volume.SetDirection((steps / spacing).ravel().tolist())
    volume.SetOrigin(image.grid.affine[:3, 3].tolist())
    path = tmp_path / "sent.nii.gz"
    SimpleITK.WriteImage(volume, str(path))
    name = f"2: CT {direction} / A&B äöü"
    sent = facade.client.put(
        "/monailabel/datastore/", params={"image": name}, files={"file": path.read_bytes()}
    )
    assert sent.json() == {"image": name}, sent.text

    labels = from_slicer(facade, name, tmp_path)

    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(labels), banded(image.array))
    assert labels.GetSize() == volume.GetSize()
    np.testing.assert_allclose(labels.GetDirection(), volume.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(labels.GetOrigin(), volume.GetOrigin(), atol=1e-4)


def test_slices_that_reading_leaves_out_are_there_for_a_viewer_that_shows_them(
    facade: Service, tmp_path: Path
) -> None:
    files = dicom.write_series(scan(), tmp_path / "series", seed="ml twice")
    again = pydicom.dcmread(files[2])
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5.99"
    again.save_as(tmp_path / "again.dcm")
    facade.upload([*files, tmp_path / "again.dcm"]).raise_for_status()

    fields, bare = from_ohif(facade, str(again.SeriesInstanceUID))
    labels = from_slicer(facade, str(again.SeriesInstanceUID), tmp_path)

    shown = banded(as_viewers_sort([*files, tmp_path / "again.dcm"]))
    assert shown.shape == (6, 7, 9)
    np.testing.assert_array_equal(bare.reshape(shown.shape), shown)
    assert labels.GetSize() == (9, 7, 5)
    assert fields["space origin"] == "(0,0,0)", "no regular grid is pretended"


def test_a_series_of_which_no_volume_can_be_shown_is_refused_for_a_viewer_only(
    facade: Service, tmp_path: Path
) -> None:
    image = scan()
    files = dicom.write_series(image, tmp_path / "series", seed="ml scout")
    wide = Image(image.array[:, :, :4], image.grid.crop((0, 0, 0), (5, 7, 4)), "CT")
    scouts = dicom.write_series(wide, tmp_path / "scout", seed="ml scout 2")
    scout = pydicom.dcmread(scouts[0])
    uid = str(pydicom.dcmread(files[0]).SeriesInstanceUID)
    scout.SeriesInstanceUID = uid
    scout.save_as(scouts[0])
    facade.upload([*files, scouts[0]]).raise_for_status()

    refused = asked(facade, "label.bands", {}, image=uid, output="image")

    assert refused.status_code == 422
    assert "differ in size" in refused.json()["detail"]
    assert from_slicer(facade, uid, tmp_path).GetSize() == (9, 7, 5)


def test_a_real_scan_gets_the_labels_that_the_library_gives(
    facade: Service, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "ct_labelled" / "chest_cip" / "ct-64Dicom"
    files = sorted(path for path in folder.rglob("*") if pydicom.misc.is_dicom(path))
    facade.upload(files).raise_for_status()
    image = formats.read(files)
    uid = str(pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID)

    labels = from_slicer(facade, uid, tmp_path)
    _, bare = from_ohif(facade, uid)

    expected = banded(image.array)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(labels), expected)
    assert on_the_grid(labels, image.grid)
    np.testing.assert_array_equal(bare.reshape(expected.shape), expected)
