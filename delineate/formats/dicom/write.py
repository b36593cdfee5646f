"""Write an image as a classic CT series, one file a slice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from delineate.errors import ExportError
from delineate.imaging import Grid, Image

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

__all__ = ["write_series"]

_CT = "1.2.840.10008.5.1.4.1.1.2"
_EXPLICIT = "1.2.840.10008.1.2.1"
_INT16 = np.iinfo(np.int16)
# Required to be there, allowed to be empty.
_EMPTY = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
    "PatientBirthDate",
    "PatientSex",
    "Laterality",
    "PositionReferenceIndicator",
)


def write_series(
    image: Image,
    folder: Path | str,
    *,
    patient_name: str = "Phantom^Delineate",
    patient_id: str = "phantom",
    description: str = "",
    seed: str | None = None,
) -> list[Path]:
    """Write CT Image Storage instances, uncompressed, in Hounsfield units.

    Parameters
    ----------
    image
        Whole Hounsfield units that fit int16, on a grid in mm whose rows and columns are
        perpendicular. Any orientation; a shear of the slices is a gantry tilt.
    folder
        Made if absent. Files in it of the same names (``0001.dcm`` ...) are replaced.
    patient_name, patient_id, description
        What the headers say.
    seed
        UIDs follow from it alone; by default from the samples and the grid. The same seed gives
        the same files, byte for byte.

    Returns
    -------
    list of Path
        One a slice, in the image's order. Reading sorts slices along the normal of their planes,
        so that of a left-handed grid they come back in the opposite order, each in its place.

    Raises
    ------
    ExportError
        If DICOM's CT cannot hold the image.
    """
    samples = _int16(image)
    row, column = _directions(image.grid)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dataset, meta = _series(image.grid, seed or image.content_hash, row, column)
    dataset.PatientName, dataset.PatientID = patient_name, patient_id
    dataset.SeriesDescription = description
    series = dataset.SeriesInstanceUID
    paths = []
    for index in range(image.grid.shape[0]):
        position = image.grid.to_world((index, 0, 0))
        dataset.SOPInstanceUID = _uid(series, str(index))
        dataset.InstanceNumber = index + 1
        dataset.ImagePositionPatient = _decimals(position)
        dataset.SliceLocation = _decimals([float(position @ np.cross(row, column))])[0]
        dataset.PixelData = samples[index].tobytes()
        dataset["PixelData"].VR = "OW"
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        path = folder / f"{index + 1:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _int16(image: Image) -> NDArray[np.int16]:
    if image.grid.unit != "mm":
        raise ExportError("expected a grid in mm, got one in pixels; a CT needs a scale")
    if image.channels or image.modality not in ("CT", "unknown"):
        raise ExportError(
            f"expected a CT, got {image.modality} with {len(image.channels)} channels"
        )
    array = image.array
    low, high = float(array.min()), float(array.max())
    if not (_INT16.min <= low and high <= _INT16.max):
        raise ExportError(f"expected Hounsfield units within int16, got {low:g} to {high:g}")
    samples = array.astype("<i2")
    if not np.array_equal(samples, array):
        raise ExportError("expected whole Hounsfield units; round the samples first")
    return samples


def _directions(grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors along which the columns' and the rows' indices grow."""
    row = grid.affine[:3, 2] / grid.spacing[2]
    column = grid.affine[:3, 1] / grid.spacing[1]
    if abs(float(row @ column)) > 1e-4:
        raise ExportError("expected perpendicular rows and columns; DICOM has no shear in a slice")
    return row, column


def _series(
    grid: Grid, seed: str, row: NDArray[np.float64], column: NDArray[np.float64]
) -> tuple[Dataset, FileMetaDataset]:
    """What all slices share."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(_CT)
    meta.TransferSyntaxUID = UID(_EXPLICIT)
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.SOPClassUID = UID(_CT)
    for empty in _EMPTY:
        setattr(dataset, empty, "")
    dataset.KVP = dataset.AcquisitionNumber = None
    dataset.Modality = "CT"
    dataset.Manufacturer = "delineate"
    dataset.PatientPosition = "HFS"
    dataset.StudyInstanceUID = _uid(seed, "study")
    dataset.SeriesInstanceUID = _uid(seed, "series")
    dataset.FrameOfReferenceUID = _uid(seed, "frame of reference")
    dataset.SeriesNumber = 1
    dataset.SliceThickness = _decimals([grid.slice_distance])[0]
    dataset.ImageOrientationPatient = _decimals([*row, *column])
    dataset.PixelSpacing = _decimals(grid.spacing[1:])
    dataset.Rows, dataset.Columns = grid.shape[1:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    dataset.RescaleIntercept, dataset.RescaleSlope = "0", "1"
    dataset.RescaleType = "HU"
    dataset.WindowCenter, dataset.WindowWidth = "40", "400"
    return dataset, meta


def _uid(*sources: str) -> str:
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=list(sources)))


def _decimals(values: Sequence[float] | NDArray[np.float64]) -> list[str]:
    """Decimal strings of at most 16 characters, as exact as that allows."""
    from pydicom.valuerep import format_number_as_ds

    return [format_number_as_ds(float(value)) for value in values]
