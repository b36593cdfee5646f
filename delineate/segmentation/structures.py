"""The structures of the organ model: names, codes, colours.

Codes are SNOMED CT as DICOM uses them (PS3.16, context groups 7140 and 7157).
"""

from __future__ import annotations

from dataclasses import dataclass

from delineate.imaging import Category
from delineate.imaging.category import Code, Laterality


@dataclass(frozen=True, slots=True)
class Structure:
    """One label of a segmentation model.

    Parameters
    ----------
    category
        What it is, with code, colour and side.
    min_volume_ml
        Less than this is taken for noise.
    single
        Whether a body has one of it in one piece: then pieces well below the largest are dropped.
    hu_range
        Mean HU of a piece that can be believed.
    enclosed
        Whether it always lies inside the body and never inside the skull.
    auxiliary
        Learned so that others are not mistaken for it; never given out.
    """

    category: Category
    min_volume_ml: float = 2.0
    single: bool = True
    hu_range: tuple[float, float] = (-1024.0, 3071.0)
    enclosed: bool = True
    auxiliary: bool = False


_SOFT = (-60.0, 450.0)
_LUNG = (-980.0, -250.0)


def _structure(
    name: str,
    colour: tuple[int, int, int],
    code: tuple[str, str],
    side: Laterality | None = None,
    *,
    min_volume_ml: float = 2.0,
    single: bool = True,
    hu_range: tuple[float, float] = _SOFT,
    enclosed: bool = True,
    auxiliary: bool = False,
) -> Structure:
    category = Category(name, colour, Code(code[0], "SCT", code[1]), side)
    return Structure(category, min_volume_ml, single, hu_range, enclosed, auxiliary)


ORGANS: tuple[Structure, ...] = (
    _structure(
        "lung_left", (86, 180, 233), ("39607008", "Lung"), "left", min_volume_ml=40, hu_range=_LUNG
    ),
    _structure(
        "lung_right", (0, 114, 178), ("39607008", "Lung"), "right", min_volume_ml=40, hu_range=_LUNG
    ),
    _structure("liver", (213, 94, 0), ("10200004", "Liver"), min_volume_ml=40),
    _structure("spleen", (204, 121, 167), ("78961009", "Spleen"), min_volume_ml=12),
    _structure("kidney_left", (230, 159, 0), ("64033007", "Kidney"), "left", min_volume_ml=12),
    _structure("kidney_right", (240, 228, 66), ("64033007", "Kidney"), "right", min_volume_ml=12),
    _structure(
        "stomach", (0, 158, 115), ("69695003", "Stomach"), min_volume_ml=15, hu_range=(-800, 450)
    ),
    _structure(
        "urinary_bladder", (170, 120, 255), ("89837001", "Urinary bladder"), min_volume_ml=10
    ),
    _structure(
        "bones",
        (245, 235, 200),
        ("272673000", "Bone"),
        min_volume_ml=3,
        single=False,
        hu_range=(60, 3071),
        enclosed=False,
    ),
    _structure("aorta", (220, 30, 40), ("15825003", "Aorta"), min_volume_ml=4, single=False),
    _structure("heart", (255, 140, 150), ("80891009", "Heart"), min_volume_ml=25),
    _structure("vena_cava", (60, 90, 220), ("64131007", "Inferior vena cava"), auxiliary=True),
    _structure("bowel", (150, 200, 120), ("113276009", "Intestine"), auxiliary=True),
)
"""Structures in label order; the first has label 1."""
