"""Cases to learn from: painted phantoms and labelled CTs, as tensors on the device that learns."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from delineate.errors import InputError
from delineate.imaging import Grid
from delineate.phantom import STRUCTURES

IGNORED = 255
"""Label of samples that say nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class PhantomCase:
    """A painted body; its HU are drawn anew each time it is used.

    Attributes
    ----------
    tissue
        uint8, shape (slice, row, column), `phantom.Tissue` values.
    grid
        LPS, axis-aligned.
    osteopenia
        How thin its bones are, 0 to 1.
    """

    tissue: torch.Tensor
    grid: Grid
    osteopenia: float

    @classmethod
    def read(cls, path: Path, device: torch.device | str = "cpu") -> PhantomCase:
        """Read a file that `phantom.store_torso` wrote."""
        with np.load(path) as stored:
            tissue = stored["tissue"]
            grid = Grid(tissue.shape, stored["affine"])
            return cls(torch.from_numpy(tissue).to(device), grid, float(stored["osteopenia"]))


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCase:
    """A CT with labels of some structures.

    Attributes
    ----------
    hu
        int16, shape (slice, row, column).
    labels
        uint8, same shape; places in `phantom.STRUCTURES`, `IGNORED` where nothing is known.
    known
        bool, one a structure, background first: whether the labels would show it. A zero label
        means "background or a structure that is not known".
    grid
        LPS, axis-aligned.
    name
        For logs.
    """

    hu: torch.Tensor
    labels: torch.Tensor
    known: NDArray[np.bool_]
    grid: Grid
    name: str

    def to(self, device: torch.device | str) -> LabelledCase:
        """The same on another device."""
        return replace(self, hu=self.hu.to(device), labels=self.labels.to(device))

    def write(self, path: Path) -> None:
        """Store as NPZ, which `read` reads without any library of images."""
        np.savez_compressed(
            path,
            hu=self.hu.cpu().numpy(),
            labels=self.labels.cpu().numpy(),
            known=self.known,
            affine=self.grid.affine,
        )

    @classmethod
    def read(cls, path: Path) -> LabelledCase:
        """Read what `write` stored."""
        with np.load(path) as stored:
            hu, labels = stored["hu"], stored["labels"]
            grid = Grid(hu.shape, stored["affine"])
            samples = torch.from_numpy(hu), torch.from_numpy(labels)
            return cls(*samples, stored["known"], grid, path.stem)


_TOTALSEGMENTATOR: dict[str, tuple[str, ...]] = {
    "lung_left": ("lung_upper_lobe_left", "lung_lower_lobe_left"),
    "lung_right": ("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right"),
    "liver": ("liver",),
    "spleen": ("spleen",),
    "kidney_left": ("kidney_left",),
    "kidney_right": ("kidney_right",),
    "stomach": ("stomach",),
    "urinary_bladder": ("urinary_bladder",),
    "aorta": ("aorta",),
    "heart": (
        "heart",
        "heart_myocardium",
        "heart_atrium_left",
        "heart_ventricle_left",
        "heart_atrium_right",
        "heart_ventricle_right",
        "pulmonary_artery",
    ),
    "vena_cava": ("inferior_vena_cava",),
    "bowel": ("small_bowel", "duodenum", "colon"),
    "pancreas": ("pancreas",),
    "gallbladder": ("gallbladder",),
}
_VERTEBRAE = re.compile("vertebrae_[CTL]")
_BONES = (
    "vertebrae_S1",
    "rib_",
    "sacrum",
    "hip_",
    "femur",
    "humerus",
    "scapula",
    "clavicula",
    "sternum",
    "skull",
)


def _structure_of(name: str) -> int:
    for structure, members in _TOTALSEGMENTATOR.items():
        if name in members:
            return STRUCTURES.index(structure)
    if _VERTEBRAE.match(name):
        return STRUCTURES.index("vertebrae")
    if name.startswith(_BONES):
        return STRUCTURES.index("bones")
    return IGNORED if name.startswith("kidney_cyst") else 0


def labelled_cases(folder: Path) -> list[LabelledCase]:
    """Read the labelled CTs in a folder: NPZ files of cases, else `abdomen_3mm` and `chest_cip`.

    Raises
    ------
    InputError
        If none is there.
    """
    cases = [LabelledCase.read(path) for path in sorted(folder.glob("*.npz"))]
    if cases:
        return cases
    abdomen = folder / "abdomen_3mm"
    if abdomen.is_dir():
        cases.append(_abdomen(abdomen))
    chest = folder / "chest_cip"
    if chest.is_dir():
        cases.append(_chest(chest))
    if not cases:
        raise InputError(f"expected NPZ files, abdomen_3mm or chest_cip in {folder}, found none")
    return cases


def _abdomen(folder: Path) -> LabelledCase:
    hu, grid = _read(folder / "ct.nii.gz")
    predicted, _ = _read(folder / "labels_v2_117classes_fast_model.nii.gz")
    table = json.loads((folder / "labels_v2_117classes.json").read_text())
    lookup = np.zeros(256, np.uint8)
    for number, name in table.items():
        lookup[int(number)] = _structure_of(name)
    known = np.ones(len(STRUCTURES), bool)
    return _case(hu, lookup[predicted.astype(np.uint8)], known, grid, "abdomen_3mm")


def _chest(folder: Path) -> LabelledCase:
    hu, grid = _read(folder / "ct-64.nrrd")
    drawn, _ = _read(folder / "lm-64.nrrd")
    region = drawn.astype(np.int64) & 0xFF
    labels = np.zeros(hu.shape, np.uint8)
    labels[np.isin(region, (9, 10, 11))] = STRUCTURES.index("lung_left")
    labels[np.isin(region, (12, 13, 14))] = STRUCTURES.index("lung_right")
    labels[np.isin(region, (1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 18))] = IGNORED
    known = np.zeros(len(STRUCTURES), bool)
    known[[0, STRUCTURES.index("lung_left"), STRUCTURES.index("lung_right")]] = True
    return _case(hu, labels, known, grid, "chest_cip")


def _case(
    hu: NDArray[np.generic],
    labels: NDArray[np.uint8],
    known: NDArray[np.bool_],
    grid: Grid,
    name: str,
) -> LabelledCase:
    samples = torch.from_numpy(hu.astype(np.int16))
    return LabelledCase(samples, torch.from_numpy(labels), known, grid, name)


def _read(path: Path) -> tuple[NDArray[np.generic], Grid]:
    """Read an axis-aligned volume and turn its axes to head, back and left."""
    import SimpleITK as sitk  # noqa: N813

    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    spacing: Sequence[float] = image.GetSpacing()[::-1]
    shape = image.GetSize()[::-1]
    grid = Grid.regular(shape, (spacing[0], spacing[1], spacing[2]), image.GetOrigin())
    return sitk.GetArrayFromImage(image), grid
