"""The measures of a body: every number that differs between two phantoms.

Ranges are wider than the population's on purpose: a network that has seen only average bodies
fails on the others. Means follow the reference adults of ICRP Publication 89 [1]_ (organ masses)
and the CT series named beside single values. All lengths are millimetres, in the body frame of
`canvas.Canvas`: x towards the patient's left, y towards the back, z towards the head, z = 0 at
the level of the xiphoid process.

References
----------
.. [1] ICRP, "Basic anatomical and physiological data for use in radiological protection:
   reference values", Publication 89, Ann. ICRP 32(3-4), 2002.
.. [2] Kratzer et al., "Factors affecting liver size", J. Ultrasound Med. 22, 2003,
   doi:10.7863/jum.2003.22.11.1155
.. [3] Prassopoulos et al., "Determination of normal splenic volume on computed tomography",
   Eur. Radiol. 7, 1997, doi:10.1007/s003300050145
.. [4] Rogers et al., "Distribution, determinants, and normal reference values of thoracic and
   abdominal aortic diameters by computed tomography", Am. J. Cardiol. 111, 2013,
   doi:10.1016/j.amjcard.2013.01.306
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np


def between(low: float, high: float, source: str = "") -> Any:
    """Declare a field drawn uniformly from ``[low, high]``."""
    return field(metadata={"range": (low, high), "source": source})


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The measures of one body; draw one with `draw_anatomy`."""

    # Build
    half_width_mm: float = between(138, 190, "breadth of the trunk 28-38 cm")
    half_depth_mm: float = between(92, 130)
    fat_mm: float = between(3, 42, "subcutaneous fat at the waist")
    wall_mm: float = between(8, 17, "muscles and ribs between fat and cavity")
    squareness: float = between(2.15, 2.7)
    waist: float = between(-0.05, 0.12)
    muscle_scale: float = between(0.75, 1.2)
    arms: float = between(0, 1)
    breasts: float = between(0, 1)

    # Spine and ribs
    spine_depth_mm: float = between(44, 60)
    lordosis_mm: float = between(2, 16)
    vertebra_width_mm: float = between(19, 24, "L3 end plate about 45 mm wide")
    vertebra_depth_mm: float = between(14.5, 18.5)
    vertebra_height_mm: float = between(27, 36, "vertebra with its disc")
    rib_slope: float = between(0.3, 0.65)
    rib_share: float = between(0.3, 0.5)
    rib_depth_mm: float = between(5.5, 9.5)
    costal_margin_mm: float = between(-130, -65)
    osteopenia: float = between(0, 1)

    # Chest
    diaphragm_mm: float = between(0, 45, "from deep inspiration to expiration")
    dome_right_mm: float = between(12, 38)
    dome_left_mm: float = between(-6, 22)
    dome_fall_mm: float = between(75, 135, "height of the dome over its rim")
    lung_apex_mm: float = between(205, 245)
    mediastinum_mm: float = between(12, 20)
    heart_length_mm: float = between(56, 70, "heart with blood about 770 g, ICRP 89")
    heart_width_mm: float = between(40, 52)
    heart_x_mm: float = between(14, 36)
    heart_turn_rad: float = between(0.35, 0.85)
    aorta_radius_mm: float = between(8.0, 13.0, "descending aorta 20-28 mm, Rogers 2013")

    # Abdomen
    liver_low_mm: float = between(-175, -105, "volume 1500 ml on the mean, ICRP 89")
    liver_slope: float = between(0.42, 0.9)
    liver_left_mm: float = between(15, 95, "how far the left lobe reaches past the midline")
    spleen_width_mm: float = between(22, 36)
    spleen_depth_mm: float = between(36, 54)
    spleen_height_mm: float = between(45, 72, "volume 107-315 ml, Prassopoulos 1997")
    stomach_fundus_mm: float = between(19, 46)
    stomach_antrum_mm: float = between(13, 24)
    kidney_level_mm: float = between(-160, -95)
    kidney_width_mm: float = between(24, 34, "310 g the pair, ICRP 89")
    kidney_depth_mm: float = between(22, 31)
    kidney_length_mm: float = between(44, 61)
    bladder_mm: float = between(14, 56, "from emptied to full")
    visceral_fat_mm: float = between(1, 12)
    gallbladder_mm: float = between(9, 20)

    @property
    def back_mm(self) -> float:
        """Where the middle of the straight spine lies, mm along y."""
        return self.half_depth_mm - self.fat_mm - self.spine_depth_mm

    def spine_at(self, z: float) -> float:
        """Where the middle of the curved spine lies at a height, mm along y, before bending."""
        curve = self.lordosis_mm * float(np.cos((z + 170) / 110))
        return self.back_mm - curve - 0.32 * float(np.clip(z - 170, 0, 170))


def ranges() -> dict[str, tuple[float, float]]:
    """Lowest and highest value of every measure."""
    return {each.name: each.metadata["range"] for each in fields(Anatomy)}


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw one body.

    Measures are independent except where an impossible body would follow: thick fat widens the
    outline, so that the cavity keeps room for its organs.
    """
    drawn = {name: float(rng.uniform(low, high)) for name, (low, high) in ranges().items()}
    skinned = drawn["fat_mm"] + drawn["wall_mm"]
    drawn["half_width_mm"] = max(drawn["half_width_mm"], skinned + 112.0)
    drawn["half_depth_mm"] = max(drawn["half_depth_mm"], skinned + 74.0)
    return Anatomy(**drawn)
