"""Cases to learn from: painted phantoms and labelled CTs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from delineate.errors import InputError
from delineate.imaging import Grid
from delineate.phantom import STRUCTURES, paint_torso

IGNORED = 255
"""Label of samples that say nothing."""

POOL_SPACING_MM = (4.0, 4.0, 4.0)
POOL_EXTENT_MM = (-700.0, 550.0)


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

    tissue: NDArray[np.uint8]
    grid: Grid
    osteopenia: float


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

    hu: NDArray[np.int16]
    labels: NDArray[np.uint8]
    known: NDArray[np.bool_]
    grid: Grid
    name: str


def phantom_pool(
    folder: Path,
    count: int,
    *,
    spacing_mm: tuple[float, float, float] = POOL_SPACING_MM,
    extent_mm: tuple[float, float] = POOL_EXTENT_MM,
    progress: Callable[[int], None] = lambda _: None,
) -> list[PhantomCase]:
    """Load phantoms of seeds 0 to `count` from a folder, painting those that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for seed in range(count):
        path = folder / f"phantom_{seed:05d}.npz"
        if not path.exists():
            body = paint_torso(seed, spacing_mm, extent_mm)
            partial = path.with_suffix(f".{os.getpid()}.tmp.npz")
            np.savez_compressed(
                partial,
                tissue=body.tissue,
                affine=body.grid.affine,
                osteopenia=body.anatomy.osteopenia,
            )
            partial.replace(path)
        with np.load(path) as stored:
            tissue = stored["tissue"]
            cases.append(
                PhantomCase(
                    tissue, Grid(tissue.shape, stored["affine"]), float(stored["osteopenia"])
                )
            )
        progress(seed)
    return cases


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
}
_BONES = (
    "vertebrae",
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
    if name.startswith(_BONES):
        return STRUCTURES.index("bones")
    return IGNORED if name.startswith("kidney_cyst") else 0


def labelled_cases(folder: Path) -> list[LabelledCase]:
    """Read the labelled CTs below a folder: `abdomen_3mm` and `chest_cip`, those that are there.

    Raises
    ------
    InputError
        If neither is there.
    """
    cases = []
    abdomen = folder / "abdomen_3mm"
    if abdomen.is_dir():
        cases.append(_abdomen(abdomen))
    chest = folder / "chest_cip"
    if chest.is_dir():
        cases.append(_chest(chest))
    if not cases:
        raise InputError(f"expected abdomen_3mm or chest_cip in {folder}, found neither")
    return cases


def _abdomen(folder: Path) -> LabelledCase:
    hu, grid = _read(folder / "ct.nii.gz")
    predicted, _ = _read(folder / "labels_v2_117classes_fast_model.nii.gz")
    table = json.loads((folder / "labels_v2_117classes.json").read_text())
    lookup = np.zeros(256, np.uint8)
    for number, name in table.items():
        lookup[int(number)] = _structure_of(name)
    known = np.ones(len(STRUCTURES), bool)
    return LabelledCase(
        hu.astype(np.int16), lookup[predicted.astype(np.uint8)], known, grid, "abdomen_3mm"
    )


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
    return LabelledCase(hu.astype(np.int16), labels, known, grid, "chest_cip")


def _read(path: Path) -> tuple[NDArray[np.generic], Grid]:
    """Read an axis-aligned volume and turn its axes to head, back and left."""
    import SimpleITK as sitk  # noqa: N813

    image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    spacing: Sequence[float] = image.GetSpacing()[::-1]
    shape = image.GetSize()[::-1]
    grid = Grid.regular(shape, (spacing[0], spacing[1], spacing[2]), image.GetOrigin())
    return sitk.GetArrayFromImage(image), grid
