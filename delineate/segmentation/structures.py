"""The structures of the organ model; codes and colours are those of the table of anatomy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from delineate.imaging import Category, anatomy


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
    *,
    min_volume_ml: float = 2.0,
    single: bool = True,
    hu_range: tuple[float, float] = _SOFT,
    enclosed: bool = True,
    auxiliary: bool = False,
) -> Structure:
    known = anatomy.category(name)
    if known is None:
        raise ValueError(f"{name!r} is not in the table of anatomy")
    category = replace(known, name=name)  # as the training labels have it
    return Structure(category, min_volume_ml, single, hu_range, enclosed, auxiliary)


ORGANS: tuple[Structure, ...] = (
    _structure("lung_left", min_volume_ml=40, hu_range=_LUNG),
    _structure("lung_right", min_volume_ml=40, hu_range=_LUNG),
    _structure("liver", min_volume_ml=40),
    _structure("spleen", min_volume_ml=12),
    _structure("kidney_left", min_volume_ml=12),
    _structure("kidney_right", min_volume_ml=12),
    _structure("stomach", min_volume_ml=15, hu_range=(-800, 450)),
    _structure("urinary_bladder", min_volume_ml=10),
    _structure("bones", min_volume_ml=3, single=False, hu_range=(60, 3071), enclosed=False),
    _structure("aorta", min_volume_ml=4, single=False),
    _structure("heart", min_volume_ml=25),
    _structure("vertebrae", min_volume_ml=3, single=False, hu_range=(40, 3071)),
    _structure("vena_cava", auxiliary=True),
    _structure("bowel", auxiliary=True),
    _structure("pancreas", auxiliary=True),
    _structure("gallbladder", auxiliary=True),
)
"""Structures in label order; the first has label 1."""
