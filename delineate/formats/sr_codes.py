"""What measurements are called in reports: codes of DICOM, SNOMED CT, IBSI and UCUM."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from delineate.imaging import Code

__all__ = ["MEASUREMENTS", "Name", "key_of"]


class Name(NamedTuple):
    """How a report calls a measurement: concept, unit, and how it is derived from samples."""

    concept: Code
    unit: Code
    derivation: Code | None = None


_MM = Code("mm", "UCUM", "millimeter")
_MM2 = Code("mm2", "UCUM", "square millimeter")
_CM3 = Code("cm3", "UCUM", "cubic centimeter")
_HU = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
_AREA = Code("42798000", "SCT", "Area")
_ATTENUATION = Code("112031", "DCM", "Attenuation Coefficient")
_MAXIMUM = Code("56851009", "SCT", "Maximum")

# By the keys of :func:`delineate.contour.measure`, from CID 7469 and 7464. A millilitre is a cm3.
# The other keys have no code there and are left out: positions, counts, percentiles but the median,
# grey values that are no Hounsfield units.
MEASUREMENTS: Mapping[str, Name] = MappingProxyType(
    {
        "volume_ml": Name(Code("118565006", "SCT", "Volume"), _CM3),
        "mesh_volume_ml": Name(Code("RNU0", "IBSI", "Volume of Mesh"), _CM3),
        "surface_area_mm2": Name(Code("C0JK", "IBSI", "Surface Area of Mesh"), _MM2),
        "area_mm2": Name(_AREA, _MM2),
        "largest_area_mm2": Name(_AREA, _MM2, _MAXIMUM),
        "perimeter_mm": Name(Code("131191004", "SCT", "Perimeter"), _MM),
        "longest_diameter_mm": Name(Code("103339001", "SCT", "Long Axis"), _MM),
        "short_axis_mm": Name(Code("103340004", "SCT", "Short Axis"), _MM),
        "diameter_3d_mm": Name(Code("L0JK", "IBSI", "Maximum 3D Diameter of a Mesh"), _MM),
        "mean_hu": Name(_ATTENUATION, _HU, Code("373098007", "SCT", "Mean")),
        "sd_hu": Name(_ATTENUATION, _HU, Code("386136009", "SCT", "Standard Deviation")),
        "min_hu": Name(_ATTENUATION, _HU, Code("255605001", "SCT", "Minimum")),
        "max_hu": Name(_ATTENUATION, _HU, _MAXIMUM),
        "p50_hu": Name(_ATTENUATION, _HU, Code("373099004", "SCT", "Median")),
    }
)


def key_of(concept: Code, unit: str, derivation: Code | None) -> str | None:
    """The key of a measurement that a report names; ``None`` if it is none of these."""
    for key, name in MEASUREMENTS.items():
        derived = None if name.derivation is None else name.derivation.value
        if (
            (name.concept.value, name.concept.scheme) == (concept.value, concept.scheme)
            and name.unit.value == unit
            and derived == (None if derivation is None else derivation.value)
        ):
            return key
    return None
